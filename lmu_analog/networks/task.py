"""What a trained network is to do, as one thing: the network, recorded inputs, what is wanted of them, and when.

It stands in place of a limit on the window: circuits are then as good as the loss that they leave the network. Wanted
are the classes or series of the data, or what the network gives out with its own memories: circuits are then to change
its answers as little as they can, whether these are right or not.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, assert_never, cast, get_args

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.errors import DesignError, shown
from lmu_analog.networks.learning.data import Data, Objective, check_data
from lmu_analog.networks.loop.forward import checked_inputs, outputs
from lmu_analog.networks.network import Network
from lmu_analog.networks.network import outputs as width
from lmu_analog.networks.weights import network_arrays, network_of, read_archive, write_archive

Against = Literal["data", "software"]
_OWN = ("x", "y", "objective", "against", "steps")  # arrays of the file beside those of the network


@dataclass(frozen=True, eq=False)
class NetworkTask:
    """A network with what it is measured on.

    The loss of classes is the mean divergence of Kullback and Leibler from the wanted probabilities to those that the
    outputs stand for, nats: of known classes the cross-entropy. That of series is the mean square error over the mean
    square of what is wanted.

    Attributes
    ----------
    network : Network
        Of LMU and dense layers, with weights. ``readout`` is "last" for classes and "every" for series.
    x : (b, t, i) array
        Recorded inputs: example, step, component.
    y : (b,) int array, (b, t, o) array or None
        Classes counted from 0, or wanted outputs; None where nothing is known but the network.
    objective : {"classes", "series"}
    against : {"data", "software"}
        Whether y is wanted, or what the network gives out in software.
    steps : (s,) int array
        At which the outputs count, rising; the last one alone for classes. Of long series a part of them is enough,
        and quicker.
    """

    network: Network
    x: Float[np.ndarray, "b t i"]
    y: np.ndarray | None
    objective: Objective
    against: Against
    steps: Int[np.ndarray, " s"]

    @cached_property
    def wanted(self) -> Float[np.ndarray, "b c o"]:
        """Probabilities of classes at the one step that counts, or outputs at those that count."""
        if self.against == "software" or self.y is None:
            out = counted(self, outputs(self.network, self.x))[0]
            return _probabilities(out) if self.objective == "classes" else out
        if self.objective == "classes":
            return np.eye(width(self.network.layers[-1]))[self.y][:, None]
        return self.y[:, self.steps]


def network_task(
    network: Network,
    data: Data,
    objective: Objective,
    *,
    against: Against = "data",
    steps: Int[np.ndarray, " s"] | None = None,
) -> NetworkTask:
    """Put a network and its data together.

    Parameters
    ----------
    network : Network
    data : Data
        Outputs before its ``first`` step do not count.
    objective : {"classes", "series"}
    against : {"data", "software"}
    steps : (s,) int array, optional
        Those at which outputs of series count; every one from ``first`` on unless given.

    Raises
    ------
    DesignError
        If the data do not fit the network, which has a layer that no circuit can be, or a step is not there.
    """
    return _checked(network, {"x": data.x, "y": data.y, "steps": steps}, objective, against, first=data.first)


def _checked(
    network: Network, arrays: dict[str, Any], objective: Objective, against: Against, *, first: int = 0
) -> NetworkTask:
    for name, given, known in (("objective", objective, Objective), ("against", against, Against)):
        if given not in get_args(known):
            raise DesignError(f"{name} {shown(given, 60)}; known are {', '.join(get_args(known))}")
    x = checked_inputs(network, arrays["x"])
    readout = "last" if objective == "classes" else "every"
    if network.readout != readout:
        raise DesignError(
            f"the network's readout is {network.readout!r}; for {objective} {readout!r} is wanted"
        )
    y = arrays.get("y")
    if y is not None:
        y = np.asarray(y)
        if y.dtype.kind not in ("iu" if objective == "classes" else "iuf") or not np.isfinite(y).all():
            raise DesignError(f"y holds {y.dtype} values; finite numbers are wanted, of classes whole ones")
        check_data(network, Data(x, y), objective)
    elif against == "data":
        raise DesignError("there is no y; give what is wanted, or take against = 'software'")
    steps = _steps(arrays.get("steps"), x.shape[1], objective, first)
    task = NetworkTask(network, x, y, objective, against, steps)
    if objective == "series" and not task.wanted.any():
        raise DesignError(
            "what is wanted is zero at all steps that count; a loss relative to it has no meaning"
        )
    return task


def _steps(given: Any, count: int, objective: Objective, first: int) -> Int[np.ndarray, " s"]:
    last = count - 1
    if given is None:
        return np.array([last]) if objective == "classes" else np.arange(first, count)
    steps = np.asarray(given)
    if steps.dtype.kind not in "iu" or steps.ndim != 1 or not len(steps) or np.any(np.diff(steps) <= 0):
        raise DesignError("steps: rising whole numbers are wanted, one at least")
    if steps[0] < 0 or steps[-1] > last:
        raise DesignError(f"steps {steps[0]} to {steps[-1]}: the inputs have steps 0 to {last}")
    if objective == "classes" and list(steps) != [last]:
        raise DesignError(f"steps: classes are told at the last step, {last}, alone")
    return steps


def write_task(path: Path | str, task: NetworkTask) -> Path:
    """Write a task to a NumPy archive: the network as in ``network_to_npz``, and x, y, objective, against and steps.

    Raises
    ------
    DesignError
        If the file cannot be written.
    """
    own = {"x": task.x, "steps": task.steps, "objective": np.array(task.objective)}
    own |= {"against": np.array(task.against)} | ({} if task.y is None else {"y": task.y})
    return write_archive(path, {**network_arrays(task.network), **own})


def read_task(path: Path | str) -> NetworkTask:
    """Read a task that ``write_task`` has written; ``against`` ("data"), ``steps`` and y may be left out.

    Raises
    ------
    DesignError
        If the file is missing, no such archive, or its arrays do not make a task.
    """
    content = read_archive(path, write="write_task of networks.task")
    own: dict[str, Any] = {name: content.pop(name) for name in _OWN if name in content}
    if missing := [name for name in ("x", "objective") if name not in own]:
        raise DesignError(f"{path}: no array {missing[0]!r}; write one with write_task of networks.task")
    network = network_of(content, path)
    try:
        objective = cast("Objective", str(own["objective"]))
        return _checked(network, own, objective, cast("Against", str(own.get("against", "data"))))
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from error


def counted(task: NetworkTask, out: Float[np.ndarray, "s b *o"]) -> Float[np.ndarray, "s b c o"]:
    """Give the outputs that count of all that ``forward.outputs`` gives."""
    return out[:, :, None] if task.objective == "classes" else out[:, :, task.steps]


def _probabilities(logits: Float[np.ndarray, "*b o"]) -> Float[np.ndarray, "*b o"]:
    """Give what logits stand for, none of them zero: an error is divided by their roots."""
    found = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.maximum(found / found.sum(axis=-1, keepdims=True), np.finfo(float).tiny)


def losses(task: NetworkTask, out: Float[np.ndarray, "s b *o"]) -> Float[np.ndarray, " s"]:
    """Measure the loss of every circuit.

    Parameters
    ----------
    task : NetworkTask
    out : (s, b, o) or (s, b, t, o) array
        From ``forward.outputs``.

    Returns
    -------
    (s,) array
        Infinite where an output is not finite.
    """
    out, wanted = counted(task, out), task.wanted
    with np.errstate(over="ignore", invalid="ignore"):
        match task.objective:
            case "classes":
                below = out - out.max(axis=-1, keepdims=True)
                told = below - np.log(np.sum(np.exp(below), axis=-1, keepdims=True))
                least = np.log(np.maximum(wanted, np.finfo(float).tiny))
                found = np.mean(np.sum(wanted * (least - told), axis=-1), axis=(1, 2))
            case "series":
                found = np.mean((out - wanted) ** 2, axis=(1, 2, 3)) / np.mean(wanted**2)
            case _:
                assert_never(task.objective)
    return np.where(np.isfinite(out).all(axis=(1, 2, 3)) & np.isfinite(found), found, np.inf)


def squares(
    task: NetworkTask, out: Float[np.ndarray, "b c o"]
) -> tuple[Float[np.ndarray, "b q"], Float[np.ndarray, "b q c o"]]:
    """Write the loss near outputs as squares: a constant + the sum of (error + root . change of the outputs)^2.

    Exact for series; of classes to second order, with the Hessian of the loss by the outputs, diag(p) - p p^T, a root
    of which are the rows sqrt(p_i) (1_i - p). The slope g sums to zero and so is a sum of these rows, g_i / sqrt(p_i)
    times each.

    Parameters
    ----------
    task : NetworkTask
    out : (b, c, o) array
        That count, of one circuit: from ``counted``.

    Returns
    -------
    error : (b, q) array
    root : (b, q, c, o) array
    """
    match task.objective:
        case "classes":
            p, scale = _probabilities(out[:, 0]), np.sqrt(0.5 / len(out))
            root = np.sqrt(p)[..., None] * (np.eye(p.shape[-1]) - p[:, None, :])
            return scale * (p - task.wanted[:, 0]) / np.sqrt(p), (scale * root)[:, :, None]
        case "series":
            size = float(np.linalg.norm(task.wanted))
            one = np.eye(out[0].size).reshape(-1, *out[0].shape) / size
            return ((out - task.wanted) / size).reshape(len(out), -1), np.broadcast_to(
                one, (len(out), *one.shape)
            )
        case _:
            assert_never(task.objective)
