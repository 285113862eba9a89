"""Tolerances part by part: a cheap set with which circuits keep a limit.

To first order a part adds to the mean square error by the square of its tolerance, so a tolerance is worth most where a
part matters most. Parts with dearer tolerances are chosen by a price for accuracy: of each part the class that is
cheapest together with lambda times what it adds, lambda the smallest with which the limit is kept (Everett, Operations
Research 11, 1963). Then single parts are made cheaper while the limit is kept, those first that save most for what they
add. That is no proof of the cheapest: on circuits small enough to try all choices it is within a tenth. An ensemble of
the exact engine decides; where it finds more error than the theory, the limit is tightened by as much and the parts are
chosen again. The figures that are told are of other circuits than those that decided.

The limit is on the window NRMSE, or on the loss of a network whose memories the circuits are (``codesign.task``), whose
root has the same theory.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
from jaxtyping import Float

from lmu_analog.building import build
from lmu_analog.circuits.circuit import Circuit
from lmu_analog.circuits.components import Capacitor, Component, Resistor
from lmu_analog.circuits.devices import passives
from lmu_analog.circuits.devices.prices import Price, names_of, price_of
from lmu_analog.circuits.devices.tolerance import PartTolerance, Tolerance
from lmu_analog.circuits.devices.values import TIE, nearest
from lmu_analog.circuits.families.registry import is_on_chip
from lmu_analog.codesign import pearson
from lmu_analog.codesign.prices import class_price
from lmu_analog.codesign.task import software_score, task_first_order, task_results
from lmu_analog.design import Design
from lmu_analog.ensembles.exact import exact_chunk
from lmu_analog.ensembles.intervals import clopper_pearson
from lmu_analog.ensembles.orders import USUAL_YIELD
from lmu_analog.errors import DesignError, shown
from lmu_analog.mismatch.law import Mismatch, columns
from lmu_analog.networks.task import NetworkTask
from lmu_analog.stimulus import Tones
from lmu_analog.theory.first_order import FirstOrder, first_order
from lmu_analog.theory.quadratic import nrmse_quantiles

UNIT = 0.01  # tolerance that sensitivities are taken at, and that capacitors are chosen to be sold with
SAMPLES = 5000  # of the ensemble that decides, and of the one that is told
TASK_SAMPLES = 500  # the same where a network is run on every circuit: that takes a hundred times as long
DECIDING, TOLD = 0, 1  # seeds of these
# How much tighter than circuits ask for parts are chosen anew, round by round: a choice of few classes jumps, and
# circuits may keep a hair more than the limit a few times over.
MARGINS = (1e-3, 1e-3, 1e-2, 2e-2, 5e-2)
_LAMBDAS = 60  # halvings of the price of accuracy
KINDS: dict[passives.Kind, type[Resistor | Capacitor]] = {"resistor": Resistor, "capacitor": Capacitor}


@dataclass(frozen=True)
class Uniform:
    """One class for all parts of a kind: the cheapest two that keep the limit.

    Attributes
    ----------
    tolerance : dict
        Kind to tolerance, a fraction.
    cost : float
    kept : float
        NRMSE, or loss, that the wanted share of circuits keeps, by the theory.
    """

    tolerance: dict[str, float]
    cost: float
    kept: float


@dataclass(frozen=True)
class Limit:
    """What circuits are to keep.

    Attributes
    ----------
    of : {"nrmse", "loss"}
        Of the window, a fraction of rms(u); or of a network.
    most : float
    task : NetworkTask or None
        That the loss is of.
    """

    of: Literal["nrmse", "loss"]
    most: float
    task: NetworkTask | None = None


@dataclass(frozen=True)
class Scores:
    """How a network does on the circuits: fractions of right classes, or NRMSE of series.

    Attributes
    ----------
    software : float
        With its own memories.
    mean, low, high : float
        Over circuits, and the ends between which 90 % of them lie.
    """

    software: float
    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Allocation:
    """Tolerances part by part.

    Attributes
    ----------
    design : Design
        With these tolerances.
    limit : float
        Of the window NRMSE, a fraction of rms(u), or of the loss of a network.
    of : {"nrmse", "loss"}
        Which of them.
    wanted : float
        Share of circuits that must keep it.
    cost : float
        Of all R and C.
    kept : float
        NRMSE, or loss, that the wanted share keeps, by the theory.
    exact_kept, good, low, high : float
        The same of ``samples`` exact circuits that did not decide, and the share of them within the limit with its 95 %
        interval.
    samples : int
    counts : dict
        Kind to tolerance to number of parts.
    uniform : Uniform or None
        None where no one class for all keeps the limit.
    tightest : float
        Cost with the tightest classes for all.
    assumed : bool
        Whether prices are the middles of price classes, from memory.
    scores : Scores or None
        Of the circuits that did not decide, where the limit is on a loss.
    """

    design: Design
    limit: float
    of: Literal["nrmse", "loss"]
    wanted: float
    cost: float
    kept: float
    exact_kept: float
    good: float
    low: float
    high: float
    samples: int
    counts: dict[str, dict[float, int]]
    uniform: Uniform | None
    tightest: float
    assumed: bool
    scores: Scores | None = None


@dataclass(frozen=True, eq=False)
class _Aim:
    """A limit as the root of a mean of squares, with what says how circuits keep it.

    Attributes
    ----------
    root : float
        The NRMSE, or the root of the loss.
    key : str
        What errors call the limit.
    theory : callable
        Design to ``FirstOrder``.
    exact : callable
        Design, seed and number of circuits to the root of each, infinite where one is unstable or has failed; and the
        score of each, where there is one.
    told : callable
        The root to the figure that is limited.
    written : callable
        The root as text.
    """

    root: float
    key: str
    theory: Callable[[Design], FirstOrder]
    exact: Callable[[Design, int, int], tuple[np.ndarray, np.ndarray | None]]
    told: Callable[[float], float]
    written: Callable[[float], str]


def _errors(design: Design, seed: int, samples: int) -> tuple[Float[np.ndarray, " s"], None]:
    """Give the window NRMSE of exact circuits, (s,); infinite where one is unstable or has failed."""
    found = exact_chunk(design, seed, range(samples)).window_nrmse
    return np.nan_to_num(found, nan=np.inf, posinf=np.inf), None


def _losses(
    task: NetworkTask, design: Design, seed: int, samples: int
) -> tuple[Float[np.ndarray, " s"], Float[np.ndarray, " s"]]:
    """Give the root of the loss, and the score, of a network on exact circuits."""
    loss, score = task_results(design, task, seed=seed, samples=range(samples))
    return np.sqrt(loss), score


def _aim(limit: Limit) -> _Aim:
    if limit.task is None:
        return _Aim(
            limit.most, "[spec] nrmse", first_order, _errors, float, lambda root: f"{100 * root:.3g} %"
        )
    return _Aim(
        math.sqrt(limit.most),
        "loss",
        partial(task_first_order, task=limit.task),
        partial(_losses, limit.task),
        lambda root: root * root,
        lambda root: f"{root * root:.3g}",
    )


_WINDOW = _aim(Limit("nrmse", 1.0))


@dataclass(frozen=True, eq=False)
class _Part:
    """Parts that get the same tolerance, mirror images: their names, columns of the draws, and choices.

    ``choices`` are (tolerance, price of all of them), from the cheapest to the tightest, each dearer than the last.
    """

    kind: passives.Kind
    names: tuple[str, ...]
    columns: tuple[int, ...]
    choices: tuple[tuple[float, float], ...]


def allocate(
    design: Design,
    *,
    limit: Limit | None = None,
    tolerances: Mapping[str, Sequence[float]] | None = None,
    prices: Mapping[str, Price] | None = None,
    samples: int | None = None,
) -> Allocation:
    """Choose cheap tolerances, part by part, with which a design's circuits keep a limit.

    Parameters
    ----------
    design : Design
        The share ``wanted_yield`` of its circuits (95 % unless given) must keep the limit; the law of each class is
        kept. Its tolerances do not matter.
    limit : Limit, optional
        The design's ``nrmse`` unless given.
    tolerances : dict, optional
        Kind to the tolerances that may be bought, fractions; all that are sold unless given.
    prices : dict, optional
        From ``read_prices``; the middles of price classes unless given.
    samples : int, optional
        Of the exact ensemble that decides; 5000 unless given, 500 of a network.

    Raises
    ------
    DesignError
        If there is no limit, the signal is a recording (which of a network does not matter), nothing can be bought, or
        the tightest parts do not keep the limit.
    """
    if limit is None:
        if design.nrmse is None:
            raise DesignError("[spec] nrmse is missing: the limit that the cheapest tolerances are to keep")
        limit = Limit("nrmse", design.nrmse)
    if limit.task is None and not isinstance(design.stimulus, Tones):
        raise DesignError("tolerances are allocated for periodic signals; leave [signal] file out")
    if not 0.0 < limit.most < math.inf:
        raise DesignError(f"a {limit.of} of {shown(limit.most)} is no limit; a positive number is wanted")
    count = samples or (SAMPLES if limit.task is None else TASK_SAMPLES)
    aim = _aim(limit)
    problem = problem_of(design, limit, tolerances=tolerances, prices=prices)
    wanted = design.wanted_yield or USUAL_YIELD
    chosen, made = _held(problem, design, wanted=wanted, count=count)
    found, scores = aim.exact(made, TOLD, count)
    good = int(np.sum(found <= aim.root))
    uniform = problem.uniform(aim.root, wanted)
    return Allocation(
        made,
        limit.most,
        limit.of,
        wanted,
        problem.cost(chosen),
        aim.told(nrmse_quantiles(aim.theory(made), (wanted,))[0]),
        aim.told(_kept(found, wanted)),
        good / count,
        *clopper_pearson(good, count),
        count,
        problem.counts(chosen),
        None if uniform is None else replace(uniform, kept=aim.told(uniform.kept)),
        problem.cost([len(part.choices) - 1 for part in problem.parts]),
        prices is None,
        None if limit.task is None or scores is None else _scores(limit.task, scores),
    )


def _held(problem: "Problem", design: Design, *, wanted: float, count: int) -> tuple[list[int], Design]:
    """Choose parts, and choose anew where exact circuits do not keep the limit."""
    aim = problem.aim
    root, kept = aim.root, math.inf
    for margin in (*MARGINS, 0.0):
        chosen = problem.cheapest(root, wanted)
        made = problem.design(design, chosen)
        kept = _kept(aim.exact(made, DECIDING, count)[0], wanted)
        if kept <= aim.root:
            return chosen, made
        if math.isinf(kept):
            raise DesignError(
                f"{aim.key}: more than {100 * (1.0 - wanted):.3g} % of exact circuits are unstable or have failed"
            )
        root *= aim.root / kept * (1.0 - margin)
    raise DesignError(
        f"{aim.key}: {100 * wanted:g} % of exact circuits keep no less than {aim.written(kept)}, where "
        "first-order theory expects the limit: the parts deviate too far for it"
    )


def problem_of(
    design: Design,
    limit: Limit,
    *,
    tolerances: Mapping[str, Sequence[float]] | None = None,
    prices: Mapping[str, Price] | None = None,
) -> "Problem":
    """Say what may be bought for a design and what it is worth; arguments are those of ``allocate``.

    Raises
    ------
    DesignError
        If nothing can be bought.
    """
    plain = _plain(design)
    circuit = build(plain)
    if is_on_chip(circuit) or circuit.small_signal is not None:
        raise DesignError(
            f"{design.family}: parts on a chip are not bought by tolerance; take a family on a board"
        )
    return Problem.of(plain, circuit, tolerances=tolerances or {}, prices=prices, aim=_aim(limit))


def _scores(task: NetworkTask, found: Float[np.ndarray, " s"]) -> Scores:
    low, high = (float(q) for q in np.quantile(found, (0.05, 0.95)))
    return Scores(software_score(task), float(found.mean()), low, high)


def _kept(errors: Float[np.ndarray, " s"], wanted: float) -> float:
    """Give the error that at least the wanted share of circuits keeps; one that was met, as infinite ones may be."""
    return float(np.quantile(errors, wanted, method="higher"))


def _plain(design: Design) -> Design:
    """Give a design with one tolerance for all parts that can be bought."""
    law = {kind: design.mismatch.get(kind, Tolerance()) for kind in KINDS}
    if by := next((kind for kind, t in law.items() if t.by_technology or t.scale != "none"), None):
        raise DesignError(
            f"[mismatch] {by}: tolerances that follow area or units are not bought part by part"
        )
    same = {kind: replace(t, tolerance=UNIT) for kind, t in law.items()}
    return design.replace(mismatch={**design.mismatch, **same}, part_tolerances=())


@dataclass(frozen=True, eq=False)
class Problem:
    """What parts there are, what each adds, and what each costs.

    ``gram`` are products of the draws' Jacobians at a tolerance of one, and ``along`` those with the nominal error;
    draws that no part governs keep their size. ``values`` are those of the circuit.
    """

    parts: list[_Part]
    nominal: float
    gram: Float[np.ndarray, "z z"]
    along: Float[np.ndarray, " z"]
    fixed: Float[np.ndarray, " z"]
    values: Float[np.ndarray, " m"]
    aim: _Aim

    @classmethod
    def of(
        cls,
        plain: Design,
        circuit: Circuit,
        *,
        tolerances: Mapping[str, Sequence[float]],
        prices: Mapping[str, Price] | None = None,
        aim: _Aim = _WINDOW,
    ) -> "Problem":
        """Linearise what is limited by the draws of a circuit, ``build(plain)``, and find what its parts cost."""
        theory = aim.theory(plain)
        draws = columns(circuit, Mismatch.of(plain))
        # Of a network with several memories each is such a circuit, with draws of its own; parts are bought for all.
        column = {name: tuple(range(k, len(theory.names), len(draws))) for k, name in enumerate(draws)}
        parts = _parts(circuit, column, tolerances, prices)
        size = np.ones(len(theory.names))
        governed = [k for part in parts for k in part.columns]
        size[governed] = 1.0 / UNIT
        jacobian = theory.jacobian * size
        fixed = np.ones(len(size))
        fixed[governed] = 0.0
        nominal = theory.rest + float(theory.error @ theory.error)
        gram, along = jacobian.T @ jacobian, jacobian.T @ theory.error
        return cls(parts, nominal, gram, along, fixed, circuit.values, aim)

    def cumulants(self, chosen: Sequence[int]) -> Float[np.ndarray, " 3"]:
        """Give mean, variance and third cumulant of NRMSE^2 with a choice for every part."""
        w = self.fixed.copy()
        for part, k in zip(self.parts, chosen, strict=True):
            w[list(part.columns)] = part.choices[k][0] ** 2
        acts = np.flatnonzero(w)
        w, a = w[acts], self.along[acts]
        turned = self.gram[np.ix_(acts, acts)] * w
        twice = turned @ turned
        pushed = turned @ a
        mean = self.nominal + float(np.trace(turned))
        variance = 2.0 * float(np.trace(twice)) + 4.0 * float(w @ a**2)
        third = 8.0 * float(np.sum(twice * turned.T)) + 24.0 * float(a * w @ pushed)
        return np.array([mean, variance, third])

    def kept(self, chosen: Sequence[int], wanted: float) -> float:
        """Give the NRMSE that the wanted share of circuits keeps."""
        return float(pearson.quantile(self.cumulants(chosen), wanted))

    def cost(self, chosen: Sequence[int]) -> float:
        """Add up the prices of a choice."""
        return math.fsum(part.choices[k][1] for part, k in zip(self.parts, chosen, strict=True))

    def counts(self, chosen: Sequence[int]) -> dict[str, dict[float, int]]:
        """Count the parts of every kind and tolerance."""
        found: dict[str, dict[float, int]] = {}
        for part, k in zip(self.parts, chosen, strict=True):
            of = found.setdefault(part.kind, {})
            of[part.choices[k][0]] = of.get(part.choices[k][0], 0) + len(part.columns)
        return {kind: dict(sorted(of.items())) for kind, of in found.items()}

    def cheapest(self, limit: float, wanted: float) -> list[int]:
        """Choose a tolerance for every part."""
        tightest = [len(part.choices) - 1 for part in self.parts]
        if (least := self.kept(tightest, wanted)) > limit:
            raise DesignError(
                f"{self.aim.key}: the tightest parts keep {self.aim.written(least)}, not {self.aim.written(limit)}; "
                "take another order or realization, or a calibrated readout"
            )
        added = np.array([sum(self.gram[k, k] for k in part.columns) for part in self.parts])
        low, high = 0.0, 1.0
        while self.kept(self._priced(high, added), wanted) > limit:
            low, high = high, 4.0 * high
        for _ in range(_LAMBDAS):
            middle = 0.5 * (low + high)
            if self.kept(self._priced(middle, added), wanted) > limit:
                low = middle
            else:
                high = middle
        return self._cheapened(self._priced(high, added), added, limit, wanted)

    def _priced(self, price: float, added: np.ndarray) -> list[int]:
        """Take of every part the class that is cheapest with what it adds, at a price for accuracy."""
        found = []
        for part, of in zip(self.parts, added.tolist(), strict=True):
            costs = [each + price * of * t * t for t, each in part.choices]
            found.append(costs.index(min(costs)))
        return found

    def _cheapened(self, chosen: list[int], added: np.ndarray, limit: float, wanted: float) -> list[int]:
        """Make single parts cheaper while the limit is kept."""
        chosen, moved = list(chosen), True
        while moved:
            moved = False
            steps = []
            for u, part in enumerate(self.parts):
                for k in range(chosen[u]):
                    (wide, cheap), (now, dear) = part.choices[k], part.choices[chosen[u]]
                    steps.append((added[u] * (wide * wide - now * now) / (dear - cheap), u, k))
            for _, u, k in sorted(steps):
                before = chosen[u]
                if k >= before:
                    continue
                chosen[u] = k
                if self.kept(chosen, wanted) > limit:
                    chosen[u] = before
                else:
                    moved = True
        return chosen

    def uniform(self, limit: float, wanted: float) -> Uniform | None:
        """Find the cheapest class for all resistors and class for all capacitors that keep the limit."""
        found = self._uniforms(limit, wanted)
        return min((one for one, _ in found), key=lambda one: one.cost, default=None)

    def uniform_choice(self, limit: float, wanted: float) -> list[int] | None:
        """Give the same as a choice for every part."""
        found = self._uniforms(limit, wanted)
        return min(found, key=lambda each: each[0].cost)[1] if found else None

    def _uniforms(self, limit: float, wanted: float) -> list[tuple[Uniform, list[int]]]:
        """Give all pairs of classes that keep the limit."""
        classes = {
            kind: sorted({t for p in self.parts if p.kind == kind for t, _ in p.choices}) for kind in KINDS
        }
        found: list[tuple[Uniform, list[int]]] = []
        for tr in classes["resistor"] or [0.0]:
            for tc in classes["capacitor"] or [0.0]:
                most = {"resistor": tr, "capacitor": tc}
                # Of a value that is not sold at a class the next tighter one is bought.
                fits = [
                    [k for k, (t, _) in enumerate(p.choices) if t <= most[p.kind] * (1.0 + TIE)]
                    for p in self.parts
                ]
                if not all(fits):
                    continue
                chosen = [min(each) for each in fits]
                if (kept := self.kept(chosen, wanted)) <= limit:
                    found.append((Uniform(most, self.cost(chosen), kept), chosen))
        return found

    def design(self, design: Design, chosen: Sequence[int]) -> Design:
        """Write a choice into a design: the commonest tolerance of a kind for its class, the others part by part.

        Capacitors are such as are sold at the tolerance of their class. Where the commonest would make them others
        than the choice is for, the class keeps the tolerance that they were chosen with.
        """
        made = self._written(design, chosen)
        is_kept = np.array_equal(build(made).values, self.values)
        return made if is_kept else self._written(design, chosen, of_class=UNIT)

    def _written(self, design: Design, chosen: Sequence[int], *, of_class: float | None = None) -> Design:
        mismatch, own = dict(design.mismatch), []
        for kind in KINDS:
            of: dict[float, list[str]] = {}
            for part, k in zip(self.parts, chosen, strict=True):
                if part.kind == kind:
                    of.setdefault(part.choices[k][0], []).extend(part.names)
            if not of:
                continue
            common = max(of, key=lambda t: (len(of[t]), t)) if of_class is None else of_class
            mismatch[kind] = replace(mismatch.get(kind, Tolerance()), tolerance=common)
            own += [PartTolerance(tuple(of[t]), t) for t in sorted(of) if t != common]
        return design.replace(mismatch=mismatch, part_tolerances=tuple(own))


def _parts(
    circuit: Circuit,
    column: Mapping[str, tuple[int, ...]],
    tolerances: Mapping[str, Sequence[float]],
    prices: Mapping[str, Price] | None,
) -> list[_Part]:
    tied: dict[tuple[str, str, float], list[Component]] = {}
    for kind, of in KINDS.items():
        for c in circuit.only(of):
            if kind in c.classes and f"{c.name}|{kind}" in column:
                tied.setdefault((kind, c.role, c.value), []).append(c)
    found = []
    for (kind, _, value), members in tied.items():
        one: passives.Kind = "resistor" if kind == "resistor" else "capacitor"
        choices = _choices(one, value, tolerances.get(kind), prices)
        if not choices:
            raise DesignError(
                f"{members[0].name}: no {kind} of this value has a price at any of these tolerances"
            )
        names = tuple(c.name for c in members)
        acting = tuple(k for name in names for k in column[f"{name}|{kind}"])
        count = len(acting)
        found.append(_Part(one, names, acting, tuple((t, count * each) for t, each in choices)))
    if not found:
        raise DesignError("the circuit has no resistors or capacitors whose tolerance could be chosen")
    return found


def _choices(
    kind: passives.Kind, value: float, wanted: Sequence[float] | None, prices: Mapping[str, Price] | None
) -> list[tuple[float, float]]:
    """Give tolerance and price of what a value can be bought as, without those that cost no less than a tighter one.

    Of a price list only rows that state the tolerance count: a price without one does not say what it buys.
    """
    known = wanted
    if known is None:
        series = passives.passives().values()
        known = sorted({c.tolerance for s in series if s.kind == kind and s.linear for c in s.classes})
    standard = float(nearest(value, passives.SOLD_IN[kind]))
    found: list[tuple[float, float]] = []
    for t in sorted(known):
        if not 0.0 < t < 1.0:
            raise DesignError(f"{kind}: a tolerance lies between 0 and 100 %, not {shown(t)}")
        if prices is None:
            each = class_price(kind, standard, t)
        else:
            row = price_of(prices, [name for name in names_of(kind, value, [t]) if name.endswith("%")])
            each = None if row is None else row[1].each
        if each is not None and (not found or each < found[-1][1]):
            found.append((t, each))
    return found[::-1]
