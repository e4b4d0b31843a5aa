"""AveragePool and LpPool: sums of windows, and how many elements each of them has."""

from __future__ import annotations

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...device import move
from ..node import Node
from .registry import operator
from .windows import Window, as_images, overhang, padded, restored, window


@operator("AveragePool", widens=True)
def average_pool(node: Node, x: Tensor) -> Tensor:
    """Return the mean of each window."""
    images = as_images(node, x)
    where = window(node, x.ndim, node.attributes["kernel_shape"], images.shape[2:])
    ceil_mode, whole = bool(node.attribute("ceil_mode", 0)), bool(node.attribute("count_include_pad", 0))
    if where.even and where.dilations == (1, 1) and all(p <= k // 2 for p, k in zip(where.begins, where.kernel)):
        return restored(F.avg_pool2d(images, where.kernel, where.strides, where.begins, ceil_mode, whole), x)
    sums = _sums(node, images, where, ceil_mode)
    counts = [_counts(where, axis, images.shape[2 + axis], ceil_mode, whole) for axis in (0, 1)]
    shares = np.multiply.outer(*counts)[None, None].astype(x.dtype)
    return restored(sums / Tensor(move(shares, x.device)), x)


@operator("LpPool", since=2, widens=True)
def lp_pool(node: Node, x: Tensor) -> Tensor:
    """Return the p-norm of each window."""
    images, p = as_images(node, x), node.attribute("p", 2)
    where = window(node, x.ndim, node.attributes["kernel_shape"], images.shape[2:])
    sums = _sums(node, images.abs() ** p, where, bool(node.attribute("ceil_mode", 0)))
    return restored(sums ** (1 / p), x)


def _sums(node: Node, images: Tensor, where: Window, ceil_mode: bool) -> Tensor:
    """Return the sum of each window, what is outside counting as 0."""
    framed = padded(node, images, where.begins, overhang(where, images.shape[2:], ceil_mode))
    if where.dilations == (1, 1):
        return F.avg_pool2d(framed, where.kernel, where.strides, divisor_override=1)
    channels = images.shape[1]
    ones = Tensor(
        move(np.broadcast_to(images.dtype.type(1), (channels, 1, *where.kernel)), images.device)
    )  # no memory of its own
    return F.conv2d(framed, ones, stride=where.strides, dilation=where.dilations, groups=channels)


def _counts(where: Window, axis: int, length: int, ceil_mode: bool, whole: bool) -> np.ndarray:
    """Return how many taps of each window along an axis are elements; with ``whole`` the paddings are, too."""
    begin, end = where.begins[axis], where.ends[axis]
    last = overhang(where, (length, length), ceil_mode)[axis]
    windows = (begin + length + last - where.reach[axis]) // where.strides[axis] + 1
    starts, step = np.arange(windows) * where.strides[axis] - begin, where.dilations[axis]
    low, high = (-begin, length + end) if whole else (0, length)
    first = np.maximum(0, -((starts - low) // step))  # the first tap that is not before low
    last_tap = np.minimum(where.kernel[axis] - 1, (high - 1 - starts) // step)
    return np.maximum(last_tap - first + 1, 1)
