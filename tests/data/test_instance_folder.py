"""Masks that number instances, and every way in which they can be wrong."""

from __future__ import annotations

import json

import numpy as np
import pycocotools.mask
import pytest

from rawseg.data.images import write_image, write_mask
from rawseg.data.instance_folder import InstanceFolder
from rawseg.errors import ArgumentError, DataError

# pycocotools' decode warns with NumPy 2; rawseg itself does not call it.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

A = [[0, 7, 7, 0, 0], [0, 7, 0, 0, 3], [0, 0, 0, 3, 3]]
B = [[9, 0, 0, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 9]]  # one instance of two parts


def fill(root, **masks):
    """Write each mask and an image of its size."""
    for folder in ("images", "masks"):
        (root / folder).mkdir(exist_ok=True)
    for name, mask in masks.items():
        write_image(root / "images" / f"{name}.png", np.full((3, *np.shape(mask)), 51, np.uint8))
        write_mask(root / "masks" / f"{name}.png", np.array(mask))
    return root


def test_a_folder_by_hand(tmp_path):
    dataset = InstanceFolder(fill(tmp_path, a10=B, a2=A, a1=np.zeros((3, 5), int)))
    assert dataset.names == ["a1", "a2", "a10"]
    assert len(dataset) == 3
    assert dataset.image_ids == [1, 2, 3]
    assert dataset.category_ids == [1]
    assert dataset.class_names == ["object"]
    image, target = dataset[1]
    assert image.shape == (3, 3, 5)
    assert image.dtype == np.float32
    assert (image == np.float32(0.2)).all()
    assert target["boxes"].tolist() == [[3, 1, 5, 3], [1, 0, 3, 2]]  # of the values 3 and 7
    assert target["labels"].tolist() == [1, 1]
    assert target["ids"].tolist() == [1, 2]
    assert target["image_id"] == 2
    np.testing.assert_array_equal(target["masks"], [np.array(A) == 3, np.array(A) == 7])
    assert [target[key].dtype for key in ("boxes", "labels", "masks", "ids")] == [np.float32, np.int64, bool, np.int64]
    last = dataset[-1][1]
    assert (last["ids"].tolist(), last["image_id"], last["boxes"].tolist()) == ([3], 3, [[0, 0, 5, 3]])
    with pytest.raises(IndexError):
        dataset[3]


def test_an_image_without_instances_is_a_sample(tmp_path):
    dataset = InstanceFolder(fill(tmp_path, a=np.zeros((3, 5), int)))
    target = dataset[0][1]
    assert [target[key].shape for key in ("boxes", "labels", "masks", "ids")] == [(0, 4), (0,), (0, 3, 5), (0,)]
    assert [target[key].dtype for key in ("boxes", "labels", "masks", "ids")] == [np.float32, np.int64, bool, np.int64]
    assert dataset.ground_truth()["annotations"] == []
    assert len(dataset.ground_truth()["images"]) == 1


def test_values_of_several_classes_are_those_of_cityscapes(tmp_path):
    mask = [[2001, 0, 1000], [2001, 2002, 1000]]  # the first instance of a class may be 0
    dataset = InstanceFolder(fill(tmp_path, a=mask), ["car", "person"], channels=1)
    image, target = dataset[0]
    assert image.shape == (1, 2, 3)
    assert target["labels"].tolist() == [1, 2, 2]
    assert target["boxes"].tolist() == [[2, 0, 3, 2], [0, 0, 1, 2], [1, 1, 2, 2]]
    assert dataset.category_ids == [1, 2]
    assert dataset.class_names == ["car", "person"]


