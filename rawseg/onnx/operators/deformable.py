"""DeformConv: a convolution whose taps are moved by offsets, of bilinear samples."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...autograd.linear import matmul
from ...autograd.shaping import cat, stack
from ...device import move
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .windows import Window, window


@operator("DeformConv", since=19, widens=True)
def deform_conv(
    node: Node, x: Tensor, weight: Tensor, offset: Tensor, bias: Tensor | None = None, mask: Tensor | None = None
) -> Tensor:
    """Convolve at moved taps (Dai et al., arXiv 1703.06211; with a mask Zhu et al., arXiv 1811.11168)."""
    if x.ndim != 4 or weight.ndim != 4:
        node.refuse("X", "(N, C, H, W) and a weight (C_out, C / groups, kH, kW)", f"shapes {x.shape} and {weight.shape}")
    n, c, h, w = x.shape
    where = window(node, 4, weight.shape[2:], (h, w))
    size = tuple(
        (length + begin + end - reach) // stride + 1
        for length, begin, end, reach, stride in zip((h, w), where.begins, where.ends, where.reach, where.strides)
    )
    groups, moves, taps = node.attribute("group", 1), node.attribute("offset_group", 1), where.kernel[0] * where.kernel[1]
    if (
        min(size) < 1
        or min(groups, moves) < 1
        or c % moves
        or c % groups
        or weight.shape[0] % groups
        or weight.shape[1] * groups != c
    ):
        node.refuse(
            "W", f"groups and windows that fit {x.shape}", f"weight {weight.shape}, group {groups}, offset_group {moves}"
        )
    if offset.shape != (n, 2 * moves * taps, *size):
        node.refuse("offset", f"shape {(n, 2 * moves * taps, *size)}", f"shape {offset.shape}")
    if mask is not None and mask.shape != (n, moves * taps, *size):
        node.refuse("mask", f"shape {(n, moves * taps, *size)}", f"shape {mask.shape}")
    allocatable(node, (n, c, taps, *size), x.dtype)
    columns = _columns(x, offset.reshape(n, moves, taps, 2, *size), mask, where, size)  # (N, C, taps, out_h, out_w)
    rows = columns.reshape(n, groups, c // groups * taps, size[0] * size[1])
    kernels = weight.reshape(1, groups, weight.shape[0] // groups, weight.shape[1] * taps)
    out = matmul(kernels, rows).reshape(n, weight.shape[0], *size)
    return out if bias is None else out + bias.reshape(1, bias.size, 1, 1)


def _columns(x: Tensor, offset: Tensor, mask: Tensor | None, where: Window, size: tuple[int, ...]) -> Tensor:
    """Return the samples of every tap; those of one group of channels are moved alike."""
    n, c, h, w = x.shape
    moves, taps = offset.shape[1:3]
    images = x.reshape(n * moves, c // moves, h, w)
    found: list[Any] = []
    for tap in range(taps):
        places = [
            np.arange(length) * stride - begin + step * dilation
            for length, stride, begin, step, dilation in zip(
                size, where.strides, where.begins, divmod(tap, where.kernel[1]), where.dilations
            )
        ]
        moved = offset[:, :, tap].reshape(n * moves, 2, *size)
        rows = moved[:, 0] + Tensor(move(places[0].astype(x.dtype)[:, None], x.device))
        columns = moved[:, 1] + Tensor(move(places[1].astype(x.dtype), x.device))
        grid = stack([(columns * 2 + 1) / w - 1, (rows * 2 + 1) / h - 1], -1)
        sample = F.grid_sample(images, grid, "bilinear", "zeros", False).reshape(n, moves, c // moves, *size)
        if mask is not None:
            sample = sample * mask.reshape(n, moves, taps, *size)[:, :, tap].unsqueeze(2)
        found.append(sample.reshape(n, c, 1, *size))
    return cat(found, 2)
