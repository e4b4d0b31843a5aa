"""Focal losses: hand-computed numbers, far-out logits, PyTorch, and where nothing is left."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma
from box_cases import torch_focal_loss, torch_sigmoid_focal_loss
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, numbers, ours, torchs

import rawseg
from rawseg import functional as F
from rawseg import nn, ops
from rawseg.errors import ArgumentError, DTypeError, IndexRangeError, ShapeError

GAMMAS = st.sampled_from([0.0, 0.5, 1.0, 2.0, 3.5])
LOG3 = math.log(3)


@pytest.mark.spec("sigmoid_focal_loss.formula")
def test_binary_by_hand():
    x = rawseg.Tensor(np.array([LOG3, LOG3, 0.0]), requires_grad=True)  # probabilities 3/4, 3/4, 1/2
    losses = ops.sigmoid_focal_loss(x, np.array([1.0, 0.0, 0.5]), alpha=0.25)
    # alpha_t q**2 ce: 1/4 (1/4)**2 log(4/3); 3/4 (3/4)**2 log 4; 1/2 (1/2)**2 log 2
    want = [0.25 / 16 * math.log(4 / 3), 27 / 64 * math.log(4), math.log(2) / 8]
    assert_within(losses.detach().numpy(), np.array(want), gamma(16, np.float64))
    losses.sum().backward()
    # with s the sign of what is wrong and p q = 3/16: q**2 s q' = alpha_t (s q**3 + 2 ce q s p q); 0 for the even one
    slope = [-0.25 * (1 / 64 + 2 * math.log(4 / 3) / 16 * 3 / 4), 0.75 * (27 / 64 + 2 * math.log(4) * 9 / 16 / 4), 0]
    assert_within(x.grad.numpy(), np.array(slope), gamma(32, np.float64))


@pytest.mark.spec("focal_loss.formula")
def test_classes_by_hand():
    x = np.log(np.array([[1.0, 2, 5], [2, 2, 4], [1, 1, 1]]))  # probabilities 1/8 1/4 5/8; 1/4 1/4 1/2
    losses = F.focal_loss(x, np.array([2, 0, -100]), 2.0, np.array([3.0, 1, 2]), reduction="none")
    want = [2 * (3 / 8) ** 2 * math.log(8 / 5), 3 * (3 / 4) ** 2 * math.log(4), 0]
    assert_within(losses.numpy(), np.array(want), gamma(32, np.float64))
    mean = F.focal_loss(x, np.array([2, 0, -100]), 2.0, np.array([3.0, 1, 2]))
    assert_within(mean.numpy(), np.array(sum(want) / 5), gamma(32, np.float64))


@pytest.mark.spec("focal_loss.saturated")
@pytest.mark.parametrize("exponent", [0.0, 0.3, 1.0, 2.0, 5.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_out_logits_have_finite_losses_and_derivatives(dtype, exponent):
    far = [0.0, 15, 40, 90, 110, 400, 800, 1e4, 1e8]
    values = np.array([-v for v in far] + far, dtype)

    def finite(function, *arrays):
        leaves = [rawseg.Tensor(a, requires_grad=True) for a in arrays]
        out = function(*leaves)
        first = rawseg.grad(out.sum(), leaves, create_graph=True)
        second = rawseg.grad(sum((g * g).sum() for g in first), leaves)
        for tensor in (out, *first, *second):
            assert np.isfinite(tensor.detach().numpy()).all()
        return out.detach().numpy()

    for t in (0.0, 1.0, 0.5, 1e-3):
        targets = np.full_like(values, t)
        finite(lambda x, targets=targets: ops.sigmoid_focal_loss(x, targets, -1, exponent), values)
    certain = finite(lambda x: ops.sigmoid_focal_loss(x, np.zeros_like(values), -1, exponent), values)
    np.testing.assert_array_equal(certain[[8, 17]], [0, 1e8])
    ids = np.arange(2 * len(values)) % 3
    logits = np.concatenate([np.stack([values, 0 * values, values / 3], 1), np.stack([0 * values, values, -values], 1)])
    finite(lambda x: F.focal_loss(x, ids, exponent, reduction="sum"), logits)


@pytest.mark.spec("sigmoid_focal_loss.formula")
@pytest.mark.proves("sigmoid_focal_loss", "torch", "first order", "bound")
@given(GAMMAS, st.sampled_from([-1.0, 0.0, 0.25, 1.0]), st.booleans(), DTYPES, SEEDS)
def test_binary_as_torch(exponent, alpha, labels, dtype, seed):
    """Logits within 6: losses are below 7, slopes below 40; PyTorch's own 1 - p_t, 2e-3 or more, is what limits the bound."""
    x, rng = np.clip(2 * numbers(seed, 3, 4, dtype=dtype), -6, 6), np.random.default_rng(seed)
    targets = rng.integers(0, 2, (3, 4)).astype(dtype) if labels else rng.uniform(0.1, 0.9, (3, 4)).astype(dtype)
    out, (slope, target_slope) = ours(lambda x, t: ops.sigmoid_focal_loss(x, t, alpha, exponent), [x, targets])
    want, (oracle, target_oracle) = torchs(lambda x, t: torch_sigmoid_focal_loss(x, t, alpha, exponent), [x, targets])
    limit = gamma(20, dtype) + gamma(2000, np.float64)
    assert_within(out, want, limit * 7, "loss")
    assert_within(slope, oracle, limit * 40, "slope")
    if exponent == 0 or exponent >= 1:  # below 1, the slope of q**gamma grows without bound as q vanishes
        assert_within(target_slope, target_oracle, limit * 100, "slope of the targets")


