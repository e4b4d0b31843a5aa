"""Products of stacked matrices: transposed, broadcast, empty, and cut into blocks."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from bounds import assert_within, gamma, product_gamma, smallest
from convolution_cases import integers, normals
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg_kernels import _memory, matmul
from rawseg_kernels._cuda import emulator
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.matmul import reference

ALGORITHMS = ["panels", "cuda", "cuda_tiles"]
TENSOR_CORES = ["cuda_tiles_3xtf32", "cuda_tiles_tf32"]  # whose sums take a while without one: with few shapes
FLOATS = [np.float32, np.float64]
SEEDS = st.integers(0, 99)
SIZES = st.sampled_from([0, 1, 1, 2, 3, 7, 8, 9, 17, 50])
STACKS = st.sampled_from(
    [((), ()), ((2,), (2,)), ((2,), ()), ((), (3,)), ((3, 1), (2,)), ((1, 2), (4, 1)), ((0,), (1,)), ((0, 2), ())]
)


def test_by_hand():
    a, b = np.array([[1, 2], [3, 4.0]]), np.array([[5, 6], [7, 8.0]])
    assert matmul.forward(a, b).tolist() == [[19, 22], [43, 50]]
    assert matmul.forward(a, b, transpose_a=True).tolist() == [[26, 30], [38, 44]]  # [[1, 3], [2, 4]] @ b
    assert matmul.forward(a, b, transpose_b=True).tolist() == [[17, 23], [39, 53]]  # a @ [[5, 7], [6, 8]]


A, B = np.zeros((2, 3, 4), np.float32), np.zeros((4, 5), np.float32)
FLAG: Any = 1


@pytest.mark.proves("matmul", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: matmul.forward(A, B.T),
            ShapeError,
            r"matmul: b: expected 4 rows to multiply with the columns of a \(shape \(2, 3, 4\)\), got 5 \(shape \(5, 4\)\)",
        ),
        (lambda: matmul.forward(A, B, transpose_a=True), ShapeError, "b: expected 3 rows"),
        (lambda: matmul.forward(A[0, 0], B), ShapeError, r"a: expected shape \(..., rows, columns\), got shape \(4,\)"),
        (
            lambda: matmul.forward(A, np.zeros((3, 4, 5), np.float32)),
            ShapeError,
            r"b: expected leading axes that broadcast with \(2,\), got \(3,\)",
        ),
        (lambda: matmul.forward(A, B, transpose_b=FLAG), ArgumentTypeError, "transpose_b: expected a bool, got 1"),
        (lambda: matmul.forward(A, B.astype(np.int32)), DTypeError, "b: expected float32 or float64, got int32"),
        (lambda: matmul.forward(A, B.astype(float)), DTypeError, "b: expected float32, the dtype of a, got float64"),
        (lambda: matmul.forward(A, B, algorithm="blas"), ArgumentError, "algorithm: expected one of .*'panels'.*, got 'blas'"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_for_the_machine(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 100)
    with pytest.raises(MemoryError, match=r"matmul: out: expected at most 100 bytes, got 120 bytes for shape \(2, 3, 5\)"):
        matmul.forward(A, B)


def stored(array, transposed):
    return np.ascontiguousarray(np.swapaxes(array, -1, -2)) if transposed else array


@pytest.mark.proves("matmul", "reference")
@pytest.mark.parametrize("dtype", FLOATS)
@given(rows=SIZES, depth=SIZES, columns=SIZES, stacks=STACKS, transposed=st.tuples(*[st.booleans()] * 2), seed=SEEDS)
def test_whole_numbers_are_exact(rows, depth, columns, stacks, transposed, seed, dtype):
    transpose_a, transpose_b = transposed
    a, b = integers(seed, (*stacks[0], rows, depth), (*stacks[1], depth, columns), dtype=dtype)
    want = np.matmul(a, b)
    for algorithm in (*ALGORITHMS, "reference"):
        got = matmul.forward(stored(a, transpose_a), stored(b, transpose_b), transpose_a, transpose_b, algorithm=algorithm)
        assert got.dtype == dtype
        np.testing.assert_array_equal(got, want, err_msg=algorithm)


@pytest.mark.parametrize(
    "sizes",
    [
        *[(300, 10, 20), (20, 700, 30), (9, 33, 900), (520, 260, 259), (1, 600, 1), (1, 5, 400), (300, 5, 1)],
        *[
            (8, 300, 64),
            (3, 300, 48),
            (24, 300, 48),
            (24, 300, 256),
            (24, 20, 512),
            (600, 20, 900),
        ],  # whole panels and vectors, or nearly
    ],
)
def test_however_the_work_is_cut_up(sizes):
    rows, depth, columns = sizes
    a, b = integers(0, (rows, depth), (depth, columns))
    want = a.astype(np.float64) @ b
    for flags in [(False, False), (True, False), (False, True), (True, True)]:
        np.testing.assert_array_equal(matmul.forward(stored(a, flags[0]), stored(b, flags[1]), *flags), want)


@pytest.mark.proves("matmul", "bound")
@pytest.mark.parametrize("dtype", FLOATS)
@given(rows=SIZES, depth=SIZES, columns=SIZES, seed=SEEDS)
def test_rounding_stays_in_its_bound(rows, depth, columns, seed, dtype):
    a, b = normals(seed, (rows, depth), (depth, columns), dtype=dtype)
    wide = a.astype(np.longdouble), b.astype(np.longdouble)
    for algorithm in (*ALGORITHMS, "reference"):
        share = product_gamma(algorithm, depth, dtype) + gamma(depth, np.float64)
        bound = share * (np.abs(wide[0]) @ np.abs(wide[1])) + smallest(depth, dtype)
        assert_within(matmul.forward(a, b, algorithm=algorithm), wide[0] @ wide[1], bound, algorithm)


@settings(max_examples=10)
@given(SIZES, SIZES, SIZES, STACKS, st.booleans(), st.booleans(), st.integers(0, 99), st.sampled_from(emulator.SUMS))
def test_tensor_cores_stay_in_their_bounds(rows, depth, columns, stacks, transpose_a, transpose_b, seed, how):
    shapes = (*stacks[0], rows, depth), (*stacks[1], depth, columns)
    for make in (integers, normals):
        a, b = make(seed, *shapes)
        want, size = np.matmul(a.astype(np.float64), b), np.matmul(np.abs(a).astype(np.float64), np.abs(b))
        for algorithm in TENSOR_CORES:
            with emulator.summing(how):
                got = matmul.forward(stored(a, transpose_a), stored(b, transpose_b), transpose_a, transpose_b, algorithm)
            share = 0 if make is integers else product_gamma(algorithm, depth, np.float32)
            assert_within(got, want, share * size + smallest(depth, np.float32), f"{algorithm}, {how}")


def test_truncation_does_not_add_up_over_many_steps():
    """Of positive numbers: every truncation pulls to the same side, and a chain of them is off by many times the bound."""
    rng = np.random.default_rng(0)
    a, b = rng.uniform(1, 2, (3, 512)).astype(np.float32), rng.uniform(1, 2, (512, 5)).astype(np.float32)
    want = a.astype(np.float64) @ b
    for how in emulator.SUMS:
        with emulator.summing(how):
            got = matmul.forward(a, b, algorithm="cuda_tiles_3xtf32")
        assert_within(got, want, product_gamma("cuda_tiles_3xtf32", 512, np.float32) * want, how)


SPECIAL = [np.inf, -np.inf, np.nan, 0.0, -0.0, 1.0, -1.0, 1.0001, -3e-40, float(np.finfo(np.float32).max)]


@settings(max_examples=10)
@given(st.integers(0, 999))
def test_what_is_no_number_spreads_on_tensor_cores_as_in_float32(seed):
    """An infinity is split into itself and 0, and infinity times 0 is NaN; the largest number is rounded up to infinity."""
    rng = np.random.default_rng(seed)
    a, b = rng.standard_normal((20, 11)).astype(np.float32), rng.standard_normal((11, 9)).astype(np.float32)
    a[np.arange(20), rng.integers(0, 11, 20)] = rng.choice(SPECIAL, 20)
    b[rng.integers(0, 11, 4), np.arange(4)] = rng.choice(SPECIAL[:8], 4)
    want = matmul.forward(a, b, algorithm="cuda_tiles")
    for algorithm in TENSOR_CORES:
        got = matmul.forward(a, b, algorithm=algorithm)
        np.testing.assert_array_equal(np.where(np.isfinite(got), 0, got), np.where(np.isfinite(want), 0, want), algorithm)


@pytest.mark.proves("matmul", "adjoint")
def test_gradients_are_adjoints():
    a, b, grad = integers(1, (3, 20, 30), (3, 30, 40), (3, 20, 40), dtype=np.float64)
    grad_a, grad_b = matmul.forward(grad, b, transpose_b=True), matmul.forward(a, grad, transpose_a=True)
    assert (matmul.forward(a, b) * grad).sum() == (a * grad_a).sum() == (b * grad_b).sum()


@pytest.mark.proves("matmul", "determinism")
@pytest.mark.parametrize("flags", [(False, False), (True, True)])
def test_promises(monkeypatch, flags):
    a, b = normals(2, (3, 40, 40), (1, 40, 40))
    assert_promises(monkeypatch, lambda a, b: matmul.forward(a, b, *flags), a, b)


@pytest.mark.proves("matmul", "determinism")
def test_promises_of_a_few_rows(monkeypatch):
    a, b = normals(2, (3, 5, 40), (1, 300, 40))
    assert_promises(monkeypatch, lambda a, b: matmul.forward(a, b, transpose_b=True), a, b)


GUARDED = """
import numpy as np
from convolution_cases import integers
from guard_pages import guarded
from rawseg_kernels import matmul
a, b = integers(4, (2, 7, 33), (1, 21, 33))
for end in (True, False):
    got = matmul.forward(guarded(a, end), guarded(b, end), transpose_b=True)
    np.testing.assert_array_equal(got, a @ b.transpose(0, 2, 1))
