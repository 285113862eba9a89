"""Where a circuit saturates, and its laws inverted."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.components import OpAmp
from lmu_analog.circuits.nodal.saturation import (
    KNEE,
    Amplifiers,
    Inputs,
    centred,
    check_parts,
    limits,
    saturate,
    straightened,
)
from lmu_analog.circuits.nodal.stamps import stamp
from lmu_analog.circuits.nodal.unknowns import Index
from lmu_analog.design import Design
from lmu_analog.errors import CircuitError

OPAMP = {"gain": "80 dB", "gbw": "5 MHz", "slew": "2 V/us", "rail": "4 V"}
TIME = np.linspace(0.0, 1e-3, 200)
ONE = np.ones((1, 1, 1))


def of(design: Design):
    """Limits and equations of a design's nominal circuit."""
    circuit = build(design)
    index, values = Index(circuit), circuit.values[None]
    return limits(circuit, index, values), stamp(circuit, index, values), circuit


def saturated(x, low, high):
    """Linear to a twentieth of the smaller swing before either limit, and tanh in that: the deck's expression."""
    d = 0.05 * min(-low, high)
    linear = np.clip(x, low + d, high - d)
    return linear + d * np.tanh((x - linear) / d)


def undone(y, low, high):
    x, slope, share = straightened(np.reshape(y, (1, 1, -1)), np.array([[low]]), np.array([[high]]))
    return x.ravel(), slope.ravel(), share.ravel()


@given(high=st.floats(1e-3, 1e3), skew=st.floats(0.3, 3.0), share=st.floats(-1.1, 1.1))
def test_the_law_is_exactly_linear_to_its_knee_and_undone_in_closed_form(high, skew, share):
    low = -skew * high
    x = np.array([share * high if share > 0.0 else -share * low])
    y = saturated(x, low, high)
    assert low < y[0] < high
    found, slope, used = undone(y, low, high)
    assert used[0] == pytest.approx(y[0] / high if share > 0.0 else y[0] / low)
    if abs(share) <= KNEE * (1.0 - 1e-12):
        assert (found == y).all()
        assert (slope == 1.0).all()
        np.testing.assert_allclose(y, x, rtol=1e-14)  # the last digits of a sum of larger ones
    # tanh of 8 and back loses cosh(8)^2, 2e6 roundings.
    np.testing.assert_allclose(found, x, atol=1e-9 * high)


def test_two_derivatives_of_the_law_meet_at_the_knee():
    # Newton's method in ngspice wants one; the third, -2/0.05^2, makes harmonics fall by k^-4 at least.
    h = 1e-4
    y = saturated(KNEE + h * np.arange(-3, 4), -1.0, 1.0)
    np.testing.assert_allclose(np.diff(y) / h, 1.0, atol=2.0 / 0.05**2 * (3 * h) ** 2)
    np.testing.assert_allclose(np.diff(y, 2) / h**2, 0.0, atol=2.0 / 0.05**2 * 3 * h)
    # And what the nonlinear engine takes for its slope is that of the law.
    y = np.linspace(-0.99, 0.99, 500)
    between = np.diff(undone(y, -1.0, 1.0)[0]) / np.diff(y)
    middle = undone(0.5 * (y[1:] + y[:-1]), -1.0, 1.0)[1]
    np.testing.assert_allclose(between, middle, rtol=0.01)  # of second order in the step


@given(
    swing=st.floats(0.01, 2.0),
    rail=st.floats(0.5, 20.0) | st.just(np.inf),
    threshold=st.floats(0.05, 2.0) | st.just(np.inf),
    centre=st.floats(1.0, 3.0),
)
def test_an_op_amps_law_is_the_decks_turned_round(swing, rail, threshold, centre):
    # The deck: i = f(e; L), x' = w_t (i - x/A0), z = f(x; R). Choose x and follow it to z and to e.
    crossover, gain, w = 1e6, 300.0, 2e4
    x, slope = swing * np.sin(w * TIME), swing * w * np.cos(w * TIME)
    current = slope / crossover + x / gain
    # Four widths of the last twentieth beyond its knee the clamp holds the pole, and the current is what it is.
    x = np.clip(x, -1.15 * rail, 1.15 * rail)
    current = np.clip(current, -0.999 * threshold, 0.999 * threshold)
    slope = (current - x / gain) * crossover
    over = np.maximum(np.abs(x) / rail - 0.95, 0.0) / 0.05 if np.isfinite(rail) else np.zeros_like(x)
    z = x if np.isinf(rail) else np.where(over > 0, np.sign(x) * rail * (0.95 + 0.05 * np.tanh(over)), x)
    rate = slope / np.cosh(over) ** 2
    e, turned = current, np.abs(current) / threshold
    if np.isfinite(threshold):
        above = np.maximum(turned - 0.95, 0.0) / 0.05
        e = np.where(above > 0, np.sign(current) * threshold * (0.95 + 0.05 * np.arctanh(above)), current)
    law = Amplifiers(*(np.full((1, 1), v) for v in (gain, -rail, rail)), crossover * ONE, threshold * ONE)
    found = saturate(law, z[None, None], rate[None, None], centre=centre * ONE)
    linear = centre * rate / crossover + z / gain
    # 1e-9: tanh of 4 and back loses cosh(4)^2, about 750 roundings of a rail.
    np.testing.assert_allclose(found.w[0, 0], e - linear, atol=1e-9 * (np.abs(e).max() + 1.0))
    assert found.share.max() == pytest.approx(max(np.abs(z).max() / rail, np.abs(current).max() / threshold))


