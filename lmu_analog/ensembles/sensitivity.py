"""Which elements matter: first-order theory, one element at a time, in the exact engine."""

import numpy as np
import xarray as xr

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.mismatch import Mismatch, columns, sample
from lmu_analog.memory import window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.stimulus import multitone

STEP = 1e-4  # of a standard normal: the quotient is then right to about 1e-6


def elements(design: Design) -> xr.Dataset:
    """Predict what every element's mismatch alone adds to the window error.

    The response of the window estimate is differentiated by each draw z, in steps of 1e-4 on both sides;
    independent draws add in power. The input is the default ten tones over the design's band.

    Parameters
    ----------
    design : Design

    Returns
    -------
    xarray.Dataset
        Over ``element``, largest first: ``excess``, rms window error as a fraction of rms(u), and
        ``share`` of the variance. Attribute ``predicted_rms``: all together.
    """
    circuit, law = build(design), Mismatch.of(design)
    names = columns(circuit, law)
    slopes = _slopes(circuit, law, design)
    power = slopes**2
    order = np.argsort(-power, kind="stable")
    total = power.sum()
    labels = [_label(names[k]) for k in order]
    return xr.Dataset(
        {
            "excess": ("element", slopes[order], {"units": "1"}),
            "share": ("element", power[order] / total if total else power[order], {"units": "1"}),
        },
        coords={"element": np.array(labels, dtype=object)},
        attrs={"predicted_rms": float(np.sqrt(total)), **design.provenance},
    )


def _label(column: str) -> str:
    """Name a draw as people do: ``Ra_2_3``, or ``lot of resistor``."""
    name, _, mismatch_class = column.partition("|")
    if name == "lot":
        return f"lot of {mismatch_class}"
    return f"{name} (tau)" if mismatch_class == "tau" else name


def _slopes(circuit: Circuit, law: Mismatch, design: Design) -> np.ndarray:
    tones = multitone(design.bandwidth, 1.0)
    count = len(columns(circuit, law))
    z = np.concatenate([STEP * np.eye(count), -STEP * np.eye(count)])
    system = extract(circuit, sample(circuit, law, z))
    states = steady_response(system, tones.frequency) * tones.phasor[:, None]
    rows = window.readout(design.order, window.QUADRATURE.r)
    slope = (states[:count] - states[count:]) @ rows.T / (2.0 * STEP)
    power = 0.5 * np.sum(np.abs(slope) ** 2, axis=1) @ window.QUADRATURE.weight
    if system.offset is not None:
        steady = (system.offset[:count] - system.offset[count:]) @ rows.T / (2.0 * STEP)
        power = power + steady**2 @ window.QUADRATURE.weight
    return np.sqrt(power) / tones.rms
