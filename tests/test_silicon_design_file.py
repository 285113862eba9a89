"""A design file that asks for transistors of a process: what is refused, how chips run, what is written."""

import json
import pickle
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lmu_analog.analysis import chip_corners
from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import InstalledPdk, pdk
from lmu_analog.cli.app import run_command
from lmu_analog.design import NOT_OF_A_PDK, Design
from lmu_analog.design_keys import BIASES
from lmu_analog.ensembles import montecarlo, transistors
from lmu_analog.ensembles.transistors import Chips, chips_chunk, drawn
from lmu_analog.errors import DesignError, SimulationError, StoreError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.mismatch.selection import Selection
from lmu_analog.output import chips as shown
from lmu_analog.output.export.xschem import PINS, schematic
from lmu_analog.silicon.bias import GENERATORS
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.deck import element_lines
from lmu_analog.silicon.designing import chip_gain, ideal_design, tones
from lmu_analog.silicon.draws import acting_draws, names, spread
from lmu_analog.silicon.ensemble import errors_with, nominal_chip, window_errors
from lmu_analog.silicon.inlining import inlined
from lmu_analog.silicon.lost_points import lost, nearest, unsettled
from lmu_analog.silicon.memory import plan
from lmu_analog.silicon.memory import transistors as drawn_in
from lmu_analog.silicon.samples import Bench, Conditions, Measured
from lmu_analog.silicon.small_signal import Engine
from lmu_analog.storage.reasons import CODES
from lmu_analog.storage.results import CHIP
from lmu_analog.storage.store import open_run
from tests.kits import fake_models, needs_gf180

KIT = pdk("gf180mcu")
TEXT = """[memory]
order = 2
theta = "100 us"
[circuit]
family = "gm-c"
realization = "ladder"
level = "transistor"
technology = "gf180mcu"
supply = "3.3 V"
[signal]
bandwidth = "1 kHz"
[spec]
nrmse = "5 %"
"""
DESIGN = Design(
    order=2,
    theta=1e-4,
    family="gm-c",
    realization="ladder",
    level="transistor",
    technology="gf180mcu",
    supply=3.3,
    bandwidth=1e3,
    nrmse=0.05,
)
LONG = {"pair": 45e-6, "tail": 45e-6, "load": 45e-6, "triode": 45e-6}


def fake_bench() -> Bench:
    """Give the circuit of DESIGN with models that nobody reads."""
    frequency = tones(DESIGN).frequency
    found = plan(build(ideal_design(DESIGN)), 6e-12, frequency)
    circuit = drawn_in(found, Sizing(6e-12, 0.0539, 4.285, **LONG), KIT)
    return Bench(circuit, InstalledPdk(KIT, Path("nowhere"), "0" * 64, "1.0.0", "a test"), frequency)


def longer_windows(frequency, factor):
    """Give the states of ideal memories whose windows are longer than 100 us by some factors."""
    return steady_response(legendre(2, 1e-4), np.outer(factor, frequency).ravel()).reshape(len(factor), -1, 2)


class OnlyTheta(Engine):
    """An engine of chips that deviate in the length of their window alone, by 3 % for a sigma of one variable."""

    def __init__(self):
        pass

    def samples(self, sample, frequency, *, trim=None):
        longer = np.exp(0.03 * sample.process[:, 0]) * trim**-0.5
        states = longer_windows(frequency, longer)
        states[sample.process[:, 0] > 1.5] = np.nan  # which the exact engine is not sure of
        count = len(longer)
        return Measured(np.full((count, 2), 1e-3), states, np.full(count, 1e-6), np.full(count, -2))


def fake_chips(seed: int = 0) -> Chips:
    bench = fake_bench()
    found = spread(bench.circuit, KIT)
    sample = nominal_chip(bench)
    engine = OnlyTheta()
    nominal = errors_with(
        lambda some, trim: engine.samples(some, bench.frequency, trim=trim), sample, bench, exponent=-0.5
    )
    acts = np.ones(len(names(bench.circuit, found)), bool)
    return Chips(bench, seed, acts, 0.02, -0.5, nominal, engine)


