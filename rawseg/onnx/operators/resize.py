"""Resize and Upsample: on rawseg.functional.interpolate where it has the mode, along one axis after the other where not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ... import functional as F
from ...autograd import Tensor
from ...autograd.arithmetic import where
from ...autograd.shaping import axes_of
from ...device import move
from ..limits import allocatable
from ..node import Node
from .axis_map import along_axis
from .registry import operator
from .resize_tables import COORDINATES, ROUNDINGS, Axis, coordinates, nearest, weighted

CLOSE = 1e-9  # of coordinates: the same formula in another order of its terms


@operator("Upsample", since=7, widens=True)
def upsample_by_attribute(node: Node, x: Tensor) -> Tensor:
    """Enlarge by factors that the node holds."""
    return _old_resize(node, x, node.attribute("scales"))


@operator("Upsample", since=9, widens=True)
@operator("Resize", since=10, widens=True)
def upsample(node: Node, x: Tensor, scales: Tensor) -> Tensor:
    """Resize by factors; the left ends of the first elements coincide."""
    return _old_resize(node, x, scales.tolist())


def _old_resize(node: Node, x: Tensor, scales: Sequence[float]) -> Tensor:
    return _resize(node, x, _axes(node, x, range(x.ndim), scales, None, None), "asymmetric", "floor")


@operator("Resize", since=11, widens=True)
def resize(
    node: Node, x: Tensor, roi: Tensor | None = None, scales: Tensor | None = None, sizes: Tensor | None = None
) -> Tensor:
    """Resize by factors or to sizes."""
    scales, sizes, roi = (None if given is None or given.size == 0 else given for given in (scales, sizes, roi))
    if (scales is None) == (sizes is None):
        node.refuse("sizes", "either scales or sizes", "neither" if scales is None else "both")
    mode = node.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = node.attribute("nearest_mode", "round_prefer_floor")
    chosen = axes_of(node.label, "axes", node.attribute("axes", tuple(range(x.ndim))), x.ndim)
    if node.attribute("axes") is not None and tuple(node.attribute("axes")) != chosen:
        order = [axis % x.ndim for axis in node.attribute("axes")]
        scales, sizes, roi = (_reordered(node, given, order) for given in (scales, sizes, roi))
    numbers = (
        None if given is None else given.tolist() for given in (scales, sizes, roi if mode == "tf_crop_and_resize" else None)
    )
    return _resize(node, x, _axes(node, x, chosen, *numbers), mode, rounding)


def _reordered(node: Node, given: Tensor | None, order: list[int]) -> Tensor | None:
    """Return numbers of axes in the order of the axes; of a roi both halves."""
    if given is None:
        return None
    if given.size % len(order) or given.size > 2 * len(order):
        node.refuse("axes", f"as many numbers as axes, {len(order)}", given.size)
    at = np.argsort(order)
    return given[at if given.size == len(order) else np.concatenate([at, at + len(order)])]


def _axes(node: Node, x: Tensor, chosen: Sequence[int], scales: Any, sizes: Any, roi: Any) -> dict[int, Axis]:
    """Return what happens to each axis that a node resizes."""
    count = len(chosen)
    for name, numbers, wanted in (("scales", scales, count), ("sizes", sizes, count), ("roi", roi, 2 * count)):
        if numbers is not None and (not isinstance(numbers, (list, tuple)) or len(numbers) != wanted):
            node.refuse(name, f"{wanted} numbers for axes {tuple(chosen)}", numbers)
    lengths = [x.shape[axis] for axis in chosen]
    if min((*lengths, 1)) < 1:
        node.refuse("input", "no empty axis among those to resize", f"shape {x.shape}")
    if scales is not None:
        if not all(math.isfinite(scale) and scale > 0 for scale in scales):
            node.refuse("scales", "finite numbers greater than 0", scales)
        outs = [math.floor(length * scale) for length, scale in zip(lengths, scales)]
    else:
        scales, outs = _to_sizes(node, lengths, sizes)
    if min((*outs, 1)) < 1:
        node.refuse("scales", "an output of at least 1 along every axis", outs)
    full = list(x.shape)
    for axis, out in zip(chosen, outs):
        full[axis] = out
    allocatable(node, full, x.dtype)
    for out in outs:
        allocatable(node, (out, 12), np.int64)  # the tables
    ends = roi or [0.0] * count + [1.0] * count
    return {axis: Axis(*rest) for axis, *rest in zip(chosen, lengths, outs, map(float, scales), ends[:count], ends[count:])}


def _to_sizes(node: Node, lengths: Sequence[int], sizes: Sequence[int]) -> tuple[list[float], list[int]]:
    """Return the scales and the sizes that ``keep_aspect_ratio_policy`` makes of those asked for."""
    scales = [size / length for size, length in zip(sizes, lengths)]
    policy = node.attribute("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return scales, list(sizes)
    if policy not in ("not_larger", "not_smaller"):
        node.refuse("keep_aspect_ratio_policy", "stretch, not_larger or not_smaller", repr(policy))
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [scale] * len(scales), [math.floor(scale * length + 0.5) for length in lengths]


def _resize(node: Node, x: Tensor, axes: dict[int, Axis], mode: str, rounding: str) -> Tensor:
    kind = node.attribute("mode", "nearest")
    if kind not in ("nearest", "linear", "cubic"):
        node.refuse("mode", "nearest, linear or cubic", repr(kind))
    if mode not in COORDINATES:
        node.refuse("coordinate_transformation_mode", f"one of {', '.join(COORDINATES)}", repr(mode))
    if rounding not in ROUNDINGS:
        node.refuse("nearest_mode", f"one of {', '.join(ROUNDINGS)}", repr(rounding))
    active = {
        i: axis for i, axis in axes.items() if axis.out != axis.length or axis.scale != 1 or (axis.start, axis.end) != (0, 1)
    }
    if kind == "nearest":
        out = _nearest(x, {i: nearest(axis, mode, rounding) for i, axis in active.items()})
    else:
        out = _weighted(node, x, active, mode, kind)
    return _extrapolated(node, out, active) if mode == "tf_crop_and_resize" else out


def _nearest(x: Tensor, tables: dict[int, np.ndarray]) -> Tensor:
    if x.ndim == 4 and x.dtype in (np.float32, np.float64) and set(tables) == {2, 3}:
        for name, formula in (("nearest", _floored), ("nearest-exact", _rounded)):
            if all(np.array_equal(formula(len(table), x.shape[axis]), table) for axis, table in tables.items()):
                return F.interpolate(x, (len(tables[2]), len(tables[3])), mode=name)
    for axis, table in tables.items():
        if x.dtype in (np.float32, np.float64):
            x = along_axis(x, axis, table[:, None], np.ones((len(table), 1)))
        else:
            x = x[(slice(None),) * axis + (move(table, x.device),)]
    return x


def _floored(out: int, length: int) -> np.ndarray:
    return np.arange(out) * length // out


def _rounded(out: int, length: int) -> np.ndarray:
    return (2 * np.arange(out) + 1) * length // (2 * out)


def _weighted(node: Node, x: Tensor, axes: dict[int, Axis], mode: str, kind: str) -> Tensor:
    if x.dtype not in (np.float32, np.float64):
        node.refuse("input", f"float32 or float64 with mode {kind!r}", x.dtype)
    antialias, exclude = bool(node.attribute("antialias", 0)), bool(node.attribute("exclude_outside", 0))
    if kind == "linear" and x.ndim == 4 and set(axes) == {2, 3} and not (antialias or exclude or mode == "tf_crop_and_resize"):
        for corners, formula in ((False, "half_pixel"), (True, "align_corners")):
            plain = [Axis(axis.length, axis.out, axis.out / axis.length) for axis in axes.values()]
            pairs = zip(plain, axes.values())
            if all(np.allclose(coordinates(a, formula), coordinates(b, mode), 0, CLOSE) for a, b in pairs):
                return F.interpolate(x, (axes[2].out, axes[3].out), mode="bilinear", align_corners=corners)
    cubic = node.attribute("cubic_coeff_a", -0.75) if kind == "cubic" else None
    for i, axis in axes.items():
        if antialias:
            allocatable(node, (axis.out, math.ceil(4 / min(axis.scale, 1.0)), 8), np.float64)
        x = along_axis(x, i, *weighted(axis, mode, cubic=cubic, antialias=antialias, exclude_outside=exclude))
    return x


def _extrapolated(node: Node, out: Tensor, axes: dict[int, Axis]) -> Tensor:
    """Return the output with the node's number wherever its coordinates leave the input."""
    value = out.dtype.type(node.attribute("extrapolation_value", 0.0))
    for i, axis in axes.items():
        at = coordinates(axis, "tf_crop_and_resize")
        inside = ((at >= 0) & (at <= axis.length - 1)).reshape(-1, *[1] * (out.ndim - i - 1))
        out = where(Tensor(move(inside, out.device)), out, Tensor(move(np.asarray(value), out.device)))
    return out
