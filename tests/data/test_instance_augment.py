"""Flips and turns of instances: exact cases by hand, and for any draw that image, boxes and masks stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.data import Brightness, Compose, Contrast, FlipInstances, TurnInstances
from rawseg.data.instance_augment import mirrored, turned
from rawseg.data.instances import box_of, target_of

MASK = np.array([[0, 1, 1, 0, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], bool)  # 3 x 5, box (1, 0, 3, 2)
IMAGE = np.arange(2 * 3 * 5, dtype=np.float32).reshape(2, 3, 5) / 32


class Chosen:
    """A generator whose draws are chosen."""

    def __init__(self, *values):
        self.values = list(values)

    def _next(self, *args, **options):
        return self.values.pop(0)

    random = integers = uniform = _next


def drawn(*values) -> Any:
    return Chosen(*values)


def sample():
    return IMAGE, target_of([4], MASK[None], [9], 3)


def boxes(target):
    return target["boxes"].tolist()


def check_same(one, other):
    """Compare two samples exactly, types too."""
    (image, target), (other_image, other_target) = one, other
    np.testing.assert_array_equal(image, other_image)
    assert image.dtype == other_image.dtype == np.float32
    assert target.keys() == other_target.keys()
    assert target["image_id"] == other_target["image_id"]
    for key in ("boxes", "labels", "masks", "ids"):
        np.testing.assert_array_equal(target[key], other_target[key])
        assert target[key].dtype == other_target[key].dtype


# By hand


def test_mirrored_by_hand():
    image, target = mirrored(*sample())
    np.testing.assert_array_equal(image, IMAGE[:, :, ::-1])
    np.testing.assert_array_equal(target["masks"][0], [[0, 0, 1, 1, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0]])
    assert boxes(target) == [[2, 0, 4, 2]]
    assert (target["labels"].tolist(), target["ids"].tolist(), target["image_id"]) == ([4], [9], 3)


def test_turned_by_hand():
    image, target = turned(*sample())
    np.testing.assert_array_equal(image[1], np.rot90(IMAGE[1]))
    assert image.shape == (2, 5, 3)
    np.testing.assert_array_equal(target["masks"][0], [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert boxes(target) == [[0, 2, 2, 4]]
    assert (target["labels"].tolist(), target["ids"].tolist(), target["image_id"]) == ([4], [9], 3)


@pytest.mark.parametrize(
    ("draws", "rows", "columns", "box"),
    [
        ((0.1, 0.9), 1, -1, [2, 0, 4, 2]),
        ((0.9, 0.1), -1, 1, [1, 1, 3, 3]),
        ((0.1, 0.1), -1, -1, [2, 1, 4, 3]),
        ((0.5, 0.5), 1, 1, [1, 0, 3, 2]),
    ],
)
def test_flips_by_hand(draws, rows, columns, box):
    image, target = FlipInstances(True, True)(*sample(), drawn(np.array(draws)))
    np.testing.assert_array_equal(image, IMAGE[:, ::rows, ::columns])
    np.testing.assert_array_equal(target["masks"], MASK[None, ::rows, ::columns])
    assert boxes(target) == [box]


def test_an_axis_that_was_not_asked_for_is_left_alone():
    assert boxes(FlipInstances()(*sample(), drawn(np.zeros(2)))[1]) == [[2, 0, 4, 2]]
    assert boxes(FlipInstances(False, True)(*sample(), drawn(np.zeros(2)))[1]) == [[1, 1, 3, 3]]
    check_same(FlipInstances(False, False)(*sample(), drawn(np.zeros(2))), sample())


@pytest.mark.parametrize(("quarters", "box"), [(0, [1, 0, 3, 2]), (1, [0, 2, 2, 4]), (2, [2, 1, 4, 3]), (3, [1, 1, 3, 3])])
def test_turns_by_hand(quarters, box):
    image, target = TurnInstances()(*sample(), drawn(quarters))
    np.testing.assert_array_equal(image, np.rot90(IMAGE, quarters, axes=(1, 2)))
    np.testing.assert_array_equal(target["masks"][0], np.rot90(MASK, quarters))
    assert boxes(target) == [box]


def test_flips_and_turns_take_every_value_about_equally_often():
    flips, turns = [0] * 4, [0] * 4
    for seed in range(400):
        flipped = FlipInstances(True, True)(*sample(), np.random.default_rng(seed))[0]
        flips[[0, 4, 10, 14].index(int(flipped[0, 0, 0] * 32))] += 1
        turns[[0, 4, 14, 10].index(int(TurnInstances()(*sample(), np.random.default_rng(seed))[0][0, 0, 0] * 32))] += 1
    assert min(flips + turns) > 60  # the chance that a fair draw of 400 fails here is below 1e-5


def test_brightness_and_contrast_leave_targets_as_they_are():
    image, target = sample()
    changed, same = Compose([Brightness(1), Contrast(1)])(image, target, drawn(0.25, 1.0))
    np.testing.assert_array_equal(changed, np.clip(IMAGE + np.float32(0.25), 0, 1))
    assert same is target


# For any draw


@st.composite
def samples(draw):
    """Images with up to 4 instances, of any sizes; image channel i shows the mask of instance i."""
    height, width, count = draw(st.integers(1, 9)), draw(st.integers(1, 9)), draw(st.integers(0, 4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    masks = rng.random((count, height, width)) < draw(st.sampled_from([0.1, 0.6]))
    for mask in masks:
        mask[rng.integers(height), rng.integers(width)] = True
    image = np.concatenate([rng.random((1, height, width)), masks]).astype(np.float32)
    return image, target_of(rng.integers(1, 5, count), masks, rng.permutation(count), 6)


MOVES = Compose([FlipInstances(True, True), TurnInstances(), FlipInstances(True, False), TurnInstances()])


@given(samples(), st.integers(0, 2**32))
def test_boxes_stay_those_of_the_masks_and_masks_stay_on_the_image(given_sample, seed):
    image, target = given_sample
    before = image.copy(), {key: np.copy(value) for key, value in target.items()}
    moved, found = MOVES(image, target, np.random.default_rng(seed))
    assert moved.dtype == found["boxes"].dtype == np.float32
    assert found["masks"].shape == (len(target["masks"]), *moved.shape[1:])
    assert sorted(moved.shape[1:]) == sorted(image.shape[1:])
    np.testing.assert_array_equal(moved[1:], found["masks"])
    assert [tuple(box) for box in found["boxes"]] == [box_of(mask) for mask in found["masks"]]
    assert sorted(moved[0].ravel()) == sorted(image[0].ravel())
    for key in ("labels", "ids", "image_id"):
        assert found[key] is target[key]
    np.testing.assert_array_equal(image, before[0])
    for key, value in target.items():
        np.testing.assert_array_equal(value, before[1][key])


@given(samples())
def test_four_turns_and_two_mirrorings_are_the_identity(given_sample):
    once = turned(*given_sample)
    check_same(turned(*turned(*turned(*once))), given_sample)
    check_same(mirrored(*mirrored(*given_sample)), given_sample)
    # A turn after a mirroring is undone by doing both again.
    both = turned(*mirrored(*given_sample))
    check_same(turned(*mirrored(*both)), given_sample)


def test_boxes_that_are_not_those_of_the_masks_move_too():
    image, target = sample()
    target["boxes"] = np.array([[0.25, 0.5, 4.75, 2.0]], np.float32)
    assert boxes(mirrored(image, target)[1]) == [[0.25, 0.5, 4.75, 2.0]]
    assert boxes(turned(image, target)[1]) == [[0.5, 0.25, 2.0, 4.75]]
