"""Harmonic balance against an integrator in time, on circuits small enough to write their equations by hand."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, INPUT, Capacitor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.models import OpAmpModel, OtaModel
from lmu_analog.circuits.nodal.extract import probe_rows
from lmu_analog.circuits.nodal.saturation import limits
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.ensembles.balance import SETTLED, Balance, Drive, balance
from lmu_analog.simulation import grid, ngspice_states
from lmu_analog.stimulus import sine

RATE = 2 * np.pi * 1e3
PERIODS = 12


def solve(circuit: Circuit, *, amplitude: float, highest: int, values: np.ndarray | None = None) -> Balance:
    index = Index(circuit)
    values = circuit.values[None] if values is None else values
    drive = Drive(RATE, np.array([1]), np.array([-1j * amplitude]), highest)  # amplitude sin(RATE t)
    limited = limits(circuit, index, values)
    return balance(stamp(circuit, index, values), limited, probe_rows(circuit, index), drive=drive)


def coefficients(slope, start: np.ndarray, output, *, highest: int) -> np.ndarray:
    """Integrate x' = slope(t, x) until it repeats, and give the output's coefficients at 0 .. highest."""
    period = 2 * np.pi / RATE
    times = (PERIODS - 1 + np.arange(1024) / 1024) * period
    run = solve_ivp(slope, (0.0, PERIODS * period), start, "DOP853", times, rtol=1e-10, atol=1e-12)
    return np.fft.rfft(output(run.y), norm="forward")[: highest + 1]


def inverter(model: OpAmpModel) -> Circuit:
    parts = (
        Resistor("Rin", INPUT, "g", 1e3, "input"),
        Resistor("Rfb", "g", "out", 2e3, "feedback"),
        OpAmp("U1", GROUND, "g", "out", model, "inverter"),
    )
    return Circuit("active-rc", "none", 1e-3, parts, ((Term("v", "out", 1.0),),))


def limited(x, limit: float):
    """Linear to 0.95 of the limit, and beyond it the last twentieth times a tanh: an op-amp's law."""
    if np.isinf(limit):
        return x
    over = np.maximum(np.abs(x) / limit - 0.95, 0.0)
    return np.where(over > 0.0, np.sign(x) * limit * (0.95 + 0.05 * np.tanh(over / 0.05)), x)


# The knee of a law makes harmonics fall by k^-4 at first: 96 of them, where a smooth law needs 24.
FINE = 96


@pytest.mark.parametrize(
    ("rail", "slew", "amplitude"), [(1.0, np.inf, 0.492), (np.inf, 4e3, 0.272), (1.0, 7e3, 0.488)]
)
def test_a_saturating_inverter_is_that_of_its_differential_equation(rail, slew, amplitude):
    gain, gbw, offset = 50.0, 30e3, 0.02
    w_t = 2 * np.pi * gbw

    def slope(t, x):
        e = -(2.0 * amplitude * np.sin(RATE * t) + limited(x, rail)) / 3.0 + offset
        return w_t * (limited(e, slew / w_t) - x / gain)

    expected = coefficients(slope, np.zeros(1), lambda y: limited(y[0], rail), highest=FINE)
    model = OpAmpModel("op", gain=gain, gbw=gbw, slew=slew, rail=rail, offset=offset)
    found = solve(inverter(model), amplitude=amplitude, highest=FINE)
    assert found.residual[0] <= SETTLED
    assert 0.97 < found.share[0] < 1.0  # beyond the knee
    # 3e-8: the integrator's 1e-10 over 12 periods, and the fixed point's 1e-7 times how it contracts (below .3).
    np.testing.assert_allclose(found.outputs[0, :, 0], expected, atol=3e-8)
    assert np.abs(expected[3]) > 1e-5


