"""Lovász losses: on masks the Jaccard loss, between them its convex extension: by permutations, by thresholds, as published."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from hypothesis import given
from hypothesis import strategies as st
from twins import ours, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError

DRAWS = st.integers(0, 10_000)


def jaccard_loss(wrong: frozenset[int], truth: np.ndarray) -> float:
    """One minus the intersection over union of a mask that is wrong at these pixels; 0 where both masks are empty."""
    mask = np.array([t != (i in wrong) for i, t in enumerate(truth)], bool)
    union = (mask | truth).sum()
    return 1 - (mask & truth).sum() / union if union else 0.0


def by_permutations(errors: np.ndarray, truth: np.ndarray) -> float:
    """The extension of a submodular set function is the largest of its linear bounds, one for each order of the elements."""
    values = []
    for order in itertools.permutations(range(len(errors))):
        steps = [
            jaccard_loss(frozenset(order[: k + 1]), truth) - jaccard_loss(frozenset(order[:k]), truth)
            for k in range(len(order))
        ]
        values.append(sum(errors[i] * step for i, step in zip(order, steps)))
    return max(values)


def by_thresholds(errors: np.ndarray, truth: np.ndarray) -> float:
    """The mean Jaccard loss of the pixels whose error exceeds a threshold, over all thresholds."""
    levels = sorted({0.0, *errors.tolist()})
    above = [frozenset(np.flatnonzero(errors > level).tolist()) for level in levels[:-1]]
    return sum((high - low) * jaccard_loss(wrong, truth) for low, high, wrong in zip(levels, levels[1:], above))


def as_published(p, target, classes, ignore=-100):
    """Algorithm 1 of the paper on PyTorch's Tensors, for the pixels of a batch."""
    flat = p.movedim(1, -1).reshape(-1, p.shape[1])
    ids = torch.as_tensor(target).reshape(-1)
    flat, ids = flat[ids != ignore], ids[ids != ignore]
    losses = []
    for k in range(p.shape[1]):
        truth = (ids == k).to(p.dtype)
        if classes == "present" and truth.sum() == 0:
            continue
        errors, order = torch.sort((truth - flat[:, k]).abs(), descending=True, stable=True)
        truth = truth[order]
        intersection = truth.sum() - truth.cumsum(0)
        union = truth.sum() + (1 - truth).cumsum(0)
        jaccard = 1 - intersection / union
        losses.append(torch.dot(errors, torch.diff(jaccard, prepend=torch.zeros(1, dtype=p.dtype))))
    return torch.stack(losses).mean()


def test_by_hand():
    p = rawseg.Tensor(np.array([[[0.75, 0.5, 0.25]], [[0.25, 0.5, 0.75]]]).transpose(1, 0, 2), requires_grad=True)
    loss = F.lovasz_softmax(p, np.array([[0, 1, 1]]))
    # class 0, one pixel: errors 1/4, 1/2, 1/4. The wrongly taken pixel 1 first: I = 1, U = 2: 1/2; then, of equal errors,
    # pixel 0, of the object: 1/2; then nothing is left right. 1/2 1/2 + 1/4 1/2 = 3/8.
    # class 1, two pixels: the same errors. Pixel 1: 1/2; pixel 0, wrongly taken, I = 1, U = 3: 1/6; pixel 2: 1/3.
    # 1/2 1/2 + 1/4 1/6 + 1/4 1/3 = 3/8.
    assert loss.item() == pytest.approx(3 / 8, rel=1e-15)
    loss.backward()
    np.testing.assert_allclose(p.grad.numpy(), [[[-1 / 4, 1 / 4, 0], [1 / 12, -1 / 4, -1 / 6]]], rtol=1e-15)


