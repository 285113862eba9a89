"""Windows of recordings on Legendre polynomials, and errors over them, against nodes between all kinks."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmu_analog import Design, simulate
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.ensembles.exact import exact_chunk, exact_draws
from lmu_analog.ensembles.nonlinear import nonlinear_chunk
from lmu_analog.memory.projection import projected
from lmu_analog.memory.statespace import respond
from lmu_analog.memory.window import POINTS, gauss_legendre, readout, window_nrmse
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.simulation import grid
from lmu_analog.storage.results import GOOD
from lmu_analog.theory.first_order import first_order


def between_kinks(length, nodes=24):
    """Give places and weights of Gauss-Legendre nodes between the samples of a window of a length in samples.

    At the instant of a sample the window is linear between them, so the rule is exact to degree 2 nodes - 1.
    """
    edges = np.unique(np.concatenate([np.arange(0.0, 1.0, 1.0 / length), [1.0]]))
    rule, width = gauss_legendre(nodes), np.diff(edges)[:, None]
    return (edges[:-1, None] + width * rule.r).ravel(), (width * rule.weight).ravel()


@example(length=1.0, count=2, order=24, seed=0)  # all of a polynomial in one piece
@example(length=3.0, count=9, order=24, seed=0)
@given(
    length=st.floats(0.3, 80.0),
    count=st.integers(2, 200),
    order=st.integers(1, 24),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=40, deadline=None)
def test_coefficients_and_rest_are_those_of_nodes_between_the_kinks(length, count, order, seed):
    u = np.random.default_rng(seed).standard_normal(count)
    time, (r, weight) = np.arange(count) * 1e-3, between_kinks(length)
    ideal = np.interp(time[:, None] - length * 1e-3 * r, time, u, left=0.0)
    found = projected(u, 1e-3, length * 1e-3, order=order)
    span = 2.0 * np.arange(order) + 1.0
    wanted = ideal @ (weight[:, None] * readout(order, r)) * np.sqrt(span)
    # Sums of 80 pieces round to 1e-14, and so does the transform behind the convolution.
    np.testing.assert_allclose(found[:, :-1], wanted, atol=1e-12)
    np.testing.assert_allclose(np.sum(found**2, axis=1), ideal**2 @ weight, atol=1e-12)


def oracle(design, values):
    """Propagate all states and integrate between all kinks: window NRMSE of circuits with these values, (s,)."""
    evaluation_grid = grid(design.stimulus, design.theta)
    recording = evaluation_grid.stimulus
    r, weight = between_kinks(design.theta / recording.dt, nodes=6)
    ideal = recording(evaluation_grid.time[:, None] - design.theta * r)
    system, rows = extract(build(design), values), readout(design.order, r).T
    states = respond(system, recording.values, recording.dt)
    square = [np.mean((run @ rows - ideal) ** 2, axis=0) @ weight for run in states]
    return np.sqrt(square) / evaluation_grid.rms


@pytest.fixture
def clicks(tmp_path):
    """Give a recording of edges and noise, whose window no rule of 33 nodes follows."""
    u = np.sign(np.sin(0.35 * np.arange(180))) + 0.5 * np.random.default_rng(0).standard_normal(180)
    path = tmp_path / "clicks.csv"
    path.write_text("".join(f"{2e-5 * k!r},{float(v)!r}\n" for k, v in enumerate(u)))
    return path


@pytest.mark.parametrize("signal", ["clicks", "step"])
def test_recordings_are_integrated_to_1e_6_by_every_engine(clicks, signal):
    given = {"file": clicks} if signal == "clicks" else {"signal": "step"}
    mismatch = {"resistor": "1 %", "capacitor": "1 %"}
    design = Design(order=4, theta="1 ms", realization="cap-feedforward", mismatch=mismatch, **given)
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=0, samples=range(3))
    wanted = oracle(design, sample(circuit, law, z))
    found = exact_chunk(design, 0, range(3))
    np.testing.assert_allclose(found.window_nrmse, wanted, rtol=1e-6)
    assert found.profile.shape == (3, POINTS)  # which alone would miss it
    assert np.abs(window_nrmse(found.profile) / wanted - 1.0).max() > 2e-5
    nominal = oracle(design, circuit.values[None])[0]
    assert float(simulate(design).window_nrmse) == pytest.approx(nominal, rel=1e-6)
    assert first_order(design).nominal == pytest.approx(nominal, rel=1e-6)
    assert exact_draws(design, 0.0 * z[:1])[0][0] == pytest.approx(nominal, rel=1e-6)


def test_the_nonlinear_engine_integrates_recordings_alike(clicks):
    # Rails and slew limits that nothing comes near: both engines are to agree to what either leaves out.
    opamp = {"gain": "100 dB", "gbw": "100 MHz", "slew": "1000 V/us"}
    design = Design(
        order=3, theta="1 ms", file=clicks, opamp=opamp, supply="50 V", mismatch={"resistor": "1 %"}
    )
    nonlinear, linear = nonlinear_chunk(design, 0, range(3)), exact_chunk(design, 0, range(3))
    done = nonlinear.status == GOOD
    assert done.any()
    np.testing.assert_allclose(nonlinear.window_nrmse[done], linear.window_nrmse[done], rtol=1e-4)
    apart = window_nrmse(linear.profile) / linear.window_nrmse - 1.0
    assert np.abs(apart).max() > 4e-4  # so that one of them with 33 nodes would show
