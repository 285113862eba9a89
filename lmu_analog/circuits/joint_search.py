"""Standard values that fit together: levels and roundings of a whole circuit, chosen for the error that they add.

Rounding a value where it stands is nearly never best: what one rounding does to the window another can undo. To first
order the error that roundings add is J x, with x the logarithms of what each value is rounded by, and J does not
depend on levels: neither on the impedance of a node nor on the voltage of an output (``driven``). What reads an output
divides by its voltage, in numbers, so that a part of J x is free, too: with P the errors that the voltages of outputs
make where nothing divides by them, |r + J x - P t|^2 + rho^2 |t|^2 is least over t in closed form, and a quadratic
form in x. That is minimised over the levels of all nodes and outputs and over the two standard values on either side
of each value: a node and the output that it feeds back to at a time, all their levels with their roundings at once,
from several starts side by side; in circuits of few nodes from two of them moved at random, too (seeded). Then the
circuit's true error gives another r, and so on; what is kept is the best by the true error. It is no proof that
nothing better exists.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import TIE, members

LN10 = math.log(10.0)
EDGE = (
    1e-10  # of a decade: a standard value, but for the last digits of its logarithm, is the lower of the two
)
MANY = 20  # nodes: from there on, other starts find more than moves at random from the same
KICKS = 40  # of each start, over the number of nodes
MOST_KICKS = 6
TRIED = 6  # levels of a node whose roundings are improved, of those that are best with the nearest
BARRED = 1e3  # a logarithm that nothing is rounded by, which is never best
TINY = 1e-300
LEAST_BALANCE = (
    0.25  # of the conductance that a balance has as the circuit is: below, the level is none to choose
)
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
    own : int
        The output of the amplifier that it belongs to, -1 for none that may be multiplied.
    source : tuple of int
        For every unit the output that its other end is at, -1 for none that may be multiplied; empty: none of them.
    """

    columns: np.ndarray
    tied: Float[np.ndarray, "u k"]
    power: Float[np.ndarray, " k"]
    levels: Float[np.ndarray, " l"]
    own: int = -1
    source: tuple[int, ...] = ()


@dataclass(frozen=True, eq=False)
class Balancing:
    """A resistor whose conductance is a sum of others', some of them negative, at the level of its node.

    Attributes
    ----------
    column : int
    of : tuple of int
        Columns of the others.
    share : tuple of float
        What of its conductance each makes up, in the circuit as it is.
    """

    column: int
    of: tuple[int, ...]
    share: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Outputs:
    """Outputs whose voltage may be multiplied.

    Attributes
    ----------
    read : (e, o) array
        P: what of the error one more in the logarithm of each one's voltage makes, where nothing divides by it.
    step : float
        Between two levels, of which zero is the voltage as it is; in logarithms.
    first : int
        Steps from there down to the highest level of those to choose from.
    count : int
        Levels to choose from, each a step lower.
    ridge : float
        rho, in the unit of the error.
    balances : tuple of Balancing
    """

    read: Float[np.ndarray, "e o"]
    step: float
    first: int
    count: int
    ridge: float
    balances: tuple[Balancing, ...] = ()


@dataclass(eq=False)
class Choices:
    """Many choices, side by side.

    Attributes
    ----------
    level : (s, n) int array
        For every node, of its levels.
    scale : (s, o + 1) int array
        For every output, steps that its voltage is multiplied down; the last stays zero.
    x : (s, u) array
        Logarithms of what every unit is rounded by.
    """

    level: Int[np.ndarray, "s n"]
    scale: Int[np.ndarray, "s o"]
    x: Float[np.ndarray, "s u"]

    def at(self, rows: np.ndarray | slice) -> "Choices":
        """Give some of them, which may be changed without changing these."""
        return Choices(*(part[rows].copy() for part in (self.level, self.scale, self.x)))

    def put(self, rows: np.ndarray, other: "Choices") -> None:
        """Replace some of them."""
        self.level[rows], self.scale[rows], self.x[rows] = other.level, other.scale, other.x

    def __len__(self) -> int:
        return len(self.x)


