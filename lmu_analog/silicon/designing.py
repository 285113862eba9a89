"""From what a memory must do to its transistors: the geometry of its cells, and the whole circuit, predistorted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.devices.pdk import InstalledPdk, find_pdk
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.silicon.bias import GENERATORS, Generator
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.choosing import NARROW, Choice, chosen, tables_for
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.ensemble import nominal_chip, settle, with_ngspice
from lmu_analog.silicon.lost_points import explained
from lmu_analog.silicon.memory import Plan, chain_lengths, plan, predistorted, transistors
from lmu_analog.silicon.samples import Bench
from lmu_analog.silicon.swing import comb, parts
from lmu_analog.silicon.transients import with_transients
from lmu_analog.spice.worker import Worker
from lmu_analog.stimulus import Tones
from lmu_analog.units import write

CHIP_AMPLITUDE = (
    0.2  # V: peak on the chip, to which inputs are divided down where no memory like it was tried
)
SUPPLY = 3.3  # V: at which all was tried
TONES = 10  # in the band, at which signals of a memory are compared
# By how much wider the triode devices are with a generator of constant transconductance: it gives a third more current
# at 125 C, for which narrow ones would need more than the common voltage at their gates. Far wider ones lose that
# voltage in the fast corner at -40 C.
HOT = 1.4
STEPS = 4  # corrections of the predistortion
# Long pairs in strong inversion: current per width, and width per transconductance, of p-channel devices of 45 um.
DENSITY, WIDTH = 0.0539, 4.2847287980907245  # A/m and m/S
LONG = {"pair": 45e-6, "tail": 45e-6, "load": 45e-6, "triode": 45e-6}  # m


@dataclass(frozen=True)
class Tried:
    """Memories that a sizing was tried with.

    Attributes
    ----------
    realization : str
    orders : (int, int)
        The least and the largest.
    theta : (float, float), s
        Likewise.
    turns : float
        The largest bandwidth times theta.
    amplitude : float, V
        The largest peak of the input on the chip: where pairs are linear.
    sizing : Sizing or None
        Of all these memories; None: chosen from device tables for each, see ``choosing``.
    """

    realization: str
    orders: tuple[int, int]
    theta: tuple[float, float]
    turns: float
    amplitude: float
    sizing: Sizing | None = None


SLOW, FAST = (5e-4, 1e-2), (1e-6, 2e-5)  # s: windows of doublets in weak inversion, of short pairs in strong
# The first row that has a memory in it decides.
TRIED: tuple[Tried, ...] = (
    Tried("ladder", (1, 6), SLOW, 1.2, 0.1),
    Tried("block-ladder", (6, 6), SLOW, 1.2, 0.1),
    Tried("ladder", (1, 6), FAST, 1.2, 0.2),
    Tried("block-ladder", (6, 6), FAST, 1.2, 0.2),
    Tried(
        "ladder",
        (1, 3),
        (5e-5, 5e-4),
        0.5,
        0.2,
        Sizing(6e-12, DENSITY, WIDTH, **LONG, cascode_ratio=0.6),
    ),
    Tried("ladder", (1, 6), (2e-4, 2e-3), 1.2, 0.2, Sizing(8e-12, DENSITY, WIDTH, **LONG)),
)


def sizing_for(
    realization: str,
    order: int,
    theta: float,
    *,
    bandwidth: float,
    amplitude: float,
    supply: float,
    installed: InstalledPdk | None = None,
) -> Sizing:
    """Choose the geometry of the cells of a memory: one that was tried, or from device tables, as ``chosen_for`` says.

    Parameters
    ----------
    realization : str
    order : int
    theta : float, s
    bandwidth : float, Hz
    amplitude : float, V
        Peak of the input on the chip.
    supply : float, V
    installed : InstalledPdk, optional
        Models for device tables; those of GF180MCU are looked for unless given, where tables are needed.

    Raises
    ------
    DesignError
        If no memory like it was tried; the message says what was.
    """
    row = _row(realization, order, theta, bandwidth=bandwidth, amplitude=amplitude, supply=supply)
    if row.sizing is not None:
        return row.sizing
    asked = {"bandwidth": bandwidth, "amplitude": amplitude, "supply": supply}
    return chosen_for(realization, order, theta, **asked, installed=installed or find_pdk("gf180mcu")).sizing


def chosen_for(
    realization: str,
    order: int,
    theta: float,
    *,
    bandwidth: float,
    amplitude: float,
    supply: float,
    installed: InstalledPdk,
) -> Choice:
    """Choose cells from device tables, and say why: what ``sizing_for`` does where no row has a sizing.

    The tables are swept in ngspice once, some seconds each, and kept.

    Raises
    ------
    DesignError
        If no cell is linear or fast enough.
    SimulationError
        If ngspice is missing or fails.
    """
    memory = (realization, order, theta, bandwidth)
    return _chosen(memory, amplitude, supply, name=installed.pdk.name, folder=installed.folder)


@lru_cache(maxsize=64)
def _chosen(
    memory: tuple[str, int, float, float], amplitude: float, supply: float, *, name: str, folder: Path
) -> Choice:
    """Choose once: a design is checked before it is drawn."""
    realization, order, theta, bandwidth = memory
    wanted = Design(order=order, theta=theta, family="gm-c", realization=realization, bandwidth=bandwidth)
    tables = tables_for(find_pdk(name, folder))
    frequency = bandwidth * np.arange(1, TONES + 1) / TONES
    return chosen(build(wanted), tables, frequency, amplitude=amplitude, supply=supply)


def largest_amplitude(realization: str, order: int, theta: float, *, bandwidth: float) -> float:
    """Give the largest peak of the input on the chip with which such memories were tried, V; 0 where none was."""
    return max(
        (
            row.amplitude
            for row in TRIED
            if row.realization == realization
            and _holds(row.orders, order)
            and _holds(row.theta, theta)
            and _holds((0.0, row.turns), bandwidth * theta)
        ),
        default=0.0,
    )


def _row(
    realization: str, order: int, theta: float, *, bandwidth: float, amplitude: float, supply: float
) -> Tried:
    """Find the first row that has a memory in it.

    Raises
    ------
    DesignError
        If there is none.
    """
    rows = [row for row in TRIED if row.realization == realization]
    if not rows:
        known = ", ".join(dict.fromkeys(row.realization for row in TRIED))
        raise DesignError(f"[circuit] realization: transistors make {known}, not {realization}")
    # One demand after another, so that the message names the first that no row meets.
    rows = _within(rows, "[memory] order", order, lambda row: row.orders, _count)
    rows = _within(rows, "[memory] theta", theta, lambda row: row.theta, partial(write, unit="s"))
    rows = _within(
        rows,
        "[signal] bandwidth",
        bandwidth,
        lambda row: (0.0, row.turns / theta),
        partial(write, unit="Hz"),
    )
    rows = _within(
        rows, "[signal] amplitude", amplitude, lambda row: (0.0, row.amplitude), partial(write, unit="V")
    )
    if abs(supply / SUPPLY - 1.0) > 1e-6:
        raise DesignError(
            f"[circuit] supply: {write(supply, 'V')}; transistors of {realization} were tried at "
            f"{write(SUPPLY, 'V')}; give that"
        )
    return rows[0]


def _count(value: float) -> str:
    return f"{value:g}"


def _within(
    rows: list[Tried],
    label: str,
    value: float,
    limits: Callable[[Tried], tuple[float, float]],
    said: Callable[[float], str],
) -> list[Tried]:
    """Leave the rows whose limits hold a value.

    Raises
    ------
    DesignError
        If none does; it names what the rows hold.
    """
    kept = [row for row in rows if _holds(limits(row), value)]
    if kept:
        return kept
    spans = " and ".join(
        f"{said(low)} to {said(high)}" if low else f"at most {said(high)}"
        for low, high in _joined([limits(row) for row in rows])
    )
    raise DesignError(
        f"{label}: {said(value)}; transistors of {rows[0].realization} were tried for {spans}; give another"
    )


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join spans that overlap: rows leave gaps between them, and a message must not offer what lies in one."""
    joined: list[tuple[float, float]] = []
    for low, high in sorted(spans):
        if joined and low <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return joined


