"""The largest value of a quadratic form over signs: by trying all of them, or by search, with a bound."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_MOST_TRIED = 20  # signs of which all patterns are tried: half a million, milliseconds a form
STARTS, SEED = 20, 0  # random ones, beside the signs of the eigenvectors


@dataclass(frozen=True)
class WorstSigns:
    """The largest s' H s over s of -1 and 1.

    Attributes
    ----------
    value : float
        The largest found.
    bound : float
        None is larger; the value itself where all signs were tried.
    """

    value: float
    bound: float


def worst_signs(H: Float[np.ndarray, "k k"]) -> WorstSigns:
    """Maximise s' H s over signs.

    Parameters
    ----------
    H : (k, k) array
        Symmetric, positive semidefinite.
    """
    if len(H) <= _MOST_TRIED:
        value = _of_all(H)
        return WorstSigns(value, value)
    bound = min(float(np.abs(H).sum()), len(H) * float(np.linalg.eigvalsh(H)[-1]))
    return WorstSigns(_searched(H), bound)


def _of_all(H: np.ndarray) -> float:
    """Try all patterns of both halves of the signs, and every pair of them."""
    half = len(H) // 2
    first, second = _patterns(half), _patterns(len(H) - half)
    own = [
        np.einsum("si,ij,sj->s", s, part, s)
        for s, part in ((first, H[:half, :half]), (second, H[half:, half:]))
    ]
    return float((own[0][:, None] + own[1] + 2.0 * first @ H[:half, half:] @ second.T).max())


def _patterns(count: int) -> np.ndarray:
    """Give all patterns of signs, (2^count, count)."""
    return 1.0 - 2.0 * (np.arange(2**count)[:, None] >> np.arange(count) & 1)


def _searched(H: np.ndarray) -> float:
    """Turn the sign that wins most until none wins, from the eigenvectors' signs and random ones."""
    _, vectors = np.linalg.eigh(H)
    random = np.random.default_rng(SEED).choice([-1.0, 1.0], (STARTS, len(H)))
    best = 0.0
    for s in np.concatenate([np.where(vectors.T < 0.0, -1.0, 1.0), random]):
        while True:
            wins = np.diag(H) - s * (H @ s)  # a quarter of what turning each sign adds
            if wins.max() <= 1e-12 * H.max():
                break
            s[np.argmax(wins)] *= -1.0
        best = max(best, float(s @ H @ s))
    return best
