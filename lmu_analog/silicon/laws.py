"""What every transistor of a circuit does near its operating point, measured once in ngspice.

I = (1 - exp(-v_DS/U_T)) exp P, with a polynomial P in the voltages over a box around the operating point: in weak
inversion P is nearly linear, in strong inversion smooth, and at v_DS = 0 the current has its sign. A threshold that
deviates shifts the gate voltage, a current factor P, and the process moves P's coefficients. Charges are those of the
nominal operating point, moved by the process.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

from lmu_analog.circuits.devices.pdk import Pdk, ProcessRow
from lmu_analog.silicon.altering import models_used, paths
from lmu_analog.silicon.deck import OPTIONS, instances
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
    shift, curvature : (p, n, k) arrays
        What one standard deviation of a process variable adds to the first coefficients, and its square.
    gate : (p, n) array, V
        What one standard deviation adds to the threshold.
    charge : (n, 4, 4) array, F
        dQ_i/dv_j of drain, gate, source and bulk.
    charge_shift : (p, n, 4, 4) array, F
        What one standard deviation of a process variable adds to that.
    """

    polarity: Float[np.ndarray, " n"]
    count: Float[np.ndarray, " n"]
    quiescent: Float[np.ndarray, "n 3"]
    box: Float[np.ndarray, "n 3"]
    current: Float[np.ndarray, "n m"]
    is_log: np.ndarray
    thermal: float
    factor: Float[np.ndarray, " n"]
    shift: Float[np.ndarray, "p n k"]
    curvature: Float[np.ndarray, "p n k"]
    gate: Float[np.ndarray, "p n"]
    charge: Float[np.ndarray, "n 4 4"]
    charge_shift: Float[np.ndarray, "p n 4 4"]


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
    circuit, pdk = bench.circuit, bench.installed.pdk
    mos = circuit.transistors
    polarity = np.array([1.0 if pdk.devices[x.device].kind == "nmos" else -1.0 for x in mos])
    count = np.array([float(x.count) for x in mos])
    ends = np.array([[volts[net] for net in x.nets] for x in mos])
    quiescent = polarity[:, None] * (ends[:, [1, 0, 3]] - ends[:, [2]])
    thermal = THERMAL * (bench.conditions.temperature + KELVIN)
    narrow = np.abs(quiescent[:, 1]) < SATURATED * thermal
    with Session(_deck(bench, mos, ends)) as session:
        names = [_alone(x, pdk) for x in mos]
        box = np.where(narrow[:, None], TRIODE_BOX, BOX)
        box[:, 0] = _gate_box(session, names)
        at = _Alone(session, names, box)
        drawn = at.on_grid(PLACES)
        is_log = np.min(drawn, axis=1) > WEAKEST
        fit = np.linalg.pinv(monomials(_grid(PLACES), DEGREE))
        current = _logs(drawn, is_log, _triode(quiescent, box, PLACES, thermal)) @ fit.T
        unmoved_current = at.currents(np.zeros(3))
        measured = session.values([f"@{name}[{what}]" for name in at.names for what in SLOPES])
        _anchor(current, unmoved_current, measured.reshape(-1, 3), quiescent, box, thermal, is_log)
        charge = _charges(session, len(mos))
        nominal = at.on_grid(PLACES_OF_SHIFTS)
        altered = [
            f"@{name}[{pdk.devices[x.device].alter['mobility']}]" for name, x in zip(names, mos, strict=True)
        ]
        session.alter(f"alter {what} = {number(1.0 + FACTOR)}" for what in altered)
        moved = at.currents(np.zeros(3))
        session.alter(f"alter {what} = 1.0" for what in altered)
        factor = np.where(is_log, np.log(np.abs(moved / unmoved_current)) / np.log1p(FACTOR), 1.0)
        shift, curvature, charge_shift = _process(at, bench, found, nominal, is_log)
    gate = np.array([[_threshold(x, pdk, variable) for x in mos] for variable in found.process])
    gate = gate.reshape(len(found.process), len(mos)) * polarity
    current = current * np.where(is_log, 1.0, count)[:, None]
    current[:, 0] += np.where(is_log, np.log(count), 0.0)
    return Laws(
        polarity,
        count,
        quiescent,
        box,
        current,
        is_log,
        thermal,
        factor,
        shift,
        curvature,
        gate,
        charge * count[:, None, None],
        charge_shift * count[:, None, None],
    )


