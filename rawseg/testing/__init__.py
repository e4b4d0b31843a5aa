"""Checks of layers and their gradients, for rawseg's own and for everybody's, and what is needed to write more."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .adapters import Adapter, adapt, load
from .gradients.checking import GradcheckError, examine, gradcheck, gradgradcheck

if TYPE_CHECKING:
    from . import strategies
    from .case import Case
    from .conformance import Report, assert_conforms, check, each
    from .explanation import Explanation, explain
    from .faults import planted
    from .plain import plain_kernels

# Loaded when they are asked for: they bring hypothesis, or every operation.
LATER = {
    "Case": "case",
    "Explanation": "explanation",
    "Report": "conformance",
    "assert_conforms": "conformance",
    "check": "conformance",
    "each": "conformance",
    "explain": "explanation",
    "plain_kernels": "plain",
    "planted": "faults",
}

__all__ = [
    "Adapter",
    "Case",
    "Explanation",
    "GradcheckError",
    "Report",
    "adapt",
    "assert_conforms",
    "check",
    "each",
    "examine",
    "explain",
    "gradcheck",
    "gradgradcheck",
    "load",
    "plain_kernels",
    "planted",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return import_module(".strategies", __name__)
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)
