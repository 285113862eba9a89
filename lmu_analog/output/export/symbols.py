"""Symbols of KiCad's libraries, read from ``symbols.kicad_sym``, and generic ones made of the same shapes.

A symbol is kept as the S-expression that a schematic embeds, so that the export needs no KiCad. Positions of pins are
in steps of 1.27 mm to the right and up, as in KiCad's libraries.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

from lmu_analog.circuits.components import GROUND, KINDS
from lmu_analog.circuits.devices.packages import LETTERS, Form
from lmu_analog.output.export.board import RAILS

STEP = 1.27  # mm, KiCad's grid of 50 mil
Expression = list[Any]  # of words and lists of the same; texts keep their quotes
_FILE = "symbols.kicad_sym"

# Parts of the catalogue that KiCad draws in the package that is usual for them, under its name for them.
_NAMED = {
    "ADA4522-1": "ADA4522-1", "ADA4522-2": "ADA4522-2", "ADA4522-4": "ADA4522-4", "AD8606": "AD8606ARZ",
    "LM324": "LM324", "LM358": "LM358", "LM4562": "LM4562", "LMC6482": "LMC6482", "LMC6484": "LMC6484",
    "LMV324": "LMV324", "LMV358": "LMV358", "MC33078": "MC33078", "MC33079": "MC33079", "MCP6001": "MCP6001-OT",
    "MCP6002": "MCP6002-xSN", "MCP6004": "MCP6004", "MCP6022": "MCP6022", "NE5532": "NE5532", "OP07": "OP07",
    "OPA134": "OPA134", "OPA1602": "OPA1602", "OPA1604": "OPA1604", "OPA1612": "OPA1612AxD", "OPA1641": "OPA1641",
    "OPA1656": "OPA1656ID", "OPA1678": "OPA1678", "OPA1679": "OPA1679", "OPA188": "OPA188xxD", "OPA197": "OPA197xD",
    "OPA2134": "OPA2134", "OPA2197": "OPA2197xD", "OPA2277": "OPA2277", "OPA2333": "OPA2333xxD",
    "OPA2340": "OPA2340", "OPA333": "OPA333xxDBV", "OPA340": "OPA340NA", "OPA4134": "OPA4134",
    "OPA4197": "OPA4197xD", "OPA4340": "OPA4340UA", "RC4558": "RC4558", "TL061": "TL061", "TL062": "TL062",
    "TL064": "TL064", "TL071": "TL071", "TL072": "TL072", "TL074": "TL074", "TL081": "TL081", "TL082": "TL082",
    "TL084": "TL084", "TLC272": "TLC272", "TLC274": "TLC274", "TLV9061": "TLV9061xDBV", "TLV9062": "TLV9062xD",
    "TLV9064": "TLV9064",
}  # fmt: skip
NAMES = {
    **{part: f"Amplifier_Operational:{name}" for part, name in _NAMED.items()},
    "LT1014": "Amplifier_Operational:LT1014xSW",
    "THS4521": "Amplifier_Difference:THS4521ID",
}
# What is taken where KiCad has no symbol of the part: pins are those that all makers share for the package.
_OF_EIGHT = ("SOIC-8", "DIP-8", "MSOP-8", "VSSOP-8", "TSSOP-8", "")  # no package: that of most parts
_OF_FOURTEEN = ("SOIC-14", "DIP-14", "TSSOP-14", "")
_SINGLE, _SMALL = "Amplifier_Operational:OPA333xxD", "Amplifier_Operational:OPA333xxDBV"
_DIFFERENTIAL = "Amplifier_Difference:THS4521ID"
_GENERIC: dict[tuple[int, bool], dict[str, str]] = {
    (1, False): {**dict.fromkeys(_OF_EIGHT, _SINGLE), "SOT-23-5": _SMALL},
    (2, False): dict.fromkeys(_OF_EIGHT, "Device:Opamp_Dual"),
    (4, False): dict.fromkeys(_OF_FOURTEEN, "Device:Opamp_Quad"),
    (1, True): dict.fromkeys(_OF_EIGHT, _DIFFERENTIAL),
}
# Nets of an amplifier's inputs that carry no signal, and None for those that stay open.
_ELSE: dict[str, str | None] = {
    "~{PD}": RAILS[0], "V_{OCM}": GROUND, "NULL": None, "VOS": None,
}  # fmt: skip


@dataclass(frozen=True)
class Pin:
    """A pin of a symbol: its end and the way out of the body, in steps to the right and up."""

    number: str
    name: str
    type: str
    at: tuple[int, int]
    outward: tuple[int, int]
    unit: int


@dataclass(frozen=True)
class Symbol:
    """A symbol as a schematic embeds it.

    Attributes
    ----------
    name : str
        Library and name, ``Device:R``.
    content : nested lists
        Its S-expression.
    standard : bool
        Whether it stands so in KiCad's libraries.
    """

    name: str
    content: Expression
    standard: bool = True

    @cached_property
    def text(self) -> str:
        """Its S-expression."""
        return written(self.content)

    @cached_property
    def pins(self) -> tuple[Pin, ...]:
        """All of them, those of unit 0 belonging to every unit."""
        return tuple(_pins(self.content))

    @cached_property
    def fields(self) -> dict[str, str]:
        """Text of its properties by name."""
        return {str(p[1])[1:-1]: str(p[2])[1:-1] for p in _lists(self.content, "property")}

    @property
    def units(self) -> int:
        """How many units it has."""
        return max(pin.unit for pin in self.pins)

    def of_unit(self, unit: int) -> tuple[Pin, ...]:
        """Pins of a unit, from 1."""
        return tuple(pin for pin in self.pins if pin.unit in (0, unit))

    @property
    def supply_unit(self) -> int | None:
        """The unit that has nothing but supply pins, if there is one."""
        found = [k for k in range(1, self.units + 1) if all(p.type == "power_in" for p in self.of_unit(k))]
        return found[0] if found else None


def read(text: str) -> Expression:
    """Read S-expressions: a list of all that stand in a text; lines that begin with ``#`` are comments."""
    stack: list[Expression] = [[]]
    for token in re.findall(r'^#[^\n]*|"(?:[^"\\]|\\.)*"|[()]|[^\s()"]+', text, re.MULTILINE):
        if token == "(":
            stack.append([])
        elif token == ")":
            closed = stack.pop()
            stack[-1].append(closed)
        elif not token.startswith("#"):
            stack[-1].append(token)
    return stack[0]


