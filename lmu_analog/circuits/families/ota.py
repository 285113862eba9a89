"""Transconductors as transistors: five-transistor OTAs in weak inversion, after the EKV model.

                 vdd --+-----------+--
                      Md --gates-- Mm         differential pair Mp, Mn; mirror Md, Mm; tail
                       +-----------|--gates   I_out = I_tail tanh(v/(2 n U_T))
                       |           +--> out
        plus --[gate] Mp           Mn [gate]-- minus
                       +--+--------+
                        tail [gate on the common bias net]
                 vss -----+--

g = I_tail/(2 n U_T) holds deep in weak inversion; the tail is set for the exact slope at the inversion used.
"""

from dataclasses import replace

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import (
    GROUND,
    Bias,
    Component,
    Follower,
    Mosfet,
    Supply,
    Transconductor,
)
from lmu_analog.circuits.devices.ekv import NMOS, PMOS, ratio_for, transconductance
from lmu_analog.circuits.devices.models import IDEAL_OTA, EkvModel
from lmu_analog.circuits.families.options import Options
from lmu_analog.circuits.rules import check
from lmu_analog.errors import CircuitError

LIMIT = 2.0 * NMOS.slope * NMOS.thermal  # V: input range of a pair in weak inversion
# Of a pair's devices at the operating point: sqrt(i)/2 = 1.6 % off the exponential, corrected there.
INVERSION = 1e-3
SWING = 0.1  # of the input range, where the behavioural circuit would reach its rails: tanh is 0.3 % off
LOWEST_SUPPLY = 1.0  # V: on either side; a gate-source voltage and two saturation voltages
VDD, VSS, GATE, SMALL = "vdd", "vss", "bias", "u_small"


def transistor_level(circuit: Circuit, options: Options) -> Circuit:
    """Replace every transconductor by an OTA of transistors; a small-signal input takes the place of u.

    Parameters
    ----------
    circuit : Circuit
        Of transconductors and linear parts.
    options : Options
        The supply, V, on both sides of ground.

    Returns
    -------
    Circuit
        An ideal attenuator brings all nets from the rails into the pairs' input range, and the probes undo
        it. The small-signal equivalent is ``circuit`` with ideal transconductors, each of which follows its OTA's tail.
        Transistors have no output conductance and no capacitance, so neither has the OTA.

    Raises
    ------
    CircuitError
        If the supply is below 1 V.
    """
    if options.supply < LOWEST_SUPPLY:
        raise CircuitError(
            f"{circuit.family}: +-{options.supply:g} V leave the OTA's transistors no room; "
            f"give {LOWEST_SUPPLY:g} V or more"
        )
    attenuation = SWING * LIMIT / max(options.supply, options.amplitude)
    kept = [c for c in circuit.components if not isinstance(c, Transconductor)]
    amplifiers = circuit.only(Transconductor)
    largest = max(tail_current(c.value) for c in amplifiers)
    parts: list[Component] = [
        *rails(options.supply, largest),
        Follower("Esmall", SMALL, circuit.source, GROUND, attenuation, "attenuator"),
        *kept,
    ]
    for c in amplifiers:
        plus, minus = (SMALL if net == circuit.source else net for net in (c.plus, c.minus))
        parts += ota(replace(c, plus=plus, minus=minus))
    probes = tuple(tuple(Term(t.kind, t.of, t.factor / attenuation) for t in p) for p in circuit.probes)
    ideal = [replace(c, model=IDEAL_OTA) if isinstance(c, Transconductor) else c for c in circuit.components]
    linear = replace(circuit, components=tuple(ideal))
    return check(replace(circuit, components=tuple(parts), probes=probes, small_signal=linear))


def tail_current(g: float) -> float:
    """I_tail, A, of a pair with the transconductance ``g``, S: 2 n U_T g, and the inversion's correction."""
    slope_per_ampere = transconductance(NMOS, 1.0, 1.0 / INVERSION)
    return 2.0 * g / slope_per_ampere


def rails(supply: float, reference: float) -> tuple[Component, ...]:
    """Draw +-``supply``, V, and the net on which the tails' gates hang, set by ``reference``, A."""
    return (
        Supply("Vdd", VDD, GROUND, supply, "supply"),
        Supply("Vss", GROUND, VSS, supply, "supply"),
        Bias("Iref", VDD, GATE, reference, "reference"),
        Mosfet("Mref", GATE, GATE, VSS, VSS, _ratio(NMOS, reference), NMOS, "reference", ()),
    )


def ota(c: Transconductor) -> tuple[Mosfet, ...]:
    """Draw one OTA between the nets of a transconductor; its tail has that one's classes.

    The tail is ``M`` and the rest of the transconductor's name, so that a mismatch draw of its W/L moves
    I_tail and with it g.
    """
    tail, name = tail_current(c.value), c.name[1:]
    common, mirrored = f"t_{name}", f"d_{name}"

    def half(suffix: str, nets: tuple[str, str, str], model: EkvModel) -> Mosfet:
        bulk = VSS if model.kind == "n" else VDD
        return Mosfet(f"M{name}_{suffix}", *nets, bulk, _ratio(model, 0.5 * tail), model, c.role, ())

    return (
        Mosfet(f"M{name}", common, GATE, VSS, VSS, _ratio(NMOS, tail), NMOS, c.role, c.classes),
        half("p", (mirrored, c.plus, common), NMOS),
        half("n", (c.out, c.minus, common), NMOS),
        half("d", (mirrored, mirrored, VDD), PMOS),
        half("m", (c.out, mirrored, VDD), PMOS),
    )


def _ratio(model: EkvModel, current: float) -> float:
    return ratio_for(model, current, inversion=INVERSION)
