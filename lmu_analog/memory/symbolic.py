"""The Legendre memory derived from a delay, exactly over the rationals, with proofs that are computed.

The window is theta = 1. Theta only scales time, theta m' = A m + B u: divide ``A`` and ``B`` of the scaled
and the Legendre form by theta, read s in the Padé quotient as theta s; ``C`` and the transform stay.
The five steps follow Voelker & Eliasmith, Neural Computation 30(3), 2018, and Voelker, PhD thesis,
Waterloo 2019, ch. 6. Canonical forms serve proofs only: in floating point they fail beyond order 10.
Loads SymPy: import it on demand.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb, factorial
from typing import Any

from sympy import ImmutableMatrix
from sympy.polys.matrices import DomainMatrix

from lmu_analog.memory.legendre import check_order


@dataclass(frozen=True)
class Quotient:
    """A quotient of two polynomials in s.

    Attributes
    ----------
    numerator, denominator : tuple of Fraction
        Coefficients in ascending powers of s; s is in units of 1/theta.
    """

    numerator: tuple[Fraction, ...]
    denominator: tuple[Fraction, ...]

    def times(self, factor: Fraction) -> "Quotient":
        """Multiply numerator and denominator by one number: the same quotient."""
        return Quotient(*(tuple(factor * c for c in side) for side in (self.numerator, self.denominator)))


@dataclass(frozen=True)
class ExactSystem:
    """The system x' = A x + B u over the rationals; y = C x estimates u(t - 1).

    Attributes
    ----------
    A : (d, d) matrix, 1/theta
    B : (d, 1) matrix, 1/theta
    C : (1, d) matrix
    """

    A: ImmutableMatrix
    B: ImmutableMatrix
    C: ImmutableMatrix


@dataclass(frozen=True)
class Derivation:
    """The five steps for one order, and what was proved about their result.

    Attributes
    ----------
    order : int
        Number of states d.
    A, B, C : (d, d), (d, 1), (1, d) matrix, 1/theta, 1/theta, 1
        The Legendre memory, m' = A m + B u; C is all ones, the delayed tap.
    pade : Quotient
        The [d-1/d] Padé approximant of exp(-s), constant terms 1.
    canonical : ExactSystem
        Controllable canonical form of ``pade``.
    scaled : ExactSystem
        The same without factorials: first row -v_0, sub-diagonal v_i, ``C`` = w.
    transform : (d, d) matrix
        T of m = T x, x the states of ``scaled``.
    proofs : dict of str to bool
        ``pade``, ``hurwitz``, ``transform``, ``I1``, ``I2``, ``I3``, ``I4``: true where it was proved.
    """

    order: int
    A: ImmutableMatrix
    B: ImmutableMatrix
    C: ImmutableMatrix
    pade: Quotient
    canonical: ExactSystem
    scaled: ExactSystem
    transform: ImmutableMatrix
    proofs: dict[str, bool]


def derive(order: int | float) -> Derivation:
    """Derive the Legendre memory of one order from the delay exp(-s) and prove it.

    Parameters
    ----------
    order : int
        Number of states d, 1 to 64.

    Raises
    ------
    DesignError
        If the order is not a whole number from 1 to 64.
    """
    d = check_order(order)
    quotient = pade(d)
    canonical = controllable_canonical(monic(quotient))
    scaled = scale(canonical)
    memory = legendre_basis(d)
    T = transform(scaled, memory)
    proofs = {
        "pade": is_pade(memory, quotient),
        "hurwitz": is_hurwitz(memory.A),
        "transform": is_transform(T, scaled, memory),
        "I1": holds_i1(memory),
        "I2": holds_i2(memory),
        "I3": holds_i3(memory),
        "I4": holds_i4(memory.A),
    }
    return Derivation(d, memory.A, memory.B, memory.C, quotient, canonical, scaled, T, proofs)


def pade(order: int) -> Quotient:
    """Step 1: the [p/q] Padé approximant B_p(-s)/B_q(s) of exp(-s), p = q-1, q = order.

    B_m(s) = sum_i C(m, i) (p+q-i)!/(p+q)! s^i (Voelker & Eliasmith 2018).
    """
    p, q = order - 1, order

    def coefficient(m: int, i: int) -> Fraction:
        return Fraction(comb(m, i) * factorial(p + q - i), factorial(p + q))

    numerator = tuple((-1) ** i * coefficient(p, i) for i in range(p + 1))
    return Quotient(numerator, tuple(coefficient(q, i) for i in range(q + 1)))


def monic(quotient: Quotient) -> Quotient:
    """Step 2: the same quotient with the highest denominator coefficient 1."""
    return quotient.times(1 / quotient.denominator[-1])


def controllable_canonical(quotient: Quotient) -> ExactSystem:
    """Step 3: the chain of integrators of a monic, strictly proper quotient, highest derivative first."""
    *low, _ = quotient.denominator
    d = len(low)
    A = _matrix(d, d, lambda i, j: -low[d - 1 - j] if i == 0 else int(i == j + 1))
    B, C = _matrix(d, 1, lambda i, j: int(i == j)), ImmutableMatrix([quotient.numerator[::-1]])
    return ExactSystem(A, B, C)


def scale(canonical: ExactSystem) -> ExactSystem:
    """Step 4: scale state i by the denominator coefficient d_(q-1-i), which removes the factorials.

    The first row of ``A`` becomes -v_0, its sub-diagonal v_1.., ``B`` = (v_0, 0, ..) and ``C`` = w with
    v_i = (q+i)(q-i)/(i+1) and w_i = (-1)^(q-1-i) (i+1)/q (Voelker & Eliasmith 2018).
    """
    factors = [-_fraction(a) for a in canonical.A.row(0).flat()]
    S, inverse = (ImmutableMatrix.diag(*fs) for fs in (factors, [1 / f for f in factors]))
    return ExactSystem(S * canonical.A * inverse, S * canonical.B, canonical.C * inverse)


def legendre_basis(order: int) -> ExactSystem:
    """State the memory in shifted Legendre polynomials (Voelker, Kajić & Eliasmith 2019, eqs 1-2)."""
    A = _matrix(order, order, lambda i, j: (2 * i + 1) * (-1 if i < j else (-1) ** (i - j + 1)))
    B = _matrix(order, 1, lambda i, _: (2 * i + 1) * (-1) ** i)
    return ExactSystem(A, B, ImmutableMatrix.ones(1, order))


def transform(source: ExactSystem, target: ExactSystem) -> ImmutableMatrix:
    """Step 5: T = Ctrb(target) Ctrb(source)^-1, so that x_target = T x_source."""
    left, right = _controllability(source), _controllability(target)
    return ImmutableMatrix(left.transpose().lu_solve(right.transpose()).transpose().to_Matrix())


def characteristic(A: ImmutableMatrix) -> tuple[Fraction, ...]:
    """Coefficients of det(sI - A) in descending powers of s."""
    return tuple(_fraction(c) for c in _exact(A).charpoly())


def transfer_function(system: ExactSystem) -> Quotient:
    """C (sI - A)^-1 B, not reduced and monic, from the characteristic polynomial and Markov parameters.

    If det(sI - A) = sum_k a_k s^(d-k), the numerator has sum_(k<=n) a_k C A^(n-k) B at s^(d-1-n).
    """
    markov: list[Fraction] = []
    row = system.C
    for _ in range(system.A.rows):
        markov.append(_fraction((row * system.B)[0, 0]))
        row = row * system.A
    chi = characteristic(system.A)
    return Quotient(_product(chi, markov)[::-1], chi[::-1])


def is_pade(system: ExactSystem, quotient: Quotient) -> bool:
    """Prove that the transfer function is the quotient, and the quotient a Padé approximant of exp(-s).

    Coefficients are compared unreduced: Padé approximants of exp are in lowest terms.
    """
    own, d = transfer_function(system), system.A.rows
    return own == quotient.times(own.denominator[0]) and agrees_with_delay(quotient, 2 * d)


def agrees_with_delay(quotient: Quotient, terms: int) -> bool:
    """Prove that a quotient and exp(-s) have the same first ``terms`` Taylor coefficients.

    With 2d terms this defines the [d-1/d] Padé approximant. Checked without division, as
    numerator = denominator exp(-s), for a denominator with constant term 1.
    """
    delay = [Fraction((-1) ** k, factorial(k)) for k in range(terms)]
    padded = (*quotient.numerator, *[0] * (terms - len(quotient.numerator)))
    return quotient.denominator[0] == 1 and _product(quotient.denominator, delay) == padded


def is_hurwitz(A: ImmutableMatrix) -> bool:
    """Prove that all eigenvalues have a negative real part, by the Routh table of det(sI - A).

    They have exactly if the table's first column is positive (Gantmacher 1959, vol. 2, ch. XV).
    """
    chi = characteristic(A)
    upper, lower = list(chi[0::2]), list(chi[1::2])
    while lower:
        if lower[0] <= 0:
            return False
        step, below = upper[0] / lower[0], [*lower[1:], Fraction()]
        upper, lower = lower, [a - step * b for a, b in zip(upper[1:], below, strict=False)]
    return True


def is_transform(T: ImmutableMatrix, source: ExactSystem, target: ExactSystem) -> bool:
    """Prove that T is invertible and transforms source into target: T A = A' T, T B = B', C = C' T."""
    same = T * source.A == target.A * T and T * source.B == target.B and target.C * T == source.C
    # With its columns reversed the T of step 5 is triangular, which makes the determinant quick.
    mirror = _matrix(T.rows, T.rows, lambda i, j: int(i + j == T.rows - 1))
    return same and _exact(T * mirror).det() != 0


