"""Operations on two values or more, element by element, shapes broadcast from the last axis on."""

from __future__ import annotations

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Shape, Value
from .sizes import arithmetic

OPS = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "AddN": "Sum",
}


@translation(*OPS)
def elementwise(t: Translator, operation: Operation) -> Value:
    """Combine: as images if one of the operands is one."""
    values = t.inputs(operation)
    if len(values) < (1 if operation.op == "AddN" else 2):
        operation.refuse("input", "two inputs", len(values))
    if operation.op == "BiasAdd" and values[1].rank != 1:
        operation.refuse("bias", "one axis", f"shape {values[1].shape}")
    return arithmetic(t, operation, values) or combined(t, operation, OPS[operation.op], values)


@translation("SquaredDifference")
def squared_difference(t: Translator, operation: Operation) -> Value:
    """Subtract, and multiply by itself."""
    difference = combined(t, operation, "Sub", [t.input(operation, slot) for slot in (0, 1)], "/difference")
    name = t.add("Mul", [difference.name, difference.name], operation.name)
    return Value(name, difference.shape, difference.is_image)


def combined(t: Translator, operation: Operation, op: str, values: list[Value], suffix: str = "") -> Value:
    """Add a node that combines values in one layout."""
    is_image = any(value.is_image for value in values) and all(value.rank <= 4 for value in values)
    names = [t.image(value) if is_image else t.plain(value) for value in values]
    shape = values[0].shape
    for value in values[1:]:
        shape = broadcast(operation, shape, value.shape)
    return Value(t.add(op, names, operation.name + suffix), shape, is_image)


def broadcast(operation: Operation, one: Shape, other: Shape) -> Shape:
    """Return the shape that two have together; where one length is unknown the other holds, unless it is 1."""
    rank = max(len(one), len(other))
    pairs = zip((1,) * (rank - len(one)) + one, (1,) * (rank - len(other)) + other)
    shape = []
    for a, b in pairs:
        if a == 1 or a == b:
            shape.append(b)
        elif b == 1 or b is None:
            shape.append(a)
        elif a is None:
            shape.append(b)
        else:
            operation.refuse("input", "shapes that broadcast", f"{one} and {other}")
    return tuple(shape)
