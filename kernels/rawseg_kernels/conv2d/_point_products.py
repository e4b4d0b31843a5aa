"""The gradient of 1 x 1 kernels of many channels: a matrix product whose steps are the pixels.

    grad_weight[k, c] = sum over images and pixels of grad_output[image, k, pixel] * x[image, c, pixel]

Input channels are the lanes of its vectors. Chunk by chunk of pixels, both sides are laid out with their channels innermost,
which pays where each element meets many of the other side; `_point_sums` reads them where they are, but ends with an addition
of all lanes, which takes longer than the products of a few pixels.

A task owns some channels of either side and a share of the pixels. Sums run over a span of pixels in one chain of fused
multiply-adds, image by image; the spans of a share, and then the shares, are added in order. What is a span and a share follows
from the shape alone, so neither threads nor blocks of channels nor vector widths reach the bits.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._arena import empty
from .._jit import kernel, piece
from .._panels import multiply, pack_rows
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import get_num_threads, launch
from ._point_sums import ENOUGH_TASKS, TASKS_PER_THREAD, parts
from ._weight_sums import added, begun

MEETINGS, SMALL_MEETINGS = 96, 16  # products of an element, averaged over both sides, that it is laid out for, and in planes of
SMALL = 512  # pixels, where sums end so soon
CHUNK = 128  # pixels that are laid out at once, whose
MOST_INTO, MOST_OUT = 256, 256  # channels of a task lie in the second-level cache
SPAN = 4  # chunks of one chain
LEAST_OUT = 32  # output channels, which a task is worth it for


class Blocks(NamedTuple):
    """The numbers that the kernel computes with."""

    images: int
    plane: int
    together: int  # images of a chunk, or
    pixels: int  # pixels of one image's
    pieces: int  # chunks that cover a plane
    chunks: int  # of all images
    shares: int  # of them
    channels_out: int
    channels_in: int
    depth: int  # input channels of a group
    group_out: int  # output channels of a group
    into: int  # input channels of a task
    into_blocks: int  # that cover a group's
    out: int  # output channels of a task
    out_blocks: int  # that cover a group's
    pitch: int  # elements of a pixel's input channels; an odd number of vectors: pixels do not clash in a cache


def are_many(channels: int, depth: int, plane: int) -> bool:
    """Return whether a group has channels enough to lay out the pixels of planes of this size."""
    return channels * depth >= (SMALL_MEETINGS if plane < SMALL else MEETINGS) * (channels + depth)


@lru_cache(maxsize=1024)
def blocks(images: int, plane: int, weight_shape: tuple[int, ...], groups: int, itemsize: int, threads: int) -> Blocks:
    """Deal out one geometry; blocks of channels depend on vectors and threads."""
    channels_out, depth = weight_shape[:2]
    lanes, group_out = VECTOR_BYTES // itemsize, channels_out // groups
    pixels, pieces = parts(plane, CHUNK)
    together = max(1, CHUNK // plane)
    chunks = -(-images // together) * pieces
    wide = groups * -(-depth // MOST_INTO) * -(-group_out // MOST_OUT)
    shares = max(1, min(chunks // SPAN, -(-ENOUGH_TASKS // wide)))
    into, into_blocks = parts(depth, MOST_INTO, lanes)
    wanted = -(-TASKS_PER_THREAD * threads // (groups * shares * into_blocks)) if threads > 1 else 1
    out, out_blocks = parts(group_out, max(LEAST_OUT, min(MOST_OUT, -(-group_out // wanted))), ROWS)
    return Blocks(
        images=images,
        plane=plane,
        together=together,
        pixels=pixels,
        pieces=pieces,
        chunks=chunks,
        shares=shares,
        channels_out=channels_out,
        channels_in=depth * groups,
        depth=depth,
        group_out=group_out,
        into=into,
        into_blocks=into_blocks,
        out=out,
        out_blocks=out_blocks,
        pitch=(into // lanes | 1) * lanes,
    )


@piece
def lay_out(source, at, channels, plane, pixels, to, to_at, panel_step, pixel_step):
    """Lay pixels of some channels out, ROWS channels side by side: a panel of them, and a pixel, so many elements apart."""
    for c in range(0, channels, ROWS):
        rows = min(ROWS, channels - c)
        pack_rows(source, at + c * plane, plane, rows, pixels, to, to_at + c // ROWS * panel_step, pixel_step)


@piece
def lay_out_chunk(number, strip, packed, panel, grad_output, x, k, out, c, into, blocks):
    """Lay out a chunk for output channels from k and input channels from c on; return how many pixels it has."""
    first, start = number // blocks.pieces * blocks.together, number % blocks.pieces * blocks.pixels
    pixels, count = min(blocks.pixels, blocks.plane - start), 0
    for image in range(first, min(first + blocks.together, blocks.images)):
        seen = (image * blocks.channels_in + c) * blocks.plane + start
        lay_out(x, seen, into, blocks.plane, pixels, strip, count * blocks.pitch, ROWS, blocks.pitch)
        given = (image * blocks.channels_out + k) * blocks.plane + start
        lay_out(grad_output, given, out, blocks.plane, pixels, packed, count * ROWS, panel, ROWS)
        count += pixels
    return count


@piece
def add_span(results, total, at, out, into, anew, blocks):
    """Add what a span gave to a share's sums, or begin them with it."""
    for r in range(out):
        place, row = at + r * blocks.depth, r * blocks.pitch
        if anew:
            copy(results, row, 1, total, place, 1, into)
            continue
        for i in range(into):
            total[place + i] += results[row + i]


