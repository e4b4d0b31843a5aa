"""The operators and methods of a Tensor, each one line to the operation that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from . import arithmetic, elementwise, linear, reductions, shaping
from .elementwise import apply_floating

if TYPE_CHECKING:
    from .tensor import Tensor


class Operators:
    """Arithmetic, comparison and indexing, as NumPy users expect them. None of them writes: ``x += y`` rebinds ``x``."""

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
        return shaping.getitem(self, index)


class Methods:
    """Named operations, under torch's names and argument names; NumPy's ``axis``-free positional use works too."""

    __slots__ = ()

    def where(self: Any, condition: Any, other: Any) -> Tensor:
        """Return the elements where the condition holds, ``other`` elsewhere."""
        return arithmetic.where(condition, self, other)

    def maximum(self, other: Any) -> Tensor:
        """Return the larger of each pair; a tie splits the gradient."""
        return arithmetic.maximum(self, other)

    def minimum(self, other: Any) -> Tensor:
        """Return the smaller of each pair; a tie splits the gradient."""
        return arithmetic.minimum(self, other)

    def abs(self: Any) -> Tensor:
        """Return absolute values."""
        return abs(self)

    def exp(self: Any) -> Tensor:
        """Return e to the power of each element."""
        return apply_floating(elementwise.Exp, self)

    def log(self: Any) -> Tensor:
        """Return natural logarithms."""
        return apply_floating(elementwise.Log, self)

    def log1p(self: Any) -> Tensor:
        """Return log(1 + x)."""
        return apply_floating(elementwise.Log1p, self)

    def sqrt(self: Any) -> Tensor:
        """Return square roots."""
        return apply_floating(elementwise.Sqrt, self)

    def sin(self: Any) -> Tensor:
        """Return sines."""
        return apply_floating(elementwise.Sin, self)

    def cos(self: Any) -> Tensor:
        """Return cosines."""
        return apply_floating(elementwise.Cos, self)

    def tanh(self: Any) -> Tensor:
        """Return hyperbolic tangents."""
        return apply_floating(elementwise.Tanh, self)

    def clamp(self: Any, min: float | None = None, max: float | None = None) -> Tensor:
        """Return the elements held between two numbers; the gradient is 1 at the bounds, 0 outside."""
        return elementwise.clamp(self, min, max)

    def floor(self: Any) -> Tensor:
        """Return the largest integers not above; no gradient."""
        return elementwise.step_function("floor", self)

    def ceil(self: Any) -> Tensor:
        """Return the smallest integers not below; no gradient."""
        return elementwise.step_function("ceil", self)

    def round(self: Any) -> Tensor:
        """Return the nearest integers, halves to even; no gradient."""
        return elementwise.step_function("rint", self)

    def sign(self: Any) -> Tensor:
        """Return -1, 0 or 1; no gradient."""
        return elementwise.step_function("sign", self)

    def isfinite(self: Any) -> Tensor:
        """Return whether each element is neither inf nor NaN."""
        return elementwise.step_function("isfinite", self)

    def isnan(self: Any) -> Tensor:
        """Return whether each element is NaN."""
        return elementwise.step_function("isnan", self)

    def sum(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the sum over all axes or over ``dim``."""
        return reductions.sum(self, dim, keepdim)

    def mean(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the mean over all axes or over ``dim``."""
        return reductions.mean(self, dim, keepdim)

    def var(self: Any, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the variance over ``count - correction``."""
        return reductions.var(self, dim, correction, keepdim)

    def std(self: Any, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the square root of the variance."""
        return reductions.var(self, dim, correction, keepdim).sqrt()

    def amax(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the largest elements; ties split the gradient equally."""
        return reductions.extremum("amax", self, dim, keepdim)

    def amin(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the smallest elements; ties split the gradient equally."""
        return reductions.extremum("amin", self, dim, keepdim)

    def max(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest element, or ``(values, indices)`` along ``dim``, whose gradient goes to the index returned."""
        return self.amax() if dim is None else reductions.along("max", self, dim, keepdim)

    def min(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the smallest element, or ``(values, indices)`` along ``dim``, whose gradient goes to the index returned."""
        return self.amin() if dim is None else reductions.along("min", self, dim, keepdim)

    def argmax(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return positions of the largest elements, ties to the first."""
        return reductions.position("argmax", self, dim, keepdim)

    def argmin(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return positions of the smallest elements, ties to the first."""
        return reductions.position("argmin", self, dim, keepdim)

    def cumsum(self: Any, dim: int) -> Tensor:
        """Return running sums along ``dim``."""
        return reductions.cumsum(self, dim)

    def logsumexp(self: Any, dim: Any, keepdim: bool = False) -> Tensor:
        """Return log(sum(exp(x))) without overflow."""
        return reductions.logsumexp(self, dim, keepdim)

    def all(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return whether all elements are true."""
        return reductions.truth("all", self, dim, keepdim)

    def any(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return whether any element is true."""
        return reductions.truth("any", self, dim, keepdim)

    def matmul(self: Any, other: Any) -> Tensor:
        """Return the matrix product."""
        return linear.matmul(self, other)

    def reshape(self: Any, *shape: Any) -> Tensor:
        """Return the same elements in another shape."""
        return shaping.reshape(self, *shape)

    view = reshape

    def flatten(self: Any, start_dim: int = 0, end_dim: int = -1) -> Tensor:
        """Return the axes from ``start_dim`` to ``end_dim`` as one."""
        return shaping.flatten(self, start_dim, end_dim)

    def permute(self: Any, *dims: Any) -> Tensor:
        """Return the axes in another order."""
        return shaping.permute(self, *dims)

    def transpose(self: Any, dim0: int, dim1: int) -> Tensor:
        """Return two axes exchanged."""
        return shaping.swapaxes(self, dim0, dim1)

    swapaxes = transpose

    @property
    def T(self: Any) -> Tensor:
        """The axes reversed."""
        return shaping.permute(self)

    @property
    def mT(self: Any) -> Tensor:
        """The last two axes exchanged."""
        return shaping.swapaxes(self, -1, -2)

    def expand(self: Any, *shape: Any) -> Tensor:
        """Return the Tensor broadcast to a shape, without a copy."""
        return shaping.expand(self, *shape)

    def squeeze(self: Any, dim: Any = None) -> Tensor:
        """Return the Tensor without axes of size 1."""
        return shaping.squeeze(self, dim)

    def unsqueeze(self: Any, dim: int) -> Tensor:
        """Return the Tensor with an axis of size 1 inserted."""
        return shaping.unsqueeze(self, dim)

    def flip(self: Any, dims: Any) -> Tensor:
        """Return the Tensor reversed along axes."""
        return shaping.flip(self, dims)

    def split(self: Any, split_size: Any, dim: int = 0) -> tuple[Tensor, ...]:
        """Return pieces along an axis."""
        return shaping.split(self, split_size, dim)

    def astype(self: Any, dtype: Any) -> Tensor:
        """Return another dtype; the same Tensor if it has that dtype."""
        return self if self.dtype == np.dtype(dtype) else elementwise.Cast.apply(self, dtype=np.dtype(dtype))

    def float(self: Any) -> Tensor:
        """Return float32."""
        return self.astype(np.float32)

    def double(self: Any) -> Tensor:
        """Return float64."""
        return self.astype(np.float64)

    def clone(self: Any) -> Tensor:
        """Return a fresh copy that the gradient flows through."""
        return elementwise.Clone.apply(self)
