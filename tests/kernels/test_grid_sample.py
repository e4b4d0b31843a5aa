"""Sampling: where the taps of a point are, and the three contractions over them."""

from __future__ import annotations

import numpy as np
import pytest
from bounds import assert_within, gamma, smallest
from complex_step import assert_complex_step
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.sampling import NOT_FINITE, OPTIONS, PADDINGS, points
from rawseg_kernels import grid_sample
from rawseg_kernels.grid_sample import PADDING_MODES, reference

DTYPES = [np.float32, np.float64]
ALL = pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])


def locate(x, grid, mode="bilinear", padding="zeros", corners=False, **options):
    return grid_sample.locate(grid, x.shape[2:], mode, padding, corners, **options)


@ALL
@pytest.mark.spec("grid_sample.taps", "grid_sample.coordinates")
def test_by_hand(algorithm):
    # A plane of 2 rows and 4 columns. x = 0 is the edge between columns 1 and 2, y = 0 between the rows: pixel (1.5, 0.5).
    # (0.25, -0.5) is 1 / 2 of a pixel further right and up: pixel (2, 0). (1, 1) is the corner: pixel (3.5, 1.5).
    grid = np.array([[[[0, 0], [0.25, -0.5], [1, 1]]]], np.float32)
    indices, fractions, slopes = grid_sample.locate(grid, (2, 4), "bilinear", "zeros", False, algorithm=algorithm)
    assert indices.tolist() == [[[[1, 2, 5, 6], [2, 3, 6, 7], [7, 8, 8, 8]]]]  # 8: outside
    assert fractions.tolist() == [[[[0.5, 0.5], [0, 0], [0.5, 0.5]]]]
    assert slopes.tolist() == [[[[2, 1]] * 3]]  # half of the columns, half of the rows
    x = np.arange(8, dtype=np.float32).reshape(1, 1, 2, 4)
    weights = np.array([[[[0.25] * 4, [1, 0, 0, 0], [0.25] * 4]]], np.float32)
    assert grid_sample.forward(x, indices, weights, algorithm=algorithm).tolist() == [[[[3.5, 2, 1.75]]]]
    grad = np.array([[[[4, 10, 100]]]], np.float32)
    grad_input = grid_sample.backward_input(grad, indices, weights, (2, 4), algorithm=algorithm)
    assert grad_input.tolist() == [[[[0, 1, 11, 0], [0, 1, 1, 25]]]]
    grad_weights = grid_sample.backward_weights(grad, x, indices, algorithm=algorithm)
    assert grad_weights.tolist() == [[[[4, 8, 20, 24], [20, 30, 60, 70], [700, 0, 0, 0]]]]


@ALL
@pytest.mark.spec("grid_sample.coordinates", "grid_sample.border", "grid_sample.reflection")
@pytest.mark.parametrize(
    ("padding", "corners", "g", "place", "slope"),
    [
        ("zeros", True, 0.5, 3.0, 2.0),  # (0.5 + 1) / 2 * 4 of 5 pixels
        ("border", False, 0.5, 3.25, 2.5),  # ((0.5 + 1) * 5 - 1) / 2
        ("border", False, 0.9, 4.0, 0.0),  # 4.25 and beyond is the last pixel
        ("border", False, -1.0, 0.0, 0.0),
        ("border", True, 1.0, 4.0, 0.0),  # on the last pixel the slope is 0 already
        ("reflection", False, 1.5, 3.25, -2.5),  # 5.75, mirrored at 4.5
        ("reflection", False, -2.0, 2.0, -2.5),  # -3, mirrored at -0.5
        ("reflection", False, 3.0, 0.0, 0.0),  # 9.5, mirrored at 4.5: at the mirror on the other side, held by the border
        ("reflection", False, 3.5, 0.75, 2.5),  # 10.75, mirrored at 4.5 and at -0.5
        ("reflection", True, 1.5, 3.0, -2.0),  # 5, mirrored at 4
        ("reflection", True, 4.5, 3.0, 2.0),  # 11, mirrored at 4, at 0 and at 4
    ],
)
def test_coordinates_by_hand(padding, corners, g, place, slope, algorithm):
    grid = np.array([[[[g, 0]]]])
    indices, fractions, slopes = grid_sample.locate(grid, (1, 5), "bilinear", padding, corners, algorithm=algorithm)
    assert indices[0, 0, 0, 0] + fractions[0, 0, 0, 0] == place
    assert slopes[0, 0, 0, 0] == slope


@ALL
@pytest.mark.spec("grid_sample.nearest")
def test_nearest_rounds_half_to_even_and_has_no_slope(algorithm):
    places = np.array([-0.75, -0.5, -0.25, 0.5, 1.5, 2.5, 3.49])  # of 4 pixels
    grid = np.zeros((1, 1, 7, 2))
    grid[..., 0] = (2 * places + 1) / 4 - 1
    indices, fractions, slopes = grid_sample.locate(grid, (1, 4), "nearest", "zeros", False, algorithm=algorithm)
    assert indices.reshape(-1).tolist() == [4, 0, 0, 0, 2, 2, 3]  # 4: outside
    assert not fractions.any()
    assert not slopes.any()


