"""What a report is about, and what a section of it is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import xarray as xr

from lmu_analog.analysis.figures_of_merit import FiguresOfMerit, figures_of_merit
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import theory_of
from lmu_analog.ensembles.expected import Expected, expected_yield
from lmu_analog.ensembles.taps import TapSpread, tap_spreads
from lmu_analog.errors import LmuAnalogError
from lmu_analog.output.figures import Figure
from lmu_analog.output.text_tables import Table
from lmu_analog.storage.completed import completed

LARGE = 12  # order above which calibration takes long


@dataclass(frozen=True)
class Settings:
    """How much a report computes.

    Attributes
    ----------
    sections : tuple of str
        Keys of the sections that are wanted; all unless given.
    skipped : tuple of str
        Keys of those that are named, with the reason that they take long, but not computed.
    budget, calibration, corners : int
        Mismatched circuits in the error budget, in the calibration, and in every corner.
    seed : int
        Of the mismatch draws of these three.
    """

    sections: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    budget: int = 100
    calibration: int = 50
    corners: int = 50
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Subject:
    """What a report is about: a design with what was simulated. Sections compute the rest.

    Attributes
    ----------
    design : Design
    circuit : Circuit
        Of the design, nominal.
    results : dict of Dataset
        Engine to its ``simulate``; may be empty.
    run : Dataset or None
        From ``monte_carlo``.
    failures : dict of str
        Engine to the reason why it has no result, where it was tried.
    sensitivity : Dataset or None
        From ``sensitivity.elements``; computed unless given.
    warnings : tuple of str
        What the reader should know about the circuit.
    text : str
        The design file as it was given; written anew unless given.
    written : str
        When, as it shall be shown; left out unless given, so that equal subjects give equal bytes.
    settings : Settings
    """

    design: Design
    circuit: Circuit
    results: Mapping[str, xr.Dataset] = field(default_factory=dict)
    run: xr.Dataset | None = None
    failures: Mapping[str, str] = field(default_factory=dict)
    sensitivity: xr.Dataset | None = None
    warnings: tuple[str, ...] = ()
    text: str = ""
    written: str = ""
    settings: Settings = field(default_factory=Settings)

    def __post_init__(self) -> None:
        if self.run is not None:
            object.__setattr__(self, "run", completed(self.run))

    @cached_property
    def figures_of_merit(self) -> FiguresOfMerit | str:
        """Figures of merit of the nominal circuit, or why there are none."""
        try:
            return figures_of_merit(self.design)
        except LmuAnalogError as error:
            return str(error)

    @cached_property
    def expected_yield(self) -> Expected | None:
        """Yield by first-order theory; none without mismatch or limit, and if unstable."""
        try:
            theory = None if self.design.nrmse is None else theory_of(self.design)
            return None if theory is None else expected_yield(self.design, theory)
        except LmuAnalogError:
            return None

    @cached_property
    def tap_spreads(self) -> tuple[TapSpread, ...] | str:
        """The taps of the run's circuits, none without a run, or why they could not be computed."""
        try:
            return () if self.run is None else tuple(tap_spreads(self.run, self.design))
        except LmuAnalogError as error:
            return str(error)

    @property
    def tap_errors(self) -> dict[str, float]:
        """The largest NRMSE of the engines for every tap by name, a fraction; none without a simulation."""
        names = [tap.name for tap in self.circuit.taps] if self.results else []
        return {
            name: max(float(result.tap_nrmse[k]) for result in self.results.values())
            for k, name in enumerate(names)
        }

    @property
    def nominal_error(self) -> float | None:
        """The largest window NRMSE of the engines, a fraction; None without a simulation."""
        return max((float(result.window_nrmse) for result in self.results.values()), default=None)


@dataclass(frozen=True)
class Section:
    """A part of the report.

    Attributes
    ----------
    lead : str
        A line of prose: what is shown, and from how many circuits.
    figures : tuple of Figure
    tables : tuple of Table
    notes : tuple of str
        Warnings, each a line.
    text : str
        Shown as it is.
    content : dict
        The same as numbers, for JSON.
    absent : str
        Why there is none of all this; empty where there is.
    failed : bool
        Whether it is absent because a computation failed, not because there is no such thing.
    """

    lead: str = ""
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    text: str = ""
    content: Mapping[str, Any] = field(default_factory=dict)
    absent: str = ""
    failed: bool = False
