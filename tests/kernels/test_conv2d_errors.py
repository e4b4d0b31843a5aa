"""What convolution refuses, and in which words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg_kernels import _memory, conv2d
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DeviceError, DTypeError, ShapeError

X = np.zeros((2, 4, 5, 6), np.float32)
W = np.zeros((6, 4, 3, 2), np.float32)
Y = np.zeros((2, 6, 3, 5), np.float32)
ANY: Any = None


@pytest.mark.proves("conv2d", "bad input")
@pytest.mark.spec("conv2d.shapes", "conv2d.output", "conv2d.domain", "conv2d.padding", "all.integers")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: conv2d.forward(X[0], W), ShapeError, r"conv2d: x: expected shape \(N, C, H, W\), got shape \(4, 5, 6\)"),
        (lambda: conv2d.forward(X, W[0]), ShapeError, r"weight: expected shape \(C_out, C_in / groups, kH, kW\)"),
        (lambda: conv2d.forward(X[:, :, :0], W), ShapeError, "x: expected at least 1 along H"),
        (
            lambda: conv2d.forward(X, W[:0]),
            ShapeError,
            r"weight: expected at least 1 along C_out, got 0 \(shape \(0, 4, 3, 2\)\)",
        ),
        (
            lambda: conv2d.forward(X, W[:, :0]),
            ShapeError,
            r"weight: expected at least 1 along C_in / groups, got 0 \(shape \(6, 0, 3, 2\)\)",
        ),
        (lambda: conv2d.forward(X, W[..., :0]), ShapeError, "weight: expected at least 1 along kW"),
        (lambda: conv2d.forward(X, W, Y[0, :5, 0, 0]), ShapeError, r"bias: expected shape \(6,\), got shape \(5,\)"),
        (
            lambda: conv2d.forward(X, W[:, :3]),
            ShapeError,
            r"weight: expected 4 input channels per group \(input has 4, groups=1\), got 3",
        ),
        (
            lambda: conv2d.forward(X, W, groups=2),
            ShapeError,
            r"weight: expected 2 input channels per group \(input has 4, groups=2\)",
        ),
        (lambda: conv2d.forward(X, W, groups=3), ArgumentError, "groups: expected a divisor of the 4 input channels, got 3"),
        (
            lambda: conv2d.forward(X, W[:5], groups=4),
            ArgumentError,
            "groups: expected a divisor of the 5 output channels, got 4",
        ),
        (lambda: conv2d.forward(X, W, groups=0), ArgumentError, "groups: expected at least 1, got 0"),
        (lambda: conv2d.forward(X, W, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (lambda: conv2d.forward(X, W, stride=(1, 2, 3)), ArgumentError, r"stride: expected an int or a pair \(height, width\)"),
        (lambda: conv2d.forward(X, W, stride=1.5), ArgumentTypeError, "stride: expected an int, got 1.5"),
        (lambda: conv2d.forward(X, W, dilation=True), ArgumentTypeError, "dilation: expected an int, got True"),
        (lambda: conv2d.forward(X, W, padding=-1), ArgumentError, "padding: expected at least 0, got -1"),
        (
            lambda: conv2d.forward(X, W, padding="full"),
            ArgumentError,
            "padding: expected an int, a pair, 'valid' or 'same', got 'full'",
        ),
        (
            lambda: conv2d.forward(X, W, padding="same", stride=2),
            ArgumentError,
            r"padding: expected stride 1 with 'same', got stride \(2, 2\)",
        ),
        (
            lambda: conv2d.forward(X, W, dilation=(3, 1)),
            ShapeError,
            r"x: expected a padded height of at least 7 \(kernel_size=3, dilation=3\), got 5 \(height 5\)",
        ),
        (lambda: conv2d.forward(X, W, padding=(1, 0), dilation=(1, 6)), ShapeError, "x: expected a padded width of at least 7"),
        (lambda: conv2d.forward(X.astype(int), W), DTypeError, "x: expected float32 or float64, got int64"),
        (lambda: conv2d.forward(X, W.astype(float)), DTypeError, "weight: expected float32, the dtype of x, got float64"),
        (lambda: conv2d.forward([1.0], W), ArgumentTypeError, "x: expected a NumPy or CuPy array, got list"),
        (
            lambda: conv2d.forward(X, W, algorithm="fft"),
            ArgumentError,
            "algorithm: expected one of .*'im2col', 'depthwise', 'winograd4', 'winograd2', 'direct'.*, got 'fft'",
        ),
        (
            lambda: conv2d.forward(X, W, algorithm="depthwise"),
            ArgumentError,
            "groups: expected a group for each of the 4 input channels for algorithm 'depthwise', got 1",
        ),
        (
            lambda: conv2d.backward_input(Y, W, X.shape, algorithm="depthwise"),
            ArgumentError,
            "groups: expected a group for each",
        ),
        (
            lambda: conv2d.backward_weight(Y, X, W.shape, algorithm="depthwise"),
            ArgumentError,
            "groups: expected a group for each",
        ),
        (lambda: conv2d.backward_input(Y, W, (2, 4, 5)), ShapeError, r"input_shape: expected shape \(N, C_in, H, W\)"),
        (lambda: conv2d.backward_input(Y, W, ANY), ArgumentTypeError, "input_shape: expected a shape"),
        (lambda: conv2d.backward_input(Y, W, (2, 4, 0, 6)), ArgumentError, "input_shape: expected at least 1, got 0"),
        (lambda: conv2d.backward_input(Y[..., 1:], W, X.shape), ShapeError, r"grad_output: expected shape \(2, 6, 3, 5\)"),
        (lambda: conv2d.backward_weight(Y, X, (6, 4, 2, 2)), ShapeError, r"grad_output: expected shape \(2, 6, 4, 5\)"),
        (lambda: conv2d.backward_weight(Y, X, (0, 4, 3, 2)), ShapeError, "weight_shape: expected at least 1 along C_out"),
        (lambda: conv2d.backward_bias(Y[0]), ShapeError, r"grad_output: expected shape \(N, C, H, W\)"),
    ],
)
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("all.memory")
def test_too_large_for_the_machine(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 719)
    with pytest.raises(MemoryError, match=r"conv2d: out: expected at most 719 bytes, got 720 bytes for shape \(2, 6, 3, 5\)"):
        conv2d.forward(X, W)


@pytest.mark.spec("all.layout")
def test_on_another_device():
    class Elsewhere:
        dtype, device = np.dtype(np.float32), type("Device", (), {"id": 1})()

    Elsewhere.__module__ = "cupy"
    with pytest.raises(DeviceError, match="weight: expected cpu, the device of x, got cuda:1"):
        conv2d.forward(X, Elsewhere())


@pytest.mark.spec("all.memory")
def test_a_workspace_that_cannot_be_is_told_and_not_counted():
    live = rawseg.memory_stats()["live"]
    with pytest.raises(MemoryError, match=r"conv2d: out: expected memory for \d+ bytes, got none"):
        rawseg.functional.conv2d(rawseg.ones(1, 2, 4, 4), rawseg.ones(1, 2, 3, 3), padding=1 << 30, dilation=1 << 30)
    assert rawseg.memory_stats()["live"] == live


def test_tables_are_checked_before_any_is_made():
    empty, weight = np.zeros((0, 1, 1, 1), np.float32), np.zeros((1, 1, 2, 2), np.float32)
    with pytest.raises(MemoryError, match="conv2d: out: expected at most"):
        conv2d.forward(empty, weight, padding=(10**9, 5 * 10**8), algorithm="depthwise")
