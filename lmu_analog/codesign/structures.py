"""What candidates of one order, realization and family share: values, the error's law, parts and loads.

A structure is built and linearised once. Mismatch by the logarithm of a value depends neither on the level of a node
nor, as long as op-amps are fast enough, on the op-amp, so one Jacobian serves them all. What an op-amp does to the
nominal error is a polynomial in 1/GBW, fitted to a few solutions, and linear in 1/gain, offset and bias current.

Every structure is given standard values once for each series and each swing of op-amps, by the joint fit of
``circuits.fitting`` at the largest swing. Values ten times smaller or larger are standard ones, too, so a bank of
values serves every decade of impedances; and of a smaller swing only the parts that carry the input differ, which are
rounded again at the swing for which that adds least.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import cast

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.calibrated_law import first_order_calibrated
from lmu_analog.analysis.resources import resources
from lmu_analog.building import build, mapped, stock
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Amplifier, Capacitor, Resistor
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.tolerance import Distribution, Tolerance
from lmu_analog.circuits.devices.values import members_between, nearest
from lmu_analog.circuits.driven import levels_between
from lmu_analog.circuits.impedance import ORIGIN, nodes
from lmu_analog.circuits.nodal.extract import Split, split
from lmu_analog.circuits.ranges import DISCRETE, LEAST_LOAD, ROUNDING, loads
from lmu_analog.circuits.rounding import Rounded, choose_common
from lmu_analog.circuits.temperature import at_temperature
from lmu_analog.codesign import pearson
from lmu_analog.codesign.law import MARGIN, Traces
from lmu_analog.codesign.opamps import affordable
from lmu_analog.codesign.requirement import Calibration, Requirement, usable_with
from lmu_analog.codesign.task import task_first_order
from lmu_analog.design import Design
from lmu_analog.mismatch.law import Mismatch, columns
from lmu_analog.stimulus import Tones
from lmu_analog.theory.first_order import (
    FirstOrder,
    by_draws,
    errors_of,
    first_order,
    linearised,
    offset_slopes,
)

CLASSES = ("resistor", "capacitor", "bandwidth", "offset")  # of the law's draws
TERMS = (
    "nominal",
    "slowness",
    "slowness^2",
    "slowness^3",
    "1/gain",
    "offset",
    "bias",
)  # of the nominal error
# The figures of the op-amp that structures are linearised with; all others are those of any.
OF_A_REFERENCE = ("gain", "gbw", "rail", "offset_max")
UNIT = 0.01  # tolerance that laws are taken at
OFFSET, BIAS = 1e-3, 1e-9  # V, A: what offsets and bias currents are counted in
_BEST_GAIN, _LOW_GAIN = (
    1e7,
    1e4,
)  # of the op-amp that structures are taken with, and of one that shows what gain does
_NODES = 6  # solutions that the polynomial of slowness is fitted to
_SWINGS = (1.0, 0.8, 0.5, 0.0)  # op-amps whose swing is within these shares of the largest share a bank
_WHOLE = 1e-6  # from a whole number, that a power may be
_MOST_SWINGS = 24  # that are tried for a class of op-amps
_CLOSE = 0.02  # of a squared error: of swings that are as good, the largest
_NEARLY = 0.9  # of the least load, that exact values may have: roundings may bring it up by as much
_SURELY = 1.1  # times the limit: beyond, no other swing or op-amp brings standard values below it
_LEAST_SHARE = 0.85  # of the swing of a class that a bank may use
DECADES = (-2, -1, 0, 1, 2)  # of the capacitances that are chosen
HEADROOM_DIGITS = 12  # decimals of a headroom; the explorer's page rounds as it does
HOPELESS = 2.0  # times the limit: op-amps that make the error as large alone are too slow


@dataclass(frozen=True, eq=False)
class Linear:
    """A structure with exact values, linearised.

    Attributes
    ----------
    design : Design
        With the op-amp that it is taken with.
    circuit : Circuit
        At the levels that were chosen for it.
    jacobians : arrays (e, z), one of each of ``CLASSES``
        At a tolerance of one; of offsets in V, of bandwidths for the reference op-amp.
    terms : (e, k) array
        Of the first five of ``TERMS``: the error of exact values, and what bandwidth and gain add.
    rest : float
    slowest : float, s
        The largest 1/GBW that ``terms`` hold for, beyond that of the reference.
    traces : Traces
        Over ``CLASSES`` and the first six of ``TERMS``, and what each of the requirement's temperatures adds.
    slopes : (float, float)
        Norms of the error's derivatives by the logarithms of resistors, and of those capacitors that no level of their
        node makes standard ones.
    """

    design: Design
    circuit: Circuit
    jacobians: tuple[Float[np.ndarray, "e _"], ...]
    terms: Float[np.ndarray, "e k"]
    rest: float
    slowest: float
    traces: Traces
    slopes: tuple[float, float]


@dataclass(frozen=True, eq=False)
class Bank:
    """A structure with standard values: what candidates share that differ in op-amp, decade and tolerances.

    Attributes
    ----------
    order : int
    family, realization : str
    series : str
        Of its resistors.
    calibration : {"none", "nominal", "each"}
        What reads the states: the ideal memory's matrix, one fitted to the nominal circuit, or one fitted to each
        circuit.
    swing : float, V
        That its outputs have at the worst sine of the band.
    opamps : tuple of int
        Places in ``Allow.opamps`` of those that it can use.
    decades : tuple of int
        Powers of ten of the capacitances, at which all values are within the limits of a board.
    names : tuple of str
        Of its resistors and capacitors.
    values : (m,) array, Ohm or F
        Of these, at decade 0.
    resistors : int
        How many of these are resistors, the first.
    levels : dict
        Net of an output to what reading it is divided by, as standard values give it another voltage.
    others : tuple of float, Ohm
        Resistors outside of the memory, such as those that divide a single supply.
    amplifiers : int
    load : float, W
        What its outputs deliver at decade 0; goes with the capacitance.
    reference : OpAmpModel
        That the law's terms are relative to.
    traces : Traces
        Over ``CLASSES`` and ``TERMS``, and what each of the requirement's temperatures adds to the nominal error.
    """

    order: int
    family: str
    realization: str
    series: str
    calibration: Calibration
    swing: float
    opamps: tuple[int, ...]
    decades: tuple[int, ...]
    names: tuple[str, ...]
    values: Float[np.ndarray, " m"]
    resistors: int
    levels: dict[str, float]
    others: tuple[float, ...]
    amplifiers: int
    load: float
    reference: OpAmpModel
    traces: Traces

    @property
    def temperatures(self) -> Sequence[int | None]:
        """Places of the requirement's temperatures; None alone where it has none."""
        return range(len(self.traces.nominal) - len(TERMS)) or (None,)

    @property
    def reference_figures(self) -> dict[str, object]:
        """Figures of the op-amp that it was linearised with, as a design has them."""
        return {name: getattr(self.reference, name) for name in OF_A_REFERENCE}

    def candidates(self, requirement: Requirement) -> int:
        """Count its candidates."""
        allow = requirement.allow
        return len(self.opamps) * len(self.decades) * len(allow.resistor) * len(allow.capacitor)

    def terms(
        self, model: OpAmpModel, decade: int, temperature: int | None = None
    ) -> Float[np.ndarray, " k"]:
        """Give how much of each of ``TERMS`` an op-amp has at a decade, (k,).

        Parameters
        ----------
        model : OpAmpModel
        decade : int
        temperature : int, optional
            Place of a temperature of the requirement, each of which is one more term; unless given none is counted.
        """
        drifted = np.zeros(len(self.traces.nominal) - len(TERMS))
        if temperature is not None:
            drifted[temperature] = 1.0
        x = 1.0 / model.gbw - 1.0 / self.reference.gbw
        return np.array([
            1.0, x, x * x, x**3, 1.0 / model.gain - 1.0 / self.reference.gain,
            model.offset / OFFSET, model.bias / BIAS / 10.0**decade, *drifted,
        ])  # fmt: skip

    def spreads(self, model: OpAmpModel, bandwidth: float) -> tuple[float, float]:
        """Give the law's tolerances of bandwidth and offset for an op-amp whose bandwidth has a tolerance."""
        return bandwidth * self.reference.gbw / model.gbw, model.offset_max / OFFSET

    def at(self, decade: int) -> dict[str, float]:
        """Give the values of all parts at a decade, Ohm or F."""
        power = np.where(np.arange(len(self.values)) < self.resistors, -decade, decade)
        return {
            name: float(f"{value:.6g}")
            for name, value in zip(self.names, self.values * 10.0**power, strict=True)
        }


