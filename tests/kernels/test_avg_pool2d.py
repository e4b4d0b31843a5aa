"""Average pooling: what is summed, what it is divided by, and the adjoint."""

from __future__ import annotations

from functools import partial
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.pooling import geometries
from rawseg_kernels import _memory, avg_pool2d
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels._pooling import window
from rawseg_kernels.avg_pool2d import direct, reference

DTYPES = [np.float32, np.float64]
DIVISORS = st.sampled_from([{}, {"count_include_pad": False}, {"divisor_override": 8}])


def plain(size, options):
    """Return the arguments that the algorithms take after ``x``."""
    window_options = options["kernel_size"], options["stride"], options["padding"]
    kernel_size, stride, padding, _, out = window("avg_pool2d", size, *window_options, 1, options["ceil_mode"])
    return (kernel_size, stride, padding), out, (options.get("count_include_pad", True), options.get("divisor_override", 0))


def torch_backward(x, grad_output, options):
    leaf = torch.from_numpy(x).requires_grad_()
    out = torch.nn.functional.avg_pool2d(leaf, **options)
    return torch.autograd.grad(out, leaf, torch.from_numpy(grad_output))[0].numpy()


def test_by_hand():
    x = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    assert avg_pool2d.forward(x, 2).tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]
    #  0  1 |  2  3      (0 + 1 + 4 + 5) / 4 = 2.5
    #  4  5 |  6  7
    grad = avg_pool2d.backward(np.array([[[[4, 8], [12, 16]]]], np.float32), x.shape, 2)
    assert grad.tolist() == [[[[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]]]


@pytest.mark.spec("avg_pool2d.divisor")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_what_the_divisor_counts(algorithm):
    pool = partial(avg_pool2d.forward, algorithm=algorithm)
    x = np.ones((1, 1, 3, 3), np.float32)
    assert pool(x, 2, 2, 1).tolist() == [[[[0.25, 0.5], [0.5, 1]]]]  # padding counts
    assert pool(x, 2, 2, 1, count_include_pad=False).tolist() == [[[[1, 1], [1, 1]]]]
    assert pool(x, 2, 1, divisor_override=8).tolist() == [[[[0.5, 0.5], [0.5, 0.5]]]]
    assert (pool(np.ones((1, 1, 5, 5), np.float32), 2, ceil_mode=True) == 1).all()  # overhang never counts
    # Windows of 3 begin at -1, 1 and 3 of 4: they hold 2, 3 and 1 pixels; of the last, a third lies beyond the padding.
    held, counted = np.array([2, 3, 1.0]), np.array([3, 3, 2.0])
    x = np.ones((1, 1, 4, 4))
    out = pool(x, 3, 2, 1, ceil_mode=True)
    np.testing.assert_array_equal(out[0, 0], np.outer(held, held) / np.outer(counted, counted))
    back = avg_pool2d.backward(np.outer(counted, counted)[None, None], x.shape, 3, 2, 1, True, algorithm=algorithm)
    np.testing.assert_array_equal(back[0, 0], np.outer([1, 2, 1, 2], [1, 2, 1, 2]))  # the windows over each pixel


@pytest.mark.spec("all.nonfinite")
def test_padding_is_never_multiplied():
    x = np.array([[[[np.inf, 1], [2, np.nan]]]], np.float32)
    out = avg_pool2d.forward(x, 2, 1, 1)
    np.testing.assert_array_equal(out, [[[[np.inf, np.inf, 0.25], [np.inf, np.nan, np.nan], [0.5, np.nan, np.nan]]]])


ONE: Any = 1  # where a flag belongs
HALF: Any = 1.5
X = np.zeros((1, 1, 4, 4), np.float32)


@pytest.mark.proves("avg_pool2d", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: avg_pool2d.forward(X[0], 2), ShapeError, r"avg_pool2d: x: expected shape \(N, C, H, W\)"),
        (lambda: avg_pool2d.forward(X.astype(np.float16), 2), DTypeError, "x: expected float32 or float64, got float16"),
        (lambda: avg_pool2d.forward(X[..., :0], 2), ShapeError, "x: expected at least 1 along W"),
        (lambda: avg_pool2d.forward(X, 5), ShapeError, "x: expected a padded height of at least 5"),
        (lambda: avg_pool2d.forward(X, 2, padding=2), ArgumentError, r"padding: expected at most half of kernel_size \(2, 2\)"),
        (
            lambda: avg_pool2d.forward(X, 2, count_include_pad=ONE),
            ArgumentTypeError,
            "count_include_pad: expected a bool, got 1",
        ),
        (lambda: avg_pool2d.forward(X, 2, divisor_override=0), ArgumentError, "divisor_override: expected at least 1, got 0"),
        (lambda: avg_pool2d.forward(X, 2, divisor_override=-4), ArgumentError, "divisor_override: expected at least 1, got -4"),
        (
            lambda: avg_pool2d.forward(X, 2, divisor_override=2**31),
            ArgumentError,
            "divisor_override: expected at most 2147",
        ),
        (lambda: avg_pool2d.forward(X, 2, divisor_override=HALF), ArgumentTypeError, "divisor_override: expected an int"),
        (lambda: avg_pool2d.forward(X, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: avg_pool2d.backward(X, X.shape, 2), ShapeError, r"grad_output: expected shape \(1, 1, 2, 2\)"),
        (lambda: avg_pool2d.backward(X, (1, 1, 4, 0), 2), ArgumentError, "input_shape: expected at least 1, got 0"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 15)
    with pytest.raises(MemoryError, match="avg_pool2d: out: expected at most 15 bytes, got 16 bytes"):
        avg_pool2d.forward(X, 2)


@pytest.mark.proves("avg_pool2d", "reference", "torch", "bound")
@pytest.mark.spec("avg_pool2d.divisor")
@pytest.mark.parametrize("dtype", DTYPES)
@given(geometries(), DIVISORS, st.sampled_from([2, 1, 0]), st.integers(0, 2**16))
def test_means_equal_loops_and_torch_within_the_rounding_bound(dtype, case, divisor, batch, seed):
    size, options = case[0], {**case[1], **divisor}
    rng = np.random.default_rng(seed)
    shape = (batch, 2, *size)
    x = (rng.standard_normal(shape) * 10.0 ** rng.integers(-6, 6, shape)).astype(dtype)
    geometry, out_size, counts = plain(size, options)
    got = avg_pool2d.forward(x, **options)
    want = reference.forward(x.astype(np.float64), *geometry, out_size, *counts)
    terms = geometry[0][0] * geometry[0][1] + 1
    size_of_sum = reference.forward(np.abs(x).astype(np.float64), *geometry, out_size, *counts)
    bound = 2 * gamma(terms, np.float64) * size_of_sum + unit_roundoff(dtype) * np.abs(want) + smallest(terms, dtype)
    assert_within(got, want, bound, "loops")
    loops = reference.forward(x, *geometry, out_size, *counts)
    assert_same_bits(avg_pool2d.forward(x, **options, algorithm="cuda"), loops)
    if batch:
        assert_within(got, torch.nn.functional.avg_pool2d(torch.from_numpy(x).double(), **options).numpy(), bound, "torch")

    grad = rng.standard_normal(got.shape).astype(dtype)
    got = avg_pool2d.backward(grad, shape, **options)
    want = reference.backward(grad.astype(np.float64), shape, *geometry, *counts)
    size_of_sum = reference.backward(np.abs(grad).astype(np.float64), shape, *geometry, *counts)
    bound = 2 * gamma(terms, np.float64) * size_of_sum + unit_roundoff(dtype) * np.abs(want) + smallest(terms, dtype)
    assert_within(got, want, bound, "backward loops")
    loops = reference.backward(grad, shape, *geometry, *counts)
    assert_same_bits(avg_pool2d.backward(grad, shape, **options, algorithm="cuda"), loops)
    if batch:
        assert_within(got, torch_backward(x.astype(np.float64), grad.astype(np.float64), options), bound, "backward torch")


LONG = [  # kernel, stride and padding: rows in one phase, in two, in one of two, in two of three; quarters, whole and not
    ((3, 3), (1, 1), (1, 1)),
    ((3, 3), (2, 2), (1, 1)),
    ((4, 1), (3, 2), (2, 0)),
    ((2, 2), (1, 3), (0, 1)),
    ((2, 2), (2, 2), (0, 0)),
    ((2, 2), (2, 2), (1, 1)),
]


@pytest.mark.proves("avg_pool2d", "reference", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("geometry", LONG)
@pytest.mark.parametrize("width", [31, 33, 64, 83])
@pytest.mark.parametrize("divisor", [{}, {"count_include_pad": False}, {"divisor_override": 3}, {"divisor_override": 2}])
def test_rows_of_several_vectors_have_the_bits_of_the_loops(monkeypatch, dtype, geometry, width, divisor):
    rng = np.random.default_rng(width)
    x = rng.choice(np.array([-0.0, 0.1, 1e-3, np.inf, 7, -3]), (2, 2, 13, width), p=[0.3, 0.2, 0.2, 0.01, 0.2, 0.09]).astype(
        dtype
    )
    want = avg_pool2d.forward(x, *geometry, **divisor, algorithm="reference")
    assert_same_bits(avg_pool2d.forward(x, *geometry, **divisor), want)
    with mock.patch.object(direct, "MOST_TAPS", 0):
        assert_same_bits(avg_pool2d.forward(x, *geometry, **divisor), want)
    assert_promises(monkeypatch, lambda x: avg_pool2d.forward(x, *geometry, **divisor), x)
    grad = rng.choice(np.array([-0.0, 0.1, 1e-3, 7, -3]), want.shape).astype(dtype)
    got = avg_pool2d.backward(grad, x.shape, *geometry, **divisor)
    want, size = (
        avg_pool2d.backward(given.astype(np.float64), x.shape, *geometry, **divisor, algorithm="reference")
        for given in (grad, np.abs(grad))
    )
    with mock.patch.object(direct, "MOST_TAPS", 0):
        assert_same_bits(avg_pool2d.backward(grad, x.shape, *geometry, **divisor), got)
    assert_within(got, want, 2 * gamma(10, np.float64) * size + unit_roundoff(dtype) * np.abs(want) + smallest(10, dtype))
    assert not np.signbit(got[got == 0]).any()
    assert_promises(monkeypatch, lambda grad: avg_pool2d.backward(grad, x.shape, *geometry, **divisor), grad)


@pytest.mark.proves("avg_pool2d", "adjoint")
@pytest.mark.parametrize("dtype", DTYPES)
@given(geometries(), st.integers(0, 2**16))
def test_integers_are_exact_and_backward_is_the_adjoint(dtype, case, seed):
    size, options = case[0], {**case[1], "divisor_override": 8}  # a power of two: every quotient is exact
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, (2, 2, *size)).astype(dtype)
    out = avg_pool2d.forward(x, **options)
    np.testing.assert_array_equal(out, torch.nn.functional.avg_pool2d(torch.from_numpy(x), **options))
    grad_output = rng.integers(-8, 9, out.shape).astype(dtype)
    grad_input = avg_pool2d.backward(grad_output, x.shape, **options)
    np.testing.assert_array_equal(grad_input, torch_backward(x, grad_output, options))
    assert np.vdot(out, grad_output) == np.vdot(x, grad_input)


@pytest.mark.proves("avg_pool2d", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 3, 11, 8)).astype(dtype)
    options = {"kernel_size": (3, 2), "stride": (1, 2), "padding": 1, "ceil_mode": True, "count_include_pad": False}
    assert_promises(monkeypatch, lambda x: avg_pool2d.forward(x, **options), x)
    grad = rng.standard_normal(avg_pool2d.forward(x, **options).shape).astype(dtype)
    assert_promises(monkeypatch, lambda grad: avg_pool2d.backward(grad, x.shape, **options), grad)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 2, 6, 5)).astype(np.float32)
    options = {"kernel_size": (2, 3), "stride": (2, 1), "padding": (1, 0), "ceil_mode": True}
    geometry, out_size, counts = plain((6, 5), options)
    want = reference.forward(x, *geometry, out_size, *counts)
    assert_same_bits(avg_pool2d.forward(x, **options, algorithm="reference"), want)
    grad = rng.standard_normal(want.shape).astype(np.float32)
    compiled = avg_pool2d.backward(grad, x.shape, **options, algorithm="reference")
    assert_same_bits(compiled, reference.backward(grad, x.shape, *geometry, *counts))


