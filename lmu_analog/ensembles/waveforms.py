"""A few steps of nonlinear circuits, many samples at once: waveforms and sources repeated until they agree.

The linear part is propagated exactly, whatever its fastest pole; the nonlinear laws come back as sources that are
polynomials in every step (waveform relaxation: Lelarasmee, Ruehli and Sangiovanni-Vincentelli, IEEE Trans. CAD 1,
1982).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.nodal.forced import Forced
from lmu_analog.circuits.nodal.saturation import Limits, saturate
from lmu_analog.circuits.nodal.stepped import Stepped, saturate_steps
from lmu_analog.ensembles.balance import LOST
from lmu_analog.memory.mixing import mixed
from lmu_analog.memory.polynomial_hold import NODES, POWERS, HoldStep

MOST_ROUNDS = 30
SETTLED = 1e-7  # of the nominal peaks: what is left of the waveforms of a relaxation interval
LEAST_RATIO = 0.1  # that rounds are trusted to shrink by: one good round alone may be chance
TEST = 0.4  # of a step, where the defect is evaluated: its largest between two nodes
PLACES = (*NODES.tolist(), TEST)

_WHOLE = np.linalg.inv(np.vander(np.append(0.0, NODES), increasing=True))  # coefficients from values at 0 too
_SLOPE = (np.vander(NODES, len(NODES), increasing=True) * np.arange(1.0, len(NODES) + 1.0)) @ _WHOLE[1:]
_AT_TEST = TEST ** np.arange(len(NODES)) @ POWERS
_Map = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclass(frozen=True, eq=False)
class Common:
    """What all samples have in common.

    Attributes
    ----------
    centre : (n, 1) array
        Slopes that the linear part takes.
    peak : (n,) array, V
        What is large for the saturating voltages.
    """

    centre: Float[np.ndarray, "n 1"]
    peak: Float[np.ndarray, " n"]


@dataclass(frozen=True, eq=False)
class Steps:
    """What a step makes of its start x, of the sources w at its nodes, and of u and 1 there.

    Attributes
    ----------
    length : float, s
    x, z, test : triples of (s, ., .) arrays
        Matrices to the state at the end, to the saturating voltages at the nodes, and to those voltages and their
        slopes at the test.
    """

    length: float
    x: _Map
    z: _Map
    test: _Map


@dataclass(frozen=True, eq=False)
class At:
    """Where s samples stand.

    Attributes
    ----------
    x : (s, r) array
    z : (s, n) array, V
    instant : (s, n) array, V
        The end of ``Stepped.instant``.
    """

    x: Float[np.ndarray, "s r"]
    z: Float[np.ndarray, "s n"]
    instant: Float[np.ndarray, "s n"]


@dataclass(frozen=True, eq=False)
class RelaxationInterval:
    """Waveforms of k steps.

    Attributes
    ----------
    x : (s, r, k + 1) array
        At starts and ends.
    z, w : (s, q, n, k) arrays, V
        At the nodes.
    saturated : Stepped
        What the law makes of z.
    settled : (s,) bool array
    """

    x: Float[np.ndarray, "s r k1"]
    z: Float[np.ndarray, "s q n k"]
    w: Float[np.ndarray, "s q n k"]
    saturated: Stepped
    settled: Bool[np.ndarray, " s"]

    @property
    def end(self) -> At:
        """Where the relaxation interval ends."""
        return At(self.x[..., -1], self.z[:, -1, :, -1], self.saturated.instant[:, -1, :, -1])


def steps_of(system: Forced, hold: HoldStep, length: float) -> Steps:
    """Prepare steps from those of the linear part, held at ``PLACES``."""
    q, n = len(NODES), system.B.shape[-1] - 2
    C, D = system.C[:, None, :n], system.D[:, :n]
    rates = C @ system.A[:, None]
    z, z_forced = C @ hold.decay, _through(C, hold.forced)
    rate, rate_forced = rates @ hold.decay[:, q:], _through(rates, hold.forced[:, q:])
    for k in range(q):
        z_forced[:, k, :, k] += D
        z_forced[:, q, :, k] += _AT_TEST[k] * D
        rate_forced[:, 0, :, k] += _AT_TEST[k] * (C[:, 0] @ system.B)
    test = np.concatenate([z[:, q:], rate], axis=1), np.concatenate([z_forced[:, q:], rate_forced], axis=1)
    return Steps(
        length,
        _flat(hold.decay[:, q - 1 : q], hold.forced[:, q - 1 : q], n),
        _flat(z[:, :q], z_forced[:, :q], n),
        _flat(*test, n),
    )


def _through(C: np.ndarray, forced: np.ndarray) -> np.ndarray:
    s, k, r, q, m = forced.shape
    return (C @ forced.reshape(s, k, r, q * m)).reshape(s, k, -1, q, m)


def _flat(decay: np.ndarray, forced: np.ndarray, n: int) -> _Map:
    """Give matrices (s, k i, .) from x, of (s, k, i, r), and from w and the rest, of (s, k, i, q, m)."""
    s, k, i, _ = decay.shape
    return (
        np.ascontiguousarray(decay).reshape(s, k * i, -1),
        np.ascontiguousarray(forced[..., :n]).reshape(s, k * i, -1),
        np.ascontiguousarray(forced[..., n:]).reshape(s, k * i, -1),
    )


def nodes_of(u: Float[np.ndarray, " t"], parts: int) -> Float[np.ndarray, "q2 k"]:
    """Give u, straight between its points, and 1 at the nodes of ``parts`` steps an interval."""
    inner = u[:-1, None] + np.diff(u)[:, None] * (np.arange(parts) / parts)
    ends = np.append(inner.ravel(), u[-1])
    at = ends[:-1] + NODES[:, None] * np.diff(ends)
    return np.stack([at, np.ones_like(at)], axis=1).reshape(2 * len(NODES), -1)


def settle(
    steps: Steps, limited: Limits, at: At, *, shared: Common, u: Float[np.ndarray, "q2 k"]
) -> RelaxationInterval:
    """Repeat waveforms and sources until they agree.

    A sample stops by its own residual and then keeps its sources, so it does not depend on those beside it.

    Parameters
    ----------
    steps : Steps
    limited : Limits
    at : At
        Where the relaxation interval starts.
    shared : Common
    u : (2 q, k) array
        From ``nodes_of``.
    """
    s, n, k, q = len(at.x), len(shared.peak), u.shape[-1], len(NODES)
    x = np.empty((s, at.x.shape[-1], k + 1))
    x[..., 0] = at.x
    driven, shown = steps.x[2] @ u, steps.z[2] @ u
    w, z, before = np.zeros((s, q, n, k)), np.full((s, q, n, k), np.inf), np.full(s, np.inf)
    waits, rounds, saturated = np.ones(s, bool), None, Stepped(w, w, np.zeros(s))
    slope = _SLOPE / steps.length
    for _ in range(MOST_ROUNDS):
        sources = w.reshape(s, q * n, k)
        pushed = driven + steps.x[1] @ sources
        for j in range(k):
            x[..., j + 1] = (steps.x[0] @ x[..., j, None])[..., 0] + pushed[..., j]
        fresh = (shown + steps.z[0] @ x[..., :-1] + steps.z[1] @ sources).reshape(z.shape)
        saturated = saturate_steps(limited.law, at.z, fresh, slope=slope, centre=shared.centre)
        change = np.max(np.abs(fresh - z) / shared.peak[:, None], axis=(1, 2, 3))
        waits &= (_left(change, before) > SETTLED) & (saturated.share < LOST)
        z, before = fresh, change
        if not waits.any():
            break
        mixture, rounds = mixed(rounds, w.reshape(s, -1), saturated.w.reshape(s, -1))
        w = np.where(waits[:, None, None, None], mixture.reshape(w.shape), w)
    return RelaxationInterval(x, z, w, saturated, ~waits)


def _left(change: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Estimate what is left after changes that shrink by a factor."""
    shrinks = (change < before) & np.isfinite(before)
    ratio = np.where(shrinks, change, 0.0) / np.where(shrinks, before, 1.0)
    ratio = np.maximum(ratio, LEAST_RATIO)
    return np.where(shrinks, change * ratio / (1.0 - ratio), np.where(change == 0.0, 0.0, np.inf))


def defect(
    steps: Steps, limited: Limits, found: RelaxationInterval, *, shared: Common, u: Float[np.ndarray, "q2 k"]
) -> Float[np.ndarray, "s n k"]:
    """Give by how much the sources of a settled relaxation interval are off at the tests, V."""
    s, q, n, k = found.z.shape
    seen = (
        steps.test[0] @ found.x[..., :-1] + steps.test[1] @ found.w.reshape(s, q * n, k) + steps.test[2] @ u
    )
    centre = np.broadcast_to(shared.centre, (s, n, 1))
    true = saturate(limited.law, seen[:, :n], seen[:, n:], centre=centre).w
    return true - (_AT_TEST @ found.w.reshape(s, q, n * k)).reshape(s, n, k)
