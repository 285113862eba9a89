"""Electrical rule check of a circuit."""

import math
from collections import Counter
from collections.abc import Callable

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Amplifier,
    Component,
    Transconductor,
    across,
    kind_of,
    outputs,
    terminals,
)
from lmu_analog.circuits.connected import connected
from lmu_analog.errors import CircuitError

_OF_MODELS: tuple[tuple[tuple[str, ...], Callable[[float], bool], str], ...] = (
    (("gain", "gbw", "slew", "rail", "output_current"), lambda x: x > 0.0, "positive"),
    (("offset", "bias"), math.isfinite, "finite"),
    (("output_resistance", "input_capacitance"), lambda x: 0.0 <= x < math.inf, "finite and not negative"),
)


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
        letter = kind_of(component).letter
        if counts[component.name.lower()] > 1:
            raise CircuitError(f"two components are named {component.name!r}; names must be unique")
        if not component.name.startswith(letter) or not component.name.replace("_", "").isalnum():
            raise CircuitError(
                f"component {component.name!r} must be named {letter} followed by letters, digits and _"
            )


def _check_value(component: Component) -> None:
    if isinstance(component, Amplifier):
        _check_model(component)
    known = kind_of(component)
    if not known.value:
        return
    value: float = getattr(component, known.value)
    if not (math.isfinite(value) and (known.signed or value > 0.0)):
        named = component.name if known.value == "value" else f"{component.name}: {known.value}"
        wanted = "finite" if known.signed else "positive and finite"
        raise CircuitError(f"{named} = {value:g}; it must be {wanted}")


def _check_model(component: Amplifier) -> None:
    model, name = component.model, component.name
    for quantities, obeys, wanted in _OF_MODELS:
        for quantity in quantities:
            if not obeys(value := getattr(model, quantity)):
                raise CircuitError(f"{name}: {quantity} = {value:g}; it must be {wanted}")
    if not model.floor < 0.0:
        raise CircuitError(f"{name}: lowest = {model.floor:g}; it must be negative")
    if not model.common_mode[0] < model.common_mode[1]:
        low, high = model.common_mode
        raise CircuitError(f"{name}: common_mode = ({low:g}, {high:g}); the first must be below the second")
    if model.ideal and (model.output_resistance or model.bias or model.input_capacitance):
        raise CircuitError(
            f"{name}: an ideal op-amp has no bias, input capacitance or output resistance; give gain and gbw"
        )
    if not model.ideal and math.isinf(model.gbw):
        raise CircuitError(f"{name}: a finite gain needs a finite gbw; give both, or neither")


def _check_shorts(component: Component) -> None:
    first, second = across(component)
    if first == second:
        raise CircuitError(f"{component.name} has both ends on net {first!r}")


def _check_outputs(circuit: Circuit) -> None:
    driver = {GROUND: "ground", circuit.source: "the input"}
    for component in circuit.components:
        for net in outputs(component):
            if net in driver:
                raise CircuitError(
                    f"the output of {component.name} is shorted to {driver[net]} on net {net!r}"
                )
            driver[net] = component.name


def _check_connections(circuit: Circuit) -> None:
    touched = Counter(net for c in circuit.components for net in terminals(c))
    for net in circuit.nets:
        if touched[net] < 2 and net != circuit.source:
            raise CircuitError(f"net {net!r} has a single connection; connect it or remove the component")
    if touched[circuit.source] < 1:
        raise CircuitError(f"the input net {circuit.source!r} drives nothing")
    reached = connected([GROUND], _conducting(circuit))[0]
    for net in circuit.nets:
        if net not in reached:
            raise CircuitError(f"net {net!r} floats: it has no DC path to ground; add a resistor")


def _conducting(circuit: Circuit) -> list[tuple[str, str]]:
    """Join the nets between which a direct current can flow."""
    joined = [(GROUND, circuit.source)]
    # A transconductor's current finds its level where another one senses the net, as in a gyrator.
    active = circuit.only(Transconductor)
    sensed = {net for c in active for net in (c.plus, c.minus)}
    joined.extend((c.out, GROUND) for c in active if c.out in sensed)
    for component in circuit.components:
        if kind_of(component).conducts:
            joined.append(across(component))
        joined.extend((net, GROUND) for net in outputs(component))
    return joined


def _check_probes(circuit: Circuit) -> None:
    known = {"v": {GROUND, *circuit.nets}, "i": {c.name for c in circuit.components}}
    probes = {f"probe m{index}": probe for index, probe in enumerate(circuit.probes)}
    for name, terms in (probes | {tap.name: tap.terms for tap in circuit.taps}).items():
        for term in terms:
            if term.of not in known[term.kind]:
                raise CircuitError(f"{name} reads {term.kind}({term.of}), which the circuit lacks")
