"""A design written back as a commented design file."""

import json
from collections.abc import Mapping
from pathlib import Path

from lmu_analog.circuits.devices.technology import technologies
from lmu_analog.circuits.devices.tolerance import Group, Tolerance, law_text
from lmu_analog.circuits.devices.values import SERIES
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.scaling import SCALINGS
from lmu_analog.circuits.temperature import Drift
from lmu_analog.design import Design
from lmu_analog.units import area, fraction, length, parse, write

# Settings that are one of a few words: what is left out, and what the line says.
_CHOICES = (
    ("scaling", "peak", ", ".join(SCALINGS)),
    ("predistort", "none", "none or gbw"),
    ("values", "exact", f"exact, {', '.join(SERIES)}"),
    ("level", "behavioural", "behavioural or transistor"),
    ("variant", "", "gyrator or no-derivative"),
    ("technology", None, ", ".join(technologies())),
)
# Quantities that may be left out: unit, and what the line says.
_QUANTITIES = (
    ("tau", "s", "synapses of principle3"),
    ("second_tau", "s", "second pole of principle3-two-pole"),
    ("clock", "Hz", "of switched capacitors"),
    ("temperature", "K", "of all parts"),
    ("leakage", "s", "insulation resistance of capacitors times their capacitance"),
)
_UM2 = 1e-12


def commented(design: Design, names: Mapping[str, str] | None = None) -> str:
    """Write a design file that ``Design.load`` reads back as the same design.

    Parameters
    ----------
    design : Design
    names : dict, optional
        Of "file", "parts" and "model" as the text shall name them, from its own folder. Unless given they are named
        without their folders: they belong beside the file.
    """
    named = _names(design) | dict(names or {})
    tables = [
        _memory(design),
        _signal(design, named),
        _circuit(design, named),
        _mismatch(design),
        *_groups(design),
    ]
    tables += [_drift(design), _spec(design)]
    return "\n\n".join("\n".join(table) for table in tables if table) + "\n"


def _names(design: Design) -> dict[str, str]:
    model = design.opamp.get("model") if isinstance(design.opamp, dict) else None
    given = {"file": design.file, "parts": design.parts, "model": None if model is None else Path(str(model))}
    return {key: path.name for key, path in given.items() if path is not None}


def _line(key: str, value: str | float, comment: str) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"{f'{key} = {text}':<34}# {comment}"


def _exact(value: float, unit: str) -> str | float:
    """Write with a unit where that reads back as the same number, else the bare SI number."""
    text = write(value, unit)
    return text if parse(text, unit) == value else value


def _percent(value: float) -> str | float:
    text = f"{100.0 * value:.10g} %"
    return text if fraction(text) == value else value


def _memory(design: Design) -> list[str]:
    chosen = (
        _line(
            "order", design.order, 'number of states; or error = "2 %" with a bandwidth: the order is chosen'
        )
        if design.error is None
        else _line(
            "error", _percent(design.error), f"largest truncation error over the band: order {design.order}"
        )
    )
    return ["[memory]", chosen, _line("theta", _exact(design.theta, "s"), "length of the sliding window")]


def _signal(design: Design, names: Mapping[str, str]) -> list[str]:
    lines = [
        "[signal]",
        _line("bandwidth", _exact(design.bandwidth, "Hz"), "highest input frequency"),
        _line("amplitude", _exact(design.amplitude, "V"), "peak"),
        _line("kind", design.signal, "multitone, sine, noise, step or chirp"),
    ]
    if design.tones:
        lines.append(f"tones = {json.dumps([list(tone) for tone in design.tones])}")
    if design.file:
        lines.append(_line("file", names["file"], "a recording, a table or a WAV, beside this file"))
    if design.column is not None:
        lines.append(_line("column", design.column, "of the table"))
    if design.channel is not None:
        lines.append(f"channel = {design.channel}  # of the WAV, from 1")
    return lines


