"""From the cards of a deck back to a circuit: what nodal analysis needs, told from the deck alone.

The inverse of ``elements``, for decks of ours and for such that were edited by hand: values may have SPICE's suffixes,
nets any case, and elements may have come or gone. Laws that saturate count with their slope at zero, as in all of
nodal analysis.
"""

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from lmu_analog.circuits.circuit import Circuit, Output, Term
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Bias,
    Capacitor,
    Component,
    DifferentialOpAmp,
    Follower,
    Inductor,
    Mosfet,
    OpAmp,
    Resistor,
    Supply,
    Switch,
    Transconductor,
    terminals,
)
from lmu_analog.circuits.devices.expressions import number as spice_number
from lmu_analog.circuits.devices.models import IDEAL, EkvModel, OpAmpModel, OtaModel
from lmu_analog.errors import CircuitError, shown
from lmu_analog.memory.legendre import check_order, check_theta
from lmu_analog.memory.taps import Tap
from lmu_analog.spice.cards import Card, Deck, Directive, Element, Model, Source, Subcircuit, read_deck
from lmu_analog.spice.elements import IDEAL_GAIN

_MOST_LINES = 200_000
MOST_NETS = 5_000  # of a circuit that nodal analysis takes; those of order 64 have some hundreds
_LARGEST = 1e30  # of a value in a deck, SI unit, and the inverse of the least: products of a few stay floats
# What says nothing of the circuit: analyses, tolerances, what is saved, and where ngspice starts from.
_ASIDE = frozenset(
    ("options", "option", "opt", "tran", "ac", "op", "dc", "save", "print", "plot", "probe", "nodeset", "ic", "width",
     "title", "meas", "measure", "four")
)  # fmt: skip
_FIGURE = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?"
_TERM = re.compile(rf"\s*([-+])?\s*({_FIGURE})\s*\*\s*([vi])\(\s*([^\s(),]+)\s*\)\s*", re.IGNORECASE)
_OUTPUT = re.compile(r"(?:tap|out)\d+")
_SHOWN = re.compile(r"(.*\))\s*,?\s*(\S+)\s+times\s+(.*)", re.IGNORECASE)
_DELAYED = re.compile(rf"\s*u\(\s*t\s*-\s*({_FIGURE})\s*theta\s*\)\s*", re.IGNORECASE)
_WEIGHTED = re.compile(rf"\s*([-+])?\s*({_FIGURE})\s*\*\s*m(\d{{1,3}})\s*", re.IGNORECASE)
_NODESET = re.compile(rf"v\(([^\s()]+)\)\s*=\s*({_FIGURE})", re.IGNORECASE)
_CHANNEL = re.compile(
    rf"i=(?P<size>{_FIGURE})\*\(ln\(1\+exp\(min\(\(v\((?:g,b|b,g)\)-(?P<threshold>{_FIGURE})-(?P<slope>{_FIGURE})"
    rf"\*v\((?:s,b|b,s)\)\)/(?P<unit>{_FIGURE}),{_FIGURE}\)\)\)\*\*2-ln\(.*\)\*\*2\)"
)
_LIMITED = re.compile(rf"i=(?P<current>{_FIGURE})\*tanh\(v\(p,n\)/(?P<limit>{_FIGURE})\)")
_LINEAR = re.compile(rf"i=(?P<slope>{_FIGURE})\*v\(p,n\)")


# Second halves of ideal differential op-amps by name, and voltages of nets that a constant source holds.
_Around = tuple[dict[str, Element], dict[str, float]]


@dataclass(frozen=True)
class Header:
    """What the comment block of a deck says.

    Attributes
    ----------
    said : dict of str to str
        What stands behind ``name =`` in every comment of that form, the first of each name.
    probes : tuple of str
        Expressions of the Legendre states m0, m1, ...
    """

    said: dict[str, str]
    probes: tuple[str, ...]

    def __getitem__(self, name: str) -> str:
        """Look a line of the block up.

        Raises
        ------
        CircuitError
            If it is missing.
        """
        if name not in self.said:
            raise CircuitError(
                f"no line '* {name} = ...' in the comment block; a deck of lmu-analog netlist has it"
            )
        return self.said[name]


