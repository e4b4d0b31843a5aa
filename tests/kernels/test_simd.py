"""The vector micro-kernels: right, one rounding a step in order of the sum, the same bits for every width, cached."""

from __future__ import annotations

import os
import subprocess
import sys
from fractions import Fraction

import numba
import numpy as np
import pytest
from bounds import assert_within, gamma
from convolution_cases import integers, normals
from numba.core.errors import TypingError
from promises import assert_same_bits

from rawseg_kernels import _simd
from rawseg_kernels._errors import ArgumentError
from rawseg_kernels._panels import DEPTH_BLOCK, NOWHERE, multiply, multiply_rows, pack_rows
from rawseg_kernels._simd import ROWS, VECTOR_BYTES, VECTORS, copy, fill, gather_rows
from rawseg_kernels._simd_dots import _turned

FLOATS = [np.float32, np.float64]


@numba.njit
def run_copy(source, source_at, source_step, to, to_at, to_step, count):
    copy(source, source_at, source_step, to, to_at, to_step, count)


@numba.njit
def run_gather_rows(source, source_at, source_step, to, to_at):
    gather_rows(source, source_at, source_step, to, to_at)


@numba.njit
def run_fill(to, first, last, value):
    fill(to, first, last, value)


@numba.njit
def run_multiply(*arguments):
    multiply(*arguments)


@numba.njit
def run_multiply_rows(*arguments):
    multiply_rows(*arguments)


@numba.njit
def run_pack_rows(*arguments):
    pack_rows(*arguments)


