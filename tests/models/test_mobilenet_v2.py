"""MobileNetV2: the paper's counts, torchvision's names, every gradient as PyTorch's, bad input."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import functional as F
from rawseg import models
from rawseg.benchmark import torch_twins
from rawseg.errors import ArgumentError, ShapeError


@pytest.mark.parametrize(
    ("width_mult", "parameters"), [(1.0, 3_504_872), (0.75, 2_636_424), (0.5, 1_968_680), (0.35, 1_677_128), (1.4, 6_108_776)]
)
def test_the_papers_numbers_of_parameters(width_mult, parameters):
    assert sum(p.size for p in models.mobilenet_v2(width_mult=width_mult).parameters()) == parameters


def test_300_million_multiply_adds_at_224_and_56_at_96():
    net = models.mobilenet_v2()
    for size, millions in ((224, 300), (96, 56)):
        assert int(sum(row.multiply_adds for row in models.summary(net, (1, 3, size, size))) / 1e6) == millions


def test_parameters_have_torchvisions_names():
    names = list(models.mobilenet_v2().state_dict())
    assert names[0] == "features.0.0.weight"
    for name in ("features.1.conv.0.1.running_var", "features.2.conv.1.0.weight", "features.18.1.bias", "classifier.1.weight"):
        assert name in names


def test_output_and_every_gradient_equal_pytorchs():
    rawseg.manual_seed(0)
    net = models.mobilenet_v2(classes=5, dropout=0.0).double()
    twin = torch_twins.load_from_rawseg(torch_twins.MobileNetV2(classes=5, dropout=0.0).double(), net)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((3, 3, 64, 64)), np.array([1, 4, 0])
    loss = F.cross_entropy(net(rawseg.tensor(x)), rawseg.tensor(y))
    loss.backward()
    want = torch.nn.functional.cross_entropy(twin(torch.tensor(x)), torch.tensor(y))
    want.backward()
    # 53 layers of sums of at most 3 * 32 * 32 terms; batch norm divides by deviations above 0.01 in total.
    bound = 53 * 100 * gamma(3 * 32 * 32, np.float64)
    assert_within(np.array(loss.item()), np.array(want.item()), bound, "loss")
    for (name, p), q in zip(net.named_parameters(), twin.parameters()):
        assert_within(p.grad.numpy(), q.grad.numpy(), bound * max(1.0, float(q.grad.abs().max())), name)


def test_bad_arguments_are_named():
    for options, message in (
        ({"classes": 0}, "mobilenet_v2: classes: expected at least 1, got 0"),
        ({"width_mult": -1}, "mobilenet_v2: width_mult: expected a number above 0 and at most 16, got -1"),
    ):
        with pytest.raises(ArgumentError) as caught:
            models.mobilenet_v2(**options)
        assert str(caught.value) == message
    with pytest.raises(ShapeError, match=r"mobilenet_v2: input: expected shape \(N, 3, H, W\), got shape \(1, 1, 32, 32\)"):
        models.mobilenet_v2()(rawseg.zeros(1, 1, 32, 32))
