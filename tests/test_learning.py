import json
import re
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

from lmu_analog import Design
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.errors import DesignError, SimulationError, StoreError
from lmu_analog.memory.reference import discretize
from lmu_analog.networks.cell import LMU, Memories, Memory, cut
from lmu_analog.networks.learning import tasks
from lmu_analog.networks.learning.data import Data
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.network import (
    CONNECTIONS,
    DenseLayer,
    LMULayer,
    LSTMLayer,
    Network,
    count_parameters,
    count_states,
    shapes,
    with_weights,
)
from lmu_analog.networks.weights import from_npz, to_npz

jax = pytest.importorskip("jax")
pytest.importorskip("optax")
import jax.numpy as jnp  # noqa: E402

from lmu_analog.networks.learning import checkpoint, forward, mismatch, training  # noqa: E402
from lmu_analog.networks.learning.forward import apply, dynamics  # noqa: E402
from lmu_analog.networks.learning.objective import evaluate  # noqa: E402
from lmu_analog.networks.learning.training import suspect  # noqa: E402

WITHOUT_BIAS = ("input_kernel", "hidden_encoders", "memory_encoders", "hidden_kernel")


@pytest.fixture(autouse=True, scope="module")
def _quick_to_compile():
    """Leave loops as they are: what is unrolled takes twice the time to compile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(forward, "UNROLL", 1)
        yield


@pytest.fixture
def double():
    """Let JAX compute in 64 bits."""
    with jax.enable_x64(True):
        yield


def random_weights(network: Network, scale: float = 0.3, seed: int = 1):
    """Draw weights with no zeros among them, so that every connection counts."""
    rng = np.random.default_rng(seed)
    return [
        {k: v if k in ("rate", "A", "B") else scale * rng.standard_normal(v.shape) for k, v in layer.items()}
        for layer in initial(network, seed)
    ]


def output(network: Network, weights, x: np.ndarray, **options):
    """Run a network as one program: one by one, its operations take longer to compile."""
    return jax.jit(lambda w, x: apply(network, w, x, **options))(weights, x)


def series(batch: int, steps: int, inputs: int = 1) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1.0, 1.0, (batch, steps, inputs))


LAYERS = {
    "all connections, two memories": LMULayer(5, 4, 9.0, 2, connections=CONNECTIONS),
    "euler": LMULayer(3, 3, 30.0, method="euler"),
    "nothing fed back to the memory": LMULayer(
        4, 6, 12.5, 2, connections=("input_kernel", "hidden_kernel", "bias")
    ),
    "no recurrence but the memory": LMULayer(4, 6, 12.5, connections=("memory_bias",)),
    "learned": LMULayer(3, 4, 10.0, learned=("theta", "A", "B")),
}


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_a_layer_in_jax_is_the_numpy_layer(layer: LMULayer):
    network = Network(2, (layer,), readout="every")
    (weights,) = random_weights(network)
    if "rate" in weights:
        weights["rate"] = np.array([0.8])  # theta of 12.5 steps
        weights["A"] = 1.01 * weights["A"]
    x = series(3, 40, 2)
    # Both sum the same numbers in another order, 40 steps of a stable cell: some hundred roundings.
    np.testing.assert_allclose(
        output(network, [weights], x),
        LMU(replace(layer, weights=weights)).run(x).hidden,
        rtol=0.0,
        atol=1e-12,
    )


@pytest.mark.usefixtures("double")
def test_a_layer_without_hidden_units_is_the_memory():
    network = Network(1, (LMULayer(0, 6, 15.0, connections=()),), readout="every")
    x = series(2, 50)
    found = output(network, [{"input_encoders": np.ones((1, 1))}], x)
    # The Fourier transform of 100 numbers of order 1 rounds at about 1e-15 of them.
    np.testing.assert_allclose(found, Memory(6, 15.0).run(x[..., 0]), rtol=0.0, atol=1e-13)


def test_weights_go_to_a_file_and_back_unchanged(tmp_path: Path):
    layer = LMULayer(5, 4, 9.0, 2, learned=("A", "B"), connections=CONNECTIONS)
    (weights,) = random_weights(Network(3, (layer,)))
    back = from_npz(to_npz(tmp_path / "w.npz", replace(layer, weights=weights)))
    assert back == layer
    for name, value in weights.items():
        np.testing.assert_array_equal(back.weights[name], value)


def test_a_learned_window_goes_into_the_layer():
    layer = LMULayer(3, 4, 10.0, learned=("theta",))
    network = Network(1, (layer,))
    (weights,) = initial(network)
    (found,) = with_weights(network, [{**weights, "rate": np.array([0.8])}]).layers
    assert found == replace(layer, theta=12.5)
    assert found.weights["rate"] == 1.0
    assert found.inputs == 1


def test_weights_that_are_no_layers_are_refused():
    network = Network(2, (LMULayer(3, 4, 9.0), DenseLayer(1)))
    good = initial(network)
    for weights, words in (
        (good[:1], "weights of 1 layers for a network of 2"),
        (
            [good[0], {"kernel": good[1]["kernel"]}],
            "layer 1: 'bias' is missing or not known; wanted are kernel",
        ),
        (
            [{**good[0], "bias": np.ones(4)}, good[1]],
            "layer 0: bias: axis 0 (hidden) has length 4, not 3 as in",
        ),
        (
            initial(replace(network, inputs=3)),
            "layer 0: axis inputs has length 3, not 2 as the network takes",
        ),
    ):
        with pytest.raises(DesignError, match=re.escape(words)):
            with_weights(network, weights)
    with pytest.raises(DesignError, match="the layer has no weights; train it, or draw some"):
        LMU(network.layers[0]).run(np.ones((3, 2)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-x))


@pytest.mark.usefixtures("double")
def test_an_lstm_follows_its_equations():
    network = Network(2, (LSTMLayer(3),), readout="every")
    (w,) = random_weights(network, 0.6)
    x = series(2, 12, 2)
    h, c, expected = np.zeros((2, 3)), np.zeros((2, 3)), []
    for k in range(12):
        i, f, g, o = np.split(x[:, k] @ w["kernel"] + h @ w["recurrent_kernel"] + w["bias"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
        expected.append(h)
    # Twelve steps of sums of five products.
    np.testing.assert_allclose(output(network, [w], x), np.stack(expected, axis=1), rtol=0.0, atol=1e-14)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("method", ["zoh", "euler"])
def test_the_gradient_of_theta_is_that_of_finite_differences(method):
    layer = LMULayer(4, 5, 40.0, method=method, learned=("theta",))
    network = Network(1, (layer, DenseLayer(1)), readout="every")
    weights, x = random_weights(network), series(2, 60)

    @jax.jit
    def loss(rate):
        moved = [{**weights[0], "rate": rate}, weights[1]]
        return jnp.mean(apply(network, moved, x) ** 2)

    rate = np.array([1.1])
    found = np.asarray(jax.jit(jax.grad(loss))(rate))
    expected = optimize.approx_fprime(rate, lambda r: float(loss(r)), 1e-6)
    central = (float(loss(rate + 1e-5)) - float(loss(rate - 1e-5))) / 2e-5
    # The central difference errs by 1e-10 of the third derivative and by 1e-16 / 1e-5 of the loss: below 1e-8 of
    # the gradient; the one-sided one, of SciPy, by about its step.
    np.testing.assert_allclose(found[0], central, rtol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.usefixtures("double")
def test_gradients_reach_every_array_of_a_layer():
    layer = LMULayer(3, 4, 12.0, 2, learned=("theta", "A", "B"), connections=CONNECTIONS)
    network = Network(2, (layer, LSTMLayer(2), DenseLayer(1)))
    weights, x = random_weights(network), series(2, 20, 2)
    loss = jax.jit(lambda w: jnp.sum(apply(network, w, x)))
    gradient = jax.jit(jax.grad(loss))(weights)
    rng = np.random.default_rng(0)
    for k, arrays in enumerate(weights):
        for name, value in arrays.items():
            way = rng.standard_normal(value.shape)
            sides = [
                float(loss([{**a, name: value + s * way} if j == k else a for j, a in enumerate(weights)]))
                for s in (1e-5, -1e-5)
            ]
            slope = float(np.sum(np.asarray(gradient[k][name]) * way))
            # As above; the absolute part is the rounding of a loss of order 1 over the step of 2e-5.
            np.testing.assert_allclose(
                slope, (sides[0] - sides[1]) / 2e-5, rtol=1e-6, atol=1e-10, err_msg=name
            )


def test_sizes_are_those_of_the_published_networks():
    # psMNIST: 102,027 parameters; Mackey-Glass: about 18k (Voelker, Kajić and Eliasmith, NeurIPS 2019; public code).
    digits = Network(1, (LMULayer(212, 256, 784.0, connections=WITHOUT_BIAS), DenseLayer(10)))
    assert count_parameters(digits) == 102_027
    assert count_states(digits) == 212 + 256
    lmu = Network(1, (*4 * (LMULayer(49, 4, 4.0, connections=WITHOUT_BIAS),), DenseLayer(1)))
    lstm = Network(1, (*4 * (LSTMLayer(25),), DenseLayer(1)))
    assert (count_parameters(lmu), count_parameters(lstm)) == (18_050, 18_026)
    assert (count_states(lmu), count_states(lstm)) == (4 * 53, 4 * 50)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda n, w, x: (n, w, x[..., :1]),
            "x: axis 2 (component) has length 1, not 2 as the network takes",
        ),
        (lambda n, w, x: (n, w, x[0]), "x has shape (5, 2); axes (batch, step, component) are wanted"),
        (lambda n, w, x: (n, w[:1], x), "weights of 1 layers for a network of 2"),
        (
            lambda n, w, x: (n, [{**w[0], "memory_kernel": np.zeros((4, 4))}, w[1]], x),
            "layer 0: memory_kernel: axis 1 (hidden) has length 4, not 3 as in the layer",
        ),
        (
            lambda n, w, x: (n, [w[0], {"kernel": w[1]["kernel"]}], x),
            "layer 1: 'bias' is missing or not known",
        ),
    ],
)
def test_a_wrong_shape_is_named_with_its_axis(change, words):
    network = Network(2, (LMULayer(3, 4, 9.0), DenseLayer(1)))
    given = change(network, initial(network), series(2, 5, 2))
    with pytest.raises(DesignError, match=re.escape(words)):
        apply(*given)


def test_data_of_a_wrong_shape_are_refused_before_training():
    network = Network(1, (LMULayer(2, 2, 4.0), DenseLayer(3)))
    good = Data(series(4, 5), np.array([0, 1, 2, 0]))
    for data, words in {
        Data(series(4, 5, 2), good.y): "x: axis 2 (component) has length 2, not 1 as the network takes",
        Data(good.x, good.y[:3]): "y has shape (3,), wrong in axis 0; (4,) is wanted",
        Data(good.x, good.y + 1): "y has classes 1 to 3; the network tells 0 to 2",
        Data(np.full_like(good.x, np.nan), good.y): "x holds values that are not finite",
        Data(
            good.x[:0], good.y[:0]
        ): "x has shape (0, 5, 1); axes (batch, step, component) are wanted, none of",
    }.items():
        with pytest.raises(DesignError, match=re.escape(words)):
            training.fit(network, data, training.Schedule(1), valid=good, objective="classes")


# Small enough that compiling takes most of the time; one network for all, so that it happens once.
SMALL = Network(
    1, (LMULayer(3, 3, 6.0, connections=("input_kernel", "bias")), DenseLayer(1)), readout="every"
)
NOISE = tasks.delayed_noise(12, 40, delay=4.0, bandwidth=0.1)
HELD_BACK = tasks.delayed_noise(4, 40, delay=4.0, bandwidth=0.1, seed=1)


def fitted(epochs: int = 4, rate: float = 3e-3, **options):
    schedule = training.Schedule(epochs, 4, rate, decay="constant", seed=3)
    return training.fit(SMALL, NOISE, schedule, valid=HELD_BACK, objective="series", **options)


def test_training_learns_and_keeps_the_best_epoch():
    trained = fitted(40, 1e-2)
    assert len(trained.history.error) == 40
    assert min(trained.history.error) < 0.6 * trained.history.error[0]
    assert trained.history.error[trained.best - 1] == min(trained.history.error)
    # The same program with the same weights: equal but for the order of a sum.
    np.testing.assert_allclose(
        evaluate(SMALL, trained.weights, HELD_BACK, objective="series"), min(trained.history.error), rtol=1e-6
    )


def test_resumed_training_is_training_in_one_go(tmp_path: Path):
    whole, kept = fitted(5), tmp_path / "kept.npz"
    fitted(2, checkpoint=kept)
    resumed = fitted(5, checkpoint=kept, resumed=True)
    assert resumed.history == whole.history
    for a, b in zip(jax.tree.leaves(resumed.last), jax.tree.leaves(whole.last), strict=True):
        np.testing.assert_array_equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == ["kept.npz"]


def test_a_checkpoint_is_neither_overwritten_nor_mixed_up(tmp_path: Path):
    kept = tmp_path / "kept.npz"
    fitted(1, checkpoint=kept)
    with pytest.raises(StoreError, match=r"kept.npz exists; resume it, or give another name"):
        fitted(2, checkpoint=kept)
    with pytest.raises(StoreError, match=r"kept.npz is of another network or schedule"):
        fitted(2, 1e-2, checkpoint=kept, resumed=True)
    kept.write_bytes(kept.read_bytes()[:-200])
    with pytest.raises(StoreError, match=r"kept.npz is no whole checkpoint"):
        fitted(2, checkpoint=kept, resumed=True)
    with pytest.raises(SimulationError, match=r"x.npz cannot be written: No such file or directory"):
        fitted(1, checkpoint=tmp_path / "missing" / "x.npz")


def test_a_checkpoint_of_version_0_2_is_of_the_same_network():
    # What 0.2 wrote, whose layers had no dt.
    layers = (
        "LMULayer(hidden=3, order=3, theta=6.0, memories=1, method='zoh', learned=(), "
        "connections=('input_kernel', 'bias')), DenseLayer(units=1, activation='linear')"
    )
    written = f"Network(inputs=1, layers=({layers}), readout='every') SCHEDULE series"
    assert checkpoint.describe(SMALL, "SCHEDULE", "series") == written
    faster = replace(SMALL, layers=(replace(SMALL.layers[0], dt=0.5), SMALL.layers[1]))
    assert checkpoint.describe(faster, "SCHEDULE", "series") != written


def test_diverging_training_says_where_and_why_and_keeps_what_was_good(tmp_path: Path):
    kept = tmp_path / "kept.npz"
    with pytest.raises(SimulationError) as raised:
        fitted(50, 1e3, checkpoint=kept)
    words = r"training diverged at step \d+: the loss is \S+; lower the learning rate, now 1000 \(\S+kept.npz holds"
    assert re.match(words, str(raised.value))
    with np.load(kept) as archive:
        about = json.loads(str(archive["about"]))
        assert all(np.isfinite(archive[name]).all() for name in archive.files if name != "about")
    assert all(np.isfinite(about["loss"]))


def test_a_memory_that_learning_made_unstable_is_the_suspect():
    layer = LMULayer(2, 4, 10.0, method="euler", learned=("theta",))
    network = Network(1, (layer,))
    (weights,) = initial(network)
    assert suspect(network, [weights]) == ""
    # Euler is stable for theta above 5.15 steps at order 4.
    unstable = suspect(network, [{**weights, "rate": np.array([2.1])}])
    assert re.match(
        r"the memory of layer 0 is unstable, spectral radius 1.0\d+ \(theta 4.76 steps\)", unstable
    )
    assert suspect(network, [{**weights, "rate": np.array([-0.5])}]) == "theta of layer 0 became -20 steps"


def circuit(**options) -> Design:
    return Design(order=4, theta=1e-3, bandwidth=500.0, **options)


@pytest.mark.usefixtures("double")
def test_the_memory_of_an_exact_circuit_is_the_layers_own():
    drawn = mismatch.circuit_memories(circuit(opamp="ideal"), 20.0, seed=0, samples=range(2), memories=3)
    own = dynamics(LMULayer(2, 4, 20.0, 3), {})
    for name, found, wanted in zip(Memories._fields, drawn, own, strict=True):
        # Resistors of three to four digits would show here: the circuit's values are not rounded, and nodal
        # analysis loses five of sixteen digits.
        np.testing.assert_allclose(found[1], wanted, rtol=0.0, atol=1e-9, err_msg=name)


@pytest.mark.usefixtures("double")
def test_a_circuit_with_more_states_than_coefficients_runs_in_the_layer():
    design = circuit(opamp="OPA2192", mismatch={"resistor": "1 %", "capacitor": "1 %", "opamp": "1 %"})
    layer = LMULayer(3, 4, 20.0)
    network = Network(1, (layer,), readout="every")
    (w,) = random_weights(network)
    drawn = mismatch.circuit_memories(design, 20.0, seed=5, samples=range(2), volts=0.01)
    assert drawn.A.shape[-1] > 4
    assert np.abs(drawn.offset).max() > 1e-4  # microvolts of offset beside 10 mV
    x = series(2, 30)
    found = output(network, [w], x, memories=[cut(drawn, 1)])
    from lmu_analog.mismatch.law import sample_circuit

    system = extract(sample_circuit(design, seed=5, index=1))
    step = discretize(system, design.theta / 20.0)
    offset = system.offset / 0.01
    h, state, m = np.zeros((2, 3)), np.zeros((2, step.order)), np.zeros((2, 4)) + offset
    for k in range(30):
        u = x[:, k] @ w["input_encoders"] + h @ w["hidden_encoders"] + m @ w["memory_encoders"]
        state = state @ step.A.T + u * step.B[:, 0]
        m = state @ step.C.T + u * step.D[:, 0] + offset
        h = np.tanh(x[:, k] @ w["input_kernel"] + h @ w["hidden_kernel"] + m @ w["memory_kernel"] + w["bias"])
        # Two routes through a matrix exponential whose argument has a norm of about 1e4.
        np.testing.assert_allclose(found[:, k], h, rtol=0.0, atol=1e-8)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("hidden", [0, 3])
def test_a_circuit_runs_by_convolution_as_it_does_step_by_step(hidden):
    direct = () if hidden == 0 else ("hidden_kernel",)
    alone = Network(1, (LMULayer(hidden, 4, 20.0, 2, connections=direct),), readout="every")
    coupled = Network(
        1, (LMULayer(hidden, 4, 20.0, 2, connections=(*direct, "memory_encoders")),), readout="every"
    )
    design = circuit(opamp="OPA2192", mismatch={"resistor": "1 %", "opamp": "1 %"})
    drawn = mismatch.circuit_memories(design, 20.0, seed=5, samples=range(1), memories=2, volts=0.01)
    (weights,), x = random_weights(alone), series(2, 30)
    options = {"memories": [cut(drawn, 0)]}
    by_step = output(coupled, [{**weights, "memory_encoders": np.zeros((8, 2))}], x, **options)
    # The transform rounds at some 1e-16 of the largest coefficient, and the hidden units pass that on.
    np.testing.assert_allclose(output(alone, [weights], x, **options), by_step, rtol=0.0, atol=1e-12)


def test_training_with_circuits_of_no_mismatch_is_training_without():
    own = dynamics(SMALL.layers[0], {})
    same = Memories(*(np.broadcast_to(a, (3, *a.shape)) for a in own))
    aware = fitted(3, deviations=mismatch.Deviations((same, None), mismatch.Plan(circuits=2)))
    # Two halves of a batch are averaged in place of the whole, in float32; Adam divides by small moments.
    np.testing.assert_allclose(aware.history.loss, fitted(3).history.loss, rtol=1e-4)


@pytest.mark.parametrize(
    ("law", "spread", "largest"),
    [
        # Standard deviation of a normal truncated at 3 sigma: .9866 of sigma.
        (Tolerance(0.3), 0.09866, 0.3),
        (Tolerance(0.1, "gauss"), 0.1, np.inf),
        (Tolerance(0.3, "uniform"), 0.3 / np.sqrt(3.0), 0.3),
        (Tolerance(0.3, "lognormal"), 0.3, np.inf),
    ],
)
def test_weights_deviate_by_their_law(law: Tolerance, spread: float, largest: float):
    weights = [{"kernel": np.full((200, 100), 2.0), "rate": np.ones(1)}]
    (found,) = mismatch.deviated(weights, jax.random.key(0), law)
    factors = np.asarray(found["kernel"]) / 2.0
    assert np.abs(factors - 1.0).max() <= largest + 1e-6
    # 20,000 draws: mean and deviation are known to 0.7 % of the spread; five of those.
    np.testing.assert_allclose(factors.mean(), 1.0, atol=0.035 * spread)
    np.testing.assert_allclose(factors.std(), spread, rtol=0.035)
    assert found["rate"][0] == 1.0


def test_a_lot_is_one_factor_a_layer():
    weights = [{"a": np.ones(4), "b": np.ones(3)}, {"a": np.ones(4)}]
    first, second = mismatch.deviated(weights, jax.random.key(1), Tolerance(0.0, lot=0.2))
    assert len({float(v) for name in "ab" for v in first[name]}) == 1
    assert float(first["a"][0]) != float(second["a"][0])


def test_training_with_mismatch_meets_other_circuits_every_batch():
    design = Design(order=3, theta=1e-3, bandwidth=500.0, opamp="ideal", mismatch={"resistor": "30 %"})
    drawn = mismatch.circuit_memories(design, 6.0, seed=0, samples=range(8))
    # A uniform law compiles in half the time of a truncated normal one, whose draws have a test of their own.
    plan = mismatch.Plan(Tolerance(0.1, "uniform"), circuits=2)
    aware = fitted(3, deviations=mismatch.Deviations((drawn, None), plan))
    again = fitted(3, deviations=mismatch.Deviations((drawn, None), plan))
    assert aware.history == again.history
    assert aware.history.loss != fitted(3).history.loss


def test_circuits_that_cannot_stand_for_a_memory_are_refused():
    with pytest.raises(DesignError, match=r"\d+ of 4 circuits are unstable; lower the mismatch"):
        mismatch.circuit_memories(
            Design(order=12, theta=1e-3, bandwidth=500.0, opamp="ideal", mismatch={"resistor": "95 %"}),
            64.0,
            seed=0,
            samples=range(4),
        )
    sampled = Design(
        order=3, theta=1e-3, bandwidth=500.0, family="switched-capacitor", realization="legendre"
    )
    with pytest.raises(DesignError, match="family 'switched-capacitor' is not a continuous circuit"):
        mismatch.circuit_memories(sampled, 64.0, seed=0, samples=range(1))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LMULayer(2, 0, 4.0), "order = 0; a whole number from 1 up is wanted"),
        (lambda: LMULayer(2, 3, -4.0), "theta must be one positive number, not -4.0"),
        (lambda: LMULayer(0, 3, 4.0), "a layer without hidden units"),
        (lambda: LSTMLayer(-1), "hidden = -1; a whole number from 1 up is wanted"),
        (lambda: training.Schedule(0), "epochs = 0; a whole number from 1 up is wanted"),
        (lambda: training.Schedule(1, rate=0.0), "learning rate 0; a finite number above 0 is wanted"),
        (lambda: training.Schedule(1, seed=-1), "seed -1 is no whole number"),
    ],
)
def test_impossible_settings_are_refused(make, words):
    with pytest.raises(DesignError, match=words):
        make()


def test_every_weight_has_its_shape_and_two_seeds_differ():
    network = Network(2, (LMULayer(3, 4, 9.0, 2, connections=CONNECTIONS), LSTMLayer(2), DenseLayer(1)))
    first, again, other = initial(network, 0), initial(network, 0), initial(network, 1)
    assert {k: v.shape for k, v in first[0].items()} == shapes(network.layers[0], 2)
    np.testing.assert_array_equal(first[0]["memory_kernel"], again[0]["memory_kernel"])
    assert (first[0]["memory_kernel"] != other[0]["memory_kernel"]).all()
    recurrent = first[1]["recurrent_kernel"]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(2), atol=1e-14)  # orthogonal rows


def test_delayed_noise_is_the_noise_some_time_ago_whatever_the_sampling():
    data = tasks.delayed_noise(3, 64, delay=5.0, bandwidth=0.2, seed=2)
    np.testing.assert_allclose(data.y, np.roll(data.x, 5, axis=1), atol=1e-12)  # periodic, of order 1
    np.testing.assert_allclose(np.mean(data.x**2, axis=1), 1.0, rtol=1e-12)
    spectrum = np.abs(np.fft.rfft(data.x[..., 0]))
    assert spectrum[:, np.fft.rfftfreq(64) > 0.2].max() < 1e-11 < spectrum[:, 1:13].min()
    fine = tasks.delayed_noise(3, 64, delay=5.0, bandwidth=0.2, step=0.5, seed=2)
    np.testing.assert_allclose(fine.x[:, ::2], data.x, atol=1e-12)
    early = tasks.delayed_noise(3, 64, delay=5.0, bandwidth=0.2, step=0.5, early=0.5, seed=2)
    np.testing.assert_allclose(early.x[:, 1:], fine.x[:, :-1], atol=1e-12)
    np.testing.assert_allclose(early.y, fine.y, atol=1e-12)
    with pytest.raises(DesignError, match="a bandwidth of 0.5 is wanted from 0.015625 to below 0.5"):
        tasks.delayed_noise(3, 64, delay=5.0, bandwidth=0.5)


def test_mackey_glass_settles_for_a_short_delay_and_wanders_for_a_long_one():
    # x = 1 is the equilibrium, stable for tau below 4.7 (Mackey and Glass 1977): tanh(x - 1) is constant there.
    short = tasks.mackey_glass(2, 400, tau=2)
    assert np.ptp(short[:, 300:]) < 1e-6
    long = tasks.mackey_glass(3, 600)
    assert long.shape == (3, 600)
    assert np.std(long[:, 300:]) > 0.1
    assert np.abs(long[0, 500:] - long[1, 500:]).max() > 0.1  # chaos: other pasts, other futures


def test_a_forecast_asks_for_what_comes():
    data = tasks.forecast(np.arange(10.0)[None], 3, first=2)
    np.testing.assert_array_equal(data.y - data.x, np.full((1, 7, 1), 3.0))
    with pytest.raises(DesignError, match="10 steps ahead of series of 10"):
        tasks.forecast(np.arange(10.0)[None], 10)


def test_digits_are_all_there_once_in_an_order_of_pixels_of_their_own():
    pytest.importorskip("sklearn")
    task = tasks.digits(0)
    assert [len(d.x) for d in (task.train, task.valid, task.test)] == [1078, 360, 359]
    parts = [d.x[..., 0] for d in (task.train, task.valid, task.test)]
    from sklearn.datasets import load_digits

    known = load_digits(return_X_y=True)[0] / 16.0
    # Sorting the rows' sums compares the sets of images whatever the order of pixels.
    np.testing.assert_allclose(np.sort(np.concatenate(parts).sum(axis=1)), np.sort(known.sum(axis=1)))
    whole = tasks.images(task)
    assert whole.test.x.shape == (359, 1, 64)
    np.testing.assert_array_equal(whole.test.x[:, 0], parts[2])


def test_64_bits_are_a_choice_of_these_tests_alone():
    with nullcontext():
        assert jnp.asarray(1.0).dtype == jnp.float32
