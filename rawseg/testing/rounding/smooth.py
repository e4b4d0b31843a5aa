r"""Smooth functions of many numbers, as norms and losses are.

The result may be what a correct computation gives for inputs that are off by K roundings each, and off by K roundings of its
own: :math:`\gamma_K (|y_i| + \sum_j |\partial y_i / \partial x_j| |x_j|)`. K counts the additions of all sums, one behind the
other, that lead to one result, and a hundred for everything else. What cancels more than the problem itself does, as :math:`E
x^2 - (E x)^2` for a variance, does not pass.

The slopes of every element take a pass of their own. Where it is known what an implementation got, only those elements have one
whose errors are above :math:`\gamma_K |y_i|`, a part of the bound that asks for no slopes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .bounds import sum_bound
from .rule import Arrays, Case, Exact, largest

MOST, LEAST = 1024, 16  # elements of one output that have a pass of their own; on large arrays as few as that,
WORK = 2**26  # so that all passes together take no more than so many elements


def elements(case: Case) -> int:
    """Return twice the number of all elements: as many additions as a loop can meet on its way through two sums of them."""
    return 2 * sum(array.size for array in case.values if array is not None)


class Smooth(NamedTuple):
    """A smooth function.

    Parameters
    ----------
    terms : callable
        From a case, how many additions lead to one output, those of sums that are computed one from the other added up.
    adjoint : callable
        How many lead to one element of a gradient.
    roundings : int
        What comes on top, for functions that are computed in many steps.
    """

    terms: Callable[[Case], int]
    adjoint: Callable[[Case], int] = elements
    roundings: int = 100

    def of_values(self, exact: Exact, case: Case, results: Arrays, dtype: Any, got: Arrays | None = None) -> Arrays:
        """Return the effect of K roundings of the inputs, element by element of the output."""

        def row(unit: Arrays) -> Arrays:
            return exact.gradients(case, unit)

        return _bounds(row, results, _inputs(exact, case), self.terms(case) + self.roundings, dtype, got)

    def of_gradients(
        self, exact: Exact, case: Case, directions: Arrays, results: Arrays, dtype: Any, got: Arrays | None = None
    ) -> Arrays:
        """Return the effect of K roundings of inputs and directions on the gradients."""

        def row(unit: Arrays) -> Arrays:
            return exact.second(case, directions, unit)

        inputs = [*_inputs(exact, case), *directions]
        return _bounds(row, results, inputs, self.adjoint(case) + self.roundings, dtype, got)

    def of_second(self, exact: Exact, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return K roundings of the largest result: third derivatives, which the other rule would ask for, are not there."""
        size, count = largest(results, directions, seeds), elements(case) + self.roundings
        return [sum_bound(count, np.full(result.shape, size), dtype) for result in results]


def effect(slope: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return what a rounding of x changes, relative to u: nothing where there is no slope, or none that is a number."""
    return np.multiply(abs(slope), abs(x), out=np.zeros(slope.shape), where=(slope != 0) & ~np.isnan(slope))


def _inputs(exact: Exact, case: Case) -> Arrays:
    return [array for array, flag in zip(case.values, exact.wanted(case)) if flag]


def _bounds(
    row: Callable[[Arrays], Arrays], results: Arrays, inputs: Arrays, count: int, dtype: Any, got: Arrays | None
) -> Arrays:
    most = max(LEAST, min(MOST, WORK // max(1, sum(array.size for array in [*inputs, *results]))))
    bounds = []
    for position, result in enumerate(results):
        bound = np.asarray(sum_bound(count, np.abs(result), dtype))
        doubtful = np.arange(result.size) if got is None else _doubtful(got[position], result, bound)
        looked_at = doubtful if got is None else doubtful[:most]
        bound.flat[doubtful[len(looked_at) :]] = np.inf
        for at in looked_at:
            unit = [np.zeros(one.shape) for one in results]
            unit[position].flat[at] = 1
            slopes = sum(float(effect(slope, x).sum()) for slope, x in zip(row(unit), inputs))
            bound.flat[at] = sum_bound(count, abs(float(result.flat[at])) + slopes, dtype)
        bounds.append(bound)
    return bounds


def _doubtful(got: np.ndarray, want: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return where errors are above the part of a bound that asks for no slopes, the largest in parts of it first."""
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(np.asarray(got, np.float64) - want).ravel()
        ratio = np.where(np.isfinite(error), error / least.ravel(), 0)  # what is no number is wrong whatever the bound
    doubtful = np.flatnonzero(ratio > 1)
    return doubtful[np.argsort(-ratio[doubtful], kind="stable")]
