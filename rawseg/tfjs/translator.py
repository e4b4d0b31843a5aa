"""Translator: TensorFlow's operations, one after the other, into nodes of ONNX, and (N, H, W, C) into (N, C, H, W).

Whatever a convolution, a pooling or a resizing writes lies as (N, C, H, W), and so does what is computed from it element by
element. Everything else lies as TensorFlow has it; between the two a Transpose stands where one operation needs the other form.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import CheckpointError
from ..onnx.node import Node
from .operation import Operation
from .value import Shape, Value

__all__ = ["Translator"]

TO_IMAGE, TO_PLAIN = (0, 3, 1, 2), (0, 2, 3, 1)
VERSION = 21  # of ONNX's operators


class Translator:
    """What has been translated so far.

    Parameters
    ----------
    weights : dict of ndarray
        The file's, by name.

    Attributes
    ----------
    nodes : list of Node
        In order.
    arrays : dict of ndarray
        Weights and constants of the graph, in the form in which its nodes read them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.weights = weights
        self.nodes: list[Node] = []
        self.arrays: dict[str, np.ndarray] = {}
        self._values: dict[tuple[str, int], Value] = {}
        self._taken: set[str] = set()
        self._forms: dict[tuple[str, str], str] = {}  # (value, form) -> name of the value in that form

    # values

    def input(self, operation: Operation, slot: int) -> Value:
        """Return what an operation reads; CheckpointError if it has not so many inputs."""
        if slot >= len(operation.inputs):
            operation.refuse("input", f"at least {slot + 1} inputs", len(operation.inputs))
        found = self._values.get(operation.inputs[slot])
        if found is None:
            name, output = operation.inputs[slot]
            operation.refuse("input", "an output that its operation has", f"{name}:{output}")
        return found

    def inputs(self, operation: Operation) -> list[Value]:
        """Return all that an operation reads."""
        return [self.input(operation, slot) for slot in range(len(operation.inputs))]

    def output(self, name: str, slot: int) -> Value | None:
        """Return a value by its operation and the number of the output, None if there is none."""
        return self._values.get((name, slot))

    def keep(self, operation: Operation, values: Sequence[Value]) -> None:
        """Remember what an operation wrote."""
        self._values.update({(operation.name, slot): value for slot, value in enumerate(values)})

    def constant(self, operation: Operation, slot: int) -> np.ndarray:
        """Return an input that must be a constant."""
        value = self.input(operation, slot)
        if value.array is None:
            operation.refuse(f"input {slot}", "a constant", "a computed value")
        return value.array

    def sizes(self, operation: Operation, slot: int) -> Shape:
        """Return whole numbers that must be known, or None one by one where they depend on the input's size."""
        found = self.known(self.input(operation, slot))
        if found is None:
            operation.refuse(f"input {slot}", "whole numbers that are known before it runs", "computed ones")
        return found

    def known(self, value: Value) -> Shape | None:
        """Return the whole numbers that a value is, as far as they are known; None for any other value."""
        if value.array is not None and value.array.dtype.kind in "iu" and value.rank <= 1:
            return tuple(value.array.reshape(-1).tolist())
        return value.sizes

    # what is made

    def add(self, op: str, inputs: Iterable[str], name: str, attributes: Mapping[str, Any] | None = None) -> str:
        """Add a node with one output, and return the output's name, which is new."""
        name = self.new_name(name)
        self.nodes.append(Node(op, tuple(inputs), (name,), dict(attributes or {}), name, "", VERSION))
        return name

    def new_name(self, wanted: str) -> str:
        """Return a name that no value has yet."""
        name, number = wanted, 1
        while name in self._taken:
            number += 1
            name = f"{wanted}/{number}"
        self._taken.add(name)
        return name

    def hold(self, array: np.ndarray, name: str) -> str:
        """Add a constant, and return its name."""
        name = self.new_name(name)
        self.arrays[name] = np.ascontiguousarray(array).reshape(array.shape)
        return name

    def formed(self, value: Value, form: str, array: np.ndarray) -> str:
        """Return the name of a constant in a form that a node needs: its own name for the first form, another for the next."""
        key = (value.name, form if array.ndim else "")  # a number has one form
        if key not in self._forms:
            self._forms[key] = self.hold(array, value.name)
        return self._forms[key]

    # how things lie

    def image(self, value: Value) -> str:
        """Return the name of a value with up to four axes as (N, C, H, W); constants of fewer axes stay without N.

        Raises
        ------
        CheckpointError
            If it has more axes.
        """
        if value.is_image:
            return value.name
        if value.rank > 4:
            raise CheckpointError("tfjs", value.name, "at most four axes beside images", f"shape {value.shape}")
        if value.array is not None:
            if value.array.ndim == 0:
                return self.formed(value, "", value.array)
            four = value.array.reshape((1,) * (4 - value.rank) + value.array.shape).transpose(TO_IMAGE)
            return self.formed(value, "image", four[0] if value.rank < 4 else four)
        return self._turned(value, "image", TO_IMAGE, 4 - value.rank)

    def plain(self, value: Value) -> str:
        """Return the name of a value that lies as TensorFlow has it."""
        if value.array is not None:
            return self.formed(value, "plain", value.array)
        if value.sizes is not None:
            if None in value.sizes:
                raise CheckpointError("tfjs", value.name, "sizes that are known before it runs", value.sizes)
            return self.formed(value, "plain", np.array(value.sizes, np.int32).reshape(value.shape))  # type: ignore[arg-type]
        return self._turned(value, "plain", TO_PLAIN, 0) if value.is_image else value.name

    def _turned(self, value: Value, form: str, order: tuple[int, ...], missing: int) -> str:
        """Transpose a computed value, after axes of length 1 were put before its own."""
        key = (value.name, form)
        if key not in self._forms:
            name = value.name
            if missing:
                axes = self.hold(np.arange(missing), f"{name}/axes")
                name = self.add("Unsqueeze", [name, axes], f"{name}/unsqueezed")
            self._forms[key] = self.add("Transpose", [name], f"{value.name}/{form}", {"perm": order})
        return self._forms[key]
