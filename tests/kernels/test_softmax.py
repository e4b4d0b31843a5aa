"""Softmax along any axis: hand-computed, against its loops, at infinity, by complex steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bounds import assert_within, gamma, unit_roundoff
from complex_step import assert_complex_step
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_same_bits

from rawseg_kernels import _memory, softmax
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from rawseg_kernels.softmax import direct, reference

INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64]
FORMS = ["direct", "expressions", "cuda", "reference"]
each_form = pytest.mark.parametrize("algorithm", FORMS)


@each_form
def test_by_hand(algorithm):
    x = np.log(np.array([[1.0, 3.0], [2.0, 1.0], [1.0, 4.0]]))  # columns sum to 4 and 8
    p = np.array([[1 / 4, 3 / 8], [1 / 2, 1 / 8], [1 / 4, 1 / 2]])
    np.testing.assert_allclose(softmax.forward(x, 0, algorithm=algorithm), p, rtol=2**-50)
    np.testing.assert_allclose(softmax.forward(x, 0, True, algorithm), np.log(p), rtol=2**-50)
    np.testing.assert_allclose(softmax.forward(x.T, -1, algorithm=algorithm), p.T, rtol=2**-50)
    grad = np.array([[4.0, 8], [0, 0], [0, 0]])
    # p (g - sum(g p)): sums 1 and 3
    want = [[3 / 4, 15 / 8], [-1 / 2, -3 / 8], [-1 / 4, -3 / 2]]
    np.testing.assert_allclose(softmax.backward(grad, p, 0, algorithm=algorithm), want, rtol=2**-50)
    # g - p sum(g): sums 4 and 8
    want = [[3, 5], [-2, -1], [-1, -4]]
    np.testing.assert_allclose(softmax.backward(grad, np.log(p), 0, True, algorithm), want, rtol=2**-50)


@pytest.mark.spec("softmax.infinite")
@each_form
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["rows", "strips"])
def test_infinity_and_nan(algorithm, dtype, layout):
    rows = np.array([[-INF, -INF], [-INF, 0], [INF, 0], [NAN, 0], [0, NAN], [1000, 0], [-1e30, 0]], dtype)
    want = np.array([[NAN, NAN], [0, 1], [NAN, NAN], [NAN, NAN], [NAN, NAN], [1, 0], [0, 1]], dtype)
    logs = np.array([[NAN, NAN], [-INF, 0], [NAN, NAN], [NAN, NAN], [NAN, NAN], [0, -1000], [-1e30, 0]], dtype)
    turn = (lambda a: a) if layout == "rows" else (lambda a: np.ascontiguousarray(a.T))
    axis = 1 if layout == "rows" else 0
    np.testing.assert_array_equal(softmax.forward(turn(rows), axis, algorithm=algorithm), turn(want))
    np.testing.assert_array_equal(softmax.forward(turn(rows), axis, True, algorithm), turn(logs))


X: Any = np.zeros((2, 3), np.float32)
ONE: Any = 1


@pytest.mark.proves("softmax", "bad input")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: softmax.forward(None, 0), ArgumentTypeError, "softmax: x: expected a NumPy or CuPy array, got NoneType"),
        (lambda: softmax.forward(X > 0, 0), DTypeError, "x: expected float32 or float64, got bool"),
        (lambda: softmax.forward(X, 2), ArgumentError, r"axis: expected an axis in \[-2, 1\], got 2"),
        (lambda: softmax.forward(X, -3), ArgumentError, "axis: expected at least -2, got -3"),
        (lambda: softmax.forward(X, 1.0), ArgumentTypeError, "axis: expected an int, got 1.0"),
        (lambda: softmax.forward(X[:, :0], 1), ShapeError, r"x: expected at least 1 along axis 1, got shape \(2, 0\)"),
        (lambda: softmax.forward(X, 1, ONE), ArgumentTypeError, "logarithm: expected a bool, got 1"),
        (lambda: softmax.forward(X, 1, algorithm="fast"), ArgumentError, "algorithm: expected one of .* got 'fast'"),
        (lambda: softmax.backward(None, X, 1), ArgumentTypeError, "grad_output: expected a NumPy or CuPy array"),
        (lambda: softmax.backward(X, None, 1), ArgumentTypeError, "out: expected a NumPy or CuPy array"),
        (lambda: softmax.backward(X[0], X, 1), ShapeError, r"grad_output: expected shape \(2, 3\), got shape \(3,\)"),
        (lambda: softmax.backward(X.astype(float), X, 1), DTypeError, "grad_output: expected float32, the dtype of out"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_result_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 10)
    with pytest.raises(MemoryError, match="softmax: out: expected at most 10 bytes, got 24 bytes"):
        softmax.forward(X, 1)


@st.composite
def cases(draw):
    """Any axis of arrays with empty, single and uneven axes."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 5, 0]), min_size=1, max_size=4))
    axis = draw(st.integers(-len(shape), len(shape) - 1))
    shape[axis] = draw(st.sampled_from([1, 2, 3, 7]))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    dtype = draw(st.sampled_from(DTYPES))
    x = (rng.standard_normal(shape) * draw(st.sampled_from([1, 30]))).astype(dtype)
    return x, rng.standard_normal(shape).astype(dtype), axis


