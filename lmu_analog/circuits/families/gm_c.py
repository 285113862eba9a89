"""Transconductors and grounded capacitors from any structure of integrators and algebraic sums.

        |f_ij| C_i                                  |f_kj| g
    x_j --|gm>--+-- x_i     integrator       x_j --|gm>--+-- y_k     algebraic node
                C_i                                     |gm> (load: its own output is its input)
                |                                        |
               ground                                  ground

A negative weight swaps a transconductor's inputs. An algebraic variable is a net without capacitor whose
current law is its equation: with a load where it stands in that equation itself (a summer), without where it
does not (a node of the RLC ladder, a lossless line between two matched ends, stable with any parasitics).
"""

import math
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np

from lmu_analog.circuits.circuit import Circuit, voltage_probes
from lmu_analog.circuits.components import (
    GROUND,
    INPUT,
    Capacitor,
    Component,
    Transconductor,
    identifier,
)
from lmu_analog.circuits.devices.models import IDEAL_OTA, OtaModel
from lmu_analog.circuits.families.options import Options, voltage_taps
from lmu_analog.circuits.families.ota import transistor_level
from lmu_analog.circuits.rules import check
from lmu_analog.errors import CircuitError, DesignError
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient, Structure, matrices, scaled

FASTER = 1000.0  # parasitic pole of an algebraic net over the fastest coefficient: 0.1 % of phase there
SLOWER = 0.03  # the same over the second pole, at nets with a load: 2 degrees of extra phase
SLOWER_LINE = (
    1e-3  # where nets without load make a line: its loss, 1/gain of some hundreds, must outdo the phase
)


def gm_c(realization: Realization, scale: np.ndarray, options: Options) -> Circuit:
    """Map a structure onto transconductors, every storage element a capacitor to ground.

    ``cap-feedforward`` needs capacitors between states, which would load their sources, for gm-C has no
    virtual ground. A grounded capacitor holds w_i = (x_i - r x_{i-2})/(1 + r) in their place, and
    x_i = (1 + r) w_i + r x_{i-2} is a sum of currents at a net with a load: the same equations from four
    transconductors a state, no buffer, and no net beyond the swing.

    ``rlc-ladder`` is its leapfrog: inductor currents and capacitor voltages are held on grounded capacitors,
    node voltages and capacitor currents are nets; the terminations are loads.

    Parameters
    ----------
    realization : Realization
        All but those of first-order filters.
    scale : (v,) array
        Volts on a net for one unit of every variable, positive. An input range below the supply shrinks all
        of it, so that the range takes the place of the supply; the input itself stays.
    options : Options
        Capacitance of every state, parasitics of the transconductors included, and their model. The
        capacitors are smaller by the parasitics at their net; output conductances and second poles stay,
        and so do parasitics at algebraic nets, whose transconductors are chosen to outrun them. A high
        order of ``rlc-ladder`` may ring where second poles add more phase than the output conductances
        take away. With ``level = "transistor"`` OTAs of transistors take the place of the model.

    Returns
    -------
    Circuit
        Nets ``x0``, ``x1``, ... are the dynamic variables, ``y0``, ... the algebraic ones; with capacitor
        coefficients ``w2``, ... are what the capacitors hold.

    Raises
    ------
    CircuitError
        If the parasitics at a net exceed its capacitance, or nothing holds an algebraic net's voltage.
    """
    if options.level == "transistor" and options.taps:
        raise DesignError("[circuit] taps: circuits of transistors have none; take level = 'behavioural'")
    if options.level == "transistor":
        plain = replace(options, level="behavioural", transconductor=IDEAL_OTA)
        return transistor_level(gm_c(realization, scale, plain), options)
    shrunk = scale * min(1.0, options.transconductor.limit / options.supply)
    scale = np.where([k in options.own_nets for k in range(len(scale))], scale, shrunk)
    structure, nets, place = _without_feedforward(scaled(realization.structure, scale), options.own_nets)
    _check_model(structure, options.transconductor)
    builder = _Builder(structure, nets, options)
    drivers = builder.transconductors()
    components = (*builder.capacitors(drivers), *drivers)
    read = [nets[k] for k in place]
    probes, taps = voltage_probes(realization.readout / scale, read), voltage_taps(options.taps, read, scale)
    return check(Circuit("gm-c", realization.name, realization.theta, components, probes, taps=taps))


