"""Where the samples of every box lie: the two axes of a sampling grid as tables, made before any kernel runs.

A sample of a box is a pair (row sample, column sample), and both its validity and its four weights are products of a factor for
the row and a factor for the column. So a box needs out_h * grid_h + out_w * grid_w table entries, not their product, and
averaging is linear in the map, in the row weights and in the column weights.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from . import _arrays, _memory, _roi
from ._errors import ArgumentError

Pair = tuple[int, int]
LARGEST_GRID = 2**16  # samples in one bin: more would only be a way to keep a machine busy


class Samples(NamedTuple):
    """One axis: the samples of all boxes, bin after bin. Only these arrays and weights reach a kernel."""

    starts: Any  # int64, (K + 1,): samples of the boxes before
    counts: Any  # int64, (K,): samples in a bin of each box; sample i of bin p is entry starts[k] + p * counts[k] + i
    low: Any  # int64, (S,): the pixel at or before the sample; -1 where the sample lies outside the map
    high: Any  # int64, (S,): the pixel after it; the same pixel at the far edge


class Grid(NamedTuple):
    """The sampling grid of K boxes on N maps, made by `sample_grid` alone: kernels trust its tables."""

    batch: Any  # int64, (K,): the map of each box
    rows: Samples
    columns: Samples
    row_weights: Any  # (2, S): of low and of high; 0 where the sample lies outside the map
    column_weights: Any
    row_moves: Any  # bool, (S,): whether the weights follow the box: not outside the map, nor held at one of its edges
    column_moves: Any
    images: int
    size: Pair  # (h, w) of the maps
    output_size: Pair


def ragged(counts: Any, bins: int) -> tuple[Any, Any, Any]:
    """Return ``(box, bin, i)`` of every sample of an axis, from the number of samples in a bin of each box."""
    each = counts * bins
    box = _repeated(each)
    place = _arrays.module_of(each).arange(box.size) - (each.cumsum() - each)[box]
    return box, place // counts[box], place % counts[box]


def _repeated(each: Any) -> Any:
    """Return number i ``each[i]`` times."""
    if isinstance(each, np.ndarray):
        return np.repeat(np.arange(each.size), each)
    xp, ends = _arrays.module_of(each), each.cumsum()  # CuPy repeats by plain numbers only
    return xp.searchsorted(ends, xp.arange(int(each.sum())), side="right")


def sample_counts(op: str, steps: tuple[Any, Any], boxes: Any, sampling_ratio: Any) -> tuple[Any, Any]:
    """Return the samples in a bin of each box, down and across: ``sampling_ratio`` each, or as many as the bin has pixels."""
    asked = _arrays.integer(op, "sampling_ratio", sampling_ratio, -_arrays.LARGEST)
    if asked * max(asked, 0) > LARGEST_GRID:
        raise ArgumentError(op, "sampling_ratio", f"at most {LARGEST_GRID} samples in a bin", f"{asked} ({asked}**2 samples)")
    if asked > 0:
        every = _arrays.filled(boxes, boxes.shape[:1], asked, np.int64)
        return every, every.copy()
    xp = _arrays.module_of(boxes)
    down, across = (xp.ceil(step).astype(np.float64) for step in steps)
    with np.errstate(over="ignore"):
        total = down * across
    if (total > LARGEST_GRID).any():
        k = int((total > LARGEST_GRID).argmax())
        box = tuple(float(number) for number in boxes[k])
        grid = f"{float(down[k]):.0f} x {float(across[k]):.0f} for {box} in row {k}, {_roi.FIELDS}"
        raise ArgumentError(op, "boxes", f"at most {LARGEST_GRID} samples in a bin (or give sampling_ratio)", grid)
    some = total > 0  # a bin without height or width has no samples at all
    return xp.where(some, down, 0).astype(np.int64), xp.where(some, across, 0).astype(np.int64)


def sample_grid(
    op: str, x: Any, boxes: Any, starts: tuple[Any, Any], extents: tuple[Any, Any], output_size: Any, sampling_ratio: Any
) -> Grid:
    """Lay a grid over checked boxes.

    Parameters
    ----------
    starts, extents : (ndarray, ndarray), shape (K,) each
        Where the boxes begin and how far they reach, (down, across), in pixels of the map.
    output_size : int or (int, int)
        Bins of a box.
    sampling_ratio : int
        Samples in a bin along each axis; 0 or less: the bin's size in pixels, rounded up.

    Raises
    ------
    ArgumentError
        If a bin would have more than 2**16 samples.
    MemoryError
        If the tables cannot fit into this machine.
    """
    bins = _arrays.pair(op, "output_size", output_size, 1)
    _memory.check_size(op, (len(boxes), x.shape[1], *bins), x.dtype)  # of the output: better here than after the tables
    steps = extents[0] / boxes.dtype.type(bins[0]), extents[1] / boxes.dtype.type(bins[1])
    counts = sample_counts(op, steps, boxes, sampling_ratio)
    for axis in (0, 1):
        _memory.check_tables(op, bins[axis] * int(counts[axis].sum()))
    size = x.shape[2], x.shape[3]
    with np.errstate(all="ignore"):  # a coordinate that overflows lies outside the map
        rows, columns = (_axis(starts[i], steps[i], counts[i], bins[i], size[i]) for i in (0, 1))
    samples, weights, moves = zip(rows, columns)
    return Grid(boxes[:, 0].astype(np.int64), *samples, *weights, *moves, x.shape[0], size, bins)


def _axis(start: Any, step: Any, counts: Any, bins: int, size: int) -> tuple[Samples, Any, Any]:
    """Return the samples of one axis, their weights, computed in the dtype of the boxes, and which of these follow the box."""
    xp, dtype = _arrays.module_of(start), start.dtype
    box, p, i = ragged(counts, bins)
    width = step[box]
    position = start[box] + p.astype(dtype) * width + (i.astype(dtype) + dtype.type(0.5)) * width / counts[box].astype(dtype)
    valid = (position >= -1) & (position <= size)  # both ends inclusive: a sample this near still sees the border
    clamped = xp.maximum(xp.where(valid, position, dtype.type(0)), dtype.type(0))
    low = xp.minimum(xp.floor(clamped).astype(np.int64), size - 1)
    last = low == size - 1
    high_weight = xp.where(last, dtype.type(0), clamped - low.astype(dtype))
    weights = xp.stack([xp.where(valid, 1 - high_weight, 0), xp.where(valid, high_weight, 0)]).astype(dtype)
    edges = _arrays.filled(counts, (counts.size + 1,), 0)
    edges[1:] = (counts * bins).cumsum()
    low, high = xp.where(valid, low, -1), xp.where(valid, xp.where(last, low, low + 1), -1)
    return Samples(edges, counts, low, high), weights, valid & ~last & (position >= 0)


def weights_of(grid: Grid, row_weights: Any, column_weights: Any) -> tuple[Any, Any]:
    """Return the given weights, or the grid's own for None."""
    rows = grid.row_weights if row_weights is None else row_weights
    return rows, grid.column_weights if column_weights is None else column_weights


def check_operands(op: str, grid: Grid, **arrays: Any) -> str:
    """Check arrays, named x, grad_output, row_weights or column_weights, against each other and the grid; return the device."""
    device = _arrays.check_floating(op, **arrays)
    channels = None
    if "x" in arrays:
        x = arrays["x"]
        _arrays.check_rank(op, "x", x, _roi.PLANES)
        _arrays.check_shape(op, "x", x, (grid.images, x.shape[1], *grid.size))
        channels = x.shape[1]
    if "grad_output" in arrays:
        grad_output = arrays["grad_output"]
        _arrays.check_rank(op, "grad_output", grad_output, _roi.OUTPUTS)
        channels = grad_output.shape[1] if channels is None else channels
        _arrays.check_shape(op, "grad_output", grad_output, (grid.batch.size, channels, *grid.output_size))
    for name, samples in (("row_weights", grid.rows), ("column_weights", grid.columns)):
        if name in arrays:
            _arrays.check_array(op, name, arrays[name])
            _arrays.check_shape(op, name, arrays[name], (2, samples.low.size))
    return device
