"""The loss of a trained network as the requirement in place of the window error: its law, and exact circuits.

To second order loss = rest + |error + J x|^2 in the draws x of the circuits that are the network's memories: outputs
move in proportion to the draws, and the loss is squares of what outputs do (Gauss and Newton; ``squares``). So the law
of a loss is that of a mean square error, and all that takes a ``FirstOrder`` takes it: quantiles, yield, shares of
parts, tolerances. What is left out is how outputs bend with the draws, times the slope of the loss. Against the answers
of the software that slope is nothing, against known classes it may be as large as all the rest.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import scipy
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.memory.statespace import StateSpace, growth
from lmu_analog.mismatch.law import Mismatch, columns, moved
from lmu_analog.networks.cell import Memories
from lmu_analog.networks.loop.adjoint import entries, past, pulled_back, some_of
from lmu_analog.networks.loop.forward import outputs
from lmu_analog.networks.loop.memories import Draws, check_design, drawn, places, sampled
from lmu_analog.networks.loop.score import scores
from lmu_analog.networks.network import LMULayer
from lmu_analog.networks.network import outputs as width
from lmu_analog.networks.task import NetworkTask, counted, losses, squares
from lmu_analog.reduction.reduced import planned
from lmu_analog.reduction.slopes import slopes
from lmu_analog.theory.first_order import FirstOrder, by_draws

NUMBERS = 4_000_000  # of what is pulled back at once: bounds the memory


def task_first_order(design: Design, task: NetworkTask) -> FirstOrder:
    """Write the loss of a network on a design's circuits as squares of what is linear in their mismatch.

    Parameters
    ----------
    design : Design
        Its theta stands for the network's window, its amplitude for the largest input of the memories; its own signal
        does not matter.
    task : NetworkTask
        Each of its memories is a circuit of its own.

    Returns
    -------
    FirstOrder
        rest + |error|^2 is the loss of the nominal circuits, and ``nominal`` its root. Where the network has several
        memories, names of draws begin with "memory0/", "memory1/" and so on. ``rest`` may be negative: what is linear
        in the draws is part of the squares.

    Raises
    ------
    DesignError
        If circuits of the design cannot be the network's memories.
    SimulationError
        If the nominal circuit is unstable.
    """
    circuit, law = build(design), Mismatch.of(design)
    if circuit.clock is not None:
        raise DesignError(
            f"family {circuit.family!r} is sampled by a clock of its own; take one in continuous time"
        )
    step = _step(design, task)
    system, by_draw = _sampled_slopes(circuit, law, step=step)
    memories: list[Memories | None] = []
    by_memory: list[np.ndarray] = []
    for layer, place in zip(task.network.layers, places(task.network, design, task.x), strict=True):
        if not isinstance(layer, LMULayer) or place is None:
            memories.append(None)
            continue
        memories.append(sampled(system, (), step=step, volts=place.volts))
        by_memory += layer.memories * [_per_unit(by_draw, len(system.A), volts=place.volts)]
    triangle, nominal = _triangle(task, memories, np.stack(by_memory))
    # What no draw moves is the last component of the error: it is part of the rest.
    jacobian = triangle[: triangle.shape[1] - 1, :-1]
    error = triangle[: len(jacobian), -1]
    names = columns(circuit, law)
    if len(by_memory) > 1:
        names = tuple(f"memory{k}/{name}" for k in range(len(by_memory)) for name in names)
    return FirstOrder(names, nominal - float(error @ error), error, jacobian)


def task_results(
    design: Design, task: NetworkTask, *, seed: int, samples: range
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Run a network on exact circuits of a design.

    Returns
    -------
    loss : (s,) array
        Infinite where a circuit sends outputs beyond all numbers.
    score : (s,) array
        The fraction of right classes, or of answers that are those of the software where y is not known; of series
        NRMSE, the root of the loss.
    """
    where = places(task.network, design, task.x)
    out = outputs(task.network, task.x, drawn(task.network, Draws(design, seed, samples), where))
    return losses(task, out), _scores(task, out)


def software_score(task: NetworkTask) -> float:
    """Give the same score of the network with its own memories."""
    return float(_scores(task, outputs(task.network, task.x))[0])


def _scores(task: NetworkTask, out: Float[np.ndarray, "s b *o"]) -> Float[np.ndarray, " s"]:
    if task.objective == "series":
        return np.sqrt(losses(task, out))
    right = task.wanted[:, 0].argmax(axis=-1) if task.y is None else task.y
    return scores(out, right, "classes")


