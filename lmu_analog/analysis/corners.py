"""Corners: temperature, supply and process together, each alone and all crossed, nominal and with mismatch.

What all parts of a class share is at three sigma of its lot, R, C and gm independently; what is left to every
part alone is drawn. The circuit is the linear one: a supply changes where its amplifiers clip, not its response.
"""

import itertools
import math
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
import xarray as xr
from jaxtyping import Float

from lmu_analog.analysis.device_under_calibration import (
    DeviceUnderCalibration,
    circuit_device,
    excitation,
    profiles,
    responses,
)
from lmu_analog.analysis.readouts import effective_theta, ideal_rows
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.circuits.nodal.stages import output_ends
from lmu_analog.circuits.temperature import NOMINAL, at_temperature
from lmu_analog.design import Design
from lmu_analog.design_keys import COLDEST, HOTTEST
from lmu_analog.errors import DesignError, shown
from lmu_analog.limits import output_range
from lmu_analog.memory import window
from lmu_analog.memory.stability import is_stable
from lmu_analog.mismatch.law import Mismatch, check_seed, draw, is_sound, sample
from lmu_analog.simulation import Grid, grid

# The sign of a part's error that makes the memory's window longer: larger R, L and C, smaller gm.
SLOW = {"resistor": 1.0, "capacitor": 1.0, "inductor": 1.0, "transconductor": -1.0}
_SIGMAS = 3.0
LEVELS = ("slow", "typical", "fast")
_TEMPERATURES = (233.15, NOMINAL, 358.15)  # K: -40 to 85 C, the industrial range
_SUPPLIES = (0.9, 1.0, 1.1)  # of the nominal supply
MOST_SAMPLES, MOST_CORNERS = 1000, 5000

_UNITS = {
    "window_nrmse": "1",
    "effective_theta": "s",
    "offset": "V",
    "lowest": "V",
    "highest": "V",
    "median_nrmse": "1",
    "p95_nrmse": "1",
    "unstable": "1",
    "offset_rms": "V",
}


@dataclass(frozen=True)
class Axes:
    """Where to look; a class, and the temperature, whose effect the design does not know is left out.

    Attributes
    ----------
    temperatures : tuple of float, K
    supplies : tuple of float
        Fractions of the nominal supply.
    samples : int
        Mismatched circuits at every corner, the same ones everywhere; none for 0.
    """

    temperatures: tuple[float, ...] = _TEMPERATURES
    supplies: tuple[float, ...] = _SUPPLIES
    samples: int = 50


def corners(design: Design, seed: int = 0, *, axes: Axes | None = None) -> xr.Dataset:
    """Look at a circuit in every corner.

    Parameters
    ----------
    design : Design
        Lots are those of its mismatch, or of its technology; drifts those of ``[drift]`` or the technology.
    seed : int
    axes : Axes, optional

    Returns
    -------
    xarray.Dataset
        Over the process classes that have a lot, ``temperature`` (K) and ``supply`` (fraction of nominal): of the
        nominal circuit ``window_nrmse``, ``effective_theta`` (s, of the ideal delays that fit best), ``offset``
        (V, rms over the window, at u = 0) and ``headroom`` (fraction of the output swing at that supply that the
        largest amplifier output leaves; negative where it clips, NaN without real op-amps); of mismatched ones
        ``median_nrmse``, ``p95_nrmse``, ``unstable`` (a fraction) and ``offset_rms`` (V, over samples).
        Attributes ``lot_resistor`` and so on: the ends of the process axes, fractions; ``unknown_drift``: classes
        that the circuit has and temperature leaves where they are, as their coefficients are not known.

    Raises
    ------
    DesignError
        If an axis or the number of samples is beyond sense.
    """
    axes = axes or Axes()
    circuit = build(design.replace(temperature=None))
    device, on = circuit_device(design), grid(design.stimulus, design.theta)
    lots = {kind: share for kind in SLOW if (share := _lot(design, circuit, kind))}
    law = design.temperature_law
    drifts = any(drift.tc1 or drift.tc2 for drift in law.values())
    temperatures = axes.temperatures if drifts else (NOMINAL,)
    _check(axes, len(temperatures) * len(LEVELS) ** len(lots))
    local = _local_values(design, circuit, seed=seed, samples=axes.samples)
    every = np.concatenate([circuit.values[None], local])
    found: list[dict[str, float]] = []
    for levels in itertools.product(LEVELS, repeat=len(lots)):
        values = every * _factors(circuit, dict(zip(lots, levels, strict=True)), lots)
        for temperature in temperatures:
            here = at_temperature(circuit, law, temperature, values=values)
            found.append(_figures(design, circuit, here, device=device, on=on))
    shape = (*[len(LEVELS)] * len(lots), len(temperatures))
    result = xr.Dataset(
        {
            name: ((*lots, "temperature"), np.reshape([of[name] for of in found], shape), {"units": unit})
            for name, unit in _UNITS.items()
        },
        coords={
            **{k: list(LEVELS) for k in lots},
            "temperature": ("temperature", list(temperatures), {"units": "K"}),
        },
    )
    return _with_supply(result, axes.supplies, circuit, nominal=(design.rail, design.middle)).assign_attrs(
        seed=seed,
        samples=len(local),
        unknown_drift=[k for k in design.unknown_drift if any(k in p.classes for p in circuit.parameters)],
        **{f"lot_{k}": v for k, v in lots.items()},
        **design.provenance,
    )


