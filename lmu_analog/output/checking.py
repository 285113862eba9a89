"""A deck checked against what it claims, for people and scripts."""

from pathlib import Path
from typing import Any

from lmu_analog.analysis.certificate import Finding, checked
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.output.decks import deck_text
from lmu_analog.output.text_tables import percent
from lmu_analog.spice.checksums import items
from lmu_analog.spice.readback import Header, header, read_edited
from lmu_analog.units import write

_LARGEST = 50_000_000  # bytes of a deck; order 64 of the largest family has some megabytes
_SHOWN = 12  # changed elements in the text
_WANTED = "a deck (lmu-analog netlist DESIGN -o circuit.cir writes one)"


def check_deck(path: Path | str, design: Design | None = None) -> dict[str, Any]:
    """Check a deck from its text alone, or with its design too.

    Parameters
    ----------
    path : Path
    design : Design, optional
        From which the deck is said to be: its digest is compared, and changed elements are shown as they were.

    Returns
    -------
    dict
        For JSON: ``holds`` (null where nothing is claimed), ``broken`` (phrases), ``deviation`` and what is claimed of
        it (fractions of rms(u); null where unstable, or unknown), ``taps`` (``name``, ``net``, ``r``, ``gain``,
        ``deviation`` from the ideal memory's, ``nrmse`` against what it is to show), ``changed`` (name,
        value, and what it was), ``proofs``.

    Raises
    ------
    DesignError
        If the file cannot be read, or is no deck of ours.
    """
    path = Path(path)
    try:
        text = read_bytes(path, most=_LARGEST, wanted=_WANTED).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DesignError(f"{path}: is not UTF-8 text; give {_WANTED}") from None
    try:
        found = checked(read_edited(text))
        before = {} if design is None else _before(design, found.block)
    except (CircuitError, DesignError) as error:
        raise DesignError(f"{path}: {error}") from None
    return _content(path, found, design, before)


def _before(design: Design, block: Header) -> dict[str, str]:
    """Give the values with which the deck of a design, or of its sample, is written."""
    said = block.said
    sample, seed = said.get("sample"), said.get("seed", "0")
    if not seed.isdecimal() or not (sample or "0").isdecimal():
        raise CircuitError("seed and sample: whole numbers are wanted")
    plan = said.get("sampling", "random")
    if plan not in ("random", "latin", "sobol"):
        raise CircuitError("sampling: random, latin or sobol is wanted")
    text = deck_text(design, sample=None if sample is None else int(sample), seed=int(seed), sampling=plan)
    deck = read_edited(text)
    return {item.name.lower(): item.value for item in items(deck, header(deck))}


def _content(path: Path, found: Finding, design: Design | None, before: dict[str, str]) -> dict[str, Any]:
    block, claim = found.block, found.claim
    changed = () if found.difference is None else found.difference.changed
    broken = list(found.broken)
    if design is not None and claim.design != design.digest:
        broken.append("made from another design than the one given")
    return {
        "deck": str(path),
        "family": block["family"],
        "realization": block["realization"],
        "order": int(block["order"]),
        "theta": float(block["theta"]),
        "design": claim.design,
        "bandwidth": found.bandwidth,
        "holds": None if claim.empty and not broken else not broken,
        "broken": broken,
        "proofs": found.proofs,
        "deviation": found.deviation,
        "claimed": {"proofs": list(claim.proofs), "deviation": claim.deviation},
        "taps": [
            {
                "name": tap.output.name,
                "net": tap.output.net,
                "r": tap.output.of.r,
                "gain": tap.output.gain,
                "deviation": tap.deviation,
                "nrmse": tap.nrmse,
            }
            for tap in found.taps
        ],
        "changed": [
            {"name": item.name, "value": item.value, "was": before.get(item.name.lower())} for item in changed
        ],
        "missing": 0 if found.difference is None else found.difference.missing,
    }


def complaint(content: dict[str, Any]) -> str | None:
    """Say in a line what does not hold, and how far the memory is off; None if all holds, or nothing is claimed."""
    if not content["broken"]:
        return None
    names = [item["name"] for item in content["changed"]]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    said = [text for text in content["broken"] if not text.startswith("changed: ")]
    said = [f"changed: {', '.join(names[:_SHOWN])}{more}", *said] if names else said
    return f"{content['deck']}: {'; '.join(said)}; {_distance(content)}"


def _distance(content: dict[str, Any]) -> str:
    if content["deviation"] is None:
        return "an unstable circuit is no memory"
    claimed = content["claimed"]["deviation"]
    beside = "" if claimed is None else f", {_written(claimed)} when it was written"
    return f"the memory is {_written(content['deviation'])} of rms(u) from the ideal one{beside}"


def _tap(tap: dict[str, Any]) -> str:
    what = "its weighted sum" if tap["r"] is None else f"u(t - {tap['r']:g} theta)"
    shown = f"{tap['gain']:.4g} {'times ' if tap['r'] is None else ''}{what}"
    if tap["nrmse"] is None:
        return f"is to show {shown}; the circuit is unstable"
    return f"{_written(tap['nrmse'])} of rms(u) from {shown}, {_written(tap['deviation'])} from the ideal memory's"


def _written(share: float) -> str:
    return percent(share) if share >= 1e-9 else "under 1e-7 %"


def check_text(content: dict[str, Any]) -> str:
    """Lay out the object of ``check``."""
    theta, band = write(content["theta"], "s"), write(content["bandwidth"], "Hz")
    proofs = " ".join(name for name, holds in content["proofs"].items() if holds)
    claimed = content["claimed"]
    told = "the deck names all of them"
    if missing := [name for name in content["proofs"] if name not in claimed["proofs"]]:
        told = f"the deck does not name {' '.join(missing)}"
    rows = [("proved", f"{proofs}; {told}"), ("distance", f"{_distance(content)}, 0 to {band}")]
    for tap in content["taps"][:_SHOWN]:
        rows.append((tap["name"], _tap(tap)))
    if (more := len(content["taps"]) - _SHOWN) > 0:
        rows.append(("", f"and {more} more taps"))
    for item in content["changed"][:_SHOWN]:
        was = "" if item["was"] is None else f", was {item['was']}"
        rows.append(("changed", f"{item['name']} = {item['value'][:60]}{was[:60]}"))
    if (more := len(content["changed"]) - _SHOWN) > 0:
        rows.append(("", f"and {more} more"))
    if content["missing"]:
        rows.append(("missing", f"{content['missing']} elements or lines that it was written with"))
    verdict = {None: "claims nothing", True: "holds", False: "does not hold"}[content["holds"]]
    title = f"{content['deck']}: {content['family']}, {content['realization']}, order {content['order']}, theta {theta}"
    return "\n".join([title, *(f"  {name:<10}{text}" for name, text in rows), f"  {'claims':<10}{verdict}"])
