"""Hidden units and their weights in transistors: what stands behind memories, and what it does with mismatch.

    x_ip, x_in --[pair w_ij]--> h_jp, h_jn --[tanh pair]--> diodes --[mirrors v_jk]--> o_k
                     row and resistor of j                              bias of k

A weight of a hidden unit is a pair like those of the memory: its width is its value, and crossed outputs are its
sign. All pairs of a unit drive one row, and one more pair, whose outputs are its own inputs, is the resistor that
turns their currents into a voltage. So a weight is a ratio of widths of one kind of device at one inversion: bias,
process and temperature cancel, and a state is loaded by gates alone. Mirrors in their place would copy currents of 0 to
2 I with the poles of their gates, and need a sum of currents of both signs all the same.

The tanh is that of a pair in weak inversion: its currents are I/2 (1 +- tanh(v/(2 n U_T))) (Vittoz and Fellrath, JSSC
12, 1977). They flow into diodes, and mirrors carry them on: a weight of the readout is one transistor at the diode of
its sign, as |v| (1 + sign t) = |v| + v t, and what is constant is taken off by the bias of the output. The largest
current wins.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.components import GROUND
from lmu_analog.circuits.devices.pdk import Pdk, PdkDevice
from lmu_analog.errors import DesignError
from lmu_analog.silicon.bias import bias
from lmu_analog.silicon.cells import Devices, Place, Sizing, differential_pair, row
from lmu_analog.silicon.devices import Current, Mos

ONE = "one"  # the input that is constant: what biases of hidden units weigh


@dataclass(frozen=True)
class UnitSizing:
    """Geometry of hidden units and readout.

    Attributes
    ----------
    cells : Sizing
        Of pairs and rows; one density for all of them.
    resistor : float, m
        Width of one side of the pair that is the resistor of a unit.
    slope : float, V
        2 n U_T: the voltage of a tanh of 1.
    signal : float, V
        What stands for 1 at the inputs.
    least : float
        Weights whose pair would be narrower than this part of the resistor's, or whose mirror than this part of the
        diode's, are left out.
    tanh_width, tanh_length : float, m
        Of the pair in weak inversion.
    tail : float, m
        Width of its tail, whose length is that of all tails.
    mirror_width, mirror_length : float, m
        Of diodes; a mirror of weight v has v ``scale`` times the width.
    scale : float
    output : float, V
        Of the outputs, which are read as currents.
    """

    cells: Sizing
    resistor: float = 1e-6
    slope: float = 0.072
    signal: float = 0.2
    least: float = 0.1
    tanh_width: float = 9e-6
    tanh_length: float = 2e-6
    tail: float = 0.8e-6
    mirror_width: float = 1e-6
    mirror_length: float = 45e-6
    scale: float = 0.5
    output: float = 1.2


@dataclass(frozen=True, eq=False)
class Layers:
    """What is to be computed: o = W2 tanh(W1 x + b1) + b2 up to a positive factor and a constant of all o.

    Attributes
    ----------
    kernel : (i, j) array
    bias : (j,) array
    out : (j, k) array
    out_bias : (k,) array
    """

    kernel: Float[np.ndarray, "i j"]
    bias: Float[np.ndarray, " j"]
    out: Float[np.ndarray, "j k"]
    out_bias: Float[np.ndarray, " k"]

    def __call__(self, x: Float[np.ndarray, "*b i"]) -> Float[np.ndarray, "*b k"]:
        """Compute it."""
        return np.tanh(x @ self.kernel + self.bias) @ self.out + self.out_bias


@dataclass(frozen=True)
class Part:
    """Transistors between nets, which currents flow into: what can be measured alone.

    Attributes
    ----------
    kind : {"weight", "resistor", "row", "tanh", "bias"}
    place : tuple of int
        Input and unit of a weight (the constant input is the last), unit of others, output of a bias.
    devices : tuple of Mos
    inputs : tuple of str
        Nets whose difference it answers to.
    outputs : tuple of str
        Nets that it drives; of a weight, a resistor and a row the two of a unit, plus first.
    value : float
        Of a weight: what its transconductance is to be over the resistor's.
    """

    kind: str
    place: tuple[int, ...]
    devices: tuple[Mos, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    value: float = 0.0


@dataclass(frozen=True, eq=False)
class Classifier:
    """All parts, and the bias lines that they share.

    Attributes
    ----------
    parts : tuple of Part
    lines : tuple of Mos
        Of the bias.
    reference : Current
    inputs : tuple of str
        Nets of inputs, each with ``p`` and ``n``, the constant one last.
    units, outputs : int
    sizing : UnitSizing
    starts : dict
        Voltages near the operating point.
    """

    parts: tuple[Part, ...]
    lines: tuple[Mos, ...]
    reference: Current
    inputs: tuple[str, ...]
    units: int
    outputs: int
    sizing: UnitSizing
    starts: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def devices(self) -> tuple[Mos, ...]:
        """All transistors."""
        return (*self.lines, *(x for part in self.parts for x in part.devices))

    @property
    def area(self) -> float:
        """Of all gates, m^2."""
        return sum(x.area for x in self.devices)


def classifier(
    layers: Layers,
    sizing: UnitSizing,
    pdk: Pdk,
    *,
    inputs: Sequence[str],
    widths: Mapping[tuple[str | int, ...], float] | None = None,
    chains: Mapping[str, int] | None = None,
) -> Classifier:
    """Draw hidden units, weights and readout.

    Parameters
    ----------
    layers : Layers
    sizing : UnitSizing
    pdk : Pdk
        With ``nmos_3p3`` and ``pmos_3p3``.
    inputs : sequence of str
        Nets of the inputs, without ``p`` and ``n``.
    widths : dict, optional
        Widths, m, in place of those in proportion to the weights: of pairs by ("weight", input, unit), of mirrors by
        ("mirror", unit, output), of biases by ("bias", output).
    chains : dict, optional
        How many devices in series each stays, as for ``memory.transistors``.

    Raises
    ------
    DesignError
        If the numbers of inputs differ, or a device is outside the limits of its model.
    """
    size, units = layers.kernel.shape
    if len(inputs) != size:
        raise DesignError(f"{size} rows of weights for {len(inputs)} inputs")
    s = sizing.cells
    devices = Devices(_usual(pdk, "nmos"), _usual(pdk, "pmos"), s, chains or {})
    ratio = np.concatenate([layers.kernel, layers.bias[None]]) * sizing.slope / sizing.signal
    nets, given = (*inputs, ONE), widths or {}
    parts: list[Part] = []
    starts: dict[str, float] = {"pb": 2.1, "vb": 1.0, "z_b": 0.1}
    for j in range(units):
        unit, total = f"h{j}", sizing.resistor
        for i in range(size + 1):
            if abs(ratio[i, j]) < sizing.least:
                continue
            width = given.get(("weight", i, j), abs(float(ratio[i, j])) * sizing.resistor)
            total += width
            ends = (f"{unit}p", f"{unit}n")
            name = f"W{i}x{j}w"
            parts.append(
                Part(
                    "weight",
                    (i, j),
                    tuple(
                        differential_pair(
                            devices,
                            name,
                            inputs=(f"{nets[i]}p", f"{nets[i]}n"),
                            outputs=ends if ratio[i, j] > 0.0 else (ends[1], ends[0]),
                            width=width,
                        )
                    ),
                    (f"{nets[i]}p", f"{nets[i]}n"),
                    ends,
                    float(ratio[i, j]),
                )
            )
            starts[f"t_{name.lower()}"] = s.common + 1.2
        parts += _unit(devices, sizing, j, total)
        starts |= {f"t_r{j}r": s.common + 1.2, f"t_t{j}t": s.common + 0.8, f"z_{unit}": 0.1}
        starts |= {f"{unit}p": s.common, f"{unit}n": s.common, f"d{j}p": 0.8, f"d{j}n": 0.8}
    parts = [
        _with_mirrors(part, layers, devices, sizing, widths=given) if part.kind == "tanh" else part
        for part in parts
    ]
    parts += _output_biases(layers, devices, sizing, widths=given)
    made = bias(devices)
    (reference,) = made.sources
    lines = tuple(x for x in made.devices if isinstance(x, Mos))
    return Classifier(tuple(parts), lines, reference, nets, units, layers.out.shape[1], sizing, starts)


def _usual(pdk: Pdk, kind: str) -> PdkDevice:
    return pdk.device(f"{kind}_3p3")


def _unit(devices: Devices, sizing: UnitSizing, j: int, total: float) -> Iterator[Part]:
    """Draw the resistor, the row and the tanh pair of a unit."""
    ends = (f"h{j}p", f"h{j}n")
    crossed = differential_pair(
        devices, f"R{j}r", inputs=ends, outputs=(ends[1], ends[0]), width=sizing.resistor
    )
    yield Part("resistor", (j,), tuple(crossed), ends, ends)
    yield Part("row", (j,), tuple(row(devices, f"h{j}", total)), ends, ends)
    top, s = f"t_t{j}t", sizing.cells
    drawn: list[Mos] = []
    for side, gate, drain in (("a", ends[0], f"d{j}n"), ("b", ends[1], f"d{j}p")):
        place = Place(f"T{j}t.{side}", drain, gate, top, top, "tanh")
        drawn += devices.draw(place, sizing.tanh_width, sizing.tanh_length)
    drawn += devices.draw(Place(f"T{j}t.t", top, "pb", "vdd", "vdd", "tail"), sizing.tail, s.tail)
    for side in "pn":
        place = Place(f"T{j}t.d{side}d", f"d{j}{side}", f"d{j}{side}", GROUND, GROUND, "mirror")
        drawn += devices.draw(place, sizing.mirror_width, sizing.mirror_length)
    yield Part("tanh", (j,), tuple(drawn), ends, ())


def _with_mirrors(
    part: Part,
    layers: Layers,
    devices: Devices,
    sizing: UnitSizing,
    *,
    widths: Mapping[tuple[str | int, ...], float],
) -> Part:
    """Add the mirrors of a unit's readout."""
    (j,) = part.place
    drawn, outputs = list(part.devices), []
    for k, value in enumerate(layers.out[j]):
        width = abs(float(value)) * sizing.scale * sizing.mirror_width
        if width < sizing.least * sizing.mirror_width:
            continue
        side = "p" if value > 0.0 else "n"
        place = Place(f"T{j}t.m{k}m", f"o{k}", f"d{j}{side}", GROUND, GROUND, "mirror")
        drawn += devices.draw(place, widths.get(("mirror", j, k), width), sizing.mirror_length)
        outputs.append(f"o{k}")
    return replace(part, devices=tuple(drawn), outputs=tuple(outputs))


def _output_biases(
    layers: Layers, devices: Devices, sizing: UnitSizing, *, widths: Mapping[tuple[str | int, ...], float]
) -> Iterator[Part]:
    """Draw the currents that take off what is constant in the outputs, less one that all have."""
    s = sizing.cells
    taken = sizing.scale * (np.abs(layers.out).sum(axis=0) - layers.out_bias)
    # A tanh pair has the current of its tail, and half of it in each diode. None is narrower than a device can be.
    share = 0.5 * (taken - taken.min()) + s.least_width / sizing.tail
    for k, value in enumerate(share.tolist()):
        place = Place(f"O{k}o.t", f"o{k}", "pb", "vdd", "vdd", "tail")
        drawn = devices.draw(place, widths.get(("bias", k), value * sizing.tail), s.tail)
        yield Part("bias", (k,), tuple(drawn), (), (f"o{k}",))
