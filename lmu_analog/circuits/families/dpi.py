"""Current-mode differential-pair integrators (DPI) in weak inversion, transistor by transistor.

One filter, after Bartolozzi and Indiveri, Neural Computation 19, 2007 (all currents at the operating point)::

         vdd --+--------+-----------+-- C --+          I_in = I_B flows into in_i; Mtail mirrors it
               |        |           |       |          Mone carries I_in - I_tau, Mtwo carries I_tau
             Mone    I_tau (source) |     (gate) Mout  Mout carries I_in - I_tau, the state
    vthr_i --[gate]     |           |       |          V_thr is such that Mout mirrors Mone
               |       syn_i -------+-------+
               |        |
               |      Mtwo [gate on syn_i]
               +---s_i--+
                   Mtail

With r = I_out/I_tau it obeys (C n U_T/I_tau) (1 + 1/r) I_out' = I_in - I_tau - I_out: linear but for 1/r. At
small signal its gain is one and its time constant C (1/g_one + 1/g_two), in weak inversion
C n U_T/(I_tau (1 - I_tau/I_in)).

Signals are class A: every current is a bias plus signal, positive weights are p-channel copies of Mout,
negative ones n-channel copies behind one more mirror, and constant sources take the biases out again. A tap is such
a sum, of mirrors as wide as its weights, through a resistor to half of the supply.

Measured in ngspice at order 4, 10 pF, 1 ms, at the band where the ideal memory is 1.00 % wrong: window NRMSE
1.02 %, and 0.18 % between the transistors and their small-signal equivalent. That distance goes with ``DEPTH`` and
with the square root of ``INVERSION``; order 12 has 0.36 %. A mirror that deviates by a fraction moves the states
by that fraction of the bias, four times the signal's peak: the price of class A. Devices are as wide as weak
inversion asks for; the model gives them no capacitance.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy

from lmu_analog.circuits.circuit import Circuit, Output, Term, voltage_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Ammeter,
    Bias,
    Capacitor,
    Component,
    Mosfet,
    Resistor,
    Supply,
    Transconductor,
    identifier,
)
from lmu_analog.circuits.devices.ekv import NMOS, PMOS, gate_drive, ratio_for, transconductance
from lmu_analog.circuits.devices.models import EkvModel
from lmu_analog.circuits.families.options import Options, Shown, voltage_taps
from lmu_analog.circuits.rules import check
from lmu_analog.errors import CircuitError
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient

BIAS = 30.0  # I_B over the largest I_tau: 1/r is not linear, but beyond this the inversion matters more
# Coefficient i at I_B: sqrt(i)/2 = 1.6 % off the exponential, corrected at the operating point.
INVERSION = 1e-3
DEPTH = 0.25  # of I_B, for an input at its peak; the sums of a memory reach about 2.5 times that
LOWEST_SUPPLY = 1.5  # V: two gate-source voltages and two saturation voltages of 5 U_T
VDD = "vdd"
MIDDLE = "mid"


@dataclass(frozen=True)
class Filter:
    """One DPI at its operating point.

    Attributes
    ----------
    index : int
        Its nets are ``in_i``, ``s_i`` and ``syn_i``.
    capacitance : float, F
    bias : float, A
        I_in.
    leak : float, A
        I_tau.
    supply : float, V
    inversion : float
        Inversion coefficient of a device that carries the bias.
    """

    index: int
    capacitance: float
    bias: float
    leak: float
    supply: float
    inversion: float = INVERSION

    @property
    def output_bias(self) -> float:
        """I_out without a signal, A."""
        return self.bias - self.leak

    def device(self, name: str, nets: tuple[str, str, str], *, model: EkvModel = NMOS) -> Mosfet:
        """Give a unit transistor (drain, gate, source) that the class ``transconductor`` leaves alone."""
        bulk = VDD if model.kind == "p" else GROUND
        ratio = ratio_for(model, self.bias, inversion=self.inversion)
        return Mosfet(f"M{name}_{self.index}", *nets, bulk, ratio, model, f"dpi {self.index}", ())


def time_constant(capacitance: float, bias: float, leak: float) -> float:
    """C n U_T/(I_tau (1 - I_tau/I_in)), s: at small signal in weak inversion, whatever I_in > I_tau."""
    return capacitance * NMOS.slope * NMOS.thermal / (leak * (1.0 - leak / bias))


def leak_for(tau: float, capacitance: float, *, bias: float, inversion: float = INVERSION) -> float:
    """I_tau, A, that makes the time constant C (1/g_one + 1/g_two) = ``tau``, s, the inversion included."""
    specific = bias / inversion

    def excess(leak: float) -> float:
        slopes = (transconductance(NMOS, part, specific) for part in (bias - leak, leak))
        return capacitance * sum(1.0 / g for g in slopes) - tau

    bracket = (1e-9 * bias, 0.5 * bias)
    return scipy.optimize.root_scalar(excess, bracket=bracket, xtol=1e-15 * bias, rtol=1e-14).root


def integrator(f: Filter) -> tuple[Component, ...]:
    """Draw one filter without its output: input mirror, pair, capacitor, leak and threshold."""
    i, drain, gate = f.index, f"syn_{f.index}", f"thr_{f.index}"
    return (
        f.device("in", (f"in_{i}", f"in_{i}", GROUND)),
        f.device("tail", (f"s_{i}", f"in_{i}", GROUND)),
        f.device("one", (VDD, gate, f"s_{i}")),
        f.device("two", (drain, drain, f"s_{i}")),
        Capacitor(f"Ctau_{i}", VDD, drain, f.capacitance, f"tau[{i}]", ("capacitor", "tau")),
        Bias(f"Itau_{i}", VDD, drain, f.leak, f"leak {i}"),
        Supply(f"Vthr_{i}", gate, GROUND, threshold(f), f"unit gain {i}"),
    )


def threshold(f: Filter) -> float:
    """V_thr, V, at which Mout carries as much as Mone without a signal: once around the loop of gates."""
    return _synapse(f) + _drive(NMOS, f, f.output_bias) - _drive(NMOS, f, f.leak)


def _drive(model: EkvModel, f: Filter, current: float) -> float:
    return gate_drive(model, f.inversion * current / f.bias)


def _synapse(f: Filter) -> float:
    return f.supply - PMOS.threshold - _drive(PMOS, f, f.output_bias)


def operating_point(f: Filter) -> tuple[tuple[str, float], ...]:
    """Voltages of a filter's nets without a signal; the memory can also lock up with all mirrors wide open."""
    source = (_synapse(f) - NMOS.threshold - _drive(NMOS, f, f.leak)) / NMOS.slope
    volts = {
        "in": NMOS.threshold + _drive(NMOS, f, f.bias),
        "neg": NMOS.threshold + _drive(NMOS, f, f.output_bias),
        "s": source,
        "syn": _synapse(f),
    }
    return tuple((f"{net}_{f.index}", value) for net, value in volts.items())


