"""Decks in the dialects of other simulators, which we cannot run: all of them say so in the header.

LTspice and Xyce read SPICE; what differs is in sources, switches, options and what is saved. Expressions are
in words that all share: ``tanh``, ``ln``, ``exp``, ``min``, ``max`` and ``**``. Spectre's own language is written, not
its SPICE mode, which reads no behavioural sources; names keep their case, which Spectre tells apart.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, assert_never

from lmu_analog.circuits.devices.expressions import added_card
from lmu_analog.errors import DesignError
from lmu_analog.spice.cards import Card, Deck, Directive, Element, Model, Source, Subcircuit
from lmu_analog.spice.deck import written

Dialect = Literal["ngspice", "ltspice", "xyce", "spectre"]
_NOT_RUN = "syntax not run: written after the manual of {}, and read back by a parser only"
# LTspice compresses what it saves, in single precision, and gives every coil 1 mOhm unless told otherwise.
_LTSPICE_OPTIONS = ".options plotwinsize=0 numdgt=15"
_LTSPICE_COIL = "Rser=0"
_THEIRS = frozenset(added_card(name) for name in ("limit", "if", "pwr", "pwrs", "uramp", "int"))
_AROUND = 1e-3  # V beside a switch's threshold, where Xyce and Spectre want two
_FIGURES = {"R": "resistor r", "C": "capacitor c", "L": "inductor l", "E": "vcvs gain", "G": "vccs gm"}
SINE = ("sinedc", "ampl", "freq", "delay", "damp", "sinephase")
_PULSE = ("val0", "val1", "delay", "rise", "fall", "width", "period")


def in_dialect(deck: Deck, dialect: Dialect) -> str:
    """Write a deck for a simulator: for ngspice as we run it, for others with a note that it was not run."""
    if dialect == "ngspice":
        return written(deck)
    name, write = _WRITERS[dialect]
    return write(deck, (f"dialect = {dialect}", _NOT_RUN.format(name)))


def ltspice(deck: Deck, notes: tuple[str, ...]) -> str:
    """Write LTspice's dialect; its own netlists begin with a star."""
    return "* " + _spice(deck, notes, _ltspice_card)


def xyce(deck: Deck, notes: tuple[str, ...]) -> str:
    """Write Xyce's dialect."""
    return _spice(deck, notes, _xyce_card)


def _spice(deck: Deck, notes: tuple[str, ...], write: Callable[[Card], Iterator[str]]) -> str:
    header = [deck.title, *(f"* {line}" for line in (*notes, *deck.comments))]
    library = [_own_words(deck.library)] if deck.library else []
    body = [line for card in deck.cards for line in write(card)]
    return "\n".join([*header, *library, *body, ".end"]) + "\n"


def _own_words(library: str) -> str:
    """Give a user's model its own functions back: LTspice and Xyce have those that ngspice lacks."""
    kept = (line for line in library.splitlines() if line not in _THEIRS)
    return re.sub(r"\bternary_fcn\(", "if(", "\n".join(kept))


def _ltspice_card(card: Card) -> Iterator[str]:
    match card:
        case Element() if card.name[0] == "L":
            yield f"{_plain(card)} {_LTSPICE_COIL}"
        case Source(wave="FILE"):
            yield f"{card.name} {' '.join(card.nodes)} PWL file={card.numbers[0]}{_ac(card)}"
        case Source():
            wave = _wave(card).replace("SIN(", "SINE(") if card.wave else card.constant
            yield f"{card.name} {' '.join(card.nodes)} {wave}{_ac(card)}"
        case Directive(word="options"):
            yield _LTSPICE_OPTIONS
            yield f".options {card.rest}"
        case Directive(word="tran"):
            yield f".tran 0 {' '.join(card.rest.split()[1:])}"
        case _:
            yield from _common(card, _ltspice_card)