def _holds(limits: tuple[float, float], value: float) -> bool:
    slack = 1e-9  # a fraction: limits are inclusive, whatever the last bit of a product is
    return limits[0] * (1.0 - slack) <= value <= limits[1] * (1.0 + slack)


def bench_of(
    design: Design, *, worker: Worker | None = None, progress: Callable[[float], None] | None = None
) -> Bench:
    """Draw the circuit of a design of a kit's transistors, predistorted at its nominal operating point.

    Parameters
    ----------
    design : Design
        With ``uses_pdk``.
    worker : Worker, optional
    progress : callable, optional
        Called with the fraction that is done.

    Raises
    ------
    DesignError
        If the models are not here, or the memory is none that was tried.
    SimulationError
        If ngspice is missing or finds no operating point.
    """
    installed, sizing = check(design)
    if design.bias != "ideal":
        sizing = beside_generator(sizing)
    return designed(
        build(ideal_design(design)),
        installed,
        tones(design).frequency,
        sizing=sizing,
        gain=chip_gain(design),
        generator=GENERATORS.get(design.bias),
        worker=worker,
        progress=progress,
    )


def check(design: Design) -> tuple[InstalledPdk, Sizing]:
    """Refuse a design that transistors cannot take, before any work: give its models and its sizing.

    Raises
    ------
    DesignError
    """
    memory = (design.realization, design.order, design.theta)
    amplitude = design.amplitude * chip_gain(design)
    # What was not tried is refused before models are looked for.
    _row(*memory, bandwidth=design.bandwidth, amplitude=amplitude, supply=design.supply)
    installed = design.installed_pdk
    return installed, sizing_for(
        *memory,
        bandwidth=design.bandwidth,
        amplitude=amplitude,
        supply=design.supply,
        installed=installed,
    )


