"""Other shapes of the same elements: reshape, concatenate, pad, mean over axes."""

from __future__ import annotations

import math

import numpy as np

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Shape, Value

CHANNELS_FIRST = (0, 2, 3, 1)  # where an axis of (N, H, W, C) lies in (N, C, H, W)
REDUCTIONS = {"Mean": "ReduceMean", "Sum": "ReduceSum", "Max": "ReduceMax", "Min": "ReduceMin", "Prod": "ReduceProd"}
PADS = {"Pad": "constant", "PadV2": "constant", "MirrorPad": "reflect"}


@translation("Reshape")
def reshape(t: Translator, operation: Operation) -> Value:
    """Reshape: one size may be -1; a batch that stays the first axis stays free."""
    x, wanted = t.input(operation, 0), t.sizes(operation, 1)
    sizes = list(wanted)
    batch = bool(sizes) and (sizes[0] is None or (sizes[0] == 1 and x.rank > 1 and x.shape[0] is None))
    if batch:
        sizes[0] = 0  # ONNX: as it is
    if None in sizes or sizes.count(-1) > 1 or any(n < -1 for n in sizes if n is not None):
        operation.refuse("shape", "known sizes, at most one of them -1", wanted)
    shape = _reshaped(operation, x.shape, [None if batch and i == 0 else n for i, n in enumerate(sizes)])
    name = t.hold(np.array(sizes, np.int64), f"{operation.name}/shape")
    return Value(t.add("Reshape", [t.plain(x), name], operation.name), shape)


def _reshaped(operation: Operation, before: Shape, sizes: Shape | list) -> Shape:
    """Return the shape after a reshape; -1 becomes what is left, if that is known."""
    skip = 1 if sizes and sizes[0] is None else 0  # the batch on both sides
    rest, asked = before[skip:], sizes[skip:]
    known = math.prod(n for n in asked if n != -1)  # type: ignore[misc]
    if None in rest:
        return tuple(None if n == -1 else n for n in sizes)
    total = math.prod(rest)  # type: ignore[arg-type]
    if (-1 not in asked and known != total) or (-1 in asked and (known == 0 or total % known)):
        operation.refuse("shape", f"one for the elements of {before}", tuple(sizes))
    return tuple(total // known if n == -1 else n for n in sizes)


@translation("ConcatV2")
def concat(t: Translator, operation: Operation) -> Value:
    """Join along an axis."""
    values = t.inputs(operation)[:-1]
    axis = _axis(operation, t.constant(operation, len(values)), values)
    is_image = any(value.is_image for value in values)
    names = [t.image(value) if is_image else t.plain(value) for value in values]
    lengths = [value.shape[axis] for value in values]
    shape = list(values[0].shape)
    for value in values[1:]:
        shape = [a if b is None else b for a, b in zip(shape, value.shape)]
    shape[axis] = None if None in lengths else sum(lengths)  # type: ignore[arg-type]
    at = CHANNELS_FIRST[axis] if is_image else axis
    return Value(t.add("Concat", names, operation.name, {"axis": at}), tuple(shape), is_image)


def _axis(operation: Operation, array: np.ndarray, values: list[Value]) -> int:
    if not values or len({value.rank for value in values}) != 1:
        operation.refuse("input", "values of one number of axes", [value.shape for value in values])
    if array.size != 1 or array.dtype.kind not in "iu" or not -values[0].rank <= int(array.reshape(())) < values[0].rank:
        operation.refuse("axis", f"one of {values[0].rank} axes", array.tolist())
    return int(array.reshape(())) % values[0].rank


@translation(*PADS)
def pad(t: Translator, operation: Operation) -> Value:
    """Add elements before and after each axis."""
    x, paddings = t.input(operation, 0), t.constant(operation, 1)
    mode = PADS[operation.op]
    if operation.op == "MirrorPad" and operation.text("mode") != "REFLECT":
        operation.refuse("mode", "REFLECT", operation.text("mode"))
    if paddings.shape != (x.rank, 2) or paddings.dtype.kind not in "iu" or paddings.min(initial=0) < 0:
        operation.refuse("paddings", f"{x.rank} pairs of whole numbers", f"shape {paddings.shape}")
    pairs = [tuple(pair) for pair in paddings.tolist()]
    shape = tuple(None if n is None else n + sum(pair) for n, pair in zip(x.shape, pairs))
    if x.is_image:
        pairs = [pairs[axis] for axis in (0, 3, 1, 2)]
    numbers = np.array([pair[0] for pair in pairs] + [pair[1] for pair in pairs], np.int64)
    inputs = [x.name if x.is_image else t.plain(x), t.hold(numbers, f"{operation.name}/pads")]
    if operation.op == "PadV2":
        number = t.constant(operation, 2)
        if number.size != 1:
            operation.refuse("constant_values", "one number", f"shape {number.shape}")
        inputs.append(t.formed(t.input(operation, 2), "", number.reshape(())))
    return Value(t.add("Pad", inputs, operation.name, {"mode": mode}), shape, x.is_image)


@translation(*REDUCTIONS)
def reduction(t: Translator, operation: Operation) -> Value:
    """Reduce axes to one element each, which stay if ``keep_dims``."""
    x, kept = t.input(operation, 0), operation.flag("keep_dims")
    axes = t.sizes(operation, 1)
    if any(axis is None or not -x.rank <= axis < x.rank for axis in axes):
        operation.refuse("axis", f"axes of {x.rank}", axes)
    chosen = sorted({axis % x.rank for axis in axes if axis is not None})
    shape = tuple(1 if axis in chosen else n for axis, n in enumerate(x.shape))
    is_image = x.is_image and kept
    within_image = x.is_image and (kept or 3 in chosen or chosen == [1, 2])  # then no axis changes its place
    at = [CHANNELS_FIRST[axis] for axis in chosen] if within_image else chosen
    data = x.name if within_image else t.plain(x)
    names = [data, t.hold(np.array(at, np.int64), f"{operation.name}/axes")]
    attributes = {"keepdims": int(kept), "noop_with_empty_axes": 1}  # an empty list of axes reduces none
    name = t.add(REDUCTIONS[operation.op], names, operation.name, attributes)
    return Value(name, shape if kept else tuple(n for axis, n in enumerate(x.shape) if axis not in chosen), is_image)
