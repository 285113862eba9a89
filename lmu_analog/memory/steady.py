"""The steady state of thousands of systems at many frequencies, all at once.

An orthogonal map brings (A, B) to controller-Hessenberg form (Van Dooren and Verhaegen, 1985): H upper
Hessenberg and the input on the first state alone. All rows of (s - H) z = beta e_1 but the first then give z from
its last component upwards (Hyman's method; Higham, Accuracy and Stability of Numerical Algorithms, 2002,
section 14.6), and the first row its size: n^2/2 products a frequency and no division of matrices. Samples are the
last axis of every array, so that the arithmetic runs over them; no library call per matrix.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.memory.statespace import StateSpace
from lmu_analog.memory.window import QUADRATURE, readout

BATCH = 32  # samples whose window errors fit a core's cache
CELLS = 1e5  # numbers in the largest array of one pass: what a core's cache holds
TRUSTED = 1e-9  # of the largest term of its row: a residual beyond sends the sample to LAPACK


def many_responses(system: StateSpace, frequency: Float[np.ndarray, " f"]) -> Complex[np.ndarray, "s f p"]:
    """Evaluate C (jw - A)^-1 B + D for many continuous systems; the same as ``frequency_response``, sooner.

    Parameters
    ----------
    system : StateSpace
        One leading axis s; continuous time.
    frequency : (f,) array, Hz

    Returns
    -------
    (s, f, p) complex array
        Every sample has passed a test of its residual, or comes from LAPACK.
    """
    weights, count = _weights(system), len(frequency)
    parts = []
    for cut, known in _known(system, 2.0 * np.pi * frequency):
        y = np.swapaxes((weights[cut] if weights.ndim == 3 else weights) @ known, -1, -2)
        parts.append(y[:, :count] + 1j * y[:, count:])
    return np.concatenate(parts)


def many_profiles(
    system: StateSpace, tones: tuple[Float[np.ndarray, " f"], Complex[np.ndarray, " f"]], theta: float
) -> Float[np.ndarray, "s q"]:
    """Give ``window.tone_profile`` of ``many_responses`` without the phasors in between.

    Parameters
    ----------
    system : StateSpace
        One leading axis s; outputs the Legendre states.
    tones : (frequency, phasor)
        (f,) Hz and (f,) V: the input is the real part of phasor exp(jwt).
    theta : float, s
    """
    frequency, phasor = tones
    size = np.tile(np.abs(phasor), 2)  # the phase of a tone is the same in the error as in the input
    rows = readout(system.C.shape[-2], QUADRATURE.r)
    weights = rows @ _weights(system)
    turned = -2.0 * np.pi * theta * np.outer(QUADRATURE.r, frequency)
    ideal = size * np.hstack([np.cos(turned), np.sin(turned)])
    square = np.empty((len(system.A), len(rows)))
    for cut, known in _known(system, 2.0 * np.pi * frequency):
        known *= size
        for start in range(0, len(known), BATCH):
            part = slice(cut.start + start, cut.start + min(start + BATCH, len(known)))
            mine = weights[part] if weights.ndim == 3 else weights
            error = mine @ known[start : start + BATCH]
            error -= ideal
            square[part] = 0.5 * np.einsum("sqk,sqk->sq", error, error)
    if system.offset is not None:
        square += (system.offset @ rows.T) ** 2
    return np.sqrt(square / (0.5 * np.sum(np.abs(phasor) ** 2)))


def _weights(system: StateSpace) -> np.ndarray:
    """Give the outputs' weights of x, u, u', ..., (s, p, n + k); without the axis s where all are alike."""
    slope = [] if system.slope is None else [system.slope]
    alike = not system.C.strides[0] and not system.D.any() and not slope
    if alike:
        return np.asarray(np.concatenate([system.C[0], system.D[0]], axis=-1))
    return np.concatenate([system.C, system.D, *slope], axis=-1)


def _known(system: StateSpace, w: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Give x, u, u', ... for a unit tone, batch by batch, (s, n + k, 2 f), real parts first."""
    samples, n = system.A.shape[:2]
    derivatives = 1 + (0 if system.slope is None else system.slope.shape[-1])
    turned = (1j * w) ** np.arange(derivatives)[:, None]
    direct = np.hstack([turned.real, turned.imag])
    step = max(8, int(CELLS / (n * max(n, 2 * len(w)))))
    for start in range(0, samples, step):
        cut = slice(start, min(start + step, samples))
        A, B = system.A[cut], system.B[cut, :, 0]
        with np.errstate(
            divide="ignore", invalid="ignore", over="ignore"
        ):  # parts that the input never reaches
            x = _states(A, B, w)
            doubtful = np.flatnonzero(~_trusted(A, B, x, w))
        if len(doubtful):
            x[doubtful] = _by_lapack(A[doubtful], B[doubtful], w)
        yield cut, np.concatenate([x, np.broadcast_to(direct, (len(x), *direct.shape))], axis=1)


