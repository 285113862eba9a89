"""A memory that learns how far back to look: theta, from poor starts, against a known delay.

The last point of the window of a memory of order 8 is trained to be the input some steps ago. Encoders and readout
are fixed, so that theta alone can do it; 1/theta is what is trained, through the zero-order hold.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import Progress, Table
from lmu_analog.option import option

ORDER, SIGNALS, PERIODS, RATE = 8, 8, 16, 0.03
CYCLES = 0.3  # of the highest frequency in the delay: so slow that the loss has one valley over all starts
AHEAD = 0.5  # steps that a zero-order-hold input runs ahead, see ``memory.reference``


@dataclass(frozen=True)
class Options:
    """What is to be found, and from where."""

    delay: float = option(100.0, "The delay to find, in steps.")
    starts: tuple[float, ...] = option((20.0, 50.0, 200.0, 300.0), "Windows theta to start from, in steps.")
    steps: int = option(600, "Steps of Adam.")
    seed: int = option(0, "Of the noise.")

    def __post_init__(self) -> None:
        if not 10.0 <= self.delay <= 10_000.0:
            raise DesignError(f"delay={self.delay:g}: 10 to 10000 steps are wanted")
        if not self.starts or not all(0.0 < s < float("inf") for s in self.starts):
            raise DesignError("starts=: numbers above 0 with commas between them are wanted")
        if self.steps < 1:
            raise DesignError(f"steps={self.steps}: at least one is wanted")


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Learn theta from every start.

    Returns
    -------
    dict
        ``delay``, and ``table`` with start, ``theta`` found, its ``error`` and the course of both.
    """
    with progress("learning theta", len(options.starts) * options.steps) as advance:
        table = [_learned(options, start, advance) for start in options.starts]
    return {"delay": options.delay, "order": ORDER, "steps": options.steps, "table": table}


def _learned(options: Options, start: float, advance: Any) -> dict[str, Any]:
    import jax
    import jax.numpy as jnp
    import optax

    from lmu_analog.networks.learning.forward import apply
    from lmu_analog.networks.learning.tasks import delayed_noise
    from lmu_analog.networks.network import LMULayer, Network

    memory = LMULayer(0, ORDER, start, learned=("theta",), connections=())
    network = Network(1, (memory,), readout="every")
    period, band = round(PERIODS * options.delay), CYCLES / options.delay
    task = delayed_noise(SIGNALS, period, delay=options.delay, bandwidth=band, early=AHEAD, seed=options.seed)
    first = period // 4  # the memory starts from rest; by then it has forgotten that

    def loss(rate: jax.Array) -> jax.Array:
        m = apply(network, [{"input_encoders": jnp.ones((1, 1)), "rate": rate}], task.x)
        # P_i(1) = 1 for every i: the sum of all coefficients is the oldest point of the window.
        return jnp.mean((m.sum(axis=-1) - task.y[..., 0])[:, first:] ** 2)

    adam = optax.adam(RATE)

    @jax.jit
    def step(rate: Any, moments: Any) -> Any:
        updates, moments = adam.update(jax.grad(loss)(rate), moments)
        return optax.apply_updates(rate, updates), moments

    rate = jnp.ones(1)
    moments, course = adam.init(rate), []
    for _ in range(options.steps):
        course.append(start / float(rate[0]))
        rate, moments = step(rate, moments)
        advance(1)
    theta = start / float(rate[0])
    return {
        "start": start,
        "theta": theta,
        "error": theta - options.delay,
        "nrmse": float(np.sqrt(loss(rate) / np.mean(task.y[:, first:] ** 2))),
        "course": [round(t, 4) for t in course[:: max(1, options.steps // 50)]],
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line a start."""
    header = ("start, steps", "delay, steps", "theta found", "error, steps", "window's end, NRMSE")
    lines = [
        (
            f"{row['start']:g}",
            f"{result['delay']:g}",
            f"{row['theta']:.3f}",
            f"{row['error']:+.3f}",
            f"{row['nrmse']:.2g}",
        )
        for row in result["table"]
    ]
    return header, lines
