"""The gradient of batch normalisation, and where a clamp of its result lets it pass.

Most of the time goes into widening to double. Channels of few elements are widened once, gradients and distances from the mean,
and lie in the cache between the sums and the result, beside those of some others: one's sums begin while another's are still
added up. Channels of many are widened twice, in registers.
    // per pixel: 4 reads (2 of them cached) and 1 write, 4 bytes each
"""

from __future__ import annotations

import numpy as np

from .._jit import inlined, kernel
from .._simd_norms import normalise_row, subtract_line, subtract_wide, sum_gradient, sum_wide, widen_gradient
from .passing import passing

SHORT = 32  # elements of a plane: sums over shorter ones run along several, of up to
LINE = 2048  # elements
NEAR = 1024  # elements of one plane, or of several channels, that are summed while they are in the first-level cache


def backward(shape, low, high):
    """Return the kernel for arrays of a shape under a clamp: masks, which a clamp needs, are dear enough to be made once."""
    n, _, size = shape
    return near if size < SHORT or (n * size <= LINE and (low > -np.inf or high < np.inf)) else far


@inlined
def _slopes(summed, moment, inv_std, weight, count):
    """Return the scale, the average gradient, and the average product: what is subtracted and how it is scaled."""
    return inv_std * weight, summed / count, moment * inv_std * inv_std / count


@kernel
def near(
    first,
    last,
    grad_output,
    x,
    weight,
    bias,
    mean,
    inv_std,
    low,
    high,
    through_statistics,
    grad_input,
    grad_weight,
    grad_bias,
):
    """Write the gradients of input, scale and shift."""
    given, rows, target, (n, channels, size) = grad_output.reshape(-1), x.reshape(-1), grad_input.reshape(-1), x.shape
    count, together = max(n * size, 1), max(1, NEAR // max(n * size, 1))
    line = max(min(size, NEAR) if size >= SHORT else LINE // max(size, 1) * size, 1)  # of one plane as `far` sums it
    behind = together * count  # elements: so far behind the gradients lie the distances
    wide, ends, sums = np.empty(2 * behind), np.empty((together, 2)), np.empty((together, 2))
    for group in range(first, last, together):
        until = min(group + together, last)
        for k in range(group, until):
            least, most = passing(mean[k], inv_std[k] * weight[k], bias[k], low, high, x.dtype.type(0))
            ends[k - group, 0], ends[k - group, 1] = least, most
        for k in range(group, until):  # all of them before any sum: what has just been written would be waited for
            least, most = ends[k - group, 0], ends[k - group, 1]
            for b in range(n):
                place, at = (b * channels + k) * size, (k - group) * count + b * size
                widen_gradient(given, rows, place, size, mean[k], least, most, wide, at, behind + at)
        for k in range(group, until):
            summed = moment = 0.0
            for start in range(0, n * size, line):
                at = (k - group) * count + start
                part = sum_wide(wide, at, behind + at, min(line, n * size - start))
                summed, moment = summed + part[0], moment + part[1]
            sums[k - group, 0], sums[k - group, 1] = summed, moment
        for k in range(group, until):
            summed, moment = sums[k - group, 0], sums[k - group, 1]
            grad_bias[k], grad_weight[k] = summed, moment * inv_std[k]
            scale, shift, slope = _slopes(summed, moment, inv_std[k], weight[k], count)
            for b in range(n):
                place, at = (b * channels + k) * size, (k - group) * count + b * size
                if through_statistics:
                    subtract_wide(wide, at, behind + at, size, scale, shift, slope, target, place)
                else:  # the statistics are constants; what is added keeps the sign of a zero
                    normalise_row(given, place, size, 0.0, scale, -0.0, -np.inf, np.inf, target, place)


@kernel
def far(
    first,
    last,
    grad_output,
    x,
    weight,
    bias,
    mean,
    inv_std,
    low,
    high,
    through_statistics,
    grad_input,
    grad_weight,
    grad_bias,
):
    """Do as `near` for channels of more elements, in planes that are not short."""
    given, rows, target, (n, channels, size) = grad_output.reshape(-1), x.reshape(-1), grad_input.reshape(-1), x.shape
    for k in range(first, last):
        least, most = passing(mean[k], inv_std[k] * weight[k], bias[k], low, high, x.dtype.type(0))
        summed = moment = 0.0
        for b in range(n):
            for start in range(0, size, NEAR):
                at, length = (b * channels + k) * size + start, min(NEAR, size - start)
                part = sum_gradient(given, rows, at, length, mean[k], least, most)
                summed, moment = summed + part[0], moment + part[1]
        grad_bias[k], grad_weight[k] = summed, moment * inv_std[k]
        scale, shift, slope = _slopes(summed, moment, inv_std[k], weight[k], n * size)
        for b in range(n):
            at = (b * channels + k) * size
            if through_statistics:
                subtract_line(given, rows, at, size, mean[k], least, most, scale, shift, slope, target)
            else:  # the statistics are constants
                normalise_row(given, at, size, 0.0, scale, -0.0, -np.inf, np.inf, target, at)
