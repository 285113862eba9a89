"""How the Legendre states are estimated from what a circuit shows: m = W x, with W fitted to the nominal circuit.

Standard values and slow op-amps make a circuit of a certain wrong memory, whose states still span what was wanted. A
readout W takes them there: least squares over the band, with a bound. In orthonormal coordinates (m_i over the root of
2i + 1, so that |m|^2 is the window's power) it minimises |X W - Y|^2 + ridge^2 |W - I|^2, ridge = 0.003 |Y| / sqrt(d).
Without the second term W would take small differences of states apart and amplify what is no signal, noise and what
lies beyond the band, a hundred times; with it singular values stay near one (Tikhonov, 1963; Golub and Pereyra, 1973,
for values that are chosen with W in mind).
"""

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.memory import window
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import frequency_response

Target = Literal["fitted", "window"]
TARGETS: tuple[Target, ...] = ("fitted", "window")
BOUND = 0.003  # of the rms of a state: noise of that size in every state would bound W alike
DECIMALS = 6  # of a fitted readout: LAPACK's last digits differ between processors, and these do not
LARGEST = 1e3  # entry of a readout: more is a fit without a bound
KEPT = 64  # circuits whose readout is remembered: a command builds its design again and again
FEWEST_NODES, NODES_A_STATE = 24, 4  # frequencies of the fit, Gauss-Legendre nodes of the band


@dataclass(frozen=True, eq=False)
class Refit:
    """The fit of a readout: what it is to give, and what a circuit's states leave of it.

    Attributes
    ----------
    frequency : (f,) array, Hz
    scale : (f, d) array
        From states to the coordinates of the fit: root of the weights over that of 2i + 1.
    wanted : (e, d) array
        The targets in these coordinates, e = 2 f + d: real parts, imaginary parts, ridge times the identity.
    ridge : float
    """

    frequency: Float[np.ndarray, " f"]
    scale: Float[np.ndarray, "f d"]
    wanted: Float[np.ndarray, "e d"]
    ridge: float

    @classmethod
    def of(
        cls,
        circuit: Circuit,
        frequency: Float[np.ndarray, " f"],
        weight: Float[np.ndarray, " f"],
        *,
        target: Target,
    ) -> "Refit":
        """Set the fit up for the order and theta of a circuit.

        Parameters
        ----------
        circuit : Circuit
        frequency, weight : (f,) arrays, Hz and fraction
            What the error is averaged over.
        target : {"fitted", "window"}
            The states of the ideal memory, or the best that these polynomials can do for the window: less than the
            truncation error of the memory, because the fit knows the band.
        """
        order = circuit.order
        if target == "fitted":
            states = frequency_response(legendre(order, circuit.theta), frequency)
        else:
            phasors = (frequency, np.ones(len(frequency), complex))
            rule = window.quadrature_for(order, phasors, circuit.theta)
            late = np.exp(-2j * np.pi * circuit.theta * np.outer(frequency, rule.r))
            onto = rule.weight[:, None] * window.readout(order, rule.r)
            states = late @ onto * (2.0 * np.arange(order) + 1.0)
        scale = np.sqrt(weight[:, None] / (2.0 * np.arange(order) + 1.0))
        wanted = _real(scale * states)
        ridge = BOUND * float(np.linalg.norm(wanted)) / math.sqrt(order)
        return cls(frequency, scale, np.concatenate([wanted, ridge * np.eye(order)]), ridge)

    def solved(
        self, states: Complex[np.ndarray, "*s f d"]
    ) -> tuple[Float[np.ndarray, "*s e d"], Float[np.ndarray, "*s d d"], Float[np.ndarray, "*s d d"]]:
        """Give Q and R of the states with the ridge below them, and W with x W = m, in the fit's coordinates."""
        held = np.broadcast_to(
            self.ridge * np.eye(states.shape[-1]), (*states.shape[:-2], *states.shape[-1:] * 2)
        )
        Q, R = np.linalg.qr(np.concatenate([_real(self.scale * states), held], axis=-2))
        return Q, R, np.linalg.solve(R, np.swapaxes(Q, -1, -2) @ self.wanted)

    def seen(self, states: Complex[np.ndarray, "f d n"]) -> Float[np.ndarray, "g n"]:
        """Give n changes of the states their coordinates, (2 f d, n), real parts before imaginary ones."""
        return _real(self.scale * np.moveaxis(states, -1, 0)).reshape(states.shape[-1], -1).T

    def missed(self, states: Complex[np.ndarray, "*s f d"]) -> Float[np.ndarray, "*s g"]:
        """Give what states, as they are read, are from the targets, (..., 2 f d)."""
        found = _real(self.scale * states) - self.wanted[: 2 * len(self.scale)]
        return found.reshape(*found.shape[:-2], -1)

    def left(self, states: Complex[np.ndarray, "*s f d"]) -> Float[np.ndarray, "*s k"]:
        """Give what the best readout leaves, (..., e d), whose square is the error with what W costs."""
        Q, _, _ = self.solved(states)
        found = Q @ (np.swapaxes(Q, -1, -2) @ self.wanted) - self.wanted
        return found.reshape(*found.shape[:-2], -1)

    def slopes(
        self, states: Complex[np.ndarray, "f d"], by_value: Complex[np.ndarray, "f d m"]
    ) -> Float[np.ndarray, "k m"]:
        """Differentiate ``left`` by m values, (e d, m), with W fitted anew to each: variable projection."""
        Q, R, W = self.solved(states)
        moved = _real(self.scale * np.moveaxis(by_value, -1, 0))
        moved = np.concatenate([moved, np.zeros((len(moved), *R.shape))], axis=1)
        left = Q @ (Q.T @ self.wanted) - self.wanted
        through = moved @ W
        found = through - Q @ (Q.T @ through) - Q @ np.linalg.solve(R.T, np.swapaxes(moved, 1, 2) @ left)
        return found.reshape(len(found), -1).T

    def matrix(self, states: Complex[np.ndarray, "f d"]) -> Float[np.ndarray, "d d"]:
        """Give the readout for Legendre states, m = W x."""
        _, _, W = self.solved(states)
        root = np.sqrt(2.0 * np.arange(len(W)) + 1.0)
        return np.round(root[:, None] * W.T / root, DECIMALS) + 0.0  # no -0


