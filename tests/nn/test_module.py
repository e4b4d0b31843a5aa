"""Module: attributes, the tree, modes, conversions and text, beside torch.nn's where both can be asked."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch

import rawseg
from rawseg import nn
from rawseg.errors import ArgumentError, ArgumentTypeError, IndexRangeError


def build(library):
    """Return one small net in rawseg or in torch."""
    tail = {"act": library.LeakyReLU(0.2), "out": library.Conv2d(6, 2, 1, bias=False)}
    return library.Sequential(
        library.Conv2d(3, 4, (3, 2), stride=(2, 1), padding=(1, 0), dilation=(1, 2)),
        library.BatchNorm2d(4),
        library.ReLU(inplace=True),
        library.MaxPool2d(2, stride=1),
        library.ModuleList([library.ConvTranspose2d(4, 6, 2, 2, 0, 1, groups=2), library.Upsample(scale_factor=2)]),
        library.ModuleDict(tail),
        library.Identity(),
        library.Dropout2d(0.3),
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 2)
        self.scale = nn.Parameter(rawseg.ones(2))
        self.register_buffer("seen", rawseg.zeros(2))
        self.register_buffer("cache", rawseg.zeros(1), persistent=False)
        self.second = self.first  # shared
        self.size = 5

    def forward(self, x, power=1):
        return (self.second(x) * self.scale) ** power


def test_parameters_and_buffers_by_dotted_name():
    net = nn.Sequential(Net(), nn.Identity())
    assert net.get_parameter("0.first.weight") is net[0].first.weight
    assert net.get_buffer("0.seen") is net[0].seen
    assert net[0].get_parameter("scale") is net[0].scale
    with pytest.raises(ArgumentError, match=r"get_parameter: target: expected a parameter of Net, got '0\.seen'"):
        net.get_parameter("0.seen")
    with pytest.raises(ArgumentError, match=r"get_buffer: target: expected a buffer of Linear, got '0\.first\.weight'"):
        net.get_buffer("0.first.weight")


def test_registering_does_not_replace_another_attribute_but_setting_does():
    net = Net()
    net.register_buffer("seen", rawseg.ones(2))  # a buffer may be renewed, as in PyTorch
    for register in (
        lambda: net.register_buffer("scale", rawseg.ones(2)),
        lambda: net.register_module("seen", nn.Identity()),
        lambda: net.register_parameter("size", nn.Parameter(rawseg.ones(1))),
    ):
        with pytest.raises(ArgumentError, match="Net: name: expected one that is no attribute yet, got '"):
            register()
    with pytest.raises(KeyError, match="attribute 'bias' already exists"):
        torch.nn.Linear(2, 2).register_buffer("bias", torch.ones(2))
    net.size = nn.Parameter(rawseg.ones(1))
    assert "size" in dict(net.named_parameters())


def test_names_and_order_as_torch():
    ours, theirs = build(nn), build(torch.nn)
    assert [(n, p.shape) for n, p in ours.named_parameters()] == [(n, tuple(p.shape)) for n, p in theirs.named_parameters()]
    assert [n for n, _ in ours.named_buffers()] == [n for n, _ in theirs.named_buffers()]
    assert [n for n, _ in ours.named_modules()] == [n for n, _ in theirs.named_modules()]
    assert [type(m).__name__ for m in ours.children()] == [type(m).__name__ for m in theirs.children()]


def test_text_as_torch():
    for ours, theirs in zip(build(nn), build(torch.nn)):
        if not isinstance(ours, (nn.ModuleDict, nn.BatchNorm2d)):
            assert repr(ours).splitlines()[0] == repr(theirs).splitlines()[0]
    assert repr(nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.Tanh()))) == repr(
        torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.Sequential(torch.nn.Tanh()))
    )


def test_shared_parameters_come_once():
    net: Any = Net()
    assert [name for name, _ in net.named_parameters()] == ["scale", "first.weight", "first.bias"]
    assert [name for name, _ in net.named_modules()] == ["", "first"]
    assert list(dict(net.named_parameters(recurse=False))) == ["scale"]
    assert len(list(net.buffers())) == 2
    net.tied = net.scale
    assert len(list(net.parameters())) == 3


def test_attributes_go_where_they_belong():
    net: Any = Net()
    assert net.scale is net._parameters["scale"]
    net.size = nn.ReLU()  # a plain attribute becomes a module
    assert [name for name, _ in net.named_children()] == ["first", "second", "size"]
    net.scale = None
    assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias"]
    net.scale = nn.Parameter(rawseg.zeros(2))
    net.seen = rawseg.ones(2)
    assert dict(net.named_buffers())["seen"] is net.seen
    net.cache = rawseg.ones(1)
    assert "cache" not in net.state_dict()  # still not saved
    del net.first, net.seen
    assert not hasattr(net, "first")
    assert not hasattr(net, "seen")
    assert "scale" in dir(net)


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda net: setattr(net, "scale", rawseg.ones(2)),
            ArgumentTypeError,
            "scale: expected a Parameter or None, got Tensor",
        ),
        (lambda net: setattr(net, "seen", 3), ArgumentTypeError, "seen: expected a Tensor or None, got int"),
        (
            lambda net: net.register_buffer("a.b", rawseg.ones(1)),
            ArgumentError,
            "name: expected a name without dots, got 'a.b'",
        ),
        (lambda net: net.register_parameter("forward", net.scale), ArgumentError, "name: expected one that .*, got 'forward'"),
        (lambda net: net.register_parameter("p", rawseg.ones(1)), ArgumentTypeError, "p: expected a Parameter or None"),
        (lambda net: net.register_module("m", 3), ArgumentTypeError, "m: expected a Module or None, got int"),
        (lambda net: net.get_submodule("first.x"), ArgumentError, "target: expected a child of Linear, got 'first.x'"),
        (lambda net: net.train("yes"), ArgumentTypeError, "train: mode: expected a bool, got 'yes'"),
        (lambda net: nn.Module()(1), TypeError, "Module needs a method forward"),
        (lambda net: net.nothing, AttributeError, "'Net' object has no attribute 'nothing'"),
    ],
)
def test_errors(act, error, message):
    with pytest.raises(error, match=message):
        act(Net())


def test_a_forgotten_super_init_is_named():
    class Forgetful(nn.Module):
        def __init__(self):
            self.layer = nn.ReLU()

    with pytest.raises(ArgumentError, match=r"Forgetful: layer: expected super\(\).__init__\(\) before"):
        Forgetful()


def test_modes_reach_every_module():
    net = build(nn)
    assert all(m.training for m in net.modules())
    assert net.eval() is net
    assert not any(m.training for m in net.modules())
    seen = []
    net.apply(lambda module: seen.append(type(module).__name__))
    assert seen[-1] == "Sequential"
    assert len(seen) == len(list(net.modules()))
    assert net.get_submodule("5.out") is net[5]["out"]


def test_conversion_keeps_identity_and_integers():
    net = build(nn)
    parameters = list(net.parameters())
    parameters[0].grad = rawseg.ones(*parameters[0].shape)
    assert net.double() is net
    assert all(one is other for one, other in zip(net.parameters(), parameters))
    assert {p.dtype for p in net.parameters()} == {np.dtype(np.float64)}
    assert parameters[0].grad.dtype == np.float64
    assert net[1].num_batches_tracked.dtype == np.int64
    assert next(net.float().parameters()).dtype == np.float32
    assert net.to("cpu", np.float64)[1].running_var.dtype == np.float64
    assert net.to(np.float32)[1].running_var.dtype == np.float32


def test_gradients_are_forgotten_and_frozen():
    net = Net()
    net(rawseg.ones(1, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert not net.scale.grad.numpy().any()
    net.zero_grad()
    assert net.scale.grad is None
    net.requires_grad_(False)
    assert not net(rawseg.ones(1, 3)).requires_grad


def test_copies_are_independent():
    net = Net()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        assert twin.second is twin.first
        assert np.array_equal(twin.scale.numpy(), net.scale.numpy())
        with rawseg.no_grad():
            twin.scale.fill_(7.0)
        assert net.scale.tolist() == [1, 1]


def test_a_parameter_is_a_leaf():
    parameter = nn.Parameter(rawseg.ones(2), requires_grad=False)
    assert (parameter.requires_grad, parameter.is_leaf) == (False, True)
    assert repr(nn.Parameter(np.zeros(1, np.float32))) == "Parameter containing:\ntensor([0.], requires_grad=True)"
    assert type(parameter * 2) is rawseg.Tensor


def test_containers_behave_as_what_they_are_named():
    layers = [nn.Linear(2, 2) for _ in range(4)]
    row = nn.Sequential(*layers)
    assert len(row) == 4
    assert list(row) == layers
    assert list(row[1:3]) == layers[1:3]
    assert list(dict(row[1:3].named_children())) == ["1", "2"]
    assert row[-1] is layers[3]
    row[0] = nn.Tanh()
    del row[1]
    assert [name for name, _ in row.named_children()] == ["0", "1", "2"]
    row.insert(0, layers[0]).append(layers[1])
    assert [row[0], row[4]] == [layers[0], layers[1]]
    named = nn.Sequential({"a": nn.Tanh(), "b": nn.ReLU()})
    assert isinstance(named.b, nn.ReLU)
    many = nn.ModuleList(layers) + nn.ModuleList([nn.ReLU()])
    del many[1:3]
    assert list(many) == [layers[0], layers[3], many[2]]
    table = nn.ModuleDict({"x": layers[0]})
    table["y"] = layers[1]
    assert (list(table), list(table.keys()), "y" in table, len(table)) == (["x", "y"], ["x", "y"], True, 2)
    assert list(table.values()) == layers[:2]
    assert table.pop("x") is layers[0]
    assert dict(table.items()) == {"y": layers[1]}
    with pytest.raises(IndexRangeError, match=r"ModuleList: index: expected in \[-3, 2\], got 3"):
        many[3]
    with pytest.raises(ArgumentError, match=r"ModuleDict: key: expected one of \['y'\], got 'z'"):
        table["z"]
    assert nn.Identity(3, any="thing")(5) == 5
