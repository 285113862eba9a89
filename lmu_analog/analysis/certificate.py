"""What a deck claims of itself, and whether it is so: from the deck alone.

The comment block names the proofs of the deck's order, how far its circuit is from the ideal memory, the digest of
its design, and a checksum for every card of the circuit. The distance is that of the windows: the difference of the
Legendre states of circuit and ideal memory, for a flat spectrum up to the bandwidth, as rms over the window (Parseval's
theorem for Legendre polynomials: the integral of P_i^2 is 1/(2i + 1)), a fraction of rms(u). It is what the circuit
adds to the truncation of the ideal memory. Offsets are no part of it. A tap has such a distance from the same tap of
the ideal memory, and an error against what it is to show, which has the truncation in it.
"""

import re
from dataclasses import dataclass, replace

import numpy as np

from lmu_analog.circuits.circuit import Circuit, Output, reading_taps
from lmu_analog.circuits.components import Mosfet
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.nodal.linearised import linearised
from lmu_analog.errors import CircuitError, DesignError, shown
from lmu_analog.memory.legendre import legendre, usable_band
from lmu_analog.memory.proofs import PROOFS, proved
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.statespace import StateSpace, frequency_response, growth
from lmu_analog.memory.taps import of_states, wanted_response
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.spice.cards import Deck
from lmu_analog.spice.checksums import Difference, compared, items, lines, stored
from lmu_analog.spice.readback import Header, circuit_of, header

FEWEST_NODES, NODES_A_STATE = 24, 4  # frequencies: a flat spectrum, integrated exactly, as for calibration
ROUNDING = 1e-9  # a distance below it is the rounding of the analysis
_NAMED = 6  # changed cards in an error
_DIGITS = 3  # of the distance in a deck
_DISTANCE = re.compile(r"(below )?([0-9.]+(?:e[+-]?\d+)?) % of rms\(u\).*, 0 to ([0-9.]+(?:e[+-]?\d+)?) Hz")


@dataclass(frozen=True)
class Claim:
    """What the comment block of a deck claims.

    Attributes
    ----------
    design : str or None
        Digest of the design.
    proofs : tuple of str
    deviation : float or None
        Distance from the ideal memory, a fraction of rms(u); zero where the deck says that it is rounding.
    bandwidth : float or None, Hz
        Up to which that is so.
    checksums : tuple of str
    """

    design: str | None
    proofs: tuple[str, ...]
    deviation: float | None
    bandwidth: float | None
    checksums: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """Whether the deck claims nothing that could be checked."""
        return not self.proofs and self.deviation is None and not self.checksums


@dataclass(frozen=True)
class FoundTap:
    """What a tap of a deck is, for the same spectrum.

    Attributes
    ----------
    output : Output
        What the deck says of it: net, gain and what it is to show.
    deviation : float or None
        Distance over its gain from the same tap of the ideal memory, a fraction of rms(u); None if unstable.
    nrmse : float or None
        Error over its gain against what it is to show, the input delayed, for one; likewise.
    """

    output: Output
    deviation: float | None
    nrmse: float | None


