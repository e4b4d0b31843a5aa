"""What Winograd's convolution does around its products: weights, tiles of the source and tiles of the output, transformed.

Each does so in some *room* of a thread's scratch, from a place on. What was left there reaches no result, but the products of
lanes that nothing stands in: it should be zero, or another one's numbers, for some that old memory may hold are slow.

// per tile of m x m outputs and pair of channels: (m + 2)**2 products instead of 9 m**2, i.e. 2.25 or 4 times fewer
"""

from __future__ import annotations

from .._finishing import does_something, finish
from .._jit import piece
from .._panels import pack_rows
from .._simd import ROWS, VECTOR_BYTES
from .._simd_winograd import map_input, map_line, map_output, map_output_line, map_weights, move_line

CHANNELS_AT_ONCE = 16  # whose weights are laid out together: 144 to a row, whole vectors


def rooms(grid, lanes):
    """Return how many elements weights, tiles of the source and tiles of the output ask for."""
    width = grid.size + 2
    weights = CHANNELS_AT_ONCE * 9 * ROWS
    source = width * width * (grid.block_columns + 2 * lanes) + grid.points * grid.pitch
    return weights, source, width * width * lanes + grid.size * grid.size * (grid.pitch + lanes)


@piece
def transform_weights(u, u_at, u_step, weight, group, panel, room, room_at, grid, adjoint):
    """``G g G^T`` for the kernels of a panel of output channels of a group, ``[point][channel][ROWS]``.

    Of an ``adjoint``, the source channels come first and every kernel is turned by half a turn.
    """
    rows = min(ROWS, grid.channels - panel * ROWS)
    row_step, depth_step = (9, grid.channels * 9) if adjoint else (grid.depth * 9, 9)
    source_at = group * grid.depth * grid.channels * 9 + panel * ROWS * row_step
    first_tap, tap_step = (8, -1) if adjoint else (0, 1)
    step = tap_step * ROWS
    for begin in range(0, grid.depth, CHANNELS_AT_ONCE):
        channels = min(CHANNELS_AT_ONCE, grid.depth - begin)
        together = 1 if adjoint else channels  # whose kernels follow one another
        for c in range(0, channels, together):
            source, to = source_at + (begin + c) * depth_step, room_at + c * 9 * ROWS
            pack_rows(weight, source, row_step, rows, 9 * together, room, to, ROWS)
        for c in range(0, channels, 2):
            first, to = room_at + (c * 9 + first_tap) * ROWS, u_at + (begin + c) * ROWS
            map_weights(grid.size, min(2, channels - c), room, first, 3 * step, step, 9 * ROWS, u, to, u_step)


@piece
def transform_source(v, v_at, v_step, x, channel, channels, room, room_at, block, grid):
    """``B^T d B`` for the tiles of a block in one channel of every image, ``[point][channel][tile]``.

    Short rows of tiles are transformed along their rows one by one, but down their columns together, as one vector.
    """
    lanes = VECTOR_BYTES // x.itemsize
    first_row, t0 = block // grid.across * grid.block_rows, block % grid.across * grid.block_columns
    columns, width = min(grid.block_columns, grid.tiles_w - t0), grid.size + 2
    vectors = (columns + lanes - 1) // lanes
    step = (vectors + 1) * lanes  # what is too long for a line does not reach the next
    rows = min(grid.block_rows, grid.rows - first_row)
    for first in range(0, rows, grid.together):
        for k in range(first, min(first + grid.together, rows)):
            image, i = (first_row + k) // grid.tiles_h, (first_row + k) % grid.tiles_h
            left = t0 * grid.size - grid.left
            row_at = (image * channels + channel) * grid.h * grid.w + left
            for r in range(width):
                ih = i * grid.size + r - grid.top
                end = grid.w - left if 0 <= ih < grid.h else -left
                for t in range(vectors):
                    seen, to_at = t * lanes * grid.size, room_at + r * width * step + (k - first) * columns + t * lanes
                    line = x, row_at + ih * grid.w + seen, -left - seen, end - seen, grid.h * grid.w
                    map_line(grid.size, *line, room, to_at, step)
        for t in range(vectors):
            for j in range(width):
                at = v_at + j * v_step + first * grid.block_columns + t * lanes
                map_input(grid.size, room, room_at + j * step + t * lanes, width * step, v, at, width * v_step)