def _circuit(design: Design, names: Mapping[str, str]) -> list[str]:
    known = ", ".join(FAMILIES[design.family].realizations)
    opamp = design.opamp if isinstance(design.opamp, str) else None
    lines = [
        "[circuit]",
        _line("family", design.family, ", ".join(FAMILIES)),
        _line("realization", design.realization, known),
        _line("capacitance", _exact(design.capacitance, "F"), "sets the impedance level"),
    ]
    if opamp is not None:
        lines.append(_line("opamp", opamp, 'a part, "ideal", or a table of figures'))
    if design.parts is not None:
        lines.append(_line("parts", names["parts"], "op-amps of one's own, beside this file"))
    lines.append(_line("supply", _exact(design.supply, "V"), "+- this"))
    lines.append(
        _line("headroom", _percent(design.headroom), "of the output swing, kept free at the worst sine")
    )
    for name, usual, comment in _CHOICES:
        if (chosen := getattr(design, name)) != usual:
            lines.append(_line(name, chosen, comment))
    if design.pairs is not None:
        lines.append(
            _line("pairs", _percent(design.pairs), "largest error of one value; beyond, two are joined")
        )
    for name, unit, comment in _QUANTITIES:
        if (value := getattr(design, name)) is not None:
            lines.append(_line(name, _exact(value, unit), comment))
    for name in ("opamp", "transconductor", "crossbar"):
        if isinstance(table := getattr(design, name), dict):
            beside = {key: names["model"] if key == "model" else value for key, value in table.items()}
            lines += ["", f"[circuit.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in beside.items())]
    return lines


def _mismatch(design: Design) -> list[str]:
    if not (design.mismatch or design.only or design.without):
        return []
    lines = [_tolerance_line(name, t) for name, t in design.mismatch.items()]
    chosen = (("only", design.only), ("without", design.without))
    lines += [f"{word} = {_list(patterns)}" for word, patterns in chosen if patterns]
    return ["[mismatch]", *lines]


def _tolerance_line(name: str, tolerance: Tolerance) -> str:
    line = f"{name} = {_tolerance(tolerance)}"
    return line if tolerance.by_technology else f"{line:<34}# {law_text(tolerance)}"


def _tolerance(tolerance: Tolerance) -> str:
    plain = json.dumps(_percent(tolerance.tolerance))
    scale = [f'scale = "{tolerance.scale}"'] if tolerance.scale != "none" else []
    if tolerance.by_technology:
        device = [f"device = {json.dumps(tolerance.device)}"] if tolerance.device else []
        size = [f"area = {json.dumps(_area(tolerance.area))}"] if tolerance.area is not None else []
        width = [f"width = {json.dumps(_width(tolerance.width))}"] if tolerance.width is not None else []
        return f"{{ {', '.join(device + size + width + scale)} }}"
    if tolerance.distribution == "gauss3" and not tolerance.lot and not scale:
        return plain
    lot = [f"lot = {json.dumps(_percent(tolerance.lot))}"] if tolerance.lot else []
    parts = [f"tolerance = {plain}", f'distribution = "{tolerance.distribution}"', *lot, *scale]
    return f"{{ {', '.join(parts)} }}"


def _area(value: float) -> str | float:
    text = f"{value / _UM2:.10g} um2"
    return text if area(text) == value else value


def _width(value: float) -> str | float:
    text = f"{value / 1e-6:.10g} um"
    return text if length(text) == value else value


def _list(patterns: tuple[str, ...]) -> str:
    return json.dumps(list(patterns), ensure_ascii=False)


def _groups(design: Design) -> list[list[str]]:
    return [_group(group) for group in design.groups]


def _group(group: Group) -> list[str]:
    return [
        "[[mismatch.group]]",
        f"components = {_list(group.components)}",
        _line("correlation", group.correlation, "of any two of them"),
    ]


def _drift(design: Design) -> list[str]:
    return (
        ["[drift]", *(f"{name} = {_coefficients(d)}" for name, d in design.drift.items())]
        if design.drift
        else []
    )


def _coefficients(drift: Drift) -> str:
    return f"{{ tc1 = {drift.tc1!r}, tc2 = {drift.tc2!r} }}"


def _spec(design: Design) -> list[str]:
    if design.nrmse is None:
        return []
    lines = ["[spec]", _line("nrmse", _percent(design.nrmse), "largest window error, a fraction of rms(u)")]
    if design.wanted_yield is not None:
        lines.append(_line("yield", _percent(design.wanted_yield), "circuits that must keep it"))
    return lines
