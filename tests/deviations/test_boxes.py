"""Where boxes and focal losses differ from PyTorch's and torchvision's formulas on purpose, and that these still differ."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from box_cases import (
    exact_nms,
    torch_box_iou,
    torch_generalized_box_iou,
    torch_nms,
    torch_offset_nms,
    torch_paste,
    torch_sigmoid_focal_loss,
)

import rawseg
from rawseg import ops
from rawseg.errors import ArgumentError
from rawseg.testing.strategies.boxes import scattered_boxes

POINT = np.array([[1.0, 1, 1, 1]])


@pytest.mark.spec("box_iou.empty-boxes")
def test_boxes_without_an_area():
    """PyTorch's 0/0 of two boxes without an area is NaN; rawseg says 0."""
    point = torch.tensor(POINT)
    assert torch_box_iou(point, point).isnan().all()
    assert torch_generalized_box_iou(point, point).isnan().all()
    assert ops.box_iou(POINT, POINT).tolist() == [[0]]
    assert ops.generalized_box_iou(POINT, POINT).tolist() == [[0]]


@pytest.mark.spec("box_convert.formats")
def test_a_small_box_far_out():
    """PyTorch converts xywh and cxcywh through corners, whose difference loses the digits of a small box; rawseg does not."""
    box = torch.tensor([[1e6, 0, 1e-12, 1]], dtype=torch.float64)
    corners = torch.cat([box[:, :2], box[:, :2] + box[:, 2:]], 1)
    assert (corners[:, 2:] - corners[:, :2]).tolist() == [[0, 1]]
    assert ops.box_convert(box.numpy(), "xywh", "cxcywh").numpy()[0, 2:].tolist() == [1e-12, 1]
    assert ops.box_convert(box.numpy(), "cxcywh", "xywh").numpy()[0, 2:].tolist() == [1e-12, 1]


@pytest.mark.spec("nms.domain")
def test_invalid_boxes_and_scores():
    """PyTorch suppresses with NaN and inverted boxes and with NaN scores as if they were some; rawseg raises."""
    boxes, scores = np.array([[0.0, 0, 2, 2], [2, 2, 0, 0], [0, 0, 2, np.nan]]), np.array([3.0, 2, np.nan])
    assert len(torch_nms(torch.tensor(boxes), torch.tensor(scores), 0.5)) == 3
    for some in ([0, 1], [0, 2]):
        with pytest.raises(ArgumentError, match="nms: boxes"):
            ops.nms(boxes[some], np.ones(2), 0.5)
    with pytest.raises(ArgumentError, match="nms: scores"):
        ops.nms(boxes[:1], scores[2:], 0.5)


@pytest.mark.spec("nms.float64")
def test_overlaps_are_decided_in_float64():
    """PyTorch decides overlaps of float32 boxes in float32, where those of far-out boxes round away; rawseg in float64."""
    x = np.float32(2**24)
    boxes, scores = np.array([[0, 0, x, 4], [0, 0, x - 1, 3]], np.float32), np.array([2, 1], np.float32)
    threshold = np.nextafter(0.75 * (2.0**24 - 1) / 2.0**24, 0)  # just below the overlap
    assert torch_nms(torch.tensor(boxes), torch.tensor(scores), threshold) == [0, 1]
    assert ops.nms(boxes, scores, threshold).tolist() == exact_nms(boxes, scores, threshold) == [0]


@pytest.mark.spec("batched_nms.groups")
def test_classes_are_not_moved_apart():
    """PyTorch moves classes apart by an offset, which rounds float32 corners; rawseg compares them as they are."""
    boxes = scattered_boxes(0, 60, np.float32) + np.float32(1e5)
    rng = np.random.default_rng(0)
    scores, idxs = rng.random(60).astype(np.float32), rng.integers(0, 3, 60) * 40
    right = exact_nms(boxes, scores, 0.4, idxs)
    assert torch_offset_nms(*(torch.tensor(a) for a in (boxes, scores, idxs)), 0.4) != right
    assert ops.batched_nms(boxes, scores, idxs, 0.4).tolist() == right


