"""MaxPool and MaxUnpool, whose indices ONNX counts through the whole tensor, and the pooling of whole planes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...device import array_module
from ...functional import PoolIndices
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .windows import as_images, overhang, padded, restored, window

KERNELS = (np.dtype(np.float32), np.dtype(np.float64))


@operator("MaxPool", widens=True)
def max_pool(node: Node, x: Tensor) -> Any:
    """Return the largest element of each window, and where it was."""
    if x.dtype not in KERNELS:
        return _of_integers(node, x)
    images = as_images(node, x)
    where = window(node, x.ndim, node.attributes["kernel_shape"], images.shape[2:])
    ceil_mode = bool(node.attribute("ceil_mode", 0))
    geometry: dict[str, Any] = {"kernel_size": where.kernel, "stride": where.strides, "dilation": where.dilations}
    if where.even and all(p <= k // 2 for p, k in zip(where.begins, where.kernel)):
        geometry |= {"padding": where.begins, "ceil_mode": ceil_mode}
        begins, framed = (0, 0), images
    else:  # a frame that is never chosen
        begins, framed = (
            where.begins,
            padded(node, images, where.begins, overhang(where, images.shape[2:], ceil_mode), -math.inf),
        )
    if not node.asks_for(1):
        return restored(F.max_pool2d(framed, **geometry), x)
    out, indices = F.max_pool2d(framed, **geometry, return_indices=True)
    places = _counted(node, indices.array, framed.shape[3], begins, images.shape)
    return restored(out, x), restored(Tensor(places), x)


def _of_integers(node: Node, x: Tensor) -> Any:
    """Pool numbers that float32 or float64 hold exactly."""
    if x.dtype.itemsize > 4 or x.dtype.kind == "b":
        node.refuse("input", "floats, or integers of at most 32 bits", x.dtype)
    found = max_pool(node, x.astype(np.float64 if x.dtype.itemsize == 4 else np.float32))
    out, *places = found if isinstance(found, tuple) else (found,)
    return out.astype(x.dtype), *places


def _counted(node: Node, indices: Any, framed_width: int, begins: tuple[int, int], shape: tuple[int, ...]) -> Any:
    """Return indices into a framed plane as ONNX counts: through the tensor, row by row or column by column of a plane."""
    n, c, h, w = shape
    rows, columns = indices // framed_width - begins[0], indices % framed_width - begins[1]
    within = columns * h + rows if node.attribute("storage_order", 0) else rows * w + columns
    return within + array_module(indices).arange(n * c).reshape(n, c, 1, 1) * (h * w)


@operator("MaxUnpool", widens=True)
def max_unpool(node: Node, x: Tensor, indices: Tensor, output_shape: Tensor | None = None) -> Tensor:
    """Put every element back where its index points; of several with one index the last stays."""
    images, places = as_images(node, x), as_images(node, indices)
    where = window(node, x.ndim, node.attributes["kernel_shape"], images.shape[2:])
    n, c = images.shape[:2]
    h, w = (
        (length - 1) * stride - begin - end + taps
        for length, stride, begin, end, taps in zip(images.shape[2:], where.strides, where.begins, where.ends, where.kernel)
    )
    if min(h, w) < 1:
        node.refuse("pads", "an output of at least one pixel", (h, w))
    allocatable(node, (n, c, h, w), x.dtype)
    if places.shape != images.shape or places.dtype != np.int64:
        node.refuse("indices", f"int64 of shape {x.shape}", f"{indices.dtype} of shape {indices.shape}")
    within = places.array - array_module(places.array).arange(n * c).reshape(n, c, 1, 1) * (h * w)
    out = F.max_unpool2d(images, PoolIndices(within, (h, w)), where.kernel, duplicates="last")
    if output_shape is not None:
        wanted = allocatable(node, output_shape.tolist(), x.dtype)
        if len(wanted) != x.ndim or wanted[:2] != (n, c):
            node.refuse("output_shape", f"{x.ndim} sizes that begin with {(n, c)}", wanted)
        bottom, right = (1 if x.ndim == 3 else wanted[2]), wanted[-1]
        out = padded(node, out, (0, 0), (bottom - h, right - w))
    return restored(out, x)


@operator("GlobalAveragePool", widens=True)
def global_average_pool(node: Node, x: Tensor) -> Tensor:
    """Return the mean of every plane."""
    return x.mean(_plane(node, x), keepdim=True)


@operator("GlobalMaxPool", widens=True)
def global_max_pool(node: Node, x: Tensor) -> Tensor:
    """Return the largest element of every plane."""
    return x.amax(_plane(node, x), keepdim=True)


@operator("GlobalLpPool", since=2, widens=True)
def global_lp_pool(node: Node, x: Tensor) -> Tensor:
    """Return the p-norm of every plane."""
    p = node.attribute("p", 2)
    return (x.abs() ** p).sum(_plane(node, x), keepdim=True) ** (1 / p)


def _plane(node: Node, x: Tensor) -> tuple[int, ...]:
    if x.ndim < 3:
        node.refuse("input", "(N, C, ...) with at least one more axis", f"shape {x.shape}")
    return tuple(range(2, x.ndim))
