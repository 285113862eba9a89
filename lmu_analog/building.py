"""Build a design: the realization, the settings of its family, and the circuit."""

from dataclasses import replace
from functools import lru_cache, partial
from typing import cast

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, with_twelve_digits, with_values
from lmu_analog.circuits.components import OpAmp
from lmu_analog.circuits.devices.models import CellModel, OtaModel
from lmu_analog.circuits.devices.parts import ota
from lmu_analog.circuits.devices.passives import Kind, Stock
from lmu_analog.circuits.driven import levels_between, with_output_levels
from lmu_analog.circuits.element_values import named_values, with_element_values
from lmu_analog.circuits.families.crossbar import cell_model
from lmu_analog.circuits.families.options import Level, Options, Predistort, Shown
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.impedance import (
    ORIGIN,
    choose_impedances,
    common_capacitance,
    has_free_levels,
    integrating,
)
from lmu_analog.circuits.interface import buffered, loaded, on_reference, without_interface
from lmu_analog.circuits.leakage import leaky
from lmu_analog.circuits.readout import TARGETS, Target, fitted_readout, with_readout
from lmu_analog.circuits.rounding import OutputLevels, ValuesFit, choose_common, paired
from lmu_analog.circuits.scaling import Scaling, state_scale
from lmu_analog.circuits.temperature import at_temperature
from lmu_analog.design import Design
from lmu_analog.design_keys import labelled
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import Realization, realize
from lmu_analog.memory.taps import Tap, Tapped, named, tapped
from lmu_analog.spice.modelcheck import with_measured

KEPT = 8  # realizations that are remembered: a search builds each several times in a row


def realization(design: Design) -> Realization:
    """Give the memory of a design its physical structure."""
    return _realized(
        design.order,
        design.theta,
        design.realization,
        design.tau,
        design.second_tau,
        design.variant,
        design.bandwidth,
    )


@lru_cache(maxsize=KEPT)
def _realized(
    order: int,
    theta: float,
    name: str,
    tau: float | None,
    second_tau: float | None,
    variant: str,
    bandwidth: float | None,
) -> Realization:
    """Realize a memory, once for all circuits of it: nobody writes to the arrays."""
    return realize(
        legendre(order, theta), name, tau=tau, second_tau=second_tau, variant=variant, bandwidth=bandwidth
    )


def build(design: Design) -> Circuit:
    """Build the circuit of a design: states scaled to the rails, values standard if asked, rules checked.

    With leaking capacitors and at the temperature of the design, which the scaling does not know of. Op-amps with a
    SPICE model of the user's have the figures that it shows in ngspice; element values are those of its table, with
    ngspice or without. Before leakage and temperature, which are plain arithmetic, values have 12 significant digits,
    so that LAPACK's last ones, which depend on the processor, do not reach them. A readout is fitted to the circuit
    without both, which are what it meets, not what it is made of.
    """
    circuit, nominal = _built(design)
    matrix = _readout(design, nominal)
    return circuit if matrix is None else with_readout(circuit, matrix)


def with_its_readout(design: Design) -> Design:
    """Give a design the readout that is fitted to its circuit as a matrix, to stay when other things change."""
    if design.readout not in TARGETS:
        return design
    matrix = _readout(design, _built(design)[1])
    return design.replace(readout=np.asarray(matrix).tolist())


def _readout(design: Design, nominal: Circuit) -> Float[np.ndarray, "d d"] | None:
    if design.readout == "ideal":
        return None
    if (target := readout_target(design)) is not None:
        return fitted_readout(nominal, bandwidth=design.bandwidth, target=target)
    return np.array(design.readout)


def readout_target(design: Design) -> Target | None:
    """Give what the readout is fitted to, if it is."""
    return next((target for target in TARGETS if target == design.readout), None)


def without_readout(design: Design) -> Circuit:
    """Build the nominal circuit, as a readout is fitted to it: its own probes, no leakage, no temperature."""
    return _built(design)[1]


def _built(design: Design) -> tuple[Circuit, Circuit]:
    """Build all but the readout; and the same without leakage and temperature."""
    circuit = memory(design)
    if design.input_buffer is not None:
        circuit = buffered(
            circuit,
            design.input_buffer,
            opamp=design.opamp_model,
            series=design.values,
            stock=stock(design, circuit),
        )
        circuit = with_twelve_digits(circuit)
    if design.has_single_supply:
        circuit = on_reference(circuit, design.supply, opamp=design.opamp_model)
    if any(c.model.library is not None for c in circuit.only(OpAmp)):
        measured = [
            replace(c, model=with_measured(c.model)) if isinstance(c, OpAmp) else c
            for c in circuit.components
        ]
        circuit = replace(circuit, components=tuple(measured))
    nominal = circuit
    if design.leakage is not None:
        if circuit.clock is not None:
            raise DesignError(
                f"[circuit] leakage: charges of {design.family} are counted whole; leave it out"
            )
        circuit = leaky(circuit, design.leakage)
    if design.temperature is not None:
        circuit = with_values(circuit, at_temperature(circuit, design.temperature_law, design.temperature))
    if (load := design.output_load) is not None:
        circuit, nominal = loaded(circuit, load), loaded(nominal, load)
    return circuit, nominal


