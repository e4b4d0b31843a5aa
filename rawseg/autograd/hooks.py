"""Hooks are kept in dicts by number, in the order in which they were registered; a handle removes one."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

__all__ = ["RemovableHandle"]

_numbers = count()


class RemovableHandle:
    """What registering a hook returns."""

    def __init__(self, hooks: dict[int, Callable], hook: Callable) -> None:
        self._hooks, self._number = hooks, next(_numbers)
        hooks[self._number] = hook

    def remove(self) -> None:
        """Remove the hook; a second time does nothing."""
        self._hooks.pop(self._number, None)
