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
from .._jit import inlined, kernel
from .rows import Rows
from .rows import fits as fits_a_row


def fits(x: Any, gradient: Any, *slots: Any) -> bool:
    """Return whether the rules may run over these arrays: as `rows.fits` says, and none in another's memory."""
    if not fits_a_row(x, x, True) or not fits_a_row(gradient, x, False):
        return False
    if not all(fits_a_row(slot, x, True) for slot in slots):
        return False
    return not any(np.may_share_memory(one, other) for one, other in combinations((x, gradient, *slots), 2))


def sgd(x, gradient, buffer, lr, momentum, share, weight_decay, nesterov, maximize):
    """Do one step of stochastic gradient descent; see ``reference.sgd``."""
    rows = Rows.of_one(gradient, x) if buffer is None else Rows.of_one(gradient, x, buffer)
    update_sgd(rows, lr, momentum, share, weight_decay, nesterov, maximize)


def adam(x, gradient, m, v, largest, step, lr, betas, eps, weight_decay, decoupled, maximize):
    """Do step number ``step`` of Adam; see ``reference.adam``."""
    rows = Rows.of_one(gradient, x, m, v) if largest is None else Rows.of_one(gradient, x, m, v, largest)
    update_adam(rows, step, lr, betas, eps, weight_decay, decoupled, largest is not None, maximize)


def update_sgd(rows, lr, momentum, share, weight_decay, nesterov, maximize):
    """Do one step of every row; see ``sgd.update``."""
    rule = _sgd(bool(momentum), bool(weight_decay), bool(nesterov), bool(maximize))
    rows.launch(rule, 8, lr, momentum, share, weight_decay)


def update_adam(rows, step, lr, betas, eps, weight_decay, decoupled, amsgrad, maximize):
    """Do step number ``step``, from 1, of every row; see ``adam.update``."""
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
