"""Depthwise convolution: every output channel sees one input channel, so there is a plane to a task and no matrix product.

`_plane_tables` turns the taps into shifts of a whole plane and `_simd_rows` sums over them. An output is one chain of fused
multiply-adds in the order of the taps, started at the bias; padded taps are left out by masks, never multiplied. A tap of the
weight's gradient is summed in BLOCK lanes, image by image and band by band.
"""

from __future__ import annotations

import numpy as np

from .._arena import empty
from .._epilogue import NOTHING
from .._errors import ArgumentError
from .._finishing import finish
from .._jit import inlined, kernel
from .._simd import copy, fill
from .._simd_rows import BLOCK, add_products, join_row, part_row, sum_taps
from .._threads import launch
from ._plane_tables import adjoint_tables, forward_tables

CHANNELS = 16  # whose weights' gradients are summed together: their planes are read as they lie in memory
TOGETHER = 4  # rows of a phase that are stored before those of the next: memory is written about in its order


def check(depth, groups):
    """Raise where the algorithm, asked for by name, does not exist."""
    if depth != 1:
        expected = f"a group for each of the {depth * groups} input channels for algorithm 'depthwise'"
        raise ArgumentError("conv2d", "groups", expected, groups)


@inlined
def part_rows(x, at, h, w, band, table, scratch):
    """Part a band's rows of a plane by the residues of their pixels modulo the step; return the place of the plane's first."""
    (step_h, step_w), pitch, size = table.step, table.pitch, table.plane
    residue = start = 0  # counted, as a division takes as long as a row
    for row in range(band[3] * step_h, min(band[4] * step_h, h)):
        source, to = at + row * w, residue * step_w * size + start
        residue += 1
        if residue == step_h:
            residue, start = 0, start + pitch
        if step_w == 2:
            part_row(x, source, w, scratch, to, to + size)
        else:
            for first in range(min(step_w, w)):
                copy(x, source + first, step_w, scratch, to + first * size, 1, (w - first + step_w - 1) // step_w)
    return -band[3] * pitch


@inlined
def at_once(taps):
    """Return how many of the taps that are left are taken next."""
    return 9 if taps >= 9 else 4 if taps >= 4 else 2 if taps >= 2 else 1


@inlined
def sum_phases(b, source, source_at, weight, weight_at, begin, begin_at, resume, table, to, to_at):
    """Sum over the taps of every phase for a band of rows."""
    phases, block, planes = table.phases, table.bands[b, 2], table.planes
    for p in range(phases.shape[0]):
        taps, row = phases[p, 4], phases[p, 4] + 2
        masks_at, runs_at = phases[p, 6] + block * row, (p * table.bands.shape[0] + b) * planes * 3
        place, pixels = to_at + (block * BLOCK if table.direct else p * table.results), source_at + block * BLOCK
        tap = 0
        while tap < taps:
            count, steps_at = at_once(taps - tap), 2 * (phases[p, 5] + tap)
            numbers = begin, begin_at, weight, weight_at, table.area
            arrays = source, pixels, table.steps, steps_at, table.masks, masks_at
            sum_taps(planes, table.runs, runs_at, count, resume + tap, *numbers, *arrays, tap, row, to, place)
            tap += count


@inlined
def store(band, results, table, out, at, out_w):
    """Write a band of the results of all phases to their places in an output plane."""
    phases, stride, size = table.phases, table.stride, table.results
    for top in range(band[0], band[1], TOGETHER):
        for p in range(0, phases.shape[0], 2 if table.joined else 1):
            first_h, first_w, rows, columns = phases[p, 0], phases[p, 1], phases[p, 2], phases[p, 3]
            to, place = at + (first_h + top * stride[0]) * out_w + first_w, p * size + (top - band[0]) * table.pitch
            for _ in range(min(top + TOGETHER, band[1], rows) - top):
                if table.joined:
                    join_row(results, place, place + size, out, to, out_w)
                else:
                    copy(results, place, 1, out, to, stride[1], columns)
                to, place = to + stride[0] * out_w, place + table.pitch


@kernel
def correlate_planes(first, last, x, weight, bias, out, size, out_size, channels, terms, share, table, after, plain):
    """Compute strips of output planes; a plane sums ``terms`` source planes, and ``share`` of them sum the same."""
    (h, w), (out_h, out_w), planes = size, out_size, table.planes
    parted = np.empty(0 if table.in_place else table.step[0] * table.step[1] * table.plane, x.dtype)
    results = np.empty(0 if table.direct else table.phases.shape[0] * table.results, x.dtype)
    source, to = x if table.in_place else parted, out if table.direct else results
    k = first * planes % channels - planes
    for task in range(first, last):
        k = k + planes if k + planes < channels else 0
        at = task * planes * out_h * out_w
        for i in range(0 if table.covered else planes):
            fill(out, at + i * out_h * out_w, at + (i + 1) * out_h * out_w, bias[k + i])
        for b in range(table.bands.shape[0]):
            band = table.bands[b]
            for term in range(terms):
                source_at = (task // share if share > 1 else task * planes * terms + term) * h * w
                if not table.in_place:
                    source_at = part_rows(x, source_at, planes * h, w, band, table, parted)
                weight_at, to_at = (k * terms + term) * table.area, at if table.direct else 0
                sum_phases(b, source, source_at, weight, weight_at, bias, k, term, table, to, to_at)
            if not table.direct:
                store(band, results, table, out, at, out_w)
        if not plain:
            for i in range(planes):
                finish(out, at + i * out_h * out_w, out_h * out_w, k + i, after)


def correlate(x, weight, bias, out, table, terms, after=NOTHING):
    """Write a correlation of planes into ``out``, whose planes are each the sum of ``terms`` of ``x``."""
    planes, channels = out.shape[0] * out.shape[1], out.shape[1]
    share = channels * terms // x.shape[1]
    bias = np.zeros(channels, x.dtype) if bias is None else bias
    arrays = x.reshape(-1), weight.reshape(-1), bias, out.reshape(-1), x.shape[2:], out.shape[2:]
    work = planes * terms * table.products // 4
    tasks = planes // table.planes
    launch(correlate_planes, tasks, *arrays, channels, terms, share, table, after, after is NOTHING, work=work)


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """Correlate every plane with its kernel."""
    check(weight.shape[1], groups)
    out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
    channels = x.shape[1] if weight.shape[0] == groups else 1
    table = forward_tables(weight.shape[2:], out_size, stride, padding, dilation, x.shape[2:], channels)
    correlate(x, weight, bias, out, table, 1, after)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Correlate the planes of every output channel that saw the input channel."""
    check(weight.shape[1], groups)
    grad_input = empty(input_shape, grad_output.dtype)
    channels = input_shape[1] if weight.shape[0] == groups else 1
    table = adjoint_tables(weight.shape[2:], grad_output.shape[2:], stride, padding, dilation, grad_input.shape[2:], channels)
    if table is not None:
        correlate(grad_output, weight, bias, grad_input, table, weight.shape[0] // groups)
    else:
        grad_input[:] = 0 if bias is None else bias[:, None, None]
    return grad_input


@inlined
def add_band(b, planes, grad, grad_at, source, source_at, table, sums, sums_at):
    """Add the products of a band of pairs of planes to the lanes of every tap."""
    taps, blocks, at = table.phases[0, 4], table.runs[3 * b + 1], table.bands[b, 2] * BLOCK
    tap = 0
    while tap < taps:
        count, masks_at = at_once(taps - tap), table.bands[b, 2] * (taps + 2)
        arrays = (
            grad,
            grad_at + (at if table.direct else 0),
            source,
            source_at + at,
            table.steps,
            2 * tap,
            table.masks,
            masks_at,
        )
        add_products(planes, table.apart, blocks, count, *arrays, tap, taps + 2, sums, sums_at + tap * BLOCK, taps * BLOCK)
        tap += count


@kernel
def sum_weights(first, last, grad_output, x, grad_weight, n, size, out_size, channels, share, table):
    """Compute the gradients of the weights of output channels, ``share`` of which see the same input channel."""
    (h, w), (out_h, out_w) = size, out_size
    taps = table.phases[0, 4]
    parted = np.empty(0 if table.in_place else table.step[0] * table.step[1] * table.plane, x.dtype)
    laid = np.empty(0 if table.direct else table.results, x.dtype)
    source, grad = x if table.in_place else parted, grad_output if table.direct else laid
    sums = np.empty(min(CHANNELS, last - first) * taps * BLOCK, x.dtype)
    for start in range(first, last, CHANNELS):
        count = min(CHANNELS, last - start)
        fill(sums, 0, count * taps * BLOCK, x.dtype.type(0))
        for image in range(n):
            for k in range(0, count, table.planes):
                planes, number = min(table.planes, count - k), image * channels + start + k
                for b in range(table.bands.shape[0]):
                    band = table.bands[b]
                    source_at, grad_at = number // share * h * w, number * out_h * out_w
                    if not table.in_place:
                        source_at = part_rows(x, source_at, planes * h, w, band, table, parted)
                    if not table.direct:
                        for row in range(band[0], min(band[1], planes * out_h)):
                            copy(grad_output, grad_at + row * out_w, 1, laid, (row - band[0]) * table.pitch, 1, out_w)
                        grad_at = 0
                    add_band(b, planes, grad, grad_at, source, source_at, table, sums, k * taps * BLOCK)
        for i in range(count * taps):
            total = x.dtype.type(0)
            for lane in range(BLOCK):
                total += sums[i * BLOCK + lane]
            grad_weight[start * taps + i] = total


def backward_weight(grad_output, x, weight_shape, stride, padding, dilation, groups):
    """Sum over the pixels of all images for every output channel."""
    check(weight_shape[1], groups)
    grad_weight = np.empty(weight_shape, x.dtype)
    n, channels, out_size, size = *grad_output.shape[:2], grad_output.shape[2:], x.shape[2:]
    together = CHANNELS if channels == groups else 1
    table = forward_tables(tuple(weight_shape[2:]), out_size, stride, padding, dilation, size, together, shared=False)
    arrays = grad_output.reshape(-1), x.reshape(-1), grad_weight.reshape(-1), n, size, out_size
    work = grad_output.size * weight_shape[2] * weight_shape[3] // 4
    launch(sum_weights, channels, *arrays, channels, channels // groups, table, work=work)
    return grad_weight