def header(deck: Deck) -> Header:
    """Read the comment block of a deck.

    Raises
    ------
    CircuitError
        If states are missing, or there are as many as no memory has.
    """
    said: dict[str, str] = {}
    probes: dict[int, str] = {}
    for comment in deck.comments:
        name, equals, text = (part.strip() for part in comment.partition("="))
        if equals and (found := re.fullmatch(r"probe m(\d{1,3})", name)):
            probes.setdefault(int(found[1]), text)
        elif equals:
            said.setdefault(name, text)
    known = Header(said, tuple(probes[i] for i in sorted(probes)))
    order = known["order"]
    if not order.isdecimal() or len(order) > 3:
        raise CircuitError(f"order = {shown(order)}: a whole number is wanted")
    check_order(int(order))
    if sorted(probes) != list(range(int(order))):
        raise CircuitError(
            f"order = {order}, and {len(probes)} lines '* probe m0 = ...'; one for every state is wanted"
        )
    return known


def read_edited(text: str) -> Deck:
    """Read a deck of ours that may have been edited by hand, or be no deck at all.

    Comments at the end of a line, blocks of ``.control``, indentation and all behind ``.end`` are left out.

    Raises
    ------
    CircuitError
        Which names the line that is none of such a deck.
    """
    raw = text.replace("\r\n", "\n").split("\n")
    if len(raw) > _MOST_LINES or "\0" in text:
        raise CircuitError(f"no deck: it has null characters, or more than {_MOST_LINES} lines")
    kept, within, controls, ended = [raw[0]], "", False, False
    for count, line in enumerate(raw[1:], 2):
        plain = line.strip()
        word = plain.split()[0].lower() if plain else ""
        if word == ".control":
            controls = True
        if not controls and not plain.startswith("*"):
            plain = re.split(r"\s*;|\s+\$(?=\s|$)", plain)[0]
        if controls or not plain:
            controls = controls and word != ".endc"
            continue
        if word == ".end":
            ended = True
            break
        within = _checked_line(plain, within, count)
        kept.append(plain)
    if within or controls or not ended:
        missing = f".ends of {shown(within)}" if within else ".endc" if controls else ".end"
        raise CircuitError(f"the deck has no {missing}: it was cut off, or is none")
    return read_deck("\n".join([*kept, ".end"]))


def _checked_line(line: str, within: str, count: int) -> str:
    """Refuse a line that the reader cannot take apart; give the subcircuit that the next line stands in."""
    words = line.split()
    word, letter = words[0].lower(), line[0].upper()
    least = {"V": 3, "I": 3, "X": 3, "A": 2, "B": 4, "S": 6, "E": 6, "G": 6, "R": 4, "C": 4, "L": 4}
    wrong = ""
    match word:
        case _ if letter in "*+":
            pass
        case ".subckt":
            wrong = "a subcircuit within another" if within else "" if len(words) > 2 else "no name and pins"
            within = words[1] if len(words) > 1 else word
        case ".ends":
            wrong = "" if within else "no .subckt before it"
            within = ""
        case ".model":
            found = re.fullmatch(r"\S+\s+\S+\s+(\w+)\s*\((.*)\)", line)
            wrong = "a model is written NAME KIND(...)" if found is None else ""
            if found and found[1].lower() == "filesource" and "file=" not in found[2]:
                wrong = "no file= in it"
        case _ if letter == ".":
            wrong = "a directive within a subcircuit" if within else ""
        case _ if letter not in least:
            wrong = "no element of our decks"
        case _ if len(words) < least[letter]:
            wrong = "too few words"
        case _:
            pass
    if wrong:
        raise CircuitError(f"line {count}: {shown(line, 60)}: {wrong}")
    return within


