"""Tensors joined along an axis, split again, and cut."""

from __future__ import annotations

from ...autograd import Tensor
from ...autograd.shaping import cat
from ..limits import allocatable
from ..node import Node
from .operands import same_dtype
from .registry import operator
from .settings import axes_of, axis_of, setting


@operator("Concat")
def concatenate(node: Node, *inputs: Tensor) -> Tensor:
    """Return tensors joined along an axis."""
    if not inputs or any(tensor is None for tensor in inputs):
        node.refuse("inputs", "at least one, and none left out", node.inputs)
    same_dtype(node, *inputs)
    axis = axis_of(node, node.attribute("axis", 1), inputs[0].ndim)  # the 1 is that of version 1
    shape = list(inputs[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in inputs if tensor.ndim == inputs[0].ndim)
    allocatable(node, shape, inputs[0].dtype)
    return cat(inputs, axis)


@operator("Split")
def split(node: Node, x: Tensor, sizes: Tensor | None = None) -> tuple[Tensor, ...]:
    """Return pieces along an axis: of the sizes given, or as many of one size as there are outputs."""
    axis = axis_of(node, node.attribute("axis", 0), x.ndim)
    given, pieces = setting(node, "split", sizes), len(node.outputs)
    if given is None:
        given = _equal_parts(node, x.shape[axis], pieces)
    if len(given) != pieces or sum(given) != x.shape[axis] or min(given) < 0:
        node.refuse("split", f"{pieces} sizes of at least 0 that add up to {x.shape[axis]}", given)
    return x.split(list(given), axis)


def _equal_parts(node: Node, length: int, pieces: int) -> tuple[int, ...]:
    """Return sizes of which, from version 18 on, the last may be smaller."""
    asked = node.attribute("num_outputs", pieces)
    if asked != pieces:
        node.refuse("num_outputs", f"{pieces}, the number of outputs", asked)
    each = -(-length // pieces)
    last = length - each * (pieces - 1)
    if last < 0 or (last != each and "num_outputs" not in node.attributes):
        node.refuse("split", f"{pieces} equal parts of an axis", f"{length} elements along it")
    return (each,) * (pieces - 1) + (last,)


@operator("Slice", since=10)
def cut(node: Node, x: Tensor, starts: Tensor, ends: Tensor, axes: Tensor | None = None, steps: Tensor | None = None) -> Tensor:
    """Return every step-th element from the starts to before the ends; negative ones count from the end."""
    return _cut(node, x, *(setting(node, name, given) for name, given in zip(SLICE, (starts, ends, axes, steps))))


@operator("Slice")
def cut_by_attributes(node: Node, x: Tensor) -> Tensor:
    """Return the elements from the starts to before the ends, which are attributes before version 10."""
    return _cut(node, x, *(setting(node, name, None) for name in SLICE))


SLICE = ("starts", "ends", "axes", "steps")


def _cut(node: Node, x: Tensor, starts, ends, axes, steps) -> Tensor:
    if starts is None or ends is None:
        node.refuse("starts", "starts and ends", "one of them missing")
    axes = tuple(range(len(starts))) if axes is None else axes
    steps = (1,) * len(starts) if steps is None else steps
    if not len(starts) == len(ends) == len(axes) == len(steps):
        node.refuse("starts", "as many starts as ends, axes and steps", [len(part) for part in (starts, ends, axes, steps)])
    if 0 in steps:
        node.refuse("steps", "steps other than 0", steps)
    index = [slice(None)] * x.ndim
    for axis, start, end, step in zip(axes_of(node, axes, x.ndim), starts, ends, steps):
        index[axis] = _span(start, end, step, x.shape[axis])
    return x[tuple(index)]


def _span(start: int, end: int, step: int, size: int) -> slice:
    """Return the slice that ONNX means: not always Python's, as a start far below 0 is 0 with a negative step, too."""
    start, end = (at + size if at < 0 else at for at in (start, end))
    if step > 0 or size == 0:
        return slice(max(start, 0), max(end, 0), step)
    return slice(max(start, 0), None if end < 0 else end, step)
