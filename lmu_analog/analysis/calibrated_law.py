"""First-order theory of circuits whose readout was fitted: what ``calibrate`` leaves, without a sample.

A readout W takes the states X of a circuit at the tones of the fit to the delays E: least squares, (G + ridge) W = M
with G = Re <X^* X> and M = Re <X^* E>, as in ``readouts.fitted_rows``. Where every circuit has its own, both move with
the parts, d(window) = dX W + X dW with (G + ridge) dW = dM - dG W: what the fit wins back is in dW. One readout for all
circuits stays, d(window) = dX W, and is that of the least mean error, whose G has what mismatch adds to it in the mean,
<dX^* dX>. The error counts for the design's own tones, in the steady state.
"""

import math
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.analysis.device_under_calibration import Excitation, excitation
from lmu_analog.analysis.readouts import RIDGE
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.adjoint import Derivatives, derivatives
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns
from lmu_analog.stimulus import Tones
from lmu_analog.theory.first_order import FirstOrder, by_draws

Readout = Literal["readout", "ensemble"]
READOUTS: tuple[Readout, ...] = ("ensemble", "readout")


def first_order_calibrated(design: Design, method: Readout) -> FirstOrder:
    """Linearise the window error that is left after a readout was fitted, by mismatch.

    Parameters
    ----------
    design : Design
        At the temperature where parts are nominal, as at the bench.
    method : {"readout", "ensemble"}
        As in ``calibrate``: a readout for every circuit, its offset subtracted, or one for all.

    Raises
    ------
    DesignError
        If the signal is a recording, or the design has a temperature of its own.
    """
    tones = design.stimulus
    if not isinstance(tones, Tones):
        raise DesignError("the theory of fitted readouts takes periodic signals; leave the recording out")
    if design.temperature is not None:
        raise DesignError("the theory of fitted readouts is that of the bench; leave the temperature out")
    circuit, law = build(design), Mismatch.of(design)
    given = excitation(design.order, design.bandwidth, theta=design.theta, also=tones)
    found = derivatives(circuit, np.concatenate([given.frequency, tones.frequency]))
    X, dX = found.states, _moved(circuit, law, found)
    fit, own = slice(len(given.frequency)), slice(len(given.frequency), None)
    turn = -2j * np.pi * design.theta * given.rule.r
    delays = np.exp(np.outer(np.concatenate([given.frequency, tones.frequency]), turn))
    W, dW = _fitted(X[fit], dX[fit], delays[fit], given=given, each=method == "readout")
    # Phasors of the tones over rms(u), and the weight of every place in the window.
    scale = (math.sqrt(0.5) * tones.phasor / tones.rms)[:, None] * np.sqrt(given.rule.weight)
    error = scale * (X[own] @ W - delays[own])
    slopes = scale[..., None] * (W.T @ dX[own] + _over_states(X[own], dW))
    rows = [error.real.ravel(), error.imag.ravel()]
    moved = [part.reshape(error.size, -1) for part in (slopes.real, slopes.imag)]
    if method == "ensemble":  # the offset of one circuit alone is measured, and subtracted
        onto = np.sqrt(given.rule.weight)[:, None] * W.T / tones.rms
        rows.append(onto @ found.offset)
        moved.append(onto @ by_draws(circuit, law, found.offset_by_parameter))
    return FirstOrder(columns(circuit, law), 0.0, np.concatenate(rows), np.concatenate(moved))


def _moved(circuit: Circuit, law: Mismatch, found: Derivatives) -> Complex[np.ndarray, "f d z"]:
    """Give what one standard deviation of each draw does to the states."""
    flat = found.by_parameter.reshape(found.states.size, -1)
    real, imag = (by_draws(circuit, law, part) for part in (np.real(flat), np.imag(flat)))
    return (real + 1j * imag).reshape(*found.states.shape, -1)


def _over_states(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Give the sum over the last axis of the one and the first of the other, as one product of matrices."""
    return (left @ right.reshape(len(right), -1)).reshape(len(left), *right.shape[1:])


def _fitted(
    X: Complex[np.ndarray, "f d"],
    dX: Complex[np.ndarray, "f d z"],
    delays: Complex[np.ndarray, "f q"],
    *,
    given: Excitation,
    each: bool,
) -> tuple[Float[np.ndarray, "d q"], Float[np.ndarray, "d q z"]]:
    """Fit a readout to the nominal circuit, or to all in the mean, and give it with what each draw does to it."""
    power = given.power[:, None]
    order, draws = dX.shape[1:]
    gram = np.real(X.conj().T @ (power * X))
    if not each:
        weighted = np.sqrt(given.power)[:, None, None] * dX
        flat = np.moveaxis(weighted, 1, 0).reshape(order, -1)
        gram = gram + np.real(flat.conj() @ flat.T)
    ridge = RIDGE / order * np.eye(order)
    held = gram + np.trace(gram) * ridge
    W = np.linalg.solve(held, np.real(X.conj().T @ (power * delays)))
    if not each:
        return W, np.zeros((*W.shape, draws))
    # dM - dG W of every draw: what moves is correlated with the residual, and the states with what it makes of W.
    residual = power * (delays - X @ W)
    into = np.real(_over_states(residual.T, dX.conj())).swapaxes(0, 1)
    along = np.real(_over_states((power * X).conj().T, dX))
    shift = into - W.T @ along
    shift -= 2.0 * np.einsum("ddz->z", along) * (ridge @ W)[..., None]
    return W, np.linalg.solve(held, shift.reshape(order, -1)).reshape(shift.shape)
