"""Electrical rules: each refuses a made-up circuit that breaks it, and lets its repair pass."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.models import IDEAL, OpAmpModel
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.rules import check
from lmu_analog.errors import CircuitError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize

pytestmark = pytest.mark.usefixtures("any_coordinates")  # large orders, and claims of all coordinates

PROBES = ((Term("v", "x", 1.0),),)
GOOD = (
    Resistor("Rin", "u", "g", 1e3, "input"),
    Resistor("Rfb", "g", "x", 1e3, "leak"),
    Capacitor("C1", "g", "x", 1e-9, "integrator"),
    OpAmp("U1", "0", "g", "x", IDEAL, "integrator"),
    Transconductor("G1", "y", "x", "0", 1e-3, "weight"),
    Inductor("L1", "y", "0", 1e-3, "load"),
)


def circuit(*extra, without=(), probes=PROBES):
    parts = tuple(c for c in GOOD if c.name not in without)
    return Circuit("by hand", "none", 1.0, (*parts, *extra), probes)


def with_model(**changes):
    usual = {"gain": 1e5, "gbw": 1e6}
    return circuit(
        OpAmp("U1", "0", "g", "x", OpAmpModel("part", **{**usual, **changes}), "i"), without=["U1"]
    )


BROKEN = {
    "a name twice": (
        circuit(Resistor("Rin", "u", "x", 1.0, "r")),
        r"^two components are named 'Rin'; names must be unique$",
    ),
    "a name twice for a simulator that knows no case": (
        circuit(Resistor("RIN", "u", "x", 1.0, "r")),
        r"^two components are named '(Rin|RIN)'; names must be unique$",
    ),
    "the letter of another kind": (
        circuit(Resistor("C9", "u", "x", 1.0, "r")),
        r"^component 'C9' must be named R followed by letters, digits and _$",
    ),
    "a sign in a name": (
        circuit(Resistor("R[1]", "u", "x", 1.0, "r")),
        r"^component 'R\[1\]' must be named R followed by",
    ),
    "a value of zero": (
        circuit(Resistor("R9", "u", "x", 0.0, "r")),
        r"^R9 = 0; it must be positive and finite$",
    ),
    "a negative value": (
        circuit(Capacitor("C9", "u", "x", -1e-9, "c")),
        r"^C9 = -1e-09; it must be positive",
    ),
    "no number": (
        circuit(Inductor("L9", "u", "x", math.nan, "l")),
        r"^L9 = nan; it must be positive and finite",
    ),
    "an infinite value": (
        circuit(Transconductor("G9", "x", "u", "0", math.inf, "g")),
        r"^G9 = inf; it must be positive and finite$",
    ),
    "no gain": (with_model(gain=0.0), r"^U1: gain = 0; it must be positive$"),
    "a negative band": (with_model(gbw=-1e6), r"^U1: gbw = -1e\+06; it must be positive$"),
    "no slew rate": (with_model(slew=0.0), r"^U1: slew = 0; it must be positive$"),
    "a rail that is no number": (with_model(rail=math.nan), r"^U1: rail = nan; it must be positive$"),
    "a lowest output above ground": (with_model(lowest=1.0), r"^U1: lowest = 1; it must be negative$"),
    "an output without current": (
        with_model(output_current=0.0),
        r"^U1: output_current = 0; it must be positive$",
    ),
    "an empty input range": (
        with_model(common_mode=(1.0, -1.0)),
        r"^U1: common_mode = \(1, -1\); the first must be below the second$",
    ),
    "an infinite offset": (with_model(offset=math.inf), r"^U1: offset = inf; it must be finite$"),
    "a finite gain without a band": (
        with_model(gbw=math.inf),
        r"^U1: a finite gain needs a finite gbw; give both, or neither$",
    ),
    "a shorted resistor": (
        circuit(Resistor("R9", "g", "g", 1.0, "r")),
        r"^R9 has both ends on net 'g'$",
    ),
    "shorted inputs": (
        circuit(OpAmp("U9", "x", "x", "z", IDEAL, "o"), Resistor("R9", "z", "0", 1.0, "r")),
        r"^U9 has both ends on net 'x'$",
    ),
    "an output on ground": (
        circuit(OpAmp("U9", "x", "g", "0", IDEAL, "o")),
        r"^the output of U9 is shorted to ground on net '0'$",
    ),
    "an output on the input": (
        circuit(OpAmp("U9", "x", "g", "u", IDEAL, "o")),
        r"^the output of U9 is shorted to the input on net 'u'$",
    ),
    "two outputs on one net": (
        circuit(OpAmp("U9", "u", "g", "x", IDEAL, "o")),
        r"^the output of U9 is shorted to U1 on net 'x'$",
    ),
    "a loose end": (
        circuit(Resistor("R9", "x", "nowhere", 1.0, "r")),
        r"^net 'nowhere' has a single connection; connect it or remove the component$",
    ),
    "an input that drives nothing": (circuit(without=["Rin"]), r"^the input net 'u' drives nothing$"),
    "a net behind capacitors": (
        circuit(Capacitor("C8", "x", "z", 1e-9, "c"), Capacitor("C9", "z", "0", 1e-9, "c")),
        r"^net 'z' floats: it has no DC path to ground; add a resistor$",
    ),
    "a transconductor without a load": (
        circuit(Capacitor("C9", "y", "0", 1e-9, "c"), without=["L1"]),
        r"^net 'y' floats: it has no DC path",
    ),
    "a probe of a missing net": (
        circuit(probes=(*PROBES, (Term("v", "w", 1.0),))),
        r"^probe m1 reads v\(w\), which the circuit lacks$",
    ),
    "a probe of a missing part": (
        circuit(probes=((Term("i", "L7", 1.0),),)),
        r"^probe m0 reads i\(L7\), which the circuit lacks$",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_rule_is_refused_and_named(fault):
    broken, message = BROKEN[fault]
    with pytest.raises(CircuitError, match=message):
        check(broken)


def test_a_good_circuit_comes_back_as_it_is():
    good = circuit()
    assert check(good) is good


@pytest.mark.parametrize(
    "repaired",
    [
        circuit(Resistor("R9", "u", "x", 1.0, "r")),
        circuit(Capacitor("C8", "x", "z", 1e-9, "c"), Resistor("R9", "z", "0", 1.0, "r")),
        circuit(Capacitor("C9", "y", "0", 1e-9, "c")),
        circuit(probes=((Term("v", "x", 1.0), Term("i", "L1", 2.0), Term("v", "0", 1.0)),)),
        with_model(),
        with_model(offset=-1e-3, rail=5.0, slew=1e6),
        with_model(gain=math.inf),
    ],
)
def test_the_repair_of_a_broken_rule_passes(repaired):
    assert check(repaired) is repaired


@pytest.mark.parametrize(("family", "name"), [(f, r) for f, t in FAMILIES.items() for r in t.realizations])
@settings(max_examples=8)  # for each of many pairs
@given(order=st.integers(1, 16), c=st.floats(1e-15, 1e-3))
def test_every_family_writes_circuits_that_obey_the_rules(family, name, order, c):
    made = realize(legendre(order, 1e-3), name)
    built = FAMILIES[family].build(
        made, np.ones(made.structure.variables), Options(capacitance=c, opamp=IDEAL)
    )
    assert check(replace(built)) == built
