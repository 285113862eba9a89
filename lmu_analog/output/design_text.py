"""A design written back as a commented design file."""

import json

from lmu_analog.circuits.families import FAMILIES
from lmu_analog.circuits.tolerance import Tolerance
from lmu_analog.design import Design
from lmu_analog.units import PREFIXES, write


def commented(design: Design) -> str:
    """Write a design file that ``Design.load`` reads back as the same design.

    A recording is named without its folder: it belongs beside the file.
    """
    tables = [_memory(design), _signal(design), _circuit(design), _mismatch(design), _spec(design)]
    return "\n\n".join("\n".join(table) for table in tables if table) + "\n"


def _line(key: str, value: str | float, comment: str) -> str:
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    return f"{f'{key} = {text}':<34}# {comment}"


def _exact(value: float, unit: str) -> str | float:
    """Write with a unit where that reads back as the same number, else the bare SI number."""
    text = write(value, unit)
    mantissa, _, suffix = text.partition(" ")
    power = PREFIXES.get(suffix.removesuffix(unit))
    return text if power is not None and float(f"{mantissa}e{power}") == value else value


def _percent(value: float) -> str | float:
    text = f"{100.0 * value:.10g}"
    return f"{text} %" if float(f"{text}e-2") == value else value


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


def _signal(design: Design) -> list[str]:
    lines = [
        "[signal]",
        _line("bandwidth", _exact(design.bandwidth, "Hz"), "highest input frequency"),
        _line("amplitude", _exact(design.amplitude, "V"), "peak"),
        _line("kind", design.signal, "multitone, sine, noise, step or chirp"),
    ]
    if design.tones:
        lines.append(f"tones = {json.dumps([list(tone) for tone in design.tones])}")
    if design.file:
        lines.append(_line("file", design.file.name, "a recording, CSV or WAV, beside this file"))
    return lines


def _circuit(design: Design) -> list[str]:
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
    lines.append(_line("supply", _exact(design.supply, "V"), "+- this"))
    lines.append(_line("headroom", _percent(design.headroom), "of the supply, kept free at the worst sine"))
    if design.tau is not None:
        lines.append(_line("tau", _exact(design.tau, "s"), "synapses of principle3"))
    if design.level != "behavioural":
        lines.append(_line("level", design.level, "behavioural or transistor"))
    if design.variant:
        lines.append(_line("variant", design.variant, "gyrator"))
    if opamp is None:
        lines += ["", "[circuit.opamp]", *(f"{k} = {json.dumps(v)}" for k, v in dict(design.opamp).items())]
    return lines


def _mismatch(design: Design) -> list[str]:
    if not design.mismatch:
        return []
    return ["[mismatch]", *(f"{name} = {_tolerance(t)}" for name, t in design.mismatch.items())]


def _tolerance(tolerance: Tolerance) -> str:
    plain = json.dumps(_percent(tolerance.tolerance))
    if tolerance.distribution == "gauss3" and not tolerance.lot:
        return plain
    lot = f", lot = {json.dumps(_percent(tolerance.lot))}" if tolerance.lot else ""
    return f'{{ tolerance = {plain}, distribution = "{tolerance.distribution}"{lot} }}'


def _spec(design: Design) -> list[str]:
    if design.nrmse is None:
        return []
    return ["[spec]", _line("nrmse", _percent(design.nrmse), "largest window error, a fraction of rms(u)")]
