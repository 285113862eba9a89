"""What to order for the winner, with the parts marked whose deviations decide the error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from lmu_analog.analysis.calibrated_law import first_order_calibrated
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.devices.prices import Price
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.codesign.task import task_first_order
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.networks.task import NetworkTask
from lmu_analog.output import text_tables
from lmu_analog.output.export.lists import Line, bom_lines
from lmu_analog.output.report.subject import Section
from lmu_analog.output.text_tables import Table, percent
from lmu_analog.theory.sensitivity import elements

_HALF = 0.5  # of the variance that mismatch adds: the parts that make it, largest first, are tight
_TIE = 1e-6  # relative: parts of shares that are closer are tight together
_SHORT = 10  # lines up to which the whole list stands on the first page
_MOST_REFERENCES = 8  # in a cell
TIGHT = "▲"  # marks them


def shares_of(
    design: Design,
    circuit: Circuit,
    *,
    calibration: Literal["none", "nominal", "each"] = "none",
    task: NetworkTask | None = None,
) -> dict[str, float]:
    """Give what every component adds to the variance of the error, a share of what all mismatch adds.

    Parameters
    ----------
    design : Design
    circuit : Circuit
        Built from it.
    calibration : {"none", "nominal", "each"}
        With ``each``, of the error that is left when every circuit has its own readout.
    task : NetworkTask, optional
        With one, of its loss; of several memories the shares of a component add up.
    """
    theory = first_order_calibrated(design, "readout") if calibration == "each" else None
    if task is not None:
        theory = task_first_order(design, task)
    found = elements(design, theory)
    component = {p.name: p.component for p in circuit.parameters}
    shares: dict[str, float] = {}
    for name, share in zip(map(str, found.element.values), found.share.values.tolist(), strict=True):
        of = component.get(name.rpartition("/")[2].removesuffix(" (tau)"))
        if of is not None:
            shares[of] = shares.get(of, 0.0) + share
    return shares


def tight(shares: Mapping[str, float]) -> set[str]:
    """Name the parts that decide the error: those which, largest first, make half of what mismatch adds."""
    ranked = sorted(shares, key=lambda name: -shares[name])
    values = np.array([shares[name] for name in ranked])
    if not len(values) or values[0] <= 0.0:
        return set()
    last = values[min(int(np.searchsorted(np.cumsum(values), _HALF)), len(values) - 1)]
    return {name for name, value in zip(ranked, values, strict=True) if value >= last * (1.0 - _TIE)}


def ordered(
    design: Design,
    prices: Mapping[str, Price] | None,
    *,
    calibration: Literal["none", "nominal", "each"] = "none",
    task: NetworkTask | None = None,
) -> tuple[Section, Table | None]:
    """List what to order: the tight parts and amplifiers first; and the whole list, unless it is the same.

    Circuits on a chip have no parts to order; of them the components are counted.
    """
    circuit = build(design)
    shares = shares_of(design, circuit, calibration=calibration, task=task)
    marked = tight(shares)
    lead = (
        f"{TIGHT} marks the parts whose deviations decide the error: {len(marked)} of {len(shares)}, which make "
        f"{percent(sum(shares[name] for name in marked))} of the variance that mismatch adds, by first-order theory."
        if marked
        else "Mismatch adds nothing."
    )
    if is_on_chip(circuit):
        first, *others = text_tables.circuit(circuit)
        return Section(
            f"Made on a chip: no parts to order. {lead}", tables=(first, _on_chip(shares, marked), *others)
        ), None
    try:
        lines = bom_lines(design, circuit, prices)
    except DesignError as error:  # an amplifier that nobody can order there
        return Section(absent=f"{error}."), None
    rows = [(line, _row(line, shares, marked)) for line in lines]
    columns = ("part", "number", "tolerance", "share of variance", "references")
    every = tuple((*row[:-1], line.price_each or "–", _bought(line), row[-1]) for line, row in rows)
    wide = (*columns[:-1], "price each", "maker and number", columns[-1])
    whole = Table(f"Bill of materials, {len(lines)} lines", wide, every)
    notes = tuple(
        f"{_shortened(line.references.split())}: {line.note}."
        for line in lines
        if line.note.startswith("no ")
    )
    lead += " Decoupling and connectors are in the list, and not in the cost."
    if len(lines) <= _SHORT:
        return Section(lead, tables=(whole,), notes=notes), None
    chosen = tuple(row for line, row in rows if line.part or row[0].startswith(TIGHT))
    said = f"Tight parts and amplifiers, {len(chosen)} of the {len(lines)} lines of the bill of materials"
    return Section(lead, tables=(Table(said, columns, chosen),), notes=notes), whole


def _row(line: Line, shares: Mapping[str, float], marked: set[str]) -> tuple[str, ...]:
    names = line.deck_names.split()
    share = sum(shares.get(name, 0.0) for name in names)
    references = line.references.split()
    mine = [name in marked for name in names]
    said = _shortened(references)
    if any(mine) and not all(mine) and len(names) == len(references):  # packages hold several amplifiers
        said = f"{_shortened([r for r, is_tight in zip(references, mine, strict=True) if is_tight])} tight, of {said}"
    tolerance = line.order_tolerance_percent or line.tolerance_percent
    words = (TIGHT if any(mine) else "", line.kind, line.part or line.order_as or line.value, line.material)
    return (
        " ".join(word for word in (*words, line.package) if word).replace("Ohm", "Ω").replace(" u", " µ"),
        str(line.quantity),
        f"{tolerance} %" if tolerance else "–",
        percent(share) if share else "–",
        said,
    )


def _bought(line: Line) -> str:
    return " ".join(word for word in (line.maker, line.part_number) if word) or "–"


def _on_chip(shares: Mapping[str, float], marked: set[str]) -> Table:
    """List the components that decide the error of a circuit on a chip."""
    ranked = sorted(marked, key=lambda name: (-shares[name], name))
    rows = tuple((f"{TIGHT} {name}", percent(shares[name])) for name in ranked)
    return Table("Components that decide the error", ("component", "share of variance"), rows)


def _shortened(names: Sequence[str]) -> str:
    if len(names) <= _MOST_REFERENCES:
        return " ".join(names)
    return f"{' '.join(names[: _MOST_REFERENCES - 1])} … {names[-1]}"
