"""Stability from determinants on the imaginary axis, against the poles themselves."""

import numpy as np
import pytest

from lmu_analog.engine.nyquist import Contour, contour, stability
from lmu_analog.errors import CircuitError


def pairs(rng: np.random.Generator, count: int, damping: float) -> np.ndarray:
    """Make poles in pairs, a few decades apart."""
    size = 10.0 ** rng.uniform(0.0, 3.0, count)
    upper = size * np.exp(1j * rng.uniform(0.5 * np.pi + damping, np.pi - 0.1, count))
    return np.concatenate([upper, upper.conj(), -(10.0 ** rng.uniform(0.0, 4.0, count))])


def deviations_of(poles: np.ndarray, rng: np.random.Generator):
    """What the ratio does when each pole moves a little, by itself or with its mirror image."""

    def deviations(w: np.ndarray) -> np.ndarray:
        each = poles / (1j * w[:, None] - poles)
        n = len(poles) // 3
        upper, lower, real = each[:, :n], each[:, n : 2 * n], each[:, 2 * n :]
        return np.hstack([upper + lower, 1j * (upper - lower), real])

    return deviations


def ratio(moved: np.ndarray, poles: np.ndarray, w: np.ndarray) -> np.ndarray:
    s = 1j * w[:, None]
    return np.prod((s - moved) / (s - poles), axis=1)


@pytest.mark.parametrize("size", [0.02, 0.2, 0.6])
def test_what_is_certain_is_what_the_poles_say(size):
    rng = np.random.default_rng(0)
    certain, both = [], []
    for _ in range(20):
        poles = pairs(rng, 4, damping=0.1)
        on = contour(poles, deviations_of(poles, rng))
        n = len(poles) // 3
        for _ in range(40):
            upper = poles[:n] * (1.0 + size * (rng.standard_normal(n) + 1j * rng.standard_normal(n)))
            moved = np.concatenate(
                [upper, upper.conj(), poles[2 * n :] * (1.0 + size * rng.standard_normal(n))]
            )
            # A factor that is the same at all points is no matter.
            found, sure = stability(on, 3.0 * ratio(moved, poles, on.w)[None])
            certain.append(bool(sure[0]))
            if sure[0]:
                assert found[0] == (moved.real.max() < 0.0)
                both.append(bool(found[0]))
    assert np.mean(certain) > {0.02: 0.95, 0.2: 0.4, 0.6: 0.05}[size]
    if size > 0.1:
        assert 0 < np.sum(both) < len(both)


def test_around_an_unstable_circuit_it_is_told_what_comes_back():
    poles = np.array([0.3 + 2.0j, 0.3 - 2.0j, -5.0])
    on = contour(poles, deviations_of(poles, np.random.default_rng(0)))
    assert on.unstable == 2
    alike, stable = np.array([0.2 + 2.1j, 0.2 - 2.1j, -5.2]), np.array([-0.8 + 2.0j, -0.8 - 2.0j, -5.0])
    ratios = np.array([ratio(moved, poles, on.w) for moved in (alike, stable)])
    found, sure = stability(on, ratios)
    assert found.tolist() == [False, True]
    assert sure.all()


def test_what_is_no_number_is_never_certain():
    poles = np.array([-1.0 + 2.0j, -1.0 - 2.0j, -5.0])
    on = contour(poles, deviations_of(poles, np.random.default_rng(0)))
    for wrong in (np.nan, np.inf, 0.0):
        _, sure = stability(on, np.full((1, len(on.w)), wrong, complex))
        assert not sure.any()


def test_nothing_between_the_points_is_larger_than_the_bound_says():
    rng = np.random.default_rng(1)
    poles = pairs(rng, 5, damping=0.2)
    on = contour(poles, deviations_of(poles, rng))
    w = np.linspace(0.0, 3.0 * np.abs(poles).max(), 20_000)
    n = len(poles) // 3
    for _ in range(50):
        upper = poles[:n] * (1.0 + 0.01 * (rng.standard_normal(n) + 1j * rng.standard_normal(n)))
        moved = np.concatenate([upper, upper.conj(), poles[2 * n :]])
        here, anywhere = (np.abs(ratio(moved, poles, x) - 1.0).max() for x in (on.w, w))
        assert anywhere <= 1.02 * on.bound * here  # neighbours of the fine grid lie a tenth apart


def test_a_pole_on_the_axis_is_refused():
    with pytest.raises(CircuitError, match="a pole of the circuit lies at the imaginary axis"):
        contour(
            np.array([2.0j, -2.0j, -1.0]),
            deviations_of(np.array([2.0j, -2.0j, -1.0]), np.random.default_rng(0)),
        )


