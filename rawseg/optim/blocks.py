"""Arrays in pieces that fit into a cache, and what every rule does to a gradient first."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import ModuleType
from typing import Any

import numpy as np

from ..device import array_module

BLOCK = 1 << 15  # elements: the blocks of parameter, gradient, slots and scratch together stay in a core's second-level cache


def one_pass(*arrays: Any) -> ModuleType | None:
    """Return the compiled rules, which read and write every element once, if they may run over these arrays.

    They have the bits of the rules' own arithmetic over `blocks`, which is for GPUs and for arrays of any strides.
    """
    if not isinstance(arrays[0], np.ndarray):
        return None
    rules = _compiled_rules()
    return rules if rules.fits(*arrays) else None


@cache
def _compiled_rules() -> Any:
    from rawseg_kernels._foreach import direct  # numba

    return direct


def blocks(*arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the arrays block by block, each time with two scratch arrays of the block's shape behind them.

    A rule reads and writes every element about ten times; in blocks, all but the first time hit the cache. The rules are
    elementwise, so the blocks do not change a bit.
    """
    first = arrays[0]
    if not isinstance(first, np.ndarray) or not all(array.flags.c_contiguous for array in arrays):
        empty_like = array_module(first).empty_like
        yield (*arrays, empty_like(first), empty_like(first))
        return
    flat = [array.reshape(-1) for array in arrays]
    size = min(first.size, BLOCK)
    scratch, more = np.empty(size, first.dtype), np.empty(size, first.dtype)
    for start in range(0, first.size, BLOCK):
        count = min(BLOCK, first.size - start)
        yield (*(array[start : start + count] for array in flat), scratch[:count], more[:count])


def direction(gradient: Any, x: Any, scratch: Any, maximize: bool, weight_decay: float) -> Any:
    """Return the gradient, negated to maximize, plus ``weight_decay * x``: in ``scratch`` unless it is as it came."""
    xp = array_module(gradient)
    if weight_decay:
        xp.multiply(x, weight_decay, out=scratch)
        return xp.subtract(scratch, gradient, out=scratch) if maximize else xp.add(scratch, gradient, out=scratch)
    return xp.negative(gradient, out=scratch) if maximize else gradient
