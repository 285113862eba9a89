"""A bench recording for people and scripts: its figures beside simulation and ensemble, as text and drawn."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from lmu_analog.analysis.bench import analyze
from lmu_analog.analysis.calibration_file import calibrated_circuit, correction_of, method_of, opened
from lmu_analog.analysis.faults import Diagnosis, Fault, diagnose
from lmu_analog.analysis.measurement import Measurement, read_measurement
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import Sampling, planned_circuit
from lmu_analog.ensembles.yields import warnings
from lmu_analog.errors import DesignError
from lmu_analog.output import style
from lmu_analog.output.files import check_figure
from lmu_analog.output.layout import save_panels
from lmu_analog.output.summary import records
from lmu_analog.output.tables import aligned
from lmu_analog.output.text_tables import percent
from lmu_analog.storage.completed import completed
from lmu_analog.storage.store import open_run
from lmu_analog.units import write

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DRAWN = 3  # channels that the plot shows
_SCORES = ("nrmse", "simulated_nrmse", "truncation_nrmse", "difference_nrmse", "corrected_nrmse")


def bench(
    design: Design,
    measured: Path | str,
    *,
    column: str | None = None,
    run: Path | str | None = None,
    sample: int | None = None,
    seed: int = 0,
    sampling: Sampling = "random",
    skip: float | None = None,
    plot: Path | str | None = None,
    faults: bool = True,
    calibration: Path | str | None = None,
    method: str | None = None,
) -> dict[str, Any]:
    """Score a recording of a design's circuit; draw it if asked.

    Parameters
    ----------
    design : Design
    measured : Path
        Table of the recording, see ``read_measurement``.
    column : str, optional
        Column of the input, where it is not called input.
    run : Path, optional
        Ensemble of the same design, among which the recording takes its place.
    sample, seed, sampling : int or None, int, str
        Mismatch sample that is simulated beside it, in place of the nominal circuit.
    skip : float, s, optional
        What is left out at the start.
    plot : Path, optional
    faults : bool
        Whether to look for a part that is wrong.
    calibration : Path, optional
        What ``calibrate`` kept: the recording is read out by it, and the simulated circuit is set as it says;
        ``sample`` is one of its circuits.
    method : str, optional
        Method of the calibration.

    Returns
    -------
    dict
        For JSON.
    """
    check_figure(plot)
    correction, applied = None, None
    if calibration is None:
        if method is not None:
            raise DesignError("method=: of which calibration? give calibration= too")
        circuit = planned_circuit(design, seed=seed, index=sample, sampling=sampling)
    else:
        known = opened(calibration, design, seed=seed, sampling=sampling)
        chosen = method_of(known, method, sample=sample, read=False)
        correction = correction_of(known, chosen, sample)
        circuit = calibrated_circuit(known, chosen, sample)
        applied = {"file": str(calibration), "method": chosen, "sample": sample}
    ensemble = None if run is None else open_run(Path(run))
    if ensemble is not None and ensemble.attrs.get("design") != design.digest:
        raise DesignError(f"run={run} is of another design; run montecarlo anew for this one")
    measurement = read_measurement(Path(measured), circuit, column=column)
    result = analyze(design, measurement, circuit=circuit, skip=skip, correction=correction)
    if plot is not None:
        save_panels([(partial(draw, result), 3.25) for draw in (_plot_measured, _plot_errors)], plot)
    found: dict[str, Any] = {"file": str(measured), "calibration": applied, **figures(result)}
    found["faults"] = _diagnosis(design, measurement, circuit) if faults else None
    if ensemble is None:
        return {**found, "ensemble": None}
    place = {"run": str(run), **_standing(result, ensemble)}
    return {**found, "warnings": [*found["warnings"], *warnings(ensemble)], "ensemble": place}


def _diagnosis(design: Design, measurement: Measurement, circuit: Circuit) -> dict[str, Any]:
    """Say which part of the board is wrong, or why that cannot be said."""
    try:
        found = diagnose(design, measurement, circuit=circuit)
    except DesignError as error:
        return {"verdict": "not looked for", "reason": str(error), "named": []}
    verdict = "fault" if found.faults else "healthy" if found.explained else "unexplained"
    return {
        "verdict": verdict,
        "named": [_named(fault, found, circuit) for fault in found.faults],
        "evidence": found.evidence,
        "likelihood_ratio": _number(found.ratio),
        "threshold": _number(found.threshold),
        "level": found.level,
        "hypotheses": found.hypotheses,
        "misfit": _number(found.residual),
        "compared": {"start": found.start, "stop": found.stop},
        "alike": [list(group) for group in found.groups],
    }


def _named(fault: Fault, found: Diagnosis, circuit: Circuit) -> dict[str, Any]:
    """Give a fault as plain objects; what is infinite is none."""
    nominal = {p.component: p.nominal for p in circuit.parameters}
    ends = {key: getattr(fault, key) for key in ("factor", "low", "high")}
    return {
        "kind": fault.kind,
        "elements": list(fault.elements),
        "nominal": [nominal[name] for name in fault.elements],
        **{key: _number(value) for key, value in ends.items()},
        "likelihood_ratio": _number(fault.ratio),
        "text": fault_text(fault),
    }


def _number(value: float) -> float | None:
    """Give a number for JSON, which has no infinity."""
    return value if np.isfinite(value) else None


def fault_text(fault: Fault) -> str:
    """Say what is wrong with a part: ``Cint_3 is 4.1 % high (3.6 to 4.6 %)``."""
    name = fault.elements[0]
    if fault.kind == "swap":
        return f"{name} and {fault.elements[1]} are exchanged"
    if fault.kind in ("open", "short"):
        word = "open" if fault.kind == "open" else "shorted"
        if fault.low == fault.high:  # told by voltages at rest
            return f"{name} is {word}"
        bound = fault.low if fault.factor > 1.0 else 1.0 / max(fault.high, 1e-12)
        way = f"at least {bound:.3g} times" if fault.factor > 1.0 else f"at most 1/{bound:.3g} of"
        return f"{name} is {word} ({way} its value)"
    if not 0.5 < fault.factor < 2.0:
        return f"{name} is {fault.factor:.3g} times its value ({fault.low:.3g} to {fault.high:.3g})"
    sign = 1.0 if fault.factor > 1.0 else -1.0
    ends = sorted(100.0 * sign * (x - 1.0) for x in (fault.low, fault.high))
    error = 100.0 * abs(fault.factor - 1.0)
    return f"{name} is {error:.3g} % {'high' if sign > 0.0 else 'low'} ({ends[0]:.3g} to {ends[1]:.3g} %)"


def _fault_rows(faults: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Lay out what the search for a wrong part found."""
    if faults is None:
        return []
    if faults["verdict"] == "not looked for":
        return [("parts", "", f"not looked at: {faults['reason']}")]
    if faults["verdict"] == "unexplained":
        note = "no single wrong part explains it: several are wrong, or outputs saturate and the input is too large"
        return [("parts", "unexplained", note)]
    if faults["verdict"] == "healthy":
        note = f"none of {faults['hypotheses']} single faults is likelier than parts within tolerance"
        return [("parts", "healthy", note)]
    rows = [("part" if k == 0 else "or", "", one["text"]) for k, one in enumerate(faults["named"])]
    if len(rows) > 1:
        rows.append(("", "", "this recording cannot tell these apart"))
    return rows


