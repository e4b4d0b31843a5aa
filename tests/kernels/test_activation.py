"""Activations: the loops that define them against array expressions, vector kernels, complex steps and 50-digit numbers."""

from __future__ import annotations

import math
from typing import Any

import mpmath
import numpy as np
import pytest
from bounds import assert_within, unit_roundoff
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg_kernels import _memory, activation
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.activation import reference

mpmath.mp.dps = 50
INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64]
FAST = ["direct", "expressions", "cuda"]

# kind, parameters
CASES: list[tuple[str, tuple[float, ...]]] = [
    ("relu", ()),
    ("hardtanh", (-1.5, 2.25)),
    ("leaky_relu", (0.375,)),
    ("hardsigmoid", ()),
    ("hardswish", ()),
    ("elu", (1.25, 1.5, 0.75)),
    ("sigmoid", ()),
    ("tanh", ()),
    ("softplus", (2.0, 5.0)),
    ("softplus", (-1.0, INF)),
    ("silu", ()),
    ("gelu", ()),
    ("gelu_tanh", ()),
    ("mish", ()),
]
SMOOTH = [case for case in CASES if case[0] not in ("relu", "hardtanh", "leaky_relu", "hardsigmoid", "hardswish")]


def ids(cases):
    return [f"{kind}{'-'.join(map(str, parameters))}" for kind, parameters in cases]


every_kind = pytest.mark.parametrize(("kind", "parameters"), CASES, ids=ids(CASES))
smooth_kinds = pytest.mark.parametrize(("kind", "parameters"), SMOOTH, ids=ids(SMOOTH))


def saved_of(x, kind, parameters):
    """What backward takes."""
    return activation.forward(x, kind, parameters, "reference") if kind in activation.SAVES_OUTPUT else x


@pytest.mark.parametrize("algorithm", ["direct", "expressions", "cuda", "reference"])
@pytest.mark.parametrize(
    ("kind", "parameters", "x", "out", "slope"),
    [
        ("relu", (), [-2, 0, 3], [0, 0, 3], [0, 0, 1]),
        ("hardtanh", (-1, 2), [-2, -1, 0.5, 2, 3], [-1, -1, 0.5, 2, 2], [0, 0, 1, 0, 0]),
        ("leaky_relu", (0.25,), [-4, 0, 2], [-1, 0, 2], [0.25, 0.25, 1]),
        ("hardsigmoid", (), [-4, -3, 0, 3, 4], [0, 0, 0.5, 1, 1], [0, 0, 1 / 6, 0, 0]),
        ("hardswish", (), [-4, -3, 0, 1.5, 3, 4], [0, 0, 0, 1.125, 3, 4], [0, 0, 0.5, 1, 1, 1]),
        ("elu", (2, 3, 1), [-INF, 0, 1], [-3, 0, 2], [0, 3, 2]),
        ("sigmoid", (), [-INF, 0, INF], [0, 0.5, 1], [0, 0.25, 0]),
        ("tanh", (), [-INF, 0, INF], [-1, 0, 1], [0, 1, 0]),
        ("softplus", (2, 10), [-INF, 0, 6], [0, math.log(2) / 2, 6], [0, 0.5, 1]),
        ("silu", (), [-1000, 0, 1000], [0, 0, 1000], [0, 0.5, 1]),
        ("gelu", (), [-1000, 0, 1000], [0, 0, 1000], [0, 0.5, 1]),
        ("gelu_tanh", (), [-1000, 0, 1000], [0, 0, 1000], [0, 0.5, 1]),
        ("mish", (), [-1000, 0, 1000], [0, 0, 1000], [0, 0.6, 1]),  # tanh(log 2) = 3/5
    ],
)
def test_by_hand(algorithm, kind, parameters, x, out, slope):
    x = np.array(x, np.float64)
    np.testing.assert_allclose(activation.forward(x, kind, parameters, algorithm), out, rtol=2**-51, atol=0)
    got = activation.backward(np.full(x.shape, 4.0), saved_of(x, kind, parameters), kind, parameters, algorithm)
    np.testing.assert_allclose(got, 4 * np.array(slope), rtol=2**-51, atol=0)


X: Any = np.zeros((2, 3), np.float32)


