"""Convolutions that reach every way to cut the work up, and numbers to fill them with."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from rawseg.testing.strategies.convolution import Convolution

# Shapes that reach every way to cut the work up: (what is cut, shapes).
LARGE = [
    ("rows wider than a tile", Convolution((1, 3, 9, 1301), (5, 3, 3, 2), (2, 1), (1, 0), (1, 1), 1)),
    ("more rows than a tile", Convolution((2, 4, 90, 41), (9, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("channels in blocks", Convolution((1, 70, 9, 11), (10, 70, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("output channels in blocks", Convolution((1, 5, 7, 6), (150, 5, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("pixels in shares", Convolution((3, 4, 70, 61), (6, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("pixels in spans", Convolution((2, 16, 60, 41), (16, 1, 3, 3), (1, 1), (1, 1), (1, 1), 16)),
    ("columns of weights in blocks", Convolution((2, 90, 8, 9), (80, 90, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("read without a strip", Convolution((2, 300, 13, 17), (12, 300, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("strided points", Convolution((2, 20, 15, 18), (9, 20, 1, 1), (2, 3), (0, 0), (1, 1), 1)),
    ("strided, taps in many planes", Convolution((2, 3, 43, 50), (10, 3, 7, 5), (2, 3), (3, 2), (1, 1), 1)),
    ("dilated beyond the map", Convolution((1, 6, 12, 14), (9, 6, 3, 3), (1, 1), (7, 9), (7, 9), 1)),
    ("strided and dilated", Convolution((2, 6, 31, 29), (9, 6, 3, 2), (2, 3), (2, 1), (3, 2), 1)),
    ("groups", Convolution((2, 20, 17, 12), (36, 5, 3, 3), (1, 2), (1, 1), (1, 1), 4)),
    ("depthwise", Convolution((2, 18, 33, 37), (36, 1, 3, 5), (2, 1), (1, 2), (1, 1), 18)),
    ("stride longer than the kernel", Convolution((2, 5, 23, 26), (9, 5, 2, 1), (3, 4), (0, 0), (1, 1), 1)),
    ("a stride that one column never takes", Convolution((1, 3, 7, 1), (9, 3, 1, 1), (1, 2), (0, 0), (1, 1), 1)),
    ("a stride that one row never takes", Convolution((2, 3, 1, 6), (2, 3, 1, 1), (3, 1), (0, 0), (1, 1), 1)),
    ("planes side by side", Convolution((8, 130, 10, 15), (37, 130, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("more pieces than shares", Convolution((2, 3, 130, 141), (4, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("more panels than are packed together", Convolution((1, 31, 6, 5), (300, 31, 3, 2), (2, 2), (1, 1), (1, 1), 1)),
    ("weights of groups, packed together", Convolution((1, 290, 5, 4), (290, 145, 3, 3), (1, 2), (1, 1), (1, 1), 2)),
    ("planes that would clash", Convolution((1, 40, 30, 34), (8, 40, 3, 3), (1, 1), (0, 0), (1, 1), 1)),
    ("columns of taps apart", Convolution((2, 33, 11, 12), (70, 33, 3, 3), (1, 1), (2, 4), (2, 4), 1)),
    ("columns of strided taps apart", Convolution((1, 66, 15, 21), (72, 66, 3, 5), (1, 2), (1, 6), (1, 3), 1)),
    ("points of many channels, in spans", Convolution((5, 300, 13, 17), (70, 300, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("points of many channels, side by side", Convolution((5, 96, 7, 9), (64, 96, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("points of many channels, in groups", Convolution((3, 192, 9, 9), (160, 96, 1, 1), (1, 1), (0, 0), (1, 1), 2)),
    ("points of many channels, in shares", Convolution((9, 64, 13, 17), (80, 64, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("points of many channels, in pieces", Convolution((2, 61, 19, 23), (70, 61, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("sums in the output itself", Convolution((2, 20, 75, 32), (24, 20, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("sums in the output, but for the last rows", Convolution((2, 16, 75, 24), (32, 8, 3, 1), (1, 1), (1, 0), (1, 1), 2)),
    ("sums in the output, strided", Convolution((2, 3, 71, 96), (16, 3, 3, 3), (2, 2), (1, 1), (1, 1), 1)),
    ("kernel rows stacked, dilated", Convolution((2, 3, 43, 37), (9, 3, 5, 3), (2, 1), (3, 1), (2, 1), 1)),
    ("kernel rows stacked, of groups", Convolution((2, 6, 30, 41), (12, 2, 3, 3), (1, 2), (1, 0), (1, 1), 3)),
    ("images in pairs", Convolution((5, 3, 20, 20), (4, 3, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("patches in long lines", Convolution((1, 2, 4, 2100), (3, 2, 2, 2), (2, 2), (0, 0), (1, 1), 1)),
    ("patches in pieces", Convolution((2, 6, 84, 92), (14, 3, 2, 2), (2, 2), (0, 0), (1, 1), 2)),
    (
        "patches of two columns, where a block begins with a second",
        Convolution((3, 65, 8, 24), (9, 65, 2, 2), (2, 2), (0, 0), (1, 1), 1),
    ),
    ("patches of three rows", Convolution((2, 4, 75, 44), (9, 4, 3, 1), (3, 1), (0, 0), (1, 1), 1)),
    ("planes in pieces", Convolution((2, 22, 37, 61), (14, 11, 1, 1), (1, 1), (0, 0), (1, 1), 2)),
]


def integers(seed: int, *shapes: tuple[int, ...], dtype: Any = np.float32) -> list[np.ndarray]:
    """Whole numbers up to 8: sums of fewer than 2**18 products of two of them are exact in float32, in any order."""
    generator = np.random.default_rng(seed)
    return [generator.integers(-8, 9, shape).astype(dtype) for shape in shapes]


def normals(seed: int, *shapes: tuple[int, ...], dtype: Any = np.float32) -> list[np.ndarray]:
    """Normal numbers whose magnitudes spread over six decades."""
    generator = np.random.default_rng(seed)
    return [(generator.standard_normal(shape) * 10.0 ** generator.integers(-3, 4, shape)).astype(dtype) for shape in shapes]


def torch_gradients(call, grad_output: np.ndarray, *arrays: np.ndarray) -> list[np.ndarray]:
    """The output of ``call(*tensors)`` and the gradients of all tensors."""
    leaves = [torch.from_numpy(array).requires_grad_() for array in arrays]
    out = call(*leaves)
    return [tensor.detach().numpy() for tensor in (out, *torch.autograd.grad(out, leaves, torch.from_numpy(grad_output)))]
