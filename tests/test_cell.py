"""The LMU in NumPy: memory, cell and layer."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.legendre import coefficients
from lmu_analog.networks.cell import LMU, Memory
from lmu_analog.networks.network import LMULayer, lmu_layer

NAMES = (
    "input_encoders", "hidden_encoders", "memory_encoders", "input_kernel", "hidden_kernel", "memory_kernel"
)  # fmt: skip


def weights(seed: int = 0, *, memories: int = 2, order: int = 4, hidden: int = 3, **about) -> LMULayer:
    rng = np.random.default_rng(seed)
    shapes = [(2, memories), (hidden, memories), (memories * order, memories)]
    shapes += [(2, hidden), (hidden, hidden), (memories * order, hidden)]
    drawn = [0.3 * rng.standard_normal(shape) for shape in shapes]
    arrays = dict(zip(NAMES, drawn, strict=True)) | {"bias": 0.1 * rng.standard_normal(hidden)}
    for name in {"A", "B"} & about.keys():
        arrays[name] = about.pop(name)
    return lmu_layer(arrays, **{"theta": 8.0, **about})


def changed(layer: LMULayer, **arrays) -> LMULayer:
    return replace(layer, weights={**layer.weights, **arrays})


@given(order=st.integers(1, 12), theta=st.floats(5.0, 200.0), seed=st.integers(0, 9))
def test_a_memory_is_scipys_discrete_system(order: int, theta: float, seed: int):
    A, B = coefficients(order, theta)
    u = np.random.default_rng(seed).standard_normal(60)
    discrete = signal.cont2discrete((A, B[:, None], np.eye(order), np.zeros((order, 1))), 1.0, "zoh")
    # SciPy's dlsim has u[k] act on x[k + 1]; ours is one step ahead.
    _, states, _ = signal.dlsim(signal.dlti(*discrete[:4], dt=1.0), np.append(u, 0.0))
    scale = np.abs(states).max()
    np.testing.assert_allclose(
        Memory(order, theta).run(u), states[1:], atol=1e-11 * scale
    )  # 60 steps of rounding


def test_theta_in_seconds_and_in_steps_say_the_same():
    u = np.random.default_rng(1).standard_normal(100)
    for method in ("zoh", "euler"):
        steps, seconds = Memory(6, 50, method=method).run(u), Memory(6, 0.1, dt=2e-3, method=method).run(u)
        np.testing.assert_allclose(seconds, steps, rtol=0.0, atol=1e-12)  # rounding: theta/dt is the same


def test_a_memory_of_high_order_holds_its_window():
    steps, order = 400, 100  # beyond the 64 of a circuit
    u = np.sin(2 * np.pi * 5.0 * np.arange(3 * steps) / steps)
    states = Memory(order, steps).run(u)
    oldest = states.sum(axis=-1)  # P_i(1) = 1
    # The hold is half a sample ahead of the samples; 2 pi 5/400 is the change of u over a sample.
    error = oldest[2 * steps :] - u[steps : 2 * steps]
    assert np.abs(error).max() < 0.5 * 2 * np.pi * 5.0 / steps * 1.01


def test_many_inputs_are_run_as_one_would_be():
    u = np.random.default_rng(2).standard_normal((2, 3, 30))
    memory = Memory(5, 12.0)
    states = memory.run(u)
    assert states.shape == (2, 3, 30, 5)
    # A matrix product of many rows may add in another order than of one.
    np.testing.assert_allclose(states[1, 2], memory.run(u[1, 2]), rtol=0.0, atol=1e-13)


def test_a_layer_is_its_cell_step_by_step_and_its_equations():
    w = weights(3).arrays
    layer, x = LMU(weights(3)), np.random.default_rng(4).standard_normal((7, 2))
    whole, state = layer.run(x), layer.rest()
    for k, row in enumerate(x):
        flat, before = state.memory.ravel(), state
        state = layer.step(row, state)
        np.testing.assert_array_equal(state.hidden, whole.hidden[k])
        u = row @ w.input_encoders + before.hidden @ w.hidden_encoders + flat @ w.memory_encoders
        np.testing.assert_allclose(layer.drive(row, before), u, atol=1e-15)  # one rounding
        for j in range(2):
            alone = Memory(4, 8.0).system
            expected = alone.A @ before.memory[j] + alone.B[:, 0] * u[j]
            np.testing.assert_allclose(state.memory[j], expected, atol=1e-14)  # rounding
        inner = (
            row @ w.input_kernel + before.hidden @ w.hidden_kernel + state.memory.ravel() @ w.memory_kernel
        )
        np.testing.assert_allclose(state.hidden, np.tanh(inner + w.bias), atol=1e-15)  # one rounding
    # A sequence that goes on from a state goes on.
    onward = layer.run(x[4:], start=type(state)(whole.hidden[3], whole.memory[3]))
    np.testing.assert_array_equal(onward.hidden, whole.hidden[4:])


def test_a_layer_without_feedback_has_the_memorys_own_states():
    w = weights(5, memories=1)
    arrays = w.arrays
    plain = changed(
        w, **{name: 0 * getattr(arrays, name) for name in ("hidden_encoders", "memory_encoders", "bias")}
    )
    x = np.random.default_rng(6).standard_normal((20, 2))
    states = Memory(4, 8.0).run(x @ arrays.input_encoders[:, 0])
    np.testing.assert_allclose(LMU(plain).run(x).memory[:, 0], states, atol=1e-14)  # rounding


def test_trained_matrices_take_the_place_of_the_legendre_memory():
    A, B = coefficients(4)
    x = np.random.default_rng(7).standard_normal((20, 2))
    legendre, given = LMU(weights(8)), LMU(weights(8, A=A, B=B))
    np.testing.assert_array_equal(given.run(x).hidden, legendre.run(x).hidden)
    slower = LMU(weights(8, A=0.5 * A, B=0.5 * B))
    np.testing.assert_allclose(
        slower.run(x).hidden, LMU(weights(8, theta=16.0)).run(x).hidden, atol=1e-13
    )  # rounding: half the rates are twice the window


def test_a_memory_that_diverges_says_why():
    with pytest.raises(
        SimulationError, match=r"theta = 4 steps at order 6; use method zoh, or theta above 10.6"
    ):
        Memory(6, 0.04, dt=0.01, method="euler").run(np.ones(20_000))
    unstable = changed(weights(9), memory_encoders=50.0 * np.eye(8, 2))
    with pytest.raises(SimulationError, match=r"diverge at step \d+; memory_encoders"):
        LMU(unstable).run(np.ones((2000, 2)))


def test_wrong_inputs_are_named():
    layer = LMU(weights())
    with pytest.raises(
        DesignError, match=r"x: last axis \(inputs\) has length 3, not 2 as in input_encoders"
    ):
        layer.run(np.ones((5, 3)))
    with pytest.raises(DesignError, match=r"x has shape \(5,\); axes"):
        layer.run(np.ones(5))
    with pytest.raises(DesignError, match="x holds 1 values that are not finite"):
        layer.run(np.array([[0.0, np.inf]]))
    for wrong in (0, 1025, True):
        with pytest.raises(DesignError, match="order must be a whole number from 1 to 1024"):
            Memory(wrong, 8.0)
    with pytest.raises(DesignError, match="theta must be a positive number, not 0"):
        Memory(4, 0.0)
    with pytest.raises(DesignError, match="method 'tustin'; known are zoh, euler"):
        Memory(4, 8.0, method="tustin")
