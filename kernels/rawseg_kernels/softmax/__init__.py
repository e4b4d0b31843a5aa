r"""Softmax and its logarithm along one axis: probabilities out of logits (Bridle, NIPS 1989).

.. math:: p_k = e^{x_k - m} / \sum_j e^{x_j - m}, \qquad \log p_k = x_k - m - \log \sum_j e^{x_j - m}, \qquad m = \max_j x_j

The shift by the maximum keeps every exponential at most 1 and the sum at least 1. Exponentials, sums (in the order of the
axis) and quotients are float64, rounded once. An axis that is all -inf, or holds +inf or NaN, gives NaN.

Algorithms: ``"direct"`` keeps strips of pixels in cache; ``"expressions"`` are NumPy's or CuPy's; ``"cuda"`` is for
GPUs, a thread a pixel.
"""

from __future__ import annotations

import math
from importlib import import_module
from typing import Any

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError, ShapeError

OP = "softmax"
ALGORITHMS = ("direct", "expressions")
CUDA_ALGORITHMS = ("cuda",)


def forward(x: Any, axis: int, logarithm: bool = False, algorithm: str = "auto") -> Any:
    """Return probabilities along an axis, or their logarithms.

    Parameters
    ----------
    x : ndarray, at least one axis
        Logits, float32 or float64.
    axis : int
        The axis that sums to 1; not empty.
    logarithm : bool
        Return log p, without underflow.
    algorithm : {"auto", "direct", "expressions", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, the shape of ``x``
        p or log p.

    Raises
    ------
    ArgumentError
        If there is no such axis.
    ShapeError
        If the axis is empty.
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_array(OP, "x", x)
    shape = _three_axes("x", x.shape, axis)
    logarithm = _arrays.flag(OP, "logarithm", logarithm)
    _memory.check_size(OP, x.shape, x.dtype)
    return _form("forward", algorithm, device)(_arrays.contiguous(x).reshape(shape), logarithm).reshape(x.shape)


def backward(grad_output: Any, out: Any, axis: int, logarithm: bool = False, algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``x``.

    Parameters
    ----------
    grad_output : ndarray, the shape of ``out``
        Gradient with respect to the output.
    out : ndarray, at least one axis
        The output of `forward`.
    axis, logarithm, algorithm
        As in `forward`.

    Notes
    -----
    ``p (g - sum(g p))``, or with ``logarithm`` ``g - p sum(g)``.
    """
    device = _arrays.check_floating(OP, out=out, grad_output=grad_output)
    for name, array in (("out", out), ("grad_output", grad_output)):
        _arrays.check_array(OP, name, array)
    _arrays.check_shape(OP, "grad_output", grad_output, out.shape)
    shape = _three_axes("out", out.shape, axis)
    arrays = (_arrays.contiguous(array).reshape(shape) for array in (grad_output, out))
    run = _form("backward", algorithm, device)
    return run(*arrays, _arrays.flag(OP, "logarithm", logarithm)).reshape(out.shape)


def _form(verb: str, algorithm: str, device: str) -> Any:
    if device != "cpu" and algorithm == "expressions":
        return getattr(import_module(".expressions", __name__), verb)
    return find(__name__, verb, algorithm, ALGORITHMS, device)


def _three_axes(argument: str, shape: tuple[int, ...], axis: Any) -> tuple[int, int, int]:
    """Return ``(outer, classes, inner)``: the axes before, at and after the axis."""
    axis = _arrays.integer(OP, "axis", axis, -len(shape))
    if axis >= len(shape):
        raise ArgumentError(OP, "axis", f"an axis in [{-len(shape)}, {len(shape) - 1}]", axis)
    axis %= len(shape)
    if shape[axis] < 1:
        raise ShapeError(OP, argument, f"at least 1 along axis {axis}", f"shape {shape}")
    return math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