@dataclass(frozen=True, eq=False)
class Promise:
    """What is known of a structure before it has standard values: see ``promises``.

    Attributes
    ----------
    opamps : tuple of int
        Places in ``Allow.opamps`` of those that suit its family.
    decades : tuple of int
        At which its exact values are within the limits of a board.
    values : (m,) array, Ohm or F
        The exact ones, at decade 0.
    resistors, amplifiers : int
        How many of these are resistors, the first; and how many amplifiers there are.
    reference : OpAmpModel
        That the terms are relative to.
    slowest : float, s
        The largest 1/GBW that they hold for, beyond that of the reference.
    slopes : tuple of two floats
        As in ``Linear``: what rounding resistors, and capacitors, by one in the logarithm does.
    traces : Traces
        As in ``Linear``, with exact values.
    """

    opamps: tuple[int, ...]
    decades: tuple[int, ...]
    values: Float[np.ndarray, " m"]
    resistors: int
    amplifiers: int
    reference: OpAmpModel
    slowest: float
    slopes: tuple[float, float]
    traces: Traces


@dataclass(frozen=True, eq=False)
class Made:
    """What came of one order, family and realization.

    Attributes
    ----------
    banks : tuple of Bank
        Empty where it was pruned.
    least : float
        NRMSE that the wanted share keeps with exact values, the best op-amp and the tightest parts: a bound for all.
    pruned : int
        Candidates that this bound, or standard values that add too much to it, leaves out.
    unfit : int
        Candidates whose values are beyond the limits of a board, or whose op-amps are too slow or unsuitable.
    promise : Promise or None
        None where no candidate suits.
    """

    banks: tuple[Bank, ...]
    least: float
    pruned: int
    unfit: int
    promise: Promise | None = None


