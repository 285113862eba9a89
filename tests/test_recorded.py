"""The theory of a recording is that of the very error the exact engine takes."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import signal, stats

import lmu_analog.theory.recorded as recorded
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import compare, predict, theory_of
from lmu_analog.ensembles.exact import exact_chunk, exact_draws
from lmu_analog.ensembles.high_sigma import high_sigma
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.sampling import make_plan
from lmu_analog.ensembles.yields import percentiles
from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import gauss_legendre, readout
from lmu_analog.mismatch.law import Mismatch, sample
from lmu_analog.output.jobs import stored_ensemble
from lmu_analog.output.theory import sensitivity
from lmu_analog.simulation import simulate
from lmu_analog.theory.first_order import FirstOrder, deviation, first_order
from lmu_analog.theory.quadratic import quadratic_form, quantile

SIGMA = {"tolerance": "1 %", "distribution": "gauss"}
POLE = {"gain": 1e5, "gbw": "10 MHz"}
BAND = {3: 2.0, 6: 6.46, 12: 17.3}  # w_m theta at which the ideal memory is about 1 % wrong


def design(order: int = 6, realization: str | None = "legendre", **more) -> Design:
    given = {"signal": "chirp", "opamp": POLE, "mismatch": {"resistor": SIGMA, "capacitor": SIGMA}, **more}
    bandwidth = 1e3 * BAND[order] / (2.0 * math.pi)
    return Design(order=order, theta="1 ms", bandwidth=bandwidth, realization=realization, **given)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Write five milliseconds of tones that begin with a jump, as a user's file."""
    t = np.linspace(0.0, 5e-3, 501)
    phases = np.random.default_rng(4).uniform(0.0, 6.0, 8)
    u = sum(np.sin(2.0 * np.pi * 130.0 * (k + 1) * t + p) for k, p in enumerate(phases))
    path = tmp_path / "u.csv"
    path.write_text("\n".join(f"{a:.9g},{b:.9g}" for a, b in zip(t, u, strict=True)) + "\n")
    return path


def deviations(theory: FirstOrder) -> np.ndarray:
    """Give the draws' standard deviations; all are Gaussian here but offsets."""
    offset = deviation("gauss3", 0.0)
    return np.array([offset if ".offset" in name else 1.0 for name in theory.names])


def products(theory: FirstOrder) -> np.ndarray:
    """Give all products of derivatives and error, which no choice of coordinates changes."""
    whole = np.column_stack([theory.jacobian, theory.error])
    return whole.T @ whole


@pytest.mark.parametrize(
    ("family", "realization", "more"),
    [
        ("active-rc", "legendre", {"opamp": "TL072"}),
        (
            "active-rc",
            "cap-feedforward",
            {"opamp": {"gain": 1e4, "gbw": "100 kHz"}},
        ),  # hardly faster than the band
        ("active-rc-differential", "ladder", {"signal": "step"}),  # modes that no input reaches
        ("rc-synapse", "principle3-two-pole", {}),
        ("dpi", "unit-weight", {}),
        ("switched-capacitor", "cap-feedforward", {"opamp": "TL072", "signal": "step"}),
        ("crossbar", "unit-weight", {"opamp": "TL072"}),
    ],
)
def test_error_and_slopes_are_those_of_the_exact_engine(family, realization, more):
    kinds = ("resistor", "capacitor", "transconductor", "tau", "opamp")
    given = design(6, realization, family=family, mismatch=dict.fromkeys(kinds, SIGMA), **more)
    theory = first_order(given)
    x = np.random.default_rng(1).standard_normal(len(theory.names))
    draws = 1e-3 * np.array([[0.0], [1.0], [-1.0], [2.0], [-2.0]]) * x
    square = exact_draws(given, draws)[0] ** 2
    assert theory.nominal**2 == pytest.approx(square[0], rel=1e-10)  # rounding, of slow op-amps' states too
    slope = (8.0 * (square[1] - square[2]) - (square[3] - square[4])) / 12e-3
    along = 2.0 * theory.error * (theory.jacobian @ (x / deviations(theory)))
    # The quotient of fourth order rounds to 1e-11 of the square over 1e-3, derivatives to 1e-8.
    assert along.sum() == pytest.approx(slope, rel=1e-6, abs=1e-7 * np.abs(along).sum() + 1e-8 * square[0])


