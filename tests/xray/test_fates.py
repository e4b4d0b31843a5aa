"""Which box suppressed which: by hand, and against a suppression in loops."""

from __future__ import annotations

import numpy as np
import pytest

from rawseg.models.mask_rcnn import FATES
from rawseg.xray.fates import (
    KEPT,
    OVERLAPPING,
    SURPLUS,
    Candidates,
    candidates_of_detections,
    candidates_of_proposals,
    counts,
    suppressed,
)


def box(x: float, width: float = 10) -> list[float]:
    return [float(x), 0.0, float(x + width), 10.0]


def test_who_suppressed_whom_by_hand():
    # ranks 9 > 8 > 7 > 6; box 1 falls to box 0 (IoU 8/12); box 3 overlaps 1 (dead) and 2, but is of another group than 2
    boxes = np.array([box(0), box(2), box(100), box(101), box(99)])
    ranks, groups = np.array([9.0, 8, 7, 6, 5]), np.array([0, 0, 0, 1, 0])
    fates = np.array([KEPT, OVERLAPPING, SURPLUS, KEPT, OVERLAPPING], np.uint8)
    found = suppressed(Candidates(boxes, ranks, groups, fates, 0.5))
    assert found.indices.tolist() == [1, 4]
    assert found.by.tolist() == [0, 2]
    assert found.overlaps.tolist() == pytest.approx([8 / 12, 9 / 11])


def test_the_best_of_several_is_named_not_the_nearest():
    boxes = np.array([box(0), box(3), box(2)])  # IoU of 2: with 0 8/12, with 1 9/11; 0 and 1: 7/13
    fates = np.array([KEPT, KEPT, OVERLAPPING], np.uint8)
    found = suppressed(Candidates(boxes, np.array([3.0, 2, 1]), np.zeros(3, np.int64), fates, 0.6))
    assert found.by.tolist() == [0]


def test_none_suppressed():
    found = suppressed(Candidates(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64), np.zeros(0, np.uint8), 0.5))
    assert [len(part) for part in found] == [0, 0, 0]


def test_counts_name_every_fate():
    found = counts(np.array([[0, 0], [4, 5]], np.uint8))
    assert tuple(found) == FATES
    assert list(found.values()) == [2, 0, 0, 0, 1, 1]


def iou(a, b) -> float:
    wide, high = (max(0.0, min(a[2 + i], b[2 + i]) - max(a[i], b[i])) for i in (0, 1))
    areas = [(float(c[2]) - float(c[0])) * (float(c[3]) - float(c[1])) for c in (a, b)]
    return wide * high / (sum(areas) - wide * high)


def in_loops(candidates: Candidates) -> dict[int, int]:
    """Return for each suppressed box which one suppressed it."""
    looked_at = np.flatnonzero(np.isin(candidates.fates, (KEPT, OVERLAPPING, SURPLUS)))
    order = sorted(looked_at, key=lambda i: -candidates.ranks[i])
    kept, by = [], {}
    for i in order:
        rivals = (j for j in kept if candidates.groups[i] == candidates.groups[j])
        guilty = next((j for j in rivals if iou(candidates.boxes[i], candidates.boxes[j]) > candidates.overlap), None)
        if guilty is None:
            kept.append(i)
        else:
            by[int(i)] = int(guilty)
    return by


@pytest.mark.parametrize("kind", [candidates_of_proposals, candidates_of_detections])
def test_the_candidates_of_a_dump(dumped, model, kind):
    candidates, found = kind(model, dumped[1]), suppressed(kind(model, dumped[1]))
    kept = np.flatnonzero(candidates.fates == KEPT)
    kept = kept[np.argsort(-candidates.ranks[kept], kind="stable")]
    name = "proposals.0" if kind is candidates_of_proposals else "boxes.0"
    assert candidates.boxes[kept].tobytes() == dumped[1][name].tobytes()
    assert len(found.indices) > 20
    assert dict(zip(found.indices.tolist(), found.by.tolist())) == in_loops(candidates)
    assert (np.diff(candidates.ranks[found.indices]) <= 0).all()
    for i, j, overlap in zip(*found):
        assert overlap == pytest.approx(iou(candidates.boxes[i], candidates.boxes[j]), rel=1e-5)
