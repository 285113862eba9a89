"""What signals ask of active parts, against ammeters in both engines, and the warnings and verdicts that follow."""

import math
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.components import Ammeter, OpAmp, Transconductor
from lmu_analog.circuits.devices.parts import opamp
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.limits import as_rows, demands, limit_warnings, sine_demands, worst
from lmu_analog.memory.sampled import steady_response
from lmu_analog.simulation import exact_states, grid, ngspice_states, settling, simulate
from lmu_analog.stimulus import Tones

REAL = {"gain": "100 dB", "gbw": "3 MHz", "slew": "2 V/us", "swing": [0.5, 1], "output_current": "1 mA",
        "bias": "200 nA", "output_resistance": "80 Ohm", "input_capacitance": "8 pF", "offset": "3 mV"}  # fmt: skip
USUAL = Design(order=3, theta="1 ms", opamp=REAL, signal="sine")


def metered(circuit):
    """Put an ammeter behind every op-amp's output; the probes read its current and the voltage of the net."""
    parts, probes = [], []
    for c in circuit.components:
        if not isinstance(c, OpAmp):
            parts.append(c)
            continue
        meter = Ammeter(f"V{c.out}", f"{c.out}_o", c.out, "meter")
        parts += [replace(c, out=f"{c.out}_o"), meter]
        probes += [(Term("i", meter.name, 1.0),), (Term("v", c.out, 1.0),)]
    return replace(circuit, components=tuple(parts), probes=tuple(probes))


def of(found, quantity):
    return {d.element: d for d in found if d.quantity == quantity}


def amplifiers(circuit):
    return [c for c in circuit.components if isinstance(c, OpAmp)]


@pytest.mark.parametrize("realization", ["cap-feedforward", "legendre"])
def test_currents_and_voltages_are_those_of_ammeters_in_the_circuit(realization):
    design = USUAL.replace(realization=realization, signal="multitone")
    circuit = build(design)
    found = demands(circuit, design.stimulus)
    dense = grid(design.stimulus, design.theta)
    times = design.stimulus.period * np.arange(20_000) / 20_000
    waves = exact_states(extract(metered(circuit)), replace(dense, time=times))
    for k, c in enumerate(amplifiers(circuit)):
        current, voltage = waves[:, 2 * k], waves[:, 2 * k + 1]
        asked = of(found, "output current")[c.name]
        # 64 points a period miss a peak by .12 % at most; what the ammeters' equations round is far below.
        assert abs(asked.peak) == pytest.approx(np.abs(current).max(), rel=1.3e-3)
        assert asked.mean == pytest.approx(np.abs(current).mean(), rel=2e-3)
        inner = voltage + c.model.output_resistance * current
        low, high = of(found, "output voltage")[c.name].peak, inner[np.argmax(np.abs(inner))]
        near = max(inner.max() / c.model.rail, inner.min() / c.model.floor)
        assert of(found, "output voltage")[c.name].share == pytest.approx(near, rel=1.3e-3)
        assert abs(low) <= abs(high) * (1.0 + 1e-9)
        slope = np.gradient(inner, times[1])
        assert abs(of(found, "slew rate")[c.name].peak) == pytest.approx(np.abs(slope).max(), rel=3e-3)


@pytest.mark.ngspice
def test_currents_and_voltages_are_ngspices():
    # Nothing clips or slews here: what ngspice adds to the linear circuit is its step error.
    circuit = build(USUAL)
    found = demands(circuit, USUAL.stimulus)
    assert max(d.share for d in found) < 0.9
    evaluation_grid = grid(USUAL.stimulus, USUAL.theta)
    waves = ngspice_states(metered(circuit), evaluation_grid, settle=settling(extract(circuit), USUAL.theta))
    for k, c in enumerate(amplifiers(circuit)):
        # A sine at 512 points: its largest is met within 2e-5; ngspice's own error is 1e-4 of full scale.
        asked = abs(of(found, "output current")[c.name].peak)
        assert asked == pytest.approx(np.abs(waves[:, 2 * k]).max(), rel=2e-3)


def test_a_recording_is_evaluated_from_rest():
    design = USUAL.replace(signal="chirp", bandwidth="2 kHz")
    circuit = build(design)
    found = demands(circuit, design.stimulus)
    evaluation_grid = grid(design.stimulus, design.theta)
    waves = exact_states(extract(metered(circuit)), evaluation_grid)
    for k, c in enumerate(amplifiers(circuit)):
        # The same points, the same linear circuit: only the equations of the ammeters round otherwise.
        peak = np.abs(waves[:, 2 * k]).max()
        assert abs(of(found, "output current")[c.name].peak) == pytest.approx(peak, rel=1e-6)


