"""Update rules of many parameters: their state, in checkpoints and where a step fails."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from on_gpu.update_twins import SHAPES, Twins, arrays

import rawseg
from rawseg import optim
from rawseg_kernels._foreach import table


@pytest.mark.parametrize(
    ("rule", "options"), [(optim.SGD, {"momentum": 0.9, "dampening": 0.5}), (optim.Adam, {"amsgrad": True})]
)
def test_checkpoints_go_from_device_to_device(cupy, rule, options):
    twins = Twins(rule, options, arrays(SHAPES, np.float32))
    for _ in range(2):
        twins.step()
    states = [copy.deepcopy(each.state_dict()) for each in twins.rules]
    others = Twins(rule, options, [param.array.copy() for param in twins.host])
    others.rules[0].load_state_dict(states[1])
    others.rules[1].load_state_dict(states[0])
    others.rng = copy.deepcopy(twins.rng)
    for _ in range(3):
        twins.step()
        others.step()
    twins.assert_equal()
    others.assert_equal()
    for one, other in zip(twins.host, others.device):
        assert other.array.get().tobytes() == one.array.tobytes()


def test_a_step_that_has_no_room_for_its_table_changes_nothing(cupy, monkeypatch):
    twins = Twins(optim.Adam, {}, arrays(SHAPES, np.float32))
    twins.step()
    rule, before = twins.rules[1], [param.tolist() for param in twins.device]
    twins.device[0].grad = twins.device[0].grad.clone()

    def full(*_arguments):
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(table, "sent", full)
        with pytest.raises(MemoryError):
            rule.step()
    assert [param.tolist() for param in twins.device] == before
    assert {state["step"] for state in rule.state.values()} == {1}
    rule.step()
    assert {state["step"] for state in rule.state.values()} == {2}


def test_a_step_counts_as_a_change_in_place(cupy):
    x = rawseg.ones(2).to("cuda").requires_grad_()
    x.grad, version = rawseg.ones(2).to("cuda"), x._version[0]
    optim.SGD([x]).step()
    assert x._version[0] == version + 1
