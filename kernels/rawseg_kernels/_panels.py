"""Matrix products over packed panels: the loops around the micro-kernels of `_simd`, in plain Numba.

A panel holds ROWS rows of the left matrix, ROWS elements to a step of the sum. The right matrix is anything whose vectors can
be found through two tables of places: ``steps`` (one entry a step of the sum) and ``starts`` (one entry a vector of columns).
A packed matrix, a plane of an image and all shifted views of a strip of an image are read by the same loop that way.

Places are counted in elements of a flat array.
"""

from __future__ import annotations

from ._jit import inlined, piece
from ._simd import LINE_BYTES, ROWS, VECTOR_BYTES, VECTORS, copy, interleave, tile_of_rows, tile_product

DEPTH_BLOCK = 128  # steps of a sum at once: what a tile reads of b (128 * 192 bytes) then stays in the nearest cache
SHALLOW = 64  # steps of a sum that are soon done, and
NEAR = 64 * 64  # vectors of b that stay in the second-level cache
ALONE = min(VECTORS, 2 * LINE_BYTES // VECTOR_BYTES)  # vectors of a tile whose lines a single panel can fetch
NOWHERE = (0, 0)  # an address, and a step in bytes


@inlined
def even(count, most):
    """Return the size of the first of equal parts of at most ``most``: a small tile has few products a load."""
    return -(-count // -(-count // most))


@piece
def multiply(rows, depth, resume, a, a_at, a_step, b, b_at, steps, steps_at, starts, vectors, c, c_at, c_step, after, soon):
    """Add the product of ``rows`` rows of ``a`` and ``vectors`` columns of ``b`` to ``c``, or to zero if ``resume`` is 0.

    Rows are taken by whole panels, but for a single one. Panel p begins at ``a_at + p * a_step``; row r of the result at
    ``c_at + r * c_step``, its vectors side by side. What lies ``after`` elements behind the last panel is needed next, and
    ``soon`` are ``depth`` rows of as many vectors, from an address on and so many bytes apart.
    """
    panels = -(-rows // ROWS)
    by_rows = depth <= SHALLOW and vectors * depth <= NEAR  # the results are most of the traffic: as memory likes it
    turns, at_once = (panels, 1) if by_rows else (1, panels)
    for first in range(0, max(depth, 1), DEPTH_BLOCK):
        count, width = min(DEPTH_BLOCK, depth - first), 0
        fetched = soon[0] + first * soon[1], soon[1]
        for turn in range(turns):
            v = 0
            while v < vectors:
                for p in range(turn, turn + at_once):
                    arrays = a, a_at + p * a_step + first * ROWS, b, b_at, steps, steps_at + first, starts
                    result, next_a = (c, c_at + p * ROWS * c_step, c_step), a_step if p + 1 < panels else after
                    more = p, 0 if by_rows else next_a, *fetched
                    width = multiply_tile(rows, vectors, count, resume + first, *arrays, v, *result, *more)
                v += width


@piece
def multiply_rows(rows, runs, count, resume, a, a_at, a_step, a_run, b, b_at, steps, starts, vectors, c, c_at, c_step):
    """Do as `multiply` for ``runs`` runs of ``count`` steps, where rows of ``a`` lie as they are, ``a_step`` elements apart."""
    lanes, v = VECTOR_BYTES // a.itemsize, 0
    while v < vectors:
        width = even(vectors - v, VECTORS)
        for r in range(0, rows, ROWS):
            place = c_at + r * c_step + v * lanes
            operands = a, a_at + r * a_step, a_step, a_run, b, b_at, steps, starts, v, c, place, c_step
            tile_of_rows(min(ROWS, rows - r), width, runs, count, resume, *operands)
        v += width


@inlined
def multiply_tile(
    rows, vectors, depth, resume, a, a_at, b, b_at, steps, steps_at, starts, v, c, c_at, c_step, turn, next_a, soon, soon_step
):
    """Compute the tile from vector v on, and return its width in vectors.

    In the first turns, what is needed soon is fetched in the tile's place. So is the panel that comes ``next_a`` elements
    later: of a large matrix it is no nearer than the third-level cache.
    """
    lanes = VECTOR_BYTES // a.itemsize
    width, height = even(vectors - v, VECTORS if rows > ROWS else ALONE), 1 if rows == 1 else ROWS
    place, fetched = c_at + v * lanes, turn * 2 * LINE_BYTES
    if soon == 0 or fetched >= width * VECTOR_BYTES:
        soon, soon_step, fetched = a.ctypes.data, 0, -v * VECTOR_BYTES  # a line that is there
    soon += v * VECTOR_BYTES + fetched
    arrays = a, a_at, b, b_at, steps, steps_at, starts, v, c, place, c_step
    tile_product(height, width, depth, resume, *arrays, soon, soon_step, next_a)
    return width


@piece
def pack_rows(source, source_at, source_step, rows, length, to, to_at, to_step):
    """``to[to_at + i * to_step + r] = source[source_at + r * source_step + i]`` for ``rows <= ROWS`` rows of ``length``."""
    lanes = VECTOR_BYTES // source.itemsize
    whole = length // lanes * lanes if rows == ROWS else 0
    for i in range(0, whole, lanes):
        interleave(source, source_at + i, source_step, to, to_at + i * to_step, to_step)
    if 0 < whole < length:  # the last vector has some elements again
        last = length - lanes
        interleave(source, source_at + last, source_step, to, to_at + last * to_step, to_step)
        return
    for r in range(rows):
        copy(source, source_at + r * source_step + whole, 1, to, to_at + whole * to_step + r, to_step, length - whole)
