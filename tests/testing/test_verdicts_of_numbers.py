"""Verdicts that are about numbers: wrong formulas, functions that vary too fast, rounding; and how sharp the check is."""

from __future__ import annotations

import numpy as np
import pytest
from testing.products import W, X, product, product_backward

from rawseg.testing import adapt, examine
from rawseg.testing.gradients.differences import Probe
from rawseg.testing.gradients.ladder import limit
from rawseg.testing.gradients.survey import survey

BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def sine(factor=1.0, speed=1.0, above=0.0):
    """Return sin(speed x) / speed + above - above and its gradient, by a factor."""

    def function(x):
        kind = x.dtype.type
        return (np.sin(kind(speed) * x) / kind(speed) + kind(above)) - kind(above)

    return function, lambda g, x: g * np.cos(x.dtype.type(speed) * x) * x.dtype.type(factor)


def of(x, *how):
    function, backward = sine(*how)
    return examine(function, x, backward=backward)


@pytest.mark.parametrize("factor", [1.001, 0.999, 1.00001, 1 + 1e-8])
def test_a_gradient_that_is_a_little_wrong(factor):
    report = of(np.array([0.5, 2.0, -1.3]), factor)
    assert (report.passed, report.verdict, report.wrong, report.elements) == (False, "wrong formula", 3, 3)
    assert report.error == pytest.approx(abs(factor - 1) * abs(report.numeric), rel=1e-2)
    assert report.tolerance == report.truncation + report.rounding < 0.01 * report.error
    if factor in (1.001, 0.999):
        assert report.hints == (f"it is {factor} {'times' if factor > 1 else 'of'} what it should be: every element",)


@pytest.mark.parametrize("factor", [1.01, 1.001])
def test_float32_is_sharp_enough_for_a_thousandth(factor):
    x = np.array([0.5, 2.0, -1.3], np.float32)
    report = of(x)
    assert (report.passed, report.dtype) == (True, "float32")
    assert report.resolution < 1e-3
    report = of(x, factor)
    assert (report.passed, report.verdict, report.wrong, report.dtype) == (False, "wrong formula", 3, "float32")
    assert 1e-6 < report.resolution < 1e-4
    assert "rounding, float32\n" in str(report)
    assert f"a relative error of {report.resolution:.1e} would have been seen here" in str(report)


def test_float32_finds_one_per_cent_in_a_convolution_of_many_terms():
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((40, 30)).astype(np.float32), rng.standard_normal((30, 3)).astype(np.float32)

    def backward(factor):
        return lambda g, x, w: (g @ w.T, x.T @ g * np.float32(factor))

    assert examine(np.matmul, x[:2], weight, backward=backward(1)).passed
    report = examine(np.matmul, x, weight, backward=backward(1.01), wanted=[False, True])
    assert (report.passed, report.verdict) == (False, "wrong formula")
    assert report.hints[0].startswith("it is 1.0")


@BOTH
def test_a_single_wrong_element_is_found_and_named(dtype):
    def backward(grad_output, x, w):
        dx, dw = product_backward(grad_output, x, w)
        dw[1, 0] *= dtype(1.01)
        return dx, dw

    report = examine(product, X.astype(dtype), W.astype(dtype), backward=backward)
    assert (report.input, report.element, report.wrong, report.where) == (1, (1, 0), 1, ((1, 0),))
    assert "  wrong      1 of 4 elements of this input: (1, 0)" in str(report)


def test_a_function_that_varies_too_fast():
    for speed in (1e9, 1e10, 1e12, 1e13):
        report = of(np.array([2.0]), 1.0, speed)
        assert (report.passed, report.verdict) == (False, "truncation"), speed
        assert "varies too fast" in report.words
    for speed in (1e3, 1e5, 1e7):
        assert of(np.array([2.0]), 1.0, speed).passed, speed
        report = of(np.array([2.0]), 1.001, speed)
        assert (report.passed, report.verdict) == (False, "wrong formula"), speed


@pytest.mark.parametrize(("dtype", "above"), [(np.float64, 1e6), (np.float64, 1e3), (np.float32, 1e3), (np.float32, 1e2)])
def test_rounding_of_large_numbers_inside_of_a_function_is_measured(dtype, above):
    x = np.array([0.5, 2.0, -1.3, 0.0], dtype)
    assert of(x, 1.0, 1.0, above).passed
    report = of(x, 1.01, 1.0, above)
    assert (report.passed, report.verdict) == (False, "wrong formula")


@pytest.mark.parametrize(("dtype", "above"), [(np.float32, 1e5), (np.float32, 1e6), (np.float64, 1e12), (np.float64, 1e14)])
def test_a_function_that_is_too_noisy(dtype, above):
    report = of(np.array([0.5], dtype), 1.0, 1.0, above)
    assert (report.passed, report.verdict) == (False, "rounding")
    assert "a wider dtype would tell" in report.words