@pytest.mark.spec("lovasz.extension")
@pytest.mark.proves("lovasz_softmax", "reference", "bound")
@given(DRAWS, st.integers(1, 5))
def test_it_is_the_convex_extension_of_the_jaccard_loss(seed, pixels):
    rng = np.random.default_rng(seed)
    truth = rng.random(pixels) < rng.choice([0.0, 0.5, 1.0])
    p = rng.choice([rng.random(pixels), rng.integers(0, 3, pixels) / 2], axis=0)  # ties too
    both = np.stack([1 - p, p])[None]
    errors = np.where(truth, 1 - p, p)
    got = F.lovasz_softmax(rawseg.Tensor(both), truth[None].astype(np.int64), "all").item()
    mean = [(f(errors, ~truth) + f(errors, truth)) / 2 for f in (by_permutations, by_thresholds)]
    assert got == pytest.approx(mean[0], abs=2 * gamma(40, np.float64))
    assert got == pytest.approx(mean[1], abs=2 * gamma(40, np.float64))


@pytest.mark.spec("lovasz.extension")
@given(DRAWS)
def test_on_masks_it_is_one_minus_the_intersection_over_union(seed):
    rng = np.random.default_rng(seed)
    truth, mask = rng.integers(0, 3, (2, 4, 3)), rng.integers(0, 3, (2, 4, 3))
    got = F.lovasz_softmax(rawseg.Tensor(np.eye(3)[mask].transpose(0, 3, 1, 2)), truth)
    present = np.unique(truth)
    want = np.mean([1 - ((mask == k) & (truth == k)).sum() / ((mask == k) | (truth == k)).sum() for k in present])
    assert got.item() == pytest.approx(want, rel=1e-14)


@pytest.mark.proves("lovasz_softmax", "torch", "first order", "bound")
@given(DRAWS, st.sampled_from(["present", "all"]), st.sampled_from([np.float32, np.float64]), st.booleans())
def test_values_and_gradients_are_those_of_the_published_algorithm(seed, classes, dtype, ignore):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3), (2, 3, 4)).transpose(0, 3, 1, 2).astype(dtype).clip(0, 1)
    target = rng.integers(0, 2 + seed % 2, (2, 3, 4))  # sometimes without the last class
    target[0, 0] = -100 if ignore else target[0, 0]
    got, (grad,) = ours(lambda x: F.lovasz_softmax(x, target, classes), [p])
    want, (oracle,) = torchs(lambda x: as_published(x, target, classes), [p])
    # differences of 1 - I / U cancel to 1e-3 and keep 24 terms; ours are sums of quotients
    assert_within(got, want, 2 * gamma(80, dtype), "loss")
    assert_within(grad, oracle, 2 * gamma(80, dtype), "gradient")


@pytest.mark.spec("lovasz.ties")
@pytest.mark.proves("lovasz_softmax", "determinism")
def test_of_equal_errors_the_first_pixel_leads():
    p = rawseg.Tensor(np.full((1, 2, 4), 0.5), requires_grad=True)
    grad = rawseg.grad(F.lovasz_softmax(p, np.array([[1, 0, 1, 0]]), "all"), p)[0].numpy()[0]
    # class 1, object {0, 2}: growths 1/2, 1 / (2 3), 1/3, 0 in the order of the pixels
    np.testing.assert_allclose(grad[1] * 2, [-1 / 2, 1 / 6, -1 / 3, 0], rtol=1e-15)
    # class 0, object {1, 3}: 2 / (3 2), 1/3, 1 / (4 3), 1/4
    np.testing.assert_allclose(grad[0] * 2, [1 / 3, -1 / 3, 1 / 12, -1 / 4], rtol=1e-15)


@pytest.mark.spec("lovasz.derivatives")
@pytest.mark.proves("lovasz_softmax", "second order")
@pytest.mark.proves("lovasz_hinge", "second order")
def test_between_changes_of_the_order_it_is_linear():
    x = rawseg.Tensor(np.random.default_rng(0).uniform(0.1, 0.9, (1, 2, 5)), requires_grad=True)
    for loss in (
        lambda p: F.lovasz_softmax(p, np.array([[0, 1, 1, 0, 1]])),
        lambda p: F.lovasz_hinge(p, np.array([[[0, 1, 1, 0, 1], [1, 1, 1, 1, 0]]])),
    ):
        (grad,) = rawseg.grad(loss(x), x, create_graph=True)
        (again,) = rawseg.grad((grad * x).sum(), x)  # the product rule without a curvature
        assert np.array_equal(again.numpy(), grad.numpy())


