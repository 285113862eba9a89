"""What ``silicon_digits`` measures with: a cell of transistors, its chips, its conditions, and ngspice's word on it."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import InstalledPdk
from lmu_analog.design import Design
from lmu_analog.networks.cell import Memory as SoftwareMemory
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.chip import Decisions, chip, decide, input_net, joined, loads
from lmu_analog.silicon.curves import (
    Chips,
    Curves,
    Responses,
    calibrated,
    circuit_of,
    curves_at,
    deviating,
    local_draws,
    measured_curves,
    responses,
)
from lmu_analog.silicon.designing import DENSITY, LONG, WIDTH, designed, sizing_for
from lmu_analog.silicon.devices import Mos, SiliconCircuit
from lmu_analog.silicon.draws import Deviations, deviations, spread
from lmu_analog.silicon.ensemble import (
    TRIMS,
    bias_exponent,
    exact_engine,
    fitted_theta,
    nominal_chip,
    settle,
    with_ngspice,
)
from lmu_analog.silicon.pulses import held, tones
from lmu_analog.silicon.samples import TIMEOUT, TYPICAL, Bench, Conditions, Measured, probe_rows
from lmu_analog.silicon.small_signal import Engine
from lmu_analog.silicon.unit import Classifier, Layers, UnitSizing
from lmu_analog.spice.worker import Worker

BAND_TONES = 10  # at which a window is fitted
FINE_TONES = 256  # of what a step leaves
FITTED = 300  # images that a readout is fitted to
RIDGE = 1e-6  # of the squares of signals
ROUTING = 2.0  # area of a layout over that of gates and plates: an assumption
SLOW = 1800.0  # s, for a transient of a whole chip
SHORT = 9e-6  # m: triode devices of units, which pull the common voltage alone, and quickly


@dataclass(frozen=True, eq=False)
class Subject:
    """Images, and their classes.

    Attributes
    ----------
    images : dict of (b, steps, m) arrays
        Of each part of the data; m columns, each for a memory.
    classes : dict of (b,) arrays
    mixed : (d, n) array
        From the states of the memory's circuit to Legendre states.
    """

    images: dict[str, Float[np.ndarray, "b t m"]]
    classes: dict[str, np.ndarray]
    mixed: Float[np.ndarray, "d n"]

    @property
    def memories(self) -> int:
        """How many are wanted."""
        return self.images["train"].shape[-1]

    def ideal(self, part: str) -> Float[np.ndarray, "b i"]:
        """Give the states of ideal memories at the end of the images, in the coordinates of the circuit."""
        x = self.images[part]
        memory = SoftwareMemory(len(self.mixed), float(x.shape[1]))
        found = memory.run(np.swapaxes(x, 1, 2))[:, :, -1] @ np.linalg.inv(self.mixed).T
        return found.reshape(len(x), -1)

    def states(self, part: str, steps: Float[np.ndarray, "*s m t n"]) -> Float[np.ndarray, "*s b i"]:
        """Give the states at the end of the images, from what each step leaves in each memory."""
        found = np.einsum("btm,...mtn->...bmn", self.images[part], steps, optimize=True)
        return found.reshape(*found.shape[:-2], -1)

    def accuracy(self, part: str, outputs: Float[np.ndarray, "b k"]) -> float:
        """Give the percentage of images whose largest output is that of their class."""
        return float(100.0 * np.mean(outputs.argmax(axis=-1) == self.classes[part]))


@dataclass(frozen=True, eq=False)
class Memory:
    """A memory of transistors, and how its states are reached.

    Attributes
    ----------
    bench : Bench
        Settled; its tones are those of a window's fit.
    fine : (k,) array, Hz
    step : float, s
    steps : int
    """

    bench: Bench
    fine: Float[np.ndarray, " k"]
    step: float
    steps: int

    @property
    def nets(self) -> list[str]:
        """Nets of its states, without ``p`` and ``n``."""
        return list(dict.fromkeys(net[:-1] for net in probe_rows(self.bench.circuit)[0]))

    @property
    def mixed(self) -> Float[np.ndarray, "d n"]:
        """From the differences of its nets to Legendre states."""
        nets, rows = probe_rows(self.bench.circuit)
        return rows[:, [nets.index(f"{net}p") for net in self.nets]]

    def left(self, found: Measured) -> Float[np.ndarray, "s t n"]:
        """Give what a volt during each step leaves, from responses at the fine tones."""
        return held(found.states, self.fine, step=self.step, steps=self.steps) @ np.linalg.inv(self.mixed).T

    def offsets(self, found: Measured) -> Float[np.ndarray, "s n"]:
        """Give the states without input, V."""
        return found.offset @ np.linalg.inv(self.mixed).T


@dataclass(frozen=True, eq=False)
class Cell:
    """A memory for every column, and a classifier, with what was measured of both.

    Attributes
    ----------
    memory : Memory
    engine : Engine
        The exact one, of a memory.
    layers : Layers
        What is to be computed.
    found : Classifier
    curves : Curves
        Nominal, with slopes.
    memories : int
    """

    memory: Memory
    engine: Engine
    layers: Layers
    found: Classifier
    curves: Curves
    memories: int

    @property
    def installed(self) -> InstalledPdk:
        """The process."""
        return self.memory.bench.installed


def sizing() -> UnitSizing:
    """Give the geometry of units: pairs like those of the memory, shorter triode devices of the same conductance."""
    long = LONG | {"triode": SHORT}
    ratio = Sizing.triode_ratio * SHORT / LONG["triode"]
    # Corrections of widths need some room above what a model allows.
    wide = {"least_width": 0.3e-6, "cascode_ratio": 0.6, "triode_ratio": ratio}
    return UnitSizing(Sizing(0.0, DENSITY, WIDTH, **long, **wide))


def memory(installed: InstalledPdk, *, order: int, theta: float, turns: float, steps: int) -> Memory:
    """Design the memory of a column."""
    bandwidth = turns / theta
    wanted = Design(order=order, theta=theta, family="gm-c", realization="ladder", bandwidth=bandwidth)
    chosen = sizing_for(
        "ladder",
        order,
        theta,
        bandwidth=bandwidth,
        amplitude=UnitSizing.signal,
        supply=installed.pdk.supply,
    )
    frequency = bandwidth * np.arange(1, BAND_TONES + 1) / BAND_TONES
    bench = designed(build(wanted), installed, frequency, sizing=chosen)
    return Memory(bench, tones(theta / steps, steps, FINE_TONES), theta / steps, steps)


def cell(memory: Memory, layers: Layers, *, memories: int) -> Cell:
    """Draw a classifier behind some memories, and measure both."""
    inputs = [input_net(m, net) for m in range(memories) for net in memory.nets]
    installed = memory.bench.installed
    with Worker() as worker:
        found = calibrated(layers, sizing(), installed, inputs=inputs, worker=worker)
    with Worker() as worker:
        curves = worker.call(measured_curves, (found, installed, TYPICAL), timeout=TIMEOUT)
    with Worker() as worker:
        engine = exact_engine(memory.bench, worker)
    return Cell(memory, engine, layers, found, curves, memories)


def about(cell: Cell) -> dict[str, Any]:
    """Say what the cell is made of."""
    memory, found = cell.memory.bench.circuit, cell.found
    kinds = [part.kind for part in found.parts]
    area = 1e12 * (cell.memories * sum(x.area for x in memory.devices) + found.area)
    return {
        "memories": cell.memories,
        "order": memory.order,
        "theta": memory.theta,
        "transistors_of_memories": cell.memories * len(memory.transistors),
        "transistors_of_units": len(found.devices),
        "units": found.units,
        "weights": kinds.count("weight"),
        "mirrors": sum(len(part.outputs) for part in found.parts if part.kind == "tanh"),
        "area_um2": area,
        "area_of_units_um2": 1e12 * found.area,
        "area_with_routing_um2": ROUTING * area,
        "routing_factor": ROUTING,
    }


@dataclass(frozen=True, eq=False)
class First:
    """The first chip of an ensemble, for ngspice.

    Attributes
    ----------
    memories : tuple of Deviations
        One sample each.
    trim : float
        Factor of its reference currents.
    responses : Responses
        Of the test images, trimmed; one sample.
    states : (b, i) array, V
    """

    memories: tuple[Deviations, ...]
    trim: float
    responses: Responses
    states: Float[np.ndarray, "b i"]


def ensemble(cell: Cell, subject: Subject, *, chips: int, seed: int) -> tuple[dict[str, Any], First]:
    """Compute chips with process and mismatch, as built, trimmed and calibrated, and the nominal one."""
    memory, engine, m = cell.memory, cell.engine, cell.memories
    circuit = memory.bench.circuit
    known = spread(circuit, cell.installed.pdk)
    shared = deviations(circuit, known, seed=seed, samples=range(chips)).process
    # Memories of a chip share its process, not its mismatch: each takes a sample of its own.
    sample = replace(
        deviations(circuit, known, seed=seed, samples=range(m * chips)), process=np.repeat(shared, m, axis=0)
    )
    measure = _sure(engine, memory)
    trim = _trims(measure, memory, sample, m)
    variables = spread(circuit_of(cell.found, cell.installed), cell.installed.pdk).process
    process = shared[:, [known.process.index(name) for name in variables]]
    figures: dict[str, list[float]] = {}
    signal, kept = cell.found.sizing.signal, None
    states, spread_of_offsets = np.zeros(0), 0.0
    for name, factor in (("built", np.ones(chips)), ("trimmed", trim)):
        found = measure(sample, np.repeat(factor, m), memory.fine)
        steps = memory.left(found).reshape(chips, m, memory.steps, -1)
        offset = memory.offsets(found).reshape(chips, 1, -1)
        made = deviating(
            cell.found,
            cell.curves,
            cell.installed,
            seed=seed,
            samples=range(chips),
            process=process,
            trim=factor,
        )
        states = signal * subject.states("test", steps) + offset
        tested = responses(cell.found, made, states)
        figures[name] = [subject.accuracy("test", out) for out in tested.outputs]
        if name == "trimmed":
            spread_of_offsets = float(1e3 * np.std(offset))
            fitted = signal * subject.states("train", steps)[:, :FITTED] + offset
            taught = responses(cell.found, made, fitted)
            figures["calibrated"] = _calibrated(cell, subject, taught, tested)
            kept = Responses(tested.units[:1], tested.signals[:1], tested.outputs[:1])
    nominal = measure(nominal_chip(memory.bench), np.ones(1), memory.fine)
    only = Chips(cell.curves.volts, cell.curves.current[None], cell.curves.output)
    whole = _whole(cell, subject, "test", memory.left(nominal)[0])
    found = responses(cell.found, only, whole[None])
    units = responses(cell.found, only, signal * subject.ideal("test")[None])
    if kept is None:
        raise ValueError("no chips")
    first = First(tuple(sample.of(slice(k, k + 1)) for k in range(m)), float(trim[0]), kept, states[0])
    return {
        "chips": chips,
        "nominal": subject.accuracy("test", found.outputs[0]),
        "units_only": subject.accuracy(
            "test", responses(cell.found, only, signal * subject.ideal("test")[None]).outputs[0]
        ),
        "ideal_memories": subject.accuracy("test", units.outputs[0]),
        **{name: _quantiles(values) for name, values in figures.items()},
        "trim_sigma": float(np.std(trim)),
        "offset_sigma_mv": spread_of_offsets,
    }, first


Fine = Callable[[Deviations, np.ndarray, np.ndarray], Measured]


def _sure(engine: Engine, memory: Memory) -> Fine:
    """Give the exact engine, with ngspice for what it is not sure of."""

    def measure(sample: Deviations, trim: np.ndarray, frequency: np.ndarray) -> Measured:
        found = engine.samples(sample, frequency, trim=trim)
        lost = np.flatnonzero(~np.isfinite(found.offset).all(axis=1))
        if len(lost):
            bench = replace(memory.bench, frequency=frequency)
            again = with_ngspice(bench)(sample.of(lost), trim[lost])
            for name in ("offset", "states", "current", "rung"):
                getattr(found, name)[lost] = getattr(again, name)
        return found

    return measure


def _trims(measure: Fine, memory: Memory, sample: Deviations, memories: int) -> Float[np.ndarray, " s"]:
    """Choose a factor of the reference currents of every chip: in the mean its memories have their window."""
    bench = memory.bench
    theta = bench.circuit.theta

    def at_band(some: Deviations, trim: np.ndarray) -> Measured:
        return measure(some, trim, bench.frequency)

    slope = bias_exponent(at_band, bench, nominal_sample=nominal_chip(bench))
    trim = np.ones(len(sample) // memories)
    for _ in range(TRIMS):
        found = at_band(sample, np.repeat(trim, memories))
        ratio = np.log(fitted_theta(found.states, bench.frequency, theta) / theta)
        trim = trim * np.exp(-ratio.reshape(-1, memories).mean(axis=1) / slope)
    return trim


def _whole(
    cell: Cell, subject: Subject, part: str, steps: Float[np.ndarray, "t n"]
) -> Float[np.ndarray, "b i"]:
    """Give the states of memories that are all alike, V."""
    return cell.found.sizing.signal * subject.states(part, np.repeat(steps[None], cell.memories, axis=0))


def _calibrated(cell: Cell, subject: Subject, taught: Responses, tested: Responses) -> list[float]:
    """Fit a readout of the units' signals to the software's outputs on training images, chip by chip."""
    wanted = cell.layers(subject.ideal("train")[:FITTED])
    found: list[float] = []
    for given, shown in zip(taught.signals, tested.signals, strict=True):
        scale = np.abs(given).max()
        X = np.concatenate([given / scale, np.ones((len(given), 1))], axis=1)
        W = np.linalg.solve(X.T @ X + RIDGE * len(X) * np.eye(X.shape[1]), X.T @ wanted)
        found.append(subject.accuracy("test", shown / scale @ W[:-1] + W[-1]))
    return found


def _quantiles(values: list[float]) -> dict[str, Any]:
    return {
        "accuracy": values,
        "mean": float(np.mean(values)),
        "median": float(np.median(values)),
        "p5": float(np.quantile(values, 0.05)),
        "worst": float(np.min(values)),
    }


def condition(
    cell: Cell, subject: Subject, corner: str, *, temperature: float, supply: float
) -> dict[str, Any]:
    """Measure the nominal chip of a corner in ngspice at one condition: as built, trimmed at 27 C there, calibrated."""
    memory, at = cell.memory, Conditions(corner, "typical", temperature, supply)
    undeviated = nominal_chip(memory.bench)
    with Worker() as worker:
        cool = settle(replace(memory.bench, conditions=Conditions(corner)), worker)
        simulate = with_ngspice(cool, worker)

        def measure(some: Deviations, trim: np.ndarray, frequency: np.ndarray) -> Measured:
            del frequency
            return simulate(some, trim)

        trim = float(_trims(measure, memory, undeviated, 1)[0])
        here = settle(replace(memory.bench, conditions=at, frequency=memory.fine), worker)
        both = with_ngspice(here, worker)(undeviated.of(np.zeros(2, int)), np.array([1.0, trim]))
        factors = (1.0, trim)
        made = worker.call(_curves_at, (cell.found, cell.installed, at, factors), timeout=TIMEOUT)
    steps = memory.left(both)
    tested = [
        responses(cell.found, one, _whole(cell, subject, "test", left)[None])
        for one, left in zip(made, steps, strict=True)
    ]
    taught = responses(cell.found, made[1], _whole(cell, subject, "train", steps[1])[None, :FITTED])
    found = {
        "built": subject.accuracy("test", tested[0].outputs[0]),
        "trimmed": subject.accuracy("test", tested[1].outputs[0]),
        "calibrated": _calibrated(cell, subject, taught, tested[1])[0],
    }
    return {"corner": corner, "temperature": temperature, "supply": supply, **found, "trim": trim}


def _curves_at(
    found: Classifier, installed: InstalledPdk, at: Conditions, factors: tuple[float, float]
) -> list[Chips]:
    return curves_at(found, installed, at, factors=factors)


def in_ngspice(
    cell: Cell, subject: Subject, first: First, *, images: int, seed: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Run whole chips through some test images in ngspice, and compare them with what was computed."""
    if not images:
        return {}
    nominal = nominal_in_ngspice(cell, subject, images=images, advance=advance)
    chip_ = first_in_ngspice(cell, subject, first, images=images, seed=seed, advance=advance)
    return {"ngspice": {"nominal": nominal, "first chip, trimmed": chip_}}


