"""Technologies: mismatch and temperature coefficients of their devices, from ``technologies.toml``."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np

from lmu_analog.circuits.devices.tolerance import Tolerance, spreads
from lmu_analog.circuits.temperature import Drift
from lmu_analog.errors import DesignError, shown

MICRON = 1e-6
GAUSS3 = 3.0  # a gauss3 tolerance is three sigma
LOT_SHARE = 0.6  # of a discrete part's tolerance: how far the mean of a reel may lie off
PASSIVE = ("resistor", "capacitor", "inductor")  # what a polynomial in temperature describes
UNITS = {
    "local": 1e-2 * MICRON,
    "threshold": 1e-3 * MICRON,
    "tolerance": 1e-2,
    "lot": 1e-2,
    "tc1": 1e-6,
    "tc2": 1e-6,
    "sheet": 1.0,
    "density": 1e-15 / MICRON**2,
    "edge": 1e-3 * MICRON,
}  # of figures in the file
THERMAL_SLOPE = 1.35 * 0.025852  # V: n U_T, by which V_T moves the current in weak inversion


@dataclass(frozen=True)
class Device:
    """A kind of device.

    Attributes
    ----------
    name : str
    kind : str
        Its mismatch class.
    local : float or None, m
        Sigma of one device, a fraction, times the root of its area; None where only its lot is known.
    threshold : float, V m
        Sigma of V_T of one transistor times the root of its area.
    edge : float, m
        Sigma of the width, and of the length, of one device.
    tolerance : float
        Of a part on a board, a fraction.
    lot : float
        What a circuit's devices share, three sigma, a fraction.
    tc1 : float or None, 1/K
        None where it is not known.
    tc2 : float, 1/K^2
    source, confidence : str
    sheet : float or None, Ohm
        Of a square of a resistor.
    density : float or None, F/m^2
        Of a capacitor.
    """

    name: str
    kind: str
    source: str
    confidence: str
    local: float | None = None
    threshold: float = 0.0
    tolerance: float = 0.0
    lot: float = 0.0
    tc1: float | None = None
    tc2: float = 0.0
    sheet: float | None = None
    density: float | None = None
    edge: float = 0.0


@dataclass(frozen=True)
class Technology:
    """Devices by name; the first of a class stands for it."""

    name: str
    about: str
    devices: Mapping[str, Device]

    def device(self, name: str) -> Device:
        """Find a device by its name or its class.

        Raises
        ------
        DesignError
            If there is none.
        """
        for device in self.devices.values():
            if name in (device.name, device.kind):
                return device
        known = ", ".join(f"{d.name} ({d.kind})" for d in self.devices.values())
        raise DesignError(f"{self.name} has no {shown(name)}; it has {known}")

    def drifts(self, named: Mapping[str, str]) -> dict[str, Drift]:
        """Give the known coefficients of classes: of the device named for it, or of the first of the class."""
        chosen = self._chosen(named)
        return {d.kind: Drift(d.tc1, d.tc2) for d in chosen if d.tc1 is not None}

    def without_drift(self, named: Mapping[str, str]) -> dict[str, str]:
        """Give the passive classes whose coefficients are not known, each with the device that stands for it."""
        return {d.kind: d.name for d in self._chosen(named) if d.tc1 is None and d.kind in PASSIVE}

    def _chosen(self, named: Mapping[str, str]) -> list[Device]:
        kinds = dict.fromkeys(device.kind for device in self.devices.values())
        return [self.device(named.get(kind, kind)) for kind in kinds]


@cache
def technologies() -> dict[str, Technology]:
    """Read the technologies that ship with the package."""
    text = resources.files("lmu_analog.circuits.devices").joinpath("technologies.toml").read_text("utf-8")
    return {
        name: Technology(name, str(table.pop("about")), {k: _device(k, v) for k, v in table.items()})
        for name, table in tomllib.loads(text).items()
    }


def technology(name: str) -> Technology:
    """Find a technology.

    Raises
    ------
    DesignError
        If it is unknown.
    """
    if name not in technologies():
        raise DesignError(f"unknown technology {shown(name)}; known are {', '.join(technologies())}")
    return technologies()[name]


def pelgrom(coefficient: float, area: float, *, of: Literal["device", "pair"] = "device") -> float:
    """Sigma of one device, or of the difference of a pair, from the coefficient of one device.

    sigma = A/sqrt(W L) (Pelgrom, Welbers and Duinmaijer, JSSC 24, 1989). Published A are often those of the
    difference of a pair; those here are of one device, sqrt(2) smaller.

    Parameters
    ----------
    coefficient : float
        A, any unit times m.
    area : float, m^2
        W L of one device.
    of : {"device", "pair"}

    Raises
    ------
    DesignError
        If the area is not positive.
    """
    if not 0.0 < area < math.inf:
        raise DesignError(f"area = {area:g} m^2; it must be positive")
    return coefficient / math.sqrt(area) * (math.sqrt(2.0) if of == "pair" else 1.0)


def tolerances(
    technology: Technology, area: Mapping[str, float], width: Mapping[str, float] | None = None
) -> dict[str, Tolerance]:
    """Give the mismatch classes of circuits in a technology, as ``[mismatch]`` of a design takes them.

    On a chip: ``gauss3`` with three sigma of one device, and the lot. With L = area/W,
    sigma^2 = local^2/(W L) + (edge/W)^2 + (edge/L)^2: sheet resistance, width and length deviate
    independently. Transistors count in weak inversion,
    where a threshold voltage moves the current most: sigma_I/I = sigma_VT/(n U_T). On a board: ``uniform``,
    0.6 of the tolerance as the lot and 0.4 as the device; op-amps ``gauss3`` with a lot of their own.

    Parameters
    ----------
    technology : Technology
    area : dict
        Name or class of a device to its area W L, m^2; of parts on a board it is not used.
    width : dict, optional
        The same to its width W, m; a device left out is square.

    Raises
    ------
    DesignError
        If a device is unknown or named twice for a class, has no area coefficient, or deviates by 100 %.
    """
    found: dict[str, Tolerance] = {}
    for name, size in area.items():
        device = technology.device(name)
        if device.kind in found:
            raise DesignError(f"{technology.name}: two devices for the class {device.kind}; give one of them")
        plain = _tolerance(device, size)
        if device.edge:
            shape = Tolerance(
                plain.tolerance, area=size, width=(width or {}).get(name), edge=GAUSS3 * device.edge
            )
            plain = replace(plain, tolerance=float(spreads(shape, np.ones(1))[0]))
        found[device.kind] = plain
    return found


def resolved(tolerance: Tolerance, kind: str, name: str | None) -> Tolerance:
    """Let a technology say how much a class deviates, if the tolerance leaves that to it.

    Parameters
    ----------
    tolerance : Tolerance
        Returned as it is if it names neither area nor device.
    kind : str
        The mismatch class.
    name : str or None
        The technology.

    Raises
    ------
    DesignError
        If there is no technology, or it has no such device of the class, or the device needs an area.
    """
    if not tolerance.by_technology:
        return tolerance
    if name is None:
        raise DesignError("area or device without [circuit] technology; give one, or a tolerance")
    device = technology(name).device(tolerance.device or kind)
    if device.kind != kind:
        raise DesignError(f"{device.name} is a {device.kind}, not a {kind}")
    if tolerance.area is None and not device.tolerance:
        raise DesignError(f"{device.name} of {name} needs an area, for example area = '25 um2'")
    found = _tolerance(device, tolerance.area or 0.0)
    if tolerance.area is None or not device.edge:
        return replace(found, scale=tolerance.scale)
    sheet = 0.0 if device.sheet is None else device.sheet
    shape = {"area": tolerance.area, "width": tolerance.width, "edge": GAUSS3 * device.edge, "sheet": sheet}
    return replace(found, scale=tolerance.scale, device=device.name, **shape)


def _tolerance(device: Device, area: float) -> Tolerance:
    """Give what follows from the area alone."""
    if device.tolerance and device.lot:
        return Tolerance(device.tolerance, "gauss3", device.lot)
    if device.tolerance:
        return Tolerance((1.0 - LOT_SHARE) * device.tolerance, "uniform", LOT_SHARE * device.tolerance)
    coefficient = device.threshold / THERMAL_SLOPE if device.threshold else device.local
    if coefficient is None:
        raise DesignError(f"{device.name} has no area coefficient: {device.source}")
    local = GAUSS3 * pelgrom(coefficient, area)
    if local >= 1.0:
        raise DesignError(
            f"{device.name} of {area / MICRON**2:g} um^2 deviates by {100 * local:.3g} % (three sigma); "
            f"take at least {area * local**2 / MICRON**2:.3g} um^2"
        )
    return Tolerance(local, "gauss3", device.lot)


def _device(name: str, figures: dict[str, Any]) -> Device:
    known = {key: float(figures[key]) * unit for key, unit in UNITS.items() if key in figures}
    return Device(name, str(figures["class"]), str(figures["source"]), str(figures["confidence"]), **known)
