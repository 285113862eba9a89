r"""A circuit as a drawing for LTspice, ``.asc``, with the symbols of its own library.

Resistors, capacitors, inductors and op-amps of one output are drawn. Everything else of the deck stands on the sheet as
text, as LTspice allows: sources, subcircuits, options, and elements that its library has no suitable symbol for.

Pins of symbols are those of LTspice's files ``res.asy``, ``cap.asy``, ``ind.asy`` and ``Opamps/opamp.asy``, in the
sheet's units, 16 to a step; x to the right, y down.
"""

from collections.abc import Iterator

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Inductor, OpAmp, Resistor, kind_of
from lmu_analog.output.export.board import pins
from lmu_analog.output.export.sheet import (
    MARGIN,
    Device,
    Item,
    Label,
    Paper,
    Part,
    Point,
    Wire,
    blocks,
    bounds,
    set_on,
)

_UNIT = 16  # of LTspice's sheets in a step
_WIDE, _ENDLESS = 330, 10**9  # steps: a sheet as wide as A3, and as long as it must be
# Symbol, and the ends of it as it lies with its first pin on the left, in steps from the part's centre.
_LYING: dict[str, tuple[str, Point, Point]] = {
    "resistor": ("res", (-2, 0), (3, 0)),
    "capacitor": ("cap", (-2, 0), (2, 0)),
    "inductor": ("ind", (-2, 0), (3, 0)),
}
_FIRST_PIN = {"resistor": 16, "capacitor": 0, "inductor": 16}  # y of it in the symbol's file; x is 16
_OPAMP, _OPAMP_Y = r"Opamps\\opamp", 64  # y of the symbol's output in its file
_AMPLIFIER = (("minus", (-2, -1)), ("plus", (-2, 1)), ("out", (2, 0)))
_IDEAL = "drawn_ideal"


def drawing(circuit: Circuit, deck: str) -> str:
    """Draw a circuit.

    Parameters
    ----------
    circuit : Circuit
    deck : str
        Its deck in LTspice's dialect, whose elements the sheet has, drawn or as text.

    Returns
    -------
    str
        An ``.asc`` file whose netlist is the deck, but that op-amps begin with ``XU`` and ideal ones are subcircuits.
    """
    drawn = {c.name: c for c in circuit.only(Resistor, Capacitor, Inductor)}
    amplifiers = {letter + c.name[1:]: c for c in circuit.only(OpAmp) for letter in "XE"}  # real, ideal
    texts: list[str] = []
    values: dict[
        str, str
    ] = {}  # value and what follows it, or subcircuit of an op-amp, by the name of a component
    wrapped: dict[str, str] = {}
    comments: list[str] = []
    inside = False
    for line in deck.splitlines():
        word, *rest = line.split()
        inside = (inside or word == ".subckt") and word != ".ends"
        if line.startswith("*"):
            comments.append(line[1:].strip())
        elif inside or word == ".ends":
            texts.append(line)
        elif word in drawn:
            values[word] = "\nSYMATTR SpiceLine ".join(
                [rest[2], " ".join(rest[3:])] if rest[3:] else rest[2:]
            )
        elif word in amplifiers:
            name, made = _wrapped(word, rest[-1])
            values[amplifiers[word].name] = name
            wrapped[name] = made
        elif word != ".end":
            texts.append(line)
    devices = [_device(c.name, kind_of(c).label, pins(c)) for c in circuit.components if c.name in values]
    (items,) = set_on(Paper("", (_WIDE, _ENDLESS)), blocks(devices))
    right, bottom = bounds(items)[2:]
    lines = ["Version 4", f"SHEET 1 {_UNIT * (right + MARGIN)} {_UNIT * (bottom + MARGIN)}"]
    lines += [line for item in items if isinstance(item, Wire) for line in _item(item, values)]
    lines += [line for item in items if isinstance(item, Label) for line in _item(item, values)]
    lines += [line for item in items if isinstance(item, Part) for line in _item(item, values)]
    told = "\\n".join([*wrapped.values(), *texts])
    below = bottom + MARGIN // 2
    lines.append(f"TEXT {_UNIT * MARGIN} {_UNIT * below} Left 2 !{told}")
    lines.append(f"TEXT {_UNIT * (right // 2)} {_UNIT * below} Left 2 ;" + "\\n".join(comments))
    return "\n".join(lines) + "\n"


def _wrapped(word: str, last: str) -> tuple[str, str]:
    """Make a subcircuit whose pins are in the order of LTspice's symbol: the inverting input first."""
    if word[0] == "E":
        return _IDEAL, f".subckt {_IDEAL} n p out\\nE1 out 0 p n {last}\\n.ends {_IDEAL}"
    name = f"drawn_{last}"
    return name, f".subckt {name} n p out\\nX1 p n out {last}\\n.ends {name}"


def _device(name: str, kind: str, nets: tuple[tuple[str, str], ...]) -> Device:
    if kind in _LYING:
        _, a, b = _LYING[kind]
        return Device(name, kind, nets, (("a", a), ("b", b)), reach=1)
    return Device(name, kind, nets, _AMPLIFIER, reach=2)


def _item(item: Item, values: dict[str, str]) -> Iterator[str]:
    match item:
        case Wire():
            yield f"WIRE {_at(item.start)} {_at(item.end)}"
        case Label():
            yield f"FLAG {_at(item.at)} {item.net}"
        case Part(device=device):
            x, y = _UNIT * item.at[0], _UNIT * item.at[1]
            if device.kind not in _LYING:
                yield f"SYMBOL {_OPAMP} {x} {y - _OPAMP_Y} R0"
            else:
                # Turned by 90 degrees (x, y) of the symbol's file is at (-y, x), by 270 at (y, -x).
                side = 1 if item.turn == "right" else -1
                symbol, first, _ = _LYING[device.kind]
                corner = x + side * (_UNIT * first[0] - _FIRST_PIN[device.kind])
                yield f"SYMBOL {symbol} {corner} {y + side * 16} {'R270' if side > 0 else 'R90'}"
                # Beside the body, as LTspice itself sets them for parts that lie.
                far = 32 if symbol == "cap" else 56
                above, below = f"0 {far} VBottom", f"32 {far} VTop"
                if side > 0:
                    above, below = below, above
                yield from (f"WINDOW 0 {above} 2", f"WINDOW 3 {below} 2")
            yield f"SYMATTR InstName {device.name}"
            yield f"SYMATTR Value {values[device.name]}"
        case _:
            pass


def _at(point: Point) -> str:
    return f"{_UNIT * point[0]} {_UNIT * point[1]}"
