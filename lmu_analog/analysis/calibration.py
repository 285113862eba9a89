"""Calibration of mismatched circuits: the error each method leaves, on another input and at another temperature.

Every method is fitted at the bench, at the temperature where parts are nominal, to tones at Gauss-Legendre
nodes of the band; it is evaluated on the design's own input, and at the design's temperature where that differs.
"""

from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.analysis.calibration_file import findings
from lmu_analog.analysis.device_under_calibration import power_error, profiles, responses
from lmu_analog.analysis.recipes import (
    METHODS,
    Batch,
    Calibrated,
    Method,
    Settings,
    calibrated,
    lacking,
    prepared,
)
from lmu_analog.circuits.temperature import NOMINAL, at_temperature
from lmu_analog.design import Design
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory import window
from lmu_analog.memory.stability import is_stable
from lmu_analog.mismatch.law import is_sound
from lmu_analog.simulation import grid
from lmu_analog.storage.results import FAILED, GOOD, UNSTABLE
from lmu_analog.units import whole

_MOST_SAMPLES = 10_000
_MOST_BITS = 16
_MOST_ELEMENTS = 1000  # trimmed one after another


def calibrate(
    design: Design,
    samples: int = 200,
    seed: int = 0,
    *,
    methods: tuple[Method, ...] | None = None,
    settings: Settings | None = None,
    is_uniform: bool = False,
) -> xr.Dataset:
    """Calibrate mismatched circuits of a design, and measure what is left.

    Parameters
    ----------
    design : Design
        With mismatch.
    samples : int
    seed : int
        The same circuits as those of ``monte_carlo``.
    methods : tuple of str, optional
        Of ``METHODS``; all that the circuit has unless given. ``nominal``, no calibration, always comes first.
        ``readout``: least squares for every circuit, its offset subtracted; ``ensemble``: one such readout,
        fitted to 100 other circuits; ``theta``: one knob on all capacitors and inductors; ``trim``: k elements
        together towards the nominal response; ``exact-k``: the k most sensitive elements made exact; ``dac``: a
        converter on every passive element and transconductor, set from its own measured error; ``tau``: synapse
        weights computed anew from the measured time constants.
    settings : Settings, optional
    is_uniform : bool
        Whether parts are uniform within their tolerance, by the same draws, whatever their law.

    Returns
    -------
    xarray.Dataset
        Over ``calibration`` and ``sample``: ``window_nrmse`` by the design's input, ``fitted_nrmse`` by the tones of
        the fit, ``drifted_nrmse`` at the design's temperature (NaN where it has none), fractions of rms(u);
        ``status`` as in ``monte_carlo``. Over ``calibration`` and ``delay``: ``profile``, the median over circuits.
        Attributes ``trimmed`` and ``exact``: the elements of ``trim`` and of ``exact-k``.

    Raises
    ------
    DesignError
        If there is no mismatch, or the circuit does not have what a method needs.
    """
    return calibrate_and_keep(
        design, samples, seed, methods=methods, settings=settings, is_uniform=is_uniform, keep=False
    )[0]


def calibrate_and_keep(
    design: Design,
    samples: int = 200,
    seed: int = 0,
    *,
    methods: tuple[Method, ...] | None = None,
    settings: Settings | None = None,
    is_uniform: bool = False,
    keep: bool = True,
) -> tuple[xr.Dataset, dict[Method, dict[str, Any]]]:
    """Calibrate as ``calibrate`` does, and keep what every method found.

    Returns
    -------
    (Dataset, dict)
        What is left, and method to what ``calibration_file.findings`` gives; empty without ``keep``.
    """
    settings = settings or Settings()
    _check(design, samples, settings)
    batch = prepared(design, samples, seed, settings=settings, is_uniform=is_uniform)
    if methods is None:
        methods = tuple(m for m in METHODS if lacking(batch, m) is None)
    for method in methods:
        if said := lacking(batch, method):
            raise DesignError(f"calibration {method}: {said}")
    ordered: tuple[Method, ...] = ("nominal", *(m for m in METHODS if m in methods and m != "nominal"))
    after: dict[Method, Calibrated] = {method: calibrated(batch, method) for method in ordered}
    left = _dataset(batch, ordered, [_evaluated(batch, one) for one in after.values()]).assign_attrs(
        seed=seed
    )
    kept: dict[Method, dict[str, Any]] = {}
    for method, one in after.items():
        if keep and (found := findings(batch, method, one)):
            kept[method] = found
    return left, kept


