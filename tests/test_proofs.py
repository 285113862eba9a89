"""The proofs in whole numbers say what SymPy's say, of right matrices and of wrong ones."""

import numpy as np
import pytest
from sympy import ImmutableMatrix

from lmu_analog.errors import DesignError
from lmu_analog.memory import proofs, symbolic
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.proofs import PROOFS, proved, verdicts


def whole(order):
    system = legendre(order)
    return [[int(a) for a in row] for row in system.A], [int(b) for b in system.B[:, 0]]


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8, 12])
def test_whole_numbers_and_sympy_prove_the_same(order):
    assert verdicts(*whole(order)) == symbolic.derive(order).proofs


@pytest.mark.parametrize("order", [24, 48, 64])
def test_all_seven_hold_up_to_the_highest_order(order):
    assert proved(order) == PROOFS


def by_sympy(A, B):
    """Ask the functions of ``symbolic`` about a matrix that may be wrong."""
    d = len(B)
    system = symbolic.ExactSystem(ImmutableMatrix(A), ImmutableMatrix(B), ImmutableMatrix.ones(1, d))
    scaled = symbolic.scale(symbolic.controllable_canonical(symbolic.monic(symbolic.pade(d))))
    T = symbolic.transform(scaled, system)
    return {
        "pade": symbolic.is_pade(system, symbolic.pade(d)),
        "hurwitz": symbolic.is_hurwitz(system.A),
        "transform": symbolic.is_transform(T, scaled, system),
        "I1": symbolic.holds_i1(system),
        "I2": symbolic.holds_i2(system),
        "I3": symbolic.holds_i3(system),
        "I4": symbolic.holds_i4(system.A),
    }


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("by", [-1, 1])
def test_what_is_wrong_in_any_entry_is_proved_by_neither(order, by):
    for i in range(order):
        for j in range(order + 1):
            A, B = whole(order)
            if j < order:
                A[i][j] += by
            else:
                B[i] += by
            mine, theirs = verdicts(A, B), by_sympy(A, B)
            assert {name: mine[name] for name in ("I1", "I2", "I3", "I4")} == {
                name: theirs[name] for name in ("I1", "I2", "I3", "I4")
            }
            # Without the transform whole numbers say nothing of the polynomials, so that less is proved, never more.
            assert all(theirs[name] for name in PROOFS if mine[name])
            assert not mine["pade"]
            assert not mine["transform"]


def test_the_proofs_are_of_the_numbers_that_legendre_has(monkeypatch):
    def changed(order):
        system = legendre(order)
        return system.A + 1e-3 * np.eye(order), system.B[:, 0]

    proved.cache_clear()
    monkeypatch.setattr(proofs, "coefficients", changed)
    assert proved(4) == ()
    proved.cache_clear()


def test_an_order_that_no_memory_has_is_refused():
    with pytest.raises(DesignError, match="order 65 is outside 1 to 64"):
        proved(65)