def holds_i1(memory: ExactSystem) -> bool:
    """Prove x_i' = (2i+1) [(-1)^i u - S + 2 sum of x_j over j < i, i-j odd], S = C x, C all ones."""
    d = memory.A.rows
    below = _matrix(d, d, lambda i, j: 2 * int(j < i and (i - j) % 2 == 1))
    bracket = below - ImmutableMatrix.ones(d, 1) * memory.C
    return bracket == _weights(d) * memory.A and _has_legendre_ports(memory)


def holds_i2(memory: ExactSystem) -> bool:
    """Prove that the memory is a lossless two-port in orthonormal coordinates z_i = x_i / sqrt(2i+1).

    There A + A^T = -(b b^T + c c^T), b_i = (-1)^i sqrt(2i+1), c_i = sqrt(2i+1). With W = diag(1/(2i+1))
    this is rational: W A + (W A)^T = -(W B (W B)^T + C^T C). Derived here.
    """
    W = _weights(memory.A.rows)
    power, b, c = W * memory.A, W * memory.B, memory.C.T
    return power + power.T == -(b * b.T) - c * c.T and _has_legendre_ports(memory)


def holds_i3(memory: ExactSystem) -> bool:
    """Prove x_i'/(2i+1) = x_(i-2)'/(2i-3) + 2 x_(i-1), i >= 2; x_0' = u - S; x_1' = 3 (2 x_0 - u - S)."""
    d = memory.A.rows
    rates = _weights(d) * memory.A
    before = ImmutableMatrix.ones(min(d, 2), 1) * -memory.C
    earlier = before.col_join(rates[:-2, :]) if d > 2 else before
    return rates - earlier == _matrix(d, d, lambda i, j: 2 * int(i == j + 1)) and _has_legendre_ports(memory)


