"""The design: what is asked for, checked, and what it builds."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from lmu_analog.circuits.components import Component
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.devices.parts import opamp, ota, read_parts
from lmu_analog.circuits.devices.pdk import InstalledPdk, find_pdk, pdks
from lmu_analog.circuits.devices.technology import resolved, technology
from lmu_analog.circuits.devices.tolerance import Group, PartTolerance, Tolerance, own_tolerance
from lmu_analog.circuits.families.crossbar import cell_model
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.impedance import ORIGIN
from lmu_analog.circuits.interface import InputBuffer, Load
from lmu_analog.circuits.temperature import Drift
from lmu_analog.design_keys import KEYS, labelled, load
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_bytes
from lmu_analog.memory.legendre import smallest_order, usable_band
from lmu_analog.memory.taps import Tap, of_states
from lmu_analog.recording import MOST_WAV_BYTES, read
from lmu_analog.stimulus import Recording, Stimulus, Tones, chirp, multitone, noise, sine, step
from lmu_analog.version import __version__

if TYPE_CHECKING:
    Whole: TypeAlias = int
    Quantity: TypeAlias = float
    Word: TypeAlias = str
    File: TypeAlias = Path
    Tones3: TypeAlias = tuple[tuple[float, float, float], ...]
    Part: TypeAlias = str | dict[str, Any]
    Tolerances: TypeAlias = dict[str, Tolerance]
    Drifts: TypeAlias = dict[str, Drift]
    Values: TypeAlias = dict[str, float]
    Groups: TypeAlias = tuple[Group, ...]
    Parts: TypeAlias = tuple[PartTolerance, ...]
    Patterns: TypeAlias = tuple[str, ...]
    Matrix: TypeAlias = str | tuple[tuple[float, ...], ...]
    Taps: TypeAlias = tuple[Tap, ...]
    Loads: TypeAlias = Load
    Buffers: TypeAlias = InputBuffer
else:  # text and tables come in too; __post_init__ reads them, and says better what is wrong with them
    Whole = Quantity = Word = File = Tones3 = Part = object
    Tolerances = Drifts = Values = Groups = Parts = Patterns = Matrix = Taps = Loads = Buffers = object


# Keys of what stands around a memory, and what they are where nothing does.
INTERFACE = {"input_buffer": None, "reference": "ground", "output_load": None}
# Keys that circuits of a kit's transistors cannot take, and why where that is not plain.
_FOUNDRY = "deviate as the foundry says"
_SIZED = "get their values from the sizes of devices"
NOT_OF_A_PDK: dict[str, str] = {
    "opamp": "",
    "parts": "",
    "capacitance": _SIZED,
    "predistort": "are always corrected for what the transistors add",
    "values": _SIZED,
    "values_fit": _SIZED,
    "pairs": _SIZED,
    "element_values": _SIZED,
    "output_levels": _SIZED,
    "readout": "are read as they are",
    "taps": "",
    "outputs": "",
    "tau": "",
    "second_tau": "",
    "transconductor": "have those of the process",
    "crossbar": "",
    "clock": "",
    "variant": "",
    "temperature": "are nominal at 27 C, and corners has other temperatures",
    "leakage": "",
    "mismatch": _FOUNDRY,
    "groups": _FOUNDRY,
    "part_tolerances": _FOUNDRY,
    "drift": "drift as the foundry's models do",
    "tap_nrmse": "",
    "tones": "are measured with ten tones",
    "file": "are measured with ten tones",
}
SAME_SUPPLY = 1e-6  # relative: two voltages are then the same


@dataclass(frozen=True)
class Reached:
    """An order that was chosen, and what first-order theory expects of it.

    Attributes
    ----------
    order : int
    truncation : float
        Error of the ideal memory over the band, a fraction.
    p95 : float
        Of the window NRMSE with mismatch, a fraction.
    good : float
        Expected yield within the limit.
    met : bool
        Whether the limit is kept: by 95 % of circuits, or by the fraction that is wanted.
    """

    order: int
    truncation: float
    p95: float
    good: float
    met: bool

    @property
    def text(self) -> str:
        """A line about it."""
        truncation, p95 = 100.0 * self.truncation, 100.0 * self.p95
        said = f"truncation {truncation:.3g} %, p95 {p95:.3g} % with mismatch by first-order theory"
        return said if self.met else f"{said}: no order keeps the limit"


@dataclass(frozen=True)
class Design:
    """A memory, its signal, its circuit, its mismatch and its limit.

    Quantities may be given as text with units ("1 ms") or as SI numbers; they are kept as SI numbers.

    Attributes
    ----------
    order : int
        Number of states; left out, the smallest that keeps ``error`` over the band.
    theta : float, s
        Length of the window.
    error : float or None
        Largest truncation error, a fraction, that chooses the order; commands leave room for parts beside it
        (``ensembles.orders.with_room``).
    bandwidth : float, Hz
        Highest input frequency; left out, where the ideal memory is 1 % wrong.
    amplitude : float, V
        Peak of the input.
    signal : str
        multitone (the default test signal), sine, noise, step or chirp.
    tones : tuple of (frequency Hz, cosine V, sine V), optional
        A periodic signal of one's own.
    file : Path, optional
        A recording, a table or a WAV, as the signal.
    column : str, optional
        Of a table with several channels: name of a column, or its number from 1.
    channel : int, optional
        Of a WAV with several channels, from 1.
    family, realization : str
        From the table of families.
    capacitance : float or None, F
        Impedance level: the integrating capacitor. Left out, circuits on a board get the level that suits their window,
        a capacitor an integrator, and those on a chip 1 nF.
    opamp : str or dict
        "ideal", a part, or a table of figures.
    parts : Path, optional
        A file of op-amps of one's own.
    supply : float, V
        The circuit runs from +-supply, or from a single one with ``reference`` "mid".
    reference : str
        What signals are against: "ground", or "mid", the middle of a single supply.
    headroom : float
        Fraction of the op-amps' output swing that the worst sine of the band leaves free.
    scaling, predistort, values : str
        Law of the scaling to the rails; "gbw" for resistors that make up for slow op-amps; the series
        of standard values.
    values_fit : str
        "common" rounds every value to the nearest, "joint" chooses the roundings of all together.
    pairs : float or None
        Largest error of one standard value, a fraction; beyond it two are joined.
    element_values : dict
        Name of a component of the memory to its value, SI unit, in place of the one that follows from the rest. They
        are of one circuit: ``replace`` drops them where what the others follow from changes.
    output_levels : dict
        Net of an output at which states are read to what the reading is divided by, where ``element_values`` give it
        another voltage. They go with these.
    readout : str or tuple of tuple of float
        How the Legendre states are estimated from those that the circuit shows: "ideal" as they are, "fitted" by the
        matrix that comes closest to the memory for the nominal circuit, "window" to the window itself, or the matrix.
        A matrix is of one order: ``replace`` drops it where the order changes.
    taps : tuple of Tap
        Outputs that show the input delayed.
    outputs : tuple of Tap
        Outputs that show other sums of the states, by their weights.
    input_buffer : InputBuffer or None
        An amplifier of gain one, with a low-pass filter or without, between the source and the memory.
    output_load : Load or None
        What a receiver puts at every tap, or at every state where there are no taps.
    tau, second_tau : float or None, s
        Time constants of ``principle3`` and its two-pole form.
    transconductor : dict or None
        Figures of the transconductors: gain, parasitic, pole, limit; ideal without it.
    crossbar : dict or None
        Figures of the cells of a crossbar: on, ratio, wire.
    clock : float or None, Hz
        Of switched-capacitor circuits; 200 ticks in theta without it.
    level, variant : str
        Settings of single families.
    technology : str or None
        What devices are made in: how much they deviate and drift.
    pdk : Path or None
        Folder of the technology's transistor models; found unless given, see ``circuits.devices.pdk``.
    bias : str
        What sets the currents of transistors of a process: "ideal" from outside, or a generator on the chip.
    temperature : float or None, K
        Of all parts; 300.15 K unless given.
    leakage : float or None, s
        Insulation resistance of capacitors times their capacitance; none leaks unless given.
    mismatch : dict
        Class to tolerance.
    groups : tuple of Group
        Components whose mismatch is correlated.
    part_tolerances : tuple of PartTolerance
        Components with a tolerance of their own; of two that name one, the later counts.
    only, without : tuple of str
        Patterns: the mismatch that acts, see ``mismatch.selection``; all unless given.
    drift : dict
        Class to temperature coefficients, where not those of the technology.
    nrmse : float or None
        Limit of the window NRMSE, a fraction.
    wanted_yield : float or None
        Fraction of circuits that must keep this limit.
    tap_nrmse : float or None
        Limit of the NRMSE of every tap, a fraction.
    reached : Reached or None
        Why the order is what it is, where ``with_order`` chose it; no part of what is asked for, so equal designs may
        differ in it, and a changed one has none.
    """

    order: Whole = None  # type: ignore[assignment]  # always a number once made
    theta: Quantity = 1.0
    error: Quantity | None = None
    bandwidth: Quantity = None  # type: ignore[assignment]  # always a number once made
    amplitude: Quantity = 0.5
    signal: Word = "multitone"
    tones: Tones3 | None = None
    file: File | None = None
    column: Word | None = None
    channel: Whole | None = None
    family: Word = "active-rc"
    realization: Word = None  # type: ignore[assignment]  # always a name once made
    capacitance: Quantity | None = None
    opamp: Part = "ideal"
    parts: File | None = None
    supply: Quantity = 5.0
    reference: Word = "ground"
    headroom: Quantity = 0.3
    scaling: Word = "peak"
    predistort: Word = "none"
    values: Word = "exact"
    values_fit: Word = "common"
    pairs: Quantity | None = None
    element_values: Values = field(default_factory=dict)
    output_levels: Values = field(default_factory=dict)
    readout: Matrix = "ideal"
    taps: Taps = ()
    outputs: Taps = ()
    input_buffer: Buffers | None = None
    output_load: Loads | None = None
    tau: Quantity | None = None
    second_tau: Quantity | None = None
    transconductor: Part | None = None
    crossbar: Part | None = None
    clock: Quantity | None = None
    level: Word = "behavioural"
    variant: Word = ""
    technology: Word | None = None
    pdk: File | None = None
    bias: Word = "ideal"
    temperature: Quantity | None = None
    leakage: Quantity | None = None
    mismatch: Tolerances = field(default_factory=dict)
    groups: Groups = ()
    part_tolerances: Parts = ()
    only: Patterns = ()
    without: Patterns = ()
    drift: Drifts = field(default_factory=dict)
    nrmse: Quantity | None = None
    wanted_yield: Quantity | None = None
    tap_nrmse: Quantity | None = None
    reached: Reached | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        may_be_none = {f.name for f in fields(self) if f.default is None}
        for name, key in KEYS.items():
            given = getattr(self, name)
            if given is not None or name not in may_be_none:
                object.__setattr__(self, name, labelled(key.label, key.read, given))
        if self.realization is None and self.family in FAMILIES:
            object.__setattr__(self, "realization", FAMILIES[self.family].realizations[0])
        _check_circuit(self)
        self._choose_order_and_band()
        if not isinstance(self.readout, str) and len(self.readout) != self.order:
            raise DesignError(
                f"[circuit] readout: {len(self.readout)} rows for {self.order} states; one row a state is wanted"
            )

    def _choose_order_and_band(self) -> None:
        if self.order is not None and self.error is not None:
            raise DesignError("[memory] has both order and error; give one of them")
        if self.bandwidth is None and self.tones:
            object.__setattr__(self, "bandwidth", max(f for f, _, _ in self.tones))
        if self.error is not None and self.bandwidth is not None:
            order = labelled("[memory] error", smallest_order, self.error, self.bandwidth * self.theta)
            object.__setattr__(self, "order", order)
        if self.order is None:
            raise DesignError(
                "[memory] order is missing: give order, or error together with [signal] bandwidth"
            )
        if self.bandwidth is None:
            object.__setattr__(self, "bandwidth", usable_band(self.order) / self.theta)

    def replace(self, **changes: Any) -> "Design":
        """Give the same design with other fields; an order replaces an error, and an error an order.

        Values of single elements are of one circuit: they go where the memory, its scaling or what it is built of
        changes, unless they are given anew.
        """
        known = [f.name for f in fields(self) if f.init]
        if unknown := sorted(set(changes) - set(known)):
            raise DesignError(f"unknown field {shown(unknown[0])}; known are {', '.join(known)}")
        if "file" in changes:
            changes = {"column": None, "channel": None, **changes}
        if "order" in changes:
            changes = {"error": None, **changes}
        elif changes.get("error", self.error) is not None:
            changes = {"order": None, **changes}
        if not isinstance(self.readout, str) and changes.get("order", self.order) != self.order:
            changes = {"readout": "ideal", **changes}
        if changes.get("values") == "exact":
            changes = {"values_fit": "common", **changes}
        if "family" in changes and "realization" not in changes:
            known = FAMILIES[changes["family"]].realizations if changes["family"] in FAMILIES else ()
            changes = {"realization": self.realization if self.realization in known else None, **changes}
        made = replace(self, **changes)
        has_own = bool(made.element_values or made.output_levels)
        if has_own and "element_values" not in changes and made._mapped_of != self._mapped_of:
            made = replace(made, element_values={}, output_levels=changes.get("output_levels", {}))
        return made

    @property
    def _mapped_of(self) -> tuple[Any, ...]:
        """What the values of the circuit follow from, and how its states are read."""
        return (
            (self.order, self.theta, self.bandwidth, self.full_scale),
            (self.family, self.realization, self.variant, self.level, self.capacitance, self.clock),
            (self.opamp_model, self.rail, self.headroom, self.scaling, self.predistort),
            (self.transconductor, self.crossbar, self.tau, self.second_tau, self.taps, self.outputs),
        )

    def with_order(self, reached: Reached) -> "Design":
        """Give the same design with an order that was chosen for it, and why."""
        design = self.replace(order=reached.order)
        object.__setattr__(design, "reached", reached)
        return design

    @classmethod
    def load(cls, path: Path | str) -> "Design":
        """Read a design file (TOML).

        Raises
        ------
        DesignError
            If the file is missing, malformed, or has an unknown table or key or a wrong value.
        """
        path = Path(path)
        given = load(path)
        return labelled(str(path), lambda: cls(**given))

    @cached_property
    def stimulus(self) -> Stimulus:
        """The input signal."""
        return _stimulus(self)

    @cached_property
    def full_scale(self) -> float:
        """Peak of the input that the circuit is scaled for, V."""
        return self.stimulus.peak if self.file or self.tones else self.amplitude

    @cached_property
    def opamp_model(self) -> OpAmpModel:
        """The op-amp, with this supply."""
        return replace(opamp(self.opamp, supply=self.rail, parts=self.own_parts), middle=self.middle)

    @property
    def has_single_supply(self) -> bool:
        """Whether it runs from one supply, and signals are against its middle."""
        return self.reference == "mid"

    @property
    def runs_from_ground(self) -> bool:
        """Whether there is no negative supply: that of a single one is ground, and some families use none."""
        return self.has_single_supply or FAMILIES[self.family].has_one_rail or self.uses_pdk

    @property
    def uses_pdk(self) -> bool:
        """Whether the circuit is made of transistors of a process's kit, which ``silicon`` draws."""
        return self.level == "transistor" and self.technology in pdks()

    @property
    def rail(self) -> float:
        """How far each end of the supply is from its middle, V."""
        return 0.5 * self.supply if self.has_single_supply else self.supply

    @property
    def middle(self) -> float:
        """Voltage of the middle of the supply against ground, V."""
        return self.rail if self.has_single_supply else 0.0

    @cached_property
    def own_parts(self) -> dict[str, dict[str, Any]]:
        """Op-amps of one's own, by name."""
        return {} if self.parts is None else read_parts(self.parts)

    @cached_property
    def tolerances(self) -> dict[str, Tolerance]:
        """The mismatch classes; where a technology decides, with its figures."""
        return {
            k: labelled(f"[mismatch] {k}", resolved, t, k, self.technology) for k, t in self.mismatch.items()
        }

    def tolerances_of(self, component: Component) -> list[Tolerance]:
        """Give the tolerances that act on a component, one a class, with what is said of it alone."""
        found = {c: self.tolerances[c] for c in component.classes if c in self.tolerances}
        if own := own_tolerance(component, found, self.part_tolerances):
            found[own[0]] = replace(found[own[0]], tolerance=own[1])
        return list(found.values())

    @cached_property
    def temperature_law(self) -> dict[str, Drift]:
        """How values drift: as the technology says, but for the classes of ``drift``."""
        known = {} if self.technology is None else technology(self.technology).drifts(self._devices)
        return {**known, **self.drift}

    @cached_property
    def unknown_drift(self) -> dict[str, str]:
        """Classes that drift nobody knows how far, each with the technology's device that stands for it."""
        unknown = {} if self.technology is None else technology(self.technology).without_drift(self._devices)
        return {kind: device for kind, device in unknown.items() if kind not in self.drift}

    @property
    def _devices(self) -> dict[str, str]:
        return {k: t.device for k, t in self.mismatch.items() if t.device}

    @property
    def installed_pdk(self) -> InstalledPdk:
        """The transistor models of the technology.

        Raises
        ------
        DesignError
            If it has none, or they are not here; the message says how to get them.
        """
        if self.technology not in pdks():
            given = "there is none" if self.technology is None else f"{self.technology} has none"
            raise DesignError(
                f"[circuit] technology: {given} with transistor models; {', '.join(pdks())} has"
            )
        return find_pdk(self.technology, self.pdk)

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """What a result must have to be traced: the design in short, its digest, and versions."""
        return {
            "family": self.family,
            "realization": self.realization,
            "order": self.order,
            "theta": self.theta,
            "bandwidth": self.bandwidth,
            **{word: ", ".join(chosen) for word in ("only", "without") if (chosen := getattr(self, word))},
            "design": self.digest,
            "version": __version__,
        }

    def __hash__(self) -> int:
        """Hash what is no table: equal designs have equal hashes, and files need not be there."""
        values = (getattr(self, f.name) for f in fields(self) if f.compare)
        return hash(tuple(v for v in values if not isinstance(v, dict)))

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every field and the recording's bytes: equal designs, equal digests."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.compare}
        for name in (
            "column",
            "channel",
            "tap_nrmse",
            "input_buffer",
            "output_load",
            "pdk",
        ):  # later than the rest: designs without keep the digests that they had
            if content[name] is None:
                del content[name]
        for name in ("taps", "outputs", "part_tolerances", "element_values", "output_levels"):
            if not content[name]:
                del content[name]
        for name, usual in {"values_fit": "common", "readout": "ideal", "bias": "ideal"}.items():
            if content[name] == usual:
                del content[name]
        if not self.has_single_supply:
            del content["reference"]
        if self.capacitance is None and FAMILIES[self.family].on_chip:
            content["capacitance"] = ORIGIN
        content["parts"], content["opamp"] = self.own_parts, repr(self.opamp_model)
        if self.pdk is not None:
            content["pdk"] = self.installed_pdk.digest
        content["file"] = self.file and hashlib.sha256(_recorded(self.file)).hexdigest()
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=asdict).encode()).hexdigest()


