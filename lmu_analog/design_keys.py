"""Every key of the design file: where it stands, and how its value is read and checked."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from lmu_analog.arrays_in import read_numbers
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.circuits.devices.tolerance import (
    CLASSES,
    MADE_OF_UNITS,
    Tolerance,
    read_groups,
    read_part_tolerances,
    read_tolerance,
)
from lmu_analog.circuits.devices.values import SERIES
from lmu_analog.circuits.driven import read_output_levels
from lmu_analog.circuits.element_values import read_element_values
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.interface import InputBuffer, Load
from lmu_analog.circuits.lowpass import HIGHEST_ORDER, RESPONSES
from lmu_analog.circuits.patterns import read_patterns
from lmu_analog.circuits.readout import LARGEST as LARGEST_WEIGHT
from lmu_analog.circuits.readout import TARGETS
from lmu_analog.circuits.scaling import SCALINGS
from lmu_analog.circuits.temperature import read_drift
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_toml
from lmu_analog.memory.legendre import check_order, check_theta
from lmu_analog.memory.realizations import REALIZATIONS
from lmu_analog.memory.taps import Tap
from lmu_analog.tables import read_table
from lmu_analog.units import magnitude, parse, share, temperature

if TYPE_CHECKING:
    from lmu_analog.circuits.lowpass import Response

HIGHEST_VOLTAGE = 1e6
BAND = (1e-9, 1e15)  # Hz
COLDEST, HOTTEST = 200.0, 500.0  # K: beyond, parts do not work, and a bare number was meant in Celsius
SIGNALS = ("multitone", "sine", "noise", "step", "chirp")
READOUTS = ("ideal", *TARGETS)
BIASES = ("ideal", "constant-gm", "ptat")  # what sets the currents of transistors of a process
MOST_TAPS = 32
MOST_CHANNELS = 65535  # what the header of a WAV can count to


@dataclass(frozen=True)
class Key:
    """A key: its table and name in the file, and the reader of its value."""

    table: str
    name: str
    read: Callable[[Any], Any]

    @property
    def label(self) -> str:
        """How errors name it."""
        return f"[{self.table}] {self.name}" if self.table != self.name else f"[{self.table}]"


def _quantity(unit: str, low: float, high: float) -> Callable[[Any], float]:
    def reader(given: Any) -> float:
        value = parse(given, unit)
        if not low <= value <= high:
            raise DesignError(f"{value:g} {unit} is outside {low:g} to {high:g} {unit}")
        return value

    return reader


def _number(low: float, high: float) -> Callable[[Any], float]:
    """Read a number without a unit."""

    def reader(given: Any) -> float:
        try:
            value = math.nan if isinstance(given, bool) else float(given)
        except (TypeError, ValueError, OverflowError):
            value = math.nan
        if math.isnan(value):
            raise DesignError(f"{shown(given)} is no number from {low:g} to {high:g}")
        if not low <= value <= high:
            raise DesignError(f"{value:g} is outside {low:g} to {high:g}")
        return value

    return reader


def _magnitude(unit: str, low: float, high: float) -> Callable[[Any], float]:
    """Read a quantity that may be written with ±."""
    inner = _quantity(unit, low, high)
    return lambda given: inner(magnitude(given, unit))


def _share(low: float, high: float) -> Callable[[Any], float]:
    def reader(given: Any) -> float:
        value = share(given)
        if not low <= value <= high:
            raise DesignError(f"{100 * value:g} % is outside {100 * low:g} to {100 * high:g} %")
        return value

    return reader


def _choice(*known: str) -> Callable[[Any], str]:
    def reader(given: Any) -> str:
        if not isinstance(given, str) or given not in known:
            raise DesignError(f"unknown {shown(given)}; known are {', '.join(k or repr(k) for k in known)}")
        return given

    return reader


def _read_tones(given: Any) -> tuple[tuple[float, float, float], ...]:
    if not isinstance(given, list | tuple) or not given:
        raise DesignError("tones are a list of [frequency, cosine amplitude, sine amplitude]")
    hertz, volts = _quantity("Hz", *BAND), _quantity("V", -HIGHEST_VOLTAGE, HIGHEST_VOLTAGE)
    read_tones = []
    for tone in given:
        row = [tone.get(k, 0.0) for k in ("frequency", "cosine", "sine")] if isinstance(tone, dict) else tone
        if not isinstance(row, list | tuple) or len(row) != 3:
            raise DesignError(
                f"a tone is [frequency, cosine amplitude, sine amplitude], not {shown(tone, 60)}"
            )
        read_tones.append((hertz(row[0]), volts(row[1]), volts(row[2])))
    if not any(cosine or sine for _, cosine, sine in read_tones):
        raise DesignError("all amplitudes are zero; an error relative to zero has no meaning")
    return tuple(read_tones)


def _by_class(example: str, read: Callable[[Any], Any]) -> Callable[[Any], dict[str, Any]]:
    def reader(given: Any) -> dict[str, Any]:
        if not isinstance(given, dict):
            raise DesignError(f"a table of classes is wanted, for example {example}, not {shown(given)}")
        if unknown := sorted(set(given) - set(CLASSES), key=str):
            raise DesignError(f"unknown class {shown(unknown[0])}; known are {', '.join(CLASSES)}")
        return {k: labelled(k, read, v) for k, v in given.items()}

    return reader


def _read_mismatch(given: Any) -> dict[str, Tolerance]:
    found = _by_class("resistor = '1 %'", read_tolerance)(given)
    for name, tolerance in found.items():
        if tolerance.scale != "none" and name not in MADE_OF_UNITS:
            raise DesignError(f"{name}: scale is for {', '.join(MADE_OF_UNITS)}: they are made of units")
    return found


def _read_technology(given: Any) -> str:
    if not isinstance(given, str):
        raise DesignError(f"a technology is a name, not {shown(given)}")
    return technology(given).name


def _read_temperature(given: Any) -> float:
    value = temperature(given)
    if not COLDEST <= value <= HOTTEST:
        raise DesignError(f"{value:g} K is outside {COLDEST:g} to {HOTTEST:g} K; write '85 C' for Celsius")
    return value


def _read_file(given: Any) -> Path:
    if not isinstance(given, str | Path):
        raise DesignError(f"a file name is text, not {shown(given)}")
    return Path(given)


def _read_folder(given: Any) -> Path:
    if not isinstance(given, str | Path) or not str(given):
        raise DesignError(f"a folder's name is text, not {shown(given)}")
    return Path(given)


def _read_column(given: Any) -> str:
    if not isinstance(given, str) or not given.strip():
        raise DesignError(f"a column is the text of its header, or its number in quotes, not {given!r:.40}")
    return given


def _read_channel(given: Any) -> int:
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not 1 <= given <= MOST_CHANNELS:
        raise DesignError(f"a channel is a whole number from 1 to {MOST_CHANNELS}, not {given!r:.40}")
    return int(given)


def _read_taps(given: Any) -> tuple[Tap, ...]:
    if not isinstance(given, list | tuple) or len(given) > MOST_TAPS:
        raise DesignError(
            f"taps are a list of at most {MOST_TAPS} delays from 0 to 1, not {shown(given, 60)}"
        )
    delay, gain = _number(0.0, 1.0), _number(1e-6, 1e6)
    found = []
    for tap in given:
        row = (
            {"r": tap.r, "gain": "native" if tap.gain is None else tap.gain} if isinstance(tap, Tap) else tap
        )
        row = row if isinstance(row, dict) else {"r": row}
        if "r" not in row or set(row) - {"r", "gain"}:
            raise DesignError(f"a tap is a delay, or {{ r = 1.0, gain = 1.0 }}, not {shown(tap, 60)}")
        wanted = row.get("gain", 1.0)
        found.append(Tap(delay(row["r"]), None if wanted == "native" else gain(wanted)))
    return tuple(found)


def _read_outputs(given: Any) -> tuple[Tap, ...]:
    if not isinstance(given, list | tuple) or len(given) > MOST_TAPS:
        raise DesignError(f"outputs are at most {MOST_TAPS} tables with weights, not {shown(given, 60)}")
    gain = _number(1e-6, 1e6)
    found = []
    for row in given:
        table = {"weights": row.weights, "gain": row.gain} if isinstance(row, Tap) else row
        if not isinstance(table, dict) or "weights" not in table or set(table) - {"weights", "gain"}:
            raise DesignError(f"an output is {{ weights = [...], gain = 1.0 }}, not {shown(row, 60)}")
        found.append(Tap(None, gain(table.get("gain", 1.0)), _read_weights(table["weights"])))
    return tuple(found)


def _read_load(given: Any) -> Load:
    """Read a resistance, or a table of both parts."""
    if isinstance(given, Load):
        given = {name: value for name, value in vars(given).items() if value is not None}
        given = {{"resistance": "resistor", "capacitance": "capacitor"}[name]: x for name, x in given.items()}
    row = given if isinstance(given, dict) else {"resistor": given}
    if not row or set(row) - {"resistor", "capacitor"}:
        raise DesignError(
            f"a load is a resistance, or {{ resistor = '10 kohm', capacitor = '100 pF' }}, not {shown(given, 60)}"
        )
    readers = {"resistor": _quantity("Ohm", 1.0, 1e12), "capacitor": _quantity("F", 1e-15, 1e-3)}
    found = {name: labelled(name, readers[name], value) for name, value in row.items()}
    return Load(found.get("resistor"), found.get("capacitor"))


def _read_buffer(given: Any) -> InputBuffer:
    """Read "buffer", or a table of a filter's order, band and response."""
    if isinstance(given, InputBuffer):
        given = {name: value for name, value in vars(given).items() if value is not None}
        given = given if given["order"] else "buffer"
    if given == "buffer":
        return InputBuffer()
    if not isinstance(given, dict) or set(given) - {"order", "bandwidth", "response"}:
        raise DesignError(
            f"'buffer', or {{ order = 2, bandwidth = '1 kHz', response = 'butterworth' }}, not {shown(given, 60)}"
        )
    order = given.get("order", 2)
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= HIGHEST_ORDER:
        raise DesignError(f"order: {shown(order)} is no whole number from 1 to {HIGHEST_ORDER}")
    if "bandwidth" not in given:
        raise DesignError("bandwidth is missing: where the filter is 3 dB down")
    band = labelled("bandwidth", _quantity("Hz", *BAND), given["bandwidth"])
    response = labelled("response", _choice(*RESPONSES), given.get("response", RESPONSES[0]))
    return InputBuffer(order, band, cast("Response", response))


