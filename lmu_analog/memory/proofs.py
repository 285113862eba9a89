"""The seven proofs of a Legendre memory in whole numbers: milliseconds, and no SymPy, so that every deck can name them.

``symbolic`` derives the memory from a delay step by step and proves each of them with SymPy; here the matrices are
given, and the same claims are tested on them. The scaled canonical form has the first row -v_0 and v_1, v_2, ... below
its diagonal (Voelker & Eliasmith 2018), so that T A_s = A T gives the transform column by column,
T_(j+1) = (A T_j + v_0 T_0)/v_(j+1), and its last column is a test. With T the memory has the transfer function of the
canonical form, whose polynomials are read off it: no characteristic polynomial of a matrix is needed.
"""

from fractions import Fraction
from functools import lru_cache
from math import factorial, gcd
from operator import mul

import numpy as np

from lmu_analog.memory.legendre import check_order, coefficients

PROOFS = ("pade", "hurwitz", "transform", "I1", "I2", "I3", "I4")
_Matrix = list[list[int]]


@lru_cache(maxsize=64)
def proved(order: int) -> tuple[str, ...]:
    """Prove what can be proved of the memory of an order, theta = 1, and name it; all of ``PROOFS`` if all is well.

    What is proved is said of the numbers that ``legendre`` has, which are whole for theta = 1.

    Raises
    ------
    DesignError
        If the order is not a whole number from 1 to 64.
    """
    exact = _whole(check_order(order))
    if exact is None:
        return ()
    return tuple(name for name, holds in verdicts(*exact).items() if holds)


def _whole(order: int) -> tuple[_Matrix, list[int]] | None:
    """Give A and B of ``legendre`` at theta = 1 as whole numbers; None if they are none."""
    A, B = coefficients(order)
    if np.any(np.rint(A) != A) or np.any(np.rint(B) != B):
        return None
    return [[int(a) for a in row] for row in A], [int(b) for b in B]


def verdicts(A: _Matrix, B: list[int]) -> dict[str, bool]:
    """Test the seven claims on whole matrices, m' = A m + B u, with C all ones: name to whether it holds.

    Parameters
    ----------
    A : (d, d) list of int, 1/theta
    B : (d,) list of int, 1/theta
    """
    d = len(B)
    v = [Fraction((d + i) * (d - i), i + 1) for i in range(d)]
    w = [Fraction((-1) ** (d - 1 - i) * (i + 1), d) for i in range(d)]
    transforms = _is_transform(A, B, v, w)
    numerator, denominator = _quotient(v, w)
    ports = [(2 * i + 1) * (-1) ** i for i in range(d)] == B
    return {
        "pade": transforms and _agrees_with_delay(numerator, denominator),
        "hurwitz": transforms and _is_hurwitz(denominator[::-1]),
        "transform": transforms,
        "I1": ports and _holds_i1(A),
        "I2": ports and _holds_i2(A, B),
        "I3": ports and _holds_i3(A),
        "I4": _holds_i4(A),
    }


def _is_transform(A: _Matrix, B: list[int], v: list[Fraction], w: list[Fraction]) -> bool:
    """Prove that an invertible T has T A_s = A T, T B_s = B, C T = C_s; it is triangular with its columns reversed."""
    d = len(B)
    column, under = B, d * d  # T_0 = B/v_0, as whole numbers over one denominator
    for j in range(d):
        total = Fraction(sum(column), under)
        if total != w[j] or column[d - 1 - j] == 0 or any(column[d - j :]):
            return False
        moved = [sum(map(mul, row, column)) + b * under for row, b in zip(A, B, strict=True)]
        if j == d - 1:  # A T_(d-1) = -v_0 T_0
            return not any(moved)
        factor = v[j + 1]
        column, under = [x * factor.denominator for x in moved], under * factor.numerator
        shared = gcd(under, *column)
        column, under = [x // shared for x in column], under // shared
    return False


def _quotient(v: list[Fraction], w: list[Fraction]) -> tuple[list[Fraction], list[Fraction]]:
    """Give C_s (s - A_s)^-1 B_s as numerator and monic denominator, ascending powers of s.

    s x_i = v_i x_(i-1) and s x_0 = v_0 (u - sum of x): with P_i = v_1 ... v_i, times s^(d-1-i), both are sums over i.
    """
    numerator, denominator = [], [Fraction(1)]
    product = v[0]
    for i, weight in enumerate(w):
        product = product * v[i] if i else product
        numerator.append(product * weight)
        denominator.append(product)
    return numerator[::-1], denominator[::-1]


def _agrees_with_delay(numerator: list[Fraction], denominator: list[Fraction]) -> bool:
    """Prove denominator exp(-s) = numerator through s^(2d-1), which defines the [d-1/d] Padé approximant."""
    terms = 2 * len(numerator)
    common = factorial(terms)
    delay = [(-1) ** n * (common // factorial(n)) for n in range(terms)]
    if any(x.denominator != 1 for x in (*numerator, *denominator)):
        return False  # those of a delay are whole numbers once the denominator is monic
    above, below = ([x.numerator for x in side] for side in (numerator, denominator))
    above += [0] * (terms - len(above))
    return all(
        sum(a * delay[n - k] for k, a in enumerate(below[: n + 1])) == above[n] * common for n in range(terms)
    )


def _is_hurwitz(descending: list[Fraction]) -> bool:
    """Prove that all roots have a negative real part: the first column of the Routh table is positive."""
    upper, lower = descending[0::2], descending[1::2]
    while lower:
        if lower[0] <= 0:
            return False
        step, below = upper[0] / lower[0], [*lower[1:], Fraction()]
        upper, lower = lower, [a - step * b for a, b in zip(upper[1:], below, strict=False)]
    return True


def _holds_i1(A: _Matrix) -> bool:
    """Prove x_i' = (2i+1) ((-1)^i u - sum of x_j + 2 sum of x_j over j < i, i-j odd)."""
    return all(
        a == (2 * i + 1) * (2 * (j < i and (i - j) % 2 == 1) - 1)
        for i, row in enumerate(A)
        for j, a in enumerate(row)
    )


def _holds_i2(A: _Matrix, B: list[int]) -> bool:
    """Prove A + A^T = -(b b^T + c c^T) in orthonormal coordinates, times (2i+1)(2j+1) of both sides."""
    d = len(A)
    return all(
        A[i][j] * (2 * j + 1) + A[j][i] * (2 * i + 1) == -(B[i] * B[j] + (2 * i + 1) * (2 * j + 1))
        for i in range(d)
        for j in range(i + 1)
    )


def _holds_i3(A: _Matrix) -> bool:
    """Prove x_i'/(2i+1) = x_(i-2)'/(2i-3) + 2 x_(i-1), i >= 2; x_0' = u - S; x_1' = 3 (2 x_0 - u - S)."""
    for i, row in enumerate(A):
        for j, a in enumerate(row):
            step = 2 * (j == i - 1)
            if i < 2:
                holds = a == (2 * i + 1) * (step - 1)
            else:
                holds = a * (2 * i - 3) == (2 * i + 1) * (A[i - 2][j] + (2 * i - 3) * step)
            if not holds:
                return False
    return True


def _holds_i4(A: _Matrix) -> bool:
    """Prove that A^-1 is tridiagonal: sign/(2(2j+1)), + above, - below and at both corners."""
    d = len(A)
    for i, row in enumerate(A):
        for j in range(d):
            total = (row[j - 1] if j > 0 else -row[0]) - (row[j + 1] if j < d - 1 else row[j])
            if total != 2 * (2 * j + 1) * (i == j):
                return False
    return True
