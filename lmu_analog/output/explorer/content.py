"""What the explorer's page is given: structures with the traces of their law, figures of parts, texts of designs.

The page evaluates the same law as ``codesign.grid``, so it gets what that needs and no rows: per bank of values the
distinct entries of its (symmetric) traces, per op-amp its figures, per decade what the parts cost at each tolerance.
Traces are scaled to be of the order of one, which changes no result, and written as 32-bit floats: an NRMSE is then
within 1e-7 of the one in doubles.
"""

import base64
import json
import math
from collections.abc import Iterator
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.codesign.board_noise import BoardNoise
from lmu_analog.codesign.grid import Figures, Grid, bought
from lmu_analog.codesign.law import Traces
from lmu_analog.codesign.structures import BIAS, CLASSES, OFFSET, TERMS, Bank
from lmu_analog.output.design_text import commented
from lmu_analog.units import write
from lmu_analog.version import __version__

COMMENTS_FROM = 34  # column of the comments of a design file
# Lines of a design file that differ between candidates of one bank; all others are the bank's.
_OPAMP, _HEADROOM = ("circuit", "opamp"), ("circuit", "headroom")
_BY_AXIS = {"opamp": _OPAMP, "resistor": ("mismatch", "resistor"), "capacitor": ("mismatch", "capacitor")}
_VALUES = "circuit.element_values"


def content(grid: Grid) -> dict[str, Any]:
    """Give what the page is made of, for JSON: numbers in SI units, None where one is not known."""
    requirement = grid.requirement
    allow, base, need = requirement.allow, requirement.base, requirement.need
    structures = {_which(b): b for b in grid.banks}
    places = {which: k for k, which in enumerate(structures)}
    first = _first_rows(grid)
    templates = [_template(grid, row) for row in first["bank"].values()]
    different = list(dict.fromkeys(json.dumps(one) for one in templates))
    limits = {"nrmse": need.nrmse, "cost": need.cost, "power": need.power, "parts": need.parts}
    limits["noise"] = None if need.snr is None else 10.0 ** (-need.snr / 20.0)
    elsewhere = {"tap_nrmse": need.tap_nrmse, "area": need.area}
    return {
        "version": __version__,
        "asked": _asked(grid),
        "limits": limits,
        "good": need.good,
        "minimise": requirement.minimise if requirement.minimise in grid.objectives() else "cost",
        # What the law on the grid says nothing of, and verification does.
        "unchecked": [name for name, limit in elsewhere.items() if limit is not None]
        + (["temperature"] if requirement.temperatures else []),
        "bandwidth_tolerance": requirement.bandwidth,
        "supply_voltage": base.supply * (1.0 if base.has_single_supply else 2.0),
        "rail": base.rail,
        "full_scale": base.full_scale,
        "classes": CLASSES,
        "terms": TERMS,
        "unit_offset": OFFSET,
        "unit_bias": BIAS,
        "resistor": allow.resistor,
        "capacitor": allow.capacitor,
        "opamps": _opamps(grid),
        "structures": [
            {
                "order": b.order,
                "family": b.family,
                "realization": b.realization,
                "names": b.names,
                "resistors": b.resistors,
                "amplifiers": b.amplifiers,
            }
            for b in structures.values()
        ],
        "templates": [json.loads(one) for one in different],
        "banks": [
            _bank(grid, b)
            | {"structure": places[_which(b)], "template": different.index(json.dumps(template))}
            for b, template in zip(grid.banks, templates, strict=True)
        ],
        "lines": {
            axis: {str(k): _line_of(grid, row, _BY_AXIS[axis]) for k, row in rows.items()}
            for axis, rows in first.items()
            if axis in _BY_AXIS
        },
        "comments_from": COMMENTS_FROM,
    }