def _read_weights(given: Any) -> tuple[float, ...]:
    """Read weights of the states: numbers, or a file of NumPy's that has them."""
    if isinstance(given, str | Path):
        given = read_numbers(Path(given), name="weights")
    flat = np.asarray(given, object).ravel()
    if not len(flat) or any(isinstance(x, bool) or not isinstance(x, float | int | np.number) for x in flat):
        raise DesignError(f"weights are numbers, one a state, not {shown(given, 60)}")
    weights = tuple(float(x) for x in flat)
    if not np.isfinite(weights).all() or not any(weights):
        raise DesignError("weights must be finite, and one of them other than zero")
    return weights


def _read_readout(given: Any) -> str | tuple[tuple[float, ...], ...]:
    """Read how states are estimated: a word, or a square matrix, as rows or in a file."""
    if isinstance(given, str) and given in READOUTS:
        return given
    wanted = f"{', '.join(map(repr, READOUTS))}, rows of numbers, or a .npy, .npz or .csv file of them"
    rows = given
    if isinstance(given, str | Path):
        match Path(given).suffix:
            case ".csv":
                rows = read_table(given, wanted="rows of numbers, one a state").columns
            case ".npy" | ".npz":
                rows = read_numbers(Path(given), name="readout")
            case _:
                raise DesignError(f"unknown {shown(str(given), 60)}; give {wanted}")
    rows = rows.tolist() if isinstance(rows, np.ndarray) else rows
    if (
        not isinstance(rows, list | tuple)
        or not rows
        or not all(isinstance(row, list | tuple) for row in rows)
    ):
        raise DesignError(f"{shown(given, 60)} is no readout; give {wanted}")
    return tuple(_row_of_readout(row, i, len(rows)) for i, row in enumerate(rows))


