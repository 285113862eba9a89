"""A measure over a grid of designs."""

import itertools
import json
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from lmu_analog.circuits.devices.tolerance import CLASSES
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.ensembles.allocation import one_thread_each
from lmu_analog.ensembles.montecarlo import check_numbers
from lmu_analog.ensembles.pool import run_tasks
from lmu_analog.errors import DesignError, LmuAnalogError, StoreError, shown
from lmu_analog.files_out import write_text
from lmu_analog.version import __version__

Measured = float | Mapping[str, float] | xr.Dataset
Changes = dict[str, Any]
BY_CLASS = {"mismatch": CLASSES, "drift": CLASSES}  # tables of the design file whose keys are classes
TABLES = ("opamp", "transconductor", "crossbar")  # keys that may hold tables of figures
MANIFEST = "sweep.json"
TIMEOUT = 86400.0  # s for one combination


def sweep(
    design: Design,
    parameters: Mapping[str, Sequence[object]],
    measure: Callable[[Design], Measured],
    *,
    workers: int = 1,
    store: Path | str | None = None,
    resumed: bool = False,
    progress: Callable[[int], None] | None = None,
) -> xr.Dataset:
    """Measure a design for every combination of parameters.

    Parameters
    ----------
    design : Design
    parameters : mapping
        Key of the design file, such as ``"circuit.realization"``, ``"mismatch.resistor"``, ``"drift.capacitor"``
        or ``"circuit.opamp.gbw"``, or field of a design, such as ``"order"``, to values.
    measure : callable
        From a design to a number, numbers by name, or a dataset (all of one shape).
    workers : int
        Processes; with more than one, ``measure`` must be a function of a module that they can import.
    store : path, optional
        A folder that keeps every combination as soon as it is measured.
    resumed : bool
        Continue the store instead of making it; what is measured stays.
    progress : callable, optional
        Called with the number of combinations finished since the last call.

    Returns
    -------
    xarray.Dataset
        One dimension a parameter, named as given, labelled by the values; a bare number is called ``value``. A
        combination that is no design, or that cannot be measured, is NaN, and ``reason`` says why ("" elsewhere).
        Attribute ``warnings``: those of the datasets, each with its combination.

    Raises
    ------
    DesignError
        If a parameter is unknown, or no combination at all could be measured.
    StoreError
        If the store exists, or is that of another sweep.
    """
    _, workers = check_numbers(1, workers)
    changes = {name: _change(name) for name in parameters}
    lists = {name: list(values) for name, values in parameters.items()}
    if workers > 1:
        _check_importable(measure)
    combinations = list(itertools.product(*lists.values()))
    tasks = [(design, tuple(zip(changes.values(), values, strict=True))) for values in combinations]
    kept = None if store is None else _open(Path(store), _manifest(design, lists, measure), resumed=resumed)
    found: dict[int, tuple[xr.Dataset | None, str]] = {} if kept is None else _read(kept, len(tasks))
    if progress and found:
        progress(len(found))
    todo = [k for k in range(len(tasks)) if k not in found]
    for k, row in _measured(partial(_measure, measure), [tasks[k] for k in todo], workers):
        found[todo[k]] = row
        if kept is not None:
            write_text(kept / f"{todo[k]}.json", _as_text(*row))
        if progress:
            progress(1)
    return _stacked(lists, [found[k] for k in range(len(tasks))])


def _measure(
    measure: Callable[[Design], Measured], design: Design, changes: tuple[tuple[Any, object], ...]
) -> tuple[xr.Dataset | None, str]:
    """Measure one combination: its dataset, or none and the reason."""
    try:
        fields: Changes = {}
        for change, value in changes:
            fields = change(design, fields, value)
        return _dataset(measure(design.replace(**fields))), ""
    except LmuAnalogError as error:
        return None, str(error)


def _measured(
    unit: Callable[..., Any], tasks: list[tuple[Any, ...]], workers: int
) -> Iterator[tuple[int, tuple[xr.Dataset | None, str]]]:
    if workers == 1 or len(tasks) < 2:
        for k, task in enumerate(tasks):
            with one_thread_each():  # as in a worker: results do not depend on their number
                yield k, unit(*task)
        return
    for k, row in run_tasks(unit, tasks, workers=workers, timeout=TIMEOUT):
        yield k, (None, str(row)) if isinstance(row, LmuAnalogError) else row


def _check_importable(measure: Callable[[Design], Measured]) -> None:
    try:
        pickle.dumps(measure)
    except (pickle.PicklingError, AttributeError, TypeError):
        there = False
    else:
        there = getattr(measure, "__module__", "") != "__main__"
    if not there:
        raise DesignError(
            "measure is not a function of a module, so that other processes cannot import it; "
            "put it in a file and import it from there, or leave workers at 1"
        )


def _change(name: str) -> Callable[[Design, Changes, object], Changes]:
    """Find out which field a parameter changes, and how."""
    table, _, key = name.rpartition(".")
    if table in BY_CLASS and key in BY_CLASS[table]:
        return partial(_in_table, table, key)
    for field, known in KEYS.items():
        if (known.table, known.name) == (table, key) or (not table and field == key):
            return partial(_in_field, field)
        if field in TABLES and table in (f"{known.table}.{known.name}", field):
            return partial(_in_table, field, key)
    by_class = ", ".join(f"{table}.{classes[0]}" for table, classes in BY_CLASS.items())
    listed = ", ".join(f"{k.table}.{k.name}" for k in KEYS.values() if k.table != k.name)
    raise DesignError(
        f"unknown parameter {shown(name)}; known are {listed}, classes such as {by_class}, figures such as "
        "circuit.opamp.gbw, or a field of a design"
    )


