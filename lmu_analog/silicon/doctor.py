"""What the statistics of a process design kit do in ngspice, beside what they say they do.

Every figure is read off the kit's own models: its random draws with a fixed seed, its variables overridden one by one,
its corners. Ours, which ensembles of circuits use, are compared with them.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.pdk import (
    Defect,
    InstalledPdk,
    Pdk,
    PdkDevice,
    ProcessRow,
    Statistics,
    known_defects,
)
from lmu_analog.spice.cards import number
from lmu_analog.spice.commands import run_commands

SEED = 1
DRAWS = 5000
QUICK_DRAWS = 1300  # which tell a sigma to 2 %, no better
SIZES = ((0.9e-6, 0.4e-6), (4e-6, 1.1e-6), (20e-6, 5e-6))  # m: widths and lengths, none at an edge of a bin
MIDDLE = SIZES[1]
PLATE = 20e-6  # m: side of the capacitor
FREQUENCY = 1e6  # Hz at which capacitances are read
SIGMA = 0.02  # a fraction: by how much a sigma may be off
ERRORS = 4.0  # standard errors that a mean may be off
ROUNDING = 1e-6  # a fraction of a current: what is written into a deck has fewer digits than what is computed
_AT_ONCE = 500  # readings of a deck in one process: ngspice's memory grows with each
_TIMEOUT = 600.0  # s

Verdict = Literal["ok", "too few draws", "off"]


@dataclass(frozen=True)
class Check:
    """One figure of a kit.

    Attributes
    ----------
    group, what : str
    measured : float
        In ngspice.
    wanted : float or None
        None where only the order counts.
    unit : str
        SI; empty for a ratio.
    rule : str
        What the verdict goes by.
    verdict : {"ok", "too few draws", "off"}
    """

    group: str
    what: str
    measured: float
    wanted: float | None
    unit: str
    rule: str
    verdict: Verdict


@dataclass(frozen=True)
class Findings:
    """What was found.

    Attributes
    ----------
    kit : InstalledPdk
    seed, draws : int
    checks : tuple of Check
    defects : tuple of Defect
        Known of the releases of this kit.
    """

    kit: InstalledPdk
    seed: int
    draws: int
    checks: tuple[Check, ...]
    defects: tuple[Defect, ...]

    @property
    def off(self) -> tuple[Check, ...]:
        """Those that are not as they should be."""
        return tuple(check for check in self.checks if check.verdict == "off")


@dataclass(frozen=True)
class _Placed:
    """A transistor in a deck of ours: its name, its kind and its size."""

    name: str
    device: PdkDevice
    width: float
    length: float

    def card(self) -> str:
        d = self.device
        return (
            f"x{self.name} d{d.kind} d{d.kind} 0 0 {d.name} "
            f"{d.width_name}={number(self.width)} {d.length_name}={number(self.length)}"
        )

    def read(self, what: str) -> str:
        return f"@{self.device.path('x' + self.name)}[{what}]"


def examine(
    kit: InstalledPdk, *, quick: bool = False, seed: int = SEED, draws: int | None = None
) -> Findings:
    """Check a kit.

    Parameters
    ----------
    kit : InstalledPdk
    quick : bool
        One size and fewer draws; no draws of the process, for which the models are read again each time.
    seed : int
        Of ngspice's draws; every size of a device has one of its own from here on.
    draws : int, optional
        Of every sigma; 5000, or 1300 of the quick form.

    Raises
    ------
    SimulatorMissing, SimulationError
        If ngspice is not here, or fails.
    """
    draws = draws or (QUICK_DRAWS if quick else DRAWS)
    checks = [*_nominal(kit), *_corners(kit), *_plates(kit)]
    local: dict[str, float] = {}
    sizes = (MIDDLE,) if quick else SIZES
    for k, device in enumerate(_transistors(kit.pdk)):
        for n, (width, length) in enumerate(sizes):
            # Draws of their own: with one seed all sizes would have the same, and say the same thing again.
            found = _mismatch(kit, device, width, length, draws, seed + len(sizes) * k + n)
            checks += found
            if (width, length) == MIDDLE:
                local[device.name] = found[0].measured
    rows, shifts = _process(kit)
    checks += rows
    if not quick:
        checks += _global(kit, local, shifts, draws, seed)
    return Findings(kit, seed, draws, tuple(checks), _defects(kit.pdk))


def _defects(pdk: Pdk) -> tuple[Defect, ...]:
    return tuple(d for d in known_defects() if d.release.split()[0] == pdk.name)


def _transistors(pdk: Pdk) -> list[PdkDevice]:
    return [d for d in pdk.devices.values() if d.kind in ("nmos", "pmos")]


def _capacitors(pdk: Pdk) -> list[PdkDevice]:
    return [d for d in pdk.devices.values() if d.kind == "mim"]


def _middle(pdk: Pdk) -> list[_Placed]:
    """Place one transistor of each kind."""
    return [_Placed(f"m{k}", d, *MIDDLE) for k, d in enumerate(_transistors(pdk))]


def _deck(
    kit: InstalledPdk,
    placed: Sequence[_Placed],
    *,
    corner: str = "typical",
    mim: str = "typical",
    statistics: Statistics = "off",
    extra: Sequence[str] = (),
) -> list[str]:
    """Write a deck of transistors whose gates are at their drains, at half the supply."""
    half = kit.pdk.supply / 2.0
    return [
        "statistics of a process design kit",
        *kit.cards(corner, mim, statistics=statistics),
        *extra,
        f"vn dnmos 0 {number(half)}",
        f"vp dpmos 0 {number(-half)}",
        *(p.card() for p in placed),
    ]


def _figures(plot: Mapping[str, np.ndarray], asked: Sequence[str]) -> Float[np.ndarray, " n"]:
    """Read figures of devices, which ngspice takes for a voltage or a current and names so."""
    names = ({a, f"v({a})", f"i({a})"} & plot.keys() for a in asked)
    return np.array([plot[name.pop()][0].real for name in names])


def _read(
    deck: Sequence[str], asked: Sequence[str], commands: Sequence[str] = ("op",)
) -> Float[np.ndarray, "p n"]:
    """Run commands, and give what was asked for at every operating point."""
    plots = run_commands(deck, commands, saved=asked, timeout=_TIMEOUT)
    return np.stack([_figures(plot, asked) for plot in plots])


def _nominal(kit: InstalledPdk) -> Iterator[Check]:
    """Two runs without statistics, the sequence of random numbers begun at another place."""
    placed = _middle(kit.pdk)
    asked = [p.read("id") for p in placed]
    first, second = (
        _read(_deck(kit, placed, extra=[f".options seed={seed}"]), asked)[0] for seed in (SEED, SEED + 1)
    )
    for p, a, b in zip(placed, first, second, strict=True):
        off = abs(b / a - 1.0)
        yield Check(
            "nominal", f"I_D of {p.device.name}, two runs", off, 0.0, "", "the same", _if(bool(a == b))
        )


def _if(good: bool) -> Verdict:
    return "ok" if good else "off"


def _corners(kit: InstalledPdk) -> Iterator[Check]:
    """Check the order of the currents: n first and p second in a corner's name, fast has more."""
    placed = _middle(kit.pdk)
    asked = [p.read("id") for p in placed]
    nominal, *others = kit.pdk.corners["mos"]
    base = _read(_deck(kit, placed, corner=nominal), asked)[0]
    for corner in others:
        found = _read(_deck(kit, placed, corner=corner), asked)[0] / base
        for p, ratio in zip(placed, found, strict=True):
            letter = corner[0 if p.device.kind == "nmos" else 1]
            yield _ordered(f"I_D of {p.device.name}, {corner} over {nominal}", float(ratio), letter == "f")


