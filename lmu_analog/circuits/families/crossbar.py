"""Unit weights as pairs of cells in a crossbar that are either on or off.

Word lines carry u and the states; every state has a bit line p for its positive and n for its negative
weights, held at ground by the op-amps at their ends:

    n --+--Rf--+            p --+----Rf----+
        +-op---+-- v1 --Rf------+----op----+-- v2 --R_i--+--(R_i | C)--+-- x_i, to its word line
                                                         +-----op------+

v1 = -Rf I_n, v2 = Rf (I_n - I_p), and the last stage is the filter tau_i = R_i C, which inverts. An off cell
conducts too: its pair's currents differ by G = 1/on - 1/off, so Rf = 1/G makes every weight exactly +-1.

A tap is one more pair of bit lines with the first two op-amps, and its negative weights on p, so that v2 is the sum
as it is. Its largest weight is a cell that is on; others are cells between on and off, of 1/off + |w| G. The oldest and
the newest end of the window, whose weights are +-1, need on and off alone.
"""

from collections import defaultdict

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, voltage_probes
from lmu_analog.circuits.components import GROUND, INPUT, Capacitor, Classes, Component, OpAmp, Resistor
from lmu_analog.circuits.devices.models import CellModel
from lmu_analog.circuits.families.options import Options, voltage_taps
from lmu_analog.circuits.rules import check
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import matrices
from lmu_analog.units import fraction, parse

BOLTZMANN = 1.380649e-23  # J/K, exact in the SI
CELL: Classes = ("resistor", "transconductor")
RANGES = {"on": (1.0, 1e12), "ratio": (1.01, 1e9), "wire": (0.0, 1e6)}  # Ohm, 1, Ohm


