r"""Sums of products, with coefficients of at least 0, as convolution is in input and weight.

Whatever the order of summation, with or without fused multiply-adds, :math:`|\hat y - y| \le \gamma_K \sum |terms|` (Higham
2002, section 3.1), where K counts the products of this very result, and their own roundings. On absolute values the operation
itself gives that sum, and so do its adjoints and their derivatives. What underflows adds the smallest number, K times.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .bounds import sum_bound
from .rule import Arrays, Case, Exact, magnitudes
from .terms import Counts, Terms


class Multilinear(NamedTuple):
    """Sums of products.

    Parameters
    ----------
    factors : int
        How many numbers a product has, the constant coefficients counted: each may come with a rounding.
    terms : Terms
        How many products each result is the sum of.
    """

    factors: int
    terms: Terms

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return gamma_K times the operation on absolute values."""
        return self._times(exact.values(case.map(np.abs)), self.terms.of_values(exact, case, results), dtype)

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Do so with its adjoints."""
        sizes = exact.gradients(case.map(np.abs), magnitudes(directions))
        return self._times(sizes, self.terms.of_gradients(exact, case, directions), dtype)

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Do so with the derivatives of the adjoints."""
        sizes = exact.second(case.map(np.abs), magnitudes(directions), magnitudes(seeds))
        return self._times(sizes, self.terms.of_second(exact, case, directions, seeds), dtype)

    def _times(self, sizes: Arrays, counts: Counts, dtype: Any) -> Arrays:
        own = self.factors + 1  # a rounding for each factor, and one for what is stored
        return [sum_bound(count + own, abs(size), dtype) for count, size in zip(counts, sizes, strict=True)]
