"""Dice, Jaccard, border weights and weighted cross entropy: hand-computed numbers and the edges of section 10."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError

P = np.array([[[[0.5, 1.0]], [[0.5, 0.0]]]])  # (1, 2, 1, 2)
IDS = np.array([[[0, 0]]])  # class 0 everywhere


@pytest.mark.spec("dice_loss.formula")
@pytest.mark.proves("dice_loss", "reference")
def test_dice_by_hand():
    p = rawseg.Tensor(P, requires_grad=True)
    each = F.dice_loss(p, IDS, smooth=1.0, reduction="none")
    # class 0: 1 - (2 * 1.5 + 1) / (1.5 + 2 + 1) = 1/9; class 1, absent: 1 - 1 / (0.5 + 0 + 1) = 1/3
    np.testing.assert_allclose(each.numpy(), [[1 / 9, 1 / 3]], rtol=1e-15)
    assert F.dice_loss(p, IDS).item() == pytest.approx(2 / 9, rel=1e-15)
    one = F.dice_loss(p, IDS, per="batch").item()
    assert one == pytest.approx(1 - (2 * 1.5 + 1) / (2 + 2 + 1), rel=1e-15)
    each.sum().backward()
    # class 0: -(2 * 4.5 - 4) / 4.5**2 for each pixel; class 1: 1 / 1.5**2
    np.testing.assert_allclose(p.grad.numpy(), [[[[-20 / 81, -20 / 81]], [[4 / 9, 4 / 9]]]], rtol=1e-14)


@pytest.mark.proves("jaccard_loss", "reference")
def test_jaccard_by_hand():
    each = F.jaccard_loss(rawseg.Tensor(P), IDS, smooth=1.0, reduction="none").numpy()
    # class 0: 1 - (1.5 + 1) / (1.5 + 2 - 1.5 + 1) = 1/6; class 1: 1 - 1 / (0.5 + 1) = 1/3
    np.testing.assert_allclose(each, [[1 / 6, 1 / 3]], rtol=1e-15)


def test_a_perfect_prediction_costs_nothing():
    ids = np.random.default_rng(0).integers(0, 3, (2, 4, 5))
    p = np.eye(3)[ids].transpose(0, 3, 1, 2)
    for loss in (F.dice_loss, F.jaccard_loss):
        assert loss(rawseg.Tensor(p), ids, smooth=0.0).item() == 0
        assert loss(rawseg.Tensor(p), p.astype(bool)).item() == 0


@pytest.mark.spec("dice_loss.both-empty")
@pytest.mark.parametrize("smooth", [1.0, 0.5])
def test_two_empty_masks_agree_but_push_down(smooth):
    p = rawseg.Tensor(np.zeros((1, 1, 2, 2)), requires_grad=True)
    target = np.zeros((1, 1, 2, 2))
    loss = F.dice_loss(p, target, smooth)
    assert loss.item() == 0
    assert rawseg.grad(loss, p)[0].tolist() == np.full((1, 1, 2, 2), 1 / smooth).tolist()


@pytest.mark.spec("dice_loss.both-empty")
def test_two_empty_masks_without_smoothing():
    p = rawseg.Tensor(np.stack([np.zeros((1, 2, 2)), np.full((1, 2, 2), 0.5)]), requires_grad=True)
    target = np.zeros((2, 1, 2, 2))
    with pytest.raises(ArgumentError, match=r"dice_loss: target: expected a prediction or a target to compare"):
        F.dice_loss(p, target, 0)
    zero = F.dice_loss(p, target, 0, reduction="none", empty="zero")
    assert zero.tolist() == [[0], [1]]
    assert np.isnan(F.dice_loss(p, target, 0, reduction="none", empty="nan").numpy()).ravel().tolist() == [True, False]
    grad = rawseg.grad(F.jaccard_loss(p, target, 0, reduction="sum", empty="zero"), p)[0]
    assert not grad[0].numpy().any()
    assert np.isfinite(grad.numpy()).all()


@pytest.mark.parametrize("shape", [(0, 2, 3, 3), (0, 2)])
def test_an_empty_batch(shape):
    p, target = rawseg.zeros(shape, requires_grad=True), np.zeros((0, *shape[2:]), np.int64)
    assert np.isnan(F.dice_loss(p, target, empty="nan").item())
    loss = F.dice_loss(p, target, empty="zero")
    loss.backward()
    assert (loss.item(), p.grad.shape) == (0, shape)
    with pytest.raises(ArgumentError, match="to compare"):
        F.dice_loss(p, target)


@pytest.mark.spec("dice_loss.ignore")
@pytest.mark.parametrize("ignored", [255, 1])  # no class, and a class
def test_ignored_pixels_leave_all_three_sums(ignored):
    rng = np.random.default_rng(1)
    p, ids = rng.random((2, 3, 4, 5)), rng.choice([0, 2], (2, 4, 5))
    ids[:, :, 3:] = ignored
    for loss in (F.dice_loss, F.jaccard_loss):
        x = rawseg.Tensor(p, requires_grad=True)
        got = loss(x, ids, ignore_index=ignored)
        want = loss(rawseg.Tensor(p[..., :3]), ids[..., :3])
        assert_within(got.numpy(), want.numpy(), 2 * gamma(25, np.float64), "loss")  # 20 terms, all of one sign
        assert not rawseg.grad(got, x)[0][..., 3:].numpy().any()


@pytest.mark.spec("dice_loss.formula")
@pytest.mark.parametrize(("per", "axes"), [("image-class", (2,)), ("image", (1, 2)), ("class", (0, 2)), ("batch", (0, 1, 2))])
def test_groups(per, axes):
    rng = np.random.default_rng(2)
    p, g = rng.random((2, 3, 6)), rng.integers(0, 2, (2, 3, 6)).astype(float)
    want = 1 - (2 * (p * g).sum(axes) + 1) / (p.sum(axes) + g.sum(axes) + 1)
    got = F.dice_loss(rawseg.Tensor(p), g, per=per, reduction="none").numpy()
    assert_within(got, want, 2 * gamma(80, np.float64), per)
    assert F.dice_loss(rawseg.Tensor(p), g, per=per).item() == pytest.approx(want.mean(), rel=1e-14)


@pytest.mark.spec("tversky_loss.formula")
@pytest.mark.proves("tversky_loss", "reference")
def test_tversky_by_hand():
    p = rawseg.Tensor(P, requires_grad=True)
    each = F.tversky_loss(p, IDS, 0.25, 2.0, reduction="none")
    # class 0: TP 1.5, FP 0, FN 0.5: 1 - 2.5 / (1.5 + 2 0.5 + 1) = 2/7
    # class 1: TP 0, FP 0.5, FN 0: 1 - 1 / (0.25 0.5 + 1) = 1/9
    np.testing.assert_allclose(each.numpy(), [[2 / 7, 1 / 9]], rtol=1e-15)
    each.sum().backward()
    # class 0: with D = 3.5 and N = 2.5, each pixel of the object adds 1 to N and 1 - 2 to D: -(D + N) / D**2
    np.testing.assert_allclose(p.grad.numpy(), [[[[-24 / 49, -24 / 49]], [[0.25 / 1.265625, 0.25 / 1.265625]]]], rtol=1e-14)


@pytest.mark.spec("tversky_loss.formula")
@pytest.mark.parametrize("per", ["image-class", "image", "class", "batch"])
def test_tversky_is_dice_with_halves_and_jaccard_with_ones(per):
    rng = np.random.default_rng(4)
    p, ids = rawseg.Tensor(rng.random((2, 3, 4, 5))), rng.integers(0, 3, (2, 4, 5))
    ids[0, 0] = 7
    options = {"per": per, "reduction": "none", "ignore_index": 7}
    half = F.tversky_loss(p, ids, smooth=0.75, **options).numpy()
    assert_within(half, F.dice_loss(p, ids, 1.5, **options).numpy(), 4 * gamma(140, np.float64), "halves")
    ones = F.tversky_loss(p, ids, 1.0, 1.0, 0.75, **options).numpy()
    assert_within(ones, F.jaccard_loss(p, ids, 0.75, **options).numpy(), 4 * gamma(140, np.float64), "ones")


def test_tversky_of_two_empty_masks():
    p, target = rawseg.zeros(1, 1, 2, requires_grad=True), np.zeros((1, 1, 2), bool)
    loss = F.tversky_loss(p, target, 0.25, 0.75, 0.5)
    assert loss.item() == 0
    assert rawseg.grad(loss, p)[0].tolist() == [[[0.5, 0.5]]]  # alpha / smooth pushes down
    with pytest.raises(ArgumentError, match="tversky_loss: target: expected a prediction or a target to compare"):
        F.tversky_loss(p, target, smooth=0)
    assert F.tversky_loss(p, target, smooth=0, empty="zero").item() == 0


@pytest.mark.spec("border_weights.rule")
def test_border_weights_by_hand():
    mask = np.array([[1, 0, 0, 2]])
    got = F.border_weights(mask, w0=10, sigma=2)
    want = 1 + 10 * np.exp(-(3.0**2) / 8)  # on this line d1 + d2 is 3 everywhere
    np.testing.assert_array_equal(got, np.full((1, 4), want, np.float32))
    corner = F.border_weights(np.array([[1, 0], [0, 0], [0, 3]]), w0=2, sigma=1)
    # at (1, 0): distances 1 and sqrt 2; at (0, 1): 1 and 2
    assert corner[1, 0] == np.float32(1 + 2 * np.exp(-((1 + math.sqrt(2)) ** 2) / 2))
    assert corner[0, 1] == np.float32(1 + 2 * np.exp(-(3.0**2) / 2))
    assert corner.dtype == np.float32


def test_border_weights_want_the_two_nearest_of_many():
    mask = np.zeros((9, 30), np.uint16)
    mask[2:5, 2:5], mask[2:5, 8:11], mask[:, 25:] = 7, 3, 40
    got = F.border_weights(mask)
    alone = F.border_weights(np.where(mask == 40, 0, mask))
    assert np.array_equal(got[:, :11], alone[:, :11])  # the far one changes nothing between the near ones
    assert got[3, 6] == np.float32(1 + 10 * np.exp(-(4.0**2) / 50))


@pytest.mark.spec("border_weights.rule")
@pytest.mark.parametrize("mask", [np.zeros((3, 4), int), np.eye(3, dtype=int)])
def test_without_two_instances_there_is_no_border(mask):
    np.testing.assert_array_equal(F.border_weights(mask), np.ones(mask.shape))


def test_class_weights():
    mask = np.array([[0, 0, 0, 5]])
    assert F.border_weights(mask, class_weights=(0.5, 3)).tolist() == [[0.5, 0.5, 0.5, 3]]
    balanced = F.border_weights(mask, class_weights="balanced")
    np.testing.assert_array_equal(balanced, np.array([[4 / 6, 4 / 6, 4 / 6, 2]], np.float32))
    assert F.border_weights(np.zeros((1, 2), int), class_weights="balanced").tolist() == [[1, 1]]
    assert F.border_weights(rawseg.Tensor(mask)).shape == (1, 4)


@pytest.mark.spec("weighted_cross_entropy.rule")
def test_weighted_cross_entropy():
    rng = np.random.default_rng(3)
    x, ids = rawseg.Tensor(rng.standard_normal((2, 3, 5))), rng.integers(0, 3, (2, 5))
    ids[0, 0] = -100
    weight = rng.random(3) + 0.5
    bound = 2 * gamma(40, np.float64) * 8  # losses below 8, 10 summed
    even = F.weighted_cross_entropy(x, ids, np.full((2, 5), 2.5), weight)
    assert_within(even.numpy(), F.cross_entropy(x, ids, weight).numpy(), bound, "equal weights change nothing")
    by_class = F.weighted_cross_entropy(x, ids, weight[np.where(ids < 0, 0, ids)])
    assert_within(by_class.numpy(), F.cross_entropy(x, ids, weight).numpy(), bound, "class weights as a map")
    each = F.cross_entropy(x, ids, reduction="none").numpy()
    pixel_weight = rng.random((2, 5))
    assert np.array_equal(F.weighted_cross_entropy(x, ids, pixel_weight, reduction="none").numpy(), each * pixel_weight)
    assert np.isnan(F.weighted_cross_entropy(x, ids, np.zeros((2, 5))).item())
    assert F.weighted_cross_entropy(x, ids, np.zeros((2, 5)), empty="zero").item() == 0


X = rawseg.full((2, 3, 4), 0.5)
T = np.zeros((2, 4), np.int64)
MASK = np.eye(2, dtype=int)
TEXT: Any = "1"
THREE: Any = (1, 2, 3)


@pytest.mark.spec("dice_loss.domain")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.dice_loss(X + 1, T), ArgumentError, r"dice_loss: input: expected probabilities, 0 to 1 \(apply softmax"),
        (lambda: F.dice_loss(X, T + 3), IndexRangeError, r"target: expected class ids 0..2, got 3 at \(0, 0\)"),
        (lambda: F.dice_loss(X, T[:1]), ShapeError, r"target: expected shape \(2, 4\) \(input shape \(2, 3, 4\)\)"),
        (lambda: F.dice_loss(X, X), ArgumentError, "target: expected 0 or 1, got other values"),
        (lambda: F.dice_loss(X, X[:1]), ShapeError, r"target: expected shape \(2, 3, 4\), that of input"),
        (lambda: F.dice_loss(X, T.astype(np.uint8)), ShapeError, r"target: expected shape \(2, 3, 4\), that of input"),
        (lambda: F.dice_loss(X[0, 0], T), ShapeError, r"input: expected shape \(N, C, ...\), got shape \(4,\)"),
        (lambda: F.dice_loss(X, T, -1), ArgumentError, "smooth: expected at least 0, got -1.0"),
        (lambda: F.dice_loss(X, T, per="pixel"), ArgumentError, "per: expected one of .* got 'pixel'"),
        (lambda: F.dice_loss(X, T, reduction="avg"), ArgumentError, "reduction: expected one of .* got 'avg'"),
        (lambda: F.dice_loss(X, T, ignore_index=0.5), ArgumentTypeError, "ignore_index: expected an int, got 0.5"),
        (lambda: F.tversky_loss(X, T, -1), ArgumentError, "tversky_loss: alpha: expected at least 0, got -1.0"),
        (lambda: F.tversky_loss(X, T, beta=-0.5), ArgumentError, "tversky_loss: beta: expected at least 0, got -0.5"),
        (lambda: F.tversky_loss(X, T, TEXT), ArgumentTypeError, "tversky_loss: alpha: expected a real number, got '1'"),
        (lambda: F.jaccard_loss(X, T, empty="skip"), ArgumentError, "jaccard_loss: empty: expected one of"),
        (lambda: F.border_weights(MASK * 1.0), DTypeError, "border_weights: mask: expected integers, got float64"),
        (lambda: F.border_weights(MASK[0]), ShapeError, r"mask: expected shape \(H, W\), got shape \(2,\)"),
        (lambda: F.border_weights(MASK, sigma=0), ArgumentError, "sigma: expected w0 of at least 0, sigma greater than 0"),
        (lambda: F.border_weights(MASK, w0=TEXT), ArgumentTypeError, "w0: expected a real number, got '1'"),
        (lambda: F.border_weights(MASK, class_weights=THREE), ArgumentError, "class_weights: expected None, 'balanced' or"),
        (lambda: F.border_weights(MASK, class_weights=(-1, 2)), ArgumentError, "class_weights: expected at least 0"),
        (
            lambda: F.weighted_cross_entropy(X, T, -X[:, 0]),
            ArgumentError,
            "pixel_weight: expected finite weights of at",
        ),
        (
            lambda: F.weighted_cross_entropy(X, T, X),
            ShapeError,
            r"pixel_weight: expected shape \(2, 4\), that of input",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_an_empty_batch_has_a_sum_and_no_losses():
    p, target = rawseg.zeros(0, 2, 3), np.zeros((0, 3), np.int64)
    assert F.dice_loss(p, target, reduction="sum").item() == 0
    assert F.dice_loss(p, target, reduction="none").shape == (0, 2)


def test_pixel_weights_want_class_ids():
    soft = rawseg.full((2, 2, 3), 0.5)  # would broadcast against (2, 3) and count every weight twice
    with pytest.raises(DTypeError, match="weighted_cross_entropy: target: expected int64 class ids, got float32"):
        F.weighted_cross_entropy(rawseg.zeros(2, 2, 3), soft, rawseg.ones(2, 3))
