"""Wrong shapes and types are refused while tests run, wherever a hint stands; a guard is seen to refuse."""

import functools
from dataclasses import dataclass

import beartype
import jaxtyping
import numpy as np
import pytest
from checking import MOST, begin, checked
from jaxtyping import Float

from lmu_analog.memory.legendre import legendre, window_length
from lmu_analog.memory.statespace import StateSpace

check = functools.partial(
    checked, typechecker=beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))
)
REFUSED = beartype.roar.BeartypeCallHintViolation
TWO, THREE = np.zeros(2), np.zeros(3)


@check
def both(a: Float[np.ndarray, " n"], b: "Float[np.ndarray, ' n'] | None" = None) -> Float[np.ndarray, " n"]:
    return a if b is None else a + b


@check
def grown(a: Float[np.ndarray, " n"], *, by: int) -> "Float[np.ndarray, '{by}']":
    return np.zeros(len(a) + 1)


@check
def pairs(rows: "list[Float[np.ndarray, ' n']]", note: "Unknown | None" = None) -> int:  # noqa: F821
    return len(rows)


@check
@dataclass(frozen=True)
class Pair:
    a: Float[np.ndarray, " n"]
    b: Float[np.ndarray, " n"]

    @property
    @check
    def size(self) -> int:
        return "two" if len(self.a) == 2 else len(self.a)  # type: ignore[return-value]


@pytest.mark.parametrize(
    "call",
    [
        lambda: both(THREE, TWO),
        lambda: both(np.zeros((3, 3))),
        lambda: both([0.0, 0.0]),
        lambda: grown(TWO, by=2),
        lambda: grown(TWO, by="3"),
        lambda: pairs([TWO, "three"][1:]),
        lambda: Pair(TWO, THREE),
        lambda: Pair(TWO, TWO).size,
    ],
)
def test_what_does_not_fit_a_hint_is_refused(call):
    with pytest.raises(REFUSED, match=r"violates type hint|not instance of"):
        call()


def test_what_fits_passes_and_each_call_has_axes_of_its_own():
    assert both(TWO, TWO).shape == (2,)
    assert both(THREE).shape == (3,)
    assert grown(TWO, by=3).shape == (3,)
    assert pairs([TWO, TWO], note=object()) == 2
    assert Pair(THREE, THREE).size == 3


def test_the_first_calls_of_each_test_are_checked():
    for _ in range(MOST):
        with pytest.raises(REFUSED):
            both(THREE, TWO[:1])
    assert both(THREE, TWO[:1]).shape == (3,)  # NumPy's broadcasting
    begin()
    with pytest.raises(REFUSED):
        both(THREE, TWO[:1])


def test_the_package_s_functions_and_types_are_checked():
    assert jaxtyping.jaxtyped is checked
    with pytest.raises(REFUSED, match="StateSpace"):
        window_length("no system")
    system = legendre(3)
    with pytest.raises(REFUSED, match=r"violates type hint"):
        StateSpace(system.A, system.B[:2], system.C, system.D)