@pytest.mark.spec("focal_loss.formula")
@pytest.mark.proves("focal_loss", "torch", "first order", "bound")
@given(GAMMAS, st.booleans(), st.integers(1, 4), DTYPES, SEEDS)
def test_classes_as_torch(exponent, weighted, classes, dtype, seed):
    """Logits within 4: losses are below 10 times the weight, and 1 - p_t is 1e-4 or more."""
    x, rng = np.clip(numbers(seed, 2, classes, 3, 2, dtype=dtype), -4, 4), np.random.default_rng(seed)
    ids = rng.integers(0, classes, (2, 3, 2))
    ids[rng.random(ids.shape) < 0.2] = 1  # perhaps all of them: ignored, or a class
    weight = rng.uniform(0.5, 2, classes).astype(dtype) if weighted else None
    ignored = 1 if classes > 1 else -100
    if classes == 1:
        ids[:] = 0
    twin_weight = None if weight is None else torch.tensor(weight.astype(np.float64))
    g = numbers(seed, 2, 3, 2, dtype=dtype)
    out, (slope,) = ours(lambda x: F.focal_loss(x, ids, exponent, weight, ignored, "none"), [x], g)
    want, (oracle,) = torchs(lambda x: torch_focal_loss(x, torch.tensor(ids), exponent, twin_weight, ignored), [x], g)
    limit = gamma(20, dtype) + gamma(2000, np.float64)
    assert_within(out, want, limit * 20, "losses")
    if classes > 1 or exponent == 0 or exponent >= 1:  # of one class PyTorch's 0**(gamma - 1) is inf
        assert_within(slope, oracle, limit * 100 * abs(g).max(), "slopes")


def test_without_focus_it_is_cross_entropy():
    x, ids = numbers(0, 2, 3, 4, dtype=np.float32), np.random.default_rng(0).integers(0, 3, (2, 4))
    for reduction in ("none", "mean", "sum"):
        plain = F.cross_entropy(x, ids, reduction=reduction).numpy()
        np.testing.assert_array_equal(F.focal_loss(x, ids, 0, reduction=reduction).numpy(), plain)
        np.testing.assert_array_equal(nn.FocalLoss(0.0, reduction=reduction)(x, ids).numpy(), plain)
    one = F.focal_loss(x[0, :, 0], np.array(2))
    np.testing.assert_array_equal(one.numpy(), F.focal_loss(x[0, :, 0][None], np.array([2])).numpy())


def test_an_ignored_pixel_gives_nothing_whatever_it_holds():
    x = rawseg.Tensor(np.array([[np.nan, np.inf, 0.0], [0.5, -0.5, 1.0]]), requires_grad=True)
    kept = rawseg.Tensor(x.numpy()[1:].copy(), requires_grad=True)
    found = []
    for leaf, target in ((x, np.array([-100, 1])), (kept, np.array([1]))):
        (slope,) = rawseg.grad(F.focal_loss(leaf, target), leaf, create_graph=True)
        (curvature,) = rawseg.grad((slope * slope).sum(), leaf)
        found.append((slope.detach().numpy(), curvature.numpy()))
    for whole, alone in zip(*found):
        np.testing.assert_array_equal(whole, np.concatenate([np.zeros((1, 3)), alone]))