def _recorded(file: Path) -> bytes:
    return read_bytes(file, most=MOST_WAV_BYTES, wanted="a recording")


def _check_circuit(design: Design) -> None:
    family = FAMILIES[design.family]
    if design.realization not in family.realizations:
        raise DesignError(
            f"[circuit] realization: {design.family} cannot implement {design.realization}; "
            f"it takes {', '.join(family.realizations)}"
        )
    _check_taps(design)
    _check_interface(design)
    if not isinstance(design.opamp, str | dict):
        raise DesignError(
            f"[circuit] opamp: a part's name or a table of figures is wanted, not {shown(design.opamp)}"
        )
    labelled("[circuit] parts", lambda: design.own_parts)
    labelled("[circuit] opamp", lambda: design.opamp_model)
    _check_technology(design)
    for name in ("column", "channel"):
        if getattr(design, name) is not None and design.file is None:
            raise DesignError(f"[signal] {name}: needs file, the recording that has it")
    if design.wanted_yield is not None and design.nrmse is None:
        raise DesignError("[spec] yield: needs nrmse, the limit that so many circuits must keep")
    if design.transconductor is not None:
        labelled("[circuit] transconductor", ota, design.transconductor)
    if design.crossbar is not None:
        labelled("[circuit] crossbar", cell_model, design.crossbar)


