"""Which output pixels see which taps: a convolution, or its adjoint, as a few dense correlations.

A *phase* is a grid of output pixels that all see the same taps: pixel (i, j) of the grid reads the source at
``(i * step + off_h, j * step + off_w)`` for each of its taps, and is written at ``origin + (i, j) * stride``. The forward pass
is one phase. Its adjoint has one for every residue of an input pixel modulo the stride: the outputs that such pixels took
part in are whole pixels apart, so nothing is stuffed with zeros and no product is wasted.
"""

from __future__ import annotations

from typing import NamedTuple

Pair = tuple[int, int]


class Phase(NamedTuple):
    """A grid of output pixels and its taps, each ``(place in the kernel, row offset, column offset)``."""

    origin: Pair
    count: Pair
    taps: tuple[tuple[int, int, int], ...]


def forward_phases(kernel_size: Pair, out_size: Pair, padding: Pair, dilation: Pair) -> tuple[Phase, ...]:
    """Return the phase of the forward pass: every pixel sees every tap."""
    taps = tuple(
        (kh * kernel_size[1] + kw, kh * dilation[0] - padding[0], kw * dilation[1] - padding[1])
        for kh in range(kernel_size[0])
        for kw in range(kernel_size[1])
    )
    return (Phase((0, 0), out_size, taps),)


def adjoint_phases(kernel_size: Pair, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> tuple[Phase, ...]:
    """Return the phases of the adjoint, for an input of ``size``; residues that no tap reaches are left out."""
    rows, columns = (_residues(kernel_size[i], size[i], stride[i], padding[i], dilation[i]) for i in (0, 1))
    return tuple(
        Phase(
            (h0, w0),
            (-(-(size[0] - h0) // stride[0]), -(-(size[1] - w0) // stride[1])),
            tuple((kh * kernel_size[1] + kw, off_h, off_w) for kh, off_h in taps_h for kw, off_w in taps_w),
        )
        for h0, taps_h in rows
        for w0, taps_w in columns
    )


def _residues(taps: int, size: int, stride: int, padding: int, dilation: int) -> list[tuple[int, list[Pair]]]:
    """Return, on one axis, the first pixel of each residue and its ``(tap, offset)`` in order of the taps."""
    found: dict[int, list[Pair]] = {}
    for tap in range(taps):
        offset, first = divmod(tap * dilation - padding, stride)
        found.setdefault(first, []).append((tap, -offset))
    return sorted((first, pairs) for first, pairs in found.items() if first < size)
