"""One detailed cell of every family, with names and values as in the deck."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    Amplifier,
    Capacitor,
    DifferentialOpAmp,
    Mosfet,
    OpAmp,
    Resistor,
    Transconductor,
    kind_of,
    terminals,
)
from lmu_analog.circuits.families.registry import Drawing, drawing_of
from lmu_analog.output.drawings.ladder import ladder
from lmu_analog.output.drawings.nodes import node
from lmu_analog.output.drawings.parts import beside, caption, in_series, short
from lmu_analog.output.drawings.sheet import Item, Label, Sheet, Wire, extent, side_by_side
from lmu_analog.output.drawings.stages import fan, plate, rows, stage
from lmu_analog.output.drawings.transistors import dpi, ota

_MOST_LINES = 12  # of parts that a plain drawing lists


def cell_sheet(circuit: Circuit) -> Sheet:
    """Draw one integrator with all its parts, as the family's row says; of a passive ladder all there is."""
    drawn = in_series(circuit)
    title, draw = _CELLS[drawing_of(circuit)]
    if draw is _nodes and circuit.small_signal is not None:
        title = "One OTA, and how they are joined"
    about = (
        f"Schematic of a cell of the {circuit.family} circuit, {circuit.realization}, order {circuit.order}."
    )
    return Sheet(title, about, tuple(side_by_side(draw(drawn))))


def _titled(title: str, items: list[Item]) -> list[Item]:
    left, _, _, top = extent(items)
    return [*items, Label((left, top + 0.9), title, size=8.5)]


def _stages(circuit: Circuit) -> list[list[Item]]:
    """Draw an integrator with as many kinds of inputs as there are, then a summer and an inverter where used."""
    groups: list[list[Item]] = []
    for kind in ("integrator", "summer", "inverter"):
        if ours := [c for c in circuit.amplifiers if c.role.startswith(kind)]:
            shown = _most_varied(circuit, ours)
            count = f"{len(ours)} {kind}" if len(ours) == 1 else f"{len(ours)} {kind}s"
            groups.append(_titled(f"{shown.role} ({count} in all)", stage(circuit, shown)))
    return groups


def _most_varied(circuit: Circuit, amplifiers: Sequence[Amplifier]) -> Amplifier:
    """Choose the amplifier with most kinds of inputs, its own capacitor left out."""

    def kinds(amplifier: Amplifier) -> int:
        parts = beside(circuit, amplifier.minus)
        return len({type(p) for p in parts if not p.name.startswith("Cint")})

    return max(amplifiers, key=kinds)


def _ladder(circuit: Circuit) -> list[list[Item]]:
    """Draw the ladder, and of the amplifiers that taps need one of every kind, the last."""
    groups = [ladder(circuit)]
    nodes = {c.plus for c in circuit.only(OpAmp) if c.role.startswith("voltage")}
    for kind in ("current", "voltage", "summer"):
        if ours := [c for c in circuit.amplifiers if c.role.startswith(kind)]:
            drawn = stage(circuit, ours[-1], drawn=nodes)
            groups.append(_titled(f"{ours[-1].role} ({len(ours)} in all)", drawn))
    nets = [tap.net for tap in circuit.taps]
    if sums := [net for net in dict.fromkeys(c.out for c in circuit.only(Transconductor)) if net in nets]:
        groups.append(_titled(f"sum {sums[-1]} ({len(sums)} in all)", node(circuit, sums[-1])))
    return groups


def _switched(circuit: Circuit) -> list[list[Item]]:
    """Draw an integrator and, where there are taps, one of those, each with its plates and those at its sources."""
    groups: list[list[Item]] = []
    shown_plates: list[str] = []
    for kind, many in (("integrator", "integrators"), ("summer", "taps")):
        ours = [c for c in circuit.only(DifferentialOpAmp) if c.role.startswith(kind)]
        if not ours:
            continue
        shown = _most_varied(circuit, ours)
        name = shown.role.split()[1]
        count = f"{len(ours)} {many if len(ours) > 1 else many[:-1]} in all"
        groups.append(
            _titled(f"{shown.role if kind == 'integrator' else name} ({count})", stage(circuit, shown))
        )
        right = f"r{name}p"
        groups.append(_titled(f"its plate {right}", fan(circuit, right)))
        sources = [p.a if p.b == right else p.b for p in beside(circuit, right) if isinstance(p, Capacitor)]
        plates = [net for net in dict.fromkeys(sources) if net not in shown_plates]
        chosen = plates[:4] if f"l{name}n" not in plates[4:] else [*plates[:3], f"l{name}n"]
        shown_plates += chosen
        more = f", of {len(plates)}" if len(plates) > 4 else ""
        drawn = [plate(circuit, net) for net in chosen]
        groups.append(_titled(f"plates at the sources{more}", side_by_side(drawn, gap=1.2)))
    return groups


