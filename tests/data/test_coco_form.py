"""Annotations and results in COCO's form: by hand, and as pycocotools and a folder of masks have them."""

from __future__ import annotations

import json

import numpy as np
import pycocotools.mask
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rawseg
from rawseg.data import InstanceArrays, InstanceFolder, Subset, as_results, ground_truth_of, write_image, write_mask
from rawseg.data.instances import rle_decode

# pycocotools' decode warns with NumPy 2; rawseg itself does not call it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

A = np.array([[0, 7, 7, 0], [0, 7, 0, 3], [0, 0, 0, 3]])
B = np.array([[5, 0], [0, 5]])


def arrays(*maps):
    return InstanceArrays([np.zeros((1, *m.shape), np.float32) for m in maps], maps)


def test_ground_truth_by_hand():
    truth = ground_truth_of(arrays(A, np.zeros((2, 3), int), B), ["cell"])
    assert truth["images"] == [
        {"id": 0, "file_name": "0", "height": 3, "width": 4},
        {"id": 1, "file_name": "1", "height": 2, "width": 3},
        {"id": 2, "file_name": "2", "height": 2, "width": 2},
    ]
    assert truth["categories"] == [{"id": 1, "name": "cell"}]
    common = {"category_id": 1, "iscrowd": 0}
    assert truth["annotations"] == [
        {
            "id": 1,
            "image_id": 0,
            "bbox": [3, 1, 1, 2],
            "area": 2,
            **common,
            "segmentation": {"size": [3, 4], "counts": [10, 2]},
        },
        {
            "id": 2,
            "image_id": 0,
            "bbox": [1, 0, 2, 2],
            "area": 3,
            **common,
            "segmentation": {"size": [3, 4], "counts": [3, 2, 1, 1, 5]},
        },
        {
            "id": 3,
            "image_id": 2,
            "bbox": [0, 0, 2, 2],
            "area": 2,
            **common,
            "segmentation": {"size": [2, 2], "counts": [0, 1, 2, 1]},
        },
    ]
    assert json.loads(json.dumps(truth)) == truth


def test_labels_are_categories_and_a_part_of_a_dataset_keeps_its_image_ids():
    class Labelled(InstanceArrays):
        def __getitem__(self, index):
            image, target = super().__getitem__(index)
            return image, {**target, "labels": target["ids"] // 3}  # 3 -> 1, 7 -> 2

    truth = ground_truth_of(Subset(Labelled([np.zeros((1, *A.shape), np.float32)] * 3, [A] * 3), [2, 0]), ["a", "b", "none"])
    assert [image["id"] for image in truth["images"]] == [2, 0]
    assert [a["image_id"] for a in truth["annotations"]] == [2, 2, 0, 0]
    assert [a["category_id"] for a in truth["annotations"]] == [1, 2, 1, 2]
    assert [a["id"] for a in truth["annotations"]] == [1, 2, 3, 4]
    assert truth["categories"] == [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "none"}]


def test_a_folder_of_masks_has_the_same_ground_truth(tmp_path):
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    for name, numbers in (("x1", A), ("x2", B)):
        write_image(tmp_path / "images" / f"{name}.png", np.zeros((1, *numbers.shape), np.uint8))
        write_mask(tmp_path / "masks" / f"{name}.png", numbers)
    folder = InstanceFolder(tmp_path, ["cell"])
    own, made = folder.ground_truth(), ground_truth_of(folder, ["cell"])
    assert made["annotations"] == own["annotations"]
    assert made["categories"] == own["categories"]
    for image, other in zip(made["images"], own["images"], strict=True):
        assert {**image, "file_name": other["file_name"]} == other


def objects(boxes, labels, scores, masks):
    """Return what a Mask R-CNN returns for an image."""
    masks = np.asarray(masks, np.float32)
    return {
        "boxes": rawseg.tensor(np.asarray(boxes, np.float32).reshape(-1, 4)),
        "labels": rawseg.tensor(np.asarray(labels, np.int64)),
        "scores": rawseg.tensor(np.asarray(scores, np.float32)),
        "masks": rawseg.tensor(masks[:, None]),
    }


def test_results_by_hand():
    below = np.nextafter(np.float32(0.5), np.float32(0))
    masks = np.zeros((2, 3, 4))
    masks[0, 0:2, 1] = 0.5, below
    found = objects([[1, 0.5, 3.25, 2], [0, 0, 4, 3]], [2, 1], [0.75, 0.5], masks)
    results = as_results(found, 17, [30, 90])
    assert [{key: value for key, value in result.items() if key != "segmentation"} for result in results] == [
        {"image_id": 17, "category_id": 90, "bbox": [1, 0.5, 2.25, 1.5], "score": 0.75},
        {"image_id": 17, "category_id": 30, "bbox": [0, 0, 4, 3], "score": 0.5},
    ]
    one = np.zeros((3, 4), bool)
    one[0, 1] = True  # a probability of exactly 0.5 belongs to the object, one just below does not
    assert [result["segmentation"]["size"] for result in results] == [[3, 4], [3, 4]]
    np.testing.assert_array_equal(rle_decode(results[0]["segmentation"]), one)
    assert not rle_decode(results[1]["segmentation"]).any()
    assert json.loads(json.dumps(results)) == results


def test_no_objects_are_no_results():
    assert as_results(objects([], [], [], np.zeros((0, 3, 4))), 1, [1]) == []


@given(st.integers(1, 4), st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**32))
def test_pycocotools_reads_the_masks(count, height, width, seed):
    rng = np.random.default_rng(seed)
    masks = rng.random((count, height, width), np.float32)
    results = as_results(objects(rng.random((count, 4)), rng.integers(1, 3, count), rng.random(count), masks), 1, [1, 2])
    for result, mask in zip(results, masks, strict=True):
        rle = {**result["segmentation"], "counts": result["segmentation"]["counts"].encode()}
        np.testing.assert_array_equal(pycocotools.mask.decode(rle).astype(bool), mask >= 0.5)
