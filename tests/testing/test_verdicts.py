"""Verdicts: for every reason why a gradient and the differences may disagree, a function that has it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rawseg
from rawseg import functional as F
from rawseg.testing import examine

BOTH = pytest.mark.parametrize("dtype", [np.float64, np.float32])


def at(*values, dtype=np.float64):
    return np.array(values, dtype)


def distance(place, dtype=np.float64):
    """Return |x - place| and its gradient, by a factor."""
    place = dtype(place)
    return lambda x: np.abs(x - place), lambda factor=1: lambda g, x: g * np.sign(x - place) * dtype(factor)


# the function does not repeat itself


class Drifting:
    """Returns another last bit, or another gradient, in every call."""

    def __init__(self, values=False, gradients=False):
        self.values, self.gradients, self.calls = values, gradients, 0

    def forward(self, x):
        self.calls += 1
        return x * 2 * (1 + (self.calls % 2) * np.finfo(x.dtype).eps * self.values)

    def backward(self, grad_output, x):
        self.calls += 1
        return grad_output * 2 * (1 + (self.calls % 2) * np.finfo(x.dtype).eps * self.gradients)


def test_values_that_differ_from_call_to_call():
    report = examine(Drifting(values=True), at(0, 3.0))
    assert (report.passed, report.verdict) == (False, "nondeterministic")
    seen = "output 0 at (1,) is 6.0000000000000018 in one call and 6 in the next, with the same inputs"
    assert str(report) == f"gradcheck: nondeterministic: {seen}"


def test_gradients_that_differ_from_call_to_call():
    report = examine(Drifting(gradients=True), at(0, 3.0))
    assert report.verdict == "nondeterministic"
    assert report.words.startswith("the gradient of input 0 (x) at (0,) is ")


def test_results_that_change_their_shape_or_number():
    shapes = iter([(2,), (3,)])
    report = examine(lambda x: np.ones(next(shapes)), at(1.0), backward=lambda g, x: x)
    assert report.words == "output 0 is float64 (2,) in one call and float64 (3,) in the next"
    numbers = iter([1, 2])
    report = examine(lambda x: (x,) * next(numbers), at(1.0), backward=lambda g, x: x)
    assert report.words == "one call gives 1 results, the next 2, with the same inputs"


def test_bits_are_compared_so_that_nan_is_itself_and_zeros_have_signs():
    report = examine(lambda x: np.full(2, np.nan), at(1.0), backward=lambda g, x: x)
    assert report.verdict == "not finite"
    signs = iter([0.0, -0.0])
    report = examine(lambda x: np.array([next(signs)]), at(1.0), backward=lambda g, x: x)
    assert report.words == "output 0 at (0,) is 0 in one call and -0 in the next, with the same inputs"


# there is nothing to compare


@pytest.mark.parametrize(
    ("backward", "words"),
    [
        (lambda g, x: g[:1], r"gradient of input 0: expected shape (2,), the input's, got (1,)"),
        (lambda g, x: g.astype(np.float32), r"gradient of input 0: expected dtype float64, the input's, got float32"),
        (lambda g, x: None, r"gradient of input 0: expected an array of shape (2,) "),
        (lambda g, x: (g, g), r"backward: expected 1 gradients, one for each array, got 2"),
    ],
    ids=["shape", "dtype", "missing", "number"],
)
def test_gradients_of_another_shape_or_dtype_or_none(backward, words):
    report = examine(lambda x: x * 2, at(1.0, 2.0), backward=backward)
    assert (report.passed, report.verdict) == (False, "shape or dtype")
    assert words in report.words
    assert str(report).startswith("gradcheck: shape or dtype: <lambda>: ")


def test_outputs_that_are_no_floats():
    assert (
        examine(np.argsort, at(1.0), backward=lambda g, x: x).words == "no output is a float that could have a gradient: int64"
    )
    assert examine(lambda x: (), at(1.0), backward=lambda g, x: x).words.endswith("could have a gradient: no outputs")
    half = examine(lambda x: x.astype(np.float16), at(1.0), backward=lambda g, x: x)
    assert half.words == "output 0 is float16: only float32 and float64 can be compared"
    assert {half.verdict, half.passed} == {"shape or dtype", False}


@BOTH
def test_values_and_gradients_that_are_not_finite(dtype):
    with np.errstate(all="ignore"):
        report = examine(np.log, at(1, 0, dtype=dtype), backward=lambda g, x: g / x)
        assert (report.passed, report.verdict) == (False, "not finite")
        assert report.words == "output 0 at (1,) is -inf: nothing can be said about gradients there"
        report = examine(np.sqrt, at(1, 0, dtype=dtype), backward=lambda g, x: g * 0.5 / np.sqrt(x))
    assert report.verdict == "not finite"
    assert report.words.startswith("the gradient of input 0 (x) at (1,) is ")
    assert report.words.endswith("inf, where the outputs are finite")


def test_a_point_at_the_end_of_where_the_function_lives():
    report = examine(np.sqrt, at(1.0, 0.0), backward=lambda g, x: g * 0.5 / np.sqrt(np.maximum(x, 1e-30)))
    assert (report.passed, report.verdict, report.element) == (False, "not finite", (1,))
    assert "no finite values on one side of this point" in str(report)

    def shy(x):
        if (x > 1).any():
            raise ValueError("probabilities end at 1")
        return x * x

    assert examine(shy, at(0.5, 0.99999), backward=lambda g, x: 2 * g * x).passed
    report = examine(shy, at(0.5, 1.0), backward=lambda g, x: 2 * g * x)
    assert report.verdict == "not finite"
    assert "(ValueError: probabilities end at 1)" in report.words


# kinks and jumps


@BOTH
@pytest.mark.parametrize("relu", [F.relu, torch.relu], ids=["rawseg", "torch"])
def test_relu_at_zero(relu, dtype):
    values = at(1.0, 0.0, -1.0, dtype=dtype)
    x = torch.tensor(values, requires_grad=True) if relu is torch.relu else rawseg.tensor(values, requires_grad=True)
    report = examine(relu, x)
    assert (report.passed, report.verdict, report.element, report.where) == (False, "kink", (1,), ((1,),))
    assert sorted(map(abs, (report.left, report.right)))[0] == 0
    assert "to the right; the gradient lies between them, a subgradient" in report.words
    report = examine(relu, x, kinks="subgradient")
    assert (report.passed, report.verdict) == (True, "kink")
    assert "note" in str(report)


@BOTH
def test_a_subgradient_lies_between_the_slopes_of_both_sides(dtype):
    for share, right in ((0, True), (0.3, True), (1, True), (-0.01, False), (1.01, False)):
        report = examine(
            lambda x: np.maximum(x, 0),
            at(0, dtype=dtype),
            backward=lambda g, x, share=share: g * dtype(share),
            kinks="subgradient",
        )
        assert (report.passed, report.verdict) == (right, "kink"), share
        assert ("not even a subgradient" in report.words) == (not right)
        assert not examine(
            lambda x: np.maximum(x, 0), at(0, dtype=dtype), backward=lambda g, x, share=share: g * dtype(share)
        ).passed


def test_a_kink_is_seen_where_the_gradient_is_the_mean_of_both_sides():
    function, backward = distance(0.5)
    report = examine(function, at(0.5), backward=backward())
    assert (report.passed, report.verdict, report.analytic, report.numeric) == (False, "kink", 0, 0)
    assert report.left == -report.right


@BOTH
def test_max_pool_ties(dtype):
    image = np.zeros((1, 1, 2, 3), dtype)
    image[0, 0, 0, 1] = image[0, 0, 1, 1] = 2  # the largest of both windows, twice
    x = rawseg.tensor(image, requires_grad=True)
    report = examine(F.max_pool2d, x, options={"kernel_size": 2, "stride": 1})
    assert (report.passed, report.verdict) == (False, "kink")
    assert report.element in ((0, 0, 0, 1), (0, 0, 1, 1))
    assert examine(F.max_pool2d, x, options={"kernel_size": 2, "stride": 1}, kinks="subgradient").passed


def test_every_output_has_a_kink_of_its_own():
    """Along the direction the slopes of two outputs cancel on both sides; a gradient may still be between those of each."""

    def function(x):
        return np.stack([np.maximum(x, 0), np.maximum(x, 0)])

    for shares, right in (((1.0, 0.0), True), ((0.2, 0.7), True), ((1.3, 0.0), False)):
        chosen = np.array(shares)[:, None]
        report = examine(function, at(0), backward=lambda g, x, chosen=chosen: (g * chosen).sum(0), kinks="subgradient", seed=3)
        assert report.passed == right, shares


def test_slopes_that_grow_without_limit():
    report = examine(lambda x: np.sqrt(np.abs(x)), at(0), backward=lambda g, x: 0 * g)
    assert (report.passed, report.verdict) == (False, "kink")
    assert "the slopes grow without limit as the step falls, like h**-0.5" in str(report)


@BOTH
def test_jumps(dtype):
    report = examine(np.floor, at(1.5, 2.0, dtype=dtype), backward=lambda g, x: 0 * g)
    assert (report.passed, report.verdict, report.element, report.where) == (False, "jump", (1,), ((1,),))
    assert "grows like 1/h" in str(report)
    assert "tolerance" not in str(report)
    removed = examine(lambda x: np.where(x == 0, dtype(1), dtype(0)), at(0, dtype=dtype), backward=lambda g, x: 0 * g)
    assert removed.verdict == "jump"


def test_a_jump_that_is_near_does_no_harm():
    report = examine(np.floor, at(1.00003), backward=lambda g, x: 0 * g)
    assert (report.passed, report.verdict) == (True, "kink within the step")
    assert examine(np.floor, at(1.00003), backward=lambda g, x: g).verdict == "wrong formula"
