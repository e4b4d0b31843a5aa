"""Which function translates which operation into ONNX nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ..program import Step

__all__ = ["translates", "translation", "untranslated"]

_TRANSLATIONS: dict[Any, Callable[..., Any]] = {}


def translates(*operations: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register ``function(writer, step)`` for operations: Functions, and functions that are recordable.

    It returns the name of the value that the step gives, or a list of names for several; "" for one that ONNX lacks.
    """

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for operation in operations:
            _TRANSLATIONS[operation] = function
        return function

    return register


def translation(step: Step) -> Callable[..., Any] | None:
    """Return what translates a step, or None."""
    return _TRANSLATIONS.get(step.operation)


def untranslated(steps: Iterable[Step]) -> list[str]:
    """Return a line for each operation that has no translation: its name and the modules that ran it."""
    found: dict[str, list[str]] = {}
    for step in steps:
        if translation(step) is None:
            modules = found.setdefault(step.name, [])
            if step.module not in modules:
                modules.append(step.module)
    return [f"{name} (in {', '.join(module or 'the model itself' for module in modules)})" for name, modules in found.items()]