@pytest.mark.spec("batched_nms.groups")
def test_classes_with_negative_coordinates_do_not_meet():
    """PyTorch's offset is no offset for boxes left of the image, so that classes suppress each other; in rawseg they do not."""
    boxes = np.array([[-5, -5, -1, -1], [-5, -5, -1, -1]], np.float32)
    scores, idxs = np.array([2, 1], np.float32), np.array([0, 1])
    assert torch_offset_nms(*(torch.tensor(a) for a in (boxes, scores, idxs)), 0.5) == [0]
    assert ops.batched_nms(boxes, scores, idxs, 0.5).tolist() == [0, 1]


@pytest.mark.spec("remove_small_boxes.domain")
def test_small_boxes_that_are_none():
    """PyTorch drops NaN and inverted boxes as small without a word; rawseg raises."""
    boxes = torch.tensor([[2.0, 2, 0, 0], [0, 0, 2, np.nan]])
    sides = boxes[:, 2:] - boxes[:, :2]
    assert not (sides >= 1).all(1).any()
    for box in boxes.numpy():
        with pytest.raises(ArgumentError, match="remove_small_boxes: boxes"):
            ops.remove_small_boxes(box[None], 1)


@pytest.mark.spec("box_coder.domain")
def test_codes_of_boxes_without_an_area():
    """PyTorch encodes a box without a width as -inf; rawseg raises."""
    assert torch.log(torch.tensor(0.0) / 4).item() == -np.inf
    with pytest.raises(ArgumentError, match="BoxCoder: reference_boxes: expected x1 < x2"):
        ops.BoxCoder((1.0, 1.0, 1.0, 1.0)).encode_single(POINT, np.array([[0.0, 0, 4, 4]]))


@pytest.mark.spec("paste_masks.outside")
def test_boxes_beside_the_image():
    """PyTorch's slices of a box left of the image count from the other end, and raise; rawseg leaves zeros."""
    mask = np.ones((1, 1, 2, 2))
    left, above = np.array([[-9.0, 1, -5, 3]]), np.array([[1.0, -9, 3, -6]])
    for box in (left, above):
        with pytest.raises(RuntimeError):
            torch_paste(torch.tensor(mask[0, 0]), torch.tensor(box[0]), (12, 12), 1)
        assert not ops.paste_masks(mask, box, (12, 12)).numpy().any()


@pytest.mark.spec("roi_levels.float64")
def test_levels_of_sizes_just_below_a_power_of_two():
    """PyTorch adds its eps to a level in float32, which rounds it by a third; rawseg in float64."""
    side = np.float32(896 * (1 - 7.5e-7))  # its level is 6 - 1.1e-6 and 1e-6 is not enough
    level = torch.floor(4 + torch.log2(torch.tensor(side) / 224) + torch.tensor(1e-6))
    assert level.item() == 6
    assert ops.roi_levels(np.array([[0, 0, side, side]], np.float32), 2, 9).tolist() == [5]


@pytest.mark.spec("focal_loss.saturated")
def test_the_focus_of_a_certain_pixel():
    """PyTorch's 1 - p_t cancels, and its gradient is NaN for gamma < 1; rawseg's has all its digits and is finite."""
    x, zero = np.array([-200.0, -12.0], np.float32), np.zeros(2, np.float32)
    twin = torch.tensor(x, requires_grad=True)
    (gradient,) = torch.autograd.grad(torch_sigmoid_focal_loss(twin, torch.tensor(zero), -1, 0.5).sum(), twin)
    assert gradient[0].isnan()
    leaf = rawseg.Tensor(x, requires_grad=True)
    losses = ops.sigmoid_focal_loss(leaf, zero, -1, 0.5)
    losses.sum().backward()
    assert np.isfinite(leaf.grad.numpy()).all()
    p = 1 / (1 + np.exp(12.0))
    exact = -np.log1p(-p) * p**0.5
    assert abs(losses.numpy()[1] / exact - 1) <= 4 * 2.0**-24
    assert abs(torch_sigmoid_focal_loss(twin, torch.tensor(zero), -1, 0.5)[1].item() / exact - 1) > 1e-4
