r"""RoIPool: the largest pixel in every bin of a box that is rounded to whole pixels, and bins that are rounded once more.

.. math:: y_{k,c,p,q} = \max \{ x_{b_k,\,c,\,i,\,j} :\;
          \lfloor p\,\tfrac{h_k}{P} \rfloor \le i - t_k < \lceil (p+1)\,\tfrac{h_k}{P} \rceil ,\;\text{and j likewise} \}

with :math:`t_k` = round(y1 * spatial_scale), halves away from zero, and :math:`h_k` = max(round(y2 * spatial_scale) -
:math:`t_k` + 1, 1), clipped to the map (Girshick, "Fast R-CNN", arXiv 1504.08083, section 2.1; the arithmetic is
torchvision's, in the dtype of the boxes). A bin without pixels gives 0 and the index -1. Pixels are compared in row-major
order: the first of equals wins, and a bin with NaN gives NaN and its last NaN, as in ``max_pool2d``. (torchvision skips NaN,
and finds no pixel among -inf.)

With the indices stored ``backward`` is linear, and ``gather`` is its adjoint. Algorithms: ``"direct"`` compares channel
vectors; ``"cuda"`` is for GPUs, a thread an output.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import _arrays, _convolution, _memory, _roi
from .._algorithms import find

OP = "roi_pool"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


class Bins(NamedTuple):
    """Which pixels each bin of K boxes holds, from `bins`: rows ``first <= i < last`` of the map, and columns.

    Kernels trust them.
    """

    batch: Any  # int64, (K,): the map of each box
    first_row: Any  # int64, (K, out_h)
    last_row: Any
    first_column: Any  # int64, (K, out_w)
    last_column: Any
    images: int
    size: tuple[int, int]  # (h, w) of the maps


def bins(x: Any, boxes: Any, output_size: Any, spatial_scale: Any = 1.0) -> Bins:
    """Check boxes and cut them into bins.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        The maps: their shape, dtype and device count.
    boxes : ndarray, shape (K, 5)
        ``(batch index, x1, y1, x2, y2)`` in the dtype of ``x``, in pixels of the image.
    output_size : int or (int, int)
        Bins of a box, (height, width).
    spatial_scale : float
        Pixels of the map per pixel of the image.

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        If the arrays do not fit each other.
    ArgumentError
        If a coordinate is not finite, a box is inverted, or a plain argument is outside its domain.
    IndexRangeError
        If a batch index is not one of the N maps.
    """
    boxes, batch, scale = _roi.checked(OP, x, boxes, spatial_scale)
    output_size = _arrays.pair(OP, "output_size", output_size, 1)
    _memory.check_size(OP, (len(boxes), sum(output_size), 2), np.dtype(np.int64))
    (top, height), (left, width) = _roi.rounded(boxes, scale)
    rows, columns = (
        _edges(top, height, output_size[0], x.shape[2], scale),
        _edges(left, width, output_size[1], x.shape[3], scale),
    )
    return Bins(batch, rows[0], rows[1], columns[0], columns[1], x.shape[0], (x.shape[2], x.shape[3]))


def _edges(start: Any, extent: Any, count: int, size: int, scale: Any) -> tuple[Any, Any]:
    """Return the first pixel of every bin of every box along one axis, (K, count), and the one after its last."""
    step = (extent.astype(scale.dtype) / scale.dtype.type(count))[:, None]  # (K, 1)
    xp = _arrays.module_of(start)
    place = xp.arange(count + 1).astype(scale.dtype)  # (count + 1,)
    lower, upper = xp.floor(place[:-1] * step), xp.ceil(place[1:] * step)
    first, last = ((edge.astype(np.float64) + start[:, None]).clip(0, size).astype(np.int64) for edge in (lower, upper))
    return first, last


def forward(x: Any, bins: Bins, algorithm: str = "auto") -> tuple[Any, Any]:
    """Take the largest pixel of every bin.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64.
    bins : Bins
        From the function `bins` with maps of the same shape.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    out : ndarray, shape (K, C, out_h, out_w)
        The selected values, bit for bit; 0 for a bin without pixels.
    indices : ndarray of int64, shape (K, C, out_h, out_w)
        ``ih * W + iw`` of each in its plane; -1 for a bin without pixels.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, _roi.PLANES)
    _arrays.check_shape(OP, "x", x, (bins.images, x.shape[1], *bins.size))
    shape = bins.batch.size, x.shape[1], bins.first_row.shape[1], bins.first_column.shape[1]
    _memory.check_size(OP, shape, np.dtype(np.int64))  # the indices are the larger output
    return find(__name__, "forward", algorithm, ALGORITHMS, device)(_arrays.contiguous(x), *bins[:5])


def backward(grad_output: Any, indices: Any, batch: Any, input_shape: tuple[int, ...], algorithm: str = "auto") -> Any:
    """Add each gradient to the pixel that was chosen: the gradient with respect to ``x``.

    Parameters
    ----------
    grad_output : ndarray, shape (K, C, out_h, out_w)
        Gradient with respect to ``out``.
    indices : ndarray of int64, shape (K, C, out_h, out_w)
        From `forward`.
    batch : ndarray of int64, shape (K,)
        The map of each box.
    input_shape : tuple of int, (N, C, H, W)
        Shape of ``x``.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Every pixel a sum in the order of the boxes and of their bins, whatever the number of threads.

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane, or a box on no map.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, _roi.OUTPUTS)
    shape = _shape(input_shape)
    _check_indices(indices, batch, shape, device)
    _arrays.check_shape(OP, "grad_output", grad_output, indices.shape)
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (grad_output, indices, batch)), shape)


def gather(grad_grad_input: Any, indices: Any, batch: Any, algorithm: str = "auto") -> Any:
    """Read the maps at the stored indices, 0 for the index -1: the adjoint of `backward`, and so its derivative.

    Returns
    -------
    ndarray, shape (K, C, out_h, out_w)
        ``grad_grad_input[batch[k], c].flat[indices[k, c]]``.
    """
    device = _arrays.check_floating(OP, grad_grad_input=grad_grad_input)
    _arrays.check_rank(OP, "grad_grad_input", grad_grad_input, _roi.PLANES)
    _check_indices(indices, batch, grad_grad_input.shape, device)
    _memory.check_size(OP, indices.shape, grad_grad_input.dtype)
    run = find(__name__, "gather", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (grad_grad_input, indices, batch)))


def _shape(shape: Any) -> Any:
    """Return a shape given as an argument; zero channels are legal here."""
    if isinstance(shape, (tuple, list)) and len(shape) == 4 and not isinstance(shape[1], bool) and shape[1] == 0:
        first, _, *plane = _convolution.array_shape(OP, "input_shape", (shape[0], 1, *shape[2:]), _roi.PLANES)
        return first, 0, *plane
    return _convolution.array_shape(OP, "input_shape", shape, _roi.PLANES)


def _check_indices(indices: Any, batch: Any, shape: tuple[int, ...], device: str) -> None:
    """Check stored indices and the maps that they belong to: nothing is read or written before all are."""
    for name, array in (("indices", indices), ("batch", batch)):
        _arrays.check_integers(OP, name, array, device)
    _arrays.check_rank(OP, "indices", indices, _roi.OUTPUTS)
    _arrays.check_shape(OP, "indices", indices, (indices.shape[0], shape[1], *indices.shape[2:]))
    _arrays.check_shape(OP, "batch", batch, indices.shape[:1])
    for name, array, least, end in (("indices", indices, -1, shape[2] * shape[3]), ("batch", batch, 0, shape[0])):
        _arrays.check_range(OP, name, array, least, end, f"{least} <= index < {end}")
