"""What a calibration keeps is what it found: read again, it gives the same circuits and readouts."""

import json

import numpy as np
import pytest
from scipy.special import eval_sh_legendre

from lmu_analog.analysis.bench import analyze
from lmu_analog.analysis.calibration import calibrate, calibrate_and_keep
from lmu_analog.analysis.calibration_file import (
    calibrated_circuit,
    calibration_text,
    correction_of,
    method_of,
    opened,
    read_calibration,
)
from lmu_analog.analysis.measurement import read_measurement
from lmu_analog.analysis.recipes import Settings
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import planned_circuit
from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.export.readout import readout
from lmu_analog.simulation import Grid, exact_states
from lmu_analog.stimulus import Recording

TEXT = (
    '[memory]\norder = 4\ntheta = "1 ms"\n[signal]\nbandwidth = "400 Hz"\n[circuit]\nopamp = "OPA2192"\n'
    '[mismatch]\nresistor = "2 %"\ncapacitor = "2 %"\nopamp = "5 %"\n'
)
DESIGN = Design(
    order=4,
    theta="1 ms",
    bandwidth="400 Hz",
    opamp="OPA2192",
    mismatch={"resistor": "2 %", "capacitor": "2 %", "opamp": "5 %"},
)
SYNAPSES = DESIGN.replace(
    family="rc-synapse",
    realization="principle3",
    mismatch={"tau": {"tolerance": "30 %", "distribution": "lognormal"}},
)
SEED, SAMPLES = 3, 4
SETTINGS = Settings(bits=5, trim_bits=8)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Calibrate by all methods, and write the file; give what was left, and its path."""
    found, kept = calibrate_and_keep(DESIGN, SAMPLES, SEED, settings=SETTINGS)
    path = tmp_path_factory.mktemp("calibration") / "calibration.json"
    path.write_text(calibration_text(DESIGN, kept, samples=SAMPLES, seed=SEED))
    return found, path


def window_error(circuit, coefficients, design, offset=None):
    """Work the window NRMSE of a circuit's steady state out, read by its coefficients, at 60 points of the window."""
    tones, system = design.stimulus, extract(circuit)
    rule = window.gauss_legendre(60)
    phasor = frequency_response(system, tones.frequency) * tones.phasor[:, None]
    ideal = np.exp(-2j * np.pi * design.theta * np.outer(tones.frequency, rule.r)) * tones.phasor[:, None]
    rows = np.stack([eval_sh_legendre(i, rule.r) for i in range(len(coefficients))], axis=-1) @ coefficients
    power = 0.5 * np.sum(np.abs(phasor @ rows.T - ideal) ** 2, axis=0)
    rest = system.offset if offset is None else system.offset - offset
    power = power + (rows @ rest) ** 2
    return np.sqrt(rule.weight @ power / (0.5 * np.sum(np.abs(tones.phasor) ** 2)))


def test_keeping_changes_no_figure(kept):
    found, _ = kept
    again = calibrate(DESIGN, SAMPLES, SEED, settings=SETTINGS)
    assert found.identical(again)


@pytest.mark.parametrize("method", ["theta", "trim", "exact-k", "dac"])
def test_circuits_set_as_the_file_says_have_the_errors_that_calibration_found(kept, method):
    found, path = kept
    calibration = opened(path, DESIGN)
    for k in range(SAMPLES):
        circuit = calibrated_circuit(calibration, method, k)
        error = window_error(circuit, np.eye(4), DESIGN)
        # Another quadrature, and sums in another order; settings are written with all digits.
        assert error == pytest.approx(float(found.window_nrmse.sel(calibration=method)[k]), rel=1e-6)


def test_weights_that_make_up_for_time_constants_are_kept():
    found, kept = calibrate_and_keep(SYNAPSES, 2, 0, methods=("tau",))
    assert set(kept) == {"tau"}
    names = [names[0] for names in kept["tau"]["knobs"]]
    assert all(name.startswith("G") for name in names)
    assert len(names) == 4 * 4 + 4
    assert np.array(kept["tau"]["values"]).shape == (2, 20)


@pytest.mark.parametrize("method", ["readout", "ensemble"])
def test_readouts_of_the_file_have_the_errors_that_calibration_found(kept, method):
    found, path = kept
    calibration = opened(path, DESIGN)
    for k in range(SAMPLES):
        correction = correction_of(calibration, method, k if method == "readout" else None)
        circuit = planned_circuit(DESIGN, seed=SEED, index=k)
        error = window_error(circuit, correction.coefficients, DESIGN, correction.offset)
        assert error == pytest.approx(float(found.window_nrmse.sel(calibration=method)[k]), rel=1e-6)


