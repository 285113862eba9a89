"""Taps: outputs of a circuit that show the window's content, as further variables of its structure.

A tap at r is the sum of all variables with the weights that read u(t - r theta) off them, a summer like any other; any
other weights of the Legendre states do as well. Where a variable shows it already, up to a factor, the tap needs that
one alone.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import Realization
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import Coefficient, Structure, algebraic_response, without_rounding
from lmu_analog.memory.window import readout

ALIKE = 1e-9  # of the largest weight: variables that differ by less show the same


@dataclass(frozen=True)
class Tap:
    """A wanted output.

    Attributes
    ----------
    r : float or None
        Delay, in units of theta, from 0 to 1; None where there are weights.
    gain : float or None
        Volts at the output for one volt of what it shows; None takes an output that is there already, with the gain
        that it has.
    weights : tuple of float, optional
        Of the Legendre states, whose sum it shows.
    """

    r: float | None
    gain: float | None = 1.0
    weights: tuple[float, ...] | None = None

    @property
    def label(self) -> str:
        """What it shows, in words."""
        return "a weighted sum of the states" if self.r is None else f"u(t - {self.r:g} theta)"


def of_states(tap: Tap, order: int) -> Float[np.ndarray, " d"]:
    """Give the weights of the Legendre states, (d,).

    Raises
    ------
    DesignError
        If there are not as many as states.
    """
    if tap.weights is None:
        return readout(order, np.array([tap.r]))[0]
    if len(tap.weights) != order:
        raise DesignError(f"{len(tap.weights)} weights for {order} states")
    return np.array(tap.weights)


def wanted_response(
    tap: Tap, frequency: Float[np.ndarray, " f"], *, order: int, theta: float
) -> Complex[np.ndarray, " f"]:
    """Give what a tap of gain one is to show of a tone, over its phasor: the input late, or ideal states."""
    if tap.r is not None:
        return np.exp(-2j * np.pi * theta * tap.r * np.asarray(frequency))
    return frequency_response(legendre(order, theta), frequency) @ of_states(tap, order)


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


def tapped(
    realization: Realization,
    scale: Float[np.ndarray, " v"],
    taps: tuple[Tap, ...],
    *,
    has_summers: bool = True,
) -> Tapped:
    """Add taps to a realization whose variables are scaled already.

    Parameters
    ----------
    realization : Realization
    scale : (v,) array
        Volts for one unit of every variable of it, positive.
    taps : tuple of Tap
    has_summers : bool
        Whether the circuit has its algebraic variables, too; where not, no tap is looked for on them.

    Raises
    ------
    DesignError
        If a tap takes what is there, and nothing is.
    """
    structure = realization.structure
    shown = algebraic_response(structure)
    every = np.hstack([shown.C, shown.D])  # what each variable is, of states and input
    there = every if has_summers else every[: structure.dynamic]
    rows = np.array([of_states(tap, len(realization.readout)) for tap in taps]) @ realization.readout
    extra: list[np.ndarray] = []
    variables: list[int] = []
    factors: list[float] = []
    for tap, row in zip(taps, rows, strict=True):
        found = _shown(row @ every, there)
        if tap.gain is None:
            if found is None:
                raise DesignError(
                    f"nothing in this circuit shows {tap.label} by itself; give it a gain, and it gets an amplifier of "
                    "its own"
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
    larger = _with_sums(structure, extra, [name for name, tap in named(taps) if tap.gain is not None])
    kept = np.hstack([realization.readout, np.zeros((len(realization.readout), len(extra)))])
    return Tapped(
        replace(realization, structure=larger, readout=kept),
        np.concatenate([scale, own]),
        tuple(variables),
        tuple(factors),
    )


def named(taps: tuple[Tap, ...]) -> list[tuple[str, Tap]]:
    """Name taps: ``tap1``, ``tap2``, ..., those with weights ``out1``, ``out2``, ..."""
    counts = {"tap": 0, "out": 0}
    found = []
    for tap in taps:
        kind = "tap" if tap.weights is None else "out"
        counts[kind] += 1
        found.append((f"{kind}{counts[kind]}", tap))
    return found


def _shown(wanted: np.ndarray, every: np.ndarray) -> tuple[int, float] | None:
    """Find a variable that is the wanted one up to a factor: its number, and it over the wanted one."""
    for k, given in enumerate(every):
        factor = float(given @ wanted / (wanted @ wanted))
        if factor and np.abs(given - factor * wanted).max() < ALIKE * np.abs(given).max():
            return k, factor
    return None


def _with_sums(structure: Structure, rows: list[np.ndarray], names: list[str]) -> Structure:
    """Add algebraic variables, 0 = -y + row . z."""
    v, size = structure.variables, structure.variables + len(rows)
    E, F, G = np.zeros((size, size)), np.zeros((size, size)), np.zeros((size, 1))
    E[:v, :v], F[:v, :v], G[:v] = structure.E, structure.F, structure.G
    F[range(v, size), range(v, size)] = -1.0
    weights = [
        Coefficient(f"{name}[{j}]", "F", v + k, int(j), float(row[j]))
        for k, (row, name) in enumerate(zip(rows, names, strict=True))
        for j in np.flatnonzero(row)
    ]
    return Structure(E, F, G, (*structure.coefficients, *weights), structure.dynamic)
