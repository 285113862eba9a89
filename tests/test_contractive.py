"""Free coordinates: what holds of all of them, what is the best of them, and what they do at the rails."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from lmu_analog.building import build, full_swing, realization
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.scaling import state_scale
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory import block_ladder, contractive, fixed_point, repeatable
from lmu_analog.memory.legendre import legendre, usable_band
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.turning import added, errors
from lmu_analog.simulation import distance, simulate
from lmu_analog.theory.coefficients import first_order_added_error
from lmu_analog.theory.first_order import first_order

NAMES = ("contractive", "block-ladder")
FAMILIES = ("active-rc", "active-rc-differential", "gm-c")
seeds = st.integers(0, 2**32 - 1)


def in_two_bases(order: int, seed: int) -> list[contractive.Turned]:
    """Give both forms with parameters drawn at random, not looked for."""
    rng = np.random.default_rng(seed)
    m = fixed_point.whole(rng.standard_normal((1, order)), 2.0**fixed_point.BITS)[0]
    F = (m[:, None, None] * fixed_point.commuting(order)).sum(axis=0) >> fixed_point.BITS
    Q = fixed_point.orthonormal(np.linalg.qr(rng.standard_normal((order, order)))[0])
    x = rng.standard_normal(order - 1 + order // 2)
    return [contractive.turned(Q, F), contractive.turned(block_ladder.exact(order, x))]


@settings(max_examples=8)
@given(order=st.integers(2, 12), seed=seeds)
def test_no_parameters_make_a_memory_whose_energy_grows_or_that_is_another(order, seed):
    f = np.array([0.0, 0.3, 1.0])
    for made in in_two_bases(order, seed):
        # A + A^T = -b b^T - m m^T: negative but for the rounding of entries of up to a few d^2.
        assert np.linalg.eigvalsh(made.A + made.A.T).max() < 1e-13 * np.abs(made.A).max() * order
        s = 2j * np.pi * f[:, None, None] * np.eye(order) - made.A
        states = (made.readout @ np.linalg.solve(s, made.B[None]))[..., 0]
        np.testing.assert_allclose(states, frequency_response(legendre(order), f), atol=1e-9)
    pair = np.arange(order) // 2
    # The last one is the block ladder: nothing couples pairs that are no neighbours, nothing else is driven.
    assert np.abs(made.A[np.abs(pair[:, None] - pair) > 1]).max(initial=0.0) < 1e-25
    assert np.abs(made.B[pair > 0]).max(initial=0.0) < 1e-25


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", NAMES)
def test_a_diagonal_energy_decays_in_the_circuit(family, name):
    design = Design(order=5, theta="10 ms", family=family, realization=name)
    made = realization(design)
    scale = state_scale(
        made.structure, design.bandwidth, amplitude=design.full_scale, swing=full_swing(design)
    )
    # States of the circuit are voltages of its integrators, or their negatives: |z|^2 is diagonal in them.
    A = extract(build(design)).A
    halves = len(A) // design.order  # a fully differential integrator has two capacitors, side by side
    P = np.diag(np.repeat(scale, halves) ** -2.0)
    decay = A.T @ P + P @ A
    assert (
        np.linalg.eigvalsh(decay).max() < 1e-7 * np.abs(decay).max()
    )  # finite values of 12 digits and gains
    # The energy of Legendre states, which have no such scaling, does grow.
    plain = extract(build(design.replace(realization="legendre"))).A
    assert np.linalg.eigvalsh(plain + plain.T).max() > 0.01 * np.abs(plain).max()


@pytest.mark.parametrize("order", [3, 6])
def test_the_sum_that_is_made_least_is_the_error_of_coefficients(order):
    made = realize(legendre(order), "contractive")
    turns = contractive.band(order, None)
    of = errors(order, turns, share=0.0)
    # The ladder's states are those of the realization "ladder", whose readout is exact.
    T = np.linalg.solve(made.readout, realize(legendre(order), "ladder").readout)
    found = math.sqrt(added(of, T, np.linalg.inv(T).T)[0])
    assert found == pytest.approx(first_order_added_error(made, bandwidth=turns), rel=1e-5)  # fewer nodes


def test_slopes_are_those_of_differences():
    order, step = 4, 1e-6
    of = errors(order, usable_band(order), share=0.5)
    x = block_ladder.start(order, 1)
    found = [
        (block_ladder.look(of, x + h)[0] - block_ladder.look(of, x - h)[0]) / (2.0 * step)
        for h in step * np.eye(len(x))
    ]
    np.testing.assert_allclose(found, block_ladder.look(of, x)[1], rtol=1e-6, atol=1e-6)
    of = errors(order, usable_band(order), share=0.5)
    commuting = of.drive * fixed_point.floats(fixed_point.commuting(order))
    rng = np.random.default_rng(0)
    Q, m = repeatable.orthonormal(rng.standard_normal((order, order))), rng.standard_normal(order)
    turn = rng.standard_normal((order, order))
    turn -= turn.T

    def value(along: float) -> float:
        at = contractive.Parameters(linalg.expm(along * turn) @ Q, m + along * np.arange(order))
        return contractive.look(of, commuting, at)[0]

    _, moment, by_m = contractive.look(of, commuting, contractive.Parameters(Q, m))
    wanted = np.sum(moment * turn) + by_m @ np.arange(order)
    assert (value(step) - value(-step)) / (2.0 * step) == pytest.approx(wanted, rel=1e-6)


# Added error in % per 1 % error of every coefficient, docs/reference-figures.md; the balanced memory has 2.19 and 3.32.
@pytest.mark.parametrize(
    ("name", "order", "most"),
    [("contractive", 6, 1.23), ("contractive", 12, 1.80), ("block-ladder", 6, 1.76)],
)
def test_errors_of_coefficients_do_what_is_published(name, order, most):
    assert first_order_added_error(realize(legendre(order), name), bandwidth=usable_band(order)) < most


def test_a_block_ladder_of_parts_is_better_than_ladders_by_an_eighth():
    def added_by_parts(name: str) -> float:
        parts = {"resistor": "1 %", "capacitor": "1 %"}
        design = Design(
            order=6, theta="10 ms", family="active-rc-differential", realization=name, mismatch=parts
        )
        return first_order(design).predicted_rms

    best = min(added_by_parts("ladder"), added_by_parts("bus-ladder"))
    assert added_by_parts("block-ladder") < 0.875 * best
    assert added_by_parts("contractive") < 0.72 * best


def test_coordinates_follow_the_band():
    order, usual = 4, usable_band(4)
    narrow = realize(
        legendre(order, 2.0), "contractive", bandwidth=0.25 * usual
    )  # half of it, at two seconds
    given_, usual_one = (
        first_order_added_error(made, bandwidth=0.25 * usual)
        for made in (narrow, realize(legendre(order, 2.0), "contractive"))
    )
    assert given_ < 0.97 * usual_one
    # Beyond sense the nearest end of what is looked for serves.
    ends = [realize(legendre(order), "contractive", bandwidth=b).system.A for b in (1e-9, 0.25 * usual)]
    np.testing.assert_array_equal(*ends)
    with pytest.raises(DesignError, match=r"^bandwidth = -1 Hz is not a positive frequency$"):
        realize(legendre(order), "contractive", bandwidth=-1.0)


def test_the_same_bits_on_every_processor():
    # Written down on one processor; a fused multiply-add or another order of a sum would move the last digits.
    found = [realize(legendre(3), name).system.A[0, 1].hex() for name in NAMES]
    assert found == ["-0x1.46b74ec2408c1p+0", "0x1.27c28f3ba72d3p+2"]


@given(seed=seeds, n=st.integers(1, 9))
def test_small_algebra_is_that_of_lapack(seed, n):
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((2, n, n))
    positive = a @ a.T + np.eye(n)
    np.testing.assert_allclose(repeatable.product(a, b), a @ b, atol=1e-13)
    np.testing.assert_allclose(repeatable.products(a, b[None])[0], a @ b, atol=1e-13)
    np.testing.assert_allclose(repeatable.combined(a, b[0]), a.T @ b[0], atol=1e-13)
    np.testing.assert_allclose(repeatable.inverse(positive) @ positive, np.eye(n), atol=1e-10)
    L, back = repeatable.triangular(positive)
    np.testing.assert_allclose(L, linalg.cholesky(positive), atol=1e-12)
    np.testing.assert_allclose(back @ L, np.eye(n), atol=1e-10)
    Q = repeatable.orthonormal(a)
    np.testing.assert_allclose(Q.T @ Q, np.eye(n), atol=1e-9)  # of a matrix that may be nearly singular


def test_the_minimiser_finds_the_least_value_of_a_valley():
    def valley(x: np.ndarray) -> tuple[float, np.ndarray]:  # Rosenbrock's
        a, b = 1.0 - x[0], x[1] - x[0] ** 2
        return float(a * a + 100.0 * b * b), np.array([-2.0 * a - 400.0 * x[0] * b, 200.0 * b])

    x, value = repeatable.minimise(np.array([-1.2, 1.0]), valley, np.add, steps=200)
    np.testing.assert_allclose(x, 1.0, atol=1e-6)
    assert value < 1e-12


@settings(max_examples=8)
@given(order=st.integers(2, 12))
def test_several_block_ladders_at_once_have_the_bits_of_each_alone(order):
    of = errors(order, usable_band(order), share=0.5)
    points = [block_ladder.start(order, k) for k in range(3)]
    if order > 2:  # block Lanczos ends early: the second state is where the first one goes
        points.append(np.eye(len(points[0]))[0])
    together = block_ladder.look_each(of, points)
    for x, (value, slopes) in zip(points, together, strict=True):
        alone = block_ladder.look(of, x)
        assert value == alone[0]
        np.testing.assert_array_equal(slopes, alone[1])
    assert [math.isinf(value) for value, _ in together] == [False] * 3 + [True] * (order > 2)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("name", "family"), [("contractive", "active-rc-differential"), ("block-ladder", "active-rc")]
)
def test_a_circuit_comes_back_from_its_rails(name, family, tmp_path):
    theta = 1e-3
    design = Design(order=3, theta=theta, family=family, realization=name, opamp="OPA2192", amplitude="0.5 V")
    circuit = build(design)
    t = np.linspace(0.0, 6.0 * theta, 600)
    tone = 0.5 * np.sin(2.0 * np.pi * 0.5 * design.bandwidth * t) * np.minimum(t / theta, 1.0)

    def run(factor: float, engine):  # of the input in the second window
        path = tmp_path / f"{factor}.csv"
        np.savetxt(
            path, np.stack([t, tone * np.where((t > theta) & (t < 2 * theta), factor, 1.0)], 1), delimiter=","
        )
        return simulate(design.replace(file=path), engine=engine, circuit=circuit)

    usual, overdriven = run(1.0, "ngspice"), run(3.0, "ngspice")
    assert distance(usual, run(1.0, "exact")) < 1e-3  # of the engines, see simulation.APART
    apart = np.abs(overdriven.estimate - usual.estimate).max("delay").values
    time = usual.time.values
    overdriven_by = np.abs(overdriven.estimate - run(3.0, "exact").estimate).max("delay").values
    assert overdriven_by[(time > 1.2 * theta) & (time < 2 * theta)].max() > 0.1  # V: it does meet its rails
    assert apart[time > 5 * theta].max() < 1e-3  # V: its slowest pole has let go of volts by then
