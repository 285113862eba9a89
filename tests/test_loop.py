"""Networks with circuits for memories: exact, in ngspice, calibrated."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import signal, stats

from lmu_analog import Design
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.errors import DesignError, SimulationError
from lmu_analog.experiments import frame
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.networks.analog.options import CellOptions
from lmu_analog.networks.analog.run import compare
from lmu_analog.networks.cell import LMU, Memories, Memory
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.loop import spice
from lmu_analog.networks.loop.calibration import calibrated
from lmu_analog.networks.loop.cells import drawn_cells, run_cells
from lmu_analog.networks.loop.forward import outputs
from lmu_analog.networks.loop.memories import Draws, drawn, places, unstable
from lmu_analog.networks.loop.score import scores, spread
from lmu_analog.networks.loop.spice import relaxed, spice_outputs
from lmu_analog.networks.network import (
    CONNECTIONS,
    DenseLayer,
    LMULayer,
    LSTMLayer,
    Network,
    lmu_layer,
    with_weights,
)
from lmu_analog.networks.weights import network_from_npz, network_to_npz

ORDER, THETA = 4, 10.0
rng = np.random.default_rng(3)
MISMATCH = {"resistor": "5 %", "capacitor": "5 %", "opamp": "5 %"}


def design(**given) -> Design:
    return Design(**{"order": ORDER, "theta": "1 ms", "bandwidth": "500 Hz", "realization": "ladder"} | given)


def network(layers: int = 2, *, readout="every", memories: int = 2) -> Network:
    """Give a network of LMUs with every connection, and a dense layer."""
    lmu = LMULayer(5, ORDER, THETA, memories, connections=CONNECTIONS)
    spec = Network(2, (*(lmu,) * layers, DenseLayer(3)), readout=readout)
    arrays = [
        {name: 0.4 * np.random.default_rng(1).standard_normal(a.shape) for name, a in layer.items()}
        for layer in initial(spec, 1)
    ]
    return with_weights(spec, arrays)


def inputs(batch: int = 3, steps: int = 30) -> np.ndarray:
    return np.random.default_rng(7).uniform(-1.0, 1.0, (batch, steps, 2))


def circuits(stack: Network, of: Design, samples: range = range(2), seed: int = 5):
    where = places(stack, of, inputs())
    return drawn(stack, Draws(of, seed, samples), where), where


def in_numpy(stack: Network, x: np.ndarray) -> np.ndarray:
    """Run a network by the NumPy layer, which knows nothing of circuits."""
    for layer in stack.layers:
        w = layer.weights
        x = LMU(layer).run(x).hidden if isinstance(layer, LMULayer) else x @ w["kernel"] + w["bias"]
    return x


@pytest.mark.parametrize("realization", ["legendre", "cap-feedforward", "ladder"])
def test_ideal_circuits_in_the_loop_are_the_numpy_network(realization):
    stack = network()
    memories, _ = circuits(stack, design(realization=realization), range(1))
    # Reading a circuit back rounds at 1e-12 of its largest coefficient; 30 stable steps keep that.
    np.testing.assert_allclose(outputs(stack, inputs(), memories)[0], in_numpy(stack, inputs()), atol=1e-9)


def test_without_circuits_the_network_is_the_numpy_network():
    stack = network()
    np.testing.assert_allclose(outputs(stack, inputs())[0], in_numpy(stack, inputs()), rtol=0.0, atol=1e-13)
    last = replace(stack, readout="last")
    # One product over all steps, or over the last alone: the same sums, rounded once or twice differently.
    np.testing.assert_allclose(outputs(last, inputs()), outputs(stack, inputs())[:, :, -1], rtol=1e-13)


def test_every_memory_of_every_layer_is_a_circuit_of_its_own_from_the_law():
    stack, of = network(), design(opamp="OPA2192", mismatch=MISMATCH)
    memories, where = circuits(stack, of, range(3, 5))
    circuit, law = build(of), Mismatch.of(of)
    values = sample(circuit, law, draw(circuit, law, seed=5, samples=range(20)))
    for layer in (0, 1):
        for s in (0, 1):
            for j in (0, 1):
                # Layers of two memories each: circuit 3 of the network begins at sample 12.
                system = extract(circuit, values[4 * (3 + s) + 2 * layer + j])
                A, B, C, D, _ = signal.cont2discrete((system.A, system.B, system.C, system.D), 1e-4)
                impulse = [C @ np.linalg.matrix_power(A, k) @ B + D * (k == 0) for k in range(8)]
                m = memories[layer]
                found = [
                    m.C[s, j] @ np.linalg.matrix_power(m.A[s, j], k) @ m.B[s, j] + m.D[s, j] * (k == 0)
                    for k in range(8)
                ]
                # The slow states reproduce all states to 1e-7 of the largest response over the band; over
                # whole steps, whose spectrum goes on, to a little more.
                np.testing.assert_allclose(found, np.array(impulse)[..., 0], atol=1e-5)
                offset = system.offset / where[layer].volts
                np.testing.assert_allclose(m.offset[s, j], offset, rtol=1e-6, atol=1e-12)


def test_a_circuit_without_a_signal_shows_its_offset():
    stack = network(1, memories=1)
    deaf = ("bias", "memory_bias", "memory_encoders", "hidden_encoders", "hidden_kernel")
    layer = changed(stack, **{name: 0.0 * stack.layers[0].weights[name] for name in deaf}).layers[0]
    bare = Network(2, (layer,), "every")
    memories, _ = circuits(bare, design(opamp="TL072", mismatch=MISMATCH), range(2))
    out = outputs(bare, np.zeros((1, 3, 2)), memories)
    wanted = np.tanh(memories[0].offset[:, 0] @ layer.arrays.memory_kernel)
    assert np.abs(wanted).max() > 1e-4
    np.testing.assert_allclose(out[:, 0], np.repeat(wanted[:, None], 3, axis=1), rtol=1e-12)


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("family", "realization"), [("active-rc-differential", "ladder"), ("passive-rlc", "rlc-ladder")]
)
def test_ngspice_in_the_loop_is_the_exact_engine(family, realization):
    stack = network(2)
    mismatch = dict.fromkeys((*MISMATCH, "inductor"), "30 %")
    of = design(family=family, realization=realization, opamp="OPA2192", mismatch=mismatch)
    memories, where = circuits(stack, of, range(2, 3))
    x = inputs(1, 12)
    exact, ideal = outputs(stack, x, memories)[0], outputs(stack, x)[0]
    found = spice_outputs(stack, Draws(of, 5, range(2, 3)), x, where=where)
    size = np.sqrt(np.mean(exact**2))
    # ngspice's steps and edges are wrong by some 1e-3 at most; mismatch moves the outputs by ten times that.
    assert np.sqrt(np.mean((found.outputs - exact) ** 2)) < 1.5e-3 * size
    assert np.sqrt(np.mean((ideal - exact) ** 2)) > 1e-2 * size
    assert found.runs >= 4  # two layers of two memories


def test_a_loop_that_does_not_settle_is_an_error():
    def run(u: np.ndarray) -> np.ndarray:
        return np.tile(-9.0 * u - 1.0, ORDER)

    with pytest.raises(SimulationError, match="did not settle in 10 runs of ngspice; lower the mismatch"):
        relaxed(network(1).layers[0], inputs(1, 40)[0], np.ones((40, 2)), run=run)


def test_relaxation_finds_the_network_from_any_guess(monkeypatch):
    layer = network(1).layers[0]
    memory = Memory(ORDER, THETA)
    monkeypatch.setattr(spice, "ROUNDS", 30)
    x = inputs(1, 15)[0]
    hidden, rounds = relaxed(layer, x, np.ones((15, 2)), run=lambda u: np.hstack([*memory.run(u.T)]))
    # u is within 1e-3 of its largest, some units; what follows from it is closer by another round.
    np.testing.assert_allclose(hidden, LMU(layer).run(x).hidden, rtol=0.0, atol=1e-3)
    assert rounds <= 16  # a step more is right with every round


def test_calibration_leaves_ideal_circuits_as_they_are():
    stack = network()
    memories, _ = circuits(stack, design(), range(1))
    mended = calibrated(stack, memories, inputs(20, 40))
    # The ridge of 1e-6 moves coefficients by 1e-6 over the least eigenvalue of G, some hundredths of the mean.
    np.testing.assert_allclose(outputs(stack, inputs(), mended), outputs(stack, inputs()), atol=1e-3)


def test_calibration_undoes_a_mixed_and_shifted_readout():
    stack = network(1)
    ideal = LMU(stack.layers[0]).memories
    turn = np.eye(ORDER) + 0.3 * rng.standard_normal((1, 2, ORDER, ORDER))
    wrong = ideal._replace(C=turn @ ideal.C, offset=0.2 * np.ones((1, 2, ORDER)))
    x, want = inputs(), outputs(stack, inputs())
    before = outputs(stack, x, [wrong, None])
    after = outputs(stack, x, calibrated(stack, [wrong, None], inputs(20, 40)))
    assert np.abs(before - want).max() > 0.1
    # What is left is the ridge's, see above, times the largest entry of the inverse of what was mixed in.
    assert np.abs(after - want).max() < 3e-3


def test_calibration_wins_back_most_of_what_mismatch_cost():
    stack = network(1)
    memories, _ = circuits(stack, design(mismatch={"resistor": "30 %", "capacitor": "30 %"}), range(8))
    want = outputs(stack, inputs())
    lost, left = (
        float(np.sqrt(np.mean((outputs(stack, inputs(), m) - want) ** 2)))
        for m in (memories, calibrated(stack, memories, inputs(20, 40)))
    )
    assert left < 0.4 * lost


def test_an_unstable_circuit_is_counted_and_never_right():
    stack = replace(network(1), readout="last")
    m = LMU(stack.layers[0]).memories
    wild = Memories(5.0 * m.A, m.B, m.C, m.D, m.offset)
    assert unstable(m)[0] == 0
    assert unstable(wild)[0] == 2
    x = inputs(4, 600)
    out = outputs(stack, x, [wild, None])
    assert not np.isfinite(out).any()
    assert scores(out, np.array([0, 1, 2, 0]), "classes")[0] == 0.0
    assert scores(out[:, :, None], np.zeros((4, 1, 3)) + 1.0, "series")[0] == np.inf
    mended = calibrated(stack, [wild, None], x)
    assert not np.isfinite(outputs(stack, x, mended)).any()


def cell_design(**given) -> Design:
    return design(family="active-rc", opamp="OPA2192", **given)


def test_exact_cells_with_ideal_parts_are_the_layer():
    (layer, _) = network(1).layers
    x = inputs(2, 20)
    cells = drawn_cells(layer, Draws(design(), 0, range(2)), CellOptions(), x=x)
    wanted = LMU(layer).run(x).hidden
    for found in run_cells(layer, cells, x):
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-9)  # as for memories alone


@pytest.mark.ngspice
def test_a_mismatched_cell_in_ngspice_is_the_exact_cell():
    (layer, _) = network(1, memories=1).layers
    x, of = inputs(1, 10)[0], cell_design(mismatch={"resistor": "10 %", "capacitor": "10 %"})
    cells = drawn_cells(layer, Draws(of, 5, range(3)), CellOptions(), x=x)
    exact = run_cells(layer, cells, x[None])[1, 0]
    found = compare(layer, of, CellOptions(), x=x, sample=(5, 1))
    size = np.sqrt(np.mean(exact**2))
    # Edges of 2e-3 of a step and hold stages that settle to 1e-3, as in the nominal cell.
    assert np.sqrt(np.mean((found.states.hidden - exact) ** 2)) < 0.01 * size
    assert found.nrmse > 0.05  # what mismatch does is much more


def test_cells_of_other_options_are_refused():
    (layer, _) = network(1).layers
    with pytest.raises(DesignError, match="cells in the exact engine are sampled, with arrays of resistors"):
        drawn_cells(layer, Draws(cell_design(), 0, range(1)), CellOptions(hidden="continuous"), x=inputs())


def test_scores_are_fractions_and_relative_errors():
    out = np.array([[[1.0, 2.0], [3.0, 0.0], [np.nan, 9.0]]])
    np.testing.assert_allclose(scores(out, np.array([1, 0, 1]), "classes"), [2 / 3])
    y = np.array([[[9.0], [3.0], [4.0]]])
    # The first step does not count: (0.3^2 + 0.4^2) over (3^2 + 4^2).
    np.testing.assert_allclose(scores(y[None] * [[[[5.0], [1.1], [0.9]]]], y, "series", first=1), [0.1])


def test_a_spread_is_students_interval_over_networks():
    figures = np.array([[90.0, 92.0], [94.0, 96.0], [91.0, 95.0]])
    found = spread(figures)
    low, high = stats.t.interval(0.95, 2, figures.mean(), stats.sem(figures.mean(axis=1)))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.mean == figures.mean()
    assert found.median == 93.0
    assert spread(figures[:1]).low is None


def test_a_network_in_a_file_is_unchanged(tmp_path: Path):
    stack = network()
    again = network_from_npz(network_to_npz(tmp_path / "net.npz", stack))
    assert again.readout == "every"
    np.testing.assert_array_equal(outputs(again, inputs()), outputs(stack, inputs()))


def test_a_network_that_an_earlier_version_wrote_is_read():
    stack = network_from_npz(frame.STORED / "digits-network.npz")
    lmu, last = stack.layers
    assert (stack.inputs, stack.readout, lmu.hidden, lmu.order, lmu.theta) == (1, "last", 32, 24, 64.0)
    assert last.weights["kernel"].shape == (32, 10)


def test_a_layer_without_hidden_units_hands_on_its_memory():
    spec = Network(1, (LMULayer(0, ORDER, THETA, 2, connections=()), DenseLayer(1)), readout="every")
    stack = with_weights(spec, initial(spec))
    x = inputs()[..., :1]
    drive = x @ stack.layers[0].weights["input_encoders"]
    memories = [Memory(ORDER, THETA).run(drive[..., j]) for j in range(2)]
    wanted = np.concatenate(memories, axis=-1) @ stack.layers[1].weights["kernel"]
    # The same sums in another order.
    np.testing.assert_allclose(outputs(stack, x)[0], wanted, rtol=0.0, atol=1e-12)
    found = drawn(stack, Draws(design(), 0, range(1)), places(stack, design(), x))
    np.testing.assert_allclose(outputs(stack, x, found)[0], wanted, rtol=0.0, atol=1e-9)


def test_running_a_trained_network_needs_no_jax(tmp_path: Path):
    path = network_to_npz(tmp_path / "net.npz", network())
    code = (
        "import sys; sys.modules['jax'] = sys.modules['optax'] = None\n"
        "import numpy as np\nfrom pathlib import Path\n"
        "from lmu_analog.networks import weights\n"
        "from lmu_analog.networks.loop import calibration, forward, memories, score, spice\n"
        f"print(forward.outputs(weights.network_from_npz(Path({str(path)!r})), np.ones((1, 3, 2))).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 1, 3, 3)\n", done.stderr


def changed(stack: Network, **given) -> Network:
    """Give the network with other arrays, theta, dt or method in its first layer."""
    layer = stack.layers[0]
    arrays = {**layer.weights, **given}
    about = {name: arrays.pop(name, getattr(layer, name)) for name in ("theta", "dt", "method")}
    return replace(stack, layers=(lmu_layer(arrays, **about), *stack.layers[1:]))


EYE = np.eye(ORDER)
REFUSED = {
    "another order": (
        lambda s: (s, design(order=5)),
        "layer 0 has memories of order 4, the design has order 5",
    ),
    "learned A": (lambda s: (changed(s, A=EYE, B=EYE[0]), design()), "layer 0 has A and B of its own"),
    "euler": (lambda s: (changed(s, method="euler"), design()), "layer 0 was trained with method euler"),
    "another theta": (
        lambda s: (changed(s, theta=2e-3, dt=1e-4), design()),
        "theta = 0.002 s in steps of 0.0001 s, the design 0.001 s; they must agree",
    ),
    "a clock": (
        lambda s: (s, design(family="switched-capacitor", realization="legendre")),
        "family 'switched-capacitor' is sampled by a clock of its own",
    ),
    "values below zero": (
        lambda s: (s, design(mismatch={"resistor": {"tolerance": "90 %", "distribution": "gauss"}})),
        "circuits have an element that is not positive; lower the mismatch",
    ),
}


@pytest.mark.parametrize(("make", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_design_that_is_not_of_the_network_is_refused(make, words):
    stack, of = make(network())
    where = places(network(), design(), inputs())
    with pytest.raises(DesignError, match=words):
        drawn(stack, Draws(of, 0, range(6)), where)


def test_what_does_not_fit_is_refused_with_its_axis():
    stack = network()
    memories, _ = circuits(stack, design(), range(2))
    other, _ = circuits(stack, design(), range(3))
    with pytest.raises(DesignError, match=r"x: axis 2 \(component\) has length 3, not 2"):
        outputs(stack, np.ones((1, 4, 3)))
    with pytest.raises(DesignError, match=r"x has shape \(4, 2\); axes \(batch, step, component\)"):
        outputs(stack, np.ones((4, 2)))
    with pytest.raises(DesignError, match="x holds 8 values that are not finite"):
        outputs(stack, np.full((1, 4, 2), np.nan))
    with pytest.raises(DesignError, match="memories of 2 layers for a network of 3"):
        outputs(stack, inputs(), memories[:2])
    with pytest.raises(DesignError, match="layers have 2 and 3 circuits; one number is wanted"):
        outputs(stack, inputs(), [memories[0], other[1], None])
    with pytest.raises(DesignError, match="memories of layer 0: axis memories has length 2, not 1"):
        outputs(network(memories=1), inputs(), memories)
    with pytest.raises(DesignError, match=r"y: axis 0 \(sample\) has length 2, not 3 as the outputs"):
        scores(np.ones((1, 3, 2)), np.array([0, 1]), "classes")


def dense(kernel: np.ndarray, bias: np.ndarray) -> DenseLayer:
    return DenseLayer(3, weights={"kernel": kernel, "bias": bias})


def test_layers_that_do_not_fit_are_refused():
    stack = network()
    with pytest.raises(DesignError, match="layer 1: axis inputs has length 5, not 3 as layer 0 gives out"):
        Network(2, (dense(np.ones((2, 3)), np.ones(3)), stack.layers[1]))
    with pytest.raises(DesignError, match="kernel holds 6 values that are not finite"):
        dense(np.full((2, 3), np.nan), np.ones(3))
    with pytest.raises(DesignError, match=r"bias: axis 0 \(units\) has length 4, not 3 as in the layer"):
        dense(np.ones((2, 3)), np.ones(4))
    with pytest.raises(DesignError, match="the network has no LMU layer"):
        outputs(Network(2, (dense(np.ones((2, 3)), np.ones(3)),)), np.ones((1, 2, 2)))
    lstm = Network(1, (LSTMLayer(2),))
    with pytest.raises(DesignError, match="layer 0 is an LSTM; circuits take the place of memories of LMUs"):
        outputs(with_weights(lstm, initial(lstm)), np.ones((1, 2, 1)))


def test_a_file_that_is_no_network_is_refused(tmp_path: Path):
    path = tmp_path / "odd.npz"
    np.savez(path, kernel=np.ones((2, 2)))
    with pytest.raises(DesignError, match="array 'kernel' is of no layer; names such as 0/memory_kernel"):
        network_from_npz(path)
    np.savez(path, **{"0/kernel": np.ones((2, 2)), "0/bias": np.ones(2)})
    with pytest.raises(DesignError, match="layer 0: array 'activation' is missing or unknown"):
        network_from_npz(path)
