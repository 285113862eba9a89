"""A whole memory of differential pairs from an ideal gm-C circuit, and its predistortion.

Widths go with transconductances. What the transistors add (capacitance of gates, output conductance, poles) is taken
from what the whole circuit does: ngspice's response is compared with the ideal one, and all widths and capacitors are
corrected by least squares with the ideal circuit's own sensitivities (Gauss-Newton).
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, Capacitor, Transconductor
from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.bias import Generator, bias
from lmu_analog.silicon.cells import DIGITS, Devices, Sizing, differential_pair, row, tails
from lmu_analog.silicon.devices import Device, Mim, SiliconCircuit, Voltage

# Of the corrections: what only scales a state costs nothing otherwise. Where there are more than two transconductances
# a state, some hardly matter, and would be corrected beyond what can be drawn.
RIDGE, FIRM_RIDGE = 1e-4, 3e-3
LARGEST_STEP = 0.3  # of a logarithm, in one correction
INPUT = ("up", "vcm")  # the input is one-sided: the other gate of its pairs rests
FOOT = 0.1  # V: across triode devices, to begin the operating point from


@dataclass(frozen=True, eq=False)
class Plan:
    """An ideal circuit at the capacitance of a chip, every value a number that may be corrected.

    Attributes
    ----------
    circuit : Circuit
        Transconductors and grounded capacitors.
    nets : tuple of str
        That transconductors drive.
    conductance : (g,) array, S
        Nominal; those of the input so that no net swings more than it.
    capacitance : (c,) array, F
    readout : (d, nets) array
        From net voltages for one volt of input to Legendre states.
    """

    circuit: Circuit
    nets: tuple[str, ...]
    conductance: Float[np.ndarray, " g"]
    capacitance: Float[np.ndarray, " c"]
    readout: Float[np.ndarray, "d n"]

    @property
    def amplifiers(self) -> tuple[Transconductor, ...]:
        """All transconductors, in order."""
        return tuple(self.circuit.only(Transconductor))

    @property
    def capacitors(self) -> tuple[Capacitor, ...]:
        """All capacitors, in order."""
        return tuple(self.circuit.only(Capacitor))


def plan(circuit: Circuit, capacitance: float, frequency: Float[np.ndarray, " f"]) -> Plan:
    """Scale an ideal gm-C circuit to a capacitance, and its input so that it swings as the states do.

    Parameters
    ----------
    circuit : Circuit
    capacitance : float, F
        Of the first capacitor; the others and all transconductances in proportion.
    frequency : (f,) array, Hz
        At which swings are compared.

    Raises
    ------
    CircuitError
        If there is anything but transconductors and capacitors.
    """
    amplifiers, capacitors = circuit.only(Transconductor), circuit.only(Capacitor)
    if len(amplifiers) + len(capacitors) != len(circuit.components) or not capacitors:
        raise CircuitError("transistors take the place of transconductors and capacitors alone")
    nets = tuple(dict.fromkeys(x.out for x in amplifiers))
    level = capacitance / capacitors[0].value
    readout = np.zeros((len(circuit.probes), len(nets)))
    for i, probe in enumerate(circuit.probes):
        for term in probe:
            readout[i, nets.index(term.of)] += term.factor
    values = np.array([x.value for x in amplifiers]) * level
    found = Plan(circuit, nets, values, np.array([x.value for x in capacitors]) * level, readout)
    swing = float(f"{np.abs(response(found, frequency)).max():.{DIGITS}g}")
    shrunk = np.array(
        [
            v / swing if circuit.source in (x.plus, x.minus) else v
            for x, v in zip(amplifiers, values, strict=True)
        ]
    )
    return replace(found, conductance=shrunk, readout=readout * swing)


def response(plan: Plan, frequency: Float[np.ndarray, " f"]) -> Complex[np.ndarray, "f n"]:
    """Give the voltages at all nets for one volt of input."""
    return _solved(plan, frequency)[0]


def sensitivities(plan: Plan, frequency: Float[np.ndarray, " f"]) -> Complex[np.ndarray, "f n p"]:
    """Differentiate ``response`` by the logarithms of all conductances, then of all capacitances."""
    X, inverse = _solved(plan, frequency)
    found = []
    for x, value in zip(plan.amplifiers, plan.conductance, strict=True):
        driven = value * (_signal(plan, X, x.plus) - _signal(plan, X, x.minus))
        found.append(inverse[:, :, plan.nets.index(x.out)] * driven[:, None])
    for x, value in zip(plan.capacitors, plan.capacitance, strict=True):
        k = plan.nets.index(x.a)
        found.append(-inverse[:, :, k] * (2j * np.pi * frequency * value * X[:, k])[:, None])
    return np.stack(found, axis=-1)


def _signal(plan: Plan, X: np.ndarray, net: str) -> np.ndarray:
    if net == GROUND:
        return np.zeros(len(X), complex)
    return np.ones(len(X), complex) if net == plan.circuit.source else X[:, plan.nets.index(net)]


def _solved(plan: Plan, frequency: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Solve the node equations; give the inverse too."""
    n = len(plan.nets)
    A, b = np.zeros((len(frequency), n, n), complex), np.zeros((len(frequency), n), complex)
    for x, value in zip(plan.capacitors, plan.capacitance, strict=True):
        k = plan.nets.index(x.a)
        A[:, k, k] += 2j * np.pi * frequency * value
    for x, value in zip(plan.amplifiers, plan.conductance, strict=True):
        k = plan.nets.index(x.out)
        for net, sign in ((x.plus, 1.0), (x.minus, -1.0)):
            if net == plan.circuit.source:
                b[:, k] += sign * value
            elif net != GROUND:
                A[:, k, plan.nets.index(net)] -= sign * value
    inverse = np.linalg.inv(A)
    return np.einsum("fij,fj->fi", inverse, b), inverse


