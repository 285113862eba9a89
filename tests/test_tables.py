"""Tables as instruments, spreadsheets and simulators write them read back the same, or are refused in one line."""

import csv
import io
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.cli import run_command
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.networks.sequences import read_sequence
from lmu_analog.recording import read
from lmu_analog.simulation import simulate
from lmu_analog.tables import (
    ampere_scale,
    looks_like_number,
    read_table,
    split_heading,
    time_scale,
    volt_scale,
)

STEP = 5e-5  # s
VALUES = [round(0.1 + 0.3 * np.sin(0.13 * k), 6) for k in range(60)]  # V
DESIGN = Design(order=4, theta="1 ms", bandwidth="1 kHz")


def rows(separator=",", *, time=1.0, volt=1.0, ends="", mark=".", form="{:.9g}"):
    """Write the signal, in units of so many seconds and volts."""
    lines = [
        separator.join(form.format(x).replace(".", mark) for x in (k * STEP / time, v / volt)) + ends
        for k, v in enumerate(VALUES)
    ]
    return "\n".join(lines) + "\n"


def numbered(separator=",", ends=""):
    return "".join(f"{k}{separator}{v:.6e}{ends}\n" for k, v in enumerate(VALUES))


def beside(keys):
    """Write keys in three columns beside the numbers, as one maker does."""
    lines = []
    for k, line in enumerate(rows().splitlines()):
        lines.append((",".join(keys[k]) if k < len(keys) else ",") + ",," + line + ",")
    return "\n".join(lines) + "\n"


