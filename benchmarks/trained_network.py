"""Train the network of `hardware-loss` that tells digits, the first of its seeds, and store it in the package.

    python -m benchmarks.trained_network

Writes lmu_analog/experiments/stored/digits-network.npz, which the notebook on circuits in the loop runs.
"""

import os
from dataclasses import replace

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from lmu_analog.experiments import frame, hardware_loss  # noqa: E402
from lmu_analog.networks.network import with_weights  # noqa: E402
from lmu_analog.networks.weights import network_to_npz  # noqa: E402


def main() -> None:
    subject = hardware_loss.digits(hardware_loss.Options())
    subject = replace(subject, counts=replace(subject.counts, seeds=1))
    (trained,) = subject.train(lambda epochs: None)  # noqa: ARG005
    network = with_weights(subject.network, trained.weights)
    print(f"validation accuracy {100 * (1 - min(trained.history.error)):.2f} %, epoch {trained.best}")
    print(f"test accuracy {subject.figures(network)[0]:.2f} %")
    network_to_npz(frame.STORED / "digits-network.npz", network)


if __name__ == "__main__":
    main()
