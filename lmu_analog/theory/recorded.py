"""The window's error in a recording as a linear function of parameters, exact over all of its moments.

The Legendre states answer to a parameter by C z + C_p x + D_p u + ... with z' = A z + A_p x + B_p u: whatever the
parameter, a sum of 2n signals, the responses whose poles are those of the circuit, each twice. So a recording is
run through 2n filters once, a triangular factor holds what they and the error have in common over time, and the
derivatives are matrices.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.memory.blocked_hold import many_runs
from lmu_analog.memory.orthogonal import Filters, as_system, expand, filters
from lmu_analog.memory.projection import projected
from lmu_analog.memory.sampled import sampled_run
from lmu_analog.memory.statespace import StateSpace, cut, first_order_hold, growth
from lmu_analog.reduction.reduced import planned
from lmu_analog.reduction.slopes import slopes
from lmu_analog.simulation import Grid, grid
from lmu_analog.stimulus import Recording

AT_ONCE = 4096  # moments: bounds the memory
_PARAMETERS = 256  # at once, for the same reason
_VALUES = 4_000_000  # moments and samples, times outputs, of a sampled system: bounds the memory too
_NEGLIGIBLE = 1e-14  # of the largest direction of the signals: rounding


@dataclass(frozen=True, eq=False)
class RecordedError:
    """Window error over rms(u): NRMSE^2 = rest + |error + slopes (p - p_nominal)|^2 to first order.

    Attributes
    ----------
    rest : float
    error : (e,) array
    slopes : (e, m) array
        Per SI unit of the parameters asked for; e is at most m + 1.
    """

    rest: float
    error: Float[np.ndarray, " e"]
    slopes: Float[np.ndarray, "e m"]


def recorded_error(design: Design, parameters: Int[np.ndarray, " m"]) -> RecordedError:
    """Linearise the window error over all of a design's recording, from rest, as the exact engine takes it.

    Parameters
    ----------
    design : Design
        Its signal is a recording.
    parameters : (m,) array
        Places in the parameters of its circuit.

    Raises
    ------
    SimulationError
        If the nominal circuit is unstable.
    """
    circuit = build(design)
    nominal, by_parameter = slopes(circuit, planned(circuit, band=design.bandwidth), parameters)
    if (rate := float(growth(nominal))) > 0.0:
        raise SimulationError(
            f"the circuit is unstable: a pole has the real part {rate * design.theta:.3g}/theta; "
            "there is no theory of its mismatch"
        )
    evaluation_grid = grid(design.stimulus, design.theta)
    chosen = _filters(nominal, float(evaluation_grid.time[-1]))
    triangle, rest = _triangle(nominal, chosen, evaluation_grid, theta=design.theta)
    signals, error = _principal(triangle, 4 * nominal.order + 3)
    readout = _readout(design.order)
    whole = np.zeros((len(error), len(parameters) + 1))
    whole[:, -1] = error
    for k in range(0, len(parameters), _PARAMETERS):
        some = cut(by_parameter, slice(k, k + _PARAMETERS))
        moved = np.tensordot(signals, readout @ _coefficients(nominal, some, chosen), (1, 2))
        whole[:-1, k : k + len(some.A)] = np.moveaxis(moved, 1, 2).reshape(-1, len(some.A))
    whole = np.asarray(np.linalg.qr(whole, mode="r"))
    return RecordedError(rest, whole[:, -1], whole[:, :-1])


def _filters(nominal: StateSpace, duration: float) -> Filters:
    """Choose filters of all poles, each twice, orthonormal in a weight that lasts as long as the recording."""
    poles = np.repeat(nominal.poles, 2)
    if nominal.dt is None:
        return filters(poles, weight=max(0.0, float(np.real(poles).max()) + 1.0 / duration))
    longest = float(np.abs(poles).max()) * np.exp(nominal.dt / duration)
    return filters(poles, weight=max(1.0, longest), dt=nominal.dt)


def _coefficients(nominal: StateSpace, by_parameter: StateSpace, chosen: Filters) -> np.ndarray:
    """Write d states / d parameter as sums of filters (real, imaginary), u, u' and 1; (m, d, 4n + 3)."""
    x = expand(nominal.A, chosen, from_input=nominal.B.T)[0]
    z = expand(nominal.A, chosen, from_filters=by_parameter.A @ x, from_input=by_parameter.B[..., 0])
    found = nominal.C @ z + by_parameter.C @ x
    nothing = np.zeros_like(by_parameter.D)
    slope = nothing if by_parameter.slope is None else by_parameter.slope
    offset = nothing if by_parameter.offset is None else by_parameter.offset[..., None]
    return np.concatenate([np.real(found), -np.imag(found), by_parameter.D, slope, offset], axis=-1)


def _readout(order: int) -> np.ndarray:
    """Give the Legendre coefficients over sqrt(2i + 1) of the states, (d, d)."""
    return np.diag(1.0 / np.sqrt(2.0 * np.arange(order) + 1.0))


