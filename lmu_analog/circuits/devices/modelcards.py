"""Cards of SPICE models: subcircuits as they stand in a file, and what a ``.model`` may say."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lmu_analog.circuits.devices.expressions import Function, number
from lmu_analog.errors import DesignError

# XSPICE types, which may name files, are not among them; nor are compact models, some of which write a log.
LEVELS: dict[str, tuple[int, ...]] = {
    "r": (), "c": (), "l": (), "sw": (), "csw": (), "d": (1,), "npn": (1, 4), "pnp": (1, 4), "njf": (1, 2),
    "pjf": (1, 2), "nmf": (1,), "pmf": (1,), "nmos": (1, 2, 3, 6, 9), "pmos": (1, 2, 3, 6, 9), "vdmos": (1,),
}  # fmt: skip
PSPICE_TYPES = {"res": "r", "cap": "c", "ind": "l", "vswitch": "vswitch", "iswitch": "iswitch"}
FACTORS = {"res": "r", "cap": "c", "ind": "l"}  # by which PSpice multiplies the values of a model's parts
SWITCHES = {"vswitch": ("von", "voff", "1", "0"), "iswitch": ("ion", "ioff", "1m", "0")}
# Keys of models that write files, and those that say nothing about the circuit.
WRITING = frozenset(("paramchk",))
FOR_PEOPLE = frozenset({"mfg", "type", "vpk", "iave", "irms", "vceo", "icrating", "vds", "ron_typ", "qg"})
# PSpice's, unknown to ngspice 39 (tried one by one): left out with a note.
TEMPERATURES = frozenset({"t_abs", "t_rel_global", "t_rel_local"})
OF_TRANSISTORS = frozenset({"rg", "rds", "rb", "jssw", "pbsw", "n", "tt", "gdsnoi", "nlev"})
OF_JFETS = frozenset({"n", "isr", "nr", "alpha", "vk"})
PSPICE_ONLY: dict[str, frozenset[str]] = {
    "d": frozenset({"ibvl", "nbvl", "tikf", "tbv1", "tbv2"}),
    "npn": frozenset({"xcjc2"}),
    "pnp": frozenset({"xcjc2"}),
    "njf": OF_JFETS,
    "pjf": OF_JFETS,
    "nmos": OF_TRANSISTORS,
    "pmos": OF_TRANSISTORS,
    "c": frozenset({"vc1", "vc2"}),
    "l": frozenset({"il1", "il2"}),
}
RENAMED = {"t_measured": "tnom"}
SPREAD = re.compile(r"\b(?:dev|lot)(?:/\w+){0,2}\s*=?\s*[\d.]+(?:e[-+]?\d+)?\s*%?", re.I)

Line = tuple[Path, int, str]


@dataclass(frozen=True)
class Model:
    """A ``.model`` card: what it names, its type, its parameters (key to value, or empty), and keys left out of it."""

    name: str
    kind: str
    values: dict[str, str]
    left_out: tuple[str, ...] = ()

    def written(self) -> str:
        """Give its card for ngspice."""
        given = " ".join(f"{key}={value}" if value else key for key, value in self.values.items())
        return f".model {self.name} {self.kind}({given})" if given else f".model {self.name} {self.kind}"


@dataclass(frozen=True, eq=False)
class Scope:
    """A subcircuit, or the file around all of them.

    Attributes
    ----------
    name, pins, defaults
        Of the subcircuit, the last as it stands on its card.
    params : dict
        Lower-case name to the line and text after the sign of equality.
    functions, models, inner : dict of lower-case name to object
    body : list of (line, text)
        Its elements.
    """

    name: str = ""
    pins: tuple[str, ...] = ()
    defaults: str = ""
    outer: "Scope | None" = None
    line: Line = (Path(), 0, "")
    params: dict[str, tuple[Line, str, str]] = field(default_factory=dict)
    functions: dict[str, tuple[Line, Function]] = field(default_factory=dict)
    models: dict[str, tuple[Line, Model]] = field(default_factory=dict)
    inner: dict[str, "Scope"] = field(default_factory=dict)
    body: list[Line] = field(default_factory=list)

    def scopes(self) -> Iterator["Scope"]:
        """Give this scope and those around it, from within."""
        yield self
        if self.outer is not None:
            yield from self.outer.scopes()

    def model(self, name: str) -> Model | None:
        """Find a model as seen from here."""
        return next((s.models[name][1] for s in self.scopes() if name in s.models), None)

    def seen(self) -> dict[str, Function]:
        """Give all functions that can be called here."""
        known: dict[str, Function] = {}
        for scope in reversed(list(self.scopes())):
            known.update({name: function for name, (_, function) in scope.functions.items()})
        return known


def at(line: Line, error: DesignError) -> DesignError:
    """Say where in a file an error is."""
    where, number_, text = line
    return DesignError(f"{where.name}, line {number_}: {error}; the card reads {text[:40]!r}")


def braced(text: str) -> Iterator[str]:
    """Cut a card into what is in outer braces and what is not."""
    depth, start = 0, 0
    for k, letter in enumerate(text):
        if letter == "{":
            if depth == 0 and k > start:
                yield text[start:k]
            start, depth = (k, 1) if depth == 0 else (start, depth + 1)
        elif letter == "}":
            depth -= 1
            if depth < 0:
                break
            if depth == 0:
                yield text[start : k + 1]
                start = k + 1
    if depth:
        raise DesignError("a brace is not closed or not opened")
    if start < len(text):
        yield text[start:]


def read_model_card(text: str, scope: Scope) -> Model:
    """Read a ``.model`` card, as PSpice or ngspice writes it."""
    text = re.sub(r"\bako\s*:\s*", "ako:", text, flags=re.I)
    found = re.match(r"\.model\s+([^\s()=]+)\s+(ako:[^\s()]+)?\s*([a-z]\w*)?\s*(.*)$", text, re.I)
    if not found:
        raise DesignError("a .model of type 'nothing' is not allowed")
    base = None
    if found[2]:
        base = scope.model(found[2][4:].lower())
        if base is None:
            raise DesignError(f"AKO of {found[2][4:44]!r}, which is no model of the file above")
    given = (found[3] or (base.kind if base else "nothing")).lower()
    kind = PSPICE_TYPES.get(given, given)
    if kind not in LEVELS and kind not in SWITCHES:
        raise DesignError(f"a .model of type {given[:20]!r} is not allowed")
    if base is not None and base.kind.lower() != kind:
        raise DesignError(f"AKO of a model of type {base.kind}, not {given[:20]}")
    values = _model_values(found[4])
    _vet_values(kind, values)
    if given in FACTORS:
        values = {"factor" if key.lower() == FACTORS[given] else key: v for key, v in values.items()}
    unknown = TEMPERATURES | PSPICE_ONLY.get(kind, frozenset())
    left_out = tuple(key for key in values if key.lower() in unknown)
    values = {key: value for key, value in values.items() if key not in left_out}
    if base is not None:  # whatever the case of the keys
        lowered = {key.lower() for key in values}
        values = {**{key: v for key, v in base.values.items() if key.lower() not in lowered}, **values}
        return Model(found[1], base.kind, values, left_out)
    return Model(found[1], found[3] if found[3] and kind == given else kind.upper(), values, left_out)


def _model_values(text: str) -> dict[str, str]:
    text = SPREAD.sub(" ", text).strip()
    if text.startswith("("):
        text = text[1:-1] if text.endswith(")") else text[1:]
    values: dict[str, str] = {}
    for word in re.findall(r"[^\s,{}=]+=\{[^{}]*\}|[^\s,]+", text):
        key, _, value = str(word).partition("=")
        values[RENAMED.get(key.lower(), key)] = value
    return {k: v for k, v in values.items() if k.lower() not in FOR_PEOPLE}


def _vet_values(kind: str, values: dict[str, str]) -> None:
    lowered = {key.lower(): value for key, value in values.items()}
    if len(lowered) < len(values):
        raise DesignError("a parameter is given twice")
    if bad := WRITING & lowered.keys():
        raise DesignError(f"{min(bad)} makes ngspice write a file, and is not allowed")
    if "level" in lowered:
        level, known = number(lowered["level"]), LEVELS.get(kind, ())
        if level not in known:
            listed = " and ".join(map(str, known)) or "none"
            raise DesignError(
                f"level {lowered['level'][:20]} of {kind} is not allowed, levels are {listed}: others read or write "
                "files, or are no model of an op-amp"
            )
