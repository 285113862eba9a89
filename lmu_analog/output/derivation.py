"""An exact derivation as people read it: text for a terminal, LaTeX for a paper, JSON for a script.

The module loads SymPy, so import it where it is needed.
"""

from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from textwrap import fill
from typing import Any

from sympy import ImmutableMatrix, latex

from lmu_analog.memory.symbolic import Derivation, monic

_Term = tuple[Fraction, str]  # coefficient and symbol; the symbol of a constant is empty

WIDTH = 96  # columns of a line in the terminal
_TERMS = 8  # of a sum, on a line of LaTeX
_VERDICT = {True: "proved", False: "FAILED"}
_HARD_SPACE = "\N{NO-BREAK SPACE}"

# What each proof says, in text and in LaTeX.
_CLAIMS = {
    "pade": (
        "C (sI - A)^-1 B is this quotient, and it equals exp(-s) through s^(2d-1)",
        r"$C (sI - A)^{-1} B = p(s)/q(s) = e^{-s} + O(s^{2d})$",
    ),
    "hurwitz": (
        "every eigenvalue of A has a negative real part (Routh-Hurwitz table)",
        "every eigenvalue of $A$ has a negative real part (Routh--Hurwitz table)",
    ),
    "transform": (
        "T is invertible, T A_s = A T, T B_s = B, C T = C_s",
        r"$T$ is invertible, $T A_s = A T$, $T B_s = B$, $C T = C_s$",
    ),
    "I1": (
        "m_i' = (2i+1) ((-1)^i u - sum of m_j + 2 sum of m_j over j < i, i-j odd)",
        r"$\dot m_i = (2i+1) \bigl((-1)^i u - \sum_j m_j + 2 \sum_{j<i,\ i-j\ \mathrm{odd}} m_j\bigr)$",
    ),
    "I2": (
        "d|z|^2/dt = u^2 - (u - b.z)^2 - (c.z)^2 for z_i = m_i/sqrt(2i+1)",
        r"$\tfrac{d}{dt} |z|^2 = u^2 - (u - b^T z)^2 - (c^T z)^2$ for $z_i = m_i / \sqrt{2i+1}$",
    ),
    "I3": (
        "m_i'/(2i+1) = m_(i-2)'/(2i-3) + 2 m_(i-1) for i >= 2",
        r"$\dot m_i / (2i+1) = \dot m_{i-2} / (2i-3) + 2 m_{i-1}$ for $i \geq 2$",
    ),
    "I4": (
        "A^-1 is tridiagonal: s/(2(2j+1)), s = 1 above, -1 below and at each corner",
        r"$A^{-1}$ is tridiagonal: $s/(2(2j+1))$, $s = 1$ above, $-1$ below and at each corner",
    ),
}


def as_json(derivation: Derivation) -> dict[str, Any]:
    """Give the derivation as plain JSON values, rationals as strings such as "-5" or "1/3".

    Returns
    -------
    dict
        ``order``, ``A`` (rows, 1/theta), ``B`` (flat, 1/theta), ``pade`` (``numerator`` and
        ``denominator`` in ascending powers of theta s), ``transform`` (rows), ``proofs`` (name to bool).
    """
    sides = {"numerator": derivation.pade.numerator, "denominator": derivation.pade.denominator}
    return {
        "order": derivation.order,
        "A": _rows(derivation.A),
        "B": _strings(_numbers(derivation.B)),
        "pade": {name: _strings(coefficients) for name, coefficients in sides.items()},
        "transform": _rows(derivation.transform),
        "proofs": dict(derivation.proofs),
    }


def as_text(derivation: Derivation) -> str:
    """Write the derivation for a terminal, in ASCII: equations, Padé quotient, the five steps, proofs."""
    d = derivation.order
    equations = [f"theta m{i}' = {_plain(_rate(derivation, i, 'm{}'))}" for i in range(d)]
    tap = _plain(zip(_numbers(derivation.C), _names("m{}", d), strict=True))
    quotient = {"numerator  ": derivation.pade.numerator, "denominator": derivation.pade.denominator}
    blocks = {
        "Equations": [*equations, f"u(t - theta) ~ {tap}"],
        f"Pade quotient [{d - 1}/{d}] of exp(-s), s in units of 1/theta": [
            f"{name} = {_plain(_powers(side, 's^{}'))}" for name, side in quotient.items()
        ],
        "Derivation": [f"{n} {step}" for n, step in enumerate(_steps(derivation), start=1)],
        "Proofs (exact, theta = 1)": [
            f"{name:<9} {_VERDICT[proved]}  {_CLAIMS[name][0]}" for name, proved in derivation.proofs.items()
        ],
    }
    title = f"Legendre memory of order {d}, exact; the window theta only scales time"
    chapters = ["\n".join([head, *map(_wrapped, lines)]) for head, lines in blocks.items()]
    return "\n\n".join([title, *chapters]) + "\n"