def circuit_of(deck: Deck) -> Circuit:
    """Build the circuit that a deck describes, without its input's source and its analysis.

    Parameters
    ----------
    deck : Deck
        From ``read_deck``.

    Returns
    -------
    Circuit
        Its components have the deck's names, op-amps and transistors their own letters; nets are in lower case. No
        part of it deviates. Transistors stand in it as they are, with the operating point of ``.nodeset`` cards.

    Raises
    ------
    CircuitError
        If the comment block is incomplete, or the deck holds what nodal analysis cannot know: an include, a
        parameter, a subcircuit that is none of ours.
    """
    block = header(deck)
    theta = check_theta(_number(block["theta"], "theta"))
    source = input_net(block)
    cards = tuple(_lowered(card) for card in deck.cards)
    clocks = {c.nodes[0]: c for c in cards if isinstance(c, Source) and c.wave == "PULSE"}
    drive = {id(card) for card in driving(cards, source)}
    parts = tuple(_components([card for card in cards if id(card) not in drive], clocks))
    if len({c.name.lower() for c in parts}) < len(parts):
        names = [c.name.lower() for c in parts]
        twice = next(name for k, name in enumerate(names) if name in names[:k])
        raise CircuitError(f"{shown(twice)} stands twice in the deck; give each element its own name")
    nets = {net for c in parts for net in terminals(c)}
    if len(nets) > MOST_NETS:
        raise CircuitError(f"{len(nets)} nets; at most {MOST_NETS} are analysed")
    if source not in nets:
        raise CircuitError(f"no element is connected to the input v({source})")
    probes = tuple(_probe(text, f"probe m{i}", nets, parts) for i, text in enumerate(block.probes))
    shown_at = [(name, text) for name, text in block.said.items() if _OUTPUT.fullmatch(name)]
    taps = tuple(_tap(name, text, nets, parts, order=len(probes)) for name, text in shown_at)
    circuit = Circuit(
        block["family"],
        block["realization"],
        theta,
        parts,
        probes,
        source,
        clock=_clock(clocks, parts),
        taps=taps,
    )
    return replace(circuit, operating_point=tuple(_operating_point(cards, nets)))


def driving(cards: Iterable[Card], net: str) -> list[Source]:
    """Give the voltage sources in series from the input's net to ground: they are no part of the circuit.

    Raises
    ------
    CircuitError
        If there are none, or they end elsewhere.
    """
    above = {lowered_net(c.nodes[0]): c for c in cards if isinstance(c, Source) and c.name[0] in "Vv"}
    found: list[Source] = []
    while net != GROUND:
        if net not in above or len(found) > len(above):
            raise CircuitError(
                f"no voltage source, or a row of them, drives the input from ground to v({net})"
            )
        found.append(above[net])
        net = lowered_net(found[-1].nodes[1])
    return found


def _lowered(card: Card) -> Card:
    """Write nets as ngspice takes them, in lower case, and ground as 0."""
    if isinstance(card, Element | Source):
        return replace(card, nodes=tuple(lowered_net(net) for net in card.nodes))
    return card


def lowered_net(name: str) -> str:
    """Write a net as ngspice takes it: in lower case, and ground as 0."""
    lowered = name.lower()
    return GROUND if lowered in ("gnd", "gnd!") else lowered


def _number(text: str, what: str, *, positive: bool = True) -> float:
    """Read a value as ngspice does."""
    value = spice_number(text)
    if value is None or not abs(value) < _LARGEST or (positive and value < 1.0 / _LARGEST):
        wanted = "a number above zero and within reason" if positive else "a number within reason"
        raise CircuitError(f"{what}: {shown(text)} where {wanted} is wanted")
    return value


