"""RoIAlign's largest sample: what is chosen, and the sums over the chosen samples."""

from __future__ import annotations

import numpy as np
import pytest
from bounds import assert_within, gamma, smallest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg.testing.strategies.regions import exact_regions, regions
from rawseg_kernels import roi_align
from rawseg_kernels import roi_align_max as room
from rawseg_kernels.roi_align_max import reference

FLOATS = [np.float32, np.float64]
SEEDS = st.integers(0, 2**16)
FORMS = ["direct", "cuda", "reference"]
LINE = np.array([[0.0, 0.5, 0.5, 4.5, 0.5]])  # aligned, four samples in a row: on the pixels 0.5, 1.5, 2.5, 3.5


def grid_of(x, boxes, *args, **options):
    return roi_align.sample_grid(x, np.asarray(boxes, x.dtype), *args, **options)


def sums(x, g, chosen, grid, algorithm):
    return (
        room.gather(x, chosen, grid, algorithm=algorithm),
        room.backward_input(g, chosen, grid, algorithm=algorithm),
        room.backward_rows(g, x, chosen, grid, algorithm=algorithm),
        room.backward_columns(g, x, chosen, grid, algorithm=algorithm),
    )


@pytest.mark.proves("roi_align", "cpu")
@pytest.mark.parametrize("algorithm", FORMS)
def test_by_hand(algorithm):
    x = np.array([[[[0.0, 4, 0, 2], [8, 0, 0, 0]]]])
    grid = grid_of(x, [[0, 0, 0, 4, 2]], (1, 2), aligned=True)  # samples on the pixels, 2 x 2 a bin
    out, chosen = room.forward(x, grid, algorithm=algorithm)
    assert (out.tolist(), chosen.tolist()) == ([[[[8, 2]]]], [[[[2, 1]]]])
    half = grid_of(x, [[0, 0, 0, 1, 1]], 1, sampling_ratio=1)  # one sample between the four pixels 0, 4, 8, 0
    out, chosen = room.forward(x, half, algorithm=algorithm)
    assert (out.item(), chosen.item()) == (3, 0)
    spread = room.backward_input(np.full((1, 1, 1, 1), 4.0), chosen, half, algorithm=algorithm)
    assert spread[0, 0].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0]]
    assert room.backward_rows(np.full((1, 1, 1, 1), 4.0), x, chosen, half, algorithm=algorithm).tolist() == [[8], [16]]
    assert room.backward_columns(np.full((1, 1, 1, 1), 4.0), x, chosen, half, algorithm=algorithm).tolist() == [[16], [8]]


@pytest.mark.spec("roi_align.maximum")
@pytest.mark.parametrize("algorithm", FORMS)
@pytest.mark.parametrize(
    ("row", "value", "index"),
    [
        ([1, 3, 3, 2], 3.0, 1),
        ([-1, -3, -2, -4], -1.0, 0),
        ([-np.inf, -np.inf, -np.inf, -np.inf], np.nan, 3),  # between the pixels: 0 times infinity
        ([1, np.nan, np.nan, 2], np.nan, 2),
    ],
)
def test_ties_keep_the_first_sample_and_nan_the_last(row, value, index, algorithm):
    x = np.array(row, np.float64).reshape(1, 1, 1, 4)
    grid = grid_of(x, [[0, 0, 0, 4, 1]], 1, sampling_ratio=4, aligned=True)
    grid = grid._replace(rows=grid.rows._replace(counts=np.array([1]), starts=np.array([0, 1])))  # one row of four samples
    grid = grid._replace(
        rows=grid.rows._replace(low=np.array([0]), high=np.array([0])), row_weights=np.array([[1.0], [0.0]]), row_moves=None
    )
    out, chosen = room.forward(x, grid, algorithm=algorithm)
    np.testing.assert_array_equal(out.item(), value)
    assert chosen.item() == index


@pytest.mark.spec("roi_align.maximum", "roi_align.zero-area")
@pytest.mark.parametrize("algorithm", FORMS)
def test_a_sample_outside_is_0_and_takes_part(algorithm):
    x = np.full((1, 1, 4, 4), -5.0)
    half_out = grid_of(x, [[0, -5, 0.5, 3, 0.5]], 1, sampling_ratio=2, aligned=True)  # columns -3.5 and 0.5
    out, chosen = room.forward(x, half_out, algorithm=algorithm)
    assert (out.item(), chosen.item()) == (0, 0)
    for result in sums(np.full_like(x, np.nan), np.ones((1, 1, 1, 1)), chosen, half_out, algorithm):
        assert (result == 0).all()  # nothing was read, so there is nothing to differentiate
    empty = grid_of(x, [[0, 1, 1, 1, 1]], 1, aligned=True)
    out, chosen = room.forward(x, empty, algorithm=algorithm)
    assert (out.item(), chosen.item()) == (0, -1)
    assert all((result == 0).all() for result in sums(x, np.ones((1, 1, 1, 1)), chosen, empty, algorithm))


