"""Tolerances for what a network does: a small run, and what the stored one must show."""

import numpy as np
import pytest

from lmu_analog.errors import DesignError
from lmu_analog.experiments import frame, task_tolerances
from lmu_analog.networks.learning import tasks
from lmu_analog.networks.learning.data import Data
from lmu_analog.networks.learning.initial import initial
from lmu_analog.networks.network import DenseLayer, LMULayer, Network, with_weights
from lmu_analog.networks.weights import network_to_npz


def test_a_short_run_has_every_figure(monkeypatch, tmp_path):
    """On a network of order 3 that was not trained, and noise."""
    network = Network(1, (LMULayer(4, 3, 64.0), DenseLayer(10)))
    network_to_npz(tmp_path / "digits-network.npz", with_weights(network, initial(network)))
    rng = np.random.default_rng(0)
    part = Data(rng.random((6, 64, 1)), rng.integers(0, 10, 6))
    monkeypatch.setattr(tasks, "digits", lambda seed: tasks.Task(part, part, part))  # noqa: ARG005
    for name, small in (("STORED", tmp_path), ("ORDER", 3), ("SCANNED", 4)):
        monkeypatch.setattr(task_tolerances, name, small)
    monkeypatch.setattr(task_tolerances, "STRUCTURES", (("active-rc", "ladder"),))
    options = task_tolerances.Options((5e-6, 1.0), (0.01,), (), 5e-6, 20, 20)
    found = task_tolerances.run(options, frame.silent)
    assert [row["against"] for row in found["law"]] == ["software", "data"]
    # A limit that the cheapest parts keep says nothing.
    assert {row["limit"] for row in found["tolerances"]} == {5e-6}
    assert [row["way"] for row in found["tolerances"]] == ["task", "nrmse", "uniform"]
    (saving,) = task_tolerances.savings(found)
    assert saving["task"] <= min(saving["nrmse"], saving["uniform"])
    assert all(row["law_p95"] <= 5e-6 * (1.0 + 1e-9) for row in found["tolerances"])
    assert found["orders"][0]["cost"] == saving["task"]
    header, rows = task_tolerances.rows(found)
    assert {len(row) for row in rows} == {len(header)}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"circuits": 3}, "circuits=3: at least 20 are wanted"),
        ({"limits": ()}, "limits=: positive numbers"),
        ({"tolerances": (1.5,)}, "tolerances=: fractions between 0 and 1"),
    ],
)
def test_options_that_cannot_be_are_refused(given, words):
    with pytest.raises(DesignError, match=words):
        task_tolerances.Options(**given)


def test_the_stored_run_shows_the_same_accuracy_for_less():
    result = frame.stored("task-tolerances")["result"]
    for row in task_tolerances.savings(result):
        assert min(row["nrmse"], row["uniform"]) > 1.05 * row["task"]
    for row in result["tolerances"]:
        low, high = row["more_than_task"]["low"], row["more_than_task"]["high"]
        if row["way"] == "nrmse":  # the same accuracy, within its interval
            assert low <= 0.0 <= high
        assert high < 0.0025  # no way is a quarter of a point better
        # Of 100 circuits sigma of the 95th percentile of a loss is about 10 %.
        if row["way"] == "task":
            assert row["law_p95"] / row["exact_p95"] == pytest.approx(1.0, abs=0.2)
    # Against the software the law is that of circuits, as far as 200 of them tell.
    for row in result["law"]:
        if row["against"] == "software":
            low, high = row["exact_p95_interval"]
            assert low < row["law_p95"] < high
