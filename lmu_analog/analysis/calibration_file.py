"""What a calibration found, as a file: readouts, settings of knobs, codes of converters, for every circuit.

``calibrate -o calibration.json`` writes it; ``export --to readout`` and ``analyze`` take it. A readout is stored as
Legendre coefficients K with an offset m_0, so that the window is P_i(2r - 1) (K (m - m_0))_i at every r. A knob turns
elements by a factor 1 + setting; beside it stand the values that they then have.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from lmu_analog.analysis.recipes import METHODS, Batch, Calibrated, Method, coefficients
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.design import Design
from lmu_analog.ensembles.sampling import planned_circuit
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_bytes

FORMAT = "lmu-analog calibration 1"
MOST_NUMBERS = 5_000_000  # in one file: some 100 MB
_LARGEST = 200_000_000  # bytes
_WANTED = "a calibration (lmu-analog calibrate DESIGN -o calibration.json writes one)"


@dataclass(frozen=True, eq=False)
class Correction:
    """A calibrated readout of Legendre states: n coefficients of the window off d states.

    Attributes
    ----------
    coefficients : (n, d) array
    offset : (d,) array, V
        What the states show at rest.
    """

    coefficients: Float[np.ndarray, "n d"]
    offset: Float[np.ndarray, " d"]

    def read(self, states: Float[np.ndarray, "*t d"]) -> Float[np.ndarray, "*t n"]:
        """Give the coefficients of the window off states."""
        return (states - self.offset) @ self.coefficients.T


@dataclass(frozen=True, eq=False)
class Stored:
    """What one method found.

    Attributes
    ----------
    knobs : tuple of tuple of str
        Names of the elements that each of k knobs turns.
    settings : (s, k) array
        Relative, for every circuit; NaN where one could not be calibrated.
    coefficients : (s or 1, n, d) array, optional
        Of every circuit, or one for all.
    offset : (s or 1, d) array, V, optional
    """

    knobs: tuple[tuple[str, ...], ...]
    settings: Float[np.ndarray, "s k"] | None
    coefficients: Float[np.ndarray, "c n d"] | None
    offset: Float[np.ndarray, "c d"] | None

    @property
    def needs_sample(self) -> bool:
        """Whether it is different for every circuit."""
        return self.settings is not None or (self.coefficients is not None and len(self.coefficients) > 1)


@dataclass(frozen=True, eq=False)
class Calibration:
    """A file of a calibration.

    Attributes
    ----------
    path : Path
    design : Design
        With the selection of mismatch that was calibrated.
    seed : int
    samples : int
    methods : dict of str to Stored
    """

    path: Path
    design: Design
    seed: int
    samples: int
    methods: Mapping[Method, Stored]


def findings(batch: Batch, method: Method, after: Calibrated) -> dict[str, Any]:
    """Give what a method found as plain objects; see ``docs/design-file.md`` for the keys."""
    names = batch.device.names
    found: dict[str, Any] = {}
    if (turned := after.turned) is not None:
        held = [np.flatnonzero(row) for row in turned.knobs.turns]
        single = all(len(of) == 1 for of in held)
        found |= {
            "knobs": [[names[k] for k in of] for of in held],
            "settings": _plain(turned.settings),
            "values": _plain(after.values[:, [of[0] for of in held]]) if single else None,
            "step": None if turned.step is None else _plain(turned.step),
            "codes": None if turned.codes is None else turned.codes.tolist(),
        }
    read = coefficients(batch, method)
    if read is not None:
        offset = np.zeros((len(read), batch.device.order))
        if after.subtracts_offset and (known := batch.device.system(after.values).offset) is not None:
            offset = known
        found |= {"coefficients": _plain(read), "offset": _plain(offset)}
    return found


def _plain(array: np.ndarray) -> Any:
    """Give nested lists, with null where a number is not finite."""
    given = array.astype(object)
    given[~np.isfinite(array)] = None
    return given.tolist()


def calibration_text(
    design: Design, found: Mapping[Method, dict[str, Any]], *, samples: int, seed: int
) -> str:
    """Write what methods found as JSON.

    Raises
    ------
    DesignError
        If it would be longer than can be read again.
    """
    size = sum(_count(part) for one in found.values() for part in one.values())
    if size > MOST_NUMBERS:
        raise DesignError(
            f"a calibration of {size} numbers; at most {MOST_NUMBERS} are written: give fewer circuits, or one method"
        )
    content = {
        "format": FORMAT,
        **design.provenance,
        "only": list(design.only),
        "without": list(design.without),
        "seed": seed,
        "samples": samples,
        "methods": dict(found),
    }
    return json.dumps(content, allow_nan=False) + "\n"


def _count(part: Any) -> int:
    return sum(map(_count, part)) if isinstance(part, list) else 1


def read_calibration(path: Path | str, design: Design) -> Calibration:
    """Read what ``calibration_text`` wrote, or what has the same form.

    Raises
    ------
    DesignError
        If the file is none, or of another design.
    """
    path = Path(path)
    raw = read_bytes(path, most=_LARGEST, wanted=_WANTED)
    try:
        content = json.loads(raw.decode("utf-8-sig"), parse_constant=_refused)
    except (ValueError, RecursionError) as error:
        raise DesignError(f"{path}: is no JSON: {str(error)[:100]}; give {_WANTED}") from None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise DesignError(f"{path}: no key format = {FORMAT!r}; give {_WANTED}")
    try:
        return _calibration(path, content, design)
    except DesignError as error:
        raise DesignError(f"{path}: {error}") from None


def _refused(text: str) -> float:
    raise ValueError(f"{text} is no number of JSON")


def _calibration(path: Path, content: dict[str, Any], design: Design) -> Calibration:
    seed, samples = (_whole(content, name) for name in ("seed", "samples"))
    chosen = {name: content.get(name, []) for name in ("only", "without")}
    if not all(isinstance(of, list) and all(isinstance(p, str) for p in of) for of in chosen.values()):
        raise DesignError("only and without: lists of patterns are wanted")
    calibrated = design.replace(**{name: tuple(of) for name, of in chosen.items()})
    if content.get("design") != calibrated.digest:
        raise DesignError("a calibration of another design; run calibrate anew for this one")
    methods = content.get("methods")
    if not isinstance(methods, dict) or not methods:
        raise DesignError("methods: a table of what each method found is wanted")
    found: dict[Method, Stored] = {}
    for name, one in methods.items():
        if name not in METHODS or not isinstance(one, dict):
            raise DesignError(f"methods: {shown(name)} where one of {', '.join(METHODS)} is wanted")
        try:
            found[name] = _stored(one, samples, design.order)
        except DesignError as error:
            raise DesignError(f"methods: {name}: {error}") from None
    return Calibration(path, calibrated, seed, samples, found)


def _whole(content: dict[str, Any], name: str) -> int:
    given = content.get(name)
    if isinstance(given, bool) or not isinstance(given, int) or not 0 <= given < 2**64:
        raise DesignError(f"{name}: {shown(given)} where a whole number is wanted")
    return given


def _stored(one: dict[str, Any], samples: int, order: int) -> Stored:
    knobs: list[tuple[str, ...]] = []
    settings = None
    if "settings" in one:
        given = one.get("knobs")
        if not isinstance(given, list) or not all(
            isinstance(of, list) and all(isinstance(name, str) for name in of) for of in given
        ):
            raise DesignError("knobs: a list of lists of elements is wanted")
        knobs = [tuple(of) for of in given]
        settings = _numbers(one, "settings", (samples, len(knobs)))
    read, offset = None, None
    if "coefficients" in one:
        read = _numbers(one, "coefficients", (None, None, order))
        if len(read) not in (1, samples) or read.shape[1] < 1:
            raise DesignError(f"coefficients: of {samples} circuits, or of one for all, are wanted")
        offset = _numbers(one, "offset", (len(read), order))
    return Stored(tuple(knobs), settings, read, offset)


def _numbers(one: dict[str, Any], name: str, shape: tuple[int | None, ...]) -> np.ndarray:
    """Read an array of numbers, null where there is none."""
    try:
        found = np.array(one.get(name), dtype=float)
    except (ValueError, TypeError):
        found = np.empty(())
    wanted = " x ".join("n" if size is None else str(size) for size in shape)
    fits = found.ndim == len(shape) and all(b in (None, a) for a, b in zip(found.shape, shape, strict=True))
    if not fits:
        raise DesignError(f"{name}: {wanted} numbers are wanted")
    return found


def opened(path: Path | str, design: Design, *, seed: int = 0, sampling: str = "random") -> Calibration:
    """Read a file whose circuits ``sample`` numbers; other draws than its own are refused.

    Raises
    ------
    DesignError
        As ``read_calibration``, or if another seed or plan is asked for.
    """
    found = read_calibration(path, design)
    if seed not in (0, found.seed):
        raise DesignError(f"calibration={path} is of seed {found.seed}; leave seed= out")
    if sampling != "random":
        raise DesignError(f"calibration={path} is of random samples; leave sampling= out")
    return found


def method_of(calibration: Calibration, wanted: str | None, *, sample: int | None, read: bool) -> Method:
    """Choose a method of a file: the one that is asked for, or the only one that fits.

    Parameters
    ----------
    calibration : Calibration
    wanted : str or None
    sample : int or None
        Circuit that is asked for.
    read : bool
        Whether it must have a readout.

    Raises
    ------
    DesignError
        If there is none such, or more than one.
    """
    known: dict[Method, Stored] = {
        name: one for name, one in calibration.methods.items() if one.coefficients is not None or not read
    }
    where = f"calibration={calibration.path}"
    if wanted is not None:
        if wanted not in calibration.methods:
            raise DesignError(
                f"{where} has no method {shown(wanted)}; it has {', '.join(calibration.methods)}"
            )
        if wanted not in known:
            raise DesignError(f"{where}: {wanted} leaves the readout as it is; readout and ensemble fit one")
        return wanted
    named: dict[Method, Stored] = {
        name: one for name, one in known.items() if one.needs_sample == (sample is not None)
    }
    fitting = tuple(named or known)
    if len(fitting) != 1:
        raise DesignError(f"{where} has {', '.join(fitting) or 'nothing that fits'}; choose one with method=")
    return fitting[0]


def correction_of(calibration: Calibration, method: Method, sample: int | None) -> Correction | None:
    """Give the readout that a method found for a circuit, None if it leaves the readout as it is.

    Raises
    ------
    DesignError
        If a circuit must be named, or could not be calibrated.
    """
    one = calibration.methods[method]
    if one.coefficients is None or one.offset is None:
        return None
    at = _circuit_number(calibration, method, sample) if len(one.coefficients) > 1 else 0
    found = Correction(one.coefficients[at], one.offset[at])
    if not (np.isfinite(found.coefficients).all() and np.isfinite(found.offset).all()):
        raise DesignError(
            f"calibration={calibration.path}: circuit {at} could not be calibrated; take another"
        )
    return found


def _circuit_number(calibration: Calibration, method: Method, sample: int | None) -> int:
    count = calibration.samples
    if sample is None and count > 1:
        raise DesignError(
            f"calibration={calibration.path}: {method} is different for every circuit; give sample=, 0 to {count - 1}"
        )
    if sample is not None and not 0 <= sample < count:
        raise DesignError(f"calibration={calibration.path} has circuits 0 to {count - 1}, and no {sample}")
    return sample or 0


def calibrated_circuit(calibration: Calibration, method: Method, sample: int | None) -> Circuit:
    """Build the circuit that a method leaves: its elements turned, at the temperature of the design.

    Raises
    ------
    DesignError
        If the file names elements that the circuit has not, or the circuit could not be calibrated.
    """
    one = calibration.methods[method]
    index = _circuit_number(calibration, method, sample) if one.needs_sample else sample
    circuit = planned_circuit(calibration.design, seed=calibration.seed, index=index)
    if one.settings is None:
        return circuit
    column = {p.name: k for k, p in enumerate(circuit.parameters)}
    factor = np.ones(len(column))
    settings = one.settings[index or 0]
    if not np.isfinite(settings).all():
        raise DesignError(
            f"calibration={calibration.path}: circuit {index} could not be calibrated; take another"
        )
    for names, setting in zip(one.knobs, settings.tolist(), strict=True):
        for name in names:
            if name not in column:
                raise DesignError(f"calibration={calibration.path}: the circuit has no element {shown(name)}")
            factor[column[name]] *= 1.0 + setting
    return with_values(circuit, circuit.values * factor)
