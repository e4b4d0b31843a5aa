"""TensorFlow's operations, translated: equal to plain loops over (N, H, W, C), and differentiable.

Numbers are small and whole, so that every sum is exact in float32 and results are equal, unless a tolerance says why.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow_rules as rules
import tfjs_files
from hypothesis import assume, given
from hypothesis import strategies as st
from tfjs_files import node, placeholder

import rawseg
from rawseg import functional as F
from rawseg import optim, tfjs
from rawseg.testing import gradcheck

SIDES, TAPS, STEPS = st.integers(1, 7), st.integers(1, 4), st.integers(1, 3)
PADDINGS = st.sampled_from(["SAME", "VALID"])


def whole(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def images(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def run(folder, nodes, arrays, *inputs, outputs=()):
    """Return what a model computes; images are given and returned as (N, C, H, W)."""
    net = tfjs.load(tfjs_files.write(folder, nodes, arrays, outputs))
    with rawseg.no_grad():
        found = net(*[rawseg.Tensor(images(x) if x.ndim == 4 else x) for x in inputs])
    return [value.numpy() for value in found] if isinstance(found, tuple) else found.numpy()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("model")


# windows


def test_same_padding_puts_the_odd_row_below_and_to_the_right(tmp_path):
    """A 3 x 3 of ones at stride 2 on the numbers 0 to 15 in four rows: nothing is added above or left.

    The window at the top left sums rows 0 to 2 and columns 0 to 2: 0+1+2+4+5+6+8+9+10 = 45; the one to its right columns 2
    and 3: 2+3+6+7+10+11 = 39; below: rows 2 and 3, 8+9+10+12+13+14 = 66; last: 10+11+14+15 = 50.
    """
    x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
    nodes = [placeholder(x.shape), node("y", "Conv2D", ["x", "w"], strides=[1, 2, 2, 1], padding="SAME")]
    assert run(tmp_path, nodes, {"w": np.ones((3, 3, 1, 1), np.float32)}, x).tolist() == [[[[45, 39], [66, 50]]]]


@given(st.data(), SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_a_convolution_is_tensorflows(folder, data, height, width, kernel_h, kernel_w, sh, sw, padding):
    dilations = data.draw(st.sampled_from([(1, 1), (2, 1), (1, 3)])) if sh == sw == 1 else (1, 1)
    assume(padding == "SAME" or ((kernel_h - 1) * dilations[0] < height and (kernel_w - 1) * dilations[1] < width))
    groups = data.draw(st.sampled_from([1, 2]))
    x, w = whole(0, 2, height, width, 4), whole(1, kernel_h, kernel_w, 4 // groups, 6)
    geometry = {"strides": [1, sh, sw, 1], "dilations": [1, *dilations, 1], "padding": padding}
    found = run(folder, [placeholder((-1, *x.shape[1:])), node("y", "Conv2D", ["x", "w"], **geometry)], {"w": w}, x)
    assert np.array_equal(found, images(rules.conv2d(x, w, (sh, sw), padding, dilations)))


@given(st.data(), SIDES, SIDES, TAPS, TAPS, STEPS, PADDINGS, st.integers(1, 3))
def test_a_depthwise_convolution_is_tensorflows(folder, data, height, width, kernel_h, kernel_w, stride, padding, multiplier):
    dilation = data.draw(st.integers(1, 2)) if stride == 1 else 1
    assume(padding == "SAME" or ((kernel_h - 1) * dilation < height and (kernel_w - 1) * dilation < width))
    x, w = whole(0, 1, height, width, 3), whole(1, kernel_h, kernel_w, 3, multiplier)
    geometry = {"strides": [1, stride, stride, 1], "dilations": [1, dilation, dilation, 1], "padding": padding}
    found = run(folder, [placeholder(x.shape), node("y", "DepthwiseConv2dNative", ["x", "w"], **geometry)], {"w": w}, x)
    assert np.array_equal(found, images(rules.depthwise(x, w, (stride, stride), padding, (dilation, dilation))))


@given(SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_a_transposed_convolution_is_the_gradient_of_the_convolution(
    folder, height, width, kernel_h, kernel_w, sh, sw, padding
):
    assume(padding == "SAME" or (kernel_h <= height and kernel_w <= width))
    w = whole(1, kernel_h, kernel_w, 2, 3)  # from 3 channels to 2
    small = rules.conv2d(np.zeros((1, height, width, 2), np.float32), np.zeros_like(w), (sh, sw), padding)
    grad = whole(2, *small.shape)
    nodes = [
        placeholder((-1, *grad.shape[1:])),
        node("y", "Conv2DBackpropInput", ["size", "w", "x"], strides=[1, sh, sw, 1], padding=padding),
    ]
    found = run(folder, nodes, {"size": np.int32([1, height, width, 2]), "w": w}, grad)
    assert np.array_equal(found, images(rules.conv2d_backprop_input((height, width), w, grad, (sh, sw), padding)))


@given(SIDES, SIDES, TAPS, TAPS, STEPS, STEPS, PADDINGS)
def test_poolings_are_tensorflows(folder, height, width, kernel_h, kernel_w, sh, sw, padding):
    assume(padding == "SAME" or (kernel_h <= height and kernel_w <= width))
    x = whole(0, 2, height, width, 2) - 20  # below zero: padding must not win
    geometry = {"ksize": [1, kernel_h, kernel_w, 1], "strides": [1, sh, sw, 1], "padding": padding}
    nodes = [placeholder(x.shape), node("a", "MaxPool", ["x"], **geometry), node("b", "AvgPool", ["x"], **geometry)]
    largest, mean = run(folder, nodes, {}, x)
    assert np.array_equal(largest, images(rules.pool(x, (kernel_h, kernel_w), (sh, sw), padding, np.max)))
    want = images(rules.pool(x.astype(np.float64), (kernel_h, kernel_w), (sh, sw), padding, np.mean))
    assert np.abs(mean - want).max() < 24 * 2**-22  # a quotient of numbers up to 24, and a sum of at most 16


def test_explicit_paddings_of_every_side(tmp_path):
    x, w = whole(0, 1, 5, 6, 2), whole(1, 3, 3, 2, 2)
    pads = [0, 0, 1, 2, 3, 0, 0, 0]
    nodes = [
        placeholder(x.shape),
        node("y", "Conv2D", ["x", "w"], strides=[1, 1, 1, 1], padding="EXPLICIT", explicit_paddings=pads),
    ]
    padded = np.pad(x, [(0, 0), (1, 2), (3, 0), (0, 0)])
    assert np.array_equal(run(tmp_path, nodes, {"w": w}, x), images(rules.conv2d(padded, w, (1, 1), "VALID")))


@pytest.mark.parametrize(("corners", "halves"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("size", [(4, 6), (9, 5), (1, 1), (2, 3), (7, 13)])
def test_resizing_is_tensorflows(corners, halves, size, tmp_path):
    x = whole(0, 2, 4, 6, 3)
    flags = {"align_corners": corners, "half_pixel_centers": halves}
    nodes = [
        placeholder(x.shape),
        node("a", "ResizeBilinear", ["x", "size"], **flags),
        node("b", "ResizeNearestNeighbor", ["x", "size"], **flags),
    ]
    linear, nearest = run(tmp_path, nodes, {"size": np.int32(size)}, x)
    assert np.array_equal(nearest, images(rules.resize_nearest(x, size, corners, halves)))
    want = images(rules.resize_bilinear(x.astype(np.float64), size, corners, halves))
    assert np.abs(linear - want).max() < 1e-5  # weights of float32, numbers up to 4


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


# shapes


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("axes", [[1, 2], [2], [3], [-1], [1, 2, 3], [0, 1], [1, 3]])
def test_a_mean_over_any_axes_of_images(axes, kept, tmp_path):
    x = whole(0, 2, 4, 4, 4)
    nodes = [placeholder(x.shape), node("y", "Mean", ["x", "axes"], keep_dims=kept)]
    want = x.mean(tuple(axes), keepdims=kept)
    found = run(tmp_path, nodes, {"axes": np.int32(axes)}, x)
    assert np.array_equal(found, images(want) if kept else want)


@pytest.mark.parametrize("axis", [1, 2, 3, -1])
def test_images_are_joined_along_any_axis(axis, tmp_path):
    x, c = whole(0, 1, 2, 3, 4), whole(1, 1, 2, 3, 4)
    nodes = [placeholder(x.shape), node("y", "ConcatV2", ["x", "c", "x", "axis"])]
    found = run(tmp_path, nodes, {"c": c, "axis": np.array(axis, np.int32)}, x)
    assert np.array_equal(found, images(np.concatenate([x, c, x], axis)))


def test_elements_keep_tensorflows_order_through_a_reshape_and_back(tmp_path):
    x = whole(0, 2, 2, 3, 4)
    arrays = {"flat": np.int32([-1, 24]), "images": np.int32([-1, 3, 2, 4]), "w": np.ones((1, 1, 4, 1), np.float32)}
    nodes = [
        placeholder((-1, 2, 3, 4)),
        node("a", "Reshape", ["x", "flat"]),
        node("b", "Reshape", ["a", "images"]),
        node("c", "Conv2D", ["b", "w"], strides=[1, 1, 1, 1], padding="VALID"),
    ]
    flat, summed = run(tmp_path, nodes, arrays, x, outputs=["a", "c"])
    assert np.array_equal(flat, x.reshape(2, 24))
    assert np.array_equal(summed, images(x.reshape(2, 3, 2, 4).sum(3, keepdims=True)))


def test_shapes_that_a_network_computes_are_known_when_it_is_loaded(tmp_path):
    """Reshape to (batch, H * W, C), as detectors end; the batch stays free."""
    x = whole(0, 3, 2, 5, 4)
    arrays = {"zero": np.int32([0]), "one": np.int32([1]), "many": np.array(-1, np.int32), "four": np.array(4, np.int32)}
    nodes = [
        placeholder((-1, 2, 5, 4)),
        node("shape", "Shape", ["x"]),
        node("batch", "StridedSlice", ["shape", "zero", "one", "one"], shrink_axis_mask=1),
        node("sizes", "Pack", ["batch", "many", "four"]),
        node("y", "Reshape", ["x", "sizes"]),
    ]
    assert np.array_equal(run(tmp_path, nodes, arrays, x), x.reshape(3, 10, 4))


def test_pad_squeeze_transpose_slice_and_blocks(tmp_path):
    x = whole(0, 1, 4, 4, 8)
    arrays = {
        "pads": np.int32([[0, 0], [1, 2], [0, 3], [2, 0]]),
        "value": np.array(9, np.float32),
        "order": np.int32([0, 2, 1, 3]),
        "begin": np.int32([0, 1, 0, 2]),
        "end": np.int32([0, 3, 4, 3]),
        "stride": np.int32([1, 1, 2, 1]),
        "axis": np.array(1, np.int32),
    }
    nodes = [
        placeholder(x.shape),
        node("padded", "Pad", ["x", "pads"]),
        node("filled", "PadV2", ["x", "pads", "value"]),
        node("turned", "Transpose", ["x", "order"]),
        node("part", "StridedSlice", ["x", "begin", "end", "stride"], begin_mask=1, end_mask=1, shrink_axis_mask=8),
        node("wide", "DepthToSpace", ["x"], block_size=2),
        node("deep", "SpaceToDepth", ["x"], block_size=2),
        node("five", "ExpandDims", ["x", "axis"]),
        node("four", "Squeeze", ["five"], squeeze_dims=[1]),
    ]
    names = ["padded", "filled", "turned", "part", "wide", "deep", "four"]
    padded, filled, turned, part, wide, deep, four = run(tmp_path, nodes, arrays, x, outputs=names)
    pads = [(0, 0), (1, 2), (0, 3), (2, 0)]
    assert np.array_equal(padded, images(np.pad(x, pads)))
    assert np.array_equal(filled, images(np.pad(x, pads, constant_values=9)))
    assert np.array_equal(turned, x.transpose(0, 2, 1, 3))  # no image any more: as TensorFlow has it
    assert np.array_equal(part, x[:, 1:3, 0:4:2, 2])
    blocks = x.reshape(1, 4, 4, 2, 2, 2).transpose(0, 1, 3, 2, 4, 5).reshape(1, 8, 8, 2)
    assert np.array_equal(wide, images(blocks))
    squares = x.reshape(1, 2, 2, 2, 2, 8).transpose(0, 1, 3, 2, 4, 5).reshape(1, 2, 2, 32)
    assert np.array_equal(deep, images(squares))
    assert np.array_equal(four, x)


# a network as a whole


def little(folder):
    """Write two convolutions with a hard swish between; return the path and the arrays."""
    arrays = {
        "a/filter": whole(0, 3, 3, 2, 4) / 4,
        "a/bias": whole(1, 4),
        "three": np.array(3, np.float32),
        "sixth": np.array(1 / 6, np.float32),
        "b/filter": whole(2, 1, 1, 4, 1) / 4,
    }
    conv = {"strides": [1, 2, 2, 1], "padding": "SAME"}
    nodes = [
        placeholder((1, 8, 8, 2)),
        node("a", "_FusedConv2D", ["x", "a/filter", "a/bias"], fused_ops=["BiasAdd"], **conv),
        node("up", "AddV2", ["a", "three"]),
        node("clip", "Relu6", ["up"]),
        node("swish", "Mul", ["a", "clip"]),
        node("part", "Mul", ["sixth", "swish"]),
        node("b", "Conv2D", ["part", "b/filter"], **conv),
        node("y", "Identity", ["b"]),
    ]
    return tfjs_files.write(folder, nodes, arrays, ["y"]), arrays


def test_weights_have_the_names_of_the_file_and_numbers_are_not_trained(tmp_path):
    path, arrays = little(tmp_path)
    net = tfjs.load(path)
    assert [name for name, _ in net.named_parameters()] == ["a/filter", "a/bias", "b/filter"]
    assert list(net.state_dict()) == ["a/filter", "a/bias", "b/filter"]
    assert np.array_equal(net.state_dict()["a/filter"].numpy(), arrays["a/filter"].transpose(3, 2, 0, 1))
    assert net.output_names == ["y"]
    assert not net.training


def test_a_network_is_differentiated(tmp_path):
    net = tfjs.load(little(tmp_path)[0]).double()
    names = [name for name, _ in net.named_parameters()]

    def function(x, *weights):
        net._parameters.update(zip(names, weights))
        return net(x)

    x = rawseg.tensor(np.random.default_rng(0).standard_normal((2, 2, 8, 8)), requires_grad=True)
    gradcheck(function, x, *[rawseg.tensor(parameter.numpy(), requires_grad=True) for parameter in net.parameters()])


def test_a_network_learns(tmp_path):
    net = tfjs.load(little(tmp_path)[0])
    x, want = rawseg.tensor(whole(5, 4, 2, 8, 8)), rawseg.tensor(whole(6, 4, 1, 2, 2))
    update, losses = optim.Adam(net.parameters(), 0.05), []
    for _ in range(30):
        loss = F.mse_loss(net(x), want)
        update.zero_grad()
        loss.backward()
        update.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
    rawseg.save(net.state_dict(), tmp_path / "tuned.safetensors")
    again = tfjs.load(tmp_path / "model.json")
    again.load_state_dict(rawseg.load(tmp_path / "tuned.safetensors"))
    assert np.array_equal(again(x).numpy(), net(x).numpy())