def crossbar(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map unit weights onto 2 d (d+1) cells, and 3 d op-amps; a tap onto 2 (d+1) cells and two.

    Parameters
    ----------
    realization : Realization
        ``unit-weight``.
    scale : (v,) array
        Without effect on states: cells of one size give every one the scale of u, a volt for a volt. Gains of taps.
    options : Options
        ``cells``; ``capacitance`` of the filters; ``opamp``; ``taps``.

    Returns
    -------
    Circuit
        Cells have the class ``transconductor`` besides ``resistor``: their programming error, apart from
        the other resistors. Wires are lumped into one resistor at the driven end of a word line, or at the
        amplifier's end of a bit line (see ``lumped_wire``).
    """
    order, model = len(realization.readout), options.cells
    E, F, G = (matrix[:order] for matrix in matrices(realization.structure))
    weights = np.hstack([F[:, :order] + np.eye(order), G])  # the leak of the filters is no weight
    parts: list[Component] = []
    for i in range(order):
        for j in range(order + 1):
            line = _driver(j, order)
            role = f"b[{i}]" if line == INPUT else f"w[{i},{j}]"
            parts += _pair(f"{i}", j, float(np.rint(weights[i, j])), line=line, role=role, model=model)
        parts += _state(i, float(E[i, i]), options)
    for variable, name in options.own_nets.items():
        row: defaultdict[int, float] = defaultdict(float)
        row |= {c.column: c.value for c in realization.structure.coefficients if c.row == variable}
        largest = max(map(abs, row.values()))
        for j in range(order + 1):
            of = {"line": _driver(j, order), "role": f"{name}[{j}]"}
            parts += _pair(name, j, -row[j] / largest, **of, model=model)
        parts += _difference(
            name, name, options, gain=float(scale[variable]) * largest, role=f"summer {name}"
        )
    labels = (*map(str, range(order)), *options.own_nets.values())
    if model.wire:
        parts += _wires(order, labels, model.wire)
    nets = [options.own_nets.get(j, f"x{j}") for j in range(realization.structure.variables)]
    volts = np.where([j < order for j in range(len(nets))], 1.0, scale)
    probes, taps = voltage_probes(np.eye(order), nets), voltage_taps(options.taps, nets, volts)
    name, theta = realization.name, realization.theta
    return check(Circuit("crossbar", name, theta, tuple(parts), probes, taps=taps))


def _driver(j: int, order: int) -> str:
    return INPUT if j == order else f"x{j}"


def _pair(label: str, j: int, weight: float, *, line: str, role: str, model: CellModel) -> list[Component]:
    """Give the cells from a word line to the bit lines of a row; without wire, to the amplifiers' nets.

    A weight of +-1 is a cell that is on, and smaller ones are between on and off.
    """
    word, end = (f"w{line}", "") if model.wire else (line, "e")
    cells: list[Component] = []
    for bit, part in (("p", max(weight, 0.0)), ("n", max(-weight, 0.0))):
        value = {0.0: model.off, 1.0: model.on}.get(part)
        if value is None:
            value = 1.0 / (1.0 / model.off + part * (1.0 / model.on - 1.0 / model.off))
        cells.append(Resistor(f"Rcell_{label}_{j}_{bit}", word, f"{bit}{label}{end}", value, role, CELL))
    return cells


def _difference(label: str, out: str, options: Options, *, gain: float, role: str) -> list[Component]:
    """Take the difference of a row's currents, that of bit line n less that of p."""
    feedback = 1.0 / (1.0 / options.cells.on - 1.0 / options.cells.off)
    return [
        OpAmp(f"Uneg_{label}", GROUND, f"n{label}e", f"v{label}", options.opamp, role),
        Resistor(f"Rneg_{label}", f"n{label}e", f"v{label}", feedback, role),
        Resistor(f"Rsub_{label}", f"v{label}", f"p{label}e", feedback, role),
        OpAmp(f"Udif_{label}", GROUND, f"p{label}e", out, options.opamp, role),
        Resistor(f"Rdif_{label}", f"p{label}e", out, gain * feedback, role),
    ]


def _state(i: int, tau: float, options: Options) -> list[Component]:
    """Take the difference of the bit lines' currents and filter it."""
    leak, filtered = tau / options.capacitance, f"filter {i}"
    return [
        *_difference(f"{i}", f"d{i}", options, gain=1.0, role=f"difference {i}"),
        Resistor(f"Rin_{i}", f"d{i}", f"g{i}", leak, filtered),
        OpAmp(f"Uint_{i}", GROUND, f"g{i}", f"x{i}", options.opamp, filtered),
        Resistor(f"Rtau_{i}", f"g{i}", f"x{i}", leak, filtered),
        Capacitor(f"Ctau_{i}", f"g{i}", f"x{i}", options.capacitance, f"tau[{i}]", ("capacitor", "tau")),
    ]


def _wires(order: int, labels: tuple[str, ...], segment: float) -> list[Component]:
    word, bit = lumped_wire(segment, 2 * len(labels)), lumped_wire(segment, order + 1)
    words = [
        Resistor(f"Rword_{line}", line, f"w{line}", word, f"word line {line}")
        for line in (_driver(j, order) for j in range(order + 1))
    ]
    bits = [
        Resistor(f"Rbit_{i}_{b}", f"{b}{i}", f"{b}{i}e", bit, f"bit line {b} {i}")
        for i in labels
        for b in "pn"
    ]
    return [*words, *bits]


def lumped_wire(segment: float, cells: int) -> float:
    """One resistor, Ohm, for a line of n cells with a segment's resistance before each of them.

    Cells that draw equal currents see r n (n+1)(2n+1)/6 times one of them, on average, which a resistor
    r (n+1)(2n+1)/(6n), about n r/3, makes of their sum (derived here).
    """
    return segment * (cells + 1) * (2 * cells + 1) / (6.0 * cells)


def read_noise(circuit: Circuit, *, temperature: float = 300.0) -> Float[np.ndarray, " d"]:
    """Thermal noise of reading, as if it came with u: for every state one-sided density, V^2/Hz, (d,).

    4 k T (sum of the conductances on both bit lines)/G^2; noise of the op-amps and of their resistors, and
    the flicker of real cells, are not in it.
    """
    resistors = circuit.only(Resistor)
    total = np.zeros(circuit.order)
    for cell in resistors:
        if cell.name.startswith("Rcell") and (row := cell.name.split("_")[1]).isdecimal():
            total[int(row)] += 1.0 / cell.value
    feedback = np.array([part.value for part in resistors if part.name.startswith("Rdif")])[: circuit.order]
    return 4.0 * BOLTZMANN * temperature * total * feedback**2


def cell_model(given: object) -> CellModel:
    """Read a table of ``on`` ("100 kOhm"), ``ratio`` (50: off over on) and ``wire`` ("2 Ohm" a segment).

    Raises
    ------
    DesignError
        If it is no table, or a figure is unknown or out of range.
    """
    if not isinstance(given, dict):
        raise DesignError(f"a table of figures is wanted, not {shown(given)}")
    if extra := sorted(set(given) - {"on", "ratio", "wire"}):
        raise DesignError(f"unknown figure {shown(extra[0])}; known are on, ratio, wire")
    figures = {key: parse(given[key], "Ohm") for key in ("on", "wire") if key in given}
    if "ratio" in given:
        figures["ratio"] = fraction(given["ratio"])
    for key, value in figures.items():
        low, high = RANGES[key]
        if not low <= value <= high:
            raise DesignError(f"{key} = {value:g}; from {low:g} to {high:g} is accepted")
    return CellModel(**figures)
