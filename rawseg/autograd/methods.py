"""The named operations of a Tensor, each one line to the operation that it names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from . import arithmetic, elementwise, linear, reductions, shaping
from .elementwise import apply_floating
from .operands import dtype_of

if TYPE_CHECKING:
    from .tensor import Tensor


def numpy_names(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a reduction be called with NumPy's ``axis`` and ``keepdims`` beside torch's ``dim`` and ``keepdim``."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **options: Any) -> Any:
        for theirs, ours in (("axis", "dim"), ("keepdims", "keepdim")):
            if theirs in options:
                options[ours] = options.pop(theirs)
        return method(self, *args, **options)

    return call


class Methods:
    """Named operations, under torch's names; reductions take NumPy's ``axis`` and ``keepdims`` too."""

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

    @numpy_names
    def sum(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the sum over all axes or over ``dim``."""
        return reductions.sum(self, dim, keepdim)

    @numpy_names
    def mean(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the mean over all axes or over ``dim``."""
        return reductions.mean(self, dim, keepdim)

    @numpy_names
    def var(self: Any, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the variance over ``count - correction``."""
        return reductions.var(self, dim, correction, keepdim)

    @numpy_names
    def std(self: Any, dim: Any = None, correction: int = 1, keepdim: bool = False) -> Tensor:
        """Return the square root of the variance; its gradient where that is 0 is 0."""
        return reductions.std(self, dim, correction, keepdim)

    @numpy_names
    def amax(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the largest elements; ties split the gradient equally."""
        return reductions.extremum("amax", self, dim, keepdim)

    @numpy_names
    def amin(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return the smallest elements; ties split the gradient equally."""
        return reductions.extremum("amin", self, dim, keepdim)

    @numpy_names
    def max(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the largest element, or ``(values, indices)`` along ``dim``, whose gradient goes to the index returned."""
        return self.amax() if dim is None else reductions.along("max", self, dim, keepdim)

    @numpy_names
    def min(self: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        """Return the smallest element, or ``(values, indices)`` along ``dim``, whose gradient goes to the index returned."""
        return self.amin() if dim is None else reductions.along("min", self, dim, keepdim)

    @numpy_names
    def argmax(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return positions of the largest elements, ties to the first."""
        return reductions.position("argmax", self, dim, keepdim)

    @numpy_names
    def argmin(self: Any, dim: int | None = None, keepdim: bool = False) -> Tensor:
        """Return positions of the smallest elements, ties to the first."""
        return reductions.position("argmin", self, dim, keepdim)

    @numpy_names
    def cumsum(self: Any, dim: int) -> Tensor:
        """Return running sums along ``dim``."""
        return reductions.cumsum(self, dim)

    @numpy_names
    def logsumexp(self: Any, dim: Any, keepdim: bool = False) -> Tensor:
        """Return log(sum(exp(x))) without overflow."""
        return reductions.logsumexp(self, dim, keepdim)

    @numpy_names
    def all(self: Any, dim: Any = None, keepdim: bool = False) -> Tensor:
        """Return whether all elements are true."""
        return reductions.truth("all", self, dim, keepdim)

    @numpy_names
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
        wanted = dtype_of("astype", "dtype", dtype)
        return self if self.dtype == wanted else elementwise.Cast.apply(self, dtype=wanted)

    def float(self: Any) -> Tensor:
        """Return float32."""
        return self.astype(np.float32)

    def double(self: Any) -> Tensor:
        """Return float64."""
        return self.astype(np.float64)

    def clone(self: Any) -> Tensor:
        """Return a fresh copy that the gradient flows through."""
        return elementwise.Clone.apply(self)

    def long(self: Any) -> Tensor:
        """Return int64."""
        return self.astype(np.int64)

    def contiguous(self: Any) -> Tensor:
        """Return the Tensor itself if its memory is C-contiguous, else a copy that is."""
        return self if self.array.flags.c_contiguous else self.clone()

    def pow(self: Any, exponent: Any) -> Tensor:
        """Return each element to a power."""
        return self**exponent

    def masked_fill(self: Any, mask: Any, value: Any) -> Tensor:
        """Return the elements where the mask is False, ``value`` elsewhere."""
        return arithmetic.where(mask, value, self)

    def chunk(self: Any, chunks: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """Return at most ``chunks`` pieces of one size along an axis; the last may be smaller."""
        return shaping.split(self, max(1, -(-self.shape[dim] // chunks)), dim)

    def unbind(self: Any, dim: Any = 0) -> tuple[Tensor, ...]:
        """Return the slices along an axis, without it."""
        return tuple(piece.squeeze(dim) for piece in shaping.split(self, 1, dim))
