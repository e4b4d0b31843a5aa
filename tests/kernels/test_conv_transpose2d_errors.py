"""What transposed convolution refuses, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rawseg_kernels import _memory, conv_transpose2d
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError

X = np.zeros((2, 6, 3, 5), np.float32)
W = np.zeros((6, 4, 3, 2), np.float32)
Y = np.zeros((2, 4, 5, 6), np.float32)
ANY: Any = 5


@pytest.mark.proves("conv_transpose2d", "bad input")
@pytest.mark.spec(
    "conv_transpose2d.shapes", "conv_transpose2d.output", "conv_transpose2d.domain", "conv_transpose2d.output_size"
)
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: conv_transpose2d.forward(X[0], W), ShapeError, r"conv_transpose2d: x: expected shape \(N, C, H, W\)"),
        (lambda: conv_transpose2d.forward(X, W[0]), ShapeError, r"weight: expected shape \(C_in, C_out / groups, kH, kW\)"),
        (lambda: conv_transpose2d.forward(X[..., :0], W), ShapeError, "x: expected at least 1 along W"),
        (
            lambda: conv_transpose2d.forward(X, W[:, :0]),
            ShapeError,
            r"weight: expected at least 1 along C_out / groups, got 0 \(shape \(6, 0, 3, 2\)\)",
        ),
        (
            lambda: conv_transpose2d.forward(X, W[:5]),
            ShapeError,
            r"weight: expected 6 input channels, got 5 \(weight shape \(5, 4, 3, 2\)\)",
        ),
        (
            lambda: conv_transpose2d.forward(X, W, groups=4),
            ArgumentError,
            "groups: expected a divisor of the 6 input channels, got 4",
        ),
        (lambda: conv_transpose2d.forward(X, W, groups=0), ArgumentError, "groups: expected at least 1, got 0"),
        (lambda: conv_transpose2d.forward(X, W, Y[0, :3, 0, 0]), ShapeError, r"bias: expected shape \(4,\), got shape \(3,\)"),
        (lambda: conv_transpose2d.forward(X, W, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (lambda: conv_transpose2d.forward(X, W, padding="same"), ArgumentTypeError, "padding: expected an int, got 'same'"),
        (
            lambda: conv_transpose2d.forward(X, W, stride=2, output_padding=(1, 2)),
            ArgumentError,
            r"output_padding: expected less than stride \(2, 2\) or dilation \(1, 1\) in each axis, got \(1, 2\)",
        ),
        (
            lambda: conv_transpose2d.forward(X, W, padding=(0, 3)),
            ShapeError,
            r"padding: expected an output width of at least 1, got 0 \(width 5, padding \(0, 3\)\)",
        ),
        (
            lambda: conv_transpose2d.forward(X, W, stride=3, padding=(5, 1), output_size=(0, 12)),
            ShapeError,
            "padding: expected an output height of at least 1, got 0",
        ),
        (
            lambda: conv_transpose2d.forward(X, W, stride=2, output_size=(7, 12)),
            ArgumentError,
            r"output_size: expected between \(7, 10\) and \(8, 11\), got \(7, 12\)",
        ),
        (
            lambda: conv_transpose2d.forward(X, W, output_size=(2, 5, 5, 6)),
            ArgumentError,
            r"output_size: expected \(N, C_out\) = \(2, 4\) at the front, got \(2, 5, 5, 6\)",
        ),
        (lambda: conv_transpose2d.forward(X, W, output_size=ANY), ArgumentError, r"output_size: expected \(out_h, out_w\) or"),
        (
            lambda: conv_transpose2d.forward(X, W, stride=2, output_padding=1, output_size=(8, 11)),
            ArgumentError,
            "output_size: expected None beside an output_padding",
        ),
        (lambda: conv_transpose2d.forward(X.astype(int), W), DTypeError, "x: expected float32 or float64, got int64"),
        (
            lambda: conv_transpose2d.backward_input(Y, W, (2, 6, 4, 5)),
            ShapeError,
            r"grad_output: expected shape \(2, 4, 6 to 6, 6 to 6\), got shape \(2, 4, 5, 6\)",
        ),
        (lambda: conv_transpose2d.backward_input(Y[:1], W, X.shape), ShapeError, r"grad_output: expected shape \(2, 4, 5 to 5"),
        (
            lambda: conv_transpose2d.backward_input(Y, W, (2, 6, 4)),
            ShapeError,
            r"input_shape: expected shape \(N, C_in, H, W\)",
        ),
        (
            lambda: conv_transpose2d.backward_weight(Y, X, (6, 3, 3, 2)),
            ShapeError,
            r"grad_output: expected shape \(2, 3, 5 to 5",
        ),
        (lambda: conv_transpose2d.backward_weight(Y, X, (5, 4, 3, 2)), ShapeError, "weight: expected 6 input channels, got 5"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_for_the_machine(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 959)
    with pytest.raises(MemoryError, match="conv_transpose2d: out: expected at most 959 bytes, got 960 bytes"):
        conv_transpose2d.forward(X, W)
