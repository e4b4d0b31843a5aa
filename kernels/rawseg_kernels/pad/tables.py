"""Where each element of a framed axis comes from: small tables of int64, made before any kernel runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

# mode -> (source of each position i of an axis of n, the frame's included; the widest frame for n)
CONTINUED: dict[str, tuple[Callable[[Any, int], Any], Callable[[int], float]]] = {
    "reflect": (lambda i, n: (n - 1) - np.abs(np.abs(i) - (n - 1)), lambda n: max(n - 1, 0)),  # the edge is not repeated
    "replicate": (lambda i, n: i.clip(0, n - 1), lambda n: np.inf if n else 0),
    "circular": (lambda i, n: i % n, lambda n: n),
}


@lru_cache(maxsize=256)
def sources(mode: str, size: int, low: int, high: int) -> Any:
    """Return the source of every element of an axis of ``size`` with a frame of ``low`` before and ``high`` after it.

    -1 stands for the constant.
    """
    positions = np.arange(-low, size + high, dtype=np.int64)
    if mode == "constant":
        return np.where((positions >= 0) & (positions < size), positions, -1)
    return CONTINUED[mode][0](positions, size) if low or high else positions
