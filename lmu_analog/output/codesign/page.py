"""The report of a search as one HTML page that needs nothing else: what it found first, details behind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmu_analog.circuits.devices.prices import Price
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.design import Design
from lmu_analog.networks.task import NetworkTask
from lmu_analog.output import html
from lmu_analog.output.codesign import tables
from lmu_analog.output.codesign.drawn import beyond_figure, causes_figure, front_figure, other_limits
from lmu_analog.output.codesign.ordered import ordered
from lmu_analog.output.design_text import commented
from lmu_analog.output.report.glossary import TERMS
from lmu_analog.output.report.sections import Made
from lmu_analog.output.report.subject import Section
from lmu_analog.output.report.verdict import Verdict
from lmu_analog.output.text_tables import Table, quantity, share
from lmu_analog.version import __version__

_FOLDED = 40  # rows of a table above which it is shown when asked for
_IN_WORDS = ("parts", "proof", "certificate", "relax")  # sections whose tables end with a column of words
_PROMISE = (
    "All candidates were looked at, none was sampled. By the law, no candidate of this grid that was not refused is "
    "as good as a member of the front in error, {price}, power and parts, and better in one; the exact engine decided "
    "about every member."
)
_TERMS = (
    ("front", "Circuits that keep all limits, and that no other one beats in error, price, power and parts at once."),
    ("p95", "Window NRMSE that 95 % of all circuits keep."),
    ("law", "Distribution of the error from its first three cumulants, to first order in mismatch, without a sample."),
    *(term for term in TERMS if term[0] not in ("lot", "added error", "delay r")),
)  # fmt: skip


def search_report(
    content: Mapping[str, Any],
    *,
    winner: Design | None,
    requirement: str,
    prices: Mapping[str, Price] | None = None,
    task: NetworkTask | None = None,
) -> str:
    """Write the report of a search.

    Parameters
    ----------
    content : mapping
        As in ``result.json``.
    winner : Design or None
        Of the front; None where it is empty.
    requirement : str
        Text of its file.
    prices : dict, optional
        From ``read_prices``: makers and numbers of parts.
    task : NetworkTask, optional
        Whose loss is limited in place of the window error.

    Returns
    -------
    str
        No scripts, nothing loaded, the same bytes for the same content.
    """
    content = tables.ordered_errors(content)
    given = content["requirement"]
    asked = f"Wanted: the last {quantity(given['theta'], 's')} of a signal"
    if given["bandwidth"] is not None:
        asked += f" of up to {quantity(given['bandwidth'], 'Hz')}"
    limits = tables.limits(content)
    asked += f"; {', '.join(limits.values())}" if limits else ""
    least = {"p95": "error", "parts": "number of parts"}.get(given["minimise"], given["minimise"])
    asked += f"; of all that do, the one with the least {least}."
    details: list[tuple[str, Table | str]] = []
    if winner is None:
        title, said, tiles, sections = _without(content)
        winning = None
    else:
        best = tables.winner_of(content)
        title = f"Legendre memory of order {best['order']}, {best['family']}"
        said = Verdict("good", "Found", _sentence(content))
        tiles = _tiles(content, best)
        winning = (best["design"], f"{FAMILIES[best['family']].about}: {tables.in_words(best)}")
        parts, whole = ordered(winner, prices, calibration=best["calibration"], task=task)
        sections = _with(content, best, parts)
        details.append((f"The whole front, {len(content['front'])} members", tables.whole_front(content)))
        if whole is not None:
            details.append((whole.caption, whole))
        details.append(("Design file of the winner", commented(winner)))
    if content["reasons"]:
        details.append(("Reasons", tables.reasons(content)))
    details.append(("Requirement", requirement))
    return html.page(
        "codesign.html.j2",
        title=title,
        about=asked,
        verdict=said,
        tiles=tiles,
        winning=winning,
        sections=sections,
        details=[(name, isinstance(shown, Table), shown) for name, shown in details],
        folded=_FOLDED,
        in_words=_IN_WORDS,
        glossary=_TERMS,
        version=__version__,
    )


def _sentence(content: Mapping[str, Any]) -> str:
    said = content["sentence"]
    return f"{said[:1].upper()}{said[1:]}."


def _tiles(content: Mapping[str, Any], best: tables.Member) -> list[tuple[str, str, str]]:
    need = content["requirement"]["need"]
    limits = tables.limits(content)

    def limited(name: str) -> str:
        return f"limit{limits[name].partition(name)[2]}" if name in limits else "no limit"

    low, high = best["yield_interval"]
    what = "the network's loss" if tables.of_network(content) else "window NRMSE"
    name = tables.price_name(best)
    assumed = name == "cost" and content["requirement"]["assumed_prices"]
    found = [
        (
            "Error, p95",
            tables.error_text(content, best["nrmse_p95"]),
            f"of {what}; nominal {tables.error_text(content, best['nrmse'])}",
        )
    ]
    if {"nrmse", "tap_nrmse", "loss"} & set(need):
        wanted = f"{share(low)} to {share(high)}; wanted {tables.plain(need['yield'])}"
        found.append(("Yield", share(best["yield"]), f"of {best['samples']} exact circuits: {wanted}"))
    found += [
        (
            name.capitalize(),
            tables.price(best, "mm²"),
            limited(name) + ("; prices are assumed" if assumed else ""),
        ),
        ("Power", quantity(best["power"], "W"), limited("power")),
    ]
    if name == "cost" or "parts" in need:
        found.append(("Parts", str(best["parts"]), limited("parts")))
    if best["snr_db"] is not None:
        found.append(
            (
                "SNR",
                f"{best['snr_db']:.4g} dB",
                limits["snr"].replace("SNR", "limit") if "snr" in limits else "no limit",
            )
        )
    return found


def _with(content: Mapping[str, Any], best: tables.Member, parts: Section) -> list[Made]:
    """Make the sections of a search that found circuits."""
    name = tables.price_name(best)
    lead, both = tables.proof(content)
    least = all(one[name] >= best[name] for one in content["front"])
    beside = f"Nothing on the front has less {name} than the winner." if least else ""
    notes = ()
    if name == "cost" and content["requirement"]["assumed_prices"]:
        notes = (
            "Prices are the middles of price classes, from memory; give a list with prices = 'FILE.csv'.",
        )
    step = Section(beside, tables=(tables.steps(content),), notes=notes)
    return [
        Made("causes", "Error by cause", Section(figures=(causes_figure(best["causes"], of="the winner"),))),
        Made("the-front", "The front", Section(figures=(front_figure(content),))),
        Made(
            "steps",
            "One step dearer, one step cheaper" if name == "cost" else "One step larger, one step smaller",
            step,
        ),
        Made("parts", "What it is made of", parts),
        Made("proof", "Both engines", Section(lead, tables=(both,))),
        _certificate(content, name),
    ]


def _without(content: Mapping[str, Any]) -> tuple[str, Verdict, list[tuple[str, str, str]], list[Made]]:
    """Make what stands on the page of a search that found nothing."""
    near, tiles, sections = content["closest"], [], []
    if near is not None:
        need = content["requirement"]["need"]
        kept = (
            f"that {tables.plain(need['yield'])} of circuits keep, by the law"
            if {"nrmse", "loss"} & set(need)
            else "p95 of circuits, by the law"
        )
        tiles = [
            ("Least error", tables.error_text(content, near["nrmse_kept"]), kept),
            (
                tables.price_name(near).capitalize(),
                tables.price(near, "mm²"),
                "of the circuit with the least error",
            ),
            ("Power", quantity(near["power"], "W"), "of the circuit with the least error"),
        ]
        of = f"the circuit with the least error ({tables.in_words(near)})"
        beyond = other_limits(near)
        drawn = beyond_figure(beyond) if beyond else causes_figure(near["causes"], of=of)
        binds = Section(notes=tuple(content["binding"]), figures=(drawn,))
    else:
        binds = Section(notes=tuple(content["binding"]))
    sections.append(Made("binding", "What binds", binds))
    if content["relax"]:
        lead = (
            "Each change alone, with the circuit that is best under it. Where it keeps all limits, the exact engine "
            "says so; else its error is the law's."
        )
        sections.append(
            Made("relax", "What would help", Section(lead, tables=(tables.helping(content, "mm²"),)))
        )
    sections.append(_certificate(content, "price"))
    return "No circuit keeps all limits", Verdict("bad", "None", _sentence(content)), tiles, sections


def _certificate(content: Mapping[str, Any], price: str) -> Made:
    lead = (
        _PROMISE.format(price=price)
        if content["front"]
        else "All candidates were looked at, none was sampled."
    )
    return Made("certificate", "What was looked at", Section(lead, tables=(tables.counted(content),)))
