"""Parked threads: each runs what it is handed, on another CPU than the thread that hands it over, and parks again.

A futex and the GIL are all that a hand-over takes, about 30 us; a pool's futures and queues take twice that.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable

_current_cpu = getattr(ctypes.CDLL(None), "sched_getcpu", None) if os.name == "posix" else None
_cpus = (
    os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
)  # before an OpenMP runtime pins this thread to one


class Worker:
    """A daemon thread that waits for work."""

    def __init__(self) -> None:
        self._go, self._done = threading.Lock(), threading.Lock()  # as signals: acquired by who waits, released by who tells
        self._go.acquire()
        self._done.acquire()
        self._job: Callable[[], None] | None = None
        self._error: BaseException | None = None
        self._avoided = -1
        self._thread = threading.Thread(target=self._serve, name="rawseg-kernel", daemon=True)
        self._thread.start()

    def start(self, job: Callable[[], None]) -> None:
        """Run ``job`` on the worker's thread; `wait` must follow."""
        self._avoid_this_cpu()
        self._job = job
        self._go.release()

    def wait(self) -> BaseException | None:
        """Wait until the job is done, whatever signals come; return what it raised, or the first that a signal did."""
        interrupted: BaseException | None = None
        while True:
            try:
                self._done.acquire()
                break
            except BaseException as signal:  # the arrays must not be let go while the job writes to them
                interrupted = interrupted or signal
        error, self._error = self._error, None
        return error or interrupted

    def _serve(self) -> None:
        while True:
            self._go.acquire()
            try:
                self._job()  # type: ignore[misc]
            except BaseException as error:
                self._error = error
            self._job = None
            self._done.release()

    def _avoid_this_cpu(self) -> None:
        """Keep the worker off the caller's CPU, where a scheduler may leave it for milliseconds once it has slept."""
        cpu = -1 if _current_cpu is None else _current_cpu()
        if cpu != self._avoided and _cpus - {cpu}:
            os.sched_setaffinity(self._thread.native_id or 0, _cpus - {cpu})
            self._avoided = cpu
