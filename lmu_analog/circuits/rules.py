"""Electrical rule check on the NetworkX graph of a circuit."""

import math
from collections import Counter

import networkx as nx

from lmu_analog.circuits.circuit import (
    GROUND,
    LETTERS,
    Capacitor,
    Circuit,
    Component,
    Inductor,
    OpAmp,
    Resistor,
    Transconductor,
    terminals,
)
from lmu_analog.errors import CircuitError


def graph(circuit: Circuit) -> nx.MultiGraph:
    """Draw the circuit as a graph: nets are nodes, components are edges with ``component`` data.

    A component with three terminals is a node of its own, joined to its nets by edges named ``pin``.
    """
    drawn = nx.MultiGraph()
    drawn.add_nodes_from([GROUND, circuit.source], kind="net")
    for component in circuit.components:
        drawn.add_nodes_from(terminals(component), kind="net")
        match component:
            case Resistor() | Capacitor() | Inductor():
                drawn.add_edge(component.a, component.b, key=component.name, component=component)
            case OpAmp() | Transconductor():
                drawn.add_node(component.name, kind="active", component=component)
                for pin in ("out", "plus", "minus"):
                    drawn.add_edge(component.name, getattr(component, pin), key=pin, pin=pin)
    return drawn


def check(circuit: Circuit) -> Circuit:
    """Return the circuit unchanged if it obeys every electrical rule.

    Raises
    ------
    CircuitError
        At the first broken rule: a duplicate or misnamed component, a value that is not positive and
        finite, a shorted component or output, a net with a single connection, a net without a DC path.
    """
    _check_names(circuit)
    for component in circuit.components:
        _check_value(component)
        _check_shorts(component)
    _check_outputs(circuit)
    _check_connections(circuit)
    _check_probes(circuit)
    return circuit


def _check_names(circuit: Circuit) -> None:
    counts = Counter(c.name.lower() for c in circuit.components)
    for component in circuit.components:
        letter = LETTERS[type(component)]
        if counts[component.name.lower()] > 1:
            raise CircuitError(f"two components are named {component.name!r}; names must be unique")
        if not component.name.startswith(letter) or not component.name.replace("_", "").isalnum():
            raise CircuitError(
                f"component {component.name!r} must be named {letter} followed by letters, digits and _"
            )


def _check_value(component: Component) -> None:
    if not isinstance(component, OpAmp):
        if not (math.isfinite(component.value) and component.value > 0.0):
            raise CircuitError(f"{component.name} = {component.value:g}; it must be positive and finite")
        return
    model = component.model
    for quantity in ("gain", "gbw", "slew", "rail"):
        value = getattr(model, quantity)
        if not value > 0.0:
            raise CircuitError(f"{component.name}: {quantity} = {value:g}; it must be positive")
    if not math.isfinite(model.offset):
        raise CircuitError(f"{component.name}: offset = {model.offset:g}; it must be finite")
    if not model.ideal and math.isinf(model.gbw):
        raise CircuitError(f"{component.name}: a finite gain needs a finite gbw; give both, or neither")


def _check_shorts(component: Component) -> None:
    match component:
        case Resistor() | Capacitor() | Inductor():
            first, second = component.a, component.b
        case OpAmp() | Transconductor():
            first, second = component.plus, component.minus
    if first == second:
        raise CircuitError(f"{component.name} has both ends on net {first!r}")


def _check_outputs(circuit: Circuit) -> None:
    driver = {GROUND: "ground", circuit.source: "the input"}
    for component in circuit.components:
        if not isinstance(component, OpAmp):
            continue
        if component.out in driver:
            raise CircuitError(
                f"the output of {component.name} is shorted to {driver[component.out]} on net {component.out!r}"
            )
        driver[component.out] = component.name


def _check_connections(circuit: Circuit) -> None:
    touched = Counter(net for c in circuit.components for net in terminals(c))
    for net in circuit.nets:
        if touched[net] < 2 and net != circuit.source:
            raise CircuitError(f"net {net!r} has a single connection; connect it or remove the component")
    if touched[circuit.source] < 1:
        raise CircuitError(f"the input net {circuit.source!r} drives nothing")
    conducting = nx.Graph()
    conducting.add_edge(GROUND, circuit.source)
    for component in circuit.components:
        match component:
            case Resistor() | Inductor():
                conducting.add_edge(component.a, component.b)
            case OpAmp():
                conducting.add_edge(component.out, GROUND)
            case Capacitor() | Transconductor():
                pass
    reached = nx.node_connected_component(conducting, GROUND)
    for net in circuit.nets:
        if net not in reached:
            raise CircuitError(f"net {net!r} floats: it has no DC path to ground; add a resistor")


def _check_probes(circuit: Circuit) -> None:
    known = {"v": {GROUND, *circuit.nets}, "i": {c.name for c in circuit.components}}
    for index, probe in enumerate(circuit.probes):
        for term in probe:
            if term.of not in known[term.kind]:
                raise CircuitError(f"probe m{index} reads {term.kind}({term.of}), which the circuit lacks")
