"""What a task of `_weight_sums` lays out for its products: the pixels that a tile sees, and the gradients of its outputs."""

from __future__ import annotations

from .._jit import inlined, piece
from .._panels import pack_rows
from .._simd import ROWS, VECTOR_BYTES, copy, fill, interleave_lines


@inlined
def lengths_of(tile, lanes):
    """Return how many elements a task's results, its panels, its strip and the planes that stacks are made of take."""
    pixels, results = tile.rows * tile.columns, tile.panels * ROWS * tile.runs * tile.run_columns
    rows = tile.rows if tile.stacked else tile.strip_h
    spare = tile.run_columns + (lanes * tile.cells + ROWS if tile.stacked else 0)  # whole vectors are read and written
    planes = tile.block * tile.strip_h * tile.width if tile.stacked else 0
    return results, tile.panels * pixels * ROWS, rows * tile.strip_w * tile.cells + spare, planes


@piece
def fill_pixels(strip, x, seen, tile):
    """Copy ``rows x columns`` pixels of ``x`` from (top, left) on into the strip, channels innermost, zero outside."""
    image_at, h, w, top, left, rows, columns, channels = seen
    begin, end = min(columns, max(0, -left)), min(columns, w - left)
    for row in range(rows):
        ih, at = top + row, row * tile.strip_w * tile.block
        if not (0 <= ih < h and begin < end):
            fill(strip, at, at + tile.strip_w * tile.block, 0)
            continue
        fill(strip, at, at + begin * tile.block, 0)
        fill(strip, at + end * tile.block, at + tile.strip_w * tile.block, 0)
        for c in range(0, channels, ROWS):
            source_at = image_at + (c * h + ih) * w + left + begin
            pack_rows(x, source_at, h * w, min(ROWS, channels - c), end - begin, strip, at + begin * tile.block + c, tile.block)


@piece
def fill_stacks(strip, planes, x, seen, out_rows, stride_h, lines, tile):
    """Do as `fill_pixels`, but give every pixel the channels of all kernel rows below it, once for each row of the output.

    Whole vectors of columns are written, in order: what is too long is overwritten by what comes next. In a narrow last tile
    some of it stays, beside gradients that are 0.
    """
    image_at, h, w, top, left, rows, columns, channels = seen
    lanes, width = VECTOR_BYTES // x.itemsize, tile.width
    begin = min(columns, max(0, -left))
    end = max(begin, min(columns, w - left))
    for c in range(channels):
        for row in range(rows):
            ih, at = top + row, (c * tile.strip_h + row) * width
            fill(planes, at, at + width, 0)
            if 0 <= ih < h:
                copy(x, image_at + (c * h + ih) * w + left + begin, 1, planes, at + begin, 1, end - begin)
    for i in range(out_rows):
        for g in range(lines.shape[0]):
            first = max(0, min(g * ROWS, tile.cells - ROWS))
            for j in range(0, columns, lanes):
                at = (i * tile.strip_w + j) * tile.cells + first
                interleave_lines(planes, i * stride_h * width + j, lines, g * ROWS, strip, at, tile.cells)


@piece
def pack_gradients(packed, grad_output, image_at, out_h, out_w, i0, j0, rows, columns, channels, tile):
    """Lay a tile of ``grad_output`` out in panels, ``[panel][pixel][ROWS]``; pixels beyond ``columns`` become zero."""
    size = tile.rows * tile.columns * ROWS
    for k in range(0, channels, ROWS):
        source_at = image_at + k * out_h * out_w + i0 * out_w + j0
        to_at = k // ROWS * size
        count = min(ROWS, channels - k)
        if columns == out_w:  # rows follow one another without a gap
            pack_rows(grad_output, source_at, out_h * out_w, count, rows * columns, packed, to_at, ROWS)
            continue
        if columns < tile.columns:
            fill(packed, to_at, to_at + size, 0)
        for row in range(rows):
            place = to_at + row * tile.columns * ROWS
            pack_rows(grad_output, source_at + row * out_w, out_h * out_w, count, columns, packed, place, ROWS)
