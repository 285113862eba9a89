"""The design: text and numbers mean the same, wrong values are refused by name, digests tell apart."""

import json
import math
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits import fake_models
from scipy import special

from lmu_analog.building import build, realization
from lmu_analog.circuits.devices.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.errors import DesignError
from lmu_analog.files_in import LARGEST_TOML
from lmu_analog.memory.legendre import smallest_order, truncation_error
from lmu_analog.stimulus import Recording, Tones

ROOT = Path(__file__).resolve().parents[1]
FULL = """
[memory]
order = 6
theta = "1 ms"
[signal]
bandwidth = "1 kHz"
amplitude = "0.25 V"
kind = "noise"
[circuit]
family = "active-rc"
realization = "legendre"
capacitance = "470 pF"
opamp = "OPA2192"
supply = "6 V"
headroom = "20 %"
tau = "20 us"
level = "transistor"
variant = "gyrator"
[mismatch]
resistor = "1 %"
capacitor = { tolerance = "2 %", distribution = "uniform", lot = "5 %" }
[spec]
nrmse = "5 %"
"""
IN_CODE = Design(
    order=6,
    theta=1e-3,
    bandwidth=1000.0,
    amplitude=0.25,
    signal="noise",
    family="active-rc",
    realization="legendre",
    capacitance=470e-12,
    opamp="OPA2192",
    supply=6,
    headroom=0.2,
    tau=20e-6,
    level="transistor",
    variant="gyrator",
    mismatch={"resistor": 0.01, "capacitor": Tolerance(0.02, "uniform", 0.05)},
    nrmse=0.05,
)


