"""Activations: the conventions at kinks, at NaN and at infinity, and rounding against PyTorch in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from bounds import assert_within, gamma, unit_roundoff
from twins import ours, torchs

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError, ShapeError
from rawseg.testing import gradcheck

INF, NAN = np.inf, np.nan


def gradient(f, values, grad_output=None):
    x = rawseg.Tensor(np.array(values), requires_grad=True)
    seed = np.full(len(values), 3.0) if grad_output is None else np.array(grad_output)
    return rawseg.grad(f(x), x, rawseg.Tensor(seed))[0].tolist()


@pytest.mark.spec("relu.rules")
@pytest.mark.proves("relu", "reference")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("count", [1, 7, 64])  # vector code and its remainder
def test_relu_keeps_bits(dtype, count):
    x = np.tile(np.array([-0.0, 0.0, -1.0, 2.5, INF, -INF, NAN], dtype), count)
    want = np.tile(np.array([-0.0, 0.0, 0.0, 2.5, INF, 0.0, NAN], dtype), count)
    assert F.relu(rawseg.Tensor(x)).numpy().tobytes() == want.tobytes()
    assert F.relu(rawseg.Tensor(x), inplace=True).numpy().tobytes() == want.tobytes()
    assert x[2] == -1  # inplace or not, the input stays


@pytest.mark.spec("relu.rules", "relu6.rules", "activation.kinks")
@pytest.mark.proves("relu", "torch", "first order")
@pytest.mark.proves("relu6", "torch", "first order")
@pytest.mark.proves("hardtanh", "torch", "first order")
@pytest.mark.proves("leaky_relu", "torch", "first order")
def test_gradients_at_kinks_and_nan():
    """`semantics`: relu 0 at 0 and 1 at NaN; relu6 0 at both bounds, 1 at NaN; leaky_relu the slope at 0 and NaN."""
    assert gradient(F.relu, [-1, -0.0, 0.0, 1, NAN]) == [0, 0, 0, 3, 3]
    assert gradient(F.relu6, [-1, 0, 3, 6, 7, NAN]) == [0, 0, 3, 0, 0, 3]
    assert gradient(F.hardtanh, [-1, 0, 1, 2, NAN]) == [0, 3, 0, 0, 3]
    assert gradient(lambda x: F.leaky_relu(x, 0.5), [-1, 0, 1, NAN]) == [1.5, 1.5, 3, 1.5]
    for name in ("relu", "relu6", "hardtanh", "leaky_relu"):
        values = [-INF, -1, -0.0, 0, 0.5, 1, 6, 7, INF, NAN]
        twin = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        getattr(TF, name)(twin).sum().backward()
        assert gradient(getattr(F, name), values, np.ones(10)) == twin.grad.tolist()


def test_a_blocked_gradient_is_zero_even_if_it_was_infinite():
    assert gradient(F.relu, [-1.0, -1.0, 1.0], [INF, NAN, INF]) == [0, 0, INF]
    assert gradient(F.relu6, [-1.0, 7.0, 1.0], [INF, NAN, INF]) == [0, 0, INF]


# name, options, largest slope of the function
SMOOTH = [
    ("sigmoid", {}, 1),
    ("tanh", {}, 1),
    ("logsigmoid", {}, 1),
    ("softplus", {}, 1),
    ("softplus", {"beta": 0.5, "threshold": 3.0}, 1),
    ("leaky_relu", {"negative_slope": 0.25}, 1),  # a slope without rounding of its own
    ("relu6", {}, 1),
    ("hardtanh", {"min_val": -2.0, "max_val": 1.5}, 1),
    ("elu", {"alpha": 1.5}, 1.5),
    ("selu", {}, 1.76),
    ("celu", {"alpha": 0.5}, 1),
    ("hardsigmoid", {}, 1),
    ("hardswish", {}, 1.5),
    ("silu", {}, 1.1),
    ("gelu", {}, 1.13),
    ("gelu", {"approximate": "tanh"}, 1.13),
    ("mish", {}, 1.09),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("name", "options", "slope"),
    [
        pytest.param(*case, id=f"{case[0]}{len(case[1])}", marks=pytest.mark.proves(case[0], "torch", "bound"))
        for case in SMOOTH
    ],
)
def test_values_and_gradients_as_torch(name, options, slope, dtype):
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.standard_normal(400) * 8, [0.0, 88.0, -88.0, 300.0, -300.0]]).astype(dtype)
    g = rng.standard_normal(x.size).astype(dtype)
    got, (grad,) = ours(lambda x: getattr(F, name)(x, **options), [x], g)
    want, (oracle,) = torchs(lambda x: getattr(TF, name)(x, **options), [x], g)
    # Values: 8 roundings in float64 on either side of results and intermediate values of at most |y| + log 2, one in the dtype;
    # of the gates the factor that PyTorch takes from 1 loses its digits, times |x| below 9 where it counts.
    scale = 9 if name in ("gelu", "silu", "mish") else 1
    bound = unit_roundoff(dtype) * abs(want) + 2 * gamma(8, np.float64) * (abs(want) + 1) * scale
    assert_within(got, want, bound + float(np.finfo(dtype).smallest_subnormal), "value")
    # Gradients: at most 8 roundings of factors up to the slope, of terms that PyTorch lets grow to 9 before they cancel.
    sixth = 2.0**-25 if name == "hardsigmoid" else 0  # PyTorch's 1/6 is a float32, see tests/deviations
    assert_within(grad, oracle, (2 * gamma(8, dtype) * slope * scale + sixth) * abs(g), "gradient")


@pytest.mark.proves("sigmoid", "reference")
@pytest.mark.proves("logsigmoid", "reference")
def test_sigmoid_and_its_logarithm_at_the_far_ends():
    x = rawseg.Tensor(np.array([-INF, -1000.0, -740.0, 0.0, 40.0, 1000.0, INF]))
    np.testing.assert_array_equal(F.sigmoid(x).numpy(), [0, 0, np.exp(-740.0), 0.5, 1, 1, 1])
    np.testing.assert_array_equal(F.logsigmoid(x).numpy(), [-INF, -1000, -740, -np.log(2), -np.exp(-40.0), 0, 0])


@pytest.mark.proves("softmax", "torch", "first order", "bound")
@pytest.mark.proves("log_softmax", "torch", "first order", "bound")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_softmax_as_torch(dtype, dim):
    rng = np.random.default_rng(1)
    x, g = (rng.standard_normal((3, 5, 4)) * 10).astype(dtype), rng.standard_normal((3, 5, 4)).astype(dtype)
    for name in ("softmax", "log_softmax"):
        got, (grad,) = ours(lambda x, name=name: getattr(F, name)(x, dim), [x], g)
        want, (oracle,) = torchs(lambda x, name=name: getattr(TF, name)(x, dim), [x], g)
        size = abs(x).max() * 2  # a shifted logit; its float64 rounding enters the exponent
        assert_within(got, want, unit_roundoff(dtype) * abs(want) + 2 * gamma(10, np.float64) * (size + abs(want)), name)
        # g - p sum(g) or p (g - sum(p g)): 5 terms and at most 4 more roundings of magnitudes below |g| + sum|g|
        assert_within(grad, oracle, 2 * gamma(9, dtype) * (abs(g) + abs(g).sum(dim, keepdims=True)), f"{name} gradient")


@pytest.mark.spec("softmax.infinite")
def test_softmax_at_infinity():
    assert np.isnan(F.softmax(rawseg.Tensor(np.full(3, -INF)), 0).numpy()).all()
    assert F.softmax(rawseg.Tensor(np.array([-INF, 0.0, 0.0])), 0).tolist() == [0, 0.5, 0.5]
    assert np.isnan(F.log_softmax(rawseg.Tensor(np.array([INF, 0.0])), 0).numpy()).all()
    np.testing.assert_array_equal(F.softmax(rawseg.Tensor(np.array([1000.0, 0.0])), 0).numpy(), [1, 0])


def test_softmax_does_not_see_a_shift():
    x = np.random.default_rng(2).integers(-8, 9, (4, 6)).astype(np.float64)
    assert np.array_equal(F.softmax(rawseg.Tensor(x), 1).numpy(), F.softmax(rawseg.Tensor(x + 1024), 1).numpy())


POINTS = [-INF, -1000.0, -6.0, -3.0, -1.0, -0.5, -0.0, 0.0, 0.25, 1.0, 3.0, 6.0, 1000.0, INF, NAN]
KINKS = [
    ("relu", {}),
    ("relu6", {}),
    ("hardtanh", {"min_val": -0.5, "max_val": 3.0}),
    ("leaky_relu", {"negative_slope": 0.25}),
    ("elu", {"alpha": 2.0}),
    ("selu", {}),
    ("celu", {"alpha": 2.0}),
    ("hardsigmoid", {}),
    ("hardswish", {}),
    ("silu", {}),
    ("gelu", {}),
    ("gelu", {"approximate": "tanh"}),
    ("mish", {}),
    ("sigmoid", {}),
    ("tanh", {}),
    ("softplus", {"beta": 2.0, "threshold": 6.0}),
    ("logsigmoid", {}),
]


def derivatives_at(f, tensor, grad, zeros) -> list[np.ndarray]:
    """Return f, f' and f'' at every point, in either library; a gradient that is not recorded has the derivative 0."""
    x = tensor(np.array(POINTS))
    out = f(x)
    (first,) = grad(out.sum(), x, create_graph=True)
    second = grad(first.sum(), x)[0] if first.requires_grad else zeros(x)
    return [np.asarray(t.detach().numpy()) for t in (out, first, second)]


