"""That threads share a kernel's tasks: each task is run once, whoever calls, joins late, sleeps, fails or has forked."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from numba import types
from numba.extending import intrinsic

from rawseg_kernels import _threads, _workers
from rawseg_kernels._atomics import add, give_way, look, put
from rawseg_kernels._desk import DESK, GUESTS, JOINED, STATE, TAKEN
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError
from rawseg_kernels._jit import kernel, unkept

PATIENCE = 1 << 34  # looks, some ten seconds, before a test says that another thread never came


@pytest.fixture
def threads():
    before = _threads.get_num_threads()
    yield _threads.set_num_threads
    _threads.set_num_threads(before)


@kernel
def count(first, last, out):
    """Add to each task's place what tells that it was run, and how often."""
    for task in range(first, last):
        out[task] += task + 1


@kernel
def meet(first, last, place, out):
    """Let each task wait for the other one: a single thread would wait in vain."""
    for task in range(first, last):
        put(place, task, 1)
        looks = 0
        while look(place, 1 - task) == 0 and looks < PATIENCE:
            looks += 1
        out[task] = look(place, 1 - task)


@kernel
def crowd(first, last, place, out):
    """Write down how many are at work at once, and let others come to work."""
    for task in range(first, last):
        out[task] = add(place, 0, 1) + 1
        for _ in range(20):
            give_way()
        add(place, 0, -1)


@kernel
def queue(first, last, place, out):
    """Write down when each task was begun; who began the first goes on when another thread has come."""
    for task in range(first, last):
        out[task], looks = add(place, 0, 1), 0
        while out[task] == 0 and look(place, 0) < 2 and looks < PATIENCE:
            looks += 1


@kernel
def order(first, last, place, out):
    """Write down when each task was begun."""
    for task in range(first, last):
        out[task] = add(place, 0, 1)


@kernel
def counted(first, last, arrays, out):
    """Write down which arrays would be counted by whoever takes hold of them, as kernels do that make arrays, too."""
    spare = np.zeros(1, np.int64)
    for task in range(first, last):
        spare[0] = counter(arrays[task])
        out[task] = spare[0]


@intrinsic
def counter(typing_context, array):
    """Return the address where NumPy's owner of an array is counted, or 0."""

    def generate(context, builder, signature, arguments):
        held = context.make_array(signature.args[0])(context, builder, arguments[0])
        return builder.ptrtoint(held.meminfo, context.get_value_type(types.int64))

    return types.int64(array), generate


@kernel
def claim(first, last, scratch, out):
    """Write the task all over the scratch, and say later whether it is still there; keep the scratch's size."""
    for task in range(first, last):
        scratch[:] = task
        total = 0
        for _ in range(100):
            for value in scratch:
                total += value == task
        out[task] = scratch.size if scratch.size * 100 == total else -1


@unkept
def fail_at_once(first, last, array):
    """Count the first task of a portion, and write outside of the array."""
    array[first] += 1
    array[array.size] = last


@unkept
def fail(first, last, array, at):
    """Count the tasks, and write outside of the array in one of them."""
    for task in range(first, last):
        if task == at:
            array[array.size] = 1
        array[task % array.size] += 1


@unkept
def begin_end(begin, end, out):
    out[begin:end] = 1


def all_sleep():
    """Wait until all threads sleep, as they do when nobody calls."""
    deadline = time.monotonic() + 60
    while len(_workers._asleep) < _workers._workers:
        assert time.monotonic() < deadline, "a thread that finds nothing to do does not go to sleep"
        time.sleep(0.001)  # the wait is for another thread


def keep_awake(monkeypatch):
    """Let threads that are woken from now on look for jobs for a second or so, however slow the machine is."""
    all_sleep()
    for looks in ("LONG", "SHORT"):
        monkeypatch.setattr(_workers, looks, 1 << 24)


def address(words):
    return words.__array_interface__["data"][0]


