"""Activations, softmax and dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as TF
from twins import spread

import rawseg
from catalogue.entry import KernelCall, OpCall, forms
from rawseg import functional as F
from rawseg_kernels import activation, softmax

FORMS = ("direct", "expressions", "reference")
PARAMETERS = {
    "hardtanh": (-1.5, 2.0),
    "leaky_relu": (0.25,),
    "elu": (1.0, 1.5, 0.75),
    "softplus": (2.0, 5.0),
}


def drawn(*shape: int) -> Any:
    """Arrays of these shapes in a dtype, across kinks and zeros."""
    return lambda dtype: [(np.random.default_rng(i).standard_normal(shape) * 3).astype(dtype) for i in range(2)]


def one(*shape: int) -> Any:
    return lambda dtype: drawn(*shape)(dtype)[:1]


def _activations(algorithm: str) -> list[KernelCall]:
    calls = []
    for kind in activation.KINDS:
        parameters = PARAMETERS.get(kind, ())
        forward = lambda x, a, k=kind, p=parameters: activation.forward(x, k, p, a)  # noqa: E731
        backward = lambda g, saved, a, k=kind, p=parameters: activation.backward(g, saved, k, p, a)  # noqa: E731
        calls += forms("activation", f"activation.forward {kind}", [algorithm], forward, one(3, 5, 7))
        calls += forms("activation", f"activation.backward {kind}", [algorithm], backward, drawn(3, 5, 7))
    return calls


def _softmaxes(algorithm: str) -> list[KernelCall]:
    calls = []
    for logarithm in (False, True):
        for axis in (1, 2):  # strips, and rows
            name = f"{'logarithm ' if logarithm else ''}axis {axis}"
            forward = lambda x, a, axis=axis, log=logarithm: softmax.forward(x, axis, log, a)  # noqa: E731
            backward = lambda g, out, a, axis=axis, log=logarithm: softmax.backward(g, out, axis, log, a)  # noqa: E731
            calls += forms("softmax", f"softmax.forward {name}", [algorithm], forward, one(3, 4, 9))
            calls += forms("softmax", f"softmax.backward {name}", [algorithm], backward, drawn(3, 4, 9))
    return calls


KERNELS = [call for algorithm in FORMS for call in (*_activations(algorithm), *_softmaxes(algorithm))]

X = spread((3, 4))
WIDE = spread((3, 4), -5, 9)  # beyond the kinks at -3, 3 and 6


def _seeded(drop: Any) -> Any:
    def call(x):
        rawseg.manual_seed(5)
        return drop(x, 0.4)

    return call


def _kept(drop: Any, shape: tuple[int, ...]) -> Any:
    """The same zeros on PyTorch's side."""
    rawseg.manual_seed(5)
    scale = torch.tensor(drop(rawseg.ones(*shape, dtype=np.float64), 0.4).numpy())
    return lambda x: x * scale


OPS = [
    OpCall("relu", "relu", F.relu, [X], TF.relu),
    OpCall("relu6", "relu6", F.relu6, [WIDE], TF.relu6),
    OpCall("hardtanh", "hardtanh", lambda x: F.hardtanh(x, -0.6, 1.1), [X], lambda x: TF.hardtanh(x, -0.6, 1.1)),
    OpCall("leaky_relu", "leaky_relu", lambda x: F.leaky_relu(x, 0.3), [X], lambda x: TF.leaky_relu(x, 0.3)),
    OpCall("elu", "elu", lambda x: F.elu(x, 1.5), [X], lambda x: TF.elu(x, 1.5)),
    OpCall("selu", "selu", F.selu, [X], TF.selu),
    OpCall("celu", "celu", lambda x: F.celu(x, 0.5), [X], lambda x: TF.celu(x, 0.5)),
    # PyTorch's own has no second derivative, and a first one with a float32 sixth
    OpCall("hardsigmoid", "hardsigmoid", F.hardsigmoid, [WIDE], lambda x: torch.clamp(x / 6 + 0.5, 0, 1)),
    OpCall("hardswish", "hardswish", F.hardswish, [WIDE], TF.hardswish),
    OpCall("silu", "silu", F.silu, [WIDE], TF.silu),
    OpCall("gelu", "gelu", F.gelu, [X], TF.gelu),
    OpCall("gelu", "gelu tanh", lambda x: F.gelu(x, "tanh"), [X], lambda x: TF.gelu(x, approximate="tanh")),
    OpCall("mish", "mish", F.mish, [WIDE], TF.mish),
    OpCall("sigmoid", "sigmoid", F.sigmoid, [X], torch.sigmoid),
    OpCall("tanh", "tanh", F.tanh, [X], torch.tanh),
    OpCall("logsigmoid", "logsigmoid", F.logsigmoid, [X], TF.logsigmoid),
    OpCall("softplus", "softplus", lambda x: F.softplus(x, 2.0, 3.1), [X], lambda x: TF.softplus(x, 2.0, 3.1)),
    OpCall("softplus", "softplus everywhere", lambda x: F.softplus(x, 1.0, math.inf), [X], TF.softplus),
    OpCall("softmax", "softmax", lambda x: F.softmax(x, 1), [spread((2, 3, 2))], lambda x: TF.softmax(x, 1)),
    OpCall("softmax", "softmax last", lambda x: F.softmax(x, -1), [X], lambda x: TF.softmax(x, -1)),
    OpCall("log_softmax", "log_softmax", lambda x: F.log_softmax(x, 0), [spread((3, 2))], lambda x: TF.log_softmax(x, 0)),
    OpCall("dropout", "dropout", _seeded(F.dropout), [X], _kept(F.dropout, X.shape)),
    OpCall("dropout2d", "dropout2d", _seeded(F.dropout2d), [spread((2, 3, 2, 2))], _kept(F.dropout2d, (2, 3, 2, 2))),
]
