"""Candidates on a chip: transconductors and capacitors of any value, whose areas say how much they deviate.

No value is a standard one, so a structure (order, realization, readout) is linearised once, and what its candidates
differ in is arithmetic. All currents and charges of a circuit go with its capacitance: the error does not depend on it,
power goes with it, noise with its inverse. The area of a capacitor is its value over the density of the technology,
that of a transistor is chosen, and the tolerance of either follows from it (``circuits.devices.technology``). Where
transconductors add capacitance of their own this holds at one capacitance alone, and each has structures of its own.

Areas and capacitances are nearly continuous, and so would the front be: thousands of circuits that differ by less than
the law can be wrong by. The front takes errors as equal that lie within one of the steps of ``MARGIN``.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from jaxtyping import Bool, Float, Int

from lmu_analog.analysis.calibrated_law import first_order_calibrated
from lmu_analog.analysis.noise import band_noise, decibels
from lmu_analog.analysis.resources import OF_AN_OTA, resources
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Transconductor
from lmu_analog.circuits.devices.technology import resolved, technology
from lmu_analog.circuits.devices.tolerance import Tolerance, spreads
from lmu_analog.codesign import pearson
from lmu_analog.codesign.grid import quantiles
from lmu_analog.codesign.law import MARGIN, Traces
from lmu_analog.codesign.requirement import Calibration, Chip, Requirement, Sizing
from lmu_analog.design import Design
from lmu_analog.limits import limit_warnings
from lmu_analog.theory.first_order import first_order

CLASSES = ("transconductor", "capacitor", "lot")  # of the law's draws
_CAUSES = ("mismatch of transconductors", "mismatch of capacitors", "what all have in common")  # of these
SAME = (
    2e-3  # of the error: circuits of one bank differ in areas alone, and the law ranks them better than this
)
_LOADING = {"gain", "parasitic", "pole"}  # figures of a transconductor that move the response
_ON_AN_EDGE = 1e-6  # of a step of the error: a processor's last digits do not choose the step
_DIFFERENT = 1e-9  # relative: nor do they make another circuit


@dataclass(frozen=True, eq=False)
class ChipBank:
    """A structure on a chip: what candidates share that differ in capacitance and area.

    Attributes
    ----------
    order : int
    family, realization : str
    calibration : {"none", "nominal", "each"}
        What reads the states: the ideal memory's matrix, one fitted to the nominal circuit, or one fitted to each
        circuit.
    sizing : {"equal", "units"}
        How transconductors share the area that is chosen, see ``Chip``.
    linear_range : float or None, V
        Of the transconductors; None is that of the requirement's figures.
    levels : tuple of int
        Places in ``Chip.capacitance`` of those that it serves.
    reference : float, F
        The capacitance that the following is of.
    names : tuple of str
        Of its transconductors and capacitors.
    values : (m,) array, S or F
        Of these.
    transconductors : int
        How many of these are transconductors, the first.
    transistors : float
        Area of all transconductors over that which is chosen for a transistor.
    power : float, W
    noise : float, V^2
        In the band; NaN where nothing asks for it.
    traces : Traces
        Over ``CLASSES``; what a lot shares at its own tolerance.
    """

    order: int
    family: str
    realization: str
    calibration: Calibration
    sizing: Sizing
    linear_range: float | None
    levels: tuple[int, ...]
    reference: float
    names: tuple[str, ...]
    values: Float[np.ndarray, " m"]
    transconductors: int
    transistors: float
    power: float
    noise: float
    traces: Traces

    def is_same(self, other: "ChipBank") -> bool:
        """Tell whether two structures are the same circuit, as Legendre and orthonormal coordinates are once scaled."""
        mine, others = (
            (b.order, b.family, b.calibration, b.sizing, b.linear_range, b.levels, b.names)
            for b in (self, other)
        )
        return mine == others and np.allclose(self.values, other.values, rtol=_DIFFERENT, atol=0.0)

    def candidates(self, requirement: Requirement) -> int:
        """Count its candidates."""
        return len(self.levels) * len(_chip(requirement).transconductor_area)

    def unit(self, capacitance: float) -> float:
        """Give the smallest capacitor, F, which is the unit of all of them, at a capacitance."""
        return float(self.values[self.transconductors :].min()) * capacitance / self.reference


@dataclass(frozen=True, eq=False)
class MadeOnChip:
    """What came of one order, family and realization on a chip, as in ``structures.Made``."""

    banks: tuple[ChipBank, ...]
    least: float
    pruned: int
    unfit: int


def of_a_structure(requirement: Requirement) -> int:
    """Count the candidates of one order, family and realization."""
    chip = _chip(requirement)
    axes = (chip.capacitance, chip.transconductor_area, chip.sizing, chip.linear_range)
    return math.prod(map(len, axes)) * len(requirement.allow.calibration)


def made_on_chip(requirement: Requirement, which: tuple[int, str, str], *, prune: bool = True) -> MadeOnChip:
    """Build and linearise one structure on a chip, once for each linear range and sizing.

    Parameters
    ----------
    requirement : Requirement
    which : (order, family, realization)
    prune : bool
        Whether what cannot keep the limit is left out: with the largest areas most circuits are within it.

    Raises
    ------
    LmuAnalogError
        If there is no such circuit.
    """
    chip, limit = _chip(requirement), requirement.need.nrmse
    found: list[ChipBank] = []
    least, pruned, unfit = math.inf, 0, 0
    # Any capacitance will do, unless transconductors add to it.
    places = tuple(range(len(chip.capacitance)))
    for levels in [(k,) for k in places] if "parasitic" in chip.transconductor else [places]:
        count = len(levels) * len(chip.transconductor_area)  # candidates of a bank
        for calibration in requirement.allow.calibration:
            law: _Law | None = None
            for linear_range in chip.linear_range:
                design = _design(requirement, which, calibration, linear_range, chip.capacitance[levels[-1]])
                circuit = build(design)
                if limit_warnings(circuit, design.stimulus):  # a signal beyond the linear range
                    unfit += count * len(chip.sizing)
                    continue
                # Scaling to the linear range moves no error, nor its derivatives by the logarithm of a value, unless
                # those transconductors that carry the input load their nets.
                if law is None or _LOADING & set(chip.transconductor):
                    law = _Law.of(requirement, design, circuit, calibration)
                noise = math.nan if requirement.need.snr is None else band_noise(design, circuit)
                for sizing in chip.sizing:
                    bank = _bank(
                        design,
                        circuit,
                        law,
                        sizing=sizing,
                        linear_range=linear_range,
                        levels=levels,
                        noise=noise,
                    )
                    best = bank.traces.cumulants(np.ones((1, 1)), _spreads(requirement, bank)[-1:])
                    bound = float(pearson.quantile(best, requirement.need.good)[0])
                    least = min(least, bound)
                    if prune and limit is not None and bound > limit * (1.0 + MARGIN):
                        pruned += count
                    else:
                        found.append(bank)
    return MadeOnChip(tuple(found), least, pruned, unfit)


def _chip(requirement: Requirement) -> Chip:
    if requirement.allow.chip is None:
        raise ValueError("the requirement is of circuits on a board")
    return requirement.allow.chip


def _design(
    requirement: Requirement,
    which: tuple[int, str, str],
    calibration: Calibration,
    linear_range: float | None,
    capacitance: float,
) -> Design:
    """Give a candidate as a design, but for its mismatch."""
    chip = _chip(requirement)
    order, family, realization = which
    figures = dict(chip.transconductor)
    if linear_range is not None:
        figures["limit"] = linear_range
    return requirement.base.replace(
        order=order,
        family=family,
        realization=realization,
        capacitance=capacitance,
        transconductor=figures or None,
        readout="window" if calibration == "nominal" else "ideal",
        without=("lot",) if chip.tuned else (),
    )


def _mismatch(base: Design, unit: float, sizing: Sizing, size: float) -> dict[str, Tolerance]:
    """Give the mismatch of a candidate: by the area of its smallest capacitor, F, and that of its transistors, m^2.

    A capacitor of n times the value has n times the area, and deviates less by the root of n.
    """
    density = cast("float", technology(cast("str", base.technology)).device("capacitor").density)
    return {
        "transconductor": Tolerance(area=size, scale="units" if sizing == "units" else "none"),
        "capacitor": Tolerance(area=float(f"{unit / density:.6g}"), scale="units"),
    }


@dataclass(frozen=True, eq=False)
class _Law:
    """The error of a structure, and what one standard deviation of each draw of ``CLASSES`` adds at a tolerance of one.

    Of the transconductors, in the order of ``drawn``, all have the same tolerance; the lot has its own.
    """

    which: tuple[int, str, str]
    calibration: Calibration
    rest: float
    error: Float[np.ndarray, " e"]
    jacobians: tuple[Float[np.ndarray, "e _"], ...]
    drawn: tuple[str, ...]

    @classmethod
    def of(
        cls, requirement: Requirement, design: Design, circuit: Circuit, calibration: Calibration
    ) -> "_Law":
        chip = _chip(requirement)
        unit = min(c.value for c in circuit.only(Capacitor))
        design = design.replace(mismatch=_mismatch(design, unit, "equal", chip.transconductor_area[-1]))
        each = calibration == "each"
        theory = first_order_calibrated(design, "readout") if each else first_order(design, circuit=circuit)
        split = [name.rpartition("|") for name in theory.names]
        kinds = ["lot" if of == "lot" else kind for of, _, kind in split]
        at = {name: [k for k, kind in enumerate(kinds) if kind == name] for name in CLASSES}
        scale = {kind: tolerance.tolerance for kind, tolerance in design.tolerances.items()} | {"lot": 1.0}
        return cls(
            (design.order, design.family, design.realization),
            calibration,
            theory.rest,
            theory.error,
            tuple(theory.jacobian[:, at[name]] / scale[name] for name in CLASSES),
            tuple(split[k][0] for k in at["transconductor"]),
        )

    def traces(self, weights: Float[np.ndarray, " g"]) -> Traces:
        """Take the traces, with the share of the tolerance that every transconductor deviates by."""
        gm, *others = self.jacobians
        return Traces.of(self.rest, self.error[:, None], [gm * weights, *others])


def _bank(
    design: Design,
    circuit: Circuit,
    law: _Law,
    *,
    sizing: Sizing,
    linear_range: float | None,
    levels: tuple[int, ...],
    noise: float,
) -> ChipBank:
    gm = {c.name: c.value for c in circuit.only(Transconductor)}
    farads = {c.name: c.value for c in circuit.only(Capacitor)}
    drawn = np.array([gm[name] for name in law.drawn])
    weights = spreads(Tolerance(1.0, scale="units" if sizing == "units" else "none"), drawn)
    values = np.array([*gm.values(), *farads.values()])
    units = len(gm) if sizing == "equal" else math.fsum(gm.values()) / min(gm.values())
    return ChipBank(
        *law.which,
        law.calibration,
        sizing,
        linear_range,
        levels,
        cast("float", design.capacitance),
        (*gm, *farads),
        values,
        len(gm),
        OF_AN_OTA * units,
        cast("float", resources(design, circuit=circuit).power),
        noise,
        law.traces(weights),
    )


def _spreads(requirement: Requirement, bank: ChipBank) -> Float[np.ndarray, "n 3"]:
    """Give the law's tolerances of all candidates of a bank, (levels x areas, 3)."""
    chip, base = _chip(requirement), requirement.base

    def local(kind: str, tolerances: Sequence[Tolerance]) -> list[float]:
        return [resolved(t, kind, base.technology).tolerance for t in tolerances]

    units = [bank.unit(chip.capacitance[k]) for k in bank.levels]
    of_gm = [_mismatch(base, units[-1], "equal", size)["transconductor"] for size in chip.transconductor_area]
    of_capacitors = [_mismatch(base, unit, "equal", 1.0)["capacitor"] for unit in units]
    gm, capacitors = local("transconductor", of_gm), local("capacitor", of_capacitors)
    return np.column_stack([
        np.tile(gm, len(units)), np.repeat(capacitors, len(gm)), np.ones(len(gm) * len(units)),
    ])  # fmt: skip


