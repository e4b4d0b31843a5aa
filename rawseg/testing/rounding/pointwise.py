"""Smooth functions of one number, applied to every element.

They meet no sums and no other elements, so that K is a constant: sixteen steps, and no step errs by more than four roundings,
as good elementary functions do. The result may be what a correct computation gives for an element that is off by K roundings,
and off by K roundings of its own. One pass gives all slopes, so that the arrays may be large.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .bounds import sum_bound
from .rule import Arrays, Case, Exact, largest
from .smooth import effect


class Pointwise(NamedTuple):
    """A smooth function of every element by itself.

    Parameters
    ----------
    roundings : int
        K.
    from_output : bool
        Whether it is usual to compute the derivative of the rounded result, 1 - y**2 for y = tanh(x): how the derivative
        depends on y is (df'/dx) / (dy/dx).
    """

    roundings: int = 64
    from_output: bool = False

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return the effect of K roundings of each element on its own result."""
        (slope,) = exact.gradients(case, [np.ones(result.shape) for result in results])
        return self._bounds([abs(results[0]) + effect(slope, case.values[0])], dtype)

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return the effect of K roundings of each element and its direction on its own gradient."""
        bend, slope = exact.second(case, directions, [np.ones(result.shape) for result in results])
        size = 2 * abs(results[0]) + effect(bend, case.values[0])
        if self.from_output:
            (out,) = exact.values(case)
            size += effect(np.divide(bend, slope, out=np.zeros(slope.shape), where=slope != 0), out)
        return self._bounds([size], dtype)

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return K roundings of the largest result, as `Smooth` does."""
        size = largest(results, directions, seeds)
        return self._bounds([np.full(result.shape, size) for result in results], dtype)

    def _bounds(self, sizes: Arrays, dtype: Any) -> Arrays:
        return [sum_bound(self.roundings, size, dtype) for size in sizes]
