"""Numbers as text: the tables of the report."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    KINDS,
    Capacitor,
    Component,
    Inductor,
    Resistor,
    Transconductor,
    kind_of,
)
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.tolerance import law_text
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import Comparison
from lmu_analog.ensembles.expected import Expected
from lmu_analog.ensembles.uniform import uniform_yield
from lmu_analog.ensembles.verdict import YieldVerdict, yield_verdict
from lmu_analog.ensembles.yields import Yield, counts, percentiles, yield_within
from lmu_analog.mismatch.selection import Selection
from lmu_analog.storage.reasons import reasons
from lmu_analog.theory.sensitivity import tighten
from lmu_analog.units import write

_RANGED = (Resistor, Capacitor, Inductor, Transconductor)  # kinds whose values say something together
_LIBRARIES = ("numpy", "scipy", "xarray", "matplotlib", "PySpice")


@dataclass(frozen=True)
class Table:
    """Rows of text under a caption; the first cell of a row names it.

    Attributes
    ----------
    caption : str
    columns : tuple of str
    rows : tuple of tuple of str
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def percent(value: float | None) -> str:
    """Write a fraction in percent, three digits."""
    if value is None or np.isnan(value):
        return "–"
    if np.isinf(value):
        return "∞"
    return f"{100.0 * value:.0f} %" if abs(value) >= 9.995 else f"{100.0 * value:#.3g}".rstrip(".") + " %"


def quantity(value: float, unit: str) -> str:
    """Write a quantity for reading, four digits."""
    return write(float(f"{value:.4g}"), unit).replace("Ohm", "Ω").replace(" u", " µ")


def share(value: float | None) -> str:
    """Write a yield in percent, so that what it lacks to all has two digits: 99.9 % is far from 99.99 %."""
    if value is None or not 0.98 < value < 1.0:
        return percent(value)
    digits = 1 - int(np.floor(np.log10(100.0 * (1.0 - value))))
    return f"{100.0 * value:.{min(digits, 10)}f}".rstrip("0").rstrip(".") + " %"


def interval(low: float | None, high: float | None) -> str:
    """Write the interval of a yield, if it has one."""
    return "no interval" if low is None else f"95 % interval {share(low)} to {share(high)}"


def rough(value: float, low: float, high: float) -> str:
    """Write a yield with the digits that its interval leaves it: none beyond half of its width."""
    half = 50.0 * (high - low)
    if value > high or value < low:
        return f"{share(low)} to {share(high)}"
    if high == 1.0 and low < 1.0:
        return f"above {_shortened(low, half, np.floor)}"
    if low == 0.0 and high > 0.0:
        return f"below {_shortened(high, half, np.ceil)}"
    return percent(value) if half == 0.0 else _shortened(value, half, np.round)


def _shortened(value: float, half: float, rounded: Callable[[float], Any]) -> str:
    step = 10.0 ** np.floor(np.log10(half))
    return f"{float(rounded(100.0 * value / step)) * step:.10g} %"


def expected(found: Expected) -> str:
    """Write a yield by first-order theory with what circuits say of it."""
    said = rough(found.value, found.low, found.high)
    if not found.samples:
        return said
    how = "agree" if found.fits else "do not agree, so mismatch is too large for it"
    even = uniform_aside(found.uniform)
    return f"{said} ({found.samples} circuits {how}: {interval(found.low, found.high)}{even})"


def uniform_aside(found: Yield | None) -> str:
    """Write the yield of the same draws with parts uniform within their tolerance, to follow another; or nothing."""
    return "" if found is None else f"; {share(found.value)} with parts uniform within their tolerance"


def verdict_text(found: YieldVerdict, samples: int) -> str:
    """Write whether an ensemble of so many samples shows the wanted yield, and else how many would tell."""
    if found.verdict != "undecided":
        return found.verdict
    if found.samples_to_decide is None:
        return f"undecided with {samples} samples, and with as many as can be run if the yield stays the same"
    return f"undecided with {samples} samples; about {found.samples_to_decide} would decide"


