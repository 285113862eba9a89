"""Expressions in SPICE models: what ngspice's functions are, what PSpice and LTspice have beside, how long they grow.

ngspice without a compatibility mode, which a deck cannot switch on, fails at ``if(...)``, takes ``limit(...)`` for a
random number, and raises the absolute value where a negative number has an odd power. The missing functions are
``.func`` cards for the subcircuit that uses them; all were compared in ngspice 39 with their definitions in PSpice and
LTspice, in behavioural sources and in parameters.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from lmu_analog.errors import DesignError

ONE_VALUE = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "ddt", "eq0", "exp", "floor",
    "ge0", "gt0", "le0", "ln", "log", "log10", "lt0", "ne0", "nint", "sgn", "sin", "sinh", "sqrt", "tan", "tanh", "u",
    "u2",
)  # fmt: skip
KNOWN = {**dict.fromkeys(ONE_VALUE, 1), "max": 2, "min": 2, "pow": 2, "ternary_fcn": 3}
ADDED = {
    "limit": (("x", "p", "q"), "min(max(x,p),q)"),
    "if": (("c", "p", "q"), "ternary_fcn(c,p,q)"),
    "pwr": (("x", "y"), "pow(abs(x),y)"),  # ngspice's own keeps the sign in sources, and not in parameters
    "pwrs": (("x", "y"), "sgn(x)*pow(abs(x),y)"),
    "uramp": (("x",), "max(x,0)"),
    "stp": (("x",), "ternary_fcn(x>0,1,0)"),
    "buf": (("x",), "ternary_fcn(x>0.5,1,0)"),
    "inv": (("x",), "ternary_fcn(x>0.5,0,1)"),
    "int": (("x",), "sgn(x)*floor(abs(x))"),
    "round": (("x",), "nint(x)"),
    "sqr": (("x",), "(x)*(x)"),
    "hypot": (("x", "y"), "sqrt((x)*(x)+(y)*(y))"),
    "arcsin": (("x",), "asin(x)"),
    "arccos": (("x",), "acos(x)"),
    "arctan": (("x",), "atan(x)"),
}
# In ngspice only some of them, and only in behavioural sources; TEMP is that of all our decks, 27 C.
CONSTANTS = {
    "temp": "27",
    "pi": "3.141592653589793",
    "boltz": "1.380649e-23",
    "echarge": "1.602176634e-19",
    "planck": "6.62607015e-34",
    "kelvin": "-273.15",
}
RANDOM = frozenset({"agauss", "gauss", "unif", "aunif", "flat", "mc", "rnd", "rand", "random", "white"})
TABLES = ("table", "tbl", "pwl")
PROBES = ("v", "i")  # what stands in their brackets are nodes and devices
# What stands before a bracket elsewhere on a card: ngspice expands a function wherever it meets its name.
CARD_WORDS = frozenset({
    "sin", "pulse", "exp", "pwl", "sffm", "am", "poly", "table", "value", "vol", "cur", "v", "i", "r", "c", "l", "d",
    "npn", "pnp", "njf", "pjf", "nmf", "pmf", "nmos", "pmos", "vdmos", "sw", "csw", "trnoise", "trrandom", "external",
})  # fmt: skip
TAKEN = CARD_WORDS | KNOWN.keys()
TOKEN = re.compile(
    r"\s*((?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?[a-z\d_]*|[a-z_]\w*|\*\*|&&|\|\||[<>=!]=|\S)", re.IGNORECASE
)
NUMBER = re.compile(r"([-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)(meg|mil|[tgkmunpf])?[a-z]*", re.IGNORECASE)
PREFIXES = {"t": 1e12, "g": 1e9, "meg": 1e6, "k": 1e3, "mil": 25.4e-6, "m": 1e-3, "u": 1e-6, "n": 1e-9, "p": 1e-12,
            "f": 1e-15}  # fmt: skip
SINGLE = {"&": "&&", "|": "||", "~": "!"}  # as PSpice and LTspice write them
DEEPEST = 50  # brackets within brackets
LONGEST = 100_000  # characters of an expression once functions are put in
ENDLESS = 10**18  # where counting them stops


@dataclass(frozen=True)
class Function:
    """A ``.func`` of a model: its name there, its arguments and its body, as they stand."""

    name: str
    arguments: tuple[str, ...]
    body: str

    @property
    def written(self) -> str:
        """The name that ngspice sees: one of its own words would change sources and models, too."""
        return f"user_{self.name}" if self.name in TAKEN else self.name


@dataclass(frozen=True)
class Expression:
    """An expression as ngspice reads it.

    Attributes
    ----------
    text : str
    length : int
        Characters once all functions are put in, without the arguments that ``weights`` counts.
    weights : dict
        How often every argument of the function around it stands there then.
    added : frozenset of str
        Names out of ``ADDED`` and ``CONSTANTS`` that it uses.
    """

    text: str
    length: int
    weights: dict[str, int] = field(default_factory=dict)
    added: frozenset[str] = frozenset()


def added_card(name: str) -> str:
    """Write the card of a function or constant that ngspice lacks."""
    if name in CONSTANTS:
        return f".param {name}={CONSTANTS[name]}"
    arguments, body = ADDED[name]
    return f".func {name}({','.join(arguments)}) {{{body}}}"


def number(text: str) -> float | None:
    """Read a SPICE number (``1meg``, ``10uF``), or give None if it is none."""
    found = NUMBER.fullmatch(text.strip())
    if not found:
        return None
    return float(found[1]) * PREFIXES.get((found[2] or "").lower(), 1.0)


def translate(
    text: str,
    functions: Mapping[str, Function],
    arguments: tuple[str, ...] = (),
    *,
    bodies: dict[str, Expression] | None = None,
) -> Expression:
    """Write an expression in ngspice's words.

    Parameters
    ----------
    text : str
        Without the braces around it.
    functions : dict of lower-case name to Function
        What the model defines itself; they come before those of ngspice.
    arguments : tuple of str
        Of the function whose body it is.
    bodies : dict, optional
        Bodies of the functions that were read before, to which others are added.

    Raises
    ------
    DesignError
        For functions that are unknown, random, call themselves or have another number of values, for brackets that
        do not match, and for what grows beyond ``LONGEST``.
    """
    reader = _Reader(text, functions, arguments)
    reader.bodies = {} if bodies is None else bodies
    found = reader.whole()
    if found.length > LONGEST:
        raise DesignError(f"its functions grow to {found.length:.3g} characters; at most {LONGEST} are read")
    return found


class _Reader:
    """One pass over the tokens of an expression; brackets are read by recursion, up to ``DEEPEST``."""

    def __init__(
        self,
        text: str,
        functions: Mapping[str, Function],
        arguments: tuple[str, ...],
        outer: "_Reader | None" = None,
        name: str = "",
    ) -> None:
        self.tokens = TOKEN.findall(text)
        self.at = 0
        self.functions = functions
        self.arguments = [a.lower() for a in arguments]
        self.depth = outer.depth if outer else 0
        self.within: tuple[str, ...] = (*outer.within, name) if outer else ()
        self.bodies: dict[str, Expression] = outer.bodies if outer else {}  # else they were read 2^n times

    def whole(self) -> Expression:
        parts = self.sequence("")
        if self.at < len(self.tokens):
            raise DesignError(f"a bracket {self.tokens[self.at]!r} too many")
        return _joined(parts, ",")

    def sequence(self, closing: str) -> list[Expression]:
        """Read up to a bracket, or to the end: expressions between commas."""
        self.depth += 1
        if self.depth > DEEPEST:
            raise DesignError(f"brackets lie more than {DEEPEST} deep")
        parts: list[list[Expression]] = [[]]
        while self.at < len(self.tokens) and self.tokens[self.at] not in (")", "]"):
            token = self.take()
            if token == ",":
                parts.append([])
            elif token in ("**", "^"):
                self.power(parts[-1], token)
            else:
                parts[-1].append(self.item(token))
        if closing and (self.at >= len(self.tokens) or self.take() != closing):
            raise DesignError(f"a bracket {closing!r} is missing")
        self.depth -= 1
        return [_joined(part, "") for part in parts]

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def item(self, token: str) -> Expression:
        name = token.lower()
        called = self.at < len(self.tokens) and self.tokens[self.at] == "("
        if token == "(":
            inner = _joined(self.sequence(")"), ",")
            return Expression(f"({inner.text})", inner.length + 2, inner.weights, inner.added)
        if re.match(r"[a-z_]", name) and called:
            self.take()
            return self.probe(token) if name in PROBES else self.call(name, self.sequence(")"))
        if name in self.arguments:
            return Expression(token, 0, {name: 1})
        text = SINGLE.get(token, token)
        return Expression(text, len(text), added=frozenset({name} & CONSTANTS.keys()))

    def probe(self, token: str) -> Expression:
        """Copy what is between brackets: names of nodes hold any characters."""
        start = self.at
        while self.at < len(self.tokens) and self.tokens[self.at] != ")":
            self.at += 1
        if self.at == len(self.tokens):
            raise DesignError("a bracket ')' is missing")
        text = f"{token}({''.join(self.tokens[start : self.at])})"
        self.at += 1
        return Expression(text, len(text))

    def power(self, before: list[Expression], token: str) -> None:
        """Keep the sign of odd powers, which ngspice's ** loses; others stay as they are."""
        exponent = number(self.tokens[self.at]) if self.at < len(self.tokens) else None
        if exponent is None or exponent % 2.0 != 1.0 or not before or before[-1].text in ("+", "-", "*", "/"):
            before.append(Expression(token, len(token)))
            return
        taken = self.take()
        before.append(self.call("pwrs", [before.pop(), Expression(taken, len(taken))]))

    def call(self, name: str, values: list[Expression]) -> Expression:
        if values == [Expression("", 0)]:
            values = []
        if name in self.functions:
            return self.call_own(self.functions[name], values)
        if name in TABLES:
            return _table(name, values)
        if name in RANDOM:
            raise DesignError(f"function {name!r} draws random numbers; give a fixed one")
        if name == "pow" and len(values) == 2 and (number(values[1].text) or 0.0) % 2.0 == 1.0:
            name = "pwrs"
        if name in ADDED:
            arguments, body = ADDED[name]
            _check_count(name, len(values), len(arguments))
            inner = _Reader(body, {}, arguments).whole()
            called = _put_in(name, inner, arguments, values)
            return Expression(called.text, called.length, called.weights, called.added | {name})
        if name in KNOWN:
            _check_count(name, len(values), KNOWN[name])
            inner = _joined(values, ",")
            return Expression(
                f"{name}({inner.text})", len(name) + 2 + inner.length, inner.weights, inner.added
            )
        raise DesignError(
            f"ngspice has no function {name[:40]!r}; define it with .func, or write it with those that there are: "
            "min, max, limit, if, tanh and so on"
        )

    def call_own(self, function: Function, values: list[Expression]) -> Expression:
        if function.name in self.within:
            raise DesignError(f"function {function.name!r} calls itself")
        _check_count(function.name, len(values), len(function.arguments))
        if function.name not in self.bodies:
            reader = _Reader(function.body, self.functions, function.arguments, self, function.name)
            self.bodies[function.name] = reader.whole()
        # What a function needs beside, its own card says: where it stands.
        return _put_in(function.written, self.bodies[function.name], function.arguments, values)