def written(content: str | Expression) -> str:
    """Write an S-expression on one line."""
    return content if isinstance(content, str) else f"({' '.join(written(part) for part in content)})"


def _lists(content: Expression, head: str) -> Iterator[Expression]:
    return (part for part in content if isinstance(part, list) and part and part[0] == head)


def _one(content: Expression, head: str) -> Expression:
    return next(_lists(content, head))


def _pins(content: Expression) -> Iterator[Pin]:
    for body in _lists(content, "symbol"):
        unit = int(str(body[1])[1:-1].split("_")[-2])
        for pin in _lists(body, "pin"):
            x, y, angle = (float(str(t)) for t in _one(pin, "at")[1:])
            inward = {0.0: (1, 0), 90.0: (0, 1), 180.0: (-1, 0), 270.0: (0, -1)}[angle]
            yield Pin(
                str(_one(pin, "number")[1])[1:-1],
                str(_one(pin, "name")[1])[1:-1],
                str(pin[1]),
                (round(x / STEP), round(y / STEP)),
                (-inward[0], -inward[1]),
                unit,
            )


@cache
def library() -> dict[str, Symbol]:
    """Read KiCad's symbols that ship with the package."""
    text = resources.files("lmu_analog.output.export").joinpath(_FILE).read_text("utf-8")
    raw = {str(s[1])[1:-1]: s for s in _lists(_one(read(text), "kicad_symbol_lib"), "symbol")}
    return {name: Symbol(name, _flat(name, raw)) for name in raw}


