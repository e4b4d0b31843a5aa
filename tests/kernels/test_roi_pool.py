"""RoIPool: how boxes and bins are rounded, what is chosen, and that gradients go exactly there."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits
from roi_cases import torch_roi_pool

from rawseg.testing.strategies.regions import regions
from rawseg_kernels import roi_pool
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels.roi_pool import reference

DTYPES = [np.float32, np.float64]
FORMS = ["direct", "cuda", "reference"]
SEEDS = st.integers(0, 2**16)
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, 2.0]
PLANE = np.array([[1, 5, 2, 0], [3, 4, 5, 5], [-1, 0, 7, 6], [-2, -3, 6, 7]], np.float64)[None, None]


def bins_of(x, case):
    options = {name: case.options[name] for name in ("output_size", "spatial_scale")}
    return roi_pool.bins(x, case.boxes.astype(x.dtype), **options)


@pytest.mark.proves("roi_pool", "cpu")
@pytest.mark.spec("roi_pool.quantisation")
@pytest.mark.parametrize("algorithm", FORMS)
def test_by_hand(algorithm):
    # x: 0.5 -> 1, 6.9 -> 3.45 -> 3; y: -0.4 -> 0, 4 -> 2: the columns 1 .. 3 and the rows 0 .. 2, two bins down and two across
    bins = roi_pool.bins(PLANE, np.array([[0, 1.0, -0.4, 6.9, 4]]), 2, 0.5)
    assert [edge.tolist() for edge in bins[:5]] == [
        [0],
        [[0, 1]],
        [[2, 3]],
        [[1, 2]],
        [[3, 4]],
    ]  # bins overlap in a row and a column
    out, indices = roi_pool.forward(PLANE, bins, algorithm=algorithm)
    assert (out.tolist(), indices.tolist()) == ([[[[5, 5], [7, 7]]]], [[[[1, 6], [10, 10]]]])
    grad = roi_pool.backward(np.array([[[[1.0, 2], [3, 4]]]]), indices, bins.batch, PLANE.shape, algorithm=algorithm)
    assert grad[0, 0].tolist() == [[0, 1, 0, 0], [0, 0, 2, 0], [0, 0, 7, 0], [0, 0, 0, 0]]
    assert_same_bits(roi_pool.gather(PLANE, indices, bins.batch, algorithm=algorithm), out)


@pytest.mark.spec("roi_pool.choice")
@pytest.mark.parametrize("algorithm", FORMS)
@pytest.mark.parametrize(
    ("row", "value", "index"),
    [
        ([2, 2, 1], 2.0, 0),
        ([-0.0, 0.0, -0.0], -0.0, 0),
        ([-np.inf, -np.inf, -np.inf], -np.inf, 0),
        ([1, np.nan, np.inf], np.nan, 1),
        ([np.nan, 1, np.nan], np.nan, 2),
    ],
)
def test_ties_keep_the_first_index_and_nan_the_last(row, value, index, algorithm):
    x = np.array(row, np.float32).reshape(1, 1, 1, 3)
    out, indices = roi_pool.forward(x, roi_pool.bins(x, np.array([[0, 0, 0, 2, 0]], np.float32), 1), algorithm=algorithm)
    assert_same_bits(out, np.full((1, 1, 1, 1), value, np.float32))
    assert indices.item() == index


@pytest.mark.spec("roi_pool.empty-bin")
@pytest.mark.parametrize("algorithm", FORMS)
def test_a_bin_outside_the_map_is_0_and_has_no_gradient(algorithm):
    bins = roi_pool.bins(PLANE, np.array([[0.0, 2, 0, 9, 3], [0, 20, 20, 30, 30]]), (1, 2))
    out, indices = roi_pool.forward(PLANE - 10, bins, algorithm=algorithm)
    assert (out.tolist(), indices.tolist()) == ([[[[-3, 0]]], [[[0, 0]]]], [[[[10, -1]]], [[[-1, -1]]]])
    grad = roi_pool.backward(np.full(out.shape, 5.0), indices, bins.batch, PLANE.shape, algorithm=algorithm)
    assert (grad[0, 0, 2, 2], grad.sum()) == (5, 5)
    assert (roi_pool.gather(PLANE + 1, indices, bins.batch, algorithm=algorithm).ravel() == [8, 0, 0, 0]).all()


GRAD, INDICES, BATCH = np.zeros((1, 1, 2, 2)), np.zeros((1, 1, 2, 2), np.int64), np.zeros(1, np.int64)
ROI = np.array([[0.0, 0, 0, 3, 3]])


@pytest.mark.proves("roi_pool", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: roi_pool.bins(PLANE, ROI * [[0, 0, 0, -1, 1]], 2), ArgumentError, "roi_pool: boxes: expected x2 >= x1"),
        (lambda: roi_pool.bins(PLANE, ROI + 1, 2), IndexRangeError, "boxes: expected an integral batch index, 0 <= index < 1"),
        (lambda: roi_pool.bins(PLANE, ROI, 0), ArgumentError, "output_size: expected at least 1, got 0"),
        (lambda: roi_pool.forward(PLANE[0], None), ShapeError, r"x: expected shape \(N, C, H, W\)"),
        (
            lambda: roi_pool.forward(PLANE[:, :, :3], roi_pool.bins(PLANE, ROI, 2)),
            ShapeError,
            r"x: expected shape \(1, 1, 4, 4\), got shape \(1, 1, 3, 4\)",
        ),
        (lambda: roi_pool.forward(PLANE, roi_pool.bins(PLANE, ROI, 2), "fast"), ArgumentError, "algorithm: expected one of"),
        (
            lambda: roi_pool.backward(PLANE, INDICES, BATCH, (1, 1, 4, 4)),
            ShapeError,
            r"grad_output: expected shape \(1, 1, 2, 2\)",
        ),
        (lambda: roi_pool.backward(GRAD, INDICES, BATCH, (1, 1, 4)), ShapeError, "input_shape: expected shape"),
        (lambda: roi_pool.backward(GRAD, INDICES, BATCH, (1, 1, 0, 4)), ArgumentError, "input_shape: expected at least 1"),
        (lambda: roi_pool.backward(GRAD, INDICES, BATCH, (1, 2, 4, 4)), ShapeError, r"indices: expected shape \(1, 2, 2, 2\)"),
        (lambda: roi_pool.backward(GRAD, INDICES.astype(int) * 1.0, BATCH, PLANE.shape), DTypeError, "indices: expected int64"),
        (
            lambda: roi_pool.backward(GRAD, [[0]], BATCH, PLANE.shape),
            ArgumentTypeError,
            "indices: expected a NumPy or CuPy array",
        ),
        (
            lambda: roi_pool.backward(GRAD, INDICES, [0], PLANE.shape),
            ArgumentTypeError,
            "batch: expected a NumPy or CuPy array",
        ),
        (lambda: roi_pool.backward(GRAD, INDICES, BATCH[:0], PLANE.shape), ShapeError, r"batch: expected shape \(1,\)"),
        (
            lambda: roi_pool.backward(GRAD, INDICES + 16, BATCH, PLANE.shape),
            IndexRangeError,
            r"indices: expected -1 <= index < 16, got 16 at \(0, 0, 0, 0\)",
        ),
        (lambda: roi_pool.gather(PLANE, INDICES - 2, BATCH), IndexRangeError, "indices: expected -1 <= index < 16, got -2"),
        (
            lambda: roi_pool.gather(PLANE, INDICES, BATCH + 1),
            IndexRangeError,
            r"batch: expected 0 <= index < 1, got 1 at \(0,\)",
        ),
        (lambda: roi_pool.gather(PLANE, INDICES[0], BATCH), ShapeError, r"indices: expected shape \(K, C, out_h, out_w\)"),
        (
            lambda: roi_pool.gather(PLANE.astype(int), INDICES, BATCH),
            DTypeError,
            "grad_grad_input: expected float32 or float64",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.proves("roi_pool", "reference", "cpu", "torch")
@pytest.mark.spec("roi_pool.quantisation", "roi_pool.choice")
@pytest.mark.parametrize("dtype", DTYPES)
@given(regions(ratios=(1,)), SEEDS)
def test_selection_equals_loops_and_torch(dtype, case, seed):
    rng = np.random.default_rng(seed)
    for values in (None, SPECIAL, [-np.inf]):
        x = (
            rng.permutation(int(np.prod(case.shape))).reshape(case.shape) if values is None else rng.choice(values, case.shape)
        ).astype(dtype)
        got = roi_pool.forward(x, bins_of(x, case))
        want = roi_pool.forward(x, bins_of(x, case), algorithm="reference")
        assert_same_bits(got, want)
        assert_same_bits(roi_pool.forward(x, bins_of(x, case), "cuda"), want)
        twin = torch_roi_pool(
            torch.tensor(x), case.boxes.astype(dtype), case.options["output_size"], case.options["spatial_scale"]
        )
        np.testing.assert_array_equal(got[0], twin.numpy())


@pytest.mark.proves("roi_pool", "reference", "cpu", "adjoint")
@pytest.mark.parametrize("dtype", DTYPES)
@given(regions(ratios=(1,)), SEEDS)
def test_scatter_and_gather_are_exact_on_integers_and_adjoint(dtype, case, seed):
    rng = np.random.default_rng(seed)
    x = rng.permutation(int(np.prod(case.shape))).reshape(case.shape).astype(dtype)
    bins = bins_of(x, case)
    out, indices = roi_pool.forward(x, bins)
    g = rng.integers(-8, 9, out.shape).astype(dtype)
    back, gathered = roi_pool.backward(g, indices, bins.batch, x.shape), roi_pool.gather(x, indices, bins.batch)
    np.testing.assert_array_equal(back, roi_pool.backward(g, indices, bins.batch, x.shape, algorithm="reference"))
    assert_same_bits(gathered, out)
    assert_same_bits(gathered, roi_pool.gather(x, indices, bins.batch, algorithm="reference"))
    assert_same_bits(gathered, roi_pool.gather(x, indices, bins.batch, algorithm="cuda"))
    np.testing.assert_array_equal(back, roi_pool.backward(g, indices, bins.batch, x.shape, algorithm="cuda"))
    assert np.vdot(back, x) == np.vdot(g, gathered)
    leaf = torch.tensor(x.astype(np.float64), requires_grad=True)
    twin = torch_roi_pool(leaf, case.boxes.astype(dtype), case.options["output_size"], case.options["spatial_scale"])
    if twin.requires_grad:
        twin.backward(torch.tensor(g.astype(np.float64)))
        np.testing.assert_array_equal(back, leaf.grad if leaf.grad is not None else 0 * back)


@pytest.mark.proves("roi_pool", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
def test_scattered_sums_stay_within_the_rounding_bound(dtype):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((1, 2, 5, 6)).astype(dtype)
    bins = roi_pool.bins(x, np.array([[0, 0, 0, 5, 4], [0, 1, 1, 5, 4], [0, 0, 2, 3, 3]], dtype), 4)
    out, indices = roi_pool.forward(x, bins)
    g = (rng.standard_normal(out.shape) * 10.0 ** rng.integers(-10, 10, out.shape)).astype(dtype)
    want = reference.backward(g.astype(np.float64), indices, bins.batch, x.shape)
    size = reference.backward(abs(g).astype(np.float64), indices, bins.batch, x.shape)
    terms = 3 * 16  # all bins, in one pixel
    bound = (gamma(terms, dtype) + gamma(terms, np.float64)) * size + smallest(terms, dtype)
    assert_within(roi_pool.backward(g, indices, bins.batch, x.shape), want, bound)


def test_bins_in_float32_are_cut_in_float32():
    """13 * (28 / 13) is a little more than 28 in float32: the last bin reaches one row further, as torchvision's does."""
    x = np.zeros((1, 1, 40, 40), np.float32)
    assert np.float32(13) * (np.float32(28) / np.float32(13)) > 28
    assert roi_pool.bins(x, np.array([[0, 0, 0, 27, 27]], np.float32), 13).last_row[0, -1] == 29
    assert roi_pool.bins(x.astype(np.float64), np.array([[0, 0, 0, 27.0, 27]]), 13).last_row[0, -1] == 28


