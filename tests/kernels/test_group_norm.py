"""Group normalisation: statistics of groups in double, gradients through them, and what may not be normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from batch_norm_cases import EPS
from bounds import assert_within, gamma
from complex_step import assert_complex_step
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits
from row_norm_cases import drawn, expected, forward_error, gradient_error, last_rounding, statistics

from rawseg_kernels import _memory, batch_norm, group_norm
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.group_norm import reference

DTYPES = [np.float32, np.float64]


@st.composite
def cases(draw, dtype):
    """Draw ``(groups, x, weight, bias, grad_output)`` with no, one or two spatial axes; a group has two values at least."""
    groups, per_group = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    spatial = draw(st.sampled_from([(1,), (3,), (2, 3), (4, 1), (9, 8)] if per_group == 1 else [(), (1, 1), (3,), (9, 8)]))
    spatial = (2,) if per_group * int(np.prod(spatial)) == 1 else spatial
    shape = draw(st.integers(1, 3)), groups * per_group, *spatial
    return groups, *drawn(draw, shape, shape[1], dtype)


def rows(array, groups):
    """Return ``(N * groups, values of a group)``."""
    return array.reshape(len(array) * groups, -1)


def per_value(channels, x, groups):
    """Give a (C,) array the shape of the rows."""
    return rows(np.broadcast_to(channels.reshape(-1, *[1] * (x.ndim - 2)), x.shape), groups)


@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
@pytest.mark.spec("group_norm.statistics")
def test_by_hand(algorithm):
    x = np.array([[1, 5, 10, 10], [3, 5, 0, 40]], np.float32)  # two images, two groups of two channels
    weight, bias = np.array([1, 2, 3, 4], np.float32), np.array([0, 1, 0, -1], np.float32)
    out, mean, inv_std, variance = group_norm.forward(x, 2, weight, bias, 12.0, algorithm)
    assert mean.tolist() == [[3, 10], [4, 20]]
    assert variance.tolist() == [[4, 0], [1, 400]]  # biased
    assert inv_std.tolist() == [[0.25, 1 / np.sqrt(12)], [1 / np.sqrt(13), 1 / np.sqrt(412)]]
    assert out[0].tolist() == [-0.5, 2, 0, -1]
    assert mean.dtype == inv_std.dtype == variance.dtype == np.float64
    # One image, one group: z = (-1/4, 1/4), h = weight g = (0, 4), average(h) = 2, average(h z) = 1/2.
    x, grad = np.array([[-1.0, 1.0]]), np.array([[8.0, 1.0]])
    stats = group_norm.forward(x, 1, eps=15.0, algorithm=algorithm)[1:3]
    grads = group_norm.backward(grad, x, 1, np.array([0.0, 4.0]), *stats, algorithm)
    assert [grad.tolist() for grad in grads] == [[[(0 - 2 + 0.125) / 4, (4 - 2 - 0.125) / 4]], [-2, 0.25], [8, 1]]


TEXT: Any = "1"
X = np.zeros((2, 4, 3), np.float32)
C4 = np.ones(4, np.float32)
STATS = np.zeros((2, 2))


@pytest.mark.proves("group_norm", "bad input")
@pytest.mark.spec("group_norm.domain", "group_norm.one-value")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: group_norm.forward(X[0, 0], 1), ShapeError, r"x: expected shape \(N, C, ...\), got shape \(3,\)"),
        (lambda: group_norm.forward(None, 1), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (lambda: group_norm.forward(X, 3), ArgumentError, "num_groups: expected a divisor of 4, the channels of x, got 3"),
        (lambda: group_norm.forward(X, 0), ArgumentError, "num_groups: expected at least 1, got 0"),
        (lambda: group_norm.forward(X, 2.0), ArgumentTypeError, "num_groups: expected an int, got 2.0"),
        (lambda: group_norm.forward(X, 2, C4[:2]), ShapeError, r"weight: expected shape \(4,\), got shape \(2,\)"),
        (lambda: group_norm.forward(X, 2, C4, C4[:2]), ShapeError, r"bias: expected shape \(4,\), got shape \(2,\)"),
        (lambda: group_norm.forward(X, 2, C4.astype(float)), DTypeError, "weight: expected float32, the dtype of x"),
        (lambda: group_norm.forward(X, 2, eps=0), ArgumentError, "eps: expected greater than 0, got 0.0"),
        (lambda: group_norm.forward(X, 2, eps=TEXT), ArgumentTypeError, "eps: expected a real number, got '1'"),
        (lambda: group_norm.forward(X, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (
            lambda: group_norm.forward(X[:, :, :1], 4),
            ShapeError,
            r"x: expected more than 1 value per group, got 1 \(input shape \(2, 4, 1\), num_groups=4\)",
        ),
        (lambda: group_norm.forward(X[:, :, 0], 4), ShapeError, "x: expected more than 1 value per group"),
        (lambda: group_norm.backward(X[:1], X, 2, C4, STATS, STATS), ShapeError, r"grad_output: expected shape \(2, 4, 3\)"),
        (lambda: group_norm.backward(X, X, 2, C4, STATS[:1], STATS), ShapeError, r"mean: expected shape \(2, 2\), got"),
        (lambda: group_norm.backward(X, X, 2, C4, STATS, None), ArgumentTypeError, "inv_std: expected a NumPy or CuPy array"),
        (
            lambda: group_norm.backward(X, X, 2, C4, STATS, STATS.astype(np.float32)),
            DTypeError,
            "inv_std: expected float64, as forward returns it, got float32",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=f"group_norm: {message}"):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 95)
    with pytest.raises(MemoryError, match="group_norm: out: expected at most 95 bytes, got 96 bytes"):
        group_norm.forward(X, 2)


@pytest.mark.spec("group_norm.empty")
@pytest.mark.parametrize("shape", [(0, 4), (0, 4, 3, 5), (2, 4, 0), (2, 0, 4)])
@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_nothing_to_normalise_gives_an_empty_output_and_no_gradient(shape, algorithm):
    x = np.zeros(shape, np.float32)
    out, mean, inv_std, variance = group_norm.forward(x, 2, algorithm=algorithm)
    assert out.shape == shape
    assert mean.shape == inv_std.shape == variance.shape == (shape[0], 2)
    assert not mean.any()
    assert not variance.any()
    grads = group_norm.backward(x, x, 2, None, mean, inv_std, algorithm)
    assert grads[0].shape == shape
    assert [grad.tolist() for grad in grads[1:]] == [[0] * shape[1]] * 2


@pytest.mark.proves("group_norm", "bound", "torch", "reference", "cpu")
@pytest.mark.spec("group_norm.statistics")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_values_stay_within_the_bound_of_exact_statistics(dtype, algorithm, data):
    groups, x, weight, bias, _ = data.draw(cases(dtype))
    out, mean, inv_std, variance = group_norm.forward(x, groups, weight, bias, EPS, algorithm)
    exact_mean, exact_variance = statistics(rows(x, groups))
    dm, dv, error = forward_error(rows(x, groups), weight, bias)
    assert_within(mean.ravel(), exact_mean, dm + 2.0**-53 * abs(exact_mean), "mean")
    assert_within(variance.ravel(), exact_variance, dv + 2.0**-53 * exact_variance, "variance")
    relative = dv / (exact_variance + EPS) + gamma(8, np.float64)
    assert_within(inv_std.ravel(), 1 / np.sqrt(exact_variance + EPS), inv_std.ravel() * relative)
    affine = [per_value(array.astype(np.float64), x, groups) for array in (weight, bias)]
    want = expected(rows(x, groups), *affine)
    last = last_rounding(abs(want) + error, dtype)
    assert_within(rows(out, groups), want, error + last, "out")
    tensors = [torch.tensor(array.astype(np.float64)) for array in (x, weight, bias)]
    if x.size > groups:  # PyTorch refuses a single group of one value
        assert_within(out, TF.group_norm(tensors[0], groups, *tensors[1:], EPS).numpy(), (2 * error + last).reshape(x.shape))
    loops = group_norm.forward(x, groups, weight, bias, EPS, "reference")
    assert_within(out, loops[0], 2 * (error + last).reshape(x.shape), "loops")


@pytest.mark.proves("group_norm", "bound", "torch", "reference", "cpu", "first order")
@pytest.mark.spec("group_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_gradients_stay_within_the_bound_of_loops_and_torch(dtype, algorithm, data):
    groups, x, weight, bias, grad = data.draw(cases(dtype))
    _, mean, inv_std, _ = group_norm.forward(x, groups, weight, bias, EPS)
    got = group_norm.backward(grad, x, groups, weight, mean, inv_std, algorithm)
    wide = [array.astype(np.float64) for array in (grad, x, weight)]
    want = group_norm.backward(wide[0], wide[1], groups, wide[2], mean, inv_std, "reference")
    tensors = [torch.tensor(array) for array in (*wide, mean, inv_std)]
    n, c = x.shape[:2]
    sizes = n, c, x.size // (n * c), groups
    oracle = torch.ops.aten.native_group_norm_backward(tensors[0], tensors[1], *tensors[3:], tensors[2], *sizes, [True] * 3)
    axes = (0, *range(2, x.ndim))
    arrays = rows(grad, groups), rows(x, groups), per_value(weight, x, groups), mean.ravel(), inv_std.ravel()
    for wants, centred in ((want, True), ([array.numpy() for array in oracle], False)):
        bounds = gradient_error(*arrays, lambda terms: terms.reshape(x.shape).sum(axes), centred)
        for one, other, bound in zip(got, wants, bounds):
            assert_within(one, other, bound.reshape(one.shape) + last_rounding(other, dtype), f"loops {centred}")


@pytest.mark.proves("group_norm", "complex step")
@pytest.mark.spec("group_norm.backward")
@given(cases(np.float64))
def test_gradients_equal_the_complex_step(case):
    groups, x, weight, bias, _ = case
    x = (rows(x, groups) - rows(x, groups).mean(1, keepdims=True)).reshape(x.shape)  # conditioning is tested above
    parts = len(x) * groups, x.shape[1] // groups, -1

    def forward(x, weight, bias):
        return reference.forward(x.reshape(parts), weight, bias, EPS)[0].reshape(x.shape)

    def gradients(grad, x, weight, bias):
        _, mean, inv_std, _ = group_norm.forward(x, groups, weight, bias, EPS)
        return group_norm.backward(grad, x, groups, weight, mean, inv_std)

    assert_complex_step(forward, gradients, [x, weight, bias], np.random.default_rng(0))


@pytest.mark.spec("group_norm.statistics", "group_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
def test_large_planes_are_summed_in_stretches(dtype):
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((2, 4, 33, 67)).astype(dtype) for _ in range(2))
    weight, bias = rng.standard_normal((2, 4)).astype(dtype)
    out, mean, inv_std, _ = group_norm.forward(x, 2, weight, bias, EPS)
    want = group_norm.forward(x, 2, weight, bias, EPS, "reference")[0]
    # a sum errs by that share; a normal number times a weight is below 25, and mean, variance and value err
    assert_within(out, want, gamma(4 * x.size, np.float64) * 1e2 + 2 * last_rounding(want, dtype))
    got = group_norm.backward(grad, x, 2, weight, mean, inv_std)
    loops = group_norm.backward(grad, x, 2, weight, mean, inv_std, "reference")
    arrays = rows(grad, 2), rows(x, 2), per_value(weight, x, 2), mean.ravel(), inv_std.ravel()
    bounds = gradient_error(*arrays, lambda terms: terms.reshape(x.shape).sum((0, 2, 3)))
    for one, other, bound in zip(got, loops, bounds):
        assert_within(one, other, bound.reshape(one.shape) + 2 * last_rounding(other, dtype))


@pytest.mark.proves("group_norm", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((2, 6, 5, 13)).astype(dtype) for _ in range(2))  # 65 pixels: more than one round of lanes
    weight, bias = rng.standard_normal((2, 6)).astype(dtype)
    assert_promises(monkeypatch, lambda *arrays: group_norm.forward(arrays[0], 3, *arrays[1:]), x, weight, bias)
    _, mean, inv_std, _ = group_norm.forward(x, 3)
    backward = lambda grad, x, *arrays: group_norm.backward(grad, x, 3, *arrays)  # noqa: E731
    assert_promises(monkeypatch, backward, grad, x, weight, mean, inv_std)


@pytest.mark.spec("group_norm.statistics")
def test_images_and_groups_do_not_see_each_other():
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 7)).astype(np.float32)
    out = group_norm.forward(x, 2)[0]
    for b in range(3):
        assert_same_bits(group_norm.forward(x[b : b + 1], 2)[0], out[b : b + 1])
    x[1, 2] = np.nan
    poisoned = group_norm.forward(x, 2)[0]
    assert np.isnan(poisoned[1, 2:]).all()
    assert_same_bits(poisoned[[0, 2]], out[[0, 2]])
    assert_same_bits(poisoned[1, :2], out[1, :2])


@pytest.mark.spec("group_norm.statistics")
def test_a_group_of_an_image_is_a_channel_of_a_batch_of_one():
    x = np.random.default_rng(0).standard_normal((2, 4, 5, 7))
    out = batch_norm.forward_train(x.reshape(1, 4, 70))[0]
    error = forward_error(rows(x, 2), np.ones(4), np.zeros(4))[2]
    assert_within(rows(group_norm.forward(x, 2)[0], 2), out[0], 2 * error + last_rounding(abs(out[0]) + error, x.dtype))


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 2, 4, 3)).astype(np.float32)
    weight, bias = rng.standard_normal((2, 4)).astype(np.float32)
    want = reference.forward(x.reshape(4, 2, 3), weight, bias, EPS)
    got = group_norm.forward(x, 2, weight, bias, EPS, algorithm="reference")
    assert_same_bits(tuple(array.ravel() for array in got), tuple(array.ravel() for array in want))
    want = reference.backward(grad.reshape(4, 2, 3), x.reshape(4, 2, 3), weight, want[1], want[2])
    got = group_norm.backward(grad, x, 2, weight, got[1], got[2], algorithm="reference")
    assert_same_bits(tuple(array.ravel() for array in got), tuple(array.ravel() for array in want))
