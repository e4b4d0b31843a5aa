"""Where the samples of a box lie along one axis, as plain loops: the tables of ``_roi_grid`` are this, for all boxes at once.

Everything is computed in the dtype of the box, in this order and without fused multiply-adds, so that every bit is defined.
"""

from __future__ import annotations

import numpy as np


def sample_axis(low, high, scale, aligned, bins, sampling_ratio, size):
    """Place the samples of every bin and find the two pixels beside each.

    Parameters
    ----------
    low, high : float32 or float64
        Ends of the box, in pixels of the image.
    scale : float32 or float64
        Pixels of the map per pixel of the image.
    aligned : bool
        Pixel centres lie at halves; else at whole numbers, and a box is at least one pixel long.
    bins : int
        Bins of the box along this axis.
    sampling_ratio : int
        Samples in a bin; 0 or less: the bin's length in pixels of the map, rounded up.
    size : int
        Pixels of the map along this axis.

    Returns
    -------
    list of (int, int, float, float)
        Of every sample the pixels before and after it and their weights; (-1, -1, 0, 0) for one outside the map.
    """
    number = type(low)
    offset = number(0.5) if aligned else number(0)
    start, end = low * scale - offset, high * scale - offset
    extent = end - start if aligned else max(end - start, number(1))
    step = extent / number(bins)
    count = sampling_ratio if sampling_ratio > 0 else int(np.ceil(step))
    samples = []
    for p in range(bins):
        for i in range(count):
            position = start + number(p) * step + (number(i) + number(0.5)) * step / number(count)
            if not -1 <= position <= size:  # both ends are inside: a sample this near still sees the border
                samples.append((-1, -1, number(0), number(0)))
                continue
            position = max(position, number(0))
            before = min(int(np.floor(position)), size - 1)
            if before == size - 1:
                samples.append((before, before, number(1), number(0)))
            else:
                fraction = position - number(before)
                samples.append((before, before + 1, number(1) - fraction, fraction))
    return samples
