"""A design written back as a commented design file."""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from lmu_analog.circuits.devices.technology import technologies
from lmu_analog.circuits.devices.tolerance import Tolerance, law_text
from lmu_analog.circuits.devices.values import SERIES
from lmu_analog.circuits.element_values import UNITS
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.circuits.interface import InputBuffer, Load
from lmu_analog.circuits.scaling import SCALINGS
from lmu_analog.design import Design
from lmu_analog.design_keys import BIASES, READOUTS
from lmu_analog.memory.taps import Tap
from lmu_analog.units import area, fraction, length, parse, write

# Settings that are one of a few words: what is left out, and what the line says.
_CHOICES = (
    ("reference", "ground", "ground, or mid of a single supply"),
    ("scaling", "peak", ", ".join(SCALINGS)),
    ("predistort", "none", "none or gbw"),
    ("values", "exact", f"exact, {', '.join(SERIES)}"),
    ("values_fit", "common", "common, or joint: roundings chosen together"),
    ("level", "behavioural", "behavioural or transistor"),
    ("variant", "", "gyrator or no-derivative"),
    ("technology", None, ", ".join(technologies())),
    ("bias", "ideal", ", ".join(BIASES)),
)
# Quantities that may be left out: unit, and what the line says.
_QUANTITIES = (
    ("tau", "s", "synapses of principle3"),
    ("second_tau", "s", "second pole of principle3-two-pole"),
    ("clock", "Hz", "of switched capacitors"),
    ("temperature", "K", "of all parts"),
    ("leakage", "s", "insulation resistance of capacitors times their capacitance"),
)
_UM, _UM2 = 1e-6, 1e-12


def commented(
    design: Design,
    names: Mapping[str, str] | None = None,
    *,
    without: Collection[str] = (),
) -> str:
    """Write a design file that ``Design.load`` reads back as the same design.

    Parameters
    ----------
    design : Design
    names : dict, optional
        Of "file", "parts" and "model" as the text shall name them, from its own folder. Unless given they are named
        without their folders: they belong beside the file.
    without : collection of str, optional
        Of "opamp", "supply" and "headroom" those to leave out; they must have their usual values.
    """
    model = design.opamp.get("model") if isinstance(design.opamp, dict) else None
    given = {"file": design.file, "parts": design.parts, "model": None if model is None else Path(str(model))}
    named = {key: path.name for key, path in given.items() if path is not None} | dict(names or {})
    circuit = [line for line in _circuit(design, named) if line.partition(" =")[0] not in without]
    tables = [_memory(design), _signal(design, named), circuit, _mismatch(design)]
    tables += [
        [
            "[[mismatch.group]]",
            f"components = {_list(group.components)}",
            _line("correlation", group.correlation, "of any two of them"),
        ]
        for group in design.groups
    ]
    tables += [
        [
            "[[mismatch.part]]",
            f"components = {_list(part.components)}",
            _line("tolerance", _percent(part.tolerance), "in place of that of the class"),
        ]
        for part in design.part_tolerances
    ]
    if design.drift:
        drifts = (f"{name} = {{ tc1 = {d.tc1!r}, tc2 = {d.tc2!r} }}" for name, d in design.drift.items())
        tables.append(["[drift]", *drifts])
    limits = (
        ("nrmse", design.nrmse, "largest window error, a fraction of rms(u)"),
        ("yield", design.wanted_yield, "circuits that must keep it"),
        ("tap_nrmse", design.tap_nrmse, "largest error of a tap, a fraction of rms(u)"),
    )
    if spec := [_line(name, _percent(x), comment) for name, x, comment in limits if x is not None]:
        tables.append(["[spec]", *spec])
    return "\n\n".join("\n".join(table) for table in tables if table) + "\n"


def _line(key: str, value: str | float, comment: str) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"{f'{key} = {text}':<34}# {comment}"


def _list(patterns: tuple[str, ...]) -> str:
    return json.dumps(list(patterns), ensure_ascii=False)


def _readable(value: float, text: str, read: Callable[[str], float]) -> str | float:
    """Write the text where it reads back as the same number, else the bare SI number."""
    return text if read(text) == value else value


def _exact(value: float, unit: str) -> str | float:
    return _readable(value, write(value, unit), lambda text: parse(text, unit))


def _percent(value: float) -> str | float:
    return _readable(value, f"{100.0 * value:.10g} %", fraction)