# Where PyTorch's depends on the neighbours in its vectors, or is NaN: `tests/deviations/test_activations.py`.
UNLIKE = {"mish": [(1, INF), (2, 1000.0)]}


@pytest.mark.spec("activation.kinks", "hardswish.kinks", "activation.infinite")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id=f"{name}{options.get('approximate', '')}", marks=pytest.mark.proves(name, *columns))
        for columns in [("torch", "first order", "second order")]
        for name, options in KINKS
    ],
)
def test_both_derivatives_at_every_kink_are_those_of_torch(name, options):
    ours_f = lambda x: getattr(F, name)(x, **options)  # noqa: E731
    theirs_f = lambda x: getattr(TF, name)(x, **options)  # noqa: E731
    if name == "hardsigmoid":  # PyTorch has no second derivative of its own: that of a twin made of clamp
        theirs_f = lambda x: torch.clamp(x / 6 + 0.5, 0, 1)  # noqa: E731
    got = derivatives_at(ours_f, lambda a: rawseg.Tensor(a, requires_grad=True), rawseg.grad, lambda x: x.zeros_like())
    want = derivatives_at(theirs_f, lambda a: torch.tensor(a, requires_grad=True), torch.autograd.grad, torch.zeros_like)
    if name == "hardsigmoid":  # clamp passes the gradient at its bounds
        want[1][[POINTS.index(-3.0), POINTS.index(3.0)]] = 0
    for order, (one, other) in enumerate(zip(got, want)):
        skip = [POINTS.index(point) for at, point in UNLIKE.get(name, []) if at == order]
        one, other = np.delete(one, skip), np.delete(other, skip)
        np.testing.assert_allclose(
            one, other, rtol=0, atol=2**-48, err_msg=f"{name} order {order}"
        )  # magnitudes below 4, or equal


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "silu", "gelu", "mish", "softplus", "elu", "hardswish"])
@pytest.mark.proves("activation", "second order")
def test_third_derivatives_exist(name):
    f = getattr(F, name)

    def curvature(x):
        x = x if x.requires_grad else rawseg.Tensor(x.array, requires_grad=True)
        with rawseg.enable_grad():
            (first,) = rawseg.grad((f(x) * 1.0).sum(), x, create_graph=True)
            return rawseg.grad(first.sum(), x, create_graph=True)[0] + x * 0

    gradcheck(curvature, rawseg.Tensor(np.array([-2.2, -0.7, 0.4, 1.3, 2.1]), requires_grad=True))


