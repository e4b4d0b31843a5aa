"""Weights by name: PyTorch's keys, both ways, and all or nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma

import rawseg
from rawseg import nn
from rawseg.errors import ArgumentTypeError, CheckpointError

LIST: Any = []


def build(library):
    """Return a net whose middle is as a U-Net's."""
    return library.Sequential(
        library.Conv2d(2, 4, 3, padding=1, bias=False),
        library.BatchNorm2d(4),
        library.ReLU(),
        library.MaxPool2d(2),
        library.ModuleList([library.Linear(3, 3)]),
        library.ConvTranspose2d(4, 3, 2, stride=2),
        library.Flatten(2),
        library.Linear(24, 5),
    )


def run(net, x):
    """Apply the net, without its list of modules (which nobody can call)."""
    for module in (m for i, m in enumerate(net) if i != 4):
        x = module(x)
    return x


def test_keys_shapes_and_dtypes_as_torch():
    ours, theirs = build(nn).state_dict(), build(torch.nn).state_dict()
    assert list(ours) == list(theirs)
    assert [t.shape for t in ours.values()] == [tuple(t.shape) for t in theirs.values()]
    assert [str(t.dtype) for t in ours.values()] == [str(t.dtype).removeprefix("torch.") for t in theirs.values()]


@pytest.mark.parametrize("training", [True, False])
def test_weights_travel_both_ways(training):
    theirs, ours = build(torch.nn).double(), build(nn).double()
    with torch.no_grad():
        for name, low, high in (("running_mean", -2, 2), ("running_var", 0.5, 2)):
            theirs.get_buffer(f"1.{name}").uniform_(low, high)
    ours.load_state_dict({name: tensor.numpy() for name, tensor in theirs.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 2, 4, 6))
    want = run(theirs.train(training), torch.tensor(x)).detach().numpy()
    got = run(ours.train(training), rawseg.Tensor(x)).numpy()
    # 18 + 16 + 48 + 4 + 24 products and sums deep; every layer's values are below 8 in magnitude times at most 24 terms
    assert_within(got, want, 2 * gamma(110, np.float64) * 8 * 24, "outputs")
    back = build(torch.nn).double()
    back.load_state_dict({name: torch.from_numpy(tensor.numpy().copy()) for name, tensor in ours.state_dict().items()})
    assert_within(run(back.eval(), torch.tensor(x)).detach().numpy(), run(ours.eval(), rawseg.Tensor(x)).numpy(), 1e-11, "back")
    for name, tensor in theirs.state_dict().items():
        assert_within(ours.state_dict()[name].numpy(), tensor.numpy(), 2 * gamma(60, np.float64) * 8, name)


def test_values_are_detached_but_share_memory():
    net = build(nn)
    state = net.state_dict()
    assert not any(tensor.requires_grad for tensor in state.values())
    assert np.shares_memory(state["0.weight"].array, net[0].weight.array)
    assert next(iter(net.state_dict("net."))) == "net.0.weight"


def test_everything_that_does_not_fit_is_told_at_once_and_nothing_is_written():
    net = build(nn)
    before = {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()}
    state = {name: rawseg.zeros(*t.shape, dtype=t.dtype) for name, t in build(nn).state_dict().items()}
    del state["1.bias"], state["7.weight"]
    state |= {
        "extra": rawseg.ones(1),
        "0.weight": rawseg.ones(4, 2, 3, 2),
        "1.running_var": rawseg.ones(4).double(),
        "5.bias": [1],
    }
    with pytest.raises(CheckpointError) as raised:
        net.load_state_dict(state)
    assert str(raised.value) == (
        "load_state_dict: state_dict: expected the names, shapes and dtypes of Sequential, got missing: 1.bias, 7.weight; "
        "unexpected: extra; mismatched: 0.weight ((4, 2, 3, 2) float32 instead of (4, 2, 3, 3) float32), "
        "1.running_var ((4,) float64 instead of (4,) float32), 5.bias (list instead of an array)"
    )
    with pytest.raises(CheckpointError, match=r"got mismatched: 0\.weight"):
        net.load_state_dict(state, strict=False)
    assert {name: tensor.numpy().tobytes() for name, tensor in net.state_dict().items()} == before


def test_not_strict_returns_what_it_left_out():
    net = build(nn)
    found = net.load_state_dict({"5.bias": np.full(3, 9, np.float32), "more": rawseg.ones(1)}, strict=False)
    assert net[5].bias.tolist() == [9, 9, 9]
    assert found.unexpected_keys == ["more"]
    assert "0.weight" in found.missing_keys
    assert "5.bias" not in found.missing_keys
    with pytest.raises(ArgumentTypeError, match="state_dict: expected a mapping of names to Tensors, got list"):
        net.load_state_dict(LIST)


def test_loading_is_a_write_that_a_graph_notices():
    net = nn.Linear(2, 2)
    loss = net(rawseg.ones(1, 2, requires_grad=True)).sum()
    net.load_state_dict(nn.Linear(2, 2).state_dict())
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_pytorch_state_dict_loads_as_it_is():
    theirs = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2))
    ours = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    ours.load_state_dict(theirs.state_dict())
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for name, tensor in theirs.state_dict().items():
        assert np.array_equal(ours.state_dict()[name].numpy(), tensor.numpy()), name
    with torch.no_grad():
        theirs[0].weight.zero_()
    assert (ours[0].weight.numpy() != 0).any()  # copied, not shared