def made_of(requirement: Requirement, which: tuple[int, str, str], *, prune: bool = True) -> Made:
    """Build one structure, and give it standard values for every series and swing that is allowed.

    Parameters
    ----------
    requirement : Requirement
    which : (order, family, realization)
    prune : bool
        Whether what cannot keep the limit is left out.

    Raises
    ------
    LmuAnalogError
        If there is no such circuit.
    """
    allow = requirement.allow
    begun = _begun(requirement, which)
    if isinstance(begun, int):
        return Made((), math.inf, 0, begun)
    promise, models, least = begun.promise, begun.models, begun.least
    of_an_opamp = _of_an_opamp(requirement) * len(begun.decades)
    usable, count = promise.opamps, len(promise.opamps) * of_an_opamp
    unfit = len(allow.opamps) * _of_an_opamp(requirement) * len(DECADES) - count
    limit = requirement.need.nrmse
    # What a fitted readout leaves may be less than the best parts do without; a network's loss is another error.
    plain = set(allow.calibration) == {"none"} and requirement.task is None
    if prune and plain and limit is not None and least > limit * (1.0 + MARGIN):
        return Made((), least, count, unfit, promise)
    kept_ones = set(affordable(requirement, promise.amplifiers)) if prune else set(usable)
    models = {k: model for k, model in models.items() if k in kept_ones}
    if not models:
        return Made((), least, count, unfit, promise)
    # The largest swing is that of the circuit, whether an op-amp of it is left or not.
    classes = {swing: [k for k in of if k in kept_ones] for swing, of in begun.classes.items()}
    dear = (len(usable) - len(models)) * of_an_opamp
    bound = limit * (1.0 + MARGIN) if prune and plain and limit is not None else math.inf
    by_series = _by_series(requirement, begun, classes, models=models, bound=bound)
    found = [bank for series in allow.values for bank in by_series.get(series, [])]
    spoilt = (len(allow.values) - len(by_series)) * len(models) * of_an_opamp // len(allow.values)
    kept = [
        bank
        for bank in found
        if limit is None or not prune or _nominal(bank, models) <= limit * (1.0 + MARGIN)
    ]
    held, built = (sum(bank.candidates(requirement) for bank in banks) for banks in (kept, found))
    pruned = dear + spoilt + built - held
    return Made(tuple(kept), least, pruned, unfit + count - pruned - held, promise)


def _by_series(
    requirement: Requirement,
    begun: "_Begun",
    classes: dict[float, list[int]],
    *,
    models: dict[int, OpAmpModel],
    bound: float,
) -> dict[str, list[Bank]]:
    """Give a structure standard values of every series that may keep a bound of the error, the finest first."""
    base, linear, found = requirement.base, begun.linear, {}
    # The fit's norm is that of equal tones.
    hopeless = HOPELESS * bound if _is_flat(base) else math.inf
    for series in sorted(requirement.allow.values, key=lambda name: -int(name[1:])):
        rounded = choose_common(
            linear.circuit,
            bandwidth=base.bandwidth,
            resistors=series,
            levels="within limits",
            stock=stock(linear.design, linear.circuit),
            fit="joint",
            hopeless=hopeless,
        )
        if rounded.after > hopeless:  # and so coarser ones are
            break
        # What the error of standard values adds to the mean square, it adds to all that circuits keep.
        if bound < math.inf and math.hypot(begun.least, _alone(linear, rounded)) > _SURELY * bound:
            continue
        found[series] = [
            _plain(requirement, bank)
            if calibration == "none"
            else calibrated(requirement, bank, calibration=calibration)
            for bank in _banks(requirement, linear, rounded, series, classes=classes, models=models)
            for calibration in requirement.allow.calibration
        ]
    return found


