"""Patterns: what they pick, and how lists of them are read."""

import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.building import build
from lmu_analog.circuits.patterns import fits, picks, read_patterns
from lmu_analog.design import Design
from lmu_analog.errors import DesignError

CIRCUIT = build(Design(order=3, theta="1 ms", opamp="OPA2192", realization="legendre"))


@given(text=st.text("ab_1", max_size=8), pattern=st.text("ab_1*?", max_size=8))
def test_stars_and_question_marks_are_those_of_the_shell(text, pattern):
    assert fits(text, pattern) == fnmatch.fnmatchcase(text, pattern)


@given(text=st.text(max_size=8))
def test_all_else_stands_for_itself(text):
    plain = text.replace("*", "").replace("?", "")
    assert fits(plain, plain)
    assert not fits(plain + "x", plain)
    assert fits("a[2,3]", "a[2,*]")
    assert not fits("a2", "a[2,*]")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("Cint_*", {"Cint_0", "Cint_1", "Cint_2"}),
        ("Ra_2_?", {"Ra_2_0", "Ra_2_1", "Ra_2_2"}),
        ("role:a[2,*]", {"Ra_2_0", "Ra_2_1", "Ra_2_2"}),
        ("kind:capacitor", {"Cint_0", "Cint_1", "Cint_2"}),
        ("kind:op-amp", {c.name for c in CIRCUIT.components if c.name.startswith("U")}),
        ("Rx_*", set()),
        ("ra_*", set()),
    ],
)
def test_components_are_picked_by_name_role_or_kind(pattern, names):
    assert {c.name for c in CIRCUIT.components if picks(pattern, c)} == names


def test_lists_are_read_with_commas_but_not_inside_brackets():
    assert read_patterns("Ra_*, role:a[2,*],lot") == ("Ra_*", "role:a[2,*]", "lot")
    assert read_patterns(["Ra_*", "Rb_*,lot"]) == ("Ra_*", "Rb_*", "lot")
    assert read_patterns([]) == ()
    assert read_patterns(("Ra_*",)) == ("Ra_*",)


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        (3, r"^a pattern such as 'Ra_\*', or a list of them, is wanted, not 3$"),
        (["Ra_*", 3], r"is wanted, not \['Ra_\*', 3\]$"),
        ("", r"^a pattern has 1 to 100 characters, and there are at most 1000 of them$"),
        ("a,,b", r"^a pattern has 1 to 100 characters"),
        ("a" * 101, r"^a pattern has 1 to 100 characters"),
        (["a"] * 1001, r"^a pattern has 1 to 100 characters"),
    ],
)
def test_what_is_no_list_of_patterns_is_refused(given_, message):
    with pytest.raises(DesignError, match=message):
        read_patterns(given_)
