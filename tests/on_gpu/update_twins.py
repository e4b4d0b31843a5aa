"""Update rules on equal parameters of the CPU and of the device."""

from __future__ import annotations

from typing import Any

import numpy as np

import rawseg
from rawseg import optim

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
