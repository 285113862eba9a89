"""What spikes through synapses that deviate hold of the window, beside states alone and beside synapses all alike.

    python benchmarks/heterogeneous.py [--networks 3] [--seconds 20]

Order 3, theta = 1 s, 3 x 200 leaky integrate-and-fire neurons whose synapses of 100 ms deviate by 30 % (log-normal),
nothing measured; readouts of five places are fitted to one noise and evaluated on another. Prints the errors over the
input's rms and writes benchmarks/results/heterogeneous.json.
"""

import argparse
import json
import os
import platform
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from lmu_analog.networks.spiking.heterogeneous import filtered_copies, fitted_series  # noqa: E402
from lmu_analog.networks.spiking.memory import Settings, Silicon, run, spiking_memory  # noqa: E402
from lmu_analog.networks.spiking.neurons import lognormal  # noqa: E402
from lmu_analog.stimulus import multitone  # noqa: E402
from lmu_analog.version import __version__  # noqa: E402

ORDER, NEURONS, TAU, SPREAD, COPIES = 3, 200, 0.1, 0.3, 8
STEP, SKIPPED = 1e-3, 1000  # s, and the steps of the transient


def errors(seed: int, steps: int) -> dict[str, float]:
    """Give the error of the window read from the states, from copies all alike, and from copies that deviate."""
    settings = Settings(neurons=NEURONS, firing="spiking", seed=seed)
    memory = spiking_memory(ORDER, 1.0, settings, silicon=Silicon(tau=SPREAD), radii=np.ones(ORDER))
    t = STEP * np.arange(steps)
    inputs = [multitone(1.0, 0.5, seed=2 * seed + k) for k in (0, 1)]  # one to fit, one to evaluate
    traces = [run(memory, u(t), seed=2 * seed + k) for k, u in enumerate(inputs)]
    windows = [u(t[SKIPPED:, None] - np.linspace(0.0, 1.0, 5)) for u in inputs]
    deviating = TAU * lognormal(np.random.default_rng(seed), SPREAD, (ORDER, COPIES))
    alike = np.full((ORDER, COPIES), TAU)
    found = {}
    for name, taus in {"states": None, "alike": alike, "deviating": deviating}.items():
        features = [
            (x.states if taus is None else np.hstack([x.states, filtered_copies(x.decoded, taus, dt=STEP)]))[
                SKIPPED:
            ]
            for x in traces
        ]
        weights = fitted_series(features[0], windows[0])
        missed = features[1] @ weights.T - windows[1]
        found[name] = float(np.sqrt(np.mean(missed**2) / np.mean(windows[1] ** 2)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--networks", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20.0)
    given = parser.parse_args()
    networks = []
    for seed in range(given.networks):
        networks.append(errors(seed, round(given.seconds / STEP)))
        print("  ".join(f"{name} {error:.3f}" for name, error in networks[-1].items()), flush=True)
    content = {
        "version": __version__,
        "seconds": given.seconds,
        "networks": networks,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    path = Path(__file__).parent / "results" / "heterogeneous.json"
    path.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
