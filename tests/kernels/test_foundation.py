"""What every room stands on: argument checks, error objects, memory limits, and the compiler's cache."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest

from rawseg_kernels import _arrays, _errors, _memory, conv2d, conv_transpose2d
from rawseg_kernels._algorithms import find
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, BackendError, DTypeError, RawsegError, ShapeError


@pytest.mark.spec("all.integers")
@pytest.mark.parametrize(("value", "want"), [(3, (3, 3)), ((1, 2), (1, 2)), ([4, 5], (4, 5)), (np.int32(7), (7, 7))])
def test_pairs(value, want):
    assert _arrays.pair("op", "stride", value, 1) == want


@pytest.mark.spec("all.integers")
@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        (1.0, ArgumentTypeError, "op: stride: expected an int, got 1.0"),
        (True, ArgumentTypeError, "op: stride: expected an int, got True"),
        ("1", ArgumentTypeError, "op: stride: expected an int, got '1'"),
        ((1, 2, 3), ArgumentError, r"op: stride: expected an int or a pair \(height, width\), got \(1, 2, 3\)"),
        (0, ArgumentError, "op: stride: expected at least 1, got 0"),
        ((1, -1), ArgumentError, "op: stride: expected at least 1, got -1"),
    ],
)
def test_bad_pairs(value, error, message):
    with pytest.raises(error, match=message):
        _arrays.pair("op", "stride", value, 1)


@pytest.mark.spec("all.layout")
def test_arrays_must_agree():
    x = np.zeros(2, np.float32)
    with pytest.raises(DTypeError, match="op: w: expected float32, the dtype of x, got float64"):
        _arrays.check_floating("op", x=x, w=np.zeros(2))
    with pytest.raises(DTypeError, match="op: x: expected float32 or float64, got int64"):
        _arrays.check_floating("op", x=np.zeros(2, np.int64))
    with pytest.raises(ArgumentTypeError, match="op: x: expected a NumPy or CuPy array, got list"):
        _arrays.check_floating("op", x=[1.0])
    assert _arrays.check_floating("op", x=x, bias=None) == "cpu"
    with pytest.raises(ShapeError, match=r"op: x: expected shape \(N, C, H, W\), got shape \(2,\)"):
        _arrays.check_rank("op", "x", x, "(N, C, H, W)")


@pytest.mark.spec("all.error-classes")
def test_errors_are_builtins_too_and_carry_their_parts():
    error = ShapeError("conv2d", "weight", "2 channels", 3)
    assert isinstance(error, ValueError)
    assert isinstance(error, RawsegError)
    assert (error.op, error.argument, error.expected, error.got) == ("conv2d", "weight", "2 channels", 3)
    again = pickle.loads(pickle.dumps(error))  # as a process pool would
    assert str(again) == str(error) == "conv2d: weight: expected 2 channels, got 3"
    builtins = {ValueError: "ShapeError ArgumentError DataError", TypeError: "DTypeError DeviceError ArgumentTypeError"}
    builtins |= {IndexError: "IndexRangeError", RuntimeError: "GraphError CheckpointError BackendError"}
    for builtin, names in builtins.items():
        assert all(issubclass(getattr(_errors, name), builtin) for name in names.split())


@pytest.mark.spec("all.memory")
def test_an_array_larger_than_the_machine_is_refused_with_its_size():
    with pytest.raises(MemoryError, match=r"op: out: expected at most \d+ bytes, got 40{15} bytes for shape \(10{15},\)"):
        _memory.check_size("op", (10**15,), np.dtype(np.float32))


@pytest.mark.spec("all.memory")
def test_an_empty_array_needs_nothing_but_sides_that_numpy_can_count():
    _memory.check_size("op", (0, 2**40), np.dtype(np.float32))
    with pytest.raises(MemoryError, match=r"op: out: expected at most \d+ bytes, got \d+ bytes for shape \(0, 2147483648, "):
        _memory.check_size("op", (0, 2**31, 2**31), np.dtype(np.float64))


def test_an_array_of_exactly_the_limit_is_accepted(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 8)
    _memory.check_size("op", (2,), np.dtype(np.float32))
    with pytest.raises(MemoryError, match="expected at most 8 bytes, got 12 bytes"):
        _memory.check_size("op", (3,), np.dtype(np.float32))


def test_unknown_algorithms_and_missing_devices_are_named():
    with pytest.raises(ArgumentError, match=r"conv2d: algorithm: expected one of .*'im2col'.*, got 'magic'"):
        find("rawseg_kernels.conv2d", "forward", "magic", ("im2col",), "cpu")
    with pytest.raises(BackendError, match=r"forward has .*'cuda'.* on a GPU, and 'im2col' was asked for"):
        find("rawseg_kernels.conv2d", "forward", "im2col", ("im2col",), "cuda:0")


CACHED = """
import sys
import numpy as np
from rawseg_kernels import max_pool2d
max_pool2d.forward(np.ones((1, 1, 4, 4), np.float32), 2)
from rawseg_kernels.max_pool2d import direct
from numba.core.registry import CPUDispatcher
stats = [f.stats for f in vars(direct).values() if isinstance(f, CPUDispatcher) and f.signatures]
print(sum(sum(s.cache_hits.values()) for s in stats), sum(sum(s.cache_misses.values()) for s in stats))
"""


def run_cached(folder, **extra):
    environment = {**os.environ, "RAWSEG_CACHE_DIR": str(folder), **extra}
    result = subprocess.run([sys.executable, "-c", CACHED], capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    return tuple(map(int, result.stdout.split()))


def test_a_second_process_finds_every_kernel_in_the_cache(tmp_path):
    hits, misses = run_cached(tmp_path)
    assert hits == 0
    assert misses > 0
    hits, misses = run_cached(tmp_path)
    assert misses == 0
    assert hits > 0


def test_kernels_work_where_no_cache_can_be_written(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    for _ in range(2):
        hits, _ = run_cached(blocker / "cache")
        assert hits == 0


@pytest.mark.spec("all.memory")
@pytest.mark.parametrize("argument", ["stride", "padding", "dilation"])
def test_a_geometry_number_stays_inside_64_bit_arithmetic(argument):
    x, weight = np.ones((1, 1, 2, 2)), np.ones((1, 1, 1, 1))
    for run in (conv2d.forward, conv_transpose2d.forward):
        with pytest.raises(ArgumentError, match=rf"{argument}: expected at most 2147483647, got \(1, {2**31}\)"):
            run(x, weight, **{argument: (1, 2**31)})
