"""How a kernel is spread over threads without the thread count ever reaching the bits.

A kernel is a compiled loop ``kernel(first, last, *arrays)`` over a range of *tasks*; a task owns its part of the output and
sums in an order of its own. Which thread runs which task is then of no consequence, so any thread count gives the same bits.
The threads are plain Python threads that take tasks in compiled code (`_sharing`), without the GIL: there is no threading layer
to pick, no pool that a fork would break, and no limit on how many threads may call a kernel at once: one has help, the others
work alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from . import _arena
from ._errors import ArgumentError, ArgumentTypeError
from ._workers import are_awake, call_in, callers

QUOTA = "/sys/fs/cgroup/cpu.max"
SERIAL_WORK = 30_000  # for less work than this, some 5 us, other threads cost more than they save
WAKING = 4  # for less than so many times as much, only threads that are awake help: to wake one costs some 20 us


def _default_threads() -> int:
    asked = os.environ.get("RAWSEG_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    try:
        there = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        there = os.cpu_count() or 1
    return min(there, _quota(QUOTA) or there)


def _quota(file: str) -> int:
    """Return how many CPUs' time a container may use, rounded up, or 0: more threads than that only use it up sooner."""
    try:
        with open(file, encoding="ascii") as lines:
            share, period = lines.read().split()
            return -(-int(share) // int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no such file, or "max"
        return 0


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


def launch(
    kernel: Callable[..., None], tasks: int, *args, work: int = WAKING * SERIAL_WORK, scratch: tuple[int, Any] | None = None
) -> None:
    """Run ``kernel(first, last, *args)`` so that every task in ``range(tasks)`` is covered exactly once.

    Parameters
    ----------
    kernel : callable
        Compiled with ``_jit.kernel``, whose first arguments are named so; writes only what the tasks ``first <= task < last``
        own. Portions of the tasks are run in any order. A plain function runs on the calling thread.
    tasks : int
        Number of tasks; may be 0.
    work : int
        How long all tasks take together, in scalar operations of some 0.2 ns; who sums in vectors counts a share of them.
        Little work stays on the calling thread, all at once.
    scratch : (int, dtype), optional
        Elements, at least, of an uninitialised array that every thread has for itself: the kernel's third argument, named
        ``scratch``.
    """
    threads, shared = min(_num_threads, tasks), getattr(kernel, "is_shared", None)
    if shared is False:
        raise TypeError(f"{kernel.__name__}: expected a kernel(first, last, ...), got other names: threads could not share it")
    waking = work >= WAKING * SERIAL_WORK
    if tasks <= 1 or shared is None or work < SERIAL_WORK or not (waking or (threads > 1 and are_awake())):
        if tasks > 0:
            kernel(0, tasks, *_own(scratch, 1), *args)
        return
    try:
        callers.append(None)
        if waking:
            call_in(threads - 1)
        kernel(-threads, tasks, *_own(scratch, threads), *args)
    finally:
        if callers:  # else a signal's handler has forked inside of this call
            callers.pop()


def _own(scratch: tuple[int, Any] | None, threads: int) -> tuple:
    """Return scratch for all threads: whole lines of a cache for each."""
    if scratch is None:
        return ()
    size, dtype = scratch
    line = _arena.LINE // dtype.itemsize
    return (_arena.scratch(-(-size // line) * line * threads, dtype),)
