"""Where the taps of a depthwise convolution find their pixels: tables of places and masks for a whole plane at once.

A source plane is parted into one plane for each residue of a pixel modulo the step, all with the same *pitch* from row to row,
and the results are laid out with that pitch too. Then each tap is the same run of pixels shifted by one number, across the
ends of rows; a mask says which pixels stand under it. With step 1 and an output as wide as its source, the planes are taken
where they are.

Small planes are taken as one *strip*, and large ones that must be parted or joined in *bands* of rows, so that what lies
between stays in the first-level cache.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from .._memory import check_tables
from .._simd_rows import BLOCK
from ._phases import Pair, Phase, adjoint_phases, forward_phases

BAND = 4096  # elements of a band or strip that are parted, or to be joined: a part of the first-level cache
STRIP, MASKS = 16, 3072  # planes of a strip, and its masks, at most: they stay there, too


class Tables(NamedTuple):
    """All that the kernels need to know of a geometry; tuples, as a kernel's arguments."""

    phases: np.ndarray  # (phases, 7): origin, count in a strip, number of taps, first pair of steps, first mask
    steps: (
        np.ndarray
    )  # (taps, 2), phase after phase: from a result to the pixel under the tap, and the tap's place in the kernel
    masks: np.ndarray  # uint32, a phase's blocks x (taps + 2)
    runs: np.ndarray  # uint32, three numbers for each plane of each band of each phase, see `sum_taps`
    bands: np.ndarray  # (bands, 5): first row of a phase, end, first block; first of the parted rows it needs, end
    planes: int  # of a strip
    apart: int  # elements from plane to plane of a strip
    area: int  # of a kernel
    pitch: int
    plane: int  # elements of a band of a source plane of one residue
    results: int  # elements of a band of a phase's results
    in_place: bool  # the source needs no parting
    step: Pair  # of the source, a pixel
    stride: Pair  # of the output, a pixel of a phase
    joined: bool  # phases come in pairs, of even and odd columns
    direct: bool  # results are laid out as the output is
    covered: bool  # phases reach every pixel of the output
    products: int  # of an output plane