@pytest.mark.spec("focal_loss.empty")
def test_nothing_kept_follows_the_policy():
    x = rawseg.tensor(np.full((2, 3, 2), np.nan), requires_grad=True)  # what ignored pixels hold does not matter
    nothing = np.full((2, 2), -100)
    for empty, value in (("nan", math.nan), ("zero", 0.0)):
        loss = F.focal_loss(x, nothing, empty=empty)
        np.testing.assert_array_equal(loss.detach().numpy(), value)
        assert not rawseg.grad(loss, [x])[0].numpy().any()
    assert F.focal_loss(x, nothing, reduction="sum").item() == 0
    with pytest.raises(ArgumentError, match="focal_loss: target: expected at least one kept element"):
        F.focal_loss(x, nothing, empty="raise")
    assert nn.FocalLoss(empty="zero")(x, nothing).item() == 0
    assert ops.sigmoid_focal_loss(np.zeros((0, 2)), np.zeros((0, 2))).shape == (0, 2)


def test_the_layer_holds_its_options():
    weight = np.array([1.0, 2.0, 0.5])
    layer = nn.FocalLoss(1.5, weight, ignore_index=1, reduction="sum")
    assert list(layer.state_dict()) == ["weight"]
    x, ids = numbers(0, 2, 3, 4, dtype=np.float64), np.random.default_rng(0).integers(0, 3, (2, 4))
    np.testing.assert_array_equal(layer(x, ids).numpy(), F.focal_loss(x, ids, 1.5, weight, 1, "sum").numpy())


X, T, IDS = np.zeros((2, 3)), np.ones((2, 3)), np.array([0, 2])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: ops.sigmoid_focal_loss(X, T[:1]),
            ShapeError,
            r"sigmoid_focal_loss: targets: expected shape \(2, 3\), that of",
        ),
        (lambda: ops.sigmoid_focal_loss(X, T.astype(np.float32)), DTypeError, "targets: expected float64, the dtype of inputs"),
        (lambda: ops.sigmoid_focal_loss(X.astype(int), T), DTypeError, "inputs: expected float32 or float64, got int64"),
        (
            lambda: ops.sigmoid_focal_loss(X, 2 * T),
            ArgumentError,
            r"targets: expected probabilities, 0 to 1, got 2.0 at \(0, 0\)",
        ),
        (lambda: ops.sigmoid_focal_loss(X, T * np.nan), ArgumentError, r"targets: .* got nan at \(0, 0\)"),
        (lambda: ops.sigmoid_focal_loss(X, T, 1.5), ArgumentError, "alpha: expected 0 to 1, or -1 for no weights, got 1.5"),
        (lambda: ops.sigmoid_focal_loss(X, T, -0.5), ArgumentError, "alpha: expected 0 to 1, or -1 for no weights, got -0.5"),
        (
            lambda: ops.sigmoid_focal_loss(X, T, gamma=-1),
            ArgumentError,
            "sigmoid_focal_loss: gamma: expected at least 0, got -1.0",
        ),
        (lambda: ops.sigmoid_focal_loss(X, T, reduction="max"), ArgumentError, "reduction: expected one of"),
        (lambda: F.focal_loss(X, T), DTypeError, "focal_loss: target: expected int64 class ids, got float64"),
        (lambda: F.focal_loss(X, IDS + 1), IndexRangeError, r"focal_loss: target: expected class ids 0..2, got 3 at \(1,\)"),
        (lambda: F.focal_loss(X, IDS[:1]), ShapeError, r"focal_loss: target: expected shape \(2,\)"),
        (lambda: F.focal_loss(X, IDS, -0.1), ArgumentError, "focal_loss: gamma: expected at least 0, got -0.1"),
        (
            lambda: F.focal_loss(X, IDS, 2, -np.ones(3)),
            ArgumentError,
            "focal_loss: weight: expected finite weights of at least 0",
        ),
        (lambda: F.focal_loss(X, IDS, reduction="max"), ArgumentError, "focal_loss: reduction: expected one of"),
        (lambda: F.focal_loss(X, IDS, empty="one"), ArgumentError, "focal_loss: empty: expected one of"),
        (lambda: F.focal_loss(X > 0, IDS), DTypeError, "focal_loss: input: expected float32 or float64, got bool"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
