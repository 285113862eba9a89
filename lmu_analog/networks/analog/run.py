"""A cell's circuit in ngspice, and beside the network that it is made from."""

import time
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.components import (
    GROUND,
    Capacitor,
    Mosfet,
    OpAmp,
    Resistor,
    Supply,
    Switch,
    Transconductor,
)
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.statespace import StateSpace, first_order_hold
from lmu_analog.mismatch.law import Mismatch, check_index, check_seed, draw
from lmu_analog.mismatch.law import sample as drawn_values
from lmu_analog.networks.analog.build import ONE, Cell, build_cell
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.cell import LMU, State, hidden_units, memory_input
from lmu_analog.networks.network import LMULayer
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Transient
from lmu_analog.spice.driven import driven_deck

Engine = Literal["exact", "ngspice"]
EDGE = 2e-3  # of a step: how long an input takes to its next value
POINTS = 50.0  # of ngspice in a step: hold stages have settled, and the memory moves little
_READ_AT = 0.75  # of the next step: when a hidden unit that is held is read
_MOST_STEPS = 1_000_000
TONES = 8  # of a test signal
_SUBSTEPS = 100  # of a step, in continuous time: the error of the second-order rule is some 1e-5
KINDS = {
    "resistors": Resistor,
    "capacitors": Capacitor,
    "opamps": OpAmp,
    "transconductors": Transconductor,
    "transistors": Mosfet,
    "switches": Switch,
}


@dataclass(frozen=True, eq=False)
class Comparison:
    """A cell beside its network, on one input.

    Attributes
    ----------
    cell : Cell
    states : State
        Of the circuit, without unit: hidden (steps, hidden) and memory (steps, memories, order).
    nrmse : float
        Hidden units against the cell with the given weights and ideal memories, rms over the run and all units
        over its rms: the layer itself for sampled hidden units, its differential equation for continuous ones.
    memory_nrmse : float
        The same of the memories.
    layer_nrmse : float
        Hidden units against the layer.
    model_nrmse : float
        Hidden units against the cell with the weights and memories that the parts make.
    seconds : float
        Of the engine.
    """

    cell: Cell
    states: State
    nrmse: float
    memory_nrmse: float
    layer_nrmse: float
    model_nrmse: float
    seconds: float


def compare(
    layer: LMULayer,
    design: Design,
    options: CellOptions,
    *,
    x: np.ndarray,
    engine: Engine = "ngspice",
    sample: tuple[int, int] | None = None,
) -> Comparison:
    """Build a cell, run it, and say how far it is from its layer.

    Parameters
    ----------
    layer : LMULayer
        With weights.
    design : Design
        Of the memories.
    options : CellOptions
    x : (steps, inputs) array
        Held over a step each.
    engine : {"exact", "ngspice"}
        ngspice runs the circuit; exact runs the weights and memories that its parts make, without the losses of
        pairs, sums and hold stages.
    sample : tuple of int, optional
        Seed and number, from 0, of a sample of the design's mismatch, which all parts of the cell then have;
        ngspice only.

    Raises
    ------
    DesignError
        If design, layer and inputs do not go together.
    SimulationError
        If the network diverges, or ngspice fails.
    """
    if sample is not None and engine == "exact":
        raise DesignError(
            "a mismatch sample of a cell runs in ngspice alone; leave out the sample or the engine"
        )
    ideal = LMU(layer).run(x)
    largest_u = _largest_drive(LMU(layer), x, ideal)
    cell = build_cell(layer, design, options, largest_x=float(np.abs(x).max()), largest_u=largest_u)
    lagged, system = options.hidden == "continuous", legendre(layer.order, design.theta)
    wanted = run_model(layer, system, cell.step, x=x, continuous=True) if lagged else ideal
    model = run_model(cell.layer, cell.memory, cell.step, x=x, continuous=lagged)
    if sample is not None:
        cell = mismatched(cell, design, sample)
    began = time.perf_counter()
    found = model if engine == "exact" else _simulate_cell(cell, x)
    return Comparison(
        cell,
        found,
        nrmse=nrmse(found.hidden, wanted.hidden),
        memory_nrmse=nrmse(found.memory, wanted.memory),
        layer_nrmse=nrmse(found.hidden, ideal.hidden),
        model_nrmse=nrmse(found.hidden, model.hidden),
        seconds=time.perf_counter() - began,
    )


