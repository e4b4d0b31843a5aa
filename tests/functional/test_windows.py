"""Unfolding, unpooling, adaptive pooling and shuffling on Tensors: by hand, against PyTorch, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import unit_roundoff
from hypothesis import given
from pooling_cases import geometries
from twins import DTYPES, SEEDS, assert_multilinear, numbers, ours, spread, torchs
from window_cases import BINS, windows, windows_of

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError, IndexRangeError, RawsegError, ShapeError


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


IMAGE, INDICES = rawseg.zeros(1, 2, 4, 4), np.zeros((1, 2, 4, 4), np.int64)
COLUMNS = rawseg.zeros(1, 8, 9)
ONE: Any = 1


@pytest.mark.spec("fold.size", "max_unpool2d.plain-indices", "max_unpool2d.indices")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.unfold(IMAGE[0, 0], 2), ShapeError, r"unfold: input: expected shape \(N, C, H, W\) or \(C, H, W\), got"),
        (lambda: F.unfold(IMAGE, 5), ShapeError, r"unfold: input: expected a padded height of at least 5"),
        (lambda: F.unfold(rawseg.zeros(1, 0, 4, 4), 2), ShapeError, "unfold: input: expected at least 1 along C"),
        (lambda: F.fold(IMAGE, 4, 2), ShapeError, r"fold: input: expected shape \(N, C \* kH \* kW, L\) or \(C \* kH"),
        (
            lambda: F.fold(COLUMNS, (4, 3), 2),
            ShapeError,
            "fold: input: expected 6 columns, one for each of 3 x 2 windows, got 9",
        ),
        (
            lambda: F.fold(COLUMNS, 4, (3, 1)),
            ShapeError,
            r"fold: input: expected a multiple of 3 rows \(kernel_size \(3, 1\)\)",
        ),
        (lambda: F.fold(COLUMNS, (4, 1), 2), ShapeError, "fold: output_size: expected a padded width of at least 2"),
        (lambda: F.fold(COLUMNS, (4, 0), 2), ArgumentError, "fold: output_size: expected at least 1, got 0"),
        (lambda: F.fold(COLUMNS.astype("int64"), 4, 2), DTypeError, "fold: input: expected float32 or float64, got int64"),
        (lambda: F.adaptive_avg_pool2d(IMAGE, (2, 0)), ArgumentError, "adaptive_avg_pool2d: output_size: expected at least 1"),
        (lambda: F.adaptive_max_pool2d(IMAGE, 2, ONE), ArgumentTypeError, "return_indices: expected a bool, got 1"),
        (lambda: F.max_pool2d(IMAGE, 2, return_indices=ONE), ArgumentTypeError, "return_indices: expected a bool, got 1"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES[..., 1:], 2),
            ShapeError,
            r"indices: expected shape \(1, 2, 4, 4\), that of input",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, stride=0), ArgumentError, "stride: expected at least 1, got 0"),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, padding=-1), ArgumentError, "padding: expected at least 0, got -1"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES + 64, 2),
            IndexRangeError,
            r"indices: expected 0 <= index < 64, the plane \(8, 8\), got 64 at \(0, 0, 0, 0\)",
        ),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(6, 8)),
            ArgumentError,
            r"output_size: expected between \(7, 7\) and \(9, 9\) \(and at least 1\), got \(6, 8\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(8, 10)), ArgumentError, "output_size: expected between"),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=(1, 3, 8, 8)),
            ArgumentError,
            r"output_size: expected \(N, C\) = \(1, 2\) at the front, got \(1, 3, 8, 8\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, output_size=8), ArgumentError, r"expected \(out_h, out_w\) or \(N, C, "),
        (
            lambda: F.max_unpool2d(IMAGE, INDICES, 2, padding=4),
            ShapeError,
            r"padding: expected an output of at least 1 x 1, got \(0, 0\)",
        ),
        (lambda: F.max_unpool2d(IMAGE, INDICES, 2, duplicates="first"), ArgumentError, "duplicates: expected one of"),
        (
            lambda: F.pixel_shuffle(IMAGE, 2),
            ShapeError,
            r"pixel_shuffle: input: expected a multiple of 4 channels \(upscale_factor 2\), got 2 \(shape \(1, 2, 4, 4\)\)",
        ),
        (lambda: F.pixel_shuffle(IMAGE[0, 0], 2), ShapeError, "input: expected at least three axes"),
        (lambda: F.pixel_shuffle(IMAGE, 0), ArgumentError, "upscale_factor: expected at least 1, got 0"),
        (
            lambda: F.pixel_unshuffle(IMAGE, 3),
            ShapeError,
            "pixel_unshuffle: input: expected height and width that are multiples of downscale_factor 3, got 4 and 4",
        ),
        (lambda: F.pixel_unshuffle(IMAGE[:, :, :3], 2), ShapeError, "multiples of downscale_factor 2, got 3 and 4"),
        (lambda: F.pixel_unshuffle(IMAGE[..., :3], 2), ShapeError, "multiples of downscale_factor 2, got 4 and 3"),
        (lambda: F.pixel_unshuffle(IMAGE, 2.0), ArgumentTypeError, "downscale_factor: expected an int, got 2.0"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("all.errors")
@pytest.mark.parametrize(
    ("call", "op", "argument"),
    [
        (lambda: F.conv2d(IMAGE[:, :, :0], rawseg.ones(1, 2, 1, 1)), "conv2d", "input"),
        (lambda: F.conv2d(IMAGE.astype("int64"), rawseg.ones(1, 2, 1, 1)), "conv2d", "input"),
        (lambda: F.conv_transpose2d(IMAGE[:, :0], rawseg.ones(1, 2, 1, 1)), "conv_transpose2d", "input"),
        (lambda: F.max_pool2d(IMAGE[..., :0], 1), "max_pool2d", "input"),
        (lambda: F.max_pool2d(IMAGE, 5), "max_pool2d", "input"),
        (lambda: F.avg_pool2d(IMAGE, (1, 5)), "avg_pool2d", "input"),
        (lambda: F.interpolate(IMAGE[:, :0], 2), "interpolate", "input"),
        (lambda: F.interpolate(IMAGE, 2**40), "interpolate", "size"),
        (lambda: F.pad(IMAGE.astype("bool"), (1, 1), value=2), "pad", "value"),
        (lambda: F.pad(IMAGE, (-5, 0)), "pad", "pad"),
        (lambda: F.linear(IMAGE, rawseg.ones(3, 4).double()), "linear", "weight"),
    ],
)
def test_errors_of_kernels_speak_of_the_public_function(call, op, argument):
    with pytest.raises(RawsegError) as caught:
        call()
    assert (caught.value.op, caught.value.argument) == (op, argument)
    assert str(caught.value).startswith(f"{op}: {argument}: expected ")


def test_a_lack_of_memory_names_the_public_function():
    with pytest.raises(MemoryError, match="interpolate: out: expected at most"):
        F.interpolate(IMAGE, 2**31 - 1)
    with pytest.raises(MemoryError, match="fold: out: expected at most"):
        F.fold(COLUMNS[:, :, :1], 2**30, 2, stride=2**30)


def test_scale_factors_beyond_any_image_are_refused():
    with pytest.raises(ArgumentError, match="scale_factor: expected greater than 0, at most 2147483647"):
        F.interpolate(IMAGE, scale_factor=1e308)


def test_framed_labels_keep_their_dtype():
    ids = rawseg.tensor([[1, 2], [3, 4]])
    framed = F.pad(ids, (1, 1), value=-100)
    assert framed.dtype == np.int64
    assert framed.tolist() == [[-100, 1, 2, -100], [-100, 3, 4, -100]]
    assert F.pad(ids > 1, (0, 1), value=True).tolist() == [[False, True, True], [True, True, True]]
    assert unit_roundoff(F.pad(rawseg.ones(1).double(), (1, 0), value=0.1).dtype) == 2.0**-53
