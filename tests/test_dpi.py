"""Differential-pair integrators: time constants, a memory at transistor level, and its small-signal equivalent."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term, reading_taps, small_signal_values, with_values
from lmu_analog.circuits.components import Bias, Mosfet, Supply, Transconductor
from lmu_analog.circuits.families.dpi import (
    VDD,
    Filter,
    dpi,
    integrator,
    leak_for,
    operating_point,
    output,
    time_constant,
)
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import CircuitError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.simulation import simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient, deck, vector

LEAK = 1e-9
MISMATCH = {"transconductor": "1 %", "tau": "1 %"}


def design(order: int, **changes: object) -> Design:
    asked = Design(order=order, theta="1 ms", family="dpi", capacitance="10 pF", supply="3.3 V")
    return asked.replace(**changes)


def single(f: Filter) -> Circuit:
    """One filter on its own, whose input is a current of 1e-12 S u beside the bias; the probe is its gain."""
    parts = (
        Supply("Vdd", VDD, "0", f.supply, "supply"),
        *integrator(f),
        *output(f),
        Bias("Iin_0", VDD, "in_0", f.bias, "bias"),
        Transconductor("Gin_0", "in_0", "u", "0", 1e-12, "input"),
    )
    start = tuple(pair for pair in operating_point(f) if not pair[0].startswith("neg"))
    return Circuit("by hand", "none", 1.0, parts, ((Term("i", "Vout_0", 1e12),),), operating_point=start)


def ac(circuit: Circuit, sweep: Sweep) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies, Hz, and the response of the states in ngspice, (f, d)."""
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = [sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes]
    return vectors["frequency"].real, np.stack(states, axis=-1)


def offsets(circuit: Circuit) -> np.ndarray:
    """States of the operating point in ngspice, (d,)."""
    analysis = Transient(1e-6, 1e-6)
    vectors = ngspice.run(deck(circuit, analysis), analysis)
    return np.array([sum(t.factor * vectors[vector(t)][0] for t in p) for p in circuit.probes])


@pytest.mark.ngspice
@pytest.mark.parametrize("ratio", [2.0, 3.0, 5.0, 10.0, 20.0])
def test_the_time_constant_is_the_exact_small_signal_formula_over_a_decade_of_bias(ratio):
    f = Filter(0, 1e-12, ratio * LEAK, LEAK, 3.3)
    expected = time_constant(1e-12, f.bias, LEAK)
    corner = 1.0 / (2.0 * np.pi * expected)
    frequency, response = ac(single(f), Sweep(3, 0.5 * corner, 2.0 * corner))
    measured = -response[:, 0].imag / response[:, 0].real / (2.0 * np.pi * frequency)
    # sqrt(i)/2 at I_B, i = 1e-3, is 1.6 %; where the textbook's C n U_T/I_tau is 5 to 50 % off.
    np.testing.assert_allclose(measured, expected, rtol=0.02)
    assert measured[0] > (1.0 + 0.9 / ratio) * time_constant(1e-12, 1e6 * LEAK, LEAK)


@pytest.mark.ngspice
@pytest.mark.parametrize("leak", [1e-10, 1e-9])
def test_with_the_inversion_corrected_gain_and_time_constant_are_as_asked(leak):
    bias, tau = 20.0 * leak, time_constant(1e-12, 20.0 * leak, leak)
    f = Filter(0, 1e-12, bias, leak_for(tau, 1e-12, bias=bias), 3.3)
    frequency, response = ac(single(f), Sweep(3, 0.1 / tau, 0.3 / tau))
    # What is left are diodes that are not fully saturated: e^(-0.46 V/U_T) = 2e-8, and ngspice's 1e-5.
    np.testing.assert_allclose(response[:, 0], 1.0 / (1.0 + 2j * np.pi * frequency * tau), rtol=1e-4)


