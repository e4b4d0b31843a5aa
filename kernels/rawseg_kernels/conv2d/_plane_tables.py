"""Where the taps of a depthwise convolution find their pixels: tables of places and masks for a whole plane at once.

A source plane is parted into one plane for each residue of a pixel modulo the step, all with the same *pitch* from row to row,
and the results are laid out with that pitch too. Then each tap is the same run of pixels shifted by one number, across the
ends of rows; a mask says which pixels stand under it. With step 1 and an output as wide as its source, the planes are taken
where they are.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._memory import check_tables
from .._simd_rows import BLOCK
from ._phases import Pair, Phase, adjoint_phases, forward_phases


class Tables(NamedTuple):
    """All that the kernels need to know of a geometry; tuples, as a kernel's arguments."""

    phases: np.ndarray  # (phases, 8): origin, count, number of taps, first pair of steps, first mask, blocks
    steps: (
        np.ndarray
    )  # (taps, 2), phase after phase: from a result to the pixel under the tap, and the tap's place in the kernel
    masks: np.ndarray  # uint32, a phase's blocks x (taps + 2)
    pitch: int
    plane: int  # elements of a source plane of one residue
    results: int  # elements of a phase's results
    in_place: bool  # the source needs no parting
    step: Pair  # of the source, a pixel
    stride: Pair  # of the output, a pixel of a phase
    joined: bool  # phases come in pairs, of even and odd columns
    direct: bool  # results are laid out as the output is
    covered: bool  # phases reach every pixel of the output
    products: int  # of an output plane


def _masks(phase: Phase, pitch: int, step: Pair, size: Pair) -> np.ndarray:
    """Return the masks of a phase, (blocks, taps + 2): of its taps, of the pixels that exist, and whether all are whole."""
    length = (phase.count[0] - 1) * pitch + phase.count[1]
    row, column = np.divmod(np.arange(-(-length // BLOCK) * BLOCK), pitch)
    exists = (row < phase.count[0]) & (column < phase.count[1])
    masks = []
    for _, off_h, off_w in phase.taps:
        h, w = row * step[0] + off_h, column * step[1] + off_w
        masks.append(exists & (h >= 0) & (h < size[0]) & (w >= 0) & (w < size[1]))
    bits = np.stack([*masks, exists]).reshape(len(masks) + 1, -1, BLOCK)
    packed = (bits << np.arange(BLOCK, dtype=np.uint32)).sum(axis=2, dtype=np.uint32)
    return np.ascontiguousarray(np.stack([*packed, bits.all(axis=(0, 2))]).T)


@lru_cache(maxsize=64)
def forward_tables(kernel_size: Pair, out_size: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair) -> Tables:
    """Lay out the forward pass of planes of ``size``: one phase, whose taps step through a plane by the stride."""
    # Planes are parted by the step, however long it is: a single output takes none.
    step = 1 if out_size[0] == 1 else stride[0], 1 if out_size[1] == 1 else stride[1]
    return _tables(forward_phases(kernel_size, out_size, padding, dilation), step, (1, 1), size, out_size)


@lru_cache(maxsize=64)
def adjoint_tables(kernel_size: Pair, out_size: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair) -> Tables | None:
    """Lay out the adjoint, a phase a residue modulo the stride; arguments as in `forward_tables`. None: no pixel has a tap."""
    phases = adjoint_phases(kernel_size, size, stride, padding, dilation)
    return _tables(phases, (1, 1), stride, out_size, size) if phases else None


def _tables(phases: tuple[Phase, ...], step: Pair, stride: Pair, size: Pair, out_size: Pair) -> Tables:
    """Lay out phases whose source planes are of ``size``."""
    widest = max(phase.count[1] for phase in phases)
    pitch = max(widest, -(-size[1] // step[1]))
    in_place = step == (1, 1) and pitch == size[1]
    plane = -(-size[0] // step[0]) * pitch + BLOCK
    longest = max((phase.count[0] - 1) * pitch + phase.count[1] for phase in phases)
    check_tables("conv2d", longest + sum(longest // BLOCK * len(phase.taps) for phase in phases) // 8)
    rows, steps, masks, masks_at = [], [], [], 0
    for phase in phases:
        made = _masks(phase, pitch, step, size)
        rows.append((*phase.origin, *phase.count, len(phase.taps), len(steps), masks_at, made.shape[0]))
        for index, off_h, off_w in phase.taps:
            source = off_h % step[0] * step[1] + off_w % step[1]
            steps.append((source * plane + off_h // step[0] * pitch + off_w // step[1], index))
        masks.append(made.reshape(-1))
        masks_at += made.size
    columns = [phase.origin[1] for phase in phases]
    return Tables(
        phases=np.array(rows, np.int64),
        steps=np.array(steps, np.int64),
        masks=np.concatenate(masks),
        pitch=pitch,
        plane=plane,
        results=-(-longest // BLOCK) * BLOCK + BLOCK,
        in_place=in_place,
        step=step,
        stride=stride,
        joined=stride[1] == 2 and columns == [0, 1] * (len(columns) // 2),
        direct=phases[0].count == out_size and pitch == out_size[1],
        covered=sum(math.prod(phase.count) for phase in phases) == math.prod(out_size),
        products=sum(len(phase.taps) * math.prod(phase.count) for phase in phases),
    )