@pytest.mark.proves("activation", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: activation.forward(None, "relu"), ArgumentTypeError, "x: expected a NumPy or CuPy array, got NoneType"),
        (
            lambda: activation.forward(X.astype(int), "relu"),
            DTypeError,
            "activation: x: expected float32 or float64, got int64",
        ),
        (lambda: activation.forward(X, "swish"), ArgumentError, r"kind: expected one of \('relu', .*, got 'swish'"),
        (lambda: activation.forward(X, "relu", (1.0,)), ArgumentError, r"parameters: expected 0 numbers \(\), got \(1.0,\)"),
        (lambda: activation.forward(X, "elu", (1, "2", 3)), ArgumentTypeError, "negative: expected a real number, got '2'"),
        (lambda: activation.forward(X, "elu", (1, 2, NAN)), ArgumentError, "rate: expected a finite number, got nan"),
        (lambda: activation.forward(X, "elu", (1, 2, -1)), ArgumentError, "rate: expected at least 0, got -1"),
        (lambda: activation.forward(X, "hardtanh", (2, 1)), ArgumentError, "min_val: expected at most max_val=1, got 2"),
        (
            lambda: activation.forward(X, "softplus", (0, 1)),
            ArgumentError,
            "beta: expected a finite number other than 0, got 0",
        ),
        (lambda: activation.forward(X, "relu", algorithm="fast"), ArgumentError, "algorithm: expected one of .* got 'fast'"),
        (lambda: activation.backward(X, None, "relu"), ArgumentTypeError, "saved: expected a NumPy or CuPy array"),
        (lambda: activation.backward(None, X, "relu"), ArgumentTypeError, "grad_output: expected a NumPy or CuPy array"),
        (lambda: activation.backward(X[0], X, "relu"), ShapeError, r"grad_output: expected shape \(2, 3\), got shape \(3,\)"),
        (
            lambda: activation.backward(X.astype(float), X, "relu"),
            DTypeError,
            "grad_output: expected float32, the dtype of saved",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_result_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 10)
    with pytest.raises(MemoryError, match="activation: out: expected at most 10 bytes, got 24 bytes"):
        activation.forward(X, "relu")


def points(seed: int, dtype) -> np.ndarray:
    """Numbers of every size in float64, where exponents count up to 30; kinks and zeros among them."""
    rng = np.random.default_rng(seed)
    x = [rng.standard_normal(40) * 3, rng.uniform(-30, 30, 20), rng.choice([-1.0, 1.0], 20) * 10 ** rng.uniform(-30, 0, 20)]
    return np.concatenate([*x, [0.0, -0.0, -3.0, 3.0, -1.5, 2.25]]).astype(dtype)


def sizes(x, kind, parameters) -> np.ndarray:
    """How many float64 roundings the exponent magnifies, in parts of the value.

    An exponent as large as E has an error of 3 roundings of it, and its exponential one of 3 E roundings.
    """
    largest = {"gelu_tanh": 2 * abs(x) + 0.1 * abs(x) ** 3, "gelu": x * x, "elu": abs(x), "softplus": 2 * abs(x)}
    return 20 + 3 * largest.get(kind, 0 * x)


@pytest.mark.spec("elementwise.rounding")
@pytest.mark.proves("activation", "reference", "cpu", "bound")
@every_kind
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from(DTYPES), algorithm=st.sampled_from(FAST))
def test_every_form_agrees_with_the_loops(kind, parameters, seed, dtype, algorithm):
    x = points(seed, dtype)
    grad_output = np.random.default_rng(seed + 1).standard_normal(x.size).astype(dtype)
    roundings = sizes(x.astype(np.float64), kind, parameters) * unit_roundoff(np.float64) * 1.01  # gamma_n <= 1.01 n u
    once = 0 if dtype == np.float64 else 2 * unit_roundoff(dtype)  # either side rounds to float32 once
    tiny = 30 * float(np.finfo(dtype).tiny)  # where 1 + e**-x overflows the loops give 0 for x times a subnormal
    want = activation.forward(x, kind, parameters, "reference")
    got = activation.forward(x, kind, parameters, algorithm)
    assert_within(got, want, abs(want) * (once + roundings) + tiny, "value")
    saved = saved_of(x, kind, parameters)
    want = activation.backward(grad_output, saved, kind, parameters, "reference")
    got = activation.backward(grad_output, saved, kind, parameters, algorithm)
    # The two terms of a slope, f / x and x f' / f's factor, are at most 1.5 and cancel where the function turns.
    assert_within(got, want, abs(want) * once + 1.5 * abs(grad_output) * roundings + tiny, "gradient")


@pytest.mark.spec("elementwise.rounding")
@pytest.mark.proves("activation", "bound")
@every_kind
def test_float32_is_rounded_once(kind, parameters):
    x = points(3, np.float32)
    got = activation.forward(x, kind, parameters)
    want = activation.forward(x.astype(np.float64), kind, parameters, "reference")
    size = unit_roundoff(np.float32) * abs(want) * (1 + 2**-20)  # what float64 got wrong is a millionth of that
    assert_within(got, want, size + float(np.finfo(np.float32).smallest_subnormal) / 2 * (1 + 2**-20), "value")


