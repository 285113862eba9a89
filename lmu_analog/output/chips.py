"""Memories in transistors of a process, for people and scripts: one chip, many, and all corners."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.advice import order_warnings
from lmu_analog.analysis.chip_corners import ChipCorner
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import check_chips, monte_carlo
from lmu_analog.ensembles.transistors import ChipEngine, Chips, one_chip, prepare
from lmu_analog.ensembles.until import describe, read_target
from lmu_analog.ensembles.verdict import YieldVerdict
from lmu_analog.ensembles.yields import counts, percentiles, warnings
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.window import QUADRATURE
from lmu_analog.mismatch.law import check_index, check_seed
from lmu_analog.mismatch.selection import Selection
from lmu_analog.output import style, summary
from lmu_analog.output.layout import lined_up, save_figure
from lmu_analog.output.tables import aligned
from lmu_analog.output.text_tables import Table, interval, percent, quantity, share, verdict_text
from lmu_analog.silicon.ensemble import Errors, window_profiles
from lmu_analog.silicon.samples import Bench
from lmu_analog.spice.session import LADDER
from lmu_analog.storage.reasons import REASONS, reasons
from lmu_analog.storage.store import check_free, finished

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

# What the window errors of a chip are; the first is the one that limits are of.
WAYS = {
    "window_nrmse": "after one trim of the bias, offsets removed",
    "built_nrmse": "as built, offsets removed",
    "fitted_nrmse": "as built, against the window whose length fits best",
    "offset_nrmse": "after the trim, with the DC offsets of the states",
}
_NAMES = {
    "window_nrmse": "window NRMSE",
    "built_nrmse": "untrimmed",
    "fitted_nrmse": "theta fitted",
    "offset_nrmse": "with offsets",
}
NO_OFFSET = 1e-9  # V: what ngspice's own tolerance leaves of none
LEFT_OUT = (
    "wires and other parasitics of a layout, gradients over the chip",
    "signals are small: swing and distortion are in no figure here",
    "stability of a chip that deviates: an unstable one has a response to tones, too",
)
TRIMMED = "times the reference current, or the conductance of the generator's resistor"
IDEAL_BIAS = "the reference current, which is ideal"


def simulate_chip(
    design: Design,
    engine: ChipEngine = "ngspice",
    *,
    sample: int | None = None,
    seed: int = 0,
    plot: Path | str | None = None,
    progress: Callable[[float], None] | None = None,
) -> dict[str, Any]:
    """Measure one chip of a design of a kit's transistors; draw its error over the window if asked.

    Parameters
    ----------
    design : Design
    engine : {"exact", "ngspice"}
    sample : int, optional
        The nominal chip unless given.
    seed : int
    plot : path, optional
    progress : callable, optional
        Called with the fraction that is done.
    """
    if sample is not None:
        check_index(sample)
    start = time.perf_counter()
    chips = prepare(design, check_seed(seed), engine=engine, progress=progress)
    found = one_chip(chips, sample)
    seconds = time.perf_counter() - start
    if plot is not None:
        save_figure(lambda ax: plot_chip(chips, found, ax), plot, height=4.0)
    return {
        "engine": engine,
        **_of_design(design),
        **_of_bench(chips.bench),
        "sample": sample,
        **_of_chip(chips, found),
        "seconds": seconds,
        "left_out": _left_out(design),
        "warnings": [*order_warnings(design), *_remarks(chips.bench)],
    }


def _of_design(design: Design) -> dict[str, Any]:
    named = ("order", "family", "realization", "theta", "bandwidth", "technology")
    reason = None if design.reached is None else design.reached.text
    return {**{name: getattr(design, name) for name in named}, "order_reason": reason}


def _of_bench(bench: Bench) -> dict[str, Any]:
    circuit = bench.circuit
    return {
        "pdk_version": bench.installed.version,
        "transistors": sum(x.count for x in circuit.transistors),
        "device_area": sum(x.area for x in circuit.devices),
        "gain": circuit.gain,
    }


def _left_out(design: Design) -> list[str]:
    return [*LEFT_OUT, IDEAL_BIAS] if design.bias == "ideal" else list(LEFT_OUT)


def _remarks(bench: Bench) -> list[str]:
    return [remark] if (remark := bench.installed.remark) else []


def _of_chip(chips: Chips, found: Errors) -> dict[str, Any]:
    circuit, frequency = chips.bench.circuit, chips.bench.frequency
    after = found.after
    _, with_offsets = window_profiles(
        after.states, frequency, circuit.theta, offset=after.offset, amplitude=chips.amplitude
    )
    ideal = steady_response(legendre(circuit.order, circuit.theta), frequency)
    truncation = window_profiles(ideal[None], frequency, circuit.theta)[1]
    # By Parseval over the window, on which Legendre polynomials of degree i have a mean square of 1/(2 i + 1).
    apart = np.abs(after.states[0] - ideal) ** 2 / (2.0 * np.arange(circuit.order) + 1.0)
    rung = int(after.rung[0])
    return {
        "window_nrmse": float(found.trimmed[0]),
        "built_nrmse": float(found.built[0]),
        "fitted_nrmse": float(found.fitted[0]),
        "offset_nrmse": float(with_offsets[0]),
        "truncation_nrmse": float(truncation[0]),
        "reference_nrmse": float(np.sqrt(apart.sum(axis=-1).mean())),
        "theta_built": float(found.theta[0]),
        "trim": float(found.trim[0]),
        "power": float(after.current[0]) * circuit.source(circuit.supply).value,
        "offset": [float(v) / circuit.gain for v in after.offset[0]],
        "operating_point": f"ngspice, options {LADDER[rung][0]}" if rung >= 0 else "laws of the exact engine",
    }


def simulation_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``simulate``."""
    rows = [(_NAMES[way], percent(content[way]), said) for way, said in WAYS.items()]
    offsets = ", ".join(f"{1e3 * v:.3g}" if abs(v) > NO_OFFSET else "0" for v in content["offset"])
    rows += [
        ("truncation NRMSE", percent(content["truncation_nrmse"]), "ideal memory against the window"),
        ("reference NRMSE", percent(content["reference_nrmse"]), "circuit against the ideal memory"),
        (
            "theta",
            quantity(content["theta_built"], "s"),
            f"as built; {quantity(content['theta'], 's')} is wanted",
        ),
        ("trim", f"{content['trim']:.4g}", TRIMMED),
        (
            "power",
            quantity(content["power"], "W"),
            "after the trim",
        ),
        (
            "devices",
            str(content["transistors"]),
            f"transistors; gates and plates of {1e12 * content['device_area']:,.0f} um2",
        ),
        ("offsets", "", f"of the states {offsets} mV, for the volts of the input"),
        ("operating point", "", content["operating_point"]),
    ]
    if content["gain"] != 1.0:
        rows.append(("input", f"{content['gain']:.3g}", "volts on the chip for one volt of the input"))
    which = "nominal chip" if content["sample"] is None else f"chip {content['sample']}"
    lines = [aligned(_title(content, which), rows, warnings=content["warnings"])]
    return "\n".join([*lines, *(f"  left out: {line}" for line in content["left_out"])])


