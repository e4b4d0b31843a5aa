"""Batch normalisation on Tensors: what happens to the running statistics, and when nothing may happen to them."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg.autograd.deferred import deferring
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg.testing import gradcheck, gradgradcheck

RNG = np.random.default_rng(0)


@pytest.mark.spec("batch_norm.training", "batch_norm.running")
def test_by_hand():
    x = rawseg.Tensor(np.array([[1.0, 10], [3, 10], [5, 40]]))  # (N, C)
    mean, var = np.array([0.0, 100]), np.array([1.0, 1])
    y = F.batch_norm(x, mean, var, training=True, momentum=0.5, eps=1.0)
    np.testing.assert_allclose(y[:, 0].numpy(), np.array([-2, 0, 2]) / np.sqrt(8 / 3 + 1), rtol=1e-15)
    assert mean.tolist() == [1.5, 60]
    assert var.tolist() == [2.5, 150.5]  # half of 1 and half of the *unbiased* 4 and 300


@pytest.mark.proves("batch_norm", "torch")
@pytest.mark.spec("batch_norm.running")
@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 5), (2, 3, 4, 5)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_running_statistics_as_torch(shape, dtype):
    x = (RNG.standard_normal(shape) * 3 + 5).astype(dtype)
    statistics = [RNG.standard_normal(3).astype(dtype), RNG.random(3).astype(dtype)]
    tensors = [rawseg.Tensor(array.copy()) for array in statistics]
    twins = [torch.tensor(array.astype(np.float64)) for array in statistics]
    F.batch_norm(rawseg.Tensor(x), *tensors, training=True, momentum=0.3)
    TF.batch_norm(torch.tensor(x.astype(np.float64)), *twins, training=True, momentum=0.3)
    # sums of at most 40 terms in float64, squares below 400; one rounding to the dtype
    for got, want in zip(tensors, twins):
        bound = 2 * gamma(50, np.float64) * 400 + np.finfo(dtype).eps / 2 * abs(want.numpy())
        assert_within(got.numpy(), want.numpy(), bound, "running")


def test_a_write_to_running_statistics_is_counted():
    mean, var = rawseg.zeros(2), rawseg.ones(2)
    kept = rawseg.ones(2, requires_grad=True) * mean  # a graph that saved the running mean
    F.batch_norm(rawseg.randn(3, 2), mean, var, training=True)
    with pytest.raises(RuntimeError, match="changed in place"):
        kept.sum().backward()


def test_statistics_with_strides_or_in_each_others_memory_move_like_any_others():
    x = rawseg.Tensor(RNG.standard_normal((4, 3)))
    want = np.array([1.0, 2, 3]), np.array([2.0, 3, 4])
    F.batch_norm(x, *want, training=True)
    apart = np.array([1.0, 2, 2, 3, 3, 4])
    F.batch_norm(x, apart[::2], apart[1::2], training=True)
    assert np.array_equal(apart[::2], want[0])
    assert np.array_equal(apart[1::2], want[1])
    shared = np.array([1.0, 2, 3, 4])
    F.batch_norm(x, shared[:3], shared[1:], training=True)  # the mean is written first, the variance over it
    assert np.array_equal(shared, [want[0][0], *want[1]])


def test_what_waits_to_read_the_statistics_memory_is_computed_before_they_move():
    memory = np.array([1.0, 2.0])
    with rawseg.no_grad(), deferring():
        waiting = F.conv2d(rawseg.Tensor(memory.reshape(1, 1, 1, 2)), rawseg.Tensor(np.ones((1, 1, 1, 1))))
        F.batch_norm(rawseg.Tensor(RNG.standard_normal((3, 2))), memory, np.ones(2), training=True)
        assert waiting.tolist() == [[[[1.0, 2.0]]]]


@pytest.mark.spec("batch_norm.evaluation")
def test_evaluation_may_be_followed_by_training_before_backward():
    x = rawseg.Tensor(RNG.standard_normal((4, 2)), requires_grad=True)
    mean, var = np.array([1.0, 2]), np.array([3.0, 0.5])
    for weight in (None, rawseg.Tensor(np.ones(2), requires_grad=True)):  # a frozen norm, and one that learns
        want = rawseg.grad((F.batch_norm(x, mean, var, weight) ** 2).sum(), x)[0]
        loss = (F.batch_norm(x, mean, var, weight) ** 2).sum()
        F.batch_norm(x, mean, var, training=True)
        assert np.array_equal(rawseg.grad(loss, x)[0].numpy(), want.numpy())


@pytest.mark.parametrize(("bad", "count"), [(np.nan, 0), (np.inf, 0), (np.nan, 3)])
def test_statistics_that_are_none_are_refused_even_for_an_empty_batch(bad, count):
    mean = np.array([0.0, bad])
    with pytest.raises(ArgumentError, match="running_mean: expected finite values"):
        F.batch_norm(rawseg.zeros(count, 2, dtype="float64"), mean, np.ones(2), training=True)
    assert np.array_equal(mean, [0.0, bad], equal_nan=True)


@pytest.mark.spec("batch_norm.one-value", "batch_norm.running")
def test_an_empty_batch_leaves_the_statistics():
    mean, var = np.array([1.0, 2]), np.array([3.0, 4])
    x = rawseg.zeros(0, 2, 3, 3, dtype=np.float64, requires_grad=True)
    weight = rawseg.ones(2, dtype=np.float64, requires_grad=True)
    y = F.batch_norm(x, mean, var, weight, training=True)
    y.sum().backward()
    assert y.shape == x.grad.shape == (0, 2, 3, 3)
    assert weight.grad.tolist() == [0, 0]
    assert (mean.tolist(), var.tolist()) == ([1, 2], [3, 4])


X = rawseg.Tensor(np.arange(12.0).reshape(3, 4))
MEAN, VAR = np.arange(4.0), np.ones(4)


def scalars(kind):
    """Statistics without an axis."""
    return kind(np.array(0.0)), kind(np.array(1.0))


def locked(array):
    array = array.copy()
    array.flags.writeable = False
    return array


@pytest.mark.proves("batch_norm", "bad input")
@pytest.mark.spec("batch_norm.running", "batch_norm.domain", "batch_norm.momentum")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[:1], MEAN, VAR, None, None, True), ShapeError, r"more than 1 value per channel in training, got 1 \(input shape"),
        ((X, MEAN, VAR, rawseg.ones(3).double(), None, True), ShapeError, r"weight: expected shape \(4,\)"),
        ((X, MEAN, VAR, None, rawseg.ones(4), True), DTypeError, "bias: expected float64"),
        ((X, MEAN, VAR, None, None, True, 1.5), ArgumentError, "momentum: expected between 0 and 1, got 1.5"),
        ((X, MEAN, VAR, None, None, True, 0.1, 0), ArgumentError, "eps: expected greater than 0"),
        ((X, MEAN, -VAR), ArgumentError, "running_var: expected no negative value"),
        ((X, MEAN, -VAR, None, None, True), ArgumentError, "running_var: expected no negative value"),
        ((X, MEAN, VAR * np.nan, None, None, True), ArgumentError, "running_var: expected finite values"),
        ((X, MEAN + np.inf, VAR), ArgumentError, "running_mean: expected finite values"),
        ((X, MEAN, VAR[:2]), ShapeError, r"running_var: expected shape \(4,\), got shape \(2,\)"),
        ((X, MEAN.astype(np.float32), VAR), DTypeError, "running_mean: expected float64, the dtype of input, got float32"),
        ((X[0], *scalars(rawseg.Tensor), None, None, False), ShapeError, r"input: expected shape \(N, C, \.\.\.\)"),
        (
            (X.astype("int64"), *[rawseg.ones(4).astype("int64")] * 2, None, None, True),
            DTypeError,
            "expected float32 or float64",
        ),
        ((X, MEAN, None, None, None, True), ArgumentError, "running_var: expected running_mean and running_var, or neither"),
        ((X, None, None), ArgumentError, "running_mean: expected running_mean and running_var, or neither, in training only"),
        ((X, MEAN, locked(VAR), None, None, True), ArgumentError, "running_var: expected a writeable array in training"),
        (
            (X, rawseg.Tensor(MEAN), rawseg.Tensor(locked(VAR)), None, None, True),
            ArgumentError,
            "running_var: expected a writeable",
        ),
    ],
)
def test_after_an_error_the_statistics_are_what_they_were(arguments, error, message):
    before = [None if a is None else np.asarray(a).tobytes() for a in arguments[1:3]]
    with pytest.raises(error, match=message):
        F.batch_norm(*arguments)
    assert [None if a is None else np.asarray(a).tobytes() for a in arguments[1:3]] == before


@pytest.mark.spec("batch_norm.momentum")
def test_momentum_is_a_number():
    with pytest.raises(ArgumentTypeError, match="batch_norm: momentum: expected a real number, got None"):
        F.batch_norm(rawseg.randn(2, 3, 2, 2), rawseg.zeros(3), rawseg.ones(3), training=True, momentum=None)


@pytest.mark.spec("batch_norm.nonfinite-batch")
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan, 3e38])
def test_a_batch_that_is_not_finite_leaves_its_channel_alone(bad):
    """3e38 is finite, but its variance is none of float32: that would be refused as much as inf."""
    x = RNG.standard_normal((4, 3, 2)).astype(np.float32)
    mean, var = rawseg.zeros(3), rawseg.ones(3)
    clean_mean, clean_var = mean.clone(), var.clone()
    F.batch_norm(rawseg.Tensor(x), clean_mean, clean_var, training=True)
    x[2, 1, 0] = bad
    y = F.batch_norm(rawseg.Tensor(x), mean, var, training=True)
    assert np.isfinite(y.numpy()[:, 1]).all() == np.isfinite(bad)
    assert (mean[1].item(), var[1].item()) == (0, 1)  # both, even if one of them could be kept
    for got, want in ((mean, clean_mean), (var, clean_var)):
        assert got.numpy()[[0, 2]].tolist() == want.numpy()[[0, 2]].tolist()
    F.batch_norm(rawseg.Tensor(x), mean, var, training=True)  # nothing is refused afterwards


@pytest.mark.spec("batch_norm.domain")
def test_statistics_that_came_not_finite_tell_the_way_out():
    message = r"running_mean: expected finite values \(a layer's reset_running_stats\(\) starts them anew\), got"
    with pytest.raises(ArgumentError, match=message):
        F.batch_norm(X, MEAN * np.nan, VAR, training=True)
    layer = rawseg.nn.BatchNorm1d(4, dtype=np.float64)
    layer.running_mean.copy_(rawseg.Tensor(MEAN * np.nan))
    with pytest.raises(ArgumentError, match=message):
        layer(X)
    layer.reset_running_stats()
    assert layer(X).shape == X.shape


def test_a_flag_is_a_bool():
    one: Any = 1
    with pytest.raises(ArgumentTypeError, match="batch_norm: training: expected a bool, got 1"):
        F.batch_norm(X, MEAN, VAR, None, None, one)


def frozen(x):
    constants = [2.0, -1, 0.5], [0.1, 0.2, 0.3], [1.0, 2, 3], [0.5, 1, 4]
    scale, shift, mean, var = (rawseg.tensor(v, dtype="float64") for v in constants)
    return F.batch_norm(x, mean, var, scale, shift)


def test_a_frozen_norm_lets_the_batch_go():
    x = rawseg.tensor(RNG.standard_normal((4, 3, 2)), requires_grad=True)
    inside = x * 1.0
    kept = weakref.ref(inside.array)
    y = frozen(inside)
    del inside
    assert kept() is None
    push = RNG.standard_normal(y.shape)
    y.backward(rawseg.tensor(push))
    theirs = torch.tensor(x.numpy(), requires_grad=True)
    constants = ([1.0, 2, 3], [0.5, 1, 4], [2.0, -1, 0.5], [0.1, 0.2, 0.3])
    want = TF.batch_norm(theirs, *(torch.tensor(c, dtype=torch.float64) for c in constants))
    want.backward(torch.tensor(push))
    assert_within(y.numpy(), want.detach().numpy(), gamma(8, np.float64) * (1 + abs(want.detach().numpy())))
    assert_within(x.grad.numpy(), theirs.grad.numpy(), gamma(8, np.float64) * abs(theirs.grad.numpy()))


def test_derivatives_of_a_frozen_norm_and_a_relu_after_it():
    x = rawseg.tensor(RNG.standard_normal((2, 3, 4)), requires_grad=True)
    assert gradcheck(frozen, x)
    assert gradgradcheck(lambda x: frozen(x * x), x)
    apart = F.relu(frozen(x))
    with deferring():
        together = F.relu(frozen(x))
    assert np.array_equal(together.numpy(), apart.numpy())
    gradients = [rawseg.grad(y.sum(), x)[0].numpy() for y in (apart, together)]
    assert np.array_equal(*gradients)
