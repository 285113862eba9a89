"""What the designer asks for: a memory and its signal, limits, and what may be used to meet them."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, cast, get_args

from lmu_analog.circuits.devices.packages import form_of
from lmu_analog.circuits.devices.parts import catalogue
from lmu_analog.circuits.devices.passives import passives
from lmu_analog.circuits.devices.prices import Price, priced, read_prices
from lmu_analog.circuits.devices.technology import technology
from lmu_analog.circuits.devices.tolerance import DISTRIBUTIONS, LARGEST_AREA, LEAST_AREA
from lmu_analog.circuits.devices.values import SERIES, members_between
from lmu_analog.circuits.families.registry import FAMILIES
from lmu_analog.codesign.spectrum import tones_like
from lmu_analog.design import Design
from lmu_analog.design_keys import KEYS, labelled
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_toml
from lmu_analog.memory.legendre import HIGHEST_ORDER, smallest_order
from lmu_analog.networks.network import LMULayer
from lmu_analog.networks.task import NetworkTask, read_task
from lmu_analog.units import area, parse, share, temperature, tolerance

Objective = Literal["cost", "power", "parts", "area", "p95"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
Calibration = Literal["none", "nominal", "each"]
CALIBRATIONS: tuple[Calibration, ...] = get_args(Calibration)
USUAL_YIELD = 0.95
USUAL_BANDWIDTH = 0.2  # tolerance of op-amps' gain-bandwidth products, which data sheets hardly state
MORE_ORDERS = 3  # beyond the smallest that truncation allows
FEWER_ORDERS = 2  # below it, where a readout may be fitted
BOARD = ("active-rc", "active-rc-differential")  # families that a search takes unless told otherwise
CHIP = ("gm-c",)  # families on a chip that can be searched
Sizing = Literal["equal", "units"]
SIZINGS: tuple[Sizing, ...] = get_args(Sizing)
USUAL_AREAS = ("E12", 1e-12, 1e-8)  # m^2: series and ends of the transistors' areas unless they are given
USUAL_CAPACITANCES = ("E24", 1e-13, 1e-10)  # F: the same of capacitors
MOST_TEMPERATURES = 8
_NAMED = 24  # words that an error lists
WANTED = "a requirement (lmu-analog optimize --example -o requirement.toml writes one)"
_OF_A_DESIGN = {
    "memory": ("theta",),
    "signal": ("bandwidth", "amplitude", "kind", "tones", "file", "column", "channel"),
    "conditions": ("supply", "reference", "headroom"),
}
_OF_A_CIRCUIT = {  # where a requirement has what stands in [circuit] of a design
    "conditions": {name: name for name in _OF_A_DESIGN["conditions"]},
    "allow": {name: name for name in ("taps", "technology", "transconductor")} | {"own_parts": "parts"},
}
_NEEDS = ("nrmse", "task", "loss", "tap_nrmse", "yield", "power", "cost", "parts", "area", "snr")
_ALLOWED = (
    "orders", "families", "realizations", "opamps", "own_parts", "resistor", "capacitor", "values", "calibration",
    "distribution", "taps", "technology", "transconductor_area", "capacitance", "sizing", "linear_range",
    "transconductor", "tuned",
)  # fmt: skip
_OF_A_BOARD = ("opamps", "own_parts", "resistor", "capacitor", "values", "distribution")
_OF_A_CHIP = ("transconductor_area", "capacitance", "sizing", "linear_range", "transconductor", "tuned")


@dataclass(frozen=True)
class Need:
    """Limits that every circuit of an answer keeps; None where the designer does not mind.

    Attributes
    ----------
    nrmse : float or None
        Largest window NRMSE, a fraction of rms(u), of the share ``good`` of all circuits; with a network as the task
        the root of the largest loss, as its law is that of a mean square error.
    tap_nrmse : float or None
        The same of every tap.
    good : float
        That share.
    power : float or None, W
    cost : float or None
        In the currency of the prices.
    parts : int or None
        R, C and packages of amplifiers.
    area : float or None, m^2
    snr : float or None, dB
        Least ratio of a full-scale sine to the noise in the band.
    """

    nrmse: float | None = None
    tap_nrmse: float | None = None
    good: float = USUAL_YIELD
    power: float | None = None
    cost: float | None = None
    parts: int | None = None
    area: float | None = None
    snr: float | None = None


@dataclass(frozen=True)
class Chip:
    """What a circuit on a chip may be made of.

    Attributes
    ----------
    capacitance : tuple of float, F
        Impedance levels, rising.
    transconductor_area : tuple of float, m^2
        Of one transistor, rising: how much a transconductor deviates.
    sizing : tuple of Sizing
        ``equal``: all transconductors have that area; ``units``: the smallest has, and one of n times its value is n of
        them in parallel.
    linear_range : tuple of float or None, V
        Input ranges of the transconductors; None is that of ``transconductor``.
    transconductor : dict
        Figures of the transconductors, as in a design; ideal where it is empty.
    tuned : bool
        Whether something outside the circuit takes away what all of its capacitors, and all of its transconductors,
        deviate by in common: a loop that holds a time constant against a clock. It is not counted.
    """

    capacitance: tuple[float, ...]
    transconductor_area: tuple[float, ...]
    sizing: tuple[Sizing, ...]
    linear_range: tuple[float | None, ...]
    transconductor: Mapping[str, object]
    tuned: bool


@dataclass(frozen=True)
class Allow:
    """What a circuit may be made of: all combinations are searched.

    Attributes
    ----------
    orders : tuple of int
    pairs : tuple of (family, realization)
    opamps : tuple of str
        Part numbers, each for the families that can use it.
    resistor, capacitor : tuple of float
        Tolerances, fractions, the widest first.
    values : tuple of str
        Series of the resistors.
    calibration : tuple of Calibration
        Whether the readout is the ideal memory's, one fitted to the nominal circuit, or one fitted to each circuit.
    distribution : str
        Law of the tolerances.
    chip : Chip or None
        In place of op-amps, tolerances and series where circuits are on a chip.
    """

    orders: tuple[int, ...]
    pairs: tuple[tuple[str, str], ...]
    opamps: tuple[str, ...]
    resistor: tuple[float, ...]
    capacitor: tuple[float, ...]
    values: tuple[str, ...]
    calibration: tuple[Calibration, ...]
    distribution: str
    chip: Chip | None = None


@dataclass(frozen=True)
class Requirement:
    """A requirement, read and checked.

    Attributes
    ----------
    base : Design
        What all candidates share: window, signal, supply, taps, limits.
    need : Need
    allow : Allow
    minimise : Objective
        What the winner has least of.
    bandwidth : float
        Tolerance of the op-amps' gain-bandwidth products; random offsets are those of their data sheets.
    temperatures : tuple of float, K
        The worst of them counts; empty where only that at which values are nominal does.
    prices : dict or None
        From ``read_prices``; None where the middles of price classes are taken, which are from memory.
    recorded : Design or None
        ``base`` with the recording that is the signal; ``base`` then has tones with its spectrum.
    task : NetworkTask or None
        The network whose loss counts in place of the window error.
    files : tuple of Path
        That the requirement names, and that its answer depends on.
    """

    base: Design
    need: Need
    allow: Allow
    minimise: Objective = "cost"
    bandwidth: float = USUAL_BANDWIDTH
    temperatures: tuple[float, ...] = ()
    prices: dict[str, Price] | None = field(default=None)
    recorded: Design | None = None
    task: NetworkTask | None = None
    files: tuple[Path, ...] = ()

    def with_signal(self, design: Design) -> Design:
        """Give a candidate with the signal that was asked for, where the law takes tones in place of a recording."""
        if self.recorded is None:
            return design
        of = self.recorded
        # Its values are those of the recording's scale: the tones have the same peak.
        return design.replace(
            tones=None,
            bandwidth=design.bandwidth,
            file=of.file,
            column=of.column,
            channel=of.channel,
            element_values=design.element_values,
            output_levels=design.output_levels,
        )


def read_requirement(path: Path | str) -> Requirement:
    """Read a requirement (TOML).

    Raises
    ------
    DesignError
        If the file is missing or malformed, a table or key is unknown, a value is wrong, nothing is allowed, or limits
        contradict each other; one line that names the key.
    """
    path = Path(path)
    tables = read_toml(path, wanted=WANTED)
    return labelled(str(path), requirement_of, tables, path.parent)


def requirement_of(tables: Mapping[str, Any], folder: Path) -> Requirement:
    """Make a requirement of the tables of its file; other files that it names are found in a folder.

    Raises
    ------
    DesignError
        As ``read_requirement``.
    """
    _known("table", tables, ("memory", "signal", "need", "conditions", "allow", "prefer", "drift", "prices"))
    plain = {name: content for name, content in tables.items() if name != "prices"}
    for name, content in plain.items():
        if not isinstance(content, dict):
            raise DesignError(f"[{name}] must be a table, not {shown(content)}")
    needed = tables.get("need", {})
    need = _need(needed)
    task = labelled("[need] task", _task, needed, folder)
    allow = tables.get("allow", {})
    _known("key of [allow]", allow, _ALLOWED)
    base = _base(tables, allow, need, folder)
    recorded = base if base.file is not None else None
    if recorded is not None:
        base = labelled("[signal] file", _in_tones, recorded)
    if task is not None and "orders" not in allow:
        allow = {**allow, "orders": [_order_of(task)]}
    allowed = _allow(allow, base, need)
    if task is not None and (allowed.chip is not None or set(allowed.calibration) != {"none"}):
        raise DesignError("[need] task: networks are searched on boards, without a fitted readout")
    prefer = tables.get("prefer", {})
    _known("key of [prefer]", prefer, ("minimise",))
    on_chip = allowed.chip is not None
    minimise = prefer.get("minimise", "area" if on_chip else "cost")
    if minimise not in OBJECTIVES:
        raise DesignError(f"[prefer] minimise: unknown {shown(minimise)}; known are {', '.join(OBJECTIVES)}")
    _check_objectives(need, minimise, on_chip=on_chip)
    conditions = tables.get("conditions", {})
    spread = labelled("[conditions] gbw_tolerance", _spread, conditions.get("gbw_tolerance", USUAL_BANDWIDTH))
    return Requirement(
        base,
        need,
        allowed,
        minimise,
        spread,
        _temperatures(conditions, allowed, base),
        _prices(tables, base, folder),
        recorded,
        task,
        _named(tables, base, recorded, folder),
    )


def _named(
    tables: Mapping[str, Any], base: Design, recorded: Design | None, folder: Path
) -> tuple[Path, ...]:
    """List the files that a requirement names, which were read."""
    beside = (tables.get("prices"), tables.get("need", {}).get("task"))
    of_designs = (base.parts, None if recorded is None else recorded.file)
    return (
        *(folder / name for name in beside if name is not None),
        *(Path(name) for name in of_designs if name is not None),
    )


def _task(needed: Mapping[str, Any], folder: Path) -> NetworkTask | None:
    """Read the network that is the requirement, if one is."""
    if ("task" in needed) != ("loss" in needed):
        raise DesignError("task and loss go together: a network with its data, and the limit of its loss")
    if "task" not in needed:
        return None
    if "nrmse" in needed:
        raise DesignError("give nrmse, or task and loss")
    return read_task(folder / _file_name("", needed["task"]))


def _file_name(key: str, given: object) -> str:
    """Check that a key names a file."""
    if not isinstance(given, str) or not given:
        said = f"the name of a file is wanted, not {shown(given)}"
        raise DesignError(f"{key}: {said}" if key else said)
    return given


def _order_of(task: NetworkTask) -> int:
    """Give the order of a network's memories."""
    return next(layer.order for layer in task.network.layers if isinstance(layer, LMULayer))


