"""The circuit of a cell: memories, sums with weights, pairs and hold stages on one sheet.

Nets: ``in0``, ... the inputs; ``m0_u``, ... what drives each memory; ``p0``, ... the arguments of tanh; ``t0``, ...
its values; ``h0``, ... the hidden units; ``e0``, ... what a memory is fed back; ``one`` the reference of biases, 1 V.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from lmu_analog.building import build, full_swing
from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Capacitor, Component, Supply, Switch
from lmu_analog.circuits.families.ota import rails
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rules import check
from lmu_analog.design import INTERFACE, Design
from lmu_analog.design_keys import KEYS
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.networks.analog.arrays import Weighted, gains, weighted_sum
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.units import TAIL, follower, pair, sample_and_hold
from lmu_analog.networks.network import LMULayer, Weights

ONE = "one"  # net of 1 V
_NETS = {"a", "b", "out", "plus", "minus", "drain", "gate", "source", "bulk"}  # fields that name a net


@dataclass(frozen=True)
class Volts:
    """Volts that stand for 1 in the network: of inputs, memories, hidden units and arguments of tanh."""

    x: float
    memory: float
    hidden: float
    argument: float


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell as a circuit.

    Attributes
    ----------
    circuit : Circuit
        Its probes give the hidden units, then the Legendre states of every memory, without unit.
    labels : tuple of str
        Names of the probes: h0, ..., m0_0, ...
    layer : LMULayer
        With the weights that the values of the parts make.
    memory : StateSpace
        Of one memory's circuit, from u to the Legendre states, in s.
    memory_circuit : Circuit
        Of one memory.
    sums : dict of tuple of Component
        The weighted sums, by their nets.
    step : float, s
    volts : Volts
    options : CellOptions
    """

    circuit: Circuit
    labels: tuple[str, ...]
    layer: LMULayer
    memory: StateSpace
    memory_circuit: Circuit
    sums: dict[str, tuple[Component, ...]]
    step: float
    volts: Volts
    options: CellOptions


def build_cell(
    layer: LMULayer, design: Design, options: CellOptions, *, largest_x: float, largest_u: float
) -> Cell:
    """Make the circuit of a cell from a trained layer.

    Parameters
    ----------
    layer : LMULayer
        With weights.
    design : Design
        Of the memories; its theta, s, is the layer's theta, which sets the time of a step, and its op-amp
        serves the whole cell.
    options : CellOptions
    largest_x, largest_u : float
        Largest absolute values of all inputs, and of what drives the memories. The design's amplitude is for these;
        the memories' states stay within the rails for any such input.

    Raises
    ------
    DesignError
        If design and layer do not go together: the order, a family that no cell is made of, trained A and B.
    """
    _check(layer, design, options)
    design = design.replace(scaling="l1")
    memory, step, opamp = build(design), design.theta * layer.dt / layer.theta, design.opamp_model
    sampled = options.hidden == "sampled"
    tanh = pair(options.activation, full_swing(design))
    volts = Volts(
        x=design.amplitude / (largest_x or 1.0),
        memory=design.amplitude / (largest_u or 1.0),
        hidden=tanh.unit_out,
        argument=tanh.unit_in,
    )
    sums = _sums(layer, design, options, memory=memory, volts=volts)
    parts: list[Component] = [c for made in sums.values() for c in made]
    for j in range(layer.memories):
        parts += [_renamed(c, f"m{j}_") for c in memory.components]
        if f"f{j}" in sums:
            parts += sample_and_hold(f"e{j}", (f"f{j}", f"e{j}"), opamp, step=step)
    for k in range(layer.hidden):
        buffered = sampled or options.arrays == "resistor"
        driven = f"t{k}" if buffered else f"h{k}"
        parts += tanh.components(f"t{k}", f"p{k}", driven)
        if sampled:
            parts += sample_and_hold(f"h{k}", (driven, f"h{k}"), opamp, step=step)
        else:
            # With the load of the pair it makes a first-order lag of one step.
            parts.append(Capacitor(f"Ct{k}", driven, GROUND, step / tanh.load, f"lag t{k}"))
            parts += [follower(f"h{k}", (driven, f"h{k}"), opamp)] if buffered else []
    if options.activation == "transistor":  # they need rails, and a bias that all tails have in common
        parts += rails(design.supply, TAIL)
    used = {getattr(c, name, "") for c in parts for name in _NETS}
    inputs = [f"in{i}" for i in range(layer.inputs) if f"in{i}" in used]
    if not inputs:
        raise DesignError(
            "the cell has no input: weights of input_encoders and input_kernel vanish beside the others; "
            "train the network anew"
        )
    # The first input is the circuit's own source; the others and the reference are there as far as used.
    parts += [Supply(f"V{net}", net, GROUND, 0.0, "input") for net in inputs[1:]]
    parts += [Supply("Vone", ONE, GROUND, 1.0, "reference")] if ONE in used else []
    probes: dict[str, tuple[Term, ...]] = {}
    for k in range(layer.hidden):
        probes[f"h{k}"] = (Term("v", f"h{k}", 1.0 / volts.hidden),)
    for j in range(layer.memories):
        for i, probe in enumerate(memory.probes):
            probes[f"m{j}_{i}"] = tuple(Term("v", f"m{j}_{t.of}", t.factor / volts.memory) for t in probe)
    named = f"memories {design.realization}, hidden units {options.hidden}"
    clock = 1.0 / step if sampled else None
    # A hold stage's capacitor is behind open switches at the start, where an input current would have its way.
    initial = tuple((c.b, 0.0) for c in parts if isinstance(c, Switch))
    circuit = Circuit(
        "lmu-cell", named, design.theta, tuple(parts), tuple(probes.values()), inputs[0], None, clock, initial
    )
    system = extract(memory)
    offset = None if system.offset is None else system.offset / volts.memory
    cell = Cell(
        circuit=check(circuit),
        labels=tuple(probes),
        layer=layer,
        memory=replace(system, offset=offset),
        memory_circuit=memory,
        sums=sums,
        step=step,
        volts=volts,
        options=options,
    )
    made = {
        name: array.reshape(np.shape(getattr(layer.arrays, name)))
        for name, array in made_weights(cell)._asdict().items()
    }
    own = layer.weights or {}
    return replace(cell, layer=replace(layer, weights={name: made.get(name, own[name]) for name in own}))


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
    for key, none in INTERFACE.items():
        if getattr(design, key) != none:
            raise DesignError(f"{KEYS[key].label}: memories of a cell are within it; leave it out")
    if design.level == "transistor":
        raise DesignError("[circuit] level: memories of a cell are behavioural; leave it out")
    if not np.any(layer.arrays.input_encoders) and not np.any(layer.arrays.input_kernel):
        raise DesignError("input_encoders and input_kernel are all zero; the cell has no input")


