"""Implementations held to a contract: right ones pass, and wrong ones of every kind are found by the check that is for them."""

from __future__ import annotations

from unittest import SkipTest

import numpy as np
import pytest
import torch
from testing import my_layers

from rawseg.errors import ArgumentError
from rawseg.testing import adapt, assert_conforms, check, each
from rawseg.testing.conformance import CHECKS, Outcome, Report
from rawseg.testing.contracts import contracts

OFFERED = ("values", "gradients", "differences", "edges", "bad input", "determinism")


def states(report: Report) -> dict[str, str]:
    return {outcome.check: outcome.state for outcome in report.outcomes}


def test_a_right_numpy_pair_conforms():
    report = check("conv2d", my_layers.conv2d, my_layers.conv2d_backward)
    assert report.passed, str(report)
    assert states(report) == {name: "passed" if name in OFFERED else "not offered" for name in CHECKS}
    assert report.left_out == ("groups",)
    assert all(outcome.cases > 2 for outcome in report.outcomes if outcome.check in OFFERED)
    assert [note for note in report.of("edges").notes if "conv2d.nonfinite" in note]


def test_wrong_values():
    report = check("conv2d", my_layers.stride_of_height_twice, only=("values",))
    found = report.of("values")
    assert found.state == "failed"
    assert "output: shape" in found.message
    stride = found.case.options["stride"]
    assert sorted(stride) == [1, 2], "the smallest pair of unequal strides"
    assert found.case.arrays["input"].size <= 4


def test_a_wrong_gradient():
    report = check("conv2d", my_layers.conv2d, my_layers.flipped_backward, only=("values", "gradients", "differences"))
    assert states(report) == {"values": "passed", "gradients": "failed", "differences": "failed"}
    found = report.of("gradients")
    assert found.message.startswith("gradient of input: cannot be rounding: ")
    assert "flipped" in found.message
    assert found.case.arrays["weight"].shape[2:] in ((1, 2), (2, 1)), "the smallest kernel that has a direction"
    assert "wrong formula" in report.of("differences").message


class SiluTwiceWrong(torch.autograd.Function):
    """silu whose gradient is right and whose second derivative is off by a factor."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return SiluBackward.apply(grad_output, x)


class SiluBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, grad_output, x):
        ctx.save_for_backward(grad_output, x)
        s = torch.sigmoid(x)
        return grad_output * s * (1 + x * (1 - s))

    @staticmethod
    def backward(ctx, grad):
        grad_output, x = ctx.saved_tensors
        s = torch.sigmoid(x)
        slope = s * (1 - s) * (2 + x * (1 - 2 * s))
        return grad * s * (1 + x * (1 - s)), 1.5 * grad * grad_output * slope


def test_a_wrong_second_derivative():
    report = check("silu", SiluTwiceWrong, only=("values", "gradients", "second order"))
    assert states(report) == {"values": "passed", "gradients": "passed", "second order": "failed"}
    assert report.of("second order").message.startswith("second derivative of input: cannot be rounding")


def test_a_wrong_edge():
    report = check("conv2d", my_layers.without_empty, only=("edges",))
    found = report.of("edges")
    assert found.state == "failed"
    assert found.message.startswith("a batch without images (conv2d.empty): output: shape (1, 3, 2, 4), expected (0, 3, 2, 4)")


def test_bad_input_that_is_accepted():
    report = check("conv2d", my_layers.accepts_anything, only=("bad input",))
    found = report.of("bad input")
    assert found.state == "failed"
    assert "weights for other channels (conv2d.shapes): accepted; returned float64 (1, 1, 1, 1)" in found.message


def test_two_runs_that_differ():
    found = check("conv2d", my_layers.Unsteady(), only=("determinism",)).of("determinism")
    assert found.state == "failed"
    assert found.message.startswith("two runs differ: output 0 at (0, 0, 0, 0) is ")


def test_an_argument_that_is_written_to():
    found = check("conv2d", my_layers.overwrites, only=("determinism",)).of("determinism")
    assert found.state == "failed"
    assert "arguments: input was written to" in found.message


def test_an_exception_is_a_failure_of_the_case():
    def unfinished(x, weight, bias=None):
        raise NotImplementedError("later")

    found = check("conv2d", unfinished, only=("values",)).of("values")
    assert found.message == "raised NotImplementedError: later"
    assert found.case is not None


def test_other_kinds_of_results_are_failures():
    def narrow(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return my_layers.conv2d(x, weight, bias, stride, padding, dilation).astype(np.float32)

    def twice(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return (my_layers.conv2d(x, weight, bias, stride, padding, dilation),) * 2

    assert check("conv2d", narrow, only=("values",)).of("values").message == "output: dtype float32, expected float64"
    assert check("conv2d", twice, only=("values",)).of("values").message == "values: 2 outputs, expected 1"


def test_a_torch_function_conforms_up_to_rawsegs_own_choices():
    report = check("conv2d", torch.nn.functional.conv2d, examples=10)
    assert report.passed, str(report)
    assert states(report)["second order"] == "passed"


def test_a_cupy_style_function_conforms():
    """Written for whichever module has the arrays, as CuPy's are."""

    def conv2d(x, weight, bias=None, stride=1, padding=0, dilation=1):
        return my_layers.conv2d(x, weight, bias, stride, padding, dilation)

    class Module:
        asarray, asnumpy = staticmethod(np.asarray), staticmethod(np.asarray)

    report = check("conv2d", adapt(conv2d, my_layers.conv2d_backward, framework="cupy", module=Module), examples=5)
    assert report.passed, str(report)
    assert states(report)["gradients"] == "passed"


def test_assert_conforms_says_what_is_wrong():
    assert_conforms("conv2d", my_layers.conv2d, only=("values", "edges"))
    with pytest.raises(
        AssertionError, match=r"stride_of_height_twice as conv2d: does not conform\n(.|\n)*smallest case: conv2d\("
    ):
        assert_conforms("conv2d", my_layers.stride_of_height_twice, only=("values",))


@pytest.mark.parametrize(
    "one", each("conv2d", my_layers.conv2d, my_layers.conv2d_backward, examples=5), ids=lambda c: c.__name__
)
def test_each_check_is_a_test_of_its_own(one):
    if one.__name__ == "second_order":
        with pytest.raises(SkipTest, match="second order: not offered by conv2d"):
            one()
    else:
        one()
    assert one.__name__.replace("_", " ") in CHECKS


def test_what_it_refuses():
    with pytest.raises(ArgumentError, match=r"op: expected one of .*conv2d.*, got 'convolve'"):
        check("convolve")
    with pytest.raises(ArgumentError, match=r"only: expected some of \('values', .*, got \['speed'\]"):
        check("conv2d", only=("speed",))


def test_an_outcome_reads_well():
    outcome = Outcome("values", "failed", 7, "output: wrong", None, ("a note",))
    assert str(outcome) == "values: failed (7 cases)\n  output: wrong\n  note: a note"


@pytest.mark.gate
@pytest.mark.parametrize("op", ["conv2d", "conv_transpose2d"])
def test_rawsegs_own_convolutions_conform(op):
    report = check(op)
    assert report.passed, str(report)
    assert set(states(report).values()) == {"passed"}
    assert op in contracts()