def _check(design: Design, samples: int, settings: Settings) -> None:
    if not design.mismatch:
        raise DesignError("no mismatch, so nothing to calibrate: give [mismatch]")
    whole(samples, "samples", low=1, high=_MOST_SAMPLES)
    for bits in (settings.bits, settings.trim_bits):
        if bits is not None and not 1 <= bits <= _MOST_BITS:
            raise DesignError(f"{shown(bits)} bits; 1 to {_MOST_BITS} are accepted")
    if settings.elements is not None and not 1 <= settings.elements <= _MOST_ELEMENTS:
        raise DesignError(f"{shown(settings.elements)} elements; 1 to {_MOST_ELEMENTS} are accepted")


def _evaluated(batch: Batch, after: Calibrated) -> dict[str, np.ndarray]:
    """Score what a method left: by the design's input, by the tones of the fit, and at another temperature."""
    design, device, given = batch.design, batch.device, batch.given
    rule = given.rule
    evaluation_grid = grid(design.stimulus, design.theta)
    system = device.system(after.values)
    sound = is_sound(batch.circuit, batch.values)
    stable = is_stable(system)
    constant = None
    if after.subtracts_offset and system.offset is not None:
        constant = -(after.rows @ system.offset[..., None])[..., 0]

    def score(found: np.ndarray, good: np.ndarray) -> np.ndarray:
        return np.where(sound, np.where(good, found, np.inf), np.nan)

    with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
        states = responses(device, after.values, given.frequency)
        fitted = power_error(states, given, device.theta, rows=after.rows)
        profile = profiles(
            system, evaluation_grid, after.rows, theta=device.theta, rule=rule, constant=constant
        )
        drifted = np.full(len(sound), np.nan)
        if design.temperature not in (None, NOMINAL):
            warm = device.system(
                at_temperature(batch.circuit, design.temperature_law, design.temperature, values=after.values)
            )
            found = profiles(
                warm, evaluation_grid, after.rows, theta=device.theta, rule=rule, constant=constant
            )
            drifted = score(window.window_nrmse(found, rule), is_stable(warm))
    shown = profile[:, rule.shown]
    return {
        "window_nrmse": score(window.window_nrmse(profile, rule), stable),
        "fitted_nrmse": score(fitted, stable),
        "drifted_nrmse": drifted,
        "profile": np.median(shown[stable & sound], axis=0) if (stable & sound).any() else np.inf + shown[0],
        "status": np.where(~sound, FAILED, np.where(stable, GOOD, UNSTABLE)).astype(np.int8),
    }


def _dataset(batch: Batch, methods: tuple[Method, ...], found: list[dict[str, np.ndarray]]) -> xr.Dataset:
    def stacked(name: str) -> np.ndarray:
        return np.stack([of[name] for of in found])

    along, share = ("calibration", "sample"), {"units": "1"}
    names = np.array(batch.device.names, dtype=object)
    return xr.Dataset(
        {
            **{
                name: (along, stacked(name), share)
                for name in ("window_nrmse", "fitted_nrmse", "drifted_nrmse")
            },
            "status": (along, stacked("status")),
            "profile": (("calibration", "delay"), stacked("profile"), share),
        },
        coords={
            "calibration": np.array(methods, dtype=object),
            "sample": np.arange(len(batch.values)),
            "delay": ("delay", window.QUADRATURE.r, {"units": "theta"}),
        },
        attrs={
            "engine": "exact",
            "exact": [str(name) for name in names[batch.exact]],
            "trimmed": [str(name) for name in names[batch.trimmed]],
            "temperature_k": batch.design.temperature,
            **batch.design.provenance,
        },
    )
