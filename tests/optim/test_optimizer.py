"""Groups, state, and the promise that a step or a load happens whole or not at all."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

import rawseg
from rawseg.errors import ArgumentError, ArgumentTypeError, CheckpointError, DTypeError, GraphError, ShapeError
from rawseg.optim import SGD, Adam, AdamW
from rawseg.optim.optimizer import Optimizer


def parameters() -> list[rawseg.Tensor]:
    rng = np.random.default_rng(0)
    return [rawseg.tensor(rng.standard_normal(shape).astype(np.float32), requires_grad=True) for shape in ((2, 3), (4,), ())]


def give_gradients(params: list[rawseg.Tensor], seed: int) -> None:
    rng = np.random.default_rng(seed)
    for param in params:
        param.grad = rawseg.tensor(rng.standard_normal(param.shape).astype(np.float32))


def digest(optimizer: Optimizer) -> str:
    """Of every parameter, slot and number."""
    found = hashlib.sha256()
    for group in optimizer.param_groups:
        found.update(repr(sorted((name, value) for name, value in group.items() if name != "params")).encode())
        for param in group["params"]:
            found.update(param.array.tobytes())
            for name, value in sorted(optimizer.state.get(param, {}).items()):
                found.update(name.encode() + (value.tobytes() if isinstance(value, np.ndarray) else repr(value).encode()))
    return found.hexdigest()


def test_groups_have_their_own_options():
    a, b, c = parameters()
    optimizer = SGD([{"params": [a], "lr": 1.0}, {"params": b}], lr=0.5, momentum=0.9)
    optimizer.add_param_group({"params": [c], "momentum": 0.0})
    before = [param.array.copy() for param in (a, b, c)]
    for param in (a, b, c):
        param.grad = param.ones_like()
    optimizer.step()
    assert [float((old - new.array).max()) for old, new in zip(before, (a, b, c))] == pytest.approx([1.0, 0.5, 0.5])
    assert optimizer.state[a]
    assert c not in optimizer.state
    assert repr(optimizer).startswith("SGD(lr=1.0, momentum=0.9")


def test_parameters_without_a_gradient_are_left_alone():
    a, b, _ = parameters()
    optimizer = Adam([a, b])
    give_gradients([a], 1)
    before = b.array.copy()
    optimizer.step()
    assert b.array.tobytes() == before.tobytes()
    assert b not in optimizer.state
    give_gradients([b], 1)
    optimizer.step()
    assert (optimizer.state[a]["step"], optimizer.state[b]["step"]) == (2, 1)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ([], ArgumentError, "SGD: params: expected at least one parameter, got none"),
        (rawseg.zeros(2, requires_grad=True), ArgumentTypeError, "expected an iterable of Tensors or of groups, got Tensor"),
        ([np.zeros(2)], ArgumentTypeError, r"SGD: params\[0\]: expected a Tensor, got ndarray"),
        ([("weight", rawseg.zeros(2, requires_grad=True))], ArgumentTypeError, "expected a Tensor, got tuple"),
        ([rawseg.zeros(2)], GraphError, "expected a leaf with requires_grad=True, got requires_grad=False"),
        (
            [rawseg.zeros(2, requires_grad=True) * 2],
            GraphError,
            "expected a leaf with requires_grad=True, got a computed Tensor",
        ),
        (
            [rawseg.zeros(2, requires_grad=True)] * 2,
            ArgumentError,
            r"params\[1\]: expected each parameter once, got one of shape \(2,\)",
        ),
    ],
)
def test_what_is_no_parameter_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        SGD(params)


def test_a_parameter_cannot_be_in_two_groups():
    a, b, _ = parameters()
    optimizer = SGD([a])
    with pytest.raises(ArgumentError, match="each parameter once"):
        optimizer.add_param_group({"params": [b, a]})
    assert len(optimizer.param_groups) == 1


def test_closure_and_zero_grad():
    x = rawseg.tensor([3.0], requires_grad=True)
    optimizer = SGD([x], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with rawseg.no_grad():  # the closure records its graph in any case
        loss = optimizer.step(closure)
    assert loss.item() == 9.0
    assert x.tolist() == [1.5]
    optimizer.zero_grad(set_to_none=False)
    assert x.grad.tolist() == [0.0]
    optimizer.zero_grad()
    assert x.grad is None
    assert optimizer.step() is None


def test_a_step_counts_as_a_change_in_place():
    x = rawseg.tensor([3.0], requires_grad=True)
    loss = (x * x).sum()
    x.grad = rawseg.tensor([1.0])
    SGD([x]).step()
    with pytest.raises(GraphError, match="it was changed in place"):
        loss.backward()


@pytest.mark.parametrize("rule", [SGD, Adam, AdamW])
def test_a_step_that_cannot_be_done_changes_nothing(rule, monkeypatch):
    params = parameters()
    optimizer = rule(params, **({"momentum": 0.9} if rule is SGD else {}))
    give_gradients(params[:2], 1)
    optimizer.step()
    give_gradients(params, 2)
    before = digest(optimizer)
    good = params[2].grad
    params[2].grad = rawseg.zeros(1)
    with pytest.raises(ShapeError, match=r"grad: expected shape \(\), that of its parameter, got shape \(1,\)"):
        optimizer.step()
    params[2].grad = rawseg.zeros(dtype=np.float64)
    with pytest.raises(DTypeError, match="grad: expected float32, that of its parameter, got float64"):
        optimizer.step()
    params[2].grad = good
    params[2].array.flags.writeable = False
    with pytest.raises(ArgumentError, match="params: expected writeable arrays, got a read-only one"):
        optimizer.step()
    params[2].array.flags.writeable = True

    def full(*_args):
        raise MemoryError

    with monkeypatch.context() as patch:  # the third parameter's slots do not fit into memory
        patch.setattr(np, "zeros", full)
        with pytest.raises(MemoryError):
            optimizer.step()
    assert digest(optimizer) == before
    optimizer.step()
    assert digest(optimizer) != before


@pytest.mark.parametrize(
    ("rule", "options"), [(SGD, {"momentum": 0.9}), (SGD, {}), (Adam, {"amsgrad": True}), (AdamW, {"betas": (0.8, 0.9)})]
)
def test_a_loaded_state_continues_bit_for_bit(rule, options):
    first = parameters()
    original = rule(first, lr=0.1, **options)
    for seed in range(3):
        give_gradients(first, seed)
        original.step()
    second = [rawseg.tensor(param.array.copy(), requires_grad=True) for param in first]
    continued = rule(second, lr=7.0, **options)
    saved = original.state_dict()
    continued.load_state_dict(saved)
    for seed in range(3, 6):
        give_gradients(first, seed)
        give_gradients(second, seed)
        original.step()
        continued.step()
        assert digest(continued) == digest(original)


def test_a_state_dict_is_plain_and_in_torchs_form():
    a, b, c = parameters()
    optimizer = Adam([{"params": [a], "lr": 0.5}, {"params": [b, c]}])
    give_gradients([a, c], 0)
    optimizer.step()
    saved = optimizer.state_dict()
    assert [group["params"] for group in saved["param_groups"]] == [[0], [1, 2]]
    assert sorted(saved["state"]) == [0, 2]
    assert sorted(saved["state"][0]) == ["exp_avg", "exp_avg_sq", "step"]
    assert isinstance(saved["state"][0]["exp_avg"], np.ndarray)
    json.dumps(saved["param_groups"])


def test_loading_copies_and_survives_json():
    a, _, _ = parameters()
    optimizer = Adam([a], betas=(0.8, 0.9))
    give_gradients([a], 0)
    optimizer.step()
    saved = optimizer.state_dict()
    saved["param_groups"] = json.loads(json.dumps(saved["param_groups"]))
    other = Adam([a])
    other.load_state_dict(saved)
    assert other.param_groups[0]["betas"] == (0.8, 0.9)
    assert not np.shares_memory(other.state[a]["exp_avg"], optimizer.state[a]["exp_avg"])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda s: s["param_groups"].pop(),
            r"param_groups: expected groups of \[1, 2\] parameters, as this optimizer has, got \[1\]",
        ),
        (lambda s: s["param_groups"][1]["params"].pop(), r"got \[1, 1\]"),
        (lambda s: s["param_groups"][0].pop("lr"), r"param_groups: expected the options \[.*\], got none called \['lr'\]"),
        (lambda s: s["param_groups"][0].update(lr=-1), "lr: expected a number"),
        (lambda s: s["param_groups"][0].update(betas=[0.1]), "betas: expected two numbers"),
        (lambda s: s["state"].update({3: {}}), "state: expected positions below 3, got 3"),
        (
            lambda s: s["state"][0].update(exp_avg=np.zeros((3, 2), np.float32)),
            r"state 0 exp_avg: expected float32 of shape \(2, 3\), got float32 of shape \(3, 2\)",
        ),
        (
            lambda s: s["state"][2].update(exp_avg=np.zeros(())),
            r"state 2 exp_avg: expected float32 .* got float64 of shape \(\)",
        ),
        (lambda s: s["state"][2].update(exp_avg="no"), "got str of shape None"),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    params = parameters()
    optimizer = Adam([{"params": params[:1], "lr": 0.5}, {"params": params[1:]}])
    give_gradients(params, 0)
    optimizer.step()
    saved = optimizer.state_dict()
    give_gradients(params, 1)
    optimizer.step()
    before = digest(optimizer)
    spoil(saved)
    with pytest.raises(CheckpointError, match=message):
        optimizer.load_state_dict(saved)
    assert digest(optimizer) == before


def test_a_step_on_the_cpu_knows_nothing_of_gpus():
    script = """
