"""Vector micro-kernels: the inner loops that Numba cannot express, written as LLVM vector code.

A matrix product runs at the speed of the machine only if a tile of the result stays in vector registers while the sum runs.
`tile_product` does that, and `tile_of_rows` where the left side is not packed: ROWS x (VECTORS vectors) accumulators, one
broadcast and one fused multiply-add each a step. Every element of the result is one chain of fused multiply-adds in the order
of k that starts from what the result held before, so neither the width of the vectors nor any blocking of the sum reaches the
bits. `interleave` is the transposition that lays rows out for it; `copy` and `fill` are what slices do, without their cost of
some 10 ns each.

All are made for the dtype of their arrays, which are flat; places count elements, and nothing is checked.
The shape of the tile is chosen from the host's CPU at import; ``RAWSEG_SIMD=avx512|avx2|portable`` overrides it.
"""

from __future__ import annotations

import os
from itertools import product
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from ._errors import ArgumentError

LINE_BYTES = 64  # of a cache
# name: (bytes of a vector, rows of a tile, vectors of a tile): the accumulators, the vectors of b and one broadcast
# fill the 32 registers of AVX-512 (8 * 3 + 3 + 1) and the 16 of the others (4 * 3 + 3 + 1, 4 * 2 + 2 + 1).
TILES = {"avx512": (64, 8, 3), "avx2": (32, 4, 3), "portable": (16, 4, 2)}


def host_tile() -> str:
    """Return the name of the widest tile that the host's CPU has instructions for, or the one that ``RAWSEG_SIMD`` asks for."""
    asked = os.environ.get("RAWSEG_SIMD")
    if asked:
        if asked not in TILES:
            raise ArgumentError("rawseg", "RAWSEG_SIMD", f"one of {tuple(TILES)}", repr(asked))
        return asked
    features = binding.get_host_cpu_features()
    if features.get("avx512f") and features.get("avx512vl"):
        return "avx512"
    return "avx2" if features.get("avx2") and features.get("fma") else "portable"


VECTOR_BYTES, ROWS, VECTORS = TILES[host_tile()]

vector_code: Any = intrinsic  # what it makes is called without the typing context, which type checkers cannot know

_INDEX = ir.IntType(64)
_LANE = ir.IntType(32)


