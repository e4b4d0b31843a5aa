"""RoIAlign: the samples of a box, their mean, and the three adjoints of the mean."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits
from roi_cases import grid_sampled

from rawseg.testing.strategies.regions import exact_regions, regions
from rawseg_kernels import roi_align

FLOATS = [np.float32, np.float64]
SEEDS = st.integers(0, 2**16)
RAMP = np.arange(16.0).reshape(1, 1, 4, 4)  # 4 y + x
BOX = np.array([[0.0, 0, 0, 4, 2]])
SPECIAL = [np.nan, np.inf, -np.inf, 0.0, 1.0, 2.0]


def grid_of(x, boxes, *args, **options):
    return roi_align.sample_grid(x, np.asarray(boxes, x.dtype), *args, **options)


def drawn(case, seed, dtype, integers=False):
    """Return (x, grid, grad_output)."""
    rng = np.random.default_rng(seed)
    draw = (lambda *shape: rng.integers(-8, 9, shape)) if integers else (lambda *shape: rng.standard_normal(shape))
    x = draw(*case.shape).astype(dtype)
    grid = grid_of(x, case.boxes, **case.options)
    return x, grid, draw(len(case.boxes), 2, *grid.output_size).astype(dtype)


@pytest.mark.proves("roi_align", "cpu")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_by_hand(algorithm):
    # aligned: rows 0, 1; columns 0, 1 | 2, 3       4 * 0.5 + 0.5 | 4 * 0.5 + 2.5
    out = roi_align.forward(RAMP, grid_of(RAMP, BOX, (1, 2), aligned=True), algorithm=algorithm)
    assert out.tolist() == [[[[2.5, 4.5]]]]
    # not: rows 0.5, 1.5; columns 0.5, 1.5 | 2.5, 3.5, the last held at 3       4 * 1 + 1 | 4 * 1 + 2.75
    out = roi_align.forward(RAMP, grid_of(RAMP, BOX, (1, 2)), algorithm=algorithm)
    assert out.tolist() == [[[[5.0, 6.75]]]]
    # one sample at (1.5, 2.5), a quarter of each neighbour
    grid = grid_of(RAMP, [[0, 2, 1, 3, 2]], 1)
    spread = roi_align.backward_input(np.array([[[[8.0]]]]), grid, algorithm=algorithm)
    assert spread[0, 0].tolist() == [[0, 0, 0, 0], [0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 0, 0]]
    # of the rows 1 and 2, halfway between the columns 2 and 3: 6.5 and 10.5; of the columns, between the rows: 8 and 9
    assert roi_align.backward_rows(np.array([[[[2.0]]]]), RAMP, grid, algorithm=algorithm).tolist() == [[13], [21]]
    assert roi_align.backward_columns(np.array([[[[2.0]]]]), RAMP, grid, algorithm=algorithm).tolist() == [[16], [18]]


@pytest.mark.spec("roi_align.sample")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
@pytest.mark.parametrize(
    ("point", "value"),
    [
        ((-1, 0), 0.0),  # on the last valid row: held at row 0
        ((-1.0625, 0), -99.0),  # beyond it
        ((4, 0), 12.0),  # on the last valid row below
        ((4.0625, 0), -99.0),
        ((0, -1), 0.0),
        ((0, -1.0625), -99.0),
        ((0, 5), 3.0),  # a width of 4 ends at 4, not at 5
        ((2.5, 4), 13.0),
        ((2.5, 4.0625), -99.0),
        ((3.0, 3.0), 15.0),
        ((2.75, 0.5), 11.5),
    ],
)
def test_samples_at_the_edge_of_the_map(point, value, algorithm):
    y, x = point
    grid = grid_of(RAMP, [[0, x + 0.5, y + 0.5, x + 0.5, y + 0.5]], 1, sampling_ratio=1, aligned=True)
    out = roi_align.forward(RAMP + 1, grid, algorithm=algorithm).item()
    outside = value == -99 or x > 4
    assert out == (0 if outside else value + 1)


@pytest.mark.proves("roi_align", "reference", "cpu")
@pytest.mark.spec("roi_align.sample")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(exact_regions(), SEEDS)
def test_special_values_go_the_same_way_in_both_forms(dtype, case, seed):
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array(SPECIAL), case.shape).astype(dtype)
    grid = grid_of(x, case.boxes, **case.options)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(roi_align.forward(x, grid), roi_align.forward(x, grid, algorithm="reference"))
        grad = rng.choice(np.array(SPECIAL), (len(case.boxes), 2, *grid.output_size)).astype(dtype)
        got = roi_align.backward_input(grad, grid)
        np.testing.assert_array_equal(got, roi_align.backward_input(grad, grid, algorithm="reference"))


@pytest.mark.spec("roi_align.sample")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_a_weight_of_zero_lets_nan_through_and_a_sample_outside_reads_nothing(algorithm):
    x = RAMP.copy()
    x[0, 0, 1, 1] = np.nan
    options = {"output_size": 1, "sampling_ratio": 1, "aligned": True}
    for y, column, is_nan in ((1.0, 0.0, True), (0.0, 1.0, True), (1.0, 1.0, True), (2.0, 1.0, False), (1.0, 2.0, False)):
        grid = grid_of(x, [[0, column + 0.5, y + 0.5, column + 0.5, y + 0.5]], **options)
        assert np.isnan(roi_align.forward(x, grid, algorithm=algorithm).item()) == is_nan
    beside = grid_of(x, [[0, 9, 1, 11, 2]], **options)
    assert roi_align.forward(np.full_like(x, np.nan), beside, algorithm=algorithm).item() == 0
    grad = np.full((1, 1, 1, 1), np.nan)
    assert (roi_align.backward_input(grad, beside, algorithm=algorithm) == 0).all()
    assert (roi_align.backward_rows(grad, x, beside, algorithm=algorithm) == 0).all()


@pytest.mark.proves("roi_align", "reference", "cpu", "adjoint")
@pytest.mark.spec("roi_align.average", "roi_align.gradient-input")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=exact_regions(), seed=SEEDS)
def test_all_four_sums_are_exact_on_integers_and_one_form(case, dtype, seed):
    x, grid, g = drawn(case, seed, dtype, integers=True)
    results = {}
    for algorithm in ("direct", "cuda", "reference"):
        out = roi_align.forward(x, grid, algorithm=algorithm)
        back = roi_align.backward_input(g, grid, algorithm=algorithm)
        rows = roi_align.backward_rows(g, x, grid, algorithm=algorithm)
        columns = roi_align.backward_columns(g, x, grid, algorithm=algorithm)
        forms = np.vdot(out, g), np.vdot(back, x), np.vdot(rows, grid.row_weights), np.vdot(columns, grid.column_weights)
        assert forms == (forms[0],) * 4
        results[algorithm] = out, back, rows, columns
    for one, other, third in zip(*results.values()):
        np.testing.assert_array_equal(one, other)
        assert_same_bits(other, third)
    twin = grid_sampled(torch.tensor(x.astype(np.float64)), torch.tensor(case.boxes), **case.options)
    # grid_sample's own coordinates are rounded: some 8 roundings of numbers up to 9, times the range 16 of the map
    assert_within(results["direct"][0], twin.numpy(), 8 * 9 * 16 * 2.0**-53)


@pytest.mark.proves("roi_align", "reference", "cpu")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=exact_regions(), seed=SEEDS)
def test_any_weights_will_do(case, dtype, seed):
    """Directions of second derivatives: of either sign, all 0, and not 0 where the grid's own weights are."""
    x, grid, g = drawn(case, seed, dtype, integers=True)
    rng = np.random.default_rng(seed)
    rows, columns = (rng.integers(-1, 2, own.shape).astype(dtype) for own in (grid.row_weights, grid.column_weights))
    calls = [
        lambda a: roi_align.forward(x, grid, rows, columns, a),
        lambda a: roi_align.backward_input(g, grid, rows, columns, a),
        lambda a: roi_align.backward_rows(g, x, grid, columns, a),
        lambda a: roi_align.backward_columns(g, x, grid, rows, a),
    ]
    for call in calls:
        np.testing.assert_array_equal(call("auto"), call("reference"))
        assert_same_bits(call("cuda"), call("reference"))


