"""Max pooling that keeps a byte of each choice: the values, the places and the gradients of the indices, bit for bit."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

import rawseg
from rawseg import functional as F
from rawseg.testing.strategies.pooling import geometries
from rawseg_kernels import max_pool2d
from rawseg_kernels._errors import ArgumentError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels._pooling import window
from rawseg_kernels.max_pool2d import direct, inside

DTYPES = [np.float32, np.float64]
VALUES = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, 2.0, 3.0])  # ties, and what is no number
QUARTERS = {"kernel_size": 2}


def test_by_hand():
    x = np.array([[[[1, 5, 2, 0, 9], [3, 4, 5, 5, 9], [-1, 0, 7, 6, 9]]]], np.float32)
    out, taps = max_pool2d.forward_taps(x, 2)
    assert out.tolist() == [[[[5, 5]]]]
    assert taps.tolist() == [[[[1, 2]]]]  # upper right; lower left, the first of two
    assert taps.dtype == np.uint8
    grad = max_pool2d.backward_taps(np.array([[[[8, 9]]]], np.float32), taps, x.shape, 2)
    assert grad.tolist() == [[[[0, 8, 0, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 0, 0]]]]
    assert max_pool2d.indices_of_taps(taps, x.shape, 2).tolist() == [[[[1, 7]]]]


@pytest.mark.proves("max_pool2d", "reference")
@pytest.mark.parametrize("dtype", DTYPES)
@given(st.one_of(geometries(dilated=True), st.just(((5, 6), QUARTERS)), st.just(((4, 33), QUARTERS))), st.integers(0, 2**16))
def test_taps_are_indices(dtype, case, seed):
    size, options = case
    rng = np.random.default_rng(seed)
    x = rng.choice(VALUES, (2, 2, *size)).astype(dtype)
    out, indices = max_pool2d.forward(x, **options)
    for algorithm in ("direct", "cuda", "reference"):
        values, taps = max_pool2d.forward_taps(x, **options, algorithm=algorithm)
        assert_same_bits(values, out)
        assert_same_bits(max_pool2d.indices_of_taps(taps, x.shape, **options, algorithm=algorithm), indices)
        g = rng.integers(-8, 9, out.shape).astype(dtype) * dtype(-0.5)  # exact sums; some are -0.0
        want = max_pool2d.backward(g, indices, x.shape)
        assert_same_bits(max_pool2d.backward_taps(g, taps, x.shape, **options, algorithm=algorithm), want)


@pytest.mark.parametrize("dtype", DTYPES)
def test_taps_of_planes_whose_places_are_too_large(dtype):
    """Places of so many pixels are no int32; taps are, and an int64 beside a float64 holds either."""
    x = np.random.default_rng(0).standard_normal((2, 3, 40, 41)).astype(dtype)
    want, places = max_pool2d.forward_taps(x, 3, 2, 1), max_pool2d.forward(x, 3, 2, 1)
    with mock.patch.object(direct, "MOST_PIXELS", 1):
        assert_same_bits(max_pool2d.forward_taps(x, 3, 2, 1), want)
        assert_same_bits(max_pool2d.forward(x, 3, 2, 1), places)


@given(geometries(dilated=True), st.integers(0, 2**16))
def test_a_tap_that_stands_on_no_pixel_is_found_wherever_it_is(case, seed):
    size, options = case
    kernel_size, stride, padding, dilation, output_size = window("max_pool2d", size, **options)
    rng = np.random.default_rng(seed)
    _, taps = max_pool2d.forward_taps(rng.standard_normal((1, 2, *size)), **options)
    geometry, count = (size, kernel_size, stride, padding, dilation), kernel_size[0] * kernel_size[1]
    assert inside.all_inside(taps, *geometry)
    outside = [max_pool2d._outside(np.full_like(taps, tap), size, output_size, *geometry[1:]) for tap in range(count)]
    for tap in range(count + 1):
        for at in np.ndindex(*output_size):
            wrong = taps.copy()
            wrong[0, 1][at] = tap
            assert inside.all_inside(wrong, *geometry) == (tap < count and not outside[tap][0, 1][at])


TAPS = np.zeros((1, 1, 2, 2), np.uint8)
GRAD = np.zeros((1, 1, 2, 2), np.float32)


@pytest.mark.proves("max_pool2d", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: max_pool2d.forward_taps(np.zeros((1, 1, 40, 40)), 17),
            ArgumentError,
            "kernel_size: expected at most 256 taps",
        ),
        (lambda: max_pool2d.backward_taps(GRAD, TAPS.astype(int), (1, 1, 4, 4), 2), DTypeError, "taps: expected uint8"),
        (lambda: max_pool2d.backward_taps(GRAD, TAPS, (1, 1, 4, 9), 2), ShapeError, r"taps: expected shape \(1, 1, 2, 4\)"),
        (lambda: max_pool2d.backward_taps(GRAD[:, :, :1], TAPS, (1, 1, 4, 4), 2), ShapeError, "grad_output: expected shape"),
        (
            lambda: max_pool2d.backward_taps(GRAD, TAPS + np.uint8(4), (1, 1, 4, 4), 2),
            IndexRangeError,
            r"taps: expected taps of a window \(2, 2\) on the plane \(4, 4\), got 4 at \(0, 0, 0, 0\)",
        ),
        (
            lambda: max_pool2d.indices_of_taps(TAPS, (1, 1, 4, 4), 3, 2, 1),  # the first tap stands in the padding
            IndexRangeError,
            r"on the plane \(4, 4\), got 0 at \(0, 0, 0, 0\)",
        ),
        (
            lambda: max_pool2d.indices_of_taps(TAPS + np.uint8(3), (1, 1, 3, 3), 2, 2, 0, 1, True),  # below the last row
            IndexRangeError,
            r"on the plane \(3, 3\), got 3 at \(0, 0, 0, 1\)",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_window_of_256_taps_fits_and_one_of_more_keeps_indices():
    assert max_pool2d.has_few_taps(16)
    assert not max_pool2d.has_few_taps((16, 17))
    x = np.arange(400.0).reshape(1, 1, 20, 20)
    assert max_pool2d.forward_taps(x, 16)[1].tolist() == [[[[255]]]]
    for side in (16, 17):
        leaf = rawseg.tensor(x, requires_grad=True)
        F.max_pool2d(leaf, side).sum().backward()
        assert np.flatnonzero(leaf.grad.numpy()).tolist() == [(side - 1) * 21]


def test_a_training_step_keeps_bytes_and_has_the_gradients_of_indices(monkeypatch):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 8, 10)).astype(np.float32)
    weight = rng.standard_normal((2, 3, 4, 5)).astype(np.float32)
    grads = []
    for wanted in (False, True):
        leaf = rawseg.tensor(x, requires_grad=True)
        out = F.max_pool2d(leaf, 2, return_indices=wanted)
        out = out[0] if wanted else out
        (first,) = rawseg.autograd.grad((out**3 * rawseg.tensor(weight)).sum(), leaf, create_graph=True)
        (second,) = rawseg.autograd.grad((first**2).sum(), leaf)
        out = F.max_pool2d(leaf, 2, return_indices=wanted)
        ((out[0] if wanted else out) * rawseg.tensor(weight)).sum().backward()
        grads.append((first.numpy(), second.numpy(), leaf.grad.numpy()))
    assert_same_bits(grads[0], grads[1])
    monkeypatch.setattr(direct, "forward", None)  # the int64 indices are never made
    F.max_pool2d(rawseg.tensor(x, requires_grad=True), 2)
