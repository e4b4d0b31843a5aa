"""Every classification network as an ONNX file: the checker passes it, and ONNX Runtime gives the same output."""

from __future__ import annotations

import pytest
from exported_networks import check_everywhere, label

from rawseg.models.encoder_unet import ENCODERS

# name, options, shape of the example, whether other sizes will do
SMALL = [
    ("mobilenet_v1", {"width_mult": 0.25, "classes": 5}, (1, 3, 64, 64), True),
    ("mobilenet_v2", {"width_mult": 0.35, "classes": 5}, (2, 3, 64, 64), True),
    ("mobilenet_v3_small", {"width_mult": 0.5, "classes": 5}, (1, 3, 64, 64), True),
    ("mobilenet_v3_large", {"width_mult": 0.35, "classes": 5}, (1, 3, 64, 64), True),
    ("resnet18", {"width": 8, "classes": 5}, (1, 3, 64, 64), True),
    ("resnet34", {"width": 4, "classes": 5}, (1, 3, 32, 64), True),
    ("resnet50", {"width": 4, "classes": 5}, (1, 3, 32, 64), True),
    ("resnet50", {"width": 4, "classes": 5, "output_stride": 8}, (1, 3, 32, 64), True),
    ("resnet101", {"width": 4, "classes": 5}, (1, 3, 32, 64), True),
]
LARGE = [("vgg16", {}, (1, 3, 64, 64), False), *[(name, {}, (1, 3, 96, 64), True) for name in ENCODERS if name != "vgg16"]]


@pytest.mark.parametrize("case", SMALL, ids=label)
def test_onnx_runtime_gives_what_the_network_gives_at_every_size(case):
    check_everywhere(*case)


@pytest.mark.release
@pytest.mark.parametrize("case", LARGE, ids=label)
def test_large_networks_too(case):
    check_everywhere(*case)


def test_every_classifier_has_a_case():
    assert {case[0] for case in (*SMALL, *LARGE)} == set(ENCODERS)