@ALL
@pytest.mark.spec("grid_sample.nonfinite")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_points_that_are_not_finite_reach_no_pixel_that_is_not_there(mode, dtype, algorithm):
    huge = float(np.finfo(dtype).max)
    grid = np.array([[[[value, 0.5] for value in (*NOT_FINITE, huge, -huge)]]], dtype)
    first = {"zeros": [12] * 5, "border": [8, 11, 8, 11, 8], "reflection": [8, 8, 8, None, None]}
    for padding, corners in [(padding, corners) for padding in PADDINGS for corners in (False, True)]:
        indices, fractions, slopes = grid_sample.locate(grid, (3, 4), mode, padding, corners, algorithm=algorithm)
        assert indices.min() >= 0
        assert indices.max() <= 12
        assert ((fractions >= 0) & (fractions < 1)).all()
        assert not slopes[0, 0, : 3 if padding == "reflection" else 5, 0].any()
        if not corners:  # y = 0.5 is row 1.75: its lower tap is in row 2, and so is the nearest
            lower = indices[0, 0, :, -2 if mode == "bilinear" else 0].tolist()
            assert all(want in (None, got) for got, want in zip(lower, first[padding]))


@pytest.mark.proves("grid_sample", "reference", "cpu")
@pytest.mark.parametrize("options", OPTIONS)
@given(points(), st.booleans(), st.integers(0, 2**16))
def test_the_taps_are_those_of_the_loops(options, case, tamper, seed):
    mode, padding, corners = options
    grid = case.grid.copy()
    if tamper:
        rng = np.random.default_rng(seed)
        grid += rng.standard_normal(grid.shape).astype(grid.dtype) / 7
        far = rng.choice(np.array([*NOT_FINITE, 3e38, -1e30, 1e9, 1e-30], grid.dtype), grid.shape)
        grid = np.where(rng.random(grid.shape) < 0.2, far, grid)
    with np.errstate(all="ignore"):
        taps = 4 if mode == "bilinear" else 1
        want = reference.locate(grid, case.x.shape[2:], taps, PADDING_MODES[padding], corners)
    assert_same_bits(locate(case.x, grid, *options), want)
    for algorithm in ("cuda", "reference"):
        assert_same_bits(locate(case.x, grid, *options, algorithm=algorithm), want)


def drawn(case, mode, seed):
    """Return the indices of a case and weights of small integers."""
    indices, _, _ = locate(case.x, case.grid, mode)
    return indices, np.random.default_rng(seed).integers(-8, 9, indices.shape).astype(case.x.dtype)


@pytest.mark.proves("grid_sample", "reference", "cpu", "adjoint")
@pytest.mark.spec("grid_sample.contractions", "grid_sample.shapes")
@given(points(), st.sampled_from(["bilinear", "nearest"]), st.integers(0, 2**16))
def test_contractions_are_exact_on_integers_and_adjoint(case, mode, seed):
    x, _, grad_output = case
    indices, weights = drawn(case, mode, seed)
    size = x.shape[2:]
    out = grid_sample.forward(x, indices, weights)
    grad_input = grid_sample.backward_input(grad_output, indices, weights, size)
    grad_weights = grid_sample.backward_weights(grad_output, x, indices)
    np.testing.assert_array_equal(out, reference.forward(x, indices, weights))
    np.testing.assert_array_equal(grad_input, reference.backward_input(grad_output, indices, weights, size))
    np.testing.assert_array_equal(grad_weights, reference.backward_weights(grad_output, x, indices))
    assert np.vdot(out, grad_output) == np.vdot(x, grad_input) == np.vdot(weights, grad_weights)  # below 2**24: exact
    for name, got, arguments in (
        ("forward", out, (x, indices, weights)),
        ("backward_input", grad_input, (grad_output, indices, weights, size)),
        ("backward_weights", grad_weights, (grad_output, x, indices)),
    ):
        for algorithm in ("cuda", "reference"):
            np.testing.assert_array_equal(getattr(grid_sample, name)(*arguments, algorithm=algorithm), got)


