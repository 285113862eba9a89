"""The digital readout: what a C compiler makes of it is what NumPy says, within the errors that it states."""

import re
import shutil
import subprocess

import numpy as np
import pytest
from scipy.special import eval_sh_legendre

from lmu_analog.analysis.calibration_file import Correction
from lmu_analog.building import build
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.output.export.formats import export
from lmu_analog.output.export.readout import BITS, POINTS, fixed_point, header, read_points, readout
from lmu_analog.spice.deck import expression

DESIGN = Design(order=6, theta="1 ms", opamp="OPA2192")
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no C compiler")
MAIN = """
#include <stdio.h>
#include "readout.h"
int main(void)
{
    float state[LMU_READOUT_STATES], window[LMU_READOUT_POINTS];
    int16_t code[LMU_READOUT_STATES];
    int32_t found[LMU_READOUT_POINTS];
    int kind, j, k, value;
    while (scanf("%d", &kind) == 1) {
        for (j = 0; j < LMU_READOUT_STATES; j++)
            if (kind == 0) { if (scanf("%f", &state[j]) != 1) return 1; }
            else { if (scanf("%d", &value) != 1) return 1; code[j] = (int16_t)value; }
        if (kind == 0) lmu_readout(state, window);
        if (kind == 12) lmu_readout_q12(code, found);
        if (kind == 16) lmu_readout_q16(code, found);
        for (k = 0; k < LMU_READOUT_POINTS; k++)
            if (kind == 0) printf("%.9g ", (double)window[k]); else printf("%ld ", (long)found[k]);
        printf("\\n");
    }
    return 0;
}
"""
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
CASES = [
    *({"order": order, "realization": "legendre"} for order in (3, 6, 12, 24)),
    {"realization": "balanced", "order": 12},
    {"family": "active-rc-differential"},
    {"family": "passive-rlc"},
    {"family": "dpi", "order": 4},
]


def compiled(design, folder, points=POINTS, *, correction=None):
    """Compile a design's header without a warning; give the readout, and a function that runs the program."""
    circuit = build(design)
    found = readout(design, circuit, points, correction=correction)
    (folder / "readout.h").write_text(header(design, circuit, found))
    (folder / "main.c").write_text(MAIN)
    subprocess.run([COMPILER, *STRICT, "main.c", "-o", "main"], cwd=folder, check=True)

    def run(kind, states):
        text = "\n".join(f"{kind} " + " ".join(map(str, row)) for row in np.asarray(states).tolist())
        done = subprocess.run([folder / "main"], input=text, capture_output=True, text=True, check=True)
        return np.array([[float(x) for x in line.split()] for line in done.stdout.splitlines()])

    return found, run


@pytest.mark.parametrize("family", FAMILIES)
def test_the_matrix_is_the_probes_of_the_deck_times_shifted_legendre_polynomials(family):
    """Read the probes from their text, as they stand in the deck, and the polynomials from SciPy."""
    design = DESIGN.replace(family=family, order=4)
    circuit = build(design)
    found = readout(design, circuit, (0.0, 0.3, 1.0))
    vectors = np.random.default_rng(0).normal(size=found.matrix.shape[1])
    volts = {}
    for name, value in zip(found.channels, vectors, strict=True):
        nets = re.fullmatch(r"([vi])\((\w+),?(\w*)\)", name)
        volts |= {f"{nets[1]}({nets[2]})": value, f"{nets[1]}({nets[3]})": 0.0}
    states = [
        sum(
            float(f) * volts[v]
            for f, v in re.findall(r"(-?[0-9.e+-]+)\*([vi]\(\w+\))", text.replace("- ", "-"))
        )
        for text in map(expression, circuit.probes)
    ]
    wanted = [sum(eval_sh_legendre(i, r) * m for i, m in enumerate(states)) for r in found.r]
    # Sums of four terms; rounding alone.
    np.testing.assert_allclose(found.matrix @ vectors, wanted, rtol=1e-12, atol=1e-12 * np.abs(wanted).max())


