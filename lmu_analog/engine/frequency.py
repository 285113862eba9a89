"""Many linear circuits through a sum of tones, frequency by frequency: profiles, stability, and what is certain."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Complex, Float

from lmu_analog.circuits.nodal.whole import agree, largest_deviation, whole_response
from lmu_analog.engine import interpreter, native
from lmu_analog.engine.job import Job, Played, determinant_unit, job_of
from lmu_analog.engine.nyquist import stability
from lmu_analog.engine.plan import FrequencyPlan
from lmu_analog.stimulus import Tones


@dataclass(frozen=True, eq=False)
class Profiles:
    """What an engine found for s samples.

    Attributes
    ----------
    profile : (s, q + t) array
        NRMSE at the places of the window, then of the circuit's taps.
    stable, certain : (s,) bool arrays
        Which samples are stable, and for which both is beyond doubt.
    """

    profile: Float[np.ndarray, "s qt"]
    stable: Bool[np.ndarray, " s"]
    certain: Bool[np.ndarray, " s"]


@runtime_checkable
class Engine(Protocol):
    """What computes the window errors of a block of samples."""

    def run(self, values: Float[np.ndarray, "s m"]) -> Profiles:
        """Run samples with values (s, m) of the circuit's parameters, SI units."""
        ...


@runtime_checkable
class Player(Protocol):
    """What runs a job: see ``interpreter.play`` and ``native.play``."""

    def __call__(self, job: Job, values: Float[np.ndarray, "m s"], watched: int) -> Played:
        """Run samples (m, s); ``watched`` is the one whose response and equations are given."""
        ...


PLAYERS: dict[str, Player] = {"native": native.play, "numpy": interpreter.play}


@dataclass(frozen=True, eq=False)
class PerFrequency:
    """The engine that solves the node equations at every tone.

    Attributes
    ----------
    plan : FrequencyPlan
    job : Job
    unit : (q,) complex array
        The nominal determinants as the players scale them.
    play : Player
    """

    plan: FrequencyPlan
    job: Job
    unit: Complex[np.ndarray, " q"]
    play: Player

    @classmethod
    def of(
        cls, plan: FrequencyPlan, moving: Bool[np.ndarray, " m"], tones: Tones, *, play: Player
    ) -> "PerFrequency":
        """Prepare for samples of a plan's circuit in which some parameters differ."""
        job = job_of(plan, moving, tones)
        return cls(plan, job, determinant_unit(plan, job), play)

    def run(self, values: Float[np.ndarray, "s m"]) -> Profiles:
        """Run samples; the largest deviation among them is checked by all node equations."""
        plan = self.plan
        watched = largest_deviation(values, plan.circuit.values)
        played = self.play(self.job, np.ascontiguousarray(values.T), watched)
        re, im = played.determinant
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # such a sample is in doubt
            stable, certain = stability(plan.contour, ((re + 1j * im) / self.unit[:, None]).T)
        ends, pencil = [0, -1], self.job.pencil
        equations = np.zeros((2, pencil.size + plan.circuit.order, pencil.size + 2))
        equations.flat[pencil.at] = played.equations
        wanted = whole_response(equations, pencil.size, 1j * plan.w[ends])
        seen = played.response[0, ends] + 1j * played.response[1, ends]
        return Profiles(played.profile.T, stable, certain & played.fits & agree(seen, wanted))