def _gate_box(session: Session, names: Sequence[str]) -> Float[np.ndarray, " n"]:
    """Give by how much each gate may move, V: the further a channel is from weak inversion, the straighter its law."""
    found = session.values([f"@{name}[{what}]" for name in names for what in ("id", "gm")]).reshape(-1, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        overdrive = np.nan_to_num(np.abs(found[:, 0] / found[:, 1]), nan=0.0, posinf=0.0)
    return np.array(GATE_BOXES)[np.searchsorted(GATE_BOXES[1:], OF_OVERDRIVE * overdrive, side="right")]


def _anchor(
    current: np.ndarray,
    unmoved_current: np.ndarray,
    measured: np.ndarray,
    quiescent: np.ndarray,
    box: np.ndarray,
    thermal: float,
    is_log: np.ndarray,
) -> None:
    """Make current and slopes at the operating point those of ngspice: a fit over the box is a little off there."""
    decay = np.exp(-quiescent[:, 1] / thermal)
    triode = 1.0 - decay
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.abs(unmoved_current / triode)
        exact = np.log(size)
        along = np.abs(measured)
        along = np.stack([along[:, 0], along[:, 1] - size * decay / thermal, along[:, 2]], axis=-1)
        along = along / np.stack([size * triode] * 3, axis=-1) * box
    e = exponents(DEGREE)
    # Near v_DS = 0 the current does not fix P's slopes along gate and bulk; the fit does.
    firm = is_log & (np.abs(quiescent[:, 1]) > 0.2 * thermal)
    for k in range(3):
        column = int(np.flatnonzero((e == np.eye(3, dtype=int)[k]).all(axis=1))[0])
        current[firm, column] = along[firm, k]
    current[firm, 0] = exact[firm]
    loose = is_log & ~firm
    # There the conductance of the drain is exp(P)/U_T, but for what is proportional to v_DS.
    current[loose, 0] = np.log(np.abs(measured[loose, 1]) * thermal)


def _charges(session: Session, size: int) -> Float[np.ndarray, "n 4 4"]:
    """Measure dQ_i/dv_j between drain, gate, source and bulk, overlaps included, from the response of each alone."""
    sources = [f"v{end}{k}" for k in range(size) for end in "dgsb"]
    found = np.zeros((size, 4, 4))
    for column, end in ((0, "d"), (1, "g"), (3, "b")):
        flows = session.admittances([f"vmove{end}n", f"vmove{end}p"], sources, MEASURED_AT)
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


def _deck(bench: Bench, mos: Sequence[Mos], ends: Float[np.ndarray, "n 4"]) -> list[str]:
    """Put every transistor alone between sources that move together."""
    at, pdk = bench.conditions, bench.installed.pdk
    lines = ["* transistors alone", *bench.installed.cards(at.corner, at.mim), f".options {OPTIONS}"]
    lines.append(f".temp {number(at.temperature)}")
    for kind in ("n", "p"):
        lines += [f"Vmove{end}{kind} move{end}{kind} 0 0" for end in ("g", "d", "b")]
    for k, (x, (d, g, s, b)) in enumerate(zip(mos, ends.tolist(), strict=True)):
        kind = "n" if pdk.devices[x.device].kind == "nmos" else "p"
        name = instances(x)[0]
        lines += [
            f"{name} d{k} g{k} s{k} b{k} {x.device} w={number(x.width)} l={number(x.length)}",
            f"Vd{k} d{k} moved{kind} {number(d)}",
            f"Vg{k} g{k} moveg{kind} {number(g)}",
            f"Vs{k} s{k} 0 {number(s)}",
            f"Vb{k} b{k} moveb{kind} {number(b)}",
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
    box: np.ndarray

    def currents(self, x: Float[np.ndarray, " 3"]) -> Float[np.ndarray, " n"]:
        """Give the sizes of the currents, A, where gate, drain and bulk are moved by x, V."""
        self.session.alter(
            f"alter vmove{end}{kind} = {number(float(sign * v))}"
            for kind, sign in (("n", 1.0), ("p", -1.0))
            for end, v in zip(("g", "d", "b"), x, strict=True)
        )
        return np.abs(self.session.values([f"@{name}[id]" for name in self.names]))

    def on_grid(self, places: tuple[int, int, int]) -> Float[np.ndarray, "n q"]:
        """Give the sizes of the currents on a grid over each transistor's own box."""
        found = np.zeros((len(self.names), len(_grid(places))))
        for box in np.unique(self.box, axis=0):
            mine = (self.box == box).all(axis=1)
            swept = np.stack([self.currents(x * box) for x in _grid(places)], axis=-1)
            found[mine] = swept[mine]
        return found


def _process(
    at: _Alone, bench: Bench, found: Spread, nominal: np.ndarray, is_log: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Measure what the process variables do beside shifting thresholds.

    Several variables move the same parameter by other amounts (all devices, n-channel alone): every parameter is
    moved once, and what the variables do follows in proportion.
    """
    circuit, pdk = bench.circuit, bench.installed.pdk
    shape = (len(found.process), len(nominal), len(exponents(SHIFT_DEGREE)))
    shift, curvature = np.zeros(shape), np.zeros(shape)
    charged = np.zeros((*shape[:2], 4, 4))
    fit = np.linalg.pinv(monomials(_grid(PLACES_OF_SHIFTS), SHIFT_DEGREE))
    models = models_used(circuit, pdk)
    of_device = np.array([x.device for x in circuit.transistors])
    unmoved = _logs(nominal, is_log)
    for parameters, rows in _by_parameters(pdk, {x.device for x in circuit.transistors}):
        names = [(m, p) for m, (device, _) in models.items() if device in rows for p in parameters]
        values = at.session.model_values(names)
        step = {device: max(abs(v) for v in row.per_sigma.values()) for device, row in rows.items()}
        moved: list[np.ndarray] = []
        stored: list[np.ndarray] = []
        for sign in (Z, -Z):
            at.session.alter(
                f"altermod {m} {p} = {number(_moved(v, sign * step[models[m][0]], rows[models[m][0]].relative))}"
                for (m, p), v in zip(names, values.tolist(), strict=True)
            )
            at.currents(np.zeros(3))
            stored.append(_charges(at.session, len(nominal)))
            moved.append(_logs(at.on_grid(PLACES_OF_SHIFTS), is_log))
        at.session.alter(
            f"altermod {m} {p} = {number(v)}" for (m, p), v in zip(names, values.tolist(), strict=True)
        )
        up, down = moved
        first = ((up - down) / (2.0 * Z)) @ fit.T
        second = ((up + down - 2.0 * unmoved) / (2.0 * Z**2)) @ fit.T
        for k, variable in enumerate(found.process):
            share = np.array(
                [rows[d].per_sigma.get(variable, 0.0) / step[d] if d in rows else 0.0 for d in of_device]
            )[:, None]
            shift[k] += share * first
            curvature[k] += share**2 * second
            charged[k] += share[..., None] * (stored[0] - stored[1]) / (2.0 * Z)
    return shift, curvature, charged


def _moved(value: float, by: float, relative: bool) -> float:
    return value * (1.0 + by) if relative else value + by


def _by_parameters(pdk: Pdk, devices: set[str]) -> Iterator[tuple[tuple[str, ...], dict[str, ProcessRow]]]:
    """Gather the rows of a kit's process law by the parameters that they move; thresholds are left out."""
    gathered: dict[tuple[str, ...], dict[str, ProcessRow]] = {}
    for row in pdk.process:
        if row.device in devices and THRESHOLD not in row.parameters:
            gathered.setdefault(row.parameters, {})[row.device] = row
    yield from gathered.items()


def _threshold(x: Mos, pdk: Pdk, variable: str) -> float:
    """Give what one standard deviation of a variable adds to the model's threshold, V."""
    place = pdk.devices[x.device].bin(x.width, x.length)
    return sum(
        row.per_sigma.get(variable, 0.0)
        for row in pdk.process
        if row.device == x.device and THRESHOLD in row.parameters and (row.bins is None or place in row.bins)
    )
