"""Run what nengo_compare.py asks for in Nengo, in a process and an environment of its own.

    python nengo_peer.py TASK.npz ANSWER.npz

Imports nothing of this package, which imports nothing of Nengo: their licences do not combine in one program.
"""

import sys

import nengo
import numpy as np

INTERCEPTS = nengo.dists.Uniform(-1.0, 1.0)


def channel(neurons: int, seed: int, task: dict) -> float:
    """RMSE of a sine through Poisson neurons and a synapse, against the sine behind the same synapse."""
    with nengo.Network(seed=seed) as model:
        u = nengo.Node(lambda t: np.sin(2.0 * np.pi * task["frequency"] * t))
        kind = nengo.PoissonSpiking(nengo.LIFRate())
        rates = nengo.dists.Uniform(*task["channel_rates"])
        x = nengo.Ensemble(
            int(neurons), 1, neuron_type=kind, max_rates=rates, intercepts=INTERCEPTS, seed=seed
        )
        nengo.Connection(u, x, synapse=None)
        seen = nengo.Probe(x, synapse=task["channel_tau"])
        ideal = nengo.Probe(u, synapse=task["channel_tau"])
    with nengo.Simulator(model, dt=task["channel_dt"], progress_bar=False) as simulator:
        simulator.run_steps(int(task["channel_steps"]))
    return float(np.sqrt(np.mean((simulator.data[seen] - simulator.data[ideal]) ** 2)))


def delay_network(seed: int, task: dict) -> np.ndarray:
    """Decode the spikes of every step, (t, d), of recurrent populations with the given weights."""
    weights, drive, u = task["weights"], task["drive"], task["u"]
    with nengo.Network(seed=seed) as model:

        def given(t: float) -> float:
            # A synapse in Nengo shows an input one step later than ours: feed the next one. Time begins at dt.
            return float(u[min(round(t / task["dt"]), len(u) - 1)])

        source = nengo.Node(given)
        rates = nengo.dists.Uniform(*task["rates"])
        populations = [
            nengo.Ensemble(int(task["neurons"]), 1, max_rates=rates, intercepts=INTERCEPTS) for _ in drive
        ]
        probes = []
        for i, population in enumerate(populations):
            nengo.Connection(source, population, transform=drive[i], synapse=task["tau"])
            for j, other in enumerate(populations):
                nengo.Connection(other, population, transform=weights[i, j], synapse=task["tau"])
            probes.append(nengo.Probe(population, synapse=None))
    with nengo.Simulator(model, dt=float(task["dt"]), progress_bar=False) as simulator:
        simulator.run_steps(len(u))
    found = np.hstack([simulator.data[probe] for probe in probes])
    return np.vstack([np.zeros(len(drive)), found[:-1]])


def main() -> None:
    task = dict(np.load(sys.argv[1]))
    task |= {name: float(value) for name, value in task.items() if value.ndim == 0}
    seeds = range(int(task["seeds"]))
    channels = [[channel(m, seed, task) for seed in seeds] for m in task["channel_neurons"]]
    decoded = [delay_network(seed, task) for seed in seeds]
    np.savez(sys.argv[2], channels=channels, decoded=decoded, version=nengo.__version__)


if __name__ == "__main__":
    main()
