"""Convolution and linear on Tensors, against PyTorch over drawn geometry; hand-computed first. Errors of all geometry."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, assert_multilinear, numbers, ours, pairs, spread, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError


def test_conv2d_by_hand():
    x = rawseg.tensor([[[[1.0, 2, 3], [4, 5, 6], [7, 8, 9]]]], requires_grad=True)
    weight = rawseg.tensor([[[[1.0, 0], [0, -1]]]], requires_grad=True)
    bias = rawseg.tensor([10.0], requires_grad=True)
    y = F.conv2d(x, weight, bias)
    assert y.tolist() == [[[[6, 6], [6, 6]]]]  # 1 - 5 + 10 and so on
    y.sum().backward()
    assert weight.grad.tolist() == [[[[12, 16], [24, 28]]]]  # sums of the 2 x 2 corners
    assert bias.grad.tolist() == [4]
    assert x.grad.tolist() == [[[[1, 1, 0], [1, 0, -1], [0, -1, -1]]]]


def test_conv_transpose2d_by_hand():
    x = rawseg.tensor([[[[1.0, 2]]]])
    weight = rawseg.tensor([[[[1.0, 10], [100, 1000]]]])
    assert F.conv_transpose2d(x, weight, stride=2).tolist() == [[[[1, 10, 2, 20], [100, 1000, 200, 2000]]]]
    assert F.conv_transpose2d(x, weight).tolist() == [[[[1, 12, 20], [100, 1200, 2000]]]]


@st.composite
def convolutions(draw):
    groups = draw(st.integers(1, 2))
    c_in, c_out = groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))
    kernel, stride, dilation, padding = draw(pairs(1, 3)), draw(pairs(1, 3)), draw(pairs(1, 2)), draw(pairs(0, 2))
    size = [max(1, d * (k - 1) + 1 - 2 * p) + extra for d, k, p, extra in zip(dilation, kernel, padding, draw(pairs(0, 3)))]
    return draw(st.integers(1, 2)), c_in, c_out, kernel, stride, padding, dilation, groups, tuple(size)


@pytest.mark.proves("conv2d", "torch", "first order")
@given(convolutions(), st.booleans(), DTYPES, SEEDS)
def test_conv2d_as_torch(case, with_bias, dtype, seed):
    n, c_in, c_out, kernel, stride, padding, dilation, groups, size = case
    options = stride, padding, dilation, groups
    arrays = [numbers(seed, n, c_in, *size, dtype=dtype), numbers(seed + 1, c_out, c_in // groups, *kernel, dtype=dtype)]
    arrays += [numbers(seed + 2, c_out, dtype=dtype)] if with_bias else []
    shape = ours(lambda x, w, b=None: F.conv2d(x, w, b, *options), arrays)[0].shape
    terms = max(c_in, c_out) * 9 + int(np.prod(shape)) + 1
    g = numbers(seed + 3, *shape, dtype=dtype)
    assert_multilinear(
        lambda x, w, b=None: F.conv2d(x, w, b, *options), lambda x, w, b=None: TF.conv2d(x, w, b, *options), arrays, g, terms
    )


@pytest.mark.proves("conv_transpose2d", "torch", "first order")
@given(convolutions(), st.booleans(), st.data(), DTYPES, SEEDS)
def test_conv_transpose2d_as_torch(case, with_bias, data, dtype, seed):
    n, c_in, c_out, kernel, stride, _, dilation, groups, size = case
    extra = data.draw(st.tuples(*[st.integers(0, max(s, d) - 1) for s, d in zip(stride, dilation)]))
    padding = [min(1, ((h - 1) * s + d * (k - 1) + e) // 2) for h, s, d, k, e in zip(size, stride, dilation, kernel, extra)]
    options = stride, tuple(padding), extra, groups, dilation
    arrays = [numbers(seed, n, c_in, *size, dtype=dtype), numbers(seed + 1, c_in, c_out // groups, *kernel, dtype=dtype)]
    arrays += [numbers(seed + 2, c_out, dtype=dtype)] if with_bias else []

    def f(x, w, b=None):
        return F.conv_transpose2d(x, w, b, *options)

    g = numbers(seed + 3, *f(*map(rawseg.Tensor, arrays)).shape, dtype=dtype)
    terms = max(c_in, c_out) * 9 + g.size + 1
    assert_multilinear(f, lambda x, w, b=None: TF.conv_transpose2d(x, w, b, *options), arrays, g, terms)


@pytest.mark.spec("conv_transpose2d.output_size")
def test_an_output_size_is_one_of_the_sizes_that_the_stride_allows():
    x, weight = rawseg.ones(1, 2, 3, 4), rawseg.ones(2, 1, 3, 2)
    assert F.conv_transpose2d(x, weight, stride=2, output_size=(8, 9)).shape == (1, 1, 8, 9)
    assert F.conv_transpose2d(x, weight, stride=2, output_size=(1, 1, 7, 8)).shape == (1, 1, 7, 8)
    with pytest.raises(ArgumentError, match=r"conv_transpose2d: output_size: expected between \(7, 8\) and \(8, 9\), got"):
        F.conv_transpose2d(x, weight, stride=2, output_size=(9, 8))


@pytest.mark.proves("conv2d", "torch")
@pytest.mark.spec("conv2d.padding")
@pytest.mark.parametrize("padding", ["same", "valid"])
def test_named_padding(padding):
    arrays = [numbers(0, 1, 2, 5, 6, dtype=np.float64), numbers(1, 3, 2, 3, 3, dtype=np.float64)]
    want = torchs(lambda x, w: TF.conv2d(x, w, padding=padding, dilation=(1, 2)), arrays)[0]
    assert_multilinear(
        lambda x, w: F.conv2d(x, w, padding=padding, dilation=(1, 2)),
        lambda x, w: TF.conv2d(x, w, padding=padding, dilation=(1, 2)),
        arrays,
        np.ones(want.shape),
        200,
    )


@pytest.mark.spec("conv2d.padding")
def test_an_odd_same_padding_goes_to_the_bottom_and_the_right():
    y = F.conv2d(rawseg.ones(1, 1, 3, 3), rawseg.ones(1, 1, 2, 2), padding="same")
    assert y.tolist() == [[[[4, 4, 2], [4, 4, 2], [2, 2, 1]]]]


@pytest.mark.spec("conv2d.shapes")
@pytest.mark.parametrize(
    "f",
    [
        lambda x: F.conv2d(x, rawseg.ones(3, 2, 2, 1)),
        lambda x: F.conv_transpose2d(x, rawseg.ones(2, 3, 2, 1)),
        lambda x: F.max_pool2d(x, 2),
        lambda x: F.max_pool2d(x, 2, return_indices=True)[1],
        lambda x: F.avg_pool2d(x, 2),
    ],
)
def test_an_image_without_a_batch_axis_is_a_batch_of_one(f):
    x = rawseg.Tensor(spread((2, 4, 6), dtype=np.float32))
    assert np.array_equal(f(x).numpy(), f(x.unsqueeze(0))[0].numpy())
    with pytest.raises(ShapeError, match=r"input: expected shape \(N, C, H, W\) or \(C, H, W\), got shape \(4, 6\)"):
        f(x[0])


@pytest.mark.spec("linear.rule")
@pytest.mark.proves("linear", "torch", "first order")
@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4)])
def test_linear_as_torch(shape):
    arrays = [numbers(i, *s, dtype=np.float32) for i, s in enumerate([shape, (5, 4), (5,)])]
    assert_multilinear(F.linear, TF.linear, arrays, numbers(9, *shape[:-1], 5, dtype=np.float32), 12)


IMAGE = rawseg.zeros(1, 2, 4, 4)
ONE: Any = 1


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.conv2d(IMAGE, rawseg.ones(1, 3, 1, 1)), ShapeError, r"weight: expected 2 input channels per group"),
        (lambda: F.conv2d(IMAGE, rawseg.ones(1, 2, 1, 1).double()), DTypeError, "conv2d: weight: expected float32"),
        (
            lambda: F.conv2d(IMAGE, [1]),
            ArgumentTypeError,
            "weight: expected a Tensor, an array or a Python number, got list",
        ),
        (
            lambda: F.max_pool2d(IMAGE, 2, padding=2),
            ArgumentError,
            r"padding: expected at most half of kernel_size",
        ),
        (lambda: F.interpolate(IMAGE), ArgumentError, "size: expected exactly one of size and scale_factor"),
        (lambda: F.interpolate(IMAGE, 2, 2), ArgumentError, "got size=2, scale_factor=2"),
        (
            lambda: F.interpolate(IMAGE, 2, mode="bicubic"),
            ArgumentError,
            r"mode: expected one of .* got 'bicubic'",
        ),
        (
            lambda: F.interpolate(IMAGE, 2, align_corners=True),
            ArgumentError,
            "align_corners: expected None with mode",
        ),
        (lambda: F.interpolate(IMAGE, scale_factor=0.1), ShapeError, r"expected at least one pixel a side \(input \(4, 4\)\)"),
        (lambda: F.interpolate(IMAGE, scale_factor=-1), ArgumentError, "scale_factor: expected greater than 0"),
        (lambda: F.interpolate(IMAGE, scale_factor=(1, 2, 3)), ArgumentError, "a number or a pair"),
        (lambda: F.interpolate(IMAGE, 2, recompute_scale_factor=True), ArgumentError, "recompute_scale_factor: expected None"),
        (lambda: F.interpolate(IMAGE[0], 2), ShapeError, r"input: expected shape \(N, C, H, W\), got shape \(2, 4, 4\)"),
        (lambda: F.interpolate(IMAGE, 0), ArgumentError, "size: expected at least 1, got 0"),
        (lambda: F.pad(IMAGE, (1, 2, 3)), ArgumentError, "pad: pad: expected two widths for each of at most 4 axes"),
        (lambda: F.pad(IMAGE, ONE), ArgumentTypeError, "pad: expected a sequence of ints, got 1"),
        (lambda: F.pad(IMAGE, (4, 0), "reflect"), ArgumentError, "expected 0 to 3 for axis 3 of size 4 and 'reflect'"),
        (lambda: F.pad(IMAGE, (-1, 0), "circular"), ArgumentError, "expected 0 to 4 for axis 3"),
        (lambda: F.pad(IMAGE, (1, 1), "mirror"), ArgumentError, "mode: expected one of"),
        (lambda: F.pad(IMAGE, (1, 1), "reflect", 3), ArgumentError, "value: expected None with mode 'reflect', got 3"),
        (lambda: F.pad(IMAGE, (-3, -2)), ShapeError, "expected at most 4 cropped from axis 3"),
        (lambda: F.pad(IMAGE, (2**62, 2**62)), MemoryError, "pad: out: expected at most .* for shape"),
        (lambda: F.linear(IMAGE, rawseg.ones(2, 3)), ShapeError, "linear: input: expected 3 features in the last axis"),
        (lambda: F.linear(IMAGE, rawseg.ones(4)), ShapeError, r"weight: expected shape \(out_features, in_features\)"),
        (
            lambda: F.linear(IMAGE, rawseg.ones(2, 4), rawseg.ones(3)),
            ShapeError,
            r"bias: expected shape \(2,\), got",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
