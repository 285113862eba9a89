"""Designs side by side, for people and scripts: what differs in their files, figures, and differences."""

import json
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from lmu_analog.codesign.side_by_side import Change, Difference, Side, SideBySide
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.output.budget import NAMES
from lmu_analog.output.design_text import commented
from lmu_analog.output.layout import lined_up
from lmu_analog.output.text_tables import Table, percent, quantity, share

_NOTHING = "–"
_WIDEST = 24  # characters of a value that stands in a column; longer ones have a line of their own
_NEGLIGIBLE = 1e-9  # of rms(u): a contributor that no design has is left out of the table


def differing_keys(designs: Mapping[str, Design]) -> dict[str, tuple[str | None, ...]]:
    """Give the keys in which designs differ, each with its value in every design as a design file has it.

    What a file leaves out has the value that it then has; None where there is no such value.
    """
    texts = [_keys(design) for design in designs.values()]
    every = dict.fromkeys(name for of in texts for name in of)
    rows = {name: tuple(of.get(name) for of in texts) for name in every}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def _keys(design: Design) -> dict[str, str]:
    found = {
        f"{key.table}.{key.name}": value
        for field, key in KEYS.items()
        if isinstance(value := getattr(design, field), str) and value and field != "opamp"
    }
    found["memory.order"] = str(design.order)  # where an error chooses it, too
    for table, content in tomllib.loads(commented(design)).items():
        for name, value in content.items():
            found[f"{table}.{name}"] = value if isinstance(value, str) else _inline(value)
    return found


def _inline(value: Any) -> str:
    """Write a value as on one line of a design file."""
    match value:
        case dict():
            return f"{{ {', '.join(f'{name} = {_inline(x)}' for name, x in value.items())} }}"
        case list():
            return f"[{', '.join(map(_inline, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def content(found: SideBySide) -> dict[str, Any]:
    """Give the figures; errors and yields are fractions."""
    designs = {side.name: side.design for side in found.sides}
    return {
        "samples": found.samples,
        "seed": found.seed,
        "assumed_prices": found.assumed,
        "keys": [{"key": key, "values": list(values)} for key, values in differing_keys(designs).items()],
        "designs": [_side(side) for side in found.sides],
        "differences": [_difference(found.sides[0], each) for each in found.differences],
    }


def _side(side: Side) -> dict[str, Any]:
    design, good = side.design, side.good
    return {
        "name": side.name,
        **{key: getattr(design, key) for key in ("order", "family", "realization")},
        "digest": design.digest,
        "nominal_nrmse": side.nominal,
        "nrmse": side.spread,
        **{key: side.ensemble[key] for key in ("failed", "unstable")},
        "yield": None if good is None else {k: getattr(good, k) for k in ("limit", "value", "low", "high")},
        "causes": side.causes,
        "classes": side.classes,
        "cost": side.cost,
        "without_price": side.unpriced,
        "power": side.takes.power,
        "parts": side.parts,
        "area_m2": side.takes.area,
        "notes": list(side.notes),
    }


def _difference(first: Side, found: Difference) -> dict[str, Any]:
    def written(change: Change | None) -> dict[str, float] | None:
        return None if change is None else asdict(change)

    return {
        "name": found.name,
        "from": first.name,
        "common_draws": found.common_draws,
        "draws": list(found.draws),
        "pairs": found.pairs,
        "nrmse_p95": written(found.p95),
        "nrmse_mean": written(found.mean),
        "yield": written(found.good),
        "reason": found.reason or None,
    }


def text(given: dict[str, Any]) -> str:
    """Write the figures for a terminal."""
    blocks = [_keys_text(given), lined_up(_figures(given)), *map(_difference_text, given["differences"])]
    notes = [f"{of['name']}: {note}" for of in given["designs"] for note in of["notes"]]
    notes += [
        f"{of['name']}: {of['without_price']} parts without a price, not in its cost"
        for of in given["designs"]
        if of["without_price"]
    ]
    return "\n\n".join(blocks) + "".join(f"\n  note: {note}" for note in notes)


