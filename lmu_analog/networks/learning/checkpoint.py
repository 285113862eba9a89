"""The state of training, in memory and in one file that is whole or not there."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lmu_analog.errors import DesignError, SimulationError, StoreError
from lmu_analog.networks.network import Network
from lmu_analog.networks.weights import read_archive, write_archive


@dataclass(frozen=True)
class History:
    """Figures after every epoch.

    Attributes
    ----------
    loss : list of float
        Mean over the epoch's batches.
    error : list of float
        On the validation data, see ``objective.evaluate``.
    """

    loss: tuple[float, ...] = ()
    error: tuple[float, ...] = ()

    @property
    def best(self) -> int:
        """Epoch of the least validation error, the last of equal ones, counted from 1; 0 before any."""
        return max((k + 1 for k, e in enumerate(self.error) if e == min(self.error)), default=0)


@dataclass(frozen=True, eq=False)
class State:
    """Where training stands.

    Attributes
    ----------
    weights : list of dict
    moments : optax state
    best : list of dict
        The weights of the least validation error.
    history : History
    """

    weights: list[dict[str, jax.Array]]
    moments: Any
    best: list[dict[str, jax.Array]]
    history: History

    def after(self, weights: Any, moments: Any, *, loss: float, error: float) -> "State":
        """Give the state one epoch later."""
        history = History((*self.history.loss, loss), (*self.history.error, error))
        best = weights if history.best == len(history.error) else self.best
        return State(weights, moments, best, history)


def describe(network: Network, schedule: str, objective: str) -> str:
    """Say what a checkpoint is of: it is continued by the same training only."""
    # Layers had no dt before version 0.3, and checkpoints of then go on.
    return f"{network!r} {schedule} {objective}".replace(", dt=1.0", "")


def begin(path: Path | None, state: State, about: str, *, resumed: bool) -> State:
    """Give the state to start from: that of the checkpoint where training is resumed.

    Raises
    ------
    StoreError
        If the file is of another training, damaged, or there although nothing is to be resumed.
    """
    if path is None or not path.exists():
        return state
    if not resumed:
        raise StoreError(f"{path} exists; resume it, or give another name")
    try:
        content = read_archive(path)
        kept = json.loads(str(content.pop("about")))
        given = [content[f"leaf{k}"] for k in range(len(content))]
        history = History(tuple(kept["loss"]), tuple(kept["error"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise StoreError(f"{path} is no whole checkpoint; remove it and train anew") from error
    if kept["of"] != about:
        raise StoreError(f"{path} is of another network or schedule; train with those, or give another name")
    leaves, structure = jax.tree.flatten((state.weights, state.moments, state.best))
    restored = [jnp.asarray(value, leaf.dtype) for value, leaf in zip(given, leaves, strict=True)]
    weights, moments, best = jax.tree.unflatten(structure, restored)
    return State(weights, moments, best, history)


def save(path: Path | None, state: State, about: str) -> None:
    """Write the state; a reader, or a crash, never meets half of it.

    Raises
    ------
    SimulationError
        If the file cannot be written.
    """
    if path is None:
        return
    leaves = jax.tree.leaves((state.weights, state.moments, state.best))
    kept = json.dumps({"of": about, "loss": state.history.loss, "error": state.history.error})
    arrays = {f"leaf{k}": np.asarray(v) for k, v in enumerate(leaves)}
    try:
        write_archive(path, {"about": np.array(kept), **arrays})
    except DesignError as error:
        raise SimulationError(str(error)) from error
