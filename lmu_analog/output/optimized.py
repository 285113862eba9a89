"""A search from a requirement to a folder: designs of the front and the result; its figures for people and scripts."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmu_analog.circuits.devices.measured import MeasuredPart, read_measured
from lmu_analog.codesign.answers import Answer, Member, answer
from lmu_analog.codesign.bins import place_parts
from lmu_analog.codesign.kept import kept_in
from lmu_analog.codesign.relaxing import Closest
from lmu_analog.codesign.requirement import Requirement, read_requirement
from lmu_analog.codesign.search import Count, check_size, gathered, search, uncounted
from lmu_analog.codesign.standing import Standing, check_keys, standing
from lmu_analog.design import Design
from lmu_analog.design_keys import labelled
from lmu_analog.ensembles.cluster import hired
from lmu_analog.ensembles.pool import processors
from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.files_out import write_bytes, write_text
from lmu_analog.output import placement
from lmu_analog.output.codesign import tables
from lmu_analog.output.codesign.page import search_report
from lmu_analog.output.design_text import commented
from lmu_analog.output.layout import lined_up, wrapped
from lmu_analog.output.text_tables import Table, quantity, share
from lmu_analog.recording import MOST_WAV_BYTES
from lmu_analog.version import __version__

MARK = "lmu-analog.json"  # says whose folder it is
WORK = "work"  # folder of finished pieces, with which a search goes on
FRONT = "front"  # folder of the designs
REQUIREMENT = "requirement.toml"  # what was asked for, as it was
REPORT = "report.html"
_LARGEST = 1_000_000  # bytes of a requirement, or a mark
_SHOWN = 14  # members of the front on a terminal
_DIGITS = 9  # of figures on disk: the law's last ones differ between processors

EXAMPLE = """\
# What a memory must do. lmu-analog optimize THIS -o DIR finds the circuits that do it.

[memory]
theta = "5 ms"              # length of the window

[signal]
bandwidth = "300 Hz"        # highest frequency of the input
amplitude = "0.5 V"         # its peak

[need]                      # limits; what is left out does not matter
nrmse = "4 %"               # largest window error, of rms(u)
yield = "95 %"              # circuits that must keep it
cost = 5.0                  # of all parts, in the currency of the prices
power = "250 mW"            # also: parts, snr (dB), tap_nrmse with [allow] taps

[conditions]
supply = "5 V"              # +-5 V
# gbw_tolerance = "20 %"    # of op-amps, 20 % unless given; random offsets are those of data sheets

[allow]                     # what circuits may be made of; without a line, all that is known
realizations = ["ladder", "bus-ladder", "cap-feedforward"]
resistor = ["5 %", "1 %", "0.5 %", "0.1 %", "0.05 %", "0.01 %"]
capacitor = ["5 %", "2.5 %", "2 %", "1 %"]
values = ["E24", "E48", "E96"]   # series of the resistors; capacitors are of E12
# calibration = ["none", "nominal", "each"]   # a readout fitted to the nominal circuit, or to each

