"""Permuted sequential MNIST: gradients, checkpoints, MNIST's files, and the experiment on images that are made up."""

import gzip
import hashlib
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from scipy.special import expit, log_softmax

from lmu_analog import cli
from lmu_analog.errors import StoreError
from lmu_analog.experiments import frame, psmnist
from lmu_analog.experiments import psmnist_networks as nets
from lmu_analog.experiments.psmnist_plots import plot_confusion, plot_orders, plot_training
from lmu_analog.memory import reference
from lmu_analog.networks import mnist
from lmu_analog.networks.cell import LMU
from lmu_analog.networks.long import dense, lmu, lstm, training
from lmu_analog.networks.long.linear import last_state, scanned
from lmu_analog.networks.network import CONNECTIONS, LMULayer, count_parameters, shapes

RNG = np.random.default_rng(3)
HIDDEN, CLASSES = 3, 4
LAYER = LMULayer(HIDDEN, 5, 11.0, connections=CONNECTIONS)


def random(shapes):
    return {name: 0.4 * RNG.standard_normal(shape) for name, shape in shapes.items()}


OF_LMU = {**shapes(LAYER, 2), "kernel": (HIDDEN, CLASSES), "classes": (CLASSES,)}
OF_LSTM = {
    "kernel": (2, 4 * HIDDEN),
    "recurrent_kernel": (HIDDEN, 4 * HIDDEN),
    "bias": (4 * HIDDEN,),
    "output": (HIDDEN, CLASSES),
    "classes": (CLASSES,),
}


def slope(loss, weights, name):
    """Measure the derivative along a random direction of one array, and give the direction."""
    along = RNG.standard_normal(weights[name].shape)
    near = [loss({**weights, name: weights[name] + h * along}) for h in (1e-6, -1e-6)]
    return (near[0] - near[1]) / 2e-6, along


def check_gradient(function, weights):
    """Compare every array's gradient with central differences; float64 leaves them nine digits of the loss."""
    _, found = function(weights)
    assert found.keys() == weights.keys()
    for name in weights:
        measured, along = slope(lambda w: function(w)[0], weights, name)
        assert np.vdot(found[name], along) == pytest.approx(measured, abs=1e-8), name


def test_blocks_of_steps_are_the_numpy_layer_step_by_step():
    weights, x = random(OF_LMU), RNG.standard_normal((3, 34, 2))
    layer = LMU(replace(LAYER, weights={k: weights[k] for k in shapes(LAYER, 2)}))
    for steps, length in ((34, 2), (32, 16)):  # the longest of up to 16 that divides the steps
        blocks = lmu.blocks_of(LAYER, steps, float)
        assert blocks.steps == length
        found = lmu.logits(blocks, weights, x[:, -steps:])
        wanted = layer.run(x[:, -steps:]).hidden[:, -1] @ weights["kernel"] + weights["classes"]
        # The same numbers summed in another order.
        np.testing.assert_allclose(found, wanted, rtol=0.0, atol=1e-13)


def test_gradients_are_those_of_differences():
    x, y = RNG.standard_normal((3, 24, 2)), np.array([0, 3, 1])
    blocks = lmu.blocks_of(LAYER, 24, float)
    check_gradient(lambda w: lmu.gradient(blocks, w, x, y=y), random(OF_LMU))
    check_gradient(lambda w: lstm.gradient(w, x, y), random(OF_LSTM))
    layers = {k: v.astype(float) for k, v in dense.start((6, 5, CLASSES), 1).items()}

    def left_out(weights):
        return dense.gradient(
            weights, x[:, :3].reshape(3, 6), y, dropout=(0.3, 0.5), rng=np.random.default_rng(1)
        )

    check_gradient(left_out, layers)


def test_an_lstm_is_its_equations():
    weights, x, y = random(OF_LSTM), RNG.standard_normal((2, 7, 2)), np.array([1, 2])
    h, c = np.zeros((2, 2, HIDDEN))
    for step in range(7):
        gates = x[:, step] @ weights["kernel"] + h @ weights["recurrent_kernel"] + weights["bias"]
        i, f, g, o = np.split(gates, 4, axis=1)
        c = expit(f) * c + expit(i) * np.tanh(g)
        h = expit(o) * np.tanh(c)
    wanted = h @ weights["output"] + weights["classes"]
    np.testing.assert_allclose(lstm.logits(weights, x), wanted, rtol=0.0, atol=1e-14)
    loss, _ = lstm.gradient(weights, x, y)
    assert loss == pytest.approx(-np.mean(log_softmax(wanted, axis=1)[[0, 1], y]), rel=1e-12)


