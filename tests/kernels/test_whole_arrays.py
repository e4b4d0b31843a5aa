"""What threads do with whole arrays as NumPy would with one: arithmetic, joining and taking; the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg.autograd import memory
from rawseg.testing import gradcheck, gradgradcheck
from rawseg_kernels import _arithmetic, _stretches, _threads

DTYPES = st.sampled_from([np.float32, np.float64])
SIZES = st.one_of(st.integers(0, 40), st.integers(_stretches.PIECE - 1, 2 * _stretches.PIECE + 1))
SPECIAL = np.array([np.nan, -np.inf, np.inf, -0.0, 0.0, 1.0, -3.0, 1e-45, 3e38, 1 / 3])


@pytest.fixture(autouse=True, scope="module")
def threads():
    """Spread however little over two threads."""
    before, serial = _threads.get_num_threads(), _threads.SERIAL_WORK
    _threads.set_num_threads(2)
    _threads.SERIAL_WORK = 0
    yield
    _threads.set_num_threads(before)
    _threads.SERIAL_WORK = serial


@pytest.mark.parametrize("ufunc", _arithmetic.KERNELS, ids=lambda ufunc: ufunc.__name__)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_arithmetic_is_numpys(ufunc, dtype):
    a, b = (np.ascontiguousarray(side, dtype) for side in np.meshgrid(SPECIAL, SPECIAL))
    with np.errstate(all="ignore"):
        want = ufunc(a, b)
    got = _arithmetic.combined(ufunc, a, b)
    assert got.dtype == dtype
    assert np.array_equal(got, want, equal_nan=True)
    assert np.array_equal(np.signbit(got[~np.isnan(want)]), np.signbit(want[~np.isnan(want)]))


@st.composite
def parts(draw):
    """Return arrays that differ along an axis, and the axis."""
    lead, rest = (draw(st.lists(st.integers(0, 3), max_size=2)) for _ in range(2))
    rng, dtype = np.random.default_rng(draw(st.integers(0, 9))), draw(DTYPES)
    sizes = draw(st.lists(SIZES, min_size=1, max_size=3))
    return [rng.standard_normal((*lead, size, *rest)).astype(dtype) for size in sizes], len(lead)


@given(parts())
def test_joined_and_taken_apart_again(case):
    arrays, axis = case
    whole = _stretches.joined(tuple(arrays), axis)
    assert np.array_equal(whole, np.concatenate(arrays, axis))
    start = 0
    for array in arrays:
        got = _stretches.taken(whole, axis, start, array.shape[axis])
        assert got.dtype == array.dtype
        assert not np.shares_memory(got, whole)
        assert np.array_equal(got, array)
        start += array.shape[axis]


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, ">f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_any_kind_are_joined_taken_and_added(dtype, order):
    """Large enough for the kernels, which are for some of them."""
    a, b = (np.asarray(np.arange(60_000).reshape(2, 300, 100) + i, dtype, order=order) for i in range(2))
    assert np.array_equal(memory.joined((a, b), 1), np.concatenate((a, b), 1))
    assert np.array_equal(memory.taken(a, 1, 20, 250), a[:, 20:270])
    assert memory.taken(a, 1, 20, 250).flags.c_contiguous
    for ufunc in _arithmetic.KERNELS:
        with np.errstate(all="ignore"):
            assert np.array_equal(memory.computed(ufunc, a, b), ufunc(a, b), equal_nan=True)


def test_the_gradient_of_what_was_joined_can_be_differentiated_again():
    rng = np.random.default_rng(0)
    inputs = [rawseg.tensor(rng.standard_normal((2, n, 3)), requires_grad=True) for n in (1, 3, 2)]
    assert gradcheck(lambda *x: rawseg.cat(x, 1) ** 3, *inputs)
    assert gradgradcheck(lambda *x: rawseg.cat(x, 1) ** 3, *inputs)