def accuracy(results: Mapping[str, xr.Dataset]) -> Table:
    """List the figures of every engine."""
    figures = ("window_nrmse", "truncation_nrmse", "reference_nrmse")
    rows = tuple(
        (name, *(percent(float(result[key])) for key in figures), quantity(float(result.seconds), "s"))
        for name, result in results.items()
    )
    columns = ("engine", "window NRMSE", "truncation NRMSE", "distance to NumPy LMU", "time")
    return Table("Errors as fractions of rms(u), for every engine that was run", columns, rows)


def ensemble(run: xr.Dataset, design: Design, theory: Comparison | None = None) -> Table:
    """List counts, percentiles and yield of a run, its law, and how it compares with first-order theory."""
    rows = [(name, str(number)) for name, number in counts(run).items()]
    rows += [(f"of these {text}", str(number)) for text, number in reasons(run).items()]
    spread = percentiles(run)
    rows += [(f"{name} window NRMSE", _estimate(spread, name)) for name in ("mean", "median", "p05", "p95")]
    if design.nrmse is not None:
        found = yield_within(run, design.nrmse)
        rows.append((f"yield within {100.0 * design.nrmse:.3g} %", share(found.value)))
        methods = {"replicates": "replicates", "clopper-pearson": "Clopper-Pearson"}
        how = methods.get(found.method or "", "none")
        rows.append((f"its 95 % interval ({how})", f"{share(found.low)} to {share(found.high)}"))
        if (uniform := uniform_yield(run, design)) is not None:
            said = f"{share(uniform.value)} ({interval(uniform.low, uniform.high)})"
            rows.append(("yield with parts uniform within their tolerance", said))
        if (wanted := design.wanted_yield) is not None:
            said = verdict_text(yield_verdict(run, found, wanted), run.sizes["sample"])
            rows.append(("yield that is wanted", f"≥ {share(wanted)}: {said}"))
    if theory is not None:
        rows += comparison(theory)
    rows += law(design)
    told = ("engine", "solver", "sampling", "kernel", "seed")
    rows += [(key, str(run.attrs[key])) for key in told if key in run.attrs]
    caption = "Over the finite samples, in brackets 95 % intervals; only finite samples can be good"
    return Table(caption, ("figure", "value"), tuple(rows))


def comparison(theory: Comparison) -> list[tuple[str, str]]:
    """Write Monte Carlo over theory, with what is expected and a flag where it is missed."""
    rows = [("error added by mismatch (rms), by first-order theory", percent(theory.predicted_rms))]
    if theory.ratio is not None:
        expected = f"({theory.low:.3g} to {theory.high:.3g} expected)"
        rows.append(("Monte Carlo over theory", f"{theory.ratio:.3g} {expected}"))
    return rows + ([("⚠ theory", theory.flag)] if theory.flag else [])


def tightened(sensitivity: xr.Dataset) -> Table:
    """List what is left of the error added by mismatch where the first elements, or a whole class, are exact."""
    left = tighten(sensitivity)
    names = [str(name) for name in left.element.values]
    rows = [(", ".join(names[: k + 1]), percent(float(rms))) for k, rms in enumerate(left.rms.values)]
    rows += [
        (f"all of {kind}", percent(float(rms)))
        for kind, rms in zip(left.kind.values, left.class_rms.values, strict=True)
    ]
    return Table("Error added by mismatch (rms) that is left", ("when exact", "added error"), tuple(rows))


def _estimate(spread: Mapping[str, float | None], name: str) -> str:
    """Write a value with its 95 % interval, if it has one."""
    low, high = spread[f"{name}_low"], spread[f"{name}_high"]
    return percent(spread[name]) + ("" if low is None else f" ({percent(low)} to {percent(high)})")


