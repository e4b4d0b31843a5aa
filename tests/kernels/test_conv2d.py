"""Convolution: the formula, its three adjoints, every way to cut the work up, and what padding must never touch."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, product_gamma, smallest, unit_roundoff
from convolution_cases import LARGE, integers, normals, torch_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.convolution import Convolution, convolutions
from rawseg_kernels import conv2d, conv_transpose2d
from rawseg_kernels._cuda import emulator
from rawseg_kernels._epilogue import Epilogue
from rawseg_kernels.conv2d import _point_tasks, reference

ALGORITHMS = ["im2col", "direct", "cuda", "cuda_tiles"]
TENSOR_CORES = ["cuda_tiles_3xtf32", "cuda_tiles_tf32"]  # whose sums take a while without one: with few shapes
FLOATS = [np.float32, np.float64]
torch_conv2d: Any = torch.nn.functional.conv2d


def run(case: Convolution, algorithm: str, x, weight, bias, grad_output) -> list[np.ndarray]:
    """The output and the gradients of x, weight and bias."""
    options = {**case.options, "algorithm": algorithm}
    return [
        conv2d.forward(x, weight, bias, **options),
        conv2d.backward_input(grad_output, weight, x.shape, **options),
        conv2d.backward_weight(grad_output, x, weight.shape, **options),
        conv2d.backward_bias(grad_output, "auto" if algorithm in ("im2col", "direct", "depthwise", "auto") else algorithm),
    ]


def algorithms_for(case: Convolution) -> list[str]:
    """Every fast algorithm of direct sums that can do it."""
    return [*ALGORITHMS, "cuda_im2col", *(["depthwise", "cuda_depthwise"] if case.weight[1] == 1 else [])]


def check_whole_numbers(case: Convolution, algorithms: Iterable[str], *arrays: np.ndarray) -> None:
    """Assert that sums of products that no rounding reaches are exact."""
    want = torch_run(case, *arrays)
    for algorithm in algorithms:
        for got, expected in zip(run(case, algorithm, *arrays), want):
            assert got.dtype == expected.dtype
            np.testing.assert_array_equal(got, expected, err_msg=algorithm)


def check_rounding(case: Convolution, algorithms: Iterable[str], *arrays: np.ndarray) -> None:
    """Assert that sums are as close as their algorithms' bounds say."""
    wide, dtype = [array.astype(np.float64) for array in arrays], arrays[0].dtype
    truth, size = torch_run(case, *wide), torch_run(case, *map(np.abs, wide))
    pixels = case.x[0] * case.out_size[0] * case.out_size[1]
    terms = [case.terms + 1, case.terms * case.weight[0] // case.weight[1] + 1, pixels, pixels]
    for algorithm in algorithms:
        for got, want, magnitude, count in zip(run(case, algorithm, *arrays), truth, size, terms):
            bound = (product_gamma(algorithm, count, dtype) + gamma(count, np.float64)) * magnitude + smallest(count, dtype)
            assert_within(got, want, bound, algorithm)


def shapes(case: Convolution) -> tuple[tuple[int, ...], ...]:
    return case.x, case.weight, case.weight[:1], (case.x[0], case.weight[0], *case.out_size)


def torch_run(case: Convolution, x, weight, bias, grad_output) -> list[np.ndarray]:
    return torch_gradients(lambda *leaves: torch_conv2d(*leaves, **case.options), grad_output, x, weight, bias)


@pytest.mark.spec("conv2d.formula")
def test_by_hand():
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 1, 3, 3)
    weight = np.array([[[[1, 2], [3, 4]]]], np.float32)
    #  1 2 3       1 2       1*1 + 2*2 + 4*3 + 5*4 = 37; the kernel is not flipped
    #  4 5 6   *   3 4
    #  7 8 9
    assert conv2d.forward(x, weight).tolist() == [[[[37, 47], [67, 77]]]]
    assert conv2d.forward(x, weight, np.array([0.5], np.float32), stride=2, padding=1).tolist() == [
        [[[4.5, 18.5], [36.5, 77.5]]]
    ]
    grad = np.array([[[[1, 0], [0, 10]]]], np.float32)
    assert conv2d.backward_input(grad, weight, x.shape).tolist() == [[[[1, 2, 0], [3, 14, 20], [0, 30, 40]]]]
    assert conv2d.backward_weight(grad, x, weight.shape).tolist() == [[[[51, 62], [84, 95]]]]
    assert conv2d.backward_bias(grad).tolist() == [11]


