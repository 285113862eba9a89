"""What an input that is held over steps leaves in a memory at their end, from the memory's response to tones.

The input is continued with its negative after a pause, in which the memory forgets: such a signal has odd harmonics
alone, evenly spaced tones without one at zero, and what a linear memory does with each is known exactly.
"""

import numpy as np
from jaxtyping import Complex, Float

PAUSE = 3  # windows of as many steps in which the memory forgets


def tones(step: float, steps: int, count: int) -> Float[np.ndarray, " k"]:
    """Give the tones at which a memory is to be measured, Hz.

    Parameters
    ----------
    step : float, s
    steps : int
        That the input has.
    count : int
        What is beyond the highest tone is taken to fall with the frequency.
    """
    return (np.arange(count) + 0.5) / ((1 + PAUSE) * steps * step)


def held(
    states: Complex[np.ndarray, "*s k d"], frequency: Float[np.ndarray, " k"], *, step: float, steps: int
) -> Float[np.ndarray, "*s steps d"]:
    """Give what one volt during each step adds to the states at the end of the last step.

    Parameters
    ----------
    states : (..., k, d) array
        For one volt, at ``tones(step, steps, k)``.
    frequency : (k,) array, Hz
    step : float, s
    steps : int
    """
    w = 2.0 * np.pi * frequency
    half = (1 + PAUSE) * steps * step
    before = step * (steps - np.arange(steps))  # from the beginning of a step to the end of the last, s
    phases = np.exp(1j * np.outer(before, w)) - np.exp(1j * np.outer(before - step, w))
    found = 2.0 * np.real(np.einsum("mk,...kd->...md", phases / (1j * w * half), states))
    # The last step ends where states are read: there the tones beyond the highest add up, of h/(j w) 2 h/(half w^2).
    size = np.real(1j * w[-1] * states[..., -1, :])
    spacing = w[1] - w[0]
    found[..., -1, :] += 2.0 * size / half / (spacing * (w[-1] + 0.5 * spacing))
    return found
