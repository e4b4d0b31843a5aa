"""Unfolding, unpooling, adaptive pooling and shuffling on Tensors: by hand, and against PyTorch over drawn geometry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from twins import DTYPES, SEEDS, assert_multilinear, numbers, ours, spread, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, GraphError
from rawseg.testing.strategies.pooling import BINS, geometries
from rawseg.testing.strategies.windows import windows, windows_of


@pytest.mark.proves("unfold", "torch", "first order")
@pytest.mark.proves("fold", "torch", "first order")
@given(windows(), DTYPES, SEEDS)
def test_unfold_and_fold_as_torch(case, dtype, seed):
    size, options = case
    x = numbers(seed, 2, 3, *size, dtype=dtype)
    down, across = windows_of(size, options)
    columns = numbers(seed + 1, 2, 3 * int(np.prod(options["kernel_size"])), down * across, dtype=dtype)
    assert_multilinear(lambda x: F.unfold(x, **options), lambda x: TF.unfold(x, **options), [x], columns, 16, "unfold")
    assert_multilinear(lambda x: F.fold(x, size, **options), lambda x: TF.fold(x, size, **options), [columns], x, 16, "fold")


@pytest.mark.proves("adaptive_avg_pool2d", "torch", "first order")
@pytest.mark.spec("adaptive_pool2d.bins")
@given(BINS, BINS, DTYPES, SEEDS)
def test_adaptive_avg_pool2d_as_torch(rows, columns, dtype, seed):
    size = rows[1], columns[1]
    x, g = numbers(seed, 2, 2, rows[0], columns[0], dtype=dtype), numbers(seed + 1, 2, 2, *size, dtype=dtype)
    terms = max(rows[0] * columns[0], rows[1] * columns[1]) + 2
    assert_multilinear(lambda x: F.adaptive_avg_pool2d(x, size), lambda x: TF.adaptive_avg_pool2d(x, size), [x], g, terms)


@pytest.mark.proves("adaptive_max_pool2d", "torch", "first order")
@given(BINS, BINS, DTYPES, SEEDS)
def test_adaptive_max_pool2d_as_torch(rows, columns, dtype, seed):
    size = rows[1], columns[1]
    x = spread((2, 2, rows[0], columns[0]), seed=seed, dtype=dtype)
    g = np.random.default_rng(seed).integers(-8, 9, (2, 2, *size)).astype(dtype)  # small integers: sums are exact
    got, want = (
        ours(lambda x: F.adaptive_max_pool2d(x, size), [x], g),
        torchs(lambda x: TF.adaptive_max_pool2d(x, size), [x], g),
    )
    assert np.array_equal(got[0], want[0])
    assert np.array_equal(got[1][0], want[1][0])
    _, indices = F.adaptive_max_pool2d(rawseg.Tensor(x), size, return_indices=True)
    assert isinstance(indices, F.PoolIndices)
    assert indices.plane == x.shape[2:]
    assert np.array_equal(indices.numpy(), TF.adaptive_max_pool2d(torch.tensor(x), size, return_indices=True)[1])


@pytest.mark.proves("max_unpool2d", "torch", "first order")
@pytest.mark.spec("max_unpool2d.plane", "max_unpool2d.plain-indices")
@given(geometries(), DTYPES, SEEDS)
def test_max_unpool2d_as_torch(case, dtype, seed):
    size, options = case
    kernel = options["kernel_size"]
    options["stride"] = tuple(max(pair) for pair in zip(kernel, options["stride"]))  # windows that do not overlap
    x = spread((2, 2, *size), seed=seed, dtype=dtype)
    y, indices = F.max_pool2d(rawseg.Tensor(x), **options, return_indices=True)
    geometry = kernel, options["stride"], options["padding"]
    out = F.max_unpool2d(y, indices, *geometry)
    assert out.shape == x.shape
    taken = out.numpy() != 0
    assert np.array_equal(out.numpy()[taken], x[taken])
    assert np.array_equal(np.sort(out.numpy()[taken]), np.sort(y.numpy().ravel()))

    plain = indices.numpy()
    default = TF.max_unpool2d(torch.zeros(plain.shape), torch.zeros(plain.shape, dtype=torch.int64), *geometry).shape[2:]
    if all(abs(n - d) < s for n, d, s in zip(size, default, options["stride"])):
        g = np.random.default_rng(seed).integers(-8, 9, x.shape).astype(dtype)
        f = lambda y: F.max_unpool2d(y, plain, *geometry, output_size=size)  # noqa: E731
        h = lambda y: TF.max_unpool2d(y, torch.tensor(plain), *geometry, output_size=size)  # noqa: E731
        got, want = ours(f, [y.numpy()], g), torchs(h, [y.numpy()], g)
        assert np.array_equal(got[0], want[0])
        assert np.array_equal(got[1][0], want[1][0])
        assert np.array_equal(got[0], out.numpy())


@pytest.mark.spec("max_unpool2d.duplicates")
def test_overlapping_windows_are_told_apart_by_the_policy():
    x = rawseg.tensor([[[[0.0, 9, 0, 5]]]])
    y, indices = F.max_pool2d(x, (1, 2), 1, return_indices=True)
    assert (y.tolist(), indices.tolist()) == ([[[[9, 9, 5]]]], [[[[1, 1, 3]]]])
    message = r"max_unpool2d: indices: .* pass duplicates='last' .* or 'sum' .*, got 1 at \(0, 0, 0, 0\) and at \(0, 0, 0, 1\)"
    with pytest.raises(ArgumentError, match=message):
        F.max_unpool2d(y, indices, (1, 2), 1)
    y = rawseg.tensor([[[[1.0, 2, 3]]]], requires_grad=True)
    for policy, out, grad in (("last", [0, 2, 0, 3], [0, 5, 7]), ("sum", [0, 3, 0, 3], [5, 5, 7])):
        got = F.max_unpool2d(y, indices, (1, 2), 1, duplicates=policy)
        assert got.tolist() == [[[out]]]
        (found,) = rawseg.grad(got, [y], rawseg.tensor([[[[4.0, 5, 6, 7]]]]))
        assert found.tolist() == [[[grad]]]


@pytest.mark.spec("max_unpool2d.plane")
def test_unpooling_fills_the_plane_that_was_pooled():
    x = rawseg.Tensor(spread((1, 2, 5, 7)))
    y, indices = F.max_pool2d(x, 2, return_indices=True)
    assert F.max_unpool2d(y, indices, 2).shape == (1, 2, 5, 7)  # not the 4 x 6 of PyTorch's formula
    assert F.max_unpool2d(y, indices, 2, output_size=(5, 7)).shape == (1, 2, 5, 7)
    assert F.max_unpool2d(y, indices, 2, output_size=(1, 2, 5, 7)).shape == (1, 2, 5, 7)
    with pytest.raises(ArgumentError, match=r"output_size: expected \(5, 7\), the plane that the indices point into, got"):
        F.max_unpool2d(y, indices, 2, output_size=(4, 6))
    assert F.max_unpool2d(y[0], F.PoolIndices(indices.array[0], indices.plane), 2).shape == (2, 5, 7)


@pytest.mark.spec("autograd.version")
@pytest.mark.parametrize("pool", [F.max_pool2d, F.adaptive_max_pool2d])
def test_indices_that_changed_before_the_second_derivative_are_noticed(pool):
    x, scale = rawseg.Tensor(spread((1, 1, 2, 2)), requires_grad=True), rawseg.ones(1, dtype=np.float64, requires_grad=True)
    y, indices = pool(x, (2, 1), return_indices=True)
    (grad,) = rawseg.grad((scale * y).sum(), x, create_graph=True)
    with rawseg.no_grad():
        indices.zero_()
    with pytest.raises(GraphError, match="Scatter: saved array: expected version 0"):
        rawseg.grad(grad.sum(), scale)


def test_indices_that_changed_after_forward_are_noticed():
    y = rawseg.tensor([[[[1.0, 2]]]], requires_grad=True)
    indices = rawseg.tensor([[[[0, 3]]]])
    out = F.max_unpool2d(y, indices, 2)
    indices += 1
    with pytest.raises(GraphError, match="changed in place"):
        out.sum().backward()


@pytest.mark.proves("pixel_shuffle", "torch", "first order", "adjoint")
@pytest.mark.proves("pixel_unshuffle", "torch", "first order", "adjoint")
@pytest.mark.spec("pixel_shuffle.layout")
@pytest.mark.parametrize("shape", [(12, 2, 3), (2, 9, 1, 4), (2, 0, 4, 3, 2), (2, 3, 8, 1, 2)])
def test_shuffling_as_torch_and_back(shape):
    r = 3 if shape[1] == 9 else 2
    x = numbers(0, *shape, dtype=np.float32)
    got = F.pixel_shuffle(rawseg.Tensor(x), r)
    assert np.array_equal(got.numpy(), TF.pixel_shuffle(torch.tensor(x), r))
    assert np.array_equal(F.pixel_unshuffle(got, r).numpy(), x)
    if x.size:  # PyTorch leaves the shape of an empty array as it is
        assert np.array_equal(F.pixel_unshuffle(got, r).numpy(), TF.pixel_unshuffle(torch.tensor(got.numpy()), r))
    g = numbers(1, *got.shape, dtype=np.float32)
    assert np.array_equal(ours(lambda x: F.pixel_shuffle(x, r), [x], g)[1][0], F.pixel_unshuffle(rawseg.Tensor(g), r).numpy())
    assert np.array_equal(ours(lambda x: F.pixel_unshuffle(x, r), [g], x)[1][0], got.numpy())
    ids = np.arange(x.size).reshape(shape)
    assert np.array_equal(F.pixel_shuffle(rawseg.Tensor(ids), r).numpy(), TF.pixel_shuffle(torch.tensor(ids), r))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: F.unfold(x, 2),
        lambda x: F.adaptive_avg_pool2d(x, 2),
        lambda x: F.adaptive_max_pool2d(x, 2),
        lambda x: F.adaptive_max_pool2d(x, 2, return_indices=True)[1],
        lambda x: F.max_unpool2d(x, np.arange(24).reshape(1, 4, 6).repeat(2, 0).reshape(x.shape), 1),
    ],
    ids=["unfold", "adaptive_avg_pool2d", "adaptive_max_pool2d", "indices", "max_unpool2d"],
)
def test_an_image_without_a_batch_axis_is_a_batch_of_one(f):
    x = rawseg.Tensor(spread((2, 4, 6), dtype=np.float32))
    assert np.array_equal(f(x).numpy(), f(x.unsqueeze(0))[0].numpy())


def test_a_single_folded_image():
    columns = spread((8, 6))
    assert np.array_equal(F.fold(columns, (3, 4), 2).numpy(), F.fold(columns[None], (3, 4), 2)[0].numpy())


@pytest.mark.spec("max_unpool2d.plane")
def test_detached_and_copied_indices_keep_their_plane():
    x = rawseg.Tensor(spread((1, 1, 5, 5)))
    out, indices = F.max_pool2d(x, 2, return_indices=True)
    for twin in (indices.detach(), indices.clone()):
        assert twin.plane == (5, 5)
        assert F.max_unpool2d(out, twin, 2).shape == x.shape
    assert np.shares_memory(indices.detach().array, indices.array)
    assert not np.shares_memory(indices.clone().array, indices.array)
