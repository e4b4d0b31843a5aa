"""Group, instance and layer normalisation on Tensors, beside PyTorch's; and the running statistics of instances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from twins import DTYPES, SEEDS, numbers, ours, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError

CALLS = {
    "group_norm": lambda f, x, w, b: f.group_norm(x, 2, w, b),
    "instance_norm": lambda f, x, w, b: f.instance_norm(x, None, None, w, b),
    "layer_norm": lambda f, x, w, b: f.layer_norm(x, tuple(x.shape[2:]), w, b),
}


@pytest.mark.parametrize(
    "op", [pytest.param(op, marks=pytest.mark.proves(op, "torch", "first order", "bound")) for op in CALLS]
)
@given(st.integers(1, 3), st.sampled_from([(2,), (2, 3), (5, 1), (1, 2, 2)]), st.booleans(), DTYPES, SEEDS)
def test_values_and_gradients_as_torch(op, n, spatial, with_bias, dtype, seed):
    affine = spatial if op == "layer_norm" else (4,)
    arrays = [numbers(seed, n, 4, *spatial, dtype=dtype), numbers(seed + 1, *affine, dtype=dtype)]
    arrays += [numbers(seed + 2, *affine, dtype=dtype)] if with_bias else []
    g = numbers(seed + 3, *arrays[0].shape, dtype=dtype)
    got, grads = ours(lambda x, w, b=None: CALLS[op](F, x, w, b), arrays, g)
    want, wants = torchs(lambda x, w, b=None: CALLS[op](TF, x, w, b), arrays, g)
    # Everything is computed in float64: a last rounding, and at most 100 roundings of double on either side, of which the
    # reciprocal deviation (at most 1 / sqrt(eps)) enters thrice.
    worst = 316**3 * gamma(200, np.float64)
    for one, other in zip([got, *grads], [want, *wants]):
        assert_within(one, other, unit_roundoff(dtype) * abs(other) + worst * max(1, abs(g).sum()))


@pytest.mark.spec("instance_norm.statistics")
def test_an_instance_by_hand():
    x = rawseg.Tensor(np.array([[[1.0, 5], [10, 10]], [[0, 2], [6, 0]]]))  # (N, C, L)
    mean, var = np.array([0.0, 1]), np.array([1.0, 2])
    y = F.instance_norm(x, mean, var, np.array([2.0, 1]), np.array([1.0, 7]), momentum=0.5, eps=12.0)
    assert y[0].tolist() == [[0, 2], [7, 7]]  # -2 and 2 over 4, times 2 plus 1; 0 over anything plus 7
    assert mean.tolist() == [0.5 * 0 + 0.5 * (3 + 1) / 2, 0.5 * 1 + 0.5 * (10 + 3) / 2]
    assert var.tolist() == [0.5 * 1 + 0.5 * (8 + 2) / 2, 0.5 * 2 + 0.5 * (0 + 18) / 2]  # unbiased
    y = F.instance_norm(x, np.array([1.0, 0]), np.array([4.0, 1]), use_input_stats=False, eps=12.0)
    np.testing.assert_allclose(y[0].numpy(), [[0, 1], [10 / 13**0.5] * 2], rtol=1e-15)


@pytest.mark.proves("instance_norm", "torch")
@pytest.mark.spec("instance_norm.running")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3, 2, 5), (2, 3, 4, 5), (1, 2, 1, 2)])
def test_running_statistics_as_torch(shape, dtype):
    x = numbers(0, *shape, dtype=dtype) * 3 + 5
    statistics = [numbers(1, shape[1], dtype=dtype), abs(numbers(2, shape[1], dtype=dtype))]
    tensors = [rawseg.Tensor(array.copy()) for array in statistics]
    twins = [torch.tensor(array.astype(np.float64)) for array in statistics]
    F.instance_norm(rawseg.Tensor(x), *tensors, momentum=0.3)
    TF.instance_norm(torch.tensor(x.astype(np.float64)), *twins, momentum=0.3)
    # sums of at most 60 terms in float64, squares below 400; one rounding to the dtype
    for got, want in zip(tensors, twins):
        bound = 2 * gamma(80, np.float64) * 400 + np.finfo(dtype).eps / 2 * abs(want.numpy())
        assert_within(got.numpy(), want.numpy(), bound, "running")


@pytest.mark.spec("instance_norm.running")
def test_statistics_that_are_not_finite_are_not_kept():
    x = numbers(0, 2, 3, 4, dtype=np.float32)
    x[1, 1, 2] = np.inf
    mean, var = rawseg.zeros(3), rawseg.ones(3)
    y = F.instance_norm(x, mean, var)
    assert np.isnan(y.numpy()[1, 1]).all()
    assert np.isfinite(np.delete(y.numpy().reshape(6, 4), 4, 0)).all()
    assert (mean[1].item(), var[1].item()) == (0, 1)
    assert mean[0].item() != 0
    assert var[2].item() != 1


@pytest.mark.spec("instance_norm.running", "group_norm.empty")
def test_an_empty_batch_leaves_the_statistics():
    mean, var = np.array([1.0, 2]), np.array([3.0, 4])
    x = rawseg.zeros(0, 2, 3, 3, dtype=np.float64, requires_grad=True)
    weight = rawseg.ones(2, dtype=np.float64, requires_grad=True)
    y = F.instance_norm(x, mean, var, weight)
    y.sum().backward()
    assert y.shape == x.grad.shape == (0, 2, 3, 3)
    assert weight.grad.tolist() == [0, 0]
    assert (mean.tolist(), var.tolist()) == ([1, 2], [3, 4])


X = rawseg.Tensor(np.arange(24.0).reshape(2, 4, 3))
MEAN, VAR = np.arange(4.0), np.ones(4)


@pytest.mark.proves("instance_norm", "bad input")
@pytest.mark.spec("instance_norm.one-value", "instance_norm.running")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((X[:, :, 0],), ShapeError, r"input: expected shape \(N, C, L, ...\), got shape \(2, 4\)"),
        (
            (X[:, :, :1], MEAN, VAR),
            ShapeError,
            r"input: expected more than 1 value per channel of an image, got 1 \(input shape \(2, 4, 1\)\)",
        ),
        ((X, MEAN, VAR, rawseg.ones(3).double()), ShapeError, r"weight: expected shape \(4,\)"),
        ((X, MEAN, VAR, None, rawseg.ones(4)), DTypeError, "bias: expected float64"),
        ((X, MEAN, VAR, None, None, True, 1.5), ArgumentError, "momentum: expected between 0 and 1, got 1.5"),
        ((X, MEAN, VAR, None, None, True, 0.1, 0), ArgumentError, "eps: expected greater than 0"),
        ((X, MEAN, VAR, None, None, 1), ArgumentTypeError, "use_input_stats: expected a bool, got 1"),
        ((X, MEAN, -VAR), ArgumentError, "running_var: expected no negative value"),
        ((X, MEAN * np.nan, VAR), ArgumentError, "running_mean: expected finite values"),
        ((X, MEAN, VAR[:2]), ShapeError, r"running_var: expected shape \(4,\), got shape \(2,\)"),
        ((X, MEAN, None), ArgumentError, "running_var: expected running_mean and running_var, or neither"),
        ((X, None, None, None, None, False), ArgumentError, "running_mean: expected running_mean and running_var, or neither"),
    ],
)
def test_after_an_error_the_statistics_are_what_they_were(arguments, error, message):
    before = [None if a is None else a.tobytes() for a in arguments[1:3]]
    with pytest.raises(error, match=f"instance_norm: {message}"):
        F.instance_norm(*arguments)
    assert [None if a is None else a.tobytes() for a in arguments[1:3]] == before


@pytest.mark.proves("group_norm", "bad input")
@pytest.mark.spec("group_norm.domain", "group_norm.one-value", "layer_norm.domain")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: F.group_norm(X, 3),
            ArgumentError,
            "group_norm: num_groups: expected a divisor of 4, the channels of input, got 3",
        ),
        (lambda: F.group_norm(X[:, :, :1], 4), ShapeError, "group_norm: input: expected more than 1 value per group, got 1"),
        (lambda: F.layer_norm(X, (4,)), ShapeError, r"layer_norm: input: expected last axes \(4,\), the normalized_shape"),
        (lambda: F.layer_norm(X, 3), ArgumentError, "layer_norm: normalized_shape: expected at least one size, got 3"),
    ],
)
def test_errors_name_the_public_function(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("group_norm.statistics", "instance_norm.statistics", "layer_norm.statistics")
def test_one_family():
    """Instances are groups of one channel, and an image is a single group or a row."""
    x = numbers(0, 2, 4, 3, 5, dtype=np.float32)
    assert F.instance_norm(x).tolist() == F.group_norm(x, 4).tolist()
    whole, row = F.group_norm(x, 1).numpy(), F.layer_norm(x, [4, 3, 5]).numpy()
    assert_within(whole, row, 2.0**-23 * abs(row))
