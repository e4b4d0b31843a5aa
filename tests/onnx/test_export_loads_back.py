"""What rawseg writes rawseg reads: the same network on the same kernels, from both sides of the format."""

from __future__ import annotations

import numpy as np
import pytest
from exported_networks import TOLERANCE, decided, difference, label, trained

from rawseg import Tensor, manual_seed, models, no_grad, onnx

CASES = [
    ("unet", {"width": 4, "depth": 2}, (1, 1, 16, 24)),
    ("encoder_unet", {"encoder": "mobilenet_v1", "width_mult": 0.25, "decoder": [8] * 5}, (1, 3, 32, 32)),
    ("segnet_basic", {"variant": "segnet", "classes": 3}, (1, 3, 16, 16)),
    ("segnet_basic", {"variant": "bilinear", "classes": 3}, (1, 3, 16, 16)),
    ("conv_autoencoder", {"up": "unpool"}, (1, 1, 28, 28)),
    ("conv_autoencoder", {"up": "transposed"}, (1, 1, 28, 28)),
    ("autoencoder", {}, (1, 1, 28, 28)),
    ("context", {"in_channels": 3}, (1, 3, 24, 24)),
    ("deeplabv3", {"backbone": "mobilenet_v3_large", "width": 8}, (1, 3, 40, 48)),
    ("mobilenet_v2", {"width_mult": 0.25, "classes": 5}, (1, 3, 32, 32)),
    ("mobilenet_v3_small", {"width_mult": 0.35, "classes": 5}, (1, 3, 32, 32)),
    ("resnet18", {"width": 4, "classes": 5}, (1, 3, 32, 32)),
]


@pytest.mark.parametrize("case", CASES, ids=label)
def test_a_file_that_is_read_again_is_the_network(case, tmp_path):
    name, options, shape = case
    manual_seed(0)
    model = trained(models.build(name, **options))
    rng = np.random.default_rng(1)
    onnx.export(model, rng.random(shape, np.float32), tmp_path / "network.onnx", dynamic_batch=True)
    again = onnx.load(tmp_path / "network.onnx")
    for n in (1, 3):
        x, wanted = decided(model, (n, *shape[1:]), rng)
        with no_grad():
            found = again(Tensor(x))
        assert difference(found.numpy(), wanted) <= TOLERANCE
    kept = {key for key in model.state_dict() if not key.endswith("num_batches_tracked")}
    assert {key for key in again.state_dict() if not key.startswith("constant_")} == kept


def test_what_was_read_can_be_written_again():
    manual_seed(0)
    model = trained(models.build("unet", width=4, depth=2))
    x = np.random.default_rng(1).random((1, 1, 16, 24), np.float32)
    first = onnx.export(model, x, dynamic_batch=True)
    second = onnx.export(onnx.load(first), x, dynamic_batch=True, verify=True)
    assert [node.op_type for node in second.graph.node] == [node.op_type for node in first.graph.node]
