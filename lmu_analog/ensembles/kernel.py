"""Which kernel computes a block of the exact engine, and what the compiled one needs to know of a design."""

import importlib
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, UInt64

from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.nodal.pencil import eliminate, table
from lmu_analog.circuits.nodal.whole import agree, whole_response
from lmu_analog.engine.tape import STORE, Program
from lmu_analog.ensembles.slow_tracing import trace
from lmu_analog.errors import DesignError, shown
from lmu_analog.memory import window
from lmu_analog.memory.stability import certificate
from lmu_analog.mismatch.law import Mismatch, check_seed, columns, key_of
from lmu_analog.reduction.remainder import Reduction, remainder, sweep
from lmu_analog.reduction.solvent import solvent
from lmu_analog.stimulus import Tones

Kernel = Literal["numpy", "float32", "numba"]
KERNELS: tuple[Kernel, ...] = get_args(Kernel)


def check_kernel(kernel: str) -> None:
    """Refuse a kernel that there is not, or that is not installed."""
    if kernel not in KERNELS:
        raise DesignError(f"unknown kernel {shown(kernel)}; known are {', '.join(KERNELS)}")
    if kernel == "numba":
        try:
            importlib.import_module("numba")
        except ImportError as error:
            raise DesignError(
                f"kernel 'numba' cannot be loaded ({error}); pip install lmu-analog[numba]"
            ) from None


@dataclass(frozen=True, eq=False)
class Compiled:
    """What the compiled kernel needs to know of a design.

    Attributes
    ----------
    reduction : Reduction
    model, tones, certificate : tuple
        Arguments of ``compiled.run_block``.
    """

    reduction: Reduction
    model: tuple[Any, ...]
    tones: tuple[Any, ...]
    certificate: tuple[Any, ...]

    def run(self, values: Float[np.ndarray, "s m"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Run samples: profiles (s, q), which are stable, and of which both is certain, (s,) bool."""
        from lmu_analog.ensembles.compiled import run_block

        profile, certain, stable, matrices, equations, seen = run_block(
            np.ascontiguousarray(values.T), self.model, self.tones, self.certificate
        )
        for k in np.flatnonzero(~stable & certain):
            stable[k] = np.linalg.eigvals(matrices[k]).real.max() < 0.0
        certain &= agrees(equations, seen, self.tones[0], size=self.reduction.index.size)
        return profile, stable, certain


def agrees(equations: np.ndarray, seen: np.ndarray, w: Float[np.ndarray, " f"], *, size: int) -> bool:
    """Solve all equations of one sample at the first and the last tone, and compare with what a kernel saw.

    Parameters
    ----------
    equations : (2 (N + p) (N + 2),) array
        Coefficients of 1 and s, one after another.
    seen : (2, f, p) array
        Real and imaginary parts of the response.
    w : (f,) array
        Tones in the unit of s.
    size : int
        Number N of unknowns.
    """
    ends = [0, -1]
    wanted = whole_response(equations.reshape(2, -1, size + 2), size, 1j * w[ends])
    return agree(seen[0, ends] + 1j * seen[1, ends], wanted, float)


def draw_keys(circuit: Circuit, law: Mismatch) -> UInt64[np.ndarray, " z"]:
    """Give the keys of the streams that draws of a circuit come from."""
    return np.array([key_of(name) for name in columns(circuit, law)], np.uint64)


def compiled_draw(keys: UInt64[np.ndarray, " z"], *, seed: int, samples: range) -> Float[np.ndarray, "s z"]:
    """Draw what ``mismatch.draw`` draws from the streams of these keys, bit for bit."""
    from lmu_analog.ensembles.compiled_draws import normals

    return normals(np.uint64(check_seed(seed)), keys, samples.start, len(samples)).T


def compile_design(reduction: Reduction, moving: Bool[np.ndarray, " m"], tones: Tones) -> Compiled | None:
    """Prepare the compiled kernel; None where the nominal circuit is not stable.

    Parameters
    ----------
    reduction : Reduction
    moving : (m,) bool array
        Which parameters differ between samples.
    tones : Tones
    """
    traced = trace(reduction, moving)
    n, p = len(reduction.order.rows), reduction.circuit.order
    board = _nominal(reduction)
    M, _, _ = sweep(reduction, board)
    aim = reduction.aim
    A = solvent(M, None if aim is None else aim.start)[0]
    proof = certificate(A)
    if proof is None:
        return None
    has_rest = _writes(traced.slow, [(i + 1) * traced.width - 1 for i in range(n)])
    plan = [line for j, i, others in reduction.sweeps for line in ((j, i, -1), *((j, i, k) for k in others))]
    both = () if aim is None else (aim.left, aim.right)
    model = (
        arrays(traced.table),
        arrays(traced.slow),
        np.array(plan, np.int64).reshape(-1, 3),
        ((A + M[0][0]).ravel(), reduction.circuit.values),
        tuple(np.ascontiguousarray(x).ravel() for x in both) or (np.empty(0), np.empty(0)),
        (n, p, traced.width, traced.probed, has_rest),
    )
    seen = (2.0 * np.pi * tones.frequency / reduction.rate, *window_of(tones, reduction.circuit))
    T, step = proof
    turns = (np.ascontiguousarray(T).ravel(), np.ascontiguousarray(np.linalg.inv(T)).ravel(), step)
    return Compiled(reduction, model, seen, turns)


def _nominal(reduction: Reduction) -> np.ndarray:
    content = table(reduction.circuit, reduction.index, reduction.circuit.values[None], rate=reduction.rate)
    for step in reduction.order.steps:
        eliminate(content, step, reduction.degree)
    return remainder(reduction, content, slice(0, 1))


def window_of(tones: Tones, circuit: Circuit) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Give phasors (K,), the readout (q p,), the ideal window (K, q), and the mean square of the input."""
    r = window.quadrature_for(circuit.order, (tones.frequency, tones.phasor), circuit.theta).r
    ideal = np.exp(-2j * np.pi * circuit.theta * np.outer(tones.frequency, r)) * tones.phasor[:, None]
    power = 0.5 * float(np.sum(np.abs(tones.phasor) ** 2))
    return tones.phasor.astype(complex), window.readout(circuit.order, r).ravel(), ideal, power


def arrays(program: Program) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Give a program as arguments of ``circuits.compiled.play``, with the number of its registers."""
    from lmu_analog.memory.lanes import LANES

    template = np.ascontiguousarray(np.repeat(program.template[:, None], LANES, axis=1))
    return program.code, program.constant, template, program.registers


def _writes(program: Program, places: list[int]) -> bool:
    """Whether an output of a program is not always zero."""
    stored = program.code[program.code[:, 0] == STORE, 1]
    return bool(np.isin(places, stored).any() or program.template[places].any())