def test_one_class_takes_any_number_above_0(tmp_path):
    dataset = InstanceFolder(fill(tmp_path, a=[[1, 5000, 65535]]))
    assert dataset[0][1]["labels"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("value", [1, 999, 3000, 65535])
def test_a_value_of_no_class_names_file_and_value(tmp_path, value):
    fill(tmp_path, a=[[0, 1001]], b=[[0, value]])
    expected = r"0 for background, else 1000 \* class \+ instance, classes 1 to 2"
    with pytest.raises(DataError, match=rf"^InstanceFolder: .*masks.b\.png: expected {expected}, got the value {value}$"):
        InstanceFolder(tmp_path, ["car", "person"])


def test_a_negative_value_is_refused(tmp_path):
    from PIL import Image

    fill(tmp_path, a=[[0, 1]])
    (tmp_path / "masks" / "a.png").unlink()
    Image.fromarray(np.array([[0, -4]], np.int32)).save(tmp_path / "masks" / "a.tif")
    with pytest.raises(DataError, match=r"a\.tif: expected 0 for background, else a number above 0, got the value -4$"):
        InstanceFolder(tmp_path)


def test_ground_truth_is_the_targets_in_cocos_form(tmp_path):
    dataset = InstanceFolder(fill(tmp_path, a=A, b=B))
    truth = json.loads(json.dumps(dataset.ground_truth()))  # no NumPy numbers in it
    assert truth["images"] == [
        {"id": 1, "file_name": "a.png", "height": 3, "width": 5},
        {"id": 2, "file_name": "b.png", "height": 3, "width": 5},
    ]
    assert truth["categories"] == [{"id": 1, "name": "object"}]
    targets = [dataset[index][1] for index in range(2)]
    places = [(target, place) for target in targets for place in range(len(target["ids"]))]
    assert len(truth["annotations"]) == len(places) == 3
    for annotation, (target, place) in zip(truth["annotations"], places):
        assert annotation["id"] == target["ids"][place]
        assert annotation["image_id"] == target["image_id"]
        assert annotation["category_id"] == target["labels"][place]
        assert annotation["area"] == target["masks"][place].sum()
        x1, y1, x2, y2 = target["boxes"][place]
        assert annotation["bbox"] == [x1, y1, x2 - x1, y2 - y1]
        rle = pycocotools.mask.frPyObjects(annotation["segmentation"], 3, 5)
        np.testing.assert_array_equal(pycocotools.mask.decode(rle), target["masks"][place])


def test_folders_pair_as_those_of_segmentation_do(tmp_path):
    fill(tmp_path, a=A, b=B)
    (tmp_path / "masks" / "b.png").unlink()
    with pytest.raises(DataError, match=r"^InstanceFolder: .*masks: expected a mask for every image, .*, got none for b$"):
        InstanceFolder(tmp_path)
    (tmp_path / "masks" / "c.bmp").write_bytes(b"")
    with pytest.raises(DataError, match=r"^InstanceFolder: .*masks: expected nothing but \.png, .* files, got c\.bmp$"):
        InstanceFolder(tmp_path)
    with pytest.raises(DataError, match=r"^InstanceFolder: .*nowhere.images: expected a folder of image files, got no such"):
        InstanceFolder(tmp_path / "nowhere")
    (tmp_path / "masks" / "c.bmp").unlink()
    (tmp_path / "masks" / "a.png").unlink()
    with pytest.raises(DataError, match=r"^InstanceFolder: .*masks: expected \.png, .* files, got none$"):
        InstanceFolder(tmp_path)
    write_mask(tmp_path / "masks" / "a.png", np.array(A))
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"^InstanceFolder: .*images: expected one file for each stem, got a\.jpg and a\.png$"):
        InstanceFolder(tmp_path)


def test_a_mask_of_another_size_names_both_files_and_sizes(tmp_path):
    fill(tmp_path, a=A)
    write_mask(tmp_path / "masks" / "a.png", np.zeros((5, 3), int))
    message = (
        r"^InstanceFolder: .*masks.a\.png: expected the size of its image .*images.a\.png, 3 x 5 \(height x width\), got 5 x 3$"
    )
    with pytest.raises(DataError, match=message):
        InstanceFolder(tmp_path)[0]


def test_a_damaged_mask_is_found_at_the_start(tmp_path):
    fill(tmp_path, a=A)
    (tmp_path / "masks" / "a.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"^read_mask: .*masks.a\.png: expected a PNG, JPEG or TIFF file, got"):
        InstanceFolder(tmp_path)


def test_a_mask_that_changes_afterwards_does_not_shift_the_ids(tmp_path):
    dataset = InstanceFolder(fill(tmp_path, a=A))
    write_mask(tmp_path / "masks" / "a.png", np.array(B))
    message = r"^InstanceFolder: .*masks.a\.png: expected 2 instances, as when the dataset was made, got 1$"
    with pytest.raises(DataError, match=message):
        dataset[0]
    with pytest.raises(DataError, match=message):
        dataset.ground_truth()


@pytest.mark.parametrize("names", ["cell", (), ["cell", "cell"], ["cell", ""], ["cell", 1], None])
def test_class_names_are_checked(tmp_path, names):
    message = "^InstanceFolder: class_names: expected a list of different names, without a background, got "
    with pytest.raises(ArgumentError, match=message):
        InstanceFolder(fill(tmp_path, a=A), names)


@pytest.mark.parametrize("channels", [2, None])
def test_channels_are_checked(tmp_path, channels):
    with pytest.raises(ArgumentError, match=f"^InstanceFolder: channels: expected 1 or 3, got {channels}$"):
        InstanceFolder(fill(tmp_path, a=A), channels=channels)
