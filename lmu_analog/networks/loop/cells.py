"""Whole cells of many circuits in the exact engine: memories, and weights as resistors with mismatch make them.

A cell is that of ``networks.analog`` with arrays of resistors; its circuits are the mismatch samples that ngspice runs.
A pair's load sets what a tanh of 1 is. Otherwise pairs and hold stages are ideal here, and so are the amplifiers of the
sums.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.networks.analog.build import build_cell, made_weights
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.cell import Memories
from lmu_analog.networks.loop.forward import steps
from lmu_analog.networks.loop.memories import Draws, sampled_memories
from lmu_analog.networks.network import LMULayer, Weights


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a layer, of many circuits.

    Attributes
    ----------
    weights : Weights
        What the resistors of every circuit make, (s, ...) each, and biases (s, 1, ...).
    memories : Memories
    tanh : (s, hidden) array
        What each hidden unit gives for a tanh of 1.
    """

    weights: Weights
    memories: Memories
    tanh: Float[np.ndarray, "s h"]


def drawn_cells(layer: LMULayer, draws: Draws, options: CellOptions, *, x: np.ndarray) -> Cells:
    """Draw cells; the same circuits as ``networks.analog.run.compare`` runs with the same x, seed and samples.

    Parameters
    ----------
    layer : LMULayer
    draws : Draws
        Family ``active-rc``.
    options : CellOptions
        Sampled hidden units and arrays of resistors.
    x : (..., steps, inputs) array
        Its largest values set the cell's voltages.

    Raises
    ------
    DesignError
        If the options are others, or design and layer do not go together.
    """
    if options.hidden != "sampled" or options.arrays != "resistor":
        raise DesignError(
            "cells in the exact engine are sampled, with arrays of resistors; take those options"
        )
    batch = np.asarray(x, float).reshape(1, -1, *x.shape[-2:])
    largest_u = max(float(np.abs(step.drive).max()) for step in steps(layer, None, batch))
    largest_x = float(np.abs(batch).max())
    cell = build_cell(layer, draws.design, options, largest_x=largest_x, largest_u=largest_u)
    law = Mismatch.of(draws.design)
    values = sample(cell.circuit, law, draw(cell.circuit, law, seed=draws.seed, samples=draws.samples))
    column = {p.name: k for k, p in enumerate(cell.circuit.parameters)}
    own = [p.name for p in cell.memory_circuit.parameters]
    each = [[column[f"{name[0]}m{j}_{name[1:]}"] for name in own] for j in range(layer.memories)]
    memories = sampled_memories(cell.memory_circuit, values[:, each], step=cell.step, volts=cell.volts.memory)
    loads = [column[f"Rt{k}_load"] for k in range(layer.hidden)]
    tanh = values[:, loads] / cell.circuit.values[loads]
    weights = made_weights(cell, lambda part: values[:, column[part.name]])
    fed = {name: tanh[..., None] * getattr(weights, name) for name in ("hidden_encoders", "hidden_kernel")}
    return Cells(weights._replace(**fed), memories, tanh)


def run_cells(layer: LMULayer, cells: Cells, x: Float[np.ndarray, "b t i"]) -> Float[np.ndarray, "s b t h"]:
    """Give the hidden units of every cell."""
    found = steps(layer, cells.memories, np.asarray(x, float)[None], weights=cells.weights)
    return np.stack([step.hidden for step in found], axis=2) * cells.tanh[:, None, None]
