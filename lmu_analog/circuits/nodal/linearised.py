"""Circuits of transistors: their operating point, and the small-signal circuit there.

The noise of a channel in weak inversion is shot noise of both of its currents, 2 q (I_F + I_R) (Sarpeshkar, Delbrück
and Mead, IEEE Circuits and Devices Magazine 9, 1993). Bias currents and supplies are ideal, and make none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import scipy

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    GROUND,
    Ammeter,
    Bias,
    Capacitor,
    Component,
    Follower,
    Mosfet,
    Resistor,
    Supply,
    Transconductor,
)
from lmu_analog.circuits.devices.ekv import specific_current
from lmu_analog.circuits.devices.models import OtaModel
from lmu_analog.errors import CircuitError

CHARGE = 1.602176634e-19  # C, exact since 2019
SILENT = OtaModel("channel", excess_noise=0.0)  # the noise of a channel is counted as a whole
LARGEST_STEP = 0.1  # V, of Newton: four thermal voltages, so that no exponential runs away
ROUNDS = 400
Slopes = list[tuple[str, float]]
SETTLED = 1e-12  # V
LEAST = 1e-12  # of a channel's largest conductance: what is below is rounding


@dataclass(frozen=True)
class Channel:
    """A transistor's noise current, from its drain to its source.

    Attributes
    ----------
    name, drain, source : str
    density : float, A^2/Hz
        One-sided.
    """

    name: str
    drain: str
    source: str
    density: float


def linearised(circuit: Circuit) -> tuple[Circuit, tuple[Channel, ...]]:
    """Replace every transistor by its conductances at the operating point, and give its noise.

    Parameters
    ----------
    circuit : Circuit
        Of transistors and linear parts; its input is at ground.

    Raises
    ------
    CircuitError
        If it has other parts, or no operating point is found.
    """
    volts = operating_point(circuit)
    parts: list[Component] = []
    channels: list[Channel] = []
    for c in circuit.components:
        if not isinstance(c, Mosfet):
            parts.append(c)
            continue
        currents, slopes = _channel(c, volts)
        parts += _conductances(c, slopes)
        channels.append(Channel(c.name, c.drain, c.source, 2.0 * CHARGE * sum(currents)))
    return replace(circuit, components=tuple(parts), small_signal=None, operating_point=()), tuple(channels)


def operating_point(circuit: Circuit) -> dict[str, float]:
    """Find the operating point, V of all nets, by damped Newton steps from ``circuit.operating_point``."""
    nets = [net for net in circuit.nets if net != circuit.source]
    carriers = circuit.only(Supply, Ammeter, Follower)
    place = {net: k for k, net in enumerate(nets)} | {c.name: len(nets) + k for k, c in enumerate(carriers)}
    x, known = np.zeros(len(place)), dict(circuit.operating_point)
    for c in carriers:
        if isinstance(c, Supply):
            known |= {c.a: c.value} if c.b == GROUND else {c.b: -c.value} if c.a == GROUND else {}
    for net, value in known.items():
        x[place[net]] = value
    for _ in range(ROUNDS):
        residual, slope = _equations(circuit, place, x)
        try:
            step = np.linalg.solve(slope, -residual)
        except np.linalg.LinAlgError:
            step = np.linalg.lstsq(slope, -residual, rcond=None)[0]
        largest = np.abs(step[: len(nets)]).max(initial=0.0)
        x = x + step * min(1.0, LARGEST_STEP / max(largest, 1e-300))
        if largest < SETTLED:
            return {GROUND: 0.0, circuit.source: 0.0, **{net: float(x[place[net]]) for net in nets}}
    raise CircuitError(f"{circuit.family}: no operating point was found; its noise is not known")


def _equations(circuit: Circuit, place: dict[str, int], x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the currents into all nets, and the equations of sources, with their slopes."""
    residual, slope = np.zeros(len(x)), np.zeros((len(x), len(x)))
    volts = {GROUND: 0.0, circuit.source: 0.0} | {name: float(x[k]) for name, k in place.items()}
    for c in circuit.components:
        for row, amount, slopes in _laws(c, volts):
            if row in place:
                residual[place[row]] += amount
                for name, by in slopes:
                    if name in place:
                        slope[place[row], place[name]] += by
    return residual, slope


