"""How many products a result is the sum of: the K of a rounding bound.

A sum of n products in any order has n - 1 additions at most on the way from one of them to the result, so that n, and what a
product itself is rounded, is the K of every result. Each has its own: an output of a convolution sums over a window, and an
element of the weights' gradient over the images and their positions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..case import Case
from .rule import Arrays, Exact

Counts = list[Any]  # of each result an int, or one for every element


class Terms(Protocol):
    """Of outputs, gradients and second derivatives, how many products each is the sum of."""

    def of_values(self, exact: Exact, case: Case, results: Arrays) -> Counts:
        """Return those of each output."""
        ...

    def of_gradients(self, exact: Exact, case: Case, directions: Arrays) -> Counts:
        """Return those of each gradient."""
        ...

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays) -> Counts:
        """Return those of each second derivative: in the arrays, then in the directions."""
        ...


@dataclass(frozen=True)
class Counted:
    """Products whose constant coefficients are 1: on arrays of ones the operation counts its own, element by element.

    Parameters
    ----------
    options : mapping of str to Any
        What makes the coefficients 1, as a divisor of 1 does with those of a mean.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    def of_values(self, exact: Exact, case: Case, results: Arrays) -> Counts:
        """Return the outputs for ones."""
        return exact.values(self._of_ones(case))

    def of_gradients(self, exact: Exact, case: Case, directions: Arrays) -> Counts:
        """Return the gradients for ones along ones."""
        return exact.gradients(self._of_ones(case), _ones(directions))

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays) -> Counts:
        """Return the second derivatives for ones along ones."""
        return exact.second(self._of_ones(case), _ones(directions), _ones(seeds))

    def _of_ones(self, case: Case) -> Case:
        return replace(case.map(np.ones_like), options={**case.options, **self.options})


class Stated(NamedTuple):
    """Numbers that hold for every element, of operations of one array.

    Parameters
    ----------
    values : callable
        ``values(case, out)``: of an output of this shape.
    gradients : callable
        ``gradients(case, out)``: of the gradient, where the output has this shape.
    """

    values: Callable[[Case, tuple[int, ...]], int]
    gradients: Callable[[Case, tuple[int, ...]], int]

    def of_values(self, exact: Exact, case: Case, results: Arrays) -> Counts:
        """Return one number for each output."""
        return [self.values(case, result.shape) for result in results]

    def of_gradients(self, exact: Exact, case: Case, directions: Arrays) -> Counts:
        """Return one number for the gradient."""
        return [self.gradients(case, direction.shape) for direction in directions]

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays) -> Counts:
        """Return the numbers of an operation that is linear: it is the map of its gradient's gradient."""
        shape = directions[0].shape
        return [self.gradients(case, shape), self.values(case, shape)]


def _ones(arrays: Arrays) -> Arrays:
    return [np.ones(array.shape) for array in arrays]
