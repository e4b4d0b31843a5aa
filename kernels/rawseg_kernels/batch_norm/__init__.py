r"""Batch normalisation: every channel is shifted and scaled to mean 0 and variance 1, then by ``weight`` and ``bias``.

.. math:: y = \gamma\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta

with, in training, mean and *biased* variance of the channel over batch and space (Ioffe and Szegedy, arXiv 1502.03167,
algorithm 1; the backward pass is the chain rule of its section 3), and in evaluation the given running statistics. The
arrays have the layout (N, C, ...) with any number of spatial axes, none included. Running statistics are kept by the caller,
with `moved_statistics`.

Algorithms: ``"direct"`` handles one channel a task, in double precision; ``"cuda"`` is for GPUs, and sums a channel in parts
whose number follows from the shape.
"""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find, substitute
from .._capture import refuse
from .._errors import ArgumentError, DTypeError, ShapeError

OP = "batch_norm"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
WIDE = np.dtype(np.float64)  # of statistics
CHANNELWISE = ("weight", "bias")  # may be None


def forward_train(
    x: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5, algorithm: str = "auto"
) -> tuple[Any, Any, Any, Any]:
    """Normalise by the statistics of ``x`` itself.

    Parameters
    ----------
    x : ndarray, shape (N, C, ...)
        float32 or float64; N may be 0.
    weight, bias : ndarray, shape (C,), optional
        Scale and shift of every channel; None means 1 and 0.
    eps : float
        Added to the variance, greater than 0.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    out : ndarray, shape (N, C, ...)
        The normalised values.
    mean, inv_std, var_biased : ndarray of float64, shape (C,)
        Mean, ``1 / sqrt(variance + eps)`` and variance (divided by the count) of every channel; mean and variance of an
        empty batch are 0, and are no statistics to keep.

    Raises
    ------
    ShapeError
        If a channel has exactly one value: it has no variance.
    """
    device = _check(x=x, weight=weight, bias=bias)
    eps = _epsilon(eps)
    _check_count(x)
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "forward_train", algorithm, ALGORITHMS, device)
    out, mean, inv_std, variance = run(_flat(x), *_affine(x, weight, bias), eps)
    return out.reshape(x.shape), mean, inv_std, variance


def forward_held(
    x: Any, weight: Any, bias: Any, eps: float, low: float = -math.inf, high: float = math.inf
) -> tuple[Any, Any, Any, Any]:
    """Return what `statistics` and `normalise` return, the output first: on a CPU in one pass, with the same bits."""
    device = _check(x=x, weight=weight, bias=bias)
    if device != "cpu" or substitute(OP, "statistics") is not None or substitute(OP, "normalise") is not None:
        mean, inv_std, variance = statistics(x, eps)
        return normalise(x, weight, bias, mean, inv_std, low, high), mean, inv_std, variance
    eps = _epsilon(eps)
    _check_count(x)
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "forward_train", "direct", ALGORITHMS, device)
    out, mean, inv_std, variance = run(_flat(x), *_affine(x, weight, bias), eps, float(low), float(high))
    return out.reshape(x.shape), mean, inv_std, variance


def statistics(x: Any, eps: float = 1e-5, algorithm: str = "auto") -> tuple[Any, Any, Any]:
    """Return what `forward_train` returns behind its output: ``mean, inv_std, var_biased``, for whoever normalises later."""
    device = _check(x=x)
    eps = _epsilon(eps)
    _check_count(x)
    return find(__name__, "statistics", algorithm, ALGORITHMS, device)(_flat(x), eps)