@pytest.fixture(autouse=True, scope="module")
def compiled():
    """Compile what waits for others: they go to sleep while a caller compiles, and he begins alone."""
    words = np.zeros(2, np.int64)
    for waiting in (meet, crowd, queue):
        waiting(0, 0, address(words), words)


@pytest.mark.parametrize("number", [1, 2, 3, 8])
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 100])
def test_launch_covers_every_task_once(threads, number, tasks):
    threads(number)
    hits = np.zeros(tasks, np.int64)
    for _ in range(20):  # others find the job at different moments
        _threads.launch(count, tasks, hits)
    assert np.array_equal(hits, 20 * (np.arange(tasks) + 1))


def assert_two_meet(work=1 << 30):
    words, met = np.zeros(2, np.int64), np.zeros(2, np.int64)
    _threads.launch(meet, 2, address(words), met, work=work)
    assert met.tolist() == [1, 1]


def test_two_threads_are_at_work_at_once(threads):
    threads(2)
    for _ in range(10):
        assert_two_meet()


def test_a_thread_that_sleeps_is_woken(threads):
    threads(2)
    for _ in range(3):
        assert_two_meet()
        all_sleep()


def test_no_more_threads_join_than_the_setting_allows_however_many_there_are(threads):
    threads(6)
    _threads.launch(count, 100, np.zeros(100, np.int64))
    assert _workers._workers >= 5
    threads(2)
    for _ in range(50):
        words, most = np.zeros(2, np.int64), np.zeros(64, np.int64)
        _threads.launch(crowd, 64, address(words), most)
        assert most.max() <= 2


@pytest.mark.parametrize("number", [2, 3])
def test_a_thread_begins_with_its_own_part_where_it_ended_last(threads, number):
    """What it wrote in one job it finds in its own core's cache in the next, and what it wrote last is still there."""
    threads(number)
    begun = []
    for _ in range(10):
        place, out = np.zeros(1, np.int64), np.full(4 * number, -1)
        _threads.launch(queue, 4 * number, address(place), out)
        assert sorted(out) == list(range(4 * number))
        begun.append(np.argmax(out == 0))
        assert begun[-1] in (0, 3)
        assert np.argmax(out == 1) in range(4 + begun[-1], 4 * number, 4)
    assert begun in ([0, 3] * 5, [3, 0] * 5)


def test_one_thread_turns_round_as_well(threads):
    threads(1)
    begun = []
    for _ in range(4):
        place, out = np.zeros(1, np.int64), np.full(100, -1)
        _threads.launch(order, 100, address(place), out)
        assert sorted(out) == list(range(100))
        assert (np.diff(out)[:24] == 1).all()  # inside of a portion tasks are in order
        begun.append(np.argmax(out == 0))
    assert begun in ([0, 75] * 2, [75, 0] * 2)


def test_nobody_counts_who_holds_the_arrays_of_a_kernel():
    """Threads that count up and down in one place take turns at it."""
    out = np.full(2, -1)
    counted(0, 2, (np.ones(3), np.ones(4)), out)
    assert (out == 0).all()


def test_who_asks_for_scratch_has_an_argument_of_this_name():
    """Only by its name do threads know that they must not share it."""
    asking, having = set(), set()
    for path in Path(_threads.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef) and [a.arg for a in node.args.args[:3]] == ["first", "last", "scratch"]:
                having.add(node.name)
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "launch":
                asking |= {node.args[0].id for keyword in node.keywords if keyword.arg == "scratch"}
    assert asking == having
    assert asking


@pytest.mark.parametrize("number", [1, 2, 5])
def test_every_thread_has_scratch_of_its_own(threads, number):
    threads(number)
    for _ in range(20):
        sizes = np.zeros(40, np.int64)
        _threads.launch(claim, 40, sizes, scratch=(37, np.dtype(np.float32)))
        assert (sizes >= 37).all()


