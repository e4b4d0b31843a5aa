"""Convolutions, transposed ones, and windows as columns, which are convolutions with ones and zeros."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ....functional import convolution, windows
from ..geometry import both, in_each_recording, pads_of
from ..program import Step
from ..writer import Writer
from .registry import translates


@translates(convolution.Convolution)
def convolve(w: Writer, step: Step) -> str:
    """Translate both kinds."""
    weight: Any = step.inputs[1]
    geometry = step.options["geometry"]
    kernel_size, dilation = weight.shape[2:], both(geometry["dilation"])
    attributes: dict[str, Any] = {
        "kernel_shape": list(kernel_size),
        "strides": list(both(geometry["stride"])),
        "dilations": list(dilation),
        "group": geometry["groups"],
        "pads": pads_of(geometry["padding"], kernel_size, dilation),
    }
    if step.options["room"] is convolution.conv2d_room:
        return w.node("Conv", *w.inputs(step), **attributes)
    return w.node("ConvTranspose", *w.inputs(step), **attributes, output_padding=_output_padding(step, attributes))


def _output_padding(step: Step, attributes: dict[str, Any]) -> list[int]:
    """Return by how much the output exceeds the smallest that the geometry gives."""

    def along(axis: int) -> int:
        stride, pad, dilation, kernel = (attributes[key][axis] for key in ("strides", "pads", "dilations", "kernel_shape"))
        reach = dilation * (kernel - 1) + 1 - 2 * pad
        sizes = step.x.shape[2 + axis], step.out.shape[2 + axis]
        return in_each_recording(step, "an output padding", lambda small, large: large - (small - 1) * stride - reach, *sizes)

    return [along(0), along(1)]


def _taps(channels: int, kernel_size: tuple[int, int], dtype: Any) -> np.ndarray:
    """Return kernels of which each takes one tap of one channel, shape (C * kH * kW, 1, kH, kW)."""
    count = kernel_size[0] * kernel_size[1]
    return np.tile(np.eye(count, dtype=dtype), (channels, 1)).reshape(channels * count, 1, *kernel_size)


def _window(geometry: dict[str, Any], channels: int) -> dict[str, Any]:
    padding = [*both(geometry["padding"])] * 2
    return {
        "kernel_shape": list(both(geometry["kernel_size"])),
        "strides": list(both(geometry["stride"])),
        "dilations": list(both(geometry["dilation"])),
        "group": channels,
        "pads": padding,
    }


@translates(windows.Unfold)
def unfold(w: Writer, step: Step) -> str:
    """Translate windows as columns: a convolution of every channel by itself with one kernel for each tap."""
    (channels,) = w.fixed(step, "a number of channels", step.x.shape[1])
    attributes = _window(step.options["geometry"], channels)
    kernels = w.builder.constant(_taps(channels, tuple(attributes["kernel_shape"]), step.out.dtype))
    spread = w.node("Conv", *w.inputs(step), kernels, **attributes)  # (N, C * kH * kW, out_h, out_w)
    return w.node("Reshape", spread, w.builder.ints(0, channels * prod(attributes["kernel_shape"]), -1))


@translates(windows.Fold)
def fold(w: Writer, step: Step) -> str:
    """Translate columns added up: the transposed convolution of `unfold`."""
    columns, out = step.x, step.out
    channels, height, width = w.fixed(step, "an image", *out.shape[1:])
    attributes = _window(step.options["geometry"], channels)
    kernel, stride, dilation = attributes["kernel_shape"], attributes["strides"], attributes["dilations"]
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    free = [n + 2 * p - r for n, p, r in zip((height, width), attributes["pads"], reach)]
    counts = [n // s + 1 for n, s in zip(free, stride)]
    shape = w.shape((columns.shape[0], columns.shape[1], *counts), step.module)
    maps = w.node("Reshape", *w.inputs(step), shape)  # (N, C * kH * kW, out_h, out_w)
    kernels = w.builder.constant(_taps(channels, tuple(kernel), out.dtype))
    rest = [n % s for n, s in zip(free, stride)]  # rows and columns that no window reaches
    return w.node("ConvTranspose", maps, kernels, **attributes, output_padding=rest)
