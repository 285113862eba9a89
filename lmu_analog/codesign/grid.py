"""All candidates of a requirement with their figures, one row each.

A candidate is a bank of values (order, family, realization, series of resistors, swing) with an op-amp, a decade of the
capacitances and a tolerance of each kind of part. Everything that is known of it follows from the bank's traces, from
figures of the op-amp and from prices, for all rows at once.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import scipy
from jaxtyping import Bool, Float, Int

from lmu_analog.analysis.noise import decibels
from lmu_analog.circuits.devices.prices import Price, names_of, price_of
from lmu_analog.codesign import pearson
from lmu_analog.codesign.board_noise import BoardNoise
from lmu_analog.codesign.law import MARGIN
from lmu_analog.codesign.opamps import Figures
from lmu_analog.codesign.prices import class_price
from lmu_analog.codesign.requirement import Requirement
from lmu_analog.codesign.structures import Bank, design_from
from lmu_analog.design import Design

SLOW = 0.3  # dB: what noise may be wrong by, for it is taken with the fastest op-amp
LIKELY = 0.7  # share that is never below the mean of Pearson's law of a sum of squares, whose mean is at .68 at most
_BELOW = 1.5  # times the median at most, that the root of such a mean is: of one square it is 1.483


_DIGITS = 9  # of figures that candidates are compared in
_NEAR = 1.3  # times the least mean error of a bank
# Of the law's classes, in their order.
_CAUSES = ("resistor tolerance", "capacitor tolerance", "spread of bandwidths", "random offsets")


@dataclass(frozen=True, eq=False)
class Grid:
    """All candidates, n rows, in the order of banks, op-amps, decades, resistors' and capacitors' tolerances.

    Attributes
    ----------
    requirement : Requirement
    banks : tuple of Bank
    bank, opamp, decade, resistor, capacitor : (n,) int array
        Places in ``banks`` and in the lists of ``Allow``; the decade itself.
    p95, kept : (n,) array
        NRMSE that 95 % of circuits keep, and that the wanted share keeps, by the law; ``p95`` is infinite where a
        price or a current is not known, or a part is not sold.
    cost, power, parts : (n,) array
        In the currency of the prices, in W, and in pieces.
    snr : (n,) array, dB
        In the band; NaN where nothing asks for it, or another limit is not kept.
    """

    requirement: Requirement
    banks: tuple[Bank, ...]
    bank: Int[np.ndarray, " n"]
    opamp: Int[np.ndarray, " n"]
    decade: Int[np.ndarray, " n"]
    resistor: Int[np.ndarray, " n"]
    capacitor: Int[np.ndarray, " n"]
    p95: Float[np.ndarray, " n"]
    kept: Float[np.ndarray, " n"]
    cost: Float[np.ndarray, " n"]
    power: Float[np.ndarray, " n"]
    parts: Float[np.ndarray, " n"]
    snr: Float[np.ndarray, " n"]

    def __len__(self) -> int:
        return len(self.bank)

    def objectives(self) -> dict[str, Float[np.ndarray, " n"]]:
        """Give what a front is taken over."""
        return {"p95": self.p95, "cost": self.cost, "power": self.power, "parts": self.parts}

    def compared(self) -> Float[np.ndarray, "n k"]:
        """Give the objectives as columns, which a front is taken over."""
        return np.stack(list(self.objectives().values()), axis=-1)

    def falls_with(self, row: int) -> Bool[np.ndarray, " n"]:
        """Tell which candidates cannot hold where too few circuits of one keep the limit: itself alone."""
        return np.arange(len(self)) == row

    def is_circuit_of(self, row: int) -> Bool[np.ndarray, " n"]:
        """Tell which candidates are the same circuit but for tolerances."""
        return (
            (self.bank == self.bank[row])
            & (self.opamp == self.opamp[row])
            & (self.decade == self.decade[row])
        )

    def figures(self, row: int) -> dict[str, float]:
        """Give a candidate's objectives."""
        return {name: float(values[row]) for name, values in self.objectives().items()}

    def made_of(self, row: int) -> dict[str, object]:
        """Say what a candidate is made of, beside order, family and realization."""
        resistor, capacitor = self.tolerances(row)
        part = self.requirement.allow.opamps[self.opamp[row]]
        series = self.banks[self.bank[row]].series
        return {"opamp": part, "resistor": resistor, "capacitor": capacitor, "values": series}

    def axes(self) -> dict[str, tuple[list[object], Int[np.ndarray, " n"]]]:
        """Give what candidates differ in: name to the values that there are, and the place of each row's."""
        allow, banks = self.requirement.allow, self.banks
        of_banks = ("order", "family", "realization", "calibration")
        decades = sorted(set(self.decade.tolist()))
        return {
            **{name: ([getattr(b, name) for b in banks], self.bank) for name in of_banks},
            "values": ([b.series for b in banks], self.bank),
            "opamp": (list(allow.opamps), self.opamp),
            "decade": (list(decades), np.searchsorted(decades, self.decade)),
            "resistor": (list(allow.resistor), self.resistor),
            "capacitor": (list(allow.capacitor), self.capacitor),
        }

    def causes(self, row: int) -> dict[str, float]:
        """Give the mean square error of a candidate by cause, fractions of rms(u)^2."""
        bank = self.banks[self.bank[row]]
        model = self.design_of(row).opamp_model
        decade = int(self.decade[row])

        def nominal(temperature: int | None) -> float:
            terms = bank.terms(model, decade, temperature)
            return float(terms @ bank.traces.nominal @ terms)

        spread = np.array([*self.tolerances(row), *bank.spreads(model, self.requirement.bandwidth)])
        alone = float(bank.traces.nominal[0, 0])
        worst = max(nominal(place) for place in bank.temperatures)
        drifted = {"temperature": worst - nominal(None)} if self.requirement.temperatures else {}
        return {
            "order": bank.traces.rest,
            "standard values": alone,
            "op-amps, nominal": nominal(None) - alone,
            **drifted,
            **dict(zip(_CAUSES, bank.traces.causes(spread).tolist(), strict=True)),
        }

    def within_limits(self, margin: float = 0.0) -> Bool[np.ndarray, " n"]:
        """Tell which candidates keep all limits; that of the error with a margin, a fraction of it.

        With a margin, that of noise has one, too: what a slow op-amp does to the response to noise.
        """
        need = self.requirement.need
        found = _within_limits_but_noise(self, margin)
        if need.snr is not None:
            found &= self.snr >= need.snr - (SLOW if margin else 0.0)
        return found

    def tolerances(self, row: int) -> tuple[float, float]:
        """Give the tolerances of resistors and capacitors of a candidate, fractions."""
        allow = self.requirement.allow
        return allow.resistor[self.resistor[row]], allow.capacitor[self.capacitor[row]]

    def design_of(self, row: int) -> Design:
        """Give a candidate as a whole design."""
        bank = self.banks[self.bank[row]]
        return design_from(
            self.requirement,
            bank,
            self.requirement.allow.opamps[self.opamp[row]],
            decade=int(self.decade[row]),
            tolerances=self.tolerances(row),
        )


