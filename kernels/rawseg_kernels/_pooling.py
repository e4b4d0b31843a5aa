"""The window arithmetic that the poolings share: every rule once, in Python ints."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import _memory
from ._arrays import are_plain, check_integers, check_range, check_rank, check_shape, flag, pair
from ._errors import ArgumentError, ShapeError
from ._memory import check_size, check_tables

Pair = tuple[int, int]
SIDES = ("height", "width")


def window(
    op: str, size: Pair, kernel_size: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: Any
) -> tuple[Pair, Pair, Pair, Pair, Pair]:
    """Return ``(kernel_size, stride, padding, dilation, output_size)`` as checked pairs.

    ``stride=None`` means ``kernel_size``. Padding is at most half of the kernel, and every window holds at least one pixel.
    """
    kernel_size = pair(op, "kernel_size", kernel_size, 1)
    stride = kernel_size if stride is None else pair(op, "stride", stride, 1)
    padding = pair(op, "padding", padding, 0)
    dilation = pair(op, "dilation", dilation, 1)
    if padding[0] > kernel_size[0] // 2 or padding[1] > kernel_size[1] // 2:
        raise ArgumentError(op, "padding", f"at most half of kernel_size {kernel_size}", padding)
    out = pool_output_size(op, size, kernel_size, stride, padding, dilation, flag(op, "ceil_mode", ceil_mode))
    _refuse_empty_windows(op, size, kernel_size, stride, padding, dilation, out)
    return kernel_size, stride, padding, dilation, out


def pool_output_size(
    op: str, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, ceil_mode: bool
) -> Pair:
    """Return ``(out_h, out_w)``: ``floor((size + 2 padding - reach) / stride) + 1`` each, reach = dilation (kernel - 1) + 1.

    With ``ceil_mode`` the division rounds up, and a last window that would start beyond the right padding is left out.
    """
    out = []
    for axis in (0, 1):
        reach = dilation[axis] * (kernel_size[axis] - 1) + 1
        room = size[axis] + 2 * padding[axis] - reach
        count = (room + (stride[axis] - 1 if ceil_mode else 0)) // stride[axis] + 1
        if ceil_mode and (count - 1) * stride[axis] >= size[axis] + padding[axis]:
            count -= 1
        if count < 1:
            padded = f"{size[axis] + 2 * padding[axis]} ({SIDES[axis]} {size[axis]}, padding {padding[axis]})"
            detail = f"{reach} (kernel_size={kernel_size[axis]}, dilation={dilation[axis]})"
            raise ShapeError(op, "x", f"a padded {SIDES[axis]} of at least {detail}", padded)
        out.append(count)
    return out[0], out[1]


def are_quarters(plane: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair) -> bool:
    """Tell whether all windows are 2 x 2, side by side and whole: ``ceil_mode`` lets the last ones reach over an odd edge."""
    whole = 2 * output_size[0] <= plane[0] and 2 * output_size[1] <= plane[1]
    return whole and (kernel_size, stride, padding, dilation) == ((2, 2), (2, 2), (0, 0), (1, 1))


def _refuse_empty_windows(
    op: str, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair, output_size: Pair
) -> None:
    """Raise if a window has no tap inside the plane: dilated taps can step over a narrow plane from the left padding.

    Only windows that start in the left padding can be empty: the size rules start the others inside the plane.
    """
    for axis in (0, 1):
        step = dilation[axis]
        for index in range(min(output_size[axis], -(-padding[axis] // stride[axis])) if step > 1 else 0):
            start = index * stride[axis] - padding[axis]
            tap = -(start // step)  # the first tap at or right of the plane's edge
            if tap >= kernel_size[axis] or start + tap * step >= size[axis]:
                taken = f"window {index} along the {SIDES[axis]} {size[axis]} has none: kernel_size {kernel_size}"
                raise ArgumentError(op, "dilation", "a pixel in every window", f"{dilation} ({taken}, padding {padding})")


def check_indices(op: str, indices: Any, planes: Pair, plane: Pair, device: str) -> None:
    """Check stored indices: an int64 array, shape (N, C, out_h, out_w), each inside its plane ``(h, w)``.

    Parameters
    ----------
    planes : (int, int)
        N and C.
    plane : (int, int)
        Height and width of the plane that the indices point into.
    device : str
        Where the other arrays of the call live.
    """
    check_integers(op, "indices", indices, device)
    check_rank(op, "indices", indices, "(N, C, out_h, out_w)")
    check_shape(op, "indices", indices, (*planes, *indices.shape[2:]))
    pixels = plane[0] * plane[1]
    check_range(op, "indices", indices, 0, pixels, f"0 <= index < {pixels}, the plane {plane}")


def bins(size: int, count: int) -> tuple[Any, Any]:
    """Return the first pixel of each of ``count`` bins, and the one past its last.

    ``floor(i * size / count)`` and ``ceil((i + 1) * size / count)``: bins cover the axis, hold at least one pixel, and overlap
    where ``count`` does not divide ``size``. With the two numbers exchanged it tells which bins hold a pixel.
    """
    index = np.arange(count, dtype=np.int64)
    return index * size // count, -(-(index + 1) * size // count)


_known_bins = lru_cache(maxsize=256)(bins)


def adaptive_bins(op: str, shape: tuple[int, ...], output_size: Any, dtype: Any) -> tuple[Pair, tuple, tuple]:
    """Return ``(output_size, rows, columns)`` of an adaptive pooling: its size, where None keeps a side, and both axes' `bins`.

    The memory of an output of ``dtype``, and that of the tables, is checked first.
    """
    if type(output_size) is int or (type(output_size) is tuple and are_plain((output_size,))):
        return _known_plan(_memory.limit_bytes(), op, shape, output_size, dtype)
    return _plan(op, shape, output_size, dtype)


def _plan(op: str, shape: tuple[int, ...], output_size: Any, dtype: Any) -> tuple[Pair, tuple, tuple]:
    asked = output_size if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    if len(asked) != 2:
        raise ArgumentError(op, "output_size", "an int or a pair (height, width), None to keep a side", output_size)
    size = pair(op, "output_size", tuple(side if new is None else new for side, new in zip(shape[2:], asked)), 1)
    check_size(op, (*shape[:2], *size), dtype)
    check_tables(op, sum(shape[2:]) + sum(size))
    return size, _known_bins(shape[2], size[0]), _known_bins(shape[3], size[1])


@lru_cache(maxsize=256)
def _known_plan(limit: int, *asked: Any) -> tuple[Pair, tuple, tuple]:
    """Return the same: what is asked for again under one limit of memory is checked once."""
    return _plan(*asked)
