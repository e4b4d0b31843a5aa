"""Whole images for networks that take only some sizes."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg import models
from rawseg.data import PadForModel

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("padded", [True, False])
@pytest.mark.parametrize("size", [(1, 1), (7, 30), (16, 8)])
def test_the_models_output_covers_the_whole_image(padded, size):
    net = models.UNet(width=1, depth=2, padded=padded, norm=False)
    image, mask = RNG.random((1, *size)).astype(np.float32), RNG.integers(0, 3, size)
    big, marked = PadForModel(net, -100)(image, mask, RNG)
    assert big.shape[1:] == marked.shape
    before = 0 if padded else net.halo
    inner = (slice(before, before + size[0]), slice(before, before + size[1]))
    assert np.array_equal(marked[inner], mask)
    assert (marked == -100).sum() == marked.size - mask.size  # nothing else counts
    assert np.array_equal(big[0][inner], image[0])
    for axis in (0, 1):
        outputs = net.output_size(marked.shape[axis])
        start = (marked.shape[axis] - outputs) // 2  # training crops the mask to the middle
        assert start <= before
        assert start + outputs >= before + size[axis]


def test_the_border_is_mirrored():
    net = models.UNet(width=1, depth=1, norm=False)
    image = np.arange(3, dtype=np.float32).reshape(1, 1, 3)
    big, _ = PadForModel(net, 9)(image, np.zeros((1, 3), np.int64), RNG)
    assert big.tolist() == [[[0, 1, 2, 1], [0, 1, 2, 1]]]
