"""Whatever is wrong with the input: a status, one message, and nothing left behind."""

import os
import re
import struct
import subprocess
import sys
import wave
from pathlib import Path

import pytest

from lmu_analog.cli import run_command
from lmu_analog.errors import LONGEST_LINE

SECONDS = "write a number in s such as '1.5 s' or '1.5 ms'"
HERTZ = "write a number in Hz such as '1.5 Hz' or '1.5 mHz'"
SHARE = "write a fraction such as '1 %', '500 ppm' or 0.01"
ROWS = "give rows of two numbers, seconds and volts"
INJECTION = r"x\n.control\nshell touch pwned\n.endc"
WANTED = "give a design file (lmu-analog new -o design.toml writes one)"
GOOD = '[memory]\norder = 3\ntheta = "1 ms"\n[mismatch]\nresistor = "1 %"\n'


@pytest.fixture
def attempt(tmp_path, monkeypatch, capsys):
    """Run a command; give status and message, having checked that nothing else came of it."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, **files):
        for name, content in files.items():
            path = tmp_path / name.replace("_", ".")
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        status = run_command([str(a) for a in arguments])
        shown = capsys.readouterr()
        assert shown.out == ""
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
        assert not any(path.is_dir() for path in tmp_path.iterdir())
        return status, shown.err.removesuffix("\n")

    return run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "[memory] order is missing: give order, or error together with [signal] bandwidth"),
        ("[memory]\norder = 0", "[memory] order: order 0 is outside 1 to 64"),
        ("[memory]\norder = 65", "[memory] order: order 65 is outside 1 to 64"),
        (
            "[memory]\norder = 1" + 400 * "0",
            "[memory] order: order a whole number of about 401 digits is outside 1 to 64",
        ),
        ("[memory]\norder = true", "[memory] order: order must be a whole number from 1 to 64, not True"),
        ("[memory]\norder = [3]", "[memory] order: order must be a whole number from 1 to 64, not [3]"),
        ("[memory]\norder = nan", "[memory] order: order must be a whole number from 1 to 64, not nan"),
        (
            "[memory]\norder = 3\norder = 4\n",
            "is not valid TOML: Cannot overwrite a value (at line 3, column 10)",
        ),
        ("[memory]\norder = 3\nerror = '1 %'", "[memory] has both order and error; give one of them"),
        ("[memory]\norder = 3\ntheta = '1 kHz'", f"[memory] theta: '1 kHz' is in Hz; {SECONDS}"),
        ("[memory]\norder = 3\ntheta = inf", f"[memory] theta: inf is not finite; {SECONDS}"),
        ("[memory]\norder = 3\ntheta = 0", "[memory] theta: theta = 0 s is outside 1e-12 to 1e+06 s"),
        ("[memory]\norder = 3\ntheta = {a = 1}", f"[memory] theta: {{'a': 1}} is not a quantity; {SECONDS}"),
        ("[memory]\nfoo = 1", "unknown key 'foo' in [memory]; known keys are error, order, theta"),
        ("memory = 3", "[memory] must be a table, not 3"),
        (
            f'["{INJECTION}"]\na = 1',
            r"unknown table 'x\n.control\nshell touch pwned\n.endc'; "
            "known tables are memory, signal, circuit, mismatch, drift, spec",
        ),
        (
            b"\xff\xfe" + "[memory]".encode("utf-16-le"),
            f"is not UTF-8 text; {WANTED}",
        ),
        (
            "#" + 1_000_001 * "x",
            f"larger than 1 MB; {WANTED} of at most that size",
        ),
        (
            "a = " + 20_000 * "[",
            f"line 1 nests more than 16 deep; {WANTED}",
        ),
        (
            f"{GOOD}[signal]\nkind = 'saw'",
            "[signal] kind: unknown 'saw'; known are multitone, sine, noise, step, chirp",
        ),
        (f"{GOOD}[signal]\namplitude = -1", "[signal] amplitude: -1 V is outside 1e-09 to 1e+06 V"),
        (f"{GOOD}[signal]\nbandwidth = '1 ms'", f"[signal] bandwidth: '1 ms' is in s; {HERTZ}"),
        (f"{GOOD}[signal]\ntones = [[nan, 1, 0]]", f"[signal] tones: nan is not finite; {HERTZ}"),
        (
            f"{GOOD}[signal]\ntones = [[1000, 0, 0]]",
            "[signal] tones: all amplitudes are zero; an error relative to zero has no meaning",
        ),
        (
            f"{GOOD}[signal]\ntones = [1]",
            "[signal] tones: a tone is [frequency, cosine amplitude, sine amplitude], not 1",
        ),
        (
            f"{GOOD}[circuit]\nfamily = 'rc-synapse'\nrealization = 'legendre'",
            "[circuit] realization: rc-synapse cannot implement legendre",
        ),
        (f"{GOOD}[circuit]\ncapacitance = 2", "[circuit] capacitance: 2 F is outside 1e-18 to 1 F"),
        (
            f"{GOOD}[circuit]\nsupply = 100\nopamp = 'OPA2192'",
            "[circuit] opamp: OPA2192 runs from 4.5 to 36 V in total; [circuit] supply gives 200 V in total; "
            "lmu-analog parts lists what others run from",
        ),
        (
            f"{GOOD}[circuit]\nopamp = {{gain = 1e5, gbw = 1e6, offset = 1e300}}",
            "[circuit] opamp: op-amp offset = 1e+300; at most 1e+06 is accepted",
        ),
        (f"{GOOD}[spec]\nnrmse = 0", "[spec] nrmse: 0 % is outside 1e-07 to 1000 %"),
        (
            "[mismatch]\nresistor = '100 %'",
            "[mismatch]: resistor: a tolerance of 100 % is outside 0 to 100 %; write for example '1 %' or 0.01",
        ),
        ("[mismatch]\nresistor = '1 kOhm'", f"[mismatch]: resistor: '1 kOhm' is in Ohm; {SHARE}"),
        (
            "[mismatch]\nwire = '1 %'",
            "[mismatch]: unknown class 'wire'; "
            "known are resistor, capacitor, inductor, transconductor, tau, opamp",
        ),
        (
            "[mismatch]\nresistor = {tolerance = '1 %', distribution = 'cauchy'}",
            "[mismatch]: resistor: unknown distribution 'cauchy'; "
            "known are gauss3, gauss, uniform, lognormal",
        ),
    ],
)
def test_a_wrong_design_is_one_line_that_names_file_and_key(attempt, text, message):
    status, said = attempt("simulate", "d.toml", d_toml=text)
    # What a family can implement grows; the line may go on with it.
    if "cannot implement" in message:
        said = said[: len(f"lmu-analog: d.toml: {message}")]
    assert (status, said) == (2, f"lmu-analog: d.toml: {message}")


def test_a_design_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path, capsys):
    path = tmp_path / "d.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert run_command(["simulate", str(path), "--json"]) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simulate", "d.toml", "--sample", "9" * 40], f"sample {'9' * 40} is no whole number"),
        (
            ["simulate", "d.toml", "--sample", "1", "--seed", "9" * 999],
            "seed a whole number of about 1000 digits is no",
        ),
        (["netlist", "d.toml", "-o", "x", "--samples", f"0:{'9' * 5000}"], "--samples '0:99999999999999"),
        (["netlist", "d.toml", "-o", "x", "--samples", "99999998:99999999"], "sample 99999998 is no whole"),
        (
            ["spiking", "--order", "3", "--neurons", "30", "--seed", "-1"],
            "seed -1 is no whole number from 0 to",
        ),
        (
            ["spiking", "--order", "3", "--neurons", "9" * 30],
            f"{'9' * 30} neurons for order 3: at least one a",
        ),
        (["calibrate", "d.toml", "--elements", "9" * 30], f"{'9' * 30} elements; 1 to 1000 are accepted"),
        (
            ["montecarlo", "d.toml", "-o", "x.zarr", "-n", "9" * 30],
            f"{'9' * 30} samples; a whole number from 1 to",
        ),
        (["simulate", "x" * 300], "give a design file"),
        (["simulate", "x" * 300, "--plot", "x" * 300 + ".svg"], ""),
        (["netlist", "d.toml", "-o", "x" * 300], "File name too long"),
        (
            ["montecarlo", "d.toml", "-o", "x" * 300, "-n", "3"],
            "File name too long; give another file or folder",
        ),
        (["report", "d.toml", "-o", "x" * 300], "File name too long"),
        (["run", "d.toml", "-o", "x" * 300], "File name too long"),
    ],
    ids=range(14),
)
def test_endless_numbers_and_names_are_one_short_line(attempt, arguments, message):
    status, said = attempt(*arguments, d_toml=GOOD)
    assert status == 2
    assert message in said
    assert len(said) < 2 * LONGEST_LINE
    assert "\n" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["simulate", "no.toml"],
            f"no.toml: no such file; {WANTED}",
        ),
        (
            ["simulate", "."],
            f".: a folder, not a file; {WANTED}",
        ),
        (
            ["simulate", "/dev/zero"],
            f"/dev/zero: a device, not a file; {WANTED}",
        ),
        (["simulate", "d.toml", "--sample", "-1"], "sample -1 is no whole number from 0 to 9999999"),
        (
            ["simulate", "d.toml", "--input", "x.csv"],
            "[signal] file: x.csv: no such file; give a .csv or .wav",
        ),
        (
            ["simulate", "d.toml", "--input", ""],
            "[signal] file: .: a folder, not a file; give a .csv or .wav",
        ),
        (
            ["simulate", "d.toml", "--plot", "no/x.svg"],
            "--plot no/x.svg: a file in an existing folder that ends in .svg, .png, .pdf is wanted",
        ),
        (["netlist", "d.toml", "-o", "."], ". is a folder; give the name of a file in it"),
        (["netlist", "d.toml", "-o", "no/a.cir"], "no/a.cir cannot be written: No such file or directory"),
        (["netlist", "d.toml", "-o", "d.toml"], "-o d.toml is the design file itself; give another name"),
        (["report", "d.toml", "-o", "./d.toml"], "-o d.toml is the design file itself; give another name"),
        (
            ["netlist", "d.toml", "--samples", "2:1"],
            "--samples '2:1': two rising numbers A:B are wanted, for example 0:100",
        ),
        (
            ["netlist", "d.toml", "--samples", "0:200000"],
            "200000 decks are more than 100000; give a shorter range",
        ),
        (
            ["netlist", "d.toml", "--sample", "1", "--samples", "0:2"],
            "both --sample and --samples are given; give one of them",
        ),
        (
            ["netlist", "d.toml", "--samples", "0:2", "-o", "d.toml"],
            "-o d.toml is the design file itself; give another name",
        ),
        (
            ["montecarlo", "d.toml", "-n", "0", "-o", "r"],
            "0 samples; a whole number from 1 to 10000000 is accepted",
        ),
        (
            ["montecarlo", "d.toml", "--workers", "0", "-o", "r"],
            "0 workers; a whole number from 1 to 1024 is accepted",
        ),
        (
            ["montecarlo", "d.toml", "--seed", "-1", "-o", "r"],
            "seed -1 is no whole number from 0 to 2^63 - 1",
        ),
        (
            ["montecarlo", "d.toml", "--until", "p99 +- 1 %", "-o", "r"],
            "until 'p99 +- 1 %': one of yield, mean, median, p05, p95 and a half width are wanted, "
            "for example 'p95 +-2 %'",
        ),
        (
            ["montecarlo", "d.toml", "-o", "r", "--resume"],
            "r does not exist; make it with lmu-analog montecarlo",
        ),
        (
            ["montecarlo", "d.toml", "-o", "d.toml"],
            "d.toml exists; give another name, or --resume to continue it",
        ),
        (
            ["montecarlo", "d.toml", "-o", "d.toml", "--resume"],
            "d.toml is no Monte Carlo run of this program",
        ),
        (
            ["report", "d.toml", "-o", "r.html", "--run", "d.toml"],
            "d.toml is no Monte Carlo run of this program",
        ),
        (["derive", "--order", "65"], "order 65 is outside 1 to 64"),
        (
            ["derive", "--order", "3", "--json", "--latex"],
            "both --json and --latex are given; give one of them",
        ),
        (["new", "-o", "d.toml"], "d.toml exists; give another name, or remove it first"),
        (["new", "-o", "n.toml", "--theta", "1 kHz"], f"[memory] theta: '1 kHz' is in Hz; {SECONDS}"),
        (
            ["new", "-o", "n.toml", "--error", "1 %", "--order", "3"],
            "both --order and --error are given; the error chooses the order, give one of them",
        ),
        (["new"], "Missing option '-o' / '--output'. (see lmu-analog --help)"),
        (["new", "--nonsense"], "No such option: --nonsense (see lmu-analog --help)"),
    ],
)
def test_a_wrong_argument_is_one_line_that_names_it(attempt, arguments, message):
    assert attempt(*arguments, d_toml=GOOD) == (2, f"lmu-analog: {message}")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("0,1\n", "r.csv: 1 rows of data; give at least two rows of two numbers, seconds and volts"),
        ("0,1\n1,2,3\n", f"r.csv, line 2: 3 cells, and 2 in the rows above; {ROWS}"),
        (
            "t,v\n0,1\n0,2\n",
            "r.csv, line 3: time does not rise, 0 s after 0 s; sort the rows and keep one for each time",
        ),
        ("0,1\n1,nan\n", f"r.csv, line 2: 'nan' is not finite; {ROWS}"),
        ("0,1\n1,1e7\n", "r.csv, line 2: 1e+07 V is out of range; give numbers up to 1e+06 V"),
        ("", f"r.csv: no rows of numbers; {ROWS}"),
        ("seconds,volts\n", f"r.csv: no rows of numbers; {ROWS}"),
        ("0,0\n1,0\n", "r.csv: the recording is zero throughout; an error relative to it has no meaning"),
        (b"\0\1\2", f"r.csv: no text in UTF-8, UTF-16 or cp1252; {ROWS}"),
        (
            "0,0\n1e6,1\n",
            "[signal] too long: 1e+09 windows of theta, 400000 points; at order 3 at most 2.5e+04 windows "
            "and 819672 points are accepted: cut or thin it",
        ),
    ],
)
def test_a_wrong_recording_is_one_line_that_names_file_and_row(attempt, content, message):
    label = "" if message.startswith("[signal]") else "[signal] file: "
    said = attempt("simulate", "d.toml", "--input", "r.csv", d_toml=GOOD, r_csv=content)
    assert said == (2, f"lmu-analog: {label}{message}")


def test_a_stereo_recording_wants_a_channel(attempt, tmp_path):
    with wave.open(str(tmp_path / "r.wav"), "wb") as file:
        file.setparams((2, 2, 48000, 0, "NONE", ""))
        file.writeframes(struct.pack("<4h", 1, 2, 3, 4))
    status, said = attempt("simulate", "d.toml", "--input", "r.wav", d_toml=GOOD)
    message = "[signal] file: r.wav: 2 channels; choose one with --channel, from 1 to 2"
    assert (status, said) == (2, f"lmu-analog: {message}")


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (
            "tones = [[1000, 1, 0], [1000, 0, 1]]",
            "[signal] tones: tones need positive, distinct frequencies, got 1000, 1000 Hz",
        ),
        (
            "tones = [[1000, 1, 0], [1414.2135623730951, 1, 0]]",
            "tones at 1000, 1414.21 Hz do not repeat within 1000 periods of the lowest; "
            "choose multiples of one common frequency",
        ),
        (
            "tones = [[1, 1, 0], [100000, 1, 0]]",
            "tones at 1, 100000 Hz: the highest turns 100000 times in a common period, "
            "at most 20000 are supported; choose them closer",
        ),
        (
            f"tones = {[[float(k), 0.01, 0.0] for k in range(1, 2001)]}",
            "[signal] tones: 2000 tones; at most 1000 are accepted",
        ),
    ],
    ids=["equal", "irrational", "far apart", "too many"],
)
def test_tones_that_no_simulation_can_serve_are_refused(attempt, signal, message):
    text = f"{GOOD}[signal]\n{signal}\n"
    assert attempt("simulate", "d.toml", d_toml=text) == (2, f"lmu-analog: {message}")


@pytest.mark.parametrize("command", [["netlist"], ["run", "-n", "2", "-o", "results"]])
@pytest.mark.ngspice
def test_a_deck_that_would_run_for_hours_is_refused(attempt, command):
    text = f"{GOOD}[signal]\nbandwidth = 1e-3\n"
    name, *options = command
    status, said = attempt(name, "d.toml", *options, d_toml=text)
    assert status == 2
    assert said == (
        "lmu-analog: [signal] is too slow, fast or long beside theta = 0.001 s: "
        "a deck would take 5.6e+09 steps, at most 2e+07 are accepted at order 3; "
        "bring theta and the signal's times closer, or use the exact engine"
    )


def test_an_unstable_circuit_has_failed_and_is_no_wrong_input(attempt):
    text = f"{GOOD}[circuit]\nopamp = {{gain = '106 dB', gbw = '1 Hz'}}\n"
    status, said = attempt("simulate", "d.toml", d_toml=text)
    assert status == 1
    assert said.startswith("lmu-analog: the circuit is unstable: a pole has the real part ")


@pytest.mark.parametrize(
    "circuit",
    [
        f'opamp = "{INJECTION}"',
        f'opamp = {{gain = 1e5, gbw = 1e6, name = "{INJECTION}"}}',
        f'opamp = {{gain = "{INJECTION}", gbw = 1e6}}',
        f'family = "{INJECTION}"',
        f'realization = "{INJECTION}"',
        f'variant = "{INJECTION}"',
        f'capacitance = "{INJECTION}"',
    ],
)
def test_text_of_a_design_never_reaches_a_deck(attempt, circuit):
    status, said = attempt("netlist", "d.toml", "-o", "a.cir", d_toml=f"{GOOD}[circuit]\n{circuit}\n")
    assert status == 2
    assert said.startswith("lmu-analog: d.toml: [circuit] ")
    assert "\n" not in said


def test_a_message_has_at_most_three_readable_lines(attempt):
    for name in (5000 * "x", "a\nb\nc\nd\ne.toml", "\x1b[2J\x07.toml"):
        status, said = attempt("simulate", name)
        assert status == 2
        assert len(said.splitlines()) <= 3
        assert all(line.isprintable() and len(line) < LONGEST_LINE + 20 for line in said.splitlines())


def test_a_recording_with_an_endless_name_is_refused(attempt):
    status, said = attempt("simulate", "d.toml", "--input", f"{5000 * 'x'}.csv", d_toml=GOOD)
    assert status == 2
    assert said.endswith("cannot be read (File name too long); give a .csv or .wav")


@pytest.mark.parametrize("library", ["/nowhere/libngspice.so", __file__, str(Path(__file__).parent)])
def test_a_library_that_is_none_is_said_with_what_to_do(attempt, monkeypatch, library):
    monkeypatch.setenv("NGSPICE_LIBRARY_PATH", library)
    for command in (["simulate"], ["montecarlo", "-n", "2", "-o", "r.zarr"]):
        status, said = attempt(command[0], "d.toml", "--engine", "ngspice", *command[1:], d_toml=GOOD)
        assert status == 1
        assert said.startswith(f"lmu-analog: NGSPICE_LIBRARY_PATH={library} is no shared library; ")
        assert "apt-get install ngspice" in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_under_stdout_is_one_line():
    command = [sys.executable, "-m", "lmu_analog.cli", "families"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "lmu-analog: cannot write: No space left on device\n")


def test_a_reader_who_leaves_early_sees_no_traceback():
    command = [sys.executable, "-m", "lmu_analog.cli", "derive", "--order", "30", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert (process.returncode, said) == (1, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["netlist", "d.toml", "-o", "pipe"],
        ["report", "d.toml", "-o", "pipe"],
        ["export", "d.toml", "--to", "bom", "-o", "pipe"],
        ["draw", "d.toml", "-o", "pipe.svg"],
        ["simulate", "d.toml", "--plot", "pipe.svg"],
    ],
)
def test_a_pipe_as_an_output_is_refused_and_stays_one(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    Path("d.toml").write_text(GOOD)
    for name in ("pipe", "pipe.svg"):
        os.mkfifo(name)
    assert run_command(arguments) == 2
    assert re.search(
        r"pipe(\.svg)? is a pipe, not a file; give the name of a file\n$", capsys.readouterr().err
    )
    assert Path("pipe").is_fifo()
    assert Path("pipe.svg").is_fifo()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d.toml", "pipe", "pipe.svg"]


def test_a_name_that_leads_in_a_circle_is_one_line(attempt, tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    for arguments in (
        ["simulate", "loop"],
        ["netlist", "d.toml", "-o", "loop"],
        ["netlist", "loop", "-o", "d.toml"],
    ):
        status, said = attempt(*arguments, d_toml=GOOD)
        assert status == 2
        assert "Too many levels of symbolic links" in said
