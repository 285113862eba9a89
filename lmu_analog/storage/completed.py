"""A run that was stopped is a smaller run: what counts is done, and every reader says how much that is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmu_analog.errors import StoreError

if TYPE_CHECKING:
    import xarray as xr


def completed(run: xr.Dataset) -> xr.Dataset:
    """Leave out the samples that are not done.

    ``storage.open_run`` gives no others; of a store that was opened with xarray itself, ``done`` says which they are.

    Raises
    ------
    StoreError
        If none is done.
    """
    if "done" not in run or bool(run.done.all()):
        return run
    return of_planned(run.isel(sample=run.done.values.astype(bool)), run.sizes["sample"])


def of_planned(run: xr.Dataset, planned: int, name: str = "this run") -> xr.Dataset:
    """Say on a run of done samples how many were planned, where they are more.

    Raises
    ------
    StoreError
        If none is done.
    """
    done = run.sizes["sample"]
    if not done:
        raise StoreError(f"{name}: 0 of {planned} samples done; continue it with resumed=True")
    if done == planned:
        return run
    # The nonlinear engine leaves the samples that it cannot do to ngspice, after all others.
    harder = "; those left are the harder ones" if run.attrs.get("engine") == "nonlinear" else ""
    said = f"{done} of {planned} samples done{harder}"
    return run.assign_attrs(planned=planned, warnings=[*run.attrs.get("warnings", ()), said])


def circuits(run: xr.Dataset) -> str:
    """Say of how many circuits a run of done samples is: "200 circuits", "10240 of 60000 circuits"."""
    done = run.sizes["sample"]
    planned = run.attrs.get("planned", done)
    return f"{done} circuits" if planned == done else f"{done} of {planned} circuits"
