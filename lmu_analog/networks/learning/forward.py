"""Networks run forward in JAX: whole batches, with gradients by whatever transforms JAX has."""

from collections.abc import Mapping, Sequence
from typing import assert_never

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.linalg import block_diag, expm
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import coefficients
from lmu_analog.networks.cell import Memories, Memory, identical
from lmu_analog.networks.network import (
    DenseLayer,
    Layer,
    LMULayer,
    LSTMLayer,
    Network,
    check_inputs,
    check_shapes,
    outputs,
)

Array = jax.Array | np.ndarray
Parameters = Mapping[str, Array]  # of one layer, by name
_Arrays = dict[str, jax.Array]
UNROLL = 4  # steps of a scan per loop iteration: fewer iterations, twice the time to compile
_LARGEST_SQUARINGS = 32  # of the matrix exponential: norms up to 2^32


def check(network: Network, weights: Sequence[Parameters], x: Array) -> None:
    """Refuse weights and inputs whose shapes do not fit the network.

    Raises
    ------
    DesignError
        Naming the layer, the array and the axis.
    """
    check_inputs(x.shape, network.inputs)
    if len(weights) != len(network.layers):
        raise DesignError(f"weights of {len(weights)} layers for a network of {len(network.layers)}")
    below = network.inputs
    for k, (layer, given) in enumerate(zip(network.layers, weights, strict=True)):
        try:
            check_shapes(layer, given, below)
        except DesignError as error:
            raise DesignError(f"layer {k}: {error}") from error
        below = outputs(layer)


def apply(
    network: Network,
    weights: Sequence[Parameters],
    x: Array,
    *,
    memories: Sequence[Memories | None] | None = None,
) -> Float[jax.Array, "b *t o"]:
    """Run a network from rest.

    Parameters
    ----------
    network : Network
    weights : sequence of dict
        As ``initial`` gives them.
    x : (b, t, i) array
        Batch, step, component.
    memories : sequence of Memories, optional
        What takes the place of the memories of each layer, such as a circuit's; None keeps a layer's own.

    Returns
    -------
    (b, o) or (b, t, o) array
        Of the last step or of every step, as the network's ``readout`` says.

    Raises
    ------
    DesignError
        If a shape is wrong; it names the axis.
    """
    check(network, weights, x)
    given = [None] * len(network.layers) if memories is None else list(memories)
    y = jnp.swapaxes(jnp.asarray(x), 0, 1)  # steps first: what scan runs along
    for layer, arrays, memory in zip(network.layers, weights, given, strict=True):
        y = _run(layer, {name: jnp.asarray(a) for name, a in arrays.items()}, y, memory)
    return y[-1] if network.readout == "last" else jnp.swapaxes(y, 0, 1)


def dynamics(layer: LMULayer, weights: Parameters) -> Memories:
    """Discretise the memory of a layer; through what is learned of it gradients flow.

    Parameters
    ----------
    layer : LMULayer
    weights : dict
        The layer's; ``rate`` is theta of the layer over the learned theta, (1,), ``A`` and ``B`` those of
        theta = 1.
    """
    order = layer.order
    if not layer.learned:
        ideal = Memory(order, layer.theta, layer.dt, layer.method).system
        return identical(ideal.A, ideal.B[:, 0], layer.memories, library=jnp)
    step = (weights["rate"][0] if "rate" in weights else 1.0) * layer.dt / layer.theta
    ideal = dict(zip("AB", coefficients(order), strict=True))
    A, B = (jnp.asarray(weights.get(name, ideal[name])) * step for name in "AB")
    match layer.method:
        case "euler":
            return identical(jnp.eye(order) + A, B, layer.memories, library=jnp)
        case "zoh":
            block = jnp.zeros((order + 1, order + 1), A.dtype)
            block = block.at[:order].set(jnp.concatenate([A, B[:, None]], axis=1))
            discrete = expm(block, max_squarings=_LARGEST_SQUARINGS)
            A, B = discrete[:order, :order], discrete[:order, order]
            return identical(A, B, layer.memories, library=jnp)


def _run(layer: Layer, weights: _Arrays, x: jax.Array, memory: Memories | None) -> jax.Array:
    match layer:
        case LMULayer():
            used = dynamics(layer, weights) if memory is None else memory
            fed_back = {"hidden_encoders", "memory_encoders"} & set(layer.connections)
            return _coupled(layer, weights, x, used) if fed_back else _in_turn(layer, weights, x, used)
        case LSTMLayer(hidden):
            return _lstm(weights, x, hidden)
        case DenseLayer(_, activation):
            y = x @ weights["kernel"] + weights["bias"]
            return jnp.tanh(y) if activation == "tanh" else y
        case _:
            assert_never(layer)


