"""Which pixels of the image an output pixel can depend on, read off the recorded graph: a backward pass of intervals.

Every layer's rule says which rows of its input a row of its output reads; walking the graph from an output to the image, as
backward does, turns output rows into an interval of image rows. Where paths meet, the interval covers both. Borders are left
out of account: rows above the image have negative numbers. What looks at the whole map (a global mean, a linear layer) sees
`EVERYTHING`.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels._arrays import pair

from ..autograd import Tensor
from ..autograd.arithmetic import Add, Div, Maximum, Minimum, Mul, Sub, Where
from ..autograd.elementwise import Cast, Clamp, Clone, Exp, Move, Neg
from ..autograd.function import Node
from ..autograd.indexing import GetItem
from ..autograd.shaping import Concat, Expand
from ..functional.convolution import Convolution, conv_transpose2d_room
from ..functional.nonlinearity import Nonlinearity
from ..functional.normalization import BatchNormEvaluation
from ..functional.pooling import AvgPool2d, MaxPool2d, MaxPool2dTaps
from ..functional.resize import Resize
from ..functional.unpooling import MaxUnpool2d
from ..nn.hooks import Gate

__all__ = ["EVERYTHING", "Interval", "rows_seen"]

EVERYTHING = 2**40  # rows; no image has as many
Interval = tuple[np.ndarray, np.ndarray]  # the first and the last row, one pair for each output row that is asked about

PIXELWISE = (Add, BatchNormEvaluation, Cast, Clamp, Clone, Concat, Div, Exp, Expand, Gate, Maximum, Minimum, Move, Mul, Neg)
PIXELWISE += (Nonlinearity, Sub, Where)  # and what is made of them


def rows_seen(output: Tensor, image: Tensor, rows: np.ndarray, axis: int = 0) -> Interval:
    """Return which rows (or columns, for ``axis`` 1) of the image each of some output rows can depend on.

    Parameters
    ----------
    output : Tensor, shape (N, C, H', W')
        Computed from ``image`` while a graph was recorded.
    image : Tensor, shape (N, C, H, W)
        A leaf that requires a gradient.
    rows : ndarray of int64
        Row numbers of the output.
    axis : {0, 1}
        Rows or columns.
    """
    if output._node is None:  # the image itself
        return rows, rows
    wanted: dict[Node, Interval] = {output._node: (rows, rows)}
    queue = [(-output._node.order, output._node)]
    seen: Interval | None = None
    while queue:
        _, node = heapq.heappop(queue)
        first, last = wanted.pop(node)
        rule = next((RULES[kind] for kind in node.function.__mro__ if kind in RULES), _whole)
        for edge in node.edges:
            target = edge[0] if isinstance(edge, tuple) else edge
            if not isinstance(target, Node) and target is not image:
                continue  # a weight, or nothing
            shape = target.outputs[edge[1]][0] if isinstance(target, Node) else image.shape
            read = _clip(rule(node.ctx, axis, first, last), shape, axis)
            if target is image:
                seen = _cover(seen, read)
                continue
            if target not in wanted:
                heapq.heappush(queue, (-target.order, target))
            wanted[target] = _cover(wanted.get(target), read)
    return seen if seen is not None else (np.zeros_like(rows), np.full_like(rows, -1))


def _cover(one: Interval | None, other: Interval) -> Interval:
    """Return what covers both."""
    return other if one is None else (np.minimum(one[0], other[0]), np.maximum(one[1], other[1]))


def _clip(read: Interval, shape: tuple[int, ...], axis: int) -> Interval:
    """Keep the numbers bounded, and a map of one row, which is broadcast, at that row."""
    if len(shape) == 4 and shape[2 + axis] == 1:
        return np.zeros_like(read[0]), np.zeros_like(read[1])
    return np.maximum(read[0], -EVERYTHING), np.minimum(read[1], EVERYTHING)


def _pixelwise(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    return first, last


def _whole(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    return np.full_like(first, -EVERYTHING), np.full_like(last, EVERYTHING)


def _window(geometry: dict[str, Any], kernel_size: int, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    """Return what a sliding window reads: rows ``stride * oh - padding + dilation * kh``."""
    stride, reach, before = _spacing(geometry, kernel_size, axis)
    return first * stride - before, last * stride - before + reach


def _spacing(geometry: dict[str, Any], kernel_size: int, axis: int) -> tuple[int, int, int]:
    """Return a window's stride, the distance of its last tap from its first, and the padding before the image."""
    stride = pair("rows_seen", "stride", geometry["stride"], 1)[axis]
    reach = pair("rows_seen", "dilation", geometry.get("dilation", 1), 1)[axis] * (kernel_size - 1)
    padding = geometry["padding"]
    if isinstance(padding, str):
        return stride, reach, reach // 2 if padding == "same" else 0
    return stride, reach, pair("rows_seen", "padding", padding, 0)[axis]


def _convolution(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    kernel_size = ctx.shapes[1][2 + axis]
    if ctx.room is not conv_transpose2d_room:
        return _window(ctx.geometry, kernel_size, axis, first, last)
    # Row ih reaches the output rows ih * stride - padding + dilation * kh: solve for ih.
    stride, reach, before = _spacing(ctx.geometry, kernel_size, axis)
    return -((reach - first - before) // stride), (last + before) // stride


def _pooling(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    kernel_size = pair("rows_seen", "kernel_size", ctx.geometry["kernel_size"], 1)
    stride = kernel_size if ctx.geometry["stride"] is None else ctx.geometry["stride"]
    return _window({**ctx.geometry, "stride": stride}, kernel_size[axis], axis, first, last)


def _unpooling(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    """Of windows that do not overlap: each output row belongs to one pooled row."""
    height, out_height = ctx.input_size[axis], ctx.size[axis]
    window = -(-out_height // height)
    return first // window, last // window


def _resize(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    height, out_height = ctx.input_size[axis], ctx.size[axis]
    if ctx.options["mode"] == "nearest":
        return first * height // out_height, last * height // out_height
    if ctx.options["mode"] == "nearest-exact":
        return (2 * first + 1) * height // (2 * out_height), (2 * last + 1) * height // (2 * out_height)
    if ctx.options["align_corners"]:
        top = max(out_height - 1, 1)
        return first * (height - 1) // top, last * (height - 1) // top + 1
    double = 2 * out_height  # the source row is ((2 oh + 1) H - out_h) / (2 out_h), between two rows
    return ((2 * first + 1) * height - out_height) // double, ((2 * last + 1) * height - out_height) // double + 1


def _slice(ctx: Any, axis: int, first: np.ndarray, last: np.ndarray) -> Interval:
    """Of a crop ``x[:, :, a:b, c:d]``; any other index may read anything."""
    index = ctx.index if isinstance(ctx.index, tuple) else (ctx.index,)
    if not all(isinstance(part, slice) and part.step in (None, 1) for part in index):
        return _whole(ctx, axis, first, last)
    start = index[2 + axis].indices(ctx.shape[2 + axis])[0] if len(index) > 2 + axis else 0
    return first + start, last + start


RULES: dict[Any, Callable[[Any, int, np.ndarray, np.ndarray], Interval]] = {
    AvgPool2d: _pooling,
    Convolution: _convolution,
    GetItem: _slice,
    MaxPool2d: _pooling,
    MaxPool2dTaps: _pooling,
    MaxUnpool2d: _unpooling,
    Resize: _resize,
    **dict.fromkeys(PIXELWISE, _pixelwise),
}
