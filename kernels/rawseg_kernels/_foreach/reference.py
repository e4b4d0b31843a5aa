"""Plain loops that define update rules and the clipping of gradients: all steps round to the arrays' dtype, in this order."""

from __future__ import annotations

import math

import numpy as np


def sgd(x, gradient, buffer, lr, momentum, share, weight_decay, nesterov, maximize):
    """Do one step of stochastic gradient descent; ``buffer`` is None without momentum."""
    for i in np.ndindex(x.shape):
        g = _direction(gradient[i], x[i], maximize, weight_decay)
        if momentum:
            buffer[i] = buffer[i] * momentum + g * share
            g = buffer[i] * momentum + g if nesterov else buffer[i]
        x[i] = x[i] - g * lr


def adam(x, gradient, m, v, largest, step, lr, betas, eps, weight_decay, decoupled, maximize):
    """Do step number ``step``, from 1, of Adam; ``largest`` is None without AMSGrad."""
    rate, root = lr / (1 - betas[0] ** step), math.sqrt(1 - betas[1] ** step)
    for i in np.ndindex(x.shape):
        if decoupled and weight_decay:
            x[i] = x[i] * (1 - lr * weight_decay)
        g = _direction(gradient[i], x[i], maximize, 0 if decoupled else weight_decay)
        m[i] = m[i] * betas[0] + g * (1 - betas[0])
        v[i] = v[i] * betas[1] + g * g * (1 - betas[1])
        second = v[i]
        if largest is not None:
            if second > largest[i] or np.isnan(second):
                largest[i] = second
            second = largest[i]
        x[i] = x[i] - m[i] / (np.sqrt(second) / root + eps) * rate


def _direction(gradient, x, maximize, weight_decay):
    """Return the gradient, negated to climb, plus that of the L2 penalty."""
    if not weight_decay:
        return -gradient if maximize else gradient
    return x * weight_decay - gradient if maximize else x * weight_decay + gradient


def norm(arrays, p):
    """Return the p-norm of all elements of all arrays, in float64."""
    total = 0.0
    for array in arrays:
        for value in array.flat:
            size = abs(float(value))
            if p == math.inf:
                total = size if size > total or math.isnan(size) else total
            else:
                total += size**p
    return total if p == math.inf else total ** (1 / p)


def scale(array, factor):
    """Multiply every element by one factor."""
    for i in np.ndindex(array.shape):
        array[i] = array[i] * factor


def limit(array, largest):
    """Bring every element into ``[-largest, largest]``; NaN stays."""
    for i in np.ndindex(array.shape):
        if array[i] > largest:
            array[i] = largest
        elif array[i] < -largest:
            array[i] = -largest
