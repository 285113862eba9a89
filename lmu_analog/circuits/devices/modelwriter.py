"""Subcircuits of users' models in ngspice's words, each with what it needs of the file around it.

What a file defines outside of subcircuits is global in a deck: here it moves into those that use it.
"""

import re
from collections.abc import Collection, Iterator

from lmu_analog.circuits.devices.expressions import (
    CONSTANTS,
    Expression,
    Function,
    added_card,
    number,
    translate,
)
from lmu_analog.circuits.devices.modelcards import SWITCHES, Line, Model, Scope, at, braced
from lmu_analog.errors import DesignError

LARGEST_MODEL = 50_000  # elements once all subcircuits are expanded; a model has tens or hundreds
LONG = 200  # characters of an expression that count as one element more
MOST_INPUTS = 20  # of a polynomial
NOT_NGSPICE = {
    "laplace": "a transfer function of s",
    "freq": "a table over frequency",
    "chebyshev": "a filter",
}
CLEAN = re.compile(r"[a-z][a-z0-9_.-]{0,60}")
OURS = ("op_", "ota_")  # what our decks call their own subcircuits begins so

Key = tuple[str, str]  # kind and lower-case name of a definition


class Writer:
    """Writes subcircuits in ngspice's words."""

    def __init__(self, subcircuits: dict[str, Scope]) -> None:
        self.subcircuits = subcircuits
        self.names = _clean_names(subcircuits)
        self.lengths: dict[str, int] = {}  # what a subcircuit's own cards count
        self.functions: dict[int, dict[str, Function]] = {}  # seen from a scope
        self.bodies: dict[int, dict[str, Expression]] = {}  # of them, as far as they were called

    def name(self, scope: Scope) -> str:
        """Give the name under which a subcircuit stands in the text."""
        return self.names[scope.name.lower()]

    def reached(self, wanted: Scope) -> list[Scope]:
        """Give all subcircuits that one needs, itself first; refuse what is missing or calls itself."""
        order: list[Scope] = []
        state: dict[str, bool] = {}  # False while it is being resolved
        stack: list[tuple[Scope, Iterator[tuple[Line, str]]]] = [(wanted, self._calls(wanted))]
        state[wanted.name.lower()] = False
        order.append(wanted)
        while stack:
            scope, calls = stack[-1]
            step = next(calls, None)
            if step is None:
                state[scope.name.lower()] = True
                stack.pop()
                continue
            line, called = step
            if called not in self.subcircuits:
                raise at(line, DesignError(f"subcircuit {called[:40]!r} is not in the file"))
            if state.get(called) is False:
                raise at(line, DesignError(f"subcircuit {called[:40]!r} contains itself"))
            if called not in state:
                state[called] = False
                order.append(self.subcircuits[called])
                stack.append((self.subcircuits[called], self._calls(self.subcircuits[called])))
        # A subcircuit that is defined within another is written with it.
        outermost = [next(s for s in reversed(list(scope.scopes())[:-1])) for scope in order]
        return list(dict.fromkeys(outermost))

    def _calls(self, scope: Scope) -> Iterator[tuple[Line, str]]:
        for line in scope.body:
            if line[2][0] in "xX":
                words = line[2].lower().split()
                yield line, words[k] if (k := _called(words)) else ""

    def size(self, wanted: Scope) -> int:
        """Count elements once all is expanded, long expressions more than once."""
        known: dict[str, int] = {}
        stack = [wanted]
        while stack:
            scope = stack[-1]
            calls = [(line, name) for line, name in self._calls(scope)]
            waiting = [self.subcircuits[name] for _, name in calls if name not in known]
            if waiting:
                stack.extend(waiting)
                continue
            total = self.lengths.get(scope.name.lower(), 0)
            for line, name in [*calls, (scope.line, "")]:
                total += known.get(name, 0)
                if total > LARGEST_MODEL:
                    raise at(
                        line, DesignError(f"the model grows beyond {LARGEST_MODEL} elements once expanded")
                    )
            known[scope.name.lower()] = total
            stack.pop()
        return known[wanted.name.lower()]

    def subcircuit(self, scope: Scope, root: Scope) -> list[str]:
        """Write a subcircuit with what it needs of the file around it."""
        body: list[str] = []
        added: set[str] = set()
        for inner in scope.inner.values():
            body += self.subcircuit(inner, root)
        lengths = 0
        for line in scope.body:
            try:
                texts, names, length = self._element(line[2], scope)
            except DesignError as error:
                raise at(line, error) from None
            body += texts
            added |= names
            lengths += 1 + length // LONG
        self.lengths[scope.name.lower()] = max(1, lengths)
        head, names = self._head(scope)
        taken, more = self._definitions(scope, root, f"{head}\n" + "\n".join(body))
        added |= names | more
        defined = {w.partition("=")[0].lower() for w in scope.defaults.split()} | scope.params.keys()
        added -= CONSTANTS.keys() & (defined | root.params.keys())
        return [head, *taken, *(added_card(name) for name in sorted(added)), *body, ".ends"]

    def _seen(self, scope: Scope) -> dict[str, Function]:
        if id(scope) not in self.functions:
            self.functions[id(scope)] = scope.seen()
            self.bodies[id(scope)] = {}
        return self.functions[id(scope)]

    def _head(self, scope: Scope) -> tuple[str, set[str]]:
        word = scope.line[2].split()[0]
        try:
            defaults, added, _ = self._in_braces(scope.defaults, scope)
        except DesignError as error:
            raise at(scope.line, error) from None
        clean = self.name(scope)
        name = scope.name if clean == scope.name.lower() else clean
        return " ".join([word, name, *scope.pins, *([defaults] if defaults else [])]), added

    def _definitions(self, scope: Scope, root: Scope, text: str) -> tuple[list[str], set[str]]:
        """Write parameters, functions and models: the subcircuit's own, and those of the file that it uses."""
        mine = {w.partition("=")[0].lower() for w in scope.defaults.split() if "=" in w}
        found: dict[Key, str] = {}
        added: set[str] = set()
        own = [(kind, name) for kind, names in _kinds(scope) for name in names]
        owned = set(own)
        # One defined within another sees the file through it.
        above = dict(_kinds(root)) if scope.outer is root else {}
        waiting: list[tuple[Key, Scope]] = [(key, scope) for key in own]
        words = _words(text)
        visited: set[str] = set()
        while waiting or words:
            for name in sorted(words - visited):
                visited.add(name)
                waiting += [
                    ((kind, name), root)
                    for kind, names in above.items()
                    if name in names and (kind, name) not in owned and not (kind == "param" and name in mine)
                ]
            words = set()
            for key, source in waiting:
                if key not in found:
                    found[key], names = self._definition(*key, source, scope)
                    added |= names
                    words |= _words(found[key])
            waiting = []
        order = {kind: k for k, kind in enumerate(("param", "function", "model"))}
        return [found[key] for key in sorted(found, key=lambda key: order[key[0]]) if found[key]], added

    def _definition(self, kind: str, name: str, source: Scope, seen_from: Scope) -> tuple[str, set[str]]:
        functions = self._seen(seen_from)
        bodies = self.bodies[id(seen_from)]
        line = {"param": source.params, "function": source.functions, "model": source.models}[kind][name][0]
        try:
            if kind == "param":
                _, written, value = source.params[name]
                found = translate(value, functions, bodies=bodies)
                plain = number(value) is not None
                return f".param {written}={value if plain else f'{{{found.text}}}'}", set(found.added)
            if kind == "function":
                function = source.functions[name][1]
                found = translate(function.body, functions, function.arguments, bodies=bodies)
                return (
                    f".func {function.written}({','.join(function.arguments)}) {{{found.text}}}",
                    set(found.added),
                )
            model = source.models[name][1]
            if model.kind.lower() in SWITCHES:
                return "", set()
            values = {k: v for k, v in model.values.items() if k != "factor"}
            text, added, _ = self._in_braces(Model(model.name, model.kind, values).written(), seen_from)
            return text, added
        except DesignError as error:
            raise at(line, error) from None

    def _element(self, text: str, scope: Scope) -> tuple[list[str], set[str], int]:
        """Write an element: cards, the functions that it needs, and how long its expressions grow."""
        letter = text[0].lower()
        if letter == "x":
            words = text.split()
            k = _called(words)
            written = self.names[words[k].lower()]
            text = " ".join(
                [*words[:k], words[k] if words[k].lower() == written else written, *words[k + 1 :]]
            )
        elif letter in "eg":
            text = _controlled(text)
        elif letter == "b":
            text = _behavioural(text)
        elif letter in "rcl":
            text = _passive(text, scope)
        elif letter in "sw":
            text = _switch(text, scope)
        if poly := re.search(r"\bpoly\s*\(\s*([^)]*)\)", text, re.I):
            inputs = number(poly[1])
            if inputs is None or not 1.0 <= inputs <= MOST_INPUTS:
                raise DesignError(f"a polynomial of {poly[1][:20]} inputs, 1 to {MOST_INPUTS} are read")
        written, added, length = self._in_braces(text, scope)
        return [written], added, length

    def _in_braces(self, text: str, scope: Scope) -> tuple[str, set[str], int]:
        """Translate what is in braces on a card; give the names of functions it needs and its length."""
        functions = self._seen(scope)
        pieces: list[str] = []
        added: set[str] = set()
        length = len(text)
        for piece in braced(text):
            if piece[0] != "{":
                pieces.append(piece)
                continue
            found = translate(piece[1:-1], functions, bodies=self.bodies[id(scope)])
            pieces.append(f"{{{found.text}}}")
            added |= found.added
            length += found.length
        return "".join(pieces), added, length


