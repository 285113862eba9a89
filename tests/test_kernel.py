"""The compiled kernel against the NumPy one, which other tests hold against extraction and ngspice."""

import sys

import numpy as np
import pytest

from lmu_analog import Design, DesignError, monte_carlo
from lmu_analog.building import build
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.engine.tape import Number, Tape, program
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.kernel import check_kernel, compiled_draw, draw_keys
from lmu_analog.errors import StoreError
from lmu_analog.memory.window import POINTS
from lmu_analog.mismatch.law import Mismatch, draw

pytest.importorskip("numba")

MISMATCH = {
    name: {"tolerance": "1 %", "distribution": "gauss", "lot": "1 %"}
    for name in ("resistor", "capacitor", "inductor", "transconductor", "tau", "opamp")
}
DESIGN = Design(order=4, theta="1 ms", mismatch=MISMATCH)


@pytest.mark.parametrize("opamp", ["ideal", "OPA2192"])
@pytest.mark.parametrize("order", [3, 6])
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_both_kernels_agree_in_every_family(family, order, opamp):
    realization = next(iter(FAMILIES[family].realizations))
    design = Design(
        order=order, theta="1 ms", family=family, realization=realization, opamp=opamp, mismatch=MISMATCH
    )
    numpy, numba = (exact_chunk(design, 1, range(40), kernel=k) for k in ("numpy", "numba"))
    np.testing.assert_array_equal(numba.status, numpy.status)
    # One may go over the state space and the other not: its response is right to 2e-9 of the largest, a place of
    # the profile is down to a thirtieth of that.
    np.testing.assert_allclose(numba.profile, numpy.profile, rtol=1e-7)


def test_samples_that_are_unstable_or_no_circuits_are_the_same_ones():
    wide = {name: {"tolerance": "20 %", "distribution": "gauss"} for name in ("resistor", "capacitor")}
    design = Design(order=12, theta="1 ms", mismatch=wide)
    numpy, numba = (exact_chunk(design, 0, range(2048), kernel=k) for k in ("numpy", "numba"))
    assert len(np.unique(numpy.status)) > 1
    np.testing.assert_array_equal(numba.status, numpy.status)
    # Where samples are nearly unstable the response is ill-conditioned, and the residual allowed is 1e-9.
    np.testing.assert_allclose(numba.window_nrmse, numpy.window_nrmse, rtol=1e-6)


@pytest.mark.parametrize("samples", [range(0, 64), range(1027, 1094)])
def test_the_compiled_draws_are_numpys_and_scipys_bit_for_bit(samples):
    circuit, law = build(DESIGN), Mismatch.of(DESIGN)
    ours = compiled_draw(draw_keys(circuit, law), seed=2**63 - 1, samples=samples)
    assert (ours == draw(circuit, law, seed=2**63 - 1, samples=samples)).all()


def test_results_do_not_depend_on_how_samples_are_split():
    whole = exact_chunk(DESIGN, 3, range(2000, 2100), kernel="numba")
    parts = [exact_chunk(DESIGN, 3, r, kernel="numba") for r in (range(2000, 2001), range(2001, 2100))]
    assert (np.concatenate([part.profile for part in parts]) == whole.profile).all()


def test_a_run_says_its_kernel_and_keeps_it(tmp_path):
    run = monte_carlo(DESIGN, 20, kernel="numba", store=tmp_path / "run.zarr", workers=1)
    assert run.attrs["kernel"] == "numba"
    assert "kernel" not in monte_carlo(DESIGN, 20, workers=1).attrs
    with pytest.raises(StoreError, match="its kernel is 'numba', not 'numpy'"):
        monte_carlo(DESIGN, 30, store=tmp_path / "run.zarr", resumed=True)


def test_a_kernel_that_is_missing_unknown_or_of_no_use_is_refused(monkeypatch):
    with pytest.raises(DesignError, match="unknown kernel 'fortran'; known are numpy, float32, numba"):
        check_kernel("fortran")
    with pytest.raises(DesignError, match="kernel 'numba' is one of the exact engine, not of 'nonlinear'"):
        monte_carlo(DESIGN, 3, kernel="numba", engine="nonlinear")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(DesignError, match=r"kernel 'numba' .*; pip install lmu-analog\[numba\]"):
        monte_carlo(DESIGN, 3, kernel="numba")


def played(tape: Tape, outputs: dict[int, Number | float], given: list[float]) -> np.ndarray:
    """Play a program the slow way."""
    made = program(tape, outputs, len(outputs))
    registers, out = np.full(made.registers, np.nan), made.template.copy()
    for (operation, o, a, b, c), number in zip(made.code, made.constant, strict=True):
        x, y, z = (registers[k] if k < made.registers else np.nan for k in (a, b, c))
        if operation == 10:
            out[o] = number * x
            continue
        choices = [
            0,
            x + y,
            x - y,
            x * y,
            1 / x if x else np.nan,
            number * x,
            number + x,
            z + x * y,
            z - x * y,
            x * y - z,
        ]
        registers[o] = given[a] if operation == 0 else choices[operation]
    return out


def test_a_tape_plays_what_was_written_down():
    tape = Tape()
    x, y, z = (tape.load(k) for k in range(3))

    def calculation(x, y, z):
        return [
            x * y + z,
            z - x * y,
            x * y - 2.0 / z,
            (x + y) * -3.0,
            1.0 - x,
            x * x * x,
            x * 0.0,
            -(y - x) / 4.0,
        ]

    written = dict(enumerate(calculation(x, y, z)))
    assert written[6] == 0.0
    given = [1.5, -2.25, 7.0]
    # Powers of two aside every operation is done as written, so nothing rounds differently.
    np.testing.assert_array_equal(played(tape, written, given), calculation(*given))


def test_what_is_written_twice_is_done_once():
    tape = Tape()
    x, y = tape.load(0), tape.load(1)
    made = program(tape, {0: x * y, 1: -(y * x)}, 2)
    assert len(made.code) == 5  # two loads, one product, two stores


def test_the_compiled_kernel_takes_the_places_of_wide_windows_too():
    design = Design(order=3, theta="1 ms", bandwidth="21 kHz", mismatch={"resistor": "5 %"})
    quick, slow = (exact_chunk(design, 0, range(20), kernel=kernel) for kernel in ("numba", "numpy"))
    assert slow.profile.shape[1] == POINTS
    np.testing.assert_allclose(quick.window_nrmse, slow.window_nrmse, rtol=1e-8)
    np.testing.assert_allclose(quick.profile, slow.profile, rtol=1e-8)
