"""Corners of process, temperature and supply."""

import numpy as np
import pytest

from lmu_analog import limits
from lmu_analog.analysis.corners import Axes, corners, one_at_a_time, worst
from lmu_analog.analysis.figures_of_merit import figures_of_merit
from lmu_analog.building import build
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output import corners as shown
from lmu_analog.simulation import simulate

BOARD = Design(
    order=4,
    theta="1 ms",
    bandwidth="400 Hz",
    opamp="OPA2192",
    technology="discrete",
    mismatch={
        "resistor": {"tolerance": "1 %", "lot": "2 %"},
        "capacitor": {"tolerance": "1 %", "lot": "5 %"},
        "opamp": "5 %",
    },
)


def test_the_typical_corner_is_the_nominal_circuit():
    found = corners(BOARD, axes=Axes(samples=0))
    name, place = one_at_a_time(found)[0]
    assert name == "typical"
    # The same system, once by its slow states: ten times what plan_reduction accepts of the response.
    assert float(place.window_nrmse) == pytest.approx(float(simulate(BOARD).window_nrmse), rel=1e-6)
    assert np.isnan(place.p95_nrmse)
    # One function, once on the slow states: 1e-9 of the response.
    assert float(place.effective_theta) == pytest.approx(figures_of_merit(BOARD).theta_eff, rel=1e-6)


def test_a_lot_of_resistors_or_capacitors_moves_theta_by_as_much():
    places = dict(one_at_a_time(corners(BOARD, axes=Axes(samples=0))))
    typical = float(places["typical"].effective_theta)
    for name, factor in {"resistor slow": 1.02, "resistor fast": 0.98, "capacitor slow": 1.05}.items():
        # R or C times a factor stretches time by it; the op-amps, 10 MHz against 400 Hz, do not: 1e-4.
        assert float(places[name].effective_theta) / typical == pytest.approx(factor, rel=3e-4)


def test_temperature_moves_theta_by_the_drifts_of_r_and_c():
    places = dict(one_at_a_time(corners(BOARD, axes=Axes(samples=0))))
    ratio = float(places["85 C"].effective_theta / places["typical"].effective_theta)
    # technologies.toml: thin film 25 ppm/K, C0G 30 ppm/K, over 58 K.
    assert ratio == pytest.approx((1 + 25e-6 * 58) * (1 + 30e-6 * 58), rel=3e-4)


def test_outputs_stay_as_far_from_the_rails_at_every_supply():
    found = corners(BOARD, axes=Axes(samples=0))
    typical = found.sel(resistor="typical", capacitor="typical").isel(temperature=1)
    # parts.toml: OPA2192 stays 95 mV from either rail. The circuit is linear: its peak is the same in volts.
    peak = (1.0 - typical.headroom) * (5.0 * typical.supply - 0.095)
    np.testing.assert_allclose(peak, peak[0], rtol=1e-12)
    circuit = build(BOARD)
    voltage = limits.worst(limits.demands(circuit, BOARD.stimulus))["output voltage"]
    assert float(peak[0]) == pytest.approx(abs(voltage.peak), rel=1e-9)
    assert float(typical.headroom.sel(supply=1.0)) == pytest.approx(1.0 - voltage.share, rel=1e-9)


def test_mismatch_makes_corners_worse_and_the_worst_is_a_crossed_one():
    found = corners(BOARD, axes=Axes(samples=20))
    assert (found.p95_nrmse >= found.median_nrmse).all()
    name, place = worst(found)
    assert name.startswith("resistor slow, capacitor slow, ")
    assert all(float(place.window_nrmse) >= float(at.window_nrmse) for _, at in one_at_a_time(found))
    assert (found.offset_rms > 0.0).all()
    assert (found.unstable == 0.0).all()
    assert found.sizes == {"resistor": 3, "capacitor": 3, "temperature": 3, "supply": 3}
    text = shown.text(shown.content(found))
    assert f"worst: {name}" in text
    assert "81 in all, 20 mismatched circuits" in text


def test_a_large_transconductance_is_the_fast_corner():
    chip = Design(
        order=3,
        theta="10 us",
        family="gm-c",
        mismatch={"transconductor": {"tolerance": "1 %", "lot": "10 %"}},
    )
    places = dict(one_at_a_time(corners(chip, axes=Axes(samples=0))))
    # All gm times 1.1 make time run 1.1 times as fast; three digits of the search are more than enough.
    assert float(places["transconductor fast"].effective_theta) == pytest.approx(10e-6 / 1.1, rel=1e-3)
    assert "no temperature corners" in shown.text(shown.content(corners(chip, axes=Axes(samples=0))))
    assert np.isnan(places["typical"].headroom)  # nothing that clips


def test_lots_come_from_the_technology_where_the_mismatch_is_silent():
    chip = Design(order=3, theta="10 us", family="gm-c", technology="ihp-sg13g2")
    assert corners(chip, axes=Axes(samples=0)).attrs["lot_capacitor"] == 0.10


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        (Axes(temperatures=(27.0,)), "temperatures lie from 200 to 500 K"),
        (Axes(supplies=(90.0,)), "supplies are fractions of the nominal one"),
        (Axes(samples=-1), "-1 samples a corner"),
        (Axes(temperatures=tuple(np.linspace(250, 350, 600))), "5400 corners; at most 5000"),
    ],
)
def test_bad_axes_are_refused(axes: Axes, message: str):
    with pytest.raises(DesignError, match=message):
        corners(BOARD, axes=axes)


def test_a_supply_that_leaves_no_swing_leaves_no_headroom():
    # LM358 stays 1.5 V from the positive rail: 0.1 V are left of 1.6 V, nothing of nine tenths of it.
    low = Design(order=2, theta="1 ms", bandwidth="200 Hz", amplitude="20 mV", opamp="LM358", supply="1.6 V")
    headroom = corners(low, axes=Axes(samples=0)).headroom.values.ravel()
    assert headroom[0] == -np.inf
    assert 0.0 < headroom[1] < headroom[2] < 1.0
