"""Samples of a circuit in ngspice: operating point and response of each, with the foundry's models.

The deck is read once and its devices are altered. ngspice begins at the operating point before, whose last digits
it so inherits: samples are run in whole blocks, each of which begins at the nominal circuit, and have the same bits in
a run of any size, continued or not.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.devices.pdk import InstalledPdk
from lmu_analog.errors import SimulationError
from lmu_analog.silicon.altering import (
    bias_commands,
    capacitor_commands,
    in_corner,
    local_commands,
    process_commands,
    process_shifts,
    resistor_commands,
)
from lmu_analog.silicon.deck import deck_lines, nets_read, source_card
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.draws import Deviations, Spread, nominal, spread
from lmu_analog.spice.session import Point, Session

BLOCK = 16  # samples: two seconds at order 3
TIMEOUT = 600.0  # s for a block


@dataclass(frozen=True)
class Conditions:
    """Where a circuit is simulated.

    Attributes
    ----------
    corner, mim : str
        Of transistors, and of capacitors.
    temperature : float, C
    supply : float
        The supply as a multiple of the nominal one.
    resistor : str
        Corner of the resistors on the chip.
    """

    corner: str = "typical"
    mim: str = "typical"
    temperature: float = 27.0
    supply: float = 1.0
    resistor: str = "typical"


TYPICAL = Conditions()


@dataclass(frozen=True, eq=False)
class Measured:
    """What a bench would measure on some chips.

    Attributes
    ----------
    offset : (s, d) array, V
        Legendre states at the operating point, without input; NaN where ngspice found no operating point.
    states : (s, k, d) complex array
        Legendre states for an input of one volt, at k tones.
    current : (s,) array, A
        From the supply.
    rung : (s,) array
        Options with which ngspice found the operating point, see ``spice.session.LADDER``; -1 where none did.
    """

    offset: Float[np.ndarray, "s d"]
    states: Complex[np.ndarray, "s k d"]
    current: Float[np.ndarray, " s"]
    rung: np.ndarray

    def __len__(self) -> int:
        return len(self.offset)

    def of(self, samples: np.ndarray | slice) -> "Measured":
        """Give those of some samples."""
        return Measured(self.offset[samples], self.states[samples], self.current[samples], self.rung[samples])


@dataclass(frozen=True, eq=False)
class Bench:
    """A circuit with its models, and the tones at which it is measured.

    Attributes
    ----------
    circuit : SiliconCircuit
    installed : InstalledPdk
    frequency : (k,) array, Hz
    conditions : Conditions
    """

    circuit: SiliconCircuit
    installed: InstalledPdk
    frequency: Float[np.ndarray, " k"]
    conditions: Conditions = TYPICAL

    @property
    def here(self) -> SiliconCircuit:
        """The circuit at the conditions: its supply, and its resistors in their corner."""
        placed = in_corner(self.circuit, self.installed.pdk, self.conditions.resistor)
        return at_supply(placed, self.conditions.supply)

    @property
    def lines(self) -> list[str]:
        """The deck."""
        at = self.conditions
        cards = self.installed.cards(at.corner, at.mim)
        return deck_lines(self.here, cards, temperature=at.temperature)


def at_supply(circuit: SiliconCircuit, factor: float) -> SiliconCircuit:
    """Give the circuit with another supply voltage; what rests at a share of it stays where it is."""
    if factor == 1.0:
        return circuit
    sources = tuple(
        replace(s, value=factor * s.value) if s.name == circuit.supply else s for s in circuit.sources
    )
    return replace(circuit, sources=sources)


def settled(bench: Bench) -> Bench:
    """Give the bench a circuit that names all voltages of its nominal operating point: samples are found from there.

    Call it in a ``Worker``; without, every sample begins at nothing and takes a hundred times as long.
    """
    nets = list(bench.circuit.nets)
    with Session(bench.lines) as session:
        volts = session.point(nets).volts
    held = {net.lower() for net, _ in bench.circuit.fixed()}
    found = tuple((net, float(v)) for net, v in zip(nets, volts, strict=True) if net.lower() not in held)
    return replace(bench, circuit=replace(bench.circuit, nodeset=found))


def probe_rows(circuit: SiliconCircuit) -> tuple[list[str], Float[np.ndarray, "d n"]]:
    """Give the nets that are read, and the rows that turn their voltages into Legendre states."""
    nets = nets_read(circuit)
    rows = np.zeros((circuit.order, len(nets)))
    for k, probe in enumerate(circuit.probes):
        for term in probe:
            rows[k, nets.index(term.of)] += term.factor
    return nets, rows


def measured(bench: Bench, sample: Deviations, *, trim: Float[np.ndarray, " s"] | None = None) -> Measured:
    """Run some samples in this process, which ngspice may end: call it in a ``Worker``.

    Parameters
    ----------
    bench : Bench
    sample : Deviations
    trim : (s,) array, optional
        Factor of the common bias of each.
    """
    circuit, pdk = bench.here, bench.installed.pdk
    nets, rows = probe_rows(circuit)
    found = spread(circuit, pdk)
    undeviated = nominal(circuit, found)
    points: list[Point | None] = []
    with Session(bench.lines) as session:
        values = model_values(session, bench, found)
        alter_chip(session, bench, undeviated, found=found, values=values)
        session.point(nets)
        for k in range(len(sample)):
            one = sample.of(slice(k, k + 1))
            bias = 1.0 if trim is None else float(trim[k])
            alter_chip(session, bench, one, found=found, values=values, factor=bias)
            try:
                points.append(
                    session.point(
                        nets,
                        sources=[source_card(circuit.supply, circuit)],
                        frequency=bench.frequency,
                    )
                )
            except SimulationError:
                points.append(None)
    size = len(nets)
    lost = Point(
        np.full(size, math.nan), np.full(1, math.nan), np.full((len(bench.frequency), size), np.nan + 0j), -1
    )
    kept = [lost if p is None else p for p in points]
    apart = np.array([p.volts for p in kept]) - circuit.quiescent
    return Measured(
        apart @ rows.T,
        np.array([p.response for p in kept]) @ rows.T,
        np.array([-p.amperes[0] for p in kept]),
        np.array([p.rung for p in kept]),
    )


def model_values(session: Session, bench: Bench, found: Spread) -> dict[tuple[str, str], float]:
    """Read what the process moves of the models, of a deck as it was read."""
    undeviated = nominal(bench.here, found).process[0]
    shifts = process_shifts(bench.here, bench.installed.pdk, undeviated, found=found)
    return dict(zip(shifts, session.model_values(list(shifts)), strict=True)) if shifts else {}


def alter_chip(
    session: Session,
    bench: Bench,
    one: Deviations,
    *,
    found: Spread,
    values: dict[tuple[str, str], float],
    factor: float = 1.0,
) -> None:
    """Make the first of some samples of a loaded deck, ``values`` being the models' own, with a factor of the bias."""
    circuit, pdk = bench.here, bench.installed.pdk
    session.alter(local_commands(circuit, pdk, one))
    session.alter(capacitor_commands(circuit, pdk, one, found=found))
    session.alter(process_commands(process_shifts(circuit, pdk, one.process[0], found=found), values))
    session.alter(resistor_commands(circuit, pdk, one, found=found, factor=factor))
    session.alter(bias_commands(circuit, factor))
