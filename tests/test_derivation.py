"""What is written about a derivation is read back and compared with it: text, LaTeX and JSON."""

import json
import re
from dataclasses import replace
from fractions import Fraction
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser

from lmu_analog.memory import symbolic
from lmu_analog.output.derivation import WIDTH, as_json, as_latex, as_text

derive = cache(symbolic.derive)
orders = st.integers(1, 14)
proofs = st.fixed_dictionaries({name: st.booleans() for name in derive(1).proofs})


def unwrapped(text: str) -> str:
    """Join the lines that were wrapped: they are indented further than two columns."""
    return re.sub(r"\n {6,}", " ", text)


def coefficients(written: str) -> dict[str, Fraction]:
    """Read a sum such as ``-m0 + 3/5 s^2 - 3 u`` into coefficient by symbol; a constant has the symbol ''."""
    term = re.compile(r"([-+]?) ?(\d+(?:/\d+)?)?(?:(?<=\d) (?=[a-z]))?([a-z][\w^{}]*)?")
    read: dict[str, Fraction] = {}
    position = 0
    while position < len(written):
        found = term.match(written, position)
        assert found is not None
        assert found.end() > position, f"cannot read {written[position:]!r}"
        sign, size, symbol = found.groups()
        assert (symbol or "") not in read
        read[symbol or ""] = Fraction(f"{sign}{size or 1}")
        position = found.end() + 1
    return read


def latex_sums(text: str) -> dict[str, dict[str, Fraction]]:
    """Read the sums of the ``align*`` environments: left-hand side to coefficient by symbol."""
    sums: dict[str, dict[str, Fraction]] = {}
    for block in re.findall(r"\\begin{align\*}\n(.*?)\n\\end{align\*}", text, re.DOTALL):
        for line in block.replace(" \\\\\n&\\quad", "").split(" \\\\\n"):
            name, _, written = line.partition(" &= ")
            sums[name] = coefficients(re.sub(r"\\frac{(\d+)}{(\d+)}", r"\1/\2", written))
    return sums


def latex_matrix(text: str, name: str) -> list[list[Fraction]]:
    (body,) = re.findall(rf"\\\[ {re.escape(name)} = .*?\\begin{{\w+}}(?:{{c+}})?(.*?)\\end", text)
    plain = re.sub(r"\\frac{(\d+)}{(\d+)}", r"\1/\2", body).replace("- ", "-")
    return [[Fraction(cell.strip()) for cell in row.split("&")] for row in plain.split(r"\\")]


# --- text -----------------------------------------------------------------------------------------


def test_order_three_reads_like_this():
    text = as_text(derive(3))
    assert "  theta m0' = -m0 - m1 - m2 + u\n" in text
    assert "  theta m1' = 3 m0 - 3 m1 - 3 m2 - 3 u\n" in text
    assert "  theta m2' = -5 m0 + 5 m1 - 5 m2 + 5 u\n" in text
    assert "  u(t - theta) ~ m0 + m1 + m2\n" in text
    assert "  numerator   = 1 - 2/5 s + 1/20 s^2\n" in text
    assert "  denominator = 1 + 3/5 s + 3/20 s^2 + 1/60 s^3\n" in text
    assert "d = 60, 36, 9, 1\n" in text
    assert "v = 9, 4, 5/3; w = 1/3, -2/3, 1\n" in text


@given(order=orders)
def test_the_equations_in_the_text_are_a_and_b(order: int):
    derivation = derive(order)
    lines = re.findall(r"^  theta m(\d+)' = (.*)$", unwrapped(as_text(derivation)), re.MULTILINE)
    assert [int(i) for i, _ in lines] == list(range(order))
    for i, written in lines:
        expected = {f"m{j}": a for j, a in enumerate(derivation.A.row(int(i)).flat())}
        assert coefficients(written) == {**expected, "u": derivation.B[int(i)]}


@given(order=orders)
def test_the_quotient_in_the_text_is_the_pade_quotient(order: int):
    derivation = derive(order)
    for name in ("numerator", "denominator"):
        (written,) = re.findall(rf"^  {name} *= (.*)$", unwrapped(as_text(derivation)), re.MULTILINE)
        # Powers rise and no coefficient is zero, so the values in order are the coefficients.
        assert tuple(coefficients(written).values()) == getattr(derivation.pade, name)


@given(order=orders)
def test_the_text_has_five_steps_and_fits_a_plain_terminal(order: int):
    text = as_text(derive(order))
    assert re.findall(r"^  (\d) [A-Za-z]", text, re.MULTILINE) == list("12345")
    assert text.isascii()
    assert max(map(len, text.splitlines())) <= WIDTH


def test_only_a_single_number_may_be_longer_than_a_line():
    long = [line for line in as_text(derive(48)).splitlines() if len(line) > WIDTH]
    assert long
    assert all(re.fullmatch(r" {6}([-+] )?-?[\d/]+([,;]| s\^\d+)", line) for line in long), long


