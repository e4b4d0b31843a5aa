"""Max pooling: what is chosen, where, and that gradients go exactly there."""

from __future__ import annotations

import time
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.pooling import geometries
from rawseg_kernels import _memory, max_pool2d
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels._pooling import window
from rawseg_kernels.max_pool2d import direct, reference

DTYPES = [np.float32, np.float64]
BATCHES = st.sampled_from([2, 1, 0])
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, 2.0]
PLANE = np.array([[1, 5, 2, 0], [3, 4, 5, 5], [-1, 0, 7, 6], [-2, -3, 6, 7]], np.float32)


def planes(size, batch, seed, dtype, values=None):
    """Return an (N, C, H, W) array of distinct integers, or of draws from ``values``: ties and special values."""
    rng = np.random.default_rng(seed)
    shape = (batch, 2, *size)
    if values is None:
        return rng.permutation(int(np.prod(shape))).reshape(shape).astype(dtype)
    return rng.choice(np.array(values), shape).astype(dtype)


def torch_pool(x, **options):
    out, indices = torch.nn.functional.max_pool2d(torch.from_numpy(x), return_indices=True, **options)
    return out.numpy(), indices.numpy()


@pytest.mark.spec("max_pool2d.choice", "max_pool2d.indices", "max_pool2d.backward")
def test_by_hand():
    out, indices = max_pool2d.forward(PLANE[None, None], 2)
    assert out.tolist() == [[[[5, 5], [0, 7]]]]
    # 1 5 | 2 0      row 0, column 1 -> 1     the first 5 of row 1, column 2 -> 6
    # 3 4 | 5 5
    # -1 0 | 7 6     row 2, column 1 -> 9     the first 7: row 2, column 2 -> 10
    # -2 -3 | 6 7
    assert indices.tolist() == [[[[1, 6], [9, 10]]]]
    grad = max_pool2d.backward(np.array([[[[1, 2], [3, 4]]]], np.float32), indices, (1, 1, 4, 4))
    assert grad.tolist() == [[[[0, 1, 0, 0], [0, 0, 2, 0], [0, 3, 4, 0], [0, 0, 0, 0]]]]
    assert max_pool2d.gather(PLANE[None, None], indices).tolist() == out.tolist()


@pytest.mark.spec("max_pool2d.backward")
def test_overlapping_windows_add_up():
    out, indices = max_pool2d.forward(PLANE[None, None], 3, stride=1)
    assert out.tolist() == [[[[7, 7], [7, 7]]]]
    assert max_pool2d.backward(np.ones_like(out), indices, (1, 1, 4, 4))[0, 0, 2, 2] == 4


@pytest.mark.spec("max_pool2d.choice")
@pytest.mark.parametrize(
    ("row", "value", "index"),
    [
        ([2, 2, 1], 2.0, 0),
        ([-0.0, 0.0, -0.0], -0.0, 0),
        ([0.0, -0.0, 0.0], 0.0, 0),
        ([-np.inf, -np.inf, -np.inf], -np.inf, 0),
        ([1, np.nan, np.inf], np.nan, 1),
        ([np.nan, 1, np.nan], np.nan, 2),
        ([np.nan, np.inf, 3], np.nan, 0),
    ],
)
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_ties_keep_the_first_index_and_nan_the_last(row, value, index, algorithm):
    out, indices = max_pool2d.forward(np.array(row, np.float32).reshape(1, 1, 1, 3), (1, 3), algorithm=algorithm)
    assert_same_bits(out, np.full((1, 1, 1, 1), value, np.float32))
    assert indices.item() == index


@pytest.mark.spec("max_pool2d.output")
def test_windows_of_two_by_two_reach_over_an_odd_edge_and_choose_inside():
    x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    out, indices = max_pool2d.forward(x, 2, ceil_mode=True)
    assert indices.tolist() == [[[[4, 5], [7, 8]]]]
    taps = max_pool2d.forward_taps(x, 2, ceil_mode=True)[1]
    assert taps.tolist() == [[[[3, 2], [1, 0]]]]
    grad = max_pool2d.backward_taps(out, taps, x.shape, 2, ceil_mode=True)
    assert grad.tolist() == [[[[0, 0, 0], [0, 4, 5], [0, 7, 8]]]]


@pytest.mark.spec("max_pool2d.padding")
def test_padding_is_never_chosen():
    out, indices = max_pool2d.forward(np.full((1, 1, 3, 3), -np.inf, np.float32), 2, stride=2, padding=1)
    assert (out == -np.inf).all()
    assert indices.tolist() == [[[[0, 1], [3, 4]]]]


