"""Parts of datasets and random crops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rawseg.data import Crops, Loader, Subset, split
from rawseg.data.dataset import sample_rng
from rawseg.errors import ArgumentError, ArgumentTypeError, IndexRangeError, ShapeError


class Numbers:
    """Sample i is an image and a mask full of i."""

    def __init__(self, count):
        self.names = [f"n{index}" for index in range(count)]

    def __len__(self):
        return len(self.names)

    def __getitem__(self, index):
        return np.full((1, 2, 3), index, np.float32), np.full((2, 3), index, np.int64)


@given(st.integers(4, 60), st.integers(0, 2**32), st.sampled_from([(1.0,), (0.5, 0.5), (0.25, 0.75), (0.3, 0.3, 0.4)]))
def test_every_sample_is_in_exactly_one_part(count, seed, fractions):
    parts = split(Numbers(count), fractions, seed)
    assert sorted(index for part in parts for index in part.indices) == list(range(count))
    for part, fraction in zip(parts, fractions):
        assert abs(len(part) - fraction * count) <= 1  # both ends are rounded, each by at most a half
        assert part.indices == sorted(part.indices)
        assert [int(part[place][1][0, 0]) for place in range(len(part))] == part.indices
        assert part.names == [f"n{index}" for index in part.indices]
    assert [part.indices for part in split(Numbers(count), fractions, seed)] == [part.indices for part in parts]


def test_the_seed_decides_the_parts():
    parts = {tuple(split(Numbers(20), (0.5, 0.5), seed)[0].indices) for seed in range(10)}
    assert len(parts) == 10


def test_fractions_are_checked():
    for bad in ((0.5, 0.4), (1.5, -0.5), (), (1.0, 0.0), (float("nan"), 1.0)):
        with pytest.raises(ArgumentError, match="split: fractions: expected positive numbers that sum to 1"):
            split(Numbers(10), bad, 0)
    with pytest.raises(ArgumentError, match=r"expected at least one of 3 samples in each part, got .*: parts of \[3, 0\]"):
        split(Numbers(3), (0.9, 0.1), 0)
    with pytest.raises(ArgumentTypeError, match=r"split: seed: expected an int, got 0\.5"):
        split(Numbers(3), (0.5, 0.5), 0.5)  # type: ignore[arg-type]


IMAGE = np.arange(2 * 7 * 9, dtype=np.float32).reshape(2, 7, 9)
MASK = np.arange(7 * 9).reshape(7, 9)


def test_crops_are_windows_of_both_at_one_place():
    crops = Crops(IMAGE, MASK, (3, 4), 200)
    assert len(crops) == 200
    corners = set()
    for image, mask in crops:  # ends with an IndexError inside
        assert image.shape == (2, 3, 4)
        assert mask.shape == (3, 4)
        np.testing.assert_array_equal(image[0], mask)
        np.testing.assert_array_equal(image[1], mask + 63)
        top, left = divmod(int(mask[0, 0]), 9)
        np.testing.assert_array_equal(mask, MASK[top : top + 3, left : left + 4])
        corners.add((top, left))
    assert corners == {(top, left) for top in range(5) for left in range(6)}  # every place, the last ones too


def test_a_crop_of_the_whole_size_is_the_whole():
    image, mask = Crops(IMAGE, MASK, (7, 9), 1)[0]
    np.testing.assert_array_equal(image, IMAGE)
    np.testing.assert_array_equal(mask, MASK)


def test_a_loader_draws_new_crops_every_epoch_also_through_a_subset():
    crops = Crops(IMAGE, MASK, 3, 6)
    for dataset in (crops, Subset(crops, range(6))):
        epochs = [np.concatenate([masks for _, masks in Loader(dataset, 2, shuffle=False).iterate(epoch)]) for epoch in (0, 1)]
        assert (epochs[0] != epochs[1]).any()
        np.testing.assert_array_equal(epochs[0], [mask for _, mask in crops])


def test_streams_of_seeds_epochs_and_samples_differ():
    top = 2**32 - 1
    keys = [(seed, epoch, index) for seed in (0, 1, top) for epoch in (0, 1, top) for index in (0, 1, 2)]
    draws = {key: tuple(sample_rng(*key).integers(0, 2**62, 2)) for key in keys}
    assert len(set(draws.values())) == len(keys)


def test_crops_are_checked():
    with pytest.raises(ShapeError, match=r"Crops: image, mask: expected .*, got \(7, 9\) and \(7, 9\)"):
        Crops(IMAGE[0], MASK, 3, 1)
    with pytest.raises(ShapeError, match=r"got \(2, 7, 9\) and \(9, 7\)"):
        Crops(IMAGE, MASK.T, 3, 1)
    with pytest.raises(ArgumentError, match=r"Crops: size: expected at most the image's \(7, 9\), got \(8, 8\)"):
        Crops(IMAGE, MASK, 8, 1)
    with pytest.raises(ArgumentError, match=r"Crops: size: expected at most the image's \(7, 9\), got \(1, 10\)"):
        Crops(IMAGE, MASK, (1, 10), 1)
    with pytest.raises(ArgumentError, match="Crops: count: expected at least 1, got 0"):
        Crops(IMAGE, MASK, 3, 0)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_crop_out_of_range_is_refused(index):
    with pytest.raises(IndexRangeError, match=rf"Crops: index: expected 0..2, got {index}"):
        Crops(IMAGE, MASK, 2, 3)[index]
