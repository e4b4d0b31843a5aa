"""Vector code for products of rows with rows: sums along both of them, where no row needs to be laid out anew.

In `add_dots` element i of a run goes to lane ``i % lanes`` of LANE_BYTES of lanes, whatever the width of the vectors, and the
lanes are added up by halves at the end, those of all sums together; in `chain_dots` a sum is one chain in order, and squares of
elements are turned in registers. Neither the width of the vectors nor the shape of a tile reaches the bits. Places count
elements and nothing is checked, as in `_simd`.
"""

from __future__ import annotations

from itertools import product

from numba import types
from numba.core import cgutils

from ._simd import _INDEX, VECTOR_BYTES, _same_dtype, vector_code
from ._simd_rows import _MaskedEmitter

LANE_BYTES = 64  # of a sum
# rows of a and of b: the sums, the vectors of a and one of b fill the registers of AVX-512 (6 * 4 + 6 + 1 of 32), of AVX2
# (3 * 2 * 2 + 3 + 1 of 16), and with vectors of 16 bytes (1 * 3 * 4 + 1 + 1)
DOT_ROWS, DOT_COLUMNS = {64: (6, 4), 32: (3, 2), 16: (1, 3)}[VECTOR_BYTES]
CHAINS = 8  # rows of a, each of whose sums with a vector of rows of b fills a register: so many hide how long a product takes
AHEAD = 128  # elements of a row of b further on, whose lines are asked for: there are too many rows for the processor to see it


@vector_code
def add_dots(
    typing_context, rows, columns, runs, count, a, a_at, a_step, a_run, b, b_at, b_step, b_run, to, to_at, to_step, soon
):
    """``to[r][c] += sum over i of a[r][i] * b[c][i]`` for ``runs`` runs of ``count`` elements i of some rows of a and of b.

    There are up to DOT_ROWS ``rows`` of a, ``a_step`` elements apart, and DOT_COLUMNS ``columns``, which are rows of b; their
    runs are ``a_run`` and ``b_run`` elements apart. A lane is one chain of fused multiply-adds, begun at 0. What lies at the
    address ``soon``, like a row of a, is fetched meanwhile.
    """
    dtype = _same_dtype(a, b, to)
    place = types.int64
    signature = types.void(*[place] * 4, a, *[place] * 3, b, *[place] * 3, to, *[place] * 3)

    def generate(context, builder, signature, arguments):
        rows, columns, runs, count, _, _, a_step, a_run, _, _, b_step, b_run, _, _, to_step, soon = arguments
        emitter = _MaskedEmitter(context, builder, dtype)
        a, b, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (4, 8, 12))
        soon = builder.inttoptr(soon, a.type)
        for height, width in product(range(1, DOT_ROWS + 1), range(1, DOT_COLUMNS + 1)):
            fits = [builder.icmp_signed("==", asked, _INDEX(size)) for asked, size in ((rows, height), (columns, width))]
            with builder.if_then(builder.and_(*fits)):
                left = [builder.gep(a, [builder.mul(a_step, _INDEX(r))]) for r in range(height)]
                right = [builder.gep(b, [builder.mul(b_step, _INDEX(c))]) for c in range(width)]
                totals = _added(emitter, _sums(emitter, runs, count, (left, a_run), (right, b_run), soon))
                for r, row in enumerate(_rows_of(emitter, totals, height, width)):
                    at = builder.mul(to_step, _INDEX(r))
                    emitter.store(builder.fadd(emitter.load(to, at, row.type), row), to, at)
        return context.get_dummy_value()

    return signature, generate


def _sums(emitter, runs, count, left, right, soon):
    """Return a vector of lanes for each pair of a row and a column, row after row."""
    builder, parts = emitter.builder, LANE_BYTES // VECTOR_BYTES
    (left, left_run), (right, right_run) = left, right
    cells = [[[cgutils.alloca_once_value(builder, emitter.zero) for _ in range(parts)] for _ in right] for _ in left]
    lanes = parts * emitter.lanes
    whole = builder.mul(builder.sdiv(count, _INDEX(lanes)), _INDEX(lanes))
    with cgutils.for_range(builder, runs, intp=_INDEX) as loop:
        starts = [builder.mul(loop.index, run) for run in (left_run, right_run)]
        a, b = ([builder.gep(row, [start]) for row in rows] for rows, start in zip((left, right), starts))
        with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(lanes), intp=_INDEX) as (i, _):
            emitter.fetch(soon, builder.add(starts[0], i))
            _add_lanes(emitter, a, b, i, [None] * parts, cells)
        with builder.if_then(builder.icmp_signed("<", whole, count)):
            rest = builder.sub(count, whole)
            masks = [emitter.first(builder.sub(rest, _INDEX(part * emitter.lanes))) for part in range(parts)]
            _add_lanes(emitter, a, b, whole, masks, cells)
    return [_halved(builder, [builder.load(part) for part in cell]) for row in cells for cell in row]


def _add_lanes(emitter, left, right, at, masks, cells):
    """Add the products of LANE_BYTES of elements of every row."""
    builder = emitter.builder
    for part, mask in enumerate(masks):
        place = builder.add(at, _INDEX(part * emitter.lanes))
        held = [emitter.read(row, place, mask) for row in left]
        for c, row in enumerate(right):
            seen = emitter.read(row, place, mask)
            for r, value in enumerate(held):
                cell = cells[r][c][part]
                builder.store(builder.call(emitter.fma, [value, seen, builder.load(cell)]), cell)


