"""Sampling in CUDA: a thread a point, a sample, a pixel or a tap; see ``grid_sample.cu``."""

from __future__ import annotations

import math

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty
from .._cuda.scatter import sorted_places

kernel = Source(__file__, "grid_sample.cu").kernel


def locate(grid, size, taps, padding, align_corners):
    """See ``reference.locate``."""
    points = grid.size // 2
    indices = empty(grid, (*grid.shape[:3], taps), np.int64)
    fractions, slopes = empty(grid, grid.shape), empty(grid, grid.shape)
    run = kernel("grid_sample_locate", grid.dtype)
    run(points, grid, indices, fractions, slopes, points, *size, taps, padding, int(align_corners))
    return indices, fractions, slopes


def forward(x, indices, weights):
    """See ``reference.forward``."""
    out = empty(x, (*x.shape[:2], *indices.shape[1:3]))
    sizes = _sizes(x.shape[1], x.shape[2:], indices)
    kernel("grid_sample_forward", x.dtype)(out.size, x, indices, weights, out, out.size, *sizes)
    return out


def backward_input(grad_output, indices, weights, input_size):
    """See ``reference.backward_input``."""
    n, c = grad_output.shape[:2]
    grad_input = empty(grad_output, (n, c, *input_size))
    pixels, xp = math.prod(input_size), module_of(indices)
    places, order = sorted_places(indices[:, None], pixels + 1)  # one of them for the taps outside
    starts = xp.searchsorted(places, xp.arange(n * (pixels + 1), dtype=np.int64)).astype(np.int64, copy=False)
    run = kernel("grid_sample_backward_input", grad_output.dtype)
    sizes = _sizes(c, input_size, indices)
    run(grad_input.size, grad_output, starts, order, weights, grad_input, grad_input.size, *sizes)
    return grad_input


def backward_weights(grad_output, x, indices):
    """See ``reference.backward_weights``."""
    grad_weights = empty(x, indices.shape)
    run = kernel("grid_sample_backward_weights", x.dtype)
    sizes = _sizes(x.shape[1], x.shape[2:], indices)
    run(grad_weights.size, grad_output, x, indices, grad_weights, grad_weights.size, *sizes)
    return grad_weights


def _sizes(channels, size, indices):
    """Return the channels of an image, the pixels of a plane, the points of an image and the taps of a point."""
    return channels, math.prod(size), math.prod(indices.shape[1:3]), indices.shape[3]
