"""Outputs and every gradient of the networks equal those of the same networks written in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import written_in_torch as twin
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg import models, nn
from rawseg.models.encoder_unet import ENCODERS
from rawseg.models.segnet_basic import VARIANTS

PIXELS = {  # name: model, its twin, size of the images
    "autoencoder": (lambda: models.autoencoder(12, 5), twin.autoencoder, 12),
    "conv_autoencoder unpool": (lambda: models.conv_autoencoder(up="unpool"), twin.conv_autoencoder("unpool"), 28),
    "conv_autoencoder nearest": (lambda: models.conv_autoencoder(up="nearest"), twin.conv_autoencoder("nearest"), 28),
    "conv_autoencoder transposed": (lambda: models.conv_autoencoder(up="transposed"), twin.conv_autoencoder("transposed"), 28),
    **{
        f"segnet_basic {name}": (lambda name=name: models.segnet_basic(classes=3, variant=name), twin.segnet_basic(name), 32)
        for name in VARIANTS
    },
    "segnet": (lambda: models.build("segnet", classes=3), twin.segnet, 32),
    "context": (lambda: models.context(3), twin.context, 24),
    "context large": (lambda: models.context(2, large=True), twin.context, 20),
    "dilated_vgg16": (lambda: models.dilated_vgg16(classes=3, hidden=16), twin.dilated_vgg16, 32),
    "encoder_unet mobilenet_v1": (
        lambda: models.encoder_unet(width_mult=0.25),
        twin.encoder_unet(lambda w, x: twin.mobilenet_v1_maps(w, x, "encoder.")),
        64,
    ),
    "encoder_unet resnet18": (
        lambda: models.encoder_unet(encoder="resnet18", classes=2),
        twin.encoder_unet(lambda w, x: twin.resnet_maps(w, x, "encoder.")),
        64,
    ),
    "encoder_unet vgg16": (
        lambda: models.encoder_unet(encoder="vgg16", decoder=(16, 16, 16, 8, 8)),
        twin.encoder_unet(lambda w, x: twin.vgg_maps(w, x, "encoder.features.")),
        32,
    ),
    "deeplabv3": (lambda: models.deeplabv3(classes=3, rates=(2, 3, 4)), twin.deeplabv3("resnet", (2, 3, 4)), 48),
    "deeplabv3 mobilenet_v3_large": (
        lambda: models.deeplabv3(classes=3, backbone="mobilenet_v3_large", rates=(1, 2, 3), width=32),
        twin.deeplabv3("mobilenet", (1, 2, 3)),
        64,
    ),
}
IMAGES = {
    "mobilenet_v1": (lambda: models.mobilenet_v1(classes=4, width_mult=0.5), twin.mobilenet_v1, 64),
    "mobilenet_v1 full": (lambda: models.mobilenet_v1(4, 0.25, separable=False), twin.mobilenet_v1, 64),
    "mobilenet_v3_large": (lambda: models.mobilenet_v3_large(4), twin.mobilenet_v3(twin.V3_LARGE), 64),
    "mobilenet_v3_small": (lambda: models.mobilenet_v3_small(4), twin.mobilenet_v3(twin.V3_SMALL), 64),
    "resnet18": (lambda: models.resnet18(4), twin.resnet, 64),
    "resnet50": (lambda: models.resnet50(4), twin.resnet, 64),
}


LARGE = {"encoder_unet vgg16", "deeplabv3", "resnet50"}  # whose smaller kin are here, too
NAMES = [pytest.param(name, marks=[pytest.mark.gate] if name in LARGE else []) for name in (*PIXELS, *IMAGES)]


@pytest.mark.parametrize("name", NAMES)
def test_output_and_every_gradient_equal_pytorchs(name):
    make, forward, size = (PIXELS | IMAGES)[name]
    rawseg.manual_seed(3)
    net = make().double()
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    rng = np.random.default_rng(1)
    channels = net.config.get("in_channels", 1)
    x = rng.standard_normal((2, channels, size, size))
    if name.startswith("context"):  # it begins as the identity, whose gradients say little
        for parameter in net.parameters():
            parameter.array = parameter.array + rng.normal(0, 0.3 / np.sqrt(parameter[0].size), parameter.shape)
    weights = twin.Weights(net)
    got = net(rawseg.tensor(x))
    want = forward(weights, torch.tensor(x))
    assert got.shape == tuple(want.shape)
    push = rng.standard_normal(got.shape) / got.size
    (got * rawseg.tensor(push)).sum().backward()
    (want * torch.tensor(push)).sum().backward()
    # At most 110 layers of sums of at most 2048 * 9 terms; batch norm of small maps divides by deviations above 0.01 in all.
    bound = 110 * 100 * gamma(2048 * 9, np.float64)
    assert_within(got.numpy(), want.detach().numpy(), bound * max(1.0, float(want.detach().abs().max())), "output")
    largest = max(float(p.grad.abs().max()) for p in weights.parameters.values())
    for key, parameter in net.named_parameters():
        expected = weights.parameters[key].grad.numpy()
        assert_within(parameter.grad.numpy(), expected, bound * largest, key)
    assert largest > 0
    net.eval()  # with the statistics of that one batch
    with rawseg.no_grad():
        got = net(rawseg.tensor(x))
    want = forward(twin.Weights(net), torch.tensor(x)).detach()
    assert_within(got.numpy(), want.numpy(), bound * max(1.0, float(want.abs().max())), "output of eval mode")


def test_a_frozen_encoder_stays_bit_for_bit():
    rawseg.manual_seed(0)
    net = models.encoder_unet(encoder="mobilenet_v2", width_mult=0.35, decoder=(8, 8, 8, 8, 8), frozen=True)
    before = {key: tensor.numpy().copy() for key, tensor in net.state_dict().items()}
    optimizer = rawseg.optim.AdamW([p for p in net.parameters() if p.requires_grad], 0.1, weight_decay=0.1)
    rng = np.random.default_rng(0)
    for _ in range(3):
        net.train()
        x = rawseg.tensor(rng.standard_normal((2, 3, 32, 32)).astype(np.float32))
        loss = (net(x) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = net.state_dict()
    changed = {key for key in before if not np.array_equal(before[key], after[key].numpy())}
    assert changed == {key for key in before if not key.startswith("encoder.")}
    assert all(p.grad is None for p in net.encoder.parameters())


def test_an_encoder_that_is_not_frozen_is_trained():
    rawseg.manual_seed(0)
    net = models.encoder_unet(encoder="mobilenet_v1", width_mult=0.25, decoder=(8, 8, 8, 8, 8))
    before = {key: tensor.numpy().copy() for key, tensor in net.state_dict().items()}
    optimizer = rawseg.optim.SGD(net.parameters(), 0.1)
    x = rawseg.tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64)).astype(np.float32))
    F.binary_cross_entropy_with_logits(net(x), rawseg.zeros(2, 1, 64, 64)).backward()
    optimizer.step()
    after = net.state_dict()
    assert all(not np.array_equal(before[key], after[key].numpy()) for key in before if not key.endswith(".bias"))


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_classifier_is_an_encoder(encoder):
    with nn.init.skipped():
        net = models.encoder_unet(in_channels=4, classes=3, encoder=encoder)
    assert net.eval()(rawseg.zeros(0, 4, 64, 96)).shape == (0, 3, 64, 96)
    strides = [64 // y.shape[2] for y in net.encoder.stages(rawseg.zeros(0, 4, 64, 64))]
    assert strides == [1, 2, 4, 8, 16, 32]
