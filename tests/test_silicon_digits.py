"""Digits by transistors: states of images from steps, and what the stored run claims."""

import numpy as np
import pytest

from lmu_analog.errors import DesignError
from lmu_analog.experiments import frame, silicon_digits
from lmu_analog.experiments.silicon_cells import Subject
from lmu_analog.networks.cell import Memory

STEPS, MEMORIES, ORDER = 8, 3, 3


def test_states_of_images_are_what_their_steps_leave() -> None:
    rng = np.random.default_rng(0)
    images = rng.random((5, STEPS, MEMORIES))
    mixed = np.eye(ORDER) + 0.3 * rng.standard_normal((ORDER, ORDER))
    subject = Subject({"test": images}, {"test": np.zeros(5, int)}, mixed)
    # What a step leaves, of an ideal memory: its answer to one step alone.
    left = Memory(ORDER, float(STEPS)).run(np.eye(STEPS))[:, -1] @ np.linalg.inv(mixed).T
    steps = np.repeat(left[None], MEMORIES, axis=0)
    np.testing.assert_allclose(subject.states("test", steps), subject.ideal("test"), atol=1e-12)
    many = subject.states("test", np.stack([steps, 2.0 * steps]))
    np.testing.assert_allclose(many[1], 2.0 * many[0], atol=1e-12)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"chips": 0}, "chips=0: at least one is wanted"),
        ({"images": -1}, "images=-1: none or more are wanted"),
    ],
)
def test_numbers_that_make_no_sense_are_one_line(given: dict[str, int], said: str) -> None:
    with pytest.raises(DesignError, match=said):
        silicon_digits.Options(**given)


def test_the_stored_run_is_consistent() -> None:
    result = frame.stored("silicon-digits")["result"]
    software = result["software"]["test"]
    assert result["chips"] >= 200
    for key in ("built", "trimmed", "calibrated"):
        row = result[key]
        assert len(row["accuracy"]) == result["chips"]
        assert row["median"] == pytest.approx(np.median(row["accuracy"]))
        assert row["worst"] == min(row["accuracy"])
    # A nominal chip does what it was drawn for; a trim and a calibration win back what mismatch and process take.
    assert abs(result["nominal"] - software) < 1.5
    assert result["built"]["mean"] < result["trimmed"]["mean"] < result["calibrated"]["mean"]
    power, time = result["cost"]["uw"], result["cost"]["seconds"]
    assert result["cost"]["nj"] == pytest.approx(1e3 * power * time)
    for row in result.get("ngspice", {}).values():
        assert row["same"] == row["images"]
        assert row["uw"] == pytest.approx(power, rel=0.1)  # tails are mirrors, of finite output resistance
