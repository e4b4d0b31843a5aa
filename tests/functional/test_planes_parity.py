"""Pooling, resizing and padding on Tensors, against PyTorch over drawn geometry."""

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


@pytest.mark.spec("max_pool2d.backward")
def test_max_pool2d_sends_the_gradient_to_the_first_of_equals():
    x = rawseg.tensor([[[[1.0, 1, 0], [1, 1, 5]]]], requires_grad=True)
    y, indices = F.max_pool2d(x, 2, stride=1, return_indices=True)
    assert (y.tolist(), indices.tolist()) == ([[[[1, 5]]]], [[[[0, 5]]]])
    y.sum().backward()
    assert x.grad.tolist() == [[[[1, 0, 0], [0, 0, 1]]]]


@pytest.mark.spec("max_pool2d.indices")
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


@pytest.mark.proves("max_pool2d", "torch", "first order")
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


@pytest.mark.proves("avg_pool2d", "torch", "first order")
@given(poolings(), st.booleans(), DTYPES, SEEDS)
def test_avg_pool2d_as_torch(case, include, dtype, seed):
    kernel, stride, padding, ceil_mode, size = case
    x = numbers(seed, 2, 2, *size, dtype=dtype)
    options = kernel, stride, padding, ceil_mode, include
    g = numbers(seed + 1, *F.avg_pool2d(rawseg.Tensor(x), *options).shape, dtype=dtype)
    assert_multilinear(lambda x: F.avg_pool2d(x, *options), lambda x: TF.avg_pool2d(x, *options), [x], g, 2 * 9 + 2)


@pytest.mark.proves("interpolate", "torch", "first order")
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


@pytest.mark.proves("interpolate", "torch", "first order")
@pytest.mark.spec("interpolate.size", "interpolate.scale")
@pytest.mark.parametrize("factors", [2, (2.5, 1.3), (0.5, 0.75), (3, 0.4)])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "bilinear"])
def test_scale_factors_as_torch(mode, factors):
    x = numbers(0, 2, 3, 8, 12, dtype=np.float64)
    compat: dict[str, Any] = {} if mode == "bilinear" else {"compat": "torch"}
    options: dict[str, Any] = {"scale_factor": factors, "mode": mode}
    g = numbers(1, *F.interpolate(rawseg.Tensor(x), **options).shape, dtype=np.float64)
    f = lambda x: F.interpolate(x, **options, **compat)  # noqa: E731
    assert_multilinear(f, lambda x: TF.interpolate(x, **options), [x], g, 1000)


@pytest.mark.spec("interpolate.scale")
def test_a_recomputed_scale_is_that_of_the_sizes():
    x = rawseg.Tensor(numbers(0, 1, 1, 3, 3, dtype=np.float64))
    bilinear: dict[str, Any] = {"mode": "bilinear"}
    by_size = F.interpolate(x, size=(7, 7), **bilinear).numpy()
    again = F.interpolate(x, scale_factor=2.5, recompute_scale_factor=True, **bilinear).numpy()
    assert np.array_equal(again, by_size)
    assert not np.array_equal(F.interpolate(x, scale_factor=2.5, **bilinear).numpy(), by_size)


@pytest.mark.proves("pad", "torch", "first order")
@pytest.mark.spec("pad.modes")
@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular", "constant"])
@pytest.mark.parametrize("widths", [(1, 2), (2, 0, 1, 3), (0, 0, 3, 1)])
def test_pad_as_torch(mode, widths):
    shape = (2, 3, 4, 5) if len(widths) == 4 else (2, 3, 5)
    x = numbers(0, *shape, dtype=np.float32)
    g = numbers(1, *F.pad(rawseg.Tensor(x), widths, mode).shape, dtype=np.float32)
    assert_multilinear(lambda x: F.pad(x, widths, mode), lambda x: TF.pad(x, widths, mode), [x], g, 40)


@pytest.mark.spec("pad.modes")
def test_pad_by_hand():
    x = rawseg.tensor([1, 2, 3])
    assert F.pad(x, (2, 1), "reflect").tolist() == [3, 2, 1, 2, 3, 2]
    assert F.pad(x, (2, 1), "replicate").tolist() == [1, 1, 1, 2, 3, 3]
    assert F.pad(x, (2, 1), "circular").tolist() == [2, 3, 1, 2, 3, 1]
    assert F.pad(x, (2, -1), value=7).tolist() == [7, 7, 1, 2]
