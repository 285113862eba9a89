"""The exact engine of transistor circuits in C: a circuit with its laws as arrays that ``engine/transistors.c`` reads.

What does not depend on the sample is done here once: which amounts the process moves, the solution with the nominal
slopes, and in which order nets are eliminated. Nets whose time constants are short beside the tones go as truncated
series in s; so do common voltages of two nets with a capacitor between them. What is left, one unknown a state, is
solved tone by tone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.engine import native
from lmu_analog.silicon.altering import capacitance, shared_capacitance
from lmu_analog.silicon.draws import Deviations, nominal
from lmu_analog.silicon.laws import DEGREE, SHIFT_DEGREE, exponents
from lmu_analog.silicon.samples import Measured, probe_rows
from lmu_analog.silicon.small_signal import BEYOND, EXACT, NOT_SURE, Engine

SETTLED = 1e-4  # V, of the last step: a tenth is left of it, and corrected in offsets
LARGEST_STEP = 0.3  # V: further, the laws know nothing
ROUNDS = 15
NOTHING = 1e-5  # of the logarithm of a current: coefficients below are left out
LEAST_CHARGE = 1e-5  # of a net's capacitance: what the process moves by less stays
LARGEST_DRAW = 5.0  # standard deviations, for these two
SATURATED = 18.0  # thermal voltages between drain and source: then 1 - exp(-v/U_T) is one to 1e-8
# s times the time constant of nets that are eliminated as series: tried in turn.
QUICK = (1.0, 0.3, 0.1, 0.03, 0.0)
TRUNCATED = 2e-5  # of the response: what series may leave out
LEAST_PIVOT = 1e-3  # of the largest in its row
NEAR = 8  # neighbours of nets that are eliminated before nets are mixed
TERMS = 3  # as in transistors.c
# Coefficients of a law that deviate, as transistors.c has them: powers of gate, drain and bulk.
START_AT, TRIMMED_BY = 2.0, 0.2  # standard deviations, and of the bias: where the start is found
LEAST_START = 1e-4  # V: variables that do less there
MOVED = (
    (0, 0, 0),
    (1, 0, 0),
    (0, 1, 0),
    (2, 0, 0),
    (1, 1, 0),
    (0, 2, 0),
    (0, 0, 1),
    (1, 0, 1),
    (0, 1, 1),
    (0, 0, 2),
)
# All: those of gate and drain up to the fourth degree, beside the bulk's voltage and its square of less.
FULL = tuple((i, j, k) for k in range(3) for j in range(DEGREE - k + 1) for i in range(DEGREE - k - j + 1))
IS_LOG, IS_SATURATED, HAS_BULK = 1, 2, 4
ELIMINATE, MIX = 0, 1
SIDE = -1  # column of what the input drives
GROUP = 16  # samples that the library takes at once


@dataclass(frozen=True, eq=False)
class Compiled:
    """A circuit at some tones, as ``transistors.c`` reads it.

    Attributes
    ----------
    engine : Engine
    fields : tuple
        Of the struct, in its order: numbers and arrays.
    shape : (probes, tones)
    unknowns : int
        That are left for every tone.
    """

    engine: Engine
    fields: tuple[int | float | np.ndarray, ...]
    shape: tuple[int, int]
    unknowns: int


def compiled(engine: Engine, frequency: Float[np.ndarray, " k"]) -> Compiled:
    """Compile a circuit for some tones, Hz."""
    amounts = _Amounts(engine)
    _, rows = probe_rows(engine.circuit)
    order = _ordered(engine, amounts, frequency)
    starts, nets, weights = _sparse(_reads(engine))
    supply = next(s.a for s in engine.circuit.sources if s.name == engine.circuit.supply)
    scaled, constant = engine.pushed
    constant = constant.copy()
    constant[: len(engine.nets)] += engine.imbalance
    fields = (
        len(engine.nets),
        len(engine.place),
        len(engine.ends),
        len(amounts.found),
        len(engine.circuit.resistors),
        1.0 / engine.laws.thermal,
        SETTLED,
        LARGEST_STEP,
        BEYOND,
        ROUNDS,
        single(scaled),
        single(constant),
        *_start(engine),
        *amounts.fields,
        engine.ends,
        *_laws(engine, amounts),
        _ends(engine),
        single(engine.drops(engine.quiescent[None])[0]),
        *_solution(engine),
        *order.fields,
        starts,
        nets,
        single(weights),
        engine.place[supply],
    )
    return Compiled(engine, fields, (len(rows), len(frequency)), order.unknowns)


def _ordered(engine: Engine, amounts: "_Amounts", frequency: Float[np.ndarray, " k"]) -> "_Order":
    """Order the elimination so that what series leave out does not matter; the last of ``QUICK`` has no series."""
    order = _elimination(engine, amounts, frequency, QUICK[0])
    for quick in QUICK[1:]:
        if order.missed < TRUNCATED:
            break
        order = _elimination(engine, amounts, frequency, quick)
    return order


def single(x: np.ndarray) -> np.ndarray:
    """Give an array in single precision."""
    return np.ascontiguousarray(x, np.float32)


def _ends(engine: Engine) -> Int[np.ndarray, "r 2"]:
    """Give the places of the resistors' nets."""
    found = [[engine.place[net] for net in x.nets] for x in engine.circuit.resistors]
    return np.array(found, int).reshape(-1, 2)