def _components(cards: Iterable[Card], clocks: dict[str, Source]) -> Iterator[Component]:
    """Give the components of the cards at the top of a deck."""
    cards = tuple(cards)
    subcircuits = {c.name.lower(): c for c in cards if isinstance(c, Subcircuit)}
    models = {c.name.lower(): c for c in cards if isinstance(c, Model)}
    elements = (c for c in cards if isinstance(c, Element))
    pairs = {c.name[1:-2].lower(): c for c in elements if _is_half(c, "_n", -0.5)}
    sources = (c for c in cards if isinstance(c, Source) and c.name[0] in "Vv" and c.nodes[1] == GROUND)
    held = {c.nodes[0]: spice_number(c.constant) or 0.0 for c in sources if not c.wave}
    for card in cards:
        match card:
            case Directive() if card.word.lower() not in _ASIDE:
                raise CircuitError(
                    f".{shown(card.word, 20)[1:-1]}: a deck is checked alone, element by element; "
                    "write out what this card stands for"
                )
            case Directive() | Model() | Subcircuit():
                pass
            case Source() if card.name[0] in "Vv" and clocks.get(card.nodes[0]) is card:
                pass
            case Source():
                yield _source(card)
            case Element():
                yield from _element(card, subcircuits, models, (pairs, held))


def _is_half(card: Element, ending: str, half: float) -> bool:
    """Tell an ideal differential op-amp's half, which is an E source."""
    return (
        card.name[0] in "Ee"
        and card.name.lower().endswith(ending)
        and spice_number(card.value) == half * IDEAL_GAIN
    )


def _source(card: Source) -> Component:
    name, (a, b) = card.name, card.nodes
    if card.wave:
        raise CircuitError(
            f"{name}: a {card.wave} source that does not drive the input; the memory has one input"
        )
    value = _number(card.constant, name, positive=False)
    if name[0] in "Ii":
        return Bias(name, a, b, value, name)
    return Ammeter(name, a, b, name) if value == 0.0 else Supply(name, a, b, value, name)


def _element(
    card: Element, subcircuits: dict[str, Subcircuit], models: dict[str, Model], around: _Around
) -> Iterator[Component]:
    name, nodes, role = card.name, card.nodes, card.name
    letter = name[0].upper()
    match letter:
        case "R" | "C" | "L":
            kind = {"R": Resistor, "C": Capacitor, "L": Inductor}[letter]
            yield kind(name, nodes[0], nodes[1], _number(card.value, name), role, ())
        case "G":
            yield from _transconductors(name, nodes, _number(card.value, name, positive=False))
        case "E":
            yield from _controlled(card, around)
        case "S":
            yield _switch(card, models)
        case "X":
            subcircuit = subcircuits.get(card.value.lower())
            if subcircuit is None:
                raise CircuitError(f"{name}: no subcircuit {shown(card.value)} in the deck")
            if len(subcircuit.pins) != len(nodes):
                pins = f"{len(subcircuit.pins)} pins of {subcircuit.name}"
                raise CircuitError(f"{name}: {len(nodes)} nets for the {pins}")
            yield from _instance(card, subcircuit)
        case _:
            raise CircuitError(
                f"{name}: nodal analysis knows R, C, L, E, G, S, V, I and the subcircuits of our decks"
            )


def _transconductors(name: str, nodes: tuple[str, ...], value: float) -> Iterator[Transconductor]:
    """Give a current out of the first net and into the second; ground takes part in none."""
    start, end, plus, minus = nodes
    ways = [(end, plus, minus), (start, minus, plus)]
    for k, (out, high, low) in enumerate(way for way in ways if way[0] != GROUND):
        pins = (high, low) if value >= 0.0 else (low, high)
        yield Transconductor(name if k == 0 else f"{name}_back", out, *pins, abs(value), name, ())


