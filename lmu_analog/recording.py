"""Read a stimulus from a table or a WAV file; every refusal names the file and, in a table, the line."""

import math
import re
import struct
import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import scipy
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.files_in import read_bytes
from lmu_analog.stimulus import MOST_POINTS, ROUNDING, Recording
from lmu_analog.tables import (
    COUNTERS,
    Table,
    is_counter,
    is_time,
    number,
    parse_table,
    read_text,
    spice_number,
    time_scale,
    volt_scale,
)

WAV_SUFFIXES = (".wav", ".wave")
MOST_SAMPLES = 5_000_000
MOST_VOLTS = 1e6
MOST_WAV_BYTES = 400_000_000
_MOST_SECONDS = 1e12  # room for times since 1970
_EVEN = 1e-6  # spacings that agree to this fraction count as even: the digits that loggers print
_PRINTED = 0.1  # of a spacing: a last decimal place up to here, to which even times may have been rounded
_WANTED = "rows of two numbers, seconds and volts"
_RAW = re.compile(
    r"\b(adc|counts?|raw|lsb|codes?|bits?|current|strom|db|dbv|phase|temperature)\b", re.IGNORECASE
)
_PWL = re.compile(r"(?im)^[^\n#*;%]*?\bpwl\s*(?:\(\s*|\s)(?=\+?\s*[-+.\d])")
_NAME = re.compile(rb"[ -~]{4}")  # of a chunk
_SCALED = re.compile(
    r"(?<![a-z])(?:[mun\u00b5\u03bcpk](?:s|sec|V)|(?:milli|micro|nano)(?:sec|volt)\w*|units?)(?![a-z])",
    re.IGNORECASE,
)
_HORIZONTAL = re.compile(r"(horizontal|x|time)( axis)?[ _-]?units?")
_VERTICAL = re.compile(r"(vertical|y|voltage|amplitude)( axis)?[ _-]?units?")
_STREAMED = 0x7FFF_F000  # sizes from here on, and 0, stand in headers that were written before the samples
_FULL_SCALE = {"u1": 2.0**7, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63, "f4": 1.0, "f8": 1.0}


def read(
    path: Path | str, *, amplitude: float, column: str | None = None, channel: int | None = None
) -> Recording:
    """Read a recorded input.

    Parameters
    ----------
    path : Path or str
        A table of times and voltages, in the units that its header gives, else seconds and volts, as
        `lmu_analog.tables.read_table` reads it; points of a piecewise linear source, ``PWL(0 0 1m 0.5)``; or
        a ``.wav`` of integers of 8 to 64 bits or of floats.
    amplitude : float, V
        What full scale means in a WAV, of floats 1.0; volts in a table stand as they are.
    column : str, optional
        Column of a table with several channels: its name, or its number from 1.
    channel : int, optional
        Channel of a WAV with several, from 1.

    Returns
    -------
    recording : Recording
        Starts at t = 0. Uneven times are resampled on straight lines, at the smallest spacing
        but on at most `MOST_POINTS` points, the last of which is the last time.

    Raises
    ------
    DesignError
        If the file is missing, malformed, too long or silent, or it has several channels and none is chosen.
    """
    path = Path(path)
    if path.suffix.lower() in WAV_SUFFIXES:
        if column is not None:
            raise DesignError(f"{path}: a WAV has no column {column[:40]!r}; choose a channel, from 1")
        recording = _wav(path, amplitude, channel)
    else:
        if channel is not None:
            raise DesignError(f"{path}: a table has no channel {channel}; choose a column, by its name")
        recording = _even(*_times_and_volts(path, column))
    if recording.rms == 0:
        raise DesignError(f"{path}: the recording is zero throughout; an error relative to it has no meaning")
    return recording


