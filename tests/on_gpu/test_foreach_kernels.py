"""Launches over many arrays, run from their source on the CPU: the loops' bits in any order of threads, inside the arrays."""

from __future__ import annotations

import math

import numpy as np
import pytest
from on_gpu.foreach_calls import CALLS, DTYPES, NORMS, SIZES, arrays, called, norm_of
from on_gpu.pretended_cupy import ndarray, pretended
from on_gpu.sanitized_process import sanitized
from promises import assert_same_bits

from rawseg_kernels._cuda import emulator
from rawseg_kernels._cuda.kernel import Kernel
from rawseg_kernels._cuda.tables import uploaded
from rawseg_kernels._foreach import adam, clip, reference, sgd, table
from rawseg_kernels._foreach.table import CHUNK, Table, chunks_of


@pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])
@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_as_the_loops_in_any_order_of_threads(call, dtype):
    want = arrays(call.columns, dtype)
    for row in zip(*want):
        call.loops(*row)
    for order in emulator.ORDERS:
        got = arrays(call.columns, dtype)
        with emulator.ordered(order, 1):
            called(call, got)
        for one, other in zip(got, want, strict=True):
            assert_same_bits(tuple(one), tuple(other), order)


@pytest.mark.parametrize("p", NORMS)
def test_norms_are_those_of_the_loops(p):
    """Sums in float64 in another order: 5000 roundings of 1e-16, in a sum of positive numbers."""
    columns = [arrays(1, dtype)[0] for dtype in DTYPES]
    exact = reference.norm([array for column in columns for array in column], p)
    first = norm_of(columns, p, 0.5)
    for order in emulator.ORDERS:
        with emulator.ordered(order, 2):
            assert_same_bits(norm_of(columns, p, 0.5), first)
    norm, factor = first
    assert (norm.shape, norm.dtype) == ((), np.float64)
    assert float(norm) == pytest.approx(exact, rel=0 if p == math.inf else 1e-12)
    assert float(factor) == 0.5 / (float(norm) + 1e-6)
    assert float(norm_of(columns, p, 1e12)[1]) == 1


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("sizes", [[], [0], [0, 0], [1], [1, 1, 1], [256], [257] * 3], ids=str)
def test_sums_of_whole_numbers_are_exact(sizes, p):
    columns = [[np.full(size, -2, dtype) for size in [*sizes, 0]] for dtype in DTYPES]
    count = 2 * sum(sizes)
    want = {math.inf: 2.0 * (count > 0), 1.0: 2 * count, 2.0: math.sqrt(4 * count)}
    assert float(norm_of(columns, p, 1.0)[0]) == pytest.approx(want.get(p, (2.0**p * count) ** (1 / p)), rel=1e-15)


@pytest.mark.parametrize("p", NORMS)
@pytest.mark.parametrize("at", [0, 255, 256, CHUNK - 1, CHUNK, CHUNK + 2])
def test_nan_and_inf_are_seen_wherever_they_are(p, at):
    column = arrays(1, np.float32)[0]
    column[2][at] = -np.inf
    norm, factor = norm_of([column], p, 1.0)
    assert (float(norm), float(factor)) == (np.inf, 0)
    column[2][at] = np.nan
    assert all(np.isnan(number) for number in norm_of([column], p, 1.0))


def test_more_chunks_than_one_block_of_the_last_sum(monkeypatch):
    monkeypatch.setattr(table, "CHUNK", 1)
    column = [np.arange(700, dtype=np.float64)]
    assert float(norm_of([column], 1.0, 1.0)[0]) == 700 * 699 / 2
    assert float(norm_of([column], math.inf, 1.0)[0]) == 699


@pytest.mark.parametrize("p", NORMS)
def test_sums_have_room_for_a_number_of_each_thread(monkeypatch, p):
    """However many threads a block has."""
    seen, launch = [], Kernel.launch

    def watched(self, grid, block, *arguments, shared=0):
        seen.append((self.name, block, shared))
        launch(self, grid, block, *arguments, shared=shared)

    monkeypatch.setattr(Kernel, "launch", watched)
    columns = [arrays(1, np.float32)[0]]
    whole = norm_of(columns, p, 1.0)
    for module in (table, clip):
        monkeypatch.setattr(module, "BLOCK", 64)
    np.testing.assert_allclose(norm_of(columns, p, 1.0), whole, rtol=1e-12)
    assert seen == [(name, (threads,), 8 * threads) for threads in (256, 64) for name in ("clip_chunks", "clip_factor")]


def test_more_chunks_than_blocks(monkeypatch):
    monkeypatch.setattr(table, "CHUNK", 2)
    monkeypatch.setattr(table, "MOST_BLOCKS", 3)
    for call in CALLS[3], CALLS[7], CALLS[8], CALLS[10]:
        got, want = arrays(call.columns, np.float32, [9, 5, 1]), arrays(call.columns, np.float32, [9, 5, 1])
        for row in zip(*want):
            call.loops(*row)
        called(call, got)
        for one, other in zip(got, want, strict=True):
            assert_same_bits(tuple(one), tuple(other), call.name)
    assert float(norm_of([[np.full(99, 3.0)]], 1.0, 1.0)[0]) == 297


def test_numbers_that_are_not_finite_or_0_are_cut_as_by_the_loops():
    values = np.array([np.nan, np.inf, -np.inf, 0.5, -0.5, 0.0, -0.0, 1e-45], np.float32)
    for largest in (0.5, 0.0, np.inf):
        got, want = values.copy(), values.copy()
        one = Table()
        one.point_at([], [[got]])
        clip.limit(one, largest)
        reference.limit(want, largest)
        assert_same_bits(got, want, str(largest))


# Tables


