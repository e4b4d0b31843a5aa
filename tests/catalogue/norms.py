"""Normalisation over batches, groups, images and rows."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as TF
from twins import spread

from catalogue.entry import KernelCall, OpCall
from rawseg import functional as F
from rawseg_kernels import batch_norm, group_norm, layer_norm

EPS = 1e-5


def normal(seed: int, *shape: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def maps(dtype: Any, seed: int = 0) -> np.ndarray:
    return normal(seed, 2, 4, 9, 70, dtype=dtype)  # 630 pixels: more than one round of lanes


def channels(dtype: Any) -> list[np.ndarray]:
    return [normal(1, 4, dtype=dtype), normal(2, 4, dtype=dtype)]


def rows(dtype: Any, seed: int = 0) -> np.ndarray:
    return normal(seed, 2, 75, 3, 23, dtype=dtype)  # 150 rows: three parts; 69 values: more than one round of lanes


def elements(dtype: Any) -> list[np.ndarray]:
    return [normal(1, 3, 23, dtype=dtype), normal(2, 3, 23, dtype=dtype)]


def of_batch(dtype: Any) -> list[np.ndarray]:
    weight, bias = channels(dtype)
    return [maps(dtype, 3), maps(dtype), weight, *batch_norm.forward_train(maps(dtype), weight, bias, EPS)[1:3]]


def of_groups(dtype: Any) -> list[np.ndarray]:
    return [maps(dtype, 3), maps(dtype), channels(dtype)[0], *group_norm.forward(maps(dtype), 2, eps=EPS)[1:3]]


def of_rows(dtype: Any) -> list[np.ndarray]:
    return [rows(dtype, 3), rows(dtype), elements(dtype)[0], *layer_norm.forward(rows(dtype), (3, 23), eps=EPS)[1:]]


def running(dtype: Any) -> list[np.ndarray]:
    return [channels(dtype)[1], abs(channels(dtype)[0])]


def _calls(algorithm: str) -> list[KernelCall]:
    chosen = {"algorithm": algorithm}
    return [
        KernelCall(
            "batch_norm",
            f"batch_norm.forward_train {algorithm}",
            partial(batch_norm.forward_train, **chosen),
            lambda dtype: [maps(dtype), *channels(dtype)],
        ),
        KernelCall(
            "batch_norm",
            f"batch_norm.forward_eval {algorithm}",
            partial(batch_norm.forward_eval, **chosen),
            lambda dtype: [maps(dtype), *channels(dtype), *running(dtype)],
        ),
        KernelCall(
            "batch_norm",
            f"batch_norm.statistics {algorithm}",
            lambda x: batch_norm.statistics(x, EPS, **chosen),
            lambda dtype: [maps(dtype)],
        ),
        KernelCall(
            "batch_norm",
            f"batch_norm.normalise {algorithm}",
            lambda x, weight, bias, mean, inv_std: batch_norm.normalise(x, weight, bias, mean, inv_std, 0.0, 6.0, **chosen),
            lambda dtype: [maps(dtype), *channels(dtype), *of_batch(dtype)[3:]],
        ),
        KernelCall(
            "batch_norm", f"batch_norm.backward_train {algorithm}", partial(batch_norm.backward_train, **chosen), of_batch
        ),
        KernelCall(
            "batch_norm",
            f"batch_norm.backward_train clamped {algorithm}",
            lambda *arrays: batch_norm.backward_train(*arrays[:5], **chosen, bias=arrays[5], low=0.0, high=0.5),
            lambda dtype: [*of_batch(dtype), channels(dtype)[1]],
        ),
        KernelCall(
            "batch_norm",
            f"batch_norm.backward_eval {algorithm}",
            partial(batch_norm.backward_eval, **chosen),
            lambda dtype: [maps(dtype, 3), maps(dtype), channels(dtype)[0], *running(dtype)],
        ),
        KernelCall(
            "group_norm",
            f"group_norm.forward {algorithm}",
            lambda x, weight, bias: group_norm.forward(x, 2, weight, bias, EPS, **chosen),
            lambda dtype: [maps(dtype), *channels(dtype)],
        ),
        KernelCall(
            "group_norm",
            f"group_norm.backward {algorithm}",
            lambda g, x, *arrays: group_norm.backward(g, x, 2, *arrays, **chosen),
            of_groups,
        ),
        KernelCall(
            "layer_norm",
            f"layer_norm.forward {algorithm}",
            lambda x, weight, bias: layer_norm.forward(x, (3, 23), weight, bias, EPS, **chosen),
            lambda dtype: [rows(dtype), *elements(dtype)],
        ),
        KernelCall(
            "layer_norm",
            f"layer_norm.backward {algorithm}",
            lambda g, x, *arrays: layer_norm.backward(g, x, (3, 23), *arrays, **chosen),
            of_rows,
        ),
    ]


KERNELS = [*_calls("direct"), *_calls("reference")]

MEAN, VAR = np.array([0.5, -1.0]), np.array([2.0, 0.3])


def _evaluation(library: Any, tensor: Any) -> Any:
    return lambda x, w, b: library.batch_norm(x, tensor(MEAN), tensor(VAR), w, b)


def _op(op: str, name: str, call: Any, *shapes: tuple[int, ...]) -> OpCall:
    """Return the same call of either library."""
    arrays = [spread(shape, seed=seed) for seed, shape in enumerate(shapes)]
    return OpCall(op, name, lambda *a: call(F, *a), arrays, lambda *a: call(TF, *a))


OPS = [
    _op(
        "batch_norm",
        "batch_norm training",
        lambda f, x, w, b: f.batch_norm(x, None, None, w, b, True),
        (2, 2, 2, 1),
        (2,),
        (2,),
    ),
    _op("batch_norm", "batch_norm training plain", lambda f, x: f.batch_norm(x, None, None, training=True), (3, 2)),
    OpCall(
        "batch_norm",
        "batch_norm evaluation",
        _evaluation(F, np.array),
        [spread((2, 2, 2, 1)), spread((2,), seed=1), spread((2,), seed=2)],
        _evaluation(TF, torch.tensor),
    ),
    _op("group_norm", "group_norm", lambda f, x, w, b: f.group_norm(x, 2, w, b), (2, 4, 2, 1), (4,), (4,)),
    _op("group_norm", "group_norm plain", lambda f, x: f.group_norm(x, 1), (2, 3)),
    _op(
        "instance_norm",
        "instance_norm",
        lambda f, x, w, b: f.instance_norm(x, None, None, w, b),
        (2, 2, 3, 2),
        (2,),
        (2,),
    ),
    OpCall(
        "instance_norm",
        "instance_norm evaluation",
        lambda x, w, b: F.instance_norm(x, MEAN, VAR, w, b, False),
        [spread((2, 2, 2, 1)), spread((2,), seed=1), spread((2,), seed=2)],
        lambda x, w, b: TF.instance_norm(x, torch.tensor(MEAN), torch.tensor(VAR), w, b, False),
    ),
    _op("layer_norm", "layer_norm", lambda f, x, w, b: f.layer_norm(x, (2, 3), w, b), (2, 2, 3), (2, 3), (2, 3)),
    _op("layer_norm", "layer_norm plain", lambda f, x: f.layer_norm(x, (4,)), (3, 4)),
]
