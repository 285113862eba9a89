"""Check shapes and types of every call while tests run, at a fifth of the time that jaxtyping's decorator takes.

Jaxtyping's import hook (``--jaxtyping-packages``) puts ``jaxtyping.jaxtyped`` on every function. That one binds the
arguments by ``inspect`` in each call and has beartype check them twice, in two functions made for their messages,
which took a quarter of the suite's time. Here beartype checks a function itself, once; a memo of what the names of
axes stand for is kept where there are arrays, which alone have such names. Private functions without arrays are left to
pyright.

Of a function with arrays the first calls of each test are checked, ``MOST``: shapes that are wrong are wrong from the
start, and loops that call it thousands of times would spend a third of their time on the same answer.
"""

import dataclasses
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import jaxtyping
from jaxtyping._storage import pop_shape_memo, push_shape_memo

MOST = 25  # calls of a function that are checked in one test
_tests = 0  # that have begun


def begin() -> None:
    """Check every function anew: a test begins."""
    global _tests
    _tests += 1


def checked(thing: Any = None, *, typechecker: Callable[[Any], Any]) -> Any:
    """Wrap a function, a method, a property or the fields of a dataclass; ``jaxtyping.jaxtyped``'s contract."""
    again = functools.partial(checked, typechecker=typechecker)
    if thing is None:
        return again
    if isinstance(thing, classmethod | staticmethod):
        return type(thing)(again(thing.__func__))
    if isinstance(thing, property):
        return property(*(f and again(f) for f in (thing.fget, thing.fset, thing.fdel)))
    if inspect.isclass(thing):
        if dataclasses.is_dataclass(thing) and not hasattr(thing.__init__, "is_checked"):
            thing.__init__ = again(thing.__init__)
        return thing
    return _checked_function(thing, typechecker) if getattr(thing, "__annotations__", None) else thing


def _checked_function(plain: Callable[..., Any], typechecker: Callable[[Any], Any]) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(plain):
        # Beartype would check it at its first value, by when the memo is that of the caller with its axes.
        return plain
    written = plain.__annotations__
    hints = {name: _evaluated(hint, plain.__globals__) for name, hint in written.items()}
    arrays = [array for hint in hints.values() for array in _arrays(hint)]
    if not arrays and _is_private(plain):
        # Only its own file calls it, where pyright's strict types hold without arrays' shapes, which no type has. Each
        # check costs milliseconds to compile, and the stamps of a circuit are put by millions of such calls.
        return plain
    # Beartype reads what stands at the function; documentation and signatures keep the hints as written.
    plain.__annotations__ = hints
    called = typechecker(plain)
    plain.__annotations__ = written
    if not arrays:
        if called is not plain:
            called.is_checked = True
        return called
    # An axis such as "{order}" is as long as an argument says.
    signature = inspect.signature(plain) if any("{" in array.dim_str for array in arrays) else None
    test, calls = 0, 0

    @functools.wraps(plain)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        nonlocal test, calls
        __tracebackhide__ = True
        if test != _tests:
            test, calls = _tests, 0
        calls += 1
        if calls > MOST:
            return plain(*args, **kwargs)
        arguments = {}
        if signature is not None:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            arguments = bound.arguments
        push_shape_memo(arguments)
        try:
            return called(*args, **kwargs)
        finally:
            pop_shape_memo()

    wrapped.is_checked = True
    return wrapped


def _is_private(plain: Callable[..., Any]) -> bool:
    """Tell whether a function, or the class of a method, has one underscore in front, or stands in a function.

    What stands in a function would be wrapped anew whenever that one is called.
    """
    names = plain.__qualname__.split(".")
    return "<locals>" in names or any(name.startswith("_") and not name.startswith("__") for name in names)


def _evaluated(hint: Any, names: dict[str, Any]) -> Any:
    """Evaluate a hint that is text, or holds text; what has no value at run time, for pyright alone, is Any."""
    if not isinstance(hint, str) and not any(
        isinstance(part, str | typing.ForwardRef) for part in typing.get_args(hint)
    ):
        return hint

    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    try:
        return typing.get_type_hints(holder, names, include_extras=True)["hint"]
    except (NameError, TypeError, AttributeError, ValueError):
        return Any


def _arrays(hint: Any) -> list[Any]:
    if inspect.isclass(hint) and issubclass(hint, jaxtyping.AbstractArray):
        return [hint]
    return [array for part in typing.get_args(hint) for array in _arrays(part)]
