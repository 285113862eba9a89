"""Results as a few aligned lines for a terminal."""

from collections.abc import Iterable
from typing import Any

from lmu_analog.ensembles.verdict import YieldVerdict
from lmu_analog.output import to_try
from lmu_analog.output.text_tables import interval, share, verdict_text
from lmu_analog.units import write


def aligned(
    title: str, rows: list[tuple[str, str, str]], *, warnings: Iterable[str] = (), width: int = 10
) -> str:
    """Set rows of name, value and note under a title, values to the right in ``width`` columns."""
    lines = [f"  {name:<18}{value:>{width}}  {note}".rstrip() for name, value, note in rows]
    return "\n".join([title, *lines, *(f"  warning: {line}" for line in warnings)])


def simulation(content: dict[str, Any]) -> str:
    """Lay out the object of ``simulate``."""
    rows = [
        ("window NRMSE", _percent(content["window_nrmse"]), "circuit against the ideal sliding window"),
        ("truncation NRMSE", _percent(content["truncation_nrmse"]), "ideal memory against the window"),
        ("reference NRMSE", _percent(content["reference_nrmse"]), "circuit against the NumPy memory"),
        *((tap["net"], _percent(tap["nrmse"]), f"against {_shown(tap)}") for tap in content.get("taps", [])),
        ("engine time", f"{content['seconds']:.3g} s", ""),
    ]
    title = (
        f"{content['family']}, {content['realization']}, order {content['order']}, {content['engine']} engine"
    )
    rows += [*impedance(content.get("impedance")), *readout(content.get("readout")), *to_try.rows(content)]
    return aligned(title, rows, warnings=content["warnings"])


