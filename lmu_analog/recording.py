"""Read a stimulus from a CSV or WAV file; every refusal names the file and, in a CSV, the line."""

import math
import wave
from array import array
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.stimulus import MOST_POINTS, Recording

MOST_ROWS = 5_000_000
MOST_VOLTS = 1e6
_MOST_SECONDS = 1e12  # room for times since 1970
_EVEN = 1e-6  # spacings that agree to this fraction count as equal: the digits that loggers print
_ROWS = "rows of two numbers are accepted, seconds and volts"


def read(path: Path | str, *, amplitude: float) -> Recording:
    """Read a recorded input.

    Parameters
    ----------
    path : Path or str
        A ``.csv`` of two columns, seconds rising and volts, separated by comma, semicolon, tab or
        space, with an optional header line and ``#`` comments; or a ``.wav``, 16 bit, mono.
    amplitude : float, V
        What full scale means in a WAV; volts in a CSV stand as they are.

    Returns
    -------
    recording : Recording
        Starts at t = 0. Uneven times are resampled on straight lines, at the smallest spacing
        but on at most `MOST_POINTS` points.

    Raises
    ------
    DesignError
        If the file is missing, malformed, too long or silent.
    """
    path = Path(path)
    readers = {".csv": lambda: _even(*_columns(path)), ".wav": lambda: _wav(path, amplitude)}
    if path.suffix.lower() not in readers:
        raise DesignError(f"{path}: unknown kind of file {path.suffix!r}; .csv and .wav are accepted")
    try:
        if not path.is_file():
            what = "not a file" if path.exists() else "no such file"
            raise DesignError(f"{path}: {what}; give a .csv or .wav")
        recording = readers[path.suffix.lower()]()
    except OSError as error:
        raise DesignError(f"{path}: cannot be read ({error.strerror}); give a readable file") from None
    if recording.rms == 0:
        raise DesignError(f"{path}: the recording is zero throughout; an error relative to it has no meaning")
    return recording


def _columns(path: Path) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    """Return the seconds and the volts of a CSV, checked row by row."""
    seconds, volts = array("d"), array("d")
    for index, (number, line) in enumerate(_lines(path)):
        cells = _cells(line)
        if index == 0 and all(_number(cell) is None for cell in cells):
            continue  # the header
        where = f"{path}, line {number}"
        second, volt = _row(cells, where)
        if seconds and second <= seconds[-1]:
            raise DesignError(
                f"{where}: time does not rise, {second:g} s after {seconds[-1]:g} s; "
                "sort the rows and keep one for each time"
            )
        if len(seconds) == MOST_ROWS:
            raise DesignError(f"{where}: too long, at most {MOST_ROWS} rows are accepted")
        seconds.append(second)
        volts.append(volt)
    if len(seconds) < 2:
        raise DesignError(f"{path}: {len(seconds)} rows of data; at least two {_ROWS}")
    return np.array(seconds), np.array(volts)