def normalise(
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    inv_std: Any,
    low: float = -math.inf,
    high: float = math.inf,
    algorithm: str = "auto",
) -> Any:
    """Normalise by `statistics`, and hold the result between two numbers: batch norm and ReLU in one pass.

    Parameters
    ----------
    x : ndarray, shape (N, C, ...)
        float32 or float64.
    weight, bias : ndarray, shape (C,), or None
        Scale and shift of every channel.
    mean, inv_std : ndarray of float64, shape (C,)
        As from `statistics`.
    low, high : float
        Bounds, numbers of the dtype of ``x``: 0 and infinity are a ReLU. NaN passes.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, the shape of ``x``
        The bits of `forward_train` and then `rawseg_kernels.activation`.
    """
    device = _check(x=x, weight=weight, bias=bias)
    _check_wide(x.shape[1:2], mean=mean, inv_std=inv_std)
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "normalise", algorithm, ALGORITHMS, device)
    wide = _arrays.contiguous(mean), _arrays.contiguous(inv_std)
    return run(_flat(x), *_affine(x, weight, bias), *wide, float(low), float(high)).reshape(x.shape)


def forward_eval(
    x: Any,
    weight: Any,
    bias: Any,
    running_mean: Any,
    running_var: Any,
    eps: float = 1e-5,
    algorithm: str = "auto",
) -> Any:
    """Normalise by running statistics, shape (C,) each: finite, the variance not negative. The rest as in `forward_train`.

    Raises
    ------
    ArgumentError
        If a running statistic is not finite, or a variance is negative (PyTorch returns NaN).
    """
    device = _check(x=x, weight=weight, bias=bias, running_mean=running_mean, running_var=running_var)
    eps = _epsilon(eps)
    check_statistics(running_mean, running_var)
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "forward_eval", algorithm, ALGORITHMS, device)
    statistics = _arrays.contiguous(running_mean), _arrays.contiguous(running_var)
    return run(_flat(x), *_affine(x, weight, bias), *statistics, eps).reshape(x.shape)


def fold(weight: Any, bias: Any, running_mean: Any, running_var: Any, eps: float = 1e-5) -> tuple[Any, Any, Any]:
    """Return ``(centre, scale, shift)`` in float64, with which `forward_eval` is ``(x - centre) * scale + shift``, bit for bit.

    For whoever computes x and can normalise it before storing it. Parameters as in `forward_eval`.
    """
    device = _arrays.check_floating(OP, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias)
    _arrays.check_array(OP, "running_mean", running_mean)
    shape = running_mean.shape
    for name, array in (("running_var", running_var), ("weight", weight), ("bias", bias)):
        if array is not None:
            _arrays.check_shape(OP, name, array, shape)
    eps = _epsilon(eps)
    if device == "cpu" and len(shape) == 1:
        folded = find(__name__, "fold", "direct", ALGORITHMS, device)(running_mean, running_var, weight, bias, eps)
        if folded is not None:
            return folded
    check_statistics(running_mean, running_var)
    xp = _arrays.module_of(running_mean)
    scale = 1 / xp.sqrt(running_var.astype(np.float64) + eps)
    shift = xp.zeros(shape) if bias is None else bias.astype(np.float64)
    return running_mean.astype(np.float64), scale if weight is None else scale * weight, shift


def backward_train(
    grad_output: Any,
    x: Any,
    weight: Any,
    mean: Any,
    inv_std: Any,
    algorithm: str = "auto",
    *,
    bias: Any = None,
    low: float = -math.inf,
    high: float = math.inf,
) -> tuple[Any, Any, Any]:
    """Return ``(grad_input, grad_weight, grad_bias)`` of `forward_train`, through mean and variance.

    Parameters
    ----------
    grad_output, x : ndarray, shape (N, C, ...)
        Gradient with respect to ``out``, and the input of the forward pass.
    weight : ndarray, shape (C,), or None
        As in the forward pass.
    mean, inv_std : ndarray of float64, shape (C,)
        From the forward pass.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.
    bias, low, high
        As in `normalise`, if its result was held: the gradient passes strictly between the bounds, and where that was is
        computed again from ``x``. An infinite bound holds nothing.

    Notes
    -----
    With the normalised ``z = (x - mean) * inv_std`` and averages over a channel,
    ``grad_input = weight * inv_std * (g - average(g) - z * average(g * z))``.
    """
    device = _check(x=x, grad_output=grad_output, weight=weight, bias=bias)
    _check_wide(x.shape[1:2], mean=mean, inv_std=inv_std)
    run = find(__name__, "backward_train", algorithm, ALGORITHMS, device)
    wide = _arrays.contiguous(mean), _arrays.contiguous(inv_std)
    grads = run(_flat(grad_output), _flat(x), *_affine(x, weight, bias), *wide, float(low), float(high))
    return grads[0].reshape(x.shape), grads[1], grads[2]


