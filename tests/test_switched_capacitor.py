"""Switched-capacitor memories: exact discretised matrices in charge, both engines, noise and settling."""

import numpy as np
import pytest
from scipy import signal

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import Capacitor, DifferentialOpAmp, OpAmp, Switch
from lmu_analog.circuits.devices.models import IDEAL, OpAmpModel
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.families.switched_capacitor import switched_capacitor
from lmu_analog.circuits.nodal.charge import extract_sampled
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.settling import BOLTZMANN, sampled_noise, settling_gbw
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import CircuitError, DesignError, SimulationError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.reference import discretize, run
from lmu_analog.memory.sampled import bilinear, distance, sampled_run, steady_response
from lmu_analog.memory.statespace import StateSpace, frequency_response, growth
from lmu_analog.simulation import exact_states, grid, ngspice_task, read_states, settling, simulate
from lmu_analog.spice import ngspice
from lmu_analog.stimulus import Recording

NAMES = ("legendre", "cap-feedforward", "ladder")
THETA, CLOCK = 1e-3, 200e3
TONES = [[500.0, 0.2, 0.0], [1500.0, 0.0, 0.2]]


def design(order: int, name: str = "ladder", **changes: object) -> Design:
    return Design(order=order, theta=THETA, family="switched-capacitor", realization=name).replace(**changes)


def discretised(order: int, name: str, clock: float = CLOCK) -> StateSpace:
    continuous = legendre(order, THETA)
    return discretize(continuous, 1 / clock) if name == "legendre" else bilinear(continuous, 1 / clock)


def impulse(system: StateSpace, count: int = 300) -> np.ndarray:
    states, found = system.B, []
    for _ in range(count):
        found.append(system.C @ states)
        states = system.A @ states
    return np.concatenate(found, axis=1)


# ---------------------------------------------------------------- the discretised memory


def test_the_bilinear_map_is_scipys():
    continuous = legendre(5, THETA)
    parts = (continuous.A, continuous.B, continuous.C, continuous.D)
    A, B, *_ = signal.cont2discrete(parts, 1 / CLOCK, method="bilinear")
    found = bilinear(continuous, 1 / CLOCK)
    np.testing.assert_allclose(found.A, A, atol=1e-13)
    np.testing.assert_allclose(found.B, B, atol=1e-13)


@pytest.mark.parametrize("method", [bilinear, discretize])
def test_sampled_memories_follow_the_continuous_one_to_second_order(method):
    coarse, fine = (distance(method(legendre(6, THETA), THETA / n), THETA, bandwidth=1e3) for n in (100, 200))
    # With the half sample corrected there is no first-order term; the next one is two orders smaller.
    assert coarse / fine == pytest.approx(4.0, rel=0.02)


def test_the_distance_at_200_samples_is_stated():
    # (w dt)^2/12 of warping times w theta of phase at order 6 is 2.6e-4 at 1 kHz, less over band and window.
    assert distance(discretised(6, "ladder"), THETA, bandwidth=1e3) < 2.6e-4
    assert distance(discretised(6, "legendre"), THETA, bandwidth=1e3) < 1e-4
    euler = discretize(legendre(6, THETA), 1 / CLOCK, "euler")
    assert distance(euler, THETA, bandwidth=1e3) > 0.02


def test_a_sampled_pole_grows_as_its_logarithm():
    decay = StateSpace(np.array([[np.exp(-0.01)]]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)), 0.1)
    assert float(growth(decay)) == pytest.approx(-0.1, rel=1e-12)


def test_a_sampled_run_is_the_difference_equation_at_its_instants():
    memory = discretised(4, "ladder")
    recording = Recording(1 / CLOCK, np.sin(0.05 * np.arange(400)))
    instants = np.arange(400) / CLOCK
    expected = run(memory, recording(instants - 0.5 / CLOCK))
    np.testing.assert_allclose(sampled_run(memory, recording, instants), expected, atol=1e-12)


