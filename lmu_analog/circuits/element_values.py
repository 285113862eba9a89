"""Values of single components that a design gives, in place of those that follow from the memory.

Of two mirror images, ``Rb_0_p`` and ``Rb_0_n`` of a differential circuit, the name without the ending names both; a
name of one of them counts before it.
"""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lmu_analog.circuits.circuit import Circuit, numbered, with_values
from lmu_analog.circuits.components import KINDS, Capacitor, Inductor, Resistor, Transconductor
from lmu_analog.errors import DesignError, shown
from lmu_analog.files_in import read_toml
from lmu_analog.tables import cells_of, read_text, separator, text_lines
from lmu_analog.units import parse

_Valued = Resistor | Capacitor | Inductor | Transconductor
_KINDS = (Resistor, Capacitor, Inductor, Transconductor)
UNITS = {KINDS[kind].letter: KINDS[kind].unit for kind in _KINDS}
MOST = 20_000  # values; a circuit of order 64 in the densest realization has less than half as many
LARGEST_FILE = 1_000_000  # bytes
RANGE = (1e-21, 1e18)  # in any unit: beyond, numbers overflow on their way through an engine
_LONGEST = 100  # characters of a name
_WANTED = "a table of name,value, such as Rb_0,12.1 kOhm, or a TOML file of name = value"
_HEADS = ("name", "component", "element", "reference")  # with which a header begins
_ENDINGS = ("_p", "_n")  # of mirror images


def read_element_values(given: Any) -> dict[str, float]:
    """Read ``{ Rb_0 = "12.1 kOhm", Cint_0 = "1 nF" }``, or the name of a file that has them.

    Returns
    -------
    values : dict
        Name to value, SI unit, to twelve significant digits as all values of circuits.

    Raises
    ------
    DesignError
        If a name begins with no letter of a component that has a value, or a value is none: its unit is another, or it
        is not positive.
    """
    if isinstance(given, str | Path):
        path = Path(given)
        rows = _from_toml(path) if path.suffix.lower() == ".toml" else _from_table(path)
    elif isinstance(given, Mapping):
        rows = [("", name, value) for name, value in given.items()]
    else:
        raise DesignError(
            f'{{ Rb_0 = "12.1 kOhm", ... }} or the name of a file is wanted, not {shown(given)}'
        )
    found: dict[str, float] = {}
    for where, name, value in rows:
        if len(found) == MOST:
            raise DesignError(f"{where}more than {MOST} values; no circuit has so many")
        if name in found:
            raise DesignError(f"{where}{shown(name)} has a value already; give it once")
        found[name] = _value(where, name, value)
    return found


def _value(where: str, name: Any, given: Any) -> float:
    unit = UNITS.get(name[:1]) if isinstance(name, str) and len(name) <= _LONGEST else None
    if unit is None:
        letters = ", ".join(f"{letter} ({unit})" for letter, unit in UNITS.items())
        raise DesignError(f"{where}{shown(name)} is no component with a value; names begin with {letters}")
    try:
        value = parse(given, unit)
    except DesignError as error:
        raise DesignError(f"{where}{name}: {error}") from None
    low, high = RANGE
    if not low <= value <= high:
        wanted = "it must be positive" if value <= 0.0 else f"it is outside {low:g} to {high:g} {unit}"
        raise DesignError(f"{where}{name} = {value:g} {unit}; {wanted}")
    return float(f"{value:.11e}")


def _from_toml(path: Path) -> Iterator[tuple[str, str, Any]]:
    tables = read_toml(path, wanted=_WANTED)
    if isinstance(inner := tables.get("element_values"), dict):
        tables = inner
    yield from ((f"{path}: ", name, value) for name, value in tables.items())


