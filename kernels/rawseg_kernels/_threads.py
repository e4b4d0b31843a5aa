"""How a kernel is spread over threads without the thread count ever reaching the bits.

A kernel is a compiled loop ``kernel(first, last, *arrays)`` over a range of *tasks*; a task owns its part of the output and
sums in an order of its own. Which thread runs which task is then of no consequence, so any thread count gives the same bits.
The threads are plain Python threads: the compiled loop releases the GIL, and there is no threading layer to pick, no pool
that a fork would break, and no limit on how many threads may call a kernel at once.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from ._errors import ArgumentError, ArgumentTypeError

CHUNKS_PER_THREAD = 4  # tasks are dealt out in this many portions a thread, so that a slow core does not hold up the others
SERIAL_WORK = 200_000  # below this many scalar operations, waking a thread (20-50 us) costs more than it saves

_lock = threading.Lock()
_pool: ThreadPoolExecutor | None = None


def _default_threads() -> int:
    asked = os.environ.get("RAWSEG_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


_num_threads = _default_threads()


def get_num_threads() -> int:
    """Return how many threads a CPU kernel may use."""
    return _num_threads


def set_num_threads(threads: int) -> None:
    """Let CPU kernels use this many threads; results are bitwise equal for every choice.

    Raises
    ------
    ArgumentTypeError
        If ``threads`` is not an int.
    ArgumentError
        If it is less than 1.
    """
    global _num_threads, _pool
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise ArgumentTypeError("set_num_threads", "threads", "an int", repr(threads))
    if threads < 1:
        raise ArgumentError("set_num_threads", "threads", "at least 1", threads)
    with _lock:
        _num_threads = threads
        _pool = None  # its threads end with the last caller that still holds it


def _workers() -> ThreadPoolExecutor:
    global _pool
    with _lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(max(1, _num_threads - 1), thread_name_prefix="rawseg-kernel")
        return _pool


def _after_fork() -> None:
    """Forget the parent's threads, which do not exist in a forked child."""
    global _pool, _lock
    _pool, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def launch(kernel: Callable[..., None], tasks: int, *args, work: int = SERIAL_WORK) -> None:
    """Run ``kernel(first, last, *args)`` so that every task in ``range(tasks)`` is covered exactly once.

    Parameters
    ----------
    kernel : callable
        Compiled with ``_jit.kernel``; writes only what the tasks ``first <= task < last`` own.
    tasks : int
        Number of tasks; may be 0.
    work : int
        Scalar operations of all tasks together; little work stays on the calling thread.
    """
    threads = min(_num_threads, tasks)
    if threads <= 1 or work < SERIAL_WORK:
        if tasks > 0:
            kernel(0, tasks, *args)
        return
    count = min(tasks, threads * CHUNKS_PER_THREAD)
    portions = iter([(i * tasks // count, (i + 1) * tasks // count) for i in range(count)])

    def drain() -> None:
        for first, last in portions:  # a list iterator's next() is atomic: no portion is dealt twice
            kernel(first, last, *args)

    pool = _workers()
    helpers = [pool.submit(drain) for _ in range(threads - 1)]
    try:
        drain()
    finally:
        for helper in helpers:
            helper.cancel()  # one that has not started yet has nothing left to do
    for helper in helpers:
        if not helper.cancelled():
            helper.result()
