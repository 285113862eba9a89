"""States scaled to the rails: how many volts stand for one unit of every variable."""

from typing import Literal, get_args

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import Structure, algebraic_response

FLOOR = 1e-4  # of the largest peak: a state that a narrow band hardly moves is not blown up to the rails
GRID = 400  # points over the band: the peaks are broad, a finer grid moves none by 1e-3
DECAY = 20.0  # time constants of the slowest pole: what is left of the impulse response is 2e-9
STEPS_PER_TURN = 120.0  # of the fastest pole: the trapezoidal rule is within 1e-3 of the L1 norm
MOST_DOUBLINGS = 18
# Significant digits of a scale. Every scale makes the same memory, so rounding one costs nothing, and it takes off the
# last digits of LAPACK's answer, which depend on the processor and would reach every value of the circuit.
DIGITS = 10

Scaling = Literal["peak", "l1", "h2"]
SCALINGS: tuple[Scaling, ...] = get_args(Scaling)


def peaks(structure: Structure, bandwidth: float) -> Float[np.ndarray, " v"]:
    """Largest amplitude of every variable for a unit sine anywhere in the band, (v,)."""
    frequency = np.linspace(bandwidth / GRID, bandwidth, GRID)
    return np.abs(frequency_response(algebraic_response(structure), frequency)).max(axis=0)


def bounds(structure: Structure) -> Float[np.ndarray, " v"]:
    """Largest value of every variable for any input within +-1, (v,): the L1 norm of its impulse response."""
    system = algebraic_response(structure)
    poles = np.linalg.eigvals(system.A)
    step = 2.0 * np.pi / (STEPS_PER_TURN * np.abs(poles).max())
    turns = np.log2(DECAY / -poles.real.max() / step) if poles.real.max() < 0.0 else np.inf
    across = linalg.expm(step * system.A)
    states = system.B
    for _ in range(min(int(np.ceil(turns)) if np.isfinite(turns) else MOST_DOUBLINGS, MOST_DOUBLINGS)):
        states = np.concatenate([states, across @ states], axis=1)
        across = across @ across
    response = np.abs(system.C @ states)
    return step * (response.sum(axis=1) - 0.5 * response[:, 0]) + np.abs(system.D[:, 0])


def deviations(structure: Structure) -> Float[np.ndarray, " v"]:
    """Root mean square of every variable for white noise of unit density, (v,): its H2 norm.

    What passes an algebraic variable without a pole has none and is left out.
    """
    system = algebraic_response(structure)
    gramian = linalg.solve_continuous_lyapunov(system.A, -system.B @ system.B.T)
    return np.sqrt(np.einsum("ij,jk,ik->i", system.C, gramian, system.C))


def peak_scale(
    structure: Structure, bandwidth: float, *, amplitude: float, swing: float
) -> Float[np.ndarray, " v"]:
    """Scale so that the worst sine of the band, at full amplitude, makes every output swing alike, (v,)."""
    return state_scale(structure, bandwidth, amplitude=amplitude, swing=swing)


def state_scale(
    structure: Structure, bandwidth: float, *, amplitude: float, swing: float, scaling: Scaling = "peak"
) -> Float[np.ndarray, " v"]:
    """Scale every variable so that its output stays within the swing.

    ``peak``: the worst sine of the band, at full amplitude, makes every output swing alike. ``l1``: no
    input within the amplitude, of any shape, drives an output beyond the swing, and one comes up to it at
    each. ``h2``: white noise moves all outputs alike, and the worst sine meets the swing at one of them
    (Gramian scaling, Mullis and Roberts, IEEE Trans. Circuits and Systems 23, 1976). Variables that stay
    below 1e-4 of the largest keep that scale.

    Parameters
    ----------
    structure : Structure
    bandwidth : float, Hz
    amplitude : float, V
        Peak of the input.
    swing : float, V
        Peak wanted at the active outputs.
    scaling : {"peak", "l1", "h2"}

    Returns
    -------
    (v,) array
        Volts at the output for one volt of the variable; of ten significant digits.
    """
    match scaling:
        case "peak":
            size = _floored(peaks(structure, bandwidth))
        case "l1":
            size = _floored(bounds(structure))
        case "h2":
            spread = _floored(deviations(structure))
            size = spread * (peaks(structure, bandwidth) / spread).max()
    return np.array([float(f"{x:.{DIGITS - 1}e}") for x in swing / (amplitude * size)])


def _floored(size: np.ndarray) -> np.ndarray:
    return np.maximum(size, FLOOR * size.max())