[prefer]
minimise = "cost"           # cost, power, parts or p95
"""


def optimize(
    path: Path,
    folder: Path,
    *,
    resumed: bool = False,
    workers: int | None = None,
    scheduler: str | None = None,
    why: dict[str, str] | None = None,
    bins: Path | None = None,
    say: Callable[[str], None] = lambda text: None,
    count: Count = uncounted,
) -> dict[str, Any]:
    """Search a requirement, and leave designs, ``result.json`` and the report in a folder.

    Parameters
    ----------
    path : Path
        Requirement (TOML).
    folder : Path
        New, or with ``resumed`` that of an earlier search of the same requirement.
    resumed : bool
        Go on where an earlier search was stopped.
    workers : int, optional
        Processes; one a processor unless given.
    scheduler : str, optional
        Address of a Dask scheduler.
    why : dict, optional
        Keys of a candidate whose standing is asked.
    bins : Path, optional
        Table of measured parts: which goes where in the winner.
    say, count : callable
        Told of progress, as by ``codesign.search.search``.

    Returns
    -------
    dict
        What ``result.json`` has, with ``seconds``.
    """
    started = time.perf_counter()
    requirement = read_requirement(path)
    check_size(requirement)
    if why is not None:  # before the search: the keys of a grid do not depend on what is in it
        check_keys(gathered(requirement, {}, {}).grid, why)
    measured = None if bins is None else read_measured(bins)
    _claim(path, requirement.files, folder, resumed=resumed)
    kept = kept_in(folder / WORK)
    with hired(workers or processors(), scheduler) as crew:
        found = search(requirement, crew, say=say, count=count, kept=kept)
        told = answer(found, crew, say=say, count=count)
    names = _write_designs(requirement, told, folder / FRONT)
    content = content_of(requirement, told, names)
    _leave(content, folder)
    # What may be refused comes when the result is there.
    if why is not None:
        content = content_of(requirement, told, names, asked=standing(found, why))
    if measured is not None:
        content["placed"] = (
            None if told.winner is None else _place(told.winner.design, measured, bins, folder)
        )
    _leave(content, folder)
    winner = None if told.winner is None else told.winner.design
    asked_for = (folder / REQUIREMENT).read_text("utf-8")
    page = search_report(
        content, winner=winner, requirement=asked_for, prices=requirement.prices, task=requirement.task
    )
    write_text(folder / REPORT, page)
    return {**content, "seconds": time.perf_counter() - started}


def _leave(content: dict[str, Any], folder: Path) -> None:
    write_text(folder / "result.json", json.dumps(content, indent=2, allow_nan=False) + "\n")


def _place(
    design: Design, measured: tuple[MeasuredPart, ...], bins: Path | None, folder: Path
) -> dict[str, Any]:
    """Place measured parts in the winner: a design file and a table beside it, and the figures."""
    found = labelled(str(bins), lambda: place_parts(design, measured))
    write_text(folder / "placed.toml", commented(found.design))
    write_text(folder / "placed.csv", placement.as_csv(found))
    return _rounded(placement.content(found))


def _claim(path: Path, beside: Sequence[Path], folder: Path, *, resumed: bool) -> None:
    """Make the folder that results go to, or make sure that it is of the same requirement and version.

    Of the same contents, too, of the files that the requirement names.
    """
    text = read_bytes(path, most=_LARGEST, wanted="a requirement")
    digest = hashlib.sha256(text)
    for file in beside:
        digest.update(hashlib.sha256(_contents(file)).digest())
    mine = {"job": "optimize", "requirement": digest.hexdigest(), "version": __version__}
    mark = folder / MARK
    if resumed:
        if not mark.is_file():
            raise DesignError(f"--resume: {folder} is no folder of a search; leave --resume out")
        try:
            theirs = json.loads(read_bytes(mark, most=_LARGEST, wanted="the mark of a search"))
        except ValueError:
            theirs = None
        if theirs != mine:
            raise DesignError(
                f"--resume: {folder} is of another requirement or version, or a file that it names has changed; "
                "give another folder, or the same requirement"
            )
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DesignError(f"-o {folder} is there already; give another name, or --resume to go on in it")
    # The mark comes first: with it, whatever was made before a search was stopped can be gone on with.
    _make(folder)
    write_text(mark, json.dumps(mine) + "\n")
    for each in (folder / WORK, folder / FRONT):
        _make(each)
    write_text(folder / REQUIREMENT, text.decode("utf-8", "replace"))


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DesignError(f"-o {folder} cannot be made: {error.strerror}") from error


def _contents(file: Path) -> bytes:
    return read_bytes(file, most=MOST_WAV_BYTES, wanted="what the requirement reads")


def _write_designs(requirement: Requirement, told: Answer, folder: Path) -> dict[int, str]:
    """Write every member of the front as a design file; row to its name."""
    recorded = None if requirement.recorded is None else requirement.recorded.file
    for beside in (requirement.base.parts, recorded):
        if beside is not None:
            write_bytes(folder / Path(beside).name, _contents(Path(beside)))
    names = {}
    for k, one in enumerate(told.front, 1):
        name = f"{k:03d}-order{one.design.order}-{one.design.realization}.toml"
        write_text(folder / name, commented(one.design))
        names[one.row] = f"{FRONT}/{name}"
    return names


def content_of(
    requirement: Requirement, told: Answer, names: dict[int, str], *, asked: Standing | None = None
) -> dict[str, Any]:
    """Give what ``result.json`` has: errors and yields are fractions, powers in W."""
    allow = requirement.allow
    front = [_member(one, names) for one in told.front]
    winner = None if told.winner is None else names[told.winner.row]
    found: dict[str, Any] = {
        "requirement": {
            "theta": requirement.base.theta,
            "bandwidth": requirement.base.bandwidth,
            "need": {name: value for name, value in _limits(requirement).items() if value is not None},
            "orders": list(allow.orders),
            "minimise": requirement.minimise,
            "assumed_prices": requirement.prices is None,
        },
        "sentence": told.sentence,
        "front": front,
        "winner": winner,
        "binding": told.binding,
        "relax": [
            {
                "change": one.change,
                "nrmse_p95": one.p95,
                "yield": one.good,
                "feasible": one.feasible,
                **_money(one.figures),
            }
            for one in told.relax
        ],
        "closest": None if told.closest is None else _closest(told.closest),
        "counts": told.search.counts,
        "reasons": told.search.reasons,
    }
    if asked is not None:
        beaten = None if asked.beaten_by is None else names.get(asked.beaten_by)
        found["why"] = {**asdict(asked), "beaten_by": beaten}
    return _rounded(found)


def _limits(requirement: Requirement) -> dict[str, float | None]:
    """Give the limits, named as in a requirement; with a network its ``loss`` in place of ``nrmse``."""
    found = {"yield" if name == "good" else name: value for name, value in asdict(requirement.need).items()}
    if requirement.task is not None:
        found["loss"] = found.pop("nrmse") ** 2
    return found


def _member(one: Member, names: dict[int, str]) -> dict[str, Any]:
    seen = one.seen
    return {
        "design": names[one.row],
        "order": one.design.order,
        "family": one.design.family,
        "realization": one.design.realization,
        **one.made_of,
        "calibration": one.calibration,
        "nrmse": seen.nrmse,
        "nrmse_p95": seen.p95,
        "yield": seen.good,
        "yield_interval": [seen.low, seen.high],
        "samples": seen.samples,
        "ngspice_nrmse": one.ngspice,
        "snr_db": seen.snr,
        **_money(one.figures),
        "law_p95": seen.law_p95,
        "law_yield": seen.law_good,
        "law_over_exact": seen.law_p95 / seen.p95 if math.isfinite(seen.p95) else math.nan,
        "causes": one.causes,
    }


def _closest(one: Closest) -> dict[str, Any]:
    return {
        **{key: getattr(one, key) for key in ("order", "family", "realization", "calibration")},
        **one.made_of,
        "nrmse_kept": one.kept,
        **_money(one.figures),
        "causes": one.causes,
        "beyond": one.beyond,
    }


def _money(figures: dict[str, float]) -> dict[str, Any]:
    """Give objectives but the error's: ``cost`` is null on a chip, ``area`` on a board."""
    found: dict[str, Any] = {name: figures.get(name) for name in ("cost", "power", "parts", "area")}
    return {**found, "parts": round(figures["parts"])}


