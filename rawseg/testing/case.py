"""A case: the arrays and the options of one call, whichever implementation is then called with them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

FEW = 24  # elements that are written out


@dataclass(frozen=True, eq=False, repr=False)
class Case:
    """One call of an operation. Two cases are equal only if they are the same object.

    Parameters
    ----------
    op : str
        The public name in `rawseg.functional` or `rawseg.ops`.
    arrays : mapping of str to ndarray or None
        The array arguments by name, in the order of the signature; None is an optional one that was left out.
    options : mapping of str to Any
        The other arguments, by keyword.

    Examples
    --------
    >>> case = Case("relu", {"input": np.array([-1.0, 2.0])})
    >>> print(case)
    relu(input=float64 [-1.0, 2.0])
    >>> case.arguments("input")
    [True]
    """

    op: str
    arrays: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> list[Any]:
        """The arrays in order."""
        return list(self.arrays.values())

    def arguments(self, *names: str) -> list[bool]:
        """Return for each array whether it is one of these, there, and floating: class ids have no gradient."""
        return [name in names and a is not None and a.dtype.kind == "f" for name, a in self.arrays.items()]

    def having(self, **arrays: Any) -> Case:
        """Return the case with other arrays in the place of these, or beside them; with None an optional one is left out.

        Examples
        --------
        >>> case = Case("linear", {"input": np.array([1.0]), "weight": np.array([[2.0]])})
        >>> print(case.having(weight=np.array([[4.0]])))
        linear(input=float64 [1.0], weight=float64 [[4.0]])
        """
        return replace(self, arrays={**self.arrays, **arrays})

    def map(self, change: Callable[[np.ndarray], np.ndarray]) -> Case:
        """Return the case with every floating array changed."""
        arrays = {name: change(a) if a is not None and a.dtype.kind == "f" else a for name, a in self.arrays.items()}
        return replace(self, arrays=arrays)

    def astype(self, dtype: Any) -> Case:
        """Return the case with floating arrays of another dtype."""
        return self.map(lambda array: array.astype(dtype))

    def __str__(self) -> str:
        arrays = [f"{name}={_shown(array)}" for name, array in self.arrays.items() if array is not None]
        return f"{self.op}({', '.join([*arrays, *(f'{name}={value!r}' for name, value in self.options.items())])})"

    __repr__ = __str__


def _shown(array: np.ndarray) -> str:
    if array.size > FEW or not array.size:
        return f"{array.dtype} {array.shape}"
    return f"{array.dtype} {array.tolist()}"
