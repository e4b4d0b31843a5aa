"""Time on the device, by events on its stream."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import cupy  # type: ignore[import-not-found]


def microseconds(call: Callable[[], Any], repeats: int = 20, warm: int = 3) -> float:
    """Return the median time of a call."""
    return microseconds_of([call], repeats, warm)[0]


def microseconds_of(calls: list[Callable[[], Any]], repeats: int = 20, warm: int = 3) -> list[float]:
    """Return the median times of calls that take turns, so that a clock that changes its rate changes it for all."""
    stream = cupy.cuda.get_current_stream()
    for call in calls * warm:
        call()
    stream.synchronize()
    times: list[list[float]] = [[] for _ in calls]
    for _ in range(repeats):
        for call, found in zip(calls, times):
            begin, end = cupy.cuda.Event(), cupy.cuda.Event()
            begin.record(stream)
            call()
            end.record(stream)
            end.synchronize()
            found.append(cupy.cuda.get_elapsed_time(begin, end) * 1000)
    return [median(found) for found in times]