def nominal_in_ngspice(
    cell: Cell, subject: Subject, *, images: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Compare the nominal chip."""
    only = Chips(cell.curves.volts, cell.curves.current[None], cell.curves.output)
    undeviated = nominal_chip(cell.memory.bench)
    found = _sure(cell.engine, cell.memory)(undeviated, np.ones(1), cell.memory.fine)
    states = _whole(cell, subject, "test", cell.memory.left(found)[0])
    expected = responses(cell.found, only, states[None, :images])
    return _compared(cell, subject, (None, 1.0), expected=expected, states=states[:images], advance=advance)


def first_in_ngspice(
    cell: Cell, subject: Subject, first: First, *, images: int, seed: int, advance: Callable[[int], None]
) -> dict[str, Any]:
    """Compare the first chip of an ensemble, with the deviations of all its transistors."""
    threshold, mobility = local_draws(cell.found, cell.installed, seed=seed, samples=range(1))
    sample = joined(first.memories, threshold[0], mobility[0])
    expected = Responses(*(getattr(first.responses, k)[:, :images] for k in ("units", "signals", "outputs")))
    states = first.states[:images]
    made = (sample, first.trim)
    return _compared(cell, subject, made, expected=expected, states=states, advance=advance)


def cost(cell: Cell) -> dict[str, float]:
    """Say what a decision of the nominal chip costs without input; the window is its time.

    A memory's current is the exact engine's; a classifier's is that of its tails, which all have one density, and of
    its bias, whose reference flows once more in the line of the loads.
    """
    s, found = cell.found.sizing.cells, cell.found
    memory = cell.engine.samples(nominal_chip(cell.memory.bench), cell.memory.bench.frequency[:1])
    chains = Counter(_undivided(x) for x in found.devices)
    tails = sum(x.count * x.width / chains[_undivided(x)] ** 2 for x in found.devices if x.role == "tail")
    current = cell.memories * float(memory.current[0]) + s.density * tails + 2.0 * found.reference.value
    power, decision = current * s.supply, cell.memory.step * cell.memory.steps
    return {"uw": 1e6 * power, "nj": 1e9 * power * decision, "seconds": decision}


def _undivided(x: Mos) -> str:
    """Name what a transistor of a chain was drawn for."""
    return x.name.rstrip("0123456789")


def _compared(
    cell: Cell,
    subject: Subject,
    made: tuple[Deviations | None, float],
    *,
    expected: Responses,
    states: Float[np.ndarray, "b i"],
    advance: Callable[[int], None],
) -> dict[str, Any]:
    circuit = chip(
        cell.memory.bench.circuit,
        cell.found,
        cell.installed.pdk,
        count=cell.memories,
        load=loads(cell.found, cell.curves),
    )
    began = time.perf_counter()
    parts: list[Decisions] = []
    for k in range(len(states)):
        inputs = cell.found.sizing.signal * subject.images["test"][k : k + 1]
        given = (circuit, cell.found, cell.installed, inputs, cell.memory.step, *made)
        with Worker() as worker:
            parts.append(worker.call(_decide, given, timeout=SLOW))
        advance(1)
    outputs, units, seen = (
        np.concatenate([getattr(p, key) for p in parts]) for key in ("outputs", "units", "states")
    )
    wanted = expected.outputs[0]
    return {
        "images": len(states),
        "same": int((outputs.argmax(axis=1) == wanted.argmax(axis=1)).sum()),
        "right": int((outputs.argmax(axis=1) == subject.classes["test"][: len(states)]).sum()),
        "outputs_nrmse": _nrmse(_apart(outputs), _apart(wanted)),
        "units_nrmse": _nrmse(units, expected.units[0]),
        "states_nrmse": _nrmse(seen, states),
        "uw": 1e6 * parts[0].current * cell.found.sizing.cells.supply,
        "seconds": time.perf_counter() - began,
    }


def _decide(
    circuit: SiliconCircuit,
    found: Classifier,
    installed: InstalledPdk,
    inputs: np.ndarray,
    step: float,
    sample: Deviations | None,
    trim: float,
) -> Decisions:
    return decide(circuit, found, installed, inputs=inputs, step=step, sample=sample, trim=trim)


def _apart(outputs: np.ndarray) -> np.ndarray:
    """Give what decides: outputs less their mean."""
    return outputs - outputs.mean(axis=1, keepdims=True)


def _nrmse(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.sqrt(np.mean((one - other) ** 2) / np.mean(other**2)))