@dataclass(frozen=True, eq=False)
class _Begun:
    """A structure before it has standard values.

    Attributes
    ----------
    models : dict
        Of the op-amps that suit its family, by their place in ``Allow.opamps``.
    classes : dict
        Swing, V, to those that allow it.
    decades : list of int
        At which its exact values are within the limits of a board, and no output has to drive too much.
    linear : Linear
    least : float
        As in ``Made``.
    promise : Promise
    """

    models: dict[int, OpAmpModel]
    classes: dict[float, list[int]]
    decades: list[int]
    linear: Linear
    least: float
    promise: Promise


def _begun(requirement: Requirement, which: tuple[int, str, str]) -> _Begun | int:
    """Build and linearise a structure with exact values; where no candidate suits, give how many there would be."""
    allow, base = requirement.allow, requirement.base
    usable = [k for k, part in enumerate(allow.opamps) if usable_with(which[1], part, base)]
    models = {k: base.replace(opamp=allow.opamps[k]).opamp_model for k in usable}
    none = len(allow.opamps) * _of_an_opamp(requirement) * len(DECADES)
    if not usable:
        return none
    classes = _by_swing(models, base)
    design = _with_reference(requirement, which, list(models.values()), swing=max(classes))
    circuit = build(design)
    parts = {of: np.array([c.value for c in circuit.only(of)]) for of in (Resistor, Capacitor)}
    load = min(loads(circuit).values(), default=math.inf)
    decades = [
        k
        for k in DECADES
        if _within(parts[Resistor] * 10.0**-k, parts[Capacitor] * 10.0**k)
        and load * 10.0**-k >= _NEARLY * LEAST_LOAD
    ]
    if not decades:
        return none
    linear, least = _linear(requirement, design, circuit, models=list(models.values()))
    promise = Promise(
        tuple(usable), tuple(decades), np.concatenate(list(parts.values())), len(parts[Resistor]),
        len(circuit.amplifiers), design.opamp_model, linear.slowest, linear.slopes, linear.traces,
    )  # fmt: skip
    return _Begun(models, classes, decades, linear, least, promise)


def _of_an_opamp(requirement: Requirement) -> int:
    """Count the candidates of a structure with one op-amp at one decade."""
    allow = requirement.allow
    return math.prod(map(len, (allow.resistor, allow.capacitor, allow.values, allow.calibration)))


def promise_of(requirement: Requirement, which: tuple[int, str, str]) -> Promise | None:
    """Say what a structure promises; None where no candidate suits.

    Raises
    ------
    LmuAnalogError
        If there is no such circuit.
    """
    begun = _begun(requirement, which)
    return None if isinstance(begun, int) else begun.promise


def _is_flat(base: Design) -> bool:
    """Tell whether the signal is of equal tones."""
    tones = base.stimulus
    return isinstance(tones, Tones) and bool(np.ptp(np.abs(tones.phasor)) <= ROUNDING * tones.rms)


def _alone(linear: Linear, rounded: Rounded) -> float:
    """Give what standard values add to the error, with the reference op-amp and at the largest swing."""
    circuit = rounded.circuit
    error = errors_of(linear.design, circuit, circuit.values[None], plan=split(circuit))
    return float(np.linalg.norm(error))


def _nominal(bank: Bank, models: Mapping[int, OpAmpModel]) -> float:
    """Give the least error without mismatch that any op-amp of a bank makes: what half of all circuits do not keep."""
    at = [(models[k], decade) for k in bank.opamps for decade in bank.decades]
    worst = np.zeros(len(at))
    for place in bank.temperatures:
        terms = np.array([bank.terms(model, decade, place) for model, decade in at])
        squares = bank.traces.rest + np.einsum("nk,nk->n", terms @ bank.traces.nominal, terms)
        worst = np.maximum(worst, squares)
    return math.sqrt(float(worst.min()))


def _drifted(
    requirement: Requirement, design: Design, circuit: Circuit, error: Float[np.ndarray, " e"]
) -> Float[np.ndarray, "e t"]:
    """Give what every temperature of a requirement adds to the error of a circuit that is nominal, (e, t)."""
    if not requirement.temperatures:
        return np.zeros((len(error), 0))
    values = at_temperature(circuit, design.temperature_law, np.array(requirement.temperatures))
    return errors_of(design, circuit, values) - error[:, None]


