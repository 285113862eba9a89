"""The design: what is asked for, checked, and what it builds."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lmu_analog.circuits.circuit import Circuit, OpAmpModel
from lmu_analog.circuits.families import FAMILIES
from lmu_analog.circuits.parts import opamp
from lmu_analog.circuits.scaling import peak_scale
from lmu_analog.circuits.tolerance import Tolerance
from lmu_analog.design_keys import KEYS, labelled, load
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre, smallest_order, usable_band
from lmu_analog.memory.realizations import Realization, realize
from lmu_analog.recording import read
from lmu_analog.stimulus import Stimulus, Tones, chirp, multitone, noise, sine, step
from lmu_analog.version import __version__

if TYPE_CHECKING:
    Whole, Quantity, Word, File = int, float, str, Path
    Tones3 = tuple[tuple[float, float, float], ...]
    Part = str | dict[str, Any]
    Tolerances = dict[str, Tolerance]
else:  # text and tables come in too; __post_init__ reads them, and says better what is wrong with them
    Whole = Quantity = Word = File = Tones3 = Part = Tolerances = object


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
        Largest truncation error, a fraction, that chooses the order.
    bandwidth : float, Hz
        Highest input frequency; left out, where the ideal memory is 1 % wrong.
    amplitude : float, V
        Peak of the input.
    signal : str
        multitone (the default test signal), sine, noise, step or chirp.
    tones : tuple of (frequency Hz, cosine V, sine V), optional
        A periodic signal of one's own.
    file : Path, optional
        A recording, CSV or WAV, as the signal.
    family, realization : str
        From the table of families.
    capacitance : float, F
        Impedance level: the integrating capacitor.
    opamp : str or dict
        "ideal", a part, or a table of figures.
    supply : float, V
        The circuit runs from +-supply.
    headroom : float
        Fraction of the supply that the worst sine of the band leaves free.
    tau : float or None, s
        Time constant of ``principle3``.
    level, variant : str
        Settings of single families.
    mismatch : dict
        Class to tolerance.
    nrmse : float or None
        Limit of the window NRMSE, a fraction.
    """

    order: Whole = None  # type: ignore[assignment]  # always a number once made
    theta: Quantity = 1.0
    error: Quantity | None = None
    bandwidth: Quantity = None  # type: ignore[assignment]  # always a number once made
    amplitude: Quantity = 0.5
    signal: Word = "multitone"
    tones: Tones3 | None = None
    file: File | None = None
    family: Word = "active-rc"
    realization: Word = None  # type: ignore[assignment]  # always a name once made
    capacitance: Quantity = 1e-9
    opamp: Part = "ideal"
    supply: Quantity = 5.0
    headroom: Quantity = 0.3
    tau: Quantity | None = None
    level: Word = "behavioural"
    variant: Word = ""
    mismatch: Tolerances = field(default_factory=dict)
    nrmse: Quantity | None = None

    def __post_init__(self) -> None:
        for name, key in KEYS.items():
            if (given := getattr(self, name)) is not None:
                object.__setattr__(self, name, labelled(key.label, key.read, given))
        if self.realization is None and self.family in FAMILIES:
            object.__setattr__(self, "realization", FAMILIES[self.family].realizations[0])
        _check_circuit(self)
        self._choose_order_and_band()

    def _choose_order_and_band(self) -> None:
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
        """Give the same design with other fields; an order replaces an error that chose it, and vice versa."""
        if unknown := sorted(set(changes) - {f.name for f in fields(self)}):
            raise DesignError(
                f"unknown field {unknown[0]!r}; known are {', '.join(f.name for f in fields(self))}"
            )
        if "order" in changes:
            changes = {"error": None, **changes}
        if "family" in changes and "realization" not in changes:
            known = FAMILIES[changes["family"]].realizations if changes["family"] in FAMILIES else ()
            changes = {"realization": self.realization if self.realization in known else None, **changes}
        return replace(self, **changes)

    @classmethod
    def load(cls, path: Path | str) -> "Design":
        """Read a design file (TOML).

        Raises
        ------
        DesignError
            If the file is missing, malformed, or has an unknown table or key or a wrong value.
        """
        path = Path(path)
        return labelled(str(path), lambda p: cls(**load(p)), path)

    @cached_property
    def stimulus(self) -> Stimulus:
        """The input signal."""
        return _stimulus(self)

    @cached_property
    def full_scale(self) -> float:
        """Peak of the input that the circuit is scaled for, V."""
        return self.stimulus.peak if self.file or self.tones else self.amplitude

    @property
    def opamp_model(self) -> OpAmpModel:
        """The op-amp, with this supply."""
        return opamp(self.opamp, supply=self.supply)

    @property
    def provenance(self) -> dict[str, str | int | float]:
        """What a result must carry to be traced: the design in short, its digest, and versions."""
        return {
            "family": self.family,
            "realization": self.realization,
            "order": self.order,
            "theta": self.theta,
            "bandwidth": self.bandwidth,
            "design": self.digest,
            "version": __version__,
        }

    @property
    def digest(self) -> str:
        """SHA-256 over every field and the recording's bytes: equal designs, equal digests."""
        content = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "file"}
        content["mismatch"] = {k: asdict(v) for k, v in sorted(self.mismatch.items())}
        content["file"] = hashlib.sha256(self.file.read_bytes()).hexdigest() if self.file else None
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def realization(design: Design) -> Realization:
    """Give the memory of a design its physical structure."""
    return realize(legendre(design.order, design.theta), design.realization, tau=design.tau)


def build(design: Design) -> Circuit:
    """Build the circuit of a design, its states scaled to the rails and its electrical rules checked."""
    realized = realization(design)
    swing = (1.0 - design.headroom) * min(design.supply, design.opamp_model.rail)
    scale = peak_scale(realized.structure, design.bandwidth, amplitude=design.full_scale, swing=swing)
    return FAMILIES[design.family].build(
        realized, scale, capacitance=design.capacitance, opamp=design.opamp_model
    )


def _check_circuit(design: Design) -> None:
    family = FAMILIES[design.family]
    if design.realization not in family.realizations:
        raise DesignError(
            f"[circuit] realization: {design.family} cannot carry {design.realization}; "
            f"it takes {', '.join(family.realizations)}"
        )
    if not isinstance(design.opamp, str | dict):
        raise DesignError(
            f"[circuit] opamp: a part's name or a table of figures is wanted, not {design.opamp!r}"
        )
    labelled("[circuit] opamp", lambda: design.opamp_model)


def _stimulus(design: Design) -> Stimulus:
    band, amplitude = design.bandwidth, design.amplitude
    if design.file is not None:
        return labelled("[signal] file", lambda: read(design.file, amplitude=amplitude))
    if design.tones:
        return labelled(
            "[signal] tones", lambda: Tones(*(np.array(column) for column in zip(*design.tones, strict=True)))
        )
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