def transistors(
    plan: Plan,
    sizing: Sizing,
    pdk: Pdk,
    *,
    mim: str = "mim_2p0fF",
    gain: float = 1.0,
    chains: Mapping[str, int] | None = None,
    generator: Generator | None = None,
) -> SiliconCircuit:
    """Draw a memory in a process.

    Parameters
    ----------
    plan : Plan
        Its values are what widths and plates are drawn for.
    sizing : Sizing
    pdk : Pdk
        With ``nmos_3p3`` and ``pmos_3p3``, or the first n and p device that it lists.
    mim : str
        Name of the capacitor.
    gain : float
        Volts on chip for one volt of the input.
    chains : dict, optional
        ``chain_lengths`` of a circuit before corrections: how many devices in series each is to stay.
    generator : Generator, optional
        Of the bias; without, the current is ideal.

    Raises
    ------
    DesignError
        If a device is outside the limits of its model.
    CircuitError
        If a transconductor subtracts two nets.
    """
    devices = Devices(transistor(pdk, "nmos"), transistor(pdk, "pmos"), sizing, chains or {})
    drawn: list[Device] = []
    widths: dict[str, float] = {}
    starts: dict[str, float] = {}
    for x, value in zip(plan.amplifiers, plan.conductance, strict=True):
        if GROUND not in (x.plus, x.minus):
            raise CircuitError(f"{x.name}: a pair takes one signal, not {x.plus} minus {x.minus}")
        width, rises = float(value) * sizing.width_per_siemens, x.minus == GROUND
        signal = x.plus if rises else x.minus
        inputs = INPUT if signal == plan.circuit.source else (f"{signal}p", f"{signal}n")
        outputs = (f"{x.out}p", f"{x.out}n") if rises else (f"{x.out}n", f"{x.out}p")
        drawn += differential_pair(devices, x.name, inputs=inputs, outputs=outputs, width=width)
        widths[x.out] = widths.get(x.out, 0.0) + width
        starts |= {net: sizing.common + sizing.rise for net in tails(sizing, x.name)}
    for net, width in widths.items():
        drawn += row(devices, net, width)
        starts |= {f"{net}p": sizing.common, f"{net}n": sizing.common, f"z_{net}": FOOT}
    for x, value in zip(plan.capacitors, plan.capacitance, strict=True):
        drawn.append(plates(x.name, x.a, pdk.device(mim), capacitance=0.5 * float(value)))
    made = bias(devices, generator=generator, pdk=pdk)
    starts |= {"pb": sizing.tail_line, "vb": sizing.load_line, "z_b": FOOT} | dict(made.starts)
    sources = (
        Voltage("Vdd", "vdd", GROUND, sizing.supply, "supply"),
        Voltage("Vcm", "vcm", GROUND, sizing.common, "common-mode voltage"),
        Voltage("Vu", "up", GROUND, sizing.common, "input"),
        *made.sources,
    )
    probes = tuple(
        tuple(
            Term("v", f"{net}{side}", sign * float(factor))
            for net, factor in zip(plan.nets, weights, strict=True)
            if factor
            for side, sign in (("p", 1.0), ("n", -1.0))
        )
        for weights in plan.readout
    )
    circuit = plan.circuit
    return SiliconCircuit(
        pdk.name,
        circuit.realization,
        circuit.theta,
        (*drawn, *made.devices),
        sources,
        "Vu",
        probes,
        sizing.common,
        (made.trim,),
        tuple(starts.items()),
        "Vdd",
        gain,
    )


