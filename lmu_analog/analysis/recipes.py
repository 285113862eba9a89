"""Calibration methods: how each changes element values and the readout of mismatched circuits."""

import re
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, assert_never, get_args

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.analysis.device_under_calibration import (
    DeviceUnderCalibration,
    Excitation,
    circuit_device,
    excitation,
    responses,
)
from lmu_analog.analysis.readouts import coefficients_of, ensemble_rows, fitted_rows, ideal_rows, series
from lmu_analog.analysis.trims import (
    Knobs,
    importance,
    levels,
    most_useful,
    quantised,
    resolution,
    trimmed,
)
from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Transconductor
from lmu_analog.design import Design
from lmu_analog.mismatch.law import Mismatch, check_seed, draw, is_sound, sample

Method = Literal["nominal", "readout", "ensemble", "theta", "trim", "exact-k", "dac", "tau"]
METHODS: tuple[Method, ...] = get_args(Method)
_OTHERS = 100  # circuits that one readout for all is fitted to; they follow those that are evaluated
_SPREAD_DRAWS = 1000  # tell sigma of an element to 2 %
_BITS = 4
_WEIGHT = re.compile(r"w\[(\d+),(\d+)\]")


@dataclass(frozen=True)
class Settings:
    """What the methods may use.

    Attributes
    ----------
    elements : int or None
        Number k of elements that ``trim`` and ``exact-k`` touch, at most; as many as the order unless given.
    bits : int
        Of the converter on every element, ``dac``.
    trim_bits : int or None
        Of the converters of ``trim``; as fine as one likes unless given.
    """

    elements: int | None = None
    bits: int = _BITS
    trim_bits: int | None = None


@dataclass(frozen=True, eq=False)
class Batch:
    """What methods share: the device under calibration, its mismatched circuits (s, m), and the spread of elements."""

    design: Design
    circuit: Circuit
    device: DeviceUnderCalibration
    given: Excitation
    values: Float[np.ndarray, "s m"]
    others: Float[np.ndarray, "o m"]
    spread: Float[np.ndarray, " m"]
    settings: Settings

    @cached_property
    def trimmed(self) -> Int[np.ndarray, " k"]:
        """The elements that have a knob in ``trim``, the most useful first, (k,)."""
        count = self.settings.elements or self.device.order
        return most_useful(self.device, self.given, self.spread, count=count)

    @cached_property
    def exact(self) -> Int[np.ndarray, " k"]:
        """The elements whose spread alone costs most, those that ``exact-k`` makes exact, (k,)."""
        cost = importance(self.device, self.given, self.spread)
        ranked = np.argsort(-cost, kind="stable")[: self.settings.elements or self.device.order]
        return ranked[cost[ranked] > 0.0]