def _ordered(what: str, ratio: float, more: bool) -> Check:
    rule = "above 1" if more else "below 1"
    return Check("corners", what, ratio, None, "", rule, _if(ratio > 1.0 if more else ratio < 1.0))


def _plates(kit: InstalledPdk) -> Iterator[Check]:
    """Check the order of the capacitances: a fast capacitor is a small one."""
    asked = {d.name: d.capacitance(PLATE, PLATE) for d in _capacitors(kit.pdk)}
    nominal, *others = (section.rpartition("_")[2] for section in kit.pdk.corners["mim"])
    base = _capacitances(kit, nominal)
    for name, wanted in asked.items():
        good = abs(base[name] / wanted - 1.0) < 1e-3  # the kit's temperature is 25 C, ngspice's 27 C
        yield Check("corners", f"C of {name}, {nominal}", base[name], wanted, "F", "within 0.1 %", _if(good))
    for corner in others:
        found = _capacitances(kit, corner)
        for name in asked:
            ratio = found[name] / base[name]
            yield _ordered(f"C of {name}, {corner} over {nominal}", ratio, corner == "ss")


def _capacitances(kit: InstalledPdk, corner: str) -> dict[str, float]:
    """Measure a plate of every kind, F."""
    devices = _capacitors(kit.pdk)
    plates = [
        f"xc{k} c{k} 0 {d.name} {d.width_name}={number(PLATE)} {d.length_name}={number(PLATE)}"
        for k, d in enumerate(devices)
    ]
    sources = [f"vc{k} c{k} 0 0 ac 1" for k in range(len(devices))]
    deck = [*_deck(kit, [], mim=corner), *plates, *sources]
    asked = [f"i(vc{k})" for k in range(len(devices))]
    plot = run_commands(deck, [f"ac lin 1 {number(FREQUENCY)} {number(FREQUENCY)}"], saved=asked)[0]
    return {
        d.name: abs(float(plot[name][0].imag)) / (2.0 * math.pi * FREQUENCY)
        for d, name in zip(devices, asked, strict=True)
    }


