"""Corners: temperature, supply and process together, each alone and all crossed, nominal and with mismatch.

What all parts of a class share is at three sigma of its lot, R, C and gm independently; what is left to every
part alone is drawn. The circuit is the linear one: a supply changes where its amplifiers clip, not its response.
"""

import itertools
from dataclasses import dataclass
from typing import cast

import numpy as np
import xarray as xr

from lmu_analog.analysis.corner import SLOW, Look, factors, figures, local_values, lot
from lmu_analog.analysis.device_under_calibration import circuit_device
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.stages import output_ends
from lmu_analog.circuits.temperature import NOMINAL
from lmu_analog.design import Design
from lmu_analog.design_keys import COLDEST, HOTTEST
from lmu_analog.errors import DesignError, shown
from lmu_analog.simulation import grid

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
    lots = {kind: share for kind in SLOW if (share := lot(design, circuit, kind))}
    law = design.temperature_law
    drifts = any(law.tc1.values()) or any(law.tc2.values())
    temperatures = axes.temperatures if drifts else (NOMINAL,)
    _check(axes, len(temperatures) * len(LEVELS) ** len(lots))
    local = local_values(design, circuit, seed=seed, samples=axes.samples)
    look = Look(design, circuit_device(design), circuit, local, grid(design.stimulus, design.theta))
    found = [
        figures(look, factors(circuit, dict(zip(lots, levels, strict=True)), lots), temperature)
        for levels in itertools.product(LEVELS, repeat=len(lots))
        for temperature in temperatures
    ]
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
    return _with_supply(result, axes.supplies, _limited(circuit, design)).assign_attrs(
        seed=seed,
        samples=len(local),
        unknown_drift=[k for k in design.unknown_drift if any(k in p.classes for p in circuit.parameters)],
        **{f"lot_{k}": v for k, v in lots.items()},
        **design.provenance,
    )


def _with_supply(found: xr.Dataset, supplies: tuple[float, ...], ends: tuple[float, ...]) -> xr.Dataset:
    """Repeat a linear circuit's figures at every supply, and say what each leaves of the output swing.

    Outputs stay as far from the rails as they do at the nominal supply; ``ends`` are the ends of the swing and
    the supply there, V.
    """
    floor, rail, nominal = ends
    supply = xr.DataArray(list(supplies), dims="supply", attrs={"units": "1"})
    wide = found.drop_vars(["lowest", "highest"]).expand_dims(supply=supply.values, axis=-1)
    more = (supply - 1.0) * nominal
    high, low = rail + more, floor - more
    # A supply that leaves no swing is beyond any; without real op-amps NaN stays NaN.
    share = np.maximum(found.highest / high.where(high > 0.0, 0.0), found.lowest / low.where(low < 0.0, -0.0))
    headroom = (1.0 - share).assign_attrs(units="1")
    return wide.assign(headroom=headroom)


def _limited(circuit: Circuit, design: Design) -> tuple[float, float, float]:
    """Give the ends of what outputs of real op-amps reach, V, and the supply."""
    found = [output_ends(c) for c in circuit.amplifiers]
    return (
        max((f for f, _ in found), default=-np.inf),
        min((r for _, r in found), default=np.inf),
        design.supply,
    )


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
