"""What every transistor of a circuit does near its operating point, measured once in ngspice.

I = (1 - exp(-v_DS/U_T)) exp P, with a polynomial P in the voltages over a box around the operating point: in weak
inversion P is nearly linear, in strong inversion smooth, and at v_DS = 0 the current has its sign. What deviates (the
threshold, and what the process moves) shifts the gate voltage, by as much as makes the rest smallest, and moves P's
first coefficients: of a threshold these are the mobility, which depends on the field and so on gate and threshold
apart. A current factor moves P. Charges are those of the nominal operating point, moved by the process.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.circuits.devices.pdk import Pdk, ProcessRow
from lmu_analog.errors import CircuitError
from lmu_analog.silicon.altering import paths, process_commands
from lmu_analog.silicon.deck import OPTIONS, geometry, instances
from lmu_analog.silicon.devices import Mos
from lmu_analog.silicon.draws import Spread
from lmu_analog.silicon.samples import Bench
from lmu_analog.spice.cards import number
from lmu_analog.spice.session import Session

DEGREE = 4
BOX = (0.06, 0.18, 0.14)  # V: by how much gate, drain and bulk may move against the source
TRIODE_BOX = (0.06, 0.03, 0.14)  # the same of a channel that is not saturated, whose law is more nonlinear
GATE_BOXES = (0.06, 0.12, 0.24)  # V: of gates, as I/g_m allows
OF_OVERDRIVE = 0.5  # of I/g_m, which a box may take
SATURATED = 8.0  # thermal voltages between drain and source
PLACES = (5, 6, 3)  # of the grid along each
PLACES_OF_SHIFTS = (3, 3, 3)
SHIFT_DEGREE = 2
Z = 1.5  # standard deviations of a process variable at which its effect is measured
THRESHOLD_STEP = 0.045  # V: by how much thresholds are moved for that
SLOPES_ALIKE = 0.1  # 1/V: relative slopes of currents that differ by less say nothing of a shift of the gate
SAME = 1e-7  # V: devices of one size whose ends differ by less have one law
FACTOR = 0.02  # by which a current factor is moved to see what that does
WEAKEST = 1e-16  # A: a channel with less is described by its current itself
KELVIN = 273.15
THERMAL = 1.380649e-23 / 1.602176634e-19  # V/K, exact since 2019
THRESHOLD = "vth0"  # the parameter of models that shifts the gate voltage
SLOPES = ("gm", "gds", "gmbs")
MEASURED_AT = 1e4  # Hz: where capacitances are read off admittances, by their imaginary part


@dataclass(frozen=True, eq=False)
class Laws:
    """Laws of n transistors.

    Attributes
    ----------
    polarity : (n,) array
        1 of n-channel devices, -1 of p-channel.
    count : (n,) array
        Devices side by side; all that follows is of all of them.
    quiescent : (n, 3) array, V
        Gate, drain and bulk against the source at the nominal operating point, times the polarity.
    box : (n, 3) array, V
        Which moves of these the coefficients take for one.
    current : (n, m) array
        Coefficients of P, or of I in A where ``is_log`` says no.
    is_log : (n,) bool array
    thermal : float, V
        U_T.
    factor : (n,) array
        By how much the current moves with the current factor, both relative.
    share : (q, p, n) array
        By how much every variable moves what the process moves, q sets of model parameters: the first is the threshold,
        in V times the polarity, and mismatch moves it too; the others are in steps of their own.
    gate : (q, n) array, V
        By how much one of each of these shifts the gate voltage: it is as if the gate were so much lower.
    shift, curvature : (q, n, k) arrays
        What one of each adds to the first coefficients beside, and what its square adds.
    charge : (n, 4, 4) array, F
        dQ_i/dv_j of drain, gate, source and bulk.
    charge_shift : (q, n, 4, 4) array, F
        What each of the process's adds to that.
    """

    polarity: Float[np.ndarray, " n"]
    count: Float[np.ndarray, " n"]
    quiescent: Float[np.ndarray, "n 3"]
    box: Float[np.ndarray, "n 3"]
    current: Float[np.ndarray, "n m"]
    is_log: np.ndarray
    thermal: float
    factor: Float[np.ndarray, " n"]
    share: Float[np.ndarray, "q p n"]
    gate: Float[np.ndarray, "q n"]
    shift: Float[np.ndarray, "q n k"]
    curvature: Float[np.ndarray, "q n k"]
    charge: Float[np.ndarray, "n 4 4"]
    charge_shift: Float[np.ndarray, "q n 4 4"]


@cache
def exponents(degree: int) -> Int[np.ndarray, "m 3"]:
    """Give the powers of gate, drain and bulk voltage in all monomials of a degree, the lowest degrees first."""
    # No higher power along a voltage than its places of the grid can tell apart.
    powers = [range(min(degree, k - 1) + 1) for k in PLACES]
    found = [e for e in itertools.product(*powers) if sum(e) <= degree]
    return np.array(sorted(found, key=lambda e: (sum(e), e)))


def monomials(x: Float[np.ndarray, "*s 3"], degree: int) -> Float[np.ndarray, "*s m"]:
    """Give all monomials of voltages that are scaled by the box."""
    return _products(x, exponents(degree))


def slopes(x: Float[np.ndarray, "*s 3"], degree: int, along: int) -> Float[np.ndarray, "*s m"]:
    """Give the derivatives of all monomials along one of the scaled voltages."""
    lowered = exponents(degree).copy()
    by = lowered[:, along].copy()
    lowered[:, along] = np.maximum(by - 1, 0)
    return _products(x, lowered) * by


def _products(x: np.ndarray, e: np.ndarray) -> np.ndarray:
    powers = np.ones((*x.shape, int(e.max()) + 1))
    for k in range(1, powers.shape[-1]):
        powers[..., k] = powers[..., k - 1] * x
    return powers[..., 0, e[:, 0]] * powers[..., 1, e[:, 1]] * powers[..., 2, e[:, 2]]


def laws(bench: Bench, found: Spread, volts: dict[str, float]) -> Laws:
    """Measure the laws of a circuit's transistors, in this process: call it in a ``Worker``.

    Parameters
    ----------
    bench : Bench
    found : Spread
        Its process variables.
    volts : dict
        Voltages of all nets at the nominal operating point.
    """
    mos = bench.circuit.transistors
    ends = np.array([[volts[net] for net in x.nets] for x in mos])
    first, alike = _alike(mos, ends)
    one = _laws(bench, found, [mos[k] for k in first], ends[first])
    count = np.array([float(x.count) for x in mos])
    polarity = one.polarity[alike]
    is_log = one.is_log[alike]
    # Devices side by side add to a current, and a constant to its logarithm.
    linear = np.where(is_log, 1.0, count)[:, None]
    current = one.current[alike] * linear
    current[:, 0] += np.where(is_log, np.log(count), 0.0)
    weight = count[:, None, None]
    return Laws(
        polarity,
        count,
        polarity[:, None] * (ends[:, [1, 0, 3]] - ends[:, [2]]),
        one.box[alike],
        current,
        is_log,
        one.thermal,
        one.factor[alike],
        one.share[:, :, alike],
        one.gate[:, alike],
        one.shift[:, alike] * linear,
        one.curvature[:, alike] * linear,
        one.charge[alike] * weight,
        one.charge_shift[:, alike] * weight,
    )


def _alike(mos: Sequence[Mos], ends: Float[np.ndarray, "n 4"]) -> tuple[list[int], Int[np.ndarray, " n"]]:
    """Find devices of one size at one operating point: the first of each kind, and of which kind every device is."""
    kinds: dict[object, int] = {}
    first: list[int] = []
    alike: list[int] = []
    for k, x in enumerate(mos):
        key = (x.device, x.width, x.length, *np.round(ends[k] / SAME).tolist())
        if key not in kinds:
            kinds[key] = len(first)
            first.append(k)
        alike.append(kinds[key])
    return first, np.array(alike)


def _laws(bench: Bench, found: Spread, mos: Sequence[Mos], ends: Float[np.ndarray, "n 4"]) -> Laws:
    """Measure the laws of single transistors."""
    pdk = bench.installed.pdk
    polarity = np.array([1.0 if pdk.devices[x.device].kind == "nmos" else -1.0 for x in mos])
    quiescent = polarity[:, None] * (ends[:, [1, 0, 3]] - ends[:, [2]])
    thermal = THERMAL * (bench.conditions.temperature + KELVIN)
    narrow = np.abs(quiescent[:, 1]) < SATURATED * thermal
    box = np.where(narrow[:, None], TRIODE_BOX, BOX)
    names = [_alone(x, pdk) for x in mos]
    with Session(_deck(bench, mos, ends, box)) as session:
        box[:, 0] = _gate_box(session, names)
    with Session(_deck(bench, mos, ends, box)) as session:
        at = _Alone(session, names, box, polarity)
        drawn = at.on_grid(PLACES)
        is_log = np.min(drawn, axis=1) > WEAKEST
        fit = np.linalg.pinv(monomials(_grid(PLACES), DEGREE))
        current = _logs(drawn, is_log, _triode(quiescent, box, PLACES, thermal)) @ fit.T
        center = at.center()
        _anchor(current, center, quiescent, box, thermal, is_log)
        charge = _charges(session, at)
        altered = [
            f"@{name}[{pdk.devices[x.device].alter['mobility']}]" for name, x in zip(names, mos, strict=True)
        ]
        session.alter(f"alter {what} = {number(1.0 + FACTOR)}" for what in altered)
        stronger = at.center()
        session.alter(f"alter {what} = 1.0" for what in altered)
        factor = np.where(is_log, np.log(stronger[:, 0] / center[:, 0]) / np.log1p(FACTOR), 1.0)
        firm = is_log & _is_firm(quiescent, thermal)
        moved = _moves(bench, mos, polarity)
        gate, shift, curvature, charge_shift = _measured(at, moved, is_log, firm)
    share = np.array([[[x.get(v, 0.0) for x in move.share] for v in found.process] for move in moved])
    return Laws(
        polarity,
        np.ones(len(mos)),
        quiescent,
        box,
        current,
        is_log,
        thermal,
        factor,
        share.reshape(len(moved), len(found.process), len(mos)),
        gate,
        shift,
        curvature,
        charge,
        charge_shift,
    )


def _gate_box(session: Session, names: Sequence[str]) -> Float[np.ndarray, " n"]:
    """Give by how much each gate may move, V: the further a channel is from weak inversion, the straighter its law."""
    found = session.values([f"@{name}[{what}]" for name in names for what in ("id", "gm")]).reshape(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        overdrive = np.nan_to_num(np.abs(found[:, 0] / found[:, 1]), nan=0.0, posinf=0.0)
    return np.array(GATE_BOXES)[np.searchsorted(GATE_BOXES[1:], OF_OVERDRIVE * overdrive, side="right")]


def _anchor(
    current: np.ndarray,
    center: Float[np.ndarray, "n 4"],
    quiescent: np.ndarray,
    box: np.ndarray,
    thermal: float,
    is_log: np.ndarray,
) -> None:
    """Make current and slopes at the operating point those of ngspice: a fit over the box is a little off there."""
    decay = np.exp(-quiescent[:, 1] / thermal)
    triode = 1.0 - decay
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(center[:, 0] / triode)
        exact = np.log(size)
        along = _relative_slopes(center, box)
        along[:, 1] -= decay / (thermal * triode) * box[:, 1]
    # Near v_DS = 0 the current does not fix P's slopes along gate and bulk; the fit does.
    firm = is_log & _is_firm(quiescent, thermal)
    current[firm, 0] = exact[firm]
    current[np.ix_(firm, _linear(DEGREE))] = along[firm]
    loose = is_log & ~firm
    # There the conductance of the drain is exp(P)/U_T, but for what is proportional to v_DS.
    current[loose, 0] = np.log(center[loose, 2] * thermal)


def _is_firm(quiescent: np.ndarray, thermal: float) -> np.ndarray:
    """Tell whose current is large enough beside what v_DS does to it."""
    return np.abs(quiescent[:, 1]) > 0.2 * thermal


def _linear(degree: int) -> Int[np.ndarray, " 3"]:
    """Give the places of gate, drain and bulk among the monomials."""
    e = exponents(degree)
    return np.array([int(np.flatnonzero((e == one).all(axis=1))[0]) for one in np.eye(3, dtype=int)])


def _relative_slopes(center: Float[np.ndarray, "n 4"], box: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """Give the slopes of the logarithm of the current along the scaled voltages."""
    return center[:, 1:] / center[:, :1] * box


def _charges(session: Session, at: "_Alone") -> Float[np.ndarray, "n 4 4"]:
    """Measure dQ_i/dv_j between drain, gate, source and bulk, overlaps included, from the response of each alone."""
    size = len(at.names)
    sources = [f"v{end}{k}" for k in range(size) for end in "dgsb"]
    found = np.zeros((size, 4, 4))
    for column, end in ((0, "d"), (1, "g"), (3, "b")):
        flows = session.admittances([_move(end, k, kind) for k, kind in at.movers], sources, MEASURED_AT)
        found[:, :, column] = np.imag(flows).reshape(size, 4) / (2.0 * np.pi * MEASURED_AT)
    found[:, :, 2] = -found.sum(axis=2)
    return found


def _triode(
    quiescent: np.ndarray, box: np.ndarray, places: tuple[int, int, int], thermal: float
) -> Float[np.ndarray, "n q"]:
    """Give the size of 1 - exp(-v_DS/U_T), of every transistor at every place."""
    return np.abs(np.expm1(-(quiescent[:, 1:2] + box[:, 1:2] * _grid(places)[:, 1]) / thermal))


def _logs(current: np.ndarray, is_log: np.ndarray, triode: np.ndarray | float = 1.0) -> np.ndarray:
    return np.where(is_log[:, None], np.log(np.maximum(current, WEAKEST) / triode), current)


@cache
def _grid(places: tuple[int, int, int]) -> Float[np.ndarray, "q 3"]:
    """Give the places of a grid over the box, at Chebyshev's points: no place matters more than others there."""
    along = [np.sin(0.5 * np.pi * np.linspace(-1.0, 1.0, k)) for k in places]
    return np.stack(np.meshgrid(*along, indexing="ij"), axis=-1).reshape(-1, 3)


