"""Low-pass filters of active RC: their poles, and standard values of the parts of every section.

A section of first order is R and C before a follower. One of second order is that of Sallen and Key with gain one:

    in --R1--a--R2--b--[+      H = 1 / (1 + (R1 + R2) C2 s + R1 R2 C1 C2 s^2)
             |      |  [  >--+-- out
             C1     C2 [-    |
             |      |  |     |
            out   ground  ---+

A fully differential amplifier follows nothing; there each half inverts: R and R with C beside the second, or the
multiple-feedback section, R1 = R2 = R, whose denominator is 1 + (R + 2 R3) C2 s + R R3 C1 C2 s^2:

    in --R1--a--R3--g--[-
             |  |   C2  [ >--- out          C1 from a to ground, R2 from a and C2 from g to the output
             C1 R2
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import scipy
from jaxtyping import Complex, Float

from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.impedance import ANY_CAPACITOR, CAPACITORS, LEAST_USUAL
from lmu_analog.circuits.ranges import CERAMIC, DISCRETE

Response = Literal["butterworth", "bessel"]
RESPONSES: tuple[Response, ...] = get_args(Response)
HIGHEST_ORDER = 8
_WANTED = (
    20e3  # Ohm: geometric mean of the resistors; above it bias currents and noise tell, below it the load
)
# What a value out of its limits, an unusual one, a capacitor that nobody sells, and one of film cost.
_OUTSIDE, _UNUSUAL, _UNSOLD, _FILM = 8.0, 4.0, 2.0, 1.0
_SPREAD = 0.25  # a decade between the capacitors of a section, beyond what it needs
_ALIKE = 0.7  # of the cost: among such choices the one decides whose standard values come closest
_WIDEST = 4.0  # ratio of the capacitors over the least that the section needs
_GRID = np.linspace(0.02, 1.0, 50)  # of a section's corner, where rounding is looked at


@dataclass(frozen=True)
class Section:
    """A section of a filter.

    Attributes
    ----------
    corner : float, rad/s
        w_0 of its denominator, or its pole.
    q : float or None
        Quality of a pair of poles; None of a single pole.
    """

    corner: float
    q: float | None = None


@dataclass(frozen=True)
class Values:
    """Parts of a section: Ohm and F; a single pole has the first of each."""

    resistors: tuple[float, ...]
    capacitors: tuple[float, ...]


def poles(order: int, response: Response) -> Complex[np.ndarray, " n"]:
    """Give the poles of a low-pass filter that is 3 dB down at 1 rad/s, (n,).

    ``bessel`` is the filter of maximally flat delay (Thomson, Proc. IEE 96, 1949): the roots of the reverse Bessel
    polynomial, which is 3 dB down elsewhere and is scaled.
    """
    if response == "butterworth":
        angle = np.pi * (2.0 * np.arange(order) + 1.0 + order) / (2.0 * order)
        return np.exp(1j * angle)
    n = order
    coefficients = [
        math.factorial(2 * n - k) / (2 ** (n - k) * math.factorial(k) * math.factorial(n - k))
        for k in range(n, -1, -1)
    ]
    found = np.roots(coefficients).astype(complex)

    def beyond(w: float) -> float:
        return 20.0 * float(np.log10(np.abs(np.polyval(coefficients, 1j * w) / coefficients[-1]))) - 10.0 * (
            math.log10(2.0)
        )

    # Its delay is one second, so it falls by 3 dB where some radians have passed; no later than at its order.
    return found / scipy.optimize.root_scalar(beyond, bracket=(0.1, 2.0 * n + 1.0), xtol=1e-14).root


def sections(order: int, bandwidth: float, response: Response) -> tuple[Section, ...]:
    """Part a filter into sections, those of low quality first: they do not clip what comes before the peak.

    Parameters
    ----------
    order : int
        From 1.
    bandwidth : float, Hz
        Where the whole filter is 3 dB down.
    response : {"butterworth", "bessel"}
    """
    corner = 2.0 * np.pi * bandwidth
    found = poles(order, response)
    upper = [p for p in found if p.imag > 1e-9 * abs(p)]
    single = [Section(corner * abs(p)) for p in found if abs(p.imag) <= 1e-9 * abs(p)]
    pairs = [Section(corner * abs(p), float(abs(p) / (-2.0 * p.real))) for p in upper]
    return (*single, *sorted(pairs, key=lambda s: s.q or 0.0))


def response_of(
    frequency: Float[np.ndarray, " f"], *, order: int, bandwidth: float, response: Response
) -> Complex[np.ndarray, " f"]:
    """Give what the ideal filter makes of tones, (f,)."""
    if not order:
        return np.ones(len(frequency), complex)
    s = 1j * np.asarray(frequency, float) / bandwidth
    return np.prod([-p / (s - p) for p in poles(order, response)], axis=0)


def values(section: Section, series: str, *, inner: float, stock: Stock = ANY_CAPACITOR) -> Values:
    """Choose the parts of a section: capacitors of E12, resistors as they follow, or of a series.

    Parameters
    ----------
    section : Section
    series : str
        Of the resistors; "exact" for what the capacitors leave.
    inner : float
        How often the second resistor counts in the denominator's linear term: once after Sallen and Key, twice in a
        multiple-feedback section.
    stock : Stock
        What is asked of capacitors.
    """
    found = list(_offered(section, inner))
    costs = np.round([_cost(section, each, inner) + _UNSOLD * _unsold(each, stock) for each in found], 8)
    if series == "exact":
        return found[int(costs.argmin())]
    near = np.flatnonzero(costs <= costs.min() + _ALIKE)
    rounded = [_rounded(found[k], series) for k in near]
    errors = np.round([_error(section, each, inner) for each in rounded], 8)
    return rounded[int(errors.argmin())]


def _offered(section: Section, inner: float) -> Iterator[Values]:
    """Give all choices of capacitors with the resistors that they need, Ohm."""
    w, q = section.corner, section.q
    if q is None:
        yield from (Values((1.0 / (w * c),), (float(c),)) for c in CAPACITORS)
        return
    least = 4.0 * inner * q**2  # of C1/C2, where both roots below are one
    series = np.concatenate([CAPACITORS, 10.0 * CAPACITORS[-12:]])
    for c2 in CAPACITORS:
        for c1 in series[(series >= least * c2) & (series <= _WIDEST * least * c2)]:
            total, product = 1.0 / (q * w * c2), inner / (w**2 * c1 * c2)
            root = math.sqrt(max(total**2 - 4.0 * product, 0.0))
            larger = 0.5 * (total + root)
            yield Values((larger, product / larger / inner), (float(c1), float(c2)))


def _cost(section: Section, of: Values, inner: float) -> float:
    """Say how unsuitable values are: decades from what is wanted, and what is out of limits."""
    (low, high), (least, most) = DISCRETE[Resistor], DISCRETE[Capacitor]
    cost = abs(math.log10(math.sqrt(min(of.resistors) * max(of.resistors)) / _WANTED))
    cost += _OUTSIDE * sum(not low <= r <= high for r in of.resistors)
    cost += _OUTSIDE * sum(not least <= c <= most * (1.0 + 1e-9) for c in of.capacitors)
    cost += _UNUSUAL * (min(of.capacitors) < LEAST_USUAL[Capacitor] * (1.0 - 1e-9))
    cost += _FILM * (max(of.capacitors) > CERAMIC * (1.0 + 1e-9))
    if section.q is not None:
        cost += _SPREAD * math.log10(of.capacitors[0] / of.capacitors[1] / (4.0 * inner * section.q**2))
    return cost


def _unsold(of: Values, stock: Stock) -> int:
    return int(np.sum(~stock.has(np.array(of.capacitors))))


def _rounded(of: Values, series: str) -> Values:
    return Values(tuple(float(nearest(r, series)) for r in of.resistors), of.capacitors)


def _error(section: Section, of: Values, inner: float) -> float:
    """Give the largest error of a section with these values up to its corner, a fraction."""
    s = 1j * section.corner * _GRID
    if section.q is None:
        made = 1.0 + s * of.resistors[0] * of.capacitors[0]
        return float(np.abs((1.0 + s / section.corner) / made - 1.0).max())
    (r1, r2), (c1, c2) = of.resistors, of.capacitors
    made = 1.0 + s * (r1 + inner * r2) * c2 + s**2 * r1 * r2 * c1 * c2
    wanted = 1.0 + s / (section.q * section.corner) + (s / section.corner) ** 2
    return float(np.abs(wanted / made - 1.0).max())
