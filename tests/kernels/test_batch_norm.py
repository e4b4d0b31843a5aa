"""Batch normalisation: statistics in double, gradients through them, and what may not be normalised."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg_kernels import _memory, batch_norm
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.batch_norm import reference

DTYPES = [np.float32, np.float64]
EPS = 1e-5
U = unit_roundoff(np.float64)


@st.composite
def cases(draw, at_least: int = 2):
    """Draw ``(x, weight, bias, grad_output)``; no, one or two spatial axes, and a mean far from 0 half of the time."""
    dtype = draw(st.sampled_from(DTYPES))
    spatial = draw(st.sampled_from([(), (1,), (3,), (2, 3), (1, 1), (4, 1)]))
    batch = draw(st.integers(at_least if np.prod(spatial) < 2 else 1, 4))
    channels = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.standard_normal((batch, channels, *spatial)) * 10.0 ** rng.integers(-2, 3) + draw(st.sampled_from([0.0, 1e3]))
    weight, bias = rng.standard_normal(channels), rng.standard_normal(channels)
    return tuple(array.astype(dtype) for array in (x, weight, bias, rng.standard_normal(x.shape)))


def per_channel(values, x):
    """Give a (C,) array the axes of ``x``."""
    return np.asarray(values, np.float64).reshape(1, -1, *[1] * (x.ndim - 2))


def flat(array):
    return array.reshape(*array.shape[:2], -1)


def exact_statistics(x):
    """Return mean and biased variance of every channel in rational arithmetic, rounded once."""
    mean, variance = [], []
    for k in range(x.shape[1]):
        values = [Fraction(float(value)) for value in x[:, k].ravel()]
        centre = sum(values) / len(values)
        mean.append(float(centre))
        variance.append(float(sum((value - centre) ** 2 for value in values) / len(values)))
    return np.array(mean), np.array(variance)


def forward_bounds(x, weight, bias, mean, variance):
    """Bound the errors of mean, variance and output of a two-pass computation in double, before the last rounding.

    The mean is off by at most ``dm = gamma_n mean|x|``; the variance around that mean is larger by dm^2, and its sum of n
    squares has a relative error of gamma_(n+5). 1 / sqrt(v + eps) then has half of the relative error of v + eps, and a few
    roundings; twice each first-order term covers the higher orders.
    """
    count = x.size // x.shape[1]
    axes = (0, *range(2, x.ndim))
    dm = gamma(count + 2, np.float64) * np.abs(x, dtype=np.float64).mean(axes)
    dv = dm**2 + gamma(count + 5, np.float64) * (variance + dm**2)
    scale = np.abs(weight, dtype=np.float64) / np.sqrt(variance + EPS)
    relative = dv / (variance + EPS) + gamma(8, np.float64)
    distance = np.abs(x.astype(np.float64) - per_channel(mean, x))
    error = per_channel(scale, x) * (2 * per_channel(dm, x) + 2 * distance * per_channel(relative, x))
    rounding = gamma(4, np.float64) * (per_channel(scale, x) * distance + per_channel(np.abs(bias), x))
    return dm, dv, error + rounding


def test_by_hand():
    x = np.array([[1, 10], [3, 10], [5, 40]], np.float32)  # (N, C), no spatial axis
    out, mean, inv_std, variance = batch_norm.forward_train(x, eps=1.0)
    assert mean.tolist() == [3, 20]
    np.testing.assert_array_equal(variance, [8 / 3, 200])
    np.testing.assert_array_equal(inv_std, 1 / np.sqrt([8 / 3 + 1, 201]))
    np.testing.assert_array_equal(out, ((x - mean) * inv_std).astype(np.float32))
    assert mean.dtype == inv_std.dtype == variance.dtype == np.float64
    weight, bias = np.array([2, 3], np.float32), np.array([1, -1], np.float32)
    evaluated = batch_norm.forward_eval(x, weight, bias, np.array([1, 10], np.float32), np.array([3, 8], np.float32), 1.0)
    assert evaluated.tolist() == [[1, -1], [3, -1], [5, 29]]  # 2 (x - 1) / 2 + 1 and 3 (x - 10) / 3 - 1
    grads = batch_norm.backward_eval(x, x, weight, np.array([1, 10], np.float32), np.array([3, 8], np.float32), 1.0)
    assert [grad.tolist() for grad in grads] == [x.tolist(), [13, 400], [9, 60]]  # (0 + 6 + 20) / 2 and 1200 / 3


def test_gradient_by_hand():
    x = np.array([[-1.0], [1.0]])  # mean 0, variance 1; with eps = 3, inv_std = 1/2 and z = x / 2
    _, mean, inv_std, _ = batch_norm.forward_train(x, eps=3.0)
    grad_input, grad_weight, grad_bias = batch_norm.backward_train(np.array([[0.0], [4.0]]), x, None, mean, inv_std)
    assert (grad_weight.tolist(), grad_bias.tolist()) == ([2], [4])
    assert grad_input.tolist() == [[-0.75], [0.75]]  # (g - 2 - z * 1) / 2


X = np.zeros((2, 3, 4), np.float32)
C3 = np.ones(3, np.float32)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: batch_norm.forward_train(X[:, 0, 0]), ShapeError, r"batch_norm: x: expected shape \(N, C, ...\), got shape \(2,\)"),
        (lambda: batch_norm.forward_train(None), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (
            lambda: batch_norm.forward_train(X[:1, :, :1]),
            ShapeError,
            r"x: expected more than 1 value per channel in training, got 1 \(input shape \(1, 3, 1\)\)",
        ),
        (lambda: batch_norm.forward_train(X[:1, :, 0]), ShapeError, r"got 1 \(input shape \(1, 3\)\)"),
        (lambda: batch_norm.forward_train(X, C3[:2]), ShapeError, r"weight: expected shape \(3,\), got shape \(2,\)"),
        (lambda: batch_norm.forward_train(X, C3, C3[:2]), ShapeError, r"bias: expected shape \(3,\), got shape \(2,\)"),
        (lambda: batch_norm.forward_train(X, C3.astype(np.float64)), DTypeError, "weight: expected float32, the dtype of x"),
        (lambda: batch_norm.forward_train(X, eps=0), ArgumentError, "eps: expected greater than 0, got 0.0"),
        (lambda: batch_norm.forward_train(X, eps=np.nan), ArgumentError, "eps: expected a finite number, got nan"),
        (lambda: batch_norm.forward_train(X, eps="1"), ArgumentTypeError, "eps: expected a real number, got '1'"),
        (lambda: batch_norm.forward_train(X, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: batch_norm.forward_eval(X, C3, C3, None, C3), ArgumentTypeError, "running_mean: expected a NumPy or CuPy"),
        (lambda: batch_norm.forward_eval(X, C3, C3, C3, -C3), ArgumentError, "running_var: expected no negative value"),
        (lambda: batch_norm.forward_eval(X, C3, C3, C3, C3 * np.inf), ArgumentError, "running_var: expected finite values"),
        (lambda: batch_norm.backward_eval(X, X, C3, C3 * np.nan, C3), ArgumentError, "running_mean: expected finite values"),
        (lambda: batch_norm.backward_train(X, X, C3, C3, C3), DTypeError, "mean: expected float64, as forward_train returns it"),
        (lambda: batch_norm.backward_train(X[:1], X, C3, C3, C3), ShapeError, r"grad_output: expected shape \(2, 3, 4\)"),
        (lambda: batch_norm.backward_train(X, X, C3, np.ones(2), np.ones(3)), ShapeError, r"mean: expected shape \(3,\)"),
        (lambda: batch_norm.updated_running(C3, C3, 1.5), ArgumentError, "momentum: expected between 0 and 1, got 1.5"),
        (lambda: batch_norm.updated_running(C3, np.ones(2), 0.5), ShapeError, r"statistic: expected shape \(3,\)"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 95)
    with pytest.raises(MemoryError, match="batch_norm: out: expected at most 95 bytes, got 96 bytes"):
        batch_norm.forward_train(X)


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 5), (2, 3, 0), (2, 0, 4)])
def test_an_empty_batch_gives_an_empty_output_and_no_gradient(shape):
    x = np.zeros(shape, np.float32)
    out, mean, inv_std, variance = batch_norm.forward_train(x)
    assert out.shape == shape
    assert (mean == 0).all()
    assert (variance == 0).all()
    grads = batch_norm.backward_train(x, x, None, mean, inv_std)
    assert grads[0].shape == shape
    assert not grads[1].any()
    assert not grads[2].any()


@given(cases())
def test_training_stays_within_the_bound_of_exact_statistics(case):
    x, weight, bias, _ = case
    out, mean, inv_std, variance = batch_norm.forward_train(x, weight, bias, EPS)
    exact_mean, exact_variance = exact_statistics(x)
    dm, dv, error = forward_bounds(x, weight, bias, exact_mean, exact_variance)
    assert_within(mean, exact_mean, dm + U * np.abs(exact_mean), "mean")
    assert_within(variance, exact_variance, dv + U * exact_variance, "variance")
    assert_within(inv_std, 1 / np.sqrt(exact_variance + EPS), inv_std * (dv / (exact_variance + EPS) + gamma(8, np.float64)))
    doubles = x.astype(np.float64), weight.astype(np.float64), bias.astype(np.float64)
    normalised = (doubles[0] - per_channel(exact_mean, x)) / np.sqrt(per_channel(exact_variance, x) + EPS)
    want = normalised * per_channel(weight, x) + per_channel(bias, x)
    last = unit_roundoff(x.dtype) * (np.abs(want) + error) + smallest(2, x.dtype)
    assert_within(out, want, error + last, "out")
    tensors = [torch.from_numpy(array) for array in doubles]
    torch_out = torch.nn.functional.batch_norm(tensors[0], None, None, *tensors[1:], training=True, eps=EPS).numpy()
    assert_within(out, torch_out, 2 * error + last, "torch")
    loops = reference.forward_train(flat(x), weight, bias, EPS)
    assert_within(out, loops[0].reshape(x.shape), 2 * (error + last), "loops")


@given(cases(at_least=1))
def test_evaluation_stays_within_the_bound_of_loops_and_torch(case):
    x, weight, bias, grad_output = case
    running_mean, running_var = bias, weight * weight
    out = batch_norm.forward_eval(x, weight, bias, running_mean, running_var, EPS)
    doubles = [array.astype(np.float64) for array in (x, weight, bias, running_mean, running_var)]
    want = reference.forward_eval(flat(doubles[0]), *doubles[1:], EPS).reshape(x.shape)
    scale = np.abs(weight) / np.sqrt(running_var.astype(np.float64) + EPS)
    size = per_channel(scale, x) * (np.abs(doubles[0]) + np.abs(per_channel(running_mean, x))) + np.abs(per_channel(bias, x))
    bound = 2 * gamma(10, np.float64) * size
    last = unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
    assert_within(out, want, bound + last, "loops")
    tensors = [torch.from_numpy(doubles[i]) for i in (0, 3, 4, 1, 2)]
    assert_within(out, torch.nn.functional.batch_norm(*tensors, eps=EPS).numpy(), bound + last, "torch")
    grads = batch_norm.backward_eval(grad_output, x, weight, running_mean, running_var, EPS)
    wants = reference.backward_eval(flat(grad_output.astype(np.float64)), flat(doubles[0]), doubles[1], *doubles[3:], EPS)
    count = x.size // x.shape[1]
    sizes = reference.backward_eval(
        flat(np.abs(grad_output).astype(np.float64)),
        flat(np.abs(doubles[0]) + np.abs(per_channel(running_mean, x))),
        np.abs(doubles[1]),
        np.zeros_like(doubles[3]),
        doubles[4],
        EPS,
    )
    for got, want, size in zip(grads, wants, sizes):
        last = unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
        assert_within(flat(got) if got.ndim > 1 else got, want, 2 * gamma(count + 10, np.float64) * size + last, "backward")


@given(cases())
def test_gradients_stay_within_the_bound_of_loops_and_torch(case):
    x, weight, bias, grad_output = case
    _, mean, inv_std, _ = batch_norm.forward_train(x, weight, bias, EPS)
    grads = batch_norm.backward_train(grad_output, x, weight, mean, inv_std)
    doubles = [array.astype(np.float64) for array in (grad_output, x, weight)]
    wants = reference.backward_train(flat(doubles[0]), flat(doubles[1]), doubles[2], mean, inv_std)
    native = torch.ops.aten.native_batch_norm_backward(
        *(torch.from_numpy(array) for array in doubles), None, None, torch.from_numpy(mean), torch.from_numpy(inv_std), True, EPS,
        [True, True, True],
    )  # fmt: skip
    count, axes = x.size // x.shape[1], (0, *range(2, x.ndim))
    z = np.abs(doubles[1] - per_channel(mean, x)) * per_channel(inv_std, x)
    g = np.abs(doubles[0])
    total, moment = g.sum(axes), (g * z).sum(axes)
    size = (g + per_channel(total / count, x) + z * per_channel(moment / count, x)) * per_channel(np.abs(weight) * inv_std, x)
    for got, want, oracle, size in zip(grads, wants, native, (size, moment, total)):
        want = want.reshape(got.shape)
        last = unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
        bound = 2 * gamma(count + 12, np.float64) * size + last  # at most n + 12 roundings on the way to each value, on both sides
        assert_within(got, want, bound, "loops")
        assert_within(got, oracle.numpy(), bound, "torch")
    left = grads[0].astype(np.float64).sum(axes)  # a shift of x changes nothing
    own = unit_roundoff(x.dtype) * np.abs(grads[0], dtype=np.float64).sum(axes) + smallest(2 * count, x.dtype)
    z_sum = np.abs(((doubles[1] - per_channel(mean, x)) * per_channel(inv_std, x)).sum(axes))  # the mean is rounded too
    drift = np.abs(weight) * inv_std * z_sum * moment / count
    assert_within(left, 0 * left, own + 2 * drift + 2 * gamma(count + 12, np.float64) * size_of(size_total(g, z, weight, inv_std, x)), "sum")


def size_total(g, z, weight, inv_std, x):
    """Return the sizes of the terms of grad_input."""
    count, axes = x.size // x.shape[1], (0, *range(2, x.ndim))
    inner = g + per_channel(g.sum(axes) / count, x) + z * per_channel((g * z).sum(axes) / count, x)
    return inner * per_channel(np.abs(weight) * inv_std, x)


def size_of(terms):
    return terms.sum((0, *range(2, terms.ndim)))
