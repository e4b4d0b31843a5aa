"""Plain loops that define resizing, over a table for the height (``rows``) and one for the width (``columns``)."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: gradients are summed in double and rounded once


def forward_nearest(x, rows, columns):
    """Copy the pixel that the tables name."""
    n, c = x.shape[:2]
    out = np.empty((n, c, rows.size, columns.size), x.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(rows.size):
                for ow in range(columns.size):
                    out[b, k, oh, ow] = x[b, k, rows[oh], columns[ow]]
    return out


def backward_nearest(grad_output, input_size, rows, columns):
    """Add each gradient to the pixel that was copied."""
    n, c, out_h, out_w = grad_output.shape
    h, w = input_size
    grad_input = np.empty((n, c, h, w), grad_output.dtype)
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    plane[rows[oh], columns[ow]] += grad_output[b, k, oh, ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input


def forward_bilinear(x, rows, columns):
    """Interpolate along x in both rows, then between them; all four terms are evaluated, in the dtype of x."""
    n, c = x.shape[:2]
    top, bottom, top_weight, bottom_weight = rows
    left, right, left_weight, right_weight = columns
    out = np.empty((n, c, top.size, left.size), x.dtype)
    for b in range(n):
        for k in range(c):
            for oh in range(top.size):
                for ow in range(left.size):
                    upper = left_weight[ow] * x[b, k, top[oh], left[ow]] + right_weight[ow] * x[b, k, top[oh], right[ow]]
                    lower = left_weight[ow] * x[b, k, bottom[oh], left[ow]] + right_weight[ow] * x[b, k, bottom[oh], right[ow]]
                    out[b, k, oh, ow] = top_weight[oh] * upper + bottom_weight[oh] * lower
    return out


def backward_bilinear(grad_output, input_size, rows, columns):
    """Add each gradient to its four pixels, with the weights of the forward pass."""
    n, c, out_h, out_w = grad_output.shape
    h, w = input_size
    grad_input = np.empty((n, c, h, w), grad_output.dtype)
    top, bottom, top_weight, bottom_weight = rows
    left, right, left_weight, right_weight = columns
    for b in range(n):
        for k in range(c):
            plane = ONE * np.zeros((h, w), grad_output.dtype)
            for oh in range(out_h):
                for ow in range(out_w):
                    upper = ONE * grad_output[b, k, oh, ow] * top_weight[oh]
                    lower = ONE * grad_output[b, k, oh, ow] * bottom_weight[oh]
                    plane[top[oh], left[ow]] += upper * left_weight[ow]
                    plane[top[oh], right[ow]] += upper * right_weight[ow]
                    plane[bottom[oh], left[ow]] += lower * left_weight[ow]
                    plane[bottom[oh], right[ow]] += lower * right_weight[ow]
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, k, ih, iw] = plane[ih, iw]
    return grad_input
