r"""Max unpooling: every element is put back where its stored index points; the rest of the plane is 0.

.. math:: y_{b,k,\,\mathrm{indices}_{b,k,i,j}} = x_{b,k,i,j}

(the "unpooling with switches" of Zeiler and Fergus, arXiv 1311.2901, section 2.1, and of SegNet, arXiv 1511.00561). Overlapping
pooling windows may choose one pixel twice, and then the policy ``duplicates`` says what happens: "raise" refuses, "last" keeps
the last in row-major order of x, "sum" adds. For each policy the map is linear in x and ``backward`` is its adjoint.

Algorithms: ``"direct"`` gives every plane to one task; ``"cuda"`` is for GPUs: elements are sorted by where they go, and every
pixel fetches its own; where none may meet, that is sorted once, to find out, and the elements are put at their places.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import _arrays, _memory, _pooling
from .._algorithms import algorithm_module, find
from .._capture import refuse
from .._errors import ArgumentError

OP = "max_unpool2d"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
POLICIES = ("raise", "last", "sum")


def forward(x: Any, indices: Any, output_size: Any, duplicates: str = "raise", algorithm: str = "auto") -> Any:
    """Scatter ``x`` by ``indices`` into planes of zeros.

    Parameters
    ----------
    x : ndarray, shape (N, C, H, W)
        float32 or float64; N may be 0.
    indices : ndarray of int64, shape (N, C, H, W)
        ``oh * out_w + ow`` of each element, in the plane of its (batch, channel).
    output_size : int or (int, int)
        Height and width of the output's planes.
    duplicates : {"raise", "last", "sum"}
        What to do where several elements of a plane have one index: refuse, keep the last in row-major order, or add.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, out_h, out_w)
        +0.0 where no index points; the elements bit for bit, but for "sum".

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane; all are checked before anything is returned.
    ArgumentError
        If two elements have one index and ``duplicates`` is "raise".
    """
    device = _arrays.check_floating(OP, x=x)
    _arrays.check_rank(OP, "x", x, "(N, C, H, W)")
    _arrays.check_not_empty(OP, "x", x)
    plane = _arrays.pair(OP, "output_size", output_size, 1)
    policy = _policy(duplicates)
    if policy == "raise" and device == "cpu" and (out := _apart(x, indices, plane, algorithm)) is not None:
        return out
    _pooling.check_indices(OP, indices, x.shape[:2], plane, device)
    _arrays.check_shape(OP, "indices", indices, x.shape)
    shape = (*x.shape[:2], *plane)
    _memory.check_size(OP, shape, x.dtype)
    indices = _arrays.contiguous(indices)
    if policy == "raise":
        _refuse_duplicates(indices, plane, find(__name__, "first_duplicate", algorithm, ALGORITHMS, device))
    run = find(__name__, "forward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(x), indices, shape, policy == "sum", policy == "raise")


def _apart(x: Any, indices: Any, plane: tuple[int, int], algorithm: str) -> Any:
    """Return the output if it can be made in one pass, on which all indices are found to be good; None: look at them first."""
    if algorithm not in ("auto", *ALGORITHMS) or not _arrays.fits(indices, x.shape, np.dtype(np.int64)):
        return None
    direct, shape = algorithm_module(__name__, "direct"), (*x.shape[:2], *plane)
    for verb in ("first_duplicate", "forward"):  # what stands in for either is to be called
        if find(__name__, verb, algorithm, ALGORITHMS, "cpu") is not getattr(direct, verb):
            return None
    if not 0 < math.prod(shape) * x.itemsize <= _memory.limit_bytes():
        return None
    return direct.forward_apart(_arrays.contiguous(x), _arrays.contiguous(indices), shape)


def backward(grad_output: Any, indices: Any, duplicates: str = "raise", algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``x``: ``grad_output`` read at the indices, the adjoint of `forward`.

    Parameters
    ----------
    grad_output : ndarray, shape (N, C, out_h, out_w)
        Gradient with respect to ``out``.
    indices : ndarray of int64, shape (N, C, H, W)
        Those of `forward`.
    duplicates : {"raise", "last", "sum"}
        That of `forward`: with "last" an element that a later one overwrote gets exactly 0.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (N, C, H, W)
        Selected elements, bit for bit.

    Raises
    ------
    IndexRangeError
        If an index lies outside its plane; nothing is read before all are checked.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_rank(OP, "grad_output", grad_output, "(N, C, out_h, out_w)")
    _arrays.check_not_empty(OP, "grad_output", grad_output)
    policy = _policy(duplicates)
    _pooling.check_indices(OP, indices, grad_output.shape[:2], grad_output.shape[2:], device)
    _memory.check_size(OP, indices.shape, grad_output.dtype)
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    return run(_arrays.contiguous(grad_output), _arrays.contiguous(indices), policy == "last")


def _policy(duplicates: Any) -> str:
    if not isinstance(duplicates, str) or duplicates not in POLICIES:
        raise ArgumentError(OP, "duplicates", f"one of {POLICIES}", repr(duplicates))
    return duplicates


def _refuse_duplicates(indices: Any, plane: tuple[int, int], first_duplicate: Any) -> None:
    """Raise for the first element, in row-major order, whose index an earlier one of its plane has."""
    if indices.size < 2:
        return
    earlier, later = first_duplicate(indices, plane)

    def error() -> ArgumentError:
        value = int(indices.reshape(-1)[int(later)])
        first, second = (tuple(int(i) for i in np.unravel_index(int(at), indices.shape)) for at in (earlier, later))
        choice = "(overlapping windows chose one pixel twice: "
        choice += "pass duplicates='last' to keep the last value, or 'sum' to add them)"
        return ArgumentError(OP, "indices", f"different indices within a plane {choice}", f"{value} at {first} and at {second}")

    refuse(np.less_equal(0, later), error)  # on a GPU, this waits for it
