"""Linear ranges of transconductors, and cells that are chosen from what a memory must do."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from lmu_analog.building import build
from lmu_analog.circuits.devices.pdk import find_pdk, pdk
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.choosing import OFFSET, SHARE, busiest, chosen, tables_for
from lmu_analog.silicon.devices import SiliconCircuit
from lmu_analog.silicon.linear_range import MAXIMALLY_FLAT, cell_of, curve, harmonics, reach, swept
from lmu_analog.silicon.memory import plan, transistors
from tests.kits import needs_gf180

SLOPE = 0.035  # V: n U_T
# V_GS over the logarithm of the inversion coefficient, of an ideal device in weak inversion.
EXPONENTIAL = CubicSpline(np.linspace(-60.0, 60.0, 3), SLOPE * np.linspace(-60.0, 60.0, 3))
# The same in strong inversion: current goes with the square of the overdrive, of 2 SLOPE at coefficient 1.
LEVELS = np.linspace(-8.0, 8.0, 400)
SQUARE = CubicSpline(LEVELS, 2.0 * SLOPE * np.exp(0.5 * LEVELS))
SIZING = Sizing(6e-12, 0.0539, 4.285, 45e-6, 45e-6, 45e-6, 45e-6)


def test_a_pair_in_weak_inversion_is_a_tanh_and_a_doublet_what_gilbert_says() -> None:
    v, i = curve(EXPONENTIAL, 0.01, 1.0)
    np.testing.assert_allclose(i, np.tanh(v / SLOPE / 2.0), atol=1e-6)
    y, i = curve(EXPONENTIAL, 0.01, MAXIMALLY_FLAT)
    near = np.abs(y) < 8.0 * SLOPE  # the spline through its points is coarser at the ends
    expected = np.sinh(y / SLOPE) / (2.0 + np.cosh(y / SLOPE))
    np.testing.assert_allclose(i[near], expected[near], atol=1e-5)
    # Of the currents of one side, whose slope is 1/(n U_T) for a plain pair and 2/3 of it here.
    assert cell_of(EXPONENTIAL, 0.01, 1.0).efficiency == pytest.approx(1.0 / SLOPE, rel=1e-4)
    assert cell_of(EXPONENTIAL, 0.01, MAXIMALLY_FLAT).efficiency == pytest.approx(2.0 / 3.0 / SLOPE, rel=1e-4)


def test_linear_ranges_are_those_of_the_first_harmonics() -> None:
    # tanh(x): third harmonic x^2/12 of the first. The doublet: y (1 - y^4/180)/3, whose third is y^4/576.
    assert cell_of(EXPONENTIAL, 0.01, 1.0).linear == pytest.approx(2.0 * SLOPE * 0.12**0.5, rel=0.04)
    flat = cell_of(EXPONENTIAL, 0.01, MAXIMALLY_FLAT).linear
    assert flat == pytest.approx(SLOPE * 5.76**0.25, rel=0.2)  # the next terms are no longer small
    assert cell_of(EXPONENTIAL, 0.01, 5.0).linear > 1.3 * flat
    # A square law: third harmonic v^2/(32 V_ov^2), with the overdrive at the current of one side.
    strong = cell_of(SQUARE, 25.0, 1.0).linear
    assert strong == pytest.approx(10.0 * SLOPE * 0.32**0.5, rel=0.08)


def test_distortion_is_that_of_a_known_curve() -> None:
    v = np.linspace(-1.0, 1.0, 401)
    # sin^3 = (3 sin - sin of three times)/4.
    third = 0.2 * 0.25 * 0.25
    found = harmonics(v, v + 0.2 * v**3, np.array([0.5, 1.5]))
    assert found[0] == pytest.approx(third / (1.0 + 3.0 * third), rel=1e-6)
    assert np.isnan(found[1])
    assert reach(v, v + 0.2 * v**3, distortion=float(found[0])) == pytest.approx(0.5, rel=2e-3)


def test_a_doublet_has_the_width_of_a_pair_in_two_crossed_ones() -> None:
    circuit = build(Design(order=2, theta=1e-4, family="gm-c", realization="ladder", bandwidth=3e3))
    wanted = plan(circuit, SIZING.capacitance, 300.0 * np.arange(1, 11))
    plain, doublet = (
        transistors(wanted, replace(SIZING, doublet=ratio, least_width=0.22e-6), pdk("gf180mcu"))
        for ratio in (1.0, 5.0)
    )

    def strength(drawn: SiliconCircuit, name: str) -> float:
        chain = [m for m in drawn.transistors if m.name.rstrip("0123456789") == name]
        return 1.0 / sum(m.length / (m.count * m.width) for m in chain)

    name = wanted.amplifiers[0].name
    whole = strength(plain, f"{name}.a")
    wide, narrow = strength(doublet, f"{name}.a"), strength(doublet, f"{name}.b")
    # Sizes move by 1 % where they would lie on the edge of a bin.
    assert wide + narrow == pytest.approx(whole, rel=0.02)
    assert wide / narrow == pytest.approx(5.0, rel=0.02)
    by_name = {m.name.rstrip("0123456789"): m for m in doublet.transistors}
    # Crossed: each side has the wide device of one pair and the narrow one of the other, at its own tail.
    assert by_name[f"{name}.a"].gate == by_name[f"{name}.c"].gate != by_name[f"{name}.d"].gate
    assert strength(doublet, f"{name}.d") == pytest.approx(wide, rel=0.02)
    assert strength(doublet, f"{name}.t") == pytest.approx(0.5 * strength(plain, f"{name}.t"), rel=0.02)
    assert by_name[f"{name}.a"].source != by_name[f"{name}.c"].source


def memory(theta: float):
    frequency = 0.03 / theta * np.arange(1, 11)
    return (
        build(Design(order=3, theta=theta, family="gm-c", realization="ladder", bandwidth=0.3 / theta)),
        frequency,
    )


@needs_gf180
def test_cells_are_chosen_by_what_a_memory_asks_and_do_it_in_ngspice() -> None:
    kit = find_pdk("gf180mcu")
    tables = tables_for(kit)
    for theta, amplitude in ((1e-6, 0.2), (1e-2, 0.1)):
        circuit, frequency = memory(theta)
        found = chosen(circuit, tables, frequency, amplitude=amplitude)
        sizing, wanted = found.sizing, plan(circuit, found.sizing.capacitance, frequency)
        assert found.share <= SHARE
        assert (found.sizing.doublet > 1.0) == (theta > 1e-3)
        assert found.offset <= 1.05 * OFFSET * amplitude
        # Gates of one side as a part of the busiest state, from widths, lengths and the oxide of 7.9 nm: in strong
        # inversion two thirds of it and the overlap, in weak a third or so.
        area = busiest(wanted) * sizing.capacitance * sizing.width_per_siemens * sizing.pair
        assert 0.2 < found.share * sizing.capacitance / (4.4e-3 * area) < 0.9
        g = float(np.median(wanted.conductance))
        v, i = swept(sizing, kit, conductance=g)
        middle = len(v) // 2
        slope = (i[middle + 1] - i[middle - 1]) / (v[middle + 1] - v[middle - 1])
        # Tables are of a device of another width, and mirrors are not exact; predistortion takes up the rest.
        assert slope == pytest.approx(g, rel=0.08)
        assert reach(v, i) > 0.95 * amplitude


@needs_gf180
def test_what_no_cell_can_do_is_refused_in_a_line() -> None:
    tables = tables_for(find_pdk("gf180mcu"))
    circuit, frequency = memory(1e-8)
    with pytest.raises(
        DesignError, match=r"is fast enough: gates of 1.3 um would be \d+ % .*; give a longer theta"
    ):
        chosen(circuit, tables, frequency, amplitude=0.2)
    circuit, frequency = memory(1e-3)
    with pytest.raises(DesignError, match="linear to 2 V .*; give a smaller amplitude"):
        chosen(circuit, tables, frequency, amplitude=2.0)
    with pytest.raises(DesignError, match=r"\[circuit\] supply: 1.8 V; pairs .* need \d.\d+ V"):
        chosen(circuit, tables, frequency, amplitude=0.1, supply=1.8)
