"""Convolutions: Conv2D, its adjoint, depthwise ones, and the fused forms with bias and activation.

TensorFlow's filters are (H, W, C_in, C_out), depthwise ones (H, W, C, multiplier), those of the adjoint (H, W, C_out, C_in).
"""

from __future__ import annotations

from typing import Any

from ..operation import Operation
from ..registry import translation
from ..translator import Translator
from ..value import Shape, Value
from .activation import activated
from .window import check_layout, padding, reduced, spatial


@translation("Conv2D", "_FusedConv2D", "FusedConv2D")
def conv2d(t: Translator, operation: Operation) -> Value:
    """Convolve; channels in groups where the filter has fewer than the image."""
    x, weight = t.input(operation, 0), t.input(operation, 1)
    taps = _filter(operation, x, weight)
    groups = 1
    if x.shape[3] is not None and weight.shape[2]:
        groups, rest = divmod(x.shape[3], weight.shape[2])
        if rest or groups < 1 or (weight.shape[3] or 0) % groups:
            operation.refuse("filter", f"one for {x.shape[3]} channels", f"shape {weight.shape}")
    return _convolution(t, operation, x, _turned(t, weight, "filter", (3, 2, 0, 1)), taps, weight.shape[3], groups)


@translation("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative", "_FusedDepthwiseConv2dNative")
def depthwise(t: Translator, operation: Operation) -> Value:
    """Convolve every channel alone, with one filter or several."""
    x, weight = t.input(operation, 0), t.input(operation, 1)
    taps = _filter(operation, x, weight)
    array = t.constant(operation, 1)
    c, multiplier = array.shape[2:]
    if x.shape[3] not in (None, c) or c == 0:
        operation.refuse("filter", f"one for {x.shape[3]} channels", f"shape {weight.shape}")
    name = t.formed(weight, "depthwise", array.transpose(2, 3, 0, 1).reshape(c * multiplier, 1, *taps))
    return _convolution(t, operation, x, name, taps, c * multiplier, c)


@translation("Conv2DBackpropInput")
def transposed(t: Translator, operation: Operation) -> Value:
    """Convolve transposed, to the size that the operation is told."""
    check_layout(operation)
    wanted, weight, x = t.sizes(operation, 0), t.input(operation, 1), t.input(operation, 2)
    taps = _filter(operation, x, weight)
    if x.shape[3] not in (None, weight.shape[3]):
        operation.refuse("filter", f"one for {x.shape[3]} channels", f"shape {weight.shape}")
    size = wanted[1:3] if len(wanted) == 4 else wanted
    strides = spatial(operation, "strides")
    if len(size) != 2 or None in size or min(n or 0 for n in size) < 1:
        operation.refuse("input_sizes", "a height and a width that are known", wanted)
    cut = [_cut(*numbers) for numbers in zip(size, taps, strides, padding(operation) or (None, None))]  # type: ignore[arg-type]
    (top, bottom, below), (left, right, beside) = cut
    attributes: dict[str, Any] = {"strides": strides, "pads": (top, left, bottom, right), "output_padding": (below, beside)}
    dilations = spatial(operation, "dilations", (1, 1))
    if dilations != (1, 1):
        operation.refuse("dilations", "(1, 1) of a transposed convolution", dilations)
    inputs = [t.image(x), _turned(t, weight, "filter", (3, 2, 0, 1))]
    shape: Shape = (x.shape[0], *size, weight.shape[2])
    return Value(t.add("ConvTranspose", inputs, operation.name, attributes), shape, is_image=True)


def _cut(size: int, taps: int, stride: int, pads: tuple[int, int] | None) -> tuple[int, int, int]:
    """Return what a transposed convolution cuts off before and after an axis, and what it adds at the end.

    It is what the convolution from its output to its input adds; with the padding SAME (None) that follows from the size.
    """
    if pads is not None:
        return *pads, (size + sum(pads) - taps) % stride
    total = (-(-size // stride) - 1) * stride + taps - size
    return max(0, total) // 2, max(0, total) - max(0, total) // 2, max(0, -total)


def _convolution(
    t: Translator, operation: Operation, x: Value, weight: str, taps: tuple[int, int], channels: Any, groups: int
) -> Value:
    """Add a convolution, with the bias and the activation that are fused into it."""
    check_layout(operation)
    strides, dilations = spatial(operation, "strides"), spatial(operation, "dilations", (1, 1))
    attributes: dict[str, Any] = {"strides": strides, "dilations": dilations, "group": groups}
    reach = tuple((tap - 1) * dilation + 1 for tap, dilation in zip(taps, dilations))
    pads = padding(operation)
    if pads is None:
        attributes["auto_pad"] = "SAME_UPPER"
    else:
        (top, bottom), (left, right) = pads
        attributes["pads"] = (top, left, bottom, right)
    height, width = (reduced(n, r, s, p) for n, r, s, p in zip(x.shape[1:3], reach, strides, pads or (None, None)))
    shape: Shape = (x.shape[0], height, width, channels)
    return activated(t, operation, "Conv", [t.image(x), weight], attributes, shape)


def _filter(operation: Operation, x: Value, weight: Value) -> tuple[int, int]:
    """Return the taps of a filter, after a check of its axes and the image's."""
    if x.rank != 4 or weight.rank != 4:
        operation.refuse("input", "images and a filter of four axes", f"shapes {x.shape} and {weight.shape}")
    height, width = weight.shape[:2]
    if not height or not width:
        operation.refuse("filter", "a filter of known size", f"shape {weight.shape}")
    return height, width


def _turned(t: Translator, weight: Value, form: str, order: tuple[int, ...]) -> str:
    """Return a filter's name in ONNX's order of axes."""
    if weight.array is not None:
        return t.formed(weight, form, weight.array.transpose(order))
    return t.add("Transpose", [t.plain(weight)], f"{weight.name}/{form}", {"perm": order})
