"""Batch normalisation: the running statistics are written only after everything else has succeeded."""

from __future__ import annotations

from typing import Any

from rawseg_kernels import batch_norm as batch_norm_room
from rawseg_kernels._arrays import flag

from ..autograd import Function, Tensor, is_grad_enabled
from ..autograd.deferred import Deferred, may_defer, settled
from ..autograd.operands import as_tensor
from .naming import operation
from .nonlinearity import DeferredSlope
from .normalization_gradient import channelwise, composed, of_batch
from .running_statistics import checked_momentum, checked_statistics, update

__all__ = ["batch_norm"]

OP = "batch_norm"


class DeferredNormalisation(Deferred):
    """A normalised batch that waits for a clamp, so that both take one pass; ``origin`` is what its clamp will be known by."""

    __slots__ = ("_arguments", "origin")

    def __init__(self, x, weight, bias, mean, inv_std, origin) -> None:
        super().__init__(x.shape, x.dtype, x, weight, bias)
        self.origin = origin
        self._arguments = x, weight, bias, mean, inv_std

    def compute(self):
        """Normalise alone."""
        return batch_norm_room.normalise(*self._arguments)

    def clamped(self, low, high):
        """Normalise and clamp."""
        return batch_norm_room.normalise(*self._arguments, low, high)


class BatchNormTraining(Function):
    """Normalise by the batch's own statistics, which leave as constants beside the output."""

    compiled = takes_none = True

    @staticmethod
    def forward(ctx, x, weight, bias, *, eps):
        ctx.origin = object()
        if may_defer(x, weight, bias):
            mean, inv_std, var = batch_norm_room.statistics(x, eps)
            out = DeferredNormalisation(x, weight, bias, mean, inv_std, ctx.origin)
        else:
            out, mean, inv_std, var = batch_norm_room.forward_train(x, weight, bias, eps)
        ctx.eps = eps
        ctx.bias = None if bias is None else bias.copy()  # only where a clamp held anything depends on it
        ctx.save(x, weight, mean, inv_std)
        return out, mean, var

    @staticmethod
    def backward(ctx, grad_output, _grad_mean, _grad_var):
        x, weight, mean, inv_std = ctx.saved
        if is_grad_enabled():  # the gradient will be differentiated: compose it of operations that can be
            return of_batch(grad_output, x, weight, ctx.eps)
        arrays = x.array, None if weight is None else weight.array, mean.array, inv_std.array
        slope = grad_output.deferred(DeferredSlope)
        if slope is None or slope.origin is not ctx.origin:
            return _wanted(ctx, batch_norm_room.backward_train(grad_output.array, *arrays))
        clamp = {"bias": ctx.bias, "low": slope.low, "high": slope.high}
        return _wanted(ctx, batch_norm_room.backward_train(slope.grad_output, *arrays, **clamp))


class BatchNormEvaluation(Function):
    """Normalise by running statistics, which are constants."""

    takes_deferred = True

    @staticmethod
    def forward(ctx, x, weight, bias, *, mean, var, eps):
        if isinstance(x, Deferred) and not any(ctx.needs_grad):
            out = x.normalised(*batch_norm_room.fold(weight, bias, mean, var, eps))
            if out is not None:
                return out
        x = settled(x)
        ctx.scale = None
        if not any(ctx.needs_grad[1:]):  # a frozen norm: its gradient does not depend on the batch, which is let go
            centre, ctx.scale, _ = batch_norm_room.fold(weight, bias, mean, var, eps)
            if may_defer(x, bias):
                return DeferredNormalisation(x, None, bias, centre, ctx.scale, None)
            return batch_norm_room.normalise(x, None, bias, centre, ctx.scale)
        ctx.eps, ctx.statistics = eps, (mean.copy(), var.copy())  # (C,) each; they may move on before backward
        ctx.save(x, weight)
        return batch_norm_room.forward_eval(x, weight, bias, mean, var, eps)

    @staticmethod
    def backward(ctx, grad_output):
        if ctx.scale is not None:
            return FrozenScale.apply(grad_output, scale=ctx.scale), None, None
        x, weight = ctx.saved
        mean, var = ctx.statistics
        if is_grad_enabled():
            centre, spread = (channelwise(Tensor(s), x) for s in (mean, var))
            axes = (0, *range(2, x.ndim))
            return composed(grad_output, x, channelwise(weight, x), centre, 1 / (spread + ctx.eps).sqrt(), (), axes)
        arrays = grad_output.array, x.array, None if weight is None else weight.array, mean, var, ctx.eps
        return _wanted(ctx, batch_norm_room.backward_eval(*arrays))


class FrozenScale(Function):
    """Every channel times a constant: the gradient of a frozen norm, and its own."""

    @staticmethod
    def forward(ctx, x, *, scale):
        ctx.scale = scale
        return batch_norm_room.normalise(x, None, None, 0 * scale, scale)

    @staticmethod
    def backward(ctx, grad_output):
        return FrozenScale.apply(grad_output, scale=ctx.scale)


def _wanted(ctx, arrays):
    return tuple(Tensor(array) if need else None for array, need in zip(arrays, ctx.needs_grad))


@operation
def batch_norm(
    input: Any,
    running_mean: Any,
    running_var: Any,
    weight: Any = None,
    bias: Any = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Shift and scale every channel to mean 0 and variance 1, then by ``weight`` and ``bias``.

    Parameters
    ----------
    input : Tensor, shape (N, C, ...)
        Feature maps, float32 or float64.
    running_mean, running_var : Tensor or ndarray, shape (C,), or None
        Statistics to normalise by, or, in training, to update in place: ``(1 - momentum) * running + momentum * batch``, with
        the unbiased variance. May be None in training.
    weight, bias : Tensor, shape (C,), optional
        Scale and shift; 1 and 0 by default.
    training : bool
        Normalise by the mean and the biased variance of the batch.
    momentum : float
        Weight of the batch in the running statistics, 0 to 1.
    eps : float
        Added to the variance; positive.

    Returns
    -------
    Tensor, shape (N, C, ...)
        The normalised maps.

    Raises
    ------
    ShapeError
        If a channel has exactly one value in training, or an array does not fit.
    ArgumentError
        If running statistics are missing, not finite or negative, or a number is outside its domain.

    Notes
    -----
    Ioffe and Szegedy, arXiv 1502.03167. Statistics are computed in float64, in one order for any number of threads. After an
    exception, and for an empty batch, the running statistics are what they were; a channel whose statistics of the batch are
    not finite keeps its running ones, so that one batch with inf or NaN does not spoil them (PyTorch's become inf or NaN, for
    ever). PyTorch accepts invalid running statistics, which it turns into NaN, and ``eps=0`` in evaluation. Differentiable to
    every order.
    """
    training, x = flag(OP, "training", training), as_tensor(OP, "input", input)
    weight = None if weight is None else as_tensor(OP, "weight", weight)
    bias = None if bias is None else as_tensor(OP, "bias", bias)
    running = checked_statistics(OP, x, running_mean, running_var, training)
    if not training:
        return BatchNormEvaluation.apply(x, weight, bias, mean=running[0].array, var=running[1].array, eps=eps)
    share = checked_momentum(OP, momentum) if running else 0.0
    out, mean, var = BatchNormTraining.apply(x, weight, bias, eps=eps)
    if running and x.size:
        update(running, mean.array, var.array, x.size // x.shape[1], share)
    return out
