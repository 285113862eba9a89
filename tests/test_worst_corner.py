"""Errors that destabilise: the search against all corners, the bound against circuits below it."""

import itertools
from functools import cache

import numpy as np
import pytest
from scipy import linalg

from lmu_analog import Design, build, extract
from lmu_analog.circuits.circuit import Circuit, with_values
from lmu_analog.circuits.components import OpAmp
from lmu_analog.circuits.nodal.modes import Pencil, growths, pole_slopes
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.mismatch.law import Mismatch, columns, sample
from lmu_analog.spice import ngspice
from lmu_analog.spice.deck import Transient, deck
from lmu_analog.stimulus import Recording
from lmu_analog.theory.deviations import Box, common_box, tolerance_box
from lmu_analog.theory.stability_bound import feedback, stability_bound
from lmu_analog.theory.worst_corner import Corner, worst_corner

# What an independent search found; the demonstration's circuit is that of ``output.demo``.
FOUND = {
    "cap-feedforward": (
        Design(order=6, theta="1 ms", realization="cap-feedforward", opamp="OPA2192"),
        0.0816,
    ),
    "legendre": (
        Design(order=6, theta="1 ms", realization="legendre", opamp="OPA2192"),
        0.0666,
    ),
    "bus-ladder": (
        Design(order=5, theta="1 ms", realization="bus-ladder", opamp="OPA2192"),
        0.616,
    ),
    "demo": (
        Design(order=16, theta="60 ms", realization="cap-feedforward", capacitance="100 nF", opamp="OPA2192"),
        0.0419,
    ),
}


def growth_of(circuit: Circuit, values: np.ndarray) -> float:
    """Largest real part of the finite generalised eigenvalues of the stamped equations, 1/s, by QZ.

    QZ rounds by the largest number of the pencil, and conductances, capacitances and gains lie many decades apart. So
    rows and columns are brought to one size first, by powers of two: that rounds nothing and moves no eigenvalue.
    """
    found = stamp(circuit, Index(circuit), values[None])
    E, F = found.E[0] / circuit.theta, found.F[0]
    for _ in range(30):
        for axis in (1, 0):
            size = np.maximum(abs(E), abs(F)).max(axis=axis, keepdims=True)
            scale = np.exp2(-np.round(0.5 * np.log2(size)))
            E, F = E * scale, F * scale
    with np.errstate(divide="ignore", invalid="ignore"):
        poles = linalg.eig(F, E, right=False) / circuit.theta
    # Infinite eigenvalues come out as large as rounding lets them; op-amps end at 1e8 1/s.
    return float(poles[np.isfinite(poles) & (np.abs(poles) < 1e11)].real.max())


@cache
def corner_of(name: str) -> tuple[Circuit, Box, Corner]:
    circuit = build(FOUND[name][0])
    box = common_box(circuit)
    return circuit, box, worst_corner(circuit, box)


def at(box: Box, circuit: Circuit, size: float, z: np.ndarray) -> np.ndarray:
    return box.values(circuit.values, np.array([size]), z[None])[0]


@pytest.mark.parametrize("name", FOUND)
def test_the_corner_found_is_no_larger_than_the_one_known_and_there_the_circuit_turns_unstable(name: str):
    circuit, box, corner = corner_of(name)
    assert corner.size <= FOUND[name][1]
    assert set(corner.signs) <= {-1.0, 1.0}
    # The size is right to 1e-7; a hundred-thousandth of it moves the pole by 2e-5/theta or more, and QZ rounds it by
    # 3e-8/theta.
    assert growth_of(circuit, at(box, circuit, (1.0 - 1e-5) * corner.size, corner.signs)) < 0.0
    assert growth_of(circuit, at(box, circuit, (1.0 + 1e-5) * corner.size, corner.signs)) > 0.0


@pytest.mark.parametrize("realization", ["legendre", "bus-ladder", "ladder"])
def test_no_corner_of_a_small_circuit_is_worse_than_the_one_found(realization: str):
    circuit = build(Design(order=2, theta="1 ms", realization=realization, opamp="OPA2192"))
    box = common_box(circuit)
    corner = worst_corner(circuit, box)
    every = np.array(list(itertools.product((-1.0, 1.0), repeat=box.count)))
    assert len(every) <= 2**13

    def unstable(size: float) -> bool:
        values = box.values(circuit.values, np.full(len(every), size), every)
        return bool((extract(circuit, values).poles.real.max(axis=1) >= 0.0).any())

    assert unstable(1.0001 * corner.size)
    assert not any(unstable(share * corner.size) for share in (0.5, 0.9, 0.97, 0.999))


