"""Amplifiers in packages: how a part is sold, which amplifiers of a circuit share a package, and which units are spare.

Everything that lists or draws a board (bill of materials, schematics) asks ``grouped``, so that all of them agree.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lmu_analog.circuits.components import GROUND, Amplifier, DifferentialOpAmp
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.errors import DesignError

LETTERS = "ABCDEFGH"  # of the units of a package, as data sheets and KiCad name them
# KiCad's footprint of every package; where a name stands for several outlines there is none, and people must choose.
FOOTPRINTS: dict[str, str] = {
    "SOIC-8": "Package_SO:SOIC-8_3.9x4.9mm_P1.27mm",
    "SOIC-14": "Package_SO:SOIC-14_3.9x8.7mm_P1.27mm",
    "SOIC-16W": "Package_SO:SOIC-16W_7.5x10.3mm_P1.27mm",
    "MSOP-8": "Package_SO:MSOP-8_3x3mm_P0.65mm",
    "VSSOP-8": "Package_SO:VSSOP-8_3x3mm_P0.65mm",
    "TSSOP-8": "Package_SO:TSSOP-8_4.4x3mm_P0.65mm",
    "TSSOP-14": "Package_SO:TSSOP-14_4.4x5mm_P0.65mm",
    "TSSOP-16": "Package_SO:TSSOP-16_4.4x5mm_P0.65mm",
    "TSSOP-38": "Package_SO:TSSOP-38_4.4x9.7mm_P0.5mm",
    "SSOP-16": "Package_SO:SSOP-16_3.9x4.9mm_P0.635mm",
    "SOT-23-5": "Package_TO_SOT_SMD:SOT-23-5",
    "SC-70-5": "Package_TO_SOT_SMD:SOT-353_SC-70-5",
    "DIP-8": "Package_DIP:DIP-8_W7.62mm",
    "DIP-14": "Package_DIP:DIP-14_W7.62mm",
}
SPARE_RESISTANCE = 1e3  # Ohm, of the four resistors around a spare fully differential amplifier


@dataclass(frozen=True)
class Form:
    """How an amplifier is sold.

    Attributes
    ----------
    part : str
        Its number.
    amplifiers : int
        In one package.
    differential : bool or None
        Whether it has two outputs; None where nothing is known of the part.
    packages : tuple of str
        Names of the packages that it is sold in, ``SOIC-8`` and such, the usual one first; empty where not known.
    """

    part: str
    amplifiers: int = 1
    differential: bool | None = None
    packages: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The usual package; empty where none is known."""
        return self.packages[0] if self.packages else ""

    @property
    def footprint(self) -> str:
        """KiCad's footprint of the usual package; empty where none is known."""
        return FOOTPRINTS.get(self.package, "")


@dataclass(frozen=True)
class Package:
    """One package and what its units are.

    Attributes
    ----------
    form : Form
    units : tuple of (Amplifier or None)
        As many as the package has amplifiers, in the order of its units A, B, ...; None is a spare one.
    """

    form: Form
    units: tuple[Amplifier | None, ...]

    @property
    def spare(self) -> tuple[int, ...]:
        """Places of the units that the circuit does not use."""
        return tuple(k for k, unit in enumerate(self.units) if unit is None)

    def letter(self, unit: int) -> str:
        """Name of a unit; a package of one amplifier needs none."""
        return LETTERS[unit] if len(self.units) > 1 else ""


def form_of(part: str, parts: Mapping[str, Mapping[str, object]] | None = None) -> Form:
    """Say how a part is sold.

    Parameters
    ----------
    part : str
        Its number, or the name of a table of figures.
    parts : dict, optional
        Parts of one's own, from ``read_parts``; they come before those of the catalogue.

    Returns
    -------
    Form
        One amplifier a package, and nothing else known, where the part is in no table.
    """
    found = {**catalogue(), **(parts or {})}.get(part)
    if found is None:
        return Form(part)
    packages = tuple(found.get("packages", ()))  # type: ignore[arg-type]
    return Form(part, int(found.get("amplifiers", 1)), bool(found.get("differential", False)), packages)  # type: ignore[call-overload]


def grouped(
    amplifiers: Sequence[Amplifier], parts: Mapping[str, Mapping[str, object]] | None = None
) -> tuple[Package, ...]:
    """Put amplifiers into packages, each into exactly one unit.

    Packages of a part are filled in the order in which the amplifiers come, so neighbours in the circuit share one;
    only the last of a part may have spare units. Packages come in the order of their first amplifiers.

    Parameters
    ----------
    amplifiers : sequence of Amplifier
        Those of a circuit, for example ``circuit.amplifiers``.
    parts : dict, optional
        Parts of one's own, from ``read_parts``.

    Raises
    ------
    DesignError
        If a part with one output stands where two are needed, or the other way round.
    """
    found: list[tuple[Form, list[Amplifier | None]]] = []
    filling: dict[str, list[Amplifier | None]] = {}  # of every part the package that is not yet full
    for amplifier in amplifiers:
        form = fitting(amplifier, parts)
        units = filling.get(form.part)
        if units is None or len(units) == form.amplifiers:
            units = filling[form.part] = []
            found.append((form, units))
        units.append(amplifier)
    return tuple(
        Package(form, tuple(units + [None] * (form.amplifiers - len(units)))) for form, units in found
    )


def fitting(amplifier: Amplifier, parts: Mapping[str, Mapping[str, object]] | None = None) -> Form:
    """Say how the part of an amplifier is sold, and refuse one with another number of outputs.

    Raises
    ------
    DesignError
        If it has one output where two are needed, or the other way round.
    """
    form = form_of(amplifier.model.name, parts)
    needed = isinstance(amplifier, DifferentialOpAmp)
    if form.differential is None or form.differential == needed:
        return form
    have, want = ("two outputs", "one") if form.differential else ("one output", "two")
    fit = [name for name in catalogue() if form_of(name).differential == needed]
    which = ", ".join(sorted(fit)) if needed else "a part with one output, see lmu-analog parts"
    raise DesignError(
        f"{form.part} has {have}, and {amplifier.name} needs {want}: it cannot be ordered or drawn; give "
        f"[circuit] opamp = {which}"
    )


def tied_off(
    package: Package, unit: int, *, reference: str, rest: str = GROUND
) -> tuple[tuple[str, str], ...]:
    """Give the pins of a spare unit, each with its net: it rests at mid supply and does not oscillate.

    An op-amp becomes a follower of ground, or of the middle of a single supply. A fully differential amplifier becomes
    an inverter of it, of gain one,
    for which all of them are stable: its four pins have nets of their own, and ``tying_resistors`` stand between.

    Parameters
    ----------
    package : Package
    unit : int
        Place of the unit, from 0.
    reference : str
        Reference designator of the package, which the names of the new nets have in them.
    rest : str
        Net amid the supplies.
    """
    stem = f"spare_{reference}{package.letter(unit)}"
    if not package.form.differential:
        return ("plus", rest), ("minus", stem), ("out", stem)
    return tuple((pin, f"{stem}_{pin}") for pin in ("plus", "minus", "out_plus", "out_minus"))


def tying_resistors(
    package: Package, unit: int, *, reference: str, rest: str = GROUND
) -> tuple[tuple[str, str], ...]:
    """Give the two nets of every resistor, of ``SPARE_RESISTANCE``, that ties a spare unit off; op-amps need none."""
    if not package.form.differential:
        return ()
    at = dict(tied_off(package, unit, reference=reference))
    return (
        (rest, at["minus"]),
        (at["minus"], at["out_plus"]),
        (rest, at["plus"]),
        (at["plus"], at["out_minus"]),
    )
