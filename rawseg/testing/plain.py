"""Every operation on its plain loops: what the others are compared with."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from rawseg_kernels._algorithms import reference, substituted

ONE_AT_A_TIME = threading.RLock()  # held while definitions count, and by whoever compares with them, from beginning to end
watchers: list[Callable[[], None]] = []  # called when definitions begin to count, and when they no longer do
_entered = 0
_here: ContextVar[bool] = ContextVar("definitions count here", default=False)


def definitions_count() -> bool:
    """Return whether this thread is within `plain_kernels`."""
    return _here.get()


def definitions_count_somewhere() -> bool:
    """Return whether some thread is within `plain_kernels`."""
    return _entered > 0


@contextmanager
def plain_kernels() -> Iterator[None]:
    """Run every kernel as the loops of its ``reference.py``, whatever algorithm is asked for, while this lasts.

    Models, losses and derivatives of every order then come of definitions alone. Only the thread that asks sees it; another one
    that asks for it, or for a check, waits until it is over. Faults that are planted wait as well, those in the code of
    functions for all threads.

    Examples
    --------
    >>> import rawseg
    >>> x, weight = rawseg.ones(1, 1, 3, 3), rawseg.ones(1, 1, 2, 2)
    >>> with plain_kernels():
    ...     print(rawseg.functional.conv2d(x, weight).numpy().tolist())
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    with ONE_AT_A_TIME:
        before = _here.set(True)
        try:
            _count(1)
            with substituted(reference, everywhere=False):
                yield
        finally:
            _here.reset(before)
            _count(-1)


def _count(step: int) -> None:
    global _entered
    before, _entered = _entered, _entered + step
    if (before == 0) != (_entered == 0):
        for tell in watchers:
            tell()
