"""A recording of a built circuit is scored as a simulation is, and what a build does to it is found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.analysis.bench import analyze
from lmu_analog.analysis.measurement import read_measurement
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.ensembles.sampling import planned_circuit
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.window import readout
from lmu_analog.simulation import Grid, exact_states, ngspice_task, settling, simulate
from lmu_analog.spice import ngspice
from lmu_analog.stimulus import Recording

DESIGN = Design(order=3, theta="1 ms", bandwidth="300 Hz", opamp="OPA2192", mismatch={"resistor": "1 %"})
TEXT = (
    '[memory]\norder = 3\ntheta = "1 ms"\n[signal]\nbandwidth = "300 Hz"\n'
    '[circuit]\nopamp = "OPA2192"\n[mismatch]\nresistor = "1 %"\n'
)
RATE = 1e5  # Hz, 100 points in theta: cubics between them are within 1e-7 of a 300 Hz tone


def write_csv(path, columns):
    table = np.column_stack(list(columns.values()))
    np.savetxt(path, table, delimiter=",", header=",".join(columns), comments="", fmt="%.17g")
    return path


def recorded(system, *, windows=60.0, stimulus=DESIGN.stimulus):
    """Record the states of a system from rest, as a data logger would."""
    time = np.arange(0.0, windows * DESIGN.theta, 1.0 / RATE)
    drive = stimulus(time)
    states = exact_states(system, Grid(Recording(1.0 / RATE, drive), time, drive))
    return time, drive, states


def as_columns(time, drive, states):
    return {"time": time, "input": drive, **{f"m{i}": m for i, m in enumerate(states.T)}}


@pytest.mark.ngspice
def test_a_decks_ngspice_output_scores_as_simulate_does(tmp_path):
    circuit = build(DESIGN)
    settle = settling(extract(circuit), DESIGN.theta)
    analysis, text, _ = ngspice_task(circuit, DESIGN.stimulus, settle=settle)
    vectors = ngspice.run(text, analysis)
    fresh = np.concatenate([[True], np.diff(vectors["time"]) > 0.0])
    path = write_csv(tmp_path / "m.csv", {name: values[fresh] for name, values in vectors.items()})
    result = analyze(DESIGN, read_measurement(path, circuit), circuit=circuit)
    expected = simulate(DESIGN, engine="ngspice")
    # The same waveforms over the same period; only the points at which errors are averaged differ.
    assert float(result.nrmse) == pytest.approx(float(expected.window_nrmse), rel=1e-6)
    np.testing.assert_allclose(result.profile, expected.profile, rtol=1e-4)
    # ngspice wrote the input at its own steps; straight lines between them are 1e-5 off.
    assert float(result.simulated_nrmse) == pytest.approx(float(simulate(DESIGN).window_nrmse), rel=1e-4)
    assert float(result.truncation_nrmse) == pytest.approx(float(expected.truncation_nrmse), rel=1e-4)


def test_theta_gain_and_offsets_of_a_build_are_found(tmp_path):
    theta, gain, offset = 1.03 * DESIGN.theta, 0.97, np.array([2e-3, -1e-3, 5e-4])
    time, drive, states = recorded(legendre(3, theta))
    path = write_csv(tmp_path / "m.csv", as_columns(time, drive, gain * states + offset))
    circuit = build(DESIGN)
    result = analyze(DESIGN, read_measurement(path, circuit), circuit=circuit)
    # The recording is the model; what is left is the cubic between points of it.
    assert float(result.theta) == pytest.approx(theta, rel=1e-6)
    assert float(result.gain) == pytest.approx(gain, rel=1e-6)
    np.testing.assert_allclose(result.offset, offset, atol=1e-7)
    # Without them only truncation is left, at a window 3 % longer: (300 Hz theta)^3 grows by 9 %.
    assert float(result.corrected_nrmse) < 1.15 * float(result.truncation_nrmse) < float(result.nrmse)
    assert result.attrs["warnings"] == []


def test_a_delay_line_measured_at_taps_gives_its_delays(tmp_path):
    time, drive, states = recorded(legendre(3, DESIGN.theta))
    r = np.array([0.25, 0.5, 1.0])
    late = np.stack([DESIGN.stimulus(time - 1.1 * DESIGN.theta * k) for k in r], axis=-1)
    path = write_csv(
        tmp_path / "t.csv",
        {"t": time, "input (V)": drive, **{f"r={k:g}": column for k, column in zip(r, late.T, strict=True)}},
    )
    circuit = build(DESIGN)
    result = analyze(DESIGN, read_measurement(path, circuit), circuit=circuit)
    assert result.attrs["kind"] == "taps"
    # Pure delays 10 % too long: that is what is found, and nothing is left without it.
    assert float(result.theta) == pytest.approx(1.1 * DESIGN.theta, rel=1e-6)
    assert float(result.corrected_nrmse) < 1e-6
    assert list(result.delay.values) == list(r)
    window = states @ readout(3, r).T
    late = np.stack([DESIGN.stimulus(time - DESIGN.theta * k) for k in r], axis=-1)
    last = time > time[-1] - DESIGN.stimulus.period
    rms = np.sqrt(np.mean(DESIGN.stimulus(time[last]) ** 2))
    expected = np.sqrt(np.mean((window[last] - late[last]) ** 2)) / rms
    # Straight averages over one period, one with a sample more than the other.
    assert float(result.truncation_nrmse) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_a_circuits_own_taps_are_scored_by_their_nets(tmp_path, family):
    """What a recorder sees of a mismatch sample: nets, or both of a pair, with their gains."""
    design = DESIGN.replace(family=family, taps=[1.0, {"r": 0.5, "gain": 2.0}])
    sample, circuit = planned_circuit(design, seed=0, index=2), build(design)
    terms = [t for tap in sample.taps for t in tap.terms]
    seen = replace(sample, probes=tuple((replace(t, factor=1.0),) for t in terms), taps=())
    time, drive, volts = recorded(extract(seen))
    columns = {"time": time, "input": drive, **{f"v({t.of})": v for t, v in zip(terms, volts.T, strict=True)}}
    measurement = read_measurement(write_csv(tmp_path / "m.csv", columns), circuit)
    assert measurement.names == ("r=1", "r=0.5")
    result = analyze(design, measurement, circuit=circuit)
    # The recording is of straight lines between its samples, 3e-5 of a 300 Hz tone.
    expected = simulate(design, circuit=sample).tap_nrmse.values
    np.testing.assert_allclose(result.profile, expected, atol=3e-5)
    np.testing.assert_allclose(result.simulated_profile, simulate(design).tap_nrmse.values, atol=3e-5)
    # Beside it stand the circuit's own taps, which are not what an ideal readout of its states would be.
    alone = analyze(design, measurement, circuit=sample)
    assert float(alone.difference_nrmse) < 1e-6
    read_off = analyze(design, replace(measurement, outputs=()), circuit=sample)
    assert float(read_off.difference_nrmse) > 1e-4
    del columns["input"]
    with pytest.raises(DesignError, match="no column 'input'"):
        read_measurement(write_csv(tmp_path / "m.csv", columns), circuit)
    states = {**as_columns(*recorded(extract(sample))), f"v({terms[0].of})": volts[:, 0]}
    assert read_measurement(write_csv(tmp_path / "m.csv", states), circuit).kind == "states"


def test_a_mismatch_sample_measured_is_that_sample_simulated(tmp_path):
    sample = planned_circuit(DESIGN, seed=3, index=7, sampling="random")
    path = write_csv(tmp_path / "m.csv", as_columns(*recorded(extract(sample))))
    result = analyze(DESIGN, read_measurement(path, sample), circuit=sample)
    assert float(result.difference_nrmse) < 1e-6  # cubics between the recording's points
    run = monte_carlo(DESIGN, 8, 3)
    # The recording is of straight lines between its samples, 3e-5 of a 300 Hz tone, beside an error of 1.6e-2.
    assert float(result.nrmse) == pytest.approx(float(run.window_nrmse[7]), rel=2e-3)


def test_a_step_is_scored_from_rest_and_whole(tmp_path):
    design = DESIGN.replace(signal="step")
    time, drive, states = recorded(legendre(3, 1e-3), windows=5.0, stimulus=design.stimulus)
    path = write_csv(tmp_path / "m.csv", as_columns(time, drive, states))
    circuit = build(design)
    result = analyze(design, read_measurement(path, circuit), circuit=circuit)
    # A step has an infinite band: 1/sqrt(points) of the jump in either average.
    assert float(result.nrmse) == pytest.approx(float(simulate(design).window_nrmse), rel=0.05)
    assert float(result.time[0]) == 0.0


def test_the_command_says_where_a_board_stands_in_its_ensemble(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(TEXT)
    run = monte_carlo(Design.load("d.toml"), 64, 1, store=tmp_path / "run.zarr")
    errors = run.window_nrmse.values
    sample = planned_circuit(DESIGN, seed=1, index=int(np.argsort(errors)[40]), sampling="random")
    write_csv(tmp_path / "m.csv", as_columns(*recorded(extract(sample))))
    command = ["analyze", "d.toml", "--measured", "m.csv", "--run", "run.zarr"]
    assert run_command([*command, "--json", "--plot", "m.svg"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["ensemble"]["samples"] == 64
    # The recording's straight lines are worth up to 2e-3 of the error, and so a few neighbours.
    assert content["ensemble"]["percentile"] == pytest.approx(100.0 * 40 / 64, abs=4 * 100.0 / 64)
    assert content["window_nrmse"] == content["nrmse"] == pytest.approx(np.sort(errors)[40], rel=2e-3)
    assert set(content["offset"]) == {"m0", "m1", "m2"}
    assert content["theta"]["ratio"] == pytest.approx(1.0, abs=0.05)
    assert (tmp_path / "m.svg").read_text().startswith("<?xml")
    assert run_command(command) == 0
    assert "of 64 circuits of the ensemble are better" in capsys.readouterr().out
    (tmp_path / "e.toml").write_text(TEXT.replace("300 Hz", "200 Hz"))
    assert run_command(["analyze", "e.toml", *command[2:]]) == 2
    assert "is of another design" in capsys.readouterr().err


GOOD_ROWS = "0,0.1,0,0,0\n1e-3,0.2,0,0,0\n"
HEADER = "time,input,m0,m1,m2\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "m.csv: no rows of numbers; give a header and rows of numbers: time, input, and states"),
        (GOOD_ROWS, "m.csv, line 1: no header; name the columns, for example time,input,m0,m1"),
        (HEADER + "0,0.1,0,0,0\n1,abc,0,0,0\n", "m.csv, line 3: 'abc' is not a number"),
        (HEADER + "0,0.1,0,0,0\n1,nan,0,0,0\n", "m.csv, line 3: 'nan' is not finite"),
        (
            HEADER + "0,0.1,0,0\n",
            "m.csv, line 1: 5 names ('time,input,m0,m1,m2'), and the rows below have 4 numbers",
        ),
        (HEADER + "1,0.1,0,0,0\n1,0,0,0,0\n", "m.csv, line 3: time does not rise"),
        (HEADER + "0,0,0,0,0\n1,0,0,0,0\n", "m.csv, column 'input': zero throughout"),
        (HEADER + "0,1,0,0,0\n", "m.csv: 1 rows of data; give at least two rows"),
        ("time,input,m0,m2,m2\n" + GOOD_ROWS, "m.csv: two columns are called 'm2'"),
        ("time,input,m0,m1,m3\n" + GOOD_ROWS, "m.csv: no column 'm2'; all of m0, m1, m2 are wanted"),
        ("time,input,v(x0),v(x1),v(y)\n" + GOOD_ROWS, "m.csv: no column 'v(x2)'; all of v(x0), v(x1), v(x2)"),
        ("when,input,m0,m1,m2\n" + GOOD_ROWS, "m.csv: column 'when' is not called time"),
        ("time,u0,m0,m1,m2\n" + GOOD_ROWS, "m.csv: no column 'input'"),
        (
            "time [furlong],input,m0,m1,m2\n" + GOOD_ROWS,
            "m.csv: column 'time [furlong]' is in 'furlong'; give s,",
        ),
        (
            "time,input (Pa),m0,m1,m2\n" + GOOD_ROWS,
            "m.csv: column 'input (Pa)' is in 'Pa'; give V, mV, uV, nV",
        ),
        ("time,input,r=0.5,r=1.5,r=1\n" + GOOD_ROWS, "m.csv, column 'r=1.5': a place in the window"),
        ("time,input,r=0.5,m0,m1\n" + GOOD_ROWS, "m.csv: column 'm0' beside taps"),
    ],
)
def test_a_malformed_file_gives_one_line_that_names_the_place(
    content, message, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text(TEXT)
    (tmp_path / "m.csv").write_text(content)
    assert run_command(["analyze", "d.toml", "--measured", "m.csv"]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert (shown.out, shown.err.count("\n")) == ("", 1)


def test_a_recording_shorter_than_its_start_is_refused(tmp_path):
    path = write_csv(tmp_path / "m.csv", as_columns(*recorded(legendre(3, 1e-3), windows=2.0)))
    circuit = build(DESIGN)
    with pytest.raises(DesignError, match=r"lasts 0\.00199 s, of which 0\.00\d+ s are left out at the start"):
        analyze(DESIGN, read_measurement(path, circuit), circuit=circuit)
    assert analyze(DESIGN, read_measurement(path, circuit), circuit=circuit, skip=1e-3).nrmse > 0.0


def test_a_file_in_other_units_and_names_scores_the_same(tmp_path):
    circuit = build(DESIGN)
    columns = as_columns(*recorded(extract(circuit), windows=20.0))
    plain = read_measurement(write_csv(tmp_path / "plain.csv", columns), circuit)
    lines = ["Time;CH1;m0;m1;m2", "(ms);(mV);V;(mV);V"]
    for t, u, m0, m1, m2 in zip(*columns.values(), strict=True):
        lines.append(";".join(f"{x:.17g}".replace(".", ",") for x in (1e3 * t, 1e3 * u, m0, 1e3 * m1, m2)))
    path = tmp_path / "scope.csv"
    path.write_bytes("\r\n".join(lines).encode("utf-16"))
    found = read_measurement(path, circuit, column="CH1")
    for name in ("time", "input", "values"):
        # A product and a quotient round once each.
        np.testing.assert_allclose(getattr(found, name), getattr(plain, name), rtol=1e-15, atol=1e-18)
    with pytest.raises(
        DesignError, match=r"scope\.csv: no column 'input'; columns are .*, or choose it with column=$"
    ):
        read_measurement(path, circuit)
