"""Patterns that pick components of a circuit: by name, role or kind."""

import re

from lmu_analog.circuits.components import Component, kind_of
from lmu_analog.errors import DesignError, shown

LONGEST = 100  # characters of one pattern
MOST = 1000  # patterns in one list


def read_patterns(given: object) -> tuple[str, ...]:
    """Read patterns: a text of them with commas between, or a list of such texts.

    A comma inside brackets belongs to its pattern, as in ``role:a[2,*]``.

    Raises
    ------
    DesignError
        If anything else is given, or a pattern is empty or beyond sense.
    """
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise DesignError(f"a pattern such as 'Ra_*', or a list of them, is wanted, not {shown(given)}")
    found = [part.strip() for text in texts for part in re.split(r",(?![^\[]*\])", text)]
    if len(found) > MOST or any(not 0 < len(part) <= LONGEST for part in found):
        raise DesignError(f"a pattern has 1 to {LONGEST} characters, and there are at most {MOST} of them")
    return tuple(found)


def fits(text: str, pattern: str) -> bool:
    """Tell whether a text fits: ``*`` stands for any characters, ``?`` for one, all else for itself."""
    if "*" not in pattern and "?" not in pattern:
        return text == pattern  # nearly all of a long list, and many times quicker
    wild = re.escape(re.sub(r"\*+", "*", pattern)).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(wild, text) is not None


def picks(pattern: str, component: Component) -> bool:
    """Tell whether a pattern picks a component: ``Ra_*``, ``role:a[2,*]`` or ``kind:resistor``."""
    by, colon, rest = pattern.partition(":")
    texts = {"role": component.role, "kind": kind_of(component).name}
    return fits(texts[by], rest) if colon and by in texts else fits(component.name, pattern)
