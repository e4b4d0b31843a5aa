"""Switches of the current thread: whether a graph is recorded, and whether non-finite results are an error."""

from __future__ import annotations

import threading
from contextlib import ContextDecorator
from typing import Any

__all__ = ["detect_anomaly", "enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]


class _Modes(threading.local):
    grad = True
    anomaly = False
    recorder: Any = None  # who is told every operation (`rawseg.autograd.recording`); then no graph is kept


modes = _Modes()


def is_grad_enabled() -> bool:
    """Return whether operations on this thread record a graph."""
    return modes.grad


class _Switch(ContextDecorator):
    """Sets one mode inside a ``with`` block or a decorated function, and restores it after."""

    mode = "grad"
    value = True

    def __init__(self) -> None:
        self._before: list[bool] = []  # a stack, since one decorated function may call itself

    def __enter__(self):
        self._before.append(getattr(modes, self.mode))
        setattr(modes, self.mode, self.value)
        return self

    def __exit__(self, *_exception) -> None:
        setattr(modes, self.mode, self._before.pop())


class no_grad(_Switch):
    """Record no graph inside: results have ``requires_grad=False``.

    Examples
    --------
    >>> import rawseg
    >>> x = rawseg.ones(2, requires_grad=True)
    >>> with rawseg.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    """

    value = False


class enable_grad(_Switch):
    """Record the graph again, inside a `no_grad` block."""


class set_grad_enabled(_Switch):
    """Record the graph or not, as a variable says: inside a ``with`` block or a decorated function, or from a plain call on.

    Parameters
    ----------
    mode : bool
        True to record.
    """

    def __init__(self, mode: bool) -> None:
        super().__init__()
        self.value = mode
        self._before_call: bool | None = modes.grad
        modes.grad = mode

    def __enter__(self):
        self._undo_call()
        return super().__enter__()

    def __call__(self, function):
        self._undo_call()
        return super().__call__(function)

    def _undo_call(self) -> None:
        """Take back what a plain call would have done: this one is a block or a decorator."""
        if self._before_call is not None:
            modes.grad, self._before_call = self._before_call, None


class graph_kept:
    """Record the graph or not inside a ``with`` block: sooner than `set_grad_enabled`, which can do more."""

    __slots__ = ("_before", "_mode")

    def __init__(self, mode: bool) -> None:
        self._mode = mode

    def __enter__(self) -> None:
        self._before, modes.grad = modes.grad, self._mode

    def __exit__(self, *_exception: object) -> None:
        modes.grad = self._before


class detect_anomaly(_Switch):
    """Raise a GraphError that names the first operation, forward or backward, that yields inf or NaN."""

    mode = "anomaly"
