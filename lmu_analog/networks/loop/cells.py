"""Whole cells of many circuits in the exact engine: memories, and weights as the strayed resistors make them.

A cell is that of ``networks.analog`` with arrays of resistors; its circuits are the mismatch samples that ngspice runs.
For a sum with conductances g into its amplifier, feedback R and balance, ideal amplifier:

    out = sum over plus of v g R (1/R + g_minus) / g_plus - sum over minus of v g R

where g_plus and g_minus are all conductances into either input. A pair's load sets what a tanh of 1 is. Otherwise pairs
and hold stages are ideal here, and so are the amplifiers of the sums.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Resistor
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.networks.analog.build import ONE, build_cell
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.sheet import Cell, Levels
from lmu_analog.networks.loop.forward import steps
from lmu_analog.networks.loop.memories import Arrays, Draws, Memories, held_memories, software
from lmu_analog.networks.weights import Weights


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of a layer, of many circuits.

    Attributes
    ----------
    arrays : Arrays
        The weights that the resistors of every circuit make.
    memories : Memories
    tanh : (s, hidden) array
        What each hidden unit gives for a tanh of 1.
    """

    arrays: Arrays
    memories: Memories
    tanh: Float[np.ndarray, "s h"]


def drawn_cells(weights: Weights, draws: Draws, options: CellOptions, *, x: np.ndarray) -> Cells:
    """Draw cells; the same circuits as ``networks.analog.run.compare`` runs with the same x, seed and samples.

    Parameters
    ----------
    weights : Weights
    draws : Draws
        Family ``active-rc``.
    options : CellOptions
        Sampled hidden units and arrays of resistors.
    x : (..., steps, inputs) array
        Its largest values set the cell's voltages.

    Raises
    ------
    DesignError
        If the options are others, or design and weights do not go together.
    """
    if options.hidden != "sampled" or options.arrays != "resistor":
        raise DesignError(
            "cells in the exact engine are sampled, with arrays of resistors; take those options"
        )
    batch = np.asarray(x, float).reshape(1, -1, *x.shape[-2:])
    largest = max(float(np.abs(step.drive).max()) for step in steps(weights, software(weights), batch))
    cell = build_cell(weights, draws.design, options, levels=Levels(float(np.abs(batch).max()), largest))
    law = Mismatch.of(draws.design)
    values = sample(cell.circuit, law, draw(cell.circuit, law, seed=draws.seed, samples=draws.samples))
    memory = build(draws.design.replace(scaling="l1"))  # as build_cell makes it
    each = np.stack([_values_of(memory, cell, values, j) for j in range(weights.memories)], axis=1)
    arrays, tanh = _Arrays(cell, values, memory).all(), _loads(cell, values)
    fed = {name: tanh[..., None] * getattr(arrays, name) for name in ("hidden_encoders", "hidden_kernel")}
    held = held_memories(memory, each, step=cell.step, volts=cell.volts.memory)
    return Cells(arrays._replace(**fed), held, tanh)


def _loads(cell: Cell, values: np.ndarray) -> np.ndarray:
    """Give the loads of the pairs over their nominal values, (s, hidden)."""
    at = {p.name: k for k, p in enumerate(cell.circuit.parameters)}
    loads = [at[f"Rt{k}_load"] for k in range(cell.weights.hidden)]
    return values[:, loads] / cell.circuit.values[loads]


def _values_of(memory: Circuit, cell: Cell, values: np.ndarray, j: int) -> np.ndarray:
    """Pick the values of one memory's parameters out of a cell's, (s, m)."""
    at = {p.name: k for k, p in enumerate(cell.circuit.parameters)}
    names = [f"{p.name[0]}m{j}_{p.name[1:]}" for p in memory.parameters]
    return values[:, [at[name] for name in names]]


class _Arrays:
    """Reads the weights of a cell back from values (s, m) of its parameters."""

    def __init__(self, cell: Cell, values: np.ndarray, memory: Circuit) -> None:
        self.cell, self.count = cell, len(values)
        at = {p.name: k for k, p in enumerate(cell.circuit.parameters)}
        self.sums: dict[str, dict[str, list[tuple[str, np.ndarray]]]] = {}
        for c in cell.circuit.components:
            if isinstance(c, Resistor) and (c.role.startswith(("sum ", "weight "))):
                out = next(n for n in (c.a, c.b) if n.endswith(("_minus", "_plus")))
                source = c.b if c.a == out else c.a
                name, _, side = out.rpartition("_")
                self.sums.setdefault(name, {}).setdefault(side, []).append(
                    (source, 1.0 / values[:, at[c.name]])
                )
        states = tuple(dict.fromkeys(term.of for probe in memory.probes for term in probe))
        readout = np.zeros((memory.order, len(states)))
        for i, probe in enumerate(memory.probes):
            for term in probe:
                readout[i, states.index(term.of)] += term.factor
        self.states, self.back = states, np.linalg.pinv(readout)

    def gains(self, out: str) -> dict[str, np.ndarray]:
        """Give V/V of every net at one sum's output, (s,) each."""
        minus, plus = self.sums[out]["minus"], self.sums[out].get("plus", [])
        feedback = next(g for net, g in minus if net == out)
        below, above = sum(g for _, g in minus), sum((g for _, g in plus), np.zeros(self.count))
        found = {net: -g / feedback for net, g in minus if net != out}
        return found | {net: g / feedback * below / above for net, g in plus}

    def row(self, out: str) -> list[np.ndarray]:
        """Give one sum's weights of inputs, hidden units, memories and bias, without unit, (s, n) each."""
        w, volts = self.cell.weights, self.cell.volts
        gains, unit = self.gains(out), volts.argument if out.startswith("p") else volts.memory

        def of(nets: list[str], scale: float) -> np.ndarray:
            return np.stack([gains.get(net, np.zeros(self.count)) for net in nets], axis=-1) * scale / unit

        memories = [
            of([f"m{j}_{net}" for net in self.states], volts.memory) @ self.back for j in range(w.memories)
        ]
        return [
            of([f"in{i}" for i in range(w.inputs)], volts.x),
            of([f"h{k}" for k in range(w.hidden)], volts.hidden),
            np.concatenate(memories, axis=-1),
            of([ONE], 1.0),
        ]

    def drive(self, j: int) -> list[np.ndarray]:
        """Give the weights of what drives memory j; what is held passes a gain of its own."""
        row = self.row(f"m{j}_u")
        if f"f{j}" in self.sums:
            row[2] = self.row(f"f{j}")[2] * self.gains(f"m{j}_u")[f"e{j}"][:, None]
        return row

    def all(self) -> Arrays:
        w = self.cell.weights
        drives, arguments = (
            [self.drive(j) for j in range(w.memories)],
            [self.row(f"p{k}") for k in range(w.hidden)],
        )
        of_u, of_p = ([np.stack(c, axis=-1) for c in zip(*rows, strict=True)] for rows in (drives, arguments))
        return Arrays(*of_u[:3], *of_p[:3], bias=of_p[3], memory_bias=of_u[3])


def run_cells(weights: Weights, cells: Cells, x: Float[np.ndarray, "b t i"]) -> Float[np.ndarray, "s b t h"]:
    """Give the hidden units of every cell."""
    found = steps(weights, cells.memories, np.asarray(x, float)[None], arrays=cells.arrays)
    return np.stack([step.hidden for step in found], axis=2) * cells.tanh[:, None, None]
