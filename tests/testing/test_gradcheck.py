"""gradcheck of everybody's functions, right and wrong, of first and second order, and what it takes and refuses."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from testing.products import Module, Product, TorchProduct, W, X, product, product_backward

import rawseg
from rawseg.errors import ArgumentError
from rawseg.testing import GradcheckError, adapt, examine, gradcheck, gradgradcheck


def scaled(factor):
    """The gradients of the product, that of w off by a factor."""

    def backward(grad_output, x, w, power=1):
        dx, dw = product_backward(grad_output, x, w, power)
        return dx, dw * factor

    return backward


class WrongProduct(Product):
    """The gradient of w is 0.1 % too small."""

    @staticmethod
    def backward(ctx, grad_output):
        dx, dw = Product.backward(ctx, grad_output)
        return dx, dw * 0.999


class WrongTorchProduct(TorchProduct):
    @staticmethod
    def backward(ctx, grad_output):
        dx, dw, _ = TorchProduct.backward(ctx, grad_output)
        return dx, dw * 0.999, None


class Square(rawseg.autograd.Function):
    """Its first derivative is right, the derivative of that is not: what depends on x is hidden from the graph."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return 2 * grad_output * x.detach()


class TorchSquare(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved_tensors
        return 2 * grad_output * x.detach()


def ours(*arrays):
    return [rawseg.tensor(array, requires_grad=True) for array in arrays]


def theirs(*arrays):
    return [torch.tensor(array, requires_grad=True) for array in arrays]


RIGHT = [
    ("rawseg", product, ours, {}),
    ("rawseg Function", Product, ours, {}),
    ("rawseg apply", Product.apply, ours, {}),
    ("torch", product, theirs, {}),
    ("torch Function", TorchProduct, theirs, {}),
    ("torch apply", TorchProduct.apply, theirs, {}),
    ("numpy", product, list, {"backward": product_backward}),
    ("numpy adapter", adapt(product, product_backward), list, {}),
    ("cupy", adapt(product, product_backward, framework="cupy", module=Module), list, {}),
]
WRONG = [
    ("rawseg Function", WrongProduct, ours, {}),
    ("torch Function", WrongTorchProduct, theirs, {}),
    ("numpy", product, list, {"backward": scaled(0.999)}),
    ("cupy", adapt(product, scaled(0.999), framework="cupy", module=Module), list, {}),
]


def inputs(tensors, *arrays):
    return list(arrays) if tensors is list else tensors(*arrays)


@pytest.mark.parametrize(("function", "tensors", "how"), [case[1:] for case in RIGHT], ids=[case[0] for case in RIGHT])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_gradients(function, tensors, how, dtype):
    report = examine(function, *inputs(tensors, X.astype(dtype), W.astype(dtype)), **how)
    assert report.passed, str(report)
    assert (report.verdict, report.checked, report.dtype) == ("right", 8, np.dtype(dtype).name)
    assert 0 < report.resolution < {np.float64: 1e-7, np.float32: 3e-3}[dtype]
    assert str(report).startswith("gradcheck: 8 elements agree with finite differences (float")


@pytest.mark.parametrize(("function", "tensors", "how"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_wrong_gradients(function, tensors, how, dtype):
    given = inputs(tensors, X.astype(dtype), W.astype(dtype))
    with pytest.raises(GradcheckError, match=r"input 1 \(w\) at \(\d, \d\): analytic gradient") as caught:
        gradcheck(function, *given, **how)
    report = caught.value.report
    assert (report.verdict, report.input, report.name) == ("wrong formula", 1, "w")
    assert report.hints == ("it is 0.999 of what it should be: every element",)
    assert not gradcheck(function, *given, raise_exception=False, **how)


@pytest.mark.parametrize(("function", "tensors"), [(product, ours), (Product, ours), (product, theirs), (TorchProduct, theirs)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_right_second_derivatives(function, tensors, dtype):
    report = examine(function, *tensors(X.astype(dtype), W.astype(dtype)), order=2)
    assert report.passed, str(report)
    assert report.checked == 12  # those of the gradient of the output as well
    assert str(report).startswith("gradgradcheck: 12 elements agree")
    assert gradgradcheck(function, *tensors(X.astype(dtype), W.astype(dtype)))


@pytest.mark.parametrize(("function", "tensors"), [(Square, ours), (TorchSquare, theirs)], ids=["rawseg", "torch"])
def test_wrong_second_derivatives(function, tensors):
    assert gradcheck(function, *tensors(X))
    with pytest.raises(GradcheckError, match=r"gradgradcheck: input 0 \(x\) at .*\n  verdict    wrong formula") as caught:
        gradgradcheck(function, *tensors(X))
    assert caught.value.report.order == 2
    assert caught.value.report.hints == ("it is zero everywhere: never computed, or cut off from the output",)
    assert not gradgradcheck(function, *tensors(X), raise_exception=False)


def test_a_derivative_in_the_gradient_of_the_output_is_named():
    class Doubled(Product):
        @staticmethod
        def backward(ctx, grad_output):
            x, w = ctx.saved
            return grad_output.detach() * x * w * 2, grad_output.detach() * x * x

    with pytest.raises(GradcheckError, match=r"input 2 \(the gradient of the output\) at"):
        gradgradcheck(Doubled, *ours(X, W))


def test_second_derivatives_in_some_inputs_only():
    fixed, free = rawseg.tensor(X), rawseg.tensor(W, requires_grad=True)
    assert examine(lambda x, w: x * w * w, fixed, free, order=2).checked == 8
    report = examine(lambda w, x, v: Square.apply(w) * x * v, free, fixed, *ours(X), order=2)
    assert (report.passed, report.name) == (False, "w")


def test_a_pair_has_no_second_derivative():
    with pytest.raises(
        ArgumentError,
        match=r"product: function: expected a function of rawseg or PyTorch.*got a NumPy function with",
    ):
        gradgradcheck(product, X, W, backward=product_backward)


def test_inputs_that_are_not_differentiated():
    fixed = rawseg.tensor(W)
    assert examine(product, rawseg.tensor(X, requires_grad=True), fixed).checked == 4
    assert examine(product, torch.tensor(X, requires_grad=True), torch.tensor(W)).checked == 4
    assert examine(lambda x, ids, left: x[ids], X, np.array([1, 0, 1]), None, backward=taken).checked == 4
    assert examine(product, X, W, backward=scaled(2.0), wanted=[True, False]).checked == 4
    mixed = examine(lambda x, w: x * rawseg.Tensor(w.array), rawseg.tensor(X, requires_grad=True), W)
    assert (mixed.passed, mixed.checked) == (True, 4)


def taken(grad_output, x, ids, left):
    dx = np.zeros_like(x)
    np.add.at(dx, ids, grad_output)
    return dx, None, None


def test_options_reach_the_function_and_its_gradient():
    assert gradcheck(product, X, W, backward=product_backward, options={"power": 3})
    assert gradcheck(Product, *ours(X, W), options={"power": 3})
    assert gradcheck(TorchProduct, *theirs(X, W), options={"power": 3})
    assert gradcheck(rawseg.functional.conv2d, *ours(X[None, None], W[None, None]), options={"padding": 1})


def test_functions_that_are_linear_constant_or_empty():
    assert gradcheck(lambda x: 3 * x, X, backward=lambda g, x: 3 * g)
    assert gradcheck(lambda x: np.full(3, 7.0), X, backward=lambda g, x: 0 * x)
    assert gradcheck(lambda x: x[:0], X, backward=lambda g, x: 0 * x)
    report = examine(lambda x: x * 2, np.zeros((0, 3)), backward=lambda g, x: 2 * g)
    assert str(report) == "gradcheck: there was nothing to compare"
    assert examine(lambda x: x * 2, np.array(3.0), backward=lambda g, x: 2 * g).checked == 1


def test_several_outputs_and_outputs_that_are_no_floats():
    def function(x):
        return x * 2, np.argsort(x, 1), x.sum(1)

    assert gradcheck(function, X, backward=lambda g, x: 2 * g[0] + g[1][:, None])
    assert not gradcheck(function, X, backward=lambda g, x: 2 * g[0], raise_exception=False)


def test_a_function_may_write_to_what_it_gets():
    def function(x):
        x *= 2
        return x

    before = X.copy()
    assert gradcheck(function, before, backward=lambda g, x: 2 * g)
    assert np.array_equal(before, X)


def test_steps_and_seeds():
    report = examine(np.sin, X, backward=lambda g, x: g * np.cos(x), step=1e-3, seed=4)
    assert report.passed
    finer = examine(np.sin, X, backward=lambda g, x: g * np.cos(x), step=1e-5, seed=4)
    assert finer.resolution != report.resolution
    by_seed = {examine(np.sin, X, backward=lambda g, x: g * np.cos(x), seed=seed).resolution for seed in range(3)}
    assert len(by_seed) == 3


def test_an_error_survives_being_sent_to_another_process():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(product, X, W, backward=scaled(2.0))
    again = pickle.loads(pickle.dumps(caught.value))
    assert str(again) == str(caught.value)
    assert again.report == caught.value.report
    assert isinstance(again, AssertionError)


def test_pytest_hides_the_frames_of_the_check():
    with pytest.raises(GradcheckError) as caught:
        gradcheck(product, X, W, backward=scaled(2.0))
    hidden = [entry.frame.f_locals.get("__tracebackhide__", False) for entry in caught.traceback]
    assert hidden == [False, True, True]
