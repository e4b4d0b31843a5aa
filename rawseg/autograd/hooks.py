"""Hooks are kept in dicts by number, in the order in which they were registered; a handle removes one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING
from weakref import ref

if TYPE_CHECKING:
    from .tensor import Tensor

__all__ = ["KeepGradient", "RemovableHandle"]

_numbers = count()


class RemovableHandle:
    """What registering a hook returns."""

    def __init__(self, hooks: dict[int, Callable], hook: Callable) -> None:
        self._hooks, self._number = hooks, next(_numbers)
        hooks[self._number] = hook

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self._hooks.pop(self._number, None)


class KeepGradient:
    """The hook of `Tensor.retain_grad`: adds to ``.grad`` of a Tensor that is not a leaf, while that Tensor lives."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = ref(tensor)  # the Tensor owns the node that owns this hook

    def __call__(self, gradient: Tensor) -> None:
        if (tensor := self._tensor()) is not None:
            tensor.grad = gradient.clone() if tensor.grad is None else tensor.grad + gradient
