"""What exact arithmetic and PyTorch's primitives make of boxes: torchvision's formulas, written out."""

from __future__ import annotations

import math
from fractions import Fraction

import torch
import torch.nn.functional as TF


def exact_iou(a, b) -> Fraction:
    """Intersection over union without any rounding; 0 where both areas are 0."""
    x1, y1, x2, y2, u1, v1, u2, v2 = (Fraction(float(corner)) for corner in (*a, *b))
    intersection = max(min(x2, u2) - max(x1, u1), 0) * max(min(y2, v2) - max(y1, v1), 0)
    union = (x2 - x1) * (y2 - y1) + (u2 - u1) * (v2 - v1) - intersection
    return intersection / union if union else Fraction(0)


def exact_nms(boxes, scores, threshold: float, groups=None) -> list[int]:
    """Suppression by the book, each overlap rounded once."""
    left = sorted(range(len(boxes)), key=lambda i: (-scores[i], i))
    kept = []
    while left:
        best, *left = left
        kept.append(best)
        left = [
            i
            for i in left
            if (groups is not None and groups[i] != groups[best]) or float(exact_iou(boxes[i], boxes[best])) <= threshold
        ]
    return kept


def torch_intersection_union(one, other):
    low, high = torch.max(one[:, None, :2], other[:, :2]), torch.min(one[:, None, 2:], other[:, 2:])
    sides = (high - low).clamp(min=0)
    area, other_area = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]) for b in (one, other))
    intersection = sides[..., 0] * sides[..., 1]
    return intersection, area[:, None] + other_area - intersection


def torch_box_iou(one, other):
    intersection, union = torch_intersection_union(one, other)
    return intersection / union


def torch_generalized_box_iou(one, other):
    intersection, union = torch_intersection_union(one, other)
    low, high = torch.min(one[:, None, :2], other[:, :2]), torch.max(one[:, None, 2:], other[:, 2:])
    hull = (high - low).prod(-1)
    return intersection / union - (hull - union) / hull


def torch_nms(boxes, scores, threshold: float):
    """Greedy suppression as torchvision's loop runs it: overlaps in the dtype of the boxes, the threshold in float64."""
    overlaps = torch_box_iou(boxes, boxes).double()
    order = scores.argsort(descending=True, stable=True)
    left = torch.ones(len(boxes), dtype=torch.bool)
    kept = []
    for i in order:
        if left[i]:
            kept.append(int(i))
            left &= ~(overlaps[i] > threshold)
    return kept


def torch_offset_nms(boxes, scores, idxs, threshold: float):
    """One suppression of all classes, each moved to a place of its own: torchvision's batched_nms for few boxes."""
    return torch_nms(boxes + (idxs.to(boxes) * (boxes.max() + 1))[:, None], scores, threshold)


def torch_encode(boxes, froms, weights):
    (w, h), (from_w, from_h) = ((b[:, 2] - b[:, 0], b[:, 3] - b[:, 1]) for b in (boxes, froms))
    x, y, from_x, from_y = boxes[:, 0] + w / 2, boxes[:, 1] + h / 2, froms[:, 0] + from_w / 2, froms[:, 1] + from_h / 2
    codes = (x - from_x) / from_w, (y - from_y) / from_h, torch.log(w / from_w), torch.log(h / from_h)
    return torch.stack([weight * code for weight, code in zip(weights, codes)], 1)


def torch_decode(codes, froms, weights, clip: float = math.log(1000 / 16)):
    w, h = froms[:, 2] - froms[:, 0], froms[:, 3] - froms[:, 1]
    x, y = froms[:, 0] + w / 2, froms[:, 1] + h / 2
    dx, dy, dw, dh = (codes[:, i::4] / weight for i, weight in enumerate(weights))
    x, y = dx * w[:, None] + x[:, None], dy * h[:, None] + y[:, None]
    half_w, half_h = dw.clamp(max=clip).exp() * w[:, None] / 2, dh.clamp(max=clip).exp() * h[:, None] / 2
    return torch.stack([x - half_w, y - half_h, x + half_w, y + half_h], 2).flatten(1)


def torch_paste(mask, box, image_size, padding: int):
    """One mask (M, M) in one image, as torchvision.models.detection.roi_heads pastes it; boxes round in their own dtype."""
    framed, size = TF.pad(mask, (padding,) * 4), mask.shape[0]
    half = (box[2:] - box[:2]) * 0.5 * (float(size + 2 * padding) / size)
    centre = (box[2:] + box[:2]) * 0.5
    x1, y1, x2, y2 = (int(corner) for corner in torch.cat([centre - half, centre + half]).to(torch.int64))
    resized = TF.interpolate(framed[None, None], (max(y2 - y1 + 1, 1), max(x2 - x1 + 1, 1)), mode="bilinear")[0, 0]
    image = torch.zeros(image_size, dtype=mask.dtype)
    left, right, top, bottom = max(x1, 0), min(x2 + 1, image_size[1]), max(y1, 0), min(y2 + 1, image_size[0])
    image[top:bottom, left:right] = resized[top - y1 : bottom - y1, left - x1 : right - x1]
    return image


def torch_sigmoid_focal_loss(inputs, targets, alpha: float = 0.25, gamma: float = 2.0):
    p, loss = torch.sigmoid(inputs), TF.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    loss = loss * (1 - (p * targets + (1 - p) * (1 - targets))) ** gamma
    return loss if alpha < 0 else (alpha * targets + (1 - alpha) * (1 - targets)) * loss


def torch_focal_loss(inputs, targets, gamma: float, weight=None, ignore_index: int = -100):
    """Of each pixel, composed of a softmax and a cross entropy."""
    losses = TF.cross_entropy(inputs, targets, weight, ignore_index=ignore_index, reduction="none")
    ids = torch.where(targets == ignore_index, 0, targets)
    certainty = torch.softmax(inputs, 1).gather(1, ids[:, None])[:, 0]
    return losses * (1 - certainty) ** gamma
