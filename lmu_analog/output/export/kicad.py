"""A circuit as a KiCad schematic, ``.kicad_sch``, with its own symbols: one file, nothing else needed.

Written as the S-expressions of KiCad 7 (format 20230121), which KiCad 7 and later read.
"""

import uuid
from collections.abc import Iterator

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, KINDS
from lmu_analog.design import Design
from lmu_analog.output.export.sheet import SHAPES, Item, Label, Part, Point, Wire, junctions, sheet, size

_STEP = 1.27  # mm, KiCad's grid of 50 mil
_PIN = 2  # steps from a pin's end to the body
_FONT = "(effects (font (size 1.27 1.27)){})"
_NAMESPACE = uuid.UUID("6c6d7561-6e61-6c6f-6700-6b6963616400")  # ids follow from the design: equal files
_GROUND_NET = "GND"

# What is drawn of a body, in steps to the right and up: lines through points, and circles (centre, radius).
_Stroke = tuple[Point, ...]
_BODIES: dict[str, tuple[_Stroke, ...]] = {
    "resistor": (((-2, -1), (2, -1), (2, 1), (-2, 1), (-2, -1)),),
    "capacitor": (((-2, 0), (0, 0)), ((0, 2), (0, -2)), ((1, 2), (1, -2)), ((1, 0), (2, 0))),
    "inductor": (((-2, 0), (-2, 1), (-1, 1), (-1, 0), (0, 1), (1, 0), (1, 1), (2, 1), (2, 0)),),
    "ammeter": (((-2, 0), (2, 0)),),
    "voltage source": (((-2, -2), (2, -2), (2, 2), (-2, 2), (-2, -2)), ((-1, 1), (-1, -1))),
    "current source": (((-2, -2), (2, -2), (2, 2), (-2, 2), (-2, -2)), ((-1, 0), (1, 0)), ((0, 1), (1, 0), (0, -1))),
    "switch": (((-2, 0), (-1, 0), (1, 1)), ((1, 0), (2, 0)), ((0, 0), (0, -2))),
    "transistor": (((-2, 0), (-1, 0)), ((-1, 2), (-1, -2)), ((0, 2), (0, -2)), ((0, 2), (2, 2)), ((0, -2), (2, -2)),
                   ((0, 0), (4, 0))),
}  # fmt: skip
_TRIANGLE: tuple[_Stroke, ...] = (((-4, 4), (4, 0), (-4, -4), (-4, 4)),)
_PINS = {known.label: known.pins for known in KINDS.values()}
_TITLES = {"transconductor": "gm", "ideal amplifier": "E"}


def kicad(design: Design, circuit: Circuit) -> str:
    """Write a KiCad schematic of a circuit, laid out by ``sheet``.

    References count by letter; the properties ``Deck`` and ``Role`` of a part name the deck's element and its
    role. Ground is ``GND``, any other net has the circuit's name. Supplies of op-amps are not drawn.
    """
    return "\n".join(_lines(design, circuit)) + "\n"


def _lines(design: Design, circuit: Circuit) -> Iterator[str]:
    items = sheet(circuit)
    root = uuid.uuid5(_NAMESPACE, f"{design.digest} {circuit.values.tolist()}")
    wide, high = size(items)
    kinds = dict.fromkeys(item.placed.kind for item in items if isinstance(item, Part))
    yield "(kicad_sch (version 20230121) (generator lmu_analog)"
    yield f"  (uuid {root})"
    yield f'  (paper "User" {_mm(wide)} {_mm(high)})'
    title = f"Legendre memory, {circuit.family} {circuit.realization}, order {circuit.order}"
    yield f"  (title_block (title {_quoted(title)}) (comment 1 {_quoted(f'design {design.digest[:16]}')}))"
    yield "  (lib_symbols"
    yield from (line for kind in kinds for line in _library(kind))
    yield from _ground_symbol()
    yield "  )"
    for point in junctions(items):
        yield f"  (junction (at {_at(point)}) (diameter 0) (color 0 0 0 0) (uuid {_id(root, 'j', point)}))"
    for number, item in enumerate(items):
        yield from _item(item, root, number)
    yield '  (sheet_instances (path "/" (page "1")))'
    yield ")"


def _item(item: Item, root: uuid.UUID, number: int) -> Iterator[str]:
    own = _id(root, "i", number)
    match item:
        case Wire():
            points = f"(pts (xy {_at(item.start)}) (xy {_at(item.end)}))"
            yield f"  (wire {points} (stroke (width 0) (type default)) (uuid {own}))"
        case Label(net=net) if net == GROUND:
            yield from _symbol(
                "GND", "GND", item.at, root=root, own=own, reference=f"#PWR{number:04d}", pins=("1",)
            )
        case Label():
            angle, side = (180, "right") if item.leftward else (0, "left")
            style = _FONT.format(f" (justify {side} bottom)")
            yield f"  (label {_quoted(item.net)} (at {_at(item.at)} {angle}) {style} (uuid {own}))"
        case Part(placed=placed):
            yield from _symbol(
                placed.kind,
                placed.text,
                item.at,
                root=root,
                own=own,
                reference=placed.reference,
                pins=tuple(str(k + 1) for k in range(len(placed.pins))),
                mirror=" (mirror y)" if item.turned else "",
                extra={"Deck": placed.component.name, "Role": placed.component.role},
            )


