"""How a cell is made: settings beside the design of its memories."""

from dataclasses import dataclass
from typing import Literal

from lmu_analog.circuits.devices.values import SERIES
from lmu_analog.errors import DesignError, shown

Hidden = Literal["sampled", "continuous"]
Arrays = Literal["resistor", "ota"]
Activation = Literal["behavioural", "transistor"]


@dataclass(frozen=True)
class CellOptions:
    """Settings of a cell.

    Attributes
    ----------
    hidden : {"sampled", "continuous"}
        Hidden units held over a step by sample-and-hold stages, which is the layer itself; or first-order lags
        with the time constant of a step, whose Euler step is the layer.
    arrays : {"resistor", "ota"}
        Weights as resistors into difference amplifiers, or as transconductors into a load.
    activation : {"behavioural", "transistor"}
        tanh as a source with that law, or a differential pair of transistors in weak inversion.
    series : str or None
        E-series of the arrays' resistors; exact unless given.
    bits : int or None
        Of every weight, sign included: multiples of the largest of its sum over 2^(bits-1) - 1; exact unless given.
    resistance : float, Ohm
        Feedback of the difference amplifiers, and load of the transconductors.
    """

    hidden: Hidden = "sampled"
    arrays: Arrays = "resistor"
    activation: Activation = "behavioural"
    series: str | None = None
    bits: int | None = None
    resistance: float = 100e3

    def __post_init__(self) -> None:
        if self.series is not None and self.series not in SERIES:
            raise DesignError(f"unknown series {shown(self.series)}; known are {', '.join(SERIES)}")
        if self.bits is not None and not 2 <= self.bits <= 24:
            raise DesignError(f"weights of {self.bits} bits; 2 to 24 are wanted, sign included")
        if self.series is not None and self.arrays == "ota":
            raise DesignError("an E-series is of resistors; leave it out with arrays of transconductors")
        if not 1.0 <= self.resistance <= 1e12:
            raise DesignError(f"resistance = {self.resistance:g} Ohm is outside 1 to 1e12 Ohm")
