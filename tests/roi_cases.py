"""What PyTorch's primitives make of regions of interest, and which drawn boxes leave it to rounding."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as TF

from rawseg.testing.strategies.regions import Regions


def sample_places(low: Any, high: Any, bins: int, ratio: int, scale: float, aligned: bool) -> Any:
    """Return the coordinates of a box's samples along one axis, (bins, grid)."""
    start, end = low * scale - 0.5 * aligned, high * scale - 0.5 * aligned
    extent = end - start if aligned else (end - start).clamp(min=1.0)
    count = ratio if ratio > 0 else math.ceil(float(extent.detach() / bins))
    p, i = torch.arange(bins, dtype=torch.float64)[:, None], torch.arange(count, dtype=torch.float64)[None]
    step = extent / bins
    return start + p * step + (i + 0.5) * step / max(count, 1)


def samples_near_kinks(case: Regions, k: int) -> bool:
    """Whether rounding could choose for box k: a sample within 1e-9 of a pixel or an end of the map, or its number."""
    options = case.options["sampling_ratio"], case.options["spatial_scale"], case.options["aligned"]
    roi = torch.tensor(case.boxes[k])
    for low, high, bins in zip((2, 1), (4, 3), case.options["output_size"]):
        place = sample_places(roi[low], roi[high], bins, *options)
        size = (roi[high] - roi[low]) * options[1]
        if ((place - place.round()).abs() < 1e-9).any() or min(abs(size - 1), abs(size / bins - (size / bins).round())) < 1e-9:
            return True
    return False


def samples_of(maps: Any, places: tuple[Any, Any]) -> Any:
    """Return the bilinear samples (C, out_h, grid_h, out_w, grid_w) of maps (C, H, W), 0 for those outside."""
    axes = []
    for place, length in zip(places, maps.shape[1:]):
        valid = (place >= -1) & (place <= length)
        held = torch.where(valid, place, 0.0).clamp(min=0)
        low = held.detach().floor().long().clamp(max=length - 1)
        last = low == length - 1
        share = torch.where(last, torch.zeros_like(held), held - low)
        axes.append((valid, low, torch.where(last, low, low + 1), 1 - share, share))
    (y_valid, y1, y2, hy, ly), (x_valid, x1, x2, hx, lx) = (
        tuple(part.reshape((*part.shape, 1, 1) if axis == 0 else (1, 1, *part.shape)) for part in parts)
        for axis, parts in enumerate(axes)
    )
    value = hy * hx * maps[:, y1, x1] + hy * lx * maps[:, y1, x2] + ly * hx * maps[:, y2, x1] + ly * lx * maps[:, y2, x2]
    return torch.where(y_valid & x_valid, value, torch.zeros_like(value))


def torch_roi_align(
    x: Any,
    boxes: Any,
    output_size: Any,
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
    mode: str = "avg",
) -> Any:
    """RoIAlign of PyTorch's primitives, box by box; differentiable twice in the maps and in boxes (K, 5)."""
    geometry, out = (sampling_ratio, spatial_scale, aligned), []
    for roi in boxes:
        places = (
            sample_places(roi[2], roi[4], output_size[0], *geometry),
            sample_places(roi[1], roi[3], output_size[1], *geometry),
        )
        values = samples_of(x[int(roi[0])], places).transpose(2, 3).flatten(3)  # (C, out_h, out_w, grid_h * grid_w)
        if values.shape[3] == 0:
            out.append(values.sum(3))
        else:
            out.append(values.mean(3) if mode == "avg" else values.amax(3))
    return torch.stack(out) if out else 0 * x[:, :1, :1, :1].sum() * boxes.sum() + x.new_zeros((0, x.shape[1], *output_size))


def grid_sampled(x: Any, boxes: Any, output_size: Any, spatial_scale: float, sampling_ratio: int, aligned: bool) -> Any:
    """RoIAlign a second way: the mean of ``grid_sample`` with held borders, masked where a sample lies outside."""
    out = []
    for roi in boxes:
        ys = sample_places(roi[2], roi[4], output_size[0], sampling_ratio, spatial_scale, aligned).flatten()
        xs = sample_places(roi[1], roi[3], output_size[1], sampling_ratio, spatial_scale, aligned).flatten()
        h, w = x.shape[2:]
        grid = torch.stack(
            torch.broadcast_tensors(2 * xs[None] / max(w - 1, 1) - 1, 2 * ys[:, None] / max(h - 1, 1) - 1), dim=-1
        )
        valid = ((ys >= -1) & (ys <= h))[:, None] & ((xs >= -1) & (xs <= w))[None]
        if not valid.numel():
            out.append(x.new_zeros((x.shape[1], *output_size)))
            continue
        image = x[int(roi[0])][None]
        value = TF.grid_sample(image, grid[None].to(x.dtype), padding_mode="border", align_corners=True)[0] * valid
        out.append(TF.adaptive_avg_pool2d(value, output_size))  # its bins divide evenly
    return torch.stack(out) if out else x.new_zeros((0, x.shape[1], *output_size))


def rounded(value: Any) -> Any:
    """Return the nearest integer, halves away from zero, in exact arithmetic."""
    return math.copysign(math.floor(abs(float(value)) + 0.5), float(value)) if abs(float(value)) < 2**40 else float(value)


def torch_roi_pool(x: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Any:
    """RoIPool of slices and maxima; the geometry in the dtype of NumPy ``boxes`` (K, 5)."""
    number, out = boxes.dtype.type, []
    for roi in boxes:
        axes = []
        for low, high, bins, length in ((2, 4, output_size[0], x.shape[2]), (1, 3, output_size[1], x.shape[3])):
            start, end = (rounded(roi[column] * number(spatial_scale)) for column in (low, high))
            step = number(max(end - start + 1, 1)) / number(bins)
            edges = [(math.floor(number(p) * step) + start, math.ceil(number(p + 1) * step) + start) for p in range(bins)]
            axes.append([(int(min(max(a, 0), length)), int(min(max(b, 0), length))) for a, b in edges])
        for top, bottom in axes[0]:
            for left, right in axes[1]:
                pixels = x[int(roi[0]), :, top:bottom, left:right].flatten(1)
                out.append(pixels.amax(1) if pixels.shape[1] else x.new_zeros(x.shape[1]))
    shape = (len(boxes), *output_size, x.shape[1])
    return (torch.stack(out) if out else x.new_zeros(0)).reshape(shape).permute(0, 3, 1, 2)