@pytest.mark.proves("conv2d", "reference", "torch")
@pytest.mark.spec("conv2d.formula", "conv2d.order", "conv2d.backward")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=convolutions(), seed=st.integers(0, 99))
def test_whole_numbers_are_exact(case, seed, dtype):
    check_whole_numbers(case, (*algorithms_for(case), "reference"), *integers(seed, *shapes(case), dtype=dtype))


@pytest.mark.proves("conv2d", "torch")
@pytest.mark.parametrize(("what", "case"), LARGE, ids=[what for what, _ in LARGE])
def test_however_the_work_is_cut_up(what, case):
    check_whole_numbers(case, algorithms_for(case), *integers(0, *shapes(case)))


POINTS_OF_MANY = [pytest.param(case, id=what) for what, case in LARGE if what.startswith("points of many")]


@pytest.mark.parametrize("case", POINTS_OF_MANY)
def test_points_of_many_channels_keep_their_promises(monkeypatch, case):
    x, weight, bias, grad = normals(0, *shapes(case))
    assert_promises(monkeypatch, lambda *arrays: conv2d.forward(*arrays, groups=case.groups), x, weight, bias)
    assert_promises(monkeypatch, lambda g, w: conv2d.backward_input(g, w, x.shape, groups=case.groups), grad, weight)
    assert_promises(monkeypatch, lambda g, x: conv2d.backward_weight(g, x, case.weight, groups=case.groups), grad, x)


@pytest.mark.release
@pytest.mark.parametrize("case", [case for _, case in LARGE], ids=[what for what, _ in LARGE])
def test_tensor_cores_however_the_work_is_cut_up(case):
    check_whole_numbers(case, TENSOR_CORES, *integers(0, *shapes(case)))
    check_rounding(case, TENSOR_CORES, *normals(0, *shapes(case)))


@settings(max_examples=6)
@given(case=convolutions(), seed=st.integers(0, 99), how=st.sampled_from(emulator.SUMS))
def test_tensor_cores_stay_in_their_bounds(case, seed, how):
    with emulator.summing(how):
        check_whole_numbers(case, TENSOR_CORES, *integers(seed, *shapes(case)))
        check_rounding(case, TENSOR_CORES, *normals(seed, *shapes(case)))


@pytest.mark.proves("conv2d", "bound")
@pytest.mark.spec("conv2d.order")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=convolutions(), seed=st.integers(0, 99))
def test_rounding_stays_in_its_bound(case, seed, dtype):
    check_rounding(case, (*algorithms_for(case), "reference"), *normals(seed, *shapes(case), dtype=dtype))


@pytest.mark.proves("conv2d", "bound")
@pytest.mark.spec("conv2d.order")
def test_reference_and_bias_gradient_round_once():
    case = Convolution((2, 5, 9, 11), (4, 5, 3, 2), (1, 2), (1, 1), (1, 1), 1)
    arrays = normals(3, *shapes(case))
    truth = torch_run(case, *(array.astype(np.float64) for array in arrays))
    size = torch_run(case, *(np.abs(array.astype(np.float64)) for array in arrays))
    once = unit_roundoff(np.float32)
    results = [*run(case, "reference", *arrays), conv2d.backward_bias(arrays[3])]
    for got, want, magnitude in zip(results, [*truth, truth[3]], [*size, size[3]]):
        assert_within(got, want, once * np.abs(want) + 2 * gamma(500, np.float64) * magnitude)