@dataclass(frozen=True, eq=False)
class Turned:
    """What a method set, on k knobs.

    Attributes
    ----------
    knobs : Knobs
        Which elements each holds.
    settings : (s, k) array
        Relative change of their values, v (1 + setting).
    step : (k,) array, optional
        Of the converter on each knob, relative; without one a knob is as fine as one likes.
    codes : (s, k) array of int, optional
        Signed codes of the converters, in the middle of whose steps a setting lies.
    """

    knobs: Knobs
    settings: Float[np.ndarray, "s k"]
    step: Float[np.ndarray, " k"] | None = None
    codes: Int[np.ndarray, "s k"] | None = None


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Values, (s, m), and readout, (q, d) or (s, q, d), after a method; whether the measured offset is subtracted.

    ``turned`` is what was set of the elements, None where they stay.
    """

    values: np.ndarray
    rows: np.ndarray
    subtracts_offset: bool = False
    turned: Turned | None = None


def prepared(
    design: Design, samples: int, seed: int, *, settings: Settings, is_uniform: bool = False
) -> Batch:
    """Draw the circuits of a design that are to be calibrated, and 100 others after them.

    With ``is_uniform`` their parts are uniform within their tolerance, by the same draws.
    """
    circuit = build(design.replace(temperature=None))
    law = replace(Mismatch.of(design), is_uniform=is_uniform)
    drawn = draw(circuit, law, seed=check_seed(seed), samples=range(samples + _OTHERS))
    values = sample(circuit, law, drawn)
    wide = sample(circuit, law, draw(circuit, law, seed=0, samples=range(_SPREAD_DRAWS)))
    passive = np.array([not set(p.classes) <= {"opamp"} for p in circuit.parameters], bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.where(passive, np.std(wide, axis=0) / np.abs(circuit.values), 0.0)
    # A constant element has the rounding of its mean as scatter.
    spread = np.where(spread > 1e-12, spread, 0.0)
    given = excitation(design.order, design.bandwidth, theta=design.theta, also=design.stimulus)
    device = circuit_device(design)
    others = values[samples:][is_sound(circuit, values[samples:])]
    return Batch(design, circuit, device, given, values[:samples], others, spread, settings)


def lacking(batch: Batch, method: Method) -> str | None:
    """Say in a line what a circuit lacks for a method; None if nothing."""
    deviates = bool(np.any(batch.spread))
    match method:
        case "theta" if batch.circuit.clock is not None:
            return "theta comes from the clock; there is nothing to trim"
        case "trim" | "exact-k" | "dac" if not deviates:
            return "no passive element deviates; give [mismatch] of a class that the circuit has"
        case "tau":
            return _lacks_for_compensation(batch.circuit)
        case _:
            return None


def calibrated(batch: Batch, method: Method) -> Calibrated:
    """Apply one method to all circuits of a batch."""
    device, given = batch.device, batch.given
    values, rows = batch.values, ideal_rows(device.order, given)
    match method:
        case "nominal":
            return Calibrated(values, rows)
        case "readout":
            states = responses(device, values, given.frequency)
            return Calibrated(values, fitted_rows(states, given, device.theta), subtracts_offset=True)
        case "ensemble":
            states = responses(device, batch.others, given.frequency)
            return Calibrated(values, ensemble_rows(states, given, device.theta))
        case "theta":
            knob = Knobs(device.rates[None])
            settings = trimmed(device, values, knob, given=given)
            return Calibrated(knob.turn(values, settings), rows, turned=Turned(knob, settings))
        case "trim":
            turned = _trim(batch)
            return Calibrated(turned.knobs.turn(values, turned.settings), rows, turned=turned)
        case "exact-k":
            exact = values.copy()
            exact[:, batch.exact] = batch.circuit.values[batch.exact]
            return Calibrated(exact, rows, turned=_each(batch, batch.exact, exact))
        case "dac":
            nominal = np.where(batch.circuit.values == 0.0, 1.0, batch.circuit.values)
            deviation = np.where(batch.spread > 0.0, values / nominal - 1.0, 0.0)
            taken = quantised(deviation, batch.spread, batch.settings.bits)
            after = values - taken * batch.circuit.values
            chosen, bits = np.flatnonzero(batch.spread), batch.settings.bits
            # What a converter adds is what the deviation's level stands for, with the other sign.
            codes = -1 - levels(deviation, batch.spread, bits)[:, chosen]
            step = resolution(batch.spread, bits)[chosen]
            return Calibrated(after, rows, turned=_each(batch, chosen, after, step=step, codes=codes))
        case "tau":
            after = compensated(batch.circuit, values)
            chosen = np.flatnonzero((after != values).any(axis=0))
            return Calibrated(after, rows, turned=_each(batch, chosen, after))
        case _:
            assert_never(method)


def coefficients(batch: Batch, method: Method) -> Float[np.ndarray, "s n d"] | None:
    """Give the readout that a method fits as Legendre coefficients, of every circuit or one for all; None if none.

    See ``readouts.coefficients_of``.
    """
    device = batch.device
    given = series(batch.given, device.theta, device.order)
    match method:
        case "readout":
            states = responses(device, batch.values, given.frequency)
            return coefficients_of(fitted_rows(states, given, device.theta), given)
        case "ensemble":
            states = responses(device, batch.others, given.frequency)
            return coefficients_of(ensemble_rows(states, given, device.theta)[None], given)
        case _:
            return None


def _each(
    batch: Batch,
    chosen: np.ndarray,
    after: np.ndarray,
    *,
    step: np.ndarray | None = None,
    codes: np.ndarray | None = None,
) -> Turned:
    """Give what was done to elements, each by itself."""
    settings = after[:, chosen] / np.where(batch.values[:, chosen] == 0.0, 1.0, batch.values[:, chosen]) - 1.0
    return Turned(Knobs.on(chosen, len(batch.spread)), settings, step, codes)


def _trim(batch: Batch) -> Turned:
    knobs = Knobs.on(batch.trimmed, len(batch.spread))
    settings = trimmed(batch.device, batch.values, knobs, given=batch.given)
    bits = batch.settings.trim_bits
    if bits is None:
        return Turned(knobs, settings)
    sigma = knobs.turns @ batch.spread
    step, codes = resolution(sigma, bits), levels(settings, sigma, bits)
    return Turned(knobs, quantised(settings, sigma, bits), step, codes)


def _lacks_for_compensation(circuit: Circuit) -> str | None:
    """Say in a line why weights cannot make up for time constants; None if they can."""
    if circuit.family != "rc-synapse":
        return f"weights that can be set are wanted, as those of rc-synapse; {circuit.family} has none"
    weights = [_WEIGHT.fullmatch(c.role) for c in circuit.only(Transconductor)]
    onto_itself = {found[1] for found in weights if found and found[1] == found[2]}
    if len(onto_itself) < circuit.order:
        return (
            f"{circuit.realization} has synapses without a weight onto themselves, which the measured time "
            "constants call for; take principle3"
        )
    return None


def compensated(circuit: Circuit, values: Float[np.ndarray, "s m"]) -> Float[np.ndarray, "s m"]:
    """Set the weights of RC synapses for the time constants R_i C_i that they have: exact, whatever those are.

    W = diag(tau) A + I and b = diag(tau) B hold for any tau (NEF Principle 3), so filters that deviate need not be
    trimmed where their weights can be set.
    The errors of the weights themselves stay; a weight may change its sign, as its value then does.

    Parameters
    ----------
    circuit : Circuit
        One for which ``_lacks_for_compensation`` is None.
    values : (s, m) array
        Of mismatched circuits.

    Returns
    -------
    (s, m) array
    """
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    changed = np.array(values, float)
    for component in circuit.only(Transconductor):
        row = component.out.removeprefix("x")
        R, C = column[f"Rtau_{row}"], column[f"Ctau_{row}"]
        stretch = values[:, R] * values[:, C] / (circuit.values[R] * circuit.values[C])
        sign = -1.0 if component.plus == GROUND else 1.0
        weight = sign * component.value * circuit.values[R]
        found = _WEIGHT.fullmatch(component.role)
        fixed = 1.0 if found and found[1] == found[2] else 0.0
        wanted = (weight - fixed) * stretch + fixed
        k = column[component.name]
        changed[:, k] = sign * wanted / values[:, R] * (values[:, k] / component.value)
    return changed