def _by_lapack(A: np.ndarray, B: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Give what ``_states`` gives, one factorisation a sample and frequency."""
    matrices = 1j * w[:, None, None] * np.eye(A.shape[-1]) - A[:, None]
    solved = np.linalg.solve(matrices, B[:, None, :, None])[..., 0].transpose(0, 2, 1)
    return np.concatenate([solved.real, solved.imag], axis=-1)


def _states(A: np.ndarray, B: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Give x(jw) of every sample, (s, n, 2 f), real parts first."""
    H, b = np.array(A.transpose(1, 2, 0), order="C"), np.array(B.T, order="C")  # copies: worked on in place
    reflectors = _hessenberg(H, b)
    z = _hyman(H, b[0], w)
    for k in range(len(reflectors) - 1, -1, -1):
        v, scale = reflectors[k]
        tail = z[k:]
        tail -= v[:, None] * (scale * np.einsum("is,iws->ws", v, tail))
    return np.ascontiguousarray(z.transpose(2, 0, 1))


def _trusted(A: np.ndarray, B: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Put x back into jw x = A x + B; (s,) bool."""
    count = len(w)
    moved = A @ x
    moved[:, :, :count] += B[..., None]
    terms = np.abs(moved).max(axis=(1, 2)) + np.abs(B).max(axis=1)
    moved[:, :, :count] += w * x[:, :, count:]
    moved[:, :, count:] -= w * x[:, :, :count]
    return np.asarray(np.abs(moved).max(axis=(1, 2)) <= TRUSTED * terms)


def _hessenberg(H: np.ndarray, b: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Bring (A, b), samples last, to controller-Hessenberg form in place; give the reflectors v and 2/v'v."""
    reflectors = []
    for k in range(len(H) - 1):
        v = (b if k == 0 else H[k:, k - 1]).copy()
        norm = np.sqrt(np.einsum("is,is->s", v, v))
        first = np.where(v[0] < 0.0, norm, -norm)
        v[0] -= first
        size = np.einsum("is,is->s", v, v)
        scale = np.divide(2.0, size, out=np.zeros_like(size), where=size > 0.0)
        if k == 0:
            b[:] = 0.0
            b[0] = first
        else:
            H[k:, k - 1] = 0.0
            H[k, k - 1] = first
        left = H[k:, k:]
        left -= v[:, None] * (scale * np.einsum("is,ijs->js", v, left))
        right = H[:, k:]
        right -= (scale * np.einsum("js,ijs->is", v, right))[:, None] * v
        reflectors.append((v, scale))
    return reflectors


def _hyman(H: np.ndarray, b: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Solve (jw - H) z = b e_1; z (n, 2 f, s), real parts first."""
    n, samples, count = len(H), H.shape[-1], len(w)
    z = np.zeros((n, 2 * count, samples))
    z[-1, :count] = 1.0
    turn = np.concatenate([-w, w])[:, None]
    swap = np.r_[count : 2 * count, :count]
    row = z[0]
    for i in range(n - 1, -1, -1):
        row = turn * z[i, swap] - np.einsum("js,jws->ws", H[i, i:], z[i:])
        if i:
            z[i - 1] = row / H[i, i - 1]
    # The first row is (re + j im) of what a unit last component needs; b over it is the true size.
    re, im = row[:count], row[count:]
    size = b / (re * re + im * im)
    real, imaginary = z[:, :count], z[:, count:]
    return np.concatenate([(real * re + imaginary * im) * size, (imaginary * re - real * im) * size], axis=1)
