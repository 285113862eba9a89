"""Hidden units of transistors: steps from tones, and what parts measured alone say of the whole."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from lmu_analog.circuits.devices.pdk import InstalledPdk, find_pdk, pdk
from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.sampled import steady_response
from lmu_analog.networks.cell import Memory
from lmu_analog.silicon.altering import local_commands
from lmu_analog.silicon.cells import Sizing
from lmu_analog.silicon.curves import (
    Chips,
    Curves,
    calibrated,
    circuit_of,
    deviating,
    local_draws,
    measured_curves,
    responses,
)
from lmu_analog.silicon.deck import deck_lines, source_card
from lmu_analog.silicon.devices import Voltage
from lmu_analog.silicon.draws import Deviations
from lmu_analog.silicon.pulses import held, tones
from lmu_analog.silicon.samples import TYPICAL
from lmu_analog.silicon.unit import Classifier, Layers, UnitSizing, classifier
from lmu_analog.spice.session import Session
from lmu_analog.spice.worker import Worker
from tests.kits import needs_gf180

LONG = {"pair": 45e-6, "tail": 45e-6, "load": 45e-6, "triode": 9e-6, "triode_ratio": 0.094}
SIZING = UnitSizing(Sizing(0.0, 0.0539, 4.285, **LONG, cascode_ratio=0.6, least_width=0.3e-6))
LAYERS = Layers(
    np.array([[1.2, -0.6], [0.1, 1.5]]),
    np.array([0.3, -0.5]),
    np.array([[1.0, -0.8, 0.3], [0.5, 1.2, -0.9]]),
    np.array([0.1, 0.0, -0.1]),
)
INPUTS = ("a", "b")


def test_steps_from_tones_are_those_of_a_zero_order_hold() -> None:
    theta, steps = 1e-4, 8
    frequency = tones(theta / steps, steps, 256)
    found = held(steady_response(legendre(3, theta), frequency), frequency, step=theta / steps, steps=steps)
    memory = Memory(3, float(steps))
    wanted = memory.run(np.eye(steps))[:, -1]
    # The pause of three windows leaves e^-11 of a state; beyond 256 tones the response is 1/f to .1 %.
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_weights_are_widths_and_small_ones_are_left_out() -> None:
    found = classifier(LAYERS, SIZING, pdk("gf180mcu"), inputs=INPUTS)
    weights = {part.place: part for part in found.parts if part.kind == "weight"}
    # .1 is below a tenth of the resistor; the constant input is the third.
    assert set(weights) == {(0, 0), (0, 1), (1, 1), (2, 0), (2, 1)}
    one, other = weights[0, 0], weights[0, 1]
    a = [x for x in one.devices if ".a" in x.name]
    b = [x for x in other.devices if ".a" in x.name]
    # A chain of n devices, each n times as wide, is one device; sizes keep off the edges of bins.
    assert a[0].width / len(a) / (b[0].width / len(b)) == pytest.approx(2.0, rel=0.02)
    # A negative weight drives the other net of its unit.
    assert (a[0].drain, b[0].drain) == ("h0n", "h1p")
    with pytest.raises(DesignError, match="2 rows of weights for 1 inputs"):
        classifier(LAYERS, SIZING, pdk("gf180mcu"), inputs=["a"])


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    with Worker() as kept:
        yield kept


@pytest.fixture(scope="module")
def measured(worker: Worker) -> tuple[Classifier, Curves]:
    installed = find_pdk("gf180mcu")
    found = calibrated(LAYERS, SIZING, installed, inputs=INPUTS, worker=worker, rounds=2)
    return found, worker.call(measured_curves, (found, installed, TYPICAL), timeout=120.0)


def whole(
    found: Classifier, installed: InstalledPdk, inputs: np.ndarray, sample: Deviations | None
) -> tuple[np.ndarray, np.ndarray]:
    """Simulate all transistors together: voltages of the units, and what the outputs draw."""
    circuit = circuit_of(found, installed)
    common, one = found.sizing.cells.common, found.sizing.signal
    volts = []
    amperes = []
    for x in inputs:
        given = dict(zip(found.inputs, [*x, one], strict=True))
        sources = tuple(
            replace(s, value=common + (0.5 if s.a[-1] == "p" else -0.5) * given[s.a[:-1]])
            if isinstance(s, Voltage) and s.a[:-1] in given
            else s
            for s in circuit.sources
        )
        driven = replace(circuit, sources=sources, nodeset=tuple(found.starts.items()))
        with Session(deck_lines(driven, installed.cards("typical", "typical"))) as session:
            if sample is not None:
                session.alter(local_commands(circuit, installed.pdk, sample))
            outputs = [source_card(f"Vo{k}", circuit) for k in range(found.outputs)]
            point = session.point([f"h{j}{s}" for j in range(found.units) for s in "pn"], sources=outputs)
        volts.append(point.volts[::2] - point.volts[1::2])
        amperes.append(-point.amperes)
    return np.array(volts), np.array(amperes)


@needs_gf180
@pytest.mark.parametrize("chip", [None, 3])
def test_parts_measured_alone_say_what_the_whole_does(
    measured: tuple[Classifier, Curves], worker: Worker, chip: int | None
) -> None:
    found, curves = measured
    installed = find_pdk("gf180mcu")
    x = np.array([[0.0, 0.0], [0.12, -0.05], [-0.1, 0.15]])
    chips, sample = Chips(curves.volts, curves.current[None], curves.output), None
    if chip is not None:
        drawn = range(chip, chip + 1)
        chips = deviating(found, curves, installed, seed=0, samples=drawn)
        threshold, mobility = local_draws(found, installed, seed=0, samples=drawn)
        none = np.zeros((1, 0))
        sample = Deviations(threshold, mobility, none, none, none)
    computed = responses(found, chips, x[None])
    volts, amperes = worker.call(whole, (found, installed, x, sample), timeout=60.0)
    # Output conductance and the common voltage of a unit are taken to first order: 1 mV, of a tanh's slope of 73 mV.
    np.testing.assert_allclose(computed.units[0], volts, atol=1.5e-3)
    np.testing.assert_allclose(computed.outputs[0], amperes, atol=0.02 * np.abs(amperes).max())
    if chip is None:
        # The ratios of small signals are those of the weights; compression of pairs is a few parts in a hundred.
        wanted = LAYERS(x / SIZING.signal)
        apart = (found_apart(amperes), found_apart(wanted))
        scale = (apart[0] * apart[1]).sum() / (apart[1] ** 2).sum()
        assert np.abs(apart[0] / scale - apart[1]).max() < 0.1 * np.abs(apart[1]).max()


def found_apart(outputs: np.ndarray) -> np.ndarray:
    """Give what decides: outputs less their mean."""
    return outputs - outputs.mean(axis=1, keepdims=True)
