"""Update rules of many parameters: what is taken alone, or in order, since it has strides, overlaps or is elsewhere."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from on_gpu.update_twins import SHAPES, Twins, arrays

import rawseg
from rawseg import optim
from rawseg.errors import DeviceError


def test_strides_are_taken_alone_and_give_the_same(cupy, launches):
    twins = Twins(optim.Adam, {"weight_decay": 0.1}, arrays([(3, 4)] * 4, np.float32))
    twins.device[0].array = twins.device[0].array.T.copy().T
    for _ in range(3):
        twins.step()
        twins.device[1].grad.array = twins.device[1].grad.array.T.copy().T
        twins.host[1].grad.array = np.asfortranarray(twins.host[1].grad.array)
        for rule in twins.rules:
            rule.step()
    assert [param.array.flags.c_contiguous for param in twins.device] == [False, True, True, True]
    assert launches == ["adam_update"] * 6
    for one, other in zip(twins.host, twins.device):
        assert other.array.get().tobytes() == np.ascontiguousarray(one.array).tobytes()


@pytest.mark.parametrize("rule", [optim.SGD, optim.Adam])
def test_what_overlaps_is_taken_in_order(cupy, launches, rule):
    def shared(to):
        whole = rawseg.tensor(np.arange(8.0))
        array = to(whole).array
        params = [rawseg.Tensor(part, requires_grad=True) for part in (array[:5], array[3:], array[:0])]
        for param in params:
            param.grad = param.ones_like()
        return array, params, rule(params, lr=0.25)

    (host, _, on_host), (device, _, on_device) = shared(lambda x: x), shared(lambda x: x.to("cuda"))
    for _ in range(2):
        on_host.step()
        on_device.step()
    assert launches == []
    assert device.get().tobytes() == host.tobytes()


def test_gradients_may_be_one_array_but_not_a_parameter(cupy, launches):
    x, y = (rawseg.ones(3).to("cuda").requires_grad_() for _ in range(2))
    x.grad = y.grad = rawseg.ones(3).to("cuda")
    rule = optim.SGD([x, y], lr=0.5)
    rule.step()
    assert launches == ["sgd_update"]
    assert x.tolist() == y.tolist() == [0.5] * 3
    y.grad = x.detach()  # a view: x is written before it is y's gradient
    rule.step()
    assert launches == ["sgd_update"]
    assert (x.tolist(), y.tolist()) == ([0.0] * 3, [0.5] * 3)


def test_neighbours_in_one_array_are_taken_together(cupy, launches):
    whole = rawseg.tensor(np.arange(6.0)).to("cuda").array
    params = [rawseg.Tensor(part, requires_grad=True) for part in (whole[:2], whole[2:5], whole[5:])]
    for param in params:
        param.grad = param.ones_like()
    optim.SGD(params, lr=1.0).step()
    assert launches == ["sgd_update"]
    assert whole.get().tolist() == [-1, 0, 1, 2, 3, 4]


def test_parameters_on_both_devices(cupy, launches):
    twins = Twins(optim.AdamW, {}, arrays(SHAPES, np.float64))
    mixed = [other if number % 2 else one for number, (one, other) in enumerate(zip(twins.host, twins.device))]
    rule = optim.AdamW(mixed)
    twins.step()
    before = [copy.copy(param.array) for param in twins.host]
    assert launches == ["adam_update"]
    rule.step()
    assert launches == ["adam_update"] * 2
    assert all(
        (param.array.tobytes() != old.tobytes()) == (old.size > 0 and i % 2 == 0)
        for i, (param, old) in enumerate(zip(twins.host, before))
    )


def test_a_slot_on_another_device_is_told(cupy):
    x = rawseg.ones(2, requires_grad=True)
    x.grad = rawseg.ones(2)
    rule = optim.Adam([x])
    rule.step()
    x.array, x.grad = cupy.asarray(x.array), x.grad.to("cuda")
    before = x.tolist()
    with pytest.raises(DeviceError, match="Adam: exp_avg: expected cuda:0, the device of its parameter, got cpu"):
        rule.step()
    assert x.tolist() == before
    assert rule.state[x]["step"] == 1


def test_an_heir_that_changes_the_rule_is_heard(cupy, launches):
    class Halved(optim.SGD):
        def update(self, group, state, x, gradient, fresh):
            super().update(group, state, x, gradient / 2, fresh)

    class Sign(optim.Optimizer):
        def check(self, group):
            pass

        def slots(self, group):
            return ()

        def update(self, group, state, x, gradient, fresh):
            x -= group["lr"] * gradient

    for rule, want in ((lambda p: Halved(p, lr=1.0), 0.5), (lambda p: Sign(p, {"lr": 1.0}), 0.0)):
        x = rawseg.ones(2).to("cuda").requires_grad_()
        x.grad = rawseg.ones(2).to("cuda")
        rule([x]).step()
        assert x.tolist() == [want] * 2
    assert launches == []
