"""Reading CSV and WAV files: round trips through files written here, and every refusal."""

import wave

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import wavfile

from lmu_analog import recording as module
from lmu_analog.errors import DesignError
from lmu_analog.recording import read
from lmu_analog.stimulus import MOST_POINTS

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
    assert recording.dt == pytest.approx(dt, rel=1e-14)  # differences of times up to 35 dt


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
    assert almost.dt == (2 + 5e-7) / 2
    apart = read(write_csv(folder / "b.csv", [(0.0, 1.0), (1.0, 2.0), (2.0 + 5e-5, 5.0)]), amplitude=1.0)
    assert apart.values.size == 4  # three intervals, the smallest number not longer than the smallest spacing


def test_uneven_samples_take_no_more_than_the_most_points(folder):
    recording = read(write_csv(folder / "gap.csv", [(0.0, 1.0), (1e-9, 1.0), (1.0, 0.0)]), amplitude=1.0)
    assert recording.values.size == MOST_POINTS
    assert recording(0.5) == pytest.approx(0.5, abs=1e-8)  # the line from 1e-9 s on, not from 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", r": 0 rows of data; at least two rows"),
        ("t,u\n", r": 0 rows of data; at least two rows of two numbers"),
        ("t,u\n0,1\n", r": 1 rows of data; at least two rows"),
        ("0,1\n1,2,3\n", r", line 2: 3 cells; rows of two numbers are accepted, seconds and volts"),
        ("0\n1\n", r", line 1: 1 cells; rows of two numbers"),
        ("# c\nt,u\n0,1\n\n1\n", r", line 5: 1 cells; rows of two numbers"),
        ("0,1\n1,x\n", r", line 2: 'x' is not a number"),
        ("0,x\n1,1\n", r", line 1: 'x' is not a number"),
        ("t,u\ns,V\n0,1\n", r", line 2: 's' is not a number"),
        ("0,1\n1,\n", r", line 2: '' is not a number"),
        ("0;1,5\n1;2,5\n", r", line 1: '1,5' is not a number; .* decimal point"),
        ("0,1\n1,1_0\n", r", line 2: '1_0' is not a number"),
        ("0,1\n1," + "x" * 10**5, r", line 2: 'x{40}' is not a number"),
        ("0,1\n1,nan\n", r", line 2: 'nan' is out of range; numbers up to 1e\+06"),
        ("0,1\ninf,1\n", r", line 2: 'inf' is out of range"),
        ("nan,1\n1,1\n", r", line 1: 'nan' is out of range"),
        ("0,1\n1,-1000001\n", r", line 2: '-1000001' is out of range"),
        ("0,1\n0,2\n", r", line 2: time does not rise, 0 s after 0 s; sort the rows"),
        ("0,1\n1,2\n0.5,2\n", r", line 3: time does not rise, 0.5 s after 1 s"),
        ("0,0\n1,0\n", r": the recording is zero throughout"),
        ("0,1\n1,\0\n", r", line 2: binary data; a text file in UTF-8 is accepted"),
    ],
)
def test_a_malformed_csv_is_refused_at_its_line(tmp_path, content, message):
    path = tmp_path / "bad.csv"
    path.write_text(content)
    with pytest.raises(DesignError, match=r"^\S*bad\.csv" + message):
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


def test_what_is_not_utf8_is_refused(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("0,1\n1,2\n", encoding="utf-16")
    with pytest.raises(DesignError, match=r"wide\.csv, after line 0: not text in UTF-8"):
        read(path, amplitude=1.0)


def test_too_many_rows_are_refused_at_the_first_too_many(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_ROWS", 10)
    rows = [(float(k), 1.0) for k in range(11)]
    assert read(write_csv(tmp_path / "ten.csv", rows[:10]), amplitude=1.0).values.size == 10
    with pytest.raises(DesignError, match=r"eleven\.csv, line 11: too long, at most 10 rows are accepted"):
        read(write_csv(tmp_path / "eleven.csv", rows), amplitude=1.0)
    long = write_wav(tmp_path / "eleven.wav", np.ones(11, "<i2"))
    with pytest.raises(DesignError, match=r"eleven\.wav: 11 samples at 8000 Hz; 2 to 10 samples"):
        read(long, amplitude=1.0)


def test_missing_files_folders_and_unknown_kinds_are_refused(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "notes.txt").write_text("0,1\n1,2\n")
    with pytest.raises(DesignError, match=r"none\.csv: no such file; give a \.csv or \.wav"):
        read(tmp_path / "none.csv", amplitude=1.0)
    with pytest.raises(DesignError, match=r"folder\.csv: not a file"):
        read(tmp_path / "folder.csv", amplitude=1.0)
    with pytest.raises(DesignError, match=r"notes\.txt: unknown kind of file '\.txt'; \.csv and \.wav are"):
        read(str(tmp_path / "notes.txt"), amplitude=1.0)


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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 2}, r"2 channels of 16 bits; mono with 16 bits is accepted"),
        ({"width": 1}, r"1 channels of 8 bits; mono with 16 bits is accepted"),
        ({"width": 3}, r"1 channels of 24 bits; mono with 16 bits is accepted"),
    ],
)
def test_other_wav_layouts_are_refused(tmp_path, options, message):
    path = write_wav(tmp_path / "other.wav", np.ones(12, "<i2"), **options)
    with pytest.raises(DesignError, match=r"other\.wav: " + message):
        read(path, amplitude=1.0)


def test_damaged_silent_and_float_wavs_are_refused(tmp_path):
    whole = write_wav(tmp_path / "whole.wav", np.ones(100, "<i2"))
    short, floats = tmp_path / "short.wav", tmp_path / "floats.wav"
    short.write_bytes(whole.read_bytes()[:-50])
    wavfile.write(floats, 8000, np.ones(10, np.float32))
    with pytest.raises(DesignError, match=r"short\.wav: cut short, 75 of 100 samples"):
        read(short, amplitude=1.0)
    with pytest.raises(DesignError, match=r"floats\.wav: not a WAV file of 16-bit samples \(unknown"):
        read(floats, amplitude=1.0)
    silent = write_wav(tmp_path / "silent.wav", np.zeros(9, "<i2"))
    with pytest.raises(DesignError, match=r"silent\.wav: the recording is zero throughout"):
        read(silent, amplitude=1.0)
    one = write_wav(tmp_path / "one.wav", np.ones(1, "<i2"))
    with pytest.raises(DesignError, match=r"one\.wav: 1 samples at 8000 Hz; 2 to 5000000 samples"):
        read(one, amplitude=1.0)
    with pytest.raises(DesignError, match=r"whole\.wav: full scale of 0.0 V; above 0 to 1e\+06 V"):
        read(whole, amplitude=0.0)