def _columns(circuit: Circuit) -> list[list[Item]]:
    """Draw the three op-amps behind the bit lines of state 0, and the two of a tap."""
    named = {c.name: c for c in circuit.only(OpAmp)}
    titles = {"Uneg_0": "bit line n: negative weights", "Udif_0": "bit line p", "Uint_0": "filter"}
    for net in [tap.net for tap in circuit.taps if f"Uneg_{tap.net}" in named][:1]:
        titles |= {f"Uneg_{net}": f"{net}, bit line n: positive weights", f"Udif_{net}": f"{net}, bit line p"}
    groups = [_titled(title, stage(circuit, named[name])) for name, title in titles.items()]
    wires = [c for c in circuit.only(Resistor) if c.name.startswith("Rbit_0")]
    for wire in wires:
        cells = [p for p in beside(circuit, wire.a) if p.name.startswith("Rcell")]
        drawn, end = rows(cells, wire.a, up=True)
        drawn.append(Label((0.3, end), wire.a, bold=True))
        groups.append(_titled(f"its cells, behind {wire.name}", drawn))
    return groups


def _plain(circuit: Circuit) -> list[list[Item]]:
    """Draw the net of a state with the parts that hang on it, and list what else is joined to it."""
    probed = [term.of for probe in circuit.probes for term in probe if term.kind == "v"]
    net = probed[-1] if probed else circuit.source
    two_ended = beside(circuit, net)
    drawn, _ = rows(two_ended, net, up=True) if two_ended else ([], 0.0)
    others = [c for c in circuit.components if net in terminals(c) and c not in two_ended]
    lines = [
        f"{caption(c).strip()}  ({kind_of(c).name}: {', '.join(dict.fromkeys(terminals(c)))})" for c in others
    ]
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"⋮  {len(lines) - _MOST_LINES} more"]
    notes: list[Item] = [Label((0.6, -0.9 * (k + 1)), line, size=7.5) for k, line in enumerate(lines)]
    rail: list[Item] = [Wire(((0.0, 0.0), (0.6, 0.0))), Label((0.8, 0.0), net, bold=True)]
    return [_titled(f"net {net}, and what is joined to it", [*drawn, *rail, *notes])]


def _nodes(circuit: Circuit) -> list[list[Item]]:
    """Draw a state's net, an algebraic net if there is one, and an OTA if they are transistors."""
    plain = circuit.small_signal or circuit
    stores = {c.a for c in plain.only(Capacitor)}
    driven = [c.out for c in plain.only(Transconductor)]
    states = [net for net in dict.fromkeys(driven) if net in stores]
    sums = [net for net in dict.fromkeys(driven) if net not in stores]
    groups = [_titled(f"state {states[-1]} ({len(states)} in all)", node(plain, states[-1]))]
    if sums:
        groups.append(_titled(f"sum {sums[0]} ({len(sums)} in all)", node(plain, sums[0])))
    if circuit.small_signal is not None:
        out = states[-1]
        tail = next(c.name for c in circuit.only(Mosfet) if c.drain == out)[:-2]
        count = len(plain.only(Transconductor))
        groups.insert(0, _titled(f"OTA {tail}, one of {count}", ota(circuit, tail)))
    return groups


def _filter(circuit: Circuit) -> list[list[Item]]:
    mirrors = [c for c in circuit.only(Mosfet) if c.name.startswith("Mw_0_")]
    supply = next(c for c in circuit.components if c.name == "Vdd")
    signs = {"n": "−", "p": "+"}
    listed = [f"{m.name}: {signs[m.model.kind]} state {m.name.split('_')[2]}" for m in mirrors]
    volts = short(getattr(supply, "value", 0.0), "V")
    lines = [f"vdd = {volts}; currents into in_0: u through Gb_0, bias Iin_0, mirrors"]
    lines += [",  ".join(listed[k : k + 6]) for k in range(0, len(listed), 6)]
    loads = {c.name: c for c in circuit.only(Resistor)}
    for net in [tap.net for tap in circuit.taps if f"R{tap.net}" in loads][:1]:
        copies = [c for c in circuit.only(Mosfet) if c.drain == net]
        told = [
            f"{c.name}: {signs[c.model.kind]} state {c.name.split('_')[1]}, W/L {c.value:.3g}" for c in copies
        ]
        load = loads[f"R{net}"]
        lines.append(f"currents into {net} ({caption(load)} to {load.b}): bias I{net}, mirrors")
        lines += [";  ".join(told[k : k + 4]) for k in range(0, len(told), 4)]
    notes: list[Item] = [Label((0.0, -0.9 * k), line, size=7.5) for k, line in enumerate(lines)]
    return [_titled("filter 0", dpi(circuit, 0)), notes]


# How the circuits of a family's row are drawn: title, and what is drawn side by side.
_CELLS: dict[Drawing, tuple[str, Callable[[Circuit], list[list[Item]]]]] = {
    "ladder": ("The ladder", _ladder),
    "dpi": ("One differential-pair integrator", _filter),
    "switched": ("One integrator (phases φ1, φ2)", _switched),
    "crossbar": ("One state of the crossbar", _columns),
    "nodes": ("One integrator", _nodes),
    "synapses": ("One synapse", _nodes),
    "stages": ("One integrator", _stages),
    "plain": ("One state", _plain),
}
