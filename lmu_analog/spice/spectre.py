"""Our decks in Spectre's own language.

Not in its SPICE mode, which reads no behavioural sources. Names keep their case, which Spectre tells apart.
"""

from collections.abc import Callable, Iterator
from typing import assert_never

from lmu_analog.errors import DesignError
from lmu_analog.spice.cards import Card, Deck, Directive, Element, Model, Source, Subcircuit

_AROUND = 1e-3  # V beside a switch's threshold, where Spectre wants two
_METHODS = {"gear": "gear2only", "trap": "traponly"}
_FIGURES = {"R": "resistor r", "C": "capacitor c", "L": "inductor l", "E": "vcvs gain", "G": "vccs gm"}
SINE = ("sinedc", "ampl", "freq", "delay", "damp", "sinephase")
_PULSE = ("val0", "val1", "delay", "rise", "fall", "width", "period")


def spectre(deck: Deck, notes: tuple[str, ...]) -> str:
    """Write Spectre's dialect."""
    names = {vector.lower(): vector for vector in _vectors(deck)}
    lines = [
        f"// {deck.title}",
        *(f"// {line}" for line in (*notes, *deck.comments)),
        "simulator lang=spectre",
        "global 0",
    ]
    if deck.library:
        lines += ["simulator lang=spice", deck.library, "simulator lang=spectre"]
    for card in deck.cards:
        lines += _card(card, names)
    return "\n".join(lines) + "\n"


def _vectors(deck: Deck) -> Iterator[str]:
    """Give the voltages and currents of all nets and elements at the top, as they are written."""
    for card in deck.cards:
        if isinstance(card, Element | Source):
            yield f"i({card.name})"
            yield from (f"v({net})" for net in card.nodes)


def _card(card: Card, names: dict[str, str]) -> Iterator[str]:
    match card:
        case Element():
            yield f"{card.name} ({' '.join(card.nodes)}) {_device(card)}"
        case Source():
            kind = "isource" if card.name[0] in "Ii" else "vsource"
            yield f"{card.name} ({' '.join(card.nodes)}) {kind} {_drive(card)}"
        case Model():
            f, volts = card.figures, float(card.figures["vt"])
            yield (
                f"model {card.name} relay rclosed={f['ron']} ropen={f['roff']} "
                f"vt1={volts - _AROUND!r} vt2={volts + _AROUND!r}"
            )
        case Subcircuit():
            yield f"subckt {card.name} ({' '.join(card.pins)})"
            yield from (f"    {line}" for inner in card.cards for line in _card(inner, names))
            yield f"ends {card.name}"
        case Directive():
            yield _DIRECTIVES[card.word](card.rest, names)
        case _:
            assert_never(card)


def _device(card: Element) -> str:
    letter = card.name[0]
    if letter in _FIGURES:
        return f"{_FIGURES[letter]}={card.value}"
    if letter == "B":
        # ln, not log: where log is the decimal one, ln is unknown or right, never wrong.
        return f"bsource {card.value}"
    return card.value


def _drive(card: Source) -> str:
    ac = f" mag={card.ac}" if card.ac else ""
    match card.wave:
        case "SIN":
            return f"type=sine dc={card.constant}{ac} {_figures(SINE, card.numbers)}"
        case "PULSE":
            return f"type=pulse {_figures(_PULSE, card.numbers)}"
        case "PWL":
            return f"type=pwl dc={card.constant}{ac} wave=[ {' '.join(card.numbers)} ]"
        case "FILE":
            return f'type=pwl dc={card.constant}{ac} file="{card.numbers[0]}"'
        case "":
            return f"dc={card.constant}{ac}"
        case _:
            raise DesignError(f"{card.name}: a {card.wave} source has no form in Spectre's language")


def _figures(names: tuple[str, ...], numbers: tuple[str, ...]) -> str:
    return " ".join(f"{name}={number}" for name, number in zip(names, numbers, strict=True))


def _options(rest: str, _: dict[str, str]) -> str:
    given = dict(part.split("=") for part in rest.split())
    parts = {"reltol": "reltol", "abstol": "iabstol", "vntol": "vabstol", "gmin": "gmin"}
    told = " ".join(f"{theirs}={given[ours]}" for ours, theirs in parts.items() if ours in given)
    return f"simulatorOptions options {told}"


def _tran(rest: str, _: dict[str, str]) -> str:
    step, stop, _start, largest, *uic = rest.split()
    if uic:  # a clocked circuit starts from rest, and its trapezoidal rule would ring
        return f"tran tran step={step} stop={stop} maxstep={largest} skipdc=yes method={_METHODS['gear']}"
    return f"tran tran step={step} stop={stop} maxstep={largest} method={_METHODS['trap']}"


def _save(rest: str, names: dict[str, str]) -> str:
    """Name what is saved: a net, or the current into the plus terminal of a source."""
    vectors = [names[part.lower()] for part in rest.split()]
    return "save " + " ".join(v[2:-1] if v[0] == "v" else f"{v[2:-1]}:p" for v in vectors)


def _nodeset(rest: str, names: dict[str, str]) -> str:
    vector, volts = rest.split("=")
    return f"nodeset {names[vector.lower()][2:-1]}={volts}"


_DIRECTIVES: dict[str, Callable[[str, dict[str, str]], str]] = {
    "options": _options,
    "tran": _tran,
    "save": _save,
    "nodeset": _nodeset,
}
