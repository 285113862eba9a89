"""Op-amp requirements of a realization, without a circuit: window error from finite gain, speed and offset.

With one pole, 1/A(s) = s/w_t + 1/A0, and ideal inverters, row i of E s x = F x + G u gains
(1/A(s)) (s (1 + sum_j |E_ij|) + g_i) x_i, where g_i adds up all that a resistor sets in the row; a summer's row
gains (1/A(s)) (1 + sum_j |F_ij|). States are scaled to equal peaks over the band.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.errors import CircuitError
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import matrices, scaled
from lmu_analog.memory.window import gauss_legendre

_NODES = 80  # frequencies over the band


@dataclass(frozen=True)
class Need:
    """Figures of every op-amp.

    Attributes
    ----------
    gain : float, V/V
        A0.
    crossover : float, 1/s
        w_t = 2 pi GBW.
    """

    gain: float = math.inf
    crossover: float = math.inf


def error_added_by_opamps(realization: Realization, need: Need, *, bandwidth: float) -> float:
    """Window error, a fraction of the input, that op-amps of finite gain and speed add.

    Parameters
    ----------
    realization : Realization
        Of integrators: unit diagonal in E.
    need : Need
    bandwidth : float, Hz
        Band of the norm and of the peak scaling.

    Returns
    -------
    float
        rms over the band and the window; the op-amps' part alone.
    """
    rule = gauss_legendre(_NODES)
    frequency = bandwidth * rule.r
    real, ideal = (_states(realization, frequency, n, bandwidth=bandwidth) for n in (need, Need()))
    weight = 1.0 / (2.0 * np.arange(real.shape[-1]) + 1.0)
    return float(np.sqrt(rule.weight @ (np.abs(real - ideal) ** 2 @ weight)))


def offset_gain(
    realization: Realization, *, bandwidth: float, of: Literal["all", "integrators"] = "all"
) -> float:
    """Give rms output over the window for unit offsets, V/V.

    Parameters
    ----------
    realization : Realization
    bandwidth : float, Hz
        Of the peak scaling.
    of : {"all", "integrators"}
        Whose offsets count, independent of each other; the op-amps are ideal otherwise.
    """
    (_, F, _), row_gain, readout = _scaled(realization, bandwidth)
    if of == "integrators":
        row_gain[realization.structure.dynamic :] = 0.0
    # At u = 0, 0 = F x + diag(g) V_os, up to the sign of every row.
    states = readout @ np.linalg.solve(F, np.diag(row_gain))
    weight = 1.0 / (2.0 * np.arange(len(states)) + 1.0)
    return float(np.sqrt(weight @ np.sum(states**2, axis=1)))


def _states(
    realization: Realization, frequency: Float[np.ndarray, " f"], need: Need, *, bandwidth: float
) -> Complex[np.ndarray, "f d"]:
    (E, F, G), row_gain, readout = _scaled(realization, bandwidth)
    n = realization.structure.dynamic
    capacitive = 1.0 + np.abs(E - np.diag(np.diag(E))).sum(axis=1)
    capacitive[n:] = 0.0
    states = []
    for f in frequency:
        s = 2j * np.pi * f
        weakness = s / need.crossover + 1.0 / need.gain
        system = s * E - F + np.diag(weakness * (s * capacitive + row_gain))
        states.append(readout @ np.linalg.solve(system, G[:, 0]))
    return np.array(states)


def _scaled(
    realization: Realization, bandwidth: float
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray], np.ndarray, np.ndarray]:
    """Give E, F, G of the peak-scaled structure, g of every row, and the readout in its units."""
    scale = peak_scale(realization.structure, bandwidth, amplitude=1.0, swing=1.0)
    structure = scaled(realization.structure, scale)
    E, F, G = matrices(structure)
    row_gain = np.abs(F).sum(axis=1) + np.abs(G[:, 0])
    # A summer's own -1 stands for the 1 of its noise gain 1 + sum |F|, and is counted above.
    if not np.allclose(np.diag(E)[: structure.dynamic], 1.0):
        raise CircuitError(f"{realization.name} is no structure of integrators: its E has no unit diagonal")
    return (E, F, G), row_gain, realization.readout / scale
