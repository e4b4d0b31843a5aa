"""Batch normalisation: statistics in double, gradients through them, and what may not be normalised."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from batch_norm_cases import EPS, cases, exact_statistics, flat, forward_bounds, gradient_sizes, per_channel
from bounds import assert_within, gamma, smallest, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg_kernels import _memory, batch_norm
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.batch_norm import reference

DTYPES = [np.float32, np.float64]
U = unit_roundoff(np.float64)


@pytest.mark.spec("batch_norm.training", "batch_norm.evaluation")
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


@pytest.mark.spec("batch_norm.backward")
def test_gradient_by_hand():
    x = np.array([[-1.0], [1.0]])  # mean 0, variance 1; with eps = 3, inv_std = 1/2 and z = x / 2
    _, mean, inv_std, _ = batch_norm.forward_train(x, eps=3.0)
    grad_input, grad_weight, grad_bias = batch_norm.backward_train(np.array([[0.0], [4.0]]), x, None, mean, inv_std)
    assert (grad_weight.tolist(), grad_bias.tolist()) == ([2], [4])
    assert grad_input.tolist() == [[-0.75], [0.75]]  # (g - 2 - z * 1) / 2


@pytest.mark.spec("batch_norm.training", "batch_norm.backward")
@pytest.mark.parametrize("shape", [(700, 2, 5), (2100, 1, 1), (3, 2, 31), (129, 3, 16), (3, 2, 40), (2, 2, 1100)], ids=str)
@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (0.0, np.inf), (-0.5, 0.25)], ids=str)
def test_planes_of_every_length(shape, bounds):
    """Planes of fewer than 32 pixels, gathered in one line and in several; and longer ones: beside the plain loops."""
    rng = np.random.default_rng(0)
    g, x = rng.standard_normal((2, *shape)).astype(np.float32)
    weight, bias = rng.standard_normal((2, shape[1])).astype(np.float32)
    for algorithm in ("direct", "cuda"):
        for got, want in zip(batch_norm.statistics(x, EPS, algorithm), batch_norm.statistics(x, EPS, "reference")):
            assert_within(got, want, 8 * gamma(2 * x.size, np.float64) * np.abs(want), "statistics")
    mean, inv_std, _ = batch_norm.statistics(x)
    held = {"bias": bias, "low": bounds[0], "high": bounds[1]}
    for through in (True, False):
        if through:
            call = lambda a: batch_norm.backward_train(g, x, weight, mean, inv_std, a, **held)  # noqa: E731
        elif bounds[1] == np.inf and bounds[0] == -np.inf:
            variance = np.ones(shape[1], np.float32)
            call = lambda a: batch_norm.backward_eval(g, x, weight, variance, variance, algorithm=a)  # noqa: E731, B023
        else:
            continue
        for got, want in zip((*call("direct"), *call("cuda")), 2 * call("reference")):
            size = np.abs(g).sum() * (1 + np.abs(x).max()) ** 2 * np.abs(weight).max() * inv_std.max() ** 2
            # sums in double, rounded once to float32
            assert_within(got, want, 4 * np.finfo(np.float32).eps * np.abs(want) + gamma(4 * x.size, np.float64) * size, "grad")


@pytest.mark.spec("batch_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("images", [1, 150])
def test_the_gradient_stops_where_values_are_held(dtype, images):
    """Numbers just about those that a bound holds; which of them pass is told by a sum of powers of two."""
    rng = np.random.default_rng(0)
    centre, inv_std = rng.standard_normal(40) * 10.0 ** rng.integers(-9, 3, 40), 10.0 ** rng.integers(-3, 4, 40)
    weight, bias = rng.standard_normal((2, 40)).astype(dtype)
    centre[:10], weight[:3], weight[3], inv_std[4:6], bias[6:10], inv_std[8:10] = 0, 0, -0.5, 1, [6, 5.9, -1e-9, 0], 1
    bias[:3] = -1, 3, 7  # beyond the bounds whatever x is, or never
    weight[30:], bias[30:] = [0, -0.0] * 5, [-1, -1, -0.0, 0, 0.25, 0.25, 6, 6, np.nan, 7]  # on a bound, too
    for low, high in ((0.0, 6.0), (-np.inf, 0.25), (0.0, np.inf)):
        with np.errstate(divide="ignore", invalid="ignore"):
            edges = [(bound - bias) / (inv_std * weight) + centre for bound in (low, high)]
        edges = np.nan_to_num(np.stack(edges), nan=1, posinf=9, neginf=-9).astype(dtype)
        near = [edges]
        for _ in range(4):
            near = [np.nextafter(near[0], dtype(-np.inf)), *near, np.nextafter(near[-1], dtype(np.inf))]
        x = np.concatenate(near).T[None].repeat(images, 0)  # (N, C, 18)
        grad = np.broadcast_to((2.0 ** np.arange(18)).astype(dtype), x.shape)
        out = batch_norm.normalise(x, weight, bias, centre, inv_std)
        held = ((out <= low) & (low > -np.inf)) | ((out >= high) & (high < np.inf))  # NaN is not
        got = batch_norm.backward_train(grad, x, weight, centre, inv_std, bias=bias, low=low, high=high)[2]
        assert_same_bits(got, np.where(held, 0, grad).sum((0, 2), np.float64).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(1, 2, 1600), (1, 2, 1025), (2, 2, 1024), (1, 2, 900), (60, 2, 33), (80, 2, 5)])
def test_a_clamp_that_holds_nothing_changes_no_bit_of_the_gradient(shape, dtype):
    """It is another way through the same sums, in the same order."""
    x, grad = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
    mean, inv_std, _ = batch_norm.statistics(x)
    plain = batch_norm.backward_train(grad, x, None, mean, inv_std)
    clamped = batch_norm.backward_train(grad, x, None, mean, inv_std, low=-1e30, high=1e30)
    for one, other in zip(plain, clamped):
        assert_same_bits(one, other)


@pytest.mark.parametrize("size", [3, 40])
def test_constants_keep_the_sign_of_a_zero(size):
    x, zero = np.ones((1, 2, size), np.float32), np.full((1, 2, size), -0.0, np.float32)
    args = zero, x, None, np.zeros(2, np.float32), np.ones(2, np.float32)
    for algorithm in ("direct", "reference"):
        assert np.signbit(batch_norm.backward_eval(*args, algorithm=algorithm)[0]).all()


TEXT: Any = "1"
X = np.zeros((2, 3, 4), np.float32)
C3 = np.ones(3, np.float32)
WIDE3 = np.ones(3)


@pytest.mark.proves("batch_norm", "bad input")
@pytest.mark.spec("batch_norm.domain", "batch_norm.one-value", "batch_norm.momentum")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: batch_norm.forward_train(X[:, 0, 0]),
            ShapeError,
            r"batch_norm: x: expected shape \(N, C, ...\), got",
        ),
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
        (lambda: batch_norm.forward_train(X, eps=TEXT), ArgumentTypeError, "eps: expected a real number, got '1'"),
        (lambda: batch_norm.forward_train(X, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: batch_norm.forward_eval(X, C3, C3, None, C3), ArgumentTypeError, "running_mean: expected a NumPy or CuPy"),
        (lambda: batch_norm.forward_eval(X, C3, C3, C3, -C3), ArgumentError, "running_var: expected no negative value"),
        (lambda: batch_norm.forward_eval(X, C3, C3, C3, C3 * np.inf), ArgumentError, "running_var: expected finite values"),
        (lambda: batch_norm.backward_eval(X, X, C3, C3 * np.nan, C3), ArgumentError, "running_mean: expected finite values"),
        (
            lambda: batch_norm.backward_train(X, X, C3, C3, C3),
            DTypeError,
            "mean: expected float64, as forward_train",
        ),
        (lambda: batch_norm.backward_train(X[:1], X, C3, C3, C3), ShapeError, r"grad_output: expected shape \(2, 3, 4\)"),
        (lambda: batch_norm.backward_train(X, X, C3, np.ones(2), np.ones(3)), ShapeError, r"mean: expected shape \(3,\)"),
        (
            lambda: batch_norm.moved_statistics(C3, C3, WIDE3, WIDE3, 1.5),
            ArgumentError,
            "momentum: expected between 0 and 1, got 1.5",
        ),
        (
            lambda: batch_norm.moved_statistics(X, X, X, X, 0.5),
            ShapeError,
            r"running_mean: expected shape \(C,\), got shape \(2, 3, 4\)",
        ),
        (lambda: batch_norm.moved_statistics(C3, C3[:2], WIDE3, WIDE3, 0.5), ShapeError, r"running_var: expected shape \(3,\)"),
        (lambda: batch_norm.moved_statistics(C3, C3, C3, WIDE3, 0.5), DTypeError, "mean: expected float64, as forward_train"),
        (lambda: batch_norm.statistics(X, algorithm=["direct"]), ArgumentError, "algorithm: expected one of"),  # type: ignore
        (lambda: batch_norm.moved_statistics(C3, C3, WIDE3, np.ones(2), 0.5), ShapeError, r"variance: expected shape \(3,\)"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 95)
    with pytest.raises(MemoryError, match="batch_norm: out: expected at most 95 bytes, got 96 bytes"):
        batch_norm.forward_train(X)


@pytest.mark.spec("batch_norm.one-value")
@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 4, 5), (2, 3, 0), (2, 0, 4)])
@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_an_empty_batch_gives_an_empty_output_and_no_gradient(shape, algorithm):
    x = np.zeros(shape, np.float32)
    out, mean, inv_std, variance = batch_norm.forward_train(x, algorithm=algorithm)
    assert out.shape == shape
    assert (mean == 0).all()
    assert (variance == 0).all()
    grads = batch_norm.backward_train(x, x, None, mean, inv_std, algorithm)
    assert grads[0].shape == shape
    assert not grads[1].any()
    assert not grads[2].any()


@pytest.mark.proves("batch_norm", "bound", "torch", "reference", "cpu")
@pytest.mark.spec("batch_norm.training")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_training_stays_within_the_bound_of_exact_statistics(dtype, algorithm, data):
    x, weight, bias, _ = data.draw(cases(dtype))
    out, mean, inv_std, variance = batch_norm.forward_train(x, weight, bias, EPS, algorithm)
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


@pytest.mark.proves("batch_norm", "bound", "torch", "reference", "cpu")
@pytest.mark.spec("batch_norm.evaluation")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_evaluation_stays_within_the_bound_of_loops_and_torch(dtype, algorithm, data):
    x, weight, bias, grad_output = data.draw(cases(dtype, at_least=1))
    running_mean, running_var = bias, weight * weight
    out = batch_norm.forward_eval(x, weight, bias, running_mean, running_var, EPS, algorithm)
    wide, scale, shift, mean, var = (array.astype(np.float64) for array in (x, weight, bias, running_mean, running_var))
    want = reference.forward_eval(flat(wide), scale, shift, mean, var, EPS).reshape(x.shape)
    distance = np.abs(wide) + np.abs(per_channel(mean, x))
    size = per_channel(np.abs(scale) / np.sqrt(var + EPS), x) * distance + np.abs(per_channel(shift, x))
    bound = 2 * gamma(10, np.float64) * size + unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
    assert_within(out, want, bound, "loops")
    inputs, *tensors = (torch.from_numpy(array) for array in (wide, mean, var, scale, shift))
    oracle = torch.nn.functional.batch_norm(inputs, tensors[0], tensors[1], tensors[2], tensors[3], eps=EPS)
    assert_within(out, oracle.numpy(), bound, "torch")
    grads = batch_norm.backward_eval(grad_output, x, weight, running_mean, running_var, EPS, algorithm)
    wide_grad = flat(grad_output.astype(np.float64))
    wants = reference.backward_eval(wide_grad, flat(wide), scale, mean, var, EPS)
    count = x.size // x.shape[1]
    sizes = reference.backward_eval(np.abs(wide_grad), flat(distance), np.abs(scale), 0 * mean, var, EPS)
    for got, want, size in zip(grads, wants, sizes):
        last = unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
        assert_within(flat(got) if got.ndim > 1 else got, want, 2 * gamma(count + 10, np.float64) * size + last, "backward")


@pytest.mark.proves("batch_norm", "bound", "torch", "reference", "cpu", "first order")
@pytest.mark.spec("batch_norm.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("algorithm", ["auto", "cuda"])
@given(st.data())
def test_gradients_stay_within_the_bound_of_loops_and_torch(dtype, algorithm, data):
    x, weight, bias, grad_output = data.draw(cases(dtype))
    _, mean, inv_std, _ = batch_norm.forward_train(x, weight, bias, EPS)
    grads = batch_norm.backward_train(grad_output, x, weight, mean, inv_std, algorithm)
    doubles = [array.astype(np.float64) for array in (grad_output, x, weight)]
    wants = reference.backward_train(
        flat(doubles[0]), flat(doubles[1]), doubles[2], 0 * doubles[2], mean, inv_std, -np.inf, np.inf
    )
    tensors = [torch.from_numpy(array) for array in (*doubles, mean, inv_std)]
    oracles = torch.ops.aten.native_batch_norm_backward(*tensors[:3], None, None, *tensors[3:], True, EPS, [True] * 3)
    terms = x.size // x.shape[1] + 12  # roundings on the way to a value: the sum's, and at most 12 more
    for got, want, oracle, size in zip(grads, wants, oracles, gradient_sizes(grad_output, x, weight, mean, inv_std)):
        want = want.reshape(got.shape)
        bound = 2 * gamma(terms, np.float64) * size + unit_roundoff(x.dtype) * np.abs(want) + smallest(2, x.dtype)
        assert_within(got, want, bound, "loops")
        assert_within(got, oracle.numpy(), bound, "torch")


@pytest.mark.proves("batch_norm", "complex step")
@given(cases(np.float64))
def test_complex_steps_agree_with_the_gradients(case):
    x, weight, bias, grad_output = case
    x = x - x.mean((0, *range(2, x.ndim)), keepdims=True)  # the statistics' own conditioning is tested above
    _, mean, inv_std, _ = batch_norm.forward_train(x, weight, bias, EPS)
    grads = batch_norm.backward_train(grad_output, x, weight, mean, inv_std)
    rng, step = np.random.default_rng(0), 1e-30  # so small that its square vanishes: no truncation error
    directions = [rng.standard_normal(array.shape) for array in (x, weight, bias)]
    moved_x, moved_weight, moved_bias = (a + 1j * step * direction for a, direction in zip((x, weight, bias), directions))
    slope = reference.forward_train(flat(moved_x), moved_weight, moved_bias, EPS)[0].imag.reshape(x.shape) / step
    sizes = gradient_sizes(grad_output, x, weight, mean, inv_std)
    error = np.sum([np.vdot(size, np.abs(direction)) for size, direction in zip(sizes, directions)])
    want = np.sum([np.vdot(grad, direction) for grad, direction in zip(grads, directions)])
    # Two sums over a channel and one over everything on either side. With x centred, mean|x| is at most one deviation, so the
    # rounding of mean, variance and their slopes changes each of at most 8 factors by one such gamma.
    assert_within(np.vdot(slope, grad_output), want, 8 * gamma(2 * x.size + 40, np.float64) * error, "complex step")


@pytest.mark.spec("batch_norm.backward")
@given(cases(np.float64))
def test_a_shift_of_the_input_changes_nothing(case):
    x, weight, bias, grad_output = case
    _, mean, inv_std, _ = batch_norm.forward_train(x, weight, bias, EPS)
    grad_input = batch_norm.backward_train(grad_output, x, weight, mean, inv_std)[0]
    axes, terms = (0, *range(2, x.ndim)), 2 * (x.size // x.shape[1]) + 12
    sizes = gradient_sizes(grad_output, x, weight, mean, inv_std)
    # The normalised values sum to 0 but for the rounding of the mean: by inv_std * count * gamma_n * mean|x| at most.
    drift = np.abs(weight) * inv_std**2 * np.abs(x).mean(axes) * sizes[1]
    left = grad_input.sum(axes)
    assert_within(left, np.zeros_like(left), gamma(terms, np.float64) * (sizes[0].sum(axes) + drift), "sum of grad_input")


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, 3, 3, 4, 2)).astype(np.float32)
    weight, bias = rng.standard_normal((2, 3)).astype(np.float32)
    want = reference.forward_train(flat(x), weight, bias, EPS)
    got = batch_norm.forward_train(x, weight, bias, EPS, algorithm="reference")
    assert_same_bits((flat(got[0]), *got[1:]), want)
    statistics = bias, np.abs(weight)
    got = batch_norm.forward_eval(x, weight, bias, *statistics, EPS, algorithm="reference")
    assert_same_bits(flat(got), reference.forward_eval(flat(x), weight, bias, *statistics, EPS))
    got = batch_norm.backward_train(grad, x, weight, *want[1:3], algorithm="reference", bias=bias, low=0.0, high=1.0)
    assert_same_bits(
        (flat(got[0]), *got[1:]), reference.backward_train(flat(grad), flat(x), weight, bias, *want[1:3], 0.0, 1.0)
    )
    got = batch_norm.backward_eval(grad, x, weight, *statistics, EPS, algorithm="reference")
    assert_same_bits((flat(got[0]), *got[1:]), reference.backward_eval(flat(grad), flat(x), weight, *statistics, EPS))


def test_a_power_of_two_in_the_scale_changes_no_bit():
    x = np.random.default_rng(0).standard_normal((3, 2, 5, 7)).astype(np.float32)
    assert_same_bits(batch_norm.forward_train(8 * x, eps=64 * EPS)[0], batch_norm.forward_train(x, eps=EPS)[0])


@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_channels_do_not_see_each_other(algorithm):
    x = np.random.default_rng(0).standard_normal((3, 4, 5, 7)).astype(np.float32)
    out = batch_norm.forward_train(x, algorithm=algorithm)[0]
    x[:, 2] = np.nan
    poisoned = batch_norm.forward_train(x[:, ::-1], algorithm=algorithm)[0][:, ::-1]
    assert np.isnan(poisoned[:, 2]).all()
    assert_same_bits(poisoned[:, [0, 1, 3]], out[:, [0, 1, 3]])


@pytest.mark.spec("batch_norm.running")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_running_statistics_move_towards_the_batch(algorithm, dtype):
    running, mean, variance = np.array([1, 2, 3], dtype), np.array([5.0, -2.0, 0.1]), np.array([3.0, 0.1, 7.0])

    def moved(momentum):
        return batch_norm.moved_statistics(running, 2 * running, mean, variance, momentum, algorithm)

    assert moved(0.25)[0].tolist()[:2] == [2, 1]
    assert moved(0.25)[1].tolist()[::2] == [2.25, 6.25]
    assert_same_bits(np.stack(moved(0)), np.stack([running, 2 * running]))
    assert_same_bits(np.stack(moved(1)), np.stack([mean, variance]).astype(dtype))
    assert running.tolist() == [1, 2, 3]


@pytest.mark.spec("batch_norm.running")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_a_channel_whose_new_variance_is_not_finite_keeps_both_statistics(algorithm):
    running, bad = np.ones(5, np.float32), np.array([np.nan, np.inf, 1e39, -np.inf, 2])
    mean, variance = batch_norm.moved_statistics(running, running, np.full(5, 2.0), bad, 0.5, algorithm)
    assert mean.tolist() == [1, 1, 1, 1, 1.5]
    assert variance.tolist() == [1, 1, 1, 1, 1.5]