def _from_table(path: Path) -> Iterator[tuple[str, str, Any]]:
    lines = list(text_lines(read_text(path, wanted=_WANTED, file="a table of values", most=LARGEST_FILE)))
    named = separator(lines[0][1]) if lines else None
    lines = [
        (k, plain) for k, line in lines[named is not None :] if (plain := line.partition("#")[0].strip())
    ]
    delimiter = named or next((d for d in ";\t" if any(d in line for _, line in lines)), ",")
    for index, (count, line) in enumerate(lines):
        cells = cells_of(line, delimiter)
        if index == 0 and cells and cells[0].strip().lower() in _HEADS:
            continue
        if len(cells) != 2:
            raise DesignError(f"{path}, line {count}: {len(cells)} cells; give {_WANTED}")
        name, value = (cell.strip() for cell in cells)
        yield f"{path}, line {count}: ", name, _with_point(value) if delimiter != "," else value
    if not lines:
        raise DesignError(f"{path} holds no value; give {_WANTED}")


def _with_point(text: str) -> str:
    """Write a decimal comma, which can be one where no comma stands between cells, as a point."""
    return text.replace(",", ".") if text.count(",") == 1 and "." not in text else text


def named_values(circuit: Circuit, given: Mapping[str, float]) -> dict[str, float]:
    """Give the value of every single component that is named, mirror images one by one.

    Raises
    ------
    DesignError
        If a name is that of no resistor, capacitor, inductor or transconductor of the circuit.
    """
    known = {c.name: c for c in circuit.only(*_KINDS) if c.classes}
    pairs = {
        stem: halves for stem, halves in _halves(known).items() if len({known[h].value for h in halves}) == 1
    }
    found: dict[str, float] = {}
    for name in sorted(given, key=lambda name: name in known):  # a half after its pair
        if name not in known and name not in pairs:
            raise DesignError(f"no {shown(name)} in this circuit; {_nearby(name, [*known, *pairs])}")
        found |= dict.fromkeys(pairs.get(name, [name]), given[name])
    return found


def _halves(known: Mapping[str, _Valued]) -> dict[str, tuple[str, str]]:
    """Give the names of mirror images, which have one role, by the name without their endings."""
    found: dict[str, tuple[str, str]] = {}
    for name in known:
        stem = name.removesuffix(_ENDINGS[0])
        other = stem + _ENDINGS[1]
        is_pair = stem != name and stem not in known and other in known
        if is_pair and known[name].role == known[other].role:
            found[stem] = (name, other)
    return found


def tied(circuit: Circuit) -> list[tuple[str, ...]]:
    """Name all components that have a value, mirror images together."""
    known = {c.name: c for c in circuit.only(*_KINDS) if c.classes}
    pairs = _halves(known)
    second = {other for _, other in pairs.values()}
    first = {halves[0]: halves for halves in pairs.values()}
    return [first.get(name, (name,)) for name in known if name not in second]


def _nearby(name: str, known: list[str]) -> str:
    if not known:
        return "no component of it has a value that can be given"
    near = get_close_matches(name, known, n=5, cutoff=0.5)
    return f"near it are {', '.join(near)}" if near else f"it has {', '.join(known[:8])}, ..."


def with_element_values(circuit: Circuit, named: Mapping[str, float]) -> Circuit:
    """Give components, which ``named_values`` names, other values; of a nonlinear circuit its equivalent follows."""
    values = circuit.values.copy()
    for component, at in numbered(circuit):
        if component.name in named:
            values[at] = named[component.name]
    return with_values(circuit, values)


def element_values(circuit: Circuit, digits: int = 6) -> dict[str, float]:
    """Give the values of all resistors, capacitors, inductors and transconductors of a circuit, rounded.

    Mirror images of one value have one entry.
    """
    known = {c.name: c for c in circuit.only(*_KINDS) if c.classes}
    rounded = {name: float(f"{c.value:.{digits - 1}e}") for name, c in known.items()}
    pairs = {
        stem: halves for stem, halves in _halves(known).items() if len({rounded[h] for h in halves}) == 1
    }
    second = {other for _, other in pairs.values()}
    of = {first: stem for stem, (first, _) in pairs.items()}
    return {of.get(name, name): value for name, value in rounded.items() if name not in second}
