"""Sensitivities of elements: first-order theory of the circuit."""

import numpy as np
import xarray as xr

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.design import Design
from lmu_analog.theory.first_order import FirstOrder, first_order

_TIGHTENED = 3  # elements that are made exact, one after another


def elements(design: Design, theory: FirstOrder | None = None) -> xr.Dataset:
    """Predict what every element's mismatch alone adds to the window error.

    Independent draws add in power, each by the variance of its law. The input is the design's own: tones in the
    steady state, or all of a recording.

    Parameters
    ----------
    design : Design
    theory : FirstOrder, optional
        Of the same design, where it is known already.

    Returns
    -------
    xarray.Dataset
        Over ``element``, largest first: ``excess``, rms window error as a fraction of rms(u), ``share`` of
        the variance, ``kind``, the mismatch class, and ``role`` in the circuit. Attributes
        ``predicted_rms``: all together; ``nominal_nrmse``: the error without mismatch.
    """
    found = first_order(design) if theory is None else theory
    power = found.added_rms**2
    order = np.argsort(-power, kind="stable")
    total = power.sum()
    roles = _roles(build(design), found.names)
    return xr.Dataset(
        {
            "excess": ("element", found.added_rms[order], {"units": "1"}),
            "share": ("element", power[order] / total if total else power[order], {"units": "1"}),
            "role": ("element", np.array([roles[k] for k in order], dtype=object)),
            "kind": ("element", np.array([_class(found.names[k]) for k in order], dtype=object)),
        },
        coords={"element": np.array([_label(found.names[k]) for k in order], dtype=object)},
        attrs={
            "predicted_rms": found.predicted_rms,
            "nominal_nrmse": found.nominal,
            **design.provenance,
        },
    )


def tighten(found: xr.Dataset) -> xr.Dataset:
    """Say what exact elements would leave of the error added by mismatch (rms).

    Parameters
    ----------
    found : Dataset
        From ``elements``.

    Returns
    -------
    xarray.Dataset
        ``rms`` over ``element``: with the first, the first two, the first three elements exact; and
        ``class_rms`` and ``class_share`` over ``kind``, the most important class first: with all of a class
        exact. Fractions of rms(u).
    """
    total = float(found.attrs["predicted_rms"]) ** 2
    first = found.share.values[:_TIGHTENED]
    kinds = [str(k) for k in found.kind.values]
    shares = {k: float(found.share.values[np.array(kinds) == k].sum()) for k in dict.fromkeys(kinds)}
    ranked = sorted(shares, key=lambda k: -shares[k])
    share = np.array([shares[k] for k in ranked], float)
    return xr.Dataset(
        {
            "rms": ("element", np.sqrt(total * np.clip(1.0 - np.cumsum(first), 0.0, None)), {"units": "1"}),
            "class_share": ("kind", share, {"units": "1"}),
            "class_rms": ("kind", np.sqrt(total * np.clip(1.0 - share, 0.0, None)), {"units": "1"}),
        },
        coords={
            "element": found.element.values[:_TIGHTENED],
            "kind": np.array(ranked, dtype=object),
        },
    )


def _roles(circuit: Circuit, names: tuple[str, ...]) -> list[str]:
    """Say what every draw acts on: a component's role, or all of a class or a group."""
    component = {c.name: c.role for c in circuit.components}
    role = {p.name: component[p.component] for p in circuit.parameters}
    return [role.get(name.rpartition("|")[0], "shared") for name in names]


def _class(column: str) -> str:
    return column.rpartition("|")[2]


def _label(column: str) -> str:
    """Name a draw as people do: ``Ra_2_3``, or ``lot of resistor``."""
    name, _, mismatch_class = column.rpartition("|")
    if name == "lot":
        return f"lot of {mismatch_class}"
    return f"{name} (tau)" if mismatch_class == "tau" else name
