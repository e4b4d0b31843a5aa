"""Indices: gathers and scatters written out in loops from ONNX's text, order and ties, degenerate sizes on purpose."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import floats, ints, run, same

sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple)
FOLDS = {"none": lambda old, new: new, "add": np.add, "mul": np.multiply, "max": np.maximum, "min": np.minimum}


def drawn(data, shape, low=-9, high=9, dtype=np.int64):
    """Return an array of drawn whole numbers; few, so that they repeat."""
    count = int(np.prod(shape, dtype=int))
    values = data.draw(st.lists(st.integers(low, high), min_size=count, max_size=count))
    return np.array(values, dtype).reshape(shape)


@given(sizes, st.lists(st.integers(0, 3), max_size=2), st.data())
def test_gather(shape, where, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    indices = drawn(data, where, -shape[axis], shape[axis] - 1)
    x = drawn(data, shape)
    assert same(run("Gather", x, indices, axis=axis), np.take(x, indices, axis))
    assert same(run("Gather", x, indices.astype(np.int32), axis=axis), np.take(x, indices, axis))


@given(sizes, st.data())
def test_gather_elements(shape, data):
    axis = data.draw(st.integers(0, len(shape) - 1))
    fewer = [data.draw(st.integers(0, 5 if i == axis else size)) for i, size in enumerate(shape)]
    x, indices = drawn(data, shape), drawn(data, fewer, -shape[axis], shape[axis] - 1)
    want = np.empty(fewer, x.dtype)
    for at in np.ndindex(*fewer):
        want[at] = x[(*at[:axis], indices[at], *at[axis + 1 :])]
    assert same(run("GatherElements", x, indices, axis=axis - len(shape)), want)


@given(sizes, st.data())
def test_gather_nd(shape, data):
    common = data.draw(st.integers(0, len(shape) - 1))
    depth = data.draw(st.integers(1, len(shape) - common))
    where = (*shape[:common], *data.draw(st.lists(st.integers(0, 3), max_size=2)))
    columns = [drawn(data, where, -size, size - 1) for size in shape[common : common + depth]]
    x, indices = drawn(data, shape), np.stack(columns, -1)
    want = np.empty((*where, *shape[common + depth :]), x.dtype)
    for at in np.ndindex(*where):
        want[at] = x[(*at[:common], *indices[at])]
    assert same(run("GatherND", x, indices, batch_dims=common), want)


@pytest.mark.parametrize("reduction", FOLDS)
@given(sizes, st.data())
def test_scatter_elements(reduction, shape, data):
    """One index at a time; repeated ones too, of which without a reduction the last one stays."""
    axis = data.draw(st.integers(0, len(shape) - 1))
    fewer = [data.draw(st.integers(0, 5 if i == axis else size)) for i, size in enumerate(shape)]
    x, indices = drawn(data, shape), drawn(data, fewer, -shape[axis], shape[axis] - 1)
    updates, want = drawn(data, fewer, -3, 3), x.copy()
    for at in np.ndindex(*fewer):
        place = (*at[:axis], indices[at], *at[axis + 1 :])
        want[place] = FOLDS[reduction](want[place], updates[at])
    before = x.copy()
    assert same(run("ScatterElements", x, indices, updates, axis=axis, reduction=reduction), want)
    if reduction == "none":
        assert same(run("Scatter", x, indices, updates, axis=axis, version=9), want)
    assert same(x, before)


@pytest.mark.parametrize("reduction", FOLDS)
@given(sizes, st.data())
def test_scatter_nd(reduction, shape, data):
    depth = data.draw(st.integers(1, len(shape)))
    where = tuple(data.draw(st.lists(st.integers(0, 4), max_size=2)))
    columns = [drawn(data, where, -size, size - 1) for size in shape[:depth]]
    x, indices = drawn(data, shape), np.stack(columns, -1)
    updates, want = drawn(data, (*where, *shape[depth:]), -3, 3), x.copy()
    for at in np.ndindex(*where):
        want[tuple(indices[at])] = FOLDS[reduction](want[tuple(indices[at])], updates[at])
    assert same(run("ScatterND", x, indices, updates, reduction=reduction), want)


def test_many_updates_of_one_place_are_joined_in_pairs():
    """2**-24 alone is lost beside 1 in float32; two of them are not. The order is fixed, so the bits are."""
    tiny = np.float32(2**-24)
    updates = floats(1, tiny, tiny, tiny)
    got = run("ScatterElements", floats(0), ints(0, 0, 0, 0), updates, reduction="add")
    assert same(got, floats((np.float32(1) + tiny) + (tiny + tiny)))
    many = np.full(1000, 1, np.int64)
    assert run("ScatterElements", ints(5), np.zeros(1000, np.int64), many, reduction="add").tolist() == [1005]


def test_scatter_of_bools_and_of_nothing():
    assert run("ScatterElements", np.array([True, True]), ints(1), np.array([False])).tolist() == [True, False]
    assert same(run("ScatterElements", floats(1), np.zeros(0, np.int64), floats()), floats(1))
    assert same(run("ScatterND", floats(1, 2), np.zeros((0, 1), np.int64), floats()), floats(1, 2))
    assert same(
        run("ScatterND", np.zeros((2, 0), np.float32), ints(1)[:, None], np.zeros((1, 0), np.float32)), np.zeros((2, 0), "f4")
    )


@given(sizes, st.booleans(), st.sampled_from(["i8", "u1", "f4"]), st.data())
def test_topk_gives_ties_to_the_lower_index(shape, largest, dtype, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    k = data.draw(st.integers(0, shape[axis]))
    x = drawn(data, shape, 0, 3, dtype)
    rows = np.moveaxis(x, axis, -1)
    places = np.empty((*rows.shape[:-1], k), np.int64)
    for at in np.ndindex(*rows.shape[:-1]):
        row = rows[at].tolist()
        places[at] = sorted(range(len(row)), key=lambda i, row=row: (-row[i] if largest else row[i], i))[:k]
    places = np.moveaxis(places, -1, axis)
    values, indices = run("TopK", x, ints(k), outputs=2, axis=axis, largest=int(largest))
    assert same(indices, places)
    assert same(values, np.take_along_axis(x, places, axis))


def test_topk_of_every_set_and_of_extreme_numbers():
    x = floats(1, 3, 2)
    assert run("TopK", x, outputs=2, version=1, k=2)[1].tolist() == [1, 2]
    low = np.array([-(2**63), 2**63 - 1, 0, -(2**63)])
    assert run("TopK", low, ints(4), outputs=2)[1].tolist() == [1, 2, 0, 3]  # -low does not exist in int64
    assert run("TopK", low, ints(4), outputs=2, largest=0)[1].tolist() == [0, 3, 2, 1]
    assert run("TopK", floats(1, np.nan, np.inf), ints(2), outputs=2)[1].tolist() == [
        1,
        2,
    ]  # NaN counts as largest, as in PyTorch


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@given(sizes, st.booleans(), st.booleans(), st.data())
def test_argmax_and_argmin(op, shape, last, kept, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    x = drawn(data, shape, 0, 2)
    rows = np.moveaxis(x, axis, -1)
    want = np.empty(rows.shape[:-1], np.int64)
    for at in np.ndindex(*want.shape):
        row = rows[at].tolist()
        best = max(row) if op == "ArgMax" else min(row)
        want[at] = max(i for i in range(len(row)) if row[i] == best) if last else row.index(best)
    want = np.expand_dims(want, axis) if kept else want
    assert same(run(op, x, axis=axis, keepdims=int(kept), select_last_index=int(last)), want)


@given(st.lists(st.integers(0, 3), max_size=3), st.data())
def test_nonzero(shape, data):
    x = drawn(data, shape, -1, 1)
    found = [at for at in np.ndindex(*shape) if x[at]]
    assert same(run("NonZero", x), np.array(found, np.int64).reshape(len(found), len(shape)).T)


@given(sizes, st.data())
def test_compress(shape, data):
    axis = data.draw(st.none() | st.integers(0, len(shape) - 1))
    x = drawn(data, shape)
    length = x.size if axis is None else shape[axis]
    condition = np.array(data.draw(st.lists(st.booleans(), max_size=length)), bool)
    attributes = {} if axis is None else {"axis": axis}
    assert same(run("Compress", x, condition, **attributes), np.compress(condition, x, axis))


@given(st.lists(st.integers(0, 3), max_size=2), st.integers(1, 4), st.sampled_from(["i8", "i4", "u1", "f4"]), st.data())
def test_one_hot(shape, depth, dtype, data):
    axis = data.draw(st.integers(-len(shape) - 1, len(shape)))
    indices = drawn(data, shape, 0 if dtype == "u1" else -6, 6, dtype)
    last = np.full((*shape, depth), 2.5, np.float32)
    for at in np.ndindex(*shape):
        if -depth <= indices[at] < depth:
            last[(*at, int(indices[at]))] = 7
    want = np.moveaxis(last, -1, axis)
    assert same(run("OneHot", indices, np.array(depth), floats(2.5, 7), axis=axis), want)
    assert same(run("OneHot", indices, floats(depth), floats(2.5, 7), axis=axis), want)


def test_one_hot_of_small_dtypes_and_large_depths():
    """An index of uint8 or int8 cannot hold the depth."""
    out = run("OneHot", np.array([255, 3], np.uint8), np.array(300), np.array([False, True]))
    assert out.shape == (2, 300)
    assert np.argwhere(out).tolist() == [[0, 255], [1, 3]]
    out = run("OneHot", np.array([-1, 127], np.int8), np.array(300), np.array([False, True]))
    assert np.argwhere(out).tolist() == [[0, 299], [1, 127]]


@pytest.mark.parametrize("ordered", [True, False])
@given(sizes, st.data())
def test_unique(ordered, shape, data):
    axis = data.draw(st.none() | st.integers(-len(shape), len(shape) - 1))
    x = drawn(data, shape, 0, 2, np.float32)
    slices = [np.array(v) for v in x.ravel().tolist()] if axis is None else list(np.moveaxis(x, axis, 0))
    keys = [tuple(piece.ravel().tolist()) for piece in slices]
    kept = sorted(set(keys)) if ordered else list(dict.fromkeys(keys))
    attributes = {} if axis is None else {"axis": axis}
    out, first, inverse, counts = run("Unique", x, outputs=4, sorted=int(ordered), **attributes)
    assert same(first, ints(*[keys.index(key) for key in kept]))
    assert same(inverse, ints(*[kept.index(key) for key in keys]))
    assert same(counts, ints(*[keys.count(key) for key in kept]))
    assert same(out, np.stack([slices[i] for i in first], 0 if axis is None else axis).astype(np.float32))


@pytest.mark.parametrize("time", [0, 1])
@given(st.integers(1, 4), st.integers(1, 3), st.data())
def test_reverse_sequence(time, steps, count, data):
    lengths = [data.draw(st.integers(0, steps)) for _ in range(count)]
    x = drawn(data, (steps, count, 2) if time == 0 else (count, steps, 2))
    want = x.copy()
    for b, n in enumerate(lengths):
        at = (slice(n), b) if time == 0 else (b, slice(n))
        want[at] = x[at][::-1]
    assert same(run("ReverseSequence", x, ints(*lengths), time_axis=time, batch_axis=1 - time), want)
