"""Mismatch and process of a circuit in an open process: the foundry's sigmas, our draws.

A draw is a function of (seed, sample, name), as everywhere in this package (``mismatch.law``): any engine, any number
of workers and any stretch of samples meet the same numbers.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.devices.pdk import Pdk
from lmu_analog.circuits.patterns import fits
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import normals
from lmu_analog.mismatch.selection import Selection
from lmu_analog.silicon.devices import Mim, Mos, Resistor, SiliconCircuit

Acting = Literal["both", "mismatch", "process"]


@dataclass(frozen=True, eq=False)
class Spread:
    """One standard deviation of everything that may deviate in a circuit.

    Attributes
    ----------
    threshold : (n,) array, V
        Of every transistor's threshold voltage, local.
    mobility : (n,) array
        Of every transistor's current factor, a fraction, local.
    capacitance : (c,) array
        Of every capacitor, a fraction, local.
    process : tuple of str
        Independent variables that all devices of a chip share.
    resistance : (r,) array
        Of every resistor, a fraction, local.
    """

    threshold: Float[np.ndarray, " n"]
    mobility: Float[np.ndarray, " n"]
    capacitance: Float[np.ndarray, " c"]
    process: tuple[str, ...]
    resistance: Float[np.ndarray, " r"]


@dataclass(frozen=True, eq=False)
class Deviations:
    """What deviates in some samples.

    Attributes
    ----------
    threshold : (s, n) array, V
    mobility, capacitance : (s, n) and (s, c) array
        Relative.
    process : (s, p) array
        Shared variables in standard deviations.
    resistance : (s, r) array
        Relative.
    """

    threshold: Float[np.ndarray, "s n"]
    mobility: Float[np.ndarray, "s n"]
    capacitance: Float[np.ndarray, "s c"]
    process: Float[np.ndarray, "s p"]
    resistance: Float[np.ndarray, "s r"]

    def __len__(self) -> int:
        return len(self.threshold)

    def of(self, samples: np.ndarray | slice) -> "Deviations":
        """Give those of some samples."""
        return Deviations(
            self.threshold[samples],
            self.mobility[samples],
            self.capacitance[samples],
            self.process[samples],
            self.resistance[samples],
        )


def spread(circuit: SiliconCircuit, pdk: Pdk) -> Spread:
    """Give the standard deviations of a circuit's devices, from their areas and the coefficients of its PDK.

    sigma = A/sqrt((L - dL)(W - dW)) of one device (Pelgrom, Welbers and Duinmaijer, JSSC 24, 1989), with the PDK's own
    effective sizes. Devices side by side count as one of their whole width.
    """

    def of(device: str, width: float, length: float, count: int) -> float:
        known = pdk.devices[device]
        return 1.0 / math.sqrt(known.effective_area(width, length) * count)

    mos, mim = circuit.transistors, circuit.capacitors
    strips = [
        of(x.device, x.width, x.length, x.count) * (pdk.devices[x.device].local or 0.0) if x.device else 0.0
        for x in circuit.resistors
    ]
    root = np.array([of(x.device, x.width, x.length, x.count) for x in mos])
    plates = np.array([of(x.device, x.width, x.length, x.count) for x in mim])
    return Spread(
        root * [pdk.devices[x.device].threshold for x in mos],
        root * [pdk.devices[x.device].mobility for x in mos],
        plates * [pdk.devices[x.device].local or 0.0 for x in mim],
        process_variables(circuit, pdk),
        np.array(strips, float),
    )


def process_variables(circuit: SiliconCircuit, pdk: Pdk) -> tuple[str, ...]:
    """Name the shared variables that move any device of a circuit, in the order of the PDK."""
    used = {x.device for x in circuit.devices}
    return tuple(dict.fromkeys(v for row in pdk.process if row.device in used for v in row.per_sigma))


def names(circuit: SiliconCircuit, found: Spread) -> list[str]:
    """Name all draws: of transistors, of capacitors, of resistors, of the process."""
    return list(_names(circuit.transistors, circuit.capacitors, circuit.resistors, found.process))


def _names(
    mos: Sequence[Mos], mim: Sequence[Mim], strips: Sequence[Resistor], process: Sequence[str]
) -> Iterator[str]:
    for kind in ("threshold", "mobility"):
        yield from (f"{x.name}|{kind}" for x in mos)
    yield from (f"{x.name}|capacitor" for x in mim)
    yield from (f"{x.name}|resistor" for x in strips)
    yield from (f"process|{name}" for name in process)


def deviations(
    circuit: SiliconCircuit,
    found: Spread,
    *,
    seed: int,
    samples: range,
    acting: Acting = "both",
    chosen: Bool[np.ndarray, " z"] | None = None,
) -> Deviations:
    """Draw some samples.

    Parameters
    ----------
    circuit : SiliconCircuit
    found : Spread
        Of the circuit.
    seed : int
    samples : range
        Consecutive, counted from 0.
    acting : {"both", "mismatch", "process"}
        What deviates; the draws of what does are the same in all three cases.
    chosen : (z,) bool array, optional
        Which draws act, as ``acting_draws`` says; the others are zero.
    """
    z = normals(seed, names(circuit, found), samples)
    drawn = from_normals(found, z if chosen is None else np.where(chosen, z, 0.0))
    local, shared = float(acting != "process"), float(acting != "mismatch")
    return Deviations(
        local * drawn.threshold,
        local * drawn.mobility,
        local * drawn.capacitance,
        shared * drawn.process,
        local * drawn.resistance,
    )


def from_normals(found: Spread, z: Float[np.ndarray, "s z"]) -> Deviations:
    """Give the samples of some standard normals, whose columns are as in ``names``."""
    sizes = [len(found.threshold), len(found.mobility), len(found.capacitance), len(found.resistance)]
    threshold, mobility, capacitance, resistance, process = np.split(z, np.cumsum(sizes), axis=1)
    return Deviations(
        found.threshold * threshold,
        found.mobility * mobility,
        found.capacitance * capacitance,
        process,
        found.resistance * resistance,
    )


def acting_draws(circuit: SiliconCircuit, found: Spread, selection: Selection) -> Bool[np.ndarray, " z"]:
    """Tell which draws act, in the order of ``names``.

    A pattern is the name of devices (``L*.l``), ``role:tail``, ``kind:nmos`` or ``kind:mim``, ``class:threshold``
    (likewise mobility, capacitor and resistor), the name of a variable of the process, ``local`` for mismatch,
    ``lot`` for the process, ``all`` or ``none``.

    Raises
    ------
    DesignError
        If a pattern picks nothing.
    """
    drawn = [
        *((x, kind) for kind in ("threshold", "mobility") for x in circuit.transistors),
        *((x, "capacitor") for x in circuit.capacitors),
        *((x, "resistor") for x in circuit.resistors),
    ]

    def hit(pattern: str) -> list[bool]:
        by, colon, rest = pattern.partition(":")
        if pattern in ("all", "none"):
            return [pattern == "all"] * (len(drawn) + len(found.process))
        if pattern in ("local", "lot"):
            return [pattern == "local"] * len(drawn) + [pattern == "lot"] * len(found.process)
        texts = [
            {"role": x.role, "kind": x.device.partition("_")[0], "class": kind}.get(by, "")
            if colon
            else x.name
            for x, kind in drawn
        ]
        shared = ["" if colon else name for name in found.process]
        hits = [fits(text, rest if colon else pattern) for text in (*texts, *shared)]
        if not any(hits):
            roles = ", ".join(f"role:{role}" for role in dict.fromkeys(x.role for x, _ in drawn))
            raise DesignError(
                f"{pattern[:60]!r} picks no mismatch; there are {roles}, kind:nmos, kind:pmos, kind:mim, "
                "class:threshold, class:mobility, class:capacitor, local, lot, none"
            )
        return hits

    def union(patterns: Sequence[str]) -> np.ndarray:
        return np.any([hit(p) for p in patterns], axis=0)

    chosen = np.ones(len(drawn) + len(found.process), bool)
    if selection.only:
        chosen = union(selection.only)
    return chosen & ~union(selection.without) if selection.without else chosen


def nominal(circuit: SiliconCircuit, found: Spread, samples: int = 1) -> Deviations:
    """Give samples in which nothing deviates."""
    n, c, p = len(found.threshold), len(found.capacitance), len(found.process)
    return Deviations(*(np.zeros((samples, k)) for k in (n, n, c, p, len(found.resistance))))