def _masks(phase: Phase, pitch: int, step: Pair, size: Pair, planes: int) -> np.ndarray:
    """Return the masks of a phase, (blocks, taps + 2): of the pixels that exist, whether all are whole, and of its taps."""
    length = (planes * phase.count[0] - 1) * pitch + phase.count[1]
    row, column = np.divmod(np.arange(-(-length // BLOCK) * BLOCK), pitch)
    exists = (row < planes * phase.count[0]) & (column < phase.count[1])
    masks = []
    for _, off_h, off_w in phase.taps:
        h, w = row % phase.count[0] * step[0] + off_h, column * step[1] + off_w
        masks.append(exists & (h >= 0) & (h < size[0]) & (w >= 0) & (w < size[1]))
    bits = np.stack([exists, *masks]).reshape(len(masks) + 1, -1, BLOCK)
    packed = (bits << np.arange(BLOCK, dtype=np.uint32)).sum(axis=2, dtype=np.uint32)
    return np.ascontiguousarray(np.insert(packed, 1, bits.all(axis=(0, 2)), axis=0).T)


def _bands(phases: tuple[Phase, ...], pitch: int, most: int, step: int, height: int, planes: int) -> np.ndarray:
    """Cut phases into bands of whole blocks, of about ``most`` rows at most; a strip is one band."""
    if planes > 1:
        rows = planes * phases[0].count[0]
        return np.array([[0, rows, 0, 0, rows]])
    offs = [off // step for phase in phases for _, off, _ in phase.taps]
    count, of_blocks = max(phase.count[0] for phase in phases), BLOCK // math.gcd(BLOCK, pitch)
    most = max(most, 2 * (max(offs) - min(offs)))  # rows that two bands need are parted twice
    rows = count if most >= count else max(most // of_blocks, 1) * of_blocks
    first = np.arange(0, count, rows)
    end = np.minimum(first + rows, count)
    needed = np.clip([first + min(offs), end + max(offs)], 0, -(-height // step))
    return np.stack([first, end, first * pitch // BLOCK, *needed], axis=1)


def _runs(pixels: int, bands: np.ndarray, planes: int, blocks: int) -> np.ndarray:
    """Return the runs of a phase whose planes are so many pixels apart: those of one plane for each band, or of a strip."""
    if planes == 1:
        first = bands[:, 2]
        end = np.minimum(np.append(first[1:], blocks), blocks)
        return np.stack([0 * first, np.maximum(end - first, 0), 0 * first], axis=1)
    first, after = pixels * np.arange(planes), pixels * np.arange(1, planes + 1)
    after[-1] = blocks * BLOCK
    other = (1 << BLOCK) - (1 << after % BLOCK)
    return np.stack([-(-first // BLOCK), after // BLOCK, np.where(after % BLOCK, other, 0)], axis=1)


def _planes(phases: tuple[Phase, ...], pitch: int, heights: list[float], held: int, channels: int) -> int:
    """Return how many planes make a strip: small ones, from each to the next of which there are as many rows everywhere."""
    count = phases[0].count[0]
    pixels = count * pitch
    if pixels < BLOCK or any(height != count for height in (*heights, *(phase.count[0] for phase in phases))):
        return 1
    masks = sum(len(phase.taps) + 2 for phase in phases) * pixels // BLOCK
    most = min(STRIP, BAND // (held * pixels) if held else STRIP, MASKS // masks)
    return max(planes for planes in range(1, max(most, 1) + 1) if channels % planes == 0)


@lru_cache(maxsize=256)
def forward_tables(
    kernel_size: Pair,
    out_size: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    size: Pair,
    channels: int = 1,
    shared: bool = True,
) -> Tables:
    """Lay out the forward pass of planes of ``size``: one phase, whose taps step through a plane by the stride.

    A strip has planes of so many ``channels`` as divide their number; its blocks are ``shared`` by planes, or runs and masks
    are of the first plane alone.
    """
    # Planes are parted by the step, however long it is: a single output takes none.
    step = 1 if out_size[0] == 1 else stride[0], 1 if out_size[1] == 1 else stride[1]
    phases = forward_phases(kernel_size, out_size, padding, dilation)
    return _tables(phases, math.prod(kernel_size), step, (1, 1), size, out_size, channels, shared)


@lru_cache(maxsize=256)
def adjoint_tables(
    kernel_size: Pair, out_size: Pair, stride: Pair, padding: Pair, dilation: Pair, size: Pair, channels: int = 1
) -> Tables | None:
    """Lay out the adjoint, a phase a residue modulo the stride; arguments as in `forward_tables`. None: no pixel has a tap."""
    phases = adjoint_phases(kernel_size, size, stride, padding, dilation)
    return _tables(phases, math.prod(kernel_size), (1, 1), stride, out_size, size, channels, True) if phases else None


def _tables(
    phases: tuple[Phase, ...], area: int, step: Pair, stride: Pair, size: Pair, out_size: Pair, channels: int, shared: bool
) -> Tables:
    """Lay out phases whose source planes are of ``size``."""
    widest = max(phase.count[1] for phase in phases)
    pitch = max(widest, -(-size[1] // step[1]))
    in_place = step == (1, 1) and pitch == size[1]
    direct = phases[0].count == out_size and pitch == out_size[1]
    held = (0 if in_place else math.prod(step)) + (0 if direct else len(phases))
    planes = _planes(phases, pitch, [size[0] / step[0], out_size[0] / stride[0]], held, channels)
    of_masks = planes if shared else 1
    longest = max((of_masks * phase.count[0] - 1) * pitch + phase.count[1] for phase in phases)
    check_tables("conv2d", longest + sum(longest // BLOCK * len(phase.taps) for phase in phases) // 8)
    bands = _bands(phases, pitch, BAND // (held * pitch) if held else out_size[0], step[0], size[0], planes)
    plane = int((bands[:, 4] - bands[:, 3]).max()) * pitch + BLOCK
    rows, steps, masks, masks_at, runs = [], [], [], 0, []
    for phase in phases:
        made = _masks(phase, pitch, step, size, of_masks)
        runs.append(_runs(phase.count[0] * pitch, bands, of_masks, made.shape[0]))
        rows.append((*phase.origin, planes * phase.count[0], phase.count[1], len(phase.taps), len(steps), masks_at))
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
        runs=np.concatenate(runs).astype(np.uint32).reshape(-1),
        bands=bands,
        planes=planes,
        apart=phases[0].count[0] * pitch,
        area=area,
        pitch=pitch,
        plane=plane,
        results=-(-int((bands[:, 1] - bands[:, 0]).max()) * pitch // BLOCK) * BLOCK + BLOCK,
        in_place=in_place,
        step=step,
        stride=stride,
        joined=stride[1] == 2 and columns == [0, 1] * (len(columns) // 2),
        direct=direct,
        covered=sum(math.prod(phase.count) for phase in phases) == math.prod(out_size),
        products=sum(len(phase.taps) * math.prod(phase.count) for phase in phases),
    )
