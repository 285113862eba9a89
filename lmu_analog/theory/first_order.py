"""The window error as a linear function of mismatch.

NRMSE^2 = rest + |error + J x|^2, where x are the draws in units of their own standard deviations.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit, reading_taps_alone
from lmu_analog.circuits.devices.tolerance import Distribution
from lmu_analog.circuits.nodal.adjoint import derivatives
from lmu_analog.circuits.nodal.extract import Split, extract
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory import window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.taps import Tap, wanted_response
from lmu_analog.mismatch.law import TRUNCATION, Mismatch, columns, moved, relative_deviations, sample
from lmu_analog.simulation import places
from lmu_analog.stimulus import Recording, Tones
from lmu_analog.theory.recorded import recorded_error

STEP = 1e-4  # of a standard normal: the quotient is then right to about 1e-9
_COLUMNS_AT_ONCE = 256  # bounds the memory


@dataclass(frozen=True, eq=False)
class FirstOrder:
    """The error of the window estimate to first order in mismatch, real and scaled by rms(u).

    Attributes
    ----------
    names : tuple of str
        Of the z draws, as in ``law.columns``.
    rest : float
        Mean square error that no memory of this order can reach, a fraction of rms(u)^2.
    error : (e,) array
        Of the nominal circuit, in orthogonal coordinates of tones, or moments, and window: |error|^2 + rest = NRMSE^2.
    jacobian : (e, z) array
        What one standard deviation of each draw adds to ``error``.
    """

    names: tuple[str, ...]
    rest: float
    error: Float[np.ndarray, " e"]
    jacobian: Float[np.ndarray, "e z"]

    @property
    def nominal(self) -> float:
        """Window NRMSE without mismatch."""
        return math.sqrt(self.rest + float(self.error @ self.error))

    @property
    def added_rms(self) -> Float[np.ndarray, " z"]:
        """Rms window error that each draw adds alone, (z,)."""
        return np.sqrt(np.sum(self.jacobian**2, axis=0))

    @property
    def predicted_rms(self) -> float:
        """Rms window error that all draws add, as a fraction of rms(u)."""
        return float(np.linalg.norm(self.jacobian))


def first_order(design: Design, *, circuit: Circuit | None = None) -> FirstOrder:
    """Linearise the window error of a design's circuit by its mismatch, for the design's own signal.

    Tones count in the steady state, by the adjoint of the node equations; a recording from rest to its end, in
    coordinates of time and window. A nonlinear circuit is taken at small signal.

    Parameters
    ----------
    design : Design
    circuit : Circuit, optional
        What ``build`` makes of the design, where that is known already; for tones alone.

    Raises
    ------
    SimulationError
        If the nominal circuit is unstable and the signal a recording.
    """
    circuit, law = build(design) if circuit is None else circuit, Mismatch.of(design)
    match design.stimulus:
        case Tones():
            rest, error, slopes = linearised(design, circuit)
        case Recording():
            rest, error, slopes = _in_recording(circuit, law, design)
    names = columns(circuit, law)
    return FirstOrder(names, rest, error, by_draws(circuit, law, slopes))


def first_order_of_taps(design: Design) -> tuple[FirstOrder, ...]:
    """Linearise the error of every tap against what it is to show, over rms(u); of tones in the steady state.

    Raises
    ------
    DesignError
        If the signal is a recording.
    """
    tones = design.stimulus
    if not isinstance(tones, Tones):
        raise DesignError("the theory of taps takes periodic signals; leave the recording out")
    circuit, law = build(design), Mismatch.of(design)
    names = columns(circuit, law)
    found = derivatives(reading_taps_alone(circuit), tones.frequency)
    phasor = math.sqrt(0.5) * tones.phasor / tones.rms

    def theory(k: int, tap: Tap) -> FirstOrder:
        late = wanted_response(tap, tones.frequency, order=design.order, theta=design.theta)
        error, slopes = phasor * (found.states[:, k] - late), phasor[:, None] * found.by_parameter[:, k]
        offset, leaning = (
            found.offset[k : k + 1] / tones.rms,
            found.offset_by_parameter[k : k + 1] / tones.rms,
        )
        moved = by_draws(circuit, law, np.concatenate([slopes.real, slopes.imag, leaning]))
        return FirstOrder(names, 0.0, np.concatenate([error.real, error.imag, offset]), moved)

    return tuple(theory(k, tap.of) for k, tap in enumerate(circuit.taps))


@dataclass(frozen=True, eq=False)
class Coordinates:
    """How states at tones become coordinates of the window's error, over rms(u).

    Coordinates are (tone, real or imaginary, direction in the window), then the offset.

    Attributes
    ----------
    rest : float
        Mean square of what lies along no direction.
    ideal : (e,) array
        What the window is to hold.
    readout : (d, d) array
        From states to directions in the window, over rms(u).
    phasor : (f,) complex array
        Of the input, over sqrt(2).
    """

    rest: float
    ideal: np.ndarray
    readout: np.ndarray
    phasor: np.ndarray

    @classmethod
    def of(cls, tones: Tones, design: Design) -> "Coordinates":
        """Take those of a memory of the design's order and window."""
        rule = places(tones, design.order, design.theta)
        root = np.sqrt(rule.weight)[:, None]
        basis, readout = np.linalg.qr(root * window.readout(design.order, rule.r))
        delay = np.exp(-2j * np.pi * design.theta * np.outer(tones.frequency, rule.r))
        phasor = math.sqrt(0.5) * tones.phasor / tones.rms
        wanted = phasor[:, None] * delay * root[:, 0]
        reached = wanted @ basis
        rest = float(np.sum(np.abs(wanted) ** 2) - np.sum(np.abs(reached) ** 2))
        ideal = np.concatenate([reached.real.ravel(), reached.imag.ravel(), np.zeros(len(readout))])
        return cls(max(rest, 0.0), ideal, readout / tones.rms, phasor * tones.rms)

    def seen(self, states: Complex[np.ndarray, "f d n"], offset: Float[np.ndarray, "d n"]) -> np.ndarray:
        """Give n answers of the states their coordinates, (e, n)."""
        along = (self.readout @ (self.phasor[:, None, None] * states)).reshape(-1, states.shape[-1])
        return np.concatenate([np.real(along), np.imag(along), self.readout @ offset])


