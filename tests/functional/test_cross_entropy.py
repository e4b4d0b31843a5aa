"""Cross entropy and its kin: hand-computed numbers, the edges of section 9, PyTorch."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from twins import ours, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError

INF = np.inf
LOGITS = np.log(np.array([[1.0, 2, 1], [3, 1, 4]]))  # softmax: quarters and eighths


@pytest.mark.proves("cross_entropy", "reference")
@pytest.mark.spec("cross_entropy.weight")
def test_by_hand():
    x = rawseg.Tensor(LOGITS, requires_grad=True)
    losses = F.cross_entropy(x, np.array([1, 2]), reduction="none")
    np.testing.assert_allclose(losses.numpy(), [math.log(2), math.log(2)], rtol=4e-16)  # -log(2/4), -log(4/8)
    loss = F.cross_entropy(x, np.array([1, 2]), np.array([9.0, 1, 3]))
    assert loss.item() == pytest.approx(math.log(2), rel=4e-16)  # (1 + 3) log 2 / (1 + 3)
    loss.backward()
    np.testing.assert_allclose(x.grad.numpy(), [[0.0625, -0.125, 0.0625], [0.28125, 0.09375, -0.375]], rtol=1e-15)


@pytest.mark.proves("cross_entropy", "reference")
@pytest.mark.spec("cross_entropy.smoothing", "cross_entropy.target")
def test_smoothing_by_hand():
    x = rawseg.Tensor(np.log(np.array([[1.0, 3]])))
    want = 0.5 * math.log(4) + 0.5 * (math.log(4) + math.log(4 / 3)) / 2  # half on the target, half spread over both
    assert F.cross_entropy(x, np.array([0]), label_smoothing=0.5).item() == pytest.approx(want, rel=4e-16)
    assert F.cross_entropy(x, np.array([[0.75, 0.25]])).item() == pytest.approx(want, rel=4e-16)  # 1/2 + 1/4 and 1/4


@st.composite
def cases(draw):
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    classes = draw(st.integers(1, 5))
    shape = draw(st.sampled_from([(), (3,), (2, 4), (2, 3, 2), (1, 0), (2, 2, 1, 2)]))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    logits = (rng.standard_normal((*shape[:1], classes, *shape[1:])) * 6).astype(dtype)
    target = np.asarray(rng.integers(0, classes, shape))
    target[rng.random(shape) < 0.2] = -100
    weight = (rng.random(classes) + 0.5).astype(dtype) if draw(st.booleans()) else None
    return logits, target, weight, draw(st.sampled_from(["mean", "sum", "none"])), draw(st.sampled_from([0.0, 0.1, 1.0]))


@pytest.mark.proves("cross_entropy", "torch", "first order", "bound")
@pytest.mark.spec("cross_entropy.weight")
@given(cases())
def test_as_torch(case):
    logits, target, weight, reduction, smoothing = case
    twin_weight = None if weight is None else torch.tensor(weight.astype(np.float64))

    def torch_loss(x):
        return TF.cross_entropy(x, torch.tensor(target), twin_weight, reduction=reduction, label_smoothing=smoothing)

    got, (grad,) = ours(lambda x: F.cross_entropy(x, target, weight, -100, reduction, smoothing), [logits])
    want, (oracle,) = torchs(torch_loss, [logits])
    if np.isnan(want).any():  # nothing kept
        assert np.isnan(got).all()
        assert not grad.any()
        return
    dtype, count = logits.dtype, target.size
    size = float(np.abs(logits).max(initial=0)) * 2 + 4  # a log probability is at most 2 max|x| + log C
    scale = 1.5 * (count if reduction == "sum" else 1)  # the largest weight
    # a loss: C + 8 roundings in float64, 1 in the dtype; their sum and quotient: count + 1 in the dtype
    bound = size * scale * (2 * gamma(len(got.shape) + 20 + logits.size, np.float64) + gamma(count + 2, dtype))
    assert_within(got, want, bound, "loss")
    # a gradient: factors of at most 1 and weights, C + 10 roundings in float64 with logits of ``size``, 3 in the dtype
    bound = 4 * scale * (size * 2 * gamma(logits.size + 20, np.float64) + gamma(3, dtype))
    assert_within(grad, oracle, bound, "gradient")


@pytest.mark.proves("nll_loss", "torch", "first order", "bound")
@given(cases())
def test_nll_loss_as_torch(case):
    logits, target, weight, reduction, _ = case
    twin_weight = None if weight is None else torch.tensor(weight.astype(np.float64))
    got, (grad,) = ours(lambda x: F.nll_loss(x, target, weight, -100, reduction), [logits])
    want, (oracle,) = torchs(lambda x: TF.nll_loss(x, torch.tensor(target), twin_weight, reduction=reduction), [logits])
    if np.isnan(want).any():
        assert np.isnan(got).all()
        assert not grad.any()
        return
    factor = 2 * gamma(target.size + 3, logits.dtype) * 1.5
    total = np.abs(logits).sum() if reduction == "sum" else np.abs(logits).max(initial=0)
    assert_within(got, want, factor * total, "loss")
    assert_within(grad, oracle, factor, "gradient")


@pytest.mark.proves("cross_entropy", "torch", "first order", "bound")
@pytest.mark.spec("cross_entropy.target")
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_class_probabilities_as_torch(smoothing):
    rng = np.random.default_rng(3)
    arrays = [rng.standard_normal((2, 3, 4)), rng.random((2, 3, 4))]
    weight = rng.random(3)
    for reduction in ("mean", "sum", "none"):
        got, grads = ours(lambda x, t: F.cross_entropy(x, t, weight, -100, reduction, smoothing), arrays)  # noqa: B023
        twin = torch.tensor(weight)
        want, oracles = torchs(
            lambda x, t: TF.cross_entropy(x, t, twin, reduction=reduction, label_smoothing=smoothing),  # noqa: B023
            arrays,
        )
        bound = 2 * gamma(60, np.float64) * 3 * 8 * 5  # 3 classes, 8 pixels, log probabilities of at most 5, 60 roundings
        assert_within(got, want, bound, "loss")
        for one, other in zip(grads, oracles):
            assert_within(one, other, bound, "gradient")


def test_one_hot_probabilities_are_class_ids():
    target = np.array([2, 0])
    by_id = F.cross_entropy(rawseg.Tensor(LOGITS), target).item()
    assert F.cross_entropy(rawseg.Tensor(LOGITS), np.eye(3)[target]).item() == pytest.approx(by_id, rel=2**-50)


@pytest.mark.spec("cross_entropy.infinite")
def test_infinite_logits():
    x = rawseg.Tensor(np.array([[-INF, 0.0], [0.0, -INF], [INF, 0.0], [-INF, -INF]]), requires_grad=True)
    losses = F.cross_entropy(x, np.array([0, 0, 0, 0]), reduction="none")
    np.testing.assert_array_equal(losses.numpy(), [INF, 0, np.nan, np.nan])
    losses[:2].sum().backward()
    assert x.grad[:2].tolist() == [[-1, 1], [0, 0]]


def test_large_logits_neither_overflow_nor_vanish():
    x = rawseg.tensor([[1e30, 0.0], [-1e30, 0.0]])
    np.testing.assert_array_equal(
        F.cross_entropy(x, np.array([1, 0]), reduction="none").numpy(), np.array([1e30, 1e30], np.float32)
    )


def test_an_ignored_pixel_gives_nothing_whatever_it_holds():
    x = rawseg.Tensor(np.array([[np.nan, INF], [0.0, 0.0]]), requires_grad=True)
    for create_graph in (False, True):
        loss = F.cross_entropy(x, np.array([-100, 1]))
        assert loss.item() == pytest.approx(math.log(2), rel=4e-16)
        (grad,) = rawseg.grad(loss, x, create_graph=create_graph)
        assert grad.tolist() == [[0, 0], [0.5, -0.5]]
    assert rawseg.grad((grad * grad).sum(), x)[0].tolist() == [[0, 0], [0.5, -0.5]]  # 2 (g0 - g1) p0 p1 = 2 / 4


@pytest.mark.spec("cross_entropy.ignore-real-class")
def test_an_ignored_class_leaves_the_mean_but_not_the_softmax():
    loss = F.cross_entropy(rawseg.Tensor(LOGITS), np.array([1, 0]), ignore_index=0)
    assert loss.item() == pytest.approx(math.log(2), rel=4e-16)  # -log(2 / (1 + 2 + 1)): class 0 still counts below


@pytest.mark.spec("cross_entropy.empty")
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
@pytest.mark.parametrize(
    ("shape", "target", "weight"),
    [((2, 3), [-100, -100], None), ((0, 3), [], None), ((2, 3), [0, 0], [0.0, 1, 1])],
    ids=["all ignored", "no pixel", "weight 0"],
)
def test_nothing_kept(loss, shape, target, weight):
    """NaN with zero gradient, as PyTorch; but PyTorch's gradient is NaN too where all kept weights are 0."""
    x = rawseg.Tensor(np.ones(shape), requires_grad=True)
    target = np.array(target, np.int64)
    weight = None if weight is None else np.array(weight)
    got = loss(x, target, weight)
    assert np.isnan(got.item())
    got.backward()
    assert x.grad.tolist() == np.zeros(shape).tolist()
    zero = loss(x, target, weight, empty="zero")
    zero.backward()
    assert zero.item() == 0
    assert not x.grad.numpy().any()
    assert loss(x, target, weight, reduction="sum").item() == 0
    with pytest.raises(ArgumentError, match="target: expected at least one kept element with a weight above 0, got none"):
        loss(x, target, weight, empty="raise")
    twin = torch.ones(shape, dtype=torch.float64, requires_grad=True)
    twin_weight = None if weight is None else torch.tensor(weight)
    TF.cross_entropy(twin, torch.tensor(target), twin_weight).backward()
    assert twin.grad is not None
    assert bool(torch.isnan(twin.grad).any()) == (weight is not None)


