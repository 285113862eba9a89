"""What devices contribute to errors, against chips drawn of the same law; areas against another optimiser."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from lmu_analog.circuits.devices.pdk import InstalledPdk, pdk
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.silicon.areas import best_areas, groups, rescaled, scaled, stem
from lmu_analog.silicon.contributors import (
    SHARED,
    Linearised,
    around,
    contributions,
    linearised,
    predicted,
)
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.draws import Deviations, deviations, from_normals, names, spread
from lmu_analog.silicon.ensemble import errors, fitted_theta, nominal_chip, window_errors
from lmu_analog.silicon.samples import Bench, Measured
from tests.test_silicon_engines import FREQUENCY, memory

THETA = 1e-4
GF180 = pdk("gf180mcu")
CIRCUIT = memory()
FOUND = spread(CIRCUIT, GF180)
BENCH = Bench(CIRCUIT, InstalledPdk(GF180, Path(), "", None, ""), FREQUENCY)  # no model is read
COUNT = len(names(CIRCUIT, FOUND))
# What one standard deviation of every draw does: window length, gain of the second state, offset of the first.
LENGTH, GAIN, OFFSET = np.random.default_rng(5).standard_normal((3, COUNT)) * [[0.003], [0.004], [1e-3]]


def normals_of(sample: Deviations) -> np.ndarray:
    return np.concatenate(
        [
            sample.threshold / FOUND.threshold,
            sample.mobility / FOUND.mobility,
            sample.capacitance / FOUND.capacitance,
            sample.resistance / FOUND.resistance,
            sample.process,
        ],
        axis=1,
    )


def measure(sample: Deviations, trim: np.ndarray) -> Measured:
    """Stand for an engine: an ideal memory of another length, with a wrong gain and an offset."""
    z = normals_of(sample)
    length = THETA * np.exp(z @ LENGTH) * trim**-0.6
    states = np.stack([steady_response(legendre(2, float(x)), FREQUENCY) for x in length])
    states[..., 1] *= (1.0 + z @ GAIN)[:, None]
    offset = np.stack([z @ OFFSET * trim, np.zeros(len(z))], axis=-1)
    return Measured(offset, states, np.ones(len(z)), np.zeros(len(z), int))


@pytest.fixture(scope="module")
def law() -> Linearised:
    return linearised(measure, BENCH, FOUND)


def test_contributions_are_those_of_chips_drawn_and_trimmed(law: Linearised) -> None:
    # The window length as chips are fitted, by the difference of one deviation up and down; its parabola is 1e-5 off.
    ends = [
        fitted_theta(measure(from_normals(FOUND, z * np.eye(COUNT)), np.ones(COUNT)).states, FREQUENCY, THETA)
        for z in (0.5, -0.5)
    ]
    np.testing.assert_allclose(law.theta, np.log(ends[0] / ends[1]), atol=4e-5)
    chips = deviations(CIRCUIT, FOUND, seed=2, samples=range(400))
    seen = errors(measure, chips, BENCH, nominal_sample=nominal_chip(BENCH))
    z = normals_of(chips)
    by_law = np.sqrt(law.rest + ((law.error + z @ law.jacobian.T) ** 2).sum(axis=-1))
    # Two corrections of the bias leave a few 1e-4 of the window length; what is left is of second order.
    np.testing.assert_allclose(by_law, seen.trimmed, rtol=0.03)
    # An offset times a trim of a tenth is of second order too.
    np.testing.assert_allclose(z @ law.offset.T, seen.after.offset, rtol=0.15, atol=1e-4)
    both = np.sqrt(seen.trimmed**2 + seen.after.offset[:, 0] ** 2 / 0.05**2)
    # 400 chips tell a p95 to some per cent.
    assert predicted(law, of="both", rms=0.05) == pytest.approx(np.quantile(both, 0.95), rel=0.15)
    assert predicted(law, 0.5) == pytest.approx(np.median(seen.trimmed), rel=0.02)
    # What only makes the window longer is trimmed away: of all that deviates, one direction is left, the gain's.
    values = np.linalg.svd(law.jacobian, compute_uv=False)
    assert values[1] < 1e-3 * values[0]
    assert abs(np.corrcoef(np.linalg.svd(law.jacobian)[2][0], GAIN)[0, 1]) == pytest.approx(1.0, abs=1e-3)


def test_shares_add_up_by_device_role_and_kind(law: Linearised) -> None:
    for by in ("device", "role", "kind"):
        found = contributions(law, by=by, rms=0.1)
        assert sum(x.share for x in found) == pytest.approx(1.0)
        assert sum(x.variance for x in found) == pytest.approx(law.variance(rms=0.1).sum())
    assert {x.name for x in contributions(law)} == {x.role for x in CIRCUIT.devices} | {SHARED}
    assert stem(CIRCUIT.transistors[0]) in {x.name for x in contributions(law, by="device")}


def test_a_law_moves_to_states_at_full_amplitude(law: Linearised) -> None:
    states = 1.1 * steady_response(legendre(2, THETA), FREQUENCY)
    moved = around(law, BENCH, states)
    from_window = window_errors(states[None], FREQUENCY, THETA)[0]
    assert moved.nominal == pytest.approx(from_window, rel=1e-6)


def test_an_unknown_chip_is_one_line() -> None:
    def lost(sample: Deviations, trim: np.ndarray) -> Measured:
        found = measure(sample, trim)
        return replace(found, states=np.full_like(found.states, np.nan))

    with pytest.raises(SimulationError, match="does not know a chip"):
        linearised(lost, BENCH, FOUND)


def test_areas_are_those_of_another_optimiser(law: Linearised) -> None:
    area = 1.4 * sum(x.area for x in CIRCUIT.devices)
    found = best_areas(law, CIRCUIT, area, rms=0.1, fixed=("bias",))
    assert found.area == pytest.approx(area, rel=1e-4)
    after = rescaled(law, found.factors)
    assert after.variance(rms=0.1).sum() == pytest.approx(found.variance, rel=1e-9)
    size = {k: v for k, v in groups(CIRCUIT, "role").items() if k != "bias"}
    plates = sum(x.area for x in CIRCUIT.devices) - sum(size.values())

    def variance(logs: np.ndarray) -> float:
        factors = dict(zip(size, np.exp(logs).tolist(), strict=True))
        return float(1e4 * rescaled(law, factors).variance(rms=0.1).sum())

    def left(logs: np.ndarray) -> float:
        return (area - plates - float(np.exp(logs) @ list(size.values()))) / area

    limits = [(np.log(0.25), np.log(64.0))] * len(size)
    within = {"type": "ineq", "fun": left}
    other = minimize(variance, np.zeros(len(size)), constraints=within, bounds=limits)
    assert 1e4 * found.variance <= other.fun * (1.0 + 1e-4)
    with pytest.raises(CircuitError, match="smallest areas add up"):
        best_areas(law, CIRCUIT, 0.1 * area, rms=0.1)


def _ratios(circuit: SiliconCircuit) -> dict[str, float]:
    found: dict[str, float] = {}
    for x in circuit.transistors:
        found[stem(x)] = found.get(stem(x), 0.0) + x.length / (x.width * x.count)
    return found


def test_devices_grow_at_one_ratio_of_width_to_length() -> None:
    assert scaled(CIRCUIT, {}, pdk=GF180).devices == (*CIRCUIT.transistors, *CIRCUIT.capacitors)
    grown = scaled(CIRCUIT, {"load": 4.0, "pair": 0.5}, pdk=GF180)
    before, after = groups(CIRCUIT, "device"), groups(grown, "device")
    by_name = {stem(x): x.role for x in CIRCUIT.transistors}
    wanted = {"load": 4.0, "pair": 0.5}
    for name, size in before.items():
        # Lengths keep off the edges of bins by a hundredth.
        assert after[name] / size == pytest.approx(wanted.get(by_name[name], 1.0), rel=0.025)
    assert _ratios(grown) == pytest.approx(_ratios(CIRCUIT), rel=1e-5)
    chains = [x for x in grown.transistors if x.role == "load"]
    assert max(x.length for x in chains) <= 49e-6
    one = scaled(CIRCUIT, {stem(CIRCUIT.transistors[0]): 2.0}, pdk=GF180)
    assert sum(x != y for x, y in zip(one.transistors, CIRCUIT.transistors, strict=False)) >= 1
    with pytest.raises(CircuitError, match="no transistor or role is called lod; roles are bias"):
        scaled(CIRCUIT, {"lod": 2.0}, pdk=GF180)
    with pytest.raises(CircuitError, match="load: an area is multiplied by a positive number"):
        scaled(CIRCUIT, {"load": 0.0}, pdk=GF180)