def _figures(
    design: Design,
    circuit: Circuit,
    values: Float[np.ndarray, "s m"],
    *,
    device: DeviceUnderCalibration,
    on: Grid,
) -> dict[str, float]:
    """Give the figures of one corner.

    Parameters
    ----------
    design : Design
    circuit : Circuit
        At the temperature where parts are nominal.
    values : (s, m) array
        Of the nominal circuit, then of mismatched ones, in this corner.
    device : DeviceUnderCalibration
    on : Grid

    Returns
    -------
    dict
        As the variables of ``corners``, and ``lowest`` and ``highest``: the ends of what op-amps' outputs reach, V.
    """
    system = device.system(values)
    given = excitation(device.order, design.bandwidth, theta=design.theta, also=design.stimulus)
    rows = ideal_rows(device.order, given)
    with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
        profile = profiles(system, on, rows, theta=device.theta, rule=given.rule)
        error = window.window_nrmse(profile, given.rule)
    good = is_stable(system) & is_sound(circuit, values)
    error = np.where(good, error, np.inf)
    offset = np.zeros(len(values))
    if system.offset is not None:  # rms over the window
        offset = np.sqrt(system.offset**2 @ (1.0 / (2.0 * np.arange(system.offset.shape[-1]) + 1.0)))
    states = responses(device, values[:1], given.frequency)[0]
    lowest, highest = output_range(with_values(circuit, values[0]), on.stimulus)
    found = {
        "window_nrmse": float(error[0]),
        "effective_theta": effective_theta(states, given, device.theta),
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


def _lot(design: Design, circuit: Circuit, kind: str) -> float:
    """Give three sigma of what all parts of a class share, a fraction; 0 where the circuit has no such part.

    The lot is that of the mismatch, or of the technology where the mismatch does not name the class.
    """
    if not any(kind in p.classes for p in circuit.parameters):
        return 0.0
    tolerance = design.tolerances.get(kind)
    if tolerance is None:
        devices = technology(design.technology).devices.values() if design.technology else ()
        return next((d.lot for d in devices if d.kind == kind), 0.0)
    match tolerance.distribution:
        case "gauss":
            return _SIGMAS * tolerance.lot
        case "lognormal":
            return math.expm1(_SIGMAS * math.sqrt(math.log1p(tolerance.lot**2)))
        case _:  # gauss3 ends at three sigma, and uniform at its half width
            return tolerance.lot


def _factors(circuit: Circuit, levels: dict[str, str], lots: dict[str, float]) -> Float[np.ndarray, " m"]:
    """Give what lots at their ends do to every parameter, (m,): 1 + lot or 1 - lot."""
    found = np.ones(len(circuit.parameters))
    for kind, level in levels.items():
        if level != "typical":
            away = SLOW[kind] * (1.0 if level == "slow" else -1.0)
            has = np.array([kind in p.classes for p in circuit.parameters], bool)
            found[has] *= 1.0 + away * lots[kind]
    return found


def _local_values(design: Design, circuit: Circuit, *, seed: int, samples: int) -> Float[np.ndarray, "s m"]:
    """Draw mismatched circuits without what their parts share; none for no samples."""
    law = Mismatch.of(design)
    law = replace(law, classes={k: replace(t, lot=0.0) for k, t in law.classes.items()})
    if not samples or not law.classes:
        return np.zeros((0, len(circuit.parameters)))
    return sample(circuit, law, draw(circuit, law, seed=check_seed(seed), samples=range(samples)))


def _with_supply(
    found: xr.Dataset, supplies: tuple[float, ...], circuit: Circuit, *, nominal: tuple[float, float]
) -> xr.Dataset:
    """Repeat a linear circuit's figures at every supply, and say what each leaves of the output swing.

    Outputs of real op-amps stay as far from the rails as they do at the nominal supply, whose rails are so far, V, from
    its middle, V against ground; signals are about the middle of any.
    """
    distance, middle = nominal
    ends = [output_ends(c) for c in circuit.amplifiers]
    floor = max((low for low, _ in ends), default=-np.inf)
    rail = min((high for _, high in ends), default=np.inf)
    supply = xr.DataArray(list(supplies), dims="supply", attrs={"units": "1"})
    wide = found.drop_vars(["lowest", "highest"]).expand_dims(supply=supply.values, axis=-1)
    more = (supply - 1.0) * distance
    high, low = rail - middle + more, floor - middle - more
    # A supply that leaves no swing is beyond any; without real op-amps NaN stays NaN.
    highest, lowest = found.highest - middle, found.lowest - middle
    share = np.maximum(highest / high.where(high > 0.0, 0.0), lowest / low.where(low < 0.0, -0.0))
    headroom = (1.0 - share).assign_attrs(units="1")
    return wide.assign(headroom=headroom)


def _check(axes: Axes, places: int) -> None:
    if not axes.temperatures or not all(COLDEST <= t <= HOTTEST for t in axes.temperatures):
        raise DesignError(f"temperatures lie from {COLDEST:g} to {HOTTEST:g} K; write '85 C' for Celsius")
    if not axes.supplies or not all(0.1 <= share <= 10.0 for share in axes.supplies):
        raise DesignError("supplies are fractions of the nominal one, 10 % to 1000 %")
    if not 0 <= axes.samples <= MOST_SAMPLES:
        raise DesignError(f"{shown(axes.samples)} samples a corner; 0 to {MOST_SAMPLES} are accepted")
    if places > MOST_CORNERS:
        raise DesignError(f"{places} corners; at most {MOST_CORNERS}: give fewer temperatures")


def one_at_a_time(found: xr.Dataset) -> list[tuple[str, xr.Dataset]]:
    """Pick from a cross the typical corner, then those where one thing alone is off; with their names.

    Parameters
    ----------
    found : Dataset
        From ``corners``.
    """
    dims = [str(d) for d in found.window_nrmse.dims]
    middle = {d: _typical(found, d) for d in dims}
    rows = [("typical", found.isel(middle))]
    for d in dims:
        for k in range(found.sizes[d]):
            if k != middle[d]:
                rows.append((label(d, found[d].values[k]), found.isel({**middle, d: k})))
    return rows


def worst(found: xr.Dataset, figure: str = "window_nrmse") -> tuple[str, xr.Dataset]:
    """Find the corner with the largest ``figure`` and name it."""
    dims = [str(d) for d in found[figure].dims]
    shape = tuple(found.sizes[d] for d in dims)
    flat = int(np.argmax(np.nan_to_num(found[figure].values, nan=-np.inf, posinf=np.inf)))
    at = {d: int(k) for d, k in zip(dims, np.unravel_index(flat, shape), strict=True)}
    return ", ".join(label(d, found[d].values[k]) for d, k in at.items()), found.isel(at)


def label(axis: str, value: object) -> str:
    """Name a place on an axis as people do: ``85 C``, ``resistor slow``, ``supply 90 %``."""
    if axis == "temperature":
        return f"{cast('float', value) - 273.15:g} C"
    return f"supply {100 * cast('float', value):g} %" if axis == "supply" else f"{axis} {value}"


def _typical(found: xr.Dataset, axis: str) -> int:
    nominal = {"temperature": NOMINAL, "supply": 1.0}
    if axis not in nominal:
        return LEVELS.index("typical")
    return int(np.argmin(np.abs(found[axis].values - nominal[axis])))
