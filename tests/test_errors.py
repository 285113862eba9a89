"""What was given is shown in one short line, whatever it is."""

import pickle

import pytest

from lmu_analog.errors import DesignError, readable, shown


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("1 ms", "'1 ms'"),
        (1.5, "1.5"),
        (None, "None"),
        (10**5000, "a whole number of about 5001 digits"),
        (-(10**5000), "a whole number of about 5001 digits"),
        ([10**5000], "[a whole number of about 5001 digits]"),
        ("x" * 10**6, "'xxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxx'"),
        ({"a": [1, {"b": []}]}, "{'a': [1, {'b': []}]}"),
    ],
    ids=range(8),  # pytest would write the numbers out
)
def test_what_was_given_is_shown_short(given, text):
    assert shown(given) == text


def test_what_nests_without_end_is_shown_short():
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    assert len(shown(deep)) <= 40
    while deep:  # else CPython takes it down step by step in its own stack
        deep = deep.pop()


@pytest.mark.parametrize("length", [10, 40, 400])
def test_no_text_is_longer_than_asked_for(length):
    for given in ("x" * 500, ["x" * 500] * 9, {k: "y" * 100 for k in range(100)}, 10**900, b"z" * 500):
        assert len(shown(given, length)) <= length


def test_endless_lines_are_cut_and_three_are_kept():
    assert readable("a\n" * 9) == "a\na\na"
    assert len(readable("x" * 10**6)) < 400


@pytest.mark.parametrize("name", ["a\nb", "\x1e", "\u2028", "c\r"])
def test_a_wrong_design_is_told_in_one_line_whatever_a_file_is_called(name):
    error = DesignError(f"{name}: no such file")
    assert len(str(error).splitlines()) == 1
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
