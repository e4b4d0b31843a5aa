"""Binary and regression losses: hand-computed numbers, the edges, PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma
from twins import ours, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, DTypeError, ShapeError

INF = np.inf


@pytest.mark.spec("bce.logits")
@pytest.mark.proves("binary_cross_entropy_with_logits", "reference")
def test_bce_with_logits_is_exact_far_out():
    x = rawseg.tensor([1000.0, -1000.0, 1000.0, -1000.0, -30.0])
    losses = F.binary_cross_entropy_with_logits(x, rawseg.tensor([0.0, 1.0, 1.0, 0.0, 0.0]), reduction="none")
    np.testing.assert_array_equal(losses.numpy(), np.array([1000, 1000, 0, 0, np.log1p(np.exp(-30.0))], np.float32))


def test_bce_with_logits_by_hand():
    x = rawseg.Tensor(np.array([0.0, np.log(3)]), requires_grad=True)  # probabilities 1/2, 3/4
    losses = F.binary_cross_entropy_with_logits(x, np.array([1.0, 0]), reduction="none", pos_weight=np.array([4.0, 4]))
    np.testing.assert_allclose(losses.numpy(), [4 * np.log(2), np.log(4)], rtol=4e-16)
    losses.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), [-2, 0.75], rtol=4e-16)


@pytest.mark.spec("bce.floor")
@pytest.mark.proves("binary_cross_entropy", "reference")
def test_bce_holds_its_logarithms_at_minus_100():
    x = rawseg.Tensor(np.array([0.0, 1.0, 0.0, 1.0]), requires_grad=True)
    target = np.array([1.0, 0.0, 0.0, 1.0])
    losses = F.binary_cross_entropy(x, target, reduction="none")
    assert losses.tolist() == [100, 100, 0, 0]
    losses.sum().backward()
    assert x.grad.tolist() == [-1e12, 1e12, 0, 0]  # (p - t) / max(p (1 - p), 1e-12), as PyTorch


@pytest.mark.proves("binary_cross_entropy", "torch", "first order", "bound")
@pytest.mark.proves("binary_cross_entropy_with_logits", "torch", "first order", "bound")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_binary_losses_as_torch(dtype, reduction):
    rng = np.random.default_rng(0)
    x, p, t = rng.standard_normal((5, 4)) * 8, rng.uniform(0.01, 0.99, (5, 4)), rng.random((5, 4))
    x, p, t, w, positive = (a.astype(dtype) for a in (x, p, t, rng.random((5, 4)), rng.random(4) * 3))
    twin_w, twin_positive = (torch.tensor(a.astype(np.float64)) for a in (w, positive))
    pairs = [
        (
            lambda x, t: F.binary_cross_entropy_with_logits(x, t, w, reduction, positive),
            lambda x, t: TF.binary_cross_entropy_with_logits(x, t, twin_w, reduction=reduction, pos_weight=twin_positive),
            [x, t],
        ),
        (
            lambda x, t: F.binary_cross_entropy(x, t, w, reduction),
            lambda x, t: TF.binary_cross_entropy(x, t, twin_w, reduction=reduction),
            [p, t],
        ),
    ]
    for f, g, arrays in pairs:
        got, grads = ours(f, arrays)
        want, oracles = torchs(g, arrays)
        # a loss is below 3 * (32 + log 2); with 20 of them summed and 12 roundings each
        assert_within(got, want, 2 * gamma(32, dtype) * 100 * (20 if reduction == "sum" else 1), "loss")
        for one, other in zip(grads, oracles):  # 1 / (p (1 - p)) is at most 102
            assert_within(one, other, 2 * gamma(16, dtype) * 102, "gradient")


@pytest.mark.spec("smooth_l1_loss.beta")
@pytest.mark.proves("mse_loss", "reference")
@pytest.mark.proves("l1_loss", "reference")
@pytest.mark.proves("smooth_l1_loss", "reference")
@pytest.mark.proves("huber_loss", "reference")
def test_squared_and_absolute_by_hand():
    x = rawseg.tensor([1.0, -2.0, 3.0], requires_grad=True)
    target = rawseg.tensor([0.0, 0.0, 3.0])
    for loss, values, gradient in (
        (lambda r: F.mse_loss(x, target, r), [1, 4, 0], [2, -4, 0]),
        (lambda r: F.l1_loss(x, target, r), [1, 2, 0], [1, -1, 0]),
        (lambda r: F.smooth_l1_loss(x, target, r, beta=1.0), [0.5, 1.5, 0], [1, -1, 0]),  # the gradient at |d| = beta is 1
        (lambda r: F.smooth_l1_loss(x, target, r, beta=2.0), [0.25, 1, 0], [0.5, -1, 0]),
        (lambda r: F.smooth_l1_loss(x, target, r, beta=0), [1, 2, 0], [1, -1, 0]),
        (lambda r: F.huber_loss(x, target, r, delta=0.5), [0.375, 0.875, 0], [0.5, -0.5, 0]),
    ):
        assert loss("none").tolist() == values
        assert loss("sum").item() == sum(values)
        assert loss("mean").item() == np.float32(sum(values) / 3)
        assert rawseg.grad(loss("sum"), x)[0].tolist() == gradient


@pytest.mark.spec("smooth_l1_loss.beta")
def test_a_beta_that_the_dtype_cannot_hold_is_none():
    x = rawseg.tensor([1.0, -2.0, 0.0], requires_grad=True)
    loss = F.smooth_l1_loss(x, rawseg.zeros(3), "none", beta=1e-50)
    assert loss.tolist() == [1, 2, 0]
    assert rawseg.grad(loss.sum(), x)[0].tolist() == [1, -1, 0]


@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regression_losses_as_torch(name, dtype):
    rng = np.random.default_rng(1)
    arrays = [(rng.standard_normal((4, 5)) * 3).astype(dtype) for _ in range(2)]
    options = {"smooth_l1_loss": {"beta": 0.75}, "huber_loss": {"delta": 1.5}}.get(name, {})
    for reduction in ("mean", "sum", "none"):
        got, grads = ours(lambda x, t: getattr(F, name)(x, t, reduction, **options), arrays)  # noqa: B023
        want, oracles = torchs(lambda x, t: getattr(TF, name)(x, t, reduction=reduction, **options), arrays)  # noqa: B023
        size = (abs(arrays[0]) + abs(arrays[1])) ** 2 + abs(arrays[0]) + abs(arrays[1])  # of each loss, before cancellation
        total = {"mean": size.mean(), "sum": size.sum(), "none": size}[reduction]
        assert_within(got, want, 2 * gamma(26, dtype) * total, "loss")
        for one, other in zip(grads, oracles):
            assert_within(one, other, 2 * gamma(6, dtype) * 2 * np.sqrt(size), "gradient")


@pytest.mark.spec("regression.weight")
@pytest.mark.parametrize("name", ["mse_loss", "l1_loss", "huber_loss"])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_weighted_regression_losses_as_torch(name, reduction):
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal((4, 5)), rng.standard_normal((4, 5)), rng.uniform(0.5, 2, (4, 5))]
    got, grads = ours(lambda x, t, w: getattr(F, name)(x, t, reduction, weight=w), arrays)
    want, oracles = torchs(lambda x, t, w: getattr(TF, name)(x, t, reduction=reduction, weight=w), arrays)
    bound = 2 * gamma(60, np.float64) * 2 * (36 if reduction == "none" else 20 * 36)  # differences below 6, weights below 2
    assert_within(got, want, bound, "loss")
    for one, other in zip(grads, oracles, strict=True):
        assert_within(one, other, bound, "gradient")


@pytest.mark.spec("regression.weight")
def test_weighted_regression_losses_by_hand():
    x, target, weight = rawseg.tensor([1.0, 3.0]), rawseg.zeros(2), rawseg.tensor([1.0, 0.5])
    assert F.mse_loss(x, target, weight=weight).item() == np.float32(5.5 / 1.5)
    assert F.l1_loss(x, target, weight=weight).item() == np.float32(2.5 / 1.5)
    assert F.huber_loss(x, target, weight=weight).item() == np.float32((0.5 + 1.25) / 2)  # by elements, as PyTorch
    assert F.l1_loss(x, target, "sum", weight).item() == 2.5


@pytest.mark.spec("smooth_l1_loss.beta")
def test_an_infinite_difference_has_a_finite_gradient():
    x = rawseg.tensor([INF, -INF], requires_grad=True)
    loss = F.smooth_l1_loss(x, rawseg.zeros(2), "sum")
    assert loss.item() == INF
    assert rawseg.grad(loss, x)[0].tolist() == [1, -1]


def test_the_mean_of_nothing_is_nan():
    assert np.isnan(F.mse_loss(rawseg.zeros(0), rawseg.zeros(0)).item())
    assert F.mse_loss(rawseg.zeros(0), rawseg.zeros(0), "sum").item() == 0


X = rawseg.zeros(2, 3)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.mse_loss(X, X[0]),
            ShapeError,
            r"target: expected shape \(2, 3\), that of input, got shape \(3,\)",
        ),
        (lambda: F.l1_loss(X, X.double()), DTypeError, "l1_loss: target: expected float32, the dtype of input, got float64"),
        (lambda: F.mse_loss(X > 0, X > 0), DTypeError, "input: expected float32 or float64, got bool"),
        (lambda: F.mse_loss(X, X, "average"), ArgumentError, "mse_loss: reduction: expected one of"),
        (lambda: F.smooth_l1_loss(X, X, beta=-1), ArgumentError, "smooth_l1_loss: beta: expected at least 0, got -1"),
        (
            lambda: F.smooth_l1_loss(X, X, beta=1e39),
            ArgumentError,
            "smooth_l1_loss: beta: expected at most 3.40.*, the largest float32",
        ),
        (lambda: F.mse_loss(X, X, weight=X[0]), ShapeError, r"mse_loss: weight: expected shape \(2, 3\), that of input"),
        (lambda: F.huber_loss(X, X, weight=X.double()), DTypeError, "huber_loss: weight: expected float32, the dtype of input"),
        (lambda: F.huber_loss(X, X, delta=0), ArgumentError, "huber_loss: delta: expected greater than 0, got 0.0"),
        (
            lambda: F.binary_cross_entropy_with_logits(X, X + 2),
            ArgumentError,
            "target: expected probabilities, 0 to 1, got 2.0 at",
        ),
        (
            lambda: F.binary_cross_entropy(X - 1, X),
            ArgumentError,
            "expected probabilities, 0 to 1, got -1.0 at",
        ),
        (lambda: F.binary_cross_entropy(X, X, X[0, :2]), ShapeError, r"weight: expected a shape that broadcasts to \(2, 3\)"),
        (lambda: F.binary_cross_entropy(X, X, X.double()), DTypeError, "weight: expected float32, the dtype of input"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
