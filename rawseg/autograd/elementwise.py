"""One operand, element by element: exp, log, sqrt, abs, trigonometric functions, clamp, casts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..device import array_module, device_of, move
from ..errors import ArgumentError, DTypeError
from . import late
from .function import Function
from .memory import copied
from .operands import is_floating, wide
from .recording import recordable

if TYPE_CHECKING:
    from .tensor import Tensor


class Neg(Function):
    """-x."""

    @staticmethod
    def forward(ctx, x):
        return -x

    @staticmethod
    def backward(ctx, grad_output):
        return -grad_output


class Abs(Function):
    """|x|; the gradient at 0 and at NaN is 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.sign = (x > 0).astype(x.dtype) - (x < 0)
        return abs(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output * ctx.sign


class Exp(Function):
    """e**x."""

    @staticmethod
    def forward(ctx, x):
        out = wide(array_module(x).exp, x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return grad_output * out


class Log(Function):
    """The natural logarithm; -inf at 0, NaN below."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return wide(array_module(x).log, x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return grad_output / x


class Log1p(Function):
    """log(1 + x), accurate near 0."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return wide(array_module(x).log1p, x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return grad_output / (x + 1)


class Sqrt(Function):
    """The square root; the gradient at 0 is inf."""

    @staticmethod
    def forward(ctx, x):
        out = array_module(x).sqrt(x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return grad_output / (out * 2)


class Sin(Function):
    """sin x, radians."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return wide(array_module(x).sin, x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return grad_output * x.cos()


class Cos(Function):
    """cos x, radians."""

    @staticmethod
    def forward(ctx, x):
        ctx.save(x)
        return wide(array_module(x).cos, x)

    @staticmethod
    def backward(ctx, grad_output):
        (x,) = ctx.saved
        return -grad_output * x.sin()


class Tanh(Function):
    """tanh x."""

    @staticmethod
    def forward(ctx, x):
        out = wide(array_module(x).tanh, x)
        ctx.save(out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (out,) = ctx.saved
        return grad_output * (1 - out * out)


class Clamp(Function):
    """x held between two bounds; the gradient is 1 at the bounds, 0 outside and at NaN."""

    @staticmethod
    def forward(ctx, x, *, low, high):
        xp = array_module(x)
        ctx.inside, out = x == x, x
        if low is not None:
            ctx.inside &= x >= low
            out = xp.where(x < low, x.dtype.type(low), out)  # not maximum: it makes +0 of -0
        if high is not None:
            ctx.inside &= x <= high
            out = xp.where(x > high, x.dtype.type(high), out)
        return out

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.where(ctx.inside, 0.0)


class Cast(Function):
    """Another dtype; the gradient is cast back."""

    @staticmethod
    def forward(ctx, x, *, dtype):
        ctx.dtype = x.dtype
        return x.astype(dtype)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.astype(ctx.dtype)


class Move(Function):
    """Another device; the gradient moves back."""

    anywhere = True

    @staticmethod
    def forward(ctx, x, *, device):
        ctx.device = device_of(x)
        return move(x, device)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output.to(ctx.device)


class Clone(Function):
    """A fresh copy."""

    @staticmethod
    def forward(ctx, x):
        return copied(x)

    @staticmethod
    def backward(ctx, grad_output):
        return grad_output


def _floating(op: str, x: Tensor) -> Tensor:
    if not is_floating(x):
        raise DTypeError(op, "input", "float32 or float64", x.dtype)
    return x


def apply_floating(function: type[Function], x: Tensor, **options: Any) -> Tensor:
    """Apply a Function of this file that only makes sense on floats."""
    return function.apply(_floating(function.__name__.lower(), x), **options)


def clamp(x: Tensor, low: float | None, high: float | None) -> Tensor:
    """Return ``x`` held between two Python numbers (either may be None, not both)."""
    if low is None and high is None:
        raise ArgumentError("clamp", "min", "a number in min or max", None)
    if low is not None and high is not None and not low <= high:
        raise ArgumentError("clamp", "min", f"at most max={high}", low)
    return Clamp.apply(x, low=low, high=high)


@recordable
def step_function(name: str, x: Tensor) -> Tensor:
    """Apply ``floor``, ``ceil``, ``rint`` or ``sign``: constant almost everywhere, so the result has no graph."""
    return late.Tensor(getattr(array_module(x.array), name)(x.array))
