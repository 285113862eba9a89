"""What bends in a circuit, and its laws turned round."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.nodal import stamp
from lmu_analog.circuits.saturation import Amplifiers, Inputs, bend, centred, check_parts, limits
from lmu_analog.circuits.unknowns import Index
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


@given(
    swing=st.floats(0.01, 2.0),
    rail=st.floats(0.5, 20.0) | st.just(np.inf),
    threshold=st.floats(0.05, 2.0) | st.just(np.inf),
    centre=st.floats(1.0, 3.0),
)
def test_an_op_amps_law_is_the_decks_turned_round(swing, rail, threshold, centre):
    # The deck: i = L tanh(e/L), x' = w_t (i - x/A0), z = R tanh(x/R). Choose x and follow it to z and to e.
    crossover, gain, w = 1e6, 300.0, 2e4
    x, slope = swing * np.sin(w * TIME), swing * w * np.cos(w * TIME)
    current = slope / crossover + x / gain
    if np.isinf(rail):
        z, rate = x, slope
    else:
        z, rate = rail * np.tanh(x / rail), slope / np.cosh(x / rail) ** 2
    e = current if np.isinf(threshold) else threshold * np.arctanh(current / threshold)
    law = Amplifiers(*(np.full((1, 1), v) for v in (gain, rail)), crossover * ONE, threshold * ONE)
    found = bend(law, z[None, None], rate[None, None], centre=centre * ONE)
    linear = centre * rate / crossover + z / gain
    # 1e-9: tanh to 4 of its argument and back loses cosh(4)^2, about 750 roundings.
    np.testing.assert_allclose(found.w[0, 0], e - linear, atol=1e-9 * (np.abs(e).max() + 1.0))
    assert found.share.max() == pytest.approx(max(np.abs(z).max() / rail, np.abs(current).max() / threshold))


def test_a_transconductors_law_is_the_decks():
    z = np.linspace(-1.0, 1.0, 21)[None, None]
    found = bend(Inputs(np.array([[0.3]])), z, np.zeros_like(z), centre=0.5 * ONE)
    np.testing.assert_allclose(found.w, 0.3 * np.tanh(z / 0.3) - 0.5 * z, rtol=1e-14)
    np.testing.assert_allclose(found.slope, 1.0 / np.cosh(z / 0.3) ** 2, rtol=1e-12)


@pytest.mark.parametrize(
    ("design", "count", "rail"),
    [
        # Cap-feedforward at order 3: three integrators, a summer and two inverters.
        (Design(order=3, theta=1e-3, realization="cap-feedforward", opamp=OPAMP), 6, 4.0),
        # No inverters; and the difference of two outputs saturates at twice the rail.
        (Design(order=3, theta=1e-3, family="active-rc-differential", opamp=OPAMP), 4, 8.0),
    ],
)
def test_every_op_amp_with_a_limit_bends(design, count, rail):
    limited, _, circuit = of(design)
    assert len(limited.seen) == sum(c.name.startswith("U") for c in circuit.components) == count
    assert set(limited.law.rail.ravel()) == {rail}
    # The slew limit is the input stage's current over its capacitance, slew/w_t as a voltage.
    np.testing.assert_allclose(limited.law.threshold, 2e6 / (2 * np.pi * 5e6), rtol=1e-14)


def test_transconductors_with_the_same_inputs_bend_as_one():
    figures = {"gain": "60 dB", "limit": "200 mV"}
    limited, _, circuit = of(Design(order=3, theta=1e-3, family="gm-c", transconductor=figures))
    pairs = {(c.plus, c.minus) for c in circuit.components if c.name.startswith("G")}
    assert len(limited.seen) == len(pairs)
    # All that bend push with all transconductances.
    pushed = np.abs(limited.push).sum()
    assert pushed == pytest.approx(sum(c.value for c in circuit.components if c.name.startswith("G")))


@pytest.mark.parametrize("opamp", ["ideal", {"gain": 1e4, "gbw": 1e7, "rail": 1e6}])
def test_an_ideal_op_amp_does_not_bend(opamp):
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
        w = bend(limited.law, 0.1 * z[None], 0.1 * z_rate[None], centre=centre).w
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
