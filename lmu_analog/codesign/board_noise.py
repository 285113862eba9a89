"""The noise of all candidates on a board, from a few figures of each bank of values.

Resistors' noise goes with their values, and what op-amps' noise voltages do depends on none; their noise currents make
a voltage that goes with the resistors, and a power that goes with its square. So four numbers of a bank tell the noise
of every op-amp at every decade, but for what a slow op-amp does to the response in the band.
"""

from dataclasses import dataclass, replace

import numpy as np

from lmu_analog.analysis.noise import band_noise_by_source
from lmu_analog.building import build
from lmu_analog.circuits.components import Amplifier
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.codesign.requirement import Requirement
from lmu_analog.codesign.structures import Bank, design_from

_VOLTAGE, _CORNER, _CURRENT = (
    1e-9,
    1.0,
    1e-15,
)  # V/rtHz, Hz, A/rtHz: what op-amps are taken with; all is linear in them


@dataclass(frozen=True)
class BoardNoise:
    """The noise of a bank in the band, mean over the window, at decade 0.

    Attributes
    ----------
    resistors : float, V^2
    white : float, Hz
        Of the op-amps' noise voltages, over the square of their density.
    flicker : float
        The same of 1/f noise, over the corner frequency too.
    current : float, Ohm^2 Hz
        Of their noise currents.
    """

    resistors: float
    white: float
    flicker: float
    current: float

    @classmethod
    def of(cls, requirement: Requirement, bank: Bank) -> "BoardNoise":
        """Take the noise of a bank with its reference op-amp."""
        figures = {"gain": bank.reference.gain, "gbw": bank.reference.gbw, "rail": bank.reference.rail}
        design = design_from(requirement, bank, dict[str, object](figures))
        circuit = build(design)
        known = {"noise": _VOLTAGE, "noise_corner": _CORNER, "current_noise": _CURRENT}
        parts = tuple(
            replace(c, model=replace(c.model, **known)) if isinstance(c, Amplifier) else c
            for c in circuit.components
        )
        kinds, white, flicker = band_noise_by_source(design, replace(circuit, components=parts))
        of = {kind: np.array([k == kind for k in kinds], bool) for kind in ("thermal", "voltage", "current")}
        return cls(
            float(white[of["thermal"]].sum()),
            float(white[of["voltage"]].sum()) / _VOLTAGE**2,
            float(flicker[of["voltage"]].sum()) / _VOLTAGE**2 / _CORNER,
            float(white[of["current"]].sum()) / _CURRENT**2,
        )

    def power(self, model: OpAmpModel, decade: int) -> float:
        """Give the noise with an op-amp at a decade of the capacitances, V^2."""
        resistance = 10.0**-decade
        return (
            self.resistors * resistance
            + model.noise**2 * (self.white + model.noise_corner * self.flicker)
            + model.current_noise**2 * self.current * resistance**2
        )
