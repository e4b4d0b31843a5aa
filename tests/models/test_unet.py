"""U-Net: exact sizes and counts, every gradient as PyTorch's, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg import models, nn
from rawseg.benchmark import torch_twins
from rawseg.errors import ArgumentError, ArgumentTypeError, ShapeError

VARIANTS = [
    {"width": 4, "depth": 2},
    {"width": 3, "depth": 1, "in_channels": 3, "classes": 5, "up": "bilinear"},
    {"width": 4, "depth": 2, "padded": False, "norm": False},
]


def parameters_of(model):
    return sum(p.size for p in model.parameters())


def test_the_papers_network_has_31030658_parameters_and_maps_572_to_388():
    net = models.unet_paper()
    assert parameters_of(net) == 31_030_658
    assert net.output_size(572) == 388
    assert net.input_size(388) == 572
    assert net.halo == (572 - 388) // 2
    # 150.4 G multiply-adds, derived: every layer has (H, W) as in figure 1 of the paper
    sizes = [570, 568, 282, 280, 138, 136, 66, 64, 30, 28]
    channels = [1, 64, 64, 128, 128, 256, 256, 512, 512, 1024, 1024]
    down = sum(9 * i * o * n * n for i, o, n in zip(channels, channels[1:], sizes))
    up = 0
    for out, n in ((512, 28), (256, 52), (128, 100), (64, 196)):
        up += 4 * (2 * out) * out * n * n  # 2x2 transposed: 4 products an input pixel and channel pair
        up += 9 * (2 * out) * out * (2 * n - 2) ** 2 + 9 * out * out * (2 * n - 4) ** 2
    assert round((down + up + 64 * 2 * 388 * 388) / 1e9, 1) == 150.4


def test_summary_counts_what_the_layers_do():
    net = models.unet(width=4, depth=2)
    rows = models.summary(net, (1, 1, 16, 32))
    assert sum(row.parameters for row in rows) == parameters_of(net)
    by_name = {row.name: row for row in rows}
    assert by_name["encoder.0.conv1"].multiply_adds == 9 * 1 * 4 * 16 * 32
    assert by_name["up.0"].multiply_adds == 4 * 16 * 8 * 4 * 8
    assert by_name["head"].output == (1, 2, 16, 32)
    assert by_name["head"].activation_bytes == 4 * 2 * 16 * 32
    assert net.training


@pytest.mark.parametrize("options", VARIANTS, ids=str)
def test_output_and_every_gradient_equal_pytorchs(options):
    rawseg.manual_seed(1)
    net = models.unet(**options).double()
    twin = torch_twins.load_from_rawseg(torch_twins.UNet(**options).double(), net)
    rng = np.random.default_rng(0)
    size = net.input_size(16)
    x = rng.standard_normal((2, net.config["in_channels"], size, size))
    out_size = net.output_size(size)
    y = rng.integers(0, net.config["classes"], (2, out_size, out_size))
    x1, x2 = rawseg.tensor(x, requires_grad=True), torch.tensor(x, requires_grad=True)
    loss = F.cross_entropy(net(x1), rawseg.tensor(y))
    loss.backward()
    want = torch.nn.functional.cross_entropy(twin(x2), torch.tensor(y))
    want.backward()
    # About 25 layers of sums of at most 2 * 16 * 16 * 32 terms; each layer's relative error at most its gamma, amplified by the
    # condition of the layers after it (batch norm divides by deviations > 0.01, so by 100 at the most in total here).
    bound = 25 * 100 * gamma(2 * 16 * 16 * 32, np.float64)
    assert_within(np.array(loss.item()), np.array(want.item()), bound, "loss")
    for (name, p), q in zip(net.named_parameters(), twin.parameters()):
        scale = max(1.0, float(q.grad.abs().max()))
        assert_within(p.grad.numpy(), q.grad.numpy(), bound * scale, name)
    assert_within(x1.grad.numpy(), x2.grad.numpy(), bound, "input")
    for (name, b), c in zip(net.named_buffers(), twin.buffers()):
        assert_within(b.numpy(), c.numpy(), bound * max(1.0, float(c.abs().max())), name)


def test_bad_options_and_inputs():
    with pytest.raises(ArgumentError, match="unet: depth: expected an int of at least 1, got 0"):
        models.unet(depth=0)
    with pytest.raises(ArgumentError, match="unet: up: expected 'transposed' or 'bilinear', got 'nearest'"):
        models.unet(up="nearest")
    with pytest.raises(
        ArgumentError, match=r"build: name: expected one of \['autoencoder', .*'unet_paper', 'vgg16'\], got 'vnet'"
    ):
        models.build("vnet")
    with pytest.raises(ArgumentError, match=r"build: options: .* got \['wdth'\]"):
        models.build("unet", wdth=3)
    net = models.unet(width=2, depth=2)
    with pytest.raises(ShapeError, match=r"unet: input: expected a size that 2 poolings divide evenly, .* got 18"):
        net(rawseg.zeros(1, 1, 16, 18))
    with pytest.raises(ShapeError, match=r"unet: input: expected shape \(N, 1, H, W\), got shape \(1, 3, 16, 16\)"):
        net(rawseg.zeros(1, 3, 16, 16))
    with pytest.raises(ShapeError, match="4 poolings divide evenly"):
        models.unet_paper().output_size(570)


@pytest.mark.parametrize("padded", [True, False])
def test_sizes_are_consistent(padded):
    net = models.UNet(width=1, depth=3, padded=padded, norm=False)
    for output in range(1, 60):
        size = net.input_size(output)
        assert net.output_size(size) >= output
        if padded:
            assert size == net.output_size(size)
        else:
            assert size - net.output_size(size) == 2 * net.halo


@pytest.mark.parametrize("make", [lambda: models.unet(width=4, depth=1), lambda: models.UNet(width=4, depth=1, padded=False)])
def test_a_net_made_without_build_can_be_saved(make, tmp_path):
    net = make()
    models.save_model(net, tmp_path / "net.safetensors")
    assert models.load_model(tmp_path / "net.safetensors").config == net.config


def test_a_model_that_cannot_be_described_is_refused(tmp_path):
    with pytest.raises(ArgumentTypeError, match=r"save_model: model: expected one with a name and a config.*, got Linear"):
        models.save_model(nn.Linear(1, 1), tmp_path / "net.safetensors")