def figures(result: xr.Dataset) -> dict[str, Any]:
    """Give the figures of ``analyze`` as plain objects: fractions of rms(u), s, V."""
    states = result.attrs["kind"] == "states"
    at_tap = {
        "r": "delay",
        "nrmse": "profile",
        "simulated": "simulated_profile",
        "corrected": "corrected_profile",
    }
    return {
        "kind": result.attrs["kind"],
        **{key: result.attrs[key] for key in ("order", "family", "realization")},
        "window_nrmse": float(result.nrmse) if states else None,
        **{key: float(result[key]) for key in _SCORES},
        "theta": {"fitted": float(result.theta), "ratio": float(result.theta) / result.attrs["theta"]},
        "gain": float(result.gain),
        "offset": dict(zip(result.channel.values.tolist(), result.offset.values.tolist(), strict=True)),
        "taps": [] if states else records(result, at_tap),
        "scored": {"start": float(result.time[0]), "stop": float(result.time[-1])},
        "warnings": list(result.attrs["warnings"]),
    }


def _standing(result: xr.Dataset, run: xr.Dataset) -> dict[str, Any]:
    """Give a recording its place in an ensemble: the percentage of circuits that are better.

    Taps are looked up on the ensemble's profiles, on straight lines between the points of the window. A
    circuit that is unstable or failed counts as worse.
    """
    run = completed(run)
    errors = run.window_nrmse.values
    if result.attrs["kind"] == "taps":
        inside = np.clip(result.delay.values, run.delay.values[0], run.delay.values[-1])
        taps = np.stack([np.interp(inside, run.delay.values, profile) for profile in run.profile.values])
        errors = np.sqrt(np.mean(taps**2, axis=-1))
    finite = np.isfinite(errors)
    middle = float(np.median(errors[finite])) if finite.any() else None
    better = float(np.mean(np.where(finite, errors, np.inf) < float(result.nrmse)))
    planned = int(run.attrs.get("planned", len(errors)))
    return {"samples": len(errors), "planned": planned, "percentile": 100.0 * better, "median": middle}


