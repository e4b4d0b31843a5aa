"""Sums, products, comparisons and selection."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....autograd import arithmetic
from ..program import Step, Value
from ..writer import Writer, refuse
from .registry import translates

OPERATORS = {
    arithmetic.Add: "Add",
    arithmetic.Sub: "Sub",
    arithmetic.Mul: "Mul",
    arithmetic.Div: "Div",
    arithmetic.Pow: "Pow",
    arithmetic.Maximum: "Max",
    arithmetic.Minimum: "Min",
}
COMPARISONS = {"equal": "Equal", "less": "Less", "less_equal": "LessOrEqual", "greater": "Greater"}
COMPARISONS |= {"greater_equal": "GreaterOrEqual"}
SINCE_12 = ("LessOrEqual", "GreaterOrEqual")  # operators that older sets lack
LOGIC = {"bitwise_and": "And", "bitwise_or": "Or", "bitwise_xor": "Xor"}


@translates(*OPERATORS)
def binary(w: Writer, step: Step) -> str:
    """Translate what ONNX has an operator for."""
    return w.node(OPERATORS[step.operation], *w.inputs(step))


@translates(arithmetic.PowScalar)
def power(w: Writer, step: Step) -> str:
    """Translate a power, the most frequent ones without ``Pow``."""
    (x,), exponent = w.inputs(step), step.options["exponent"]
    if exponent == 2:
        return w.node("Mul", x, x)
    if exponent == -1:
        return w.node("Reciprocal", x)
    return w.node("Sqrt", x) if exponent == 0.5 else w.node("Pow", x, w.number(exponent, step.out))


@translates(arithmetic.Where)
def where(w: Writer, step: Step) -> str:
    """Translate a selection."""
    a, b, condition = w.inputs(step)
    return w.node("Where", condition, a, b)


@translates(arithmetic.without_derivative)
def compare(w: Writer, step: Step) -> str:
    """Translate comparisons, logic and whole quotients."""
    op, values = step.options["op"], _operands(w, step)
    kind = next(value for value in step.inputs if value is not None).dtype.kind
    if op == "not_equal":
        return w.node("Not", w.node("Equal", *values))
    if op in COMPARISONS:
        name = COMPARISONS[op]
        if w.opset < 12 and name in SINCE_12:
            return w.node("Not", w.node("Greater" if name == "LessOrEqual" else "Less", *values))
        return w.node(name, *values)
    if op in LOGIC and kind == "b":
        return w.node(LOGIC[op], *values)
    if op in LOGIC:
        w.needs(step, 18)
        return w.node(f"Bitwise{LOGIC[op]}", *values)
    if op == "floor_divide" and kind == "f":
        return w.node("Floor", w.node("Div", *values))
    if op == "remainder" and kind == "f":
        whole = w.node("Floor", w.node("Div", *values))
        return w.node("Sub", values[0], w.node("Mul", whole, values[1]))
    if op == "remainder":
        return w.node("Mod", *values)
    return refuse(step, "a comparison, logic, or arithmetic of floats", f"{op} of {kind!r} numbers")


@translates(arithmetic.invert)
def invert(w: Writer, step: Step) -> str:
    """Translate ``~``."""
    if step.out.dtype.kind == "b":
        return w.node("Not", *w.inputs(step))
    w.needs(step, 18)
    return w.node("BitwiseNot", *w.inputs(step))


def _operands(w: Writer, step: Step) -> list[str]:
    """Return the names of both operands; a Python number has the dtype of the other one."""
    tensors = iter(step.inputs)
    names = []
    for side in ("a", "b"):
        if side in step.options:
            names.append(_number(w, step, step.options[side]))
        else:
            names.append(w.name(next(tensors)))
    return names


def _number(w: Writer, step: Step, number: Any) -> str:
    like = next(value for value in step.inputs if isinstance(value, Value))
    array = np.asarray(number)
    if array.dtype.kind == "f" and like.dtype.kind != "f":
        refuse(step, f"a number of dtype {like.dtype}", number)
    return w.builder.constant(array.astype(like.dtype))
