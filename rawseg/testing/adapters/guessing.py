"""Whose arrays a function takes: by where it was defined, and by what its module has imported."""

from __future__ import annotations

import inspect
from functools import partial
from types import ModuleType
from typing import Any

FRAMEWORKS = ("rawseg", "torch", "numpy", "cupy")
RECORDED = ("rawseg", "torch")  # frameworks that find gradients themselves
CLASSES = ("Function", "Module")  # what these are called in rawseg and PyTorch alike, wherever a user's subclass lives


def framework_of(function: Any) -> str:
    """Return whose arrays a function takes, by where it was defined: "rawseg", "torch" or "numpy".

    Examples
    --------
    >>> import rawseg
    >>> framework_of(rawseg.functional.conv2d)
    'rawseg'
    """
    function = _within_partials(function)
    for kind in function.__mro__ if isinstance(function, type) else type(function).__mro__:
        if kind.__name__ in CLASSES and _root(kind) in RECORDED:
            return _root(kind)
    for place in (function, *(getattr(function, name, None) for name in ("__self__", "__objclass__")), type(function)):
        if _root(place) in RECORDED:
            return _root(place)
    return "numpy"


def imported_frameworks(function: Any) -> list[str]:
    """Return which of rawseg and PyTorch the module of a function has imported: whose arrays it may take, too."""
    function = inspect.unwrap(_within_partials(function))
    function = getattr(function, "__func__", function)
    names = getattr(function, "__globals__", {})
    found = {_root(value) for value in list(names.values()) if isinstance(value, ModuleType) or callable(value)}
    return [name for name in RECORDED if name in found]


def _within_partials(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _root(place: Any) -> str:
    """Return the first part of the name of the module that something belongs to."""
    name = getattr(place, "__module__", None) or getattr(place, "__name__", "")
    return name.partition(".")[0] if isinstance(name, str) else ""
