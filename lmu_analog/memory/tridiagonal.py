"""Tridiagonal forms of the Legendre memory, exact: rational numbers, of which one square root is taken at the end.

Values of elements are rounded to twelve digits. LAPACK's errors, 1e-13 and others on other processors, would show in
the last one now and then; what is computed here has none. The window is theta = 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb, factorial, gcd, isqrt, sqrt

import numpy as np
from jaxtyping import Float

KEPT = 16  # orders


@dataclass(frozen=True)
class Column:
    """A vector of d Legendre states, exact: signed square roots of rational numbers.

    Entry i is ``entries[i]`` times the square root of ``weight``.
    """

    entries: tuple[int, ...]
    weight: Fraction


@dataclass(frozen=True)
class Tridiagonal:
    """A basis in which a matrix is tridiagonal and skew but for a damping of its first state.

    Attributes
    ----------
    squares : tuple of Fraction
        Squares of the d - 1 couplings of neighbours: the root is below the diagonal, its negative above.
    columns : tuple of Column
        What each of the d new states is in Legendre states.
    """

    squares: tuple[Fraction, ...]
    columns: tuple[Column, ...]


@lru_cache(maxsize=KEPT)
def schwarz(order: int) -> Tridiagonal:
    """Give the Schwarz form of A, whose basis starts at B: damping d^2 and drive sqrt(2) d at the first state.

    Squares of couplings are quotients of Routh's array of the characteristic polynomial, r_{k+2} / r_k (Schwarz,
    Zeitschrift für angewandte Mathematik und Physik 7, 1956). The columns c_k follow from A C = C S.
    """
    rows = _routh(order)
    squares = tuple(rows[k + 2] / rows[k] for k in range(order - 1))
    start = _Vector([(2 * i + 1) * (-1) ** i for i in range(order)], 1)
    norm, vectors, columns = Fraction(2 * order**2), [start], [start.over(Fraction(2 * order**2))]
    for k, square in enumerate(squares):
        image = _Vector(_times_a(vectors[-1].numerators), vectors[-1].denominator)
        # The first state has the damping d^2 on the diagonal, the others have nothing there.
        known = (Fraction(order**2), vectors[0]) if k == 0 else (squares[k - 1], vectors[-2])
        vectors.append(image.plus(*known))
        norm *= square
        columns.append(vectors[-1].over(norm))
    return Tridiagonal(squares, tuple(columns))


@lru_cache(maxsize=KEPT)
def even_krylov(order: int) -> Tridiagonal:
    """Give the form of K = A + (2i+1) (1 where i + j is even), whose basis starts at the even (2i+1): no damping.

    K maps even states to odd ones and back, and is skew where state i weighs 1/(2i+1): Lanczos, exactly.
    """
    vectors = [_Vector([(2 * i + 1) * (i % 2 == 0) for i in range(order)], 1)]
    norms, squares = [vectors[0].norm()], []
    for k in range(order - 1):
        image = _Vector(_times_skew(vectors[-1].numerators), vectors[-1].denominator)
        vectors.append(image.plus(squares[k - 1], vectors[-2]) if k else image)
        norms.append(vectors[-1].norm())
        squares.append(norms[-1] / norms[-2])
    return Tridiagonal(tuple(squares), tuple(v.over(n) for v, n in zip(vectors, norms, strict=True)))


def couplings(form: Tridiagonal) -> Float[np.ndarray, "d d"]:
    """Give the skew part of the tridiagonal matrix."""
    below = np.array([sqrt(square) for square in form.squares])
    return np.diag(below, -1) - np.diag(below, 1)


def basis(form: Tridiagonal) -> Float[np.ndarray, "d d"]:
    """Give the columns side by side."""
    return np.array([[rounded(x, column.weight) for x in column.entries] for column in form.columns]).T


def rounded(x: int, weight: Fraction) -> float:
    """Give x times the square root of a weight, rounded twice."""
    # A quotient of whole numbers of any size and a square root are rounded correctly on every machine.
    root = sqrt(x * x * weight.numerator / weight.denominator)
    return root if x >= 0 else -root


def fixed(x: int, weight: Fraction, bits: int) -> int:
    """Give x times the square root of a weight in units of 2^-bits."""
    root = isqrt((x * x * weight.numerator << 2 * bits) // weight.denominator)
    return root if x >= 0 else -root


@dataclass(frozen=True)
class _Vector:
    """Rational numbers over one denominator: sums of fractions one by one would take ten times as long."""

    numerators: Sequence[int]
    denominator: int

    def plus(self, factor: Fraction, other: "_Vector") -> "_Vector":
        mine, its = factor.denominator * other.denominator, factor.numerator * self.denominator
        found = [mine * x + its * y for x, y in zip(self.numerators, other.numerators, strict=True)]
        denominator = self.denominator * mine
        common = gcd(denominator, *found)
        return _Vector([x // common for x in found], denominator // common)

    def norm(self) -> Fraction:
        """Square, where state i weighs 1/(2i+1)."""
        return sum((Fraction(x * x, 2 * i + 1) for i, x in enumerate(self.numerators)), Fraction(0)) / (
            self.denominator**2
        )

    def over(self, square: Fraction) -> Column:
        """Divide by the square root of a number."""
        return Column(tuple(self.numerators), 1 / (square * self.denominator**2))


def _routh(order: int) -> list[Fraction]:
    """Give the first column of Routh's array of det(s - A), the denominator of the Padé approximant, monic."""
    whole = [
        Fraction(comb(order, i) * factorial(2 * order - 1 - i), factorial(order - 1))
        for i in range(order + 1)
    ][::-1]
    above, row = whole[::2], whole[1::2]
    first = [above[0], row[0]]
    while len(first) <= order:
        factor = above[0] / row[0]
        below = [a - factor * b for a, b in zip(above[1:], [*row[1:], Fraction(0)], strict=False)]
        above, row = row, below
        first.append(row[0])
    return first


def _times_a(x: Sequence[int]) -> list[int]:
    """Multiply by A, whose rows are 2i+1 times -1 above the diagonal and alternate up to it."""
    found, up_to, after = [], 0, sum(x)
    for i, each in enumerate(x):
        up_to, after = -up_to - each, after - each
        found.append((2 * i + 1) * (up_to - after))
    return found


def _times_skew(x: Sequence[int]) -> list[int]:
    """Multiply by K, whose rows are 2i+1 times the sign of i - j where i + j is odd."""
    before, after = [0, 0], [sum(x[::2]), sum(x[1::2])]
    found = []
    for i, each in enumerate(x):
        after[i % 2] -= each
        found.append((2 * i + 1) * (before[1 - i % 2] - after[1 - i % 2]))
        before[i % 2] += each
    return found
