"""Plain loops that define cross entropy with class ids: x is (N, C, D), target, kept and sharp are (N, D), smooth is (C,).

The target distribution q of a pixel is ``sharp`` on its class plus ``smooth`` on each class, which need not add up to one.
Everything is computed in float64; sums run over the classes in ascending order.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64


def forward(x, target, kept, sharp, smooth):
    """Return the losses ``sum_c q_c (shift - x_c)`` and the shifts ``log(sum_c e**x_c)``; 0 where a pixel is not kept."""
    n, classes, pixels = x.shape
    losses, shifts = np.empty((n, pixels), x.dtype), np.empty((n, pixels))
    for b in range(n):
        for i in range(pixels):
            top = ONE * x[b, 0, i]
            for k in range(classes):
                if x[b, k, i] > top or np.isnan(x[b, k, i]):
                    top = ONE * x[b, k, i]
            total = 0.0
            for k in range(classes):
                total += np.exp(x[b, k, i] - top)
            shift = top + np.log(total)
            loss = sharp[b, i] * (shift - x[b, target[b, i], i])
            if smooth.size:
                spread = 0.0
                for k in range(classes):
                    spread += smooth[k] * (shift - x[b, k, i])
                loss += spread
            losses[b, i] = loss if kept[b, i] else 0
            shifts[b, i] = shift
    return losses, shifts


def backward(grad_output, x, shifts, target, kept, sharp, smooth):
    """``g (e**(x - shift) sum(q) - q)``; 0 where a pixel is not kept. g may be one number for all pixels, of shape ()."""
    n, classes, pixels = x.shape
    grad_output = np.broadcast_to(grad_output, (n, pixels))
    grad_input = np.empty((n, classes, pixels), x.dtype)
    mass = 0.0
    for k in range(smooth.size):
        mass += smooth[k]
    for b in range(n):
        for i in range(pixels):
            for k in range(classes):
                grad = np.exp(x[b, k, i] - shifts[b, i]) * (sharp[b, i] + mass)
                if k == target[b, i]:
                    grad -= sharp[b, i]
                if smooth.size:
                    grad -= smooth[k]
                grad_input[b, k, i] = grad * grad_output[b, i] if kept[b, i] else 0
    return grad_input
