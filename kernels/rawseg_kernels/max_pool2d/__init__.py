r"""Max pooling with stored indices: the forward pass selects, the backward pass scatters by the indices of the selection.

.. math:: y_{b,k,i,j} = \max_{u,v}\, x_{b,\,k,\,i s_h - p_h + u d_h,\,j s_w - p_w + v d_w}

over the taps inside the plane; padding is never chosen. A window is scanned in row-major order and a later tap replaces an
earlier one only if it is greater or NaN: the first of equal values wins (-0.0 and +0.0 are equal), and a window with NaN
gives NaN and the index of its last NaN. Once the indices are stored, ``backward`` is linear in ``grad_output`` and
``gather`` is its adjoint (the "pooling switches" of Zeiler and Fergus, arXiv 1311.2901, section 2.1).

Who needs the choice for the gradient alone keeps *taps*: a byte an output says which tap of its window was taken.

Algorithms: ``"direct"`` takes maxima along the rows and then down them, in vectors; ``"cuda"`` is for GPUs, a thread an output,
and gathers backward.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _arrays, _convolution, _memory, _pooling
from .._algorithms import find
from .._capture import refuse
from .._errors import ArgumentError, DTypeError, IndexRangeError

OP = "max_pool2d"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
PLANES = "(N, C, H, W)"
MOST_TAPS = 256  # of a window whose taps are counted in a byte


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
    algorithm : {"auto", "direct", "cuda", "reference"}
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
    algorithm : {"auto", "direct", "cuda", "reference"}
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


def has_few_taps(kernel_size: Any) -> bool:
    """Return whether a byte can say which tap of a window was taken."""
    return math.prod(_arrays.pair(OP, "kernel_size", kernel_size, 1)) <= MOST_TAPS


def forward_taps(
    x: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    algorithm: str = "auto",
) -> tuple[Any, Any]:
    """Take the largest value of every window, as `forward`, and return ``(out, taps)``.

    ``taps``, of uint8, shape (N, C, out_h, out_w), says which tap of its window each value was: ``kh * kernel_w + kw``. Windows
    have at most 256 taps; parameters and errors as in `forward`.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, PLANES)
    _arrays.check_not_empty(OP, "x", x)
    geometry = _window(x.shape, kernel_size, stride, padding, dilation, ceil_mode)
    _memory.check_size(OP, (*x.shape[:2], *geometry[-1]), np.dtype(np.int64))
    return find(__name__, "forward_taps", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), *geometry)


def backward_taps(
    grad_output: Any,
    taps: Any,
    input_shape: tuple[int, ...],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    algorithm: str = "auto",
) -> Any:
    """Scatter ``grad_output`` to the pixels under the taps that `forward_taps` took, which had these options.

    Raises
    ------
    IndexRangeError
        If a tap is none of the window's, or stands outside its plane.
    ShapeError
        If the shapes do not fit each other.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    shape, geometry = _checked_taps(taps, input_shape, kernel_size, stride, padding, dilation, ceil_mode)
    _arrays.check_shape(OP, "grad_output", grad_output, taps.shape)
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward_taps", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), _arrays.contiguous(taps), shape, *geometry)


def indices_of_taps(
    taps: Any,
    input_shape: tuple[int, ...],
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    algorithm: str = "auto",
) -> Any:
    """Return the indices, as `forward` has them, of the taps that `forward_taps` took with these options; int64.

    Raises
    ------
    IndexRangeError
        If a tap is none of the window's, or stands outside its plane.
    """
    shape, geometry = _checked_taps(taps, input_shape, kernel_size, stride, padding, dilation, ceil_mode)
    run = find(__name__, "indices_of_taps", algorithm, ALGORITHMS, _arrays.device_of(taps))
    return run(_arrays.contiguous(taps), shape, *geometry)


def _window(shape: tuple[int, ...], kernel_size: Any, *options: Any) -> tuple:
    if not has_few_taps(kernel_size):
        raise ArgumentError(OP, "kernel_size", f"at most {MOST_TAPS} taps", kernel_size)
    return _pooling.window(OP, (shape[2], shape[3]), kernel_size, *options)


def _checked_taps(taps: Any, input_shape: Any, *options: Any) -> tuple[tuple, tuple]:
    """Return the input's shape and the window, whose taps all stand on a pixel."""
    shape = _convolution.array_shape(OP, "input_shape", input_shape, PLANES)
    *geometry, output_size = _window(shape, *options)
    _arrays.check_array(OP, "taps", taps)
    if taps.dtype != np.uint8:
        raise DTypeError(OP, "taps", "uint8, as forward_taps returns them", taps.dtype)
    _arrays.check_shape(OP, "taps", taps, (*shape[:2], *output_size))
    if isinstance(taps, np.ndarray) and _all_inside(taps, shape[2:], *geometry):
        return shape, tuple(geometry)
    wrong = taps >= math.prod(geometry[0]) if math.prod(geometry[0]) < MOST_TAPS else taps != taps
    reaches = [(output_size[i] - 1) * geometry[1][i] + (geometry[0][i] - 1) * geometry[3][i] for i in (0, 1)]
    if max(geometry[2]) > 0 or any(reaches[i] >= shape[2 + i] for i in (0, 1)):  # some taps stand outside
        wrong |= _outside(taps, shape[2:], output_size, *geometry)

    def error() -> IndexRangeError:
        at = tuple(int(axis) for axis in np.unravel_index(int(wrong.argmax()), taps.shape))
        return IndexRangeError(OP, "taps", f"taps of a window {geometry[0]} on the plane {shape[2:]}", f"{taps[at]} at {at}")

    refuse(wrong, error)
    return shape, tuple(geometry)


def _all_inside(taps: np.ndarray, size: Any, *geometry: Any) -> bool:
    """Return whether all taps stand on pixels, as threads soon tell."""
    from .inside import all_inside  # numba

    return all_inside(_arrays.contiguous(taps), size, *geometry)


def _outside(taps: Any, size: Any, output_size: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any) -> Any:
    """Return where a tap stands on no pixel."""
    xp, at = _arrays.module_of(taps), taps.astype(np.int64)
    starts = [xp.arange(output_size[i]) * stride[i] - padding[i] for i in (0, 1)]
    rows = starts[0][:, None] + at // kernel_size[1] * dilation[0]
    columns = starts[1] + at % kernel_size[1] * dilation[1]
    return (rows < 0) | (rows >= size[0]) | (columns < 0) | (columns >= size[1])


def gather(grad_grad_input: Any, indices: Any, algorithm: str = "auto") -> Any:
    """Read every plane at its stored indices: the adjoint of `backward`, and so its derivative.

    Parameters
    ----------
    grad_grad_input : ndarray, shape (N, C, H, W)
        Planes to read from.
    indices : ndarray of int64, shape (N, C, out_h, out_w)
        From `forward`.
    algorithm : {"auto", "direct", "cuda", "reference"}
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