def read_table(path: Path | str) -> dict[str, Float[np.ndarray, "n"]]:
    """Read a recording of several channels: a ``.csv`` whose first line names the columns.

    Parameters
    ----------
    path : Path or str
        Columns separated by comma, semicolon, tab or space, with a decimal point; ``#`` starts a comment.

    Returns
    -------
    dict
        Name of a column, as it stands in the header, to its (n,) numbers; at least two rows.

    Raises
    ------
    DesignError
        If the file is missing, malformed or too long; the message names line and column.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = "not a file" if path.exists() else "no such file"
            raise DesignError(f"{path}: {what}; give a .csv with a header and rows of numbers")
        lines = _lines(path)
        names = _header(path, next(lines, None))
        columns = [array("d") for _ in names]
        for number, line in lines:
            _table_row(_cells(line), names, columns, where=f"{path}, line {number}")
    except OSError as error:
        raise DesignError(f"{path}: cannot be read ({error.strerror}); give a readable file") from None
    if len(columns[0]) < 2:
        raise DesignError(f"{path}: {len(columns[0])} rows of data; at least two are wanted")
    return {name: np.array(column) for name, column in zip(names, columns, strict=True)}


def _header(path: Path, first: tuple[int, str] | None) -> list[str]:
    if first is None:
        raise DesignError(f"{path}: empty; a header and rows of numbers are wanted")
    number, line = first
    names = _cells(line)
    if any(_number(name) is not None for name in names):
        raise DesignError(f"{path}, line {number}: no header; name the columns, for example time,input,m0,m1")
    if twice := [name for name in names if names.count(name) > 1]:
        raise DesignError(
            f"{path}, line {number}: two columns are called {twice[0][:40]!r}; give each its own name"
        )
    return names


def _table_row(cells: list[str], names: list[str], columns: list["array[float]"], *, where: str) -> None:
    if len(cells) != len(names):
        raise DesignError(f"{where}: {len(cells)} cells; the header names {len(names)} columns")
    if len(columns[0]) == MOST_ROWS:
        raise DesignError(f"{where}: too long, at most {MOST_ROWS} rows are accepted")
    for name, cell, column in zip(names, cells, columns, strict=True):
        value = _number(cell)
        if value is None:
            raise DesignError(
                f"{where}, column {name[:40]!r}: {cell[:40]!r} is not a number; "
                "numbers with a decimal point are accepted"
            )
        if not abs(value) <= _MOST_SECONDS:  # also true of NaN
            raise DesignError(f"{where}, column {name[:40]!r}: {cell[:40]!r} is out of range")
        column.append(value)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is neither blank nor a comment."""
    number = 0
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if "\0" in line:
                    raise DesignError(f"{path}, line {number}: binary data; a text file in UTF-8 is accepted")
                text = line.strip()
                if text and not text.startswith("#"):
                    yield number, text
    except UnicodeDecodeError:
        raise DesignError(f"{path}, after line {number}: not text in UTF-8, which is accepted") from None


def _cells(line: str) -> list[str]:
    for separator in ";,":
        if separator in line:
            return [cell.strip() for cell in line.split(separator)]
    return line.split()


def _number(cell: str) -> float | None:
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _row(cells: list[str], where: str) -> tuple[float, float]:
    if len(cells) != 2:
        raise DesignError(f"{where}: {len(cells)} cells; {_ROWS}")
    values = []
    for cell, most in zip(cells, (_MOST_SECONDS, MOST_VOLTS), strict=True):
        value = _number(cell)
        if value is None:
            raise DesignError(f"{where}: {cell[:40]!r} is not a number; {_ROWS}, with a decimal point")
        if not abs(value) <= most:  # also true of NaN
            raise DesignError(f"{where}: {cell[:40]!r} is out of range; numbers up to {most:g} are accepted")
        values.append(value)
    return values[0], values[1]


def _even(seconds: Float[np.ndarray, "n"], volts: Float[np.ndarray, "n"]) -> Recording:
    """Put the samples on an even grid from t = 0, which keeps them if they are even already."""
    seconds = seconds - seconds[0]
    spacing, span = np.diff(seconds), float(seconds[-1])
    if np.ptp(spacing) <= _EVEN * spacing.min():
        return Recording(span / spacing.size, volts)
    intervals = math.ceil(min(span / spacing.min() - _EVEN, MOST_POINTS - 1))
    grid = np.linspace(0, span, intervals + 1)
    return Recording(span / intervals, np.interp(grid, seconds, volts))


def _wav(path: Path, amplitude: float) -> Recording:
    if not 0 < amplitude <= MOST_VOLTS:
        raise DesignError(f"{path}: full scale of {amplitude} V; above 0 to {MOST_VOLTS:g} V is accepted")
    try:
        with wave.open(str(path)) as file:
            layout = file.getparams()
            raw = file.readframes(min(layout.nframes, MOST_ROWS))
    except (wave.Error, EOFError, RuntimeError) as error:  # the last for chunks longer than the file
        raise DesignError(f"{path}: not a WAV file of 16-bit samples ({str(error) or 'damaged'})") from None
    if (layout.nchannels, layout.sampwidth) != (1, 2):
        raise DesignError(
            f"{path}: {layout.nchannels} channels of {8 * layout.sampwidth} bits; "
            "mono with 16 bits is accepted"
        )
    if not 2 <= layout.nframes <= MOST_ROWS or layout.framerate <= 0:
        raise DesignError(
            f"{path}: {layout.nframes} samples at {layout.framerate} Hz; "
            f"2 to {MOST_ROWS} samples at a positive rate are accepted"
        )
    if len(raw) != 2 * layout.nframes:
        raise DesignError(f"{path}: cut short, {len(raw) // 2} of {layout.nframes} samples; copy it again")
    return Recording(1 / layout.framerate, np.frombuffer(raw, "<i2") * (amplitude / 2**15))
