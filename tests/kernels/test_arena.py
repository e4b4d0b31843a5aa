"""Memory that is used again: never while anything refers to it, never more than the limit, whoever asks from wherever."""

from __future__ import annotations

import gc
import mmap
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.autograd import memory
from rawseg_kernels import _arena
from rawseg_kernels._arena import LINE, SMALLEST, empty, memory_of, zeros

SHAPE = (4, 100, 100)  # 160 kB in float32


@pytest.fixture
def arena(monkeypatch):
    """An arena of its own."""
    gc.collect()
    fresh = _arena._Arena()
    monkeypatch.setattr(_arena, "_arena", fresh)
    return fresh


@pytest.fixture
def one_thread():
    """How many threads are at work at once, each with memory of its own, is up to the operating system."""
    before = rawseg.get_num_threads()
    rawseg.set_num_threads(1)
    yield
    rawseg.set_num_threads(before)


def address(array):
    return array.__array_interface__["data"][0]


@pytest.mark.spec("all.reused-memory")
def test_memory_comes_back_when_the_last_view_dies(arena):
    first = empty(SHAPE, np.float32)
    place, view = address(first), first.reshape(-1)[5:].T[::2]
    del first
    assert address(empty(SHAPE, np.float32)) != place
    del view
    assert address(empty(SHAPE, np.float32)) == place
    assert (arena.hits, arena.misses) == (1, 2)


