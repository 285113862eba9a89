"""The steady state of thousands of systems at many frequencies, all at once.

Elementary maps bring (A, B) to controller-Hessenberg form (Van Dooren and Verhaegen, 1985; Wilkinson, The
Algebraic Eigenvalue Problem, 1965, chapter 6, section 8): H upper Hessenberg and the input on the first state
alone. All rows of (s - H) z = beta e_1 but the first then give z from its last component upwards (Hyman's method;
Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 14.6), and the first row its size: n^2/2
products a frequency and no division of matrices. Samples are the last axis of every array, so that the arithmetic
runs over them; no library call per matrix. Pivots are those of the mean system: they suit samples that deviate by
percents from it, at half the work of reflections, and the residual tells where they do not.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.memory.squares import prepared_tone_window
from lmu_analog.memory.statespace import StateSpace

SAMPLES = 512  # of one pass: enough to hide what a call of NumPy costs
CELLS = 4e5  # numbers in the largest array of one pass: what a core's cache holds
# Of the largest term of its row: a residual beyond sends the sample to LAPACK.
TRUSTED = 1e-9


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
    count, parts = len(frequency), []
    for _, y in _outputs(system, 2.0 * np.pi * frequency):
        parts.append(np.swapaxes(y[..., :count] + 1j * y[..., count:], -1, -2))
    return np.concatenate(parts)


def many_profiles(
    system: StateSpace, tones: tuple[Float[np.ndarray, " f"], Complex[np.ndarray, " f"]], theta: float
) -> Float[np.ndarray, "s q"]:
    """Give ``window.tone_profile`` of ``many_responses``, places as there, without the phasors in between.

    Parameters
    ----------
    system : StateSpace
        One leading axis s; outputs the Legendre states.
    tones : (frequency, phasor)
        (f,) Hz and (f,) V: the input is the real part of phasor exp(jwt).
    theta : float, s
    """
    measure = prepared_tone_window(system.C.shape[-2], tones, theta)
    parts = [
        measure.profiles(y, None if system.offset is None else system.offset[cut])
        for cut, y in _outputs(system, 2.0 * np.pi * tones[0])
    ]
    return np.concatenate(parts)


def _outputs(system: StateSpace, w: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    """Give the outputs for a unit tone, batch by batch, (s, p, 2 f), real parts first."""
    slope = [] if system.slope is None else [system.slope]
    feed = np.concatenate([system.D, *slope], axis=-1)
    turned = (1j * w) ** np.arange(feed.shape[-1])[:, None]
    direct = np.hstack([turned.real, turned.imag])
    order = _pivots(system.A.mean(axis=0), system.B[..., 0].mean(axis=0))
    samples, n = system.A.shape[:2]
    step = min(SAMPLES, max(8, int(CELLS / (n * max(n, 2 * len(w))))))
    for start in range(0, samples, step):
        cut = slice(start, min(start + step, samples))
        A, B = system.A[cut], system.B[cut, :, 0]
        # Parts that the input never reaches.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            x = _states(A, B, w, order)
            doubtful = np.flatnonzero(~_trusted(A, B, x, w))
        if len(doubtful):
            x[doubtful] = _by_lapack(A[doubtful], B[doubtful], w)
        y = system.C[cut] @ x
        y += feed[cut] @ direct
        yield cut, y


def _by_lapack(A: np.ndarray, B: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Give what ``_states`` gives, one factorisation a sample and frequency."""
    matrices = 1j * w[:, None, None] * np.eye(A.shape[-1]) - A[:, None]
    solved = np.linalg.solve(matrices, B[:, None, :, None])[..., 0].transpose(0, 2, 1)
    return np.concatenate([solved.real, solved.imag], axis=-1)


def _states(A: np.ndarray, B: np.ndarray, w: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Give x(jw) of every sample, (s, n, 2 f), real parts first; ``order`` as of ``_pivots``."""
    # Copies: worked on in place.
    H = np.array(A.transpose(1, 2, 0)[order[:, None], order], order="C")
    b = np.array(B.T[order], order="C")
    multipliers = [_eliminate(H, b, k) for k in range(len(H) - 1)]  # to controller-Hessenberg form
    z = _hyman(H, b[0], w)
    for k in range(len(multipliers) - 1, -1, -1):
        z[k + 1 :] += multipliers[k][:, None] * z[k]
    x = np.empty((len(A), len(H), 2 * len(w)))
    x[:, order] = z.transpose(2, 0, 1)
    return x


def _trusted(A: np.ndarray, B: np.ndarray, x: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Test the residual of x in a signed sum of the rows of jw x = A x + B; (s,) bool.

    A wrong x has no reason to be right in a sum of seeded signs (Freivalds, 1977).
    """
    count = len(w)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], A.shape[-1])
    moved = ((signs @ A)[:, None] @ x)[:, 0]
    moved[:, :count] += (B @ signs)[:, None]
    signed = signs @ x
    terms = np.abs(moved).max(axis=1) + np.abs(B).max(axis=1)
    moved[:, :count] += w * signed[:, count:]
    moved[:, count:] -= w * signed[:, :count]
    return np.asarray(np.abs(moved).max(axis=1) <= TRUSTED * terms)


def _pivots(A: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Order the states of one system so that no multiplier of its elimination is above one."""
    H, b = A.copy(), b.copy()
    order = np.arange(len(b))
    for k in range(len(b) - 1):
        column = b if k == 0 else H[:, k - 1]
        at = k + int(np.argmax(np.abs(column[k:])))
        swapped = np.arange(len(b))
        swapped[[k, at]] = at, k
        order, b, H = order[swapped], b[swapped], H[np.ix_(swapped, swapped)]
        with np.errstate(divide="ignore", invalid="ignore"):
            _eliminate(H, b, k)
    return order


def _eliminate(H: np.ndarray, b: np.ndarray, k: int) -> np.ndarray:
    """Take equation k out of those below it, where column k - 1, or b, holds it; give its multipliers."""
    column = b if k == 0 else H[:, k - 1]
    m = column[k + 1 :] / column[k]
    column[k + 1 :] = 0.0
    below = H[k + 1 :, k:]
    below -= m[:, None] * H[k, k:]
    H[:, k] += np.einsum("ij...,j...->i...", H[:, k + 1 :], m)
    return m


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