def test_an_exported_readout_is_the_least_squares_fit_at_its_delays(kept):
    """Fit anew, by NumPy's least squares on responses and ridge in one system, at delays that are no nodes."""
    _, path = kept
    correction = correction_of(opened(path, DESIGN), "readout", 2)
    circuit = planned_circuit(DESIGN, seed=SEED, index=2)
    f, weight = (DESIGN.bandwidth * window.gauss_legendre(24).r, window.gauss_legendre(24).weight)
    states = frequency_response(extract(circuit), f) * np.sqrt(weight)[:, None]
    r = np.array([0.0, 0.137, 0.5, 1.0])
    delays = np.exp(-2j * np.pi * DESIGN.theta * np.outer(f, r)) * np.sqrt(weight)[:, None]
    ridge = 3e-7 * np.trace(np.real(states.conj().T @ states)) / 4
    left = np.concatenate([states.real, states.imag, np.sqrt(ridge) * np.eye(4)])
    right = np.concatenate([delays.real, delays.imag, np.zeros((4, len(r)))])
    rows = np.linalg.lstsq(left, right, rcond=None)[0].T
    nominal = build(DESIGN)
    found = readout(DESIGN, nominal, tuple(r), correction=correction)
    factors = np.array([probe[0].factor for probe in nominal.probes])
    # The ridge bounds the condition of the normal equations by some 1e7.
    np.testing.assert_allclose(found.matrix, rows * factors, atol=1e-7 * np.abs(rows * factors).max())
    np.testing.assert_allclose(found.offset, -rows @ extract(circuit).offset, rtol=1e-6)


def test_codes_stand_for_the_values_that_the_file_gives(kept):
    _, path = kept
    methods = json.loads(path.read_text())["methods"]
    for k in range(SAMPLES):
        drawn = planned_circuit(DESIGN, seed=SEED, index=k)
        before = dict(zip((p.name for p in drawn.parameters), drawn.values, strict=True))
        nominal = {p.name: p.nominal for p in build(DESIGN).parameters}
        for method, bits in (("dac", 5), ("trim", 8)):
            one = methods[method]
            for names, code, step, value, setting in zip(
                one["knobs"], one["codes"][k], one["step"], one["values"][k], one["settings"][k], strict=True
            ):
                (name,) = names
                # A converter of dac adds shares of the nominal value, one of trim turns the value that is there.
                unit = nominal[name] if method == "dac" else before[name]
                assert -(2 ** (bits - 1)) <= code < 2 ** (bits - 1)
                assert value == pytest.approx(before[name] + (code + 0.5) * step * unit, rel=1e-12)
                assert value == pytest.approx(before[name] * (1.0 + setting), rel=1e-12)


def recorded(system, path, windows=60.0, rate=1e5):
    time = np.arange(0.0, windows * DESIGN.theta, 1.0 / rate)
    drive = DESIGN.stimulus(time)
    states = exact_states(system, Grid(Recording(1.0 / rate, drive), time, drive))
    table = np.column_stack([time, drive, states])
    np.savetxt(path, table, delimiter=",", header="time,input,m0,m1,m2,m3", comments="", fmt="%.17g")
    return path


def test_a_board_read_out_by_its_calibration_is_scored_as_calibration_said(kept, tmp_path):
    found, path = kept
    calibration = opened(path, DESIGN)
    board = planned_circuit(DESIGN, seed=SEED, index=1)
    measured = read_measurement(recorded(extract(board), tmp_path / "m.csv"), board)
    result = analyze(DESIGN, measured, circuit=board, correction=correction_of(calibration, "readout", 1))
    expected = float(found.window_nrmse.sel(calibration="readout")[1])
    # The recording is cut into whole periods of which straight lines and cubics are some 1e-4 wrong.
    assert float(result.nrmse) == pytest.approx(expected, rel=5e-3)
    assert float(result.simulated_nrmse) == pytest.approx(expected, rel=5e-3)
    plain = analyze(DESIGN, measured, circuit=board)
    assert float(plain.nrmse) == pytest.approx(
        float(found.window_nrmse.sel(calibration="nominal")[1]), rel=5e-3
    )
    assert float(result.nrmse) < float(plain.nrmse)


