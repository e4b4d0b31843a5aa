"""The CPU's stand-in for a GPU: what it computes, and that every way in which threads can go wrong is told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg_kernels import _jit
from rawseg_kernels._cuda import emulator
from rawseg_kernels._cuda.source import Source
from rawseg_kernels._errors import BackendError

F32 = np.dtype(np.float32)


@pytest.fixture(scope="module")
def kernel():
    return Source(__file__, "on_trial.cu").kernel


@pytest.mark.parametrize("order", list(emulator.ORDERS))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_rows_by_shared_memory_and_by_shuffles(kernel, order, dtype):
    x = np.random.default_rng(0).integers(-9, 10, (5, 77)).astype(dtype)
    for name, block in (("row_sums", 64), ("row_sums", 96), ("warp_sums", 32)):
        out = np.full(5, np.nan, dtype)
        with emulator.ordered(order, 7):
            kernel(name, dtype).launch((5,), (block,), x, out, 77, shared=block * out.itemsize)
        assert out.tolist() == x.sum(1).tolist()


@pytest.mark.parametrize("order", list(emulator.ORDERS))
@pytest.mark.parametrize("threads", [1, 32, 128])
def test_a_blocks_sum_is_that_of_all_its_threads_for_all_of_them(kernel, order, threads):
    x, out = np.arange(threads, dtype=np.float32), np.zeros(threads, np.float32)
    with emulator.ordered(order, 3):
        kernel("block_sums", F32).launch((1,), (threads,), x, out, shared=8 * threads)
    assert out.tolist() == [21 * x.sum()] * threads


@pytest.mark.parametrize("length", [1, 3, 32, 33, 64, 100, 500])
@pytest.mark.parametrize("first", [0, 7, 99])
def test_a_walk_meets_every_number_where_it_stands(kernel, first, length):
    out = np.full(400, -1)
    kernel("walked", F32).launch((1,), (32,), out, first, 400, length)
    numbers = np.arange(first, 400)
    assert out[first:].tolist() == (numbers // length * 1000 + numbers % length).tolist()


@given(count=st.integers(0, 3000), order=st.sampled_from(list(emulator.ORDERS)), seed=st.integers(0, 9))
def test_every_element_has_one_thread(kernel, count, order, seed):
    out = np.zeros(max(count, 1), np.float32)
    with emulator.ordered(order, seed):
        kernel("counted", F32)(count, out, count)
    assert (out[:count] == 1).all()
    assert (out[count:] == 0).all()


def test_a_warps_ballot_counts(kernel):
    out = np.zeros(40, np.int64)
    kernel("ballots", F32).launch((1,), (40,), out)
    assert out.tolist() == [0x55555555] * 32 + [0x55] * 8


def test_nan_stands_in_shared_memory_that_nobody_wrote(kernel):
    out = np.zeros(32, np.float32)
    kernel("unwritten", F32).launch((1,), (32,), out)
    assert np.isnan(out).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("some_leave", "__syncthreads is not reached by threads that have ended"),
        ("two_places", "threads of a block wait at different __syncthreads"),
        ("half_a_warp", "threads wait for each other at different places"),
        ("not_in_the_mask", "a thread is not in its own mask"),
        ("asks_outside_the_mask", "a thread outside the mask is asked"),
    ],
)
def test_waits_that_no_gpu_allows_are_told(kernel, name, message):
    with pytest.raises(RuntimeError, match=rf"{name}: {message} \(block 0, 0, 0; thread \d+, 0, 0\)"):
        kernel(name, F32).launch((1,), (64,), np.zeros(64, np.float32))


def test_a_race_depends_on_the_order(kernel):
    """A missing barrier: in one order of the threads the result is right, in another it is not."""
    results = set()
    for order in emulator.ORDERS:
        out = np.zeros(64, np.float32)
        with emulator.ordered(order, 1):
            kernel("race", F32).launch((1,), (64,), out)
        results.add(out.tobytes())
    assert len(results) > 1


X = np.zeros((2, 3), np.float32)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X,), TypeError, "expected 2 arguments, got 1"),
        ((X.astype(np.float64), 1), TypeError, "out: expected a C-contiguous array of float32, got float64"),
        ((X.T, 1), TypeError, "out: expected a C-contiguous array of float32, got float32, with strides"),
        ((3, 1), TypeError, "expected arrays on one device, got no array"),
        ((X, X), TypeError, "count: expected a number, got an array"),
        ((X, 1.5), TypeError, "count: expected an integer, got 1.5"),
        ((X, 2**63), ValueError, "count: expected a number of int64, got 9223372036854775808"),
    ],
)
def test_arguments_are_what_the_kernel_takes(kernel, arguments, error, message):
    with pytest.raises(error, match=f"counted: {message}"):
        kernel("counted", F32)(1, *arguments)


@pytest.mark.parametrize(("grid", "block", "shared"), [((1,), (32, 33), 0), ((1, 65536), (1,), 0), ((1,), (1,), 2**18)])
def test_launches_that_no_gpu_has(kernel, grid, block, shared):
    with pytest.raises(ValueError, match="counted: no GPU has a grid of"):
        kernel("counted", F32).launch(grid, block, X, 1, shared=shared)


def test_types_that_no_kernel_may_take():
    from rawseg_kernels._cuda.signature import signatures

    with pytest.raises(TypeError, match="a kernel's parameter must be one of"):
        signatures("RS_KERNEL f(size_t n) {}")


def test_without_a_compiler(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(
        BackendError, match=r"cuda: algorithm: expected g\+\+, which compiles CUDA source for the CPU, got no g\+\+"
    ):
        Source(__file__, "on_trial.cu").kernel("counted", F32, NEVER_BEFORE=1)(1, X, 1)


PLANTED = """
import sys
import numpy as np
from pathlib import Path
from rawseg_kernels._cuda.source import Source
kernel = Source(sys.argv[1], "on_trial.cu").kernel(sys.argv[2], np.dtype("float32"))
kernel.launch((1,), (32,), np.zeros(64, np.float32), shared=128)
print("survived")
"""


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reads_outside", "heap-buffer-overflow"),
        ("reads_outside_shared", "index 16 out of bounds for type"),
        ("reads_outside_dynamic_shared", "use-after-poison"),
        ("overflows", "signed integer overflow"),
        ("stays_inside", None),
    ],
)
def test_sanitizers_see_what_a_run_alone_does_not(name, words):
    environment = {**os.environ, **emulator.sanitizers(), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PLANTED, __file__, name], env=environment, capture_output=True, text=True, check=False
    )
    if words is None:
        assert (done.returncode, done.stdout) == (0, "survived\n"), done.stderr
    else:
        assert done.returncode != 0
        assert words in done.stderr
        assert "on_trial.cu" in done.stderr  # the line of the source is told


def test_a_debugger_is_told_where_the_source_is(tmp_path, monkeypatch):
    monkeypatch.setattr(_jit, "cache_folder", lambda: tmp_path)
    libraries: set[Path] = set()
    for debug in ("0", "1"):
        monkeypatch.setenv("RAWSEG_CUDA_DEBUG", debug)
        out = np.zeros(4, np.float32)
        Source(__file__, "on_trial.cu").kernel("counted", F32)(4, out, 4)
        assert out.tolist() == [1] * 4
        (library,) = set(tmp_path.rglob("on_trial-*.so")) - libraries  # unoptimised is another one
        assert str(Path(__file__).parent).encode() in library.read_bytes()
        libraries.add(library)
