"""COCO's run-length encoding against hand-computed cases and pycocotools, which shares no code with ours; and targets."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rawseg.data.instances import (
    annotation_of,
    box_of,
    rle_counts,
    rle_decode,
    rle_encode,
    rle_string,
    target_of,
    without_empty_runs,
)
from rawseg.errors import DataError, DTypeError, ShapeError

# pycocotools' decode warns with NumPy 2; rawseg itself does not call it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

HAND = np.array([[0, 1, 1], [1, 0, 0]], bool)  # down the columns: 0, 1 | 1, 0 | 1, 0
MASKS = st.tuples(st.integers(1, 9), st.integers(1, 13)).flatmap(lambda size: arrays(bool, size))


def test_a_mask_by_hand():
    assert rle_encode(HAND) == {"size": [2, 3], "counts": [1, 2, 1, 1, 1]}
    np.testing.assert_array_equal(rle_decode({"size": [2, 3], "counts": [1, 2, 1, 1, 1]}), HAND)
    # 1, 2, 1 as they are, then 1 - 2 = -1 (31 with the sign bit) and 1 - 1 = 0
    assert rle_string([1, 2, 1, 1, 1]) == "121O0"
    assert rle_counts("121O0") == [1, 2, 1, 1, 1]
    # 100 = 3 * 32 + 4: first character 48 + 32 + 4, second 48 + 3; 16 has bit 16, so a second character says "positive"
    assert rle_string([100, 16]) == "T3`0"
    assert rle_counts("T3`0") == [100, 16]


def test_a_mask_that_begins_with_an_instance_begins_with_a_run_of_0():
    assert rle_encode(~HAND) == {"size": [2, 3], "counts": [0, 1, 2, 1, 1, 1]}
    assert rle_encode(np.ones((2, 3), bool))["counts"] == [0, 6]
    assert rle_encode(np.zeros((2, 3), bool))["counts"] == [6]
    assert rle_decode({"size": [2, 3], "counts": [0, 6]}).all()


@given(MASKS)
def test_both_ways_agree_with_pycocotools(mask):
    before = mask.copy()
    ours, theirs = rle_encode(mask), pycocotools.mask.encode(np.asfortranarray(mask, np.uint8))
    string = theirs["counts"].decode()
    assert rle_string(ours["counts"]) == string
    assert rle_counts(string) == ours["counts"]
    for rle in (ours, {"size": list(mask.shape), "counts": string}):
        decoded = rle_decode(rle)
        assert decoded.dtype == bool
        assert decoded.flags.c_contiguous
        np.testing.assert_array_equal(decoded, mask)
    compressed = pycocotools.mask.frPyObjects(ours, *mask.shape)
    np.testing.assert_array_equal(pycocotools.mask.decode(compressed), mask)
    np.testing.assert_array_equal(mask, before)


@given(st.lists(st.integers(0, 2**27), min_size=1, max_size=12))
def test_strings_of_large_counts_agree_with_pycocotools(counts):
    theirs = pycocotools.mask.frPyObjects({"size": [2**15, 2**15], "counts": counts}, 2**15, 2**15)["counts"].decode()
    assert rle_string(counts) == theirs
    assert rle_counts(theirs) == counts


def test_empty_runs_inside_are_legal_and_can_be_taken_out():
    for length in range(1, 6):
        for counts in itertools.product((0, 1, 3), repeat=length):
            short = without_empty_runs(list(counts))
            assert 0 not in short[1:]
            if sum(counts):
                size = [1, sum(counts)]
                mask = rle_decode({"size": size, "counts": list(counts)})
                np.testing.assert_array_equal(rle_decode({"size": size, "counts": short}), mask)
                pixels = [place % 2 for place, count in enumerate(counts) for _ in range(count)]
                assert mask[0].tolist() == pixels


@pytest.mark.parametrize(
    ("rle", "message"),
    [
        ([1, 2], "expected an RLE: an object with size and counts, got [1, 2]"),
        ({"size": [2, 3]}, "expected an RLE: an object with size and counts, got {'size': [2, 3]}"),
        ({"size": [2], "counts": [2]}, "expected an RLE of size [height, width], got [2]"),
        ({"size": [0, 3], "counts": [0]}, "expected an RLE of size [height, width], got [0, 3]"),
        ({"size": [True, 3], "counts": [3]}, "expected an RLE of size [height, width], got [True, 3]"),
        ({"size": [2**20, 2**20], "counts": [2**40]}, "expected an RLE of at most 89478485 pixels, got [1048576, 1048576]"),
        ({"size": [2, 3], "counts": [7, -1]}, "counts are integers of at least 0, or a string, got [7, -1]"),
        ({"size": [2, 3], "counts": [5, True]}, "counts are integers of at least 0, or a string, got [5, True]"),
        ({"size": [2, 3], "counts": [6.0]}, "counts are integers of at least 0, or a string, got [6.0]"),
        ({"size": [2, 3], "counts": None}, "counts are integers of at least 0, or a string, got None"),
        ({"size": [2, 3], "counts": [1, 4]}, "counts sum to height * width, 2 * 3 = 6, got 5"),
        ({"size": [2, 3], "counts": [1, 6]}, "counts sum to height * width, 2 * 3 = 6, got 7"),
        ({"size": [2, 3], "counts": []}, "counts sum to height * width, 2 * 3 = 6, got 0"),
        ({"size": [2, 3], "counts": "13"}, "counts sum to height * width, 2 * 3 = 6, got 4"),
        ({"size": [2, 3], "counts": ""}, "counts sum to height * width, 2 * 3 = 6, got 0"),
        ({"size": [2, 3], "counts": "1p"}, "expected an RLE string of the characters 0 to o, got 'p' at 1"),
        ({"size": [2, 3], "counts": "/"}, "expected an RLE string of the characters 0 to o, got '/' at 0"),
        ({"size": [2, 3], "counts": "1\u0431"}, "expected an RLE string of the characters 0 to o, got '\u0431' at 1"),
        ({"size": [2, 3], "counts": "1T"}, "expected an RLE string that ends with a length, got one that ends within a length"),
        (
            {"size": [2, 3], "counts": "1" + "P" * 9 + "0"},
            "expected RLE lengths of at most 7 characters, got a longer one at 7",
        ),
        ({"size": [2, 3], "counts": "O"}, "expected RLE lengths of at least 0, got -1 at 0"),
        ({"size": [2, 3], "counts": "121M"}, "expected RLE lengths of at least 0, got -1 at 3"),
    ],
)
def test_a_wrong_rle_is_refused(rle, message):
    with pytest.raises(DataError, match=r"^rle_decode: rle: .*" + re.escape(message) + "$"):
        rle_decode(rle)


def test_what_is_no_mask_is_refused():
    with pytest.raises(ShapeError, match=r"^rle_encode: mask: expected shape \(H, W\), not empty, got shape \(0, 3\)$"):
        rle_encode(np.zeros((0, 3), bool))
    with pytest.raises(ShapeError, match=r"^rle_encode: mask: expected shape \(H, W\), not empty, got shape \(1, 2, 3\)$"):
        rle_encode(np.zeros((1, 2, 3), bool))
    with pytest.raises(DTypeError, match=r"^rle_encode: mask: expected bool, got uint8$"):
        rle_encode(np.zeros((2, 3), np.uint8))


def test_a_target_by_hand():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, 1:3, 2:6] = True
    masks[1, 3, 0] = True
    target = target_of([2, 1], masks, [7, 9], 5)
    assert list(target) == ["boxes", "labels", "masks", "ids", "image_id"]
    assert target["boxes"].tolist() == [[2, 1, 6, 3], [0, 3, 1, 4]]
    assert target["labels"].tolist() == [2, 1]
    assert target["ids"].tolist() == [7, 9]
    assert target["masks"] is masks
    assert target["image_id"] == 5
    assert [target[key].dtype for key in ("boxes", "labels", "ids")] == [np.float32, np.int64, np.int64]
    given_boxes = target_of([2, 1], masks, [7, 9], 5, np.array([[0.5, 1, 2, 3], [0, 0, 1, 1]]))["boxes"]
    assert given_boxes.tolist() == [[0.5, 1, 2, 3], [0, 0, 1, 1]]
    assert given_boxes.dtype == np.float32


def test_a_target_without_instances_has_all_its_shapes():
    target = target_of([], np.zeros((0, 4, 6), bool), [], 5)
    assert [target[key].shape for key in ("boxes", "labels", "masks", "ids")] == [(0, 4), (0,), (0, 4, 6), (0,)]
    assert [target[key].dtype for key in ("boxes", "labels", "masks", "ids")] == [np.float32, np.int64, bool, np.int64]


def test_a_target_that_does_not_fit_together_is_refused():
    masks = np.ones((2, 4, 6), bool)
    fault = r"^target_of: masks: expected masks of shape \(M, H, W\), and M labels and ids, got shape "
    with pytest.raises(ShapeError, match=fault + r"\(4, 6\), 2 labels and 2 ids$"):
        target_of([1, 1], masks[0], [1, 2], 1)
    with pytest.raises(ShapeError, match=fault + r"\(2, 4, 6\), 1 labels and 2 ids$"):
        target_of([1], masks, [1, 2], 1)
    with pytest.raises(ShapeError, match=fault + r"\(2, 4, 6\), 2 labels and 3 ids$"):
        target_of([1, 1], masks, [1, 2, 3], 1)
    with pytest.raises(DTypeError, match=r"^target_of: masks: expected bool, got uint8$"):
        target_of([1, 1], masks.astype(np.uint8), [1, 2], 1)
    with pytest.raises(ShapeError, match=r"^target_of: boxes: expected shape \(2, 4\), got shape \(1, 4\)$"):
        target_of([1, 1], masks, [1, 2], 1, np.ones((1, 4)))
    with pytest.raises(DataError, match=r"^box_of: mask: expected at least one pixel, got an empty mask$"):
        target_of([1, 1], masks & False, [1, 2], 1)


@given(MASKS.filter(np.any))
def test_an_annotation_is_what_pycocotools_would_say(mask):
    annotation = annotation_of(mask, 3, 4, 5)
    rle = pycocotools.mask.frPyObjects(annotation["segmentation"], *mask.shape)
    assert annotation["area"] == pycocotools.mask.area(rle)
    assert annotation["iscrowd"] == 0
    assert [annotation[key] for key in ("id", "image_id", "category_id")] == [3, 4, 5]
    ys, xs = np.nonzero(mask)
    assert box_of(mask) == (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
    assert annotation["bbox"] == [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
