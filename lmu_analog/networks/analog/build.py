"""The circuit of a cell: memories, sums with weights, pairs and hold stages on one sheet.

Nets: ``in0``, ... the inputs; ``m0_u``, ... what drives each memory; ``p0``, ... the arguments of tanh; ``t0``, ...
its values; ``h0``, ... the hidden units; ``e0``, ... what a memory is fed back; ``one`` the reference of biases, 1 V.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from lmu_analog.building import build, full_swing
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Component, Supply, Switch
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rules import check
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.networks.analog.arrays import Weighted, gains, weighted_sum
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.sheet import NETS, Cell, Levels, Volts, renamed
from lmu_analog.networks.analog.units import Pair, follower, lag, pair, sample_and_hold, supplies
from lmu_analog.networks.network import LMULayer, Weights

ONE = "one"  # net of 1 V


def build_cell(layer: LMULayer, design: Design, options: CellOptions, *, levels: Levels) -> Cell:
    """Make the circuit of a cell from a trained layer.

    Parameters
    ----------
    layer : LMULayer
        With weights.
    design : Design
        Of the memories; its theta, s, is the layer's theta, which sets the time of a step, and its op-amp
        serves the whole cell.
    options : CellOptions
    levels : Levels
        The design's amplitude is for these; the memories' states stay within the rails for any such input.

    Raises
    ------
    DesignError
        If design and layer do not go together: the order, a family that no cell is made of, trained A and B.
    """
    _check(layer, design, options)
    builder = _Builder(layer, design.replace(scaling="l1"), options, levels)
    labels = [f"h{k}" for k in range(layer.hidden)]
    labels += [f"m{j}_{i}" for j in range(layer.memories) for i in range(layer.order)]
    extracted, volts = extract(builder.memory), builder.volts
    cell = Cell(
        circuit=builder.circuit(),
        labels=tuple(labels),
        layer=layer,
        memory=replace(
            extracted, offset=None if extracted.offset is None else extracted.offset / volts.memory
        ),
        memory_circuit=builder.memory,
        sums=builder.sums,
        step=builder.step,
        volts=volts,
        options=options,
    )
    made = made_weights(cell)
    given = {
        name: array.reshape(np.shape(getattr(layer.arrays, name))) for name, array in made._asdict().items()
    }
    own = layer.weights or {}
    return replace(cell, layer=replace(layer, weights={name: given.get(name, own[name]) for name in own}))


def made_weights(cell: Cell, value: Callable[[Component], np.ndarray] | None = None) -> Weights:
    """Give the weights that values of a cell's parts make, of many circuits at once: (s, ...), biases (s, 1, ...).

    Parameters
    ----------
    cell : Cell
    value : callable, optional
        Gives values (s,) of a component in SI units; its own value, without the axis of circuits, unless given.
    """
    w, volts = cell.layer, cell.volts
    found = {out: gains(parts, out, value) for out, parts in cell.sums.items()}
    states, readout = _read_nets(cell.memory_circuit)
    back = np.linalg.pinv(readout)
    nothing = np.zeros_like(next(gain for sums in found.values() for gain in sums.values()))

    def row(out: str, unit: float) -> list[np.ndarray]:
        """Give one sum's weights of inputs, hidden units, memories and bias, without unit, (..., n) each."""

        def of(nets: list[str], scale: float) -> np.ndarray:
            gain = [found[out].get(net, nothing) for net in nets] or [nothing[..., :0]]
            return np.stack(gain, axis=-1) * scale / unit

        memories = [of([f"m{j}_{net}" for net in states], volts.memory) @ back for j in range(w.memories)]
        return [
            of([f"in{i}" for i in range(w.inputs)], volts.x),
            of([f"h{k}" for k in range(w.hidden)], volts.hidden),
            np.concatenate(memories, axis=-1),
            of([ONE], 1.0),
        ]

    drives = [row(f"m{j}_u", volts.memory) for j in range(w.memories)]
    for j, drive in enumerate(drives):
        if f"f{j}" in cell.sums:
            # The held value passes through the sum that it goes into, with a gain of about 1.
            passed = found[f"m{j}_u"][f"e{j}"]
            drive[2] = row(f"f{j}", volts.memory)[2] * passed[..., None]
    arguments = [row(f"p{k}", volts.argument) for k in range(w.hidden)]
    of_u, of_p = ([np.stack(c, axis=-1) for c in zip(*rows, strict=True)] for rows in (drives, arguments))
    return Weights(*of_u[:3], *of_p[:3], bias=of_p[3], memory_bias=of_u[3])


