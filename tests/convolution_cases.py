"""Geometries of convolutions for Hypothesis: valid by construction, unequal in height and width, the degenerate on purpose."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from hypothesis import strategies as st


class Case(NamedTuple):
    """Shapes and plain arguments of one convolution; ``x`` is the side with more pixels."""

    x: tuple[int, int, int, int]
    weight: tuple[int, int, int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int

    @property
    def options(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("stride", "padding", "dilation", "groups")}

    @property
    def terms(self) -> int:
        """Products in one output, at most."""
        return int(np.prod(self.weight[1:]))

    @property
    def out_size(self) -> tuple[int, int]:
        height, width = (
            (self.x[2 + i] + 2 * self.padding[i] - self.dilation[i] * (self.weight[2 + i] - 1) - 1) // self.stride[i] + 1
            for i in (0, 1)
        )
        return height, width


@st.composite
def cases(draw) -> Case:
    groups = draw(st.sampled_from([1, 1, 1, 2, 3]))
    into, out = draw(st.sampled_from([1, 2, 3, 5])), draw(st.sampled_from([1, 2, 3, 9]))
    size, kernel, stride, padding, dilation = [], [], [], [], []
    for _ in range(2):
        kernel.append(draw(st.integers(1, 4)))
        stride.append(draw(st.integers(1, 3)))
        dilation.append(draw(st.integers(1, 3)))
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        padding.append(draw(st.sampled_from([0, 1, reach // 2, reach])))
        size.append(max(1, reach - 2 * padding[-1]) + draw(st.sampled_from([0, 0, 1, 2, 5, 17])))
    n = draw(st.sampled_from([0, 1, 1, 2, 3]))
    return Case(
        (n, groups * into, size[0], size[1]),
        (groups * out, into, kernel[0], kernel[1]),
        (stride[0], stride[1]),
        (padding[0], padding[1]),
        (dilation[0], dilation[1]),
        groups,
    )


# Shapes that reach every way to cut the work up: (what is cut, case).
LARGE = [
    ("rows wider than a tile", Case((1, 3, 9, 1301), (5, 3, 3, 2), (2, 1), (1, 0), (1, 1), 1)),
    ("more rows than a tile", Case((2, 4, 90, 41), (9, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("channels in blocks", Case((1, 70, 9, 11), (10, 70, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("output channels in blocks", Case((1, 5, 7, 6), (150, 5, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("pixels in shares", Case((3, 4, 70, 61), (6, 4, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("pixels in spans", Case((2, 16, 60, 41), (16, 1, 3, 3), (1, 1), (1, 1), (1, 1), 16)),
    ("columns of weights in blocks", Case((2, 90, 8, 9), (80, 90, 3, 3), (1, 1), (1, 1), (1, 1), 1)),
    ("read without a strip", Case((2, 300, 13, 17), (12, 300, 1, 1), (1, 1), (0, 0), (1, 1), 1)),
    ("strided points", Case((2, 20, 15, 18), (9, 20, 1, 1), (2, 3), (0, 0), (1, 1), 1)),
    ("strided, taps in many planes", Case((2, 3, 43, 50), (10, 3, 7, 5), (2, 3), (3, 2), (1, 1), 1)),
    ("dilated beyond the map", Case((1, 6, 12, 14), (9, 6, 3, 3), (1, 1), (7, 9), (7, 9), 1)),
    ("strided and dilated", Case((2, 6, 31, 29), (9, 6, 3, 2), (2, 3), (2, 1), (3, 2), 1)),
    ("groups", Case((2, 20, 17, 12), (36, 5, 3, 3), (1, 2), (1, 1), (1, 1), 4)),
    ("depthwise", Case((2, 18, 33, 37), (36, 1, 3, 5), (2, 1), (1, 2), (1, 1), 18)),
    ("stride longer than the kernel", Case((2, 5, 23, 26), (9, 5, 2, 1), (3, 4), (0, 0), (1, 1), 1)),
    ("a stride that one column never takes", Case((1, 3, 7, 1), (9, 3, 1, 1), (1, 2), (0, 0), (1, 1), 1)),
    ("a stride that one row never takes", Case((2, 3, 1, 6), (2, 3, 1, 1), (3, 1), (0, 0), (1, 1), 1)),
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
