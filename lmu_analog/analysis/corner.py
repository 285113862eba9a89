"""One corner of a circuit: its values there, and the figures of the nominal and of mismatched circuits."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.device_under_calibration import (
    DeviceUnderCalibration,
    excitation,
    profiles,
    responses,
)
from lmu_analog.analysis.effective_theta import effective_theta
from lmu_analog.analysis.readouts import ideal_rows
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.temperature import at_temperature
from lmu_analog.design import Design
from lmu_analog.limits import output_range
from lmu_analog.memory import window
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.mismatch.law import Mismatch, check_seed, draw, is_sound, sample
from lmu_analog.simulation import Grid

# The sign of a part's error that makes the memory's window longer: larger R, L and C, smaller gm.
SLOW = {"resistor": 1.0, "capacitor": 1.0, "inductor": 1.0, "transconductor": -1.0}
_SIGMAS = 3.0


@dataclass(frozen=True, eq=False)
class Look:
    """What is the same in all corners.

    Attributes
    ----------
    design : Design
    device : DeviceUnderCalibration
    circuit : Circuit
        At the temperature where parts are nominal.
    local : (s, m) array
        Values of mismatched circuits without their lots.
    grid : Grid
    """

    design: Design
    device: DeviceUnderCalibration
    circuit: Circuit
    local: Float[np.ndarray, "s m"]
    grid: Grid


def figures(look: Look, factor: Float[np.ndarray, " m"], temperature: float) -> dict[str, float]:
    """Give the figures of one corner.

    Parameters
    ----------
    look : Look
    factor : (m,) array
        What the lots do to every parameter.
    temperature : float, K

    Returns
    -------
    dict
        As the variables of ``corners.corners``, and ``lowest`` and ``highest``: the ends of what op-amps' outputs
        reach, V.
    """
    values = np.concatenate([look.circuit.values[None], look.local]) * factor
    values = at_temperature(look.circuit, look.design.temperature_law, temperature, values=values)
    system = look.device.system(values)
    design = look.design
    given = excitation(look.device.order, design.bandwidth, theta=design.theta, also=design.stimulus)
    rows = ideal_rows(look.device.order, given)
    with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
        profile = profiles(system, look.grid, rows, theta=look.device.theta, rule=given.rule)
        error = window.window_nrmse(profile, given.rule)
    good = is_stable(system) & is_sound(look.circuit, values)
    error = np.where(good, error, np.inf)
    offset = _offset(system, len(values))
    states = responses(look.device, values[:1], given.frequency)[0]
    lowest, highest = output_range(with_values(look.circuit, values[0]), look.grid.stimulus)
    found = {
        "window_nrmse": float(error[0]),
        "effective_theta": effective_theta(states, given, look.device.theta),
        "offset": float(offset[0]),
        "lowest": lowest,
        "highest": highest,
    }
    if len(error) == 1:
        return {**found, **dict.fromkeys(("median_nrmse", "p95_nrmse", "unstable", "offset_rms"), math.nan)}
    with np.errstate(invalid="ignore"):  # between two infinite samples
        median, p95 = np.percentile(error[1:], [50.0, 95.0])
    return {
        **found,
        "median_nrmse": float(median),
        "p95_nrmse": float(p95),
        "unstable": float(np.mean(~good[1:])),
        "offset_rms": float(np.sqrt(np.mean(offset[1:] ** 2))),
    }


def lot(design: Design, circuit: Circuit, kind: str) -> float:
    """Give three sigma of what all parts of a class share, a fraction; 0 where the circuit has no such part.

    The lot is that of the mismatch, or of the technology where the mismatch does not name the class.
    """
    if not any(kind in p.classes for p in circuit.parameters):
        return 0.0
    tolerance = design.tolerances.get(kind)
    if tolerance is None:
        devices = technology(design.technology).devices.values() if design.technology else ()
        return next((d.lot for d in devices if d.kind == kind), 0.0)
    return _three_sigma(tolerance)


def _three_sigma(tolerance: Tolerance) -> float:
    match tolerance.distribution:
        case "gauss":
            return _SIGMAS * tolerance.lot
        case "lognormal":
            return math.expm1(_SIGMAS * math.sqrt(math.log1p(tolerance.lot**2)))
        case _:  # gauss3 ends at three sigma, and uniform at its half width
            return tolerance.lot


def factors(circuit: Circuit, levels: dict[str, str], lots: dict[str, float]) -> Float[np.ndarray, " m"]:
    """Give what lots at their ends do to every parameter, (m,): 1 + lot or 1 - lot."""
    found = np.ones(len(circuit.parameters))
    for kind, level in levels.items():
        if level != "typical":
            away = SLOW[kind] * (1.0 if level == "slow" else -1.0)
            has = np.array([kind in p.classes for p in circuit.parameters], bool)
            found[has] *= 1.0 + away * lots[kind]
    return found


def local_values(design: Design, circuit: Circuit, *, seed: int, samples: int) -> Float[np.ndarray, "s m"]:
    """Draw mismatched circuits without what their parts share; none for no samples."""
    law = Mismatch.of(design)
    law = replace(law, classes={k: replace(t, lot=0.0) for k, t in law.classes.items()})
    if not samples or not law.classes:
        return np.zeros((0, len(circuit.parameters)))
    return sample(circuit, law, draw(circuit, law, seed=check_seed(seed), samples=range(samples)))


def _offset(system: StateSpace, count: int) -> np.ndarray:
    """Give the rms over the window of the offset, (s,), V."""
    if system.offset is None:
        return np.zeros(count)
    return np.sqrt(system.offset**2 @ (1.0 / (2.0 * np.arange(system.offset.shape[-1]) + 1.0)))
