"""Pasting row by row: neighbouring rows of a box lie between the same two rows of its mask, which are interpolated once.

// per pixel inside a box: 2 reads and 1 write of 4 bytes from the first-level cache; pixels outside cost nothing but their
// zeros, which come from the operating system
"""

from __future__ import annotations

import numpy as np

from .._arena import zeros
from .._jit import kernel, piece
from .._threads import launch

BAND = 64  # rows of the image that one task owns


def forward(masks, rows, columns):
    """See ``reference.forward``: the same operations in the same order, so the same bits."""
    n, h, w = masks.shape[0], rows[1].shape[1], columns[1].shape[1]
    out = zeros((n, h, w), masks.dtype)
    pixels = (rows[0][:, 1] - rows[0][:, 0]) * (columns[0][:, 1] - columns[0][:, 0])
    launch(_paste, n * -(-h // BAND), masks, *rows, *columns, out, work=4 * int(pixels.sum()))
    return out


@kernel
def _paste(first, last, masks, row_inside, top, bottom, top_weight, bottom_weight, inside, left, right, lw, rw, out):
    """One task is one band of one image."""
    bands = (out.shape[1] + BAND - 1) // BAND
    upper_line, lower_line = np.empty(out.shape[2], masks.dtype), np.empty(out.shape[2], masks.dtype)
    for task in range(first, last):
        k, band = task // bands, task % bands
        start, stop = inside[k, 0], inside[k, 1]
        upper, lower = upper_line[: stop - start], lower_line[: stop - start]
        taps = left[k, start:stop], right[k, start:stop], lw[k, start:stop], rw[k, start:stop]
        holds = -1  # the row of the mask that `upper` holds interpolated along x, with its successor in `lower`
        for oh in range(max(row_inside[k, 0], band * BAND), min(row_inside[k, 1], (band + 1) * BAND)):
            if top[k, oh] != holds:
                holds = top[k, oh]
                _along(masks[k, holds], taps, upper)
                _along(masks[k, bottom[k, oh]], taps, lower)
            target, first_weight, second_weight = out[k, oh, start:stop], top_weight[k, oh], bottom_weight[k, oh]
            for i in range(target.size):
                target[i] = first_weight * upper[i] + second_weight * lower[i]


@piece
def _along(source, taps, target):
    """Interpolate one row of a mask along x."""
    left, right, left_weight, right_weight = taps
    for i in range(target.size):
        target[i] = left_weight[i] * source[left[i]] + right_weight[i] * source[right[i]]
