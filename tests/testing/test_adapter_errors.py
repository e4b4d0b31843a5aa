"""What adapters refuse: arguments, results that are no arrays, gradients that are none; each said in one way."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from testing.products import SEED, UP, Module, Product, TorchProduct, W, X, product, product_backward

from rawseg.errors import ArgumentError, ArgumentTypeError, BackendError, DTypeError, GraphError
from rawseg.testing import adapt
from rawseg.testing.adapters import GradientError


def test_arguments_that_adapt_refuses():
    with pytest.raises(ArgumentError, match=r"adapt: framework: expected one of \('rawseg', .*\), got 'jax'"):
        adapt(product, framework="jax")
    with pytest.raises(ArgumentError, match=r"adapt: backward: expected None: torch finds gradients itself, got <function"):
        adapt(product, product_backward, framework="torch")
    with pytest.raises(ArgumentTypeError, match=r"adapt: function: expected something to call, got int"):
        adapt(3)
    with pytest.raises(ArgumentTypeError, match=r"adapt: backward: expected something to call, got str"):
        adapt(product, "product_backward")


def test_a_machine_without_cupy_or_torch_is_told_what_to_install(monkeypatch):
    for name in ("cupy", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(BackendError, match=r"adapt: framework: expected CuPy .* pip install 'rawseg\[cuda12\]', got no cupy"):
        adapt(product, framework="cupy")
    with pytest.raises(BackendError, match=r"adapt: framework: expected PyTorch .* pip install torch, got no torch module"):
        adapt(product, framework="torch")


def test_a_function_without_gradients():
    with pytest.raises(ArgumentError, match=r"product: backward: expected a function that returns the gradients: .*, got None"):
        adapt(product).gradients([X, W], {}, [True, True], [UP])
    expected = r"product: function: expected a function of rawseg or PyTorch: .* no second derivative, got a NumPy function"
    with pytest.raises(ArgumentError, match=expected):
        adapt(product, product_backward).second([X, W], {}, [True, True], [UP], SEED)


WRONG = [
    ("too few", lambda g, x, w: (g,), r"product: backward: expected 2 gradients, one for each array, got 1"),
    ("one for two", lambda g, x, w: g, r"product: backward: expected 2 gradients, one for each array, got 1"),
    ("shape", lambda g, x, w: (g[:1], g), r"product: gradient of input 0: expected shape \(2, 2\), the input's, got \(1, 2\)"),
    ("dtype", lambda g, x, w: (g, g.astype("f")), r"product: gradient of input 1: expected dtype float64, .*, got float32"),
    ("missing", lambda g, x, w: (g, None), r"product: gradient of input 1: expected an array of shape \(2, 2\) .*, got None"),
    ("list", lambda g, x, w: (g.tolist(), g), r"product: gradient of input 0: expected an array of numpy, got list"),
]


@pytest.mark.parametrize(("backward", "message"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_gradients_that_are_none(backward, message):
    with pytest.raises(GradientError, match=message):
        adapt(product, backward).gradients([X, W], {}, [True, True], [UP])


def test_only_wanted_gradients_are_asked_for():
    (dx,) = adapt(product, lambda g, x, w: (g, None)).gradients([X, W], {}, [True, False], [UP])
    assert np.array_equal(dx, UP)


@pytest.mark.parametrize(
    ("framework", "function", "message"),
    [
        ("rawseg", lambda x: 3.0, "<lambda>: output 0: expected a Tensor, got float"),
        ("torch", lambda x: (x, 3.0), "<lambda>: output 1: expected a Tensor, got float"),
        ("numpy", lambda x: x.tolist(), "<lambda>: output 0: expected an array of numpy, got float"),
        ("cupy", lambda x: x.array, "<lambda>: output 0: expected an array of cupy, got ndarray"),
    ],
)
def test_results_that_are_no_arrays(framework, function, message):
    with pytest.raises(ArgumentTypeError, match=message):
        adapt(function, framework=framework, module=Module).values([np.array(2.0)], {})


class Short(Product):
    @staticmethod
    def backward(ctx, grad_output):
        return (grad_output,)


class Narrow(Product):
    @staticmethod
    def backward(ctx, grad_output):
        return grad_output[:1], grad_output


class TorchShort(TorchProduct):
    @staticmethod
    def backward(ctx, grad_output):
        return (grad_output,)


class TorchNarrow(TorchProduct):
    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.reshape(-1)[:3], grad_output, None


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (Short, "Short: backward: expected 2 gradients, one for each input, got 1"),
        (Narrow, r"Narrow: gradient of input 0: expected \(2, 2\) float64 cpu, got \(1, 2\) float64 cpu"),
        (TorchShort, "TorchShort: backward: expected a gradient for each input.*incorrect number of gradients"),
        (TorchNarrow, "TorchNarrow: backward: expected a gradient for each input.*invalid gradient at index 0"),
    ],
    ids=["rawseg number", "rawseg shape", "torch number", "torch shape"],
)
def test_what_a_framework_refuses_of_a_backward_is_said_in_one_way(function, message):
    with pytest.raises(GradientError, match=message):
        adapt(function).gradients([X, W], {}, [True, True], [UP])


def test_other_errors_of_a_function_are_its_own():
    class Once(Product):
        second_order = False

    with pytest.raises(GraphError, match="no second derivative"):
        adapt(Once).second([X, W], {}, [True, True], [UP], SEED)
    with pytest.raises(DTypeError, match="float32"):
        adapt(product, framework="rawseg").values([X, W.astype(np.float32)], {})
    with pytest.raises(RuntimeError, match="size of tensor"):
        adapt(product, framework="torch").gradients([X, W[:, [0, 0, 1]]], {}, [True, True], [UP])
