"""Transposed convolution: its own scatter, the adjoint of convolution, and the sizes that output padding may ask for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, product_gamma, smallest
from convolution_cases import LARGE, integers, normals, torch_gradients
from hypothesis import given, settings
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg.testing.strategies.convolution import Convolution, convolutions
from rawseg_kernels import conv2d, conv_transpose2d
from rawseg_kernels._cuda import emulator
from rawseg_kernels.conv_transpose2d import reference

ALGORITHMS = ["im2col", "direct", "cuda", "cuda_tiles"]
TENSOR_CORES = ["cuda_tiles_3xtf32", "cuda_tiles_tf32"]  # whose sums take a while without one: with few shapes
FLOATS = [np.float32, np.float64]
torch_conv_transpose2d: Any = torch.nn.functional.conv_transpose2d


def arrays_of(make, case: Convolution, seed: int, dtype: Any = np.float32) -> list[np.ndarray]:
    """x, weight, bias and grad_output, of the transposed convolution that leads back to the input of ``case``."""
    n, channels, h, w = case.x
    return make(seed, (n, case.weight[0], *case.out_size), case.weight, (channels,), (n, channels, h, w), dtype=dtype)


def output_padding(case: Convolution) -> tuple[int, int]:
    """What the window of the convolution left over at the bottom and the right."""
    smallest_h, smallest_w = (
        (case.out_size[i] - 1) * case.stride[i] - 2 * case.padding[i] + case.dilation[i] * (case.weight[2 + i] - 1) + 1
        for i in (0, 1)
    )
    return case.x[2] - smallest_h, case.x[3] - smallest_w


def run(case: Convolution, algorithm: str, x, weight, bias, grad_output) -> list[np.ndarray]:
    options = {**case.options, "algorithm": algorithm}
    return [
        conv_transpose2d.forward(x, weight, bias, output_padding=output_padding(case), **options),
        conv_transpose2d.backward_input(grad_output, weight, x.shape, **options),
        conv_transpose2d.backward_weight(grad_output, x, weight.shape, **options),
        conv_transpose2d.backward_bias(grad_output),
    ]


def torch_run(case: Convolution, x, weight, bias, grad_output) -> list[np.ndarray]:
    options = {**case.options, "output_padding": output_padding(case)}
    return torch_gradients(lambda *leaves: torch_conv_transpose2d(*leaves, **options), grad_output, x, weight, bias)


@pytest.mark.spec("conv_transpose2d.formula", "conv_transpose2d.output")
def test_by_hand():
    x = np.array([[[[1, 2], [3, 4]]]], np.float32)
    weight = np.array([[[[1, 10], [100, 1000]]]], np.float32)
    assert conv_transpose2d.forward(x, weight).tolist() == [[[[1, 12, 20], [103, 1234, 2040], [300, 3400, 4000]]]]
    #  1*k at (0, 0), 2*k at (0, 1), 3*k at (1, 0), 4*k at (1, 1); the middle is 1*1000 + 2*100 + 3*10 + 4*1
    apart = conv_transpose2d.forward(x, weight[..., :1, :1], np.array([0.5], np.float32), stride=2, output_padding=1)
    assert apart.tolist() == [[[[1.5, 0.5, 2.5, 0.5], [0.5] * 4, [3.5, 0.5, 4.5, 0.5], [0.5] * 4]]]
    grad = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    assert conv_transpose2d.backward_input(grad, weight, x.shape).tolist() == [[[[4310, 5421], [7643, 8754]]]]
    assert conv_transpose2d.backward_weight(grad, x, weight.shape).tolist() == [[[[27, 37], [57, 67]]]]


@pytest.mark.proves("conv_transpose2d", "reference", "torch")
@pytest.mark.spec("conv_transpose2d.output")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=convolutions(), seed=st.integers(0, 99))
def test_whole_numbers_are_exact(case, seed, dtype):
    arrays = arrays_of(integers, case, seed, dtype)
    want = torch_run(case, *arrays)
    for algorithm in (*ALGORITHMS, "reference"):
        for got, expected in zip(run(case, algorithm, *arrays), want):
            assert got.dtype == dtype
            np.testing.assert_array_equal(got, expected, err_msg=algorithm)


@pytest.mark.proves("conv_transpose2d", "torch")
@pytest.mark.parametrize(("what", "case"), LARGE, ids=[what for what, _ in LARGE])
def test_however_the_work_is_cut_up(what, case):
    arrays = arrays_of(integers, case, 0)
    for algorithm in ALGORITHMS:
        for got, expected in zip(run(case, algorithm, *arrays), torch_run(case, *arrays)):
            np.testing.assert_array_equal(got, expected, err_msg=algorithm)


@pytest.mark.proves("conv_transpose2d", "bound")
@pytest.mark.parametrize("dtype", FLOATS)
@given(case=convolutions(), seed=st.integers(0, 99))
def test_rounding_stays_in_its_bound(case, seed, dtype):
    check_rounding(case, (*ALGORITHMS, "reference"), *arrays_of(normals, case, seed, dtype))


@settings(max_examples=6)
@given(case=convolutions(), seed=st.integers(0, 99), how=st.sampled_from(emulator.SUMS))
def test_tensor_cores_stay_in_their_bounds(case, seed, how):
    with emulator.summing(how):
        check_rounding(case, TENSOR_CORES, *arrays_of(normals, case, seed))


def check_rounding(case: Convolution, algorithms: Iterable[str], *arrays: np.ndarray) -> None:
    """Assert that sums are as close as their algorithms' bounds say."""
    dtype = arrays[0].dtype
    wide = [array.astype(np.float64) for array in arrays]
    truth, size = torch_run(case, *wide), torch_run(case, *map(np.abs, wide))
    taps = case.weight[2] * case.weight[3]
    pixels = case.x[0] * case.x[2] * case.x[3]
    terms = [case.weight[0] // case.groups * taps + 1, case.weight[1] * taps, pixels, pixels]
    for algorithm in algorithms:
        for got, want, magnitude, count in zip(run(case, algorithm, *arrays), truth, size, terms):
            bound = (product_gamma(algorithm, count, dtype) + gamma(count, np.float64)) * magnitude + smallest(count, dtype)
            assert_within(got, want, bound, algorithm)


@pytest.mark.proves("conv_transpose2d", "adjoint")
@pytest.mark.spec("conv_transpose2d.formula")
@given(case=convolutions(), seed=st.integers(0, 99))
def test_it_is_the_adjoint_of_convolution(case, seed):
    x, weight, _, y = arrays_of(integers, case, seed, np.float64)
    back = conv_transpose2d.forward(x, weight, output_padding=output_padding(case), **case.options)
    assert (back * y).sum() == (x * conv2d.forward(y, weight, **case.options)).sum()
    assert_same_bits(back, conv2d.backward_input(x, weight, y.shape, **case.options))
    grad_weight = conv_transpose2d.backward_weight(y, x, weight.shape, **case.options)
    assert (grad_weight * weight).sum() == (back * y).sum()


@pytest.mark.spec("conv_transpose2d.domain")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *TENSOR_CORES, "reference"])
def test_output_padding_of_a_dilated_kernel_may_exceed_the_stride(algorithm):
    x, weight, bias, grad = integers(1, (2, 3, 4, 5), (3, 2, 2, 3), (2,), (2, 2, 9, 11))
    options: dict[str, Any] = {"stride": (1, 1), "dilation": (4, 3)}
    want = torch_gradients(
        lambda *leaves: torch_conv_transpose2d(*leaves, output_padding=(1, 0), **options), grad, x, weight, bias
    )
    assert want[0].shape == grad.shape
    got = conv_transpose2d.forward(x, weight, bias, output_padding=(1, 0), **options, algorithm=algorithm)
    np.testing.assert_array_equal(got, want[0])
    np.testing.assert_array_equal(
        conv_transpose2d.backward_input(grad, weight, x.shape, **options, algorithm=algorithm), want[1]
    )
    np.testing.assert_array_equal(
        conv_transpose2d.backward_weight(grad, x, weight.shape, **options, algorithm=algorithm), want[2]
    )


