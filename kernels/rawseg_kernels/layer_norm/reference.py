"""Plain loops that define layer normalisation; x has the shape (rows, length)."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: everything is computed in double and rounded once


def forward(x, weight, bias, eps):
    """Normalise each row by its own mean and biased variance, both in two passes; an empty row has 0 for both."""
    rows, length = x.shape
    out = np.empty(x.shape, x.dtype)
    mean, inv_std = ONE * np.zeros(rows, x.dtype), ONE * np.zeros(rows, x.dtype)
    for row in range(rows):
        for i in range(length):
            mean[row] += x[row, i]
        mean[row] /= max(length, 1)
        variance = ONE * x.dtype.type(0)
        for i in range(length):
            variance += (x[row, i] - mean[row]) * (x[row, i] - mean[row])
        inv_std[row] = ONE / np.sqrt(variance / max(length, 1) + eps)
        for i in range(length):
            out[row, i] = (x[row, i] - mean[row]) * inv_std[row] * weight[i] + bias[i]
    return out, mean, inv_std


def backward(grad_output, x, weight, mean, inv_std):
    """Differentiate `forward`, through the mean and the variance too."""
    rows, length = x.shape
    grad_input = np.empty(x.shape, x.dtype)
    grad_weight, grad_bias = np.empty(length, x.dtype), np.empty(length, x.dtype)
    for row in range(rows):
        average = ONE * np.zeros(2, x.dtype)  # of weighted gradients, and of those times the normalised x
        for i in range(length):
            average[0] += ONE * grad_output[row, i] * weight[i]
            average[1] += ONE * grad_output[row, i] * weight[i] * ((x[row, i] - mean[row]) * inv_std[row])
        average /= max(length, 1)
        for i in range(length):
            z = (x[row, i] - mean[row]) * inv_std[row]
            grad_input[row, i] = inv_std[row] * (ONE * grad_output[row, i] * weight[i] - average[0] - z * average[1])
    for i in range(length):
        total = ONE * np.zeros(2, x.dtype)
        for row in range(rows):
            total[0] += grad_output[row, i] * ((x[row, i] - mean[row]) * inv_std[row])
            total[1] += ONE * grad_output[row, i]
        grad_weight[i], grad_bias[i] = total[0], total[1]
    return grad_input, grad_weight, grad_bias
