"""Elementary functions in plain arithmetic: exp, log, tanh and the normal distribution, for the inner loops of kernels.

A call of the C library for every element would keep a loop scalar, and its last bit differs from system to system. Sums,
products, quotients, selections and bit patterns are vectors wherever they run, and the same bits on every machine. All
arguments and results are float64; errors are in units in the last place (ulp) of the result, NaN gives NaN.

The ``element`` that some take is what the result is for: where that is a float32, an error of 2**-35 is allowed, which shows in
the last bit of one result in some thousand, and costs half.

Method: reduce the argument exactly or nearly so, then a polynomial whose first omitted term is below half an ulp (Muller,
Elementary Functions, 3rd edition, chapters 3 and 11).
"""

from __future__ import annotations

import math

import numpy as np

from ._jit import inlined
from ._simd_scalar import fma, is_single

MAGIC = 1.5 * 2.0**52  # a float64 of this size has no fraction: adding it rounds, and the last bits are the integer
MAGIC_BITS = int(np.float64(MAGIC).view(np.int64))
LOG2_E = 1 / math.log(2)
LN2_HIGH = float.fromhex("0x1.62e42fefap-1")  # ln 2 in two parts; the product of the first with an exponent is exact
LN2_LOW = float.fromhex("0x1.cf79abc9e3b39p-40")
SQRT_HALF_BITS = int(np.float64(math.sqrt(0.5)).view(np.int64))
SIGN_BIT = -(2**63)
SPLIT = 2.0**27 + 1  # Veltkamp's factor: halves a significand

# Coefficients from the highest power down, as Horner's rule takes them.
EXP = tuple(1 / math.factorial(n) for n in range(13, 1, -1))  # (e**r - 1 - r) / r**2 for |r| <= ln(2) / 2
SHORT_EXP = EXP[-8:]  # first omitted term: 7e-12
ATANH = tuple(2 / n for n in range(21, 1, -2))  # 2 (atanh(s) - s) / s**3 in s**2, for |s| <= 3 - sqrt 8

# (1 + a sqrt(pi / 2)) Q(a) / exp(-a**2 / 2), Q the upper tail of the normal distribution, for a >= 0: its interpolation at the
# Chebyshev points of u = (a - 5) / (a + 5), 24th degree, as even and odd powers of u (Shepherd and Laframboise, Math. Comp.
# 36, 1981, on erfc). It runs from 0.5 to 0.5 and never leaves [0.5, 0.57], which is what makes it easy to approximate.
TAIL_CENTRE = 5.0
SQRT_HALF_PI = math.sqrt(math.pi / 2)
DENSITY = 1 / math.sqrt(2 * math.pi)
TAIL_EVEN = (
    2.513394812124816e-11,
    -4.726292839711209e-10,
    4.5844366116849875e-09,
    -3.093705769930579e-08,
    1.4148929869078163e-07,
    8.23673863338958e-08,
    -1.4085846663077692e-05,
    0.00024382904282319452,
    -0.00215626046075465,
    -0.021290937368209802,
    -0.04521123766928972,
    0.009488928482229746,
    0.5589395667632957,
)
TAIL_ODD = (
    -4.939762893299386e-10,
    5.714240190067621e-09,
    -4.031319339920544e-08,
    2.559854476124623e-07,
    -1.7003198490531098e-06,
    1.1676544640723854e-05,
    -6.743065352722142e-05,
    -2.4248903395004293e-05,
    0.008776710546537614,
    0.03668359492332279,
    0.03302511924271471,
    -0.07840394227296268,
)


@inlined
def _power_of_two(k):
    """2**k for -1023 < k < 1024."""
    return np.int64((k + 1023) << 52).view(np.float64)


@inlined
def _reduced(x, element):
    """Return k, r and e**r - 1 - r with x = k ln 2 + r, |r| <= ln(2) / 2, the rounding error of r included; for |x| < 2000."""
    shifted = np.float64(x * LOG2_E + MAGIC)
    whole = shifted - MAGIC
    coarse, fine = fma(whole, -LN2_HIGH, x), whole * LN2_LOW
    r = coarse - fine
    series = 0.0
    if is_single(element):
        for coefficient in SHORT_EXP:
            series = fma(r, series, coefficient)
        return shifted.view(np.int64) - MAGIC_BITS, r, r * r * series
    for coefficient in EXP:
        series = fma(r, series, coefficient)
    return shifted.view(np.int64) - MAGIC_BITS, r, r * r * series + ((coarse - r) - fine)


