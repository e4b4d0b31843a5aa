"""Resizing: which pixel of the input lies where an output pixel does, in TensorFlow's three ways."""

from __future__ import annotations

import numpy as np

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Value


@translation("ResizeBilinear", "ResizeNearestNeighbor")
def resize(t: Translator, operation: Operation) -> Value:
    """Resize to a height and a width."""
    x, size = t.input(operation, 0), t.sizes(operation, 1)
    if x.rank != 4 or len(size) != 2 or None in size:
        operation.refuse("size", "images of four axes, and a height and a width that are known", f"{x.shape} to {size}")
    corners, halves = operation.flag("align_corners"), operation.flag("half_pixel_centers")
    if corners and halves:
        operation.refuse("align_corners", "one of align_corners and half_pixel_centers", "both")
    kind = "align_corners" if corners else "half_pixel" if halves else "asymmetric"
    attributes = {"axes": (2, 3), "coordinate_transformation_mode": kind}
    if operation.op == "ResizeBilinear":
        attributes["mode"] = "linear"
    else:  # floor((o + 0.5) s) is the nearest to (o + 0.5) s - 0.5, ties upwards
        attributes |= {"mode": "nearest", "nearest_mode": "floor" if kind == "asymmetric" else "round_prefer_ceil"}
    sizes = t.hold(np.array(size, np.int64), f"{operation.name}/size")
    name = t.add("Resize", [t.image(x), "", "", sizes], operation.name, attributes)
    return Value(name, (x.shape[0], *size, x.shape[3]), is_image=True)
