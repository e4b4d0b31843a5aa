"""Adam and AdamW in CUDA, in one launch."""

from __future__ import annotations

import math

from .._cuda import Source
from .table import Table

kernel = Source(__file__, "adam.cu").kernel


def update(
    table: Table,
    step: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """Do step number ``step``, from 1, of every row; see ``reference.adam``.

    Parameters
    ----------
    table : Table
        Columns gradient, x, m, v and, for ``amsgrad``, the largest v.
    step : int
        Which all rows have reached.
    lr, betas, eps, weight_decay : float
        The rule's numbers.
    decoupled, amsgrad, maximize : bool
        Decay outside the adaptive step; divide by the largest v; climb.
    """
    beta1, beta2 = betas
    moments = lr / (1 - beta1**step), math.sqrt(1 - beta2**step), beta1, 1 - beta1, beta2, 1 - beta2, eps
    shrinking = 1 - lr * weight_decay, bool(decoupled and weight_decay)
    coupled = weight_decay, bool(weight_decay and not decoupled)
    run = kernel("adam_update", table.dtype)
    table.launch(run, 5 if amsgrad else 4, *moments, *shrinking, *coupled, amsgrad, maximize)
