"""States scaled to the rails: how many volts stand for one unit of every variable."""

import numpy as np
from jaxtyping import Float

from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import Structure, algebraic_response

GRID = 400  # points over the band: the peaks are broad, a finer grid moves none by 1e-3


def peaks(structure: Structure, bandwidth: float) -> Float[np.ndarray, " v"]:
    """Largest amplitude of every variable for a unit sine anywhere in the band, (v,)."""
    frequency = np.linspace(bandwidth / GRID, bandwidth, GRID)
    return np.abs(frequency_response(algebraic_response(structure), frequency)).max(axis=0)


def peak_scale(
    structure: Structure, bandwidth: float, *, amplitude: float, swing: float
) -> Float[np.ndarray, " v"]:
    """Scale so that the worst sine of the band, at full amplitude, makes every output swing alike.

    Parameters
    ----------
    structure : Structure
    bandwidth : float, Hz
    amplitude : float, V
        Peak of the input.
    swing : float, V
        Peak wanted at every active output.

    Returns
    -------
    (v,) array
        Volts at the output for one volt of the variable.
    """
    return swing / (amplitude * peaks(structure, bandwidth))
