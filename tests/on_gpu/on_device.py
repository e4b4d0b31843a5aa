"""The catalogue's calls with the constants that they hold on a device, too: a label on the host is an error there."""

from __future__ import annotations

from collections.abc import Callable
from types import CellType, FunctionType
from typing import Any

import numpy as np

from rawseg import Tensor


def moved(value: Any, cupy: Any) -> Any:
    """Return arrays and Tensors on the device, and functions that hold such; everything else is itself."""
    if isinstance(value, np.ndarray):
        return cupy.asarray(value)
    if isinstance(value, Tensor):
        return value.to("cuda")
    if isinstance(value, FunctionType) and value.__module__.startswith("catalogue"):
        return moved_function(value, cupy)
    if type(value) in (tuple, list):
        return type(value)(moved(part, cupy) for part in value)
    if type(value) is dict:
        return {key: moved(part, cupy) for key, part in value.items()}
    return value


def moved_function(function: Callable[..., Any], cupy: Any) -> Callable[..., Any]:
    """Return a function whose globals, defaults and cells are on the device."""
    if not isinstance(function, FunctionType):
        return function
    names = function.__code__.co_names
    known = {name: value for name, value in function.__globals__.items() if name in names}
    cells = tuple(CellType(moved(cell.cell_contents, cupy)) for cell in function.__closure__ or ())
    spread = {name: moved(value, cupy) for name, value in known.items()}
    other = FunctionType(function.__code__, {**function.__globals__, **spread}, function.__name__, None, cells or None)
    other.__defaults__ = moved(function.__defaults__, cupy)
    other.__kwdefaults__ = moved(function.__kwdefaults__, cupy)
    return other