@pytest.fixture
def written(tmp_path):
    """Write a design file and give its path."""

    def write(text, name="design.toml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


# ---------------------------------------------------------------- what is asked for


def test_a_file_and_code_make_the_same_design(written):
    loaded = Design.load(written(FULL))
    assert loaded == IN_CODE
    assert loaded.digest == IN_CODE.digest


def test_text_and_numbers_make_the_same_design():
    assert Design(order=3, theta="5 ms", bandwidth="100 Hz", capacitance="10 nF", headroom="25 %") == Design(
        order=3, theta=0.005, bandwidth=100, capacitance=10e-9, headroom=0.25
    )


def test_what_is_left_out_takes_the_documented_values():
    design = Design(order=3)
    assert (design.theta, design.amplitude, design.capacitance, design.supply) == (1.0, 0.5, None, 5.0)
    assert (design.family, design.realization, design.opamp) == ("active-rc", "cap-feedforward", "ideal")
    assert (design.mismatch, design.nrmse, design.signal) == ({}, None, "multitone")
    # usable_band bisects to 1e-6, times the order for the error itself.
    assert truncation_error(3, design.bandwidth) == pytest.approx(0.01, rel=1e-5)
    assert Design(order=3, theta=1e-3).bandwidth == pytest.approx(1e3 * design.bandwidth, rel=1e-12)
    assert Design(order=3, family="rc-synapse").realization == "unit-weight"


def window_error(order: int, band: float) -> float:
    """Give the window NRMSE for ten equal tones, from the published matrices (Voelker et al. 2019) and SciPy alone."""
    i = np.arange(order)
    A = (2 * i[:, None] + 1) * np.where(i[:, None] < i, -1.0, (-1.0) ** (i[:, None] - i + 1))
    B = (2 * i + 1) * (-1.0) ** i
    nodes, weight = np.polynomial.legendre.leggauss(200)  # exact far beyond three turns in the window
    tones = 2j * np.pi * band * np.arange(1, 11) / 10
    states = np.stack([np.linalg.solve(s * np.eye(order) - A, B) for s in tones])
    error = states @ special.eval_legendre(i[:, None], nodes) - np.exp(-np.outer(tones, (1 + nodes) / 2))
    return float(np.sqrt(np.mean(np.abs(error) ** 2, axis=0) @ weight / 2))


@given(error=st.floats(1e-4, 0.3), band=st.floats(0.2, 3.0), theta=st.floats(1e-6, 1e3))
def test_an_error_chooses_the_smallest_order_that_keeps_it(error, band, theta):
    order = Design(error=error, bandwidth=band / theta, theta=theta).order
    # Two ways to the same integral: they differ by its quadrature, some 1e-6 of it.
    assert window_error(order, band) <= error * (1 + 1e-5)
    assert order == 1 or window_error(order - 1, band) > error * (1 - 1e-5)


def test_tones_set_the_bandwidth_unless_it_is_given():
    tones = [["100 Hz", "0.2 V", 0], [50, 0, 0.1]]
    assert Design(order=3, theta="1 ms", tones=tones).bandwidth == 100.0
    assert Design(order=3, theta="1 ms", tones=tones, bandwidth="200 Hz").bandwidth == 200.0
    as_tables = [{"frequency": "100 Hz", "cosine": "0.2 V"}, {"frequency": 50, "sine": 0.1}]
    assert Design(order=3, theta="1 ms", tones=as_tables) == Design(order=3, theta="1 ms", tones=tones)


@pytest.mark.parametrize("kind", ["multitone", "sine", "noise", "step", "chirp"])
def test_every_kind_of_signal_has_the_amplitude_as_its_peak(kind):
    stimulus = Design(order=3, signal=kind, amplitude=0.3).stimulus
    assert isinstance(stimulus, Recording if kind in ("step", "chirp") else Tones)
    # The sweep meets its crest between two of its 40 samples a cycle: 1 - cos(pi/40) = .3 %.
    assert stimulus.peak == pytest.approx(0.3, rel=4e-3 if kind == "chirp" else 1e-9)


def test_own_tones_and_recordings_are_the_signal_and_set_the_scale(written):
    tones = Design(order=3, tones=[[0.1, 0.0, 0.7]])
    assert tones.full_scale == pytest.approx(0.7, rel=1e-9)  # the peak search is that good
    assert tones.stimulus.frequency == [0.1]
    path = written("0,0\n0.5,-2\n1,1\n", "u.csv")
    recorded = Design(order=3, file=path)
    np.testing.assert_array_equal(recorded.stimulus.values, [0, -2, 1])
    assert recorded.full_scale == 2.0
    assert Design(order=3, amplitude=0.3).full_scale == 0.3


def test_a_recording_is_found_beside_its_design_file(written, tmp_path):
    written("0,0\n1,1\n", "u.csv")
    design = Design.load(written('[memory]\norder = 3\n[signal]\nfile = "u.csv"\n'))
    assert design.file == tmp_path / "u.csv"
    assert design.stimulus.peak == 1.0


@pytest.mark.parametrize(("text", "message"), [
    (None, r"^\[signal\] file: .*u\.csv: no such file; give a \.csv or \.wav$"),
    ("0,0\n0,1\n", r"^\[signal\] file: .*u\.csv, line 2: time does not rise"),
])  # fmt: skip
def test_a_bad_recording_is_refused_with_its_key(written, tmp_path, text, message):
    if text:
        written(text, "u.csv")
    design = Design(order=3, file=tmp_path / "u.csv")
    with pytest.raises(DesignError, match=message):
        design.stimulus  # noqa: B018  # reading it is the test


def test_tones_that_repeat_a_frequency_are_refused_with_their_key():
    design = Design(order=3, tones=[[1, 1, 1], [1, 0, 1]])
    with pytest.raises(DesignError, match=r"^\[signal\] tones: tones need positive, distinct frequencies"):
        design.stimulus  # noqa: B018  # reading it is the test


def test_a_design_builds_the_circuit_that_it_asks_for():
    circuit = build(
        Design(
            order=4,
            theta="2 ms",
            family="rc-synapse",
            realization="principle3",
            tau="0.5 ms",
            capacitance="1 nF",
        )
    )
    assert (circuit.family, circuit.realization, circuit.order, circuit.theta) == (
        "rc-synapse",
        "principle3",
        4,
        pytest.approx(2e-3, rel=1e-13),  # read off a trace
    )
    taus = [c.value for c in circuit.components if c.name.startswith("Rtau")]
    assert taus == pytest.approx([0.5e-3 / 1e-9] * 4, rel=1e-12)
    assert realization(Design(order=4)).name == "cap-feedforward"


# ---------------------------------------------------------------- replacing fields


def test_replacing_keeps_everything_else():
    changed = IN_CODE.replace(order=8)
    assert changed.order == 8
    same = {f.name for f in fields(Design)} - {"order"}
    assert {n: getattr(changed, n) for n in same} == {n: getattr(IN_CODE, n) for n in same}
    assert IN_CODE.replace() == IN_CODE


def test_an_order_replaces_an_error_and_an_error_an_order():
    by_error = Design(error="1 %", bandwidth=1.0)
    assert by_error.replace(order=4).order == 4
    assert by_error.replace(order=4).error is None
    by_order = Design(order=3, bandwidth=1.0)
    assert by_order.replace(error=0.01) == by_error
    assert by_error.replace(bandwidth=2.0).order == smallest_order(0.01, 2.0) > by_error.order
    assert by_error.replace(error=None).order == by_error.order


def test_another_family_takes_its_own_realization_unless_one_is_named():
    design = Design(order=3, realization="legendre")
    assert design.replace(family="rc-synapse").realization == "unit-weight"
    assert design.replace(family="rc-synapse", realization="principle3").realization == "principle3"
    assert design.replace(family="active-rc").realization == "legendre"


@pytest.mark.parametrize(("changes", "message"), [
    ({"ordre": 3}, r"^unknown field 'ordre'; known are order, theta, error"),
    ({"family": "gm-x"}, r"^\[circuit\] family: unknown 'gm-x'; known are active-rc"),
    ({"order": 8, "error": 0.01}, r"^\[memory\] has both order and error; give one of them$"),
    ({"theta": "1 kHz"}, r"^\[memory\] theta: '1 kHz' is in Hz"),
])  # fmt: skip
def test_a_wrong_replacement_is_refused(changes, message):
    with pytest.raises(DesignError, match=message):
        IN_CODE.replace(**changes)


# ---------------------------------------------------------------- what is refused


MEMORY = "[memory]\norder = 3\n"
REFUSED = {
    "[memory]\norder = 0": r"\[memory\] order: order 0 is outside 1 to 64",
    "[memory]\norder = 65": r"\[memory\] order: order 65 is outside 1 to 64",
    "[memory]\norder = 2.5": r"\[memory\] order: order must be a whole number from 1 to 64, not 2\.5",
    '[memory]\norder = "six"': r"\[memory\] order: order must be a whole number from 1 to 64, not 'six'",
    "[memory]\norder = true": r"\[memory\] order: order must be a whole number from 1 to 64, not True",
    f"[memory]\norder = 1{'0' * 50}": r"\[memory\] order: order 10+\.\.\.0+ is outside 1 to 64",
    f"[memory]\norder = 1{'0' * 5000}": r"is not valid TOML: Exceeds the limit \(4300 digits\)[^;]*",
    f"[memory]\norder = 0x1{'0' * 5000}": r"\[memory\] order: order a whole number of about 60.. digits is outside .*",
    "[memory]\norder = 1979-05-27": r"\[memory\] order: order must be a whole number .* not datetime\.date.*",
    MEMORY + 'theta = "1 kHz"': r"\[memory\] theta: '1 kHz' is in Hz; write a number in s such as .*",
    MEMORY + "theta = nan": r"\[memory\] theta: nan is not finite; write a number in s.*",
    MEMORY + "theta = 0": r"\[memory\] theta: theta = 0 s is outside 1e-12 to 1e\+06 s",
    MEMORY + 'theta = "0.1 ps"': r"\[memory\] theta: theta = 1e-13 s is outside 1e-12 to 1e\+06 s",
    MEMORY + "theta = 2e6": r"\[memory\] theta: theta = 2e\+06 s is outside .*",
    MEMORY + 'error = "1 %"': r"\[memory\] has both order and error; give one of them",
    '[memory]\nerror = "1 %"': r"\[memory\] order is missing: give order, or error .*",
    '[memory]\ntheta = "1 s"': r"\[memory\] order is missing: give order, or error .*",
    "": r"\[memory\] order is missing: give order, or error .*",
    '[memory]\nerror = "1 ppm"\n[signal]\nbandwidth = "1 kHz"': r"\[memory\] error: no order up to 64 .*",
    '[memory]\nerror = "0 %"\n[signal]\nbandwidth = 1': r"\[memory\] error: 0 % is outside 1e-07 to 1000 %",
    '[memory]\nerror = "1 V"\n[signal]\nbandwidth = 1': r"\[memory\] error: '1 V' is in V; write a .*",
    MEMORY + "ordre = 3": r"unknown key 'ordre' in \[memory\]; known keys are error, order, theta",
    MEMORY + '"a\\nb" = 3': r"unknown key 'a\\nb' in \[memory\]; known keys are error, order, theta",
    MEMORY + "[memroy]\norder = 3": r"unknown table 'memroy'; known tables are memory, signal, .*",
    MEMORY + '["a\\nb"]\nc = 3': r"unknown table 'a\\nb'; known tables are memory, .*",
    "memory = 3": r"\[memory\] must be a table, not 3",
    "mismatch = 3": r"\[mismatch\] must be a table, not 3",
    MEMORY + '[signal]\nbandwidth = "1 s"': r"\[signal\] bandwidth: '1 s' is in s; write a number in Hz.*",
    MEMORY + "[signal]\nbandwidth = 0": r"\[signal\] bandwidth: 0 Hz is outside 1e-09 to 1e\+15 Hz",
    MEMORY + "[signal]\nbandwidth = -1": r"\[signal\] bandwidth: -1 Hz is outside .*",
    MEMORY + "[signal]\namplitude = 2e6": r"\[signal\] amplitude: 2e\+06 V is outside 1e-09 to 1e\+06 V",
    MEMORY + "[signal]\namplitude = nan": r"\[signal\] amplitude: nan is not finite; .*",
    MEMORY
    + '[signal]\nkind = "saw"': r"\[signal\] kind: unknown 'saw'; known are multitone, sine, noise, .*",
    MEMORY + "[signal]\nkind = 3": r"\[signal\] kind: unknown 3; known are .*",
    MEMORY + "[signal]\nfile = 3": r"\[signal\] file: a file name is text, not 3",
    MEMORY + "[signal]\ncolumn = 2": r"\[signal\] column: a column is the text of its header, or .* not 2",
    MEMORY + '[signal]\ncolumn = "u"': r"\[signal\] column: needs file, the recording that has it",
    MEMORY
    + "[signal]\nchannel = 0": r"\[signal\] channel: a channel is a whole number from 1 to 65535, not 0",
    MEMORY + "[signal]\nchannel = true": r"\[signal\] channel: a channel is a whole number .*, not True",
    MEMORY
    + "[signal]\ntones = []": r"\[signal\] tones: tones are a list of \[frequency, cosine amplitude, sine .*",
    MEMORY + "[signal]\ntones = 3": r"\[signal\] tones: tones are a list .*",
    MEMORY + "[signal]\ntones = [[1, 2]]": r"\[signal\] tones: a tone is \[frequency, .*\], not \[1, 2\]",
    MEMORY + "[signal]\ntones = [3]": r"\[signal\] tones: a tone is \[frequency, .*\], not 3",
    MEMORY + "[signal]\ntones = [[-1, 1, 1]]": r"\[signal\] tones: -1 Hz is outside 1e-09 to 1e\+15 Hz",
    MEMORY + "[signal]\ntones = [[0, 1, 1]]": r"\[signal\] tones: 0 Hz is outside 1e-09 to 1e\+15 Hz",
    MEMORY + "[signal]\ntones = [[1, 2e6, 1]]": r"\[signal\] tones: 2e\+06 V is outside -1e\+06 to 1e\+06 V",
    MEMORY + '[signal]\ntones = [["1 V", 1, 1]]': r"\[signal\] tones: '1 V' is in V; write a number in Hz.*",
    MEMORY + '[circuit]\nfamily = "gm-x"': r"\[circuit\] family: unknown 'gm-x'; known are active-rc, .*",
    MEMORY
    + '[circuit]\nfamily = ["active-rc"]': r"\[circuit\] family: unknown \['active-rc'\]; known are .*",
    MEMORY
    + '[circuit]\nrealization = "modal"': r"\[circuit\] realization: unknown 'modal'; known are legendre, .*",
    MEMORY + '[circuit]\nrealization = "unit-weight"': (
        r"\[circuit\] realization: active-rc cannot implement unit-weight; it takes cap-feedforward, legendre, .*"
    ),
    MEMORY
    + '[circuit]\ncapacitance = "1 pV"': r"\[circuit\] capacitance: '1 pV' is in V; write a number in F.*",
    MEMORY + "[circuit]\ncapacitance = 2": r"\[circuit\] capacitance: 2 F is outside 1e-18 to 1 F",
    MEMORY + '[circuit]\nopamp = "uA741"': r"\[circuit\] opamp: unknown op-amp 'uA741'; known are ideal, .*",
    MEMORY
    + "[circuit]\nopamp = 3": r"\[circuit\] opamp: a part's name or a table of figures is wanted, not 3",
    MEMORY
    + "[circuit]\nopamp = { gain = 1e5 }": r"\[circuit\] opamp: an op-amp table needs gain and gbw; gbw .*",
    MEMORY
    + "[circuit]\nopamp = { gain = 1e5, gbw = 1e6, x = 1 }": r"\[circuit\] opamp: unknown op-amp figure.*",
    MEMORY + '[circuit]\nopamp = "MCP6004"\nsupply = "5 V"': (
        r"\[circuit\] opamp: MCP6004 runs from 1\.8 to 6 V in total; \[circuit\] supply gives 10 V in total; .*"
    ),
    MEMORY + '[circuit]\nsupply = "5 A"': r"\[circuit\] supply: '5 A' is in A; write a number in V.*",
    MEMORY + "[circuit]\nsupply = 1e7": r"\[circuit\] supply: 1e\+07 V is outside 0\.001 to 1e\+06 V",
    MEMORY + '[circuit]\nheadroom = "100 %"': r"\[circuit\] headroom: 100 % is outside 0 to 99 %",
    MEMORY + "[circuit]\nparts = 3": r"\[circuit\] parts: a file name is text, not 3",
    MEMORY
    + '[circuit]\nparts = "none.toml"': r"\[circuit\] parts: .*none.toml: no such file; give a file of parts",
    MEMORY + '[circuit]\nscaling = "l2"': r"\[circuit\] scaling: unknown 'l2'; known are peak, l1, h2",
    MEMORY + "[circuit]\npredistort = true": r"\[circuit\] predistort: unknown True; known are none, gbw",
    MEMORY + '[circuit]\nvalues = "E3"': r"\[circuit\] values: unknown 'E3'; known are exact, E6, E12, .*",
    MEMORY + '[circuit]\npairs = "1 V"': r"\[circuit\] pairs: '1 V' is in V; write a fraction such as .*",
    MEMORY + "[circuit]\ntau = 0": r"\[circuit\] tau: 0 s is outside 1e-15 to 1e\+06 s",
    MEMORY
    + '[circuit]\nlevel = "gate"': r"\[circuit\] level: unknown 'gate'; known are behavioural, transistor",
    MEMORY + "[circuit]\nsecond_tau = -1": r"\[circuit\] second_tau: -1 s is outside 1e-15 to 1e\+06 s",
    MEMORY + '[circuit]\nclock = "1 s"': r"\[circuit\] clock: '1 s' is in s; write a number in Hz.*",
    MEMORY
    + "[circuit]\ntransconductor = 3": r"\[circuit\] transconductor: a table of figures is wanted, not 3",
    MEMORY + "[circuit.transconductor]\ngm = 1": r"\[circuit\] transconductor: unknown figure 'gm'; known .*",
    MEMORY
    + "[circuit.transconductor]\nlimit = 0": r"\[circuit\] transconductor: limit = 0; it must be positive",
    MEMORY + "[circuit]\ncrossbar = 3": r"\[circuit\] crossbar: a table of figures is wanted, not 3",
    MEMORY
    + "[circuit.crossbar]\noff = 1": r"\[circuit\] crossbar: unknown figure 'off'; known are on, ratio, wire",
    MEMORY
    + "[circuit.crossbar]\nratio = 1": r"\[circuit\] crossbar: ratio = 1; from 1\.01 to 1e\+09 is accepted",
    MEMORY
    + '[circuit.crossbar]\nwire = "1 V"': r"\[circuit\] crossbar: '1 V' is in V; write a number in Ohm.*",
    MEMORY
    + '[circuit]\nvariant = "x"': r"\[circuit\] variant: unknown 'x'; known are '', gyrator, no-derivative",
    MEMORY
    + "[circuit]\nohms = 3": r"unknown key 'ohms' in \[circuit\]; known keys are bias, capacitance, clock, .*",
    MEMORY
    + '[mismatch]\nresistors = "1 %"': r"\[mismatch\]: unknown class 'resistors'; known are resistor, .*",
    MEMORY
    + '[mismatch]\nresistor = "100 %"': r"\[mismatch\]: resistor: a tolerance of 100 % is outside 0 to 100 %; write .*",
    MEMORY + "[mismatch]\nresistor = nan": r"\[mismatch\]: resistor: nan is not finite; write a fraction.*",
    MEMORY + "[mismatch]\nresistor = { area = 1e-12 }": r"\[mismatch\] resistor: area or device without .*",
    MEMORY + '[mismatch]\ntau = { tolerance = "1 %", scale = "units" }': (
        r"\[mismatch\]: tau: scale is for resistor, capacitor, inductor, transconductor: they are .*"
    ),
    MEMORY + "[mismatch]\ngroup = 3": r"\[mismatch\] group: groups are tables of components and .*, not 3",
    MEMORY
    + "[circuit]\nvalues_fit = 'both'": r"\[circuit\] values_fit: unknown 'both'; known are common, joint",
    MEMORY + "[circuit]\nreadout = 'best'": (
        r"\[circuit\] readout: unknown '.*best'; give 'ideal', 'fitted', 'window', rows of .*"
    ),
    MEMORY + "[circuit]\nreadout = 3": r"\[circuit\] readout: 3 is no readout; give 'ideal', .*",
    MEMORY + "[circuit]\nreadout = [[1, 0], [0, 1]]": (
        r"\[circuit\] readout: 2 rows for 3 states; one row a state is wanted"
    ),
    MEMORY + "[circuit]\nreadout = [[1, 0], [0]]": (
        r"\[circuit\] readout: row 1 has 1 numbers, and there are 2 rows; one of each a state"
    ),
    MEMORY + "[circuit]\nreadout = [[1, 0, 0], [0, nan, 0], [0, 0, 1]]": (
        r"\[circuit\] readout: row 1: nan is no number from -1000 to 1000"
    ),
    MEMORY + "[circuit]\nreadout = [[1, 0, 0], [0, 1, 0], [0, 1e4, 1]]": (
        r"\[circuit\] readout: row 2: 10000\.0 is no number from -1000 to 1000"
    ),
    MEMORY + "[circuit]\nreadout = [[1, 0, 0], [0, 0, 0], [0, 0, 1]]": (
        r"\[circuit\] readout: row 1 has zeros alone; it would read nothing of the state m1"
    ),
    MEMORY + "[circuit]\nreadout = 'none.npy'": r"\[circuit\] readout: .*none\.npy: no such file; .*",
    MEMORY + "[mismatch]\npart = 3": r"\[mismatch\] part: parts are tables of components and .*, not 3",
    MEMORY + '[[mismatch.part]]\ncomponents = "Ra_*"': (
        r"\[mismatch\] part: a part is a table of components and tolerance, not {'components': 'Ra_\*'}"
    ),
    MEMORY + "[[mismatch.part]]\ncomponents = []\ntolerance = '1 %'": (
        r"\[mismatch\] part: a part without components; name some, for example .*"
    ),
    MEMORY + "[[mismatch.part]]\ncomponents = 'R*'\ntolerance = 1": (
        r"\[mismatch\] part: a tolerance of 100 % is outside 0 to 100 %; .*"
    ),
    MEMORY + '[[mismatch.group]]\ncomponents = "Ra_*"': (
        r"\[mismatch\] group: a group is a table of components and correlation, not {'components': 'Ra_\*'}"
    ),
    MEMORY + '[[mismatch.group]]\ncomponents = "Ra_*"\ncorrelation = 1.1': (
        r"\[mismatch\] group: correlation = 1\.1 is outside 0 to 1"
    ),
    MEMORY + "[[mismatch.group]]\ncomponents = []\ncorrelation = 1": (
        r"\[mismatch\] group: a group without components; name some, for example .*"
    ),
    MEMORY + "[mismatch]\nonly = 3": r"\[mismatch\] only: a pattern such as 'Ra_\*', or a list .*, not 3",
    MEMORY + '[mismatch]\nwithout = ["lot", ""]': r"\[mismatch\] without: a pattern has 1 to 100 char.*",
    MEMORY + '[drift]\nresistor = "1 K"': r"\[drift\]: resistor: '1 K' has no known unit .*; write a frac.*",
    MEMORY + '[drift]\nresistors = "1 ppm"': r"\[drift\]: unknown class 'resistors'; known are resistor, .*",
    MEMORY + "[drift]\ntau = { tc3 = 0 }": r"\[drift\]: tau: unknown key 'tc3'; known are tc1, tc2",
    MEMORY + '[drift]\ntau = "2 %"': r"\[drift\]: tau: tc1 = 0\.02/K, tc2 = 0/K\^2; at most 0\.01 and .*",
    "drift = 3": r"\[drift\] must be a table, not 3",
    MEMORY
    + '[circuit]\ntechnology = "cmos-7"': r"\[circuit\] technology: unknown technology 'cmos-7'; known .*",
    MEMORY + "[circuit]\ntechnology = 3": r"\[circuit\] technology: a technology is a name, not 3",
    MEMORY
    + '[circuit]\nbias = "battery"': r"\[circuit\] bias: unknown 'battery'; known are ideal, constant-gm, ptat",
    MEMORY + "[circuit]\npdk = 3": r"\[circuit\] pdk: a folder's name is text, not 3",
    MEMORY + '[circuit]\npdk = "."': r"\[circuit\] technology: there is none with transistor models; gf.*",
    MEMORY + "[circuit]\ntemperature = 85": r"\[circuit\] temperature: 85 K is outside 200 to 500 K; .*",
    MEMORY + '[circuit]\ntemperature = "85 F"': r"\[circuit\] temperature: '85 F' is in F; write a temp.*",
    MEMORY + '[circuit]\ntemperature = "85 C"': r"\[circuit\] temperature: needs coefficients: .*",
    MEMORY + "[circuit]\nleakage = 0": r"\[circuit\] leakage: 0 s is outside 1e-09 to 1e\+12 s",
    MEMORY + '[mismatch]\ntau = { sigma = "1 %" }': r"\[mismatch\]: tau: unknown key 'sigma'; known are .*",
    MEMORY + '[spec]\nnrmse = "5 V"': r"\[spec\] nrmse: '5 V' is in V; write a fraction.*",
    MEMORY + "[spec]\nnrmse = 0": r"\[spec\] nrmse: 0 % is outside 1e-07 to 1000 %",
    MEMORY + '[spec]\nyield = "99 %"': r"\[spec\] yield: needs nrmse, the limit that so many circuits .*",
    MEMORY + "[spec]\nnrmse = 0.1\nyield = 99": r"\[spec\] yield: 99 is 9900 %; write '99 %' or 0.99",
    MEMORY + "[spec]\nnrmse = 5": r"\[spec\] nrmse: 5 is 500 %; write '5 %' or 0.05",
    MEMORY + '[spec]\nnrmse = "5"': r"\[spec\] nrmse: '5' is 500 %; write '5 %' or 0.05",
    MEMORY + "[circuit]\nheadroom = 30": r"\[circuit\] headroom: 30 is 3000 %; write '30 %' or 0.3",
    "[memory]\nerror = 2\n[signal]\nbandwidth = 1": r"\[memory\] error: 2 is 200 %; write '2 %' or 0.02",
    MEMORY + "[spec]\nnrmse = 0.1\nyield = -0.1": r"\[spec\] yield: -10 % is outside 1e-07 to 100 %",
    MEMORY + "[spec]\nnrmse = 0.1\nyield = 0": r"\[spec\] yield: 0 % is outside 1e-07 to 100 %",
    MEMORY + '[spec]\nnrmse = 0.1\nyield = "9 V"': r"\[spec\] yield: '9 V' is in V; write a fraction.*",
    MEMORY
    + "[spec]\nyeild = 0.9": r"unknown key 'yeild' in \[spec\]; known keys are nrmse, tap_nrmse, yield",
    MEMORY + "[[circuit.output]]\nweights = [0, 0]": r"\[circuit\] output: weights must be finite, .*",
    MEMORY
    + "[circuit.element_values]\nRb_0 = '1 nF'": r"\[circuit\] element_values: Rb_0: '1 nF' is in F; write .* in Ohm.*",
    MEMORY
    + "[circuit.element_values]\nRb_0 = 0": r"\[circuit\] element_values: Rb_0 = 0 Ohm; it must be positive",
    MEMORY
    + "[circuit.element_values]\nUint_0 = 1": r"\[circuit\] element_values: 'Uint_0' is no component with a value; .*",
    MEMORY + "[circuit]\nelement_values = 3": r"\[circuit\] element_values: \{ Rb_0 = .* is wanted, not 3",
    MEMORY + "[circuit.output_levels]\nx0 = 0": r"\[circuit\] output_levels: x0 = 0; a level is 0\.1 to 10",
    MEMORY + "[circuit]\nreference = 'VEE'": r"\[circuit\] reference: unknown 'VEE'; known are ground, mid",
    MEMORY + "[circuit]\ninput = 3": r"\[circuit\] input: 'buffer', or .*, not 3",
    MEMORY + "[circuit]\nload = 'much'": r"\[circuit\] load: resistor: 'much' is not a quantity; .*",
    MEMORY + "[circuit]\ntaps = [1.5]": r"\[circuit\] taps: 1\.5 .*is outside 0 .*to 1.*",
    MEMORY
    + "[circuit]\ntaps = [1.0]\n[spec]\ntap_nrmse = 0": r"\[spec\] tap_nrmse: 0 % is outside 1e-07 to 1000 %",
    "[memory\norder = 3": r"is not valid TOML: .*line 1.*",
    "[memory]\norder = 3\norder = 4": r"is not valid TOML: Cannot overwrite a value.*",
    f"x = {'[' * 20000}": r"line 1 nests more than 16 deep; .*",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: re.sub(r"\W+", "-", text[-60:]))
def test_a_wrong_file_is_refused_in_one_line_with_file_table_and_key(written, text):
    path = written(text)
    with pytest.raises(DesignError) as refusal:  # noqa: PT011  # the whole text is matched below
        Design.load(path)
    assert re.fullmatch(re.escape(f"{path}: ") + REFUSED[text], str(refusal.value))
    assert len(str(refusal.value)) < 400 + len(str(path))


def test_every_key_has_a_wrong_value_in_the_table_above():
    wanted = {key.label for key in KEYS.values()}
    plain = [message.replace("\\", "") for message in REFUSED.values()]
    seen = {label for label in wanted for message in plain if message.startswith(f"{label}:")}
    assert seen == wanted


def test_what_is_no_design_file_is_refused(written, tmp_path):
    binary, huge = written(bytes(range(256)), "b.toml"), written(b"#" * (LARGEST_TOML + 1), "h.toml")
    for path, message in (
        (
            tmp_path / "none.toml",
            r"none\.toml: no such file; give a design file .lmu-analog new -o design\.toml writes one.$",
        ),
        (tmp_path, r": a folder, not a file; give a design file "),
        (binary, r"b\.toml: is not UTF-8 text; give a design file "),
        (huge, r"h\.toml: larger than 1 MB; give a design file .* of at most that size$"),
    ):
        with pytest.raises(DesignError, match=message):
            Design.load(path)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=60),
    st.sampled_from(["1 V", "ideal"]),
)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=60), inner, max_size=4),
)