def _kinds(scope: Scope) -> Iterator[tuple[str, Collection[str]]]:
    yield "param", scope.params.keys()
    yield "function", scope.functions.keys()
    yield "model", scope.models.keys()


def _words(text: str) -> set[str]:
    """Give all that may be a name on cards; models' names hold more than letters."""
    plain = text.lower()
    functions = {w.removeprefix("user_") for w in re.findall(r"user_\w+", plain)}
    return set(re.findall(r"[a-z_]\w*", plain)) | set(re.split(r"[\s()=,]+", plain)) | functions


def _clean_names(subcircuits: dict[str, Scope]) -> dict[str, str]:
    """Name every subcircuit so that ngspice reads it and our own are others."""
    names: dict[str, str] = {}
    for key in subcircuits:
        name = key
        if not CLEAN.fullmatch(key) or key.startswith(OURS):
            name = "u_" + re.sub(r"[^a-z0-9_]", "_", key)
            while name in subcircuits or name in names.values():
                name += "_"
        names[key] = name
    return names


def _called(words: list[str]) -> int:
    """Find the subcircuit that an X card calls: the last word before its parameters, 0 if there is none."""
    end = next((k for k, w in enumerate(words) if w.lower() == "params:"), len(words))
    return max((k for k, w in enumerate(words[:end]) if k and "=" not in w), default=0)