def _memory(design: Design) -> list[str]:
    if design.error is None:
        said = 'number of states; or error = "2 %" with a bandwidth: the order is chosen'
        if design.reached is not None:
            said = design.reached.text
        chosen = _line("order", design.order, said)
    else:
        said = f"largest truncation error over the band: order {design.order}"
        chosen = _line("error", _percent(design.error), said)
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
    lines = [
        "[circuit]",
        _line("family", design.family, ", ".join(FAMILIES)),
        _line("realization", design.realization, known),
        '# capacitance = "10 nF"           # sets the impedance level; left out, '
        + ("1 nF" if FAMILIES[design.family].on_chip else "it follows from theta")
        if design.capacitance is None
        else _line("capacitance", _exact(design.capacitance, "F"), "sets the impedance level"),
    ]
    if isinstance(design.opamp, str):
        lines.append(_line("opamp", design.opamp, 'a part, "ideal", or a table of figures'))
    if design.parts is not None:
        lines.append(_line("parts", names["parts"], "op-amps of one's own, beside this file"))
    kept_free = "of the output swing, kept free at the worst sine"
    lines += [
        _line("supply", _exact(design.supply, "V"), "0 to this" if design.runs_from_ground else "+- this"),
        _line("headroom", _percent(design.headroom), kept_free),
    ]
    for name, usual, comment in _CHOICES:
        if (chosen := getattr(design, name)) != usual:
            lines.append(_line(name, chosen, comment))
    if design.pairs is not None:
        joined = "largest error of one value; beyond, two are joined"
        lines.append(_line("pairs", _percent(design.pairs), joined))
    if design.pdk is not None:
        lines.append(_line("pdk", str(design.pdk.absolute()), "folder of its transistor models"))
    for name, unit, comment in _QUANTITIES:
        if (value := getattr(design, name)) is not None:
            lines.append(_line(name, _exact(value, unit), comment))
    lines += _readout(design)
    if design.taps:
        lines.append(f"taps = [{', '.join(map(_tap, design.taps))}]  # delays of outputs, in theta")
    return [*lines, *_interface(design), *_circuit_tables(design, names)]


def _readout(design: Design) -> Iterator[str]:
    if not isinstance(design.readout, str):
        rows = "".join(f"    {list(row)!r},\n" for row in design.readout)
        yield f"readout = [  # of the Legendre states, from those that the circuit shows\n{rows}]"
    elif design.readout != "ideal":
        yield _line("readout", design.readout, f"{', '.join(READOUTS)}, or a matrix: of the states")


def _interface(design: Design) -> Iterator[str]:
    """Write what stands around the memory."""
    if design.input_buffer is not None:
        yield f"input = {_buffer(design.input_buffer)}  # between the source and the memory"
    if design.output_load is not None:
        yield f"load = {_load(design.output_load)}  # of a receiver, at every tap or else state"


def _circuit_tables(design: Design, names: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for name in ("opamp", "transconductor", "crossbar"):
        if isinstance(table := getattr(design, name), dict):
            beside = {key: names["model"] if key == "model" else value for key, value in table.items()}
            lines += ["", f"[circuit.{name}]", *(f"{k} = {json.dumps(v)}" for k, v in beside.items())]
    if design.element_values:
        values = (
            f"{name} = {json.dumps(_exact(x, UNITS[name[0]]))}" for name, x in design.element_values.items()
        )
        lines += ["", "[circuit.element_values]", *values]
    if design.output_levels:
        levels = (f"{json.dumps(net)} = {level!r}" for net, level in design.output_levels.items())
        lines += ["", "[circuit.output_levels]", *levels]
    for output in design.outputs:
        lines += [
            "",
            "[[circuit.output]]",
            f"weights = {list(output.weights or ())!r}",
            f"gain = {output.gain!r}",
        ]
    return lines


def _tap(tap: Tap) -> str:
    if tap.gain == 1.0:
        return repr(tap.r)
    gain = '"native"' if tap.gain is None else repr(tap.gain)
    return f"{{ r = {tap.r!r}, gain = {gain} }}"


def _buffer(buffer: InputBuffer) -> str:
    if buffer.bandwidth is None:
        return '"buffer"'
    told = {"order": str(buffer.order), "bandwidth": json.dumps(_exact(buffer.bandwidth, "Hz"))}
    return _inline({**told, "response": json.dumps(buffer.response)})


def _load(load: Load) -> str:
    parts = {"resistor": (load.resistance, "Ohm"), "capacitor": (load.capacitance, "F")}
    told = {name: json.dumps(_exact(x, unit)) for name, (x, unit) in parts.items() if x is not None}
    return told["resistor"] if list(told) == ["resistor"] else _inline(told)


def _inline(told: Mapping[str, str]) -> str:
    """Write a table on one line."""
    return f"{{ {', '.join(f'{name} = {text}' for name, text in told.items())} }}"


def _mismatch(design: Design) -> list[str]:
    if not (design.mismatch or design.only or design.without):
        return []
    lines = ["[mismatch]"]
    for name, tolerance in design.mismatch.items():
        line = f"{name} = {_tolerance(tolerance)}"
        lines.append(line if tolerance.by_technology else f"{line:<34}# {law_text(tolerance)}")
    chosen = (("only", design.only), ("without", design.without))
    return lines + [f"{word} = {_list(patterns)}" for word, patterns in chosen if patterns]


def _tolerance(given: Tolerance) -> str:
    plain = _percent(given.tolerance)
    figures: dict[str, str | float] = {}
    if given.by_technology:
        if given.device:
            figures["device"] = given.device
        if given.area is not None:
            figures["area"] = _readable(given.area, f"{given.area / _UM2:.10g} um2", area)
        if given.width is not None:
            figures["width"] = _readable(given.width, f"{given.width / _UM:.10g} um", length)
    elif given.distribution == "gauss3" and not given.lot and given.scale == "none":
        return json.dumps(plain)
    else:
        figures = {"tolerance": plain, "distribution": given.distribution}
        if given.lot:
            figures["lot"] = _percent(given.lot)
    if given.scale != "none":
        figures["scale"] = given.scale
    return f"{{ {', '.join(f'{key} = {json.dumps(value)}' for key, value in figures.items())} }}"