def output(f: Filter) -> tuple[Component, ...]:
    """Draw the state as the current through an ammeter, its bias taken out."""
    i = f.index
    return (
        f.device("out", (f"out_{i}", f"syn_{i}", VDD), model=PMOS),
        Bias(f"Iout_{i}", f"out_{i}", GROUND, f.output_bias, f"bias of state {i}"),
        Ammeter(f"Vout_{i}", f"out_{i}", GROUND, f"state {i}"),
    )


def dpi(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map filters with weights of one onto differential-pair integrators.

    Parameters
    ----------
    realization : Realization
        ``unit-weight``.
    scale : (v,) array
        Without effect on states: all are in the input's unit, so that the mirrors are units too. Gains of taps.
    options : Options
        The capacitor, the supply (of which the positive rail is used) and the input's peak, which is a
        quarter of the bias current.

    Returns
    -------
    Circuit
        Its small-signal equivalent is linear and includes the bias currents: a mirror that deviates
        shifts the states by its share of the bias. Weight mirrors have the class ``transconductor``,
        capacitors ``tau`` besides their own; the other devices are matched.
    """
    if options.supply < LOWEST_SUPPLY:
        raise CircuitError(
            f"dpi: a supply of {options.supply:g} V leaves its transistors no room; "
            f"give {LOWEST_SUPPLY} V or more"
        )
    taus, weights = _sorted(realization)
    bias = BIAS * options.capacitance * NMOS.slope * NMOS.thermal / min(taus)
    leaks = [leak_for(tau, options.capacitance, bias=bias) for tau in taus]
    filters = [Filter(i, options.capacitance, bias, leak, options.supply) for i, leak in enumerate(leaks)]
    unit = DEPTH * filters[0].bias / options.amplitude
    components: list[Component] = [Supply("Vdd", VDD, GROUND, options.supply, "supply")]
    for f in filters:
        components += [*integrator(f), *output(f)]
        if any(c.matrix == "F" and c.column == f.index and c.value < 0.0 for c in weights):
            # A copy of the state in an n-channel diode, whose gate then gives negative weights.
            net = f"neg_{f.index}"
            components.append(f.device("copy", (net, f"syn_{f.index}", VDD), model=PMOS))
            components.append(f.device("neg", (net, net, GROUND)))
    for f in filters:
        components += _inputs(f, filters, weights, unit=unit)
    if options.own_nets:
        components.append(Supply("Vmid", MIDDLE, GROUND, 0.5 * options.supply, "reference of taps"))
    for variable, name in options.own_nets.items():
        row = [c for c in weights if c.row == variable]
        components += _mirrors(row, filters, into=name)
        total = sum(c.value * filters[c.column].output_bias for c in row)
        components.append(_constant(f"I{name}", name, -total, f"bias of {name}"))
        load = float(scale[variable]) / unit
        components.append(Resistor(f"R{name}", name, MIDDLE, load, f"load of {name}"))
    probes = tuple(
        tuple(Term("i", f"Vout_{j}", float(row[j] / unit)) for j in np.flatnonzero(row))
        for row in realization.readout
    )
    linear = small_signal(realization, filters, unit=unit, scale=scale, options=options)
    taps = tuple(_shown(t, scale, unit) for t in options.taps)
    name, theta = realization.name, realization.theta
    drawn = Circuit("dpi", name, theta, tuple(components), probes, small_signal=linear, taps=taps)
    start = [pair for f in filters for pair in operating_point(f) if pair[0] in drawn.nets]
    start += [(net, 0.5 * options.supply) for net in options.own_nets.values()]
    return check(replace(drawn, operating_point=tuple(start)))


def _shown(tap: Shown, scale: np.ndarray, unit: float) -> Output:
    """Say where a tap is read: across its load, or as the current of the state that it is."""
    if not tap.own:
        state = f"Vout_{tap.variable}"
        return Output(tap.name, f"out_{tap.variable}", (Term("i", state, 1.0 / unit),), tap.of, tap.factor)
    across = (Term("v", tap.name, 1.0), Term("v", MIDDLE, -1.0))
    return Output(tap.name, tap.name, across, tap.of, float(tap.factor * scale[tap.variable]))


def _sorted(realization: Realization) -> tuple[list[float], list[Coefficient]]:
    coefficients = realization.structure.coefficients
    taus = {c.row: c.value for c in coefficients if c.matrix == "E"}
    return [taus[i] for i in sorted(taus)], [c for c in coefficients if c.matrix != "E"]


def _inputs(
    f: Filter, filters: list[Filter], weights: list[Coefficient], *, unit: float
) -> tuple[Component, ...]:
    """Draw all currents into a filter: a mirror a weight, the input, and the constant that restores I_B."""
    into, total = f"in_{f.index}", 0.0
    drawn: list[Component] = []
    for c in (c for c in weights if c.row == f.index):
        if c.matrix == "G":
            pins = (INPUT, GROUND) if c.value > 0.0 else (GROUND, INPUT)
            drawn.append(Transconductor(f"G{identifier(c.name)}", into, *pins, abs(c.value) * unit, c.name))
            continue
        drawn += _mirrors([c], filters, into=into)
        total += c.value * filters[c.column].output_bias
    return *drawn, _constant(f"Iin_{f.index}", into, f.bias - total, f"bias {f.index}")


def _mirrors(row: list[Coefficient], filters: list[Filter], *, into: str) -> Iterator[Mosfet]:
    """Draw the copies of states, as wide as their weights, that flow into a net or out of it."""
    for c in row:
        of = filters[c.column]
        model, gate, source = (
            (PMOS, f"syn_{c.column}", VDD) if c.value > 0.0 else (NMOS, f"neg_{c.column}", GROUND)
        )
        ratio = abs(c.value) * ratio_for(model, of.bias, inversion=of.inversion)
        yield Mosfet(f"M{identifier(c.name)}", into, gate, source, source, ratio, model, c.name)


def _constant(name: str, net: str, current: float, role: str) -> Bias:
    """Let a constant current, A, flow into a net, or out of it where negative."""
    return Bias(name, *((VDD, net) if current > 0.0 else (net, GROUND)), abs(current), role)


def small_signal(
    realization: Realization, filters: list[Filter], *, unit: float, scale: np.ndarray, options: Options
) -> Circuit:
    """Draw the small-signal equivalent: RC synapses, 1 V for ``unit`` A of signal; weights see the bias too."""
    taus, weights = _sorted(realization)
    parts: list[Component] = []
    for f, tau in zip(filters, taus, strict=True):
        i, bias = f.index, f.output_bias / unit
        conductance = f.capacitance / tau
        parts.append(
            Capacitor(f"Ctau_{i}", f"x{i}", GROUND, f.capacitance, f"tau[{i}]", ("capacitor", "tau"))
        )
        parts.append(Resistor(f"Rtau_{i}", f"x{i}", GROUND, 1.0 / conductance, f"tau[{i}]", ()))
        if any(c.matrix == "F" and c.column == i for c in weights):
            parts.append(Supply(f"Vrest_{i}", GROUND, f"rest_{i}", bias, f"bias of state {i}"))
        total = 0.0
        for c in (c for c in weights if c.row == i):
            high, low = (INPUT, GROUND) if c.matrix == "G" else (f"x{c.column}", f"rest_{c.column}")
            pins = (high, low) if c.value > 0.0 else (low, high)
            g = abs(c.value) * conductance
            parts.append(Transconductor(f"G{identifier(c.name)}", f"x{i}", *pins, g, c.name))
            total += 0.0 if c.matrix == "G" else c.value * filters[c.column].output_bias / unit
        parts.append(Bias(f"Irest_{i}", f"x{i}", GROUND, total * conductance, f"bias {i}"))
    for variable, name in options.own_nets.items():
        total = 0.0
        for c in (c for c in weights if c.row == variable):
            high, low = f"x{c.column}", f"rest_{c.column}"
            pins = (high, low) if c.value > 0.0 else (low, high)
            parts.append(Transconductor(f"G{identifier(c.name)}", name, *pins, abs(c.value) * unit, c.name))
            total += c.value * filters[c.column].output_bias
        parts.append(Bias(f"Irest_{name}", name, GROUND, total, f"bias of {name}"))
        parts.append(Resistor(f"R{name}", name, GROUND, float(scale[variable]) / unit, f"load of {name}"))
    nets = [options.own_nets.get(k, f"x{k}") for k in range(realization.structure.variables)]
    probes = voltage_probes(realization.readout, nets)
    volts = np.where([k in options.own_nets for k in range(len(nets))], scale, 1.0)
    taps = voltage_taps(options.taps, nets, volts)
    return check(Circuit("dpi", realization.name, realization.theta, tuple(parts), probes, taps=taps))