@pytest.mark.proves("roi_align", "reference", "bound")
@pytest.mark.spec("roi_align.average", "roi_align.gradient-input")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=regions(), seed=SEEDS)
def test_rounding_stays_within_its_bound(case, dtype, seed):
    x, grid, g = drawn(case, seed, dtype)
    x *= (10.0 ** np.random.default_rng(seed).integers(-9, 9, x.shape)).astype(dtype)
    wide = grid._replace(row_weights=grid.row_weights.astype(np.float64), column_weights=grid.column_weights.astype(np.float64))
    most = int((grid.rows.counts * grid.columns.counts).max(initial=1))
    bins = grid.output_size[0] * grid.output_size[1] * max(len(case.boxes), 1)
    calls = [
        (4 * most + 1, lambda g, x, grid, a: roi_align.forward(x, grid, algorithm=a)),
        (4 * most * bins + 1, lambda g, x, grid, a: roi_align.backward_input(g, grid, algorithm=a)),
        (4 * most * bins + 1, lambda g, x, grid, a: roi_align.backward_rows(g, x, grid, algorithm=a)),
        (4 * most * bins + 1, lambda g, x, grid, a: roi_align.backward_columns(g, x, grid, algorithm=a)),
    ]
    for terms, call in calls:
        want = call(g.astype(np.float64), x.astype(np.float64), wide, "reference")
        size = call(abs(g).astype(np.float64), abs(x).astype(np.float64), wide, "reference")  # weights are at least 0
        bound = (gamma(terms, dtype) + gamma(terms, np.float64)) * size + smallest(terms, dtype)
        assert_within(call(g, x, grid, "auto"), want, bound)
        assert_within(call(g, x, grid, "reference"), want, bound)
        assert_same_bits(call(g, x, grid, "cuda"), call(g, x, grid, "reference"))