def test_a_class_alone_is_certain():
    assert F.cross_entropy(rawseg.tensor([[3.0], [-3.0]]), np.array([0, 0])).item() == 0


@pytest.mark.spec("elementwise.rounding")
def test_float32_is_rounded_once():
    x = np.random.default_rng(4).standard_normal((1, 7, 50)).astype(np.float32) * 9
    target = np.random.default_rng(5).integers(0, 7, (1, 50))
    got = F.cross_entropy(rawseg.Tensor(x), target, reduction="none").numpy()
    want = TF.cross_entropy(torch.tensor(x.astype(np.float64)), torch.tensor(target), reduction="none").numpy()
    assert_within(got, want, unit_roundoff(np.float32) * want + 2 * gamma(30, np.float64) * 100, "loss")


X = rawseg.zeros(2, 3, 4)
T = np.zeros((2, 4), np.int64)


def with_id(value):
    target = T.copy()
    target[1, 2] = value
    return target


@pytest.mark.spec("cross_entropy.target", "cross_entropy.smoothing")
@pytest.mark.proves("cross_entropy", "bad input")
@pytest.mark.proves("nll_loss", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.cross_entropy(X, with_id(3)),
            IndexRangeError,
            r"target: expected class ids 0..2, got 3 at \(1, 2\)",
        ),
        (lambda: F.cross_entropy(X, with_id(-1)), IndexRangeError, r"got -1 at \(1, 2\)"),
        (lambda: F.nll_loss(X, with_id(7)), IndexRangeError, r"nll_loss: target: expected class ids 0..2, got 7 at \(1, 2\)"),
        (lambda: F.cross_entropy(X[0, :, 0], np.array(5)), IndexRangeError, r"got 5 at \(\)"),
        (lambda: F.cross_entropy(X, T[:1]), ShapeError, r"target: expected shape \(2, 4\) \(input shape \(2, 3, 4\)\), got"),
        (lambda: F.cross_entropy(X, T.astype(np.int32)), DTypeError, "target: expected int64 class ids, got int32"),
        (lambda: F.cross_entropy(X, np.zeros((2, 4), np.float32)), ShapeError, "that of input, for class probabilities"),
        (lambda: F.cross_entropy(X, np.zeros((2, 3, 4))), DTypeError, "target: expected float32, the dtype of input, or int64"),
        (lambda: F.cross_entropy(X, X, ignore_index=0), ArgumentError, "ignore_index: expected a negative one with class prob"),
        (lambda: F.cross_entropy(X, T, np.ones(2, np.float32)), ShapeError, r"weight: expected shape \(3,\), got shape \(2,\)"),
        (lambda: F.cross_entropy(X, T, np.ones(3)), DTypeError, "weight: expected float32, the dtype of input, got float64"),
        (
            lambda: F.cross_entropy(X, T, np.array([1, -1, 1], np.float32)),
            ArgumentError,
            "weight: expected finite weights of at least 0",
        ),
        (lambda: F.cross_entropy(X, T, np.array([1, INF, 1], np.float32)), ArgumentError, "weight: expected finite weights"),
        (lambda: F.cross_entropy(X, T, label_smoothing=1.5), ArgumentError, "label_smoothing: expected 0 to 1, got 1.5"),
        (lambda: F.cross_entropy(X, T, reduction="avg"), ArgumentError, "reduction: expected one of .* got 'avg'"),
        (lambda: F.cross_entropy(X, T, empty="no"), ArgumentError, "empty: expected one of .* got 'no'"),
        (
            lambda: F.cross_entropy(X[:, :0], T),
            ShapeError,
            r"with at least one class, got shape \(2, 0, 4\)",
        ),
        (lambda: F.cross_entropy(X.astype(np.float16), T), DTypeError, "input: expected float32 or float64, got float16"),
        (lambda: F.cross_entropy(X, T, ignore_index=1.0), ArgumentTypeError, "ignore_index: expected an int, got 1.0"),
        (lambda: F.cross_entropy(rawseg.Tensor(T), T), DTypeError, "input: expected float32 or float64, got int64"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 5, 2, 3)])