def beside_generator(sizing: Sizing) -> Sizing:
    """Give the geometry that a memory takes whose bias is made on the chip: wider triode devices, no narrow carriers.

    Its current spreads more than one from outside. Loads of the smallest rows must follow the replica's over all of it,
    and narrow devices follow the process otherwise: with those, one chip in nine of order 6 was lost.

    Doublets in weak inversion stay as they are: they were chosen without narrow carriers, and their currents go with
    the temperature alone.
    """
    if sizing.doublet != 1.0:
        return sizing
    return replace(
        sizing,
        triode_ratio=HOT * sizing.triode_ratio,
        least_carrier=max(NARROW, sizing.least_carrier),
        least_triode=max(NARROW, sizing.least_triode),
    )


def ideal_design(design: Design) -> Design:
    """Give the design whose circuit is the same of ideal transconductors."""
    return design.replace(level="behavioural", technology=None, pdk=None, bias="ideal")


def tones(design: Design) -> Tones:
    """Give the tones of a design's signal: equal ones, k/10 of the bandwidth."""
    signal = design.stimulus
    if not isinstance(signal, Tones):
        raise DesignError("[signal] kind: circuits of transistors are measured with tones")
    return signal


def chip_gain(design: Design) -> float:
    """Give volts on the chip for one volt of the input: 1, or less where the input is beyond what pairs take."""
    tried = largest_amplitude(design.realization, design.order, design.theta, bandwidth=design.bandwidth)
    return min(1.0, (tried or CHIP_AMPLITUDE) / design.amplitude)


def designed(
    circuit: Circuit,
    installed: InstalledPdk,
    frequency: Float[np.ndarray, " k"],
    *,
    sizing: Sizing,
    gain: float = 1.0,
    swing: float | None = None,
    redraw: Callable[[SiliconCircuit], SiliconCircuit] | None = None,
    generator: Generator | None = None,
    worker: Worker | None = None,
    progress: Callable[[float], None] | None = None,
) -> Bench:
    """Draw a memory, predistorted at its nominal operating point or at full amplitude.

    Parameters
    ----------
    circuit : Circuit
        An ideal gm-C memory; its values go with the sizing's capacitance.
    installed : InstalledPdk
    frequency : (k,) array, Hz
        At which the circuit is to do what the ideal one does.
    sizing : Sizing
    gain : float
        Volts on the chip for one volt of the input.
    swing : float, V, optional
        Largest voltage of the input on the chip at which the circuit is to do what the ideal one does, as transients
        say it; small signals unless given.
    redraw : callable, optional
        Changes every circuit that is drawn, such as ``areas.scaled``.
    generator : Generator, optional
        Of the bias; without, its current is ideal.
    worker : Worker, optional
        In which ngspice runs; one of its own unless given.
    progress : callable, optional
        Called with the fraction that is done.

    Raises
    ------
    DesignError
        If a device is outside the limits of its model.
    CircuitError
        If the circuit has what transistors do not make.
    SimulationError
        If ngspice finds no operating point.
    """
    if worker is None:
        with Worker() as own:
            return designed(
                circuit,
                installed,
                frequency,
                sizing=sizing,
                gain=gain,
                swing=swing,
                redraw=redraw,
                generator=generator,
                worker=own,
                progress=progress,
            )

    def draw(wanted: Plan, chains: Mapping[str, int] | None = None) -> SiliconCircuit:
        found = transistors(wanted, sizing, installed.pdk, gain=gain, chains=chains, generator=generator)
        return redraw(found) if redraw and chains is not None else found

    ideal = plan(circuit, sizing.capacitance, frequency)
    chains = chain_lengths(draw(ideal))
    done = 0

    def respond(wanted: Plan) -> Complex[np.ndarray, "f n"]:
        nonlocal done
        bench = _settled(Bench(draw(wanted, chains), installed, frequency), worker)
        found = _nominal_states(bench, worker, swing)
        done += 1
        if progress:
            progress(done / (STEPS + 1))
        return found @ np.linalg.pinv(ideal.readout).T

    corrected = predistorted(ideal, respond, frequency, steps=STEPS)
    bench = _settled(Bench(draw(corrected, chains), installed, frequency), worker)
    if progress:
        progress(1.0)
    return bench


def _nominal_states(bench: Bench, worker: Worker, swing: float | None) -> Complex[np.ndarray, "k d"]:
    """Give the Legendre states of the nominal chip for one volt at each tone: of small signals, or at a swing."""
    chip, one = nominal_chip(bench), np.ones(1)
    if swing is None:
        return with_ngspice(bench, worker)(chip, one).states[0]
    tones = comb(bench.frequency, swing)
    found = with_transients(bench, tones, worker)(chip, one, one)
    return parts(found, tones, one, theta=bench.circuit.theta).states[0]


def _settled(bench: Bench, worker: Worker) -> Bench:
    try:
        return settle(bench, worker)
    except SimulationError as error:
        raise explained(bench, error) from None
