"""A classifier with one Legendre memory that is fed back to: forwards and backwards, a block of steps at a time.

The equations are those of ``networks.network``. Within a block of b steps the memory is not stepped: it is linear, so

    m[j] = A^j m[0] + A^(j-1) B u[1] + ... + B u[j]

and what hidden units see of it is one product of m[0] with all W_m A^j side by side, besides b numbers u. So no step
multiplies with A, which for an order of 256 and 212 hidden units is two fifths of the work. Hidden units and u are
stepped one by one: they feed each other. Backwards the same products are transposed, and all weights get their
gradients in one product over all steps.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.errors import DesignError
from lmu_analog.networks.cell import Memory
from lmu_analog.networks.long.loss import cross_entropy
from lmu_analog.networks.long.scratch import Scratch
from lmu_analog.networks.network import LMULayer

LONGEST_BLOCK = 16  # steps: from here on what u adds within a block costs more than A does once a block
Weights = dict[str, np.ndarray]  # an LMU layer's by their names, and ``kernel`` and ``classes`` of the output


@dataclass(frozen=True, eq=False)
class Blocks:
    """What a fixed memory does in up to b steps, with row vectors.

    Attributes
    ----------
    powers : (b + 1, n, n) array
        Transposed powers of A, the identity first: m[j] = m[0] powers[j] without input.
    impulses : (b, n) array
        ``impulses[j]`` is the memory j steps after one input of 1.
    """

    powers: Float[np.ndarray, "c n n"]
    impulses: Float[np.ndarray, "b n"]

    @property
    def steps(self) -> int:
        """Length b of a block."""
        return len(self.impulses)


def blocks_of(layer: LMULayer, steps: int, dtype: Any = np.float32) -> Blocks:
    """Tabulate the memory of a layer for series of so many steps.

    A block is the longest of up to 16 steps into which the series divides. Powers are formed in double precision.

    Raises
    ------
    DesignError
        If the layer has several memories, learns them, or leaves out connections other than biases.
    """
    if layer.memories != 1 or layer.learned or {"hidden_kernel", "hidden_encoders"} - set(layer.connections):
        raise DesignError("blocks are for one memory that is not learned, with all kernels and encoders")
    length = max(b for b in range(1, LONGEST_BLOCK + 1) if steps % b == 0)
    system = Memory(layer.order, layer.theta, layer.dt, layer.method).system
    powers = [np.eye(layer.order)]
    for _ in range(length):
        powers.append(powers[-1] @ system.A.T)
    impulses = [system.B[:, 0] @ power for power in powers[:-1]]
    return Blocks(np.array(powers, dtype), np.array(impulses, dtype))


@dataclass(frozen=True, eq=False)
class _Tables:
    """What the weights make of the blocks; h and u side by side, H hidden units and one u.

    Attributes
    ----------
    step : (H + i + 1, H + 1) array
        From h before the step, x and 1.
    start : (n, b * (H + 1)) array
        From the memory before the block to every step of it.
    hidden : (b, H) array
        From u to the hidden units, the longest lag first.
    encoder : (b,) array
        From u to the u of later steps, the longest lag first.
    """

    step: np.ndarray
    start: np.ndarray
    hidden: np.ndarray
    encoder: np.ndarray


def _tables(blocks: Blocks, weights: Weights) -> _Tables:
    kernel, encoder = weights["memory_kernel"], weights["memory_encoders"]
    order, hidden = kernel.shape
    zero = np.zeros(hidden + 1, kernel.dtype)
    bias = np.append(weights.get("bias", zero[:hidden]), weights.get("memory_bias", zero[:1]))
    step = np.block(
        [
            [weights["hidden_kernel"], weights["hidden_encoders"]],
            [weights["input_kernel"], weights["input_encoders"]],
            [bias],
        ]
    )
    start = np.empty((order, blocks.steps, hidden + 1), kernel.dtype)
    # The hidden units of a step see the memory after it, u the one before.
    start[..., :hidden] = np.moveaxis(blocks.powers[1:] @ kernel, 0, 1)
    start[..., hidden:] = np.moveaxis(blocks.powers[:-1] @ encoder, 0, 1)
    backwards = blocks.impulses[::-1]
    return _Tables(step, start.reshape(order, -1), backwards @ kernel, (backwards @ encoder)[:, 0])


@dataclass(frozen=True, eq=False)
class _Run:
    """What a batch of c series has done, k blocks of b steps.

    Attributes
    ----------
    before : (k + 1, c, b, H + i + 1) array
        h before every step, x and 1; the last block only has h after the last step.
    memory : (k + 1, c, n) array
        Before every block, and after the last.
    u : (k, c, b) array
    """

    before: np.ndarray
    memory: np.ndarray
    u: np.ndarray

    def after(self, block: int, step: int, hidden: int) -> np.ndarray:
        """Give h after a step, (c, H), to read or to fill."""
        length = self.before.shape[2]
        return self.before[block + (step + 1) // length, :, (step + 1) % length, :hidden]


def _run(blocks: Blocks, tables: _Tables, x: np.ndarray, scratch: Scratch) -> _Run:
    count, length = x.shape[1] // blocks.steps, blocks.steps
    batch, inputs, dtype = len(x), x.shape[2], tables.step.dtype
    order, width = len(blocks.powers[0]), tables.step.shape[1]
    hidden = width - 1
    before = scratch.array("before", (count + 1, batch, length, len(tables.step)), dtype)
    memory = scratch.array("memory", (count + 1, batch, order), dtype)
    u = scratch.array("u", (count, batch, length), dtype)
    before[0, :, 0, :hidden], memory[0] = 0.0, 0.0
    before[:-1, ..., hidden : hidden + inputs] = np.moveaxis(x.reshape(batch, count, length, inputs), 0, 1)
    before[:-1, ..., -1] = 1.0
    found = _Run(before, memory, u)
    q, start = np.empty((batch, width), dtype), np.empty((batch, length * width), dtype)
    within = np.empty((batch, hidden), dtype)
    backwards = blocks.impulses[::-1]
    for block in range(count):
        np.matmul(memory[block], tables.start, out=start)
        inner = u[block]
        for step in range(length):
            np.matmul(before[block, :, step], tables.step, out=q)
            q += start[:, step * width : (step + 1) * width]
            inner[:, step] = q[:, hidden]
            if step:
                inner[:, step] += inner[:, :step] @ tables.encoder[length - step :]
            np.matmul(inner[:, : step + 1], tables.hidden[length - 1 - step :], out=within)
            within += q[:, :hidden]
            np.tanh(within, out=found.after(block, step, hidden))
        np.matmul(memory[block], blocks.powers[-1], out=memory[block + 1])
        memory[block + 1] += inner @ backwards
    return found


def logits(
    blocks: Blocks, weights: Weights, x: Float[np.ndarray, "c t i"], *, scratch: Scratch | None = None
) -> Float[np.ndarray, "c o"]:
    """Run series from rest; what the classes get after the last step.

    Parameters
    ----------
    blocks : Blocks
        Whose length divides the steps.
    weights : dict
        An LMU layer's (hidden units H, inputs i, order n), ``kernel`` (H, o) and ``classes`` (o,), all of one dtype.
    x : (c, t, i) array
    scratch : Scratch, optional
    """
    tables = _tables(blocks, weights)
    found = _run(blocks, tables, x, scratch or Scratch())
    hidden = tables.step.shape[1] - 1
    return found.before[-1, :, 0, :hidden] @ weights["kernel"] + weights["classes"]


def gradient(
    blocks: Blocks,
    weights: Weights,
    x: Float[np.ndarray, "c t i"],
    *,
    y: Int[np.ndarray, " c"],
    scratch: Scratch | None = None,
) -> tuple[float, Weights]:
    """Give the mean cross-entropy of a batch and its gradient, by name as ``weights``.

    Parameters
    ----------
    blocks, weights, x, scratch
        As of ``logits``.
    y : (c,) int array
        Classes, from 0.
    """
    scratch = scratch or Scratch()
    tables = _tables(blocks, weights)
    found = _run(blocks, tables, x, scratch)
    hidden = tables.step.shape[1] - 1
    last = found.before[-1, :, 0, :hidden]
    loss, error = cross_entropy(last @ weights["kernel"] + weights["classes"], y)
    output = {"kernel": last.T @ error, "classes": error.sum(axis=0)}
    each = _back(blocks, tables, found, error @ weights["kernel"].T, scratch)
    given = _weights_of(blocks, found, each, x.shape[2]) | output
    return loss, {name: given[name] for name in weights}


def _back(
    blocks: Blocks, tables: _Tables, found: _Run, of_h: np.ndarray, scratch: Scratch
) -> Float[np.ndarray, "k c b w"]:
    """Give the gradients by what goes into tanh and by u, of every step: (k, c, b, H + 1)."""
    count, batch, length = found.u.shape
    width = tables.step.shape[1]
    hidden, dtype = width - 1, tables.step.dtype
    each = scratch.array("each", (count, batch, length, width), dtype)
    backwards, recurrent = blocks.impulses[::-1].T, np.ascontiguousarray(tables.step[:hidden].T)
    of_h = of_h.copy()
    of_memory = np.zeros_like(found.memory[0])
    slope = np.empty((batch, hidden), dtype)
    for block in reversed(range(count)):
        of_u = of_memory @ backwards  # what the memory after the block gets from every u
        for step in reversed(range(length)):
            h, one = found.after(block, step, hidden), each[block, :, step]
            np.multiply(h, h, out=slope)
            np.subtract(1.0, slope, out=slope)
            np.multiply(of_h, slope, out=one[:, :hidden])
            of_u[:, : step + 1] += one[:, :hidden] @ tables.hidden[length - 1 - step :].T
            one[:, hidden] = of_u[:, step]
            if step:
                of_u[:, :step] += of_u[:, step : step + 1] * tables.encoder[length - step :]
            np.matmul(one, recurrent, out=of_h)
        of_memory = of_memory @ blocks.powers[-1].T
        of_memory += each[block].reshape(batch, -1) @ tables.start.T
    return each


def _weights_of(blocks: Blocks, found: _Run, each: np.ndarray, inputs: int) -> Weights:
    """Sum the gradients of all steps into those of the layer's weights."""
    length, width = each.shape[2:]
    hidden, order = width - 1, found.memory.shape[2]
    flat = each.reshape(-1, length * width)
    of_step = found.before[:-1].reshape(-1, found.before.shape[3]).T @ each.reshape(-1, width)
    of_start = (found.memory[:-1].reshape(-1, order).T @ flat).reshape(order, length, width)
    # [i, j]: u of step i with step j. Sums along diagonals are those by lag.
    cross = (found.u.reshape(-1, length).T @ flat).reshape(length, length, width)
    lags = range(length)
    by_hidden = np.array([np.trace(cross[..., :hidden], lag) for lag in lags])
    by_encoder = np.array([np.trace(cross[..., hidden], lag + 1) for lag in lags])
    powers = blocks.powers.reshape(-1, order)
    seen = np.moveaxis(of_start, 0, 1)
    kernel = powers[order:].T @ np.ascontiguousarray(seen[..., :hidden]).reshape(-1, hidden)
    encoder = powers[:-order].T @ np.ascontiguousarray(seen[..., hidden]).reshape(-1)
    return {
        "hidden_kernel": of_step[:hidden, :hidden],
        "hidden_encoders": of_step[:hidden, hidden:],
        "input_kernel": of_step[hidden : hidden + inputs, :hidden],
        "input_encoders": of_step[hidden : hidden + inputs, hidden:],
        "bias": of_step[-1, :hidden],
        "memory_bias": of_step[-1, hidden:],
        "memory_kernel": kernel + blocks.impulses.T @ by_hidden,
        "memory_encoders": (encoder + by_encoder @ blocks.impulses)[:, None],
    }