def bench_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``analyze``."""
    what = "window" if content["kind"] == "states" else "tap"
    theta, volts = content["theta"], max(content["offset"].values(), key=abs)
    rows = [
        (f"{what} NRMSE", percent(content["nrmse"]), "measured, against the true past of the measured input"),
        ("simulated", percent(content["simulated_nrmse"]), "the exact engine with the same input"),
        ("difference", percent(content["difference_nrmse"]), "measured minus simulated"),
        ("truncation", percent(content["truncation_nrmse"]), "an ideal memory"),
        ("corrected", percent(content["corrected_nrmse"]), "without fitted theta, gain and offsets"),
        ("theta", write(theta["fitted"], "s"), f"fitted: {100.0 * (theta['ratio'] - 1.0):+.3g} %"),
        ("gain", f"{content['gain']:.5g}", "fitted, of all channels"),
        ("offset", write(volts, "V"), "fitted, the largest of a channel"),
    ]
    if (place := content["ensemble"]) is not None:
        count = place["samples"]
        of = str(count) if count == place["planned"] else f"{count} of {place['planned']}"
        note = f"% of {of} circuits of the ensemble are better"
        rows.append(("standing", f"{place['percentile']:.3g}", note))
    rows += [
        (f"tap r = {tap['r']:.3g}", percent(tap["nrmse"]), f"simulated {percent(tap['simulated'])}")
        for tap in content["taps"]
    ]
    rows += _fault_rows(content["faults"])
    title = f"{content['file']}: {content['family']}, {content['realization']}, order {content['order']}"
    if (applied := content["calibration"]) is not None:
        title += f", calibrated by {applied['method']}"
    return aligned(title, rows, warnings=content["warnings"], width=12)


def _plot_measured(result: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the first channels, measured over simulated."""
    ax = style.axes(ax)
    scale, unit = style.scale(float(result.time.max()), "s")
    for k, name in enumerate(result.channel.values[:_DRAWN]):
        here, colour = result.sel(channel=name), (style.BLUE, style.ORANGE, style.GREEN)[k]
        label = "simulated" if k == 0 else None
        ax.plot(result.time / scale, here.simulated, **style.PALE, label=label)
        ax.plot(result.time / scale, here.measured, color=colour, linewidth=1.3, label=f"{name}, measured")
    ax.set(xlabel=f"Time ({unit})", ylabel="Channel (V)")
    ax.margins(x=0.0)
    return style.finish(ax, style.SIDE_LEGEND)


def _plot_errors(result: xr.Dataset, ax: Axes | None = None) -> Axes:
    """Draw the NRMSE over the window, or at the taps: measured, corrected and simulated."""
    ax = style.axes(ax)
    mark = "o" if result.attrs["kind"] == "taps" else ""
    looks = {
        "simulated_profile": ("simulated", style.PALE),
        "profile": ("measured", style.ENGINE_STYLE[0]),
        "corrected_profile": ("without theta, gain, offsets", style.ENGINE_STYLE[1]),
    }
    for name, (label, look) in looks.items():
        ax.plot(result.delay, 100.0 * result[name], **look, marker=mark, label=label)
    ax.set(xlabel="Delay r (θ);  0 = now, 1 = oldest", ylabel="NRMSE (% of rms(u))", xlim=(0.0, 1.0))
    style.percent_axis(ax)
    return style.finish(ax, style.SIDE_LEGEND)
