"""Why a sample has no good result, or another engine's: a closed list, so that equal runs store equal codes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lmu_analog.errors import SimulationError
from lmu_analog.storage.completed import completed

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class _Reason:
    """A reason.

    Attributes
    ----------
    name : str
        One word, the meaning of its code in a store.
    text : str
        For people.
    pattern : str
        Of the errors that it stands for; empty where no error does.
    """

    name: str
    text: str
    pattern: str = ""


# The code of a reason is its place here: stores hold it, so new ones go to the end. The first pattern that
# fits an error counts.
REASONS = (
    _Reason("none", "none"),
    _Reason("unstable", "unstable: a pole in the right half-plane"),
    _Reason("impossible", "a component value that is not positive"),
    _Reason("unknown", "a failure without a known reason"),
    _Reason("timeout", "no answer in time", r"no answer within"),
    _Reason("crash", "the worker process died", r"worker process died"),
    _Reason("lost", "its cluster worker was lost, also when it ran alone", r"cluster worker was lost"),
    _Reason(
        "no_convergence",
        "ngspice did not converge",
        r"(?i)timestep too small|no convergence|singular|aborted",
    ),
    _Reason(
        "incomplete", "ngspice gave an incomplete answer", r"stopped (at|after)|gave no vector|plots instead"
    ),
    _Reason("not_finite", "values that are not finite", r"not finite"),
    _Reason("ngspice", "ngspice refused the deck", r"ngspice:|deck line"),
    _Reason("handed", "beyond the nonlinear engine, so ngspice ran it"),
    _Reason("unsure", "the exact engine is not sure of it, so ngspice ran it"),
    _Reason("no_operating_point", "ngspice found no operating point", r"no operating point"),
)
CODES = {reason.name: code for code, reason in enumerate(REASONS)}


def code_of(error: SimulationError) -> int:
    """Give the code of the reason that an error stands for."""
    fits = (k for k, reason in enumerate(REASONS) if reason.pattern and re.search(reason.pattern, str(error)))
    return next(fits, CODES["unknown"])


def reasons(run: xr.Dataset) -> dict[str, int]:
    """Count the samples of a run that have a reason by its text, most frequent first.

    A run of an older version knows no reasons, and gives none.
    """
    if "reason" not in run:
        return {}
    run = completed(run)
    codes = [int(code) for code in run.reason.values if code != CODES["none"]]
    counted = {code: codes.count(code) for code in sorted(set(codes))}
    ranked = sorted(counted.items(), key=lambda pair: -pair[1])
    return {(REASONS[c] if c < len(REASONS) else REASONS[CODES["unknown"]]).text: n for c, n in ranked}
