"""How much an untrained memory remembers: band-limited noise, delayed by up to 100,000 steps.

The setting of Voelker, Kajić and Eliasmith (NeurIPS 2019, section 3.1) without training: order 100, theta = T - 0.5
steps, zero-order hold, white noise up to 10 Hz in a time in which theta is 1 s, read out at five delays from 0
to T by the Legendre polynomials, mean square error over t >= T. Signals last 2.5 T, start at a zero crossing and
have a largest value of 1.
"""

import importlib.util
import time
from dataclasses import dataclass
from itertools import count, takewhile
from typing import Any, cast

import numpy as np
from jaxtyping import Float
from scipy import fft

from lmu_analog.errors import DesignError
from lmu_analog.experiments.frame import COSTS, Progress, Table, cost_cells
from lmu_analog.memory.window import readout
from lmu_analog.networks.cell import Memory
from lmu_analog.option import option

ORDER, BAND, LENGTH = 100, 10, 2.5  # band in cycles over T, length in T
DELAYS = np.linspace(0.0, 1.0, 5)  # over T
SHORTEST, LONGEST = 50, 1_000_000  # steps; 50 are five a cycle of the highest frequency
AT_ONCE = 10  # signals: 100 of 250,000 steps, their spectra and outputs would take a GB
TIMED = 2000  # steps
LSTM_UNITS, LSTM_STEPS = 100, 1000


@dataclass(frozen=True)
class Options:
    """How far to look, and how well to know it."""

    steps: int = option(100_000, "Longest delay T; powers of ten from 100 on lead up to it.")
    signals: int = option(100, "Noise signals.")
    epochs: int = option(200, "Of training an LSTM, for T up to 1000; 0 leaves it out.")
    seed: int = option(0, "Of the noise, and of the LSTM's weights.")

    def __post_init__(self) -> None:
        if not SHORTEST <= self.steps <= LONGEST:
            raise DesignError(f"steps={self.steps}: a delay of {SHORTEST} to {LONGEST} steps is wanted")
        for name, least in (("signals", 2), ("epochs", 0), ("seed", 0)):
            if getattr(self, name) < least:
                raise DesignError(f"{name}={getattr(self, name)}: a whole number from {least} up is wanted")


def lengths(steps: int) -> list[int]:
    """Give the delays to look at: powers of ten from 100 on, and ``steps`` itself."""
    return [*takewhile(lambda T: steps > T, (10**k for k in count(2))), steps]