def design_from(
    requirement: Requirement,
    bank: Bank,
    opamp: str | dict[str, object],
    *,
    decade: int = 0,
    tolerances: tuple[float, float] = (UNIT, UNIT),
) -> Design:
    """Give a candidate as a whole design.

    Parameters
    ----------
    requirement : Requirement
    bank : Bank
    opamp : str or dict
        A part, or a table of figures.
    decade : int
    tolerances : (float, float)
        Of resistors and capacitors, fractions.
    """
    base = requirement.base
    return base.replace(
        order=bank.order,
        family=bank.family,
        realization=bank.realization,
        opamp=opamp,
        capacitance=ORIGIN,
        headroom=swung(base, base.replace(opamp=opamp).opamp_model, bank.swing),
        mismatch=mismatch_of(requirement, *tolerances),
        element_values=bank.at(decade),
        output_levels=bank.levels,
        readout="window" if bank.calibration == "nominal" else "ideal",
    )


def _plain(requirement: Requirement, bank: Bank) -> Bank:
    """Give a bank the law of a network's loss, if that is what is asked for.

    What single op-amps and temperatures do to the nominal loss is not in it; verification has it.
    """
    if requirement.task is None:
        return bank
    design = design_from(requirement, bank, bank.reference_figures)
    theory = task_first_order(design, requirement.task)
    terms = np.zeros((len(theory.error), len(TERMS) + len(requirement.temperatures)))
    terms[:, 0] = theory.error
    return replace(bank, traces=Traces.of(theory.rest, terms, _of_draws(requirement, theory)))


def _of_draws(requirement: Requirement, theory: FirstOrder) -> list[Float[np.ndarray, "e _"]]:
    """Give the Jacobian of every class of draws, at tolerances of one, of a design that ``design_from`` gave."""
    of = [_class_of(name) for name in theory.names]
    spreads = (UNIT, UNIT, requirement.bandwidth or 1.0, 1.0)
    return [
        theory.jacobian[:, [k for k, c in enumerate(of) if c == name]] / spread
        for name, spread in zip(CLASSES, spreads, strict=True)
    ]


def calibrated(requirement: Requirement, bank: Bank, *, calibration: Calibration) -> Bank:
    """Give a bank with a readout that is fitted to its nominal circuit, or to each of its circuits.

    What bandwidth and gain of op-amps do, a fitted readout makes up for; what offsets do, that of each circuit alone.
    """
    bank = replace(bank, calibration=calibration)
    design = design_from(requirement, bank, bank.reference_figures)
    each = calibration == "each"
    theory = first_order_calibrated(design, "readout") if each else first_order(design)
    terms = np.zeros((len(theory.error), len(TERMS)))
    terms[:, 0] = theory.error
    if not each:
        circuit = build(design)
        shifts = [k for k, p in enumerate(circuit.parameters) if p.name.endswith(".offset")]
        terms[:, 5] = OFFSET * offset_slopes(design, circuit)[:, shifts].sum(axis=1)
        terms[:, 6] = (
            _with_model(design, circuit, None, bias=BIAS)
            - errors_of(design, circuit, circuit.values[None])[:, 0]
        )
    return replace(bank, traces=Traces.of(theory.rest, terms, _of_draws(requirement, theory)))


def law_with_readout(
    requirement: Requirement, which: tuple[int, str, str], promise: Promise, *, calibration: Calibration
) -> Traces:
    """Give the law of a structure with exact values whose readout is fitted, over ``CLASSES``.

    Op-amps are the best there are: what their bandwidth and gain do, a fitted readout makes up for.

    Parameters
    ----------
    requirement : Requirement
    which : (order, family, realization)
    promise : Promise
        What is known of it.
    calibration : {"nominal", "each"}
    """
    base = requirement.base
    models = {k: base.replace(opamp=requirement.allow.opamps[k]).opamp_model for k in promise.opamps}
    design = _with_reference(requirement, which, list(models.values()), swing=max(_by_swing(models, base)))
    design = design.replace(mismatch=mismatch_of(requirement, UNIT, UNIT))
    if calibration == "each":
        theory = first_order_calibrated(design, "readout")
    else:
        theory = first_order(design.replace(readout="window"))
    return Traces.of(theory.rest, theory.error[:, None], _of_draws(requirement, theory))


def _by_swing(models: dict[int, OpAmpModel], base: Design) -> dict[float, list[int]]:
    """Group op-amps by the amplitude that they allow at outputs: the least of a group, V, and who is in it."""
    swing = {k: (1.0 - base.headroom) * min(base.rail, m.swing) for k, m in models.items()}
    most = max(swing.values())
    groups: dict[float, list[int]] = {}
    for high, low in pairwise(_SWINGS):
        inside = [k for k, s in swing.items() if low * most < s <= high * most]
        if inside:
            groups[min(swing[k] for k in inside)] = inside
    return groups


def swung(base: Design, opamp: OpAmpModel, swing: float) -> float:
    """Give the headroom with which an op-amp's outputs have an amplitude of ``swing``.

    Rounded, so that a design file says 30 % where that was asked for, not what a quotient's last bit makes of it.
    """
    return round(1.0 - swing / min(base.rail, opamp.swing), HEADROOM_DIGITS)


