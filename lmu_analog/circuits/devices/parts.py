"""Op-amp models by part number, from the catalogue or a file of one's own, or from a table of figures."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Literal

from lmu_analog.circuits.devices.modelfile import read_model
from lmu_analog.circuits.devices.models import IDEAL, Library, OpAmpModel, OtaModel
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_toml
from lmu_analog.units import gain, parse


@dataclass(frozen=True)
class Figure:
    """What is accepted of a figure: its unit, the largest size, beyond which lies nonsense, and its sign."""

    unit: str
    most: float = math.inf
    sign: Literal["any", "not negative", "positive"] = "not negative"


OF_AN_OPAMP = {
    "gain": Figure("V/V", 1e15, "positive"),
    "gbw": Figure("Hz", 1e15, "positive"),
    "slew": Figure("V/s", sign="positive"),
    "offset": Figure("V", 1e6, "any"),
    "offset_max": Figure("V", 1e6),
    "rail": Figure("V", 1e6, "positive"),
    "output_resistance": Figure("Ohm", 1e9),
    "bias": Figure("A", 1.0, "any"),
    "input_capacitance": Figure("F", 1.0),
    "noise": Figure("V/rtHz", 1.0),
    "noise_corner": Figure("Hz", 1e15),
    "current_noise": Figure("A/rtHz", 1.0),
    "psrr": Figure("dB", 300.0),
    "psrr_corner": Figure("Hz", 1e15, "positive"),
    "swing_load": Figure("Ohm", 1e9, "positive"),
    "output_current": Figure("A", 1e3, "positive"),
}
UNITS = {
    key: figure.unit for key, figure in OF_AN_OPAMP.items() if key not in ("gain", "gbw")
}  # optional ones
LOAD = "swing_load"  # says of which load the swing is; no model knows it
PAIRS = ("swing", "common_mode")  # [from the negative rail, from the positive rail], V
FIGURES = ("name", *OF_AN_OPAMP, *PAIRS)
OTA_UNITS = {
    "parasitic": "F",
    "pole": "Hz",
    "limit": "V",
    "noise_corner": "Hz",
}  # of a transconductor's figures
OF_A_MODEL = ("model", "subcircuit", "pins", "figures")
FIGURES_OF = ("measured", "table")
USUAL_PINS = ("plus", "minus", "vcc", "vee", "out")  # the order of most makers' op-amp models
OF_A_PART = tuple(key for key in UNITS if key not in ("offset", "rail"))  # those come from samples and supply
FOR_PEOPLE = ("offset_typical", "current", "confidence", "source")
AS_SOLD = ("amplifiers", "differential", "packages", "price_class")  # see ``devices/packages.py``
KINDS_OF_INPUT = ("bipolar", "JFET", "CMOS", "zero-drift")
PRICE_CLASSES = {
    "A": (0.0, 0.2),
    "B": (0.2, 0.5),
    "C": (0.5, 1.0),
    "D": (1.0, 3.0),
    "E": (3.0, 10.0),
}  # USD each
WHERE_FROM = ("maker", "sheet", "address")  # text that says where the figures are from
MOST_AMPLIFIERS = 8  # in one package; nobody sells more
NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,30}")


@cache
def catalogue() -> dict[str, dict[str, object]]:
    """Read the parts that ship with the package: part number to figures, SI units, gain in dB.

    A part that is ``like`` another has the figures of that one too.
    """
    text = resources.files("lmu_analog.circuits.devices").joinpath("parts.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return {name: _whole(figures, tables) for name, figures in tables.items()}


def confidence_of(part: Mapping[str, object], figure: str) -> str:
    """Say where a figure of a part is from.

    Returns
    -------
    str
        ``read`` if it was read in the part's sheet, at its address; else what the part says of all its figures, which
        is ``memory`` in the catalogue, or ``own part``.
    """
    if figure in part.get("read", ()):  # type: ignore[operator]
        return "read"
    return str(part.get("confidence", "own part"))


def _whole(
    figures: dict[str, object], known: Mapping[str, dict[str, object]], seen: tuple[str, ...] = ()
) -> dict[str, object]:
    """Give a part the figures of the one that it is like; what it has itself was not read with those."""
    if "like" not in figures:
        return figures
    other = figures["like"]
    base = known.get(other) if isinstance(other, str) else None
    if not isinstance(other, str) or not isinstance(base, dict):
        raise DesignError(f"like = {shown(other)}; no such part in the file, nor in the catalogue")
    if other in seen:
        raise DesignError(f"like = {shown(other)}; it is like this part itself: give one of them its figures")
    base = _whole(base, known, (*seen, other))
    read = [figure for figure in base.get("read", ()) if figure not in figures]  # type: ignore[attr-defined]
    return {**base, **({"read": read} if "read" in base else {}), **figures}


def read_parts(path: Path | str) -> dict[str, dict[str, object]]:
    """Read a file of parts of one's own, in the form of the catalogue.

    A table a part, named by its number: ``gain`` (dB), ``gbw`` (Hz), ``supply`` ([least, most] in total, V)
    and optionally ``slew`` (V/s), ``offset_max`` (V), ``bias`` (A), ``output_resistance`` (Ohm),
    ``input_capacitance`` (F), ``noise`` (V/rtHz), ``noise_corner`` (Hz), ``current_noise`` (A/rtHz), ``psrr``
    (dB), ``psrr_corner`` (Hz), ``swing`` and ``common_mode`` ([from the negative rail, from the positive rail],
    V), ``swing_load`` (Ohm) and ``output_current`` (A), as SI numbers or text with units; ``amplifiers`` (in one
    package; one unless given), ``differential`` (true with two outputs), ``packages`` (their names, the usual one
    first) and ``price_class`` say how it is sold, ``maker``, ``sheet``, ``address`` and ``read`` (a list of figures)
    where the figures are from; ``offset_typical``, ``current``, ``kind``, ``confidence`` and ``source`` are for people.
    ``like`` names a part, of the file or of the catalogue, that has all figures which are not given.

    Raises
    ------
    DesignError
        If the file cannot be read, is no TOML, or a part lacks a figure, has an unknown or a wrong one.
    """
    path = Path(path)
    tables = read_toml(path, wanted="a file of parts")
    known = {**catalogue(), **tables}
    for name, figures in tables.items():
        try:
            tables[name] = _part(name, _whole(figures, known) if isinstance(figures, dict) else figures)
        except DesignError as error:
            raise DesignError(f"{path.name}, [{name[:40]}]: {error}") from None
    return tables


def _part(name: str, figures: object) -> dict[str, object]:
    """Check one table of a file of parts, and read its quantities."""
    if not isinstance(figures, dict):
        raise DesignError("a part is a table of figures")
    if name == "ideal" or not NAME.fullmatch(name):
        raise DesignError("a part's name holds letters, digits and _ . - only, at most 31, and is not ideal")
    known = {
        "gain",
        "gbw",
        "supply",
        *OF_A_PART,
        *PAIRS,
        *AS_SOLD,
        *FOR_PEOPLE,
        *WHERE_FROM,
        "kind",
        "like",
        "read",
    }
    if extra := sorted(set(figures) - known):
        raise DesignError(f"unknown figure {shown(extra[0])}; known are {', '.join(sorted(known))}")
    if missing := [k for k in ("gain", "gbw", "supply") if k not in figures]:
        raise DesignError(f"{missing[0]} is missing; a part needs gain, gbw and supply")
    supply = figures["supply"]
    if not isinstance(supply, list) or len(supply) != 2:
        raise DesignError("supply is [least, most], V in total")
    low, high = (parse(volts, "V") for volts in supply)
    if not 0.0 <= low < high:
        raise DesignError(
            f"supply = [{low:g}, {high:g}]; the least must be below the most, and neither negative"
        )
    _check_form(figures)
    given = figures["gain"]
    decibels = 20.0 * math.log10(max(gain(given), 1e-300)) if isinstance(given, str) else parse(given, "V")
    read = {k: parse(figures[k], unit) for k, unit in {"gbw": "Hz", **UNITS}.items() if k in figures}
    _check_figures({**read, "gain": 10.0 ** (min(decibels, 6000.0) / 20.0)})
    pairs = {key: _pair(key, figures[key]) for key in PAIRS if key in figures}
    return {**figures, **read, **pairs, "gain": decibels, "supply": [low, high]}


def _check_form(figures: dict[str, object]) -> None:
    """Check what says how a part is sold."""
    amplifiers = figures.get("amplifiers", 1)
    if (
        isinstance(amplifiers, bool)
        or not isinstance(amplifiers, int)
        or not 1 <= amplifiers <= MOST_AMPLIFIERS
    ):
        raise DesignError(
            f"amplifiers = {shown(amplifiers)}; a whole number from 1 to {MOST_AMPLIFIERS} is wanted"
        )
    if not isinstance(figures.get("differential", False), bool):
        raise DesignError(f"differential = {shown(figures['differential'])}; give true or false")
    packages = figures.get("packages", [])
    if not isinstance(packages, list) or not all(isinstance(p, str) and NAME.fullmatch(p) for p in packages):
        raise DesignError(f'packages = {shown(packages)}; a list of names is wanted, for example ["SOIC-8"]')
    for key, choices in (("price_class", tuple(PRICE_CLASSES)), ("kind", KINDS_OF_INPUT)):
        if key in figures and figures[key] not in choices:
            raise DesignError(f"{key} = {shown(figures[key])}; known are {', '.join(choices)}")
    for key in WHERE_FROM:
        if key in figures and not isinstance(figures[key], str):
            raise DesignError(f"{key} = {shown(figures[key])}; text is wanted")
    read = figures.get("read", [])
    if not isinstance(read, list) or not all(isinstance(name, str) and name in figures for name in read):
        raise DesignError(f"read = {shown(read)}; a list of figures of the part is wanted")
    if read and "address" not in figures:
        raise DesignError("read without address; say where the sheet is that the figures were read in")


def opamp(
    given: str | dict[str, object], *, supply: float, parts: dict[str, dict[str, object]] | None = None
) -> OpAmpModel:
    """Find an op-amp.

    Parameters
    ----------
    given : str or dict
        "ideal", a part of the catalogue, or a table of figures: ``gain`` ("106 dB" or V/V), ``gbw``
        ("10 MHz"), and optionally ``slew`` ("20 V/us"), ``offset`` and ``offset_max`` ("2 mV"), ``rail``
        ("4.8 V"), ``output_resistance`` ("50 Ohm"), ``bias`` ("20 nA"), ``input_capacitance`` ("5 pF"),
        ``noise`` ("8 nV/rtHz"), ``noise_corner`` ("100 Hz"), ``current_noise`` ("3 fA/rtHz"), ``psrr``
        ("100 dB"), ``psrr_corner`` ("10 Hz"), ``swing`` and ``common_mode`` (["0.75 V", "1.5 V"] from the
        negative and from the positive rail, negative beyond it), ``swing_load`` ("10 kOhm"), ``output_current``
        ("20 mA") and ``name``.
        A SPICE model for ngspice: ``model`` (a file), ``subcircuit`` (its name), ``pins`` and ``figures``
        ("measured" or "table").
    supply : float, V
        The amplifier runs from +-supply, where real parts saturate unless ``swing`` or ``rail`` says otherwise.
    parts : dict, optional
        Parts of one's own, from ``read_parts``; they come before those of the catalogue.

    Raises
    ------
    DesignError
        If the part is unknown, cannot run from the supply or has no swing left there, or a figure is wrong.
    """
    if isinstance(given, dict):
        return _from_table(given, supply)
    if given == "ideal":
        return IDEAL
    own = parts or {}
    parts = {**catalogue(), **own}
    if given not in parts:
        near = get_close_matches(given.upper(), sorted(catalogue()), cutoff=0.5)
        named = ", ".join(["ideal", *sorted(own), *near])
        raise DesignError(
            f"unknown op-amp {shown(given)}; known are {named}, the others that lmu-analog parts lists, "
            "or a table of figures"
        )
    part = parts[given]
    low, high = part["supply"]  # type: ignore[misc]
    if not low <= 2.0 * supply <= high:
        raise DesignError(
            f"{given} runs from {low:g} to {high:g} V in total; [circuit] supply gives {2 * supply:g} V in total; "
            "lmu-analog parts lists what others run from"
        )
    return OpAmpModel(
        given,
        gain=10.0 ** (part["gain"] / 20.0),  # type: ignore[operator]
        gbw=part["gbw"],  # type: ignore[arg-type]
        **_output(given, part, supply),  # type: ignore[arg-type]
        **{key: part[key] for key in OF_A_PART if key in part and key != LOAD},  # type: ignore[arg-type]
    )


def _output(name: str, figures: dict[str, object], supply: float) -> dict[str, object]:
    """Turn distances from the rails into voltages; without a swing the supply stands in for it."""
    found: dict[str, object] = {"rail": supply, "swing_known": False}
    if "swing" in figures:
        low, high = figures["swing"]  # type: ignore[misc]
        if not max(low, high) < supply:
            rail = "positive" if high >= low else "negative"
            raise DesignError(
                f"{name}: outputs stay {max(low, high):g} V from the {rail} rail, and a supply of +-{supply:g} V "
                "leaves no swing; raise [circuit] supply"
            )
        found = {"rail": supply - high, "lowest": low - supply}
    if "common_mode" in figures:
        low, high = figures["common_mode"]  # type: ignore[misc]
        if not low - supply < supply - high:
            raise DesignError(
                f"{name}: common_mode = [{low:g}, {high:g}] V from the rails leaves no range between +-{supply:g} V"
            )
        found["common_mode"] = (low - supply, supply - high)
    return found


def _pair(key: str, given: object) -> list[float]:
    """Read two distances from the rails, V."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise DesignError(f"{key} is [from the negative rail, from the positive rail], V, not {shown(given)}")
    found = [parse(volts, "V") for volts in given]
    for volts in found:
        if key == "swing" and volts < 0.0:
            raise DesignError(f"op-amp swing = {volts:g} V from a rail; no output goes beyond its rails")
        if abs(volts) > (most := OF_AN_OPAMP["rail"].most):
            raise DesignError(f"op-amp {key} = {volts:g}; at most {most:g} is accepted")
    return found


