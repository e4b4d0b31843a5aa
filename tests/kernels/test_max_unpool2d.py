"""Max unpooling: where elements land, what becomes of duplicates, and that all indices are checked before any write."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from bounds import assert_within, gamma, smallest
from hypothesis import given
from hypothesis import strategies as st
from promises import assert_promises, assert_same_bits

from rawseg_kernels import _memory, max_pool2d, max_unpool2d
from rawseg_kernels._algorithms import substituted
from rawseg_kernels._errors import ArgumentError, ArgumentTypeError, DTypeError, IndexRangeError, ShapeError
from rawseg_kernels.max_unpool2d import cuda, direct, reference

DTYPES = [np.float32, np.float64]
SPECIAL = [np.nan, -np.inf, np.inf, -0.0, 1.0]


@st.composite
def scattered(draw, distinct: bool):
    """Draw ``(indices, output_size)``: any pattern, not only those that pooling makes; an empty batch now and then."""
    out = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    pixels = out[0] * out[1]
    size = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    if distinct:
        size = min(size[0], out[0]), min(size[1], out[1])
    planes = draw(st.sampled_from([(2, 2), (1, 3), (0, 2)]))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    count = size[0] * size[1]
    indices = np.array([rng.choice(pixels, count, replace=not distinct) for _ in range(planes[0] * planes[1])], np.int64)
    return indices.reshape(*planes, *size), out


@pytest.mark.spec("max_unpool2d.fill", "max_unpool2d.backward")
def test_by_hand():
    x = np.array([[[[5, 7], [-1, 2]]]], np.float32)
    indices = np.array([[[[1, 5], [6, 8]]]])
    #  .  5  .      1 is row 0, column 1 of a 3 x 3 plane, 5 is row 1, column 2, and so on
    #  .  .  7
    # -1  .  2
    out = max_unpool2d.forward(x, indices, 3)
    assert_same_bits(out, np.array([[[[0, 5, 0], [0, 0, 7], [-1, 0, 2]]]], np.float32))  # +0.0 in the gaps
    grad = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    assert max_unpool2d.backward(grad, indices).tolist() == [[[[1, 5], [6, 8]]]]


@pytest.mark.spec("max_unpool2d.duplicates")
@pytest.mark.parametrize("algorithm", ["direct", "cuda", "reference"])
def test_duplicates_by_hand(algorithm):
    x = np.array([[[[1, 2], [4, 8]]]], np.float32)
    indices = np.array([[[[3, 0], [3, 3]]]])
    message = (
        r"max_unpool2d: indices: expected different indices within a plane \(overlapping windows chose one pixel twice: pass "
        r"duplicates='last' to keep the last value, or 'sum' to add them\), got 3 at \(0, 0, 0, 0\) and at \(0, 0, 1, 0\)"
    )
    with pytest.raises(ArgumentError, match=message):
        max_unpool2d.forward(x, indices, 2, algorithm=algorithm)
    assert max_unpool2d.forward(x, indices, 2, "last", algorithm).tolist() == [[[[2, 0], [0, 8]]]]
    assert max_unpool2d.forward(x, indices, 2, "sum", algorithm).tolist() == [[[[2, 0], [0, 13]]]]
    grad = np.array([[[[10, 20], [30, 40]]]], np.float32)
    assert max_unpool2d.backward(grad, indices, "last", algorithm).tolist() == [[[[0, 10], [0, 40]]]]
    assert max_unpool2d.backward(grad, indices, "sum", algorithm).tolist() == [[[[40, 10], [40, 40]]]]


@pytest.mark.spec("max_unpool2d.duplicates")
@pytest.mark.parametrize("algorithm", ["direct", "cuda"])
def test_the_first_pair_of_the_first_plane_is_reported(algorithm):
    indices = np.tile(np.arange(6).reshape(1, 1, 2, 3), (2, 3, 1, 1))
    indices[1, 2, 0, 1] = indices[1, 2, 0, 0] = 4  # a later plane
    indices[1, 0, 1] = [5, 2, 2]  # 2 comes at (0, 2) and at (1, 1) first
    with pytest.raises(ArgumentError, match=r"got 2 at \(1, 0, 0, 2\) and at \(1, 0, 1, 1\)"):
        max_unpool2d.forward(np.ones(indices.shape), indices, (2, 3), algorithm=algorithm)


X = np.zeros((1, 1, 2, 2), np.float32)
INDICES = np.array([[[[0, 1], [2, 3]]]])
NOTHING: Any = None


@pytest.mark.spec("max_unpool2d.indices")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: max_unpool2d.forward(X[0], INDICES, 2), ShapeError, r"max_unpool2d: x: expected shape \(N, C, H, W\)"),
        (lambda: max_unpool2d.forward(X[:, :0], INDICES, 2), ShapeError, "x: expected at least 1 along C"),
        (lambda: max_unpool2d.forward(X.astype(int), INDICES, 2), DTypeError, "x: expected float32 or float64, got int64"),
        (
            lambda: max_unpool2d.forward(X, INDICES.astype(np.int32), 2),
            DTypeError,
            "indices: expected int64, got int32",
        ),
        (lambda: max_unpool2d.forward(X, NOTHING, 2), ArgumentTypeError, "indices: expected a NumPy or CuPy array"),
        (
            lambda: max_unpool2d.forward(X, INDICES[..., :1], 2),
            ShapeError,
            r"indices: expected shape \(1, 1, 2, 2\), got shape \(1, 1, 2, 1\)",
        ),
        (lambda: max_unpool2d.forward(X, INDICES[0], 2), ShapeError, "indices: expected shape"),
        (lambda: max_unpool2d.forward(X, INDICES, (0, 2)), ArgumentError, "output_size: expected at least 1, got 0"),
        (
            lambda: max_unpool2d.forward(X, INDICES, 2, "first"),
            ArgumentError,
            r"duplicates: expected one of \('raise', 'last', 'sum'\), got 'first'",
        ),
        (lambda: max_unpool2d.backward(X, INDICES, NOTHING), ArgumentError, "duplicates: expected one of .*, got None"),
        (lambda: max_unpool2d.forward(X, INDICES, 2, algorithm="fast"), ArgumentError, "algorithm: expected one of"),
        (lambda: max_unpool2d.backward(X[0], INDICES), ShapeError, r"grad_output: expected shape \(N, C, out_h, out_w\)"),
        (lambda: max_unpool2d.backward(X[..., :0], INDICES), ShapeError, "grad_output: expected at least 1 along W"),
    ],
)
def test_errors_name_the_argument_and_the_numbers(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.spec("max_unpool2d.indices")
@pytest.mark.parametrize("value", [4, -1, 2**62, -(2**63)])
def test_an_index_outside_its_plane_is_refused_before_anything_is_written(monkeypatch, value):
    indices = INDICES.copy()
    indices[0, 0, 1, 0] = value

    def only_a_look(kernel, tasks, *args, work):  # which writes nothing outside, as is seen below
        assert kernel is direct._place_apart
        kernel(0, tasks, *args)

    monkeypatch.setattr(direct, "launch", only_a_look)
    message = rf"indices: expected 0 <= index < 4, the plane \(2, 2\), got {value} at \(0, 0, 1, 0\)"
    for policy in ("raise", "last", "sum"):
        with pytest.raises(IndexRangeError, match=message):
            max_unpool2d.forward(X, indices, 2, policy)
        with pytest.raises(IndexRangeError, match=message):
            max_unpool2d.backward(X, indices, policy)


@pytest.mark.proves("max_unpool2d", "reference", "determinism")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("window", [(2, 2), (1, 2), (3, 2), (2, 3), (1, 1), (2, 1)])
@pytest.mark.parametrize("width", [1, 7, 16, 33])
def test_windows_side_by_side_as_the_loops(monkeypatch, dtype, window, width):
    rng = np.random.default_rng(width)
    x = rng.choice(np.array(SPECIAL), (2, 3, 4, width)).astype(dtype)
    for more in (0, 1):  # pixels behind the last window, fewer than a window has
        size = 4 * window[0] + more * (window[0] - 1), width * window[1] + more * (window[1] - 1)
        rows = np.arange(4)[:, None] * window[0] + rng.integers(0, window[0], x.shape)
        columns = np.arange(width) * window[1] + rng.integers(0, window[1], x.shape)
        indices = rows * size[1] + columns
        want = reference.forward(x, indices, (2, 3, *size), False)
        assert_same_bits(max_unpool2d.forward(x, indices, size), want)
        at_once = direct.forward_apart(x, indices, want.shape)
        assert at_once is not None
        assert_same_bits(at_once, want)
        assert_promises(monkeypatch, lambda x, i, size=size: max_unpool2d.forward(x, i, size), x, indices)
        step = window[1] if width > 1 else window[0] * size[1]  # to another window
        for at in [(0, 0, 0, 0), (1, 2, 3, width - 1), (0, 1, 2, width // 2)]:
            for wrong in (-1, size[0] * size[1], 2**62, -(2**63), indices[at] - step, indices[at] + step):
                bad = indices.copy()
                bad[at] = wrong
                assert direct.forward_apart(x, bad, want.shape) is None


@pytest.mark.parametrize("verb", ["first_duplicate", "forward"])
def test_what_stands_in_for_either_function_is_called(verb):
    called = []

    def choose(op, asked):
        return (lambda *args: called.append(asked) or getattr(reference, asked)(*args)) if asked == verb else None

    with substituted(choose):
        out = max_unpool2d.forward(np.ones((1, 1, 1, 2)), np.array([[[[1, 2]]]]), (1, 4))
    assert out.tolist() == [[[[0, 1, 1, 0]]]]
    assert called == [verb]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("columns", [2, 3])
@given(st.integers(1, 40), st.integers(0, 2**16))
def test_whatever_indices_hold_nothing_is_written_outside(dtype, columns, width, seed):
    rng = np.random.default_rng(seed)
    x, size = np.ones((2, 3, width), dtype), (7, width * columns + 1)
    guarded = np.full((4, *size), -1, dtype)
    indices = rng.integers(-(2**63), 2**63 - 1, x.shape) >> rng.integers(50, 63, x.shape)
    direct._place_apart(0, 2, x, indices, guarded[1:3], np.zeros(2, np.bool_))
    assert (guarded[[0, 3]] == -1).all()
    assert np.isin(guarded[1:3], [-1, 0, 1]).all()


def test_too_large_an_output_is_refused_before_it_is_made(monkeypatch):
    monkeypatch.setattr(_memory, "limit_bytes", lambda: 35)
    with pytest.raises(MemoryError, match=r"max_unpool2d: out: expected at most 35 bytes, got 36 bytes"):
        max_unpool2d.forward(X, INDICES, 3)


@pytest.mark.proves("max_unpool2d", "reference", "adjoint", "torch")
@pytest.mark.spec("max_unpool2d.fill", "max_unpool2d.backward")
@pytest.mark.parametrize("dtype", DTYPES)
@given(scattered(distinct=True), st.integers(0, 2**16))
def test_distinct_indices_as_loops_and_torch(dtype, case, seed):
    indices, size = case
    rng = np.random.default_rng(seed)
    x = rng.choice(np.array(SPECIAL), indices.shape).astype(dtype)
    out = max_unpool2d.forward(x, indices, size)
    assert_same_bits(out, reference.forward(x, indices, out.shape, False))
    for policy in ("last", "sum"):  # there is nothing to decide; a sum may turn -0.0 into 0.0
        np.testing.assert_array_equal(max_unpool2d.forward(x, indices, size, policy), out)
    grad = rng.choice(np.array(SPECIAL), out.shape).astype(dtype)
    for policy in ("raise", "last", "sum"):
        back = reference.backward(grad, indices, policy == "last")
        for algorithm in ("direct", "cuda"):
            assert_same_bits(max_unpool2d.backward(grad, indices, policy, algorithm), back)
            loops = reference.forward(x, indices, out.shape, policy == "sum")
            if policy != "sum" or algorithm == "cuda":
                assert_same_bits(max_unpool2d.forward(x, indices, size, policy, algorithm), loops)
    if indices.size:
        leaf = torch.from_numpy(x).requires_grad_()
        step = [max(1, (size[i] - 1) // max(1, indices.shape[2 + i] - 1)) for i in (0, 1)]
        kernel = [size[i] - (indices.shape[2 + i] - 1) * step[i] for i in (0, 1)]  # so that torch's default size is ours
        want = torch.nn.functional.max_unpool2d(leaf, torch.from_numpy(indices), kernel, step)
        np.testing.assert_array_equal(out, want.detach())
        want.backward(torch.from_numpy(grad))
        np.testing.assert_array_equal(max_unpool2d.backward(grad, indices), leaf.grad)


@pytest.mark.proves("max_unpool2d", "reference", "adjoint")
@pytest.mark.spec("max_unpool2d.duplicates")
@pytest.mark.parametrize("dtype", DTYPES)
@given(scattered(distinct=False), st.integers(0, 2**16))
def test_duplicates_as_loops_and_adjoint_on_integers(dtype, case, seed):
    indices, size = case
    rng = np.random.default_rng(seed)
    x = rng.integers(-8, 9, indices.shape).astype(dtype)
    repeated = (
        any(len(set(plane)) < len(plane) for plane in indices.reshape(-1, indices[0, 0].size).tolist()) if x.size else False
    )
    assert reference.first_duplicate(indices, size) == direct.first_duplicate(indices, size)
    assert reference.first_duplicate(indices, size) == tuple(map(int, cuda.first_duplicate(indices, size)))
    if repeated:
        with pytest.raises(ArgumentError, match="expected different indices within a plane"):
            max_unpool2d.forward(x, indices, size)
    for policy in ("last", "sum"):
        out = max_unpool2d.forward(x, indices, size, policy)
        np.testing.assert_array_equal(out, reference.forward(x, indices, out.shape, policy == "sum"))
        assert_same_bits(max_unpool2d.forward(x, indices, size, policy, "cuda"), out)
        grad = rng.integers(-8, 9, out.shape).astype(dtype)
        back = max_unpool2d.backward(grad, indices, policy)
        assert_same_bits(max_unpool2d.backward(grad, indices, policy, "cuda"), back)
        assert_same_bits(back, reference.backward(grad, indices, policy == "last"))
        assert np.vdot(out, grad) == np.vdot(x, back)


@pytest.mark.proves("max_unpool2d", "bound")
@pytest.mark.parametrize("dtype", DTYPES)
def test_sums_stay_within_the_rounding_bound(dtype):
    rng = np.random.default_rng(1)
    indices = rng.integers(0, 6, (2, 3, 8, 9))
    x = (rng.standard_normal(indices.shape) * 10.0 ** rng.integers(-9, 10, indices.shape)).astype(dtype)
    got = max_unpool2d.forward(x, indices, (2, 3), "sum")
    want, size = (reference.forward(a.astype(np.float64), indices, got.shape, True) for a in (x, np.abs(x)))
    bound = (gamma(72, dtype) + gamma(72, np.float64)) * size + smallest(72, dtype)  # at most 8 x 9 terms
    assert_within(got, want, bound)


def test_the_compiled_loops_are_the_plain_loops():
    rng = np.random.default_rng(0)
    indices, x = rng.integers(0, 30, (2, 2, 3, 4)), rng.standard_normal((2, 2, 3, 4)).astype(np.float32)
    grad = rng.standard_normal((2, 2, 5, 6)).astype(np.float32)
    for policy in ("last", "sum"):
        out = max_unpool2d.forward(x, indices, (5, 6), policy, algorithm="reference")
        assert_same_bits(out, reference.forward(x, indices, (2, 2, 5, 6), policy == "sum"))
        back = max_unpool2d.backward(grad, indices, policy, algorithm="reference")
        assert_same_bits(back, reference.backward(grad, indices, policy == "last"))


@pytest.mark.proves("max_unpool2d", "complex step")
def test_complex_numbers_pass_through_the_loops():
    x, indices = np.array([[[[1 + 2j, 3j]]]]), np.array([[[[1, 1]]]])
    assert reference.forward(x, indices, (1, 1, 1, 2), True).tolist() == [[[[0, 1 + 5j]]]]
    assert reference.forward(x, indices, (1, 1, 1, 2), False).tolist() == [[[[0, 3j]]]]


def test_indices_that_stay_in_windows_of_their_own_need_no_search():
    rng = np.random.default_rng(0)
    _, indices = max_pool2d.forward(rng.standard_normal((2, 3, 9, 10)).astype(np.float32), (2, 3), (2, 3))
    size = (9, 10)  # a row and a column are in no window
    assert direct.first_duplicate(indices, size) == (-1, -1)
    assert all(direct.apart.py_func(plane, size) for plane in indices.reshape(-1, *indices.shape[2:]))
    moved = indices[1, 2].copy()
    moved[3, 1] = moved[3, 0]  # into its neighbour's window, twice
    assert not direct.apart.py_func(moved, size)
    indices[1, 2] = moved
    assert direct.first_duplicate(indices, size) == reference.first_duplicate(indices, size) == (5 * 12 + 9, 5 * 12 + 10)