def _with_reference(
    requirement: Requirement, which: tuple[int, str, str], models: Sequence[OpAmpModel], *, swing: float
) -> Design:
    """Give a structure with an op-amp as fast as the fastest, and the outputs' swing, V."""
    base = requirement.base
    order, family, realization = which
    reference = {
        "gain": _BEST_GAIN,
        "gbw": max(m.gbw for m in models),
        "rail": swing / (1.0 - base.headroom),
        "offset_max": OFFSET,
    }
    return base.replace(
        order=order, family=family, realization=realization, opamp=reference,
        mismatch=mismatch_of(requirement, UNIT, requirement.allow.capacitor[-1], bandwidth=UNIT),
    )  # fmt: skip


def _linear(
    requirement: Requirement, design: Design, circuit: Circuit, *, models: Sequence[OpAmpModel]
) -> tuple[Linear, float]:
    """Linearise a structure; with what the wanted share of circuits keeps with the best parts."""
    allow = requirement.allow
    rest, error, slopes = linearised(design, circuit)
    jacobians = _by_class(design, circuit, slopes, (UNIT, allow.capacitor[-1], UNIT, 1.0))
    drifted = _drifted(requirement, design, circuit, error)
    # The limit of a network's loss is none of the window error.
    limit = requirement.need.nrmse if requirement.task is None else None
    terms, slowest = _terms(design, circuit, error, models, limit, split(circuit))
    offsets = [k for k, p in enumerate(circuit.parameters) if p.name.endswith(".offset")]
    shifted = OFFSET * slopes[:, offsets].sum(axis=1)
    traces = Traces.of(rest, np.column_stack([terms, shifted, drifted]), jacobians)
    # Of every temperature, the worst of which counts.
    at = np.zeros((max(drifted.shape[1], 1), len(traces.nominal)))
    at[:, 0] = 1.0
    at[: drifted.shape[1], terms.shape[1] + 1 :] = np.eye(drifted.shape[1])
    best = np.tile([allow.resistor[-1], allow.capacitor[-1], 0.0, 0.0], (len(at), 1))
    least = float(pearson.quantile(traces.cumulants(at, best), requirement.need.good).max())
    return Linear(
        design, circuit, jacobians, terms, rest, slowest, traces, _by_logarithm(circuit, slopes)
    ), least


def _by_logarithm(circuit: Circuit, slopes: Float[np.ndarray, "e m"]) -> tuple[float, float]:
    """Give the norms of derivatives by the logarithms of resistors, and of capacitors that are not first on their node.

    The level of a node makes its first capacitor a standard one.
    """
    size = np.sum((slopes * circuit.values) ** 2, axis=0)
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    rounded = {"resistor": [c.name for c in circuit.only(Resistor)], "capacitor": []}
    for hung in nodes(circuit):
        farads = [c for c in hung if isinstance(c, Capacitor)]
        # Halves of a differential circuit are alike.
        rounded["capacitor"] += [c.name for c in farads if abs(c.value / farads[0].value - 1.0) > ROUNDING]
    resistors, capacitors = (math.sqrt(math.fsum(size[column[n]] for n in of)) for of in rounded.values())
    return resistors, capacitors


def mismatch_of(
    requirement: Requirement, resistor: float, capacitor: float, *, bandwidth: float | None = None
) -> dict[str, Tolerance]:
    """Give the mismatch of a candidate; that of its op-amps' bandwidths is the requirement's unless given."""
    spread = requirement.bandwidth if bandwidth is None else bandwidth
    law = cast("Distribution", requirement.allow.distribution)
    return {
        "resistor": Tolerance(resistor, law),
        "capacitor": Tolerance(capacitor, law),
        "opamp": Tolerance(spread, "gauss3"),
    }


def _by_class(
    design: Design, circuit: Circuit, slopes: Float[np.ndarray, "e m"], tolerances: Sequence[float]
) -> tuple[Float[np.ndarray, "e _"], ...]:
    """Give the Jacobian of every class of draws, at tolerances of one."""
    law = Mismatch.of(design)
    names = columns(circuit, law)
    moved = by_draws(circuit, law, slopes)
    of = [_class_of(name) for name in names]
    return tuple(
        moved[:, [k for k, c in enumerate(of) if c == name]] / tolerance
        for name, tolerance in zip(CLASSES, tolerances, strict=True)
    )


def _class_of(draw: str) -> str:
    """Name the class of a draw: op-amps have two."""
    of, _, kind = draw.rpartition("|")
    return {"gbw": "bandwidth", "offset": "offset"}.get(of.rpartition(".")[2], kind)


