"""Resize over its modes, coordinates and roundings, beside onnxruntime; and by hand where that has a way of its own."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_runtime import both

import rawseg
from rawseg.errors import ArgumentError
from rawseg.onnx import Node
from rawseg.onnx.operators import compute

RNG = np.random.default_rng(0)
COORDINATES = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric")
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SIZES = [((4, 5), (8, 10)), ((4, 5), (3, 7)), ((7, 6), (2, 3)), ((3, 3), (1, 6)), ((1, 4), (5, 4))]


def resized(x: np.ndarray, opset: int = 19, **given) -> np.ndarray:
    """Resize to ``sizes`` or by ``scales``; whatever else is given is an attribute."""
    sizes, scales, roi = (given.pop(name, None) for name in ("sizes", "scales", "roi"))
    arrays = {"x": x, "roi": None if roi is None else np.float32(roi), "scales": None if scales is None else np.float32(scales)}
    if sizes is not None:
        arrays["sizes"] = np.array(sizes, np.int64)
    # coordinates are float64 here and float32 there, so that weights differ in their last digits
    return both("Resize", arrays, opset, **given)[0]


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_weighted_modes(coordinates, mode, before, after):
    x = RNG.standard_normal((2, 3, *before)).astype(np.float32)
    resized(x, sizes=(2, 3, *after), mode=mode, coordinate_transformation_mode=coordinates)


@pytest.mark.parametrize("coordinates", COORDINATES)
@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize(("before", "after"), SIZES)
def test_nearest(coordinates, rounding, before, after):
    if (coordinates, rounding, after[0]) == ("half_pixel_symmetric", "floor", 1):
        coordinates = "half_pixel"  # the middle one of three: in float32, its coordinate 1 is a little less
    x = RNG.standard_normal((2, 3, *before)).astype(np.float32)
    resized(x, sizes=(2, 3, *after), mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=rounding)


@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 1, 0.6, 1.7), (1, 1, 1.5, 0.5)])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_scales_whose_product_is_no_whole_number(scales, mode):
    resized(RNG.standard_normal((1, 2, 5, 6)).astype(np.float32), scales=scales, mode=mode)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("after", [(3, 4), (5, 2), (16, 20)])
def test_antialias(mode, after):
    resized(
        RNG.standard_normal((1, 2, 9, 11)).astype(np.float32), sizes=(1, 2, *after), mode=mode, antialias=1, exclude_outside=1
    )


def test_exclude_outside_and_the_cubic_coefficient():
    x = RNG.standard_normal((1, 2, 4, 5)).astype(np.float32)
    resized(x, sizes=(1, 2, 7, 9), mode="cubic", exclude_outside=1)
    resized(x, sizes=(1, 2, 7, 9), mode="cubic", cubic_coeff_a=-0.5)


@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_crop_and_resize_with_a_value_outside(mode):
    x = RNG.standard_normal((1, 2, 6, 5)).astype(np.float32)
    roi = (0, 0, 0.13, -0.3, 1, 1, 1.4, 0.8)
    options = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 7.5}
    out = resized(x, sizes=(1, 2, 5, 7), roi=roi, mode=mode, **options)
    assert 0 < (out == 7.5).mean() < 1


def test_an_output_of_the_size_of_the_input_may_still_be_another():
    """By hand, where onnxruntime just copies: five elements, scaled by 1.15 and rounded down, or cropped."""
    x = np.float32([0, 10, 40, 90, 160])
    scaled = Node("Resize", ("x", "", "s"), ("y",), {"mode": "linear"}, version=19)
    (out,) = compute(scaled, rawseg.tensor(x), None, rawseg.tensor([1.15]))
    want = np.interp((np.arange(5) + 0.5) / np.float32(1.15) - 0.5, np.arange(5), x)
    np.testing.assert_allclose(out.numpy(), want, rtol=1e-6)
    crop = {"mode": "linear", "coordinate_transformation_mode": "tf_crop_and_resize"}
    node = Node("Resize", ("x", "r", "", "z"), ("y",), crop, version=19)
    (out,) = compute(node, rawseg.tensor(x), rawseg.tensor([0.25, 0.75]), None, rawseg.tensor(np.array([5])))
    np.testing.assert_allclose(out.numpy(), np.interp([1, 1.5, 2, 2.5, 3], np.arange(5), x), rtol=1e-6)


def test_axes_in_any_order():
    x = RNG.standard_normal((1, 2, 4, 5)).astype(np.float32)
    one = resized(x, sizes=(7, 9), axes=[2, 3], mode="linear")
    node = Node("Resize", ("x", "", "", "sizes"), ("y",), {"axes": (-1, 2), "mode": "linear"}, version=19)
    (other,) = compute(node, rawseg.tensor(x), None, None, rawseg.tensor(np.array([9, 7])))
    np.testing.assert_array_equal(other.numpy(), one)


@pytest.mark.parametrize(("policy", "size"), [("not_larger", (6, 8)), ("not_smaller", (9, 12)), ("stretch", (9, 8))])
def test_keep_aspect_ratio_by_hand(policy, size):
    """3 x 4 pixels for 9 x 8: scales 3 and 2."""
    node = Node("Resize", ("x", "", "", "sizes"), ("y",), {"axes": (2, 3), "keep_aspect_ratio_policy": policy}, version=18)
    (out,) = compute(node, rawseg.zeros(1, 1, 3, 4), None, None, rawseg.tensor(np.array([9, 8])))
    assert out.shape == (1, 1, *size)


@pytest.mark.parametrize(("dtype", "kind"), [(np.uint8, "nearest"), (np.int32, "nearest"), (np.bool_, "nearest")])
def test_nearest_of_labels(dtype, kind):
    x = np.array([[[[0, 1], [1, 0]]]]).astype(dtype)
    node = Node("Resize", ("x", "", "scales"), ("y",), {"mode": kind}, version=19)
    (out,) = compute(node, rawseg.tensor(x), None, rawseg.tensor([1.0, 1.0, 2.0, 2.0]))
    assert out.dtype == dtype
    np.testing.assert_array_equal(out.numpy(), x.repeat(2, 2).repeat(2, 3))


def test_other_ranks():
    resized(RNG.standard_normal((4, 5)).astype(np.float32), sizes=(8, 3), mode="linear")
    resized(RNG.standard_normal((1, 2, 3, 4, 5)).astype(np.float32), sizes=(1, 2, 6, 4, 7), mode="nearest")


def test_upsample_is_the_resize_of_old():
    x = RNG.standard_normal((1, 2, 3, 4)).astype(np.float32)
    for mode in ("nearest", "linear"):
        today = {"mode": mode, "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        new = Node("Resize", ("x", "", "s"), ("y",), today, version=13)
        scales = rawseg.tensor([1.0, 1.0, 2.0, 3.0])
        (want,) = compute(new, rawseg.tensor(x), None, scales)
        for node, inputs in (
            (Node("Resize", ("x", "s"), ("y",), {"mode": mode}, version=10), (scales,)),
            (Node("Upsample", ("x", "s"), ("y",), {"mode": mode}, version=9), (scales,)),
            (Node("Upsample", ("x",), ("y",), {"mode": mode, "scales": (1.0, 1.0, 2.0, 3.0)}, version=7), ()),
        ):
            np.testing.assert_array_equal(compute(node, rawseg.tensor(x), *inputs)[0].numpy(), want.numpy())


def test_torch_and_onnx_agree_on_half_pixels():
    import torch

    x = RNG.standard_normal((1, 2, 5, 7)).astype(np.float32)
    for mode, torch_mode in (("linear", "bilinear"), ("cubic", "bicubic")):
        want = torch.nn.functional.interpolate(torch.tensor(x), (8, 3), mode=torch_mode, align_corners=False)
        # float32 coordinates there
        np.testing.assert_allclose(resized(x, sizes=(1, 2, 8, 3), mode=mode), want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("attributes", "scales", "sizes", "argument"),
    [
        ({}, None, None, "sizes"),
        ({}, [1, 1, 2, 2], [1, 1, 4, 4], "sizes"),
        ({"mode": "area"}, [1, 1, 2, 2], None, "mode"),
        ({"coordinate_transformation_mode": "mine"}, [1, 1, 2, 2], None, "coordinate_transformation_mode"),
        ({"nearest_mode": "up"}, [1, 1, 2, 2], None, "nearest_mode"),
        ({"keep_aspect_ratio_policy": "mine"}, None, [1, 1, 4, 4], "keep_aspect_ratio_policy"),
        ({}, [1, 1, 2], None, "scales"),
        ({}, [1, 1, 0, 2], None, "scales"),
        ({}, [1, 1, float("nan"), 2], None, "scales"),
        ({}, [1, 1, 0.1, 2], None, "scales"),
        ({"axes": (1, 1)}, [1, 2], None, "axes"),
        ({"axes": (7,)}, [2], None, "axes"),
        ({"coordinate_transformation_mode": "tf_crop_and_resize"}, [1, 1, 2, 2], None, "roi"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(attributes, scales, sizes, argument):
    node = Node("Resize", ("x", "roi", "s", "z"), ("y",), attributes, version=19)
    given = [
        None if numbers is None else rawseg.tensor(np.array(numbers, kind))
        for numbers, kind in ((scales, np.float32), (sizes, np.int64))
    ]
    with pytest.raises(ArgumentError, match=rf"^Resize: {argument}: expected"):
        compute(node, rawseg.zeros(1, 1, 3, 4), rawseg.tensor([0.5]), *given)
