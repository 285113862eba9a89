"""What the compiled direct solution needs to know of a design."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Complex, Float

from lmu_analog.engine.order import Pass, powers_of
from lmu_analog.engine.plan import Tonewise
from lmu_analog.engine.tape import Program
from lmu_analog.engine.tracing import trace_tones
from lmu_analog.engine.winding import stability
from lmu_analog.ensembles.kernel import agrees, arrays, window_of
from lmu_analog.stimulus import Tones


@dataclass(frozen=True, eq=False)
class CompiledDirect:
    """What the compiled kernel needs to know of a design.

    Attributes
    ----------
    plan : Tonewise
    model, tones, around, window : tuple
        Arguments of ``compiled_direct.run_direct``.
    turns : (q,) complex array
        What turns the nominal determinants back to real numbers, at the contour's points.
    """

    plan: Tonewise
    model: tuple[Any, ...]
    tones: tuple[Any, ...]
    around: tuple[Any, ...]
    window: tuple[Any, ...]
    turns: Complex[np.ndarray, " q"]

    def run(self, values: Float[np.ndarray, "s m"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Run samples: profiles (s, q), which are stable, and of which both is certain, (s,) bool."""
        from lmu_analog.ensembles.compiled_direct import run_direct

        profile, certain, (real, imaginary), equations, seen = run_direct(
            np.ascontiguousarray(values.T), self.model, self.tones, self.around, self.window
        )
        stable, sure = stability(self.plan.contour, (real + 1j * imaginary).T * self.turns)
        right = agrees(equations, seen, self.plan.w, size=self.plan.index.size)
        return profile, stable, certain & sure & right


def compile_direct(plan: Tonewise, moving: Bool[np.ndarray, " m"], tones: Tones) -> CompiledDirect:
    """Prepare the compiled direct solution.

    Parameters
    ----------
    plan : Tonewise
    moving : (m,) bool array
        Which parameters differ between samples.
    tones : Tones
    """
    traced = trace_tones(plan, moving)
    still = () if traced.still is None else (traced.still,)
    solved = Programs.of((*traced.tones, *still), (*plan.tones, plan.still))
    seen = Programs.of(traced.around, plan.around)
    counts = traced.entries.sum(axis=0)[1], traced.powers, len(plan.columns)
    board = 2 * max(program.registers for program in (*traced.tones, *still, *traced.around))
    model = arrays(traced.table), arrays(traced.early), plan.circuit.values, board, (traced.entries, counts)
    reach = [(k[0], k[-1] - k[0] + 1) if len(k) else (0, 0) for k in map(np.flatnonzero, plan.output)]
    readout = np.ascontiguousarray(plan.output).ravel(), np.array(reach), plan.direct
    passes = len(plan.tones)
    size = dict(zip(plan.rows, np.abs(plan.mixing), strict=True))
    # Rows of siemens would leave the range of single precision where they are squared.
    nominal = [
        each.pivots * np.array([size[step.row] for step in each.steps])[:, None] for each in plan.around
    ]
    nominal = np.concatenate(nominal, axis=1).T
    return CompiledDirect(
        plan,
        model,
        (
            solved.cuts[:passes],
            solved.cuts[passes:],
            (solved.code, solved.constant),
            solved.points,
            readout,
            plan.terms,
        ),
        (
            seen.cuts,
            (seen.code, seen.constant),
            np.array([size[row] for row, _ in traced.places]),
            seen.points.astype(np.float32),
            np.ascontiguousarray(np.abs(1.0 / nominal), np.float32),
        ),
        window_of(tones, plan.circuit),
        np.prod(np.abs(nominal) / nominal, axis=1),
    )


@dataclass(frozen=True, eq=False)
class Programs:
    """Programs one after another, so that a kernel is compiled for any number of them.

    Attributes
    ----------
    cuts : (k, 4) int array
        First and last point, first and last line of each.
    code : (l, 5) int array
    constant : (l,) array
        Lines of all programs, as in ``tape.Program``.
    points : (q, 4) array
        Sizes of 1, s, s^2, s^3 at each point, with their signs.
    """

    cuts: np.ndarray
    code: np.ndarray
    constant: np.ndarray
    points: np.ndarray

    @classmethod
    def of(cls, programs: Sequence[Program], passes: Sequence[Pass]) -> "Programs":
        """Join programs, one for each pass; a pass without a program lends its points alone."""
        ends = np.cumsum([0, *(len(each.w) for each in passes)])
        lines = np.cumsum([0, *(len(program.code) for program in programs)])
        cuts = [(*ends[k : k + 2], *lines[k : k + 2]) for k in range(len(programs))]
        w = np.concatenate([each.w for each in passes])
        return cls(
            np.array(cuts, np.int64).reshape(-1, 4),
            np.concatenate([program.code for program in programs]),
            np.concatenate([program.constant for program in programs]),
            powers_of(w),
        )