def times(table: Table) -> tuple[Float[np.ndarray, "n"], list[int]]:
    """Find the times of a table, and the columns that hold something else.

    Without a header the first column is seconds. Sample numbers are no seconds: they need an interval in the
    preamble.

    Returns
    -------
    seconds : (n,) array
        Rising.
    others : list of int
        Columns with neither times nor sample numbers.

    Raises
    ------
    DesignError
        If no column holds times, their unit is unknown, or they do not rise.
    """
    every = range(table.columns.shape[1])
    found = [k for k in every if _holds_times(table, k)]
    if not table.headings:
        _refuse_units_in_comments(table)
    if table.counts and table.columns.shape[1] > 1:
        raise DesignError(
            f"{table.path}: the first column counts rows, which are no seconds; "
            "give times and a header with their unit, for example 'time [s]'"
        )
    seconds = _seconds(table, found[0]) if found else _counted(table)
    for k in found[1:]:
        if not np.array_equal(table.columns[:, k], table.columns[:, found[0]]):
            both = f"{table.headings[found[0]][:40]!r} and {table.headings[k][:40]!r}"
            raise DesignError(f"{table.path}: columns {both} are both times; keep one of them")
    others = [k for k in every if k not in found and not _counts(table, k)]
    if len(seconds) < 2:
        raise DesignError(f"{table.path}: {len(seconds)} rows of data; give at least two {_WANTED}")
    _check_times(table, seconds)
    return seconds, others


def volts(table: Table, column: int) -> Float[np.ndarray, "n"]:
    """Give a column in V.

    Raises
    ------
    DesignError
        If it is in another unit, or beyond `MOST_VOLTS`.
    """
    unit = _unit(table, column, _VERTICAL)
    scale = volt_scale(unit or "V")
    if scale is None or (not unit and table.headings and _RAW.search(table.names[column])):
        name = table.headings[column][:40] if table.headings else str(column + 1)
        what = f"is in {unit[:20]!r}" if unit else "is no voltage by its name"
        raise DesignError(f"{table.path}: column {name!r} {what}; give V, mV, uV, nV or kV")
    found = table.columns[:, column] * scale[0] / scale[1]
    if (over := np.flatnonzero(np.abs(found) > MOST_VOLTS)).size:
        raise DesignError(
            f"{table.where(int(over[0]))}: {found[over[0]]:g} V is out of range; give numbers up to {MOST_VOLTS:g} V"
        )
    return found


def channel_of(table: Table, others: list[int], column: str | None) -> int:
    """Choose the column that is asked for, or the only one.

    Raises
    ------
    DesignError
        If there is none, no such, or more than one and none is asked for.
    """
    if column is not None:
        chosen = table.find(column)
        if len(chosen) != 1 or chosen[0] not in others:
            what = f"{len(chosen)} columns are called" if len(chosen) > 1 else "no channel is called"
            raise DesignError(f"{table.path}: {what} {column[:40]!r}; {_listed(table, others)}")
        return chosen[0]
    if len(others) != 1:
        raise DesignError(f"{table.path}: {len(others)} channels beside the times; {_listed(table, others)}")
    return others[0]


def _listed(table: Table, others: list[int]) -> str:
    shown = [repr(table.headings[k][:40]) if table.headings else str(k + 1) for k in others[:8]]
    more = ", ..." if len(others) > 8 else ""
    return f"choose one with column=: {', '.join(shown)}{more}" if others else f"give {_WANTED}"


def _times_and_volts(path: Path, column: str | None) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n"]]:
    text = read_text(path, wanted=_WANTED, file="a .csv or .wav")
    if found := _PWL.search(text[:10_000]):
        table = _piecewise_linear(path, text, found.end())
    else:
        table = parse_table(str(path), text, wanted=_WANTED, suffixes=True)
        if not table.headings and re.search(r"(?m)^[ \t]*\+", text) and re.search(r"(?m)^[ \t]*[1-9.]", text):
            raise DesignError(
                f"{path}: some times have a plus, which may mean since the one before; write them without"
            )
    seconds, others = times(table)
    return seconds, volts(table, channel_of(table, others, column))