@pytest.mark.spec("conv_transpose2d.output_size")
@pytest.mark.parametrize(("size", "extra"), [((8, 15), (0, 0)), ((9, 16), (1, 1)), ((2, 2, 8, 17), (0, 2))])
def test_output_size_stands_for_an_output_padding(size, extra):
    x, weight = normals(2, (2, 3, 4, 5), (3, 2, 2, 3))
    got = conv_transpose2d.forward(x, weight, stride=(2, 3), output_size=size)
    assert got.shape[2:] == size[-2:]
    assert_same_bits(got, conv_transpose2d.forward(x, weight, stride=(2, 3), output_padding=extra))


# In CUDA they are run in other orders and layouts with the other kernels there.
IN_TIERS = [pytest.param(name, marks=[pytest.mark.release] if name.startswith("cuda") else []) for name in ALGORITHMS]


@pytest.mark.proves("conv_transpose2d", "determinism")
@pytest.mark.parametrize("algorithm", IN_TIERS)
@pytest.mark.parametrize("case", [LARGE[1][1], LARGE[9][1], LARGE[12][1]])
def test_promises(monkeypatch, case, algorithm):
    x, weight, bias, grad_output = arrays_of(normals, case, 5)
    options = {**case.options, "algorithm": algorithm}
    extra = output_padding(case)
    assert_promises(
        monkeypatch, lambda x, w, b: conv_transpose2d.forward(x, w, b, output_padding=extra, **options), x, weight, bias
    )
    assert_promises(monkeypatch, lambda g, w: conv_transpose2d.backward_input(g, w, x.shape, **options), grad_output, weight)
    assert_promises(monkeypatch, lambda g, x: conv_transpose2d.backward_weight(g, x, weight.shape, **options), grad_output, x)