@pytest.mark.spec("elementwise.rounding")
@pytest.mark.proves("softmax", "reference", "cpu", "bound")
@given(cases(), st.booleans(), st.sampled_from(["direct", "expressions", "cuda"]))
def test_every_form_agrees_with_the_loops(case, logarithm, algorithm):
    x, grad_output, axis = case
    classes = x.shape[axis]
    once = 0 if x.dtype == np.float64 else 2 * unit_roundoff(x.dtype)  # either side rounds to float32 once
    want = softmax.forward(x, axis, logarithm, "reference")
    got = softmax.forward(x, axis, logarithm, algorithm)
    # The shifted logit, its exponential, the sum, the quotient or logarithm: each side at most classes + 8 roundings.
    size = abs(want) + (2 * abs(x).max(initial=0) + np.log(classes) if logarithm else 0)
    assert_within(got, want, once * abs(want) + 2 * gamma(classes + 8, np.float64) * size + 1e-300, "value")
    want = softmax.backward(grad_output, got, axis, logarithm, "reference")
    grad = softmax.backward(grad_output, got, axis, logarithm, algorithm)
    size = abs(grad_output) + abs(grad_output).sum(axis, keepdims=True)
    assert_within(grad, want, once * abs(want) + 2 * gamma(classes + 8, np.float64) * size, "gradient")


@pytest.mark.proves("softmax", "cpu")
@pytest.mark.parametrize("classes", [2, 40])
def test_a_strip_is_a_matter_of_speed_alone(monkeypatch, classes):
    x = np.random.default_rng(0).standard_normal((2, classes, 37)).astype(np.float32)
    want = direct.forward(x, False), direct.backward(x, direct.forward(x, True), True)
    for length in (1, 5, 16):
        monkeypatch.setattr(direct, "LONGEST", length)
        assert_same_bits((direct.forward(x, False), direct.backward(x, direct.forward(x, True), True)), want)


@pytest.mark.proves("softmax", "bound")
def test_float32_is_rounded_once():
    x = (np.random.default_rng(1).standard_normal((3, 9, 50)) * 10).astype(np.float32)
    for logarithm in (False, True):
        got = softmax.forward(x, 1, logarithm)
        want = softmax.forward(x.astype(np.float64), 1, logarithm, "reference")
        # half a unit in the last place, and what float64 got wrong of numbers below 100
        assert_within(got, want, unit_roundoff(np.float32) * abs(want) + gamma(20, np.float64) * 100, "value")


def test_rows_and_strips_give_the_same_bits():
    x = np.random.default_rng(2).standard_normal((6, 11)).astype(np.float32)
    for logarithm in (False, True):
        by_row, by_strip = softmax.forward(x, 1, logarithm), softmax.forward(np.ascontiguousarray(x.T), 0, logarithm).T
        assert_same_bits(by_row, by_strip)
        grads = softmax.backward(x, by_row, 1, logarithm), softmax.backward(x.T, by_row.T, 0, logarithm).T
        assert_same_bits(*grads)


@pytest.mark.proves("softmax", "complex step")
@given(st.integers(0, 10_000), st.booleans())
def test_gradients_equal_the_complex_step(seed, logarithm):
    rng = np.random.default_rng(seed)
    backward = lambda grad, x: reference.backward(grad, reference.forward(x, logarithm), logarithm)  # noqa: E731
    assert_complex_step(lambda x: reference.forward(x, logarithm), backward, [rng.standard_normal((2, 4, 3))], rng)