def test_little_work_stays_on_the_calling_thread(threads, monkeypatch):
    """Even if others are awake."""
    keep_awake(monkeypatch)
    threads(4)
    assert_two_meet()
    words, most = np.zeros(2, np.int64), np.zeros(64, np.int64)
    for _ in range(20):
        _threads.launch(crowd, 64, address(words), most, work=10)
        assert (most == 1).all()


def test_for_some_work_nobody_is_woken(threads, monkeypatch):
    threads(3)
    assert_two_meet()
    all_sleep()
    words, most = np.zeros(2, np.int64), np.zeros(64, np.int64)
    for awake in (False, True):  # as others may be
        monkeypatch.setattr(_threads, "are_awake", lambda awake=awake: awake)
        _threads.launch(crowd, 64, address(words), most, work=_threads.SERIAL_WORK)
        assert (most == 1).all()
        assert len(_workers._asleep) == _workers._workers


def test_with_some_work_who_is_awake_helps(threads, monkeypatch):
    keep_awake(monkeypatch)
    threads(2)
    assert_two_meet()
    assert_two_meet(_threads.SERIAL_WORK)


@pytest.mark.parametrize(("content", "quota"), [("200000 100000\n", 2), ("150000 100000\n", 2), ("max 100000\n", 0), ("", 0)])
def test_a_containers_quota_bounds_the_threads(tmp_path, monkeypatch, content, quota):
    (tmp_path / "cpu.max").write_text(content)
    assert _threads._quota(str(tmp_path / "cpu.max")) == quota
    assert _threads._quota(str(tmp_path / "none")) == 0
    monkeypatch.setattr(_threads, "QUOTA", str(tmp_path / "cpu.max"))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(16), raising=False)
    monkeypatch.delenv("RAWSEG_NUM_THREADS", raising=False)
    assert _threads._default_threads() == (quota or 16)


def test_a_kernel_that_threads_could_not_share_is_refused(threads):
    with pytest.raises(TypeError, match=r"begin_end: expected a kernel\(first, last, ...\), got other names"):
        _threads.launch(begin_end, 64, np.zeros(64))


