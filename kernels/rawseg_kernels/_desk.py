"""The one job that all threads work on together, as words of memory that compiled code reads and writes.

Every word has a line of the cache for itself or for the words that are written with it, so that a thread which looks at one is
not disturbed by who writes another.
"""

from __future__ import annotations

import ctypes

LINE = 8  # words of 8 bytes
STATE = 0 * LINE  # number of the job, times 2 ** 32; OPEN, while more threads may join; how many have joined and not left
SHARE = 1 * LINE  # address of `_sharing.share`, which compiled kernels call; beside it what is written once a job
# The job: what to call, how often, in how many portions, by how many more threads, and at how many seats.
TRAMPOLINE, CONTEXT, TASKS, PORTIONS, GUESTS, SEATS = range(SHARE + 1, SHARE + 7)
TAKEN = 2 * LINE  # 1 while a caller owns the job
NEXT = 3 * LINE  # of each seat, a line apart: the portion of its own that nobody has taken yet
MOST_SEATS = 64
OPEN, JOINED, NUMBERS = 1 << 31, (1 << 31) - 1, (1 << 31) - 1  # the parts of STATE, and the largest number of a job
WORDS = NEXT + MOST_SEATS * LINE
PORTIONS_PER_THREAD = 4  # in so many a thread tasks are dealt out, so that a slow core does not hold up the others

_memory = (ctypes.c_int64 * (WORDS + LINE))()  # never freed: threads look at it until the process ends
_skipped = -ctypes.addressof(_memory) // 8 % LINE
DESK = ctypes.addressof(_memory) + 8 * _skipped


def clear() -> None:
    """Forget the job, whose threads do not exist in a forked child."""
    for word in (STATE, TAKEN):
        _memory[_skipped + word] = 0


def introduce(share: int) -> None:
    """Tell compiled kernels where the compiled `_sharing.share` is."""
    _memory[_skipped + SHARE] = share
