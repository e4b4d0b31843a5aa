"""Where the gradient passes a clamp of normalised values, told by the input alone.

``(x - centre) * scale + shift``, rounded, never turns back while x grows, whatever is lost on the way, unless the scale is 0.
So what it holds at a bound is every x up to one number, or from one number on. That number is searched for once a channel, from
where it would be without rounding; then two comparisons a pixel do for a computation in double.
"""

from __future__ import annotations

import numpy as np

from .._jit import inlined, piece
from .._simd_scalar import number_at, order_of, rounded

FURTHEST = 1 << 61  # that a search steps at once


@inlined
def passing(centre, scale, shift, low, high, like):
    """Return the least and the largest ``x - centre`` at which nothing is held; infinite ones if nothing is or all."""
    if scale == 0:  # then no x has a value of its own
        value = rounded(shift, like)
        held = (low > -np.inf and value <= rounded(low, like)) or (high < np.inf and value >= rounded(high, like))
        return (np.inf, -np.inf) if held else (-np.inf, np.inf)
    if scale < 0:
        scale, shift, low, high = -scale, -shift, -high, -low
    most = order_of(rounded(np.inf, like))
    first = min(_last(centre, scale, shift, low, False, like) + 1, most) if low > -np.inf else -most
    last = max(_last(centre, scale, shift, high, True, like), -most) if high < np.inf else most
    return number_at(first, like) - centre, number_at(last, like) - centre


@inlined
def _is_before(order, centre, scale, shift, bound, reaches, like):
    """Return whether a number's value is not above a bound; or, if those that reach it are meant, below."""
    value = rounded((number_at(order, like) - centre) * scale + shift, like)
    return not value >= bound if reaches else value <= bound


@inlined
def _last(centre, scale, shift, bound, reaches, like):
    """Return the place of the last number whose value is before a bound, one before all places if there is none."""
    line, bound, most = (centre, scale, shift), rounded(bound, like), order_of(rounded(np.inf, like))
    guess = max(1 - most, min(order_of(rounded((bound - shift) / scale + centre, like)), most - 1))
    last = guess - 2
    for order in range(guess - 1, guess + 2):  # three answers at once, and seldom a branch that was not foreseen
        last += _is_before(order, *line, bound, reaches, like)
    return last if guess - 2 < last < guess + 1 else _searched(guess, *line, bound, reaches, like)


@piece
def _searched(guess, centre, scale, shift, bound, reaches, like):
    """Return the same, however far it is: in growing steps, and then by halves."""
    line, most = (centre, scale, shift), order_of(rounded(np.inf, like))
    below, above, step = guess, guess, 1
    while below >= -most and not _is_before(below, *line, bound, reaches, like):
        above, below = below, below - step if below > step - most else -most - 1
        step = min(2 * step, FURTHEST)
    step = 1
    while above <= most and _is_before(above, *line, bound, reaches, like):
        below, above = above, above + step if above < most - step else most + 1
        step = min(2 * step, FURTHEST)
    while below < above - 1:
        middle = (below >> 1) + (above >> 1) + (below & above & 1)
        if _is_before(middle, *line, bound, reaches, like):
            below = middle
        else:
            above = middle
    return below