def _controlled(card: Element, around: _Around) -> Iterator[Component]:
    """Give an ideal op-amp, single-ended or the first half of a differential one, or else an ideal amplifier."""
    pairs, held = around
    (out, reference, plus, minus), name = card.nodes, card.name
    gain = _number(card.value, name, positive=False)
    stem = name[1:-2].lower()
    if _is_half(card, "_p", 0.5) and stem in pairs and pairs[stem].nodes[1:] == card.nodes[1:]:
        if reference != GROUND and reference not in held:
            raise CircuitError(
                f"{name}: nothing sets the voltage of {shown(reference)}, the mean of its outputs"
            )
        model = replace(IDEAL, middle=held.get(reference, 0.0))
        yield DifferentialOpAmp(f"U{name[1:-2]}", plus, minus, out, pairs[stem].nodes[0], model, name)
    elif pairs.get(stem) is not card:
        if gain == IDEAL_GAIN:
            if reference != GROUND:
                raise CircuitError(
                    f"{name}: an op-amp against ground is wanted, not against {shown(reference)}"
                )
            yield OpAmp(f"U{name[1:]}", plus, minus, out, IDEAL, name)
        else:
            yield Follower(name, out, plus, minus, gain, name, base=reference)


def _switch(card: Element, models: dict[str, Model]) -> Switch:
    a, b, control, below = card.nodes
    phase = {"clk1": 1, "clk2": 2}.get(control)
    model = models.get(card.value.lower())
    if phase is None or below != GROUND or model is None or "ron" not in model.figures:
        raise CircuitError(
            f"{card.name}: a switch that clk1 or clk2 closes, with a model with ron, is wanted"
        )
    return Switch(
        card.name, a, b, 1 if phase == 1 else 2, _number(model.figures["ron"], card.name), card.name
    )


def _instance(card: Element, subcircuit: Subcircuit) -> Iterator[Component]:
    """Give the component that a subcircuit of ours stands for; its pins tell which kind it is."""
    name, nodes, role = f"U{card.name[1:]}", card.nodes, card.name
    inner = {c.name.lower(): c for c in subcircuit.cards if isinstance(c, Element | Source)}
    match tuple(pin.lower() for pin in subcircuit.pins):
        case ("p", "n", "out") if "gout" in inner or _text(inner, "bout").startswith("i="):
            plus, minus, out = nodes
            model, value = _ota(subcircuit, inner)
            yield Transconductor(f"G{card.name[1:]}", out, plus, minus, value, role, (), model)
        case ("p", "n", "out"):
            plus, minus, out = nodes
            model, loads = _opamp(subcircuit, inner, {"out": 1.0})
            yield OpAmp(name, plus, minus, out, model, role, ())
            yield from _loads(card, nodes, loads)
        case ("p", "n", "outp", "outn"):
            plus, minus, outp, outn = nodes
            model, loads = _opamp(subcircuit, inner, {"outp": 0.5, "outn": -0.5})
            yield DifferentialOpAmp(name, plus, minus, outp, outn, model, role, ())
            yield from _loads(card, nodes, loads)
        case ("d", "g", "s", "b"):
            drain, gate, source, bulk = nodes
            transistor, ratio = _transistor(subcircuit, inner)
            yield Mosfet(f"M{card.name[1:]}", drain, gate, source, bulk, ratio, transistor, role, ())
        case _:
            raise _unknown(subcircuit)


def _loads(card: Element, nodes: tuple[str, ...], loads: list[tuple[float, float]]) -> Iterator[Component]:
    """Put what differs between an op-amp's inputs beside it: a current, A, and a capacitance, F, of each to ground."""
    for pin, net, (current, capacitance) in zip("pn", nodes[:2], loads, strict=False):
        if current and net != GROUND:
            yield Bias(f"I{card.name}_{pin}", net, GROUND, current, card.name)
        if capacitance and net != GROUND:
            yield Capacitor(f"C{card.name}_{pin}", net, GROUND, capacitance, card.name, ())


