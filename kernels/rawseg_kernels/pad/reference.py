"""Plain loops that define a frame around a stack of planes, over a table for the height (``rows``) and one for the width."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: gradients are summed in double and rounded once


def forward(x, rows, columns, fill):
    """Copy the element that the tables name; -1 names the constant ``fill``."""
    out = np.empty((x.shape[0], rows.size, columns.size), x.dtype)
    for plane in range(x.shape[0]):
        for oh in range(rows.size):
            for ow in range(columns.size):
                if rows[oh] < 0 or columns[ow] < 0:
                    out[plane, oh, ow] = fill
                else:
                    out[plane, oh, ow] = x[plane, rows[oh], columns[ow]]
    return out


def backward(grad_output, input_size, rows, columns):
    """Add each gradient to the element that was copied, in row-major order; no table names a constant."""
    h, w = input_size
    grad_input = np.empty((grad_output.shape[0], h, w), grad_output.dtype)
    for plane in range(grad_output.shape[0]):
        total = ONE * np.zeros((h, w), grad_output.dtype)
        for oh in range(rows.size):
            for ow in range(columns.size):
                total[rows[oh], columns[ow]] += grad_output[plane, oh, ow]
        for ih in range(h):
            for iw in range(w):
                grad_input[plane, ih, iw] = total[ih, iw]
    return grad_input
