"""Structures: elements put into matrices, algebraic variables solved for, other units of measure."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmu_analog.memory.legendre import legendre
from lmu_analog.memory.realizations import REALIZATIONS, realize
from lmu_analog.memory.statespace import StateSpace, frequency_response
from lmu_analog.memory.structure import (
    Coefficient,
    Structure,
    algebraic_response,
    eliminate,
    matrices,
    scaled,
)

pytestmark = pytest.mark.usefixtures("any_coordinates")  # orders up to 64, and claims of all coordinates

seeds = st.integers(0, 2**32 - 1)
F = np.array([0.0, 0.05, 0.4, 3.0])  # Hz, for systems with rates of about one


def random_structure(seed, dynamic=3, algebraic=2):
    """Draw fixed parts, algebraic variables that feed each other, and elements everywhere."""
    rng = np.random.default_rng(seed)
    v = dynamic + algebraic
    E, fixed, G = np.zeros((v, v)), np.zeros((v, v)), np.zeros((v, 1))
    E[range(dynamic), range(dynamic)] = 1.0
    fixed[range(v), range(v)] = -1.0
    G[0] = 0.5
    coefficients = [
        Coefficient(f"a[{i},{j}]", "F", i, j, float(0.4 * rng.uniform(-1, 1)))
        for i in range(v)
        for j in range(v)
        if i != j
    ]
    coefficients += [Coefficient(f"b[{i}]", "G", i, 0, float(rng.uniform(-1, 1))) for i in range(v)]
    coefficients += [Coefficient("c[1,0]", "E", 1, 0, 0.3), Coefficient("tau[2]", "E", 2, 2, 0.7)]
    return Structure(E, fixed, G, tuple(coefficients), dynamic)


def differential_algebraic(structure, f):
    """Solve (s E - F) z = G directly: all variables, without any elimination."""
    E, F, G = matrices(structure)
    return np.stack([np.linalg.solve(2j * np.pi * s * E - F, G)[:, 0] for s in f])


def test_every_element_adds_to_its_own_entry():
    two = (
        Coefficient("p", "F", 0, 1, 2.0),
        Coefficient("q", "F", 0, 1, 0.5),
        Coefficient("r", "G", 1, 0, -3.0),
    )
    structure = Structure(np.eye(2), -np.eye(2), np.zeros((2, 1)), two, 2)
    E, filled, G = matrices(structure)
    np.testing.assert_array_equal(E, np.eye(2))
    np.testing.assert_array_equal(filled, [[-1.0, 2.5], [0.0, -1.0]])
    np.testing.assert_array_equal(G, [[0.0], [-3.0]])
    np.testing.assert_array_equal(structure.F, -np.eye(2))  # the fixed part is left alone
    np.testing.assert_array_equal(structure.values, [2.0, 0.5, -3.0])


@given(seed=seeds)
def test_elimination_keeps_what_the_whole_equations_say(seed):
    structure = random_structure(seed)
    A, B = eliminate(structure)
    states = StateSpace(A, B, np.eye(3), np.zeros((3, 1)))
    # Rows are nearly diagonally dominant: condition numbers of at most a few hundred.
    np.testing.assert_allclose(
        frequency_response(states, F), differential_algebraic(structure, F)[:, :3], rtol=1e-9, atol=1e-10
    )


@given(seed=seeds)
def test_the_algebraic_response_shows_every_variable(seed):
    structure = random_structure(seed)
    assert structure.variables == 5
    np.testing.assert_allclose(
        frequency_response(algebraic_response(structure), F),
        differential_algebraic(structure, F),
        rtol=1e-9,  # as above
        atol=1e-10,
    )


@given(seed=seeds, lead=st.sampled_from([(1,), (4,), (2, 3)]))
def test_many_values_at_once_give_what_each_gives(seed, lead):
    structure = random_structure(seed)
    rng = np.random.default_rng(seed)
    values = structure.values * (1 + 0.05 * rng.standard_normal((*lead, len(structure.values))))
    A, B = eliminate(structure, values)
    assert A.shape == (*lead, 3, 3)
    assert B.shape == (*lead, 3, 1)
    for at in np.ndindex(*lead):
        named = zip(structure.coefficients, values[at], strict=True)
        alone = replace(structure, coefficients=tuple(replace(c, value=float(x)) for c, x in named))
        # The same operations on the same numbers, but stacked solvers may sum in another order.
        np.testing.assert_allclose(A[at], eliminate(alone)[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(B[at], eliminate(alone)[1], rtol=1e-12, atol=1e-12)


@given(seed=seeds, sign=st.lists(st.sampled_from([-1.0, 1.0]), min_size=5, max_size=5))
def test_other_units_of_measure_never_change_the_map(seed, sign):
    structure = random_structure(seed)
    scale = np.array(sign) * np.exp(np.random.default_rng(seed).uniform(-3, 3, 5))
    measured = differential_algebraic(scaled(structure, scale), F)
    # V = scale z for every variable; the scales span a factor of 400.
    np.testing.assert_allclose(measured / scale, differential_algebraic(structure, F), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", REALIZATIONS)
@settings(max_examples=10)  # for each of many realizations
@given(order=st.integers(1, 24), seed=seeds)
def test_scaling_a_realization_changes_coordinates_by_a_diagonal(name, order, seed):
    structure = realize(legendre(order), name).structure
    rng = np.random.default_rng(seed)
    scale = np.exp(rng.uniform(-2, 2, structure.variables)) * rng.choice([-1.0, 1.0], structure.variables)
    t = scale[: structure.dynamic]
    A, B = eliminate(structure)
    found = eliminate(scaled(structure, scale))
    # Scales span a factor of 55 and condition numbers of E a few times the order.
    size = np.abs(t[:, None] * A / t).max()
    np.testing.assert_allclose(found[0], t[:, None] * A / t, atol=1e-10 * size)
    np.testing.assert_allclose(found[1], t[:, None] * B, atol=1e-10 * np.abs(t[:, None] * B).max())


def test_scaling_leaves_names_places_and_time_constants():
    structure = realize(legendre(5), "unit-weight").structure
    changed = scaled(structure, np.array([2.0, -3.0, 0.5, 1.0, -7.0]))
    assert [(c.name, c.matrix, c.row, c.column) for c in changed.coefficients] == [
        (c.name, c.matrix, c.row, c.column) for c in structure.coefficients
    ]
    taus = [
        (c.value, k.value)
        for c, k in zip(changed.coefficients, structure.coefficients, strict=True)
        if c.name[0] == "t"
    ]
    assert len(taus) == 5
    assert all(after == before for after, before in taus)
