"""The search of co-design against optima that are known, against samplers, and against exact circuits.

    python -m benchmarks.codesign [PART ...] [--count 200] [--sampler NAME ...] [--only NAME ...]

PART is any of

fronts
    20 requirements with their exact fronts: every candidate of the grid by the law, and a check, apart from the
    search's own, that no row dominates a member and that all others are dominated. The fronts are stored in
    benchmarks/results/codesign_fronts.json.
samplers
    The same grids given to NSGA-II and NSGA-III of pymoo, to NSGA-II and TPE of Optuna (``pip install pymoo optuna``)
    and to plain random choice. An evaluation is a look at one row; a combination that is no circuit is penalised. All
    rows that a sampler has seen count, not its last population alone. The gap is the share of the exact front's
    hypervolume that is missing, objectives scaled to the front's ideal and nadir, reference point at 1.1; ``found`` the
    share of the exact front's members that were seen; ``winner`` how much more of what is to be minimised the best
    row has. Seconds are the sampler's own: a look costs nothing here. Not every draw of pymoo's NSGA-III follows the
    seed, so its figures differ a little from run to run.
law
    Members of the fronts against exact circuits: p95 of 5000, yield of 50,000 at the limit, and at nine tenths of
    p95, where more circuits are beyond it. Of each front the least error, the middle and the winner, or the next that
    can be built.
random
    Requirements that are feasible by construction: limits are a random candidate's p95 of 20,000 exact circuits and
    5 %, its cost and its power. Each must get a winner that the exact engine has verified. ``--count`` is how many
    there are to be in all. In benchmarks/results/codesign_random.json.
brute
    The law's front beside that of exact ensembles of 2048 circuits of every candidate, none pruned.

All parts unless some are named. What is stored is not done again unless ``--again`` is given. ``--work FOLDER`` keeps
the structures of the 20 requirements for parts that come later. Prints tables and writes
benchmarks/results/codesign.json.
"""

import argparse
import json
import math
import os
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from lmu_analog.building import build  # noqa: E402
from lmu_analog.circuits import ranges  # noqa: E402
from lmu_analog.circuits.devices.parts import catalogue  # noqa: E402
from lmu_analog.codesign.front import front  # noqa: E402
from lmu_analog.codesign.grid import Grid  # noqa: E402
from lmu_analog.codesign.kept import kept_in  # noqa: E402
from lmu_analog.codesign.requirement import Requirement, requirement_of  # noqa: E402
from lmu_analog.codesign.search import NOT_KEPT, Kept, Search, gathered, search, structures, verify  # noqa: E402
from lmu_analog.engine.frequency import PLAYERS, PerFrequency  # noqa: E402
from lmu_analog.engine.plan import plan_frequencies  # noqa: E402
from lmu_analog.ensembles.exact import exact_chunk, kernel_of  # noqa: E402
from lmu_analog.errors import LmuAnalogError  # noqa: E402
from lmu_analog.limits import limit_warnings  # noqa: E402
from lmu_analog.memory.legendre import smallest_order  # noqa: E402
from lmu_analog.memory.window import window_nrmse  # noqa: E402
from lmu_analog.mismatch.law import Mismatch, draw, moved, sample  # noqa: E402
from lmu_analog.simulation import places  # noqa: E402
from lmu_analog.theory.first_order import first_order  # noqa: E402
from lmu_analog.theory.quadratic import quadratic_form, within  # noqa: E402

RESULTS = Path(__file__).parent / "results"
SEED = 1
SPARSE = ["cap-feedforward", "ladder"]
LADDERS = ["ladder", "bus-ladder"]


def required(
    theta: str, bandwidth: str, orders: list[int], realizations: list[str], minimise: str, **others: Any
) -> dict[str, Any]:
    """Give the tables of a requirement; ``others`` go to [need] unless they are named here."""
    tables: dict[str, Any] = {
        "memory": {"theta": theta},
        "signal": {"bandwidth": bandwidth},
        "need": {},
        "conditions": {"supply": others.pop("supply", "15 V")},
        "allow": {"orders": orders, "realizations": realizations, "families": ["active-rc"]},
        "prefer": {"minimise": minimise},
    }
    allowed = ("families", "opamps", "resistor", "capacitor", "values", "calibration")
    tables["allow"] |= {name: others.pop(name) for name in allowed if name in others}
    return tables | {"need": {"yield": others.pop("good", 0.95)} | others}


