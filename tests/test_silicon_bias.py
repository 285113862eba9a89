"""Resistors and the bias of memories of transistors, in ngspice and in the exact engine."""

from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.altering import in_corner
from lmu_analog.silicon.devices import Mim, Mos, Resistor, SiliconCircuit, Voltage
from lmu_analog.silicon.draws import deviations, spread
from lmu_analog.silicon.ensemble import exact_engine, settle, with_ngspice
from lmu_analog.silicon.samples import Bench, Conditions
from lmu_analog.spice.worker import Worker
from tests.kits import needs_gf180

GF180 = pdk("gf180mcu")
FREQUENCY = 300.0 * np.arange(1, 11)


def stage() -> SiliconCircuit:
    """Draw an amplifier of one transistor, whose load is a strip of poly that a trim scales."""
    known = GF180.device("ppolyf_u")
    width, length, count = 0.8e-6, 990e-6, 4
    value = count * known.resistance(width, length)
    strip = Resistor(
        "B.r", "vdd", "x", value, "load", known.name, width, length, count, known.tc1, known.tc2, 25.0
    )
    devices = (
        Mos("B.m", "x", "u", GROUND, GROUND, "nmos_3p3", 2e-6, 45e-6, "pair"),
        Mim("C", "x", GROUND, "mim_2p0fF", 50e-6, 50e-6, "state"),
        strip,
    )
    sources = (
        Voltage("Vdd", "vdd", GROUND, 3.3, "supply"),
        Voltage("Vu", "u", GROUND, 1.3, "input"),
    )
    return SiliconCircuit(
        "gf180mcu", "stage", 1e-4, devices, sources, "Vu", ((Term("v", "x", 1.0),),), 1.0, ("B.r",)
    )


def test_resistors_are_where_the_kit_has_them() -> None:
    circuit = stage()
    (strip,) = circuit.resistors
    # 990 um less nothing over .8 um less 2 * 25.5 nm at 350 Ohm a square, and two ends of 60 Ohm um.
    assert strip.value == pytest.approx(4 * (350.0 * 990.0 + 120.0) / 0.749)
    assert strip.warm(125.0) == pytest.approx(1.0 - 90e-6 * 100.0 + 0.7e-6 * 100.0**2)
    (slow,) = in_corner(circuit, GF180, "ss").resistors
    assert slow.value == pytest.approx(4 * (420.0 * 990.0 + 120.0) / 0.749)
    with pytest.raises(CircuitError, match="no resistor corner 'fs'; corners are typical, ff, ss"):
        in_corner(circuit, GF180, "fs")
    found = spread(circuit, GF180)
    # Of a pair the coefficient is 2.1 % um.
    assert found.resistance[0] == pytest.approx(0.7071 * 0.021e-6 / np.sqrt(4 * 990e-6 * 0.8e-6), rel=1e-9)
    drawn = deviations(circuit, found, seed=1, samples=range(4))
    # The draws of what is there without it are the same.
    without = replace(circuit, devices=(*circuit.devices[:2], replace(strip, device="")))
    before = deviations(without, spread(without, GF180), seed=1, samples=range(4))
    np.testing.assert_array_equal(drawn.threshold, before.threshold)
    np.testing.assert_array_equal(drawn.process[:, : before.process.shape[1]], before.process)
    assert not before.resistance.any()


@needs_gf180
def test_both_engines_take_resistors() -> None:
    with Worker() as worker:
        at = Conditions(temperature=85.0, resistor="ff")
        bench = settle(Bench(stage(), find_pdk("gf180mcu"), FREQUENCY, at), worker)
        engine = exact_engine(bench, worker)
        found = spread(bench.circuit, GF180)
        drawn = deviations(bench.circuit, found, seed=1, samples=range(4))
        # What the process does to transistors is a fit, which other tests judge; here it is the strips' alone.
        strips = np.array(["poly" in name for name in found.process])
        assert strips.sum() == 3
        drawn = replace(drawn, process=np.where(strips, drawn.process, 0.0))
        trim = np.array([1.0, 0.95, 1.05, 1.0])
        one = with_ngspice(bench, worker)(drawn, trim)
        other = engine.samples(drawn, FREQUENCY, trim=trim)
    sure = np.isfinite(other.current)
    assert sure.sum() >= 3
    # Drops and gains go with the resistor, the gain with the transistor's own output conductance too, which is a fit.
    drop = 2.3 - one.offset[sure, 0]
    np.testing.assert_allclose(2.3 - other.offset[sure, 0], drop, rtol=1e-3)
    np.testing.assert_allclose(np.abs(other.states[sure, 0, 0]), np.abs(one.states[sure, 0, 0]), rtol=5e-3)
    # Of the same trim are the first and the last chip: what is left between their drops is what the strips have.
    assert abs(drop[-1] / drop[0] - 1.0) > 0.005