@pytest.mark.spec("lovasz.classes")
def test_absent_classes():
    p = rawseg.Tensor(np.array([[[0.5, 0.25], [0.25, 0.5], [0.25, 0.25]]]))
    target = np.zeros((1, 2), np.int64)
    present = F.lovasz_softmax(p, target)
    # all of class 0: growths 1/2 each on errors 3/4 and 1/2
    assert present.item() == 5 / 8
    assert F.lovasz_softmax(p, target, "all").item() == pytest.approx((5 / 8 + 1 / 2 + 1 / 4) / 3, rel=1e-15)


@pytest.mark.spec("lovasz.per-image", "lovasz.ignore")
@given(DRAWS, st.sampled_from(["present", "all"]))
def test_images_are_averaged_and_ignored_pixels_are_not_there(seed, classes):
    rng = np.random.default_rng(seed)
    p, target = rng.dirichlet(np.ones(3), (3, 8)).transpose(0, 2, 1), rng.integers(0, 3, (3, 8))
    target[1] = 255  # an image without a kept pixel
    target[2, 3:] = 255
    x = rawseg.Tensor(p, requires_grad=True)
    got = F.lovasz_softmax(x, target, classes, True, 255)
    alone = [
        F.lovasz_softmax(rawseg.Tensor(p[i : i + 1, :, :n]), target[i : i + 1, :n], classes).item() for i, n in ((0, 8), (2, 3))
    ]
    assert got.item() == pytest.approx(sum(alone) / 2, abs=2 * gamma(40, np.float64))
    grad = rawseg.grad(got, x)[0].numpy()
    assert not grad[1].any()
    assert not grad[2, :, 3:].any()
    together = F.lovasz_softmax(rawseg.Tensor(p), target, classes, False, 255).item()
    kept = np.concatenate([p[0], p[2, :, :3]], 1)[None]
    ids = np.concatenate([target[0], target[2, :3]])[None]
    assert together == pytest.approx(F.lovasz_softmax(rawseg.Tensor(kept), ids, classes).item(), abs=2 * gamma(40, np.float64))


@pytest.mark.spec("lovasz.hinge")
def test_hinge_by_hand():
    x = rawseg.Tensor(np.array([[2.0, 0.5, -0.5, -3.0], [1.0, 0.0, 0.0, 0.0]]), requires_grad=True)
    target = np.array([[1, 1, 0, 0], [0, 0, 0, 0]])
    # image 0: errors 0, 1/2, 1/2, 0: pixel 1 takes 1/2, pixel 2, wrongly taken, I = 1, U = 3: 1/6: 1/3
    # image 1, without an object: the largest error, 2
    loss = F.lovasz_hinge(x, target)
    assert loss.item() == pytest.approx((1 / 3 + 2) / 2, rel=1e-15)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), np.array([[0, -1 / 2, 1 / 6, 0], [1, 0, 0, 0]]) / 2, rtol=1e-15)
    assert F.lovasz_hinge(x, target.astype(bool)).item() == loss.item()