@lru_cache(maxsize=KEPT)
def fitted_readout(circuit: Circuit, *, bandwidth: float, target: Target) -> Float[np.ndarray, "d d"]:
    """Fit a readout to a nominal circuit.

    Parameters
    ----------
    circuit : Circuit
        Nonlinear ones count at small signal, sampled ones at their clock's ticks.
    bandwidth : float, Hz
        Of the signals that count, alike from zero on.
    target : {"fitted", "window"}
        As in ``Refit.of``.

    Returns
    -------
    (d, d) array
        W with m = W x, x what the circuit's own probes give for the Legendre states; of six decimals.
    """
    rule = window.gauss_legendre(max(FEWEST_NODES, NODES_A_STATE * circuit.order))
    refit = Refit.of(circuit, bandwidth * rule.r, rule.weight, target=target)
    found = refit.matrix(steady_response(extract(circuit.small_signal or circuit), refit.frequency))
    found.setflags(write=False)
    return found


def with_readout(circuit: Circuit, matrix: Float[np.ndarray, "d d"]) -> Circuit:
    """Read the states of a circuit through a matrix, m = W x, x what its own probes give.

    Taps stay: they are amplifiers, and know nothing of it.
    """
    probes = []
    for row in np.asarray(matrix, float).tolist():
        found: dict[tuple[Literal["v", "i"], str], float] = {}
        for weight, probe in zip(row, circuit.probes, strict=True):
            for term in probe if weight else ():
                key = (term.kind, term.of)
                found[key] = found.get(key, 0.0) + weight * term.factor
        probes.append(tuple(Term(kind, of, factor) for (kind, of), factor in found.items()))
    linear = circuit.small_signal and with_readout(circuit.small_signal, matrix)
    return replace(circuit, probes=tuple(probes), small_signal=linear)


def noise_gains(matrix: Float[np.ndarray, "d d"]) -> tuple[float, float]:
    """Say what a readout does to what is no signal: in the window, and in the mean.

    Of white noise of equal power in all states, over the root of 2i + 1 as the window counts them.

    Returns
    -------
    float
        Largest singular value: by how much any one pattern of the states is amplified at most.
    float
        Root of the mean square of all: by how much independent noise in all states is amplified.
    """
    root = np.sqrt(2.0 * np.arange(len(matrix)) + 1.0)
    sizes = np.linalg.svd(matrix * root / root[:, None], compute_uv=False)
    return float(sizes[0]), float(np.sqrt(np.mean(sizes**2)))


def _real(states: Complex[np.ndarray, "*s f d"]) -> Float[np.ndarray, "*s g d"]:
    return np.concatenate([np.real(states), np.imag(states)], axis=-2)
