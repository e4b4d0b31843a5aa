"""Convolutions and poolings over drawn geometries, beside onnxruntime."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx_models import of_one_node
from onnx_runtime import runtime

import rawseg.onnx
from rawseg.errors import RawsegError

RNG = np.random.default_rng(0)
PADS = st.sampled_from(["NOTSET", "NOTSET", "VALID", "SAME_UPPER", "SAME_LOWER"])


def floats(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def both(op: str, arrays: dict, opset: int, outputs: str = "y", **attributes) -> None:
    """Compare one node with onnxruntime; what that refuses is not a case."""
    proto = of_one_node(op, arrays, opset, outputs, **attributes)
    try:
        wanted = runtime(proto, {name: array for name, array in arrays.items() if array is not None})
    except Exception:  # onnxruntime has classes of its own
        assume(False)
        return
    found = rawseg.onnx.load(proto)(*[array for array in arrays.values() if array is not None])
    found = found if isinstance(found, tuple) else (found,)
    for out, want in zip(found, wanted):
        assert (out.shape, out.dtype) == (want.shape, want.dtype)
        # float32 sums of up to a few dozen terms in another order
        np.testing.assert_allclose(out.numpy(), want, rtol=1e-4, atol=1e-5)


@st.composite
def windows(draw, most_kernel: int = 3, dilated: bool = True, pads: st.SearchStrategy = PADS):
    axes = draw(st.integers(1, 2))
    numbers = {
        "kernel_shape": st.integers(1, most_kernel),
        "strides": st.integers(1, 3),
        "dilations": st.integers(1, 2) if dilated else st.just(1),
    }
    window = {name: draw(st.lists(each, min_size=axes, max_size=axes)) for name, each in numbers.items()}
    window["auto_pad"] = draw(pads)
    if window["auto_pad"] == "NOTSET":
        # less than a kernel: onnxruntime refuses more for pooling
        window["pads"] = [draw(st.integers(0, window["kernel_shape"][i % axes] - 1)) for i in range(2 * axes)]
    size = draw(st.lists(st.integers(4, 9), min_size=axes, max_size=axes))
    return size, window


@given(windows(), st.sampled_from([(1, 3, 2), (2, 4, 6), (4, 4, 4)]), st.booleans())
def test_conv(drawn, channels, with_bias):
    size, window = drawn
    groups, c, k = channels
    arrays = {
        "x": floats(2, c, *size),
        "w": floats(k, c // groups, *window["kernel_shape"]),
        "b": floats(k) if with_bias else None,
    }
    assume(
        not (window["auto_pad"].startswith("SAME") and max(window["dilations"]) > 1)
    )  # onnxruntime forgets the dilation there
    both("Conv", arrays, 11, group=groups, **window)


@given(windows(), st.sampled_from([(1, 3, 2), (2, 4, 3), (4, 4, 1)]), st.booleans(), st.data())
def test_conv_transpose(drawn, channels, with_bias, data):
    size, window = drawn
    groups, c, k = channels
    attributes = dict(window)
    if data.draw(st.booleans()):
        most = [max(s, d) - 1 for s, d in zip(window["strides"], window["dilations"])]
        attributes["output_padding"] = [data.draw(st.integers(0, n)) for n in most]
    elif data.draw(st.booleans()):
        del attributes["auto_pad"]
        attributes.pop("pads", None)
        attributes["auto_pad"] = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]))
        full = [
            (n - 1) * s + d * (t - 1) + 1
            for n, s, d, t in zip(size, *(window[name] for name in ("strides", "dilations", "kernel_shape")))
        ]
        attributes["output_shape"] = [data.draw(st.integers(max(1, n - 3), n)) for n in full]
    arrays = {
        "x": floats(2, c, *size),
        "w": floats(c, k, *window["kernel_shape"]),
        "b": floats(k * groups) if with_bias else None,
    }
    if attributes["auto_pad"].startswith("SAME"):  # the standard asks for size * stride, which onnxruntime does not pad up to
        reach = [d * (k - 1) + 1 for d, k in zip(window["dilations"], window["kernel_shape"])]
        assume("output_shape" in attributes or all(r >= s for r, s in zip(reach, window["strides"])))
    both("ConvTranspose", arrays, 11, group=groups, **attributes)


@given(windows(), st.booleans(), st.booleans(), st.sampled_from([0, 1]))
def test_max_pool_with_indices(drawn, ceil_mode, with_indices, order):
    size, window = drawn
    assume(not (window["auto_pad"].startswith("SAME") and max(window["dilations"]) > 1))
    x = RNG.permutation(2 * 3 * int(np.prod(size))).reshape(2, 3, *size).astype(np.float32)  # no ties
    both("MaxPool", {"x": x}, 12, "y i" if with_indices else "y", ceil_mode=int(ceil_mode), storage_order=order, **window)


@given(windows(dilated=False), st.booleans(), st.sampled_from([0, 1]))
def test_average_pool(drawn, ceil_mode, whole):
    size, window = drawn
    del window["dilations"]
    both("AveragePool", {"x": floats(2, 3, *size)}, 11, ceil_mode=int(ceil_mode), count_include_pad=whole, **window)


@given(windows(pads=st.just("NOTSET")), st.sampled_from([0, 1]))
def test_average_pool_of_spread_windows(drawn, whole):
    size, window = drawn
    reach = [d * (k - 1) + 1 for d, k in zip(window["dilations"], window["kernel_shape"])]
    padded = [n + b + e for n, b, e in zip(size, window["pads"][: len(size)], window["pads"][len(size) :])]
    assume(all(n >= r for n, r in zip(padded, reach)))  # onnxruntime returns an empty array, rawseg refuses
    both("AveragePool", {"x": floats(2, 3, *size)}, 19, count_include_pad=whole, **window)


@given(windows(dilated=False), st.integers(1, 3))
def test_lp_pool(drawn, p):
    size, window = drawn
    del window["dilations"]
    both("LpPool", {"x": floats(2, 3, *size)}, 11, p=p, **window)


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("size", [(5,), (4, 6), (2, 3, 4)])
def test_pools_of_whole_planes(op, size):
    both(op, {"x": floats(2, 3, *size)}, 11)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8])
def test_max_pool_of_small_integers(dtype):
    x = RNG.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, (1, 2, 5, 5)).astype(dtype)
    both("MaxPool", {"x": x}, 12, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 0, 0, 1])


@given(windows(dilated=False, pads=st.just("VALID")))
def test_max_unpool_undoes_max_pool(drawn):
    size, window = drawn
    del window["dilations"], window["auto_pad"]
    assume(all(s >= k for s, k in zip(window["strides"], window["kernel_shape"])))
    x = RNG.permutation(2 * 3 * int(np.prod(size))).reshape(2, 3, *size).astype(np.float32)
    pooled, places = rawseg.onnx.load(of_one_node("MaxPool", {"x": x}, 12, "y i", **window))(x)
    shape = [(n - 1) * s + k for n, s, k in zip(pooled.shape[2:], window["strides"], window["kernel_shape"])]
    assume(shape == list(size))  # indices are counted in the plane that unpooling makes
    proto = of_one_node("MaxUnpool", {"x": pooled.numpy(), "i": places.numpy()}, 11, **window)
    out = rawseg.onnx.load(proto)(pooled, places)
    expected = np.zeros_like(x)
    expected.reshape(-1)[places.numpy().reshape(-1)] = pooled.numpy().reshape(-1)
    np.testing.assert_array_equal(out.numpy(), expected)


def test_max_unpool_checks_its_indices():
    x, i = np.ones((1, 1, 2, 2), np.float32), np.array([0, 1, 2, 16]).reshape(1, 1, 2, 2)
    proto = of_one_node("MaxUnpool", {"x": x, "i": i}, 11, kernel_shape=[2, 2], strides=[2, 2])
    with pytest.raises(RawsegError, match="MaxUnpool: max_unpool2d: indices: expected 0 <= index < 16"):
        rawseg.onnx.load(proto)(x, i)


def test_same_padding_by_hand():
    """Five pixels, stride 2, three taps: three windows want 7, so one is added on each side; of four an odd one is left."""
    x = np.float32([[[1, 2, 3, 4]]])
    w = np.ones((1, 1, 3), np.float32)
    upper, lower = (
        rawseg.onnx.load(of_one_node("Conv", {"x": x, "w": w}, 11, auto_pad=mode, strides=[2]))(x, w).tolist()
        for mode in ("SAME_UPPER", "SAME_LOWER")
    )
    assert upper == [[[6, 7]]]  # 1 2 3 | 3 4 0
    assert lower == [[[3, 9]]]  # 0 1 2 | 2 3 4


def test_same_padding_counts_the_dilation():
    x, w = np.float32([[[1, 2, 3, 4]]]), np.ones((1, 1, 2), np.float32)
    proto = of_one_node("Conv", {"x": x, "w": w}, 11, auto_pad="SAME_UPPER", dilations=[2])
    assert rawseg.onnx.load(proto)(x, w).tolist() == [[[2, 4, 6, 3]]]  # 0+2 1+3 2+4 3+0


@pytest.mark.parametrize(
    ("attributes", "argument"),
    [
        ({"strides": [1]}, "strides"),
        ({"strides": [0, 1]}, "strides"),
        ({"dilations": [1, 2**40]}, "dilations"),
        ({"pads": [1, 1, 1]}, "pads"),
        ({"pads": [-1, 0, 0, 0]}, "pads"),
        ({"auto_pad": "SAME"}, "auto_pad"),
        ({"kernel_shape": [2, 2]}, "kernel_shape"),
    ],
)
def test_wrong_geometries_are_refused_by_name(attributes, argument):
    x, w = np.ones((1, 1, 5, 5), np.float32), np.ones((1, 1, 3, 3), np.float32)
    with pytest.raises(RawsegError, match=rf"^Conv: {argument}: expected"):
        rawseg.onnx.load(of_one_node("Conv", {"x": x, "w": w}, 11, **attributes))(x, w)
