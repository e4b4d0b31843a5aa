"""Functions of one number."""

from __future__ import annotations

from ....autograd import elementwise
from ..program import Step
from ..writer import Writer
from .registry import translates

OPERATORS = {
    elementwise.Neg: "Neg",
    elementwise.Abs: "Abs",
    elementwise.Exp: "Exp",
    elementwise.Log: "Log",
    elementwise.Sqrt: "Sqrt",
    elementwise.Sin: "Sin",
    elementwise.Cos: "Cos",
    elementwise.Tanh: "Tanh",
}
STEPS = {"floor": "Floor", "ceil": "Ceil", "rint": "Round", "sign": "Sign", "isnan": "IsNaN"}


@translates(*OPERATORS)
def unary(w: Writer, step: Step) -> str:
    """Translate what ONNX has an operator for."""
    return w.node(OPERATORS[step.operation], *w.inputs(step))


@translates(elementwise.Log1p)
def log1p(w: Writer, step: Step) -> str:
    """Translate log(1 + x); ONNX has no form that is accurate near 0."""
    return w.node("Log", w.node("Add", *w.inputs(step), w.number(1, step.out)))


@translates(elementwise.Clamp)
def clamp(w: Writer, step: Step) -> str:
    """Translate holding between two bounds, of which one may be missing."""
    low, high = step.options["low"], step.options["high"]
    bounds = ["" if bound is None else w.number(bound, step.out) for bound in (low, high)]
    return w.node("Clip", *w.inputs(step), *bounds)


@translates(elementwise.Cast)
def cast(w: Writer, step: Step) -> str:
    """Translate a change of dtype."""
    return w.builder.cast(w.inputs(step)[0], w.builder.dtype(step.out.dtype))


@translates(elementwise.step_function)
def step_function(w: Writer, step: Step) -> str:
    """Translate functions that are constant almost everywhere."""
    (x,), name = w.inputs(step), step.options["name"]
    if name == "isfinite":
        return w.node("Not", w.node("Or", w.node("IsInf", x), w.node("IsNaN", x)))
    return w.node(STEPS[name], x)
