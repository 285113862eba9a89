"""Standard values and voltages of outputs that are chosen together: the best where all can be tried, within bounds."""

import itertools

import numpy as np
import pytest

from lmu_analog.building import build, mapped, output_levels
from lmu_analog.circuits import rounding
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import E24
from lmu_analog.circuits.element_values import element_values
from lmu_analog.circuits.joint_search import Model, Node, Outputs, Seen, fit_jointly
from lmu_analog.circuits.joint_values import Measure, prepared, problem
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rounding import _Rounding, choose_common
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.window import gauss_legendre
from lmu_analog.output.design_text import commented


def test_in_a_small_model_nothing_is_better():
    """Two nodes of two values, three levels each, and an output of two: all 3^2 * 2 * 2^4 choices, by hand."""
    random = np.random.default_rng(3)
    exact = np.array([1.37e3, 2.93e3, 5.3e3, 8.8e3])
    levels, step = np.array([0.9, 1.0, 1.1]), 0.05
    # The first node is the output's own, its second value feeds back, and the second node's first is joined to it.
    nodes = [
        Node(np.array(at), np.eye(2), np.ones(2), levels, own, source)
        for at, own, source in (([0, 1], 0, (-1, 0)), ([2, 3], -1, (0, -1)))
    ]
    jacobian, read = random.standard_normal((5, 4)), random.standard_normal((5, 1))
    ridge = 0.1
    model = Model(nodes, exact, ["E12"] * 4, jacobian, outputs=Outputs(read, step, 1, 2, ridge))
    known = np.array([float(f"{mantissa}e{decade}") for decade in (2, 3, 4) for mantissa in E24[::2]])

    def size(x):
        return np.linalg.lstsq(np.concatenate([read, [[ridge]]]), np.append(jacobian @ x, 0.0), rcond=None)[
            1
        ].sum()

    every = []
    for first, second, down in itertools.product(levels, levels, (1, 2)):
        scale = np.exp(-step * down)
        wanted = exact * [first / scale, first, second * scale, second]
        above = np.searchsorted(known, wanted)
        for sides in itertools.product((0, 1), repeat=4):
            every.append(size(np.log(known[above - sides] / wanted)))

    def evaluate(values, log_scales):
        x = found_roundings(values, known, model, log_scales)
        t = x @ jacobian.T @ model.follow.T
        error = x @ jacobian.T - t @ read.T
        sizes = np.sum(error**2, axis=1) + ridge**2 * np.sum(t**2, axis=1)
        return Seen(error, t, sizes, np.ones(len(values), bool))

    found, sizes = fit_jointly(model, evaluate, [1, 1])
    assert sizes[0] == pytest.approx(min(every), rel=1e-9)
    assert size(found.x[0]) == pytest.approx(min(every), rel=1e-9)
    assert min(every) < 0.5 * np.median(every)


def found_roundings(values, known, model, log_scales):
    """Give the logarithms of values over those before rounding, whose levels of nodes come closest of all."""
    best = np.full(len(values), np.inf)
    found = np.zeros_like(values)
    for levels in itertools.product(range(3), repeat=2):
        scale = -np.rint(log_scales / model.outputs.step).astype(int)
        exact = model.exact_values(model.chosen(np.tile(levels, (len(values), 1)), scale))
        x = np.log(values / exact)
        closer = np.abs(x).sum(axis=1) < best
        best = np.where(closer, np.abs(x).sum(axis=1), best)
        found[closer] = x[closer]
    np.testing.assert_allclose(known[np.abs(np.log(known[:, None, None] / values)).argmin(axis=0)], values)
    return found


