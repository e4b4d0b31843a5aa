"""Windows as columns and back: what is read, what is added, and that each is the other's adjoint."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg.testing.strategies.windows import windows, windows_of
from rawseg_kernels import _memory, unfold
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.unfold import reference

DTYPES = [np.float32, np.float64]
BATCHES = st.sampled_from([2, 1, 0])
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 1.0, 2.0]


def plain(size, options):
    """Return the arguments that the algorithms take."""
    return windows_of(size, options), *options.values()


@pytest.mark.spec("unfold.layout", "unfold.adjoint")
def test_by_hand():
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    #  1 2 3      the windows, left to right, then down, are the columns:
    #  4 5 6      1 2 4 5 | 2 3 5 6 | 4 5 7 8 | 5 6 8 9
    #  7 8 9
    columns = unfold.forward(x, 2)
    assert columns.tolist() == [[[1, 2, 4, 5], [2, 3, 5, 6], [4, 5, 7, 8], [5, 6, 8, 9]]]
    assert unfold.backward(columns, 3, 2).tolist() == [[[[1, 4, 3], [8, 20, 12], [7, 16, 9]]]]  # times the windows over it
    apart = unfold.forward(x, (1, 2), dilation=2, padding=(0, 1), stride=(2, 1))
    assert apart.tolist() == [[[0, 1, 2, 0, 7, 8], [2, 3, 0, 8, 9, 0]]]


@pytest.mark.spec("unfold.layout")
def test_channels_come_first_in_a_column():
    x = np.arange(8, dtype=np.float64).reshape(1, 2, 2, 2)
    assert unfold.forward(x, 2).tolist() == [[[0], [1], [2], [3], [4], [5], [6], [7]]]
    assert_same_bits(unfold.backward(unfold.forward(x, 2), 2, 2), x)


X = np.zeros((2, 3, 4, 5), np.float32)
COLUMNS = np.zeros((2, 12, 12), np.float32)


@pytest.mark.spec("fold.size")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: unfold.forward(X[0], 2), ShapeError, r"unfold: x: expected shape \(N, C, H, W\), got shape \(3, 4, 5\)"),
        (lambda: unfold.forward(X[:, :0], 2), ShapeError, "x: expected at least 1 along C"),
        (lambda: unfold.forward(X.astype(int), 2), DTypeError, "x: expected float32 or float64, got int64"),
        (lambda: unfold.forward(X, 0), ArgumentError, "kernel_size: expected at least 1, got 0"),
        (lambda: unfold.forward(X, (1, 2, 3)), ArgumentError, "kernel_size: expected an int or a pair"),
        (lambda: unfold.forward(X, 2.0), ArgumentTypeError, "kernel_size: expected an int, got 2.0"),
        (lambda: unfold.forward(X, 2, dilation=0), ArgumentError, "dilation: expected at least 1, got 0"),
        (lambda: unfold.forward(X, 2, padding=-1), ArgumentError, "padding: expected at least 0, got -1"),
        (lambda: unfold.forward(X, 2, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (
            lambda: unfold.forward(X, (2, 3), dilation=(1, 3)),
            ShapeError,
            r"x: expected a padded width of at least 7 \(kernel_size=3, dilation=3\), got 5 \(width 5\)",
        ),
        (lambda: unfold.forward(X, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: unfold.backward(X, (4, 5), 2), ShapeError, r"grad_output: expected shape \(N, C \* kernel_h \* kernel_w, L\)"),
        (
            lambda: unfold.backward(COLUMNS[:, :10], (4, 5), 2),
            ShapeError,
            r"grad_output: expected a multiple of 4 rows \(kernel_size \(2, 2\)\), got 10 \(shape \(2, 10, 12\)\)",
        ),
        (lambda: unfold.backward(COLUMNS[:, :0], (4, 5), 2), ShapeError, "grad_output: expected a multiple of 4 rows"),
        (
            lambda: unfold.backward(COLUMNS[..., 1:], (4, 5), 2),
            ShapeError,
            r"expected 12 columns, one for each of 3 x 4 windows, got 11 \(shape \(2, 12, 11\)\)",
        ),
        (lambda: unfold.backward(COLUMNS, (0, 5), 2), ArgumentError, "input_size: expected at least 1, got 0"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 1151)
    with pytest.raises(MemoryError, match=r"unfold: out: .* got 1152 bytes for shape \(2, 12, 12\)"):
        unfold.forward(X, 2)
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 479)
    with pytest.raises(MemoryError, match=r"unfold: out: .* got 480 bytes for shape \(2, 3, 4, 5\)"):
        unfold.backward(COLUMNS, (4, 5), 2)


@pytest.mark.proves("unfold", "reference", "torch")
@pytest.mark.spec("unfold.layout")
@pytest.mark.parametrize("dtype", DTYPES)
@given(windows(), BATCHES, st.integers(0, 2**16))
def test_windows_equal_loops_and_torch(dtype, case, batch, seed):
    size, options = case
    x = np.random.default_rng(seed).choice(np.array(SPECIAL), (batch, 2, *size)).astype(dtype)
    got = unfold.forward(x, **options)
    assert_same_bits(got, reference.forward(x, *plain(size, options)))
    assert_same_bits(unfold.forward(x, **options, algorithm="cuda"), got)
    np.testing.assert_array_equal(got, torch.nn.functional.unfold(torch.from_numpy(x), **options))


@pytest.mark.proves("unfold", "adjoint")
@pytest.mark.proves("fold", "reference", "adjoint", "torch", "bound")
@pytest.mark.spec("unfold.adjoint")
@pytest.mark.parametrize("dtype", DTYPES)
@given(windows(), BATCHES, st.integers(0, 2**16))
def test_fold_is_the_exact_adjoint_in_a_fixed_order(dtype, case, batch, seed):
    size, options = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, (batch, 2, *size)).astype(dtype)
    columns = unfold.forward(x, **options)
    grad_output = rng.integers(-8, 9, columns.shape).astype(dtype)
    grad_input = unfold.backward(grad_output, size, **options)
    assert np.vdot(columns, grad_output) == np.vdot(x, grad_input)
    want = torch.nn.functional.fold(torch.from_numpy(grad_output), size, **options)
    np.testing.assert_array_equal(grad_input, want)

    spread = (rng.standard_normal(columns.shape) * 10.0 ** rng.integers(-6, 7, columns.shape)).astype(dtype)
    got, geometry = unfold.backward(spread, size, **options), plain(size, options)
    assert_same_bits(got, reference.backward(spread, size, *geometry))  # the same sums in the same order
    assert_same_bits(unfold.backward(spread, size, **options, algorithm="cuda"), got)
    wide = torch.from_numpy(spread.astype(np.float64))
    exact = torch.nn.functional.fold(wide, size, **options).numpy()
    magnitude = torch.nn.functional.fold(wide.abs(), size, **options).numpy()
    bound = 2 * gamma(16, np.float64) * magnitude + unit_roundoff(dtype) * np.abs(exact) + smallest(1, dtype)  # 4 x 4 taps
    assert_within(got, exact, bound)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    options = {"kernel_size": (2, 3), "dilation": (2, 1), "padding": (1, 0), "stride": (1, 2)}
    x = rng.standard_normal((2, 2, 6, 7)).astype(np.float32)
    want = reference.forward(x, *plain((6, 7), options))
    assert_same_bits(unfold.forward(x, **options, algorithm="reference"), want)
    back = reference.backward(want, (6, 7), *plain((6, 7), options))
    assert_same_bits(unfold.backward(want, (6, 7), **options, algorithm="reference"), back)


@pytest.mark.proves("unfold", "complex step")
@pytest.mark.proves("fold", "complex step")
def test_complex_numbers_pass_through_the_loops():
    geometry = (2, 3), (2, 2), (1, 1), (0, 1), (1, 1)
    x = np.arange(6).reshape(1, 1, 3, 2) * (1 + 2j)
    columns = reference.forward(x, *geometry)
    assert_same_bits(columns, reference.forward(x.real, *geometry) * (1 + 2j))
    back = reference.backward(columns, (3, 2), *geometry)
    assert_same_bits(back, reference.backward(columns.real.copy(), (3, 2), *geometry) * (1 + 2j))


def test_transposed_planes_give_transposed_windows():
    x = np.random.default_rng(0).standard_normal((1, 2, 6, 7))
    options = {"kernel_size": (3, 2), "dilation": (1, 2), "padding": (1, 0), "stride": (2, 1)}
    flipped = {name: pair[::-1] for name, pair in options.items()}
    (down, across), columns = windows_of((6, 7), options), unfold.forward(x, **options)
    other = unfold.forward(x.swapaxes(2, 3), **flipped).reshape(1, 2, 2, 3, across, down)
    assert_same_bits(other.transpose(0, 1, 3, 2, 5, 4).reshape(columns.shape), columns)
