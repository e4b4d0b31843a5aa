"""Sums along a row in double precision, over *lanes*: the compiled half of every normalisation.

Element i of a row always goes to lane ``i % lanes.size``, and the lanes are added up by halves, so that a sum is made of vector
additions in an order that the code fixes. A sum may go over several rows. Lanes are zero between sums.
"""

from __future__ import annotations

import numpy as np

from ._jit import piece


@piece
def add_row(row, lanes):
    """Add a row to the lanes."""
    for start in range(0, row.size, lanes.size):
        part = row[start : start + lanes.size]
        for i in range(part.size):
            lanes[i] += part[i]


@piece
def add_squares(row, centre, lanes):
    """Add the squared distances from a centre."""
    for start in range(0, row.size, lanes.size):
        part = row[start : start + lanes.size]
        for i in range(part.size):
            lanes[i] += (part[i] - centre) * (part[i] - centre)


@piece
def add_products(factors, row, centre, lanes):
    """Add the distances of a row from a centre, each times its factor."""
    for start in range(0, row.size, lanes.size):
        factor, part = factors[start : start + lanes.size], row[start : start + lanes.size]
        for i in range(part.size):
            lanes[i] += factor[i] * (part[i] - centre)


@piece
def total(lanes):
    """Return the sum of the lanes, a power of two of them, by adding halves; and empty them."""
    half = lanes.size // 2
    while half > 0:
        lower, upper = lanes[:half], lanes[half : 2 * half]
        for i in range(lower.size):
            lower[i] += upper[i]
        half //= 2
    result = lanes[0]
    for i in range(lanes.size):
        lanes[i] = 0
    return result


@piece
def mean_and_variance(row, lanes):
    """Return mean and biased variance of one row, in two passes; 0 and 0 of an empty one."""
    count = max(row.size, 1)
    add_row(row, lanes)
    mean = total(lanes) / count
    add_squares(row, mean, lanes)
    return mean, total(lanes) / count


@piece
def normalise(row, centre, scale, shift, target):
    """Write ``(row - centre) * scale + shift``."""
    for i in range(target.size):
        target[i] = (row[i] - centre) * scale + shift


@piece
def normalise_and_clamp(row, centre, scale, shift, low, high, target):
    """Write ``(row - centre) * scale + shift``, rounded, and held between two numbers; NaN stays."""
    lowest, highest = target.dtype.type(low), target.dtype.type(high)
    for i in range(target.size):
        value = target.dtype.type((row[i] - centre) * scale + shift)
        held = lowest if value < lowest else value
        target[i] = highest if held > highest else held


@piece
def pass_inside(gradient, row, centre, scale, shift, low, high, target):
    """Write the gradient where `normalise_and_clamp` held nothing, 0 elsewhere and at the bounds; an infinite one is none."""
    zero = target.dtype.type(0)
    lowest = target.dtype.type(low if low > -np.inf else np.nan)  # nothing is below or above a NaN
    highest = target.dtype.type(high if high < np.inf else np.nan)
    for i in range(target.size):
        value, passed = target.dtype.type((row[i] - centre) * scale + shift), gradient[i]
        passed = zero if value <= lowest else passed
        target[i] = zero if value >= highest else passed


@piece
def subtract_line(row, centre, scale, shift, slope, target):
    """Turn a gradient into ``scale * (gradient - shift - (row - centre) * slope)``, in place."""
    for i in range(target.size):
        target[i] = scale * (target[i] - shift - (row[i] - centre) * slope)
