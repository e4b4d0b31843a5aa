"""TensorFlow's functions of elements, alone, in pairs or fused into others, translated: equal to NumPy's.

Numbers are small and whole, so that every sum is exact in float32 and results are equal, unless a tolerance says why.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_rules as rules
import tfjs_files
from tfjs_files import images, node, placeholder, run, whole

import rawseg
from rawseg import tfjs

# fused forms


@pytest.mark.parametrize(
    ("kind", "function"),
    [
        ((), lambda y: y),
        (("Relu",), lambda y: np.maximum(y, 0)),
        (("Relu6",), lambda y: np.clip(y, 0, 6)),
        (("LeakyRelu",), lambda y: np.where(y < 0, y * 0.25, y)),
        (("Prelu",), lambda y: np.where(y < 0, y * np.float32([2, 0.5, 4]), y)),
    ],
)
@pytest.mark.parametrize("op", ["_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedMatMul"])
def test_bias_and_activation_are_fused_in(op, kind, function, tmp_path):
    bias, slope = np.float32([1, -2, 3]), np.float32([2, 0.5, 4])
    fused = {"fused_ops": ["BiasAdd", *kind], "leakyrelu_alpha": 0.25}
    inputs = ["x", "w", "bias", *(["slope"] if kind == ("Prelu",) else [])]
    arrays = {"bias": bias, "slope": slope}
    if op == "_FusedMatMul":
        x, arrays["w"] = whole(0, 4, 5), whole(1, 5, 3)
        found = run(tmp_path, [placeholder(x.shape), node("y", op, inputs, **fused)], arrays, x)
        assert np.array_equal(found, function(x @ arrays["w"] + bias))
        return
    x = whole(0, 1, 4, 4, 3)
    arrays["w"] = whole(1, 2, 2, 3, 3 if op == "_FusedConv2D" else 1)
    nodes = [placeholder(x.shape), node("y", op, inputs, strides=[1, 1, 1, 1], padding="SAME", **fused)]
    convolve = rules.conv2d if op == "_FusedConv2D" else rules.depthwise
    want = function(convolve(x, arrays["w"], (1, 1), "SAME") + bias)
    assert np.array_equal(run(tmp_path, nodes, arrays, x), images(want))


@pytest.mark.parametrize(("first", "second"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_product_of_matrices_either_of_them_transposed(first, second, tmp_path):
    a, b = whole(0, *((3, 2) if first else (2, 3))), whole(1, *((4, 3) if second else (3, 4)))
    nodes = [placeholder(a.shape), node("y", "MatMul", ["x", "w"], transpose_a=first, transpose_b=second)]
    want = (a.T if first else a) @ (b.T if second else b)
    assert np.array_equal(run(tmp_path, nodes, {"w": b}, a), want)


# elements

BINARY = {
    "Add": np.add,
    "AddV2": np.add,
    "Sub": np.subtract,
    "Mul": np.multiply,
    "RealDiv": np.divide,
    "Maximum": np.maximum,
    "Minimum": np.minimum,
    "SquaredDifference": lambda a, b: (a - b) ** 2,
}


@pytest.mark.parametrize("op", BINARY)
@pytest.mark.parametrize("shape", [(), (1,), (3,), (5, 3), (4, 1, 3), (1, 4, 5, 1)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_constant_of_any_rank_meets_images(op, shape, turned, tmp_path):
    x, constant = np.abs(whole(0, 2, 4, 5, 3)) + 1, np.float32(2.0) ** (np.abs(whole(1, *shape)) % 3)
    constant = np.asarray(constant, np.float32)
    nodes = [placeholder((-1, *x.shape[1:])), node("y", op, ["c", "x"] if turned else ["x", "c"])]
    want = BINARY[op](constant, x) if turned else BINARY[op](x, constant)
    found = run(tmp_path, nodes, {"c": constant}, x)
    assert np.allclose(found, images(want), rtol=2**-23, atol=0)  # a quotient may be rounded the other way


def test_images_meet_what_is_none(tmp_path):
    """A computed vector for each image, as attention to channels makes it, on both sides of a product."""
    x, w = whole(0, 2, 4, 4, 3), whole(1, 3, 3)
    arrays = {"axes": np.int32([1, 2]), "w": w, "shape": np.int32([-1, 1, 1, 3])}
    nodes = [
        placeholder((-1, 4, 4, 3)),
        node("mean", "Mean", ["x", "axes"]),
        node("gate", "MatMul", ["mean", "w"]),
        node("four", "Reshape", ["gate", "shape"]),
        node("scaled", "Mul", ["x", "four"]),
        node("added", "Add", ["gate3", "x"]),
        node("gate3", "Reshape", ["gate", "three"]),
    ]
    arrays["three"] = np.int32([-1, 1, 3])
    scaled, added = run(tmp_path, [*nodes[:5], nodes[6], nodes[5]], arrays, x[:1], outputs=["scaled", "added"])
    gate = x[:1].mean((1, 2)) @ w
    assert np.array_equal(scaled, images(x[:1] * gate.reshape(1, 1, 1, 3)))
    assert np.array_equal(added, images(x[:1] + gate.reshape(1, 1, 3)))


def test_a_weight_that_is_read_in_two_orders_becomes_two_parameters(tmp_path):
    x, c, three = whole(0, 1, 2, 2, 3), whole(1, 3), np.array(3, np.float32)
    nodes = [
        placeholder(x.shape),
        node("shifted", "Add", ["x", "c"]),
        node("mean", "Mean", ["shifted", "axes"]),
        node("a", "Mul", ["mean", "c"]),
        node("b", "Add", ["a", "c"]),
        node("up", "Mul", ["shifted", "three"]),
        node("plain", "Mul", ["b", "three"]),
    ]
    arrays = {"c": c, "axes": np.int32([1, 2]), "three": three}
    path = tfjs_files.write(tmp_path, nodes, arrays, ["plain", "up"])
    net = tfjs.load(path)
    assert [(name, p.shape) for name, p in net.named_parameters()] == [("c", (3, 1, 1)), ("c/2", (3,))]
    plain, up = net(rawseg.Tensor(images(x)))
    assert np.array_equal(plain.numpy(), ((x + c).mean((1, 2)) * c + c) * 3)
    assert np.array_equal(up.numpy(), images((x + c) * 3))


@pytest.mark.parametrize(
    ("op", "function"),
    [
        ("Relu", lambda x: np.maximum(x, 0)),
        ("Relu6", lambda x: np.clip(x, 0, 6)),
        ("Sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("Tanh", np.tanh),
        ("Elu", lambda x: np.where(x < 0, np.expm1(x), x)),
        ("Exp", np.exp),
        ("Neg", np.negative),
        ("Abs", np.abs),
        ("Square", np.square),
        ("LeakyRelu", lambda x: np.where(x < 0, 0.2 * x, x)),
        ("Softplus", lambda x: np.log1p(np.exp(x))),
        ("Floor", np.floor),
        ("Softmax", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
    ],
)
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (3, 4)])
def test_a_function_of_each_element(op, function, shape, tmp_path):
    x = whole(0, *shape) * np.float32(1.75)
    found = run(tmp_path, [placeholder(shape), node("y", op, ["x"])], {}, x)
    want = function(x.astype(np.float64))
    assert np.allclose(found, images(want) if len(shape) == 4 else want, rtol=1e-5, atol=1e-6)  # float32 against float64


@pytest.mark.parametrize(("op", "function"), [("Sqrt", np.sqrt), ("Rsqrt", lambda x: 1 / np.sqrt(x)), ("Log", np.log)])
def test_a_function_of_positive_elements(op, function, tmp_path):
    x = np.abs(whole(0, 3, 4)) + 1
    found = run(tmp_path, [placeholder(x.shape), node("y", op, ["x"])], {}, x)
    assert np.allclose(found, function(x.astype(np.float64)), rtol=1e-5, atol=1e-6)


def test_a_sum_of_many(tmp_path):
    x, c = whole(0, 1, 2, 2, 3), whole(1, 1, 2, 2, 3)
    assert np.array_equal(
        run(tmp_path, [placeholder(x.shape), node("y", "AddN", ["x", "c", "x"])], {"c": c}, x), images(x + c + x)
    )
