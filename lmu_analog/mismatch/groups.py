"""Correlated groups: parts that share a draw, in a Gaussian copula.

Local draw = sqrt(rho) shared + sqrt(1 - rho) own, before the distribution of the class is applied: each
part deviates as much as it would alone, and any two of the group have the correlation rho.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.circuits.devices.tolerance import Group
from lmu_analog.circuits.patterns import picks
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.selection import Target


@dataclass(frozen=True, eq=False)
class Shared:
    """The draws that groups share, and which local draws follow them.

    Attributes
    ----------
    names : tuple of str
        Of the shared draws.
    members : (g,) int array
        Columns of z that follow a group.
    follows : (g,) int array
        Column of the shared draw of each.
    correlation : (g,) array
    """

    names: tuple[str, ...]
    members: Int[np.ndarray, " g"]
    follows: Int[np.ndarray, " g"]
    correlation: Float[np.ndarray, " g"]

    def mix(self, z: Float[np.ndarray, "*s z"]) -> Float[np.ndarray, "*s z"]:
        """Let the members follow their groups; all other columns of z, (..., z), stay.

        Element by element, without a matrix product, whose order of summation depends on the processor.
        """
        if not len(self.members):
            return z
        mixed = z.copy()
        own, shared = z[..., self.members], z[..., self.follows]
        mixed[..., self.members] = np.sqrt(self.correlation) * shared + np.sqrt(1.0 - self.correlation) * own
        return mixed


def shared_draws(groups: Sequence[Group], local: Sequence[Target], *, first: int) -> Shared:
    """Find what every group shares: one draw for every class and quantity of its members.

    Parameters
    ----------
    groups : sequence of Group
    local : sequence of Target
        What the local draws act on, in the order of the columns of z.
    first : int
        Column of the first shared draw.

    Raises
    ------
    DesignError
        If a group picks nothing that deviates, or a component is in two groups.
    """
    columns: dict[str, int] = {}
    owner: dict[int, tuple[str, float]] = {}
    for group in groups:
        title = ", ".join(group.components)
        found = [k for k, t in enumerate(local) if _is_member(group, t)]
        if not found:
            names = ", ".join(list(dict.fromkeys(t.parameter for t in local))[:5]) or "none"
            raise DesignError(
                f"[mismatch] group {title[:60]!r} picks nothing that deviates; there are {names}"
            )
        for k in found:
            if k in owner:
                raise DesignError(
                    f"[mismatch] group {title[:60]!r}: {local[k].parameter} is in another group too"
                )
            name = f"group {title}{_quantity(local[k])}|{local[k].mismatch_class}"
            columns.setdefault(name, first + len(columns))
            owner[k] = (name, group.correlation)
    members = sorted(owner)
    return Shared(
        tuple(columns),
        np.array(members, int),
        np.array([columns[owner[k][0]] for k in members], int),
        np.array([owner[k][1] for k in members], float),
    )


def _is_member(group: Group, target: Target) -> bool:
    return target.component is not None and any(picks(p, target.component) for p in group.components)


def _quantity(target: Target) -> str:
    """Tell an op-amp's offset from its bandwidth: they share nothing."""
    name = "" if target.component is None else target.component.name
    return target.parameter.removeprefix(name)
