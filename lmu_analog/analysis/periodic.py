"""The steady state of a circuit for a sum of tones, many samples at once: linear or nonlinear."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.extract import extract, probe_rows
from lmu_analog.circuits.nodal.saturation import Limits, check_parts, limits
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.ensembles.balance import SETTLED, Drive, balance
from lmu_analog.ensembles.nonlinear import BATCH_VALUES, HARMONICS, LEFT_OUT, MOST_VALUES, NEARLY
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import growth
from lmu_analog.memory.window import readout
from lmu_analog.stimulus import Tones


@dataclass(frozen=True, eq=False)
class Periodic:
    """States over one period of s samples.

    Attributes
    ----------
    tones : Tones
        The input.
    phasor : (s, h, d) complex array, V
        Of the states at harmonics 1 .. h of the period.
    offset : (s, d) array, V
        Their mean.
    sure : (s,) bool array
        Whether there is a steady state and it was found.
    """

    tones: Tones
    phasor: Complex[np.ndarray, "s h d"]
    offset: Float[np.ndarray, "s d"]
    sure: Bool[np.ndarray, " s"]


def linear(circuit: Circuit, tones: Tones, values: Float[np.ndarray, "s m"] | None = None) -> Periodic:
    """Find the steady state without rails, slew limits and input ranges; of one sample without ``values``."""
    system = extract(circuit, circuit.values[None] if values is None else values)
    turns = _turns(tones)
    stable = np.asarray(growth(system)) < 0.0
    phasor = np.zeros((len(stable), turns[-1], circuit.order), complex)
    phasor[:, turns - 1] = steady_response(system, tones.frequency) * tones.phasor[:, None]
    offset = np.zeros((len(stable), circuit.order)) if system.offset is None else system.offset
    return Periodic(tones, phasor, np.asarray(offset), stable)


def nonlinear(
    circuit: Circuit, tones: Tones, values: Float[np.ndarray, "s m"] | None = None
) -> Periodic | None:
    """Find the nonlinear steady state, by harmonic balance; None where the circuit is linear.

    Raises
    ------
    CircuitError
        If the circuit has parts whose law is not known: transistors, switches, a SPICE model file.
    """
    check_parts(circuit)
    values = circuit.values[None] if values is None else values
    index = Index(circuit)
    limited = limits(circuit, index, values)
    if limited is None:
        return None
    start = linear(circuit, tones, values)
    most = max(HARMONICS) * int(_turns(tones)[-1])
    phasor = np.zeros((len(values), most, circuit.order), complex)
    offset, solved = start.offset.copy(), np.zeros(len(values), bool)
    for harmonics in HARMONICS:
        waiting = np.flatnonzero(start.sure & ~solved)
        for part in _batches(waiting, harmonics * int(_turns(tones)[-1]), index.size):
            found, sure = _balanced(circuit, values[part], limited.of(part), _drive(tones, harmonics))
            solved[part] = sure
            phasor[part, : found.shape[1] - 1], offset[part] = 2.0 * found[:, 1:], np.real(found[:, 0])
    return Periodic(tones, phasor, offset, solved)


def error_power(found: Periodic, theta: float, r: Float[np.ndarray, " q"]) -> Float[np.ndarray, "s q"]:
    """Mean square of the estimate minus u(t - r theta), a fraction of rms(u)^2; harmonics are error."""
    tones, wanted = found.tones, np.zeros(found.phasor.shape[1], complex)
    wanted[_turns(tones) - 1] = tones.phasor
    delay = np.exp(-2j * np.pi * theta / tones.period * np.outer(np.arange(1, len(wanted) + 1), r))
    rows = readout(found.phasor.shape[-1], r)
    error = found.phasor @ rows.T - wanted[:, None] * delay
    return (0.5 * np.sum(np.abs(error) ** 2, axis=1) + (found.offset @ rows.T) ** 2) / tones.rms**2


def difference_power(
    found: Periodic, other: Periodic, r: Float[np.ndarray, " q"], *, with_offset: bool = True
) -> Float[np.ndarray, "s q"]:
    """Mean square of the difference of two estimates, a fraction of rms(u)^2, with or without their means."""
    rows = readout(found.phasor.shape[-1], r)
    count = max(found.phasor.shape[1], other.phasor.shape[1])
    longer = [np.pad(p.phasor, ((0, 0), (0, count - p.phasor.shape[1]), (0, 0))) for p in (found, other)]
    power = 0.5 * np.sum(np.abs((longer[0] - longer[1]) @ rows.T) ** 2, axis=1)
    return (power + with_offset * ((found.offset - other.offset) @ rows.T) ** 2) / found.tones.rms**2


def _turns(tones: Tones) -> np.ndarray:
    return np.rint(tones.frequency * tones.period).astype(int)


def _drive(tones: Tones, harmonics: int) -> Drive:
    turns = _turns(tones)
    return Drive(2.0 * math.pi / tones.period, turns, tones.phasor, harmonics * int(turns.max()))


def _batches(waiting: np.ndarray, highest: int, size: int) -> list[np.ndarray]:
    """Part samples so that their responses fit; none where even one does not."""
    values = (highest + 1) * size**2
    if values > MOST_VALUES:
        return []
    step = max(1, BATCH_VALUES // values)
    return [waiting[k : k + step] for k in range(0, len(waiting), step)]


def _balanced(
    circuit: Circuit, values: np.ndarray, limited: Limits, drive: Drive
) -> tuple[np.ndarray, np.ndarray]:
    """Give coefficients of the states at harmonics 0 .. highest, and which samples are solved for sure."""
    index = Index(circuit)
    found = balance(stamp(circuit, index, values), limited, probe_rows(circuit, index), drive=drive)
    beyond = np.sqrt(found.left_out**2 @ (1.0 / (2.0 * np.arange(circuit.order) + 1.0)))
    rms = np.linalg.norm(drive.phasor) / math.sqrt(2.0)
    sure = (found.residual <= SETTLED) & (found.share <= NEARLY) & (beyond <= LEFT_OUT * rms)
    return found.outputs, sure


def ideal(order: int, theta: float, tones: Tones) -> Periodic:
    """Give the steady state of the ideal memory."""
    turns = _turns(tones)
    phasor = np.zeros((1, turns[-1], order), complex)
    phasor[:, turns - 1] = steady_response(legendre(order, theta), tones.frequency) * tones.phasor[:, None]
    return Periodic(tones, phasor, np.zeros((1, order)), np.ones(1, bool))