@dataclass(frozen=True)
class Finding:
    """What a deck is.

    Attributes
    ----------
    block : Header
    claim : Claim
    proofs : dict of str to bool
        Every proof, run again for the order.
    bandwidth : float, Hz
    deviation : float or None
        Distance from the ideal memory, a fraction of rms(u); None if the circuit is unstable.
    difference : Difference or None
        From the checksums; None where the deck has none.
    taps : tuple of FoundTap
    """

    block: Header
    claim: Claim
    proofs: dict[str, bool]
    bandwidth: float
    deviation: float | None
    difference: Difference | None
    taps: tuple[FoundTap, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """What does not hold of the claims, a phrase each; empty if all hold."""
        said: list[str] = []
        if self.difference is not None and self.difference.changed:
            said.append(f"changed: {', '.join(item.name for item in self.difference.changed)}")
        if self.difference is not None and self.difference.missing:
            said.append(
                f"missing: {self.difference.missing} of the elements or lines that it was written with"
            )
        if false := [name for name in self.claim.proofs if not self.proofs.get(name, False)]:
            said.append(f"not proved: {', '.join(false)}")
        if self.deviation is None:
            said.append("the circuit is unstable")
        elif self.claim.deviation is not None and not _agrees(self.deviation, self.claim.deviation):
            said.append("another distance from the ideal memory than it claims")
        return tuple(said)


def _agrees(found: float, claimed: float) -> bool:
    """Tell whether a distance is the one that was written with three digits."""
    return abs(found - claimed) <= 0.6 * 10.0 ** (1 - _DIGITS) * claimed + 2.0 * ROUNDING


def state_space(circuit: Circuit) -> StateSpace:
    """Read the state space out of a circuit by nodal analysis, of transistors at their operating point.

    Raises
    ------
    CircuitError
        If it has none, or none that numbers of double precision hold.
    """
    try:
        with np.errstate(all="ignore"):
            system = extract(linearised(circuit)[0] if circuit.only(Mosfet) else circuit)
    except (np.linalg.LinAlgError, ValueError) as error:
        if isinstance(error, CircuitError):
            raise
        raise CircuitError(f"nodal analysis failed ({error}): values that are too far apart") from error
    if not all(np.isfinite(part).all() for part in (system.A, system.B, system.C, system.D)):
        raise CircuitError("nodal analysis gives no finite numbers: values that are too far apart")
    return system


def deviation(system: StateSpace, theta: float, bandwidth: float) -> float | None:
    """Give the distance of a circuit's window from that of the ideal memory, a fraction of rms(u).

    Parameters
    ----------
    system : StateSpace
        Whose outputs are the Legendre states.
    theta : float, s
    bandwidth : float, Hz
        A flat spectrum from zero to here.

    Returns
    -------
    float or None
        None if the circuit is unstable.
    """
    if not growth(system) < 0.0:
        return None
    order = system.C.shape[-2]
    rule = gauss_legendre(max(FEWEST_NODES, NODES_A_STATE * order))
    frequency = bandwidth * rule.r
    # Of a clocked circuit at the instants at which its states are read, as in `simulate`.
    apart = steady_response(system, frequency) - frequency_response(legendre(order, theta), frequency)
    power = np.abs(apart) ** 2 @ (1.0 / (2.0 * np.arange(order) + 1.0))
    return float(np.sqrt(rule.weight @ power))


def tap_deviations(circuit: Circuit, bandwidth: float) -> tuple[FoundTap, ...]:
    """Give for every tap its distance from the ideal memory's, and its error against what it is to show.

    Parameters
    ----------
    circuit : Circuit
    bandwidth : float, Hz
        A flat spectrum from zero to here.
    """
    if not circuit.taps:
        return ()
    system, order, theta = state_space(reading_taps(circuit)), circuit.order, circuit.theta
    if not growth(system) < 0.0:
        return tuple(FoundTap(tap, None, None) for tap in circuit.taps)
    rule = gauss_legendre(max(FEWEST_NODES, NODES_A_STATE * order))
    frequency = bandwidth * rule.r
    found = steady_response(system, frequency)[:, order:]
    ideal = frequency_response(legendre(order, theta), frequency)

    def rms(apart: np.ndarray) -> float:
        return float(np.sqrt(rule.weight @ np.abs(apart) ** 2))

    return tuple(
        FoundTap(
            tap,
            rms(shown_by - ideal @ of_states(tap.of, order)),
            rms(shown_by - wanted_response(tap.of, frequency, order=order, theta=theta)),
        )
        for tap, shown_by in zip(circuit.taps, found.T, strict=True)
    )


def certified(
    deck: Deck, circuit: Circuit, *, digest: str, bandwidth: float, system: StateSpace | None = None
) -> Deck:
    """Give a deck the certificate in its comment block.

    Parameters
    ----------
    deck : Deck
    circuit : Circuit
        From which it was made.
    digest : str
        Of the design.
    bandwidth : float, Hz
    system : StateSpace, optional
        Of the circuit, where it is known already and has no transistors.
    """
    names = proved(circuit.order)
    missing = [name for name in PROOFS if name not in names]
    proofs = f"proofs = {' '.join(names) or 'none'}, in whole numbers for order {circuit.order}"
    proofs += f"; not proved: {' '.join(missing)}" if missing else ""
    claims = (f"design = {digest}", proofs, _distance(circuit, bandwidth, system))
    deck = replace(deck, comments=(*deck.comments, *claims))
    return replace(deck, comments=(*deck.comments, *lines(items(deck, header(deck)))))


def _distance(circuit: Circuit, bandwidth: float, system: StateSpace | None) -> str:
    try:
        known = state_space(circuit) if system is None else system
        found = deviation(known, circuit.theta, bandwidth)
    except (CircuitError, DesignError) as error:  # the second of a clock too slow for the band
        return f"deviation = not known: {str(error)[:100]}"
    if found is None:
        return "deviation = not known: the circuit is unstable"
    size = f"below {100.0 * ROUNDING:g}" if found < ROUNDING else f"{100.0 * found:.{_DIGITS}g}"
    return f"deviation = {size} % of rms(u) from the ideal memory, 0 to {bandwidth!r} Hz, by nodal analysis"


def claim_of(block: Header) -> Claim:
    """Read what a comment block claims.

    Raises
    ------
    CircuitError
        If the distance from the ideal memory is written in no form of ours.
    """
    said = block.said
    words, distance = said.get("proofs", "").partition(",")[0].split(), said.get("deviation", "not known")
    found = None
    if not distance.startswith("not known"):
        found = _DISTANCE.match(distance)
        if found is None or not 0.0 < float(found[3]) < np.inf:
            raise CircuitError(
                "deviation = ...: '0.35 % of rms(u) from the ideal memory, 0 to 1000 Hz' is wanted"
            )
    return Claim(
        said.get("design"),
        tuple(word for word in words if word != "none"),
        None if found is None else 0.0 if found[1] else float(found[2]) / 100.0,
        None if found is None else float(found[3]),
        stored(block),
    )


def checked(deck: Deck) -> Finding:
    """Read the memory back out of a deck and compare it with what the deck claims.

    Raises
    ------
    CircuitError
        If the deck is none of ours, or its circuit has no state space.
    """
    block = header(deck)
    if dialect := block.said.get("dialect"):
        raise CircuitError(
            f"a deck for {shown(dialect)}; one for ngspice is wanted (netlist without --dialect)"
        )
    claim = claim_of(block)
    difference = compared(items(deck, block), claim.checksums) if claim.checksums else None
    try:
        circuit = circuit_of(deck)
        system = state_space(circuit)
    except CircuitError as error:
        if difference is None or not difference.changed:
            raise
        names = ", ".join(item.name for item in difference.changed[:_NAMED])
        raise CircuitError(f"{error}; changed since it was written: {names}") from error
    bandwidth = usable_band(circuit.order) / circuit.theta if claim.bandwidth is None else claim.bandwidth
    names = proved(circuit.order)
    return Finding(
        block,
        claim,
        {name: name in names for name in PROOFS},
        bandwidth,
        deviation(system, circuit.theta, bandwidth),
        difference,
        tap_deviations(circuit, bandwidth),
    )
