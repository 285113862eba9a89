"""OTAs of transistors: the tanh of a differential pair, and a gm-C memory built of them."""

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Ammeter, Mosfet, Transconductor
from lmu_analog.circuits.families.ota import LIMIT, ota, rails, tail_current
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.mismatch.law import sample_circuit
from lmu_analog.simulation import simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, transient, vector
from lmu_analog.stimulus import Recording

RAMP = Recording(1e-3, np.linspace(-0.2, 0.2, 401))


def design(**changes: object) -> Design:
    asked = Design(order=3, theta="1 ms", family="gm-c", realization="ladder", capacitance="10 pF")
    return asked.replace(level="transistor", **changes)


@pytest.mark.ngspice
@pytest.mark.parametrize("g", [1e-10, 1e-8, 1e-6])
def test_one_ota_gives_the_tanh_of_a_pair_in_weak_inversion(g):
    wanted = Transconductor("Gx", "y", "u", "0", g, "one")
    parts = (*rails(5.0, tail_current(g)), *ota(wanted), Ammeter("Vy", "y", "0", "load"))
    circuit = Circuit("by hand", "none", 1.0, parts, ((Term("i", "Vy", 1.0),),))
    analysis = transient(circuit, RAMP, settle=0.0)
    vectors = ngspice.run(deck(circuit, analysis, RAMP), analysis)
    expected = g * LIMIT * np.tanh(vectors["v(u)"] / LIMIT)
    # sqrt(i)/2 = 1.6 %: the slope is set for it, the limit is that much above the ideal.
    np.testing.assert_allclose(vectors["i(vy)"], expected, atol=0.03 * g * LIMIT)
    small = np.abs(vectors["v(u)"]) < 2.5e-3
    volts, amperes = vectors["v(u)"][small], vectors["i(vy)"][small]
    # tanh compresses by (v/limit)^2/3 = 0.04 %, and ngspice's reltol of the tail current is as much of this.
    assert volts @ amperes / (volts @ volts) == pytest.approx(g, rel=2e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize("realization", ["cap-feedforward"])  # the one whose currents nearly cancel
def test_a_memory_of_transistors_is_its_behavioural_model_at_small_signal(realization):
    plain = design(realization=realization)
    # The end of the band, where states turn most: it repeats after 4 theta, the band's ten tones after 38.
    asked = plain.replace(tones=[[plain.bandwidth, 0.44, 0.14]])
    behavioural, transistors = (
        simulate(d, engine="ngspice") for d in (asked.replace(level="behavioural"), asked)
    )
    # 5 mV of a 70 mV limit: tanh is 0.17 % off at the peak. Measured: 0.075 % over the window.
    assert float(transistors.reference_nrmse) < 0.0015
    assert abs(float(transistors.window_nrmse) - float(behavioural.window_nrmse)) < 1e-4
    np.testing.assert_allclose(transistors.states, behavioural.states, atol=2e-3)


@pytest.mark.ngspice
@pytest.mark.parametrize("realization", ["legendre", "ladder", "rlc-ladder"])
def test_the_small_signal_response_is_the_behavioural_circuit_s(realization):
    circuit, sweep = build(design(realization=realization)), Sweep(5, 100.0, 1000.0)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    # The tails are set for the exact slope; devices out of saturation leave e^-15, ngspice 1e-5.
    np.testing.assert_allclose(
        states, frequency_response(extract(circuit), vectors["frequency"].real), atol=2e-4
    )


@pytest.mark.ngspice
def test_a_tail_that_deviates_changes_transistors_and_equivalent_alike():
    asked = design(mismatch={"transconductor": "20 %", "capacitor": "5 %"})
    circuit, sweep = sample_circuit(asked, seed=1, index=3), Sweep(5, 100.0, 1000.0)
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
    frequency = vectors["frequency"].real
    expected, nominal = (frequency_response(extract(c), frequency) for c in (circuit, build(asked)))
    assert np.abs(expected - nominal).max() > 0.05
    # g goes with I_tail but for sqrt(i)/4 = 0.8 % of a change of some percent.
    np.testing.assert_allclose(states, expected, atol=2e-3)


def test_the_small_signal_equivalent_is_the_behavioural_circuit():
    asked = design(realization="legendre")
    circuit, plain = build(asked), build(asked.replace(level="behavioural"))
    assert circuit.small_signal == plain
    devices = [c for c in circuit.components if isinstance(c, Mosfet)]
    amplifiers = [c for c in plain.components if isinstance(c, Transconductor)]
    assert len(devices) == 5 * len(amplifiers) + 1
    assert simulate(asked).attrs["model"] == "small-signal"
    assert "model" not in simulate(asked.replace(level="behavioural")).attrs


def test_a_supply_without_room_is_refused():
    asked = design(supply="0.8 V")
    with pytest.raises(
        CircuitError, match=r"^gm-c: \+-0\.8 V leave the OTA's transistors no room; give 1 V or more$"
    ):
        build(asked)
