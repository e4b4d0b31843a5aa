"""A small Mask R-CNN and dumps of it, made once: 12 stages of a few thousand numbers."""

from __future__ import annotations

import numpy as np
import pytest

import rawseg
from rawseg import xray
from rawseg.models.mask_rcnn import MaskRCNN

SMALL = {
    "classes": 3,
    "backbone": "mobilenet_v2",
    "width_mult": 0.35,
    "frozen_norm": False,
    "channels": 16,
    "hidden": 32,
    "mask_layers": 1,
    "min_size": 64,
    "max_size": 96,
    "proposals": (50, 30),
    "regions": 16,
}


def small(score_from: float = 0.0, **options):
    """Weights are random, so every class has a third of the probability: all are detected, or with 2 none."""
    rawseg.manual_seed(0)
    model = MaskRCNN(**SMALL | options).eval()
    model.roi_heads.score_from = score_from
    return model


def picture(seed: int = 0, channels: int = 3, size: tuple[int, int] = (50, 71)) -> np.ndarray:
    """Noise of a size that is no multiple of 32."""
    return np.random.default_rng(seed).random((channels, *size), np.float32)


@pytest.fixture(scope="session")
def make_model():
    return small


@pytest.fixture(scope="session")
def make_image():
    return picture


@pytest.fixture
def model():
    return small()


@pytest.fixture(scope="session")
def dumped(tmp_path_factory):
    """The folder of a dump, and its arrays; to be read only."""
    folder = tmp_path_factory.mktemp("dump")
    return folder, xray.record(small(), picture(), folder)