def product(a, b, c, vectors, row_step, resume=1):
    """``c + a @ b`` by `multiply`, the columns of ``b`` taken in reverse vectors to prove that ``starts`` is obeyed."""
    rows, depth = a.shape
    lanes = VECTOR_BYTES // a.itemsize
    panels = -(-rows // ROWS)
    packed = np.full((panels, depth, ROWS), 7, a.dtype)  # 7: what lies in unused rows must not matter
    for row in range(rows):
        packed[row // ROWS, :, row % ROWS] = a[row]
    steps = np.arange(depth) * row_step
    starts = np.arange(vectors)[::-1] * lanes
    out = np.full((panels * ROWS, vectors * lanes), 5, a.dtype)
    out[:rows] = c
    wide = np.zeros((depth, row_step), a.dtype)
    wide[:, : b.shape[1]] = b
    flat = np.concatenate([np.zeros(3, a.dtype), wide.reshape(-1)])
    run_multiply(
        rows,
        depth,
        resume,
        packed.reshape(-1),
        0,
        depth * ROWS,
        flat,
        3,
        steps,
        0,
        starts,
        vectors,
        out.reshape(-1),
        0,
        out.shape[1],
        0,
        NOWHERE,
    )
    return out[:rows]


def reversed_vectors(array, lanes):
    return array.reshape(len(array), -1, lanes)[:, ::-1].reshape(array.shape)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows", [1, 2, ROWS, ROWS + 1, 3 * ROWS])
def test_products_of_whole_numbers(rows, dtype):
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    for vectors in range(1, 2 * VECTORS + 2):
        for depth in (0, 1, 5, DEPTH_BLOCK + 3):
            a, b, c = integers(depth, (rows, depth), (depth, vectors * lanes), (rows, vectors * lanes), dtype=dtype)
            got = product(a, b, c, vectors, vectors * lanes + 1)
            np.testing.assert_array_equal(got, c + reversed_vectors(a @ b, lanes))
            got = product(a, b, np.full_like(c, np.nan), vectors, vectors * lanes + 1, resume=0)
            np.testing.assert_array_equal(got, reversed_vectors(a @ b, lanes))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("rows", [1, ROWS - 1, ROWS, 2 * ROWS + 1])
def test_rows_that_lie_where_they_are_have_the_same_bits(rows, dtype):
    runs, lanes = 3, VECTOR_BYTES // np.dtype(dtype).itemsize
    for vectors, count in [(1, 1), (VECTORS, 2), (VECTORS + 1, 7), (2 * VECTORS, 30)]:
        depth, width = runs * count, vectors * lanes
        a, b, c = normals(count, (runs, rows, count + 2), (depth, width), (rows + 1, width), dtype=dtype)
        steps, starts = np.arange(depth) * width, np.arange(vectors)[::-1] * lanes
        for resume in (0, 1):
            got = c.copy()
            left = a.reshape(-1), 1, count + 2, rows * (count + 2)
            right = b.reshape(-1), 0, steps, starts, vectors
            run_multiply_rows(rows, runs, count, resume, *left, *right, got.reshape(-1), 0, width)
            side = a[:, :, 1 : 1 + count].transpose(1, 0, 2).reshape(rows, depth)
            assert_same_bits(got[:rows], product(side, b, c[:rows], vectors, width, resume))
            assert_same_bits(got[rows], c[rows])  # nothing is written behind the last row


def chain(a, b, c):
    """The sum of a * b from c on, each step rounded once: what a fused multiply-add is."""
    for x, y in zip(a.tolist(), b.tolist()):
        c = float(Fraction(x) * Fraction(y) + Fraction(c))
    return c


@pytest.mark.parametrize("rows", [1, ROWS])
def test_each_step_is_rounded_once_and_in_order(rows):
    lanes = VECTOR_BYTES // 8
    a, b, c = normals(1, (rows, DEPTH_BLOCK + 20), (DEPTH_BLOCK + 20, lanes), (rows, lanes), dtype=np.float64)
    got = product(a, b, c, 1, lanes)
    want = [[chain(a[r], b[:, i], float(c[r, i])) for i in range(lanes)] for r in range(rows)]
    assert_same_bits(got, np.array(want))
    assert (got != c + a @ b).any()  # another order, or two roundings, would have shown


def test_float32_within_its_bound():
    lanes = VECTOR_BYTES // 4
    a, b, c = normals(2, (ROWS, 300), (300, lanes * VECTORS), (ROWS, lanes * VECTORS))
    got = reversed_vectors(product(a, b, reversed_vectors(c, lanes), VECTORS, lanes * VECTORS), lanes)
    wide = [array.astype(np.float64) for array in (a, b, c)]
    bound = gamma(301, np.float32) * (np.abs(wide[0]) @ np.abs(wide[1]) + np.abs(wide[2]))
    assert_within(got, wide[0] @ wide[1] + wide[2], bound)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("length", [0, 1, 15, 16, 50])
def test_pack_rows(length, dtype):
    (source,) = integers(3, (ROWS, length + 2), dtype=dtype)
    for rows in range(1, ROWS + 1):
        for step in (ROWS, ROWS + 3):
            packed = np.full(2 + max(length, 1) * step, 99, dtype)
            run_pack_rows(source.reshape(-1), 1, length + 2, rows, length, packed, 2, step)
            want = np.full_like(packed, 99)
            for i in range(length):
                want[2 + i * step : 2 + i * step + rows] = source[:rows, 1 + i]
            np.testing.assert_array_equal(packed, want)


@pytest.mark.parametrize("dtype", FLOATS)
def test_copy_and_fill(dtype):
    for count in (0, 1, 2, 15, 16, 17, 33, 64):
        for source_step, to_step in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)]:
            source = np.arange(1 + max(0, (count - 1) * source_step + 1), dtype=dtype)  # nothing lies behind the last one
            to, want = np.full((2, 3 + count * to_step), -1, dtype)
            run_copy(source, 1, source_step, to, 2, to_step, count)
            want[2 : 2 + count * to_step : to_step] = source[1::source_step]
            np.testing.assert_array_equal(to, want)
        to = np.zeros(count + 2, dtype)
        run_fill(to, 1, 1 + count, 3)
        assert to.tolist() == [0, *[3] * count, 0]


@pytest.mark.parametrize("dtype", FLOATS)
def test_gather_rows(dtype):
    for step in (1, 2, 9):
        source = np.arange(2 + (ROWS - 1) * step, dtype=dtype)  # nothing lies behind the last one
        to = np.full(ROWS + 2, -1, dtype)
        run_gather_rows(source, 1, step, to, 1)
        assert to.tolist() == [-1, *source[1::step], -1]


