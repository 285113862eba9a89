"""Training that meets mismatch: memories of drawn circuits, and weights that stray, in every batch others."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from scipy import linalg

from lmu_analog.building import build
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.networks.learning.dynamics import Dynamics, Parameters

TRUNCATION = 3.0  # sigma, of gauss3 as in mismatch/law.py


@dataclass(frozen=True)
class Plan:
    """What of the strays is known before any batch.

    Attributes
    ----------
    weights : Tolerance
        Law of every weight; ``gauss3``, ``gauss``, ``uniform`` or ``lognormal``. A lot is one factor a layer.
    circuits : int
        Circuits that one batch is shared out to.
    """

    weights: Tolerance = Tolerance(0.0)
    circuits: int = 1


@dataclass(frozen=True, eq=False)
class Strays:
    """Circuits to train with.

    Attributes
    ----------
    memories : tuple of Dynamics or None
        Of every layer of the network: memories of many drawn circuits along the first axis, the same number for
        all; None keeps the layer's own.
    plan : Plan
    """

    memories: tuple[Dynamics | None, ...]
    plan: Plan = Plan()


def circuit_memories(
    design: Design, steps: float, *, seed: int, samples: range, memories: int = 1, volts: float = 1.0
) -> Dynamics:
    """Draw circuits of a design and give their memories, sampled as those of the network are.

    Every memory of a layer is a circuit of its own: memory j of sample s is sample s ``memories`` + j of the
    design.

    Parameters
    ----------
    design : Design
        The circuit with its mismatch; its theta in seconds stands for ``steps`` steps.
    steps : float
        Window in steps.
    seed : int
    samples : range
        Consecutive sample numbers.
    memories : int
        Of the layer.
    volts : float, V
        What a memory's input of one is in the circuit: so large are op-amps' offsets beside the signal.

    Returns
    -------
    Dynamics
        NumPy arrays, (samples, memories, ...); zero-order hold.

    Raises
    ------
    DesignError
        If a circuit is unstable, has no state space of its own, or its output depends on derivatives of the input.
    """
    circuit, law = build(design), Mismatch.of(design)
    drawn = range(samples.start * memories, samples.stop * memories)
    system = extract(circuit, sample(circuit, law, draw(circuit, law, seed=seed, samples=drawn)))
    if system.dt is not None or system.slope is not None:
        raise DesignError(
            f"family {design.family!r} is not a continuous circuit with states alone; train with another"
        )
    if bad := int(np.sum(~is_stable(system))):
        raise DesignError(f"{bad} of {len(drawn)} circuits are unstable; lower the mismatch to train with it")
    found = _held(system, design.theta / steps, volts)
    return Dynamics(*(a.reshape(len(samples), memories, *a.shape[1:]) for a in found))


def _held(system: StateSpace, dt: float, volts: float) -> Dynamics:
    """Discretise by a zero-order hold; where the states are as many as m, they are made to be m."""
    n = system.order
    block = np.zeros((len(system.A), n + 1, n + 1))
    block[:, :n, :n], block[:, :n, n:] = system.A * dt, system.B * dt
    held = np.asarray(linalg.expm(block))
    A, B, C, D = held[:, :n, :n], held[:, :n, n:], system.C, system.D
    if C.shape[-2] == n and not D.any():
        inverse = np.linalg.inv(C)
        A, B, C = C @ A @ inverse, C @ B, np.broadcast_to(np.eye(n), C.shape)
    offset = np.zeros(D.shape[:-1]) if system.offset is None else system.offset / volts
    return Dynamics(A, B[..., 0], C, D[..., 0], offset)


def pick(memories: Sequence[Dynamics | None], index: int | jax.Array) -> list[Dynamics | None]:
    """Take circuit ``index`` of every layer's."""
    return [None if m is None else Dynamics(*(jnp.asarray(a)[index] for a in m)) for m in memories]


def strayed(weights: Sequence[Parameters], key: jax.Array, law: Tolerance) -> list[Parameters]:
    """Let every weight stray by a factor of its own, and all of a layer by one of the lot.

    The law is that of ``mismatch.law.factor``; what is left of zero stays zero. Learned theta is no element.
    """
    if not law.tolerance and not law.lot:
        return list(weights)
    found: list[Parameters] = []
    for layer, layer_key in zip(weights, jax.random.split(key, len(weights)), strict=True):
        lot = _factor(jax.random.fold_in(layer_key, 0), (), law.lot, law)
        keys = jax.random.split(layer_key, len(layer))
        found.append(
            {
                name: value
                if name == "rate"
                else jnp.asarray(value) * lot * _factor(k, np.shape(value), law.tolerance, law)
                for (name, value), k in zip(sorted(layer.items()), keys, strict=True)
            }
        )
    return found


def _factor(key: jax.Array, shape: tuple[int, ...], spread: float, law: Tolerance) -> jax.Array:
    match law.distribution:
        case "gauss3":
            return 1.0 + spread / TRUNCATION * jax.random.truncated_normal(
                key, -TRUNCATION, TRUNCATION, shape
            )
        case "gauss":
            return 1.0 + spread * jax.random.normal(key, shape)
        case "uniform":
            return 1.0 + spread * jax.random.uniform(key, shape, minval=-1.0, maxval=1.0)
        case "lognormal":
            sigma = np.sqrt(np.log1p(spread**2))
            return jnp.exp(sigma * jax.random.normal(key, shape) - 0.5 * sigma**2)
