"""Corners of a memory in transistors of a process: corner, temperature and supply crossed, each in three ways.

As built; after one trim of the bias at 27 C and the nominal supply, in the same corner; and as built against the window
whose length fits best. The chip is the nominal one of each corner; its capacitors are typical but for two rows.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.design import Design
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.silicon.draws import Deviations
from lmu_analog.silicon.ensemble import (
    bias_exponent,
    errors_with,
    fitted_theta,
    nominal_chip,
    window_errors,
)
from lmu_analog.silicon.lost_points import WORDS, lost
from lmu_analog.silicon.lost_points import at as named
from lmu_analog.silicon.samples import Bench, Conditions, Measured, measured, settled
from lmu_analog.units import ICE

TEMPERATURES = (-40.0, 27.0, 125.0)  # C
SUPPLIES = (0.9, 1.0, 1.1)  # of the nominal one
TRIMMED_AT = 27.0  # C
MOST_CORNERS = 1000
TIMEOUT = 1200.0  # s for one of them
RENEWED_AFTER = 8  # conditions that a process takes: ngspice's library ages with circuits


@dataclass(frozen=True)
class ChipCorner:
    """The nominal chip at some conditions.

    Attributes
    ----------
    conditions : Conditions
    built, trimmed, fitted : float
        Window NRMSE without offsets; NaN where there is no operating point.
    theta : float, s
        Window length that fits best, as built.
    trim : float
        Factor of the bias, found at 27 C.
    power : float, W
        As built.
    offset : float, V
        Largest offset of a state.
    lost : str
        Why there is nothing, in a line; empty where there is.
    """

    conditions: Conditions
    built: float = np.nan
    trimmed: float = np.nan
    fitted: float = np.nan
    theta: float = np.nan
    trim: float = np.nan
    power: float = np.nan
    offset: float = np.nan
    lost: str = ""


def conditions(
    design: Design, temperatures: tuple[float, ...] = (), supplies: tuple[float, ...] = ()
) -> list[Conditions]:
    """List the conditions: all crossed; slow and fast capacitors alone, and resistors where the bias has one.

    Parameters
    ----------
    design : Design
    temperatures : tuple of float, K
        -40, 27 and 125 C unless given.
    supplies : tuple of float
        Of the nominal supply; 90, 100 and 110 % unless given.

    Raises
    ------
    DesignError
        If there are too many.
    """
    corners = design.installed_pdk.pdk.corners
    warm = tuple(round(t - ICE, 6) for t in temperatures) or TEMPERATURES
    shares = supplies or SUPPLIES
    count = len(corners["mos"]) * len(warm) * len(shares)
    if count > MOST_CORNERS:
        raise DesignError(
            f"{count} corners are more than {MOST_CORNERS}; give fewer of --temperature and --supply"
        )
    crossed = itertools.product(corners["mos"], warm, shares)
    alone = [Conditions(mim=mim.rpartition("_")[2]) for mim in corners["mim"][1:]]
    if design.bias != "ideal":
        ends = [name.rpartition("_")[2] for name in corners["resistor"][1:]]
        alone += [Conditions(resistor=end) for end in ends]
        # A fast resistor takes the largest current, which is hardest to carry hot and at a low supply.
        hard = itertools.product(corners["mos"], ends)
        alone += [Conditions(corner, "typical", max(warm), min(shares), end) for corner, end in hard]
    return [*(Conditions(corner, "typical", t, share) for corner, t, share in crossed), *alone]


def chip_corners(
    bench: Bench,
    wanted: list[Conditions],
    *,
    workers: int | None = None,
    progress: Callable[[int], None] | None = None,
) -> list[ChipCorner]:
    """Measure the nominal chip at all conditions.

    Parameters
    ----------
    bench : Bench
        At its nominal operating point.
    wanted : list of Conditions
    workers : int, optional
        Processes; as many as there are processors unless given.
    progress : callable, optional
        Called with the number of conditions done since the last call.
    """
    cool = list(dict.fromkeys(_trimmed_at(at) for at in wanted))
    first = _measured(bench, [(at, None) for at in cool], workers, None)
    trims = {at: row.trim for at, row in zip(cool, first, strict=True)}
    known = {row.conditions: row for row in first}
    left = [at for at in wanted if at not in known]
    if progress:
        progress(len(wanted) - len(left))
    tasks: list[tuple[Conditions, float | None]] = [(at, trims[_trimmed_at(at)]) for at in left]
    known |= {row.conditions: row for row in _measured(bench, tasks, workers, progress)}
    rows = [known[at] for at in wanted]
    with_point = [row.conditions for row in rows if not row.lost]
    return [_explained(row, with_point) for row in rows]


def _trimmed_at(at: Conditions) -> Conditions:
    """Give where a chip of the same corners is trimmed."""
    return replace(at, temperature=TRIMMED_AT, supply=1.0)


def _measured(
    bench: Bench,
    tasks: list[tuple[Conditions, float | None]],
    workers: int | None,
    progress: Callable[[int], None] | None,
) -> Iterator[ChipCorner]:
    found: dict[int, ChipCorner] = {}
    units = [(bench, *task) for task in tasks]
    run = run_tasks(
        chip_corner, units, workers=workers or processors(), timeout=TIMEOUT, renewed_after=RENEWED_AFTER
    )
    for number, result in run:
        if isinstance(result, SimulationError):
            found[number] = _Lost(tasks[number][0], lost=str(result), error=result)
        else:
            found[number] = result
        if progress:
            progress(1)
    return iter(found[k] for k in range(len(tasks)))


@dataclass(frozen=True)
class _Lost(ChipCorner):
    """What ngspice said where nothing was found."""

    error: SimulationError | None = None


def _explained(row: ChipCorner, others: list[Conditions]) -> ChipCorner:
    """Say at which nets a lost operating point did not settle, and where the nearest is that was found."""
    if not isinstance(row, _Lost) or row.error is None:
        return row
    if WORDS not in str(row.error):  # a time limit, or a process that ended
        return ChipCorner(row.conditions, lost=f"{named(row.conditions)}: {row.error}")
    return ChipCorner(row.conditions, lost=lost(row.conditions, row.error, others))


def chip_corner(bench: Bench, at: Conditions, trim: float | None) -> ChipCorner:
    """Measure the nominal chip at some conditions; call it in a worker.

    Parameters
    ----------
    bench : Bench
    at : Conditions
    trim : float, optional
        Factor of the bias; found here, at these conditions, unless given. NaN where none was found.
    """
    here = settled(replace(bench, conditions=at))
    theta, frequency, nothing = here.circuit.theta, here.frequency, nominal_chip(here)

    def measure(sample: Deviations, factor: Float[np.ndarray, " s"]) -> Measured:
        return measured(here, sample, trim=factor)

    if trim is None:
        exponent = bias_exponent(measure, here, nominal_sample=nothing)
        trim = float(errors_with(measure, nothing, here, exponent=exponent).trim[0])
    found = measure(nothing.of(np.zeros(2, int)), np.array([1.0, trim if np.isfinite(trim) else 1.0]))
    if (found.rung < 0).any():
        raise SimulationError("no operating point")
    built, trimmed = window_errors(found.states, frequency, theta)
    trimmed = trimmed if np.isfinite(trim) else np.nan
    length = float(fitted_theta(found.states[:1], frequency, theta)[0])
    fitted = float(window_errors(found.states[:1], frequency, length)[0])
    watts = found.current * here.circuit.source(here.circuit.supply).value * at.supply
    largest = float(np.abs(found.offset[0]).max())
    return ChipCorner(at, float(built), float(trimmed), fitted, length, trim, float(watts[0]), largest)
