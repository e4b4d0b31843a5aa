"""Axes that come, go or change their places."""

from __future__ import annotations

import numpy as np

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Value
from .window import check_layout


@translation("Squeeze")
def squeeze(t: Translator, operation: Operation) -> Value:
    """Drop axes of length 1: those that are named, or all."""
    x = t.input(operation, 0)
    axes = operation.integers("squeeze_dims", ()) or tuple(axis for axis, n in enumerate(x.shape) if n == 1)
    chosen = sorted({_axis(operation, axis, x.rank) for axis in axes})
    if any(x.shape[axis] not in (1, None) for axis in chosen):
        operation.refuse("squeeze_dims", f"axes of length 1 of {x.shape}", axes)
    names = [t.plain(x), t.hold(np.array(chosen, np.int64), f"{operation.name}/axes")]
    shape = tuple(n for axis, n in enumerate(x.shape) if axis not in chosen)
    return Value(t.add("Squeeze", names, operation.name), shape)


@translation("ExpandDims")
def expand(t: Translator, operation: Operation) -> Value:
    """Add an axis of length 1."""
    x, axes = t.input(operation, 0), t.sizes(operation, 1)
    if len(axes) != 1 or axes[0] is None:
        operation.refuse("dim", "one axis", axes)
    axis = _axis(operation, axes[0], x.rank + 1)
    names = [t.plain(x), t.hold(np.array([axis], np.int64), f"{operation.name}/axes")]
    return Value(t.add("Unsqueeze", names, operation.name), (*x.shape[:axis], 1, *x.shape[axis:]))


@translation("Transpose")
def transpose(t: Translator, operation: Operation) -> Value:
    """Put the axes into another order."""
    x, order = t.input(operation, 0), t.sizes(operation, 1)
    if sorted(-1 if axis is None else axis for axis in order) != list(range(x.rank)):
        operation.refuse("perm", f"an order of {x.rank} axes", order)
    name = t.add("Transpose", [t.plain(x)], operation.name, {"perm": order})
    return Value(name, tuple(x.shape[axis] for axis in order if axis is not None))


@translation("DepthToSpace", "SpaceToDepth")
def shuffle(t: Translator, operation: Operation) -> Value:
    """Lay channels out as blocks of pixels, or the reverse."""
    check_layout(operation)
    x, side = t.input(operation, 0), operation.integer("block_size", 0)
    if x.rank != 4 or not 2 <= side <= 2**15:
        operation.refuse("block_size", "at least 2, for images of four axes", f"{side}, shape {x.shape}")
    n, height, width, channels = x.shape
    attributes = {"blocksize": side}
    if operation.op == "DepthToSpace":
        attributes |= {"mode": "DCR"}
        shape = n, height and height * side, width and width * side, channels and channels // side**2
    else:
        shape = n, height and height // side, width and width // side, channels and channels * side**2
    return Value(t.add(operation.op, [t.image(x)], operation.name, attributes), shape, is_image=True)


def _axis(operation: Operation, axis: int, rank: int) -> int:
    if not -rank <= axis < rank:
        operation.refuse("axis", f"one of {rank} axes", axis)
    return axis % rank
