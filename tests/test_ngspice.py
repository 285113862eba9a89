"""ngspice is driven safely: every way in which it fails, loudly or silently, is an error here."""

import numpy as np
import pytest

from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient
from lmu_analog.spice.worker import Worker

ANALYSIS = Transient(1e-3, 1e-6)
HEAD = "title\nVin u 0 DC 0 AC 1 SIN(0 1 1000)\n"
TAIL = "\n.tran 1e-6 1e-3 0 1e-6\n.save v(u) v(x)\n.end\n"
GOOD = "R1 u x 1000.0\nC1 x 0 1e-9"


@pytest.fixture(scope="module")
def worker():
    with Worker() as shared:
        yield shared


def run(worker: Worker, body: str, *, tail: str = TAIL, analysis: Transient | Sweep = ANALYSIS) -> dict:
    return worker.call(ngspice.run_here, (HEAD + body + tail, analysis), timeout=60.0)


@pytest.mark.ngspice
def test_a_low_pass_follows_its_closed_form(worker):
    vectors = run(worker, GOOD)
    time, w = vectors["time"], 2e3 * np.pi
    tau = 1e-6
    steady = (np.sin(w * time) - w * tau * (np.cos(w * time) - np.exp(-time / tau))) / (1 + (w * tau) ** 2)
    # One step is one time constant here, so the first few are coarse; later the rule is exact to (w h)^2.
    np.testing.assert_allclose(vectors["v(x)"][time > 2e-5], steady[time > 2e-5], atol=1e-5)


@pytest.mark.ngspice
def test_an_ac_sweep_gives_complex_values(worker):
    tail = "\n.ac lin 3 1000.0 3000.0\n.save v(u) v(x)\n.end\n"
    vectors = run(worker, GOOD, tail=tail, analysis=Sweep(3, 1000.0, 3000.0))
    expected = 1 / (1 + 2j * np.pi * np.array([1e3, 2e3, 3e3]) * 1e-6)
    np.testing.assert_allclose(vectors["v(x)"], expected, rtol=1e-12)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("X1 u x nothing\nR1 x 0 1000.0", "unknown subckt"),
        ("D1 u x nothing\nR1 x 0 1000.0", "Error on line 3"),
        ("R1 u x 1000.0\nV2 x 0 1\nV3 x 0 2", "timestep too small"),
        ("B1 x 0 V=nothing(v(u))\nR1 x 0 1000.0", "no such function"),
        ("B1 x 0 V=1/(v(u)-v(u))\nR1 x 0 1000.0", "not finite"),
        ("R1 u y 1000.0\nC1 y 0 1e-9", r"no vector v\(x\)"),
        ("R1 u x 1000.0\nR1 u x 1000.0\nC1 x 0 1e-9", "Error on line 4"),
        ("R1 u\nR2 u x 1.0", "positive value"),
    ],
)
def test_a_broken_deck_is_an_error_and_the_next_deck_runs(worker, body, message):
    with pytest.raises(SimulationError, match=message):
        run(worker, body)
    assert run(worker, GOOD)["time"][-1] == pytest.approx(1e-3)


@pytest.mark.ngspice
def test_a_deck_that_fails_to_load_never_repeats_the_previous_one(worker):
    run(worker, GOOD)
    with pytest.raises(SimulationError, match="unknown subckt") as caught:
        run(worker, "X1 u x nothing\nR1 x 0 1000.0")
    assert "nothing" in caught.value.deck
    assert "unknown subckt" in caught.value.log


@pytest.mark.ngspice
def test_an_undefined_parameter_is_an_error_in_a_process_of_its_own():
    with Worker() as own, pytest.raises(SimulationError, match="ngspice"):
        run(own, "B1 x 0 V={nothing}*v(u)\nR1 x 0 1000.0")


@pytest.mark.ngspice
def test_a_deck_without_an_analysis_is_an_error(worker):
    with pytest.raises(SimulationError, match="0 plots instead of one"):
        run(worker, GOOD, tail="\n.save v(u) v(x)\n.end\n")


@pytest.mark.ngspice
def test_a_run_that_stops_early_is_an_error(worker):
    with pytest.raises(SimulationError, match="stopped at 0.0005 s, before 0.001 s"):
        run(worker, GOOD, tail=TAIL.replace("1e-3 0", "5e-4 0"))


@pytest.mark.ngspice
def test_an_endless_run_is_stopped_in_time():
    deck = HEAD + GOOD + TAIL.replace("1e-3 0", "1e3 0")
    with pytest.raises(SimulationError, match="no answer within 1 s"):
        ngspice.run(deck, Transient(1e3, 1e-6), timeout=1.0)


@pytest.mark.ngspice
def test_the_program_and_the_library_give_the_same_numbers(worker):
    library, program = run(worker, GOOD), ngspice.run_batch(HEAD + GOOD + TAIL, ANALYSIS)
    assert library.keys() == program.keys()
    for name in library:
        np.testing.assert_array_equal(library[name], program[name])


@pytest.mark.ngspice
def test_the_program_is_checked_like_the_library():
    with pytest.raises(SimulationError, match="unknown subckt"):
        ngspice.run_batch(HEAD + "X1 u x nothing\nR1 x 0 1000.0" + TAIL, ANALYSIS)


def test_a_missing_library_says_how_to_install_it(monkeypatch):
    monkeypatch.delenv("NGSPICE_LIBRARY_PATH", raising=False)
    monkeypatch.setattr("ctypes.util.find_library", lambda name: None)
    with pytest.raises(SimulatorMissing, match="apt-get install ngspice libngspice0.*exact engine"):
        ngspice.run(HEAD + GOOD + TAIL, ANALYSIS)


def test_harmless_notes_are_no_errors():
    notes = [
        "Note: No compatibility mode selected!",
        "Using SPARSE 1.3 as Direct Linear Solver",
        "Warning: singular matrix: check node y",
        "Note: Starting dynamic gmin stepping",
    ]
    assert ngspice.fatal_line(notes) is None


def test_the_first_fatal_line_is_named():
    assert (
        ngspice.fatal_line(["Note: x", "Error: unknown subckt: x1", "Fatal"]) == "Error: unknown subckt: x1"
    )


def test_vectors_are_named_as_decks_save_them():
    named = ngspice.named(
        {"time": np.zeros(1), "X0": np.zeros(1), "vin#branch": np.zeros(1), "v(y)": np.zeros(1)}
    )
    assert set(named) == {"time", "v(x0)", "i(vin)", "v(y)"}
