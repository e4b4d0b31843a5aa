"""Whether arrays that a launch writes to share memory with others: its threads have no order."""

from __future__ import annotations

import numpy as np


def are_apart(starts: np.ndarray, ends: np.ndarray, read: int) -> bool:
    """Return whether no written array overlaps another one; the first ``read`` columns are only read."""
    spans = [np.stack([starts[part].ravel(), ends[part].ravel()], axis=1) for part in (slice(read), slice(read, None))]
    others, written = (span[span[:, 0] < span[:, 1]] for span in spans)  # an empty array is nowhere
    begin, end = written[np.argsort(written[:, 0])].T
    if (begin[1:] < end[:-1]).any():
        return False
    after = np.searchsorted(end, others[:, 0], side="right")  # the first written array that does not end before
    reached = np.append(begin, np.iinfo(np.int64).max)[after]
    return not (reached < others[:, 1]).any()
