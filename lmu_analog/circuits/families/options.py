"""Settings of a family beside the realization; one that a family does not use has no effect."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Output, Term
from lmu_analog.circuits.devices.models import CELLS, IDEAL, IDEAL_OTA, CellModel, OpAmpModel, OtaModel
from lmu_analog.memory.taps import Tap

Level = Literal["behavioural", "transistor"]
Predistort = Literal["none", "gbw"]


@dataclass(frozen=True)
class Shown:
    """A tap on its way into a circuit.

    Attributes
    ----------
    name : str
        ``tap1``, ``tap2``, ... or ``out1``, ...
    variable : int
        The variable of the structure that shows it.
    of : Tap
        What it is to show.
    factor : float
        What one volt of that makes of the variable.
    own : bool
        Whether the variable is there for the tap alone; its net then has the tap's name, and its sign stays.
    """

    name: str
    variable: int
    of: Tap
    factor: float
    own: bool


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
    taps : tuple of Shown
        Outputs that show the window's content.
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
    taps: tuple[Shown, ...] = ()

    @property
    def own_nets(self) -> dict[int, str]:
        """Names of the nets of the taps' own variables."""
        return {tap.variable: tap.name for tap in self.taps if tap.own}


def voltage_taps(
    taps: Iterable[Shown], nets: Sequence[str], scale: Float[np.ndarray, " v"]
) -> tuple[Output, ...]:
    """Write taps as outputs.

    Parameters
    ----------
    taps : iterable of Shown
    nets : sequence of str
        Of all v variables.
    scale : (v,) array, V
        Volts for one unit of every variable, negative where it is inverted.
    """
    return _outputs(taps, nets, scale, lambda net: (Term("v", net, 1.0),))


def difference_taps(
    taps: Iterable[Shown], nets: Sequence[str], scale: Float[np.ndarray, " v"]
) -> tuple[Output, ...]:
    """Write taps as outputs between pairs of nets, ``tap1p`` against ``tap1n``; arguments as ``voltage_taps``."""
    return _outputs(taps, nets, scale, lambda net: (Term("v", f"{net}p", 1.0), Term("v", f"{net}n", -1.0)))


def _outputs(
    taps: Iterable[Shown], nets: Sequence[str], scale: np.ndarray, terms: Callable[[str], tuple[Term, ...]]
) -> tuple[Output, ...]:
    return tuple(
        Output(t.name, nets[t.variable], terms(nets[t.variable]), t.of, float(t.factor * scale[t.variable]))
        for t in taps
    )