@pytest.mark.parametrize("field", [f.name for f in fields(Design) if f.init])
@given(value=anything)
def test_any_value_makes_a_design_or_one_short_line(field, value):
    try:
        message = str(type(Design(**{"order": 3, "bandwidth": 1.0, field: value})).__name__)
    except DesignError as error:
        message = str(error)
    assert len(message.splitlines()) == 1
    assert len(message) < 400


# ---------------------------------------------------------------- digests


def test_the_digest_changes_with_every_field(written, tmp_path):
    other = {
        "order": 7,
        "theta": 2e-3,
        "bandwidth": 999.0,
        "amplitude": 0.26,
        "signal": "sine",
        "tones": ((100.0, 0.1, 0.0),),
        "file": written("0,0\n1,1\n", "u.csv"),
        "column": "2",
        "channel": 1,
        "family": "rc-synapse",
        "realization": "orthonormal",
        "capacitance": 471e-12,
        "opamp": "OPA1612",
        "parts": written("[P]\ngain = 100\ngbw = 1e6\nsupply = [5, 36]\n", "parts.toml"),
        "supply": 6.5,
        "headroom": 0.21,
        "scaling": "l1",
        "predistort": "gbw",
        "values": "E96",
        "values_fit": "joint",
        "pairs": 1e-3,
        "readout": "fitted",
        "tau": 21e-6,
        "second_tau": 5e-6,
        "transconductor": {"gain": "60 dB"},
        "crossbar": {"ratio": 20},
        "clock": 3e5,
        "level": "behavioural",
        "variant": "",
        "technology": "sky130",
        "pdk": fake_models(tmp_path / "models"),
        "bias": "ptat",
        "temperature": 350.0,
        "leakage": 1e3,
        "mismatch": {"resistor": 0.01},
        "groups": [{"components": "Ra_*", "correlation": 0.5}],
        "element_values": {"Ra_0_0": "10 kOhm"},
        "output_levels": {"x0": 0.93},
        "part_tolerances": [{"components": "Ra_*", "tolerance": "0.1 %"}],
        "only": "Ra_*",
        "without": "Ra_*",
        "drift": {"resistor": 1e-5},
        "nrmse": None,
        "wanted_yield": 0.99,
        "taps": [0.5],
        "outputs": [{"weights": [0.5] * IN_CODE.order}],
        "tap_nrmse": 0.03,
        "input_buffer": "buffer",
        "reference": "mid",
        "output_load": "10 kohm",
    }
    assert set(other) == {f.name for f in fields(Design) if f.init} - {"error"}
    # Without coefficients a temperature is refused, without a recording a column.
    needed = {"temperature": {"technology": "cmos-65"}}
    needed |= {name: {"file": other["file"]} for name in ("column", "channel")}
    needed["pdk"] = {"technology": "gf180mcu", "level": "behavioural"}
    needed["values_fit"] = {"values": "E96"}
    needed["bias"] = {
        "family": "gm-c", "realization": "ladder", "technology": "gf180mcu", "supply": 3.3, "signal": "multitone",
        "opamp": "ideal", "capacitance": None, "tau": None, "variant": "", "mismatch": {},
    }  # fmt: skip
    needed["tap_nrmse"] = {"taps": [1.0]}
    made = {name: {name: value, **needed.get(name, {})} for name, value in other.items()}
    digests = {IN_CODE.digest, *(IN_CODE.replace(**change).digest for change in made.values())}
    digests.add(
        IN_CODE.replace(technology="gf180mcu", level="behavioural").digest
    )  # with models and without them are two
    assert len(digests) == len(other) + 2
    # The error is told apart even where it chooses the same order.
    assert len({IN_CODE.replace(error=e).digest for e in (0.02, 0.021)}) == 2


