"""The operators of a Tensor, each one line to the operation that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from . import arithmetic, elementwise, indexing, linear

if TYPE_CHECKING:
    from .tensor import Tensor


class Operators:
    """Arithmetic, comparison and indexing, as NumPy users expect them; none of these writes (`InPlace` does)."""

    __slots__ = ()
    __array_ufunc__ = None  # so that ndarray + Tensor comes here instead of losing the graph
    __hash__ = object.__hash__

    def __add__(self, other: Any) -> Tensor:
        return arithmetic.add(self, other)

    def __radd__(self, other: Any) -> Tensor:
        return arithmetic.add(other, self)

    def __sub__(self, other: Any) -> Tensor:
        return arithmetic.sub(self, other)

    def __rsub__(self, other: Any) -> Tensor:
        return arithmetic.sub(other, self)

    def __mul__(self, other: Any) -> Tensor:
        return arithmetic.mul(self, other)

    def __rmul__(self, other: Any) -> Tensor:
        return arithmetic.mul(other, self)

    def __truediv__(self, other: Any) -> Tensor:
        return arithmetic.div(self, other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return arithmetic.div(other, self)

    def __floordiv__(self, other: Any) -> Tensor:
        return arithmetic.floor_divide(self, other)

    def __rfloordiv__(self, other: Any) -> Tensor:
        return arithmetic.floor_divide(other, self)

    def __mod__(self, other: Any) -> Tensor:
        return arithmetic.remainder(self, other)

    def __rmod__(self, other: Any) -> Tensor:
        return arithmetic.remainder(other, self)

    def __pow__(self, other: Any) -> Tensor:
        return arithmetic.power(self, other)

    def __rpow__(self, other: Any) -> Tensor:
        return arithmetic.power(other, self)

    def __matmul__(self, other: Any) -> Tensor:
        return linear.matmul(self, other)

    def __rmatmul__(self, other: Any) -> Tensor:
        return linear.matmul(other, self)

    def __neg__(self: Any) -> Tensor:
        return elementwise.Neg.apply(self)

    def __pos__(self) -> Self:
        return self

    def __abs__(self: Any) -> Tensor:
        return elementwise.Abs.apply(self)

    def __eq__(self, other: Any) -> Tensor:  # type: ignore[override]
        return arithmetic.compare("equal", self, other)

    def __ne__(self, other: Any) -> Tensor:  # type: ignore[override]
        return arithmetic.compare("not_equal", self, other)

    def __lt__(self, other: Any) -> Tensor:
        return arithmetic.compare("less", self, other)

    def __le__(self, other: Any) -> Tensor:
        return arithmetic.compare("less_equal", self, other)

    def __gt__(self, other: Any) -> Tensor:
        return arithmetic.compare("greater", self, other)

    def __ge__(self, other: Any) -> Tensor:
        return arithmetic.compare("greater_equal", self, other)

    def __and__(self, other: Any) -> Tensor:
        return arithmetic.compare("bitwise_and", self, other)

    def __or__(self, other: Any) -> Tensor:
        return arithmetic.compare("bitwise_or", self, other)

    def __xor__(self, other: Any) -> Tensor:
        return arithmetic.compare("bitwise_xor", self, other)

    def __invert__(self: Any) -> Tensor:
        return arithmetic.invert(self)

    def __getitem__(self: Any, index: Any) -> Tensor:
        return indexing.getitem(self, index)