def test_the_commands_hand_a_calibration_on(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(TEXT)
    design, path = str(tmp_path / "d.toml"), str(tmp_path / "cal.json")
    assert run_command(["calibrate", design, "-n", "3", "--seed", "1", "-o", path, "--json"]) == 0
    calibrated = json.loads(capsys.readouterr().out)
    assert "readout" in calibrated["methods"]
    one = ["export", design, "--to", "readout", "-o", str(tmp_path / "r.csv"), "--points", "0,1"]
    assert run_command([*one, "--calibration", path, "--sample", "2"]) == 0
    head, first, _ = (tmp_path / "r.csv").read_text().splitlines()
    assert head == "r,v(x0),v(x1),v(x2),v(x3),offset"
    assert run_command([*one, "--calibration", path]) == 0
    assert (tmp_path / "r.csv").read_text().splitlines()[1] != first
    board = planned_circuit(Design.load(design), seed=1, index=2)
    recorded(extract(board), tmp_path / "m.csv")
    capsys.readouterr()
    command = ["analyze", design, "--measured", str(tmp_path / "m.csv"), "--calibration", path]
    command += ["--no-faults"]  # which are looked for elsewhere
    assert run_command([*command, "--method", "readout", "--sample", "2", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["calibration"] == {"file": path, "method": "readout", "sample": 2}
    assert content["window_nrmse"] == pytest.approx(content["simulated_nrmse"], rel=1e-3)
    assert content["difference_nrmse"] < 1e-3
    assert run_command([*command, "--method", "trim", "--sample", "2"]) == 0
    assert "calibrated by trim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["--sample", "4", "--method", "readout"], "has circuits 0 to 3, and no 4"),
        (["--method", "readout"], "readout is different for every circuit; give --sample, 0 to 3"),
        (["--method", "trim"], "trim leaves the readout as it is; readout and ensemble fit one"),
        (["--method", "magic"], "has no method 'magic'; it has readout, ensemble, theta, trim, exact-k, dac"),
        (["--sample", "1", "--seed", "7"], "is of seed 3; leave --seed out"),
        (["--sample", "1", "--sampling", "sobol"], "is of random samples; leave --sampling out"),
    ],
)
def test_what_a_calibration_has_not_is_refused(kept, command, message, tmp_path, capsys):
    _, path = kept
    (tmp_path / "d.toml").write_text(TEXT)
    given = ["export", str(tmp_path / "d.toml"), "--to", "readout", "-o", str(tmp_path / "r.h")]
    assert run_command([*given, "--calibration", str(path), *command]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "r.h").exists()


def test_a_method_needs_its_calibration(tmp_path, capsys):
    (tmp_path / "d.toml").write_text(TEXT)
    given = [
        "export",
        str(tmp_path / "d.toml"),
        "--to",
        "readout",
        "-o",
        str(tmp_path / "r.h"),
        "--method",
        "trim",
    ]
    assert run_command(given) == 2
    assert "--method: of which calibration? give --calibration too" in capsys.readouterr().err


def changed(**changes):
    def change(content):
        return {**content, **changes}

    return change


def method(name, **changes):
    def change(content):
        one = {**content["methods"][name], **changes}
        return {**content, "methods": {**content["methods"], name: one}}

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda _: "not json", "is no JSON"),
        (lambda _: "[" * 100_000, "is no JSON"),
        (lambda _: '{"a": NaN}', "NaN is no number of JSON"),
        (lambda _: [], "no key format = 'lmu-analog calibration 1'"),
        (changed(format="other"), "no key format = 'lmu-analog calibration 1'"),
        (changed(design="0"), "a calibration of another design"),
        (changed(only=["Ra_*"]), "a calibration of another design"),
        (changed(only=3), "only and without: lists of patterns are wanted"),
        (changed(seed=-1), "seed: -1 where a whole number is wanted"),
        (changed(samples=True), "samples: True where a whole number is wanted"),
        (changed(samples=5), "methods: readout: coefficients: of 5 circuits, or of one for all, are wanted"),
        (changed(methods=[]), "methods: a table of what each method found is wanted"),
        (changed(methods={"magic": {}}), "methods: 'magic' where one of nominal, readout"),
        (
            method("readout", coefficients=[[1.0]]),
            "methods: readout: coefficients: n x n x 4 numbers are wanted",
        ),
        (method("readout", offset=None), "methods: readout: offset: 4 x 4 numbers are wanted"),
        (method("readout", offset=[["a"] * 4] * 4), "methods: readout: offset: 4 x 4 numbers are wanted"),
        (method("trim", knobs=[1]), "methods: trim: knobs: a list of lists of elements is wanted"),
        (method("trim", settings=[[0.0]]), "methods: trim: settings: 4 x 4 numbers are wanted"),
    ],
)
def test_files_that_are_no_calibration_of_the_design_are_refused_in_a_line(kept, change, message, tmp_path):
    _, path = kept
    given = change(json.loads(path.read_text()))
    broken = tmp_path / "c.json"
    broken.write_text(given if isinstance(given, str) else json.dumps(given))
    with pytest.raises(DesignError, match=message) as said:
        read_calibration(broken, DESIGN)
    assert str(said.value).startswith(str(broken))
    assert len(str(said.value).splitlines()) == 1


def test_circuits_that_could_not_be_calibrated_are_named(kept, tmp_path):
    _, path = kept
    content = json.loads(path.read_text())
    content["methods"]["readout"]["coefficients"][1][0][0] = None
    content["methods"]["trim"]["settings"][1][0] = None
    content["methods"]["theta"]["knobs"] = [["Rnone"]]
    (tmp_path / "c.json").write_text(json.dumps(content))
    calibration = opened(tmp_path / "c.json", DESIGN)
    with pytest.raises(DesignError, match="circuit 1 could not be calibrated"):
        correction_of(calibration, "readout", 1)
    with pytest.raises(DesignError, match="circuit 1 could not be calibrated"):
        calibrated_circuit(calibration, "trim", 1)
    with pytest.raises(DesignError, match="the circuit has no element 'Rnone'"):
        calibrated_circuit(calibration, "theta", 1)


def test_the_method_that_fits_is_taken(kept):
    _, path = kept
    calibration = opened(path, DESIGN)
    assert method_of(calibration, None, sample=None, read=True) == "ensemble"
    assert method_of(calibration, None, sample=1, read=True) == "readout"
    with pytest.raises(DesignError, match="has readout, theta, trim, exact-k, dac; choose one with method="):
        method_of(calibration, None, sample=1, read=False)
