"""Convolution, pooling, resizing, padding and linear on Tensors, against PyTorch over drawn geometry; hand-computed first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch.nn.functional as TF
from hypothesis import given, settings
from hypothesis import strategies as st
from twins import assert_multilinear, ours, spread, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError

DTYPES = st.sampled_from([np.float32, np.float64])
SEEDS = st.integers(0, 1000)


def pairs(low, high):
    return st.tuples(st.integers(low, high), st.integers(low, high))


def numbers(seed, *shape, dtype):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


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


@settings(max_examples=25)
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


@settings(max_examples=25)
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


def test_an_output_size_is_one_of_the_sizes_that_the_stride_allows():
    x, weight = rawseg.ones(1, 2, 3, 4), rawseg.ones(2, 1, 3, 2)
    assert F.conv_transpose2d(x, weight, stride=2, output_size=(8, 9)).shape == (1, 1, 8, 9)
    assert F.conv_transpose2d(x, weight, stride=2, output_size=(1, 1, 7, 8)).shape == (1, 1, 7, 8)
    with pytest.raises(ArgumentError, match=r"conv_transpose2d: output_size: expected between \(7, 8\) and \(8, 9\), got"):
        F.conv_transpose2d(x, weight, stride=2, output_size=(9, 8))


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


def test_an_odd_same_padding_goes_to_the_bottom_and_the_right():
    y = F.conv2d(rawseg.ones(1, 1, 3, 3), rawseg.ones(1, 1, 2, 2), padding="same")
    assert y.tolist() == [[[[4, 4, 2], [4, 4, 2], [2, 2, 1]]]]


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


def test_max_pool2d_sends_the_gradient_to_the_first_of_equals():
    x = rawseg.tensor([[[[1.0, 1, 0], [1, 1, 5]]]], requires_grad=True)
    y, indices = F.max_pool2d(x, 2, stride=1, return_indices=True)
    assert (y.tolist(), indices.tolist()) == ([[[[1, 5]]]], [[[[0, 5]]]])
    y.sum().backward()
    assert x.grad.tolist() == [[[[1, 0, 0], [0, 0, 1]]]]


def test_pool_indices_know_their_plane_until_they_are_cut():
    _, indices = F.max_pool2d(rawseg.Tensor(spread((2, 3, 5, 7))), 2, return_indices=True)
    assert isinstance(indices, F.PoolIndices)
    assert indices.plane == (5, 7)
    assert indices.dtype == np.int64
    assert not hasattr(indices[0], "plane")
    assert not indices.requires_grad


@st.composite
def poolings(draw):
    kernel = draw(pairs(1, 3))
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    size = [max(1, k - 2 * p) + extra for k, p, extra in zip(kernel, padding, draw(pairs(0, 4)))]
    return kernel, draw(pairs(1, 3)), padding, draw(st.booleans()), tuple(size)


@settings(max_examples=25)
@given(poolings(), DTYPES, SEEDS)
def test_max_pool2d_as_torch(case, dtype, seed):
    kernel, stride, padding, ceil_mode, size = case
    x = spread((2, 2, *size), seed=seed, dtype=dtype)

    def run(library):
        return lambda x: library.max_pool2d(x, kernel, stride, padding, 1, ceil_mode)

    got, want = ours(run(F), [x])[0], torchs(run(TF), [x])[0]
    assert np.array_equal(got, want)
    g = np.random.default_rng(seed).integers(-8, 9, got.shape).astype(dtype)  # small integers: sums are exact
    assert np.array_equal(ours(run(F), [x], g)[1][0], torchs(run(TF), [x], g)[1][0])


@settings(max_examples=25)
@given(poolings(), st.booleans(), DTYPES, SEEDS)
def test_avg_pool2d_as_torch(case, include, dtype, seed):
    kernel, stride, padding, ceil_mode, size = case
    x = numbers(seed, 2, 2, *size, dtype=dtype)
    options = kernel, stride, padding, ceil_mode, include
    g = numbers(seed + 1, *F.avg_pool2d(rawseg.Tensor(x), *options).shape, dtype=dtype)
    assert_multilinear(lambda x: F.avg_pool2d(x, *options), lambda x: TF.avg_pool2d(x, *options), [x], g, 2 * 9 + 2)


@settings(max_examples=25)
@given(pairs(1, 6), pairs(1, 9), st.booleans(), DTYPES, SEEDS)
def test_bilinear_as_torch(old, new, corners, dtype, seed):
    x = numbers(seed, 1, 2, *old, dtype=dtype)
    g = numbers(seed + 1, 1, 2, *new, dtype=dtype)
    options = {"size": new, "mode": "bilinear", "align_corners": corners}
    # Per axis: a coordinate of at most 9 with 4 roundings changes a weight of the neighbours by 36 u; two axes on either side
    # give 4 * 36. A pixel is read by at most 9 * 9 outputs: 81 more roundings, and 81 magnitudes in its gradient.
    magnitude = abs(x).max() + abs(g).max() * 81
    got, gradients = ours(lambda x: F.interpolate(x, **options), [x], g)
    want, wants = torchs(lambda x: TF.interpolate(x, **options), [x], g)
    bound = 225 * np.finfo(dtype).eps * magnitude
    assert np.abs(got - want).max() <= bound
    assert np.abs(gradients[0] - wants[0]).max() <= bound


@pytest.mark.parametrize("factors", [2, (2.5, 1.3), (0.5, 0.75), (3, 0.4)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear"])
def test_scale_factors_as_torch(mode, factors):
    x = numbers(0, 2, 3, 8, 12, dtype=np.float64)
    compat: dict[str, Any] = {} if mode == "bilinear" else {"compat": "torch"}
    options: dict[str, Any] = {"scale_factor": factors, "mode": mode}
    g = numbers(1, *F.interpolate(rawseg.Tensor(x), **options).shape, dtype=np.float64)
    f = lambda x: F.interpolate(x, **options, **compat)  # noqa: E731
    assert_multilinear(f, lambda x: TF.interpolate(x, **options), [x], g, 1000)


def test_a_recomputed_scale_is_that_of_the_sizes():
    x = rawseg.Tensor(numbers(0, 1, 1, 3, 3, dtype=np.float64))
    bilinear: dict[str, Any] = {"mode": "bilinear"}
    by_size = F.interpolate(x, size=(7, 7), **bilinear).numpy()
    again = F.interpolate(x, scale_factor=2.5, recompute_scale_factor=True, **bilinear).numpy()
    assert np.array_equal(again, by_size)
    assert not np.array_equal(F.interpolate(x, scale_factor=2.5, **bilinear).numpy(), by_size)


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("widths", [(1, 2), (2, 0, 1, 3), (0, 0, 3, 1)])
def test_pad_as_torch(mode, widths):
    shape = (2, 3, 4, 5) if len(widths) == 4 else (2, 3, 5)
    x = numbers(0, *shape, dtype=np.float32)
    g = numbers(1, *F.pad(rawseg.Tensor(x), widths, mode).shape, dtype=np.float32)
    assert_multilinear(lambda x: F.pad(x, widths, mode), lambda x: TF.pad(x, widths, mode), [x], g, 40)


def test_pad_by_hand():
    x = rawseg.tensor([1, 2, 3])
    assert F.pad(x, (2, 1), "reflect").tolist() == [3, 2, 1, 2, 3, 2]
    assert F.pad(x, (2, 1), "replicate").tolist() == [1, 1, 1, 2, 3, 3]
    assert F.pad(x, (2, 1), "circular").tolist() == [2, 3, 1, 2, 3, 1]
    assert F.pad(x, (2, -1), value=7).tolist() == [7, 7, 1, 2]


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