def _title(content: dict[str, Any], what: str) -> str:
    version = content["pdk_version"] or "of unknown version"
    return (
        f"{content['technology']} {version}, {content['realization']}, order {content['order']}: "
        f"{what}, {content['engine']} engine"
    )


def plot_chip(chips: Chips, found: Errors, ax: Axes | None = None) -> Axes:
    """Draw the error of a chip over the window: as built, trimmed, and of the ideal memory."""
    ax = style.axes(ax)
    circuit, frequency = chips.bench.circuit, chips.bench.frequency
    ideal = steady_response(legendre(circuit.order, circuit.theta), frequency)[None]
    lines: tuple[tuple[np.ndarray, style.Look], ...] = (
        (ideal, {**style.PALE, "linewidth": 3.0, "label": "ideal memory"}),
        (found.before.states, {"color": style.VERMILLION, "label": "as built"}),
        (found.after.states, {"color": style.BLUE, "label": "after one trim"}),
    )
    for states, look in lines:
        profile, _ = window_profiles(states, frequency, circuit.theta)
        ax.plot(QUADRATURE.r, 100.0 * profile[0], **look)
    ax.set(xlabel="Delay r (theta)", ylabel="NRMSE (%)")
    style.percent_axis(ax)
    return style.finish(ax, style.TOP_LEGEND)