def _without_feedforward(
    structure: Structure, taps: dict[int, str]
) -> tuple[Structure, tuple[str, ...], np.ndarray]:
    """Integrate w_i = (x_i + sum_j e_ij x_j)/k_i, k_i = 1 + sum_j |e_ij|, where E has off-diagonal e_ij.

    The x_i is then algebraic, 0 = -x_i + k_i w_i - sum_j e_ij x_j. As no |x| exceeds the swing, no |w| does. Gives a
    structure without capacitors between states, the net of every variable, and for every variable of the old
    structure the one that is it now, (v,).
    """
    n, v = structure.dynamic, structure.variables
    crossing = [c for c in structure.coefficients if c.matrix == "E" and c.row != c.column]
    fed = sorted({c.row for c in crossing})
    k = np.ones(v)
    for c in crossing:
        k[c.row] += abs(c.value)
    place = np.arange(v)
    place[fed] = v + np.arange(len(fed))
    size = v + len(fed)
    E, F, G = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, 1))
    E[:v, :v], G[:v] = structure.E, structure.G / k[:, None]
    F[:v, place] = structure.F / k[:, None]
    F[place[fed], place[fed]] = -1.0
    coefficients: list[Coefficient] = []
    for c in structure.coefficients:
        if c in crossing:
            moved = replace(c, matrix="F", row=int(place[c.row]), column=int(place[c.column]), value=-c.value)
        elif c.matrix == "F":
            moved = replace(c, column=int(place[c.column]), value=float(c.value / k[c.row]))
        else:
            moved = replace(c, value=float(c.value / (k[c.row] if c.matrix == "G" else 1.0)))
        coefficients.append(moved)
    coefficients += [Coefficient(f"w[{i}]", "F", int(place[i]), i, float(k[i])) for i in fed]
    states = [f"w{i}" if i in fed else f"x{i}" for i in range(n)]
    sums = [taps.get(k, f"y{k - n}") for k in range(n, v)]
    nets = (*states, *sums, *(f"x{i}" for i in fed))
    return Structure(E, F, G, tuple(coefficients), n), nets, place


@dataclass(frozen=True, eq=False)
class _Builder:
    """Writes the parts of a structure whose E is diagonal."""

    structure: Structure
    nets: tuple[str, ...]
    options: Options

    def transconductors(self) -> list[Transconductor]:
        """One for every entry of F and G, whether a coefficient or fixed, by rows."""
        entries = [c for c in (*self.structure.coefficients, *_fixed(self.structure)) if c.matrix != "E"]
        levels = self._levels(Counter(c.row for c in entries))
        ordered = sorted(entries, key=lambda c: c.row)
        return [self._transconductor(c, abs(c.value) * float(levels[c.row])) for c in ordered]

    def _transconductor(self, c: Coefficient, value: float) -> Transconductor:
        signal = INPUT if c.matrix == "G" else self.nets[c.column]
        pins = (signal, GROUND) if c.value > 0.0 else (GROUND, signal)
        name, model = f"G{identifier(c.name)}", self.options.transconductor
        return Transconductor(name, self.nets[c.row], *pins, value, c.name, model=model)

    def _levels(self, drivers: Counter[int]) -> np.ndarray:
        """Give the transconductance of a weight of one, (v,), S: C/e_ii where a capacitor C integrates.

        At an algebraic net any would do but for parasitics: their pole g/(n C_p) is to lie far beyond the
        states' rates, yet below the second pole, or nets that feed each other ring.
        """
        E, F, G = matrices(self.structure)
        n, model = self.structure.dynamic, self.options.transconductor
        rates = np.abs(np.concatenate([F, G], axis=1)[:n]) / np.diag(E)[:n, None]
        usual = np.exp(np.mean(np.log(rates[rates > 0.0]))) * self.options.capacitance
        levels = np.full(len(E), usual)
        levels[:n] = self.options.capacitance / np.diag(E)[:n]
        far = 2.0 * np.pi * model.pole * (SLOWER if np.diag(F)[n:].all() else SLOWER_LINE)
        for row in range(n, len(E)):
            if added := drivers[row] * model.parasitic:
                wanted = max(usual, FASTER * added * float(rates.max()))
                levels[row] = min(wanted, far * added)
        return levels

    def capacitors(self, drivers: list[Transconductor]) -> list[Component]:
        """One for every dynamic variable, less what its drivers add."""
        named = {c.row: c.name for c in self.structure.coefficients if c.matrix == "E"}
        counts = Counter(c.out for c in drivers)
        parts: list[Component] = []
        for i in range(self.structure.dynamic):
            role, net = named.get(i, f"integrator {i}"), self.nets[i]
            name = f"C{identifier(named[i])}" if i in named else f"Cint_{i}"
            size = _predistorted(name, counts[net], self.options)
            parts.append(Capacitor(name, net, GROUND, size, role))
        return parts


def _fixed(structure: Structure) -> list[Coefficient]:
    """Name what no element of the memory sets, but a transconductor must: loads, couplings, the input."""
    found = [
        Coefficient(f"load[{i}]" if i == j else f"k[{i},{j}]", "F", int(i), int(j), float(structure.F[i, j]))
        for i, j in np.argwhere(structure.F)
    ]
    return found + [
        Coefficient(f"in[{i}]", "G", int(i), 0, float(structure.G[i, 0])) for i in np.flatnonzero(structure.G)
    ]


def _check_model(structure: Structure, model: OtaModel) -> None:
    """Refuse currents that lag behind their net's voltage where nothing else would set that voltage."""
    lags = math.isfinite(model.pole) and math.isinf(model.gain) and not model.parasitic
    if lags and structure.variables > structure.dynamic:
        raise CircuitError(
            "transconductors with a pole leave the voltages at nets without a capacitor open; "
            "give them a gain or a parasitic too, or take a realization without sums"
        )


def _predistorted(name: str, drivers: int, options: Options) -> float:
    """Give the capacitance, F, that parasitics leave to the capacitor itself."""
    added = drivers * options.transconductor.parasitic
    if added >= options.capacitance:
        raise CircuitError(
            f"{name}: {drivers} transconductors add {added:.3g} F to its net, which may have "
            f"{options.capacitance:.3g} F; raise capacitance or lower the transconductor's parasitic"
        )
    return options.capacitance - added
