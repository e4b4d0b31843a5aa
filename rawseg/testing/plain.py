"""Every operation on its plain loops: what the others are compared with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rawseg_kernels._algorithms import reference, substituted

watchers: list[Callable[[], None]] = []  # called when definitions begin to count, and when they no longer do
_lock = threading.RLock()
_entered = 0


def definitions_count() -> bool:
    """Return whether `plain_kernels` is entered, anywhere."""
    return _entered > 0


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Run every kernel as the loops of its ``reference.py``, whatever algorithm is asked for, while this lasts.

    Models, losses and derivatives of every order then come of definitions alone: faults that are planted wait until it is
    over. All threads see it.

    Examples
    --------
    >>> import rawseg
    >>> x, weight = rawseg.ones(1, 1, 3, 3), rawseg.ones(1, 1, 2, 2)
    >>> with plain_kernels():
    ...     print(rawseg.functional.conv2d(x, weight).numpy().tolist())
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    _count(1)
    try:
        with substituted(reference):
            yield
    finally:
        _count(-1)


def _count(step: int) -> None:
    global _entered
    with _lock:
        before, _entered = _entered, _entered + step
        if (before == 0) != (_entered == 0):
            for tell in watchers:
                tell()