def test_second_derivatives_are_pytorchs(reduction, shape):
    rng = np.random.default_rng(0)
    classes = shape[0] if len(shape) == 1 else shape[1]
    x, push, weight = rng.standard_normal(shape), rng.standard_normal(shape), rng.uniform(0.5, 2, classes)
    ids = np.asarray(rng.integers(0, classes, shape[:1] + shape[2:] if len(shape) > 1 else ()))

    def gradients(library, make, call):
        inputs = make(x)
        inputs.requires_grad = True
        loss = call(inputs, make(ids), weight=make(weight), reduction=reduction, ignore_index=1, label_smoothing=0.25)
        loss = (loss * loss).sum()
        (first,) = library.grad(loss, [inputs], create_graph=True)
        (second,) = library.grad((first * make(push)).sum(), [inputs])
        return first.detach().numpy(), second.numpy()

    ours = gradients(rawseg.autograd, rawseg.tensor, F.cross_entropy)
    theirs = gradients(torch.autograd, torch.tensor, torch.nn.functional.cross_entropy)
    for got, want in zip(ours, theirs):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)  # float64, a few dozen operations deep


@pytest.mark.parametrize("ignored", [False, True])
@pytest.mark.parametrize("loss", [F.cross_entropy, F.nll_loss])
def test_a_target_may_be_written_to_before_backward(loss, ignored):
    x = rawseg.randn(4, 3, dtype="float64", requires_grad=True)
    target = np.array([0, 2, -100 if ignored else 1, 1])
    loss(x, target.copy()).backward()
    want, x.grad = x.grad.numpy().copy(), None
    later = loss(x, target)
    target[:] = [2, 1, 0, 0]
    later.backward()
    np.testing.assert_array_equal(x.grad.numpy(), want)
