"""Standard values that are chosen together: standard, better than one by one, and the best where all can be tried."""

import itertools
from functools import partial

import numpy as np
import pytest

from lmu_analog.analysis.certificate import deviation
from lmu_analog.building import build, mapped
from lmu_analog.circuits import fitting
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.passives import Stock
from lmu_analog.circuits.devices.values import nearest
from lmu_analog.circuits.fitting import Model, Node, fit_jointly
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rounding import _Rounding, choose_common
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.output.starting import new_design


@pytest.mark.parametrize(
    ("family", "realization", "series"),
    [
        ("active-rc", "legendre", "E24"),
        ("active-rc", "cap-feedforward", "E96"),
        ("active-rc-differential", "ladder", "E24"),
    ],
)
def test_values_are_standard_and_hurt_less_than_one_by_one(family, realization, series):
    design = Design(order=4, theta="1 ms", family=family, realization=realization)
    circuit = mapped(design)
    one_by_one, joint = (
        choose_common(circuit, bandwidth=design.bandwidth, resistors=series, fit=fit)
        for fit in ("common", "joint")
    )
    assert joint.after < one_by_one.after < joint.before
    for kind, of in ((Resistor, series), (Capacitor, "E12")):
        values = np.array([c.value for c in joint.circuit.only(kind)])
        np.testing.assert_array_equal(values, nearest(values, of))
    if family == "active-rc-differential":
        halves = {}
        for c in joint.circuit.only(Resistor, Capacitor):
            halves.setdefault((type(c), c.role), set()).add(c.value)
        assert all(len(values) == 1 for values in halves.values())


def test_in_a_small_model_nothing_is_better():
    """Two nodes of two values, three levels each: all 3 * 3 * 2^4 choices, by hand."""
    random = np.random.default_rng(3)
    exact = np.array([1.37e3, 2.93e3, 5.3e3, 8.8e3])
    levels = np.array([0.9, 1.0, 1.1])
    nodes = [Node(np.array(at), np.eye(2), np.ones(2), levels) for at in ([0, 1], [2, 3])]
    jacobian = random.standard_normal((5, 4))
    model = Model(nodes, exact, ["E12"] * 4, jacobian)
    found = fit_jointly(
        model, lambda values: np.log(values / model_exact(values, exact, nodes)) @ jacobian.T, [1, 1]
    )
    every = []
    for at in itertools.product(range(3), repeat=2):
        for sides in itertools.product((0, 1), repeat=4):
            x = [
                (model.options[n].near, model.options[n].far)[sides[2 * n + u]][at[n], u]
                for n in range(2)
                for u in range(2)
            ]
            every.append(np.sum((jacobian @ np.array(x)) ** 2))
    assert np.sum((jacobian @ model.vector(found)) ** 2) == pytest.approx(min(every), rel=1e-9)
    assert min(every) < every[0]


def test_work_is_counted(monkeypatch):
    """Beyond the limit of work the true error is asked about the choices of descents alone."""
    design = Design(order=4, theta="1 ms", family="active-rc", realization="ladder")
    looked: dict[int, list[int]] = {}
    errors = {}
    usual = fitting.WORK
    for work in (usual, 0):
        monkeypatch.setattr(fitting, "WORK", work)
        of = _Rounding(mapped(design), design.bandwidth, {"R": "E24", "C": "E12"}, None)
        looked[work] = []
        monkeypatch.setattr(of, "residual", partial(counting, of.residual(None), looked[work]))
        errors[work] = of.errors(of.joint(None)[0][None])[0]
    assert max(looked[0][1:]) == 1 < max(looked[usual][1:])
    assert errors[usual] <= errors[0]
    assert errors[0] < of.errors(of.rounded([1.0] * len(of.groups))[None])[0]


def counting(residual, seen, readout):
    """Give a residual that notes of how many circuits it is asked."""

    def counted(values):
        seen.append(len(values))
        return residual(values)

    assert readout is None
    return counted


def model_exact(values, exact, nodes):
    """Give the values before rounding of each row: the level of three whose logarithms are nearest on the mean."""
    found = np.empty_like(values)
    for row, out in zip(values, found, strict=True):
        for node in nodes:
            at = exact[node.columns] * node.levels[:, None]
            out[node.columns] = at[np.abs(np.log(row[node.columns] / at)).sum(axis=1).argmin()]
    return found


def test_no_rounding_counts_on_one_that_two_parts_take_away():
    """Roundings that make up for others are worth nothing once pairs stand where the others were."""
    design = Design(order=6, theta="1 ms", values="E24", pairs="2 %")
    apart = {}
    for fit in ("common", "joint"):
        made = build(design.replace(values_fit=fit))
        assert any(c.name.endswith("_second") for c in made.components)
        apart[fit] = deviation(extract(made), design.theta, design.bandwidth)
    assert apart["joint"] < apart["common"]


def test_of_two_standard_values_one_that_nobody_sells_is_no_choice():
    stock = Stock("capacitor", 0.01)
    assert stock.has(np.array([33e-9, 39e-9])).tolist() == [True, False]
    node = Node(np.array([0]), np.eye(1), np.ones(1), np.ones(1))
    for wanted, stocks, further in (
        (35e-9, None, 39e-9),
        (35e-9, [stock], 33e-9),  # the nearest once more
        (37e-9, [stock], 33e-9),  # where the nearest is not sold either, both may be
    ):
        options = Model([node], np.array([wanted]), ["E12"], np.eye(1), stocks=stocks).options[0]
        assert wanted * np.exp(options.far[0, 0]) == pytest.approx(further, rel=1e-12)


def test_the_same_circuit_every_time():
    design = Design(order=3, theta="1 ms", values="E24", values_fit="joint")
    choose_common.cache_clear()
    first = build(design).values
    choose_common.cache_clear()
    np.testing.assert_array_equal(first, build(design).values)
    assert design.digest != design.replace(values_fit="common").digest


def test_it_wants_a_series():
    with pytest.raises(DesignError, match=r"values_fit: of which values\? give \[circuit\] values too"):
        build(Design(order=3, theta="1 ms", values_fit="joint"))


def test_a_new_design_of_standard_values_has_them_chosen_together(tmp_path):
    design = new_design({"values": "E24"}, tmp_path / "d.toml")
    assert design.values_fit == "joint"
    assert Design.load(tmp_path / "d.toml").values_fit == "joint"
    assert design.replace(values="exact").values_fit == "common"  # which needs no series
