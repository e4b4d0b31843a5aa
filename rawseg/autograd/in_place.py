"""What writes to a Tensor: item assignment, methods with a trailing underscore, and ``+=`` where no graph is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, DTypeError, GraphError, IndexRangeError, ShapeError
from . import arithmetic, elementwise
from .deferred import settle_readers
from .grad_mode import modes
from .indexing import plain_index
from .operands import as_tensor

if TYPE_CHECKING:
    from .tensor import Tensor


class InPlace:
    """Changes of a Tensor's elements; each is counted, so that a graph that saved them notices.

    ``x += y`` writes to x where nothing is recorded: under `no_grad`, or when neither requires a gradient. Where it is
    recorded, x is the name of a new Tensor afterwards, and views of the old one keep their elements; a leaf that requires a
    gradient refuses.
    """

    __slots__ = ()

    def _write(self: Any, op: str) -> Any:
        """Return the array for writing, after counting the change."""
        if modes.grad and self._requires_grad:
            raise GraphError(op, "tensor", "one without requires_grad, or a no_grad() block", "one that the graph depends on")
        self._version[0] += 1
        array = self.array
        settle_readers(array)
        return array

    def _overwrite(self: Any, op: str, index: Any, value: Any) -> Any:
        """Assign to elements, in this Tensor's dtype and shape, or raise before anything is written."""
        other = as_tensor(op, "value", value, self)
        if modes.grad and other.requires_grad:
            rule = "one without a graph (assignment is not recorded; use where or cat)"
            raise GraphError(op, "value", rule, "one with")
        if other.dtype != self.dtype and not isinstance(value, int):  # 0 and 1 are bools, but 0.5 is no integer
            raise DTypeError(op, "value", str(self.dtype), other.dtype)
        try:
            self._write(op)[index if index is ... else plain_index(index, self.device)] = other.array
        except (IndexError, ValueError) as error:
            self._version[0] -= 1  # nothing was written
            if isinstance(error, IndexError):
                raise IndexRangeError(op, "index", f"positions in shape {self.shape}", str(error)) from None
            if not getattr(self.array.flags, "writeable", True):
                raise ArgumentError(op, "tensor", "an array that may be written to", "a read-only one") from None
            raise ShapeError(op, "value", "a shape that broadcasts to the elements", str(error)) from None
        if modes.recorder is not None:
            modes.recorder.overwritten(self, index, other)
        return self

    def _changed(self: Any, op: str, function: Callable[[Any, Any], Any], other: Any) -> Any:
        """Return what ``x op= other`` leaves in the name x."""
        recorded = modes.grad and (self._requires_grad or getattr(other, "requires_grad", False))
        if not recorded:
            return self._apply(op, function, other)
        if self.is_leaf and self._requires_grad:
            raise GraphError(op, "tensor", "a no_grad() block around a change of a leaf", "a leaf that requires a gradient")
        return function(self, other)

    def _apply(self: Any, op: str, function: Callable[[Any, Any], Any], other: Any) -> Any:
        """Overwrite every element with ``function(self, other)``."""
        plain = other.detach() if hasattr(other, "detach") else other
        result = function(self.detach(), plain)
        if result.shape != self.shape:
            raise ShapeError(op, "other", f"a shape that broadcasts to {self.shape}", f"a result of shape {result.shape}")
        return self._overwrite(op, ..., result)

    def __setitem__(self: Any, index: Any, value: Any) -> None:
        self._overwrite("setitem", index, value)

    def __iadd__(self: Any, other: Any) -> Tensor:
        return self._changed("add", arithmetic.add, other)

    def __isub__(self: Any, other: Any) -> Tensor:
        return self._changed("sub", arithmetic.sub, other)

    def __imul__(self: Any, other: Any) -> Tensor:
        return self._changed("mul", arithmetic.mul, other)

    def __itruediv__(self: Any, other: Any) -> Tensor:
        return self._changed("div", arithmetic.div, other)

    def copy_(self: Any, value: Any) -> Tensor:
        """Overwrite every element with a broadcast value."""
        return self._overwrite("copy_", ..., value)

    def fill_(self: Any, value: Any) -> Tensor:
        """Overwrite every element with a number."""
        return self._overwrite("fill_", ..., value)

    def zero_(self: Any) -> Tensor:
        """Overwrite every element with 0."""
        return self._overwrite("zero_", ..., 0)

    def add_(self: Any, other: Any, alpha: float = 1) -> Tensor:
        """Add ``alpha * other`` in place."""
        return self._apply("add_", arithmetic.add, other if alpha == 1 else other * alpha)

    def sub_(self: Any, other: Any, alpha: float = 1) -> Tensor:
        """Subtract ``alpha * other`` in place."""
        return self._apply("sub_", arithmetic.sub, other if alpha == 1 else other * alpha)

    def mul_(self: Any, other: Any) -> Tensor:
        """Multiply in place."""
        return self._apply("mul_", arithmetic.mul, other)

    def div_(self: Any, other: Any) -> Tensor:
        """Divide in place."""
        return self._apply("div_", arithmetic.div, other)

    def clamp_(self: Any, min: float | None = None, max: float | None = None) -> Tensor:
        """Hold the elements between two numbers in place."""
        return self._overwrite("clamp_", ..., elementwise.clamp(self.detach(), min, max))