def _unknown(subcircuit: Subcircuit) -> CircuitError:
    return CircuitError(
        f"{subcircuit.name}: no subcircuit of lmu-analog, so that nodal analysis does not know what it does"
    )


def _text(inner: dict[str, Element | Source], name: str) -> str:
    """Give the value of an element of a subcircuit, empty where there is none."""
    card = inner.get(name)
    return card.value if isinstance(card, Element) else ""


def _figure(inner: dict[str, Element | Source], name: str, of: str) -> float | None:
    """Give the number of an element of a subcircuit, or None where there is none."""
    card = inner.get(name)
    if card is None:
        return None
    text = card.value if isinstance(card, Element) else card.constant
    return _number(text, f"{of}.{card.name}", positive=card.name[0] in "RC")


def _opamp(
    subcircuit: Subcircuit, inner: dict[str, Element | Source], outputs: dict[str, float]
) -> tuple[OpAmpModel, list[tuple[float, float]]]:
    """Read the linear figures of an op-amp's subcircuit; with ``outputs``, the gain that each output has.

    Bias current and capacitance of the inputs are given apart where they differ: the model has one of each.
    """
    of = subcircuit.name
    known = {"ibp", "ibn", "cip", "cin", "vos", "bin", "gin", "cpole", "rpole", "bclamp"}
    known |= {f"{letter}{pin}" for letter in ("r", "e", "b", "vm") for pin in outputs}
    pole = _figure(inner, "cpole", of)
    if pole is None or set(inner) - known or ("gin" in inner) == ("bin" in inner):
        raise _unknown(subcircuit)
    plus = "q" if "vos" in inner else "p"
    slope = (
        _figure(inner, "gin", of) if "gin" in inner else _slope(inner["bin"], ("i", f"v({plus},n)", 1.0), of)
    )
    resistances = {_figure(inner, f"r{pin}", of) for pin in outputs}
    gains = {pin: _output_gain(inner, pin, gain, of) for pin, gain in outputs.items()}
    scale = {gains[pin] / gain for pin, gain in outputs.items()}
    loads = [(_figure(inner, f"ib{pin}", of) or 0.0, _figure(inner, f"ci{pin}", of) or 0.0) for pin in "pn"]
    same = loads[0] == loads[1]
    middles = {_figure(inner, f"vm{pin}", of) for pin in outputs}
    if len(resistances) > 1 or len(scale) > 1 or len(middles) > 1:
        raise CircuitError(f"{of}: its outputs differ; nodal analysis takes both alike")
    rate = (slope or 0.0) * scale.pop() / pole
    if rate <= 0.0:
        raise CircuitError(f"{of}: an op-amp of no gain, or a negative one")
    leak = _figure(inner, "rpole", of)
    model = OpAmpModel(
        name=of,
        gain=math.inf if leak is None else rate * pole * leak,
        gbw=rate / (2.0 * math.pi),
        offset=_figure(inner, "vos", of) or 0.0,
        output_resistance=resistances.pop() or 0.0,
        bias=loads[0][0] if same else 0.0,
        input_capacitance=loads[0][1] if same else 0.0,
        middle=middles.pop() or 0.0,
    )
    return model, [] if same else loads


def _output_gain(inner: dict[str, Element | Source], pin: str, gain: float, of: str) -> float:
    """Give the gain from the pole to an output: an E source, or a law that saturates at the rails."""
    if f"e{pin}" in inner:
        return _figure(inner, f"e{pin}", of) or 0.0
    if f"b{pin}" not in inner:
        raise CircuitError(f"{of}: no source at its output {pin}")
    return _slope(inner[f"b{pin}"], ("v", "v(x)" if gain == 1.0 else f"{gain!r}*v(x)", gain), of)


