"""A measure over a grid of designs."""

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS
from lmu_analog.errors import DesignError, shown

Measured = float | Mapping[str, float] | xr.Dataset


def sweep(
    design: Design, parameters: Mapping[str, Sequence[object]], measure: Callable[[Design], Measured]
) -> xr.Dataset:
    """Measure a design for every combination of parameters.

    Parameters
    ----------
    design : Design
    parameters : mapping
        Key of the design file, such as ``"circuit.realization"``, or field, such as ``"order"``, to values.
    measure : callable
        From a design to a number, numbers by name, or a dataset (all of one shape).

    Returns
    -------
    xarray.Dataset
        One dimension a parameter, named as given; a bare number is called ``value``.

    Raises
    ------
    DesignError
        If a parameter is unknown, or a combination is no design.
    """
    fields = {name: _field(name) for name in parameters}
    rows = []
    for combination in itertools.product(*parameters.values()):
        changes = dict(zip(fields.values(), combination, strict=True))
        rows.append(_dataset(measure(design.replace(**changes))))
    index = {name: _labels(values) for name, values in parameters.items()}
    stacked = xr.concat(rows, dim="combination", combine_attrs="drop_conflicts")
    shape = tuple(len(v) for v in index.values())
    return xr.Dataset(
        {
            name: ((*index, *array.dims[1:]), array.values.reshape(*shape, *array.shape[1:]), array.attrs)
            for name, array in stacked.data_vars.items()
        },
        coords={**index, **{k: v for k, v in rows[0].coords.items() if k not in index}},
    )


def _field(name: str) -> str:
    table, _, key = name.rpartition(".")
    for field, known in KEYS.items():
        if (known.table, known.name) == (table, key) or (not table and field == key):
            return field
    listed = ", ".join(f"{k.table}.{k.name}" for k in KEYS.values() if k.table != k.name)
    raise DesignError(f"unknown parameter {shown(name)}; known are {listed}, or a field of a design")


def _dataset(measured: Measured) -> xr.Dataset:
    if isinstance(measured, xr.Dataset):
        return measured
    if not isinstance(measured, Mapping):
        measured = {"value": measured}
    return xr.Dataset({name: ((), float(value)) for name, value in measured.items()})


def _labels(values: Sequence[object]) -> np.ndarray:
    """Label a dimension by its values, or by their text where they are no plain numbers or words."""
    plain = all(isinstance(v, int | float | str) for v in values)
    return np.array(list(values) if plain else [str(v) for v in values])