def _alone(x: Mos, pdk: Pdk) -> str:
    return paths(x, pdk)[0]


def _move(end: str, box: int, kind: str) -> str:
    """Name the source that moves an end of all devices of one box and polarity."""
    return f"vmove{end}{box}{kind}"


def _boxes(box: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "b 3"], Int[np.ndarray, " n"]]:
    """Give the boxes that occur, and which is whose."""
    found, which = np.unique(box, axis=0, return_inverse=True)
    return found, which.reshape(-1)


def _deck(
    bench: Bench, mos: Sequence[Mos], ends: Float[np.ndarray, "n 4"], box: Float[np.ndarray, "n 3"]
) -> list[str]:
    """Put every transistor alone between sources; those of one box and polarity move together."""
    at, pdk = bench.conditions, bench.installed.pdk
    lines = ["* transistors alone", *bench.installed.cards(at.corner, at.mim), f".options {OPTIONS}"]
    lines.append(f".temp {number(at.temperature)}")
    boxes, which = _boxes(box)
    for kind in "np":
        for k in range(len(boxes)):
            lines += [f"V{_move(end, k, kind)[1:]} move{end}{k}{kind} 0 0" for end in "gdb"]
    for k, (x, (d, g, s, b)) in enumerate(zip(mos, ends.tolist(), strict=True)):
        with_it = f"{which[k]}{pdk.devices[x.device].kind[0]}"
        name = instances(x)[0]
        lines += [
            f"{name} d{k} g{k} s{k} b{k} {x.device} {geometry(x)}",
            f"Vd{k} d{k} moved{with_it} {number(d)}",
            f"Vg{k} g{k} moveg{with_it} {number(g)}",
            f"Vs{k} s{k} 0 {number(s)}",
            f"Vb{k} b{k} moveb{with_it} {number(b)}",
        ]
        path = _alone(x, pdk)
        lines.append(".save " + " ".join(f"@{path}[{what}]" for what in ("id", *SLOPES)))
    lines.append(".save " + " ".join(f"i(v{end}{k})" for k in range(len(mos)) for end in "dgsb"))
    return [*lines, ".end"]


