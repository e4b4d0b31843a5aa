r"""Two-dimensional convolution (cross-correlation: the kernel is not flipped).

.. math:: y_{b,k,i,j} = \beta_k + \sum_{c,u,v} w_{k,c,u,v}\, x_{b,\,c,\,i s_h - p_h + u d_h,\,j s_w - p_w + v d_w}

with stride s, padding p, dilation d; taps outside the input are left out. The layout is (N, C, H, W), weights are
``(C_out, C_in / groups, kH, kW)`` (Dumoulin and Visin, A guide to convolution arithmetic, arXiv 1603.07285, chapter 2).

Algorithms: ``"im2col"`` multiplies packed weights with shifted views of the input in a vector micro-kernel; ``"depthwise"``
sums over whole planes and is for groups of one input channel; ``"winograd4"`` and ``"winograd2"`` are Winograd's F(4x4, 3x3)
and F(2x2, 3x3) for 3x3 kernels of stride 1 in float32; ``"direct"`` is plain loops over rows. `_choice` says which one
``"auto"`` is, unless `set_autotune` has it measured. All give the same bits for any number of threads.

In CUDA, where `_cuda_choice` says which one ``"auto"`` is: ``"cuda_tiles"`` multiplies tiles of matrices in shared memory,
``"cuda_tiles_3xtf32"`` and ``"cuda_tiles_tf32"`` do so on tensor cores; ``"cuda_im2col"`` writes the matrices for cuBLAS;
``"cuda_depthwise"`` has a block a plane and is for groups of one input channel; ``"cuda"`` is a thread an element.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from .. import _arrays, _convolution, _memory
from .._algorithms import find, substitute
from .._epilogue import NOTHING, Epilogue
from .._errors import ShapeError
from .._precision import get_precision
from .._threads import get_num_threads
from .._tuning import fastest, get_autotune
from ._choice import possible
from ._cuda_choice import choose_on_gpu
from ._known import OP, chosen, geometry_of, known

WEIGHT_AXES = "(C_out, C_in / groups, kH, kW)"
ALGORITHMS = ("im2col", "depthwise", "winograd4", "winograd2", "direct")
CUDA_ALGORITHMS = ("cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda_depthwise", "cuda_im2col", "cuda")
FUSING = ("im2col", "depthwise", "winograd4", "winograd2", *CUDA_ALGORITHMS)  # whose forward applies an epilogue itself


def _find(verb, algorithm, weight_shape, geometry, device, *arguments):
    """Return an algorithm's name and function; if it is left open, by `_choice`, or, where that is wished, by measuring."""
    if device != "cpu":
        name = choose_on_gpu(algorithm, arguments[0], weight_shape, geometry[-1], device)
        return name, find(__name__, verb, name, ALGORITHMS, device)
    arrays = arguments[:2]
    name = chosen(verb, weight_shape, geometry, arrays[0].dtype) if algorithm == "auto" else algorithm
    if substitute(OP, verb) is not None:
        return "reference", find(__name__, verb, name, ALGORITHMS, device)
    if algorithm == "auto" and get_autotune():
        _, stride, _, dilation, groups = geometry
        channels = weight_shape[1], weight_shape[0] // groups
        names = possible(verb, weight_shape[2:], stride, dilation, channels, arrays[0].dtype)
        runs = {name: partial(find(__name__, verb, name, ALGORITHMS, device), *arguments) for name in names}
        shapes = tuple(array.shape for array in arrays)
        name = fastest((verb, shapes, weight_shape, geometry, arrays[0].dtype.str, get_num_threads(), get_precision()), runs)
    return name, find(__name__, verb, name, ALGORITHMS, device)


def algorithm_for(
    verb: str,
    x_shape: tuple[int, ...],
    weight_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    dtype: Any = "float32",
) -> str:
    """Return the name of the algorithm that ``"auto"`` is for a verb and these shapes, at the precision that is set.

    Examples
    --------
    >>> algorithm_for("forward", (1, 64, 128, 128), (64, 64, 3, 3), padding=1)
    'winograd4'
    """
    return chosen(verb, weight_shape, geometry_of(x_shape, weight_shape, stride, padding, dilation, groups), np.dtype(dtype))