def as_latex(derivation: Derivation) -> str:
    r"""Write the derivation as a LaTeX fragment that needs ``\usepackage{amsmath}`` and nothing else.

    Sums are broken every eight terms. Matrices are not: a page is wide enough up to about order 12.
    """
    d, scaled = derivation.order, derivation.scaled
    equations = {rf"\theta \dot m_{{{i}}}": _rate(derivation, i, "m_{{{}}}") for i in range(d)}
    tap = zip(_numbers(derivation.C), _names("m_{{{}}}", d), strict=True)
    quotient = {"p(s)": derivation.pade.numerator, "q(s)": derivation.pade.denominator}
    memory = {"A": derivation.A, "B^T": derivation.B.T, "C": derivation.C}
    form = {"A_s": scaled.A, "B_s^T": scaled.B.T, "C_s": scaled.C, "T": derivation.transform}
    parts = [
        rf"% Legendre memory of order {d}, exact. Needs \usepackage{{amsmath}}.",
        r"\begingroup\allowdisplaybreaks",
        rf"The Legendre memory of order {d}, $\theta \dot m = A m + B u$, $u(t - \theta) \approx C m$:",
        _matrices(memory),
        "Its equations, written out:",
        _aligned({**equations, r"\hat u(t - \theta)": tap}),
        rf"The $[{d - 1}/{d}]$ Pad\'e quotient $p(s)/q(s)$ of $e^{{-s}}$, $s$ in units of $1/\theta$:",
        _aligned({name: _powers(side, "s^{{{}}}") for name, side in quotient.items()}),
        r"Its scaled canonical form $\theta \dot x = A_s x + B_s u$, and the change of basis $m = T x$:",
        _matrices(form),
        r"Proofs, exact over the rationals, for $\theta = 1$:",
        r"\begin{itemize}",
        *(
            rf"\item \texttt{{{name}}}, {_VERDICT[proved]}: {_CLAIMS[name][1]}"
            for name, proved in derivation.proofs.items()
        ),
        r"\end{itemize}",
        r"\endgroup",
    ]
    return "\n".join(parts) + "\n"


def _steps(derivation: Derivation) -> list[str]:
    d, scaled, whole = derivation.order, derivation.scaled, monic(derivation.pade)
    v = [scaled.B[0, 0], *(scaled.A[i, i - 1] for i in range(1, d))]
    return [
        f"Pade: B_{d - 1}(-s)/B_{d}(s), B_m(s) = sum of C(m,i) ({2 * d - 1}-i)!/{2 * d - 1}! s^i, i <= m",
        f"monic, ascending powers: c = {_listed(whole.numerator)}; d = {_listed(whole.denominator)}",
        "canonical: first row of A_c = -d backwards, ones below its diagonal; C_c = c backwards",
        f"scaled by d_({d - 1}-i): first row of A_s all -v_0, then v_1, v_2, .. below its diagonal; C_s = w; "
        f"v = {_listed(v)}; w = {_listed(_numbers(scaled.C))}",
        "Legendre basis: m = T x, T = Ctrb(A, B) Ctrb(A_s, B_s)^-1",
    ]


def _rate(derivation: Derivation, i: int, name: str) -> list[_Term]:
    """Give the terms of theta m_i'."""
    coefficients = [*_numbers(derivation.A.row(i)), *_numbers(derivation.B.row(i))]
    return list(zip(coefficients, [*_names(name, derivation.order), "u"], strict=True))


def _powers(coefficients: Iterable[Fraction], name: str) -> list[_Term]:
    symbols = {0: "", 1: "s"}
    return [(c, symbols.get(n, name.format(n))) for n, c in enumerate(coefficients)]


def _names(name: str, count: int) -> list[str]:
    return [name.format(i) for i in range(count)]


def _signed(terms: Iterable[_Term], number: Callable[[Fraction], str]) -> Iterator[str]:
    """Write every term that is not zero with its sign, the first one without a plus."""
    lead = {True: "-", False: ""}
    for c, symbol in terms:
        if c:
            size = "" if symbol and abs(c) == 1 else number(abs(c))
            yield lead[c < 0] + f"{size} {symbol}".strip()
            lead = {True: "- ", False: "+ "}


def _plain(terms: Iterable[_Term]) -> str:
    return " ".join(term.replace(" ", _HARD_SPACE) for term in _signed(terms, str))


def _aligned(sums: dict[str, Iterable[_Term]]) -> str:
    lines: list[str] = []
    for name, terms in sums.items():
        written = list(_signed(terms, _fraction))
        pieces = [" ".join(written[k : k + _TERMS]) for k in range(0, len(written), _TERMS)]
        lines.append(f"{name} &= " + " \\\\\n&\\quad ".join(pieces))
    return "\\begin{align*}\n" + " \\\\\n".join(lines) + "\n\\end{align*}"


def _fraction(number: Fraction) -> str:
    top, bottom = number.as_integer_ratio()
    return str(top) if bottom == 1 else rf"\frac{{{top}}}{{{bottom}}}"


def _matrices(matrices: dict[str, ImmutableMatrix]) -> str:
    return "\n".join(rf"\[ {name} = {latex(matrix)} \]" for name, matrix in matrices.items())


def _wrapped(line: str) -> str:
    """Indent and wrap; a number longer than a line stays whole."""
    text = fill(
        line,
        WIDTH,
        initial_indent="  ",
        subsequent_indent="      ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return text.replace(_HARD_SPACE, " ")


def _listed(numbers: Iterable[Any]) -> str:
    return ", ".join(map(str, numbers))


def _strings(numbers: Iterable[Fraction]) -> list[str]:
    return [str(number) for number in numbers]


def _numbers(matrix: ImmutableMatrix) -> list[Fraction]:
    return [Fraction(str(entry)) for entry in matrix.flat()]


def _rows(matrix: ImmutableMatrix) -> list[list[str]]:
    return [_strings(_numbers(matrix.row(i))) for i in range(matrix.rows)]
