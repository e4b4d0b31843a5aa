"""Which arrays of a case go to a function by position, and which by name."""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from functools import wraps
from inspect import signature
from typing import Any

from ..case import Case
from .adapter import Adapter


def placed(adapter: Adapter, case: Case, function: Callable[..., Any]) -> Adapter:
    """Return the adapter of a function that is called as a case says.

    The arrays that stand first in the signature of rawseg's ``function`` go by position, whatever others call them. What comes
    behind an argument that is no array, or behind an array that the case leaves out, goes by name: ``group_norm(input,
    num_groups=2, weight=weight)``. None is then not handed over. A ``Function`` takes everything by position.

    Examples
    --------
    >>> import numpy as np
    >>> from rawseg.functional import mse_loss
    >>> from rawseg.testing.adapters import adapt
    >>> def mine(x, t, reduction="mean", weight=1.0):
    ...     return np.sum(weight * (x - t) ** 2)
    >>> one, two = np.array([1.0]), np.array([2.0])
    >>> case = Case("mse_loss", {"input": two, "target": one, "weight": two})
    >>> placed(adapt(mine, framework="numpy"), case, mse_loss).values(case.values, {})
    [array(2.)]
    """
    names = list(case.arrays)
    count = next((i for i, pair in enumerate(zip(names, signature(function).parameters)) if pair[0] != pair[1]), len(names))
    if count == len(names) or isinstance(adapter.function, type):
        return adapter
    view: Any = copy(adapter)
    view.function = _by_name(adapter.function, names[count:])
    if getattr(adapter, "backward", None) is not None:
        view.backward = _by_name(view.backward, names[count:])
    return view


def _by_name(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """Return the function whose last arrays go by these names."""

    @wraps(function)
    def call(*arrays: Any, **options: Any) -> Any:
        last = dict(zip(names, arrays[-len(names) :]))
        return function(*arrays[: -len(names)], **{name: a for name, a in last.items() if a is not None}, **options)

    return call
