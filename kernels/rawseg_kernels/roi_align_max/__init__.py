r"""RoIAlign with the largest sample of a bin in place of their mean.

The samples are those of ``roi_align``, a sample outside the map counting as 0; they are compared in the order (row, column):
the first of equals wins, and a bin with NaN gives NaN and its last NaN, as in ``max_pool2d``. A bin without samples gives 0.
(ONNX's mode "max" takes the largest of the weighted *corners* instead, which is not an interpolation.)

``forward`` stores which sample was chosen. With the choice fixed an output is one bilinear value, linear in the map, in the row
weights and in the column weights, so that, as in ``roi_align``, ``gather``, ``backward_input``, ``backward_rows`` and
``backward_columns`` are closed under differentiation. Algorithms: ``"direct"`` compares channel vectors and shares out tasks;
``"cuda"`` is for GPUs, a thread an output, and gathers backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import IndexRangeError
from .._roi_grid import Grid, check_operands, weights_of

OP = "roi_align"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(
    x: Any, grid: Grid, row_weights: Any = None, column_weights: Any = None, algorithm: str = "auto"
) -> tuple[Any, Any]:
    """Take the largest sample of every bin.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64.
    grid : Grid
        From ``roi_align.sample_grid`` with maps of the same shape.
    row_weights, column_weights : ndarray, shape (2, S), optional
        Weights of the lower and the higher pixel of every sample; those of the grid by default.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    out : ndarray, shape (K, C, out_h, out_w)
        Samples are computed in float64, compared, and the chosen one is rounded once.
    chosen : ndarray of int64, shape (K, C, out_h, out_w)
        ``iy * grid_w + ix`` of each in its bin; -1 where the bin has no sample.
    """
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    device = check_operands(OP, grid, x=x, row_weights=row_weights, column_weights=column_weights)
    _memory.check_size(OP, (grid.batch.size, x.shape[1], *grid.output_size), np.dtype(np.int64))  # the larger output
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    weights = _arrays.contiguous(row_weights), _arrays.contiguous(column_weights)
    return run(_arrays.contiguous(x), grid.batch, grid.rows, grid.columns, *weights, grid.output_size)


def gather(
    x: Any, chosen: Any, grid: Grid, row_weights: Any = None, column_weights: Any = None, algorithm: str = "auto"
) -> Any:
    """Interpolate the chosen samples of another map: `forward` with the choice fixed.

    Raises
    ------
    IndexRangeError
        If a choice is not a sample of its bin.
    """
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    device = check_operands(OP, grid, x=x, row_weights=row_weights, column_weights=column_weights)
    _check_chosen(chosen, grid, x.shape[1], device)
    run = find(__name__, "gather", algorithm, ALGORITHMS, device)
    weights = _arrays.contiguous(row_weights), _arrays.contiguous(column_weights)
    return run(_arrays.contiguous(x), _arrays.contiguous(chosen), grid.batch, grid.rows, grid.columns, *weights)


def backward_input(
    grad_output: Any, chosen: Any, grid: Grid, row_weights: Any = None, column_weights: Any = None, algorithm: str = "auto"
) -> Any:
    """Add each gradient to the four pixels of the sample that was chosen: the adjoint of `gather` in ``x``.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Every pixel a sum in the order of the boxes and of their bins, whatever the number of threads.
    """
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    device = check_operands(OP, grid, grad_output=grad_output, row_weights=row_weights, column_weights=column_weights)
    _check_chosen(chosen, grid, grad_output.shape[1], device)
    shape = grid.images, grad_output.shape[1], *grid.size
    _memory.check_size(OP, shape, grad_output.dtype)
    run = find(__name__, "backward_input", algorithm, ALGORITHMS, device)
    arrays = _arrays.contiguous(grad_output), _arrays.contiguous(chosen)
    weights = _arrays.contiguous(row_weights), _arrays.contiguous(column_weights)
    return run(*arrays, shape, grid.batch, grid.rows, grid.columns, *weights)


def backward_rows(
    grad_output: Any, x: Any, chosen: Any, grid: Grid, column_weights: Any = None, algorithm: str = "auto"
) -> Any:
    """Return the gradient of the row weights, shape (2, S): the adjoint of `gather` in them."""
    return _backward_weights("backward_rows", grad_output, x, chosen, grid, None, column_weights, algorithm)


def backward_columns(
    grad_output: Any, x: Any, chosen: Any, grid: Grid, row_weights: Any = None, algorithm: str = "auto"
) -> Any:
    """Return the gradient of the column weights, shape (2, S): the adjoint of `gather` in them."""
    return _backward_weights("backward_columns", grad_output, x, chosen, grid, row_weights, None, algorithm)


def _backward_weights(verb, grad_output, x, chosen, grid, row_weights, column_weights, algorithm):
    row_weights, column_weights = weights_of(grid, row_weights, column_weights)
    given = {"column_weights": column_weights} if verb == "backward_rows" else {"row_weights": row_weights}
    device = check_operands(OP, grid, grad_output=grad_output, x=x, **given)
    _check_chosen(chosen, grid, x.shape[1], device)
    run = find(__name__, verb, algorithm, ALGORITHMS, device)
    arrays = (_arrays.contiguous(array) for array in (grad_output, x, chosen))
    return run(*arrays, grid.batch, grid.rows, grid.columns, *map(_arrays.contiguous, given.values()))


def _check_chosen(chosen: Any, grid: Grid, channels: int, device: str) -> None:
    """Check stored choices: int64, each a sample of its bin, or -1 where there is none."""
    _arrays.check_integers(OP, "chosen", chosen, device)
    _arrays.check_shape(OP, "chosen", chosen, (grid.batch.size, channels, *grid.output_size))
    samples = (grid.rows.counts * grid.columns.counts)[:, None, None, None]  # (K, 1, 1, 1)
    wrong = (chosen >= samples) | (chosen < _arrays.module_of(chosen).where(samples > 0, 0, -1))
    if wrong.any():
        at = tuple(int(axis) for axis in np.unravel_index(int(wrong.argmax()), chosen.shape))
        raise IndexRangeError(OP, "chosen", f"a sample below {samples[at[0], 0, 0, 0]} of its bin", f"{chosen[at]} at {at}")