@pytest.fixture
def chips(monkeypatch) -> Chips:
    """Chips without ngspice: what is handed to it comes back with a window a little long."""

    def in_ngspice(chips, sample):
        def measure(some, trim):
            states = longer_windows(chips.bench.frequency, np.exp(0.01) * trim**-0.5)
            count = len(trim)
            return Measured(np.zeros((count, 2)), states, np.full(count, 2e-6), np.zeros(count, int))

        return errors_with(measure, sample, chips.bench, exponent=-0.5)

    def in_numpy(engine, frequency):
        return lambda some, trim: engine.samples(some, frequency, trim=trim)

    def here(function, tasks, **_):
        yield from ((k, function(*task)) for k, task in enumerate(tasks))

    monkeypatch.setattr(transistors, "with_exact", in_numpy)
    monkeypatch.setattr(transistors, "_in_ngspice", in_ngspice)
    monkeypatch.setattr(transistors, "run_tasks", here)
    return fake_chips()


# --- what is refused


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"level": "behavioural", "bias": "ptat"},
            r'^\[circuit\] bias: .* level = "transistor" with .*, gf180mcu$',
        ),
        ({"family": "active-rc"}, r"^\[circuit\] family: active-rc is not made of .* of gf180mcu; gm-c is"),
        (
            {"supply": 5.0},
            r'^\[circuit\] supply: transistors of gf180mcu run from 3.3 V; give supply = "3.3 V", it is 5 V',
        ),
        (
            {"signal": "chirp"},
            r'^\[signal\] kind: .* measured with ten tones, not with chirp; give "multitone"',
        ),
        (
            {"values": "E24"},
            r"^\[circuit\] values: .* get their values from the sizes of devices; leave it out",
        ),
        ({"mismatch": {"capacitor": "1 %"}}, r"^\[mismatch\]: .* deviate as the foundry says; leave it out"),
        (
            {"taps": ["0.5"]},
            r"^\[circuit\] taps: circuits of transistors of gf180mcu have none; leave it out",
        ),
    ],
)
def test_what_transistors_cannot_take_is_refused_with_its_key(changes, said):
    with pytest.raises(DesignError, match=said):
        DESIGN.replace(**changes)


def test_every_key_that_does_nothing_is_one_of_a_design():
    assert set(NOT_OF_A_PDK) <= set(DESIGN.__dataclass_fields__)


def test_a_circuit_of_ideal_parts_is_refused_and_the_ideal_design_has_one():
    with pytest.raises(
        DesignError, match=r"^\[circuit\] level: .* gf180mcu are not for this; netlist, simulate"
    ):
        build(DESIGN)
    assert build(ideal_design(DESIGN)).order == 2


def test_every_bias_is_a_generator_or_ideal():
    assert ["ideal", *GENERATORS] == list(BIASES)
    assert DESIGN.replace(bias="ptat").digest != DESIGN.digest


def test_an_input_beyond_the_pairs_is_divided_down():
    assert chip_gain(DESIGN.replace(amplitude=0.1)) == 1.0
    assert DESIGN.replace(amplitude=1.0).amplitude * chip_gain(
        DESIGN.replace(amplitude=1.0)
    ) == pytest.approx(0.2)


