"""State spaces to and from other libraries: python-control, SciPy, xarray.

For SPICE, ``lmu_analog.netlist`` gives a PySpice circuit to go on with.

A sampled system here is x[k] = A x[k-1] + B u[k], y[k] = C x[k] + D u[k]: the states of an instant know its input.
Others write w[k+1] = A w[k] + B u[k], y[k] = C' w[k] + D' u[k]. With w[k] = x[k-1] that is the same system,
C' = C A and D' = C B + D; frequency responses are equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import xarray as xr
from scipy import signal

from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import StateSpace

if TYPE_CHECKING:
    import control

_Matrices = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
_SINGULAR = 1e-12  # reciprocal condition of A, below which a state cannot be taken back by a sample


@runtime_checkable
class Foreign(Protocol):
    """Anything with the matrices of one state space, and a sampling interval."""

    A: Any
    B: Any
    C: Any
    D: Any
    dt: Any


def to_control(system: StateSpace) -> control.StateSpace:
    """Give a system to python-control.

    Parameters
    ----------
    system : StateSpace
        One, not an ensemble; its ``offset`` is left out, for a linear system has none.

    Returns
    -------
    control.StateSpace
        With ``dt`` = 0 in continuous time.

    Raises
    ------
    DesignError
        If there are many systems, or outputs that follow the input's derivative; or python-control is missing.
    """
    try:
        import control
    except ImportError as error:
        raise DesignError(
            f"to_control needs python-control ({error}); pip install 'lmu-analog[control]'"
        ) from error
    return control.StateSpace(*_matrices(system), 0 if system.dt is None else system.dt)


def to_scipy(system: StateSpace) -> signal.StateSpace:
    """Give a system to SciPy, continuous or sampled; as ``to_control``.

    Raises
    ------
    DesignError
        If there are many systems, or outputs that follow the input's derivative.
    """
    timing = {} if system.dt is None else {"dt": system.dt}
    return signal.StateSpace(*_matrices(system), **timing)


def from_ss(system: Foreign) -> StateSpace:
    """Take a system from python-control or SciPy, the reverse of ``to_control`` and ``to_scipy``.

    Parameters
    ----------
    system : control.StateSpace, scipy.signal.StateSpace, or anything with ``A``, ``B``, ``C``, ``D`` and ``dt``
        Of one input; ``dt`` is None or 0 in continuous time.

    Raises
    ------
    DesignError
        If it has several inputs or an interval without length, or it is sampled and its A is singular.
    """
    A, B, C, D = (np.atleast_2d(np.asarray(m, float)) for m in (system.A, system.B, system.C, system.D))
    if B.shape[1] != 1:
        raise DesignError(
            f"from_ss: a system of {B.shape[1]} inputs; a memory has one, so take one column of B and D"
        )
    if system.dt is True:
        raise DesignError("from_ss: dt = True says sampled, but not how often; give dt in seconds")
    if not system.dt:
        return StateSpace(A, B, C, D)
    if not np.linalg.cond(A) < 1.0 / _SINGULAR:
        raise DesignError(
            "from_ss: A is singular, so no x[k] = A x[k-1] + B u[k] has these outputs; leave out its delays"
        )
    shown = np.linalg.solve(A.T, C.T).T
    return StateSpace(A, B, shown, D - shown @ B, float(system.dt))


def to_xarray(system: StateSpace) -> xr.Dataset:
    """Put a system, or an ensemble of them, into named dimensions.

    Returns
    -------
    xarray.Dataset
        ``A`` over (sample, state, source_state), ``B`` over (sample, state), ``C`` over (sample, output, state)
        and ``D`` over (sample, output); no ``sample`` for a single system. ``dt`` is an attribute where sampled.

    Raises
    ------
    DesignError
        If there is more than one leading axis.
    """
    lead = system.A.shape[:-2]
    if len(lead) > 1:
        raise DesignError(f"to_xarray: leading axes {lead}; give one axis of samples at most")
    over = ("sample",) * len(lead)
    unit = {"units": "1/s"} if system.dt is None else {}
    B, D = (np.broadcast_to(m, (*lead, *m.shape[-2:]))[..., 0] for m in (system.B, system.D))
    variables = {
        "A": ((*over, "state", "source_state"), system.A, unit),
        "B": ((*over, "state"), B, unit),
        "C": ((*over, "output", "state"), np.broadcast_to(system.C, (*lead, *system.C.shape[-2:]))),
        "D": ((*over, "output"), D),
    }
    if system.offset is not None:
        variables["offset"] = ((*over, "output"), np.broadcast_to(system.offset, D.shape), {"units": "V"})
    return xr.Dataset(variables, attrs={} if system.dt is None else {"dt": system.dt})


def _matrices(system: StateSpace) -> _Matrices:
    """Give A, B, C, D as everybody else writes them."""
    if system.A.ndim > 2:
        raise DesignError(
            f"{system.A.shape[:-2]} systems at once; other libraries take one, so cut(system, k) first"
        )
    if system.slope is not None and np.any(system.slope):
        raise DesignError(
            "outputs follow the input's derivative, which A, B, C, D cannot say; extract with ideal op-amps"
        )
    if system.dt is None:
        return system.A, system.B, system.C, system.D
    return system.A, system.B, system.C @ system.A, system.C @ system.B + system.D
