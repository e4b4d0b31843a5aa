"""The product behind a 1 x 1 kernel that reads the pixel it is written to: planes are long rows, and nobody has neighbours.

Pixels that fill vectors are read where they are and summed in the output itself, so that a tile's stores are on their way to
memory while the next one is computed. For those few that are left of a plane, vectors hold output channels. The pixels of many
images whose planes fill no vector are gathered into one small strip, multiplied together, and put back. So are all pixels where
too many channels of a plane's size would fall into the same few lines of a cache: sizes are often powers of two. And so are the
pixels of patches, for a kernel whose windows tile an image: each place in a patch is a channel, taken from every patch, or put
back into it (see `_patches`). Chains of fused multiply-adds as in `_correlation`: the same bits.
"""

from __future__ import annotations

import numpy as np

from .._arena import borrowed
from .._finishing import does_something, finish
from .._jit import inlined, kernel, piece
from .._panels import NOWHERE, multiply
from .._simd import ROWS, VECTOR_BYTES, VECTORS, copy, fill
from .._simd_columns import PANELS, column_product
from .._simd_rows import BLOCK, join_row, part_row
from .._threads import get_num_threads, launch
from ._packing import pack_points
from ._point_tasks import PIXEL, Patch, laid_out


@piece
def begin(out, at, step, rows, count, bias, channel):
    """Put the bias of every row's channel where its sums start, and zero in the rows that a panel has beyond."""
    for r in range(-(-rows // ROWS) * ROWS if bias.size else 0):
        fill(out, at + r * step, at + r * step + count, bias[channel + r] if r < rows else 0)


@piece
def end(out, at, step, rows, count, channel, after):
    """Apply the epilogue to rows of sums."""
    for r in range(rows if does_something(after) else 0):
        finish(out, at + r * step, count, channel + r, after)


@piece
def pack_own(group, panel, packed, weight, packing, points):
    """Lay out the weights of a task that begins with a panel, if no other task reads them."""
    if points.weights_alone:
        first = group * points.all_panels + panel
        pack_points(first, min(first + points.panels, (group + 1) * points.all_panels), weight, packed, *packing)


@piece
def begin_loose(sums, panels, rows, bias, channel, points):
    """Put the bias, or zero, where the sums of single pixels start: pixel by pixel, a row beside the other."""
    fill(sums, 0, points.loose * panels * ROWS, 0)
    for i in range(points.loose if bias.size else 0):
        copy(bias, channel, 1, sums, i * panels * ROWS, 1, rows)


@piece
def add_loose(sums, panels, depth, packed, packed_at, step, x, x_at, points):
    """Add a block's products to the sums of single pixels, the first of which is at ``x_at``."""
    for p in range(0, panels, PANELS):
        left = packed, packed_at + p * step, step
        for i in range(points.loose):
            column_product(min(PANELS, panels - p), depth, *left, x, x_at + i, points.plane, sums, (i * panels + p) * ROWS)


@piece
def sum_vectors(number, spare, loose, x, weight, packing, packed, bias, out, points, steps, starts, after):
    """Sum pixels of one pair's planes: vectors in the output, but for an incomplete panel, whose rows may not be there."""
    rest, column = number // points.across, number % points.across * points.columns
    if points.weights_stay:
        near = points.pairs // points.sides
        block, pair = rest // near % points.blocks, rest // (near * points.blocks) * near + rest % near
    else:
        block, pair = rest % points.blocks, rest // points.blocks
    panel, group, lanes = block * points.panels, pair % points.groups, VECTOR_BYTES // x.itemsize
    count = min(points.columns, points.whole - column)
    rows = min(points.panels * ROWS, points.channels - panel * ROWS)
    whole, channel = rows // ROWS * ROWS, group * points.channels + panel * ROWS
    out_at = (pair * points.channels + panel * ROWS) * points.plane + column
    seen = pair * points.depth * points.plane + column
    packed_at = (group * points.all_panels + panel) * points.depth * ROWS
    pack_own(group, panel, packed, weight, packing, points)
    begin(out, out_at, points.plane, whole, count, bias, channel)
    begin(spare, 0, points.columns, rows - whole, count, bias, channel + whole)
    panels, single = -(-rows // ROWS), points.loose if column + count == points.whole else 0
    if single:
        begin_loose(loose, panels, rows, bias, channel, points)
    for k in range(0, points.depth, points.block):
        depth, resume = min(points.block, points.depth - k), bias.size + k
        right = x, seen + k * points.plane, steps, 0, starts, count // lanes
        at, step = packed_at + k * ROWS, points.depth * ROWS
        next_tile = x.ctypes.data + (seen + k * points.plane) * x.itemsize + VECTORS * VECTOR_BYTES, points.plane * x.itemsize
        if whole:
            multiply(whole, depth, resume, packed, at, step, *right, out, out_at, points.plane, 0, next_tile)
        if rows > whole:
            place = at + whole // ROWS * step
            multiply(ROWS, depth, resume, packed, place, step, *right, spare, 0, points.columns, 0, next_tile)
        if single:
            add_loose(loose, panels, depth, packed, at, step, x, seen + k * points.plane + count, points)
    for r in range(rows - whole):
        copy(spare, r * points.columns, 1, out, out_at + (whole + r) * points.plane, 1, count)
    for r in range(rows if single else 0):
        copy(loose, r, panels * ROWS, out, out_at + r * points.plane + count, 1, single)
    end(out, out_at, points.plane, rows, count + single, channel, after)


@inlined
def first_pixel(channel, start, plane, patch):
    """Return where the first of some patches has the pixel of this channel, which is counted through all images."""
    area, row = patch.rows * patch.columns, start // patch.line * patch.rows + channel // patch.columns % patch.rows
    return channel // area * area * plane + row * patch.line * patch.columns + channel % patch.columns


@piece
def gather(x, channel, start, pixels, strip, place, c, depth, points):
    """Copy pixels of a channel, the c-th of ``depth`` in a strip, from the input, whole lines of patches.

    If patches have two columns, the next channel's, which lie beside them, are copied with them.
    """
    patch, width, end = points.patch, points.width, place + pixels
    if patch.of_output or patch.rows * patch.columns == 1:
        copy(x, channel * points.plane + start, 1, strip, place, 1, pixels)
        return
    is_second = patch.columns == 2 and channel % 2 == 1
    if is_second and c > 0:
        return
    both, whole = patch.columns == 2 and not is_second and c + 1 < depth, -(-patch.line // BLOCK) * BLOCK
    at, step = first_pixel(channel, start, points.plane, patch), patch.rows * patch.line * patch.columns
    for line in range(place, end, patch.line):
        if both and line + whole <= end:
            part_row(x, at, 2 * patch.line, strip, line, line + width)
        else:
            copy(x, at, patch.columns, strip, line, 1, patch.line)
            if both:
                copy(x, at + 1, patch.columns, strip, line + width, 1, patch.line)
        at += step


@piece
def scatter(results, place, width, channel, start, pixels, out, points):
    """Copy a channel's pixels, whole lines of patches, to the output; with the next one's, if patches have two columns."""
    patch = points.patch
    if not patch.of_output:
        copy(results, place, 1, out, channel * points.plane + start, 1, pixels)
        return
    if patch.columns == 2 and channel % 2 == 1:
        return
    at, step = first_pixel(channel, start, points.plane, patch), patch.rows * patch.line * patch.columns
    for line in range(place, place + pixels, patch.line):
        if patch.columns == 2:
            join_row(results, line, line + width, out, at, 2 * patch.line)
        else:
            copy(results, line, 1, out, at, patch.columns, patch.line)
        at += step


@piece
def sum_gathered(number, strip, results, x, weight, packing, packed, bias, out, points, steps, starts, after):
    """Sum pixels of some images' planes, side by side."""
    width = points.width
    rest, block = number // points.blocks, number % points.blocks
    rest, start = rest // points.pieces, rest % points.pieces * points.pixels
    group, first = rest % points.groups, rest // points.groups * points.images
    images = min(points.images, points.pairs // points.groups - first)
    pixels, panel = min(points.pixels, points.plane - start), block * points.panels
    rows, channel = min(points.panels * ROWS, points.channels - panel * ROWS), group * points.channels + panel * ROWS
    packed_at = (group * points.all_panels + panel) * points.depth * ROWS
    pack_own(group, panel, packed, weight, packing, points)
    whole, lanes = -(-rows // ROWS) * ROWS, VECTOR_BYTES // x.itemsize
    vectors = -(-images * pixels // lanes)
    begin(results, 0, width, rows, vectors * lanes, bias, channel)
    for k in range(0, points.depth, points.block):
        depth = min(points.block, points.depth - k)
        for c in range(depth):
            for i in range(images):
                plane = ((first + i) * points.groups + group) * points.depth + k + c
                gather(x, plane, start, pixels, strip, c * width + i * pixels, c, depth, points)
            fill(strip, c * width + images * pixels, c * width + vectors * lanes, 0)
        left = packed, packed_at + k * ROWS, points.depth * ROWS
        multiply(whole, depth, bias.size + k, *left, strip, 0, steps, 0, starts, vectors, results, 0, width, 0, NOWHERE)
    end(results, 0, width, rows, images * pixels, channel, after)
    for r in range(rows):
        for i in range(images):
            plane = ((first + i) * points.groups + group) * points.channels + panel * ROWS + r
            scatter(results, r * width + i * pixels, width, plane, start, pixels, out, points)


@kernel
def correlate_gathered(first, last, scratch, x, weight, packing, packed, bias, out, points, steps, starts, after):
    """Compute the tasks ``first <= task < last`` of pixels that are gathered."""
    size = points.panels * ROWS * points.width
    results, strip = scratch[:size], scratch[size:]
    for number in range(first, last):
        sum_gathered(number, strip, results, x, weight, packing, packed, bias, out, points, steps, starts, after)


@kernel
def correlate_vectors(first, last, scratch, x, weight, packing, packed, bias, out, points, steps, starts, after):
    """Compute the tasks ``first <= task < last`` of pixels that stay where they are."""
    size = points.panels * ROWS * points.loose
    loose, spare = scratch[:size], scratch[size:]
    for number in range(first, last):
        sum_vectors(number, spare, loose, x, weight, packing, packed, bias, out, points, steps, starts, after)


def correlate_points(x, weight, bias, groups, transposed, after, out, patch=(1, 1)):
    """Write the correlation of ``x`` with the 1 x 1 kernels ``weight`` to ``out``, which is returned.

    ``transposed`` weights have the source channels first, as the adjoint's do; ``after`` is an `Epilogue`. The pixels of every
    ``patch`` of the larger array, the adjoint's output or else the input, count as channels.
    """
    if out.size == 0:
        return out
    small, inputs, outputs = (x if transposed else out).shape, x.size // x.shape[0], out.size // x.shape[0]
    plane = small[2] * small[3]
    sizes = x.shape[0], groups, inputs // (plane * groups), outputs // (plane * groups), plane
    patch = PIXEL if tuple(patch) == (1, 1) else Patch(patch[0], patch[1], small[3], int(transposed))
    layout = laid_out(*sizes, x.itemsize, transposed, get_num_threads(), patch)
    depth, channels = sizes[2], outputs // plane
    weight, panels = weight.reshape(-1), groups * layout.points.all_panels
    ends = _NO_BIAS[x.itemsize] if bias is None else bias, out.reshape(-1)
    tables, work = (layout.points, layout.steps, layout.starts, after), out.size * depth // 8
    with borrowed(layout.packed, x.dtype) as packed:
        if channels // groups % ROWS:
            packed[: layout.packed].fill(0)
        if not layout.points.weights_alone:
            launch(pack_points, panels, weight, packed, *layout.packing, work=4 * layout.packed)
        arrays = x.reshape(-1), weight, layout.packing, packed, *ends
        scratch = layout.scratch, x.dtype
        if layout.points.pieces:
            launch(correlate_gathered, layout.tasks, *arrays, *tables, work=work, scratch=scratch)
        else:
            launch(correlate_vectors, layout.tasks, *arrays, *tables, work=work, scratch=scratch)
    return out


_NO_BIAS = {4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}
