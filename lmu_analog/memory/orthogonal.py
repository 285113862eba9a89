"""Orthonormal filters of given poles, and the states of a system as a sum of their outputs.

A cascade of first-order all-passes taps one output a pole; in continuous time and in sampled time these outputs
are orthonormal impulse responses that span all responses with these poles (Takenaka 1925, Malmquist 1926; Heuberger,
Van den Hof and Wahlberg, Modelling and Identification with Rational Orthogonal Basis Functions, 2005, chapter 2).
A pole named twice serves for the square of its factor, which is what derivatives by parameters have.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex

from lmu_analog.memory.statespace import StateSpace


@dataclass(frozen=True, eq=False)
class Filters:
    """The system theta' = a theta + b u, or theta[k] = a theta[k-1] + b u[k] with ``dt``.

    Attributes
    ----------
    a : (k, k) complex array, 1/s
        Lower triangular, the poles on its diagonal.
    b : (k,) complex array
    weight : float, 1/s
        The responses are orthonormal after multiplication by exp(-weight t); of sampled ones by weight^-k.
    dt : float or None, s
    """

    a: Complex[np.ndarray, "k k"]
    b: Complex[np.ndarray, " k"]
    weight: float
    dt: float | None = None


def filters(poles: Complex[np.ndarray, " k"], *, weight: float, dt: float | None = None) -> Filters:
    """Make orthonormal filters.

    Parameters
    ----------
    poles : (k,) complex array, 1/s
        Real parts below ``weight``; of sampled systems without unit, sizes below it.
    weight : float, 1/s
        Zero serves stable systems, one stable sampled ones; a larger one slow and unstable ones too.
    dt : float, s, optional
    """
    poles = np.asarray(poles, complex)
    count, unit = len(poles), 1.0 + 0.0j
    a, b, wave = np.zeros((count, count), complex), np.zeros(count, complex), np.zeros(count, complex)
    # ``wave`` is the input of the next all-pass: so much of every state before it, and ``unit`` of u itself.
    for k, pole in enumerate(poles - weight if dt is None else poles / weight):
        b_k = np.sqrt(-2.0 * pole.real if dt is None else 1.0 - abs(pole) ** 2)
        a[k], b[k] = b_k * wave, b_k * unit
        a[k, k] += pole
        if dt is None:
            wave[k] = -b_k
        else:
            wave, unit = -np.conj(pole) * wave, -np.conj(pole) * unit
            wave[k] = b_k
    return Filters(a + weight * np.eye(count) if dt is None else a * weight, b, weight, dt)


def as_system(chosen: Filters) -> StateSpace:
    """Give the filters as a real system whose outputs are the real parts, then the imaginary parts, (2k,)."""
    real, imaginary = np.real(chosen.a), np.imag(chosen.a)
    A = np.block([[real, -imaginary], [imaginary, real]])
    B = np.concatenate([np.real(chosen.b), np.imag(chosen.b)])[:, None]
    return StateSpace(A, B, np.eye(len(A)), np.zeros_like(B), chosen.dt)


def expand(
    A: np.ndarray, chosen: Filters, *, from_filters: np.ndarray | None = None, from_input: np.ndarray
) -> np.ndarray:
    """Write the states of systems that the input and the filters drive as sums of the filters' outputs.

    z' = A z + F theta + G u, or z[k] = A z[k-1] + F theta[k-1] + G u[k], is z = Z theta where the filters have all
    poles of z; Z is the inner product of both, by Sylvester's equation A Z + Z a* + F + G b* = 0 or Stein's
    Z = A Z a* + F a* + G b*.

    Parameters
    ----------
    A : (n, n) array, 1/s
    chosen : Filters
    from_filters : (m, n, k) complex array, optional
        F of m systems.
    from_input : (m, n) array
        G.

    Returns
    -------
    (m, n, k) complex array
    """
    a, weight, unit = chosen.a, chosen.weight, np.eye(len(A))
    is_sampled = chosen.dt is not None
    A, a = (A / weight, a / weight) if is_sampled else (A - weight * unit, a - weight * np.eye(len(a)))
    drive = from_input.T[None] * np.conj(chosen.b)[:, None, None]  # (k, n, m): a layer a filter
    if from_filters is not None:
        layers = np.moveaxis(from_filters, (0, 2), (2, 0))
        drive = drive + (np.tensordot(np.conj(a), layers / weight, 1) if is_sampled else layers)
    Z = np.zeros(drive.shape, complex)
    for k, row in enumerate(np.conj(a)):
        known = np.tensordot(row[:k], Z[:k], 1)
        if is_sampled:
            Z[k] = np.linalg.solve(unit - row[k] * A, drive[k] + A @ known)
        else:
            Z[k] = np.linalg.solve(A + row[k] * unit, -drive[k] - known)
    return np.moveaxis(Z, (0, 2), (2, 0))