@pytest.mark.parametrize("name", FOUND)
def test_below_the_bound_no_random_errors_destabilise_and_it_is_a_quarter_of_the_corner(name: str):
    circuit, box, corner = corner_of(name)
    bound = stability_bound(circuit, box)
    assert bound.reason == "by a structured singular value"
    assert 0.25 * corner.size <= bound.size <= corner.size
    random = np.random.default_rng(0)
    z = np.concatenate(
        [random.choice([-1.0, 1.0], (300, box.count)), random.uniform(-1.0, 1.0, (100, box.count))]
    )
    z = np.concatenate([z, corner.signs[None]])
    values = box.values(circuit.values, np.full(len(z), bound.size), z)
    assert extract(circuit, values).poles.real.max() < 0.0


@pytest.mark.parametrize(
    "design",
    [
        Design(order=3, theta="1 ms", realization="cap-feedforward", opamp="TL072"),
        Design(order=3, family="passive-rlc"),
        Design(order=2, theta="1 ms", family="active-rc-differential", opamp="OPA2192"),
        Design(order=3, theta="1 us", family="gm-c", transconductor={"gain": "40 dB", "pole": "50 MHz"}),
    ],
    ids=lambda design: design.family,
)
def test_errors_are_a_feedback_around_the_nominal_circuit_exactly(design: Design):
    circuit = build(design)
    box = common_box(circuit)
    loop = feedback(circuit, box.parameter)
    errors = np.zeros(len(circuit.values))
    errors[box.parameter] = np.random.default_rng(1).uniform(-0.5, 0.5, box.count)
    found = stamp(circuit, Index(circuit), np.stack([circuit.values, circuit.values * (1.0 + errors)]))
    turned = np.array([p.component[0] == "R" for p in circuit.parameters])
    for w in (0.0, 0.3, 2.0, 30.0):
        s = 1j * w * loop.rate
        signs, logarithms = np.linalg.slogdet(s * found.E - found.F)
        ratio = signs[1] / signs[0] * np.exp(logarithms[1] - logarithms[0])
        # Of a resistance the loop is closed over (1 + e), by which the determinant is larger.
        ratio *= np.prod(1.0 + errors[turned])
        closed = np.linalg.det(np.eye(len(loop.D)) - errors[loop.parameter][:, None] * loop.at(w))
        assert closed == pytest.approx(ratio, rel=1e-7)  # node equations of 1e-9 to 1e8 are solved to 1e-9


@pytest.mark.parametrize("name", ["Cint_1", "Ra_2_1", "Ra_1_3"])
def test_of_one_error_the_bound_is_the_peak_of_its_loop(name: str):
    circuit = build(Design(order=4, theta="1 ms", realization="legendre", opamp="TL072"))
    k = [p.name for p in circuit.parameters].index(name)
    alone = Box(np.array([k]), np.zeros(1, int), np.ones(1), np.zeros(1, bool), 1)
    loop = feedback(circuit, np.array([k]))
    peak = max(abs(loop.at(w)[0, 0]) for w in np.geomspace(1e-3, 1e6, 5000))
    # 3 % are given away, and bands may raise the level by as much again.
    assert 0.94 / peak <= stability_bound(circuit, alone).size <= 1.0 / peak


@pytest.mark.ngspice
def test_in_ngspice_a_pulse_dies_out_below_the_corner_and_ends_at_the_rails_above():
    circuit = build(Design(order=3, theta="1 ms", realization="cap-feedforward", opamp="OPA2192"))
    box = common_box(circuit)
    corner = worst_corner(circuit, box)
    pulse = Recording(5e-5, 2e-3 * np.sin(np.pi * np.linspace(0.0, 1.0, 21)))
    ends = []
    for share in (0.85, 1.15):
        values = at(box, circuit, share * corner.size, corner.signs)
        analysis = Transient(stop=8.0 / abs(growth_of(circuit, values)), step=2e-5)  # e^8 is 3000
        found = ngspice.run(deck(with_values(circuit, values), analysis, pulse), analysis)
        late = found["time"] > 0.9 * analysis.stop
        ends.append(max(np.abs(found[net][late]).max() for net in found if net.startswith("v(x")))
    (swing,) = {c.model.swing for c in circuit.components if isinstance(c, OpAmp)}
    assert ends[0] < 2e-4  # a tenth of the pulse; offsets are nominally zero
    assert ends[1] > 0.95 * swing