def joined(parts: Sequence[Choices]) -> Choices:
    """Put choices after one another."""
    return Choices(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("level", "scale", "x"))
    )


@dataclass(frozen=True, eq=False)
class _Block:
    """A node and the output that it feeds back to: all that their levels change, c pairs of levels and u units.

    The place of a unit's rounding in a table is ``fixed + moved + state``, with the levels of the choice in ``state``:
    its node's, its own output's and its source's, each in this order times ``weight``, zero where the block moves it.
    """

    node: int
    output: int
    units: Int[np.ndarray, " u"]
    levels: Int[np.ndarray, " c"]
    scales: Int[np.ndarray, " c"]
    pairs: tuple[int, int]
    moved: Int[np.ndarray, "c u"]
    weight: Int[np.ndarray, "3 u"]
    gram: Float[np.ndarray, "u u"]
    across: Float[np.ndarray, "u a"]


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
    outputs : Outputs, optional
    limits : (m,) sequence of ((float, float) or None), optional
        Of each value: no voltage of an output is a choice that takes one beyond them.
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
        outputs: Outputs | None = None,
        limits: Sequence[tuple[float, float] | None] | None = None,
    ) -> None:
        self.nodes, self.exact, self.pairs = nodes, exact, pairs
        self.outputs = Outputs(np.zeros((len(jacobian), 0)), 0.0, 0, 1, 0.0) if outputs is None else outputs
        self.count = self.outputs.read.shape[1]  # of outputs; as an index, no output
        sizes = [len(node.tied) for node in nodes]
        self.starts = np.cumsum([0, *sizes])
        self.of_node = np.repeat(np.arange(len(nodes)), sizes)
        first = [node.tied.argmax(axis=1) for node in nodes]  # one column of each unit
        none = self.count
        self.own = np.array([node.own if node.own >= 0 else none for node in nodes], int)
        sources = [node.source or (-1,) * size for node, size in zip(nodes, sizes, strict=True)]
        self.source = np.array([s if s >= 0 else none for of in sources for s in of], int)
        flat = np.zeros(0)
        self.column = np.concatenate(
            [flat, *(n.columns[at] for n, at in zip(nodes, first, strict=True))]
        ).astype(int)
        self.power = np.concatenate([flat, *(n.power[at] for n, at in zip(nodes, first, strict=True))])
        self.columns = np.concatenate([flat, *(n.columns for n in nodes)]).astype(int)
        first_unit = np.repeat(self.starts[:-1], [len(n.columns) for n in nodes])
        self.unit = np.concatenate([flat, *(n.tied.argmax(axis=0) for n in nodes)]).astype(int) + first_unit
        self._make_tables(
            [series[k] for k in self.column],
            [None if stocks is None else stocks[k] for k in self.column],
            [None if limits is None else limits[k] for k in self.column],
        )
        tied = [jacobian[:, node.columns] @ node.tied.T for node in nodes]
        self.jacobian = np.concatenate(tied, axis=1) if tied else np.zeros((len(jacobian), 0))
        P = self.outputs.read
        inverse = np.linalg.inv(P.T @ P + self.outputs.ridge**2 * np.eye(self.count))
        self.follow = inverse @ P.T  # t of an error
        # J' (1 - P (P'P + rho^2)^-1 P'): what is left of an error where the levels of outputs follow.
        self.left = self.jacobian.T - (self.jacobian.T @ P) @ self.follow
        self.gram = self.left @ self.jacobian
        self.gram = 0.5 * (self.gram + self.gram.T)
        self.blocks = [self._block(k) for k in range(len(nodes))]

    def _make_tables(
        self,
        series: Sequence[str | None],
        stocks: Sequence[Stock | None],
        limits: Sequence[tuple[float, float] | None],
    ) -> None:
        """Say what every unit is rounded by at each level of its node and each difference of its outputs' levels."""
        self.series = series
        self.most = self.outputs.first + self.outputs.count - 1  # steps, of any output
        self.spread = 2 * self.most + 1
        self.longest = max((len(node.levels) for node in self.nodes), default=1)
        shape = (len(self.column), self.longest, self.spread)
        self.log_level = np.zeros((len(self.nodes), self.longest))
        for k, node in enumerate(self.nodes):
            self.log_level[k, : len(node.levels)] = np.log(node.levels)
        shift = self.outputs.step * (np.arange(self.spread) - self.most)
        moved = self.log_level[self.of_node][:, :, None] + shift
        target = np.log(self.exact[self.column])[:, None, None] + self.power[:, None, None] * moved
        self.near, self.far = np.zeros(shape), np.zeros(shape)
        for name in dict.fromkeys(series):
            if name is not None:
                at = np.array([s == name for s in series])
                self.near[at], self.far[at] = sides(target[at], name, self.pairs)
        for stock in {s for s in stocks if s is not None}:
            at = np.flatnonzero([s == stock for s in stocks])
            self._bar(at, [_has(stock, target[at] + of[at]) for of in (self.near, self.far)])
        for limit in {x for x in limits if x is not None}:
            at = np.flatnonzero([x == limit for x in limits])
            low, high = np.log(limit[0]) - TIE, np.log(limit[1]) + TIE
            made = [target[at] + of[at] for of in (self.near, self.far)]
            self._bar(at, [(low <= one) & (one <= high) for one in made])
        self.place = {int(c): u for u, c in enumerate(self.column)}
        self.balances = [
            (self.place[b.column], np.array([self.place[c] for c in b.of]), np.array(b.share))
            for b in self.outputs.balances
        ]

    def _bar(self, at: np.ndarray, may: list[np.ndarray]) -> None:
        """Take away roundings, near and far, that may not be, where those of the circuit's own outputs may."""
        near, far = may
        self.far[at] = np.where(far | ~near, self.far[at], self.near[at])
        barred = ~near & near[..., self.most, None]
        self.near[at] = np.where(barred, BARRED, self.near[at])
        self.far[at] = np.where(barred & ~far, BARRED, self.far[at])

    def _block(self, node: int) -> _Block:
        output = int(self.own[node])
        inside = self.of_node == node
        own = self.own[self.of_node]
        if not np.any(inside & (self.source == output)):
            output = self.count  # it belongs to none, or is the other input of its amplifier
        moves = output < self.count
        mine = inside | (moves & ((self.source == output) | (own == output)))
        for unit, of, _ in self.balances:  # which is another as soon as one of these is
            mine[unit] |= bool(mine[of].any())
        units = np.flatnonzero(mine)
        levels = np.arange(len(self.nodes[node].levels))
        scales = self.outputs.first + np.arange(self.outputs.count) if moves else np.zeros(1, int)
        pairs = (int(scales[0]), len(scales))
        at = (np.repeat(levels, len(scales)), np.tile(scales, len(levels)))
        is_inside, is_own, is_source = (
            inside[units],
            moves & (own[units] == output),
            moves & (self.source[units] == output),
        )
        moved = (
            at[0][:, None] * self.spread * is_inside + at[1][:, None] * is_own - at[1][:, None] * is_source
        )
        weight = np.stack([self.spread * ~is_inside, ~is_own * 1, -1 * ~is_source])
        gram = self.gram[units]
        return _Block(node, output, units, *at, pairs, moved, weight, gram[:, units], gram)

    @cached_property
    def _fixed(self) -> Int[np.ndarray, " u"]:
        return np.arange(len(self.column)) * self.longest * self.spread + self.most

    def _places(self, choices: Choices, units: np.ndarray, weight: np.ndarray) -> Int[np.ndarray, "s u"]:
        """Give the places of roundings in the tables, but for what a block moves."""
        node = self.of_node[units]
        return (
            self._fixed[units]
            + choices.level[:, node] * weight[0]
            + choices.scale[:, self.own[node]] * weight[1]
            + choices.scale[:, self.source[units]] * weight[2]
        )

    @cached_property
    def _all(self) -> tuple[np.ndarray, np.ndarray]:
        """All units, and what their places are made of."""
        units = np.arange(len(self.column))
        return units, np.stack([np.full(len(units), self.spread), np.ones_like(units), -np.ones_like(units)])

    def chosen(self, level: Int[np.ndarray, "s n"], scale: Int[np.ndarray, "s o"]) -> Choices:
        """Round every value to the nearest at some levels of nodes and outputs."""
        found = Choices(
            level, np.concatenate([scale, np.zeros((len(level), 1), int)], axis=1), np.zeros((len(level), 0))
        )
        found.x = self.near.ravel()[self._places(found, *self._all)]
        for unit, log_target, _ in self._balanced(found):
            found.x[:, unit] = sides(log_target, self.series[unit], self.pairs)[0]
        return found

    def _balanced(self, choices: Choices) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Give every balance with the logarithm of its value before rounding, (s,), and of its conductance's ratio."""
        found = []
        for unit, of, share in self.balances:
            down = choices.scale[:, self.own[self.of_node[of]]] - choices.scale[:, self.source[of]]
            ratio = np.exp(-self.outputs.step * down) @ share
            found.append((unit, *self._of_balance(unit, ratio, choices.level[:, self.of_node[unit]])))
        return found

    def _of_balance(self, unit: int, ratio: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        log_level = self.log_level[self.of_node[unit], level]
        kept = np.maximum(ratio, LEAST_BALANCE)
        return np.log(self.exact[self.column[unit]]) - np.log(kept) + log_level, ratio

    def own_levels(self) -> Int[np.ndarray, " n"]:
        """Give, for every node, the level whose nearest roundings are best by themselves."""
        found = []
        for k, node in enumerate(self.nodes):
            at = slice(self.starts[k], self.starts[k + 1])
            near = self.near[at, : len(node.levels), self.most].T
            found.append(_first_least(np.einsum("lu,uv,lv->l", near, self.gram[at, at], near)))
        return np.array(found, int)

    def size(self, x: Float[np.ndarray, "s u"], along: Float[np.ndarray, "s u"]) -> Float[np.ndarray, " s"]:
        """Give what the model says of roundings, but for a constant, (s,)."""
        return np.sum((x @ self.gram + 2.0 * along) * x, axis=1)

    def along(
        self, error: Float[np.ndarray, "s e"], t: Float[np.ndarray, "s o"], x: Float[np.ndarray, "s u"]
    ) -> Float[np.ndarray, "s u"]:
        """Give J'r of models about choices with known errors: r is what the first order misses.

        Parameters
        ----------
        error : (s, e) array
            With the levels of outputs that were best.
        t : (s, o) array
            By how much these were above those chosen, in logarithms.
        x : (s, u) array
        """
        return (error + t @ self.outputs.read.T) @ self.left.T - x @ self.gram

    def descend(
        self, choices: Choices, along: Float[np.ndarray, "s u"], passes: int
    ) -> tuple[Choices, Float[np.ndarray, " s"]]:
        """Improve node after node until nothing is better; give what that ends in, and its sizes."""
        choices = choices.at(slice(None))
        pull = choices.x @ self.gram + along
        value = np.sum((pull + along) * choices.x, axis=1)
        tried = np.zeros(
            len(choices), int
        )  # nodes since one changed: when all have been, more were a repetition
        for step in range(passes * len(self.nodes)):
            rows = np.flatnonzero(tried < len(self.nodes))
            if not len(rows):
                break
            changed = self._improve(self.blocks[step % len(self.nodes)], choices, rows, pull, value)
            tried[rows] = np.where(changed, 1, tried[rows] + 1)
        return choices, value

    def _improve(
        self, block: _Block, choices: Choices, rows: np.ndarray, pull: np.ndarray, value: np.ndarray
    ) -> Bool[np.ndarray, " s"]:
        """Take the best levels of a block, with their best roundings, where they are better; tell where."""
        some = choices if len(rows) == len(choices) else choices.at(rows)
        units, lines = block.units, np.arange(len(rows))[:, None]
        mine, margin = some.x[:, units], TIE * np.abs(value[rows])
        rest = (
            pull[rows[:, None], units] - mine @ block.gram
        )  # half the slope that the rest of the circuit gives
        places = self._places(some, units, block.weight)[:, None, :] + block.moved
        near = self.near.ravel()[places]
        balances = self._balances_of(block, some)
        for at, low, _ in balances:
            near[..., at] = low
        model = ((near @ block.gram + 2.0 * rest[:, None, :]) * near).sum(axis=2)
        here = (some.level[:, block.node] * block.pairs[1] + some.scale[:, block.output] - block.pairs[0])[
            :, None
        ]
        tried = np.argsort(np.round(model / (np.abs(value[rows])[:, None] + TINY), 9), axis=1, kind="stable")
        tried = np.concatenate([tried[:, :TRIED], here], axis=1)
        at, far = near[lines, tried], self.far.ravel()[places[lines, tried]]
        for unit, _, high in balances:
            far[..., unit] = high[lines, tried]
        swing = far - at
        swing[:, -1] += 2.0 * (at[:, -1] - mine)  # to the other one of the two
        at[:, -1] = mine
        at, gain = _flipped(at, swing, block.gram, rest, margin)
        best = (gain >= gain.max(axis=1, keepdims=True) - margin[:, None]).argmax(axis=1)
        won = gain[lines[:, 0], best] - _gain(mine, block.gram, rest)
        where = np.flatnonzero(won > margin)
        if len(where):
            to, pair = rows[where], tried[where, best[where]]
            new = at[where, best[where]]
            choices.level[to, block.node] = block.levels[pair]
            choices.scale[to, block.output] = block.scales[pair]
            pull[to] += (new - mine[where]) @ block.across
            choices.x[to[:, None], units] = new
            value[to] -= won[where]
        return won > margin

    def _balances_of(self, block: _Block, choices: Choices) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """Give for every balance in a block its place there, and both of its roundings at all levels, (s, c)."""
        given = []
        for unit, of, share in self.balances:
            found = np.flatnonzero(block.units == unit)
            if not len(found):
                continue
            own, source, node = self.own[self.of_node[of]], self.source[of], self.of_node[unit]
            moved_own, moved_source = own == block.output, source == block.output
            if block.output == self.count:
                moved_own, moved_source = np.zeros(len(of), bool), np.zeros(len(of), bool)
            moved = block.scales[:, None] * (moved_own * 1 - moved_source * 1)
            stay = choices.scale[:, own] * ~moved_own - choices.scale[:, source] * ~moved_source
            # exp(a + b) = exp(a) exp(b): (s, b) times (c, b), summed over b.
            step = self.outputs.step
            ratio = (np.exp(-step * stay) * share) @ np.exp(-step * moved).T
            level = block.levels if node == block.node else choices.level[:, node][:, None]
            target, _ = self._of_balance(unit, ratio, level)
            low, high = sides(target, self.series[unit], self.pairs)
            given.append((int(found[0]), np.where(ratio < LEAST_BALANCE, BARRED, low), high))
        return given

    def _shifts(self, choices: Choices) -> Float[np.ndarray, "s u"]:
        """Give the logarithms of what every unit's value is multiplied by before rounding, (s, u)."""
        down = choices.scale[:, self.own[self.of_node]] - choices.scale[:, self.source]
        level = self.log_level[self.of_node, choices.level[:, self.of_node]]
        shift = self.power * (level + self.outputs.step * down)
        for unit, log_target, _ in self._balanced(choices):
            shift[:, unit] = log_target - np.log(self.exact[self.column[unit]])
        return shift

    def _multiplied(self, logs: Float[np.ndarray, "s u"]) -> Float[np.ndarray, "s m"]:
        found = np.repeat(self.exact[None], len(logs), axis=0)
        found[:, self.columns] *= np.exp(logs[:, self.unit])
        return found

    def exact_values(self, choices: Choices) -> Float[np.ndarray, "s m"]:
        """Give the values at the levels of choices, before rounding, (s, m)."""
        return self._multiplied(self._shifts(choices))

    def values(self, choices: Choices) -> Float[np.ndarray, "s m"]:
        """Give the values of choices, (s, m), standard ones but for the last digits."""
        return self._multiplied(self._shifts(choices) + choices.x)

    def log_scales(self, choices: Choices) -> Float[np.ndarray, "s o"]:
        """Give the logarithms of what the voltages of outputs are multiplied by, (s, o)."""
        return -self.outputs.step * choices.scale[:, :-1]


def _gain(
    x: Float[np.ndarray, "s u"], gram: Float[np.ndarray, "u u"], rest: Float[np.ndarray, "s u"]
) -> Float[np.ndarray, " s"]:
    """Give by how much roundings are better than none, (s,)."""
    return -((x @ gram + 2.0 * rest) * x).sum(axis=1)


def _flipped(
    at: Float[np.ndarray, "s c u"],
    swing: Float[np.ndarray, "s c u"],
    gram: Float[np.ndarray, "u u"],
    rest: Float[np.ndarray, "s u"],
    margin: Float[np.ndarray, " s"],
) -> tuple[Float[np.ndarray, "s c u"], Float[np.ndarray, "s c"]]:
    """Move single roundings to the other side, the best first, until nothing is better; give what zero is worse by."""
    count, units = at.shape[0] * at.shape[1], at.shape[2]
    flat, swing = at.reshape(count, units).copy(), swing.reshape(count, units)
    slope = 2.0 * (flat @ gram + np.repeat(rest, at.shape[1], axis=0))
    margin = np.repeat(margin, at.shape[1])
    own = swing**2 * np.diag(gram)
    lines = np.arange(count)
    for _ in range(2 * units):
        gain = swing[lines] * slope[lines] + own[lines]
        unit = gain.argmin(axis=1)
        moving = np.take_along_axis(gain, unit[:, None], axis=1)[:, 0] < -margin[lines]
        if not moving.any():
            break
        lines, unit = lines[moving], unit[moving]
        by = swing[lines, unit]
        flat[lines, unit] += by
        slope[lines] += 2.0 * by[:, None] * gram[unit]
        swing[lines, unit] = -by
    gain = -(0.5 * (slope + 2.0 * np.repeat(rest, at.shape[1], axis=0)) * flat).sum(axis=1)
    return flat.reshape(at.shape), gain.reshape(at.shape[:2])


def _first_least(values: np.ndarray) -> int:
    """Give the first of the least but for rounding, which differs between machines."""
    least = values.min()
    return int(np.argmax(values <= least + TIE * abs(least)))


def _has(stock: Stock, log_value: np.ndarray) -> np.ndarray:
    """Tell which values can be ordered, (...): each different one is looked up once."""
    known, place = np.unique(np.round(log_value, 6), return_inverse=True)
    return stock.has(np.exp(known))[place].reshape(log_value.shape)


def sides(
    log_value: Float[np.ndarray, "*s"], series: str | None, pairs: float = math.inf
) -> tuple[Float[np.ndarray, "*s"], Float[np.ndarray, "*s"]]:
    """Give the logarithms of what values are rounded by, (...) each: to the nearest standard value, and beyond.

    Parameters
    ----------
    log_value : (...) array
        Logarithms of values.
    series : str or None
        None: nothing is rounded.
    pairs : float
        Largest error of one standard value, a fraction. What is beyond is made of two, which rounds nothing; where the
        other standard value is beyond, it is no choice, and the nearest stands in its place.
    """
    if series is None:
        return np.zeros_like(log_value), np.zeros_like(log_value)
    known = np.append(np.log(members(series)), LN10)
    decades = log_value / LN10 + EDGE
    decade = np.floor(decades)
    place = np.searchsorted(known, (decades - decade) * LN10, side="right")
    below = known[place - 1] + decade * LN10 - log_value
    above = known[np.minimum(place, len(known) - 1)] + decade * LN10 - log_value
    is_below = -below <= above + TIE
    near, far = np.where(is_below, below, above), np.where(is_below, above, below)
    if pairs < math.inf:
        far = np.where(np.abs(np.expm1(far)) <= pairs, far, near)
        is_one = np.abs(np.expm1(near)) <= pairs
        near, far = np.where(is_one, near, 0.0), np.where(is_one, far, 0.0)
    return near, far


@dataclass(frozen=True, eq=False)
class Seen:
    """What a circuit makes of choices.

    Attributes
    ----------
    error : (s, e) array
        That values add to the window's error, with the best levels of outputs.
    t : (s, o) array
        By how much these are above those of the choice, in logarithms.
    sizes : (s,) array
        What choices are ranked by.
    keeps : (s,) bool array
        Whether the choice may be taken.
    """

    error: Float[np.ndarray, "s e"]
    t: Float[np.ndarray, "s o"]
    sizes: Float[np.ndarray, " s"]
    keeps: Bool[np.ndarray, " s"]


@dataclass(frozen=True)
class Effort:
    """How much is tried.

    Attributes
    ----------
    starts : int
        Chains side by side.
    passes : int
        Over all nodes, in one descent; more than eight change nothing.
    kicks : int
        Times that each of them is moved at random and descends again.
    polished : int
        Choices that the true error improves.
    rounds : int
        Of that.
    """

    starts: int
    passes: int
    kicks: int
    polished: int
    rounds: int


def effort(nodes: int) -> Effort:
    """Say how much a circuit of some nodes is worth: less, the longer one descent takes."""
    if nodes >= MANY:
        return Effort(starts=4, passes=3, kicks=0, polished=3, rounds=2)
    return Effort(
        starts=6, passes=4, kicks=min(MOST_KICKS, round(KICKS / max(nodes, 1))), polished=4, rounds=2
    )


def fit_jointly(
    model: Model,
    evaluate: Callable[[Float[np.ndarray, "s m"], Float[np.ndarray, "s o"]], Seen],
    levels: Sequence[int],
    *,
    much: Effort | None = None,
) -> tuple[Choices, Float[np.ndarray, " s"]]:
    """Choose levels and roundings of all nodes together.

    Parameters
    ----------
    model : Model
    evaluate : callable
        What values and logarithms of the outputs' levels make, in the coordinates of the Jacobian, of s circuits.
    levels : sequence of int
        Levels of nodes to start from: those that the circuit has.
    much : Effort, optional

    Returns
    -------
    Choices
        Those that the true error found best and that may be taken, the best first; none where there are none.
    (s,) array
        What they are ranked by.
    """
    much = effort(len(model.nodes)) if much is None else much
    random = np.random.default_rng(0)
    counts = np.array([len(node.levels) for node in model.nodes])
    level = random.integers(counts, size=(much.starts, len(counts)))
    level[0], level[1] = levels, model.own_levels()
    free = np.isin(np.arange(model.count), [block.output for block in model.blocks])
    scale = model.outputs.first + random.integers(model.outputs.count, size=(much.starts, model.count))
    scale[0] = model.outputs.first
    scale[:, ~free] = 0  # the voltage of another stays
    still = np.zeros((much.starts, len(model.gram)))
    chains, size = model.descend(model.chosen(level, scale), still, much.passes)
    met = [(chains.at(slice(None)), size)]
    for _ in range(much.kicks):
        moved = _kicked(model, chains, random)
        moved, after = model.descend(moved, still, much.passes)
        better = after < size * _BETTER
        chains.put(np.flatnonzero(better), moved.at(better))
        size = np.where(better, after, size)
        met.append((moved, after))
    pool = _best(
        joined([choices for choices, _ in met]), np.concatenate([s for _, s in met]), 4 * much.polished
    )
    return _polished(model, evaluate, pool, much)


def _kicked(model: Model, chains: Choices, random: np.random.Generator) -> Choices:
    """Move two nodes of every choice, and their outputs, to other levels."""
    level, scale = chains.level.copy(), chains.scale[:, :-1].copy()
    moved = np.zeros_like(chains.x, bool)
    for row in range(len(chains)):
        for k in random.integers(len(model.nodes), size=2).tolist():
            block = model.blocks[k]
            level[row, k] = random.integers(len(model.nodes[k].levels))
            if block.output < model.count:
                scale[row, block.output] = model.outputs.first + random.integers(model.outputs.count)
            moved[row, block.units] = True
    fresh = model.chosen(level, scale)
    fresh.x = np.where(moved, fresh.x, chains.x)
    return fresh


def _best(choices: Choices, size: Float[np.ndarray, " s"], count: int) -> Choices:
    """Give the smallest choices, all different."""
    order = np.argsort(np.round(size / max(np.abs(size).max(initial=0.0), 1e-300), 12), kind="stable")
    seen: dict[bytes, int] = {}
    for k in order.tolist():
        # Adding zero makes one zero of both.
        if np.abs(choices.x[k]).max(initial=0.0) >= BARRED:
            continue
        seen.setdefault((np.round(choices.x[k], 9) + 0.0).tobytes() + choices.scale[k].tobytes(), k)
        if len(seen) == count:
            break
    return choices.at(np.array(list(seen.values()), int))


def _polished(
    model: Model,
    evaluate: Callable[[Float[np.ndarray, "s m"], Float[np.ndarray, "s o"]], Seen],
    pool: Choices,
    much: Effort,
) -> tuple[Choices, Float[np.ndarray, " s"]]:
    """Improve the best choices by their true errors."""

    def looked_at(choices: Choices) -> Seen:
        return evaluate(model.values(choices), model.log_scales(choices))

    seen = looked_at(pool)
    found = [(pool, np.where(seen.keeps, seen.sizes, np.inf))]
    order = np.argsort(_told_apart(np.where(seen.keeps, 1.0, 2.0) * seen.sizes), kind="stable")[
        : much.polished
    ]
    choices = pool.at(order)
    error, t, size = seen.error[order], seen.t[order], seen.sizes[order]
    for _ in range(much.rounds):
        moved, _ = model.descend(choices, model.along(error, t, choices.x), much.passes)
        seen = looked_at(moved)
        found.append((moved, np.where(seen.keeps, seen.sizes, np.inf)))
        better = np.flatnonzero(seen.sizes < size * _BETTER)
        if not len(better):
            break
        choices, error, t, size = moved.at(better), seen.error[better], seen.t[better], seen.sizes[better]
    everything, sizes = joined([c for c, _ in found]), np.concatenate([s for _, s in found])
    kept = np.flatnonzero(np.isfinite(sizes))
    kept = kept[np.argsort(_told_apart(sizes[kept]), kind="stable")]
    kept = kept[: much.polished]
    return everything.at(kept), sizes[kept]


def _told_apart(sizes: Float[np.ndarray, " s"]) -> Float[np.ndarray, " s"]:
    """Round squared errors so that last digits, which differ between machines, put none before another."""
    return np.array([float(f"{size:.9e}") for size in sizes])
