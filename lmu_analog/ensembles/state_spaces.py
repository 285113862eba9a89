"""The engine for what is not solved frequency by frequency: state spaces of all samples, through tones or a recording.

It multiplies matrices with BLAS, so the bits of a sample depend on the processor; on one, on nothing but its block.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.circuit import Circuit, reading_taps_alone
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.engine.frequency import Profiles
from lmu_analog.memory import blocked_hold, steady, window
from lmu_analog.memory.sampled import steady_response
from lmu_analog.memory.squares import prepared_window
from lmu_analog.memory.stability import is_stable
from lmu_analog.memory.statespace import StateSpace, cut
from lmu_analog.memory.taps import wanted_response
from lmu_analog.reduction.reduced import state_spaces
from lmu_analog.reduction.reduced_equations import Reduction
from lmu_analog.simulation import Grid, exact_states, ideal_taps, ideal_window
from lmu_analog.stimulus import Recording, Tones

BATCH_VALUES = 250_000  # states of all samples that are propagated together: what a core's cache holds


@dataclass(frozen=True, eq=False)
class StateSpaces:
    """The engine that reads every sample back as a state space.

    Attributes
    ----------
    circuit : Circuit
    reduction : Reduction or None
        How the circuit comes down to its slow states, where it does.
    grid : Grid
    rule : Quadrature
        Where in the window errors are taken.
    theta : float, s
    """

    circuit: Circuit
    reduction: Reduction | None
    grid: Grid
    rule: window.Quadrature
    theta: float

    def run(self, values: Float[np.ndarray, "s m"]) -> Profiles:
        """Run samples; nothing is left in doubt."""
        system = state_spaces(self.circuit, self.reduction, values)
        stable = is_stable(system)
        with np.errstate(over="ignore", invalid="ignore"):  # where it is unstable
            profile = self._profiles(system)
            if self.circuit.taps:
                profile = np.concatenate([profile, self._taps(values)], axis=1)
        return Profiles(profile, stable, np.ones(len(values), bool))

    def _taps(self, values: Float[np.ndarray, "s m"]) -> Float[np.ndarray, "s t"]:
        """Give the NRMSE of the taps, read off the whole circuit, whose fast states stay."""
        circuit, grid, order = self.circuit, self.grid, self.circuit.order
        system = extract(reading_taps_alone(circuit), values)
        if isinstance(grid.stimulus, Tones):
            tones = grid.stimulus
            late = [
                wanted_response(tap.of, tones.frequency, order=order, theta=self.theta)
                for tap in circuit.taps
            ]
            apart = (steady_response(system, tones.frequency) - np.stack(late, axis=-1)) * tones.phasor[
                :, None
            ]
            square = 0.5 * (np.abs(apart) ** 2).sum(axis=-2)
            if system.offset is not None:
                square += system.offset**2
            return np.sqrt(square / (0.5 * np.sum(np.abs(tones.phasor) ** 2)))
        wanted = ideal_taps(circuit, grid)
        mean = [
            np.mean((exact_states(cut(system, slice(k, k + 1)), grid) - wanted) ** 2, axis=-2)
            for k in range(len(values))
        ]
        return np.sqrt(np.concatenate(mean)) / grid.rms

    def _profiles(self, system: StateSpace) -> Float[np.ndarray, "s q"]:
        grid, rule = self.grid, self.rule
        match grid.stimulus:
            case Tones() as tones:
                wave = (tones.frequency, tones.phasor)
                if system.dt is None:
                    return steady.many_profiles(system, wave, self.theta)
                phasor = steady_response(system, tones.frequency) * tones.phasor[:, None]
                return window.tone_profile(phasor, wave, self.theta, offset=system.offset)
            case Recording() as recording:
                truth = ideal_window(grid, self.theta, rule)
                if system.dt is not None:
                    return window.time_profile(exact_states(system, grid), truth, grid.rms, quadrature=rule)
                u, dt, rms = recording.values, float(recording.dt), grid.rms
                ideal = prepared_window(self.circuit.order, truth.T, rule)
                size = max(1, BATCH_VALUES // (len(grid.time) * system.order))
                parts = [
                    blocked_hold.many_profiles(cut(system, slice(k, k + size)), u, dt, ideal=ideal, rms=rms)
                    for k in range(0, len(system.A), size)
                ]
                return np.concatenate(parts)
