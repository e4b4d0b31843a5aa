"""Layers of normalisation: PyTorch's keys, words and numbers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import nn
from rawseg.errors import ArgumentError, ArgumentTypeError, ShapeError

LAYERS = [
    (lambda n: n.GroupNorm(2, 6), (2, 6, 3, 4)),
    (lambda n: n.GroupNorm(3, 6, 1e-3, False), (2, 6, 5)),
    (lambda n: n.GroupNorm(1, 6, bias=False), (2, 6)),
    (lambda n: n.LayerNorm(5), (2, 3, 5)),
    (lambda n: n.LayerNorm((3, 5), 1e-3, bias=False), (2, 3, 5)),
    (lambda n: n.LayerNorm([5], elementwise_affine=False), (4, 5)),
    (lambda n: n.InstanceNorm2d(3), (2, 3, 4, 5)),
    (lambda n: n.InstanceNorm2d(3, 1e-3, 0.3, True, True), (2, 3, 4, 5)),
    (lambda n: n.InstanceNorm2d(3, affine=True, bias=False), (3, 4, 5)),
    (lambda n: n.InstanceNorm2d(3, momentum=None, track_running_stats=True), (2, 3, 4, 5)),
    (lambda n: n.BatchNorm1d(3), (4, 3)),
    (lambda n: n.BatchNorm1d(3, momentum=None), (4, 3, 5)),
    (lambda n: n.BatchNorm2d(3, affine=False), (2, 3, 4, 5)),
]


@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=[repr(make(nn)) for make, _ in LAYERS])
def test_as_torch(make, shape):
    rng = np.random.default_rng(0)
    ours, theirs = make(nn).double(), make(torch.nn).double()
    assert repr(ours) == repr(theirs)
    assert list(ours.state_dict()) == list(theirs.state_dict())
    values = {name: torch.tensor(rng.uniform(0.5, 2, p.shape)) for name, p in theirs.named_parameters()}
    theirs.load_state_dict(theirs.state_dict() | values)
    ours.load_state_dict({name: tensor.numpy() for name, tensor in theirs.state_dict().items()})
    for training in (True, True, False):
        x = rng.standard_normal(shape)
        got, want = ours.train(training)(rawseg.Tensor(x)), theirs.train(training)(torch.tensor(x))
        # Sums of at most 40 terms of at most 5; the deviation of few values may be small, and enters as its reciprocal.
        assert_within(got.numpy(), want.detach().numpy(), 2 * gamma(80, np.float64) * 25 * 316)
    for name, tensor in ours.state_dict().items():
        if name != "num_batches_tracked" or "BatchNorm" in repr(ours):
            assert_within(tensor.numpy(), theirs.state_dict()[name].numpy(), gamma(80, np.float64) * 25, name)


@pytest.mark.spec("batch_norm.momentum")
def test_the_running_statistics_start_anew_on_request():
    layer = nn.BatchNorm1d(2)
    layer(rawseg.randn(5, 2))
    kept = layer.weight
    init = nn.init.constant_(kept, 3.0)
    assert layer.num_batches_tracked.item() == 1
    layer.reset_running_stats()
    assert (layer.running_mean.tolist(), layer.running_var.tolist()) == ([0, 0], [1, 1])
    assert layer.num_batches_tracked.item() == 0
    assert init.tolist() == [3, 3]
    layer.reset_parameters()
    assert layer.weight.tolist() == [1, 1]
    group = nn.GroupNorm(1, 2)
    nn.init.zeros_(group.weight)
    nn.init.ones_(group.bias)
    group.reset_parameters()
    assert (group.weight.tolist(), group.bias.tolist()) == ([1, 1], [0, 0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.GroupNorm(2, 3), ArgumentError, "GroupNorm: num_groups: expected a divisor of num_channels=3, got 2"),
        (lambda: nn.GroupNorm(0, 3), ArgumentError, "GroupNorm: num_groups: expected at least 1, got 0"),
        (lambda: nn.GroupNorm(1, 2.0), ArgumentTypeError, "GroupNorm: num_channels: expected an int, got 2.0"),
        (lambda: nn.LayerNorm(()), ArgumentError, r"LayerNorm: normalized_shape: expected at least one size, got \(\)"),
        (lambda: nn.LayerNorm((2, 0)), ArgumentError, "LayerNorm: normalized_shape: expected at least 1, got 0"),
        (lambda: nn.LayerNorm(3)(rawseg.ones(2, 4)), ShapeError, r"layer_norm: input: expected last axes \(3,\)"),
        (
            lambda: nn.InstanceNorm2d(3)(rawseg.ones(4, 3, 3)),
            ShapeError,
            r"InstanceNorm2d: input: expected shape \(N, 3, H, W\) or \(3, H, W\), got shape \(4, 3, 3\)",
        ),
        (lambda: nn.InstanceNorm2d(3)(rawseg.ones(1, 2, 3, 3)), ShapeError, r"expected shape \(N, 3, H, W\) or \(3, H, W\)"),
        (
            lambda: nn.BatchNorm1d(3)(rawseg.ones(2, 3, 4, 4)),
            ShapeError,
            r"BatchNorm1d: input: expected shape \(N, 3\) or \(N, 3, L\), got shape \(2, 3, 4, 4\)",
        ),
        (
            lambda: nn.BatchNorm1d(3)(rawseg.ones(2, 4)),
            ShapeError,
            r"expected shape \(N, 3\) or \(N, 3, L\), got shape \(2, 4\)",
        ),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()
