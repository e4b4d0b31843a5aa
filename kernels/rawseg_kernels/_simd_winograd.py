r"""Vector code of Winograd's convolution: the small linear maps of F(2x2, 3x3) and F(4x4, 3x3), a vector of tiles at a time.

For tiles of m x m outputs (Lavin and Gray, arXiv 1509.09308; the points are 0, 1, -1, infinity for m = 2, and 2, -2 more for 4)

.. math:: Y = A^T\,[\,(G g G^T) \odot (B^T d B)\,]\,A

Each two-dimensional map is the one-dimensional one applied to the columns and then to the rows. `MATRICES` holds A, B and G;
the functions ``_input4`` and so on compute the same products with common sums taken once. ``size`` is m, 2 or 4, everywhere;
places count elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils

from ._simd import _INDEX, ROWS, _Emitter, _interleaved, _same_dtype, vector_code
from ._simd_rows import _MaskedEmitter

MATRICES = {
    2: {
        "B": np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]).T,
        "G": np.array([[1, 0, 0], [1 / 2, 1 / 2, 1 / 2], [1 / 2, -1 / 2, 1 / 2], [0, 0, 1]]),
        "A": np.array([[1, 1, 1, 0], [0, 1, -1, -1]]).T,
    },
    4: {
        "B": np.array(
            [
                [4, 0, -5, 0, 1, 0],
                [0, -4, -4, 1, 1, 0],
                [0, 4, -4, -1, 1, 0],
                [0, -2, -1, 2, 1, 0],
                [0, 2, -1, -2, 1, 0],
                [0, 4, 0, -5, 0, 1],
            ]
        ).T,
        "G": np.array(
            [
                [1 / 4, 0, 0],
                [-1 / 6, -1 / 6, -1 / 6],
                [-1 / 6, 1 / 6, -1 / 6],
                [1 / 24, 1 / 12, 1 / 6],
                [1 / 24, -1 / 12, 1 / 6],
                [0, 0, 1],
            ]
        ),
        "A": np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]).T,
    },
}


class _Sums:
    """Sums of vectors, written as formulas are."""

    def __init__(self, emitter: _Emitter, lanes: int) -> None:
        self.builder, self.emitter = emitter.builder, emitter
        self.vector = ir.VectorType(emitter.scalar, lanes)
        name = f"llvm.fma.v{lanes}f{8 * emitter.itemsize}"
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        self._fma = emitter.declare(kind, name)

    def add(self, a, b):
        return self.builder.fadd(a, b)

    def sub(self, a, b):
        return self.builder.fsub(a, b)

    def times(self, number, a):
        return self.builder.fmul(self._constant(number), a)

    def plus(self, number, a, b):
        """Return ``number * a + b``, rounded once."""
        return self.builder.call(self._fma, [self._constant(number), a, b])

    def _constant(self, number):
        return ir.Constant(self.vector, [float(number)] * self.vector.count)


def _input2(s, d):
    """Return B^T d."""
    return [s.sub(d[0], d[2]), s.add(d[1], d[2]), s.sub(d[2], d[1]), s.sub(d[1], d[3])]


def _input4(s, d):
    """Return B^T d."""
    outer, inner = s.plus(-4, d[2], d[4]), s.plus(-4, d[1], d[3])
    across, along = s.sub(d[4], d[2]), s.sub(d[3], d[1])
    return [
        s.plus(4, d[0], s.plus(-5, d[2], d[4])),
        s.add(outer, inner),
        s.sub(outer, inner),
        s.plus(2, along, across),
        s.plus(-2, along, across),
        s.plus(4, d[1], s.plus(-5, d[3], d[5])),
    ]


def _weight2(s, g):
    """Return G g."""
    outer, inner = s.add(g[0], g[2]), g[1]
    return [g[0], s.times(0.5, s.add(outer, inner)), s.times(0.5, s.sub(outer, inner)), g[2]]


def _weight4(s, g):
    """Return G g."""
    outer = s.add(g[0], g[2])
    far = s.plus(1 / 24, g[0], s.times(1 / 6, g[2]))
    return [
        s.times(1 / 4, g[0]),
        s.times(-1 / 6, s.add(outer, g[1])),
        s.times(-1 / 6, s.sub(outer, g[1])),
        s.plus(1 / 12, g[1], far),
        s.plus(-1 / 12, g[1], far),
        g[2],
    ]


def _output2(s, m):
    """Return A^T m."""
    return [s.add(s.add(m[0], m[1]), m[2]), s.sub(s.sub(m[1], m[2]), m[3])]


def _output4(s, m):
    """Return A^T m."""
    near, far = s.add(m[1], m[2]), s.add(m[3], m[4])
    near_odd, far_odd = s.sub(m[1], m[2]), s.sub(m[3], m[4])
    return [
        s.add(s.add(m[0], near), far),
        s.plus(2, far_odd, near_odd),
        s.plus(4, far, near),
        s.add(s.plus(8, far_odd, near_odd), m[5]),
    ]


def _gradient2(s, y):
    """Return A y."""
    return [y[0], s.add(y[0], y[1]), s.sub(y[0], y[1]), s.times(-1, y[1])]


def _gradient4(s, y):
    """Return A y."""
    even, odd = s.add(y[0], y[2]), s.add(y[1], y[3])
    even_far, odd_far = s.plus(4, y[2], y[0]), s.plus(4, y[3], y[1])
    return [y[0], s.add(even, odd), s.sub(even, odd), s.plus(2, odd_far, even_far), s.plus(-2, odd_far, even_far), y[3]]


def _total2(s, m):
    """Return G^T m."""
    both = s.times(0.5, s.add(m[1], m[2]))
    return [s.add(m[0], both), s.times(0.5, s.sub(m[1], m[2])), s.add(both, m[3])]


def _total4(s, m):
    """Return G^T m."""
    near, far = s.times(-1 / 6, s.add(m[1], m[2])), s.add(m[3], m[4])
    odd = s.plus(1 / 12, s.sub(m[3], m[4]), s.times(-1 / 6, s.sub(m[1], m[2])))
    return [
        s.add(s.plus(1 / 4, m[0], near), s.times(1 / 24, far)),
        odd,
        s.add(s.plus(1 / 6, far, near), m[5]),
    ]


Map = Callable[[_Sums, list], list]
_INPUT: dict[int, Map] = {2: _input2, 4: _input4}
_WEIGHT: dict[int, Map] = {2: _weight2, 4: _weight4}
_OUTPUT: dict[int, Map] = {2: _output2, 4: _output4}
_GRADIENT: dict[int, Map] = {2: _gradient2, 4: _gradient4}
_TOTAL: dict[int, Map] = {2: _total2, 4: _total4}


def _for_each_size(builder, size):
    """Yield 2 and 4, each inside the branch of the code that runs for it."""
    for m in (2, 4):
        with builder.if_then(builder.icmp_signed("==", size, _INDEX(m))):
            yield m


def _mapping(maps: dict[int, Map], inputs: dict[int, int]):
    """Return vector code ``f(size, source, source_at, source_step, to, to_at, to_step)`` that applies a map across vectors.

    Vector i of the operands begins ``i * step`` after the first.
    """

    @vector_code
    def apply(typing_context, size, source, source_at, source_step, to, to_at, to_step):
        dtype = _same_dtype(source, to)
        place = types.int64
        signature = types.void(place, source, place, place, to, place, place)

        def generate(context, builder, signature, arguments):
            size, source, source_at, source_step, to, to_at, to_step = arguments
            emitter = _Emitter(context, builder, dtype)
            source = emitter.address(signature.args[1], source, source_at)
            to = emitter.address(signature.args[4], to, to_at)
            for m in _for_each_size(builder, size):
                sums = _Sums(emitter, emitter.lanes)
                places = [builder.mul(source_step, _INDEX(i)) for i in range(inputs[m])]
                results = maps[m](sums, [emitter.load(source, at, sums.vector) for at in places])
                for i, result in enumerate(results):
                    emitter.store(result, to, builder.mul(to_step, _INDEX(i)))
            return context.get_dummy_value()

        return signature, generate

    return apply


map_input = _mapping(_INPUT, {2: 4, 4: 6})
map_output = _mapping(_OUTPUT, {2: 4, 4: 6})
map_total = _mapping(_TOTAL, {2: 4, 4: 6})


def _mapping_squares(maps: dict[int, Map], inputs: dict[int, int]):
    """Return vector code ``f(size, count, source, source_at, down, along, apart, to, to_at, to_step)`` for small squares.

    It applies a map to the columns and then to the rows of a square of vectors of ROWS lanes, and of another one ``apart``
    behind it, if ``count`` is 2. The vector in row i and column j of a square is at ``i * down + j * along``. Results, those of
    both squares side by side, are written row by row, ``to_step`` from one to the next.
    """

    @vector_code
    def apply(typing_context, size, count, source, source_at, down, along, apart, to, to_at, to_step):
        dtype = _same_dtype(source, to)
        place = types.int64
        signature = types.void(place, place, source, *[place] * 4, to, place, place)

        def generate(context, builder, signature, arguments):
            size, count, source, source_at, down, along, apart, to, to_at, to_step = arguments
            emitter = _Emitter(context, builder, dtype)
            source = emitter.address(signature.args[2], source, source_at)
            to = emitter.address(signature.args[7], to, to_at)
            both, square = builder.icmp_signed("==", count, _INDEX(2)), ir.VectorType(emitter.scalar, ROWS)
            other = builder.select(both, apart, _INDEX(0))

            def load(i, j):
                at = builder.add(builder.mul(down, _INDEX(i)), builder.mul(along, _INDEX(j)))
                one, two = emitter.load(source, at, square), emitter.load(source, builder.add(at, other), square)
                return emitter.shuffle(one, two, list(range(2 * ROWS)))

            for m in _for_each_size(builder, size):
                sums, side = _Sums(emitter, 2 * ROWS), range(inputs[m])
                columns = [maps[m](sums, [load(i, j) for i in side]) for j in side]
                results = [result for row in zip(*columns) for result in maps[m](sums, list(row))]
                places = [builder.mul(to_step, _INDEX(k)) for k in range(len(results))]
                with builder.if_else(both) as (whole, half):
                    with whole:
                        for result, at in zip(results, places):
                            emitter.store(result, to, at)
                    with half:
                        for result, at in zip(results, places):
                            emitter.store(emitter.shuffle(result, result, list(range(ROWS))), to, at)
            return context.get_dummy_value()

        return signature, generate

    return apply


map_weights = _mapping_squares(_WEIGHT, {2: 3, 4: 3})
map_gradients = _mapping_squares(_GRADIENT, {2: 2, 4: 4})


def _parted(emitter, vectors):
    """Return as many vectors, 2 or 4: number j of n has the elements ``n * i + j`` of all that the operands hold in a row."""
    even = [2 * lane for lane in range(emitter.lanes)]
    odd = [lane + 1 for lane in even]
    if len(vectors) == 2:
        return [emitter.shuffle(*vectors, even), emitter.shuffle(*vectors, odd)]
    halves = [[emitter.shuffle(*pair, order) for pair in (vectors[:2], vectors[2:])] for order in (even, odd)]
    return [emitter.shuffle(*halves[j % 2], (even, odd)[j // 2]) for j in range(4)]


def _next(emitter, vector, behind, lane):
    """Return the vector moved down by one lane, with a lane of another vector in the last."""
    return emitter.shuffle(vector, behind, [*range(1, emitter.lanes), emitter.lanes + lane])


def _read_line(emitter, source, begin, end, size):
    """Return the ``size + 1`` vectors from a place on, zero outside ``begin <= i < end``; of the last, two lanes count."""
    builder, lanes = emitter.builder, emitter.lanes
    cells = [cgutils.alloca_once(builder, emitter.vector) for _ in range(size + 1)]
    starts = [_INDEX(i * lanes) for i in range(size + 1)]
    whole = builder.icmp_signed("<=", begin, _INDEX(0)), builder.icmp_signed(">=", end, _INDEX((size + 1) * lanes))
    with builder.if_else(builder.and_(*whole)) as (inside, across):
        with inside:
            for cell, start in zip(cells, starts):
                builder.store(emitter.load(source, start, emitter.vector), cell)
        with across:
            for cell, start in zip(cells, starts):
                mask = emitter.between(builder.sub(begin, start), builder.sub(end, start))
                builder.store(emitter.read(source, start, mask), cell)
    return [builder.load(cell) for cell in cells]


@vector_code
def map_line(typing_context, size, source, source_at, begin, end, soon, to, to_at, to_step):
    """B^T along a row: ``size + 2`` vectors, one entry a tile, from a row of ``size * lanes + 2`` pixels.

    Pixels outside ``begin <= i < end``, counted from ``source_at``, are not read: they are zero. The lines ``soon`` elements
    further on are fetched meanwhile.
    """
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(place, source, *[place] * 4, to, place, place)

    def generate(context, builder, signature, arguments):
        size, source, source_at, begin, end, soon, to, to_at, to_step = arguments
        emitter = _MaskedEmitter(context, builder, dtype)
        source = emitter.address(signature.args[1], source, source_at)
        to = emitter.address(signature.args[6], to, to_at)
        for m in _for_each_size(builder, size):
            *row, behind = _read_line(emitter, source, begin, end, m)
            for i in range(m):
                emitter.fetch(source, builder.add(soon, _INDEX(i * emitter.lanes)))
            pixels = _parted(emitter, row)
            pixels += [_next(emitter, pixels[j], behind, j) for j in (0, 1)]
            for i, result in enumerate(_INPUT[m](_Sums(emitter, emitter.lanes), pixels)):
                emitter.store(result, to, builder.mul(to_step, _INDEX(i)))
        return context.get_dummy_value()

    return signature, generate


@vector_code
def map_output_line(typing_context, size, source, source_at, source_step, shift, to, to_at, count, soon):
    """A^T along a row, plus a number: pixels side by side from ``size + 2`` vectors, one entry a tile.

    The first ``count`` of the ``size * lanes`` pixels are written; lines ``soon`` elements further on, which will be, are asked
    for. Returns 0 if they are numbers, else 1.
    """
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = place(place, source, place, place, dtype, to, place, place, place)

    def generate(context, builder, signature, arguments):
        size, source, source_at, source_step, shift, to, to_at, count, soon = arguments
        emitter = _MaskedEmitter(context, builder, dtype)
        source = emitter.address(signature.args[1], source, source_at)
        to = emitter.address(signature.args[5], to, to_at)
        shift = emitter.broadcast(shift)
        found = cgutils.alloca_once_value(builder, ir.Constant(emitter.kind, [0] * emitter.lanes))
        for m in _for_each_size(builder, size):
            places = [builder.mul(source_step, _INDEX(i)) for i in range(m + 2)]
            sums = _OUTPUT[m](_Sums(emitter, emitter.lanes), [emitter.load(source, at, emitter.vector) for at in places])
            pixels = _interleaved(emitter, [builder.fadd(vector, shift) for vector in sums])
            starts = [_INDEX(i * emitter.lanes) for i in range(m)]
            for start in starts:
                emitter.expect(to, builder.add(soon, start))
            with builder.if_else(builder.icmp_signed(">=", count, _INDEX(m * emitter.lanes))) as (whole, parted):
                with whole:
                    for start, vector in zip(starts, pixels):
                        emitter.store(vector, to, start)
                        builder.store(builder.or_(builder.load(found), _no_numbers(emitter, vector)), found)
                with parted:
                    for start, vector in zip(starts, pixels):
                        mask = emitter.between(_INDEX(0), builder.sub(count, start))
                        emitter.write(vector, to, start, mask)
                        bad = builder.and_(mask, _no_numbers(emitter, vector))
                        builder.store(builder.or_(builder.load(found), bad), found)
        return _any(emitter, builder.load(found))

    return signature, generate


@vector_code
def move_line(typing_context, source, source_at, to, to_at, count):
    """Copy ``count`` pixels that lie side by side. Returns 0 if they are numbers, else 1."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = place(source, place, to, place, place)

    def generate(context, builder, signature, arguments):
        emitter = _MaskedEmitter(context, builder, dtype)
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 2))
        found = cgutils.alloca_once_value(builder, ir.Constant(emitter.kind, [0] * emitter.lanes))

        def move(i, mask):
            vector = emitter.read(source, i, mask)  # zero, a number, in the other lanes
            emitter.write(vector, to, i, mask)
            builder.store(builder.or_(builder.load(found), _no_numbers(emitter, vector)), found)

        emitter.each_masked(arguments[4], move)
        return _any(emitter, builder.load(found))

    return signature, generate


def _any(emitter, mask):
    """Return 1 if a lane of a mask is set, else 0."""
    bits = emitter.builder.bitcast(mask, ir.IntType(emitter.lanes))
    return emitter.builder.zext(emitter.builder.icmp_unsigned("!=", bits, bits.type(0)), _INDEX)


def _no_numbers(emitter, vector):
    """Return a mask of the lanes that hold an infinity or NaN: what times zero is no zero."""
    nothing = emitter.builder.fmul(vector, emitter.zero)
    return emitter.builder.fcmp_unordered("!=", nothing, emitter.zero)
