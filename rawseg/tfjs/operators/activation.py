"""Functions of one element, alone or fused into a convolution or a product of matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Shape, Value

__all__ = ["activated"]

PLAIN = {  # operations that have an operator of their own
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Elu": "Elu",
    "Softplus": "Softplus",
    "Exp": "Exp",
    "Log": "Log",
    "Neg": "Neg",
    "Abs": "Abs",
    "Sqrt": "Sqrt",
    "Reciprocal": "Reciprocal",
    "Floor": "Floor",
    "Ceil": "Ceil",
    "Cos": "Cos",
    "Sin": "Sin",
}


@translation(*PLAIN)
def plain(t: Translator, operation: Operation) -> Value:
    """Apply one operator to every element."""
    return like(t.input(operation, 0), lambda name: t.add(PLAIN[operation.op], [name], operation.name), t)


@translation("Relu6")
def relu6(t: Translator, operation: Operation) -> Value:
    """Clip to [0, 6]."""
    return like(t.input(operation, 0), lambda name: _clip(t, name, operation.name), t)


@translation("LeakyRelu")
def leaky_relu(t: Translator, operation: Operation) -> Value:
    """Multiply what is less than 0."""
    attributes = {"alpha": operation.number("alpha", 0.2)}
    return like(t.input(operation, 0), lambda name: t.add("LeakyRelu", [name], operation.name, attributes), t)


@translation("Rsqrt")
def rsqrt(t: Translator, operation: Operation) -> Value:
    """Divide 1 by the root."""
    return like(
        t.input(operation, 0),
        lambda name: t.add("Reciprocal", [t.add("Sqrt", [name], f"{operation.name}/sqrt")], operation.name),
        t,
    )


@translation("Square")
def square(t: Translator, operation: Operation) -> Value:
    """Multiply by itself."""
    return like(t.input(operation, 0), lambda name: t.add("Mul", [name, name], operation.name), t)


@translation("Prelu")
def prelu(t: Translator, operation: Operation) -> Value:
    """Multiply what is less than 0 by a weight of the channel."""
    x, slope = t.input(operation, 0), t.input(operation, 1)
    name = t.image(slope) if x.is_image else t.plain(slope)
    return like(x, lambda data: t.add("PRelu", [data, name], operation.name), t)


@translation("Softmax")
def softmax(t: Translator, operation: Operation) -> Value:
    """Normalise exponentials over the last axis."""
    x = t.input(operation, 0)
    attributes = {"axis": 1 if x.is_image else -1}
    return like(x, lambda name: t.add("Softmax", [name], operation.name, attributes), t)


def like(x: Value, make: Callable[[str], str], t: Translator) -> Value:
    """Return a value that lies as its input does, and has its shape."""
    return Value(make(x.name if x.is_image else t.plain(x)), x.shape, x.is_image)


def activated(
    t: Translator, operation: Operation, op: str, inputs: list[str], attributes: Mapping[str, Any], shape: Shape
) -> Value:
    """Add a node with the bias and the activation that are fused into an operation after its first two inputs."""
    fused, is_image = list(operation.texts("fused_ops")) if "fused_ops" in operation.attributes else [], op == "Conv"
    slot = 2
    if fused[:1] == ["BiasAdd"]:
        fused.pop(0)
        bias = t.input(operation, slot)
        if bias.rank != 1:
            operation.refuse("bias", "one axis", f"shape {bias.shape}")
        inputs, slot = [*inputs, t.plain(bias)], slot + 1
    if not fused:
        return Value(t.add(op, inputs, operation.name, attributes), shape, is_image)
    if len(fused) > 1:
        operation.refuse("fused_ops", "a bias and one activation", operation.texts("fused_ops"))
    before = t.add(op, inputs, f"{operation.name}/{op}", attributes)
    return Value(_fused(t, operation, fused[0], before, slot, is_image), shape, is_image)


def _fused(t: Translator, operation: Operation, kind: str, before: str, slot: int, is_image: bool) -> str:
    if kind in PLAIN:
        return t.add(PLAIN[kind], [before], operation.name)
    if kind == "Relu6":
        return _clip(t, before, operation.name)
    if kind == "LeakyRelu":
        return t.add("LeakyRelu", [before], operation.name, {"alpha": operation.number("leakyrelu_alpha", 0.2)})
    if kind == "Prelu":
        slope = t.input(operation, slot)
        return t.add("PRelu", [before, t.image(slope) if is_image else t.plain(slope)], operation.name)
    operation.refuse("fused_ops", f"an activation of {', '.join([*PLAIN, 'Relu6', 'LeakyRelu', 'Prelu'])}", kind)


def _clip(t: Translator, name: str, wanted: str) -> str:
    low, high = (t.hold(np.array(bound, np.float32), f"{wanted}/{bound:g}") for bound in (0.0, 6.0))
    return t.add("Clip", [name, low, high], wanted)