def test_a_slow_tone_comes_out_delayed():
    """The nets of the circuit itself, not its states: at a hundredth of the band truncation is far below 1e-6."""
    circuit, f = build(DESIGN.replace(opamp="ideal")), 0.01 * DESIGN.bandwidth
    found = readout(DESIGN, circuit)
    response = frequency_response(extract(circuit), np.array([f]))[0]
    volts = [m / probe[0].factor for m, probe in zip(response, circuit.probes, strict=True)]
    assert found.channels == tuple(f"v(x{i})" for i in range(6))
    delayed = np.exp(-2j * np.pi * f * DESIGN.theta * found.r)
    np.testing.assert_allclose(found.matrix @ np.array(volts), delayed, atol=1e-6)


def test_nets_that_are_read_against_each_other_are_one_channel_of_twice_the_range():
    design = DESIGN.replace(family="switched-capacitor", order=3)
    found = readout(design, build(design))
    assert found.channels == ("v(x0p,x0n)", "v(x1p,x1n)", "v(x2p,x2n)")
    np.testing.assert_array_equal(found.full_scale, 2.0 * design.supply)
    assert "States are valid at multiples of" in header(design, build(design), found)


def test_the_full_scale_of_a_current_holds_the_worst_sine_of_the_band():
    design = DESIGN.replace(family="passive-rlc", order=3)
    circuit = build(design)
    found = readout(design, circuit)
    assert (found.channels, found.units) == (("v(n0)", "i(v_1)", "v(n2)"), ("V", "A", "V"))
    response = frequency_response(extract(circuit), np.linspace(0.0, design.bandwidth, 997))
    largest = np.abs(response[:, 1]).max() / abs(circuit.probes[1][0].factor) * design.full_scale
    # 30 % headroom, and two digits of the figure.
    assert found.full_scale[1] == pytest.approx(largest / 0.7, rel=0.05)


@needs_compiler
@pytest.mark.parametrize("changes", CASES)
def test_compiled_float_and_fixed_point_keep_the_errors_that_they_state(changes, tmp_path):
    keeps_its_errors(*compiled(DESIGN.replace(**changes), tmp_path))


@needs_compiler
def test_a_calibrated_readout_subtracts_its_offset_in_c_too(tmp_path):
    random = np.random.default_rng(2)
    correction = Correction(np.eye(8, 6) + 0.01 * random.normal(size=(8, 6)), 1e-3 * random.normal(size=6))
    found, run = compiled(DESIGN, tmp_path, correction=correction)
    assert found.offset.all()
    keeps_its_errors(found, run)


