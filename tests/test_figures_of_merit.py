"""Figures of merit, each against what follows from another way to it."""

import numpy as np
import pytest
from scipy import signal

from lmu_analog import Design, build, extract
from lmu_analog.analysis.figures_of_merit import figures_of_merit
from lmu_analog.memory.statespace import growth
from lmu_analog.memory.window import QUADRATURE, readout


def test_capacitors_that_drift_stretch_the_window():
    cold = Design(order=6, theta="1 ms", drift={"capacitor": {"tc1": "1000 ppm"}}, temperature=300.15)
    warm = cold.replace(temperature=310.15)
    found = [figures_of_merit(d) for d in (cold, warm)]
    # All time constants grow by 1 %; the best fit follows but for truncation's curvature.
    assert found[1].theta_eff / found[0].theta_eff == pytest.approx(1.01, rel=1e-4)
    assert found[1].growth / found[0].growth == pytest.approx(1.0 / 1.01, rel=1e-9)


def test_headroom_is_what_the_design_leaves_and_slew_is_what_a_sine_asks():
    opamp = {"gain": "120 dB", "gbw": "1 GHz", "slew": "1 V/us"}
    design = Design(order=6, theta="1 ms", family="active-rc-differential", opamp=opamp)
    found = figures_of_merit(design)
    # Each of two outputs swings as a single-ended one would: the design's 30 % of headroom.
    assert found.swing in (pytest.approx(3.5, rel=1e-3), pytest.approx(1.75, rel=1e-3))
    assert found.headroom == pytest.approx(1.0 - found.swing / 5.0, rel=1e-9)
    fastest = 2.0 * np.pi * design.bandwidth * found.swing
    # The limit is the difference's, as in the deck, and that moves twice as fast.
    assert found.slew_margin >= 0.5e6 / fastest * (1.0 - 1e-9)
    assert found.current_margin is None  # not given
    single = figures_of_merit(design.replace(family="active-rc"))
    assert single.slew_margin >= 1e6 / (2.0 * np.pi * design.bandwidth * single.swing) * (1.0 - 1e-9)


def test_figures_of_merit_list_what_the_signal_asks_and_the_current_that_a_sine_needs():
    design = Design(order=6, theta="100 us", capacitance="100 nF", opamp="OPA1612", realization="legendre")
    found = figures_of_merit(design)
    first = found.limits[0]
    assert (first.element, first.quantity, first.limit) == ("Uint_1", "output current", 0.055)
    assert first.peak == pytest.approx(0.259, abs=5e-4)
    # No multitone of the band asks for more than the worst sine of its peak by much; both are far beyond 55 mA.
    assert 0.055 / 0.6 < found.current_margin < 0.055 / 0.2


def test_settling_is_that_of_the_step_response():
    design = Design(order=4, theta="1 ms")
    system = extract(build(design))
    times = np.linspace(0.0, 10e-3, 20001)
    _, states, _ = signal.lsim((system.A, system.B, system.C, system.D), np.ones_like(times), times)
    away = (states - states[-1]) @ readout(4, QUADRATURE.r).T
    late = times[np.sqrt(away**2 @ QUADRATURE.weight) > 1e-3].max()
    assert figures_of_merit(design).settling == pytest.approx(late, abs=6e-6)  # a step of theta/200


def test_third_order_distortion_falls_with_the_square_of_the_range():
    def thd(limit: float) -> float | None:
        ota = {"gain": "60 dB", "limit": limit}
        return figures_of_merit(
            Design(order=3, theta="1 us", family="gm-c", realization="legendre", transconductor=ota)
        ).thd

    # The circuit is scaled to the supply, far below either range; fifth order is 1e-3 of third.
    assert thd(100.0) / thd(200.0) == pytest.approx(4.0, rel=0.01)


def test_op_amps_distort_beyond_the_knee_of_their_swing_and_not_at_all_below():
    opamp = {"gain": "80 dB", "gbw": "30 kHz", "rail": "4 V"}
    design = Design(
        order=3, theta="1 ms", family="active-rc-differential", realization="legendre", opamp=opamp
    )
    thd = [figures_of_merit(design.replace(headroom=headroom)).thd for headroom in (0.1, 0.02)]
    assert thd[0] == 0.0
    assert thd[1] > 1e-6


def test_no_positive_values_make_the_passive_ladder_unstable():
    found = figures_of_merit(Design(order=6, family="passive-rlc"))
    assert found.single_error is found.worst_corner is None
    assert found.worst_corner_searched == found.worst_corner_bound == 0.99


def test_the_least_single_error_is_the_least_of_all():
    design = Design(order=6)
    circuit, found = build(design), figures_of_merit(design)
    single = found.single_error
    assert found.worst_corner_bound < found.worst_corner < single < 1.0
    assert found.joint_error == found.worst_corner

    def unstable(size: float) -> bool:
        errors = np.concatenate([size * np.eye(len(circuit.values)), -size * np.eye(len(circuit.values))])
        return bool((growth(extract(circuit, circuit.values * (1.0 + errors))) >= 0.0).any())

    assert unstable(single * 1.001)  # found by halving, to 1e-7
    assert not any(unstable(size) for size in np.linspace(0.02, 0.999, 40) * single)


def test_figures_that_a_family_lacks_are_none():
    found = figures_of_merit(Design(order=3, family="switched-capacitor"))
    assert found.settling is found.single_error is found.worst_corner is found.thd is None
    assert found.worst_corner_bound_reason == "not computed of sampled circuits"
    assert found.growth < 0.0
