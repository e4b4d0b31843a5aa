"""Resizing: which pixels are read, with what weights, and the adjoint."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg_kernels import _memory, resize
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.resize import direct, reference, tables

DTYPES = [np.float32, np.float64]
SIDES = st.integers(1, 9)
SIZES = st.tuples(SIDES, SIDES)
BATCHES = st.sampled_from([2, 1, 0])


def torch_resize(x, size, mode, align_corners=False, factors=None):
    options = {"scale_factor": factors} if factors else {"size": size}
    corners = align_corners if mode == "bilinear" else None
    return torch.nn.functional.interpolate(x, **options, mode=mode, align_corners=corners)


def bilinear_tables(in_size, out_size, align_corners, dtype, scale=(None, None)):
    axes = zip(in_size, out_size, scale)
    return tuple(tables.bilinear(old, new, align_corners, step, dtype) for old, new, step in axes)


@pytest.mark.spec("interpolate.bilinear", "interpolate.nearest", "interpolate.nearest-exact", "interpolate.scale")
def test_by_hand():
    x = np.array([[[[0, 4], [8, 12]]]], np.float32)
    assert resize.forward(x, 4, "nearest").tolist() == [[[[0, 0, 4, 4], [0, 0, 4, 4], [8, 8, 12, 12], [8, 8, 12, 12]]]]
    # sources along an axis: -0.25 -> 0, 0.25, 0.75, 1.25 (beyond the last pixel, so the last pixel)
    row = [0, 1, 3, 4]
    assert resize.forward(x, 4, "bilinear").tolist() == [[[[value + step for value in row] for step in (0, 2, 6, 8)]]]
    assert resize.forward(x, 3, "bilinear", align_corners=True).tolist() == [[[[0, 2, 4], [4, 6, 8], [8, 10, 12]]]]
    assert resize.forward(x, 1, "bilinear", align_corners=True).item() == 0  # one pixel is the first
    assert resize.forward(x, 1, "bilinear").item() == 6
    five = np.arange(5, dtype=np.float32).reshape(1, 1, 1, 5)
    assert resize.forward(five, (1, 2), "nearest").ravel().tolist() == [0, 2]
    assert resize.forward(five, (1, 2), "nearest-exact").ravel().tolist() == [1, 3]


def test_gradient_by_hand():
    grad = np.array([[[[1, 2, 3, 4]]]], np.float32)
    assert resize.backward(grad, (1, 2), "nearest").ravel().tolist() == [3, 7]
    # weights of the two pixels at the sources 0, 0.25, 0.75, 1.25: (1, 0), (3/4, 1/4), (1/4, 3/4), (0, 1)
    assert resize.backward(grad, (1, 2), "bilinear").ravel().tolist() == [3.25, 6.75]


ONE: Any = 1  # where a flag or a pair belongs
TEXT: Any = "1"
X = np.zeros((1, 2, 3, 4), np.float32)


@pytest.mark.proves("interpolate", "bad input")
@pytest.mark.spec("interpolate.size")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: resize.forward(X[0], 2, "nearest"), ShapeError, r"resize: x: expected shape \(N, C, H, W\)"),
        (lambda: resize.forward(X.astype(np.uint8), 2, "nearest"), DTypeError, "x: expected float32 or float64, got uint8"),
        (lambda: resize.forward(X[:, :, :0], 2, "nearest"), ShapeError, "x: expected at least 1 along H"),
        (lambda: resize.forward(X, 0, "nearest"), ArgumentError, "size: expected at least 1, got 0"),
        (lambda: resize.forward(X, 1.5, "nearest"), ArgumentTypeError, "size: expected an int, got 1.5"),
        (lambda: resize.forward(X, 2, "cubic"), ArgumentError, "mode: expected one of .*, got 'cubic'"),
        (lambda: resize.forward(X, 2, "nearest", True), ArgumentError, "align_corners: expected False with mode 'nearest'"),
        (lambda: resize.forward(X, 2, "bilinear", ONE), ArgumentTypeError, "align_corners: expected a bool, got 1"),
        (lambda: resize.forward(X, 2, "nearest", compat="tf"), ArgumentError, "compat: expected 'exact' or 'torch', got 'tf'"),
        (
            lambda: resize.forward(X, 2, "bilinear", compat="torch"),
            ArgumentError,
            "compat: expected 'exact' with mode",
        ),
        (lambda: resize.forward(X, 2, "bilinear", scale=ONE), ArgumentError, "scale: expected None or a pair"),
        (lambda: resize.forward(X, 2, "bilinear", scale=(0.5, 0)), ArgumentError, "scale: expected numbers greater than 0"),
        (lambda: resize.forward(X, 2, "bilinear", scale=(0.5, np.inf)), ArgumentError, "scale: expected a finite number"),
        (
            lambda: resize.forward(X, 2, "bilinear", scale=(0.5, TEXT)),
            ArgumentTypeError,
            "scale: expected a real number, got '1'",
        ),
        (lambda: resize.forward(X, 2, "bilinear", algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: resize.backward(X, (0, 1), "nearest"), ArgumentError, "input_size: expected at least 1, got 0"),
        (lambda: resize.backward(X[..., 0], 1, "nearest"), ShapeError, r"grad_output: expected shape \(N, C, out_h, out_w\)"),
        (lambda: resize.backward(X[..., :0], 1, "nearest"), ShapeError, "grad_output: expected at least 1 along W"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 31)
    with pytest.raises(MemoryError, match="resize: out: expected at most 31 bytes, got 32 bytes"):
        resize.forward(X, 2, "nearest")


def test_tables_longer_than_the_output_must_fit_too(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 4000)
    with pytest.raises(MemoryError, match=r"resize: out: .* for shape \(106, 12\)"):
        resize.forward(np.zeros((0, 1, 2, 3)), (100, 1), "bilinear")


@pytest.mark.proves("interpolate", "reference", "adjoint", "torch")
@pytest.mark.spec("interpolate.nearest", "interpolate.nearest-exact")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("compat", ["exact", "torch"])
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
@given(SIZES, SIZES, BATCHES)
def test_nearest_copies_and_its_adjoint_adds(dtype, compat, mode, in_size, out_size, batch):
    rng = np.random.default_rng(sum(in_size) + 100 * sum(out_size))
    x = rng.choice(np.array([np.nan, np.inf, -0.0, 1, 2]), (batch, 2, *in_size)).astype(dtype)
    out = resize.forward(x, out_size, mode, compat=compat)
    centre = 0.5 if mode == "nearest-exact" else 0.0
    exact = tables.nearest_exact if centre else tables.nearest
    rows, columns = (
        tables.nearest_float32(old, new, None, centre) if compat == "torch" else exact(old, new)
        for old, new in zip(in_size, out_size)
    )
    assert_same_bits(out, np.ascontiguousarray(x[:, :, rows[:, None], columns]))
    assert_same_bits(out, reference.forward_nearest(x, rows, columns))
    assert_same_bits(resize.forward(x, out_size, mode, compat=compat, algorithm="cuda"), out)
    if compat == "torch" and batch:
        np.testing.assert_array_equal(out, torch_resize(torch.from_numpy(x), out_size, mode))
    x, grad_output = (rng.integers(-8, 9, shape).astype(dtype) for shape in (x.shape, out.shape))
    grad_input = resize.backward(grad_output, in_size, mode, compat=compat)
    np.testing.assert_array_equal(grad_input, reference.backward_nearest(grad_output, in_size, rows, columns))
    assert_same_bits(resize.backward(grad_output, in_size, mode, compat=compat, algorithm="cuda"), grad_input)
    assert np.vdot(grad_input, x) == np.vdot(grad_output, resize.forward(x, out_size, mode, compat=compat))


@pytest.mark.proves("interpolate", "reference", "torch", "bound")
@pytest.mark.spec("interpolate.bilinear", "interpolate.coordinates")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("align_corners", [False, True])
@given(SIZES, SIZES, BATCHES, st.integers(0, 2**16))
def test_bilinear_equals_loops_and_torch_within_the_rounding_bound(dtype, align_corners, in_size, out_size, batch, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, 2, *in_size)).astype(dtype)
    rows, columns = bilinear_tables(in_size, out_size, align_corners, dtype)
    out = resize.forward(x, out_size, "bilinear", align_corners)
    loops = reference.forward_bilinear(x, rows, columns)
    assert_same_bits(out, loops)
    assert_same_bits(resize.forward(x, out_size, "bilinear", align_corners, algorithm="cuda"), loops)
    grad_output = rng.standard_normal(out.shape).astype(dtype)
    grad_input = resize.backward(grad_output, in_size, "bilinear", align_corners)
    doubles = bilinear_tables(in_size, out_size, align_corners, dtype)  # the same weights, rounded to dtype
    want = reference.backward_bilinear(grad_output.astype(np.float64), in_size, *doubles)
    sums = 4 * out_size[0] * out_size[1] + 4  # at most so many products meet in one pixel, with weights of at most 1
    size = np.abs(grad_output, dtype=np.float64).sum()
    bound = 2 * gamma(sums, np.float64) * size + gamma(1, dtype) * np.abs(want) + smallest(1, dtype)
    assert_within(grad_input, want, bound, "backward loops")
    loops = reference.backward_bilinear(grad_output, in_size, rows, columns)
    assert_same_bits(resize.backward(grad_output, in_size, "bilinear", align_corners, algorithm="cuda"), loops)
    if batch:
        # A weight has its coordinate's rounding (a few u of the side, on both sides) and its own; then come 2 products, 2 sums.
        terms = 10 + 4 * max(*in_size, *out_size)
        leaf = torch.from_numpy(x.astype(np.float64)).requires_grad_()
        want = torch_resize(leaf, out_size, "bilinear", align_corners)
        want_grad = torch.autograd.grad(want, leaf, torch.from_numpy(grad_output.astype(np.float64)))[0].numpy()
        bound = (gamma(terms, np.float64) + gamma(8, dtype)) * 4 * np.abs(x).max()
        assert_within(out, want.detach().numpy(), bound, "torch")
        bound = (gamma(terms + sums, np.float64) + gamma(8, dtype)) * 4 * size
        assert_within(grad_input, want_grad, bound, "backward torch")


LONG = [((3, 40), (6, 80)), ((2, 33), (5, 50)), ((9, 70), (4, 23)), ((3, 2), (3, 4)), ((4, 1), (8, 2)), ((3, 40), (7, 41))]


@pytest.mark.proves("interpolate", "reference", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("in_size", "out_size"), LONG)
@pytest.mark.parametrize(
    "options",
    [{"mode": "nearest"}, {"mode": "nearest-exact"}, {"mode": "bilinear"}, {"mode": "bilinear", "align_corners": True}],
    ids=str,
)
@pytest.mark.parametrize("scale", [None, (0.5, 0.5), (0.7, 40.0)])
def test_rows_of_several_vectors_are_read_as_the_loops_do(monkeypatch, dtype, in_size, out_size, options, scale):
    rng, options = np.random.default_rng(0), {**options, "scale": scale}
    x = rng.choice(np.array([np.inf, -0.0, 1, 0.3, -7]), (2, 3, *in_size), p=[0.01, 0.3, 0.3, 0.19, 0.2]).astype(dtype)
    want = resize.forward(x, out_size, **options, algorithm="reference")
    assert_same_bits(resize.forward(x, out_size, **options), want)
    assert_promises(monkeypatch, lambda x: resize.forward(x, out_size, **options), x)
    grad = rng.choice(np.array([-0.0, 1, 0.3, -7]), want.shape).astype(dtype)
    got = resize.backward(grad, in_size, **options)
    want = resize.backward(grad.astype(np.float64), in_size, **options, algorithm="reference")
    np.testing.assert_allclose(got, want, rtol=8 * unit_roundoff(dtype), atol=4000 * unit_roundoff(dtype))
    assert not np.signbit(got[got == 0]).any()
    assert_promises(monkeypatch, lambda grad: resize.backward(grad, in_size, **options), grad)


def test_pixels_of_fewer_outputs_than_their_neighbours_see_no_infinity_of_others():
    grad = np.array([[[[np.inf, 1, 2, 3, 4, 5, 6, 7]]]], np.float32)  # outputs of a pixel: 2, 1, 2, 1, 2
    want = resize.backward(grad, (1, 5), "nearest", algorithm="reference")
    assert np.isfinite(want[..., 1:]).all()
    assert_same_bits(resize.backward(grad, (1, 5), "nearest"), want)


@pytest.mark.proves("interpolate", "adjoint")
@pytest.mark.spec("interpolate.bilinear")
@pytest.mark.parametrize("dtype", DTYPES)
@given(SIZES, st.tuples(st.sampled_from([0.5, 2.0, 4.0]), st.sampled_from([1.0, 2.0, 8.0])))
def test_factors_of_two_are_exact_on_integers_and_adjoint(dtype, half, factors):
    in_size = 2 * half[0], 2 * half[1]
    out_size = int(in_size[0] * factors[0]), int(in_size[1] * factors[1])
    rng = np.random.default_rng(sum(out_size))
    x = rng.integers(-8, 9, (2, 2, *in_size)).astype(dtype)
    out = resize.forward(x, out_size, "bilinear")
    leaf = torch.from_numpy(x).requires_grad_()
    want = torch_resize(leaf, out_size, "bilinear")
    np.testing.assert_array_equal(out, want.detach())
    grad_output = rng.integers(-8, 9, out.shape).astype(dtype)
    grad_input = resize.backward(grad_output, in_size, "bilinear")
    want.backward(torch.from_numpy(grad_output))
    np.testing.assert_array_equal(grad_input, leaf.grad)
    assert np.vdot(out, grad_output) == np.vdot(x, grad_input)


@pytest.mark.spec("interpolate.scale")
def test_an_axis_that_keeps_its_size_is_copied():
    x = np.random.default_rng(0).choice(np.array([-0.0, 1, 2, 3], np.float32), (2, 2, 5, 4))
    for mode in ("nearest", "bilinear"):
        assert_same_bits(resize.forward(x, (5, 4), mode, scale=(0.9, 0.8)), x)
    assert_same_bits(resize.forward(x, (5, 4), "nearest-exact"), x)
    assert_same_bits(resize.forward(x, (5, 4), "bilinear", align_corners=True), x)
    wide = torch_resize(torch.from_numpy(x), None, "bilinear", factors=(1.1, 2.0))  # 5 rows stay 5
    np.testing.assert_array_equal(resize.forward(x, (5, 8), "bilinear", scale=(1 / 1.1, 0.5)), wide)


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
@given(SIZES, SIZES, st.tuples(*[st.sampled_from([0.1, 0.5, 0.9, 1.7, 40.0])] * 2))
def test_a_given_scale_reads_what_the_loops_read(mode, in_size, out_size, scale):
    """A scale that is too large leads beyond the last pixel, and one that is too small leaves pixels that nobody reads."""
    rng = np.random.default_rng(0)
    x, grad_output = (rng.standard_normal((1, 2, *size)) for size in (in_size, out_size))
    for algorithm in ("direct", "cuda"):
        out = resize.forward(x, out_size, mode, scale=scale, algorithm=algorithm)
        assert_same_bits(out, resize.forward(x, out_size, mode, scale=scale, algorithm="reference"))
    back = resize.backward(grad_output, in_size, mode, scale=scale, algorithm="cuda")
    assert_same_bits(back, resize.backward(grad_output, in_size, mode, scale=scale, algorithm="reference"))


@pytest.mark.spec("interpolate.bilinear", "all.nonfinite")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_all_four_terms_are_evaluated(algorithm):
    spike = np.array([[[[1, 1, 1], [1, np.inf, 1], [1, 1, 1]]]], np.float32)  # 0 * inf: a neighbour of weight 0 gives NaN
    got = resize.forward(spike, 5, "bilinear", True, algorithm=algorithm)
    assert np.isnan(got[0, 0, :4, 0]).all()
    np.testing.assert_array_equal(got, torch_resize(torch.from_numpy(spike), 5, "bilinear", align_corners=True))
    grad = np.zeros((1, 1, 5, 5), np.float32)
    grad[0, 0, 0, 0] = np.inf
    assert np.isnan(resize.backward(grad, 3, "bilinear", True, algorithm=algorithm)[0, 0, 1, 1])


@pytest.mark.proves("interpolate", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("mode", "options"), [("nearest", {}), ("bilinear", {}), ("bilinear", {"align_corners": True})])
def test_promises(monkeypatch, dtype, mode, options):
    rng = np.random.default_rng(0)
    x, grad_output = rng.standard_normal((2, 3, 5, 7)).astype(dtype), rng.standard_normal((2, 3, 13, 4)).astype(dtype)
    assert_promises(monkeypatch, lambda x: resize.forward(x, (13, 4), mode, **options), x)
    assert_promises(monkeypatch, lambda grad: resize.backward(grad, (5, 7), mode, **options), grad_output)


@pytest.mark.parametrize(("mode", "backward"), [("nearest", False), ("bilinear", False), ("bilinear", True)])
def test_a_row_never_leans_on_one_of_another_portion(monkeypatch, mode, backward):
    def backwards(kernel, tasks, *args, work):
        args[1].fill(np.nan)  # the output: what no task has written yet must not be read
        for task in reversed(range(tasks)):
            kernel(task, task + 1, *args)

    x = np.random.default_rng(0).standard_normal((2, 2, 3, 4)).astype(np.float32)
    resized = resize.backward if backward else resize.forward
    want = resized(x, (9, 8), mode)
    monkeypatch.setattr(direct, "launch", backwards)
    assert_same_bits(resized(x, (9, 8), mode), want)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 2, 3, 4)).astype(np.float32), rng.standard_normal((2, 2, 5, 3)).astype(np.float32)
    rows, columns = bilinear_tables((3, 4), (5, 3), False, np.float32)
    assert_same_bits(resize.forward(x, (5, 3), "bilinear", algorithm="reference"), reference.forward_bilinear(x, rows, columns))
    want = reference.backward_bilinear(grad, (3, 4), rows, columns)
    assert_same_bits(resize.backward(grad, (3, 4), "bilinear", algorithm="reference"), want)
    rows, columns = tables.nearest(3, 5), tables.nearest(4, 3)
    assert_same_bits(resize.forward(x, (5, 3), "nearest", algorithm="reference"), reference.forward_nearest(x, rows, columns))
    want = reference.backward_nearest(grad, (3, 4), rows, columns)
    assert_same_bits(resize.backward(grad, (3, 4), "nearest", algorithm="reference"), want)


def test_transposed_planes_give_transposed_values():
    x = np.random.default_rng(0).standard_normal((1, 2, 5, 8))
    for mode in ("nearest", "nearest-exact"):
        out = resize.forward(x, (7, 3), mode)
        assert_same_bits(resize.forward(x.swapaxes(2, 3), (3, 7), mode).swapaxes(2, 3), out)
