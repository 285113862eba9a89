"""Results as plain objects for JSON."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.advice import order_warnings
from lmu_analog.building import chooses_level, stock, with_its_readout
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.devices.tolerance import law_text
from lmu_analog.circuits.families.registry import FAMILIES, is_on_chip
from lmu_analog.circuits.impedance import level
from lmu_analog.circuits.interface import without_interface
from lmu_analog.circuits.ranges import CERAMIC
from lmu_analog.circuits.readout import noise_gains
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import Comparison
from lmu_analog.ensembles.hybrid import Hybrid
from lmu_analog.ensembles.taps import TapSpread, tap_spreads
from lmu_analog.ensembles.uniform import samples_for, uniform_yield
from lmu_analog.ensembles.until import describe, read_target
from lmu_analog.ensembles.verdict import yield_verdict
from lmu_analog.ensembles.yields import counts, percentiles, warnings, yield_within
from lmu_analog.output.to_try import ensemble_fails, relax
from lmu_analog.storage.reasons import reasons


def simulation(result: xr.Dataset) -> dict[str, Any]:
    """Give the figures of one simulation: fractions of rms(u), seconds of the engine alone; and warnings."""
    named = ("engine", "order", "family", "realization", "theta", "bandwidth")
    figures = ("window_nrmse", "truncation_nrmse", "reference_nrmse", "seconds")
    return {
        **{key: result.attrs[key] for key in named},
        "order_reason": result.attrs.get("order_reason"),
        **{key: float(result[key]) for key in figures},
        "taps": taps(result),
        "warnings": list(result.attrs.get("warnings", ())),
    }


def taps(result: xr.Dataset) -> list[dict[str, Any]]:
    """Give every tap of a simulation against the input delayed; r is None where it shows another sum of the states."""
    if "tap" not in result.sizes:
        return []
    names = {"net": str, "r": lambda r: None if math.isnan(r) else float(r), "gain": float, "nrmse": float}
    return [
        {key: read(result[f"tap_{key}"][k].item()) for key, read in names.items()}
        for k in range(result.sizes["tap"])
    ]


def impedance(design: Design, circuit: Circuit) -> dict[str, Any] | None:
    """Say which values a circuit has, and what one capacitor for all integrators would be; None on a chip."""
    if is_on_chip(circuit):
        return None
    memory = without_interface(circuit)
    found = level(memory, stock(design, memory))
    return {
        "chosen": chooses_level(design),
        "capacitors": [
            {"value": value, "count": count, "kind": "C0G" if value <= CERAMIC else "film"}
            for value, count in found.capacitors
        ],
        "resistors": _range(found.resistors),
        "load": level(circuit).load,
        "common": None
        if found.common is None
        else {"capacitance": found.common, "resistors": _range(found.common_resistors)},
    }


def readout(design: Design) -> dict[str, Any] | None:
    """Say how the states are read where not as they are, and what that does to noise and all beyond the band."""
    matrix = with_its_readout(design).readout
    if isinstance(matrix, str):
        return None
    largest, mean = noise_gains(np.array(matrix))
    rule = design.readout if isinstance(design.readout, str) else "matrix"
    moved = float(np.abs(np.array(matrix) - np.eye(len(matrix))).max())
    return {"rule": rule, "largest_gain": largest, "rms_gain": mean, "moved": moved}


def _range(ends: tuple[float, float] | None) -> dict[str, float] | None:
    return None if ends is None else {"lowest": ends[0], "highest": ends[1]}


def ensemble(
    run: xr.Dataset,
    design: Design,
    *,
    nominal: float,
    seconds: float,
    resumed: int,
    path: Path | str | None,
    until: str | None = None,
    both: Hybrid | None = None,
    theory: Comparison | None = None,
    kernel: str | None = None,
) -> dict[str, Any]:
    """Give the figures of a Monte Carlo run, with what to try where it misses the limits of the design.

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
    until : str, optional
        Precision that was to be reached.
    both : Hybrid, optional
        What follows from ngspice's run of some of the samples.
    theory : Comparison, optional
        Monte Carlo over first-order theory.
    kernel : str, optional
        What played the per-frequency solve of the exact engine.
    """
    taps = tap_spreads(run, design)
    # Circuits of the exact engine are held against what is named; of rails and slew limits neither knows.
    doubt = theory.flag if theory is not None and run.attrs["engine"] != "exact" else None
    return {
        "engine": run.attrs["engine"],
        "order": design.order,
        "order_reason": None if design.reached is None else design.reached.text,
        "sampling": run.attrs.get("sampling", "random"),
        "solver": run.attrs.get("solver"),
        "kernel": kernel,
        **counts(run),
        "reasons": reasons(run),
        "resumed": resumed,
        "seed": int(run.attrs["seed"]),
        "nominal_nrmse": nominal,
        "nrmse": percentiles(run),
        "yield": good_circuits(run, design),
        "yield_uniform": uniform_circuits(run, design),
        "taps": [tap_spread(tap) for tap in taps],
        **relax(design, fails=ensemble_fails(run, design, taps), doubt=doubt),
        "mismatch": laws(design),
        "until": None if until is None else describe(run, read_target(until, design)),
        "hybrid": None if both is None else hybrid(both),
        "theory": None if theory is None else asdict(theory),
        "warnings": [
            *order_warnings(design),
            *warnings(run),
            *(both.warnings if both else ()),
            *([theory.flag] if theory and theory.flag else ()),
        ],
        "seconds": seconds,
        "run": None if path is None else str(path),
    }


def good_circuits(run: xr.Dataset, design: Design) -> dict[str, Any] | None:
    """Give the yield of a run, and what it says about the one that is wanted; None without a limit."""
    if design.nrmse is None:
        return None
    found, wanted = yield_within(run, design.nrmse), design.wanted_yield
    if wanted is None:
        return {**asdict(found), **dict.fromkeys(("wanted", "verdict", "samples_to_decide"))}
    return {**asdict(found), **asdict(yield_verdict(run, found, wanted))}


def tap_spread(tap: TapSpread) -> dict[str, Any]:
    """Give the figures of a tap over an ensemble."""
    return {
        "net": tap.net,
        "r": tap.of.r,
        "gain": tap.gain,
        "engine": "exact",  # whichever ran the window: rails and slew limits are in no figure of a tap
        "nrmse": tap.nrmse,
        "yield": None if tap.good is None else asdict(tap.good),
        "theory": None if tap.theory is None else asdict(tap.theory),
    }


def uniform_circuits(run: xr.Dataset, design: Design) -> dict[str, Any] | None:
    """Give the yield of the same draws with parts uniform within their tolerance; None as ``uniform_yield``."""
    found = uniform_yield(run, design)
    if found is None:
        return None
    samples = min(run.sizes["sample"], samples_for(design))
    return {key: getattr(found, key) for key in ("limit", "value", "low", "high")} | {"samples": samples}


def laws(design: Design) -> dict[str, str]:
    """Say of every class how its parts deviate, in words."""
    own = {", ".join(p.components): f"{100.0 * p.tolerance:.3g} %" for p in design.part_tolerances}
    return {name: law_text(tolerance) for name, tolerance in design.tolerances.items()} | own


def hybrid(both: Hybrid) -> dict[str, Any]:
    """Give the figures of an estimate from two engines; ``yield`` is null without a limit."""
    content = asdict(both)
    return {**content, "yield": content.pop("within"), "warnings": list(content.pop("warnings"))}


def families() -> dict[str, Any]:
    """List what is supported."""
    return {
        "pairs": [
            {"family": name, "realization": realization, "model": family.model}
            for name, family in FAMILIES.items()
            for realization in family.realizations
        ]
    }


def records(found: xr.Dataset, columns: Mapping[str, str]) -> list[dict[str, Any]]:
    """List the rows of a dataset's one-dimensional variables as objects; ``columns`` is key to variable."""
    values = (found[name].values.tolist() for name in columns.values())
    return [dict(zip(columns, row, strict=True)) for row in zip(*values, strict=True)]


def dumps(content: dict[str, Any]) -> str:
    """Write JSON that every parser takes and every terminal: numbers that are not finite become null.

    Names of files that are no UTF-8 keep their bytes as escapes.
    """
    text = json.dumps(_plain(content), indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