@pytest.mark.proves("conv2d", "complex step")
def test_reference_is_plain_python_and_holomorphic():
    x, weight, bias = (array.astype(np.complex128) for array in integers(1, (1, 2, 4, 3), (2, 1, 2, 2), (2,)))
    geometry = (1, 1), (0, 1), (1, 1), 2
    out = reference.forward(x + 1e-30j, weight, bias, (3, 4), *geometry)
    ones = np.ones((1, 2, 3, 4), np.complex128)
    slope = reference.forward(np.ones_like(x), weight, np.zeros_like(bias), (3, 4), *geometry)
    np.testing.assert_array_equal(out.imag, 1e-30 * slope.real)
    adjoint = reference.backward_input(ones, weight, x.shape, *geometry)
    assert (adjoint * x).sum() == (reference.forward(x, weight, None, (3, 4), *geometry)).sum()


@pytest.mark.proves("conv2d", "adjoint")
@pytest.mark.spec("conv2d.backward")
@given(case=convolutions(), seed=st.integers(0, 99))
def test_gradients_are_adjoints(case, seed):
    x, weight, bias, grad_output = integers(seed, *shapes(case), dtype=np.float64)
    out, grad_x, grad_weight, _ = run(case, "auto", x, weight, 0 * bias, grad_output)
    assert (out * grad_output).sum() == (x * grad_x).sum() == (weight * grad_weight).sum()


# In CUDA they are run in other orders and layouts with the other kernels there.
IN_TIERS = [pytest.param(name, marks=[pytest.mark.release] if name.startswith("cuda") else []) for name in ALGORITHMS]


@pytest.mark.proves("conv2d", "determinism")
@pytest.mark.spec("all.bits", "all.strides", "all.fresh")
@pytest.mark.parametrize("algorithm", IN_TIERS)
@pytest.mark.parametrize(
    "what",
    [
        "more rows than a tile",
        "strided, taps in many planes",
        "groups",
        "read without a strip",
        "pixels in shares",
        "pixels in spans",
        "planes in pieces",
        "points of many channels, in groups",
        "sums in the output, but for the last rows",
        "kernel rows stacked, dilated",
    ],
)
def test_promises(monkeypatch, what, algorithm):
    case = dict(LARGE)[what]
    x, weight, bias, grad_output = normals(5, *shapes(case))
    options = {**case.options, "algorithm": algorithm}
    assert_promises(monkeypatch, lambda x, w, b: conv2d.forward(x, w, b, **options), x, weight, bias)
    assert_promises(monkeypatch, lambda g, w: conv2d.backward_input(g, w, x.shape, **options), grad_output, weight)
    assert_promises(monkeypatch, lambda g, x: conv2d.backward_weight(g, x, weight.shape, **options), grad_output, x)
    assert_promises(monkeypatch, conv2d.backward_bias, grad_output)


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *(pytest.param(name, marks=pytest.mark.release) for name in TENSOR_CORES)])
def test_images_and_channels_do_not_meet(algorithm):
    case = LARGE[1][1]
    x, weight, bias, grad_output = normals(6, *shapes(case))
    whole = run(case, algorithm, x, weight, bias, grad_output)
    for b in range(2):
        single = run(case, algorithm, x[b : b + 1], weight, bias, grad_output[b : b + 1])
        assert_same_bits((single[0], single[1]), (whole[0][b : b + 1], whole[1][b : b + 1]))
    order = [3, 0, 8, 5]
    some = conv2d.forward(x, weight[order], bias[order], **case.options, algorithm=algorithm)
    assert_same_bits(some, whole[0][:, order])


