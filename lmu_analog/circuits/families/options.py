"""Settings of a family beside the realization; one that a family does not use has no effect."""

from dataclasses import dataclass
from typing import Literal

from lmu_analog.circuits.devices.models import CELLS, IDEAL, IDEAL_OTA, CellModel, OpAmpModel, OtaModel

Level = Literal["behavioural", "transistor"]
Predistort = Literal["none", "gbw"]


@dataclass(frozen=True)
class Options:
    """Settings of a build.

    Attributes
    ----------
    capacitance : float, F
        Impedance level: the integrating capacitor.
    opamp : OpAmpModel
    transconductor : OtaModel
    supply : float, V
        The circuit runs from +-supply.
    amplitude : float, V
        Peak of the input.
    clock : float or None, Hz
        Of switched-capacitor circuits.
    level : {"behavioural", "transistor"}
    variant : str
        Of a family, "" for its usual form.
    predistort : {"none", "gbw"}
        Whether integrators make up for the gain error of a finite gain-bandwidth product.
    cells : CellModel
        Of a crossbar.
    """

    capacitance: float = 1e-9
    opamp: OpAmpModel = IDEAL
    transconductor: OtaModel = IDEAL_OTA
    supply: float = 5.0
    amplitude: float = 0.5
    clock: float | None = None
    level: Level = "behavioural"
    variant: str = ""
    predistort: Predistort = "none"
    cells: CellModel = CELLS
