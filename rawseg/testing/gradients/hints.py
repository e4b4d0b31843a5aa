"""What kind of mistake a wrong gradient looks like: simple relations between it and the right one.

Every relation that is tried is one that a slip in a backward pass makes; it is told only if it holds for every element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import combinations

import numpy as np

LARGEST_FACTOR = 64  # of whole numbers, and parts of one, that are called by name
SHIFTED = 3  # different numbers that have to be found in the next place: fewer are there by chance


def hints(
    analytic: np.ndarray,
    numeric: np.ndarray,
    tolerance: np.ndarray | float | None = None,
    others: Mapping[str, np.ndarray] | None = None,
) -> list[str]:
    """Return short sentences about how a gradient differs from the right one, the best first.

    Parameters
    ----------
    analytic, numeric : ndarray, shape (...)
        The gradient that may be wrong, and the right one.
    tolerance : ndarray or float, optional
        How far apart equal elements may be; a few thousand roundings of the largest, unless given.
    others : mapping of str to ndarray, optional
        The right gradients of other inputs, by what they are called.

    Returns
    -------
    list of str
        Empty where nothing is wrong or nothing is known.

    Examples
    --------
    >>> right = np.array([[1.0, -2.0], [0.5, 4.0]])
    >>> hints(right / 2, right)
    ['it is 1/2 of what it should be: every element']
    >>> hints(right.T, right)
    ['axes 0 and 1 are exchanged']
    """
    if analytic.shape != numeric.shape or not analytic.size:
        return []
    a, n = np.asarray(analytic, np.float64), np.asarray(numeric, np.float64)
    if tolerance is None:
        rounding = 4096 * float(np.finfo(analytic.dtype if analytic.dtype.kind == "f" else np.float64).eps)
        tolerance = rounding * float(np.abs(n).max())
    pair = _Pair(a, n, np.broadcast_to(np.asarray(tolerance, np.float64), n.shape))
    if not pair.wrong.any():
        return []
    exact = [*_everywhere(pair), *_places(pair), *_others(pair, others or {}), *_offset(pair)]
    return exact or [*_region(pair), *_one_way(pair)]


class _Pair:
    """Two gradients to compare, as float64."""

    def __init__(self, analytic: np.ndarray, numeric: np.ndarray, tolerance: np.ndarray) -> None:
        self.analytic, self.numeric, self.tolerance = analytic, numeric, tolerance
        with np.errstate(invalid="ignore"):
            error = np.abs(analytic - numeric)
        self.wrong = ~(error <= tolerance)

    def equal(self, change: Callable[[np.ndarray], np.ndarray], factor: float = 1.0) -> bool:
        """Return whether the analytic gradient is the numeric one with its elements moved, and multiplied by a factor."""
        allowed = self.tolerance + abs(factor) * change(self.tolerance)
        return bool((np.abs(self.analytic - factor * change(self.numeric)) <= allowed).all())

    def is_near(self, numeric: np.ndarray) -> bool:
        """Return whether the analytic gradient is this."""
        return bool((np.abs(self.analytic - numeric) <= 2 * self.tolerance).all())


def _everywhere(pair: _Pair) -> Iterator[str]:
    """Look for one relation that holds for every element by itself."""
    a, n = pair.analytic, pair.numeric
    if not a.any():
        yield "it is zero everywhere: never computed, or cut off from the output"
        return
    if (np.abs(n) <= pair.tolerance).all():
        yield "it should be zero everywhere: the output does not depend on this input here"
        return
    size = float(np.abs(n).max())  # squares of what is divided by it are numbers, however large or small it is
    with np.errstate(all="ignore"):
        factor = float((a / size * (n / size)).sum()) / float(((n / size) ** 2).sum())
    if not factor or not math.isfinite(factor) or not pair.equal(np.asarray, factor) or pair.equal(np.asarray):
        return
    if pair.equal(np.asarray, -1.0):
        yield "its sign is wrong: every element"
    elif named := _whole(factor, pair):
        yield named
    elif n.size > 1:
        yield f"it is {factor:.6g} {'of' if abs(factor) < 1 else 'times'} what it should be: every element"


def _whole(factor: float, pair: _Pair) -> str:
    """Say that a factor is a whole number or a part of one, and which length that may be; "" if it is not."""
    large, sign, shape = abs(factor) > 1, "-" if factor < 0 else "", pair.numeric.shape
    number = abs(factor) if large else 1 / abs(factor)
    number = round(number) if number < 2**53 else 0  # beyond that every number is whole
    lengths = {math.prod(shape): "the number of its elements"}
    lengths |= {length: f"the length of axis {axis}" for axis, length in reversed(list(enumerate(shape)))}
    known = number in lengths or 2 <= number <= LARGEST_FACTOR
    if not known or not pair.equal(np.asarray, math.copysign(number if large else 1 / number, factor)):
        return ""
    where = f" ({number} is {lengths[number]})" if number in lengths and number > 2 else ""
    return f"it is {sign}{f'{number} times' if large else f'1/{number} of'} what it should be: every element{where}"


def _places(pair: _Pair) -> Iterator[str]:
    """Look for the right numbers in the wrong places."""
    shape = pair.numeric.shape
    axes = [axis for axis, length in enumerate(shape) if length > 1]
    for flipped in [*combinations(axes[::-1], 2), *combinations(axes, 1)]:
        if pair.equal(partial(np.flip, axis=flipped)):
            kernel = " (a kernel turned around once too often, or not at all)" if len(flipped) > 1 else ""
            yield f"it is flipped along {_axes(flipped)}{kernel}"
            return
    for one, other in combinations(axes[::-1], 2):
        if pair.equal(lambda n, one=one, other=other: n.swapaxes(one, other).reshape(n.shape)):
            if shape[one] != shape[other]:
                mixed = "are mixed up (height and width?): the numbers are in the other one's order"
                yield f"{_axes((one, other))} {mixed}"
            else:
                yield f"{_axes((one, other))} are exchanged"
            return
    yield from _shifted(pair, axes)


def _axes(axes: tuple[int, ...]) -> str:
    return f"axis {axes[0]}" if len(axes) == 1 else "axes " + " and ".join(map(str, sorted(axes)))


def _shifted(pair: _Pair, axes: list[int]) -> Iterator[str]:
    for axis in axes:
        if pair.numeric.shape[axis] < 3:
            continue
        before = (slice(None),) * axis
        first, last = (*before, slice(None, -1)), (*before, slice(1, None))
        for seen, where, way in ((last, first, "forwards"), (first, last, "backwards")):
            part = _Pair(pair.analytic[seen], pair.numeric[where], np.maximum(pair.tolerance[seen], pair.tolerance[where]))
            if len(np.unique(part.numeric[part.numeric != 0])) >= SHIFTED and not part.wrong.any():
                yield f"it is shifted by one {way} along axis {axis}"
                return


def _others(pair: _Pair, others: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name, other in others.items():
        if other.shape == pair.numeric.shape and pair.is_near(np.asarray(other, np.float64)):
            yield f"it is the gradient of {name}: two gradients are exchanged"


def _offset(pair: _Pair) -> Iterator[str]:
    missing = pair.analytic - pair.numeric
    if missing.size > 2 and pair.is_near(pair.numeric + missing.mean()):
        what = "too much" if missing.mean() > 0 else "too little"
        yield f"every element has {abs(missing.mean()):.6g} {what}: a term that is constant"


def _region(pair: _Pair) -> Iterator[str]:
    """Look whether the wrong elements are in one place only."""
    wrong = pair.wrong
    if wrong.all() or np.count_nonzero(wrong) < 2:
        return
    several = []
    for axis in range(wrong.ndim):
        indices = np.flatnonzero(wrong.any(tuple(other for other in range(wrong.ndim) if other != axis)))
        if len(indices) == 1 and wrong.shape[axis] > 1:
            yield f"it is wrong only where axis {axis} is {indices[0]}"
        elif len(indices) < wrong.shape[axis] and 2 * np.count_nonzero(wrong) >= len(indices) * wrong.size / wrong.shape[axis]:
            right = sorted(set(range(wrong.shape[axis])) - set(indices.tolist()))
            several.append(f"it is right where axis {axis} is {_listed(right)} and wrong where it is {_listed(indices)}")
    inside = np.asarray(wrong[..., 1:-1, 1:-1]) if wrong.ndim > 1 else wrong
    if wrong.ndim > 1 and inside.size and not inside.any():
        yield "it is wrong only at the border: the first or last row or column of the last two axes"
    yield from several


def _listed(indices: Iterable[int]) -> str:
    numbers = [int(index) for index in indices]
    return ", ".join(map(str, numbers)) if len(numbers) < 5 else f"one of {len(numbers)} others"


def _one_way(pair: _Pair) -> Iterator[str]:
    """Look whether it is too small, or too large, wherever it is wrong."""
    a, n = pair.analytic[pair.wrong], pair.numeric[pair.wrong]
    if len(a) < 3 or not (a * n >= 0).all():
        return
    if (np.abs(a) < np.abs(n)).all():
        yield "it is too small wherever it is wrong: terms of a sum are missing (= where += is meant?)"
    elif (np.abs(a) > np.abs(n)).all():
        yield "it is too large wherever it is wrong: terms of a sum are counted twice"
