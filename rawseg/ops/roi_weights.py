"""The weights of a sampling grid as functions of the boxes, for the gradients of the boxes."""

from __future__ import annotations

from rawseg_kernels._roi import COLUMNS
from rawseg_kernels._roi_grid import Grid, ragged

from ..autograd import Tensor
from ..autograd.arithmetic import where
from ..autograd.shaping import stack

__all__ = ["sample_weights"]


def sample_weights(grid: Grid, boxes: Tensor, spatial_scale: float, aligned: bool) -> tuple[Tensor, Tensor]:
    """Return the row and the column weights, shape (2, S) each; of boxes without a gradient they are constants."""
    weights = Tensor(grid.row_weights), Tensor(grid.column_weights)
    if not boxes.requires_grad:
        return weights
    rows, columns = (both + _change(grid, axis, boxes, spatial_scale, aligned) for axis, both in enumerate(weights))
    return rows, columns


def _change(grid: Grid, axis: int, boxes: Tensor, spatial_scale: float, aligned: bool) -> Tensor:
    """Return zeros (2, S) with the derivatives of an axis's weights in the boxes.

    With the pixels beside a sample fixed, its higher weight grows as its coordinate and its lower weight falls: both are affine
    in the box, so adding ``coordinate - coordinate.detach()``, which is 0, gives them their derivatives and leaves their bits
    alone.
    """
    samples, moves = ((grid.rows, grid.row_moves), (grid.columns, grid.column_moves))[axis]
    bins, dtype = grid.output_size[axis], boxes.dtype
    box, p, i = ragged(samples.counts, bins)
    scale, half = float(dtype.type(spatial_scale)), 0.5 if aligned else 0.0
    start, end = (boxes[:, column] * scale - half for column in COLUMNS[axis])
    step = (end - start if aligned else (end - start).clamp(min=1.0)) / float(bins)
    places = p + (i + 0.5) / samples.counts[box]  # (S,), in bins
    coordinate = start[box] + step[box] * Tensor(places.astype(dtype))
    change = where(moves, coordinate - coordinate.detach(), 0.0)
    return stack([-change, change])
