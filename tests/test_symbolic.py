"""The exact derivation against published matrices, python-control and definitions; proofs that fail."""

from fractions import Fraction
from math import factorial

import control
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sympy import ImmutableMatrix

from lmu_analog.errors import DesignError
from lmu_analog.memory import legendre, symbolic
from lmu_analog.memory.symbolic import ExactSystem, Quotient

PROOFS = ["pade", "hurwitz", "transform", "I1", "I2", "I3", "I4"]

# nengolib.synapses.analog.LegendreDelay (A. Voelker) with theta = 1.
PUBLISHED = {
    1: ([[-1]], [1]),
    2: ([[-1, -1], [3, -3]], [1, -3]),
    3: ([[-1, -1, -1], [3, -3, -3], [-5, 5, -5]], [1, -3, 5]),
    4: ([[-1, -1, -1, -1], [3, -3, -3, -3], [-5, 5, -5, -5], [7, -7, 7, -7]], [1, -3, 5, -7]),
    6: (
        [
            [-1, -1, -1, -1, -1, -1],
            [3, -3, -3, -3, -3, -3],
            [-5, 5, -5, -5, -5, -5],
            [7, -7, 7, -7, -7, -7],
            [-9, 9, -9, 9, -9, -9],
            [11, -11, 11, -11, 11, -11],
        ],
        [1, -3, 5, -7, 9, -11],
    ),
}

# C (sI - A)^-1 B of the matrices above, inverted symbolically with SymPy; ascending powers.
QUOTIENTS = {
    1: ("1", "1 1"),
    2: ("1 -1/3", "1 2/3 1/6"),
    3: ("1 -2/5 1/20", "1 3/5 3/20 1/60"),
    4: ("1 -3/7 1/14 -1/210", "1 4/7 1/7 2/105 1/840"),
    6: ("1 -5/11 1/11 -1/99 1/1584 -1/55440", "1 6/11 3/22 2/99 1/528 1/9240 1/332640"),
}

# nengolib.synapses.analog._proper_delay with theta = 1: A's first row and sub-diagonal, C; and T computed
# from its controllability matrix and LegendreDelay's, printed to 12 decimals.
PROPER_DELAY = {
    2: ([4, 1.5], [-0.5, 1], [[0.25, 1], [-0.75, 0]]),
    3: (
        [9, 4, 1.6666666666666667],
        [0.3333333333333333, -0.6666666666666666, 1],
        [[0.111111111111, 0.166666666667, 1], [-0.333333333333, -0.833333333333, 0], [0.555555555556, 0, 0]],
    ),
    4: (
        [16, 7.5, 4, 1.75],
        [-0.25, 0.5, -0.75, 1],
        [
            [0.0625, 0.166666666667, 0.125, 1],
            [-0.1875, -0.25, -0.875, 0],
            [0.3125, 0.583333333333, 0, 0],
            [-0.4375, 0, 0, 0],
        ],
    ),
}

orders = st.integers(1, 10)
fractions = st.fractions(-10, 10, max_denominator=10)


def changed(matrix: ImmutableMatrix, position: int, by: Fraction) -> ImmutableMatrix:
    """Add ``by`` to one entry, counted row by row."""
    entries = matrix.flat()
    entries[position % len(entries)] += by
    return ImmutableMatrix(*matrix.shape, entries)


def value(coefficients: tuple[Fraction, ...], s: Fraction) -> Fraction:
    return sum((c * s**n for n, c in enumerate(coefficients)), Fraction())


@pytest.mark.parametrize("order", PUBLISHED)
def test_the_matrices_are_the_published_ones(order: int):
    A, B = PUBLISHED[order]
    derivation = symbolic.derive(order)
    assert derivation.A.tolist() == A
    assert derivation.B.flat() == B
    assert derivation.C.flat() == [1] * order


@pytest.mark.parametrize("order", QUOTIENTS)
def test_the_quotient_is_the_reference_one(order: int):
    numerator, denominator = (tuple(map(Fraction, side.split())) for side in QUOTIENTS[order])
    assert symbolic.derive(order).pade == Quotient(numerator, denominator)


@pytest.mark.parametrize("order", PROPER_DELAY)
def test_the_scaled_form_and_the_transform_are_the_reference_ones(order: int):
    v, w, T = PROPER_DELAY[order]
    derivation = symbolic.derive(order)
    A = np.diag(v[1:], k=-1) + np.diag([-v[0]] + [0.0] * (order - 1))
    A[0] = -v[0]
    # The reference is in double precision: a unit in the last place.
    np.testing.assert_allclose(np.array(derivation.scaled.A, float), A, rtol=3e-16)
    np.testing.assert_allclose(np.array(derivation.scaled.C, float)[0], w, rtol=3e-16)
    # The reference is printed to 12 decimals.
    np.testing.assert_allclose(np.array(derivation.transform, float), T, rtol=0, atol=5e-13)