def _flat(name: str, raw: dict[str, Expression]) -> Expression:
    """Give a symbol that stands by itself: one that extends another takes over all but the properties of its own."""
    own = raw[name]
    parents = list(_lists(own, "extends"))
    if not parents:
        return own
    prefix = name.partition(":")[0]
    base = _flat(f"{prefix}:{str(parents[0][1])[1:-1]}", raw)
    properties = {str(p[1]): p for source in (base, own) for p in _lists(source, "property")}
    rest = [part for part in base[2:] if not (isinstance(part, list) and part[0] == "property")]
    return renamed(["symbol", "", *rest[: _bodies(rest)], *properties.values(), *rest[_bodies(rest) :]], name)


def _bodies(parts: Expression) -> int:
    """Tell where the bodies of the units begin."""
    return next(k for k, part in enumerate(parts) if isinstance(part, list) and part[0] == "symbol")


def renamed(content: Expression, name: str) -> Expression:
    """Give a symbol and the bodies of its units another name."""
    bare = name.partition(":")[2]
    new: Expression = ["symbol", f'"{name}"']
    for part in content[2:]:
        if isinstance(part, list) and part[0] == "symbol":
            unit = "_".join(str(part[1])[1:-1].split("_")[-2:])
            new.append(["symbol", f'"{bare}_{unit}"', *part[2:]])
        else:
            new.append(part)
    return new


def connector(pins: int) -> Symbol:
    """Make ``Connector_Generic:Conn_01x03`` of any size, as KiCad's own script does."""
    name = f"Conn_01x{pins:02d}"
    top = (pins - 1) // 2 * 2  # steps
    font = "(effects (font (size 1.27 1.27)))"
    hidden = "(effects (font (size 1.27 1.27)) hide)"
    thin = "(stroke (width 0.1524) (type default)) (fill (type none))"
    about = (
        f"Generic connector, single row, 01x{pins:02d}, script generated "
        "(kicad-library-utils/schlib/autogen/connector/)"
    )
    low = top - 2 * (pins - 1)
    lines = [
        f'(symbol "Connector_Generic:{name}" (pin_names (offset 1.016) hide) (in_bom yes) (on_board yes)',
        f'(property "Reference" "J" (at 0 {mm(top + 2)} 0) {font})',
        f'(property "Value" "{name}" (at 0 {mm(low - 2)} 0) {font})',
        f'(property "Footprint" "" (at 0 0 0) {hidden}) (property "Datasheet" "~" (at 0 0 0) {hidden})',
        f'(property "Description" "{about}" (at 0 0 0) {hidden})',
        f'(property "ki_keywords" "connector" (at 0 0 0) {hidden})',
        f'(property "ki_fp_filters" "Connector*:*_1x??_*" (at 0 0 0) {hidden}) (symbol "{name}_1_1"',
        f"(rectangle (start -1.27 {mm(top + 1)}) (end 1.27 {mm(low - 1)})",
        "(stroke (width 0.254) (type default)) (fill (type background)))",
    ]
    places = [STEP * (top - 2 * k) for k in range(pins)]
    lines += [f"(rectangle (start -1.27 {y + 0.127:g}) (end 0 {y - 0.127:g}) {thin})" for y in places]
    lines += [
        f'(pin passive line (at -5.08 {y:g} 0) (length 3.81) (name "Pin_{k}" {font}) (number "{k}" {font}))'
        for k, y in enumerate(places, 1)
    ]
    return Symbol(f"Connector_Generic:{name}", _one(read(" ".join(lines) + "))"), "symbol"))


def mm(steps: int) -> str:
    """Write a length in mm, without zeros at its end."""
    return f"{STEP * steps:.10g}"


