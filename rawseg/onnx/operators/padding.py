"""Pad and CenterCropPad."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from ... import functional as F
from ...autograd import Tensor
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .settings import axis_of

MODES = MappingProxyType({"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"})


@operator("Pad", since=2, widens=True)
def pad_by_attribute(node: Node, x: Tensor) -> Tensor:
    """Frame an array as the node's attributes say."""
    return _pad(node, x, node.attribute("pads", node.attribute("paddings", ())), node.attribute("value", 0.0), range(x.ndim))


@operator("Pad", since=11, widens=True)
def pad(node: Node, x: Tensor, pads: Tensor, value: Tensor | None = None, axes: Tensor | None = None) -> Tensor:
    """Frame an array; negative widths crop."""
    chosen = range(x.ndim) if axes is None else [axis_of(node, int(axis), x.ndim, "axes") for axis in axes.tolist()]
    return _pad(node, x, pads.tolist(), 0 if value is None or value.size == 0 else value.item(), chosen)


def _pad(node: Node, x: Tensor, pads: Any, value: Any, axes: Any) -> Tensor:
    mode = MODES.get(node.attribute("mode", "constant"))
    if mode is None:
        node.refuse("mode", f"one of {', '.join(MODES)}", repr(node.attribute("mode")))
    if not isinstance(pads, (list, tuple)) or len(pads) != 2 * len(axes) or len(set(axes)) != len(axes):
        node.refuse("pads", f"{2 * len(axes)} numbers, the begins and the ends of different axes {tuple(axes)}", pads)
    widths = dict.fromkeys(range(x.ndim), (0, 0)) | dict(zip(axes, zip(pads[: len(axes)], pads[len(axes) :])))
    allocatable(node, [max(0, length + sum(widths[axis])) for axis, length in enumerate(x.shape)], x.dtype)
    if mode != "constant":  # rawseg's continued modes do not crop
        crops = tuple(slice(max(0, -low), length - max(0, -high)) for length, (low, high) in zip(x.shape, widths.values()))
        x, widths = x[crops], {axis: (max(0, low), max(0, high)) for axis, (low, high) in widths.items()}
    flat = [number for axis in reversed(range(x.ndim)) for number in widths[axis]]
    if x.dtype.kind == "f":
        value = float(value)
    elif x.dtype.kind == "b":
        value = bool(value)
    return F.pad(x, flat, mode, value if mode == "constant" else None)


@operator("CenterCropPad", since=18, widens=True)
def center_crop_pad(node: Node, x: Tensor, shape: Tensor) -> Tensor:
    """Crop or frame with zeros, so that the centre stays."""
    axes = [axis_of(node, axis, x.ndim, "axes") for axis in node.attribute("axes", tuple(range(x.ndim)))]
    wanted = shape.tolist()
    if len(wanted) != len(axes) or min((*wanted, 0)) < 0 or len(set(axes)) != len(axes):
        node.refuse("shape", f"{len(axes)} sizes of at least 0 for different axes {tuple(axes)}", wanted)
    widths = [(0, 0)] * x.ndim
    for axis, size in zip(axes, wanted):
        missing = size - x.shape[axis]
        # an odd one is added at the end, and cut off at the end
        before = missing // 2 if missing > 0 else -(-missing // 2)
        widths[axis] = before, missing - before
    allocatable(node, [length + sum(pair) for length, pair in zip(x.shape, widths)], x.dtype)
    return F.pad(x, [number for pair in reversed(widths) for number in pair], value=None if x.dtype.kind == "b" else 0)