def on_chip(
    theta: str, bandwidth: str, orders: list[int], realizations: list[str], minimise: str, **need: Any
) -> dict[str, Any]:
    """Give the tables of a requirement of circuits on a chip."""
    return {
        "memory": {"theta": theta},
        "signal": {"bandwidth": bandwidth, "amplitude": "10 mV"},
        "need": {"yield": 0.95} | need,
        "conditions": {"supply": "0.9 V", "headroom": "97 %"},
        "allow": {
            "orders": orders, "realizations": realizations, "families": ["gm-c"], "technology": "cmos-180",
            "tuned": True, "transconductor": {"gain": "60 dB", "excess_noise": 1.5, "noise_corner": "100 Hz"},
            "linear_range": ["0.35 V", "0.5 V", "0.7 V"],
        },
        "prefer": {"minimise": minimise},
    }  # fmt: skip


BOTH = ["active-rc", "active-rc-differential"]
# fmt: off
KNOWN: dict[str, dict[str, Any]] = {
    "A": required("1 ms", "300 Hz", [3, 4], SPARSE, "cost", nrmse=0.03),
    "B": required("10 ms", "30 Hz", [3, 4], ["ladder", "balanced"], "power", nrmse=0.02, supply="5 V"),
    "C": required("100 ms", "3 Hz", [3, 4], [*SPARSE, "legendre"], "parts", nrmse=0.03, supply="2.5 V"),
    "D": required("200 us", "1.5 kHz", [3, 4], LADDERS, "p95", nrmse=0.03, cost=6.0, values=["E96"]),
    "E": required("1 ms", "500 Hz", [4, 5], SPARSE, "cost", nrmse=0.04, values=["E24"]),
    "F": required("50 ms", "10 Hz", [4, 5], LADDERS, "power", nrmse=0.03, supply="2.5 V", values=["E96"]),
    "G": required("5 ms", "100 Hz", [4, 5], ["balanced", "ladder"], "p95", nrmse=0.03, power=0.1, values=["E24"]),
    "H": required("300 us", "1.7 kHz", [4, 5], ["ladder"], "cost", nrmse=0.02, supply="5 V", families=BOTH),
    "I": required("20 ms", "40 Hz", [4, 5], SPARSE, "parts", nrmse=0.05, values=["E24"]),
    "J": required("2 ms", "400 Hz", [5, 6], LADDERS, "cost", nrmse=0.03, supply="5 V", values=["E96"]),
    "K": required("1 ms", "1 kHz", [5, 6], SPARSE, "cost", nrmse=0.05, values=["E24"]),
    "L": required("10 ms", "100 Hz", [6], LADDERS, "power", nrmse=0.04, supply="2.5 V", good=0.99),
    "M": required("100 us", "10 kHz", [5], LADDERS, "p95", nrmse=0.08),
    "N": required("5 ms", "200 Hz", [5], ["ladder"], "cost", nrmse=0.03, calibration=["none", "nominal"]),
    "O": required("2 ms", "750 Hz", [7], LADDERS, "cost", nrmse=0.06, values=["E24"]),
    "P": required("20 ms", "75 Hz", [7, 8], ["ladder"], "power", nrmse=0.06, supply="2.5 V", values=["E96"]),
    "Q": required("3 ms", "667 Hz", [8], SPARSE, "parts", nrmse=0.15, values=["E24"]),
    "R": required("1 ms", "3 kHz", [10], ["ladder"], "cost", nrmse=0.25, values=["E24"]),
    "S": on_chip("30 ms", "20 Hz", [4, 5], LADDERS, "area", nrmse=0.05, snr=32.0),
    "T": on_chip("10 ms", "100 Hz", [5, 6], LADDERS, "power", nrmse=0.08, area=5e-8),
}
# fmt: on
BUDGETS = (500, 2000, 10_000)
REFERENCE = 1.1  # of the hypervolume, objectives from 0 to 1 over the exact front
INVALID = 10.0  # violation of a combination that is no circuit, in units of a limit
TRIED = 8  # members, from one on, of which the first that can be built stands for the place in the front
MANY = 50_000  # exact circuits of a yield
NEARER = 0.9  # of p95: a limit at which the law's shape shows, as some circuits in ten are beyond it
OWN, MORE = 20_000, 1.05  # samples of a random candidate, and what its p95 is multiplied by
HOPELESS = 0.3  # p95 of a candidate that is of no use to anybody
SMALL = required(
    "1 ms", "300 Hz", [3, 4], SPARSE, "cost", nrmse=0.06, supply="5 V", values=["E24", "E96"],
    opamps=["TL072", "LM358", "OPA2192", "OPA2134", "TLC272", "OPA1678", "LT1013", "OPA2277"],
    resistor=["5 %", "1 %", "0.5 %", "0.1 %"], capacitor=["5 %", "2.5 %", "2 %", "1 %"],
)  # fmt: skip
EXACT = 2048


