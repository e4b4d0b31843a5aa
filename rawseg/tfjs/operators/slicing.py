"""Parts of values."""

from __future__ import annotations

import numpy as np

from ..operation import Operation
from ..translator import Translator
from ..value import Value

__all__ = ["strided_slice"]

FAR = 2**31 - 1  # beyond the end of any axis


def strided_slice(t: Translator, operation: Operation) -> Value:
    """Take a part of each axis; axes of which one element is taken go away if ``shrink_axis_mask`` says so."""
    x = t.input(operation, 0)
    begins, ends, strides = (_numbers(t, operation, slot) for slot in (1, 2, 3))
    masks = {name: operation.integer(f"{name}_mask", 0) for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")}
    if masks["ellipsis"] or masks["new_axis"]:
        operation.refuse("ellipsis_mask, new_axis_mask", "0", (masks["ellipsis"], masks["new_axis"]))
    if not len(begins) == len(ends) == len(strides) <= x.rank or 0 in strides:
        operation.refuse("begin, end, strides", f"as many of each, at most {x.rank}", (begins, ends, strides))
    shape, gone = list(x.shape), []
    for axis, (begin, stride) in enumerate(zip(begins, strides)):
        if masks["shrink_axis"] >> axis & 1:
            gone.append(axis)
            begins[axis], ends[axis], strides[axis] = begin, begin + 1 or FAR, 1
            continue
        if masks["begin"] >> axis & 1:
            begins[axis] = 0 if stride > 0 else FAR
        if masks["end"] >> axis & 1:
            ends[axis] = FAR if stride > 0 else -FAR
        length = shape[axis]
        if length is not None:
            shape[axis] = len(range(*slice(begins[axis], ends[axis], stride).indices(length)))
    listed = [begins, ends, list(range(len(begins))), strides]
    held = [t.hold(np.array(numbers, np.int64), f"{operation.name}/{i}") for i, numbers in enumerate(listed)]
    name = t.add("Slice", [t.plain(x), *held], operation.name)
    if gone:
        name = t.add("Squeeze", [name, t.hold(np.array(gone, np.int64), f"{name}/axes")], f"{operation.name}/squeezed")
    return Value(name, tuple(n for axis, n in enumerate(shape) if axis not in gone))


def _numbers(t: Translator, operation: Operation, slot: int) -> list[int]:
    found = t.sizes(operation, slot)
    if None in found:
        operation.refuse(f"input {slot}", "whole numbers that are known before it runs", found)
    return [n for n in found if n is not None]
