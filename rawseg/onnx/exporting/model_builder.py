"""ModelBuilder: nodes, weights and names, collected and put together as an ONNX model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import ModelProto, NodeProto, ValueInfoProto, helper, numpy_helper

from ...errors import ArgumentError

__all__ = ["LARGEST_FILE", "OP", "ModelBuilder", "element_type", "value_info"]

OP = "onnx.export"
LARGEST_FILE = 2**31 - 1  # bytes that a protocol buffer can have
ROOM = 2**24  # bytes of these for the nodes


class ModelBuilder:
    """An ONNX model in the making.

    Parameters
    ----------
    opset : int
        Version of ONNX's operator set.
    dtype : dtype
        What float64 becomes; float64 itself keeps it.
    reserved : sequence of str
        Names that no node's output may take: the inputs', the outputs' and the weights'.
    """

    def __init__(self, opset: int, dtype: np.dtype, reserved: Sequence[str] = ()) -> None:
        self.opset, self._wide = opset, dtype
        self.path = ""  # of the module whose nodes are being made; every node's name begins with it
        self._nodes: list[NodeProto] = []
        self._weights: dict[str, np.ndarray] = {}
        self._taken = set(reserved)
        self._constants: dict[tuple, str] = {}
        self._outputs: dict[str, str] = {}  # value -> the model's name of it
        self._shapes: dict[str, str] = {}
        self._lengths: dict[tuple[str, int], str] = {}

    def dtype(self, dtype: Any) -> np.dtype:
        """Return the dtype that arrays of a network's dtype have in the file."""
        dtype = np.dtype(dtype)
        return self._wide if dtype == np.float64 else dtype

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Add a node and return the name of its output, or a list of them if there are several.

        Parameters
        ----------
        op : str
            ONNX's operator.
        *inputs : str
            Names of values, "" for one that is left out.
        outputs : int
            How many it gives.
        **attributes
            ONNX's; None leaves one out.
        """
        node = self._free(f"{self.path}/{op}")
        names = [f"{node}_output" if i == 0 else f"{node}_output_{i}" for i in range(outputs)]
        self._taken.update(names)
        given = {key: value for key, value in attributes.items() if value is not None}
        while inputs and inputs[-1] == "":
            inputs = inputs[:-1]
        self._nodes.append(helper.make_node(op, list(inputs), names, node, **given))
        return names if outputs > 1 else names[0]

    def give(self, name: str, value: str) -> None:
        """Let a value be an output of the model, of that name."""
        made = any(value in node.output for node in self._nodes)
        if value in self._outputs or not made:  # it has a name that it must keep
            self._nodes.append(helper.make_node("Identity", [value], [name], self._free(f"/{name}/Identity")))
        else:
            self._outputs[value] = name

    def weight(self, name: str, array: np.ndarray) -> str:
        """Add a parameter or a buffer under its own name."""
        if name not in self._weights:
            self._weights[name] = np.ascontiguousarray(array, self.dtype(array.dtype)).reshape(array.shape)
        return name

    def constant(self, array: Any, dtype: Any = None) -> str:
        """Add an array that is no parameter; equal ones are one."""
        array = np.asarray(array, dtype)
        return self._stored(np.ascontiguousarray(array, self.dtype(array.dtype)).reshape(array.shape))

    def _stored(self, array: np.ndarray) -> str:
        key = array.shape, array.dtype.str, array.tobytes()
        if key not in self._constants:
            name = self._free(f"constant_{len(self._constants)}")
            self._constants[key] = name
            self._weights[name] = array
        return self._constants[key]

    def ints(self, *numbers: int) -> str:
        """Add a vector of int64."""
        return self.constant(np.asarray(numbers, np.int64))

    def double(self, numbers: Any) -> str:
        """Add float64 numbers that stay float64 whatever the network's become."""
        return self._stored(np.asarray(numbers, np.float64))

    def scalar(self, number: float, dtype: Any) -> str:
        """Add a number of a network's dtype."""
        return self.constant(np.asarray(number, dtype))

    def length(self, value: str, axis: int) -> str:
        """Add what reads the size of an axis, a vector of one int64; asked again, it is the same."""
        if (value, axis) not in self._lengths:
            if value not in self._shapes:
                self._shapes[value] = self.node("Shape", value)
            self._lengths[value, axis] = self.node("Gather", self._shapes[value], self.ints(axis), axis=0)
        return self._lengths[value, axis]

    def cast(self, value: str, dtype: Any) -> str:
        """Add a conversion to a NumPy dtype, as it is."""
        return self.node("Cast", value, to=element_type(np.dtype(dtype)))

    def model(
        self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto], about: Mapping[str, Any]
    ) -> ModelProto:
        """Put the model together.

        Parameters
        ----------
        name : str
            Of the graph.
        inputs, outputs : sequence of ValueInfoProto
            See `value_info`.
        about : mapping
            Texts for readers: ``doc``, ``producer_version``, and ``metadata``, texts by name.

        Raises
        ------
        ArgumentError
            If the weights exceed what a file can hold.
        """
        for node in self._nodes:
            for names in (node.input, node.output):
                names[:] = [self._outputs.get(value, value) for value in names]
        read = {value for node in self._nodes for value in node.input}
        weights = {key: array for key, array in self._weights.items() if key in read}
        size = sum(array.nbytes for array in weights.values())
        if size > LARGEST_FILE - ROOM:
            raise ArgumentError(OP, "model", f"weights of at most {LARGEST_FILE - ROOM} bytes, which one ONNX file holds", size)
        tensors = [numpy_helper.from_array(array, key) for key, array in weights.items()]
        graph = helper.make_graph(self._nodes, name, list(inputs), list(outputs), tensors, doc_string=about.get("doc", ""))
        opset = helper.make_opsetid("", self.opset)
        model = helper.make_model(graph, opset_imports=[opset], producer_name="rawseg")
        model.ir_version = helper.find_min_ir_version_for([opset])
        model.producer_version = about.get("producer_version", "")
        model.doc_string = about.get("doc", "")
        for key, value in about.get("metadata", {}).items():
            model.metadata_props.add(key=key, value=value)
        return model

    @property
    def size(self) -> int:
        """How many nodes there are."""
        return len(self._nodes)

    def _free(self, name: str) -> str:
        """Return the name itself, or with a number behind it if it is taken."""
        found, number = name, 0
        while found in self._taken:
            number += 1
            found = f"{name}_{number}"
        self._taken.add(found)
        return found


def element_type(dtype: np.dtype) -> int:
    """Return ONNX's number of a dtype."""
    return helper.np_dtype_to_tensor_dtype(dtype)


def value_info(name: str, dtype: np.dtype, shape: Sequence[int | str]) -> ValueInfoProto:
    """Describe an input or an output; a text in the shape is the name of a size that varies."""
    return helper.make_tensor_value_info(name, element_type(dtype), list(shape))
