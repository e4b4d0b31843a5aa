"""The words of tensor cores on the CPU: how a number becomes one of TF32 or two, who holds what, and how sums are rounded."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from math import floor, frexp, isfinite

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg_kernels._cuda import emulator
from rawseg_kernels._cuda.source import Source
from rawseg_kernels._errors import ArgumentError

F32 = np.dtype(np.float32)
BITS = st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=40)
LARGEST, TINY = float(np.finfo(np.float32).max), 2.0**-149


@pytest.fixture(scope="module")
def kernel():
    return Source(__file__, "tensor_cores_on_trial.cu").kernel


def nearest(x: float) -> float:
    """The number of TF32, 11 significant bits down to 2**-136, that is nearest to x; of two, the one farther from 0."""
    if not isfinite(x) or x == 0:
        return x
    step = Fraction(2) ** (max(frexp(x)[1], -125) - 11)
    found = floor(abs(Fraction(x)) / step + Fraction(1, 2)) * step
    return float(np.copysign(np.inf if found >= 2**128 else float(found), x))


EDGES = [0.0, -0.0, np.inf, -np.inf, LARGEST, -LARGEST, TINY, 2.0**-137, 2.0**-136 * 1.5, 2.0**-126, 1 + 2.0**-11, 3e-39]


def floats(bits) -> np.ndarray:
    return np.concatenate([np.array(bits, np.uint32).view(np.float32), np.array(EDGES, np.float32)])


def in_tf32(x: np.ndarray) -> bool:
    return not (x.view(np.uint32) & 0x1FFF).any()


@given(bits=BITS)
def test_rounding_is_to_the_nearest_and_away_from_zero(kernel, bits):
    x = floats([*bits, 0x7F800001, 0xFFFFFFFF])  # NaNs that a carry, or cutting off, would turn into a number
    out = np.empty_like(x)
    kernel("to_tf32s", F32)(x.size, x, out, x.size)
    assert in_tf32(out)
    want = np.array([nearest(float(value)) for value in x], np.float32)
    np.testing.assert_array_equal(out, want)
    np.testing.assert_array_equal(np.signbit(out[~np.isnan(x)]), np.signbit(x[~np.isnan(x)]))


@given(bits=BITS)
def test_a_number_is_split_to_22_bits(kernel, bits):
    x = floats(bits)
    hi, lo = np.empty_like(x), np.empty_like(x)
    kernel("splits", F32)(x.size, x, hi, lo, x.size)
    assert in_tf32(hi)
    assert in_tf32(lo)
    np.testing.assert_array_equal(hi, np.array([nearest(float(value)) for value in x], np.float32))
    np.testing.assert_array_equal(lo[~np.isfinite(hi)], 0)
    some = np.isfinite(hi)
    rest = np.abs(x[some].astype(np.float64) - hi[some] - lo[some])
    assert (rest <= np.maximum(2.0**-22 * np.abs(x[some].astype(np.float64)), 2.0**-137)).all()


def held(matrix: np.ndarray, what: str) -> np.ndarray:
    """What each of 32 threads holds of a matrix, shape (32, 4) or (32, 2): the PTX manual's figures for m16n8k8."""
    threads = range(32)
    if what == "left":  # 16 x 8
        return np.array([[matrix[t // 4 + 8 * (i % 2), t % 4 + 4 * (i // 2)] for i in range(4)] for t in threads], np.float32)
    if what == "right":  # 8 x 8
        return np.array([[matrix[t % 4 + 4 * i, t // 4] for i in range(2)] for t in threads], np.float32)
    return np.array([[matrix[t // 4 + 8 * (i // 2), t % 4 * 2 + i % 2] for i in range(4)] for t in threads], np.float32)


def multiplied(kernel, a, b, c, times=1) -> np.ndarray:
    """What the threads hold of the sums."""
    sums = held(c, "sums")
    kernel("fragments", F32).launch((1,), (32,), held(a, "left"), held(b, "right"), sums, times)
    return sums


@pytest.mark.parametrize("order", list(emulator.ORDERS))
def test_every_element_has_its_place(kernel, order):
    """A unit at each place of one matrix picks a row or column of the other."""
    b, a, zeros = np.arange(64.0).reshape(8, 8) + 1, np.arange(128.0).reshape(16, 8) + 1, np.zeros((16, 8))
    with emulator.ordered(order, 2):
        for row, k in product(range(16), range(8)):
            unit = np.zeros((16, 8))
            unit[row, k] = 1
            np.testing.assert_array_equal(multiplied(kernel, unit, b, zeros), held(unit @ b, "sums"))
        for k, column in product(range(8), range(8)):
            unit = np.zeros((8, 8))
            unit[k, column] = 1
            np.testing.assert_array_equal(multiplied(kernel, a, unit, zeros), held(a @ unit, "sums"))
        np.testing.assert_array_equal(multiplied(kernel, a, b, a, times=3), held(a + 7 * (a @ b), "sums"))


def truncated(x: np.ndarray) -> np.ndarray:
    near = x.astype(np.float32)
    return np.where(np.abs(near.astype(np.float64)) > np.abs(x), np.nextafter(near, np.float32(0)), near)


@given(seed=st.integers(0, 999), spread=st.integers(0, 20))
def test_sums_are_rounded_once_or_truncated_every_time(kernel, seed, spread):
    rng = np.random.default_rng(seed)

    def drawn(*shape):
        return np.round(rng.standard_normal(shape) * 64) * 2.0 ** rng.integers(-spread, spread + 1, shape)

    a, b, c = drawn(16, 8), drawn(8, 8), drawn(16, 8).astype(np.float32)
    cut, exact = c, c.astype(np.float64)
    for k in range(8):
        exact = exact + np.outer(a[:, k], b[k])
        cut = truncated(cut.astype(np.float64) + np.outer(a[:, k], b[k]))
    with emulator.summing("rounded"):
        np.testing.assert_array_equal(multiplied(kernel, a, b, c), held(exact.astype(np.float32), "sums"))
    with emulator.summing("truncated"):
        np.testing.assert_array_equal(multiplied(kernel, a, b, c), held(cut, "sums"))


def test_sums_of_a_whole_process(kernel, monkeypatch):
    """1 and half of what is its last bit, twice: exactly one more, or nothing."""
    a, b, c = np.zeros((16, 8)), np.ones((8, 8)), np.ones((16, 8))
    a[:, :2] = 2.0**-24
    for how, want in (("rounded", 1 + 2.0**-23), ("truncated", 1.0), ("", 1 + 2.0**-23)):
        monkeypatch.setenv("RAWSEG_CUDA_SUMS", how)
        assert (multiplied(kernel, a, b, c) == want).all()
    monkeypatch.setenv("RAWSEG_CUDA_SUMS", "cut")
    with pytest.raises(ArgumentError, match=r"RAWSEG_CUDA_SUMS: expected one of \('rounded', 'truncated'\), got 'cut'"):
        multiplied(kernel, a, b, c)


def test_mistakes_are_told(kernel):
    zeros = np.zeros((16, 8))
    with pytest.raises(RuntimeError, match="tensor cores are given a number that is not rounded to TF32"):
        multiplied(kernel, zeros + 1 + 2.0**-20, zeros[:8], zeros)
    with pytest.raises(RuntimeError, match="tensor cores are given a number that is not rounded to TF32"):
        multiplied(kernel, zeros, zeros[:8] + 1 + 2.0**-11, zeros)
    few = np.zeros((24, 4), np.float32)
    with pytest.raises(RuntimeError, match="fewer threads than a warp have come to tensor cores"):
        kernel("fragments", F32).launch((1,), (24,), few, few[:, :2].copy(), few, 1)
    with pytest.raises(RuntimeError, match="threads wait for each other at different places"):
        kernel("one_stays_away", F32).launch((1,), (32,), np.zeros(32, np.float32))
