"""Poolings, windows, frames and resizing as somebody else may write them in NumPy: each right, or wrong by one switch."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


def spans(size: int, kernel: int, stride: int, padding: int) -> list[tuple[int, int]]:
    """The pixels of every window along an axis."""
    starts = range(-padding, size + padding - kernel + 1, stride)
    return [(max(start, 0), min(start + kernel, size)) for start in starts]


def largest(ties: str = "first", padded: bool = False) -> Any:
    """Max pooling; ``padded`` lets the zeros of the padding win."""

    def max_pool2d(input, kernel_size, stride=None, padding=0, return_indices=False):
        kernel, padding = pair(kernel_size), pair(padding)
        stride = kernel if stride is None else pair(stride)
        rows, columns = (spans(input.shape[2 + i], kernel[i], stride[i], padding[i]) for i in (0, 1))
        out = np.empty((*input.shape[:2], len(rows), len(columns)), input.dtype)
        where = np.empty(out.shape, np.int64)
        for b, k, i, j in np.ndindex(out.shape):
            best = None
            for at in itertools.product(range(*rows[i]), range(*columns[j])):
                value = input[b, k][at]
                tied = best is not None and ties == "last" and value == out[b, k, i, j]
                if best is None or value > out[b, k, i, j] or np.isnan(value) or tied:
                    best, out[b, k, i, j] = at, value
            where[b, k, i, j] = best[0] * input.shape[3] + best[1]
            taken = (rows[i][1] - rows[i][0]) * (columns[j][1] - columns[j][0])
            if padded and taken < kernel[0] * kernel[1] and out[b, k, i, j] < 0:
                out[b, k, i, j] = 0
        return (out, where) if return_indices else out

    return max_pool2d


def means(counting: bool = True) -> Any:
    """Average pooling; not ``counting`` ignores count_include_pad."""

    def avg_pool2d(input, kernel_size, stride=None, padding=0, count_include_pad=True):
        kernel, padding = pair(kernel_size), pair(padding)
        stride = kernel if stride is None else pair(stride)
        rows, columns = (spans(input.shape[2 + i], kernel[i], stride[i], padding[i]) for i in (0, 1))
        out = np.empty((*input.shape[:2], len(rows), len(columns)), input.dtype)
        for (i, down), (j, across) in itertools.product(enumerate(rows), enumerate(columns)):
            taken = input[:, :, slice(*down), slice(*across)]
            inside = count_include_pad or not counting
            out[:, :, i, j] = taken.sum((2, 3)) / (math.prod(kernel) if inside else math.prod(taken.shape[2:]))
        return out

    return avg_pool2d


def bins(overlapping: bool = True) -> Any:
    """Adaptive average pooling; not ``overlapping`` bins end where the next one begins."""

    def adaptive_avg_pool2d(input, output_size):
        rows, columns = (
            [(i * n // o, -(-(i + 1) * n // o) if overlapping else max((i + 1) * n // o, i * n // o + 1)) for i in range(o)]
            for n, o in zip(input.shape[2:], pair(output_size))
        )
        parts = [[input[:, :, slice(*down), slice(*across)].mean((2, 3)) for across in columns] for down in rows]
        return np.moveaxis(np.array(parts), (0, 1), (2, 3))

    return adaptive_avg_pool2d


def columns(rows_first: bool = True) -> Any:
    """Unfold; not ``rows_first`` runs down the columns of a window."""

    def unfold(input, kernel_size, padding=0):
        kernel, padding = pair(kernel_size), pair(padding)
        framed = np.pad(input, ((0, 0), (0, 0), *((p, p) for p in padding)))
        seen = np.lib.stride_tricks.sliding_window_view(framed, kernel, (2, 3))  # (N, C, out_h, out_w, kh, kw)
        taps = seen.transpose(0, 1, 4, 5, 2, 3) if rows_first else seen.transpose(0, 1, 5, 4, 2, 3)
        n, channels = input.shape[:2]
        return taps.reshape(n, channels * math.prod(kernel), math.prod(seen.shape[2:4]))

    return unfold


def images(adding: bool = True) -> Any:
    """Fold; not ``adding`` keeps the last of the columns that meet in a pixel. And its gradient, which is `columns`."""

    def fold(input, output_size, kernel_size, stride=1):
        kernel, stride, size = pair(kernel_size), pair(stride), pair(output_size)
        down, across = (range(0, size[i] - kernel[i] + 1, stride[i]) for i in (0, 1))
        n, channels = len(input), input.shape[1] // math.prod(kernel)
        taps = input.reshape(n, channels, *kernel, len(down), len(across))
        out = np.zeros((n, channels, *size), input.dtype)
        for (i, top), (j, left) in itertools.product(enumerate(down), enumerate(across)):
            target = out[:, :, top : top + kernel[0], left : left + kernel[1]]
            target[...] = (target if adding else 0) + taps[..., i, j]
        return out

    return fold


def framed(repeating: bool = False) -> Any:
    """Pad; ``repeating`` reflects the edge, too."""

    def pad(input, pad, mode="constant"):
        widths = list(zip(pad[::2], pad[1::2]))[::-1]
        widths = [(0, 0)] * (input.ndim - len(widths)) + widths
        if mode == "constant":
            for axis, (low, high) in enumerate(widths):
                input = input.take(range(max(-low, 0), input.shape[axis] - max(-high, 0)), axis)
            widths = [(max(low, 0), max(high, 0)) for low, high in widths]
            return np.pad(input, widths) if widths else input.copy()
        words = {"reflect": "symmetric" if repeating else "reflect", "replicate": "edge", "circular": "wrap"}
        return np.pad(input, widths, mode=words[mode])

    return pad


def resized(half: float = 0.5) -> Any:
    """Bilinear and nearest resizing; with ``half`` 0 the corners of pixels stand in for their centres."""

    def interpolate(input, size=None, mode="nearest", align_corners=None):
        rows, columns = (table(n, o, mode, align_corners) for n, o in zip(input.shape[2:], pair(size)))
        return (rows @ (input @ columns.T)).astype(input.dtype)

    def table(n, o, mode, corners):
        i = np.arange(o)
        if mode != "bilinear":
            source = i * n // o if mode == "nearest" else (2 * i + 1) * n // (2 * o)
        elif corners:
            source = i * ((n - 1) / max(o - 1, 1))
        else:
            source = np.clip((i + half) * n / o - half, 0, n - 1)
        return np.maximum(0, 1 - abs(source[:, None] - np.arange(n)))

    return interpolate


def shuffled(channels_first: bool = True) -> Any:
    """Pixel shuffle; not ``channels_first`` takes the factors of the channels in another order."""

    def pixel_shuffle(input, upscale_factor):
        *lead, channels, h, w = input.shape
        r, n = upscale_factor, len(lead)
        split = (channels // r**2, r, r) if channels_first else (r, r, channels // r**2)
        c, i, j = (n, n + 1, n + 2) if channels_first else (n + 2, n, n + 1)
        parts = input.reshape(*lead, *split, h, w).transpose(*range(n), c, n + 3, i, n + 4, j)
        return parts.reshape(*lead, channels // r**2, h * r, w * r)

    return pixel_shuffle


def unpooled(checking: bool = True) -> Any:
    """Unpooling in default sizes; not ``checking`` lets an index below 0 count from the end."""

    def max_unpool2d(input, indices, kernel_size, stride=None, padding=0):
        kernel, padding = pair(kernel_size), pair(padding)
        stride = kernel if stride is None else pair(stride)
        size = [(input.shape[2 + i] - 1) * stride[i] - 2 * padding[i] + kernel[i] for i in (0, 1)]
        if input.ndim != 4 or min(size) < 1 or min(stride) < 1 or indices.dtype != np.int64 or indices.shape != input.shape:
            raise ValueError("arguments that do not fit")
        if checking and indices.size and indices.min() < 0:
            raise IndexError("an index below 0")
        out = np.zeros((*input.shape[:2], size[0] * size[1]), input.dtype)
        flat = (*input.shape[:2], input.shape[2] * input.shape[3])
        np.put_along_axis(out, indices.reshape(flat), input.reshape(flat), 2)
        return out.reshape(*input.shape[:2], *size)

    return max_unpool2d
