"""Runs of ngspice that take long are said beforehand and show how far they are; slow memories are none of them."""

import re

import pytest

from lmu_analog import simulation
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.output.progress import shares
from lmu_analog.simulation import long_run, simulate
from lmu_analog.spice import ngspice
from lmu_analog.spice.worker import Worker, tell


@pytest.mark.ngspice
@pytest.mark.parametrize(
    "design", [Design(order=3, theta=1e6), Design(order=3, theta=1e6, family="passive-rlc")]
)
def test_a_window_of_days_takes_ngspice_no_more_steps_than_one_of_milliseconds(design, monkeypatch):
    # Without trtol ngspice takes 2.6 s at most for a step: 17 million of them, some minutes.
    found, run, told = [], ngspice.run, []

    def kept(*arguments, **options):
        found.append(run(*arguments, **options))
        return found[-1]

    monkeypatch.setattr(ngspice, "run", kept)
    result = simulate(design, engine="ngspice", progress=told.append)
    assert len(found[0]["time"]) < 30_000
    # The bound of the two engines where nothing clips is 1e-3 relative; here ngspice's steps make 1e-6.
    assert float(result.window_nrmse) == pytest.approx(float(simulate(design).window_nrmse), rel=1e-4)
    assert told == sorted(told)
    assert all(0.0 <= share <= 1.0 for share in told)
    assert long_run(design) is None


def test_a_long_run_says_its_steps_and_time():
    many = Design(
        order=24, theta="1 ms", bandwidth="300 Hz", realization="legendre", opamp={"gain": 1e6, "gbw": 1e8}
    )
    line = long_run(many)
    assert line is not None
    assert re.match(
        r"ngspice takes about [\d.e+]+ time steps, some [\d.]+ (s|min|h); --engine exact takes seconds", line
    )
    assert "in each of 1000 runs" in (long_run(many, runs=1000, workers=2) or "")


@pytest.mark.ngspice
def test_the_command_says_it_before_the_work(tmp_path, monkeypatch, capsys):
    (tmp_path / "d.toml").write_text("[memory]\norder = 2\ntheta = '1 ms'\n")
    monkeypatch.setattr(simulation, "LONG", 0.0)

    def stopped(*_, **__):
        raise SimulationError("stopped here")

    monkeypatch.setattr(simulation, "ngspice_outputs", stopped)
    assert run_command(["simulate", str(tmp_path / "d.toml"), "--engine", "ngspice"]) == 1
    assert re.fullmatch(
        r"ngspice takes about .* time steps, some .* stay linear\nlmu-analog: stopped here\n",
        capsys.readouterr().err,
    )


@pytest.mark.ngspice
def test_a_result_carries_the_warning(monkeypatch):
    monkeypatch.setattr(simulation, "LONG", 0.0)
    result = simulate(Design(order=2, theta="1 ms"), engine="ngspice")
    assert any(line.startswith("ngspice takes about") for line in result.attrs["warnings"])


def tells(shares):
    for share in shares:
        tell.told = 0.0  # else it is told five times a second at most
        tell(share)
    return "done"


def test_a_worker_tells_how_far_it_is_to_whoever_asked():
    told = []
    with Worker() as worker:
        assert worker.call(tells, ([0.25, 0.5],), timeout=60.0, progress=told.append) == "done"
        assert worker.call(tells, ([0.75],), timeout=60.0) == "done"
    assert told == [0.25, 0.5]


def test_shares_move_a_bar_to_its_end_and_not_back():
    moved = []
    move = shares(moved.append, 20.0)
    for share in (0.25, 0.2, 0.75, 1.0, 1.0):
        move(share)
    assert moved == [5.0, 10.0, 5.0]
