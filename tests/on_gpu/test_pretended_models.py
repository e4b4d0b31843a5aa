"""Whole networks on device arrays: every one computes, differentiates, trains and predicts there as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg import functional as F
from rawseg import models, no_grad

CLOSE = 1e-8  # of the largest: sums in another order, in float64, through dozens of layers and batch norms of small maps


NETWORKS: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "unet": ({"width": 2, "depth": 2, "classes": 3}, (16, 16)),
    "unet bilinear": ({"width": 2, "depth": 1, "up": "bilinear"}, (8, 8)),
    "segnet_basic": ({"classes": 3}, (16, 16)),
    "dilated_vgg16": ({"hidden": 8, "classes": 2}, (16, 16)),
    "deeplabv3": ({"backbone": "mobilenet_v3_large", "width": 16, "classes": 2}, (32, 32)),
    "encoder_unet": ({"width_mult": 0.25, "decoder": (8, 8, 4, 4, 4), "classes": 2}, (32, 32)),
    "mobilenet_v1": ({"width_mult": 0.25, "classes": 5}, (32, 32)),
    "mobilenet_v2": ({"width_mult": 0.25, "classes": 5}, (32, 32)),
    "mobilenet_v3_small": ({"width_mult": 0.25, "classes": 5}, (32, 32)),
    "resnet18": ({"width": 8, "classes": 5}, (32, 32)),
}


def difference(on_device: Any, on_host: Any) -> float:
    got, want = on_device.to("cpu").numpy(), on_host.numpy()
    return float(np.abs(got - want).max(initial=0) / max(np.abs(want).max(initial=0), 1e-30))


LONG = {"encoder_unet", "segnet_basic", "dilated_vgg16", "deeplabv3", "mobilenet_v1", "mobilenet_v3_small"}  # in the emulator


@pytest.mark.parametrize("name", [pytest.param(n, marks=[pytest.mark.release] if n in LONG else []) for n in NETWORKS])
def test_outputs_and_gradients_are_the_cpus(cupy, name):
    options, size = NETWORKS[name]
    rawseg.manual_seed(0)
    nets = [models.build(name.split()[0], **options).double() for _ in range(2)]
    nets[1].load_state_dict(nets[0].state_dict())
    nets[1].to("cuda")
    x = rawseg.randn(2, nets[0].config.get("in_channels", 3), *size, dtype="float64")
    outputs = []
    for net, image in zip(nets, (x, x.to("cuda"))):
        rawseg.manual_seed(1)
        out = net.train()(image)
        (out * out).mean().backward()
        outputs.append(out)
    assert outputs[1].device == "cuda:0"
    assert difference(outputs[1], outputs[0]) < CLOSE
    largest = max(np.abs(p.grad.numpy()).max() for p in nets[0].parameters() if p.grad is not None)
    for (key, one), other in zip(nets[0].named_parameters(), nets[1].parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None), key
        if one.grad is not None:
            assert np.abs(other.grad.to("cpu").numpy() - one.grad.numpy()).max() <= CLOSE * largest, key
    with no_grad():
        assert difference(nets[1].eval()(x.to("cuda")), nets[0].eval()(x)) < CLOSE


def test_an_image_is_predicted_in_tiles(cupy):
    rawseg.manual_seed(0)
    net = models.unet(width=2, depth=1, classes=3).eval()
    image = np.random.default_rng(0).random((1, 40, 50), np.float32)
    want = models.predict_tiled(net, image, tile=32)[0]
    got = models.predict_tiled(net.to("cuda"), image, tile=32, device="cuda")[0]
    assert isinstance(got, np.ndarray)
    assert (got == want).mean() > 0.99  # where two classes are equally likely, rounding decides


def test_losses_train_a_network(cupy):
    rawseg.manual_seed(0)
    net = models.unet(width=2, depth=1, classes=2).to("cuda")
    update = rawseg.optim.SGD(net.parameters(), lr=0.1)
    rng = np.random.default_rng(0)
    x = rawseg.tensor(rng.standard_normal((2, 1, 16, 16)).astype(np.float32)).to("cuda")
    target = rawseg.tensor((rng.random((2, 16, 16)) < 0.5).astype(np.int64)).to("cuda")
    losses = []
    for _ in range(4):
        update.zero_grad()
        loss = F.cross_entropy(net(x), target) + F.dice_loss(F.softmax(net(x), 1), target)
        loss.backward()
        update.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