def _rounded(content: Any) -> Any:
    """Round all figures so that the last digits, which differ between processors, do not show; null of no number.

    A 95th percentile is none where more than 5 % of the circuits are unstable, which a smaller yield allows.
    """
    if isinstance(content, dict):
        return {name: _rounded(value) for name, value in content.items()}
    if isinstance(content, list | tuple):
        return [_rounded(value) for value in content]
    if isinstance(content, float):
        return float(f"{content:.{_DIGITS}g}") if math.isfinite(content) else None
    return content


def text(content: dict[str, Any]) -> str:
    """Write the answer for a terminal."""
    counts = content["counts"]
    lines = [*wrapped(content["sentence"]), ""]
    if content["front"]:
        lines += [lined_up(_front(content)), ""]
    if content["relax"]:
        lines += [lined_up(tables.helping(content)), ""]
    for line in content["binding"]:
        lines += wrapped(f"binding: {line}")
    unfit = counts["unfit"] + counts["failed"] + counts["same"]
    lines += wrapped(
        f"{counts['grid']} candidates: {unfit} with values, op-amps or coordinates that do not suit, "
        f"{counts['pruned']} pruned by a bound, {counts['evaluated']} evaluated; of these {counts['beyond']} are "
        f"beyond a limit, {counts['refused']} were refused by the exact engine, {counts['dominated']} are dominated, "
        f"{counts['front']} are the front"
    )
    if content["requirement"]["assumed_prices"] and all(one["cost"] is not None for one in content["front"]):
        lines += wrapped(
            "prices are the middles of price classes, from memory; give a list with prices = 'FILE.csv'"
        )
    if content.get("placed"):
        lines += ["", placement.text(content["placed"])]
    if "why" in content:
        lines += ["", _why(content["why"])]
    return "\n".join(lines)


