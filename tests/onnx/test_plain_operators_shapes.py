"""Shapes: cut, joined, split, repeated and rearranged as ONNX's text says, written out in loops or in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from one_node import floats, ints, run, same

shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)
far = st.one_of(st.integers(-7, 7), st.sampled_from([-(2**63), 2**63 - 1, -(2**31), 2**31 - 1]))


def ramp(shape, dtype=np.float32):
    return np.arange(np.prod(shape, dtype=int), dtype=dtype).reshape(shape)


def cut_positions(start, end, step, size):
    """Return the positions along one axis, by the text: add the size to what is negative, then clamp, then walk."""
    start, end = (at + size if at < 0 else at for at in (start, end))
    if step > 0:
        start, end = min(max(start, 0), size), min(max(end, 0), size)
    else:
        start, end = min(max(start, 0), size - 1), min(max(end, -1), size - 1)
    at, found = start, []
    while (at < end) if step > 0 else (at > end):
        found.append(at)
        at += step
    return found


@given(st.data())
def test_slice_by_the_text(data):
    shape = data.draw(shapes)
    axes = data.draw(st.permutations(range(len(shape))).flatmap(lambda p: st.integers(0, len(p)).map(lambda n: p[:n])))
    starts, ends = ([data.draw(far) for _ in axes] for _ in range(2))
    steps = [data.draw(st.one_of(st.sampled_from([-3, -2, -1, 1, 2, 3, 2**63 - 1, -(2**63)]))) for _ in axes]
    x = want = ramp(shape)
    for axis, *bounds in zip(axes, starts, ends, steps):
        want = np.take(want, np.array(cut_positions(*bounds, shape[axis]), int), axis)
    named = [axis - len(shape) if i % 2 else axis for i, axis in enumerate(axes)]
    assert same(run("Slice", x, ints(*starts), ints(*ends), ints(*named), ints(*steps)), want)


def test_slice_by_hand():
    x = floats(0, 1, 2)
    assert run("Slice", x, ints(5), ints(-(2**63)), ints(0), ints(-1)).tolist() == [2, 1, 0]
    assert run("Slice", x, ints(-10), ints(-100), ints(0), ints(-1)).tolist() == [0]  # Python's slice is empty
    assert run("Slice", x, ints(-2), ints(100)).tolist() == [1, 2]  # no axes, no steps
    assert run("Slice", ramp((2, 3)), ints(1), ints(3), ints(-1)).tolist() == [[1, 2], [4, 5]]
    assert run("Slice", x, ints(1), ints(2), None, ints(1)).tolist() == [1]


def test_slice_of_old_sets_has_attributes():
    x = ramp((2, 4))
    assert run("Slice", x, version=9, starts=(1, -3), ends=(9, -1)).tolist() == [[5, 6]]
    assert run("Slice", x, version=6, starts=(1,), ends=(3,), axes=(1,)).tolist() == [[1, 2], [5, 6]]


@given(st.data())
def test_reshape_copies_and_infers(data):
    """Cut a shape up and put it together again; some sizes become 0 where they are copies, one becomes -1."""
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    want, asked = [], []
    for i, size in enumerate(shape):
        if len(want) == i and data.draw(st.booleans()):
            want.append(size)
            asked.append(0 if data.draw(st.booleans()) else size)
        else:
            want += [1, size]
            asked += [1, size]
    if data.draw(st.booleans()):
        asked[data.draw(st.integers(0, len(want) - 1))] = -1
    assert same(run("Reshape", ramp(shape), ints(*asked)), ramp(want))


@pytest.mark.parametrize(
    ("shape", "asked", "want", "attributes"),
    [
        ((0, 3, 4), (0, -1), (0, 12), {}),  # an empty batch keeps what a full one would have
        ((0, 3), (-1, 3), (0, 3), {}),
        ((0, 3), (3, 0), (3, 0), {"allowzero": 1}),
        ((2, 0), (0, 0), (2, 0), {}),
        ((), (-1,), (1,), {}),
        ((1, 1), (), (), {}),
        ((2, 3, 4), (0, 0, 2, -1), (2, 3, 2, 2), {}),
    ],
)
def test_reshape_of_the_degenerate(shape, asked, want, attributes):
    assert same(run("Reshape", ramp(shape), ints(*asked), **attributes), ramp(want))


@given(shapes, st.data())
def test_flatten_is_a_matrix(shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape)))
    at = axis % len(shape) if axis < 0 else axis
    want = ramp(shape).reshape(np.prod(shape[:at], dtype=int), np.prod(shape[at:], dtype=int))
    assert same(run("Flatten", ramp(shape), axis=axis), want)


@given(shapes, st.data())
def test_transpose(shape, data):
    x, order = ramp(shape), data.draw(st.permutations(range(len(shape))))
    assert same(run("Transpose", x, perm=tuple(order)), x.transpose(order))
    assert same(run("Transpose", x), x.T)


@given(shapes, st.data())
def test_squeeze_undoes_unsqueeze(shape, data):
    new = data.draw(st.lists(st.integers(0, len(shape)), unique=True, max_size=2))
    ndim = len(shape) + len(new)
    named = [axis - ndim if data.draw(st.booleans()) else axis for axis in data.draw(st.permutations(new))]
    x = ramp(shape)
    out = run("Unsqueeze", x, ints(*named))
    assert same(out, np.expand_dims(x, tuple(new)))
    assert same(run("Squeeze", out, ints(*named)), x)
    assert same(run("Unsqueeze", x, version=11, axes=tuple(named)), out)
    if named:
        assert same(run("Squeeze", out, version=11, axes=tuple(named)), x)
    assert same(run("Squeeze", out), out.squeeze())
    assert same(run("Squeeze", out, version=11, axes=()), out.squeeze())


@given(shapes, st.data())
def test_expand_broadcasts_both_ways(shape, data):
    other = tuple(data.draw(st.sampled_from(sorted({1, size, 3 if size == 1 else size}))) for size in shape)
    asked = data.draw(st.sampled_from([other, (2, *other), other[1:]]))
    x = ramp(shape)
    assert same(run("Expand", x, ints(*asked)), np.broadcast_to(x, np.broadcast_shapes(shape, asked)))


@given(shapes, st.data())
def test_tile(shape, data):
    times = [data.draw(st.integers(0, 3)) for _ in shape]
    assert same(run("Tile", ramp(shape), ints(*times)), np.tile(ramp(shape), times))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=4), st.integers(0, 3), st.integers(1, 4), st.data())
def test_split_undoes_concat(shape, axis, pieces, data):
    axis %= len(shape)
    sizes = [data.draw(st.integers(0, 3)) for _ in range(pieces)]
    parts = [ramp([size if i == axis else n for i, n in enumerate(shape)]) for size in sizes]
    x = run("Concat", *parts, axis=axis - len(shape))
    assert same(x, np.concatenate(parts, axis))
    for found in (
        run("Split", x, ints(*sizes), outputs=pieces, axis=axis),
        run("Split", x, outputs=pieces, version=11, axis=axis, split=tuple(sizes)),
    ):
        parts_again = found if pieces > 1 else (found,)
        assert all(same(got, part) for got, part in zip(parts_again, parts, strict=True))


def test_split_without_sizes():
    x = floats(0, 1, 2, 3, 4, 5, 6)
    assert [part.tolist() for part in run("Split", x, outputs=3, version=18, num_outputs=3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [part.tolist() for part in run("Split", x[:6], outputs=3, version=13)] == [[0, 1], [2, 3], [4, 5]]


@given(st.lists(st.integers(0, 4), min_size=2, max_size=3), st.integers(-6, 6), st.booleans(), st.sampled_from("fib?"))
def test_trilu(shape, k, upper, dtype):
    x = (ramp(shape, np.int64) + 1).astype(dtype)
    want = np.triu(x, k) if upper else np.tril(x, k)
    assert same(run("Trilu", x, np.array(k), upper=int(upper)), want)
    if k == 0:
        assert same(run("Trilu", x, upper=int(upper)), want)


def test_trilu_leaves_no_nan_of_a_product():
    assert run("Trilu", np.array([[np.nan, 1], [np.inf, np.nan]], np.float32), upper=1).tolist()[1][0] == 0
    assert run("Trilu", np.ones((2, 2), np.float32), np.array(2**63 - 1)).tolist() == [[0, 0], [0, 0]]


@given(shapes, far, far)
def test_shape_and_size(shape, start, end):
    x = ramp(shape)
    assert same(run("Shape", x, start=start, end=end), np.array(shape[start:end], np.int64))
    assert same(run("Shape", x), np.array(shape, np.int64))
    assert same(run("Size", x), np.array(x.size, np.int64))


@given(
    st.integers(-20, 20), st.integers(-20, 20), st.integers(-5, 5).filter(bool), st.sampled_from(["i2", "i4", "i8", "f4", "f8"])
)
def test_range_of_whole_numbers(start, limit, delta, dtype):
    want = list(range(start, limit, delta))
    assert same(run("Range", *(np.array(v, dtype) for v in (start, limit, delta))), np.array(want, dtype))


def test_range_of_fractions_and_of_ends_of_int64():
    assert run("Range", *map(np.float32, (1, 2, 0.25))).tolist() == [1, 1.25, 1.5, 1.75]
    assert run("Range", *map(np.float32, (0, 1, 0.1))).size == 10
    assert run("Range", *map(np.float64, (0, 0.35, 0.1))).tolist() == [0, 0.1, 0.2, 3 * 0.1]
    top = 2**63 - 1
    assert run("Range", *map(np.int64, (top - 3, top, 2))).tolist() == [top - 3, top - 1]
    assert run("Range", *map(np.int64, (-(2**63), -(2**63) + 2, 1))).tolist() == [-(2**63), -(2**63) + 1]


@given(st.integers(0, 4), st.integers(0, 4), st.one_of(st.integers(-6, 6), st.sampled_from([2**63 - 1, -(2**63)])))
def test_eye_like(rows, columns, k):
    want = np.eye(rows, columns, max(-9, min(9, k)))
    assert same(run("EyeLike", np.zeros((rows, columns), np.int32), k=k), want.astype(np.int32))
    assert same(run("EyeLike", np.zeros((rows, columns), np.int32), k=k, dtype=11), want)


def test_constants_of_every_form():
    assert same(run("Constant", value=np.arange(3, dtype=np.int8)), np.arange(3, dtype=np.int8))
    assert same(run("Constant", value_float=1.5), np.float32(1.5))
    assert same(run("Constant", value_floats=(1.5, 2.0)), floats(1.5, 2))
    assert same(run("Constant", value_int=7), np.int64(7))
    assert same(run("Constant", value_ints=(7, -1)), ints(7, -1))


def test_constant_of_shape():
    assert same(run("ConstantOfShape", ints(2, 0)), np.zeros((2, 0), np.float32))
    assert same(run("ConstantOfShape", ints(), value=np.array([True])), np.array(True))
    assert same(run("ConstantOfShape", ints(2), value=np.array([-3], np.int16)), np.array([-3, -3], np.int16))


def test_casts():
    x = np.array([-1.7, 0, 0.4, 2.5])
    assert same(run("Cast", x, to=7), ints(-1, 0, 0, 2))
    assert same(run("Cast", x, to=9), np.array([True, False, True, True]))
    assert same(run("Cast", x, to=10), x.astype(np.float16))
    assert same(run("CastLike", x, np.zeros((), np.int32)), np.array([-1, 0, 0, 2], np.int32))
    assert same(run("Cast", floats(1e20), to=10), np.array([np.inf], np.float16))
    assert same(run("BitCast", floats(1), version=26, to=6), np.array([0x3F800000], np.int32))
