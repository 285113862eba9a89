"""Reading CSV and WAV files: round trips through files written here, and every refusal."""

import math
import struct
import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from lmu_analog import recording as module
from lmu_analog import tables
from lmu_analog.errors import DesignError
from lmu_analog.recording import read
from lmu_analog.stimulus import MOST_POINTS, Recording

volts = st.floats(-1e6, 1e6).map(lambda v: round(v, 9))
samples = st.lists(volts, min_size=2, max_size=30).filter(any)
layouts = st.tuples(
    st.sampled_from([",", ";", "\t", " ", ", ", ",\t"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "time,volts", "time (s); u (V)", "t u", "# made by hand\n\nseconds volts"]),
    st.sampled_from(["utf-8", "utf-8-sig"]),
    st.booleans(),
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("recordings")


def write_csv(path, rows, layout=(",", "\n", "", "utf-8", True)):
    separator, newline, header, encoding, ends = layout
    lines = [*header.splitlines(), *(f"{t!r}{separator}{u!r}" for t, u in rows)]
    path.write_bytes((newline.join(lines) + newline * ends).encode(encoding))
    return path


def write_wav(path, values, *, channels=1, width=2, rate=8000):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(values).tobytes())
    return path


@given(values=samples, layout=layouts, dt=st.floats(1e-6, 1e3), start=st.integers(-5, 5))
def test_even_samples_read_back_unchanged_in_every_layout(folder, values, layout, dt, start):
    rows = [((start + k) * dt, u) for k, u in enumerate(values)]
    recording = read(write_csv(folder / "even.csv", rows, layout), amplitude=1.0)
    np.testing.assert_array_equal(recording.values, values)
    # Times up to 35 dt are floats to 4e-15 dt; of the spacings that several such allow, the shortest is taken.
    assert recording.dt == pytest.approx(dt, rel=1e-13)


@given(gaps=st.lists(st.integers(1, 9), min_size=2, max_size=20), data=st.data())
def test_uneven_samples_stay_on_their_straight_lines(folder, gaps, data):
    times = np.append(0, np.cumsum(gaps)) * 0.25  # a binary fraction, so that the sums are exact
    values = data.draw(st.lists(volts, min_size=times.size, max_size=times.size).filter(any))
    path = write_csv(folder / "uneven.csv", zip((times + 8).tolist(), values, strict=True))
    recording = read(path, amplitude=1.0)
    assert recording.dt <= 0.25 * min(gaps)
    assert recording.duration == pytest.approx(times[-1], rel=1e-15)  # one product
    assert recording.values[0] == values[0]
    # Rounding on straight lines between volts up to 1e6.
    np.testing.assert_allclose(recording.values, np.interp(recording.time, times, values), atol=1e-7)
    if min(gaps) == 1:  # then every given time lies on the grid
        np.testing.assert_allclose(recording(times), values, atol=1e-7)


def test_spacings_that_agree_to_a_millionth_are_even(folder):
    almost = read(write_csv(folder / "a.csv", [(0.0, 1.0), (1.0, 2.0), (2.0 + 5e-7, 5.0)]), amplitude=1.0)
    assert almost.values.tolist() == [1, 2, 5]
    assert almost.dt == pytest.approx(
        (2 + 5e-7) / 2, rel=1e-15
    )  # the shortest number within two last bits of it
    apart = read(write_csv(folder / "b.csv", [(0.0, 1.0), (1.0, 2.0), (2.0 + 5e-5, 5.0)]), amplitude=1.0)
    assert apart.values.size == 4  # three intervals, the smallest number not longer than the smallest spacing


def test_uneven_samples_take_no_more_than_the_most_points(folder):
    recording = read(write_csv(folder / "gap.csv", [(0.0, 1.0), (1e-9, 1.0), (1.0, 0.0)]), amplitude=1.0)
    assert recording.values.size == MOST_POINTS
    assert recording(0.5) == pytest.approx(0.5, abs=1e-8)  # the line from 1e-9 s on, not from 0


