"""Batches in pinned memory: the system keeps its pages in place, so that a GPU copies from it without the CPU's help."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..device import gpu_module
from ..errors import BackendError

__all__ = ["pinned_stack", "stacking"]


def stacking(pin_memory: bool) -> Callable[[Sequence[Any]], np.ndarray]:
    """Return what makes a batch of samples: in pinned memory if it is asked for, and there is a GPU."""
    if not pin_memory:
        return np.stack
    try:
        gpu_module("Loader")
    except BackendError as error:
        warnings.warn(f"pin_memory=True has no effect: {error}", UserWarning, stacklevel=3)
        return np.stack
    return pinned_stack


def pinned_stack(samples: Sequence[Any]) -> np.ndarray:
    """Do as ``np.stack``, into pinned memory, which goes back to CuPy's pool when the batch dies."""
    from cupyx import empty_pinned  # type: ignore[import-not-found]

    first = np.asarray(samples[0])
    return np.stack(samples, out=empty_pinned((len(samples), *first.shape), np.result_type(*samples)))