def _keys_text(given: dict[str, Any]) -> str:
    names = [of["name"] for of in given["designs"]]
    if not given["keys"]:
        return "No key of the designs differs."
    rows, long = [], []
    for row in given["keys"]:
        values = [_NOTHING if value is None else value for value in row["values"]]
        if max(map(len, values)) <= _WIDEST:
            rows.append((row["key"], *values, ""))
        else:
            long += [f"  {row['key']}", *(f"    {n}: {v}" for n, v in zip(names, values, strict=True))]
    lines = (
        [lined_up(Table("Keys that differ", ("key", *names, ""), tuple(rows)))]
        if rows
        else ["Keys that differ"]
    )
    return "\n".join([*lines, *long])


def _figures(given: dict[str, Any]) -> Table:
    designs = given["designs"]

    def row(name: str, read: Callable[[dict[str, Any]], str], note: str = "") -> tuple[str, ...]:
        return (name, *map(read, designs), note)

    def of_known(key: str, write: Callable[[float], str]) -> Callable[[dict[str, Any]], str]:
        return lambda of: _NOTHING if of[key] is None else write(of[key])

    def of_yield(write: Callable[[dict[str, Any]], str]) -> Callable[[dict[str, Any]], str]:
        return lambda of: _NOTHING if of["yield"] is None else write(of["yield"])

    rows = [
        row("nominal error", lambda of: percent(of["nominal_nrmse"])),
        row("p95 of circuits", lambda of: percent(of["nrmse"]["p95"])),
    ]
    if any(of["unstable"] or of["failed"] for of in designs):
        rows.append(row("unstable or failed", lambda of: str(of["unstable"] + of["failed"])))
    if any(of["yield"] for of in designs):
        rows.append(row("limit", of_yield(lambda y: percent(y["limit"]))))
        rows.append(row("yield", of_yield(lambda y: share(y["value"]))))
        rows.append(row("  95 % interval from", of_yield(lambda y: share(y["low"]))))
        rows.append(row("  to", of_yield(lambda y: share(y["high"]))))
    kinds = dict.fromkeys(kind for of in designs for kind in of["classes"])
    for cause, said in NAMES.items():
        if any(abs(of["causes"].get(cause, 0.0)) > _NEGLIGIBLE for of in designs):
            rows.append(row(said, lambda of, cause=cause: percent(of["causes"].get(cause))))
        if cause == "mismatch":
            rows += [
                row(f"  of {kind}", lambda of, kind=kind: percent(of["classes"].get(kind)), "first order")
                for kind in kinds
            ]
    rows += [
        row(
            "cost", of_known("cost", lambda x: f"{x:.2f}"), "USD, assumed" if given["assumed_prices"] else ""
        ),
        row("power", of_known("power", lambda x: quantity(float(f"{x:.3g}"), "W"))),
        row("parts", lambda of: str(of["parts"])),
    ]
    if any(of["area_m2"] is not None for of in designs):
        rows.append(row("area on the chip", of_known("area_m2", lambda x: f"{1e6 * x:.3g} mm²")))
    caption = f"Errors as fractions of rms(u), {given['samples']} circuits of seed {given['seed']}; by cause: rms alone"
    return Table(caption, ("figure", *(of["name"] for of in designs), ""), tuple(rows))


def _difference_text(found: dict[str, Any]) -> str:
    head = f"{found['name']} against {found['from']}"
    if found["reason"] is not None:
        return f"{head}: {found['reason']}"
    first, other = found["draws"]
    kept = f"{found['common_draws']} draws of {first} and {other} are common"
    rows = [_change(name, found[key], "%") for name, key in (("p95", "nrmse_p95"), ("mean", "nrmse_mean"))]
    if found["yield"] is not None:
        rows.append(_change("yield", found["yield"], "points"))
    caption = f"{head}: {found['pairs']} pairs of circuits, {kept}"
    return lined_up(Table(caption, ("of", "difference", "95 % from", "to", ""), tuple(rows)))


def _change(name: str, change: dict[str, float], unit: str) -> tuple[str, ...]:
    low, value, high = (100.0 * change[key] for key in ("low", "value", "high"))
    said = "surely more" if low > 0.0 else "surely less" if high < 0.0 else "undecided"
    said = "the same" if low == high == 0.0 else said
    digits = (f"{x:+.3g} {unit}" for x in (value, low, high))
    return (name, *digits, said)