def _chosen(content: dict[str, Any]) -> list[dict[str, Any]]:
    """Choose the members that a terminal shows: the winner and those beside it, the ends, and some between."""
    front = content["front"]
    if len(front) <= _SHOWN:
        return front
    at = next(k for k, one in enumerate(front) if one["design"] == content["winner"])
    beside = set(range(max(0, at - 2), min(len(front), at + 3)))
    spread = {round(k * (len(front) - 1) / (_SHOWN - len(beside) - 1)) for k in range(_SHOWN - len(beside))}
    return [front[k] for k in sorted(beside | spread)]


def _front(content: dict[str, Any]) -> Table:
    rows = []
    shown = _chosen(content)
    for one in shown:
        mark = "* " if one["design"] == content["winner"] else "  "
        rows.append(
            (
                f"{mark}{one['design'].rpartition('/')[2].removesuffix('.toml')}",
                tables.made_of(one),
                tables.p95_text(one["nrmse_p95"]),
                share(one["yield"]),
                tables.price(one),
                quantity(float(f"{one['power']:.3g}"), "W"),
                str(one["parts"]),
            )
        )
    made = "C, area, range" if content["front"][0]["cost"] is None else "op-amp, R, C"
    price = "area" if content["front"][0]["cost"] is None else "cost"
    columns = ("design (* the winner)", made, "p95", "yield", price, "power", "parts")
    caption = f"Front: nothing is better in error, {price}, power and parts; designs are {FRONT}/*.toml"
    if len(shown) < len(content["front"]):
        caption += f"; {len(shown)} of its {len(content['front'])} members are shown"
    return Table(caption, columns, tuple(rows))


def _why(given: dict[str, Any]) -> str:
    figures = ", ".join(
        f"{name} {value:.4g} (rank {given['rank'][name]})" for name, value in given["figures"].items()
    )
    kept = "keeps all limits by the law" if given["keeps"] else "does not keep all limits"
    lines = [
        *wrapped(f"the candidate {kept}: {figures}"),
        *(f"it loses on {line}" for line in given["lost"]),
    ]
    if given["beaten_by"] is not None:
        lines.append(f"{given['beaten_by']} is as good in all, and better")
    return "\n".join(lines)