def _controlled(text: str) -> str:
    """Write a controlled source: an expression in braces behind VALUE, a table with its points in pairs."""
    words = text.split(maxsplit=3)
    rest = words[3] if len(words) == 4 else ""
    head = " ".join(words[:3])
    first = re.match(r"[a-z]+", rest, re.I)
    word = first[0].lower() if first else ""
    if word in NOT_NGSPICE:
        raise DesignError(
            f"{word.upper()}, {NOT_NGSPICE[word]}, is PSpice's: ngspice has nothing like it in an E or G element; "
            "write it with R, C and controlled sources"
        )
    behind = rest[len(word) :].lstrip(" =")
    if word in ("value", "vol", "cur"):
        return f"{head} VALUE={{{_bare(behind)}}}"
    if word == "table":
        found = re.match(r"(\{[^{}]*\}|[^\s=]+)[\s=]*(.*)$", behind)
        points = re.findall(r"\{[^{}]*\}|[^\s,()]+", found[2]) if found else []
        if found is None or len(points) < 4 or len(points) % 2:
            raise DesignError("TABLE {expression} = (x, y) (x, y) ... is wanted, with two points at least")
        if all(number(point) is not None for point in points):  # ngspice's own form rounds the corners
            return f"{head} VALUE={{table({_bare(found[1])},{','.join(points)})}}"
        pairs = " ".join(f"({x},{y})" for x, y in zip(points[::2], points[1::2], strict=True))
        return f"{head} TABLE {{{_bare(found[1])}}} = {pairs}"
    return text


