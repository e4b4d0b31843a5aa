"""Photographs as ImageNet's classifiers expect them: bit for bit what torchvision makes of the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from rawseg.benchmark.torchvision_on_cpu import torchvision
from rawseg.errors import BackendError, ShapeError
from rawseg.interchange import imagenet


@pytest.mark.parametrize("size", [(256, 256), (224, 224), (300, 451), (451, 300), (511, 333), (97, 640), (31, 33), (1, 90)])
def test_a_photograph_is_prepared_as_torchvision_prepares_it(size):
    try:
        weights = torchvision().models.MobileNet_V2_Weights.IMAGENET1K_V1
    except BackendError as error:
        pytest.skip(f"torchvision is the oracle: {error}")
    levels = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(np.uint8)
    image = levels.transpose(2, 0, 1).astype(np.float32) / 255
    ours = imagenet.prepared(image)
    assert (ours.shape, ours.dtype) == ((1, 3, 224, 224), np.float32)
    assert np.array_equal(ours[0], weights.transforms()(Image.fromarray(levels)).numpy())


def test_a_strip_is_refused_before_it_is_resized():
    imagenet.prepared(np.zeros((3, 2, 200), np.float32))
    with pytest.raises(ShapeError, match=r"expected a photograph at most 100 times as long as wide, .* got 201 x 2"):
        imagenet.prepared(np.zeros((3, 2, 201), np.float32))
