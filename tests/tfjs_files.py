"""Models in TensorFlow.js's form as tests need them: a list of nodes and arrays, written as model.json and weights.bin."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import rawseg
from rawseg import tfjs
from rawseg.errors import CheckpointError

Attribute = bool | int | float | str | Sequence[int] | Sequence[str]


def attribute(value: Attribute) -> dict[str, Any]:
    """Return an attribute as the JSON of a protocol buffer spells it: bytes in base 64, whole numbers as text."""
    if isinstance(value, bool):
        return {"b": value}
    if isinstance(value, int):
        return {"i": str(value)}
    if isinstance(value, float):
        return {"f": value}
    if isinstance(value, str):
        return {"type": value} if value.startswith("DT_") else {"s": base64.b64encode(value.encode()).decode()}
    if value and isinstance(value[0], str):
        return {"list": {"s": [base64.b64encode(text.encode()).decode() for text in value]}}  # type: ignore[union-attr]
    return {"list": {"i": [str(number) for number in value]}}


def node(name: str, op: str, inputs: Sequence[str] = (), **attributes: Attribute) -> dict[str, Any]:
    """Return one node."""
    return {"name": name, "op": op, "input": list(inputs), "attr": {key: attribute(v) for key, v in attributes.items()}}


def placeholder(shape: Sequence[int], name: str = "x") -> dict[str, Any]:
    """Return the node of an input."""
    dims = [{"size": str(size)} for size in shape]
    return {"name": name, "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}, "shape": {"shape": {"dim": dims}}}}


def manifest(arrays: dict[str, np.ndarray], paths: Sequence[str] = ("weights.bin",)) -> list[dict[str, Any]]:
    """Return the manifest of arrays of float32 and int32 that lie one after the other."""
    return [
        {
            "paths": list(paths),
            "weights": [{"name": n, "shape": list(a.shape), "dtype": str(a.dtype)} for n, a in arrays.items()],
        }
    ]


def write(
    folder: Path, nodes: list[dict[str, Any]], arrays: dict[str, np.ndarray], outputs: Sequence[str] = (), **changes: Any
) -> Path:
    """Write a model whose constants are ``arrays``; ``changes`` replace entries of model.json. Return model.json's path."""
    folder.mkdir(parents=True, exist_ok=True)
    constants = [{"name": name, "op": "Const", "attr": {}} for name in arrays]
    content: dict[str, Any] = {
        "format": "graph-model",
        "modelTopology": {"node": [*constants, *nodes]},
        "weightsManifest": manifest(arrays),
    }
    if outputs:
        content["signature"] = {"outputs": {name: {"name": f"{name}:0"} for name in outputs}}
    path = folder / "model.json"
    path.write_text(json.dumps({**content, **changes}))
    (folder / "weights.bin").write_bytes(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays.values()))
    return path


def whole(seed: int, *shape: int) -> np.ndarray:
    """Return small whole numbers, whose sums are exact in float32."""
    return np.random.default_rng(seed).integers(-4, 5, shape).astype(np.float32)


def images(array: np.ndarray) -> np.ndarray:
    """Return (N, H, W, C) as (N, C, H, W)."""
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2))


def run(
    folder: Path, nodes: list[dict[str, Any]], arrays: dict[str, np.ndarray], *inputs: np.ndarray, outputs: Sequence[str] = ()
) -> Any:
    """Return what a model computes; images are given as (N, H, W, C) and returned as (N, C, H, W)."""
    net = tfjs.load(write(folder, nodes, arrays, outputs))
    with rawseg.no_grad():
        found = net(*[rawseg.Tensor(images(x) if x.ndim == 4 else x) for x in inputs])
    return [value.numpy() for value in found] if isinstance(found, tuple) else found.numpy()


# a model that others are changed from
ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(1, 1, 2, 3), "n": np.array(2, np.int32)}
CONV = {"strides": [1, 1, 1, 1], "padding": "SAME"}
NODES = [placeholder((1, 4, 4, 2)), node("y", "Conv2D", ["x", "w"], **CONV)]


def refused(path: Any) -> str:
    """Return the message with which a model is refused."""
    with pytest.raises(CheckpointError) as caught:
        tfjs.load(path)
    return str(caught.value)
