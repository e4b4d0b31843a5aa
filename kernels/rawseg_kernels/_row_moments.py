"""Sums along a row in double precision, over *lanes*: the compiled half of layer and group normalisation.

Element i of a row always goes to lane ``i % lanes.size``, and the lanes are added up by halves, so that a sum is made of vector
additions in an order that the code fixes. A sum may go over several rows. Lanes are zero between sums.
"""

from __future__ import annotations

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