def made(tables: dict[str, Any]) -> Requirement:
    return requirement_of(tables, Path())


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Do something, and give its CPU seconds."""
    start = time.process_time()
    return work(), time.process_time() - start


def short(value: Any) -> Any:
    """Give numbers six digits, in whatever holds them."""
    match value:
        case bool() | str() | None:
            return value
        case float() | np.floating():
            return float(f"{value:.6g}") if math.isfinite(value) else None
        case int() | np.integer():
            return int(value)
        case dict():
            return {name: short(x) for name, x in value.items()}
        case _:
            return [short(x) for x in value]


def laid_out(content: Any, depth: int = 0) -> str:
    """Write JSON with a line for each row of a table."""
    inside = "  " * (depth + 1)
    if isinstance(content, dict) and (depth < 2 or any(isinstance(x, list) for x in content.values())):
        lines = [f"{inside}{json.dumps(k)}: {laid_out(v, depth + 1)}" for k, v in content.items()]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * depth + "}"
    if isinstance(content, list) and content and isinstance(content[0], dict | list):
        lines = [inside + json.dumps(row) for row in content]
        return "[\n" + ",\n".join(lines) + "\n" + "  " * depth + "]"
    return json.dumps(content)


def store(name: str, content: Any, path: Path) -> None:
    """Put one part beside what is stored of the others."""
    path.write_text(laid_out({**stored(path), name: short(content)}) + "\n")


# Fronts


def enumerated(tables: dict[str, Any], kept: Kept) -> tuple[Search, np.ndarray, dict[str, float]]:
    """Evaluate the whole grid of a requirement; with the rows of its front by the law, and CPU seconds."""
    requirement = made(tables)
    (built, failed), of_structures = timed(lambda: structures(requirement, kept=kept))
    found, of_grid = timed(lambda: gathered(requirement, built, failed))

    def exact_front() -> np.ndarray:
        rows = np.flatnonzero(found.grid.within_limits())
        return rows[front(found.grid.compared()[rows])]

    members, of_front = timed(exact_front)
    return found, members, {"structures": of_structures, "grid": of_grid, "front": of_front}


def is_front(found: Search, members: np.ndarray) -> bool:
    """Tell by plain comparison of all with all whether nothing beats a member, and a member equals or beats all."""
    rows = np.flatnonzero(found.grid.within_limits())
    columns = found.grid.compared()
    x, left = columns[rows], np.ones(len(rows), bool)
    for k in members:
        no_worse, better = (x <= columns[k]).all(axis=1), (x < columns[k]).any(axis=1)
        if (no_worse & better).any():
            return False
        left &= ~(columns[k] <= x).all(axis=1)
    return not left.any()


def winner_of(found: Search, members: np.ndarray) -> int:
    values = found.grid.objectives()
    wanted = values[found.grid.requirement.minimise]
    return int(min(members, key=lambda k: (wanted[k], values["p95"][k], k)))


def told(found: Search, row: int) -> dict[str, Any]:
    """Say where on every axis a candidate stands, and its figures."""
    axes = {name: values[places[row]] for name, (values, places) in found.grid.axes().items()}
    return {**axes, **found.grid.figures(row)}


def fronts(name: str, found: Search, members: np.ndarray, seconds: dict[str, float]) -> dict[str, Any]:
    """Store one exact front, and give what is told of it."""
    tables, grid = KNOWN[name], found.grid
    rows = [told(found, k) for k in sorted(members.tolist(), key=lambda k: (grid.p95[k], k))]
    whole = {
        "requirement": json.dumps(tables),
        "keys": list(rows[0]),
        "rows": [list(row.values()) for row in rows],
    }
    store(name, whole, RESULTS / "codesign_fronts.json")
    return {
        "theta_bandwidth": grid.requirement.base.theta * grid.requirement.base.bandwidth,
        "minimise": grid.requirement.minimise,
        "candidates": found.counts["grid"],
        "evaluated": len(grid),
        "within_limits": int(np.count_nonzero(grid.within_limits())),
        "front": len(members),
        "is_exact": is_front(found, members),
        "seconds": seconds,
        "winner": told(found, winner_of(found, members)),
    }


# Samplers


@dataclass(frozen=True)
class Space:
    """A grid as samplers see it: whole numbers on a few axes.

    Attributes
    ----------
    names, labels : lists
        Of the axes, and what stands on each; axes with a single label are left out.
    rows : array of int
        The row of every combination, -1 where it is none.
    values : (n, k) array
        What is minimised.
    violation : (n,) array
        By how much limits are missed, in units of them.
    invalid : (k,) array
        What a combination that is no row has.
    """

    names: list[str]
    labels: list[list[Any]]
    rows: np.ndarray
    values: np.ndarray
    violation: np.ndarray
    invalid: np.ndarray

    @classmethod
    def of(cls, found: Search) -> "Space":
        grid, need = found.grid, found.grid.requirement.need
        names, labels, codes = [], [], []
        for name, (values, at) in grid.axes().items():
            is_number = all(isinstance(x, int | float) for x in values)
            distinct = sorted(set(values)) if is_number else list(dict.fromkeys(values))
            if len(distinct) > 1:
                names.append(name)
                labels.append(distinct)
                codes.append(np.array([distinct.index(x) for x in values])[at])
        rows = np.full([len(x) for x in labels], -1)
        rows[tuple(codes)] = np.arange(len(grid))
        limits = {"kept": need.nrmse, "cost": need.cost, "power": need.power, "parts": need.parts}
        limits["area"] = need.area
        violation = np.zeros(len(grid))
        for name, limit in limits.items():
            if limit is not None:
                violation += np.maximum(getattr(grid, name) / limit - 1.0, 0.0)
        if need.snr is not None:
            violation += np.maximum(1.0 - np.nan_to_num(grid.snr) / need.snr, 0.0)
        values = grid.compared()
        known = np.isfinite(values).all(axis=1)
        invalid = values[known].max(axis=0)
        values = np.where(known[:, None], values, invalid)
        return cls(names, labels, rows, values, np.where(known, violation, INVALID), invalid)

    @property
    def sizes(self) -> np.ndarray:
        return np.array(self.rows.shape)

    def at(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Give row (-1: none), objectives and violation of combinations, (n, axes)."""
        rows = self.rows[tuple(x.T)]
        there = rows >= 0
        return (
            rows,
            np.where(there[:, None], self.values[rows], self.invalid),
            np.where(there, self.violation[rows], INVALID),
        )


