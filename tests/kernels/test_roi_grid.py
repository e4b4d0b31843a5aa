"""The boxes and the sampling grid of RoIAlign, RoIWarp and RoIPool: what is refused, and where samples come to lie."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given

from rawseg.testing.strategies.regions import regions
from rawseg_kernels import _memory, roi_align, roi_align_max, roi_pool
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels._roi import round_half_away
from rawseg_kernels.roi_align.samples_reference import sample_axis

X = np.zeros((2, 1, 4, 5))
BOXES = np.array([[1.0, 0, 0, 4, 2]])
ONE = 1


def boxes(**changes):
    """Return one box with some of its numbers changed, below a sound one."""
    row = dict(zip(("b", "x1", "y1", "x2", "y2"), BOXES[0])) | changes
    return np.array([BOXES[0], list(row.values())])


def grid(x=X, rois=BOXES, size=2, **options):
    return roi_align.sample_grid(x, rois, size, **options)


@pytest.mark.proves("roi_align", "bad input")
@pytest.mark.spec("roi_align.boxes", "roi_align.limits")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: grid(X[0]), ShapeError, r"roi_align: x: expected shape \(N, C, H, W\), got shape \(1, 4, 5\)"),
        (lambda: grid(None), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (lambda: grid(X[:, :, :0]), ShapeError, "x: expected at least 1 along H"),
        (lambda: grid(rois=[[0, 0, 0, 1, 1]]), ArgumentTypeError, "boxes: expected a NumPy or CuPy array, got list"),
        (lambda: grid(rois=BOXES[0]), ShapeError, r"boxes: expected shape \(K, 5\), \(batch index, x1, y1, x2, y2\)"),
        (lambda: grid(rois=BOXES[:, 1:]), ShapeError, r"boxes: expected shape \(K, 5\), .* got shape \(1, 4\)"),
        (lambda: grid(rois=BOXES.astype(np.float32)), DTypeError, "boxes: expected float64, the dtype of x, got float32"),
        (lambda: grid(rois=BOXES.astype(int)), DTypeError, "boxes: expected float32 or float64, got int64"),
        (
            lambda: grid(rois=boxes(x2=np.nan)),
            ArgumentError,
            r"boxes: expected finite numbers, got \(1.0, 0.0, 0.0, nan, 2.0\) in row 1, \(batch index, x1, y1, x2, y2\)",
        ),
        (lambda: grid(rois=boxes(b=np.inf)), ArgumentError, "boxes: expected finite numbers, got"),
        (
            lambda: grid(rois=boxes(b=2.0)),
            IndexRangeError,
            r"boxes: expected an integral batch index, 0 <= index < 2, got \(2.0, 0.0, 0.0, 4.0, 2.0\) in row 1",
        ),
        (lambda: grid(rois=boxes(b=-1.0)), IndexRangeError, "boxes: expected an integral batch index"),
        (lambda: grid(rois=boxes(b=0.5)), IndexRangeError, "boxes: expected an integral batch index"),
        (lambda: grid(X[:0]), IndexRangeError, "boxes: expected an integral batch index, 0 <= index < 0"),
        (
            lambda: grid(X.astype(np.float32), BOXES.astype(np.float32), spatial_scale=1e39),
            ArgumentError,
            "spatial_scale: expected a number that float32 holds, got 1e\\+39",
        ),
        (lambda: grid(rois=boxes(x1=4.5)), ArgumentError, "boxes: expected x2 >= x1, got .* in row 1"),
        (lambda: grid(rois=boxes(y2=-0.5)), ArgumentError, "boxes: expected y2 >= y1, got .* in row 1"),
        (
            lambda: grid(rois=boxes(x2=1e200), spatial_scale=1e200),
            ArgumentError,
            r"boxes: expected finite numbers after scaling by 1e\+200, got .* in row 1",
        ),
        (
            lambda: grid(rois=boxes(x1=-1e308, x2=1e308), spatial_scale=1.7),
            ArgumentError,
            "expected finite numbers after scaling by 1.7",
        ),
        (lambda: grid(rois=boxes(x1=-1.7e308, x2=1.7e308)), ArgumentError, "expected finite numbers after scaling by 1.0"),
        (lambda: grid(spatial_scale=0), ArgumentError, "spatial_scale: expected greater than 0, got 0.0"),
        (lambda: grid(spatial_scale=-1.0), ArgumentError, "spatial_scale: expected greater than 0, got -1.0"),
        (lambda: grid(spatial_scale=np.nan), ArgumentError, "spatial_scale: expected a finite number, got nan"),
        (lambda: grid(spatial_scale="1"), ArgumentTypeError, "spatial_scale: expected a real number, got '1'"),
        (lambda: grid(size=0), ArgumentError, "output_size: expected at least 1, got 0"),
        (lambda: grid(size=(2, 2, 2)), ArgumentError, "output_size: expected an int or a pair"),
        (lambda: grid(size=2.0), ArgumentTypeError, "output_size: expected an int, got 2.0"),
        (lambda: grid(sampling_ratio=2.0), ArgumentTypeError, "sampling_ratio: expected an int, got 2.0"),
        (
            lambda: grid(sampling_ratio=257),
            ArgumentError,
            r"sampling_ratio: expected at most 65536 samples in a bin, got 257 \(257\*\*2 samples\)",
        ),
        (
            lambda: grid(rois=boxes(x2=1000.0, y2=263.0)),
            ArgumentError,
            r"boxes: expected at most 65536 samples in a bin \(or give sampling_ratio\), got 132 x 500 for \(1.0, 0.0, 0.0, 1",
        ),
        (lambda: grid(rois=boxes(x2=1e300, y2=1e300)), ArgumentError, "expected at most 65536 samples in a bin"),
        (lambda: grid(aligned=ONE), ArgumentTypeError, "aligned: expected a bool, got 1"),
        (lambda: roi_align.warp_grid(X, boxes(x1=4.5), 2), ArgumentError, "roi_warp: boxes: expected x2 >= x1"),
        (lambda: roi_align.forward(X, grid(), algorithm="fast"), ArgumentError, "roi_align: algorithm: expected one of"),
        (lambda: roi_align.forward(X[:1], grid()), ShapeError, r"x: expected shape \(2, 1, 4, 5\), got shape \(1, 1, 4, 5\)"),
        (lambda: roi_align.forward(X[0], grid()), ShapeError, r"x: expected shape \(N, C, H, W\)"),
        (
            lambda: roi_align.forward(X, grid(), X[0, 0]),
            ShapeError,
            r"row_weights: expected shape \(2, 2\), got shape \(4, 5\)",
        ),
        (lambda: roi_align.forward(X, grid(), None, X), ShapeError, r"column_weights: expected shape \(2, 4\)"),
        (lambda: roi_align.forward(X.astype(np.float32), grid()), DTypeError, "row_weights: expected float32, the dtype"),
        (lambda: roi_align.backward_input(X, grid()), ShapeError, r"grad_output: expected shape \(1, 1, 2, 2\)"),
        (lambda: roi_align.backward_rows(X[:1, :, :2, :2], X[:1], grid()), ShapeError, r"x: expected shape \(2, 1, 4, 5\)"),
        (
            lambda: roi_align.backward_columns(np.zeros((1, 2, 2, 2)), X, grid()),
            ShapeError,
            r"grad_output: expected shape \(1, 1, 2, 2\)",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


CHOSEN = np.zeros((1, 1, 2, 2), np.int64)


@pytest.mark.parametrize(
    ("chosen", "error", "message"),
    [
        (CHOSEN + 2, IndexRangeError, r"roi_align: chosen: expected a sample below 2 of its bin, got 2 at \(0, 0, 0, 0\)"),
        (CHOSEN - 1, IndexRangeError, "chosen: expected a sample below 2 of its bin, got -1"),
        (CHOSEN.astype(np.int32), DTypeError, "chosen: expected int64, got int32"),
        (CHOSEN[0], ShapeError, r"chosen: expected shape \(1, 1, 2, 2\)"),
        ([0], ArgumentTypeError, "chosen: expected a NumPy or CuPy array, got list"),
    ],
)
def test_a_choice_must_be_a_sample_of_its_bin(chosen, error, message):
    with pytest.raises(error, match=message):
        roi_align_max.gather(X, chosen, grid())  # bins of 1 x 2 pixels, so 1 x 2 samples
    with pytest.raises(error, match=message):
        roi_align_max.backward_rows(np.zeros((1, 1, 2, 2)), X, chosen, grid())


def test_what_cannot_fit_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 1000)
    with pytest.raises(MemoryError, match=r"roi_align: out: .* got 1152 bytes for shape \(1, 1, 12, 12\)"):
        grid(size=12)
    with pytest.raises(MemoryError, match=r"roi_align: out: .* got 19200 bytes for shape \(200, 12\)"):
        grid(sampling_ratio=100)
    with pytest.raises(MemoryError, match=r"roi_pool: out: .* for shape \(1, 80, 2\)"):
        roi_pool.bins(X, BOXES, 40)


@pytest.mark.spec("roi_align.arithmetic")
@given(regions())
def test_samples_lie_where_the_formula_says(case):
    """One operation at a time, in float32: no fused or reordered arithmetic, whatever the compiler likes."""
    x = np.zeros(case.shape, np.float32)
    rois, f = case.boxes.astype(np.float32), np.float32
    table = roi_align.sample_grid(x, rois, **case.options)
    scale, half = f(case.options["spatial_scale"]), f(0.5 if case.options["aligned"] else 0)
    for axis, (low, high), samples, weights in (
        (0, (2, 4), table.rows, table.row_weights),
        (1, (1, 3), table.columns, table.column_weights),
    ):
        bins, size, entry = table.output_size[axis], case.shape[2 + axis], 0
        for k, roi in enumerate(rois):
            start, end = f(f(roi[low] * scale) - half), f(f(roi[high] * scale) - half)
            extent = f(end - start) if case.options["aligned"] else max(f(end - start), f(1))
            step = f(extent / f(bins))
            for p in range(bins):
                for i in range(samples.counts[k]):
                    part = f(f(f(i + 0.5) * step) / f(samples.counts[k]))
                    place = f(f(start + f(f(p) * step)) + part)
                    at, to, share = -1, -1, None
                    if -1 <= place <= size:
                        held = max(place, f(0))
                        at = min(math.floor(held), size - 1)
                        to, share = (at, f(0)) if at == size - 1 else (at + 1, f(held - f(at)))
                    assert (samples.low[entry], samples.high[entry]) == (at, to)
                    expected = (0, 0) if share is None else (f(1) - share, share)
                    assert tuple(weights[:, entry]) == expected
                    entry += 1
        assert entry == samples.low.size == samples.starts[-1]


@pytest.mark.spec("roi_align.zero-area")
def test_grids_of_boxes_without_area():
    point = np.array([[0.0, 2, 1, 2, 1]])
    assert grid(rois=point).rows.counts == [1]  # one pixel long
    assert grid(rois=point, aligned=True).rows.counts == [0]
    assert grid(rois=point, aligned=True, sampling_ratio=2).columns.counts == [2]
    line = np.array([[0.0, 2, 1, 2, 1e300]])  # without width it has no samples, so its height does not matter
    assert grid(rois=line, aligned=True).rows.counts == grid(rois=line, aligned=True).columns.counts == [0]
    x = np.random.default_rng(0).permutation(20).astype(float).reshape(1, 1, 4, 5)
    assert (roi_align.forward(x, grid(x, point, aligned=True)) == 0).all()
    value = roi_align.forward(x, grid(x, point, aligned=True, sampling_ratio=2))
    np.testing.assert_array_equal(value, np.full((1, 1, 2, 2), x[0, 0, :2, 1:3].mean()))  # of the four pixels around (0.5, 1.5)


def test_halves_are_rounded_away_from_zero():
    values = np.array([0.5, 1.5, -0.5, -2.5, 0.49999997, 2.4, -1.6, 8388609.0, 0.0], np.float32)
    assert round_half_away(values).tolist() == [1, 2, -1, -3, 0, 2, -2, 8388609, 0]
    assert round_half_away(np.array([0.5 - 2.0**-54])).tolist() == [0]  # adding 0.5 would round it up


@pytest.mark.spec("roi_warp.samples")
def test_a_warped_box_is_rounded_first():
    rois = np.array([[0, 1.5, 0.4, 2.5, 1.6]])  # x: 2 .. 3, two pixels; y: 0 .. 2, three pixels
    warped = roi_align.warp_grid(X, rois, (3, 2))
    same = roi_align.sample_grid(X, np.array([[0.0, 2, 0, 4, 3]]), (3, 2))
    for one, other in zip((*warped.rows, *warped.columns, *warped[3:]), (*same.rows, *same.columns, *same[3:])):
        np.testing.assert_array_equal(one, other)
    halves = roi_align.warp_grid(X, rois * 2, (3, 2), 0.5)
    assert halves.columns.low.tolist() == warped.columns.low.tolist()


def test_coordinates_far_outside_are_quiet_and_read_nothing():
    rois = np.array([[0, -3e38, -3e38, -1e38, -1e38], [0, 1e38, 0, 1e38, 4], [0, -1e38, -1e38, 1e38, 1e38]], np.float32)
    x = np.ones((1, 1, 4, 5), np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        out = roi_align.forward(x, roi_align.sample_grid(x, rois, 2, 1.0, 2))
        assert roi_align.warp_grid(x, rois, 2, 1.0, 2).rows.low.size == 12
        assert roi_pool.forward(x, roi_pool.bins(x, rois, 2))[0].max() == 1
    assert (out == 0).all()


@pytest.mark.proves("roi_align", "reference")
@pytest.mark.spec("roi_align.arithmetic", "roi_align.sample")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(regions())
def test_the_tables_are_the_loops_bit_for_bit(dtype, case):
    options, (h, w) = dict(case.options), case.shape[2:]
    bins, rois = options.pop("output_size"), case.boxes.astype(dtype)
    found = roi_align.sample_grid(np.zeros(case.shape, dtype), rois, bins, **options)
    axes = (found.rows, found.row_weights, 2, 4, bins[0], h), (found.columns, found.column_weights, 1, 3, bins[1], w)
    scale, ratio = dtype(options["spatial_scale"]), options["sampling_ratio"]
    for samples, weights, low, high, count, size in axes:
        for k, roi in enumerate(rois):
            want = sample_axis(roi[low], roi[high], scale, options["aligned"], count, ratio, size)
            part = slice(samples.starts[k], samples.starts[k + 1])
            got = list(zip(samples.low[part], samples.high[part], *weights[:, part]))
            empty = options["aligned"] and ratio <= 0 and bool((roi[1:3] == roi[3:]).any())  # no height or no width: no samples
            assert got == ([] if empty else want)