def as_json(grid: Grid) -> str:
    """Give the content as one line of JSON that has no NaN in it."""
    return json.dumps(_plain(content(grid)), separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _plain(given: Any) -> Any:
    """Replace numbers that JSON has none for, and NumPy's, in nested lists and dicts."""
    if isinstance(given, dict):
        return {key: _plain(value) for key, value in given.items()}
    if isinstance(given, list | tuple):
        return [_plain(value) for value in given]
    if isinstance(given, np.generic):
        return _plain(given.item())
    return None if isinstance(given, float) and not math.isfinite(given) else given


def _asked(grid: Grid) -> str:
    base = grid.requirement.base
    supply = f"0 to {base.supply:g} V" if base.has_single_supply else f"±{base.supply:g} V"
    return (
        f"A window of {write(base.theta, 's')}, signals up to {write(base.bandwidth, 'Hz')}, supply {supply}"
    )


def _opamps(grid: Grid) -> list[dict[str, Any]]:
    """Give the figures of the op-amps that are allowed; reciprocals where an ideal one is infinite."""
    requirement, figures = grid.requirement, Figures.of(grid.requirement)
    used = {k for bank in grid.banks for k in bank.opamps}
    found: list[dict[str, Any]] = []
    for k, part in enumerate(requirement.allow.opamps):
        model = requirement.base.replace(opamp=part).opamp_model
        found.append({
            "name": part,
            "used": k in used,
            "amplifiers": int(figures.amplifiers[k]),
            "package": form_of(part, requirement.base.own_parts).package,
            "current": figures.current[k],
            "price": figures.price[k],
            "per_gain": 1.0 / model.gain,
            "per_gbw": 1.0 / model.gbw,
            "offset": model.offset,
            "offset_max": model.offset_max,
            "bias": model.bias,
            "noise": model.noise,
            "noise_corner": model.noise_corner,
            "current_noise": model.current_noise,
            "swing": model.swing,
        })  # fmt: skip
    return found


def _which(bank: Bank) -> tuple[int, str, str, tuple[str, ...]]:
    """Give what banks of one structure have in common."""
    return bank.order, bank.family, bank.realization, bank.names


def _bank(grid: Grid, bank: Bank) -> dict[str, Any]:
    sums = {decade: bought(grid.requirement, bank, decade) for decade in bank.decades}
    return {
        "series": bank.series,
        "calibration": bank.calibration,
        "swing": bank.swing,
        "opamps": bank.opamps,
        "decades": bank.decades,
        "values": [float(f"{v:.6g}") for v in bank.values.tolist()],
        "others": len(bank.others),
        "load": bank.load,
        "per_gain": 1.0 / bank.reference.gain,
        "gbw": bank.reference.gbw,
        "resistor_cost": [sums[d][0] for d in bank.decades],
        "capacitor_cost": [sums[d][1] for d in bank.decades],
        "noise": None if grid.requirement.need.snr is None else _noise(grid, bank),
        "rest": bank.traces.rest,
        "law": packed(bank.traces.leading(len(TERMS))),
    }


def _noise(grid: Grid, bank: Bank) -> list[float]:
    of = BoardNoise.of(grid.requirement, bank)
    return [of.resistors, of.white, of.flicker, of.current]


def packed(traces: Traces) -> str:
    """Write traces as base64 of little-endian 32-bit floats.

    In order: a scale of every class of draws and of every term, then with both scaled to one ``first``, ``second``,
    ``third``, ``nominal``, ``along`` and ``turned``, of each only entries whose indices do not fall.
    """
    classes = np.where(traces.first > 0.0, traces.first, 1.0)
    terms = np.sqrt(np.diagonal(traces.nominal))
    terms = np.where(terms > 0.0, terms, 1.0)
    of, by = classes.astype("<f4").astype(float), terms.astype("<f4").astype(float)  # as the page reads them
    pairs, triples = _rising(len(of), 2), _rising(len(of), 3)
    forms = [traces.nominal, *(a / c for a, c in zip(traces.along, of, strict=True))]
    forms += [traces.turned[a, b] / (of[a] * of[b]) for a, b in pairs]
    entries = [
        of,
        by,
        traces.first / of,
        [traces.second[p] / (of[p[0]] * of[p[1]]) for p in pairs],
        [traces.third[p] / (of[p[0]] * of[p[1]] * of[p[2]]) for p in triples],
        *(_upper(form, by) for form in forms),
    ]
    return base64.b64encode(np.concatenate(entries).astype("<f4").tobytes()).decode("ascii")


def _rising(count: int, of: int) -> list[tuple[int, ...]]:
    return list(combinations_with_replacement(range(count), of))


def _upper(form: Float[np.ndarray, "k k"], scale: Float[np.ndarray, " k"]) -> Float[np.ndarray, " u"]:
    return (form / np.outer(scale, scale))[np.triu_indices(len(scale))]


def _first_rows(grid: Grid) -> dict[str, dict[int, int]]:
    """Give the first row of every bank, op-amp and tolerance that occurs."""
    columns = {
        "bank": grid.bank,
        "opamp": grid.opamp,
        "resistor": grid.resistor,
        "capacitor": grid.capacitor,
    }
    found: dict[str, dict[int, int]] = {}
    for name, column in columns.items():
        values, rows = np.unique(column, return_index=True)
        found[name] = dict(zip(values.tolist(), rows.tolist(), strict=True))
    return found


def _lines(text: str) -> Iterator[tuple[tuple[str, str], str]]:
    """Give the lines of a design file with the table and the key that each is of."""
    table = ""
    for line in text.splitlines():
        if line.startswith("["):
            table = line.strip("[]")
        yield (table, line.partition("=")[0].strip()), line


def _line_of(grid: Grid, row: int, which: tuple[str, str]) -> str:
    return next(line for key, line in _lines(commented(grid.design_of(row))) if key == which)


def _template(grid: Grid, row: int) -> list[str | list[str]]:
    """Give the lines of a design; in place of those that differ between candidates a list with the name of each."""
    names = {key: axis for axis, key in _BY_AXIS.items()}
    found: list[str | list[str]] = []
    for key, line in _lines(commented(grid.design_of(row))):
        if key in names:
            found.append([names[key]])
        elif key == _HEADROOM:
            found.append(["headroom", line.partition("#")[2]])
        elif key[0] == _VALUES and "=" in line:
            if found[-1] != ["values"]:
                found.append(["values"])
        else:
            found.append(line)
    return found