def test_errors_of_one_activation_do_not_name_another():
    x = rawseg.ones(2, requires_grad=True)
    out = F.sigmoid(x)
    with rawseg.no_grad():
        out.mul_(2)
    with pytest.raises(GraphError, match="sigmoid: saved array: expected version 0, as forward saw it, got version 1"):
        out.sum().backward()


@pytest.mark.spec("autograd.version")
@pytest.mark.parametrize("name", ["relu", "leaky_relu", "hardtanh"])
def test_what_a_slope_depends_on_is_watched_until_its_own_derivative_too(name):
    x, scale = rawseg.Tensor(np.array([0.5, -0.5]), requires_grad=True), rawseg.ones(2, dtype=np.float64, requires_grad=True)
    y = getattr(F, name)(x)
    (slope,) = rawseg.grad((scale * y).sum(), x, create_graph=True)
    with rawseg.no_grad():
        (x if name == "leaky_relu" else y).mul_(-1)
    with pytest.raises(GraphError, match=f"{name}_backward: saved array: expected version 0"):
        rawseg.grad(slope.sum(), scale)


def test_a_dtype_is_cast_to_first():
    x = rawseg.tensor([1, 2, 3])
    assert F.softmax(x, 0, dtype=np.float64).dtype == np.float64


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: F.relu(rawseg.tensor([1])), DTypeError, "relu: input: expected float32 or float64, got int64"),
        (lambda: F.softmax(rawseg.ones(2, 0), 1), ShapeError, "softmax: input: expected at least 1 along dim 1"),
        (lambda: F.softmax(rawseg.ones(2), 1), ArgumentError, r"softmax: dim: expected an axis in \[-1, 0\], got 1"),
        (lambda: F.hardtanh(rawseg.ones(2), 2, 1), ArgumentError, "hardtanh: min_val: expected at most max_val=1, got 2"),
        (lambda: F.relu(rawseg.ones(2, dtype=np.float16)), DTypeError, "relu: input: expected float32 or float64, got float16"),
        (
            lambda: F.leaky_relu(rawseg.ones(2), "a"),
            ArgumentTypeError,
            "leaky_relu: negative_slope: expected a real number, got 'a'",
        ),
        (lambda: F.elu(rawseg.ones(2), NAN), ArgumentError, "elu: alpha: expected a finite number, got nan"),
        (lambda: F.celu(rawseg.ones(2), 0), ArgumentError, "celu: alpha: expected greater than 0, got 0"),
        (
            lambda: F.gelu(rawseg.ones(2), "erf"),
            ArgumentError,
            r"gelu: approximate: expected one of \('none', 'tanh'\), got 'erf'",
        ),
        (
            lambda: F.softmax(rawseg.ones(2), 0, int),
            DTypeError,
            "softmax: dtype: expected float32 or float64, got <class 'int'>",
        ),
        (lambda: F.softplus(rawseg.ones(2), 0), ArgumentError, "softplus: beta: expected greater than 0, got 0"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