class Seen:
    """The rows that a sampler has looked at, in order, and when."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.at: list[tuple[int, float]] = []
        self.start = time.process_time()

    def add(self, rows: np.ndarray) -> None:
        self.rows += rows.tolist()
        self.at.append((len(self.rows), time.process_time() - self.start))

    def seconds(self, budget: int) -> float:
        return next((t for n, t in self.at if n >= budget), self.at[-1][1])


def random_choice(space: Space, budget: int, seen: Seen) -> None:
    random = np.random.default_rng(SEED)
    for size in np.diff([0, *(b for b in BUDGETS if b <= budget)]):
        seen.add(space.at(random.integers(0, space.sizes, (size, len(space.sizes))))[0])


def by_pymoo(algorithm: str) -> Callable[[Space, int, Seen], None]:
    def run(space: Space, budget: int, seen: Seen) -> None:
        from pymoo.algorithms.moo.nsga2 import NSGA2
        from pymoo.algorithms.moo.nsga3 import NSGA3
        from pymoo.core.problem import Problem
        from pymoo.operators.crossover.sbx import SBX
        from pymoo.operators.mutation.pm import PM
        from pymoo.operators.repair.rounding import RoundingRepair
        from pymoo.operators.sampling.rnd import IntegerRandomSampling
        from pymoo.optimize import minimize
        from pymoo.util.ref_dirs import get_reference_directions

        class OnGrid(Problem):
            def __init__(self) -> None:
                super().__init__(
                    n_var=len(space.sizes), n_obj=space.values.shape[1], n_ieq_constr=1,
                    xl=np.zeros(len(space.sizes)), xu=space.sizes - 1, vtype=int,
                )  # fmt: skip

            def _evaluate(self, x: np.ndarray, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:
                rows, out["F"], violation = space.at(x.astype(int))
                out["G"] = violation[:, None]
                seen.add(rows)

        operators = {
            "sampling": IntegerRandomSampling(),
            "crossover": SBX(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            "mutation": PM(prob=1.0, eta=3.0, vtype=float, repair=RoundingRepair()),
            "eliminate_duplicates": True,
        }  # of pymoo's own example of whole numbers
        if algorithm == "NSGA-II":
            chosen = NSGA2(pop_size=100, **operators)
        else:
            directions = get_reference_directions("das-dennis", space.values.shape[1], n_partitions=7)
            chosen = NSGA3(directions, pop_size=len(directions), **operators)
        minimize(OnGrid(), chosen, ("n_eval", budget), seed=SEED)

    return run


def by_optuna(algorithm: str) -> Callable[[Space, int, Seen], None]:
    def run(space: Space, budget: int, seen: Seen) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def violated(trial: Any) -> list[float]:
            return trial.user_attrs["violated"]

        def objective(trial: Any) -> list[float]:
            x = []
            for name, labels in zip(space.names, space.labels, strict=True):
                if isinstance(labels[0], str):
                    x.append(labels.index(trial.suggest_categorical(name, labels)))
                else:
                    x.append(trial.suggest_int(name, 0, len(labels) - 1))
            rows, values, violation = space.at(np.array([x]))
            trial.set_user_attr("violated", violation.tolist())
            seen.add(rows)
            return values[0].tolist()

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the way to give constraints is about to change
            if algorithm == "NSGA-II":
                sampler: Any = optuna.samplers.NSGAIISampler(
                    population_size=100, seed=SEED, constraints_func=violated
                )
            else:
                sampler = optuna.samplers.TPESampler(seed=SEED, constraints_func=violated)
            study = optuna.create_study(directions=["minimize"] * space.values.shape[1], sampler=sampler)
            study.optimize(objective, n_trials=budget)

    return run


# With the largest budget: TPE takes time that goes with the square of the trials.
SAMPLERS: dict[str, tuple[Callable[[Space, int, Seen], None], int]] = {
    "random choice": (random_choice, 10_000),
    "NSGA-II, pymoo": (by_pymoo("NSGA-II"), 10_000),
    "NSGA-III, pymoo": (by_pymoo("NSGA-III"), 10_000),
    "NSGA-II, Optuna": (by_optuna("NSGA-II"), 2000),
    "TPE, Optuna": (by_optuna("TPE"), 500),
}
SLOW, SLOW_ON = "TPE, Optuna", "AEIMQ"  # the one that takes longest, on some requirements


def hypervolume(values: np.ndarray, ideal: np.ndarray, span: np.ndarray) -> float:
    import moocore  # comes with pymoo

    scaled = (values[front(values)] - ideal) / span
    scaled = scaled[(scaled < REFERENCE).all(axis=1)]
    return float(moocore.hypervolume(scaled, ref=[REFERENCE] * values.shape[1])) if len(scaled) else 0.0


def samplers(
    found: Search, members: np.ndarray, kinds: list[str], before: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Give what samplers have found at every budget, beside what is there of others."""
    space = Space.of(found)
    good = found.grid.within_limits()
    exact = space.values[members]
    ideal, nadir = exact.min(axis=0), exact.max(axis=0)
    span = np.where(nadir > ideal, nadir - ideal, 0.1 * np.abs(ideal))
    whole = hypervolume(exact, ideal, span)
    wanted = found.grid.objectives()[found.grid.requirement.minimise]
    least = wanted[members].min()
    # Of rows that are equal the front keeps the first; any of them is as good a find.
    of_front = {tuple(x) for x in exact.tolist()}
    rows = [row for row in before if row["sampler"] not in kinds]
    for kind in kinds:
        sampler, most = SAMPLERS[kind]
        seen = Seen()
        sampler(space, most, seen)
        for budget in (b for b in BUDGETS if b <= most):
            looked = np.unique(seen.rows[:budget])
            looked = looked[looked >= 0]
            looked = looked[good[looked]]
            met = {tuple(x) for x in space.values[looked].tolist()} & of_front
            rows.append({
                "sampler": kind, "evaluations": budget,
                "gap": 1.0 - (hypervolume(space.values[looked], ideal, span) / whole if len(looked) else 0.0),
                "found": len(met) / len(of_front),
                "winner": wanted[looked].min() / least - 1.0 if len(looked) else math.inf,
                "seconds": seen.seconds(budget),
            })  # fmt: skip
    return rows


