"""Plain loops that define adaptive average pooling and its adjoint; ``rows`` and ``columns`` are the two tables of bins."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def forward(x, rows, columns):
    """Sum the pixels of each bin in row-major order and divide once."""
    n, c = x.shape[:2]
    (top, bottom), (left, right) = rows, columns
    out = np.empty((n, c, top.size, left.size), x.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(top.size):
                for ow in range(left.size):
                    total = ONE * np.zeros(1, x.dtype)[0]  # a zero that is complex where x is
                    for ih in range(top[oh], bottom[oh]):
                        for iw in range(left[ow], right[ow]):
                            total += x[b, k, ih, iw]
                    out[b, k, oh, ow] = total / ((bottom[oh] - top[oh]) * (right[ow] - left[ow]))
    return out


def backward(grad_output, input_shape, rows, columns):
    """Give each pixel its share of every bin that holds it, in the order of the bins."""
    n, c, h, w = input_shape
    (top, bottom), (left, right) = rows, columns
    grad_input = np.empty(input_shape, grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for oh in range(top.size):
                for ow in range(left.size):
                    share = ONE * grad_output[b, k, oh, ow] / ((bottom[oh] - top[oh]) * (right[ow] - left[ow]))
                    for ih in range(top[oh], bottom[oh]):
                        for iw in range(left[ow], right[ow]):
                            plane[ih, iw] += share
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input