def _slope(card: Element | Source, law: tuple[str, str, float], of: str) -> float:
    """Give the slope at zero of a law that saturates as ``elements`` writes it, its limits either side of zero."""
    kind, signal, slope = law
    word = re.escape(signal)
    found = re.fullmatch(
        rf"{kind}=min\(max\({word},(?P<low>{_FIGURE})\),(?P<high>{_FIGURE})\)\+(?P<width>{_FIGURE})\*"
        rf"tanh\(\({word}-min\(max\({word},(?P=low)\),(?P=high)\)\)/(?P=width)\)",
        card.value.replace(" ", "") if isinstance(card, Element) else "",
    )
    if found is None or not float(found["low"]) < 0.0 < float(found["high"]):
        raise CircuitError(f"{of}.{card.name}: no law of our decks, so that its slope is not known")
    return slope


def _ota(subcircuit: Subcircuit, inner: dict[str, Element | Source]) -> tuple[OtaModel, float]:
    """Read a transconductor's linear figures and its value, S."""
    of = subcircuit.name
    if set(inner) - {"bin", "rpole", "cpole", "gout", "bout", "rout", "cout"}:
        raise _unknown(subcircuit)
    law = _text(inner, "bout" if "bout" in inner else "bin").replace(" ", "")
    if found := _LIMITED.fullmatch(law):
        value = float(found["current"]) / float(found["limit"])
    elif found := _LINEAR.fullmatch(law):
        value = float(found["slope"])
    else:
        raise CircuitError(
            f"{of}: {shown(law)} is no law of our transconductors, so that its slope is not known"
        )
    pole = math.inf
    if "gout" in inner:
        resistance, capacitance = _figure(inner, "rpole", of), _figure(inner, "cpole", of)
        if resistance is None or capacitance is None:
            raise _unknown(subcircuit)
        value *= resistance * (_figure(inner, "gout", of) or 0.0)
        pole = 1.0 / (2.0 * math.pi * resistance * capacitance)
    if not 0.0 < value < math.inf:
        raise CircuitError(f"{of}: a transconductor of no slope, or a negative one")
    load = _figure(inner, "rout", of)
    gain = math.inf if load is None else load * value
    return OtaModel(of, gain=gain, parasitic=_figure(inner, "cout", of) or 0.0, pole=pole), value


def _transistor(subcircuit: Subcircuit, inner: dict[str, Element | Source]) -> tuple[EkvModel, float]:
    """Read the model of a transistor and its W/L off its law."""
    card = inner.get("bd")
    found = _CHANNEL.fullmatch(card.value.replace(" ", "")) if isinstance(card, Element) else None
    if found is None or card is None or len(inner) != 1 or set(card.nodes) != {"d", "s"}:
        raise _unknown(subcircuit)
    size, threshold, slope, unit = (float(found[name]) for name in ("size", "threshold", "slope", "unit"))
    if not (size > 0.0 and slope > 0.0 and unit > 0.0):
        raise _unknown(subcircuit)
    kind = "n" if card.nodes == ("d", "s") else "p"
    model = EkvModel(kind, threshold=threshold, slope=slope, thermal=unit / (2.0 * slope))
    return model, size / (2.0 * slope * model.transconductance * model.thermal**2)


def input_net(block: Header) -> str:
    """Read which net is the input."""
    text = block["input"]
    found = re.fullmatch(r"v\(\s*([^\s(),]+)\s*\)", text.strip(), re.IGNORECASE)
    if found is None:
        raise CircuitError(f"input = {shown(text)}: a net such as v(u) is wanted")
    return lowered_net(found[1])


