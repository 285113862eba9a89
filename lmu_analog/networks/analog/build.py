"""The circuit of a cell: memories, sums with weights, pairs and hold stages on one sheet.

Nets: ``in0``, ... the inputs; ``m0_u``, ... what drives each memory; ``p0``, ... the arguments of tanh; ``t0``, ...
its values; ``h0``, ... the hidden units; ``e0``, ... what a memory is fed back; ``one`` the reference of biases, 1 V.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lmu_analog.building import build, full_swing
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Component, Supply, Switch
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rules import check
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.networks.analog.arrays import Weighted, weighted_sum
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.sheet import NETS, Cell, Levels, Volts, renamed
from lmu_analog.networks.analog.units import Pair, follower, held, lag, pair, supplies
from lmu_analog.networks.weights import Weights

ONE = "one"  # net of 1 V


def build_cell(weights: Weights, design: Design, options: CellOptions, *, levels: Levels) -> Cell:
    """Make the circuit of a cell from trained weights.

    Parameters
    ----------
    weights : Weights
    design : Design
        Of the memories; its theta, s, is the weights' theta, which sets the time of a step, and its op-amp
        serves the whole cell.
    options : CellOptions
    levels : Levels
        The design's amplitude is for these; the memories' states stay within the rails for any such input.

    Raises
    ------
    DesignError
        If design and weights do not go together: the order, a family that no cell is made of, trained A and B.
    """
    _check(weights, design, options)
    board = _Board(weights, design.replace(scaling="l1"), options, levels)
    circuit = board.circuit()
    labels = [f"h{k}" for k in range(weights.hidden)]
    labels += [f"m{j}_{i}" for j in range(weights.memories) for i in range(weights.order)]
    extracted = extract(board.memory)
    offset = None if extracted.offset is None else extracted.offset / board.volts.memory
    return Cell(
        circuit=circuit,
        labels=tuple(labels),
        weights=board.realised(),
        memory=replace(extracted, offset=offset),
        step=board.step,
        volts=board.volts,
        options=options,
    )


def _check(weights: Weights, design: Design, options: CellOptions) -> None:
    if design.order != weights.order:
        raise DesignError(
            f"the design has order {design.order}, the weights {weights.order}; they must agree"
        )
    if weights.A is not None:
        raise DesignError("the weights have A and B of their own; circuits are of the Legendre memory alone")
    if FAMILIES[design.family].cell == "none":
        known = ", ".join(name for name, row in FAMILIES.items() if row.cell != "none")
        raise DesignError(f"no cell is made of {design.family}; known are {known}")
    if FAMILIES[design.family].cell == "loaded" and options.arrays == "resistor":
        raise DesignError(
            f"resistors would load the states of {design.family}; take arrays of transconductors (ota)"
        )
    if design.level == "transistor":
        raise DesignError("[circuit] level: memories of a cell are behavioural; leave it out")
    if not np.any(weights.input_encoders) and not np.any(weights.input_kernel):
        raise DesignError("input_encoders and input_kernel are all zero; the cell has no input")


@dataclass(frozen=True, eq=False)
class _Board:
    """Writes the components of a cell."""

    weights: Weights
    design: Design
    options: CellOptions
    levels: Levels

    @cached_property
    def memory(self) -> Circuit:
        """The circuit of one memory."""
        return build(self.design)

    @cached_property
    def step(self) -> float:
        return self.design.theta * self.weights.dt / self.weights.theta

    @cached_property
    def pair(self) -> Pair:
        return pair(self.options.activation, full_swing(self.design))

    @cached_property
    def volts(self) -> Volts:
        amplitude, levels = self.design.amplitude, self.levels
        return Volts(
            x=amplitude / levels.x if levels.x else amplitude,
            memory=amplitude / levels.u if levels.u else amplitude,
            hidden=self.pair.unit_out,
            argument=self.pair.unit_in,
        )

    @cached_property
    def states(self) -> tuple[str, ...]:
        """Nets that a memory's probes read."""
        return tuple(dict.fromkeys(term.of for probe in self.memory.probes for term in probe))

    @cached_property
    def readout(self) -> np.ndarray:
        """Legendre state for one volt of each of these nets, (order, nets)."""
        rows = np.zeros((len(self.memory.probes), len(self.states)))
        for i, probe in enumerate(self.memory.probes):
            for term in probe:
                rows[i, self.states.index(term.of)] += term.factor
        return rows

    @cached_property
    def sums(self) -> "dict[str, _Sum]":
        """All sums of the cell by the net that carries them."""
        w, volts = self.weights, self.volts
        fed, sampled = bool(np.any(w.memory_encoders)), self.options.hidden == "sampled"
        made: dict[str, _Sum] = {}
        for j in range(w.memories):
            feedback = w.memory_encoders[:, j]
            own = np.zeros_like(feedback) if sampled else feedback
            rows = (w.input_encoders[:, j], w.hidden_encoders[:, j], own, np.asarray(w.memory_bias)[j])
            made[f"m{j}_u"] = self._sum(f"m{j}_u", rows, volts.memory, [f"e{j}"] if fed and sampled else [])
            if fed and sampled:
                nothing = (np.zeros(w.inputs), np.zeros(w.hidden), feedback, 0.0)
                made[f"f{j}"] = self._sum(f"f{j}", nothing, volts.memory, [])
        for k in range(w.hidden):
            rows = (w.input_kernel[:, k], w.hidden_kernel[:, k], w.memory_kernel[:, k], np.asarray(w.bias)[k])
            made[f"p{k}"] = self._sum(f"p{k}", rows, volts.argument, [])
        return made

    def _sum(self, out: str, rows: "_Rows", unit: float, held_back: list[str]) -> "_Sum":
        """Add inputs, hidden units, memories and bias, and nets that carry the same unit with weight 1."""
        w, volts = self.weights, self.volts
        of_x, of_h, of_m, bias = rows
        blocks = of_m.reshape(w.memories, w.order) @ self.readout
        inputs = [Weighted(f"in{i}", v * unit / volts.x, f"{out}_in{i}") for i, v in enumerate(of_x)]
        inputs += [Weighted(f"h{k}", v * unit / volts.hidden, f"{out}_h{k}") for k, v in enumerate(of_h)]
        inputs += [
            Weighted(f"m{j}_{net}", v * unit / volts.memory, f"{out}_m{j}_{net}")
            for j, block in enumerate(blocks)
            for net, v in zip(self.states, block, strict=True)
        ]
        inputs.append(Weighted(ONE, float(bias) * unit, f"{out}_one"))
        inputs += [Weighted(net, 1.0, f"{out}_{net}") for net in held_back]
        tail = out.endswith("_u") and FAMILIES[self.design.family].cell == "stiff"
        made = weighted_sum(out, inputs, self.options, opamp=self.design.opamp_model, tail=tail)
        return _Sum(made.components, np.array(made.weights), unit)

    def circuit(self) -> Circuit:
        """Put all parts on one sheet."""
        w, opamp, sampled = self.weights, self.design.opamp_model, self.options.hidden == "sampled"
        parts: list[Component] = [c for made in self.sums.values() for c in made.components]
        for j in range(w.memories):
            parts += [renamed(c, f"m{j}_") for c in self.memory.components]
            if f"f{j}" in self.sums:
                parts += held(f"e{j}", (f"f{j}", f"e{j}"), opamp, step=self.step)
        for k in range(w.hidden):
            buffered = sampled or self.options.arrays == "resistor"
            bent = f"t{k}" if buffered else f"h{k}"
            parts += self.pair.components(f"t{k}", f"p{k}", bent)
            if sampled:
                parts += held(f"h{k}", (bent, f"h{k}"), opamp, step=self.step)
            else:
                parts.append(lag(f"t{k}", bent, load=self.pair.load, step=self.step))
                parts += [follower(f"h{k}", (bent, f"h{k}"), opamp)] if buffered else []
        parts += supplies(self.options.activation, self.design.supply)
        source, sources = self._sources(parts)
        named = f"memories {self.design.realization}, hidden units {self.options.hidden}"
        probes = (*self._hidden_probes(), *self._memory_probes())
        clock = 1.0 / self.step if sampled else None
        whole = (*parts, *sources)
        # A hold stage's capacitor is behind open switches at the start, where an input current would have its way.
        rest = tuple((c.b, 0.0) for c in parts if isinstance(c, Switch))
        return check(Circuit("lmu-cell", named, self.design.theta, whole, probes, source, None, clock, rest))

    def _sources(self, parts: list[Component]) -> tuple[str, list[Component]]:
        """Give the net of the first input, and sources for the others and the reference, as far as used."""
        used = {getattr(c, name, "") for c in parts for name in NETS}
        inputs = [f"in{i}" for i in range(self.weights.inputs) if f"in{i}" in used]
        if not inputs:
            raise DesignError(
                "the cell has no input: weights of input_encoders and input_kernel vanish beside the others; "
                "train the network anew"
            )
        found: list[Component] = [Supply(f"V{net}", net, GROUND, 0.0, "input") for net in inputs[1:]]
        if ONE in used:
            found.append(Supply("Vone", ONE, GROUND, 1.0, "reference"))
        return inputs[0], found

    def _hidden_probes(self) -> list[tuple[Term, ...]]:
        return [(Term("v", f"h{k}", 1.0 / self.volts.hidden),) for k in range(self.weights.hidden)]

    def _memory_probes(self) -> list[tuple[Term, ...]]:
        return [
            tuple(Term("v", f"m{j}_{t.of}", t.factor / self.volts.memory) for t in probe)
            for j in range(self.weights.memories)
            for probe in self.memory.probes
        ]

    def realised(self) -> Weights:
        """Read the weights back from the sums."""
        w, volts, back = self.weights, self.volts, np.linalg.pinv(self.readout)
        sizes = np.cumsum([w.inputs, w.hidden, w.memories * len(self.states), 1])

        def parts(name: str) -> list[np.ndarray]:
            made = self.sums[name]
            of_x, of_h, of_m, bias, _ = np.split(made.weights / made.unit, sizes)
            states = of_m.reshape(w.memories, -1) @ back
            return [of_x * volts.x, of_h * volts.hidden, states.ravel() * volts.memory, bias]

        drives = [parts(f"m{j}_u") for j in range(w.memories)]
        for j, drive in enumerate(drives):
            if f"f{j}" in self.sums:
                # What is held passes the weight 1 of the sum that it goes into, as its values make it.
                passed = float(self.sums[f"m{j}_u"].weights[-1])
                drive[2] = parts(f"f{j}")[2] * passed
        arguments = [parts(f"p{k}") for k in range(w.hidden)]
        of_drive, of_argument = ([np.stack(c, -1) for c in zip(*s, strict=True)] for s in (drives, arguments))
        return replace(
            w,
            input_encoders=of_drive[0],
            hidden_encoders=of_drive[1],
            memory_encoders=of_drive[2],
            memory_bias=of_drive[3][0],
            input_kernel=of_argument[0],
            hidden_kernel=of_argument[1],
            memory_kernel=of_argument[2],
            bias=of_argument[3][0],
        )


_Rows = tuple[np.ndarray, np.ndarray, np.ndarray, float]  # inputs, hidden units, memories, bias


@dataclass(frozen=True, eq=False)
class _Sum:
    """A sum: its parts, its weights in V/V, and the volts that stand for 1 at its output."""

    components: tuple[Component, ...]
    weights: np.ndarray
    unit: float
