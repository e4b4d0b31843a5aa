r"""Cross entropy of logits with class ids, pixel by pixel, and its gradient.

.. math:: \ell = \sum_k q_k\,(s - x_k), \qquad s = \log \sum_j e^{x_j}, \qquad
    \frac{\partial \ell}{\partial x_k} = e^{x_k - s} \sum_j q_j - q_k

The target q of a pixel is ``sharp`` on its class, plus ``smooth`` on each class: class weights and label smoothing are numbers
that the caller puts there. Everything is float64, shifted by the maximum, rounded once; sums run over the classes in order.

Algorithms: ``"direct"`` keeps strips of pixels in cache; ``"expressions"`` are NumPy's or CuPy's; ``"cuda"`` is for
GPUs, a thread a pixel.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import algorithm_module, find
from .._errors import DTypeError, ShapeError

OP = "cross_entropy"
ALGORITHMS = ("direct", "expressions")
CUDA_ALGORITHMS = ("cuda",)


def forward(
    x: Any, target: Any, kept: Any, sharp: Any, smooth: Any, algorithm: str = "auto", *, known: bool = False
) -> tuple[Any, Any]:
    """Return the loss of every pixel, and what `backward` needs.

    Parameters
    ----------
    x : ndarray, shape (N, C, D)
        Logits, float32 or float64, of C classes at D pixels.
    target : ndarray of int64, shape (N, D)
        The class of each pixel.
    kept : ndarray of bool, shape (N, D)
        Pixels that count; the others have loss and gradient 0, whatever they hold.
    sharp : ndarray of float64, shape (N, D)
        The target's share of its class.
    smooth : ndarray of float64, shape (C,) or (0,)
        And of each class, the same at every pixel; nothing if it is empty.
    algorithm : {"auto", "direct", "expressions", "cuda", "reference"}
        See the module's docstring.
    known : bool
        Whether the caller has seen that NumPy's arrays fit each other and every class is one of the C, as those of `shares` do:
        to look takes a pass over memory, and of few pixels as long as their losses.

    Returns
    -------
    losses : ndarray, shape (N, D)
        In the dtype of ``x``.
    shifts : ndarray of float64, shape (N, D)
        The logarithm of the sum of exponentials.

    Raises
    ------
    ShapeError, DTypeError
        If the arrays do not fit each other.
    IndexRangeError
        If a class is not one of the C.
    """
    device = "cpu"
    if not (known and type(x) is np.ndarray):
        device = _check(x, target, kept, sharp, smooth, known)
        _memory.check_size(OP, target.shape, sharp.dtype)
    return _form("forward", algorithm, device)(*map(_arrays.contiguous, (x, target, kept, sharp, smooth)))


def backward(
    grad_output: Any,
    x: Any,
    shifts: Any,
    target: Any,
    kept: Any,
    sharp: Any,
    smooth: Any,
    algorithm: str = "auto",
    *,
    known: bool = False,
) -> Any:
    """Return the gradient with respect to ``x``, shape (N, C, D).

    Parameters
    ----------
    grad_output : ndarray, shape (N, D), or () for one number for all
        Gradient with respect to the losses.
    shifts : ndarray of float64, shape (N, D)
        From `forward`.
    x, target, kept, sharp, smooth, algorithm, known
        As in `forward`.
    """
    device = "cpu"
    if not (known and type(x) is np.ndarray):
        device = _check(x, target, kept, sharp, smooth, known)
        _arrays.check_floating(OP, x=x, grad_output=grad_output)
        if grad_output.ndim:
            _arrays.check_shape(OP, "grad_output", grad_output, target.shape)
        _wide("shifts", shifts, target.shape)
        _memory.check_size(OP, x.shape, x.dtype)
    arrays = map(_arrays.contiguous, (grad_output, x, shifts, target, kept, sharp, smooth))
    return _form("backward", algorithm, device)(*arrays)


def shares(target: np.ndarray, shape: tuple[int, int], ignored: int, classes: int, weights: np.ndarray | None = None) -> Any:
    """Return what `forward` and `backward` take for class ids on the CPU; or None if one is no class and not ``ignored``.

    Parameters
    ----------
    target : ndarray of int64
        The ids.
    shape : tuple of int
        (N, D), as many.
    ignored : int
        An int64: pixels with this id do not count.
    classes : int
        How many there are.
    weights : ndarray of float64, shape (C,), optional
        Of the classes.

    Returns
    -------
    target : ndarray of int64, shape (N, D)
        A copy of the ids, 0 where they are ignored.
    kept : ndarray of bool, shape (N, D)
        Which are not.
    sharp : ndarray of float64, shape (N, D)
        The weights of the kept, or 1; 0 of the ignored.
    count : int
        How many are kept.
    """
    return algorithm_module(__name__, "_shares").of_ids(_arrays.contiguous(target), shape, ignored, classes, weights)


def _check(x: Any, target: Any, kept: Any, sharp: Any, smooth: Any, known: bool) -> str:
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, "(N, C, D)")
    if x.shape[1] < 1:
        raise ShapeError(OP, "x", "at least 1 along C", f"shape {x.shape}")
    shape = x.shape[0], x.shape[2]
    _arrays.check_integers(OP, "target", target, device)
    _arrays.check_shape(OP, "target", target, shape)
    if not known:
        _arrays.check_range(OP, "target", target, 0, x.shape[1], f"a class in range({x.shape[1]})")
    _arrays.check_array(OP, "kept", kept)
    if kept.dtype != bool:
        raise DTypeError(OP, "kept", "bool", kept.dtype)
    _arrays.check_shape(OP, "kept", kept, shape)
    _wide("sharp", sharp, shape)
    _wide("smooth", smooth, (x.shape[1],) if getattr(smooth, "size", 1) else (0,))
    return device


def _wide(argument: str, array: Any, shape: tuple[int, ...]) -> None:
    _arrays.check_array(OP, argument, array)
    if array.dtype != "float64":
        raise DTypeError(OP, argument, "float64", array.dtype)
    _arrays.check_shape(OP, argument, array, shape)


def _form(verb: str, algorithm: str, device: str) -> Any:
    if device != "cpu" and algorithm == "expressions":
        return getattr(import_module(".expressions", __name__), verb)
    return find(__name__, verb, algorithm, ALGORITHMS, device)
