"""Chips at full amplitude: transients in ngspice until a sum of tones is in its steady state, over one period.

The input's tones are sources in series whose sum one controlled source scales, so that a deck is read once for all
amplitudes. A transient begins at the operating point of its first instant, and what the memory has forgotten after
some windows is not kept.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from lmu_analog.circuits.components import GROUND
from lmu_analog.errors import CircuitError, SimulationError
from lmu_analog.silicon.deck import source_card
from lmu_analog.silicon.devices import Voltage
from lmu_analog.silicon.draws import Deviations, nominal, spread
from lmu_analog.silicon.ensemble import in_fresh_workers
from lmu_analog.silicon.samples import Bench, alter_chip, model_values, probe_rows
from lmu_analog.spice.cards import number
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker
from lmu_analog.stimulus import Tones

SETTLE = 6.0  # windows that are waited for a steady state
STEPS = (
    64  # in a turn of the highest tone; the trapezoidal rule's phase is then wrong by 1e-3 of a radian there
)
POINTS = 32  # of one turn of the highest tone that are kept: harmonics up to the fifteenth
BLOCK = 8  # transients
TIMEOUT = 600.0  # s for a block
# The deck's tolerances for operating points take 2.5 times as long at order 6, and move states by 3e-5 of their peak.
OPTIONS = "gmin=1e-15 abstol=1e-14 reltol=1e-4"
LEVEL = "drive"  # net, and part of the names of the sources, that carry the input


@dataclass(frozen=True, eq=False)
class SteadyStates:
    """Legendre states of some chips over one period of the input.

    Attributes
    ----------
    time : (t,) array, s
        Evenly spaced; the input is at its own phase there.
    states : (s, t, d) array, V
        Their DC offsets too; NaN where the transient was aborted.
    apart : (s,) array, V
        How far the states at the end of the period are from those at its beginning, at most: 0 in a steady state.
    rung : (s,) array
        Options with which the transient came to its end, see ``spice.session.LADDER``; -1 where none did.
    """

    time: Float[np.ndarray, " t"]
    states: Float[np.ndarray, "s t d"]
    apart: Float[np.ndarray, " s"]
    rung: np.ndarray

    def __len__(self) -> int:
        return len(self.states)


Swept = Callable[[Deviations, Float[np.ndarray, " s"], Float[np.ndarray, " s"]], SteadyStates]


def with_transients(bench: Bench, tones: Tones, worker: Worker | None = None) -> Swept:
    """Give ngspice as what turns samples, factors of the bias and factors of the input into steady states.

    Parameters
    ----------
    bench : Bench
        Settled.
    tones : Tones
        Of the input for a factor of 1, V on the chip.
    worker : Worker, optional
        Runs all blocks in place of fresh processes, without a second try: for a few samples.
    """

    def swept(sample: Deviations, trim: np.ndarray, amplitude: np.ndarray) -> SteadyStates:
        stretches = [slice(k, k + BLOCK) for k in range(0, len(sample), BLOCK)]
        tasks = [(bench, tones, sample.of(at), trim[at], amplitude[at]) for at in stretches]
        if worker is not None:
            parts = [worker.call(_block, task, timeout=TIMEOUT) for task in tasks]
        else:
            parts = in_fresh_workers(_block, tasks, is_whole=_is_whole, timeout=TIMEOUT)
        return SteadyStates(
            parts[0].time,
            *(np.concatenate([getattr(p, x) for p in parts]) for x in ("states", "apart", "rung")),
        )

    return swept


def _is_whole(found: SteadyStates) -> bool:
    return bool((found.rung >= 0).all())


def _block(
    bench: Bench, tones: Tones, sample: Deviations, trim: np.ndarray, amplitude: np.ndarray
) -> SteadyStates:
    return steady_states(bench, tones, sample, trim=trim, amplitude=amplitude)


def driven_lines(bench: Bench, tones: Tones) -> list[str]:
    """Write the deck of a bench with tones in place of its input's constant, each a source in series.

    Raises
    ------
    CircuitError
        If the circuit's drive is not a voltage against ground.
    """
    circuit = bench.circuit
    drive = circuit.source(circuit.drive)
    if not isinstance(drive, Voltage) or drive.b != GROUND:
        raise CircuitError(f"{circuit.drive}: the input of a transient is a voltage against ground")
    card = source_card(drive.name, circuit)
    found: list[str] = []
    for line in bench.lines:
        if line.lower().startswith(f"{card} "):
            found += _cards(card, drive, tones)
        else:
            found.append(f".options {OPTIONS}" if line.startswith(".options") else line)
    return found


def _cards(card: str, drive: Voltage, tones: Tones) -> Iterator[str]:
    yield f"{card} {drive.a} {LEVEL} {number(drive.value)} ac 1"
    yield f"e{LEVEL} {LEVEL} {GROUND} {LEVEL}_0 {GROUND} 1"
    last = len(tones.frequency) - 1
    for k, (f, phasor) in enumerate(zip(tones.frequency.tolist(), tones.phasor.tolist(), strict=True)):
        below = GROUND if k == last else f"{LEVEL}_{k + 1}"
        # cos(wt + a) = sin(wt + a + 90 degrees), and SPICE's SIN takes degrees.
        degrees = math.degrees(math.atan2(phasor.imag, phasor.real)) + 90.0
        wave = " ".join(number(x) for x in (0.0, abs(phasor), f, 0.0, 0.0, degrees))
        yield f"v{LEVEL}_{k} {LEVEL}_{k} {below} dc 0 sin({wave})"


def steady_states(
    bench: Bench,
    tones: Tones,
    sample: Deviations,
    *,
    trim: Float[np.ndarray, " s"],
    amplitude: Float[np.ndarray, " s"],
) -> SteadyStates:
    """Run transients of some samples in this process, which ngspice may end: call it in a ``Worker``.

    Parameters
    ----------
    bench : Bench
    tones : Tones
    sample : Deviations
    trim, amplitude : (s,) array
        Factors of the common bias, and of the input.
    """
    circuit, pdk = bench.here, bench.installed.pdk
    nets, rows = probe_rows(circuit)
    found, highest = spread(circuit, pdk), float(tones.frequency.max())
    undeviated = nominal(circuit, found)
    start, period = SETTLE * circuit.theta, tones.period
    kept = POINTS * round(period * highest)
    time = start + period * np.arange(kept) / kept
    states = np.full((len(sample), kept, circuit.order), np.nan)
    apart, rung = np.full(len(sample), np.nan), np.full(len(sample), -1)
    step = 1.0 / (STEPS * highest)
    with Session(driven_lines(bench, tones)) as session:
        values = model_values(session, bench, found)
        for k in range(len(sample)):
            # Every transient begins at what the nominal circuit's voltages lead to: its bits do not depend on others.
            for one, bias in ((undeviated, 1.0), (sample.of(slice(k, k + 1)), float(trim[k]))):
                alter_chip(session, bench, one, found=found, values=values, factor=bias)
            session.alter([f"alter e{LEVEL} gain = {number(float(amplitude[k]))}"])
            try:
                waves = session.transient(nets, start=start, stop=start + period, step=step)
            except SimulationError:
                continue
            along = scipy.interpolate.CubicSpline(waves.time, (waves.volts - circuit.quiescent) @ rows.T)
            states[k], rung[k] = along(time), waves.rung
            apart[k] = np.abs(along(time[0] + period) - along(time[0])).max()
    return SteadyStates(time, states, apart, rung)