@pytest.mark.spec("roi_align.identity")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_box_around_the_map_with_one_sample_a_pixel_is_the_map(dtype):
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 7)).astype(dtype)
    boxes = [[1, 0, 0, 7, 5], [0, 0, 0, 7, 5]]
    assert_same_bits(roi_align.forward(x, grid_of(x, boxes, (5, 7), sampling_ratio=1, aligned=True)), x[::-1])


def test_an_affine_map_gives_its_values_at_the_centres_of_the_bins():
    x = (4 * np.arange(8.0)[:, None] + np.arange(16.0))[None, None]
    out = roi_align.forward(x, grid_of(x, [[0, 2, 1, 10, 5]], (2, 4), sampling_ratio=4, aligned=True))
    rows, columns = np.array([1.5, 3.5]), np.array([2.5, 4.5, 6.5, 8.5])  # all numbers are short binary fractions: exact
    np.testing.assert_array_equal(out[0, 0], 4 * rows[:, None] + columns)


@pytest.mark.spec("roi_align.empty")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_nothing_comes_of_nothing(algorithm):
    for shape in ((2, 3, 4, 5), (0, 3, 4, 5), (2, 0, 4, 5)):
        x = np.zeros(shape, np.float32)
        grid = grid_of(x, np.zeros((0, 5)), (2, 3))
        assert roi_align.forward(x, grid, algorithm=algorithm).shape == (0, shape[1], 2, 3)
        grad = np.zeros((0, shape[1], 2, 3), np.float32)
        np.testing.assert_array_equal(roi_align.backward_input(grad, grid, algorithm=algorithm), x)
        assert roi_align.backward_rows(grad, x, grid, algorithm=algorithm).shape == (2, 0)
    x = np.zeros((1, 0, 4, 5))
    grid = grid_of(x, BOX, 2)
    assert roi_align.forward(x, grid, algorithm=algorithm).shape == (1, 0, 2, 2)
    assert (roi_align.backward_columns(np.zeros((1, 0, 2, 2)), x, grid, algorithm=algorithm) == 0).all()


@pytest.mark.proves("roi_align", "determinism")
def test_a_box_among_others_has_the_bits_that_it_has_alone():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((3, 130, 6, 7)).astype(np.float32)  # more channels than two parts of lanes
    boxes = np.array([[2, 0, 1, 5, 4], [0, -1, 0.5, 6, 6], [2, 3, 3, 3.5, 6]], np.float32)
    out = roi_align.forward(x, grid_of(x, boxes, (3, 2)))
    for k in range(3):
        assert_same_bits(roi_align.forward(x, grid_of(x, boxes[k : k + 1], (3, 2))), out[k : k + 1])
    some = roi_align.forward(x[:, 64:70].copy(), grid_of(x, boxes, (3, 2)))
    assert_same_bits(some, np.ascontiguousarray(out[:, 64:70]))
