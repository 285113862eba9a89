"""Theory for people and scripts: sensitivities of elements, and high-sigma yield."""

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.building import realization
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import predict
from lmu_analog.ensembles.expected import expected_yield
from lmu_analog.ensembles.high_sigma import HighSigma
from lmu_analog.ensembles.verdict import verdict_of
from lmu_analog.output.files import check_figure
from lmu_analog.output.layout import save_figure
from lmu_analog.output.plots import plot_elements
from lmu_analog.output.summary import laws, records, uniform_circuits
from lmu_analog.output.tables import aligned, uniform_row
from lmu_analog.output.text_tables import interval, percent, rough, share
from lmu_analog.theory.coefficients import first_order_added_error, mismatch_lower_bound
from lmu_analog.theory.first_order import first_order
from lmu_analog.theory.sensitivity import elements, tighten

CHECKED = ("limit", "value", "low", "high", "samples")  # figures of a yield that circuits have checked
_DRAWN = 20  # elements in the plot
_LISTED = 12  # elements in the terminal


def sensitivity(design: Design, *, plot: Path | str | None = None) -> dict[str, Any]:
    """Give what first-order theory says about a design, with mismatch or without; draw it if asked.

    Parameters
    ----------
    design : Design
    plot : Path, optional
        Of a figure of the twenty elements that matter most.
    """
    check_figure(plot)
    theory = first_order(design)
    found = elements(design, theory)
    if plot is not None:
        count = min(_DRAWN, found.sizes["element"])
        save_figure(lambda ax: plot_elements(found, ax, count), plot, height=1.2 + 0.28 * count)
    without = tighten(found)
    expected, good = predict(theory), expected_yield(design, theory)
    return {
        **{key: design.provenance[key] for key in ("order", "family", "realization")},
        "nominal_nrmse": theory.nominal,
        "predicted_rms": theory.predicted_rms,
        "nrmse": {key: getattr(expected, key) for key in ("p05", "median", "p95")},
        "yield": None if good is None else {key: getattr(good, key) for key in CHECKED},
        "yield_uniform": None
        if good is None or good.uniform is None
        else {**{key: getattr(good.uniform, key) for key in CHECKED[:-1]}, "samples": good.samples},
        "mismatch": laws(design),
        "coefficient_percent": first_order_added_error(realization(design), bandwidth=design.bandwidth),
        "floor_percent": mismatch_lower_bound(design.order, design.theta, bandwidth=design.bandwidth),
        "elements": records(
            found, {"name": "element", "role": "role", "class": "kind", "share": "share", "excess": "excess"}
        ),
        "tighten": {
            "elements": records(without, {"name": "element", "rms": "rms"}),
            "classes": records(without, {"class": "kind", "share": "class_share", "rms": "class_rms"}),
        },
    }


def sensitivity_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``sensitivity``."""
    spread = content["nrmse"]
    middle = f"5 % to 95 %: {percent(spread['p05'])} to {percent(spread['p95'])}, without sampling"
    added = "rms error added by mismatch, all parts together"
    rows = [
        ("nominal NRMSE", percent(content["nominal_nrmse"]), "without mismatch"),
        ("added error", percent(content["predicted_rms"]), added),
        ("median NRMSE", percent(spread["median"]), middle),
    ]
    if limit := content["yield"]:
        rows += _yield_rows(limit, content["yield_uniform"])
    each = "added error per 1 % error of every coefficient"
    rows += [
        ("coefficients", f"{content['coefficient_percent']:.3g} %", each),
        ("lower bound", f"{content['floor_percent']:.3g} %", "least for as many errors as states"),
    ]
    title = f"first-order theory: {content['family']}, {content['realization']}, order {content['order']}"
    lines = [aligned(title, rows)]
    if not content["elements"]:
        return "\n".join([*lines, "no mismatch: give [mismatch] to see which elements matter"])
    lines += ["", f"{'element':<22}{'role':<18}{'share':>9}{'alone':>10}"]
    for row in content["elements"][:_LISTED]:
        lines.append(
            f"{row['name']:<22}{row['role'][:17]:<18}{percent(row['share']):>9}{percent(row['excess']):>10}"
        )
    if (rest := len(content["elements"]) - _LISTED) > 0:
        lines.append(f"and {rest} more")
    lines += ["", "added error that is left when exact:"]
    names: list[str] = []
    for row in content["tighten"]["elements"]:
        names.append(row["name"])
        lines.append(f"  {', '.join(names):<38}{percent(row['rms']):>10}")
    lines += [f"  {'all of ' + r['class']:<38}{percent(r['rms']):>10}" for r in content["tighten"]["classes"]]
    return "\n".join(lines)


def _yield_rows(limit: dict[str, Any], uniform: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Lay out a yield by first-order theory with the digits that circuits leave it, and that of uniform parts."""
    value, low, high, samples = (limit[key] for key in CHECKED[1:])
    note = f"within {percent(limit['limit'])}"
    if samples:
        fits = low <= value <= high
        said = "agree with theory" if fits else f"do not agree with theory, which says {percent(value)}"
        note += f"; {samples} circuits {said}: {interval(low, high)}"
    if samples and min(value, 1.0 - value) < 1.0 / samples:
        note += "\n    farther out theory is an extrapolation: the command yield goes there"
    return [("yield", rough(value, low, high), note), *([uniform_row(uniform)] if uniform else [])]


def high_sigma(
    found: HighSigma, wanted: float | None = None, uniform: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Give the figures of a yield far out in the tail, and what they say about the one that is wanted.

    ``uniform`` is the yield of parts uniform within their tolerance, beside it.
    """
    low, value, high = 1.0 - found.high, 1.0 - found.failure, 1.0 - found.low
    return {
        "method": found.method,
        "engine": found.engine,
        "samples": found.samples,
        "yield": {
            **{"limit": found.limit, "value": value, "low": low, "high": high},
            "wanted": wanted,
            "verdict": None if wanted is None else verdict_of(low, high, wanted),
        },
        "yield_uniform": uniform,
        "failure": {"value": found.failure, "low": found.low, "high": found.high},
        "sigma": found.sigma,
        "effective_failures": found.effective,
        "predicted_failure": found.predicted,
        "directions": found.directions,
        "warnings": list(found.warnings),
    }


def uniform_beside(design: Design, samples: int, seed: int) -> dict[str, Any] | None:
    """Give the yield of the first samples of a seed with parts uniform within their tolerance, none as there."""
    run = xr.Dataset(coords={"sample": np.arange(samples)}, attrs={"seed": seed})
    return uniform_circuits(run, design)


def high_sigma_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``yield``."""
    missed, limit, wanted = content["failure"], content["yield"]["limit"], content["yield"]["wanted"]
    within = f"95 % interval {missed['low']:.2g} to {missed['high']:.2g}, beyond {percent(limit)}"
    order = "by the quadratic form: first order, so far out no more than an estimate"
    rows = [
        ("failure", f"{missed['value']:.2g}", within),
        ("sigma", f"{content['sigma']:.3g}", "the same as a one-sided distance"),
        ("theory", f"{content['predicted_failure']:.1g}", order),
        ("directions", f"{content['directions']:.3g}", "of mismatch that share the blame"),
    ]
    if uniform := content["yield_uniform"]:
        rows.append(uniform_row(uniform))
    if wanted is not None:
        rows.append(("yield wanted", share(wanted), content["yield"]["verdict"]))
    title = f"high-sigma yield: {content['method']}, {content['samples']} samples, {content['engine']} engine"
    return aligned(title, rows, warnings=content["warnings"])
