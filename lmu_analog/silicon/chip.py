"""A whole chip as one circuit: a memory for every input, hidden units, readout; and its transient in ngspice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import InstalledPdk, Pdk
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.altering import (
    bias_commands,
    capacitance,
    capacitor_commands,
    local_commands,
    process_commands,
    process_shifts,
)
from lmu_analog.silicon.curves import Curves
from lmu_analog.silicon.deck import deck_lines, source_card
from lmu_analog.silicon.devices import Device, Mim, Mos, SiliconCircuit, Source, Voltage
from lmu_analog.silicon.draws import Deviations, Spread, spread
from lmu_analog.silicon.memory import plates
from lmu_analog.silicon.samples import Conditions
from lmu_analog.silicon.unit import Classifier
from lmu_analog.spice.cards import number
from lmu_analog.spice.session import Session

# Steps of a transient grow with the tolerance: those of an operating point would take ten times as many.
OPTIONS = "gmin=1e-15 abstol=1e-14 reltol=5e-4 keepopinfo"
EDGE = 1e-8  # s: what a step of the input takes
STEPS = 20  # of the transient in one step of the input, at least


def input_net(memory: int, net: str) -> str:
    """Name a state of one of the memories, without ``p`` and ``n``."""
    return f"c{memory}{net}"


def loads(found: Classifier, curves: Curves) -> dict[str, float]:
    """Give the capacitance, F, between each of the nets of an input and ground."""
    total: dict[str, float] = {}
    for part, at in zip(found.parts, curves.of_part, strict=True):
        if part.kind == "weight":
            net = found.inputs[part.place[0]]
            total[net] = total.get(net, 0.0) + float(curves.load[at.start])
    return total


def chip(
    memory: SiliconCircuit, found: Classifier, pdk: Pdk, *, count: int, load: Mapping[str, float]
) -> SiliconCircuit:
    """Put memories and a classifier together; what the latter loads states with, their capacitors have less.

    Parameters
    ----------
    memory : SiliconCircuit
    found : Classifier
        Its inputs are ``input_net`` of the memories' states.
    pdk : Pdk
    count : int
        Memories, each with an input of its own, ``Vu0`` and so on.
    load : dict
        Of ``loads``.
    """
    if memory.resistors:
        raise CircuitError(
            f"{memory.resistors[0].name}: a whole cell takes memories with an ideal reference current, "
            "not with a generator on the chip"
        )
    shared = {GROUND, "vdd", "vcm"}
    devices: list[Device] = []
    sources: list[Source] = [s for s in memory.sources if s.name in ("Vdd", "Vcm")]
    starts: list[tuple[str, float]] = []
    trim: list[str] = []
    for c in range(count):

        def net(name: str, c: int = c) -> str:
            return name if name in shared else input_net(c, name)

        for x in memory.devices:
            name = f"C{c}{x.name}"
            if isinstance(x, Mos):
                ends = {end: net(getattr(x, end)) for end in ("drain", "gate", "source", "bulk")}
                devices.append(replace(x, name=name, **ends))
            elif isinstance(x, Mim):
                state = x.a.removesuffix("p")
                # Two grounded capacitors in series are half of one between the nets.
                left = capacitance(x, pdk) - 0.5 * load.get(input_net(c, state), 0.0)
                drawn = plates(x.name, state, pdk.device(x.device), capacitance=left)
                devices.append(replace(drawn, name=name, a=net(x.a), b=net(x.b), role=x.role))
        for s in memory.sources:
            if s.name in ("Vdd", "Vcm"):
                continue
            name = f"Vu{c}" if s.name == memory.drive else f"{s.name}{c}"
            sources.append(replace(s, name=name, a=net(s.a), b=net(s.b)))
            trim += [name] if s.name in memory.trim else []
        starts += [(net(name), volts) for name, volts in memory.nodeset]
    s = found.sizing
    one = [
        (f"{found.inputs[-1]}{side}", s.cells.common + 0.5 * sign * s.signal)
        for side, sign in (("p", 1), ("n", -1))
    ]
    used = {name for x in found.devices for name in x.nets}
    sources += [
        Voltage(f"V{name}", name, GROUND, volts, "constant input") for name, volts in one if name in used
    ]
    sources += [Voltage(f"Vo{k}", f"o{k}", GROUND, s.output, "output") for k in range(found.outputs)]
    sources.append(found.reference)
    starts += [(name, volts) for name, volts in found.starts.items() if name in used]
    return SiliconCircuit(
        memory.process,
        memory.realization,
        memory.theta,
        (*devices, *found.devices),
        tuple(sources),
        "Vu0",
        (),
        memory.quiescent,
        (*trim, found.reference.name),
        tuple(starts),
    )


def joined(memories: Sequence[Deviations], threshold: np.ndarray, mobility: np.ndarray) -> Deviations:
    """Put the deviations of one chip's memories, one sample each, and those of its classifier together.

    Parameters
    ----------
    memories : sequence of Deviations
        All of the same process.
    threshold, mobility : (n,) array
        Of the classifier's transistors, see ``curves.local_draws``.
    """
    return Deviations(
        np.concatenate([*(m.threshold[0] for m in memories), threshold])[None],
        np.concatenate([*(m.mobility[0] for m in memories), mobility])[None],
        np.concatenate([m.capacitance[0] for m in memories])[None],
        memories[0].process,
        np.concatenate([m.resistance[0] for m in memories])[None],
    )


@dataclass(frozen=True, eq=False)
class Decisions:
    """What a chip did in ngspice.

    Attributes
    ----------
    outputs : (b, k) array, A
        Drawn from the outputs at the end of the last step.
    units : (b, j) array, V
    states : (b, i) array, V
        Differences of the inputs of the units, the constant one left out.
    current : float, A
        From the supply, without input.
    """

    outputs: Float[np.ndarray, "b k"]
    units: Float[np.ndarray, "b j"]
    states: Float[np.ndarray, "b i"]
    current: float


def decide(
    circuit: SiliconCircuit,
    found: Classifier,
    installed: InstalledPdk,
    *,
    inputs: Float[np.ndarray, "b steps m"],
    step: float,
    sample: Deviations | None = None,
    trim: float = 1.0,
    conditions: Conditions = Conditions(),  # noqa: B008
) -> Decisions:
    """Run a whole chip for some inputs, each from the operating point, in this process: call it in a ``Worker``.

    Parameters
    ----------
    circuit : SiliconCircuit
        From ``chip``.
    found : Classifier
    installed : InstalledPdk
    inputs : (b, steps, m) array, V
        Of the m memories, over their common voltage.
    step : float, s
    sample : Deviations, optional
        From ``joined``.
    trim : float
        Factor of all reference currents.
    """
    pdk = installed.pdk
    outputs = [f"{source_card(f'Vo{k}', circuit)}#branch" for k in range(found.outputs)]
    supply = f"{source_card(circuit.supply, circuit)}#branch"
    units = [f"h{j}{side}" for j in range(found.units) for side in "pn"]
    states = [f"{net}{side}" for net in found.inputs[:-1] for side in "pn"]
    spread_: Spread = spread(circuit, pdk)
    lines = deck_lines(
        circuit,
        installed.cards(conditions.corner, conditions.mim),
        temperature=conditions.temperature,
        options=OPTIONS,
    )
    kept: list[np.ndarray] = []
    current = 0.0
    known = {net.lower() for net in circuit.nets}
    states = [net if net in known else "vcm" for net in states]
    for one in inputs:
        with Session(_driven(lines, circuit, one, step)) as session:
            if sample is not None:
                shifts = process_shifts(circuit, pdk, np.zeros(sample.process.shape[1]), found=spread_)
                values = dict(zip(shifts, session.model_values(list(shifts)).tolist(), strict=True))
                session.alter(local_commands(circuit, pdk, sample))
                session.alter(capacitor_commands(circuit, pdk, sample, found=spread_))
                moved = process_shifts(circuit, pdk, sample.process[0], found=spread_)
                session.alter(process_commands(moved, values))
            session.alter(bias_commands(circuit, trim))
            end = len(one) * step
            waves = session.transient(
                [*outputs, *units, *states, supply], start=0.0, stop=end, step=step / STEPS
            )
            kept.append(waves.volts[-1])
            current = float(-waves.volts[0, -1])
    last = np.array(kept)
    k, j = found.outputs, found.units

    def differences(part: np.ndarray) -> np.ndarray:
        return part[:, ::2] - part[:, 1::2]

    return Decisions(
        # A source's current flows into it from the circuit: what is drawn is its negative.
        -last[:, :k],
        differences(last[:, k : k + 2 * j]),
        differences(last[:, k + 2 * j : -1]),
        current,
    )


def _driven(lines: Sequence[str], circuit: SiliconCircuit, volts: np.ndarray, step: float) -> list[str]:
    """Let the memories' sources follow an input that is held over every step."""
    driven: dict[str, str] = {}
    for m in range(volts.shape[1]):
        s = circuit.source(f"Vu{m}")
        points = [f"0 {number(s.value)}"]
        for k, v in enumerate(volts[:, m].tolist()):
            points += [f"{number(k * step + EDGE)} {number(s.value + v)}"]
            points += [f"{number((k + 1) * step)} {number(s.value + v)}"]
        driven[f"vvu{m}"] = f"{source_card(s.name, circuit)} {s.a} {s.b} pwl({' '.join(points)})"
    return [driven.get(line.split(" ")[0].lower(), line) for line in lines]