def _check_technology(design: Design) -> None:
    if design.pdk is not None:
        _ = design.installed_pdk  # a folder that is named must have them, whatever they are used for
    if design.uses_pdk:
        _check_pdk_circuit(design)
    elif design.bias != "ideal":
        raise DesignError(
            '[circuit] bias: is of transistors of a process: level = "transistor" with a technology that has them, '
            f"{' or '.join(pdks())}"
        )
    _ = design.tolerances  # the technology may have no such device
    if design.temperature is not None and not (design.technology or design.drift):
        raise DesignError("[circuit] temperature: needs coefficients: [circuit] technology, or [drift]")
    if design.temperature is not None and design.unknown_drift:
        kind, device = next(iter(design.unknown_drift.items()))
        raise DesignError(
            f"[circuit] temperature: the coefficient of {device} of {design.technology} is not known; "
            f'give it, for example [drift] {kind} = "100 ppm"'
        )


def _check_pdk_circuit(design: Design) -> None:
    """Refuse what circuits of a kit's transistors do not have: a key that is read and does nothing would mislead."""
    kit = pdks()[str(design.technology)]
    if design.family != "gm-c":
        raise DesignError(
            f"[circuit] family: {design.family} is not made of transistors of {kit.name}; gm-c is"
        )
    usual = {
        f.name: f.default_factory() if callable(f.default_factory) else f.default for f in fields(design)
    }
    for name in NOT_OF_A_PDK:
        if getattr(design, name) != usual[name]:
            why = NOT_OF_A_PDK[name] or "have none"
            raise DesignError(
                f"{KEYS[name].label}: circuits of transistors of {kit.name} {why}; leave it out"
            )
    if design.signal != "multitone":
        raise DesignError(
            f"[signal] kind: circuits of transistors of {kit.name} are measured with ten tones, "
            f'not with {design.signal}; give "multitone"'
        )
    if abs(design.supply / kit.supply - 1.0) > SAME_SUPPLY:
        raise DesignError(
            f'[circuit] supply: transistors of {kit.name} run from {kit.supply:g} V; give supply = "{kit.supply:g} V", '
            f"it is {design.supply:g} V"
        )