def _read_nets(memory: Circuit) -> tuple[tuple[str, ...], np.ndarray]:
    """Give the nets that a memory's probes read, and the Legendre states for one volt of each, (order, nets)."""
    states = tuple(dict.fromkeys(term.of for probe in memory.probes for term in probe))
    readout = np.zeros((len(memory.probes), len(states)))
    for i, probe in enumerate(memory.probes):
        for term in probe:
            readout[i, states.index(term.of)] += term.factor
    return states, readout


def _check(layer: LMULayer, design: Design, options: CellOptions) -> None:
    if design.order != layer.order:
        raise DesignError(f"the design has order {design.order}, the weights {layer.order}; they must agree")
    if layer.own_matrices:
        raise DesignError("the weights have A and B of their own; circuits are of the Legendre memory alone")
    if not layer.hidden:
        raise DesignError("the weights have no hidden units; the memory alone is a circuit of the design")
    if FAMILIES[design.family].cell == "none":
        known = ", ".join(name for name, row in FAMILIES.items() if row.cell != "none")
        raise DesignError(f"no cell is made of {design.family}; known are {known}")
    if FAMILIES[design.family].cell == "loaded" and options.arrays == "resistor":
        raise DesignError(
            f"resistors would load the states of {design.family}; take arrays of transconductors (ota)"
        )
    if design.level == "transistor":
        raise DesignError("[circuit] level: memories of a cell are behavioural; leave it out")
    if not np.any(layer.arrays.input_encoders) and not np.any(layer.arrays.input_kernel):
        raise DesignError("input_encoders and input_kernel are all zero; the cell has no input")


