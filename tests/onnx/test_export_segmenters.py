"""Every network that labels pixels as an ONNX file: the checker passes it, and ONNX Runtime gives the same output."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import check_everywhere, label, trained

from rawseg import models, onnx
from rawseg.errors import ArgumentError
from rawseg.models.encoder_unet import ENCODERS
from rawseg.models.segnet_basic import VARIANTS

# name, options, shape of the example, whether other sizes will do
SMALL = [
    ("unet", {"width": 8, "depth": 3}, (2, 1, 32, 48), True),
    ("unet", {"width": 4, "depth": 2, "norm": False, "up": "bilinear"}, (1, 1, 32, 48), True),
    ("unet", {"width": 4, "depth": 2, "padded": False}, (1, 1, 44, 60), True),
    ("encoder_unet", {"encoder": "mobilenet_v1", "width_mult": 0.25, "decoder": [16] * 5}, (1, 3, 64, 32), True),
    ("encoder_unet", {"encoder": "mobilenet_v3_small", "width_mult": 0.5, "decoder": [16] * 5}, (1, 3, 64, 32), True),
    *[("segnet_basic", {"variant": variant, "classes": 3}, (1, 3, 16, 32), True) for variant in VARIANTS],
    ("context", {"in_channels": 5}, (2, 5, 40, 48), True),
    ("context", {"in_channels": 2, "large": True}, (1, 2, 40, 48), True),
    ("deeplabv3", {"backbone": "mobilenet_v3_large", "width": 16}, (1, 3, 40, 72), True),
    ("autoencoder", {}, (3, 1, 28, 28), False),
    *[("conv_autoencoder", {"up": up}, (1, 1, 28, 28), False) for up in ("unpool", "nearest", "transposed")],
    ("conv_autoencoder", {"up": "unpool", "size": 32}, (1, 1, 32, 32), False),
]
LARGE = [
    ("unet_paper", {}, (1, 1, 188, 204), True),
    *[("encoder_unet", {"encoder": encoder}, (1, 3, 64, 32), True) for encoder in ENCODERS],
    ("segnet", {}, (1, 3, 32, 32), False),
    ("dilated_vgg16", {"hidden": 64}, (1, 3, 32, 40), True),
    ("dilated_vgg16", {"hidden": 64, "context": "large"}, (1, 3, 32, 40), True),
    ("dilated_vgg16", {"hidden": 64, "context": "none"}, (1, 3, 32, 40), True),
    *[("deeplabv3", {"backbone": backbone}, (1, 3, 64, 72), True) for backbone in ("resnet50", "resnet101")],
]


@pytest.mark.parametrize("case", SMALL, ids=label)
def test_onnx_runtime_gives_what_the_network_gives_at_every_size(case):
    check_everywhere(*case)


@pytest.mark.release
@pytest.mark.parametrize("case", LARGE, ids=label)
def test_large_networks_too(case):
    check_everywhere(*case)


def test_every_network_has_a_case():
    assert {case[0] for case in (*SMALL, *LARGE)} | {"mask_rcnn", *ENCODERS} == set(models.MODELS)


def test_a_fixed_size_is_written_into_the_file():
    model = trained(models.build("unet", width=4, depth=2))
    file = onnx.export(model, np.zeros((2, 1, 8, 12), np.float32))
    sizes = [[d.dim_value for d in one.type.tensor_type.shape.dim] for one in (*file.graph.input, *file.graph.output)]
    assert sizes == [[2, 1, 8, 12], [2, 2, 8, 12]]
    assert not [node for node in file.graph.node if node.op_type == "Shape"]


@pytest.mark.parametrize("name", ["autoencoder", "conv_autoencoder"])
def test_a_network_of_one_size_says_so(name):
    with pytest.raises(ArgumentError, match=rf"dynamic_size: expected a network that takes .*, got {name}: input"):
        onnx.export(models.build(name), np.zeros((1, 1, 28, 28), np.float32), dynamic_size=True)