@pytest.mark.proves("grid_sample", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
@given(points(np.float64, least=1), st.integers(0, 2**16))
def test_sums_stay_within_the_rounding_bound(dtype, case, seed):
    rng = np.random.default_rng(seed)
    indices, weights = drawn(case, "bilinear", seed)
    x, weights, grad = (
        (rng.standard_normal(a.shape) * 10.0 ** rng.integers(-6, 6, a.shape)).astype(dtype)
        for a in (case.x, weights, case.grad_output)
    )
    wide, wide_weights, wide_grad = (array.astype(np.float64) for array in (x, weights, grad))
    points = indices.shape[1] * indices.shape[2]
    forward, backward = (x, indices, weights), (grad, indices, weights, x.shape[2:])
    for name, arguments in (("forward", forward), ("backward_input", backward), ("backward_weights", (grad, x, indices))):
        loops, cuda = (getattr(grid_sample, name)(*arguments, algorithm=a) for a in ("reference", "cuda"))
        assert_same_bits(cuda, loops)
    for terms, got, want, size in (
        (
            4,
            grid_sample.forward(x, indices, weights),
            reference.forward(wide, indices, wide_weights),
            reference.forward(abs(wide), indices, abs(wide_weights)),
        ),
        (
            4 * points,
            grid_sample.backward_input(grad, indices, weights, x.shape[2:]),
            reference.backward_input(wide_grad, indices, wide_weights, x.shape[2:]),
            reference.backward_input(abs(wide_grad), indices, abs(wide_weights), x.shape[2:]),
        ),
        (
            x.shape[1],
            grid_sample.backward_weights(grad, x, indices),
            reference.backward_weights(wide_grad, wide, indices),
            reference.backward_weights(abs(wide_grad), abs(wide), indices),
        ),
    ):
        bound = (gamma(terms, dtype) + gamma(terms, np.float64)) * size + smallest(terms, dtype)
        assert_within(got, want, bound, f"{terms} terms")


@pytest.mark.proves("grid_sample", "complex step")
@given(points(np.float64, least=1), st.integers(0, 2**16))
def test_the_contractions_equal_the_complex_step(case, seed):
    indices, weights = drawn(case, "bilinear", seed)

    def gradients(grad, x, weights):
        grad_input = grid_sample.backward_input(grad, indices, weights, x.shape[2:])
        return grad_input, grid_sample.backward_weights(grad, x, indices)

    forward = lambda x, weights: reference.forward(x, indices, weights)  # noqa: E731
    assert_complex_step(forward, gradients, [case.x, weights], np.random.default_rng(seed))


@ALL
@pytest.mark.spec("grid_sample.taps")
def test_a_tap_outside_is_neither_read_nor_multiplied(algorithm):
    x = np.full((1, 1, 2, 2), np.inf, np.float32)
    indices = np.full((1, 1, 2, 4), 4, np.int64)
    indices[0, 0, 1, 0] = 1
    weights = np.array([[[[np.nan] * 4, [0.5, np.nan, np.inf, -np.inf]]]], np.float32)
    grad = np.full((1, 1, 1, 2), np.nan, np.float32)
    assert grid_sample.forward(x, indices, weights, algorithm=algorithm).tolist() == [[[[0, np.inf]]]]
    grad_weights = grid_sample.backward_weights(grad, x, indices, algorithm=algorithm)
    assert not grad_weights[0, 0, 0].any()
    assert not grad_weights[0, 0, 1, 1:].any()
    grad_input = grid_sample.backward_input(grad, indices, weights, 2, algorithm=algorithm)
    assert np.isnan(grad_input).reshape(-1).tolist() == [False, True, False, False]


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_channels_sampled_together_do_not_meet(mode):
    """Some are sampled at once, those that are left one by one: with the same bits, and no tap outside."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((2, 11, 6, 5)).astype(np.float32)
    grid = rng.uniform(-1.5, 1.5, (2, 23, 25, 2)).astype(np.float32)  # 575 points: more than one segment
    indices, fractions, _ = locate(x, grid, mode)
    weights = grid_sample.weights(fractions, indices.shape[3])
    out = grid_sample.forward(x, indices, np.where(indices == 30, np.float32(np.nan), weights))
    for k in range(11):
        assert_same_bits(grid_sample.forward(np.ascontiguousarray(x[:, k : k + 1]), indices, weights), out[:, k : k + 1])


def test_weights_by_hand():
    fractions = np.array([[[[0.25, 0.5], [0, 0.125]]]], np.float32)
    want = [[[[0.375, 0.125, 0.375, 0.125], [0.875, 0, 0.125, 0]]]]
    assert grid_sample.weights(fractions, 4).tolist() == want
    assert grid_sample.weights(fractions, 1).tolist() == [[[[1], [1]]]]


@pytest.mark.proves("grid_sample", "determinism")
@pytest.mark.spec("grid_sample.order")
@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_promises(monkeypatch, mode):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 3, 9, 7)).astype(np.float32), rng.standard_normal((2, 3, 24, 25)).astype(np.float32)
    grid = rng.uniform(-1.3, 1.3, (2, 24, 25, 2)).astype(np.float32)  # 600 points: more than one segment
    assert_promises(monkeypatch, lambda grid: locate(x, grid, mode, "reflection"), grid)
    indices = locate(x, grid, mode)[0]
    weights = rng.standard_normal(indices.shape).astype(np.float32)
    assert_promises(monkeypatch, grid_sample.forward, x, indices, weights)
    backward_input = lambda *arrays: grid_sample.backward_input(*arrays, (9, 7))  # noqa: E731
    assert_promises(monkeypatch, backward_input, grad, indices, weights)
    assert_promises(monkeypatch, grid_sample.backward_weights, grad, x, indices)
    for b in range(2):  # one image of a batch has the bits of the batch
        alone = grid_sample.forward(x[b : b + 1], indices[b : b + 1], weights[b : b + 1])
        assert_same_bits(alone, grid_sample.forward(x, indices, weights)[b : b + 1])
