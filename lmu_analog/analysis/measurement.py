"""A bench recording: which of its columns is what."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.errors import DesignError
from lmu_analog.recording import read_table

TIME = ("time", "t")
_UNIT = re.compile(r"^(.*?)\s*(?:\[([^\]]*)\]|\s\(([^)]*)\))$")  # "input [V]" or "input (V)"; v(x0) has none
_TAP = re.compile(r"^r\s*=\s*([0-9.eE+-]+)$")
_WANTED = "time, input, and states m0, m1, ... or nets such as v(x0), or taps such as r=0.5"


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
    """

    time: Float[np.ndarray, " t"]
    input: Float[np.ndarray, " t"]
    kind: Literal["states", "taps"]
    values: Float[np.ndarray, "t c"]
    r: Float[np.ndarray, " k"]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the channels: ``m0``, ``m1``, ... or ``r=0.5``, ..."""
        if self.kind == "states":
            return tuple(f"m{i}" for i in range(self.values.shape[1]))
        return tuple(f"r={r:g}" for r in self.r)


def read_measurement(path: Path | str, circuit: Circuit) -> Measurement:
    """Read a recording from a built board, or from a simulator.

    Parameters
    ----------
    path : Path or str
        A ``.csv`` with a header. ``time`` in s rises; ``input`` (or ``v(u)``), and either all states ``m0``,
        ``m1``, ..., or all vectors that the deck's probes read, such as ``v(x0)`` or ``x0``, or taps such as
        ``r=0.5``, in V. A unit may follow a name in brackets.
    circuit : Circuit
        Whose probes tell states from nets.

    Raises
    ------
    DesignError
        If the file is malformed, a column is missing or unknown, or time does not rise.
    """
    columns = _named(read_table(path), path)
    time = next((columns.pop(name) for name in TIME if name in columns), None)
    if time is None:
        raise DesignError(f"{path}: no column 'time'; columns are {_WANTED}")
    _check_rising(time, path)
    source = circuit.source.lower()
    given = next((columns.pop(n) for n in ("input", f"v({source})", source) if n in columns), None)
    if given is None:
        raise DesignError(f"{path}: no column 'input'; columns are {_WANTED}")
    if not np.any(given):
        raise DesignError(f"{path}, column 'input': zero throughout; an error relative to it has no meaning")
    r, values = _channels(columns, circuit, path)
    return Measurement(time - time[0], given, "taps" if r.size else "states", values, r)


def _named(table: dict[str, np.ndarray], path: Path | str) -> dict[str, np.ndarray]:
    """Take units off names, and refuse other units than ours."""
    found: dict[str, np.ndarray] = {}
    for heading, column in table.items():
        split = _UNIT.match(heading)
        name = (split[1] if split else heading).strip().strip('"').lower()
        unit = (split[2] or split[3] or "") if split else ""
        ours = "s" if name in TIME else "A" if name.startswith("i(") else "V"
        if unit not in ("", ours):
            raise DesignError(f"{path}, column {heading[:40]!r}: is in {unit[:20]}; {ours} is wanted")
        if name in found:
            raise DesignError(f"{path}: two columns are called {name[:40]!r}; give each its own name")
        found[name] = column
    return found


def _check_rising(time: np.ndarray, path: Path | str) -> None:
    falls = np.flatnonzero(np.diff(time) <= 0.0)
    if falls.size:
        k = int(falls[0])
        raise DesignError(
            f"{path}, row {k + 2} of the data, column 'time': does not rise, {time[k + 1]:g} s after "
            f"{time[k]:g} s; sort the rows and keep one for each time"
        )


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