@given(outcome=proofs)
def test_the_text_says_which_proofs_failed(outcome: dict[str, bool]):
    text = as_text(replace(derive(3), proofs=outcome))
    words = dict(re.findall(r"^  (\w+) +(proved|FAILED)  \w", text, re.MULTILINE))
    assert words == {name: "proved" if proved else "FAILED" for name, proved in outcome.items()}


# --- LaTeX ----------------------------------------------------------------------------------------


@given(order=orders)
def test_the_equations_in_latex_are_a_and_b(order: int):
    derivation = derive(order)
    sums = latex_sums(as_latex(derivation))
    for i in range(order):
        expected = {f"m_{{{j}}}": a for j, a in enumerate(derivation.A.row(i).flat())}
        assert sums[rf"\theta \dot m_{{{i}}}"] == {**expected, "u": derivation.B[i]}


@given(order=orders)
def test_the_quotient_in_latex_is_the_pade_quotient(order: int):
    derivation = derive(order)
    sums = latex_sums(as_latex(derivation))
    assert tuple(sums["p(s)"].values()) == derivation.pade.numerator
    assert tuple(sums["q(s)"].values()) == derivation.pade.denominator


@given(order=orders)
def test_the_matrices_in_latex_are_those_of_the_derivation(order: int):
    derivation = derive(order)
    text = as_latex(derivation)
    assert latex_matrix(text, "A") == derivation.A.tolist()
    assert latex_matrix(text, "A_s") == derivation.scaled.A.tolist()
    assert latex_matrix(text, "T") == derivation.transform.tolist()


@pytest.mark.parametrize("order", [1, 2, 10, 11, 24])
def test_latex_closes_what_it_opens(order: int):
    text = as_latex(derive(order))
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end){(\w+\*?)}", text):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    for left, right in ((r"{", r"}"), (r"\\left\b", r"\\right\b"), (r"\\\[", r"\\\]")):
        assert len(re.findall(left, text)) == len(re.findall(right, text))
    assert len(re.findall(r"\$", text)) % 2 == 0


@pytest.mark.parametrize("order", [10, 11])
def test_no_latex_matrix_has_more_columns_than_amsmath_allows(order: int):
    # MaxMatrixCols of amsmath is 10; an array counts its columns itself.
    text = as_latex(derive(order))
    assert (r"\begin{matrix}" in text) == (order <= 10)


@pytest.mark.parametrize("order", [1, 3, 12])
def test_matplotlib_can_set_the_sums_and_the_claims(order: int):
    text = as_latex(derive(order))
    blocks = re.findall(r"\\begin{align\*}\n(.*?)\n\\end", text, re.DOTALL)
    rows = [row for block in blocks for row in block.splitlines()]
    formulas = [row.removesuffix(r"\\").replace("&", "") for row in rows] + re.findall(r"\$(.*?)\$", text)
    assert len(formulas) > order
    for formula in formulas:
        # Matplotlib's mathtext knows no \tfrac and no \bigl; LaTeX does.
        simple = formula.replace(r"\tfrac", r"\frac").replace(r"\bigl", "").replace(r"\bigr", "")
        MathTextParser("path").parse(f"${simple}$")


@given(outcome=proofs)
def test_latex_says_which_proofs_failed(outcome: dict[str, bool]):
    text = as_latex(replace(derive(3), proofs=outcome))
    words = dict(re.findall(r"\\item \\texttt{(\w+)}, (proved|FAILED): ", text))
    assert words == {name: "proved" if proved else "FAILED" for name, proved in outcome.items()}


# --- JSON -----------------------------------------------------------------------------------------


def test_json_of_order_two_is_this():
    assert as_json(derive(2)) == {
        "order": 2,
        "A": [["-1", "-1"], ["3", "-3"]],
        "B": ["1", "-3"],
        "pade": {"numerator": ["1", "-1/3"], "denominator": ["1", "2/3", "1/6"]},
        "transform": [["1/4", "1"], ["-3/4", "0"]],
        "proofs": dict.fromkeys(["pade", "hurwitz", "transform", "I1", "I2", "I3", "I4"], True),
    }


@given(order=orders)
def test_json_gives_the_exact_numbers_back(order: int):
    derivation = derive(order)
    data = json.loads(json.dumps(as_json(derivation)))
    assert [[Fraction(a) for a in row] for row in data["A"]] == derivation.A.tolist()
    assert [Fraction(b) for b in data["B"]] == derivation.B.flat()
    assert [[Fraction(t) for t in row] for row in data["transform"]] == derivation.transform.tolist()
    assert tuple(map(Fraction, data["pade"]["numerator"])) == derivation.pade.numerator
    assert tuple(map(Fraction, data["pade"]["denominator"])) == derivation.pade.denominator


@given(outcome=proofs)
def test_json_carries_the_proofs_as_they_are(outcome: dict[str, bool]):
    assert as_json(replace(derive(2), proofs=outcome))["proofs"] == outcome
