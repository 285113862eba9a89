"""Transistors: the deck's current is the EKV formula, in every region and without overflow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Ammeter, Mosfet, Supply
from lmu_analog.circuits.devices.ekv import (
    NMOS,
    PMOS,
    drain_current,
    gate_drive,
    ratio_for,
    specific_current,
    transconductance,
)
from lmu_analog.circuits.devices.models import EkvModel
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import deck, transient
from lmu_analog.spice.netlist import netlist
from lmu_analog.stimulus import Recording

MODELS = (NMOS, PMOS, EkvModel("n"), EkvModel("p", threshold=0.3, slope=1.2, thermal=0.03))
models = st.sampled_from(MODELS)
GATE = Recording(1e-3, np.linspace(-5.0, 5.0, 101))


def swept(model: EkvModel, drain: float, source: float) -> Circuit:
    """One transistor whose gate is the input; the probe reads the current into its drain, in A."""
    parts = (
        Supply("Vd", "feed", "0", drain, "drain"),
        Ammeter("Vm", "feed", "d", "meter"),
        Supply("Vs", "s", "0", source, "source"),
        Mosfet("M1", "d", "u", "s", "0", 7.0, model, "device"),
    )
    return Circuit("by hand", "none", 1.0, parts, ((Term("i", "Vm", 1.0),),))


@pytest.mark.ngspice
@pytest.mark.parametrize("model", MODELS[:2])
@pytest.mark.parametrize(("drain", "source"), [(5.0, 0.0), (-5.0, 0.0), (0.0, 5.0), (5.0, -5.0), (0.1, 0.0)])
def test_the_deck_s_current_is_the_formula_from_minus_5_to_5_volts(model, drain, source):
    circuit = swept(model, drain, source)
    analysis = transient(circuit, GATE, settle=0.0)
    vectors = ngspice.run(deck(circuit, analysis, GATE), analysis)
    sign = 1.0 if model.kind == "n" else -1.0
    expected = [
        sign * drain_current(model, 7.0, (sign * gate, sign * source, sign * drain))
        for gate in vectors["v(u)"]
    ]
    # ngspice may stop when two iterations agree to reltol, 1e-5; gmin at 5 V and abstol are below 1e-14 A.
    np.testing.assert_allclose(vectors["i(vm)"], expected, rtol=2e-5, atol=2e-14)
    assert np.isfinite(expected).all()


@given(model=models, inversion=st.floats(1e-6, 1e3))
def test_the_gate_drive_gives_the_inversion_that_it_was_asked_for(model, inversion):
    volts = (model.threshold + gate_drive(model, inversion), 0.0, 100.0)
    # logaddexp and expm1 are good to a few ulp, which the weakest inversion multiplies by ln(1e6).
    assert drain_current(model, 3.0, volts) == pytest.approx(
        specific_current(model, 3.0) * inversion, rel=1e-9
    )


@given(model=models, current=st.floats(1e-12, 1e-3), inversion=st.floats(1e-6, 1e3))
def test_the_transconductance_is_the_slope_of_the_current(model, current, inversion):
    ratio = ratio_for(model, current, inversion=inversion)
    gate, step = model.threshold + gate_drive(model, inversion), 1e-5
    high, low = (drain_current(model, ratio, (gate + h, 0.0, 100.0)) for h in (step, -step))
    g = transconductance(model, current, specific_current(model, ratio))
    # (step/(n U_T))^2/6 is 1.4e-8.
    assert g == pytest.approx((high - low) / (2.0 * step), rel=1e-6)


@given(model=models, current=st.floats(1e-12, 1e-6))
def test_in_weak_inversion_the_current_is_an_exponential(model, current):
    g = transconductance(model, current, 1e8 * current)
    # sqrt(i)/2 with i = 1e-8.
    assert g == pytest.approx(current / (model.slope * model.thermal), rel=1e-4)


def test_devices_of_one_model_and_size_share_a_subcircuit_without_parameters():
    sizes = [(NMOS, 2.0), (NMOS, 2.0), (NMOS, 3.0), (PMOS, 2.0), (PMOS, 2.0)]
    parts = [Mosfet(f"M{k}", "d", "u", "0", "0", w, m, "device") for k, (m, w) in enumerate(sizes)]
    text = str(netlist(Circuit("by hand", "none", 1.0, tuple(parts), ())))
    cards = [line.split() for line in text.splitlines() if line.lower().startswith(".subckt")]
    assert len(cards) == 3
    assert {len(card) for card in cards} == {6}  # .subckt, name, four pins
    assert sum(line.startswith("X") for line in text.splitlines()) == 5
