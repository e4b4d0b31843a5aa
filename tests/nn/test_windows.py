"""Layers of frames, windows, bins and shuffled pixels: torch.nn's functions, arguments and representations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import nn
from rawseg.errors import ArgumentError

# layer of either library, input shape
TWINS = [
    (lambda n: n.Unfold((3, 2), (1, 2), (1, 0), (2, 1)), (2, 3, 5, 6)),
    (lambda n: n.Fold((5, 6), (3, 2), (1, 2), (1, 0), (2, 1)), (2, 12, 12)),
    (lambda n: n.Fold(4, 2, stride=2), (8, 4)),
    (lambda n: n.AdaptiveAvgPool2d((2, None)), (2, 3, 5, 4)),
    (lambda n: n.AdaptiveAvgPool2d(1), (3, 5, 4)),
    (lambda n: n.AdaptiveMaxPool2d(3), (2, 3, 5, 4)),
    (lambda n: n.PixelShuffle(2), (2, 8, 3, 2)),
    (lambda n: n.PixelUnshuffle(3), (2, 2, 3, 6)),
    (lambda n: n.ZeroPad2d((1, 2, 0, 3)), (2, 3, 4, 5)),
    (lambda n: n.ZeroPad2d(-1), (2, 3, 4, 5)),
    (lambda n: n.ConstantPad2d(2, 3.5), (2, 3, 4, 5)),
    (lambda n: n.ReflectionPad2d((1, 2, 3, 0)), (2, 3, 4, 5)),
    (lambda n: n.ReplicationPad2d(2), (3, 4, 5)),
    (lambda n: n.CircularPad2d((5, 2, 3, 0)), (2, 3, 4, 5)),
]


@pytest.mark.parametrize(("make", "shape"), TWINS, ids=[repr(make(torch.nn)) for make, _ in TWINS])
def test_as_torch(make, shape):
    x = np.random.default_rng(0).standard_normal(shape)
    got, want = make(nn)(rawseg.Tensor(x)).numpy(), make(torch.nn)(torch.tensor(x)).numpy()
    assert_within(got, want, 2 * gamma(22, np.float64) * 5 * 6)  # sums of at most 20 values below 5, or 6 taps of them
    assert repr(make(nn)) == repr(make(torch.nn))
    assert not make(nn).state_dict()


@pytest.mark.spec("max_unpool2d.plane")
def test_unpooling_undoes_pooling():
    pool, unpool = nn.MaxPool2d(2, return_indices=True), nn.MaxUnpool2d(2)
    x = rawseg.tensor([[[[0.0, 0, 3], [1, 0, 4], [0, 2, 5]]]])
    assert unpool(*pool(x)).tolist() == [[[[0, 0, 0], [1, 0, 0], [0, 0, 0]]]]
    assert unpool(*pool(x), output_size=(3, 3)).shape == (1, 1, 3, 3)
    for options in ((2,), ((3, 2), (1, 2), 1)):
        assert repr(nn.MaxUnpool2d(*options)) == repr(torch.nn.MaxUnpool2d(*options))


@pytest.mark.spec("max_unpool2d.duplicates")
def test_the_layer_holds_its_policy():
    pooled = nn.MaxPool2d((1, 2), 1, return_indices=True)(rawseg.tensor([[[[0.0, 9, 0]]]]))
    assert nn.MaxUnpool2d((1, 2), 1, duplicates="sum")(*pooled).tolist() == [[[[0, 18, 0]]]]
    assert nn.MaxUnpool2d((1, 2), 1, duplicates="last")(*pooled).tolist() == [[[[0, 9, 0]]]]
    assert repr(nn.MaxUnpool2d(2, duplicates="sum")).endswith("padding=(0, 0), duplicates='sum')")
    with pytest.raises(ArgumentError, match="expected different indices within a plane"):
        nn.MaxUnpool2d((1, 2), 1)(*pooled)


def test_indices_come_on_request():
    values, indices = nn.AdaptiveMaxPool2d((2, 1), return_indices=True)(rawseg.randn(1, 1, 4, 6))
    assert values.shape == indices.shape == (1, 1, 2, 1)
    assert indices.plane == (4, 6)


def test_widths_are_one_or_four():
    with pytest.raises(
        ArgumentError, match=r"ZeroPad2d: padding: expected an int or \(left, right, top, bottom\), got \(1, 2\)"
    ):
        nn.ZeroPad2d((1, 2))