def test_the_worst_sine_is_the_largest_response_and_the_rest():
    circuit = build(USUAL)
    frequency = np.linspace(10.0, USUAL.bandwidth, 50)
    system = extract(metered(circuit))
    response = np.abs(steady_response(system, frequency)).max(axis=0)
    found = of(sine_demands(circuit, frequency, 0.3), "output current")
    for k, c in enumerate(amplifiers(circuit)):
        wanted = 0.3 * response[2 * k] + abs(system.offset[2 * k])
        assert abs(found[c.name].peak) == pytest.approx(wanted, rel=1e-9)


def test_random_offsets_reach_what_draws_of_them_do():
    design = USUAL.replace(opamp={**REAL, "offset_max": "30 mV"})
    circuit = build(design)
    offsets = [k for k, p in enumerate(circuit.parameters) if p.name.endswith(".offset")]
    values = np.tile(circuit.values, (4000, 1))
    values[:, offsets] += np.random.default_rng(1).normal(0.0, 0.01, (4000, len(offsets)))
    spread = 3.0 * extract(metered(circuit), values).offset.std(axis=0)[1::2]
    found = of(demands(circuit, design.stimulus), "output voltage")
    for k, c in enumerate(amplifiers(circuit)):
        one = found[c.name]
        limit = one.limit
        # 4000 draws give a standard deviation within 4 % at four of its own.
        assert (one.random_share - one.share) * abs(limit) == pytest.approx(spread[k], rel=0.04, abs=1e-3)


def test_the_op_amp_whose_outputs_lack_current_is_named():
    design = Design(order=6, theta="100 us", capacitance="100 nF", opamp="OPA1612", realization="legendre")
    (line,) = [w for w in simulate(design).attrs["warnings"] if w.startswith("output current")]
    # Resistors of 100 us over 100 nF, a kilohm over the order and its coefficients: a quarter of an ampere.
    assert line == (
        "output current: the output of Uint_1 needs 259 mA, OPA1612 gives 55 mA, and 7 more like it; "
        "no engine limits it"
    )
    assert monte_carlo(design, 2).attrs["warnings"] == [line]


@pytest.mark.parametrize(("part", "reach"), [("TL072", 3.5), ("LM358", 3.5)])
def test_outputs_at_4_6_volts_of_5_are_beyond_a_part_that_does_not_reach_its_rails(part, reach):
    # Scaled for outputs that reach the rails, which was the scaling of all parts.
    design = Design(order=6, theta="1 ms", headroom=0.08, opamp={"gain": 1e5, "gbw": "4 MHz", "rail": "5 V"})
    circuit = build(design)
    model = opamp(part, supply=5.0)
    real = tuple(replace(c, model=model) if isinstance(c, OpAmp) else c for c in circuit.components)
    frequency = np.linspace(1.0, 100.0, 100) / 100.0 * design.bandwidth
    limited = worst(sine_demands(replace(circuit, components=real), frequency, 0.5))["output voltage"]
    assert not limited.kept
    assert abs(limited.peak) > 4.5
    assert abs(limited.limit) in (reach, 4.25)
    kept = worst(sine_demands(circuit, frequency, 0.5))["output voltage"]
    assert kept.kept
    # The design itself is now scaled to what the part reaches.
    own = build(design.replace(opamp=part))
    assert worst(sine_demands(own, frequency, 0.5))["output voltage"].kept


@pytest.mark.parametrize(
    "design",
    [
        Design(order=8, theta="0.1 s", capacitance="1 nF", opamp="LM358", realization="bus-ladder"),
        Design(order=6, theta="3 s", capacitance="1.2 nF", opamp="LM358"),
    ],
    ids=["bus-ladder 8", "order 6, 3 s"],
)
def test_bias_currents_that_drive_outputs_into_the_rails_are_told(design):
    # Outputs of 3.7 and -57 V by 20 nA in (hundreds of) megaohms: the exact engine gives 2.1893 and 6.093 here,
    # ngspice, whose outputs stop at 3.5 and -4.25 V, 2.1847 and 6.014.
    assert [w for w in simulate(design).attrs["warnings"] if w.startswith("output voltage: the output of ")]


def test_a_design_within_its_limits_has_no_warning():
    assert limit_warnings(build(USUAL), USUAL.stimulus) == ()
    assert limit_warnings(build(Design(order=3)), Design(order=3).stimulus) == ()