# ---------------------------------------------------------------- extraction


@pytest.mark.parametrize("order", [1, 2, 3, 6, 12, 24])
@pytest.mark.parametrize("name", NAMES)
def test_the_charges_carry_the_discretised_memory(order, name):
    found = extract(build(design(order, name)))
    assert found.dt == 1 / CLOCK
    # Rounding: ratios of capacitors near 1e-3 hold 13 digits, and 300 steps add them up.
    np.testing.assert_allclose(impulse(found), impulse(discretised(order, name)), atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_any_clock_is_carried(name):
    found = extract(build(design(5, name, clock="37 kHz")))
    expected = impulse(discretised(5, name, 37e3))
    np.testing.assert_allclose(impulse(found), expected, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_half_of_the_poles_are_the_memorys_and_the_rest_are_stable_common_modes(name):
    found, ideal = extract(build(design(5, name))), discretised(5, name)
    gap = np.abs(ideal.poles[:, None] - found.poles).min(axis=1)
    assert found.order == 10
    assert gap.max() < 1e-9  # eigenvalues of a non-normal matrix: condition up to 1e4
    assert np.abs(found.poles).max() < 1.0


@pytest.mark.parametrize("name", NAMES)
def test_a_lot_error_of_the_capacitors_changes_nothing(name):
    circuit = build(design(6, name))
    lot = np.array([1.3 if p.classes == ("capacitor",) else 1.0 for p in circuit.parameters])
    nominal, moved = extract(circuit), extract(circuit, lot * circuit.values)
    # Ratios are equal up to their last digit.
    np.testing.assert_allclose(impulse(moved), impulse(nominal), rtol=0.0, atol=1e-13)


def test_an_ensemble_of_lot_errors_alone_has_the_nominal_error():
    asked = design(4, mismatch={"capacitor": {"lot": "20 %"}})
    found = monte_carlo(asked, 20, workers=1).window_nrmse.values
    np.testing.assert_allclose(found, float(simulate(asked).window_nrmse), rtol=1e-9)


def test_an_ensemble_with_mismatch_runs_in_the_exact_engine_for_tones_and_recordings():
    asked = design(4, mismatch={"capacitor": "2 %"}, nrmse="10 %")
    tones, recording = (monte_carlo(asked.replace(signal=s), 20, workers=1) for s in ("multitone", "chirp"))
    for found in (tones, recording):
        assert (found.status == 0).all()
        assert 1e-4 < float(found.window_nrmse.std()) < 0.05


def test_a_mismatched_sparse_memory_is_the_bilinear_map_of_the_mismatched_coefficients():
    circuit = build(design(3, "ladder"))
    moved = circuit.values.copy()
    for k, p in enumerate(circuit.parameters):
        if p.name.startswith("Ca_0_1"):
            moved[k] *= 1.2
    made = realize(legendre(3, THETA), "ladder").system
    A = made.A.copy()
    A[0, 1] *= 1.2
    expected = bilinear(StateSpace(A, made.B, made.C, made.D), 1 / CLOCK)
    np.testing.assert_allclose(impulse(extract(circuit, moved)), impulse(expected), atol=1e-12)


def test_finite_gain_leaks_and_offsets_show():
    model = OpAmpModel("part", gain=1e4, gbw=1e9, offset=1e-3)
    made, scale = realize(legendre(3, THETA), "ladder"), np.ones(3)
    ideal, real = (
        extract(switched_capacitor(made, scale, Options(opamp=m, clock=CLOCK))) for m in (IDEAL, model)
    )
    difference = np.abs(impulse(real) - impulse(ideal)).max()
    # A leak of 1/A0 of the charge that moves, over a few hundred steps.
    assert 1e-7 < difference < 1e-3
    assert np.abs(real.offset).max() > 1e-4
    assert not ideal.offset.any()


def test_the_input_is_sampled_half_a_clock_before_the_states_are_read():
    system, tone = extract(build(design(4))), np.array([800.0])
    half = np.exp(-1j * np.pi * tone / CLOCK)[:, None]
    np.testing.assert_allclose(
        steady_response(system, tone), half * frequency_response(system, tone), rtol=1e-14
    )


def test_an_input_beyond_half_the_clock_is_refused():
    with pytest.raises(DesignError, match=r"clock = 1500 Hz is below twice the highest input frequency"):
        simulate(design(3, clock="1.5 kHz", bandwidth="1 kHz"))


def test_switches_grow_with_the_order_even_where_capacitors_grow_with_its_square():
    for order in (3, 6, 12):
        parts = build(design(order, "legendre")).components
        assert sum(isinstance(c, Switch) for c in parts) == 8 * order + 4
        assert sum(isinstance(c, Capacitor) for c in parts) == 2 * (order**2 + 2 * order)
        assert sum(isinstance(c, DifferentialOpAmp) for c in parts) == order
    sparse = [len(build(design(order, "cap-feedforward")).components) for order in (12, 24, 48)]
    assert sparse[2] - sparse[1] == 2 * (sparse[1] - sparse[0])


def test_a_circuit_whose_input_is_not_sampled_in_phase_1_is_refused():
    parts = (
        OpAmp("U1", "0", "g", "x", IDEAL, "integrator"),
        Capacitor("C1", "g", "x", 1e-9, "integrator"),
        Capacitor("C2", "u", "r", 1e-10, "input"),
        Switch("S1", "r", "0", 1, 10.0, "plate"),
        Switch("S2", "r", "g", 2, 10.0, "plate"),
    )
    circuit = Circuit("test", "test", 1.0, parts, ((Term("v", "x", 1.0),),), clock=1e3)
    with pytest.raises(CircuitError, match="the input reaches the memory in phase 2; sample it in phase 1"):
        extract_sampled(circuit)


# ---------------------------------------------------------------- both engines


@pytest.mark.ngspice
@pytest.mark.parametrize(("order", "name"), [*((3, n) for n in NAMES), (6, NAMES[0])])
def test_ngspice_agrees_with_the_extraction_at_the_sampling_instants(order, name):
    asked = design(order, name, tones=TONES)
    exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
    # On-resistances delay the sample by 1e-3 of a clock period: w 5e-9 s at 1.5 kHz is 5e-5 of 0.4 V.
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)
    assert abs(float(exact.window_nrmse) - float(simulated.window_nrmse)) < 1e-4


@pytest.mark.ngspice
@pytest.mark.parametrize("name", NAMES)
def test_ngspice_agrees_with_the_extraction_at_order_12_from_rest(name):
    circuit = build(design(12, name))
    time = np.linspace(0.0, 0.5 * THETA, 60)
    recording = Recording(float(time[1]), 0.4 * np.sin(2e3 * np.pi * time))
    evaluation_grid = grid(recording, THETA)
    analysis, text, _ = ngspice_task(circuit, recording, settle=0.0)
    found = read_states(ngspice.run(text, analysis), circuit, evaluation_grid, analysis=analysis)
    # As above, 1e-4, with the input 1e-3 of a clock late.
    np.testing.assert_allclose(found, exact_states(extract(circuit), evaluation_grid), atol=1e-4)


@pytest.mark.ngspice
def test_fast_opamps_settle_in_ngspice_and_slow_ones_do_not():
    errors = []
    for gbw in ("20 MHz", "0.3 MHz"):
        asked = design(3, tones=TONES, opamp={"gain": "140 dB", "gbw": gbw, "rail": "1000 V"})
        circuit = build(asked)
        slowest = min(c.model.gbw for c in circuit.amplifiers)
        assert (slowest >= settling_gbw(circuit, bits=16)) == (gbw == "20 MHz")
        exact, simulated = (simulate(asked, engine=e) for e in ("exact", "ngspice"))
        errors.append(float(abs(exact.states - simulated.states).max()))
    assert errors[0] < 1e-4  # as with ideal op-amps
    assert errors[1] > 5.0 * errors[0]


def test_simulate_gives_the_truncation_error_and_the_distance():
    result = simulate(design(6, "legendre", bandwidth="1 kHz"))
    # .0112664 is the truncation error at order 6; a distance of 5e-5 adds at most itself.
    assert float(result.window_nrmse) == pytest.approx(0.0112664, abs=6e-5)


def test_a_recording_runs_on_the_clock():
    result = simulate(design(6, "legendre", signal="chirp", bandwidth="1 kHz"))
    # The NumPy memory at 1000 steps: 25 times finer squared, so the distance of our 200 is what shows.
    assert float(result.reference_nrmse) < 3e-4


def test_waiting_leaves_out_common_modes_that_nothing_excites():
    system = extract(build(design(6, "cap-feedforward")))
    slowest = -1.0 / float(growth(system))
    assert settling(system, THETA) < 8.0 * slowest
    assert settling(system, THETA) < 5.0 * THETA


def test_an_unstable_sampled_circuit_is_an_error():
    unstable = StateSpace(np.array([[1.01]]), np.ones((1, 1)), np.ones((1, 1)), np.zeros((1, 1)), 1e-5)
    with pytest.raises(SimulationError, match="the circuit is unstable"):
        settling(unstable, THETA)


# ---------------------------------------------------------------- noise and settling


@pytest.mark.parametrize("name", NAMES)
def test_noise_of_order_1_is_its_closed_form(name):
    circuit = build(design(1, name))
    value = {p.name: p.nominal for p in circuit.parameters}
    whole, leak, into = value["Cint_0_p"], value["Ca_0_0_p"], value["Cb_0_p"]
    volts = 2.0 * abs(circuit.probes[0][0].factor)
    g = leak / whole
    pole, gain = (1 - g, 1.0) if name == "legendre" else ((1 - g) / (1 + g), 1 / (1 + g))
    # Each phase leaves kT (Ca + Cb) in each half; the halves' mean of opposites has half of one's power.
    charge = 0.5 * BOLTZMANN * 300.0 * (leak + into)
    expected = volts**2 * charge * (1 + gain**2) / whole**2 / (1 - pole**2)
    assert sampled_noise(circuit)[0, 0] == pytest.approx(expected, rel=1e-10)


def test_noise_falls_with_the_capacitance():
    small, large = (sampled_noise(build(design(4, capacitance=c))) for c in (1e-12, 4e-12))
    np.testing.assert_allclose(small, 4.0 * large, rtol=1e-9, atol=1e-30)


def test_the_settling_condition_is_that_of_one_pole():
    circuit = build(design(1, "legendre"))
    value = {p.name: p.nominal for p in circuit.parameters}
    beta = value["Cint_0_p"] / (value["Cint_0_p"] + value["Ca_0_0_p"] + value["Cb_0_p"])
    expected = 2 * np.log(2**16) * CLOCK / beta / (2 * np.pi)
    assert settling_gbw(circuit, bits=16) == pytest.approx(expected, rel=1e-12)


def test_bias_currents_drain_both_halves_alike_and_input_capacitance_costs_loop_gain():
    def response(**figures: float) -> tuple[np.ndarray, np.ndarray]:
        model = OpAmpModel("part", gain=1e4, gbw=1e9, **figures)
        made = realize(legendre(3, THETA), "ladder")
        found = extract(switched_capacitor(made, np.ones(3), Options(opamp=model, clock=CLOCK)))
        return impulse(found), found.offset

    plain, biased, loaded = response(), response(bias=1e-9), response(input_capacitance=1e-9)
    # Equal halves: the bias moves the common mode alone, up to rounding.
    np.testing.assert_allclose(biased[1], 0.0, atol=1e-9)
    assert 1e-8 < np.abs(loaded[0] - plain[0]).max() < 1e-3
