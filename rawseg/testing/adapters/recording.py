"""Adapters of functions that are differentiated by recording them: rawseg's and PyTorch's."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...autograd import Function, Tensor, grad, set_grad_enabled
from ...errors import BackendError, GraphError
from .adapter import Adapter, Arrays, Given, GradientError, Options


class RecordedAdapter(Adapter):
    """What both have in common. A ``Function`` class is called through its ``apply``.

    Arrays are handed over as they are, strides and memory included; only PyTorch gets copies of those that it cannot take.
    """

    function_class: type = Function

    def __init__(self, function: Any, device: str = "cpu") -> None:
        super().__init__(function)
        self.device = device
        self._applied = isinstance(function, type) and issubclass(function, self.function_class)

    @cached_property
    def signature(self) -> inspect.Signature | None:
        """What the function takes; of a ``Function`` that is what its forward takes after the context."""
        if not self._applied:
            return super().signature
        found = inspect.signature(self.function.forward)
        return found.replace(parameters=list(found.parameters.values())[1:])

    def values(self, arrays: Given, options: Options) -> Arrays:
        """Return all outputs, computed without a graph."""
        with self.recording(False):
            outputs = self._called([self.leaf(array, False) for array in arrays], options)
        return [self.array(output) for output in outputs]

    def gradients(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays) -> Arrays:
        """Return the gradient for each wanted array, zeros where the outputs do not depend on it."""
        with self.recording(True):
            leaves = [self.leaf(array, flag) for array, flag in zip(arrays, wanted, strict=True)]
            outputs = [output for output in self._called(leaves, options) if self.is_floating(output)]
            inputs = [leaf for leaf, flag in zip(leaves, wanted) if flag]
            found = self._differentiated(outputs, inputs, [self.leaf(d, False) for d in directions], False)
        return self._filled(found, [array for array, flag in zip(arrays, wanted) if flag])

    def second(self, arrays: Given, options: Options, wanted: Sequence[bool], directions: Arrays, seeds: Arrays) -> Arrays:
        """Return the gradients of the gradients: for each wanted array, then for each direction."""
        with self.recording(True):
            leaves = [self.leaf(array, flag) for array, flag in zip(arrays, wanted, strict=True)]
            outputs = [output for output in self._called(leaves, options) if self.is_floating(output)]
            inputs = [leaf for leaf, flag in zip(leaves, wanted) if flag]
            ways = [self.leaf(direction, True) for direction in directions]
            first = self._differentiated(outputs, inputs, ways, True)
            live = [(g, self.leaf(seed, False)) for g, seed in zip(first, seeds, strict=True) if g is not None]
            found = self._differentiated([g for g, _ in live], inputs + ways, [seed for _, seed in live], False)
        return self._filled(found, [*(array for array, flag in zip(arrays, wanted) if flag), *directions])

    def _called(self, leaves: list[Any], options: Options) -> list[Any]:
        return self.outputs(self.apply(leaves, options), self.tensor_class)

    def _differentiated(self, outputs: list[Any], inputs: list[Any], directions: list[Any], create_graph: bool) -> list[Any]:
        live = [(out, direction) for out, direction in zip(outputs, directions, strict=True) if out.requires_grad]
        if not live or not inputs:
            return [None] * len(inputs)
        return list(self.grad([out for out, _ in live], inputs, [d for _, d in live], create_graph))

    def _filled(self, found: list[Any], arrays: list[np.ndarray]) -> Arrays:
        return [np.zeros_like(array) if g is None else self.array(g) for g, array in zip(found, arrays, strict=True)]

    # what a framework says of its own

    tensor_class: type = Tensor

    def apply(self, leaves: list[Any], options: Options) -> Any:
        """Call the function."""
        return (self.function.apply if self._applied else self.function)(*leaves, **options)

    def recording(self, mode: bool) -> Any:
        """Return a context in which operations are recorded, or are not."""
        raise NotImplementedError

    def leaf(self, array: Any, wanted: bool) -> Any:
        """Return an array as a leaf of the graph on the device; None stays None."""
        raise NotImplementedError

    def array(self, tensor: Any) -> np.ndarray:
        """Return a Tensor's elements on the CPU."""
        raise NotImplementedError

    def is_floating(self, tensor: Any) -> bool:
        """Return whether a Tensor may have a gradient."""
        raise NotImplementedError

    def grad(self, outputs: list[Any], inputs: list[Any], directions: list[Any], create_graph: bool) -> Sequence[Any]:
        """Return the gradients, None where the outputs do not depend on an input."""
        raise NotImplementedError


