"""What a report claims: no more than was looked at; and which checks may be asked for."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest
import torch
from testing import my_layers

import rawseg
from rawseg.errors import ArgumentError
from rawseg.testing import CHECKS, Outcome, Report, adapt, assert_conforms, check, each


def relu(x):
    return np.maximum(x, 0)


def relu_backward(grad_output, x):
    return grad_output * ~(x <= 0)  # as PyTorch, NaN passes it on


def test_what_is_not_offered_is_said_in_the_first_line():
    lines = str(check("relu", relu, examples=3)).splitlines()
    assert lines[0] == "relu as relu: conforms in what it offers: no gradients, no second order"
    assert str(check("relu", relu, relu_backward, examples=3)).startswith("relu as relu: conforms in what it offers: no second")
    assert str(check("relu", examples=3)).startswith("relu as relu: conforms\n")


def test_an_operation_without_gradients_lacks_none():
    report = check("nms", only=("values", "gradients", "second order"), examples=2)
    assert report.of("gradients").state == report.of("second order").state == "not offered"
    assert str(report).startswith("nms as nms: conforms\n")


def test_nothing_that_was_looked_at_is_no_conformance():
    report = check("relu", relu, only="gradients")
    assert str(report).startswith("relu as relu: not checked, as nothing of this is offered\n")
    with pytest.raises(AssertionError, match="not checked, as nothing of this is offered"):
        assert_conforms("relu", relu, only="gradients")


def test_checks_that_are_required():
    assert_conforms("relu", relu, relu_backward, require=("gradients", "values"), examples=3)
    with pytest.raises(AssertionError, match=r"conforms in what it offers(.|\n)*required, and not offered: gradients$"):
        assert_conforms("relu", relu, require="gradients", examples=3)
    with pytest.raises(ArgumentError, match=r"Report.of: check: expected one of \('values',\), got 'gradients'"):
        assert_conforms("relu", relu, require="gradients", only="values", examples=3)
    with pytest.raises(ArgumentError, match=r"check: only: expected some of .*, got \['speed'\]"):
        assert_conforms("relu", relu, require="speed")


def test_each_check_that_is_asked_for():
    tests = each("conv2d", my_layers.conv2d, my_layers.conv2d_backward, examples=2)
    assert [test.__name__.replace("_", " ") for test in tests] == list(CHECKS)
    assert [test.__name__ for test in each("relu", relu, only=("edges", "values"))] == ["values", "edges"]
    assert [test.__name__ for test in each("relu", relu, only="values")] == ["values"]


def test_a_test_of_what_is_not_offered_is_skipped():
    (one,) = each("relu", relu, only="gradients")
    with pytest.raises(SkipTest, match="gradients: not offered by relu"):
        one()
    (wrong,) = each("relu", lambda x: x, only="values")
    with pytest.raises(AssertionError, match="does not conform"):
        wrong()


def test_checks_and_numbers_that_are_refused():
    for only, got in ((), "none"), ("value", r"\['value'\]"), (("values", "speed"), r"\['speed'\]"):
        with pytest.raises(ArgumentError, match=rf"check: only: expected some of \('values', .*, got {got}"):
            check("relu", only=only)
    for examples in (0, -1, 2.5, True):
        with pytest.raises(ArgumentError, match="check: examples: expected a whole number, at least 1, got "):
            check("relu", examples=examples)


def test_outcomes_by_name():
    report = Report("relu", "mine", (Outcome("values", "passed", 3), Outcome("edges", "failed", 1)))
    assert report.of("edges").state == "failed"
    with pytest.raises(ArgumentError, match=r"Report.of: check: expected one of \('values', 'edges'\), got 'value'"):
        report.of("value")


@pytest.mark.parametrize("layer", [torch.nn.ReLU(), rawseg.nn.ReLU()], ids=["torch", "rawseg"])
def test_a_layer_takes_what_its_forward_takes(layer):
    report = check("relu", layer, only=("values", "edges"), examples=3)
    assert report.passed, str(report)
    assert report.left_out == ("inplace",)
    assert not adapt(layer).accepts("inplace")
    assert adapt(layer).argument(0) == "input"


def clamped(x):
    return torch.clamp(x, min=0)


def recorded(x):
    return rawseg.functional.relu(x)


def neither(x):
    return x.nothing_of_this_name()


@pytest.mark.parametrize("function", [clamped, recorded])
def test_a_function_of_tensors_is_seen_by_what_it_takes(function):
    report = check("relu", function, examples=3, only=("values", "gradients", "second order"))
    assert report.passed, str(report)
    assert {outcome.state for outcome in report.outcomes} == {"passed"}


def test_a_function_of_arrays_is_not_taken_for_one_of_tensors_because_of_its_module():
    report = check("relu", relu, examples=3, only=("values", "gradients"))
    assert report.of("values").state == "passed"
    assert report.of("gradients").state == "not offered"


def test_a_guess_is_told_where_it_may_be_the_reason():
    guess = "taken as a function of NumPy arrays; framework= (--framework torch) says otherwise"
    assert guess in str(check("relu", neither, only="values")).splitlines()
    assert guess not in str(check("relu", neither, only="values", framework="numpy"))
    assert guess not in str(check("relu", lambda x: x, only="values"))