@dataclass(frozen=True, eq=False)
class _Alone:
    """The transistors of a deck, each alone."""

    session: Session
    names: list[str]
    box: Float[np.ndarray, "n 3"]
    polarity: Float[np.ndarray, " n"]

    @property
    def movers(self) -> list[tuple[int, str]]:
        """All boxes with both polarities: what moves together."""
        return [(k, kind) for k in range(len(_boxes(self.box)[0])) for kind in "np"]

    @property
    def mover(self) -> Int[np.ndarray, " n"]:
        """Which of these moves each transistor."""
        return 2 * _boxes(self.box)[1] + (self.polarity < 0.0)

    def move(self, x: Float[np.ndarray, " 3"], gates: Float[np.ndarray, " m"] | None = None) -> None:
        """Move gate, drain and bulk by x of each box, and each mover's gates by V beside, all times the polarity."""
        boxes, _ = _boxes(self.box)
        beside = np.zeros(len(self.movers)) if gates is None else gates
        self.session.alter(
            f"alter {_move(end, k, kind)} = {number(float(v if kind == 'n' else -v))}"
            for (k, kind), volts in zip(self.movers, beside.tolist(), strict=True)
            for end, v in zip("gdb", x * boxes[k] + np.array([volts, 0.0, 0.0]), strict=True)
        )

    def currents(
        self, x: Float[np.ndarray, " 3"], gates: Float[np.ndarray, " m"] | None = None
    ) -> Float[np.ndarray, " n"]:
        """Give the sizes of the currents there, A."""
        self.move(x, gates)
        return np.abs(self.session.values([f"@{name}[id]" for name in self.names]))

    def center(self, gates: Float[np.ndarray, " m"] | None = None) -> Float[np.ndarray, "n 4"]:
        """Give the sizes of the currents and of their slopes along gate, drain and bulk where none has moved."""
        self.move(np.zeros(3), gates)
        wanted = [f"@{name}[{what}]" for name in self.names for what in ("id", *SLOPES)]
        return np.abs(self.session.values(wanted)).reshape(-1, 4)

    def on_grid(
        self, places: tuple[int, int, int], gates: Float[np.ndarray, " m"] | None = None
    ) -> Float[np.ndarray, "n q"]:
        """Give the sizes of the currents on a grid over each transistor's own box."""
        return np.stack([self.currents(x, gates) for x in _grid(places)], axis=-1)