@piece
def transform_products(m, m_at, m_step, room, room_at, grid):
    """Apply A^T to the columns of a vector of tiles: what is left for each of their rows is one `map_output_line`."""
    lanes, width = VECTOR_BYTES // m.itemsize, grid.size + 2
    for j in range(width):
        map_output(grid.size, m, m_at + j * m_step, width * m_step, room, room_at + j * lanes, width * lanes)


@piece
def store_rows(m, m_at, m_step, shift, out, broken, channel, channels, after, block, room, room_at, grid):
    """Transform, write and finish a block's pixels of one output channel; note the images where a sum is no number.

    For tile rows that fill vectors: pixels go straight to their places.
    """
    lanes, width = VECTOR_BYTES // m.itemsize, grid.size + 2
    first_row, t0 = block // grid.across * grid.block_rows, block % grid.across * grid.block_columns
    columns = min(grid.block_columns, grid.tiles_w - t0)
    count, pixels = min(columns * grid.size, grid.out_w - t0 * grid.size), lanes * grid.size
    for k in range(min(grid.block_rows, grid.rows - first_row)):
        image, i = (first_row + k) // grid.tiles_h, (first_row + k) % grid.tiles_h
        oh = i * grid.size
        place = ((image * channels + channel) * grid.out_h + oh) * grid.out_w + t0 * grid.size
        rows, bad = min(grid.size, grid.out_h - oh), 0
        for first in range(0, count, pixels):
            transform_products(m, m_at + k * grid.block_columns + first // grid.size, m_step, room, room_at, grid)
            for r in range(rows):
                line, to_at = room_at + r * width * lanes, place + r * grid.out_w + first
                bad |= map_output_line(grid.size, room, line, lanes, shift, out, to_at, count - first, grid.out_h * grid.out_w)
        if bad:
            broken[image] = 1
        if does_something(after):
            for r in range(rows):
                finish(out, place + r * grid.out_w, count, channel, after)


@piece
def store_scattered(m, m_at, m_step, shift, out, broken, channel, channels, after, block, room, room_at, grid):
    """Do as `store_rows` for tile rows so short that a vector of tiles holds several."""
    lanes, width = VECTOR_BYTES // m.itemsize, grid.size + 2
    pixels = room_at + width * width * lanes
    for t in range(grid.vectors):
        transform_products(m, m_at + t * lanes, m_step, room, room_at, grid)
        for r in range(grid.size):
            line, to_at = room_at + r * width * lanes, pixels + (r * grid.pitch + t * lanes) * grid.size
            map_output_line(grid.size, room, line, lanes, shift, room, to_at, lanes * grid.size, 0)
    first_row, t0 = block // grid.across * grid.block_rows, block % grid.across * grid.block_columns
    columns = min(grid.block_columns, grid.tiles_w - t0)
    count = min(columns * grid.size, grid.out_w - t0 * grid.size)
    for k in range(min(grid.block_rows, grid.rows - first_row)):
        image, i = (first_row + k) // grid.tiles_h, (first_row + k) % grid.tiles_h
        place = (image * channels + channel) * grid.out_h * grid.out_w + t0 * grid.size
        for r in range(min(grid.size, grid.out_h - i * grid.size)):
            at, to_at = (r * grid.pitch + k * grid.block_columns) * grid.size, place + (i * grid.size + r) * grid.out_w
            if move_line(room, pixels + at, out, to_at, count):
                broken[image] = 1
            if does_something(after):
                finish(out, to_at, count, channel, after)