def test_slopes_of_the_rightmost_pole_are_those_of_small_steps():
    circuit = build(Design(order=4, theta="1 ms", realization="legendre", opamp="TL072"))
    random = np.random.default_rng(2)
    values = circuit.values * (1.0 + 0.1 * random.standard_normal((2, len(circuit.values))))
    pencil = Pencil.of(circuit)
    _, slopes = pole_slopes(pencil, values)
    step = 1e-4 * np.eye(len(circuit.values))
    sides = [
        growths(pencil, (values[:, None] * (1.0 + sign * step)).reshape(-1, len(step)))
        for sign in (1.0, -1.0)
    ]
    quotients = (sides[0] - sides[1]).reshape(2, -1) / 2e-4
    # Third derivatives of 1e4 1/s times the square of the step, and poles of 1e8 1/s are right to 1e-8 1/s.
    np.testing.assert_allclose(slopes[:, 0].real, quotients, rtol=1e-5, atol=2e-3)


def test_all_of_a_class_together_change_only_the_time():
    lots = {name: {"lot": "30 %", "tolerance": "0 %"} for name in ("resistor", "capacitor")}
    design = Design(order=6, theta="1 ms", mismatch=lots)
    circuit = build(design)
    box = tolerance_box(circuit, Mismatch.of(design))
    assert box.count == 2
    assert worst_corner(circuit, box) is None


@pytest.mark.parametrize("distribution", ["gauss3", "uniform"])
def test_size_one_of_the_tolerances_is_where_the_law_ends(distribution: str):
    both = {"tolerance": "2 %", "lot": "5 %", "distribution": distribution}
    design = Design(
        order=3,
        theta="1 ms",
        opamp="TL072",
        mismatch={"resistor": {**both, "scale": "units"}, "capacitor": both, "opamp": "20 %"},
        without="Cint_1",
    )
    circuit, law = build(design), Mismatch.of(design)
    box = tolerance_box(circuit, law)
    up = at(box, circuit, 1.0, np.ones(box.count))
    drawn = sample(circuit, law, np.full((1, len(columns(circuit, law))), 30.0))[
        0
    ]  # 30 sigma: truncated, or 1
    moved = np.array([not p.name.endswith("offset") for p in circuit.parameters])
    np.testing.assert_allclose(up[moved], drawn[moved], rtol=1e-9)


def test_every_class_counts_against_its_own_tolerance():
    design = Design(
        order=6,
        theta="1 ms",
        realization="legendre",
        opamp="OPA2192",
        mismatch={"resistor": "1 %", "capacitor": "1 %", "opamp": "20 %"},
    )
    circuit = build(design)
    box = tolerance_box(circuit, Mismatch.of(design))
    # The op-amps' 20 % are a hundredth of what it takes: 1 % parts decide, and they are far from it.
    assert stability_bound(circuit, box).size > 1.0
    corner = worst_corner(circuit, box)
    assert corner.size > 1.0
    assert growth_of(circuit, at(box, circuit, 1.001 * corner.size, corner.signs)) > 0.0
    wide = design.replace(mismatch={"resistor": "10 %", "capacitor": "1 %"})
    assert worst_corner(circuit, tolerance_box(circuit, Mismatch.of(wide))).size < 1.0


def test_resistors_inductors_and_capacitors_alone_are_stable_whatever_their_values():
    circuit = build(Design(order=6, family="passive-rlc"))
    box = common_box(circuit)
    assert worst_corner(circuit, box) is None
    assert stability_bound(circuit, box).size == box.most


def test_what_has_no_bound_says_why():
    circuit = build(Design(order=3, family="switched-capacitor"))
    bound = stability_bound(circuit, common_box(circuit))
    assert (bound.size, bound.reason) == (None, "not computed of sampled circuits")
