"""A catalogue of mistakes that can be planted in rawseg's operations, to measure what a suite of tests finds."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from .fault import Fault
from .measuring import measure
from .planting import planted

__all__ = ["Fault", "faults", "measure", "planted"]


@cache
def faults() -> tuple[Fault, ...]:
    """Return the whole catalogue, family by family."""
    families = [import_module(f".{module.name}", __name__) for module in iter_modules(__path__)]
    return tuple(fault for family in families for fault in getattr(family, "FAULTS", ()))
