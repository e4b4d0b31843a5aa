"""Average precision by hand, and for random boxes as counted by a few plain loops."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.data.instances import rle_encode, rle_string
from rawseg.errors import ArgumentError, BackendError, DataError
from rawseg.metrics import average_precision

PLACES = 12  # decimals: pycocotools adds 2**-52 to what it divides by, and averages a thousand ratios
EXACT = 10**-PLACES
SIDE = 160


def mask_of(box, side=SIDE):
    x, y, width, height = (int(number) for number in box)
    mask = np.zeros((side, side), bool)
    mask[y : y + height, x : x + width] = True
    return mask


def there(box, category=1, image=1, crowd=0, mask=None):
    mask = mask_of(box) if mask is None else mask
    common = {"image_id": image, "category_id": category, "iscrowd": crowd, "area": int(mask.sum())}
    return {"bbox": list(box), "segmentation": rle_encode(mask), **common}


def truth_of(*objects, categories=1, images=1):
    return {
        "images": [{"id": i, "height": SIDE, "width": SIDE} for i in range(1, images + 1)],
        "categories": [{"id": i, "name": f"class {i}"} for i in range(1, categories + 1)],
        "annotations": [{**entry, "id": i} for i, entry in enumerate(objects, 1)],
    }


def found(box, score, category=1, image=1, mask=None):
    rle = rle_encode(mask_of(box) if mask is None else mask)
    segmentation = {"size": rle["size"], "counts": rle_string(rle["counts"])}
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score, "segmentation": segmentation}


def scored(*arguments):
    """Return the scores, rounded to so many places that 1 is 1."""
    score = average_precision(*arguments)
    by_class = [round(value, PLACES) for value in score.by_class]
    rest = {name: round(value, PLACES) for name, value in vars(score).items() if name != "by_class"}
    return replace(score, by_class=by_class, **rest)


BOX, FAR = (10, 10, 10, 10), (60, 60, 10, 10)
both_kinds = pytest.mark.parametrize("kind", ["boxes", "masks"])


# By hand


@both_kinds
def test_all_found(kind):
    score = scored(truth_of(there(BOX), there(FAR)), [found(FAR, 0.9), found(BOX, 0.3)], kind)
    assert (score.ap, score.ap50, score.ap75, score.recall, score.small) == (1, 1, 1, 1, 1)
    assert score.by_class == [1]
    assert math.isnan(score.medium)
    assert math.isnan(score.large)


@both_kinds
def test_nothing_found(kind):
    score = scored(truth_of(there(BOX)), [], kind)
    assert (score.ap, score.ap50, score.ap75, score.recall, score.by_class) == (0, 0, 0, 0, [0])


def test_no_objects_at_all():
    score = scored(truth_of(), [found(BOX, 0.5)], "boxes")
    assert all(math.isnan(value) for value in (score.ap, score.ap50, score.recall, *score.by_class))


@both_kinds
def test_one_of_two_found(kind):
    score = scored(truth_of(there(BOX), there(FAR)), [found(FAR, 0.9)], kind)
    # Precision is 1 at the recalls .00, .01, ..., .50, which are 51 of 101, and 0 above.
    assert score.ap == score.ap50 == score.ap75 == pytest.approx(51 / 101, abs=EXACT)
    assert score.recall == 0.5


@both_kinds
@pytest.mark.parametrize(
    ("shift", "passed"),
    [(1, 7), (2, 4), (3, 1), (4, 0)],  # overlaps 9/11 = .82, 8/12 = .67, 7/13 = .54, 6/14 = .43
)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_shifted_box_counts_at_the_overlaps_that_it_reaches(kind, shift, passed, axis):
    box = list(BOX)
    box[axis] += shift
    score = scored(truth_of(there(BOX)), [found(box, 0.9)], kind)
    assert score.ap == pytest.approx(passed / 10, abs=EXACT)
    assert score.recall == pytest.approx(passed / 10, abs=EXACT)
    assert (score.ap50, score.ap75) == (float(passed > 0), float(passed > 5))


def test_boxes_are_corner_and_size():
    flat = 10, 10, 30, 5
    assert scored(truth_of(there(flat)), [found((10, 10, 40, 15), 0.9)], "boxes").ap == 0  # 150 of 600
    assert scored(truth_of(there(flat)), [found((10, 10, 30, 6), 0.9)], "boxes").ap == 0.7  # 150 of 180 = .83


@both_kinds
def test_the_order_of_scores_matters(kind):
    first = scored(truth_of(there(BOX)), [found(BOX, 0.9), found(FAR, 0.8)], kind)
    second = scored(truth_of(there(BOX)), [found(BOX, 0.8), found(FAR, 0.9)], kind)
    assert first.ap == 1
    assert second.ap == pytest.approx(0.5, abs=EXACT)  # a wrong one before it: 1 of 2
    assert first.recall == second.recall == 1


def test_finding_an_object_twice_is_wrong_the_second_time():
    objects = truth_of(there(BOX), there(FAR))
    score = scored(objects, [found(BOX, 0.9), found(BOX, 0.8), found(FAR, 0.7)], "boxes")
    # 1 up to recall 1/2, then 2 of 3.
    assert score.ap == pytest.approx((51 + 50 * 2 / 3) / 101, abs=EXACT)


def test_objects_of_another_image_or_class_are_others():
    objects = truth_of(there(BOX), categories=2, images=2)
    assert scored(objects, [found(BOX, 0.9, image=2)], "boxes").ap == 0
    assert scored(objects, [found(BOX, 0.9, category=2)], "boxes").ap == 0


def test_a_class_without_objects_is_left_out():
    objects = truth_of(there(BOX, category=3), there(BOX, category=1), categories=3)
    score = scored(objects, [found(BOX, 0.9, 1), found(FAR, 0.9, 2)], "masks")
    assert score.by_class[0] == 1
    assert math.isnan(score.by_class[1])
    assert score.by_class[2] == 0
    assert score.ap == 0.5
    assert score.as_dict()["by_class"] == [1, None, 0]
    assert score.as_dict()["large"] is None
    assert score.as_dict()["ap"] == 0.5
    assert list(score.as_dict()) == ["ap", "ap50", "ap75", "small", "medium", "large", "recall", "by_class"]


def test_classes_are_in_the_order_of_their_ids():
    objects = truth_of(there(BOX, category=1), there(FAR, category=2), categories=2)
    objects["categories"].reverse()
    assert scored(objects, [found(FAR, 0.9, 2)], "boxes").by_class == [0, 1]


@both_kinds
def test_a_crowd_is_neither_missed_nor_wrong(kind):
    crowd = 40, 40, 60, 60
    detections = [found(FAR, 0.9), found((80, 80, 10, 10), 0.85), found(BOX, 0.8)]  # two within the crowd
    score = scored(truth_of(there(BOX), there(crowd, crowd=1)), detections, kind)
    assert (score.ap, score.recall) == (1, 1)
    score = scored(truth_of(there(BOX), there(crowd)), detections, kind)
    assert score.ap == pytest.approx(51 / 101 / 3, abs=EXACT)  # as a single object it is missed, and two are wrong
    assert score.recall == 0.5


@both_kinds
def test_sizes_are_those_of_the_objects(kind):
    boxes = (0, 0, 31, 31), (0, 40, 33, 33), (40, 40, 97, 97)
    objects = truth_of(*map(there, boxes))
    for place, name in enumerate(("small", "medium", "large")):
        score = scored(objects, [found(boxes[place], 0.9)], kind)
        assert {n: getattr(score, n) for n in ("small", "medium", "large")} == {"small": 0, "medium": 0, "large": 0, name: 1}
        assert score.ap == pytest.approx(34 / 101, abs=EXACT)  # recalls .00 to .33


def test_wrong_detections_of_another_size_do_not_count_for_a_size():
    objects = truth_of(there(BOX), there((0, 40, 40, 40)))
    right = [found(BOX, 0.5), found((0, 40, 40, 40), 0.4)]
    for kind in ("boxes", "masks"):
        score = scored(objects, [*right, found((100, 100, 50, 50), 0.9)], kind)  # the wrong one is medium
        assert (score.small, score.medium) == (1, 0.5)
        assert score.ap == pytest.approx(2 / 3, abs=EXACT)  # 1 of 2, and 2 of 3 from there on
        score = scored(objects, [*right, found((100, 100, 5, 5), 0.9)], kind)  # small
        assert (score.small, score.medium) == (0.5, 1)


def test_masks_are_compared_and_not_their_boxes():
    corner = mask_of(BOX)
    corner[15:20, 15:20] = False  # three quarters of it
    objects, detections = truth_of(there(BOX)), [found(BOX, 0.9, mask=corner)]
    assert scored(objects, detections, "boxes").ap == 1
    score = scored(objects, detections)  # masks, unless asked otherwise
    assert score.ap == pytest.approx(0.6, abs=EXACT)  # .50 to .75
    assert score.ap75 == 1


def test_masks_may_be_polygons_and_lists_of_runs():
    polygon = there(BOX)
    polygon["segmentation"] = [[10, 10, 20, 10, 20, 20, 10, 20]]
    runs = {**found(BOX, 0.9), "segmentation": rle_encode(mask_of(BOX))}
    assert scored(truth_of(polygon), [runs]).ap == 1


def test_a_hundred_detections_of_an_image_count():
    wrong = [found(FAR, 0.9 - 0.001 * i) for i in range(100)]
    assert scored(truth_of(there(BOX)), [*wrong[:99], found(BOX, 0.1)], "boxes").ap == pytest.approx(0.01, abs=EXACT)
    assert scored(truth_of(there(BOX)), [*wrong, found(BOX, 0.1)], "boxes").ap == 0


def test_an_annotation_may_have_the_number_0_and_an_image_too():
    objects: Any = truth_of(there(BOX), there(FAR))
    for place, annotation in enumerate(objects["annotations"]):
        annotation.update(id=place, image_id=0)
    objects["images"][0]["id"] = 0
    assert scored(objects, [found(BOX, 0.9, image=0), found(FAR, 0.8, image=0)], "boxes").ap == 1


def test_nothing_is_printed_or_changed(capsys):
    objects, detections = truth_of(there(BOX)), [found(BOX, 0.9)]
    for kind in ("boxes", "masks"):
        average_precision(objects, detections, kind)
    assert objects == truth_of(there(BOX))
    assert detections == [found(BOX, 0.9)]
    assert capsys.readouterr() == ("", "")


def test_what_is_refused(monkeypatch):
    with pytest.raises(ArgumentError, match=r"average_precision: kind: expected one of \('boxes', 'masks'\), got 'bbox'"):
        average_precision(truth_of(), [], "bbox")
    for kind in ("boxes", "masks"):
        with pytest.raises(ArgumentError, match=r"detections: expected an image_id that truth lists in each, got 7"):
            average_precision(truth_of(there(BOX)), [found(BOX, 0.9), found(BOX, 0.9, image=7)], kind)
    with pytest.raises(ArgumentError, match=r"detections: expected a category_id that truth lists in each, got 9"):
        average_precision(truth_of(there(BOX)), [{**found(BOX, 0.9), "category_id": 9}])
    with pytest.raises(ArgumentError, match=r"detections\[1\]: expected a finite score, got nan"):
        average_precision(truth_of(there(BOX)), [found(BOX, 0.9), found(BOX, float("nan"))])
    short = {"size": [1, 1], "counts": [1]}
    with pytest.raises(DataError, match="average_precision: detections: expected an RLE of its image's size"):
        average_precision(truth_of(there(BOX)), [{**found(BOX, 0.9), "segmentation": short}])
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(BackendError, match=r"average_precision: pycocotools: .*pip install 'rawseg\[coco\]'.* no such package"):
        average_precision(truth_of(), [])


# As plain loops count


def overlap(one, other):
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    common = max(width, 0) * max(height, 0)
    return common / (one[2] * one[3] + other[2] * other[3] - common)


def plain_precision(objects, detections, least):
    """AP of one class at one overlap: the best detection first, each takes the nearest object that is still free."""
    free, right = [dict(o) for o in objects], []
    for detection in sorted(detections, key=lambda d: -d["score"]):
        best, most = None, least
        for candidate in free:
            if candidate["image_id"] == detection["image_id"] and overlap(candidate["bbox"], detection["bbox"]) >= most:
                best, most = candidate, overlap(candidate["bbox"], detection["bbox"])
        right.append(best is not None)
        if best is not None:
            free.remove(best)
    total, area = len(objects), 0.0
    for recall in range(101):
        after = [sum(right[:n]) / n for n in range(1, len(right) + 1) if sum(right[:n]) * 100 >= recall * total]
        area += max(after, default=0.0)
    return area / 101, sum(right) / total


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 12))
def test_random_boxes_are_counted_as_by_plain_loops(seed, count, others):
    """At most 5 objects of a class: with more, recalls such as 7/10 are compared in floats, which is not the loops' matter."""
    rng = np.random.default_rng(seed)
    objects: list[Any] = []
    for _ in range(count):
        box = np.concatenate([rng.uniform(0, 60, 2), rng.uniform(4, 40, 2)])
        objects.append({"bbox": box.tolist(), "image_id": int(rng.integers(1, 3)), "category_id": int(rng.integers(1, 3))})
    detections: list[Any] = []
    for _ in range(others):
        near = objects[rng.integers(count)]
        box = np.abs(np.array(near["bbox"]) + rng.normal(0, 2.5, 4))
        detections.append({**near, "bbox": box.tolist(), "score": float(rng.random())})
    full = [{**o, "area": o["bbox"][2] * o["bbox"][3], "iscrowd": 0} for o in objects]
    score = average_precision(truth_of(*full, categories=2, images=2), detections, "boxes")
    table = []
    for category in (1, 2):
        own, got = ([entry for entry in part if entry["category_id"] == category] for part in (objects, detections))
        if own:
            table.append([plain_precision(own, got, 0.5 + 0.05 * step) for step in range(10)])
        else:
            assert math.isnan(score.by_class[category - 1])
    want = np.array(table)  # (classes, 10, 2)
    assert score.ap == pytest.approx(want[..., 0].mean(), abs=EXACT)
    assert score.ap50 == pytest.approx(want[:, 0, 0].mean(), abs=EXACT)
    assert score.ap75 == pytest.approx(want[:, 5, 0].mean(), abs=EXACT)
    assert score.recall == pytest.approx(want[..., 1].mean(), abs=EXACT)
    assert [v for v in score.by_class if v == v] == pytest.approx(want[..., 0].mean(1).tolist(), abs=EXACT)