GIVE = r"; give rows of two numbers, seconds and volts"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r": no rows of numbers" + GIVE),
        ("t,u\n", r": no rows of numbers" + GIVE),
        ("t,u\n0,1\n", r": 1 rows of data; give at least two rows of two numbers, seconds and volts"),
        ("0,1\n1,2,3\n", r", line 2: 3 cells, and 2 in the rows above" + GIVE),
        ("0\n1\n", r": one number in a row" + GIVE),
        ("# c\nt,u\n0,1\n\n1\n", r", line 5: 1 cells, and 2 in the rows above" + GIVE),
        ("0,1\n1,x\n", r", line 2: 'x' is not a number" + GIVE),
        ("0,x\n1,1\n", r", line 1: 'x' is not a number" + GIVE),
        ("O.9,1\n1,1\n", r", line 1: 'O.9' is not a number" + GIVE),
        ("0,1 V\n1,1\n", r", line 1: '1 V' is not a number" + GIVE),
        ("0,1\n1,\n", r", line 2: 1 cells, and 2 in the rows above" + GIVE),
        ("0,1,2\n1,,2\n", r", line 2: '' is not a number" + GIVE),
        ("a,b,c\n0,1\n1,2\n", r", line 1: 3 names \('a,b,c'\), and the rows below have 2 numbers" + GIVE),
        (
            "0;1,5\n1;2.5\n",
            r": a comma in the numbers of line 1, a point in those of line 2; "
            r"write one decimal mark throughout, and none for thousands",
        ),
        ("0,1\n1,1_0\n", r", line 2: '1_0' is not a number" + GIVE),
        ("0,1\n1," + "x" * 10**5, r", line 2: 'x{40}' is not a number" + GIVE),
        ("0,1\n1,nan\n", r", line 2: 'nan' is not finite" + GIVE),
        ("0,1\ninf,1\n", r", line 2: 'inf' is not finite" + GIVE),
        ("nan,1\n1,1\n", r", line 1: 'nan' is not finite" + GIVE),
        ("0,1\n1,-1000001\n", r", line 2: -1e\+06 V is out of range; give numbers up to 1e\+06 V"),
        ("0,1\n2e12,1\n", r", line 2: 2e\+12 s is out of range; give numbers up to 1e\+12 s"),
        (
            "0,1\n0,2\n",
            r", line 2: time does not rise, 0 s after 0 s; sort the rows and keep one for each time",
        ),
        (
            "0,1\n1,2\n0.5,2\n",
            r", line 3: time does not rise, 0.5 s after 1 s; sort the rows and keep one for each time",
        ),
        ("0,0\n1,0\n", r": the recording is zero throughout; an error relative to it has no meaning"),
        ("0,1\n1,\0\n", r": no text in UTF-8, UTF-16 or cp1252" + GIVE),
    ],
)
def test_a_malformed_table_is_refused_at_its_line(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DesignError, match=rf"^\S*bad\.csv{message}$"):
        read(path, amplitude=1.0)


@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused_in_one_line(folder, content):
    riff = b"RIFF\xff\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0"  # then rate, bits and data
    for suffix, head in ((".csv", b""), (".wav", b""), (".wav", riff)):
        path = folder / f"junk{suffix}"
        path.write_bytes(head + content)
        try:
            rms, message = read(path, amplitude=1.0).rms, str(path)
        except DesignError as error:
            rms, message = 1.0, str(error)
        assert rms > 0
        assert message.startswith(str(path))
        assert len(message.splitlines()) == 1