class RawsegAdapter(RecordedAdapter):
    """A function of rawseg's Tensors."""

    framework = "rawseg"

    def recording(self, mode: bool) -> Any:
        """Return rawseg's context."""
        return set_grad_enabled(mode)

    def leaf(self, array: Any, wanted: bool) -> Any:
        """Return a Tensor on the array's own memory, or on the device."""
        if array is None:
            return None
        tensor = Tensor(array)
        return (tensor if self.device == "cpu" else tensor.to(self.device)).requires_grad_(wanted)

    def array(self, tensor: Any) -> np.ndarray:
        """Return a copy: nobody may see memory that is used again."""
        return np.array(tensor.numpy())

    def is_floating(self, tensor: Any) -> bool:
        """Return whether it is a float."""
        return tensor.dtype.kind == "f"

    def grad(self, outputs: list[Any], inputs: list[Any], directions: list[Any], create_graph: bool) -> Sequence[Any]:
        """Return what `rawseg.grad` does; that a backward's answer was refused is said as of every other function."""
        try:
            return grad(outputs, inputs, directions, create_graph=create_graph, allow_unused=True)
        except GraphError as error:
            if error.argument == "backward" or error.argument.startswith("gradient of input"):
                raise GradientError(error.op, error.argument, error.expected, error.got) from error
            raise


class TorchAdapter(RecordedAdapter):
    """A function of PyTorch's Tensors; PyTorch is imported when there is one."""

    framework = "torch"

    def __init__(self, function: Any, device: str = "cpu") -> None:
        try:
            import torch
        except ImportError:
            raise BackendError("adapt", "framework", "PyTorch to be installed: pip install torch", "no torch module") from None
        self._torch = torch
        self.tensor_class, self.function_class = torch.Tensor, torch.autograd.Function
        super().__init__(function, device)

    def apply(self, leaves: list[Any], options: Options) -> Any:
        """Call the function; ``apply`` of PyTorch's Functions takes no keywords, so options go to their places."""
        if self._applied and options:
            bound = self.signature.bind(*leaves, **options)  # type: ignore[union-attr] (a Python function)
            bound.apply_defaults()
            return self.function.apply(*bound.args)
        return super().apply(leaves, options)

    def recording(self, mode: bool) -> Any:
        """Return PyTorch's context."""
        return self._torch.set_grad_enabled(mode)

    def leaf(self, array: Any, wanted: bool) -> Any:
        """Return a Tensor on the array's own memory where PyTorch can, or on the device."""
        if array is None:
            return None
        usable = array.flags.writeable and all(stride >= 0 for stride in array.strides)
        tensor = self._torch.from_numpy(array if usable else array.copy())
        return (tensor if self.device == "cpu" else tensor.to(self.device)).requires_grad_(wanted)

    def array(self, tensor: Any) -> np.ndarray:
        """Return a copy: nobody may see memory that is used again."""
        return np.array(tensor.numpy(force=True))  # PyTorch's lazy zeros, too

    def is_floating(self, tensor: Any) -> bool:
        """Return whether it is a float."""
        return tensor.is_floating_point()

    def grad(self, outputs: list[Any], inputs: list[Any], directions: list[Any], create_graph: bool) -> Sequence[Any]:
        """Return what `torch.autograd.grad` does; that a backward's answer was refused is said as of every other function."""
        try:
            return self._torch.autograd.grad(outputs, inputs, directions, create_graph=create_graph, allow_unused=True)
        except RuntimeError as error:
            if "returned an invalid gradient" in str(error) or "returned an incorrect number of gradients" in str(error):
                expected = "a gradient for each input, of its shape and dtype"
                raise GradientError(self.name, "backward", expected, str(error)) from error
            raise


KINDS = {"rawseg": RawsegAdapter, "torch": TorchAdapter}