def run_model(
    layer: LMULayer, system: StateSpace, step: float, *, x: np.ndarray, continuous: bool = False
) -> State:
    """Run inputs through a cell without its circuit, from rest; the states after every step.

    Sampled, it is the layer's step with the memory's exact response by zero-order hold. In continuous time, with a
    zero-order hold of step dt, it is

        m from the memory driven by u = e_x.x + e_h.h + e_m.m + b_m
        dt h' = -h + tanh(W_x x + W_h h + W_m m + b)

    whose Euler step of dt is the layer's.

    Parameters
    ----------
    layer : LMULayer
    system : StateSpace
        Of the memory; continuous, in s; from u to the Legendre states, the same for all memories.
    step : float, s
    x : (steps, inputs) array
        Held over a step each.
    continuous : bool
        Whether the hidden units are first-order lags in place of sampled.

    Returns
    -------
    State
        hidden (steps, hidden) and memory (steps, memories, order).
    """
    w, fading = layer.arrays, np.exp(-1.0 / _SUBSTEPS)
    phi, gamma0, gamma1 = first_order_hold(system, step / (_SUBSTEPS if continuous else 1))
    offset = 0.0 if system.offset is None else system.offset

    def ramp(z: np.ndarray, u: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Drive the memories over one interval by inputs that go straight from u to ``end``; exact."""
        z = z @ phi.T + u[:, None] * gamma0[:, 0] + end[:, None] * gamma1[:, 0]
        return z, z @ system.C.T + end[:, None] * system.D[:, 0] + offset

    h = np.zeros(layer.hidden)
    z = np.zeros((layer.memories, system.order))
    m = np.zeros((layer.memories, layer.order))
    hidden, memory = [], []
    for row in np.asarray(x, float):
        # In continuous time by Heun's rule with exact linear parts.
        for _ in range(_SUBSTEPS if continuous else 0):
            u, goal = memory_input(w, row, h=h, m=m.ravel()), hidden_units(w, row, h=h, m=m.ravel())
            _, m1 = ramp(z, u, u)
            h1 = fading * h + (1.0 - fading) * goal
            z, m = ramp(z, u, memory_input(w, row, h=h1, m=m1.ravel()))
            h = fading * h + (1.0 - fading) * 0.5 * (goal + hidden_units(w, row, h=h1, m=m.ravel()))
        if not continuous:
            u = memory_input(w, row, h=h, m=m.ravel())
            z, m = ramp(z, u, u)
            h = hidden_units(w, row, h=h, m=m.ravel())
        hidden.append(h)
        memory.append(m)
    return State(np.stack(hidden), np.stack(memory))


def mismatched(cell: Cell, design: Design, sample: tuple[int, int]) -> Cell:
    """Give all parts of a cell the values of a mismatch sample, (seed, number); its ``layer`` stays nominal."""
    law, (seed, index) = Mismatch.of(design), sample
    z = draw(cell.circuit, law, seed=seed, samples=range(check_index(index), index + 1))
    return replace(cell, circuit=with_values(cell.circuit, drawn_values(cell.circuit, law, z)[0]))


def nrmse(found: np.ndarray, wanted: np.ndarray) -> float:
    """Give the rms of a difference over the rms of what is wanted."""
    power = float(np.mean(wanted**2))
    return float(np.sqrt(np.mean((found - wanted) ** 2) / power)) if power else float("nan")


def _largest_drive(layer: LMU, x: np.ndarray, states: State) -> float:
    """Find the largest value that drives a layer's memories on an input, where its states are known."""
    past = layer.rest((1,))
    hidden = np.concatenate([past.hidden, states.hidden[:-1]])
    memory = np.concatenate([past.memory, states.memory[:-1]])
    return float(np.abs(layer.drive(x, State(hidden, memory))).max())


def signal(layer: LMULayer, steps: int, *, seed: int) -> np.ndarray:
    """Draw inputs within +-1, (steps, inputs): eight tones each, up to two cycles in a window, random phases."""
    if not 2 <= steps <= _MOST_STEPS:
        raise DesignError(f"{shown(steps)} steps; 2 to {_MOST_STEPS} are accepted")
    rng = np.random.default_rng(check_seed(seed))
    cycles = np.arange(1, TONES + 1) * 2.0 / TONES * layer.dt / layer.theta
    phase = rng.uniform(0.0, 2.0 * np.pi, (layer.inputs, TONES))
    angle = 2.0 * np.pi * cycles * np.arange(steps)[:, None, None] + phase
    x = np.cos(angle).sum(axis=-1)
    return x / np.abs(x).max()


def cell_deck(cell: Cell, x: np.ndarray) -> tuple[str, Transient]:
    """Write the deck of a cell that is driven by inputs (steps, inputs), and the analysis that it asks for."""
    driven = [
        c.a
        for c in cell.circuit.components
        if isinstance(c, Supply) and c.role in ("input", "reference") and c.b == GROUND
    ]
    constant = np.ones(1)  # the reference rises with the first inputs
    inputs = {
        net: held_points(constant if net == ONE else x[:, int(net[2:])] * cell.volts.x, cell.step)
        for net in (cell.circuit.source, *driven)
    }
    spare = 0 if cell.options.hidden == "continuous" else 1
    analysis = Transient((len(x) + spare) * cell.step, cell.step / POINTS)
    notes = [
        f"step = {cell.step!r}",
        *([f"clock = {cell.circuit.clock!r}"] if cell.circuit.clock else []),
        f"volts for 1: inputs {cell.volts.x!r}, memories {cell.volts.memory!r}, "
        f"hidden units {cell.volts.hidden!r}, arguments {cell.volts.argument!r}",
    ]
    return driven_deck(cell.circuit, analysis, inputs, labels=cell.labels, notes=notes), analysis


def held_points(values: np.ndarray, step: float, *, edge: float = EDGE) -> np.ndarray:
    """Give the points in time of values after a zero-order hold, from 0 V on, (n, 2); edges in steps."""
    start = step * np.arange(len(values))
    before = np.concatenate([[0.0], values[:-1]])
    points = np.stack(
        [np.column_stack([start, before]), np.column_stack([start + edge * step, values])], axis=1
    )
    return points.reshape(-1, 2)


def _simulate_cell(cell: Cell, x: np.ndarray) -> State:
    """Let ngspice run a cell on inputs (steps, inputs), and read its states after every step.

    Raises
    ------
    SimulationError
        If ngspice is missing or fails.
    """
    deck, analysis = cell_deck(cell, x)
    vectors = ngspice.run(deck, analysis)
    spare, steps = 0 if cell.options.hidden == "continuous" else 1, len(x)
    ends = cell.step * np.arange(1, steps + 1)
    late = ends + _READ_AT * cell.step * spare
    layer, probes = cell.layer, cell.circuit.probes
    values = [
        sum(t.factor * np.interp(times, vectors["time"], vectors[f"v({t.of.lower()})"]) for t in probe)
        for probe, times in zip(
            probes, [late] * layer.hidden + [ends] * (len(probes) - layer.hidden), strict=True
        )
    ]
    stacked = np.stack(values, axis=-1)
    hidden, memory = np.split(stacked, [layer.hidden], axis=-1)
    return State(hidden, memory.reshape(steps, layer.memories, layer.order))


def parts(cell: Cell) -> dict[str, int]:
    """Count the parts of a cell by kind."""
    return {name: len(cell.circuit.only(kind)) for name, kind in KINDS.items()}


def weight_error(given: LMULayer, made: LMULayer) -> float:
    """Give the rms difference of all weights over their rms."""
    wanted, found = (np.concatenate([np.ravel(array) for array in layer.arrays]) for layer in (given, made))
    return nrmse(found, wanted)
