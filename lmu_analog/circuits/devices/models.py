"""Nonideal figures of active components, from a data sheet or a process."""

import math
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Library:
    """A user's SPICE model of an op-amp, vetted; ngspice runs it in place of ours.

    Attributes
    ----------
    subcircuit : str
        Its name.
    pins : tuple of str
        What each of its pins is: plus, minus, out, vcc, vee or ground.
    text : str
        Its cards.
    supply : float, V
        Its supply pins are at +-supply about the middle of the supplies.
    notes : tuple of str
        Lines about what was left out of its file, or else should be known of it.
    size : int
        Its elements once subcircuits are expanded.
    figures : {"measured", "table"}
        Which ones the exact engine uses: what the model does by itself in ngspice, or those of its table.
    """

    subcircuit: str
    pins: tuple[str, ...]
    text: str
    supply: float
    notes: tuple[str, ...] = ()
    size: int = 1
    figures: str = "measured"


@dataclass(frozen=True)
class OpAmpModel:
    """What an op-amp does: ideal, or one pole with offset, rails and slew limit.

    Attributes
    ----------
    name : str
        Part or model name, letters, digits and ``_ - .``.
    gain : float, V/V
        DC open-loop gain A0.
    gbw : float, Hz
        Gain-bandwidth product.
    slew : float, V/s
        Largest rate of the output.
    offset : float, V
        Systematic input offset voltage; nominal circuits have it.
    offset_max : float, V
        Largest random offset; mismatch samples draw it with sigma = max/3.
    rail : float, V
        Highest voltage that the output reaches.
    lowest : float or None, V
        Lowest one; -rail unless given.
    swing_known : bool
        Whether these two are figures of the part; otherwise the supply stands in for them.
    output_current : float, A
        What the output gives or takes at most.
    common_mode : (float, float), V
        Lowest and highest voltage that the inputs may have.
    output_resistance : float, Ohm
        In series with the output, open loop.
    bias : float, A
        Flows into each input.
    input_capacitance : float, F
        Of each input to ground.
    noise : float, V/rtHz
        White input noise voltage, one-sided.
    noise_corner : float, Hz
        Where 1/f noise of the voltage is as large as the white.
    current_noise : float, A/rtHz
        White noise current into each input, independent of each other.
    psrr : float, dB
        How much smaller than a change of the supply the input voltage is that it amounts to, at low frequency.
    psrr_corner : float or None, Hz
        Where that rejection begins to fall, by 20 dB a decade; at the open-loop corner gbw/gain unless given.
    library : Library or None
        A SPICE model that ngspice uses instead; the figures above are those of the exact engine.
    middle : float, V
        Voltage of the middle of its supplies against ground: zero but with a single supply. The ends of the output
        and of the inputs above are relative to it, and with its inputs together the output is there; so is the mean of
        two outputs.
    """

    name: str = "ideal"
    gain: float = math.inf
    gbw: float = math.inf
    slew: float = math.inf
    offset: float = 0.0
    offset_max: float = 0.0
    rail: float = math.inf
    lowest: float | None = None
    swing_known: bool = True
    output_current: float = math.inf
    common_mode: tuple[float, float] = (-math.inf, math.inf)
    output_resistance: float = 0.0
    bias: float = 0.0
    input_capacitance: float = 0.0
    noise: float = 0.0
    noise_corner: float = 0.0
    current_noise: float = 0.0
    psrr: float = math.inf
    psrr_corner: float | None = None
    library: Library | None = None
    # Not in the text of a model, which digests of designs have in them: a design without it keeps its digest.
    middle: float = field(default=0.0, repr=False)

    @property
    def ideal(self) -> bool:
        """Whether the output simply forces the inputs together."""
        return math.isinf(self.gain) and math.isinf(self.gbw)

    @property
    def floor(self) -> float:
        """Lowest voltage that the output reaches, V."""
        return -self.rail if self.lowest is None else self.lowest

    @property
    def takes_middle(self) -> bool:
        """Whether the inputs may be amid the supplies."""
        return self.common_mode[0] < 0.0 < self.common_mode[1]

    @property
    def swing(self) -> float:
        """Largest amplitude that the output reaches both ways, V."""
        return min(self.rail, -self.floor)


IDEAL = OpAmpModel()


@dataclass(frozen=True)
class OtaModel:
    """What a transconductor does beside i = g v.

    Attributes
    ----------
    name : str
        Model name, letters, digits and ``_ - .``.
    gain : float, V/V
        Intrinsic gain g/g_out: its output conductance is value/gain.
    parasitic : float, F
        Capacitance that it adds at its output.
    pole : float, Hz
        Second pole, of the current.
    limit : float, V
        Input range: the current is g limit tanh(v/limit).
    excess_noise : float
        gamma of its noise current, 4 k T gamma g; 1 is that of a resistor 1/g.
    noise_corner : float or None, Hz
        Where 1/f noise of the current is as large as the white; none counts where it is not known.
    """

    name: str = "ideal"
    gain: float = math.inf
    parasitic: float = 0.0
    pole: float = math.inf
    limit: float = math.inf
    excess_noise: float = 1.0
    noise_corner: float | None = None


IDEAL_OTA = OtaModel()


@dataclass(frozen=True)
class EkvModel:
    """EKV long-channel MOS model (Enz, Krummenacher and Vittoz, 1995), for weak to strong inversion.

    I = 2 n k_p (W/L) U_T^2 [ln^2(1 + e^((V_GB - V_T - n V_SB)/(2 n U_T))) - the same with V_DB]; for a
    p-channel device all voltages and the current change sign.

    Attributes
    ----------
    kind : {"n", "p"}
    threshold : float, V
    slope : float
        Slope factor n.
    transconductance : float, A/V^2
        k_p, mobility times oxide capacitance.
    thermal : float, V
        U_T = k T/q.
    """

    kind: Literal["n", "p"] = "n"
    threshold: float = 0.45
    slope: float = 1.35
    transconductance: float = 200e-6
    thermal: float = 0.025852

    @property
    def name(self) -> str:
        """What parts lists call such a transistor."""
        return f"{self.kind}-channel"


@dataclass(frozen=True)
class CellModel:
    """What a crossbar is made of: cells that are on or off, and wire between them.

    Attributes
    ----------
    on : float, Ohm
        Resistance of a cell that is on.
    ratio : float
        Of an off cell's resistance to it, above 1.
    wire : float, Ohm
        Resistance of a line from one cell to the next.
    """

    on: float = 100e3
    ratio: float = 50.0
    wire: float = 0.0

    @property
    def off(self) -> float:
        """Resistance of a cell that is off, Ohm."""
        return self.on * self.ratio


CELLS = CellModel()