def test_too_many_rows_are_refused_at_the_first_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 10)
    monkeypatch.setattr(module, "MOST_SAMPLES", 10)
    rows = [(float(k), 1.0) for k in range(11)]
    assert read(write_csv(tmp_path / "ten.csv", rows[:10]), amplitude=1.0).values.size == 10
    with pytest.raises(DesignError, match=r"eleven\.csv, line 11: too long, at most 10 rows are accepted$"):
        read(write_csv(tmp_path / "eleven.csv", rows), amplitude=1.0)
    long = write_wav(tmp_path / "eleven.wav", np.ones(11, "<i2"))
    with pytest.raises(
        DesignError, match=r"eleven\.wav: 11 samples at 8000 Hz; give 2 to 10 samples at a positive rate$"
    ):
        read(long, amplitude=1.0)


def test_missing_files_and_folders_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DesignError, match=r"none\.csv: no such file; give a \.csv or \.wav$"):
        read(tmp_path / "none.csv", amplitude=1.0)
    with pytest.raises(DesignError, match=r"folder\.csv: a folder, not a file; give a \.csv or \.wav$"):
        read(tmp_path / "folder.csv", amplitude=1.0)


@given(
    values=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=2, max_size=30).filter(any),
    rate=st.integers(1, 192_000),
    amplitude=st.floats(1e-3, 1e3),
)
def test_a_wav_written_by_scipy_reads_back_with_full_scale_as_the_amplitude(folder, values, rate, amplitude):
    path = folder / "TONE.WAV"
    wavfile.write(path, rate, np.array(values, np.int16))
    recording = read(path, amplitude=amplitude)
    # One product each; the most negative sample is full scale.
    np.testing.assert_allclose(recording.values, np.array(values) / 32768 * amplitude, rtol=1e-15)
    assert recording.dt == 1 / rate


def sized(data, *, claimed=None, before=b"", after=b"", width=2):
    """Write a WAV of 8 kHz, mono, by hand, whose header claims a size of its own."""
    layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 8000, 8000 * width, width, 8 * width)
    size = len(data) if claimed is None else claimed
    body = b"WAVE" + before + layout + struct.pack("<4sI", b"data", size) + data + after
    return b"RIFF" + struct.pack("<I", len(body)) + body


WAVE_ = np.round(1000 * np.sin(0.1 * np.arange(1, 101))).astype("<i2")
LIST = struct.pack("<4sI", b"LIST", 4) + b"INFO"


@pytest.mark.parametrize(
    ("dtype", "scale"), [("u1", 2.0**7), ("i2", 2.0**15), ("i4", 2.0**31), ("f4", 1.0), ("f8", 1.0)]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_wav_of_any_kind_has_the_amplitude_at_full_scale(tmp_path, dtype, scale, channels):
    random = np.random.default_rng(3)
    wave_ = random.uniform(-0.9, 0.9, (50, channels))
    stored = (wave_ * scale + (128 if dtype == "u1" else 0)).astype(dtype)
    path = tmp_path / "any.wav"
    wavfile.write(path, 8000, stored)
    for k in range(channels):
        found = read(path, amplitude=2.0, channel=k + 1)
        expected = (stored[:, k].astype(float) - (128 if dtype == "u1" else 0)) * 2.0 / scale
        np.testing.assert_allclose(found.values, expected, rtol=1e-15)  # one product
        assert found.dt == 1 / 8000
    if channels == 1:
        np.testing.assert_array_equal(
            read(path, amplitude=2.0).values, read(path, amplitude=2.0, channel=1).values
        )


def test_24_bits_read_as_the_integers_that_they_are(tmp_path):
    values = np.array([-(2**23), -1, 0, 1, 2**23 - 1])
    raw = b"".join(int(v).to_bytes(3, "little", signed=True) for v in values)
    path = tmp_path / "s24.wav"
    path.write_bytes(sized(raw, width=3))
    np.testing.assert_array_equal(read(path, amplitude=1.0).values, values / 2**23)  # powers of two are exact


def test_an_extensible_header_and_other_chunks_change_nothing(tmp_path):
    plain, extended = tmp_path / "a.wav", tmp_path / "b.wav"
    plain.write_bytes(sized(WAVE_.tobytes(), before=LIST, after=LIST + b"\0\0"))
    guid = struct.pack("<H", 1) + bytes.fromhex("000000001000800000aa00389b71")
    layout = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 8000, 16000, 2, 16, 22, 16, 4) + guid
    parts = [(b"fmt ", layout), (b"data", WAVE_.tobytes())]
    body = b"WAVE" + b"".join(struct.pack("<4sI", name, len(part)) + part for name, part in parts)
    extended.write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    for path in (plain, extended):
        np.testing.assert_array_equal(read(path, amplitude=1.0).values, WAVE_ / 2**15)


