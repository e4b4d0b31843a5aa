r"""Max pooling with stored indices: the forward pass selects, the backward pass scatters by the indices of the selection.

.. math:: y_{b,k,i,j} = \max_{u,v}\, x_{b,\,k,\,i s_h - p_h + u d_h,\,j s_w - p_w + v d_w}

over the taps inside the plane; padding is never chosen. A window is scanned in row-major order and a later tap replaces an
earlier one only if it is greater or NaN: the first of equal values wins (-0.0 and +0.0 are equal), and a window with NaN
gives NaN and the index of its last NaN. Once the indices are stored, ``backward`` is linear in ``grad_output`` and
``gather`` is its adjoint (the "pooling switches" of Zeiler and Fergus, arXiv 1311.2901, section 2.1).

Algorithm: ``"direct"`` lays one tap over a whole output row at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays, _convolution, _memory, _pooling
from .._algorithms import find

OP = "max_pool2d"
ALGORITHMS = ("direct",)
PLANES = "(N, C, H, W)"


def forward(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    algorithm: str = "auto",
) -> tuple[Any, Any]:
    """Take the largest value of every window.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    kernel_size : int or (int, int)
        Height and width of the window in taps.
    stride : int or (int, int), optional
        Step of the window; None means ``kernel_size``.
    padding : int or (int, int)
        How far windows reach over the edges, at most half of ``kernel_size``.
    dilation : int or (int, int)
        Step between the taps of a window.
    ceil_mode : bool
        Round the output size up; a window that would start beyond the right padding is left out.
    algorithm : {"auto", "direct", "reference"}
        See the module's docstring.

    Returns
    -------
    out : ndarray, shape (N, C, out_h, out_w)
        The selected values, bit for bit.
    indices : ndarray of int64, shape (N, C, out_h, out_w)
        ``ih * W + iw`` of each, in the unpadded plane of its (batch, channel).

    Raises
    ------
    ShapeError
        If C, H or W is 0, or the padded plane is smaller than the window.
    ArgumentError
        If a plain argument is outside its domain, or a dilated window would hold no pixel (PyTorch then returns an index
        outside the plane).
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, PLANES)
    _arrays.check_not_empty(OP, "x", x)
    geometry = _pooling.window(OP, x.shape[2:], kernel_size, stride, padding, dilation, ceil_mode)
    _memory.check_size(OP, (*x.shape[:2], *geometry[-1]), np.dtype(np.int64))  # the indices are the larger output
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), *geometry)


def backward(grad_output: Any, indices: Any, input_shape: tuple[int, ...], algorithm: str = "auto") -> Any:
    """Scatter ``grad_output`` to the chosen pixels: the gradient with respect to ``x``.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to ``out``.
    indices : ndarray of int64, shape (N, C, out_h, out_w)
        From `forward`.
    input_shape : tuple of int, (N, C, H, W)
        Shape of ``x``.
    algorithm : {"auto", "direct", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Exactly 0 where no window chose; a pixel that several windows chose gets their sum, in the order of the windows.

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane.
    ShapeError
        If the shapes do not fit each other.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    shape = _convolution.array_shape(OP, "input_shape", input_shape, PLANES)
    _pooling.check_indices(OP, indices, shape[:2], shape[2:], device)
    _arrays.check_shape(OP, "grad_output", grad_output, indices.shape)
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), _arrays.contiguous(indices), shape)


def gather(grad_grad_input: Any, indices: Any, algorithm: str = "auto") -> Any:
    """Read every plane at its stored indices: the adjoint of `backward`, and so its derivative.

    Parameters
    ----------
    grad_grad_input : ndarray, shape (N, C, H, W)
        Planes to read from.
    indices : ndarray of int64, shape (N, C, out_h, out_w)
        From `forward`.
    algorithm : {"auto", "direct", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        ``grad_grad_input[b, k].flat[indices[b, k]]``.

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane; nothing is read before all are checked.
    """
    device = _arrays.check_floating(OP, grad_grad_input=grad_grad_input)
    _arrays.check_rank(OP, "grad_grad_input", grad_grad_input, PLANES)
    _arrays.check_not_empty(OP, "grad_grad_input", grad_grad_input)
    _pooling.check_indices(OP, indices, grad_grad_input.shape[:2], grad_grad_input.shape[2:], device)
    _memory.check_size(OP, indices.shape, grad_grad_input.dtype)
    run = find(__name__, "gather", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_grad_input), _arrays.contiguous(indices))
