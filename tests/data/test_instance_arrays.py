"""Instances of images in memory: which pixels are whose, what a cut leaves of them, and random parts of one image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.data import InstanceArrays, InstanceCrops, Loader
from rawseg.data.instance_arrays import numbered
from rawseg.data.instances import box_of
from rawseg.errors import ArgumentError, ArgumentTypeError, IndexRangeError, ShapeError

MAP = np.array(
    [
        [0, 7, 7, 0, 0, 2],
        [0, 7, 0, 0, 0, 0],
        [0, 0, 0, 4, 4, 4],
    ]
)
IMAGE = np.arange(18, dtype=np.float32).reshape(1, 3, 6) / 32  # every pixel tells its place


def test_arrays_by_hand():
    second = np.zeros((2, 2, 4), np.float32)
    dataset = InstanceArrays([IMAGE, second], [MAP, np.zeros((2, 4), np.int64)])
    assert len(dataset) == 2
    image, target = dataset[0]
    assert image is dataset.images[0]
    assert target["ids"].tolist() == [2, 4, 7]
    assert target["labels"].tolist() == [1, 1, 1]
    assert target["boxes"].tolist() == [[5, 0, 6, 1], [3, 2, 6, 3], [1, 0, 3, 2]]
    np.testing.assert_array_equal(target["masks"], [MAP == 2, MAP == 4, MAP == 7])
    assert target["image_id"] == 0
    image, target = dataset[1]
    assert image.shape == (2, 2, 4)
    assert [target[key].shape for key in ("boxes", "labels", "masks", "ids")] == [(0, 4), (0,), (0, 2, 4), (0,)]
    assert target["image_id"] == 1


@pytest.mark.parametrize(("least", "ids"), [(1, [2, 4, 7]), (2, [4, 7]), (3, [4, 7]), (4, [])])
def test_instances_of_fewer_pixels_are_background(least, ids):
    assert InstanceArrays([IMAGE], [MAP], least)[0][1]["ids"].tolist() == ids
    whole = np.pad(MAP, ((0, 3), (0, 0)))  # 6 x 6: the only part of 6 pixels a side
    image = np.zeros((1, 6, 6), np.float32)
    assert InstanceCrops(image, whole, 6, 1, least)[0][1]["ids"].tolist() == ids


@given(st.tuples(st.integers(1, 9), st.integers(1, 9)), st.integers(1, 5), st.integers(0, 2**32))
def test_a_target_holds_every_large_enough_instance_once(size, least, seed):
    instances = np.random.default_rng(seed).integers(-1, 6, size)
    before = instances.copy()
    target = numbered(instances, 3, least)
    wanted = [value for value in range(1, 6) if (instances == value).sum() >= least]
    assert target["ids"].tolist() == wanted
    assert target["masks"].shape == (len(wanted), *size)
    for value, mask, box in zip(wanted, target["masks"], target["boxes"]):
        np.testing.assert_array_equal(mask, instances == value)
        assert tuple(box) == box_of(mask)
    np.testing.assert_array_equal(instances, before)


def place_of(image):
    """Return row and column of a part's corner in IMAGE."""
    return divmod(int(image[0, 0, 0] * 32), 6)


def test_a_part_is_cut_out_of_image_and_instances_alike_and_every_part_comes():
    crops, seen = InstanceCrops(IMAGE, MAP, 2, 400), set()
    for index in range(400):
        image, target = crops[index]
        top, left = place_of(image)
        part = slice(top, top + 2), slice(left, left + 2)
        np.testing.assert_array_equal(image, IMAGE[:, *part])
        assert image.flags.c_contiguous
        assert target["ids"].tolist() == sorted(set(MAP[part].ravel().tolist()) - {0})
        for identity, mask in zip(target["ids"], target["masks"]):
            np.testing.assert_array_equal(mask, MAP[part] == identity)
        assert target["image_id"] == index
        seen.add((top, left))
    # Of 10 parts one is missing after 400 draws with a chance below 10 * 0.9**400 = 5e-18.
    assert seen == {(top, left) for top in range(2) for left in range(5)}


def test_a_cut_instance_has_the_box_of_what_is_left():
    crops = InstanceCrops(IMAGE, MAP, 2, 100)
    parts = {place_of(image): target for image, target in (crops[index] for index in range(100))}
    assert parts[0, 1]["boxes"].tolist() == [[0, 0, 2, 2]]
    assert parts[0, 2]["boxes"].tolist() == [[0, 0, 1, 1]]
    assert parts[1, 4]["boxes"].tolist() == [[0, 1, 2, 2]]


def test_parts_are_new_ones_each_epoch_and_follow_from_seed_and_index():
    rng = np.random.default_rng(0)
    image, instances = rng.random((1, 40, 50), np.float32), rng.integers(0, 4, (40, 50))

    def batches(workers, epoch, seed=3):
        loader = Loader(InstanceCrops(image, instances, 16, 7, least=5), 3, seed=seed, workers=workers)
        return [(i.tobytes(), t["image_id"], t["masks"].tobytes()) for b in loader.iterate(epoch) for i, t in zip(*b)]

    want = batches(0, 1)
    assert len(want) == len(set(want)) == 7
    assert batches(3, 1) == want
    for others in (batches(0, 2), batches(0, 1, seed=4)):
        assert not {part for part, *_ in others} & {part for part, *_ in want}


def test_what_is_refused():
    with pytest.raises(ArgumentError, match="InstanceArrays: instances: expected 2, as images, got 1"):
        InstanceArrays([IMAGE, IMAGE], [MAP])
    for image, instances in ((IMAGE[0], MAP), (IMAGE, MAP.T), (IMAGE, MAP[None])):
        with pytest.raises(ShapeError, match=r"InstanceArrays: images\[1\]: expected an image \(C, H, W\) and its instances"):
            InstanceArrays([IMAGE, image], [MAP, instances])
        with pytest.raises(ShapeError, match=r"InstanceCrops: image: expected .*, at least 2 pixels a side, got "):
            InstanceCrops(image, instances, 2, 1)
    with pytest.raises(ShapeError, match=r"at least 4 pixels a side, got \(1, 3, 6\) and \(3, 6\)"):
        InstanceCrops(IMAGE, MAP, 4, 1)
    for name, arguments in (("size", (0, 1)), ("count", (2, 0)), ("least", (2, 1, 0))):
        with pytest.raises(ArgumentError, match=f"InstanceCrops: {name}: expected at least 1, got 0"):
            InstanceCrops(IMAGE, MAP, *arguments)
    with pytest.raises(ArgumentError, match="InstanceArrays: least: expected at least 1, got 0"):
        InstanceArrays([IMAGE], [MAP], 0)
    with pytest.raises(ArgumentTypeError, match=r"InstanceCrops: size: expected an int, got 2\.0"):
        InstanceCrops(IMAGE, MAP, 2.0, 1)
    for dataset, name in (
        (InstanceArrays([IMAGE], [MAP]), "InstanceArrays"),
        (InstanceCrops(IMAGE, MAP, 2, 1), "InstanceCrops"),
    ):
        for index in (-1, 1):
            with pytest.raises(IndexRangeError, match=rf"{name}: index: expected 0\.\.0, got {index}"):
                dataset[index]
