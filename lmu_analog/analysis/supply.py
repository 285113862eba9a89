"""Power-supply rejection at the window: what ripple on the supply adds to what the memory shows."""

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import DifferentialOpAmp, OpAmp, Supply
from lmu_analog.circuits.supply import ripple
from lmu_analog.design import Design
from lmu_analog.errors import SimulationError
from lmu_analog.memory.window import QUADRATURE, readout
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Sweep, deck, vector

POINTS = 50  # frequencies over the band: the response turns once or twice in it
NOTHING = 1e-9  # V/V: rounding of ngspice is 1e-13
TIMEOUT = 60.0  # s; an operating point that is found at all is found in seconds
RAIL = "supply"  # role of the sources that feed transistors


@dataclass(frozen=True)
class Rejection:
    """Rejection of ripple in the signal band, at its worst frequency.

    Attributes
    ----------
    psrr : float or None, dB
        One volt over the rms at the window; what amplifiers pass adds in power, as their signs are unknown.
    psrr_worst : float or None, dB
        The same where all amplifiers push the same way.
    note : str
        How it was found, or why it was not.
    """

    psrr: float | None
    psrr_worst: float | None
    note: str


def supply_ripple(circuit: Circuit, frequency: Float[np.ndarray, " f"]) -> tuple[xr.Dataset | None, str]:
    """Find what one volt of ripple on the supply does at the window, V/V, and say how.

    Op-amps turn ripple into voltages at their inputs (``circuits.supply``). Circuits of transistors are run in
    ngspice, ripple on one rail at a time; the worse one counts. Elements are the nominal ones, so what only their
    mismatch lets through does not show.

    Parameters
    ----------
    circuit : Circuit
    frequency : (f,) array, Hz
        Evenly spaced, where ngspice is to sweep it.

    Returns
    -------
    (Dataset or None, str)
        ``gain`` (frequency, delay), amplifiers adding in power, and ``worst``, all pushing the same way; none
        where the family has no model of it.
    """
    if circuit.clock is not None:
        return None, "not modelled of sampled circuits"
    if circuit.twin is not None:
        return _of_transistors(circuit, frequency)
    found = ripple(circuit, frequency)
    if found is None:
        has = any(isinstance(c, OpAmp | DifferentialOpAmp) for c in circuit.components)
        return None, "its op-amps have no figure psrr" if has else "no op-amps, and no other model of it"
    at_window = np.abs(np.einsum("qd,fdk->fqk", readout(circuit.order, QUADRATURE.r), found.gain))
    both = np.sqrt(np.sum(at_window**2, axis=-1)), at_window.sum(axis=-1)
    return _dataset(frequency, *both), "from the op-amps' psrr"


def rejection(design: Design, circuit: Circuit | None = None) -> Rejection:
    """Find the power-supply rejection of a design in its signal band.

    Parameters
    ----------
    design : Design
    circuit : Circuit, optional
        In place of the nominal one.
    """
    circuit = build(design) if circuit is None else circuit
    found, note = supply_ripple(circuit, np.arange(1, POINTS + 1) / POINTS * design.bandwidth)
    if found is None:
        return Rejection(None, None, note)
    most = [float(np.max(found[name].values ** 2 @ QUADRATURE.weight)) for name in ("gain", "worst")]
    psrr, worst = (-10.0 * math.log10(power) if power else math.inf for power in most)
    return Rejection(psrr, worst, note)


def _of_transistors(circuit: Circuit, frequency: np.ndarray) -> tuple[xr.Dataset | None, str]:
    rails = [c.name for c in circuit.components if isinstance(c, Supply) and c.role == RAIL]
    if ngspice.library_path() is None:
        return None, "found by ngspice, which is not installed"
    rows = readout(circuit.order, QUADRATURE.r)
    analysis = Sweep(len(frequency), float(frequency[0]), float(frequency[-1]), "lin")
    gains = []
    for rail in rails:
        try:
            vectors = ngspice.run(deck(circuit, analysis, rippling=rail), analysis, timeout=TIMEOUT)
        except SimulationError as error:  # one figure of merit among many: the others stand without it
            return None, f"not found: {error}"
        states = np.stack([sum(t.factor * vectors[vector(t)] for t in p) for p in circuit.probes], axis=-1)
        gains.append(np.abs(states @ rows.T))
    worst = np.max(gains, axis=0)
    if worst.max() < NOTHING:
        return None, "its transistors have no output conductance, and pass nothing from the supply"
    return _dataset(frequency, worst, worst), "by ngspice; thresholds and biases do not follow the supply"


def _dataset(frequency: np.ndarray, gain: np.ndarray, worst: np.ndarray) -> xr.Dataset:
    unit = {"units": "V/V"}
    return xr.Dataset(
        {"gain": (("frequency", "delay"), gain, unit), "worst": (("frequency", "delay"), worst, unit)},
        coords={
            "frequency": ("frequency", frequency, {"units": "Hz"}),
            "delay": ("delay", QUADRATURE.r, {"units": "theta"}),
        },
    )