@pytest.mark.parametrize("claimed", [0, 0xFFFFFFFF, 0x7FFFF000, 0x80000000])
def test_a_size_written_before_the_samples_is_read_to_the_end(tmp_path, claimed):
    path = tmp_path / "streamed.wav"
    path.write_bytes(sized(WAVE_.tobytes() + b"\1", claimed=claimed))  # stopped within a sample
    np.testing.assert_array_equal(read(path, amplitude=1.0).values, WAVE_ / 2**15)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            sized(WAVE_.tobytes(), claimed=10),
            r"the header claims 10 bytes of samples, and 190 more follow that are no part of a WAV; write it again",
        ),
        (
            sized(bytes(60) + WAVE_.tobytes(), claimed=10),  # silence is no chunk
            r"the header claims 10 bytes of samples, and 250 more follow that are no part of a WAV; write it again",
        ),
        (sized(WAVE_.tobytes())[:-50], r"cut short, 150 of 200 bytes of samples; copy it again"),
        (sized(b"", claimed=0), r"0 samples at 8000 Hz; give 2 to 5000000 samples at a positive rate"),
        (sized(b"\1\1"), r"1 samples at 8000 Hz; give 2 to 5000000 samples at a positive rate"),
        (b"0,1\n1,2\n", r"not a WAV file; write it as WAV \(PCM or float\), or give a table"),
        (b"RIFF\0\0\0\0WAVE", r"a WAV without a format; write it again"),
        (sized(WAVE_.tobytes())[:36], r"a WAV without samples; write it again"),
        (sized(bytes(200)), r"the recording is zero throughout; an error relative to it has no meaning"),
    ],
)
def test_a_damaged_or_silent_wav_is_refused(tmp_path, content, message):
    path = tmp_path / "bad.wav"
    path.write_bytes(content)
    with pytest.raises(DesignError, match=rf"bad\.wav: {message}$"):
        read(path, amplitude=1.0)


def test_floats_that_are_not_finite_and_odd_formats_are_refused(tmp_path):
    path = tmp_path / "bad.wav"
    wavfile.write(path, 8000, np.array([0.1, np.nan, 0.3], np.float32))
    with pytest.raises(DesignError, match=r"bad\.wav: sample 2 is not finite; write it again$"):
        read(path, amplitude=1.0)
    wavfile.write(path, 8000, np.array([0.1, 1e9], np.float32))
    with pytest.raises(DesignError, match=r"bad\.wav: samples up to 2e\+09 V; give at most 1e\+06 V$"):
        read(path, amplitude=2.0)
    path.write_bytes(sized(bytes(8)).replace(struct.pack("<HH", 1, 1), struct.pack("<HH", 7, 1)))  # mu-law
    with pytest.raises(DesignError, match=r"bad\.wav: a WAV that cannot be read \(.*\); write PCM or float$"):
        read(path, amplitude=1.0)
    with pytest.raises(DesignError, match=r"bad\.wav: full scale of 0.0 V; give above 0 to 1e\+06 V$"):
        read(path, amplitude=0.0)


