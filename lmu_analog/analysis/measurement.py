"""The columns of a bench recording: time, input and outputs."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.errors import DesignError
from lmu_analog.recording import channel_of, times, volts
from lmu_analog.tables import Table, ampere_scale, read_table

_TAP = re.compile(r"^r\s*=\s*([0-9.eE+-]+)$")
_WANTED = "time, input, and states m0, m1, ... or nets such as v(x0), or taps such as r=0.5 or v(tap1)"


@dataclass(frozen=True, eq=False)
class Measurement:
    """What was recorded of a memory.

    Attributes
    ----------
    time : (t,) array, s
        Rising, from 0.
    input : (t,) array, V
    kind : {"states", "taps"}
    values : (t, c) array, V
        Legendre states m_0, m_1, ..., or estimates of u(t - r theta).
    r : (c,) array
        Places of the taps in the window; none for states.
    outputs : tuple of int
        Which of the circuit's own taps these are, where they were recorded by their nets.
    """

    time: Float[np.ndarray, " t"]
    input: Float[np.ndarray, " t"]
    kind: Literal["states", "taps"]
    values: Float[np.ndarray, "t c"]
    r: Float[np.ndarray, " k"]
    outputs: tuple[int, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels: ``m0``, ``m1``, ... or ``r=0.5``, ..."""
        if self.kind == "states":
            return tuple(f"m{i}" for i in range(self.values.shape[1]))
        return tuple(f"r={r:g}" for r in self.r)


def read_measurement(path: Path | str, circuit: Circuit, *, column: str | None = None) -> Measurement:
    """Read a recording from a built board, or from a simulator.

    Parameters
    ----------
    path : Path or str
        A table with a header, as `lmu_analog.tables.read_table` reads it. ``time`` rises; ``input`` (or
        ``v(u)``), and either all states ``m0``, ``m1``, ..., or all vectors that the deck's probes read, such
        as ``v(x0)`` or ``x0``, or taps: such as ``r=0.5``, or the circuit's own by their nets, such as ``v(tap1)``,
        which are divided by their gains; in the units that stand at the names or below them,
        else s, V and A.
    circuit : Circuit
        Whose probes tell states from nets.
    column : str, optional
        Column of the input, where it is called otherwise: its name, or its number from 1.

    Raises
    ------
    DesignError
        If the file is malformed, a column is missing or unknown, or time does not rise.
    """
    table = read_table(path, wanted=f"a header and rows of numbers: {_WANTED}")
    if not table.headings:
        raise DesignError(f"{table.where(0)}: no header; name the columns, for example time,input,m0,m1")
    time, others = times(table)
    source = circuit.source.lower()
    known = {"input", f"v({source})", source}
    chosen = None if column is None else channel_of(table, others, column)
    columns: dict[str, np.ndarray] = {}
    for k in others:
        name = "input" if k == chosen else table.names[k].lower()
        if name in known and chosen in (None, k):
            name = "input"
        if name in columns:
            raise DesignError(f"{path}: two columns are called {name[:40]!r}; give each its own name")
        columns[name] = _scaled(table, k)
    if "input" not in columns:
        raise DesignError(f"{path}: no column 'input'; columns are {_WANTED}, or choose it with column=")
    given = columns.pop("input")
    if not np.any(given):
        raise DesignError(f"{path}, column 'input': zero throughout; an error relative to it has no meaning")
    own = _own_taps(columns, circuit)
    if own and not _has_other_channels(columns, circuit, own):
        r = np.array([circuit.taps[k].of.r for k in own])
        return Measurement(
            time - time[0], given, "taps", np.stack(list(own.values()), axis=-1), r, tuple(own)
        )
    r, values = _channels(columns, circuit, path)
    return Measurement(time - time[0], given, "taps" if r.size else "states", values, r)


