"""Recording of what a network computes, for those who write it down elsewhere; no graph is kept meanwhile.

A recorder has two methods. ``applied(operation, inputs, options, outputs)`` is told every application of a `Function`, and
every call of a function that is decorated with `recordable`: inputs are Tensors or None, options all other arguments by name,
and outputs a tuple of Tensors. ``overwritten(tensor, index, value)`` is told that elements of a Tensor were replaced in place.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol, TypeVar

from . import late
from .grad_mode import modes

__all__ = ["Recorder", "recordable", "recording"]

F = TypeVar("F", bound=Callable[..., Any])


class Recorder(Protocol):
    """Who is told; see the module's docstring."""

    def applied(self, operation: Any, inputs: tuple, options: dict[str, Any], outputs: tuple) -> None:
        """Take note of an operation."""

    def overwritten(self, tensor: Any, index: Any, value: Any) -> None:
        """Take note of a change in place."""


@contextmanager
def recording(recorder: Recorder | None) -> Iterator[None]:
    """Tell a recorder all operations of this thread inside a ``with`` block; None tells none.

    Inside, `is_grad_enabled` is true, so that modules hand on Tensors and not packed forms of them, but no graph is kept.
    """
    before = modes.recorder, modes.grad
    modes.recorder, modes.grad = recorder, True
    try:
        yield
    finally:
        modes.recorder, modes.grad = before


def recordable(function: F) -> F:
    """Decorate a function that computes on plain arrays: a recorder sees its calls as one operation each, and nothing below."""
    signature = inspect.signature(function)

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if modes.recorder is None:
            return function(*args, **kwargs)
        recorder, modes.recorder = modes.recorder, None
        try:
            out = function(*args, **kwargs)
        finally:
            modes.recorder = recorder
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        inputs = tuple(value for value in bound.arguments.values() if isinstance(value, late.Tensor))
        options = {name: value for name, value in bound.arguments.items() if not isinstance(value, late.Tensor)}
        recorder.applied(call, inputs, options, tuple(out) if isinstance(out, tuple) else (out,))
        return out

    return call  # type: ignore[return-value]
