"""What a structure may come to, before it has standard values: what its circuits keep at best, and what they cost.

Its law with exact values, and so its error with every op-amp and pair of tolerances, is known as soon as it is built;
so are its parts. What standard values add is not known until they are fitted, which takes most of the time of a search:
``likely`` guesses it. So structures can be looked at in the order of what they promise.
"""

import math
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float

from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.passives import SOLD_IN, Kind
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.rounding import capacitors_beside
from lmu_analog.codesign.grid import prices_of, quantiles
from lmu_analog.codesign.law import MARGIN, Traces
from lmu_analog.codesign.opamps import Figures
from lmu_analog.codesign.requirement import Calibration, Requirement
from lmu_analog.codesign.structures import OFFSET, Promise

FITTED = 0.25  # of what rounding each value where it stands adds, that is left of it when values are fitted: a guess


def kept_by(
    requirement: Requirement,
    promise: Promise,
    *,
    calibration: Calibration = "none",
    law: Traces | None = None,
) -> dict[str, Float[np.ndarray, "o t"]]:
    """Give the NRMSE that 95 % of circuits keep, and that the wanted share does, with exact values.

    Parameters
    ----------
    requirement : Requirement
    promise : Promise
    calibration : {"none", "nominal", "each"}
        How its states are read.
    law : Traces, optional
        Of ``law_with_readout``, where that is known. Without it, what a readout that is fitted to the nominal circuit
        may take away is all but mismatch, and one that is fitted to each takes all.

    Returns
    -------
    dict
        ``p95`` and ``kept``, (o, t): of each op-amp that suits and each pair of tolerances, resistors' first. Infinite
        where an op-amp is too slow. All have the largest swing of any: a smaller one makes more of offsets.
    """
    allow, models = requirement.allow, _models(requirement, promise)
    tolerances = np.array([(r, c) for r in allow.resistor for c in allow.capacitor])
    shape = (len(models), len(tolerances))
    if calibration == "each" and law is None:
        return {"p95": np.zeros(shape), "kept": np.zeros(shape)}
    traces = promise.traces if law is None else law
    slow = np.array([1.0 / m.gbw - 1.0 / promise.reference.gbw for m in models])
    terms = np.zeros((len(models), len(traces.nominal)))
    terms[:, 0] = 1.0
    places: list[int] = []
    if calibration == "none":
        terms[:, 1:4] = slow[:, None] ** np.arange(1, 4)
        terms[:, 4] = [1.0 / m.gain - 1.0 / promise.reference.gain for m in models]
        terms[:, 5] = [m.offset / OFFSET for m in models]
        places = list(range(6, len(traces.nominal)))[: len(requirement.temperatures)]
    elif law is None:
        traces, terms = replace(traces, rest=0.0), 0.0 * terms
    spread = np.array([requirement.bandwidth * promise.reference.gbw / m.gbw for m in models])
    both = np.zeros((*shape, 4))
    both[..., :2], both[..., 2] = tolerances, spread[:, None]
    both[..., 3] = np.array([m.offset_max / OFFSET for m in models])[:, None]
    found = []
    for place in places or [None]:
        at = terms.copy()
        if place is not None:
            at[:, place] = 1.0
        cumulants = traces.cumulants(np.repeat(at, len(tolerances), axis=0), both.reshape(-1, 4))
        found.append(quantiles(cumulants, requirement))
    kept = {name: np.max([one[name] for one in found], axis=0).reshape(shape) for name in found[0]}
    if calibration == "none":
        hopeless = slow > promise.slowest * (1.0 + 1e-9)
        kept = {name: np.where(hopeless[:, None], np.inf, values) for name, values in kept.items()}
    return kept


def least_of(
    requirement: Requirement,
    promise: Promise,
    *,
    calibration: Calibration = "none",
    law: Traces | None = None,
) -> float:
    """Give the least of what is to be minimised that a candidate of a structure may have which may keep all limits.

    Infinite where none may. Parameters are those of ``kept_by``.
    """
    kept = kept_by(requirement, promise, calibration=calibration, law=law)
    figures = figures_of(requirement, promise)
    may = within(requirement, figures)
    # The limit of a network's loss is none of the window error.
    if (limit := requirement.need.nrmse) is not None and requirement.task is None:
        may &= kept["kept"] <= limit * (1.0 + MARGIN)
    values = np.broadcast_to((figures | kept)[requirement.minimise], may.shape)
    return float(values[may].min(initial=math.inf))


def likely(requirement: Requirement, promise: Promise) -> float:
    """Guess what the wanted share of circuits keeps with standard values, at best; infinite where no parts are sold."""
    finest = max(requirement.allow.values, key=lambda name: int(name[1:]))
    series = (finest, capacitors_beside(finest))
    off = [slope * math.log(10.0) / int(name[1:]) for slope, name in zip(promise.slopes, series, strict=True)]
    rounded = FITTED * math.hypot(*off) / math.sqrt(12.0)
    figures = figures_of(requirement, promise)
    known = np.isfinite(figures["cost"]) & np.isfinite(figures["power"])
    kept = np.broadcast_to(kept_by(requirement, promise)["kept"], known.shape)
    return math.hypot(float(kept[known].min(initial=math.inf)), rounded)


def figures_of(requirement: Requirement, promise: Promise) -> dict[str, Float[np.ndarray, "d o t"]]:
    """Give cost, power and parts with exact values, by decade, op-amp and pair of tolerances, (d, o, t).

    Each value is bought as the nearest that is sold. Power is that of op-amps alone, without loads.
    """
    base, known, usable = requirement.base, Figures.of(requirement), list(promise.opamps)
    packages = np.ceil(promise.amplifiers / known.amplifiers[usable])
    passives = np.array([_bought(requirement, promise, decade) for decade in promise.decades])
    supplies = 1.0 if base.has_single_supply else 2.0
    drawn = packages * known.amplifiers[usable] * known.current[usable] * supplies * base.supply
    shape = (len(passives), len(usable), passives.shape[1])
    return {
        "cost": (packages * known.price[usable])[:, None] + passives[:, None, :],
        "power": np.broadcast_to(drawn[:, None], shape),
        "parts": np.broadcast_to((len(promise.values) + packages)[:, None], shape),
    }


def _bought(requirement: Requirement, promise: Promise, decade: int) -> Float[np.ndarray, " t"]:
    """Give what all resistors and capacitors cost at every pair of tolerances, (t,)."""
    values = np.split(promise.values, [promise.resistors])
    kinds: tuple[tuple[Kind, int], ...] = (("resistor", -decade), ("capacitor", decade))
    sold = [
        [float(f"{v:.6g}") for v in nearest(of * 10.0**power, SOLD_IN[kind])]
        for of, (kind, power) in zip(values, kinds, strict=True)
    ]
    return np.add.outer(*prices_of(requirement, *sold)).ravel()


def within(
    requirement: Requirement, figures: dict[str, Float[np.ndarray, "d o t"]]
) -> Bool[np.ndarray, "d o t"]:
    """Tell where all prices and currents are known, and figures within their limits."""
    found = np.isfinite(figures["cost"]) & np.isfinite(figures["power"])
    for name, values in figures.items():
        if (limit := getattr(requirement.need, name)) is not None:
            found &= values <= limit
    return found


def _models(requirement: Requirement, promise: Promise) -> list[OpAmpModel]:
    return [requirement.base.replace(opamp=requirement.allow.opamps[k]).opamp_model for k in promise.opamps]
