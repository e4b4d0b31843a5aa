"""Sums over planes too short for vectors, and the gradient: a channel's planes are gathered in one line, and put back after.

A plane of 4 x 4 pixels is over before a loop has begun; a line of some hundred planes is not. The arithmetic is that of
``direct``, an element after the other; sums run along the line.
    // per element: two more copies that stay in the first-level cache, in place of a call
"""

from __future__ import annotations

import numpy as np

from .._jit import kernel, piece
from .._row_moments import pass_inside, subtract_line
from .._simd_sums import sum_distances, sum_row, sum_squares

SHORT, SHORTER = 128, 32  # elements of a plane: sums, and gradients, of longer ones are worth a loop of their own
LINE = 2048  # elements: three lines of float32 fit the first-level cache


@piece
def images_of(x):
    """Return how many images' planes make a line."""
    return max(1, min(x.shape[0], LINE // max(x.shape[2], 1)))


@piece
def gather(x, k, first, line):
    """Copy channel k's planes from an image on into a line, as many as it takes; return how many elements these are."""
    n, c, size = x.shape
    images, flat = min(n - first, images_of(x)), x.reshape(-1)
    for b in range(images):
        at, start = b * size, ((first + b) * c + k) * size
        for i in range(size):
            line[at + i] = flat[start + i]
    return images * size


@piece
def scatter(line, out, k, first):
    """Put a line back to where `gather` takes it from."""
    n, c, size = out.shape
    images, flat = min(n - first, images_of(out)), out.reshape(-1)
    for b in range(images):
        at, start = b * size, ((first + b) * c + k) * size
        for i in range(size):
            flat[start + i] = line[at + i]


@kernel
def statistics(first, last, x, eps, mean, inv_std, variance):
    """Write mean, ``1 / sqrt(variance + eps)`` and biased variance of every channel."""
    n, images, count = x.shape[0], images_of(x), max(x.shape[0] * x.shape[2], 1)
    line = np.empty(images * x.shape[2], x.dtype)
    for k in range(first, last):
        summed, squared, held = 0.0, 0.0, 0
        for b in range(0, n, images):
            held = gather(x, k, b, line)
            summed += sum_row(line, 0, held)
        mean[k] = summed / count
        for b in range(0, n, images):
            if images < n:
                held = gather(x, k, b, line)
            squared += sum_squares(line, 0, held, mean[k])
        variance[k] = squared / count
        inv_std[k] = 1 / np.sqrt(variance[k] + eps)


@piece
def _gradient(grad_output, x, k, b, centre, scale, shift, low, high, given, row, passed):
    """Gather a gradient and the input, and let the gradient pass where it may; return the number of elements."""
    held = gather(x, k, b, row)
    if low > -np.inf or high < np.inf:
        gather(grad_output, k, b, given)
        pass_inside(given[:held], row[:held], centre, scale, shift, low, high, passed[:held])
    else:
        gather(grad_output, k, b, passed)
    return held


@kernel
def backward(
    first,
    last,
    grad_output,
    x,
    weight,
    bias,
    mean,
    inv_std,
    low,
    high,
    through_statistics,
    grad_input,
    grad_weight,
    grad_bias,
):
    """Write the gradients of input, scale and shift."""
    n, images, count = x.shape[0], images_of(x), max(x.shape[0] * x.shape[2], 1)
    lines = np.empty((3, images * x.shape[2]), x.dtype)
    given, row, passed = lines[0], lines[1], lines[2]
    for k in range(first, last):
        centre, scale, held = mean[k], inv_std[k] * weight[k], 0
        summed = moment = 0.0
        for b in range(0, n, images):
            held = _gradient(grad_output, x, k, b, centre, scale, bias[k], low, high, given, row, passed)
            summed += sum_row(passed, 0, held)
            moment += sum_distances(passed, 0, row, 0, held, centre)
        grad_bias[k], grad_weight[k] = summed, moment * inv_std[k]
        shift, slope = summed / count, moment * inv_std[k] * inv_std[k] / count
        for b in range(0, n, images):
            if images < n:
                held = _gradient(grad_output, x, k, b, centre, scale, bias[k], low, high, given, row, passed)
            if through_statistics:
                subtract_line(row[:held], centre, scale, shift, slope, passed[:held])
            else:  # they are constants
                for i in range(held):
                    passed[i] = passed[i] * scale
            scatter(passed, grad_input, k, b)
