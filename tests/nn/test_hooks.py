"""Hooks of a module: what they see, what they replace, and when they are called, beside torch.nn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import rawseg
from rawseg import nn
from rawseg.errors import GraphError


class Powered(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x, power=1):
        return self.layer(x) ** power


def test_forward_hooks_see_and_replace():
    net, calls = Powered(), []
    handles = [
        net.register_forward_pre_hook(lambda module, args: calls.append(len(args)) or (args[0] * 2, *args[1:])),
        net.register_forward_hook(lambda module, args, out: calls.append(args[0].tolist()) or out + 1),
    ]
    x = rawseg.ones(1, 3)
    assert np.array_equal(net(x, 2).numpy(), (net.forward(x * 2, 2) + 1).numpy())
    assert calls == [2, [[2, 2, 2]]]
    for handle in handles:
        handle.remove()
        handle.remove()
    assert np.array_equal(net(x, power=2).numpy(), net.forward(x, 2).numpy())


def run_with_hook(layer, x, seen, replace):
    used_twice = x * 2

    def hook(module, grad_input, grad_output):
        seen.append([np.asarray(g.tolist()) for g in (*grad_input, *grad_output)])
        return (grad_input[0] * 10,) if replace else None

    layer.register_full_backward_hook(hook)
    (layer(used_twice).sum() + used_twice.sum()).backward()


@pytest.mark.parametrize("replace", [False, True])
def test_backward_hooks_as_torch(replace):
    layer, twin, values = nn.Linear(3, 2), torch.nn.Linear(3, 2), np.arange(6, dtype=np.float32).reshape(2, 3)
    twin.load_state_dict({name: torch.tensor(tensor.numpy()) for name, tensor in layer.state_dict().items()})
    x, y = rawseg.Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    seen, twins = [], []
    run_with_hook(layer, x, seen, replace)
    run_with_hook(twin, y, twins, replace)
    assert len(seen) == 1
    for one, other in zip(seen[0], twins[0]):  # gradients of this layer alone, not of the other use of its input
        np.testing.assert_allclose(one, other, rtol=2**-21)  # sums of two float32 products
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=2**-19)


def test_a_backward_hook_without_a_gradient_to_its_input():
    layer, seen = nn.Linear(3, 2), []
    handle = layer.register_full_backward_hook(lambda module, i, o: seen.append((i, o[0].shape)))
    layer(rawseg.ones(4, 3)).sum().backward()
    with rawseg.no_grad():
        layer(rawseg.ones(4, 3))
    assert seen == [((None,), (4, 2))]
    handle.remove()
    layer(rawseg.ones(4, 3)).sum().backward()
    assert len(seen) == 1


class Product(nn.Module):
    def forward(self, a, b, name):
        assert name == "not a Tensor"
        return a * b, b


def test_a_backward_hook_sees_none_for_what_needs_no_gradient():
    product, seen = Product(), []
    product.register_full_backward_hook(lambda module, i, o: seen.append((i, o)))
    a, b = rawseg.ones(2, requires_grad=True), rawseg.full(2, 3.0)
    first, second = product(a, b, "not a Tensor")
    assert not second.requires_grad
    (first.sum() + second.sum()).backward()
    (grad_input, grad_output), *more = seen
    assert not more
    assert [g if g is None else g.tolist() for g in grad_input] == [[3, 3], None, None]
    assert [g if g is None else g.tolist() for g in grad_output] == [[1, 1], None]


def test_a_backward_hook_answers_for_every_input():
    layer = nn.Linear(3, 2)
    layer.register_full_backward_hook(lambda module, i, o: (i[0], i[0]))
    loss = layer(rawseg.ones(4, 3, requires_grad=True)).sum()
    with pytest.raises(GraphError, match="grad_input: expected 1 gradients, one for each argument, got 2"):
        loss.backward()


def test_a_gradient_that_left_another_way_calls_no_backward_hook():
    class Leaky(nn.Module):
        def forward(self, x):
            self.loss = (x * x).sum()
            return x * 2

    module, x, calls = Leaky(), rawseg.tensor([3.0], requires_grad=True), []
    module.register_full_backward_hook(lambda *args: calls.append(args))
    module(x)
    module.loss.backward()
    assert (x.grad.tolist(), calls) == ([6.0], [])


def test_outputs_in_a_list_call_no_backward_hook():
    class Twins(nn.Module):
        def forward(self, x):
            return [x * 2, x * 3]

    module, x, calls = Twins(), rawseg.tensor([3.0], requires_grad=True), []
    module.register_full_backward_hook(lambda *args: calls.append(args))
    sum(module(x)).backward()
    assert (x.grad.tolist(), calls) == ([5.0], [])
