"""The loss of a network on circuits: slopes by differences of exact circuits, its law, files, tolerances for it."""

import json

import numpy as np
import pytest
import scipy.stats

from lmu_analog.building import build
from lmu_analog.cli import run_command
from lmu_analog.codesign.allocation import Limit, allocate
from lmu_analog.codesign.task import task_first_order, task_results
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns, sample
from lmu_analog.networks.learning.data import Data
from lmu_analog.networks.loop.forward import outputs
from lmu_analog.networks.loop.memories import places, sampled_memories
from lmu_analog.networks.network import CONNECTIONS, DenseLayer, LMULayer, Network, all_shapes, with_weights
from lmu_analog.networks.task import losses, network_task, read_task, write_task
from lmu_analog.networks.weights import network_arrays, write_archive
from lmu_analog.output.design_text import commented
from lmu_analog.theory.quadratic import quadratic_form, quantile

ORDER, STEPS, CLASSES = 3, 10, 3
DESIGN = Design(
    order=ORDER,
    theta="1 ms",
    opamp="OPA2192",
    mismatch={"resistor": {"tolerance": "1 %", "distribution": "gauss"}, "capacitor": "2 %", "opamp": "20 %"},
)


def network(seed=0, *, layers=1, memories=1, readout="last"):
    """Make a network with every connection, whose weights are random."""
    one = LMULayer(4, ORDER, 8.0, memories, connections=CONNECTIONS)
    found = Network(2, (*[one] * layers, DenseLayer(3, "tanh"), DenseLayer(CLASSES)), readout)
    rng = np.random.default_rng(seed)
    weights = [
        {name: 0.6 * rng.standard_normal(shape) for name, shape in each.items()} for each in all_shapes(found)
    ]
    return with_weights(found, weights)


def task(objective="classes", against="data", *, examples=6, **given):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((examples, STEPS, 2))
    if objective == "classes":
        return network_task(
            network(**given), Data(x, rng.integers(0, CLASSES, examples)), objective, against=against
        )
    data = Data(x, rng.standard_normal((examples, STEPS, CLASSES)))
    return network_task(
        network(readout="every", **given), data, objective, against=against, steps=np.array([4, 7, 9])
    )


def exact(design, of, z):
    """Give the loss of circuits with draws z (s, k, z), k memories."""
    circuit, law = build(design), Mismatch.of(design)
    values = sample(circuit, law, z.reshape(-1, z.shape[-1])).reshape(*z.shape[:2], -1)
    found, first = [], 0
    for layer, place in zip(of.network.layers, places(of.network, design, of.x), strict=True):
        if place is None:
            found.append(None)
            continue
        some = values[:, first : first + layer.memories]
        found.append(sampled_memories(circuit, some, step=1e-3 / 8.0, volts=place.volts))
        first += layer.memories
    return losses(of, outputs(of.network, of.x, found))


@pytest.mark.parametrize(
    ("objective", "against", "given"),
    [
        ("classes", "data", {}),
        ("classes", "software", {"layers": 2, "memories": 2}),
        ("series", "data", {"layers": 2}),
        ("series", "software", {"memories": 2}),
    ],
)
def test_the_squares_are_the_loss_and_its_slopes_and_against_the_software_its_curvature(
    objective, against, given
):
    of = task(objective, against, **given)
    theory = task_first_order(DESIGN, of)
    names, count = (
        columns(build(DESIGN), Mismatch.of(DESIGN)),
        given.get("layers", 1) * given.get("memories", 1),
    )
    assert len(theory.names) == count * len(names)
    zero = np.zeros((1, count, len(names)))
    assert theory.nominal**2 == pytest.approx(float(exact(DESIGN, of, zero)[0]), rel=1e-9, abs=1e-12)
    # One draw after the other. Of a normal law cut at three sigma a standard deviation is another step than of z.
    z = 1e-3 * np.eye(zero.size).reshape(-1, count, len(names))
    slopes = (exact(DESIGN, of, z) - exact(DESIGN, of, -z)) / 2e-3
    theirs = 2.0 * theory.jacobian.T @ theory.error
    cut = scipy.stats.truncnorm(-3.0, 3.0).std() / (1.0 - 2.0 * scipy.stats.norm.sf(3.0))
    deviation = {"resistor": 1.0, "capacitor": cut, "opamp": cut}
    expected = slopes * [deviation[name.rpartition("|")[2]] for name in theory.names]
    np.testing.assert_allclose(theirs, expected, rtol=1e-4, atol=1e-6 * np.abs(expected).max())
    if against == "software":
        # The slope is then that of what finite op-amps leave, so small that all curvature is that of the squares.
        v = np.random.default_rng(2).standard_normal((4, zero.size))
        h, wide = 0.3, v.reshape(-1, count, len(names)) / [deviation[n.rpartition("|")[2]] for n in names]
        bent = exact(DESIGN, of, h * wide) + exact(DESIGN, of, -h * wide) - 2.0 * theory.nominal**2
        np.testing.assert_allclose(
            bent / (2.0 * h * h), np.sum((v @ theory.jacobian.T) ** 2, axis=1), rtol=0.1
        )


