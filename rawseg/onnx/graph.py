"""Graph: a list of nodes as a Module, so that what was loaded can be run, differentiated, trained and saved like any network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..autograd import Tensor
from ..errors import ArgumentError
from ..nn import Module, Parameter
from .node import Node
from .operators import compute

__all__ = ["Graph"]


class Graph(Module):
    """A network of ONNX operators.

    Parameters
    ----------
    nodes : list of Node
        In an order in which every value is written before it is read.
    inputs, outputs : list of str
        Names of the values that go in and come out.
    weights : dict of ndarray
        By name: float32 and float64 ones become parameters, the others buffers.

    Notes
    -----
    ``state_dict`` keeps the graph's own names; a "." in them is kept as it is, since a Graph has no children.
    """

    def __init__(
        self, nodes: Sequence[Node], inputs: Sequence[str], outputs: Sequence[str], weights: Mapping[str, np.ndarray]
    ) -> None:
        super().__init__()
        self.nodes, self.input_names, self.output_names = list(nodes), list(inputs), list(outputs)
        for name, array in weights.items():
            if array.dtype.kind == "f":
                self._parameters[name] = Parameter(Tensor(array))
            else:
                self._buffers[name] = Tensor(array)

    def forward(self, *args: Any) -> Any:
        """Return the output, or a tuple of several, for inputs in the graph's order."""
        if len(args) != len(self.input_names):
            raise ArgumentError("onnx", "inputs", f"{len(self.input_names)}: {', '.join(self.input_names)}", len(args))
        values = {**self._buffers, **self._parameters, **dict(zip(self.input_names, args))}
        for node in self.nodes:
            found = compute(node, *[values[name] if name else None for name in node.inputs])
            values.update(zip(node.outputs, found))
        results = tuple(values[name] for name in self.output_names)
        return results if len(results) > 1 else results[0]
