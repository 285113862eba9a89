"""Standard values: the series of IEC 60063 by their defining values, and what rounding to them costs."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.circuit import with_values
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import SERIES, around, members, nearest
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.rounding import choose_common
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.memory.statespace import frequency_response
from lmu_analog.theory.rounding import rounding_errors

positive = st.floats(1e-12, 1e9)
# Members that people know; 9.20 and not 9.19 is the exception of the standard.
KNOWN = {
    "E6": {1.0, 1.5, 2.2, 3.3, 4.7, 6.8},
    "E12": {1.2, 2.7, 3.9, 5.6, 8.2},
    "E24": {1.1, 1.3, 2.0, 2.4, 3.0, 5.1, 7.5, 9.1},
    "E48": {1.05, 1.21, 4.87, 9.53},
    "E96": {1.02, 4.99, 4.75, 9.76},
    "E192": {1.01, 9.09, 9.20, 9.31, 9.88},
}


@pytest.mark.parametrize("series", SERIES)
def test_a_series_has_its_number_of_rising_values_and_the_known_members(series):
    values = members(series)
    assert len(values) == int(series[1:])
    assert (np.diff(values) > 0).all()
    assert values[0] == 1.0
    assert values[-1] < 10.0
    assert set(values) >= KNOWN[series]


@pytest.mark.parametrize(("coarse", "fine"), [("E6", "E12"), ("E12", "E24"), ("E48", "E96"), ("E96", "E192")])
def test_a_finer_series_holds_the_coarser_one(coarse, fine):
    assert set(members(coarse)) <= set(members(fine))


@pytest.mark.parametrize("series", SERIES)
def test_fine_series_are_within_their_tolerance_of_the_geometric_progression(series):
    ideal = 10 ** (np.arange(int(series[1:])) / int(series[1:]))
    # Rounded to two digits (3.3 became 3.3 for 3.16, the largest error) or three, half a digit each.
    np.testing.assert_allclose(members(series), ideal, rtol=0.05 if int(series[1:]) <= 24 else 0.0051)


@given(value=positive, series=st.sampled_from(SERIES))
def test_the_nearest_value_is_a_member_and_none_is_closer(value, series):
    found = float(nearest(value, series))
    decades = 10.0 ** np.arange(-14, 12)
    everything = np.outer(decades, members(series)).ravel()
    distance = np.abs(np.log(everything / value))
    assert abs(np.log(found / value)) <= distance.min() + 1e-12  # two logarithms
    assert np.abs(everything / found - 1).min() < 1e-12


@given(decade=st.integers(-12, 6), series=st.sampled_from(SERIES))
def test_members_round_to_themselves_as_decimals_are_read(decade, series):
    values = np.array([float(f"{m!r}e{decade}") for m in members(series).tolist()])
    np.testing.assert_array_equal(nearest(values, series), values)


def test_half_a_decade_on_either_side_holds_a_series_once():
    for value in (1e-9, 4.7e-10, 3.3e3):
        assert len(around(value, "E12")) in (12, 13)
        assert np.isclose(around(value, "E12"), value, rtol=1e-12).any()


def test_an_unknown_series_is_refused():
    with pytest.raises(DesignError, match=r"^unknown series 'E7'; known are E6, E12, E24, E48, E96, E192$"):
        members("E7")


# docs/reference-figures.md: legendre with equal C_i, best and median over R_0, %; cap-feedforward E24 at 12.
PUBLISHED = {
    ("legendre", 6, "E24"): (1.1, 3.6),
    ("legendre", 12, "E24"): (2.95, 7.2),
    ("legendre", 24, "E24"): (5.7, 13.0),
    ("legendre", 6, "E96"): (0.12, 0.84),
    ("legendre", 12, "E96"): (0.72, 2.3),
    ("cap-feedforward", 12, "E24"): (3.2, 8.2),
}
BAND = {6: 6.46, 12: 17.3, 24: 40.2}  # w_m theta, docs/reference-figures.md


@pytest.mark.parametrize(("realization", "order", "series"), PUBLISHED)
def test_the_cost_of_rounding_is_the_published_one(realization, order, series):
    errors = rounding_errors(order, series, realization=realization, bandwidth=BAND[order] / (2 * np.pi))
    best, median = PUBLISHED[realization, order, series]
    assert errors.shape == (100,)
    assert 100 * np.median(errors) == pytest.approx(median, rel=0.05)
    # The smallest of a hundred depends on where the grid of R_0 starts.
    assert best / 1.6 < 100 * errors.min() < 1.6 * best


CASES = [
    ("active-rc", "legendre"), ("active-rc", "cap-feedforward"), ("active-rc", "bus-ladder"),
    ("active-rc-differential", "cap-feedforward"), ("rc-synapse", "unit-weight"),
]  # fmt: skip


@pytest.mark.parametrize("series", ["E24", "E96"])
@pytest.mark.parametrize(("family", "realization"), CASES)
def test_every_value_is_standard_and_the_search_beats_plain_rounding(family, realization, series):
    design = Design(order=6, theta="1 ms", family=family, realization=realization, capacitance="1 nF")
    found = choose_common(build(design), bandwidth=design.bandwidth, resistors=series)
    for c in found.circuit.components:
        if isinstance(c, Resistor | Capacitor):
            standard = nearest(c.value, series if isinstance(c, Resistor) else "E12")
            assert c.value == standard
    assert found.after <= found.before
    if series == "E24":  # a search takes long: that building makes the same one is seen once a family
        assert build(design.replace(values=series)) == found.circuit


def test_the_search_gains_a_factor_of_two_on_a_dense_matrix():
    design = Design(order=6, theta="1 ms", realization="legendre")
    found = choose_common(build(design), bandwidth=design.bandwidth, resistors="E24")
    assert found.after < found.before / 2
    assert found.before < 0.1


def test_another_level_at_a_node_leaves_the_response_alone():
    # What the search relies on: around one virtual ground, R times k and C over k.
    circuit = build(Design(order=4, theta="1 ms"))
    names = [p.name for p in circuit.parameters]
    values = circuit.values.copy()
    for c in circuit.components:
        if isinstance(c, Resistor | Capacitor) and "g2" in (c.a, c.b):
            values[names.index(c.name)] *= 3.0 if isinstance(c, Resistor) else 1 / 3.0
    f = np.array([10.0, 500.0])
    changed, plain = (frequency_response(extract(c), f) for c in (with_values(circuit, values), circuit))
    np.testing.assert_allclose(changed, plain, rtol=1e-11, atol=1e-13)  # two extractions


def test_the_halves_of_a_differential_circuit_stay_alike():
    circuit = build(Design(order=4, theta="1 ms", family="active-rc-differential", values="E24"))
    values = {c.name: c.value for c in circuit.components if isinstance(c, Resistor | Capacitor)}
    assert values == {n[:-1] + ("n" if n[-1] == "p" else "p"): v for n, v in values.items()}


def test_what_is_on_a_chip_keeps_its_values():
    design = Design(order=3, theta="1 ms", family="gm-c")
    assert build(design.replace(values="E24")) == build(design)


@pytest.mark.parametrize(
    ("family", "realization"),
    [("active-rc", "orthonormal"), ("active-rc-differential", "bus-ladder"), ("rc-synapse", "unit-weight")],
)
def test_rounding_does_not_choose_between_equally_good_values(family, realization):
    """Another processor's last digits are other digits: the same standard values for all of them."""
    circuit = build(Design(order=2, theta="1 ms", family=family, realization=realization))
    chosen = choose_common(circuit, bandwidth=1e3, resistors="E24").circuit.values
    rng = np.random.default_rng(0)
    for _ in range(3):
        noisy = with_values(
            circuit, circuit.values * (1.0 + 1e-15 * rng.standard_normal(len(circuit.values)))
        )
        again = choose_common(noisy, bandwidth=1e3, resistors="E24").circuit.values
        # Neighbours in a series are 5 % apart; transconductors, which have none, keep their noise.
        np.testing.assert_allclose(again, chosen, rtol=1e-13)
