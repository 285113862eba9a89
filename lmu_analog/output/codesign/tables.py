"""What a search found, as tables: steps from the winner, both engines' proof, counts, the front, what would help.

They read what ``result.json`` has.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lmu_analog.output.text_tables import Table, percent, quantity, share

Member = Mapping[str, Any]  # of the front, as in ``result.json``

_NOTHING = "–"
_STEP = 0.01  # of a price or an error: members that are closer are no step apart
_ALIKE = 1e-3  # of a power: a smaller difference is none
_READ = {"none": "ideal", "nominal": "fitted to the nominal circuit", "each": "fitted to each circuit"}


def plain(value: float) -> str:
    """Write a fraction that somebody chose in percent, without digits that say nothing."""
    return f"{100.0 * value:.6g} %"


# What a member is made of, in words, and how its values are written.
_MADE = {
    "order": ("order", str),
    "family": ("family", str),
    "realization": ("realization", str),
    "opamp": ("op-amp", str),
    "resistor": ("resistors", plain),
    "capacitor": ("capacitors", plain),
    "values": ("series", str),
    "calibration": ("readout", _READ.__getitem__),
    "capacitance": ("capacitance", lambda x: quantity(x, "F")),
    "transconductor_area": ("transistors", lambda x: f"{1e12 * x:.4g} µm²"),
    "sizing": ("sizing", str),
    "linear_range": ("linear range", lambda x: _NOTHING if x is None else quantity(x, "V")),
}
_COUNTED = (
    ("grid", "looked at", "all combinations of what is allowed"),
    ("failed", "not built", "a circuit cannot be made of them"),
    ("unfit", "unfit", "values beyond what a board or chip takes, op-amps that are too slow or do not suit"),
    ("same", "the same", "circuits that stand in the grid already"),
    ("pruned", "pruned", "a bound says that none of their structure keeps the limit of the error"),
    ("evaluated", "evaluated", "by the law of their error"),
    ("beyond", "beyond a limit", "of the evaluated ones, by the law"),
    ("refused", "refused", "of the evaluated ones, by the exact engine or the limits of their parts"),
    ("dominated", "dominated", "of the evaluated ones: a member of the front is as good in all, and better"),
    ("front", "the front", "each verified by the exact engine"),
)


def on_chip(one: Member) -> bool:
    """Tell whether a circuit takes area in place of parts that are bought."""
    return one["cost"] is None


def price_name(one: Member) -> str:
    """Name what a circuit costs: money, or area of a chip."""
    return "area" if on_chip(one) else "cost"


def price(one: Member, area: str = "mm2") -> str:
    """Write what a circuit costs; ``area`` writes the unit."""
    return f"{1e6 * one['area']:.3g} {area}" if on_chip(one) else f"{one['cost']:.2f}"


def p95_text(p95: float | None) -> str:
    """Write a 95th percentile, which is none where more than 5 % of the circuits are unstable."""
    return "unstable" if p95 is None else percent(p95)


def ordered_errors(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give the result with infinite 95th percentiles where ``result.json`` has none, so that errors can be compared."""
    front = [
        {**one, "nrmse_p95": math.inf, "law_over_exact": math.nan} if one["nrmse_p95"] is None else one
        for one in content["front"]
    ]
    return {**content, "front": front}


def made_of(one: Member) -> str:
    """Write what a circuit is made of, in few words."""
    if not on_chip(one):
        return f"{one['opamp']}, {plain(one['resistor'])}, {plain(one['capacitor'])}"
    wide = "" if one["linear_range"] is None else f", {quantity(one['linear_range'], 'V')}"
    return f"{quantity(one['capacitance'], 'F')}, {1e12 * one['transconductor_area']:.4g} um2{wide}"


def in_words(one: Member) -> str:
    """Write all that a circuit is made of, each with what it is."""
    said = [
        f"{name} {write(one[key])}"
        for key, (name, write) in _MADE.items()
        if key in one and not (key in ("calibration", "linear_range") and one[key] in ("none", None))
    ]
    return ", ".join(said)


def winner_of(content: Mapping[str, Any]) -> Member:
    """Give the winner of a search that has one."""
    return next(one for one in content["front"] if one["design"] == content["winner"])


def limits(content: Mapping[str, Any]) -> dict[str, str]:
    """Write the limits that are wanted: figure to its limit."""
    need = content["requirement"]["need"]
    written = {
        "loss": lambda x: f"the network's loss ≤ {x:g}",
        "nrmse": lambda x: f"window error ≤ {plain(x)}",
        "tap_nrmse": lambda x: f"error of every tap ≤ {plain(x)}",
        "yield": lambda x: f"in {plain(x)} of circuits",
        "power": lambda x: f"power ≤ {quantity(x, 'W')}",
        "cost": lambda x: f"cost ≤ {x:g}",
        "parts": lambda x: f"parts ≤ {x}",
        "area": lambda x: f"area ≤ {1e6 * x:.4g} mm²",
        "snr": lambda x: f"SNR ≥ {x:g} dB",
    }
    limited = {"nrmse", "tap_nrmse", "loss"} & set(need)
    return {
        name: write(need[name])
        for name, write in written.items()
        if name in need and (name != "yield" or limited)
    }