def _xyce_card(card: Card) -> Iterator[str]:
    match card:
        case Element() if card.name[0] == "B":
            quantity, _, expression = card.value.partition("=")
            yield f"{card.name} {' '.join(card.nodes)} {quantity.upper()}={{{expression}}}"
        case Source(wave="FILE"):
            yield f'{card.name} {" ".join(card.nodes)} DC 0{_ac(card)} PWL FILE "{card.numbers[0]}"'
        case Source():
            wave = f" {_wave(card)}" if card.wave else ""
            yield f"{card.name} {' '.join(card.nodes)} DC {card.constant}{_ac(card)}{wave}"
        case Model(kind="SW"):
            f, volts = card.figures, float(card.figures["vt"])
            on, off = volts + _AROUND, volts - _AROUND
            yield f".model {card.name} VSWITCH (RON={f['ron']} ROFF={f['roff']} VON={on!r} VOFF={off!r})"
        case Directive(word="options"):
            yield from _xyce_options(dict(part.split("=") for part in card.rest.split()))
        case Directive(word="save"):
            yield f".print tran format=csv {card.rest}"
        case _:
            yield from _common(card, _xyce_card)


def _xyce_options(given: dict[str, str]) -> Iterator[str]:
    """Tolerances belong to the time integrator, gmin to the devices; what Xyce has no word for is left out."""
    method = given.get("method", "trap")
    yield f".options timeint method={method} reltol={given['reltol']} abstol={given['vntol']}"
    if "gmin" in given:
        yield f".options device gmin={given['gmin']}"


def _common(card: Card, write: Callable[[Card], Iterator[str]]) -> Iterator[str]:
    """Write what all dialects of SPICE share."""
    match card:
        case Element():
            yield _plain(card)
        case Model():
            yield f".model {card.name} {card.kind}({' '.join(f'{k}={v}' for k, v in card.figures.items())})"
        case Subcircuit():
            yield f".subckt {card.name} {' '.join(card.pins)}"
            yield from (line for inner in card.cards for line in write(inner))
            yield f".ends {card.name}"
        case Directive():
            yield f".{card.word} {card.rest}"
        case Source():
            raise DesignError(f"{card.name}: a source without a form in this dialect")
        case _:
            assert_never(card)


def _plain(card: Element) -> str:
    return f"{card.name} {' '.join(card.nodes)} {card.value}"


def _wave(card: Source) -> str:
    return f"{card.wave}({' '.join(card.numbers)})"


def _ac(card: Source) -> str:
    return f" AC {card.ac}" if card.ac else ""


def spectre(deck: Deck, notes: tuple[str, ...]) -> str:
    """Write Spectre's own language."""
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
        lines += _spectre_card(card, names)
    return "\n".join(lines) + "\n"


def _vectors(deck: Deck) -> Iterator[str]:
    """Give the voltages and currents of all nets and elements at the top, as they are written."""
    for card in deck.cards:
        if isinstance(card, Element | Source):
            yield f"i({card.name})"
            yield from (f"v({net})" for net in card.nodes)


def _spectre_card(card: Card, names: dict[str, str]) -> Iterator[str]:
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
            yield from (f"    {line}" for inner in card.cards for line in _spectre_card(inner, names))
            yield f"ends {card.name}"
        case Directive():
            yield _spectre_directive(card.word, card.rest, names)
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


def _spectre_directive(word: str, rest: str, names: dict[str, str]) -> str:
    match word:
        case "options":
            given = dict(part.split("=") for part in rest.split())
            parts = {"reltol": "reltol", "abstol": "iabstol", "vntol": "vabstol", "gmin": "gmin"}
            told = " ".join(f"{theirs}={given[ours]}" for ours, theirs in parts.items() if ours in given)
            return f"simulatorOptions options {told}"
        case "tran":
            step, stop, _start, largest, *uic = rest.split()
            # A clocked circuit starts from rest, and its trapezoidal rule would ring.
            how = "skipdc=yes method=gear2only" if uic else "method=traponly"
            return f"tran tran step={step} stop={stop} maxstep={largest} {how}"
        case "save":  # a net, or the current into the plus terminal of a source
            vectors = [names[part.lower()] for part in rest.split()]
            return "save " + " ".join(v[2:-1] if v[0] == "v" else f"{v[2:-1]}:p" for v in vectors)
        case "nodeset":
            vector, volts = rest.split("=")
            return f"nodeset {names[vector.lower()][2:-1]}={volts}"
        case _:
            raise DesignError(f".{word} has no form in Spectre's language")


_WRITERS: dict[str, tuple[str, Callable[[Deck, tuple[str, ...]], str]]] = {
    "ltspice": ("LTspice", ltspice),
    "xyce": ("Xyce", xyce),
    "spectre": ("Spectre", spectre),
}
