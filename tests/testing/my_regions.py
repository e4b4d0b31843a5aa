"""Regions, points and boxes as somebody else may write them in NumPy: right ones, and wrong ones of every kind."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np


def pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else tuple(value)


class Aligned:
    """RoIAlign and its gradients, sample by sample in the dtype of the arrays; each argument is a mistake."""

    def __init__(
        self,
        outside: bool = True,  # samples outside of the map count as 0
        half: float = 0.5,  # of a pixel, where boxes are aligned
        columns: tuple[int, ...] = (1, 2, 3, 4),  # of x1, y1, x2, y2
        counted: bool = True,  # samples outside count in the mean
        first: bool = False,  # all boxes lie on the first image
        scaled: bool = True,  # the gradient of boxes has the factor spatial_scale
        moving: bool = True,  # the gradient of boxes is there
    ) -> None:
        self.outside, self.half, self.columns, self.counted = outside, half, columns, counted
        self.first, self.scaled, self.moving = first, scaled, moving

    def forward(
        self,
        input: Any,
        boxes: Any,
        output_size: Any,
        spatial_scale: float = 1.0,
        sampling_ratio: int = -1,
        aligned: bool = False,
    ) -> Any:
        bins = pair(output_size)
        out = np.zeros((len(boxes), input.shape[1], *bins), input.dtype)
        for k, row in enumerate(boxes):
            plane, axes = self._plane(input, row), self._axes(row, input, bins, spatial_scale, sampling_ratio, aligned)
            for p, q in np.ndindex(*bins):
                total, number = 0, 0
                for (rows, _), (columns, _) in itertools.product(axes[0][p], axes[1][q]):
                    number += self.counted or bool(rows and columns)
                    for (y, wy, _), (x, wx, _) in itertools.product(rows, columns):
                        total = total + wy * wx * plane[:, y, x]
                out[k, :, p, q] = total / input.dtype.type(max(number, 1))
        return out

    def backward(
        self,
        grad_output: Any,
        input: Any,
        boxes: Any,
        output_size: Any,
        spatial_scale: float = 1.0,
        sampling_ratio: int = -1,
        aligned: bool = False,
    ) -> Any:
        bins = pair(output_size)
        grad_input, grad_boxes = np.zeros_like(input), np.zeros_like(boxes)
        for k, row in enumerate(boxes):
            plane, axes = self._plane(input, row), self._axes(row, input, bins, spatial_scale, sampling_ratio, aligned)
            x1, y1, x2, y2 = self.columns
            for p, q in np.ndindex(*bins):
                share = grad_output[k, :, p, q] / input.dtype.type(max(len(axes[0][p]) * len(axes[1][q]), 1))
                for (rows, (top, bottom)), (columns, (left, right)) in itertools.product(axes[0][p], axes[1][q]):
                    for (y, wy, sy), (x, wx, sx) in itertools.product(rows, columns):
                        self._plane(grad_input, row)[:, y, x] += share * wy * wx
                        across, down = share @ plane[:, y, x] * wy * sx, share @ plane[:, y, x] * wx * sy
                        grad_boxes[k, [x1, x2, y1, y2]] += across * left, across * right, down * top, down * bottom
        grad_boxes *= spatial_scale if self.scaled else 1
        return grad_input, grad_boxes if self.moving else None

    def _plane(self, maps: Any, row: Any) -> Any:
        return maps[0 if self.first else int(row[0])]

    def _axes(self, row: Any, maps: Any, bins: Any, scale: float, ratio: int, aligned: bool) -> list[Any]:
        """Of both axes, for each bin its samples: their taps, and how far they follow the two ends of the box."""
        number, axes = maps.dtype.type, []
        x1, y1, x2, y2 = self.columns
        for low, high, count, length in ((y1, y2, bins[0], maps.shape[2]), (x1, x2, bins[1], maps.shape[3])):
            start, end = (row[end] * number(scale) - number(self.half if aligned else 0) for end in (low, high))
            extent = end - start if aligned else max(end - start, number(1))
            step = extent / number(count)
            samples = ratio if ratio > 0 else math.ceil(step)
            longer = not aligned and end - start < 1
            axes.append([])
            for p in range(count):
                shares = [(p + (i + 0.5) / samples) / count for i in range(samples)]
                places = [start + number(p) * step + number(i + 0.5) * step / number(samples) for i in range(samples)]
                moves = [(1 if longer else 1 - share, 0 if longer else share) for share in shares]
                axes[-1].append([(self._taps(place, length), move) for place, move in zip(places, moves)])
        return axes

    def _taps(self, place: Any, length: int) -> list[tuple[int, Any, int]]:
        """Pixels beside a sample, their weights, and how these change with it."""
        if self.outside and not -1 <= place <= length:
            return []
        low = math.floor(place)
        if place <= 0 or low >= length - 1:
            return [(0 if place <= 0 else length - 1, type(place)(1), 0)]
        share = place - type(place)(low)
        return [(low, 1 - share, -1), (low + 1, share, 1)]


def roi_pool(rounded: Any = lambda value: math.copysign(math.floor(abs(value) + 0.5), value)) -> Any:
    def pool(input: Any, boxes: Any, output_size: Any, spatial_scale: float = 1.0) -> Any:
        bins = pair(output_size)
        out = np.zeros((len(boxes), input.shape[1], *bins), input.dtype)
        for k, row in enumerate(boxes):
            spans = []
            for low, high, count, length in ((2, 4, bins[0], input.shape[2]), (1, 3, bins[1], input.shape[3])):
                start, end = (int(rounded(float(row[end] * spatial_scale))) for end in (low, high))
                step = max(end - start + 1, 1) / count
                edges = [(start + math.floor(p * step), start + math.ceil((p + 1) * step)) for p in range(count)]
                spans.append([(max(first, 0), min(max(last, 0), length)) for first, last in edges])
            for (p, (top, bottom)), (q, (left, right)) in itertools.product(*map(enumerate, spans)):
                if top < bottom and left < right:
                    out[k, :, p, q] = input[int(row[0]), :, top:bottom, left:right].max((1, 2))
        return out

    return pool


def box_iou(both: bool = True, empty: bool = True) -> Any:
    """Overlaps; without ``both`` the union lacks the second box's area, without ``empty`` 0 / 0 is left as it is."""

    def overlaps(boxes1: Any, boxes2: Any) -> Any:
        low, high = np.maximum(boxes1[:, None, :2], boxes2[:, :2]), np.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
        shared = np.prod(np.maximum(high - low, 0), -1)
        one, other = (np.prod(boxes[:, 2:] - boxes[:, :2], -1) for boxes in (boxes1, boxes2))
        union = one[:, None] + (other if both else 0) - shared
        return np.divide(shared, union, out=np.zeros_like(shared), where=(union != 0) | (not empty))

    return overlaps


