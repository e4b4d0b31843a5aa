"""The update rules on a CPU: one launch for all parameters, and one pass over an array and its slots.

The rules' choices (momentum or none, decay or none, ...) are not made anew for every element: each set of them is a loop of its
own, compiled when it is first asked for. The bits are those of ``reference.py``.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np

from .._addresses import array_at
from .._arrays import FLOATING
from .._jit import inlined, kernel
from .rows import Rows


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


def sgd(x, gradient, buffer, *options):
    """Do one step of stochastic gradient descent; see ``reference.sgd``."""
    sgd_rows(_row(gradient, x, buffer), *options)


def adam(x, gradient, m, v, largest, *options):
    """Do one step of Adam; see ``reference.adam``."""
    adam_rows(_row(gradient, x, m, v, largest), largest is not None, *options)


def _row(gradient: Any, *written: Any) -> Rows:
    """Return rows of one parameter, whose arrays fit each other."""
    rows = Rows()
    rows.point_at([[gradient]], [[array] for array in written if array is not None])
    return rows


def sgd_rows(rows, lr, momentum, share, weight_decay, nesterov, maximize):
    """Do one step of every row; columns gradient, x and, with momentum, its buffer."""
    rule = _sgd(bool(momentum), bool(weight_decay), bool(nesterov), bool(maximize))
    rows.launch(rule, 8, lr, momentum, share, weight_decay)


def adam_rows(rows, amsgrad, step, lr, betas, eps, weight_decay, decoupled, maximize):
    """Do step number ``step`` of every row; columns gradient, x, m, v and, for ``amsgrad``, the largest v."""
    rate, root = lr / (1 - betas[0] ** step), math.sqrt(1 - betas[1] ** step)
    shrinking, coupled = bool(weight_decay and decoupled), bool(weight_decay and not decoupled)
    rule = _adam(bool(amsgrad), shrinking, coupled, bool(maximize))
    moments = betas[0], 1 - betas[0], betas[1], 1 - betas[1]
    rows.launch(rule, 20, rate, root, *moments, eps, weight_decay, 1 - lr * weight_decay)


@inlined
def _direction(g, x, decay, decays, maximize):
    """Return the gradient, negated to climb, plus that of the L2 penalty."""
    if decays:
        return x * decay - g if maximize else x * decay + g
    return -g if maximize else g


@cache
def _sgd(has_momentum: bool, decays: bool, nesterov: bool, maximize: bool) -> Any:
    @kernel
    def step_sgd(first, last, addresses, pieces, like, lr, momentum, share, decay):
        for task in range(first, last):
            row, start, size = pieces[task, 0], pieces[task, 1], pieces[task, 2]
            gradient, x = array_at(addresses[0, row], start, size, like), array_at(addresses[1, row], start, size, like)
            buffer = array_at(addresses[2 if has_momentum else 1, row], start, size, like)
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
    def step_adam(first, last, addresses, pieces, like, rate, root, beta1, rest1, beta2, rest2, eps, decay, shrinking):
        for task in range(first, last):
            row, start, size = pieces[task, 0], pieces[task, 1], pieces[task, 2]
            gradient, x = array_at(addresses[0, row], start, size, like), array_at(addresses[1, row], start, size, like)
            m, v = array_at(addresses[2, row], start, size, like), array_at(addresses[3, row], start, size, like)
            largest = array_at(addresses[4 if has_largest else 3, row], start, size, like)
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
