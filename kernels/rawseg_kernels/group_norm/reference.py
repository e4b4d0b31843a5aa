"""Plain loops that define group normalisation; x has the shape (rows, S, L): a row is a group, S its channels, L the pixels."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: everything is computed in double and rounded once


def forward(x, weight, bias, eps):
    """Normalise each row by its own mean and biased variance, both in two passes; an empty row has 0 for both."""
    rows, segments, length = x.shape
    count = max(segments * length, 1)
    out = np.empty(x.shape, x.dtype)
    mean, inv_std, variance = ONE * np.zeros(rows, x.dtype), ONE * np.zeros(rows, x.dtype), ONE * np.zeros(rows, x.dtype)
    for row in range(rows):
        for s in range(segments):
            for i in range(length):
                mean[row] += x[row, s, i]
        mean[row] /= count
        for s in range(segments):
            for i in range(length):
                variance[row] += (x[row, s, i] - mean[row]) * (x[row, s, i] - mean[row])
        variance[row] /= count
        inv_std[row] = ONE / np.sqrt(variance[row] + eps)
        for s in range(segments):
            k = (row * segments + s) % weight.size
            for i in range(length):
                out[row, s, i] = (x[row, s, i] - mean[row]) * inv_std[row] * weight[k] + bias[k]
    return out, mean, inv_std, variance


def backward(grad_output, x, weight, mean, inv_std):
    """Differentiate `forward`, through the mean and the variance too."""
    rows, segments, length = x.shape
    count, channels = max(segments * length, 1), weight.size
    grad_input = np.empty(x.shape, x.dtype)
    grad_weight, grad_bias = np.empty(channels, x.dtype), np.empty(channels, x.dtype)
    sums = ONE * np.zeros((2, channels), x.dtype)  # of grad_output times the normalised x, and of grad_output
    for row in range(rows):
        average = ONE * np.zeros(2, x.dtype)  # over the group, of weighted gradients, and of those times the normalised x
        for s in range(segments):
            k = (row * segments + s) % channels
            for i in range(length):
                z = (x[row, s, i] - mean[row]) * inv_std[row]
                sums[0, k] += grad_output[row, s, i] * z
                sums[1, k] += ONE * grad_output[row, s, i]
                average[0] += ONE * grad_output[row, s, i] * weight[k]
                average[1] += ONE * grad_output[row, s, i] * weight[k] * z
        average /= count
        for s in range(segments):
            k = (row * segments + s) % channels
            for i in range(length):
                z = (x[row, s, i] - mean[row]) * inv_std[row]
                grad_input[row, s, i] = inv_std[row] * (ONE * grad_output[row, s, i] * weight[k] - average[0] - z * average[1])
    for k in range(channels):
        grad_weight[k], grad_bias[k] = sums[0, k], sums[1, k]
    return grad_input, grad_weight, grad_bias
