"""Cross entropy with class ids: its loops, both fast forms, PyTorch, and numbers by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, unit_roundoff
from complex_step import assert_complex_step
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels import _memory, cross_entropy
from rawseg_kernels.cross_entropy import _shares, direct, reference

NONE = np.empty(0)
X, IDS = np.zeros((1, 2, 3), np.float32), np.zeros((1, 3), np.int64)
KEPT, SHARP = IDS == 0, np.ones((1, 3))
CALL = X, IDS, KEPT, SHARP, NONE


@pytest.mark.parametrize("algorithm", ["reference", "cuda", *cross_entropy.ALGORITHMS])
def test_numbers_by_hand(algorithm):
    x = np.log(np.array([[[1.0, 1, 5], [3, 1, 5]]]))  # odds 1:3, 1:1, and a pixel that does not count
    target, kept = np.array([[1, 0, 0]]), np.array([[True, True, False]])
    sharp, smooth = np.array([[1.0, 2, 1]]), np.array([0.5, 0.0])
    losses, shifts = cross_entropy.forward(x, target, kept, sharp, smooth, algorithm)
    np.testing.assert_allclose(losses, [[np.log(4 / 3) + 0.5 * np.log(4), 2.5 * np.log(2), 0]], rtol=1e-15)
    np.testing.assert_allclose(shifts, [[np.log(4), np.log(2), np.log(10)]], rtol=1e-15)
    g = np.array([[2.0, 1, 1]])
    grad = cross_entropy.backward(g, x, shifts, target, kept, sharp, smooth, algorithm)
    np.testing.assert_allclose(grad, [[[2 * (1.5 / 4 - 0.5), 1.25 - 2.5, 0], [2 * (4.5 / 4 - 1), 1.25, 0]]], rtol=1e-14)


@st.composite
def cases(draw):
    """Few and many classes and pixels, none at all, single pixels; shares that are 0, and pixels that do not count."""
    n, classes, pixels = (draw(st.sampled_from(sizes)) for sizes in ((1, 2, 5, 0), (1, 2, 3, 20), (1, 4, 33, 0)))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    x = (rng.standard_normal((n, classes, pixels)) * draw(st.sampled_from([1, 30]))).astype(dtype)
    target, kept = rng.integers(0, classes, (n, pixels)), rng.random((n, pixels)) < draw(st.sampled_from([0.0, 0.7, 1.0]))
    sharp = rng.uniform(0, 2, (n, pixels)) * (rng.random((n, pixels)) < 0.9)
    smooth = rng.uniform(0, 1, classes) if draw(st.booleans()) else NONE
    return rng.standard_normal((n, pixels)).astype(dtype), x, target, kept, sharp, smooth


@pytest.mark.proves("cross_entropy", "reference", "bound")
@given(cases(), st.sampled_from(["direct", "expressions", "cuda"]))
def test_both_forms_agree_with_the_loops_within_the_rounding_bound(case, algorithm):
    grad_output, x, target, kept, sharp, smooth = case
    classes = x.shape[1]
    once = 0 if x.dtype == np.float64 else 2 * unit_roundoff(x.dtype)  # either side rounds to float32 once
    want, shifts = cross_entropy.forward(x, target, kept, sharp, smooth, "reference")
    got, got_shifts = cross_entropy.forward(x, target, kept, sharp, smooth, algorithm)
    # The shift: classes + 8 roundings beside the largest logit; the loss: as many of each of its terms.
    reach = 2 * abs(x).max(1, initial=0).astype(np.float64) + np.log(classes)
    short = 2.0**-35 if x.dtype == np.float32 and algorithm == "direct" else 0  # the error of an exponential
    error = 2 * gamma(classes + 8, np.float64)
    assert_within(got_shifts, shifts, error * reach + short + 1e-300, "shift")
    assert_within(got, want, once * abs(want) + 2 * (error * reach + short) * (sharp + smooth.sum()) + 1e-300, "loss")
    grad = cross_entropy.backward(grad_output, x, shifts, target, kept, sharp, smooth, algorithm)
    want = cross_entropy.backward(grad_output, x, shifts, target, kept, sharp, smooth, "reference")
    share = (sharp + smooth.sum())[:, None] + (smooth.max(initial=0) if smooth.size else 0)
    size = abs(grad_output)[:, None] * share * 2  # e**(x - shift) is at most 1
    assert_within(grad, want, once * abs(want) + (error + short) * size, "gradient")


@pytest.mark.proves("cross_entropy", "torch")
@given(cases())
def test_losses_and_gradients_equal_pytorch(case):
    grad_output, x, target, kept, _, _ = case
    if 0 in x.shape:
        return  # PyTorch's CPU form wants at least one
    x64 = torch.tensor(x.astype(np.float64), requires_grad=True)
    ids = torch.tensor(np.where(kept, target, -100))
    want = torch.nn.functional.cross_entropy(x64, ids, reduction="none")
    want.backward(torch.tensor(grad_output.astype(np.float64)))
    sharp = np.ones(target.shape)
    losses, shifts = cross_entropy.forward(x, target, kept, sharp, NONE)
    grad = cross_entropy.backward(grad_output, x, shifts, target, kept, sharp, NONE)
    once, error = 2 * unit_roundoff(x.dtype), 4 * gamma(x.shape[1] + 8, np.float64)
    error += 2.0**-35 if x.dtype == np.float32 else 0  # of an exponential
    reach = 2 * abs(x).max(1).astype(np.float64) + np.log(x.shape[1])
    assert_within(losses, want.detach().numpy(), once * abs(losses) + error * reach)
    assert_within(grad, x64.grad.numpy(), once * abs(grad) + error * (1 + reach)[:, None] * abs(grad_output)[:, None])


@pytest.mark.parametrize("algorithm", ["reference", "cuda", *cross_entropy.ALGORITHMS])
def test_infinite_and_missing_logits(algorithm):
    inf, nan = np.inf, np.nan
    x = np.array([[[0.0, inf, nan, -inf, nan], [-inf, 0, 0, -inf, 0]]])
    target, kept = np.array([[1, 0, 1, 0, 0]]), np.array([[True, True, True, True, False]])
    losses, shifts = cross_entropy.forward(x, target, kept, np.ones((1, 5)), NONE, algorithm)
    np.testing.assert_array_equal(losses, [[inf, nan, nan, nan, 0]])
    grad = cross_entropy.backward(np.ones((1, 5)), x, shifts, target, kept, np.ones((1, 5)), NONE, algorithm)
    np.testing.assert_array_equal(grad[0, :, [0, 4]], [[1, -1], [0, 0]])
    assert np.isnan(grad[0, :, 1:4]).any(0).all()


@pytest.mark.parametrize("algorithm", ["reference", "cuda", *cross_entropy.ALGORITHMS])
def test_logits_whose_exponentials_overflow(algorithm):
    x = np.array([[[0.0, 3000.0], [2000.0, 2999.0]]])
    losses, shifts = cross_entropy.forward(x, np.zeros((1, 2), int), np.ones((1, 2), bool), np.ones((1, 2)), NONE, algorithm)
    np.testing.assert_allclose(shifts, [[2000, 3000 + np.log1p(np.exp(-1))]], rtol=1e-15)
    np.testing.assert_allclose(losses, [[2000, np.log1p(np.exp(-1))]], rtol=1e-12)


@pytest.mark.proves("cross_entropy", "determinism")
def test_a_strip_is_a_matter_of_speed_alone(monkeypatch):
    rng = np.random.default_rng(0)
    x, target = rng.standard_normal((2, 40, 37)).astype(np.float32), rng.integers(0, 40, (2, 37))
    rest = target, rng.random((2, 37)) < 0.8, rng.random((2, 37)), rng.random(40)
    g = rng.standard_normal((2, 37)).astype(np.float32)
    want = direct.forward(x, *rest)
    grad = direct.backward(g, x, want[1], *rest)
    for length in (1, 5, 16):
        monkeypatch.setattr(direct, "LONGEST", length)
        assert_same_bits(direct.forward(x, *rest), want)
        assert_same_bits(direct.backward(g, x, want[1], *rest), grad)


def test_single_pixels_of_a_batch_have_the_bits_of_pixels_of_an_image():
    rng = np.random.default_rng(1)
    x, target, g = rng.standard_normal((9, 11, 1)), rng.integers(0, 11, (9, 1)), rng.standard_normal((9, 1))
    rest = target, np.ones((9, 1), bool), rng.random((9, 1)), rng.random(11)
    flat = rest[0].T.copy(), rest[1].T.copy(), rest[2].T.copy(), rest[3]
    image = np.ascontiguousarray(x[:, :, 0].T)[None]
    losses, shifts = cross_entropy.forward(x, *rest)
    assert_same_bits((losses.T.copy(), shifts.T.copy()), cross_entropy.forward(image, *flat))
    grad = cross_entropy.backward(g, x, shifts, *rest)
    assert_same_bits(
        np.ascontiguousarray(grad[:, :, 0].T)[None], cross_entropy.backward(g.T.copy(), image, shifts.T.copy(), *flat)
    )


@pytest.mark.parametrize("algorithm", ["reference", "cuda", *cross_entropy.ALGORITHMS])
@pytest.mark.parametrize("shape", [(9, 11, 1), (2, 3, 40), (0, 2, 3), (1, 2, 1)])
def test_one_gradient_may_be_that_of_all_pixels(shape, algorithm):
    rng = np.random.default_rng(2)
    x, pixels = rng.standard_normal(shape).astype(np.float32), (shape[0], shape[2])
    rest = rng.integers(0, shape[1], pixels), rng.random(pixels) < 0.8, rng.random(pixels), rng.random(shape[1])
    shifts = cross_entropy.forward(x, *rest)[1]
    each = cross_entropy.backward(np.full(pixels, 0.3, np.float32), x, shifts, *rest, algorithm)
    assert_same_bits(cross_entropy.backward(np.array(0.3, np.float32), x, shifts, *rest, algorithm), each)


def test_rows_of_logits_that_are_infinite_or_missing():
    inf, nan = np.inf, np.nan
    rows = [[0, -inf, -1], [inf, 0, 1], [nan, 0, 1], [0, nan, 1], [-inf, -inf, -inf], [0, -nan, inf], [-0.0, 0, -5]]
    x = np.array(rows, np.float32)[:, :, None]
    rest = np.array([[1], [0], [1], [0], [0], [2], [2]]), np.ones((7, 1), bool), np.ones((7, 1)), NONE
    losses, shifts = cross_entropy.forward(x, *rest)
    want, want_shifts = cross_entropy.forward(x, *rest, "reference")
    np.testing.assert_allclose(losses, want, rtol=1e-6)
    np.testing.assert_allclose(shifts, want_shifts, rtol=1e-9)
    np.testing.assert_array_equal(np.isnan(shifts[:, 0]), [False, True, True, True, True, True, False])


@st.composite
def labels(draw):
    """Few and many ids, some of them ignored, which may be a class or not; classes with weights or without."""
    classes, size = draw(st.sampled_from([1, 2, 300])), draw(st.sampled_from([0, 1, 7, _shares.PIECE, _shares.PIECE + 3]))
    ignored = draw(st.sampled_from([-100, 0, 1, 255, 2**63 - 1, -(2**63)]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    ids = np.where(rng.random(size) < 0.8, rng.integers(0, classes, size), ignored)
    return ids, ignored, classes, rng.uniform(0, 2, classes) if draw(st.booleans()) else None


@given(labels())
def test_what_class_ids_come_to(case):
    ids, ignored, classes, weights = case
    target, kept, sharp, count = cross_entropy.shares(ids, (1, ids.size), ignored, classes, weights)
    assert_same_bits((target[0], kept[0]), (np.where(ids == ignored, 0, ids), ids != ignored))
    assert_same_bits(sharp[0], (np.ones(classes) if weights is None else weights)[target[0]] * kept[0])
    assert count == np.count_nonzero(ids != ignored)


def test_what_class_ids_come_to_is_the_same_for_any_threads(monkeypatch):
    ids = np.random.default_rng(0).integers(-1, 5, 3 * _shares.PIECE + 1)
    assert_promises(monkeypatch, lambda ids: cross_entropy.shares(ids, (1, ids.size), -1, 5, np.arange(5.0))[:3], ids)


@given(labels(), st.sampled_from([-1, -(2**62), 300, 2**62]), st.integers(0, 10**6))
def test_an_id_that_is_no_class_is_seen(case, wrong, place):
    ids, ignored, classes, weights = case
    ids = np.append(ids, 0)
    ids[place % ids.size] = wrong
    assert cross_entropy.shares(ids, (1, ids.size), ignored, classes, weights) is None


@pytest.mark.proves("cross_entropy", "complex step")
@given(st.integers(0, 10_000))
def test_the_gradient_equals_the_complex_step(seed):
    rng = np.random.default_rng(seed)
    x, target = rng.standard_normal((2, 4, 3)), rng.integers(0, 4, (2, 3))
    rest = target, rng.random((2, 3)) < 0.8, rng.random((2, 3)), rng.random(4)

    def losses(x):
        shifts = np.log(np.exp(x).sum(1))
        picked = np.take_along_axis(x, target[:, None], 1)[:, 0]
        spread = (rest[3][:, None] * (shifts[:, None] - x)).sum(1)
        return np.where(rest[1], rest[2] * (shifts - picked) + spread, 0)

    def backward(grad, x):
        return reference.backward(grad, x, reference.forward(x, *rest)[1], *rest)

    assert_complex_step(losses, backward, [x], rng)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((None, *CALL[1:]), ArgumentTypeError, "x: expected a NumPy or CuPy array"),
        ((X[0], *CALL[1:]), ShapeError, r"x: expected shape \(N, C, D\), got shape \(2, 3\)"),
        ((X[:, :0], *CALL[1:]), ShapeError, "x: expected at least 1 along C"),
        ((X, IDS.astype(np.int32), *CALL[2:]), DTypeError, "target: expected int64, got int32"),
        ((X, IDS[:, :2], *CALL[2:]), ShapeError, r"target: expected shape \(1, 3\), got shape \(1, 2\)"),
        ((X, IDS + 2, *CALL[2:]), IndexRangeError, r"target: expected a class in range\(2\), got 2 at \(0, 0\)"),
        ((X, IDS, IDS, *CALL[3:]), DTypeError, "kept: expected bool, got int64"),
        ((X, IDS, KEPT[:, :1], *CALL[3:]), ShapeError, "kept: expected shape"),
        ((X, IDS, KEPT, SHARP.astype(np.float32), NONE), DTypeError, "sharp: expected float64, got float32"),
        ((X, IDS, KEPT, SHARP, np.ones(3)), ShapeError, r"smooth: expected shape \(2,\), got shape \(3,\)"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(arguments, error, message):
    with pytest.raises(error, match=f"cross_entropy: {message}"):
        cross_entropy.forward(*arguments)
    with pytest.raises(error, match=f"cross_entropy: {message}"):
        cross_entropy.backward(SHARP.astype(np.float32), arguments[0], SHARP, *arguments[1:])


def test_errors_of_the_gradient_and_the_algorithm():
    with pytest.raises(ShapeError, match="grad_output: expected shape"):
        cross_entropy.backward(X[0], X, SHARP, *CALL[1:])
    with pytest.raises(DTypeError, match="shifts: expected float64, got float32"):
        cross_entropy.backward(SHARP.astype(np.float32), X, SHARP.astype(np.float32), *CALL[1:])
    with pytest.raises(ArgumentError, match="algorithm: expected one of"):
        cross_entropy.forward(*CALL, algorithm="fast")


def test_a_result_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 10)
    with pytest.raises(MemoryError, match="cross_entropy: out: expected at most 10 bytes"):
        cross_entropy.forward(*CALL)
