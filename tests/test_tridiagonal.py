"""Exact ladders and the balanced memory: what LAPACK finds, without its last digits."""

from fractions import Fraction
from math import isqrt

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from lmu_analog.memory import balanced
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.memory.structure import matrices
from lmu_analog.memory.tridiagonal import basis, couplings, even_krylov, rounded, schwarz


def lanczos(K: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Orthonormal Krylov basis of a skew matrix, with full re-orthogonalisation (twice is enough)."""
    found = np.zeros_like(K)
    found[:, 0] = start / np.linalg.norm(start)
    for j in range(1, len(K)):
        vector = K @ found[:, j - 1]
        for _ in range(2):
            vector = vector - found[:, :j] @ (found[:, :j].T @ vector)
        found[:, j] = vector / np.linalg.norm(vector)
    return found


def orthonormal(order: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give A, B and the scales of z = scale m."""
    system, scale = legendre(order), 1.0 / np.sqrt(2.0 * np.arange(order) + 1.0)
    return scale[:, None] * system.A / scale, scale[:, None] * system.B, scale


@pytest.mark.parametrize("order", range(1, 25))
def test_the_ladder_is_the_one_that_lapack_finds(order):
    A, B, scale = orthonormal(order)
    lower = linalg.cholesky(linalg.solve_continuous_lyapunov(A, -B @ B.T), lower=True)
    inner, driven = linalg.solve(lower, A @ lower), linalg.solve(lower, B)
    skew = inner + 0.5 * driven @ driven.T
    turned = lanczos(0.5 * (skew - skew.T), driven[:, 0])
    below = np.diag(turned.T @ skew @ turned, -1)
    # Of the same signs; LAPACK errs by 1e-13 of condition numbers up to 250.
    np.testing.assert_allclose(couplings(schwarz(order)), np.diag(below, -1) - np.diag(below, 1), rtol=1e-10)
    np.testing.assert_allclose(basis(schwarz(order)), lower @ turned / scale[:, None], atol=1e-10)
    made = realize(legendre(order), "ladder")
    assert made.system.B[0, 0] == pytest.approx(np.linalg.norm(driven), rel=1e-10)
    assert made.system.A[0, 0] == -(order**2)


@pytest.mark.parametrize("order", range(2, 25))
def test_the_bus_ladder_is_the_one_that_lanczos_finds(order):
    A, _, scale = orthonormal(order)
    even, odd = (np.where(np.arange(order) % 2 == parity, 1.0 / scale, 0.0) for parity in (0, 1))
    skew = A + np.outer(even, even) + np.outer(odd, odd)
    turned = lanczos(0.5 * (skew - skew.T), even)
    below, form = np.diag(turned.T @ skew @ turned, -1), even_krylov(order)
    np.testing.assert_allclose(couplings(form), np.diag(below, -1) - np.diag(below, 1), rtol=1e-10)
    np.testing.assert_allclose(basis(form), turned / scale[:, None], atol=1e-10)
    E, F, G = matrices(realize(legendre(order), "bus-ladder").structure)
    np.testing.assert_allclose(F[order, :order], turned.T @ odd, atol=1e-10 * order)
    np.testing.assert_allclose(G[0, 0], np.linalg.norm(even), rtol=1e-10)


def root(square: Fraction) -> Fraction:
    """Give the root of a rational number that has a rational one."""
    found = Fraction(isqrt(square.numerator), isqrt(square.denominator))
    assert found**2 == square
    return found


@settings(max_examples=10)
@given(order=st.integers(1, 24))
def test_the_schwarz_form_holds_over_the_rationals(order):
    columns, squares = schwarz(order).columns, schwarz(order).squares
    A = [[int(x) for x in row] for row in legendre(order).A]
    for k, column in enumerate(columns):
        # A c_k = -d^2 c_0 (k = 0) + s_k c_(k+1) - s_(k-1) c_(k-1), divided by the root of the weight of c_k.
        terms = [(Fraction(-(order**2)), column.entries)] if k == 0 else []
        if k + 1 < order:
            after = columns[k + 1]
            terms.append((root(squares[k] * after.weight / column.weight), after.entries))
        if k:
            before = columns[k - 1]
            terms.append((-root(squares[k - 1] * before.weight / column.weight), before.entries))
        for i, row in enumerate(A):
            found = sum(a * x for a, x in zip(row, column.entries, strict=True))
            assert found == sum(factor * entries[i] for factor, entries in terms)
    # B is the first column times the drive, sqrt(2) d.
    assert columns[0].entries == tuple((2 * i + 1) * (-1) ** i for i in range(order))
    assert columns[0].weight == Fraction(1, 2 * order**2)


def test_square_roots_of_numbers_beyond_the_range_of_doubles_are_rounded_twice():
    with mpmath.workprec(200):
        for x, weight in ((10**400 + 7, Fraction(3, 10**799)), (-(7**500), Fraction(5**11, 7**1003))):
            wanted = x * mpmath.sqrt(mpmath.mpf(weight.numerator) / weight.denominator)
            assert abs(rounded(x, weight) / wanted - 1) < 0.75 * 2.0**-52
    assert rounded(0, Fraction(1, 3)) == 0.0


def test_the_balanced_memory_is_the_one_that_forty_digits_find():
    order = 6
    system = legendre(order)
    with mpmath.workdps(40):
        # The Gramians in Legendre states, by Kronecker products; then the square-root method.
        A, B = mpmath.matrix(system.A.tolist()), mpmath.matrix(system.B.tolist())
        taps = mpmath.diag([mpmath.mpf(1) / (2 * i + 1) for i in range(order)])
        places = [(i, j) for i in range(order) for j in range(order)]

        def lyapunov(M, right):
            whole = mpmath.matrix(order**2)
            for row, (i, j) in enumerate(places):
                for k in range(order):
                    whole[row, k * order + j] += M[i, k]
                    whole[row, i * order + k] += M[j, k]
            solved = list(mpmath.lu_solve(whole, mpmath.matrix([-right[i, j] for i, j in places])))
            return mpmath.matrix([solved[i * order : (i + 1) * order] for i in range(order)])

        reached, seen = lyapunov(A, B * B.T), lyapunov(A.T, taps)
        lower = mpmath.cholesky(reached)
        squares, turned = mpmath.eigsy(lower.T * seen * lower)
        sizes = mpmath.diag([mpmath.sqrt(mpmath.sqrt(x)) for x in squares])
        readout = lower * turned * sizes**-1
        T = sizes * turned.T * lower**-1
        wanted = [np.array(x.tolist(), float) for x in (T * A * readout, T * B, readout)]
    made = realize(system, "balanced")
    # mpmath's eigenvalues rise; signs are free.
    sign = np.sign(made.readout[0] * wanted[2][0, ::-1])
    np.testing.assert_allclose(made.system.A, (sign[:, None] * wanted[0][::-1, ::-1]) * sign, rtol=1e-15)
    np.testing.assert_allclose(made.system.B[:, 0], sign * wanted[1][::-1, 0], rtol=1e-15)
    np.testing.assert_allclose(made.readout, wanted[2][:, ::-1] * sign, rtol=1e-15)
    assert (made.readout[0, :-1] < 0.0).all()
    assert made.readout[0, -1] > 0.0


@pytest.mark.parametrize("order", [1, 2, 7, 24, 64])
def test_no_digit_of_the_balanced_memory_depends_on_what_lapack_rounds(order, monkeypatch):
    random = np.random.default_rng(0)

    def rough(function):
        # A thousand times what LAPACK's own answers are off by.
        return lambda *arguments: (
            function(*arguments) * (1.0 + 1e-11 * random.standard_normal((order, order)))
        )

    exact = balanced.found(order)
    monkeypatch.setattr(linalg, "solve_continuous_lyapunov", rough(linalg.solve_continuous_lyapunov))
    eigh = np.linalg.eigh
    monkeypatch.setattr(np.linalg, "eigh", lambda x: (None, rough(lambda y: eigh(y)[1])(x)))
    balanced.found.cache_clear()
    again = balanced.found(order)
    for name in ("A", "B", "readout"):
        np.testing.assert_array_equal(getattr(again, name), getattr(exact, name))
    # Both Gramians are Hankel's singular values, which fall; SciPy solves to 1e-13 of condition numbers up to 2e3.
    weight = 2.0 * np.arange(order)[:, None] + 1.0
    monkeypatch.undo()
    gramians = [
        linalg.solve_continuous_lyapunov(A, -right)
        for A, right in (
            (exact.A, exact.B @ exact.B.T),
            (exact.A.T, exact.readout.T @ (exact.readout / weight)),
        )
    ]
    assert (np.diff(np.diag(gramians[0])) < 0.0).all()
    np.testing.assert_allclose(gramians[0], np.diag(np.diag(gramians[0])), atol=1e-10)
    np.testing.assert_allclose(gramians[1], gramians[0], atol=1e-10)