def test_a_transconductors_law_is_the_decks():
    z = np.linspace(-1.0, 1.0, 21)[None, None]
    found = saturate(Inputs(np.array([[0.3]])), z, np.zeros_like(z), centre=0.5 * ONE)
    np.testing.assert_allclose(found.w, 0.3 * np.tanh(z / 0.3) - 0.5 * z, rtol=1e-14)
    np.testing.assert_allclose(found.slope, 1.0 / np.cosh(z / 0.3) ** 2, rtol=1e-12)


def test_outputs_that_swing_farther_one_way_saturate_where_they_do():
    table = {**OPAMP, "rail": 3.0}
    circuit = build(Design(order=2, theta=1e-3, opamp=table))
    lame = replace(
        circuit,
        components=tuple(
            replace(c, model=replace(c.model, lowest=-4.5)) if isinstance(c, OpAmp) else c
            for c in circuit.components
        ),
    )
    law = limits(lame, Index(lame), lame.values[None]).law
    assert (set(law.low.ravel()), set(law.high.ravel())) == ({-4.5}, {3.0})


@pytest.mark.parametrize(
    ("design", "count", "rail"),
    [
        # Cap-feedforward at order 3: three integrators, a summer and two inverters.
        (Design(order=3, theta=1e-3, realization="cap-feedforward", opamp=OPAMP), 6, 4.0),
        # No inverters; and the difference of two outputs saturates at twice the rail.
        (Design(order=3, theta=1e-3, family="active-rc-differential", opamp=OPAMP), 4, 8.0),
    ],
)
def test_every_op_amp_with_a_limit_saturates(design, count, rail):
    limited, _, circuit = of(design)
    assert len(limited.seen) == sum(c.name.startswith("U") for c in circuit.components) == count
    assert set(limited.law.high.ravel()) == {rail}
    assert set(limited.law.low.ravel()) == {-rail}
    # The slew limit is the input stage's current over its capacitance, slew/w_t as a voltage.
    np.testing.assert_allclose(limited.law.threshold, 2e6 / (2 * np.pi * 5e6), rtol=1e-14)


def test_transconductors_with_the_same_inputs_saturate_as_one():
    figures = {"gain": "60 dB", "limit": "200 mV"}
    limited, _, circuit = of(Design(order=3, theta=1e-3, family="gm-c", transconductor=figures))
    pairs = {(c.plus, c.minus) for c in circuit.components if c.name.startswith("G")}
    assert len(limited.seen) == len(pairs)
    # All that saturate push with all transconductances.
    pushed = np.abs(limited.push).sum()
    assert pushed == pytest.approx(sum(c.value for c in circuit.components if c.name.startswith("G")))


@pytest.mark.parametrize("opamp", ["ideal", {"gain": 1e4, "gbw": 1e7, "rail": 1e6}])
def test_an_ideal_op_amp_does_not_saturate(opamp):
    limited, _, _ = of(Design(order=3, theta=1e-3, opamp=opamp))
    assert (limited is None) is (opamp == "ideal")


@pytest.mark.parametrize("figures", [{"family": "active-rc", "opamp": OPAMP}, {"family": "gm-c",
    "transconductor": {"limit": "200 mV", "gain": "60 dB"}}])  # fmt: skip
def test_what_the_linear_part_takes_the_sources_lose(figures):
    """Re-centring changes nothing: E v' - F v - G u - push w is the same for any centre."""
    limited, equations, _ = of(Design(order=3, theta=1e-3, **figures))
    rng = np.random.default_rng(0)
    n, size = limited.seen.shape
    v, rate, u = rng.normal(size=(size, 1)), 1e3 * rng.normal(size=(size, 1)), 0.1
    z, z_rate = limited.seen @ v + limited.direct[:, None] * u, limited.seen @ rate
    found = []
    for centre in (np.ones((1, n, 1)), rng.uniform(0.5, 3.0, (1, n, 1))):
        e = centred(equations, limited, centre)
        w = saturate(limited.law, 0.1 * z[None], 0.1 * z_rate[None], centre=centre).w
        linear = e.E[0] @ rate - e.F[0] @ v - e.drive[0, :, :1] * u
        found.append(0.1 * linear - limited.push[0] @ w[0])
    scale = np.abs(equations.E[0] @ rate).max(initial=0.0) + np.abs(equations.F[0] @ v).max()
    np.testing.assert_allclose(found[1], found[0], atol=1e-13 * scale)


@pytest.mark.parametrize(
    ("design", "message"),
    [
        (
            {"family": "switched-capacitor", "clock": "200 kHz"},
            "switched-capacitor: rails, .* not of transistors or switches; use the ngspice engine",
        ),
        ({"family": "gm-c", "level": "transistor"}, "gm-c: rails, .* use the ngspice engine"),
    ],
)
def test_circuits_of_other_parts_are_refused(design, message):
    circuit = build(Design(order=2, theta=1e-3, **design))
    check_parts(build(Design(order=2, theta=1e-3)))
    with pytest.raises(CircuitError, match=message):
        check_parts(circuit)