@pytest.mark.ngspice
@pytest.mark.parametrize(
    ("ends", "slew", "amplitude"),
    [
        ((-1.0, 1.0), np.inf, 0.492),
        ((-np.inf, np.inf), 4e3, 0.272),
        ((-1.0, 1.0), 7e3, 0.488),
        ((-2.0, 1.0), np.inf, 0.492),  # farther one way
    ],
)
def test_the_deck_has_the_same_law(ends, slew, amplitude):
    low, high = ends
    model = OpAmpModel("op", gain=50.0, gbw=30e3, slew=slew, rail=high, lowest=low, offset=0.02)
    circuit, tone = inverter(model), sine(1e3, amplitude)
    evaluation_grid = grid(tone, circuit.theta)
    states = ngspice_states(circuit, evaluation_grid, settle=16e-3)[:, 0]
    theirs = np.fft.rfft(states, norm="forward")[:30]
    ours = solve(circuit, amplitude=amplitude, highest=FINE).outputs[0, :30, 0]
    # 5e-7: ngspice's step, of which half leaves a quarter (here up to 2.8e-7); the distortion is 100 times that.
    np.testing.assert_allclose(theirs[2:], ours[2:], atol=5e-7)
    assert np.abs(ours[3]) > 1e-5


def test_a_saturating_ota_filter_is_that_of_its_differential_equation():
    g, c, limit, amplitude = 1e-6, 1e-10, 0.1, 0.12
    model = OtaModel("ota", limit=limit)
    parts = (
        Transconductor("Gin", "x", INPUT, GROUND, g, "input", model=model),
        Transconductor("Gload", "x", GROUND, "x", g, "load", model=model),
        Capacitor("C1", "x", GROUND, c, "state"),
    )
    circuit = Circuit("gm-c", "none", 1e-3, parts, ((Term("v", "x", 1.0),),))

    def slope(t, x):
        return g * limit / c * (np.tanh(amplitude * np.sin(RATE * t) / limit) - np.tanh(x / limit))

    expected = coefficients(slope, np.zeros(1), lambda y: y[0], highest=40)
    found = solve(circuit, amplitude=amplitude, highest=40)
    assert found.residual[0] <= SETTLED
    # As above; relative to 0.12 V.
    np.testing.assert_allclose(found.outputs[0, :, 0], expected, atol=3e-9)
    assert np.abs(expected[3]) > 0.01 * amplitude


def test_what_is_left_out_is_estimated_before_it_hurts():
    model = OpAmpModel("op", gain=50.0, gbw=30e3, rail=1.0)
    fine = solve(inverter(model), amplitude=0.52, highest=FINE)
    errors, estimates = [], []
    for highest in (3, 5, 9, 15):
        found = solve(inverter(model), amplitude=0.52, highest=highest)
        missed = np.abs(fine.outputs[0, highest + 1 :, 0])
        errors.append(np.sqrt(2.0 * np.sum(missed**2)))
        estimates.append(found.left_out[0, 0])
    # The response falls above the highest harmonic, so the estimate is large by some factor, never small by 2.
    assert all(0.5 * error < estimate < 30 * error for error, estimate in zip(errors, estimates, strict=True))
    assert fine.left_out[0, 0] < 1e-6  # a hundredth of the smallest of them


def test_clipping_is_seen():
    model = OpAmpModel("op", gain=1e5, gbw=1e6, rail=1.0)
    found = solve(inverter(model), amplitude=0.6, highest=32)  # asks for 1.2 V
    assert found.share[0] > 0.99 or found.residual[0] > SETTLED


def test_a_sample_does_not_depend_on_its_neighbours():
    model = OpAmpModel("op", gain=1e3, gbw=1e5, rail=1.0)
    circuit = inverter(model)
    values = circuit.values * np.array([[1.0], [1.1], [0.5]]) ** np.array([1.0, -1.0, 0.0, 0.0])
    together = solve(circuit, amplitude=0.35, highest=16, values=values)
    for k in range(3):
        alone = solve(circuit, amplitude=0.35, highest=16, values=values[k : k + 1])
        np.testing.assert_array_equal(alone.outputs[0], together.outputs[k])