def keeps_its_errors(found, run):
    """Run random states within the rails through all three functions."""
    random = np.random.default_rng(1)
    states = found.full_scale * random.uniform(-1.0, 1.0, (200, len(found.channels)))
    exact = states @ found.matrix.T + found.offset
    apart = np.abs(run(0, states) - exact).max()
    assert apart < 1e-6 * np.abs(exact).max()
    assert apart < found.float_error
    for bits in BITS:
        fixed, step = fixed_point(found, bits), found.full_scale / 2 ** (bits - 1)
        codes = np.clip(np.rint(states / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).astype(int)
        got = run(bits, codes)
        sums = codes @ fixed.matrix.T + fixed.offset
        np.testing.assert_array_equal(got, np.sign(sums) * (np.abs(sums) >> fixed.cut))
        volts = got * fixed.unit
        assert (np.abs(volts - (codes * step) @ found.matrix.T - found.offset) <= fixed.code_error).all()
        inside = (states <= found.full_scale - step / 2).all(axis=1)
        assert inside.sum() > 150
        assert (np.abs(volts - exact) <= fixed.error)[inside].all()


@needs_compiler
@pytest.mark.parametrize("order", [6, 24])
@pytest.mark.parametrize("bits", BITS)
def test_the_stated_errors_are_reached_and_not_much_too_large(order, bits, tmp_path):
    """Take the worst of each row: largest codes, signed as its weights are rounded, half a code from the volts."""
    found, run = compiled(DESIGN.replace(order=order, realization="legendre"), tmp_path)
    fixed, top = fixed_point(found, bits), 2 ** (bits - 1)
    step = found.full_scale / top
    missed = found.matrix * step - fixed.matrix * fixed.unit / 2**fixed.cut
    codes = np.where(missed > 0.0, 1 - top, top - 1)
    volts = np.diag(run(bits, codes) * fixed.unit)
    by_codes = np.abs(volts - np.diag((codes * step) @ found.matrix.T))
    by_volts = np.abs(volts - np.diag(((codes - 0.4999 * np.sign(found.matrix)) * step) @ found.matrix.T))
    # What is missing is one code of 2^11 or more, and the bits that are cut off.
    for reached, bound in ((by_codes, fixed.code_error), (by_volts, fixed.error)):
        assert (reached <= bound).all()
        assert reached.max() > 0.99 * bound.max()


def test_the_stated_figures_in_the_header_are_the_bounds():
    found = readout(DESIGN, build(DESIGN))
    text = header(DESIGN, build(DESIGN), found)
    for bits in BITS:
        fixed = fixed_point(found, bits)
        stated = re.search(
            rf"Fixed point, {bits} bits.*?most ([0-9.e-]+) V.*?most ([0-9.e-]+) V", text, re.DOTALL
        )
        for figure, bound in zip(stated.groups(), (fixed.code_error, fixed.error), strict=True):
            assert bound.max() <= float(figure) <= 1.01 * bound.max()


def test_files_hold_the_same_matrix(tmp_path):
    found = readout(DESIGN, build(DESIGN), (0.0, 0.5, 1.0))
    for name in ("r.csv", "r.npy", "r.npz"):
        export(DESIGN, "readout", tmp_path / name, points=(0.0, 0.5, 1.0))
    table = np.loadtxt(tmp_path / "r.csv", delimiter=",", skiprows=1)
    assert (tmp_path / "r.csv").read_text().splitlines()[0] == "r,v(x0),v(x1),v(x2),v(x3),v(x4),v(x5)"
    np.testing.assert_array_equal(table, np.column_stack([found.r, found.matrix]))
    np.testing.assert_array_equal(np.load(tmp_path / "r.npy"), found.matrix)
    with np.load(tmp_path / "r.npz") as stored:
        np.testing.assert_array_equal(stored["matrix"], found.matrix)
        assert stored["design"] == DESIGN.digest
        assert list(stored["channels"]) == list(found.channels)


def test_the_command_writes_the_delays_and_the_full_scale_that_are_asked_for(tmp_path):
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\ntheta = "1 ms"\n')
    command = ["export", str(tmp_path / "d.toml"), "--to", "readout", "-o", str(tmp_path / "r.h")]
    assert run_command([*command, "--points", "0,0.25", "--full-scale", "2.5 V"]) == 0
    text = (tmp_path / "r.h").read_text()
    assert "lmu_readout_r[LMU_READOUT_POINTS] = {0.0f, 0.25f};" in text
    assert "state[0] v(x0), full scale +-2.5 V" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--points", "0,2"], "--points '0,2': numbers from 0 to 1 with commas are wanted, such as 0,0.5,1"),
        (["--points", "nan"], "--points 'nan': numbers from 0 to 1"),
        (["--points", ""], "--points '': numbers from 0 to 1"),
        (["--full-scale", "0 V"], "--full-scale 0 V: above 0 and at most 1e+06 V are accepted"),
        (["--full-scale", "5 A"], "--full-scale: '5 A'"),
        (
            ["--sample", "3"],
            "--sample: the readout of every mismatch sample is the nominal one; leave it out",
        ),
        (["-o", "r.txt"], "-o r.txt: readout files end in .csv, .npy, .npz, .h; give such a name"),
        (["--to", "bom", "--points", "0"], "--points: only readout takes it; leave it out"),
    ],
)
def test_what_cannot_be_written_is_refused_in_a_line(options, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.toml").write_text('[memory]\norder = 2\ntheta = "1 ms"\n')
    assert run_command(["export", "d.toml", "--to", "readout", "-o", "r.h", *options]) == 2
    assert message in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["d.toml"]


def test_more_delays_than_a_window_needs_are_refused():
    with pytest.raises(DesignError, match="10001 delays; at most 10000 are accepted"):
        read_points(",".join(["0"] * 10_001))
