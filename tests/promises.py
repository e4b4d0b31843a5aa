"""What every kernel promises, whatever it computes: same bits for any threads and strides, inputs untouched, fresh outputs."""

from __future__ import annotations

import numpy as np

from rawseg_kernels import _threads


def outputs_of(result) -> tuple[np.ndarray, ...]:
    return result if isinstance(result, tuple) else (result,)


def assert_same_bits(got, want, what: str = "") -> None:
    for one, other in zip(outputs_of(got), outputs_of(want), strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape), what
        assert np.ascontiguousarray(one).tobytes() == np.ascontiguousarray(other).tobytes(), what


def layouts(array: np.ndarray):
    """Yield equal arrays of other strides: column-major, reversed, every second element of a larger one, read-only."""
    yield "column-major", np.asfortranarray(array)
    yield "reversed", array[tuple([slice(None, None, -1)] * array.ndim)].copy()[tuple([slice(None, None, -1)] * array.ndim)]
    wide = np.zeros([2 * size for size in array.shape], array.dtype)
    strided = wide[tuple([slice(None, None, 2)] * array.ndim)]
    strided[...] = array
    yield "strided", strided
    locked = np.asfortranarray(array)
    locked.flags.writeable = False
    yield "read-only", locked


def assert_promises(monkeypatch, call, *arrays: np.ndarray) -> None:
    """Assert the promises for ``call(*arrays)``; the arrays have at least two tasks' worth of work."""
    before = [array.tobytes() for array in arrays]
    want = call(*arrays)
    for out in outputs_of(want):
        assert out.flags.c_contiguous
        assert not any(np.shares_memory(out, array) for array in arrays)
    threads = _threads.get_num_threads()
    monkeypatch.setattr(_threads, "SERIAL_WORK", 0)  # threads however small the arrays
    try:
        for count in (1, 2, 4):
            _threads.set_num_threads(count)
            assert_same_bits(call(*arrays), want, f"{count} threads")
    finally:
        _threads.set_num_threads(threads)
        monkeypatch.undo()
    for position, array in enumerate(arrays):
        for name, view in layouts(array):
            assert_same_bits(call(*arrays[:position], view, *arrays[position + 1 :]), want, f"argument {position} {name}")
    assert [array.tobytes() for array in arrays] == before