def stored_chips(
    design: Design,
    path: Path | str,
    *,
    samples: int,
    seed: int,
    engine: str,
    until: str | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    sampling: str = "random",
    kernel: str | None = None,
    resumed: bool = False,
    preparing: Callable[[float], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run an ensemble of chips into a store, or continue it; give its figures.

    Parameters are those of ``jobs.stored_ensemble``; ``preparing`` is called with the fraction of what is done before
    the first sample: the circuit, and the laws of its transistors.
    """
    path = Path(path)
    check_chips(design, engine=engine, sampling=sampling, kernel=kernel, scheduler=scheduler)
    if not resumed:
        check_free(path)
    taken_over = finished(path, samples) if resumed else 0
    chosen: ChipEngine = "ngspice" if engine == "ngspice" else "exact"
    chips = prepare(design, check_seed(seed), engine=chosen, progress=preparing)
    if progress:
        progress(taken_over)
    start = time.perf_counter()
    run = monte_carlo(
        design,
        samples,
        seed,
        engine=chosen,
        until=until,
        workers=workers,
        store=path,
        resumed=resumed,
        progress=progress,
        chips=chips,
    )
    return ensemble(
        run,
        design,
        chips,
        seconds=time.perf_counter() - start,
        resumed=min(taken_over, run.sizes["sample"]),
        path=path,
        until=until,
    )


def ensemble(
    run: xr.Dataset,
    design: Design,
    chips: Chips,
    *,
    seconds: float,
    resumed: int,
    path: Path,
    until: str | None = None,
) -> dict[str, Any]:
    """Give the figures of an ensemble of chips, in every way that a chip is measured."""
    ways = {way: run.assign(window_nrmse=run[way]) for way in WAYS}
    found = reasons(run)
    unsure = next(r.text for r in REASONS if r.name == "unsure")
    return {
        "engine": chips.engine,
        **_of_design(design),
        **_of_bench(chips.bench),
        **counts(run),
        "in_ngspice": run.sizes["sample"] if chips.engine == "ngspice" else found.get(unsure, 0),
        "reasons": found,
        "resumed": resumed,
        "seed": int(run.attrs["seed"]),
        "acting": str(Selection(design.only, design.without)) or "mismatch and process",
        "nominal_nrmse": float(chips.nominal.trimmed[0]),
        "nrmse": percentiles(run),
        "yield": summary.good_circuits(run, design),
        "ways": {
            way: {"nrmse": percentiles(of), "yield": summary.good_circuits(of, design)}
            for way, of in ways.items()
        },
        "theta_sigma": _sigma(run.theta_built) / design.theta,
        "trim_sigma": _sigma(run.trim),
        "power": _spread(run.power),
        "until": None if until is None else describe(run, read_target(until, design)),
        "left_out": _left_out(design),
        "warnings": [*order_warnings(design), *warnings(run)],
        "seconds": seconds,
        "run": str(path),
    }


def _sigma(values: xr.DataArray) -> float:
    good = values.values[np.isfinite(values.values)]
    return float(good.std(ddof=1)) if len(good) > 1 else float("nan")


def _spread(values: xr.DataArray) -> dict[str, float]:
    good = values.values[np.isfinite(values.values)]
    if not len(good):
        return dict.fromkeys(("median", "p95"), float("nan"))
    return {"median": float(np.median(good)), "p95": float(np.percentile(good, 95.0))}


def ensemble_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``montecarlo``."""
    rows = [
        ("chips", str(content["samples"]), f"{content['failed']} failed; {content['acting']} act"),
        ("nominal NRMSE", percent(content["nominal_nrmse"]), "the chip in which nothing deviates, trimmed"),
    ]
    measured = content["samples"] - content["failed"]
    # A chip that could not be measured has no error that a percentile could rank.
    of = "95 % of chips" if not content["failed"] else f"95 % of the {measured} that were measured"
    for way, said in WAYS.items():
        spread = content["ways"][way]["nrmse"]
        ends = f"{of} within {percent(spread['p95'])}"
        if spread["p95_low"] is not None:
            ends += f" ({percent(spread['p95_low'])} to {percent(spread['p95_high'])})"
        rows.append((_NAMES[way], percent(spread["median"]), f"median; {ends}; {said}"))
    rows += _yield_rows(content)
    rows += [
        ("theta", percent(content["theta_sigma"]), "standard deviation, as built"),
        ("trim", percent(content["trim_sigma"]), "standard deviation of the factor of the bias"),
        (
            "power",
            quantity(content["power"]["median"], "W"),
            f"median; p95 {quantity(content['power']['p95'], 'W')}",
        ),
    ]
    if until := content["until"]:
        reached = "reached" if until["reached"] else "not reached"
        rows.append(("until", percent(until["half_width"]), f"{until['text']}: {reached}"))
    rows.append(("time", f"{content['seconds']:.3g} s", f"{content['resumed']} chips taken over"))
    if content["engine"] == "exact":
        rows.append(
            (
                "in ngspice",
                str(content["in_ngspice"]),
                "chips that the exact engine was not sure of, ran there",
            )
        )
    unsure = next(r.text for r in REASONS if r.name == "unsure")
    rows += [("of these", str(number), text) for text, number in content["reasons"].items() if text != unsure]
    lines = [aligned(_title(content, f"seed {content['seed']}"), rows, warnings=content["warnings"])]
    return "\n".join([*lines, *(f"  left out: {line}" for line in content["left_out"])])


def _yield_rows(content: dict[str, Any]) -> list[tuple[str, str, str]]:
    if content["yield"] is None:
        return []
    rows = []
    for way, said in WAYS.items():
        limit = content["ways"][way]["yield"]
        name = "yield" if way == "window_nrmse" else f"  {_NAMES[way]}"
        note = f"within {percent(limit['limit'])}, {said}; {interval(limit['low'], limit['high'])}"
        rows.append((name, share(limit["value"]), note))
        if way == "window_nrmse" and (wanted := limit["wanted"]) is not None:
            found = YieldVerdict(wanted, limit["verdict"], limit["samples_to_decide"])
            verdict = f"{verdict_text(found, content['samples'])}; {said}"
            rows.append(("yield wanted", share(wanted), verdict))
    return rows


def corners(design: Design, bench: Bench, found: list[ChipCorner]) -> dict[str, Any]:
    """Give the figures of all corners."""
    rows = [_corner(row) for row in found]

    def worst(key: str) -> dict[str, Any] | None:
        known = [row for row in rows if not row["lost"] and np.isfinite(row[key])]
        return max(known, key=lambda row: row[key]) if known else None

    return {
        **_of_design(design),
        **_of_bench(bench),
        "corners": rows,
        "worst": {key: worst(key) for key in ("built_nrmse", "window_nrmse", "fitted_nrmse")},
        "lost": sum(bool(row["lost"]) for row in rows),
        "left_out": _left_out(design),
        "warnings": [*order_warnings(design), *_remarks(bench)],
    }


def _corner(row: ChipCorner) -> dict[str, Any]:
    where = row.conditions
    return {
        "corner": where.corner,
        "mim": where.mim,
        "resistor": where.resistor,
        "temperature_c": where.temperature,
        "supply": where.supply,
        "built_nrmse": row.built,
        "window_nrmse": row.trimmed,
        "fitted_nrmse": row.fitted,
        "theta_built": row.theta,
        "trim": row.trim,
        "power": row.power,
        "largest_offset": row.offset,
        "lost": row.lost,
    }


OTHERS = {"mim": "capacitors", "resistor": "resistors"}  # what has corners of its own
_CORNER_COLUMNS = (
    "corner",
    "temperature",
    "supply",
    "as built",
    "trimmed",
    "fitted",
    "theta",
    "trim",
    "power",
)


def _named(row: dict[str, Any]) -> str:
    others = [f"{row[key]} {name}" for key, name in OTHERS.items() if row[key] != "typical"]
    return ", ".join([row["corner"], *others])


def corners_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``corners``."""
    rows = tuple(
        (
            _named(row),
            f"{row['temperature_c']:g} C",
            f"{100.0 * row['supply']:g} %",
            percent(row["built_nrmse"]),
            percent(row["window_nrmse"]),
            percent(row["fitted_nrmse"]),
            quantity(row["theta_built"], "s"),
            f"{row['trim']:.3f}",
            quantity(row["power"], "W"),
        )
        for row in content["corners"]
        if not row["lost"]
    )
    caption = (
        "window NRMSE of the nominal chip, offsets removed: as built, after one trim at 27 C in the same corner, "
        "and as built with theta fitted"
    )
    names = {"built_nrmse": "as built", "window_nrmse": "trimmed", "fitted_nrmse": "fitted"}
    worst = [
        f"  worst {said}: {percent(row[key])} at {_named(row)}, {row['temperature_c']:g} C, "
        f"{100.0 * row['supply']:g} % of the supply"
        for key, said in names.items()
        if (row := content["worst"][key]) is not None
    ]
    lost = [f"  {row['lost']}" for row in content["corners"] if row["lost"]]
    found = f"{len(rows)} of {len(content['corners'])} corners"
    lines = [
        _title(content | {"engine": "ngspice"}, found),
        lined_up(Table(caption, _CORNER_COLUMNS, rows)),
        *worst,
        *lost,
        *(f"  warning: {line}" for line in content["warnings"]),
        *(f"  left out: {line}" for line in content["left_out"]),
    ]
    return "\n".join(lines)