@pytest.mark.parametrize("order", [1, 3, 6, 12])
def test_the_small_signal_equivalent_is_the_memory_and_has_no_offset(order):
    system = extract(build(design(order)))
    ideal = legendre(order, 1e-3)
    np.testing.assert_allclose(system.A, ideal.A, atol=1e-9 * np.abs(ideal.A).max())
    np.testing.assert_allclose(system.B, ideal.B, rtol=1e-9)
    # Biases are some volts in the small-signal equivalent and cancel to the twelfth digit of values.
    np.testing.assert_allclose(0.0 if system.offset is None else system.offset, 0.0, atol=1e-10)


@pytest.mark.ngspice
@pytest.mark.parametrize("order", [3, 6])
def test_the_transistors_ac_response_is_that_of_the_small_signal_equivalent(order):
    circuit = reading_taps(build(design(order, taps=[0.5, {"r": 1.0, "gain": 0.5}])))
    frequency, states = ac(circuit, Sweep(5, 100.0, 1000.0))
    assert states.shape[1] == order + 2
    # Time constants are corrected for the inversion; diodes and ngspice leave 1e-5, times gains of some ten.
    np.testing.assert_allclose(states, frequency_response(extract(circuit), frequency), atol=5e-4)


@pytest.mark.ngspice
def test_an_order_4_memory_reconstructs_its_window_at_transistor_level():
    plain = design(4)
    # The middle and the end of the band repeat after 8 theta, the band's ten tones after 21.
    middle, end = plain.bandwidth / 2.0, plain.bandwidth
    asked = plain.replace(tones=[[middle, 0.3, 0.0], [end, 0.2, 0.14]])
    linear, transistors = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    assert linear.attrs["model"] == "small-signal"
    assert "model" not in transistors.attrs
    # sqrt(i) = 3 % of curvature times a depth of a quarter is 0.8 %; its first order cancels around the loop.
    # Measured: 0.26 % between the two, window errors 1.57 and 1.54 %.
    distance = np.sqrt(
        ((transistors.states - linear.states) ** 2).mean("time") / (linear.states**2).mean("time")
    )
    assert float(distance.max()) < 0.006
    assert float(transistors.reference_nrmse) < 0.003
    assert float(transistors.window_nrmse) < 1.04 * float(linear.window_nrmse)


@pytest.mark.ngspice
def test_a_mirror_that_deviates_shifts_transistors_and_equivalent_alike():
    asked = design(3, mismatch={"transconductor": "3 %"}, taps=[0.25])
    circuit = reading_taps(sample_circuit(asked, seed=2, index=4))
    shift = extract(circuit).offset
    assert np.abs(shift).max() > 0.01  # V: a percent of a bias that stands for 2 V
    # Without a signal currents just add: what is left is ngspice's reltol, 1e-5 of a bias that stands for 2 V.
    np.testing.assert_allclose(offsets(circuit), shift, atol=5e-5)


@pytest.mark.ngspice
def test_capacitors_that_deviate_change_transistors_and_equivalent_alike():
    circuit = sample_circuit(design(3, mismatch={"tau": "20 %"}), seed=2, index=4)
    frequency, states = ac(circuit, Sweep(5, 100.0, 1000.0))
    expected = frequency_response(extract(circuit), frequency)
    nominal = frequency_response(legendre(3, 1e-3), frequency)
    assert np.abs(expected - nominal).max() > 0.02
    np.testing.assert_allclose(states, expected, atol=5e-4)  # as for the nominal circuit


def test_monte_carlo_in_the_exact_engine_runs_on_the_small_signal_equivalent():
    run = monte_carlo(design(4, mismatch=MISMATCH), 40, seed=1)
    exact = monte_carlo(design(4, mismatch={"transconductor": "0 %"}), 2, seed=1)
    nominal = float(simulate(design(4)).window_nrmse)
    np.testing.assert_allclose(exact.window_nrmse, nominal, rtol=1e-9)  # an exact law leaves the circuit
    assert (run.status == 0).all()
    assert float(run.window_nrmse.mean()) > 1.05 * nominal