def memory(design: Design) -> Circuit:
    """Build the memory alone: impedances chosen, values as they are given, the others standard if asked."""
    circuit = mapped(design)
    if chooses_level(design):
        if not has_free_levels(circuit):
            circuit = mapped(design, common_capacitance(circuit, ORIGIN, stock(design, circuit)))
        circuit = choose_impedances(circuit, stock(design, circuit))
    given = labelled("[circuit] element_values", named_values, circuit, design.element_values)
    circuit = with_element_values(circuit, given) if given else circuit
    if design.output_levels:
        circuit = with_twelve_digits(
            labelled("[circuit] output_levels", with_output_levels, circuit, design.output_levels)
        )
    return standard(design, circuit, frozenset(given), outputs="held" if design.output_levels else "free")


def output_levels(design: Design) -> dict[str, float]:
    """Say what reading the outputs of a design's memory is divided by, by net, where that is not one."""
    return levels_between(mapped(design), memory(design))


def standard(
    design: Design,
    circuit: Circuit,
    kept: frozenset[str] = frozenset(),
    *,
    outputs: OutputLevels = "free",
) -> Circuit:
    """Give the circuit the standard values that the design asks for, if any; some components keep theirs."""
    if design.values != "exact":
        levels = "within limits" if chooses_level(design) else "any"
        rounded = choose_common(
            circuit,
            bandwidth=design.bandwidth,
            resistors=design.values,
            levels=levels,
            stock=stock(design, circuit),
            fit=cast("ValuesFit", design.values_fit),
            pairs=design.pairs if design.values_fit == "joint" else None,
            kept=kept,
            readout=readout_target(design),
            outputs=outputs,
        )
        bound = design.pairs
        return rounded.circuit if bound is None else paired(rounded, design.values, bound=bound)
    if design.pairs is not None:
        raise DesignError("[circuit] pairs: of which values? give [circuit] values too, for example 'E24'")
    if design.values_fit != "common":
        raise DesignError(
            "[circuit] values_fit: of which values? give [circuit] values too, for example 'E24'"
        )
    return circuit


def mapped(design: Design, capacitance: float | None = None) -> Circuit:
    """Build at one capacitance, F, that of the design or 1 nF unless given: exact values, nothing chosen.

    Raises
    ------
    DesignError
        If the circuit is one of a kit's transistors, which ``silicon`` draws: it has no element values.
    """
    refuse_pdk(design)
    realized = realization(design)
    scale = state_scale(
        realized.structure,
        design.bandwidth,
        amplitude=design.full_scale,
        swing=full_swing(design),
        scaling=cast("Scaling", design.scaling),
    )
    chosen = options(design)
    if wanted := (*design.taps, *design.outputs):
        family = FAMILIES[design.family]
        with_taps = labelled(
            "[circuit] taps", partial(tapped, has_summers=family.has_summers), realized, scale, wanted
        )
        realized, scale = with_taps.realization, with_taps.scale
        chosen = replace(chosen, taps=_shown(with_taps, wanted))
    if capacitance is not None:
        chosen = replace(chosen, capacitance=capacitance)
    return with_twelve_digits(FAMILIES[design.family].build(realized, scale, chosen))


def refuse_pdk(design: Design) -> None:
    """Refuse a design whose circuit is made of a kit's transistors, where one of ideal parts is wanted.

    Raises
    ------
    DesignError
    """
    if design.uses_pdk:
        raise DesignError(
            f"[circuit] level: circuits of transistors of {design.technology} are not for this; netlist, simulate, "
            'corners, montecarlo, noise and export --to xschem take them, and all commands level = "behavioural"'
        )


def _shown(found: Tapped, wanted: tuple[Tap, ...]) -> tuple[Shown, ...]:
    return tuple(
        Shown(name, variable, tap, factor, tap.gain is not None)
        for (name, tap), variable, factor in zip(named(wanted), found.variables, found.factors, strict=True)
    )


def capacitances(design: Design) -> tuple[float, ...]:
    """Give the integrating capacitors, F: the one that is given, for all, or those that are chosen; at least one."""
    chosen = integrating(without_interface(build(design))) if chooses_level(design) else ()
    return chosen or (options(design).capacitance,)


def chooses_level(design: Design) -> bool:
    """Tell whether the impedance level is chosen: parts are on a board, and the design gives no capacitance."""
    return design.capacitance is None and not FAMILIES[design.family].on_chip


def stock(design: Design, circuit: Circuit, kind: Kind = "capacitor") -> Stock:
    """Say what a design asks of its resistors or capacitors: the tolerance, and the voltage between two outputs."""
    wanted = design.tolerances.get(kind)
    tolerance = None if wanted is None or wanted.tolerance == 0.0 else wanted.tolerance
    return Stock(kind, tolerance, volts_across(design, circuit))


def volts_across(design: Design, circuit: Circuit) -> float:
    """Give the voltage that parts between outputs must stand, V."""
    return 2.0 * design.rail if circuit.amplifiers else design.amplitude


def full_swing(design: Design) -> float:
    """Give the amplitude, V, that the worst sine of the band has at outputs: the swing less the headroom."""
    return (1.0 - design.headroom) * min(design.rail, design.opamp_model.swing)


def options(design: Design) -> Options:
    """Give what a family is told beside the realization."""
    return Options(
        capacitance=ORIGIN if design.capacitance is None else design.capacitance,
        opamp=design.opamp_model,
        transconductor=OtaModel() if design.transconductor is None else ota(design.transconductor),
        supply=design.rail,
        amplitude=design.full_scale,
        clock=design.clock,
        level=cast("Level", design.level),
        predistort=cast("Predistort", design.predistort),
        variant=design.variant,
        cells=CellModel() if design.crossbar is None else cell_model(design.crossbar),
    )