import sys
import rawseg
from rawseg import optim
x, y = (rawseg.ones(2, requires_grad=True) for _ in range(2))
x.grad = y.grad = rawseg.ones(2)
for rule in (optim.Adam, optim.SGD):
    rule([x, y], lr=0.1).step()
optim.clip_grad_norm_([x, y], 1.0)
optim.clip_grad_value_([x, y], 1.0)
print([name for name in sys.modules if "clip_together" in name or "_foreach.table" in name or "_kernels._cuda" in name])
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_rule_of_ones_own():
    class SignDescent(Optimizer):
        def __init__(self, params, lr):
            super().__init__(params, {"lr": lr})

        def check(self, group):
            pass

        def slots(self, group):
            return ()

        def update(self, group, state, x, gradient, fresh):
            x -= group["lr"] * np.sign(gradient)

    x = rawseg.tensor([1.0, 1.0], requires_grad=True)
    (x * rawseg.tensor([3.0, -3.0])).sum().backward()
    SignDescent([x], lr=0.5).step()
    assert x.tolist() == [0.5, 1.5]


@pytest.mark.parametrize(
    "change", [lambda slots: slots.pop("exp_avg_sq"), lambda slots: slots.update(momentum_buffer=slots["exp_avg"])]
)
def test_slots_of_another_rule_are_refused(change):
    def adam():
        x = rawseg.ones(2, requires_grad=True)
        x.grad = rawseg.ones(2)
        optimizer = Adam([x], 0.1)
        optimizer.step()
        return optimizer

    state = adam().state_dict()
    change(state["state"][0])
    with pytest.raises(CheckpointError, match=r"Adam: state 0: expected the slots \['exp_avg', 'exp_avg_sq'\], got \["):
        adam().load_state_dict(state)
