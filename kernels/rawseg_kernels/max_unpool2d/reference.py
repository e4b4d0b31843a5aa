"""Plain loops that define max unpooling, its adjoint, and which duplicate is the first."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def first_duplicate(indices, plane):
    """Return the flat positions of the first repetition: the earlier element of its plane and itself; (-1, -1) if none.

    Indices point into a ``plane`` of (rows, columns).
    """
    n, c, h, w = indices.shape
    for b in range(n):
        for k in range(c):
            seen = np.full(plane[0] * plane[1], -1)
            for ih in range(h):
                for iw in range(w):
                    position = ((b * c + k) * h + ih) * w + iw
                    if seen[indices[b, k, ih, iw]] >= 0:
                        return seen[indices[b, k, ih, iw]], position
                    seen[indices[b, k, ih, iw]] = position
    return -1, -1


def forward(x, indices, output_shape, adding, distinct=False):
    """Put every element where its index points, one after the other: a later one replaces an earlier one, or is added.

    ``distinct`` promises that no two elements of a plane have one index, which some forms need not look for then.
    """
    n, c, h, w = x.shape
    out_h, out_w = output_shape[2:]
    out = np.empty(output_shape, x.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros(out_h * out_w, x.dtype)
            for ih in range(h):
                for iw in range(w):
                    index = indices[b, k, ih, iw]
                    if adding:
                        plane[index] += x[b, k, ih, iw]
                    else:
                        plane[index] = x[b, k, ih, iw]
            for oh in range(out_h):
                for ow in range(out_w):
                    out[b, k, oh, ow] = plane[oh * out_w + ow]
    return out


def backward(grad_output, indices, last_wins):
    """Read where each index points; with ``last_wins`` only the last element with an index has a gradient."""
    n, c, h, w = indices.shape
    out_h, out_w = grad_output.shape[2:]
    grad_input = np.empty(indices.shape, grad_output.dtype)
    for b in range(n):
        for k in range(c):
            winner = np.empty(out_h * out_w, np.int64)
            for ih in range(h):
                for iw in range(w):
                    winner[indices[b, k, ih, iw]] = ih * w + iw
            for ih in range(h):
                for iw in range(w):
                    index = indices[b, k, ih, iw]
                    if last_wins and winner[index] != ih * w + iw:
                        grad_input[b, k, ih, iw] = 0
                    else:
                        grad_input[b, k, ih, iw] = grad_output[b, k, index // out_w, index % out_w]
    return grad_input
