"""Sums of normalisations in parts: numbers whose sums are exact, so that every cut into parts gives the bits of the loops."""

from __future__ import annotations

import numpy as np
import pytest
from promises import assert_same_bits

from rawseg_kernels import batch_norm, group_norm, layer_norm
from rawseg_kernels._cuda import emulator, moments
from rawseg_kernels.layer_norm import cuda as layer_norm_cuda

SHAPES = [(64, 6, 1), (1, 6, 64), (16, 6, 4), (8, 6, 256), (2, 6, 512)]  # a power of two of numbers in every group
CUTS = [(8192, 64), (16, 64), (1, 5), (48, 3)]  # numbers of a part, and the most parts


@pytest.fixture(params=CUTS, ids=str)
def cut(request, monkeypatch):
    monkeypatch.setattr(moments, "PART", request.param[0])
    monkeypatch.setattr(moments, "MOST_PARTS", request.param[1])
    monkeypatch.setattr(layer_norm_cuda, "PART", request.param[0])
    monkeypatch.setattr(layer_norm_cuda, "MOST_PARTS", request.param[1])


def whole_numbers(*shape):
    rng = np.random.default_rng(0)
    return [rng.integers(-8, 9, shape).astype(np.float32) for _ in range(2)]


def assert_all_orders(call):
    want = call("reference")
    for order in emulator.ORDERS:
        with emulator.ordered(order, 2):
            assert_same_bits(call("cuda"), want, order)


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_channels(shape):
    x, grad = whole_numbers(*shape)
    weight, bias = np.arange(1, 7, dtype=np.float32), np.arange(-3, 3, dtype=np.float32)
    mean, inv_std = np.arange(6) / 2.0, 2.0 ** np.arange(-3, 3)
    assert_all_orders(lambda a: batch_norm.statistics(x, algorithm=a))
    assert_all_orders(lambda a: batch_norm.backward_train(grad, x, weight, mean, inv_std, a))
    held = {"bias": bias, "low": -2.0, "high": 3.0}
    assert_all_orders(lambda a: batch_norm.backward_train(grad, x, weight, mean, inv_std, a, **held))


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("groups", [6, 3])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_groups_of_channels(shape, groups):
    x, grad = whole_numbers(*shape)
    weight = np.arange(1, 7, dtype=np.float32)
    mean, inv_std = (np.resize(array, (shape[0], groups)) for array in (np.arange(5) / 2.0, 2.0 ** np.arange(-3, 4)))
    assert_all_orders(lambda a: group_norm.forward(x, groups, weight, algorithm=a))
    assert_all_orders(lambda a: group_norm.backward(grad, x, groups, weight, mean, inv_std, a))


@pytest.mark.usefixtures("cut")
@pytest.mark.parametrize("shape", [(70, 32), (1, 512), (130, 1)], ids=str)
def test_rows_and_columns(shape):
    x, grad = whole_numbers(*shape)
    weight = np.resize(np.arange(1, 5, dtype=np.float32), shape[1])
    mean, inv_std = (np.resize(array, shape[0]) for array in (np.arange(5) / 2.0, 2.0 ** np.arange(-3, 4)))
    assert_all_orders(lambda a: layer_norm.forward(x, shape[1:], weight, algorithm=a))
    assert_all_orders(lambda a: layer_norm.backward(grad, x, shape[1:], weight, mean, inv_std, a))
