"""The epilogue of a convolution gives the bits of batch normalisation and of an activation after it, for every algorithm."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.testing.strategies.convolution import convolutions
from rawseg_kernels import activation, batch_norm, conv2d, conv_transpose2d
from rawseg_kernels._epilogue import NOTHING, Epilogue
from rawseg_kernels._finishing import finish_planes

SPECIAL = (-0.0, 0.0, 6.0, np.nan, np.inf, -np.inf, 1e-40)


def normalised_and_clamped(y, statistics, clamp):
    """Return the two operations one after the other."""
    if statistics is not None:
        y = batch_norm.forward_eval(y, *statistics)
    if clamp is None:
        return y
    return activation.forward(y, "relu") if clamp == (0.0, math.inf) else activation.forward(y, "hardtanh", clamp)


def epilogue_of(statistics, clamp):
    after = NOTHING
    if statistics is not None:
        after = after._replace(**dict(zip(Epilogue._fields, batch_norm.fold(*statistics))))
    return after if clamp is None else after._replace(low=clamp[0], high=clamp[1])


@st.composite
def what_follows(draw, channels, dtype):
    """Draw ``(weight, bias, running_mean, running_var, eps)`` or None, and bounds or None."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weight, bias, mean = (rng.standard_normal(channels).astype(dtype) for _ in range(3))
    statistics = draw(st.sampled_from([weight, None])), draw(st.sampled_from([bias, None])), mean, mean * mean, 1e-3
    return (
        statistics if draw(st.booleans()) else None,
        draw(st.sampled_from([None, (0.0, math.inf), (0.0, 6.0), (-0.5, 0.25)])),
    )


def algorithms_for(case, dtype):
    """Return the names of all algorithms that can do it."""
    tiles = dtype == np.float32 and case.weight[2:] == (3, 3) and case.stride == (1, 1)
    single = case.weight[1] == 1
    able = {"winograd4": tiles, "winograd2": tiles, "depthwise": single, "cuda_depthwise": single}
    return "auto", "reference", *(name for name in (*conv2d.ALGORITHMS, *conv2d.CUDA_ALGORITHMS) if able.get(name, True))


@given(st.data())
def test_fused_is_unfused_bit_for_bit(data):
    case, dtype = data.draw(convolutions()), data.draw(st.sampled_from([np.float32, np.float64]))
    statistics, clamp = data.draw(what_follows(case.weight[0], dtype))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x, weight, bias = (rng.standard_normal(shape).astype(dtype) for shape in (case.x, case.weight, case.weight[:1]))
    for algorithm in algorithms_for(case, dtype):
        y = conv2d.forward(x, weight, bias, **case.options, algorithm=algorithm)
        shape, run = conv2d.prepare(x, weight, bias, **case.options, algorithm=algorithm)
        got = run(epilogue_of(statistics, clamp))
        assert got.shape == shape
        assert np.array_equal(got.view(np.uint8), normalised_and_clamped(y, statistics, clamp).view(np.uint8)), algorithm


@given(st.data())
def test_fused_is_unfused_for_a_transposed_convolution(data):
    case, dtype = data.draw(convolutions()), data.draw(st.sampled_from([np.float32, np.float64]))
    statistics, clamp = data.draw(what_follows(case.weight[1] * case.groups, dtype))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    x = rng.standard_normal((case.x[0], case.weight[0], *case.out_size)).astype(dtype)
    arrays = x, rng.standard_normal(case.weight).astype(dtype)
    options = {**case.options, "output_size": case.x[2:]}
    for algorithm in ("auto", "reference", "direct", "cuda"):
        y = conv_transpose2d.forward(*arrays, **options, algorithm=algorithm)
        shape, run = conv_transpose2d.prepare(*arrays, **options, algorithm=algorithm)
        got = run(epilogue_of(statistics, clamp))
        assert got.shape == shape
        assert np.array_equal(got.view(np.uint8), normalised_and_clamped(y, statistics, clamp).view(np.uint8)), algorithm


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("clamp", [(0.0, math.inf), (0.0, 6.0), None])
def test_special_values_are_those_of_the_two_operations(dtype, clamp):
    y = np.array(SPECIAL, dtype).reshape(1, 1, 1, -1).repeat(2, 1)
    statistics = np.ones(2, dtype), np.array([0, np.nan], dtype), np.array([0, 1], dtype), np.ones(2, dtype), 1e-5
    for before in (statistics, None):
        got = finish_planes(y.copy(), epilogue_of(before, clamp))
        want = normalised_and_clamped(y, before, clamp)
        assert np.array_equal(got.view(np.uint8), want.view(np.uint8))


def test_folded_constants_are_checked():
    from rawseg_kernels._errors import ArgumentError, ShapeError

    ones = np.ones(2)
    with pytest.raises(ArgumentError, match="batch_norm: running_var: expected no negative value"):
        batch_norm.fold(None, None, ones, -ones)
    with pytest.raises(ShapeError, match=r"batch_norm: weight: expected shape \(2,\), got shape \(3,\)"):
        batch_norm.fold(np.ones(3), None, ones, ones)