def test_the_law_of_a_loss_is_that_of_exact_circuits():
    of = task(against="software")
    form = quadratic_form(task_first_order(DESIGN, of))
    loss, score = task_results(DESIGN, of, seed=0, samples=range(2000))
    # Of 2000 circuits sigma of the mean is 2 %, of the 95th percentile 4 %; the second order of outputs adds some.
    assert form.mean == pytest.approx(loss.mean(), rel=0.1)
    assert quantile(form, 0.95) == pytest.approx(np.quantile(loss, 0.95), rel=0.15)
    assert score.shape == (2000,)


def test_pulled_back_in_pieces_the_squares_are_the_same(monkeypatch):
    of = task("series")
    whole = task_first_order(DESIGN, of)
    monkeypatch.setattr("lmu_analog.codesign.task.NUMBERS", 100)
    pieces = task_first_order(DESIGN, of)
    for a, b in ((pieces.jacobian, whole.jacobian), (pieces.error, whole.error)):
        theirs, ours = whole.jacobian.T @ b, pieces.jacobian.T @ a
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12 * np.abs(theirs).max())


def test_tolerances_are_chosen_for_a_network(tmp_path, capsys):
    of = task(against="software", examples=20, memories=2)
    write_task(tmp_path / "t.npz", of)
    (tmp_path / "d.toml").write_text(
        commented(DESIGN.replace(mismatch={"resistor": "1 %", "capacitor": "1 %"}))
    )
    given, most = (
        ["-o", str(tmp_path / "cheap.toml"), "--task", str(tmp_path / "t.npz"), "-n", "1000", "--json"],
        2e-4,
    )
    assert run_command(["allocate", str(tmp_path / "d.toml"), *given, "--loss", str(most)]) == 0
    said = json.loads(capsys.readouterr().out)
    # Circuits that have not decided: of 2000 sigma of a share of .95 is .5 points; five of it.
    loss, score = task_results(Design.load(tmp_path / "cheap.toml"), of, seed=3, samples=range(2000))
    assert np.mean(loss <= most) > 0.95 - 0.025
    assert said["loss_theory"] == pytest.approx(np.quantile(loss, 0.95), rel=0.15)
    assert said["loss_theory"] > 0.5 * most  # no dearer than it must be
    assert said["cost"] <= said["uniform"]["cost"]
    # Two memories are two circuits: parts are bought for both.
    parts = len([c for c in build(DESIGN).components if c.name.startswith(("R", "C"))])
    assert sum(row["parts"] for of_kind in said["counts"].values() for row in of_kind) == 2 * parts
    assert said["score"]["mean"] == pytest.approx(float(score.mean()), abs=0.01)
    with pytest.raises(DesignError, match=r"loss: the tightest parts keep .*, not 1e-09"):
        allocate(DESIGN, limit=Limit("loss", 1e-9, of))


def test_a_file_of_a_task_is_read_as_it_was_written(tmp_path):
    for of in (task(), task("series", "software")):
        back = read_task(write_task(tmp_path / "t.npz", of))
        assert (back.objective, back.against) == (of.objective, of.against)
        for name in ("x", "y", "steps", "wanted"):
            np.testing.assert_array_equal(getattr(back, name), getattr(of, name))
    # Without y and steps: the software is wanted, at the last step.
    of = task()
    bare = {
        **network_arrays(of.network),
        "x": of.x,
        "objective": np.array("classes"),
        "against": np.array("software"),
    }
    found = read_task(write_archive(tmp_path / "bare.npz", bare))
    assert found.y is None
    np.testing.assert_allclose(found.wanted.sum(axis=-1), 1.0)
    assert losses(found, outputs(found.network, found.x))[0] == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"x": None}, "no array 'x'; write one with write_task"),
        ({"objective": np.array("words")}, "objective 'words'; known are classes, series"),
        ({"against": np.array("me")}, "against 'me'; known are data, software"),
        ({"y": None}, "there is no y; give what is wanted, or take against = 'software'"),
        ({"y": np.full(6, 0.5)}, "y holds float64 values; finite numbers are wanted, of classes whole ones"),
        ({"y": np.full(6, 7)}, "y has classes 7 to 7; the network tells 0 to 2"),
        ({"steps": np.array([3])}, "steps: classes are told at the last step, 9, alone"),
        ({"steps": np.array([3, 1])}, "steps: rising whole numbers are wanted"),
        ({"x": np.zeros((0, 10, 2))}, "none of them empty"),
        ({"0/theta": None}, "no array 'theta'"),
        ({"objective": np.array("series")}, "the network's readout is 'last'; for series 'every' is wanted"),
    ],
)
def test_a_file_that_is_no_task_says_why(tmp_path, changes, said):
    of = task()
    content = {
        **network_arrays(of.network),
        "x": of.x,
        "y": of.y,
        "objective": np.array("classes"),
        **changes,
    }
    path = write_archive(tmp_path / "t.npz", {name: a for name, a in content.items() if a is not None})
    with pytest.raises(DesignError, match=said):
        read_task(path)


def test_a_limit_of_a_loss_and_its_task_go_together(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(commented(DESIGN))
    assert run_command(["allocate", str(tmp_path / "d.toml"), "--loss", "0.1"]) == 2
    assert "--task and --loss go together" in capsys.readouterr().err
    with pytest.raises(DesignError, match="layer 0 has memories of order 3, the design has order 4"):
        task_first_order(DESIGN.replace(order=4), task())
