"""Poolings: the largest or the mean of each window, padding not counted."""

from __future__ import annotations

from typing import Any

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Value
from .window import check_layout, padding, reduced, spatial

OPS = {"MaxPool": "MaxPool", "AvgPool": "AveragePool"}


@translation(*OPS)
def pool(t: Translator, operation: Operation) -> Value:
    """Pool."""
    check_layout(operation)
    x = t.input(operation, 0)
    if x.rank != 4:
        operation.refuse("input", "images of four axes", f"shape {x.shape}")
    taps, strides, pads = spatial(operation, "ksize"), spatial(operation, "strides"), padding(operation)
    attributes: dict[str, Any] = {"kernel_shape": taps, "strides": strides}
    if pads is None:
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        (top, bottom), (left, right) = pads
        attributes["pads"] = (top, left, bottom, right)
    height, width = (reduced(n, k, s, p) for n, k, s, p in zip(x.shape[1:3], taps, strides, pads or (None, None)))
    name = t.add(OPS[operation.op], [t.image(x)], operation.name, attributes)
    return Value(name, (x.shape[0], height, width, x.shape[3]), is_image=True)
