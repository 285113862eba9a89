"""A deck that stays loaded in ngspice while device figures are altered: one reading, many operating points.

For circuits of foundry models, whose reading takes longer than an analysis. Everything here runs in the process that
calls it, which ngspice may end: call it in a ``Worker``.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.errors import SimulationError
from lmu_analog.spice.ngspice import fatal_line, simulator

# What is tried, one after another, where ngspice finds no operating point. The first is what the deck says.
LADDER: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("as the deck says", ()),
    ("abstol = 1e-13 A", ("option abstol=1e-13", "option reltol=1e-4")),
    ("abstol = 1e-12 A, 1000 iterations", ("option abstol=1e-12", "option reltol=1e-3", "option itl1=1000")),
    ("gmin = 1e-12 S", ("option gmin=1e-12", "option itl1=1000")),
)


@dataclass(frozen=True, eq=False)
class Point:
    """An operating point, and responses there.

    Attributes
    ----------
    volts : (n,) array, V
        Of the nets that were asked for.
    amperes : (m,) array, A
        Through the voltage sources that were asked for, from plus to minus.
    response : (k, n) complex array
        Of the nets to the deck's AC source; empty where no frequency was given.
    rung : int
        Place in ``LADDER`` of the options with which it was found.
    """

    volts: Float[np.ndarray, " n"]
    amperes: Float[np.ndarray, " m"]
    response: Complex[np.ndarray, "k n"]
    rung: int


@dataclass(frozen=True, eq=False)
class Waveforms:
    """What a transient gives, at ngspice's own times.

    Attributes
    ----------
    time : (t,) array, s
    volts : (t, n) array, V
        Of the nets that were asked for.
    rung : int
        Place in ``LADDER`` of the options with which it came to its end.
    """

    time: Float[np.ndarray, " t"]
    volts: Float[np.ndarray, "t n"]
    rung: int


class Session:
    """A loaded deck; a context manager, of which there is one at a time in a process.

    Parameters
    ----------
    lines : sequence of str
        The deck: title first, ``.end`` last, without analyses; it may include files of a PDK.

    Raises
    ------
    SimulationError
        If ngspice does not accept it.
    """

    def __init__(self, lines: Sequence[str]) -> None:
        self._ngspice: Any = simulator()
        self._deck = "\n".join(lines)
        self._ngspice.forget()
        self._ngspice.attempt(lambda: self._ngspice.load_circuit(self._deck))
        self._complain("ngspice does not accept the deck")
        self._options = _options(lines)
        self._rung = 0

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ngspice.forget()

    def alter(self, commands: Iterable[str]) -> None:
        """Give commands such as ``alter @m.x1.m0[delvto] = 1m``; they hold until they are given again."""
        library = self._ngspice._ngspice_shared
        for command in commands:
            library.ngSpice_Command(command.encode())
        self._complain("ngspice refuses to alter the circuit")

    def point(
        self,
        nets: Sequence[str],
        *,
        sources: Sequence[str] = (),
        frequency: Float[np.ndarray, " k"] | None = None,
    ) -> Point:
        """Find the operating point, and the response at some frequencies, Hz.

        Raises
        ------
        SimulationError
            If no options of ``LADDER`` lead to an operating point, or the answer is not whole.
        """
        last: SimulationError | None = None
        for rung, (_, changes) in enumerate(LADDER):
            self._change(rung, changes)
            try:
                return self._point(nets, sources, frequency, rung)
            except SimulationError as error:
                last = error
        raise SimulationError(
            f"no operating point: {last}",
            deck=self._deck,
            log="\n".join(self._ngspice.lines) or (last.log if last else ""),
        )

    def _change(self, rung: int, changes: tuple[str, ...]) -> None:
        if rung != self._rung:
            self.alter((*(f"option {given}" for given in self._options), *changes))
            self._rung = rung

    def _point(
        self, nets: Sequence[str], sources: Sequence[str], frequency: np.ndarray | None, rung: int
    ) -> Point:
        commands = ["op"] if frequency is None else list(_sweeps(frequency))
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        for command in commands:
            self._ngspice.attempt(lambda command=command: self._ngspice.exec_command(command))
        fresh = [name for name in self._ngspice.plot_names if name not in before]
        try:
            self._complain("ngspice found no operating point")
            plots = {name: self._ngspice.plot(None, name) for name in fresh}
            return _read(plots, nets, sources, frequency, rung)
        finally:
            self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))

    def transient(self, nets: Sequence[str], *, start: float, stop: float, step: float) -> Waveforms:
        """Run a transient from the operating point at time 0; what is before ``start`` is not kept.

        Parameters
        ----------
        nets : sequence of str
        start, stop, step : float, s
            No step is longer than ``step``.

        Raises
        ------
        SimulationError
            If it is aborted with all options of ``LADDER``.
        """
        last: SimulationError | None = None
        for rung, (_, changes) in enumerate(LADDER):
            self._change(rung, changes)
            try:
                return self._transient(nets, (start, stop, step), rung)
            except SimulationError as error:
                last = error
        raise SimulationError(f"transient aborted: {last}", deck=self._deck)

    def _transient(self, nets: Sequence[str], times: tuple[float, float, float], rung: int) -> Waveforms:
        start, stop, step = (float(x) for x in times)
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        command = f"tran {step!r} {stop!r} {start!r} {step!r}"
        self._ngspice.attempt(lambda: self._ngspice.exec_command(command))
        fresh = [n for n in self._ngspice.plot_names if n not in before and n.startswith("tran")]
        try:
            self._complain("ngspice aborted the transient")
            if len(fresh) != 1:
                raise SimulationError(f"ngspice made {len(fresh)} plots instead of one")
            plot = _lower(self._ngspice.plot(None, fresh[0]))
        finally:
            self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))
        if missing := [net for net in nets if net.lower() not in plot]:
            raise SimulationError(f"ngspice gave no vector {missing[0]}")
        time = np.array(np.real(plot["time"]), float)
        if not math.isclose(time[-1], stop, rel_tol=1e-6):
            raise SimulationError(f"ngspice stopped at {time[-1]:g} s, before {stop:g} s")
        volts = np.stack([np.array(np.real(plot[net.lower()]), float) for net in nets], axis=-1)
        if not np.isfinite(volts).all():
            raise SimulationError("ngspice gave voltages that are not finite")
        return Waveforms(time, volts, rung)

    def swept(
        self, source: str, volts: Float[np.ndarray, " q"], *, sources: Sequence[str]
    ) -> Float[np.ndarray, "q m"]:
        """Sweep a voltage source, and give the currents through others from plus to minus, A.

        Parameters
        ----------
        source : str
        volts : (q,) array, V
            Evenly spaced.
        sources : sequence of str
            Whose currents the deck saves.

        Raises
        ------
        SimulationError
        """
        first, last = float(volts[0]), float(volts[-1])
        step = (last - first) / (len(volts) - 1)
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        # Half a step more, as sums of steps round.
        command = f"dc {source} {first!r} {last + 0.5 * step!r} {step!r}"
        self._ngspice.attempt(lambda: self._ngspice.exec_command(command))
        self._complain("ngspice found no operating point")
        fresh = [n for n in self._ngspice.plot_names if n not in before and n.startswith("dc")]
        plots = [_lower(self._ngspice.plot(None, n)) for n in fresh]
        self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))
        branches = [f"{name.lower()}#branch" for name in sources]
        if len(plots) != 1 or any(name not in plots[0] for name in branches):
            raise SimulationError("ngspice gave no sweep with all currents", deck=self._deck)
        found = np.stack([np.real(plots[0][name]) for name in branches], axis=-1)
        if len(found) != len(volts) or not np.isfinite(found).all():
            raise SimulationError(
                f"ngspice stopped after {len(found)} of {len(volts)} steps", deck=self._deck
            )
        return found

    def values(self, vectors: Sequence[str]) -> Float[np.ndarray, " v"]:
        """Run ``op`` and read device figures such as ``@m.x1.m0[gm]``; every vector must have been saved.

        Raises
        ------
        SimulationError
        """
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        self._ngspice.attempt(lambda: self._ngspice.exec_command("op"))
        self._complain("ngspice found no operating point")
        fresh = [name for name in self._ngspice.plot_names if name not in before]
        if len(fresh) != 1:
            raise SimulationError(f"ngspice made {len(fresh)} plots instead of one", deck=self._deck)
        plot = {key.lower(): vector for key, vector in self._ngspice.plot(None, fresh[0]).items()}
        if missing := [name for name in vectors if name.lower() not in plot]:
            raise SimulationError(f"ngspice gave no vector {missing[0]}", deck=self._deck)
        found = np.array([float(np.real(plot[name.lower()]._data[-1])) for name in vectors])
        self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))
        if not np.isfinite(found).all():
            raise SimulationError("ngspice gave figures that are not finite", deck=self._deck)
        return found

    def admittances(
        self, driven: Sequence[str], sources: Sequence[str], frequency: float
    ) -> Complex[np.ndarray, " m"]:
        """Give the AC currents into the circuit, A, at the plus ends of voltage sources, where some have 1 V of AC.

        Raises
        ------
        SimulationError
        """
        self.alter(f"alter {name} acmag = 1" for name in driven)
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        self._ngspice.attempt(lambda: self._ngspice.exec_command(f"ac lin 1 {frequency!r} {frequency!r}"))
        self._complain("ngspice found no response")
        fresh = [n for n in self._ngspice.plot_names if n not in before and n.startswith("ac")]
        if len(fresh) != 1:
            raise SimulationError(f"ngspice made {len(fresh)} plots instead of one", deck=self._deck)
        plot = _lower(self._ngspice.plot(None, fresh[0]))
        found = -np.array([complex(plot[f"{name.lower()}#branch"][-1]) for name in sources])
        self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))
        self.alter(f"alter {name} acmag = 0" for name in driven)
        return found

    def noise(
        self, output: str, source: str, span: tuple[float, float], *, a_decade: int
    ) -> tuple[Float[np.ndarray, " f"], dict[str, Float[np.ndarray, " f"]]]:
        """Find the spectra of noise at a net, of all devices and of each.

        Parameters
        ----------
        output : str
            Net.
        source : str
            What noise would be referred to as an input: any source of the deck.
        span : (lowest, highest), Hz
        a_decade : int
            Frequencies in a decade.

        Returns
        -------
        frequency : (f,) array, Hz
        dict of (f,) arrays, V^2/Hz
            By ngspice's own names, in small letters; ``onoise_spectrum`` is all of them.

        Raises
        ------
        SimulationError
        """
        low, high = span
        self._ngspice.lines.clear()
        before = set(self._ngspice.plot_names)
        command = f"noise v({output}) {source} dec {a_decade} {low!r} {high!r} 1"
        self._ngspice.attempt(lambda: self._ngspice.exec_command(command))
        self._complain("ngspice found no noise")
        fresh = [_lower(self._ngspice.plot(None, n)) for n in self._ngspice.plot_names if n not in before]
        spectra = [plot for plot in fresh if "onoise_spectrum" in plot]
        self._ngspice.attempt(lambda: self._ngspice.exec_command("destroy all"))
        if len(spectra) != 1:
            raise SimulationError(f"ngspice gave {len(spectra)} spectra of noise", deck=self._deck)
        found = {name: np.real(s) ** 2 for name, s in spectra[0].items() if name.startswith("onoise")}
        # ngspice multiplies by the same ratio from point to point.
        frequency = low * 10.0 ** (np.arange(len(found["onoise_spectrum"])) / a_decade)
        if not all(np.isfinite(s).all() for s in found.values()):
            raise SimulationError("ngspice gave noise that is not finite", deck=self._deck)
        return frequency, found

    def model_values(self, wanted: Sequence[tuple[str, str]]) -> Float[np.ndarray, " v"]:
        """Read parameters of models, each given by model and parameter.

        Raises
        ------
        SimulationError
            If there is no such model or parameter.
        """
        self._ngspice.lines.clear()
        for command in ("set numdgt=16", *(f"print @{model}[{parameter}]" for model, parameter in wanted)):
            self._ngspice.attempt(lambda command=command: self._ngspice.exec_command(command))
        said = [float(line.rpartition("=")[2]) for line in self._ngspice.lines if line.startswith("@")]
        self._complain("ngspice does not know a parameter")
        if len(said) != len(wanted):
            raise SimulationError(
                f"ngspice told {len(said)} of {len(wanted)} model parameters", deck=self._deck
            )
        return np.array(said)

    def _complain(self, what: str) -> None:
        if complaint := fatal_line(self._ngspice.lines):
            log = "\n".join(self._ngspice.lines)
            self._ngspice.lines.clear()
            raise SimulationError(f"{what}: {complaint}", deck=self._deck, log=log)


def _options(lines: Sequence[str]) -> list[str]:
    """Give the options of a deck one by one, as ``name=value``."""
    found = [line.split()[1:] for line in lines if line.lower().startswith(".options")]
    return [word for words in found for word in words if "=" in word]


def _sweeps(frequency: Float[np.ndarray, " k"]) -> Iterable[str]:
    """Give the analyses of some frequencies: one where they are evenly spaced, else one each."""
    steps = np.diff(frequency)
    if len(frequency) > 1 and np.allclose(steps, steps[0], rtol=1e-9, atol=0.0):
        yield f"ac lin {len(frequency)} {float(frequency[0])!r} {float(frequency[-1])!r}"
    else:
        yield from (f"ac lin 1 {float(f)!r} {float(f)!r}" for f in frequency)


def _read(
    plots: dict[str, Any],
    nets: Sequence[str],
    sources: Sequence[str],
    frequency: Float[np.ndarray, " k"] | None,
    rung: int,
) -> Point:
    points = [p for name, p in plots.items() if name.startswith("op")]
    # ngspice lists the latest first; ac9 comes before ac10.
    names = sorted((n for n in plots if n.startswith("ac")), key=lambda n: int(n[2:]))
    sweeps = [plots[name] for name in names]
    if not points or (frequency is not None and not sweeps):
        raise SimulationError("ngspice gave no operating point")
    at = _lower(points[-1])
    keys = [net.lower() for net in nets]
    branches = [f"{name.lower()}#branch" for name in sources]
    if missing := [key for key in (*keys, *branches) if key not in at]:
        raise SimulationError(f"ngspice gave no vector {missing[0]}")
    volts = np.array([float(np.real(at[key][-1])) for key in keys])
    amperes = np.array([float(np.real(at[key][-1])) for key in branches])
    response = np.zeros((0, len(keys)), complex)
    if frequency is not None:
        swept = [_lower(p) for p in sweeps]
        response = np.stack([np.concatenate([np.atleast_1d(s[key]) for s in swept]) for key in keys], axis=-1)
        if len(response) != len(frequency):
            raise SimulationError(f"ngspice stopped after {len(response)} of {len(frequency)} frequencies")
    largest = max(np.abs(volts).max(initial=0.0), np.abs(response).max(initial=0.0))
    if not math.isfinite(largest):
        raise SimulationError("ngspice gave voltages that are not finite")
    return Point(volts, amperes, response.astype(complex), rung)


def _lower(plot: Any) -> dict[str, np.ndarray]:
    return {key.lower(): vector._data for key, vector in plot.items()}