@kernel
def multiply_pixels(first, last, scratch, grad_output, x, total, groups, blocks, steps, starts):
    """Compute the tasks ``first <= task < last``; a share's first span is summed where it belongs, if it fills vectors."""
    chunk, lanes = steps.size, VECTOR_BYTES // x.itemsize
    strip, rest = scratch[: chunk * blocks.pitch], scratch[chunk * blocks.pitch :]
    packed, results = rest[: chunk * blocks.out], rest[chunk * blocks.out :]
    fill(scratch, 0, scratch.size, 0)
    for task in range(first, last):
        rest, c = task // blocks.into_blocks, task % blocks.into_blocks * blocks.into
        rest, k = rest // blocks.out_blocks, rest % blocks.out_blocks * blocks.out
        share, group = rest // groups, rest % groups
        into, out = min(blocks.into, blocks.depth - c), min(blocks.out, blocks.group_out - k)
        k += group * blocks.group_out
        at, rows, vectors = (share * blocks.channels_out + k) * blocks.depth + c, -(-out // ROWS) * ROWS, -(-into // lanes)
        whole, count = into % lanes == 0 and out % ROWS == 0, 0
        begin, end = share * blocks.chunks // blocks.shares, (share + 1) * blocks.chunks // blocks.shares
        for number in range(begin, end):
            anew, inside = number < begin + SPAN, (number - begin) % SPAN
            there = (total, at, blocks.depth) if anew and whole else (results, 0, blocks.pitch)
            resume = count if inside else 0
            count = lay_out_chunk(
                number, strip, packed, chunk * ROWS, grad_output, x, k, out, group * blocks.depth + c, into, blocks
            )
            multiply(rows, count, resume, packed, 0, chunk * ROWS, strip, 0, steps, 0, starts, vectors, *there)
            if (inside == SPAN - 1 or number == end - 1) and not (anew and whole):
                add_span(results, total, at, out, into, anew, blocks)


@lru_cache(maxsize=256)
def places(pixels: int, pitch: int, columns: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where a pixel and where a vector of its channels are in a chunk."""
    return np.arange(pixels, dtype=np.int64) * pitch, np.arange(0, columns, lanes, dtype=np.int64)


def multiply_points(grad_output, x, weight_shape, groups):
    """Return ``grad_weight``, in the shape of the weights; ``x`` has the size of ``grad_output``, which has pixels."""
    n, _, height, width = grad_output.shape
    sizes = blocks(n, height * width, tuple(weight_shape), groups, x.itemsize, get_num_threads())
    chunk = min(sizes.together, n) * sizes.pixels
    steps, starts = places(chunk, sizes.pitch, sizes.into, VECTOR_BYTES // x.itemsize)
    shares = begun(empty, sizes.shares, weight_shape, x.dtype)
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    tasks = sizes.shares * groups * sizes.into_blocks * sizes.out_blocks
    work = 2 * shares.size // sizes.shares * n * height * width
    scratch = (chunk + sizes.out) * sizes.pitch + chunk * sizes.out, x.dtype
    launch(multiply_pixels, tasks, *arrays, groups, sizes, steps, starts, work=work, scratch=scratch)
    return added(shares, sizes.shares)
