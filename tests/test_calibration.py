"""Calibration: the published table at coefficient level, and what it wins back of real circuits."""

import math

import numpy as np
import pytest

from lmu_analog.analysis.calibration import calibrate
from lmu_analog.analysis.coefficients import calibrated_errors
from lmu_analog.analysis.device_under_calibration import (
    circuit_device,
    coefficient_device,
    excitation,
    power_error,
    responses,
)
from lmu_analog.analysis.readouts import ensemble_rows, fitted_rows, ideal_rows
from lmu_analog.analysis.recipes import Settings, compensated
from lmu_analog.analysis.trims import Knobs, importance, most_useful, quantised, trimmed
from lmu_analog.building import build
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.design import Design
from lmu_analog.ensembles.montecarlo import monte_carlo
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import realize
from lmu_analog.mismatch.law import Mismatch, draw, sample
from lmu_analog.output import calibration as shown
from lmu_analog.theory.coefficients import first_order_added_error

BAND = 17.3 / (
    2 * math.pi
)  # docs/reference-figures.md, definitions: where the ideal memory of order 12 is 1 % wrong
# docs/reference-figures.md, calibration: median total error in % of 200 circuits, order 12, at 1 %.
TABLE = {
    "cap-feedforward": {
        "nominal": 3.6,
        "theta": 3.1,
        "exact-k": 1.9,
        "trim": 1.4,
        "readout": 0.9,
        "dac": 1.14,
    },
    "ladder": {"nominal": 3.6, "theta": 3.3, "exact-k": 2.4, "trim": 1.3, "readout": 1.2, "dac": 1.12},
}
RC = Design(
    order=4,
    theta="1 ms",
    bandwidth="400 Hz",
    opamp="OPA2192",
    mismatch={"resistor": "2 %", "capacitor": "2 %", "opamp": "5 %"},
)
SYNAPSES = Design(
    order=4,
    theta="1 ms",
    bandwidth="400 Hz",
    family="rc-synapse",
    realization="principle3",
    mismatch={"tau": {"tolerance": "30 %", "distribution": "lognormal"}},
)


@pytest.mark.parametrize("name", TABLE)
def test_medians_are_those_of_the_published_table(name: str):
    errors = calibrated_errors(realize(legendre(12), name), bandwidth=BAND, sigma=0.01, samples=100)
    for method, published in TABLE[name].items():
        # The scatter of such a median is 2 to 4 % (benchmarks/results/calibration.json): 10 % is two and a
        # half of that on either side, and half a digit of the table.
        assert 100 * np.median(errors[method]) == pytest.approx(published, rel=0.10, abs=0.05)


def test_a_fitted_readout_of_the_ideal_memory_is_no_worse_than_legendre_polynomials():
    device = coefficient_device(realize(legendre(6), "legendre"))
    given = excitation(6, 6.46 / (2 * math.pi), theta=1.0)
    states = responses(device, device.nominal[None], given.frequency)
    fitted = power_error(states, given, 1.0, rows=fitted_rows(states, given, 1.0))
    ideal = power_error(states, given, 1.0, rows=ideal_rows(6, given))
    assert ideal[0] == pytest.approx(0.01, rel=0.01)  # the 1 % band, three digits of 6.46
    assert fitted[0] < ideal[0]


def test_a_readout_of_one_circuit_is_that_of_an_ensemble_of_one():
    device = coefficient_device(realize(legendre(3), "ladder"))
    given = excitation(3, 0.2, theta=1.0)
    states = responses(device, device.nominal[None], given.frequency)
    np.testing.assert_allclose(
        fitted_rows(states, given, 1.0)[0], ensemble_rows(states, given, 1.0), rtol=1e-12
    )


def test_importance_adds_up_to_first_order_theory():
    realization = realize(legendre(6), "cap-feedforward")
    device = coefficient_device(realization)
    spread = np.where(device.rates, 0.0, 1.0)
    alone = importance(device, excitation(6, 1.0, theta=1.0), spread)
    # Differences of steps of 1e-6 against the adjoint; both quadratures are exact to rounding.
    assert np.linalg.norm(alone) == pytest.approx(
        first_order_added_error(realization, bandwidth=1.0), rel=1e-4
    )


def test_knobs_on_every_deviating_element_bring_the_nominal_response_back():
    device = circuit_device(RC.replace(mismatch={"capacitor": "5 %"}))
    given = excitation(4, RC.bandwidth, theta=RC.theta)
    chosen = np.flatnonzero(device.rates)
    knobs = Knobs.on(chosen, len(device.nominal))
    values = device.nominal * np.where(device.rates, 1.0 + 0.05 * np.cos(np.arange(len(device.nominal))), 1.0)
    back = knobs.turn(values[None], trimmed(device, values[None], knobs, given=given))
    far = responses(device, values[None], given.frequency)
    near, nominal = (responses(device, v, given.frequency) for v in (back, device.nominal[None]))
    # Gauss-Newton of six rounds from 5 %: what is left is damping, thousands of times below the start.
    assert np.abs(near - nominal).max() < 1e-3 * np.abs(far - nominal).max()


def test_two_elements_that_do_the_same_get_one_knob():
    device, given = circuit_device(RC), excitation(4, RC.bandwidth, theta=RC.theta)
    spread = np.array([0.01 if name.startswith("Rinv") else 0.0 for name in device.names])
    chosen = [device.names[k] for k in most_useful(device, given, spread, count=99)]
    inverters = [name.rpartition("_")[0] for name in chosen]
    assert sorted(inverters) == sorted({n.rpartition("_")[0] for n in device.names if n.startswith("Rinv")})


