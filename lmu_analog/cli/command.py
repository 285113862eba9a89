"""How a command is made: a frozen dataclass of its options, and a function that takes it.

A new command is both of them in a file of this folder, and a row ``"wave": wave`` in ``COMMANDS`` of ``app.py``::

    @dataclass(frozen=True, kw_only=True)
    class _Wave(InputDesign, Seed, Json):
        cycles: int = option(3, "Cycles to draw.", short="-n")
        shape: Literal["sine", "square"] = option("sine", "What is drawn.")


    def wave(options: _Wave) -> None:
        \"\"\"Draw a wave.\"\"\"  # which --help says

The name of a field is that of its option: ``trim_bits`` is ``--trim-bits``. Options that several commands have are
classes of ``options.py``, to derive from. --help lists a class's own options first, then those of its bases.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from lmu_analog.errors import DesignError, shown


def command(function: Callable[..., None], *kinds: type) -> Callable[..., None]:
    """Make what Typer reads: a function with a parameter for every option.

    Parameters
    ----------
    function : callable
        Takes one object of each kind, in this order.
    kinds : types
        Dataclasses of options; those of the function's annotations unless given.
    """
    kinds = kinds or tuple(hint for name, hint in get_type_hints(function).items() if name != "return")

    def run(**given: Any) -> None:
        function(*(_chosen(kind, given) for kind in kinds))

    parameters = [_parameter(f, hint) for kind in kinds for f, hint in _options(kind)]
    run.__doc__ = function.__doc__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # what typer reads
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _options(kind: type) -> list[tuple[Field[Any], Any]]:
    """List fields and their types, a class's own before those of its bases."""
    known, hints = {f.name: f for f in fields(kind)}, get_type_hints(kind)
    names = dict.fromkeys(name for c in kind.__mro__ for name in c.__dict__.get("__annotations__", ()))
    return [(known[name], hints[name]) for name in names if name in known]


def _parameter(f: Field[Any], hint: Any) -> inspect.Parameter:
    said = f.metadata
    flags = [said["short"]] if said.get("short") else []
    flags.append(f"{_flag(f)}/--no-{_flag(f)[2:]}" if f.default is True else _flag(f))
    if said.get("argument"):
        info = typer.Argument(metavar=said["metavar"], help=said["help"])
    else:
        info = typer.Option(*flags, help=said["help"], metavar=said["metavar"], min=said["least"])
    default: Any = inspect.Parameter.empty if f.default is MISSING else f.default
    if _is_list(hint):
        hint, default = str, ",".join(map(str, default))
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(f.name, kind, default=default, annotation=Annotated[hint, info])


def _chosen(kind: type, given: dict[str, Any]) -> Any:
    """Make the object of one kind; a tuple is written with commas, everything else typer has read."""
    values = {}
    for f, hint in _options(kind):
        values[f.name] = _listed(f, get_args(hint)[0], given[f.name]) if _is_list(hint) else given[f.name]
    return kind(**values)


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is tuple


def _listed(f: Field[Any], item: type, text: str) -> tuple[Any, ...]:
    try:
        return tuple(item(word.strip()) for word in text.split(","))
    except ValueError as error:
        kind = {int: "whole numbers", float: "numbers"}.get(item, "words")
        raise DesignError(
            f"{_flag(f)} {shown(text, 60)}: {kind} with commas between them are wanted"
        ) from error


def _flag(f: Field[Any]) -> str:
    return f"--{f.name.rstrip('_').replace('_', '-')}"  # yield_: a word of Python's own
