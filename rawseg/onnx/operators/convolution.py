"""Conv and ConvTranspose, on rawseg.functional.conv2d and its adjoint."""

from __future__ import annotations

from typing import Any

from ... import functional as F
from ...autograd import Tensor
from ..limits import allocatable
from ..node import Node
from .registry import operator
from .windows import Window, as_images, explicit, padded, restored, window


@operator("Conv", widens=True)
def conv(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve; opposite sides may be padded differently."""
    images, kernels = as_images(node, x), as_images(node, weight)
    where = window(node, x.ndim, _kernel(node, weight), images.shape[2:])
    options: dict[str, Any] = {"stride": where.strides, "dilation": where.dilations, "groups": _groups(node)}
    if where.even:
        return restored(F.conv2d(images, kernels, bias, padding=where.begins, **options), x)
    return restored(F.conv2d(padded(node, images, where.begins, where.ends), kernels, bias, **options), x)


@operator("ConvTranspose", widens=True)
def conv_transpose(node: Node, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolve transposed; the output is cropped, or lengthened by zeros, to what the paddings or ``output_shape`` say."""
    images, kernels = as_images(node, x), as_images(node, weight)
    axes = x.ndim - 2
    where = window(node, x.ndim, _kernel(node, weight), images.shape[2:], transposed=True)
    spread = {name: _pair(node, name, axes) for name in ("output_padding", "output_shape")}
    extra = spread["output_padding"] or (0, 0)
    full = [(n - 1) * s + r for n, s, r in zip(images.shape[2:], where.strides, where.reach)]
    begins, ends = _crops(node, axes, where, images.shape[2:], full, extra, spread["output_shape"])
    allocatable(
        node,
        (x.shape[0], kernels.shape[1] * _groups(node), *(max(n, n - b - e) for n, b, e in zip(full, begins, ends))),
        x.dtype,
    )
    options: dict[str, Any] = {"stride": where.strides, "dilation": where.dilations, "groups": _groups(node)}
    if begins == ends and min(begins) >= 0:
        return restored(F.conv_transpose2d(images, kernels, bias, padding=begins, **options), x)
    out = F.conv_transpose2d(images, kernels, **options)
    out = padded(node, out, [-n for n in begins], [-n for n in ends])
    return restored(out if bias is None else out + bias.reshape(1, bias.size, 1, 1), x)


def _crops(
    node: Node, axes: int, where: Window, size: Any, full: list[int], extra: Any, asked: Any
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return what is cut off before and after each axis of the full output; less than 0: zeros are added there."""
    mode = node.attribute("auto_pad", "NOTSET")
    if asked is None and mode in ("NOTSET", "VALID"):
        begins, ends = explicit(node, axes) if mode == "NOTSET" else ((0, 0), (0, 0))
        return begins, tuple(end - more for end, more in zip(ends, extra))
    if asked is None:
        asked = tuple(n * s for n, s in zip(size, where.strides))
    totals = [n + more - wanted for n, more, wanted in zip(full, extra, asked)]
    less = [total // 2 for total in totals]
    more = [total - half for total, half in zip(totals, less)]
    first = less if mode == "SAME_UPPER" else more
    begins = tuple(max(0, n) for n in first)  # what is missing is added at the end
    ends = tuple(total - begin for total, begin in zip(totals, begins))
    return begins, tuple(end - more for end, more in zip(ends, extra))


def _pair(node: Node, name: str, axes: int) -> tuple[int, int] | None:
    """Return an attribute of one number for each spatial axis as a pair, or None."""
    numbers = node.attribute(name)
    if numbers is None:
        return None
    numbers = numbers[-axes:] if name == "output_shape" else numbers  # some exporters write the whole shape
    if len(numbers) != axes or min(numbers) < 0:
        node.refuse(name, f"{axes} numbers of at least 0", numbers)
    return (0 if name == "output_padding" else 1, numbers[0]) if axes == 1 else (numbers[0], numbers[1])


def _kernel(node: Node, weight: Tensor) -> tuple[int, ...]:
    kernel = weight.shape[2:]
    if node.attribute("kernel_shape", kernel) != kernel:
        node.refuse("kernel_shape", f"{kernel}, that of the weight", node.attribute("kernel_shape"))
    return kernel


def _groups(node: Node) -> int:
    return node.attribute("group", 1)