ONE: Any = 1  # where a flag belongs
X = np.zeros((1, 1, 4, 4), np.float32)
INDICES = np.zeros((1, 1, 2, 2), np.int64)


@pytest.mark.proves("max_pool2d", "bad input")
@pytest.mark.spec("max_pool2d.domain", "max_pool2d.dtype", "max_pool2d.empty", "max_pool2d.output")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: max_pool2d.forward(X[0], 2),
            ShapeError,
            r"max_pool2d: x: expected shape \(N, C, H, W\), got shape \(1, 4",
        ),
        (lambda: max_pool2d.forward(None, 2), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (lambda: max_pool2d.forward(X.astype(np.int32), 2), DTypeError, "x: expected float32 or float64, got int32"),
        (lambda: max_pool2d.forward(X[:, :, :0], 2), ShapeError, "x: expected at least 1 along H"),
        (lambda: max_pool2d.forward(X[:, :0], 2), ShapeError, "x: expected at least 1 along C"),
        (lambda: max_pool2d.forward(X, 0), ArgumentError, "kernel_size: expected at least 1, got 0"),
        (lambda: max_pool2d.forward(X, 2.0), ArgumentTypeError, "kernel_size: expected an int, got 2.0"),
        (lambda: max_pool2d.forward(X, True), ArgumentTypeError, "kernel_size: expected an int, got True"),
        (lambda: max_pool2d.forward(X, (2, 2, 2)), ArgumentError, "kernel_size: expected an int or a pair"),
        (lambda: max_pool2d.forward(X, 2**31), ArgumentError, "kernel_size: expected at most 2147483647"),
        (lambda: max_pool2d.forward(X, 2, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (lambda: max_pool2d.forward(X, 2, dilation=0), ArgumentError, "dilation: expected at least 1, got 0"),
        (lambda: max_pool2d.forward(X, 2, padding=-1), ArgumentError, "padding: expected at least 0, got -1"),
        (
            lambda: max_pool2d.forward(X, 2, padding=2),
            ArgumentError,
            r"max_pool2d: padding: expected at most half of kernel_size \(2, 2\), got \(2, 2\)",
        ),
        (lambda: max_pool2d.forward(X, (4, 2), padding=(1, 2)), ArgumentError, "padding: expected at most half"),
        (lambda: max_pool2d.forward(X, (2, 4), padding=(2, 1)), ArgumentError, "padding: expected at most half"),
        (lambda: max_pool2d.forward(X, 2, ceil_mode=ONE), ArgumentTypeError, "ceil_mode: expected a bool, got 1"),
        (
            lambda: max_pool2d.forward(X, (2, 3), dilation=(1, 3)),
            ShapeError,
            r"x: expected a padded width of at least 7 \(kernel_size=3, dilation=3\), got 4 \(width 4, padding 0\)",
        ),
        (lambda: max_pool2d.forward(X, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: max_pool2d.backward(X, INDICES, (1, 1, 4, 4)), ShapeError, r"grad_output: expected shape \(1, 1, 2, 2\)"),
        (lambda: max_pool2d.backward(X[..., :2, :2], INDICES, (1, 1, 4)), ShapeError, "input_shape: expected shape"),
        (lambda: max_pool2d.backward(X[..., :2, :2], INDICES, (2, 1, 4, 4)), ShapeError, "indices: expected shape"),
        (
            lambda: max_pool2d.backward(X[..., :2, :2], INDICES.astype(np.int32), X.shape),
            DTypeError,
            "indices: expected int64",
        ),
        (lambda: max_pool2d.backward(X[..., :2, :2], [[0]], X.shape), ArgumentTypeError, "indices: expected a NumPy or CuPy"),
        (lambda: max_pool2d.gather(X, INDICES[0]), ShapeError, r"indices: expected shape \(N, C, out_h, out_w\)"),
        (lambda: max_pool2d.gather(X.astype(np.int64), INDICES), DTypeError, "grad_grad_input: expected float32 or float64"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.proves("max_pool2d", "bad input")
@pytest.mark.spec("max_pool2d.indices")
@pytest.mark.parametrize("value", [16, -1, 2**62, -(2**63)])
def test_an_index_outside_its_plane_is_refused(value):
    indices = INDICES.copy()
    indices[0, 0, 1, 0] = value
    message = rf"indices: expected 0 <= index < 16, the plane \(4, 4\), got {value} at \(0, 0, 1, 0\)"
    with pytest.raises(IndexRangeError, match=message):
        max_pool2d.backward(X[..., :2, :2], indices, X.shape)
    with pytest.raises(IndexRangeError, match=message):
        max_pool2d.gather(X, indices)


@pytest.mark.spec("max_pool2d.no-empty-window")
def test_a_window_without_a_pixel_is_refused():
    x = np.ones((1, 1, 2, 5), np.float32)  # taps at -1 and 2 step over a height of 2
    message = r"dilation: expected a pixel in every window, got \(3, 1\) \(window 0 along the height 2 has none"
    with pytest.raises(ArgumentError, match=message):
        max_pool2d.forward(x, 2, padding=(1, 0), dilation=(3, 1))
    with pytest.raises(ArgumentError, match=r"got \(1, 3\) \(window 0 along the width 2 has none"):
        max_pool2d.forward(x.swapaxes(2, 3), 2, padding=(0, 1), dilation=(1, 3))
    assert max_pool2d.forward(np.ones((1, 1, 3, 5)), 2, padding=(1, 0), dilation=(3, 1))[1].min() == 10  # reaches row 2


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 31)
    with pytest.raises(MemoryError, match=r"max_pool2d: out: expected at most 31 bytes, got 32 bytes for shape \(1, 1, 2, 2\)"):
        max_pool2d.forward(X, 2)


@pytest.mark.proves("max_pool2d", "reference", "torch")
@pytest.mark.spec("max_pool2d.output", "max_pool2d.choice", "max_pool2d.empty")
@pytest.mark.parametrize("dtype", DTYPES)
@given(geometries(dilated=True), BATCHES, st.integers(0, 2**16))
def test_selection_equals_loops_and_torch(dtype, case, batch, seed):
    size, options = case
    geometry = window("max_pool2d", size, **options)
    for values in (None, SPECIAL, [-np.inf]):
        x = planes(size, batch, seed, dtype, values)
        got = max_pool2d.forward(x, **options)
        assert_same_bits(got, reference.forward(x, *geometry))
        assert_same_bits(max_pool2d.forward(x, **options, algorithm="cuda"), got)
        if batch:  # PyTorch's answer is an oracle of shapes and values; NaN compares by place
            out, indices = torch_pool(x, **options)
            np.testing.assert_array_equal(got[0], out)
            np.testing.assert_array_equal(got[1], indices)
        assert got[0].shape[:2] == (batch, 2)


@pytest.mark.proves("max_pool2d", "reference")
@pytest.mark.parametrize("dtype", DTYPES)
@given(geometries(dilated=True), st.integers(0, 2**16))
def test_windows_of_many_taps_choose_tap_by_tap(dtype, case, seed):
    size, options = case
    for values in (None, SPECIAL, [-np.inf]):
        x = planes(size, 2, seed, dtype, values)
        with mock.patch.object(direct, "MOST_TAPS", 0):
            got = max_pool2d.forward(x, **options)
        assert_same_bits(got, reference.forward(x, *window("max_pool2d", size, **options)))


LONG = [  # kernel, stride, padding and dilation, whose rows are laid in one phase, in two, in one of two, in two of three
    ((3, 3), (1, 1), (1, 1), (1, 1)),
    ((3, 3), (2, 2), (1, 1), (1, 1)),
    ((5, 4), (1, 2), (2, 2), (3, 1)),
    ((2, 3), (3, 2), (1, 1), (1, 2)),
    ((4, 2), (2, 3), (0, 1), (2, 1)),
]


@pytest.mark.proves("max_pool2d", "reference", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("geometry", LONG)
@pytest.mark.parametrize("width", [31, 64, 83, 130])
def test_rows_of_several_vectors_are_chosen_as_the_loops_do(monkeypatch, dtype, geometry, width):
    for values in (None, SPECIAL, [-np.inf]):
        x = planes((12, width), 2, width, dtype, values)
        for pool in (max_pool2d.forward, max_pool2d.forward_taps):
            want = pool(x, *geometry, algorithm="reference")
            assert_same_bits(pool(x, *geometry), want)
    assert_promises(monkeypatch, lambda x: max_pool2d.forward(x, *geometry), x)


@pytest.mark.proves("max_pool2d", "reference", "adjoint")
@pytest.mark.spec("max_pool2d.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@given(geometries(dilated=True), BATCHES, st.integers(0, 2**16))
def test_scatter_and_gather_are_exact_on_integers_and_adjoint(dtype, case, batch, seed):
    size, options = case
    rng = np.random.default_rng(seed)
    x = planes(size, batch, seed, dtype)
    out, indices = max_pool2d.forward(x, **options)
    grad_output = rng.integers(-8, 9, out.shape).astype(dtype)
    grad_input = max_pool2d.backward(grad_output, indices, x.shape)
    np.testing.assert_array_equal(grad_input, reference.backward(grad_output, indices, x.shape))
    np.testing.assert_array_equal(grad_input, max_pool2d.backward(grad_output, indices, x.shape, algorithm="cuda"))
    gathered = max_pool2d.gather(x, indices)
    assert_same_bits(gathered, reference.gather(x, indices))
    assert_same_bits(gathered, max_pool2d.gather(x, indices, algorithm="cuda"))
    assert_same_bits(gathered, out)
    assert np.vdot(grad_input, x) == np.vdot(grad_output, gathered)  # integers below 2**24: exact in either dtype
    if batch:
        leaf = torch.from_numpy(x).requires_grad_()
        torch.nn.functional.max_pool2d(leaf, **options).backward(torch.from_numpy(grad_output))
        np.testing.assert_array_equal(grad_input, leaf.grad)


@pytest.mark.proves("max_pool2d", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
def test_scattered_sums_stay_within_the_rounding_bound(dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 2, 9, 8)).astype(dtype)
    out, indices = max_pool2d.forward(x, 5, stride=1, padding=2)
    grad_output = (rng.standard_normal(out.shape) * 10.0 ** rng.integers(-10, 10, out.shape)).astype(dtype)
    want = reference.backward(grad_output.astype(np.float64), indices, x.shape)
    size = reference.backward(np.abs(grad_output).astype(np.float64), indices, x.shape)
    terms = 25  # windows over one pixel
    bound = (gamma(terms, dtype) + gamma(terms, np.float64)) * size + smallest(terms, dtype)
    assert_within(max_pool2d.backward(grad_output, indices, x.shape), want, bound)


@pytest.mark.proves("max_pool2d", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    x = planes((13, 9), 2, 3, dtype, SPECIAL[1:])
    options = {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1, "dilation": (2, 1), "ceil_mode": True}
    assert_promises(monkeypatch, lambda x: max_pool2d.forward(x, **options), x)
    out, indices = max_pool2d.forward(x, **options)
    grad = np.random.default_rng(0).standard_normal(out.shape).astype(dtype)
    assert_promises(monkeypatch, lambda grad, indices: max_pool2d.backward(grad, indices, x.shape), grad, indices)
    assert_promises(monkeypatch, max_pool2d.gather, x, indices)


def test_the_compiled_loops_are_the_plain_loops():
    x = planes((6, 5), 2, 4, np.float32, SPECIAL)
    geometry = window("max_pool2d", (6, 5), (2, 3), (2, 1), (1, 0), (2, 1), True)
    want = reference.forward(x, *geometry)
    assert_same_bits(max_pool2d.forward(x, *geometry[:4], ceil_mode=True, algorithm="reference"), want)
    grad = np.random.default_rng(0).standard_normal(want[0].shape).astype(np.float32)
    compiled = max_pool2d.backward(grad, want[1], x.shape, algorithm="reference")
    assert_same_bits(compiled, reference.backward(grad, want[1], x.shape))
    assert_same_bits(max_pool2d.gather(x, want[1], algorithm="reference"), want[0])


def test_one_image_of_a_batch_has_the_bits_of_the_batch():
    x = planes((7, 8), 3, 5, np.float32)
    out, indices = max_pool2d.forward(x, 3, stride=2, padding=1)
    for b in range(3):
        assert_same_bits(max_pool2d.forward(x[b : b + 1], 3, stride=2, padding=1), (out[b : b + 1], indices[b : b + 1]))


def test_transposed_planes_give_transposed_values():
    x = planes((9, 6), 1, 6, np.float64)
    out, _ = max_pool2d.forward(x, (3, 2), (2, 1), (1, 0), (1, 2))
    flipped, _ = max_pool2d.forward(x.swapaxes(2, 3), (2, 3), (1, 2), (0, 1), (2, 1))
    assert_same_bits(flipped.swapaxes(2, 3), out)


def test_a_huge_kernel_costs_no_more_than_its_plane():
    x = np.array([[[[1.0, 3.0], [2.0, 0.0]]]], np.float32)
    start = time.monotonic()
    out, indices = max_pool2d.forward(x, 2**31 - 1, stride=2**30, padding=2**30 - 1)
    assert out.max() == 3
    assert indices.max() == 1
    assert time.monotonic() - start < 5