def _piecewise_linear(path: Path, text: str, begin: int) -> Table:
    """Read the points of a source as SPICE has them, ``PWL(0 0 1m 0.5``, from behind the parenthesis."""
    end = text.find(")", begin)
    lines: list[int] = []
    values: list[float] = []
    points = text[begin : end if end >= 0 else len(text)].split("\n")
    for line, part in enumerate(points, start=text.count("\n", 0, begin) + 1):
        plain = part.strip()
        if plain.startswith(("*", "#", ";")):
            continue
        for word in re.sub(r"^\+\s*", "", plain).replace(",", " ").split():
            value = number(word)
            value = spice_number(word) if value is None else value
            if value is None or not math.isfinite(value):
                raise DesignError(
                    f"{path}, line {line}: {word[:40]!r} is no number of a PWL source; give times and volts alone, "
                    "with suffixes f p n u m k meg g t if any"
                )
            lines.append(line)
            values.append(value)
    if len(values) % 2:
        raise DesignError(f"{path}: the PWL source has {len(values)} numbers; give pairs of time and volts")
    return Table(str(path), np.array(values).reshape(-1, 2), np.array(lines[::2]), (), (), (), {})


def _refuse_units_in_comments(table: Table) -> None:
    for line, said in table.comments:
        if found := _SCALED.search(said):
            raise DesignError(
                f"{table.path}, line {line}: the comment speaks of {found[0][:20]!r}, and there is no header; "
                "give one, for example 'time [ms],u [mV]'"
            )


def _holds_times(table: Table, k: int) -> bool:
    if not table.headings:
        return k == 0 and table.columns.shape[1] > 1
    name, unit = table.names[k], table.units[k]
    if unit and is_time(name, "") and time_scale(unit) is None and unit.lower() not in COUNTERS:
        raise DesignError(
            f"{table.path}: column {table.headings[k][:40]!r} is in {unit[:20]!r}; give s, ms, us, ns, ps, min or h"
        )
    return is_time(name, unit)


def _seconds(table: Table, column: int) -> Float[np.ndarray, "n"]:
    unit = _unit(table, column, _HORIZONTAL)
    scale = time_scale(unit or "s")
    if scale is None:
        raise DesignError(
            f"{table.path}: the horizontal unit is {unit[:20]!r}; give s, ms, us, ns, ps, min or h"
        )
    return table.columns[:, column] * scale[0] / scale[1]


def _unit(table: Table, column: int, key: re.Pattern[str]) -> str:
    """Give the unit of a column, from its header or the preamble; that of a name such as ``volts`` gives way."""
    above = _preamble_unit(table, key, column)
    if not table.headings:
        return above
    own = table.units[column]
    return above if above and own in ("", table.headings[column]) else own


def _preamble_unit(table: Table, key: re.Pattern[str], column: int) -> str:
    """Give a unit from the preamble, ``Vertical Units,V`` or ``Vertical Units,CH1:V``; empty if there is none.

    Where a key has a value for each channel, it is that of the column.
    """
    for name, given in table.preamble.items():
        if key.fullmatch(name):
            return given[min(max(column - 1, 0), len(given) - 1)].rpartition(":")[2].strip()
        if name in ("unit", "units") and len(given) == table.columns.shape[1]:
            return given[column].strip()
    return ""


def _counts(table: Table, k: int) -> bool:
    """Say whether a column holds sample numbers, by its name and its values."""
    if not table.headings or not (is_counter(table.names[k]) or table.units[k].lower() in COUNTERS):
        return False
    return bool(np.all(np.diff(table.columns[:, k]) == 1.0))


def _counted(table: Table) -> Float[np.ndarray, "n"]:
    """Give times from sample numbers, or from rows alone, and the interval that the preamble gives."""
    counters = [k for k in range(table.columns.shape[1]) if _counts(table, k)]
    numbers = table.columns[:, counters[0]] if counters else np.arange(len(table.columns), dtype=float)
    start, interval = 0.0, None
    for key, given in table.preamble.items():
        value = number(given[0].rpartition(":")[2].strip())
        scale = time_scale(given[1]) if len(given) > 1 else None
        if value is None:
            continue
        if key in ("increment", "xinc", "x inc", "sample interval", "sampling period", "sample period"):
            interval = value if scale is None else value * scale[0] / scale[1]
        elif (
            key in ("sample rate", "sampling rate")
            and value > 0.0
            and given[1:2] in ([], ["Hz"], ["Sa/s"], ["S/s"])
        ):
            interval = 1.0 / value
        elif key in ("start", "xorg", "x org"):
            start = value
    alone = table.columns.shape[1] == 1 and not (table.headings and volt_scale(table.units[0]))
    if interval is not None and not alone:  # what a scope writes alone may be the codes of its converter
        return start + interval * numbers
    if not table.headings:
        raise DesignError(f"{table.path}: one number in a row; give {_WANTED}")
    name = table.headings[counters[0] if counters else 0][:40]
    what = "counts samples, and no interval is given" if counters else "is not called time"
    raise DesignError(
        f"{table.path}: column {name!r} {what}; give times and their unit, for example 'time [s]' or 'time [ms]'"
    )