def test_of_two_standard_values_one_that_nobody_sells_is_no_choice():
    stock = Stock("capacitor", 0.01)
    assert stock.has(np.array([33e-9, 39e-9])).tolist() == [True, False]
    node = Node(np.array([0]), np.eye(1), np.ones(1), np.ones(1))
    for wanted, stocks, further in (
        (35e-9, None, 39e-9),
        (35e-9, [stock], 33e-9),  # the nearest once more
        (37e-9, [stock], 33e-9),  # where the nearest is not sold either, both may be
    ):
        model = Model([node], np.array([wanted]), ["E12"], np.eye(1), stocks=stocks)
        assert wanted * np.exp(model.far[0, 0, 0]) == pytest.approx(further, rel=1e-12)


@pytest.mark.parametrize("family", ["active-rc", "active-rc-differential"])
def test_an_output_may_stand_for_more_or_less_of_a_state(family):
    """Exact values at other voltages of all outputs: the same states, read by other factors; a summer's balance too."""
    design = Design(order=4, theta="1 ms", family=family, realization="cap-feedforward")
    circuit = mapped(design)
    measure = Measure(circuit, design.bandwidth)
    found = problem(
        circuit,
        _Rounding(circuit, design.bandwidth, {"R": "E24", "C": "E12"}, None).groups,
        bandwidth=design.bandwidth,
        resistors="E24",
        capacitors="E12",
        stock=None,
        pairs=None,
    )
    assert measure.free.all()
    model = found.model
    random = np.random.default_rng(1)
    level = random.integers([len(node.levels) for node in model.nodes], size=(3, len(model.nodes)))
    scale = model.outputs.first + random.integers(model.outputs.count, size=(3, model.count))
    choices = model.chosen(level, scale)
    log_scales = model.log_scales(choices)
    seen = measure(model.exact_values(choices), log_scales, follows=False)
    # Rounding of the state space, of which there are a few times more digits.
    np.testing.assert_allclose(seen.errors, 0.0, atol=1e-9)
    np.testing.assert_allclose(np.log(seen.raised), log_scales, atol=1e-9)
    assert np.abs(log_scales).min() > 0.03


def test_what_reads_an_output_divides_by_its_level():
    """The states of the fitted circuit are those of an exact one to the error that is stated, outputs are lower."""
    design = Design(order=4, theta="1 ms", realization="ladder")
    circuit = mapped(design)
    rounded = choose_common(circuit, bandwidth=design.bandwidth, resistors="E24", fit="joint")
    rule = gauss_legendre(64)
    wanted, found = (
        frequency_response(extract(c), design.bandwidth * rule.r) for c in (circuit, rounded.circuit)
    )
    power = np.abs(found - wanted) ** 2 @ (1.0 / (2.0 * np.arange(4) + 1.0))
    # Six digits of the levels, and another number of nodes.
    assert np.sqrt(rule.weight @ power) == pytest.approx(rounded.after, rel=1e-2)
    measure = Measure(circuit, design.bandwidth)
    raised = measure(rounded.circuit.values[None], np.zeros((1, len(measure.free)))).raised
    assert raised.max() < 1.06
    assert raised.min() > 0.5
    assert raised.mean() < 1.0


def circuits_of(design, **given):
    """Give the circuit before rounding, and with common levels and fitted together."""
    circuit = mapped(design)
    found = [
        choose_common(circuit, bandwidth=design.bandwidth, resistors="E24", fit=fit, **given)
        for fit in ("common", "joint")
    ]
    return circuit, *found


def added(design, circuit, exact):
    """Give the window error between two circuits, by a rule of its own."""
    rule = gauss_legendre(64)
    wanted, found = (frequency_response(extract(c), design.bandwidth * rule.r) for c in (exact, circuit))
    return np.sqrt(
        rule.weight @ (np.abs(found - wanted) ** 2 @ (1.0 / (2.0 * np.arange(design.order) + 1.0)))
    )