HOLDERS = {
    "memoryview": memoryview,
    "list": lambda array: [array],
    "dlpack": np.from_dlpack,
    "strides": lambda array: np.lib.stride_tricks.as_strided(array, (3,), (8,)),
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_whatever_holds_an_array_holds_its_memory(arena, holder):
    array = empty(SHAPE, np.float32)
    place = address(array)
    array.fill(7)
    kept = HOLDERS[holder](array)
    del array
    other = empty(SHAPE, np.float32)
    other.fill(9)
    assert address(other) != place
    assert np.asarray(kept).reshape(-1)[0] == 7


def test_arrays_are_aligned_contiguous_writable_and_of_their_dtype(arena):
    for dtype in (np.float32, np.float64, np.int64, np.uint8, bool):
        for array in (empty(SHAPE, dtype), empty(100_000, dtype), zeros((3, 1, 50_000), dtype)):
            assert array.dtype == dtype
            assert address(array) % LINE == 0 or array.nbytes < SMALLEST
            assert array.flags.c_contiguous
            assert array.flags.writeable
            assert type(array) is np.ndarray
    assert not zeros(SHAPE, np.float32).any()


def test_small_arrays_are_numpys_own(arena):
    assert empty((3, 4), np.float32).base is None
    assert empty((0, 10**6), np.float32).shape == (0, 10**6)
    assert arena.misses == 0


@pytest.mark.spec("all.reused-memory")
def test_the_last_block_of_a_size_is_taken_whole(arena):
    held = [empty(nbytes, np.uint8) for nbytes in (200_000, 70_016, 200_000, 70_016, 300_032, 70_016)]
    places = [address(array) for array in held]
    del held[4], held[2], held[0]
    assert [address(empty(200_000, np.uint8)) for _ in range(2)] == [places[0]] * 2
    both = empty(200_000, np.uint8), empty(200_000, np.uint8)
    assert [address(array) for array in both] == [places[0], places[2]]
    assert (arena.hits, arena.misses, arena.live) == (4, 6, sum(array.nbytes for array in (*held, *both)))


def test_few_blocks_wait_for_their_size(arena):
    held = [empty(100_032, np.uint8) for _ in range(2 * _arena.SPARE)]
    for died in range(len(held)):
        assert len(arena.spare) == died % (_arena.SPARE + 1)
        held.pop()
    assert arena.cached == 2 * _arena.SPARE * 100_032


def test_neighbours_that_are_free_serve_as_one_and_what_is_left_serves_others(arena):
    held = [empty(nbytes, np.uint8) for nbytes in (200_000, 100_000, 150_000, 70_000)]
    places = [address(array) for array in held]
    del held[1:3]
    assert address(empty(250_000, np.uint8)) == places[1]
    part, rest = empty(80_000, np.uint8), empty(90_000, np.uint8)
    assert (address(part), address(rest)) == (places[1], places[1] + 80_000)
    assert (arena.hits, arena.misses, len(arena.segments)) == (3, 4, 1)


def test_the_smallest_place_that_suffices_is_taken(arena):
    held = [empty(nbytes, np.uint8) for nbytes in (200_000, 70_016, 100_032, 70_016, 300_032, 70_016)]
    places = [address(array) for array in held]
    del held[4], held[2], held[0]
    assert [address(array) for array in [empty(nbytes, np.uint8) for nbytes in (100_000, 150_000, 250_000)]] == [
        places[2],
        places[0],
        places[4],
    ]


def test_what_lies_free_is_bounded_and_the_far_end_goes_first(arena):
    arena.limit = 500_000
    arrays = [empty(100_000 * i, np.uint8) for i in range(1, 5)]
    while arrays:
        arrays.pop(0)
        assert 0 <= arena.cached <= arena.limit
    assert arena.cached > 0
    with arena.lock:
        arena._merge()
    assert arena.segments[0].ranges.high <= arena.limit
    empty(10**7, np.uint8)
    assert arena.cached <= arena.limit
    _arena.empty_cache()
    assert (arena.cached, arena.live, arena.segments) == (0, 0, [])


def test_of_several_segments_the_smallest_place_is_taken_and_the_last_are_given_up_first(arena, monkeypatch):
    monkeypatch.setattr(_arena, "SEGMENT", 10**6)
    held = [empty(nbytes, np.uint8) for nbytes in (500_032, 400_000, 300_032, 600_000, 700_032, 200_000)]
    assert [segment.ranges.top for segment in arena.segments] == [900_032, 900_032, 900_032]
    places = [address(array) for array in held]
    del held[4], held[2], held[0]
    assert address(empty(300_000, np.uint8)) == places[2]
    arena.limit = 900_000
    del held[-1]
    last = 99_936 // mmap.PAGESIZE * mmap.PAGESIZE
    assert [segment.ranges.cached for segment in arena.segments] == [500_032, 300_032, last]


def test_used_memory_is_taken_before_new_memory(arena, monkeypatch):
    monkeypatch.setattr(_arena, "SEGMENT", 10**6)
    first, second = empty(600_000, np.uint8), empty(700_000, np.uint8)
    place = address(second)
    del second
    assert address(empty(300_000, np.uint8)) == place
    assert (arena.hits, arena.misses) == (1, 2)
    assert address(empty(300_000, np.uint8)) != address(first)


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
def test_free_memory_between_arrays_goes_back_to_the_operating_system(arena):
    first, between, last = empty(10**6, np.uint8), zeros(2 * 10**8, np.uint8), empty(10**6, np.uint8)
    first.fill(1), last.fill(2)
    before = resident()
    del between
    assert resident() > before - 10**7  # kept for the next array
    _arena.empty_cache()
    assert resident() < before - 1.8e8
    assert arena.cached == 0
    assert (first == 1).all()
    assert (last == 2).all()
    between = zeros(2 * 10**8, np.uint8)
    assert arena.misses == 4
    assert address(first) < address(between) < address(last)


@pytest.mark.skipif(not hasattr(mmap, "MAP_PRIVATE"), reason="address space has a price here")
def test_a_segment_that_cannot_be_had_may_be_shorter(arena, monkeypatch):
    monkeypatch.setattr(_arena, "SEGMENT", 2**62)
    array = empty(10**6, np.uint8)
    array.fill(1)
    assert arena.segments[0].ranges.size == -(-array.nbytes // LINE) * LINE
    other = empty(10**6, np.uint8)
    assert len(arena.segments) == 2
    assert not np.shares_memory(array, other)


@pytest.mark.skipif(_arena.FORGET is None, reason="no pages are given up here")
def test_pages_that_cannot_be_given_up_stay_and_the_count_is_right(arena, monkeypatch):
    class Locked:
        def madvise(self, *arguments):
            raise OSError

    first, second = empty(10**6, np.uint8), empty(10**6, np.uint8)
    memory, arena.segments[0].memory = arena.segments[0].memory, Locked()
    del second
    _arena.empty_cache()
    arena.segments[0].memory = memory
    assert (arena.live, arena.cached) == (first.nbytes, 0)
    assert address(empty(10**6, np.uint8)) > address(first)


LIMITED = """
import resource
from pathlib import Path
import numpy as np
from rawseg_kernels._arena import empty
mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (mapped + 3 * 2**30,) * 2)
first = empty(2**31, np.uint8)
del first
empty(5 * 2**29, np.uint8)
"""

OUTLIVED = """
import builtins
import numpy as np
from rawseg_kernels import _arena
_arena._arena.limit = 0
builtins.kept = [_arena.empty(100_000, np.float64) for _ in range(4)]
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc/self/statm")
@pytest.mark.parametrize("program", [LIMITED, OUTLIVED], ids=["what lies free makes room", "the interpreter may end first"])
def test_a_program_of_its_own(program):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("nbytes", [2**62, 2**70])
def test_no_memory_is_said_and_leaves_the_counts_alone(arena, nbytes):
    with pytest.raises(MemoryError, match=f"expected memory for {nbytes} bytes, got none"):
        empty(nbytes, np.uint8)
    assert (arena.live, arena.cached, arena.peak) == (0, 0, 0)
    assert arena.lock.acquire(blocking=False)


def test_the_statistics_add_up(arena):
    stats = rawseg.memory_stats
    one = empty(SHAPE, np.float32)
    size = stats()["live"]
    assert size == 160_000
    two = empty(SHAPE, np.float32)
    assert stats()["peak"] == stats()["live"] == 2 * size
    del two
    assert (stats()["live"], stats()["cached"], stats()["peak"]) == (size, size, 2 * size)
    rawseg.reset_peak_memory_stats()
    assert stats()["peak"] == size
    del one
    rawseg.empty_cache()
    assert stats() | {"limit": 0} == {"live": 0, "peak": size, "cached": 0, "limit": 0, "hits": 0, "misses": 2}


def test_training_steps_soon_ask_for_no_new_memory(arena, one_thread):
    x, weight = rawseg.randn(2, 8, 64, 64), rawseg.randn(8, 8, 3, 3, requires_grad=True)

    def step():
        loss = F.max_pool2d(F.relu(F.conv2d(x, weight, padding=1) + x), 2).sum()
        weight.grad = None
        loss.backward()

    for _ in range(2):  # the second may cut up a block that the first had whole
        step()
    before = arena.misses
    for _ in range(3):
        step()
    assert arena.misses == before


def test_a_death_inside_the_lock_is_not_waited_for(arena):
    array = empty(SHAPE, np.float32)
    place = address(array)
    with arena.lock:
        del array  # as the garbage collector may do inside `take`
    assert len(arena.dead) == 1
    assert address(empty(SHAPE, np.float32)) == place
    assert (arena.hits, arena.live, arena.dead) == (1, 0, [])


def test_threads_share_one_arena(arena):
    wrong = []

    def work(number):
        for _ in range(200):
            array = empty(20_000 + number, np.float64)
            array.fill(number)
            other = empty(20_000 + number, np.float64)
            other.fill(-1)
            if not (array == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert arena.live == 0


def test_a_gradient_keeps_its_whole_block_and_a_part_is_copied():
    whole, part = empty(SHAPE, np.float32), empty(SHAPE, np.float32)[1:]
    assert memory_of(whole.reshape(-1)) is memory_of(whole) is not None
    assert memory_of(part) is None
    small = np.ones((1, 3))
    assert memory_of(small) is small
    assert memory_of(small[0]) is memory_of(small.reshape(-1)[:]) is None
    assert memory_of(np.frombuffer(bytearray(4), np.uint8)) is None
    x = rawseg.randn(*SHAPE, requires_grad=True)
    y = rawseg.randn(*SHAPE, requires_grad=True)
    (x + y).sum().backward()
    assert not np.shares_memory(x.grad.array, y.grad.array)


def test_numpys_operations_on_reused_memory_have_its_bits():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 40, 50, 60)).astype(np.float32)
    for ufunc in (np.add, np.subtract, np.multiply, np.true_divide):
        for left, right in ((a, b), (a, b[:, :1]), (a[::2], b[1]), (a.transpose(1, 0, 2), b.transpose(1, 0, 2))):
            got = memory.computed(ufunc, left, right)
            assert got.flags.c_contiguous
            assert np.array_equal(got, ufunc(left, right))
    assert np.array_equal(memory.joined((a, b[:7]), 0), np.concatenate([a, b[:7]]))
    assert np.array_equal(memory.copied(a.T), a.T)
    assert memory.copied(a.T).flags.c_contiguous


POISONED = """
import numpy as np
from rawseg_kernels._arena import borrowed, empty, scratch, zeros
assert np.isnan(empty((3, 3), np.float32)).all() and np.isnan(empty((300, 300), np.float64)).all()
assert (empty(5, np.int64) == 127).all() and not zeros((300, 300), np.float32).any()
for _ in range(2):
    kept = scratch(100, np.dtype(np.float32))
    with borrowed(100, np.dtype(np.float32)) as lent:
        assert np.isnan(kept).all() and np.isnan(lent).all()
        kept.fill(0)
        lent.fill(0)
"""


def test_what_is_borrowed_is_nobody_elses_until_it_is_given_back():
    single, double, borrowed = np.dtype(np.float32), np.dtype(np.float64), _arena.borrowed
    _arena.empty_cache()
    with borrowed(100_000, single) as first, borrowed(50, single) as second:
        assert not np.shares_memory(first, second)
    with borrowed(50, single) as again, borrowed(50, double) as other:
        assert np.shares_memory(first, again)
        assert not np.shares_memory(first, other)
        with borrowed(50, single) as third:
            assert not np.shares_memory(again, third)
    with borrowed(200_000, single) as larger:
        assert larger.size >= 200_000
        assert not np.shares_memory(first, larger)
    with borrowed(_arena.LARGEST_SCRATCH // 4 + 1, single) as huge:
        pass
    with borrowed(100, single) as small:
        assert not np.shares_memory(huge, small)  # too much to keep
    with borrowed(200_000, single) as larger:
        pass
    del first, second, again, other, third, larger, huge, small
    before = _arena.memory_stats()["live"]
    _arena.empty_cache()
    assert _arena.memory_stats()["live"] <= before - 200_000 * single.itemsize


def test_a_place_is_not_lost_where_no_array_can_be_made():
    before = _arena.memory_stats()["live"]
    for _ in range(3):
        with pytest.raises(ValueError, match="negative"):
            empty((-1000, -1000), np.float32)
    assert _arena.memory_stats()["live"] == before


def test_scratch_is_the_threads_own_and_kept_for_its_next_kernel():
    single = np.dtype(np.float32)
    _arena.empty_cache()
    first = _arena.scratch(100_000, single)
    assert first.size == 100_000
    assert np.shares_memory(first, _arena.scratch(50, single))
    assert not np.shares_memory(first, _arena.scratch(50, np.dtype(np.float64)))
    larger = _arena.scratch(200_000, single)
    assert not np.shares_memory(first, larger)
    assert np.shares_memory(larger, _arena.scratch(100_000, single))
    others = []
    thread = threading.Thread(target=lambda: others.append(_arena.scratch(100, single)))
    thread.start()
    thread.join()
    assert not np.shares_memory(others[0], larger)
    huge = _arena.scratch(_arena.LARGEST_SCRATCH // 4 + 1, single)
    assert not np.shares_memory(huge, _arena.scratch(100, single))  # too much to keep
    del huge, first, larger
    before = _arena.memory_stats()["live"]
    _arena.empty_cache()
    assert _arena.memory_stats()["live"] <= before - 200_000 * single.itemsize


def test_memory_can_be_poisoned():
    environment = {**os.environ, "RAWSEG_POISON": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-c", POISONED], env=environment, check=True)


FORKED = """
import os, threading
import numpy as np
from rawseg_kernels import _arena
array = _arena.empty(100_000, np.float64)
array.fill(3)
with _arena._arena.lock:  # as if another thread were inside
    child = os.fork()
    if child == 0:
        old = array.base.place.segment.arena
        other = _arena.empty(100_000, np.float64)
        other.fill(4)
        del other
        right = (array == 3).all()
        del array
        os._exit(0 if right and old.dead == [] and _arena._arena is not old else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
"""


def test_a_forked_child_allocates_on():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-W", "ignore", "-c", FORKED], env=environment, check=True, timeout=60)