def test_gradients_that_rounding_hides_are_let_pass_but_no_larger_ones():
    """Beside 1e3 slopes below 1e-12 show in no step; beside 0 they do."""
    assert examine(lambda x: 1e3 + 1e-12 * x, np.array([0.3]), backward=lambda g, x: 1e-12 * g).passed
    report = examine(lambda x: 1e3 + 1e-7 * np.sin(x), np.array([0.3]), backward=lambda g, x: 1e-7 * g * np.cos(x))
    assert (report.passed, report.verdict) == (True, "rounding")
    assert examine(lambda x: 1e3 + 0 * x, np.array([0.3]), backward=lambda g, x: 1e-6 * g).verdict == "wrong formula"
    assert examine(lambda x: 1e-12 * x, np.array([0.3]), backward=lambda g, x: 1.001e-12 * g).verdict == "wrong formula"


def test_an_output_that_swallows_a_slope_beside_one_that_does_not():
    def function(x):
        return np.stack([1e6 + 1e-14 * x, np.sin(1e-9 * x)])

    def backward(grad_output, x):
        return grad_output[0] * 1e-14 + grad_output[1] * 1e-9 * np.cos(1e-9 * x)

    assert examine(function, np.array([0.3]), backward=backward).passed


@BOTH
@pytest.mark.parametrize("power", [2, 3, 4, 5, 7, 1.5])
def test_where_the_derivative_is_zero_and_so_is_the_gradient(dtype, power):
    def function(x):
        return np.sign(x) * np.abs(x) ** dtype(power)

    assert examine(function, np.array([0.0], dtype), backward=lambda g, x: 0 * g).passed
    assert not examine(function, np.array([0.0], dtype), backward=lambda g, x: g * dtype(0.1)).passed


def test_beside_zero_steps_may_be_very_small():
    for dtype, unit in ((np.float64, 1e-11), (np.float32, 1e-7)):
        function, backward = sine(1.0, 1 / unit)
        assert examine(function, np.array([0.0], dtype), backward=backward).passed
        function, backward = sine(1.01, 1 / unit)
        assert examine(function, np.array([0.0], dtype), backward=backward).verdict == "wrong formula"


def test_the_coarsest_dtype_says_how_sharp_the_check_is():
    def narrow(x):
        return np.sin(x).astype(np.float32)

    report = examine(narrow, np.array([0.5, 2.0, -1.3]), backward=lambda g, x: g.astype(np.float64) * np.cos(x))
    assert (report.passed, report.dtype) == (True, "float32")
    assert report.resolution > 1e-6


def test_steps_with_which_the_output_has_another_shape_are_left_out():
    def function(x):
        return np.sin(x) if x[0] < 0.5 else np.sin(x)[:2]

    x = np.array([0.5 - 1e-5, 2.0, -1.0])
    assert examine(function, x, backward=lambda g, x: g * np.cos(x)).passed
    report = examine(function, x, backward=lambda g, x: g * np.cos(x) * 1.001)
    assert report.verdict == "wrong formula"


def test_the_quick_check_extrapolates():
    adapter, x = adapt(lambda x: x**3), np.array([0.5, -2.0, 1.5])
    probe = Probe(adapter, [x], {}, adapter.values([x], {}), [np.ones(3)])
    found = survey(probe, 0, 3 * x**2, 1e-3)
    assert np.abs(found.numeric - 3 * x**2).max() < 1e-11  # h^2 alone would be 2.5e-7
    assert not found.suspect.any()
    assert found.worst_first() == []
    doubled = survey(probe, 0, 6 * x**2, 1e-3)
    assert doubled.wrong.all()
    assert doubled.worst_first()[0] == (1,)


def test_limits_of_quotients():
    h = 10.0 ** -np.arange(1, 8)
    rounding = 1e-16 / h
    smooth = limit(h, 3 + 5 * h**2 + 7 * h**4, rounding, 2)
    assert abs(smooth.value - 3) <= smooth.doubt < 1e-8
    one_sided = limit(h, 3 + 5 * h - 7 * h**2, rounding, 1)
    assert abs(one_sided.value - 3) <= one_sided.doubt < 1e-6
    aliased = limit(h, np.where(h > 1e-4, 8.0, 3.0), rounding, 2)  # large steps agree with each other, and mean nothing
    assert abs(aliased.value - 3) <= aliased.doubt < 1e-6
    root = limit(h, 3 + np.sqrt(h), rounding, 2)
    assert abs(root.value - 3) <= root.doubt
    noise = limit(h, 3 + 1e-6 * np.array([1, -1, 1, -1, 1, -1, 1]) / h, 2e-6 / h, 2)
    assert abs(noise.value - 3) <= noise.doubt < 1e-3
