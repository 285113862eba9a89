"""Taps: outputs of a circuit that show the window's content, as further variables of its structure.

A tap at r is the sum of all variables with the weights that read u(t - r theta) off them, a summer like any other.
Where a variable shows it already, up to a factor, the tap needs that one alone.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.structure import Coefficient, Structure, algebraic_response, without_rounding
from lmu_analog.memory.window import readout

ALIKE = 1e-9  # of the largest weight: variables that differ by less show the same


@dataclass(frozen=True)
class Tap:
    """A wanted output.

    Attributes
    ----------
    r : float
        Delay, in units of theta, from 0 to 1.
    gain : float or None
        Volts at the output for one volt of the input so delayed; None takes an output that is there already, with
        the gain that it has.
    """

    r: float
    gain: float | None = 1.0


@dataclass(frozen=True, eq=False)
class Tapped:
    """A realization with taps.

    Attributes
    ----------
    realization : Realization
        The taps' own variables stand last in its structure.
    scale : (v,) array
        Volts for one unit of every variable.
    variables : tuple of int
        For every tap the variable that shows it.
    factors : tuple of float
        What one volt of the delayed input makes of that variable.
    """

    realization: Realization
    scale: Float[np.ndarray, " v"]
    variables: tuple[int, ...]
    factors: tuple[float, ...]


def tapped(realization: Realization, scale: Float[np.ndarray, " v"], taps: tuple[Tap, ...]) -> Tapped:
    """Add taps to a realization whose variables are scaled already.

    Parameters
    ----------
    realization : Realization
    scale : (v,) array
        Volts for one unit of every variable of it, positive.
    taps : tuple of Tap

    Raises
    ------
    DesignError
        If a tap takes what is there, and nothing is.
    """
    structure = realization.structure
    shown = algebraic_response(structure)
    every = np.hstack([shown.C, shown.D])  # what each variable is, of states and input
    rows = readout(len(realization.readout), np.array([tap.r for tap in taps])) @ realization.readout
    extra: list[np.ndarray] = []
    variables: list[int] = []
    factors: list[float] = []
    for tap, row in zip(taps, rows, strict=True):
        found = _shown(row @ every, every)
        if tap.gain is None:
            if found is None:
                raise DesignError(
                    f"nothing in this circuit shows u(t - {tap.r:g} theta) by itself; give the tap at r = {tap.r:g} a "
                    "gain, and it gets an amplifier of its own"
                )
            variables.append(found[0])
            factors.append(found[1])
            continue
        if found is not None:
            row = np.zeros(structure.variables)
            row[found[0]] = 1.0 / found[1]
        variables.append(structure.variables + len(extra))
        factors.append(1.0)
        extra.append(without_rounding(row[None], of=row[None])[0])
    own = np.array([tap.gain for tap in taps if tap.gain is not None])
    larger = _with_sums(structure, extra, [k for k, tap in enumerate(taps, 1) if tap.gain is not None])
    kept = np.hstack([realization.readout, np.zeros((len(realization.readout), len(extra)))])
    return Tapped(
        replace(realization, structure=larger, readout=kept),
        np.concatenate([scale, own]),
        tuple(variables),
        tuple(factors),
    )


def _shown(wanted: np.ndarray, every: np.ndarray) -> tuple[int, float] | None:
    """Find a variable that is the wanted one up to a factor: its number, and it over the wanted one."""
    for k, given in enumerate(every):
        factor = float(given @ wanted / (wanted @ wanted))
        if factor and np.abs(given - factor * wanted).max() < ALIKE * np.abs(given).max():
            return k, factor
    return None


def _with_sums(structure: Structure, rows: list[np.ndarray], numbers: list[int]) -> Structure:
    """Add algebraic variables, 0 = -y + row . z."""
    v, size = structure.variables, structure.variables + len(rows)
    E, F, G = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, 1))
    E[:v, :v], F[:v, :v], G[:v] = structure.E, structure.F, structure.G
    F[range(v, size), range(v, size)] = -1.0
    weights = [
        Coefficient(f"tap{number}[{j}]", "F", v + k, int(j), float(row[j]))
        for k, (row, number) in enumerate(zip(rows, numbers, strict=True))
        for j in np.flatnonzero(row)
    ]
    return Structure(E, F, G, (*structure.coefficients, *weights), structure.dynamic)