def of_form(form: Form, *, differential: bool) -> Symbol:
    """Give the symbol of an amplifier as it is sold: KiCad's of this part, or a generic one of its package.

    Where neither is known, every unit has pins that are named by its letter (``A6``), which belong to no footprint.
    """
    if form.part in NAMES:
        return library()[NAMES[form.part]]
    package = form.packages[0] if form.packages else ""
    base = _GENERIC.get((form.amplifiers, differential), {}).get(package)
    if base is not None and base.startswith("Device:"):
        return library()[base]
    if base is not None:
        return _generic(base, f"lmu:{_kind(differential)}_{package or 'single'}")
    return _lettered(
        _DIFFERENTIAL if differential else _SINGLE,
        f"lmu:{_kind(differential)}_{form.amplifiers}_in_a_package",
        form.amplifiers,
    )


def _kind(differential: bool) -> str:
    return "Opamp_Differential" if differential else "Opamp"


def _generic(base: str, name: str) -> Symbol:
    """Take a symbol without what belongs to one part."""
    content = renamed(library()[base].content, name)
    bare = name.partition(":")[2]
    texts = {
        "Value": bare,
        "Footprint": "",
        "Datasheet": "",
        "Description": "generic",
        "ki_keywords": "opamp",
    }
    plain: Expression = []
    for part in content:
        if isinstance(part, list) and part[0] == "property":
            key = str(part[1])[1:-1]
            if key == "ki_fp_filters":
                continue
            plain.append([*part[:2], f'"{texts[key]}"', *part[3:]] if key in texts else part)
        else:
            plain.append(part)
    return Symbol(name, plain, standard=False)


def _lettered(base: str, name: str, units: int) -> Symbol:
    """Repeat a symbol of one unit, with pins ``A6``, ``B6``, ...; each unit has supply pins of its own."""
    content = _generic(base, name).content
    first = _bodies(content)
    shapes = [part for body in content[first:] if isinstance(body, list) for part in body[2:]]
    made: Expression = content[:first]
    bare = name.partition(":")[2]
    for unit in range(1, units + 1):
        made.append(
            ["symbol", f'"{bare}_{unit}_1"', *(_numbered(part, LETTERS[unit - 1]) for part in shapes)]
        )
    return Symbol(name, [part for part in made if part], standard=False)


def _numbered(shape: str | Expression, letter: str) -> str | Expression:
    if not (isinstance(shape, list) and shape[0] == "pin"):
        return shape
    if shape[1] == "no_connect":  # where they are is not known
        return []
    new: Expression = []
    for part in shape:
        if isinstance(part, list) and part[0] == "number":
            part = ["number", f'"{letter}{str(part[1])[1:-1]}"', *part[2:]]
        new.append(part)
    return new


def roles(pins: Iterable[Pin]) -> dict[str, Pin]:
    """Say which pins of a unit carry signals: ``plus``, ``minus`` and ``out``, or ``out_plus`` and ``out_minus``."""
    pins = tuple(pins)
    found = {role: pin for pin in pins for role, name in (("plus", "+"), ("minus", "-"))
             if pin.type == "input" and pin.name == name}  # fmt: skip
    outputs = [pin for pin in pins if pin.type == "output"]
    if len(outputs) == 1:
        return {**found, "out": outputs[0]}
    above = found["plus"].at[1] > 0
    for pin in outputs:  # on the side of its plus input an amplifier has its inverting output
        found["out_minus" if (pin.at[1] > 0) == above else "out_plus"] = pin
    return found


def others(pins: Iterable[Pin]) -> Iterator[tuple[Pin, str | None]]:
    """Give the pins of a unit that carry no signal, with their nets; None where they stay open."""
    pins = tuple(pins)
    signals = set(roles(pins).values()) if any(pin.type == "output" for pin in pins) else set[Pin]()
    for pin in pins:
        if pin in signals or pin.type == "no_connect":
            continue
        yield pin, (RAILS[0] if pin.at[1] > 0 else RAILS[1]) if pin.type == "power_in" else _ELSE[pin.name]