def nms(reaching: bool = False, stable: bool = True, ordered: bool = True) -> Any:
    """Suppression; ``reaching`` also drops an overlap of the threshold, not ``ordered`` returns ascending indices."""

    def kept(boxes: Any, scores: Any, iou_threshold: float) -> Any:
        order = np.argsort(-scores, kind="stable") if stable else np.argsort(scores, kind="stable")[::-1]
        overlaps, left, found = box_iou()(boxes.astype(float), boxes.astype(float)), np.ones(len(boxes), bool), []
        for i in order:
            if left[i]:
                found.append(i)
                left &= overlaps[i] < iou_threshold if reaching else overlaps[i] <= iou_threshold
        return np.array(found if ordered else sorted(found), np.int64)

    return kept


def grid_sample(exchanged: bool = False, held: bool = False, xy: bool = True) -> Any:
    """Sampling with zeros outside: corners for edges and edges for corners, points held at the border, or (y, x) for (x, y)."""

    def sample(input: Any, grid: Any, align_corners: bool = False) -> Any:
        n, c, *size = input.shape
        out = np.zeros((n, c, *grid.shape[1:3]), input.dtype)
        for b, i, j in np.ndindex(*grid.shape[:3]):
            point = grid[b, i, j] if xy else grid[b, i, j, ::-1]
            taps = []
            for g, length in zip(point[::-1], size):
                corners = align_corners != exchanged
                place = (g + 1) / 2 * (length - 1) if corners else ((g + 1) * length - 1) / 2
                place = np.clip(place, 0, length - 1) if held else place
                low = math.floor(place)
                taps.append([(low, 1 - (place - low)), (low + 1, place - low)])
            for (y, wy), (x, wx) in itertools.product(*taps):
                if 0 <= y < size[0] and 0 <= x < size[1]:
                    out[b, :, i, j] += wy * wx * input[b, :, y, x]
        return out

    return sample