@pytest.mark.proves("avg_pool2d", "complex step")
def test_complex_numbers_pass_through_the_loops():
    x = np.arange(16).reshape(1, 1, 4, 4) * (1 + 2j)
    out = reference.forward(x, (2, 2), (2, 2), (0, 0), (2, 2), True, 0)
    assert out.tolist() == [[[[2.5 + 5j, 4.5 + 9j], [10.5 + 21j, 12.5 + 25j]]]]


def test_transposed_planes_give_transposed_means():
    x = np.random.default_rng(0).integers(-8, 9, (1, 2, 9, 6)).astype(np.float64)
    out = avg_pool2d.forward(x, (4, 2), (2, 1), (1, 0))
    assert_same_bits(avg_pool2d.forward(x.swapaxes(2, 3), (2, 4), (1, 2), (0, 1)).swapaxes(2, 3), out)


@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_a_huge_kernel_costs_no_more_than_its_plane(algorithm):
    x = np.array([[[[1.0, 3.0], [2.0, 0.0]]]], np.float32)
    options = {"kernel_size": 2**31 - 1, "stride": 2**30, "padding": 2**30 - 1, "count_include_pad": False}
    options["algorithm"] = algorithm
    out = avg_pool2d.forward(x, **options)
    assert out.max() == 1.5
    assert avg_pool2d.backward(out, x.shape, **options).shape == x.shape
