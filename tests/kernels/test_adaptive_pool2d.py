"""Adaptive pooling: the bins, their means and their largest elements, whatever the size of the plane."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg.testing.strategies.pooling import BINS
from rawseg_kernels import _memory, adaptive_avg_pool2d, adaptive_max_pool2d
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels._pooling import bins
from rawseg_kernels.adaptive_avg_pool2d import direct as avg_direct
from rawseg_kernels.adaptive_avg_pool2d import reference as avg_reference
from rawseg_kernels.adaptive_max_pool2d import reference as max_reference

DTYPES = [np.float32, np.float64]
BATCHES = st.sampled_from([2, 1, 0])
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, 2.0]


def torch_gradient(call, x, grad_output):
    leaf = torch.from_numpy(x.astype(np.float64)).requires_grad_()
    return torch.autograd.grad(call(leaf), leaf, torch.from_numpy(grad_output.astype(np.float64)))[0].numpy()


@pytest.mark.spec("adaptive_pool2d.bins")
def test_by_hand():
    x = np.array([[[[1, 5, 2, 0, 4], [3, 4, 5, 5, 1], [6, 0, 7, 7, 2]]]], np.float32)
    # five columns in two bins: 0 to 2 and 2 to 4, both with column 2; three rows in two bins: 0 to 1 and 1 to 2
    #  1 5 2 0 4      1 + 5 + 2 + 3 + 4 + 5 = 20, 2 + 0 + 4 + 5 + 5 + 1 = 17
    #  3 4 5 5 1
    #  6 0 7 7 2      3 + 4 + 5 + 6 + 0 + 7 = 25, 5 + 5 + 1 + 7 + 7 + 2 = 27
    np.testing.assert_array_equal(
        adaptive_avg_pool2d.forward(x, 2), (np.array([[[[20, 17], [25, 27]]]]) / 6).astype(np.float32)
    )
    out, indices = adaptive_max_pool2d.forward(x, 2)
    assert (out.tolist(), indices.tolist()) == ([[[[5, 5], [7, 7]]]], [[[[1, 7], [12, 12]]]])  # first of equals
    assert adaptive_avg_pool2d.forward(x, 1).tolist() == [[[[np.float32(52 / 15)]]]]
    grad = adaptive_avg_pool2d.backward(np.array([[[[6, 60], [600, 6000]]]], np.float32), x.shape)
    assert grad.tolist() == [[[[1, 1, 11, 10, 10], [101, 101, 1111, 1010, 1010], [100, 100, 1100, 1000, 1000]]]]
    assert adaptive_max_pool2d.backward(np.ones_like(out), indices, x.shape)[0, 0, 2].tolist() == [0, 0, 2, 0, 0]


@pytest.mark.spec("adaptive_pool2d.bins")
def test_bins_are_exact_and_their_transpose_is_a_table_of_bins():
    for size in range(1, 30):
        for count in range(1, 30):
            first, last = bins(size, count)
            step = Fraction(size, count)
            assert first.tolist() == [floor(i * step) for i in range(count)]
            assert last.tolist() == [ceil((i + 1) * step) for i in range(count)]
            held = [[i for i in range(count) if first[i] <= pixel < last[i]] for pixel in range(size)]
            first, last = bins(count, size)
            assert held == [list(range(a, b)) for a, b in zip(first, last)]


@pytest.mark.spec("adaptive_max_pool2d.choice")
@pytest.mark.parametrize(
    ("plane", "value", "index"),
    [
        ([[2, 1], [2, 2]], 2.0, 0),
        ([[1, 2], [2, 1]], 2.0, 1),  # the upper row, though its column is the right one
        ([[-0.0, 0.0], [0.0, -0.0]], -0.0, 0),
        ([[-np.inf, -np.inf], [-np.inf, -np.inf]], -np.inf, 0),
        ([[1, np.nan], [np.inf, 3]], np.nan, 1),
        ([[np.nan, np.nan], [np.nan, np.inf]], np.nan, 2),  # the last NaN lies in the lower row
        ([[np.inf, np.nan], [np.nan, np.nan]], np.nan, 3),
    ],
)
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_ties_keep_the_first_index_and_nan_the_last(plane, value, index, algorithm):
    x = np.array(plane, np.float32)[None, None]
    out, indices = adaptive_max_pool2d.forward(x, 1, algorithm=algorithm)
    assert_same_bits(out, np.full((1, 1, 1, 1), value, np.float32))
    assert indices.item() == index


@pytest.mark.spec("adaptive_pool2d.bins")
def test_none_keeps_a_side():
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 4)).astype(np.float32)
    for room, first in ((adaptive_avg_pool2d, lambda out: out), (adaptive_max_pool2d, lambda out: out[0])):
        assert_same_bits(first(room.forward(x, (None, 2))), first(room.forward(x, (5, 2))))
        assert_same_bits(first(room.forward(x, (2, None))), first(room.forward(x, (2, 4))))
        assert_same_bits(first(room.forward(x, None)), x)


X = np.zeros((1, 2, 4, 4), np.float32)
HALF: Any = 1.5


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: adaptive_avg_pool2d.forward(X[0], 2), ShapeError, r"adaptive_avg_pool2d: x: expected shape \(N, C, H, W\)"),
        (lambda: adaptive_avg_pool2d.forward(X[:, :, :0], 2), ShapeError, "x: expected at least 1 along H"),
        (lambda: adaptive_avg_pool2d.forward(X.astype(int), 2), DTypeError, "x: expected float32 or float64, got int64"),
        (lambda: adaptive_avg_pool2d.forward(X, 0), ArgumentError, "output_size: expected at least 1, got 0"),
        (lambda: adaptive_avg_pool2d.forward(X, HALF), ArgumentTypeError, "output_size: expected an int, got 1.5"),
        (
            lambda: adaptive_avg_pool2d.forward(X, (1, 2, 3)),
            ArgumentError,
            r"output_size: expected an int or a pair \(height, width\), None to keep a side, got \(1, 2, 3\)",
        ),
        (lambda: adaptive_avg_pool2d.forward(X, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: adaptive_avg_pool2d.backward(X, (1, 2, 4)), ShapeError, r"input_shape: expected shape \(N, C, H, W\)"),
        (lambda: adaptive_avg_pool2d.backward(X, (1, 3, 4, 4)), ShapeError, r"grad_output: expected shape \(1, 3, 4, 4\)"),
        (
            lambda: adaptive_avg_pool2d.backward(X[0], X.shape),
            ShapeError,
            r"grad_output: expected shape \(N, C, out_h, out_w\)",
        ),
        (lambda: adaptive_avg_pool2d.backward(X[..., :0], X.shape), ShapeError, "grad_output: expected at least 1 along W"),
        (lambda: adaptive_max_pool2d.forward(X[0], 2), ShapeError, r"adaptive_max_pool2d: x: expected shape \(N, C, H, W\)"),
        (lambda: adaptive_max_pool2d.forward(X[..., :0], 2), ShapeError, "x: expected at least 1 along W"),
        (lambda: adaptive_max_pool2d.forward(X.astype(int), 2), DTypeError, "x: expected float32 or float64, got int64"),
        (lambda: adaptive_max_pool2d.forward(X, (2, -1)), ArgumentError, "output_size: expected at least 1, got -1"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize(("room", "needed"), [(adaptive_avg_pool2d, 32), (adaptive_max_pool2d, 64)])
def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch, room, needed):
    room.forward(X, 2)  # what was allowed once
    monkeypatch.setattr(_memory, "limit_bytes", lambda: needed - 1)
    with pytest.raises(MemoryError, match=rf"{room.OP}: out: expected at most {needed - 1} bytes, got {needed} bytes"):
        room.forward(X, 2)


@pytest.mark.parametrize("room", [adaptive_avg_pool2d, adaptive_max_pool2d])
def test_tables_longer_than_the_output_must_fit_too(monkeypatch, room):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 4000)
    with pytest.raises(MemoryError, match=r"got \d+ bytes for shape \(106, 12\)"):
        room.forward(np.zeros((0, 1, 2, 3)), (100, 1))


def test_tables_of_the_gradient_must_fit_too(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 4000)
    with pytest.raises(MemoryError, match=r"got \d+ bytes for shape \(106, 12\)"):
        adaptive_avg_pool2d.backward(np.zeros((0, 1, 2, 3)), (0, 1, 100, 1))


@pytest.mark.proves("adaptive_avg_pool2d", "reference", "torch", "bound")
@pytest.mark.spec("adaptive_pool2d.bins")
@pytest.mark.parametrize("dtype", DTYPES)
@given(BINS, BINS, BATCHES, st.integers(0, 2**16))
def test_means_equal_loops_and_torch_within_the_rounding_bound(dtype, rows, columns, batch, seed):
    rng = np.random.default_rng(seed)
    shape, size = (batch, 2, rows[0], columns[0]), (rows[1], columns[1])
    tables = bins(*rows), bins(*columns)
    x = (rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 6, shape)).astype(dtype)
    got = adaptive_avg_pool2d.forward(x, size)
    terms = rows[0] * columns[0] + 2

    def bound(want, magnitude):
        return 2 * gamma(terms, np.float64) * magnitude + unit_roundoff(dtype) * np.abs(want) + smallest(1, dtype)

    want, magnitude = (avg_reference.forward(a.astype(np.float64), *tables) for a in (x, np.abs(x)))
    assert_within(got, want, bound(want, magnitude), "loops")
    assert_same_bits(adaptive_avg_pool2d.forward(x, size, "cuda"), avg_reference.forward(x, *tables))
    wide = torch.from_numpy(x.astype(np.float64))
    assert_within(got, torch.nn.functional.adaptive_avg_pool2d(wide, size).numpy(), bound(want, magnitude), "torch")

    terms = rows[1] * columns[1] + 2
    grad = rng.standard_normal(got.shape).astype(dtype)
    got = adaptive_avg_pool2d.backward(grad, shape)
    want, magnitude = (avg_reference.backward(a.astype(np.float64), shape, *tables) for a in (grad, np.abs(grad)))
    assert_within(got, want, bound(want, magnitude), "backward loops")
    assert_same_bits(adaptive_avg_pool2d.backward(grad, shape, "cuda"), avg_reference.backward(grad, shape, *tables))
    if batch:
        pooled = torch_gradient(lambda x: torch.nn.functional.adaptive_avg_pool2d(x, size), x, grad)
        assert_within(got, pooled, bound(want, magnitude), "backward torch")


@pytest.mark.proves("adaptive_avg_pool2d", "adjoint")
@pytest.mark.parametrize("dtype", DTYPES)
@given(
    st.sampled_from([(8, 4), (4, 1), (2, 2), (6, 3), (3, 6)]), st.sampled_from([(8, 1), (4, 2), (10, 5)]), st.integers(0, 2**16)
)
def test_bins_of_a_power_of_two_are_exact_and_backward_is_the_adjoint(dtype, rows, columns, seed):
    rng = np.random.default_rng(seed)
    shape, size = (2, 2, rows[0], columns[0]), (rows[1], columns[1])
    x = rng.integers(-8, 9, shape).astype(dtype)
    out = adaptive_avg_pool2d.forward(x, size)
    np.testing.assert_array_equal(out, torch.nn.functional.adaptive_avg_pool2d(torch.from_numpy(x), size))
    grad = rng.integers(-8, 9, out.shape).astype(dtype)
    assert np.vdot(out, grad) == np.vdot(x, adaptive_avg_pool2d.backward(grad, shape))


@pytest.mark.proves("adaptive_max_pool2d", "reference", "torch", "adjoint")
@pytest.mark.spec("adaptive_max_pool2d.choice")
@pytest.mark.parametrize("dtype", DTYPES)
@given(BINS, BINS, BATCHES, st.integers(0, 2**16))
def test_selection_equals_loops_and_torch(dtype, rows, columns, batch, seed):
    rng = np.random.default_rng(seed)
    shape, size = (batch, 2, rows[0], columns[0]), (rows[1], columns[1])
    for values in (SPECIAL, SPECIAL[1:], [-np.inf]):
        x = rng.choice(np.array(values), shape).astype(dtype)
        got = adaptive_max_pool2d.forward(x, size)
        assert_same_bits(got, max_reference.forward(x, bins(*rows), bins(*columns)))
        assert_same_bits(adaptive_max_pool2d.forward(x, size, "cuda"), got)
        out, indices = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(x), size, return_indices=True)
        np.testing.assert_array_equal(got[0], out)
        np.testing.assert_array_equal(got[1], indices)
        assert_same_bits(adaptive_max_pool2d.gather(x, got[1]), got[0])
    x = rng.integers(-8, 9, shape).astype(dtype)
    out, indices = adaptive_max_pool2d.forward(x, size)
    grad = rng.integers(-8, 9, out.shape).astype(dtype)
    assert np.vdot(out, grad) == np.vdot(x, adaptive_max_pool2d.backward(grad, indices, shape))


def test_a_row_never_leans_on_one_of_another_portion(monkeypatch):
    def backwards(kernel, tasks, *args, work):
        args[1].fill(np.nan)  # the output: what no task has written yet must not be read
        for task in reversed(range(tasks)):
            kernel(task, task + 1, *args)

    grad = np.random.default_rng(0).standard_normal((2, 3, 2, 3))
    want = adaptive_avg_pool2d.backward(grad, (2, 3, 8, 7))
    monkeypatch.setattr(avg_direct, "launch", backwards)
    assert_same_bits(adaptive_avg_pool2d.backward(grad, (2, 3, 8, 7)), want)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x, tables = rng.standard_normal((2, 2, 7, 5)).astype(np.float32), (bins(7, 3), bins(5, 4))
    want = avg_reference.forward(x, *tables)
    assert_same_bits(adaptive_avg_pool2d.forward(x, (3, 4), algorithm="reference"), want)
    back = avg_reference.backward(want, x.shape, *tables)
    assert_same_bits(adaptive_avg_pool2d.backward(want, x.shape, algorithm="reference"), back)
    want = max_reference.forward(x, *tables)
    assert_same_bits(adaptive_max_pool2d.forward(x, (3, 4), algorithm="reference"), want)


@pytest.mark.proves("adaptive_avg_pool2d", "complex step")
def test_complex_numbers_pass_through_the_loops():
    tables = bins(4, 2), bins(2, 1)
    x = np.arange(8.0).reshape(1, 1, 4, 2)
    assert_same_bits(avg_reference.forward(x * (1 + 2j), *tables), avg_reference.forward(x, *tables) * (1 + 2j))
    grad = np.array([[[[2.0], [4.0]]]])
    back = avg_reference.backward(grad, x.shape, *tables)
    assert_same_bits(avg_reference.backward(grad * (1 + 2j), x.shape, *tables), back * (1 + 2j))


def test_transposed_planes_give_transposed_results():
    x = np.random.default_rng(0).integers(-8, 9, (1, 2, 9, 6)).astype(np.float64)
    for room, first in ((adaptive_avg_pool2d, lambda out: out), (adaptive_max_pool2d, lambda out: out[0])):
        out = first(room.forward(x, (4, 5)))
        assert_same_bits(first(room.forward(x.swapaxes(2, 3), (5, 4))).swapaxes(2, 3), out)


@pytest.mark.parametrize("size", [True, 2.0, (2, 2.0), (True, 2)])
def test_a_size_that_only_equals_one_that_is_known_is_refused(size):
    known = (1, 2) if size == (True, 2) else int(size) if not isinstance(size, tuple) else (2, 2)
    assert adaptive_avg_pool2d.forward(X, known).shape[:2] == X.shape[:2]
    with pytest.raises(ArgumentTypeError, match="output_size: expected an int"):
        adaptive_avg_pool2d.forward(X, size)
