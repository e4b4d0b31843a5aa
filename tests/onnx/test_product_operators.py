"""Products, probabilities, normalisation, halves and small integers, beside onnxruntime, NumPy and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from onnx_runtime import both

import rawseg
import rawseg.onnx
from rawseg.errors import ArgumentError, RawsegError
from rawseg.onnx import Node
from rawseg.onnx.operators import compute

RNG = np.random.default_rng(0)


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


# products


@pytest.mark.parametrize("trans", [(0, 0), (1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("c", [None, (), (5,), (1, 5), (3, 1), (3, 5)])
def test_gemm(trans, c):
    a, b = floats(*((4, 3) if trans[0] else (3, 4))), floats(*((5, 4) if trans[1] else (4, 5)))
    arrays = {"a": a, "b": b} | ({} if c is None else {"c": floats(*c) if c else np.array(2, np.float32)})
    both("Gemm", arrays, 13, transA=trans[0], transB=trans[1], alpha=0.5, beta=2.0)


def test_gemm_does_not_grow_to_its_addend():
    node = Node("Gemm", ("a", "b", "c"), ("y",), version=13)
    with pytest.raises(ArgumentError, match=r"^Gemm: C: expected what broadcasts to \(1, 2\), got shape \(3, 2\)"):
        compute(node, rawseg.ones(1, 4), rawseg.ones(4, 2), rawseg.ones(3, 2))


@pytest.mark.parametrize("shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 1, 4, 3), (5, 3, 2)), ((0, 3), (3, 2))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_matmul(shapes, dtype):
    a, b = (RNG.integers(-9, 9, shape).astype(dtype) for shape in shapes)
    (out,) = compute(Node("MatMul", ("a", "b"), ("y",), version=13), rawseg.tensor(a), rawseg.tensor(b))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.numpy(), a @ b)  # whole numbers: exact


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bij,bjk", [(2, 3, 4), (2, 4, 5)]),
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (5, 4, 2)]),
        ("...ii->...i", [(2, 3, 3)]),
        ("ii", [(4, 4)]),
        ("i,i", [(4,), (4,)]),
        ("ij->ji", [(2, 3)]),
        ("...j,j", [(2, 3, 4), (4,)]),
        ("a b , b -> a", [(2, 3), (3,)]),
    ],
)
def test_einsum_as_in_numpy(equation, shapes):
    arrays = [floats(*shape) for shape in shapes]
    node = Node("Einsum", ("a", "b")[: len(shapes)], ("y",), {"equation": equation}, version=12)
    (out,) = compute(node, *map(rawseg.tensor, arrays))
    np.testing.assert_allclose(out.numpy(), np.einsum(equation, *arrays), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("equation", ["ij,jk->iz", "ij->ij", "ijk,jk->ik", "i..j,jk->ik", "ij,jk->ii"])
def test_equations_that_make_no_sense_are_refused(equation):
    node = Node("Einsum", ("a", "b"), ("y",), {"equation": equation}, version=12)
    with pytest.raises(RawsegError, match=r"^Einsum: "):
        compute(node, rawseg.ones(2, 3), rawseg.ones(3, 4))


# softmax, dropout


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax", "Hardmax"])
@pytest.mark.parametrize(("opset", "axis"), [(11, 0), (11, 1), (11, 2), (11, -1), (13, 0), (13, 1), (13, -1)])
def test_softmax_before_and_after_version_13(op, opset, axis):
    both(op, {"x": floats(2, 3, 4)}, opset, axis=axis)


def test_softmax_changed_its_default_axis():
    x = floats(2, 3, 4)
    old, new = both("Softmax", {"x": x}, 12)[0], both("Softmax", {"x": x}, 13)[0]
    np.testing.assert_allclose(old.sum((1, 2)), 1, rtol=1e-5)
    np.testing.assert_allclose(new.sum(2), 1, rtol=1e-5)


def test_dropout_drops_what_its_mask_says():
    rawseg.manual_seed(0)
    x = rawseg.ones(1000)
    node = Node("Dropout", ("x", "r", "t"), ("y", "mask"), version=13)
    out, mask = compute(node, x, rawseg.tensor(0.25), rawseg.tensor(np.array(True)))
    np.testing.assert_allclose(out.numpy(), mask.numpy() / np.float32(0.75), rtol=1e-6)
    assert 700 < mask.numpy().sum() < 800
    out, mask = compute(node, x, rawseg.tensor(0.25), rawseg.tensor(np.array(False)))
    assert out.numpy().all()
    assert mask.numpy().all()


# normalisation


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4), (2, 3, 4, 5), (2, 3, 2, 2, 2)])
def test_batch_normalization_of_any_rank(shape):
    arrays = {"x": floats(*shape), "s": floats(3), "b": floats(3), "m": floats(3), "v": floats(3) ** 2}
    both("BatchNormalization", arrays, 15, epsilon=1e-3)


def test_instance_group_and_layer_normalization():
    x, s, b = floats(2, 6, 4, 5), floats(6), floats(6)
    both("InstanceNormalization", {"x": x, "s": s, "b": b}, 6)
    both("GroupNormalization", {"x": x, "s": s, "b": b}, 21, num_groups=3)
    both("GroupNormalization", {"x": x, "s": s[:3], "b": b[:3]}, 18, num_groups=3)
    both("LayerNormalization", {"x": x, "s": floats(4, 5), "b": floats(4, 5)}, 17, "y mean inverse", axis=2)
    both("LayerNormalization", {"x": x, "s": floats(5)}, 17, axis=-1)


def test_an_instance_of_one_pixel_is_its_bias():
    node = Node("InstanceNormalization", ("x", "s", "b"), ("y",), version=6)
    (out,) = compute(node, rawseg.ones(2, 2, 1), rawseg.ones(2), rawseg.tensor([3.0, 4.0]))
    assert out.tolist() == [[[3.0], [4.0]]] * 2


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7])
def test_local_response_normalization(size):
    """The formula in loops; of an even number of neighbours one more lies behind."""
    x = floats(2, 5, 3, 4)
    node = Node("LRN", ("x",), ("y",), {"size": size, "alpha": 0.3, "beta": 0.6, "bias": 1.5}, version=13)
    (out,) = compute(node, rawseg.tensor(x))
    want = np.empty_like(x)
    for c in range(5):
        low, high = max(0, c - (size - 1) // 2), min(4, c + size // 2)
        want[:, c] = x[:, c] / (1.5 + 0.3 / size * (x[:, low : high + 1] ** 2).sum(1)) ** 0.6
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-5)
    if size % 2:
        both("LRN", {"x": x}, 13, size=size, alpha=0.3, beta=0.6, bias=1.5)


def test_normalization_by_norms_and_moments():
    both("LpNormalization", {"x": floats(2, 5, 3)}, 22, p=2, axis=-1)
    both("MeanVarianceNormalization", {"x": floats(2, 5, 3, 4)}, 13)


# halves


def test_halves_are_computed_in_float32_and_rounded_once():
    x, w = floats(1, 8, 6, 6).astype(np.float16), floats(4, 8, 3, 3).astype(np.float16)
    (out,) = compute(Node("Conv", ("x", "w"), ("y",), version=11), rawseg.tensor(x), rawseg.tensor(w))
    want = torch.nn.functional.conv2d(torch.tensor(x).double(), torch.tensor(w).double()).numpy()
    assert out.dtype == np.float16
    # one rounding to 11 bits of a sum that float32 has almost exactly
    np.testing.assert_allclose(out.numpy(), want, rtol=2**-11 * 1.01, atol=1e-5)


# small integers


def test_quantised_networks():
    # On CPUs without VNNI, onnxruntime adds pairs of products uint8 x int8 in 16 bits, which saturate beyond 7 bits of weights.
    x, w = RNG.integers(0, 255, (1, 3, 6, 6)).astype(np.uint8), RNG.integers(-64, 64, (4, 3, 3, 3)).astype(np.int8)
    scale, zero = np.array(0.02, np.float32), np.array(120, np.uint8)
    weights = {"ws": np.float32([0.01, 0.02, 0.03, 0.01]), "wz": np.zeros(4, np.int8)}
    arrays = {
        "x": x,
        "xs": scale,
        "xz": zero,
        "w": w,
        **weights,
        "ys": np.array(0.3, np.float32),
        "yz": np.array(100, np.uint8),
    }
    both("QLinearConv", arrays | {"b": RNG.integers(-99, 99, 4).astype(np.int32)}, 10, pads=[1, 1, 1, 1])
    both("ConvInteger", {"x": x, "w": w.view(np.uint8), "xz": zero}, 10)
    a, b = RNG.integers(0, 255, (4, 5)).astype(np.uint8), RNG.integers(0, 255, (5, 3)).astype(np.uint8)
    both("MatMulInteger", {"a": a, "b": b, "az": zero, "bz": np.array(7, np.uint8)}, 10)
    real = floats(2, 4, 3)
    both("QuantizeLinear", {"x": real, "s": np.float32([0.1, 0.2, 0.05, 0.01]), "z": np.int8([0, 5, -5, 9])}, 13, axis=1)
    both("DequantizeLinear", {"x": x, "s": scale, "z": zero}, 13)
    both("DynamicQuantizeLinear", {"x": real}, 11, "y s z")


def test_infinities_are_held_in_the_range_of_the_integers():
    """A step of 0, or an element that is infinite, is an answer and no warning."""
    x, nothing, one = np.float32([-1, 0, 1, np.inf, np.nan]), np.array(0, np.float32), np.array(1, np.float32)
    small = one_output("QuantizeLinear", x, nothing)
    assert small.tolist() == [0, 0, 255, 255, 0]
    assert one_output("DequantizeLinear", np.uint8([0, 1]), np.array(np.inf, np.float32)).tolist()[1] == np.inf
    whole, zero = np.uint8([[1, 2]]), np.array(0, np.uint8)
    product = one_output("QLinearMatMul", whole, one, zero, whole.T.copy(), one, zero, nothing, zero)
    assert product.tolist() == [[255]]


@pytest.mark.parametrize(("op", "name"), [("QuantizeLinear", "float8e4m3fn"), ("DequantizeLinear", "bfloat16")])
def test_an_output_dtype_that_no_array_has_is_refused(op, name):
    number = {"float8e4m3fn": 17, "bfloat16": 16}[name]
    x = np.float32([1]) if op == "QuantizeLinear" else np.uint8([1])
    with pytest.raises(ArgumentError, match=rf"^{op}: output_dtype: expected bool, an integer or a float .*, got {name}"):
        one_output(op, x, np.array(1, np.float32), output_dtype=number)


def one_output(op: str, *arrays: np.ndarray, **attributes) -> np.ndarray:
    names = tuple(f"x{i}" for i in range(len(arrays)))
    (out,) = compute(Node(op, names, ("y",), attributes, version=23), *map(rawseg.tensor, arrays))
    return out.numpy()