@pytest.mark.parametrize("changed", [
    Tolerance(0.011, "uniform", 0.05), Tolerance(0.01, "gauss", 0.05), Tolerance(0.01, "uniform", 0.051),
    Tolerance(0.01, "uniform", 0.05, "units"),
])  # fmt: skip
def test_the_digest_changes_with_every_part_of_a_tolerance(changed):
    plain = IN_CODE.replace(mismatch={"resistor": Tolerance(0.01, "uniform", 0.05)})
    assert plain.replace(mismatch={"resistor": changed}).digest != plain.digest


def test_the_digest_follows_the_bytes_of_the_recording_and_not_its_name(written):
    first, copy = written("0,0\n1,1\n", "a.csv"), written("0,0\n1,1\n", "b.csv")
    design = Design(order=3, file=first)
    before = design.digest
    assert Design(order=3, file=copy).digest == before
    written("0,0\n1,2\n", "a.csv")
    assert Design(order=3, file=first).digest != before


def test_the_digest_does_not_follow_the_order_of_the_classes():
    one, two = {"resistor": "1 %", "tau": "2 %"}, {"tau": "2 %", "resistor": "1 %"}
    assert Design(order=3, mismatch=one).digest == Design(order=3, mismatch=two).digest


def test_the_digest_is_the_same_in_another_process(written):
    path = written(FULL)
    code = f"from lmu_analog.design import Design; print(Design.load({str(path)!r}).digest)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={"PYTHONHASHSEED": "7"},
    )
    assert done.stdout.strip() == IN_CODE.digest
    assert re.fullmatch("[0-9a-f]{64}", IN_CODE.digest)


def test_the_provenance_is_plain_data_that_traces_a_result():
    provenance = IN_CODE.provenance
    assert json.loads(json.dumps(provenance)) == provenance
    assert provenance["design"] == IN_CODE.digest
    assert provenance["order"] == 6
    assert math.isclose(provenance["theta"], 1e-3)
