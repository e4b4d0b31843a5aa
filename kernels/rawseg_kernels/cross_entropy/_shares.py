"""What class ids come to in a cross entropy, in one pass by all threads: a copy of them, which count, and how much."""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._jit import kernel
from .._threads import launch

PIECE = 1 << 12  # ids of a task: they stay in the nearest cache
IDS, FLAGS, WIDE = np.dtype(np.int64), np.dtype(np.bool_), np.dtype(np.float64)
NO_WEIGHTS = np.empty(0)


@kernel
def _share(first, last, ids, ignored, classes, weights, target, kept, sharp, counts):
    """Tell of every piece how many ids count, or -1 if one of these is no class."""
    for task in range(first, last):
        start, end = task * PIECE, min(task * PIECE + PIECE, ids.size)
        given, own = ids[start:end], target.reshape(-1)[start:end]
        keep, share = kept.reshape(-1)[start:end], sharp.reshape(-1)[start:end]
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
    target, kept, sharp = empty(shape, IDS), empty(shape, FLAGS), empty(shape, WIDE)
    counts = np.empty(-(-ids.size // PIECE), np.int64)
    arrays = NO_WEIGHTS if weights is None else weights, target, kept, sharp, counts
    launch(_share, counts.size, ids.reshape(-1), ignored, classes, *arrays, work=2 * ids.size)
    numbers = counts.tolist()
    if -1 in numbers:
        return None
    return target, kept, sharp, sum(numbers)
