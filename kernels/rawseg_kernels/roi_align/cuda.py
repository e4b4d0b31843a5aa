"""RoIAlign in CUDA: a thread an output forward, a thread a pixel of a map backward; see ``roi_align.cu``."""

from __future__ import annotations

import numpy as np

from .._arrays import module_of
from .._cuda import Source, empty
from .._cuda.order import stable

kernel = Source(__file__, "roi_align.cu").kernel


def forward(x, batch, rows, columns, row_weights, column_weights, output_size):
    """See ``reference.forward``."""
    out = empty(x, (batch.size, x.shape[1], *output_size))
    run = kernel("roi_align_forward", x.dtype)
    arrays = x, batch, *rows, *columns, row_weights, column_weights, out
    run(out.size, *arrays, out.size, *x.shape[1:], *output_size, rows.low.size, columns.low.size)
    return out


def backward_input(grad_output, input_shape, batch, rows, columns, row_weights, column_weights):
    """See ``reference.backward_input``."""
    grad_input = empty(grad_output, input_shape)
    boxes = by_image(batch, input_shape[0])
    reading = *readers(rows, input_shape[2]), *readers(columns, input_shape[3])
    arrays = grad_output, *boxes, *rows, *columns, row_weights, column_weights, *reading, grad_input
    run = kernel("roi_align_backward_input", grad_output.dtype)
    sizes = *input_shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size
    run(grad_input.size, *arrays, grad_input.size, *sizes)
    return grad_input


def backward_rows(grad_output, x, batch, rows, columns, column_weights):
    """See ``reference.backward_rows``."""
    grad_weights = empty(x, (2, rows.low.size))
    arrays = grad_output, x, batch, boxes_of(rows), *rows, *columns, column_weights, grad_weights
    run = kernel("roi_align_backward_rows", x.dtype)
    run(grad_weights.size, *arrays, *x.shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size)
    return grad_weights


def backward_columns(grad_output, x, batch, rows, columns, row_weights):
    """See ``reference.backward_columns``."""
    grad_weights = empty(x, (2, columns.low.size))
    arrays = grad_output, x, batch, boxes_of(columns), *rows, *columns, row_weights, grad_weights
    run = kernel("roi_align_backward_columns", x.dtype)
    run(grad_weights.size, *arrays, *x.shape[1:], *grad_output.shape[2:], rows.low.size, columns.low.size)
    return grad_weights


def by_image(batch, images):
    """Return the boxes image by image, in the order given, and where those of each image begin; one more entry is the end."""
    xp = module_of(batch)
    order = stable(batch)
    return order, xp.searchsorted(batch[order], xp.arange(images + 1)).astype(np.int64, copy=False)


def readers(samples, size):
    """Return the first sample of every box that reads a pixel of an axis, and the one after the last; shape (K, size) each."""
    first, last = (empty(samples.low, (samples.counts.size, size)) for _ in range(2))
    run = kernel("roi_align_readers", np.float32)  # no element is read
    run(first.size, samples.starts, samples.low, samples.high, first, last, first.size, size)
    return first, last


def boxes_of(samples):
    """Return the box of every sample of an axis."""
    xp = module_of(samples.starts)
    sample = xp.arange(samples.low.size)
    return (xp.searchsorted(samples.starts, sample, side="right") - 1).astype(np.int64, copy=False)