def _in_field(field: str, design: Design, changes: Changes, value: object) -> Changes:  # noqa: ARG001
    return {**changes, field: value}


def _in_table(field: str, key: str, design: Design, changes: Changes, value: object) -> Changes:
    """Change one entry of a field that is a table, of the design or as changed before."""
    before = changes.get(field, getattr(design, field))
    if before is not None and not isinstance(before, Mapping):
        raise DesignError(
            f"{field} is {shown(before)}, no table of figures; give a table to change its {key}"
        )
    return {**changes, field: {**(before or {}), key: value}}


def _dataset(measured: Measured) -> xr.Dataset:
    if isinstance(measured, xr.Dataset):
        return measured
    if not isinstance(measured, Mapping):
        measured = {"value": measured}
    return xr.Dataset({name: ((), float(value)) for name, value in measured.items()})


def _stacked(lists: dict[str, list[object]], rows: list[tuple[xr.Dataset | None, str]]) -> xr.Dataset:
    index = {name: _labels(values) for name, values in lists.items()}
    shape = tuple(len(v) for v in index.values())
    measured = [row for row, _ in rows if row is not None]
    if not measured:
        said = next((reason for _, reason in rows), "there is none")
        raise DesignError(f"no combination could be measured: {said}")
    empty = xr.full_like(measured[0].astype(float), np.nan)
    stacked = xr.concat(
        [empty if row is None else row for row, _ in rows],
        dim="combination", combine_attrs="drop_conflicts", coords="minimal", compat="override", join="exact",
    )  # fmt: skip
    reasons = np.array([reason for _, reason in rows], dtype=object).reshape(shape)
    return xr.Dataset(
        {
            **{
                name: ((*index, *array.dims[1:]), array.values.reshape(*shape, *array.shape[1:]), array.attrs)
                for name, array in stacked.data_vars.items()
            },
            "reason": (tuple(index), reasons, {"about": "why a combination is NaN"}),
        },
        coords={**index, **{k: v for k, v in measured[0].coords.items() if k not in index}},
        attrs={"warnings": list(_warned(lists, rows))},
    )


def _warned(lists: dict[str, list[object]], rows: list[tuple[xr.Dataset | None, str]]) -> Iterator[str]:
    """Give the warnings of all measured datasets, each with its combination."""
    for values, (row, _) in zip(itertools.product(*lists.values()), rows, strict=True):
        where = ", ".join(f"{name} = {value}" for name, value in zip(lists, values, strict=True))
        for line in () if row is None else row.attrs.get("warnings", ()):
            yield f"{where}: {line}"


def _labels(values: Sequence[object]) -> np.ndarray:
    """Label a dimension by its values: numbers, or words, or else the text of what they are."""
    if all(isinstance(v, Real) for v in values) or all(isinstance(v, str) for v in values):
        return np.array(list(values))
    return np.array([v if isinstance(v, str) else str(v) for v in values])


def _manifest(design: Design, lists: dict[str, list[object]], measure: Callable[..., Any]) -> dict[str, Any]:
    """Say what a store holds: another design, grid, measure or version is another sweep."""
    name = f"{getattr(measure, '__module__', '')}.{getattr(measure, '__qualname__', type(measure).__name__)}"
    grid = {key: [repr(v) for v in values] for key, values in lists.items()}
    return {"design": design.digest, "parameters": grid, "measure": name, "version": __version__}


def _open(path: Path, manifest: dict[str, Any], *, resumed: bool) -> Path:
    file = path / MANIFEST
    if not path.exists():
        path.mkdir()
        write_text(file, json.dumps(manifest, indent=1))
        return path
    if not resumed:
        raise StoreError(f"{path} exists; give another name, or resumed=True to continue it")
    try:
        there = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        raise StoreError(f"{path} is no store of a sweep; give another name") from None
    if there != manifest:
        odd = [key for key in manifest if not isinstance(there, dict) or there.get(key) != manifest[key]]
        raise StoreError(f"{path} is of another sweep: its {', '.join(odd)} differ; give another name")
    return path


def _read(path: Path, count: int) -> dict[int, tuple[xr.Dataset | None, str]]:
    found: dict[int, tuple[xr.Dataset | None, str]] = {}
    for k in range(count):
        file = path / f"{k}.json"
        if not file.exists():
            continue
        try:
            content = json.loads(file.read_text("utf-8"))
            row = None if content["measured"] is None else xr.Dataset.from_dict(content["measured"])
            found[k] = (row, str(content["reason"]))
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"{file} is damaged; remove it, and its combination is measured again") from None
    return found


def _as_text(row: xr.Dataset | None, reason: str) -> str:
    """Write one combination; numbers of JSON read back as the same floats."""
    measured = None if row is None else row.to_dict()
    return json.dumps({"reason": reason, "measured": measured}, default=_plain)


def _plain(value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return str(value)