@pytest.mark.ngspice
def test_monte_carlo_in_ngspice_runs_the_transistors():
    asked = design(3, mismatch=MISMATCH, signal="sine", bandwidth="400 Hz")
    exact, transistors = (monte_carlo(asked, 2, seed=1, engine=e, workers=1) for e in ("exact", "ngspice"))
    assert (transistors.status == 0).all()
    # As for the nominal memory, 0.2 % of rms(u), at worst all of it in the direction of the error.
    np.testing.assert_allclose(transistors.window_nrmse, exact.window_nrmse, atol=3e-3)


def test_weights_are_unit_mirrors_and_every_state_has_its_own_filter():
    circuit = build(design(4))
    mirrors = [c for c in circuit.components if isinstance(c, Mosfet) and c.classes]
    assert len(mirrors) == 12
    assert len({c.value for c in mirrors if c.model.kind == "n"}) == 1
    assert len({c.value for c in mirrors if c.model.kind == "p"}) == 1
    inputs = [c for c in circuit.components if isinstance(c, Transconductor)]
    assert len(inputs) == 4
    followed = {p.name.replace("Gw", "Mw") for p in circuit.small_signal.parameters if p.classes}
    assert followed == {p.name for p in circuit.parameters if p.classes}


@pytest.mark.parametrize("order", [1, 3, 6, 12])
def test_taps_are_mirrors_as_wide_as_their_weights(order):
    circuit, plain = build(design(order, taps=[0.25])), build(design(order))
    assert set(plain.components) <= set(circuit.components)
    # Legendre polynomials at 2 r - 1.
    (weights,) = np.polynomial.legendre.legvander(np.array([-0.5]), order - 1)
    assert np.count_nonzero(weights) == order
    units = {
        c.model.kind: c.value for c in circuit.components if isinstance(c, Mosfet) and c.name.startswith("Mw")
    }
    for j, weight in enumerate(weights):
        mirror = next(c for c in circuit.components if c.name == f"Mtap1_{j}")
        assert isinstance(mirror, Mosfet)
        assert mirror.model.kind == ("p" if weight > 0.0 else "n")
        if units:
            assert mirror.value == pytest.approx(abs(weight) * units[mirror.model.kind])
    f = np.linspace(0.1, 1.0, 4) * order / 6e-3
    found = extract(reading_taps(circuit))
    states = frequency_response(legendre(order, 1e-3), f)
    np.testing.assert_allclose(frequency_response(found, f), np.c_[states, states @ weights], atol=1e-9)
    np.testing.assert_allclose(found.offset, 0.0, atol=1e-10)  # biases are taken out of taps, too


def test_the_state_of_order_1_shows_every_delay_as_a_current():
    circuit = build(design(1, taps=[{"r": 0.5, "gain": "native"}]))
    assert [(t.net, [(s.kind, s.of) for s in t.terms], t.gain) for t in circuit.taps] == [
        ("out_0", [("i", "Vout_0")], pytest.approx(1.0))
    ]
    assert "mid" not in circuit.nets


def test_a_supply_without_room_is_refused():
    made = realize(legendre(3, 1e-3), "unit-weight")
    with pytest.raises(
        CircuitError, match=r"^dpi: a supply of 1 V leaves its transistors no room; give 1\.5 V or more$"
    ):
        dpi(made, np.ones(3), replace(Options(), supply=1.0))


def test_a_linear_circuit_has_no_small_signal_equivalent():
    circuit = build(design(2, family="rc-synapse", realization="unit-weight"))
    with pytest.raises(
        CircuitError, match=r"^a rc-synapse circuit has no small-signal equivalent: it is linear"
    ):
        small_signal_values(circuit, circuit.values)


def test_replacing_values_moves_the_equivalent_in_proportion():
    circuit = build(design(3))
    moved = with_values(circuit, 1.25 * circuit.values)
    was, now = ({p.name: p.nominal for p in c.small_signal.parameters} for c in (circuit, moved))
    # Resistors and biases of the equivalent stand for no one device of the circuit, so they stay.
    expected = {k: v * (1.25 if k[0] in "CG" else 1.0) for k, v in was.items()}
    assert now == pytest.approx(expected, rel=1e-12)
