"""Drawn batch-normalisation inputs, their exact statistics, and bounds for what is computed from them in double precision."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from bounds import gamma
from hypothesis import strategies as st

EPS = 1e-5


@st.composite
def cases(draw, dtype, at_least: int = 2):
    """Draw ``(x, weight, bias, grad_output)``; no, one or two spatial axes, and a mean far from 0 half of the time."""
    spatial = draw(st.sampled_from([(), (1,), (3,), (2, 3), (1, 1), (4, 1)]))
    batch = draw(st.integers(at_least if np.prod(spatial) < 2 else 1, 4))
    channels = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    x = rng.standard_normal((batch, channels, *spatial)) * 10.0 ** rng.integers(-2, 3) + draw(st.sampled_from([0.0, 1e3]))
    weight, bias = rng.standard_normal(channels), rng.standard_normal(channels)
    return tuple(array.astype(dtype) for array in (x, weight, bias, rng.standard_normal(x.shape)))


def per_channel(values, x):
    """Give a (C,) array the axes of ``x``."""
    return np.asarray(values, np.float64).reshape(1, -1, *[1] * (x.ndim - 2))


def flat(array):
    return array.reshape(*array.shape[:2], -1)


def exact_statistics(x):
    """Return mean and biased variance of every channel in rational arithmetic, rounded once."""
    mean, variance = [], []
    for k in range(x.shape[1]):
        values = [Fraction(float(value)) for value in x[:, k].ravel()]
        centre = sum(values) / len(values)
        mean.append(float(centre))
        variance.append(float(sum((value - centre) ** 2 for value in values) / len(values)))
    return np.array(mean), np.array(variance)


def forward_bounds(x, weight, bias, mean, variance):
    """Bound the errors of mean, variance and output of a two-pass computation in double, before the last rounding.

    The mean is off by at most ``dm = gamma_n mean|x|``; the variance around that mean is larger by dm^2, and its sum of n
    squares has a relative error of gamma_(n+5). 1 / sqrt(v + eps) then has half of the relative error of v + eps, and a few
    roundings; twice each first-order term covers the higher orders.
    """
    count = x.size // x.shape[1]
    axes = (0, *range(2, x.ndim))
    dm = gamma(count + 2, np.float64) * np.abs(x, dtype=np.float64).mean(axes)
    dv = dm**2 + gamma(count + 5, np.float64) * (variance + dm**2)
    scale = np.abs(weight, dtype=np.float64) / np.sqrt(variance + EPS)
    relative = dv / (variance + EPS) + gamma(8, np.float64)
    distance = np.abs(x.astype(np.float64) - per_channel(mean, x))
    error = per_channel(scale, x) * (2 * per_channel(dm, x) + 2 * distance * per_channel(relative, x))
    rounding = gamma(4, np.float64) * (per_channel(scale, x) * distance + per_channel(np.abs(bias), x))
    return dm, dv, error + rounding


def gradient_sizes(grad_output, x, weight, mean, inv_std):
    """Return the sums of absolute terms of grad_input, grad_weight and grad_bias in training."""
    count, axes = x.size // x.shape[1], (0, *range(2, x.ndim))
    z = np.abs(x.astype(np.float64) - per_channel(mean, x)) * per_channel(inv_std, x)
    g = np.abs(grad_output, dtype=np.float64)
    total, moment = g.sum(axes), (g * z).sum(axes)
    inner = g + per_channel(total / count, x) + z * per_channel(moment / count, x)
    return inner * per_channel(np.abs(weight) * inv_std, x), moment, total
