"""A state space survives the journey to other libraries and back, and does there what it does here."""

import control
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import signal

from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.reference import discretize
from lmu_analog.memory.statespace import StateSpace, cut, frequency_response, respond
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.output.interop import from_ss, to_control, to_scipy, to_xarray

FREQUENCY = np.array([10.0, 300.0, 1000.0])  # Hz, up to the band of theta = 1 ms


def same(a: StateSpace, b: StateSpace) -> None:
    assert a.dt == b.dt
    for name in "ABCD":
        # Two solves with A, whose condition is below 1e3 here.
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-12, atol=1e-12)


@given(order=st.integers(1, 12), theta=st.floats(1e-4, 1.0), sampled=st.booleans())
def test_a_system_comes_back_from_both_libraries(order, theta, sampled):
    system = legendre(order, theta)
    if sampled:
        system = discretize(system, theta / 100.0)
    same(from_ss(to_control(system)), system)
    same(from_ss(to_scipy(system)), system)


@pytest.mark.parametrize("sampled", [False, True])
def test_frequency_responses_are_those_that_control_computes(sampled):
    system = legendre(6, 1e-3)
    if sampled:
        system = discretize(system, 1e-5)
    ours, w = frequency_response(system, FREQUENCY), 2.0 * np.pi * FREQUENCY
    theirs = to_control(system)(np.exp(1j * w * 1e-5) if sampled else 1j * w)
    # Two ways to solve the same well-conditioned equations.
    np.testing.assert_allclose(theirs[:, 0, :].T, ours, rtol=1e-10, atol=1e-12)


def test_scipy_simulates_what_we_propagate():
    rng = np.random.default_rng(1)
    u, dt, memory = rng.normal(size=200), 1e-5, legendre(6, 1e-3)
    _, theirs, _ = signal.lsim(to_scipy(memory), u, dt * np.arange(200))
    # Both are exact for an input that is linear between samples; ours assumes u = 0 before the first.
    np.testing.assert_allclose(theirs, respond(memory, u, dt), rtol=1e-9, atol=1e-9)
    sampled = discretize(memory, dt)
    _, theirs, _ = signal.dlsim(to_scipy(sampled), u)
    states, x = [], np.zeros(6)
    for value in u:
        x = sampled.A @ x + sampled.B[:, 0] * value
        states.append(x)
    # Two hundred steps of rounding, each amplified by less than ten.
    np.testing.assert_allclose(theirs, np.array(states) @ sampled.C.T, rtol=1e-9, atol=1e-12)


def test_the_delay_of_control_is_our_memory():
    # y = u(t - theta) of the Legendre memory is the Pade approximant [d-1/d] of exp(-s theta).
    order, theta = 5, 1e-3
    memory = legendre(order, theta)
    last = StateSpace(memory.A, memory.B, np.ones((1, order)), np.zeros((1, 1)))
    pade = control.tf(*control.pade(theta, order, order - 1))
    w = 2.0 * np.pi * FREQUENCY
    ours = to_control(last)(1j * w)
    np.testing.assert_allclose(ours, pade(1j * w), rtol=1e-9)


def test_a_circuit_goes_along():
    system = extract(build(Design(order=4, theta="1 ms", family="gm-c", realization="ladder")))
    np.testing.assert_allclose(
        to_control(system)(2j * np.pi * FREQUENCY)[:, 0, :].T,
        frequency_response(legendre(4, 1e-3), FREQUENCY),
        # An ideal circuit is the ideal memory, with values rounded to 12 digits; the states of the third and fourth
        # polynomial are small differences of responses of up to 1.
        rtol=1e-9,
        atol=2e-11,
    )


def test_an_ensemble_becomes_a_dataset_with_a_sample_axis():
    design = Design(order=3, theta="1 ms", mismatch={"resistor": "1 %"})
    circuit, law = build(design), Mismatch.of(design)
    z = draw(circuit, law, seed=1, samples=range(5))
    many = extract(circuit, sample(circuit, law, z))
    data = to_xarray(many)
    assert dict(data.sizes) == {"sample": 5, "state": 3, "source_state": 3, "output": 3}
    assert data.A.attrs["units"] == "1/s"
    one = to_xarray(cut(many, 2))
    np.testing.assert_array_equal(data.isel(sample=2).A, one.A)
    np.testing.assert_array_equal(one.B, many.B[2, :, 0])


def test_what_the_others_cannot_hold_is_refused():
    one = legendre(2, 1.0)
    many = StateSpace(
        np.stack([one.A] * 3), np.stack([one.B] * 3), np.stack([one.C] * 3), np.stack([one.D] * 3)
    )
    with pytest.raises(DesignError, match=r"\(3,\) systems at once; .* cut\(system, k\) first"):
        to_scipy(many)
    steep = StateSpace(one.A, one.B, one.C, one.D, slope=np.ones((2, 1)))
    with pytest.raises(DesignError, match="follow the input's derivative"):
        to_control(steep)
    with pytest.raises(DesignError, match="2 inputs; a memory has one"):
        from_ss(control.ss(one.A, np.eye(2), np.eye(2), np.zeros((2, 2))))
    with pytest.raises(DesignError, match="dt = True says sampled"):
        from_ss(control.ss(one.A, one.B, one.C, one.D, True))
    with pytest.raises(DesignError, match="A is singular"):
        from_ss(control.ss(np.zeros((2, 2)), one.B, one.C, one.D, 0.1))
