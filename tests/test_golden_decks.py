"""The decks of netlists/ are what the code writes, and ngspice runs them as a user would."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.analysis.certificate import checked
from lmu_analog.design import Design
from lmu_analog.memory import window
from lmu_analog.memory.proofs import PROOFS
from lmu_analog.output.decks import deck_text
from lmu_analog.simulation import simulate
from lmu_analog.spice.ngspice import named
from lmu_analog.spice.rawfile import read_raw
from lmu_analog.spice.readback import read_edited

FOLDER = Path(__file__).resolve().parents[1] / "netlists"
DESIGNS = sorted(path.stem for path in FOLDER.glob("*.toml"))
SAMPLED = "active-rc-cap-feedforward-6"
DECKS = [*((name, None, 0) for name in DESIGNS), (SAMPLED, 17, 1)]


def deck_path(name: str, sample: int | None) -> Path:
    return FOLDER / (f"{name}.cir" if sample is None else f"{name}-sample-{sample}.cir")


@pytest.mark.parametrize(("name", "sample", "seed"), DECKS)
def test_golden_decks_are_what_the_code_writes(name, sample, seed, update_golden):
    written = deck_text(Design.load(FOLDER / f"{name}.toml"), sample=sample, seed=seed).splitlines()
    path = deck_path(name, sample)
    wanted = path.read_text("utf-8").splitlines() if path.exists() else []
    if update_golden and not agree(plain(wanted), plain(written)):
        path.write_text("\n".join(written) + "\n", "utf-8")
        wanted = written
    assert [words(line) for line in plain(wanted)] == [words(line) for line in plain(written)]
    for line, again in zip(plain(wanted), plain(written), strict=True):
        np.testing.assert_allclose(numbers(again), numbers(line), rtol=DIGITS, err_msg=again)


# The last digits of inverses, eigenvalues and sines differ between processors: between OpenBLAS's kernels by up to
# 2e-12 over all families at orders up to 9 (benchmarks/bits.py). Lines and words do not.
DIGITS = 1e-9
NUMBER = r"(?<![A-Za-z_0-9])-?\d+\.?\d*(?:e[+-]?\d+)?"


def plain(lines: list[str]) -> list[str]:
    """Leave out checksums, which last digits change; that they are those of their own deck is tested below."""
    return [line for line in lines if not line.startswith("* checksums")]


def words(line: str) -> str:
    return re.sub(NUMBER, "#", line)


def numbers(line: str) -> list[float]:
    return [float(n) for n in re.findall(NUMBER, line)]


def agree(wanted: list[str], written: list[str]) -> bool:
    """Tell whether a deck is the same but for last digits, so that an update leaves it alone."""
    return len(wanted) == len(written) and all(
        words(a) == words(b) and np.allclose(numbers(a), numbers(b), rtol=DIGITS, atol=0.0)
        for a, b in zip(wanted, written, strict=True)
    )


@pytest.mark.parametrize(("name", "sample", "seed"), DECKS)
def test_golden_decks_are_what_they_claim(name, sample, seed):
    found = checked(read_edited(deck_path(name, sample).read_text("utf-8")))
    assert found.claim.checksums
    assert found.claim.proofs == PROOFS
    assert found.broken == ()


@pytest.mark.ngspice
@pytest.mark.parametrize(("name", "sample", "seed"), DECKS)
def test_golden_decks_run_by_hand_and_measure_the_window(name, sample, seed, tmp_path):
    """Run the program, and work out the window error from the deck's own comments and the raw file alone."""
    shutil.copy(deck_path(name, sample), tmp_path / "deck.cir")
    subprocess.run(
        ["ngspice", "-b", "-r", "out.raw", "deck.cir"], cwd=tmp_path, check=True, capture_output=True
    )
    text = (tmp_path / "deck.cir").read_text()
    vectors = named(read_raw(tmp_path / "out.raw"))
    theta = float(re.search(r"^\* theta = (.*)$", text, re.MULTILINE)[1])
    probes = re.findall(r"^\* probe m\d+ = (.*)$", text, re.MULTILINE)
    states = np.stack(
        [sum(float(f) * vectors[v] for f, v in re.findall(TERM, p.replace("- ", "-"))) for p in probes]
    )
    error = measured(vectors["time"], vectors["v(u)"], states, theta, Design.load(FOLDER / f"{name}.toml"))
    if sample is None:
        expected = float(simulate(Design.load(FOLDER / f"{name}.toml")).window_nrmse)
        # ngspice's step error (1e-4), and 2e-4 for linear interpolation of u between its steps.
        assert error == pytest.approx(expected, abs=5e-4)
    else:
        assert 0.0 < error < 0.5


TERM = r"(-?[0-9.e+-]+)\*([vi]\(\w+\))"


def measured(time: np.ndarray, u: np.ndarray, states: np.ndarray, theta: float, design: Design) -> float:
    """Window NRMSE over the last period, from time series alone."""
    period = design.stimulus.period
    at = time[-1] - period + period * np.arange(2000) / 2000
    estimate = np.stack([np.interp(at, time, m) for m in states], axis=-1)
    truth = np.interp(at[:, None] - theta * window.QUADRATURE.r, time, u)
    rms = np.sqrt(np.mean(np.interp(at, time, u) ** 2))
    return float(window.window_nrmse(window.time_profile(estimate, truth, rms)))
