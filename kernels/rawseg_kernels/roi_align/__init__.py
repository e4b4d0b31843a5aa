r"""RoIAlign: the mean of bilinear samples in every bin of a box, with no coordinate rounded.

.. math:: y_{k,c,p,q} = \frac{1}{g_h g_w} \sum_{i,j} \sum_{r,s} \rho_{kpi,r}\,\kappa_{kqj,s}\, x_{b_k,\,c,\,r,\,s}

over the row samples i and column samples j of bin (p, q) and their two rows r and two columns s each (He et al., "Mask R-CNN",
arXiv 1703.06870, section 3). A sample is valid where its row and its column are, and its four weights are products
:math:`\rho\kappa`, so a grid is two tables (``sample_grid``), and the mean is linear in the map, the row weights and the
column weights. Every derivative, of any order, is again one of four sums: ``forward``, ``backward_input``, ``backward_rows``
and ``backward_columns`` are the derivatives of :math:`\langle g, y \rangle` in g, x, :math:`\rho` and :math:`\kappa`.

All four terms of a valid sample are added, even with weight 0, so a NaN reaches the samples beside it; a sample outside the
map is never read and counts as 0. Algorithms: ``"direct"`` works on channel vectors, along the columns, then along the rows;
``"cuda"`` is for GPUs, a thread an output, and gathers backward.
"""

from __future__ import annotations

from typing import Any

from .. import _arrays, _memory, _roi
from .._algorithms import find
from .._roi_grid import Grid, check_operands, weights_of
from .._roi_grid import sample_grid as _sample_grid
from .warp import warp_grid

__all__ = ["backward_columns", "backward_input", "backward_rows", "forward", "sample_grid", "warp_grid"]

OP = "roi_align"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def sample_grid(
    x: Any,
    boxes: Any,
    output_size: Any,
    spatial_scale: Any = 1.0,
    sampling_ratio: Any = -1,
    aligned: bool = False,
) -> Grid:
    """Check boxes and lay the sampling grid over them.

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
    sampling_ratio : int
        Samples in a bin along each axis; 0 or less: the bin's size in pixels of the map, rounded up.
    aligned : bool
        Pixel centres lie at halves, as in an image; else at whole numbers, and a box is at least one pixel long.

    Raises
    ------
    ShapeError, DTypeError, DeviceError
        If the arrays do not fit each other.
    ArgumentError
        If a coordinate is not finite, a box is inverted, a bin would have more than 2**16 samples, or a plain argument is
        outside its domain.
    IndexRangeError
        If a batch index is not one of the N maps.
    """
    boxes, _, scale = _roi.checked(OP, x, boxes, spatial_scale)
    half = boxes.dtype.type(0.5 if _arrays.flag(OP, "aligned", aligned) else 0)
    starts, extents = [], []
    for low, high in _roi.COLUMNS:
        start, end = boxes[:, low] * scale - half, boxes[:, high] * scale - half
        starts.append(start)
        extents.append(end - start if aligned else (end - start).clip(1))
    return _sample_grid(OP, x, boxes, tuple(starts), tuple(extents), output_size, sampling_ratio)


def forward(x: Any, grid: Grid, row_weights: Any = None, column_weights: Any = None, algorithm: str = "auto") -> Any:
    """Average the samples of every bin.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64.
    grid : Grid
        From `sample_grid` with maps of the same shape.
    row_weights, column_weights : ndarray, shape (2, S), optional
        Weights of the lower and the higher pixel of every sample; those of the grid by default.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (K, C, out_h, out_w)
        0 where a bin has no sample.
    """
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    device = check_operands(OP, grid, x=x, row_weights=row_weights, column_weights=column_weights)
    _memory.check_size(OP, (grid.batch.size, x.shape[1], *grid.output_size), x.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    weights = _arrays.contiguous(row_weights), _arrays.contiguous(column_weights)
    return run(_arrays.contiguous(x), grid.batch, grid.rows, grid.columns, *weights, grid.output_size)


def backward_input(
    grad_output: Any, grid: Grid, row_weights: Any = None, column_weights: Any = None, algorithm: str = "auto"
) -> Any:
    """Spread gradients over the pixels that were sampled: the adjoint of `forward` in ``x``.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Every pixel a sum in the order of the boxes and of their bins, whatever the number of threads.
    """
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    device = check_operands(OP, grid, grad_output=grad_output, row_weights=row_weights, column_weights=column_weights)
    shape = grid.images, grad_output.shape[1], *grid.size
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward_input", algorithm, ALGORITHMS, device)
    weights = _arrays.contiguous(row_weights), _arrays.contiguous(column_weights)
    return run(_arrays.contiguous(grad_output), shape, grid.batch, grid.rows, grid.columns, *weights)


def backward_rows(grad_output: Any, x: Any, grid: Grid, column_weights: Any = None, algorithm: str = "auto") -> Any:
    """Return the gradient of the row weights: the adjoint of `forward` in them.

    Returns
    -------
    ndarray, shape (2, S)
        0 for a sample outside the map.
    """
    _, column_weights = weights_of(grid, None, column_weights)
    device = check_operands(OP, grid, grad_output=grad_output, x=x, column_weights=column_weights)
    run = find(__name__, "backward_rows", algorithm, ALGORITHMS, device)
    arrays = _arrays.contiguous(grad_output), _arrays.contiguous(x)
    return run(*arrays, grid.batch, grid.rows, grid.columns, _arrays.contiguous(column_weights))


def backward_columns(grad_output: Any, x: Any, grid: Grid, row_weights: Any = None, algorithm: str = "auto") -> Any:
    """Return the gradient of the column weights, shape (2, S): `backward_rows` with the axes exchanged."""
    row_weights, _ = weights_of(grid, row_weights, None)
    device = check_operands(OP, grid, grad_output=grad_output, x=x, row_weights=row_weights)
    run = find(__name__, "backward_columns", algorithm, ALGORITHMS, device)
    arrays = _arrays.contiguous(grad_output), _arrays.contiguous(x)
    return run(*arrays, grid.batch, grid.rows, grid.columns, _arrays.contiguous(row_weights))
