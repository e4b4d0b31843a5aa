"""Threads that help at the desk of `_desk`: they look there for jobs as long as more seem to come, and then sleep.

A thread that sleeps is woken through Python, which takes some 30 us; one that looks joins a job within 1 us. Whether it is
worth to look for long, the last sleep tells: the launches of a network follow each other closely.
"""

from __future__ import annotations

import ctypes
import os
import threading
from contextlib import suppress
from time import perf_counter

from ._desk import DESK, clear

LONG, SHORT = 16_000, 500  # how often to look before a thread sleeps: some 600 us and 20 us
SOON = 1e-3  # seconds; a thread that slept no longer than this should have looked for longer

_current_cpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None
_cpus = (
    os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
)  # before an OpenMP runtime pins this thread to one

_lock = threading.Lock()
callers: list[None] = []  # as many as share out tasks now
_asleep: list[_Worker] = []
_workers = 0  # asleep or not
_is_open = False  # the desk, at which a single thread works, too


class _Worker:
    """A daemon thread, the ``place``-th: that is where it sits at the desk."""

    def __init__(self, place: int) -> None:
        self._place = place
        self._go = threading.Lock()  # as a signal: acquired by who waits, released by who tells
        self._go.acquire()
        self._avoided = -1
        self._thread = threading.Thread(target=self._serve, name="rawseg-kernel", daemon=True)
        self._thread.start()
        self._avoid_this_cpu()

    def wake(self) -> None:
        """Let a thread that sleeps look for jobs."""
        self._go.release()
        self._avoid_this_cpu()

    def _serve(self) -> None:
        from ._sharing import serve

        looks = LONG
        while True:
            serve(DESK, self._place, LONG, looks)  # whoever wakes a thread has a job for it
            slept = perf_counter()
            _asleep.append(self)
            if callers:  # they may have counted on this thread while it waited for Python's lock
                serve(DESK, self._place, LONG, SHORT)
            self._go.acquire()
            looks = LONG if perf_counter() - slept < SOON else SHORT

    def _avoid_this_cpu(self) -> None:
        """Keep the thread off the caller's CPU, where a scheduler may leave it for milliseconds once it has slept.

        A new one, too: a caller that an OpenMP runtime has pinned passes its one CPU on to the threads that it starts.
        """
        cpu = -1 if _current_cpu is None else _current_cpu()
        if cpu != self._avoided and _cpus - {cpu}:
            with suppress(OSError):  # of a system that has taken CPUs away
                os.sched_setaffinity(self._thread.native_id or 0, _cpus - {cpu})
                self._avoided = cpu


def are_awake() -> bool:
    """Return whether a thread looks for jobs now."""
    return _workers > len(_asleep)


def call_in(count: int) -> None:
    """See to it that at least ``count`` threads look for jobs, or will soon; the caller is one of `callers`."""
    global _workers, _is_open
    if _is_open and _workers - len(_asleep) >= count:
        return
    from ._sharing import open_desk

    open_desk()
    _is_open = True
    with _lock:
        while _workers - len(_asleep) < count:
            if _asleep:
                _asleep.pop().wake()
                continue
            try:
                _Worker(_workers)
            except RuntimeError:  # the system has no more threads, or the process is ending
                return
            _workers += 1


def _after_fork() -> None:
    """Forget the parent's threads, which do not exist in a forked child, and what they were at."""
    global _asleep, _workers, _lock
    _asleep, _workers, _lock = [], 0, threading.Lock()
    callers.clear()
    clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
