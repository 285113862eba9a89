"""A calculation on many samples, recorded once as a list of instructions on registers.

``Number`` stands for a number that differs between samples. Functions that add, multiply and divide entries of
object arrays, as ``pencil.eliminate`` does, then record their arithmetic instead of doing it, and a player runs it
for many samples. Constants are folded, equal results are computed once, what nobody reads is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Union

import numpy as np

LOAD, PLUS, MINUS, TIMES, RECIPROCAL, SCALE, OFFSET, ADD_PRODUCT, TAKE_PRODUCT, PRODUCT_LESS, STORE = range(
    11
)

_Node = tuple[int, int, int, float]  # operation, operands, constant


@dataclass(frozen=True, eq=False)
class Program:
    """Instructions on registers.

    Attributes
    ----------
    code : (k, 5) int array
        Operation, target and three operands. LOAD reads a parameter, STORE writes an output; SCALE, OFFSET
        and STORE take the constant of their own line.
    constant : (k,) array
        Of SCALE and OFFSET the number, of STORE the sign.
    registers : int
    template : (o,) array
        Outputs that are the same for all samples; 0 where the program writes.
    """

    code: np.ndarray
    constant: np.ndarray
    registers: int
    template: np.ndarray


@dataclass(eq=False)
class Builder:
    """Instructions recorded so far."""

    nodes: list[_Node] = field(default_factory=list)
    known: dict[_Node, int] = field(default_factory=dict)

    def load(self, parameter: int) -> "Number":
        """Give the number that stands for a parameter."""
        return self.write((LOAD, parameter, 0, 0.0))

    def write(self, node: _Node, sign: float = 1.0) -> "Number":
        """Give the number that an instruction makes; the same instruction makes the same number."""
        at = self.known.setdefault(node, len(self.nodes))
        if at == len(self.nodes):
            self.nodes.append(node)
        return Number(self, at, sign)


@dataclass(frozen=True, eq=False)
class Number:
    """The result of an instruction, or its negative."""

    builder: Builder
    node: int
    sign: float

    def __neg__(self) -> "Number":
        return Number(self.builder, self.node, -self.sign)

    def __add__(self, other: Union["Number", float]) -> "Number":
        if not isinstance(other, Number):
            if other == 0.0:
                return self
            return self.builder.write((OFFSET, self.node, 0, self.sign * float(other)), self.sign)
        if self.sign == other.sign:
            first, second = sorted((self.node, other.node))
            return self.builder.write((PLUS, first, second, 0.0), self.sign)
        return self.builder.write((MINUS, self.node, other.node, 0.0), self.sign)

    def __mul__(self, other: Union["Number", float]) -> Union["Number", float]:
        if isinstance(other, Number):
            first, second = sorted((self.node, other.node))
            return self.builder.write((TIMES, first, second, 0.0), self.sign * other.sign)
        sign = self.sign if other >= 0.0 else -self.sign
        if abs(other) in (0.0, 1.0):
            return Number(self.builder, self.node, sign) if other else 0.0
        return self.builder.write((SCALE, self.node, 0, abs(float(other))), sign)

    def __rtruediv__(self, other: float) -> Union["Number", float]:
        return self.builder.write((RECIPROCAL, self.node, 0, 0.0), self.sign) * other

    def __sub__(self, other: Union["Number", float]) -> "Number":
        return self + -other

    def __rsub__(self, other: float) -> "Number":
        return -self + other

    def __truediv__(self, other: Union["Number", float]) -> Union["Number", float]:
        return self * (1.0 / other)

    __radd__ = __add__
    __rmul__ = __mul__


_OPERANDS = {LOAD: 0, RECIPROCAL: 1, SCALE: 1, OFFSET: 1, PLUS: 2, MINUS: 2, TIMES: 2}


@dataclass(frozen=True)
class _Line:
    """One instruction to be written: the node that it makes, and the nodes that it reads."""

    operation: int
    node: int
    operands: tuple[int, ...]
    constant: float


def program(builder: Builder, outputs: Mapping[int, Number | float], size: int) -> Program:
    """Turn what was recorded into instructions that leave ``size`` outputs, zero but for those that are named."""
    template = np.zeros(size)
    wanted: dict[int, list[tuple[int, float]]] = {}
    for place, value in outputs.items():
        if isinstance(value, Number):
            wanted.setdefault(value.node, []).append((place, value.sign))
        else:
            template[place] = value
    lines = _lines(builder, set(wanted))
    last = {operand: k for k, line in enumerate(lines) for operand in line.operands}
    free: list[int] = []
    register_of: dict[int, int] = {}
    code: list[tuple[int, ...]] = []
    constants: list[float] = []
    registers = 0
    for k, line in enumerate(lines):
        if not free:
            free.append(registers)
            registers += 1
        register_of[line.node] = target = free.pop()
        read = [register_of[operand] for operand in line.operands] or [builder.nodes[line.node][1]]
        code.append((line.operation, target, *read, *[0] * (3 - len(read))))
        constants.append(line.constant)
        for place, sign in wanted.get(line.node, ()):
            code.append((STORE, place, target, 0, 0))
            constants.append(sign)
        done = {operand for operand in line.operands if last[operand] == k}
        free += [register_of[node] for node in sorted(done | ({line.node} - last.keys()))]
    return Program(np.array(code, np.int64).reshape(-1, 5), np.array(constants), registers, template)


def _lines(builder: Builder, wanted: set[int]) -> list[_Line]:
    """Keep what an output needs, and let a product that is read once be made where it is added."""
    readers = dict.fromkeys(wanted, 2)  # an output counts as more than one reader
    for at in range(len(builder.nodes) - 1, -1, -1):
        if at in readers:
            for operand in _operands(builder.nodes[at]):
                readers[operand] = readers.get(operand, 0) + 1
    inside: set[int] = set()
    found: list[_Line] = []
    for at in sorted(readers, reverse=True):
        if at in inside:
            continue
        operation, first, second, constant = builder.nodes[at]
        line = _Line(operation, at, _operands(builder.nodes[at]), constant)
        if operation in (PLUS, MINUS) and first != second:
            for x, rest, fused in (
                (second, first, ADD_PRODUCT if operation == PLUS else TAKE_PRODUCT),
                (first, second, ADD_PRODUCT if operation == PLUS else PRODUCT_LESS),
            ):
                if builder.nodes[x][0] == TIMES and readers[x] == 1:
                    inside.add(x)
                    line = _Line(fused, at, (*_operands(builder.nodes[x]), rest), 0.0)
                    break
        found.append(line)
    return found[::-1]


def _operands(node: _Node) -> tuple[int, ...]:
    return node[1 : 1 + _OPERANDS[node[0]]]  # type: ignore[return-value]
