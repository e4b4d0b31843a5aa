r"""Products of stacked matrices.

.. math:: y_{i,j} = \sum_k a_{i,k}\, b_{k,j}

for the last two axes; the axes before them are broadcast against each other. Either matrix may be given transposed, so that the
gradients ``grad_a = grad_output b^T`` and ``grad_b = a^T grad_output`` are the same call without a copy.

Algorithm ``"panels"`` packs both matrices for the vector micro-kernel (Goto and van de Geijn, Anatomy of high-performance
matrix multiplication, 2008). Each element is one chain of fused multiply-adds in order of k, so neither threads nor
blocking reach the bits. In CUDA: ``"cuda_tiles"`` multiplies tiles in shared memory, the same chain of each element;
``"cuda_tiles_3xtf32"`` and ``"cuda_tiles_tf32"`` do so on tensor cores, and are what "auto" is at a precision that
`set_tensor_core_precision` sets; ``"cuda"`` is a thread an element, summed in double.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentTypeError, ShapeError
from .._tensor_cores import chosen

OP = "matmul"
FEW = 1024  # matrices, whose pairs are kept
ALGORITHMS = ("panels",)
CUDA_ALGORITHMS = ("cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda")


def forward(a: Any, b: Any, transpose_a: bool = False, transpose_b: bool = False, algorithm: str = "auto") -> Any:
    """Multiply stacks of matrices.

    Parameters
    ----------
    a : ndarray, shape (..., M, K), or (..., K, M) if ``transpose_a``
        Left matrices, float32 or float64.
    b : ndarray, shape (..., K, N), or (..., N, K) if ``transpose_b``
        Right matrices.
    transpose_a, transpose_b : bool
        Whether the last two axes are to be read swapped.
    algorithm : {"auto", "panels", "cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray, shape (..., M, N)
        Zeros if K is 0.

    Raises
    ------
    ShapeError
        If the inner sizes differ, the leading axes do not broadcast, or an argument has fewer than two axes.
    """
    device = _arrays.check_floating(OP, a=a, b=b)
    turned = _flag("a", transpose_a), _flag("b", transpose_b)
    shape, *stacks = _shapes(a.shape, b.shape, *turned)
    _memory.check_size(OP, shape, a.dtype)
    run = find(__name__, "forward", chosen(OP, algorithm, a, device), ALGORITHMS, device)
    batch = shape[:-2]
    pairs = (_known_pairs if math.prod(batch) <= FEW else _pairs)(a.shape[:-2], b.shape[:-2], batch)
    out = run(_arrays.contiguous(a).reshape(stacks[0]), _arrays.contiguous(b).reshape(stacks[1]), pairs, *turned)
    return out.reshape(shape)


def _flag(argument: str, transposed: Any) -> bool:
    if not isinstance(transposed, (bool, np.bool_)):
        raise ArgumentTypeError(OP, f"transpose_{argument}", "a bool", repr(transposed))
    return bool(transposed)


@lru_cache(maxsize=256)
def _shapes(a: tuple[int, ...], b: tuple[int, ...], transpose_a: bool, transpose_b: bool) -> tuple[tuple[int, ...], ...]:
    """Return the shape of a product, and those of both stacks with one axis for all matrices; check that they fit."""
    for argument, shape in (("a", a), ("b", b)):
        if len(shape) < 2:
            raise ShapeError(OP, argument, "shape (..., rows, columns)", f"shape {shape}")
    rows, depth = (a[-1], a[-2]) if transpose_a else a[-2:]
    depth_b, columns = (b[-1], b[-2]) if transpose_b else b[-2:]
    if depth != depth_b:
        raise ShapeError(OP, "b", f"{depth} rows to multiply with the columns of a (shape {a})", f"{depth_b} (shape {b})")
    shape = *_batch(a[:-2], b[:-2]), rows, columns
    return shape, *((math.prod(stack[:-2]), *stack[-2:]) for stack in (a, b))


def _batch(a_axes: tuple[int, ...], b_axes: tuple[int, ...]) -> tuple[int, ...]:
    """Return the leading axes of the product."""
    if a_axes == b_axes:  # most often none
        return a_axes
    try:
        return np.broadcast_shapes(a_axes, b_axes)
    except ValueError:
        raise ShapeError(OP, "b", f"leading axes that broadcast with {a_axes}", f"{b_axes}") from None


def _pairs(a_axes: tuple[int, ...], b_axes: tuple[int, ...], batch: tuple[int, ...]) -> np.ndarray:
    """Return which matrix of a meets which of b, shape (batch, 2): broadcast numbers instead of broadcast matrices."""
    numbers = [np.broadcast_to(np.arange(math.prod(axes)).reshape(axes), batch).reshape(-1) for axes in (a_axes, b_axes)]
    return np.stack(numbers, axis=1).astype(np.int64)


_known_pairs = lru_cache(maxsize=64)(_pairs)