def test_deviations_that_nearly_cancel_do_not_hide_the_others():
    rng = np.random.default_rng(2)
    poles = pairs(rng, 4, damping=0.05)
    alone = deviations_of(poles, rng)

    def with_giants(w: np.ndarray) -> np.ndarray:
        found = alone(w)
        giant = 1e5 / (1j * w[:, None] / np.abs(poles).max() + 1.0)
        return np.hstack([found, giant, found[:, :1] - giant])

    on, n = contour(poles, with_giants), len(poles) // 3
    wrong = 0
    for k in range(400):
        upper = poles[:n].copy()
        upper[k % n] += 10.0 ** rng.uniform(-2.0, 0.5) * np.abs(poles[k % n].real)
        moved = np.concatenate([upper, upper.conj(), poles[2 * n :]])
        found, sure = stability(on, ratio(moved, poles, on.w)[None])
        wrong += bool(sure[0]) and found[0] != (moved.real.max() < 0.0)
    assert wrong == 0


def test_a_ratio_as_large_as_one_proves_nothing():
    # A pole that crosses by a little: the ratio leaves the disc about one by as little, and Rouche says no more.
    w = np.concatenate([[0.0], np.geomspace(0.01, 100.0, 2000)])
    every = Contour(
        w, 1.0, np.eye(2 * len(w)), np.zeros((2 * len(w),) * 2), 0, w
    )  # all there is between the points
    poles = np.array([-0.1 + 2.0j, -0.1 - 2.0j, -5.0])
    beside = 0
    for step in np.linspace(1.02, 1.5, 40):
        moved = poles + 0.1 * step * np.array([1.0, 1.0, 0.0])
        r = ratio(moved, poles, w)
        beside += 0.9 < np.abs(r / r.real.mean() - 1.0).max() < 1.6
        found, sure = stability(every, r[None])
        assert not (sure[0] and found[0])
    assert beside > 10


def decided(r: np.ndarray, *, outside: float = 0.0, unstable: int = 0) -> tuple[bool, bool]:
    """Stability and certainty for a ratio that is known at all points of the axis, some of it outside the span."""
    points = len(r)
    w = np.linspace(0.0, 1.0, points)
    on = Contour(w, 1.0, np.eye(2 * points), outside * np.eye(2 * points), unstable, w)
    stable, certain = stability(on, r[None])
    return bool(stable[0]), bool(certain[0])


def path(angle: np.ndarray, size: np.ndarray | float) -> np.ndarray:
    """A ratio whose real parts have the mean one, by which it is scaled: turned by an angle, of a size."""
    r = size * np.exp(1j * angle)
    return r / r.real.mean()


def test_a_ratio_outside_the_span_is_in_doubt():
    r = 1.0 + 0.5 * np.exp(1j * np.linspace(0.0, np.pi, 50))
    r /= r.real.mean()
    assert decided(r) == (True, True)
    assert not decided(r, outside=1.0)[1]


def crossing(points: int, turns: float = -1.0) -> np.ndarray:
    """A ratio that turns by so many half turns, well away from zero."""
    angle = turns * np.pi * np.linspace(0.0, 1.0, points) ** 2
    return path(angle, 1.0)


def test_a_pole_that_crosses_is_counted_where_nothing_is_in_doubt():
    assert decided(crossing(60)) == (False, True)
    assert decided(crossing(60, -2.0), unstable=0) == (False, True)
    assert decided(crossing(60, 2.0), unstable=2) == (True, True)  # both come back
    assert not decided(crossing(60, 1.0), unstable=0)[1]  # more than there are cannot


def test_a_turn_between_neighbours_that_could_be_one_to_the_other_side_is_in_doubt():
    angle = np.concatenate([np.zeros(30), np.full(30, -2.0), np.linspace(-2.0, -np.pi, 40)])
    assert not decided(path(angle, 1.0))[1]


def test_a_ratio_that_comes_near_zero_is_in_doubt():
    def dip(depth: float) -> np.ndarray:
        return path(np.zeros(401), 1.0 - (1.0 - depth) * np.exp(-(np.linspace(-40.0, 40.0, 401) ** 2)))

    assert decided(dip(0.05)) == (True, True)
    assert not decided(dip(0.01))[1]
    # Two hundredths outside the span are three times too many beside a twentieth.
    assert decided(dip(0.2), outside=0.02) == (True, True)
    assert not decided(dip(0.05), outside=0.02)[1]


def test_a_count_that_is_not_whole_is_in_doubt():
    assert not decided(crossing(60, -1.3))[1]


def test_a_ratio_that_passes_zero_on_the_other_side_between_two_points_is_in_doubt():
    # Both neighbours lie to one side, far enough from zero and nearly in one direction; between them it dips beyond.
    x = np.linspace(-0.95, 0.95, 20)
    r = 3.0 * (1.0 - np.exp(-40.0 * x**2 / 3.0)) - 0.005 + 0.02j * x
    scaled = r / r.real.mean()
    assert np.abs(scaled).min() > 0.03
    assert np.abs(np.angle(scaled[1:] / scaled[:-1])).max() < 0.1
    assert not decided(scaled)[1]