def _within_limits_but_noise(grid: Grid, margin: float) -> Bool[np.ndarray, " n"]:
    need = grid.requirement.need
    found = np.isfinite(grid.p95)
    if need.nrmse is not None:
        found &= grid.kept <= need.nrmse * (1.0 + margin)
    for values, limit in ((grid.cost, need.cost), (grid.power, need.power), (grid.parts, need.parts)):
        if limit is not None:
            found &= values <= limit
    return found


def _snr(grid: Grid) -> Float[np.ndarray, " n"]:
    """Give the signal-to-noise ratio of candidates that keep the other limits, dB, (n,)."""
    base, parts = grid.requirement.base, grid.requirement.allow.opamps
    snr = np.full(len(grid), np.nan)
    models = [base.replace(opamp=part).opamp_model for part in parts]
    rows = np.flatnonzero(_within_limits_but_noise(grid, MARGIN))
    for b in np.unique(grid.bank[rows]).tolist():
        of = BoardNoise.of(grid.requirement, grid.banks[b])
        mine = rows[grid.bank[rows] == b]
        for opamp, decade in {(int(grid.opamp[k]), int(grid.decade[k])) for k in mine}:
            at = mine[(grid.opamp[mine] == opamp) & (grid.decade[mine] == decade)]
            snr[at] = decibels(base, of.power(models[opamp], decade))
    return snr


