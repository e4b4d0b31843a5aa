"""The passes of convolution and transposed convolution."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rawseg_kernels import conv2d, conv_transpose2d

from ..testing.rounding.winograd import forward_bound, weight_bound
from .passes import Bound, Pass, normals, sum_of

SIZES = {"winograd4": 4, "winograd2": 2}  # outputs of a tile of Winograd's convolution along an axis


def _pair(value: Any) -> tuple[int, int]:
    return tuple(value) if isinstance(value, (tuple, list)) else (value, value)


def conv2d_passes(
    shape: tuple[int, ...],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> list[Pass]:
    """Return forward, grad input and grad weight; there is no bias, whose gradient is a sum of its own."""
    import torch

    stride, padding, dilation = _pair(stride), _pair(padding), _pair(dilation)
    geometry = stride, padding, dilation, groups
    weight_shape = out_channels, shape[1] // groups, *_pair(kernel_size)
    x, weight = _operands(shape, weight_shape, math.prod(weight_shape[1:]))
    (g,) = normals(1, conv2d.prepare(x, weight, None, *geometry)[0])
    flops = 2.0 * g.size * math.prod(weight_shape[1:])
    aten = stride, padding, dilation, False, (0, 0), groups
    turned = 2 * dilation[0] - padding[0], 2 * dilation[1] - padding[1]  # the padding of a 3x3 kernel's adjoint

    def bounds(terms: int, winograd: Bound) -> Bound:
        return _by_algorithm(sum_of(terms), winograd)

    def chosen(verb: str) -> tuple[Any, str, str]:
        return conv2d, verb, conv2d.algorithm_for(verb, shape, weight_shape, *geometry)

    return [
        Pass(
            "forward",
            (x, weight),
            lambda f, x, w: lambda: f(x, w, None, *geometry),
            lambda x, w: lambda: torch.nn.functional.conv2d(x, w, None, *geometry),
            flops,
            bounds(math.prod(weight_shape[1:]), _winograd(padding, dilation, groups)),
            *chosen("forward"),
        ),
        Pass(
            "grad input",
            (g, weight),
            lambda f, g, w: lambda: f(g, w, shape, *geometry),
            _torch_backward(0, shape, aten),
            flops,
            bounds(math.prod(weight_shape) // weight_shape[1], _winograd(turned, dilation, groups, adjoint=True)),
            *chosen("backward_input"),
        ),
        Pass(
            "grad weight",
            (g, x),
            lambda f, g, x: lambda: f(g, x, weight_shape, *geometry),
            _torch_backward(1, weight_shape, aten),
            flops,
            bounds(g.size // g.shape[1], _winograd_weights(padding, groups)),
            *chosen("backward_weight"),
        ),
    ]


def conv_transpose2d_passes(
    shape: tuple[int, ...],
    out_channels: int,
    kernel_size: Any,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> list[Pass]:
    """Return forward, grad input and grad weight."""
    import torch

    weight_shape = shape[1], out_channels // groups, *_pair(kernel_size)
    x, weight = _operands(shape, weight_shape, shape[1] // groups)
    geometry = stride, padding, output_padding, groups, dilation
    adjoint = stride, padding, groups, dilation
    (g,) = normals(1, conv_transpose2d.forward(x, weight, None, *geometry).shape)
    flops = 2.0 * x.size * math.prod(weight_shape[1:])
    aten = _pair(stride), _pair(padding), _pair(dilation), True, _pair(output_padding), groups
    return [
        Pass(
            "forward",
            (x, weight),
            lambda f, x, w: lambda: f(x, w, None, *geometry),
            lambda x, w: lambda: torch.nn.functional.conv_transpose2d(x, w, None, *geometry),
            flops,
            sum_of(shape[1] // groups * math.prod(weight_shape[2:])),
            conv_transpose2d,
            "forward",
        ),
        Pass(
            "grad input",
            (g, weight),
            lambda f, g, w: lambda: f(g, w, shape, *adjoint),
            _torch_backward(0, shape, aten),
            flops,
            sum_of(math.prod(weight_shape[1:])),
            conv_transpose2d,
            "backward_input",
        ),
        Pass(
            "grad weight",
            (g, x),
            lambda f, g, x: lambda: f(g, x, weight_shape, *adjoint),
            _torch_backward(1, weight_shape, aten),
            flops,
            sum_of(x.size // x.shape[1]),
            conv_transpose2d,
            "backward_weight",
        ),
    ]


def _operands(shape: tuple[int, ...], weight_shape: tuple[int, ...], terms: int) -> list[np.ndarray]:
    """Return x and a weight that keeps its scale through sums of so many terms."""
    x, weight = normals(0, shape, weight_shape)
    return [x, weight / np.float32(math.sqrt(terms))]


def _torch_backward(which: int, shape: tuple[int, ...], geometry: tuple[Any, ...]) -> Callable[..., Callable[[], Any]]:
    """Return PyTorch's gradient of the input (0) or the weight (1), which has this shape and whose values are not read."""

    def theirs(grad_output: Any, operand: Any) -> Callable[[], Any]:
        import torch

        strided = grad_output.is_contiguous(memory_format=torch.channels_last) and not grad_output.is_contiguous()
        layout = torch.channels_last if strided else torch.contiguous_format
        wanted = grad_output.new_empty(shape).to(memory_format=layout)
        x, weight = (wanted, operand) if which == 0 else (operand, wanted)
        mask = [which == 0, which == 1, False]
        run = torch.ops.aten.convolution_backward
        return lambda: run(grad_output, x, weight, None, *geometry, mask)[which]

    return theirs


def _by_algorithm(direct: Bound, winograd: Bound) -> Bound:
    """Return a bound that is Winograd's for its algorithms, and for a foreign kernel where one of them is "auto"."""

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> Any:
        foreign = algorithm not in (*conv2d.ALGORITHMS, *conv2d.CUDA_ALGORITHMS)
        fast = algorithm in SIZES or (foreign and item.chosen in SIZES)
        return (winograd if fast else direct)(algorithm, item, exact)

    return bound


def _winograd(padding: tuple[int, int], dilation: tuple[int, int], groups: int, adjoint: bool = False) -> Bound:
    """Return the bound of a 3x3 convolution of stride 1: a dense one for every group and every residue of the dilation.

    The gradient of the input is the same sums with the kernels turned and their two channel axes exchanged.
    """

    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        x, weight = item.arrays
        out = np.empty(exact.shape)
        sides = [(0, 0), (0, 0), *((p, p + 2 * d) for p, d in zip(padding, dilation))]
        padded = np.pad(x, sides)
        for x_part, w_part, out_part in zip(*(np.split(a, groups, axis) for a, axis in ((padded, 1), (weight, 0), (out, 1)))):
            kernels = w_part.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1] if adjoint else w_part
            for i, j in np.ndindex(dilation):
                rows, columns = slice(i, None, dilation[0]), slice(j, None, dilation[1])
                to = out_part[:, :, rows, columns]
                no_bias = np.zeros(len(kernels))
                to[...] = forward_bound(
                    SIZES.get(algorithm, 4), x_part[:, :, rows, columns], kernels, no_bias, (0, 0), to.shape[2:]
                )
        return out

    return bound


def _winograd_weights(padding: tuple[int, int], groups: int) -> Bound:
    def bound(algorithm: str, item: Pass, exact: np.ndarray) -> np.ndarray:
        parts = zip(*(np.split(array, groups, 1) for array in item.arrays))
        return np.concatenate([weight_bound(SIZES.get(algorithm, 4), g, x, padding) for g, x in parts])

    return bound
