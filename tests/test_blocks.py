"""Equal input, equal output: a sample's bits do not depend on which other samples are wanted."""

import json
from collections import Counter

import numpy as np
import pytest

from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles import exact, nonlinear
from lmu_analog.ensembles.blocks import joined, whole_blocks
from lmu_analog.ensembles.exact import block_size, exact_chunk
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.nonlinear import nonlinear_block_size, nonlinear_chunk
from lmu_analog.output.design_text import commented
from lmu_analog.storage.results import Results

OPAMP = {"gain": "100 dB", "gbw": "10 MHz"}
MISMATCH = {"resistor": "3 %", "capacitor": "3 %", "opamp": "3 %"}
TONES = Design(order=2, theta="1 ms", opamp=OPAMP, headroom="60 %", mismatch=MISMATCH)
STEP = TONES.replace(signal="step")
DESIGNS = pytest.mark.parametrize("design", [TONES, STEP], ids=["tones", "recording"])


def test_blocks_begin_at_fixed_numbers_and_are_whole():
    assert whole_blocks(range(3, 4), 8) == [range(8)]
    assert whole_blocks(range(7, 17), 8) == [range(8), range(8, 16), range(16, 24)]
    assert whole_blocks(range(8, 16), 8) == [range(8, 16)]


def test_joined_blocks_are_cut_to_the_samples_that_are_wanted():
    def block(start: int) -> Results:
        k = np.arange(start, start + 8)
        return Results(start, k[:, None] + [0.0, 0.5], 2.0 * k, np.int8(k % 3), given=np.int8(k % 5))

    found = joined([block(8), block(16)], range(11, 21))
    wanted = np.arange(11, 21)
    np.testing.assert_array_equal(found.samples, wanted)
    np.testing.assert_array_equal(found.profile, wanted[:, None] + [0.0, 0.5])
    np.testing.assert_array_equal(found.window_nrmse, 2.0 * wanted)
    np.testing.assert_array_equal(found.status, wanted % 3)
    np.testing.assert_array_equal(found.reason, wanted % 5)


@pytest.mark.parametrize(
    ("engine", "design", "most"),
    [
        ("exact", TONES, 5000),
        ("exact", STEP, 5000),
        # 100 samples are more than one block of the nonlinear engine, as 5000 are of the exact one.
        ("nonlinear", TONES, 100),
        ("nonlinear", STEP, 100),
    ],
    ids=["exact-tones", "exact-recording", "nonlinear-tones", "nonlinear-recording"],
)
def test_a_row_is_the_same_in_runs_of_any_size_resumed_or_not(engine, design, most, tmp_path):
    whole = monte_carlo(design, most, engine=engine, workers=1)
    few = _fresh(lambda: monte_carlo(design, 3, engine=engine, workers=1))
    store = tmp_path / "run.zarr"
    _fresh(lambda: monte_carlo(design, 3, engine=engine, store=store, workers=1))
    more = _fresh(lambda: monte_carlo(design, 12, engine=engine, store=store, resumed=True, workers=1))
    assert np.isfinite(whole.window_nrmse[:12]).all()
    for run in (few, more):
        for name in ("window_nrmse", "profile", "status", "reason"):
            np.testing.assert_array_equal(run[name], whole[name][: run.sizes["sample"]])


@DESIGNS
def test_simulate_gives_the_row_of_the_run(design, tmp_path, capsys):
    path = tmp_path / "design.toml"
    path.write_text(commented(design))
    assert run_command(["simulate", str(path), "--sample", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["window_nrmse"]
    assert shown == float(monte_carlo(Design.load(path), 3, workers=1).window_nrmse[2])


@pytest.mark.ngspice
def test_in_ngspice_too_simulate_gives_the_row_of_the_run(tmp_path, capsys):
    path = tmp_path / "design.toml"
    path.write_text(commented(TONES.replace(order=1)))
    assert run_command(["simulate", str(path), "--sample", "1", "--engine", "ngspice", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)["window_nrmse"]
    assert shown == float(monte_carlo(Design.load(path), 2, engine="ngspice", workers=1).window_nrmse[1])


@DESIGNS
@pytest.mark.parametrize("chunk", [exact_chunk, nonlinear_chunk])
def test_the_arithmetic_meets_the_shapes_of_whole_blocks(chunk, design, monkeypatch):
    """BLAS takes other kernels for other shapes, so equal shapes are what equal bits can rest on."""
    size = block_size(design) if chunk is exact_chunk else nonlinear_block_size(design)
    shapes = Counter()

    def spied(of):
        def spy(*arrays, **options):
            shapes.update([(of.__name__, *(np.shape(a) for a in arrays))])
            return of(*arrays, **options)

        return spy

    monkeypatch.setattr(np, "einsum", spied(np.einsum))
    for name in ("solve", "inv", "eigvals"):
        monkeypatch.setattr(np.linalg, name, spied(getattr(np.linalg, name)))
    handed = []
    for module, function in ((exact, "_solved"), (nonlinear, "_profiles"), (nonlinear, "recorded_profiles")):
        monkeypatch.setattr(module, function, _counting(getattr(module, function), handed))
    seen = []
    for samples in (range(1), range(3), range(size - 1, size), range(size)):
        shapes.clear()
        handed.clear()
        _fresh(lambda stretch=samples: chunk(design, 0, stretch))
        seen.append((Counter(shapes), list(handed)))
    assert all(found == seen[0] for found in seen)
    assert size in seen[0][1]
    assert all(count % size == 0 for count in seen[0][1])


def _counting(function, handed):
    def counting(given, values, *rest, **options):
        handed.append(len(values))
        return function(given, values, *rest, **options)

    return counting


def _fresh(compute):
    """Compute with blocks that are not remembered from before."""
    nonlinear._block.cache_clear()
    nonlinear._linear_block.cache_clear()
    return compute()