def grid_of(requirement: Requirement, banks: Sequence[Bank]) -> Grid:
    """Evaluate all candidates of some banks."""
    allow, base = requirement.allow, requirement.base
    models = [base.replace(opamp=part).opamp_model for part in allow.opamps]
    figures = Figures.of(requirement)
    tolerances = np.array([(r, c) for r in allow.resistor for c in allow.capacitor])
    places = np.array([(r, c) for r in range(len(allow.resistor)) for c in range(len(allow.capacitor))], int)
    single = 1.0 if base.has_single_supply else 2.0
    columns: dict[str, list[np.ndarray]] = {}

    def add(**given: np.ndarray) -> None:
        for name, values in given.items():
            columns.setdefault(name, []).append(values)

    for b, bank in enumerate(banks):
        sums = {decade: np.add.outer(*bought(requirement, bank, decade)).ravel() for decade in bank.decades}
        at = [(o, decade) for o in bank.opamps for decade in bank.decades]
        spreads = np.array([bank.spreads(models[o], requirement.bandwidth) for o, _ in at])
        packages = np.ceil(bank.amplifiers / figures.amplifiers)
        count = len(tolerances)
        add(
            bank=np.full(len(at) * count, b),
            opamp=np.repeat([o for o, _ in at], count),
            decade=np.repeat([decade for _, decade in at], count),
            resistor=np.tile(places[:, 0], len(at)),
            capacitor=np.tile(places[:, 1], len(at)),
            cost=np.concatenate([packages[o] * figures.price[o] + sums[decade] for o, decade in at]),
            power=np.repeat(
                [
                    packages[o] * figures.amplifiers[o] * figures.current[o] * single * base.supply
                    + bank.load * 10.0**decade
                    for o, decade in at
                ],
                count,
            ),
            parts=np.repeat([len(bank.values) + len(bank.others) + packages[o] for o, _ in at], count),
        )
        both = np.concatenate([np.tile(tolerances, (len(at), 1)), np.repeat(spreads, count, axis=0)], axis=1)
        found = []
        for place in bank.temperatures:
            terms = np.array([bank.terms(models[o], decade, place) for o, decade in at])
            cumulants = bank.traces.cumulants(np.repeat(terms, count, axis=0), both)
            found.append(quantiles(cumulants, requirement))
        # The worst temperature counts.
        add(**{name: np.max([one[name] for one in found], axis=0) for name in found[0]})
    if not columns:
        names = ("bank", "opamp", "decade", "resistor", "capacitor")
        empty = {n: np.zeros(0, int) for n in names} | {
            n: np.zeros(0) for n in ("p95", "kept", "cost", "power", "parts", "snr")
        }
        return Grid(requirement, (), **empty)
    made = {name: np.concatenate(parts) for name, parts in columns.items()}
    # Sums differ in their last digits from place to place, and from processor to processor: what is equal stays so.
    made |= {name: _short(made[name]) for name in ("p95", "kept", "power")}
    bad = ~(np.isfinite(made["cost"]) & np.isfinite(made["power"]))
    made["p95"] = np.where(bad, np.inf, made["p95"])
    grid = Grid(requirement, tuple(banks), **made, snr=np.full(len(made["p95"]), np.nan))
    return grid if requirement.need.snr is None else replace(grid, snr=_snr(grid))


def _short(values: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Round to as many significant digits as figures have that candidates are compared in."""
    with np.errstate(divide="ignore", invalid="ignore"):
        step = 10.0 ** (np.floor(np.log10(np.abs(values))) - _DIGITS + 1)
        found = np.round(values / step) * step
    return np.where(np.isfinite(found), found, values)


def quantiles(
    cumulants: Float[np.ndarray, "n 3"], requirement: Requirement
) -> dict[str, Float[np.ndarray, " n"]]:
    """Give what 95 % of circuits and what the wanted share keep.

    By Pearson's law where it may matter: near the limit, or near the least mean where none is near it. Of the others by
    a normal law of the mean square error, which is within some per cent: they only need to be known to be far.
    """
    limit, good = requirement.need.nrmse, requirement.need.good
    mean = np.sqrt(cumulants[:, 0])
    room = 1.0 if good >= LIKELY else _BELOW
    near = np.ones(len(mean), bool) if limit is None else mean <= limit * (1.0 + MARGIN) * room
    if not near.any():
        near = mean <= mean.min() * _NEAR

    def kept(share: float) -> Float[np.ndarray, " n"]:
        normal = cumulants[:, 0] + float(scipy.special.ndtri(share)) * np.sqrt(cumulants[:, 1])
        found = np.sqrt(normal)
        found[near] = pearson.quantile(cumulants[near], share)
        return found

    p95 = kept(0.95)
    return {"p95": p95, "kept": p95 if good == 0.95 else kept(good)}


def bought(requirement: Requirement, bank: Bank, decade: int) -> tuple[list[float], list[float]]:
    """Give what a bank's resistors and its capacitors cost at every tolerance; NaN where one is not sold."""
    values = list(bank.at(decade).values())
    return prices_of(requirement, [*values[: bank.resistors], *bank.others], values[bank.resistors :])


def prices_of(
    requirement: Requirement, resistors: Sequence[float], capacitors: Sequence[float]
) -> tuple[list[float], list[float]]:
    """Give what resistors, and what capacitors of standard values cost at every tolerance; NaN where one is not sold.

    Parameters
    ----------
    requirement : Requirement
    resistors, capacitors : sequence of float, Ohm and F
    """
    allow, prices = requirement.allow, requirement.prices
    kinds = (("resistor", resistors, allow.resistor), ("capacitor", capacitors, allow.capacitor))
    of_resistors, of_capacitors = (
        [math.fsum(_price(kind, v, t, prices) for v in of) for t in tolerances]
        for kind, of, tolerances in kinds
    )
    return of_resistors, of_capacitors


def _price(kind: str, value: float, tolerance: float, prices: Mapping[str, Price] | None) -> float:
    if prices is None:
        return _class_price(kind, value, tolerance)
    found = price_of(prices, names_of(kind, value, [tolerance]))
    return math.nan if found is None else found[1].each


@lru_cache(maxsize=1 << 16)
def _class_price(kind: str, value: float, tolerance: float) -> float:
    found = class_price(kind, value, tolerance)  # type: ignore[arg-type]
    return math.nan if found is None else found
