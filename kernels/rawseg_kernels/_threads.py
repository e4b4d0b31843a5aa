"""How a kernel is spread over threads without the thread count ever reaching the bits.

A kernel is a compiled loop ``kernel(first, last, *arrays)`` over a range of *tasks*; a task owns its part of the output and
sums in an order of its own. Which thread runs which task is then of no consequence, so any thread count gives the same bits.
The threads are plain Python threads: the compiled loop releases the GIL, and there is no threading layer to pick, no pool
that a fork would break, and no limit on how many threads may call a kernel at once: who finds no worker idle works alone.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import Any

from ._arena import empty
from ._errors import ArgumentError, ArgumentTypeError
from ._workers import Worker

CHUNKS_PER_THREAD = 4  # tasks are dealt out in this many portions a thread, so that a slow core does not hold up the others
SERIAL_WORK = 200_000  # below this many scalar operations, waking a thread (20-50 us) costs more than it saves

_lock = threading.Lock()
_idle: list[Worker] = []
_workers = 0  # idle or not


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
    """Let CPU kernels use this many threads, and NumPy's BLAS and Numba's own parallel loops as many; bits do not depend on it.

    Raises
    ------
    ArgumentTypeError
        If ``threads`` is not an int.
    ArgumentError
        If it is less than 1.
    """
    global _num_threads
    if isinstance(threads, bool) or not isinstance(threads, int):
        raise ArgumentTypeError("set_num_threads", "threads", "an int", repr(threads))
    if threads < 1:
        raise ArgumentError("set_num_threads", "threads", "at least 1", threads)
    _num_threads = threads
    _limit_others(threads)


def _limit_others(threads: int) -> None:
    """Give the thread pools that are not ours the same number: whoever mixes them with our kernels wants no more threads."""
    import threadpoolctl

    threadpoolctl.threadpool_limits(threads, "blas")
    layer = sys.modules.get("numba.np.ufunc.parallel")
    if layer is not None and getattr(layer, "_is_initialized", False):
        numba = sys.modules["numba"]
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))


def _take(count: int) -> list[Worker]:
    """Return up to ``count`` idle workers, and no more than the setting allows all callers together."""
    global _workers
    with _lock:
        taken = [_idle.pop() for _ in range(min(count, len(_idle)))]
        while len(taken) < count and _workers < _num_threads - 1:
            taken.append(Worker())
            _workers += 1
        return taken


def _after_fork() -> None:
    """Forget the parent's threads, which do not exist in a forked child."""
    global _idle, _workers, _lock
    _idle, _workers, _lock = [], 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def launch(
    kernel: Callable[..., None], tasks: int, *args, work: int = SERIAL_WORK, scratch: tuple[int, Any] | None = None
) -> None:
    """Run ``kernel(first, last, *args)`` so that every task in ``range(tasks)`` is covered exactly once.

    Parameters
    ----------
    kernel : callable
        Compiled with ``_jit.kernel``; writes only what the tasks ``first <= task < last`` own.
    tasks : int
        Number of tasks; may be 0.
    work : int
        Scalar operations of all tasks together; little work stays on the calling thread.
    scratch : (int, dtype), optional
        Elements of an uninitialised array that every thread has for itself: the kernel's third argument.
    """
    threads = min(_num_threads, tasks)
    if threads <= 1 or work < SERIAL_WORK:
        if tasks > 0:
            kernel(0, tasks, *_own(scratch), *args)
        return
    count = min(tasks, threads * CHUNKS_PER_THREAD)
    portions = iter([(i * tasks // count, (i + 1) * tasks // count) for i in range(count)])

    def drain() -> None:
        own = _own(scratch)
        for first, last in portions:  # a list iterator's next() is atomic: no portion is dealt twice
            kernel(first, last, *own, *args)

    _share(drain, portions, threads - 1)


def _own(scratch: tuple[int, Any] | None) -> tuple:
    return () if scratch is None else (empty(*scratch),)


def _share(drain: Callable[[], None], portions: object, count: int) -> None:
    """Drain the portions here and on ``count`` workers; return when nobody is at work any more, and raise what went wrong."""
    started: list[Worker] = []
    errors: list[BaseException | None] = []
    workers = _take(count)
    try:
        for worker in workers:
            worker.start(drain)
            started.append(worker)
        drain()
    finally:
        for _ in portions:  # type: ignore[attr-defined] # after an error, nobody begins another
            pass
        errors += [worker.wait() for worker in started]
        with _lock:
            _idle.extend(workers)
    for error in errors:
        if error is not None:
            raise error