def test_other_dtypes_are_refused():
    whole = np.zeros(ROWS, np.int64)
    with pytest.raises(TypingError, match="vector code is for float32 and float64"):
        run_pack_rows(whole, 0, 1, ROWS, 1, whole.copy(), 0, ROWS)
    with pytest.raises(TypingError, match="vector code needs C-contiguous arrays of one dtype"):
        run_pack_rows(np.zeros(ROWS), 0, 1, ROWS, 1, np.zeros(ROWS, np.float32), 0, ROWS)


def test_the_tile_is_chosen_by_the_host_or_by_hand(monkeypatch):
    monkeypatch.delenv("RAWSEG_SIMD", raising=False)
    hosts = [
        ({"avx512f": True, "avx512vl": True}, "avx512"),
        ({"avx2": True, "fma": True}, "avx2"),
        ({"avx2": True}, "portable"),
    ]
    for features, name in hosts:
        monkeypatch.setattr(_simd.binding, "get_host_cpu_features", lambda features=features: features)
        assert _simd.host_tile() == name
    monkeypatch.setenv("RAWSEG_SIMD", "avx2")
    assert _simd.host_tile() == "avx2"
    monkeypatch.setenv("RAWSEG_SIMD", "neon")
    with pytest.raises(ArgumentError, match=r"RAWSEG_SIMD: expected one of \('avx512', 'avx2', 'portable'\), got 'neon'"):
        _simd.host_tile()


