"""Op-amp models by part number, or from a table of figures."""

import math
import re
import tomllib
from functools import cache
from importlib import resources

from lmu_analog.circuits.circuit import IDEAL, OpAmpModel
from lmu_analog.errors import DesignError
from lmu_analog.units import gain, parse

FIGURES = ("name", "gain", "gbw", "slew", "offset", "offset_max", "rail")


@cache
def catalogue() -> dict[str, dict[str, object]]:
    """Read the parts that ship with the package: part number to figures, SI units, gain in dB."""
    text = resources.files("lmu_analog.circuits").joinpath("parts.toml").read_text("utf-8")
    return tomllib.loads(text)


def opamp(given: str | dict[str, object], *, supply: float) -> OpAmpModel:
    """Find an op-amp.

    Parameters
    ----------
    given : str or dict
        "ideal", a part of the catalogue, or a table of figures: ``gain`` ("106 dB" or V/V), ``gbw``
        ("10 MHz"), and optionally ``slew`` ("20 V/us"), ``offset`` and ``offset_max`` ("2 mV"), ``rail``
        ("4.8 V") and ``name``.
    supply : float, V
        The amplifier runs from +-supply, where real parts saturate unless ``rail`` says otherwise.

    Raises
    ------
    DesignError
        If the part is unknown, cannot run from the supply, or a figure is wrong.
    """
    if isinstance(given, dict):
        return _from_table(given, supply)
    if given == "ideal":
        return IDEAL
    parts = catalogue()
    if given not in parts:
        raise DesignError(
            f"unknown op-amp {given[:40]!r}; known are ideal, {', '.join(sorted(parts))}, or a table of figures"
        )
    part = parts[given]
    low, high = part["supply"]  # type: ignore[misc]
    if not low <= 2.0 * supply <= high:
        raise DesignError(
            f"{given} runs from {low:g} to {high:g} V in total; a supply of +-{supply:g} V gives {2 * supply:g} V"
        )
    return OpAmpModel(
        given,
        gain=10.0 ** (part["gain"] / 20.0),  # type: ignore[operator]
        gbw=part["gbw"],  # type: ignore[arg-type]
        slew=part["slew"],  # type: ignore[arg-type]
        offset_max=part["offset_max"],  # type: ignore[arg-type]
        rail=supply,
    )


def _from_table(table: dict[str, object], supply: float) -> OpAmpModel:
    if extra := sorted(set(table) - set(FIGURES)):
        raise DesignError(f"unknown op-amp figure {extra[0]!r}; known are {', '.join(FIGURES)}")
    if missing := [key for key in ("gain", "gbw") if key not in table]:
        raise DesignError(f"an op-amp table needs gain and gbw; {missing[0]} is missing")
    name = table.get("name", "opamp")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.-]{0,30}", name):
        raise DesignError(
            f"op-amp name {str(name)[:40]!r} may hold letters, digits and _ . - only, at most 31"
        )
    volts = {k: parse(table[k], "V") for k in ("offset", "offset_max", "rail") if k in table}  # type: ignore[arg-type]
    slew = parse(table["slew"], "V/s") if "slew" in table else math.inf  # type: ignore[arg-type]
    figures = {
        "gain": gain(table["gain"]),  # type: ignore[arg-type]
        "gbw": parse(table["gbw"], "Hz"),  # type: ignore[arg-type]
        "slew": slew,
        **volts,
    }
    for key, value in figures.items():
        if key != "offset" and not value >= 0.0 or key in ("gain", "gbw", "slew", "rail") and value == 0.0:
            raise DesignError(f"op-amp {key} = {value:g}; it must be positive")
    return OpAmpModel(name, **{"rail": supply, **figures})  # type: ignore[arg-type]
