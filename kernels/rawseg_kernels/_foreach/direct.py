"""The update rules on a CPU: one pass over an array and its slots, every step of an element in registers.

The rules' choices (momentum or none, decay or none, ...) are not made anew for every element: each set of them is a loop of its
own, compiled when it is first asked for. The bits are those of ``reference.py``.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from .._arrays import FLOATING
from .._jit import inlined, kernel
from .._threads import launch

BLOCK = 1 << 14  # elements of a task


def fits(*arrays: Any) -> bool:
    """Return whether these loops may run over arrays of one size: contiguous, of one dtype, none in another's memory."""
    first = arrays[0]
    for array in arrays:
        if not isinstance(array, np.ndarray) or not array.flags.c_contiguous:
            return False
        if array.dtype != first.dtype or array.shape != first.shape:
            return False
    for one, other in combinations(arrays, 2):
        if np.may_share_memory(one, other):
            return False
    return first.dtype in FLOATING


def sgd(x, gradient, buffer, lr, momentum, share, weight_decay, nesterov, maximize):
    """Do one step of stochastic gradient descent; see ``reference.sgd``."""
    rule = _sgd(bool(momentum), bool(weight_decay), bool(nesterov), bool(maximize))
    _run(rule, 8, (x, gradient, x if buffer is None else buffer), lr, momentum, share, weight_decay)


def adam(x, gradient, m, v, largest, step, lr, betas, eps, weight_decay, decoupled, maximize):
    """Do step number ``step`` of Adam; see ``reference.adam``."""
    rate, root = lr / (1 - betas[0] ** step), math.sqrt(1 - betas[1] ** step)
    shrinking, coupled = bool(weight_decay and decoupled), bool(weight_decay and not decoupled)
    rule = _adam(largest is not None, shrinking, coupled, bool(maximize))
    moments = betas[0], 1 - betas[0], betas[1], 1 - betas[1]
    arrays = x, gradient, m, v, m if largest is None else largest
    _run(rule, 20, arrays, rate, root, *moments, eps, weight_decay, 1 - lr * weight_decay)


def _run(rule: Any, steps: int, arrays: tuple, *numbers: float) -> None:
    """Run a rule over all elements; its numbers are rounded to the arrays' dtype first."""
    kind, size = arrays[0].dtype.type, arrays[0].size
    launch(rule, -(-size // BLOCK), *(array.reshape(-1) for array in arrays), *map(kind, numbers), work=steps * size)


@inlined
def _direction(g, x, decay, decays, maximize):
    """Return the gradient, negated to climb, plus that of the L2 penalty."""
    if decays:
        return x * decay - g if maximize else x * decay + g
    return -g if maximize else g


@cache
def _sgd(has_momentum: bool, decays: bool, nesterov: bool, maximize: bool) -> Any:
    @kernel
    def step_sgd(first, last, x, gradient, buffer, lr, momentum, share, decay):
        part = slice(first * BLOCK, last * BLOCK)  # places from 0 on, so that the loop becomes a vector loop
        x, gradient, buffer = x[part], gradient[part], buffer[part]
        for i in range(x.size):
            g = _direction(gradient[i], x[i], decay, decays, maximize)
            if has_momentum:
                b = buffer[i] * momentum + g * share
                buffer[i] = b
                g = b * momentum + g if nesterov else b
            x[i] -= g * lr

    return step_sgd


@cache
def _adam(has_largest: bool, shrinks: bool, decays: bool, maximize: bool) -> Any:
    @kernel
    def step_adam(first, last, x, gradient, m, v, largest, rate, root, beta1, rest1, beta2, rest2, eps, decay, shrinking):
        part = slice(first * BLOCK, last * BLOCK)
        x, gradient, m, v, largest = x[part], gradient[part], m[part], v[part], largest[part]
        for i in range(x.size):
            y = x[i] * shrinking if shrinks else x[i]
            g = _direction(gradient[i], y, decay, decays, maximize)
            m[i] = m[i] * beta1 + g * rest1
            second = v[i] * beta2 + g * g * rest2
            v[i] = second
            if has_largest:
                if second > largest[i] or np.isnan(second):
                    largest[i] = second
                second = largest[i]
            x[i] = y - m[i] / (np.sqrt(second) / root + eps) * rate

    return step_adam
