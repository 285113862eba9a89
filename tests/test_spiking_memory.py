"""The memory in spiking neurons: exact maps, errors that fall with neurons, mismatch and its compensation."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory import reference
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize
from lmu_analog.networks.spiking.memory import (
    Settings,
    Silicon,
    ideal_states,
    legendre_states,
    probed,
    radii_for,
    rmse,
    run,
    spiking_memory,
)
from lmu_analog.networks.spiking.runs import DT, Request, run_channels, run_memory, sine
from lmu_analog.networks.spiking.synapses import Synapse

U = sine(DT * np.arange(2500))
RATES = Settings(neurons=400, firing="rate", regularisation=0.01)  # of rates without noise: little ridge


def error(settings: Settings, order: int = 4, **options: object) -> float:
    memory = spiking_memory(order, 1.0, settings, **options)
    return rmse(memory, run(memory, U, seed=settings.seed), U, skip=1000)


def test_rates_carry_the_memory_to_the_precision_of_their_decoders():
    assert error(RATES) < 0.005


@pytest.mark.parametrize(
    "realization", ["legendre", "orthonormal", "balanced", "ladder", "bus-ladder", "cap-feedforward"]
)
def test_every_realization_carries_it(realization):
    settings = replace(RATES, realization=realization)
    radii = 1.1 * radii_for(4, 1.0, U, settings=settings)
    memory = spiking_memory(4, 1.0, settings, radii=radii)
    trace = run(memory, U)
    assert rmse(memory, trace, U, skip=1000) < 0.01
    assert np.abs(trace.states).max() < 1.0
    wanted = reference.run(discretize(legendre(4), DT), U)
    np.testing.assert_allclose(
        legendre_states(memory, ideal_states(memory, U)), wanted, atol=1e-9
    )  # coordinates


def test_both_maps_carry_it_and_the_discrete_one_exactly():
    assert error(replace(RATES, mapping="continuous")) > 1.2 * error(RATES)
    assert error(replace(RATES, mapping="continuous", dt=DT)) < 0.05


def test_other_synapses_carry_it_with_their_own_map():
    plain = replace(RATES, mapping="continuous", derivatives=1)
    for synapse in (Synapse(0.1, second=0.02), Synapse(0.1, pulse=0.02), Synapse(0.1, delay=0.01)):
        # Steps of 1 ms delay every loop by one: 1 % of tau, and some of that in the states.
        assert error(replace(plain, synapse=synapse)) < 0.06


def test_the_error_falls_as_the_root_of_the_neurons():
    errors = [np.mean([error(Settings(neurons=n, seed=s)) for s in range(4)]) for n in (50, 800)]
    # Four networks a point: each mean within 15 %, so the slope over a factor of 16 within 0.1.
    assert np.log(errors[1] / errors[0]) / np.log(16.0) == pytest.approx(-0.5, abs=0.15)


def test_a_seed_is_a_network_and_its_spikes():
    memory = spiking_memory(2, 1.0, Settings(neurons=20))
    first, again, other = (run(memory, U[:300], seed=s).states for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    elsewhere = spiking_memory(2, 1.0, Settings(neurons=20, seed=1))
    assert (memory.read.populations.gain != elsewhere.read.populations.gain).any()


def test_measured_time_constants_and_rates_undo_the_mismatch():
    chip = Silicon(tau=0.3, gain=0.15, bias=0.15)
    off, undone = (error(RATES, silicon=replace(chip, compensated=c)) for c in (False, True))
    assert off > 0.1
    assert undone < 0.01
    taus_alone = replace(chip, gain=0.0, bias=0.0)
    assert error(RATES, silicon=replace(taus_alone, compensated=True)) < 0.01
    with_pulse = replace(RATES, mapping="continuous", synapse=Synapse(0.1, pulse=0.01), derivatives=1)
    assert error(with_pulse, silicon=replace(taus_alone, compensated=True)) < 0.05


def test_an_observer_s_longer_synapses_leave_less_noise():
    settings = Settings(neurons=200, synapse=Synapse(0.02))
    memory = spiking_memory(3, 1.0, settings)
    trace = run(memory, U)
    seen, ideal = probed(memory, trace, U, tau=0.1), ideal_states(memory, U)
    noise = [np.std(np.diff(x - ideal, axis=0)) for x in (seen, trace.states)]
    assert noise[0] < 0.4 * noise[1]


def test_neurons_take_storage_in_proportion_to_their_number():
    peaks = []
    for neurons in (10_000, 40_000):
        tracemalloc.start()
        memory = spiking_memory(2, 1.0, Settings(neurons=neurons))
        run(memory, U[:5])
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert memory.neurons == 2 * neurons
    # 12 bytes a neuron stay; drawing takes some arrays of doubles. Anything of neurons squared would be gigabytes.
    assert (peaks[1] - peaks[0]) / 60_000 < 150


def test_a_network_that_grows_without_bound_is_stopped():
    memory = spiking_memory(2, 1.0, Settings(neurons=50, firing="rate"))
    wild = replace(memory, mapping=replace(memory.mapping, drives=1e5 * memory.mapping.drives))
    with pytest.raises(SimulationError, match=r"unstable: after 100 steps a state is beyond 1000 radii"):
        run(wild, U + 1.0)


def test_progress_is_told():
    told = []
    run(spiking_memory(1, 1.0, Settings(neurons=5)), U[:350], advance=told.append)
    assert told == [100, 100, 100]


def test_a_request_is_the_published_setting():
    outcome = run_memory(Request(6, 4800, firing="spiking"))
    assert outcome.rmse < 0.1
    assert outcome.window_nrmse is not None
    assert outcome.window_nrmse < 0.2
    channels = run_channels(Request(2, 800))
    assert channels.window_nrmse is None
    # The figure of one channel of 400 neurons; a single network deviates by 2 %.
    assert channels.rmse * np.sqrt(400) == pytest.approx(5.5, abs=0.35)
    assert Request(3, 100).each == 33


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Request(6, 5), r"5 neurons for order 6: at least one a state"),
        (lambda: Request(0, 5), r"order 0 is outside 1 to 64"),
        (lambda: Settings(realization="principle3-two-pole"), r"known for neurons are legendre, orthonormal"),
        (lambda: Settings(synapse=Synapse(0.1, delay=0.01)), r"mapping discrete is for first-order synapses"),
        (lambda: Settings(dt=0.0), r"dt = 0 s is not a positive time"),
        (lambda: Synapse(0.0), r"tau = 0 s is not a positive time"),
        (lambda: Synapse(0.1, pulse=-1.0), r"pulse = -1 s is not a time"),
    ],
)
def test_what_makes_no_sense_is_refused(make, said):
    with pytest.raises(DesignError, match=said):
        make()