def _start(engine: Engine) -> tuple[int | np.ndarray, ...]:
    """Find what every process variable, and a trim, do to the operating point: first and second order, V."""
    variables = len(engine.found.process)
    chips = nominal(engine.circuit, engine.found, 2 * variables + 2)
    for k in range(variables):
        chips.process[2 * k : 2 * k + 2, k] = START_AT, -START_AT
    factor = np.ones(len(chips))
    factor[-2:] += TRIMMED_BY, -TRIMMED_BY
    volts, _ = engine.operating_point(chips, factor)
    up, down = np.moveaxis(
        (volts - engine.quiescent)[:, : len(engine.nets)].reshape(variables + 1, 2, -1), 1, 0
    )
    size = np.append(np.full(variables, START_AT), TRIMMED_BY)[:, None]
    found = np.stack([(up - down) / (2.0 * size), (up + down) / (2.0 * size**2)], axis=-1)
    used = [k for k in range(variables) if np.abs(up[k]).max() > LEAST_START]
    return len(used) + 1, np.array([*used, 0]), single(found[[*used, variables]])


def samples(
    plan: Compiled,
    sample: Deviations,
    trim: Float[np.ndarray, " s"] | None = None,
    *,
    variant: str | None = None,
) -> Measured:
    """Run samples, as ``Engine.samples`` does; those that are not sure have NaN.

    Parameters
    ----------
    plan : Compiled
    sample : Deviations
    trim : (s,) array, optional
        Factor of the common bias.
    variant : str, optional
        An instruction set other than the widest.
    """
    engine, size = plan.engine, len(sample)
    factor = np.ones(size) if trim is None else trim
    shared = shared_capacitance(engine.circuit, engine.pdk, sample, found=engine.found)
    given = (
        sample.process,
        sample.threshold,
        sample.mobility,
        (1.0 + sample.capacitance) * (1.0 + shared) - 1.0,
        engine.strips(sample, factor),
        factor[:, None],
    )
    padded = -(-max(size, 1) // GROUP) * GROUP
    probes, tones = plan.shape
    offset = np.empty((probes, padded), np.float32)
    response = np.empty((tones, probes, 2, padded), np.float32)
    supply, sure = np.empty(padded, np.float32), np.empty(padded, np.uint8)
    outputs = offset, response, supply, sure
    inputs = [np.zeros((x.shape[1], padded), np.float32) for x in given]
    for x, to in zip(given, inputs, strict=True):
        to[:, :size] = x.T
    native.call("transistors", plan, lambda: plan.fields, padded, *inputs, *outputs, variant=variant)
    rows = probe_rows(engine.circuit)[1]
    states = np.empty((size, tones, probes), complex)
    states.real, states.imag = (np.moveaxis(response[:, :, k, :size], -1, 0) for k in (0, 1))
    unmoved = rows @ (engine.quiescent[_read_places(engine)] - engine.circuit.quiescent)
    offsets, current = offset.T[:size] + unmoved, supply[:size].astype(float)
    good = sure[:size].astype(bool) & np.isfinite(offsets).all(axis=1) & np.isfinite(states).all(axis=(1, 2))
    for x in (offsets, states, current):
        x[~good] = np.nan
    return Measured(offsets, states, current, np.where(good, EXACT, NOT_SURE))


def _read_places(engine: Engine) -> list[int]:
    return [engine.place[net] for net in probe_rows(engine.circuit)[0]]


def _sparse(
    rows: Sequence[Sequence[tuple[int, float]]],
) -> tuple[Int[np.ndarray, " r1"], Int[np.ndarray, " e"], Float[np.ndarray, " e"]]:
    """Give rows of (place, number) as where each begins, all places, all numbers."""
    starts = np.cumsum([0, *(len(row) for row in rows)])
    flat = [entry for row in rows for entry in row]
    return starts, np.array([k for k, _ in flat], int), np.array([x for _, x in flat], float)


class _Amounts:
    """What the process moves, each once: linear in its variables."""

    def __init__(self, engine: Engine) -> None:
        q, _, n = engine.laws.share.shape
        self.found: dict[tuple[float, ...], int] = {}
        self.of = np.array(
            [
                [
                    self.found.setdefault(tuple(engine.laws.share[j, :, k].tolist()), len(self.found))
                    for k in range(n)
                ]
                for j in range(q)
            ]
        )
        self.largest = LARGEST_DRAW * np.array([np.linalg.norm(x) for x in self.found])

    @property
    def fields(self) -> tuple[np.ndarray, ...]:
        """Variables and weights of each."""
        starts, variables, weights = _sparse([[(k, x) for k, x in enumerate(row) if x] for row in self.found])
        return starts, variables, single(weights)


def _laws(engine: Engine, amounts: _Amounts) -> tuple[np.ndarray, ...]:
    """Write the laws of the transistors: kinds, figures, what moves them, their polynomials."""
    laws, ends = engine.laws, engine.ends
    bulk = ends[:, 2] != ends[:, 3]
    apart = laws.quiescent[:, 1] - BEYOND * laws.box[:, 1] > SATURATED * laws.thermal
    kinds = IS_LOG * laws.is_log + IS_SATURATED * (apart & laws.is_log) + HAS_BULK * bulk
    moving = laws.current[:, _places_of(MOVED, DEGREE)].copy()
    # Currents are multiples of this.
    scale = np.where(laws.is_log, np.exp(np.where(laws.is_log, moving[:, 0], 0.0)), 1.0)
    moving[laws.is_log, 0] = 0.0
    # The law of a channel that is off is of the current itself, of which a fraction would be nothing.
    factor = np.where(laws.is_log, laws.factor, 0.0)
    figures = np.column_stack([laws.polarity, laws.quiescent[:, 1], scale, factor, 1.0 / laws.box])
    return (
        kinds.astype(int),
        single(figures),
        *_moves(engine, amounts),
        single(laws.current[:, _places_of(FULL, DEGREE)]),
        single(moving),
    )


def _places_of(powers: Sequence[tuple[int, int, int]], degree: int) -> list[int]:
    """Find powers of gate, drain and bulk among the monomials of a degree."""
    known = [tuple(x) for x in exponents(degree).tolist()]
    return [known.index(x) for x in powers]


def _moves(engine: Engine, amounts: _Amounts) -> tuple[np.ndarray, ...]:
    """Write what moves every law: amounts and their squares, its threshold first; what does nothing is left out."""
    laws, at = engine.laws, _places_of(MOVED, SHIFT_DEGREE)
    local = LARGEST_DRAW * engine.found.threshold
    places, moved, starts = list[int](), list[np.ndarray](), [0]
    for n in range(len(engine.ends)):
        least = NOTHING if laws.is_log[n] else 0.0
        for q in range(len(laws.shift)):
            amount = int(amounts.of[q, n])
            size = amounts.largest[amount] + (local[n] if q == 0 else 0.0)
            first, second = laws.shift[q, n, at], laws.curvature[q, n, at]
            gate = float(laws.gate[q, n])
            if q == 0 or max(np.abs(first).max(), abs(gate) / laws.box[n, 0]) * size > least:
                places.append(amount)
                moved.append(np.concatenate([[gate], first]))
            if np.abs(second).max() * size**2 > least:
                places.append(len(amounts.found) + amount)
                moved.append(np.concatenate([[0.0], second]))
        starts.append(len(moved))
    return np.array(starts), np.array(places), single(np.array(moved))


def _solution(engine: Engine) -> tuple[int | np.ndarray, ...]:
    """Write the solution with the nominal circuit's slopes as sparse steps: net by net, fewest neighbours first."""
    undeviated = nominal(engine.circuit, engine.found)
    _, g = engine.conductances(engine.quiescent[None], undeviated)
    size = len(engine.nets)
    A = engine.matrix(g, engine.strips(undeviated, np.ones(1)))[0, :size, :size].copy()
    linked = A != 0.0
    left, pivots = list(range(size)), list[int]()
    lower: list[list[tuple[int, float]]] = []
    upper: list[list[tuple[int, float]]] = []
    inverses: list[float] = []
    while left:
        strength = {k: abs(A[k, k]) / np.abs(A[k, left]).max() for k in left}
        firm = [k for k in left if strength[k] > LEAST_PIVOT] or [max(left, key=lambda k: strength[k])]
        pivot = min(firm, key=lambda k: (linked[k, left].sum() - 1) * (linked[left, k].sum() - 1))
        left.remove(pivot)
        rows = [k for k in left if linked[k, pivot]]
        columns = [k for k in left if linked[pivot, k]]
        factors = A[rows, pivot] / A[pivot, pivot]
        pivots.append(pivot)
        inverses.append(1.0 / A[pivot, pivot])
        lower.append(list(zip(rows, factors.tolist(), strict=True)))
        upper.append(list(zip(columns, A[pivot, columns].tolist(), strict=True)))
        A[np.ix_(rows, columns)] -= np.outer(factors, A[pivot, columns])
        linked[np.ix_(rows, columns)] = True
    below, above = _sparse(lower), _sparse(upper)
    return (
        size,
        np.array(pivots),
        single(np.array(inverses)),
        *below[:2],
        single(below[2]),
        *above[:2],
        single(above[2]),
    )


def _reads(engine: Engine) -> list[list[tuple[int, float]]]:
    """Give what every probe reads: places of nets and weights."""
    nets, rows = probe_rows(engine.circuit)
    return [[(engine.place[net], float(x)) for net, x in zip(nets, row, strict=True) if x] for row in rows]


@dataclass(frozen=True, eq=False)
class _Order:
    """How the response is found: fields of the struct, unknowns that are left, what the series leave out."""

    fields: tuple[int | np.ndarray, ...]
    unknowns: int
    missed: float


class _Entries:
    """Entries of the matrix with their nominal series, as elimination makes them."""

    def __init__(self) -> None:
        self.at: dict[tuple[int, int], int] = {}
        self.series: list[np.ndarray] = []

    def place(self, row: int, column: int) -> int:
        """Give the place of an entry, which is made if it is not there."""
        found = self.at.setdefault((row, column), len(self.series))
        if found == len(self.series):
            self.series.append(np.zeros(TERMS))
        return found

    def rows(self, net: int) -> list[int]:
        """Give the other rows that a net's voltage drives."""
        return sorted(i for i, j in self.at if j == net and i != net)

    def columns(self, net: int) -> list[int]:
        """Give the other voltages in a net's row; what the input drives last."""
        found = sorted(j for i, j in self.at if i == net and j not in (net, SIDE))
        return [*found, SIDE] if (net, SIDE) in self.at else found

    def of(self, row: int, column: int) -> np.ndarray:
        """Give the series of an entry."""
        return self.series[self.at[row, column]]

    def eliminate(self, net: int) -> list[int]:
        """Eliminate a net, and give the code for it."""
        rows, columns = self.rows(net), self.columns(net)
        pivot = self.of(net, net)
        inverse = _inverse(pivot)
        code = [ELIMINATE, self.at[net, net], len(rows), len(columns)]
        code += [self.at[i, net] for i in rows] + [self.at[net, j] for j in columns]
        for i in rows:
            factor = _times(self.of(i, net), inverse)
            for j in columns:
                at = self.place(i, j)
                self.series[at] = self.series[at] - _times(factor, self.of(net, j))
                code.append(at)
        for i in rows:
            del self.at[i, net]
        for j in (net, *columns):
            del self.at[net, j]
        return code

    def mix(self, pairs: Sequence[tuple[int, int]]) -> list[int]:
        """Turn pairs of nets into common and differential voltages, and give the code for it."""
        code: list[int] = []
        for is_row in (False, True):
            both: list[tuple[int, int]] = []
            for a, b in pairs:
                others = sorted(
                    {k[1] if is_row else k[0] for k in self.at if k[0 if is_row else 1] in (a, b)}
                )
                for k in others:
                    first, second = ((a, k), (b, k)) if is_row else ((k, a), (k, b))
                    both.append((self.place(*first), self.place(*second)))
            for one, other in both:
                x, y = self.series[one], self.series[other]
                self.series[one], self.series[other] = x + y, 0.5 * (x - y)
            code += [MIX, len(both), *(k for pair in both for k in pair)]
        return code


def _times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.convolve(a, b)[:TERMS]


def _inverse(a: np.ndarray) -> np.ndarray:
    found = np.zeros(TERMS)
    found[0] = 1.0 / a[0]
    for k in range(1, TERMS):
        found[k] = -found[0] * sum(a[j] * found[k - j] for j in range(1, k + 1))
    return found


def _pairs(engine: Engine) -> list[tuple[int, int]]:
    """Give pairs of sought nets with a capacitor between them, no net in two."""
    size, used, found = len(engine.nets), set[int](), list[tuple[int, int]]()
    for x in engine.circuit.capacitors:
        a, b = (engine.place[net] for net in x.nets)
        if max(a, b) < size and a != b and not {a, b} & used:
            used |= {a, b}
            found.append((a, b))
    return found


def _elimination(
    engine: Engine, amounts: _Amounts, frequency: Float[np.ndarray, " k"], quick: float
) -> _Order:
    """Order the elimination: nets inside cells, then common voltages and bias lines, all that are quick enough."""
    size, w = len(engine.nets), 2.0 * np.pi * frequency
    entries, stamps = _Entries(), _stamped(engine, amounts)
    full = _full(engine, w)
    places = {key: entries.place(*key) for key in sorted(stamps.nominal)}
    for key, value in stamps.nominal.items():
        entries.series[places[key]] = value
    pairs, code = _pairs(engine), list[int]()
    paired = {k for pair in pairs for k in pair}
    read: dict[int, np.ndarray] = {}
    for row, probe in enumerate(_reads(engine)):
        for k, x in probe:
            read.setdefault(k, np.zeros(engine.circuit.order))[row] += x
    mixed = {k: x for k, x in read.items() if k not in paired}
    for a, b in pairs:
        x, y = (read.get(k, np.zeros(engine.circuit.order)) for k in (a, b))
        mixed |= {a: x + y, b: 0.5 * (x - y)}
    largest = max(np.abs(x).max() for x in mixed.values())
    kept = {k for k, x in mixed.items() if np.abs(x).max() > 1e-12 * largest}
    left = set(range(size))

    def go(candidates: set[int], most: int) -> None:
        while True:
            ready = [
                (len(entries.rows(k)) * len(entries.columns(k)), k)
                for k in sorted(candidates & left)
                if max(len(entries.rows(k)), len(entries.columns(k))) <= most
                and w.max() * abs(entries.of(k, k)[1]) < quick * abs(entries.of(k, k)[0])
            ]
            if not ready:
                return
            net = min(ready)[1]
            code.extend(entries.eliminate(net))
            left.remove(net)

    go(left - paired - kept, NEAR)
    code += entries.mix(pairs)
    go(left - kept, size)
    core = sorted(left)
    table = np.array([[entries.place(i, j) for j in (*core, SIDE)] for i in core])
    reading = np.array([mixed.get(k, np.zeros(engine.circuit.order)) for k in core]).T
    s = 1j * w
    values = np.array(entries.series)[table] @ (s[:, None] ** np.arange(TERMS)).T
    solved = np.linalg.solve(np.moveaxis(values[:, :-1], -1, 0), np.moveaxis(values[:, -1:], -1, 0))[..., 0]
    missed = float(np.abs(solved @ reading.T - full).max() / np.abs(full).max())
    fields = (
        len(entries.series),
        single(_at_entries(stamps.fixed, places, len(entries.series))),
        *(
            x
            for of in (stamps.slopes, stamps.charges, stamps.plates, stamps.strips)
            for x in _listed(of, places, len(entries.series))
        ),
        len(code),
        np.array(code),
        len(core),
        len(w),
        engine.circuit.order,
        table,
        single(w),
        single(reading),
    )
    return _Order(fields, len(core), missed)


def _at_entries(
    values: Mapping[tuple[int, int], float], places: Mapping[tuple[int, int], int], size: int
) -> np.ndarray:
    found = np.zeros(size)
    for key, value in values.items():
        found[places[key]] = value
    return found


def _listed(
    stamps: Sequence[tuple[tuple[int, int], int, float]], places: Mapping[tuple[int, int], int], size: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Give the sources and factors of every entry."""
    rows: list[list[tuple[int, float]]] = [[] for _ in range(size)]
    for key, source, factor in stamps:
        rows[places[key]].append((source, factor))
    starts, sources, factors = _sparse(rows)
    return starts, sources, single(factors)


_Stamp = tuple[tuple[int, int], int, float]  # entry, source, factor
_BETWEEN = ((0, 0, 1.0), (1, 1, 1.0), (0, 1, -1.0), (1, 0, -1.0))  # of what lies between two nets


@dataclass(frozen=True, eq=False)
class _Stamps:
    """What stands in the matrix.

    Attributes
    ----------
    nominal : dict of entry to series
    fixed : dict of entry to F
        Charges that do not deviate.
    slopes, charges, plates, strips : list of _Stamp
        By slope, amount, capacitor and resistor.
    """

    nominal: dict[tuple[int, int], np.ndarray]
    fixed: dict[tuple[int, int], float]
    slopes: list[_Stamp]
    charges: list[_Stamp]
    plates: list[_Stamp]
    strips: list[_Stamp]


def _key(engine: Engine, row: int, column: int) -> tuple[tuple[int, int], float] | None:
    """Find the entry of a net's current and a net's voltage: the right side has what the input drives, negative."""
    if row >= len(engine.nets):
        return None
    if column < len(engine.nets):
        return (row, column), 1.0
    driven = float(engine.driven[column])
    return ((row, SIDE), -driven) if driven else None


def _put(engine: Engine, to: list[_Stamp], *, at: tuple[int, int], source: int, factor: float) -> None:
    if factor and (found := _key(engine, *at)):
        to.append((found[0], source, found[1] * factor))


def _stamped(engine: Engine, amounts: _Amounts) -> _Stamps:
    """Gather the stamps."""
    undeviated = nominal(engine.circuit, engine.found)
    _, g = engine.conductances(engine.quiescent[None], undeviated)
    G, C = engine.matrix(g, engine.strips(undeviated, np.ones(1)))[0], engine.charges
    size = len(engine.nets)
    series = {(k, SIDE): np.zeros(TERMS) for k in range(size)}
    fixed: dict[tuple[int, int], float] = {}
    for row, column in np.argwhere((G[:size] != 0.0) | (C[:size] != 0.0)).tolist():
        if found := _key(engine, row, column):
            at, sign = found
            series.setdefault(at, np.zeros(TERMS))[:2] += sign * np.array([G[row, column], C[row, column]])
            fixed[at] = fixed.get(at, 0.0) + sign * float(C[row, column])
    stamps = _Stamps(series, fixed, _slope_stamps(engine), _charge_stamps(engine, amounts), [], [])
    of_capacitors = [capacitance(x, engine.pdk) for x in engine.circuit.capacitors]
    for to, devices, values in (
        (stamps.plates, engine.circuit.capacitors, of_capacitors),
        (stamps.strips, engine.circuit.resistors, [1.0] * len(engine.circuit.resistors)),
    ):
        for k, (x, value) in enumerate(zip(devices, values, strict=True)):
            ends = [engine.place[net] for net in x.nets]
            for i, j, sign in _BETWEEN:
                _put(engine, to, at=(ends[i], ends[j]), source=k, factor=sign * value)
    for stamp in (*stamps.slopes, *stamps.charges, *stamps.plates, *stamps.strips):
        series.setdefault(stamp[0], np.zeros(TERMS))
    return stamps


def _slope_stamps(engine: Engine) -> list[_Stamp]:
    """Give those of the channels: the source takes off what all ends do, which is the last of four slopes."""
    found: list[_Stamp] = []
    for n, (d, gate, s, b) in enumerate(engine.ends.tolist()):
        for k, (end, sign) in enumerate(((gate, 1.0), (d, 1.0), (b, 1.0), (s, -1.0))):
            if k == 2 and b == s:  # its slope is zero
                continue
            _put(engine, found, at=(d, end), source=4 * n + k, factor=sign)
            _put(engine, found, at=(s, end), source=4 * n + k, factor=-sign)
    return found


def _charge_stamps(engine: Engine, amounts: _Amounts) -> list[_Stamp]:
    """Give those of charges that the process moves by more than nothing."""
    summed: dict[tuple[int, int, int], float] = {}
    for q, n, i, j in np.argwhere(engine.laws.charge_shift != 0.0).tolist():
        key = (int(engine.ends[n, i]), int(engine.ends[n, j]), int(amounts.of[q, n]))
        summed[key] = summed.get(key, 0.0) + float(engine.laws.charge_shift[q, n, i, j])
    size = np.abs(np.diag(engine.charges))
    found: list[_Stamp] = []
    for (row, column, amount), value in summed.items():
        if abs(value) * amounts.largest[amount] > LEAST_CHARGE * size[row]:
            _put(engine, found, at=(row, column), source=amount, factor=value)
    return found


def _full(engine: Engine, w: Float[np.ndarray, " k"]) -> np.ndarray:
    """Solve the nominal circuit's equations whole: Legendre states (k, d) for one volt of input."""
    size = len(engine.nets)
    undeviated = nominal(engine.circuit, engine.found)
    _, g = engine.conductances(engine.quiescent[None], undeviated)
    G, C = engine.matrix(g, engine.strips(undeviated, np.ones(1)))[0], engine.charges
    A = G + 1j * w[:, None, None] * C
    x = np.linalg.solve(A[:, :size, :size], -(A[:, :size, size:] @ engine.driven[size:])[..., None])[..., 0]
    nets, rows = probe_rows(engine.circuit)
    return x[:, [engine.place[net] for net in nets]] @ rows.T
