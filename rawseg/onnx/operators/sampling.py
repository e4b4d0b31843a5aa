"""GridSample and AffineGrid."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from ... import functional as F
from ...autograd import Tensor
from ...autograd.shaping import stack
from ..limits import allocatable
from ..node import Node
from .registry import operator

MODES = MappingProxyType(
    {"bilinear": "bilinear", "linear": "bilinear", "nearest": "nearest", "bicubic": "cubic", "cubic": "cubic"}
)
KEYS = -0.75  # the coefficient of the cubic kernel


@operator("GridSample", since=16, widens=True)
def grid_sample(node: Node, x: Tensor, grid: Tensor) -> Tensor:
    """Sample images at the points of a grid."""
    if x.ndim != 4:
        node.refuse("X", "(N, C, H, W); rawseg has no operators on volumes", f"shape {x.shape}")
    mode = MODES.get(node.attribute("mode", "bilinear" if node.version < 20 else "linear"))
    if mode is None:
        node.refuse("mode", f"one of {', '.join(MODES)}", repr(node.attribute("mode")))
    options = {
        "padding_mode": node.attribute("padding_mode", "zeros"),
        "align_corners": bool(node.attribute("align_corners", 0)),
    }
    if mode == "cubic":
        return _cubic(x, grid, options)
    return F.grid_sample(x, grid, mode, **options)


def _cubic(x: Tensor, grid: Tensor, options: dict[str, Any]) -> Tensor:
    """Weight the 16 pixels around each point, products of Keys' cubic; each is found as the nearest one to where it lies."""
    rows, columns = (_cubic_axis(grid[..., axis], x.shape[3 - axis], options["align_corners"]) for axis in (1, 0))
    total: Any = 0
    for y, row_weight in rows:
        for point, weight in columns:
            sample = F.grid_sample(x, stack([point, y], -1), "nearest", **options)
            total = total + sample * (row_weight * weight).unsqueeze(1)
    return total


def _cubic_axis(points: Tensor, length: int, align_corners: bool) -> list[tuple[Tensor, Tensor]]:
    """Return, of four pixels about each point of an axis, where they lie between -1 and 1, and their weights."""
    span = length - 1 if align_corners else length
    at = (points + 1) * (span / 2) - (0.0 if align_corners else 0.5)
    first = at.floor().detach()
    found = []
    for tap in range(-1, 3):
        place = first + tap
        scaled = (place * 2 + (0 if align_corners else 1)) / max(span, 1) - 1
        found.append((scaled, _keys((at - place).abs(), near=tap in (0, 1))))
    return found


def _keys(distance: Tensor, near: bool) -> Tensor:
    if near:
        return ((KEYS + 2) * distance - (KEYS + 3)) * distance * distance + 1
    return ((distance - 5) * distance + 8) * distance * KEYS - 4 * KEYS


@operator("AffineGrid", since=20, widens=True)
def affine_grid(node: Node, theta: Tensor, size: Tensor) -> Tensor:
    """Return the points that affine maps send pixels to."""
    sizes = tuple(size.tolist())
    if len(sizes) != 4:
        node.refuse("size", "(N, C, H, W); rawseg has no operators on volumes", sizes)
    allocatable(node, (max(1, sizes[0]), *sizes[2:], 3), theta.dtype)
    return F.affine_grid(theta, sizes, bool(node.attribute("align_corners", 0)))
