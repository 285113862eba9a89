"""Where a circuit is not linear: rails and slew limits of op-amps, input ranges of transconductors.

The circuit is the linear one of ``nodal`` with a few extra sources, E v' = F v + G u + h + push w(z), where
z = seen v + direct u are the voltages that saturate. An op-amp's output z and the current i of its input stage are
linear until a width d, a twentieth, before their limits, and then turn over smoothly:

    y = clip(x) + d tanh((x - clip(x)) / d),  clip(x) between low + d and high - d.

An op-amp's law can be turned round, and is then free of loops: from its output z follow the pole's voltage x,
the input stage's current i = x'/w_t + x/A0 and its input voltage, with the limit slew/w_t. What that is beyond
z'/w_t + z/A0 acts as an offset w at the input, small by the loop gain. A transconductor is a differential pair;
its w is limit tanh(z/limit) - z.

The linear part may be re-centred: it then takes ``centre`` times the small-signal slope, and w only the difference.
"""

import math
from dataclasses import dataclass, replace
from typing import assert_never

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.circuits.circuit import Circuit, numbered
from lmu_analog.circuits.components import (
    Amplifier,
    DifferentialOpAmp,
    OpAmp,
    Transconductor,
    outputs,
)
from lmu_analog.circuits.nodal.stamps import Equations
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.errors import CircuitError

_Amplifiers = list[tuple[Amplifier, np.ndarray]]
_Transconductors = list[tuple[Transconductor, np.ndarray]]
FULL = 1.0 - 1e-8  # share of the width that counts as all of it: artanh stays finite
# Share of its swing and of its slew limit up to which an op-amp is linear. Data sheets give the swing for an
# overdriven output, and test the open-loop gain at less: the OPA180's holds (114 dB) up to 0.98 of it, the MCP6004's
# is given up to 0.90 (TI: Green and Kay, Op Amp Aol vs Vout Swing, 2014). Slewing begins at the full-power
# bandwidth, slew/(2 pi peak), which means the same of the input stage; macromodels limit its current alike.
KNEE = 0.95


@dataclass(frozen=True, eq=False)
class Amplifiers:
    """Laws of n op-amps in s samples.

    Attributes
    ----------
    gain : (n, 1) array, V/V
    low, high : (n, 1) arrays, V
        Where z saturates; twice the smaller swing either way for the difference of two outputs.
    crossover : (s, n, 1) array, rad/s
    threshold : (s, n, 1) array, V
        Slew limit over crossover: where the input stage's current, as a voltage, saturates.
    middle : (n, 1) array, V
        Amid the supplies: z is low, high and all else from here.
    """

    gain: Float[np.ndarray, "n 1"]
    low: Float[np.ndarray, "n 1"]
    high: Float[np.ndarray, "n 1"]
    crossover: Float[np.ndarray, "s n 1"]
    threshold: Float[np.ndarray, "s n 1"]
    middle: Float[np.ndarray, "n 1"] | float = 0.0


@dataclass(frozen=True, eq=False)
class Inputs:
    """Laws of n pairs of transconductors' inputs.

    Attributes
    ----------
    limit : (n, 1) array, V
    """

    limit: Float[np.ndarray, "n 1"]


@dataclass(frozen=True, eq=False)
class Limits:
    """All n voltages of a circuit that saturate, in s samples and N unknowns.

    Attributes
    ----------
    seen : (n, N) array
    direct : (n,) array
        z = seen v + direct u.
    push : (s, N, n) array
        What w adds to the equations.
    law : Amplifiers or Inputs
    """

    seen: Float[np.ndarray, "n N"]
    direct: Float[np.ndarray, " n"]
    push: Float[np.ndarray, "s N n"]
    law: Amplifiers | Inputs

    def of(self, samples: Int[np.ndarray, " k"]) -> "Limits":
        """Give the same of some of the samples."""
        law = self.law
        if isinstance(law, Amplifiers):
            law = replace(law, crossover=law.crossover[samples], threshold=law.threshold[samples])
        return replace(self, push=self.push[samples], law=law)