@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *TENSOR_CORES])
def test_groups_are_separate_convolutions(algorithm):
    case = LARGE[12][1]
    x, weight, bias, _ = normals(7, *shapes(case))
    whole = conv2d.forward(x, weight, bias, **case.options, algorithm=algorithm)
    options = {**case.options, "groups": 1, "algorithm": algorithm}
    parts = [
        conv2d.forward(x[:, 5 * g : 5 * g + 5], weight[9 * g : 9 * g + 9], bias[9 * g : 9 * g + 9], **options) for g in range(4)
    ]
    assert_same_bits(np.concatenate(parts, axis=1), whole)


@given(case=convolutions(), seed=st.integers(0, 99))
def test_padding_is_zeros_around_the_input(case, seed):
    x, weight, bias, _ = normals(seed, *shapes(case))
    sides = [(0, 0), (0, 0), *((p, p) for p in case.padding)]
    padded = conv2d.forward(np.pad(x, sides), weight, bias, **{**case.options, "padding": "valid"})
    assert_same_bits(conv2d.forward(x, weight, bias, **case.options), padded)


@pytest.mark.spec("conv2d.padding")
@pytest.mark.parametrize(
    ("kernel", "sides"),  # left, right, top, bottom, at dilation (1, 3)
    [((3, 4), (4, 5, 1, 1)), ((2, 1), (0, 0, 0, 1)), ((4, 3), (3, 3, 1, 2))],
)
def test_same_puts_the_odd_row_at_the_bottom(kernel, sides):
    x, weight, grad = integers(8, (2, 3, 6, 7), (4, 3, *kernel), (2, 4, 6, 7))
    options: dict[str, Any] = {"padding": "same", "dilation": (1, 3)}

    def padded(x, weight):
        return torch_conv2d(torch.nn.functional.pad(x, sides), weight, dilation=(1, 3))

    want = torch_gradients(padded, grad, x, weight)
    got = [conv2d.forward(x, weight, **options), conv2d.backward_input(grad, weight, x.shape, **options)]
    for one, other in zip([*got, conv2d.backward_weight(grad, x, weight.shape, **options)], want):
        np.testing.assert_array_equal(one, other)


