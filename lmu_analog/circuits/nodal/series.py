"""Truncated power series whose coefficients are numbers or arrays; a missing one is zero."""

from typing import TypeAlias

import numpy as np

Coefficient: TypeAlias = np.ndarray | float | None
Series: TypeAlias = tuple[Coefficient, ...]  # of 1, s, s^2, ...


def add(a: Series, b: Series) -> Series:
    """Add two series."""
    if len(a) < len(b):
        a, b = b, a
    return tuple(_sum(x, b[k] if k < len(b) else None) for k, x in enumerate(a))


def negative(a: Series) -> Series:
    """Change the sign of a series."""
    return tuple(None if x is None else -x for x in a)


def multiply(a: Series, b: Series, degree: int) -> Series:
    """Multiply two series up to a degree."""
    product: list[Coefficient] = [None] * min(len(a) + len(b) - 1, degree + 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b[: degree + 1 - i]):
            if x is not None and y is not None:
                product[i + j] = _sum(product[i + j], x * y)
    return tuple(product)


def inverse(a: Series, degree: int) -> Series:
    """Give 1/a up to a degree; the constant coefficient must not be zero."""
    first = 1.0 / _present(a[0])
    found: list[Coefficient] = [first]
    if len(a) == 1:
        return tuple(found)
    for k in range(1, degree + 1):
        total: Coefficient = None
        for j in range(1, min(k, len(a) - 1) + 1):
            x, y = a[j], found[k - j]
            if x is not None and y is not None:
                total = _sum(total, x * y)
        found.append(None if total is None else -total * first)
    return tuple(found)


def _sum(x: Coefficient, y: Coefficient) -> Coefficient:
    if x is None:
        return y
    return x if y is None else x + y


def _present(x: Coefficient) -> np.ndarray | float:
    if x is None:
        raise ZeroDivisionError("a series without a constant has no inverse")
    return x
