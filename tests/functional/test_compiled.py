"""Functions that say they compute in kernels alone: NumPy has nothing to warn of, whatever the numbers are."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import functional as F

CALLS = {
    "a pixel": lambda x, w: F.conv2d(x, w[:, :, :1, :1]),
    "3 x 3": lambda x, w: F.conv2d(x, w, padding=1),
    "a stride": lambda x, w: F.conv2d(x, w, stride=2, padding=1, dilation=2),
    "planes": lambda x, w: F.conv2d(x, w[:, :1], padding=1, groups=8),
    "patches": lambda x, w: F.conv2d(x, w, stride=3),
    "transposed": lambda x, w: F.conv_transpose2d(x, w, w[0, :, 0, 0], stride=2, padding=1),
    "norm and clamp": lambda x, w: F.relu6(F.batch_norm(x, None, None, w[:, 0, 0, 0], w[0, :, 0, 0], True)),
    "clamps": lambda x, w: F.relu(x) + F.hardtanh(x, -1.0, 1.0),
    "gates": lambda x, w: F.silu(x) + F.gelu(x) + F.elu(x) + F.hardswish(x),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("number", ["largest", "tiny", "inf", "nan"])
@pytest.mark.parametrize("name", CALLS)
def test_no_number_is_warned_of(name, number, dtype):
    value = {"largest": np.finfo(dtype).max, "tiny": np.finfo(dtype).tiny}.get(number, number)
    arrays = [np.random.default_rng(0).standard_normal(shape).astype(dtype) for shape in ((2, 8, 12, 12), (8, 8, 3, 3))]
    for array in arrays:
        array[0, 0, 0, 0], array[1, 1, 1, 1], array[1, :, 2] = value, -dtype(value), value
    x, w = (rawseg.tensor(array, requires_grad=True) for array in arrays)
    with np.errstate(all="raise"):
        out = CALLS[name](x, w)
        out.backward(rawseg.tensor(np.full(out.shape, value, dtype)))
    assert x.grad.shape == x.shape