def _mismatch(
    kit: InstalledPdk, device: PdkDevice, width: float, length: float, draws: int, seed: int
) -> tuple[Check, Check]:
    """Read thresholds of many transistors in one deck, and their sigma and mean."""
    placed = [_Placed(f"m{k}", device, width, length) for k in range(draws)]
    nominal = _read(_deck(kit, placed[:1]), [placed[0].read("vth")])[0, 0]
    deck = _deck(kit, placed, statistics="mismatch", extra=[f".options seed={seed}"])
    found = _read(deck, [p.read("vth") for p in placed])[0] - nominal
    what = f"{device.name} {width * 1e6:g} by {length * 1e6:g} um"
    wanted, _ = device.sigmas(width, length)
    return (
        sigma_check("mismatch", f"sigma of V_T, {what}", found, wanted=wanted, unit="V"),
        mean_check("mismatch", f"mean of V_T, {what}", found, unit="V"),
    )


def sigma_check(group: str, what: str, values: np.ndarray, *, wanted: float, unit: str) -> Check:
    """Judge a standard deviation, which n draws of a normal value tell to 1/sqrt(2 n) of itself."""
    sigma, error = float(values.std(ddof=1)), 1.0 / math.sqrt(2.0 * len(values))
    off = abs(sigma / wanted - 1.0)
    verdict: Verdict = (
        "ok" if max(off, error) <= SIGMA else "too few draws" if off <= SIGMA + ERRORS * error else "off"
    )
    return Check(
        group, what, sigma, wanted, unit, f"within {SIGMA:.0%}; {len(values)} draws tell {error:.1%}", verdict
    )


def mean_check(group: str, what: str, values: np.ndarray, *, unit: str) -> Check:
    """Judge a mean that should be zero, by what the draws themselves tell of it."""
    mean, error = float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values))
    rule = f"within {ERRORS:g} standard errors; is at {abs(mean) / error:.1f}"
    return Check(group, what, mean, 0.0, unit, rule, _if(abs(mean) <= ERRORS * error))


def _rows(pdk: Pdk, p: _Placed) -> list[ProcessRow]:
    """Give what the process moves in the model of a transistor."""
    place = p.device.bin(p.width, p.length)
    return [r for r in pdk.process if r.device == p.device.name and (r.bins is None or place in r.bins)]


