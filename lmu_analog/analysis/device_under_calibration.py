"""The device under calibration: element values in, responses of the Legendre states out.

The device under calibration is a realization whose coefficients deviate, or a circuit whose components do;
calibration treats both alike.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.memory import window
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, cut
from lmu_analog.memory.structure import read_out
from lmu_analog.reduction.reduced import planned, state_spaces
from lmu_analog.simulation import Grid, exact_states, ideal_window
from lmu_analog.stimulus import Stimulus, Tones

FEWEST_NODES, NODES_A_STATE = 24, 4  # 48 frequencies at order 12, 96 at order 24
_BATCH = 2048  # circuits at once: bounds the memory


@dataclass(frozen=True, eq=False)
class DeviceUnderCalibration:
    """The device under calibration: element values to systems whose outputs are the Legendre states.

    Attributes
    ----------
    system : callable
        Values (s, m) to a ``StateSpace`` with the axis s.
    names : tuple of str
        Of the m elements.
    nominal : (m,) array
        Their values.
    theta : float, s
    order : int
    rates : (m,) bool array
        Elements that one knob turns together to stretch theta.
    """

    system: Callable[[np.ndarray], StateSpace]
    names: tuple[str, ...]
    nominal: Float[np.ndarray, " m"]
    theta: float
    order: int
    rates: np.ndarray


@dataclass(frozen=True, eq=False)
class Excitation:
    """The input of a calibration: tones (f,), Hz, whose power (f,) adds up to one.

    ``rule`` says where in the window an error is taken, and a readout fitted.
    """

    frequency: Float[np.ndarray, " f"]
    power: Float[np.ndarray, " f"]
    rule: window.Quadrature = window.QUADRATURE


def excitation(order: int, bandwidth: float, *, theta: float, also: Stimulus | None = None) -> Excitation:
    """Give tones at Gauss-Legendre nodes of the band: a flat spectrum, integrated exactly.

    Parameters
    ----------
    order : int
    bandwidth : float, Hz
    theta : float, s
    also : Stimulus, optional
        What else the places in the window have to suit, if tones.
    """
    rule = window.gauss_legendre(max(FEWEST_NODES, NODES_A_STATE * order))
    heard = [bandwidth, *(also.frequency[also.phasor != 0.0] if isinstance(also, Tones) else ())]
    wave = (np.array(heard), np.ones(len(heard), complex))
    return Excitation(bandwidth * rule.r, rule.weight, window.quadrature_for(order, wave, theta))


def coefficient_device(realization: Realization) -> DeviceUnderCalibration:
    """Let every coefficient of a realization deviate by itself; one factor on A and B is the last column."""
    structure = realization.structure

    def system(values: np.ndarray) -> StateSpace:
        found = read_out(structure, realization.readout, values[..., :-1])
        slower = values[..., -1, None, None]
        return replace(found, A=found.A / slower, B=found.B / slower)

    names = (*(c.name for c in structure.coefficients), "time")
    nominal = np.append(structure.values, 1.0)
    last = np.arange(len(nominal)) == len(nominal) - 1
    return DeviceUnderCalibration(system, names, nominal, realization.theta, len(realization.readout), last)


def circuit_device(design: Design) -> DeviceUnderCalibration:
    """Let the parameters of a design's circuit deviate, at the temperature where parts are nominal.

    The knob of theta turns all capacitors and inductors together; a clocked circuit has none.
    """
    circuit = build(design.replace(temperature=None))
    reduction = planned(circuit, band=design.bandwidth)

    def system(values: np.ndarray) -> StateSpace:
        return state_spaces(circuit, reduction, values)

    stores = [bool({"capacitor", "inductor"} & set(p.classes)) for p in circuit.parameters]
    return DeviceUnderCalibration(
        system,
        tuple(p.name for p in circuit.parameters),
        circuit.values,
        circuit.theta,
        circuit.order,
        np.array(stores, bool) & (circuit.clock is None),
    )


def responses(
    device: DeviceUnderCalibration, values: Float[np.ndarray, "s m"], frequency: Float[np.ndarray, " f"]
) -> Complex[np.ndarray, "s f d"]:
    """Measure the Legendre states for unit input at every frequency, (s, f, d)."""
    parts = [
        steady_response(device.system(values[k : k + _BATCH]), frequency)
        for k in range(0, len(values), _BATCH)
    ]
    return np.concatenate(parts)


def power_error(
    states: Complex[np.ndarray, "s f d"],
    given: Excitation,
    theta: float,
    *,
    rows: Float[np.ndarray, "*s q d"],
) -> Float[np.ndarray, "s"]:
    """Window error of responses read out by ``rows`` of each circuit, or of all; (s,), a fraction of rms(u)."""
    wave = (given.frequency, np.sqrt(2.0 * given.power))
    profile = _tone_profile(states * wave[1][:, None], wave, theta * given.rule.r, rows)
    return window.window_nrmse(profile, given.rule)


def profiles(
    system: StateSpace,
    grid: Grid,
    rows: Float[np.ndarray, "*s q d"],
    *,
    theta: float,
    rule: window.Quadrature,
    constant: Float[np.ndarray, "#s q"] | None = None,
) -> Float[np.ndarray, "s q"]:
    """NRMSE over the window of many systems with a readout each, or one for all.

    Parameters
    ----------
    system : StateSpace
        With one leading axis s.
    grid : Grid
    rows : (s, q, d) or (q, d) array
        Estimates over the window from the Legendre states.
    theta : float, s
    rule : Quadrature
        Places of the estimates.
    constant : (s, q) array, V, optional
        Added to the estimates: the offset that a calibration subtracts.
    """
    shift = np.zeros((1, len(rule.r))) if constant is None else constant
    match grid.stimulus:
        case Tones() as tones:
            phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
            offset = np.zeros((1, phasor.shape[-1])) if system.offset is None else system.offset
            total = (rows @ offset[..., None])[..., 0] + shift
            return _tone_profile(phasor, (tones.frequency, tones.phasor), theta * rule.r, rows, offset=total)
        case _:
            truth = ideal_window(grid, theta, rule)
            found = []
            for k in range(len(system.A)):
                mine = rows if rows.ndim == 2 else rows[k]
                estimate = exact_states(cut(system, k), grid) @ mine.T + shift[k % len(shift)]
                found.append(np.sqrt(np.mean((estimate - truth) ** 2, axis=0)) / grid.rms)
            return np.array(found)


def _tone_profile(
    states: np.ndarray,
    wave: tuple[np.ndarray, np.ndarray],
    delays: np.ndarray,
    rows: np.ndarray,
    *,
    offset: np.ndarray | float = 0.0,
) -> np.ndarray:
    frequency, phasor = wave
    ideal = np.exp(-2j * np.pi * np.outer(frequency, delays)) * phasor[:, None]
    error = states @ np.swapaxes(rows, -1, -2) - ideal
    power = 0.5 * np.sum(np.abs(error) ** 2, axis=-2)
    power = power + np.asarray(offset) ** 2
    return np.sqrt(power / (0.5 * np.sum(np.abs(phasor) ** 2)))
