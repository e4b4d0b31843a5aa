r"""How far a result may be from the exact one: four rules, of which every operation obeys one.

- *Moved*: numbers are chosen, copied or set to a constant. Nothing is rounded, and equality is bit for bit (but for the sign
  of a zero).
- *Multilinear* with coefficients of at least 0, as convolution is in input and weight: an output is a sum of products, and
  whatever the order of summation, with or without fused multiply-adds, :math:`|\hat y - y| \le \gamma_K \sum |terms|` (Higham
  2002, section 3.1). On absolute values the operation itself gives that sum. K is at most the size of the largest array, as
  no element of an array takes part in an output twice.
- *Smooth*: the result may be what a correct computation gives for inputs that are off by K roundings each, and off by K
  roundings of its own: :math:`\gamma_K (|y_i| + \sum_j |\partial y_i / \partial x_j| |x_j|)` with K the number of all elements
  twice over and a hundred, as many as a loop can meet on its way. What cancels more than the problem itself does, as
  :math:`E x^2 - (E x)^2` for a variance, does not pass.
- *Pointwise*: the same of a function of one number, applied to every element. It meets no sums and no other elements, so that
  K is a constant: sixteen steps, and no step errs by more than four roundings, as good elementary functions do.

What underflows adds the smallest number of the dtype, K times.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from .bounds import gamma, smallest
from .case import Case

Arrays = list[np.ndarray]


class Definition(Protocol):
    """The exact side, which a rule may ask for values and derivatives of other arrays."""

    def values(self, case: Case) -> Arrays:
        """Return the outputs."""
        ...

    def gradients(self, case: Case, directions: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of outputs times directions."""
        ...

    def second(self, case: Case, directions: Sequence[np.ndarray], seeds: Sequence[np.ndarray]) -> Arrays:
        """Return the gradients of the sum of gradients times seeds: in the arrays, then in the directions."""
        ...


