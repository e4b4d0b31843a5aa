"""Conv: rawseg.functional.conv2d with paddings of unequal sides, and of one dimension.

Every dimension of ONNX's ``pads`` comes first as its begins, then its ends.
"""

from __future__ import annotations

from typing import Any

from ... import functional as F
from ..node import Node
from .registry import operator


@operator("Conv")
def conv(node: Node, x: Any, weight: Any, bias: Any = None) -> Any:
    """Convolve."""
    strides = node.attribute("strides", (1, 1))
    return F.conv2d(x, weight, bias, stride=strides, dilation=node.attribute("dilations", (1, 1)), groups=node.attribute("group", 1))
