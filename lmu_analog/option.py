"""Fields of a dataclass as options of the command line: their default, their help, how they are written."""

from dataclasses import MISSING, field
from typing import Any


def option(
    default: Any, text: str, metavar: str | None = None, *, short: str | None = None, least: int | None = None
) -> Any:
    """Declare a field that is an option.

    Parameters
    ----------
    default : Any
        Value unless given; ``...`` where it must be given.
    text : str
        What the help says.
    metavar : str, optional
        What the help shows in place of a value, such as ``FILE.svg``; its type unless given.
    short : str, optional
        A second, short name, such as ``-n``.
    least : int, optional
        Smallest number that is accepted.
    """
    said = {"help": text, "short": short, "metavar": metavar, "least": least}
    return field(default=MISSING if default is ... else default, metadata=said)


def argument(metavar: str, text: str, *, optional: bool = False) -> Any:
    """Declare a field that is given by its position; the help shows it as ``metavar``. Left out it is None."""
    said = {"help": text, "metavar": metavar, "argument": True}
    return field(default=None if optional else MISSING, metadata=said)
