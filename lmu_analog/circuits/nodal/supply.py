"""Supply ripple in a circuit of op-amps, whose finite rejection turns it into voltages at their inputs.

The input voltage is v_ripple (1 + jf/f_c)/10^(PSRR/20); in most op-amps f_c is the corner of the open-loop gain
(Analog Devices, tutorial MT-043, 2008), so that above it the open-loop output follows the ripple.
"""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.nodal.noise import response_to
from lmu_analog.circuits.nodal.unknowns import Index


@dataclass(frozen=True, eq=False)
class Ripple:
    """How the Legendre states answer to one volt of ripple, amplifier by amplifier.

    Attributes
    ----------
    names : tuple of str
        Amplifiers whose rejection is known.
    gain : (f, d, k) complex array, V/V
        From the ripple that amplifier k sees to every state, at every frequency.
    """

    names: tuple[str, ...]
    gain: Complex[np.ndarray, "f d k"]


def ripple(circuit: Circuit, frequency: Float[np.ndarray, " f"]) -> Ripple | None:
    """Find what every amplifier passes from its supply to the states; none where no rejection is known.

    Parameters
    ----------
    circuit : Circuit
        Linear, in continuous time.
    frequency : (f,) array, Hz
    """
    amplifiers = [c for c in circuit.amplifiers if not c.model.ideal and math.isfinite(c.model.psrr)]
    if not amplifiers:
        return None
    index = Index(circuit)
    injection = np.zeros((index.size, len(amplifiers)))
    for k, c in enumerate(amplifiers):
        injection[index.own[c.name], k] = 2.0 * np.pi * c.model.gbw  # as an offset's
    A, B, C, D = response_to(circuit, index, injection)
    s = 2j * np.pi * frequency[:, None, None]
    from_input = C @ np.linalg.solve(s * np.eye(len(A)) - A, B) + D
    let_in = np.stack([_let_in(c.model, frequency) for c in amplifiers], axis=-1)
    return Ripple(tuple(c.name for c in amplifiers), from_input * let_in[:, None, :])


def _let_in(model: OpAmpModel, frequency: np.ndarray) -> np.ndarray:
    """Give the voltage at the input that one volt of ripple amounts to, (f,) complex."""
    corner = model.gbw / model.gain if model.psrr_corner is None else model.psrr_corner
    # A gain without end has its corner at zero, and nothing to fall from.
    corner = corner or math.inf
    return 10.0 ** (-model.psrr / 20.0) * (1.0 + 1j * frequency / corner)