def of_network(content: Mapping[str, Any]) -> bool:
    """Tell whether the error is that of a network, the root of its loss, in place of the window's."""
    return "loss" in content["requirement"]["need"]


def error_text(content: Mapping[str, Any], error: float | None) -> str:
    """Write an error: a window NRMSE in percent, or a network's loss; none where more circuits are unstable."""
    if error is None or math.isinf(error):
        return "unstable"
    return f"{error * error:.3g}" if of_network(content) else percent(error)


def steps(content: Mapping[str, Any]) -> Table:
    """List what a step from the winner along the front buys and costs, and where the ends of the front are."""
    best, front = winner_of(content), content["front"]
    name = price_name(best)
    dearer, cheaper = ("dearer", "cheaper") if name == "cost" else ("larger", "smaller")
    ways = [
        (f"a step {dearer}", _beside(front, best, name, up=True)),
        (f"a step {cheaper}", _beside(front, best, name, up=False)),
        ("a step more accurate", _beside(front, best, "nrmse_p95", up=False)),
        ("a step less accurate", _beside(front, best, "nrmse_p95", up=True)),
        ("the least error", _end(front, best, "nrmse_p95")),
        (f"the least {name}", _end(front, best, name)),
        ("the least power", _end(front, best, "power")),
        ("the fewest parts", _end(front, best, "parts")),
    ]
    labels: dict[str, list[str]] = {}
    members = {one["design"]: one for _, one in ways if one is not None}
    for label, one in ways:
        if one is not None:
            labels.setdefault(one["design"], []).append(label)
    winner = (
        f"the winner: {made_of(best).replace('um2', 'µm²')}",
        error_text(content, best["nrmse_p95"]),
        price(best, "mm²").removesuffix(" mm²"),
        quantity(best["power"], "W"),
        str(best["parts"]),
    )
    rows = [_apart(content, one, labels[design]) for design, one in members.items()]
    caption = f"From the winner along the front: differences in p95, {name}, power and parts"
    unit = "" if name == "cost" else " (mm²)"
    columns = ("member of the front, and what changes", "p95", f"{name}{unit}", "power", "parts")
    return Table(caption, columns, (winner, *rows))


def _apart(content: Mapping[str, Any], one: Member, labels: Sequence[str]) -> tuple[str, ...]:
    """Write which member it is and why it is named, what of its parts changes, and how far it is from the winner."""
    best = winner_of(content)
    power = one["power"] - best["power"]
    watts = f"{'-' if power < 0.0 else '+'}{quantity(abs(float(f'{power:.3g}')), 'W')}"
    key, factor, digits = ("area", 1e6, "+.3g") if on_chip(best) else ("cost", 1.0, "+.2f")
    pair = [x["nrmse_p95"] ** 2 if of_network(content) else 100.0 * x["nrmse_p95"] for x in (one, best)]
    apart = pair[0] - pair[1] if pair[0] != pair[1] else 0.0
    return (
        f"{'; '.join(labels)} ({number(one)}): {changes(best, one)}",
        _signed(f"{apart:+.3g}", "" if of_network(content) else " points")
        if math.isfinite(apart)
        else "unstable",
        _signed(f"{factor * (one[key] - best[key]):{digits}}"),
        "the same" if abs(power) <= _ALIKE * best["power"] else _signed(watts),
        _signed(f"{one['parts'] - best['parts']:+d}"),
    )


def _end(front: Sequence[Member], best: Member, key: str) -> Member | None:
    """Give the member that has least of a figure, of equal ones that of the least error; None where the winner has."""
    least = min(front, key=lambda one: (one[key], one["nrmse_p95"]))
    return least if least[key] < best[key] else None


def _beside(front: Sequence[Member], best: Member, key: str, *, up: bool) -> Member | None:
    """Give the member of the next larger, or smaller, value; of equal ones that of the least error."""
    sign = 1.0 if up else -1.0
    others = [one for one in front if sign * (one[key] - best[key]) > _STEP * best[key]]
    return min(others, key=lambda one: (sign * one[key], one["nrmse_p95"]), default=None)


def _signed(text: str, unit: str = "") -> str:
    if not text.strip("+-0."):
        return "the same"
    return text.replace("-", "\N{MINUS SIGN}") + unit


def number(one: Member) -> str:
    """Give the number of a member, with which its file begins."""
    return str(one["design"]).rpartition("/")[2].partition("-")[0]


def changes(first: Member, other: Member) -> str:
    """Say in what other parts a member has."""
    said = [
        f"{name} {write(first[key])} → {write(other[key])}"
        for key, (name, write) in _MADE.items()
        if key in first and first[key] != other[key]
    ]
    return ", ".join(said) or "component values"


