"""Rounding bounds: the only tolerances that a comparison may use, each derived, none tuned (Higham 2002, chapter 3)."""

from __future__ import annotations

from typing import Any

import numpy as np


def unit_roundoff(dtype: Any) -> float:
    """Return the largest relative error of one rounded operation: 2**-24 for float32, 2**-53 for float64."""
    return float(np.finfo(dtype).eps) / 2


def gamma(terms: Any, dtype: Any) -> Any:
    """Return the relative error bound of a sum of products in any order, with or without fused multiply-adds.

    Parameters
    ----------
    terms : int or array of int
        How many products.
    dtype : dtype
        Of the sum.

    Returns
    -------
    float or array of float
        n * u / (1 - n * u) for n terms and the unit roundoff u; inf from n * u = 1 on, where nothing is known.

    Examples
    --------
    >>> gamma(2**23, np.float32), gamma(2**24, np.float32)
    (1.0, inf)
    """
    part = np.multiply(terms, unit_roundoff(dtype), dtype=np.float64)
    bound = np.divide(part, 1 - part, out=np.full(part.shape, np.inf), where=part < 1)
    return bound if bound.ndim else float(bound)


def product_gamma(algorithm: str, terms: Any, dtype: Any) -> Any:
    """Return `gamma` for an algorithm of matrix products, which may be one on tensor cores: of the sum of magnitudes, too.

    Their sums may be truncated after every addition, off by two roundings. Rounded to TF32, both factors are off by up to
    2**-11. Split into two of TF32, each is off by up to 2**-22, and the product of the smaller parts is left out, which is
    as much again; of every eight products only their own sum is truncated, since the small parts, 2**-10 of it, are added
    before.

    Parameters
    ----------
    algorithm : str
        Its name, e.g. "cuda_tiles_3xtf32".
    terms : int or array of int
        How many products.
    dtype : dtype
        Of the sum.

    Returns
    -------
    float or array of float
        A relative bound of the sum's error; numbers below 2**-100, whose smaller parts are subnormal, are off by more.

    Examples
    --------
    >>> names = "cuda_tiles", "cuda_tiles_3xtf32", "cuda_tiles_tf32"
    >>> [float(f"{product_gamma(name, 576, np.float32):.1e}") for name in names]
    [3.4e-05, 6e-06, 0.001]
    """
    if dtype != np.float32 or not algorithm.endswith("tf32"):
        return gamma(terms, dtype)
    if algorithm.endswith("3xtf32"):
        eights = -(-np.asarray(terms) // 8)
        return (3 * 2.0**-22 + gamma(2 * 8 + eights + 1, dtype)) * (1 + 2.0**-9)
    factors = 2 * 2.0**-11 + 2.0**-22
    return factors + (1 + factors) * gamma(2 * np.asarray(terms) + 1, dtype)


def smallest(terms: Any, dtype: Any) -> Any:
    """Return what underflow can add to such a sum."""
    return terms * float(np.finfo(dtype).smallest_subnormal)


def sum_bound(terms: Any, magnitudes: Any, dtype: Any) -> Any:
    """Return how far a sum of so many products may be off, whose magnitudes add up to ``magnitudes``: a number or an array.

    A sum of zeros is 0 however many they are.

    Examples
    --------
    >>> sum_bound(2**24, np.array([0.0, 1.0]), np.float32) > 1
    array([False,  True])
    """
    relative = np.broadcast_to(gamma(terms, dtype), np.shape(magnitudes))
    with np.errstate(invalid="ignore", over="ignore"):
        return np.multiply(relative, magnitudes, out=np.zeros(relative.shape), where=magnitudes != 0) + smallest(terms, dtype)