def linearised(
    design: Design, circuit: Circuit
) -> tuple[float, Float[np.ndarray, " e"], Float[np.ndarray, "e m"]]:
    """Give rest and error as in ``FirstOrder``, and the error's derivatives by all parameters, per SI unit, (e, m).

    Raises
    ------
    DesignError
        If the signal is a recording.
    """
    tones = _tones(design)
    at = Coordinates.of(tones, design)
    found = derivatives(circuit, tones.frequency)
    error = at.seen(found.states[..., None], found.offset[:, None])[:, 0] - at.ideal
    return at.rest, error, at.seen(found.by_parameter, found.offset_by_parameter)


def offset_slopes(design: Design, circuit: Circuit) -> Float[np.ndarray, "e m"]:
    """Give the derivatives of the error's constant part alone, by all parameters, per SI unit: by offsets, that is all.

    Raises
    ------
    DesignError
        If the signal is a recording.
    """
    at, found = Coordinates.of(_tones(design), design), derivatives(circuit, np.zeros(0))
    slopes = at.readout @ found.offset_by_parameter
    return np.concatenate([np.zeros((len(at.ideal) - len(slopes), slopes.shape[1])), slopes])


def errors_of(
    design: Design, circuit: Circuit, values: Float[np.ndarray, "s m"], *, plan: Split | None = None
) -> Float[np.ndarray, "e s"]:
    """Give the errors of a circuit at other values in the coordinates of ``first_order``, (e, s); for tones.

    Parameters
    ----------
    design : Design
    circuit : Circuit
    values : (s, m) array
    plan : Split, optional
        Of the same connections and probes, where that is known already.

    Raises
    ------
    DesignError
        If the signal is a recording.
    """
    tones = _tones(design)
    at, system = Coordinates.of(tones, design), extract(circuit, values, plan=plan)
    states = steady_response(system, tones.frequency)
    offset = np.zeros(states.shape[::2]) if system.offset is None else system.offset
    return at.seen(np.moveaxis(states, 0, -1), offset.T) - at.ideal[:, None]