def _sums(
    layer: LMULayer, design: Design, options: CellOptions, *, memory: Circuit, volts: Volts
) -> dict[str, tuple[Component, ...]]:
    """Make all sums of a cell, by their nets."""
    w, (states, readout) = layer.arrays, _read_nets(memory)
    input_nets = [f"in{i}" for i in range(layer.inputs)]
    hidden_nets = [f"h{k}" for k in range(layer.hidden)]
    memory_nets = [f"m{j}_{net}" for j in range(layer.memories) for net in states]

    def added(
        out: str, unit: float, *groups: tuple[Sequence[str], Sequence[float] | np.ndarray, float]
    ) -> tuple[Component, ...]:
        """Add groups of nets: names, weights without unit, and the volts that stand for 1 there; in ``unit``, V."""
        inputs = [
            Weighted(net, float(weight) * unit / one, f"{out}_{net}")
            for nets, weights, one in groups
            for net, weight in zip(nets, weights, strict=True)
        ]
        tail = out.endswith("_u") and FAMILIES[design.family].cell == "stiff"
        return weighted_sum(out, inputs, options, opamp=design.opamp_model, tail=tail)

    def of_memories(weights: np.ndarray) -> tuple[Sequence[str], np.ndarray, float]:
        return memory_nets, (weights.reshape(layer.memories, layer.order) @ readout).ravel(), volts.memory

    sums: dict[str, tuple[Component, ...]] = {}
    for j in range(layer.memories):
        drive = f"m{j}_u"
        inputs = (input_nets, w.input_encoders[:, j], volts.x)
        hidden = (hidden_nets, w.hidden_encoders[:, j], volts.hidden)
        memories, bias = of_memories(w.memory_encoders[:, j]), ([ONE], w.memory_bias[j : j + 1], 1.0)
        if options.hidden == "sampled" and np.any(w.memory_encoders):
            # The feedback is that of the step before: it has a sum of its own, which is sampled and held.
            held = ([f"e{j}"], [1.0], volts.memory)
            sums[drive] = added(drive, volts.memory, inputs, hidden, bias, held)
            sums[f"f{j}"] = added(f"f{j}", volts.memory, memories)
        else:
            sums[drive] = added(drive, volts.memory, inputs, hidden, memories, bias)
    for k in range(layer.hidden):
        sums[f"p{k}"] = added(
            f"p{k}",
            volts.argument,
            (input_nets, w.input_kernel[:, k], volts.x),
            (hidden_nets, w.hidden_kernel[:, k], volts.hidden),
            of_memories(w.memory_kernel[:, k]),
            ([ONE], w.bias[k : k + 1], 1.0),
        )
    return sums


def _renamed(component: Component, prefix: str) -> Component:
    """Put a memory's part on the cell's sheet: its name and nets begin with ``prefix``, u included."""
    changes = {
        f.name: f"{prefix}{getattr(component, f.name)}"
        for f in fields(component)
        if f.name in _NETS and getattr(component, f.name) != GROUND
    }
    return replace(component, name=f"{component.name[0]}{prefix}{component.name[1:]}", **changes)
