"""Figures of the experiments: one for each, of what is stored, with what was published beside ours."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure

from lmu_analog import cli
from lmu_analog.errors import DesignError
from lmu_analog.experiments import figures, frame
from lmu_analog.experiments.learning_plots import (
    KINDS,
    plot_capacity,
    plot_digits,
    plot_digits_loss,
    plot_learned_theta,
    plot_mackey_glass,
    plot_scale,
    plot_series_loss,
)
from lmu_analog.experiments.spiking_plots import plot_delay_network, plot_scaling, plot_spreads, plot_synapses
from lmu_analog.output import files


def stored(name: str) -> dict:
    return json.loads((frame.STORED / f"{name}.json").read_text("utf-8"))["result"]


def fresh():
    return Figure().subplots()


def drawn(ax, marker: str) -> np.ndarray:
    """Give x and y of everything that is drawn with a marker, (points, 2); what stands in the legend alone is not."""
    found = [line.get_xydata() for line in ax.get_lines() if line.get_marker() == marker]
    return np.concatenate([points for points in found if len(points)])


def said(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("name", frame.EXPERIMENTS)
def test_every_experiment_draws_its_stored_result(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.run_command(["experiment", name, "--stored", "--plot", "f.svg"]) == 0
    with_figure = capsys.readouterr().out
    assert cli.run_command(["experiment", name, "--stored"]) == 0
    assert capsys.readouterr().out == with_figure
    assert [path.name for path in tmp_path.iterdir()] == ["f.svg"]
    svg = (tmp_path / "f.svg").read_text("utf-8")
    assert svg.rstrip().endswith("</svg>")
    assert svg.count('<g id="axes_') == len(figures.FIGURES[name])


def test_the_table_has_a_figure_for_every_experiment():
    assert figures.FIGURES.keys() == frame.EXPERIMENTS.keys()


@pytest.mark.parametrize("name", figures.FIGURES)
def test_drawing_leaves_the_result_as_it_is(name):
    result = stored(name)
    before = copy.deepcopy(result)
    for key, plot, _ in figures.FIGURES[name]:
        assert key in result
        assert plot(result, ax := fresh()) is ax
    assert result == before


def test_published_errors_stand_beside_ours():
    result = stored("mackey-glass")
    points = drawn(plot_mackey_glass(result, fresh()), "D")
    assert points[:, 0].tolist() == [0.0487, 0.0587, 0.0447]  # LMU, LSTM, hybrid: experiments of keras-lmu
    ax = plot_delay_network(stored("delay-network"), fresh())
    assert drawn(ax, "D")[:, 0].tolist() == [0.012, 0.062, 0.128]
    ax = plot_spreads(stored("synapse-mismatch"), fresh())
    # The stored run draws what the published rerun drew: equal to all the digits that were published.
    np.testing.assert_allclose(drawn(ax, "D")[:, 1], drawn(ax, "o")[:, 1], atol=5e-5)
    ax = plot_synapses(stored("synapse-mismatch"), fresh())
    assert drawn(ax, "D")[:, 1].tolist() == [0.631, 0.0695, 0.01383]
    bars = {round(bar.get_x() + 0.5 * bar.get_width(), 9): bar.get_height() for bar in ax.patches}
    for place, height in drawn(ax, "D"):
        # As many digits as were published: three.
        assert bars[round(place, 9)] == pytest.approx(height, rel=2e-3)
    ax = plot_digits_loss(stored("hardware-loss"), fresh())
    (line,) = (line for line in ax.get_lines() if line.get_linestyle() == "--")
    assert list(line.get_ydata()) == [2.9, 2.9]
    assert any("no mismatch" in text.replace("\n", " ") for text in said(ax))


def test_every_seed_is_a_dot():
    result = stored("digits")
    dots = drawn(plot_digits(result, fresh()), "o")
    expected = [100.0 * a for name in ("lmu", "lstm", "feedforward") for a in result[name]["accuracy"]]
    assert sorted(dots[:, 0]) == pytest.approx(sorted(expected))
    result = stored("scale")
    lines = plot_scale(result, fresh()).get_lines()
    assert len(lines) == len(result["lmu"]["same"]) + len(result["lstm"]["same"])
    assert lines[0].get_ydata().tolist() == [result["lmu"][s][0] for s in ("half", "same", "double")]


def test_intervals_are_those_of_the_result():
    levels = stored("hardware-loss")["digits"]
    ax = plot_digits_loss(stored("hardware-loss"), fresh())
    bars = [c.lines[2][0] for c in ax.containers]  # of an errorbar, its bars
    ends = np.array([[segment[:, 1] for segment in one.get_segments()] for one in bars])
    expected = [[(row["loss"][k]["low"], row["loss"][k]["high"]) for row in levels.values()] for k in KINDS]
    np.testing.assert_allclose(ends, expected, atol=1e-9)  # points, from mean minus and plus half widths


def test_a_course_ends_at_what_was_found():
    result = stored("learned-theta")
    lines = plot_learned_theta(result, fresh()).get_lines()[:-1]
    for line, row in zip(lines, result["table"], strict=True):
        x, y = line.get_data()
        assert (x[0], y[0]) == (0, row["start"])
        assert (x[-1], y[-1]) == (result["steps"], row["theta"])


def test_a_part_of_the_stored_result_is_drawn_as_a_part(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.run_command(["experiment", "capacity", "--steps", "1000", "--stored", "--plot", "f.png"]) == 0
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")


def test_what_a_small_run_leaves_out_is_left_out(tmp_path):
    result = stored("hardware-loss")
    for row in result["digits"].values():
        del row["loss"]["cell"]  # --cells 0
        for one in row["loss"].values():
            one["low"] = one["high"] = None  # --seeds 1
    assert len(said(plot_digits_loss(result, fresh()))) == len(KINDS)  # the published one for the cell
    one = {"mackey-glass": result["mackey-glass"]}
    assert len(said(plot_series_loss(one, fresh()))) == len(KINDS) - 1
    del result["mackey-glass"]  # --series-seeds 0
    svg = figures.draw("hardware-loss", result, tmp_path / "f.svg").read_text("utf-8")
    assert svg.count('<g id="axes_') == 1
    result = stored("capacity")
    for row in result["table"]:
        row["lstm"] = None  # --epochs 0
    assert not any("LSTM" in text for text in said(plot_capacity(result, fresh())))
    result = stored("poisson-scaling")
    for found in (result["feedforward"], *result["recurrent"].values()):
        found["standard_error"] = [float("nan")] * len(found["neurons"])  # --trials 1
    assert len(said(plot_scaling(result, fresh()))) == 7


def test_a_wrong_file_is_refused_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.svg").mkdir()
    monkeypatch.setattr(frame, "execute", lambda *_: pytest.fail("ran"))
    wanted = "a file in an existing folder that ends in .svg, .png, .pdf is wanted"
    for file in ("f.gif", "f", "none/f.svg", "folder.svg"):
        assert cli.run_command(["experiment", "digits", "--plot", file]) == 2
        shown = capsys.readouterr()
        assert (shown.out, shown.err) == ("", f"lmu-analog: --plot {file}: {wanted}\n")
    assert [path.name for path in tmp_path.rglob("*")] == ["folder.svg"]


def test_an_experiment_without_a_figure_says_so(monkeypatch, capsys):
    monkeypatch.delitem(figures.FIGURES, "digits")
    assert cli.run_command(["experiment", "digits", "--stored", "--plot", "f.svg"]) == 2
    said_ = "lmu-analog: --plot: experiment digits has no figure; leave it out\n"
    assert capsys.readouterr() == ("", said_)


def test_a_full_disk_takes_the_figure_and_not_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Figure, "savefig", half)
    assert cli.run_command(["experiment", "digits", "--stored", "--plot", "f.svg"]) == 2
    shown = capsys.readouterr()
    assert "feed-forward" in shown.out  # what may have run for hours
    assert shown.err == "lmu-analog: --plot f.svg cannot be written: No space left on device\n"
    assert list(tmp_path.iterdir()) == []


def test_a_figure_appears_whole_or_not_at_all(tmp_path):
    path = tmp_path / "f.svg"
    path.write_text("before")
    with pytest.raises(DesignError, match=r"^plot=.*f\.svg cannot be written: No space left on device$"):
        files.write_figure(SimpleNamespace(savefig=lambda file, **_: half(None, file)), path)
    assert [p.read_text() for p in tmp_path.iterdir()] == ["before"]


def half(_, file, **options):
    """Fill the disk while a figure is written."""
    file.write_text("half a fig")
    raise OSError(28, "No space left on device")
