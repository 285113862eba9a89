"""TOML of users is bounded in size and depth, and strings and comments may hold what they like."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_analog.errors import DesignError
from lmu_analog.files_in import DEEPEST, read_toml


def attempt(path, text):
    path.write_text(text, "utf-8")
    return read_toml(path, wanted="a design file")


@pytest.mark.parametrize(
    "text",
    [
        "\na = " + 20_000 * "[",
        "\na = " + 20_000 * "[" + 20_000 * "]",
        "\n[" + ".".join(20_000 * "a") + "]",  # seventy seconds and 1.8 GB, once
        "\n" + ".".join(20_000 * ["'a'"]) + " = 1",
        "\na = " + 1000 * "{b = ",
        "\n" + " . ".join(20 * "a") + " = 1",
    ],
    ids=range(6),
)
def test_nesting_without_end_is_refused_before_it_is_read(tmp_path, text):
    with pytest.raises(
        DesignError, match=rf"d\.toml: line 2 nests more than {DEEPEST} deep; give a design file$"
    ):
        attempt(tmp_path / "d.toml", text)


@pytest.mark.parametrize(
    "text",
    [
        'a = "' + 100 * "[" + '"',
        "a = '" + 100 * "{." + "'",
        "a = 1 # " + 100 * "[.",
        'a = """\n' + 100 * "[" + '\n"quoted" \\""""',
        "a = '''\n" + 100 * "[.\n" + "'''",
        'a = "\\"' + 100 * "[" + '"',
        "a = [" + ", ".join(100 * ["1.5"]) + "]",
        "\n".join(f"[a.b{k}.c]\nd = 1.5" for k in range(100)),
    ],
    ids=range(8),
)
def test_what_strings_and_comments_hold_does_not_nest(tmp_path, text):
    assert attempt(tmp_path / "d.toml", text) == tomllib.loads(text)


@given(text=st.text("[]{}.=\n\"'#\\a1, ", max_size=60))
def test_any_text_is_what_tomllib_makes_of_it_or_refused_in_one_line(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    try:
        wanted = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        wanted = None
    if wanted is None:
        with pytest.raises(DesignError, match=r"^[^\n]*any\.toml: [^\n]*$"):
            attempt(path, text)
    else:
        assert attempt(path, text) == wanted
