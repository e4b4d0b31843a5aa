"""Implementations as functions of parts of their arrays, and which gradients they lack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..adapters import Adapter, GradientError, placed
from ..case import Case
from ..contracts.contract import Contract
from ..definition import Definition
from .copies import copied

Arrays = list[np.ndarray]


class PartlyMoved(Adapter):
    """An implementation as a function of those parts of a case's arrays that may move; the rest stays.

    Parameters
    ----------
    adapter : Adapter
        The implementation.
    case : Case
        The arrays.
    parts : mapping of str to index
        Of arrays of which not all may move, the index of what may.
    """

    def __init__(self, adapter: Adapter, case: Case, parts: Mapping[str, Any]) -> None:
        super().__init__(adapter.function)
        self._adapter, self._case, self._parts = adapter, case, [parts.get(name, ...) for name in case.arrays]

    def argument(self, position: int) -> str:
        """Return the name that the implementation has for an array."""
        return self._adapter.argument(position)

    def parts(self, arrays: Sequence[Any]) -> list[Any]:
        """Return copies of what may move."""
        return [None if array is None else array[part].copy() for array, part in zip(arrays, self._parts)]

    def values(self, arrays: Sequence[Any], options: Mapping[str, Any]) -> Arrays:
        """Return the outputs."""
        return self._adapter.values(self._whole(arrays), options)

    def gradients(
        self, arrays: Sequence[Any], options: Mapping[str, Any], wanted: Sequence[bool], directions: Arrays
    ) -> Arrays:
        """Return the gradients of what may move."""
        found = self._adapter.gradients(self._whole(arrays), options, wanted, directions)
        parts = [part for part, flag in zip(self._parts, wanted) if flag]
        return [gradient[part] for gradient, part in zip(found, parts)]

    def _whole(self, arrays: Sequence[Any]) -> list[Any]:
        whole = [None if array is None else array.copy() for array in self._case.values]
        for array, part, moved in zip(whole, self._parts, arrays):
            if array is not None:
                array[part] = moved
        return whole


def lacking(adapter: Adapter, contract: Contract) -> tuple[str, ...]:
    """Return which gradients an implementation lacks, of those that it may lack: it has None or zeros where there is one.

    That is seen at the first edge at which there is one.
    """
    missing = []
    for name in contract.may_lack if adapter.has_gradients else ():
        for edge in contract.edges():
            case, wanted = edge.case, edge.case.arguments(name)
            if not any(wanted):
                continue
            directions = [np.ones(value.shape) for value in Definition(contract).values(case)]
            position = [other for other, flag in zip(case.arrays, case.arguments(*contract.gradients)) if flag].index(name)
            takes = all(option in contract.needed or adapter.accepts(option) for option in (*case.options, name))
            if takes and Definition(contract).gradients(case, directions)[position].any():
                if not _found(placed(adapter, case, contract.function), case, wanted, directions):
                    missing.append(name)
                break
    return tuple(missing)


def _found(adapter: Adapter, case: Case, wanted: list[bool], directions: Arrays) -> bool:
    """Return whether there is a gradient; an implementation that fails has one to be blamed for."""
    handed = [None if array is None else copied(array) for array in case.values]
    try:
        return bool(adapter.gradients(handed, dict(case.options), wanted, directions)[0].any())
    except GradientError as error:
        return error.got is not None
    except (Exception, SystemExit) as error:
        return "not differentiable with respect to argument" not in str(error)  # PyTorch says so of what has no gradient
