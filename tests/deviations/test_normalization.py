"""Where normalisation differs from PyTorch on purpose: each test says that PyTorch still does what it did."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg import nn
from rawseg.errors import ArgumentError, ShapeError

X = np.random.default_rng(0).standard_normal((3, 2, 4)).astype(np.float32)


@pytest.mark.spec("batch_norm.domain", "instance_norm.running")
@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_running_statistics_that_are_none(bad):
    """PyTorch normalises by a negative or non-finite running variance, to NaN or 0; rawseg refuses it."""
    mean, var = np.zeros(2, np.float32), np.array([1, bad], np.float32)
    for function, options in ((TF.batch_norm, {}), (TF.instance_norm, {"use_input_stats": False})):
        out = function(*map(torch.tensor, (X, mean, var)), **options).numpy()[:, 1]
        assert (np.isnan(out) | (out == 0)).all()
        with pytest.raises(ArgumentError, match="running_var: expected"):
            getattr(F, function.__name__)(X, mean, var, **options)


@pytest.mark.spec("batch_norm.domain", "group_norm.domain", "layer_norm.domain")
def test_an_epsilon_of_zero():
    """PyTorch accepts eps = 0, but for batches in training, and makes NaN or 0 of constants; rawseg refuses it everywhere."""
    calls = (
        lambda f, x, s: f.batch_norm(x, *s, eps=0.0),
        lambda f, x, s: f.group_norm(x, 1, eps=0.0),
        lambda f, x, s: f.layer_norm(x, (4,), eps=0.0),
        lambda f, x, s: f.instance_norm(x, eps=0.0),
    )
    for call in calls:
        zeros = np.zeros_like(X), (np.zeros(2, np.float32), np.zeros(2, np.float32))
        out = call(TF, torch.tensor(zeros[0]), tuple(map(torch.tensor, zeros[1]))).numpy()
        assert not out.any() if call is calls[-1] else np.isnan(out).all()
        with pytest.raises(ArgumentError, match=r"eps: expected greater than 0, got 0\.0"):
            call(F, *zeros)


@pytest.mark.spec("batch_norm.domain")
def test_a_momentum_beyond_one():
    """PyTorch accepts a momentum above 1, which moves statistics beyond the batch's; rawseg refuses it."""
    mean, var = torch.zeros(2), torch.ones(2)
    TF.batch_norm(torch.tensor(X), mean, var, training=True, momentum=2.0)
    np.testing.assert_allclose(mean.numpy(), 2 * X.mean((0, 2)), rtol=1e-5)
    with pytest.raises(ArgumentError, match="momentum: expected between 0 and 1, got 2"):
        F.batch_norm(X, np.zeros(2, np.float32), np.ones(2, np.float32), training=True, momentum=2.0)


@pytest.mark.spec("batch_norm.nonfinite-batch", "instance_norm.running")
@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_a_batch_that_is_not_finite(bad):
    """PyTorch's running statistics become inf or NaN for ever; rawseg's channel keeps what it had."""
    x = X.copy()
    x[0, 1, 2] = bad
    for name, options in (("batch_norm", {"training": True}), ("instance_norm", {})):
        mean, var = torch.zeros(2), torch.ones(2)
        getattr(TF, name)(torch.tensor(x), mean, var, **options)
        assert not np.isfinite([mean[1], var[1]]).any()
        mean, var = np.zeros(2, np.float32), np.ones(2, np.float32)
        getattr(F, name)(x, mean, var, **options)
        assert (mean[1], var[1]) == (0, 1)
        assert mean[0] != 0


@pytest.mark.spec("instance_norm.running")
def test_an_empty_batch_of_instances():
    """PyTorch's running statistics become NaN; rawseg's stay."""
    mean, var = torch.zeros(2), torch.ones(2)
    TF.instance_norm(torch.zeros(0, 2, 4), mean, var)
    assert mean.isnan().all()
    assert var.isnan().all()
    mean, var = rawseg.zeros(2), rawseg.ones(2)
    F.instance_norm(rawseg.zeros(0, 2, 4), mean, var)
    assert (mean.tolist(), var.tolist()) == ([0, 0], [1, 1])


@pytest.mark.spec("group_norm.one-value")
def test_a_group_of_one_value():
    """PyTorch refuses it in a batch of one and returns the bias in a batch of two; rawseg refuses it in any."""
    with pytest.raises(ValueError, match="Expected more than 1 value per channel"):
        TF.group_norm(torch.ones(1, 4, 1), 4)
    assert not TF.group_norm(torch.randn(2, 4, 1), 4).any()
    for n in (1, 2):
        with pytest.raises(ShapeError, match="input: expected more than 1 value per group, got 1"):
            F.group_norm(rawseg.ones(n, 4, 1), 4)


@pytest.mark.spec("instance_norm.statistics")
def test_a_layer_of_instances_for_other_channels():
    """PyTorch only warns of a wrong number of channels where nothing is learned; rawseg refuses."""
    with pytest.warns(UserWarning, match="does not match num_features"):
        torch.nn.InstanceNorm2d(3)(torch.randn(1, 2, 4, 4))
    with pytest.raises(ShapeError, match=r"InstanceNorm2d: input: expected shape \(N, 3, H, W\)"):
        nn.InstanceNorm2d(3)(rawseg.randn(1, 2, 4, 4))


@pytest.mark.spec("group_norm.statistics")
def test_a_shift_without_a_scale():
    """PyTorch's group_norm with a bias and no weight has no gradient; rawseg's has."""
    x, bias = torch.randn(2, 4, 2, 2, requires_grad=True), torch.zeros(4, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"is invalid for input of size|does not have a device"):
        TF.group_norm(x, 2, None, bias).sum().backward()
    shift = rawseg.zeros(4, requires_grad=True)
    F.group_norm(rawseg.randn(2, 4, 2, 2), 2, None, shift).sum().backward()
    assert shift.grad.tolist() == [8] * 4
