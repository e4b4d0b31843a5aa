"""What a rule of rounding is asked, and the exact side that it may ask itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..case import Case

Arrays = list[np.ndarray]


class Exact(Protocol):
    """The exact side: what a rule may ask for values and derivatives, of other arrays than the case's too."""

    def wanted(self, case: Case) -> list[bool]:
        """Return which arrays of the case have a gradient."""
        ...

    def values(self, case: Case) -> Arrays:
        """Return the outputs."""
        ...

    def gradients(self, case: Case, directions: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of outputs times directions."""
        ...

    def second(self, case: Case, directions: Sequence[np.ndarray], seeds: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of gradients times seeds: in the arrays, then in the directions."""
        ...


class Rule(Protocol):
    """Bounds for outputs, gradients and second derivatives of a case in a dtype, each given the exact results.

    Given what an implementation ``got`` as well, a rule may spare itself work: a bound may then be smaller where the result is
    within it all the same, and infinite where there is too much to look at.
    """

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return a bound for every element of every output."""
        ...

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return a bound for every element of every gradient."""
        ...

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return a bound for every element of every second derivative."""
        ...


def largest(*groups: Arrays) -> float:
    """Return the largest magnitude of all: what stands for the size of second derivatives that no rule takes apart."""
    return max((float(np.abs(array).max(initial=0)) for group in groups for array in group), default=0.0)


def magnitudes(arrays: Sequence[np.ndarray]) -> Arrays:
    """Return the absolute values."""
    return [np.abs(array) for array in arrays]
