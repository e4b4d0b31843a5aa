"""Resizing and padding of images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ....autograd import Tensor
from ....functional import padding, resize
from ..program import Step, Varying
from ..writer import Writer, refuse
from .matrices import applied_to_both_axes, matrix_of
from .registry import translates

NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


@translates(resize.Resize)
def resized(w: Writer, step: Step) -> str:
    """Translate both kinds of interpolation.

    Pixels that the nearest mode copies are chosen in integers by rawseg and in float32 by ``Resize``; where these could differ,
    the pixels are gathered by their numbers.
    """
    options = step.options["options"]
    factors = [_whole_factor(step, axis) for axis in (2, 3)]
    if factors == [1, 1]:
        return w.inputs(step)[0]
    if options["mode"] != "bilinear":
        return _by_factors(w, step, factors, **NEAREST) if _is_exact(options, factors) else _gathered(w, step)
    if options["align_corners"]:
        return _by_sizes(w, step, mode="linear", coordinate_transformation_mode="align_corners")
    if all(factors) and options["scale"] in (None, tuple(1 / factor for factor in factors)):
        return _by_factors(w, step, factors, mode="linear", coordinate_transformation_mode="half_pixel")
    if options["scale"] is None:
        return _by_sizes(w, step, mode="linear", coordinate_transformation_mode="half_pixel")
    rows, columns = (matrix_of(_along(step, axis), length) for axis, length in enumerate(_fixed_size(w, step)))
    return applied_to_both_axes(w, w.inputs(step)[0], rows, columns, step.out.dtype)


def _is_exact(options: dict[str, Any], factors: list[int]) -> bool:
    """Return whether pixel i of the output is pixel ``i // factor``, however its coordinate is rounded."""
    powers_of_two = all(factor and factor & (factor - 1) == 0 for factor in factors)
    return powers_of_two or (all(factors) and options["scale"] is None and options["compat"] == "exact")


def _whole_factor(step: Step, axis: int) -> int:
    """Return how many times larger the output is, 0 if that is no whole number or follows the input."""
    small, large = step.x.shape[axis], step.out.shape[axis]
    count = max(len(size.numbers) if isinstance(size, Varying) else 1 for size in (small, large))
    pairs = [tuple(size.numbers[i] if isinstance(size, Varying) else size for size in (small, large)) for i in range(count)]
    factor = pairs[0][1] // pairs[0][0]
    return factor if all(b == factor * a for a, b in pairs) else 0


def _resize(w: Writer, x: str, scales: str, sizes: str, attributes: dict[str, Any]) -> str:
    """Add ``Resize``, which wanted all of its inputs before opset 13."""
    empty = w.builder.constant(np.zeros(0, np.float32)) if w.opset < 13 else ""
    return w.node("Resize", x, empty, scales or empty, sizes, **attributes)


def _by_factors(w: Writer, step: Step, factors: list[int], **attributes: Any) -> str:
    scales = w.builder.constant(np.array([1, 1, *factors], np.float32))
    return _resize(w, w.inputs(step)[0], scales, "", attributes)


def _by_sizes(w: Writer, step: Step, **attributes: Any) -> str:
    x, out = step.x, step.out
    lead = [size if isinstance(size, int) else own for size, own in zip(out.shape[:2], x.shape[:2])]
    return _resize(w, w.name(x), "", w.shape((*lead, *out.shape[2:]), step.module), attributes)


def _fixed_size(w: Writer, step: Step) -> tuple[int, int]:
    height, width, *_ = w.fixed(step, "a resizing of maps", *step.x.shape[2:], *step.out.shape[2:])
    return height, width


def _along(step: Step, axis: int) -> Callable[[Tensor], Tensor]:
    """Return the resizing of columns, (N, 1, length, 1), as the step does it along an axis."""
    options = step.options["options"]
    scale = options["scale"]
    own = {**options, "scale": None if scale is None else (scale[axis], 1.0)}
    return lambda columns: resize.Resize.apply(columns, size=(step.out.shape[2 + axis], 1), options=own)


def _gathered(w: Writer, step: Step) -> str:
    """Add the choice of rows and of columns by their numbers."""
    x = w.inputs(step)[0]
    for axis, length in enumerate(_fixed_size(w, step)):
        chosen = matrix_of(_along(step, axis), length).argmax(1)
        if not np.array_equal(chosen, np.arange(length)):
            x = w.node("Gather", x, w.builder.constant(chosen, np.int64), axis=2 + axis)
    return x


@translates(padding.Pad)
def pad(w: Writer, step: Step) -> str:
    """Translate frames; negative widths crop."""
    widths, mode, value = step.options["widths"], step.options["mode"], step.options["value"]
    numbers = w.fixed(step, "a frame", *(n for pair in widths for n in pair))
    before, after = numbers[0::2], numbers[1::2]
    (x,) = w.inputs(step)
    if mode == "circular":
        return _wrapped(w, step, x, before, after)
    name = {"constant": "constant", "reflect": "reflect", "replicate": "edge"}[mode]
    dtype = step.out.dtype
    if dtype.kind not in "f" and w.opset < 13:
        refuse(step, "floats, or opset 13", f"{dtype} with opset {w.opset}")
    fill = w.builder.constant(np.asarray(value or 0, dtype)) if name == "constant" else ""
    return w.node("Pad", x, w.builder.ints(*before, *after), fill, mode=name)


def _wrapped(w: Writer, step: Step, x: str, before: tuple[int, ...], after: tuple[int, ...]) -> str:
    """Add a frame that holds the opposite side, axis by axis."""
    for axis, (low, high) in enumerate(zip(before, after)):
        parts = [x]
        ends = w.builder.ints(np.iinfo(np.int64).max)
        if low:
            parts.insert(0, w.node("Slice", x, w.builder.ints(-low), ends, w.builder.ints(axis)))
        if high:
            parts.append(w.node("Slice", x, w.builder.ints(0), w.builder.ints(high), w.builder.ints(axis)))
        x = w.node("Concat", *parts, axis=axis) if len(parts) > 1 else x
    return x