def _process(kit: InstalledPdk) -> tuple[list[Check], dict[str, Float[np.ndarray, " v"]]]:
    """Move every variable of the process by one sigma: in the kit's section, and in the models by our rows.

    Returns
    -------
    list of Check
    dict
        Device to what one sigma of each of its variables adds to its threshold, by our rows, V.
    """
    pdk = kit.pdk
    placed = _middle(pdk)
    asked = [p.read("id") for p in placed] + [p.read("vth") for p in placed]
    n = len(placed)
    # Variables by the devices that they move; those of capacitors and resistors are not of this deck.
    moves = {v: [p for p in placed if any(v in r.per_sigma for r in _rows(pdk, p))] for v in pdk.variables}
    moves = {v: by for v, by in moves.items() if by}
    commands = ["op"]
    for variable in moves:
        commands += [*_moved(pdk, placed, variable, 1.0), "op", *_moved(pdk, placed, variable, -1.0)]
    ours = _read(_deck(kit, placed), asked, commands)
    zero = " ".join(f"{v}=0" for v in moves)
    kits = [
        _read(
            # The switch for the process's draws of one sigma: agauss(0, 1, 3) times the skew factor.
            _deck(kit, placed, statistics="process", extra=[f".param {zero}", *extra]),
            asked,
        )[0]
        for extra in ([], *([f".param {v}='1/mc_skew'"] for v in moves))
    ]
    checks = [_same("I_D, nothing moved", kits[0][:n], ours[0][:n], ours[0][:n], placed)]
    checks += [
        _same(f"I_D, {v} at 1 sigma", kits[k][:n], ours[k][:n], ours[0][:n], by)
        for k, (v, by) in enumerate(moves.items(), start=1)
    ]
    return checks, {p.device.name: ours[1:, n + k] - ours[0, n + k] for k, p in enumerate(placed)}


def _moved(pdk: Pdk, placed: Sequence[_Placed], variable: str, sigmas: float) -> Iterator[str]:
    """Give commands that move the models as one variable does, or undo that."""
    for p in placed:
        model = p.device.model(p.width, p.length)
        for row in _rows(pdk, p):
            if (amount := row.per_sigma.get(variable)) is None:
                continue
            change = (
                f"* {number((1.0 + amount) ** sigmas)}" if row.relative else f"+ {number(amount * sigmas)}"
            )
            for parameter in row.parameters:
                yield f"altermod {model} {parameter} = @{model}[{parameter}] {change}"


def _same(
    what: str, kits: np.ndarray, ours: np.ndarray, nominal: np.ndarray, moved: Sequence[_Placed]
) -> Check:
    """Compare changes of a current; the figures are those of the device that changes most."""
    changes, wanted = kits / nominal - 1.0, ours / nominal - 1.0
    most = int(np.abs(wanted).argmax())
    good = bool((np.abs(changes - wanted) <= ROUNDING).all())
    names = " and ".join(p.device.name for p in moved)
    return Check(
        "process",
        f"{what}, {names}",
        float(changes[most]),
        float(wanted[most]),
        "",
        f"the same to {ROUNDING:g}",
        _if(good),
    )


def _global(
    kit: InstalledPdk,
    local: Mapping[str, float],
    shifts: Mapping[str, Float[np.ndarray, " v"]],
    draws: int,
    seed: int,
) -> Iterator[Check]:
    """Read the models again and again, which draws the process anew, without mismatch and with it."""
    placed = _middle(kit.pdk)
    asked = [p.read("vth") for p in placed]
    nominal = _read(_deck(kit, placed), asked)[0]
    shared, both = (_again(kit, placed, statistics, draws, seed) for statistics in ("process", "both"))
    for k, p in enumerate(placed):
        wanted = float(np.sqrt(np.square(shifts[p.device.name]).sum()))
        apart, together = shared[:, k] - nominal[k], both[:, k] - nominal[k]
        name = p.device.name
        yield sigma_check("process", f"sigma of V_T, {name}", apart, wanted=wanted, unit="V")
        yield mean_check("process", f"mean of V_T, {name}", apart, unit="V")
        total = math.hypot(float(apart.std(ddof=1)), local[name])
        yield sigma_check(
            "together", f"sigma of V_T, process and mismatch, {name}", together, wanted=total, unit="V"
        )
        yield mean_check("together", f"mean of V_T, process and mismatch, {name}", together, unit="V")


def _again(
    kit: InstalledPdk, placed: Sequence[_Placed], statistics: Statistics, draws: int, seed: int
) -> Float[np.ndarray, "s n"]:
    """Give thresholds of many readings of a deck, V."""
    asked = [p.read("vth") for p in placed]
    found: list[np.ndarray] = []
    for part, first in enumerate(range(0, draws, _AT_ONCE)):
        # A reading forgets what is to be saved; a seed among the options would be set again at each.
        commands = [f"setseed {seed + 1000 * (part + 1)}"]
        commands += ["reset", f"save {' '.join(asked)}", "op"] * min(_AT_ONCE, draws - first)
        found.append(_read(_deck(kit, placed, statistics=statistics), asked, commands))
    return np.concatenate(found)
