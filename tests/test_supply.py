"""Supply rejection: amplifier by amplifier and transistor by transistor against ngspice, and what has none."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog import Design, build, extract
from lmu_analog.analysis.figures_of_merit import figures_of_merit
from lmu_analog.analysis.supply import Rejection, rejection, ripple, supply_ripple, worst_signs
from lmu_analog.circuits.components import OpAmp, Supply
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient, deck, vector
from lmu_analog.stimulus import sine

PART = {"gain": "90 dB", "gbw": "2 MHz", "psrr": "80 dB", "rail": "1e6 V"}


def spice_ripple(circuit, amplifier: OpAmp, sweep: Sweep) -> np.ndarray:
    """Sweep a source in series with one amplifier's input; (f, d).

    The source follows 1 A through a resistor and a coil: 1 + jf/f_c ohms, divided by the rejection.
    """
    corner = amplifier.model.gbw / amplifier.model.gain
    lines, name = [], f"X{amplifier.name[1:]}"
    for line in deck(circuit, sweep).splitlines():
        if line.split()[0] == name:
            _, _, *rest = line.split()
            line = " ".join([name, "rippled", *rest])
            lines.append(f"Eripple rippled {amplifier.plus} w 0 {10 ** (-amplifier.model.psrr / 20)!r}")
            lines += ["Iripple 0 w DC 0 AC 1", "Rripple w z 1", f"Lripple z 0 {1 / (2 * np.pi * corner)!r}"]
        lines.append(line.replace("DC 0 AC 1", "DC 0") if line.startswith("Vin ") else line)
    vectors = ngspice.run_batch("\n".join(lines) + "\n", sweep)
    return np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)


@pytest.mark.ngspice
@pytest.mark.parametrize("realization", ["cap-feedforward", "bus-ladder"])
def test_ngspice_passes_the_same_ripple_through_every_op_amp(realization: str):
    circuit = build(Design(order=3, theta="1 ms", realization=realization, opamp=PART))
    sweep = Sweep(5, 100.0, 500.0)
    found = ripple(circuit, np.linspace(100.0, 500.0, 5))
    amplifiers = [c for c in circuit.components if isinstance(c, OpAmp)]
    assert found.shape[-1] == len(amplifiers)
    for k, amplifier in enumerate(amplifiers):
        theirs = spice_ripple(circuit, amplifier, sweep)
        # .ac keeps 1e-6 of its largest voltage, and the smallest state is 1e-2 of the largest.
        np.testing.assert_allclose(found[:, :, k], theirs, rtol=1e-5, atol=1e-7 * np.abs(theirs).max())


def test_at_dc_ripple_is_an_offset():
    design = Design(order=4, theta="1 ms", opamp=PART)
    found = ripple(build(design), np.array([1e-6]))
    shifted = extract(build(design.replace(opamp={**PART, "offset": "1 V"}))).offset
    # Equal offsets everywhere; a millionth of a hertz is far below all corners.
    np.testing.assert_allclose(found[0].real.sum(axis=-1), 1e-4 * shifted, rtol=1e-9)


def test_the_worst_signs_are_the_worst_of_all_and_the_fall_is_that_of_the_open_loop():
    design = Design(order=6, theta="1 ms", realization="legendre", opamp=PART)
    circuit, found = build(design), rejection(design)
    assert found.note == "from the op-amps' psrr; worst signs of all of 12 op-amps"
    paths = ripple(circuit, np.arange(1, 51) / 50 * design.bandwidth)
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=12)))[
        :2048
    ]  # a half: their negatives do the same

    def decibels(states: np.ndarray) -> np.ndarray:
        # Legendre polynomials are orthogonal: the mean square over the window is a sum over states.
        power = np.abs(states) ** 2 @ (1.0 / (2.0 * np.arange(6) + 1.0))
        return -10.0 * np.log10(power.max(axis=-1))

    each = decibels(np.einsum("fdk,sk->sfd", paths, signs))
    assert found.psrr_worst == pytest.approx(each.min(), abs=1e-9)
    assert found.psrr_bound == found.psrr_worst
    assert found.psrr_one_sign == pytest.approx(each[0], abs=1e-9)
    assert found.psrr_worst < found.psrr < found.psrr_one_sign
    # 90 dB and 2 MHz have their corner at 63 Hz, the part below at 2 MHz: nothing falls in the band.
    flat = rejection(design.replace(opamp={**PART, "psrr_corner": "2 MHz"}))
    highest = design.bandwidth / (2e6 / 10**4.5)
    assert 0.0 < flat.psrr - found.psrr <= 20.0 * math.log10(math.hypot(1.0, highest)) + 1e-9
    better = rejection(design.replace(opamp={**PART, "psrr": "100 dB"}))
    assert better.psrr - found.psrr == pytest.approx(20.0, abs=1e-9)  # the ratio of the figures


def test_signs_of_many_op_amps_are_searched_and_bounded():
    found = rejection(Design(order=12, theta="1 ms", realization="legendre", opamp=PART))
    assert found.note == "from the op-amps' psrr; worst signs found by search of 24 op-amps"
    assert found.psrr_bound < found.psrr_worst < found.psrr


def test_the_largest_of_a_form_over_signs_is_found_and_bounded():
    random = np.random.default_rng(0)
    for _ in range(5):
        factor = random.standard_normal((4, 12))
        form = factor.T @ factor
        every = np.array(list(itertools.product((1.0, -1.0), repeat=12)))
        largest = np.einsum("sk,kl,sl->s", every, form, every).max()
        tried = worst_signs(form)
        assert tried.value == tried.bound == pytest.approx(largest)
        # Twice as many variables, of which the new ones do nothing: too many to try all.
        padded = np.pad(form, (0, 12))
        searched = worst_signs(padded)
        assert searched.value == pytest.approx(largest)
        assert searched.bound >= largest


@pytest.mark.ngspice
def test_a_supply_that_moves_shifts_a_dpi_as_far_as_its_sweep_says():
    design = Design(order=2, theta="1 ms", family="dpi")
    circuit = build(design)
    found, note = supply_ripple(circuit, design.bandwidth * np.array([1e-6, 2e-6, 3e-6]))
    assert note.startswith("by ngspice")

    def states(volts: float) -> np.ndarray:
        parts = tuple(
            replace(c, value=c.value + volts) if isinstance(c, Supply) and c.name == "Vdd" else c
            for c in circuit.components
        )
        moved, run = replace(circuit, components=parts), Transient(2e-5, 1e-5)
        vectors = ngspice.run_batch(deck(moved, run, sine(1.0, 1e-12)), run)
        return np.array([sum(t.factor * vectors[vector(t)][0] for t in p) for p in circuit.probes])

    moved = (states(1e-6) - states(-1e-6)) / 2e-6
    # rms over the window by orthogonality; the operating point is right to reltol 1e-5 of the bias.
    wanted = math.sqrt(float(moved**2 @ (1.0 / (2.0 * np.arange(2) + 1.0))))
    from_sweep = math.sqrt(float(np.trapezoid(found.gain.values[0] ** 2, found.delay.values)))
    assert from_sweep == pytest.approx(wanted, rel=0.05)


@pytest.mark.ngspice
def test_transistors_that_pass_nothing_say_so():
    ota = rejection(Design(order=2, theta="1 ms", family="gm-c", realization="legendre", level="transistor"))
    assert ota.psrr is None
    assert ota.note == "its transistors have no output conductance, and pass nothing from the supply"


@pytest.mark.parametrize(
    ("family", "opamp", "note"),
    [
        ("active-rc", "ideal", "its op-amps have no figure psrr"),
        ("passive-rlc", "ideal", "no op-amps, and no other model of it"),
        ("switched-capacitor", "OPA2192", "not modelled of sampled circuits"),
    ],
)
def test_a_family_without_a_model_says_so(family: str, opamp: str, note: str):
    found = rejection(Design(order=3, family=family, opamp=opamp))
    assert found == Rejection(None, None, None, None, note)


def test_figures_of_merit_carry_it():
    design = Design(order=3, theta="1 ms", opamp="OPA2192")
    found, alone = figures_of_merit(design), rejection(design)
    names = ("psrr", "psrr_one_sign", "psrr_worst", "psrr_bound")
    assert [getattr(found, name) for name in names] == [getattr(alone, name) for name in names]
    assert found.psrr_note == alone.note


def test_figures_beyond_sense_are_refused():
    for key, value, message in (
        ("psrr", "-3 dB", r"^\[circuit\] opamp: op-amp psrr = -3; it must be positive"),
        ("psrr", "400 dB", r"^\[circuit\] opamp: op-amp psrr = 400; at most 300 is accepted"),
        ("psrr_corner", "0 Hz", r"^\[circuit\] opamp: op-amp psrr_corner = 0; it must be positive"),
    ):
        with pytest.raises(DesignError, match=message):
            Design(opamp={**PART, key: value})


def test_a_simulator_that_fails_costs_this_figure_alone(monkeypatch):
    def refuse(*_, **__):
        raise SimulationError("ngspice: timestep too small")

    monkeypatch.setattr(ngspice, "run", refuse)
    found = rejection(Design(order=2, theta="10 ms", family="dpi", realization="unit-weight"))
    assert found.psrr is None
    assert found.note == "not found: ngspice: timestep too small"
