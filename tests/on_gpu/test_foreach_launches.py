"""Update rules of many parameters: few launches, and tables that are right in every step."""

from __future__ import annotations

import numpy as np
import pytest
from on_gpu.pretended_cupy import ndarray
from on_gpu.update_twins import SHAPES, Twins, arrays

import rawseg
from rawseg import optim


@pytest.mark.parametrize(
    ("rule", "options", "name"),
    [(optim.SGD, {"momentum": 0.9}, "sgd_update"), (optim.Adam, {}, "adam_update"), (optim.AdamW, {}, "adam_update")],
)
def test_a_group_costs_one_launch_and_no_other_call(stand_in, launches, monkeypatch, rule, options, name):
    twins = Twins(rule, options, arrays([(3, 4)] * 40, np.float32), split=15, lr=0.5)
    twins.step()
    assert launches == [name, name]
    called: list[str] = []
    for function in ("add", "multiply", "subtract", "negative", "sqrt", "divide", "maximum", "empty", "empty_like", "zeros"):
        monkeypatch.setattr(stand_in, function, lambda *_a, function=function, **_o: called.append(function))
    monkeypatch.setattr(ndarray, "__array_ufunc__", lambda *_a, **_o: called.append("ufunc"))
    twins.rules[1].step()
    assert called == []
    assert launches == [name] * 4


def test_a_table_travels_once_while_arrays_stay(cupy):
    twins = Twins(optim.Adam, {}, arrays(SHAPES, np.float32))
    twins.step()
    rule, (params, one) = twins.rules[1], (twins.device, twins.rules[1]._tables[0])
    schedule = optim.lr_scheduler.CosineAnnealingLR(rule, T_max=10)
    for _ in range(3):
        rule.step()
        schedule.step()
        rule.param_groups[0]["weight_decay"] += 0.5
    assert (len(rule._tables), one.uploads) == (1, 1)
    kept = [param.grad for param in params]  # so that new arrays are elsewhere
    for param in params:
        param.grad = param.detach() * 2
    chunks = one._chunks
    rule.step()
    assert one.uploads == 2
    assert one._chunks is chunks  # what follows from sizes alone
    rule.load_state_dict(rule.state_dict())
    rule.step()
    assert one.uploads == 3
    assert len(kept) == len(params)


def test_no_address_is_stale(cupy):
    """Old arrays stay where they were, and are full of NaN."""
    twins = Twins(optim.SGD, {"momentum": 0.5}, arrays(SHAPES, np.float64))
    old = []
    for _ in range(4):
        twins.step()
        twins.assert_equal()
        for param, host in zip(twins.device, twins.host):
            state = twins.rules[1].state[param]
            for array, put in ((param.array, None), (state["momentum_buffer"], state), (param.grad.array, None)):
                old.append(array)
                if put is not None:
                    put["momentum_buffer"] = array.copy()
            param.array = cupy.asarray(host.array)
            for array in old[-3:]:
                array.fill(np.nan)
    assert len(old) == 4 * 3 * len(SHAPES)


def test_old_gradients_are_not_kept(cupy):
    """A table knows addresses, not arrays: the memory of a gradient is free when its parameter drops it."""
    import gc
    import weakref

    twins = Twins(optim.Adam, {}, arrays([(4, 4)], np.float32))
    twins.step()
    gone = weakref.ref(twins.device[0].grad.array)
    twins.rules[1].zero_grad()
    gc.collect()
    assert gone() is None


def test_parameters_at_different_steps_and_new_groups(cupy, launches):
    twins = Twins(optim.Adam, {"amsgrad": True}, arrays([(3,)] * 5, np.float32))
    twins.step(without=(1, 3))
    twins.step(without=(3,))
    assert launches == ["adam_update"] * 3
    twins.step()
    assert launches == ["adam_update"] * 6
    twins.assert_equal()
    for params, rule in zip((twins.host, twins.device), twins.rules):
        late = rawseg.tensor(np.ones(6, np.float32))
        params.append((late if params is twins.host else late.to("cuda")).requires_grad_())
        rule.add_param_group({"params": params[-1:], "lr": 0.5, "amsgrad": False})
    twins.step()
    twins.step()
    twins.assert_equal()


def test_a_buffer_that_begins_later_takes_the_whole_gradient(cupy, launches):
    twins = Twins(optim.SGD, {"momentum": 0.9, "dampening": 0.5}, arrays([(3,)] * 3, np.float32))
    twins.step(without=(1,))
    for _ in range(2):
        twins.step()
        twins.assert_equal()
    assert launches == ["sgd_update"] * 4


def test_each_dtype_has_a_launch(cupy, launches):
    twins = Twins(optim.Adam, {}, [*arrays(SHAPES, np.float32), *arrays(SHAPES, np.float64)])
    for _ in range(2):
        twins.step()
    twins.assert_equal()
    assert launches == ["adam_update"] * 4