@dataclass(frozen=True)
class _Move:
    """Parameters of models that the process moves together.

    Attributes
    ----------
    step : dict
        What one is of every (model, parameter), and whether it is a fraction of its value.
    size : float
        By how many of these its effect is measured.
    gate : float, V
        A first guess of by how much that shifts the gates.
    share : tuple of dict
        For each transistor, how many steps one standard deviation of a process variable is.
    """

    step: Mapping[tuple[str, str], tuple[float, bool]]
    size: float
    gate: float
    share: tuple[Mapping[str, float], ...]


def _moves(bench: Bench, mos: Sequence[Mos], polarity: np.ndarray) -> list[_Move]:
    """Gather what the process moves, the threshold first.

    Several variables move the same parameter by other amounts (all devices, n-channel alone): every parameter is
    moved once, and what the variables do follows in proportion.
    """
    pdk = bench.installed.pdk
    rows: dict[tuple[str, ...], list[ProcessRow]] = {(THRESHOLD,): []}
    for row in pdk.process:
        if row.device in {x.device for x in mos}:
            rows.setdefault(row.parameters, []).append(row)
    models = [pdk.devices[x.device].model(x.width, x.length) for x in mos]
    bins = [pdk.devices[x.device].bin(x.width, x.length) for x in mos]
    found: list[_Move] = []
    for parameters, given in rows.items():
        if THRESHOLD in parameters and len(parameters) > 1:
            raise CircuitError(f"the process moves {', '.join(parameters)} together; a threshold moves alone")
        is_threshold = THRESHOLD in parameters
        step: dict[tuple[str, str], tuple[float, bool]] = {}
        share: list[dict[str, float]] = []
        for x, model, place, p in zip(mos, models, bins, polarity.tolist(), strict=True):
            mine = [r for r in given if r.device == x.device and (r.bins is None or place in r.bins)]
            amounts: dict[str, float] = {}
            for row in mine:
                for variable, by in row.per_sigma.items():
                    amounts[variable] = amounts.get(variable, 0.0) + by
            of_device = [abs(v) for r in given if r.device == x.device for v in r.per_sigma.values()]
            one = p if is_threshold else Z * max(of_device, default=0.0)
            if mine or is_threshold:
                step |= {(model, name): (one, any(r.relative for r in mine)) for name in parameters}
            share.append({v: by / one for v, by in amounts.items()})
        size, gate = (THRESHOLD_STEP, THRESHOLD_STEP) if is_threshold else (1.0, 0.0)
        found.append(_Move(step, size, gate, tuple(share)))
    return found


