"""Times that may be compared: all sides in turn, again and again, so that what disturbs the machine disturbs each of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

SAMPLE = 2e-3  # seconds of one sample at least: calls that are shorter are repeated
FEWEST = 3  # samples of a side that is slow
WARMING = 5e-3  # seconds of calls before a sample, about, and one call at least: memory that another side has used is slow
PAUSE = 5e-3  # seconds before a sample: the threads of the side before may still spin, on a CPU that this side needs


def measure(sides: dict[str, Callable[[], Any]], repeats: int, seconds: float = 2.0) -> dict[str, list[float]]:
    """Return the milliseconds of one call, sample by sample, of every side.

    Parameters
    ----------
    sides : dict
        What to time; results are dropped before the next call, as they are in a loop of a program.
    repeats : int
        Samples of each side, taken in turn.
    seconds : float
        A side gets no more samples, after the first three, once it took so long.
    """
    calls: dict[str, int] = {}
    before: dict[str, int] = {}
    for name, run in sides.items():
        run()  # warm-up: compiles, and fills the allocators
        start = time.perf_counter()
        run()
        took = max(time.perf_counter() - start, 1e-7)
        calls[name], before[name] = max(1, round(SAMPLE / took)), max(1, round(WARMING / took))
    times: dict[str, list[float]] = {name: [] for name in sides}
    spent = dict.fromkeys(sides, 0.0)
    for _ in range(repeats):
        for name, run in sides.items():
            if len(times[name]) >= FEWEST and spent[name] > seconds:
                continue
            time.sleep(PAUSE)
            for _ in range(before[name]):  # its threads are awake then, and its data where they are in a loop
                run()
            start = time.perf_counter()
            for _ in range(calls[name]):
                run()
            took = time.perf_counter() - start
            spent[name] += took
            times[name].append(round(1e3 * took / calls[name], 5))
    return times


def median(times: list[float]) -> float:
    """Return the middle time."""
    return statistics.median(times)


def spread(times: list[float]) -> float:
    """Return the median distance from the median, as a share of it: what noise does to one sample.

    Examples
    --------
    >>> spread([10.0, 11.0, 10.0, 9.0, 30.0])
    0.1
    """
    middle = median(times)
    return median([abs(value - middle) for value in times]) / middle