@pytest.mark.proves("activation", "bound")
@pytest.mark.parametrize("x", [-30.0, -9.5, -6.0, -3.25, -1.0, -1e-9, 1e-9, 0.75, 4.0])
def test_gelu_keeps_its_digits_in_the_tail(x):
    exact = mpmath.mpf(x) * mpmath.erfc(-mpmath.mpf(x) / mpmath.sqrt(2)) / 2
    got = activation.forward(np.array([x]), "gelu").item()
    assert abs(got - exact) <= 7 * np.spacing(abs(float(exact)))  # 6 ulp of the probability and a product
    approximate = activation.forward(np.array([x]), "gelu_tanh").item()
    assert abs(approximate - exact) < 5e-4  # the accuracy of the approximation


SPECIAL = [-INF, INF, NAN, 0.0, -0.0, 5e-324, -5e-324, 1e-310, -1e300, 1e300, -800.0, 800.0, -3.0, 3.0, 1e20, -1e20]


@pytest.mark.spec("all.nonfinite")
@every_kind
@pytest.mark.parametrize("algorithm", FAST)
@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
def test_special_values_agree_with_the_loops(kind, parameters, algorithm, dtype):
    with np.errstate(over="ignore", under="ignore"):
        x = np.tile(np.array(SPECIAL).astype(dtype), 5)
    grad_output = np.full(x.size, 2, dtype)
    got = activation.forward(x, kind, parameters, algorithm)
    want = activation.forward(x, kind, parameters, "reference")
    np.testing.assert_allclose(got, want, rtol=8 * unit_roundoff(dtype), atol=np.finfo(dtype).tiny)
    assert np.array_equal(np.signbit(got[x == 0]), np.signbit(want[x == 0]))  # of zeros from zeros the sign counts
    saved = saved_of(x, kind, parameters)
    got = activation.backward(grad_output, saved, kind, parameters, algorithm)
    want = activation.backward(grad_output, saved, kind, parameters, "reference")
    np.testing.assert_allclose(got, want, rtol=0, atol=60 * unit_roundoff(dtype))  # of terms of at most 3


@pytest.mark.parametrize("algorithm", ["direct", "expressions", "cuda", "reference"])
def test_what_is_selected_is_copied_bit_for_bit(algorithm):
    bits = np.array([0x7FC12345, 0xFFC54321, 0x80000000, 0x00000001, 0x3F800001], np.uint32).view(np.float32)
    assert_same_bits(activation.forward(bits, "relu", (), algorithm), bits)
    assert_same_bits(activation.forward(bits, "hardtanh", (-2, 2), algorithm), bits)


@pytest.mark.proves("activation", "complex step")
@smooth_kinds
@given(seed=st.integers(0, 10_000))
def test_slopes_equal_the_complex_step(kind, parameters, seed):
    """Im f(x + i h) / h is the derivative to all digits; gelu's loops are real, so its is taken from 50 digits."""
    x = np.random.default_rng(seed).standard_normal(40) * 3
    if kind == "gelu":
        want = np.array([float(mpmath.diff(lambda v: v * mpmath.erfc(-v / mpmath.sqrt(2)) / 2, mpmath.mpf(v))) for v in x[:4]])
        x = x[:4]
    else:
        want = getattr(reference, kind)(x + 1e-200j, *parameters).imag / 1e-200
    got = getattr(reference, f"{kind}_backward")(np.ones(x.size), saved_of(x, kind, parameters), *parameters)
    assert_within(got, want, 1e-13 * (1 + abs(want)), kind)


@pytest.mark.parametrize("algorithm", ["direct", "expressions", "cuda", "reference"])
def test_bounds_and_slopes_are_numbers_of_the_dtype(algorithm):
    bound = np.array([0.7], np.float32)  # less than the float64 of that name
    assert activation.backward(np.ones_like(bound), bound, "hardtanh", (-1, 0.7), algorithm) == 0  # on the bound, not inside
    got = activation.forward(-bound, "leaky_relu", (0.7,), algorithm)
    assert_same_bits(got, -bound * bound)  # rounded once, from a float32 slope


@pytest.mark.parametrize("algorithm", ["direct", "expressions", "cuda", "reference"])
@every_kind
def test_the_dtype_stays(kind, parameters, algorithm):
    for dtype in (np.float32, np.float64):
        x = np.full(3, 0.5, dtype)
        assert activation.forward(x, kind, parameters, algorithm).dtype == dtype
        assert activation.backward(x, x, kind, parameters, algorithm).dtype == dtype


@every_kind
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 1, 2)])
def test_any_shape(kind, parameters, shape):
    x = np.full(shape, 0.5)
    assert activation.forward(x, kind, parameters).shape == shape
    assert activation.backward(x, x, kind, parameters).shape == shape


def test_bounds_are_rounded_to_the_dtype():
    x = np.array([0.1], np.float32)
    assert activation.backward(x, x, "hardtanh", (0.1, 1.0)).item() == 0  # 0.1 itself lies below float32's
    assert activation.forward(np.float32([-5]), "hardtanh", (-1e300, INF)).item() == -5
