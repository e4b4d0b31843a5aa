"""Pooling in windows, in a given number of bins, and unpooling."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ....autograd import Tensor, no_grad
from ....functional import adaptive_pooling, pooling, unpooling
from ..counting import numbers_below
from ..geometry import both, in_each_recording
from ..program import Step, Value
from ..versions import reduced
from ..writer import Writer, refuse
from .matrices import applied_to_both_axes, matrix_of
from .registry import translates


@translates(pooling.MaxPool2d, pooling.MaxPool2dTaps)
def max_pool(w: Writer, step: Step) -> Any:
    """Translate the largest of each window; ONNX's indices count over the whole batch, rawseg's inside a plane."""
    geometry = step.options["geometry"]
    attributes = _windows(step, geometry, geometry["dilation"])
    if step.operation is pooling.MaxPool2dTaps:
        return w.node("MaxPool", w.name(step.x), **attributes)
    readers = _readers(w, step.outputs[1])
    if not readers:
        return [w.node("MaxPool", w.name(step.x), **attributes), ""]
    out, flat = w.node("MaxPool", w.name(step.x), outputs=2, **attributes)
    w.flat_indices[step.outputs[1].number] = flat
    if readers == {unpooling.MaxUnpool2d}:
        return [out, ""]
    height, width = w.fixed(step, "a plane of indices", *step.x.shape[2:])
    return [out, w.node("Mod", flat, w.builder.constant(height * width, np.int64))]


def _readers(w: Writer, value: Value) -> set[Any]:
    """Return which operations read a value; None stands for an output of the program."""
    given = {None for out in w.program.outputs if out.number == value.number}
    return given | {step.operation for step in w.program.steps if value.number in step.read()}


def _windows(step: Step, geometry: dict[str, Any], dilation: Any = None) -> dict[str, Any]:
    """Return ONNX's attributes; a window that hangs over the edge (``ceil_mode``) gets more padding there."""
    kernel_size = both(geometry["kernel_size"])
    stride = kernel_size if geometry["stride"] is None else both(geometry["stride"])
    padding, steps = both(geometry["padding"]), both(1 if dilation is None else dilation)
    over = [_overhang(step, axis, kernel_size, stride, padding, steps) for axis in (0, 1)]
    ends = [pad + more for pad, more in zip(padding, over)]
    attributes = {"kernel_shape": list(kernel_size), "strides": list(stride), "pads": [*padding, *ends]}
    if any(end >= kernel for end, kernel in zip(ends, kernel_size)):
        refuse(step, "windows that reach over the edge by less than their size", f"{ends} for windows of {kernel_size}")
    return attributes if dilation is None else {**attributes, "dilations": list(steps)}


