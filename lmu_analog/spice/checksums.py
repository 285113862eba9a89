"""Checksums of what a deck's circuit is made of, one a card, so that a card that was changed later can be named.

Sixteen bits each: against slips of a hand, not against forgery. Values count as numbers, so that 1k and 1000.0 are the
same; what drives the input, the analysis and what is saved may be changed at will and have none.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lmu_analog.circuits.devices.expressions import number
from lmu_analog.spice.cards import Card, Deck, Directive, Element, Model, Source, Subcircuit
from lmu_analog.spice.readback import Header, driving, input_net, lowered_net

_DIGITS = 4  # hexadecimal, of a checksum
_A_LINE = 32  # of them in a comment
_NAME = "checksums"
_OUTPUT = re.compile(r"(?:tap|out)\d+")


@dataclass(frozen=True)
class Item:
    """A line of the comment block or a card that has a checksum.

    Attributes
    ----------
    name : str
        ``Rb_0``, ``op_OPA2192.Cpole`` in a subcircuit, ``probe m3`` in the comment block.
    value : str
        As it stands in the deck.
    checksum : str
    """

    name: str
    value: str
    checksum: str


@dataclass(frozen=True)
class Difference:
    """Where a deck differs from the checksums in it.

    Attributes
    ----------
    changed : tuple of Item
        What has none of the checksums that are left: changed, or added where there are more than are missing.
    missing : int
        Checksums of which nothing is left beyond those of what was changed.
    """

    changed: tuple[Item, ...]
    missing: int


def items(deck: Deck, block: Header) -> tuple[Item, ...]:
    """List what has a checksum, in the order of the deck."""
    drive = {id(card) for card in driving(deck.cards, input_net(block))}
    lines = [(name, block[name]) for name in ("order", "theta", "input")]
    lines += [(f"probe m{i}", text) for i, text in enumerate(block.probes)]
    lines += [(name, text) for name, text in block.said.items() if _OUTPUT.fullmatch(name)]
    listed = [Item(name, text, _checksum(name, text)) for name, text in lines]
    return (*listed, *_of_cards((card for card in deck.cards if id(card) not in drive), ""))


def _of_cards(cards: Iterator[Card] | Sequence[Card], within: str) -> Iterator[Item]:
    for card in cards:
        name = within + getattr(card, "name", "")
        match card:
            case Element():
                yield _item(name, card.nodes, (card.value,))
            case Source():
                yield _item(name, card.nodes, (card.constant, card.wave, *card.numbers))
            case Model():
                yield _item(name, (card.kind,), tuple(f"{k} {v}" for k, v in sorted(card.figures.items())))
            case Subcircuit():
                yield _item(name, card.pins, ())
                yield from _of_cards(card.cards, f"{card.name}.")
            case Directive():
                pass


def _item(name: str, nodes: tuple[str, ...], values: tuple[str, ...]) -> Item:
    text = " ".join(part for part in values if part)
    plain = " ".join(_plain(word) for part in values for word in part.split())
    return Item(name, text, _checksum(name, " ".join([*map(lowered_net, nodes), plain])))


def _plain(word: str) -> str:
    """Write a number in one way, to the twelve digits that nominal values have: 2.2n is 2.2e-09 but for rounding."""
    value = number(word)
    return word if value is None else f"{value:.12g}"


def _checksum(name: str, text: str) -> str:
    return hashlib.sha256(f"{name} {text}".lower().encode()).hexdigest()[:_DIGITS]


def lines(of: Sequence[Item]) -> tuple[str, ...]:
    """Write checksums as comments."""
    sums = [item.checksum for item in of]
    starts = range(0, len(sums), _A_LINE)
    return tuple(f"{_NAME} {k + 1} = {' '.join(sums[at : at + _A_LINE])}" for k, at in enumerate(starts))


def stored(block: Header) -> tuple[str, ...]:
    """Read the checksums of a comment block; none where it has none."""
    found: list[str] = []
    while (text := block.said.get(f"{_NAME} {len(found) // _A_LINE + 1}")) is not None:
        words = text.lower().split()
        found += words
        if len(words) != _A_LINE:  # the last line
            break
    return tuple(found)


def compared(of: Sequence[Item], sums: Sequence[str]) -> Difference:
    """Tell what of a deck is not what it was when its checksums were written; the order of cards has no meaning."""
    left = Counter(sums)
    changed: list[Item] = []
    for item in of:
        if left[item.checksum] > 0:
            left[item.checksum] -= 1
        else:
            changed.append(item)
    return Difference(tuple(changed), max(0, left.total() - len(changed)))
