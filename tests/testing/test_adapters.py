"""Adapters: functions of rawseg, PyTorch, NumPy and a stand-in for CuPy, called with the same NumPy arrays."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from testing.products import SEED, UP, Module, Pair, Product, TorchProduct, W, X, product, product_backward

import rawseg
from rawseg.testing import adapt
from rawseg.testing.adapters import FRAMEWORKS, framework_of

RECORDED = [
    ("rawseg", lambda: adapt(product, framework="rawseg")),
    ("rawseg Function", lambda: adapt(Product)),
    ("torch", lambda: adapt(product, framework="torch")),
    ("torch Function", lambda: adapt(TorchProduct)),
]
ALL = [
    *RECORDED,
    ("numpy", lambda: adapt(product, product_backward)),
    ("pair", lambda: adapt(Pair)),
    ("cupy", lambda: adapt(product, product_backward, framework="cupy", module=Module)),
]


def named(cases):
    return pytest.mark.parametrize("make", [case[1] for case in cases], ids=[case[0] for case in cases])


@named(ALL)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_values_and_gradients_are_the_same_whoever_computes_them(make, dtype):
    adapter = make()
    x, w, up = X.astype(dtype), W.astype(dtype), UP.astype(dtype)
    (value,) = adapter.values([x, w], {"power": 3})
    assert value.dtype == dtype
    assert np.array_equal(value, x * x * w * 3)
    dx, dw = adapter.gradients([x, w], {"power": 3}, [True, True], [up])
    assert np.array_equal(dx, up * x * w * 6)
    assert np.array_equal(dw, up * x * x * 3)
    (only,) = adapter.gradients([x, w], {}, [False, True], [up])
    assert np.array_equal(only, up * x * x)
    assert np.array_equal(x, X)


@named(RECORDED)
def test_second_derivatives(make):
    adapter = make()
    assert adapter.has_second
    dx, dw, dup = adapter.second([X, W], {}, [True, True], [UP], SEED)
    # sum_i <gradient_i, seed_i> = <2 up x w, a> + <up x^2, b>
    a, b = SEED
    assert np.array_equal(dx, 2 * UP * W * a + 2 * UP * X * b)
    assert np.array_equal(dw, 2 * UP * X * a)
    assert np.array_equal(dup, 2 * X * W * a + X * X * b)


@pytest.mark.parametrize("framework", ["rawseg", "torch"])
def test_what_does_not_depend_on_an_input_has_zeros(framework):
    adapter = adapt(lambda x, unused: x * 2, framework=framework)
    dx, none = adapter.gradients([X, W], {}, [True, True], [UP])
    assert np.array_equal(dx, 2 * UP)
    assert np.array_equal(none, 0 * W)
    found = adapter.second([X, W], {}, [True, True], [UP], SEED)
    assert [np.abs(one).max() for one in found[:2]] == [0, 0]
    assert np.array_equal(found[2], 2 * SEED[0])
    flat = adapt(lambda x: x.detach(), framework=framework)
    assert np.array_equal(flat.gradients([X], {}, [True], [UP])[0], 0 * X)
    assert flat.gradients([X], {}, [False], [UP]) == []


@pytest.mark.parametrize("framework", ["rawseg", "torch"])
def test_several_outputs_of_which_the_floating_ones_have_directions(framework):
    adapter = adapt(lambda x: x.max(1), framework=framework)
    values, indices = adapter.values([X], {})
    assert values.tolist() == [1, 3]
    assert indices.dtype == np.int64
    assert indices.tolist() == [0, 1]
    (dx,) = adapter.gradients([X], {}, [True], [np.array([5.0, 7.0])])
    assert dx.tolist() == [[5, 0], [0, 7]]


def test_a_backward_gets_a_tuple_where_there_are_several_floating_outputs():
    seen = []

    def backward(grad_output, x):
        seen.append(type(grad_output))
        return grad_output[0] + 2 * grad_output[1]

    adapter = adapt(lambda x: (x, x.astype(int), 2 * x), backward)
    assert [out.dtype.kind for out in adapter.values([X], {})] == ["f", "i", "f"]
    (dx,) = adapter.gradients([X], {}, [True], [UP, W])
    assert seen == [tuple]
    assert np.array_equal(dx, UP + 2 * W)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_arrays_that_were_left_out_stay_out(framework):
    def function(x, bias):
        return x * 3 if bias is None else x

    backward = None if framework in ("rawseg", "torch") else lambda grad_output, x, bias: (grad_output * 3, bias)
    adapter = adapt(function, backward, framework=framework, module=Module)
    assert np.array_equal(adapter.values([X, None], {})[0], 3 * X)
    (dx,) = adapter.gradients([X, None], {}, [True, False], [UP])
    assert np.array_equal(dx, 3 * UP)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_outputs_do_not_share_memory_with_inputs(framework):
    adapter = adapt(lambda x: x, framework=framework, module=Module)
    assert not np.shares_memory(adapter.values([X], {})[0], X)


def test_options_of_a_torch_function_reach_their_places():
    class Shifted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale=2, shift=0):
            ctx.scale = scale
            return x * scale + shift

        @staticmethod
        def backward(ctx, grad_output):
            return grad_output * ctx.scale, None, None

    assert np.array_equal(adapt(Shifted).values([X], {"shift": 1})[0], 2 * X + 1)
    assert np.array_equal(adapt(Shifted).gradients([X], {"scale": 5}, [True], [UP])[0], 5 * UP)


def test_outputs_are_copies_of_memory_that_a_function_uses_again():
    buffer = np.zeros(2)

    def function(x):
        buffer[...] = x
        return buffer

    adapter = adapt(function)
    first, second = adapter.values([np.array([1.0, 2.0])], {})[0], adapter.values([np.array([3.0, 4.0])], {})[0]
    assert first.tolist() == [1, 2]
    assert second.tolist() == [3, 4]


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_arrays_are_handed_over_as_they_lie_in_memory(framework):
    wide = np.zeros((2, 4))
    wide[:, ::2] = X
    locked = X.copy()
    locked.flags.writeable = False
    adapter = adapt(lambda x: x * 2, framework=framework, module=Module)
    for array in (np.asfortranarray(X), wide[:, ::2], X[::-1][::-1], X[::-1, ::-1], locked, np.array(2.0)):
        assert np.array_equal(adapter.values([array], {})[0], 2 * array)


def test_what_a_function_takes():
    def function(x, /, weight, *, scale=1):
        return x

    adapter = adapt(function)
    assert [adapter.accepts(name) for name in ("x", "weight", "scale", "bias")] == [False, True, True, False]
    assert [adapter.argument(position) for position in range(3)] == ["x", "weight", ""]
    assert adapt(lambda *arrays, **options: arrays[0]).accepts("anything")
    assert adapt(torch.conv2d).accepts("anything")
    assert adapt(torch.conv2d).argument(0) == ""
    for kind in (Product, TorchProduct):
        assert [adapt(kind).argument(position) for position in range(3)] == ["x", "w", "power"]
        assert adapt(kind).accepts("power")
        assert not adapt(kind).accepts("ctx")


def test_an_adapter_passes_through_and_knows_its_name():
    adapter = adapt(product, product_backward)
    assert adapt(adapter) is adapter
    assert (adapter.name, adapter.framework, adapter.has_gradients, adapter.has_second) == ("product", "numpy", True, False)
    assert not adapt(product).has_gradients
    assert adapt(rawseg.nn.ReLU()).name == "ReLU"
    assert adapt(torch.conv2d).name == "conv2d"


class OurModule(rawseg.nn.Module):
    def forward(self, x):
        return x * 2


class TheirModule(torch.nn.Module):
    def forward(self, x):
        return x * 2


@pytest.mark.parametrize(
    ("function", "framework"),
    [
        (rawseg.functional.conv2d, "rawseg"),
        (partial(rawseg.functional.conv2d, stride=2), "rawseg"),
        (rawseg.nn.ReLU(), "rawseg"),
        (OurModule(), "rawseg"),
        (Product, "rawseg"),
        (Product.apply, "rawseg"),
        (rawseg.Tensor.exp, "rawseg"),
        (torch.conv2d, "torch"),
        (torch.nn.functional.conv2d, "torch"),
        (torch.nn.functional.relu, "torch"),
        (torch.ops.aten.relu, "torch"),
        (torch.special.expit, "torch"),
        (torch.Tensor.exp, "torch"),
        (torch.nn.ReLU(), "torch"),
        (TheirModule(), "torch"),
        (TorchProduct, "torch"),
        (TorchProduct.apply, "torch"),
        (np.sin, "numpy"),
        (product, "numpy"),
        (Pair, "numpy"),
        (lambda x: x, "numpy"),
    ],
)
def test_the_module_tells_the_framework(function, framework):
    assert framework_of(function) == framework
    assert adapt(function).framework == framework


def test_functions_of_rawsegs_kernels_take_numpy_arrays():
    from rawseg_kernels import nms

    assert framework_of(nms.forward) == "numpy"


@pytest.mark.parametrize("module", [OurModule(), TheirModule()], ids=["rawseg", "torch"])
def test_modules_are_called(module):
    assert adapt(module).values([X], {})[0].tolist() == (2 * X).tolist()
    assert adapt(module).gradients([X], {}, [True], [UP])[0].tolist() == (2 * UP).tolist()
