"""What gradcheck is given: inputs as NumPy arrays, which of them are checked, and what it has no use for."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...autograd import Tensor
from ...errors import ArgumentError, ArgumentTypeError, DTypeError, GraphError
from ..adapters import adapt
from ..adapters.adapter import Adapter

TOLERANCES = ("eps", "atol", "rtol")  # what torch.autograd.gradcheck takes


def unpacked(inputs: Sequence[Any]) -> Sequence[Any]:
    """Return the inputs, of a tuple alone what is in it: PyTorch's gradcheck takes a tuple."""
    return inputs[0] if len(inputs) == 1 and isinstance(inputs[0], tuple) else inputs


def refuse_others(op: str, others: Mapping[str, Any]) -> None:
    """Refuse keywords that are none, those of PyTorch's gradcheck with a word on why."""
    for name, value in others.items():
        if name in TOLERANCES:
            raise ArgumentTypeError(op, name, "nothing, as no tolerance is chosen here: step= is all there is", value)
        if name == "order":
            raise ArgumentTypeError(op, name, "nothing: gradcheck is of order 1, gradgradcheck of order 2", value)
        expected = "no argument but backward, options, wanted, step, seed, kinks and raise_exception"
        raise ArgumentTypeError(op, name, expected, repr(value))


def adapter_of(function: Any, inputs: Sequence[Any], backward: Any) -> Adapter:
    """Return the adapter of a function: what arrays it takes is seen by its inputs, else by its module."""
    for given in inputs:
        if _is_tensor(given):
            framework = "rawseg" if isinstance(given, Tensor) else "torch"
            return adapt(function, backward, framework=framework, device=str(given.device))
        if type(given).__module__.partition(".")[0] == "cupy":
            return adapt(function, backward, framework="cupy")
    return adapt(function, backward)


def _is_tensor(given: Any) -> bool:
    torch = sys.modules.get("torch")
    return isinstance(given, Tensor) or (torch is not None and isinstance(given, torch.Tensor))


def array_of(adapter: Adapter, position: int, given: Any) -> Any:
    """Return an input as a NumPy array."""
    if given is None or isinstance(given, (np.ndarray, np.generic)):
        return None if given is None else np.asarray(given)
    if isinstance(given, Tensor):
        return given.numpy()
    if _is_tensor(given):
        if given.is_floating_point() and given.element_size() < 4:
            raise DTypeError("gradcheck", f"inputs[{position}]", "float64 or float32", given.dtype)
        return given.detach().cpu().numpy()
    if type(given).__module__.partition(".")[0] == "cupy":
        return given.get()
    name = adapter.argument(position) or "name"
    expected = f"a Tensor, an array or None; what is neither goes by keyword: options={{{name!r}: ...}}"
    raise ArgumentTypeError("gradcheck", f"inputs[{position}]", expected, type(given).__name__)


def wanted_of(inputs: Sequence[Any], arrays: list[Any]) -> list[bool]:
    """Return which inputs are checked unless it is said: Tensors that require a gradient, or floating arrays."""
    if any(map(_is_tensor, inputs)):
        return [_is_tensor(given) and given.requires_grad for given in inputs]
    return [array is not None and array.dtype.kind == "f" for array in arrays]


def refuse_unfit(arrays: list[Any], wanted: list[bool]) -> None:
    """Refuse inputs of which nothing is to be checked, or what cannot be."""
    if len(wanted) != len(arrays):
        raise ArgumentError("gradcheck", "wanted", f"{len(arrays)} flags, one for each input", len(wanted))
    if not any(wanted):
        expected = "at least one Tensor with requires_grad=True, or one floating array"
        raise GraphError("gradcheck", "inputs", expected, "none")
    for position, (array, flag) in enumerate(zip(arrays, wanted)):
        if flag and (array is None or array.dtype not in (np.float32, np.float64)):
            got = None if array is None else array.dtype
            raise DTypeError("gradcheck", f"inputs[{position}]", "float64 or float32", got)
