"""Limits of a switched-capacitor circuit beside mismatch: kT/C noise, and op-amps that must settle."""

import math

import numpy as np
from jaxtyping import Complex, Float
from scipy import linalg

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import GROUND, Capacitor, outputs
from lmu_analog.circuits.nodal.charge import Cycle, cycle, phases
from lmu_analog.errors import CircuitError

BOLTZMANN = 1.380649e-23  # J/K, exact since 2019
BITS = 20  # 2^-20 is 1e-6


def sampled_noise(
    circuit: Circuit, values: Float[np.ndarray, "*s m"] | None = None, *, temperature: float = 300.0
) -> Float[np.ndarray, "*s d d"]:
    """Covariance of the Legendre states from kT/C noise, each time they are read.

    When a phase ends, the plates that move keep a charge with covariance kT C, C their capacitance matrix
    (equipartition); phase 1 puts it into the integrators, phase 2 leaves its opposite there. Both are white
    from period to period, so the covariance P obeys P = A P A^T + Q. Amplifiers are noiseless, and stiff:
    what their feedback does to the noise of the switches within phase 2 is left out.

    Parameters
    ----------
    circuit : Circuit
        With a clock.
    values : (..., m) array, optional
        Values of ``circuit.parameters``, SI units.
    temperature : float, K

    Returns
    -------
    (..., d, d) array, V^2

    Raises
    ------
    CircuitError
        If the memory is unstable, or no switched-capacitor circuit.
    """
    values = circuit.values if values is None else np.asarray(values, float)
    found = cycle(circuit, values.reshape(-1, values.shape[-1]))
    if np.abs(np.linalg.eigvals(found.A)).max() >= 1.0:
        raise CircuitError("the memory is unstable: its noise grows without bound")
    power = _charge_noise(found, temperature)
    kept = np.array([linalg.solve_discrete_lyapunov(A, Q) for A, Q in zip(found.A, power, strict=True)])
    covariance = found.C @ kept @ np.swapaxes(found.C, -1, -2)
    return covariance.reshape(*values.shape[:-1], circuit.order, circuit.order)


def sampled_noise_density(
    circuit: Circuit, frequency: Float[np.ndarray, " f"], *, temperature: float = 300.0
) -> Complex[np.ndarray, "f d d"]:
    """Spectral density of the Legendre states' kT/C noise, one-sided up to half the clock, V^2/Hz.

    Its integral from 0 to half the clock is ``sampled_noise``; arguments and errors are the same.
    """
    found = cycle(circuit, circuit.values[None])
    power, A, C = _charge_noise(found, temperature)[0], found.A[0], found.C[0]
    clock = 1.0 if circuit.clock is None else circuit.clock
    turned = np.exp(-2j * np.pi * np.asarray(frequency) / clock)
    seen = C @ np.linalg.inv(np.eye(len(A)) - turned[:, None, None] * A)
    return (2.0 / clock) * seen @ power @ np.conj(np.swapaxes(seen, -1, -2))


def _charge_noise(found: Cycle, temperature: float) -> np.ndarray:
    """Covariance of what one clock cycle adds to the kept charges, over their scale, (s, n, n), V^2."""
    charge = BOLTZMANN * temperature * found.freed / (found.scale[:, None] * found.scale)
    return found.entry @ charge @ np.swapaxes(found.entry, -1, -2) + charge


def feedback_factors(circuit: Circuit) -> dict[str, float]:
    """Give beta of every op-amp in the phase in which it takes charge, and has most at its inverting input.

    It is the feedback capacitor's share of all that is there.
    """
    betas: dict[str, float] = {}
    for phase in phases(circuit):
        groups = [
            {net for net, member in zip(circuit.nets, row, strict=True) if member} for row in phase.laws
        ]
        for amplifier in circuit.amplifiers:
            out = outputs(amplifier)[0]
            group = next(g for g in groups if amplifier.minus in g)
            around = [c for c in circuit.only(Capacitor) if len({c.a, c.b} & group) == 1]
            feedback = [c.value for c in around if out in (c.a, c.b)]
            beta = sum(feedback) / sum(c.value for c in around if {c.a, c.b} != {GROUND})
            betas[amplifier.name] = min(beta, betas.get(amplifier.name, 1.0))
    return betas


def settling_gbw(circuit: Circuit, *, bits: int = BITS) -> float:
    """Least gain-bandwidth product, Hz, that lets every op-amp settle within 2^-bits in half a clock period.

    w_t >= 2 ln(2^bits) f_s/beta, for one pole and a linear op-amp.
    """
    if circuit.clock is None:
        raise CircuitError("the circuit has no clock: nothing has to settle")
    slowest = min(feedback_factors(circuit).values())
    return bits * math.log(2.0) * circuit.clock / (math.pi * slowest)
