"""How a hidden unit is made: the tanh of a differential pair, and what holds its output.

A pair in weak inversion gives I_tail tanh(v/(2 n U_T)) (Vittoz and Fellrath, IEEE J. Solid-State Circuits 12, 1977);
over its load that is the hidden unit's voltage. A capacitor beside the load makes the first-order lag of the
continuous-time cell. The sampled cell has two hold stages in turn: the first follows until the end of a step, the
second passes it on at the start of the next.
"""

from dataclasses import dataclass
from typing import Literal

from lmu_analog.circuits.components import (
    GROUND,
    Capacitor,
    Component,
    OpAmp,
    Resistor,
    Switch,
    Transconductor,
)
from lmu_analog.circuits.devices.models import OpAmpModel, OtaModel
from lmu_analog.circuits.families.ota import ota, tail_current
from lmu_analog.networks.analog.options import Activation

TAIL = 100e-9  # A of a pair of transistors: weak inversion at a W/L of some hundreds
_OUTPUT = 0.25  # V: how far a pair of transistors may pull its output before it leaves saturation
_HOLD = 1e-9  # F of a hold stage
_FOLLOWED = 1000.0  # time constants of a switch and its capacitor in a step: 0.1 % of it late


@dataclass(frozen=True)
class Pair:
    """A differential pair as hidden units use it.

    Attributes
    ----------
    kind : {"behavioural", "transistor"}
    unit_in : float, V
        At its input for an argument of 1.
    unit_out : float, V
        At its output for a tanh of 1.
    """

    kind: Activation
    unit_in: float
    unit_out: float

    @property
    def load(self) -> float:
        """Resistor at the output, Ohm."""
        return self.unit_out / TAIL

    def components(self, name: str, plus: str, out: str) -> tuple[Component, ...]:
        """Draw the pair and its load."""
        g, role = TAIL / self.unit_in, f"tanh {name}"
        tanh = Transconductor(f"G{name}", out, plus, GROUND, g, role, model=OtaModel(limit=self.unit_in))
        drawn = ota(tanh) if self.kind == "transistor" else (tanh,)
        return (*drawn, Resistor(f"R{name}_load", out, GROUND, self.load, f"{role}, load"))


def pair(kind: Activation, swing: float) -> Pair:
    """Choose the voltages of a pair; ``swing``, V, is what the amplifiers before it can do."""
    if kind == "transistor":
        # The input that the pair takes for one around 0 V: its transconductance is fixed by the tail.
        return Pair(kind, tail_current(1.0), _OUTPUT)
    # tanh(4) is 7e-4 off its end: a sum that clips there does not matter.
    return Pair(kind, swing / 4.0, swing / 4.0)


def follower(name: str, nets: tuple[str, str], model: OpAmpModel) -> OpAmp:
    """Draw an op-amp that repeats the first net at the second."""
    return OpAmp(f"U{name}", nets[0], nets[1], nets[1], model, f"follower {name}")


def sample_and_hold(
    name: str, nets: tuple[str, str], model: OpAmpModel, *, step: float
) -> tuple[Component, ...]:
    """Draw two hold stages in turn: the second net keeps over a step what the first was at the end of the last."""
    driven, between = f"{name}_driven", f"{name}_between"
    return (
        follower(f"{name}_in", (nets[0], driven), model),
        *_stage(name, 2, (driven, between), model, step=step),
        *_stage(name, 1, (between, nets[1]), model, step=step),
    )


def _stage(
    name: str, phase: Literal[1, 2], nets: tuple[str, str], model: OpAmpModel, *, step: float
) -> tuple[Component, ...]:
    """Draw a switch, a capacitor and the follower that reads it, from one net to another."""
    kept, role = f"{name}_held{phase}", f"hold {name}"
    return (
        Switch(f"S{name}_{phase}", nets[0], kept, phase, step / (_FOLLOWED * _HOLD), role),
        Capacitor(f"C{name}_{phase}", kept, GROUND, _HOLD, role),
        follower(f"{name}_{phase}", (kept, nets[1]), model),
    )