def _check_count(name: str, given: int, wanted: int) -> None:
    if given != wanted:
        raise DesignError(f"function {name!r} takes {wanted} value{'s'[: wanted != 1]}, not {given}")


def _put_in(name: str, inner: Expression, arguments: tuple[str, ...], values: list[Expression]) -> Expression:
    """Write a call, and count how long it is once the function's body stands in its place."""
    length, weights = inner.length, dict[str, int]()
    for argument, value in zip(arguments, values, strict=True):
        times = inner.weights.get(argument.lower(), 0)
        length = min(ENDLESS, length + times * value.length)
        for outer, count in value.weights.items():
            weights[outer] = min(ENDLESS, weights.get(outer, 0) + times * count)
    joined = _joined(values, ",")
    return Expression(f"{name}({joined.text})", length, weights, joined.added)


def _joined(parts: list[Expression], between: str) -> Expression:
    weights: dict[str, int] = {}
    for part in parts:
        for name, count in part.weights.items():
            weights[name] = weights.get(name, 0) + count
    return Expression(
        between.join(part.text for part in parts),
        sum(part.length for part in parts) + len(between) * max(0, len(parts) - 1),
        weights,
        frozenset[str]().union(*(part.added for part in parts)),
    )


def _table(name: str, values: list[Expression]) -> Expression:
    """Write a table as ngspice's pwl, which goes on along its first and last pieces where a table stays."""
    points = [number(value.text) for value in values[1:]]
    if len(points) < 4 or len(points) % 2 or None in points:
        raise DesignError(f"function {name!r} takes a value and two or more pairs of plain numbers")
    xs = [p for p in points[::2] if p is not None]
    if any(b <= a for a, b in zip(xs, xs[1:], strict=False)):
        raise DesignError(f"function {name!r}: its points must rise, they are {xs[:5]}")
    given = [value.text for value in values[1:]]
    if name != "pwl":
        reach = max(1.0, xs[-1] - xs[0])
        given = [repr(xs[0] - reach), given[1], *given, repr(xs[-1] + reach), given[-1]]
    text = f"pwl({values[0].text},{','.join(given)})"
    return Expression(text, values[0].length + len(text), values[0].weights, values[0].added)
