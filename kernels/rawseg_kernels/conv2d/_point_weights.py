"""The gradient of 1 x 1 kernels: which of two ways is taken, and which side takes the place of the input.

The side of fewer channels does: `_point_sums` reads it again and again, and `_point_products` lays it out. With few pixels that
is not worth turning the result.
"""

from __future__ import annotations

from .._arena import empty
from .._jit import kernel
from .._panels import pack_rows
from .._simd import ROWS
from .._threads import launch
from ._point_products import multiply_points
from ._point_sums import sum_points

MEETINGS, SMALL_MEETINGS = 26, 20  # products of an element, averaged over both sides, that it is laid out for, and in planes of
SMALL = 512  # pixels, where sums end so soon


def are_many(channels: int, depth: int, plane: int) -> bool:
    """Return whether a group has channels enough to lay out the pixels of planes of this size."""
    return channels * depth >= (SMALL_MEETINGS if plane < SMALL else MEETINGS) * (channels + depth)


@kernel
def turn_rows(first, last, source, to, rows, columns):
    """``to[c, r] = source[r, c]``; a task is ROWS rows."""
    for row in range(first * ROWS, last * ROWS, ROWS):
        pack_rows(source, row * columns, columns, min(ROWS, rows - row), columns, to, row, rows)


def sum_over_points(grad_output, x, weight_shape, groups):
    """Return ``grad_weight``, in the shape of the weights; ``x`` has the size of ``grad_output``."""
    channels, depth, plane = weight_shape[0] // groups, weight_shape[1], x.shape[2] * x.shape[3]
    if groups == 1 and (depth - channels) * x.shape[0] * plane > depth * channels:
        turned = sum_over_points(x, grad_output, (depth, channels, 1, 1), 1)
        grad_weight = empty(tuple(weight_shape), x.dtype)
        arrays = turned.reshape(-1), grad_weight.reshape(-1)
        launch(turn_rows, -(-depth // ROWS), *arrays, depth, channels, work=grad_weight.size)
        return grad_weight
    many = are_many(channels, depth, plane) and grad_output.size > 0
    return (multiply_points if many else sum_points)(grad_output, x, weight_shape, groups)
