import numpy as np
import pytest
from test_steady import many

from lmu_analog.memory import window
from lmu_analog.memory.blocked_hold import many_profiles, many_runs
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.squares import prepared_window
from lmu_analog.memory.statespace import StateSpace, respond


@pytest.mark.parametrize("points", [2, 3, 16, 17, 18, 200])
@pytest.mark.parametrize("whole", [True, False])
def test_runs_are_those_of_the_convolution(points, whole):
    system, dt = many(5, whole=whole), 0.02
    u = np.random.default_rng(2).standard_normal(points)
    wanted = respond(system, u, dt)
    np.testing.assert_allclose(many_runs(system, u, dt), wanted, atol=1e-11 * np.abs(wanted).max())


def test_a_step_of_any_length_is_exact():
    system = many(6, whole=False)
    u = np.array([0.0, 1.0, 1.0])
    for dt in (1e-6, 0.3, 5.0):  # from no halving at all to eight
        wanted = respond(system, u, dt)
        np.testing.assert_allclose(many_runs(system, u, dt), wanted, atol=1e-11 * np.abs(wanted).max())


def test_profiles_are_those_of_the_window():
    system, dt = many(4), 0.05
    times = dt * np.arange(150)
    u = np.sin(3.0 * times)
    ideal = np.sin(3.0 * (times[:, None] - window.QUADRATURE.r))
    wanted = window.time_profile(respond(system, u, dt), ideal, 0.7)
    ideal = prepared_window(4, ideal.T, window.QUADRATURE)
    np.testing.assert_allclose(many_profiles(system, u, dt, ideal=ideal, rms=0.7), wanted, rtol=1e-9)


def test_a_constant_input_leaves_the_steady_state():
    ideal = legendre(3)
    one = StateSpace(*(np.asarray(x)[None] for x in (ideal.A, ideal.B, ideal.C, ideal.D)))
    last = many_runs(one, np.ones(400), 0.1)[0, -1]
    np.testing.assert_allclose(last, (-ideal.C @ np.linalg.solve(ideal.A, ideal.B))[:, 0], atol=1e-12)