def _probe(text: str, what: str, nets: set[str], parts: tuple[Component, ...]) -> tuple[Term, ...]:
    """Read the linear expression that gives a state."""
    terms: list[Term] = []
    meters = {c.name.lower(): c.name for c in parts if isinstance(c, Ammeter | Inductor | Supply)}
    at = 0
    while at < len(text):
        found = _TERM.match(text, at)
        if found is None or (terms and found[1] is None):
            raise CircuitError(f"{what} = {shown(text, 60)}: a sum such as 0.5*v(x0) - 2.0*i(vs1) is wanted")
        at, of = found.end(), lowered_net(found[4])
        factor = float(found[2]) * (-1.0 if found[1] == "-" else 1.0)
        if found[3].lower() == "v":
            if of not in nets:
                raise CircuitError(f"{what}: no net {shown(of)} in the deck")
            terms.append(Term("v", of, factor))
        elif of in meters:
            terms.append(Term("i", meters[of], factor))
        else:
            raise CircuitError(f"{what}: no source or inductor {shown(of)} in the deck")
    if not terms:
        raise CircuitError(f"{what}: empty; a sum such as 0.5*v(x0) is wanted")
    return tuple(terms)


def _tap(name: str, text: str, nets: set[str], parts: tuple[Component, ...], *, order: int) -> Output:
    """Read where a tap is found, and what it is to show: ``1.0*v(tap1), 2.0 times u(t - 0.5 theta)``."""
    found = _SHOWN.fullmatch(text)
    gain = None if found is None else spice_number(found[2])
    if found is None or gain is None or not 1.0 / _LARGEST < abs(gain) < _LARGEST:
        raise CircuitError(f"{name} = {shown(text, 60)}: 1.0*v(tap1), 1.0 times u(t - 0.5 theta) is wanted")
    terms = _probe(found[1], name, nets, parts)
    return Output(name, _net_of([term.of for term in terms]), terms, _wanted(name, found[3], order), gain)


def _net_of(read: list[str]) -> str:
    """Name where a tap is found: of a pair its name without p and n, of a net against a reference that net."""
    stem = read[0].removesuffix("p")
    return stem if read[1:] == [f"{stem}n"] else read[0]


def _wanted(name: str, text: str, order: int) -> Tap:
    """Read what a tap is to show: the input delayed, or a sum of states."""
    if (found := _DELAYED.fullmatch(text)) is not None and 0.0 <= float(found[1]) <= 1.0:
        return Tap(float(found[1]))
    weights = [0.0] * order
    at = 0
    while at < len(text):
        part = _WEIGHTED.match(text, at)
        if part is None or (at > 0 and part[1] is None) or int(part[3]) >= order:
            break
        weights[int(part[3])] += float(part[2]) * (-1.0 if part[1] == "-" else 1.0)
        at = part.end()
    if at < len(text) or not any(weights):
        raise CircuitError(
            f"{name}: {shown(text, 60)}: u(t - 0.5 theta), or a sum of states such as 0.5*m0 - 2.0*m1, is wanted"
        )
    return Tap(None, weights=tuple(weights))


def _clock(clocks: dict[str, Source], parts: tuple[Component, ...]) -> float | None:
    """Give the frequency, Hz, of the two-phase clock; None where there is no switch."""
    if not any(isinstance(c, Switch) for c in parts):
        return None
    phases = [clocks.get(net) for net in ("clk1", "clk2")]
    if any(c is None or len(c.numbers) != 7 for c in phases):
        raise CircuitError("switches, and no PULSE sources Vclk1 and Vclk2 at clk1 and clk2")
    delays, periods = ([_number(c.numbers[k], c.name) for c in phases if c is not None] for k in (2, 6))
    later = (delays[1] - delays[0]) / periods[0]
    # The edges are some thousandths of a period; what is a hundredth off is another clock.
    if periods[0] != periods[1] or abs(later - 0.5) > 0.01:
        raise CircuitError("Vclk1 and Vclk2: one period, and half of it between them, is wanted")
    return 1.0 / periods[0]


def _operating_point(cards: Iterable[Card], nets: set[str]) -> Iterator[tuple[str, float]]:
    for card in cards:
        if isinstance(card, Directive) and card.word.lower() == "nodeset":
            for net, volts in _NODESET.findall(card.rest):
                if lowered_net(net) in nets:
                    yield lowered_net(net), float(volts)