def _check_taps(design: Design) -> None:
    if (design.taps or design.outputs) and not FAMILIES[design.family].has_taps:
        able = ", ".join(name for name, each in FAMILIES.items() if each.has_taps)
        raise DesignError(f"[circuit] taps: {design.family} has none; {able} have")
    for tap in design.outputs:
        if design.order is not None:
            labelled("[circuit] output", of_states, tap, design.order)
    if design.tap_nrmse is not None and not (design.taps or design.outputs):
        raise DesignError("[spec] tap_nrmse: needs [circuit] taps, the outputs that are to keep it")


def _check_interface(design: Design) -> None:
    for key, none in INTERFACE.items():
        if getattr(design, key) != none and not FAMILIES[design.family].has_interface:
            able = ", ".join(name for name, each in FAMILIES.items() if each.has_interface)
            raise DesignError(f"{KEYS[key].label}: {design.family} circuits take none; {able} do")
    if not design.has_single_supply:
        return
    model, middle = labelled("[circuit] opamp", lambda: design.opamp_model), design.middle
    low, high = model.common_mode
    if not model.takes_middle:
        raise DesignError(
            f"[circuit] reference: inputs of {model.name} take {middle + low:.3g} to {middle + high:.3g} V of a "
            f"supply of {design.supply:g} V, not its middle, {middle:g} V; take another op-amp, or a higher supply"
        )


def _recording(design: Design, file: Path) -> Recording:
    return read(file, amplitude=design.amplitude, column=design.column, channel=design.channel)


def _stimulus(design: Design) -> Stimulus:
    band, amplitude, file, tones = design.bandwidth, design.amplitude, design.file, design.tones
    if file is not None:
        return labelled("[signal] file", _recording, design, file)
    if tones:
        return labelled("[signal] tones", lambda: Tones(*np.array(tones).T))
    match design.signal:
        case "multitone":
            return multitone(band, amplitude)
        case "sine":
            return sine(band, amplitude)
        case "noise":
            return noise(band, amplitude)
        case "step":
            return step(amplitude, duration=5.0 * design.theta, dt=design.theta / 200.0)
        case _:
            return chirp(band, amplitude, duration=max(10.0 * design.theta, 20.0 / band))