def test_converters_round_to_the_middle_of_their_steps_and_clip():
    sigma = np.array([1.0, 0.0])
    wanted = np.array([[0.1, 0.1], [-0.1, 0.0], [3.9, 0.0], [40.0, 0.0], [-40.0, 0.0]])
    # 16 levels over +-4 sigma: steps of half a sigma, the outermost at 3.75.
    np.testing.assert_allclose(quantised(wanted, sigma, 4)[:, 0], [0.25, -0.25, 3.75, 3.75, -3.75])
    assert not quantised(wanted, sigma, 4)[:, 1].any()


def test_without_calibration_the_circuits_are_those_of_monte_carlo():
    found = calibrate(RC, 20, 3, methods=("readout",))
    run = monte_carlo(RC, 20, 3)
    # The same circuits by the same states; only the order of sums differs.
    np.testing.assert_allclose(found.window_nrmse.sel(calibration="nominal"), run.window_nrmse, rtol=1e-7)


def test_calibration_wins_on_another_input_and_at_another_temperature():
    warm = RC.replace(temperature="85 C", technology="discrete", nrmse="2 %")
    found = calibrate(warm, 20)
    median = found.median("sample")
    assert list(found.calibration.values) == [
        "nominal",
        "readout",
        "ensemble",
        "theta",
        "trim",
        "exact-k",
        "dac",
    ]
    for method in ("readout", "theta", "trim", "dac"):
        assert median.window_nrmse.sel(calibration=method) < median.window_nrmse.sel(calibration="nominal")
        assert median.drifted_nrmse.sel(calibration=method) < median.drifted_nrmse.sel(calibration="nominal")
    methods = shown.content(found, warm.nrmse)["methods"]
    assert methods["readout"]["yield"]["value"] > methods["nominal"]["yield"]["value"]
    assert "85 C" in shown.text(shown.content(found, warm.nrmse))
    # The same parts at 27 C: nothing drifts.
    cold = calibrate(RC, 20, methods=("theta",))
    assert np.isnan(cold.drifted_nrmse).all()
    np.testing.assert_allclose(cold.window_nrmse[1], found.window_nrmse.sel(calibration="theta"), rtol=1e-12)


def test_more_bits_leave_less():
    left = [
        float(calibrate(RC, 20, methods=("dac",), settings=Settings(bits=bits)).fitted_nrmse[1].median())
        for bits in (2, 4, 8)
    ]
    assert left[0] > left[1] > left[2]


def test_weights_computed_from_measured_taus_are_exact():
    circuit = build(SYNAPSES)
    law = Mismatch.of(SYNAPSES)
    values = sample(circuit, law, draw(circuit, law, seed=0, samples=range(5)))
    assert np.abs(values / circuit.values - 1.0).max() > 0.2
    ideal, back = extract(circuit), extract(circuit, compensated(circuit, values))
    for k in range(5):  # rounding alone: x' = A x + b u holds for any tau
        np.testing.assert_allclose(back.A[k], ideal.A, rtol=1e-10, atol=1e-10 * np.abs(ideal.A).max())
        np.testing.assert_allclose(back.B[k], ideal.B, rtol=1e-10)


def test_tau_compensation_is_offered_where_it_is_possible():
    found = calibrate(SYNAPSES, 10)
    exact = found.fitted_nrmse.sel(calibration="tau")
    assert np.ptp(exact.values) < 1e-9  # all circuits have the nominal one's error
    assert exact[0] < found.fitted_nrmse.sel(calibration="nominal").median()
    units = SYNAPSES.replace(realization="unit-weight")
    assert "tau" not in calibrate(units, 5).calibration
    with pytest.raises(
        DesignError, match="calibration tau: unit-weight has synapses without a weight onto themselves"
    ):
        calibrate(units, 5, methods=("tau",))
    with pytest.raises(DesignError, match="calibration tau: weights that can be set are wanted"):
        calibrate(RC, 5, methods=("tau",))


@pytest.mark.parametrize(
    ("design", "samples", "settings", "message"),
    [
        (RC.replace(mismatch={}), 5, Settings(), "no mismatch, so nothing to calibrate"),
        (RC, 0, Settings(), "0 samples; a whole number from 1 to 10000"),
        (RC, 5, Settings(bits=17), "17 bits; 1 to 16 are accepted"),
        (RC, 5, Settings(elements=0), "0 elements; 1 to 1000 are accepted"),
    ],
)
def test_bad_input_is_refused(design: Design, samples: int, settings: Settings, message: str):
    with pytest.raises(DesignError, match=message):
        calibrate(design, samples, settings=settings)


def test_a_clocked_circuit_has_no_knob_of_theta():
    clocked = Design(
        order=3, theta="1 ms", bandwidth="200 Hz", family="switched-capacitor", mismatch={"capacitor": "1 %"}
    )
    with pytest.raises(DesignError, match="theta comes from the clock"):
        calibrate(clocked, 5, methods=("theta",))
    found = calibrate(clocked, 5)
    assert "theta" not in found.calibration
    assert (
        found.fitted_nrmse.sel(calibration="dac").median()
        < found.fitted_nrmse.sel(calibration="nominal").median()
    )
