"""Which mismatch acts: all of it, or what patterns pick, to find the culprit.

A selection changes no draw: what is chosen deviates as it does in the full ensemble of the same seed, what is
not stays nominal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from lmu_analog.circuits.components import Component, kind_of
from lmu_analog.circuits.patterns import fits, picks
from lmu_analog.errors import DesignError

EXAMPLES = 3  # of each sort, in an error


@dataclass(frozen=True)
class Selection:
    """What ``only`` picks (everything, if that is empty) but for what ``without`` picks.

    A pattern is the name of components or of a parameter (``Ra_*``, ``Uint_0.gbw``), ``role:a[2,*]``,
    ``kind:resistor``, ``class:resistor`` (with its lot), ``local``, ``lot``, ``all`` or ``none``; names,
    roles and kinds pick local draws.
    """

    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        given = (("only", self.only), ("without", self.without))
        return "; ".join(f"{word} {', '.join(patterns)}" for word, patterns in given if patterns)


@dataclass(frozen=True)
class Target:
    """What one draw acts on: a parameter of a component, or (without one) all devices of a class."""

    mismatch_class: str
    parameter: str = ""
    component: Component | None = None


def acting(selection: Selection, targets: Sequence[Target]) -> Bool[np.ndarray, " z"]:
    """Tell which draws act, (z,).

    Raises
    ------
    DesignError
        If a pattern picks nothing; a few that would are named.
    """
    chosen = np.ones(len(targets), bool)
    if selection.only:
        chosen = _union("only", selection.only, targets)
    return chosen & ~_union("without", selection.without, targets)


def _union(word: str, patterns: Sequence[str], targets: Sequence[Target]) -> np.ndarray:
    chosen = np.zeros(len(targets), bool)
    for pattern in patterns:
        hits = np.array([_picked(pattern, target) for target in targets], bool)
        if not hits.any() and pattern not in ("none", "all", "local", "lot"):
            raise DesignError(f"{word} {pattern[:60]!r} picks no mismatch; {_what_there_is(targets)}")
        chosen |= hits
    return chosen


def _picked(pattern: str, target: Target) -> bool:
    by, colon, rest = pattern.partition(":")
    if colon and by == "class":
        return fits(target.mismatch_class, rest)
    if pattern in ("none", "all"):
        return pattern == "all"
    if pattern in ("local", "lot"):
        return (target.component is not None) == (pattern == "local")
    if target.component is None:
        return False
    return picks(pattern, target.component) or fits(target.parameter, pattern)


def _what_there_is(targets: Sequence[Target]) -> str:
    if not targets:
        return "the design has none; give [mismatch] some classes"
    local = [(t.parameter, t.component) for t in targets if t.component is not None]
    names = [name for name, _ in local]
    sorts = (
        ("class:", [t.mismatch_class for t in targets]),
        ("role:", [c.role for _, c in local]),
        ("kind:", [kind_of(c).name for _, c in local]),
    )
    listed = [", ".join(list(dict.fromkeys(names))[:EXAMPLES])] if names else []
    listed += [
        ", ".join(f"{word}{one}" for one in list(dict.fromkeys(of))[:EXAMPLES]) for word, of in sorts if of
    ]
    return f"there are {'; '.join(listed)}; local, lot, none"
