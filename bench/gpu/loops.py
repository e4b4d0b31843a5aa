"""What the plain loops return, computed on the other cores meanwhile: compiling them takes longer than everything else."""

from __future__ import annotations

import multiprocessing
import os
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache

import numpy as np
from on_gpu.test_kernels import CALLS
from on_gpu.test_special_values import SPOILED, loops, spoiled
from promises import outputs_of

DTYPES = ("float32", "float64")
Results = tuple[np.ndarray, ...]


@cache
def _pool() -> ProcessPoolExecutor:
    cores = max(1, (os.cpu_count() or 2) - 1)
    return ProcessPoolExecutor(min(cores, 16), multiprocessing.get_context("spawn"))  # a fork would take the device along


@cache
def _asked(call: int, what: str) -> Future:
    return _pool().submit(_special if what == "special" else _plain, call, what)


def ask(calls: list[int]) -> None:
    """Begin to compute all results of these calls of ``CALLS``."""
    for what in (*DTYPES, "special"):
        for call in calls:
            if what != "special" or CALLS[call] in SPOILED:
                _asked(call, what)


def plain(call: int, dtype: str) -> Results:
    """Return the results of a call in a dtype."""
    return _asked(call, dtype).result()


def special(call: int) -> list[Results | None]:
    """Return the results for special values in each of its arrays; None where the operation refuses them."""
    return _asked(call, "special").result()


def end() -> None:
    """Stop what still runs."""
    if _pool.cache_info().currsize:
        _pool().shutdown(cancel_futures=True)
        _pool.cache_clear()
    _asked.cache_clear()


def _plain(call: int, what: str) -> Results:
    entry = CALLS[call].entry
    return outputs_of(entry.call(*entry.arrays(np.dtype(what).type)))


def _special(call: int, what: str) -> list[Results | None]:
    return [loops(CALLS[call], arrays) for arrays in spoiled(CALLS[call])]
