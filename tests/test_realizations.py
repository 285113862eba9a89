"""Realizations: the same map for each, and the structure that each promises."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from lmu_analog.errors import DesignError
from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import REALIZATIONS, realize
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.memory.structure import Coefficient, eliminate, integrators, matrices, scaled, significant

pytestmark = pytest.mark.usefixtures("any_coordinates")  # orders up to 64, and claims of all coordinates

orders = st.integers(1, 48)
thetas = st.floats(1e-12, 1e6)

# "principle3" of the project reference vectors, analog, d = 6, theta = 1, tau = .1: A' = tau A + I.
PRINCIPLE3 = [
    [0.9, -0.1, -0.1, -0.1, -0.1, -0.1],
    [0.3, 0.7, -0.3, -0.3, -0.3, -0.3],
    [-0.5, 0.5, 0.5, -0.5, -0.5, -0.5],
    [0.7, -0.7, 0.7, 0.3, -0.7, -0.7],
    [-0.9, 0.9, -0.9, 0.9, 0.1, -0.9],
    [1.1, -1.1, 1.1, -1.1, 1.1, -0.1],
]


def elements(structure, matrix):
    """Give the elements of one matrix by place."""
    return {(c.row, c.column): c.value for c in structure.coefficients if c.matrix == matrix}


@pytest.mark.parametrize("name", REALIZATIONS)
@settings(max_examples=6)  # for each of many realizations
@given(order=orders, theta=thetas)
def test_every_realization_has_the_input_output_map_of_the_memory(name, order, theta):
    system = legendre(order, theta)
    f = np.array([0.0, 0.1, 1.0, order / 6]) / theta
    # Solvers round to a few ulp times condition numbers of at most 1e4 at 48 states.
    np.testing.assert_allclose(
        frequency_response(realize(system, name).system, f), frequency_response(system, f), atol=1e-9
    )


@pytest.mark.parametrize("name", REALIZATIONS)
@settings(max_examples=6)  # for each of many realizations
@given(order=orders, theta=thetas)
def test_the_system_is_the_memory_in_the_coordinates_of_the_transform(name, order, theta):
    system = legendre(order, theta)
    made = realize(system, name)
    T = made.transform
    # z = T m obeys z' = A z + B u; T has more rows than columns where a state of the memory takes two filters.
    # The elimination of the capacitor chain of cap-feedforward adds up at most d/2 terms of one sign.
    size = np.abs(made.system.A).max() * np.abs(T).max()
    np.testing.assert_allclose(made.system.A @ T, T @ system.A, atol=1e-11 * size)
    np.testing.assert_allclose(made.system.B, T @ system.B, atol=1e-11 * np.abs(made.system.B).max())
    np.testing.assert_allclose(made.system.C @ T, np.eye(order), atol=1e-13)  # d products
    assert made.name == name
    assert made.theta == pytest.approx(theta, rel=1e-13)  # read off a trace of at most 64 terms


@pytest.mark.parametrize("name", REALIZATIONS)
@settings(max_examples=6)  # for each of many realizations
@given(order=st.integers(1, 24))
def test_every_element_has_its_own_name_and_no_element_is_zero(name, order):
    structure = realize(legendre(order), name).structure
    assert len({c.name for c in structure.coefficients}) == len(structure.coefficients)
    assert np.isfinite(structure.values).all()
    assert (structure.values != 0.0).all()
    np.testing.assert_array_equal(eliminate(structure)[0], realize(legendre(order), name).system.A)


# On paper: no weight of a synapse on itself where tau is theta/(2i+1); states of one parity of the bus ladder read by
# Legendre states of the same one; the ladder's last Legendre state, a multiple of s^(d-1), by every other state.
@pytest.mark.parametrize("order", [2, 3, 6, 9, 24, 47, 57, 64])
def test_what_is_zero_on_paper_is_zero(order):
    diagonal = ("legendre", "orthonormal", "cap-feedforward", "unit-weight", "principle3")
    names = ("bus-ladder", "ladder", "balanced", *diagonal)
    made = {name: realize(legendre(order, 1e-3), name) for name in names}
    i, j = np.indices((order, order))
    same = (i + j) % 2 == 0
    read = {name: m.readout[:, :order] != 0.0 for name, m in made.items()}
    np.testing.assert_array_equal(read["bus-ladder"], same)
    np.testing.assert_array_equal(read["ladder"], (i < order - 1) | (j % 2 == 0))
    assert read["balanced"].all()
    for name in diagonal:
        np.testing.assert_array_equal(read[name], i == j)
    assert not [
        c for c in made["unit-weight"].structure.coefficients if c.matrix == "F" and c.row == c.column
    ]
    # A tau that is one of theta/(2i+1) for principle3, too, whatever that product rounds to, which is the same for
    # every order beyond i: up to 24 that is seen.
    for k in range(min(order, 9) if order <= 24 else 0):
        tau = 1e-3 / (2 * k + 1)
        weights = elements(realize(legendre(order, 1e-3), "principle3", tau=tau).structure, "F")
        assert (k, k) not in weights
        assert len(weights) == order**2 - 1


def test_coefficients_far_below_rounding_are_left_out_whatever_the_units():
    system = legendre(3, 1e-3)
    structure, readout = integrators(system.A, system.B), np.eye(3)
    readout[0, 2], readout[1, 0] = 1e-17, 1e-9  # rounding, and a small weight
    small = replace(structure, coefficients=(*structure.coefficients, Coefficient("x", "E", 0, 1, -3e-16)))
    for unit in (np.ones(3), np.array([1e-6, 1.0, 1e9])):
        found, read = significant(scaled(small, unit), readout / unit, unit[:, None] * np.eye(3))
        assert [c.name for c in found.coefficients] == [c.name for c in structure.coefficients]
        assert read[0, 2] == 0.0
        assert read[1, 0] == readout[1, 0] / unit[0]


@given(order=orders, theta=thetas)
def test_unit_weights_are_one_in_size_with_no_weight_on_themselves(order, theta):
    structure = realize(legendre(order, theta), "unit-weight").structure
    weights, inputs, taus = (elements(structure, m) for m in "FGE")
    # W = diag(tau) A + I is a product of two correctly rounded factors.
    np.testing.assert_allclose(np.abs([*weights.values(), *inputs.values()]), 1.0, rtol=1e-14)
    assert len(inputs) == len(taus) == order
    assert set(weights) == {(i, j) for i in range(order) for j in range(order) if i != j}
    found = [taus[i, i] for i in range(order)]
    np.testing.assert_allclose(found, theta / (2 * np.arange(order) + 1), rtol=1e-13)


@given(order=orders, theta=thetas)
def test_cap_feedforward_is_linear_in_the_order(order, theta):
    structure = realize(legendre(order, theta), "cap-feedforward").structure
    # 3 d + 1: b and s twice, a[1,0], two for every later state, d weights of the summer; 3 for one state.
    assert len(structure.coefficients) == (3 * order + 1 if order > 1 else 3)
    assert (structure.variables, structure.dynamic) == (order + 1, order)
    sums = [c for c in structure.coefficients if c.row == order]
    assert [(c.column, c.value) for c in sums] == [(j, 1.0) for j in range(order)]
    chain = elements(structure, "E")
    assert set(chain) == {(i, i - 2) for i in range(2, order)}
    for (i, _), value in chain.items():
        assert value == pytest.approx(-(2 * i + 1) / (2 * i - 3), rel=1e-15)  # one division


@pytest.mark.parametrize("name", ["legendre", "orthonormal"])
@given(order=st.integers(1, 24))
def test_a_full_matrix_takes_an_element_for_every_coefficient(name, order):
    structure = realize(legendre(order), name).structure
    assert len(structure.coefficients) == order**2 + order
    E, *_ = matrices(structure)
    np.testing.assert_array_equal(E, np.eye(order))


@given(order=orders)
def test_the_orthonormal_memory_is_lossless_but_for_its_two_ports(order):
    # Identity I2: A + A^T = -(b b^T + c c^T) with b_i = (-1)^i sqrt(2i+1), c_i = sqrt(2i+1).
    system = realize(legendre(order), "orthonormal").system
    c = np.sqrt(2.0 * np.arange(order) + 1.0)
    b = c * (-1.0) ** np.arange(order)
    np.testing.assert_allclose(system.B[:, 0], b, rtol=1e-14)  # a product of three roundings
    np.testing.assert_allclose(
        system.A + system.A.T,
        -(np.outer(b, b) + np.outer(c, c)),
        atol=1e-12 * order,  # entries up to 2 d
    )


@given(order=st.integers(1, 12))
def test_the_gramians_of_the_input_and_of_the_tap_add_up_to_the_identity(order):
    # Identity I2 is the Lyapunov equation A I + I A^T + b b^T + c c^T = 0, here solved term by term.
    system = realize(legendre(order), "orthonormal").system
    c = np.sqrt(2.0 * np.arange(order) + 1.0)[:, None]
    reached, seen = (linalg.solve_continuous_lyapunov(system.A, -x @ x.T) for x in (system.B, c))
    np.testing.assert_allclose(reached + seen, np.eye(order), atol=1e-10)  # Bartels-Stewart rounds to 1e-13


def test_principle3_is_that_of_the_reference():
    structure = realize(legendre(6), "principle3", tau=0.1).structure
    _, F, G = matrices(structure)
    np.testing.assert_allclose(F + np.eye(6), PRINCIPLE3, atol=1e-15)  # one product, one sum
    np.testing.assert_allclose(G[:, 0], [0.1, -0.3, 0.5, -0.7, 0.9, -1.1], atol=1e-15)
    assert elements(structure, "E") == {(i, i): 0.1 for i in range(6)}


@given(order=orders, theta=thetas)
def test_the_synapses_of_principle3_are_a_tenth_of_the_window_unless_given(order, theta):
    usual, given_ = (realize(legendre(order, theta), "principle3", tau=tau) for tau in (None, theta / 3))
    np.testing.assert_allclose([*elements(usual.structure, "E").values()], theta / 10, rtol=1e-13)
    np.testing.assert_array_equal([*elements(given_.structure, "E").values()], theta / 3)


def test_a_weight_that_cancels_leaves_no_element():
    # tau = theta/(2i+1) makes the self-weight of filter i exactly zero.
    structure = realize(legendre(6), "principle3", tau=1 / 7).structure
    assert (3, 3) not in elements(structure, "F")
    assert len(elements(structure, "F")) == 35


@pytest.mark.parametrize("tau", [0.0, -0.1, float("inf"), float("nan")])
def test_a_time_constant_that_is_no_positive_time_is_refused(tau):
    with pytest.raises(DesignError, match=r"^tau = \S+ s is not a positive time$"):
        realize(legendre(3), "principle3", tau=tau)


def test_an_unknown_realization_is_refused_with_the_known_ones():
    with pytest.raises(
        DesignError, match=r"^unknown realization 'modal'; known are legendre, .*, unit-weight"
    ):
        realize(legendre(3), "modal")