def _terms(
    design: Design,
    circuit: Circuit,
    error: np.ndarray,
    models: Sequence[OpAmpModel],
    limit: float | None,
    plan: Split,
) -> tuple[Float[np.ndarray, "e k"], float]:
    """Give the error and what bandwidth and gain add, (e, k), and the largest slowness that they hold for, s."""
    names = [p.name for p in circuit.parameters]
    bandwidths = [k for k, name in enumerate(names) if name.endswith(".gbw")]
    best = 1.0 / design.opamp_model.gbw
    most = max(1.0 / m.gbw for m in models) - best
    values = circuit.values
    little = 1e-3 * best
    slower = circuit.values.copy()
    slower[bandwidths] = 1.0 / (best + little)
    slope = (errors_of(design, circuit, slower[None], plan=plan)[:, 0] - error) / little
    # Beyond, the bandwidth alone makes the error hopeless.
    allowed = HOPELESS * (limit or 0.3) / max(float(np.linalg.norm(slope)), 1e-300)
    slowest = min(most, allowed)
    powers = [np.zeros(len(error))] * 3
    if slowest > 0.0:
        x = slowest * 0.5 * (1.0 - np.cos(np.pi * (np.arange(_NODES) + 0.5) / _NODES))
        rows = np.repeat(values[None], _NODES, axis=0)
        rows[:, bandwidths] = 1.0 / (best + x)[:, None]
        found = errors_of(design, circuit, rows, plan=plan) - error[:, None]
        # Over x, so that the polynomial has no constant; scaled, so that it is well conditioned.
        scaled = np.vander(x / slowest, 3, increasing=True)
        fitted = np.linalg.lstsq(scaled, (found / x).T, rcond=None)[0]
        powers = [fitted[k] / slowest**k for k in range(3)]
    by_gain = (_with_model(design, circuit, plan, gain=_LOW_GAIN) - error) / (
        1.0 / _LOW_GAIN - 1.0 / _BEST_GAIN
    )
    return np.stack([error, *powers, by_gain], axis=1), slowest


def _with_model(
    design: Design, circuit: Circuit, plan: Split | None, **figures: float
) -> Float[np.ndarray, " e"]:
    """Give the error with other figures of all op-amps, (e,)."""
    changed = tuple(
        replace(c, model=replace(c.model, **figures)) if isinstance(c, Amplifier) else c
        for c in circuit.components
    )
    other = replace(circuit, components=changed)
    return errors_of(design, other, other.values[None], plan=plan)[:, 0]


def _banks(
    requirement: Requirement,
    linear: Linear,
    rounded: Rounded,
    series: str,
    *,
    classes: dict[float, list[int]],
    models: dict[int, OpAmpModel],
) -> list[Bank]:
    """Give the banks of one series: one for each swing of op-amps."""
    design, most = linear.design, max(classes)
    names = [p.name for p in rounded.circuit.parameters]
    plain = mapped(design, ORIGIN)
    inside = {p.name for p in plain.parameters}
    kinds = {c.name: type(c) for c in rounded.circuit.components if isinstance(c, Resistor | Capacitor)}
    parts = [n for of in (Resistor, Capacitor) for n in names if kinds.get(n) is of and n in inside]
    others = tuple(c.value for c in rounded.circuit.only(Resistor) if c.name not in inside)
    places = [names.index(n) for n in parts]
    resistors = sum(kinds[n] is Resistor for n in parts)
    levels = levels_between(linear.circuit, rounded.circuit)
    # With one swing alone nothing is moved to another.
    powers = np.zeros(len(parts)) if min(classes) == most else _powers_of_swing(design, plain, parts, most)
    found = []
    for swing, opamps in classes.items():
        fast = tuple(
            k
            for k in opamps
            if 1.0 / models[k].gbw - 1.0 / design.opamp_model.gbw <= linear.slowest * (1.0 + 1e-9)
        )
        if not fast:
            continue
        values = rounded.circuit.values[places]
        used = swing
        if swing < most:
            used, values = _at_swing(linear, rounded, places, powers, series, swing / most)
            used *= most
        made = _with_rail(design, used / (1.0 - design.headroom))
        circuit = with_parts(made, dict(zip(parts, values.tolist(), strict=True)), levels)
        plan = split(circuit)
        error = errors_of(made, circuit, circuit.values[None], plan=plan)[:, 0]
        # What offsets and bias currents do follows the impedances and the scale, which rounding has chosen.
        by_offset = offset_slopes(made, circuit)
        offsets = [k for k, p in enumerate(circuit.parameters) if p.name.endswith(".offset")]
        biased = _with_model(made, circuit, plan, bias=BIAS) - error
        terms = np.column_stack(
            [
                error,
                linear.terms[:, 1:5],
                OFFSET * by_offset[:, offsets].sum(axis=1),
                biased,
                _drifted(requirement, made, circuit, error),
            ]
        )
        law = Mismatch.of(made)
        random = [k for k, name in enumerate(columns(circuit, law)) if _class_of(name) == "offset"]
        moved = by_draws(circuit, law, by_offset, draws=random)
        jacobians = (*linear.jacobians[:3], moved)
        load_resistance = min(loads(circuit).values(), default=math.inf)
        decades = tuple(
            k
            for k in DECADES
            if _within(values[:resistors] * 10.0**-k, values[resistors:] * 10.0**k)
            and load_resistance * 10.0**-k >= LEAST_LOAD
        )
        if decades:
            found.append(
                Bank(
                    design.order, design.family, design.realization, series, "none", used, fast, decades, tuple(parts),
                    values, resistors, levels, others, len(circuit.amplifiers), _load(made, circuit),
                    design.opamp_model, Traces.of(linear.rest, terms, jacobians),
                )
            )  # fmt: skip
    return found