def holds_i4(A: ImmutableMatrix) -> bool:
    """Prove that A^-1 is tridiagonal: sign/(2(2j+1)), + above, - below and at both corners. Derived here."""
    d = A.rows
    signs = _matrix(d, d, lambda i, j: (j == i + 1) - (j == i - 1) - (i == j == 0) - (i == j == d - 1))
    return A * signs * _weights(d) == 2 * ImmutableMatrix.eye(d)


def _matrix(rows: int, columns: int, entry: Callable[[int, int], Fraction | int]) -> ImmutableMatrix:
    return ImmutableMatrix([[entry(i, j) for j in range(columns)] for i in range(rows)])


def _weights(order: int) -> ImmutableMatrix:
    return _matrix(order, order, lambda i, j: Fraction(int(i == j), 2 * i + 1))


def _has_legendre_ports(memory: ExactSystem) -> bool:
    ideal = legendre_basis(memory.A.rows)
    return (memory.B, memory.C) == (ideal.B, ideal.C)


def _exact(matrix: ImmutableMatrix) -> DomainMatrix:
    return DomainMatrix.from_Matrix(matrix).to_field()


def _controllability(system: ExactSystem) -> DomainMatrix:
    columns = [system.B]
    while len(columns) < system.A.rows:
        columns.append(system.A * columns[-1])
    return _exact(ImmutableMatrix.hstack(*columns))


def _fraction(value: Any) -> Fraction:
    return Fraction(int(value.numerator), int(value.denominator))


def _product(left: Sequence[Fraction], right: Sequence[Fraction]) -> tuple[Fraction, ...]:
    pairs = (zip(left, right[n::-1], strict=False) for n in range(len(right)))
    return tuple(sum((a * b for a, b in pair), Fraction()) for pair in pairs)