def _has_other_channels(columns: dict[str, np.ndarray], circuit: Circuit, own: dict[int, np.ndarray]) -> bool:
    """Tell whether states, or places in the window, were recorded beside the circuit's own taps.

    A net that a tap reads too, as the reference of a single supply, is no sign of states unless all of them are there.
    """
    read = {_vector(t, columns) for probe in circuit.probes for t in probe}
    of_taps = {_vector(t, columns) for k in own for t in circuit.taps[k].terms}
    places = {name for name in columns if _TAP.match(name)}
    others = {f"m{i}" for i in range(circuit.order)} | places | (read - of_taps)
    return read <= set(columns) or bool(others & set(columns))


def _own_taps(columns: dict[str, np.ndarray], circuit: Circuit) -> dict[int, np.ndarray]:
    """Give what recorded nets of the circuit's taps show of the delayed input, (t,) V, each by its number."""
    found: dict[int, np.ndarray] = {}
    for k, tap in enumerate(circuit.taps):
        names = [_vector(t, columns) for t in tap.terms]
        if tap.of.r is not None and all(name in columns for name in names):
            volts_shown = sum(t.factor * columns[n] for t, n in zip(tap.terms, names, strict=True))
            found[k] = np.asarray(volts_shown) / tap.gain
    return found


def _scaled(table: Table, k: int) -> np.ndarray:
    """Give a column in V, or currents in A."""
    if not table.names[k].lower().startswith("i("):
        return volts(table, k)
    scale = ampere_scale(table.units[k] or "A")
    if scale is None:
        raise DesignError(
            f"{table.path}: column {table.headings[k][:40]!r} is in {table.units[k][:20]!r}; give A, mA, uA or nA"
        )
    return table.columns[:, k] * scale[0] / scale[1]


def _channels(
    columns: dict[str, np.ndarray], circuit: Circuit, path: Path | str
) -> tuple[np.ndarray, np.ndarray]:
    """Give r of the taps, none for states, and the (t, c) values."""
    states = [f"m{i}" for i in range(circuit.order)]
    read = {_vector(t, columns): t for probe in circuit.probes for t in probe}
    taps = {float(found[1]): name for name in columns if (found := _tap(name, path))}
    if taps:
        if unknown := sorted(set(columns) - set(taps.values())):
            raise DesignError(f"{path}: column {unknown[0][:40]!r} beside taps; record taps or states alone")
        r = np.array(sorted(taps))
        return r, np.stack([columns[taps[k]] for k in sorted(taps)], axis=-1)
    wanted = states if set(columns) & set(states) else list(read)
    if missing := [name for name in wanted if name not in columns]:
        for tap in [] if set(wanted) & set(columns) else circuit.taps:
            names = [_vector(t, columns) for t in tap.terms]
            lacking = [name for name in names if name not in columns]
            if 0 < len(lacking) < len(names):
                raise DesignError(
                    f"{path}: no column {lacking[0]!r}; {tap.name} is {' against '.join(names)}"
                )
        raise DesignError(f"{path}: no column {missing[0]!r}; all of {', '.join(wanted)} are wanted")
    if wanted is states:
        return np.empty(0), np.stack([columns[name] for name in states], axis=-1)
    rows = [sum(t.factor * columns[_vector(t, columns)] for t in probe) for probe in circuit.probes]
    return np.empty(0), np.stack(rows, axis=-1)


def _vector(term: Term, columns: dict[str, np.ndarray]) -> str:
    """Name the column that a term reads: ``v(x0)``, or the bare net."""
    full = f"{term.kind}({term.of.lower()})"
    bare = term.of.lower()
    return bare if term.kind == "v" and bare in columns and full not in columns else full


def _tap(name: str, path: Path | str) -> re.Match[str] | None:
    found = _TAP.match(name)
    if found is None:
        return None
    try:
        r = float(found[1])
    except ValueError:
        r = -1.0
    if not 0.0 <= r <= 1.0:
        raise DesignError(f"{path}, column {name[:40]!r}: a place in the window from r=0 to r=1 is wanted")
    return found
