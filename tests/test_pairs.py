"""Pairs of standard values: the closest there is, and circuits that come close to the ideal with them."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.components import Capacitor, Resistor
from lmu_analog.circuits.devices.values import best_pair, members, nearest
from lmu_analog.circuits.nodal.extract import extract
from lmu_analog.circuits.ranges import counts, warnings
from lmu_analog.circuits.rounding import choose_common, paired
from lmu_analog.design import Design
from lmu_analog.errors import DesignError
from lmu_analog.mismatch.law import Mismatch, columns
from lmu_analog.simulation import simulate

DESIGN = Design(order=4, theta="1 ms", realization="legendre", values="E24")


def brute_force(value: float, series: str, summed: bool) -> float:
    """Give the smallest |log| of any pair over the value, by trying all."""
    base = 10.0 ** np.floor(np.log10(value))
    known = np.concatenate([members(series) * base * 10.0**k for k in range(-2, 3)])
    first, second = np.array(list(itertools.combinations_with_replacement(known, 2))).T
    made = first + second if summed else 1.0 / (1.0 / first + 1.0 / second)
    return float(np.abs(np.log(made / value)).min())


@given(value=st.floats(1e-12, 1e7), series=st.sampled_from(["E6", "E12", "E24"]), summed=st.booleans())
def test_no_pair_comes_closer(value, series, summed):
    pair = best_pair(value, series, summed=summed)
    # Among pairs within 1e-9 of the best, the most even one is taken.
    assert abs(np.log(pair.value / value)) == pytest.approx(brute_force(value, series, summed), abs=2e-9)
    assert pair.first == float(nearest(pair.first, series))
    assert pair.second == float(nearest(pair.second, series))


@pytest.mark.parametrize(
    ("value", "summed", "parts"),
    [(11e3, True, (10e3, 1e3)), (6.5e3, True, (4.3e3, 2.2e3)), (5e3, False, (10e3, 10e3))],
)
def test_known_pairs_are_found(value, summed, parts):
    pair = best_pair(value, "E24", summed=summed)
    assert (pair.first, pair.second) == parts
    assert pair.value == pytest.approx(value, rel=1e-12)


def single_and_paired(bound: float):
    rounded = choose_common(
        build(DESIGN.replace(values="exact")), bandwidth=DESIGN.bandwidth, resistors="E24"
    )
    return rounded, paired(rounded, "E24", bound=bound)


@pytest.mark.parametrize("bound", [1e-3, 1e-2])
def test_what_is_off_by_more_than_the_bound_is_two_parts_and_nothing_else(bound):
    rounded, circuit = single_and_paired(bound)
    off = [
        p.name
        for p, exact, value in zip(
            rounded.circuit.parameters, rounded.exact.values, rounded.circuit.values, strict=True
        )
        if abs(value / exact - 1.0) > bound
    ]
    assert off
    names = {c.name for c in circuit.components}
    assert names - {c.name for c in rounded.circuit.components} == {f"{name}_second" for name in off}
    assert counts(circuit)["resistor"] == counts(rounded.circuit)["resistor"] + sum(n[0] == "R" for n in off)
    standard = [c for c in circuit.components if isinstance(c, Resistor | Capacitor)]
    for c in standard:
        assert c.value == float(nearest(c.value, "E24" if isinstance(c, Resistor) else "E12"))


def test_pairs_bring_the_memory_close_to_the_ideal():
    rounded, circuit = single_and_paired(1e-6)
    ideal = extract(rounded.exact).A
    scale = np.abs(ideal).max()
    by_one, by_two = (np.abs(extract(c).A - ideal).max() / scale for c in (rounded.circuit, circuit))
    # E24 is within 5 %, a pair of it within some 0.3 %: a value has about 70 pairs within 10 %.
    assert by_two < 3e-3 < 1e-2 < by_one


@pytest.mark.ngspice
def test_both_engines_run_the_pairs():
    design = DESIGN.replace(order=3, pairs="0.1 %")
    exact, simulated = (simulate(design, engine=e) for e in ("exact", "ngspice"))
    np.testing.assert_allclose(simulated.states, exact.states, atol=1e-4)  # ngspice's step error


def test_both_parts_of_a_pair_deviate_by_themselves():
    design = DESIGN.replace(pairs="0.1 %", mismatch={"resistor": "1 %"})
    names = columns(build(design), Mismatch.of(design))
    second = [name for name in names if name.endswith("_second|resistor")]
    assert second
    assert {name.replace("_second|", "|") for name in second} <= set(names)


def test_halves_of_a_differential_circuit_stay_alike():
    circuit = build(DESIGN.replace(family="active-rc-differential", order=2, pairs="0.1 %"))
    values = {c.name: c.value for c in circuit.components if isinstance(c, Resistor | Capacitor)}
    mirrored = {name: name.replace("_p", "_n") for name in values if "_p" in name}
    assert mirrored
    assert all(values[a] == values[b] for a, b in mirrored.items())


def test_pairs_keep_the_limits_of_a_board_where_these_come_closer_than_one_part():
    design = Design(order=5, theta="1 ms", values="E24")
    assert warnings(build(design)) == ()
    paired_too = build(design.replace(pairs="0.5 %"))
    assert any(c.name.endswith("_second") for c in paired_too.components)
    assert warnings(paired_too) == ()


@pytest.mark.parametrize("value", [3.17e3, 11.3e3, 347e3, 990e3])
@pytest.mark.parametrize("summed", [True, False])
def test_no_pair_within_limits_comes_closer(value, summed):
    low, high = 1e3, 1e6
    pair = best_pair(value, "E24", summed=summed, limits=(low, high))
    known = nearest(np.outer(10.0 ** np.arange(3, 7), members("E24")).ravel(), "E24")
    known = known[(known <= high) & (known > 0.99e-2 * value) & (known < 101.0 * value)]
    first, second = np.array(list(itertools.combinations_with_replacement(known, 2))).T
    made = first + second if summed else 1.0 / (1.0 / first + 1.0 / second)
    assert abs(np.log(pair.value / value)) == pytest.approx(np.abs(np.log(made / value)).min(), abs=2e-9)
    assert low <= pair.second <= pair.first <= high


def test_pairs_of_exact_values_are_refused():
    with pytest.raises(
        DesignError, match=r"^\[circuit\] pairs: of which values\? give \[circuit\] values too"
    ):
        build(DESIGN.replace(values="exact", pairs="1 %"))


def test_a_family_on_a_chip_has_no_pairs():
    design = DESIGN.replace(family="gm-c")
    assert build(design.replace(pairs="0.1 %")) == build(design)


def test_standard_values_are_searched_once_for_all_that_is_built_of_a_design():
    choose_common.cache_clear()
    for design in (
        DESIGN,
        DESIGN.replace(mismatch={"resistor": "1 %"}, nrmse="5 %"),
        DESIGN.replace(pairs="1 %"),
    ):
        build(design)
    found = choose_common.cache_info()
    assert (found.misses, found.hits) == (1, 2)
    build(DESIGN.replace(values="E96"))
    assert choose_common.cache_info().misses == 2