@pytest.mark.parametrize("sizes", [[], [0], [1], [CHUNK], [CHUNK + 1, 0, 2 * CHUNK], [0, 3, 0]], ids=str)
def test_chunks_hold_every_element_once(sizes):
    seen = [(row, i) for row, first, last in chunks_of(sizes).tolist() for i in range(first, last)]
    assert seen == [(row, i) for row, size in enumerate(sizes) for i in range(size)]
    assert all(0 < last - first <= CHUNK and first % CHUNK == 0 for _, first, last in chunks_of(sizes).tolist())


def zeros(*shape: int, dtype=np.float32) -> np.ndarray:
    return np.zeros(shape, dtype)


@pytest.mark.parametrize(
    ("read", "written", "error", "message"),
    [
        ([[zeros(3)]], [[zeros(4)]], ValueError, r"column 1: expected arrays of \[3\] elements, got \[4\]"),
        ([[zeros(3)]], [[zeros(3), zeros(3)]], ValueError, r"column 1: expected arrays of \[3\] elements, got \[3, 3\]"),
        ([[zeros(3)]], [[zeros(3, dtype=np.float64)]], TypeError, "column 1, row 0: expected .* of float32, got float64"),
        ([], [[zeros(3), zeros(3, dtype=np.float64)]], TypeError, "column 0, row 1: expected .* of float32, got float64"),
        ([], [[zeros(3, dtype=np.float16)]], TypeError, "column 0, row 0: expected .*, got float16"),
        ([], [[zeros(3, 4).T]], TypeError, "column 0, row 0: expected a C-contiguous array of float32, got float32, with str"),
        ([[zeros(3)]], [[ndarray(zeros(3))]], TypeError, "column 1, row 0: expected cpu, got cuda:0"),
    ],
)
def test_what_a_kernel_must_not_be_told_is_refused(read, written, error, message):
    one = Table()
    with pytest.raises(error, match=message):
        one.point_at(read, written)
    assert (one.uploads, one.chunks) == (0, 0)


def test_a_kernel_gets_the_table_that_it_needs():
    """Of another dtype, or with a column fewer, it would read what is no address."""
    one = Table()
    with pytest.raises(TypeError, match="sgd_update: expected a table of 2 columns of float32, got 0 columns of float32"):
        sgd.update(one, 1.0, 0.0, 1.0, 0.0, False, False)
    one.point_at([[zeros(3)]], [[zeros(3)]])
    with pytest.raises(TypeError, match="expected a table of 3 columns of float32, got 2 columns"):
        sgd.update(one, 1.0, 0.9, 1.0, 0.0, False, False)
    with pytest.raises(TypeError, match="adam_update: expected a table of 5 columns of float32, got 2 columns"):
        adam.update(one, 1, 1.0, (0.9, 0.9), 0.0, 0.0, False, True, False)
    with pytest.raises(TypeError, match="clip_limit: expected a table of 1 columns of float64, got 2 columns of float32"):
        one.launch(clip.kernel("clip_limit", np.float64), 1, 0.5)


def test_a_refused_array_leaves_the_table_as_it_was():
    x, g, one = zeros(3), zeros(3) + 1, Table()
    one.point_at([[g]], [[x]])
    with pytest.raises(ValueError, match="column 1"):
        one.point_at([[g]], [[zeros(4)]])
    sgd.update(one, 1.0, 0.0, 1.0, 0.0, False, False)
    assert x.tolist() == [-1] * 3
    one.point_at([[g]], [[x]])
    assert one.uploads == 1


@pytest.mark.stand_in
def test_a_table_is_copied_anew_for_another_stream():
    """Which may not have waited for the copy on the first one."""
    with pretended() as cupy:
        x, one = cupy.ones(3, np.float32), Table()
        first, second = (cupy.cuda.Stream(non_blocking=True) for _ in range(2))
        ready = cupy.cuda.get_current_stream().record()
        for stream in (first, second):
            stream.wait_event(ready)
        with first:
            one.point_at([], [[x]])
            one.point_at([], [[x]])
        assert one.uploads == 1
        chunks = one._chunks
        second.wait_event(first.record())
        with second:
            one.point_at([], [[x]])
            assert one.uploads == 2
            assert one._chunks is not chunks
            clip.scale(one, cupy.asarray(0.5))
            assert x.tolist() == [0.5] * 3


@pytest.mark.parametrize("change", ["size", "dtype", "strides"])
def test_the_same_address_is_not_the_same_array(change):
    whole, one = zeros(16, dtype=np.float64), Table()
    one.point_at([], [[whole[:8]]])
    other = {"size": whole[:9], "dtype": whole[:4].view(np.float32), "strides": whole[::2]}[change]
    if change == "strides":
        with pytest.raises(TypeError, match="with strides"):
            one.point_at([], [[other]])
        return
    one.point_at([], [[other]])
    assert one.uploads == 2
    assert one.dtype == other.dtype
    clip.scale(one, np.array(0.5))


@pytest.mark.stand_in
def test_uploads_are_one_copy(monkeypatch):
    with pretended() as cupy:
        copies = []
        monkeypatch.setattr(cupy, "asarray", lambda host: copies.append(host.size) or ndarray(host.copy()))
        one, x, g = Table(), [ndarray(zeros(3)), ndarray(zeros(5))], [ndarray(zeros(3)), ndarray(zeros(5))]
        one.point_at([g], [x])
        assert copies == [2 * 3 + 2 * 2]
        one.point_at([g], [x])
        one.point_at([x], [g])
        assert copies == [10, 4]
        assert uploaded(x[0]) == []


@pytest.mark.gate
@pytest.mark.spec("all.memory-safety")
def test_under_sanitizers():
    lines = sanitized("_foreach")
    assert len(lines) == 2 * (len(CALLS) + len(NORMS))
    assert SIZES[2] > CHUNK
