r"""Group normalisation: the channels of an image in groups, each shifted and scaled to mean 0 and variance 1.

.. math:: y = \gamma\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta

with mean and *biased* variance over all pixels of a group of channels of one image, and a scale and a shift of every channel
(Wu and He, arXiv 1803.08494, equation 1). With as many groups as channels it is instance normalisation (Ulyanov et al., arXiv
1607.08022), with one group the layer normalisation of an image. The arrays have the layout (N, C, ...) with any number of
spatial axes, none included.

Algorithms: ``"direct"`` handles one group of one image a task, in double precision; ``"cuda"`` is for GPUs, and sums a group in
parts whose number follows from the shape.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError, DTypeError, ShapeError

OP = "group_norm"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(
    x: Any, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5, algorithm: str = "auto"
) -> tuple[Any, Any, Any, Any]:
    """Normalise every group by its own statistics.

    Parameters
    ----------
    x : ndarray, shape (N, C, ...)
        float32 or float64; N may be 0.
    num_groups : int
        G, a divisor of C.
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
    mean, inv_std, var_biased : ndarray of float64, shape (N, G)
        Mean, ``1 / sqrt(variance + eps)`` and variance (divided by the count) of every group; of an empty group mean and
        variance are 0.

    Raises
    ------
    ShapeError
        If a group has exactly one value: it has no variance. (PyTorch says so of a single image only.)
    ArgumentError
        If ``num_groups`` does not divide C, or a plain argument is outside its domain.
    """
    device, groups = _check(num_groups, x=x, weight=weight, bias=bias)
    eps = _arrays.real(OP, "eps", eps)
    if eps <= 0:
        raise ArgumentError(OP, "eps", "greater than 0", eps)
    if x.shape[1] == groups and math.prod(x.shape[2:]) == 1 and x.size:
        raise ShapeError(OP, "x", "more than 1 value per group", f"1 (input shape {x.shape}, num_groups={groups})")
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    weight = _arrays.filled(x, x.shape[1:2], 1) if weight is None else _arrays.contiguous(weight)
    bias = _arrays.filled(x, x.shape[1:2], 0) if bias is None else _arrays.contiguous(bias)
    out, *statistics = run(_grouped(x, groups), weight, bias, eps)
    mean, inv_std, variance = (array.reshape(x.shape[0], groups) for array in statistics)
    return out.reshape(x.shape), mean, inv_std, variance


def backward(
    grad_output: Any, x: Any, num_groups: int, weight: Any, mean: Any, inv_std: Any, algorithm: str = "auto"
) -> tuple[Any, Any, Any]:
    """Return ``(grad_input, grad_weight, grad_bias)`` of `forward`, through mean and variance.

    Parameters
    ----------
    grad_output, x : ndarray, shape (N, C, ...)
        Gradient with respect to ``out``, and the input of the forward pass.
    num_groups, weight
        As in the forward pass.
    mean, inv_std : ndarray of float64, shape (N, G)
        From the forward pass.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Notes
    -----
    With the normalised ``z = (x - mean) * inv_std``, ``h = weight * g`` and averages over a group,
    ``grad_input = inv_std * (h - average(h) - z * average(h * z))``.
    """
    device, groups = _check(num_groups, x=x, grad_output=grad_output, weight=weight)
    for name, array in (("mean", mean), ("inv_std", inv_std)):
        _arrays.check_array(OP, name, array)
        _arrays.check_shape(OP, name, array, (x.shape[0], groups))
        if array.dtype != np.float64:
            raise DTypeError(OP, name, "float64, as forward returns it", array.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    weight = _arrays.filled(x, x.shape[1:2], 1) if weight is None else _arrays.contiguous(weight)
    statistics = (_arrays.contiguous(array).reshape(-1) for array in (mean, inv_std))
    grad_input, grad_weight, grad_bias = run(_grouped(grad_output, groups), _grouped(x, groups), weight, *statistics)
    return grad_input.reshape(x.shape), grad_weight, grad_bias


def _check(num_groups: Any, **arrays: Any) -> tuple[str, int]:
    """Check dtypes, devices and shapes of all arrays of a call, ``x`` first; return the device and the number of groups."""
    device = _arrays.check_floating(OP, **arrays)
    x = arrays["x"]
    _arrays.check_array(OP, "x", x)
    if x.ndim < 2:
        raise ShapeError(OP, "x", "shape (N, C, ...)", f"shape {x.shape}")
    groups = _arrays.integer(OP, "num_groups", num_groups, 1)
    if x.shape[1] % groups:
        raise ArgumentError(OP, "num_groups", f"a divisor of {x.shape[1]}, the channels of x", groups)
    for name, array in arrays.items():
        if array is None and name in ("weight", "bias"):
            continue
        _arrays.check_array(OP, name, array)
        if name != "x":
            _arrays.check_shape(OP, name, array, x.shape if name == "grad_output" else (x.shape[1],))
    return device, groups


def _grouped(array: Any, groups: int) -> Any:
    """Return ``(N * groups, C / groups, L)``, all spatial axes as one."""
    n, c = array.shape[:2]
    return _arrays.contiguous(array).reshape(n * groups, c // groups, math.prod(array.shape[2:]))
