"""Checks of layers and their gradients, for rawseg's own and for everybody's, and what is needed to write more."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from .adapters import Adapter, adapt, load
from .gradients.checking import GradcheckError, examine, gradcheck, gradgradcheck
from .gradients.report import GradientReport

if TYPE_CHECKING:
    from . import faults, strategies
    from .case import Case
    from .conformance import CHECKS, Outcome, Report, assert_conforms, check, each
    from .explanation import Explanation, explain
    from .faults import Fault, measure, planted
    from .plain import plain_kernels

# Loaded when they are asked for: they bring hypothesis, or every operation.
MODULES = ("faults", "strategies")
LATER = {
    "CHECKS": "conformance",
    "Case": "case",
    "Explanation": "explanation",
    "Fault": "faults",
    "Outcome": "conformance",
    "Report": "conformance",
    "assert_conforms": "conformance",
    "check": "conformance",
    "each": "conformance",
    "explain": "explanation",
    "measure": "faults",
    "plain_kernels": "plain",
    "planted": "faults",
}

__all__ = [
    "CHECKS",
    "Adapter",
    "Case",
    "Explanation",
    "Fault",
    "GradcheckError",
    "GradientReport",
    "Outcome",
    "Report",
    "adapt",
    "assert_conforms",
    "check",
    "each",
    "examine",
    "explain",
    "faults",
    "gradcheck",
    "gradgradcheck",
    "load",
    "measure",
    "plain_kernels",
    "planted",
    "strategies",
]


def __getattr__(name: str) -> Any:
    if name in MODULES:
        return import_module(f".{name}", __name__)
    if name not in LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{LATER[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
