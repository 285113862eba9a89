"""Fixed points of many maps."""

import numpy as np

from lmu_analog.memory.mixing import MEMORY, mixed

SIZE = 30


def rounds(slopes: np.ndarray, target: np.ndarray, count: int, *, mixing: bool) -> np.ndarray:
    """Distance from the fixed points of x -> target + slopes (x - target)."""
    x, before = np.zeros_like(target), None
    for _ in range(count):
        found = target + slopes * (x - target)
        x, before = mixed(before, x, found) if mixing else (found, None)
    return np.abs(x - target).max(axis=1)


def test_as_many_slow_modes_as_are_remembered_take_one_round_each():
    rng = np.random.default_rng(0)
    target = rng.normal(size=(3, SIZE))
    # Maps with as many different slopes as rounds are remembered, one of them growing.
    slopes = rng.choice(np.linspace(-0.9, 1.3, MEMORY), size=(3, SIZE))
    # 1e-5: normal equations square the condition of rounds that are nearly alike.
    assert rounds(slopes, target, MEMORY + 2, mixing=True).max() < 1e-5
    assert rounds(slopes, target, MEMORY + 2, mixing=False).min() > 0.1


def test_a_map_does_not_depend_on_its_neighbours():
    rng = np.random.default_rng(1)
    target, slopes = rng.normal(size=(2, 4, SIZE))
    whole = rounds(0.5 * slopes, target, 6, mixing=True)
    for k in range(4):
        alone = rounds(0.5 * slopes[k : k + 1], target[k : k + 1], 6, mixing=True)
        assert alone[0] == whole[k]


def test_a_point_that_is_found_stays():
    target = np.ones((2, SIZE))
    x, before = target.copy(), None
    for _ in range(6):
        x, before = mixed(before, x, target)
    np.testing.assert_array_equal(x, target)