def test_a_table_without_swing_takes_the_supply_and_the_result_says_so():
    design = Design(order=3, opamp={"name": "mine", "gain": 1e5, "gbw": "1 MHz"})
    line = "output swing: that of mine is not given, and the supply stands in for it; give swing"
    assert simulate(design).attrs["warnings"][-1] == line
    assert monte_carlo(design, 2).attrs["warnings"] == [line]


def test_slewing_outputs_are_told():
    design = USUAL.replace(opamp={**REAL, "slew": "1 V/ms"})
    (line,) = limit_warnings(build(design), design.stimulus)
    assert line.startswith("slew rate: the output of Uin")
    assert line.endswith("the exact engine does not slew")


def test_inputs_of_a_summer_outside_the_common_mode_range_are_told():
    design = Design(order=4, theta="1 ms", opamp={**REAL, "common_mode": [4.9, 4.9]})
    (line,) = limit_warnings(build(design), design.stimulus)
    assert line.startswith("common mode: the inputs of Usum_")
    # A range that leaves out ground is missed by every inverting integrator.
    design = USUAL.replace(opamp={**REAL, "common_mode": [5.5, 0]}, realization="legendre")
    (line,) = limit_warnings(build(design), design.stimulus)
    assert "more like it" in line


def test_transconductors_are_told_where_their_current_saturates():
    design = Design(order=3, family="gm-c", transconductor={"limit": "2 V"}, amplitude="0.5 V")
    (line,) = limit_warnings(build(design), design.stimulus)
    assert line.startswith("input range: G")
    # 1 - tanh(x)/x at the default headroom of 30 %: 14 %.
    assert "its current is 14 % short" in line
    wide = design.replace(transconductor={"limit": "2 V"}, headroom=0.99, amplitude="20 mV")
    assert limit_warnings(build(wide), wide.stimulus) == ()
    assert isinstance(build(design).components[-1], Transconductor)


def test_switched_capacitor_outputs_must_swing_and_step_within_half_a_period():
    design = Design(order=3, family="switched-capacitor", opamp={**REAL, "swing": [0.1, 0.1]})
    circuit = build(design)
    voltages = of(demands(circuit, design.stimulus), "output voltage")
    states = replace(circuit, probes=tuple((Term("v", d.net, 1.0),) for d in voltages.values()))
    times = np.arange(4000) * design.stimulus.period / 4000
    waves = exact_states(extract(states), replace(grid(design.stimulus, design.theta), time=times))
    for wave, one in zip(waves.T, voltages.values(), strict=True):
        assert abs(one.peak) == pytest.approx(np.abs(wave).max(), rel=1.3e-3)  # 64 points to a period
    slow = design.replace(opamp={**REAL, "slew": "1 V/s"})
    assert [w for w in limit_warnings(build(slow), slow.stimulus) if w.startswith("slew rate")]


def test_demands_are_listed_by_the_share_they_use():
    rows = as_rows(demands(build(USUAL), USUAL.stimulus))
    shares = [row["share"] for row in rows]
    assert shares == sorted(shares, reverse=True)
    assert {"element", "quantity", "peak", "limit", "share"} <= set(rows[0])


def test_tones_with_a_long_common_period_are_evaluated_block_by_block():
    tones = Tones(np.array([1.0, 997.0]), np.array([0.1, 0.2]), np.zeros(2))
    circuit = build(Design(order=3, theta="1 ms", opamp=REAL, bandwidth="1 kHz"))
    found = of(demands(circuit, tones), "output current")
    system = extract(metered(circuit))
    phasor = np.abs(steady_response(system, tones.frequency) * np.array([0.1, 0.2])[:, None])
    for k, c in enumerate(amplifiers(circuit)):
        # Over so many turns both peaks meet, within what a 64th of a turn misses of the quick one.
        bound = phasor[:, 2 * k].sum() + abs(system.offset[2 * k])
        assert 0.99 * bound < abs(found[c.name].peak) <= bound * (1.0 + 1e-9)


def test_where_the_models_begin_to_saturate_is_told_before_the_limit():
    design = USUAL.replace(headroom=0.03, opamp={**REAL, "bias": 0.0, "swing": [1, 1]})
    (line,) = limit_warnings(build(design), design.stimulus)
    assert line.startswith("output voltage: the output of U")
    assert "reaches" in line
    assert "and is linear up to 95 % of it" in line
    assert worst(demands(build(design), design.stimulus))["output voltage"].kept


def test_an_unknown_limit_is_no_limit():
    found = demands(build(Design(order=3, opamp={"gain": 1e5, "gbw": "1 MHz"})), Design(order=3).stimulus)
    assert all(d.share == 0.0 and math.isinf(d.limit) for d in found if d.quantity != "output voltage")
    assert set(worst(found)) == {"output voltage"}
