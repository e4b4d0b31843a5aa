"""The size arithmetic that convolution and transposed convolution share: every rule once, in Python ints."""

from __future__ import annotations

from typing import Any

from ._arrays import are_plain, check_floating, check_rank, integer, pair
from ._errors import ArgumentError, ArgumentTypeError, ShapeError

Pair = tuple[int, int]
Sides = tuple[int, int, int, int]  # top, bottom, left, right


def check_arrays(op: str, weight_axes: str, **arrays: Any) -> str:
    """Check the arrays of a call; return their device.

    All share dtype and device; all but the bias have four axes, of which only the batch may be empty. ``weight_axes`` spells
    the weight's, e.g. ``"(C_out, C_in / groups, kH, kW)"``.
    """
    device = check_floating(op, **arrays)
    for name, array in arrays.items():
        batched = name != "weight"
        if name != "bias" and not _is_full(array, batched):
            axes = "(N, C, H, W)" if batched else weight_axes
            check_rank(op, name, array, axes)
            axis = axes.strip("()").split(", ")[array.shape.index(0, batched)]
            raise ShapeError(op, name, f"at least 1 along {axis}", f"0 (shape {array.shape})")
    return device


def _is_full(array: Any, first: int) -> bool:
    """Return whether there is an array of four axes of which none is empty, from one on."""
    return array is not None and array.ndim == 4 and 0 not in array.shape[first:]


def channels(op: str, in_channels: int, out_channels: int, groups: Any) -> int:
    """Return ``groups`` as an int that divides both channel counts."""
    groups = integer(op, "groups", groups, 1)
    for name, count in (("input", in_channels), ("output", out_channels)):
        if count % groups:
            raise ArgumentError(op, "groups", f"a divisor of the {count} {name} channels", groups)
    return groups


def paddings(op: str, padding: Any, kernel_size: Pair, stride: Pair, dilation: Pair) -> Sides:
    """Return ``(top, bottom, left, right)`` from an int, a pair, ``"valid"`` or ``"same"``.

    ``"same"`` asks for stride 1 and pads ``dilation * (kernel - 1)`` in all; an odd one goes to the bottom and the right.
    """
    if not isinstance(padding, str):
        pad_h, pad_w = pair(op, "padding", padding, 0)
        return pad_h, pad_h, pad_w, pad_w
    if padding == "valid":
        return 0, 0, 0, 0
    if padding != "same":
        raise ArgumentError(op, "padding", "an int, a pair, 'valid' or 'same'", repr(padding))
    if stride != (1, 1):
        raise ArgumentError(op, "padding", "stride 1 with 'same'", f"stride {stride}")
    total_h, total_w = (dilation[axis] * (kernel_size[axis] - 1) for axis in (0, 1))
    return total_h // 2, total_h - total_h // 2, total_w // 2, total_w - total_w // 2


def output_size(
    op: str, size: Pair, kernel_size: Pair, stride: Pair, padding: tuple[int, int, int, int], dilation: Pair
) -> Pair:
    """Return ``(out_h, out_w)`` of a convolution: ``floor((size + padding - reach) / stride) + 1``, at least 1 each."""
    out = []
    for axis, name in enumerate(("height", "width")):
        padded = size[axis] + padding[2 * axis] + padding[2 * axis + 1]
        reach = dilation[axis] * (kernel_size[axis] - 1) + 1
        if padded < reach:
            detail = f"{reach} (kernel_size={kernel_size[axis]}, dilation={dilation[axis]})"
            raise ShapeError(op, "x", f"a padded {name} of at least {detail}", f"{padded} ({name} {size[axis]})")
        out.append((padded - reach) // stride[axis] + 1)
    return out[0], out[1]


def transposed_output_size(
    op: str, size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, output_padding: Pair, dilation: Pair
) -> Pair:
    """Return `smallest_transposed_size` larger by ``output_padding``: ``(out_h, out_w)``, at least 1 each."""
    smallest = smallest_transposed_size(size, kernel_size, stride, padding, dilation)
    out = smallest[0] + output_padding[0], smallest[1] + output_padding[1]
    for axis, name in enumerate(("height", "width")):
        if out[axis] < 1:
            taken = f"{out[axis]} ({name} {size[axis]}, padding {padding})"
            raise ShapeError(op, "padding", f"an output {name} of at least 1", taken)
    return out


def smallest_transposed_size(size: Pair, kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """Return the size that a transposed convolution fills, ``(size - 1) * stride - 2 * padding + reach``; perhaps below 1."""
    height, width = (
        (size[axis] - 1) * stride[axis] - 2 * padding[axis] + dilation[axis] * (kernel_size[axis] - 1) + 1 for axis in (0, 1)
    )
    return height, width


def output_paddings(op: str, output_padding: Any, stride: Pair, dilation: Pair) -> Pair:
    """Return ``output_padding`` as a pair, each smaller than the stride or the dilation of its axis."""
    both = pair(op, "output_padding", output_padding, 0)
    for axis in (0, 1):
        if both[axis] >= max(stride[axis], dilation[axis]):
            expected = f"less than stride {stride} or dilation {dilation} in each axis"
            raise ArgumentError(op, "output_padding", expected, both)
    return both


def asked_padding(op: str, output_size: Any, batch: Pair, smallest: Pair, stride: Pair) -> Pair:
    """Return the output padding that leads to an asked ``output_size``, ``(out_h, out_w)`` or ``(N, C_out, out_h, out_w)``."""
    if not isinstance(output_size, (tuple, list)) or len(output_size) not in (2, 4):
        raise ArgumentError(op, "output_size", "(out_h, out_w) or (N, C_out, out_h, out_w)", output_size)
    sizes = tuple(integer(op, "output_size", value, 0) for value in output_size)
    if len(sizes) == 4 and sizes[:2] != batch:
        raise ArgumentError(op, "output_size", f"(N, C_out) = {batch} at the front", sizes)
    asked = sizes[-2], sizes[-1]
    for axis in (0, 1):
        if not smallest[axis] <= asked[axis] < smallest[axis] + stride[axis]:
            largest = tuple(smallest[i] + stride[i] - 1 for i in (0, 1))
            raise ArgumentError(op, "output_size", f"between {smallest} and {largest}", asked)
    return asked[0] - smallest[0], asked[1] - smallest[1]


def array_shape(op: str, argument: str, shape: Any, dimensions: str) -> tuple[int, int, int, int]:
    """Return a shape given as an argument as four ints: the first at least 0, the others at least 1."""
    if not isinstance(shape, (tuple, list)):
        raise ArgumentTypeError(op, argument, f"a shape {dimensions}", repr(shape))
    if len(shape) != 4:
        raise ShapeError(op, argument, f"shape {dimensions}", f"shape {tuple(shape)}")
    if type(shape) is tuple and are_plain((shape,)) and min(shape) > 0:  # the usual case, soon told
        return shape
    first, *rest = (integer(op, argument, size, min(axis, 1)) for axis, size in enumerate(shape))
    return first, rest[0], rest[1], rest[2]
