"""Sampling: what is refused, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rawseg_kernels import _memory, grid_sample
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError


def locate(x, grid, mode="bilinear", padding="zeros", corners=False, **options):
    return grid_sample.locate(grid, x.shape[2:], mode, padding, corners, **options)


ONE: Any = 1  # where a flag belongs
X, GRID = np.zeros((2, 3, 4, 5), np.float32), np.zeros((2, 2, 3, 2), np.float32)
INDICES, WEIGHTS = np.zeros((2, 2, 3, 4), np.int64), np.zeros((2, 2, 3, 4), np.float32)
GRAD = np.zeros((2, 3, 2, 3), np.float32)


@pytest.mark.proves("grid_sample", "bad input")
@pytest.mark.spec("grid_sample.shapes")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: locate(X, GRID[..., :1]),
            ShapeError,
            r"grid: expected shape \(N, out_h, out_w, 2\), got",
        ),
        (lambda: locate(X, GRID[0]), ShapeError, r"grid: expected shape \(N, out_h, out_w, 2\), got shape \(2, 3, 2\)"),
        (lambda: locate(X, None), ArgumentTypeError, "grid: expected a NumPy or CuPy array, got NoneType"),
        (lambda: locate(X, GRID.astype(int)), DTypeError, "grid: expected float32 or float64, got int64"),
        (lambda: locate(X, GRID, "bicubic"), ArgumentError, r"mode: expected one of \('bilinear', 'nearest'\), got 'bicubic'"),
        (lambda: locate(X, GRID, X), ArgumentError, "mode: expected one of"),
        (lambda: locate(X, GRID, padding="wrap"), ArgumentError, "padding_mode: expected one of .* got 'wrap'"),
        (lambda: locate(X, GRID, corners=ONE), ArgumentTypeError, "align_corners: expected a bool, got 1"),
        (lambda: grid_sample.locate(GRID, 0, "nearest", "zeros", True), ArgumentError, "size: expected at least 1, got 0"),
        (lambda: locate(X, GRID, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: grid_sample.forward(X[0], INDICES, WEIGHTS), ShapeError, r"x: expected shape \(N, C, H, W\), got"),
        (lambda: grid_sample.forward(X[:, :, :0], INDICES, WEIGHTS), ShapeError, "x: expected at least 1 along H"),
        (
            lambda: grid_sample.forward(X, INDICES, WEIGHTS.astype(float)),
            DTypeError,
            "weights: expected float32, the dtype",
        ),
        (lambda: grid_sample.forward(X, INDICES.astype(np.int32), WEIGHTS), DTypeError, "indices: expected int64, got int32"),
        (
            lambda: grid_sample.forward(X, [[0]], WEIGHTS),
            ArgumentTypeError,
            "indices: expected a NumPy or CuPy array",
        ),
        (lambda: grid_sample.forward(X, INDICES[0], WEIGHTS), ShapeError, r"indices: expected shape \(N, out_h, out_w, taps\)"),
        (lambda: grid_sample.forward(X, INDICES[:1], WEIGHTS[:1]), ShapeError, r"indices: expected shape \(2, 2, 3, 4\), got"),
        (lambda: grid_sample.forward(X, INDICES, WEIGHTS[..., :1]), ShapeError, r"weights: expected shape \(2, 2, 3, 4\), got"),
        (lambda: grid_sample.backward_input(X, INDICES, WEIGHTS, (4, 5)), ShapeError, r"grad_output: expected shape \(2, 3, 2"),
        (lambda: grid_sample.backward_input(GRAD, INDICES, WEIGHTS, 2.5), ArgumentTypeError, "input_size: expected an int"),
        (
            lambda: grid_sample.backward_weights(GRAD[:, :2], X, INDICES),
            ShapeError,
            r"grad_output: expected shape \(2, 3, 2",
        ),
        (
            lambda: grid_sample.backward_weights(GRAD[..., :2], X, INDICES),
            ShapeError,
            r"grad_output: expected shape \(2, 3, 2",
        ),
        (lambda: grid_sample.backward_weights(GRAD, X.astype(float), INDICES), DTypeError, "grad_output: expected float64"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=f"grid_sample: {message}"):
        call()


@pytest.mark.proves("grid_sample", "bad input")
@pytest.mark.parametrize("value", [21, -1, 2**62, -(2**63)])
def test_an_index_beyond_the_pixels_is_refused(value):
    indices = INDICES.copy()
    indices[1, 0, 2, 3] = value
    message = rf"indices: expected 0 <= index <= 20, the number of pixels, got {value} at \(1, 0, 2, 3\)"
    for call in (
        lambda: grid_sample.forward(X, indices, WEIGHTS),
        lambda: grid_sample.backward_input(GRAD, indices, WEIGHTS, (4, 5)),
        lambda: grid_sample.backward_weights(GRAD, X, indices),
    ):
        with pytest.raises(IndexRangeError, match=message):
            call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 143)
    with pytest.raises(MemoryError, match="grid_sample: out: expected at most 143 bytes, got 144 bytes for shape"):
        grid_sample.forward(X, INDICES, WEIGHTS)