@pytest.mark.spec("conv_transpose2d.bias")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *TENSOR_CORES, "reference"])
def test_a_pixel_that_no_tap_hits_is_exactly_the_bias(algorithm):
    bias = np.array([0.1, -7e-41], np.float32)  # a subnormal that any arithmetic on the way would lose or round
    x, weight = np.full((1, 1, 2, 2), np.inf, np.float32), np.ones((1, 2, 1, 2), np.float32)
    out = conv_transpose2d.forward(x, weight, bias, stride=3, output_padding=(2, 1), algorithm=algorithm)
    hit = np.zeros((6, 6), bool)
    hit[np.ix_([0, 3], [0, 1, 3, 4])] = True
    assert np.isinf(out[:, :, hit]).all()
    for k in (0, 1):
        assert_same_bits(out[0, k][~hit], np.full((~hit).sum(), bias[k]))


@pytest.mark.spec("conv_transpose2d.nonfinite")
@pytest.mark.parametrize("algorithm", [*ALGORITHMS, *TENSOR_CORES, "reference"])
def test_only_elements_meet_the_weights(algorithm):
    x = np.array([[[[0, 1], [1, 1]]]], np.float32)
    weight = np.ones((1, 1, 2, 2), np.float32)
    weight[0, 0, 0, 1] = np.inf
    out = conv_transpose2d.forward(x, weight, stride=3, algorithm=algorithm)
    np.testing.assert_array_equal(np.isnan(out[0, 0]), np.arange(25).reshape(5, 5) == 1)  # 0 * inf, a real element
    np.testing.assert_array_equal(np.isinf(out[0, 0]), np.isin(np.arange(25).reshape(5, 5), [4, 16, 19]))
    np.testing.assert_array_equal(out[0, 0, 2], 0)  # the gap between strides
    want = torch_conv_transpose2d(torch.from_numpy(x), torch.from_numpy(weight), stride=3).numpy()
    np.testing.assert_array_equal(out, want)


@pytest.mark.proves("conv_transpose2d", "complex step")
def test_reference_is_plain_python_and_holomorphic():
    x, weight, bias = (array.astype(np.complex128) for array in integers(3, (1, 2, 3, 2), (2, 1, 2, 2), (2,)))
    geometry: Any = (2, 1), (0, 1), (1, 1), 2
    out: Any = reference.forward(x + 1e-30j, weight, bias, (6, 2), *geometry)
    slope: Any = reference.forward(np.ones_like(x), weight, None, (6, 2), *geometry)
    np.testing.assert_array_equal(out.imag, 1e-30 * slope.real)
    grad = np.ones_like(out)
    assert (reference.backward_input(grad, weight, x.shape, *geometry) * x).sum() == (
        reference.forward(x, weight, None, (6, 2), *geometry) * grad
    ).sum()
