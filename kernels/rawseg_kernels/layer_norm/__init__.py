r"""Layer normalisation: all values behind the leading axes are shifted and scaled to mean 0 and variance 1.

.. math:: y = \gamma\,(x - \mu) / \sqrt{\sigma^2 + \epsilon} + \beta

with mean and *biased* variance over the last axes, the *normalised shape*, and a scale and a shift of each of its elements (Ba
et al., arXiv 1607.06450, equations 3 and 4).

Algorithms: ``"direct"`` handles one row a task, in double precision, and sums the gradients of scale and shift over parts of
the rows whose number follows from the shape; ``"cuda"`` is for GPUs, and a row may be in parts, too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError, DTypeError, ShapeError

OP = "layer_norm"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)


def forward(
    x: Any, normalized_shape: tuple[int, ...], weight: Any = None, bias: Any = None, eps: float = 1e-5, algorithm: str = "auto"
) -> tuple[Any, Any, Any]:
    """Normalise the last axes by their own statistics.

    Parameters
    ----------
    x : ndarray, shape (..., *normalized_shape)
        float32 or float64; any axis may be 0.
    normalized_shape : tuple of int
        Sizes of the last axes; at least one.
    weight, bias : ndarray, shape normalized_shape, optional
        Scale and shift of every element; None means 1 and 0.
    eps : float
        Added to the variance, greater than 0.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    out : ndarray, the shape of ``x``
        The normalised values; a single value becomes 0 times its scale, plus its shift.
    mean, inv_std : ndarray of float64, shape of the leading axes
        Mean and ``1 / sqrt(variance + eps)``.

    Raises
    ------
    ShapeError
        If an array does not end with the normalised shape.
    """
    device, shape = _check(normalized_shape, x=x, weight=weight, bias=bias)
    eps = _arrays.real(OP, "eps", eps)
    if eps <= 0:
        raise ArgumentError(OP, "eps", "greater than 0", eps)
    _memory.check_size(OP, x.shape, x.dtype)
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    weight = _arrays.filled(x, shape, 1) if weight is None else _arrays.contiguous(weight)
    bias = _arrays.filled(x, shape, 0) if bias is None else _arrays.contiguous(bias)
    out, mean, inv_std = run(_rows(x, shape), weight.reshape(-1), bias.reshape(-1), eps)
    lead = x.shape[: x.ndim - len(shape)]
    return out.reshape(x.shape), mean.reshape(lead), inv_std.reshape(lead)


def backward(
    grad_output: Any,
    x: Any,
    normalized_shape: tuple[int, ...],
    weight: Any,
    mean: Any,
    inv_std: Any,
    algorithm: str = "auto",
) -> tuple[Any, Any, Any]:
    """Return ``(grad_input, grad_weight, grad_bias)`` of `forward`, through mean and variance.

    Parameters
    ----------
    grad_output, x : ndarray, shape (..., *normalized_shape)
        Gradient with respect to ``out``, and the input of the forward pass.
    normalized_shape, weight
        As in the forward pass.
    mean, inv_std : ndarray of float64, shape of the leading axes
        From the forward pass.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Notes
    -----
    ``grad_input`` as in `rawseg_kernels.group_norm.backward`, with averages over a row.
    """
    device, shape = _check(normalized_shape, x=x, grad_output=grad_output, weight=weight)
    for name, array in (("mean", mean), ("inv_std", inv_std)):
        _arrays.check_array(OP, name, array)
        _arrays.check_shape(OP, name, array, x.shape[: x.ndim - len(shape)])
        if array.dtype != np.float64:
            raise DTypeError(OP, name, "float64, as forward returns it", array.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    weight = _arrays.filled(x, shape, 1) if weight is None else _arrays.contiguous(weight)
    statistics = (_arrays.contiguous(array).reshape(-1) for array in (mean, inv_std))
    grads = run(_rows(grad_output, shape), _rows(x, shape), weight.reshape(-1), *statistics)
    return grads[0].reshape(x.shape), grads[1].reshape(shape), grads[2].reshape(shape)


def _check(normalized_shape: Any, **arrays: Any) -> tuple[str, tuple[int, ...]]:
    """Check dtypes, devices and shapes of all arrays of a call, ``x`` first; return the device and the normalised shape."""
    device = _arrays.check_floating(OP, **arrays)
    x = arrays["x"]
    _arrays.check_array(OP, "x", x)
    if not isinstance(normalized_shape, (tuple, list)) or not normalized_shape:
        raise ArgumentError(OP, "normalized_shape", "at least one size", repr(normalized_shape))
    shape = tuple(_arrays.integer(OP, "normalized_shape", length, 0) for length in normalized_shape)
    if x.shape[max(0, x.ndim - len(shape)) :] != shape:
        raise ShapeError(OP, "x", f"last axes {shape}, the normalized_shape", f"shape {x.shape}")
    for name, array in arrays.items():
        if array is None and name in ("weight", "bias"):
            continue
        _arrays.check_array(OP, name, array)
        if name != "x":
            _arrays.check_shape(OP, name, array, x.shape if name == "grad_output" else shape)
    return device, shape


def _rows(array: Any, shape: tuple[int, ...]) -> Any:
    """Return ``(rows, length)``."""
    lead = array.shape[: array.ndim - len(shape)]
    return _arrays.contiguous(array).reshape(math.prod(lead), math.prod(shape))
