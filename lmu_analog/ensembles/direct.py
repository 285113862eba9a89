"""Window errors of many sparse circuits without their state spaces: where that is worth it, and how."""

import numpy as np
from jaxtyping import Bool, Float
from numpy.typing import DTypeLike

from lmu_analog.circuits.circuit import Circuit, twin_values
from lmu_analog.circuits.nodal.pencil import table
from lmu_analog.circuits.nodal.whole import agree, farthest, response_of
from lmu_analog.engine.order import products
from lmu_analog.engine.plan import Tonewise, plan_tones
from lmu_analog.engine.solve import determinants, prepare, steady_states
from lmu_analog.engine.winding import stability
from lmu_analog.errors import CircuitError
from lmu_analog.memory.squares import tone_content
from lmu_analog.stimulus import Tones

# What the way over the state space costs in products of the direct one (measured): once, and per square of the
# order, once and for every tone.
DENSE_ONCE, DENSE, DENSE_TONE = 420.0, 62.0, 1.1
SINGLE = 0.5  # what a product in single precision costs, of one in double


def planned_directly(circuit: Circuit, tones: Tones) -> Tonewise | None:
    """Plan the direct solution of a circuit, or of its linear twin; None where the state space is quicker."""
    inner = circuit.twin or circuit
    if inner.clock:
        return None
    try:
        plan = plan_tones(inner, tones.frequency, most=_dense(circuit.order, len(tones.frequency)))
    except (CircuitError, np.linalg.LinAlgError):
        return None
    return plan if relative_cost(plan) < 1.0 else None


def relative_cost(plan: Tonewise) -> float:
    """Estimate the time of the direct solution over that of the way over the state space, in NumPy."""
    cost = products(plan.tones) + SINGLE * products(plan.around)
    return cost / _dense(plan.circuit.order, len(plan.w))


def _dense(order: int, tones: int) -> float:
    return DENSE_ONCE + order**2 * (DENSE + DENSE_TONE * tones)


def direct_profiles(
    plan: Tonewise, circuit: Circuit, values: Float[np.ndarray, "s m"], *, tones: Tones, dtype: DTypeLike
) -> tuple[Float[np.ndarray, "s q"], Bool[np.ndarray, " s"], Bool[np.ndarray, " s"]]:
    """Give NRMSE over the window, which samples are stable, and for which both is certain.

    Parameters
    ----------
    plan : Tonewise
        Of ``planned_directly`` for this circuit.
    circuit : Circuit
    values : (s, m) array
        Of the circuit's parameters, SI units.
    tones : Tones
    dtype : data type
        Single or double precision.
    """
    inner = values if circuit.twin is None else twin_values(circuit, values)
    content = table(plan.circuit, plan.index, inner.astype(dtype, copy=False), rate=plan.rate)
    strayed, ends = farthest(inner, plan.circuit.values), [0, -1]
    wanted = response_of(content, plan.index.size, strayed, turns=1j * plan.w[ends])
    given = prepare(plan, content, len(values))
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):  # such a sample is in doubt
        stable, certain = stability(plan.contour, determinants(plan, given))
    measure = tone_content(
        circuit.order, (tones.frequency, tones.phasor), circuit.theta, layout="pairs", dtype=dtype
    )
    profiles = []
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        for cut, steady in steady_states(plan, given, dtype=dtype):
            certain[cut] &= steady.trusted
            if cut.start <= strayed < cut.stop:
                found = steady.y[strayed - cut.start].T[ends]
                certain &= agree(found, wanted, dtype)
            profiles.append(measure.profiles(steady.y.view(dtype), steady.rest))
    return np.concatenate(profiles), stable, certain
