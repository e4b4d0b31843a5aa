"""`explain`: rounding or a mistake, for every kind of operation, at real sizes too."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError
from rawseg.testing import explain


def images(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def test_a_convolution_of_pytorch_is_rounding_and_one_wrong_element_is_not():
    x, weight, bias = images(2, 16, 33, 29), images(24, 16, 3, 3, seed=1), images(24, seed=2)
    got = torch.nn.functional.conv2d(*map(torch.from_numpy, (x, weight, bias)), padding=1).numpy()
    found = explain("conv2d", [x, weight, bias], got, padding=1)
    assert found.is_rounding
    assert 0 < found.ratio < 1
    assert str(found) == f"inside the provable bound (ratio {found.ratio:.2g})"
    wrong = got.copy()
    wrong[1, 3, 7, 8] *= 1 + 1e-3
    found = explain("conv2d", {"input": x, "weight": weight, "bias": bias}, wrong, padding=1)
    assert not found.is_rounding
    assert found.outputs[0].at == (1, 3, 7, 8)
    assert str(found).startswith("cannot be rounding: ratio ")
    assert "at (1, 3, 7, 8)" in str(found)


def test_winograds_result_is_seen_to_be_no_direct_sum():
    """Its own bound is larger than that of sums; what `explain` knows is the bound of a sum."""
    x, weight = images(1, 64, 64, 64), images(64, 64, 3, 3, seed=1)
    with_winograd = F.conv2d(rawseg.Tensor(x), rawseg.Tensor(weight)).numpy()
    assert explain("conv2d", [x, weight], with_winograd).ratio > explain("conv2d", [x, weight], direct(x, weight)).ratio


def direct(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    rawseg.set_precision("exact")
    try:
        return F.conv2d(rawseg.Tensor(x), rawseg.Tensor(weight)).numpy()
    finally:
        rawseg.set_precision("fast")


def test_a_choice_must_be_exact():
    x = images(1, 2, 6, 7)
    got = F.max_pool2d(rawseg.Tensor(x), 2).numpy()
    assert explain("max_pool2d", [x], got, kernel_size=2).ratio == 0
    found = explain("max_pool2d", [x], np.nextafter(got, np.float32(9)), kernel_size=2)
    assert not found.is_rounding
    assert found.ratio == np.inf


def test_a_smooth_function_of_many_elements_is_looked_at_where_it_may_err():
    x = images(40, 64)
    got = torch.nn.functional.softmax(torch.from_numpy(x), 1).numpy()
    found = explain("softmax", [x], got, dim=1)
    assert found.is_rounding
    assert not found.partial
    wrong = got.copy()
    wrong[7, 9] += 1e-3
    found = explain("softmax", [x], wrong, dim=1)
    assert found.outputs[0].at == (7, 9)
    assert not found.is_rounding


def test_several_outputs():
    x = images(1, 1, 4, 4)
    out, indices = F.max_pool2d(rawseg.Tensor(x), 2, return_indices=True)
    wrong = np.array(indices.numpy())
    wrong[0, 0, 1, 1] = 0
    found = explain("max_pool2d", [x], (out.numpy(), wrong), kernel_size=2, return_indices=True)
    assert not found.is_rounding
    assert str(found).startswith("output 0: inside the provable bound")
    assert "output 1: cannot be rounding" in str(found)


def test_what_it_refuses():
    x = images(1, 1, 4, 4)
    with pytest.raises(
        ArgumentError, match=r"^explain: op: expected one of the \d+ operations \(.*conv2d.*\?\), got 'convolve'"
    ):
        explain("convolve", [x], x)
    with pytest.raises(ShapeError, match=r"got: expected shapes \[\(1, 1, 2, 2\)\], got \[\(1, 1, 4, 4\)\]"):
        explain("max_pool2d", [x], x, kernel_size=2)
    with pytest.raises(ArgumentError, match="got: expected a result in float32 or float64, got float16"):
        explain("relu", [x], x.astype(np.float16))


def test_what_pytorch_loses_far_below_0_is_no_rounding():
    """It computes gelu from 1 + erf, which cancels."""
    x = np.linspace(-4, -3, 50, dtype=np.float32)
    found = explain("gelu", [x], torch.nn.functional.gelu(torch.from_numpy(x)).numpy())
    assert not found.is_rounding
    assert explain("gelu", [x], F.gelu(rawseg.Tensor(x)).numpy()).is_rounding
