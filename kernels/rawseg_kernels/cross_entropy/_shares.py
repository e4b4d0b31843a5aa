"""What class ids come to in a cross entropy, in one pass by all threads: a copy of them, which count, and how much."""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._threads import launch

PIECE = 1 << 12  # ids of a task: they stay in the nearest cache


@kernel
def _share(first, last, ids, ignored, classes, weights, target, kept, sharp, counts):
    """Tell of every piece how many ids count, or -1 if one of these is no class."""
    for task in range(first, last):
        start, end = task * PIECE, min(task * PIECE + PIECE, ids.size)
        given, own, keep, share = ids[start:end], target[start:end], kept[start:end], sharp[start:end]
        count, highest = 0, np.uint64(0)
        for i in range(own.size):  # a loop for each array: they are vectors of different widths
            own[i] = given[i] if given[i] != ignored else 0
            count += 1 if given[i] != ignored else 0
            highest = max(highest, np.uint64(own[i]))  # a negative id is huge, then
        for i in range(share.size):
            share[i] = 1.0 if given[i] != ignored else 0.0
        for i in range(keep.size):
            keep[i] = given[i] != ignored
        counts[task] = -1 if highest >= np.uint64(classes) else count
        if weights.size and counts[task] >= 0:
            for i in range(own.size):
                share[i] = weights[own[i]] if keep[i] else 0.0


def of_ids(ids, shape, ignored, classes, weights=None):
    """See ``cross_entropy.shares``."""
    target, kept, sharp = empty(ids.size, np.int64), empty(ids.size, np.bool_), empty(ids.size, np.float64)
    counts = np.empty(-(-ids.size // PIECE), np.int64)
    weights = sharp[:0] if weights is None else weights
    launch(_share, counts.size, ids.reshape(-1), ignored, classes, weights, target, kept, sharp, counts, work=2 * ids.size)
    numbers = counts.tolist()
    if -1 in numbers:
        return None
    return target.reshape(shape), kept.reshape(shape), sharp.reshape(shape), sum(numbers)
