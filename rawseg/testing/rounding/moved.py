"""Numbers that are chosen, copied or set to a constant: nothing is rounded, and equality is bit for bit, but for a zero's sign.

A gradient is the sum of those of the outputs that an element went to, and so a sum of products of one factor: for the choices
that the case makes, for on other numbers they might be others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .bounds import sum_bound
from .rule import Arrays, Case, Exact, magnitudes

OWN = 2  # roundings beside those of the sum: of one factor, and of what is stored


class Moved:
    """Bounds of 0; those of sums for gradients."""

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return zeros."""
        return [np.zeros(result.shape) for result in results]

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return gamma_K times the sums of magnitudes."""
        sizes = exact.gradients(case, magnitudes(directions))
        counts = exact.gradients(case, [np.ones(direction.shape) for direction in directions])
        return [sum_bound(np.abs(count) + OWN, abs(size), dtype) for count, size in zip(counts, sizes)]

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return gamma_K times the same of the second derivatives."""
        sizes = exact.second(case, magnitudes(directions), magnitudes(seeds))
        ones = ([np.ones(array.shape) for array in arrays] for arrays in (directions, seeds))
        return [sum_bound(np.abs(n) + OWN, abs(size), dtype) for n, size in zip(exact.second(case, *ones), sizes)]
