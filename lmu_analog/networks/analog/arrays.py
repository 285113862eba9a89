r"""Weighted sums of voltages: resistors into a difference amplifier, or transconductors into a load.

        R/w
    v_j --[ ]--+--[R]--+            g w
               |  |\   |       v_j --|gm>--+-- out = sum of w_j v_j
               +--|-\  |                   |
                  |  >-+-- out            |gm> g, its own output is its input
    v_k --[ ]--+--|+/
        R/w    |                A negative weight swaps a transconductor's inputs.
              [ ] balance

Both inputs of the amplifier see the same conductance, so that each weight is R over its own resistor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lmu_analog.circuits.components import GROUND, Component, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.networks.analog.options import CellOptions

_LEAST = 1e-4  # of the largest weight of a sum: smaller ones are left out, they would be gigaohms
_EVEN = 1e-9  # relative: a balance resistor below it is not needed


@dataclass(frozen=True)
class Weighted:
    """A voltage and its weight.

    Attributes
    ----------
    net : str
    weight : float, V/V
    label : str
        Names the element, for example ``Wh_2_0``.
    """

    net: str
    weight: float
    label: str


def weighted_sum(
    out: str, inputs: Sequence[Weighted], options: CellOptions, *, opamp: OpAmpModel, tail: bool = False
) -> tuple[Component, ...]:
    """Add voltages with weights; ``gains`` gives those that the chosen values make.

    Parameters
    ----------
    out : str
        Net of the sum; it names the parts.
    inputs : sequence of Weighted
    options : CellOptions
        Kind of array, bits and series.
    opamp : OpAmpModel
    tail : bool
        Whether something that draws current hangs on ``out``: a sum of transconductors then gets a follower.
    """
    wanted = quantised(np.array([i.weight for i in inputs]), options.bits)
    kept = [k for k in range(len(inputs)) if abs(wanted[k]) > _LEAST * np.abs(wanted).max(initial=0.0)]
    chosen = [Weighted(inputs[k].net, float(wanted[k]), inputs[k].label) for k in kept]
    if options.arrays == "resistor":
        return _resistors(out, chosen, options, opamp)
    return _transconductors(out, chosen, options, opamp if tail else None)


def gains(
    parts: Sequence[Component], out: str, value: Callable[[Component], np.ndarray] | None = None
) -> dict[str, np.ndarray]:
    """Give what every net does to a sum's output, V/V, with ideal amplifiers.

    For a sum with conductances g into its amplifier, feedback R and balance:

        out = sum over plus of v g R (1/R + g_minus) / g_plus - sum over minus of v g R

    where g_plus and g_minus are all conductances into either input.

    Parameters
    ----------
    parts : sequence of Component
        Of ``weighted_sum``.
    out : str
        Net of the sum.
    value : callable, optional
        Gives values of a component in SI units, of many circuits at once; its own value unless given.
    """
    value = value or (lambda component: np.asarray(component.value))  # type: ignore[union-attr]
    minus: dict[str, np.ndarray] = {}
    plus: dict[str, np.ndarray] = {}
    into = {f"{out}_minus": minus, f"{out}_plus": plus}
    for c in parts:
        match c:
            case Resistor():
                input_net, other = (c.a, c.b) if c.a in into else (c.b, c.a)
                into[input_net][other] = 1.0 / value(c)
            case Transconductor() if c.name != f"G{out}_load":
                side, net = (minus, c.minus) if c.plus == GROUND else (plus, c.plus)
                side[net] = value(c)
            case _:
                pass
    if load := [c for c in parts if c.name == f"G{out}_load"]:
        unit = ratio = value(load[0])
    else:
        unit = minus.pop(out)
        ratio = unit * sum(plus.values()) / (unit + sum(minus.values())) if plus else unit
    found = {net: -g / unit for net, g in minus.items()} | {net: g / ratio for net, g in plus.items()}
    return {net: np.asarray(gain) for net, gain in found.items() if net != GROUND}


def quantised(weights: np.ndarray, bits: int | None) -> np.ndarray:
    """Round weights to multiples of the largest over 2^(bits-1) - 1; unchanged without bits."""
    full = np.abs(weights).max(initial=0.0)
    if bits is None or full == 0.0:
        return weights
    levels = 2 ** (bits - 1) - 1
    return np.round(weights / full * levels) * full / levels


def _resistors(
    out: str, inputs: list[Weighted], options: CellOptions, opamp: OpAmpModel
) -> tuple[Component, ...]:
    def value(resistance: float) -> float:
        return resistance if options.series is None else float(nearest(resistance, options.series))

    feedback, minus = value(options.resistance), f"{out}_minus"
    there = any(i.weight > 0.0 for i in inputs)
    plus = f"{out}_plus" if there else GROUND
    parts: list[Component] = [
        OpAmp(f"U{out}", plus, minus, out, opamp, f"sum {out}"),
        Resistor(f"R{out}_fb", minus, out, feedback, f"sum {out}, feedback"),
    ]
    conductances = []
    for i in inputs:
        resistor = value(feedback / abs(i.weight))
        conductances.append(1.0 / resistor)
        into = plus if i.weight > 0.0 else minus
        parts.append(Resistor(f"R{i.label}", i.net, into, resistor, f"weight {i.label}"))
    g, signs = np.array(conductances), np.sign([i.weight for i in inputs])
    above, below = float(g[signs > 0].sum()), float(g[signs < 0].sum()) + 1.0 / feedback
    spare = below - above
    if there and abs(spare) * feedback > _EVEN:
        balance, into = value(1.0 / abs(spare)), plus if spare > 0.0 else minus
        parts.append(Resistor(f"R{out}_bal", into, GROUND, balance, f"sum {out}, balance"))
    return tuple(parts)


def _transconductors(
    out: str, inputs: list[Weighted], options: CellOptions, follower: OpAmpModel | None
) -> tuple[Component, ...]:
    unit, node = 1.0 / options.resistance, out if follower is None else f"{out}_sum"
    parts: list[Component] = [Transconductor(f"G{out}_load", node, GROUND, node, unit, f"sum {out}, load")]
    for i in inputs:
        plus, minus = (i.net, GROUND) if i.weight > 0.0 else (GROUND, i.net)
        parts.append(
            Transconductor(f"G{i.label}", node, plus, minus, abs(i.weight) * unit, f"weight {i.label}")
        )
    if follower is not None:
        parts.append(OpAmp(f"U{out}", node, out, out, follower, f"sum {out}, follower"))
    return tuple(parts)