def law(design: Design) -> list[tuple[str, str]]:
    """List how parts deviate: tolerances, groups, what is switched off, temperature and leakage."""
    rows = [(f"tolerance of {name}", law_text(t)) for name, t in design.tolerances.items()]
    rows += [
        (f"tolerance of {', '.join(p.components)}", f"{100.0 * p.tolerance:.3g} %")
        for p in design.part_tolerances
    ]
    rows += [(f"correlation in {', '.join(g.components)}", f"{g.correlation:.3g}") for g in design.groups]
    if design.only or design.without:
        rows.append(("mismatch that acts", str(Selection(design.only, design.without))))
    if design.temperature is not None:
        rows.append(("temperature", f"{design.temperature:.6g} K"))
    if design.leakage is not None:
        rows.append(("leakage of capacitors, R C", quantity(design.leakage, "s")))
    return rows


def circuit(of: Circuit) -> Iterator[Table]:
    """Count the components with their ranges, and give the op-amps' figures."""
    columns = ("kind", "count", "smallest", "largest", "ratio", "total")
    kinds = dict.fromkeys(type(c) for c in of.components)
    yield Table("Components", columns, tuple(_range(of, kind) for kind in kinds))
    models = dict.fromkeys(c.model for c in of.amplifiers)
    if models:
        columns = ("op-amp", "gain", "GBW", "slew rate", "offset", "largest random offset", "output swing",
                   "output current", "inputs")  # fmt: skip
        yield Table("Operational amplifiers", columns, tuple(_opamp(model) for model in models))


def _range(of: Circuit, component: type[Component]) -> tuple[str, ...]:
    parts = [c for c in of.components if type(c) is component]
    unit, name = KINDS[component].unit, KINDS[component].name.capitalize()
    values = np.array([getattr(c, "value", np.nan) for c in parts])
    if component not in _RANGED or not np.isfinite(values).all():
        return (name, str(len(parts)), "", "", "", "")
    low, high = float(values.min()), float(values.max())
    ratio = f"{high / low:.3g}" if high < 1000.0 * low else f"{high / low:.0f}"
    total = quantity(float(values.sum()), unit)
    return (name, str(len(parts)), quantity(low, unit), quantity(high, unit), ratio, total)


def _opamp(model: OpAmpModel) -> tuple[str, ...]:
    def finite(value: float, unit: str) -> str:
        return quantity(value, unit) if np.isfinite(value) else "∞"

    return (
        model.name,
        f"{20.0 * np.log10(model.gain):.4g} dB" if np.isfinite(model.gain) else "∞",
        finite(model.gbw, "Hz"),
        f"{model.slew / 1e6:.4g} V/µs" if np.isfinite(model.slew) else "∞",
        finite(model.offset, "V"),
        finite(model.offset_max, "V"),
        _ranged(model.floor, model.rail) + ("" if model.swing_known else ", the supply"),
        finite(model.output_current, "A"),
        _ranged(*model.common_mode),
    )


def _ranged(low: float, high: float) -> str:
    """Write the range of a voltage."""
    if not np.isfinite(high):
        return "∞"
    return f"±{quantity(high, 'V')}" if low == -high else f"{quantity(low, 'V')} to {quantity(high, 'V')}"


def nominal_values(of: Circuit) -> dict[str, str]:
    """Write the nominal value of every component that has one, by name."""
    units = {c.name: kind_of(c).unit for c in of.components if isinstance(c, _RANGED)}
    return {p.name: quantity(p.nominal, units[p.name]) for p in of.parameters if p.name in units}


def provenance(design: Design, run: xr.Dataset | None, *, written: str) -> Table:
    """List digest, seed and versions; ``written`` says when, if at all."""
    rows = [("lmu_analog", str(design.provenance["version"])), ("design digest (SHA-256)", design.digest)]
    if run is not None:
        known = [key for key in ("seed", "engine", "version") if key in run.attrs]
        rows += [(f"ensemble, {key}", str(run.attrs[key])) for key in known]
    if design.file is not None:
        chosen = [f", {k} {v}" for k, v in (("column", design.column), ("channel", design.channel)) if v]
        rows.append(("recording", design.file.name + "".join(chosen)))
    rows += [("Python", platform.python_version()), *((name, version(name)) for name in _LIBRARIES)]
    if written:
        rows.append(("written", written))
    return Table("What made these figures", ("what", "value"), tuple(rows))
