"""What threads do with whole arrays as NumPy would with one: arithmetic, joining and taking; the same bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg.autograd import memory
from rawseg.testing import gradcheck, gradgradcheck
from rawseg_kernels import _arena, _arithmetic, _arrays, _bounds, _stretches, _threads
from rawseg_kernels._errors import IndexRangeError

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


def test_kernels_take_writeable_contiguous_arrays_of_one_floating_dtype():
    a = np.ones((2, 3), np.float32)
    locked = a.copy()
    locked.flags.writeable = False
    assert memory._are_for_kernels(a, a + 1)
    for other in (a.T, locked, a.astype(np.float64), a.astype(">f4"), a.view(np.recarray)):
        assert not memory._are_for_kernels(a, other)
        assert not memory._are_for_kernels(other, a)
    assert not memory._are_for_kernels(a.astype(np.int64), a.astype(np.int64))


def test_the_gradient_of_what_was_joined_can_be_differentiated_again():
    rng = np.random.default_rng(0)
    inputs = [rawseg.tensor(rng.standard_normal((2, n, 3)), requires_grad=True) for n in (1, 3, 2)]
    assert gradcheck(lambda *x: rawseg.cat(x, 1) ** 3, *inputs)
    assert gradgradcheck(lambda *x: rawseg.cat(x, 1) ** 3, *inputs)


@pytest.mark.parametrize("at", [0, 1, _bounds.PIECE - 1, _bounds.PIECE, 3 * _bounds.PIECE + 4])
@pytest.mark.parametrize("number", [-(2**63), -1, 4, 10, 2**63 - 1])
def test_one_number_out_of_bounds_is_found_wherever_it_is(at, number):
    array = np.random.default_rng(0).integers(5, 10, 3 * _bounds.PIECE + 5)
    assert _arrays.are_within(array, 5, 10)
    _arrays.check_range("op", "indices", array, 5, 10, "5 <= index < 10")
    array[at] = number
    assert not _arrays.are_within(array, 5, 10)
    with pytest.raises(IndexRangeError, match=rf"op: indices: expected 5 <= index < 10, got {number} at \({at},\)"):
        _arrays.check_range("op", "indices", array, 5, 10, "5 <= index < 10")


def test_nothing_is_within_empty_bounds_and_only_large_arrays_of_int64_are_asked():
    array = np.zeros(_arrays.MANY, np.int64)
    assert _arrays.are_within(array, 0, 1)
    assert not _arrays.are_within(array, 0, 0)
    assert not _arrays.are_within(array, 3, 1)
    others = array[1:], array.astype(np.uint8), np.zeros(2 * _arrays.MANY, np.int64)[::2], array.tolist()
    assert not any(_arrays.are_within(other, 0, 1) for other in others)


@pytest.mark.parametrize("ignored", [-100, 1, 7])
def test_cross_entropy_of_many_pixels_takes_the_same_classes_as_of_few(ignored):
    """Large targets are checked otherwise; ids to be ignored may be classes or not."""
    rng = np.random.default_rng(0)
    x, ids = rng.standard_normal((2, 3, 100, 100)), rng.integers(0, 3, (2, 100, 100))
    logits, before = rawseg.tensor(x, requires_grad=True), ids.copy()
    whole = rawseg.functional.cross_entropy(logits, rawseg.tensor(ids), ignore_index=ignored, reduction="none").numpy()
    rows = [
        rawseg.functional.cross_entropy(
            rawseg.tensor(x[:, :, row]), rawseg.tensor(ids[:, row]), ignore_index=ignored, reduction="none"
        ).numpy()
        for row in range(100)
    ]
    assert np.array_equal(whole, np.stack(rows, 1))
    mean = rawseg.functional.cross_entropy(logits, rawseg.tensor(ids), ignore_index=ignored)
    assert abs(mean.item() - whole[ids != ignored].mean()) <= 1e-12
    ids[...] = 0  # backward does not read the caller's array
    mean.backward()
    odds = np.exp(x) / np.exp(x).sum(1, keepdims=True) - (before[:, None] == np.arange(3)[:, None, None])
    assert np.allclose(logits.grad.numpy(), odds * (before != ignored)[:, None] / (before != ignored).sum(), rtol=0, atol=1e-15)


def test_the_whole_of_a_view_is_told_from_what_only_has_its_shape():
    whole = np.arange(9.0).reshape(3, 3).copy()
    assert memory.reshaped(whole.reshape(1, 9), (3, 3)) is whole
    assert memory.reshaped(whole.reshape(1, 9), (9,)).tolist() == list(range(9))
    assert memory.reshaped(np.ascontiguousarray(whole.T)[None], (3, 3)).tolist() == whole.T.tolist()
    assert memory.reshaped(whole.T, (3, 3)).tolist() == whole.T.tolist()
    assert memory.reshaped(whole.view(np.int64), (3, 3)).dtype == np.int64
    locked = whole.copy()
    view = locked.reshape(9)
    locked.flags.writeable = False
    assert memory.reshaped(view, (3, 3)).flags.writeable


@pytest.mark.parametrize("make", [rawseg.empty, rawseg.zeros, rawseg.ones, lambda *size: rawseg.tensor(np.zeros(size))])
def test_large_new_tensors_begin_with_a_line_of_the_cache(make):
    made = [make(3, 1 << 16).array for _ in range(3)]
    assert [array.ctypes.data % _arena.LINE for array in made] == [0, 0, 0]
    assert all(array.flags.carray for array in made)


@pytest.mark.parametrize("dtype", [None, np.float32, np.int64, np.bool_])
@pytest.mark.parametrize("size", [3, 1 << 16])
def test_a_tensor_is_a_copy_in_the_dtype_that_is_asked_for(dtype, size):
    given = np.arange(2.0 * size).reshape(2, size).T
    made = rawseg.tensor(given, dtype=dtype).array
    np.testing.assert_array_equal(made, given.astype(dtype or given.dtype))
    assert made.dtype == (dtype or given.dtype)
    assert made.flags.carray
    assert not np.may_share_memory(made, given)