def _laws(c: Component, volts: dict[str, float]) -> Iterator[tuple[str, float, Slopes]]:
    """Give what a component adds at DC: to which equation, how much, and its slopes."""
    match c:
        case Mosfet():
            (forward, reverse), (g, s, d) = _channel(c, volts)
            into = (reverse - forward) if c.model.kind == "n" else (forward - reverse)
            yield c.drain, into, [(c.gate, -g), (c.source, s), (c.drain, -d), (c.bulk, g - s + d)]
            yield c.source, -into, [(c.gate, g), (c.source, -s), (c.drain, d), (c.bulk, s - g - d)]
        case Resistor():
            for here, there in ((c.a, c.b), (c.b, c.a)):
                yield (
                    here,
                    (volts[there] - volts[here]) / c.value,
                    [(here, -1 / c.value), (there, 1 / c.value)],
                )
        case Transconductor():
            yield c.out, c.value * (volts[c.plus] - volts[c.minus]), [(c.plus, c.value), (c.minus, -c.value)]
        case Bias():
            yield c.a, -c.value, []
            yield c.b, c.value, []
        case Supply() | Ammeter():
            wanted = c.value if isinstance(c, Supply) else 0.0
            yield c.name, volts[c.a] - volts[c.b] - wanted, [(c.a, 1.0), (c.b, -1.0)]
            yield c.a, -volts[c.name], [(c.name, -1.0)]
            yield c.b, volts[c.name], [(c.name, 1.0)]
        case Follower():
            apart = volts[c.out] - c.gain * (volts[c.plus] - volts[c.minus])
            yield c.name, apart, [(c.out, 1.0), (c.plus, -c.gain), (c.minus, c.gain)]
            yield c.out, volts[c.name], [(c.name, 1.0)]
        case Capacitor():
            pass
        case _:
            raise CircuitError(f"{c.name}: no part of a circuit of transistors")


def _channel(c: Mosfet, volts: dict[str, float]) -> tuple[tuple[float, float], tuple[float, float, float]]:
    """Give forward and reverse current, A, and the slopes by gate, source and drain (against bulk), S."""
    model, sign = c.model, 1.0 if c.model.kind == "n" else -1.0
    unit = 2.0 * model.slope * model.thermal
    gate = sign * (volts[c.gate] - volts[c.bulk]) - model.threshold
    x = np.array(
        [(gate - model.slope * sign * (volts[pin] - volts[c.bulk])) / unit for pin in (c.source, c.drain)]
    )
    root, size = np.logaddexp(0.0, x), specific_current(model, c.value)
    forward, reverse = (size * root**2).tolist()
    source, drain = (size / model.thermal * root * scipy.special.expit(x)).tolist()
    return (forward, reverse), ((source - drain) / model.slope, source, drain)


def _conductances(c: Mosfet, slopes: tuple[float, float, float]) -> Iterator[Transconductor]:
    """Draw a transistor's slopes as transconductors from bulk, one pair for every pin."""
    least = LEAST * max(abs(g) for g in slopes)
    pins = zip("gsd", (c.gate, c.source, c.drain), slopes, strict=True)
    for letter, pin, g in pins:
        if abs(g) <= least or pin == c.bulk:
            continue
        for end, out in (("d", c.drain), ("s", c.source)):
            # A current enters the drain for a rise of the source, and for a fall of gate and drain.
            rises = ((letter == "s") == (end == "d")) == (g > 0.0)
            plus, minus = (pin, c.bulk) if rises else (c.bulk, pin)
            yield Transconductor(f"G{c.name}_{letter}{end}", out, plus, minus, abs(g), c.role, (), SILENT)
