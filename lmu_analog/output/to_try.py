"""What to try where a design misses its limits: as an object, in a terminal and in the report."""

from typing import Any

import xarray as xr

from lmu_analog.analysis.what_to_try import Trial, what_to_try
from lmu_analog.design import Design
from lmu_analog.ensembles.orders import USUAL_YIELD
from lmu_analog.ensembles.taps import TapSpread
from lmu_analog.ensembles.yields import yield_within
from lmu_analog.output.text_tables import Table, percent, share


def relax(design: Design, *, fails: bool, doubt: str | None = None) -> dict[str, Any]:
    """Give what to try for JSON: ``relax``, empty where nothing fails, and ``relax_note``, what is judged or why.

    With a doubt about the theory, which is that of linear circuits, nothing is named, and the doubt is said.
    """
    if fails and doubt is not None:
        return {
            "relax": [],
            "relax_note": f"no change is named, as first-order theory does not apply: {doubt}",
        }
    found = what_to_try(design) if fails else None
    if found is None:
        return {"relax": [], "relax_note": None}
    return {"relax": [_trial(trial) for trial in found.trials], "relax_note": found.note}


def _trial(trial: Trial) -> dict[str, Any]:
    return {
        "change": trial.text,
        "keys": {change.key: change.value for change in trial.changes},
        "nrmse_p95": trial.nrmse_p95,
        "tap_nrmse_p95": trial.tap_nrmse_p95,
        "yield": trial.good,
        "feasible": trial.feasible,
    }


def nominal_fails(result: xr.Dataset, design: Design) -> bool:
    """Tell whether a simulation of the nominal circuit misses a limit: of the window, or of a tap."""
    limit, of_taps = design.nrmse, design.tap_nrmse
    window = limit is not None and not float(result.window_nrmse) <= limit
    return window or (of_taps is not None and not bool((result.tap_nrmse <= of_taps).all()))


def ensemble_fails(run: xr.Dataset, design: Design, taps: list[TapSpread]) -> bool:
    """Tell whether fewer circuits than are wanted keep a limit: 95 % of them unless the design says so."""
    found = [] if design.nrmse is None else [yield_within(run, design.nrmse)]
    found += [tap.good for tap in taps if tap.good is not None]
    return any(each.value < (design.wanted_yield or USUAL_YIELD) for each in found)


def rows(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Lay out the object: name, p95 of the window, and change with its yield."""
    if content.get("relax_note") is None:
        return []
    found = [(_name(trial), percent(trial["nrmse_p95"]), _said(trial)) for trial in content["relax"]]
    return [*found, ("what to try" if not found else "", "", content["relax_note"])]


def lines(content: dict[str, Any]) -> list[str]:
    """Give the same, a line each."""
    found = [
        f"{_name(trial)}: p95 {percent(trial['nrmse_p95'])} with {_said(trial)}" for trial in content["relax"]
    ]
    return [*found, content["relax_note"]]


def table(content: dict[str, Any]) -> Table | None:
    """Give the table of the report; None where there is nothing to try."""
    if not content["relax"]:
        return None
    shown = tuple(
        (
            trial["change"],
            percent(trial["nrmse_p95"]),
            *(() if trial["tap_nrmse_p95"] is None else (percent(trial["tap_nrmse_p95"]),)),
            share(trial["yield"]),
            "yes" if trial["feasible"] else "no",
        )
        for trial in content["relax"]
    )
    taps = () if len(shown[0]) == 4 else ("p95 of the worst tap",)
    return Table(
        "What to try, and what first-order theory expects of it",
        ("change", "p95 of the window", *taps, "yield", "enough"),
        shown,
    )


def _name(trial: dict[str, Any]) -> str:
    if not trial["feasible"]:
        return "not enough"
    return "could be met" if any(key.startswith("spec.") for key in trial["keys"]) else "to try"


def _said(trial: dict[str, Any]) -> str:
    taps = trial["tap_nrmse_p95"]
    beside = "" if taps is None else f", p95 of the worst tap {percent(taps)}"
    return f"{trial['change']}: yield {share(trial['yield'])}{beside}"
