"""Convolution where there is little to convolve: one channel each, no image, rows that no window covers."""

from __future__ import annotations

import numpy as np
import pytest
from convolution_cases import normals
from promises import assert_same_bits

from rawseg_kernels import conv2d

ALGORITHMS = ["im2col", "direct"]


@pytest.mark.spec("conv2d.depthwise")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "depthwise", "reference"])
def test_depthwise_channels_follow_their_input(algorithm):
    x = np.array([1, 10], np.float32).reshape(1, 2, 1, 1)
    weight = np.array([1, 2, 3, 4, 5, 6], np.float32).reshape(6, 1, 1, 1)  # three output channels for each input channel
    assert conv2d.forward(x, weight, groups=2, algorithm=algorithm).ravel().tolist() == [1, 2, 3, 40, 50, 60]


@pytest.mark.spec("conv2d.empty")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "reference"])
def test_no_image_gives_no_output_and_zero_gradients(algorithm):
    x, weight, bias, grad = normals(0, (0, 4, 7, 6), (6, 2, 3, 2), (6,), (0, 6, 4, 4))
    options = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2), "groups": 2, "algorithm": algorithm}
    out = conv2d.forward(x, weight, bias, **options)
    grad_x = conv2d.backward_input(grad, weight, x.shape, **options)
    grad_weight = conv2d.backward_weight(grad, x, weight.shape, **options)
    grad_bias = conv2d.backward_bias(grad)
    assert (out.shape, grad_x.shape) == ((0, 6, 4, 4), (0, 4, 7, 6))
    assert_same_bits((grad_weight, grad_bias), (np.zeros((6, 2, 3, 2), np.float32), np.zeros(6, np.float32)))


@pytest.mark.spec("conv2d.backward")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, "reference"])
def test_rows_that_no_window_covers_have_exactly_no_gradient(algorithm):
    weight, grad_output = np.full((2, 3, 2, 1), np.inf, np.float32), np.ones((1, 2, 2, 2), np.float32)
    grad = conv2d.backward_input(grad_output, weight, (1, 3, 7, 6), stride=(3, 4), algorithm=algorithm)
    assert np.isinf(grad[:, :, [0, 1, 3, 4]][..., [0, 4]]).all()
    assert_same_bits(np.abs(grad[:, :, [2, 5, 6]]), np.zeros((1, 3, 3, 6), np.float32))  # a row between windows, two left over
    assert_same_bits(np.abs(grad[..., [1, 2, 3, 5]]), np.zeros((1, 3, 7, 4), np.float32))
