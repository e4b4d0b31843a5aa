"""Which function translates which of TensorFlow's operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .operation import Operation
from .translator import Translator
from .value import Value

__all__ = ["known", "names", "translate", "translation"]

Translation = Callable[[Translator, Operation], Any]
_TRANSLATIONS: dict[str, Translation] = {}


def translation(*ops: str) -> Callable[[Translation], Translation]:
    """Register ``function(translator, operation)``, which returns a Value, or several, for TensorFlow's names of operations."""

    def register(function: Translation) -> Translation:
        _TRANSLATIONS.update(dict.fromkeys(ops, function))
        return function

    return register


def known(op: str) -> bool:
    """Return whether an operation can be translated."""
    return op in _TRANSLATIONS


def names() -> list[str]:
    """Return the operations that can be translated."""
    return sorted(_TRANSLATIONS)


def translate(translator: Translator, operation: Operation) -> Sequence[Value]:
    """Return what an operation writes, after its nodes were added."""
    found = _TRANSLATIONS[operation.op](translator, operation)
    return [found] if isinstance(found, Value) else found