@pytest.mark.spec("lovasz.hinge")
@pytest.mark.proves("lovasz_hinge", "torch", "first order", "reference", "bound")
@given(DRAWS, st.booleans())
def test_hinge_is_the_extension_on_hinge_errors(seed, per_image):
    rng = np.random.default_rng(seed)
    x, target = rng.standard_normal((2, 5)), rng.integers(0, 2, (2, 5))
    target[0, 2] = -100
    rows = [(x[i], target[i]) for i in range(2)] if per_image else [(x.ravel(), target.ravel())]
    want = []
    for logits, ids in rows:
        logits, truth = logits[ids >= 0], ids[ids >= 0] == 1
        errors = np.maximum(0, 1 - np.where(truth, logits, -logits))
        want.append(by_thresholds(errors, truth))
        if per_image:
            assert want[-1] == pytest.approx(by_permutations(errors, truth), abs=4 * gamma(40, np.float64))
    got = F.lovasz_hinge(rawseg.Tensor(x), target, per_image)
    assert got.item() == pytest.approx(np.mean(want), abs=5 * 2 * gamma(60, np.float64))  # errors below 5


@pytest.mark.spec("lovasz.empty")
@pytest.mark.parametrize("shape", [(2, 3, 4), (0, 3, 4), (2, 3, 0)])
@pytest.mark.parametrize("per_image", [False, True])
def test_nothing_kept(shape, per_image):
    target = np.full((shape[0], shape[2]), -100)
    x = rawseg.Tensor(np.full(shape, 0.25), requires_grad=True)
    hinge_target = np.full(shape, -100)
    for loss in (
        lambda empty: F.lovasz_softmax(x, target, "all", per_image, empty=empty),
        lambda empty: F.lovasz_hinge(x, hinge_target, per_image, empty=empty),
    ):
        assert loss("zero").item() == 0
        assert math.isnan(loss("nan").item())
        for empty in ("zero", "nan"):
            assert rawseg.grad(loss(empty), x)[0].tolist() == np.zeros(shape).tolist()
        with pytest.raises(ArgumentError, match="target: expected at least one kept pixel, got none"):
            loss("raise")


P = rawseg.full((1, 2, 3), 0.5)
IDS = np.zeros((1, 3), np.int64)
ONE = 1


@pytest.mark.proves("lovasz_softmax", "bad input")
@pytest.mark.proves("lovasz_hinge", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.lovasz_softmax(P * 3, IDS),
            ArgumentError,
            r"lovasz_softmax: input: expected probabilities, 0 to 1 \(apply sof",
        ),
        (lambda: F.lovasz_softmax(P, IDS + 2), IndexRangeError, r"target: expected class ids 0..1, got 2 at \(0, 0\)"),
        (lambda: F.lovasz_softmax(P, IDS[0]), ShapeError, r"target: expected shape \(1, 3\) \(input shape \(1, 2, 3\)\), got"),
        (lambda: F.lovasz_softmax(P, IDS.astype(np.int32)), DTypeError, "target: expected int64 class ids, got int32"),
        (lambda: F.lovasz_softmax(P[0, 0], IDS), ShapeError, r"input: expected shape \(N, C, ...\), got shape \(3,\)"),
        (lambda: F.lovasz_softmax(P, IDS, "some"), ArgumentError, "classes: expected one of .* got 'some'"),
        (lambda: F.lovasz_softmax(P, IDS, per_image=ONE), ArgumentTypeError, "per_image: expected a bool, got 1"),
        (lambda: F.lovasz_softmax(P, IDS, ignore_index=0.5), ArgumentTypeError, "ignore_index: expected an int, got 0.5"),
        (lambda: F.lovasz_softmax(P, IDS, empty="no"), ArgumentError, "empty: expected one of"),
        (lambda: F.lovasz_hinge(P, IDS), ShapeError, r"lovasz_hinge: target: expected shape \(1, 2, 3\), that of input, got"),
        (lambda: F.lovasz_hinge(P[0, 0], IDS[0] + 2), IndexRangeError, r"target: expected class ids 0..1, got 2 at \(0,\)"),
        (
            lambda: F.lovasz_hinge(rawseg.tensor(1.0), np.array(1)),
            ShapeError,
            r"input: expected shape \(N, ...\), got shape \(\)",
        ),
        (lambda: F.lovasz_hinge(P, P), DTypeError, "target: expected int64 class ids, got float32"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
