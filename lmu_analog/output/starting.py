"""A first design file, from a few figures or from a recording."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lmu_analog.building import build, mapped
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Mosfet, Transconductor
from lmu_analog.circuits.devices.tolerance import CLASSES
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.design import Design
from lmu_analog.ensembles.orders import order_within
from lmu_analog.errors import DesignError
from lmu_analog.files_in import real
from lmu_analog.files_out import write_text
from lmu_analog.output import to_try
from lmu_analog.output.design_text import commented
from lmu_analog.recording import WAV_SUFFIXES, read
from lmu_analog.stimulus import occupied_bandwidth

_OCCUPIED = 0.999  # of a recording's power lies below its bandwidth: the rest is an error of 3 %
FIRST_ORDER = 6
_PROBED = 3  # order of the circuit that shows which parts a family has
_FIRST_TOLERANCE = "1 %"  # of every class but op-amps that the circuit has
_FIRST_LIMIT = "10 %"


def new_design(
    asked: dict[str, object],
    path: Path | str,
    *,
    recording: Path | str | None = None,
    column: str | None = None,
    channel: int | None = None,
    tolerances: Mapping[str, object] | None = None,
    notify: Callable[[str], None] | None = None,
) -> Design:
    """Write a commented design file: of the keys that are not asked for only those that mean something for the family.

    With a limit and a band but no order, and with a limit and an error, the order is chosen so that truncation and
    parts together keep the limit (``order_within``).

    Parameters
    ----------
    asked : dict
        Fields of the design that are given.
    path : Path
        File to write; it must not exist.
    recording : Path, optional
        A recording that becomes the signal; its occupied bandwidth and peak are measured unless given.
        The amplitude of a WAV stays what its full scale means.
    column, channel : str, int, optional
        What of a recording with several channels.
    tolerances : dict, optional
        Of single mismatch classes, in place of 1 %.
    notify : callable, optional
        Hears in a line what the chosen order reaches, and where that is not the limit, what to try.

    Raises
    ------
    DesignError
        If a figure is wrong, or the file exists or cannot be written.
    """
    recording = None if recording is None else Path(recording)
    path = Path(path)
    if path.exists():
        raise DesignError(f"{path} exists; give another name, or remove it first")
    if recording is None and (column, channel) != (None, None):
        raise DesignError("column= and channel= choose from input=, and there is none; give it")
    if "error" in asked and "order" in asked:
        raise DesignError("both order= and error= are given; the error chooses the order, give one of them")
    fields = {"nrmse": _FIRST_LIMIT, **asked}
    if asked.get("values", "exact") != "exact":
        fields = {"values_fit": "joint", **fields}
    if recording is not None:
        fields = {**_heard(recording, asked, column=column, channel=channel), **fields}
    by_limit = "nrmse" in asked and "order" not in fields and "bandwidth" in fields
    order = 1 if by_limit else FIRST_ORDER
    design = Design(**({} if "error" in fields else {"order": order}) | fields)  # type: ignore[arg-type]
    if FAMILIES[design.family].on_chip and "values" in asked:
        raise DesignError(f"values=: {design.family} circuits are made on a chip and have no standard values")
    circuit = mapped(design.replace(order=min(design.order, _PROBED)))
    design = design.replace(mismatch=_first_mismatch(design, circuit, asked, tolerances or {}))
    if by_limit:
        design = _within_limit(design, notify or str)
    if "bandwidth" not in fields:  # chosen by the order: three digits are enough for people
        design = design.replace(bandwidth=float(f"{design.bandwidth:.3g}"))
    if recording is not None and real(recording).parent != real(path).parent:
        raise DesignError(f"{recording} must lie in the folder of {path}, which names it; copy it there")
    without = set(_without_effect(design.replace(order=min(design.order, _PROBED))))
    _tell(without & set(asked), design.family, notify or str)
    write_text(path, commented(design, without=without - set(asked)))
    return design


def _tell(without_effect: set[str], family: str, notify: Callable[[str], object]) -> None:
    """Say which keys were asked for and change nothing."""
    for key in sorted(without_effect):
        notify(f"{key}: no part of this {family} circuit takes it")


def _within_limit(design: Design, notify: Callable[[str], object]) -> Design:
    """Choose the order that keeps the limit, and say what it reaches; what to try, where none does."""
    reached = order_within(design, least=design.order)
    design = design.with_order(reached)
    notify(f"order {reached.order}: {reached.text}")
    if not reached.met:
        for line in to_try.lines(to_try.relax(design, fails=True)):
            notify(line)
    return design


def _heard(
    recording: Path, asked: Mapping[str, object], *, column: str | None, channel: int | None
) -> dict[str, object]:
    """Measure what of the signal is not asked for."""
    amplitude = float(Design(order=1).amplitude)
    heard = read(recording, amplitude=amplitude, column=column, channel=channel)
    band = occupied_bandwidth(heard, _OCCUPIED)
    if not band and asked.get("bandwidth") is None:
        raise DesignError(f"{recording} is constant, so it has no bandwidth; give bandwidth=")
    peak = amplitude if recording.suffix.lower() in WAV_SUFFIXES else heard.peak
    return {"file": recording, "amplitude": peak, "bandwidth": band, "column": column, "channel": channel}


def _first_mismatch(
    design: Design, circuit: Circuit, asked: Mapping[str, object], tolerances: Mapping[str, object]
) -> Mapping[str, object]:
    """Give every class of parts that the circuit has its tolerance."""
    if "mismatch" in asked:
        return {**design.mismatch, **tolerances}
    has = {kind for parameter in circuit.parameters for kind in parameter.classes}
    if unknown := sorted(set(tolerances) - has):
        there = ", ".join(kind for kind in CLASSES if kind in has)
        raise DesignError(f"{unknown[0]}=: a {design.family} circuit has none; its parts are {there}")
    usual = {kind: _FIRST_TOLERANCE for kind in CLASSES if kind in has and kind != "opamp"}
    return {**usual, **tolerances}


def _without_effect(design: Design) -> Iterator[str]:
    """Name the keys that change nothing in such a circuit."""
    circuit = build(design)  # all of it: a reference has op-amps where the memory has none
    if not circuit.amplifiers:
        yield "opamp"
        if not circuit.only(Transconductor, Mosfet):
            yield "supply"
    if circuit == build(design.replace(headroom=0.5 * (1.0 - design.headroom))):
        yield "headroom"
