"""Compare our spiking networks with those of Nengo, in distribution.

    python benchmarks/nengo_compare.py --nengo PYTHON

PYTHON is the interpreter of an environment with Nengo 4; without it nothing is run. Nengo is under the GPL's second
version and is never imported here: it runs in a process of its own, and numbers alone pass. Same settings, other
neurons and other spikes: errors of a feed-forward channel and of the delay network (3 x 128 LIF neurons) over
networks, their means, and the Kolmogorov-Smirnov test. Writes benchmarks/results/nengo.json.
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from scipy.stats import ks_2samp  # noqa: E402

from lmu_analog.experiments.delay_network import (  # noqa: E402
    ORDER,
    PLACES,
    THETA,
    signal,
    whole_window_nrmse,
)
from lmu_analog.experiments.spiking_delay_network import BASE, DT, PROBE, SKIPPED, TAU  # noqa: E402
from lmu_analog.memory.reference import midpoints  # noqa: E402
from lmu_analog.memory.window import readout  # noqa: E402
from lmu_analog.networks.spiking.memory import (  # noqa: E402
    SpikingMemory,
    Trace,
    ideal_states,
    legendre_states,
    probed,
    radii_for,
    run,
    spiking_memory,
)
from lmu_analog.networks.spiking.neurons import Tuning  # noqa: E402
from lmu_analog.networks.spiking.runs import Channel, channel_rmse  # noqa: E402

PEER = Path(__file__).parent / "peers" / "nengo_peer.py"
CHANNEL = Channel(tuning=Tuning(rates=(20.0, 40.0), draw="independent"), steps=5000)
NEURONS = (100, 400, 1600)
SETTINGS = replace(BASE, regularisation=0.1)


def window_error(memory: SpikingMemory, decoded: np.ndarray, u: np.ndarray) -> float:
    """Measure a run by its decoded spikes: whole-window error against the ideal memory."""
    seen = probed(memory, Trace(decoded, decoded), u, tau=PROBE)
    window = legendre_states(memory, ideal_states(memory, u))[SKIPPED:] @ readout(ORDER, PLACES).T
    return whole_window_nrmse(legendre_states(memory, seen)[SKIPPED:], window)


def asked(memory: SpikingMemory, u: np.ndarray, seeds: int) -> dict:
    """Write the task for Nengo."""
    return {
        "seeds": seeds,
        "channel_neurons": NEURONS,
        "channel_rates": CHANNEL.tuning.rates,
        "channel_tau": CHANNEL.tau,
        "channel_dt": CHANNEL.dt,
        "channel_steps": CHANNEL.steps,
        "frequency": CHANNEL.frequency,
        "weights": memory.mapping.weights,
        "drive": memory.mapping.drives[0],
        "u": u,
        "rates": SETTINGS.tuning.rates,
        "neurons": SETTINGS.neurons,
        "tau": TAU,
        "dt": DT,
    }


def compared(name: str, ours: list[float], theirs: list[float]) -> dict:
    """Put two samples of errors beside one another."""
    means, spreads = zip(*((np.mean(x), np.std(x, ddof=1)) for x in (ours, theirs)), strict=True)
    p = float(ks_2samp(ours, theirs).pvalue)
    print(
        f"{name:28s} ours {means[0]:.4f} +- {spreads[0]:.4f}   nengo {means[1]:.4f} +- {spreads[1]:.4f}   "
        f"ratio {means[0] / means[1]:.3f}   KS p {p:.2g}",
        flush=True,
    )
    return {
        "what": name,
        "ours": [float(x) for x in ours],
        "nengo": [float(x) for x in theirs],
        "mean": [float(m) for m in means],
        "deviation": [float(s) for s in spreads],
        "ratio": float(means[0] / means[1]),
        "ks_p": p,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--nengo", metavar="PYTHON", help="interpreter that has Nengo")
    parser.add_argument("--networks", type=int, default=12)
    given = parser.parse_args()
    if given.nengo is None:
        print("nothing compared: give --nengo PYTHON, an interpreter that has Nengo 4")
        return
    u = midpoints(signal(0), DT, SKIPPED + 10_000)
    radii = radii_for(ORDER, THETA, u, settings=SETTINGS)
    networks = [
        spiking_memory(ORDER, THETA, replace(SETTINGS, seed=seed), radii=radii)
        for seed in range(given.networks)
    ]
    with tempfile.TemporaryDirectory() as folder:
        task, answer = Path(folder, "task.npz"), Path(folder, "answer.npz")
        np.savez(task, **asked(networks[0], u, given.networks))
        subprocess.run([given.nengo, str(PEER), str(task), str(answer)], check=True)
        theirs = dict(np.load(answer))
    rows = []
    for m, errors in zip(NEURONS, theirs["channels"], strict=True):
        ours = [channel_rmse(CHANNEL, m, seed=seed) for seed in range(given.networks)]
        rows.append(compared(f"channel, {m} neurons", ours, list(errors)))
    ours = [window_error(n, run(n, u, seed=seed).decoded, u) for seed, n in enumerate(networks)]
    rows.append(
        compared("delay network, 3 x 128", ours, [window_error(networks[0], x, u) for x in theirs["decoded"]])
    )
    versions = {"nengo": str(theirs["version"]), "numpy": np.__version__, "python": platform.python_version()}
    content = {"networks": given.networks, "versions": versions, "rows": rows}
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    (folder / "nengo.json").write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