# What is drawn of kinds that KiCad has no symbol for, in steps to the right and up: lines through points.
_TRIANGLE = (((-4, 4), (4, 0), (-4, -4), (-4, 4)),)
_SQUARE = ((-2, -2), (2, -2), (2, 2), (-2, 2), (-2, -2))
_STROKES: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "voltage source": (_SQUARE, ((-1, 1), (-1, -1))),
    "current source": (_SQUARE, ((-1, 0), (1, 0)), ((0, 1), (1, 0), (0, -1))),
    "switch": (((-2, 0), (-1, 0), (1, 1)), ((1, 0), (2, 0)), ((0, 0), (0, -2))),
    "transistor": (((-2, 0), (-1, 0)), ((-1, 2), (-1, -2)), ((0, 2), (0, -2)), ((0, 2), (2, 2)), ((0, -2), (2, -2)),
                   ((0, 0), (4, 0))),
}  # fmt: skip
_TITLES = {"transconductor": "gm", "ideal amplifier": "E"}
_TWO_ENDS = {"a": (-4, 0), "b": (4, 0)}
_INPUTS = {"minus": (-6, 2), "plus": (-6, -2)}
OWN: dict[str, dict[str, tuple[int, int]]] = {  # where pins end, to the right and up
    "voltage source": _TWO_ENDS,
    "current source": _TWO_ENDS,
    "switch": {**_TWO_ENDS, "clock": (0, -4)},
    "op-amp": {**_INPUTS, "out": (6, 0)},
    "ideal amplifier": {**_INPUTS, "out": (6, 0)},
    "transconductor": {**_INPUTS, "out": (6, 0)},
    "differential op-amp": {**_INPUTS, "out_plus": (6, 2), "out_minus": (6, -2)},
    "transistor": {"drain": (2, 4), "gate": (-4, 0), "source": (2, -4), "bulk": (6, 0)},
}
_ORDER = {known.label: (*(pin for pin in known.pins if pin != "base"), "clock") for known in KINDS.values()}


@cache
def own(kind: str) -> Symbol:
    """Draw a symbol of what is made on a chip; its pins count in the order in which a component names them."""
    bare = kind.replace(" ", "_")
    font, hidden = "(effects (font (size 1.27 1.27)))", "(effects (font (size 1.27 1.27)) hide)"
    lines = [
        f'(symbol "lmu:{bare}" (pin_numbers hide) (pin_names hide) (in_bom yes) (on_board yes)',
        f'(property "Reference" "U" (at 0 5.08 0) {font}) (property "Value" "{kind}" (at 0 -5.08 0) {font})',
        f'(property "Footprint" "" (at 0 0 0) {hidden}) (property "Datasheet" "" (at 0 0 0) {hidden})',
        f'(symbol "{bare}_0_1"',
    ]
    for stroke in _STROKES.get(kind, _TRIANGLE):
        points = " ".join(f"(xy {mm(x)} {mm(y)})" for x, y in stroke)
        lines.append(f"(polyline (pts {points}) (stroke (width 0.2) (type default)) (fill (type none)))")
    pins = OWN[kind]
    for name, sign in (("plus", "+"), ("minus", "-")):
        if name in pins:
            lines.append(f'(text "{sign}" (at {mm(pins[name][0] + 3)} {mm(pins[name][1])} 0) {font})')
    if kind in _TITLES:
        lines.append(f'(text "{_TITLES[kind]}" (at 0 0 0) {font})')
    lines.append(f') (symbol "{bare}_1_1"')
    for name, (x, y) in pins.items():
        angle = (0 if x < 0 else 180) if abs(x) >= abs(y) else (90 if y < 0 else 270)
        number = _ORDER[kind].index(name) + 1
        lines.append(f"(pin passive line (at {mm(x)} {mm(y)} {angle}) (length 2.54)")
        lines.append(f'(name "{name}" {font}) (number "{number}" {font}))')
    return Symbol(f"lmu:{bare}", _one(read(" ".join([*lines, "))"])), "symbol"), standard=False)
