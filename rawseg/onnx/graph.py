"""Graph: a list of nodes as a Module, so that what was loaded can be run, differentiated, trained and saved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np

from ..autograd import Tensor
from ..autograd.operands import dtype_of, is_dtype
from ..errors import ArgumentError
from ..nn import Module, Parameter
from .node import Node
from .operators import compute
from .signature import Signature
from .structure import check_operators, check_order, last_readers
from .weights import roles

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
        By name. Floats with at least one axis become parameters, but for what is a setting of its reader or a running
        statistic; those, and all others, become buffers.
    constants : collection of str, optional
        Names of weights that are not to be trained in any case.
    signatures : list of Signature, optional
        What the inputs must be, by the names in ``inputs``; those without one take anything.

    Attributes
    ----------
    nodes : list of Node
        As given.
    input_names, output_names : list of str
        As given.

    Raises
    ------
    ArgumentError
        If an operator is missing in rawseg (all of them are named), or a value is read before it is written, written twice,
        or never written.

    Notes
    -----
    A new Graph is in evaluation, for that is what an exported network computes. `train` lets every Dropout drop, and every
    BatchNormalization normalise by its batch and update its running statistics, as the layers of `rawseg.nn` do.

    ``state_dict`` has the parameters and the running statistics under the graph's own names; a "." in them is kept as it is,
    since a Graph has no children. Other constants, such as shapes, are not part of it.

    A value is dropped as soon as its last reader has run.

    Examples
    --------
    >>> import numpy as np
    >>> import rawseg
    >>> from rawseg.onnx import Graph, Node
    >>> graph = Graph([Node("MatMul", ("x", "weight"), ("y",))], ["x"], ["y"], {"weight": np.ones((2, 1), np.float32)})
    >>> graph(rawseg.tensor([[1.0, 2.0]])).tolist()
    [[3.0]]
    >>> [name for name, _ in graph.named_parameters()]
    ['weight']
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        inputs: Sequence[str],
        outputs: Sequence[str],
        weights: Mapping[str, np.ndarray],
        *,
        constants: Collection[str] = (),
        signatures: Sequence[Signature] = (),
    ) -> None:
        super().__init__()
        check_operators(nodes)
        check_order(nodes, inputs, outputs, weights)
        self.nodes, self.input_names, self.output_names = list(nodes), list(inputs), list(outputs)
        self._signatures = {name: Signature(name) for name in inputs}
        self._signatures.update((signature.name, signature) for signature in signatures)
        self._spent = last_readers(self.nodes, outputs)
        parameters, statistics = roles(nodes, weights, constants)
        for name, array in weights.items():  # directly: the names are the graph's own, dots and all
            if name in parameters:
                self._parameters[name] = Parameter(Tensor(array))
            else:
                self._buffers[name] = Tensor(array)
                if name not in statistics:
                    self._not_saved.add(name)
        self.training = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return the output, or a tuple of several.

        Parameters
        ----------
        *args, **kwargs : Tensor or array
            The inputs in the graph's order, or by name; ``graph(**{"input.1": x})`` for a name that is no word of Python.

        Raises
        ------
        ArgumentError
            If there are too many or too few inputs; or from a node, which is named.
        ArgumentTypeError, DTypeError, ShapeError
            If an input is not what the graph declares; or from a node, which is named.
        """
        values: dict[str, Any] = self._checked(args, kwargs)
        for node, spent in zip(self.nodes, self._spent):
            inputs = [self._value(name, values) if name else None for name in node.inputs]
            found = compute(node, *inputs, training=self.training)
            if any(node.outputs[len(found) :]):
                node.refuse("outputs", f"at most {len(found)}", node.outputs)
            values.update((name, value) for name, value in zip(node.outputs, found) if name)
            del inputs, found
            for name in spent:
                values.pop(name, None)
        results = tuple(self._value(name, values) for name in self.output_names)
        return results if len(results) != 1 else results[0]

    def _value(self, name: str, values: Mapping[str, Any]) -> Any:
        if name in values:
            return values[name]
        return self._parameters[name] if name in self._parameters else self._buffers[name]

    def _checked(self, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        wanted = f"{len(self.input_names)}: {', '.join(self.input_names) or 'none'}"
        if len(args) > len(self.input_names):
            raise ArgumentError("onnx", "inputs", wanted, len(args))
        given = dict(zip(self.input_names, args))
        twice = sorted(given.keys() & kwargs.keys())
        if twice:
            raise ArgumentError("onnx", "inputs", "each of them once", f"{', '.join(twice)} twice")
        given |= kwargs
        if set(given) != set(self.input_names):
            raise ArgumentError("onnx", "inputs", wanted, f"{len(given)}: {', '.join(given) or 'none'}")
        return {name: self._signatures[name].checked(value) for name, value in given.items()}

    def _get(self, registry: str, op: str, what: str, target: str) -> Any:
        found = self.__dict__[registry].get(target)  # a whole name: dots in it are the graph's own, not a path to a child
        if found is None:
            raise ArgumentError(op, "target", f"{what} of {type(self).__name__}", repr(target))
        return found

    def to(self, device: Any = None, dtype: Any = None) -> Self:
        """Move the weights to a device, or floating ones to a dtype, in which the inputs are then expected."""
        super().to(device, dtype)
        wanted = device if is_dtype(device) else dtype
        if wanted is not None:
            kind = dtype_of("to", "dtype", wanted)
            self._signatures = {name: signature.in_dtype(kind) for name, signature in self._signatures.items()}
        return self

    def extra_repr(self) -> str:
        """Return the inputs, the outputs, and how many nodes of which operators there are."""
        counts = ", ".join(f"{count} {op}" for op, count in Counter(node.op for node in self.nodes).most_common())
        inputs = ", ".join(str(signature) for signature in self._signatures.values())
        size = sum(parameter.size for parameter in self.parameters())
        return f"{inputs} -> {', '.join(self.output_names)}; {len(self.nodes)} nodes: {counts}; {size} parameters"

    def summary(self) -> str:
        """Return a line for each node: its operator and name, the shapes of its weights, what it reads and writes."""
        lines = [("operator", "name", "weights", "reads", "writes")]
        for node in self.nodes:
            held = [name for name in node.inputs if name in self._parameters or name in self._buffers]
            shapes = " ".join("x".join(map(str, self._value(name, {}).shape)) or "scalar" for name in held)
            read = ", ".join(name for name in node.inputs if name and name not in held)
            lines.append((node.op, node.name, shapes, read, ", ".join(filter(None, node.outputs))))
        widths = [max(len(line[i]) for line in lines) for i in range(4)]
        return "\n".join(
            "  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[4]]).rstrip() for line in lines
        )
