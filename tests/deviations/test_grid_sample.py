"""Where sampling differs from PyTorch on purpose: each test says that PyTorch still does what it did."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, ShapeError
from rawseg.testing.strategies.sampling import NOT_FINITE

X = np.arange(1.0, 13).reshape(1, 1, 3, 4)
POINTS = np.array([[[[value, 0.25] for value in NOT_FINITE]]])


@pytest.mark.spec("grid_sample.nonfinite")
def test_a_point_that_is_not_finite_samples_zero():
    """PyTorch samples NaN with "bilinear" and "zeros", 0 with "nearest"; rawseg 0 with both: the point is outside."""
    for mode, theirs in (("bilinear", np.nan), ("nearest", 0.0)):
        out = TF.grid_sample(torch.tensor(X), torch.tensor(POINTS), mode, "zeros", False).numpy()
        np.testing.assert_array_equal(out, np.full((1, 1, 1, 3), theirs))
        assert F.grid_sample(X, POINTS, mode).tolist() == [[[[0, 0, 0]]]]


CRASH = """
import torch
x = torch.ones(1, 1, 3, 4, requires_grad=True)
grid = torch.full((1, 1, 16, 2), {value})
torch.nn.functional.grid_sample(x, grid, "bilinear", "{padding}", False).sum().backward()
"""


@pytest.mark.spec("grid_sample.nonfinite")
@pytest.mark.parametrize(("padding", "value"), [("border", "torch.nan"), ("reflection", "torch.inf")])
def test_the_gradient_of_a_point_that_is_not_finite_does_not_crash(padding, value):
    """PyTorch's backward pass writes outside of the map and dies; rawseg adds to the pixel that was read."""
    done = subprocess.run([sys.executable, "-c", CRASH.format(padding=padding, value=value)], capture_output=True, check=False)
    assert done.returncode < 0  # killed by a signal
    x = rawseg.ones(1, 1, 3, 4, requires_grad=True)
    F.grid_sample(x, np.full((1, 1, 16, 2), getattr(np, value[6:]), np.float32), padding_mode=padding).sum().backward()
    assert x.grad.numpy().reshape(-1).tolist() == [16] + [0] * 11


@pytest.mark.spec("grid_sample.reflection")
def test_a_far_point_is_reflected_to_its_exact_remainder():
    """PyTorch divides, and multiplies what it rounded, so that far points land elsewhere; rawseg takes the exact remainder."""
    x = np.arange(5.0, dtype=np.float32).reshape(1, 1, 1, 5)
    points = np.arange(2**24, 2**24 + 400, 2, dtype=np.float32)
    grid = np.stack([points, np.zeros_like(points)], -1)[None, None]
    one, five = np.float32(1), np.float32(5)
    places = ((points + one) * five - one) / np.float32(2)  # in float32, as either library computes them
    over = [int(place + np.float32(0.5)) % 10 for place in places]  # mirrored at -1/2 and 9/2: a period of 10 pixels
    want = [min(max(min(o, 10 - o) - 0.5, 0), 4) for o in over]
    assert F.grid_sample(x, grid, "bilinear", "reflection").numpy().reshape(-1).tolist() == want
    theirs = TF.grid_sample(torch.tensor(x), torch.tensor(grid), "bilinear", "reflection", False).numpy().reshape(-1)
    assert (theirs != want).any()


@pytest.mark.spec("grid_sample.shapes")
def test_modes_and_shapes_of_pytorch_alone():
    """PyTorch has the mode "bicubic" and volumes; rawseg refuses them."""
    grid = torch.zeros(1, 1, 1, 2)
    assert TF.grid_sample(torch.ones(1, 1, 3, 4), grid, "bicubic", align_corners=False).shape == (1, 1, 1, 1)
    with pytest.raises(ArgumentError, match=r"mode: expected one of .* got 'bicubic'"):
        F.grid_sample(np.ones((1, 1, 3, 4), np.float32), grid.numpy(), "bicubic")
    volume = torch.ones(1, 1, 2, 3, 4)
    assert TF.grid_sample(volume, torch.zeros(1, 1, 1, 1, 3), align_corners=False).shape == (1, 1, 1, 1, 1)
    with pytest.raises(ShapeError, match=r"input: expected shape \(N, C, H, W\)"):
        F.grid_sample(volume.numpy(), grid.numpy())


@pytest.mark.spec("affine_grid.size")
def test_an_affine_grid_of_no_image():
    """PyTorch refuses an empty batch, and has volumes; rawseg returns an empty grid, and refuses volumes."""
    with pytest.raises(ValueError, match="Expected non-zero, positive output size"):
        TF.affine_grid(torch.zeros(0, 2, 3), [0, 1, 2, 4], align_corners=False)
    assert F.affine_grid(np.zeros((0, 2, 3)), (0, 1, 2, 4)).shape == (0, 2, 4, 2)
    assert TF.affine_grid(torch.zeros(1, 3, 4), [1, 1, 2, 3, 4], align_corners=False).shape == (1, 2, 3, 4, 3)
    with pytest.raises(ArgumentError, match=r"size: expected \(N, C, H, W\)"):
        F.affine_grid(np.zeros((1, 3, 4)), (1, 1, 2, 3, 4))


def test_a_default_without_a_warning():
    """PyTorch warns that align_corners is False by default; rawseg does not."""
    x, grid = np.ones((1, 1, 3, 4), np.float32), np.zeros((1, 1, 1, 2), np.float32)
    with pytest.warns(UserWarning, match="align_corners=False"):
        TF.grid_sample(torch.tensor(x), torch.tensor(grid))
    assert F.grid_sample(x, grid).tolist() == [[[[1]]]]