"""


@pytest.mark.spec("all.memory-safety")
def test_a_few_rows_read_nothing_beyond_the_arrays():
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, "-c", GUARDED], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()


def test_what_is_no_number_stays_in_its_row_and_column():
    a, b = integers(5, (3, 9), (20, 9))
    a[1, 8], b[7, 8] = np.inf, np.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(matmul.forward(a, b, transpose_b=True), a @ b.T)


def test_a_product_does_not_depend_on_its_neighbours():
    a, b = normals(3, (2, 90, 300), (300, 70))
    whole = matmul.forward(a, b)
    assert_same_bits(matmul.forward(a[1], b), whole[1])
    assert_same_bits(matmul.forward(a[:, 5:6], b[:, 60:]), whole[:, 5:6, 60:])
    turned = np.ascontiguousarray(b.T)  # a few rows are multiplied otherwise
    for rows in (1, 3, 8, 9, 90):
        assert_same_bits(matmul.forward(a[:, :rows], turned, transpose_b=True), whole[:, :rows])
    assert_same_bits(matmul.forward(a[:, 5:6], turned[23:], transpose_b=True), whole[:, 5:6, 23:])


@pytest.mark.proves("matmul", "complex step")
def test_reference_is_plain_python():
    a, b = (array.astype(np.complex128) for array in integers(4, (1, 2, 3), (1, 3, 2)))
    np.testing.assert_array_equal(reference.forward(a, b, np.zeros((1, 2), np.int64), False, False), a @ b)
