"""A user's SPICE model file, treated as untrusted text: nothing in it may run, read or write anything.

What comes out is not the file but its vetted cards, one a line, without comments: ngspice obeys some
comments (``*#``), and reads quotes and backslashes in its own way. What PSpice and LTspice say otherwise is written in
ngspice's words, and all that a file defines outside of subcircuits moves into those that use it, so that nothing of a
model reaches the rest of a deck.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from lmu_analog.circuits.devices.expressions import Function
from lmu_analog.circuits.devices.modelcards import Line, Scope, at, braced, read_model_card
from lmu_analog.circuits.devices.modelwriter import Writer
from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes, real

LARGEST_FILE = 1_000_000  # bytes
MOST_TEXT = 2_000_000  # characters with all that is included, as often as it is
MOST_LINES = 100_000
SHOWN = 8  # models with parameters that are left out
LONGEST_CARD = 20_000  # characters, continued lines included
DEEPEST = 8  # files that include files
CARDS = (".model", ".param", ".func", ".subckt", ".ends")
# Of the circuit or the user's simulator, not of a part: left out with a note.
IGNORED = frozenset({
    ".option", ".options", ".opt", ".global", ".temp", ".title", ".probe", ".ic", ".nodeset", ".width", ".backanno",
    ".alias", ".unalias",
})  # fmt: skip
ELEMENTS = frozenset("rclkvieghfbdqmjzswtx")  # not a (code models may read files), n, o, p, u, y
FORBIDDEN = re.compile(r"[^ -~]|[\"\\`;]")  # beyond plain ASCII, and what quotes, continues or runs
FILES = re.compile(r"\b(file|wavefile|input_file|source_file|simulation_mode)\s*=|\bpwl\s*\(?\s*file\b", re.I)
INCLUDE = re.compile(r"\.(?:inc(?:lude|l)?|lib)\s+(\"[^\"]*\"|'[^']*'|\S+)\s*", re.I)
COMMENT = re.compile(r";|\s\$\s|//")
MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})
PAIR = re.compile(r"(?<!\w)(\w++)\s*(\([^()]*\))?\s*=(?!=)\s*")
NAME = re.compile(r"[a-z0-9][a-z0-9_./+-]{0,60}", re.I)

T = TypeVar("T")


@dataclass(frozen=True)
class ModelFile:
    """A vetted model.

    Attributes
    ----------
    name : str
        Of the subcircuit, as the text has it.
    pins : tuple of str
    text : str
        Cards, a line each, to stand in a deck.
    notes : tuple of str
        Lines about what was left out of it.
    size : int
        Elements once its subcircuits are expanded.
    """

    name: str
    pins: tuple[str, ...]
    text: str
    notes: tuple[str, ...] = ()
    size: int = 1


def read_model(path: Path, subcircuit: str) -> ModelFile:
    """Read the model of an op-amp.

    Allowed are elements within subcircuits, ``.model`` (of ngspice's usual types and levels, PSpice's RES, CAP, IND,
    VSWITCH and ISWITCH, and AKO), ``.param``, ``.func``, ``.subckt``, ``.ends``, and ``.include`` or ``.lib`` of
    files in the same folder, whose text is taken in. ``.options``, ``.global`` and the like are left out with a
    note; text after ``.end`` is not read. Encodings are ASCII, UTF-8, UTF-16 and Latin-1.

    Parameters
    ----------
    path : Path
    subcircuit : str
        The one to use; others may stand beside it. Capitals do not matter.

    Raises
    ------
    DesignError
        With file and line, at the first card that is not allowed, that ngspice cannot read, or that grows beyond
        bounds; or if the subcircuit is missing.
    """
    reader = _FileReader(path)
    root = reader.read()
    wanted = reader.subcircuits.get(subcircuit.lower())
    if wanted is None:
        known = ", ".join(sorted(reader.subcircuits))[:200] or "none"
        raise DesignError(f"{path.name} has no .subckt {subcircuit[:40]!r}; it has {known}")
    writer = Writer(reader.subcircuits)
    order = writer.reached(wanted)
    lines = [line for scope in order if scope.outer is root for line in writer.subcircuit(scope, root)]
    size = writer.size(wanted)
    text = "\n".join(lines) + "\n"
    return ModelFile(writer.name(wanted), wanted.pins, text, tuple(reader.notes()), size)


def files_of(path: Path) -> tuple[Path, ...]:
    """List a model file and what it includes, each once; the others lie in the folder of the first or below."""
    reader = _FileReader(path)
    reader.read()
    return tuple(reader.files)


class _FileReader:
    """One file with what it includes, on its way into scopes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = real(path).parent
        self.characters = self.lines = 0
        self.subcircuits: dict[str, Scope] = {}
        self.files: dict[Path, None] = {}  # in the order in which they are met
        self.unknown: list[str] = []  # parameters of models
        self.left_out: dict[str, int] = {}  # card to the line where it stood first

    def read(self) -> Scope:
        root = scope = Scope()
        for line in _cards(self._lines(self.path, 0)):
            try:
                scope = self._place(line, scope)
            except DesignError as error:
                raise at(line, error) from None
        if scope is not root:
            raise DesignError(f"{self.path.name}: .subckt {scope.name[:40]} is never ended; add .ends")
        return root

    def notes(self) -> Iterator[str]:
        if self.left_out:
            listed = ", ".join(f"{card} (line {line})" for card, line in self.left_out.items())
            yield f"{self.path.name}: left out, for they are the circuit's: {listed}"
        if self.unknown:
            more = f" and of {len(self.unknown) - SHOWN} more" if len(self.unknown) > SHOWN else ""
            yield (
                f"{self.path.name}: left out, for ngspice has no such parameters: "
                f"{'; '.join(self.unknown[:SHOWN])}{more}"
            )

    def _lines(self, path: Path, depth: int) -> Iterator[Line]:
        """Give the lines of a file, included ones in their place."""
        content = _text(path)
        self.files.setdefault(path)
        self.characters += len(content)
        for count, line in enumerate(content.splitlines(), 1):
            self.lines += 1
            if self.characters > MOST_TEXT or self.lines > MOST_LINES:
                raise DesignError(
                    f"{path.name}, line {count}: with its includes the model is longer than {MOST_LINES} lines or "
                    f"{MOST_TEXT} characters; a model is a few pages of text"
                )
            word, *rest = line.split(maxsplit=1) or [""]
            if word.lower() == ".end":
                self.left_out.setdefault(".end", count)
                return
            library = word.lower() == ".lib" and len(COMMENT.split(rest[0])[0].split() if rest else "") == 1
            if not word.lower().startswith(".inc") and not library:
                yield path, count, line
                continue
            inside = self._included(path, count, line)
            if depth == DEEPEST:
                raise DesignError(f"{path.name}, line {count}: includes lie more than {DEEPEST} deep")
            yield from self._lines(inside, depth + 1)

    def _included(self, path: Path, count: int, line: str) -> Path:
        given = INCLUDE.fullmatch(COMMENT.split(line.strip(), maxsplit=1)[0].strip())
        named = given[1].strip("\"'") if given else ""
        inside = real(self.folder / named) if named and "\0" not in named else self.folder
        if not inside.is_relative_to(self.folder) or inside == self.folder:
            raise DesignError(
                f"{path.name}, line {count}: .include {named[:40]!r} is not in the file's folder"
            )
        return inside

    def _place(self, line: Line, scope: Scope) -> Scope:
        """Put a card where it belongs; give the scope that the next one stands in."""
        text = _plain(line[2])
        first = text.split()[0].lower()
        line = (*line[:2], text)
        match first:
            case _ if first in IGNORED:
                self.left_out.setdefault(first, line[1])
            case ".subckt":
                return self._open(line, scope)
            case ".ends":
                return self._close(scope)
            case ".model":
                model = read_model_card(text, scope)
                _define(scope.models, model.name.lower(), line, model)
                if model.left_out:
                    self.unknown.append(f"{', '.join(model.left_out)} of {model.name} (line {line[1]})")
            case ".param" | ".params":
                for name, arguments, value in _pairs(text.split(None, 1)[1] if " " in text else ""):
                    _parameter(line, scope, name, arguments, value)
            case ".func":
                _function(line, scope)
            case _:
                _vet_element(first, scope)
                scope.body.append(line)
        return scope

    def _open(self, line: Line, scope: Scope) -> Scope:
        words = line[2].split()[1:]
        name = words[0] if words else ""
        if not NAME.fullmatch(name):
            raise DesignError("a subcircuit's name holds letters, digits and _ . - / + only")
        rest = words[1:]
        ends = (k for k, w in enumerate(rest) if "=" in w or w.lower() in ("params:", "optional:"))
        pins = rest[: next(ends, len(rest))]
        if len(list(scope.scopes())) > DEEPEST:
            raise DesignError(f"subcircuits are defined within each other more than {DEEPEST} deep")
        if len({pin.lower() for pin in pins}) < len(pins):
            raise DesignError("a pin is named twice")
        # PSpice lets commas stand between values.
        defaults = " ".join(w.rstrip(",") for w in words[1 + len(pins) :] if w != ",")
        return Scope(name, tuple(pins), defaults, outer=scope, line=line)

    def _close(self, scope: Scope) -> Scope:
        key, outer = scope.name.lower(), scope.outer
        if outer is None:
            raise DesignError(".ends without .subckt")
        if key in self.subcircuits:
            if _contents(scope) == _contents(self.subcircuits[key]):
                return outer  # included twice
            raise DesignError(f"subcircuit {scope.name!r} is there twice, and differs")
        self.subcircuits[key] = outer.inner[key] = scope
        return outer


