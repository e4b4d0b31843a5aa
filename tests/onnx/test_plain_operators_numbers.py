"""Numbers: integers against Python's own, floats against NumPy and PyTorch, and what changed between operator sets."""

from __future__ import annotations

import operator

import numpy as np
import pytest
import torch
import torch.nn.functional as TF
from hypothesis import given
from hypothesis import strategies as st
from one_node import floats, ints, run, same

INTEGERS = ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]


def bounds(dtype):
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def wrapped(value: int, dtype) -> int:
    """Return a whole number as a dtype of so many bits holds it."""
    low, high = bounds(dtype)
    return (value - low) % (high - low + 1) + low


@st.composite
def integer_pairs(draw):
    dtype = draw(st.sampled_from(INTEGERS))
    low, high = bounds(dtype)
    value = st.one_of(st.integers(low, high), st.integers(max(low, -3), 3), st.sampled_from([low, high]))
    pairs = draw(st.lists(st.tuples(value, value.filter(bool)), min_size=1, max_size=6))
    return dtype, *zip(*pairs)


@given(integer_pairs())
def test_integer_division_and_remainders_are_exact(drawn):
    dtype, a, b = drawn
    x, y = np.array(a, dtype), np.array(b, dtype)
    quotients = [wrapped((abs(p) // abs(q)) * (1 if (p < 0) == (q < 0) else -1), dtype) for p, q in zip(a, b)]
    assert same(run("Div", x, y), np.array(quotients, dtype))
    assert same(run("Mod", x, y), np.array([p % q for p, q in zip(a, b)], dtype))
    signed = [(abs(p) % abs(q)) * (-1 if p < 0 else 1) for p, q in zip(a, b)]
    assert same(run("Mod", x, y, fmod=1), np.array(signed, dtype))


@given(integer_pairs())
def test_integer_sums_and_products_wrap_around(drawn):
    dtype, a, b = drawn
    x, y = np.array(a, dtype), np.array(b, dtype)
    for op, function in (("Add", operator.add), ("Sub", operator.sub), ("Mul", operator.mul)):
        assert same(run(op, x, y), np.array([wrapped(function(p, q), dtype) for p, q in zip(a, b)], dtype))
    for op, function in (("BitwiseAnd", operator.and_), ("BitwiseOr", operator.or_), ("BitwiseXor", operator.xor)):
        assert same(run(op, x, y), np.array([function(p, q) for p, q in zip(a, b)], dtype))
    assert same(run("BitwiseNot", x), np.array([wrapped(~p, dtype) for p in a], dtype))
    assert same(run("Max", x, y), np.array(list(map(max, a, b)), dtype))
    assert same(run("Min", x, y), np.array(list(map(min, a, b)), dtype))


@given(integer_pairs(), st.data())
def test_bit_shifts_are_those_of_whole_numbers(drawn, data):
    dtype, a, _ = drawn
    low, _ = bounds(dtype)
    bits = 8 * np.dtype(dtype).itemsize
    places = [data.draw(st.integers(max(low, -2), bits + 2)) for _ in a]
    x, y = np.array(a, dtype), np.array(places, dtype)
    left = [wrapped(p << n, dtype) if 0 <= n < bits else 0 for p, n in zip(a, places)]
    right = [p >> n if 0 <= n < bits else -(p < 0) for p, n in zip(a, places)]
    assert same(run("BitShift", x, y, version=28, direction="LEFT"), np.array(left, dtype))
    assert same(run("BitShift", x, y, version=28, direction="RIGHT"), np.array(right, dtype))


def test_remainders_of_floats():
    a, b = floats(5.5, -5.5, 5.5, -5.5, -0.0, np.inf, 3, 3, 0), floats(2, 2, -2, -2, 3, 2, np.inf, -np.inf, -2)
    with np.errstate(all="ignore"):
        assert same(run("Mod", a, b, version=28), floats(1.5, 0.5, -0.5, -1.5, 0, np.nan, 3, -np.inf, -0.0))
        assert same(run("Mod", a, b, fmod=1), floats(1.5, -1.5, 1.5, -1.5, -0.0, np.nan, 3, 3, 0))


def test_rounding_and_signs():
    x = floats(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2.5000002, np.inf)
    assert run("Round", x).tolist() == [-2, -2, 0, 0, 2, 2, 3, np.inf]
    assert run("Floor", x[:3]).tolist() == [-3, -2, -1]
    assert run("Ceil", x[:3]).tolist() == [-2, -1, 0]
    assert same(run("Sign", floats(-3, 0, 7, np.nan)), floats(-1, 0, 1, np.nan))
    assert same(run("Sign", np.array([-3, 0, 7], np.int8)), np.array([-1, 0, 1], np.int8))
    nan = floats(-np.inf, np.inf, np.nan, 1)
    assert run("IsNaN", nan).tolist() == [False, False, True, False]
    assert run("IsInf", nan).tolist() == [True, True, False, False]
    assert run("IsInf", nan, detect_negative=0).tolist() == [False, True, False, False]
    assert run("IsInf", nan, detect_positive=0).tolist() == [True, False, False, False]


def test_powers_have_the_dtype_of_the_base():
    assert same(run("Pow", floats(-2, 3), ints(3, 2)), floats(-8, 9))
    assert same(run("Pow", floats(-2, 3), np.float64(2)), floats(4, 9))
    assert same(run("Pow", ints(2, 3), floats(0.5, 2)), ints(1, 9))
    assert same(run("Pow", ints(2, 3, -1), ints(-1, 2, -1)), ints(0, 9, -1))
    assert same(run("Pow", ints(3), ints(39)), ints(3**39))  # beyond what float64 holds
    assert same(run("Pow", floats(2), floats(3).reshape(1, 1)), floats(8).reshape(1, 1))


def test_variadic_ones_broadcast():
    a, b, c = floats(1, 4), floats(3).reshape(1, 1), np.float32(2)
    assert same(run("Max", a, b, c), floats(3, 4).reshape(1, 2))
    assert same(run("Min", a, b, c), floats(1, 2).reshape(1, 2))
    assert same(run("Sum", a, b, c), floats(6, 9).reshape(1, 2))
    assert same(run("Mean", a, b, c), floats(2, 3).reshape(1, 2))
    assert same(run("Max", a), a)
    assert same(run("Max", floats(1, np.nan, 1), floats(np.nan, 1, 2)), floats(np.nan, np.nan, 2))


def test_sets_before_7_name_the_axis_of_the_second_operand():
    x, y = np.arange(12, dtype=np.float32).reshape(2, 3, 2), floats(10, 20, 30)
    want = x + y[:, None]
    assert same(run("Add", x, y, version=6, broadcast=1, axis=1), want)
    assert same(run("Add", x, y, version=6, broadcast=1, axis=-2), want)
    assert same(run("Add", x, floats(1, 2), version=6, broadcast=1), x + floats(1, 2))
    slopes = floats(0.5, 2, 0)
    assert same(run("PRelu", -x, slopes, version=6), np.where(x > 0, -x * slopes[:, None], -x))


def test_clip_of_every_set():
    x = floats(-9, 0, 9, np.nan)
    assert same(run("Clip", x, version=6, min=-1.0, max=6.0), floats(-1, 0, 6, np.nan))
    assert same(run("Clip", x, version=6, max=6.0), floats(-9, 0, 6, np.nan))
    assert same(run("Clip", x, np.float32(-1), None), floats(-1, 0, 9, np.nan))
    assert same(run("Clip", x, None, floats(6)), floats(-9, 0, 6, np.nan))
    assert same(run("Clip", x), x)
    assert same(run("Clip", x, np.float32(2), np.float32(1)), floats(1, 1, 1, np.nan))
    assert same(run("Clip", floats(np.inf, -np.inf), version=6, min=-1.0, max=1.0), floats(1, -1))
    assert same(run("Clip", ints(-9, 9), np.int64(2**62), None), ints(2**62, 2**62))
    half = run("Clip", x.astype(np.float16), np.float16(-1), np.float16(0.1))
    assert same(half, np.array([-1, 0, 0.1, np.nan], np.float16))


ACTIVATIONS = {
    "Relu": ({}, TF.relu),
    "LeakyRelu": ({"alpha": 0.3}, lambda x: TF.leaky_relu(x, 0.3)),
    "Elu": ({"alpha": 0.7}, lambda x: TF.elu(x, 0.7)),
    "Celu": ({"alpha": 0.7}, lambda x: TF.celu(x, 0.7)),
    "Selu": ({}, TF.selu),
    "ThresholdedRelu": ({"alpha": 0.5}, lambda x: TF.threshold(x, 0.5, 0)),
    "HardSigmoid": ({"alpha": 1 / 6}, TF.hardsigmoid),
    "HardSwish": ({}, TF.hardswish),
    "Sigmoid": ({}, torch.sigmoid),
    "Tanh": ({}, torch.tanh),
    "Softplus": ({}, lambda x: TF.softplus(x, threshold=1e9)),
    "Softsign": ({}, TF.softsign),
    "Mish": ({}, TF.mish),
    "Gelu": ({"approximate": "tanh"}, lambda x: TF.gelu(x, approximate="tanh")),
    "Swish": ({}, TF.silu),
    "Shrink": ({"lambd": 0.5, "bias": 0.5}, lambda x: TF.softshrink(x, 0.5)),
    "Erf": ({}, torch.erf),
    "Asinh": ({}, torch.asinh),
    "Atan": ({}, torch.atan),
    "Reciprocal": ({}, torch.reciprocal),
    "Cosh": ({}, torch.cosh),
}


@pytest.mark.parametrize("op", ACTIVATIONS)
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_functions_of_one_number_are_pytorchs(op, dtype):
    attributes, function = ACTIVATIONS[op]
    x = np.concatenate([np.linspace(-5, 5, 41), [30, -30, 300, -300]]).astype(dtype)
    want = function(torch.tensor(x.astype("f8"))).numpy()
    if dtype != "f8":
        with np.errstate(over="ignore"):
            want = want.astype(dtype)
    # A few roundings of the last place; selu's constants are float32 numbers in ONNX, others' attributes are not rounded here.
    ulps = 4 * np.finfo(dtype).eps if op != "Selu" else max(4 * np.finfo(dtype).eps, 1e-6)
    got = run(op, x, version=24, **attributes)
    assert got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=ulps, atol=ulps)


def test_integers_where_onnx_takes_them():
    x = np.array([-3, 0, 2], np.int32)
    assert same(run("Relu", x), np.array([0, 0, 2], np.int32))
    assert same(run("PRelu", x, np.array([2], np.int32)), np.array([-6, 0, 2], np.int32))
    assert same(run("Abs", x), np.array([3, 0, 2], np.int32))
    assert same(run("Neg", x), np.array([3, 0, -2], np.int32))
    assert same(run("Shrink", x, lambd=1.5, bias=1.0), np.array([-2, 0, 1], np.int32))


def test_swish_with_another_slope_and_its_gate():
    x = np.linspace(-3, 3, 7, dtype=np.float32)
    want = x / (1 + np.exp(-1.5 * x))
    np.testing.assert_allclose(run("Swish", x, version=24, alpha=1.5), want, rtol=1e-6)  # a few float32 roundings
    np.testing.assert_allclose(run("SwiGLU", x, x + 1, version=28, alpha=1.5), want * (x + 1), rtol=1e-6)


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@given(integer_pairs())
def test_comparisons(op, drawn):
    dtype, a, b = drawn
    python = {"Equal": operator.eq, "Greater": operator.gt, "GreaterOrEqual": operator.ge, "Less": operator.lt}
    want = np.array(list(map(python.get(op, operator.le), a, b)))
    assert same(run(op, np.array(a, dtype), np.array(b, dtype)), want)


def test_where_passes_every_dtype_and_broadcasts_three():
    condition = np.array([[True], [False]])
    assert same(run("Where", condition, ints(1, 2), np.int64(7)), np.array([[1, 2], [7, 7]]))
    assert same(run("Where", condition, np.array(True), np.array(False)), condition)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=3), st.sampled_from(["i4", "f4", "f8"]), st.integers(0, 7), st.data())
def test_running_sums_and_products(shape, dtype, mode, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    exclusive, reverse = mode & 1, mode >> 1 & 1
    x = np.random.default_rng(mode).integers(-2, 4, shape).astype(dtype)
    for op, function, neutral in (("CumSum", operator.add, 0), ("CumProd", operator.mul, 1)):
        rows, want = np.moveaxis(x, axis, 0), np.empty_like(x)
        out, so_far = np.moveaxis(want, axis, 0), np.full(np.delete(x.shape, axis), neutral, dtype)
        for i in range(len(rows))[:: -1 if reverse else 1]:
            before, so_far = so_far, function(so_far, rows[i])
            out[i] = before if exclusive else so_far
        got = run(op, x, np.array(axis), version=26, exclusive=exclusive, reverse=reverse)
        assert same(got, want) if dtype == "i4" else np.array_equal(got, want)  # small whole numbers, so exact