def _bare(text: str) -> str:
    """Take an expression out of its braces, and blanks out of it."""
    text = re.sub(r"\s", "", text)
    if text.startswith("{") and text.endswith("}") and text.count("{") == 1:
        return text[1:-1]
    return text.replace("{", "(").replace("}", ")")


def _behavioural(text: str) -> str:
    found = re.match(r"(\S+\s+\S+\s+\S+\s+[vi]=)(.+)$", text, re.I)
    if not found:
        raise DesignError("a B element reads name, two nodes, and V = or I = an expression")
    # Instance parameters may follow, tc1=... and the like.
    expression, *more = re.split(r"\s+(?=(?:tc1|tc2|temp|dtemp)=)", found[2], maxsplit=1, flags=re.I)
    return " ".join([f"{found[1]}{{{_bare(expression)}}}", *more])


def _passive(text: str, scope: Scope) -> str:
    """Write a R, C or L: temperature coefficients by name, and the factor of PSpice's models in its value."""
    text = re.sub(r"\btc=([^\s,]+)\s*,\s*([^\s,]+)", r"tc1=\1 tc2=\2", text, flags=re.I)
    text = re.sub(r"\btc=([^\s,]+)", r"tc1=\1", text, flags=re.I)
    words = text.split()
    for k in range(3, min(5, len(words))):
        model = scope.model(words[k].lower())
        factor = model.values.get("factor") if model else None
        if model is None or factor is None:
            continue
        value = next((w for w in words[3:5] if w != words[k] and "=" not in w), None)
        if value is None:
            raise DesignError(f"an element of model {model.name} has no value")
        rest = [w for w in words[3:] if w not in (words[k], value)]
        scaled = f"{{({_bare(factor)})*({_bare(value)})}}"
        return " ".join([*words[:3], model.name, scaled, *rest])
    return text


def _switch(text: str, scope: Scope) -> str:
    """Write PSpice's smooth switch: its resistance goes from one end to the other by a cubic of its logarithm."""
    words = text.split()
    model = scope.model(words[-1].lower()) if len(words) > 3 else None
    if model is None or model.kind.lower() not in SWITCHES:
        return text
    kind = model.kind.lower()
    on_key, off_key, usual_on, usual_off = SWITCHES[kind]
    values = {key.lower(): value for key, value in model.values.items()}
    if len(words) != (6 if kind == "vswitch" else 5):
        raise DesignError(f"a switch of type {kind.upper()} reads name, nodes, control and model")
    if extra := values.keys() - {on_key, off_key, "ron", "roff"}:
        raise DesignError(
            f"{kind.upper()} with {min(extra)[:20]!r} is not read; give {on_key}, {off_key}, ron, roff"
        )
    control = f"V({words[3]},{words[4]})" if kind == "vswitch" else f"I({words[3]})"
    on, off = (f"({_bare(values.get(k, usual))})" for k, usual in ((on_key, usual_on), (off_key, usual_off)))
    r_on, r_off = (f"({_bare(values.get(k, usual))})" for k, usual in (("ron", "1"), ("roff", "1meg")))
    if on == off:
        raise DesignError(f"{kind.upper()} {model.name}: {on_key} and {off_key} are the same")
    where = f"min(max(({control}-({on}+{off})/2)/({on}-{off}),-0.5),0.5)"
    middle, reach = f"ln(sqrt({r_on}*{r_off}))", f"ln({r_on}/{r_off})"
    law = f"exp(-({middle}+{reach}*{where}*(1.5-2*{where}*{where})))"
    return f"B_{words[0]} {words[1]} {words[2]} I={{V({words[1]},{words[2]})*{law}}}"
