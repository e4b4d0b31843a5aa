"""Stochastic gradient descent in CUDA, in one launch."""

from __future__ import annotations

from .._cuda import Source
from .table import Table

kernel = Source(__file__, "sgd.cu").kernel


def update(table: Table, lr: float, momentum: float, share: float, weight_decay: float, nesterov: bool, maximize: bool) -> None:
    """Do one step of every row; see ``reference.sgd``.

    Parameters
    ----------
    table : Table
        Columns gradient, x and, with momentum, its buffer.
    lr, momentum, share, weight_decay : float
        ``share`` of the gradient enters the buffer.
    nesterov, maximize : bool
        Look ahead; climb.
    """
    run = kernel("sgd_update", table.dtype)
    numbers = lr, momentum, share, weight_decay
    table.launch(run, 3 if momentum else 2, *numbers, bool(weight_decay), bool(momentum), nesterov, maximize)
