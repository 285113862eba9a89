"""Resistors and the bias of memories of transistors, in ngspice and in the exact engine."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.silicon.altering import in_corner
from lmu_analog.silicon.bias import GENERATORS, Generator, asked_resistance, bias
from lmu_analog.silicon.cells import Devices, Sizing, differential_pair
from lmu_analog.silicon.deck import element_lines
from lmu_analog.silicon.devices import Mim, Mos, Resistor, SiliconCircuit, Voltage, with_junctions
from lmu_analog.silicon.draws import deviations, spread
from lmu_analog.silicon.ensemble import exact_engine, nominal_chip, settle, with_ngspice
from lmu_analog.silicon.noise import noise
from lmu_analog.silicon.samples import Bench, Conditions
from lmu_analog.spice.session import Session, Waveforms
from lmu_analog.spice.worker import Worker
from tests.kits import needs_gf180

GF180 = pdk("gf180mcu")
FREQUENCY = 300.0 * np.arange(1, 11)


def stage() -> SiliconCircuit:
    """Draw an amplifier, whose load is a strip of poly that a trim scales, and a transistor that is off beside it."""
    known = GF180.device("ppolyf_u")
    width, length, count = 0.8e-6, 990e-6, 4
    value = count * known.resistance(width, length)
    strip = Resistor(
        "B.r", "vdd", "x", value, "load", known.name, width, length, count, known.tc1, known.tc2, 25.0
    )
    devices = (
        Mos("B.m", "x", "u", GROUND, GROUND, "nmos_3p3", 2e-6, 45e-6, "pair"),
        Mos("B.off", "x", GROUND, GROUND, GROUND, "nmos_3p3", 0.25e-6, 5e-6, "start-up"),
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
    without = replace(circuit, devices=(*circuit.devices[:-1], replace(strip, device="")))
    before = deviations(without, spread(without, GF180), seed=1, samples=range(4))
    np.testing.assert_array_equal(drawn.threshold, before.threshold)
    np.testing.assert_array_equal(drawn.process[:, : before.process.shape[1]], before.process)
    assert not before.resistance.any()


def test_junctions_are_rectangles_as_wide_as_the_gate() -> None:
    card = next(line for line in element_lines(with_junctions(stage(), 0.5e-6)) if line.startswith("xb_m"))
    given = dict(part.split("=") for part in card.split()[6:])
    assert {key: float(value) for key, value in given.items()} == pytest.approx(
        {"w": 2e-6, "l": 45e-6, "ad": 1e-12, "as": 1e-12, "pd": 5e-6, "ps": 5e-6}
    )
    assert not any("ad=" in line for line in element_lines(stage()))


@needs_gf180
def test_both_engines_take_resistors() -> None:
    with Worker() as worker:
        at = Conditions(temperature=-20.0, resistor="ff")
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


SIZING = Sizing(6e-12, 0.0539, 4.285, 45e-6, 45e-6, 45e-6, 45e-6, cascode_ratio=0.6, triode_ratio=0.8)
DEVICES = Devices(GF180.device("nmos_3p3"), GF180.device("pmos_3p3"), SIZING)


@needs_gf180
def test_the_noise_of_a_resistor_is_its_own() -> None:
    with Worker() as worker:
        bench = settle(Bench(stage(), find_pdk("gf180mcu"), FREQUENCY), worker)
        found = noise(bench, worker, bandwidth=3e3)
    power = found.density[0, 0, 0, found.names.index("B.r")]
    (strip,) = bench.circuit.resistors
    value = strip.value * strip.warm(27.0)
    # 4 k T R; the transistor's output resistance beside it takes some hundredths of the voltage.
    assert power == pytest.approx(4.0 * 1.380649e-23 * 300.15 * value, rel=0.1)


def test_the_resistor_is_that_of_both_limits_of_inversion() -> None:
    made = Generator(ratio=3)
    gm = 4e-6 / SIZING.width_per_siemens
    strong = replace(SIZING, density=100.0 * SIZING.density)
    weak = replace(SIZING, density=1.5 * 0.0259 / SIZING.width_per_siemens)
    # The root of the inversion coefficient is 360 in one, 4e-3 in the other: either limit is off by less than that.
    found = asked_resistance(replace(DEVICES, sizing=strong), made, 4e-6)
    assert found == pytest.approx(2.0 * (1.0 - 1.0 / math.sqrt(3.0)) / gm, rel=5e-3)
    found = asked_resistance(replace(DEVICES, sizing=weak), made, 4e-6)
    assert found == pytest.approx(math.log(3.0) / gm, rel=5e-3)


def test_strip_and_gates_of_the_generator_have_the_least_area() -> None:
    def area(generator: Generator) -> float:
        return sum(x.area for x in bias(DEVICES, generator=generator, pdk=GF180).devices)

    for made in (Generator(), Generator(denser=0.25, length=10e-6)):
        assert area(made) <= min(area(replace(made, units=k)) for k in range(1, 12))
    with pytest.raises(DesignError, match="the bias has a resistor ppolyf_u, and no process kit"):
        bias(DEVICES, generator=Generator())


def biased(generator: Generator | None) -> SiliconCircuit:
    """Draw a pair with its bias, and ideal loads whose voltage is that of the states."""
    made = bias(DEVICES, generator=generator, pdk=GF180)
    pair = differential_pair(DEVICES, "G", inputs=("up", "vcm"), outputs=("xp", "xn"), width=2e-6)
    loads = tuple(Resistor(f"R{net}", net, GROUND, 7e6, "load") for net in ("xp", "xn"))
    sources = (
        Voltage("Vdd", "vdd", GROUND, SIZING.supply, "supply"),
        Voltage("Vcm", "vcm", GROUND, SIZING.common, "common-mode voltage"),
        Voltage("Vu", "up", GROUND, SIZING.common, "input"),
        *made.sources,
    )
    probe = (Term("v", "xp", 1.0), Term("v", "xn", -1.0))
    start = (("pb", 2.1), ("vb", 1.0), *made.starts)
    parts = (*made.devices, *pair, *loads)
    return SiliconCircuit("gf180mcu", "pair", 1e-4, parts, sources, "Vu", (probe,), 0.0, (made.trim,), start)


@needs_gf180
def test_the_generator_holds_transconductances_where_an_ideal_current_does_not() -> None:
    places = [
        Conditions(),
        Conditions(temperature=-40.0),
        Conditions(temperature=125.0),
        Conditions("ss", supply=0.9),
        Conditions("ff", supply=1.1),
    ]
    with Worker() as worker:

        def gains(generator: Generator | None, factor: float) -> np.ndarray:
            found = []
            for at in places:
                bench = Bench(biased(generator), find_pdk("gf180mcu"), FREQUENCY[:1], at)
                states = with_ngspice(bench, worker)(nominal_chip(bench), np.array([factor])).states
                found.append(abs(states[0, 0, 0]))
            return np.array(found)

        ideal, held, more = gains(None, 1.0), gains(GENERATORS["constant-gm"], 1.0), None
        places = places[:1]
        more = gains(GENERATORS["constant-gm"], 1.1)
    # Mobility alone is 15 % either way; the generator leaves what short of a square law there is.
    assert ideal.max() / ideal.min() > 1.3
    assert np.abs(held / held[0] - 1.0).max() < 0.012
    # What it is at 27 C is that of the density that the pairs are drawn for, but for the guess of the resistor.
    assert held[0] == pytest.approx(ideal[0], rel=0.03)
    # The conductance of the resistor is what a trim scales, and every transconductance with it.
    assert more[0] / held[0] == pytest.approx(1.1, rel=0.01)


def rising(lines: list[str], volts: float) -> Waveforms:
    """Let the supply rise from nothing in 10 us and fall by a twentieth at 150 us."""
    supply = f"Vvdd vdd 0 pwl(0 0 10u {volts} 150u {volts} 151u {0.95 * volts})"
    deck = [supply if line.lower().startswith("vvdd ") else line for line in lines]
    deck = [re.sub(r"^\.options .*", ".options gmin=1e-14 abstol=1e-13", line) for line in deck]
    deck = [line for line in deck if not line.startswith(".nodeset")]
    with Session(deck) as session:
        return session.transient(["vdd", "rs", "b_st"], start=0.0, stop=250e-6, step=2e-6)


@needs_gf180
@pytest.mark.parametrize("generator", [GENERATORS["constant-gm"]])
def test_the_generator_starts_from_nothing_and_does_not_ring(generator: Generator) -> None:
    bench = Bench(biased(generator), find_pdk("gf180mcu"), FREQUENCY[:1])
    with Worker() as worker:
        waves = worker.call(rising, (bench.lines, 3.3), timeout=120.0)
        settled = dict(settle(bench, worker).circuit.nodeset)
    drop = waves.volts[:, 0] - waves.volts[:, 1]
    wanted = 3.3 - settled["rs"]
    assert wanted > 0.1
    # It is not the state without current; 140 us after the ramp it is settled, and so it is 100 us after the step.
    before = np.interp([140e-6, 250e-6], waves.time, drop)
    np.testing.assert_allclose(before, wanted, rtol=5e-3)
    # Off, the start-up takes no current from the pair.
    assert waves.volts[-1, 2] < 0.05
    after = drop[waves.time > 151e-6]
    assert after.max() < 1.05 * wanted