def test_a_kernel_may_be_entered_for_several_threads_before_there_are_any():
    script = """
import numpy as np
from rawseg_kernels._jit import unkept
def count(first, last, out):
    for task in range(first, last):
        out[task] += 1
out = np.zeros(8)
unkept(count)(-2, 8, out)
print(out.tolist())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == str([1.0] * 8), done.stderr


def test_after_an_error_no_other_portion_is_begun(threads, monkeypatch):
    threads(2)
    _threads.launch(fail, 100, np.zeros(100), 100)  # the desk is open from here on
    all_sleep()
    monkeypatch.setattr(_threads, "call_in", lambda count: None)
    for _ in range(2):  # forwards and backwards
        hits = np.zeros(100, np.int64)
        with pytest.raises(IndexError):
            _threads.launch(fail_at_once, 100, hits)
        assert hits.sum() == 1


def test_a_plain_function_runs_alone(threads):
    threads(4)
    seen = []
    _threads.launch(lambda first, last: seen.append((first, last, threading.get_ident())), 64)
    assert seen == [(0, 64, threading.get_ident())]


@pytest.mark.parametrize("at", [0, 50, 99])
def test_an_error_in_a_task_reaches_the_caller_and_the_next_job_is_done(threads, at):
    threads(3)
    for _ in range(20):
        with pytest.raises(IndexError, match="index is out of bounds"):
            _threads.launch(fail, 100, np.zeros(3), at)
        _threads.launch(fail, 100, np.zeros(3), 100)


def test_a_caller_who_finds_the_desk_taken_works_alone(threads):
    threads(2)
    words, most, hits = np.zeros(2, np.int64), np.zeros(64, np.int64), np.zeros(64, np.int64)
    _threads.launch(count, 64, hits)
    desk = np.ctypeslib.as_array((np.ctypeslib.ctypes.c_int64 * (TAKEN + 1)).from_address(DESK))
    desk[TAKEN] = 1
    try:
        _threads.launch(crowd, 64, address(words), most)
        assert (most == 1).all()
        assert desk[TAKEN] == 1
    finally:
        desk[TAKEN] = 0
    assert desk[STATE] & JOINED == 0
    assert desk[GUESTS] == 1


def test_several_callers_may_launch_at_once(threads):
    threads(2)
    results = np.zeros((6, 500), np.int64)

    def caller(row):
        for _ in range(50):
            _threads.launch(count, 500, results[row])

    callers = [threading.Thread(target=caller, args=(row,)) for row in range(6)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join()
    assert (results == 50 * (np.arange(500) + 1)).all()


def test_where_no_thread_can_be_had_the_caller_works_alone(threads, monkeypatch):
    def refuse(*_):
        raise RuntimeError("can't start new thread")

    threads(_workers._workers + 2)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    before, hits = _workers._workers, np.zeros(100, np.int64)
    _threads.launch(count, 100, hits)
    assert np.array_equal(hits, np.arange(100) + 1)
    assert _workers._workers == before


@pytest.mark.skipif(len(_workers._cpus) < 2, reason="needs a second CPU")
def test_a_caller_pinned_to_one_cpu_does_not_keep_its_help_there(threads):
    """As OpenMP runtimes pin whoever calls them: both threads had half a CPU until the new one had slept once."""
    cpu, before = min(_workers._cpus), set(threading.enumerate())
    threads(_workers._workers + 2)
    os.sched_setaffinity(0, {cpu})
    try:
        _threads.launch(count, 100, np.zeros(100, np.int64))
    finally:
        os.sched_setaffinity(0, _workers._cpus)
    new = [thread.native_id for thread in set(threading.enumerate()) - before if thread.name == "rawseg-kernel"]
    assert new
    assert all(os.sched_getaffinity(thread) == _workers._cpus - {cpu} for thread in new)


def test_a_kernel_of_tasks_returns_nothing():
    def wrong(first, last):
        return first + last

    with pytest.raises(Exception, match=r"wrong\(first, last, ...\) is a kernel of tasks: two ints come first, nothing is"):
        unkept(wrong)(0, 1)


@pytest.mark.spec("all.integers")
def test_bad_thread_counts():
    with pytest.raises(ArgumentError, match="set_num_threads: threads: expected at least 1, got 0"):
        _threads.set_num_threads(0)
    with pytest.raises(ArgumentTypeError, match=r"expected an int, got 1\.5"):
        _threads.set_num_threads(1.5)  # type: ignore[arg-type]


FORKED = """
import os
import numpy as np
from rawseg_kernels import conv2d, _threads, _workers
_threads.set_num_threads(2)
x, w = np.ones((2, 4, 64, 64), np.float32), np.ones((8, 4, 3, 3), np.float32)
want = conv2d.forward(x, w)
if busy:
    from rawseg_kernels._desk import DESK, TAKEN, STATE, OPEN
    desk = np.ctypeslib.as_array((np.ctypeslib.ctypes.c_int64 * 32).from_address(DESK))
    kept = desk[[TAKEN, STATE]]
    desk[TAKEN], desk[STATE] = 1, 7 << 32 | 1  # as in the midst of a job, which one thread has joined
    _workers.callers.append(None)
child = os.fork()
if child == 0:
    assert _workers._workers == 0 and not _workers.callers
    same = np.array_equal(conv2d.forward(x, w), want)
    os._exit(0 if same and _workers._workers == 1 and not desk[TAKEN] else 1) if busy else os._exit(0 if same else 1)
if busy:
    desk[[TAKEN, STATE]] = kept
assert os.waitpid(child, 0)[1] == 0
print("forked")
"""


@pytest.mark.parametrize("busy", [False, True])
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_kernels_run_in_a_forked_child(busy):
    script = f"busy = {busy}\n{FORKED}"
    result = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, timeout=300)
    assert result.stdout.strip() == "forked", result.stderr