def test_a_channel_is_chosen_where_there_are_several(tmp_path):
    path = tmp_path / "two.wav"
    wavfile.write(path, 8000, np.array([[1, 5], [2, 6], [3, 7]], np.int16))
    choose = r"two\.wav: 2 channels; choose one with channel=, from 1 to 2$"
    with pytest.raises(DesignError, match=choose):
        read(path, amplitude=1.0)
    with pytest.raises(DesignError, match=r"two\.wav: no channel 3; give one from 1 to 2$"):
        read(path, amplitude=1.0, channel=3)
    with pytest.raises(DesignError, match=r"two\.wav: a WAV has no column 'a'; choose a channel, from 1$"):
        read(path, amplitude=1.0, column="a")
    np.testing.assert_array_equal(read(path, amplitude=2.0**15, channel=2).values, [5, 6, 7])
    table = write_csv(tmp_path / "t.csv", [(0, 1), (1, 2)])
    with pytest.raises(DesignError, match=r"t\.csv: a table has no channel 1; choose a column, by its name$"):
        read(table, amplitude=1.0, channel=1)


def written(path, form, *, count=400, head="time,u\n"):
    rows = (f"{form(k)},{0.1 + 0.3 * np.sin(0.13 * k):.6f}\n" for k in range(count))
    path.write_text(head + "".join(rows))
    return path


@pytest.mark.parametrize(
    ("form", "head"),
    [
        (lambda k: repr(k * 5e-5), "time,u\n"),  # 0.00015000000000000001
        (lambda k: repr(math.fsum([5e-5] * k)), "time,u\n"),
        (lambda k: repr(float(np.add.accumulate(np.full(k + 1, 5e-5))[-1])), "time,u\n"),
        (lambda k: f"{50 * k}", "t [us],u\n"),
        (lambda k: f"{0.05 * k:.17g}", "Time (ms),u\n"),
        (lambda k: f"{-0.01 + 5e-5 * k:.6e}", "time,u\n"),  # from before the trigger
        (lambda k: repr(1000 + 5e-5 * k), "time,u\n"),  # 1000 s are written to 1e-13 s
        (lambda k: f"{1.7e9 + 5e-5 * k:.6f}", "time,u\n"),  # since 1970: a double holds 2.4e-7 s there
    ],
)
@pytest.mark.parametrize("theta", [0.5e-3, 1e-3, 2.5e-3])
def test_a_result_does_not_hang_on_the_last_bit_of_a_time(tmp_path, form, head, theta):
    plain = read(written(tmp_path / "plain.csv", lambda k: f"{5e-5 * k:.5f}"), amplitude=1.0)
    other = read(written(tmp_path / "other.csv", form, head=head), amplitude=1.0)
    assert other.dt == plain.dt == 5e-5
    np.testing.assert_array_equal(other.values, plain.values)
    assert plain.refined(theta / 50).values.size == (
        399 * max(1, math.ceil(round(5e-5 / (theta / 50), 6))) + 1
    )


def test_a_jump_at_the_start_is_met_at_zero_but_for_rounding():
    # With theta = 20 dt the middle of the window meets 0 at a sample; its time is 0 or a bit below.
    for dt in (5e-5, np.nextafter(5e-5, 0), np.nextafter(5e-5, 1)):
        jump = Recording(dt, np.ones(40))
        times = dt * np.arange(40) - 20 * 5e-5 * 0.5
        assert jump(times)[10] == 1.0
        assert jump(times)[9] == 0.0


def test_times_rounded_to_a_decimal_place_are_even(tmp_path):
    rate = 44_100
    path = written(tmp_path / "rounded.csv", lambda k: f"{k / rate:.6f}")
    found = read(path, amplitude=1.0)
    assert found.values.size == 400
    # 399 intervals are known to half a microsecond at either end.
    assert found.dt == pytest.approx(1 / rate, abs=2 * 0.5e-6 / 399)


def test_the_last_point_counts_whatever_the_spacing(tmp_path):
    times = [0.0, 1e-3, 3.5e-3, 4.2e-3, 7.77e-3]
    path = write_csv(tmp_path / "u.csv", [(t, k + 1.0) for k, t in enumerate(times)])
    found = read(path, amplitude=1.0)
    assert found.duration == pytest.approx(7.77e-3, rel=1e-15)  # one product
    assert found.values[-1] == 5.0
