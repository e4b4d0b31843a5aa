"""Layer normalisation: statistics of rows in double, gradients through them, and their sums down the columns."""

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

from rawseg_kernels import _memory, layer_norm
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.layer_norm import reference

DTYPES = [np.float32, np.float64]


@st.composite
def cases(draw, dtype):
    """Draw ``(shape, x, weight, bias, grad_output)``; rows of one value, longer than the lanes, or 130 of them: three parts."""
    shape = draw(st.sampled_from([(1,), (2,), (3,), (2, 3), (1, 4, 2), (71,)]))
    lead = draw(st.sampled_from([(), (1,), (2,), (3, 2), (1, 1)] + ([] if shape == (71,) else [(2, 65)])))
    return shape, *drawn(draw, (*lead, *shape), shape, dtype)


def rows(array, shape):
    return array.reshape(-1, int(np.prod(shape)))


@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
@pytest.mark.spec("layer_norm.statistics", "layer_norm.one-value")
def test_by_hand(algorithm):
    x = np.array([[1, 5], [7, 7]], np.float32)
    weight, bias = np.array([2, 3], np.float32), np.array([1, -1], np.float32)
    out, mean, inv_std = layer_norm.forward(x, (2,), weight, bias, 12.0, algorithm)
    assert mean.tolist() == [3, 7]
    assert inv_std.tolist() == [0.25, 1 / np.sqrt(12)]
    assert out.tolist() == [[0, 0.5], [1, -1]]  # -1/2 * 2 + 1 and 1/2 * 3 - 1
    assert mean.dtype == inv_std.dtype == np.float64
    # One row: z = (-1/4, 1/4), h = weight g = (0, 4), average(h) = 2, average(h z) = 1/2.
    x, grad = np.array([[-1.0, 1.0]]), np.array([[8.0, 1.0]])
    stats = layer_norm.forward(x, (2,), eps=15.0, algorithm=algorithm)[1:]
    grads = layer_norm.backward(grad, x, (2,), np.array([0.0, 4.0]), *stats, algorithm)
    assert [grad.tolist() for grad in grads] == [[[(0 - 2 + 0.125) / 4, (4 - 2 - 0.125) / 4]], [-2, 0.25], [8, 1]]
    assert layer_norm.forward(np.array([5.0, 3.0]).reshape(2, 1), (1,), algorithm=algorithm)[0].tolist() == [[0], [0]]


TEXT: Any = "1"
X = np.zeros((2, 4, 3), np.float32)
W = np.ones((4, 3), np.float32)
STATS = np.zeros(2)


