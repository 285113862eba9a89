"""A user's SPICE model file, treated as untrusted text: nothing in it may run, read or write anything.

What comes out is not the file but its vetted cards, one a line, without comments: ngspice obeys some
comments (``*#``), and reads quotes and backslashes in its own way.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lmu_analog.errors import DesignError

LARGEST_FILE = 1_000_000  # bytes
DEEPEST = 8  # files that include files
CARDS = (".model", ".param", ".func", ".subckt", ".ends")
ELEMENTS = frozenset("rclkvieghfbdqmjzswtx")  # not a (code models may read files), n, o, p, u, y
# XSPICE types, which may name files, are not among them.
MODELS = {"r", "c", "l", "sw", "csw", "d", "npn", "pnp", "njf", "pjf", "nmf", "pmf", "nmos", "pmos", "vdmos"}
FORBIDDEN = re.compile(r"[^ -~]|[\"\\`;]")  # beyond plain ASCII, and what quotes, continues or runs
FILES = re.compile(r"\b(file|wavefile|input_file|source_file|simulation_mode)\s*=|\bpwl\s*\(?\s*file\b", re.I)
INCLUDE = re.compile(r"\.inc(?:lude|l)?\s+(\"[^\"]*\"|'[^']*'|\S+)\s*", re.I)

Line = tuple[Path, int, str]


@dataclass(frozen=True)
class ModelFile:
    """A vetted model.

    Attributes
    ----------
    name : str
        Of the subcircuit.
    pins : tuple of str
    text : str
        Cards, a line each, to stand in a deck.
    """

    name: str
    pins: tuple[str, ...]
    text: str


def read_model(path: Path, subcircuit: str) -> ModelFile:
    """Read the model of an op-amp.

    Allowed are elements within subcircuits, ``.model``, ``.param``, ``.func``, ``.subckt``, ``.ends``, and
    ``.include`` of files in the same folder, whose text is taken in.

    Parameters
    ----------
    path : Path
    subcircuit : str
        The one to use; others may stand beside it. Capitals do not matter.

    Raises
    ------
    DesignError
        With file and line, at the first card that is not allowed; or if the subcircuit is missing.
    """
    folder = path.resolve().parent
    cards = [card for card in _cards(_lines(path, folder, 0))]
    found: dict[str, tuple[str, ...]] = {}
    open_: list[str] = []
    for where, number, text in cards:
        try:
            _vet(text, open_, found)
        except DesignError as error:
            raise DesignError(f"{where.name}, line {number}: {error}; the card reads {text[:40]!r}") from None
    if open_:
        raise DesignError(f"{path.name}: .subckt {open_[-1][:40]} is never ended; add .ends")
    for where, number, text in cards:
        if text[0].lower() == "x" and (called := _called(text)) not in found:
            raise DesignError(f"{where.name}, line {number}: subcircuit {called[:40]!r} is not in the file")
    if subcircuit.lower() not in found:
        known = ", ".join(sorted(found))[:200] or "none"
        raise DesignError(f"{path.name} has no .subckt {subcircuit[:40]!r}; it has {known}")
    text = "\n".join(text for _, _, text in cards) + "\n"
    return ModelFile(subcircuit.lower(), found[subcircuit.lower()], text)


def _lines(path: Path, folder: Path, depth: int) -> Iterator[Line]:
    """Give the lines of a file, included ones in their place."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip()[:4].lower() != ".inc":
            yield path, number, line
            continue
        given = INCLUDE.fullmatch(line.strip())
        named = given[1].strip("\"'") if given else ""
        inside = (folder / named).resolve() if named and "\0" not in named else folder
        if not inside.is_relative_to(folder) or inside == folder:
            raise DesignError(
                f"{path.name}, line {number}: .include {named[:40]!r} is not in the file's folder"
            )
        if depth == DEEPEST:
            raise DesignError(f"{path.name}, line {number}: includes lie more than {DEEPEST} deep")
        yield from _lines(inside, folder, depth + 1)


def _text(path: Path) -> str:
    try:
        if not path.is_file():  # a pipe or a device may have no end, or wait for ever
            raise DesignError(f"{path.name[-80:]!r} is no file; give a SPICE model file")
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except (OSError, ValueError) as error:
        if isinstance(error, DesignError):
            raise
        raise DesignError(f"{path.name[-80:]!r} cannot be read: {error}") from None
    if len(content) > LARGEST_FILE:
        raise DesignError(f"{path.name} has more than {LARGEST_FILE} bytes; a model is a few pages of text")
    return content.decode("latin-1")


def _cards(lines: Iterator[Line]) -> Iterator[Line]:
    """Join continuation lines and leave out comments; a card has the number of its first line."""
    card: Line | None = None
    for path, number, line in lines:
        plain = re.split(r";|\s\$\s|//", line.replace("\t", " "), maxsplit=1)[0].strip()
        if not plain or plain[0] in "*$":
            continue
        if plain[0] == "+":
            if card is None:
                raise DesignError(f"{path.name}, line {number}: a + continues nothing")
            card = (*card[:2], f"{card[2]} {plain[1:].strip()}")
            continue
        if card is not None:
            yield card
        card = (path, number, plain)
    if card is not None:
        yield card


def _vet(text: str, open_: list[str], found: dict[str, tuple[str, ...]]) -> None:
    """Refuse a card, or keep account of the subcircuits it opens and ends."""
    if bad := FORBIDDEN.search(text):
        raise DesignError(f"the character {bad[0]!r} is not allowed")
    if FILES.search(text):
        raise DesignError("a card that names a file is not allowed")
    words = text.split()
    first = words[0].lower()
    match first:
        case ".subckt":
            _open(words[1:], open_, found)
        case ".ends":
            if not open_:
                raise DesignError(".ends without .subckt")
            open_.pop()
        case ".model":
            kind = (re.split(r"[\s(]+", text, maxsplit=3)[2:3] or ["nothing"])[0]
            if kind.lower() not in MODELS:
                raise DesignError(f"a .model of type {kind[:20]!r} is not allowed")
        case _ if first not in CARDS:
            _vet_element(first, open_)
        case _:  # .param and .func only name numbers
            pass


def _vet_element(first: str, open_: list[str]) -> None:
    if first[0] not in ELEMENTS:
        raise DesignError(f"only elements within .subckt and {', '.join(CARDS)} are allowed")
    if not open_:
        raise DesignError("an element outside of any .subckt would change the circuit itself")


def _open(words: list[str], open_: list[str], found: dict[str, tuple[str, ...]]) -> None:
    name = words[0].lower() if words else ""
    if not re.fullmatch(r"[a-z][a-z0-9_.-]{0,60}", name):
        raise DesignError("a subcircuit's name holds letters, digits and _ . - only")
    if name in found:
        raise DesignError(f"subcircuit {name!r} is there twice")
    pins = [w for w in words[1:] if "=" not in w]
    lowered = [w.lower() for w in pins]
    cut = next((k for k, w in enumerate(lowered) if w in ("params:", "optional:")), len(pins))
    if len(set(lowered[:cut])) < len(lowered[:cut]):
        raise DesignError("a pin is named twice")
    found[name] = tuple(pins[:cut])
    open_.append(name)


def _called(text: str) -> str:
    """Name the subcircuit that an X card calls: the last word before its parameters."""
    words = re.sub(r"\s*=\s*", "=", text.lower()).split()[1:]
    plain = [w for w in words if "=" not in w]
    cut = plain.index("params:") if "params:" in plain else len(plain)
    return plain[cut - 1] if cut else ""
