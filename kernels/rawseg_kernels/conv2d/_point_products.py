"""The gradient of 1 x 1 kernels of many channels: a matrix product whose steps are the pixels.

    grad_weight[k, c] = sum over images and pixels of grad_output[image, k, pixel] * x[image, c, pixel]

Input channels are the lanes of its vectors: chunk by chunk of pixels they are laid out innermost, which pays where each meets
many output channels, whose rows are read where they are. `_point_sums` lays nothing out, but ends with an addition of all
lanes, which takes longer than the products of a few pixels.

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
from .._panels import multiply_rows, pack_rows
from .._simd import ROWS, VECTOR_BYTES, copy, fill
from .._threads import get_num_threads, launch
from ._point_sums import ENOUGH_TASKS, TASKS_PER_THREAD, parts
from ._weight_sums import added, begun

CHUNK = 256  # pixels that are laid out at once, whose
MOST_INTO, MOST_OUT = 256, 512  # channels of a task lie in the second-level cache
SPAN = 1024  # pixels of one chain
LEAST_OUT = 32  # output channels, which a task is worth it for


class Blocks(NamedTuple):
    """The numbers that the kernel computes with."""

    images: int
    plane: int
    together: int  # images of a chunk, and
    pixels: int  # pixels of each
    pieces: int  # chunks that cover a plane
    chunks: int  # of all images
    span: int  # chunks of one chain
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


@lru_cache(maxsize=1024)
def blocks(images: int, plane: int, weight_shape: tuple[int, ...], groups: int, itemsize: int, threads: int) -> Blocks:
    """Deal out one geometry; blocks of channels depend on vectors and threads."""
    channels_out, depth = weight_shape[:2]
    lanes, group_out = VECTOR_BYTES // itemsize, channels_out // groups
    pixels, pieces = parts(plane, CHUNK)
    together = min(images, max(1, CHUNK // plane))
    chunks, span = -(-images // together) * pieces, max(1, SPAN // (together * pixels))
    wide = groups * -(-depth // MOST_INTO) * -(-group_out // MOST_OUT)
    shares = max(1, min(chunks // span, -(-ENOUGH_TASKS // wide)))
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
        span=span,
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
def lay_out(x, at, images, pixels, channels, strip, blocks):
    """Lay pixels of some channels out, image after image: a pixel's channels side by side."""
    for image in range(images):
        for c in range(0, channels, ROWS):
            source, to = at + (image * blocks.channels_in + c) * blocks.plane, image * pixels * blocks.pitch + c
            pack_rows(x, source, blocks.plane, min(ROWS, channels - c), pixels, strip, to, blocks.pitch)


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
    lanes, plane, size = VECTOR_BYTES // x.itemsize, blocks.plane, steps.size * blocks.pitch
    strip, results = scratch[:size], scratch[size:]
    if blocks.depth % lanes:
        fill(strip, 0, size, 0)  # of vectors that channels do not fill, too
    for task in range(first, last):
        rest, c = task // blocks.into_blocks, task % blocks.into_blocks * blocks.into
        rest, k = rest // blocks.out_blocks, rest % blocks.out_blocks * blocks.out
        share, group = rest // groups, rest % groups
        into, out = min(blocks.into, blocks.depth - c), min(blocks.out, blocks.group_out - k)
        k, c = group * blocks.group_out + k, group * blocks.depth + c
        at, vectors = (share * blocks.channels_out + k) * blocks.depth + c % blocks.depth, -(-into // lanes)
        whole, done = into % lanes == 0, 0
        begin, end = share * blocks.chunks // blocks.shares, (share + 1) * blocks.chunks // blocks.shares
        for number in range(begin, end):
            anew, inside = number < begin + blocks.span, (number - begin) % blocks.span
            there = (total, at, blocks.depth) if anew and whole else (results, 0, blocks.pitch)
            image, start = number // blocks.pieces * blocks.together, number % blocks.pieces * blocks.pixels
            images, pixels = min(blocks.together, blocks.images - image), min(blocks.pixels, plane - start)
            lay_out(x, (image * blocks.channels_in + c) * plane + start, images, pixels, into, strip, blocks)
            left = grad_output, (image * blocks.channels_out + k) * plane + start, plane, blocks.channels_out * plane
            resume = done if inside else 0
            multiply_rows(out, images, pixels, resume, *left, strip, 0, steps, starts, vectors, *there)
            done = resume + images * pixels
            if (inside == blocks.span - 1 or number == end - 1) and not (anew and whole):
                add_span(results, total, at, out, into, anew, blocks)


@lru_cache(maxsize=256)
def places(pixels: int, pitch: int, columns: int, lanes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return where a pixel and where a vector of its channels are in a chunk."""
    return np.arange(pixels, dtype=np.int64) * pitch, np.arange(0, columns, lanes, dtype=np.int64)


def multiply_points(grad_output, x, weight_shape, groups):
    """Return ``grad_weight``, in the shape of the weights; ``x`` has the size of ``grad_output``, which has pixels."""
    n, _, height, width = grad_output.shape
    sizes = blocks(n, height * width, tuple(weight_shape), groups, x.itemsize, get_num_threads())
    chunk = sizes.together * sizes.pixels
    steps, starts = places(chunk, sizes.pitch, sizes.into, VECTOR_BYTES // x.itemsize)
    shares = begun(empty, sizes.shares, weight_shape, x.dtype)
    arrays = grad_output.reshape(-1), x.reshape(-1), shares.reshape(-1)
    tasks = sizes.shares * groups * sizes.into_blocks * sizes.out_blocks
    work = 2 * shares.size // sizes.shares * n * height * width
    scratch = (chunk + sizes.out) * sizes.pitch, x.dtype
    launch(multiply_pixels, tasks, *arrays, groups, sizes, steps, starts, work=work, scratch=scratch)
    return added(shares, sizes.shares)