class Rounding(Protocol):
    """A rule: bounds for outputs, gradients and second derivatives of a case in a dtype, each given the exact results."""

    def of_values(self, exact: Definition, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return a bound for every element of every output."""
        ...

    def of_gradients(self, exact: Definition, case: Case, directions: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return a bound for every element of every gradient."""
        ...

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Return a bound for every element of every second derivative."""
        ...


class Multilinear(NamedTuple):
    """Sums of products; ``factors`` is how many numbers a product has, the constant coefficients counted.

    ``terms`` tells how many products an output is the sum of, where that is less than the size of the largest array.
    """

    factors: int = 2
    terms: Callable[[Case], int] | None = None

    def of_values(self, exact: Definition, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return gamma_K times the operation on absolute values."""
        terms = self.terms(case) if self.terms is not None else _largest([*case.values, *results])
        return self._times(exact.values(case.map(np.abs)), terms, dtype)

    def of_gradients(self, exact: Definition, case: Case, directions: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Do so with its adjoints."""
        sizes = exact.gradients(case.map(np.abs), [abs(d) for d in directions])
        return self._times(sizes, _largest([*case.values, *directions]), dtype)

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Do so with the derivatives of the adjoints."""
        sizes = exact.second(case.map(np.abs), [abs(d) for d in directions], [abs(s) for s in seeds])
        return self._times(sizes, _largest([*case.values, *directions, *seeds]), dtype)

    def _times(self, sizes: Arrays, terms: int, dtype: Any) -> Arrays:
        terms += self.factors + 1
        return [gamma(terms, dtype) * abs(size) + smallest(terms, dtype) for size in sizes]


class Moved:
    """Nothing is computed; gradients are sums of those of the outputs that an element went to, and so multilinear."""

    def of_values(self, exact: Definition, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return zeros."""
        return [np.zeros(result.shape) for result in results]

    def of_gradients(self, exact: Definition, case: Case, directions: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return gamma_K times the sums of magnitudes, with the choices of the case itself."""
        sizes = exact.gradients(case, [abs(d) for d in directions])
        return Multilinear(1)._times(sizes, _largest([*case.values, *directions]), dtype)

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Return gamma_K times the same of the second derivatives."""
        sizes = exact.second(case, [abs(d) for d in directions], [abs(s) for s in seeds])
        return Multilinear(1)._times(sizes, _largest([*case.values, *directions, *seeds]), dtype)


class Smooth(NamedTuple):
    """Any other function; ``roundings`` come on top, for functions that are computed in many steps."""

    roundings: int = 100

    def of_values(
        self, exact: Definition, case: Case, results: Arrays, dtype: Any, where: list[np.ndarray] | None = None
    ) -> Arrays:
        """Return the effect of K roundings of the inputs, element by element of the output, or of some of them."""

        def row(unit: Arrays) -> Arrays:
            return exact.gradients(case, unit)

        return self._bounds(row, results, _gradient_inputs(exact, case), case, dtype, where)

    def of_gradients(
        self,
        exact: Definition,
        case: Case,
        directions: Arrays,
        results: Arrays,
        dtype: Any,
        where: list[np.ndarray] | None = None,
    ) -> Arrays:
        """Return the effect of K roundings of inputs and directions on the gradients, or on some of their elements."""

        def row(unit: Arrays) -> Arrays:
            return exact.second(case, directions, unit)

        return self._bounds(row, results, [*_gradient_inputs(exact, case), *directions], case, dtype, where)

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Return K roundings of the largest result: third derivatives, which the other rule would ask for, are not there."""
        largest = max((float(np.abs(r).max(initial=0)) for r in [*results, *directions, *seeds]), default=0.0)
        return [np.full(r.shape, gamma(self._count(case), dtype) * largest) for r in results]

    def at_least(self, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return the part of the bounds that asks for no slopes: what is inside of it needs no further look."""
        count = self._count(case)
        return [gamma(count, dtype) * np.abs(result) + smallest(count, dtype) for result in results]

    def _count(self, case: Case) -> int:
        return 2 * sum(a.size for a in case.values if a is not None) + self.roundings

    def _bounds(
        self, row: Any, results: Arrays, inputs: Arrays, case: Case, dtype: Any, where: list[np.ndarray] | None = None
    ) -> Arrays:
        bounds = []
        for position, result in enumerate(results):
            chosen = np.ones(result.shape, bool) if where is None else where[position]
            bound = np.where(chosen, np.abs(result), np.inf)
            for at in map(tuple, np.argwhere(chosen)):
                unit = [np.zeros(r.shape) for r in results]
                unit[position][at] = 1
                bound[at] += sum(float(_effect(slope, x).sum()) for slope, x in zip(row(unit), inputs))
            bounds.append(gamma(self._count(case), dtype) * bound + smallest(self._count(case), dtype))
        return bounds


class Pointwise(NamedTuple):
    """A smooth function of every element by itself: one pass gives all slopes, so that the arrays may be large.

    ``from_output`` where it is usual to compute the derivative of the rounded result, 1 - y**2 for y = tanh(x): how the
    derivative depends on y is (df'/dx) / (dy/dx).
    """

    roundings: int = 64
    from_output: bool = False

    def of_values(self, exact: Definition, case: Case, results: Arrays, dtype: Any) -> Arrays:
        """Return the effect of K roundings of each element on its own result."""
        (slope,) = exact.gradients(case, [np.ones(result.shape) for result in results])
        return self._bounds([abs(results[0]) + _effect(slope, case.values[0])], dtype)

    def of_gradients(self, exact: Definition, case: Case, directions: Arrays, results: Arrays, dtype: Any) -> Arrays:
        """Return the effect of K roundings of each element and its direction on its own gradient."""
        bend, slope = exact.second(case, directions, [np.ones(result.shape) for result in results])
        size = 2 * abs(results[0]) + _effect(bend, case.values[0])
        if self.from_output:
            (out,) = exact.values(case)
            size += _effect(np.divide(bend, slope, out=np.zeros(slope.shape), where=slope != 0), out)
        return self._bounds([size], dtype)

    def of_second(
        self, exact: Definition, case: Case, directions: Arrays, seeds: Arrays, results: Arrays, dtype: Any
    ) -> Arrays:
        """Return K roundings of the largest result, as `Smooth` does."""
        largest = max((float(np.abs(r).max(initial=0)) for r in [*results, *directions, *seeds]), default=0.0)
        return self._bounds([np.full(result.shape, largest) for result in results], dtype)

    def _bounds(self, sizes: Arrays, dtype: Any) -> Arrays:
        return [gamma(self.roundings, dtype) * size + smallest(self.roundings, dtype) for size in sizes]


def _effect(slope: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return what a rounding of x changes, relative to u: nothing where there is no slope, or none that is a number."""
    return np.multiply(abs(slope), abs(x), out=np.zeros(slope.shape), where=(slope != 0) & ~np.isnan(slope))


def _gradient_inputs(exact: Any, case: Case) -> Arrays:
    wanted = case.arguments(*exact.contract.gradients)
    return [array for array, flag in zip(case.values, wanted) if flag]


def _largest(arrays: Sequence[Any]) -> int:
    return max((a.size for a in arrays if a is not None), default=1)
