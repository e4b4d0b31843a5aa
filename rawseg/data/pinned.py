"""Batches in pinned memory: the system keeps its pages in place, so that a GPU copies from it without the CPU's help."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..device import gpu_module
from ..errors import BackendError

__all__ = ["pinned_stack", "stacking"]


def stacking(pin_memory: bool) -> Callable[[Sequence[Any]], np.ndarray]:
    """Return what makes a batch of samples: in pinned memory if it is asked for, and there is a GPU, the current one."""
    if not pin_memory:
        return np.stack
    try:
        cuda = gpu_module("Loader").cuda
    except BackendError as error:
        warnings.warn(f"pin_memory=True has no effect: {error}", UserWarning, stacklevel=3)
        return np.stack
    return partial(pinned_stack, device=cuda.Device(cuda.runtime.getDevice()))


def pinned_stack(samples: Sequence[Any], device: Any) -> np.ndarray:
    """Do as ``np.stack``, into pinned memory, which goes back to CuPy's pool when the batch dies.

    A device of CuPy is current meanwhile: in a thread of a loader it would be the first, which is not always the one in use.
    """
    from cupyx import empty_pinned  # type: ignore[import-not-found]

    first = np.asarray(samples[0])
    with device:
        out = empty_pinned((len(samples), *first.shape), np.result_type(*samples))
    return np.stack(samples, out=out)
