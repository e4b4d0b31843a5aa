"""Where values come from: the input, constants, and operations that hand on what they get."""

from __future__ import annotations

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Value


@translation("Const")
def constant(t: Translator, operation: Operation) -> Value:
    """Take an array of the manifest."""
    if operation.name not in t.weights:
        operation.refuse("value", "a weight of that name in the manifest", "none")
    array = t.weights[operation.name]
    return Value(operation.name, array.shape, array=array)


@translation("Placeholder", "PlaceholderWithDefault")
def placeholder(t: Translator, operation: Operation) -> Value:
    """Take an input of the network; one with four axes is a batch of images, whose number is free."""
    shape = operation.shape("shape")
    if shape is None:
        operation.refuse("shape", "a known number of axes", "none")
    free = (None, *shape[1:]) if len(shape) == 4 else shape
    return Value(t.new_name(operation.name), free, is_image=len(shape) == 4)


@translation("Identity", "StopGradient", "Snapshot")
def identity(t: Translator, operation: Operation) -> Value:
    """Hand on."""
    return t.input(operation, 0)
