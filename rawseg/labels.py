"""What a mask may hold: integer class ids in a range; one check with one clear message for files and for metrics."""

from __future__ import annotations

import numpy as np

from rawseg_kernels._arrays import are_within
from rawseg_kernels._capture import current, refuse

from .errors import IndexRangeError, RawsegError


def check_class_ids(
    op: str,
    argument: str,
    ids: np.ndarray,
    num_classes: int,
    kept: np.ndarray | None = None,
    error: type[RawsegError] = IndexRangeError,
) -> None:
    """Check that all ids lie in ``range(num_classes)``.

    Parameters
    ----------
    op, argument : str
        What the message begins with.
    ids : ndarray, any shape
        Integers.
    num_classes : int
        Number of classes.
    kept : ndarray of bool, the shape of ``ids``, optional
        Where to look; by default everywhere.
    error : type
        The error class to raise.

    Raises
    ------
    IndexRangeError
        Or ``error``: with the first id out of range and its position.
    """
    if are_within(ids, 0, num_classes):
        return
    if isinstance(ids, np.ndarray) and current() is None and ids.size and ids.min() >= 0 and ids.max() < num_classes:
        return  # two passes over memory, where the rest takes four
    bad = (ids < 0) | (ids >= num_classes)
    if kept is not None:
        bad &= kept

    def found() -> RawsegError:
        at = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
        got = f"{int(ids[at])} at {at}"
        seen = np.unique(ids if kept is None else ids[kept])
        if ((seen == 0) | (seen == 255)).all():
            got += "; it looks like a 0/255 mask: divide it by 255 (mask // 255)"
        return error(op, argument, f"class ids 0..{num_classes - 1}", got)

    refuse(bad, found)
