"""What circuits of op-amp integrators have alike, single-ended or not.

Integrators may make up for the gain error of op-amps with a finite gain-bandwidth product.
"""

from dataclasses import dataclass, replace

import numpy as np

from lmu_analog.circuits.devices.models import OpAmpModel
from lmu_analog.circuits.families.options import Options
from lmu_analog.errors import DesignError
from lmu_analog.memory.structure import Coefficient, Structure

# Of an op-amp's bandwidth: beyond it the phase error, which stays, is worse than the gain.
LARGEST_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Integrators:
    """A structure of integrators and summers on its way to components, which its heirs write; with names of taps."""

    structure: Structure
    capacitance: float
    opamp: OpAmpModel
    taps: dict[int, str]

    def net(self, variable: int) -> str:
        """Name the output of an integrator, ``x3``, a summer, ``y0``, or a tap; of a pair without p and n."""
        n = self.structure.dynamic
        return self.taps.get(variable, f"x{variable}" if variable < n else f"y{variable - n}")

    def name(self, variable: int) -> str:
        """Name a summer in its parts: ``sum_7``, or ``tap1``."""
        return self.taps.get(variable, f"sum_{variable}")

    def into(self, variable: int) -> list[Coefficient]:
        """Give the coefficients that feed a variable."""
        return [c for c in self.structure.coefficients if c.row == variable]

    @property
    def unit(self) -> float:
        """Resistor of inverters and summers, Ohm: the geometric mean of those around the integrators."""
        rows = range(self.structure.dynamic)
        rates = [abs(c.value) for c in self.structure.coefficients if c.matrix != "E" and c.row in rows]
        return float(1.0 / (np.exp(np.mean(np.log(rates))) * self.capacitance))


def predistorted(structure: Structure, options: Options) -> Structure:
    """Make every input of an integrator larger by as much as its op-amp's bandwidth takes away.

    With g the conductance into the integrator over its capacitor, a crossover w_t divides its gain by
    1 + g/w_t, to first order in 1/w_t. Inputs larger by k make g larger too, so k = 1/(1 - g/w_t): input
    resistors shrink by 1 - g/w_t, input capacitors grow by k. The phase error stays.

    Parameters
    ----------
    structure : Structure
        With unit diagonal in E, scaled as the circuit will be.
    options : Options
        Unchanged structure unless its ``predistort`` is "gbw"; the op-amp's bandwidth.

    Raises
    ------
    DesignError
        If g/w_t is above one half.
    """
    if options.predistort == "none":
        return structure
    rates = np.zeros(structure.variables)
    for c in structure.coefficients:
        rates[c.row] += abs(c.value) if c.matrix != "E" else 0.0
    share = rates[: structure.dynamic] / (2.0 * np.pi * options.opamp.gbw)
    if share.max() > LARGEST_SHARE:
        least = rates[: structure.dynamic].max() / (2.0 * np.pi * LARGEST_SHARE)
        raise DesignError(
            f"[circuit] predistort: integrator {int(share.argmax())} uses {share.max():.3g} of its op-amp's "
            f"bandwidth, at most {LARGEST_SHARE:g} can be made up for; take one of {least:.3g} Hz or more"
        )
    gain = np.ones(structure.variables)
    gain[: structure.dynamic] = 1.0 / (1.0 - share)
    coefficients = tuple(replace(c, value=float(c.value * gain[c.row])) for c in structure.coefficients)
    return replace(structure, coefficients=coefficients)
