"""The samples of a bin as taps: the distinct pixels that it reads along one axis, each with its share of the mean.

Neighbouring samples read the same pixels, so a bin has far fewer taps than samples. Weights are added up in float64, divided by
the number of samples and rounded once. A weight of 0 keeps a tap of its own: 0 times infinity is NaN, which no sum may hide.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._roi_grid import Samples
from .._threads import launch


class Taps(NamedTuple):
    """One axis of a grid: bin p of box k owns ``used[k, p]`` entries from ``2 * (starts[k] + p * counts[k])``."""

    starts: Any  # as in Samples
    counts: Any
    used: Any  # int64, (K, bins)
    pixel: Any  # int64, (2 * S,)
    weight: Any  # (2 * S,)
    tap: Any  # int64, (2, S): the entry that a sample's lower and higher pixel went to; -1 outside the map


def merged(samples: Samples, weights: Any, bins: int) -> Taps:
    """Return the taps of one axis."""
    count = samples.low.size
    used, pixel = empty((samples.counts.size, bins), np.int64), empty(2 * count, np.int64)
    weight, tap = empty(2 * count, weights.dtype), empty((2, count), np.int64)
    launch(_merge, samples.counts.size, *samples, weights, used, pixel, weight, tap, work=8 * count)
    return Taps(samples.starts, samples.counts, used, pixel, weight, tap)


@kernel
def _merge(first, last, starts, counts, low, high, weights, used, pixel, weight, tap):
    """One task is one box. Samples come in rising order, so a pixel that was met before is among the latest four taps."""
    for k in range(first, last):
        count = counts[k]
        total = np.empty(2 * count, np.float64)
        for p in range(used.shape[1]):
            begin = starts[k] + p * count
            size = 0
            for sample in range(begin, begin + count):
                for side in range(2):
                    at = high[sample] if side else low[sample]
                    if at < 0:
                        tap[side, sample] = -1
                        continue
                    share = np.float64(weights[side, sample])
                    entry = size - 1
                    oldest = max(size - 4, 0)
                    while entry >= oldest and (pixel[2 * begin + entry] != at or (total[entry] == 0) != (share == 0)):
                        entry -= 1
                    if entry < oldest:
                        entry = size
                        pixel[2 * begin + entry], total[entry] = at, 0
                        size += 1
                    total[entry] += share
                    tap[side, sample] = 2 * begin + entry
            used[k, p] = size
            for entry in range(size):
                weight[2 * begin + entry] = total[entry] / count