@pytest.mark.proves("layer_norm", "bad input")
@pytest.mark.spec("layer_norm.domain")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: layer_norm.forward(None, (3,)), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (
            lambda: layer_norm.forward(X, (4,)),
            ShapeError,
            r"x: expected last axes \(4,\), the normalized_shape, got",
        ),
        (lambda: layer_norm.forward(X, (1, 2, 4, 3)), ShapeError, r"x: expected last axes \(1, 2, 4, 3\)"),
        (lambda: layer_norm.forward(X, ()), ArgumentError, r"normalized_shape: expected at least one size, got \(\)"),
        (lambda: layer_norm.forward(X, TEXT), ArgumentError, "normalized_shape: expected at least one size, got '1'"),
        (lambda: layer_norm.forward(X, (3.0,)), ArgumentTypeError, "normalized_shape: expected an int, got 3.0"),
        (lambda: layer_norm.forward(X, (4, 3), W[0]), ShapeError, r"weight: expected shape \(4, 3\), got shape \(3,\)"),
        (lambda: layer_norm.forward(X, (4, 3), W, W[:1]), ShapeError, r"bias: expected shape \(4, 3\), got shape \(1, 3\)"),
        (lambda: layer_norm.forward(X, (4, 3), W.astype(float)), DTypeError, "weight: expected float32, the dtype of x"),
        (lambda: layer_norm.forward(X, (3,), eps=0), ArgumentError, "eps: expected greater than 0, got 0.0"),
        (lambda: layer_norm.forward(X, (3,), eps=TEXT), ArgumentTypeError, "eps: expected a real number, got '1'"),
        (lambda: layer_norm.forward(X, (3,), algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (
            lambda: layer_norm.backward(X[:1], X, (4, 3), W, STATS, STATS),
            ShapeError,
            r"grad_output: expected shape \(2, 4, 3\)",
        ),
        (lambda: layer_norm.backward(X, X, (4, 3), W, STATS[:1], STATS), ShapeError, r"mean: expected shape \(2,\), got"),
        (lambda: layer_norm.backward(X, X, (4, 3), W, STATS, None), ArgumentTypeError, "inv_std: expected a NumPy or CuPy"),
        (
            lambda: layer_norm.backward(X, X, (4, 3), W, STATS, STATS.astype(np.float32)),
            DTypeError,
            "inv_std: expected float64, as forward returns it, got float32",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=f"layer_norm: {message}"):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 95)
    with pytest.raises(MemoryError, match="layer_norm: out: expected at most 95 bytes, got 96 bytes"):
        layer_norm.forward(X, (3,))


@pytest.mark.spec("layer_norm.empty")
@pytest.mark.parametrize(("shape", "last"), [((0, 4), 1), ((2, 0), 1), ((0,), 1), ((2, 0, 3), 2), ((0, 2, 3), 2)])
@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_nothing_to_normalise_gives_an_empty_output_and_no_gradient(shape, last, algorithm):
    x = np.zeros(shape, np.float32)
    out, mean, inv_std = layer_norm.forward(x, shape[-last:], algorithm=algorithm)
    assert out.shape == shape
    assert mean.shape == inv_std.shape == shape[:-last]
    grads = layer_norm.backward(x, x, shape[-last:], None, mean, inv_std, algorithm)
    assert grads[0].shape == shape
    assert grads[1].shape == grads[2].shape == shape[-last:]
    assert not any(grad.any() for grad in grads)


@pytest.mark.proves("layer_norm", "bound", "torch", "reference", "cpu")
@pytest.mark.spec("layer_norm.statistics")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_values_stay_within_the_bound_of_exact_statistics(dtype, algorithm, data):
    shape, x, weight, bias, _ = data.draw(cases(dtype))
    out, mean, inv_std = layer_norm.forward(x, shape, weight, bias, EPS, algorithm)
    flat = rows(x, shape)
    exact_mean, exact_variance = statistics(flat)
    dm, dv, error = forward_error(flat, weight, bias)
    assert_within(mean.ravel(), exact_mean, dm + 2.0**-53 * abs(exact_mean), "mean")
    relative = dv / (exact_variance + EPS) + gamma(8, np.float64)
    assert_within(inv_std.ravel(), 1 / np.sqrt(exact_variance + EPS), inv_std.ravel() * relative)
    want = expected(flat, *(array.astype(np.float64).ravel() for array in (weight, bias)))
    last = last_rounding(abs(want) + error, dtype)
    assert_within(rows(out, shape), want, error + last, "out")
    tensors = [torch.tensor(array.astype(np.float64)) for array in (x, weight, bias)]
    assert_within(
        out, TF.layer_norm(tensors[0], shape, *tensors[1:], EPS).numpy(), (2 * error + last).reshape(x.shape), "torch"
    )
    loops = layer_norm.forward(x, shape, weight, bias, EPS, "reference")[0]
    assert_within(out, loops, 2 * (error + last).reshape(x.shape), "loops")


@pytest.mark.proves("layer_norm", "bound", "torch", "reference", "cpu", "first order")
@pytest.mark.spec("layer_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_gradients_stay_within_the_bound_of_loops_and_torch(dtype, algorithm, data):
    shape, x, weight, bias, grad = data.draw(cases(dtype))
    _, mean, inv_std = layer_norm.forward(x, shape, weight, bias, EPS)
    got = layer_norm.backward(grad, x, shape, weight, mean, inv_std, algorithm)
    wide = [array.astype(np.float64) for array in (grad, x, weight)]
    want = layer_norm.backward(wide[0], wide[1], shape, wide[2], mean, inv_std, "reference")
    leaves = [torch.tensor(array, requires_grad=True) for array in (wide[1], wide[2], bias.astype(np.float64))]
    oracle = torch.autograd.grad(TF.layer_norm(leaves[0], shape, *leaves[1:], EPS), leaves, torch.tensor(wide[0]))
    arrays = rows(grad, shape), rows(x, shape), weight.reshape(1, -1), mean.ravel(), inv_std.ravel()
    for wants, centred in ((want, True), ([array.numpy() for array in oracle], False)):
        for one, other, bound in zip(got, wants, gradient_error(*arrays, lambda terms: terms.sum(0), centred)):
            assert_within(one, other, bound.reshape(one.shape) + last_rounding(other, dtype), f"centred {centred}")


@pytest.mark.proves("layer_norm", "complex step")
@pytest.mark.spec("layer_norm.backward")
@given(cases(np.float64))
def test_gradients_equal_the_complex_step(case):
    shape, x, weight, bias, _ = case
    x = (rows(x, shape) - rows(x, shape).mean(1, keepdims=True)).reshape(x.shape)  # conditioning is tested above

    def forward(x, weight, bias):
        return reference.forward(rows(x, shape), weight.ravel(), bias.ravel(), EPS)[0].reshape(x.shape)

    def gradients(grad, x, weight, bias):
        _, mean, inv_std = layer_norm.forward(x, shape, weight, bias, EPS)
        return layer_norm.backward(grad, x, shape, weight, mean, inv_std)

    assert_complex_step(forward, gradients, [x, weight, bias], np.random.default_rng(0))


@pytest.mark.spec("layer_norm.statistics", "layer_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 2051), (67, 1030)])
def test_long_rows_are_taken_in_stretches(dtype, shape):
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal(shape).astype(dtype) for _ in range(2))
    weight, bias = rng.standard_normal((2, shape[1])).astype(dtype)
    out, mean, inv_std = layer_norm.forward(x, shape[1:], weight, bias, EPS)
    want = layer_norm.forward(x, shape[1:], weight, bias, EPS, "reference")
    # a sum errs by that share; a normal number times a weight is below 25, and mean, variance and value err
    error = gamma(4 * shape[1], np.float64) * 1e2
    assert_within(out, want[0], error + 2 * last_rounding(want[0], dtype))
    got = layer_norm.backward(grad, x, shape[1:], weight, mean, inv_std)
    loops = layer_norm.backward(grad, x, shape[1:], weight, mean, inv_std, "reference")
    bounds = gradient_error(grad, x, weight[None], mean, inv_std, lambda terms: terms.sum(0))
    for one, other, bound in zip(got, loops, bounds):
        assert_within(one, other, bound + 2 * last_rounding(other, dtype))


@pytest.mark.proves("layer_norm", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
def test_promises(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    x, grad = (rng.standard_normal((3, 50, 2, 35)).astype(dtype) for _ in range(2))  # 150 rows of 70 values
    weight, bias = rng.standard_normal((2, 2, 35)).astype(dtype)
    assert_promises(monkeypatch, lambda *arrays: layer_norm.forward(arrays[0], (2, 35), *arrays[1:]), x, weight, bias)
    _, mean, inv_std = layer_norm.forward(x, (2, 35))
    backward = lambda grad, x, *arrays: layer_norm.backward(grad, x, (2, 35), *arrays)  # noqa: E731
    assert_promises(monkeypatch, backward, grad, x, weight, mean, inv_std)


@pytest.mark.spec("layer_norm.statistics")
def test_rows_do_not_see_each_other():
    x = np.random.default_rng(0).standard_normal((3, 4, 7)).astype(np.float32)
    out = layer_norm.forward(x, (7,))[0]
    x[1, 2, 3] = np.inf
    poisoned = layer_norm.forward(x, (7,))[0]
    assert np.isnan(poisoned[1, 2]).all()
    poisoned[1, 2] = out[1, 2]
    assert_same_bits(poisoned, out)


@pytest.mark.spec("layer_norm.backward")
def test_an_infinite_mean_gives_infinite_gradients_as_in_the_loops():
    x, grad, weight = np.zeros((1, 3)), np.ones((1, 3)), np.ones(3)
    arrays = grad, x, (3,), weight, np.array([np.inf]), np.ones(1)
    want = layer_norm.backward(*arrays, "reference")
    assert np.isneginf(want[0]).all()
    assert_same_bits(layer_norm.backward(*arrays), want)  # what lies beside a row is no number to multiply by


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 4, 6)).astype(np.float32)
    weight, bias = rng.standard_normal((2, 6)).astype(np.float32)
    want = reference.forward(x, weight, bias, EPS)
    assert_same_bits(layer_norm.forward(x, (6,), weight, bias, EPS, algorithm="reference"), want)
    got = layer_norm.backward(grad, x, (6,), weight, *want[1:], algorithm="reference")
    assert_same_bits(got, reference.backward(grad, x, weight, *want[1:]))
