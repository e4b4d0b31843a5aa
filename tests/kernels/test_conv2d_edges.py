"""Convolution where there is little to convolve: one channel each, no image, rows that no window covers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from convolution_cases import normals
from promises import assert_same_bits

from rawseg_kernels import conv2d
from rawseg_kernels.conv2d import im2col
from rawseg_kernels.conv2d._finite import PORTION, finite
from rawseg_kernels.conv2d._phases import forward_phases
from rawseg_kernels.conv2d._tiles import plan

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


@pytest.mark.spec("conv2d.nonfinite")
@pytest.mark.parametrize("shape", [(5, 1, 3, 3), (1, 4, 3, 3), (9, 3, 2, 3)])
def test_a_weight_that_is_not_finite_is_seen_wherever_it_lies(shape):
    x, weight, grad_output = (
        np.abs(array) + 1 for array in normals(1, (1, shape[1], 3, 3), shape, (1, shape[0], 6 - shape[2], 3))
    )
    for place in np.ndindex(shape):
        broken = weight.copy()
        broken[place] = np.inf
        got, want = (
            (
                conv2d.forward(x, broken, padding=1, algorithm=algorithm),
                conv2d.backward_input(grad_output, broken, x.shape, padding=1, algorithm=algorithm),
            )
            for algorithm in ALGORITHMS
        )
        assert_same_bits(got, want)  # a padded zero would have made it NaN


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_finite(dtype):
    values = np.array([0, -0.0, np.finfo(dtype).max, np.finfo(dtype).min, np.finfo(dtype).smallest_subnormal], dtype)
    values = np.resize(values, PORTION + 5)
    assert finite(values)
    for place in (0, PORTION - 1, PORTION, PORTION + 4):
        for bad in (np.inf, -np.inf, np.nan, -np.nan):
            broken = values.copy()
            broken[place] = bad
            assert not finite(broken)


def laid_out(dilation=1, channels=256, width=28, threads=1, depth=256):
    phases = forward_phases((3, 3), (width, width), (dilation, dilation), (dilation, dilation))
    return plan(phases, (1, 1), (1, 1), 1, 1, depth, channels, (width, width), 4, threads)


def test_a_row_of_few_pixels_leaves_no_gaps():
    narrow, wide, few = laid_out(4, width=13), laid_out(4, width=192), laid_out(4, width=13, channels=4)
    assert (narrow.tile.strip_w, len(narrow.sources)) == (narrow.tile.columns, 3)
    for made in (wide, few):  # where that saves little, or nothing reads the copies
        assert (made.tile.strip_w, len(made.sources)) == (made.tile.columns + 8, 1)


def test_planes_do_not_clash():
    for width in range(8, 60):
        for dilation in (1, 2, 4):
            made = laid_out(dilation, width=width, channels=4)
            steps = made.steps.reshape(-1, 9)[:, 0]  # of one tap in every channel
            _, clashing = np.unique(steps * 4 // 64 % 64, return_counts=True)
            assert made.tile.strip_plane >= made.tile.strip_h * made.tile.strip_w
            assert clashing.max() <= 8  # ways of the nearest cache


def test_only_threads_make_small_tasks_worthwhile():
    assert laid_out(width=7).tasks == 1
    assert laid_out(width=7, threads=2).tasks >= 8


def test_sums_in_the_output_end_with_it(monkeypatch):
    """The last panel has rows that are no channels: summed in place, they would lie behind the output."""
    kept = []

    def guarded(shape, dtype):
        kept.append(np.full(math.prod(shape) + 16 * 32 * 16, 7, dtype))
        return kept[-1][: math.prod(shape)].reshape(shape)

    monkeypatch.setattr(im2col, "empty", guarded)
    x, weight = np.ones((1, 3, 16, 32), np.float32), np.ones((13, 3, 3, 3), np.float32)
    out = im2col.forward(x, weight, None, (16, 32), (1, 1), (1, 1), (1, 1), 1)
    assert (out[0, :, 1:-1, 1:-1] == 27).all()
    assert (kept[0][out.size :] == 7).all()
