"""Which device's deviation contributes how much to a chip's window error and offsets, after one trim of the bias.

States and offsets are differentiated by the deviation of every device and by the bias, by differences of the exact
engine's samples. The trim of a chip takes away what looks like another window length: to first order a projection.
What is left is linear in independent normal draws, so that variances add up, by device and by role.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.errors import SimulationError
from lmu_analog.memory import window
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.draws import Deviations, Spread, from_normals, names, nominal
from lmu_analog.silicon.ensemble import Measure, fitted_theta
from lmu_analog.silicon.samples import Bench, Measured

STEP = 0.5  # standard deviations of the differences: their curvature cancels, and the engine's tolerance is 1e-5 of it
BIAS_STEP = 0.02  # of the logarithm of the bias
SHARED = "process"  # what contributions of the process are called among devices and roles
CHIPS = (
    20_000  # drawn from the law for a quantile: p95 is then known to .3 % of its deviation from the median
)
By = Literal["device", "role", "kind"]
Of = Literal["error", "offset", "both"]


@dataclass(frozen=True, eq=False)
class Linearised:
    """Window error of chips to first order: NRMSE^2 = rest + |error + J z|^2 + |K z|^2/rms^2 with standard normal z.

    Attributes
    ----------
    names : tuple of str
        Of the z draws, ``DEVICE|KIND`` as in ``draws.names``.
    roles : tuple of str
        Of their devices; the process is one of its own.
    rest : float
        Mean square error that no memory of this order can reach for these tones.
    error : (e,) array
        Of the nominal chip, trimmed as others are, fractions of rms(u).
    jacobian : (e, z) array
        What one standard deviation of each draw adds to it after the trim.
    offset : (d, z) array, V
        Likewise, to Legendre states over the root of 2 i + 1: root of the mean square over the window.
    theta : (z,) array
        What it adds to the logarithm of the window length before the trim.
    """

    names: tuple[str, ...]
    roles: tuple[str, ...]
    rest: float
    error: Float[np.ndarray, " e"]
    jacobian: Float[np.ndarray, "e z"]
    offset: Float[np.ndarray, "d z"]
    theta: Float[np.ndarray, " z"]

    @property
    def nominal(self) -> float:
        """Window NRMSE of the nominal chip."""
        return math.sqrt(self.rest + float(self.error @ self.error))

    @cached_property
    def devices(self) -> tuple[str, ...]:
        """Device of every draw; devices that are a chain count as one, by their common name."""
        found = (name.rpartition("|")[0].rstrip("0123456789") for name in self.names)
        return tuple(
            SHARED if name.startswith(f"{SHARED}|") else device
            for name, device in zip(self.names, found, strict=True)
        )

    def scaled(self, deviation: Float[np.ndarray, " z"]) -> "Linearised":
        """Give the law for standard deviations that are multiples of these."""
        return replace(
            self,
            jacobian=self.jacobian * deviation,
            offset=self.offset * deviation,
            theta=self.theta * deviation,
        )

    def variance(self, of: Of = "both", *, rms: float = 1.0) -> Float[np.ndarray, " z"]:
        """Give what every draw adds to the mean square error.

        Parameters
        ----------
        of : {"error", "offset", "both"}
        rms : float, V
            Of the input on the chip: offsets count relative to it.
        """
        found = np.zeros(len(self.names))
        if of != "offset":
            found += (self.jacobian**2).sum(axis=0)
        if of != "error":
            found += (self.offset**2).sum(axis=0) / rms**2
        return found


def linearised(measure: Measure, bench: Bench, found: Spread) -> Linearised:
    """Differentiate states and offsets of the nominal chip.

    Parameters
    ----------
    measure : callable
        An engine, of small signals: from samples and factors of the bias to what is measured.
    bench : Bench
        Where, and at which tones, whose amplitudes are alike.
    found : Spread
        Standard deviations of the circuit's devices.

    Raises
    ------
    SimulationError
        If the engine does not know a sample.
    """
    circuit, theta = bench.here, bench.circuit.theta
    known = tuple(names(circuit, found))
    middle = _measured(measure, nominal(circuit, found), np.ones(1))
    rise, fall = (from_normals(found, sign * STEP * np.eye(len(known))) for sign in (1.0, -1.0))
    up, down = (_measured(measure, x, np.ones(len(known))) for x in (rise, fall))
    ends = [_measured(measure, nominal(circuit, found), np.exp([sign * BIAS_STEP])) for sign in (1.0, -1.0)]
    by_bias = (ends[0].states - ends[1].states)[0] / (2.0 * BIAS_STEP)
    offset_by_bias = (ends[0].offset - ends[1].offset)[0] / (2.0 * BIAS_STEP)
    states = (up.states - down.states) / (2.0 * STEP)
    offset = (up.offset - down.offset) / (2.0 * STEP)
    at = _Coordinates(bench.frequency, theta, circuit.order)
    here = at.vectors(middle.states)[0]
    # Where the nominal window is: what fits others is seen from there.
    length = float(fitted_theta(middle.states, bench.frequency, theta)[0])
    fit = replace(at, theta=length)
    lengths, by_trim = fit.lengths(states, here), float(fit.lengths(by_bias[None], here)[0])
    trim = -lengths / by_trim
    jacobian = at.vectors(states + trim[:, None, None] * by_bias)
    # The nominal chip too is trimmed to its window.
    first = -math.log(length / theta) / by_trim
    error = here - at.ideal + first * at.vectors(by_bias[None])[0]
    drift = (offset + trim[:, None] * offset_by_bias) * at.weight
    return Linearised(known, _roles(circuit, found), at.rest, error, jacobian.T, drift.T, lengths)


def around(law: Linearised, bench: Bench, states: Complex[np.ndarray, "k d"]) -> Linearised:
    """Give the law with other states of the nominal chip, such as those at full amplitude, which are not trimmed."""
    at = _Coordinates(bench.frequency, bench.circuit.theta, bench.circuit.order)
    return replace(law, error=at.vectors(states[None])[0] - at.ideal)


def _measured(measure: Measure, sample: Deviations, trim: np.ndarray) -> Measured:
    found = measure(sample, trim)
    if not np.isfinite(found.states).all():
        raise SimulationError("the engine does not know a chip in which one device deviates by half a sigma")
    return found


def _roles(circuit: SiliconCircuit, found: Spread) -> tuple[str, ...]:
    mos, mim, strips = (
        tuple(x.role for x in of) for of in (circuit.transistors, circuit.capacitors, circuit.resistors)
    )
    return (*mos, *mos, *mim, *strips, *(SHARED for _ in found.process))


@dataclass(frozen=True, eq=False)
class _Coordinates:
    """Window errors of equal tones as real vectors: Legendre coefficients over the root of 2 i + 1."""

    frequency: np.ndarray
    theta: float
    order: int

    @cached_property
    def weight(self) -> Float[np.ndarray, " d"]:
        return 1.0 / np.sqrt(2.0 * np.arange(self.order) + 1.0)

    def vectors(self, states: Complex[np.ndarray, "s k d"]) -> Float[np.ndarray, "s e"]:
        found = (states * self.weight).reshape(len(states), -1) / math.sqrt(len(self.frequency))
        return np.concatenate([found.real, found.imag], axis=-1)

    def _projected(self, power: int) -> Float[np.ndarray, " e"]:
        """Project (w theta r/j)^power times the ideal delays."""
        tones = self.frequency, np.ones(len(self.frequency), complex)
        rule = window.quadrature_for(self.order, tones, self.theta)
        turns = -2j * np.pi * self.theta * np.outer(self.frequency, rule.r)
        rows = window.readout(self.order, rule.r) * rule.weight[:, None]
        coefficients = (turns**power * np.exp(turns)) @ rows / self.weight**2
        return self.vectors(coefficients[None])[0]

    @cached_property
    def ideal(self) -> Float[np.ndarray, " e"]:
        return self._projected(0)

    @property
    def rest(self) -> float:
        """Mean square of what is beyond the polynomials, for tones whose mean squares add up to one."""
        return max(0.0, 1.0 - float(self.ideal @ self.ideal))

    def lengths(
        self, states: Complex[np.ndarray, "s k d"], here: Float[np.ndarray, " e"]
    ) -> Float[np.ndarray, " s"]:
        """Give what these add to the logarithm of the window length that fits best.

        There the product of what the chip shows with what a longer window would change is zero.
        """
        first, second = self._projected(1), self._projected(2)
        return -self.vectors(states) @ first / float((first + second) @ here)


@dataclass(frozen=True)
class Contribution:
    """What the deviations of one device or role add to the mean square error.

    Attributes
    ----------
    name : str
    variance : float
        Of the mean square error, fractions of rms(u)^2.
    share : float
        Of all that deviations add.
    """

    name: str
    variance: float
    share: float


def contributions(
    law: Linearised, *, by: By = "role", of: Of = "both", rms: float = 1.0
) -> tuple[Contribution, ...]:
    """Add up what deviations contribute, largest first.

    Parameters
    ----------
    law : Linearised
    by : {"device", "role", "kind"}
        Kinds are thresholds, current factors (``mobility``), capacitors, resistors and variables of the process.
    of : {"error", "offset", "both"}
    rms : float, V
        Of the input on the chip.
    """
    variance = law.variance(of, rms=rms)
    total = float(variance.sum())
    sums: dict[str, float] = {}
    for label, value in zip(labels(law, by), variance.tolist(), strict=True):
        sums[label] = sums.get(label, 0.0) + value
    ranked = sorted(sums.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Contribution(name, value, value / total if total else 0.0) for name, value in ranked)


def labels(law: Linearised, by: By) -> tuple[str, ...]:
    """Name what every draw counts for."""
    if by == "device":
        return law.devices
    if by == "role":
        return law.roles
    kinds = (name.rpartition("|")[2] for name in law.names)
    return tuple(SHARED if role == SHARED else kind for role, kind in zip(law.roles, kinds, strict=True))


def predicted(
    law: Linearised,
    share: float = 0.95,
    *,
    of: Of = "error",
    rms: float = 1.0,
    nominal_square: float | None = None,
) -> float:
    """Give the window NRMSE that a share of chips stays below, from ``CHIPS`` draws of the law with a fixed seed.

    Parameters
    ----------
    law : Linearised
    share : float
    of : {"error", "offset", "both"}
        What counts beside the nominal error: errors, and offsets of states or not.
    rms : float, V
        Of the input on the chip.
    nominal_square : float, optional
        Mean square error to be added, such as distortion.
    """
    rows = [] if of == "offset" else [law.jacobian]
    rows += [] if of == "error" else [law.offset / rms]
    middle = np.zeros(0) if of == "offset" else law.error
    J = np.concatenate(rows)
    centre = np.concatenate([middle, np.zeros(len(J) - len(middle))])
    left, scale, _ = np.linalg.svd(J, full_matrices=False)
    kept = scale > 1e-9 * scale.max(initial=0.0)
    z = np.random.default_rng(0).standard_normal((CHIPS, int(kept.sum())))
    inner = left[:, kept].T @ centre
    square = ((z * scale[kept] + inner) ** 2).sum(axis=-1) + float(centre @ centre - inner @ inner)
    fixed = (0.0 if of == "offset" else law.rest) + (nominal_square or 0.0)
    return float(np.quantile(np.sqrt(square + fixed), share))