@pytest.mark.spec("conv2d.nonfinite", "all.nonfinite")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *TENSOR_CORES, "reference"])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_padding_is_never_multiplied(algorithm, value):
    case = Convolution((1, 2, 4, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    x, weight, bias, grad_output = (np.abs(array) + 1 for array in integers(9, *shapes(case)))
    weight[0, 0, 0, 0] = value  # of the tap above and to the left
    out = conv2d.forward(x, weight, bias, **case.options, algorithm=algorithm)
    assert np.isfinite(out[:, 0, 0]).all()
    assert np.isfinite(out[:, 0, :, 0]).all()
    assert np.isfinite(out[:, 1:]).all()
    np.testing.assert_array_equal(out[:, 0, 1:, 1:], np.full((1, 3, 4), value, np.float32))

    grad_input = conv2d.backward_input(grad_output, weight, x.shape, **case.options, algorithm=algorithm)
    assert np.isfinite(grad_input[:, 0, 3]).all()
    assert np.isfinite(grad_input[:, 0, :, 4]).all()
    assert np.isfinite(grad_input[:, 1]).all()
    np.testing.assert_array_equal(grad_input[:, 0, :3, :4], np.full((1, 3, 4), value, np.float32))

    grad_output[0, 1, 0, 0] = value
    grad_weight = conv2d.backward_weight(grad_output, x, weight.shape, **case.options, algorithm=algorithm)
    assert np.isfinite(grad_weight[[0, 2]]).all()
    assert np.isfinite(grad_weight[1, :, 0]).all()
    assert np.isfinite(grad_weight[1, :, :, 0]).all()
    np.testing.assert_array_equal(grad_weight[1, :, 1:, 1:], np.full((2, 2, 2), value, np.float32))


def test_infinite_data_stays_in_its_windows():
    case = Convolution((1, 2, 40, 30), (9, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1)
    x, weight, bias, _ = (np.abs(array) + 1 for array in integers(10, *shapes(case)))
    x[0, 1, 20, 10] = np.inf
    out = conv2d.forward(x, weight, bias, **case.options)
    assert np.isinf(out[:, :, 19:22, 9:12]).all()
    assert np.isinf(out).sum() == 9 * 9
    assert not np.isnan(out).any()


GUARDED = """
import numpy as np
from convolution_cases import LARGE, integers
from guard_pages import guarded
from rawseg_kernels import conv2d
for what, case in LARGE:
    shapes = case.x, case.weight, case.weight[:1], (case.x[0], case.weight[0], *case.out_size)
    for end in (True, False):
        x, weight, bias, grad = (guarded(array, end) for array in integers(0, *shapes))
        conv2d.forward(x, weight, bias, **case.options)
        conv2d.backward_input(grad, weight, x.shape, **case.options)
        conv2d.backward_weight(grad, x, weight.shape, **case.options)
        conv2d.backward_bias(grad)
"""


@pytest.mark.spec("all.memory-safety")
def test_nothing_beyond_the_arrays_is_read():
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", GUARDED], env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


# (images, channels, groups, height, width, output channels): what decides how the pixels of 1 x 1 kernels are dealt out
POINTS = {
    "whole vectors and some pixels": (2, 300, 1, 5, 7, 20),
    "whole vectors only": (2, 300, 1, 4, 8, 20),
    "a few pixels of many images": (150, 150, 1, 1, 3, 10),
    "a few pixels of one image": (1, 300, 2, 1, 3, 180),
    "a pixel behind whole vectors": (2, 20, 2, 7, 7, 90),
    "more weights than pixels": (3, 20, 1, 5, 7, 400),
    "planes a power of two apart": (2, 40, 1, 64, 64, 9),
    "several pieces of such planes": (1, 160, 2, 28, 32, 12),
    "tasks that do not end with the plane": (1, 8, 1, 37, 60, 8),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("case", POINTS.values(), ids=POINTS)
def test_points_are_summed_wherever_their_pixels_lie(dtype, biased, case):
    """Whole numbers: more channels than a block of the sum, whole panels of output channels and a part of one."""
    n, depth, groups, *side, channels = case
    rng = np.random.default_rng(0)
    x = rng.integers(-4, 5, (n, depth, *side)).astype(dtype)
    weight = rng.integers(-4, 5, (channels, depth // groups, 1, 1)).astype(dtype)
    bias = rng.integers(-9, 10, channels).astype(dtype) if biased else None
    seen, split = x.reshape(n, groups, -1, *side), weight.reshape(groups, channels // groups, -1)
    want = np.einsum("ngchw,gkc->ngkhw", seen, split).reshape(n, channels, *side) + (bias[:, None, None] if biased else 0)
    options = {"groups": groups, "algorithm": "im2col"}
    np.testing.assert_array_equal(conv2d.forward(x, weight, bias, **options), want)
    after = Epilogue(np.arange(1.0 * channels), np.full(channels, 2.0), np.arange(1.0 * channels)[::-1].copy(), -1000.0, 1000.0)
    finished = np.clip((want - after.centre[:, None, None]) * 2 + after.shift[:, None, None], -1000, 1000)
    np.testing.assert_array_equal(conv2d.prepare(x, weight, bias, **options)[1](after), finished)
    g = rng.integers(-4, 5, want.shape).astype(dtype)
    grad = np.einsum("ngkhw,gkc->ngchw", g.reshape(n, groups, -1, *side), split).reshape(x.shape)
    np.testing.assert_array_equal(conv2d.backward_input(g, weight, x.shape, **options), grad)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 300, 7, 16), (2, 150, 5, 16), (1, 200, 1, 16)])
def test_pixels_have_the_same_bits_wherever_they_lie(shape, dtype):
    """A plane that fills vectors, and one a column narrower, whose pixels lie otherwise and are summed otherwise."""
    x, weight, bias = (array.astype(dtype) for array in normals(0, shape, (70, shape[1], 1, 1), (70,)))
    want = conv2d.forward(x, weight, bias)
    for width in (15, 9, 7, 1):
        assert_same_bits(conv2d.forward(np.ascontiguousarray(x[..., :width]), weight, bias), want[..., :width])


def test_windows_that_overlap_are_no_patches():
    """Three windows of 4 pixels, 3 apart, in 12: the sizes of three patches."""
    x, weight = integers(0, (1, 2, 12, 12), (3, 2, 4, 4))
    want = conv2d.forward(x, weight, stride=3, algorithm="direct")
    np.testing.assert_array_equal(conv2d.forward(x, weight, stride=3, algorithm="im2col"), want)


@pytest.mark.parametrize("case", [(2, 3, 1, 4, 6, 5, (2, 2)), (1, 4, 2, 6, 6, 6, (3, 2)), (2, 2, 1, 5, 8, 3, (1, 4))])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_patches_of_an_image_are_its_points(case, dtype):
    """The same bits as an image with a row that no window sees, which is not taken apart."""
    n, depth, groups, h, w, channels, kernel = case
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, depth, h, w)).astype(dtype)
    weight = rng.standard_normal((channels, depth // groups, *kernel)).astype(dtype)
    bias = rng.standard_normal(channels).astype(dtype)
    options = {"stride": kernel, "groups": groups, "algorithm": "im2col"}
    larger = np.pad(x, ((0, 0), (0, 0), (0, kernel[0] - 1), (0, 1))) if kernel[0] > 1 else np.pad(x, ((0, 0),) * 3 + ((0, 1),))
    out = conv2d.forward(x, weight, bias, **options)
    assert_same_bits(out, conv2d.forward(larger, weight, bias, **options))
    g = rng.standard_normal(out.shape).astype(dtype)
    assert_same_bits(
        conv2d.backward_input(g, weight, x.shape, **options),
        conv2d.backward_input(g, weight, larger.shape, **options)[:, :, :h, :w],
    )
    x, g, grown = (np.round(4 * array) for array in (x, g, rng.standard_normal(depth).astype(dtype)))  # exact in any order
    for_weight = {"stride": kernel, "groups": groups}
    want = conv2d.backward_weight(g, x, weight.shape, **for_weight, algorithm="direct")
    np.testing.assert_array_equal(conv2d.backward_weight(g, x, weight.shape, **options), want)
    want = conv_transpose2d.forward(g, np.round(weight), grown, **for_weight, algorithm="direct")
    np.testing.assert_array_equal(conv_transpose2d.forward(g, np.round(weight), grown, **options), want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_patches_have_the_same_bits_however_many_are_gathered(monkeypatch, dtype):
    rng = np.random.default_rng(0)
    x, weight, g = (rng.standard_normal(shape).astype(dtype) for shape in ((5, 4, 6, 4), (6, 2, 2, 2), (5, 6, 3, 2)))
    bias, grown = rng.standard_normal(6).astype(dtype), rng.standard_normal(4).astype(dtype)
    options = {"stride": 2, "groups": 2, "algorithm": "im2col"}

    def results():
        yield conv2d.forward(x, weight, bias, **options)
        yield conv2d.backward_input(g, weight, x.shape, **options)
        yield conv_transpose2d.forward(g, weight, grown, **options)

    whole = tuple(results())
    for pixels in (2, 6):
        monkeypatch.setattr(_point_tasks, "LEAST_GATHERED", pixels)
        monkeypatch.setattr(_point_tasks, "MOST_GATHERED", pixels)
        _point_tasks.laid_out.cache_clear()
        assert_same_bits(whole, tuple(results()))
    _point_tasks.laid_out.cache_clear()
    assert conv2d.forward(x[:0], weight, bias, **options).shape == (0, 6, 3, 2)
    assert conv2d.backward_input(g[:0], weight, (0, *x.shape[1:]), **options).shape == (0, *x.shape[1:])
