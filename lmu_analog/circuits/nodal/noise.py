"""Noise sources of a circuit and their transfer to the states: x' = A x + B n, m = C x + D n, n unit white noises.

Resistors have 4kT/R, transconductors 4kT gamma g, transistors the shot noise of their channel at the operating point,
op-amps a noise voltage at their input and a noise current into each; all densities are one-sided. Ideal op-amps,
followers and sources make none.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import (
    Component,
    DifferentialOpAmp,
    Mosfet,
    OpAmp,
    Resistor,
    Transconductor,
)
from lmu_analog.circuits.nodal.extract import probe_rows, units
from lmu_analog.circuits.nodal.linearised import Channel, linearised
from lmu_analog.circuits.nodal.settling import BOLTZMANN
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.errors import CircuitError

RANK = 1e-10  # singular values below it, of 1, come from storage that depends on other storage
FEEDTHROUGH = 1e-9  # of the response at 1/theta: below it, what reaches an output at once is rounding


@dataclass(frozen=True)
class Source:
    """One source of noise.

    Attributes
    ----------
    name : str
        Of the component.
    kind : str
        thermal, shot, voltage or current.
    density : float
        One-sided, A^2/Hz, or V^2/Hz of a voltage.
    corner : float, Hz
        Where 1/f noise is as large as the white.
    """

    name: str
    kind: str
    density: float
    corner: float = 0.0


@dataclass(frozen=True, eq=False)
class NoiseSystem:
    """How the outputs of a circuit answer to its noise.

    Attributes
    ----------
    sources : tuple of Source
    A : (n, n) array, 1/s
    B : (n, k) array
        From unit white noise at every source.
    C, D : (p, n) and (p, k) arrays
        Outputs, V; what of a source is in D has no finite power without a limit of the band.
    """

    sources: tuple[Source, ...]
    A: Float[np.ndarray, "n n"]
    B: Float[np.ndarray, "n k"]
    C: Float[np.ndarray, "p n"]
    D: Float[np.ndarray, "p k"]

    @property
    def density(self) -> Float[np.ndarray, " k"]:
        """One-sided white densities of the sources, (k,)."""
        return np.array([s.density for s in self.sources])

    @property
    def corner(self) -> Float[np.ndarray, " k"]:
        """Corner frequencies of 1/f noise, (k,), Hz."""
        return np.array([s.corner for s in self.sources])


def noise_system(circuit: Circuit, *, temperature: float) -> NoiseSystem:
    """Read the response to noise out of a circuit in continuous time, at the operating point where it has transistors.

    Parameters
    ----------
    circuit : Circuit
        The outputs are its probes.
    temperature : float, K

    Raises
    ------
    CircuitError
        If the circuit has switches, no operating point, or singular equations.
    """
    channels: tuple[Channel, ...] = ()
    if circuit.small_signal is not None:
        circuit, channels = linearised(circuit)
    if circuit.clock is not None:
        raise CircuitError(f"{circuit.family}: its noise is that of its switches, kT/C; use sampled_noise")
    index = Index(circuit)
    found = [pair for c in circuit.components for pair in _sources(c, index, temperature)]
    found += [(Source(c.name, "shot", c.density), _current(index, c.source, c.drain)) for c in channels]
    injection = np.zeros((index.size, len(found)))
    for k, (_, places) in enumerate(found):
        for row, amount in places.items():
            injection[row, k] += amount
    try:
        A, B, C, D = response_to(circuit, index, injection)
    except np.linalg.LinAlgError as error:
        raise CircuitError(
            "the node equations are singular: a part floats, or an op-amp has no feedback"
        ) from error
    return NoiseSystem(tuple(source for source, _ in found), A, B, C, D)


def _sources(c: Component, index: Index, temperature: float) -> Iterator[tuple[Source, dict[int, float]]]:
    """Give every source of a component, and what one unit of it adds to which equation."""
    thermal = 4.0 * BOLTZMANN * temperature
    match c:
        case Resistor():
            yield Source(c.name, "thermal", thermal / c.value), _current(index, c.a, c.b)
        case Transconductor() if c.model.excess_noise:
            density = thermal * c.model.excess_noise * c.value
            # 1/f noise of a transconductor's current is as many times its white noise at the corner and below.
            yield Source(c.name, "thermal", density, c.model.noise_corner or 0.0), _current(index, c.out)
        case OpAmp() | DifferentialOpAmp() if not c.model.ideal:
            model = c.model
            if model.noise:
                crossover = 2.0 * math.pi * model.gbw
                yield (
                    Source(c.name, "voltage", model.noise**2, model.noise_corner),
                    {index.own[c.name]: crossover},
                )
            for net in (c.plus, c.minus):
                if model.current_noise and net in index.law:
                    yield Source(c.name, "current", model.current_noise**2), _current(index, net)
        case _:
            pass


def unknown_noise(circuit: Circuit) -> tuple[str, ...]:
    """Say in lines which noise is not counted because nothing is known of it."""
    lines: list[str] = []
    if circuit.only(Mosfet):
        lines.append("1/f noise of transistors: their model has none")
    elif any(c.model.noise_corner is None for c in circuit.only(Transconductor)):
        lines.append("1/f noise of transconductors: give noise_corner in [circuit] transconductor")
    models = [c.model for c in circuit.amplifiers]
    if circuit.clock is not None and models:
        lines.append("noise of amplifiers: only kT/C of the switches is counted")
    for name in dict.fromkeys(
        m.name for m in models if circuit.clock is None and not m.ideal and not m.noise
    ):
        lines.append(f"noise of {name}: give noise, noise_corner and current_noise")
    return tuple(lines)


def _current(index: Index, *nets: str) -> dict[int, float]:
    """Let a current enter the first net, and leave the second if there is one; both may have one law."""
    found: dict[int, float] = {}
    for net, sign in zip(nets, (1.0, -1.0), strict=False):
        if net in index.law:
            found[index.law[net]] = found.get(index.law[net], 0.0) + sign
    return found


def response_to(
    circuit: Circuit, index: Index, injection: Float[np.ndarray, "N k"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Give A, B, C, D from what is added to the equations of a circuit to its probes.

    The unknowns part into what is stored, x, and what follows at once, y, by the singular values of E.

    Parameters
    ----------
    circuit : Circuit
        Linear, in continuous time.
    index : Index
    injection : (N, k) array
        What one unit of each of k inputs adds to which equation.

    Raises
    ------
    numpy.linalg.LinAlgError
        If the equations are singular.
    """
    stamped = stamp(circuit, index, circuit.values[None])
    unit = units(index, stamped.F[0])
    E, F = stamped.E[0] * unit, stamped.F[0] * unit
    stores, sets = (np.abs(part).max(axis=1, initial=0.0) for part in (E, F))
    # Rows that store are measured per second, and the others alike, so that mixing them costs no digits.
    scale = 1.0 / np.where(stores > 0.0, stores, np.maximum(sets, 1e-300) * circuit.theta)
    E, F, injected = (scale[:, None] * part for part in (E, F, injection))
    U, size, Vt = linalg.svd(E)
    r = int(np.sum(size > RANK * size[0])) if len(size) else 0
    L, P, M, Z = U[:, :r], U[:, r:], Vt[:r].T, Vt[r:].T
    output = probe_rows(circuit, index)[0] * unit
    forced = np.hstack([F @ M, injected])
    y = -np.linalg.solve(P.T @ F @ Z, P.T @ forced)
    rates = (L.T @ forced + L.T @ F @ Z @ y) / size[:r, None]
    seen = output @ Z @ y
    A, B, C, D = rates[:, :r], rates[:, r:], output @ M + seen[:, :r], seen[:, r:]
    response = C @ np.linalg.solve(1j / circuit.theta * np.eye(r) - A, B)
    rounding = np.abs(D) < FEEDTHROUGH * np.abs(response).max(axis=0, initial=0.0)
    return A, B, C, np.where(rounding, 0.0, D)
