"""Average pooling over rows laid out in phases, so that every tap of an output row is a contiguous stretch.

Zeros stand where windows reach over the edge, which changes no sum. Rows stay for the output rows, and tasks, that come next.
    // per output: kernel_h * kernel_w additions in vectors of doubles, and one division
"""

from __future__ import annotations

import numpy as np

from .._jit import inlined, kernel
from .._phases import lay_row, slots_of
from .._simd_means import mean_of_taps


@kernel
def forward_rows(first, last, x, out, heights, widths, pitch, phases, taps, kernel_h, stride, padding):
    """One task is one output row."""
    h, w, out_h, out_w = x.shape[1], x.shape[2], out.shape[1], out.shape[2]
    flat, values, zero = x.reshape(-1), out.reshape(-1), x.dtype.type(0)
    slots, length = slots_of(kernel_h, 1, h), phases.shape[0] * pitch
    lines, holds, starts = np.full(slots * length, zero), np.full(slots, -1), np.empty(kernel_h, np.int64)
    for task in range(first, last):
        plane, oh = task // out_h, task % out_h
        top = oh * stride[0] - padding[0]
        begin, end = max(top, 0), min(top + kernel_h, h)
        for ih in range(begin, end):
            row, slot = plane * h + ih, ih & (slots - 1)
            if holds[slot] != row:
                holds[slot] = row
                lay_row(flat, row * w, w, stride[1], phases, zero, lines, slot * length)
            starts[ih - begin] = slot * length
        mean_of_taps(out_w, end - begin, starts, taps, lines, heights[oh], widths, values, task * out_w)


@kernel
def backward_rows(first, last, grad_output, grad_input, heights, widths, pitch, phases, taps, kernel_h, stride, padding):
    """One task is one input row: the shares of the windows over it, added up and then spread along its phases."""
    h, out_h, out_w = grad_input.shape[1], grad_output.shape[1], grad_output.shape[2]
    slots = slots_of((kernel_h - 1) // stride[0] + 1, 1, out_h)
    shares, holds = np.empty((slots, out_w), np.float64), np.full(slots, -1)
    share, total = np.empty(out_w, np.float64), np.empty(phases.shape[0] * pitch, np.float64)
    for task in range(first, last):
        plane, bottom = task // h, task % h + padding[0]
        share[:] = 0
        for oh in range(max(0, -((kernel_h - 1 - bottom) // stride[0])), min(out_h, bottom // stride[0] + 1)):
            row, slot = plane * out_h + oh, oh & (slots - 1)
            part = shares[slot]
            if holds[slot] != row:
                holds[slot] = row
                source = grad_output[plane, oh]
                for i in range(part.size):
                    part[i] = source[i] / (heights[oh] * widths[i])
            for i in range(share.size):
                share[i] += part[i]
        total[:] = 0
        for tap in range(taps.shape[0]):
            part = total[taps[tap, 0] : taps[tap, 0] + out_w]
            for i in range(part.size):
                part[i] += share[i]
        _join(total, stride[1], phases, grad_input[plane, task % h])


@inlined
def _join(total, stride_w, phases, values):
    """Write the elements of all phases where they were in the row, and zeros between them."""
    if stride_w == 2 and phases.shape[0] == 2:
        even, odd = total[phases[0, 1] :], total[phases[1, 1] :]
        for i in range(values.size // 2):
            values[2 * i] = even[i]
            values[2 * i + 1] = odd[i]
        if values.size % 2:
            values[values.size - 1] = even[values.size // 2]
        return
    if phases.shape[0] < stride_w:
        values[:] = 0
    for phase in range(phases.shape[0]):
        part, to = total[phases[phase, 1] : phases[phase, 1] + phases[phase, 2]], values[phases[phase, 0] :]
        if stride_w == 1:
            for i in range(part.size):
                to[i] = part[i]
            continue
        for i in range(part.size):
            to[i * stride_w] = part[i]