def _overhang(step: Step, axis: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> int:
    reach = dilation[axis] * (kernel_size[axis] - 1) + 1

    def over(size: int, out: int) -> int:
        return max(0, (out - 1) * stride[axis] + reach - (size + 2 * padding[axis]))

    sizes = step.x.shape[2 + axis], step.out.shape[2 + axis]
    return in_each_recording(step, "a window over the edge", over, *sizes)


@translates(pooling.AvgPool2d)
def avg_pool(w: Writer, step: Step) -> str:
    """Translate the mean of each window; where the divisor is not that of ONNX, sums are divided by what it is."""
    geometry = step.options["geometry"]
    attributes = _windows(step, geometry)
    padding = both(geometry["padding"])
    if attributes["pads"] == [*padding, *padding] and geometry["divisor_override"] is None:
        return w.node("AveragePool", w.name(step.x), **attributes, count_include_pad=int(geometry["count_include_pad"]))
    height, width = w.fixed(step, "a mean whose divisor depends on where the window is", *step.x.shape[2:])
    (channels,) = w.fixed(step, "a number of channels", step.out.shape[1])
    ones = Tensor(np.ones((1, 1, height, width)))
    with no_grad():  # taps inside the plane over the divisor, and these taps alone
        shares, taps = (pooling.avg_pool2d(ones, **geometry | change).array for change in ({}, {"divisor_override": 1}))
    kernel = w.builder.constant(np.ones((channels, 1, *attributes["kernel_shape"]), step.out.dtype))
    sums = w.node("Conv", w.name(step.x), kernel, **attributes, group=channels)
    return w.node("Mul", sums, w.builder.constant((shares / taps).astype(step.out.dtype)))


@translates(adaptive_pooling.AdaptiveAvgPool2d)
def adaptive_avg_pool(w: Writer, step: Step) -> str:
    """Translate the means of a number of bins: of equal ones as windows, of others as products with two matrices."""
    x, out = step.x, step.out
    if out.shape[2:] == (1, 1):
        return w.node("GlobalAveragePool", w.name(x))
    if out.shape[2:] == x.shape[2:]:
        return w.name(x)
    size = w.fixed(step, "one bin, or (without dynamic_size) a map", *x.shape[2:], *out.shape[2:])
    if size[0] % size[2] == 0 and size[1] % size[3] == 0:
        window = [size[0] // size[2], size[1] // size[3]]
        return w.node("AveragePool", w.name(x), kernel_shape=window, strides=window)
    rows, columns = (matrix_of(_bins_along(count), length) for length, count in zip(size[:2], size[2:]))
    return applied_to_both_axes(w, w.name(x), rows, columns, out.dtype)


def _bins_along(count: int) -> Any:
    """Return the pooling of columns, (N, 1, H, 1), into a number of bins."""
    return lambda columns: adaptive_pooling.adaptive_avg_pool2d(columns, (count, 1))


@translates(adaptive_pooling.AdaptiveMaxPool2d)
def adaptive_max_pool(w: Writer, step: Step) -> list[str]:
    """Translate the largest of each bin: of all the map, of equal bins, or of positions that are gathered for each bin."""
    x, out = step.x, step.out
    if _readers(w, step.outputs[1]):
        refuse(step, "no indices of bins (max_pool2d has them)", "return_indices=True")
    if out.shape[2:] == (1, 1):
        return [w.node("GlobalMaxPool", w.name(x)), ""]
    size = w.fixed(step, "one bin, or (without dynamic_size) a map", *x.shape[2:], *out.shape[2:])
    if size[0] % size[2] == 0 and size[1] % size[3] == 0:
        window = [size[0] // size[2], size[1] // size[3]]
        return [w.node("MaxPool", w.name(x), kernel_shape=window, strides=window), ""]
    y = w.name(x)
    for axis, length, count in ((2, size[0], size[2]), (3, size[1], size[3])):
        shares = matrix_of(_bins_along(count), length)  # (count, length): where it is not 0, the pixel belongs to the bin
        members = [np.flatnonzero(row) for row in shares]
        most = max(map(len, members))
        padded = np.stack([np.pad(own, (0, most - len(own)), "edge") for own in members])  # (count, most)
        gathered = w.node("Gather", y, w.builder.constant(padded, np.int64), axis=axis)
        y = reduced(w.builder, "ReduceMax", gathered, (axis + 1,), False)
    return [y, ""]


@translates(unpooling.MaxUnpool2d)
def max_unpool(w: Writer, step: Step) -> str:
    """Translate elements put back to where they were.

    ``MaxUnpool`` where its own output size is right (what an explicit one means is understood in two ways), else a scatter.
    """
    x, indices = step.x, step.inputs[1]
    pooled, flat = w.maker(indices), w.flat_indices.get(indices.number if indices is not None else -1)
    if step.options["duplicates"] == "sum":
        w.needs(step, 16)
    elif pooled is not None and flat is not None:
        attributes = _windows(pooled, pooled.options["geometry"], 1)
        if not any(attributes["pads"]) and _doubles(step, attributes):
            kernel = {name: attributes[name] for name in ("kernel_shape", "strides")}
            return w.node("MaxUnpool", w.name(x), flat, **kernel)
    return _scattered(w, step, flat)


def _doubles(step: Step, attributes: dict[str, Any]) -> bool:
    """Return whether ``(size - 1) * stride + kernel`` is the size of the output."""

    def fits(axis: int) -> bool:
        stride, kernel = attributes["strides"][axis], attributes["kernel_shape"][axis]
        sizes = step.x.shape[2 + axis], step.out.shape[2 + axis]
        return in_each_recording(step, "an unpooling", lambda small, large: (small - 1) * stride + kernel == large, *sizes)

    return fits(0) and fits(1)


def _scattered(w: Writer, step: Step, flat: str | None) -> str:
    """Add zeros with elements at positions counted over the whole batch."""
    x, indices = step.inputs
    if flat is None:
        flat = w.node("Add", w.name(indices), _first_of_planes(w, step))
    places, values = (w.node("Reshape", name, w.builder.ints(-1)) for name in (str(flat), w.name(x)))
    shape = w.shape(step.out.shape, step.module)
    dtype = w.builder.dtype(step.out.dtype)
    zeros = w.node("Expand", w.builder.constant(np.zeros(1, dtype)), _product(w, shape))
    adding = "add" if step.options["duplicates"] == "sum" else None
    filled = w.node("ScatterElements", zeros, places, values, axis=0, reduction=adding)
    return w.node("Reshape", filled, shape)


def _first_of_planes(w: Writer, step: Step) -> str:
    """Add where each plane of a step's output begins, counted over the whole batch, shape (N, C, 1, 1)."""
    plane = prod(w.fixed(step, "indices into planes", *step.out.shape[2:]))
    numbers = numbers_below(w.builder, _product(w, w.shape(step.out.shape[:2], step.module)))
    planes = w.node("Reshape", numbers, w.shape((*step.out.shape[:2], 1, 1), step.module))
    return w.node("Mul", planes, w.builder.constant(plane, np.int64))


def _product(w: Writer, shape: str) -> str:
    """Add the number of elements of a shape, a vector of one."""
    return reduced(w.builder, "ReduceProd", shape, (0,), True)
