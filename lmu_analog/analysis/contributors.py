"""A design's circuit with one error contributor alone: its active parts are otherwise ideal."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp, Transconductor
from lmu_analog.circuits.devices.models import IDEAL, IDEAL_OTA, OpAmpModel, OtaModel
from lmu_analog.design import Design

Contributor = Literal["values", "gain", "speed"]
_FAST = 1e4  # times the op-amp's own crossover: a finite gain needs a pole, here too fast to matter

_OPAMP: dict[Contributor, Callable[[OpAmpModel], OpAmpModel]] = {
    "values": lambda m: IDEAL,
    "gain": lambda m: OpAmpModel(m.name, gain=m.gain, gbw=_FAST * m.gbw),
    "speed": lambda m: OpAmpModel(
        m.name, gbw=m.gbw, output_resistance=m.output_resistance, input_capacitance=m.input_capacitance
    ),
}
_OTA: dict[Contributor, Callable[[OtaModel], OtaModel]] = {
    "values": lambda m: IDEAL_OTA,
    "gain": lambda m: OtaModel(m.name, gain=m.gain),
    "speed": lambda m: m,
}


def with_contributor(design: Design, contributor: Contributor, circuit: Circuit | None = None) -> Circuit:
    """Build a design with one error contributor in its active parts.

    Parameters
    ----------
    design : Design
    contributor : {"values", "gain", "speed"}
        Nothing but the element values as they are, or finite DC gain, or finite bandwidth (with what input
        capacitance and output resistance do to it). Predistortion belongs to the bandwidth that it makes up
        for: it is there with ``speed`` alone.
    circuit : Circuit, optional
        The design's own, where it has been built already.
    """
    if circuit is None or (contributor != "speed" and design.predistort != "none"):
        circuit = build(design if contributor == "speed" else design.replace(predistort="none"))
    return _replaced(circuit.small_signal or circuit, contributor)


def before_speed(circuit: Circuit) -> Contributor:
    """Give what bandwidth is turned on upon: of transconductors, whose poles need a load, finite gain."""
    finite = (c for c in circuit.only(Transconductor) if math.isfinite(c.model.gain))
    return "gain" if any(finite) else "values"


def _replaced(circuit: Circuit, contributor: Contributor) -> Circuit:
    parts = []
    for c in circuit.components:
        match c:
            case OpAmp() | DifferentialOpAmp() if not c.model.ideal:
                parts.append(replace(c, model=_OPAMP[contributor](c.model)))
            case Transconductor():
                parts.append(replace(c, model=_OTA[contributor](c.model)))
            case _:
                parts.append(c)
    return replace(circuit, components=tuple(parts), small_signal=None)