def proof(content: Mapping[str, Any]) -> tuple[str, Table]:
    """Hold both engines, and the law, against each other: of the winner, and in a sentence of the whole front."""
    best, front = winner_of(content), content["front"]
    low, high = best["yield_interval"]
    ran, samples = best["ngspice_nrmse"], best["samples"]
    # ngspice runs one circuit over the window, not a network, so only window errors stand against each other.
    alike = not of_network(content)
    rows = [
        (
            "nominal window NRMSE" if alike else "nominal loss",
            error_text(content, best["nrmse"]),
            _NOTHING if ran is None or not best["nrmse"] or not alike else _ratio(ran / best["nrmse"]),
            "not run"
            if ran is None
            else f"ngspice, with rails: {percent(ran)}{'' if alike else ' of the window'}",
        ),
        (
            "p95 of circuits",
            error_text(content, best["nrmse_p95"]),
            _ratio(best["law_over_exact"]),
            f"the law: {error_text(content, best['law_p95'])}",
        ),
        (
            "yield",
            f"{share(best['yield'])} ({share(low)} to {share(high)})",
            _ratio(best["law_yield"] / best["yield"]) if best["yield"] else _NOTHING,
            f"the law: {share(best['law_yield'])}",
        ),
    ]
    if best["snr_db"] is not None:
        rows.append(("SNR, full-scale sine", f"{best['snr_db']:.4g} dB", _NOTHING, "none"))
    ratios = [one["law_over_exact"] for one in front]
    ngspice = [
        one["ngspice_nrmse"] / one["nrmse"]
        for one in front
        if one["ngspice_nrmse"] is not None and one["nrmse"]
    ]
    lead = (
        f"The exact engine ran {samples} mismatched circuits of each of the {len(front)} members of the front; "
        f"the law's p95 is {_range(ratios)} times theirs."
    )
    if ngspice and alike:
        lead += (
            f" Of {len(ngspice)}, the winner and those beside it, ngspice ran the nominal circuit with rails: "
            f"{_range(ngspice)} times the exact engine's error."
        )
    columns = ("of the winner", "exact engine", "other over it", "other")
    return lead, Table("Both engines, and the law. In brackets a 95 % interval", columns, tuple(rows))


def _range(values: Sequence[float]) -> str:
    known = [value for value in values if math.isfinite(value)] or [math.nan]
    low, high = _ratio(min(known)), _ratio(max(known))
    return low if low == high else f"{low} to {high}"


def _ratio(value: float) -> str:
    return f"{value:.4f}" if math.isfinite(value) else _NOTHING


def counted(content: Mapping[str, Any]) -> Table:
    """List what became of all candidates."""
    counts = content["counts"]
    rows = tuple(
        (name, f"{counts[key]}", said) for key, name, said in _COUNTED if counts[key] or key == "grid"
    )
    return Table("What became of the candidates", ("candidates", "number", "what they are"), rows)


def reasons(content: Mapping[str, Any]) -> Table:
    """List why candidates could not be built, or were refused."""
    found = sorted(content["reasons"].items(), key=lambda one: (-one[1], one[0]))
    return Table(
        "Why candidates could not be built, or were refused",
        ("reason", "number"),
        tuple((why, str(n)) for why, n in found),
    )


def whole_front(content: Mapping[str, Any]) -> Table:
    """List all members of the front."""
    front = content["front"]
    rows = tuple(
        (
            f"{number(one)}{' (winner)' if one['design'] == content['winner'] else ''}",
            f"{one['order']}, {one['family']}, {one['realization']}",
            made_of(one).replace("um2", "µm²"),
            _READ[one["calibration"]],
            error_text(content, one["nrmse"]),
            error_text(content, one["nrmse_p95"]),
            f"{share(one['yield'])} ({share(one['yield_interval'][0])} to {share(one['yield_interval'][1])})",
            price(one, "mm²"),
            quantity(one["power"], "W"),
            str(one["parts"]),
            percent(one["ngspice_nrmse"]),
            _ratio(one["law_over_exact"]),
        )
        for one in front
    )
    first = front[0]
    made = "C, area, range" if on_chip(first) else "op-amp, R, C"
    columns = (
        "number",
        "circuit",
        made,
        "readout",
        "nominal",
        "p95",
        "yield, 95 % interval",
        price_name(first),
        "power",
        "parts",
        "ngspice",
        "law over exact",
    )
    return Table(f"All {len(front)} members of the front, from the least error on", columns, rows)


def helping(content: Mapping[str, Any], area: str = "mm2") -> Table:
    """List what would help where nothing keeps the limits."""
    rows = tuple(
        (
            one["change"],
            error_text(content, one["nrmse_p95"]),
            price(one, area),
            f"yes, {percent(one['yield'])} of exact circuits" if one["feasible"] else "no",
        )
        for one in content["relax"]
    )
    return Table("What would help", ("change", "p95", "cost or area", "keeps all limits"), rows)
