"""The model cards that a circuit needs, copied out of the user's files of a PDK: a deck that stands alone."""

import re
from collections.abc import Iterator, Sequence

from lmu_analog.circuits.devices.pdk import LARGEST_MODELS, InstalledPdk
from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.silicon.altering import models_used
from lmu_analog.silicon.devices import SiliconCircuit

_DEEPEST = 20  # sections that bring in sections
_BEGINS = re.compile(r"\.lib\s+(\S+)\s*", re.IGNORECASE)
_BRINGS = re.compile(r"\.lib\s+(?:'[^']*'|\"[^\"]*\"|\S+)\s+(\S+)\s*", re.IGNORECASE)


def inlined(
    circuit: SiliconCircuit, installed: InstalledPdk, *, corner: str = "typical", mim: str = "typical"
) -> list[str]:
    """Copy the settings, the parameters, and the subcircuits and models of the devices of a circuit.

    Parameters
    ----------
    circuit : SiliconCircuit
    installed : InstalledPdk
    corner, mim : str

    Returns
    -------
    list of str
        Lines, without the comments of the files but for their licence.

    Raises
    ------
    DesignError
        If the files cannot be read, or lack a section.
    """
    _, switches, *brought = installed.cards(corner, mim)
    settings, models = (_text(installed, role) for role in ("settings", "models"))
    sections = _sections(models.splitlines())
    cards = list(_cards(settings.splitlines()))
    for line in brought:
        cards += _resolved(line.split()[-1].lower(), sections, installed)
    devices = {x.device.lower() for x in circuit.devices}
    kept = _of_devices(cards, devices, {name.lower() for name in models_used(circuit, installed.pdk)})
    licence = [line for line in models.splitlines()[:20] if line.startswith("*") and len(line) > 1]
    named = (
        f"* of {installed.pdk.name} {installed.version or installed.digest[:12]}, {installed.pdk.licence}; "
    )
    return [
        f"{named}copied for the devices used here:",
        *licence[: _licence_end(licence)],
        *(line for card in kept for line in card),
        switches,
    ]


def _licence_end(lines: Sequence[str]) -> int:
    """Say where the licence ends: before a line of stars."""
    return next((k for k, line in enumerate(lines) if set(line.strip()) == {"*"}), len(lines))


def _text(installed: InstalledPdk, role: str) -> str:
    data = read_bytes(installed.file(role), most=LARGEST_MODELS, wanted="a file of a PDK")
    return data.decode("utf-8", "replace")


def _cards(lines: Sequence[str]) -> Iterator[list[str]]:
    """Give cards with their continuations, without comments."""
    card: list[str] = []
    for raw in lines:
        line = raw.strip()
        if not line or line.startswith("*"):
            continue
        if line.startswith("+") and card:
            card.append(line)
            continue
        if card:
            yield card
        card = [line]
    if card:
        yield card


def _sections(lines: Sequence[str]) -> dict[str, list[list[str]]]:
    """Part a library into its sections, each a list of cards."""
    found: dict[str, list[list[str]]] = {}
    section: list[list[str]] | None = None
    for card in _cards(lines):
        first = card[0]
        if section is None and (begins := _BEGINS.fullmatch(first)):
            section = found.setdefault(begins[1].lower(), [])
        elif first.lower().startswith(".endl"):
            section = None
        elif section is not None:
            section.append(card)
    return found


def _resolved(
    name: str, sections: dict[str, list[list[str]]], installed: InstalledPdk, depth: int = 0
) -> Iterator[list[str]]:
    """Give the cards of a section, those of the sections that it brings in included."""
    if name not in sections or depth > _DEEPEST:
        raise DesignError(
            f"{installed.file('models')}: no section {name!r}; get the models anew: lmu-analog pdk fetch "
            f"{installed.pdk.name}"
        )
    for card in sections[name]:
        brings = _BRINGS.fullmatch(card[0])
        if brings is None:
            yield card
        else:
            yield from _resolved(brings[1].lower(), sections, installed, depth + 1)


def _of_devices(cards: Sequence[list[str]], devices: set[str], models: set[str]) -> Iterator[list[str]]:
    """Leave the subcircuits of some devices, some models, and all that stands outside of subcircuits."""
    inside: str | None = None
    for card in cards:
        words = card[0].split()
        word, name = words[0].lower(), words[1].lower() if len(words) > 1 else ""
        if word == ".subckt":
            inside = name
        if inside is not None:
            if inside in devices:
                yield card
        elif word != ".model" or name in models:
            yield card
        if word == ".ends":
            inside = None