def _halved(builder, parts):
    """Return the sum of vectors, by halves."""
    while len(parts) > 1:
        half = len(parts) // 2
        parts = [builder.fadd(lower, upper) for lower, upper in zip(parts[:half], parts[half:])]
    return parts[0]


def _added(emitter, vectors):
    """Return the sums of the lanes of vectors, by halves, in as many lanes as there are vectors.

    With every addition two vectors become one: a vector's lanes are a segment of it, which is half as long.
    """
    size = emitter.lanes
    while size > 1:
        half = size // 2
        lower = [first + lane for first in range(0, 2 * emitter.lanes, size) for lane in range(half)]
        orders = lower, [lane + half for lane in lower]
        pairs = zip(vectors[::2], [*vectors[1::2], vectors[-1]])
        vectors = [emitter.builder.fadd(*(emitter.shuffle(*pair, order) for order in orders)) for pair in pairs]
        size = half
    return vectors


def _rows_of(emitter, vectors, height, width):
    """Yield the elements of vectors, ``width`` at a time; some are of two vectors, where a row does not end with one."""
    for first in range(0, height * width, width):
        number, lane = divmod(first, emitter.lanes)
        pair = vectors[number], vectors[min(number + 1, len(vectors) - 1)]
        yield emitter.shuffle(*pair, list(range(lane, lane + width)))


@vector_code
def chain_dots(typing_context, rows, count, a, a_at, a_step, b, b_at, b_step, to, to_at, to_step):
    """``to[r][c] = sum over i of a[r][i] * b[c][i]`` for up to CHAINS ``rows`` of a and one vector of rows of b.

    One chain of fused multiply-adds in order of i, begun at 0. Rows of a have whole vectors of elements: those behind ``count``
    must be -0, which changes no sum; of b nothing is read there.
    """
    dtype = _same_dtype(a, b, to)
    place = types.int64
    signature = types.void(place, place, a, place, place, b, place, place, to, place, place)

    def generate(context, builder, signature, arguments):
        rows, count, _, _, a_step, _, _, b_step, _, _, to_step = arguments
        emitter = _MaskedEmitter(context, builder, dtype)
        a, b, to = (emitter.address(signature.args[i], *arguments[i : i + 2]) for i in (2, 5, 8))
        columns = [builder.gep(b, [builder.mul(b_step, _INDEX(c))]) for c in range(emitter.lanes)]
        whole = builder.mul(builder.sdiv(count, _INDEX(emitter.lanes)), _INDEX(emitter.lanes))
        for height in range(1, CHAINS + 1):
            with builder.if_then(builder.icmp_signed("==", rows, _INDEX(height))):
                left = [builder.gep(a, [builder.mul(a_step, _INDEX(r))]) for r in range(height)]
                cells = [cgutils.alloca_once(builder, emitter.vector) for _ in left]
                for cell in cells:
                    builder.store(emitter.zero, cell)
                with cgutils.for_range_slice(builder, _INDEX(0), whole, _INDEX(emitter.lanes), intp=_INDEX) as (i, _):
                    _chain_square(emitter, left, columns, i, None, cells)
                with builder.if_then(builder.icmp_signed("<", whole, count)):
                    _chain_square(emitter, left, columns, whole, emitter.first(builder.sub(count, whole)), cells)
                for r, cell in enumerate(cells):
                    emitter.store(builder.load(cell), to, builder.mul(to_step, _INDEX(r)))
        return context.get_dummy_value()

    return signature, generate


def _chain_square(emitter, left, columns, at, mask, cells):
    """As many elements of every chain as a vector has."""
    builder = emitter.builder
    for column in columns:
        emitter.fetch(column, builder.add(at, _INDEX(AHEAD)))
    turned = _turned(emitter, [emitter.read(column, at, mask) for column in columns])
    for i, vector in enumerate(turned):
        for row, cell in zip(left, cells):
            factor = emitter.broadcast(builder.load(builder.gep(row, [builder.add(at, _INDEX(i))])))
            builder.store(builder.call(emitter.fma, [factor, vector, builder.load(cell)]), cell)


def _turned(emitter, rows):
    """Return the columns of as many rows as a vector has lanes, in shuffles that are one instruction each.

    Neighbours within 16 bytes change places first, then pieces of 16 bytes as wholes.
    """
    lanes, piece = emitter.lanes, 16 // emitter.itemsize
    places = range(0, lanes, piece)  # of the pieces of a vector
    low = [at + i + row * lanes for at in places for i in range(piece // 2) for row in (0, 1)]
    high = [lane + piece // 2 for lane in low]
    rows = [emitter.shuffle(*pair, order) for pair in zip(rows[::2], rows[1::2]) for order in (low, high)]
    if piece == 4:
        low = [at + i + row * lanes for at in places for row in (0, 1) for i in (0, 1)]
        high = [lane + 2 for lane in low]
        fours = [rows[at : at + 4] for at in range(0, lanes, 4)]
        rows = [emitter.shuffle(*pair, order) for a, b, c, d in fours for pair in ((a, c), (b, d)) for order in (low, high)]
    size = piece  # rows that are done: a piece holds an element of each
    while size < lanes:
        order = [[lane + (lanes - size if lane & size else 0) for lane in range(lanes)]]
        order.append([lane + (lanes if lane & size else size) for lane in range(lanes)])
        turned = list(rows)
        for i in range(lanes):
            if not i & size:
                turned[i], turned[i + size] = (emitter.shuffle(rows[i], rows[i + size], lanes_of) for lanes_of in order)
        rows, size = turned, 2 * size
    return rows
