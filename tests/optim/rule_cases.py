"""Update rules with the options that change what they do, and parameters for them."""

from __future__ import annotations

import numpy as np

import rawseg
from rawseg.optim import SGD, Adam, AdamW

SGD_CASES = [
    {},
    {"momentum": 0.9},
    {"momentum": 0.9, "dampening": 0.3},
    {"momentum": 0.9, "nesterov": True},
    {"weight_decay": 0.1},
    {"momentum": 0.8, "weight_decay": 0.05, "nesterov": True, "maximize": True},
    {"maximize": True},
    {"lr": 0.0, "momentum": 0.9},
]
ADAM_CASES = [
    {},
    {"betas": (0.5, 0.9), "eps": 1e-4},
    {"betas": (0.0, 0.99)},
    {"weight_decay": 0.1},
    {"weight_decay": 0.0},
    {"amsgrad": True},
    {"amsgrad": True, "weight_decay": 0.2, "maximize": True},
    {"maximize": True},
]
CASES = [(SGD, case) for case in SGD_CASES] + [(rule, case) for rule in (Adam, AdamW) for case in ADAM_CASES]
names = [f"{rule.__name__}-{'-'.join(map(str, case)) or 'defaults'}-{i}" for i, (rule, case) in enumerate(CASES)]


def parameter(values) -> rawseg.Tensor:
    return rawseg.tensor(np.asarray(values), requires_grad=True)