def _with_rail(design: Design, rail: float) -> Design:
    """Give the design with other limits of the reference op-amp's outputs, V."""
    return design.replace(opamp={**cast("dict[str, object]", design.opamp), "rail": rail})


def with_parts(design: Design, values: Mapping[str, float], levels: Mapping[str, float]) -> Circuit:
    """Give the circuit of a design with values of one's own for its resistors and capacitors, and levels of outputs."""
    own = {"element_values": dict(values), "output_levels": dict(levels)}
    return build(design.replace(capacitance=ORIGIN, **own))


def _powers_of_swing(
    design: Design, plain: Circuit, parts: Sequence[str], swing: float
) -> Float[np.ndarray, " m"]:
    """Give the power of the outputs' swing in every value: not zero where the input, or a tap, has another scale."""
    half = _with_rail(design, 0.5 * swing / (1.0 - design.headroom))
    both = [{p.name: p.nominal for p in one.parameters} for one in (plain, mapped(half, ORIGIN))]
    powers = np.array([np.log2(both[0][n] / both[1][n]) for n in parts])
    # Resistors of inverters follow what they drive by no power, and are free: only their ratio counts.
    whole = np.round(powers)
    return np.where(np.abs(powers - whole) < _WHOLE, whole, 0.0)


def _at_swing(
    linear: Linear,
    rounded: Rounded,
    places: Sequence[int],
    powers: np.ndarray,
    series: str,
    share: float,
) -> tuple[float, Float[np.ndarray, " m"]]:
    """Find the swing, at most ``share`` of the largest, at which rounding adds least, and the values at it."""
    values, exact = rounded.circuit.values[places], rounded.exact.values[places]
    carry = np.flatnonzero(powers)
    least = _LEAST_SHARE * share
    tried = {share}
    for k in carry:
        # Those at which this part is a standard value, and those at which it is off by as much as at the full swing,
        # which is what the other roundings were chosen for.
        for now in (exact[k], values[k]):
            low, high = sorted(now * np.array([least, share]) ** powers[k])
            for value in members_between(series, low, high):
                tried.add(float(np.clip((value / now) ** (1.0 / powers[k]), least, share)))
    shares = np.array(sorted(tried, reverse=True))
    if len(shares) > _MOST_SWINGS:
        shares = shares[np.linspace(0, len(shares) - 1, _MOST_SWINGS).round().astype(int)]
    scale = shares[:, None] ** powers[carry]
    chosen = nearest(exact[carry] * scale, series)
    # At another swing all voltages scale, and what reads them: the error is that of the full swing with these values.
    rows = np.repeat(rounded.circuit.values[None], len(shares), axis=0)
    rows[:, np.array(places)[carry]] = chosen / scale
    errors = errors_of(linear.design, rounded.circuit, rows, plan=split(rounded.circuit))
    size = np.sum(errors**2, axis=0)
    best = int(np.flatnonzero(size <= size.min() * (1.0 + _CLOSE))[0])
    moved = values.copy()
    moved[carry] = chosen[best]
    return float(shares[best]), moved


def _load(design: Design, circuit: Circuit) -> float:
    """Give what the outputs deliver, W, from both supplies."""
    found = [c for c in resources(design, circuit=circuit).currents if c.of_signal]
    supplies = 1.0 if design.has_single_supply else 2.0
    return supplies * design.supply * sum(c.count * c.each for c in found if c.each is not None)


def _within(resistors: np.ndarray, capacitors: np.ndarray) -> bool:
    """Tell whether values are within the limits of a board."""
    return all(
        low * (1.0 - ROUNDING) <= values.min() and values.max() <= high * (1.0 + ROUNDING)
        for values, (low, high) in ((resistors, DISCRETE[Resistor]), (capacitors, DISCRETE[Capacitor]))
        if len(values)
    )
