"""Output resistance, bias current and input capacitance of op-amps: hand calculations, and ngspice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, DifferentialOpAmp, OpAmp, Resistor
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rules import check
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, Transient, deck, vector

ohms = st.floats(10.0, 1e6)
biases = st.floats(1e-15, 1e-6) | st.floats(-1e-6, -1e-15)
F = np.array([1.0, 1e3, 1e5, 1e7])  # Hz


def model(**figures):
    return OpAmpModel("part", **{"gain": 1e4, "gbw": 1e6, **figures})


def open_loop(part, f):
    wt = 2 * np.pi * part.gbw
    return wt / (2j * np.pi * f + wt / part.gain)


def inverting(part, r1, r2):
    parts = (
        Resistor("R1", "u", "g", r1, "in"),
        Resistor("R2", "g", "x", r2, "feedback"),
        OpAmp("U1", GROUND, "g", "x", part, "amplifier"),
    )
    return Circuit("by hand", "none", 1.0, parts, ((Term("v", "x", 1.0),),))


def buffer(part, load):
    parts = (OpAmp("U1", "u", "x", "x", part, "buffer"), Resistor("R1", "x", GROUND, load, "load"))
    return Circuit("by hand", "none", 1.0, parts, ((Term("v", "x", 1.0),),))


def differential(part):
    parts = (
        Resistor("R1", "u", "gp", 1e3, "in"),
        Resistor("R2", GROUND, "gn", 1.3e3, "in"),
        Resistor("R3", "gp", "xn", 4e3, "feedback"),
        Resistor("R4", "gn", "xp", 5e3, "feedback"),
        Resistor("R5", "xp", GROUND, 700.0, "load"),
        DifferentialOpAmp("U1", "gp", "gn", "xp", "xn", part, "amplifier"),
    )
    return Circuit("by hand", "none", 1.0, parts, ((Term("v", "xp", 1.0),), (Term("v", "xn", 1.0),)))


@given(r1=ohms, r2=ohms, bias=biases)
def test_a_bias_current_flows_through_the_feedback_resistor(r1, r2, bias):
    part = model(bias=bias)
    expected = bias * r2 / (1 + (1 + r2 / r1) / part.gain)
    found = extract(inverting(part, r1, r2)).offset
    np.testing.assert_allclose(found, [expected], rtol=1e-11)  # node equations of two unknowns


@given(load=ohms, resistance=ohms)
def test_an_output_resistance_divides_the_loop_gain_by_the_load(load, resistance):
    part = model(output_resistance=resistance)
    A = open_loop(part, F)
    found = frequency_response(extract(buffer(part, load)), F)[:, 0]
    np.testing.assert_allclose(found, A / (1 + A + resistance / load), rtol=1e-11)


@given(r1=ohms, r2=ohms, capacitance=st.floats(1e-13, 1e-9))
def test_an_input_capacitance_is_a_pole_in_the_loop(r1, r2, capacitance):
    part = model(input_capacitance=capacitance)
    A, s = open_loop(part, F), 2j * np.pi * F
    expected = -A / r1 / (1 / r1 + 1 / r2 + s * capacitance + A / r2)
    found = frequency_response(extract(inverting(part, r1, r2)), F)[:, 0]
    # The pole of 10 Ohm and 1e-13 F lies 1e11 above the first frequency.
    np.testing.assert_allclose(found, expected, rtol=1e-8)


ALL = model(output_resistance=90.0, bias=30e-9, input_capacitance=8e-12, offset=1e-3)
CIRCUITS = {
    "inverting": inverting(ALL, 1e3, 7e3),
    "buffer": buffer(ALL, 300.0),
    "differential": differential(ALL),
    "memory": build(
        Design(
            order=3,
            theta="1 ms",
            opamp={
                "gain": "80 dB", "gbw": "1 MHz", "offset": "1 mV", "rail": 1e6,
                "output_resistance": "90 Ohm", "bias": "30 nA", "input_capacitance": "8 pF",
            },
            supply=1e6,
            headroom=0.99,
            amplitude=1e4,
        )
    ),
}  # fmt: skip


def states(vectors, circuit):
    return np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)


@pytest.mark.ngspice
@pytest.mark.parametrize("name", CIRCUITS)
def test_ngspice_has_the_response_of_the_extracted_circuit(name):
    circuit = CIRCUITS[name]
    sweep = Sweep(7, 10.0, 1e7, "dec")
    vectors = ngspice.run(deck(circuit, sweep), sweep)
    expected = frequency_response(extract(circuit), np.real(vectors["frequency"]))
    # Both solve the same linear equations; the memory's tanh rails of 1e6 V are straight to 1e-9.
    np.testing.assert_allclose(states(vectors, circuit), expected, rtol=1e-6, atol=1e-9)


@pytest.mark.ngspice
@pytest.mark.parametrize("name", CIRCUITS)
def test_ngspice_rests_where_the_extracted_offset_says(name):
    circuit = CIRCUITS[name]
    analysis = Transient(1e-6, 1e-7)
    offset = states(ngspice.run(deck(circuit, analysis), analysis), circuit)[0]
    # Newton stops at 1e-8 V (vntol).
    np.testing.assert_allclose(offset, extract(circuit).offset, rtol=1e-6, atol=3e-8)


@pytest.mark.parametrize(("figures", "message"), [
    ({"output_resistance": -1.0}, r"^U1: output_resistance = -1; it must be finite and not negative$"),
    ({"input_capacitance": np.inf}, r"^U1: input_capacitance = inf; it must be finite and not negative$"),
    ({"bias": np.nan}, r"^U1: bias = nan; it must be finite$"),
    (
        {"bias": 1e-9, "gain": np.inf, "gbw": np.inf},
        r"^U1: an ideal op-amp has no bias, input capacitance or output resistance; give gain and gbw$",
    ),
])  # fmt: skip
def test_impossible_figures_are_refused(figures, message):
    with pytest.raises(CircuitError, match=message):
        check(inverting(model(**figures), 1e3, 1e3))
