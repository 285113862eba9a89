"""What scripts read: results as plain objects for JSON."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.circuits.families import FAMILIES
from lmu_analog.design import Design
from lmu_analog.ensembles.yields import counts, percentiles, yield_within


def simulation(result: xr.Dataset) -> dict[str, Any]:
    """Give the figures of one simulation: fractions of rms(u), seconds of the engine alone; and warnings."""
    figures = ("window_nrmse", "truncation_nrmse", "reference_nrmse", "seconds")
    return {
        **{
            key: result.attrs[key]
            for key in ("engine", "order", "family", "realization", "theta", "bandwidth")
        },
        **{key: float(result[key]) for key in figures},
        "warnings": list(result.attrs.get("warnings", ())),
    }


def ensemble(
    run: xr.Dataset, design: Design, *, nominal: float, seconds: float, resumed: int, path: Path | None
) -> dict[str, Any]:
    """Give the figures of a Monte Carlo run.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``.
    design : Design
        Its limit, if any, decides the yield.
    nominal : float
        Window NRMSE without mismatch, a fraction.
    seconds : float
        Of the run.
    resumed : int
        Samples taken over from an earlier one.
    path : Path or None
        The store.
    """
    limit = design.nrmse
    return {
        "engine": run.attrs["engine"],
        **counts(run),
        "resumed": resumed,
        "seed": int(run.attrs["seed"]),
        "nominal_nrmse": nominal,
        "nrmse": percentiles(run),
        "yield": None if limit is None else asdict(yield_within(run, limit)),
        "seconds": seconds,
        "run": None if path is None else str(path),
    }


def families() -> dict[str, Any]:
    """List what is supported."""
    return {
        "pairs": [
            {"family": name, "realization": realization, "model": family.model}
            for name, family in FAMILIES.items()
            for realization in family.realizations
        ]
    }


def dumps(content: dict[str, Any]) -> str:
    """Write JSON that every parser takes: numbers that are not finite become null."""
    return json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
