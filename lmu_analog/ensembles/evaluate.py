"""The window error of given draws, in either engine, for high-sigma methods."""

from typing import assert_never

import numpy as np
from jaxtyping import Float

from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_draws
from lmu_analog.ensembles.pool import processors, run_tasks
from lmu_analog.ensembles.simulated import ngspice_draws
from lmu_analog.errors import SimulationError, SimulatorMissing
from lmu_analog.simulation import Engine
from lmu_analog.storage.store import UNSTABLE

AT_ONCE = 1024  # samples: bounds the memory
SAMPLE_TIMEOUT = 600.0  # s in ngspice


def errors_of(
    design: Design, z: Float[np.ndarray, "s z"], *, engine: Engine = "exact", workers: int | None = None
) -> Float[np.ndarray, " s"]:
    """Run the circuits of given draws.

    Parameters
    ----------
    design : Design
    z : (s, z) array
        Standard normals, columns as in ``law.columns``.
    engine : {"exact", "ngspice"}
    workers : int, optional
        Processes of ngspice; as many as there are processors unless given.

    Returns
    -------
    (s,) array
        Window NRMSE, fractions of rms(u): infinite where a circuit is unstable, NaN where it failed.
    """
    match engine:
        case "exact":
            parts = [_exact(design, z[k : k + AT_ONCE]) for k in range(0, len(z), AT_ONCE)]
            return np.concatenate([np.zeros(0), *parts])
        case "ngspice":
            return _simulated(design, z, workers or processors())
        case _:
            assert_never(engine)


def _exact(design: Design, z: np.ndarray) -> np.ndarray:
    error, status = exact_draws(design, z)
    return np.where(status == UNSTABLE, np.inf, error)


def _simulated(design: Design, z: np.ndarray, workers: int) -> np.ndarray:
    found = np.full(len(z), np.nan)
    tasks = [(design, row, k) for k, row in enumerate(z)]
    for number, result in run_tasks(ngspice_draws, tasks, workers=workers, timeout=SAMPLE_TIMEOUT):
        if isinstance(result, SimulatorMissing):  # no fault of the sample
            raise result
        if not isinstance(result, SimulationError):
            found[number] = result.window_nrmse[0]
    return found