def _triangle(
    nominal: StateSpace, chosen: Filters, evaluation_grid: Grid, *, theta: float
) -> tuple[np.ndarray, float]:
    """Give the triangular factor of signals and error over time, rms of u one, and the mean square of the rest."""
    n, order, given = nominal.order, len(nominal.C), evaluation_grid.stimulus
    dt = given.dt if isinstance(given, Recording) else float(evaluation_grid.time[1])
    # The window's true content in the same directions as the readout's, (t, d), and what lies beyond them, (t, 1); V.
    window, readout = projected(evaluation_grid.values, dt, theta, order=order), _readout(order)
    unit = 1.0 / (evaluation_grid.rms * np.sqrt(len(evaluation_grid.time)))
    nothing = np.zeros_like(nominal.D)
    slope = nothing if nominal.slope is None else nominal.slope[..., :1]
    offset = nothing if nominal.offset is None else nominal.offset[..., None]
    at_once = np.concatenate([nominal.D, slope, offset], axis=-1)
    triangle, rest = np.zeros((0, 4 * n + 3 + order)), 0.0
    for moments, states, fed in _stretches(nominal, chosen, evaluation_grid):
        shown = states[:, :n] @ nominal.C.T + fed @ at_once.T
        part = np.concatenate([states[:, n:], fed, shown @ readout.T - window[moments, :-1]], axis=1)
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, unit * part]), mode="r"))
        rest += unit**2 * float(np.sum(window[moments, -1] ** 2))
    return triangle, rest


def _stretches(
    nominal: StateSpace, chosen: Filters, evaluation_grid: Grid
) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Run circuit and filters; give moments, their states, (t, 5n), and what u feeds at once, (t, 3)."""
    chosen_system, n, u = as_system(chosen), nominal.order, evaluation_grid.values
    size, count = n + chosen_system.order, len(u)
    A, B = np.zeros((1, size, size)), np.concatenate([nominal.B, chosen_system.B])[None]
    A[0, :n, :n], A[0, n:, n:] = nominal.A, chosen_system.A
    # The states, then u.
    both = StateSpace(A, B, np.eye(size + 1, size)[None], np.eye(size + 1)[None, :, size:], nominal.dt)
    if nominal.dt is not None:
        found = _sampled(cut(both, 0), evaluation_grid, nominal.dt)
        fed = np.stack([found[:, -1], np.zeros(count), np.ones(count)], axis=1)
        yield slice(0, count), found[:, :-1], fed
        return
    dt = float(evaluation_grid.time[1])
    phi, state = first_order_hold(both, dt)[0][0], np.zeros((size, 1))
    fed = np.stack([u, np.diff(u, prepend=u[0]) / dt, np.ones_like(u)], axis=1)
    for start in range(0, count - 1, AT_ONCE):
        # Neighbours share a moment: the last of one is where the next one begins.
        stop = min(start + AT_ONCE, count - 1) + 1
        found = many_runs(both, u[start:stop], dt)[0, :, :-1] + _free(phi, state, stop - start)
        state = found[-1:].T
        first = start + (start > 0)
        yield slice(first, stop), found[first - start :], fed[first:stop]


def _sampled(system: StateSpace, evaluation_grid: Grid, dt: float) -> np.ndarray:
    """Run a sampled system over all moments, some outputs at a time; (t, p)."""
    rows = max(1, int(_VALUES / (len(evaluation_grid.time) + float(evaluation_grid.time[-1]) / dt)))
    found = np.empty((len(evaluation_grid.time), len(system.C)))
    for k in range(0, len(system.C), rows):
        some = replace(system, C=system.C[k : k + rows], D=system.D[k : k + rows])
        found[:, k : k + rows] = sampled_run(some, evaluation_grid.stimulus, evaluation_grid.time)
    return found


def _free(phi: np.ndarray, state: np.ndarray, count: int) -> np.ndarray:
    """Give state, phi state, phi^2 state, ..., (count, n)."""
    while state.shape[1] < count:
        state, phi = np.concatenate([state, phi @ state], axis=1), phi @ phi
    return state[:, :count].T


def _principal(triangle: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the signals in their principal directions over time, (k, count), and the error in those.

    Of the error, (k d + 1,), the last component is what no signal reaches.
    """
    signals, error = triangle[:, :count], triangle[:, count:]
    size = np.linalg.norm(signals, axis=0)
    size = np.where(size > 0.0, size, 1.0)
    left, scale, right = np.linalg.svd(signals / size, full_matrices=False)
    kept = scale > _NEGLIGIBLE * scale[0]
    along = left[:, kept].T @ error
    beside = np.linalg.norm(error - left[:, kept] @ along)
    return (scale[:, None] * right * size)[kept], np.append(along.ravel(), beside)