def _coupled(layer: LMULayer, weights: _Arrays, x: jax.Array, memory: Memories) -> jax.Array:
    """Run memory and hidden units step by step, all linear parts as one matrix.

    With s = (h, x_m, u) the step is: (p, x_m, u) = s K + drive, h = tanh(p). That is one product a step instead of
    five: a small network spends most of its time on starting them.
    """
    each = [jnp.asarray(a) for a in memory]
    A, C = block_diag(*each[0]), block_diag(*each[2])  # (kn, kn), (kd, kn)
    B, D, offset = _spread(each[1]), _spread(each[3]), each[4].reshape(-1)  # (k, kn), (k, kd), (kd,)
    hidden = layer.hidden
    zero = jnp.zeros((hidden, layer.memories))
    from_m = weights.get("memory_encoders", jnp.zeros((len(C), layer.memories)))
    u_of = jnp.concatenate([weights.get("hidden_encoders", zero), C.T @ from_m, D @ from_m])
    x_of = u_of @ B + jnp.concatenate([jnp.zeros((hidden, len(A))), A.T, jnp.zeros((layer.memories, len(A)))])
    drive_u = _memory_input(weights, x) + offset @ from_m
    drive_x = drive_u @ B
    if not hidden:
        m_of = lambda s: s[..., : len(A)] @ C.T + s[..., len(A) :] @ D + offset  # noqa: E731
        K, drive = jnp.concatenate([x_of, u_of], axis=1), jnp.concatenate([drive_x, drive_u], axis=-1)
        return m_of(_scan(K, drive, hidden=0))
    kernel = weights["memory_kernel"]
    p_of = x_of @ (C.T @ kernel) + u_of @ (D @ kernel)
    p_of = p_of.at[:hidden].add(weights.get("hidden_kernel", 0.0))
    drive_p = drive_x @ (C.T @ kernel) + drive_u @ (D @ kernel) + offset @ kernel + _direct(weights, x)
    K = jnp.concatenate([p_of, x_of, u_of], axis=1)
    return _scan(K, jnp.concatenate([drive_p, drive_x, drive_u], axis=-1), hidden)[..., :hidden]


def _spread(rows: jax.Array) -> jax.Array:
    """Put k rows of n on the diagonal of a matrix of k rows and kn columns."""
    return block_diag(*[row[None] for row in rows])


def _memory_input(weights: _Arrays, x: jax.Array) -> jax.Array:
    """Give what the memories get from the input alone."""
    return x @ weights["input_encoders"] + weights.get("memory_bias", 0.0)


def _direct(weights: _Arrays, x: jax.Array) -> jax.Array | float:
    """Give what the hidden units get past the memory, without what they get from each other."""
    return (x @ weights["input_kernel"] if "input_kernel" in weights else 0.0) + weights.get("bias", 0.0)


def _scan(K: jax.Array, drive: jax.Array, hidden: int) -> jax.Array:
    """Run s <- f(s K + drive), f the hyperbolic tangent on the first ``hidden`` states; (t, b, s)."""

    def step(s: jax.Array, d: jax.Array) -> tuple[jax.Array, jax.Array]:
        q = s @ K + d
        s = jnp.concatenate([jnp.tanh(q[:, :hidden]), q[:, hidden:]], axis=1)
        return s, s

    return jax.lax.scan(step, jnp.zeros_like(drive[0]), drive, unroll=UNROLL)[1]


def _in_turn(layer: LMULayer, weights: _Arrays, x: jax.Array, memory: Memories) -> jax.Array:
    """Run memories that nothing is fed back to: a convolution, then the hidden units."""
    steps, batch = x.shape[:2]
    impulse = _impulse_responses(memory, steps)  # (t, k, d)
    length = 2 * steps  # what wraps around falls beyond the steps that are kept
    spectrum = jnp.fft.rfft(_memory_input(weights, x), length, axis=0)[..., None]
    product = spectrum * jnp.fft.rfft(impulse, length, axis=0)[:, None]
    m = jnp.fft.irfft(product, length, axis=0)[:steps] + jnp.asarray(memory.offset)
    m = m.reshape(steps, batch, -1)
    if not layer.hidden:
        return m
    p = m @ weights["memory_kernel"] + _direct(weights, x)
    return _scan(weights["hidden_kernel"], p, layer.hidden) if "hidden_kernel" in weights else jnp.tanh(p)


def _impulse_responses(memory: Memories, steps: int) -> jax.Array:
    """Give C A^j B, and D besides at j = 0, for j below ``steps``: (t, k, d), in log2(t) products."""
    A, B, C, D, _ = (jnp.asarray(a) for a in memory)
    power, states = A, B[None]
    while len(states) < steps:
        states = jnp.concatenate([states, jnp.einsum("kij,tkj->tki", power, states)])
        power = power @ power
    return jnp.einsum("kdn,tkn->tkd", C, states[:steps]).at[0].add(D)


def _lstm(weights: _Arrays, x: jax.Array, hidden: int) -> jax.Array:
    recurrent = weights["recurrent_kernel"]

    def step(
        state: tuple[jax.Array, jax.Array], d: jax.Array
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        h, c = state
        gates = h @ recurrent + d
        # Gates in Keras's order: input, forget, candidate, output.
        i, f, g, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return (h, c), h

    drive = x @ weights["kernel"] + weights["bias"]
    rest = jnp.zeros((x.shape[1], hidden), drive.dtype)
    return jax.lax.scan(step, (rest, rest), drive, unroll=UNROLL)[1]