def _measured(
    at: _Alone, moves: Sequence[_Move], is_log: np.ndarray, firm: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Move parameters up and down, and give shifts of gates, what else is added to coefficients, and to charges."""
    unmoved = _fitted(at, is_log, firm)
    lines = _along_gate(at, is_log)
    found: list[tuple[np.ndarray, ...]] = []
    for move in moves:
        values = at.session.model_values(list(move.step))
        ends: list[np.ndarray] = []
        for sign in (1.0, -1.0):
            _turn(at.session, move, values, sign * move.size)
            ends.append(_along_gate(at, is_log))
        gates = _gate_shift(at, lines, 0.5 * (ends[0] - ends[1]), firm=firm, guess=move.gate)
        fits: list[np.ndarray] = []
        charges: list[np.ndarray] = []
        for sign in (1.0, -1.0):
            _turn(at.session, move, values, sign * move.size)
            fits.append(_fitted(at, is_log, firm, sign * gates))
            charges.append(_charges(at.session, at))
        _turn(at.session, move, values, 0.0)
        first, second = 0.5 * (fits[0] - fits[1]), 0.5 * (fits[0] + fits[1]) - unmoved
        charge = 0.5 * (charges[0] - charges[1])
        found.append(
            (gates[at.mover] / move.size, first / move.size, second / move.size**2, charge / move.size)
        )
    gate, shift, curvature, charge = (np.array(x) for x in zip(*found, strict=True))
    return gate, shift, curvature, charge


def _turn(session: Session, move: _Move, values: Float[np.ndarray, " v"], by: float) -> None:
    """Set the parameters of a move to their nominal values and so many steps."""
    shifts = {key: (by * one, relative) for key, (one, relative) in move.step.items()}
    session.alter(process_commands(shifts, dict(zip(move.step, values.tolist(), strict=True))))


def _along_gate(at: _Alone, is_log: np.ndarray) -> Float[np.ndarray, "n 3"]:
    """Give the logarithms of the currents as the gates move from end to end of their boxes."""
    moved = np.stack([at.currents(np.array([x, 0.0, 0.0])) for x in (-1.0, 0.0, 1.0)], axis=-1)
    return _logs(moved, is_log)


def _gate_shift(
    at: _Alone,
    lines: Float[np.ndarray, "n 3"],
    added: Float[np.ndarray, "n 3"],
    *,
    firm: np.ndarray,
    guess: float,
) -> Float[np.ndarray, " m"]:
    """Give the shift of each mover's gates, V, that leaves the least of what is added but for constants.

    A lower gate takes off the slope there: least squares over the box, from a first guess in weak inversion, where
    slopes are alike and a shift is as good as a constant.
    """
    low, here, high = lines.T
    slope = np.stack([4.0 * here - 3.0 * low - high, high - low, 3.0 * high - 4.0 * here + low], axis=-1)
    slope = slope / (2.0 * at.box[:, :1])
    left = added + guess * slope
    left, slope = (np.where(firm[:, None], x - x.mean(axis=1, keepdims=True), 0.0) for x in (left, slope))
    count = len(at.movers)
    product, square = (np.bincount(at.mover, x.sum(axis=1), count) for x in (left * slope, slope**2))
    return guess - product / (
        square + SLOPES_ALIKE**2 * np.maximum(np.bincount(at.mover, minlength=count), 1)
    )


def _fitted(
    at: _Alone, is_log: np.ndarray, firm: np.ndarray, gates: Float[np.ndarray, " m"] | None = None
) -> Float[np.ndarray, "n k"]:
    """Give the first coefficients of the logarithms of the currents, over the box."""
    fit = np.linalg.pinv(monomials(_grid(PLACES_OF_SHIFTS), SHIFT_DEGREE))
    center = at.center(gates)
    found = _logs(at.on_grid(PLACES_OF_SHIFTS, gates), is_log) @ fit.T
    # A fit over the box is a little off in its middle, where most samples are.
    found[firm, 0] = np.log(center[firm, 0])
    found[np.ix_(firm, _linear(SHIFT_DEGREE))] = _relative_slopes(center[firm], at.box[firm])
    return found
