"""Channels to pixels and back, and columns to images."""

from __future__ import annotations

import math

from ... import functional as F
from ...autograd import Tensor
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .windows import padded, window


@operator("DepthToSpace")
def depth_to_space(node: Node, x: Tensor) -> Tensor:
    """Lay channels out as blocks of pixels; with mode "CRD" as `rawseg.functional.pixel_shuffle` does."""
    n, c, h, w = _image(node, x)
    block = _block(node)
    if c % block**2:
        node.refuse("input", f"channels in multiples of {block**2}", f"shape {x.shape}")
    if node.attribute("mode", "DCR") == "DCR":
        return x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2).reshape(n, -1, h * block, w * block)
    return x.reshape(n, c // block**2, block, block, h, w).permute(0, 1, 4, 2, 5, 3).reshape(n, -1, h * block, w * block)


@operator("SpaceToDepth")
def space_to_depth(node: Node, x: Tensor) -> Tensor:
    """Lay blocks of pixels out as channels, the inverse of DepthToSpace; mode "CRD" since version 28 of the set."""
    n, c, h, w = _image(node, x)
    block = _block(node)
    if h % block or w % block:
        node.refuse("input", f"height and width in multiples of {block}", f"shape {x.shape}")
    split = x.reshape(n, c, h // block, block, w // block, block)
    order = (0, 1, 3, 5, 2, 4) if node.attribute("mode", "DCR") == "CRD" else (0, 3, 5, 1, 2, 4)
    return split.permute(*order).reshape(n, c * block**2, h // block, w // block)


def _image(node: Node, x: Tensor) -> tuple[int, int, int, int]:
    if x.ndim != 4:
        node.refuse("input", "shape (N, C, H, W)", f"shape {x.shape}")
    if node.attribute("mode", "DCR") not in ("DCR", "CRD"):
        node.refuse("mode", "DCR or CRD", repr(node.attribute("mode")))
    return x.shape  # type: ignore[return-value]


def _block(node: Node) -> int:
    size = node.attributes["blocksize"]
    if not 1 <= size <= 1 << 15:
        node.refuse("blocksize", f"1 to {1 << 15}", size)
    return size


@operator("Col2Im", since=18, widens=True)
def col2im(node: Node, x: Tensor, image_shape: Tensor, block_shape: Tensor) -> Tensor:
    """Add columns back to the pixels of their windows."""
    size, block = image_shape.tolist(), block_shape.tolist()
    if len(size) not in (1, 2) or len(block) != len(size):
        node.refuse("image_shape", "one or two sizes, as many as block_shape; rawseg has no operators on volumes", size)
    columns = x.ndim - 2
    if columns != 1:
        node.refuse("input", "shape (N, C * block, L)", f"shape {x.shape}")
    where = window(node, len(size) + 2, block, size)
    height, width = (1, size[0]) if len(size) == 1 else size
    full = height + where.begins[0] + where.ends[0], width + where.begins[1] + where.ends[1]
    allocatable(node, (x.shape[0], -(-x.shape[1] // math.prod(where.kernel)), *full), x.dtype)
    out = F.fold(x, full, where.kernel, where.dilations, 0, where.strides)
    out = padded(node, out, [-n for n in where.begins], [-n for n in where.ends])
    return out.squeeze(2) if len(size) == 1 else out