def test_derivatives_are_those_of_another_integrator(recording):
    given = design(6, "ladder", file=recording)
    theory, circuit, law = first_order(given), build(given), Mismatch.of(given)
    u, count = given.stimulus.values, len(theory.names)
    time = np.arange(len(u)) * given.stimulus.dt
    # Nodes between all kinks of the window: at a sample's instant it is linear between them.
    edges = np.append(np.arange(0.0, 1.0, given.stimulus.dt / 1e-3), 1.0)
    rule, width = gauss_legendre(4), np.diff(edges)[:, None]
    r, weight = (edges[:-1, None] + width * rule.r).ravel(), (width * rule.weight).ravel()
    weights = np.sqrt(weight) / np.sqrt(len(u)) / given.stimulus.rms
    true = np.interp(time[:, None] - 1e-3 * r, time, u, left=0.0)

    def error(z: np.ndarray) -> np.ndarray:
        """All states with SciPy, from rest."""
        whole = extract(circuit, sample(circuit, law, z))
        _, states, _ = signal.lsim((whole.A, whole.B, whole.C, whole.D), u, time)
        return ((states @ readout(6, r).T - true) * weights).ravel()

    h = 1e-2  # of a standard deviation: 1e-4 of a value
    slopes = [(error(h * x) - error(-h * x)) / (2.0 * h) for x in np.eye(count)]
    direct = np.column_stack([*slopes, error(np.zeros(count))])
    wanted = direct.T @ direct
    wanted[-1, -1] -= theory.rest
    found = products(theory)
    # Our slow states are right to 2e-9 of the response, the quotient's square of the step is 1e-8.
    size = np.sqrt(np.outer(np.diag(wanted), np.diag(wanted)))
    acting = np.flatnonzero(np.diag(wanted) > 0.0)
    np.testing.assert_array_equal(np.diag(found)[np.diag(wanted) == 0.0], 0.0)  # lots, which have no spread
    np.testing.assert_array_less(
        np.abs(found - wanted)[np.ix_(acting, acting)], 1e-6 * size[np.ix_(acting, acting)]
    )


def test_all_states_give_the_theory_of_the_slow_ones(monkeypatch):
    given = design(6, "balanced", family="active-rc-differential", opamp="TL072")
    slow = products(first_order(given))
    monkeypatch.setattr(recorded, "planned", lambda circuit, band: None)
    # A reduction is right to 2e-9 of the response, a hundredth of which the error is.
    np.testing.assert_allclose(products(first_order(given)), slow, rtol=0.0, atol=1e-6 * np.abs(slow).max())


def test_stretches_of_time_change_nothing_but_rounding(recording, monkeypatch):
    given = design(file=recording)
    whole = products(first_order(given))
    monkeypatch.setattr(recorded, "AT_ONCE", 37)
    np.testing.assert_allclose(
        products(first_order(given)), whole, rtol=0.0, atol=1e-11 * np.abs(whole).max()
    )


def test_a_recording_shorter_than_the_memory_has_its_theory_too(tmp_path):
    path = tmp_path / "short.csv"
    path.write_text("0,0\n5e-5,1\n1e-4,0.5\n")
    given = design(file=path)
    theory = first_order(given)
    z = 1e-3 * np.random.default_rng(2).standard_normal(len(theory.names))
    square = exact_draws(given, np.array([0.0 * z, z, -z]))[0] ** 2
    assert theory.nominal**2 == pytest.approx(square[0], rel=1e-12)
    # Quotients of so small a change round to 1e-9 of the square itself.
    assert 4.0 * theory.error @ theory.jacobian @ z == pytest.approx(square[1] - square[2], abs=1e-10)


