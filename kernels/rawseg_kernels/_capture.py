"""What a CUDA graph that is being captured puts off, and what it has to keep alive.

During a capture nothing is computed: a check that asks an array for its values can be answered after a replay only, random
numbers have to come anew for each replay, and arrays that the graph reads must not die, since a graph holds addresses.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np


class _Threads(threading.local):
    capture: Capture | None = None  # what each thread begins with: to ask for what is not there takes five times as long


_threads = _Threads()


class Capture:
    """What was met while a graph was captured.

    Attributes
    ----------
    kept : list of ndarray
        Arrays that the graph reads and that somebody else might let go, such as tables of numbers.
    drawn : list of (ndarray, callable)
        Arrays that are filled anew before each replay, and what gives their content on the host.
    checks : list of (ndarray, callable)
        Arrays of shape () that are True after a replay which has met a wrong value, and what returns the error.
    failed : ndarray or None
        Whether one of the checks is True.
    """

    def __init__(self) -> None:
        self.kept: list[Any] = []
        self.drawn: list[tuple[Any, Callable[[], np.ndarray]]] = []
        self.checks: list[tuple[Any, Callable[[], Exception]]] = []
        self.failed: Any = None

    def close(self) -> None:
        """Let the graph sum up its checks in one bool: the last thing that is captured."""
        for flag, _ in self.checks:
            self.failed = flag if self.failed is None else self.failed | flag

    def refresh(self) -> None:
        """Fill what is drawn anew for each replay."""
        for array, draw in self.drawn:
            array.set(np.ascontiguousarray(draw()))

    def check(self) -> None:
        """Raise the first error of a replay; one bool is read back, which waits for the GPU, if there are checks at all."""
        if self.failed is not None and bool(self.failed):
            raise next(error() for flag, error in self.checks if flag)


def current() -> Capture | None:
    """Return the capture that this thread is in."""
    return _threads.capture


@contextmanager
def capturing(capture: Capture) -> Iterator[Capture]:
    """Put off into ``capture`` while this lasts."""
    before, _threads.capture = current(), capture
    try:
        yield capture
    finally:
        _threads.capture = before


def refuse(wrong: Any, error: Callable[[], Exception]) -> None:
    """Raise ``error()`` if any element of a bool array is True; in a capture, after each replay that finds it so."""
    capture = current()
    if capture is not None and not isinstance(wrong, (np.ndarray, np.generic)):
        capture.checks.append((wrong.any(), error))
    elif wrong.any():
        raise error()
