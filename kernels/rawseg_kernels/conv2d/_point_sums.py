"""The gradient of 1 x 1 kernels: each is the product of two planes, summed over their pixels.

    grad_weight[k, c] = sum over images and pixels of grad_output[image, k, pixel] * x[image, c, pixel]

Both are read along the rows where they lie, in chunks of pixels: a piece of a plane, or the planes of several images. A task
owns some channels of either side and a share of the chunks; chunks, and then shares, are added in order. What is added to what
follows from the shape alone, so neither threads nor vector widths reach the bits. The input is read again and again.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from .._arena import zeros
from .._jit import kernel, piece
from .._panels import even
from .._simd_dots import DOT_COLUMNS, DOT_ROWS, LANE_BYTES, add_dots
from .._threads import get_num_threads, launch
from ._weight_sums import added, begun

CHUNK = 64 * 1024  # elements of the input at once, which stay in the second-level cache, and
LEAST_PIXELS, MOST_PIXELS = 512, 800  # of a row of them
MOST_CHANNELS = CHUNK // LEAST_PIXELS  # of the input
LEAST_CHANNELS = 32  # of the output, which a task is worth it for
NEAR = 6 * 1024  # elements of grad_output that stay in the first-level cache
SHARE_PIXELS = 384  # of a task, at least
ENOUGH_TASKS = 16  # pixels are shared out until there are as many
TASKS_PER_THREAD = 4  # channels, too, which nobody can see in the result


class Chunks(NamedTuple):
    """The numbers that the kernel computes with."""

    pixels: int  # of a plane, in a chunk
    pieces: int  # chunks that cover a plane
    images: int  # whose planes make one chunk
    count: int  # of all chunks
    shares: int  # of them
    near: int  # output channels at once
    into: int  # input channels of a task
    into_blocks: int  # that cover a group's
    out: int  # output channels of a task
    out_blocks: int  # that cover a group's


def parts(whole: int, most: int, unit: int = 1) -> tuple[int, int]:
    """Return the size of equal parts of at most ``most``, of whole units, and how many there are."""
    size = -(-whole // (-(-whole // most) * unit)) * unit
    return size, -(-whole // size)


@lru_cache(maxsize=1024)
def chunks(images: int, plane: int, out: int, into: int, groups: int, itemsize: int, threads: int) -> Chunks:
    """Lay out one geometry; only ``out`` and ``out_blocks`` depend on the number of threads."""
    lanes = LANE_BYTES // itemsize
    into, into_blocks = parts(into, MOST_CHANNELS)
    most = min(MOST_PIXELS, CHUNK // into)
    pixels, pieces = (plane, 1) if plane <= most else parts(plane, most, lanes)
    together = min(images, max(1, most // plane))
    count = -(-images // together) * pieces
    parallel = groups * into_blocks * max(1, out // LEAST_CHANNELS)  # tasks that pixels need not be shared out for
    few = min(count, images * plane // SHARE_PIXELS)
    shares = max(1, min(few, -(-ENOUGH_TASKS // parallel)))
    out_blocks = -(-TASKS_PER_THREAD * threads // (shares * groups * into_blocks)) if threads > 1 else 1
    out, out_blocks = parts(out, -(-out // out_blocks), DOT_ROWS)
    near = max(1, NEAR // (DOT_ROWS * together * pixels)) * DOT_ROWS
    return Chunks(pixels, pieces, together, count, shares, near, into, into_blocks, out, out_blocks)


@piece
def add_near(runs, count, left, left_at, left_steps, rows, right, right_at, right_steps, into, total, at, depth):
    """Add the products of some rows' pixels, which stay near, and of every row of the input.

    A row is so many ``runs`` of ``count`` pixels; steps are from row to row and from run to run. The rows behind them, which
    come next, are fetched meanwhile.
    """
    i, turn, first = 0, 0, left.ctypes.data + left_at * left.itemsize
    while i < into:
        columns, r = even(into - i, DOT_COLUMNS), 0
        while r < rows:
            some = even(rows - r, DOT_ROWS)
            soon = first + (rows + turn if turn < rows else 0) * left_steps[0] * left.itemsize
            operands = left, left_at + r * left_steps[0], *left_steps, right, right_at + i * right_steps[0], *right_steps
            add_dots(some, columns, runs, count, *operands, total, at + r * depth + i, depth, soon)
            r, turn = r + some, turn + 1
        i += columns


@piece
def add_chunk(number, grad_output, x, k, c, out, into, sizes, chunk, total, at):
    """Add a chunk's products for ``out`` output channels from k on and ``into`` input channels from c on."""
    images, channels_out, channels_in, plane, depth = sizes
    first, start = number // chunk.pieces * chunk.images, number % chunk.pieces * chunk.pixels
    images, count = min(chunk.images, images - first), min(chunk.pixels, plane - start)
    right = x, (first * channels_in + c) * plane + start, (plane, channels_in * plane), into
    for r in range(0, out, chunk.near):
        left = grad_output, (first * channels_out + k + r) * plane + start, (plane, channels_out * plane)
        add_near(images, count, *left, min(chunk.near, out - r), *right, total, at + r * depth, depth)


@kernel
def sum_products(first, last, grad_output, x, total, sizes, groups, chunk):
    """Compute the tasks ``first <= task < last``, each a share of the chunks for some channels of one group."""
    _, channels_out, _, _, depth = sizes
    group_out = channels_out // groups
    for task in range(first, last):
        rest, c = task // chunk.into_blocks, task % chunk.into_blocks * chunk.into
        rest, k = rest // chunk.out_blocks, rest % chunk.out_blocks * chunk.out
        share, group = rest // groups, rest % groups
        into, out = min(chunk.into, depth - c), min(chunk.out, group_out - k)
        k += group * group_out
        at = (share * channels_out + k) * depth + c
        for number in range(share * chunk.count // chunk.shares, (share + 1) * chunk.count // chunk.shares):
            add_chunk(number, grad_output, x, k, group * depth + c, out, into, sizes, chunk, total, at)


def sum_points(grad_output, x, weight_shape, groups):
    """Return ``grad_weight``, in the shape of the weights; ``x`` has the size of ``grad_output``."""
    n, channels_out, height, width = grad_output.shape
    depth, plane = weight_shape[1], height * width
    if n * plane == 0:
        return zeros(tuple(weight_shape), x.dtype)
    chunk = chunks(n, plane, channels_out // groups, depth, groups, x.itemsize, get_num_threads())
    shares = begun(zeros, chunk.shares, weight_shape, x.dtype)
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    sizes = n, channels_out, x.shape[1], plane, depth
    tasks = chunk.shares * groups * chunk.into_blocks * chunk.out_blocks
    work = 2 * shares.size // chunk.shares * n * plane
    launch(sum_products, tasks, *arrays, sizes, groups, chunk, work=work)
    return added(shares, chunk.shares)
