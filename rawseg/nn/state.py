"""Weights by name: collected for saving, and checked as a whole before any is overwritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..autograd import Tensor, no_grad
from ..creation import from_dlpack
from ..device import device_of, move
from ..errors import ArgumentTypeError, CheckpointError

if TYPE_CHECKING:
    from .tree import Tree


class IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` could not match."""

    missing_keys: list[str]
    unexpected_keys: list[str]


def saved_tensors(module: Tree, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """Yield parameters and persistent buffers by dotted name; what is shared comes under each of its names, as in PyTorch."""
    for name, tensor in module._parameters.items():
        if tensor is not None:
            yield prefix + name, tensor
    for name, tensor in module._buffers.items():
        if tensor is not None and name not in module._not_saved:
            yield prefix + name, tensor
    for name, child in module.named_children():
        yield from saved_tensors(child, f"{prefix}{name}.")


def check(module: Tree, state_dict: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Raise with a list of all that does not fit the module; return the names that merely have no partner."""
    if not isinstance(state_dict, Mapping):
        raise ArgumentTypeError("load_state_dict", "state_dict", "a mapping of names to Tensors", type(state_dict).__name__)
    targets = dict(saved_tensors(module))
    missing = [name for name in targets if name not in state_dict]
    unexpected = [name for name in state_dict if name not in targets]
    arrays = {name: _array(state_dict[name]) for name in targets if name in state_dict}
    mismatched = [text for name, array in arrays.items() if (text := _mismatch(name, targets[name], array))]
    problems = {"missing": missing, "unexpected": unexpected} if strict else {}
    problems["mismatched"] = mismatched
    if any(problems.values()):
        report = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
        expected = f"the names, shapes and dtypes of {type(module).__name__}"
        raise CheckpointError("load_state_dict", "state_dict", expected, report)
    return IncompatibleKeys(missing, unexpected)


def load(module: Tree, state_dict: Mapping[str, Any], strict: bool) -> IncompatibleKeys:
    """Write ``state_dict`` into the module, or raise with a list of all that does not fit and write nothing."""
    keys = check(module, state_dict, strict)
    targets = {name: tensor for name, tensor in saved_tensors(module) if name in state_dict}
    moved = {name: move(_array(state_dict[name]), tensor.device) for name, tensor in targets.items()}
    with no_grad():
        for name, array in moved.items():
            targets[name].copy_(Tensor(array))
    return keys


def _array(value: Any) -> Any:
    """Return the array of a Tensor, or of another library's: a PyTorch state dict loads as it is."""
    if isinstance(value, Tensor):
        return value.array
    return from_dlpack(value).array if hasattr(value, "__dlpack__") and not device_of(value) else value


def _mismatch(name: str, target: Tensor, array: Any) -> str:
    """Return what is wrong with an array, or nothing."""
    if not device_of(array):
        return f"{name} ({type(array).__name__} instead of an array)"
    if array.shape == target.shape and array.dtype == target.dtype:
        return ""
    return f"{name} ({array.shape} {array.dtype} instead of {target.shape} {target.dtype})"