def run(options: Options, progress: Progress) -> dict[str, Any]:
    """Measure the memory, and train an LSTM beside it where that is within reach.

    Returns
    -------
    dict
        Of the longest delay ``mse`` and the rest of its row; ``table`` has a row for every delay.
    """
    found = lengths(options.steps)
    chunks = -(-options.signals // AT_ONCE)
    rows: list[dict[str, Any]] = []
    with progress("memory", chunks * len(found)) as advance:
        for T in found:
            rows.append(_memory(T, options, advance))
    trained = [row for row in rows if row["steps"] <= LSTM_STEPS and options.epochs]
    if trained and importlib.util.find_spec("optax"):
        with progress("LSTM", options.epochs * len(trained)) as advance:
            for row in trained:
                row["lstm"] = _lstm(row["steps"], options, advance)
    return {**rows[-1], "table": rows}


def part(result: dict[str, Any], options: Options) -> dict[str, Any] | None:
    """Give what a stored result says of a shorter delay; none if nothing."""
    asked = {row["steps"]: row for row in result["table"]}
    if options not in (Options(steps=options.steps),) or options.steps not in asked:
        return None
    return {**asked[options.steps], "table": [r for r in result["table"] if r["steps"] <= options.steps]}


def noise(T: int, signals: int, rng: np.random.Generator) -> Float[np.ndarray, "s t"]:
    """Draw white noise up to 10 cycles in T steps, (signals, 2.5 T), from a zero crossing on, at most 1."""
    samples, top = round(LENGTH * T), round(LENGTH * BAND)
    spectrum = np.zeros((signals, samples // 2 + 1), complex)
    spectrum[:, 1 : top + 1] = rng.standard_normal((signals, top, 2)) @ np.array([1.0, 1j])
    x = np.fft.irfft(spectrum, samples)
    start = np.abs(x).argmin(axis=-1)
    x = np.take_along_axis(x, (np.arange(samples) + start[:, None]) % samples, axis=-1)
    return x / np.abs(x).max(axis=-1, keepdims=True)


def responses(memory: Memory, samples: int) -> Float[np.ndarray, "k t"]:
    """Give the impulse responses of the memory's outputs at ``DELAYS``, (5, samples).

    C A^(s j) and A^k B meet in C A^(s j + k) B: two short runs in place of a long one.
    """
    A, B = memory.system.A, memory.system.B[:, 0]
    stride = int(np.ceil(np.sqrt(samples)))
    impulse = np.zeros(stride)
    impulse[0] = 1.0
    columns = memory.run(impulse).T
    jump, rows = np.linalg.matrix_power(A, stride), [readout(len(B), DELAYS)]
    while len(rows) < stride:
        rows.append(rows[-1] @ jump)
    return np.swapaxes(np.stack(rows) @ columns, 0, 1).reshape(len(DELAYS), -1)[:, :samples]


def _memory(T: int, options: Options, advance: Any) -> dict[str, Any]:
    """Measure the memory at one T: mean square error, its standard error over signals, time of a step."""
    rng, memory = np.random.default_rng(options.seed), Memory(ORDER, T - 0.5)
    samples = round(LENGTH * T)
    impulse = responses(memory, samples)
    padded: int = cast("int", fft.next_fast_len(2 * samples, real=True))
    spectrum, errors = np.fft.rfft(impulse, padded), []
    for first in range(0, options.signals, AT_ONCE):
        x = noise(T, min(AT_ONCE, options.signals - first), rng)
        driven = np.fft.rfft(x, padded)
        wanted = _delayed(x, T)
        y = [np.fft.irfft(driven * row, padded)[:, T:samples] for row in spectrum]
        errors += list(np.mean((np.stack(y, -1) - wanted) ** 2, axis=1))
        advance(1)
    mse = np.stack(errors)
    return {
        "steps": T,
        "mse": float(mse.mean()),
        "standard_error": float(mse.mean(axis=-1).std(ddof=1) / np.sqrt(len(mse))),
        "delays": [float(T * r) for r in DELAYS],
        "mse_by_delay": [float(v) for v in mse.mean(axis=0)],
        "states": ORDER,
        "parameters": 0,
        "seconds_a_step": _timed(memory),
        "lstm": None,
    }


def _delayed(x: np.ndarray, T: int) -> Float[np.ndarray, "s t k"]:
    """Give what is wanted from step T on: the signals at all delays, (signals, steps, 5)."""
    shifts = [round(T * r) for r in DELAYS]
    return np.stack([x[:, T - shift : x.shape[1] - shift] for shift in shifts], axis=-1)


def _timed(memory: Memory) -> float:
    """Time one step of the memory and its readout for one signal, s."""
    u, rows = np.ones(TIMED), readout(memory.order, DELAYS).T
    began = time.perf_counter()
    _ = memory.run(u) @ rows
    return (time.perf_counter() - began) / TIMED


def _lstm(T: int, options: Options, advance: Any) -> dict[str, Any]:
    """Train an LSTM of 100 units on the same task, and measure it on the signals that the memory meets."""
    from lmu_analog.experiments.comparing import cost
    from lmu_analog.networks.learning.data import Data
    from lmu_analog.networks.learning.objective import evaluate
    from lmu_analog.networks.learning.training import Schedule, fit
    from lmu_analog.networks.network import DenseLayer, LSTMLayer, Network

    network = Network(1, (LSTMLayer(LSTM_UNITS), DenseLayer(len(DELAYS))), readout="every")

    def data(seed: int) -> Data:
        x = noise(T, options.signals, np.random.default_rng(seed))
        y = np.concatenate([np.zeros((len(x), T, len(DELAYS))), _delayed(x, T)], axis=1)
        return Data(x[..., None], y, first=T)

    schedule = Schedule(options.epochs, batch=min(50, options.signals), seed=options.seed)
    train, valid, test = (data(options.seed + k) for k in (1, 2, 0))
    trained = fit(network, train, schedule, valid=valid, objective="series", advance=advance)
    relative = evaluate(network, trained.weights, test, objective="series")
    return {
        "mse": float(relative**2 * np.mean(test.y[:, T:] ** 2)),
        "epochs": options.epochs,
        "epoch": trained.best,
        **cost(network, [trained], test, objective="series"),
    }


def rows(result: dict[str, Any]) -> Table:
    """Lay out the table: a line for every delay and network."""
    header = ("network", "T, steps", "MSE", "standard error", *COSTS)
    lines: list[tuple[str, ...]] = []
    for row in result["table"]:
        steps = str(row["steps"])
        # Nothing of the memory is trained: it has no epochs.
        costs = (str(row["states"]), str(row["parameters"]), "-", f"{1e6 * row['seconds_a_step']:.3g}")
        lines.append(("memory", steps, f"{row['mse']:.3g}", f"{row['standard_error']:.1g}", *costs))
        if lstm := row["lstm"]:
            name = f"LSTM, {lstm['epochs']} epochs"
            lines.append((name, steps, f"{lstm['mse']:.3g}", "-", *cost_cells(lstm)))
    return header, lines