@dataclass(frozen=True, eq=False)
class Saturated:
    """What a law makes of waveforms z.

    Attributes
    ----------
    w : (s, n, t) array, V
    slope : (s, n, t) array
        Of the law, over its small-signal slope.
    share : (s, n, t) array
        Of the nearest limit that is used, 0 to 1.
    """

    w: Float[np.ndarray, "s n t"]
    slope: Float[np.ndarray, "s n t"]
    share: Float[np.ndarray, "s n t"]


def check_parts(circuit: Circuit) -> None:
    """Refuse a circuit with parts whose law is not known here.

    Raises
    ------
    CircuitError
        If it has transistors, switches or an op-amp's SPICE model, or both op-amps and transconductors with
        limits.
    """
    if circuit.small_signal is not None or circuit.clock is not None:
        raise CircuitError(
            f"{circuit.family}: rails, slew limits and input ranges are known of op-amps and "
            "transconductors, not of transistors or switches; use the ngspice engine"
        )
    for c in circuit.amplifiers:
        if c.model.library is not None:
            raise CircuitError(f"{c.name}: only ngspice runs a SPICE model file; use the ngspice engine")
    amplifiers, transconductors = _found(circuit, circuit.values[None])
    if amplifiers and transconductors:
        raise CircuitError("both op-amps and transconductors have limits; use the ngspice engine")


def limits(circuit: Circuit, index: Index, values: Float[np.ndarray, "s m"]) -> Limits | None:
    """Find the nonlinear laws of a circuit that ``check_parts`` accepts; None where all of it is linear."""
    amplifiers, transconductors = _found(circuit, values)
    if amplifiers:
        return _amplifiers(amplifiers, index)
    return _transconductors(transconductors, index) if transconductors else None


def _found(circuit: Circuit, values: np.ndarray) -> tuple[_Amplifiers, _Transconductors]:
    """List the parts that have limits, each with its values of gain-bandwidth or transconductance, (s,)."""
    amplifiers: _Amplifiers = []
    transconductors: _Transconductors = []
    for c, at in numbered(circuit):
        match c:
            case OpAmp() | DifferentialOpAmp() if not c.model.ideal:
                if math.isfinite(c.model.swing) or math.isfinite(c.model.slew):
                    amplifiers.append((c, values[:, at.start]))
            case Transconductor() if math.isfinite(c.model.limit):
                transconductors.append((c, values[:, at.start]))
            case _:
                pass
    return amplifiers, transconductors


def _amplifiers(found: _Amplifiers, index: Index) -> Limits:
    crossover = 2.0 * np.pi * np.stack([gbw for _, gbw in found], axis=1)
    seen = np.zeros((len(found), index.size))
    push = np.zeros((len(crossover), index.size, len(found)))
    for k, (c, _) in enumerate(found):
        for net, sign in zip(outputs(c), (1.0, -1.0), strict=False):
            seen[k, index.output(net)] = sign
        push[:, index.own[c.name], k] = -crossover[:, k]
    # The difference of two outputs is as far from zero, whatever their mean.
    rests = [c.model.middle if isinstance(c, OpAmp) else 0.0 for c, _ in found]
    figures = np.array([(c.model.gain, *ends(c), c.model.slew) for c, _ in found])
    gain, low, high, slew = figures.T[..., None]
    middle = np.array(rests)[:, None]
    law = Amplifiers(gain, low, high, crossover[..., None], slew / crossover[..., None], middle)
    return Limits(seen, np.zeros(len(found)), push, law)


