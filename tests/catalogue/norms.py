"""Normalisation over batches, groups, images and rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as TF
from twins import spread

from catalogue.entry import OpCall, forms
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


CALLS = [
    (
        "batch_norm.forward_train",
        lambda x, w, b, a: batch_norm.forward_train(x, w, b, algorithm=a),
        lambda dtype: [maps(dtype), *channels(dtype)],
    ),
    (
        "batch_norm.forward_eval",
        lambda *arrays: batch_norm.forward_eval(*arrays[:5], algorithm=arrays[5]),
        lambda dtype: [maps(dtype), *channels(dtype), *running(dtype)],
    ),
    ("batch_norm.statistics", lambda x, a: batch_norm.statistics(x, EPS, a), lambda dtype: [maps(dtype)]),
    (
        "batch_norm.moved_statistics",
        lambda *arrays: batch_norm.moved_statistics(*arrays[:4], 0.25, arrays[4]),
        lambda dtype: [*running(dtype), *of_batch(dtype)[3:]],
    ),
    (
        "batch_norm.normalise",
        lambda x, weight, bias, mean, inv_std, a: batch_norm.normalise(x, weight, bias, mean, inv_std, 0.0, 6.0, a),
        lambda dtype: [maps(dtype), *channels(dtype), *of_batch(dtype)[3:]],
    ),
    ("batch_norm.backward_train", batch_norm.backward_train, of_batch),
    (
        "batch_norm.backward_train clamped",
        lambda *arrays: batch_norm.backward_train(*arrays[:5], arrays[6], bias=arrays[5], low=0.0, high=0.5),
        lambda dtype: [*of_batch(dtype), channels(dtype)[1]],
    ),
    (
        "batch_norm.backward_eval",
        lambda *arrays: batch_norm.backward_eval(*arrays[:5], algorithm=arrays[5]),
        lambda dtype: [maps(dtype, 3), maps(dtype), channels(dtype)[0], *running(dtype)],
    ),
    (
        "group_norm.forward",
        lambda x, weight, bias, a: group_norm.forward(x, 2, weight, bias, EPS, a),
        lambda dtype: [maps(dtype), *channels(dtype)],
    ),
    ("group_norm.backward", lambda g, x, *rest: group_norm.backward(g, x, 2, *rest), of_groups),
    (
        "layer_norm.forward",
        lambda x, weight, bias, a: layer_norm.forward(x, (3, 23), weight, bias, EPS, a),
        lambda dtype: [rows(dtype), *elements(dtype)],
    ),
    ("layer_norm.backward", lambda g, x, *rest: layer_norm.backward(g, x, (3, 23), *rest), of_rows),
]
KERNELS = [
    entry
    for algorithm in ("direct", "reference")
    for name, call, arrays in CALLS
    for entry in forms(name.partition(".")[0], name, [algorithm], call, arrays)
]

MEAN, VAR = np.array([0.5, -1.0]), np.array([2.0, 0.3])


def _evaluation(library: Any, tensor: Any) -> Any:
    mean, var = tensor(MEAN), tensor(VAR)
    return lambda x, w, b: library.batch_norm(x, mean, var, w, b)


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