def _step(design: Design, task: NetworkTask) -> float:
    """Give the time of a step, s, which must be that of all layers."""
    found = [
        check_design(layer, design, k)
        for k, layer in enumerate(task.network.layers)
        if isinstance(layer, LMULayer)
    ]
    if max(found) > min(found) * (1.0 + 1e-9):
        raise DesignError(
            "layers have windows of different lengths; one design cannot be all of their memories"
        )
    return found[0]


def _sampled_slopes(
    circuit: Circuit, law: Mismatch, *, step: float
) -> tuple[StateSpace, Float[np.ndarray, "e z"]]:
    """Give the nominal continuous system, and what one standard deviation of each draw does to its sampled entries.

    The derivative of a matrix exponential is the corner of one of twice the size (Najfeld and Havel, Adv. Appl. Math.
    16, 1995, 321-375).
    """
    moving = np.flatnonzero(moved(circuit, law) != circuit.values)
    nominal, by_parameter = slopes(circuit, planned(circuit, band=0.5 / step), moving)
    if (rate := float(growth(nominal))) > 0.0:
        raise SimulationError(
            f"the circuit is unstable: a pole has the real part {rate:.3g}/s; there is no theory of its mismatch"
        )
    n, count = nominal.order, len(moving)
    block = np.zeros((count, 2 * n + 2, 2 * n + 2))
    for k in (0, n + 1):
        block[:, k : k + n, k : k + n] = step * nominal.A
        block[:, k : k + n, k + n] = step * nominal.B[:, 0]
    block[:, :n, n + 1 : -1], block[:, :n, -1] = step * by_parameter.A, step * by_parameter.B[..., 0]
    corner = scipy.linalg.expm(block)[:, :n, n + 1 :]
    D = by_parameter.D[..., 0]
    offset = np.zeros_like(D) if by_parameter.offset is None else by_parameter.offset
    by_value = entries(Memories(corner[..., :n], corner[..., n], by_parameter.C, D, offset))
    whole = np.zeros((by_value.shape[1], len(circuit.parameters)))
    whole[:, moving] = by_value.T
    return nominal, by_draws(circuit, law, whole)


def _per_unit(by_draw: Float[np.ndarray, "e z"], n: int, *, volts: float) -> Float[np.ndarray, "e z"]:
    """Give offsets, every last entry of a row of C, D and offset, in the unit of u; n states."""
    found = by_draw.copy()
    found[n * (n + 1) + n + 1 :: n + 2] /= volts
    return found


def _triangle(
    task: NetworkTask, memories: Sequence[Memories | None], by_draw: Float[np.ndarray, "k e z"]
) -> tuple[np.ndarray, float]:
    """Give the triangular factor of what draws do to the squares of the loss and of their errors; and the loss."""
    history = past(task.network, memories, task.x)
    last = history[-1].output[None]
    last = last[:, :, -1] if task.objective == "classes" else last
    error, root = squares(task, counted(task, last)[0])
    triangle = np.zeros((0, by_draw.shape[0] * by_draw.shape[2] + 1))
    for some, sums in _stretches(task, memories, (*error.shape, by_draw.shape[1])):
        weights = root[some, sums]
        rows = np.zeros((len(weights), task.x.shape[1], weights.shape[1], weights.shape[3]))
        rows[:, task.steps] = np.moveaxis(weights, 2, 1)
        batch = some_of(history, some)
        by_entry = np.moveaxis(pulled_back(task.network, memories, batch, rows=rows), 2, 0)
        moved_by = by_entry.reshape(len(by_draw), -1, by_entry.shape[-1]) @ by_draw
        beside = error[some, sums].reshape(-1, 1)
        part = np.concatenate([*moved_by, beside], axis=1)
        triangle = np.asarray(np.linalg.qr(np.concatenate([triangle, part]), mode="r"))
    return triangle, float(losses(task, last)[0])


def _stretches(
    task: NetworkTask, memories: Sequence[Memories | None], shape: tuple[int, int, int]
) -> Iterator[tuple[slice, slice]]:
    """Cut examples and squares, of (b, q, entries), into stretches that are pulled back at once."""
    examples, squares_of_each, held = shape
    widest = [
        layer.memories * sum(memory.C.shape) if isinstance(layer, LMULayer) and memory is not None else 0
        for layer, memory in zip(task.network.layers, memories, strict=True)
    ]
    held *= sum(layer.memories for layer in task.network.layers if isinstance(layer, LMULayer))
    widest += [width(layer) for layer in task.network.layers]
    at_once = max(1, NUMBERS // max(task.x.shape[1] * max(widest), held))
    together = max(1, at_once // squares_of_each)
    for b in range(0, examples, together):
        for q in range(0, squares_of_each, at_once):
            yield slice(b, b + together), slice(q, q + at_once)