@pytest.mark.parametrize(("order", "opamp"), [(5, {"gain": "120 dB", "gbw": "1 MHz"}), (9, "OPA2192")])
def test_it_is_better_than_common_levels_with_the_circuits_own_opamps_and_swings_no_further(order, opamp):
    design = Design(order=order, theta="1 ms", realization="cap-feedforward", opamp=opamp)
    circuit, common, joint = circuits_of(design)
    errors = [added(design, one.circuit, circuit) for one in (common, joint)]
    assert errors[1] < errors[0]
    assert [common.after, joint.after] == pytest.approx(errors, rel=2e-2)  # another number of nodes
    measure = Measure(circuit, design.bandwidth)
    none = np.zeros((1, len(measure.free)))
    of_common, of_joint = (measure(one.circuit.values[None], none).raised[0] for one in (common, joint))
    assert np.all(of_joint <= np.maximum(1.05, of_common) * (1.0 + 1e-6))


def test_where_no_joint_fit_may_be_taken_common_levels_are(monkeypatch):
    """Bounds that nothing keeps: what is left is exactly what ``"common"`` gives."""
    design = Design(order=3, theta="1 ms", realization="ladder", opamp={"gain": "120 dB", "gbw": "1 MHz"})
    monkeypatch.setattr(rounding, "MOST_SWING", 0.0)
    rounding._fits.cache_clear()
    choose_common.cache_clear()
    _, common, joint = circuits_of(design)
    rounding._fits.cache_clear()
    choose_common.cache_clear()
    assert joint.after <= common.after
    measure = Measure(mapped(design), design.bandwidth)
    none = np.zeros((1, len(measure.free)))
    of_common, of_joint = (measure(one.circuit.values[None], none).raised[0] for one in (common, joint))
    assert np.all(of_joint <= of_common * (1.0 + 1e-6))


@pytest.mark.parametrize("realization", ["ladder", "cap-feedforward"])
def test_common_levels_to_first_order_are_nearly_as_good_as_those_by_trial(realization, monkeypatch):
    design = Design(order=6, theta="1 ms", realization=realization, opamp={"gain": "120 dB", "gbw": "1 GHz"})
    circuit = mapped(design)
    of = _Rounding(circuit, design.bandwidth, {"R": "E24", "C": "E12"}, None)
    slopes = prepared(circuit, design.bandwidth)[1]
    tried = of.common()
    assert of.common_beside(slopes).after == tried.after  # of few nodes
    monkeypatch.setattr(rounding, "FEW_NODES", 0)
    found = of.common_beside(slopes)
    # What is said is the true error of what is given, which descent has made less.
    assert found.after == pytest.approx(float(of.errors(found.values[None])[0]), rel=1e-12)
    assert found.after < min(of.errors(np.stack([of.rounded(levels) for levels in of.simple()])))
    assert found.after < 1.3 * tried.after


def test_with_outputs_held_the_values_alone_are_the_circuit():
    design = Design(order=3, theta="1 ms", realization="ladder", opamp={"gain": "120 dB", "gbw": "10 MHz"})
    circuit, _, held = circuits_of(design, outputs="held")
    assert held.circuit.probes == held.exact.probes == circuit.probes


def test_a_design_with_the_values_and_levels_of_a_fit_is_its_circuit():
    design = Design(order=3, theta="1 ms", realization="ladder", values="E24", values_fit="joint")
    levels = output_levels(design)
    assert levels
    given = {"element_values": element_values(build(design), digits=12), "output_levels": levels}
    again = build(design.replace(**given))
    np.testing.assert_array_equal(again.values, build(design).values)
    np.testing.assert_allclose(extract(again).A, extract(build(design)).A, rtol=1e-10)
    # Values go where the memory changes, and the levels with them.
    assert design.replace(**given).replace(theta="2 ms").output_levels == {}
    with pytest.raises(
        DesignError, match=r"\[circuit\] output_levels: no state is read at 'y'; they are at x0, x1"
    ):
        build(design.replace(output_levels={"y": 0.9}))


def test_a_file_has_the_levels_of_outputs(tmp_path):
    design = Design(order=2, theta="1 ms", output_levels={"x0": 0.93, "x1": 1.02})
    (tmp_path / "d.toml").write_text(commented(design))
    assert Design.load(tmp_path / "d.toml") == design
