"""Recordings through nonlinear circuits, against an integrator on equations written by hand, and the exact engine."""

import math

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from lmu_analog.circuits.circuit import Circuit, Term
from lmu_analog.circuits.components import GROUND, INPUT, Capacitor, OpAmp, Resistor, Transconductor
from lmu_analog.circuits.devices.models import OpAmpModel, OtaModel
from lmu_analog.circuits.nodal.saturation import limits
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.ensembles.transients import LEFT_OUT, recorded_profiles
from lmu_analog.memory.window import POINTS
from lmu_analog.stimulus import Recording

THETA = 1e-3


def inverter(model: OpAmpModel) -> Circuit:
    parts = (
        Resistor("Rin", INPUT, "g", 1e3, "input"),
        Resistor("Rfb", "g", "out", 2e3, "feedback"),
        OpAmp("U1", GROUND, "g", "out", model, "inverter"),
    )
    return Circuit("active-rc", "none", THETA, parts, ((Term("v", "out", 1.0),),))


def limited(x: float, limit: float) -> float:
    """Linear to 0.95 of the limit, and beyond it the last twentieth times a tanh: an op-amp's law."""
    over = abs(x) / limit - 0.95
    return math.copysign(limit * (0.95 + 0.05 * math.tanh(over / 0.05)), x) if over > 0.0 else x


def sweep(points: int, amplitude: float) -> Recording:
    t = np.linspace(0.0, 4.0 * THETA, points)
    return Recording(t[1], amplitude * np.sin(2e6 * t**2))


def errors(
    circuit: Circuit, recording: Recording, output: np.ndarray, values: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Give which samples are sure, and how far the only state of those is from the output, of rms(u)."""
    values = circuit.values[None] if values is None else values
    truth = np.repeat(output[:, None], POINTS, axis=1)  # the readout of a single state is 1 everywhere
    limited = limits(circuit, Index(circuit), values)
    sure, profile = recorded_profiles(circuit, values, limited, recording=recording, truth=truth)
    return sure, profile[:, 0]


def inverted(model: OpAmpModel, recording: Recording) -> np.ndarray:
    """Integrate the inverter's equation piece by piece, so that no step crosses a kink; its output at the points."""
    w_t, rail, limit = 2.0 * np.pi * model.gbw, model.rail, model.slew / (2.0 * np.pi * model.gbw)

    def slope(t, x, a, b):
        # Of plain numbers: the integrator asks very often, and NumPy takes several times as long for a single one.
        level = float(x[0])
        e = -(2.0 * (a + (b - a) * t / recording.dt) + limited(level, rail)) / 3.0 + model.offset
        return [w_t * (limited(e, limit) - level / model.gain)]

    # At its operating point, the offset; the excess over a linear output there is below 1e-7.
    x = np.array([model.offset / (1.0 / 3.0 + 1.0 / model.gain)])
    found = [limited(float(x[0]), rail)]
    values = recording.values.tolist()
    for pair in zip(values[:-1], values[1:], strict=True):
        run = solve_ivp(slope, (0.0, recording.dt), x, "LSODA", args=pair, rtol=1e-9, atol=1e-11)
        x = run.y[:, -1]
        found.append(limited(float(x[0]), rail))
    return np.array(found)


@pytest.mark.parametrize(
    ("rail", "slew", "amplitude", "gbw"),
    [
        (1.0, np.inf, 0.492, 1e6),
        (1.0, np.inf, 0.49, 1e6),
        (np.inf, 9.6e3, 0.3, 2e5),
        (1.0, 1.65e4, 0.487, 2e5),
    ],
)
def test_a_saturating_inverter_is_that_of_its_differential_equation(rail, slew, amplitude, gbw):
    recording = sweep(400, amplitude)
    model = OpAmpModel("op", gain=1e3, gbw=gbw, slew=slew, rail=rail, offset=1e-3)
    expected = inverted(model, recording)
    sure, error = errors(inverter(model), recording, expected)
    assert sure[0]
    assert error[0] < LEFT_OUT
    # It saturates: without its limits the same circuit is farther away than that.
    unlimited = OpAmpModel("op", gain=1e3, gbw=gbw, rail=1e6, offset=1e-3)
    assert errors(inverter(unlimited), recording, expected)[1][0] > 5.0 * LEFT_OUT


def test_what_is_called_sure_is_right():
    """From op-amps that follow at once to ones as slow as the recording, and grids from fine to coarse."""
    told = []
    for gbw, slew in ((3e7, 2e6), (3e6, 3e4), (1e6, 1.8e4), (2e5, 1.65e4), (5e4, 1.7e4)):
        for points in (40, 120):
            recording = sweep(points, 0.49)
            model = OpAmpModel("op", gain=1e3, gbw=gbw, slew=slew, rail=1.0)
            sure, _ = errors(inverter(model), recording, np.zeros(points))
            told.append(sure[0])
            if sure[0]:  # the integrator takes ten times as long as the engine
                _, error = errors(inverter(model), recording, inverted(model, recording))
                assert error[0] <= LEFT_OUT
    assert 0 < sum(told) < len(told)


def test_a_saturating_ota_filter_is_that_of_its_differential_equation():
    g, c, limit = 1e-6, 1e-10, 0.1
    model = OtaModel("ota", limit=limit)
    parts = (
        Transconductor("Gin", "x", INPUT, GROUND, g, "input", model=model),
        Transconductor("Gload", "x", GROUND, "x", g, "load", model=model),
        Capacitor("C1", "x", GROUND, c, "state"),
    )
    circuit = Circuit("gm-c", "none", THETA, parts, ((Term("v", "x", 1.0),),))
    recording = sweep(200, 0.12)
    t = np.linspace(0.0, recording.duration, 200)

    def slope(t, x):
        return g * limit / c * (np.tanh(recording(t) / limit) - np.tanh(x / limit))

    run = solve_ivp(slope, (0.0, t[-1]), [0.0], t_eval=t, rtol=1e-8, atol=1e-10, max_step=0.5 * recording.dt)
    sure, error = errors(circuit, recording, run.y[0])
    assert sure[0]
    assert error[0] < LEFT_OUT


@pytest.mark.parametrize("amplitude", [0.6, 3.0])
def test_clipping_is_seen(amplitude):
    model = OpAmpModel("op", gain=1e5, gbw=1e6, rail=1.0)
    recording = sweep(100, amplitude)  # asks for 1.2 V and 6 V
    assert not errors(inverter(model), recording, recording.values)[0].any()


def test_a_step_that_slews_is_seen():
    model = OpAmpModel("op", gain=1e5, gbw=1e6, slew=3e4)
    recording = Recording(1e-5, np.full(100, 0.5))
    assert not errors(inverter(model), recording, recording.values)[0].any()


def test_a_sample_does_not_depend_on_its_neighbours():
    """Nor on when a neighbour settles, or is given up."""
    model = OpAmpModel("op", gain=1e3, gbw=1e6, rail=1.0)
    circuit, recording = inverter(model), sweep(200, 0.3)
    values = circuit.values * np.array([[1.0], [1.1], [0.3], [0.9]]) ** np.array([1.0, -1.0, 0.0, 0.0])
    sure, together = errors(circuit, recording, recording.values, values)
    assert sure.tolist() == [True, True, False, True]
    for k, place in ((0, 0), (1, 1), (3, 2)):
        alone = errors(circuit, recording, recording.values, values[k : k + 1])[1]
        assert alone[0] == together[place]
