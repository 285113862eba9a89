"""The cards that a deck is made of, and a reader of our own decks.

Components become cards, and every dialect is written from those. The grammar is that of ``deck``: plain numbers, one
element a line, no parameters.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lmu_analog.errors import CircuitError

_NODES = {"R": 2, "C": 2, "L": 2, "V": 2, "I": 2, "B": 2, "E": 4, "G": 4, "S": 4}
FILE_SOURCE = "source"  # the model of the code model that reads a recording
FILE_NET = "file"  # what the source that reads a recording drives, in place of ground


@dataclass(frozen=True)
class Element:
    """One device, or one instance of a subcircuit.

    Attributes
    ----------
    name : str
        Its letter first.
    nodes : tuple of str
    value : str
        A number, a gain, the name of a model or subcircuit, an expression, or a waveform as it stands.
    """

    name: str
    nodes: tuple[str, ...]
    value: str


@dataclass(frozen=True)
class Source:
    """An independent source.

    Attributes
    ----------
    name : str
    nodes : tuple of str
        Plus, minus.
    dc : str
        V or A; empty where the waveform says it all.
    ac : str
        Magnitude; empty without.
    wave : str
        ``SIN``, ``PULSE``, ``PWL``, ``FILE``, or empty.
    numbers : tuple of str
        Of the waveform, in SPICE's order; the file's name for ``FILE``.
    """

    name: str
    nodes: tuple[str, ...]
    dc: str = ""
    ac: str = ""
    wave: str = ""
    numbers: tuple[str, ...] = ()

    @property
    def constant(self) -> str:
        """Its value for direct current: zero where none is given."""
        return self.dc or "0"


@dataclass(frozen=True)
class Model:
    """A model card with its figures."""

    name: str
    kind: str
    figures: dict[str, str]


@dataclass(frozen=True)
class Subcircuit:
    """Name, pins and devices of a subcircuit."""

    name: str
    pins: tuple[str, ...]
    cards: "tuple[Card, ...]"


@dataclass(frozen=True)
class Directive:
    """Any other line that begins with a dot: the word without it, and what follows."""

    word: str
    rest: str


Card = Element | Source | Model | Subcircuit | Directive


@dataclass(frozen=True)
class Deck:
    """A deck in parts.

    Attributes
    ----------
    title : str
    comments : tuple of str
        Of the header, without the star.
    cards : tuple
    library : str
        A user's model of the op-amp, as it stands.
    """

    title: str
    comments: tuple[str, ...]
    cards: tuple[Card, ...]
    library: str = ""


def number(value: float) -> str:
    """Write a number with all its digits, and without SPICE's prefixes."""
    return repr(float(value))


def directive(line: str) -> Directive:
    """Take a line that begins with a dot apart."""
    word, _, rest = line[1:].partition(" ")
    return Directive(word, rest)


def read_deck(text: str, library: str = "") -> Deck:
    """Read a deck that ``deck`` wrote.

    Parameters
    ----------
    text : str
    library : str
        The part of it that is not ours: a user's model.
    """
    library = library.rstrip()
    ours = text.replace(f"{library}\n", "", 1) if library else text
    title, *lines = re.sub(r"\n\+ *", " ", ours).splitlines()
    comments = tuple(line[1:].strip() for line in lines if line.startswith("*"))
    cards = tuple(_cards(iter([line for line in lines if line and not line.startswith("*")])))
    return Deck(title, comments, _with_file(cards), library)


def read_source(name: str, rest: list[str]) -> Source:
    """Read an independent source, of ours or by hand: its name, and what follows that."""
    text = " ".join(rest[2:])
    found = re.search(r"\b(SIN|PULSE|PWL)\(([^)]*)\)", text, re.IGNORECASE)
    dc, ac = (re.search(rf"\b{word} (\S+)", text, re.IGNORECASE) for word in ("DC", "AC"))
    constant = dc[1] if dc else rest[2] if len(rest) == 3 else ""
    wave, numbers = (found[1].upper(), tuple(found[2].split())) if found else ("", ())
    return Source(name, tuple(rest[:2]), constant, ac[1] if ac else "", wave, numbers)


def _cards(lines: Iterator[str]) -> Iterator[Card]:
    for line in lines:
        word, *rest = line.split()
        match word.lower():
            case ".subckt":
                yield Subcircuit(rest[0], tuple(rest[1:]), tuple(_cards(lines)))
            case ".ends" | ".end":
                return
            case ".model":
                found = re.match(r"(\w+)\s*\((.*)\)$", " ".join(rest[1:]))
                kind, figures = found.groups()  # type: ignore[union-attr]  # of our own
                yield Model(rest[0], kind, dict(re.findall(r"(\w+)=(\S+)", figures)))
            case dotted if dotted.startswith("."):
                yield Directive(dotted[1:], " ".join(rest))
            case _:
                yield _element(word, rest, line)


def _element(name: str, rest: list[str], line: str) -> Card:
    letter = name[0].upper()
    if letter in "VI":
        return read_source(name, rest)
    if letter == "A":
        return Directive("filesource", line)
    count = len(rest) - 1 if letter == "X" else _NODES.get(letter)
    if count is None:
        raise CircuitError(f"{line[:60]!r} is no card of our decks: it cannot be written in another dialect")
    return Element(name, tuple(rest[:count]), " ".join(rest[count:]))


def _with_file(cards: tuple[Card, ...]) -> tuple[Card, ...]:
    """Put one source of a file's samples in the place of a code model and what it drives."""
    models = [c for c in cards if isinstance(c, Model) and c.kind == "filesource"]
    if not models:
        return cards
    file = models[0].figures["file"].strip('"')
    kept = (c for c in cards if c not in models and not (isinstance(c, Directive) and c.word == "filesource"))
    return tuple(
        Source(c.name, (c.nodes[0], "0"), c.dc, c.ac, "FILE", (file,))
        if isinstance(c, Source) and c.nodes[1] == FILE_NET
        else c
        for c in kept
    )
