"""Plain loops that define batch normalisation; x has the shape (N, C, L), with all spatial axes as one."""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64: everything is computed in double and rounded once


def forward_train(x, weight, bias, eps):
    """Normalise each channel by its own mean and biased variance, both in two passes; an empty channel has 0 for both."""
    n, c, length = x.shape
    count = max(n * length, 1)
    out = np.empty((n, c, length), x.dtype)
    mean, inv_std, variance = ONE * np.zeros(c, x.dtype), ONE * np.zeros(c, x.dtype), ONE * np.zeros(c, x.dtype)
    for k in range(c):
        for b in range(n):
            for i in range(length):
                mean[k] += x[b, k, i]
        mean[k] /= count
        for b in range(n):
            for i in range(length):
                variance[k] += (x[b, k, i] - mean[k]) * (x[b, k, i] - mean[k])
        variance[k] /= count
        inv_std[k] = ONE / np.sqrt(variance[k] + eps)
        for b in range(n):
            for i in range(length):
                out[b, k, i] = (x[b, k, i] - mean[k]) * inv_std[k] * weight[k] + bias[k]
    return out, mean, inv_std, variance


def statistics(x, eps):
    """Return mean, inverse deviation and biased variance of each channel, as `forward_train` does."""
    n, c, length = x.shape
    count = max(n * length, 1)
    mean, inv_std, variance = ONE * np.zeros(c, x.dtype), ONE * np.zeros(c, x.dtype), ONE * np.zeros(c, x.dtype)
    for k in range(c):
        for b in range(n):
            for i in range(length):
                mean[k] += x[b, k, i]
        mean[k] /= count
        for b in range(n):
            for i in range(length):
                variance[k] += (x[b, k, i] - mean[k]) * (x[b, k, i] - mean[k])
        variance[k] /= count
        inv_std[k] = ONE / np.sqrt(variance[k] + eps)
    return mean, inv_std, variance


def moved_statistics(running_mean, running_var, mean, variance, momentum):
    """Move running statistics towards a batch's; a channel whose new variance is not finite keeps both."""
    out_mean, out_var = running_mean.copy(), running_var.copy()
    for k in range(running_mean.size):
        out_var[k] = (1 - momentum) * (ONE * running_var[k]) + momentum * variance[k]
        if np.isfinite(out_var[k]):  # about a mean that is not finite there is no finite variance
            out_mean[k] = (1 - momentum) * (ONE * running_mean[k]) + momentum * mean[k]
        else:
            out_var[k] = running_var[k]
    return out_mean, out_var


def normalise(x, weight, bias, mean, inv_std, low, high):
    """Normalise each channel by given statistics, round, and hold the result between two numbers."""
    n, c, length = x.shape
    out = np.empty((n, c, length), x.dtype)
    for k in range(c):
        for b in range(n):
            for i in range(length):
                out[b, k, i] = (x[b, k, i] - mean[k]) * inv_std[k] * weight[k] + bias[k]
                if out[b, k, i] < low:
                    out[b, k, i] = low
                elif out[b, k, i] > high:
                    out[b, k, i] = high
    return out


def forward_eval(x, weight, bias, running_mean, running_var, eps):
    """Normalise each channel by given statistics."""
    n, c, length = x.shape
    out = np.empty((n, c, length), x.dtype)
    for k in range(c):
        inv_std = ONE / np.sqrt(ONE * running_var[k] + eps)
        for b in range(n):
            for i in range(length):
                out[b, k, i] = (ONE * x[b, k, i] - running_mean[k]) * inv_std * weight[k] + bias[k]
    return out


def backward_train(grad_output, x, weight, bias, mean, inv_std, low, high):
    """Differentiate `forward_train`, through the mean and the variance too, and a clamp of its result."""
    n, c, length = x.shape
    grad_output, out = grad_output.copy(), np.empty(1, x.dtype)
    for b in range(n):
        for k in range(c):
            for i in range(length):
                out[0] = (x[b, k, i] - mean[k]) * inv_std[k] * weight[k] + bias[k]
                if (out[0] <= low and low > -np.inf) or (out[0] >= high and high < np.inf):
                    grad_output[b, k, i] = 0
    count = max(n * length, 1)
    grad_input = np.empty((n, c, length), x.dtype)
    grad_weight, grad_bias = np.empty(c, x.dtype), np.empty(c, x.dtype)
    for k in range(c):
        total = ONE * np.zeros(2, x.dtype)  # of grad_output, and of grad_output times the normalised x
        for b in range(n):
            for i in range(length):
                total[0] += grad_output[b, k, i]
                total[1] += grad_output[b, k, i] * ((x[b, k, i] - mean[k]) * inv_std[k])
        grad_bias[k], grad_weight[k] = total[0], total[1]
        for b in range(n):
            for i in range(length):
                normalised = (x[b, k, i] - mean[k]) * inv_std[k]
                centred = grad_output[b, k, i] - total[0] / count - normalised * (total[1] / count)
                grad_input[b, k, i] = weight[k] * inv_std[k] * centred
    return grad_input, grad_weight, grad_bias


def backward_eval(grad_output, x, weight, running_mean, running_var, eps):
    """Differentiate `forward_eval`: the statistics are constants."""
    n, c, length = x.shape
    grad_input = np.empty((n, c, length), x.dtype)
    grad_weight, grad_bias = np.empty(c, x.dtype), np.empty(c, x.dtype)
    for k in range(c):
        inv_std = ONE / np.sqrt(ONE * running_var[k] + eps)
        total = ONE * np.zeros(2, x.dtype)
        for b in range(n):
            for i in range(length):
                total[0] += grad_output[b, k, i]
                total[1] += grad_output[b, k, i] * ((ONE * x[b, k, i] - running_mean[k]) * inv_std)
                grad_input[b, k, i] = grad_output[b, k, i] * (inv_std * weight[k])
        grad_bias[k], grad_weight[k] = total[0], total[1]
    return grad_input, grad_weight, grad_bias