def _symbol(
    kind: str,
    value: str,
    at: Point,
    *,
    root: uuid.UUID,
    own: uuid.UUID,
    reference: str,
    pins: tuple[str, ...],
    mirror: str = "",
    extra: dict[str, str] | None = None,
) -> Iterator[str]:
    power = kind == "GND"
    above, below = ((at[0], at[1] + 5), (at[0], at[1] + 3)) if power else _texts(kind, at)
    yield f"  (symbol (lib_id {_quoted(_name(kind))}) (at {_at(at)} 0){mirror} (unit 1)"
    flags = ("no", "no") if power else ("yes", "yes")
    yield f"    (in_bom {flags[0]}) (on_board {flags[1]}) (dnp no) (uuid {own})"
    yield _property("Reference", reference, above, hidden=power)
    yield _property("Value", value, below)
    hidden = {"Footprint": "", "Datasheet": "", **(extra or {})}
    yield from (_property(name, text, at, hidden=True) for name, text in hidden.items())
    yield from (f'    (pin "{pin}" (uuid {_id(own, "pin", pin)}))' for pin in pins)
    path = f'(path "/{root}" (reference {_quoted(reference)}) (unit 1))'
    yield f'    (instances (project "" {path}))'
    yield "  )"


def _texts(kind: str, at: Point) -> tuple[Point, Point]:
    """Where reference and value stand."""
    if kind == "transistor":  # leads leave it above and below
        return (at[0] - 3, at[1] - 4), (at[0] - 3, at[1] + 4)
    reach = 3 if "a" in SHAPES[kind] else 5
    return (at[0], at[1] - reach), (at[0], at[1] + reach)


def _library(kind: str) -> Iterator[str]:
    """Write the symbol of a kind of part."""
    pins = SHAPES[kind]
    reference = {"resistor": "R", "capacitor": "C", "inductor": "L"}.get(kind, "U")
    yield f"    (symbol {_quoted(_name(kind))} (pin_numbers hide) (pin_names hide) (in_bom yes) (on_board yes)"
    yield _property("Reference", reference, (0, -4))
    yield _property("Value", kind, (0, 4))
    yield from (_property(name, "", (0, 0), hidden=True) for name in ("Footprint", "Datasheet"))
    yield f"      (symbol {_quoted(f'{_bare(kind)}_0_1')}"
    for stroke in _BODIES.get(kind, _TRIANGLE):
        points = " ".join(f"(xy {_at(point)})" for point in stroke)
        yield f"        (polyline (pts {points}) (stroke (width 0.2) (type default)) (fill (type none)))"
    for name, (x, y) in pins.items():
        if name in ("plus", "minus"):
            sign = "+" if name == "plus" else "-"
            yield f'        (text "{sign}" (at {_at((x + 3, -y))} 0) {_FONT.format("")})'
    if kind in _TITLES:
        yield f'        (text "{_TITLES[kind]}" (at 0 0 0) {_FONT.format("")})'
    yield f"      )\n      (symbol {_quoted(f'{_bare(kind)}_1_1')}"
    for name, (x, y) in pins.items():
        # Pins count in the order in which a component names them.
        number = (*_PINS[kind], "clock").index(name) + 1
        angle = (0 if x < 0 else 180) if abs(x) >= abs(y) else (90 if y > 0 else 270)
        yield f"        (pin passive line (at {_at((x, -y))} {angle}) (length {_mm(_PIN)})"
        yield f'          (name "{name}" {_FONT.format("")}) (number "{number}" {_FONT.format("")}))'
    yield "      )\n    )"


def _ground_symbol() -> Iterator[str]:
    yield f"    (symbol {_quoted(_name('GND'))} (power) (pin_names hide) (in_bom yes) (on_board yes)"
    yield _property("Reference", "#PWR", (0, -5), hidden=True)
    yield _property("Value", _GROUND_NET, (0, -3))
    yield from (_property(name, "", (0, 0), hidden=True) for name in ("Footprint", "Datasheet"))
    points = " ".join(f"(xy {_at(p)})" for p in ((0, 0), (0, -1), (1, -1), (0, -2), (-1, -1), (0, -1)))
    yield '      (symbol "GND_0_1"'
    yield f"        (polyline (pts {points}) (stroke (width 0.2) (type default)) (fill (type none)))"
    yield '      )\n      (symbol "GND_1_1"'
    yield f'        (pin power_in line (at 0 0 270) (length 0) hide (name "{_GROUND_NET}" {_FONT.format("")})'
    yield f'          (number "1" {_FONT.format("")}))'
    yield "      )\n    )"


def _property(name: str, text: str, at: Point, *, hidden: bool = False) -> str:
    return f"    (property {_quoted(name)} {_quoted(text)} (at {_at(at)} 0) {_FONT.format(' hide' * hidden)})"


def _bare(kind: str) -> str:
    return kind.replace(" ", "_")


def _name(kind: str) -> str:
    return f"lmu:{_bare(kind)}"


def _id(root: uuid.UUID, *of: object) -> uuid.UUID:
    return uuid.uuid5(root, repr(of))


def _mm(steps: int) -> str:
    return f"{_STEP * steps:.2f}"


def _at(point: Point) -> str:
    return f"{_mm(point[0])} {_mm(point[1])}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
