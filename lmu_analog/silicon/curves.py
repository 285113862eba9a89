"""What the parts of a classifier do, each measured alone in ngspice, and how each of their transistors moves it.

All parts stand in one deck between sources of their own. A source common to all inputs is swept; then one transistor of
every part is moved at once, as parts do not see each other, and the deck is swept again.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float
from scipy import interpolate

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import InstalledPdk, Pdk
from lmu_analog.mismatch.law import normals
from lmu_analog.silicon.altering import inner, paths, process_commands, process_shifts
from lmu_analog.silicon.cells import DIGITS
from lmu_analog.silicon.deck import OPTIONS, device_lines
from lmu_analog.silicon.devices import Mos, SiliconCircuit, Voltage
from lmu_analog.silicon.draws import Spread, spread
from lmu_analog.silicon.samples import TIMEOUT, TYPICAL, Conditions
from lmu_analog.silicon.unit import Classifier, Layers, Part, UnitSizing, classifier
from lmu_analog.spice.cards import number
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker

SWEPT = np.linspace(-0.36, 0.36, 25)  # V: steps of less than half of a tanh's slope
THRESHOLD, TRIM = 1e-3, 0.02  # what a transistor and the bias are moved by
PROCESS = 0.5  # standard deviations
MOVED = 0.05  # V, of outputs
LEAST = 1.05  # of the least width: that of the narrowest bias of an output
NEAR = np.array([-0.02, -0.01, 0.0, 0.01, 0.02])  # V: about no input
MEASURED_AT = 1e4  # Hz, of capacitances
FINE = 721  # places where a unit's balance is sought, 1 mV apart


@dataclass(frozen=True, eq=False)
class Curves:
    """Currents of all parts against the voltage between their inputs.

    A weight, a resistor and a row have one: half of the difference of what flows into a unit's two nets. A tanh has one
    for each of its mirrors and a bias one: what is drawn from an output.

    Attributes
    ----------
    volts : (q,) array, V
    current : (c, q) array, A
    of_part : tuple of slice
        Which of the c belong to a part.
    threshold : tuple of (n, c of the part, q) arrays
        For every part: what one volt of threshold of each of its transistors adds.
    lines : (n, c, q) array
        Likewise of the transistors of the bias.
    factor : (n,) array, V
        Of all transistors, in order: which threshold moves as much current as a whole of the current factor.
    process : (p, c, q) array
        What one standard deviation of a process variable adds.
    trim : (c, q) array
        What a whole of the reference current adds.
    output : (c,) array, S
        Conductance between the nets of a unit that a weight adds.
    load : (c,) array, F
        Between each of the nets of an input and ground, of a weight.
    """

    volts: Float[np.ndarray, " q"]
    current: Float[np.ndarray, "c q"]
    of_part: tuple[slice, ...]
    threshold: tuple[np.ndarray, ...]
    lines: Float[np.ndarray, "n c q"]
    factor: Float[np.ndarray, " n"]
    process: Float[np.ndarray, "p c q"]
    trim: Float[np.ndarray, "c q"]
    output: Float[np.ndarray, " c"]
    load: Float[np.ndarray, " c"]


def circuit_of(found: Classifier, installed: InstalledPdk) -> SiliconCircuit:
    """Give all transistors as a circuit, for what is said of circuits: sigmas, models, process.

    Its nets are those of the whole cell; inputs and outputs are held.
    """
    s = found.sizing
    ends = [f"{net}{side}" for net in found.inputs for side in "pn"]
    held = [(net, s.cells.common) for net in ends if any(net in x.nets for x in found.devices)]
    held += [(f"o{k}", s.output) for k in range(found.outputs)]
    sources = (
        Voltage("Vdd", "vdd", GROUND, s.cells.supply, "supply"),
        Voltage("Vcm", "vcm", GROUND, s.cells.common, "common-mode voltage"),
        *(Voltage(f"V{net}", net, GROUND, volts, "input") for net, volts in held),
        found.reference,
    )
    return SiliconCircuit(
        installed.pdk.name,
        "classifier",
        0.0,
        found.devices,
        sources,
        "Vcm",
        (),
        s.cells.common,
        (found.reference.name,),
    )


def measured_curves(
    found: Classifier,
    installed: InstalledPdk,
    conditions: Conditions,
    *,
    slopes: bool = True,
    volts: Float[np.ndarray, " q"] = SWEPT,
) -> Curves:
    """Measure all parts, in this process: call it in a ``Worker``.

    Parameters
    ----------
    found : Classifier
    installed : InstalledPdk
    conditions : Conditions
    slopes : bool
        Whether to measure what transistors, process and bias move as well; they are zero otherwise.
    volts : (q,) array, V
    """
    circuit, pdk = circuit_of(found, installed), installed.pdk
    with Session(_deck(found, installed, conditions)) as session:
        bench = _Bench(session, found, volts)
        current = bench.sweep(volts)
        output, load = bench.outputs(), bench.loads()
        size, lines = len(found.devices), len(found.lines)
        if not slopes:
            each = tuple(np.zeros((len(p.devices), len(current[at]), len(volts))) for p, at in bench.places)
            none = (np.zeros((n, *current.shape)) for n in (lines, 0))
            return Curves(
                volts,
                current,
                bench.slices,
                each,
                next(none),
                np.zeros(size),
                next(none),
                np.zeros_like(current),
                output,
                load,
            )

        def command(x: Mos, value: float) -> Iterator[str]:
            for name in inner(x, pdk.devices[x.device].element):
                yield f"alter @{name}[{pdk.devices[x.device].alter['threshold']}] = {number(value)}"

        parts = [np.zeros((len(p.devices), len(current[at]), len(volts))) for p, at in bench.places]
        for k in range(max(len(p.devices) for p in found.parts)):
            some = [(n, p.devices[k]) for n, p in enumerate(found.parts) if k < len(p.devices)]
            session.alter(c for _, x in some for c in command(x, THRESHOLD))
            moved = bench.moved(current, THRESHOLD)
            session.alter(c for _, x in some for c in command(x, 0.0))
            for n, _ in some:
                parts[n][k] = moved[bench.slices[n]]
        each = []
        for x in found.lines:
            session.alter(command(x, THRESHOLD))
            each.append(bench.moved(current, THRESHOLD))
            session.alter(command(x, 0.0))
        process = _process(bench, circuit, pdk, current)
        value = found.reference.value
        session.alter([f"alter iref = {number(value * (1.0 + TRIM))}"])
        trim = bench.moved(current, TRIM)
    with Session(_deck(found, installed, conditions, figures=("id", "gm"))) as session:
        names = [path for x in found.devices for path in paths(x, pdk)[:1]]
        figures = session.values([f"@{name}[{what}]" for name in names for what in ("id", "gm")])
    drain, gm = np.abs(figures.reshape(-1, 2)).T
    # More threshold of a p-channel device, as the models count it, is more current; of an n-channel one it is less.
    sign = np.array([1.0 if pdk.devices[x.device].kind == "pmos" else -1.0 for x in found.devices])
    factor = sign * drain / gm
    return Curves(
        volts, current, bench.slices, tuple(parts), np.array(each), factor, process, trim, output, load
    )


def _process(bench: "_Bench", circuit: SiliconCircuit, pdk: Pdk, current: np.ndarray) -> np.ndarray:
    found = spread(circuit, pdk)
    none = np.zeros(len(found.process))
    shifts = process_shifts(circuit, pdk, none, found=found)
    values = dict(zip(shifts, bench.session.model_values(list(shifts)).tolist(), strict=True))
    moved: list[np.ndarray] = []
    for k in range(len(none)):
        z = none.copy()
        z[k] = PROCESS
        bench.session.alter(process_commands(process_shifts(circuit, pdk, z, found=found), values))
        moved.append(bench.moved(current, PROCESS))
    bench.session.alter(process_commands(shifts, values))
    return np.array(moved).reshape(len(none), *current.shape)


@dataclass(frozen=True, eq=False)
class _Bench:
    """The deck of all parts, and how its currents are read."""

    session: Session
    found: Classifier
    volts: np.ndarray

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where the currents of every part are."""
        return _slices(self.found)

    @property
    def places(self) -> list[tuple[Part, slice]]:
        """Parts, and where their currents are."""
        return list(zip(self.found.parts, self.slices, strict=True))

    def moved(self, current: Float[np.ndarray, "c q"], step: float) -> Float[np.ndarray, "c q"]:
        """Give by how much all currents differ, over a step: at every other voltage, and in between by splines."""
        some = slice(None, None, 2)
        apart = (self.sweep(self.volts[some]) - current[:, some]) / step
        return interpolate.CubicSpline(self.volts[some], apart, axis=1)(self.volts)

    def loads(self) -> Float[np.ndarray, " c"]:
        """Measure the capacitance of every weight's input."""
        weights = [n for n, p in enumerate(self.found.parts) if p.kind == "weight"]
        flows = self.session.admittances(["vs"], [f"vg{n}" for n in weights], MEASURED_AT)
        found = np.zeros(self.slices[-1].stop)
        # Each net moves by half of the difference.
        found[[self.slices[n].start for n in weights]] = (
            2.0 * np.abs(np.imag(flows)) / (2.0 * np.pi * MEASURED_AT)
        )
        return found

    def sweep(self, volts: np.ndarray) -> Float[np.ndarray, "c q"]:
        """Sweep all inputs, and give all currents."""
        found = self.session.swept(
            "vs",
            volts,
            sources=[f"vq{n}x{m}" for n, p in enumerate(self.found.parts) for m in range(len(p.outputs))],
        ).T
        kept: list[np.ndarray] = []
        first = 0
        for part in self.found.parts:
            own = found[first : first + len(part.outputs)]
            first += len(part.outputs)
            kept.append(0.5 * (own[:1] - own[1:]) if _is_paired(part) else -own)
        return np.concatenate(kept)

    def outputs(self) -> Float[np.ndarray, " c"]:
        """Measure by how much less flows into a unit's nets where their difference rises."""
        both: list[np.ndarray] = []
        for v in (MOVED, -MOVED):
            self.session.alter([f"alter vo = {number(v)}"])
            both.append(self.sweep(self.volts[[0, len(self.volts) // 2, -1]])[:, 1])
        self.session.alter(["alter vo = 0"])
        return (both[1] - both[0]) / (2.0 * MOVED)


def _is_paired(part: Part) -> bool:
    return part.kind in ("weight", "resistor", "row")


def _currents(part: Part) -> int:
    return 1 if _is_paired(part) else len(part.outputs)


def _deck(
    found: Classifier, installed: InstalledPdk, at: Conditions, *, figures: Sequence[str] = ()
) -> list[str]:
    s = found.sizing
    common = number(s.cells.common)
    lines = [
        "* parts of a classifier, each alone",
        *installed.cards(at.corner, at.mim),
        f".options {OPTIONS}",
        f".temp {number(at.temperature)}",
        f"Vdd vdd 0 {number(at.supply * s.cells.supply)}",
        f"Vcm vcm 0 {common}",
        f"Vout out 0 {number(s.output)}",
        *(line for end in "so" for line in (f"V{end} {end} 0 0", *_halves(end))),
        f"Iref {found.reference.a} {found.reference.b} {number(found.reference.value)}",
        *device_lines(found.lines),
    ]
    starts = dict(found.starts)
    for n, part in enumerate(found.parts):
        own = {net: f"q{n}x{m}" for m, net in enumerate(part.outputs)}
        swept = dict(zip(part.inputs, ("sp", "sn"), strict=False))
        renamed = swept | own
        if part.kind == "weight":
            lines.append(f"Vg{n} sp g{n} 0")
            renamed = {part.inputs[0]: f"g{n}", part.inputs[1]: "sn"} | own
        lines += device_lines(_renamed(part.devices, renamed))
        for m, net in enumerate(part.outputs):
            # What is its own input is held where the input is.
            held = swept.get(net, ("op", "on")[m] if _is_paired(part) else "out")
            lines.append(f"Vq{n}x{m} q{n}x{m} {held} 0")
    saved = [f"i(vq{n}x{m})" for n, p in enumerate(found.parts) for m in range(len(p.outputs))]
    saved += [f"i(vg{n})" for n, p in enumerate(found.parts) if p.kind == "weight"]
    if figures:
        names = [path for x in found.devices for path in paths(x, installed.pdk)[:1]]
        saved = [f"@{name}[{what}]" for name in names for what in figures]
    lines.append(".save " + " ".join(saved))
    used = {net for line in lines for net in line.split()[1:5]}
    lines.append(".nodeset " + " ".join(f"v({net})={number(v)}" for net, v in starts.items() if net in used))
    return [*lines, ".end"]


def _halves(end: str) -> Iterator[str]:
    """Give sources that share a voltage between two nets evenly about the common one."""
    yield f"E{end}p {end}p vcm {end} 0 0.5"
    yield f"E{end}n {end}n vcm {end} 0 -0.5"


def _renamed(devices: Iterable[Mos], names: dict[str, str]) -> Sequence[Mos]:
    return [
        replace(
            x,
            **{
                end: names.get(net, net)
                for end, net in zip(("drain", "gate", "source", "bulk"), x.nets, strict=True)
            },
        )
        for x in devices
    ]


@dataclass(frozen=True, eq=False)
class Chips:
    """Curves of some chips: (s, c, q)."""

    volts: Float[np.ndarray, " q"]
    current: Float[np.ndarray, "s c q"]
    output: Float[np.ndarray, " c"]


def curves_at(
    found: Classifier, installed: InstalledPdk, conditions: Conditions, *, factors: Sequence[float]
) -> list[Chips]:
    """Measure the nominal chip at some factors of its reference current, in this process: call it in a ``Worker``."""
    kept: list[Chips] = []
    with Session(_deck(found, installed, conditions)) as session:
        bench = _Bench(session, found, SWEPT)
        for factor in factors:
            session.alter([f"alter iref = {number(found.reference.value * factor)}"])
            kept.append(Chips(SWEPT, bench.sweep(SWEPT)[None], bench.outputs()))
    return kept


def deviating(
    found: Classifier,
    curves: Curves,
    installed: InstalledPdk,
    *,
    seed: int,
    samples: range,
    process: Float[np.ndarray, "s p"] | None = None,
    trim: Float[np.ndarray, " s"] | None = None,
) -> Chips:
    """Draw chips: every transistor by its own area, the process as it is given, all to first order.

    Parameters
    ----------
    found : Classifier
    curves : Curves
        With slopes.
    installed : InstalledPdk
    seed : int
    samples : range
    process : (s, p) array, optional
        Shared variables in standard deviations; nominal unless given.
    trim : (s,) array, optional
        Factor of the reference current.
    """
    threshold, mobility = local_draws(found, installed, seed=seed, samples=samples)
    equal = threshold + mobility * curves.factor
    first = len(found.lines)
    current = curves.current + np.tensordot(equal[:, :first], curves.lines, 1)
    for part, at, slopes in zip(found.parts, curves.of_part, curves.threshold, strict=True):
        mine = slice(first, first + len(part.devices))
        first = mine.stop
        current[:, at] += np.tensordot(equal[:, mine], slopes, 1)
    if process is not None:
        current += np.tensordot(process, curves.process, 1)
    if trim is not None:
        current += (trim - 1.0)[:, None, None] * curves.trim
    return Chips(curves.volts, current, curves.output)


def local_draws(
    found: Classifier, installed: InstalledPdk, *, seed: int, samples: range
) -> tuple[Float[np.ndarray, "s n"], Float[np.ndarray, "s n"]]:
    """Draw thresholds, V, and current factors, relative, of all transistors in the order of ``devices``."""
    sigma: Spread = spread(circuit_of(found, installed), installed.pdk)
    names = [x.name for x in found.devices]
    z = normals(seed, [f"{name}|{kind}" for kind in ("threshold", "mobility") for name in names], samples)
    return sigma.threshold * z[:, : len(names)], sigma.mobility * z[:, len(names) :]


def calibrated(
    layers: Layers,
    sizing: UnitSizing,
    installed: InstalledPdk,
    *,
    inputs: Sequence[str],
    worker: Worker,
    rounds: int = 3,
) -> Classifier:
    """Draw a classifier whose pairs have the transconductances of their weights, as measured: widths are corrected.

    Raises
    ------
    DesignError
        As ``unit.classifier``.
    SimulationError
        If ngspice finds no operating point.
    """
    found = classifier(layers, sizing, installed.pdk, inputs=inputs)
    chains = dict(Counter(x.name.rstrip("0123456789") for x in found.devices))
    widths = _drawn_widths(found)
    for _ in range(rounds):
        curves = worker.call(_nominal, (found, installed, NEAR), timeout=TIMEOUT)
        for key, factor in _corrections(found, curves, layers, widths=widths).items():
            widths[key] = float(f"{widths[key] * factor:.{DIGITS}g}")
        found = classifier(layers, sizing, installed.pdk, inputs=inputs, widths=widths, chains=chains)
    return found


def _drawn_widths(found: Classifier) -> dict[tuple[str | int, ...], float]:
    """Give the widths of pairs, mirrors and biases, each of one device in place of its chain."""
    widths: dict[tuple[str | int, ...], float] = {}
    for part in found.parts:
        counts = Counter(x.name.rstrip("0123456789") for x in part.devices)
        for x in part.devices:
            name = x.name.rstrip("0123456789")
            width = x.count * x.width / counts[name]
            if part.kind == "weight" and name.endswith(".a"):
                widths["weight", *part.place] = width
            elif part.kind == "bias":
                widths["bias", *part.place] = width
            elif part.kind == "tanh" and ".m" in name:
                widths["mirror", part.place[0], int(name.rpartition(".m")[2][:-1])] = width
    return widths


def _corrections(
    found: Classifier, curves: Curves, layers: Layers, *, widths: Mapping[tuple[str | int, ...], float]
) -> dict[tuple[str | int, ...], float]:
    """Give what widths are to be multiplied by, from small-signal currents about no input."""
    middle = len(NEAR) // 2
    slope = (curves.current[:, middle + 1] - curves.current[:, middle - 1]) / (2.0 * NEAR[middle + 1])
    constant = curves.current[:, middle]
    load, drawn = np.zeros(found.units), np.zeros(found.outputs)
    places = list(zip(found.parts, curves.of_part, strict=True))
    shown: list[float] = []
    for part, at in places:
        if part.kind in ("resistor", "row"):
            load[part.place[0]] -= slope[at.start]
        elif part.kind == "weight":
            load[part.place[1]] += curves.output[at.start]
        elif part.kind == "tanh":
            values = layers.out[part.place[0], [int(net[1:]) for net in part.outputs]]
            drawn[[int(net[1:]) for net in part.outputs]] += constant[at]
            shown += (slope[at] / values).tolist()
    unit = float(np.mean(shown))  # A/V, of a mirror of weight 1
    factors: dict[tuple[str | int, ...], float] = {}
    taken = drawn - unit * found.sizing.slope * layers.out_bias
    biases = {p.place[0]: float(-constant[at.start]) for p, at in places if p.kind == "bias"}
    # The narrowest is as narrow as a device may be, so that what all outputs have is small.
    least = LEAST * found.sizing.cells.least_width
    common = min(taken[k] - now * least / widths["bias", k] for k, now in biases.items())
    for part, at in places:
        if part.kind == "weight":
            factors["weight", *part.place] = float(part.value * load[part.place[1]] / slope[at.start])
        elif part.kind == "tanh":
            for net, now in zip(part.outputs, slope[at].tolist(), strict=True):
                k = int(net[1:])
                factors["mirror", part.place[0], k] = float(unit * layers.out[part.place[0], k] / now)
        elif part.kind == "bias":
            factors["bias", *part.place] = float((taken[part.place[0]] - common) / biases[part.place[0]])
    return factors


def _nominal(found: Classifier, installed: InstalledPdk, volts: np.ndarray) -> Curves:
    return measured_curves(found, installed, TYPICAL, slopes=False, volts=volts)


def responses(found: Classifier, chips: Chips, x: Float[np.ndarray, "s b i"]) -> "Responses":
    """Compute what some chips do at the operating points of given inputs.

    The voltage of a unit is where what its weights push equals what its resistor and row take.

    Parameters
    ----------
    found : Classifier
    chips : Chips
    x : (s, b, i) array, V
        Differences between the nets of the inputs, of every chip, the constant one left out.
    """
    one = np.full((*x.shape[:2], 1), found.sizing.signal)
    given = np.concatenate([x, one], axis=-1)
    limit = chips.volts[-1]
    fine = np.linspace(-limit, limit, FINE)
    pushed = np.zeros((*x.shape[:2], found.units))
    taken = np.zeros((len(x), found.units, FINE))
    of_part = _slices(found)
    for part, at in zip(found.parts, of_part, strict=True):
        own = chips.current[:, at.start]
        for s in range(len(x)) if part.kind in ("weight", "resistor", "row") else ():
            if part.kind == "weight":
                i, j = part.place
                pushed[s, :, j] += _spline(chips.volts, own[s])(np.clip(given[s, :, i], -limit, limit))
                taken[s, j] += chips.output[at.start] * fine
            else:
                taken[s, part.place[0]] -= _spline(chips.volts, own[s])(fine)
    volts = np.empty_like(pushed)
    for s, j in np.ndindex(len(x), found.units):
        volts[s, :, j] = np.interp(pushed[s, :, j], taken[s, j], fine)
    drawn, signals = np.zeros((*x.shape[:2], found.outputs)), np.zeros_like(volts)
    for part, at in zip(found.parts, of_part, strict=True):
        outputs = [int(net[1:]) for net in part.outputs] if not _is_paired(part) else []
        for s in range(len(x)) if outputs else ():
            own = chips.current[s, at]
            if part.kind == "bias":
                drawn[s, :, outputs] += own[:, :1]
                continue
            mirrored = _spline(chips.volts, own.T)(volts[s, :, part.place[0]])
            drawn[s][:, outputs] += mirrored
            signals[s, :, part.place[0]] = mirrored @ _signs(part)
    return Responses(volts, signals, drawn)


@dataclass(frozen=True, eq=False)
class Responses:
    """What some chips do.

    Attributes
    ----------
    units : (s, b, j) array, V
    signals : (s, b, j) array, A
        Of the units: all mirrors of one diode less all of the other.
    outputs : (s, b, k) array, A
    """

    units: Float[np.ndarray, "s b j"]
    signals: Float[np.ndarray, "s b j"]
    outputs: Float[np.ndarray, "s b k"]


def _signs(part: Part) -> Float[np.ndarray, " c"]:
    """Say which of a unit's mirrors stand at the diode that rises with it."""
    gates = {x.drain: x.gate for x in part.devices if x.drain in part.outputs}
    return np.array([1.0 if gates[net].endswith("p") else -1.0 for net in part.outputs])


def _spline(volts: np.ndarray, current: np.ndarray) -> interpolate.CubicSpline:
    return interpolate.CubicSpline(volts, current)


def _slices(found: Classifier) -> tuple[slice, ...]:
    """Give where the currents of every part are."""
    counts = [_currents(p) for p in found.parts]
    ends = np.cumsum(counts)
    return tuple(slice(int(e - n), int(e)) for n, e in zip(counts, ends, strict=True))
