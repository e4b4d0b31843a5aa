"""One Function for every activation: values and slopes come from the kernels, curvature is composed, so every order exists."""

from __future__ import annotations

import math
from collections.abc import Callable

from rawseg_kernels import activation as activation_room
from rawseg_kernels.activation.reference import CUBIC, DENSITY, ROOT

from ..autograd import Function, Tensor
from ..autograd.arithmetic import where
from ..autograd.deferred import Deferred, may_defer

__all__ = ["activated"]


def _bounds(kind: str, parameters: tuple[float, ...]) -> tuple[float, float] | None:
    """Return the numbers between which a kind only holds x, or None."""
    if kind == "relu":
        return 0.0, math.inf
    return parameters if kind == "hardtanh" and all(map(math.isfinite, parameters)) else None  # type: ignore[return-value]


def clamp_of(low: float, high: float) -> tuple[str, tuple[float, ...]]:
    """Return the kind, and its parameters, that holds x between two numbers."""
    return ("relu", ()) if math.isinf(high) else ("hardtanh", (low, high))


class Nonlinearity(Function):
    """f(x) for every element."""

    takes_deferred = compiled = True

    @staticmethod
    def forward(ctx, x, *, kind, parameters):
        ctx.kind, ctx.parameters = kind, parameters
        ctx.origin = getattr(x, "origin", None)
        out = None
        if isinstance(x, Deferred):
            bounds = _bounds(kind, parameters)
            out = None if bounds is None else x.clamped(*bounds)
            x = None if out is not None else x.settle()
        if out is None:
            out = activation_room.forward(x, kind, parameters)
        ctx.save(out if kind in activation_room.SAVES_OUTPUT else x)  # an output: the next operation keeps it anyway
        return out

    @staticmethod
    def backward(ctx, grad_output):
        (saved,) = ctx.saved
        saved = saved if ctx.kind in CURVATURE else saved.detach()
        return SLOPES[ctx.kind].apply(grad_output, saved, kind=ctx.kind, parameters=ctx.parameters, origin=ctx.origin)


class DeferredSlope(Deferred):
    """The gradient of a clamp, which waits for the operation whose result was clamped.

    Attributes
    ----------
    grad_output : ndarray
        The gradient of the clamped values.
    low, high : float
        The bounds.
    origin : object
        That of the deferred result that was clamped, or None. An operation between, such as the sum of a residual block, may
        hand the gradient on as it is; only who has this origin may take the clamp for its own.
    """

    __slots__ = ("grad_output", "high", "low", "origin")

    def __init__(self, grad_output, saved, low, high, origin) -> None:
        super().__init__(grad_output.shape, grad_output.dtype, grad_output, saved)
        self.grad_output, self.low, self.high, self.origin = grad_output, low, high, origin

    def compute(self):
        """Let the gradient pass where the value lay between the bounds."""
        kind, parameters = clamp_of(self.low, self.high)
        grad_output, saved = self.sources
        return activation_room.backward(grad_output, saved, kind, parameters)


class Slope(Function):
    """grad_output f'(x); linear in grad_output, and where f has no curvature in nothing else."""

    compiled = True

    @staticmethod
    def forward(ctx, grad_output, saved, *, kind, parameters, origin=None):
        ctx.kind, ctx.parameters = kind, parameters
        ctx.save(grad_output if ctx.needs_grad[1] else None, saved)
        bounds = _bounds(kind, parameters)
        if bounds is not None and may_defer(grad_output, saved) and not any(ctx.needs_grad):
            return DeferredSlope(grad_output, saved, *bounds, origin)
        return activation_room.backward(grad_output, saved, kind, parameters)

    @staticmethod
    def backward(ctx, grad_grad):
        grad_output, saved = ctx.saved
        options = {"kind": ctx.kind, "parameters": ctx.parameters}
        first = SLOPES[ctx.kind].apply(grad_grad, saved, **options) if ctx.needs_grad[0] else None
        if not ctx.needs_grad[1]:
            return first, None
        return first, grad_grad * grad_output * CURVATURE[ctx.kind](saved, *ctx.parameters)


def _elu(x: Tensor, positive: float, negative: float, rate: float) -> Tensor:
    return where(x < 0, (x.clamp(max=0) * rate).exp() * (negative * rate**2), 0.0)  # held: an unused inf would spoil its slope


def _softplus(x: Tensor, beta: float, threshold: float) -> Tensor:
    s = activated("sigmoid", x * beta)
    return where(x * beta >= threshold, 0.0, s * (1 - s) * beta)


def _silu(x: Tensor) -> Tensor:
    s = activated("sigmoid", x)
    return s * (1 - s) * (2 + x * (1 - 2 * s))


def _gelu(x: Tensor) -> Tensor:
    return (x * x * -0.5).exp() * DENSITY * (2 - x * x)


def _gelu_tanh(x: Tensor) -> Tensor:
    """Of x s(v(x)) with s the sigmoid: 2 s' v' + x (s'' v'**2 + s' v'')."""
    s = activated("sigmoid", x * (x * x * CUBIC + 1) * (2 * ROOT))
    slope = s * (1 - s)
    inner = (x * x * (3 * CUBIC) + 1) * (2 * ROOT)
    return 2 * slope * inner + x * slope * ((1 - 2 * s) * inner * inner + x * (12 * ROOT * CUBIC))


def _mish(x: Tensor) -> Tensor:
    """Of x w(x) with w = tanh(log(1 + e**x)): 2 w' + x w''."""
    s = activated("sigmoid", x)
    w = activated("tanh", activated("softplus", x, 1.0, math.inf))
    rest = (1 - w) * (1 + w)
    return rest * s * (2 + x * (1 - s - 2 * w * s))


# The derivative of the slope by what is saved: by the input x, or by the output of sigmoid and tanh. Who is missing here
# consists of straight pieces; at a kink each has the value that PyTorch gives it.
CURVATURE: dict[str, Callable[..., Tensor]] = {
    "hardswish": lambda x: where(abs(x) < 3, 1 / 3, x.zeros_like()),
    "elu": _elu,
    "sigmoid": lambda out: 1 - 2 * out,
    "tanh": lambda out: -2 * out,
    "softplus": _softplus,
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "mish": _mish,
}
# One class a kind, so that errors and anomaly detection name it.
FUNCTIONS = {kind: type(kind, (Nonlinearity,), {}) for kind in activation_room.KINDS}
SLOPES = {kind: type(f"{kind}_backward", (Slope,), {}) for kind in activation_room.KINDS}


def activated(kind: str, x: Tensor, *parameters: float) -> Tensor:
    """Return f(x) for a kind of `rawseg_kernels.activation` and its parameters."""
    return FUNCTIONS[kind].apply(x, kind=kind, parameters=parameters)