# The law


def law(found: Search, members: np.ndarray) -> list[dict[str, Any]]:
    """Hold three members of a front against exact circuits."""
    grid = found.grid
    need = grid.requirement.need
    ranked = sorted(members, key=lambda k: (grid.p95[k], k))
    rows: dict[int, dict[str, Any]] = {}
    for start in (0, len(ranked) // 2, ranked.index(winner_of(found, members))):
        # A member whose parts do not suit is none once it is verified; the next one stands for it.
        for k in ranked[start : start + TRIED]:
            design = grid.design_of(k)
            seen = verify(grid.requirement, design, grid.banks[grid.bank[k]].calibration)
            if not math.isnan(seen.p95):
                break
        else:
            continue
        errors = np.nan_to_num(exact_chunk(design, SEED, range(MANY)).window_nrmse, nan=np.inf)
        form = quadratic_form(first_order(design))
        tighter = NEARER * seen.p95
        rows[k] = {
            "order": design.order, "realization": design.realization,
            "law_p95": grid.p95[k], "exact_p95": seen.p95, "law_over_exact": grid.p95[k] / seen.p95 - 1.0,
            "built_over_exact": seen.law_p95 / seen.p95 - 1.0,
            "law_yield": seen.law_good, "exact_yield": float(np.mean(errors <= need.nrmse)),
            "law_yield_nearer": within(form, tighter**2), "exact_yield_nearer": float(np.mean(errors <= tighter)),
        }  # fmt: skip
    return list(rows.values())


# Requirements that are feasible by construction


def random_requirement(number: int) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Draw a space, and a candidate of it whose figures are the limits; with how many were drawn that did not suit."""
    random = np.random.default_rng([SEED, number])

    def some(of: Any, count: int) -> list[Any]:
        return [of[k] for k in sorted(random.choice(len(of), count, replace=False))]

    product = 0.3 * 6.0 ** random.random()
    theta = 1e-4 * 1e3 ** random.random()
    supply = float(random.choice([2.5, 5.0, 15.0]))
    order = min(max(smallest_order(0.05, product), 2), 7)
    names = [
        part for part, x in catalogue().items()
        if not x.get("differential") and x.get("price_class") and x.get("current")
        and x["supply"][0] <= 2.0 * supply <= x["supply"][1]
    ]  # fmt: skip
    tables = required(
        float(f"{theta:.3g}"), float(f"{product / theta:.3g}"), [order],
        some(["cap-feedforward", "ladder", "bus-ladder", "balanced"], 2),
        str(random.choice(["cost", "power", "parts", "p95"])), supply=supply, opamps=some(names, 5),
        resistor=some([0.05, 0.01, 0.005, 0.001], 3), capacitor=some([0.05, 0.025, 0.02, 0.01], 3),
        values=some(["E24", "E96"], 1), calibration=[str(random.choice(["none", "none", "none", "nominal"]))],
    )  # fmt: skip
    requirement = made(tables)
    grid = gathered(requirement, *structures(requirement, prune=False)).grid
    rows = np.flatnonzero(grid.p95 <= HOPELESS)  # by the law, which spares ensembles of what is of no use
    for tried, k in enumerate(random.permutation(rows).tolist()):
        design = grid.design_of(k)
        try:
            circuit = build(design)
        except LmuAnalogError:
            continue
        unfit = [w for w in ranges.warnings(circuit) if w.startswith(ranges.OF_LIMITS)]
        if unfit or limit_warnings(circuit, design.stimulus):
            continue
        errors = np.nan_to_num(exact_chunk(design, SEED, range(OWN)).window_nrmse, nan=np.inf)
        p95 = float(np.quantile(errors, 0.95, method="higher"))
        if p95 <= HOPELESS:
            own = {"nrmse": p95 * MORE, "cost": float(grid.cost[k]), "power": float(grid.power[k])}
            return {**tables, "need": {"yield": 0.95, **own}}, {**grid.made_of(k), "p95": p95}, tried
    raise ValueError(f"no candidate of requirement {number} is of any use")


def solved(number: int) -> dict[str, Any]:
    """Search one random requirement."""
    tables, own, unfit = random_requirement(number)
    found, seconds = timed(lambda: search(made(tables)))
    need = tables["need"]
    row = {
        "number": number, "theta": tables["memory"]["theta"], "bandwidth": tables["signal"]["bandwidth"],
        "orders": tables["allow"]["orders"], "minimise": tables["prefer"]["minimise"], "unfit": unfit,
        "nrmse": need["nrmse"], "cost": need["cost"], "power": need["power"], "own": own,
        "evaluated": found.counts["evaluated"], "refused": found.counts["refused"],
        "front": len(found.front), "seconds": seconds, "met": False,
    }  # fmt: skip
    if found.winner is not None:
        seen, figures = found.verified[found.winner], found.grid.figures(found.winner)
        row["met"] = bool(
            not seen.reason and seen.good >= need["yield"]
            and figures["cost"] <= need["cost"] and figures["power"] <= need["power"]
        )  # fmt: skip
        row["winner"] = {**found.grid.made_of(found.winner), **figures, "exact": seen.p95, "good": seen.good}
    return row


def random_requirements(count: int, *, again: bool) -> None:
    path = RESULTS / "codesign_random.json"
    rows = [] if again else stored(path).get("random", {}).get("rows", [])
    for number in sorted(set(range(count)) - {row["number"] for row in rows}):
        rows = sorted([*rows, short(solved(number))], key=lambda row: row["number"])
        met = sum(row["met"] for row in rows)
        store("random", {"requirements": len(rows), "met": met, "rows": rows}, path)
        row = next(row for row in rows if row["number"] == number)
        print(
            f"requirement {number:3d}: {'met' if row['met'] else 'NOT MET'}, front of {row['front']}, "
            f"{row['seconds']:.1f} s; {met} of {len(rows)} met",
            flush=True,
        )


# Brute force


def behind(figures: np.ndarray, own: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Give by how much the error of candidates could be less, without more of anything else, (n,), a fraction.

    Parameters
    ----------
    figures : (m, k) array
        Error first.
    own, others : arrays of int
        Candidates, and those that they are held against.
    """
    found = []
    for k in own:
        beats = others[(figures[others, 1:] <= figures[k, 1:]).all(axis=1)]
        found.append(figures[k, 0] / figures[beats, 0].min() - 1.0 if len(beats) else 0.0)
    return np.array(found)


def ensembles(grid: Grid) -> Iterator[tuple[int, np.ndarray]]:
    """Give the errors of exact circuits of every candidate that can be bought.

    Candidates that differ in tolerances alone share the circuit, how its equations are solved, and the draws.
    """
    rows = np.flatnonzero(np.isfinite(grid.p95))
    alike = np.stack([grid.bank, grid.opamp, grid.decade], axis=-1)[rows]
    for group in np.unique(alike, axis=0):
        members = rows[(alike == group).all(axis=1)].tolist()
        design = grid.design_of(members[0])
        circuit, tones = build(design), design.stimulus
        law = Mismatch.of(design)
        z = draw(circuit, law, seed=SEED, samples=range(EXACT))
        rule = places(tones, design.order, design.theta)
        plan = plan_frequencies(circuit, tones.frequency)
        deviate = moved(circuit, law) != circuit.values
        engine = PerFrequency.of(plan, deviate, tones, play=PLAYERS[kernel_of(None)])
        for k in members:
            profiles = engine.run(sample(circuit, Mismatch.of(grid.design_of(k)), z))
            sound = profiles.stable & profiles.certain
            yield k, np.where(sound, window_nrmse(profiles.profile, rule), np.inf)


def brute() -> dict[str, Any]:
    """Compare the law's front with that of exact ensembles of all candidates."""
    requirement = made(SMALL)
    need = requirement.need
    grid = gathered(requirement, *structures(requirement, prune=False)).grid
    # Of the sorted errors, those between which the 95th percentile lies with 95 %.
    low, high = (int(x) for x in stats.binom.ppf([0.025, 0.975], EXACT, 0.95))
    found = np.full((len(grid), 3), np.inf)
    start = time.process_time()
    for k, errors in ensembles(grid):
        found[k] = np.sort(errors)[[low, math.ceil(0.95 * EXACT) - 1, high]]
    seconds = time.process_time() - start
    others = grid.compared()[:, 1:]
    by_law, exact = grid.compared(), np.column_stack([found[:, 1], others])
    held = [np.flatnonzero(grid.within_limits()), np.flatnonzero(found[:, 1] <= need.nrmse)]
    of_law, of_exact = (r[front(x[r])] for r, x in zip(held, (by_law, exact), strict=True))
    near = np.flatnonzero(found[:, 1] <= 1.5 * need.nrmse)

    def indistinct(own: np.ndarray) -> int:
        """Count those that no candidate beats by more than both intervals."""
        count = 0
        for k in own:
            beats = held[1][(others[held[1]] <= others[k]).all(axis=1)]
            count += not (found[beats, 2] < found[k, 0]).any()
        return count

    lost = behind(exact, of_law, held[1])
    missed = behind(by_law, of_exact, held[0])
    return {
        "candidates": len(grid), "samples": EXACT, "seconds": seconds, "within_limit_by_law": len(held[0]),
        "within_limit_exactly": len(held[1]), "law_front": len(of_law), "exact_front": len(of_exact),
        "both": len(set(of_law.tolist()) & set(of_exact.tolist())),
        "law_front_within_interval": indistinct(of_law),
        "law_front_behind": {"median": float(np.median(lost)), "worst": float(lost.max())},
        "exact_front_behind_by_law": {"median": float(np.median(missed)), "worst": float(missed.max())},
        "law_over_exact": {
            "least": float((grid.p95[near] / found[near, 1]).min() - 1.0),
            "most": float((grid.p95[near] / found[near, 1]).max() - 1.0),
        },
        "interval": float(np.median(found[near, 2] / found[near, 0]) - 1.0),
    }  # fmt: skip


PARTS = ("fronts", "samplers", "law", "random", "brute")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--count", type=int, default=200, help="how many random requirements in all")
    parser.add_argument("--only", nargs="*", choices=KNOWN, help="these of the 20 requirements alone")
    parser.add_argument("--sampler", nargs="*", choices=SAMPLERS, help="these samplers alone")
    parser.add_argument("--again", action="store_true", help="do what is stored again")
    parser.add_argument("--work", type=Path, help="where structures are kept")
    given = parser.parse_args()
    wanted = given.parts or PARTS
    if unknown := set(wanted) - set(PARTS):
        parser.error(f"unknown part {sorted(unknown)[0]!r}; known are {', '.join(PARTS)}")
    wanted = set(wanted)
    if lacking := [name for name in ("pymoo", "optuna") if find_spec(name) is None]:
        print(f"samplers are left out: pip install {' '.join(lacking)}")
        wanted -= {"samplers"}
    path = RESULTS / "codesign.json"
    for name in given.only or KNOWN:
        known(name, given, wanted, path)
    if "brute" in wanted and (given.again or "brute" not in stored(path)):
        store("brute", brute(), path)
    if "random" in wanted:
        random_requirements(given.count, again=given.again)
    summary(stored(path))


def known(name: str, given: argparse.Namespace, wanted: set[str], path: Path) -> None:
    """Do what is wanted of one of the 20 requirements and is not stored."""
    before = {part: stored(path).get(part, {}).get(name) for part in ("fronts", "samplers", "law")}
    there = {row["sampler"] for row in before["samplers"] or []}
    kinds = [
        kind for kind in given.sampler or SAMPLERS
        if (given.again or kind not in there) and (kind != SLOW or name in SLOW_ON)
    ]  # fmt: skip
    todo = [part for part in before if part in wanted and (given.again or before[part] is None)]
    todo = [part for part in todo if part != "samplers"] + ["samplers"] * (
        "samplers" in wanted and bool(kinds)
    )
    if not todo:
        return
    kept = NOT_KEPT
    if given.work is not None:
        (given.work / name).mkdir(parents=True, exist_ok=True)
        kept = kept_in(given.work / name)
        if "fronts" in todo:  # which tell how long structures take
            kept = Kept(NOT_KEPT.load, kept.save)
    found, members, seconds = enumerated(KNOWN[name], kept)
    print(
        f"{name}: {found.counts['grid']} candidates, {len(found.grid)} evaluated, front of {len(members)}, "
        + ", ".join(f"{k} {s:.2f} s" for k, s in seconds.items()),
        flush=True,
    )
    for part in todo:
        match part:
            case "fronts":
                result: Any = fronts(name, found, members, seconds)
            case "law":
                result = law(found, members)
            case _:
                result = samplers(found, members, kinds, before["samplers"] or [])
        store(part, {**stored(path).get(part, {}), name: short(result)}, path)
        print(f"   {part} stored", flush=True)


def stored(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}


def summary(results: dict[str, Any]) -> None:
    """Print what is stored, all requirements together."""
    if of_fronts := results.get("fronts"):
        print("\nExact fronts")
        for name, row in of_fronts.items():
            print(
                f"  {name}: theta f {row['theta_bandwidth']:.2g}, {row['candidates']} candidates, {row['evaluated']} "
                f"evaluated, {row['within_limits']} within the limits, front {row['front']}, "
                f"{sum(row['seconds'].values()):.1f} s, {'exact' if row['is_exact'] else 'NOT EXACT'}"
            )
    if of_samplers := results.get("samplers"):
        print(
            "\nSamplers: gap of hypervolume (median, worst), members found, winner beyond the optimum, seconds"
        )
        everything = [row for rows in of_samplers.values() for row in rows]
        for kind in SAMPLERS:
            for budget in BUDGETS:
                some = [r for r in everything if (r["sampler"], r["evaluations"]) == (kind, budget)]
                if some:
                    gaps, found, times = ([r[k] for r in some] for k in ("gap", "found", "seconds"))
                    worse = [math.inf if r["winner"] is None else r["winner"] for r in some]
                    missed = sum(w > 1e-9 for w in worse)
                    print(
                        f"  {kind:<16} {budget:6d}: {100 * np.median(gaps):6.2f} % {100 * max(gaps):6.2f} %, found "
                        f"{100 * np.median(found):3.0f} %, winner missed in {missed} of {len(some)} by up to "
                        f"{100 * max(worse):.3g} %, {np.median(times):.2f} s"
                    )
    if of_law := results.get("law"):
        rows = [row for some in of_law.values() for row in some]
        off = {k: max(abs(r[k]) for r in rows) for k in ("law_over_exact", "built_over_exact")}
        print(
            f"\nThe law on {len(rows)} members: p95 off by up to {100 * off['law_over_exact']:.2f} % on the grid, "
            f"{100 * off['built_over_exact']:.2f} % once built; yield by up to "
            + " and ".join(
                f"{100 * max(abs(r['law_yield' + at] - r['exact_yield' + at]) for r in rows):.2f} points {where}"
                for at, where in (("", "at the limit"), ("_nearer", f"at {NEARER} of p95"))
            )
        )
    if of_brute := results.get("brute"):
        print("\nBrute force\n " + json.dumps(of_brute))


if __name__ == "__main__":
    main()
