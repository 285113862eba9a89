"""A schematic for xschem: every device a symbol of xschem's own library, its terminals named by labels.

xschem draws nothing for us: devices stand in rows, cell by cell, and nets are connected by their names. What counts is
that its netlist is the circuit, with the kit's subcircuits; symbols are ``devices/nmos4``, ``pmos4``, ``capa``,
``vsource`` and ``isource``, which every installation has. A card that has no such symbol stands among the commands.
"""

from collections.abc import Iterator, Sequence

from lmu_analog.circuits.devices.pdk import pdk
from lmu_analog.silicon.deck import element_lines
from lmu_analog.silicon.devices import SiliconCircuit

SCHEMATIC = ".sch"
HEADER = "v {xschem version=2.8.1 file_version=1.2}"
COLUMNS = 12  # devices in a row
PITCH = 200, 160  # of the grid, across and down
# Where the pins of xschem's symbols are, in the order of their netlist.
PINS: dict[str, tuple[tuple[int, int], ...]] = {
    "nmos4": ((20, -30), (-20, 0), (20, 30), (20, 0)),
    "pmos4": ((20, 30), (-20, 0), (20, -30), (20, 0)),
    "capa": ((0, -30), (0, 30)),
    "vsource": ((0, -30), (0, 30)),
    "isource": ((0, -30), (0, 30)),
}


def schematic(circuit: SiliconCircuit, commands: Sequence[str], *, notes: Sequence[str] = ()) -> str:
    """Write a schematic.

    Parameters
    ----------
    circuit : SiliconCircuit
    commands : sequence of str
        Lines of the deck beside the devices.
    notes : sequence of str
        Comments, which the netlist has too.
    """
    lines = [HEADER, "G {}", "K {}", "V {}", "S {}", "E {}"]
    extra: list[str] = []
    placed = 0
    # The capacitors that take up deviations are of ensembles, not of the circuit.
    for card in element_lines(circuit):
        if card.startswith("cdev_"):
            continue
        drawn = _symbol(card, circuit)
        if drawn is None:
            extra.append(card)
            continue
        row, column = divmod(placed, COLUMNS)
        lines += _placed(drawn, column * PITCH[0], row * PITCH[1], placed)
        placed += 1
    text = "\n".join([*notes, *commands, *extra])
    lines.append(
        f"C {{devices/code.sym}} {-2 * PITCH[0]} 0 0 0 {{name=commands only_toplevel=true value={_quoted(text)}}}"
    )
    return "\n".join([*lines, ""])


Drawn = tuple[str, tuple[str, ...], str]  # symbol, nets, attributes


def _symbol(card: str, circuit: SiliconCircuit) -> Drawn | None:
    """Choose the symbol of a card, its nets and its attributes; None where xschem has none for it."""
    name, *words = card.split()
    kinds = {key: device.kind for key, device in pdk(circuit.process).devices.items()}
    letter = name[0].lower()
    if letter == "x" and len(words) > 4 and kinds.get(words[4]) in ("nmos", "pmos"):
        return (
            f"{kinds[words[4]]}4",
            tuple(words[:4]),
            f"name={name} model={words[4]} {' '.join(words[5:])} m=1",
        )
    if letter == "x" and len(words) > 2 and kinds.get(words[2]) == "mim":
        return "capa", tuple(words[:2]), f"name={name} value={_quoted(' '.join(words[2:]))} m=1"
    if letter in "vi":
        symbol = "vsource" if letter == "v" else "isource"
        return symbol, tuple(words[:2]), f"name={name} value={_quoted(' '.join(words[2:]))}"
    return None


def _placed(drawn: Drawn, x: int, y: int, number: int) -> Iterator[str]:
    symbol, nets, attributes = drawn
    yield f"C {{devices/{symbol}.sym}} {x} {y} 0 0 {{{attributes}}}"
    for k, ((dx, dy), net) in enumerate(zip(PINS[symbol], nets, strict=True)):
        label = f"name=p{number}_{k} sig_type=std_logic lab={net}"
        yield f"C {{devices/lab_pin.sym}} {x + dx} {y + dy} 0 0 {{{label}}}"


def _quoted(text: str) -> str:
    """Write a value with blanks and lines as xschem reads it: in quotes, its own and braces behind slashes."""
    return '"' + text.replace('"', '\\\\"').replace("{", "\\{").replace("}", "\\}") + '"'