@pytest.mark.parametrize("algorithm", FORMS)
def test_nothing_comes_of_nothing(algorithm):
    for shape in ((2, 3, 4, 5), (0, 3, 4, 5), (2, 0, 4, 5)):
        x = np.zeros(shape, np.float32)
        bins = roi_pool.bins(x, np.zeros((0, 5), np.float32), (2, 3))
        out, indices = roi_pool.forward(x, bins, algorithm=algorithm)
        assert out.shape == indices.shape == (0, shape[1], 2, 3)
        np.testing.assert_array_equal(roi_pool.backward(out, indices, bins.batch, shape, algorithm=algorithm), x)
        assert roi_pool.gather(x, indices, bins.batch, algorithm=algorithm).shape == out.shape


def test_the_compiled_loops_are_the_plain_loops():
    x = np.random.default_rng(4).choice(SPECIAL, (2, 2, 5, 4)).astype(np.float32)
    bins = roi_pool.bins(x, np.array([[1, 0, 0, 3, 4], [0, -2, 1, 1, 9]], np.float32), (2, 3))
    want = reference.forward(x, *bins[:5])
    assert_same_bits(roi_pool.forward(x, bins, algorithm="reference"), want)
    g = np.random.default_rng(0).standard_normal(want[0].shape).astype(np.float32)
    compiled = roi_pool.backward(g, want[1], bins.batch, x.shape, algorithm="reference")
    assert_same_bits(compiled, reference.backward(g, want[1], bins.batch, x.shape))
    assert_same_bits(roi_pool.gather(x, want[1], bins.batch, algorithm="reference"), want[0])


@pytest.mark.proves("roi_pool", "determinism")
def test_many_channels_are_each_as_if_alone():
    x = np.random.default_rng(3).standard_normal((2, 130, 6, 7)).astype(np.float32)
    boxes = np.array([[1, 0, 1, 5, 4], [0, -1, 0.5, 6, 6]], np.float32)
    out, indices = roi_pool.forward(x, roi_pool.bins(x, boxes, 3))
    some = roi_pool.forward(x[:, 62:66].copy(), roi_pool.bins(x[:, 62:66], boxes, 3))
    assert_same_bits(some, (np.ascontiguousarray(out[:, 62:66]), np.ascontiguousarray(indices[:, 62:66])))
