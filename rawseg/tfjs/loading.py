"""From a model.json to a network that runs, differentiates and learns."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import CheckpointError, RawsegError
from ..onnx import Graph
from ..onnx.signature import Signature
from . import operators as _all_of_them  # noqa: F401  registers the translations
from . import registry
from .manifest import read_weights
from .operation import Operation
from .topology import in_order, outputs_of, reachable, read_operations, read_topology
from .translator import Translator
from .value import Value

__all__ = ["load", "operations"]

DTYPES = {"DT_FLOAT": np.float32, "DT_INT32": np.int32, "DT_UINT8": np.uint8, "DT_BOOL": np.bool_}


def load(path: str | os.PathLike[str]) -> Graph:
    """Load a graph model of TensorFlow.js.

    Parameters
    ----------
    path : str or path
        Its ``model.json``; the files with the weights lie in the same folder. Nothing in them is executed.

    Returns
    -------
    Graph
        In evaluation. Images go in and come out as (N, C, H, W), any number of them, in the sizes that the file says, and in
        the range that the network was made for. Floating weights are parameters under the names that they have in the file,
        their axes in the order of PyTorch; single numbers, such as the 3 and the 6 of a hard swish, are not trained.

    Raises
    ------
    CheckpointError
        If a file is damaged, contradicts another or lies elsewhere; or if the network has operations that rawseg lacks, all of
        which are named.

    Notes
    -----
    Weights that are stored as float16, uint8 or uint16 become float32. A weight that two operations read in different orders
    of its axes becomes two parameters.
    """
    content = read_topology(path)
    operations = read_operations(content["modelTopology"])
    wanted = outputs_of(content, operations)
    _check_known(str(path), [operations[name] for name in reachable(operations, wanted.values())])
    order = in_order(operations, wanted.values())
    weights = read_weights(content.get("weightsManifest"), Path(path).parent)
    try:
        return _graph(order, wanted, weights)
    except CheckpointError as error:
        raise CheckpointError("tfjs", f"{path}: {error.argument}", error.expected, error.got) from None
    except (RawsegError, MemoryError) as error:  # the graph's own checks
        raise CheckpointError("tfjs", str(path), "a graph that can be computed", error) from error
    except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, RuntimeError) as error:
        text = f"{type(error).__name__}: {error}"[:300]  # of NumPy or Python, about what no check foresaw
        raise CheckpointError("tfjs", str(path), "an intact graph", text) from error


def operations() -> list[str]:
    """Return the names of TensorFlow's operations that can be translated."""
    return registry.names()


def _check_known(path: str, order: list[Operation]) -> None:
    lacking = Counter(operation.op for operation in order if not registry.known(operation.op))
    if lacking:
        listed = ", ".join(f"{op} ({count})" for op, count in lacking.most_common())
        raise CheckpointError("tfjs", path, "operations that rawseg has (rawseg.tfjs.operations())", f"{listed}")


def _graph(order: list[Operation], wanted: Mapping[str, tuple[str, int]], weights: Mapping[str, np.ndarray]) -> Graph:
    t = Translator(weights)
    signatures = []
    for operation in order:
        values = registry.translate(t, operation)
        t.keep(operation, values)
        if operation.op.startswith("Placeholder"):
            signatures.append(_signature(operation, values[0]))
    outputs = [_written(t, key, reference) for key, reference in wanted.items()]
    return Graph(t.nodes, [signature.name for signature in signatures], outputs, t.arrays, signatures=signatures)


def _signature(operation: Operation, value: Value) -> Signature:
    dtype = operation.dtype("dtype")
    if dtype not in DTYPES:
        operation.refuse("dtype", f"one of {', '.join(DTYPES)}", dtype)
    shape = value.shape
    if value.is_image:
        n, height, width, channels = shape
        shape = (n, channels, height, width)
    return Signature(value.name, np.dtype(DTYPES[dtype]), shape)


def _written(t: Translator, key: str, reference: tuple[str, int]) -> str:
    """Return the name of an output: as the signature calls it."""
    value = t.output(*reference)
    if value is None or value.array is not None or value.sizes is not None:
        raise CheckpointError("tfjs", "signature", "outputs that are computed", ":".join(map(str, reference)))
    return value.name if value.name == key else t.add("Identity", [value.name], key)
