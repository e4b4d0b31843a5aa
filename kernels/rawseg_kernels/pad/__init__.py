r"""A frame around an array, axis by axis, and its adjoint, which adds the frame back to where it was copied from.

.. math:: y_i = x_{s(i)}

along every axis, where the table s of source positions says what the frame holds: a constant (``s(i) = -1``), the array
mirrored at its edge elements ("reflect"), its edge elements ("replicate"), or the opposite side ("circular"). Negative widths
crop a constant frame, so that its adjoint is the opposite frame. The map is linear but for the constant: ``backward`` of
``backward`` is ``forward`` with the constant 0.

Algorithms: ``"direct"`` copies the stretch that an axis keeps in one piece; ``"cuda"`` is for GPUs, a thread an element, and
gathers backward. The last two axes are framed in one pass, each other axis in one more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import _arrays, _memory
from .._algorithms import find
from .._errors import ArgumentError, ArgumentTypeError, DTypeError, ShapeError
from . import tables

OP = "pad"
ALGORITHMS = ("direct",)
CUDA_ALGORITHMS = ("cuda",)
MODES = ("constant", *tables.CONTINUED)
Width = tuple[int, int]


class Pass(NamedTuple):
    """One pass over the array as a stack of planes of ``size``, which become ``rows.size`` x ``columns.size``."""

    planes: int
    size: tuple[int, int]
    rows: Any
    columns: Any


def forward(
    x: Any, widths: Sequence[Width], mode: str = "constant", value: float | None = None, algorithm: str = "auto"
) -> Any:
    """Put a frame around ``x``.

    Parameters
    ----------
    x : ndarray, any shape
        float32, float64, integers or bools.
    widths : sequence of (int, int)
        For every axis, the first one first: elements added before and after it. Negative ones crop (constant only).
    mode : {"constant", "reflect", "replicate", "circular"}
        What the frame holds.
    value : float, optional
        Of a constant frame, a number of the dtype; 0 by default.
    algorithm : {"auto", "direct", "cuda", "reference"}
        See the module's docstring.

    Returns
    -------
    ndarray
        ``x`` larger by the widths; its elements bit for bit.

    Raises
    ------
    ArgumentError
        If a width does not suit its axis and the mode, or the value the dtype.
    ShapeError
        If more is cropped from an axis than it has.
    """
    device = _arrays.device_of(x)
    if not device:
        raise ArgumentTypeError(OP, "x", "a NumPy or CuPy array", type(x).__name__)
    if x.dtype not in _arrays.FLOATING and x.dtype.kind not in "biu":
        raise DTypeError(OP, "x", "float32, float64, integers or bools", x.dtype)
    checked = _widths(x.shape, widths, _mode(mode))
    fill = _fill(x.dtype, mode, value)
    return _framed(x, checked, mode, fill, find(__name__, "forward", algorithm, ALGORITHMS, device))


def backward(grad_output: Any, widths: Sequence[Width], mode: str = "constant", algorithm: str = "auto") -> Any:
    """Return the gradient with respect to ``x``: the adjoint of `forward`, for which a constant frame is nothing.

    Parameters
    ----------
    grad_output : ndarray, any shape
        Gradient with respect to the output, float32 or float64.
    widths, mode, algorithm
        Those of `forward`.

    Returns
    -------
    ndarray
        ``grad_output`` smaller by the widths; every element the sum of those that were copied from it, in a fixed order.

    Raises
    ------
    ShapeError
        If ``grad_output`` is smaller than the frame.
    """
    device = _arrays.check_floating(OP, grad_output=grad_output)
    _arrays.check_array(OP, "grad_output", grad_output)
    pairs = _pairs(grad_output.ndim, widths)
    shape = tuple(n - low - high for n, (low, high) in zip(grad_output.shape, pairs))
    if any(n < 0 for n in shape):
        raise ShapeError(OP, "grad_output", f"at least the widths {pairs} along every axis", f"shape {grad_output.shape}")
    _widths(shape, pairs, _mode(mode))
    if mode == "constant":
        opposite, zero = [(-low, -high) for low, high in pairs], grad_output.dtype.type(0)
        return _framed(grad_output, opposite, mode, zero, find(__name__, "forward", algorithm, ALGORITHMS, device))
    run = find(__name__, "backward", algorithm, ALGORITHMS, device)
    grad = _arrays.contiguous(grad_output)
    for step in reversed(list(_passes(shape, pairs, mode))):
        grad = run(grad.reshape(step.planes, step.rows.size, step.columns.size), step.size, step.rows, step.columns)
    return grad.reshape(shape)


def _framed(x: Any, widths: list[Width], mode: str, fill: Any, run: Any) -> Any:
    shape = tuple(n + low + high for n, (low, high) in zip(x.shape, widths))
    _memory.check_size(OP, tuple(max(n, 1) for n in shape), x.dtype)  # the tables of an empty array must fit, too
    _memory.check_tables(OP, max((n for n in shape if n), default=0))
    out = _arrays.contiguous(x)
    for step in _passes(x.shape, widths, mode):
        out = run(out.reshape(step.planes, *step.size), step.rows, step.columns, fill)
    return out.reshape(shape)


def _passes(shape: tuple[int, ...], widths: list[Width], mode: str) -> Iterator[Pass]:
    """Yield the passes of `forward`, the last axes first; at least one, so that an output is always a fresh array."""
    sizes = [*[1] * (2 - len(shape)), *shape]  # at least a row and a column
    frame = [*[(0, 0)] * (2 - len(shape)), *widths]
    last = len(sizes) - 1
    framed = [axis for axis in range(last) if frame[axis] != (0, 0)]
    if frame[last] != (0, 0) or not framed:
        rows, columns = (tables.sources(mode, sizes[axis], *frame[axis]) for axis in (last - 1, last))
        yield Pass(math.prod(sizes[:-2]), (sizes[-2], sizes[-1]), rows, columns)
        sizes[-2:] = rows.size, columns.size
        framed = [axis for axis in framed if axis != last - 1]
    for axis in reversed(framed):
        inner = math.prod(sizes[axis + 1 :])
        rows, columns = tables.sources(mode, sizes[axis], *frame[axis]), np.arange(inner, dtype=np.int64)
        _memory.check_size(OP, (*sizes[:axis], rows.size, inner), columns.dtype)
        yield Pass(math.prod(sizes[:axis]), (sizes[axis], inner), rows, columns)
        sizes[axis] = rows.size


def _pairs(ndim: int, widths: Any) -> list[Width]:
    """Return one (low, high) for every axis."""
    if not isinstance(widths, (tuple, list)) or len(widths) != ndim:
        raise ArgumentError(OP, "widths", f"a pair for each of {ndim} axes", repr(widths))
    pairs = []
    for width in widths:
        if not isinstance(width, (tuple, list)) or len(width) != 2:
            raise ArgumentError(OP, "widths", "pairs (low, high)", repr(width))
        low, high = (_arrays.integer(OP, "widths", number, -(1 << 62)) for number in width)
        pairs.append((low, high))
    return pairs


def _widths(shape: tuple[int, ...], widths: Any, mode: str) -> list[Width]:
    """Return the widths, each checked against its axis and the mode."""
    pairs = _pairs(len(shape), widths)
    for axis, (n, (low, high)) in enumerate(zip(shape, pairs)):
        if mode == "constant":
            if n + min(low, 0) + min(high, 0) < 0 or n + low + high < 0:
                raise ShapeError(OP, "widths", f"at most {n} cropped from axis {axis}", (low, high))
            continue
        widest = tables.CONTINUED[mode][1](n)
        if min(low, high) < 0 or max(low, high) > widest:
            raise ArgumentError(OP, "widths", f"0 to {widest} for axis {axis} of size {n} and {mode!r}", (low, high))
    return pairs


def _mode(mode: Any) -> str:
    if not isinstance(mode, str) or mode not in MODES:
        raise ArgumentError(OP, "mode", f"one of {MODES}", repr(mode))
    return mode


def _fill(dtype: np.dtype, mode: str, value: Any) -> Any:
    """Return what a constant frame holds, as a scalar of the dtype; infinities and NaN are welcome in floats."""
    if value is None:
        return dtype.type(0)
    if mode != "constant":
        raise ArgumentError(OP, "value", f"None with mode {mode!r}", repr(value))
    if not isinstance(value, (bool, int, float, np.bool_, np.integer, np.floating)):
        raise ArgumentTypeError(OP, "value", "a real number", repr(value))
    with np.errstate(all="ignore"):
        try:
            fill = np.asarray(value).astype(dtype)[()]
            kept = math.isfinite(fill) if dtype.kind == "f" and math.isfinite(value) else dtype.kind == "f" or fill == value
        except (OverflowError, ValueError):
            kept = False
    if not kept:
        raise ArgumentError(OP, "value", f"a number that {dtype} holds", repr(value))
    return fill
