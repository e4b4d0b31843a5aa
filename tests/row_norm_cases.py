"""Normalisation of rows by themselves: exact statistics of each, and bounds, from those of batch normalisation.

A row with statistics of its own is a channel of a batch of one image, so `batch_norm_cases` has the bounds; scales and shifts
that vary inside a row enter by their largest magnitude.
"""

from __future__ import annotations

import numpy as np
from batch_norm_cases import EPS, exact_statistics, forward_bounds
from bounds import gamma, smallest, unit_roundoff
from hypothesis import strategies as st


def drawn(draw, shape, affine, dtype):
    """Return ``(x, weight, bias, grad_output)``; the mean is far from 0 half of the time."""
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.standard_normal(shape) * 10.0 ** rng.integers(-2, 3) + draw(st.sampled_from([0.0, 1e3]))
    arrays = x, rng.standard_normal(affine), rng.standard_normal(affine), rng.standard_normal(shape)
    return tuple(array.astype(dtype) for array in arrays)


def statistics(x):
    """Return mean and biased variance of every row of ``(rows, length)``, in rational arithmetic, rounded once."""
    return exact_statistics(x[None])


def forward_error(x, weight, bias):
    """Return bounds for mean, variance and the output, in double precision before the last rounding."""
    ones = np.ones(len(x))
    mean, variance = statistics(x)
    dm, dv, error = forward_bounds(x[None], ones * abs(weight).max(), ones * abs(bias).max(), mean, variance)
    return dm, dv, error[0]


def expected(x, weight, bias):
    """Return the output from the exact statistics; weight and bias broadcast against the rows."""
    mean, variance = (array[:, None] for array in statistics(x))
    return (x.astype(np.float64) - mean) / np.sqrt(variance + EPS) * weight + bias


def gradient_error(grad_output, x, weight, mean, inv_std, summed, centred=True):
    """Return bounds for grad_input (rows, length) and for gradients of scale and shift whose magnitudes ``summed`` adds up.

    PyTorch's sums are not ``centred``: it takes the mean off the sum of x, and where that is large, loses as many digits.
    """
    x, mean = x.astype(np.float64), mean[:, None]
    z = (abs(x - mean) if centred else abs(x) + abs(mean)) * inv_std[:, None]
    g = abs(grad_output).astype(np.float64)
    h = g * abs(weight)
    inner = h + h.mean(1, keepdims=True) + z * (h * z).mean(1, keepdims=True)
    terms = x.size + 12
    return [2 * gamma(terms, np.float64) * size for size in (inner * inv_std[:, None], summed(g * z), summed(g))]


def last_rounding(want, dtype):
    return unit_roundoff(dtype) * np.abs(want) + smallest(2, dtype)
