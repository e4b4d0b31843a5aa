"""Update rules that take many parameters in one launch: the CPU's bits, few launches, tables that are right in every step."""

from __future__ import annotations

import copy
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from on_gpu.pretended_cupy import ndarray, pretended

import rawseg
from rawseg import optim
from rawseg.errors import DeviceError
from rawseg_kernels._cuda import emulator
from rawseg_kernels._cuda.kernel import Kernel
from rawseg_kernels._foreach import table

SHAPES = [(), (3, 5), (0,), (1,), (2, 0, 3), (17,), (4, 4)]
SGD: list[dict[str, Any]] = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.3},
    {"momentum": 0.9, "nesterov": True},
    {"weight_decay": 0.1},
    {"weight_decay": 0.1, "maximize": True},
    {"momentum": 0.8, "weight_decay": 0.05, "nesterov": True, "maximize": True},
    {"momentum": 0.8, "dampening": 0.5, "weight_decay": 0.05, "maximize": True},
    {"lr": 0.0, "momentum": 0.9},
]
ADAM: list[dict[str, Any]] = [
    {},
    {"betas": (0.5, 0.9), "eps": 1e-4},
    {"betas": (0.0, 0.99), "maximize": True},
    {"weight_decay": 0.1},
    {"weight_decay": 0.0},
    {"amsgrad": True},
    {"amsgrad": True, "weight_decay": 0.2, "maximize": True},
    {"weight_decay": 1e-60},
]
RULES = [(optim.SGD, case) for case in SGD] + [(rule, case) for rule in (optim.Adam, optim.AdamW) for case in ADAM]


@pytest.fixture(scope="module")
def cupy():
    with pretended() as module:
        yield module


@pytest.fixture
def launches(monkeypatch):
    """Every launch of a kernel, by name."""
    seen: list[str] = []
    launch = Kernel.launch

    def counted(self, *arguments, **options):
        seen.append(self.name)
        launch(self, *arguments, **options)

    monkeypatch.setattr(Kernel, "launch", counted)
    return seen


class Twins:
    """Equal parameters on the CPU and on the device, under one rule."""

    def __init__(self, rule, options, arrays, split: int = 0, **second: Any) -> None:
        self.rng = np.random.default_rng(5)
        self.host = [rawseg.tensor(array, requires_grad=True) for array in arrays]
        self.device = [rawseg.tensor(array).to("cuda").requires_grad_() for array in arrays]
        self.rules = []
        for params in (self.host, self.device):
            groups = [{"params": params[split:]}, *([{"params": params[:split], **second}] if split else [])]
            self.rules.append(rule(groups, **options))

    def step(self, without: tuple[int, ...] = ()) -> None:
        for number, (one, other) in enumerate(zip(self.host, self.device)):
            gradient = (self.rng.standard_normal(one.shape) * (self.rng.random(one.shape) > 0.2)).astype(one.dtype)
            one.grad = None if number in without else rawseg.tensor(gradient)
            other.grad = None if number in without else rawseg.tensor(gradient).to("cuda")
        for rule in self.rules:
            rule.step()

    def assert_equal(self) -> None:
        for one, other in zip(self.host, self.device, strict=True):
            assert other.device == "cuda:0"
            assert other.array.get().tobytes() == one.array.tobytes()
            states = [rule.state.get(param, {}) for rule, param in zip(self.rules, (one, other))]
            assert states[0].keys() == states[1].keys()
            for name, value in states[0].items():
                found = states[1][name]
                assert found == value if name == "step" else found.get().tobytes() == value.tobytes()


def arrays(shapes, dtype, seed=0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.standard_normal(shape), dtype) for shape in shapes]


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("rule", "options"), RULES, ids=lambda value: getattr(value, "__name__", str(value)))
def test_five_steps_have_the_bits_of_the_cpu(rule, options, dtype, monkeypatch):
    monkeypatch.setattr(table, "CHUNK", 4)
    twins = Twins(rule, options, arrays(SHAPES, dtype))
    for step in range(5):
        with emulator.ordered("backward" if step % 2 else "forward"):
            twins.step()
        twins.assert_equal()


@pytest.mark.usefixtures("cupy")
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_shapes_dtypes_groups_and_missing_gradients(data):
    shapes = data.draw(st.lists(st.lists(st.integers(0, 5), max_size=3).map(tuple), min_size=1, max_size=8))
    dtypes = data.draw(st.lists(st.sampled_from([np.float32, np.float64]), min_size=len(shapes), max_size=len(shapes)))
    rule, options = data.draw(st.sampled_from(RULES))
    split = data.draw(st.integers(0, len(shapes) - 1))
    given_arrays = [array for shape, dtype in zip(shapes, dtypes) for array in arrays([shape], dtype, len(shape))]
    twins = Twins(rule, options, given_arrays, split, lr=0.25)
    for _ in range(4):
        twins.step(without=tuple(data.draw(st.sets(st.integers(0, len(shapes) - 1)))))
        for rule_of_both in twins.rules:
            rule_of_both.param_groups[0]["lr"] *= 0.5
    twins.assert_equal()


@pytest.mark.usefixtures("cupy")
@pytest.mark.parametrize(("rule", "options"), [(optim.SGD, {"momentum": 0.9}), (optim.AdamW, {"amsgrad": True})])
def test_arrays_longer_than_a_chunk(rule, options):
    size = table.CHUNK
    twins = Twins(rule, options, arrays([(2 * size + 3,), (size,), (size + 1,), (5, size - 1)], np.float32))
    for _ in range(2):
        twins.step()
    twins.assert_equal()


def test_numbers_that_are_not_finite_are_the_cpus(cupy):
    bad = np.array([np.nan, np.inf, -np.inf, 3e38, 1e-45, -0.0], np.float32)
    for rule, options in RULES:
        twins = Twins(rule, options, [bad, bad[::-1].copy()])
        for _ in range(2):
            for one, other in zip(twins.host, twins.device):
                one.grad, other.grad = rawseg.tensor(bad), rawseg.tensor(bad).to("cuda")
            for each in twins.rules:
                each.step()
            for one, other in zip(twins.host, twins.device):
                np.testing.assert_array_equal(other.array.get(), one.array)
                for name in twins.rules[0].slots(twins.rules[0].param_groups[0]):
                    slots = [each.state[param][name] for each, param in zip(twins.rules, (one, other))]
                    np.testing.assert_array_equal(slots[1].get(), slots[0], name)


# Launches


@pytest.mark.parametrize(
    ("rule", "options", "name"),
    [(optim.SGD, {"momentum": 0.9}, "sgd_update"), (optim.Adam, {}, "adam_update"), (optim.AdamW, {}, "adam_update")],
)
def test_a_group_costs_one_launch_and_no_other_call(cupy, launches, monkeypatch, rule, options, name):
    twins = Twins(rule, options, arrays([(3, 4)] * 40, np.float32), split=15, lr=0.5)
    twins.step()
    assert launches == [name, name]
    called: list[str] = []
    for function in ("add", "multiply", "subtract", "negative", "sqrt", "divide", "maximum", "empty", "empty_like", "zeros"):
        monkeypatch.setattr(cupy, function, lambda *_a, function=function, **_o: called.append(function))
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


# What is taken alone


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


# State


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
