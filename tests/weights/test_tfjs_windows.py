"""TensorFlow's convolutions, poolings and resizings, translated: equal to plain loops over (N, H, W, C).

Numbers are small and whole, so that every sum is exact in float32 and results are equal, unless a tolerance says why.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_rules as rules
from hypothesis import assume, given
from hypothesis import strategies as st
from tfjs_files import images, node, placeholder, run, whole

SIDES, TAPS, STEPS = st.integers(1, 7), st.integers(1, 4), st.integers(1, 3)
PADDINGS = st.sampled_from(["SAME", "VALID"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("model")


def test_same_padding_puts_the_odd_row_below_and_to_the_right(tmp_path):
    """A 3 x 3 of ones at stride 2 on the numbers 0 to 15 in four rows: nothing is added above or left.

    The window at the top left sums rows 0 to 2 and columns 0 to 2: 0+1+2+4+5+6+8+9+10 = 45; the one to its right columns 2
    and 3: 2+3+6+7+10+11 = 39; below: rows 2 and 3, 8+9+10+12+13+14 = 66; last: 10+11+14+15 = 50.
    """
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    nodes = [placeholder(x.shape), node("y", "Conv2D", ["x", "w"], strides=[1, 2, 2, 1], padding="SAME")]
    assert run(tmp_path, nodes, {"w": np.ones((3, 3, 1, 1), np.float32)}, x).tolist() == [[[[45, 39], [66, 50]]]]


@given(st.data(), SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_a_convolution_is_tensorflows(folder, data, height, width, kernel_h, kernel_w, sh, sw, padding):
    dilations = data.draw(st.sampled_from([(1, 1), (2, 1), (1, 3)])) if sh == sw == 1 else (1, 1)
    assume(padding == "SAME" or ((kernel_h - 1) * dilations[0] < height and (kernel_w - 1) * dilations[1] < width))
    groups = data.draw(st.sampled_from([1, 2]))
    x, w = whole(0, 2, height, width, 4), whole(1, kernel_h, kernel_w, 4 // groups, 6)
    geometry = {"strides": [1, sh, sw, 1], "dilations": [1, *dilations, 1], "padding": padding}
    found = run(folder, [placeholder((-1, *x.shape[1:])), node("y", "Conv2D", ["x", "w"], **geometry)], {"w": w}, x)
    assert np.array_equal(found, images(rules.conv2d(x, w, (sh, sw), padding, dilations)))


@given(st.data(), SIDES, SIDES, TAPS, TAPS, STEPS, PADDINGS, st.integers(1, 3))
def test_a_depthwise_convolution_is_tensorflows(folder, data, height, width, kernel_h, kernel_w, stride, padding, multiplier):
    dilation = data.draw(st.integers(1, 2)) if stride == 1 else 1
    assume(padding == "SAME" or ((kernel_h - 1) * dilation < height and (kernel_w - 1) * dilation < width))
    x, w = whole(0, 1, height, width, 3), whole(1, kernel_h, kernel_w, 3, multiplier)
    geometry = {"strides": [1, stride, stride, 1], "dilations": [1, dilation, dilation, 1], "padding": padding}
    found = run(folder, [placeholder(x.shape), node("y", "DepthwiseConv2dNative", ["x", "w"], **geometry)], {"w": w}, x)
    assert np.array_equal(found, images(rules.depthwise(x, w, (stride, stride), padding, (dilation, dilation))))


@given(SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_a_transposed_convolution_is_the_gradient_of_the_convolution(
    folder, height, width, kernel_h, kernel_w, sh, sw, padding
):
    assume(padding == "SAME" or (kernel_h <= height and kernel_w <= width))
    w = whole(1, kernel_h, kernel_w, 2, 3)  # from 3 channels to 2
    small = rules.conv2d(np.zeros((1, height, width, 2), np.float32), np.zeros_like(w), (sh, sw), padding)
    grad = whole(2, *small.shape)
    nodes = [
        placeholder((-1, *grad.shape[1:])),
        node("y", "Conv2DBackpropInput", ["size", "w", "x"], strides=[1, sh, sw, 1], padding=padding),
    ]
    found = run(folder, nodes, {"size": np.int32([1, height, width, 2]), "w": w}, grad)
    assert np.array_equal(found, images(rules.conv2d_backprop_input((height, width), w, grad, (sh, sw), padding)))


@given(SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_poolings_are_tensorflows(folder, height, width, kernel_h, kernel_w, sh, sw, padding):
    assume(padding == "SAME" or (kernel_h <= height and kernel_w <= width))
    x = whole(0, 2, height, width, 2) - 20  # below zero: padding must not win
    geometry = {"ksize": [1, kernel_h, kernel_w, 1], "strides": [1, sh, sw, 1], "padding": padding}
    nodes = [placeholder(x.shape), node("a", "MaxPool", ["x"], **geometry), node("b", "AvgPool", ["x"], **geometry)]
    largest, mean = run(folder, nodes, {}, x)
    assert np.array_equal(largest, images(rules.pool(x, (kernel_h, kernel_w), (sh, sw), padding, np.max)))
    want = images(rules.pool(x.astype(np.float64), (kernel_h, kernel_w), (sh, sw), padding, np.mean))
    assert np.abs(mean - want).max() < 24 * 2**-22  # a quotient of numbers up to 24, and a sum of at most 16


def test_explicit_paddings_of_every_side(tmp_path):
    x, w = whole(0, 1, 5, 6, 2), whole(1, 3, 3, 2, 2)
    pads = [0, 0, 1, 2, 3, 0, 0, 0]
    nodes = [
        placeholder(x.shape),
        node("y", "Conv2D", ["x", "w"], strides=[1, 1, 1, 1], padding="EXPLICIT", explicit_paddings=pads),
    ]
    padded = np.pad(x, [(0, 0), (1, 2), (3, 0), (0, 0)])
    assert np.array_equal(run(tmp_path, nodes, {"w": w}, x), images(rules.conv2d(padded, w, (1, 1), "VALID")))


@pytest.mark.parametrize(("corners", "halves"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("size", [(4, 6), (9, 5), (1, 1), (2, 3), (7, 13)])
def test_resizing_is_tensorflows(corners, halves, size, tmp_path):
    x = whole(0, 2, 4, 6, 3)
    flags = {"align_corners": corners, "half_pixel_centers": halves}
    nodes = [
        placeholder(x.shape),
        node("a", "ResizeBilinear", ["x", "size"], **flags),
        node("b", "ResizeNearestNeighbor", ["x", "size"], **flags),
    ]
    linear, nearest = run(tmp_path, nodes, {"size": np.int32(size)}, x)
    assert np.array_equal(nearest, images(rules.resize_nearest(x, size, corners, halves)))
    want = images(rules.resize_bilinear(x.astype(np.float64), size, corners, halves))
    assert np.abs(linear - want).max() < 1e-5  # weights of float32, numbers up to 4