def _tones(design: Design) -> Tones:
    if not isinstance(design.stimulus, Tones):
        raise DesignError("errors of many circuits are taken for periodic signals; leave the recording out")
    return design.stimulus


def _in_recording(circuit: Circuit, law: Mismatch, design: Design) -> tuple[float, np.ndarray, np.ndarray]:
    """Give the same of a recording; what mismatch does not move has no derivative."""
    moving = np.flatnonzero(moved(circuit, law) != circuit.values)
    found = recorded_error(design, moving)
    slopes = np.zeros((len(found.error), len(circuit.parameters)))
    slopes[:, moving] = found.slopes
    return found.rest, found.error, slopes


def by_draws(
    circuit: Circuit,
    law: Mismatch,
    slopes: Float[np.ndarray, "e m"],
    *,
    draws: Sequence[int] | None = None,
) -> Float[np.ndarray, "e z"]:
    """Give what one standard deviation of each draw does, (e, z), from derivatives by parameters, (e, m).

    By small steps of the law alone.

    Parameters
    ----------
    circuit : Circuit
    law : Mismatch
    slopes : (e, m) array
    draws : sequence of int, optional
        Places of those that are wanted; all unless given.
    """
    count = len(columns(circuit, law))
    wanted = np.arange(count) if draws is None else np.array(draws, int)
    parts = [np.zeros((len(slopes), 0))]
    for start in range(0, len(wanted), _COLUMNS_AT_ONCE):
        now = wanted[start : start + _COLUMNS_AT_ONCE]
        step = np.zeros((len(now), count))
        step[np.arange(len(now)), now] = STEP
        moved = (sample(circuit, law, step) - sample(circuit, law, -step)) / (2.0 * STEP)
        # Most draws move one parameter, and a product of matrices would add zeros to that.
        many = np.count_nonzero(moved, axis=1) != 1
        at = (moved != 0.0).argmax(axis=1)
        found = slopes[:, at] * moved[np.arange(len(moved)), at]
        found[:, many] = slopes @ moved[many].T
        parts.append(found)
    return np.concatenate(parts, axis=1) * _deviations(circuit, law)[wanted]


def _deviations(circuit: Circuit, law: Mismatch) -> np.ndarray:
    """Give the standard deviation of what every draw does over its slope at the middle, (z,)."""
    found = []
    for name in columns(circuit, law):
        of, _, mismatch_class = name.rpartition("|")
        tolerance = law.classes[mismatch_class]
        spread = tolerance.lot if of == "lot" else tolerance.tolerance
        found.append(deviation("gauss3" if of.endswith(".offset") else tolerance.distribution, spread))
    for _, draw, spread, distribution in relative_deviations(circuit, law):
        found[draw] = deviation(distribution, spread)
    return np.array(found)


def deviation(distribution: Distribution, spread: float) -> float:
    """Give the standard deviation of a law over its slope at z = 0, where z is the standard normal behind it.

    Parameters
    ----------
    distribution : str
    spread : float
        As in ``Tolerance``; only of a lognormal law it matters.
    """
    match distribution:
        case "gauss":
            return 1.0
        case "gauss3":
            inside = math.erf(TRUNCATION / math.sqrt(2.0))
            edge = 2.0 * TRUNCATION * math.exp(-0.5 * TRUNCATION**2) / math.sqrt(2.0 * math.pi)
            return math.sqrt(1.0 - edge / inside) / inside
        case "uniform":
            return math.sqrt(math.pi / 6.0)
        case "lognormal":
            return 1.0 if spread == 0.0 else spread * math.sqrt((1.0 + spread**2) / math.log1p(spread**2))
