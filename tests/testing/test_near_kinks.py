"""Near a kink: how far away it may be, on which side of it, and what is still found out there."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg.testing import examine

BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def at(*values, dtype=np.float64):
    return np.array(values, dtype)


def distance(place):
    """Return |x - place| and its gradient, by a factor."""
    return lambda x: np.abs(x - place), lambda factor=1.0: lambda g, x: g * np.sign(x - place) * factor


def ramp(place, dtype):
    """Return max(x - place, 0) and its gradient, with something added to it."""
    place = dtype(place)
    return lambda x: np.maximum(x - place, 0), lambda added=0: lambda g, x: g * (x > place) + dtype(added)


@BOTH
@pytest.mark.parametrize("side", [1, -1])
def test_a_kink_that_is_near_does_no_harm(dtype, side):
    near = side * dtype(1e-6)
    x = rawseg.tensor(at(1.0, near, -2.0, dtype=dtype), requires_grad=True)
    report = examine(F.relu, x)
    assert (report.passed, report.verdict, report.element) == (True, "kink within the step", (1,))
    assert "a kink or jump lies between 1e-06 and 1e-05 away from this point" in report.words
    wrong = examine(np.abs, at(1.0, near, dtype=dtype), backward=lambda g, x: g * np.sign(x) * dtype(1.01))
    assert (wrong.passed, wrong.verdict) == (False, "wrong formula")


NEAR = [(np.float64, 10.0**-k) for k in range(1, 9)] + [(np.float32, 10.0**-k) for k in range(1, 9)]


@pytest.mark.parametrize(("dtype", "away"), NEAR)
@pytest.mark.parametrize("side", [1, -1])
def test_on_either_side_right_gradients_pass_and_wrong_ones_do_not(dtype, away, side):
    """On the flat side nothing moves with small steps, which is no rounding, and does with large ones, which is no gradient."""
    function, backward = ramp(0, dtype)
    x = at(side * away, 2.5, dtype=dtype)
    assert examine(function, x, backward=backward()).passed
    report = examine(function, x, backward=backward(0.5))
    assert not report.passed
    assert report.verdict in ("wrong formula", "rounding")
    if dtype == np.float64:  # numbers beside 1 lie closer than 1e-8 there
        function, backward = ramp(1, dtype)
        assert examine(function, 1 + x, backward=backward()).passed
        assert examine(function, 1 + x, backward=backward(0.5)).verdict == "wrong formula"


def test_a_kink_is_within_the_step_or_it_is_no_news():
    function, backward = ramp(0.5, np.float64)
    near, far = (examine(lambda x: 1e7 + function(x), at(0.5 + away), backward=backward()) for away in (1e-5, 3e-2))
    assert (near.passed, far.passed) == (True, True)
    assert far.verdict == "right"


def test_elements_near_a_kink_are_not_counted_among_the_wrong_ones():
    image = np.linspace(0.5, 2, 12).reshape(3, 4)
    image[1, 2] = 3e-6  # beside the kink at 0, where the quick check is far off

    def backward(grad_output, x):
        dx = grad_output * np.sign(x)
        dx[:, 0] /= 2
        return dx

    report = examine(np.abs, image, backward=backward)
    assert (report.verdict, report.wrong, report.where) == ("wrong formula", 3, ((0, 0), (1, 0), (2, 0)))
    assert report.hints[0] == "it is wrong only where axis 1 is 0"


@pytest.mark.parametrize(("roundings", "right"), [(60, True), (600, False)])
def test_the_gradient_may_be_rounded_itself(roundings, right):
    slope = 3 * (1 + roundings * 2.0**-53)
    report = examine(lambda x: 3 * np.abs(x), at(1e-6), backward=lambda g, x: g * slope)
    assert report.passed == right


def test_beside_a_kink_gradients_are_as_sharp_as_elsewhere():
    for away in (1e-4, 1e-5, 1e-6, 1e-7):
        function, backward = distance(0.5)
        assert examine(function, at(0.5 + away), backward=backward()).passed
        report = examine(function, at(0.5 + away), backward=backward(1.001))
        assert (report.passed, report.verdict) == (False, "wrong formula"), away


@pytest.mark.parametrize(("above", "away"), [(0, 1e-9), (1e6, 1e-9), (1e7, 1e-8)])
def test_a_kink_so_near_that_rounding_hides_what_is_between(above, away):
    function, backward = distance(0.5)
    report = examine(lambda x: above + function(x), at(0.5 + away), backward=backward())
    assert (report.passed, report.verdict) == (False, "kink within the step")
    assert report.words.endswith("move the input away from it")
