"""Standard values that fit together: levels and roundings of a whole circuit, chosen for the error that they add.

Rounding a value where it stands is nearly never best: what one rounding does to the window another can undo. To first
order the error that roundings add is J x, with x the logarithms of what each value is rounded by, and J does not depend
on the level of a node. So |r + J x|^2 is minimised over the levels of all nodes and over the two standard values on
either side of each value: node by node, all levels of a node with their roundings at once, from several starts and,
where nothing is better, from two nodes moved at random (seeded). Then the circuit's true error gives another r, and so
on; what is kept is the best by the true error. It is no proof that nothing better exists.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import TIE, members, nearest

STARTS = 6  # of the descent, after the two simple ones
KEPT = 2  # of them, that are searched further
KICKS = 5000  # of one of these, over the square of the number of nodes: a descent takes longer, too
POOL = 400  # choices that the true error ranks, over the number of nodes
POLISHED = 24  # those of them that it improves, over the number of nodes
FEWEST = 2  # of all of these
BESIDE = 2  # levels of a node that are tried by the true error
ROUNDS = 12  # of it, from one choice
# Circuits that the true error may be asked about, times the cube of the number of nodes, which is what each one takes:
# beyond, choices that differ in one node are not looked at any more. A dozen nodes never come there.
WORK = 4_000_000
PASSES = 8  # over all nodes; few take more than four
_BETTER = 1.0 - 1e-9  # of an error: less is rounding, which must not choose


@dataclass(frozen=True, eq=False)
class Node:
    """What hangs on one node that no amplifier drives.

    Attributes
    ----------
    columns : (k,) int array
        Of the circuit's values.
    tied : (u, k) array
        Units that are rounded alike, mirror images of a differential circuit: which columns each one has.
    power : (k,) array
        Of the level in each value.
    levels : (l,) array
    """

    columns: np.ndarray
    tied: Float[np.ndarray, "u k"]
    power: Float[np.ndarray, " k"]
    levels: Float[np.ndarray, " l"]


@dataclass(frozen=True, eq=False)
class _Options:
    """Of one node at each of its levels: the logarithms (l, u) of what its units may be rounded by."""

    near: Float[np.ndarray, "l u"]
    far: Float[np.ndarray, "l u"]


@dataclass(eq=False)
class Choice:
    """A level for every node, and the logarithms of what its units are rounded by."""

    level: list[int]
    rounding: list[np.ndarray]

    def copy(self) -> "Choice":
        """Give one that may be changed without changing this."""
        return Choice(list(self.level), [x.copy() for x in self.rounding])


class Model:
    """The quadratic model of a circuit's error, and descent in it.

    Parameters
    ----------
    nodes : list of Node
    exact : (m,) array
        Values of the circuit as it is.
    series : (m,) sequence of (str or None)
        E-series of each; None stays as it is.
    jacobian : (e, m) array
        Of the error by the logarithms of the values.
    stocks : (m,) sequence of (Stock or None), optional
        What is asked of each part: of two standard values the further one is no choice if only the nearer can be
        ordered.
    pairs : float
        Largest error of one standard value, a fraction. A value beyond it is made of two, and counts as exact.
    """

    def __init__(
        self,
        nodes: list[Node],
        exact: Float[np.ndarray, " m"],
        series: Sequence[str | None],
        jacobian: Float[np.ndarray, "e m"],
        *,
        stocks: Sequence[Stock | None] | None = None,
        pairs: float = math.inf,
    ) -> None:
        self.nodes, self.exact = nodes, exact
        asked = [None] * len(series) if stocks is None else stocks
        self.options = [_options(node, exact, series, asked, pairs) for node in nodes]
        tied = [jacobian[:, node.columns] @ node.tied.T for node in nodes]
        self.starts = np.cumsum([0, *(part.shape[1] for part in tied)])
        self.jacobian = np.concatenate(tied, axis=1) if tied else np.zeros((len(jacobian), 0))
        self.gram = self.jacobian.T @ self.jacobian
        self.along = np.zeros(len(self.gram))  # J'r

    def centre_at(self, error: Float[np.ndarray, " e"], choice: Choice) -> None:
        """Take the model about a choice with a known error: r is what the first order misses."""
        self.along = self.jacobian.T @ (error - self.jacobian @ self.vector(choice))

    def vector(self, choice: Choice) -> Float[np.ndarray, " u"]:
        """Give the logarithms of all roundings, node after node, (u,)."""
        return np.concatenate([np.zeros(0), *choice.rounding])

    def nearest(self, levels: list[int]) -> Choice:
        """Round every value to the nearest at some levels."""
        return Choice(levels, [o.near[k].copy() for o, k in zip(self.options, levels, strict=True)])

    def own_levels(self) -> list[int]:
        """Give, for every node, the level whose nearest roundings are best by themselves."""
        found = []
        for k, options in enumerate(self.options):
            at = slice(self.starts[k], self.starts[k + 1])
            found.append(
                int(_first_least(np.einsum("lu,uv,lv->l", options.near, self.gram[at, at], options.near)))
            )
        return found

    def descend(self, choice: Choice) -> Choice:
        """Improve node after node, then single values and pairs, until nothing is better."""
        choice, x = choice.copy(), self.vector(choice)
        value = self._value(x)
        tried = 0  # nodes since one of them changed: when all have been, a further look would be a repetition
        for step in range(PASSES * len(self.nodes)):
            before, value = value, self._improve(step % len(self.nodes), choice, x, value)
            tried = 1 if value < before * _BETTER else tried + 1
            if tried > len(self.nodes):
                break
        return choice

    def size(self, choice: Choice) -> float:
        """Give what the model says of a choice, but for a constant."""
        return self._value(self.vector(choice))

    def _value(self, x: np.ndarray) -> float:
        return float(x @ self.gram @ x + 2.0 * self.along @ x)

    def beside(self, choice: Choice) -> list[Choice]:
        """Give the choices that differ in one node: the best few of its levels, with their best roundings."""
        x, found = self.vector(choice), []
        value = self._value(x)
        for k in range(len(self.nodes)):
            values, at_level = self._at_levels(k, choice, x, value)
            for best in np.argsort(values, kind="stable")[:BESIDE]:
                if not np.array_equal(at_level[best], choice.rounding[k]):
                    moved = choice.copy()
                    moved.level[k] = choice.level[k] if best == len(self.options[k].near) else int(best)
                    moved.rounding[k] = at_level[best].copy()
                    found.append(moved)
        return found

    def _improve(self, k: int, choice: Choice, x: np.ndarray, value: float) -> float:
        """Take the best of a node's levels, each with its best roundings."""
        values, at_level = self._at_levels(k, choice, x, value)
        best = _first_least(values)
        if not values[best] < value - TIE * abs(value):
            return value
        choice.level[k] = choice.level[k] if best == len(self.options[k].near) else best
        choice.rounding[k] = at_level[best].copy()
        x[self.starts[k] : self.starts[k + 1]] = at_level[best]
        return float(values[best])

    def _at_levels(
        self, k: int, choice: Choice, x: np.ndarray, value: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give the model's values (l + 1,) at every level of a node, and the roundings (l + 1, u) that make them.

        The last is the level that it has, from the roundings that it has.
        """
        at, options = slice(self.starts[k], self.starts[k + 1]), self.options[k]
        own, mine = self.gram[at, at], x[at].copy()
        pull = (
            self.gram[at] @ x + self.along[at] - own @ mine
        )  # half the slope that the rest of the circuit gives
        rest = value - float(mine @ own @ mine + 2.0 * pull @ mine)
        back = options.far[choice.level[k]] + options.near[choice.level[k]] - 2.0 * mine
        at_level = np.concatenate([options.near, mine[None]])
        swing = np.concatenate([options.far - options.near, back[None]])
        for _ in range(2 * len(own)):
            gain = swing * (2.0 * (at_level @ own + pull) + swing * np.diag(own))
            unit = gain.argmin(axis=1)
            lines = np.arange(len(gain))
            moving = gain[lines, unit] < -TIE * np.abs(value)
            if not moving.any():
                break
            lines, unit = lines[moving], unit[moving]
            at_level[lines, unit] += swing[lines, unit]
            swing[lines, unit] *= -1.0
        return rest + np.einsum("lu,uv,lv->l", at_level, own, at_level) + 2.0 * at_level @ pull, at_level

    def values(self, choice: Choice) -> Float[np.ndarray, " m"]:
        """Give the values of a choice, (m,), standard ones but for the last digits."""
        found = self.exact_values(choice)
        for node, rounding in zip(self.nodes, choice.rounding, strict=True):
            found[node.columns] *= np.exp(rounding @ node.tied)
        return found

    def exact_values(self, choice: Choice) -> Float[np.ndarray, " m"]:
        """Give the values at the levels of a choice, before rounding, (m,)."""
        found = self.exact.copy()
        for node, level in zip(self.nodes, choice.level, strict=True):
            found[node.columns] *= node.levels[level] ** node.power
        return found


def _first_least(values: np.ndarray) -> int:
    """Give the first of the least but for rounding, which differs between machines."""
    least = values.min()
    return int(np.argmax(values <= least + TIE * abs(least)))


def _options(
    node: Node,
    exact: np.ndarray,
    series: Sequence[str | None],
    stocks: Sequence[Stock | None],
    pairs: float,
) -> _Options:
    """Give what every unit may be rounded by at every level: the nearest standard value, and the one beyond.

    Where the one beyond is no choice, it is the nearest once more.
    """
    first = node.tied.argmax(axis=1)  # one column of each unit
    columns, power = node.columns[first], node.power[first]
    wanted = exact[columns] * node.levels[:, None] ** power
    near, far = np.zeros_like(wanted), np.zeros_like(wanted)
    for u, column in enumerate(columns.tolist()):
        name = series[column]
        if name is None:
            continue
        chosen = nearest(wanted[:, u], name)
        ratio = np.log(chosen / wanted[:, u])
        beyond = _neighbours(chosen, name, upward=ratio < 0.0)
        stock = stocks[column]
        is_open = np.abs(beyond / wanted[:, u] - 1.0) <= pairs
        if stock is not None:
            is_open &= stock.has(beyond) | ~stock.has(chosen)
        is_one = np.abs(chosen / wanted[:, u] - 1.0) <= pairs  # else two parts make it nearly exact
        near[:, u] = np.where(is_one, ratio, 0.0)
        far[:, u] = np.where(is_open, np.log(beyond / wanted[:, u]), near[:, u])
    return _Options(near, far)


def _neighbours(values: np.ndarray, series: str, *, upward: np.ndarray) -> np.ndarray:
    """Give the next member of a series above or below members of it."""
    known = members(series)
    decade = np.floor(np.log10(values) + TIE)
    place = np.abs(known - (values / 10.0**decade)[:, None]).argmin(axis=1)
    further = place + np.where(upward, 1, -1)
    return nearest(known[further % len(known)] * 10.0 ** (decade + further // len(known)), series)


def fit_jointly(
    model: Model,
    true_errors: Callable[[Float[np.ndarray, "s m"]], Float[np.ndarray, "s e"]],
    levels: list[int],
) -> Choice:
    """Choose levels and roundings of all nodes together.

    Parameters
    ----------
    model : Model
    true_errors : callable
        What values add to the window's error, in the coordinates of the Jacobian, of s circuits at once.
    levels : list of int
        Levels to start from: those that the circuit has.
    """
    random = np.random.default_rng(0)
    starts = [levels, model.own_levels()]
    starts += [[int(random.integers(len(n.levels))) for n in model.nodes] for _ in range(STARTS)]
    pool = _Pool(model)
    found = sorted((model.descend(model.nearest(start)) for start in starts), key=model.size)
    for choice in found:
        pool.add(choice)
    for choice in found[:KEPT]:
        _kick(model, choice, random, kicks=max(FEWEST, KICKS // len(model.nodes) ** 2), pool=pool)
    tried = pool.choices()
    errors = true_errors(np.stack([model.values(choice) for choice in tried]))
    order = np.argsort((errors**2).sum(axis=1), kind="stable")[: max(FEWEST, POLISHED // len(model.nodes))]
    best, least = tried[order[0]], np.inf
    left = WORK // max(1, len(model.nodes)) ** 3
    for k in order:
        choice, error = tried[k], errors[k]
        for _ in range(ROUNDS):
            size = float(error @ error)
            if size < least * _BETTER:
                best, least = choice, size
            model.centre_at(error, choice)
            beside = [model.descend(choice)]
            if left > 1 + BESIDE * len(model.nodes):
                beside += model.beside(choice)
            left -= len(beside)
            seen = true_errors(np.stack([model.values(each) for each in beside]))
            at = int((seen**2).sum(axis=1).argmin())
            if not float(seen[at] @ seen[at]) < size * _BETTER:
                break
            choice, error = beside[at], seen[at]
        model.along = np.zeros(len(model.gram))
    return best


class _Pool:
    """The best choices that were met, all different."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.found: dict[bytes, tuple[float, Choice]] = {}

    def add(self, choice: Choice) -> None:
        x = self.model.vector(choice)
        self.found.setdefault(np.round(x, 9).tobytes(), (self.model.size(choice), choice))

    def choices(self) -> list[Choice]:
        return [
            choice
            for _, choice in sorted(self.found.values(), key=lambda one: one[0])[
                : max(FEWEST, POOL // len(self.model.nodes))
            ]
        ]


def _kick(model: Model, choice: Choice, random: np.random.Generator, *, kicks: int, pool: _Pool) -> None:
    """Move two nodes to other levels and descend again, many times, from the best so far."""
    size = model.size(choice)
    for _ in range(kicks):
        tried = choice.copy()
        for k in random.choice(len(model.nodes), min(2, len(model.nodes)), replace=False).tolist():
            level = int(random.integers(len(model.nodes[k].levels)))
            tried.level[k], tried.rounding[k] = level, model.options[k].near[level].copy()
        tried = model.descend(tried)
        pool.add(tried)
        if (after := model.size(tried)) < size * _BETTER:
            choice, size = tried, after