@pytest.mark.parametrize("order", [6, 12])
@pytest.mark.parametrize("realization", ["legendre", "ladder"])
def test_one_per_cent_agrees_with_the_theory(order, realization, recording):
    given = design(order, realization, file=recording)
    theory = theory_of(given)
    assert theory is not None
    compared = compare(monte_carlo(given, 400, workers=1), theory)
    assert compared.flag is None
    assert compared.low < 1.0 < compared.high


def test_ten_thousand_samples_have_the_percentiles_of_the_form(recording):
    given = design(file=recording)
    expected, found = predict(first_order(given)), percentiles(monte_carlo(given, 10_000, workers=1))
    # Second order takes 1 %; ten thousand samples give p95 to 0.7 % (one sigma) and the others better.
    assert expected.p95 == pytest.approx(found["p95"], rel=0.03)
    assert expected.median == pytest.approx(found["median"], rel=0.03)
    assert expected.p05 == pytest.approx(found["p05"], rel=0.03)


def test_mismatch_that_is_too_large_is_flagged(recording):
    sigma = {"tolerance": "15 %", "distribution": "gauss"}
    given = design(12, mismatch={"resistor": sigma, "capacitor": sigma}, file=recording)
    run, theory = monte_carlo(given, 100, workers=1), first_order(given)
    assert "unstable circuits: mismatch is too large" in (compare(run, theory).flag or "")
    stable = run.isel(sample=np.flatnonzero(run.status.values == 0))
    assert "Monte Carlo over theory is" in (compare(stable, theory).flag or "")


def test_the_figures_of_an_ensemble_have_the_theory(recording, tmp_path):
    given = design(3, "ladder", file=recording)
    whole = {"engine": "exact", "workers": 1, "resumed": False, "progress": None}
    found = stored_ensemble(given, tmp_path / "run.zarr", samples=50, seed=0, **whole)["theory"]
    assert found["predicted_rms"] == pytest.approx(first_order(given).predicted_rms, rel=1e-12)
    assert found["low"] < found["ratio"] < found["high"]
    assert found["flag"] is None
    assert sensitivity(given)["nominal_nrmse"] == pytest.approx(float(simulate(given).window_nrmse), rel=1e-8)


def test_a_theory_of_tones_is_not_that_of_a_recording(recording):
    heard, tones = first_order(design(file=recording)), first_order(design(signal="multitone"))
    assert heard.names == tones.names
    assert not np.allclose(heard.added_rms, tones.added_rms, rtol=0.05)
    plans = [make_plan(design(**x), "sobol") for x in ({"file": recording}, {"signal": "multitone"})]
    assert plans[0] != plans[1]  # the draws that matter for the recording come first


def test_rare_failures_of_a_recording_are_counted_by_importance():
    given = design(3, "cap-feedforward", signal="step")
    limit = math.sqrt(quantile(quadratic_form(first_order(given)), 1.0 - 4e-3))
    counted = exact_chunk(given, 7, range(6000)).window_nrmse
    low, high = stats.binomtest(int(np.sum(counted > limit)), 6000).proportion_ci(0.99)
    found = high_sigma(given.replace(nrmse=limit), samples=400)
    assert found.low < high  # a 95 % and a 99 % interval overlap, but for once in hundreds of seeds
    assert found.high > low


def test_without_mismatch_the_error_is_the_nominal_one(recording):
    theory = first_order(design(file=recording, mismatch={}))
    assert theory.jacobian.shape[1] == 0
    whole = first_order(design(file=recording))
    assert theory.nominal == pytest.approx(whole.nominal, rel=1e-12)  # rounding


def test_an_unstable_circuit_is_refused():
    slow = design(6, "cap-feedforward", opamp={"gain": 1e5, "gbw": "30 kHz"})
    with pytest.raises(SimulationError, match="the circuit is unstable: a pole has the real part"):
        first_order(slow)
