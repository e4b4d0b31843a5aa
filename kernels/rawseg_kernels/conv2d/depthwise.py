"""Depthwise convolution: every output channel sees one input channel, so there is a plane to a task and no matrix product.

`_plane_tables` turns the taps into shifts of a whole plane and `_simd_rows` sums over them. An output is one chain of fused
multiply-adds in the order of the taps, started at the bias; padded taps are left out by masks, never multiplied. A tap of the
weight's gradient is summed in BLOCK lanes, image by image.
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


def check(depth, groups):
    """Raise where the algorithm, asked for by name, does not exist."""
    if depth != 1:
        expected = f"a group for each of the {depth * groups} input channels for algorithm 'depthwise'"
        raise ArgumentError("conv2d", "groups", expected, groups)


@inlined
def part_plane(x, at, h, w, step, pitch, size, scratch):
    """Part a plane by the residues of its pixels modulo the step, into planes of ``size`` elements."""
    step_h, step_w = step
    for row in range(h):
        source = at + row * w
        to = row % step_h * step_w * size + row // step_h * pitch
        if step_w == 2:
            part_row(x, source, w, scratch, to, to + size)
        else:
            for first in range(min(step_w, w)):
                copy(x, source + first, step_w, scratch, to + first * size, 1, (w - first + step_w - 1) // step_w)


@inlined
def at_once(taps):
    """Return how many of the taps that are left are taken next."""
    return 9 if taps >= 9 else 4 if taps >= 4 else 2 if taps >= 2 else 1


@inlined
def sum_phases(source, source_at, weight, weight_at, begin, resume, phases, steps, masks, to, to_at, results):
    """Sum over the taps of every phase."""
    for p in range(phases.shape[0]):
        taps, steps_at, masks_at, blocks = phases[p, 4], 2 * phases[p, 5], phases[p, 6], phases[p, 7]
        place = to_at + p * results
        tap = 0
        while tap < taps:
            count, at, row = at_once(taps - tap), steps_at + 2 * tap, taps + 2
            arrays = weight, weight_at, source, source_at, steps, at, masks, masks_at
            sum_taps(blocks, count, begin, resume + tap, *arrays, tap, row, to, place)
            tap += count


@inlined
def store(results, size, phases, pitch, stride, joined, out, at, out_w):
    """Write the results of all phases to their places in an output plane."""
    for p in range(0, phases.shape[0], 2 if joined else 1):
        first_h, first_w, rows, columns = phases[p, 0], phases[p, 1], phases[p, 2], phases[p, 3]
        for row in range(rows):
            to, place = at + (first_h + row * stride[0]) * out_w + first_w, p * size + row * pitch
            if joined:
                join_row(results, place, place + size, out, to, out_w)
            else:
                copy(results, place, 1, out, to, stride[1], columns)


@kernel
def correlate_planes(first, last, x, weight, bias, out, size, out_size, channels, terms, share, table, after, plain):
    """Compute output planes; one sums ``terms`` source planes, and ``share`` of them sum the same."""
    (h, w), (out_h, out_w) = size, out_size
    phases, steps, masks = table.phases, table.steps, table.masks
    area = weight.size // (channels * terms)
    parted = np.empty(0 if table.in_place else table.step[0] * table.step[1] * table.plane, x.dtype)
    results = np.empty(0 if table.direct else phases.shape[0] * table.results, x.dtype)
    source, to = x if table.in_place else parted, out if table.direct else results
    k = first % channels - 1
    for task in range(first, last):
        k = k + 1 if k + 1 < channels else 0
        begin = bias[k] if bias.size else x.dtype.type(0)
        at = task * out_h * out_w
        if not table.covered:
            fill(out, at, at + out_h * out_w, begin)
        for term in range(terms):
            source_at = (task // share if share > 1 else task * terms + term) * h * w
            if not table.in_place:
                part_plane(x, source_at, h, w, table.step, table.pitch, table.plane, parted)
                source_at = 0
            weight_at, to_at = (k * terms + term) * area, at if table.direct else 0
            sum_phases(source, source_at, weight, weight_at, begin, term, phases, steps, masks, to, to_at, table.results)
        if not table.direct:
            store(results, table.results, phases, table.pitch, table.stride, table.joined, out, at, out_w)
        if not plain:
            finish(out, at, out_h * out_w, k, after)


def correlate(x, weight, bias, out, table, terms, after=NOTHING):
    """Write a correlation of planes into ``out``, whose planes are each the sum of ``terms`` of ``x``."""
    planes, channels = out.shape[0] * out.shape[1], out.shape[1]
    share = channels * terms // x.shape[1]
    bias = np.empty(0, x.dtype) if bias is None else bias
    arrays = x.reshape(-1), weight.reshape(-1), bias, out.reshape(-1), x.shape[2:], out.shape[2:]
    work = planes * terms * table.products // 4
    launch(correlate_planes, planes, *arrays, channels, terms, share, table, after, after is NOTHING, work=work)


def forward(x, weight, bias, out_size, stride, padding, dilation, groups, after=NOTHING):
    """Correlate every plane with its kernel."""
    check(weight.shape[1], groups)
    out = empty((x.shape[0], weight.shape[0], *out_size), x.dtype)
    table = forward_tables(weight.shape[2:], out_size, stride, padding, dilation, x.shape[2:])
    correlate(x, weight, bias, out, table, 1, after)
    return out


def backward_input(grad_output, weight, input_shape, stride, padding, dilation, groups, bias=None):
    """Correlate the planes of every output channel that saw the input channel."""
    check(weight.shape[1], groups)
    grad_input = empty(input_shape, grad_output.dtype)
    table = adjoint_tables(weight.shape[2:], grad_output.shape[2:], stride, padding, dilation, grad_input.shape[2:])
    if table is not None:
        correlate(grad_output, weight, bias, grad_input, table, weight.shape[0] // groups)
    else:
        grad_input[:] = 0 if bias is None else bias[:, None, None]
    return grad_input


@inlined
def add_plane(blocks, taps, grad, grad_at, source, source_at, steps, masks, sums, sums_at):
    """Add the products of one pair of planes to the lanes of every tap."""
    tap = 0
    while tap < taps:
        count = at_once(taps - tap)
        arrays = grad, grad_at, source, source_at, steps, 2 * tap, masks, 0
        add_products(blocks, count, *arrays, tap, taps + 2, sums, sums_at + tap * BLOCK)
        tap += count


@kernel
def sum_weights(first, last, grad_output, x, grad_weight, n, size, out_size, channels, share, table):
    """Compute the gradients of the weights of output channels, ``share`` of which see the same input channel."""
    (h, w), (out_h, out_w) = size, out_size
    steps, masks, pitch = table.steps, table.masks, table.pitch
    taps, blocks = table.phases[0, 4], table.phases[0, 7]
    parted = np.empty(0 if table.in_place else table.step[0] * table.step[1] * table.plane, x.dtype)
    laid = np.empty(0 if table.direct else table.results, x.dtype)
    source, grad = x if table.in_place else parted, grad_output if table.direct else laid
    sums = np.empty(min(CHANNELS, last - first) * taps * BLOCK, x.dtype)
    for start in range(first, last, CHANNELS):
        count = min(CHANNELS, last - start)
        fill(sums, 0, count * taps * BLOCK, x.dtype.type(0))
        for plane in range(n * count):
            k, number = plane % count, plane // count * channels + start + plane % count
            source_at, grad_at = number // share * h * w, number * out_h * out_w
            if not table.in_place:
                part_plane(x, source_at, h, w, table.step, pitch, table.plane, parted)
                source_at = 0
            if not table.direct:
                for row in range(out_h):
                    copy(grad_output, grad_at + row * out_w, 1, laid, row * pitch, 1, out_w)
                grad_at = 0
            add_plane(blocks, taps, grad, grad_at, source, source_at, steps, masks, sums, k * taps * BLOCK)
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
    table = forward_tables(tuple(weight_shape[2:]), out_size, stride, padding, dilation, size)
    arrays = grad_output.reshape(-1), x.reshape(-1), grad_weight.reshape(-1), n, size, out_size
    work = grad_output.size * weight_shape[2] * weight_shape[3] // 4
    launch(sum_weights, channels, *arrays, channels, channels // groups, table, work=work)
    return grad_weight