def _row_of_readout(row: list[Any] | tuple[Any, ...], i: int, count: int) -> tuple[float, ...]:
    if len(row) != count:
        raise DesignError(f"row {i} has {len(row)} numbers, and there are {count} rows; one of each a state")
    for x in row:
        is_number = isinstance(x, float | int | np.number) and not isinstance(x, bool)
        if not is_number or not abs(x) <= LARGEST_WEIGHT:
            raise DesignError(
                f"row {i}: {shown(x)} is no number from {-LARGEST_WEIGHT:g} to {LARGEST_WEIGHT:g}"
            )
    if not any(row):
        raise DesignError(f"row {i} has zeros alone; it would read nothing of the state m{i}")
    return tuple(float(x) for x in row)


KEYS: dict[str, Key] = {
    "order": Key("memory", "order", check_order),
    "theta": Key("memory", "theta", lambda given: check_theta(parse(given, "s"))),
    "error": Key("memory", "error", _share(1e-9, 10.0)),
    "bandwidth": Key("signal", "bandwidth", _quantity("Hz", *BAND)),
    "amplitude": Key("signal", "amplitude", _magnitude("V", 1e-9, HIGHEST_VOLTAGE)),
    "signal": Key("signal", "kind", _choice(*SIGNALS)),
    "tones": Key("signal", "tones", _read_tones),
    "file": Key("signal", "file", _read_file),
    "column": Key("signal", "column", _read_column),
    "channel": Key("signal", "channel", _read_channel),
    "family": Key("circuit", "family", _choice(*FAMILIES)),
    "realization": Key("circuit", "realization", _choice(*REALIZATIONS)),
    "capacitance": Key("circuit", "capacitance", _quantity("F", 1e-18, 1.0)),
    "opamp": Key("circuit", "opamp", lambda given: given),
    "parts": Key("circuit", "parts", _read_file),
    "supply": Key("circuit", "supply", _magnitude("V", 1e-3, HIGHEST_VOLTAGE)),
    "reference": Key("circuit", "reference", _choice("ground", "mid")),
    "headroom": Key("circuit", "headroom", _share(0.0, 0.99)),
    "scaling": Key("circuit", "scaling", _choice(*SCALINGS)),
    "predistort": Key("circuit", "predistort", _choice("none", "gbw")),
    "values": Key("circuit", "values", _choice("exact", *SERIES)),
    "values_fit": Key("circuit", "values_fit", _choice("common", "joint")),
    "pairs": Key("circuit", "pairs", _share(1e-6, 1.0)),
    "element_values": Key("circuit", "element_values", read_element_values),
    "output_levels": Key("circuit", "output_levels", read_output_levels),
    "readout": Key("circuit", "readout", _read_readout),
    "taps": Key("circuit", "taps", _read_taps),
    "outputs": Key("circuit", "output", _read_outputs),
    "input_buffer": Key("circuit", "input", _read_buffer),
    "output_load": Key("circuit", "load", _read_load),
    "tau": Key("circuit", "tau", _quantity("s", 1e-15, 1e6)),
    "second_tau": Key("circuit", "second_tau", _quantity("s", 1e-15, 1e6)),
    "transconductor": Key("circuit", "transconductor", lambda given: given),
    "crossbar": Key("circuit", "crossbar", lambda given: given),
    "clock": Key("circuit", "clock", _quantity("Hz", *BAND)),
    "level": Key("circuit", "level", _choice("behavioural", "transistor")),
    "variant": Key("circuit", "variant", _choice("", "gyrator", "no-derivative")),
    "technology": Key("circuit", "technology", _read_technology),
    "pdk": Key("circuit", "pdk", _read_folder),
    "bias": Key("circuit", "bias", _choice(*BIASES)),
    "temperature": Key("circuit", "temperature", _read_temperature),
    "leakage": Key("circuit", "leakage", _quantity("s", 1e-9, 1e12)),
    "mismatch": Key("mismatch", "mismatch", _read_mismatch),
    "groups": Key("mismatch", "group", read_groups),
    "part_tolerances": Key("mismatch", "part", read_part_tolerances),
    "only": Key("mismatch", "only", read_patterns),
    "without": Key("mismatch", "without", read_patterns),
    "drift": Key("drift", "drift", _by_class("resistor = '25 ppm'", read_drift)),
    "nrmse": Key("spec", "nrmse", _share(1e-9, 10.0)),
    "tap_nrmse": Key("spec", "tap_nrmse", _share(1e-9, 10.0)),
    "wanted_yield": Key("spec", "yield", _share(1e-9, 1.0)),
}