def _from_table(table: dict[str, object], supply: float) -> OpAmpModel:
    if extra := sorted(set(table) - {*FIGURES, *OF_A_MODEL}):
        known = ", ".join((*FIGURES, *OF_A_MODEL))
        raise DesignError(f"unknown op-amp figure {shown(extra[0])}; known are {known}")
    if missing := [key for key in ("gain", "gbw") if key not in table]:
        raise DesignError(f"an op-amp table needs gain and gbw; {missing[0]} is missing")
    name = table.get("name", "opamp")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise DesignError(f"op-amp name {shown(name)} may hold letters, digits and _ . - only, at most 31")
    figures = {
        "gain": gain(table["gain"]),  # type: ignore[arg-type]
        "gbw": parse(table["gbw"], "Hz"),  # type: ignore[arg-type]
        **{key: parse(table[key], unit) for key, unit in UNITS.items() if key in table},
    }
    _check_figures(figures)
    if {"swing", "rail"} <= set(table):
        raise DesignError("op-amp table has both swing and rail; give one of them")
    pairs = {key: _pair(key, table[key]) for key in PAIRS if key in table}
    output = _output(name, dict(pairs), supply)
    if "rail" in figures:
        output["swing_known"] = True
    figures.pop(LOAD, None)
    return OpAmpModel(name, **{**output, **figures}, library=_library(table, supply))  # type: ignore[arg-type]


