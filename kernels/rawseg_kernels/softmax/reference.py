"""Plain loops that define softmax and its logarithm along the middle axis of x, shape (outer, classes, inner).

Sums run over the classes in ascending order, in float64. Complex numbers are shifted by the class of the largest real part.
"""

from __future__ import annotations

import numpy as np

ONE = np.float64(1)  # times a float32 gives a float64


def forward(x, logarithm):
    """e**(x - max) over its sum, or x - max minus the logarithm of that sum."""
    outer, classes, inner = x.shape
    out = np.empty((outer, classes, inner), x.dtype)
    for b in range(outer):
        for i in range(inner):
            top = ONE * x[b, 0, i]
            for k in range(classes):
                if x[b, k, i].real > top.real or np.isnan(x[b, k, i]):
                    top = ONE * x[b, k, i]
            total = 0 * top
            for k in range(classes):
                total += np.exp(x[b, k, i] - top)
            for k in range(classes):
                if logarithm:
                    out[b, k, i] = x[b, k, i] - top - np.log(total)
                else:
                    out[b, k, i] = np.exp(x[b, k, i] - top) / total
    return out


def backward(grad_output, out, logarithm):
    """``out (g - sum(g out))``; of the logarithm ``g - e**out sum(g)``."""
    outer, classes, inner = out.shape
    grad_input = np.empty((outer, classes, inner), out.dtype)
    for b in range(outer):
        for i in range(inner):
            total = ONE * 0
            for k in range(classes):
                total += ONE * grad_output[b, k, i] if logarithm else ONE * grad_output[b, k, i] * out[b, k, i]
            for k in range(classes):
                grad = ONE * grad_output[b, k, i]
                if logarithm:
                    grad_input[b, k, i] = grad - np.exp(ONE * out[b, k, i]) * total
                else:
                    grad_input[b, k, i] = (grad - total) * out[b, k, i]
    return grad_input