@pytest.mark.parametrize("order", [1, 2, 3, 5, 8, 12])
def test_the_quotient_is_the_one_of_python_control(order: int):
    numerator, denominator = (np.array(side)[::-1] for side in control.pade(1, order, order - 1))
    ours = symbolic.pade(order)
    # python-control multiplies the coefficients up in double precision: about 2 order roundings, plus slack.
    np.testing.assert_allclose(np.array(ours.numerator, float), numerator / denominator[0], rtol=1e-14)
    np.testing.assert_allclose(np.array(ours.denominator, float), denominator / denominator[0], rtol=1e-14)


@pytest.mark.parametrize("order", [1, 7, 64])
def test_the_floating_point_memory_holds_the_same_numbers(order: int):
    system, exact = legendre.legendre(order), symbolic.legendre_basis(order)
    # Odd integers up to 127: exact in double precision.
    np.testing.assert_array_equal(system.A, np.array(exact.A, float))
    np.testing.assert_array_equal(system.B, np.array(exact.B, float))


@given(order=orders, s=st.fractions(0, 10, max_denominator=10))
def test_the_transfer_function_is_c_times_the_resolvent_times_b(order: int, s: Fraction):
    system = symbolic.legendre_basis(order)
    states = (s * ImmutableMatrix.eye(order) - system.A).LUsolve(system.B)
    quotient = symbolic.transfer_function(system)
    assert (system.C * states)[0] == value(quotient.numerator, s) / value(quotient.denominator, s)


@given(order=st.integers(1, 24))
def test_step_two_gives_the_closed_form_of_the_monic_coefficients(order: int):
    q, quotient = order, symbolic.monic(symbolic.pade(order))
    d = [Fraction(q * factorial(2 * q - 1 - i), factorial(q - i) * factorial(i)) for i in range(q)]
    assert list(quotient.denominator) == [*d, 1]
    assert list(quotient.numerator) == [Fraction((-1) ** i * (q - i), q) * d[i] for i in range(q)]


@given(order=orders)
def test_step_three_realizes_the_quotient(order: int):
    quotient = symbolic.monic(symbolic.pade(order))
    assert symbolic.transfer_function(symbolic.controllable_canonical(quotient)) == quotient


@given(order=st.integers(1, 24))
def test_step_four_leaves_v_and_w(order: int):
    q = order
    scaled = symbolic.scale(symbolic.controllable_canonical(symbolic.monic(symbolic.pade(order))))
    v = [Fraction((q + i) * (q - i), i + 1) for i in range(q)]
    expected = [[-v[0] if i == 0 else v[i] * (i == j + 1) for j in range(q)] for i in range(q)]
    assert scaled.A.tolist() == expected
    assert scaled.B.flat() == [v[0]] + [0] * (q - 1)
    assert scaled.C.flat() == [Fraction((-1) ** (q - 1 - i) * (i + 1), q) for i in range(q)]


@given(order=orders)
def test_step_five_is_the_quotient_of_the_controllability_matrices(order: int):
    derivation = symbolic.derive(order)
    pairs = [(derivation.scaled.A, derivation.scaled.B), (derivation.A, derivation.B)]
    source, target = (ImmutableMatrix.hstack(*[A**n * B for n in range(order)]) for A, B in pairs)
    assert derivation.transform * source == target


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5, 12, 24, 64])
def test_every_proof_holds(order: int):
    assert list(symbolic.derive(order).proofs.items()) == [(name, True) for name in PROOFS]


@given(order=orders)
def test_the_quotient_agrees_with_the_delay_no_further_than_it_must(order: int):
    quotient = symbolic.pade(order)
    assert symbolic.agrees_with_delay(quotient, 2 * order)
    assert not symbolic.agrees_with_delay(quotient, 2 * order + 1)


@given(entries=st.lists(st.integers(-5, 5), min_size=9, max_size=9), shift=st.integers(-8, 2))
def test_the_routh_table_agrees_with_the_eigenvalues(entries: list[int], shift: int):
    A = np.reshape(entries, (3, 3)) + shift * np.eye(3, dtype=int)
    rightmost = np.linalg.eigvals(A).real.max()
    # A triple eigenvalue is found to about the cube root of 1e-16 times the norm of A, about 1e-4.
    assume(abs(rightmost) > 1e-3)
    assert symbolic.is_hurwitz(ImmutableMatrix(A.tolist())) == (rightmost < 0)


@pytest.mark.parametrize("name", ["pade", "transform", "I1", "I2", "I3", "I4"])
@given(order=st.integers(1, 6), position=st.integers(0), by=fractions.filter(bool))
def test_no_entry_of_a_can_change_unnoticed(name: str, order: int, position: int, by: Fraction):
    good = symbolic.derive(order)
    wrong = ExactSystem(changed(good.A, position, by), good.B, good.C)
    assert not prove(name, wrong, good)


