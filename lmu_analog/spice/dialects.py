"""Decks in the dialects of other simulators, which we cannot run: all of them say so in the header.

LTspice and Xyce read SPICE; what differs is in sources, switches, options and what is saved. Expressions are
in words that all share: ``tanh``, ``ln``, ``exp``, ``min``, ``max`` and ``**``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Literal, assert_never

from lmu_analog.circuits.devices.expressions import added_card
from lmu_analog.errors import DesignError
from lmu_analog.spice.cards import Card, Deck, Directive, Element, Model, Source, Subcircuit
from lmu_analog.spice.deck import written
from lmu_analog.spice.spectre import spectre

Dialect = Literal["ngspice", "ltspice", "xyce", "spectre"]
_NOT_RUN = "syntax not run: written after the manual of {}, and read back by a parser only"
# LTspice compresses what it saves, in single precision, and gives every coil 1 mOhm unless told otherwise.
_LTSPICE_OPTIONS = ".options plotwinsize=0 numdgt=15"
_LTSPICE_COIL = "Rser=0"
_THEIRS = frozenset(added_card(name) for name in ("limit", "if", "pwr", "pwrs", "uramp", "int"))
_AROUND = 1e-3  # V beside a switch's threshold, where Xyce wants two


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


_WRITERS: dict[str, tuple[str, Callable[[Deck, tuple[str, ...]], str]]] = {
    "ltspice": ("LTspice", ltspice),
    "xyce": ("Xyce", xyce),
    "spectre": ("Spectre", spectre),
}


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
