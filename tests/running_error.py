"""Numbers that carry a bound on the error that any float32 or float64 evaluation of the same formula can have made.

Each operation computes in long double and adds what one rounding of the tested dtype can do (Higham, Accuracy and
Stability, section 3.3), so a formula written with these numbers is an oracle and its own tolerance.
"""

from __future__ import annotations

import numpy as np

Wide = np.longdouble


class Bounded:
    """A value and a bound on the error of its computed counterpart; ``u`` is the dtype's unit roundoff."""

    def __init__(self, value, error=0.0, u: float = 0.0) -> None:
        self.value, self.error, self.u = np.asarray(value, Wide), np.asarray(error, Wide), u

    def constant(self, number: float) -> Bounded:
        """A Python number: rounded once to the dtype, if that is float32."""
        error = 0.0 if float(np.float64(number)) == number and self.u < 2.0**-50 else abs(number) * self.u
        return Bounded(number, error, self.u)

    def _rounded(self, value, error) -> Bounded:
        u = self.u + float(np.finfo(Wide).eps)  # long double rounds too
        return Bounded(value, error + u * (abs(value) + error), self.u)

    def _other(self, other) -> Bounded:
        return other if isinstance(other, Bounded) else self.constant(other)

    def __add__(self, other) -> Bounded:
        other = self._other(other)
        return self._rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other) -> Bounded:
        other = self._other(other)
        return self._rounded(self.value - other.value, self.error + other.error)

    def __mul__(self, other) -> Bounded:
        other = self._other(other)
        error = abs(self.value) * other.error + abs(other.value) * self.error + self.error * other.error
        return self._rounded(self.value * other.value, error)

    __rmul__ = __mul__

    def __truediv__(self, other) -> Bounded:
        other = self._other(other)
        value = self.value / other.value
        return self._rounded(value, (self.error + abs(value) * other.error) / (abs(other.value) - other.error))

    def __neg__(self) -> Bounded:
        return Bounded(-self.value, self.error, self.u)

    def sqrt(self) -> Bounded:
        value = np.sqrt(self.value)
        lowest = np.sqrt(np.maximum(self.value - self.error, 0))
        spread = np.where(self.error > 0, self.error / np.where(value + lowest > 0, value + lowest, 1), 0)
        return self._rounded(value, spread)

    def maximum(self, other: Bounded) -> Bounded:
        return Bounded(np.maximum(self.value, other.value), np.maximum(self.error, other.error), self.u)