REFERENCE = "time,volts\n" + rows()
KINDS = {
    "milliseconds and millivolts": "Time (ms),Voltage (mV)\n" + rows(time=1e-3, volt=1e-3),
    "units in brackets, semicolons": "t[us];u[V]\n" + rows(";", time=1e-6),
    "the micro sign": "t [\u00b5s],u [\u00b5V]\n" + rows(time=1e-6, volt=1e-6, form="{:.12g}"),
    "units behind a comma": '"Time, ms","Channel 1, mV"\n' + rows(time=1e-3, volt=1e-3),
    "units behind a slash": "t/ms;U/mV\n" + rows(";", time=1e-3, volt=1e-3),
    "units behind an underscore": "t_us,u_mV\n" + rows(time=1e-6, volt=1e-3),
    "units behind in": "in s,CH1 in V\n" + rows(),
    "units as words": "time (milliseconds),Ampl (millivolts)\n" + rows(time=1e-3, volt=1e-3),
    "units alone": "Second,Volt\n" + rows(),
    "msec": "TIME(msec),CH1(mV)\n" + rows(time=1e-3, volt=1e-3),
    "a row of units": "Time,Channel A\n(ms),(mV)\n\n" + rows(time=1e-3, volt=1e-3),
    "a row of bare units": "Time\tChannel A\nus\tmV\n" + rows("\t", time=1e-6, volt=1e-3),
    "decimal commas": "Zeit;Spannung\n" + rows(";", mark=",", form="{:.9f}"),
    "decimal commas in quotes, commas between": '"Zeit","Spannung"\n'
    + "".join(f'"{k * STEP:.9f}","{v:.9f}"\n'.replace(".", ",") for k, v in enumerate(VALUES)),
    "decimal commas and units": "Zeit (ms);Spannung (mV)\n" + rows(";", mark=",", time=1e-3, volt=1e-3),
    "decimal commas and tabs": "Temps\tTension\n" + rows("\t", mark=",", form="{:.9f}"),
    "decimal commas and spaces": rows(" ", mark=",", form="{:.9f}"),
    "sep": "sep=;\ntime;volts\n" + rows(";"),
    "trailing separators": "time,volts,\n" + rows(ends=","),
    "empty rows of a spreadsheet": "time,volts,,\n" + rows(ends=",,") + ",,,\n,,,\n",
    "quotes": '"Time [s]","Channel 0"\n' + "".join(f'"{k * STEP:.9g}","{v}"\n' for k, v in enumerate(VALUES)),
    "index before time": ",time,volts\n" + "".join(f"{k},{k * STEP:.9g},{v}\n" for k, v in enumerate(VALUES)),
    "sample number before time": "nr\ttime\tch1\n"
    + "".join(f"{k}\t{k * STEP:.9g}\t{v}\n" for k, v in enumerate(VALUES)),
    "sample number called #": "#,Time,V\n"
    + "".join(f"{k},{k * STEP:.9g},{v}\n" for k, v in enumerate(VALUES)),
    "time twice": " time v(u) time\n"
    + "".join(f" {k * STEP:.9g}  {v}  {k * STEP:.9g}\n" for k, v in enumerate(VALUES)),
    "a simulator": "time\tV(u)\n" + rows("\t", form="{:.9e}"),
    "spaces and two words": "Time (s)   Channel 1 (V)\n" + rows("   "),
    "comments": "# logger\n% more\n! and\n// more\n* yet\ntime,volts\n" + rows() + "# end\n",
    "remarks": "time,volts\n" + rows(ends="  # ok, good"),
    "semicolon comments": "; made by hand\ntime,volts\n" + rows(),
    "a header in a comment": "# Time (ms),u (mV)\n" + rows(time=1e-3, volt=1e-3),
    "Tektronix": "Model,TBS1000\nRecord Length,60,\nSample Interval,5e-05,s\nVertical Units,V,\n\nTIME,CH1\n"
    + rows(),
    "Tektronix, in mV": "Model,X\nHorizontal Units,ms\nVertical Units,mV\nTIME,CH1\n"
    + rows(time=1e-3, volt=1e-3),
    "units above the names": "ms,mV\nTime,CH1\n" + rows(time=1e-3, volt=1e-3),
    "units in keys with colons": "Time unit: ms\nVoltage unit: mV\ntime,volts\n" + rows(time=1e-3, volt=1e-3),
    "units in keys with commas": "Time Unit,ms\nVoltage Unit,mV\ntime,volts\n" + rows(time=1e-3, volt=1e-3),
    "a title": "Run 3, in the lab\ntime,volts\n" + rows(),
    "Rigol, increment in the header": "CH1V,t0 =0.000000e+00, tInc = 5.000000e-05,\n"
    + "".join(f"{v},,\n" for v in VALUES),
    "ngspice's print": "Index   time            v(u)\n-------------------------\n"
    + "".join(f"{k}\t{k * STEP:.6e}\t{v:.6e}\n" for k, v in enumerate(VALUES)),
    "units in a key": "Units,ms,mV\nTime,CH1\n" + rows(time=1e-3, volt=1e-3),
    "Tektronix, keys beside": beside(
        [["Record Length", "60"], ["Sample Interval", "5e-05"], ["Source", "CH1"], ["Vertical Units", "V"]]
    ),
    "Keysight": "x-axis,1\nsecond,Volt\n" + rows(form="{:+.9e}"),
    "Infiniium": "Revision:,0\nType:,raw\nPoints:,60\nXInc:,5E-05\nXOrg:,0\nY Units:,Volt\nData:\n" + rows(),
    "Rigol, start and increment": "X,CH1,Start,Increment,\nSequence,VOLT,0.000000e+00,5.000000e-05\n"
    + numbered(ends=","),
    "Rigol, times": "X,CH1,\nSecond,Volt,\n" + rows(ends=","),
    "LeCroy": "LECROYWR64Xi,45678,Waveform\nSegments,1,SegmentSize,60\nSegment,TrigTime,TimeSinceSegment1\n"
    "#1,14-Nov-2018 10:11:12,0\nTime,Ampl\n" + rows(),
    "Siglent": "Record Length,Analog:60,\nSample Interval,Analog:5e-05,\nVertical Units,CH1:V\n"
    "Horizontal Units,s\nModel Number,SDS1104X-E\nSource,CH1\nSecond,Volt\n" + rows(),
    "samples and an interval": "Sample Interval,5e-05,s\nSample,Voltage\n" + numbered(),
    "samples and a rate": "Sample Rate,20000\nSample,Voltage\n" + numbered(),
    "PWL": "Vin in 0 PWL(0 0.1\n"
    + "".join(f"+ {k * STEP:.9g} {v}\n" for k, v in enumerate(VALUES) if k)
    + "+ )\n",
    "PWL with suffixes": "PWL("
    + " ".join(f"{50 * k}u {1e3 * v:.9g}m" for k, v in enumerate(VALUES))
    + ")\n.end\n",
    "points with suffixes": "".join(f"{50 * k}us {1e3 * v:.9g}m\n" for k, v in enumerate(VALUES)),
    "points": rows(" "),
    "CR alone": ("time,volts\n" + rows()).replace("\n", "\r"),
    "CRLF": ("time,volts\n" + rows()).replace("\n", "\r\n"),
    "a minus sign of type": "time,volts\n" + rows().replace("-", "\u2212"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_recording_of_every_kind_is_the_same_signal(tmp_path, kind):
    path = tmp_path / "u.csv"
    path.write_bytes(KINDS[kind].encode())
    found = read(path, amplitude=1.0)
    assert found.dt == STEP
    # Written to six decimals and scaled by a power of ten: one rounding each.
    np.testing.assert_allclose(found.values, VALUES, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_encoding_gives_the_same_window_error(tmp_path, encoding):
    reference, other = tmp_path / "reference.csv", tmp_path / "other.csv"
    reference.write_text(REFERENCE)
    other.write_bytes(("t [\u00b5s];u [mV]\r\n" + rows(";", time=1e-6, volt=1e-3)).encode(encoding))
    errors = [float(simulate(DESIGN.replace(file=path)).window_nrmse) for path in (reference, other)]
    # Values of nine digits: products of powers of ten round in the last bit.
    assert errors[1] == pytest.approx(errors[0], rel=1e-9)


GIVE = "; give rows of two numbers, seconds and volts"
NO_TIMES = "; give times and their unit, for example 'time [s]' or 'time [ms]'"
REFUSED = {
    "Sample,Voltage\n" + numbered(): ": column 'Sample' counts samples, and no interval is given" + NO_TIMES,
    "Index\tu\n" + numbered("\t"): ": column 'Index' counts samples, and no interval is given" + NO_TIMES,
    "x,y\n" + rows(): ": column 'x' is not called time" + NO_TIMES,
    "Time (fortnights),u\n"
    + rows(): ": column 'Time (fortnights)' is in 'fortnights'; give s, ms, us, ns, ps, min or h",
    "Time (Ms),u\n" + rows(): ": column 'Time (Ms)' is in 'Ms'; give s, ms, us, ns, ps, min or h",
    "time,Current (A)\n" + rows(): ": column 'Current (A)' is in 'A'; give V, mV, uV, nV or kV",
    "time,u (MV)\n" + rows(): ": column 'u (MV)' is in 'MV'; give V, mV, uV, nV or kV",
    "time,ADC\n" + rows(): ": column 'ADC' is no voltage by its name; give V, mV, uV, nV or kV",
    "Vertical Units,A,\nTIME,CH1\n" + rows(): ": column 'CH1' is in 'A'; give V, mV, uV, nV or kV",
    "Horizontal Units,Hz,\nTIME,CH1\n"
    + rows(): ": the horizontal unit is 'Hz'; give s, ms, us, ns, ps, min or h",
    "O.0,0.1\n" + rows(): ", line 1: 'O.0' is not a number" + GIVE,
    numbered(): ": the first column counts rows, which are no seconds; give times and a header with their unit, "
    "for example 'time [s]'",
    "0;1,000\n1;2,000\n": ", line 1: commas may be decimal or separate thousands; write decimal points, or all digits",
    '0,"1,000"\n1,"2,000"\n': ", line 1: '1,000' is not a number" + GIVE,
    '0,"1,000.5"\n1,2\n': ", line 1: '1,000.5' is not a number" + GIVE,
    "nan,0.1\n" + rows(): ", line 1: 'nan' is not finite" + GIVE,
    "0.0,1 V\n" + rows(): ", line 1: '1 V' is not a number" + GIVE,
    "1 ms,0.1\n" + rows(): ", line 1: '1 ms' is not a number" + GIVE,
    "2024-01-01 12:00,0.1\n" + rows(): ", line 1: '2024-01-01 12:00' is not a number" + GIVE,
    "logger\n1.5.2024,abc\ntime,u\n" + rows(): ", line 2: '1.5.2024' is not a number" + GIVE,
    "time,u,w\n" + rows(): ", line 1: 3 names ('time,u,w'), and the rows below have 2 numbers" + GIVE,
    "time,u\n" + rows() + "Mean,0.2\n": ", line 62: 'Mean' is not a number" + GIVE,
    "time,u\n" + rows() + "0.1,\u221e\n": ", line 62: '\u221e' is not a number" + GIVE,
    "time,t,u\n0,0,1\n1,2,3\n": ": columns 'time' and 't' are both times; keep one of them",
    "0,0\n1M,1\n": ", line 2: '1M' is not a number" + GIVE,
    "0 0\n+1m 1\n+1m 0\n2 0\n": ": some times have a plus, which may mean since the one before; write them without",
    "PWL(0 0 1m)": ": the PWL source has 3 numbers; give pairs of time and volts",
    "V1 a 0 PWL(0 0 1m 1 r=0)": ", line 1: 'r=0' is no number of a PWL source; give times and volts alone, "
    "with suffixes f p n u m k meg g t if any",
    "Sampling Period,5e-05\nWaveform Data\n"
    + "".join(f"{100 * v:.0f}\n" for v in VALUES): ": column 'Waveform Data' is not called time" + NO_TIMES,
    "# times in ms\n" + rows(): ", line 1: the comment speaks of 'ms', and there is no header; give one, "
    "for example 'time [ms],u [mV]'",
    "#CLOCK=50.0uS\n#UNITS:mV\n"
    + rows(): ", line 1: the comment speaks of 'uS', and there is no header; give one, "
    "for example 'time [ms],u [mV]'",
    "only words\nand more\n": ": no rows of numbers" + GIVE,
}


@pytest.mark.parametrize("content", REFUSED)
def test_what_may_mean_something_else_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "u.csv"
    path.write_bytes(content.encode())
    with pytest.raises(DesignError) as caught:  # the whole message below
        read(path, amplitude=1.0)
    assert str(caught.value) == f"{path}{REFUSED[content]}"


@pytest.mark.parametrize(
    "content", [b"\x00\x01\x02\x03" * 9, b"PK\x03\x04" + bytes(99), "0,1\n".encode("utf-32"), b"\xff\xfe0"]
)
def test_what_is_no_text_is_refused(tmp_path, content):
    path = tmp_path / "u.csv"
    path.write_bytes(content)
    with pytest.raises(
        DesignError, match=r"u\.csv: no text in UTF-8, UTF-16 or cp1252; give rows of two numbers"
    ):
        read(path, amplitude=1.0)


THREE = "time,ch1 (mV),ch2\n" + "".join(f"{k * STEP:.9g},{1e3 * v},{-v}\n" for k, v in enumerate(VALUES))


def test_one_of_several_channels_is_chosen_by_name_or_number(tmp_path):
    path = tmp_path / "three.csv"
    path.write_text(THREE)
    choose = "choose one with column=: 'ch1 (mV)', 'ch2'"
    with pytest.raises(DesignError) as caught:  # the whole message below
        read(path, amplitude=1.0)
    assert str(caught.value) == f"{path}: 2 channels beside the times; {choose}"
    with pytest.raises(DesignError) as caught:  # the whole message below
        read(path, amplitude=1.0, column="ch3")
    assert str(caught.value) == f"{path}: no channel is called 'ch3'; {choose}"
    for column in ("ch1 (mV)", "CH1", "2"):
        np.testing.assert_allclose(read(path, amplitude=1.0, column=column).values, VALUES, rtol=1e-15)
    np.testing.assert_array_equal(read(path, amplitude=1.0, column="ch2").values, -np.array(VALUES))
    path.write_text(THREE.split("\n", 1)[1])  # without names
    with pytest.raises(DesignError, match=r"2 channels beside the times; choose one .*: 2, 3$"):
        read(path, amplitude=1.0)
    np.testing.assert_array_equal(read(path, amplitude=1.0, column="3").values, -np.array(VALUES))


def test_units_of_a_preamble_are_those_of_the_channel(tmp_path):
    path = tmp_path / "two.csv"
    path.write_text("Vertical Units,V,A\nTIME,CH1,CH2\n0,1,2\n1,3,4\n")
    np.testing.assert_array_equal(read(path, amplitude=1.0, column="CH1").values, [1, 3])
    with pytest.raises(DesignError, match=r"two\.csv: column 'CH2' is in 'A'; give V, mV, uV, nV or kV$"):
        read(path, amplitude=1.0, column="CH2")


def test_commands_and_designs_choose_a_channel(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "three.csv").write_text(THREE)
    head = '[memory]\norder = 3\ntheta = "1 ms"\n[signal]\nbandwidth = "1 kHz"\n'
    (tmp_path / "d.toml").write_text(head)
    (tmp_path / "e.toml").write_text(head + 'file = "three.csv"\ncolumn = "ch2"\n')
    (tmp_path / "m.csv").write_text(THREE.replace("ch1 (mV)", "volts (mV)"))
    answers = []
    for command in (
        ["simulate", "d.toml", "--input", "three.csv", "--column", "ch2"],
        ["simulate", "e.toml"],
        ["simulate", "d.toml", "--input", "m.csv", "--column", "ch2"],
    ):
        assert run_command([*command, "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["window_nrmse"])
    # A design with a recording is scaled for its peak: other values of the same ideal circuit, and other last bits.
    assert answers[1:] == pytest.approx(answers[:1] * 2, rel=1e-9)
    assert run_command(["new", "-o", "n.toml", "--input", "three.csv", "--column", "ch1"]) == 0
    design = Design.load("n.toml")
    assert design.column == "ch1"
    assert design.amplitude == pytest.approx(max(map(abs, VALUES)), rel=1e-12)
    assert run_command(["simulate", "d.toml", "--column", "ch2"]) == 2
    message = "--column and --channel choose from --input, and there is none; put them into [signal]"
    assert capsys.readouterr().err.endswith(message + "\n")


numbers = st.one_of(st.floats(1e-6, 1e5), st.floats(-1e5, -1e-6), st.just(0.0)).map(
    lambda v: float(f"{v:.9g}")
)
FORMATS = st.fixed_dictionaries(
    {
        "separator": st.sampled_from([",", ";", "\t", " "]),
        "comma": st.booleans(),
        "quotes": st.booleans(),
        "newline": st.sampled_from(["\n", "\r\n", "\r"]),
        "encoding": st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]),
        "header": st.sampled_from(["none", "names", "units", "row"]),
        "preamble": st.sampled_from(["", "# made by hand", "sep", "Model,X1\nRecord Length,9,"]),
        "ends": st.booleans(),
        "form": st.sampled_from(["{!r}", "{:.17e}", "{:+.16E}"]),
        "time": st.sampled_from([("s", 1.0), ("ms", 1e3), ("us", 1e6), ("\u00b5s", 1e6), ("ns", 1e9)]),
        "volt": st.sampled_from([("V", 1.0), ("mV", 1e3), ("uV", 1e6), ("kV", 1e-3)]),
    }
)


def laid_out(times, values, f):
    """Write a recording in a format; units only where a header can say them."""
    separator, scaled = f["separator"], f["header"] in ("units", "row")
    comma = f["comma"] and separator != ","
    quotes = f["quotes"] and separator != " "
    over_t, over_v = (f["time"][1], f["volt"][1]) if scaled else (1.0, 1.0)
    lines = []
    for t, v in zip(times, values, strict=True):
        cells = [f["form"].format(x).replace(".", "," if comma else ".") for x in (t * over_t, v * over_v)]
        cells = [f'"{c}"' for c in cells] if quotes else cells
        lines.append(separator.join(cells) + (separator if f["ends"] else ""))
    (t, _), (v, _) = f["time"], f["volt"]
    head = {
        "none": [],
        "names": [f"time{separator}volts"],
        "units": [f"Time({t}){separator}u[{v}]"],
        "row": [f"Time{separator}Channel_A", f"({t}){separator}({v})"],
    }[f["header"]]
    known = {"": [], "sep": [f"sep={separator}"] if separator in ",;" else []}
    # A preamble of keys needs a header, and its own commas.
    keyed = [] if not head or separator != "," else f["preamble"].split("\n")
    before = known.get(f["preamble"], keyed if f["preamble"].startswith("Model") else [f["preamble"]])
    return f["newline"].join([*before, *head, *lines, ""]).encode(f["encoding"])


@given(values=st.lists(numbers, min_size=2, max_size=12).filter(any), f=FORMATS)
def test_a_recording_in_any_format_reads_back_the_same(tmp_path_factory, values, f):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    path.write_bytes(laid_out([0.25 * k for k in range(len(values))], values, f))
    found = read(path, amplitude=1.0)
    assert found.dt == pytest.approx(0.25, rel=1e-12)
    np.testing.assert_allclose(found.values, values, rtol=1e-14)  # a product, and a quotient or product


@given(values=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=1, max_size=9))
def test_numbers_are_read_to_the_last_bit(tmp_path_factory, values):
    path = tmp_path_factory.getbasetemp() / "bits.csv"
    text = io.StringIO()
    csv.writer(text).writerows(values)
    path.write_text(text.getvalue())
    np.testing.assert_array_equal(read_table(path, wanted="numbers").columns, values)


@pytest.mark.parametrize(
    ("heading", "name", "unit"),
    [
        ("Time (ms)", "Time", "ms"),
        ("u[V]", "u", "V"),
        ("t/us", "t", "us"),
        ("U / mV", "U", "mV"),
        ("Time, s", "Time", "s"),
        ("CH1 in mV", "CH1", "mV"),
        ("t_ms", "t", "ms"),
        ("volts", "volts", "volts"),
        ("V(out)", "V(out)", ""),
        ("v(s)", "v(s)", ""),
        ("V(mV)", "V", "mV"),
        ("i(vout_0)", "i(vout_0)", ""),
        ("Channel A", "Channel A", ""),
        ("r=0.5", "r=0.5", ""),
        ("x_0", "x_0", ""),
        ("(s)", "(s)", "s"),
    ],
)
def test_a_unit_is_taken_off_a_heading(heading, name, unit):
    assert split_heading(heading) == (name, unit)


@pytest.mark.parametrize(
    "cell",
    ["0", "-1.5", "+.5", "1e-3", "O.9", "l.5", "nan", "-inf", "N/A", "1 V", "12:30", "0,5", "--", "\u221e"],
)
def test_what_was_meant_as_a_number_looks_like_one(cell):
    assert looks_like_number(cell)


@pytest.mark.parametrize(
    "cell", ["time", "CH1", "m0", "r=0.5", "v(x0)", "Ra_1", "u", "in s", "no", "O2", "I1"]
)
def test_a_name_does_not_look_like_a_number(cell):
    assert not looks_like_number(cell)


def test_units_scale_by_powers_of_ten_and_capitals_stay_mega():
    assert [time_scale(u) for u in ("s", "Sec", "ms", "\u03bcs", "min", "h")] == [
        (1.0, 1.0), (1.0, 1.0), (1.0, 1e3), (1.0, 1e6), (60.0, 1.0), (3600.0, 1.0)
    ]  # fmt: skip
    assert [volt_scale(u) for u in ("V", "VOLT", "mv", "microvolts", "kV")] == [
        (1.0, 1.0), (1.0, 1.0), (1.0, 1e3), (1.0, 1e6), (1e3, 1.0)
    ]  # fmt: skip
    assert ampere_scale("nA") == (1.0, 1e9)
    assert [time_scale(u) for u in ("Ms", "Hz", "samples", "")] == [None] * 4
    assert [volt_scale(u) for u in ("MV", "A", "dBV", "Vpp")] == [None] * 4


SEQUENCE = "0.9\n-0.2\n0.4\n0.1\n-0.6\n"


@pytest.mark.parametrize(
    "content",
    [SEQUENCE, "\ufeff" + SEQUENCE, "u\n" + SEQUENCE, SEQUENCE.replace("\n", ",\r\n"), '"u"\n' + SEQUENCE],
)
def test_a_sequence_has_all_its_rows_whatever_stands_before(tmp_path, content):
    path = tmp_path / "x.csv"
    path.write_bytes(content.encode())
    np.testing.assert_array_equal(read_sequence(path, 1)[:, 0], [0.9, -0.2, 0.4, 0.1, -0.6])


WANTED = "; give a row a step and a column an input"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nan\n" + SEQUENCE, ", line 1: 'nan' is not finite" + WANTED),
        ("O.9\n" + SEQUENCE, ", line 1: 'O.9' is not a number" + WANTED),
        ("1 V\n" + SEQUENCE, ", line 1: '1 V' is not a number" + WANTED),
        ("# c\n\nl.5\n" + SEQUENCE, ", line 3: 'l.5' is not a number" + WANTED),
        ("u\n" + SEQUENCE + "x\n", ", line 7: 'x' is not a number" + WANTED),
        ("u [mV]\n" + SEQUENCE, ": column 'u [mV]' is in 'mV'; inputs of a layer are plain numbers"),
        (
            "time\n" + SEQUENCE,
            ": column 'time' is no input by its name; choose them with column=",
        ),
        (
            "a,b\n1,2\n",
            ", line 2: 2 columns ('a', 'b'), and the weights have 1 inputs; choose them with column=",
        ),
    ],
)
def test_a_sequence_with_other_rows_is_refused(tmp_path, content, message):
    path = tmp_path / "x.csv"
    path.write_text(content)
    with pytest.raises(DesignError) as caught:  # the whole message below
        read_sequence(path, 1)
    assert str(caught.value) == f"{path}{message}"


def test_columns_of_a_sequence_are_chosen_in_order(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("time,a,b\n0,1,2\n1,3,4\n")
    np.testing.assert_array_equal(read_sequence(path, 2, column=["b", "a"]), [[2, 1], [4, 3]])
    np.testing.assert_array_equal(read_sequence(path, 1, column=["2"]), [[1], [3]])
    with pytest.raises(DesignError, match=r"x\.csv: 0 columns are called 'c'; there are 'time', 'a', 'b'$"):
        read_sequence(path, 1, column=["c"])