@dataclass(frozen=True, eq=False)
class _Builder:
    """Writes the components of a cell."""

    layer: LMULayer
    design: Design
    options: CellOptions
    levels: Levels

    @cached_property
    def memory(self) -> Circuit:
        """The circuit of one memory."""
        return build(self.design)

    @cached_property
    def step(self) -> float:
        return self.design.theta * self.layer.dt / self.layer.theta

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
    def sums(self) -> dict[str, tuple[Component, ...]]:
        """All sums of the cell, by their nets."""
        w, fed = self.layer.arrays, bool(np.any(self.layer.arrays.memory_encoders))
        sampled = self.options.hidden == "sampled"
        made: dict[str, tuple[Component, ...]] = {}
        for j in range(self.layer.memories):
            rows = _Rows(
                w.input_encoders[:, j], w.hidden_encoders[:, j], w.memory_encoders[:, j], w.memory_bias[j]
            )
            if sampled and fed:
                # The feedback is that of the step before: it has a sum of its own, which is sampled and held.
                nothing = _Rows(*(0.0 * row for row in rows))
                own = rows._replace(memories=nothing.memories)
                made[f"m{j}_u"] = self._sum(f"m{j}_u", own, self.volts.memory, held_back=[f"e{j}"])
                made[f"f{j}"] = self._sum(
                    f"f{j}", nothing._replace(memories=rows.memories), self.volts.memory
                )
            else:
                made[f"m{j}_u"] = self._sum(f"m{j}_u", rows, self.volts.memory)
        for k in range(self.layer.hidden):
            rows = _Rows(w.input_kernel[:, k], w.hidden_kernel[:, k], w.memory_kernel[:, k], w.bias[k])
            made[f"p{k}"] = self._sum(f"p{k}", rows, self.volts.argument)
        return made

    def _sum(
        self, out: str, rows: "_Rows", unit: float, held_back: list[str] | None = None
    ) -> tuple[Component, ...]:
        """Add inputs, hidden units, memories and bias, and nets that have the same unit with weight 1."""
        volts, (states, readout) = self.volts, _read_nets(self.memory)
        blocks = rows.memories.reshape(self.layer.memories, self.layer.order) @ readout
        inputs = [Weighted(f"in{i}", v * unit / volts.x, f"{out}_in{i}") for i, v in enumerate(rows.inputs)]
        inputs += [
            Weighted(f"h{k}", v * unit / volts.hidden, f"{out}_h{k}") for k, v in enumerate(rows.hidden)
        ]
        inputs += [
            Weighted(f"m{j}_{net}", v * unit / volts.memory, f"{out}_m{j}_{net}")
            for j, block in enumerate(blocks)
            for net, v in zip(states, block, strict=True)
        ]
        inputs.append(Weighted(ONE, float(rows.bias) * unit, f"{out}_one"))
        inputs += [Weighted(net, 1.0, f"{out}_{net}") for net in held_back or ()]
        tail = out.endswith("_u") and FAMILIES[self.design.family].cell == "stiff"
        return weighted_sum(out, inputs, self.options, opamp=self.design.opamp_model, tail=tail).components

    def circuit(self) -> Circuit:
        """Put all parts on one sheet."""
        w, opamp, sampled = self.layer, self.design.opamp_model, self.options.hidden == "sampled"
        parts: list[Component] = [c for made in self.sums.values() for c in made]
        for j in range(w.memories):
            parts += [renamed(c, f"m{j}_") for c in self.memory.components]
            if f"f{j}" in self.sums:
                parts += sample_and_hold(f"e{j}", (f"f{j}", f"e{j}"), opamp, step=self.step)
        for k in range(w.hidden):
            buffered = sampled or self.options.arrays == "resistor"
            driven = f"t{k}" if buffered else f"h{k}"
            parts += self.pair.components(f"t{k}", f"p{k}", driven)
            if sampled:
                parts += sample_and_hold(f"h{k}", (driven, f"h{k}"), opamp, step=self.step)
            else:
                parts.append(lag(f"t{k}", driven, load=self.pair.load, step=self.step))
                parts += [follower(f"h{k}", (driven, f"h{k}"), opamp)] if buffered else []
        parts += supplies(self.options.activation, self.design.supply)
        used = {getattr(c, name, "") for c in parts for name in NETS}
        inputs = [f"in{i}" for i in range(w.inputs) if f"in{i}" in used]
        if not inputs:
            raise DesignError(
                "the cell has no input: weights of input_encoders and input_kernel vanish beside the others; "
                "train the network anew"
            )
        # The first input is the circuit's own source; the others and the reference are there as far as used.
        parts += [Supply(f"V{net}", net, GROUND, 0.0, "input") for net in inputs[1:]]
        parts += [Supply("Vone", ONE, GROUND, 1.0, "reference")] if ONE in used else []
        probes = [(Term("v", f"h{k}", 1.0 / self.volts.hidden),) for k in range(w.hidden)]
        probes += [
            tuple(Term("v", f"m{j}_{t.of}", t.factor / self.volts.memory) for t in probe)
            for j in range(w.memories)
            for probe in self.memory.probes
        ]
        named = f"memories {self.design.realization}, hidden units {self.options.hidden}"
        clock = 1.0 / self.step if sampled else None
        # A hold stage's capacitor is behind open switches at the start, where an input current would have its way.
        initial = tuple((c.b, 0.0) for c in parts if isinstance(c, Switch))
        theta = self.design.theta
        return check(
            Circuit("lmu-cell", named, theta, tuple(parts), tuple(probes), inputs[0], None, clock, initial)
        )


class _Rows(NamedTuple):
    """Weights of one sum: of inputs, hidden units and memories, and the bias."""

    inputs: np.ndarray
    hidden: np.ndarray
    memories: np.ndarray
    bias: np.ndarray
