"""The yield of parts that are uniform within their tolerance, beside that of the law that a design states.

A tolerance of 1 % is three standard deviations of a normal law unless the design says otherwise, and parts of which no
more is known than that they keep 1 % may lie anywhere within. The same draws say what that costs: each is mapped
by its distribution function (``law.factor_uniform``), and the exact engine runs the circuits.
"""

import pickle
from functools import lru_cache

import numpy as np
import xarray as xr

from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.sampling import Sampling, make_plan
from lmu_analog.ensembles.yields import Yield, completed, yield_within
from lmu_analog.stimulus import Tones

MOST, MOST_SLOW = 8192, 1024  # samples that are run at most: an interval of 2.2 %, or 6.2 %, at its widest
QUICK_ORDER = 12  # circuits up to it take well under a millisecond


def uniform_yield(run: xr.Dataset, design: Design) -> Yield | None:
    """Give the yield of a run's circuits with parts uniform within their tolerance, by the exact engine.

    The first samples of the run stand for all, ``samples_for`` of them at most. Lots and offsets keep their law.

    Parameters
    ----------
    run : Dataset
        From ``monte_carlo``, of this design, by any engine.
    design : Design

    Returns
    -------
    Yield or None
        None without a limit, where all parts are uniform already or none deviates, where the exact engine does not
        apply (circuits of transistors, of which it knows small signals only), and where a dataset does not say its
        seed.
    """
    if design.nrmse is None or "seed" not in run.attrs or not applies(design):
        return None
    done = completed(run).sample.values
    samples = done[done < samples_for(design)]
    if not len(samples):
        return None
    sampling: Sampling = run.attrs.get("sampling", "random")
    key = design.digest, pickle.dumps(design)
    error, status = _errors(key, int(run.attrs["seed"]), int(samples[-1]) + 1, sampling)
    content = {"window_nrmse": ("sample", error[samples]), "status": ("sample", status[samples])}
    beside = xr.Dataset(content, {"sample": samples}, {"sampling": sampling})
    return yield_within(beside, design.nrmse)


def applies(design: Design) -> bool:
    """Tell whether parts deviate by another law than a uniform one, in a circuit that the exact engine is exact for."""
    own = any(part.tolerance > 0.0 for part in design.part_tolerances)
    laws = [t for t in design.tolerances.values() if t.tolerance > 0.0 or own]
    return any(t.distribution != "uniform" for t in laws) and build(design).small_signal is None


def samples_for(design: Design) -> int:
    """Give the number of samples that are run at most."""
    return MOST_SLOW if is_slow(design) else MOST


def is_slow(design: Design) -> bool:
    """Tell recordings and large orders, which take longer."""
    return not isinstance(design.stimulus, Tones) or design.order > QUICK_ORDER


# A report asks three times.
@lru_cache(maxsize=4)
def _errors(
    key: tuple[str, bytes], seed: int, count: int, sampling: Sampling
) -> tuple[np.ndarray, np.ndarray]:
    design: Design = pickle.loads(key[1])
    found = exact_chunk(design, seed, range(count), plan=make_plan(design, sampling), is_uniform=True)
    return found.window_nrmse, found.status