def _contents(scope: Scope) -> tuple[object, ...]:
    return (
        scope.pins,
        scope.defaults,
        [text for _, _, text in scope.body],
        {name: rest for name, (_, *rest) in scope.params.items()},
        {name: function for name, (_, function) in scope.functions.items()},
        {name: model for name, (_, model) in scope.models.items()},
        {name: _contents(inner) for name, inner in scope.inner.items()},
    )


def _text(path: Path) -> str:
    """Read a file in whatever encoding makers use."""
    try:
        content = read_bytes(path, most=LARGEST_FILE, wanted="a SPICE model file")
    except DesignError as error:
        raise DesignError(str(error).replace(str(path.parent) + "/", "", 1)) from None
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = content.decode("utf-16", "replace")
    elif content[1:2] == b"\0" and content[3:4] == b"\0":  # LTspice writes no mark
        text = content.decode("utf-16-le", "replace")
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = content.decode("latin-1")
    return text.translate(MICRO)


def _cards(lines: Iterator[Line]) -> Iterator[Line]:
    """Join continuation lines and leave out comments; a card has the number of its first line."""
    start: tuple[Path, int] | None = None
    parts: list[str] = []
    length = 0
    for path, count, line in lines:
        plain = COMMENT.split(line.replace("\t", " "), maxsplit=1)[0].strip()
        if not plain or plain[0] in "*$":
            continue
        if plain[0] == "+":
            if start is None:
                raise DesignError(f"{path.name}, line {count}: a + continues nothing")
            parts.append(plain[1:].strip())
            length += len(plain)
            if length > LONGEST_CARD:
                raise DesignError(f"{path.name}, line {count}: a card of more than {LONGEST_CARD} characters")
            continue
        if len(plain) > LONGEST_CARD:
            raise DesignError(f"{path.name}, line {count}: a card of more than {LONGEST_CARD} characters")
        if start is not None:
            yield (*start, " ".join(parts))
        start, parts, length = (path, count), [plain], len(plain)
    if start is not None:
        yield (*start, " ".join(parts))