def labelled(label: str, read: Callable[..., Any], *given: Any) -> Any:
    """Call a reader and put the label before what it complains about."""
    try:
        return read(*given)
    except DesignError as error:
        raise DesignError(f"{label}: {error}") from None


def load(path: Path) -> dict[str, Any]:
    """Read a design file into the fields of a design; files that it names are found beside it.

    Raises
    ------
    DesignError
        If the file is missing, malformed, or has an unknown table or key.
    """
    tables = read_toml(path, wanted="a design file (lmu-analog new -o design.toml writes one)")
    return labelled(str(path), _beside, path, tables)


def _beside(path: Path, tables: dict[str, Any]) -> dict[str, Any]:
    fields = _fields(tables)
    if isinstance(table := fields.get("opamp"), dict) and isinstance(table.get("model"), str):
        fields["opamp"] = {**table, "model": str(path.parent / table["model"])}
    for name in ("file", "parts", "pdk", "element_values"):
        if isinstance(fields.get(name), str):
            fields[name] = path.parent / fields[name]
    if isinstance(readout := fields.get("readout"), str) and readout not in READOUTS:
        fields["readout"] = path.parent / readout
    if isinstance(outputs := fields.get("outputs"), list):
        fields["outputs"] = [
            {**row, "weights": path.parent / row["weights"]}
            if isinstance(row, dict) and isinstance(row.get("weights"), str)
            else row
            for row in outputs
        ]
    return fields


def _fields(tables: dict[str, Any]) -> dict[str, Any]:
    known: dict[str, dict[str, str]] = {}
    for field, key in KEYS.items():
        known.setdefault(key.table, {})[key.name] = field
    fields: dict[str, Any] = {}
    for table, content in tables.items():
        if table not in known:
            raise DesignError(f"unknown table {shown(table)}; known tables are {', '.join(known)}")
        if not isinstance(content, dict):
            raise DesignError(f"[{table}] must be a table, not {shown(content)}")
        if table in known[table]:  # its own keys are the classes; those that are not stand beside them
            fields[table] = {name: value for name, value in content.items() if name not in known[table]}
            content = {name: value for name, value in content.items() if name in known[table]}
        for name, value in content.items():
            if name not in known[table]:
                raise DesignError(
                    f"unknown key {shown(name)} in [{table}]; known keys are {', '.join(sorted(known[table]))}"
                )
            fields[known[table][name]] = value
    if {"order", "error"} <= set(fields):
        raise DesignError("[memory] has both order and error; give one of them")
    return fields