def backward_eval(
    grad_output: Any,
    x: Any,
    weight: Any,
    running_mean: Any,
    running_var: Any,
    eps: float = 1e-5,
    algorithm: str = "auto",
) -> tuple[Any, Any, Any]:
    """Return ``(grad_input, grad_weight, grad_bias)`` of `forward_eval`; the running statistics are constants."""
    device = _check(x=x, grad_output=grad_output, weight=weight, running_mean=running_mean, running_var=running_var)
    eps = _epsilon(eps)
    check_statistics(running_mean, running_var)
    run = find(__name__, "backward_eval", algorithm, ALGORITHMS, device)
    statistics = _arrays.contiguous(running_mean), _arrays.contiguous(running_var)
    grads = run(_flat(grad_output), _flat(x), _affine(x, weight, None)[0], *statistics, eps)
    return grads[0].reshape(x.shape), grads[1], grads[2]


def moved_statistics(
    running_mean: Any, running_var: Any, mean: Any, variance: Any, momentum: float, algorithm: str = "auto"
) -> tuple[Any, Any]:
    """Return both running statistics moved towards those of a batch, ``(1 - momentum) * running + momentum * batch``.

    Parameters
    ----------
    running_mean, running_var : ndarray, shape (C,)
        What was kept so far, float32 or float64.
    mean, variance : ndarray of float64, shape (C,)
        Of the batch. The running variance takes the *unbiased* one, ``var_biased * count / (count - 1)``.
    momentum : float
        Weight of the batch, 0 to 1; a cumulative average is kept with ``1 / batches_so_far``.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    mean, variance : ndarray, shape (C,)
        In the dtype of the running ones. A channel whose new variance would not be finite keeps both.

    Examples
    --------
    >>> mean, variance = moved_statistics(np.zeros(2), np.ones(2), np.array([1.0, 4.0]), np.array([3.0, np.inf]), 0.25)
    >>> mean, variance
    (array([0.25, 0.  ]), array([1.5, 1. ]))
    """
    device = _arrays.check_floating(OP, running_mean=running_mean, running_var=running_var)
    _arrays.check_rank(OP, "running_mean", running_mean, "(C,)")
    _arrays.check_array(OP, "running_var", running_var)
    _arrays.check_shape(OP, "running_var", running_var, running_mean.shape)
    _check_wide(running_mean.shape, mean=mean, variance=variance)
    momentum = _arrays.real(OP, "momentum", momentum)
    if not 0 <= momentum <= 1:
        raise ArgumentError(OP, "momentum", "between 0 and 1", momentum)
    run = find(__name__, "moved_statistics", algorithm, ALGORITHMS, device)
    return run(*map(_arrays.contiguous, (running_mean, running_var, mean, variance)), momentum)


def move(running_mean: Any, running_var: Any, mean: Any, var_biased: Any, count: int, momentum: float) -> bool:
    """Do as `check_statistics` and `moved_statistics`, in place, for arrays on the CPU as they usually are; else return False.

    ``var_biased`` is that of ``count`` values, as `statistics` returns it; ``momentum`` has been checked. False leaves all as
    it is, and those two say what is wrong, if anything is.
    """
    shape, dtype = running_mean.shape, running_mean.dtype
    if len(shape) != 1 or dtype not in _arrays.FLOATING or substitute(OP, "moved_statistics") is not None:
        return False
    for array, kind in ((running_mean, dtype), (running_var, dtype), (mean, WIDE), (var_biased, WIDE)):
        if not _arrays.fits(array, shape, kind) or not array.flags.carray:
            return False
    if np.may_share_memory(running_mean, running_var):
        return False
    run = find(__name__, "move", "direct", ALGORITHMS, "cpu")
    return run(running_mean, running_var, mean, var_biased, count / (count - 1), momentum)


