"""Decks of leaky integrate-and-fire neurons that reset themselves, of capacitors, resistors and two comparators.

One neuron; both comparators are switches with hysteresis::

    J/R --+--- v ---+              Sfire: on when v exceeds 1 V, off again below 0.1 V
          |    |    |              Sreset: on while r exceeds 0.5 V
          C    R   Sreset
          |    |    |              A spike charges Cr to 1 V; Rr takes it to 0.5 V in the refractory time,
         gnd  gnd  gnd             during which Sreset holds v at ground.

    1 V --Sfire-- r --+-- Cr -- gnd
                      +-- Rr -- gnd
"""

from collections.abc import Sequence

import numpy as np

from lmu_analog.errors import DesignError

CAPACITANCE, PULSE = (
    100e-12,
    10e-12,
)  # F; the resistors are then well below those that ngspice adds at every net
SWITCH_ON, SWITCH_OFF = 1e3, 1e13  # ohm


def neuron_deck(
    neurons: Sequence[tuple[float, float]],
    wave: str,
    analysis: tuple[float, float],
    *,
    membrane: float,
    refractory: float,
) -> str:
    """Write a deck of neurons that share an input u, V, each with a current of its own.

    Parameters
    ----------
    neurons : list of (gain, bias)
        J = gain u + bias, in units of the current that just reaches the threshold of 1 V.
    wave : str
        Of the source of u, for example ``DC 0`` or ``SIN(0 1 5)``.
    analysis : (stop, step), s
    membrane : float, s
        R C.
    refractory : float, s
        Rr Cr ln 2.
    """
    if not neurons or min(membrane, refractory) <= 0.0:
        raise DesignError("a neuron or more, and positive times, are wanted")
    stop, step = (float(t) for t in analysis)
    leak = float(membrane / CAPACITANCE)
    pulse = float(refractory / (PULSE * np.log(2.0)))
    lines = [
        f"{len(neurons)} leaky integrate-and-fire neurons",
        f"* membrane = {membrane!r} refractory = {refractory!r}",
        f"Vu u 0 {wave}",
        "Vdd dd 0 DC 1.0",
        f".model fire SW(VT=0.55 VH=0.45 RON={SWITCH_ON!r} ROFF={SWITCH_OFF!r})",
        f".model reset SW(VT=0.5 VH=0.0 RON={SWITCH_ON!r} ROFF={SWITCH_OFF!r})",
    ]
    for k, (gain, bias) in enumerate(neurons):
        lines += [
            f"C{k} v{k} 0 {CAPACITANCE!r}",
            f"R{k} v{k} 0 {leak!r}",
            f"I{k} 0 v{k} DC {float(bias) / leak!r}",
            f"G{k} 0 v{k} u 0 {float(gain) / leak!r}",
            f"Sfire{k} dd r{k} v{k} 0 fire",
            f"Cr{k} r{k} 0 {PULSE!r}",
            f"Rr{k} r{k} 0 {pulse!r}",
            f"Sreset{k} v{k} 0 r{k} 0 reset",
        ]
    saved = " ".join(f"v(v{k}) v(r{k})" for k in range(len(neurons)))
    return "\n".join([*lines, f".tran {step!r} {stop!r} 0 {step!r} uic", f".save {saved}", ".end"]) + "\n"


def spike_times(time: np.ndarray, pulse: np.ndarray) -> np.ndarray:
    """Give the times, s, at which the voltage of a net r rises through half a volt."""
    before, after = pulse[:-1], pulse[1:]
    at = np.flatnonzero((before < 0.5) & (after >= 0.5))
    return time[at] + (0.5 - before[at]) / (after[at] - before[at]) * (time[at + 1] - time[at])