def _transconductors(found: _Transconductors, index: Index) -> Limits:
    """Take transconductors with the same inputs together: they saturate alike."""
    groups: dict[tuple[str, str, float], list[tuple[Transconductor, np.ndarray]]] = {}
    for c, value in found:
        groups.setdefault((c.plus, c.minus, c.model.limit), []).append((c, value))
    seen = np.zeros((len(groups), index.size + 1))
    push = np.zeros((len(found[0][1]), index.size, len(groups)))
    for k, ((plus, minus, _), members) in enumerate(groups.items()):
        index.add(seen[k], plus, 1.0)
        index.add(seen[k], minus, -1.0)
        for c, value in members:
            if math.isfinite(c.model.pole):
                push[:, index.own[c.name], k] += 2.0 * np.pi * c.model.pole * value
            elif c.out in index.law:
                push[:, index.law[c.out], k] += value
    direct = seen[:, -1].copy()
    return Limits(seen[:, :-1].copy(), direct, push, Inputs(np.array([[limit] for *_, limit in groups])))


def saturate(
    law: Amplifiers | Inputs,
    z: Float[np.ndarray, "s n t"],
    rate: Float[np.ndarray, "s n t"],
    *,
    centre: Float[np.ndarray, "s n 1"],
) -> Saturated:
    """Evaluate a law.

    Parameters
    ----------
    law : Amplifiers or Inputs
    z, rate : (s, n, t) arrays, V and V/s
        Waveforms and their derivatives.
    centre : (s, n, 1) array
        Slope that the linear part takes, over the small-signal slope.
    """
    match law:
        case Amplifiers():
            z = z - law.middle
            pole, opening, swing = straightened(z, law.low, law.high)
            current = rate * opening / law.crossover + pole / law.gain
            needed, steepening, turn = straightened(current, -law.threshold, law.threshold)
            # Differences of what is equal up to the knee: w is then zero, not what rounding leaves.
            w = (needed - current) + rate * (opening - centre) / law.crossover + (pole - z) / law.gain
            return Saturated(w, opening * steepening, np.maximum(swing, turn))
        case Inputs():
            ratio = z / law.limit
            share = np.tanh(ratio)
            return Saturated(law.limit * share - centre * z, 1.0 - share**2, np.abs(share))
        case _:
            assert_never(law)


def ends(c: Amplifier) -> tuple[float, float]:
    """Give lowest and highest output voltage of the pole, V, from the middle of the supplies; of a difference as it is.

    As each of two outputs is half the difference, the smaller swing counts for both.
    """
    model = c.model
    return (model.floor, model.rail) if isinstance(c, OpAmp) else (-2.0 * model.swing, 2.0 * model.swing)


def turning(low: float, high: float) -> float:
    """Give how far from its limits an op-amp begins to saturate."""
    return (1.0 - KNEE) * min(high, -low)


def straightened(
    y: Float[np.ndarray, "*s n t"], low: Float[np.ndarray, "*#s n 1"], high: Float[np.ndarray, "*#s n 1"]
) -> tuple[Float[np.ndarray, "*s n t"], Float[np.ndarray, "*s n t"], Float[np.ndarray, "*s n t"]]:
    """Undo an op-amp's law: give x, which is y to the last bit up to the knee, dx/dy and the share of a limit."""
    d = (1.0 - KNEE) * np.minimum(high, -low)  # as ``turning``
    d = np.where(np.isfinite(d), d, 1.0)
    beyond = np.clip((y - np.clip(y, low + d, high - d)) / d, -FULL, FULL)
    return y + d * (np.arctanh(beyond) - beyond), 1.0 / (1.0 - beyond**2), np.maximum(y / low, y / high)


def centred(equations: Equations, limited: Limits, centre: Float[np.ndarray, "s n 1"]) -> Equations:
    """Give the linear part the slope ``centre``, which ``saturate`` then takes off w."""
    E, F, drive = equations.E, equations.F, equations.drive
    extra = limited.push * (centre[..., 0] - 1.0)[:, None, :]
    match limited.law:
        case Amplifiers(crossover=crossover):
            E = E - (extra / crossover[:, None, :, 0]) @ limited.seen
        case Inputs():
            F = F + extra @ limited.seen
            drive = drive.copy()
            drive[..., 0] += extra @ limited.direct
        case _:
            assert_never(limited.law)
    return Equations(E, F, drive)