def _check_times(table: Table, seconds: Float[np.ndarray, "n"]) -> None:
    if (over := np.flatnonzero(np.abs(seconds) > _MOST_SECONDS)).size:
        raise DesignError(
            f"{table.where(int(over[0]))}: {seconds[over[0]]:g} s is out of range; "
            f"give numbers up to {_MOST_SECONDS:g} s"
        )
    falls = np.flatnonzero(np.diff(seconds) <= 0.0)
    if falls.size:
        k = int(falls[0])
        raise DesignError(
            f"{table.where(k + 1)}: time does not rise, {seconds[k + 1]:g} s after {seconds[k]:g} s; "
            "sort the rows and keep one for each time"
        )


def _even(seconds: Float[np.ndarray, "n"], values: Float[np.ndarray, "n"]) -> Recording:
    """Put the samples on an even grid from t = 0, which keeps them if they are even already."""
    spacing, span = np.diff(seconds), float(seconds[-1] - seconds[0])
    count = spacing.size
    bit = float(np.spacing(np.abs(seconds).max()))
    # Each end may be half a place off, or a bit; times that were added up, half a bit more a step.
    known = _place(seconds, span / count) + 2.0 * bit + min(0.5 * count * bit, ROUNDING * span / count)
    off = float(np.abs(seconds - seconds[0] - span / count * np.arange(count + 1)).max())
    if off <= known or np.ptp(spacing) <= _EVEN * spacing.min():
        return Recording(_shortest(span, count, known), values)
    intervals = math.ceil(min(span / spacing.min() - _EVEN, MOST_POINTS - 1))
    grid = np.linspace(0, span, intervals + 1)
    return Recording(span / intervals, np.interp(grid, seconds - seconds[0], values))


def _place(seconds: Float[np.ndarray, "n"], spacing: float) -> float:
    """Give the last decimal place, s, to which times were rounded, where it is fine beside their spacing; else 0.

    Of several that explain the times it is the coarsest.
    """
    place = 10.0 ** math.floor(math.log10(_PRINTED * spacing))
    while place > 1e-6 * spacing:
        steps = seconds / place
        # A quotient of decimals that is whole rounds to within 2**-51 of itself.
        if np.abs(steps).max() < 2.0**40 and np.all(
            np.abs(steps - np.round(steps)) <= 2.0**-50 * np.abs(steps)
        ):
            return place
        place /= 10.0
    return 0.0


def _shortest(span: float, count: int, off: float) -> float:
    """Give the spacing of fewest digits whose last time is no farther off: 5e-05 for 5.0000000000000145e-05."""
    for digits in range(1, 17):
        spacing = float(f"{span / count:.{digits}g}")
        if abs(spacing * count - span) <= off:
            return spacing
    return span / count


def _wav(path: Path, amplitude: float, channel: int | None) -> Recording:
    if not 0 < amplitude <= MOST_VOLTS:
        raise DesignError(f"{path}: full scale of {amplitude} V; give above 0 to {MOST_VOLTS:g} V")
    content = read_bytes(path, most=MOST_WAV_BYTES, wanted="a .wav or a table")
    rate, samples = _samples(path, content)
    count, channels = samples.shape
    if not 2 <= count <= MOST_SAMPLES or rate <= 0:
        raise DesignError(
            f"{path}: {count} samples at {rate} Hz; give 2 to {MOST_SAMPLES} samples at a positive rate"
        )
    if channel is None and channels != 1:
        raise DesignError(f"{path}: {channels} channels; choose one with channel=, from 1 to {channels}")
    chosen = 1 if channel is None else channel
    if not 1 <= chosen <= channels:
        raise DesignError(f"{path}: no channel {chosen}; give one from 1 to {channels}")
    kind = samples.dtype.str[1:]
    column = samples[:, chosen - 1].astype(float)
    if not np.isfinite(column).all():
        raise DesignError(
            f"{path}: sample {int(np.argmin(np.isfinite(column))) + 1} is not finite; write it again"
        )
    scaled = (column - 128.0 if kind == "u1" else column) * (amplitude / _FULL_SCALE[kind])
    if np.abs(scaled).max() > MOST_VOLTS:
        raise DesignError(f"{path}: samples up to {np.abs(scaled).max():g} V; give at most {MOST_VOLTS:g} V")
    return Recording(1 / rate, scaled)


