"""The same elements in another shape or order, or repeated."""

from __future__ import annotations

import math

from ...autograd import Tensor
from ...device import array_module
from ...errors import ShapeError
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .settings import axes_of, integers, number, setting


@operator("Identity")
def identity(node: Node, x: Tensor) -> Tensor:
    """Return x."""
    return x


@operator("Reshape")
def reshape(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Return x in a shape, in which 0 copies a size (unless ``allowzero``) and one -1 is what is left."""
    sizes = integers(node, "shape", shape)
    copies = [] if node.attribute("allowzero", 0) else [i for i, size in enumerate(sizes) if size == 0]
    if any(i >= x.ndim for i in copies):
        node.refuse("shape", f"zeros that copy one of {x.ndim} sizes", sizes)
    if any(size < -1 for size in sizes) or sizes.count(-1) > 1 or (-1 in sizes and 0 in sizes and not copies):
        node.refuse("shape", "sizes of at least 0, or one -1 (but not beside a size of 0)", sizes)
    wanted = [x.shape[i] if i in copies else size for i, size in enumerate(sizes)]
    if -1 in wanted:  # copied sizes stand on both sides, so an empty batch, too, leaves the rest determined
        have = math.prod(size for i, size in enumerate(x.shape) if i not in copies)
        held = math.prod(size for i, size in enumerate(wanted) if i not in copies and size != -1)
        if held == 0 or have % held:
            node.refuse("shape", f"sizes that hold the elements of {x.shape}", sizes)
        wanted[wanted.index(-1)] = have // held
    if math.prod(wanted) != x.size:
        node.refuse("shape", f"sizes that hold the elements of {x.shape}", sizes)
    return x.reshape(*wanted)


@operator("Flatten")
def flatten(node: Node, x: Tensor) -> Tensor:
    """Return two axes: all before an axis as one, and all others as one."""
    axis = node.attribute("axis", 1)
    if not -x.ndim <= axis <= x.ndim:
        node.refuse("axis", f"a place in [{-x.ndim}, {x.ndim}]", axis)
    axis = axis + x.ndim if axis < 0 else axis
    return x.reshape(math.prod(x.shape[:axis]), math.prod(x.shape[axis:]))


@operator("Transpose")
def transpose(node: Node, x: Tensor) -> Tensor:
    """Return the axes in the order ``perm``, reversed unless said."""
    order = axes_of(node, node.attribute("perm", range(x.ndim)[::-1]), x.ndim)
    if len(order) != x.ndim:
        node.refuse("perm", f"each of {x.ndim} axes once", order)
    return x.permute(order)


@operator("Squeeze")
def squeeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Return x without axes of size 1: those named, or all."""
    named = setting(node, "axes", axes)
    if named is None or (axes is None and not named):  # an empty attribute means all axes, an empty input none
        return x.squeeze()
    gone = axes_of(node, named, x.ndim)
    if any(x.shape[axis] != 1 for axis in gone):
        raise ShapeError(node.label, "axes", "axes of size 1", f"{named} of shape {x.shape}")
    return x.reshape(*[size for axis, size in enumerate(x.shape) if axis not in gone])


@operator("Unsqueeze")
def unsqueeze(node: Node, x: Tensor, axes: Tensor | None = None) -> Tensor:
    """Return x with axes of size 1, where the result has them."""
    named = setting(node, "axes", axes)
    if named is None:
        node.refuse("axes", "an attribute or an input", "neither")
    ndim = x.ndim + len(named)
    new = axes_of(node, named, ndim)
    sizes = iter(x.shape)
    return x.reshape(*[1 if axis in new else next(sizes) for axis in range(ndim)])


@operator("Expand")
def expand(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Return x broadcast together with a shape, whose sizes of 1 leave those of x as they are."""
    asked = integers(node, "shape", shape)
    ndim = max(x.ndim, len(asked))
    have, want = (1,) * (ndim - x.ndim) + x.shape, (1,) * (ndim - len(asked)) + asked
    if any(a != b and 1 not in (a, b) for a, b in zip(have, want)):
        node.refuse("shape", f"one that broadcasts with {x.shape}", asked)
    return x.expand(*allocatable(node, [b if a == 1 else a for a, b in zip(have, want)], x.dtype)) if ndim else x


@operator("Tile")
def tile(node: Node, x: Tensor, repeats: Tensor) -> Tensor:
    """Return x side by side so many times along each axis."""
    times = integers(node, "repeats", repeats)
    if len(times) != x.ndim or any(count < 0 for count in times):
        node.refuse("repeats", f"{x.ndim} numbers of at least 0, one for each axis", times)
    shape = allocatable(node, [count * size for count, size in zip(times, x.shape)], x.dtype)
    for axis, count in enumerate(times):  # one axis at a time: NumPy has an upper limit on axes
        if count != 1:
            behind = x.shape[axis + 1 :]
            copies = x.unsqueeze(axis).expand(*x.shape[:axis], count, x.shape[axis], *behind)
            x = copies.reshape(*x.shape[:axis], shape[axis], *behind)
    return x


@operator("Trilu")
def triangle(node: Node, x: Tensor, offset: Tensor | None = None) -> Tensor:
    """Return matrices with zeros below (or, unless ``upper``, above) a diagonal; further axes come before the last two."""
    if x.ndim < 2:
        raise ShapeError(node.label, "input", "at least two axes", x.shape)
    k = 0 if offset is None else int(number(node, "k", offset))
    rows, columns = x.shape[-2:]
    k = max(-rows - 1, min(columns + 1, k))  # beyond, nothing changes
    xp = array_module(x.array)
    across = xp.arange(columns) - xp.arange(rows)[:, None]
    return x.where(across >= k if node.attribute("upper", 1) else across <= k, Tensor(xp.zeros((), x.dtype)))
