"""Max unpooling in CUDA: elements are sorted by where they go, so that none has to look for its equals."""

from __future__ import annotations

import math

from .._arrays import module_of
from .._cuda import Source, empty, zeros
from .._cuda.scatter import scattered, sorted_places
from ..max_pool2d.cuda import gather

kernel = Source(__file__, "max_unpool2d.cu").kernel


def first_duplicate(indices, plane):
    """See ``reference.first_duplicate``; two arrays without axes, on the device."""
    if indices.size < 2:
        return -1, -1
    xp = module_of(indices)
    places, order = sorted_places(indices, plane[0] * plane[1])
    repeats = xp.where(places[1:] == places[:-1], order[1:], order.size)  # an element whose place an earlier one has, or nobody
    at = repeats.argmin()
    found = repeats[at] < order.size
    return xp.where(found, order[at], -1), xp.where(found, order[at + 1], -1)


def forward(x, indices, output_shape, adding, distinct=False):
    """See ``reference.forward``; what is distinct is not sorted, as its threads never meet."""
    if not distinct:
        return scattered(x, indices, output_shape, adding)
    out = zeros(x, output_shape)
    run = kernel("max_unpool2d_place", x.dtype)
    run(x.size, x, indices, out, x.size, math.prod(x.shape[2:]), math.prod(output_shape[2:]))
    return out


def backward(grad_output, indices, last_wins):
    """See ``reference.backward``."""
    if not last_wins:
        return gather(grad_output, indices)
    grad_input = empty(grad_output, indices.shape)
    places, order = sorted_places(indices, math.prod(grad_output.shape[2:]))
    run = kernel("max_unpool2d_backward_last", grad_output.dtype)
    run(order.size, grad_output, places, order, grad_input, order.size, grad_output.size)
    return grad_input