def _samples(path: Path, content: bytes) -> tuple[int, np.ndarray]:
    """Let SciPy read the format and the samples alone, after a look at the sizes that the header claims."""
    if len(content) < 12 or content[:4] not in (b"RIFF", b"RIFX", b"RF64") or content[8:12] != b"WAVE":
        raise DesignError(f"{path}: not a WAV file; write it as WAV (PCM or float), or give a table")
    order = ">" if content[:4] == b"RIFX" else "<"
    layout, data = _chunks(path, content, order)
    parts = ((b"fmt ", layout), (b"data", data))
    whole = b"WAVE" + b"".join(name + struct.pack(f"{order}I", len(part)) + part for name, part in parts)
    tag = b"RIFX" if order == ">" else b"RIFF"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.io.wavfile.WavFileWarning)
            rate, samples = scipy.io.wavfile.read(BytesIO(tag + struct.pack(f"{order}I", len(whole)) + whole))
    except (ValueError, struct.error, TypeError, ArithmeticError, scipy.io.wavfile.WavFileWarning) as error:
        raise DesignError(
            f"{path}: a WAV that cannot be read ({str(error)[:80]}); write PCM or float"
        ) from None
    samples = samples[:, None] if samples.ndim == 1 else samples
    if samples.dtype.str[1:] not in _FULL_SCALE:
        raise DesignError(f"{path}: samples of type {samples.dtype}; write PCM or float")
    return rate, samples


def _chunks(path: Path, content: bytes, order: str) -> tuple[bytes, bytes]:
    """Give the format and the samples of a WAV, whose sizes must be those of the file."""
    position, layout, data, long = 12, b"", None, None
    while position + 8 <= len(content) and _NAME.fullmatch(content, position, position + 4) and data is None:
        name, size = content[position : position + 4], *struct.unpack_from(f"{order}I", content, position + 4)
        start = position + 8
        left = len(content) - start
        if name == b"ds64" and left >= 16:  # what RF64 is for: sizes of 64 bits
            long = struct.unpack_from(f"{order}Q", content, start + 8)[0]
        if name == b"data":
            size = long if long is not None and size == 0xFFFF_FFFF else size
            if size >= _STREAMED or (size == 0 and left):
                size = left - left % _frame(layout, order)
                return layout, content[start : start + size]
            data = content[start : start + size]
        if size > left:
            what = f"cut short, {left} of {size} bytes of samples" if name == b"data" else "damaged"
            raise DesignError(f"{path}: {what}; copy it again")
        layout = content[start : start + size] if name == b"fmt " else layout
        position = start + size + size % 2
    if data is None or not layout:
        raise DesignError(f"{path}: a WAV without {'samples' if layout else 'a format'}; write it again")
    _check_rest(path, content[position:], order, claimed=len(data))
    return layout, data


def _frame(layout: bytes, order: str) -> int:
    """Give the bytes of one sample of all channels."""
    return max(1, struct.unpack_from(f"{order}H", layout, 12)[0]) if len(layout) >= 14 else 1


def _check_rest(path: Path, rest: bytes, order: str, *, claimed: int) -> None:
    """Refuse samples beyond those that the header claims: what follows must be chunks, or zeros."""
    position = 0
    while position + 8 <= len(rest) and _NAME.fullmatch(rest, position, position + 4):
        position += 8 + (size := struct.unpack_from(f"{order}I", rest, position + 4)[0]) + size % 2
    if position > len(rest) + 1 or rest[position:].strip(b"\0"):
        raise DesignError(
            f"{path}: the header claims {claimed} bytes of samples, and {len(rest)} more follow that are no part "
            "of a WAV; write it again"
        )