def _check(**arrays: Any) -> str:
    """Check dtypes, devices and shapes of all arrays of a call, ``x`` first; return the device."""
    if _are_usual(**arrays):
        return "cpu"
    device = _arrays.check_floating(OP, **arrays)
    x = arrays["x"]
    _arrays.check_array(OP, "x", x)
    if x.ndim < 2:
        raise ShapeError(OP, "x", "shape (N, C, ...)", f"shape {x.shape}")
    for name, array in arrays.items():
        if array is not None or name not in CHANNELWISE:
            _arrays.check_array(OP, name, array)
            _arrays.check_shape(OP, name, array, x.shape if name in ("x", "grad_output") else x.shape[1:2])
    return device


def _are_usual(x: Any, **others: Any) -> bool:
    """Return whether all arrays are NumPy's, of one object for a dtype that is allowed, and fit: most are, and soon told."""
    if type(x) is not np.ndarray or x.ndim < 2 or x.dtype not in _arrays.FLOATING:
        return False
    dtype, shape, channels = x.dtype, x.shape, x.shape[1:2]
    for name, array in others.items():
        if array is None:
            if name not in CHANNELWISE:
                return False
        elif not _arrays.fits(array, shape if name == "grad_output" else channels, dtype):
            return False
    return True


def _check_count(x: Any) -> None:
    if x.size == x.shape[1] and math.prod(x.shape[:1] + x.shape[2:]) == 1:
        raise ShapeError(OP, "x", "more than 1 value per channel in training", f"1 (input shape {x.shape})")


def _check_wide(shape: tuple[int, ...], **arrays: Any) -> None:
    for name, array in arrays.items():
        if _arrays.fits(array, shape, WIDE):
            continue
        _arrays.check_array(OP, name, array)
        _arrays.check_shape(OP, name, array, shape)
        if array.dtype != WIDE:
            raise DTypeError(OP, name, "float64, as forward_train returns it", array.dtype)


def _epsilon(eps: Any) -> float:
    eps = _arrays.real(OP, "eps", eps)
    if eps <= 0:
        raise ArgumentError(OP, "eps", "greater than 0", eps)
    return eps


def check_statistics(running_mean: Any, running_var: Any) -> None:
    """Raise an ArgumentError unless running statistics are finite and no variance is negative."""
    if type(running_mean) is type(running_var) is np.ndarray and running_mean.ndim == running_var.ndim == 1:
        both = _arrays.contiguous(running_mean), _arrays.contiguous(running_var)
        if find(__name__, "are_statistics", "direct", ALGORITHMS, "cpu")(*both):
            return
    for name, array in (("running_mean", running_mean), ("running_var", running_var)):
        expected = "finite values (a layer's reset_running_stats() starts them anew)"
        refuse(~_arrays.module_of(array).isfinite(array), partial(ArgumentError, OP, name, expected, array))
    refuse(running_var < 0, partial(ArgumentError, OP, "running_var", "no negative value", running_var))


def _flat(array: Any) -> Any:
    """Return ``(N, C, L)``, all spatial axes as one."""
    shape = array.shape
    return _arrays.contiguous(array).reshape(shape[0], shape[1], math.prod(shape[2:]))


def _affine(x: Any, weight: Any, bias: Any) -> tuple[Any, Any]:
    """Return scale and shift of every channel as arrays."""
    weight = _arrays.filled(x, x.shape[1:2], 1) if weight is None else _arrays.contiguous(weight)
    bias = _arrays.filled(x, x.shape[1:2], 0) if bias is None else _arrays.contiguous(bias)
    return weight, bias
