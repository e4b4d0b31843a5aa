"""Where resizing differs from PyTorch on purpose, and that PyTorch still differs."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import gamma

from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError
from rawseg_kernels.resize import tables


def torch_interpolate(x, mode, *size):
    return torch.nn.functional.interpolate(torch.tensor(x), size, mode=mode).numpy()


def different_pairs(mode, centre, exact) -> int:
    """Count the pairs of sizes up to 129 for which PyTorch takes another pixel; the float32 tables follow it there."""
    different = 0
    for old in range(1, 130):
        x = np.broadcast_to(np.arange(old, dtype=np.float32), (1, 1, 1, old))
        for new in range(1, 130):
            want = torch_interpolate(x, mode, 1, new).ravel()
            np.testing.assert_array_equal(tables.nearest_float32(old, new, None, centre), want)
            different += not np.array_equal(exact(old, new), want)
    return different


@pytest.mark.spec("interpolate.nearest")
def test_nearest_pixels_are_exact():
    """PyTorch's float32 coordinates take another pixel for 195 of 16,641 pairs of sizes; rawseg's integers are exact."""
    assert different_pairs("nearest", 0.0, tables.nearest) == 195


@pytest.mark.spec("interpolate.nearest-exact")
def test_pixels_under_the_centre_are_exact():
    """PyTorch's float32 coordinates take another pixel for 337 pairs with "nearest-exact"; rawseg's integers are exact."""
    assert different_pairs("nearest-exact", 0.5, tables.nearest_exact) == 337


@pytest.mark.spec("interpolate.coordinates")
def test_coordinates_are_doubles():
    """PyTorch's coordinates of float32 images are float32, an error of some 1e-5 at width 1000; rawseg's are float64."""
    x = np.resize(np.array([-1.0, 1.0]), (1, 1, 1, 1000))  # neighbours as different as can be
    exact = torch_interpolate(x, "bilinear", 1, 2999)
    theirs = torch_interpolate(x.astype(np.float32), "bilinear", 1, 2999)
    ours = F.interpolate(x.astype(np.float32), (1, 2999), mode="bilinear").numpy()
    assert np.abs(theirs - exact).max() > 1e-5
    assert np.abs(ours - exact).max() <= gamma(8, np.float32) * 2  # 4 weights and their products, with values of 1


@pytest.mark.spec("interpolate.modes")
@pytest.mark.parametrize("mode", ["bicubic", "area"])
def test_modes_and_ranks(mode):
    """PyTorch has bicubic, area and antialiased resizing, of sequences and volumes too; rawseg's modes are three, of planes."""
    x = torch.ones(1, 1, 4, 4)
    assert torch.nn.functional.interpolate(x, 2, mode=mode).shape == (1, 1, 2, 2)
    assert torch.nn.functional.interpolate(x, 2, mode="bilinear", antialias=True).shape == (1, 1, 2, 2)
    assert torch.nn.functional.interpolate(x[0], 2).shape == (1, 4, 2)
    with pytest.raises(ArgumentError, match="mode: expected one of"):
        F.interpolate(x.numpy(), 2, mode=mode)
    with pytest.raises(ShapeError, match="input: expected shape"):
        F.interpolate(x[0].numpy(), 2)
