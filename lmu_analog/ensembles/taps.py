"""The taps of an ensemble: how far each is from what it is to show, over all samples."""

from dataclasses import dataclass

import xarray as xr

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.comparison import Comparison, compare
from lmu_analog.ensembles.exact import tap_errors
from lmu_analog.ensembles.sampling import make_plan
from lmu_analog.ensembles.yields import Yield, percentiles, yield_within
from lmu_analog.memory.taps import Tap
from lmu_analog.stimulus import Tones
from lmu_analog.theory.first_order import first_order_of_taps


@dataclass(frozen=True, eq=False)
class TapSpread:
    """What an ensemble says of one tap.

    Attributes
    ----------
    name, net : str
    of : Tap
        What it is to show.
    gain : float
    nrmse : dict
        Percentiles of the error over rms(u), as ``yields.percentiles`` gives those of the window.
    good : Yield or None
        Within the limit of taps; None without one.
    theory : Comparison or None
        Monte Carlo over first-order theory; None without mismatch, and for recordings.
    """

    name: str
    net: str
    of: Tap
    gain: float
    nrmse: dict[str, float | None]
    good: Yield | None
    theory: Comparison | None


def tap_spreads(run: xr.Dataset, design: Design) -> list[TapSpread]:
    """Compute the taps of a run's samples, in the exact engine: they follow from seed and sample.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``.
    design : Design
        Of the run.
    """
    circuit = build(design)
    if not circuit.taps:
        return []
    count, seed = run.sizes["sample"], int(run.attrs["seed"])
    plan = make_plan(design, run.attrs.get("sampling", "random"))
    errors = tap_errors(design, seed, range(count), plan=plan)
    has_theory = bool(design.mismatch) and isinstance(design.stimulus, Tones)
    theories = first_order_of_taps(design) if has_theory else [None] * len(circuit.taps)
    found = []
    for tap, error, theory in zip(circuit.taps, errors.T, theories, strict=True):
        beside = run.assign(window_nrmse=("sample", error))
        good = None if design.tap_nrmse is None else yield_within(beside, design.tap_nrmse)
        compared = compare(beside, theory) if theory is not None and theory.predicted_rms > 0.0 else None
        found.append(TapSpread(tap.name, tap.net, tap.of, tap.gain, percentiles(beside), good, compared))
    return found
