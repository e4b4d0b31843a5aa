r"""Two-dimensional transposed convolution: the exact adjoint of convolution in its input.

.. math:: y_{b,k,\,i s_h - p_h + u d_h,\,j s_w - p_w + v d_w} \mathrel{+}= w_{c,k,u,v}\, x_{b,c,i,j}

for every element of x and every tap that lands inside y, which starts as its channel's bias. Weights are
``(C_in, C_out / groups, kH, kW)``, which is the layout of the convolution whose adjoint this is (Dumoulin and Visin,
arXiv 1603.07285, chapter 4). The gaps between strides are not elements: nothing is stuffed with zeros, and a position that no
tap hits is exactly the bias.

Algorithms: ``"im2col"`` and ``"direct"``, those of `rawseg_kernels.conv2d` with the roles of input and output swapped.
In CUDA: ``"cuda_tiles"``, ``"cuda_tiles_3xtf32"`` and ``"cuda_tiles_tf32"``, likewise, and ``"cuda"``, a thread an element.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import _arrays, _convolution, _memory
from .._algorithms import find
from .._epilogue import NOTHING, Epilogue
from .._errors import ArgumentError, ShapeError
from .._tensor_cores import chosen
from ..conv2d import backward_bias as backward_bias

OP = "conv_transpose2d"
ALGORITHMS = ("im2col", "direct")
CUDA_ALGORITHMS = ("cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda")
WEIGHT_AXES = "(C_in, C_out / groups, kH, kW)"


def _geometry(weight_shape, in_channels, stride, padding, dilation, groups):
    """Normalise the plain arguments: ``(stride, padding, dilation, groups)``."""
    stride = _arrays.pair(OP, "stride", stride, 1)
    padding = _arrays.pair(OP, "padding", padding, 0)
    dilation = _arrays.pair(OP, "dilation", dilation, 1)
    groups = _arrays.integer(OP, "groups", groups, 1)
    groups = _convolution.channels(OP, in_channels, weight_shape[1] * groups, groups)
    if weight_shape[0] != in_channels:
        raise ShapeError(
            OP, "weight", f"{in_channels} input channels", f"{weight_shape[0]} (weight shape {tuple(weight_shape)})"
        )
    return stride, padding, dilation, groups


def _check_output(grad_output, shape, weight_shape, geometry):
    """Check that ``grad_output`` can be the gradient of an output of this input shape."""
    stride, padding, dilation, groups = geometry
    channels, ranges = (shape[0], weight_shape[1] * groups), []
    smallest = _convolution.smallest_transposed_size(shape[2:], weight_shape[2:], stride, padding, dilation)
    for axis in (0, 1):
        ranges.append(range(max(1, smallest[axis]), smallest[axis] + max(stride[axis], dilation[axis])))
    if grad_output.shape[:2] != channels or any(grad_output.shape[2 + axis] not in ranges[axis] for axis in (0, 1)):
        sizes = ", ".join(f"{sizes.start} to {sizes.stop - 1}" for sizes in ranges)
        raise ShapeError(OP, "grad_output", f"shape ({channels[0]}, {channels[1]}, {sizes})", f"shape {grad_output.shape}")


def forward(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    output_size: Any = None,
    algorithm: str = "auto",
) -> Any:
    """Scatter every element of ``x``, times the kernel, into the output.

    Parameters
    ----------
    x : ndarray, shape (N, C_in, H, W)
        Input, float32 or float64; N may be 0.
    weight : ndarray, shape (C_in, C_out / groups, kH, kW)
        Kernels.
    bias : ndarray, shape (C_out,), optional
        Added to every pixel of its channel.
    stride, padding, dilation : int or (int, int)
        Those of the convolution whose adjoint this is, (height, width).
    output_padding : int or (int, int)
        Rows and columns added at the bottom and the right; less than the stride or the dilation of the axis.
    groups : int
        Channels are split into this many independent transposed convolutions.
    output_size : (int, int) or (int, int, int, int), optional
        Instead of ``output_padding``: ``(out_h, out_w)``, or the whole output shape, at most ``stride - 1`` above the smallest.
    algorithm : {"auto", "im2col", "direct", "reference"}
        Or one in CUDA, "cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32" or "cuda": see the module's docstring.

    Returns
    -------
    ndarray, shape (N, C_out, out_h, out_w)
        ``out_h = (H - 1) * stride - 2 * padding + dilation * (kH - 1) + output_padding + 1``.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other, or the output would have no rows or columns (PyTorch may return an empty array).
    ArgumentError
        If a plain argument is outside its domain.
    """
    _, run = prepare(x, weight, bias, stride, padding, output_padding, groups, dilation, output_size, algorithm)
    return run(NOTHING)


def prepare(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    output_size: Any = None,
    algorithm: str = "auto",
) -> tuple[tuple[int, int, int, int], Callable[[Epilogue], Any]]:
    """Check the arguments of `forward`; return the output's shape, and a function that computes it and what follows it.

    As `rawseg_kernels.conv2d.prepare`; what follows is computed where the output lies.
    """
    device = _convolution.check_arrays(OP, WEIGHT_AXES, x=x, weight=weight, bias=bias)
    geometry = stride, padding, dilation, groups = _geometry(weight.shape, x.shape[1], stride, padding, dilation, groups)
    out_channels = weight.shape[1] * groups
    if bias is not None:
        _arrays.check_shape(OP, "bias", bias, (out_channels,))
        bias = _arrays.contiguous(bias)
    size, kernel_size = (x.shape[2], x.shape[3]), (weight.shape[2], weight.shape[3])
    output_padding = _convolution.output_paddings(OP, output_padding, stride, dilation)
    if output_size is not None:
        if output_padding != (0, 0):
            raise ArgumentError(OP, "output_size", "None beside an output_padding", output_size)
        smallest = _convolution.smallest_transposed_size(size, kernel_size, stride, padding, dilation)
        output_padding = _convolution.asked_padding(OP, output_size, (x.shape[0], out_channels), smallest, stride)
    out_size = _convolution.transposed_output_size(OP, size, kernel_size, stride, padding, output_padding, dilation)
    shape = x.shape[0], out_channels, *out_size
    _memory.check_size(OP, shape, x.dtype)
    run = find(__name__, "forward", chosen(OP, algorithm, x, device), ALGORITHMS, device)
    arrays = _arrays.contiguous(x), _arrays.contiguous(weight), bias

    def compute(after: Epilogue) -> Any:
        out = run(*arrays, out_size, *geometry)
        if after is NOTHING:
            return out
        from .._finishing import finish_planes  # numba

        return finish_planes(out, after)

    return shape, compute


def backward_input(
    grad_output: Any,
    weight: Any,
    input_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``x``, shape ``input_shape``: a convolution of ``grad_output``.

    Parameters as in `forward`; the output padding is what the shape of ``grad_output`` says.
    """
    device = _convolution.check_arrays(OP, WEIGHT_AXES, grad_output=grad_output, weight=weight)
    shape = _convolution.array_shape(OP, "input_shape", input_shape, "(N, C_in, H, W)")
    geometry = _geometry(weight.shape, shape[1], stride, padding, dilation, groups)
    _check_output(grad_output, shape, weight.shape, geometry)
    _memory.check_size(OP, shape, weight.dtype)
    run = find(__name__, "backward_input", chosen(OP, algorithm, weight, device), ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), _arrays.contiguous(weight), shape, *geometry)


def backward_weight(
    grad_output: Any,
    x: Any,
    weight_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``weight``, shape ``weight_shape``: sums over batch, rows, columns of ``x``.

    Parameters as in `forward`; the output padding is what the shape of ``grad_output`` says.
    """
    device = _convolution.check_arrays(OP, WEIGHT_AXES, grad_output=grad_output, x=x)
    shape = _convolution.array_shape(OP, "weight_shape", weight_shape, WEIGHT_AXES)
    geometry = _geometry(shape, x.shape[1], stride, padding, dilation, groups)
    _check_output(grad_output, x.shape, shape, geometry)
    _memory.check_size(OP, shape, x.dtype)
    run = find(__name__, "backward_weight", chosen(OP, algorithm, x, device), ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), _arrays.contiguous(x), shape, *geometry)