def in_a_new_process(script: str, **variables: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


WIDTHS = """
import hashlib
import numpy as np
from rawseg_kernels import conv2d, matmul
draw = np.random.default_rng(0).standard_normal
x, weight, thin = draw((2, 5, 70, 33), np.float32), draw((11, 5, 3, 2), np.float32), draw((5, 1, 3, 3), np.float32)
points, taps = draw((2, 150, 7, 7), np.float32), draw((70, 150, 3, 3), np.float32)
point_weight = draw((70, 150, 1, 1), np.float32)
options = {"stride": (1, 2), "padding": 1, "algorithm": "im2col"}
y = conv2d.forward(x, weight, **options)
z = conv2d.forward(x, thin, groups=5, **options)
outputs = [
    y, conv2d.backward_input(y, weight, x.shape, **options), conv2d.backward_weight(y, x, weight.shape, **options),
    z, conv2d.backward_input(z, thin, x.shape, groups=5, **options),
    conv2d.backward_weight(z, x, thin.shape, groups=5, **options),
    matmul.forward(x, x, transpose_b=True),
    conv2d.forward(points, point_weight), conv2d.backward_input(points[:, :70], point_weight, points.shape),
    conv2d.forward(points, taps, padding=(2, 4), dilation=(2, 4), algorithm="im2col"),
    conv2d.backward_weight(points[:, :70], points, point_weight.shape),
    *(conv2d.backward_weight(x[:, :3, :h], x[:, :, :h], (3, 5, 1, 1)) for h in (4, 70)),
    matmul.forward(x[0, 0, :7, :30], x[0, :, :30, :32]),
]
small, large = draw((2, 6, 7, 7), np.float32), draw((2, 2, 151, 130), np.float32)  # strips and bands of planes
for a, b, stride in ((small, draw((6, 1, 3, 3), np.float32), 1), (large, draw((2, 1, 5, 3), np.float32), 2)):
    options = {"stride": stride, "padding": 1, "groups": a.shape[1], "algorithm": "depthwise"}
    y = conv2d.forward(a, b, **options)
    outputs += [y, conv2d.backward_input(y, b, a.shape, **options), conv2d.backward_weight(y, a, b.shape, **options)]
for thin, options in ((thin, {"padding": 1}), (draw((10, 1, 5, 4), np.float32), {"stride": (2, 2), "padding": (2, 1)})):
    for dtype in (np.float32, np.float64):
        options.update(groups=5, algorithm="depthwise")
        a, b = x.astype(dtype), thin.astype(dtype)
        y = conv2d.forward(a, b, **options)
        outputs += [y, conv2d.backward_input(y, b, a.shape, **options), conv2d.backward_weight(y, a, b.shape, **options)]
print([hashlib.sha256(out.tobytes()).hexdigest() for out in outputs])
"""


NORMS = """
import hashlib
import numpy as np
from rawseg_kernels import batch_norm, group_norm, layer_norm
draw = np.random.default_rng(0).standard_normal
outputs = []
for dtype in (np.float32, np.float64):
    for rows, length in ((67, 71), (3, 2051)):
        x, grad, weight = draw((rows, length)).astype(dtype), draw((rows, length)).astype(dtype), draw(length).astype(dtype)
        saved = layer_norm.forward(x, (length,), weight, weight)
        outputs += [*saved, *layer_norm.backward(grad, x, (length,), weight, *saved[1:])]
    x, grad, weight = draw((2, 4, 37, 31)).astype(dtype), draw((2, 4, 37, 31)).astype(dtype), draw(4).astype(dtype)
    saved = group_norm.forward(x, 2, weight, weight)
    outputs += [*saved, *group_norm.backward(grad, x, 2, weight, *saved[1:3])]
    saved = batch_norm.forward_train(x, weight, weight)
    outputs += [*saved, *batch_norm.backward_train(grad, x, weight, *saved[1:3])]
print([hashlib.sha256(out.tobytes()).hexdigest() for out in outputs])
"""


PRODUCT = """
import hashlib
import numpy as np
from rawseg_kernels import matmul
x = np.random.default_rng(0).standard_normal((2, 70, 33), np.float32)
print(hashlib.sha256(matmul.forward(x, x, transpose_b=True).tobytes()).hexdigest())
"""


# Each width compiles everything anew: a product for the plainest one always, the rest in the long tier.
@pytest.mark.parametrize(
    "script",
    [PRODUCT, *(pytest.param(script, marks=pytest.mark.release) for script in (WIDTHS, NORMS))],
    ids=["product", "convolutions", "norms"],
)
def test_other_widths_give_the_same_bits(script):
    host = in_a_new_process(script, RAWSEG_SIMD="")
    for name in list(_simd.TILES)[-1:] if script is PRODUCT else _simd.TILES:
        if name != _simd.host_tile():
            assert in_a_new_process(script, RAWSEG_SIMD=name) == host, name


CACHED = """
import numpy as np
from rawseg_kernels._jit import kernel
from rawseg_kernels._panels import multiply
from rawseg_kernels._simd import ROWS, VECTOR_BYTES
@kernel
def run(*arguments):
    multiply(*arguments)
lanes, zero = VECTOR_BYTES // 4, np.zeros(1, np.int64)
c = np.zeros(ROWS * lanes, np.float32)
run(ROWS, 1, 1, np.ones(ROWS, np.float32), 0, 0, np.ones(lanes, np.float32), 0, zero, 0, zero, 1, c, 0, lanes, 0, (0, 0))
assert (c == 1).all()
print(sum(run.stats.cache_hits.values()), sum(run.stats.cache_misses.values()))
"""


@pytest.mark.gate
def test_a_second_process_compiles_nothing(tmp_path):
    assert in_a_new_process(CACHED, RAWSEG_CACHE_DIR=str(tmp_path)) == "0 1\n"
    assert in_a_new_process(CACHED, RAWSEG_CACHE_DIR=str(tmp_path)) == "1 0\n"
    other = next(name for name in _simd.TILES if name != _simd.host_tile())
    assert in_a_new_process(CACHED, RAWSEG_CACHE_DIR=str(tmp_path), RAWSEG_SIMD=other) == "0 1\n"


class Shuffles:
    """Vectors of NumPy's in the place of LLVM's, of a width that this machine need not have."""

    def __init__(self, lanes, itemsize) -> None:
        self.lanes, self.itemsize = lanes, itemsize

    def shuffle(self, one, other, order):
        assert len(order) == self.lanes
        return np.concatenate([one, other])[order]


@pytest.mark.parametrize("itemsize", [4, 8])
@pytest.mark.parametrize("width", [16, 32, 64])
def test_squares_are_turned_in_vectors_of_any_width(width, itemsize):
    lanes = width // itemsize
    square = np.arange(lanes * lanes).reshape(lanes, lanes)
    np.testing.assert_array_equal(_turned(Shuffles(lanes, itemsize), list(square)), square.T)