class _Emitter:
    """Writes vector code for arrays of one dtype into a function that Numba is compiling."""

    def __init__(self, context, builder, dtype):
        self.context, self.builder = context, builder
        self.scalar = context.get_value_type(dtype)
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        self.vector = ir.VectorType(self.scalar, self.lanes)
        self.itemsize = dtype.bitwidth // 8
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        self.fma = self.declare(kind, f"llvm.fma.v{self.lanes}f{dtype.bitwidth}")

    def declare(self, kind, name):
        """Return LLVM's own function of this name."""
        return cgutils.get_or_insert_function(self.builder.module, kind, name)

    def address(self, array_type, array, at):
        """Return a pointer to element ``at`` of an array's data."""
        data = self.context.make_array(array_type)(self.context, self.builder, array).data
        return self.builder.gep(data, [at])

    def load(self, pointer, at, kind):
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), kind.as_pointer())
        return self.builder.load(place, align=self.itemsize)

    def store(self, value, pointer, at):
        place = self.builder.bitcast(self.builder.gep(pointer, [at]), value.type.as_pointer())
        self.builder.store(value, place, align=self.itemsize)

    def expect(self, pointer, at):
        """Ask for the line of a place that will be written."""
        self._ask(pointer, at, writing=1, nearness=3)

    def fetch(self, pointer, at):
        """Ask for the line of a place that will be read, but not so soon that it should fill the nearest cache."""
        self._ask(pointer, at, writing=0, nearness=2)

    def _ask(self, pointer, at, writing, nearness):
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, *[_LANE] * 3])
        options = [_LANE(option) for option in (writing, nearness, 1)]
        self.builder.call(self.declare(kind, "llvm.prefetch.p0"), [self.builder.gep(pointer, [at]), *options])

    def shuffle(self, one, other, lanes):
        return self.builder.shuffle_vector(one, other, ir.Constant(ir.VectorType(_LANE, len(lanes)), lanes))

    def broadcast(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        return self.shuffle(self.builder.insert_element(undefined, scalar, _LANE(0)), undefined, [0] * self.lanes)


def _same_dtype(*arrays):
    """Return the dtype of all arrays, which must be float32 or float64 and contiguous."""
    for array in arrays:
        if not (isinstance(array, types.Array) and array.layout == "C" and array.dtype == arrays[0].dtype):
            raise TypingError(f"vector code needs C-contiguous arrays of one dtype, got {arrays}")
    if arrays[0].dtype not in (types.float32, types.float64):
        raise TypingError(f"vector code is for float32 and float64, got {arrays[0].dtype}")
    return arrays[0].dtype


@vector_code
def tile_product(
    typing_context,
    rows,
    vectors,
    depth,
    resume,
    a,
    a_at,
    b,
    b_at,
    steps,
    steps_at,
    starts,
    starts_at,
    c,
    c_at,
    c_step,
    soon,
    soon_step,
    next_a,
):
    """``c[r][v] += sum over k of a[k][r] * b[k][v]`` for rows r and ``vectors <= VECTORS`` vectors v, summed in order of k.

    ``rows`` is ROWS or 1. If ``resume`` is 0, sums start from zero and not from what c holds. All places count elements.
    ``a`` is packed, ROWS to a step k; row k of vector v of ``b`` begins at ``b_at + steps[steps_at + k] + starts[starts_at +
    v]``; row r of vector v of ``c`` at ``c_at + r * c_step + v * lanes``. What is needed soon is fetched meanwhile: two lines a
    step, from the address ``soon`` on and ``soon_step`` bytes further with every step, and lines of ``a`` that come ``next_a``
    elements later.
    """
    dtype = _same_dtype(a, b, c)
    place = types.int64
    signature = types.void(*[place] * 4, a, place, b, place, steps, place, starts, place, c, *[place] * 5)

    def generate(context, builder, signature, arguments):
        rows, vectors, depth, resume = arguments[:4]
        c_step, soon, soon_step, next_a = arguments[-4:]
        emitter = _Emitter(context, builder, dtype)
        a, b, steps, starts, c = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (4, 6, 8, 10, 12))

        def factors(k):
            needed = builder.inttoptr(builder.add(soon, builder.mul(k, soon_step)), b.type)
            for line in (0, 1):
                emitter.fetch(needed, _INDEX(line * LINE_BYTES // emitter.itemsize))
            panel = builder.gep(a, [builder.mul(k, _INDEX(ROWS))])
            emitter.fetch(panel, next_a)
            return [builder.gep(panel, [_INDEX(r)]) for r in range(ROWS)]

        for height, width in product((1, ROWS), range(1, VECTORS + 1)):
            fits = [builder.icmp_signed("==", asked, _INDEX(size)) for asked, size in ((rows, height), (vectors, width))]
            with builder.if_then(builder.and_(*fits)):
                results = [builder.gep(c, [builder.mul(c_step, _INDEX(r))]) for r in range(height)]
                cells = _begun(emitter, resume, results, width)
                _add_steps(emitter, depth, factors, _columns(builder, b, starts, width), steps, cells)
                _end(emitter, cells, results)
        return context.get_dummy_value()

    return signature, generate


@vector_code
def tile_of_rows(
    typing_context,
    rows,
    vectors,
    runs,
    count,
    resume,
    a,
    a_at,
    a_step,
    a_run,
    b,
    b_at,
    steps,
    starts,
    starts_at,
    c,
    c_at,
    c_step,
):
    """Do as `tile_product` for up to ROWS ``rows`` of ``a`` that are not packed: they lie ``a_step`` elements apart.

    A sum has ``runs`` runs of ``count`` steps, those of ``a`` ``a_run`` elements apart; those of ``b`` follow each other. The
    rows behind are fetched meanwhile.
    """
    dtype = _same_dtype(a, b, c)
    place = types.int64
    signature = types.void(*[place] * 5, a, *[place] * 3, b, place, steps, starts, place, c, place, place)

    def generate(context, builder, signature, arguments):
        rows, vectors, runs, count, resume, _, _, a_step, a_run = arguments[:9]
        emitter = _Emitter(context, builder, dtype)
        places = [(5, 6), (9, 10), (11, None), (12, 13), (14, 15)]
        a, b, steps, starts, c = (
            emitter.address(signature.args[i], arguments[i], _INDEX(0) if at is None else arguments[at]) for i, at in places
        )
        last = builder.sub(rows, _INDEX(1))  # takes the place of rows that are missing: it is computed and written again
        numbers = [builder.select(builder.icmp_signed("<", _INDEX(r), last), _INDEX(r), last) for r in range(ROWS)]
        sides = (a, a_step), (c, arguments[-1])
        lines, results = ([builder.gep(side, [builder.mul(n, step)]) for n in numbers] for side, step in sides)
        behind = builder.gep(a, [builder.mul(a_step, _INDEX(ROWS))])
        for width in range(1, VECTORS + 1):
            with builder.if_then(builder.icmp_signed("==", vectors, _INDEX(width))):
                columns, cells = _columns(builder, b, starts, width), _begun(emitter, resume, results, width)
                with cgutils.for_range(builder, runs, intp=_INDEX) as loop:
                    begin, done = builder.mul(loop.index, a_run), builder.mul(loop.index, count)

                    def factors(k, begin=begin):
                        row, line = builder.and_(k, _INDEX(ROWS - 1)), builder.sdiv(k, _INDEX(ROWS))
                        at = builder.add(begin, builder.mul(line, _INDEX(LINE_BYTES // emitter.itemsize)))
                        emitter.fetch(behind, builder.add(builder.mul(row, a_step), at))
                        return [builder.gep(line, [builder.add(begin, k)]) for line in lines]

                    _add_steps(emitter, count, factors, columns, builder.gep(steps, [done]), cells)
                _end(emitter, cells, results)
        return context.get_dummy_value()

    return signature, generate


def _columns(builder, b, starts, width):
    """Return where the vectors of a tile begin."""
    return [builder.gep(b, [builder.load(builder.gep(starts, [_INDEX(v)]))]) for v in range(width)]


def _begun(emitter, resume, rows, width):
    """Return a tile's accumulators, row by row: from c, or zero if ``resume`` is 0. LLVM turns them into registers."""
    builder, vector, lanes = emitter.builder, emitter.vector, emitter.lanes
    cells = [[cgutils.alloca_once(builder, vector) for _ in range(width)] for _ in rows]
    with builder.if_else(builder.icmp_signed("==", resume, _INDEX(0))) as (anew, further):
        with anew:
            for row, pointer in zip(cells, rows):
                for v, cell in enumerate(row):
                    builder.store(ir.Constant(vector, [0.0] * lanes), cell)
                    emitter.expect(pointer, _INDEX(v * lanes))  # the line is on its way while the sums run
        with further:
            for row, pointer in zip(cells, rows):
                for v, cell in enumerate(row):
                    builder.store(emitter.load(pointer, _INDEX(v * lanes), vector), cell)
    return cells


def _add_steps(emitter, depth, factors, columns, steps, cells):
    """Add up ``depth`` steps; ``factors(k)`` says where step k of every row of a is."""
    builder = emitter.builder

    def add_step(k):
        step = builder.load(builder.gep(steps, [k]))
        taken = [emitter.load(column, step, emitter.vector) for column in columns]
        for place, row in zip(factors(k), cells):
            factor = emitter.broadcast(builder.load(place))
            for value, cell in zip(taken, row):
                builder.store(builder.call(emitter.fma, [factor, value, builder.load(cell)]), cell)

    pairs = builder.mul(builder.sdiv(depth, _INDEX(2)), _INDEX(2))  # two steps a turn: counting takes slots from the products
    with cgutils.for_range_slice(builder, _INDEX(0), pairs, _INDEX(2), intp=_INDEX) as (k, _):
        add_step(k)
        add_step(builder.add(k, _INDEX(1)))
    with builder.if_then(builder.icmp_signed("<", pairs, depth)):
        add_step(pairs)


def _end(emitter, cells, rows):
    """Write a tile's accumulators to c."""
    for row, pointer in zip(cells, rows):
        for v, cell in enumerate(row):
            emitter.store(emitter.builder.load(cell), pointer, _INDEX(v * emitter.lanes))


@vector_code
def interleave(typing_context, source, source_at, source_step, to, to_at, to_step):
    """``to[to_at + i * to_step + r] = source[source_at + r * source_step + i]`` for ROWS rows r and one vector of columns i."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, to, place, place)

    def generate(context, builder, signature, arguments):
        source_step = arguments[2]
        emitter = _Emitter(context, builder, dtype)
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 3))
        _interleave(emitter, source, [builder.mul(source_step, _INDEX(r)) for r in range(ROWS)], to, arguments[5])
        return context.get_dummy_value()

    return signature, generate


@vector_code
def interleave_lines(typing_context, source, source_at, lines, lines_at, to, to_at, to_step):
    """Do as `interleave` for rows that begin at ``source_at + lines[lines_at + r]``; columns are written in their order."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, lines, place, to, place, place)

    def generate(context, builder, signature, arguments):
        emitter = _Emitter(context, builder, dtype)
        source, lines, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 2, 4))
        places = [builder.load(builder.gep(lines, [_INDEX(r)])) for r in range(ROWS)]
        _interleave(emitter, source, places, to, arguments[6])
        return context.get_dummy_value()

    return signature, generate


def _interleave(emitter, source, places, to, to_step):
    """Write one vector of columns of the rows that begin at these places, column after column."""
    builder, lanes = emitter.builder, emitter.lanes
    flat = _interleaved(emitter, [emitter.load(source, place, emitter.vector) for place in places])
    size = min(ROWS, lanes)
    for i in range(0, ROWS * lanes, size):
        whole = flat[i // lanes]
        piece = whole if size == lanes else emitter.shuffle(whole, whole, [i % lanes + j for j in range(size)])
        emitter.store(piece, to, builder.add(builder.mul(to_step, _INDEX(i // ROWS)), _INDEX(i % ROWS)))


@vector_code
def gather_rows(typing_context, source, source_at, source_step, to, to_at):
    """``to[to_at + r] = source[source_at + r * source_step]`` for ROWS rows r: one column of what `interleave` lays out."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, to, place)

    def generate(context, builder, signature, arguments):
        source, source_at, source_step, to, to_at = arguments
        emitter = _Emitter(context, builder, dtype)
        source, to = emitter.address(signature.args[0], source, source_at), emitter.address(signature.args[3], to, to_at)
        column = ir.Constant(ir.VectorType(emitter.scalar, ROWS), ir.Undefined)
        for r in range(ROWS):
            value = builder.load(builder.gep(source, [builder.mul(source_step, _INDEX(r))]))
            column = builder.insert_element(column, value, _LANE(r))
        emitter.store(column, to, _INDEX(0))
        return context.get_dummy_value()

    return signature, generate


def _interleaved(emitter, rows):
    """Return the rows' elements column by column: a perfect shuffle makes the top bit of an element's index the lowest."""
    half, lanes = len(rows) // 2, emitter.lanes
    low = [lane // 2 + lane % 2 * lanes for lane in range(lanes)]
    high = [lane + lanes // 2 for lane in low]
    stages = len(rows).bit_length() - 1
    for _ in range(stages):
        pairs = zip(rows[:half], rows[half:])
        rows = [emitter.shuffle(one, other, order) for one, other in pairs for order in (low, high)]
    return rows


@vector_code
def copy(typing_context, source, source_at, source_step, to, to_at, to_step, count):
    """``to[to_at + i * to_step] = source[source_at + i * source_step]`` for i below ``count``: memcpy, if both steps are 1."""
    dtype = _same_dtype(source, to)
    place = types.int64
    signature = types.void(source, place, place, to, place, place, place)

    def generate(context, builder, signature, arguments):
        source_step, to_step, count = arguments[2], arguments[5], arguments[6]
        emitter = _Emitter(context, builder, dtype)
        source, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (0, 3))
        is_step = [[builder.icmp_signed("==", step, _INDEX(size)) for size in (1, 2)] for step in (source_step, to_step)]
        with builder.if_else(builder.and_(is_step[0][0], is_step[1][0])) as (together, apart):
            with together:
                cgutils.raw_memcpy(builder, to, source, count, emitter.itemsize)
            with apart:
                by_two = builder.and_(is_step[0][1], is_step[1][0])
                done = _copy_every_other(emitter, source, to, builder.select(by_two, count, _INDEX(1)))
                with cgutils.for_range_slice(builder, done, count, _INDEX(1), intp=_INDEX) as (i, _):
                    value = builder.load(builder.gep(source, [builder.mul(i, source_step)]))
                    builder.store(value, builder.gep(to, [builder.mul(i, to_step)]))
        return context.get_dummy_value()

    return signature, generate


def _copy_every_other(emitter, source, to, count):
    """``to[i] = source[2 * i]`` in vectors; return how many of ``count`` are done.

    A vector of even places reads one element that it has no use for. The last one takes the odd places of a vector that begins
    one earlier, and ends with the row; it writes some elements again.
    """
    builder, lanes = emitter.builder, _INDEX(emitter.lanes)

    def move(i, odd):
        at = builder.sub(builder.add(i, i), _INDEX(odd))
        halves = [emitter.load(source, place, emitter.vector) for place in (at, builder.add(at, lanes))]
        emitter.store(emitter.shuffle(*halves, [2 * lane + odd for lane in range(emitter.lanes)]), to, i)

    whole = builder.sdiv(builder.sub(count, _INDEX(1)), lanes)
    with cgutils.for_range(builder, whole, intp=_INDEX) as loop:
        move(builder.mul(loop.index, lanes), 0)
    some = builder.icmp_signed(">", whole, _INDEX(0))
    with builder.if_then(some):
        move(builder.sub(count, lanes), 1)
    return builder.select(some, count, _INDEX(0))


@vector_code
def fill(typing_context, to, first, last, value):
    """``to[first:last] = value``."""
    dtype = _same_dtype(to)
    signature = types.void(to, types.int64, types.int64, dtype)

    def generate(context, builder, signature, arguments):
        to, first, last, value = arguments
        emitter = _Emitter(context, builder, dtype)
        to = emitter.address(signature.args[0], to, first)
        with cgutils.for_range(builder, builder.sub(last, first), intp=_INDEX) as loop:
            builder.store(value, builder.gep(to, [loop.index]))
        return context.get_dummy_value()

    return signature, generate
