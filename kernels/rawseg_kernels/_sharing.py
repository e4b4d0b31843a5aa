"""How threads share the tasks of a kernel in compiled code, without Python and its lock: a hand-over takes about 1 us.

The caller opens a job on the desk and begins to work at it; threads that look at the desk join while it is open. Each takes one
portion of the tasks after another until none is left. Then the caller closes the job and waits for those who have joined. It
waits for nobody else: a thread that comes too late finds nothing to do, and a caller who finds the desk taken works alone.

A thread has a *seat*, and begins with the portions of that seat: the same part of every job, so that what it wrote in one job
it reads in the next, from its own core's cache. Only then does it take what the others have not come to. Every other job takes
the portions of a seat from the last to the first: what a job came to last is in the cache, and what it began with no longer.
"""

from __future__ import annotations

from functools import cache

from numba import int64

from ._atomics import add, call, give_way, look, pause, put, swap
from ._desk import (
    CONTEXT,
    GUESTS,
    JOINED,
    LINE,
    MOST_SEATS,
    NEXT,
    NUMBERS,
    OPEN,
    PORTIONS,
    PORTIONS_PER_THREAD,
    SEATS,
    STATE,
    TAKEN,
    TASKS,
    TRAMPOLINE,
    introduce,
)
from ._jit import kernel, piece

PAUSES = 256  # how often a thread that waits looks before it lets others of this machine go first


@piece
def work(desk, thread, seat):
    """Run portions of the job's tasks until none is left, the seat's own first."""
    portions, tasks, seats = look(desk, PORTIONS), look(desk, TASKS), look(desk, SEATS)
    trampoline, context = look(desk, TRAMPOLINE), look(desk, CONTEXT)
    backwards = look(desk, STATE) >> 32 & 1
    for turn in range(seats):
        side = (seat + turn) % seats
        begin, end = side * portions // seats, (side + 1) * portions // seats
        if look(desk, NEXT + side * LINE) >= end:  # to look disturbs nobody
            continue
        portion = add(desk, NEXT + side * LINE, 1)
        while portion < end:
            turned = begin + end - 1 - portion if backwards else portion
            call(trampoline, context, thread, turned * tasks // portions, (turned + 1) * tasks // portions)
            portion = add(desk, NEXT + side * LINE, 1)


@piece
def wait_a_little(looks):
    """Pause for the ``looks``-th time."""
    if looks % PAUSES:
        pause()
    else:
        give_way()


@kernel
def share(desk, trampoline, context, threads, tasks):
    """Run a job's tasks with up to ``threads`` threads, this one among them."""
    if not swap(desk, TAKEN, 0, 1):
        call(trampoline, context, 0, 0, tasks)
        return
    put(desk, TRAMPOLINE, trampoline)
    put(desk, CONTEXT, context)
    put(desk, TASKS, tasks)
    portions, seats = min(tasks, threads * PORTIONS_PER_THREAD), min(threads, MOST_SEATS)
    put(desk, PORTIONS, portions)
    put(desk, GUESTS, threads - 1)
    put(desk, SEATS, seats)
    for seat in range(seats):
        put(desk, NEXT + seat * LINE, seat * portions // seats)
    number = (look(desk, STATE) >> 32) + 1 & NUMBERS
    put(desk, STATE, number << 32 | OPEN)
    work(desk, 0, 0)
    add(desk, STATE, -OPEN)
    looks = 0
    while look(desk, STATE) & JOINED:
        looks += 1
        wait_a_little(looks)
    put(desk, TAKEN, 0)


@kernel
def serve(desk, place, first_looks, looks):
    """Join jobs, until there was nothing to join for as many ``looks``, or ``first_looks`` before the first.

    Seat 0 is the caller's; a thread takes the ``place``-th of the others, or, if there are fewer, one that is also another's.
    """
    done, left = -1, first_looks
    while left > 0:
        state = look(desk, STATE)
        joined = state & JOINED
        if state & OPEN and state >> 32 != done and joined < look(desk, GUESTS):
            if swap(desk, STATE, state, state + 1):
                work(desk, joined + 1, 1 + place % (look(desk, SEATS) - 1))
                add(desk, STATE, -1)
                done, left = state >> 32, looks
        else:
            left -= 1
            wait_a_little(left)


@cache
def open_desk() -> None:
    """Compile both sides, and tell the kernels that Python has entered or will enter."""
    share.compile(tuple([int64] * 5))
    (compiled,) = share.overloads.values()
    introduce(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
    serve.compile(tuple([int64] * 4))