def _known(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    if unknown := sorted(set(given) - set(known)):
        raise DesignError(f"unknown {what} {shown(unknown[0])}; known are {', '.join(known)}")


def _need(given: Mapping[str, Any]) -> Need:
    _known("key of [need]", given, _NEEDS)
    readers: dict[str, Callable[[Any], Any]] = {
        "nrmse": KEYS["nrmse"].read,
        "tap_nrmse": KEYS["tap_nrmse"].read,
        "yield": _yield,
        "power": lambda x: _above_zero(parse(x, "W"), "W"),
        "cost": lambda x: _above_zero(_number(x), ""),
        "parts": lambda x: int(_above_zero(math.floor(_above_zero(_number(x), "")), "")),
        "area": lambda x: _above_zero(area(x), "m2"),
        "snr": lambda x: _above_zero(parse(x, "dB") if isinstance(x, str) else _number(x), "dB"),
    }
    readers["loss"] = lambda x: math.sqrt(_above_zero(_number(x), ""))
    found = {
        name: labelled(f"[need] {name}", read, given[name]) for name, read in readers.items() if name in given
    }
    if "loss" in found:
        found["nrmse"] = found.pop("loss")
    good = found.pop("yield", USUAL_YIELD)
    return Need(good=good, **cast("Any", found))


def _check_objectives(need: Need, minimise: Objective, *, on_chip: bool) -> None:
    """Refuse what only circuits of the other kind have: a price, or an area."""
    other, why = (
        ("cost", "nothing on a chip is bought by the piece; limit its area")
        if on_chip
        else ("area", "that of circuits on a chip alone; give [allow] families = ['gm-c'] and a technology")
    )
    if getattr(need, other) is not None:
        raise DesignError(f"[need] {other}: {why}")
    if minimise == other:
        raise DesignError(f"[prefer] minimise: {other}: {why}")


def _yield(given: object) -> float:
    good = share(given)
    if not 0.5 <= good < 1.0:
        raise DesignError(f"{100 * good:g} % is outside 50 to below 100 %")
    return good


def _spread(given: object) -> float:
    found = tolerance(given)
    if not 0.0 <= found < 1.0:
        raise DesignError(f"{100 * found:g} % is outside 0 to below 100 %")
    return found


def _number(given: object) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise DesignError(f"a number is wanted, not {shown(given)}")
    return float(given)


def _above_zero(value: float, unit: str) -> float:
    if not 0.0 < value < math.inf:
        raise DesignError(f"{value:g} {unit}".rstrip() + " is no limit that anything keeps; give more")
    return value


def _base(tables: Mapping[str, Any], allow: Mapping[str, Any], need: Need, folder: Path) -> Design:
    """Make the design that all candidates are changes of: its order and circuit are the smallest of all."""
    given: dict[str, Any] = {}
    fields = {(key.table, key.name): name for name, key in KEYS.items()}
    extra = {"conditions": ("temperature", "gbw_tolerance")}
    for table, names in _OF_A_DESIGN.items():
        content = tables.get(table, {})
        _known(f"key of [{table}]", content, (*names, *extra.get(table, ())))
        at = "circuit" if table == "conditions" else table
        given |= {fields[at, name]: value for name, value in content.items() if name in names}
    if "theta" not in given:
        raise DesignError("[memory] theta is missing: the length of the window, for example theta = '20 ms'")
    if not {"bandwidth", "tones", "file"} & set(given):
        raise DesignError("[signal] bandwidth is missing: the highest frequency of the input")
    if isinstance(given.get("file"), str):
        given["file"] = folder / given["file"]
    if "drift" in tables:
        given["drift"] = tables["drift"]
    if "own_parts" in allow:
        given["parts"] = folder / _file_name("[allow] own_parts", allow["own_parts"])
    given |= {name: allow[name] for name in ("taps", "technology") if name in allow}
    limits = {"nrmse": None if "task" in tables.get("need", {}) else need.nrmse, "tap_nrmse": need.tap_nrmse}
    if need.tap_nrmse is not None and "taps" not in given:
        raise DesignError("[need] tap_nrmse: of which taps? give [allow] taps, for example taps = [1.0]")
    # A design's yield is that of its window error; circuits keep limits of taps in the search alone.
    wanted = need.good if limits["nrmse"] is not None else None
    given |= {name: limit for name, limit in limits.items() if limit is not None}
    return _named_as_asked(lambda: Design(order=1, wanted_yield=wanted, **given))


def _named_as_asked(make: Callable[[], Design]) -> Design:
    """Make a design; what it complains about is named by the key of the requirement that has it."""
    try:
        return make()
    except DesignError as error:
        text = str(error)
        for table, names in _OF_A_CIRCUIT.items():
            for asked, name in names.items():
                text = text.replace(f"[circuit] {name}:", f"[{table}] {asked}:")
        raise DesignError(text) from None


def _in_tones(recorded: Design) -> Design:
    """Give the design with tones in place of its recording."""
    given = {"tones": tones_like(recorded), "bandwidth": recorded.bandwidth}
    return recorded.replace(file=None, **given)


def _temperatures(conditions: Mapping[str, Any], allow: Allow, base: Design) -> tuple[float, ...]:
    if "temperature" not in conditions:
        return ()
    given = conditions["temperature"]
    given = given if isinstance(given, list) else [given]
    if not 1 <= len(given) <= MOST_TEMPERATURES:
        raise DesignError(f"[conditions] temperature: 1 to {MOST_TEMPERATURES} of them, please")
    found = tuple(
        labelled("[conditions] temperature", lambda x: KEYS["temperature"].read(temperature(x)), x)
        for x in given
    )
    if not (base.technology or base.drift):
        raise DesignError(
            "[conditions] temperature: how parts drift is missing; give a table [drift], for example "
            "resistor = '50 ppm', or [allow] technology"
        )
    if set(allow.calibration) != {"none"}:
        raise DesignError(
            "[conditions] temperature: what a fitted readout does at another temperature is not known; leave out the "
            "temperature, or [allow] calibration"
        )
    # A design says what else a temperature needs: every coefficient.
    labelled("[conditions] temperature", lambda: base.replace(temperature=found[0]))
    return tuple(dict.fromkeys(found))


def _allow(given: Mapping[str, Any], base: Design, need: Need) -> Allow:
    families = _families(given)
    wanted = _words(given, "realizations", (), tuple(r for f in families for r in FAMILIES[f].realizations))
    # Once states are scaled to the rails, orthonormal coordinates are the circuit of Legendre's.
    usual = tuple(r for f in families for r in FAMILIES[f].realizations if r != "orthonormal")
    pairs = tuple((f, r) for f in families for r in FAMILIES[f].realizations if r in (wanted or usual))
    calibration = cast("tuple[Calibration, ...]", _words(given, "calibration", ("none",), CALIBRATIONS))
    orders = _orders(given, base, need, fitted=set(calibration) != {"none"})
    if families[0] in CHIP:
        return Allow(orders, pairs, (), (), (), (), calibration, "gauss3", _chip(given, base, pairs))
    known = {**catalogue(), **base.own_parts}
    usable = tuple(
        name
        for name in known
        if _fits_supply(known[name], base.rail) and any(usable_with(f, name, base) for f in families)
    )
    opamps = _words(given, "opamps", usable, tuple(known))
    if not opamps:
        raise DesignError(f"[allow] opamps: none is made for +-{base.rail:g} V; give [conditions] supply")
    if "opamps" in given:
        for name in opamps:
            if not _fits_supply(known[name], base.rail):
                raise DesignError(f"[allow] opamps: {name} is not made for +-{base.rail:g} V")
    if not any(usable_with(f, name, base) for f in families for name in opamps):
        raise DesignError(f"[allow] opamps: none of them suits {' or '.join(families)}")
    series = tuple(name for name in SERIES if name != "exact")
    distribution = given.get("distribution", "gauss3")
    if distribution not in DISTRIBUTIONS:
        raise DesignError(
            f"[allow] distribution: unknown {shown(distribution)}; known are {', '.join(DISTRIBUTIONS)}"
        )
    return Allow(
        orders,
        pairs,
        opamps,
        _tolerances(given, "resistor"),
        _tolerances(given, "capacitor"),
        _words(given, "values", ("E24", "E96"), series),
        calibration,
        distribution,
    )


def _families(given: Mapping[str, Any]) -> tuple[str, ...]:
    """Read the families, all on a board or all on a chip, and refuse keys of the other kind."""
    families = _words(given, "families", BOARD, tuple(FAMILIES))
    if wrong := [name for name in families if name not in (*BOARD, *CHIP)]:
        raise DesignError(f"[allow] families: {wrong[0]} is not searched; {', '.join((*BOARD, *CHIP))} are")
    if len({name in CHIP for name in families}) > 1:
        raise DesignError(
            f"[allow] families: {' and '.join(families)}: some are on a board and some on a chip, and nothing says "
            "which costs more; write a requirement for each"
        )
    kind, others = ("chip", _OF_A_BOARD) if families[0] in CHIP else ("board", _OF_A_CHIP)
    if wrong := [name for name in others if name in given]:
        raise DesignError(f"[allow] {wrong[0]}: {families[0]} is on a {kind} and has none; leave it out")
    return families


def _chip(given: Mapping[str, Any], base: Design, pairs: tuple[tuple[str, str], ...]) -> Chip:
    if base.technology is None:
        raise DesignError(
            "[allow] technology is missing: what the chip is made in, for example technology = 'cmos-180'"
        )
    figures = given.get("transconductor", {})
    if not isinstance(figures, dict):
        raise DesignError(f"[allow] transconductor: a table of figures is wanted, not {shown(figures)}")
    tuned = given.get("tuned", False)
    if not isinstance(tuned, bool):
        raise DesignError(f"[allow] tuned: true or false is wanted, not {shown(tuned)}")
    chip = Chip(
        _rising(given, "capacitance", USUAL_CAPACITANCES, KEYS["capacitance"].read),
        _rising(given, "transconductor_area", USUAL_AREAS, _device_area),
        cast("tuple[Sizing, ...]", _words(given, "sizing", SIZINGS, SIZINGS)),
        _rising(given, "linear_range", None, lambda x: _above_zero(parse(x, "V"), "V")) or (None,),
        figures,
        tuned,
    )
    of = technology(base.technology)
    if of.device("capacitor").density is None:
        raise DesignError(f"[allow] technology: the capacitance of an area in {of.name} is not known")
    family, realization = pairs[0]
    # What a family takes of all that candidates share, the figures, and the least area, whose matching is the worst.
    changes = {
        "family": family,
        "realization": realization,
        "transconductor": figures or None,
        "mismatch": {"transconductor": {"area": chip.transconductor_area[0]}},
    }
    _named_as_asked(lambda: base.replace(**changes))
    return chip


def _rising(
    given: Mapping[str, Any],
    name: str,
    usual: tuple[str, float, float] | None,
    read: Callable[[Any], float],
) -> tuple[float, ...]:
    """Read a list of quantities, rising; unless given the members of a series between two ends."""
    if name not in given:
        return () if usual is None else tuple(float(x) for x in members_between(*usual))
    return tuple(sorted({labelled(f"[allow] {name}", read, x) for x in _list(given, name, ())}))


def _device_area(given: object) -> float:
    found = area(given)
    if not LEAST_AREA <= found <= LARGEST_AREA:
        raise DesignError(f"{found:g} m^2 is outside {LEAST_AREA:g} to {LARGEST_AREA:g} m^2")
    return found


def _fits_supply(figures: Mapping[str, object], rail: float) -> bool:
    low, high = cast("tuple[float, float]", figures.get("supply", (0.0, math.inf)))
    return low <= 2.0 * rail <= high


def _orders(given: Mapping[str, Any], base: Design, need: Need, *, fitted: bool) -> tuple[int, ...]:
    if "orders" in given:
        found = [labelled("[allow] orders", KEYS["order"].read, x) for x in _list(given, "orders", ())]
        return tuple(sorted(set(found)))
    limit = need.nrmse or need.tap_nrmse
    if limit is None:
        raise DesignError("[need] nrmse is missing: give it, or say which orders to search in [allow] orders")
    least = labelled("[need] nrmse", smallest_order, limit, base.bandwidth * base.theta)
    first = max(1, least - FEWER_ORDERS) if fitted else least
    return tuple(range(first, min(least + MORE_ORDERS, HIGHEST_ORDER) + 1))


def _tolerances(given: Mapping[str, Any], kind: str) -> tuple[float, ...]:
    sold = {c.tolerance for s in passives().values() if s.kind == kind and s.linear for c in s.classes}
    found = [labelled(f"[allow] {kind}", tolerance, x) for x in _list(given, kind, tuple(sold))]
    if not all(0.0 < x < 1.0 for x in found):
        raise DesignError(f"[allow] {kind}: tolerances lie between 0 and 100 %")
    return tuple(sorted(set(found), reverse=True))


def _list(given: Mapping[str, Any], name: str, usual: tuple[Any, ...]) -> tuple[Any, ...]:
    found = given.get(name, usual)
    found = tuple(found) if isinstance(found, list | tuple) else (found,)
    if name in given and not found:
        raise DesignError(f"[allow] {name}: an empty list allows nothing; leave it out, or name some")
    return found


def _known_words(word: object, known: tuple[str, ...]) -> str:
    """Name what is known: all of a few, and of many those that are near."""
    words = list(dict.fromkeys(known))
    if len(words) <= _NAMED:
        return f"known are {', '.join(words)}"
    near = get_close_matches(str(word).upper(), words, n=5, cutoff=0.5)
    return (
        f"near are {', '.join(near)}"
        if near
        else f"one of {len(words)} that lmu-analog parts lists is wanted"
    )


def _words(
    given: Mapping[str, Any], name: str, usual: tuple[str, ...], known: tuple[str, ...]
) -> tuple[str, ...]:
    found = _list(given, name, usual)
    for word in found:
        if word not in known:
            raise DesignError(f"[allow] {name}: unknown {shown(word)}; {_known_words(word, known)}")
    return tuple(dict.fromkeys(found))


def _prices(tables: Mapping[str, Any], base: Design, folder: Path) -> dict[str, Price] | None:
    if "prices" not in tables:
        return None
    found = labelled("prices", read_prices, folder / _file_name("prices", tables["prices"]))
    return priced(found, (*catalogue(), *base.own_parts))


def usable_with(family: str, part: str, base: Design) -> bool:
    """Tell whether a family can use an op-amp: fully differential circuits need two outputs."""
    form = form_of(part, base.own_parts)
    return form.differential is None or form.differential == (family == "active-rc-differential")
