"""Pasting in CUDA: a thread a pixel of every mask's image; see ``paste_masks.cu``."""

from __future__ import annotations

from .._cuda import Source, empty

kernel = Source(__file__, "paste_masks.cu").kernel


def forward(masks, rows, columns):
    """See ``reference.forward``."""
    k, h, w = masks.shape[0], rows[1].shape[1], columns[1].shape[1]
    out = empty(masks, (k, h, w))
    kernel("paste_masks_forward", masks.dtype)(out.size, masks, *rows, *columns, out, out.size, masks.shape[1], h, w)
    return out
