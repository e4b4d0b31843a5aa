"""Regions: where rawseg differs from torchvision 0.28; each test asserts that torchvision still does what its line says."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from rawseg import ops
from rawseg.benchmark.torchvision_on_cpu import torchvision
from rawseg.errors import ArgumentError, IndexRangeError

X = np.arange(16.0).reshape(1, 1, 4, 4)


@pytest.fixture(scope="module")
def theirs():
    return torchvision().ops


def both(box):
    """Return a box's row for both sides."""
    return torch.tensor([box], dtype=torch.float64), np.array([box], float)


@pytest.mark.spec("roi_align.boxes")
def test_boxes_that_end_before_they_begin(theirs):
    """torchvision makes inverted boxes one pixel wide, and counts a batch index of half an image down; rawseg refuses both."""
    for box, error, said in (
        ([0, 3, 3, 1, 1], ArgumentError, "roi_align: boxes"),
        ([0.5, 0, 0, 1, 1], IndexRangeError, "roi_align: boxes"),
    ):
        their_box, our_box = both(box)
        assert theirs.roi_align(torch.tensor(X), their_box, 1).isfinite().all()
        with pytest.raises(error, match=said):
            ops.roi_align(X, our_box, 1)


@pytest.mark.spec("roi_align.arithmetic")
def test_a_scale_of_nothing(theirs):
    """torchvision takes a spatial scale of 0, at which every box is the first pixel; rawseg refuses."""
    their_box, our_box = both([0, 0, 0, 3, 3])
    assert theirs.roi_align(torch.tensor(X), their_box, 1, 0.0).isfinite().all()
    with pytest.raises(ArgumentError, match="roi_align: spatial_scale"):
        ops.roi_align(X, our_box, 1, 0.0)


@pytest.mark.spec("roi_align.limits")
def test_a_bin_of_very_many_samples(theirs):
    """torchvision takes any number of samples a bin, however long that lasts; rawseg at most 2**16."""
    their_box, our_box = both([0, 0, 0, 1, 1])
    assert theirs.roi_align(torch.tensor(X), their_box, 1, 1.0, 257).isfinite().all()
    with pytest.raises(ArgumentError, match="roi_align: "):
        ops.roi_align(X, our_box, 1, 1.0, 257)


@pytest.mark.spec("roi_pool.choice")
def test_the_largest_of_numbers_that_are_none(theirs):
    """torchvision's roi_pool passes NaN over, and makes -inf the lowest float32; rawseg's largest is NaN, or -inf."""
    their_box, our_box = both([0, 0, 0, 3, 0])
    for row, other, ours in (([1, np.nan, 3, 2], 3, np.nan), ([-np.inf] * 4, np.finfo(np.float32).min, -np.inf)):
        x = np.array(row, float).reshape(1, 1, 1, 4)
        assert theirs.roi_pool(torch.tensor(x), their_box, 1).item() == other
        assert np.array_equal(ops.roi_pool(x, our_box, 1).numpy().ravel(), [ours], equal_nan=True)


@pytest.mark.spec("clip_boxes_to_image.range")
def test_an_image_of_negative_size(theirs):
    """torchvision clips boxes to an image of a negative side; rawseg refuses."""
    assert theirs.clip_boxes_to_image(torch.tensor([[0.0, 0, 4, 4]]), (-1, 3)).tolist() == [[0, -1, 3, -1]]
    with pytest.raises(ArgumentError, match="clip_boxes_to_image: size"):
        ops.clip_boxes_to_image(np.array([[0.0, 0, 4, 4]]), (-1, 3))


@pytest.mark.spec("masks_to_boxes.rule")
def test_a_mask_without_a_pixel(theirs):
    """torchvision gives a mask without a pixel the box of the first pixel; rawseg refuses."""
    assert theirs.masks_to_boxes(torch.zeros(1, 3, 3)).tolist() == [[0, 0, 0, 0]]
    with pytest.raises(ArgumentError, match="masks_to_boxes: masks"):
        ops.masks_to_boxes(np.zeros((1, 3, 3), bool))


@pytest.mark.spec("all.errors")
def test_an_inverted_box_has_no_area(theirs):
    """torchvision gives inverted boxes areas of some sign, and overlaps; rawseg refuses them."""
    inverted = [[3.0, 3, 1, 2]]
    assert theirs.box_area(torch.tensor(inverted)).item() == 2
    assert theirs.box_iou(torch.tensor(inverted), torch.tensor(inverted)).item() == 0 / 2
    with pytest.raises(ArgumentError, match="box_area: boxes"):
        ops.box_area(np.array(inverted))
    with pytest.raises(ArgumentError, match="box_iou: boxes1"):
        ops.box_iou(np.array(inverted), np.array(inverted))


@pytest.mark.spec("all.layout")
def test_boxes_of_whole_numbers_or_two_dtypes(theirs):
    """torchvision takes boxes of integers, and overlaps boxes of two dtypes; rawseg's are floats of one dtype."""
    whole = [[0, 0, 4, 4]]
    assert theirs.box_area(torch.tensor(whole)).item() == 16
    assert theirs.box_iou(torch.tensor(whole).float(), torch.tensor(whole).double()).item() == 1
    with pytest.raises(TypeError, match="box_area: boxes: expected float32 or float64"):
        ops.box_area(np.array(whole))
    with pytest.raises(TypeError, match="box_iou: boxes2"):
        ops.box_iou(np.array(whole, np.float32), np.array(whole, float))