def chain_lengths(circuit: SiliconCircuit) -> dict[str, int]:
    """Count the devices in series of every transistor of a circuit, by the name that it was drawn for."""
    return dict(Counter(m.name.rstrip("0123456789") for m in circuit.transistors))


def plates(name: str, net: str, device: PdkDevice, *, capacitance: float) -> Mim:
    """Draw the square plates of a capacitor between a state's two nets, several alike where one would be too large."""

    def side(value: float) -> float:
        edge = 2.0 * device.edge
        return (-edge + math.sqrt(edge**2 + device.density * value)) / device.density

    count = 1
    while side(capacitance / count) > device.width_max:
        count += 1
    drawn = float(f"{side(capacitance / count):.{DIGITS}g}")
    device.check(drawn, drawn)
    return Mim(name, f"{net}p", f"{net}n", device.name, drawn, drawn, "state", count)


def transistor(pdk: Pdk, kind: str) -> PdkDevice:
    """Give the device for 3.3 V of a kind, or the first that a process lists.

    Raises
    ------
    CircuitError
        If it has none.
    """
    usual = f"{kind}_3p3"
    if usual in pdk.devices:
        return pdk.devices[usual]
    found = next((d for d in pdk.devices.values() if d.kind == kind), None)
    if found is None:
        raise CircuitError(f"{pdk.name} has no {kind}")
    return found


def predistorted(
    ideal: Plan,
    respond: Callable[[Plan], Complex[np.ndarray, "f n"]],
    frequency: Float[np.ndarray, " f"],
    *,
    steps: int = 4,
) -> Plan:
    """Correct all values so that the circuit of transistors does what the ideal one does.

    Parameters
    ----------
    ideal : Plan
    respond : callable
        From a plan to the differences of its circuit's nets for one volt of input, as measured.
    frequency : (f,) array, Hz
    steps : int
        Corrections; each takes one measurement.

    Returns
    -------
    Plan
        Of the corrected values, with the ideal one's readout.
    """
    wanted, slopes = response(ideal, frequency), sensitivities(ideal, frequency)
    scale = np.abs(wanted).max(axis=0)
    J = (slopes / scale[:, None]).reshape(-1, slopes.shape[-1])
    A = np.concatenate([J.real, J.imag])
    ridge = RIDGE if len(ideal.conductance) <= 2 * len(ideal.nets) else FIRM_RIDGE
    normal = A.T @ A + ridge**2 * len(A) * np.eye(A.shape[1])
    split, plan = len(ideal.conductance), ideal
    for _ in range(steps):
        missed = ((respond(plan) - wanted) / scale).reshape(-1)
        step = np.linalg.solve(normal, A.T @ np.concatenate([missed.real, missed.imag]))
        factor = np.exp(-np.clip(step, -LARGEST_STEP, LARGEST_STEP))
        plan = replace(
            plan,
            conductance=plan.conductance * factor[:split],
            capacitance=plan.capacitance * factor[split:],
        )
    return plan