def test_the_last_state_is_one_matrix_times_the_series():
    memory, u = reference.numpy_memory(7, 30.0, dt=1.0), RNG.standard_normal((2, 45))
    wanted = reference.run(memory, u)[:, -1]
    # Powers of A by squaring round otherwise than 45 steps do.
    np.testing.assert_allclose(u @ last_state(memory, 45), wanted, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(scanned(memory, u), wanted, rtol=0.0, atol=1e-13)


def test_dropout_leaves_out_its_share_and_keeps_the_mean():
    mask = dense.dropped((400, 500), 0.2, np.random.default_rng(0))
    assert set(np.unique(mask)) == {np.float32(0.0), np.float32(1.25)}
    assert mask.mean() == pytest.approx(1.0, abs=5 * 0.5 / np.sqrt(mask.size))  # five standard errors


def learner(about="a line"):
    """Make a dense network that tells the sign of a sum."""
    return training.Learner(
        about, lambda w, x, y, rng: dense.gradient(w, x, y, dropout=(0.1, 0.0), rng=rng), dense.logits
    )


@pytest.fixture
def examples():
    x = np.random.default_rng(2).standard_normal((90, 4)).astype(np.float32)
    data = training.Examples(x, (x.sum(axis=1) > 0).astype(int))
    return data, data


START = dense.start((4, 6, 2), 0)
PLAN = training.Plan(epochs=6, batch=20, rate=0.05, weight_decay=1e-3, longest=1.0)


def test_training_goes_on_in_the_middle_of_an_epoch_as_if_it_had_not_stopped(examples, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "SAVE_SECONDS", -1.0)  # after every batch
    whole = training.train(learner(), START, examples, plan=PLAN)
    file, done = tmp_path / "c.npz", []

    def stop(amount):
        done.append(amount)
        if sum(done) == 7:  # of 24, the third of the second epoch
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.train(learner(), START, examples, plan=PLAN, checkpoint=file, advance=stop)
    assert training.load(file).step == 7
    resumed = training.train(learner(), START, examples, plan=PLAN, checkpoint=file)
    assert (resumed.step, resumed.loss, resumed.error) == (whole.step, whole.loss, whole.error)
    for kind in ("weights", "first", "second", "best"):
        for name, array in getattr(whole, kind).items():
            np.testing.assert_array_equal(getattr(resumed, kind)[name], array)
    assert whole.error[-1] < 0.2  # of chance .5, after 24 steps
    assert whole.loss[-1] < whole.loss[0]
    assert [a.dtype for a in whole.weights.values()] == [np.float32] * 4
    np.testing.assert_array_equal(START["0/bias"], np.zeros(6))  # what training starts from stays as it is


def test_adam_takes_the_steps_of_its_equations():
    def gradient(weights, *_):
        return 0.0, {"w": 3.0 * weights["w"]}

    plan = training.Plan(epochs=1, batch=1, rate=0.1, decay="constant", longest=2.0, weight_decay=0.5)
    data = training.Examples(np.zeros(3), np.zeros(3, int))
    quiet = training.Learner("", gradient, lambda w, x: np.zeros((len(x), 1)))
    found = training.train(quiet, {"w": np.array([[1.0, -2.0]])}, (data, data), plan=plan).weights["w"]
    w, first, second = np.array([1.0, -2.0]), 0.0, 0.0
    for k in range(1, 4):
        g = 3.0 * w
        g = g * min(1.0, 2.0 / np.linalg.norm(g)) + 0.5 * w
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        w = w - 0.1 * (first / (1 - 0.9**k)) / (np.sqrt(second / (1 - 0.999**k)) + 1e-8)
    np.testing.assert_allclose(found[0], w, rtol=1e-12)


def test_a_checkpoint_of_another_training_or_torn_is_refused(examples, tmp_path):
    file = tmp_path / "c.npz"
    training.train(learner(), START, examples, plan=replace(PLAN, epochs=1), checkpoint=file)
    for other in (replace(PLAN, epochs=1, seed=1), PLAN):
        with pytest.raises(StoreError, match="is of another network, plan or data"):
            training.train(learner(), START, examples, plan=other, checkpoint=file)
    with pytest.raises(StoreError, match="is of another network, plan or data"):
        training.train(learner("a curve"), START, examples, plan=replace(PLAN, epochs=1), checkpoint=file)
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(StoreError, match="is no whole checkpoint; remove it and train anew"):
        training.train(learner(), START, examples, plan=PLAN, checkpoint=file)


def test_the_networks_have_the_published_sizes():
    assert count_parameters(nets.published_lmu(784)) == 102_027
    stored = frame.stored("psmnist")["result"]
    assert stored["lmu"]["parameters"] == 102_027
    assert stored["lstm"]["parameters"] == pytest.approx(102_027, rel=0.01)
    assert stored["parallel"]["parameters"] <= 166_000
    assert stored["feedforward"]["parameters"] == pytest.approx(stored["parallel"]["parameters"], rel=0.01)


def packed(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    """Put files in the format of MNIST into a folder: ten tones, in the order in which pixels are seen, with noise.

    A memory of order 12 holds five periods in its window, so that tones of up to five periods, of both signs, are ten
    classes without any doubt.
    """
    rng, files = np.random.default_rng(5), {}
    pixels = np.random.default_rng(0).permutation(mnist.PIXELS)
    time = np.arange(mnist.PIXELS) / mnist.PIXELS
    for name, (count, kind) in {"train": (48, 0), "t10k": (20, 1)}.items():
        y = (np.arange(count) % mnist.CLASSES).astype(np.uint8)
        tones = np.sin(2.0 * np.pi * (1 + y[:, None] // 2) * time) * (1.0 - 2.0 * (y[:, None] % 2))
        x = np.empty((count, mnist.PIXELS), np.uint8)
        x[:, pixels] = 127.0 + 90.0 * tones + rng.uniform(-10.0, 10.0, tones.shape)
        x = x.reshape(count, mnist.SIDE, mnist.SIDE)
        for what, array in ((f"{name}-images-idx3-ubyte", x), (f"{name}-labels-idx1-ubyte", y)):
            content = packed(array)
            files[what] = (count, hashlib.md5(content, usedforsecurity=False).hexdigest())
            if kind:
                (tmp_path / what).write_bytes(content)
            else:
                (tmp_path / f"{what.replace('-idx', '.idx')}.gz").write_bytes(gzip.compress(content))
    monkeypatch.setattr(mnist, "FILES", files)
    return tmp_path


def test_images_are_read_in_one_order_of_pixels_and_none_twice(made_up):
    found = mnist.permuted(made_up)
    assert [len(part.x) for part in (found.train, found.valid, found.test)] == [44, 4, 20]
    content = gzip.decompress((made_up / "train-images.idx3-ubyte.gz").read_bytes())
    images = np.frombuffer(content, np.uint8, offset=16).reshape(48, 784)
    order = np.random.default_rng(0).permutation(784)
    both = np.concatenate([found.train.x, found.valid.x])
    assert {row.tobytes() for row in both} == {row.tobytes() for row in images[:, order]}
    assert (found.test.y == np.arange(20) % 10).all()
    assert not np.array_equal(mnist.permuted(made_up, 1).test.x, found.test.x)


TRAIN, TEST = "train-images.idx3-ubyte.gz", "t10k-images-idx3-ubyte"
WHERE = (
    "get the four files from https://ossci-datasets.s3.amazonaws.com/mnist/ and name their folder with --data"
)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (TRAIN, lambda c: c[:500], " is torn, or not packed with gzip; "),
        (TRAIN, lambda _: b"<html>", " is torn, or not packed with gzip; "),
        (TEST, lambda c: b"\0\0\x09" + c[3:], " does not begin as an IDX file of bytes does (00 00 08); "),
        (TEST, lambda c: c[:9], " ends within its header; "),
        (TEST, lambda c: c[:-1], " has 15679 numbers, not 15680 as its header says; "),
        (TEST, lambda c: c[:-1] + b"\0", " is not MNIST's t10k-images-idx3-ubyte: its MD5 digest is another; "),
        (TEST, lambda _: packed(np.zeros(5, np.uint8)), " holds an array of (5,), not (20, 28, 28) as MNIST's; "),
    ],
)  # fmt: skip
def test_files_that_are_not_mnist_are_refused_in_one_line(made_up, name, change, words, capsys):
    path = made_up / name
    path.write_bytes(change(path.read_bytes()))
    assert cli.run_command(["experiment", "psmnist", "--data", str(made_up)]) == 2
    assert capsys.readouterr() == ("", f"lmu-analog: {path}{words}{WHERE}\n")


def test_a_folder_for_checkpoints_is_wanted_before_the_work(made_up, capsys):
    words = ["--data", str(made_up), "--checkpoints", "none"]
    assert cli.run_command(["experiment", "psmnist", *words]) == 2
    assert capsys.readouterr() == ("", "lmu-analog: --checkpoints 'none': no such folder; make it first\n")


def test_without_data_it_says_where_to_get_them(tmp_path, capsys):
    assert cli.run_command(["experiment", "psmnist"]) == 2
    assert capsys.readouterr() == ("", f"lmu-analog: --data: no folder is named; {WHERE}\n")
    assert cli.run_command(["experiment", "psmnist", "--data", str(tmp_path)]) == 2
    said = f"lmu-analog: {tmp_path}: no file train-images-idx3-ubyte.gz of MNIST; {WHERE}\n"
    assert capsys.readouterr() == ("", said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--networks", "lmu,mlp"], "--networks 'mlp': known are lmu, lstm, parallel, feedforward, orders"),
        (["--seeds", "0"], "--seeds 0: at least one is wanted"),
        (["--no-train"], "--checkpoints: name the folder whose trainings are to be told"),
    ],
)
def test_options_that_cannot_be_are_refused(words, said, capsys):
    assert cli.run_command(["experiment", "psmnist", *words]) == 2
    assert capsys.readouterr() == ("", f"lmu-analog: {said}\n")


@pytest.fixture
def small(monkeypatch):
    """Make the networks small enough for a test."""
    sizes = {
        "ORDER": 4,
        "HIDDEN": 3,
        "LSTM_UNITS": 3,
        "PARALLEL_ORDER": 12,
        "PARALLEL_UNITS": 64,
        "FORWARD_UNITS": 16,
    }
    for name, size in sizes.items():
        monkeypatch.setattr(nets, name, size)
    monkeypatch.setattr(nets, "RECURRENT", replace(nets.RECURRENT, batch=22))
    monkeypatch.setattr(nets, "DENSE", replace(nets.DENSE, batch=11))
    monkeypatch.setattr(psmnist, "TIMED", 1)


WORDS = ["--seeds", "2", "--epochs", "1", "--dense-epochs", "60", "--orders", "6,12", "--rates", "0.01"]


@pytest.mark.usefixtures("small")
def test_a_run_on_made_up_images_has_what_the_stored_one_has(made_up, tmp_path, capsys):
    kept = tmp_path / "kept"
    kept.mkdir()
    command = ["experiment", "psmnist", "--data", str(made_up), "--checkpoints", str(kept), *WORDS, "--json"]
    assert cli.run_command(command) == 0
    found = json.loads(capsys.readouterr().out)
    assert str(tmp_path) not in json.dumps(found)  # no path of this machine
    stored = frame.stored("psmnist")["result"]
    assert found.keys() >= stored.keys()
    for name in ("lmu", "parallel", "feedforward"):
        assert found[name].keys() == stored[name].keys()
    assert found["lstm"].keys() >= stored["lstm"].keys()
    assert [row.keys() for row in found["orders"]] == [stored["orders"][0].keys()] * 2
    assert found["parallel"]["accuracy"] == [1.0, 1.0]
    assert found["feedforward"]["mean"] == 1.0
    assert np.array(found["lmu"]["confusion"]).sum() == 20
    assert found["parallel"]["images"] == 48
    assert found["parallel"]["validation_accuracy"] == []
    assert found["orders"][0]["images"] == found["lmu"]["images"] == 44
    # What is finished is told from the checkpoints, to the last digit, without training.
    assert cli.run_command([*command, "--no-train"]) == 0
    told = json.loads(capsys.readouterr().out)
    for name in ("lmu", "lstm", "parallel", "feedforward"):
        assert told[name]["loss"] == found[name]["loss"]
        assert told[name]["confusion"] == found[name]["confusion"]
    assert sorted(path.name for path in kept.iterdir()) == [
        "feedforward-0.npz", "feedforward-1.npz", "lmu-0.npz", "lstm-0.01-chrono.npz", "lstm-0.01-one.npz",
        "lstm-0.npz", "order-12.npz", "order-6.npz", "parallel-0.npz", "parallel-1.npz",
    ]  # fmt: skip
    (kept / "lstm-0.01-one.npz").unlink()
    assert cli.run_command([*command[:-1], "--no-train"]) == 0
    (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("LSTM"))
    assert "in training" in line


def test_the_stored_run_is_told_without_data_and_in_parts(tmp_path, capsys):
    assert cli.run_command(["experiment", "psmnist", "--stored"]) == 0
    whole = capsys.readouterr().out
    assert cli.run_command(["experiment", "psmnist", "--stored", "--data", str(tmp_path / "none")]) == 0
    assert capsys.readouterr().out == whole
    assert cli.run_command(["experiment", "psmnist", "--stored", "--networks", "parallel", "--json"]) == 0
    part = json.loads(capsys.readouterr().out)
    assert "parallel" in part
    assert not {"lmu", "lstm", "orders"} & part.keys()
    assert cli.run_command(["experiment", "psmnist", "--stored", "--seeds", "3"]) == 2
    assert "leave out the other options, or run it anew" in capsys.readouterr().err
    stored = frame.stored("psmnist")
    assert (
        stored["command"].removesuffix(" --no-train")
        == "lmu-analog experiment psmnist --data DIR --checkpoints DIR"
    )


def test_the_stored_figures_agree_with_each_other():
    found = frame.stored("psmnist")["result"]
    rows = [*found["orders"], *(found[name] for name in ("lmu", "lstm", "parallel", "feedforward"))]
    for row in rows:
        finished = [epochs for epochs in row["epochs_done"] if epochs == row.get("epochs")]
        assert len(row["accuracy"]) == len(finished)
        if not finished:
            continue
        confusion = np.array(row["confusion"])
        assert confusion.sum() == 10_000 * len(finished)
        assert np.trace(confusion) / confusion.sum() == pytest.approx(row["mean"], abs=1e-12)
        assert row["mean"] == pytest.approx(np.mean(row["accuracy"]), abs=1e-12)
        assert [len(curve) for curve in row["loss"]] == row["epochs_done"]


def test_the_stored_parallel_network_is_as_good_as_the_published_one():
    found = frame.stored("psmnist")["result"]
    assert len(found["parallel"]["accuracy"]) == 5
    assert found["parallel"]["mean"] >= 0.985  # Chilkuri and Eliasmith (2021): .9849
    by_order = [row["mean"] for row in sorted(found["orders"], key=lambda row: row["order"])]
    assert by_order[0] < by_order[1] < by_order[3] < by_order[4]  # 24, 48, 128, 256
    assert found["scan"]["factor"] > 50


def test_the_docs_have_the_stored_figures():
    found, folder = frame.stored("psmnist")["result"], Path(__file__).parents[1] / "docs"
    _, _, said = (folder / "networks.md").read_text("utf-8").partition("### Permuted sequential MNIST")
    rows = [*found["orders"], *(found[name] for name in ("lmu", "lstm", "parallel", "feedforward"))]
    for row in rows:
        if row["mean"] is not None:
            assert f"{100.0 * row['mean']:.2f}" in said
    assert f"({100.0 * min(found['parallel']['accuracy']):.2f} to " in said


def test_figures_have_what_is_known_so_far():
    found = frame.stored("psmnist")["result"]
    done = found["orders"][-1]
    begun = {**done, "order": 24, "accuracy": [], "mean": None, "validation_accuracy": [[]]}
    part = {key: found[key] for key in ("images", "published")} | {"orders": [begun, done], "lmu": begun}
    for plot, known in ((plot_training, done["validation_accuracy"][0]), (plot_orders, done["accuracy"])):
        lines = plot(part, Figure().subplots()).get_lines()
        (line,) = (line for line in lines if line.get_marker() == "o" and len(line.get_xdata()))
        np.testing.assert_allclose(line.get_ydata(), 100.0 * (1.0 - np.array(known)))


def test_wrong_answers_are_drawn_and_all_are_counted():
    found = frame.stored("psmnist")["result"]
    ax = plot_confusion(found, Figure().subplots())
    counts = np.array(found["parallel"]["confusion"])
    assert [text.get_text() for text in ax.texts] == [str(count) for count in counts.ravel()]
    shown = ax.images[0].get_array()
    assert np.diag(shown).tolist() == [0] * 10
    assert shown.sum() == counts.sum() - np.trace(counts)