def _library(table: dict[str, object], supply: float) -> Library | None:
    """Read the SPICE model that a table of figures names, if it does."""
    given = [key for key in OF_A_MODEL if key in table]
    if not given:
        return None
    path, subcircuit, pins = table.get("model"), table.get("subcircuit"), table.get("pins", list(USUAL_PINS))
    if not isinstance(path, str | Path) or not isinstance(subcircuit, str):
        raise DesignError(f"{given[0]} needs model, a file, together with subcircuit, a name in it")
    if not isinstance(pins, list) or not {"plus", "minus", "out"} <= set(pins) <= {*USUAL_PINS, "ground"}:
        raise DesignError(f"pins are a list of {', '.join(USUAL_PINS)} and ground, in the model's order")
    figures = table.get("figures", FIGURES_OF[0])
    if figures not in FIGURES_OF:
        raise DesignError(f"figures = {figures!r:.40}; give measured or table")
    model = read_model(Path(path), subcircuit)
    if len(model.pins) != len(pins):
        raise DesignError(
            f"{subcircuit} has {len(model.pins)} pins, and pins names {len(pins)}; give them in its order"
        )
    return Library(model.name, tuple(pins), model.text, supply, model.notes, model.size, figures=str(figures))


def _check_figures(figures: dict[str, float]) -> None:
    for key, value in figures.items():
        known = OF_AN_OPAMP[key]
        if (known.sign != "any" and not value >= 0.0) or (known.sign == "positive" and value == 0.0):
            raise DesignError(f"op-amp {key} = {value:g}; it must be positive")
        if abs(value) > known.most:
            raise DesignError(f"op-amp {key} = {value:g}; at most {known.most:g} is accepted")


def ota(given: object) -> OtaModel:
    """Read a transconductor's table of figures.

    Parameters
    ----------
    given : dict
        Any of ``gain`` ("60 dB" or V/V), ``parasitic`` ("50 fF"), ``pole`` ("1 GHz"), ``limit`` ("200 mV"),
        ``excess_noise`` (gamma, a number) and ``noise_corner`` ("100 kHz").

    Raises
    ------
    DesignError
        If it is no table, or a figure is unknown or not positive.
    """
    if not isinstance(given, dict):
        raise DesignError(f"a table of figures is wanted, not {shown(given)}")
    if extra := sorted(set(given) - {*OTA_UNITS, "gain", "excess_noise"}):
        raise DesignError(
            f"unknown figure {shown(extra[0])}; known are gain, {', '.join(OTA_UNITS)}, excess_noise"
        )
    figures = {key: parse(given[key], unit) for key, unit in OTA_UNITS.items() if key in given}
    figures |= {k: gain(given[k]) for k in ("gain", "excess_noise") if k in given}
    for key, value in figures.items():
        if not value > 0.0 and not (key == "noise_corner" and value == 0.0):
            raise DesignError(f"{key} = {value:g}; it must be positive")
    return OtaModel("ota" if figures else "ideal", **figures)