@pytest.mark.parametrize("command", ["sensitivity", "calibrate", "yield"])
def test_commands_that_take_no_transistors_say_so_in_one_line(tmp_path, capsys, command):
    (tmp_path / "chip.toml").write_text(TEXT)
    assert run_command([command, str(tmp_path / "chip.toml")]) == 2
    error = capsys.readouterr().err
    assert "[circuit] level: circuits of transistors of gf180mcu are not for this; netlist, simulate" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["simulate", "--input", "x.csv"], "--input is not for circuits of transistors"),
        (["netlist", "--sample", "0"], "--sample is not for circuits of transistors"),
        (["netlist", "-o", "x.sch"], "give a name that ends in .cir"),
        (["export", "--to", "xschem", "-o", "x.cir"], "xschem files end in .sch"),
        (["corners", "--samples", "3"], "--samples is not for circuits of transistors"),
        (["montecarlo", "-o", "x", "--engine", "nonlinear"], "transistors take exact or ngspice"),
        (["montecarlo", "-o", "x", "--sampling", "sobol"], "--sampling is not for circuits of transistors"),
        (["montecarlo", "-o", "x", "--hybrid", "3"], "--hybrid is not for circuits of transistors"),
    ],
)
def test_options_that_transistors_do_not_take_are_refused(tmp_path, capsys, monkeypatch, arguments, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(TEXT)
    command, *more = arguments
    assert run_command([command, "chip.toml", *more]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_models_that_are_missing_or_not_whole_are_one_line(tmp_path, capsys, monkeypatch):
    (tmp_path / "chip.toml").write_text(TEXT)
    for folder, said in (
        (tmp_path / "none", "is no folder; give the one of design.ngspice"),
        (
            fake_models(tmp_path / "part", without="mimcap_ff"),
            "without the section mimcap_ff; 1.0.0 is wanted",
        ),
    ):
        monkeypatch.setenv(KIT.variable, str(folder))
        assert run_command(["simulate", str(tmp_path / "chip.toml")]) == 2
        error = capsys.readouterr().err
        assert said in error
        assert error.count("\n") == 1


# --- which draws act


def test_patterns_choose_draws_by_name_role_kind_class_and_origin():
    bench = fake_bench()
    found = spread(bench.circuit, KIT)
    every = np.array(names(bench.circuit, found))

    def chosen(*only: str, without: tuple[str, ...] = ()) -> set[str]:
        return set(every[acting_draws(bench.circuit, found, Selection(only, without))])

    assert chosen() == set(every)
    assert chosen("none") == set()
    assert chosen("lot") == {name for name in every if name.startswith("process|")}
    assert chosen("local") == chosen(without=("lot",)) == set(every) - chosen("lot")
    tails = {
        f"{m.name}|{kind}"
        for m in bench.circuit.transistors
        if m.role == "tail"
        for kind in ("threshold", "mobility")
    }
    assert chosen("role:tail") == tails
    assert (
        chosen("class:capacitor")
        == {f"{c.name}|capacitor" for c in bench.circuit.capacitors}
        == chosen("kind:mim")
    )
    assert chosen("B.*") == {name for name in every if name.startswith("B.")}
    with pytest.raises(DesignError, match=r"^'role:nothing' picks no mismatch; there are role:pair"):
        chosen("role:nothing")


# --- units of work, and runs on disk


def test_a_trim_brings_every_chip_to_its_window_and_the_unsure_go_to_ngspice(chips):
    found = transistors._rows(chips, range(64))
    z = drawn(chips, range(64)).process[:, 0]
    handed = z > 1.5
    assert 0 < handed.sum() < 20
    np.testing.assert_array_equal(found.reason == CODES["unsure"], handed)
    # A window that is longer by a factor takes a bias larger by its square. What the ideal memory of order 2 misses
    # moves the fit by half a percent, and itself moves by some percent of what the window is longer.
    longer = np.log(found.more["theta_built"] / chips.nominal.theta)
    np.testing.assert_allclose(longer, np.where(handed, 0.01, 0.03 * z), rtol=0.02)
    np.testing.assert_allclose(np.log(found.more["trim"] / chips.nominal.trim), 2.0 * longer, rtol=0.02)
    least = chips.nominal.trimmed[0]
    np.testing.assert_allclose(found.window_nrmse, least, rtol=0.01)
    assert (found.more["built_nrmse"][np.abs(z) > 1.0] > 1.05 * least).all()
    np.testing.assert_allclose(found.more["power"], np.where(handed, 6.6e-6, 3.3e-6))


def test_a_sample_has_the_same_bits_in_every_stretch(chips):
    pickled = pickle.dumps(chips)
    whole = chips_chunk(pickled, range(70))
    part = chips_chunk(pickled, range(60, 67))
    for name in ("window_nrmse", "profile", "reason", *CHIP):
        np.testing.assert_array_equal(part.array(name), whole.array(name)[60:67])


def test_a_run_that_is_stopped_again_and_again_ends_in_the_same_bytes(chips, tmp_path, monkeypatch):
    whole = tmp_path / "whole.zarr"
    returned = montecarlo.monte_carlo(DESIGN, 150, workers=1, store=whole, chips=chips)
    assert set(CHIP) <= set(returned.data_vars)
    run = montecarlo.run_chips

    def stopped(some, todo, *, workers):
        for k, results in enumerate(run(some, todo, workers=workers)):
            if k == 1:
                raise KeyboardInterrupt
            yield results

    monkeypatch.setattr(montecarlo, "run_chips", stopped)
    monkeypatch.setattr(montecarlo, "FLUSH_SECONDS", 0.0)
    often, resumed = tmp_path / "often.zarr", False
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            montecarlo.monte_carlo(DESIGN, 150, workers=1, store=often, resumed=resumed, chips=chips)
        resumed = True
    monkeypatch.setattr(montecarlo, "run_chips", run)
    montecarlo.monte_carlo(DESIGN, 150, workers=1, store=often, resumed=True, chips=chips)

    def contents(folder):
        return {p.relative_to(folder): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}

    assert contents(often) == contents(whole)
    np.testing.assert_array_equal(open_run(whole).trim, returned.trim)
    other = chips.__class__(**{**vars(chips), "bench": Bench(
        chips.bench.circuit, InstalledPdk(KIT, Path("else"), "1" * 64, None, "a test"), chips.bench.frequency
    )})  # fmt: skip
    with pytest.raises(StoreError, match="its pdk is '0+', not '1+'"):
        montecarlo.monte_carlo(DESIGN, 150, workers=1, store=whole, resumed=True, chips=other)


# --- lost operating points

LOG = """Error: Transient op failed, timestep too small
Last Node Voltages
------------------
Node                                   Last Voltage        Previous Iter
----                                   ------------        -------------
x0p                                            -nan                 -nan
t_ga_0_0                                    2.27369              2.17369   *
vdd                                             3.3                  3.3
xcint_0.c_cap_int1                             -nan                 -nan
vvu#branch                                     -nan                 -nan
"""


def test_a_lost_operating_point_names_nets_corner_and_the_nearest_that_has_one():
    error = SimulationError("no operating point: singular matrix", log=LOG)
    assert unsettled(error) == ["x0p", "t_ga_0_0"]
    here = Conditions("ss", "typical", 125.0, 0.9)
    others = [
        Conditions("ss", "typical", 27.0, 0.9),
        Conditions("ss", "typical", 85.0, 0.9),
        Conditions("ff"),
    ]
    assert nearest(here, others) == others[1]
    assert lost(here, error, others) == (
        "ss, 125 C, 90 % of the supply: no operating point (not settled: x0p, t_ga_0_0); the nearest that has one is "
        "ss, 85 C, 90 % of the supply"
    )
    assert lost(here, error, []).endswith("none of those tried has one")


def test_corners_that_have_no_operating_point_are_rows_with_a_reason(monkeypatch):
    def here(function, tasks, **_):
        for k, (_, at, trim) in enumerate(tasks):
            if at.corner == "ss" and at.temperature > 100.0:
                yield k, SimulationError("no operating point: it is hot", log=LOG)
            else:
                row = chip_corners.ChipCorner(
                    at, 0.02, 0.01, 0.015, 1e-4, 1.1 if trim is None else trim, 1e-6, 0.0
                )
                yield k, row

    monkeypatch.setattr(chip_corners, "run_tasks", here)
    wanted = [Conditions(c, "typical", t) for c in ("typical", "ss") for t in (27.0, 85.0, 125.0)]
    done = []
    rows = chip_corners.chip_corners(fake_bench(), wanted, workers=1, progress=done.append)
    assert [row.conditions for row in rows] == wanted
    assert sum(done) == len(wanted)
    assert {row.trim for row in rows[:5]} == {1.1}
    assert rows[5].lost == (
        "ss, 125 C, 100 % of the supply: no operating point (not settled: x0p, t_ga_0_0); the nearest that has one is "
        "ss, 85 C, 100 % of the supply"
    )


def test_a_failure_that_is_no_lost_operating_point_is_not_called_one(monkeypatch):
    def here(function, tasks, **_):
        yield from ((k, SimulationError("no answer within 1200 s")) for k in range(len(tasks)))

    monkeypatch.setattr(chip_corners, "run_tasks", here)
    (row,) = chip_corners.chip_corners(fake_bench(), [Conditions("ss")], workers=1)
    assert row.lost == "ss, 27 C, 100 % of the supply: no answer within 1200 s"


def test_resistors_have_corners_where_the_bias_has_one_each_with_a_trim_of_its_own(monkeypatch, tmp_path):
    design = DESIGN.replace(pdk=fake_models(tmp_path / "models"))
    assert all(at.resistor == "typical" for at in chip_corners.conditions(design))
    wanted = chip_corners.conditions(design.replace(bias="constant-gm"))
    ends = {(at.corner, at.resistor) for at in wanted if at.resistor != "typical"}
    # The slowest transistors at the largest current are there.
    assert {("typical", "ff"), ("typical", "ss"), ("ss", "ff"), ("ff", "ss")} <= ends

    def here(function, tasks, **_):
        for k, (_, at, trim) in enumerate(tasks):
            found = 0.8 if at.resistor == "ff" else 1.0
            yield (
                k,
                chip_corners.ChipCorner(
                    at, 0.02, 0.01, 0.015, 1e-4, found if trim is None else trim, 1e-6, 0.0
                ),
            )

    monkeypatch.setattr(chip_corners, "run_tasks", here)
    rows = chip_corners.chip_corners(fake_bench(), wanted, workers=1)
    assert {row.trim for row in rows if row.conditions.resistor == "ff"} == {0.8}
    assert {row.trim for row in rows if row.conditions.resistor != "ff"} == {1.0}


def test_chips_that_were_prepared_for_something_else_are_refused(chips):
    for changed in ({"seed": 1}, {"engine": "ngspice"}):
        with pytest.raises(DesignError, match="^chips: prepared for another design, seed or engine"):
            transistors.check_prepared(chips, DESIGN, **({"seed": 0, "engine": "exact"} | changed))
    with pytest.raises(DesignError, match="^chips: prepared for another design"):
        transistors.check_prepared(chips, DESIGN.replace(theta=2e-4), seed=0, engine="exact")


def test_a_run_is_of_one_circuit_and_one_way_to_run_its_laws(chips, monkeypatch):
    told = transistors.marks(chips)
    devices = chips.bench.circuit.devices
    wider = replace(devices[0], width=1.01 * devices[0].width)
    other = replace(chips.bench.circuit, devices=(wider, *devices[1:]))
    drawn_anew = transistors.marks(replace(chips, bench=replace(chips.bench, circuit=other)))
    assert {key for key in told if told[key] != drawn_anew[key]} == {"circuit"}
    monkeypatch.setattr(transistors.native, "is_there", lambda: told["laws"] != "compiled")
    assert {key for key, said in transistors.marks(chips).items() if told[key] != said} == {"laws"}


def test_a_chip_that_was_not_measured_is_an_error_and_no_figure_of_nothing(chips, monkeypatch):
    class Here:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def call(self, function, arguments, **_):
            found = function(*arguments)
            return replace(found, trimmed=np.full_like(found.trimmed, np.nan))

    monkeypatch.setattr(transistors, "Worker", Here)
    with pytest.raises(SimulationError, match="^chip 3 could not be measured"):
        transistors.one_chip(chips, 3)
    with pytest.raises(SimulationError, match="^the nominal chip could not be measured"):
        transistors.one_chip(chips)


def test_percentiles_are_of_the_chips_that_were_measured_and_say_so(chips):
    run = montecarlo.monte_carlo(DESIGN, 70, workers=1, chips=chips)
    one = shown.ensemble(run, DESIGN, chips, seconds=1.0, resumed=0, path=Path("run"))
    assert "median; 95 % of chips within" in shown.ensemble_text(one)
    lost = {**one, "failed": 7}
    assert "median; 95 % of the 63 that were measured within" in shown.ensemble_text(lost)


def test_a_store_that_is_there_is_refused_before_the_laws_are_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(shown, "prepare", lambda *_, **__: pytest.fail("measured first"))
    (tmp_path / "run.zarr").mkdir()
    with pytest.raises(StoreError, match=r"run\.zarr exists; give another name"):
        shown.stored_chips(DESIGN, tmp_path / "run.zarr", samples=2, seed=0, engine="exact")


def test_figures_of_chips_and_corners_are_laid_out_with_what_was_lost(chips, tmp_path):
    run = montecarlo.monte_carlo(DESIGN, 70, workers=1, store=tmp_path / "run.zarr", chips=chips)
    wanting = DESIGN.replace(wanted_yield=0.9)
    content = shown.ensemble(run, wanting, chips, seconds=1.0, resumed=0, path=tmp_path / "run.zarr")
    handed = int((run.reason == CODES["unsure"]).sum())
    assert content["in_ngspice"] == handed > 0
    assert content["ways"]["window_nrmse"]["yield"] == content["yield"]
    assert content["ways"]["built_nrmse"]["nrmse"]["median"] == float(run.built_nrmse.median())
    text = shown.ensemble_text(content)
    assert re.search(
        rf"^  in ngspice +{handed}  chips that the exact engine was not sure of", text, re.MULTILINE
    )
    assert "is not sure of it" not in text  # the same chips a second time
    # A verdict says of which figure it is: chips with their offsets may do worse.
    for name in ("yield", "yield wanted"):
        assert re.search(
            rf"^  {name} +[\d.]+ %  .*after one trim of the bias, offsets removed", text, re.MULTILINE
        )
    rows = [
        chip_corners.ChipCorner(Conditions("ss", temperature=t), t / 1e3, 0.01, 0.02, 1e-4, 1.1, 1e-6, 1e-3)
        for t in (27.0, 85.0)
    ]
    slow_plates = Conditions("typical", "ss", 27.0)
    rows.append(chip_corners.ChipCorner(slow_plates, 0.01, 0.01, 0.09, 1e-4, 1.2, 1e-6, 0.0))
    rows.append(chip_corners.ChipCorner(Conditions("ff"), lost="ff: no operating point"))
    # A trim that was not found leaves one figure out, and the worst of the others as it is.
    rows.insert(0, replace(rows[0], trimmed=np.nan, trim=np.nan))
    found = shown.corners(DESIGN, chips.bench, rows)
    assert found["lost"] == 1
    assert found["worst"]["built_nrmse"]["temperature_c"] == 85.0
    text = shown.corners_text(found)
    assert "4 of 5 corners" in text
    assert found["worst"]["window_nrmse"]["window_nrmse"] == 0.01
    assert "worst as built: 8.50 % at ss, 85 C, 100 % of the supply" in text
    assert "worst fitted: 9.00 % at typical, ss capacitors, 27 C, 100 % of the supply" in text
    assert "  ff: no operating point" in text


# --- what is written

LIBRARY = """* Copyright somebody
* Licensed under something
*********
.LIB typical
.lib 'x' more
.param a=1
+ b=2
.ENDL
.LIB mimcap_typical
.subckt mim_2p0fF 1 2
c 1 2 1p
.ends
.subckt mim_1p0fF 1 2
.ends
.ENDL
.lib more
* a comment
.model nmos_3p3.7 nmos
+ level = 54
.model nmos_3p3.11 nmos
.subckt nmos_3p3 d g s b
m0 d g s b nmos_3p3
.ends
.subckt other d g
.ends
.endl more
"""


def test_models_are_copied_for_the_devices_that_are_there(tmp_path):
    bench = fake_bench()
    folder = fake_models(tmp_path / "kit")
    (folder / KIT.files["models"]).write_text(LIBRARY)
    (folder / KIT.files["settings"]).write_text("* comment\n.param s=1\n")
    lines = inlined(bench.circuit, InstalledPdk(KIT, folder, "0" * 64, None, "a test"))
    used = {KIT.devices[m.device].model(m.width, m.length) for m in bench.circuit.transistors}
    models = {line.split()[1] for line in lines if line.startswith(".model")}
    assert models == used & {"nmos_3p3.7", "nmos_3p3.11"}
    assert [line.split()[1] for line in lines if line.startswith(".subckt")] == ["nmos_3p3", "mim_2p0fF"]
    assert lines[1:3] == ["* Copyright somebody", "* Licensed under something"]
    assert {".param s=1", ".param a=1", "+ b=2"} < set(lines)
    assert not any(line.lower().startswith((".lib", ".include")) for line in lines)


def test_a_schematic_for_xschem_has_every_device_with_its_nets():
    bench = fake_bench()
    text = schematic(bench.circuit, [".op", '.lib "a b" typical'])
    labels, symbols = {}, []
    for line in text.splitlines():
        if found := re.fullmatch(r"C \{devices/(\w+)\.sym\} (-?\d+) (-?\d+) 0 0 \{(.*)\}", line):
            symbol, x, y, attributes = found[1], int(found[2]), int(found[3]), found[4]
            if symbol == "lab_pin":
                assert (x, y) not in labels
                labels[x, y] = attributes.rpartition("lab=")[2]
            else:
                symbols.append((symbol, x, y, attributes))
    cards = [line.split() for line in element_lines(bench.circuit) if not line.startswith("cdev_")]
    assert len(symbols) == len(cards)
    for (symbol, x, y, attributes), (name, *words) in zip(symbols, cards, strict=True):
        nets = [labels[x + dx, y + dy] for dx, dy in PINS[symbol]]
        assert f"name={name} " in attributes
        assert nets == words[: len(nets)]
        if symbol in ("nmos4", "pmos4"):
            assert f"model={words[4]} {words[5]} {words[6]} m=1" in attributes
    assert '.lib \\\\"a b\\\\" typical"}' in text


@needs_gf180
@pytest.mark.ngspice
def test_a_design_file_becomes_a_chip_whose_deck_runs_by_itself(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "chip.toml").write_text(TEXT)
    assert run_command(["netlist", "chip.toml", "-o", "chip.cir"]) == 0
    capsys.readouterr()
    deck = (tmp_path / "chip.cir").read_text()
    assert not re.search(r"(?im)^\.(lib|include)", deck)
    short = re.sub(r"(?m)^\.tran.*\n", "", deck)
    (tmp_path / "short.cir").write_text(short)
    subprocess.run(
        ["ngspice", "-b", "-r", "out.raw", "short.cir"], check=False, capture_output=True, timeout=120
    )
    data = (tmp_path / "out.raw").read_bytes()
    head, _, numbers = data[data.index(b"Plotname: AC Analysis") :].partition(b"Binary:\n")
    vectors = [line.split("\t")[2] for line in head.decode().split("Variables:\n")[1].strip().splitlines()]
    values = np.frombuffer(numbers[: 16 * len(vectors) * 10], complex).reshape(10, len(vectors))
    states = np.stack([values[:, vectors.index(f"v(m{k})")] for k in range(2)], axis=-1)
    assert run_command(["simulate", "chip.toml", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    frequency = np.real(values[:, 0])
    shown = window_errors(states[None], frequency, 1e-4)[0]
    # The deck is the chip as built: both are read from ngspice with reltol = 1e-5.
    assert shown == pytest.approx(content["built_nrmse"], rel=1e-4)
    assert content["window_nrmse"] < 1.1 * content["truncation_nrmse"]
