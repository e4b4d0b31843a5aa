"""Depthwise convolution by planes: kernels and planes of any size, what may not be read, and the same bits always."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest
from convolution_cases import integers, normals, torch_gradients
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.convolution import Convolution
from rawseg_kernels import conv2d
from rawseg_kernels._simd_rows import BLOCK
from rawseg_kernels.conv2d import depthwise
from rawseg_kernels.conv2d._choice import choose
from rawseg_kernels.conv2d._plane_tables import adjoint_tables, forward_tables

torch_conv2d: Any = torch.nn.functional.conv2d


@st.composite
def cases(draw) -> Convolution:
    channels, multiplier = draw(st.integers(1, 4)), draw(st.sampled_from([1, 1, 2, 3]))
    size, kernel, stride, padding, dilation = [], [], [], [], []
    for _ in range(2):
        kernel.append(draw(st.sampled_from([1, 2, 3, 3, 5, 7])))
        stride.append(draw(st.sampled_from([1, 1, 2, 2, 3])))
        dilation.append(draw(st.sampled_from([1, 1, 2, 3])))
        reach = dilation[-1] * (kernel[-1] - 1) + 1
        padding.append(draw(st.sampled_from([0, reach // 2, reach // 2, reach])))
        size.append(max(1, reach - 2 * padding[-1]) + draw(st.sampled_from([0, 1, 3, 6, 13, 27, 40])))
    x, weight = (draw(st.integers(0, 2)), channels, *size), (channels * multiplier, 1, *kernel)
    return Convolution(x, weight, tuple(stride), tuple(padding), tuple(dilation), channels)  # type: ignore[arg-type]


def shapes(case: Convolution) -> tuple[tuple[int, ...], ...]:
    return case.x, case.weight, case.weight[:1], (case.x[0], case.weight[0], *case.out_size)


ALGORITHMS = ["depthwise", "cuda_depthwise"]


def run(case: Convolution, x, weight, bias, grad_output, algorithm: str = "depthwise") -> list[np.ndarray]:
    """The output and the gradients of x and weight."""
    options = {**case.options, "algorithm": algorithm}
    return [
        conv2d.forward(x, weight, bias, **options),
        conv2d.backward_input(grad_output, weight, x.shape, **options),
        conv2d.backward_weight(grad_output, x, weight.shape, **options),
    ]


def torch_run(case: Convolution, x, weight, bias, grad_output) -> list[np.ndarray]:
    def call(x, weight):
        return torch_conv2d(x, weight, torch.from_numpy(bias), **case.options)

    return torch_gradients(call, grad_output, x, weight)


@pytest.mark.proves("conv2d", "torch")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(case=cases(), seed=st.integers(0, 99))
def test_whole_numbers_are_exact(case, seed, dtype):
    arrays = integers(seed, *shapes(case), dtype=dtype)
    for algorithm in ALGORITHMS:
        for got, want in zip(run(case, *arrays, algorithm), torch_run(case, *arrays)):
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, want, err_msg=algorithm)


@pytest.mark.proves("conv2d", "bound")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(case=cases(), seed=st.integers(0, 99))
def test_rounding_stays_in_its_bound(case, seed, dtype):
    arrays = normals(seed, *shapes(case), dtype=dtype)
    wide = [array.astype(np.float64) for array in arrays]
    truth, size = torch_run(case, *wide), torch_run(case, *map(np.abs, wide))
    pixels = case.x[0] * case.out_size[0] * case.out_size[1]
    terms = [case.terms + 1, case.terms * case.weight[0] // case.x[1] + 1, pixels + BLOCK]
    for algorithm in ALGORITHMS:
        for got, want, magnitude, count in zip(run(case, *arrays, algorithm), truth, size, terms):
            bound = (gamma(count, dtype) + gamma(count, np.float64)) * magnitude + smallest(count, dtype)
            assert_within(got, want, bound, algorithm)


def chain(start, products):
    """Return the chain of fused multiply-adds of float32 pairs; float64 holds each exactly but for its last bits."""
    for one, other in products:
        start = np.float32(np.float64(one) * np.float64(other) + np.float64(start))
    return start


def test_an_output_is_one_chain_in_order_of_the_taps():
    x, weight, bias = integers(3, (1, 2, 9, 20), (2, 1, 3, 3), (2,))
    x, weight = x + np.float32(2**-11), weight + np.float32(2**-13)  # products of 30 bits, so that the order is seen
    out = conv2d.forward(x, weight, bias, padding=1, groups=2, algorithm="depthwise")
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    for k, i, j in np.ndindex(2, 9, 20):
        taps = padded[0, k, i : i + 3, j : j + 3].ravel()
        assert out[0, k, i, j] == chain(bias[k], zip(weight[k, 0].ravel(), taps))


SAME = Convolution((2, 5, 37, 41), (10, 1, 3, 3), (1, 1), (1, 1), (1, 1), 5)  # read and written where it is
HALVED = Convolution((2, 5, 38, 44), (5, 1, 3, 5), (2, 2), (1, 2), (1, 1), 5)  # even and odd columns
OTHERS = Convolution((2, 5, 38, 44), (5, 1, 4, 2), (3, 1), (0, 2), (2, 1), 5)
STRIPS = [  # small planes one behind the other, which share blocks
    Convolution((2, 6, 7, 7), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 6),
    Convolution((2, 18, 14, 14), (18, 1, 3, 3), (2, 2), (1, 1), (1, 1), 18),  # more than are taken at once
    Convolution((2, 4, 8, 5), (4, 1, 3, 5), (2, 1), (1, 1), (1, 1), 4),  # narrower than what they are computed from
]
BANDS = Convolution((2, 2, 151, 130), (2, 1, 5, 3), (2, 2), (2, 1), (1, 1), 2)  # more rows than are parted at once


@pytest.mark.proves("conv2d", "determinism")
@pytest.mark.spec("all.bits", "all.strides", "all.fresh")
@pytest.mark.parametrize("case", [SAME, HALVED, OTHERS, STRIPS[1], BANDS])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_promises(monkeypatch, case, dtype):
    x, weight, bias, grad_output = normals(5, *shapes(case), dtype=dtype)
    options = {**case.options, "algorithm": "depthwise"}
    assert_promises(monkeypatch, lambda x, w, b: conv2d.forward(x, w, b, **options), x, weight, bias)
    assert_promises(monkeypatch, lambda g, w: conv2d.backward_input(g, w, x.shape, **options), grad_output, weight)
    assert_promises(monkeypatch, lambda g, x: conv2d.backward_weight(g, x, weight.shape, **options), grad_output, x)


@pytest.mark.parametrize("case", [SAME, HALVED, OTHERS])
def test_images_do_not_meet(case):
    arrays = normals(6, *shapes(case))
    whole = run(case, *arrays)
    for b in range(2):
        x, weight, bias, grad_output = arrays
        single = run(case, x[b : b + 1], weight, bias, grad_output[b : b + 1])
        assert_same_bits((single[0], single[1]), (whole[0][b : b + 1], whole[1][b : b + 1]))


def tables(case: Convolution):
    """The tables of the output, and of the gradients of x and of the weight, for all channels."""
    geometry, channels = (case.stride, case.padding, case.dilation, case.x[2:]), case.x[1]
    arguments = case.weight[2:], case.out_size, *geometry
    forward, adjoint = forward_tables(*arguments, channels), adjoint_tables(*arguments, channels)
    return forward, adjoint, forward_tables(*arguments, depthwise.CHANNELS, shared=False)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", STRIPS)
def test_planes_do_not_meet(case, dtype):
    assert all(table.planes > 1 for table in tables(case))
    x, weight, bias, grad_output = normals(6, *shapes(case), dtype=dtype)
    x[:, 1], weight[2], bias[3], grad_output[:, 2] = np.nan, np.inf, -np.inf, np.nan
    whole = run(case, x, weight, bias, grad_output)
    single = Convolution((2, 1, *case.x[2:]), (1, *case.weight[1:]), case.stride, case.padding, case.dilation, 1)
    for c in range(case.x[1]):
        of = slice(c, c + 1)
        out, grad_input, grad_weight = run(single, x[:, of], weight[of], bias[of], grad_output[:, of])
        assert_same_bits((out, grad_input, grad_weight), (whole[0][:, of], whole[1][:, of], whole[2][of]))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_whole_numbers_of_large_planes_are_exact(dtype):
    assert all(table.bands.shape[0] > 1 for table in tables(BANDS))
    arrays = integers(4, *shapes(BANDS), dtype=dtype)
    for got, want in zip(run(BANDS, *arrays), torch_run(BANDS, *arrays)):
        np.testing.assert_array_equal(got, want)


@pytest.mark.spec("conv2d.nonfinite", "all.nonfinite")
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_padding_is_never_multiplied(value, stride):
    case = Convolution((1, 2, 18, 36), (2, 1, 3, 3), (stride, stride), (1, 1), (1, 1), 2)
    x, weight, bias, grad_output = (np.abs(array) + 1 for array in integers(9, *shapes(case)))
    weight[0, 0, 0, 0] = value  # of the tap above and to the left
    out, grad_input, _ = run(case, x, weight, bias, grad_output)
    assert np.isfinite(out[:, 1]).all()
    assert np.isfinite(out[:, 0, 0]).all()
    assert np.isfinite(out[:, 0, :, 0]).all()
    np.testing.assert_array_equal(out[:, 0, 1:, 1:], np.full_like(out[:, 0, 1:, 1:], value))
    touched = np.zeros(case.x[2:], bool)
    touched[1 if stride == 2 else 0 : -1 : stride, 1 if stride == 2 else 0 : -1 : stride] = True
    assert np.isfinite(grad_input[0, 0][~touched]).all()
    assert np.isfinite(grad_input[:, 1]).all()
    np.testing.assert_array_equal(grad_input[0, 0][touched], np.full(touched.sum(), value, np.float32))

    weight[0, 0, 0, 0], grad_output[0, 1, 0, 0] = 1, value
    grad_weight = run(case, x, weight, bias, grad_output)[2]
    assert np.isfinite(grad_weight[0]).all()
    assert np.isfinite(grad_weight[1, 0, 0]).all()
    assert np.isfinite(grad_weight[1, 0, :, 0]).all()
    np.testing.assert_array_equal(grad_weight[1, 0, 1:, 1:], np.full((2, 2), value, np.float32))


def test_auto_takes_it_where_every_channel_is_alone():
    geometry: Any = ((1, 1), (1, 1))
    assert choose("forward", (3, 3), *geometry, (1, 1), (14, 14), np.float64) == "depthwise"
    assert choose("backward_weight", (7, 7), (2, 2), (3, 3), (1, 4), (14, 14), np.float32) == "depthwise"
    for channels, kernel in (((2, 1), (3, 3)), ((1, 5), (3, 3)), ((1, 1), (7, 8))):
        assert choose("forward", kernel, *geometry, channels, (14, 14), np.float32) != "depthwise"


GUARDED = """
import numpy as np
from convolution_cases import integers
from guard_pages import guarded
from test_depthwise import BANDS, HALVED, OTHERS, SAME, STRIPS, run, shapes
for case in (SAME, HALVED, OTHERS, *STRIPS, BANDS):
    for dtype in (np.float32, np.float64):
        for end in (True, False):
            run(case, *(guarded(array, end) for array in integers(0, *shapes(case), dtype=dtype)))
"""


@pytest.mark.spec("all.memory-safety")
@pytest.mark.parametrize("name", ["", pytest.param("portable", marks=pytest.mark.release)])
def test_nothing_beyond_the_arrays_is_read(name):
    paths = os.pathsep.join([os.path.dirname(__file__), *(path for path in sys.path if path)])
    environment = {**os.environ, "PYTHONPATH": paths, "RAWSEG_SIMD": name}
    done = subprocess.run([sys.executable, "-c", GUARDED], env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
