"""Plain loops that define RoIPool, its backward scatter and the adjoint of that scatter."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: sums are accumulated in double and rounded once


def forward(x, batch, first_row, last_row, first_column, last_column):
    """Scan each bin in row-major order: the first largest value wins, and the last NaN beats everything."""
    c, w = x.shape[1], x.shape[3]
    out_h, out_w = first_row.shape[1], first_column.shape[1]
    out = np.empty((batch.size, c, out_h, out_w), x.dtype)
    indices = np.empty((batch.size, c, out_h, out_w), np.int64)
    for k in range(batch.size):
        for channel in range(c):
            plane = x[batch[k], channel]
            for ph in range(out_h):
                for pw in range(out_w):
                    chosen = -1  # no pixel seen yet, so what best holds does not count
                    best = plane[0, 0]
                    for ih in range(first_row[k, ph], last_row[k, ph]):
                        for iw in range(first_column[k, pw], last_column[k, pw]):
                            value = plane[ih, iw]
                            if chosen < 0 or value > best or np.isnan(value):
                                best = value
                                chosen = ih * w + iw
                    out[k, channel, ph, pw] = best if chosen >= 0 else 0
                    indices[k, channel, ph, pw] = chosen
    return out, indices


def backward(grad_output, indices, batch, input_shape):
    """Add every bin's gradient to the pixel that it chose, box after box, bin after bin."""
    c, out_h, out_w = grad_output.shape[1:]
    n, _, h, w = input_shape
    grad_input = np.empty(input_shape, grad_output.dtype)
    total = ONE * np.zeros((n, c, h * w), grad_output.dtype)
    for k in range(batch.size):
        for channel in range(c):
            for ph in range(out_h):
                for pw in range(out_w):
                    if indices[k, channel, ph, pw] >= 0:
                        total[batch[k], channel, indices[k, channel, ph, pw]] += grad_output[k, channel, ph, pw]
    for b in range(n):
        for channel in range(c):
            for ih in range(h):
                for iw in range(w):
                    grad_input[b, channel, ih, iw] = total[b, channel, ih * w + iw]
    return grad_input


def gather(grad_grad_input, indices, batch):
    """Read, for every bin, the pixel that it chose: the adjoint of `backward`."""
    c, out_h, out_w = indices.shape[1:]
    w = grad_grad_input.shape[3]
    out = np.zeros(indices.shape, grad_grad_input.dtype)
    for k in range(batch.size):
        for channel in range(c):
            for ph in range(out_h):
                for pw in range(out_w):
                    index = indices[k, channel, ph, pw]
                    if index >= 0:
                        out[k, channel, ph, pw] = grad_grad_input[batch[k], channel, index // w, index % w]
    return out