def forward(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Any:
    """Convolve ``x`` with ``weight``.

    Parameters
    ----------
    x : ndarray, shape (N, C_in, H, W)
        Input, float32 or float64; N may be 0.
    weight : ndarray, shape (C_out, C_in / groups, kH, kW)
        Kernels, not flipped.
    bias : ndarray, shape (C_out,), optional
        Added to every pixel of its channel.
    stride, dilation : int or (int, int)
        Steps of the window and between its taps, (height, width).
    padding : int, (int, int), "valid" or "same"
        Zeros around the input; "same" keeps the size, wants stride 1 and puts an odd row or column at the bottom or right.
    groups : int
        Channels are split into this many independent convolutions.
    algorithm : {"auto", "im2col", "depthwise", "winograd4", "winograd2", "direct", "reference"}
        Or one in CUDA, "cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda_depthwise", "cuda_im2col" or "cuda": see
        the module's docstring.

    Returns
    -------
    ndarray, shape (N, C_out, out_h, out_w)
        ``out_h = (H + padding - dilation * (kH - 1) - 1) // stride + 1``.

    Raises
    ------
    ShapeError
        If the arrays do not fit each other, or the padded input is smaller than the kernel.
    ArgumentError
        If a plain argument is outside its domain.

    Notes
    -----
    Padded taps are never multiplied, so an infinite weight meets no padded zero (PyTorch's dense convolution gives NaN there).
    """
    return prepare(x, weight, bias, stride, padding, dilation, groups, algorithm)[1](NOTHING)


def prepare(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> tuple[tuple[int, int, int, int], Callable[[Epilogue], Any]]:
    """Check the arguments of `forward`; return the output's shape, and a function that computes it and what follows it.

    The function takes an `Epilogue`, batch normalisation and a clamp that are applied before the output is stored.
    """
    seen = known("forward", algorithm, x, weight, None, (stride, padding, dilation, groups)) if bias is None else None
    if seen is not None:
        _memory.check_size(OP, seen.out_shape, x.dtype)
        return seen.out_shape, lambda after: seen.module.forward(x, weight, None, *seen.geometry, after)
    device = _convolution.check_arrays(OP, WEIGHT_AXES, x=x, weight=weight, bias=bias)
    if bias is not None:
        _arrays.check_shape(OP, "bias", bias, (weight.shape[0],))
        bias = _arrays.contiguous(bias)
    geometry = geometry_of(x.shape, weight.shape, stride, padding, dilation, groups)
    shape = x.shape[0], weight.shape[0], *geometry[0]
    _memory.check_size(OP, shape, x.dtype)
    x, weight = _arrays.contiguous(x), _arrays.contiguous(weight)
    algorithm, run = _find("forward", algorithm, weight.shape, geometry, device, x, weight, bias, *geometry)
    if algorithm in FUSING:
        return shape, lambda after: run(x, weight, bias, *geometry, after)
    from .._finishing import finish_planes  # numba

    return shape, lambda after: finish_planes(run(x, weight, bias, *geometry), after)


def backward_input(
    grad_output: Any,
    weight: Any,
    input_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``x``, shape ``input_shape``: the adjoint of `forward`.

    Input pixels that no window covers get exactly 0. Parameters as in `forward`.
    """
    seen = known("backward_input", algorithm, grad_output, weight, input_shape, (stride, padding, dilation, groups))
    if seen is not None:
        _memory.check_size(OP, input_shape, weight.dtype)
        return seen.module.backward_input(grad_output, weight, input_shape, *seen.geometry[1:])
    device = _convolution.check_arrays(OP, WEIGHT_AXES, grad_output=grad_output, weight=weight)
    shape = _convolution.array_shape(OP, "input_shape", input_shape, "(N, C_in, H, W)")
    out_size, *geometry = geometry_of(shape, weight.shape, stride, padding, dilation, groups)
    _arrays.check_shape(OP, "grad_output", grad_output, (shape[0], weight.shape[0], *out_size))
    _memory.check_size(OP, shape, weight.dtype)
    arguments = _arrays.contiguous(grad_output), _arrays.contiguous(weight), shape, *geometry
    return _find("backward_input", algorithm, weight.shape, (out_size, *geometry), device, *arguments)[1](*arguments)


def backward_weight(
    grad_output: Any,
    x: Any,
    weight_shape: tuple[int, ...],
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
    algorithm: str = "auto",
) -> Any:
    """Return the gradient with respect to ``weight``, shape ``weight_shape``: sums over batch, rows, columns.

    Parameters as in `forward`.
    """
    seen = known("backward_weight", algorithm, grad_output, x, weight_shape, (stride, padding, dilation, groups))
    if seen is not None:
        _memory.check_size(OP, weight_shape, x.dtype)
        return seen.module.backward_weight(grad_output, x, weight_shape, *seen.geometry[1:])
    device = _convolution.check_arrays(OP, WEIGHT_AXES, grad_output=grad_output, x=x)
    shape = _convolution.array_shape(OP, "weight_shape", weight_shape, WEIGHT_AXES)
    if shape[0] < 1:
        raise ShapeError(OP, "weight_shape", "at least 1 along C_out", f"0 (shape {shape})")
    out_size, *geometry = geometry_of(x.shape, shape, stride, padding, dilation, groups)
    _arrays.check_shape(OP, "grad_output", grad_output, (x.shape[0], shape[0], *out_size))
    _memory.check_size(OP, shape, x.dtype)
    arguments = _arrays.contiguous(grad_output), _arrays.contiguous(x), shape, *geometry
    return _find("backward_weight", algorithm, shape, (out_size, *geometry), device, *arguments)[1](*arguments)


def backward_bias(grad_output: Any, algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``bias``, shape (C_out,): sums over batch, rows, columns, in float64."""
    device = _convolution.check_arrays(OP, WEIGHT_AXES, grad_output=grad_output)
    return find(__name__, "backward_bias", algorithm, ("direct",), device)(_arrays.contiguous(grad_output))