@dataclass(frozen=True, eq=False)
class ChipGrid:
    """All candidates on a chip, n rows, in the order of banks, capacitances and areas of a transistor.

    Attributes
    ----------
    requirement : Requirement
    banks : tuple of ChipBank
    bank, level, size : (n,) int array
        Places in ``banks``, ``Chip.capacitance`` and ``Chip.transconductor_area``.
    p95, kept : (n,) array
        NRMSE that 95 % of circuits keep, and that the wanted share keeps, by the law.
    area, power : (n,) array, m^2 and W
    parts : (n,) array
        Transconductors and capacitors.
    snr : (n,) array, dB
        In the band; NaN where nothing asks for it.
    """

    requirement: Requirement
    banks: tuple[ChipBank, ...]
    bank: Int[np.ndarray, " n"]
    level: Int[np.ndarray, " n"]
    size: Int[np.ndarray, " n"]
    p95: Float[np.ndarray, " n"]
    kept: Float[np.ndarray, " n"]
    area: Float[np.ndarray, " n"]
    power: Float[np.ndarray, " n"]
    parts: Float[np.ndarray, " n"]
    snr: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.bank)

    def objectives(self) -> dict[str, Float[np.ndarray, " n"]]:
        """Give what candidates are compared in."""
        return {"p95": self.p95, "area": self.area, "power": self.power, "parts": self.parts}

    def figures(self, row: int) -> dict[str, float]:
        """Give a candidate's objectives."""
        return {name: float(values[row]) for name, values in self.objectives().items()}

    def made_of(self, row: int) -> dict[str, object]:
        """Say what a candidate is made of, beside order, family and realization."""
        chip, bank = _chip(self.requirement), self.banks[self.bank[row]]
        return {
            "capacitance": chip.capacitance[self.level[row]],
            "transconductor_area": chip.transconductor_area[self.size[row]],
            "sizing": bank.sizing,
            "linear_range": bank.linear_range,
        }

    def axes(self) -> dict[str, tuple[list[object], Int[np.ndarray, " n"]]]:
        """Give what candidates differ in: name to the values that there are, and the place of each row's."""
        chip, banks = _chip(self.requirement), self.banks
        of_banks = ("order", "family", "realization", "calibration", "sizing", "linear_range")
        return {
            **{name: ([getattr(b, name) for b in banks], self.bank) for name in of_banks},
            "capacitance": (list(chip.capacitance), self.level),
            "transconductor_area": (list(chip.transconductor_area), self.size),
        }

    def causes(self, row: int) -> dict[str, float]:
        """Give the mean square error of a candidate by cause, fractions of rms(u)^2."""
        bank = self.banks[self.bank[row]]
        chip = _chip(self.requirement)
        at = bank.levels.index(int(self.level[row])) * len(chip.transconductor_area) + int(self.size[row])
        spread = _spreads(self.requirement, bank)[at]
        return {
            "order": bank.traces.rest,
            "transconductors, nominal": float(bank.traces.nominal[0, 0]),
            **dict(zip(_CAUSES, bank.traces.causes(spread).tolist(), strict=True)),
        }

    def compared(self) -> Float[np.ndarray, "n 4"]:
        """Give what a front is taken over: errors in steps of ``MARGIN``, within which the law may be wrong."""
        steps = np.ceil(np.log(self.p95) / math.log1p(MARGIN) - _ON_AN_EDGE)
        return np.stack([steps, self.area, self.power, self.parts], axis=-1)

    def within_limits(self, margin: float = 0.0) -> Bool[np.ndarray, " n"]:
        """Tell which candidates keep all limits; that of the error with a margin, a fraction of it."""
        need = self.requirement.need
        found = np.isfinite(self.p95)
        if need.nrmse is not None:
            found &= self.kept <= need.nrmse * (1.0 + margin)
        if need.snr is not None:
            found &= self.snr >= need.snr
        for values, limit in ((self.area, need.area), (self.power, need.power), (self.parts, need.parts)):
            if limit is not None:
                found &= values <= limit
        return found

    def is_circuit_of(self, row: int) -> Bool[np.ndarray, " n"]:
        """Tell which candidates are the same circuit but for the areas of transistors."""
        return (self.bank == self.bank[row]) & (self.level == self.level[row])

    def falls_with(self, row: int) -> Bool[np.ndarray, " n"]:
        """Tell which candidates cannot hold where too few circuits of one keep the limit.

        Those of its bank that the law does not say less error of: what the law leaves out, they have alike.
        """
        return (self.bank == self.bank[row]) & (self.kept >= self.kept[row] * (1.0 - SAME))

    def tolerances(self, row: int) -> tuple[float, float]:
        """Give the tolerances of transconductors and capacitors of a candidate, of the smallest of each."""
        found = self.design_of(row).tolerances
        return found["transconductor"].tolerance, found["capacitor"].tolerance

    def design_of(self, row: int) -> Design:
        """Give a candidate as a whole design."""
        chip, bank = _chip(self.requirement), self.banks[self.bank[row]]
        capacitance = chip.capacitance[self.level[row]]
        which = (bank.order, bank.family, bank.realization)
        design = _design(self.requirement, which, bank.calibration, bank.linear_range, capacitance)
        size = chip.transconductor_area[self.size[row]]
        return design.replace(mismatch=_mismatch(design, bank.unit(capacitance), bank.sizing, size))


