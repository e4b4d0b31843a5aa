"""Where pooling, unpooling and the rearrangements differ from PyTorch on purpose, and that PyTorch still differs."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as TF

import rawseg
from rawseg import functional as F
from rawseg.errors import ArgumentError, DTypeError

EMPTY_WINDOW = """
import torch
x = torch.ones(1, 1, 2, 5)  # taps at -1 and 2 step over a height of 2
_, indices = torch.nn.functional.max_pool2d(x, 2, padding=(1, 0), dilation=(3, 1), return_indices=True)
print(int(indices.min()), x.numel())
"""


@pytest.mark.spec("max_pool2d.no-empty-window")
def test_a_window_without_a_pixel():
    """PyTorch returns an index outside the plane, where its backward then writes; rawseg refuses."""
    done = subprocess.run([sys.executable, "-c", EMPTY_WINDOW], capture_output=True, text=True, check=True)
    index, pixels = map(int, done.stdout.split())
    assert index >= pixels
    with pytest.raises(ArgumentError, match="max_pool2d: dilation: expected a pixel in every window"):
        F.max_pool2d(rawseg.ones(1, 1, 2, 5), 2, padding=(1, 0), dilation=(3, 1))


@pytest.mark.spec("max_pool2d.dtype")
def test_integers_are_not_pooled():
    """PyTorch pools integers, and averages them rounded down; rawseg takes floats only."""
    ids = torch.tensor([[[[1, 2]]]])
    assert TF.max_pool2d(ids, (1, 2)).item() == 2
    assert TF.avg_pool2d(ids, (1, 2)).item() == 1
    for pool in (F.max_pool2d, F.avg_pool2d):
        with pytest.raises(DTypeError, match="input: expected float32 or float64, got int64"):
            pool(ids.numpy(), (1, 2))


@pytest.mark.spec("avg_pool2d.divisor")
def test_a_divisor_is_positive():
    """PyTorch takes a negative divisor; rawseg refuses."""
    assert TF.avg_pool2d(torch.ones(1, 1, 2, 2), 2, divisor_override=-4).item() == -1
    with pytest.raises(ArgumentError, match="divisor_override: expected at least 1, got -4"):
        F.avg_pool2d(rawseg.ones(1, 1, 2, 2), 2, divisor_override=-4)


@pytest.mark.spec("adaptive_pool2d.bins")
def test_there_is_at_least_one_bin():
    """PyTorch returns an empty Tensor for no bins; rawseg refuses."""
    for ours, theirs in ((F.adaptive_avg_pool2d, TF.adaptive_avg_pool2d), (F.adaptive_max_pool2d, TF.adaptive_max_pool2d)):
        assert theirs(torch.ones(1, 2, 3, 4), 0).shape == (1, 2, 0, 0)
        with pytest.raises(ArgumentError, match="output_size: expected at least 1, got 0"):
            ours(rawseg.ones(1, 2, 3, 4), 0)


@pytest.mark.spec("max_unpool2d.plane")
def test_odd_planes_are_not_scrambled():
    """PyTorch unpools odd planes into even ones, so that indices name other pixels; rawseg's indices know their plane."""
    x = np.zeros((1, 1, 4, 5), np.float32)
    x[0, 0, [0, 0, 2, 2], [0, 2, 0, 2]] = [1, 2, 3, 4]
    y, indices = TF.max_pool2d(torch.tensor(x), 2, return_indices=True)
    scrambled = TF.max_unpool2d(y, indices, 2).numpy()
    assert scrambled.shape == (1, 1, 4, 4)
    assert not np.array_equal(scrambled, x[..., :4])
    assert np.array_equal(F.max_unpool2d(*F.max_pool2d(x, 2, return_indices=True), 2).numpy(), x)


@pytest.mark.spec("max_unpool2d.duplicates")
def test_duplicates_are_decided():
    """PyTorch keeps one of several duplicates and gives all of them the gradient; rawseg refuses unless told what to do."""
    y, indices = torch.tensor([[[[1.0, 2, 3]]]], requires_grad=True), torch.tensor([[[[1, 1, 3]]]])
    out = TF.max_unpool2d(y, indices, (1, 2), 1)
    assert out.tolist() == [[[[0, 2, 0, 3]]]]
    out.sum().backward()
    assert y.grad.tolist() == [[[[1, 1, 1]]]]  # though the first element went nowhere
    with pytest.raises(ArgumentError, match="indices: expected different indices within a plane"):
        F.max_unpool2d(y.detach().numpy(), indices.numpy(), (1, 2), 1)


@pytest.mark.spec("max_unpool2d.plain-indices")
def test_a_whole_output_shape_must_match():
    """PyTorch ignores batch and channels of a four-dimensional output_size, and takes a stride of 0; rawseg refuses both."""
    y, indices = torch.ones(1, 1, 2, 2), torch.tensor([[[[0, 1], [2, 3]]]])
    assert TF.max_unpool2d(y, indices, 2, output_size=(7, 9, 4, 4)).shape == (1, 1, 4, 4)
    assert TF.max_unpool2d(y, indices, 2, stride=0).shape == (1, 1, 2, 2)
    with pytest.raises(ArgumentError, match=r"output_size: expected \(N, C\) = \(1, 1\) at the front, got \(7, 9, 4, 4\)"):
        F.max_unpool2d(y.numpy(), indices.numpy(), 2, output_size=(7, 9, 4, 4))
    with pytest.raises(ArgumentError, match="stride: expected at least 1, got 0"):
        F.max_unpool2d(y.numpy(), indices.numpy(), 2, stride=0)


@pytest.mark.spec("pad.value")
def test_an_integer_frame_is_not_rounded():
    """PyTorch rounds the value of a frame around integers; rawseg refuses one that they cannot hold."""
    assert TF.pad(torch.arange(3), (1, 1), value=0.5).tolist() == [0, 0, 1, 2, 0]
    with pytest.raises(ArgumentError, match=r"pad: value: expected a number that int64 holds, got 0.5"):
        F.pad(np.arange(3), (1, 1), value=0.5)


@pytest.mark.spec("pad.widths")
def test_a_continued_frame_does_not_crop():
    """PyTorch crops by negative widths in every mode but frames images only; rawseg crops constant frames, frames any rank."""
    assert TF.pad(torch.ones(1, 3, 4), (-1, 2), "reflect").shape == (1, 3, 5)
    with pytest.raises(ArgumentError, match="pad: pad: expected 0 to 3 for axis 2 of size 4 and 'reflect'"):
        F.pad(rawseg.ones(1, 3, 4), (-1, 2), "reflect")
    with pytest.raises(NotImplementedError):
        TF.pad(torch.ones(3), (1, 1), "reflect")
    assert F.pad(rawseg.ones(3), (1, 1), "reflect").shape == (5,)


@pytest.mark.spec("pixel_shuffle.layout")
def test_an_empty_batch_is_unshuffled_too():
    """PyTorch's pixel_unshuffle leaves the shape of an empty array as it is; rawseg's undoes pixel_shuffle there, too."""
    assert TF.pixel_unshuffle(torch.ones(0, 1, 4, 4), 2).shape == (0, 1, 4, 4)
    assert F.pixel_unshuffle(rawseg.ones(0, 1, 4, 4), 2).shape == (0, 4, 2, 2)