@pytest.mark.proves("roi_align", "reference", "cpu")
@pytest.mark.spec("roi_align.maximum")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=regions(), special=st.booleans(), seed=SEEDS)
def test_the_fast_form_has_the_bits_of_the_loops(case, special, dtype, seed):
    rng = np.random.default_rng(seed)
    values = [np.nan, np.inf, -np.inf, 0.0, 1.0, 1.0, 2.0]
    x = (rng.choice(values, case.shape) if special else rng.standard_normal(case.shape)).astype(dtype)
    grid = grid_of(x, case.boxes, **case.options)
    g = rng.standard_normal((len(case.boxes), 2, *grid.output_size)).astype(dtype)
    with np.errstate(all="ignore"):
        got, want = room.forward(x, grid), room.forward(x, grid, algorithm="reference")
        np.testing.assert_array_equal(got[1], want[1])
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(room.forward(x, grid, algorithm="cuda"), want)
        loops = sums(x, g, want[1], grid, "reference")
        for one, other, third in zip(sums(x, g, want[1], grid, "direct"), loops, sums(x, g, want[1], grid, "cuda")):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(third, other)  # NaN may have another sign
        np.testing.assert_array_equal(room.gather(x, want[1], grid), want[0])


@pytest.mark.proves("roi_align", "adjoint")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=exact_regions(), seed=SEEDS)
def test_the_sums_are_one_form_on_integers(case, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, case.shape).astype(dtype)
    grid = grid_of(x, case.boxes, **case.options)
    out, chosen = room.forward(x, grid)
    g = rng.integers(-8, 9, out.shape).astype(dtype)
    value, back, rows, columns = sums(x, g, chosen, grid, "auto")
    forms = np.vdot(value, g), np.vdot(back, x), np.vdot(rows, grid.row_weights), np.vdot(columns, grid.column_weights)
    assert forms == (forms[0],) * 4


@pytest.mark.proves("roi_align", "bound")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=regions(), seed=SEEDS)
def test_rounding_stays_within_its_bound(case, dtype, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(case.shape).astype(dtype)
    grid = grid_of(x, case.boxes, **case.options)
    out, chosen = room.forward(x, grid)
    g = rng.standard_normal(out.shape).astype(dtype)
    wide = grid._replace(row_weights=grid.row_weights.astype(np.float64), column_weights=grid.column_weights.astype(np.float64))
    want = sums(x.astype(np.float64), g.astype(np.float64), chosen, wide, "reference")
    size = sums(abs(x).astype(np.float64), abs(g).astype(np.float64), chosen, wide, "reference")
    terms = 4 * grid.output_size[0] * grid.output_size[1] * max(len(case.boxes), 1) * case.shape[1] + 1
    for one, other, magnitude in zip(sums(x, g, chosen, grid, "auto"), want, size):
        bound = (gamma(terms, dtype) + gamma(terms, np.float64)) * magnitude + smallest(terms, dtype)
        assert_within(one, other, bound)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(2)
    x = rng.choice([np.nan, 0.0, 1.0, 2.0], (2, 2, 4, 3)).astype(np.float32)
    grid = grid_of(x, [[1, -2, 0.5, 2.25, 5.5], [0, 0.2, 0.1, 1.7, 3.3]], (2, 1))
    tables, weights = (grid.batch, grid.rows, grid.columns), (grid.row_weights, grid.column_weights)
    plain = reference.forward(x, *tables, *weights, (2, 1))
    assert_same_bits(room.forward(x, grid, algorithm="reference"), plain)
    g = rng.standard_normal((2, 2, 2, 1)).astype(np.float32)
    want = (
        reference.gather(x, plain[1], *tables, *weights),
        reference.backward_input(g, plain[1], x.shape, *tables, *weights),
        reference.backward_rows(g, x, plain[1], *tables, weights[1]),
        reference.backward_columns(g, x, plain[1], *tables, weights[0]),
    )
    for compiled, loops in zip(sums(x, g, plain[1], grid, "reference"), want):
        assert_same_bits(compiled, loops)


def test_many_channels_are_each_as_if_alone():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, 130, 6, 7)).astype(np.float32)
    boxes = [[1, 0, 1, 5, 4], [0, -1, 0.5, 6, 6]]
    out, chosen = room.forward(x, grid_of(x, boxes, (3, 2)))
    some = x[:, 62:66].copy()
    one, other = room.forward(some, grid_of(some, boxes, (3, 2)))
    assert_same_bits((one, other), (np.ascontiguousarray(out[:, 62:66]), np.ascontiguousarray(chosen[:, 62:66])))
