"""The interface by which the onnx package asks a runtime for results; its standard test cases run through it.

>>> import onnx.backend.test
>>> import rawseg.onnx.backend
>>> onnx.backend.test.BackendTest(rawseg.onnx.backend, __name__)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..autograd import no_grad
from ..errors import ArgumentError, BackendError, RawsegError
from . import load
from .graph import Graph
from .package import require_onnx

__all__ = ["Prepared", "is_compatible", "prepare", "run_model", "run_node", "supports_device"]


class Prepared:
    """A model that is ready to be run.

    Parameters
    ----------
    graph : Graph
        The loaded model.
    device : str
        ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, graph: Graph, device: str = "cpu") -> None:
        self.graph, self.device = graph.to(device), device

    def run(self, inputs: Any, **options: Any) -> tuple[np.ndarray, ...]:
        """Return the outputs as NumPy arrays.

        Parameters
        ----------
        inputs : sequence of array, dict of array, or array
            In the graph's order, or by name; a single one may stand alone.
        **options
            Of other backends; ignored.
        """
        from ..creation import as_tensor

        if isinstance(inputs, dict):
            given = {name: as_tensor(value, device=self.device) for name, value in inputs.items()}
            ordered: list[Any] = []
        else:
            given = {}
            ordered = [as_tensor(value, device=self.device) for value in _listed(inputs)]
        with no_grad():
            found = self.graph(*ordered, **given)
        results = found if isinstance(found, tuple) else (found,)
        return tuple(np.array(result.numpy()) for result in results)


def prepare(model: Any, device: str = "CPU", **options: Any) -> Prepared:
    """Return a model that is ready to be run.

    Parameters
    ----------
    model : onnx.ModelProto, path or bytes
        As for `rawseg.onnx.load`.
    device : {"CPU", "CUDA"}
        Where; "CUDA:1" is the second GPU.
    **options
        Of other backends; ignored.

    Raises
    ------
    CheckpointError, ArgumentError, BackendError
        As `rawseg.onnx.load`; BackendError also if there is no such device.
    """
    return Prepared(load(model), _named(device))


def run_model(model: Any, inputs: Any, device: str = "CPU", **options: Any) -> tuple[np.ndarray, ...]:
    """Return the outputs of a model; parameters as in `prepare` and `Prepared.run`."""
    return prepare(model, device).run(inputs)


def run_node(
    node: Any, inputs: Any, device: str = "CPU", outputs_info: Sequence[Any] | None = None, **options: Any
) -> tuple[np.ndarray, ...]:
    """Return the outputs of one onnx.NodeProto.

    Parameters
    ----------
    node : onnx.NodeProto
        The node.
    inputs : sequence of array, dict of array, or array
        In the node's order, without those that it leaves out; or by name; a single one may stand alone.
    device : {"CPU", "CUDA"}
        Where.
    outputs_info : sequence, optional
        Of other backends; ignored.
    **options
        ``opset_version``: of the operator set; the newest by default.

    Raises
    ------
    ArgumentError
        If there are more or fewer inputs than the node reads; else as `prepare`, and from the node itself.
    """
    require_onnx("run_node")
    import onnx
    from onnx import helper

    from .reading.header import domain_of

    names = [name for name in node.input if name]
    if not isinstance(inputs, dict) and len(_listed(inputs)) != len(names):
        raise ArgumentError("run_node", "inputs", f"{len(names)}: {', '.join(names) or 'none'}", len(_listed(inputs)))
    given = inputs if isinstance(inputs, dict) else dict(zip(names, _listed(inputs)))
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(np.asarray(value).dtype), None)
        for name, value in given.items()
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in node.output if name]
    graph = helper.make_graph([node], "node", values, outputs)
    version = options.get("opset_version", onnx.defs.onnx_opset_version())
    sets = [helper.make_opsetid("", version)] + ([helper.make_opsetid(node.domain, 1)] if domain_of(node.domain) else [])
    return run_model(helper.make_model(graph, opset_imports=sets), dict(given), device)


def supports_device(device: str) -> bool:
    """Return whether rawseg computes on ``"CPU"`` or ``"CUDA"`` here."""
    from ..device import move

    if device.partition(":")[0] not in ("CPU", "CUDA"):
        return False
    try:
        move(np.zeros(1, np.float32), _named(device))
    except RawsegError:
        return False
    return True


def _named(device: str) -> str:
    """Return rawseg's name of a device; the interface numbers the CPU, too, of which there is one."""
    return "cpu" if device.partition(":")[0] == "CPU" else device.lower()


def _listed(inputs: Any) -> Sequence[Any]:
    """Return inputs in a list, or the only one."""
    return inputs if isinstance(inputs, (list, tuple)) else [inputs]


def is_compatible(model: Any, device: str = "CPU", **options: Any) -> bool:
    """Return whether rawseg has all that a model needs."""
    if not supports_device(device):
        return False
    try:
        load(model)
    except BackendError:
        raise
    except RawsegError:
        return False
    return True
