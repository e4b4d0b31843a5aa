"""Opt-in: the first call of a shape times whatever may compute it, and the fastest stays.

Two algorithms round differently, and which is faster may change from run to run: who asks for this gives up that two processes
have the same bits. Within a process, a shape keeps what was found for it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from time import perf_counter
from typing import Any

from ._arrays import flag

REPEATS = 3  # of which the fastest counts, after a run that compiles

_enabled = os.environ.get("RAWSEG_AUTOTUNE", "") not in ("", "0")
_found: dict[Hashable, str] = {}


def get_autotune() -> bool:
    """Return whether ``algorithm="auto"`` is measured; see `set_autotune`."""
    return _enabled


def set_autotune(enabled: bool) -> None:
    """Let convolutions with ``algorithm="auto"`` time their algorithms at the first call of a shape, and keep the fastest.

    The environment variable ``RAWSEG_AUTOTUNE=1`` does so from the start. Without it, a rule of the shape chooses, and results
    have the same bits in every process and for any number of threads; what a measurement chooses may differ by rounding.

    Parameters
    ----------
    enabled : bool
        Whether to measure. What was found is forgotten either way.

    Raises
    ------
    ArgumentTypeError
        If ``enabled`` is not a bool.
    """
    global _enabled
    _enabled = flag("set_autotune", "enabled", enabled)
    _found.clear()


def fastest(key: Hashable, runs: dict[str, Callable[[], Any]]) -> str:
    """Return the name of the run that takes the least time; all are run where the key is new, the first wins a tie."""
    if key not in _found:
        times = {name: _time(run) for name, run in runs.items()} if len(runs) > 1 else dict.fromkeys(runs, 0.0)
        _found[key] = min(times, key=times.__getitem__)
    return _found[key]


def _time(run: Callable[[], Any]) -> float:
    run()
    times = []
    for _ in range(REPEATS):
        start = perf_counter()
        run()
        times.append(perf_counter() - start)
    return min(times)
