"""One node of ONNX on arrays: what an operator's function is called with, without a graph around it."""

from __future__ import annotations

from typing import Any

import numpy as np

from rawseg.autograd import Tensor
from rawseg.onnx import Node
from rawseg.onnx.operators import compute


def node(op: str, inputs: int, outputs: int = 1, version: int = 21, missing: tuple[int, ...] = (), **attributes: Any) -> Node:
    """Return a node with names of its own; those of ``missing`` inputs are empty."""
    names = tuple("" if i in missing else f"in{i}" for i in range(inputs))
    return Node(op, names, tuple(f"out{i}" for i in range(outputs)), attributes, "", "", version)


def run(op: str, *arrays: Any, outputs: int = 1, version: int = 21, **attributes: Any) -> Any:
    """Return what a node makes of arrays (None: left out), as an array, or a tuple where it has several outputs."""
    inputs = [None if array is None else Tensor(np.asarray(array)) for array in arrays]
    missing = tuple(i for i, array in enumerate(arrays) if array is None)
    found = compute(node(op, len(arrays), outputs, version, missing, **attributes), *inputs)
    results = tuple(tensor.numpy() for tensor in found)
    return results[0] if outputs == 1 else results


def ints(*values: int) -> np.ndarray:
    """Return a row of int64."""
    return np.array(values, np.int64)


def floats(*values: float) -> np.ndarray:
    """Return a row of float32."""
    return np.array(values, np.float32)


def same(got: np.ndarray, want: Any) -> bool:
    """Return whether two arrays agree in dtype, shape and every element, NaN included."""
    want = np.asarray(want)
    return got.dtype == want.dtype and got.shape == want.shape and np.array_equal(got, want, equal_nan=want.dtype.kind == "f")