def impedance(content: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Lay out which values were chosen, and what one capacitor for all would be; nothing where none were."""
    if content is None or not content["chosen"]:
        return []
    counted = ", ".join(_counted(c) for c in content["capacitors"])
    rows = [("impedance level", "chosen", counted or "of the whole circuit")]
    if ends := content["resistors"]:
        load = "" if content["load"] is None else f"; outputs drive {_ohms(content['load'])} or more"
        rows.append(("resistors", "", f"{_ends(ends)}{load}"))
    if other := content["common"]:
        one = write(other["capacitance"], "F")
        rows.append(
            ("one capacitor", one, f"for all: resistors of {_ends(other['resistors'])} at integrators")
        )
    return rows


def readout(content: dict[str, Any] | None) -> list[tuple[str, str, str]]:
    """Lay out how the states are read; nothing where as they are."""
    if content is None:
        return []
    gains = f"{content['rms_gain']:.3g} times, at most {content['largest_gain']:.3g} in one pattern"
    return [("readout", content["rule"], f"noise of the states is amplified {gains}")]


def impedance_line(content: dict[str, Any] | None) -> str:
    """Say the same in one line, or nothing."""
    return "; ".join(" ".join(word for word in row if word) for row in impedance(content))


def _counted(capacitor: dict[str, Any]) -> str:
    return f"{capacitor['count']} x {write(capacitor['value'], 'F')} {capacitor['kind']}"


def _ends(ends: dict[str, float]) -> str:
    return f"{_ohms(ends['lowest'])} to {_ohms(ends['highest'])}"


def _ohms(value: float) -> str:
    return write(float(f"{value:.3g}"), "Ohm")


def ensemble(content: dict[str, Any]) -> str:
    """Lay out the object of ``montecarlo``."""
    spread, limit = content["nrmse"], content["yield"]
    rows = [
        ("samples", str(content["samples"]), f"{content['unstable']} unstable, {content['failed']} failed"),
        ("nominal NRMSE", _percent(content["nominal_nrmse"]), "without mismatch"),
        (
            "median NRMSE",
            _percent(spread["median"]),
            f"5 % to 95 %: {_percent(spread['p05'])} to {_percent(spread['p95'])}",
        ),
    ]
    if limit:
        note = f"within {_percent(limit['limit'])}; {interval(limit['low'], limit['high'])}"
        rows.append(("yield", share(limit["value"]), note))
        if uniform := content.get("yield_uniform"):
            rows.append(uniform_row(uniform))
        if (wanted := limit["wanted"]) is not None:
            found = YieldVerdict(wanted, limit["verdict"], limit["samples_to_decide"])
            rows.append(("yield wanted", share(wanted), verdict_text(found, content["samples"])))
    rows += [_tap_row(tap, content["engine"]) for tap in content.get("taps", [])]
    if until := content.get("until"):
        reached = "reached" if until["reached"] else "not reached"
        rows.append(("until", _percent(until["half_width"]), f"{until['text']}: {reached}"))
    if both := content.get("hybrid"):
        rows += _hybrid(both)
    if (theory := content.get("theory")) and theory["ratio"] is not None:
        note = f"error added by mismatch (rms); {theory['low']:.3g} to {theory['high']:.3g} is expected"
        rows.append(("over theory", f"{theory['ratio']:.3g}", note))
    rows += to_try.rows(content)
    for kind, law in content["mismatch"].items():
        figure, _, words = law.partition(", ")
        rows.append(("tolerance", figure, f"{kind}: {words}"))
    rows.append(("time", f"{content['seconds']:.3g} s", f"{content['resumed']} samples taken over"))
    rows += [("of these", str(number), text) for text, number in content["reasons"].items()]
    title = f"mismatch ensemble, seed {content['seed']}, {content['engine']} engine"
    return aligned(title, rows, warnings=content["warnings"])


def uniform_row(found: dict[str, Any]) -> tuple[str, str, str]:
    """Lay out a yield with uniform parts: what it is of, and its interval."""
    said = interval(found["low"], found["high"])
    note = f"parts uniform within their tolerance, {found['samples']} samples; {said}"
    return "yield, uniform", share(found["value"]), note


def _hybrid(both: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Lay out the estimate from two engines."""
    rows = []
    for name, of in (("hybrid mean", both["mean"]), ("hybrid yield", both["yield"])):
        if of:
            interval = f"95 % interval {_percent(of['low'])} to {_percent(of['high'])}"
            rows.append((name, _percent(of["value"]), interval))
    worth = f"worth {both['mean']['equivalent']:.3g} samples of ngspice alone"
    rows.append(("ngspice samples", str(both["subset"]), worth))
    apart = f"at most, in sample {both['worst_sample']}"
    return [*rows, ("engines differ", _percent(both["largest_difference"]), apart)]


def main_job(content: dict[str, Any]) -> str:
    """Lay out the object of ``run``."""
    parts = [simulation(result) for result in content["simulate"].values()]
    parts.append(ensemble(content["montecarlo"]))
    said_already = content["montecarlo"].get("relax_note") is not None
    if not said_already and (rows := to_try.rows(content)):
        parts.append(aligned("limits", rows))
    if rows := [*impedance(content.get("impedance")), *readout(content.get("readout"))]:
        parts.append(aligned("values", rows))
    said = {line for result in content["simulate"].values() for line in result["warnings"]}
    if more := [line for line in content["warnings"] if line not in said]:
        parts.append("\n".join(["engines", *(f"  warning: {line}" for line in more)]))
    parts.append("\n".join(["files", *(f"  {path}" for path in content["files"])]))
    return "\n\n".join(parts)


def _tap_row(tap: dict[str, Any], engine: str) -> tuple[str, str, str]:
    """Lay out a tap of an ensemble, and which engine computed it where another one ran the window."""
    errors, good = tap["nrmse"], tap["yield"]
    note = f"median; p95 {_percent(errors['p95'])}, against {_shown(tap)}"
    if engine != tap["engine"]:
        note += f", {tap['engine']} engine"
    if good:
        note += f"; yield {share(good['value'])} within {_percent(good['limit'])}"
    return tap["net"], _percent(errors["median"]), note


def _shown(tap: dict[str, Any]) -> str:
    wanted = "of its weighted sum" if tap["r"] is None else f"u(t - {tap['r']:g} theta)"
    return f"{tap['gain']:.4g} {wanted}"


def _percent(value: float | None) -> str:
    return "none" if value is None else f"{100.0 * value:.3g} %"