def grid_on_chip(requirement: Requirement, banks: Sequence[ChipBank]) -> ChipGrid:
    """Evaluate all candidates of some banks."""
    chip, base = _chip(requirement), requirement.base
    sizes = np.array(chip.transconductor_area)
    density = cast("float", technology(cast("str", base.technology)).device("capacitor").density)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in _COLUMNS}
    for b, bank in enumerate(banks):
        levels = np.repeat(bank.levels, len(sizes))
        count = len(levels)
        cumulants = bank.traces.cumulants(np.ones((count, 1)), _spreads(requirement, bank))
        times = np.array(chip.capacitance)[levels] / bank.reference
        farads = float(bank.values[bank.transconductors :].sum())
        made = {
            "bank": np.full(count, b),
            "level": levels,
            "size": np.tile(np.arange(len(sizes)), len(bank.levels)),
            "area": farads * times / density + bank.transistors * np.tile(sizes, len(bank.levels)),
            "power": bank.power * times,
            "parts": np.full(count, float(len(bank.values))),
            "snr": decibels(base, bank.noise) + 10.0 * np.log10(times),
            **quantiles(cumulants, requirement),
        }
        for name, values in made.items():
            columns[name].append(values)
    empty = {name: np.zeros(0, int if name in ("bank", "level", "size") else float) for name in _COLUMNS}
    whole = {name: np.concatenate(parts) if parts else empty[name] for name, parts in columns.items()}
    return ChipGrid(requirement, tuple(banks), **whole)


_COLUMNS = ("bank", "level", "size", "p95", "kept", "area", "power", "parts", "snr")