def _plain(text: str) -> str:
    """Write quoted expressions in braces, without blanks in them or around signs of equality; vet characters."""
    text = " ".join(text.split())
    text = re.sub(r"(=\s*|\b(?:value|table)\s+)\"([^\"]*)\"", r"\1{\2}", text, flags=re.I)
    text = re.sub(r"'([^']*)'", r"{\1}", text)
    if bad := FORBIDDEN.search(text):
        raise DesignError(f"the character {bad[0]!r} is not allowed")
    if FILES.search(text):
        raise DesignError("a card that names a file is not allowed")
    # A name that begins with $ would be a comment to ngspice.
    text = re.sub(r"(?<![\w$])\$(?=\w)", "dlr_", text)
    pieces = []
    for piece in braced(text):
        if piece[0] == "{":
            inner = re.sub(r"\s", "", piece[1:-1]).replace("{", "(").replace("}", ")")
            pieces.append(f"{{{inner}}}")
        else:
            pieces.append(re.sub(r"\s*(?<![=<>!])=(?!=)\s*", "=", piece))
    return "".join(pieces).strip()


def _vet_element(first: str, scope: Scope) -> None:
    if first[0] not in ELEMENTS:
        raise DesignError(f"only elements within .subckt and {', '.join(CARDS)} are allowed")
    if scope.outer is None:
        raise DesignError("an element outside of any .subckt would change the circuit itself")


def _pairs(text: str) -> Iterator[tuple[str, str | None, str]]:
    """Give name, arguments (of a function, with brackets) and value of what is assigned on a card."""
    found = list(PAIR.finditer(text))
    if not found or text[: found[0].start()].strip(" ,"):
        raise DesignError("name = value is wanted, the value in braces if it is no number")
    ends = [*(f.start() for f in found[1:]), len(text)]
    for one, end in zip(found, ends, strict=True):
        value = text[one.end() : end].strip(" ,")
        yield one[1], one[2], value[1:-1] if re.fullmatch(r"\{[^{}]*\}", value) else value


def _parameter(line: Line, scope: Scope, name: str, arguments: str | None, value: str) -> None:
    if not value:
        raise DesignError(f"parameter {name[:40]!r} has no value")
    if arguments is not None:
        function = Function(name.lower(), _arguments(arguments), value)
        _define(scope.functions, name.lower(), line, function)
    else:
        scope.params[name.lower()] = (line, name, value)  # the last one counts, as in ngspice


def _function(line: Line, scope: Scope) -> None:
    found = re.fullmatch(r"\.func\s+([a-z_]\w*)\s*(\([^()]*\))\s*=?\s*(.+)", line[2], re.I)
    if not found:
        raise DesignError(".func name(arguments) {expression} is wanted")
    body = found[3].strip()
    body = body[1:-1] if body[0] == "{" and body[-1] == "}" else body
    function = Function(found[1].lower(), _arguments(found[2]), body)
    _define(scope.functions, function.name, line, function)


def _arguments(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.strip("() ").split(",") if name.strip())
    if len({name.lower() for name in names}) < len(names):
        raise DesignError("an argument is named twice")
    return names


def _define(known: dict[str, tuple[Line, T]], name: str, line: Line, what: T) -> None:
    """Keep a definition; the same may be there twice, for files are included twice."""
    if name in known and known[name][1] != what:
        where = known[name][0]
        raise DesignError(f"{name[:40]!r} is defined otherwise in {where[0].name}, line {where[1]}")
    known.setdefault(name, (line, what))