@inlined
def exp(x, element):
    """e**x, subnormal results included; within 0.65 ulp, of subnormal ones 1; for a float32 element 2**-35."""
    x = 710.0 if x > 710.0 else x  # inf from here on
    if is_single(element):
        k, r, rest = _reduced(-708.0 if x < -708.0 else x, element)
        return 0.0 if x < -708.0 else (1.0 + (r + rest)) * _power_of_two(k)
    x = -746.0 if x < -746.0 else x  # 0 from here on
    k, r, rest = _reduced(x, element)
    near = 1.0 + r
    power = near + ((r - (near - 1.0)) + rest)  # 1 + r + rest, rounded once
    half = k >> 1  # two factors: 2**k alone may not be a float64
    return power * _power_of_two(half) * _power_of_two(k - half)


@inlined
def expm1(x, element):
    """e**x - 1 for x <= 0, accurate near 0; within 2 ulp, for a float32 element 2**-35."""
    k, r, rest = _reduced(-40.0 if x < -40.0 else x, element)
    scale = _power_of_two(k)
    result = scale * (r + rest) + (scale - 1.0)
    return x if x == 0.0 else result  # -0.0 stays


@inlined
def log1p(u):
    """log(1 + u) for 0 <= u <= 1; within 2 ulp."""
    large = u > 0.41421356
    f = (u - 1.0) * 0.5 if large else u  # exact, and log(1 + u) = log(1 + f) or log(1 + f) + log 2
    return _log_near_one(f) + (LN2_LOW if large else 0.0) + (LN2_HIGH if large else 0.0)


@inlined
def log(x):
    """``log x`` of a normal x > 0; within 2 ulp. Inf gives NaN, for a sum that overflowed has no logarithm."""
    bits = np.float64(x).view(np.int64)
    k = (bits - SQRT_HALF_BITS) >> 52
    significand = np.int64(bits - (k << 52)).view(np.float64)  # sqrt(1/2) <= significand < sqrt(2)
    whole = np.float64(k)
    return _log_near_one(significand - 1.0) + whole * LN2_LOW + whole * LN2_HIGH + (x - x)


@inlined
def _log_near_one(f):
    """log(1 + f) = 2 atanh(s) with s = f / (2 + f), written so that the rounding of s hardly counts; -0.3 < f < 0.415."""
    s = f / (2.0 + f)
    square = s * s
    series = 0.0
    for coefficient in ATANH:
        series = fma(square, series, coefficient)
    return f - s * (f - square * series)


@inlined
def sigmoid(x, element):
    """1 / (1 + e**-x); within 2.5 ulp, subnormal results included; for a float32 element 2**-35."""
    small = exp(-abs(x), element)  # in [0, 1]: never overflows
    return (small if x < 0.0 else 1.0) / (1.0 + small)


@inlined
def softplus(x, element):
    """log(1 + e**x); within 3 ulp, for a float32 element 2**-35."""
    return (x if x > 0.0 else 0.0) + log1p(exp(-abs(x), element))


@inlined
def tanh(x, element):
    """``tanh x``; within 3 ulp, for a float32 element 2**-35. -0.0 stays."""
    falling = expm1(-2.0 * abs(x), element)
    size = -falling / (falling + 2.0)
    return np.int64(np.float64(size).view(np.int64) | (np.float64(x).view(np.int64) & SIGN_BIT)).view(np.float64)


@inlined
def normal(x):
    """Return P(X < x) and the density of the standard normal distribution at x; within 6 and 3 ulp, the far tails included."""
    a = abs(x)
    a = 40.0 if a > 40.0 else a  # beyond, both are 0
    high = a * SPLIT
    high = high - (high - a)
    low = a - high
    square = a * a
    missing = ((high * high - square) + 2.0 * high * low) + low * low  # Dekker: a**2 = square + missing, exactly
    bell = exp(-0.5 * square, square) * (1.0 - 0.5 * missing)
    u = (a - TAIL_CENTRE) / (a + TAIL_CENTRE)
    even, odd, square = 0.0, 0.0, u * u
    for coefficient in TAIL_EVEN:
        even = fma(square, even, coefficient)
    for coefficient in TAIL_ODD:
        odd = fma(square, odd, coefficient)
    tail = bell * (even + u * odd) / (1.0 + SQRT_HALF_PI * a)
    return tail if x < 0.0 else 1.0 - tail, bell * DENSITY