@pytest.mark.parametrize("name", ["pade", "transform", "I1", "I2", "I3"])
@pytest.mark.parametrize("part", ["B", "C"])
@given(order=st.integers(1, 6), position=st.integers(0), by=fractions.filter(bool))
def test_no_entry_of_b_or_c_can_change_unnoticed(
    name: str, part: str, order: int, position: int, by: Fraction
):
    good = symbolic.derive(order)
    matrices = {"A": good.A, "B": good.B, "C": good.C}
    wrong = ExactSystem(**{**matrices, part: changed(matrices[part], position, by)})
    assert not prove(name, wrong, good)


def prove(name: str, system: ExactSystem, good: symbolic.Derivation) -> bool:
    """Run one proof on a system, with all else taken from a good derivation."""
    if name == "pade":
        return symbolic.is_pade(system, good.pade)
    if name == "transform":
        return symbolic.is_transform(good.transform, good.scaled, system)
    if name == "I4":
        return symbolic.holds_i4(system.A)
    return {"I1": symbolic.holds_i1, "I2": symbolic.holds_i2, "I3": symbolic.holds_i3}[name](system)


@pytest.mark.parametrize("name", PROOFS)
def test_a_derivation_from_a_wrong_matrix_reports_the_failure(name: str, monkeypatch: pytest.MonkeyPatch):
    right = symbolic.legendre_basis(4)
    # a_00 = 99 makes the trace positive, so even the stability is gone.
    wrong = ExactSystem(changed(right.A, 0, Fraction(100)), right.B, right.C)
    monkeypatch.setattr(symbolic, "legendre_basis", lambda order: wrong)
    assert symbolic.derive(4).proofs[name] is False


@given(order=st.integers(1, 6), position=st.integers(0), by=fractions.filter(bool))
def test_a_realized_quotient_that_is_no_pade_approximant_is_not_proved(
    order: int, position: int, by: Fraction
):
    right = symbolic.pade(order)
    numerator = list(right.numerator)
    numerator[position % order] += by
    wrong = Quotient(tuple(numerator), right.denominator)
    system = symbolic.controllable_canonical(symbolic.monic(wrong))
    assert symbolic.transfer_function(system) == symbolic.monic(wrong)
    assert not symbolic.is_pade(system, wrong)


@given(rate=st.fractions(Fraction(1, 10), 10).filter(lambda rate: rate != 1))
def test_a_quotient_that_misses_only_the_last_taylor_term_is_not_proved(rate: Fraction):
    lag = Quotient((Fraction(1),), (Fraction(1), 1 / rate))
    assert symbolic.agrees_with_delay(lag, 1)
    assert not symbolic.is_pade(symbolic.controllable_canonical(symbolic.monic(lag)), lag)


def test_a_common_factor_s_does_not_count_as_agreement():
    # s / (s + s^2) reduces to 1 / (1 + s), which agrees with exp(-s) in two terms, not in three.
    zero, one = Fraction(0), Fraction(1)
    assert not symbolic.agrees_with_delay(Quotient((zero, one), (zero, one, one)), 3)


@pytest.mark.parametrize("holds", [symbolic.holds_i1, symbolic.holds_i3])
def test_an_identity_about_another_sum_than_that_of_all_states_is_not_proved(holds):
    # A fits C, so only the sum itself is wrong.
    A, C = ImmutableMatrix([[-1, -2], [3, -6]]), ImmutableMatrix([[1, 2]])
    assert not holds(ExactSystem(A, ImmutableMatrix([1, -3]), C))


@given(order=st.integers(1, 6), position=st.integers(0), by=fractions.filter(bool))
def test_no_entry_of_the_transform_can_change_unnoticed(order: int, position: int, by: Fraction):
    good = symbolic.derive(order)
    T = changed(good.transform, position, by)
    assert not symbolic.is_transform(T, good.scaled, ExactSystem(good.A, good.B, good.C))


def test_a_singular_transform_is_refused_even_where_it_intertwines():
    A, zero = ImmutableMatrix([[-1]]), ImmutableMatrix([[0]])
    idle = ExactSystem(A, zero, zero)
    assert symbolic.is_transform(ImmutableMatrix([[1]]), idle, idle)
    assert not symbolic.is_transform(zero, idle, idle)


@pytest.mark.parametrize(
    "A", [[[0]], [[1]], [[0, 1], [-1, 0]], [[-1, 0], [0, 0]], [[-1, 0, 0], [0, 0, 1], [0, -1, 0]]]
)
def test_eigenvalues_on_the_imaginary_axis_or_beyond_are_not_hurwitz(A: list[list[int]]):
    assert not symbolic.is_hurwitz(ImmutableMatrix(A))


@pytest.mark.parametrize("order", [-1, 0, 65, 10**30])
def test_an_order_out_of_range_is_refused(order: int):
    with pytest.raises(DesignError, match="order .* is outside 1 to 64"):
        symbolic.derive(order)


@pytest.mark.parametrize("order", [2.5, 3.0, True, float("nan")])
def test_an_order_that_is_no_whole_number_is_refused(order: float):
    with pytest.raises(DesignError, match=f"whole number from 1 to 64, not {order}"):
        symbolic.derive(order)
