"""TensorFlow's operations in plain loops over (N, H, W, C), from their documentation: what rawseg.tfjs is compared with."""

from __future__ import annotations

import math

import numpy as np

Pair = tuple[int, int]


def same(size: int, taps: int, stride: int, dilation: int = 1) -> Pair:
    """Return what SAME adds before and after an axis: as little as gives ceil(size / stride) windows, an odd one at the end."""
    total = max((math.ceil(size / stride) - 1) * stride + (taps - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def windows(size: int, taps: int, stride: int, padding: str, dilation: int = 1) -> list[list[tuple[int, int]]]:
    """Return for every window of an axis its taps inside the axis: (number of the tap, index)."""
    before, after = same(size, taps, stride, dilation) if padding == "SAME" else (0, 0)
    count = (size + before + after - (taps - 1) * dilation - 1) // stride + 1
    found = []
    for o in range(count):
        places = [(tap, o * stride - before + tap * dilation) for tap in range(taps)]
        found.append([(tap, i) for tap, i in places if 0 <= i < size])
    return found


def conv2d(x, weight, strides: Pair, padding: str, dilations: Pair = (1, 1)) -> np.ndarray:
    """weight (kH, kW, C_in / groups, C_out)."""
    kernel_h, kernel_w, inside, out_channels = weight.shape
    rows = windows(x.shape[1], kernel_h, strides[0], padding, dilations[0])
    columns = windows(x.shape[2], kernel_w, strides[1], padding, dilations[1])
    groups = x.shape[3] // inside
    out = np.zeros((len(x), len(rows), len(columns), out_channels), x.dtype)
    for oh, row in enumerate(rows):
        for ow, column in enumerate(columns):
            for kh, ih in row:
                for kw, iw in column:
                    for g in range(groups):
                        block = slice(g * out_channels // groups, (g + 1) * out_channels // groups)
                        channels = x[:, ih, iw, g * inside : (g + 1) * inside]
                        out[:, oh, ow, block] += channels @ weight[kh, kw, :, block]
    return out


def depthwise(x, weight, strides: Pair, padding: str, dilations: Pair = (1, 1)) -> np.ndarray:
    """weight (kH, kW, C, multiplier); output channel c * multiplier + m."""
    kernel_h, kernel_w, c, multiplier = weight.shape
    rows = windows(x.shape[1], kernel_h, strides[0], padding, dilations[0])
    columns = windows(x.shape[2], kernel_w, strides[1], padding, dilations[1])
    out = np.zeros((len(x), len(rows), len(columns), c * multiplier), x.dtype)
    for oh, row in enumerate(rows):
        for ow, column in enumerate(columns):
            for kh, ih in row:
                for kw, iw in column:
                    for k in range(c):
                        for m in range(multiplier):
                            out[:, oh, ow, k * multiplier + m] += x[:, ih, iw, k] * weight[kh, kw, k, m]
    return out


def conv2d_backprop_input(size: Pair, weight, grad, strides: Pair, padding: str) -> np.ndarray:
    """The gradient of conv2d by its input: every output sends back what its window took. weight (kH, kW, C_image, C_grad)."""
    rows = windows(size[0], weight.shape[0], strides[0], padding)
    columns = windows(size[1], weight.shape[1], strides[1], padding)
    out = np.zeros((len(grad), *size, weight.shape[2]), grad.dtype)
    for oh, row in enumerate(rows):
        for ow, column in enumerate(columns):
            for kh, ih in row:
                for kw, iw in column:
                    out[:, ih, iw] += grad[:, oh, ow] @ weight[kh, kw].T
    return out


def pool(x, taps: Pair, strides: Pair, padding: str, reduce) -> np.ndarray:
    """``reduce`` over the elements of each window that lie inside the image."""
    rows = windows(x.shape[1], taps[0], strides[0], padding)
    columns = windows(x.shape[2], taps[1], strides[1], padding)
    out = np.zeros((len(x), len(rows), len(columns), x.shape[3]), x.dtype)
    for oh, row in enumerate(rows):
        for ow, column in enumerate(columns):
            inside = [x[:, ih, iw] for _, ih in row for _, iw in column]
            out[:, oh, ow] = reduce(np.stack(inside), axis=0)
    return out


def places(size: int, out: int, corners: bool, halves: bool, nearest: bool) -> list[float]:
    """Return where each output element lies on an input axis."""
    if corners and out > 1:
        scale = (size - 1) / (out - 1)
    else:
        scale = size / out
    if nearest:
        where = [(o + 0.5) * scale if halves else o * scale for o in range(out)]
        return [min(math.floor(w + 0.5) if corners else math.floor(w), size - 1) for w in where]
    return [(o + 0.5) * scale - 0.5 if halves else o * scale for o in range(out)]


def resize_nearest(x, size: Pair, corners: bool, halves: bool) -> np.ndarray:
    """The pixel at the place."""
    rows, columns = (places(n, out, corners, halves, True) for n, out in zip(x.shape[1:3], size))
    return x[:, np.array(rows, int)][:, :, np.array(columns, int)]


def resize_bilinear(x, size: Pair, corners: bool, halves: bool) -> np.ndarray:
    """The four pixels around the place, by their distance; beyond the edge the edge."""
    for axis, out in ((1, size[0]), (2, size[1])):
        n = x.shape[axis]
        parts = []
        for where in places(n, out, corners, halves, False):
            low = math.floor(where)
            near, far = (np.take(x, min(max(i, 0), n - 1), axis) for i in (low, low + 1))
            parts.append(near * (1 - (where - low)) + far * (where - low))
        x = np.stack(parts, axis)
    return x
