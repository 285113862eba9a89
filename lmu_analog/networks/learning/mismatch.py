"""Training with mismatch: in every batch other memories of drawn circuits, and deviated weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.stability import is_stable
from lmu_analog.networks.cell import Memories
from lmu_analog.networks.learning.forward import Parameters
from lmu_analog.networks.loop.memories import Draws, Place, layer_circuits, sampled

TRUNCATION = 3.0  # sigma, of gauss3 as in mismatch/law.py


@dataclass(frozen=True)
class Plan:
    """Batch-independent perturbation data: an epoch is compiled for it.

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
class Deviations:
    """Circuits to train with.

    Attributes
    ----------
    memories : tuple of Memories or None
        Of every layer of the network: memories of many drawn circuits along the first axis, the same number for
        all; None keeps the layer's own.
    plan : Plan
    """

    memories: tuple[Memories | None, ...]
    plan: Plan = Plan()


def circuit_memories(
    design: Design, steps: float, *, seed: int, samples: range, memories: int = 1, volts: float = 1.0
) -> Memories:
    """Draw circuits of a design and give their memories, sampled as those of the network are.

    Every memory of a layer is a circuit of its own: memory j of sample s is sample s ``memories`` + j of the
    design. All states of the circuits are kept, fast ones too.

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
    Memories
        NumPy arrays, (samples, memories, ...); zero-order hold.

    Raises
    ------
    DesignError
        If a circuit is unstable, has no state space of its own, or its output depends on derivatives of the input.
    """
    circuit, values = layer_circuits(memories, Draws(design, seed, samples), Place(count=memories))
    system = extract(circuit, values.reshape(-1, values.shape[-1]))
    if system.dt is not None or system.slope is not None:
        raise DesignError(
            f"family {design.family!r} is not a continuous circuit with states alone; train with another"
        )
    if bad := int(np.sum(~is_stable(system))):
        raise DesignError(
            f"{bad} of {len(system.A)} circuits are unstable; lower the mismatch to train with it"
        )
    found = sampled(system, values.shape[:2], step=design.theta / steps, volts=volts)
    A, B, C, D, offset = found
    if C.shape[-2] != C.shape[-1] or D.any():
        return found
    # Where the states are as many as m they are made to be m, as those of a layer in software are.
    states = np.broadcast_to(np.eye(len(A[0, 0])), C.shape)
    return Memories(C @ A @ np.linalg.inv(C), (C @ B[..., None])[..., 0], states, D, offset)


def deviated(weights: Sequence[Parameters], key: jax.Array, law: Tolerance) -> list[Parameters]:
    """Multiply every weight by a random factor of its own, and all of a layer by one of the lot.

    The law is that of ``mismatch.law.factor``; weights of zero stay zero. Learned theta is no element.
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
