"""What can go wrong, said once: every error names what was given, what is wanted and what to do."""

import reprlib

LONGEST_LINE = 400  # a file's name may have thousands of characters


class LmuAnalogError(Exception):
    """Base of all errors that the package raises on purpose."""


class DesignError(LmuAnalogError, ValueError):
    """A design, an option, a unit or an input file is wrong (exit status 2); one line, whatever a file is called."""

    def __init__(self, message: str) -> None:
        super().__init__("".join(repr(c)[1:-1] if c.splitlines() == [""] else c for c in str(message)))


class CircuitError(LmuAnalogError, ValueError):
    """A circuit breaks an electrical rule, or has no state space."""


class StoreError(LmuAnalogError, ValueError):
    """A results folder cannot be used: it exists, belongs to another run, or is damaged."""


class SimulationError(LmuAnalogError, RuntimeError):
    """The simulator is missing, failed or gave a result that cannot be trusted (exit status 1).

    Attributes
    ----------
    deck : str
        The netlist that was run, empty if none was.
    log : str
        What the simulator printed.
    """

    def __init__(self, message: str, *, deck: str = "", log: str = "") -> None:
        super().__init__(message)
        self.deck = deck
        self.log = log

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), str(self), self.deck, self.log)


class SimulatorMissing(SimulationError):
    """ngspice or its shared library is not installed."""


def _rebuild(kind: type[SimulationError], message: str, deck: str, log: str) -> SimulationError:
    return kind(message, deck=deck, log=log)


def readable(text: str) -> str:
    """Give at most three lines of printable text, each cut in the middle where it is endless."""
    lines = [line for line in text.splitlines() if line.strip()][:3]
    shown = ["".join(c if c.isprintable() else repr(c)[1:-1] for c in line) for line in lines]
    return "\n".join(s if len(s) <= LONGEST_LINE else f"{s[:200]} ... {s[-150:]}" for s in shown)


def shown(given: object, length: int = 40) -> str:
    """Show what was given, in one line of bounded length and in bounded time, whatever it is.

    ``repr`` alone fails for a whole number of thousands of digits, and takes as long as a text or list is.

    Parameters
    ----------
    given : object
    length : int, characters
        The most; a longer text is cut in the middle.
    """
    shortener = _Short()
    shortener.maxstring = shortener.maxother = shortener.maxlong = length
    return _cut(shortener.repr(given), length)


class _Short(reprlib.Repr):
    def __init__(self) -> None:
        super().__init__()
        self.maxlevel, self.maxlist, self.maxtuple, self.maxdict = 3, 4, 4, 4

    def repr_int(self, x: int, level: int) -> str:
        if x.bit_length() > 1000:  # CPython refuses to write more than 4300 digits
            return f"a whole number of about {int(x.bit_length() * 0.30103) + 1} digits"
        return super().repr_int(x, level)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length - 4]}...{text[-1]}"
